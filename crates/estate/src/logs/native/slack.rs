//! Slack's audit log: what people did; it names no token.

use serde_json::json;

use super::{Request, uuid};
use crate::rng::Rng;

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let user = json!({
        "id": "WBOT0001", "name": it.who.workload, "team": "TACME0001",
        "email": format!("{}@example.com", it.who.workload),
    });
    json!({
        "id": uuid(rng), "date_create": it.time / 1_000_000, "action": "file_downloaded",
        "actor": {"type": "user", "user": user}, "entity": {"type": "user", "user": user},
        "context": {
            "location": {"type": "workspace", "id": "TACME0001", "name": "Acme", "domain": "acme"},
            "ua": "python-requests/2.31.0", "ip_address": it.who.address,
        },
    })
    .to_string()
}
