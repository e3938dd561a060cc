//! Keycloak's events in the server's JSON log: a login with a client secret, and refresh tokens, each of which obtains the next.

use serde_json::json;

use super::{Request, id_of, uuid};
use crate::rng::Rng;

/// The id of the one realm.
pub(super) fn realm() -> String {
    id_of("realm")
}

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let issued = it.issued.map_or("", |it| it.id.as_str());
    let (kind, grant, ids) = match it.by.depth {
        0 => ("CODE_TO_TOKEN", "authorization_code", format!(r#"refresh_token_id="{issued}""#)),
        _ => (
            "REFRESH_TOKEN",
            "refresh_token",
            format!(r#"updated_refresh_token_id="{issued}", refresh_token_id="{}""#, it.by.id),
        ),
    };
    let message = format!(
        r#"type="{kind}", realmId="{}", realmName="acme", clientId="{}", userId="{}", sessionId="{}", ipAddress="{}", token_id="{}", grant_type="{grant}", refresh_token_type="Refresh", access_token_expiration_time="300", {ids}, client_auth_method="client-secret""#,
        realm(),
        it.who.workload,
        id_of(&it.who.workload),
        uuid(rng),
        it.who.address,
        uuid(rng),
    );
    json!({
        "timestamp": format!("{}.000000000Z", it.stamp()), "sequence": rng.below(1_000_000),
        "loggerClassName": "org.jboss.logging.Logger", "loggerName": "org.keycloak.events",
        "level": "WARN", "message": message, "threadName": "executor-thread-1", "threadId": 40,
        "mdc": {}, "ndc": "", "hostName": "keycloak-0", "processName": "java", "processId": 1,
    })
    .to_string()
}
