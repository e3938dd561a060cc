//! GitLab's `api_json.log`: requests with personal access tokens, refused ones too.

use serde_json::json;

use super::{Request, hex};
use crate::rng::Rng;
use crate::truth::Outcome;

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let number = it.by.id.rsplit('/').next().unwrap_or_default();
    let mut record = json!({
        "time": format!("{}.000Z", it.stamp()), "severity": "INFO", "duration_s": 0.04,
        "db_duration_s": 0.005, "view_duration_s": 0.03, "status": it.status(), "method": "GET",
        "path": "/api/v4/projects/34", "params": [{"key": "page", "value": "1"}],
        "host": "gitlab.example.com", "remote_ip": format!("{}, 127.0.0.1", it.who.address),
        "ua": "python-gitlab/4.4.0", "route": "/api/:version/projects/:id",
        "correlation_id": hex(rng, 13).to_uppercase(), "meta.remote_ip": it.who.address,
        "meta.caller_id": "GET /api/:version/projects/:id", "meta.project": "acme/web",
        "meta.root_namespace": "acme", "pid": 100, "worker_id": "puma_0",
    });
    if it.outcome == Outcome::Rejected {
        record["meta.auth_fail_reason"] = json!("token_expired");
        record["meta.auth_fail_token_id"] = json!(it.by.id);
    } else {
        record["username"] = json!(it.who.workload);
        record["meta.user"] = json!(it.who.workload);
        record["token_type"] = json!("PersonalAccessToken");
        record["token_id"] = json!(number.parse::<u64>().unwrap_or_default());
    }
    record.to_string()
}
