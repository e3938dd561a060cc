//! Snowflake's login history: programmatic access tokens by their id.

use serde_json::json;

use super::Request;
use crate::rng::Rng;
use crate::truth::Outcome;

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let error = match it.outcome {
        Outcome::Denied => Some("NETWORK_POLICY_REQUIRED"),
        Outcome::Rejected => Some("PROGRAMMATIC_ACCESS_TOKEN_EXPIRED"),
        Outcome::Success | Outcome::Error => None,
    };
    json!({
        "EVENT_ID": (rng.next() >> 12).to_string(),
        "EVENT_TIMESTAMP": format!("{}.000 +0000", it.stamp().replace('T', " ")),
        "EVENT_TYPE": "LOGIN", "USER_NAME": it.who.workload.to_uppercase(),
        "CLIENT_IP": it.who.address, "REPORTED_CLIENT_TYPE": "PYTHON_DRIVER",
        "REPORTED_CLIENT_VERSION": "3.12.3",
        "FIRST_AUTHENTICATION_FACTOR": "PROGRAMMATIC_ACCESS_TOKEN",
        "FIRST_AUTHENTICATION_FACTOR_ID": it.by.id,
        "IS_SUCCESS": if error.is_none() { "YES" } else { "NO" }, "ERROR_MESSAGE": error,
        "RELATED_EVENT_ID": "0",
    })
    .to_string()
}
