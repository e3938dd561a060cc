//! PostgreSQL's log as JSON: logins by role; no password has a name.

use serde_json::json;

use super::{Request, hex};
use crate::rng::Rng;
use crate::truth::Outcome;

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let role = it.who.workload.replace('-', "_");
    let (severity, message) = match it.outcome {
        Outcome::Success => (
            "LOG",
            format!("connection authorized: user={role} database=shop application_name=cart"),
        ),
        _ => ("FATAL", "permission denied for database \"shop\"".to_owned()),
    };
    json!({
        "timestamp": format!("{}.000 UTC", it.stamp().replace('T', " ")), "pid": 41,
        "user": role, "dbname": "shop", "remote_host": it.who.address, "remote_port": 42304,
        "session_id": format!("{}.{}", hex(rng, 4), hex(rng, 2)), "line_num": 3,
        "ps": "authentication", "error_severity": severity, "message": message,
        "backend_type": "client backend", "query_id": 0,
    })
    .to_string()
}
