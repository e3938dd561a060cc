//! Auth0's tenant log: token exchanges with a signed assertion, and calls of the Management API.

use serde_json::json;

use super::{Request, hex};
use crate::rng::Rng;
use crate::truth::Outcome;

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let id = format!("900{}", hex(rng, 22));
    let (kind, details) = match it.issued {
        Some(issued) => (
            "seccft",
            json!({
                "actions": {"executions": []},
                "access_token_jti": issued.id,
                "token_endpoint_auth_method": "private_key_jwt",
                "token_endpoint_auth_signing_kid": it.by.id,
            }),
        ),
        None => (
            if it.outcome == Outcome::Success { "sapi" } else { "fapi" },
            json!({
                "request": {
                    "method": "patch", "path": "/api/v2/users/auth0%7Cbob", "query": {}, "body": {},
                    "userAgent": "auth0-deploy-cli/8.1.0", "channel": "api", "ip": it.who.address,
                    "auth": {"user": "", "strategy": "jwt", "credentials": {"jti": it.by.id}},
                },
                "response": {"statusCode": it.status(), "body": {}},
            }),
        ),
    };
    json!({"log_id": id, "data": {
        "log_id": id, "date": format!("{}.000Z", it.stamp()), "type": kind,
        "description": if it.outcome == Outcome::Success { "" } else { "Insufficient scope" },
        "client_id": it.who.client_id(), "client_name": it.who.workload,
        "ip": it.who.address, "user_agent": "axios/1.7.2", "hostname": "acme.eu.auth0.com",
        "tenant_name": "acme", "environment_name": "prod-eu-1", "user_id": "", "user_name": "",
        "audience": "https://api.example.com/", "details": details,
    }})
    .to_string()
}
