//! Okta's system log: tokens by client credentials, and changes made with an API token.

use serde_json::json;

use super::{Request, hex, stamp, uuid};
use crate::rng::Rng;
use crate::truth::Outcome;

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let (kind, actor) = match it.issued {
        Some(_) => ("app.oauth2.as.token.grant.access_token", "PublicClientApp"),
        None => ("group.user_membership.add", "User"),
    };
    let mut record = json!({
        "actor": {
            "id": format!("0oa{}", it.who.workload), "type": actor,
            "alternateId": it.who.workload, "displayName": it.who.workload, "detailEntry": null,
        },
        "client": {
            "userAgent": {"rawUserAgent": "okta-sdk-golang/5.0.0", "os": "Linux", "browser": "UNKNOWN"},
            "ipAddress": it.who.address,
        },
        "displayMessage": kind, "eventType": kind,
        "outcome": {"result": if it.outcome == Outcome::Denied { "DENY" } else { "SUCCESS" }, "reason": null},
        "published": format!("{}.000Z", it.stamp()), "severity": "INFO", "legacyEventType": null,
        "debugContext": {"debugData": {}},
        "transaction": {"type": "WEB", "id": hex(rng, 8), "detail": {}},
        "uuid": uuid(rng), "version": "0", "target": [],
    });
    match it.issued {
        Some(issued) => {
            record["debugContext"]["debugData"] = json!({
                "clientAuthType": "client_secret_basic", "grantType": "client_credentials",
                "clientSecret": it.by.id, "authorizationServerName": "orders",
            });
            record["target"] = json!([{
                "id": issued.id, "type": "access_token", "alternateId": null,
                "displayName": "access_token",
                "detailEntry": {"expires": format!("{}.000Z", stamp(it.time + it.lifetime))},
            }]);
        }
        None => record["transaction"]["detail"] = json!({"requestApiTokenId": it.by.id}),
    }
    record.to_string()
}
