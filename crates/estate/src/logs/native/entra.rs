//! Sign-ins of applications to Entra ID, as diagnostic settings export them: one record a line.

use serde_json::json;

use super::{Request, id_of, uuid};
use crate::rng::Rng;

/// The tenant of the estate.
pub(super) const TENANT: &str = "5f0a1c2e-0001-4000-8000-0000000ac3e0";

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let key = if it.by.kind == "entra_key_id" { it.by.id.as_str() } else { "" };
    json!({
        "time": format!("{}.0000000Z", it.stamp()),
        "resourceId": format!("/tenants/{TENANT}/providers/Microsoft.aadiam"),
        "operationName": "Sign-in activity", "operationVersion": "1.0",
        "category": "ServicePrincipalSignInLogs", "tenantId": TENANT, "resultType": "0",
        "resultSignature": "None", "durationMs": 0, "callerIpAddress": it.who.address,
        "correlationId": uuid(rng), "Level": 4, "location": "DE",
        "properties": {
            "id": uuid(rng), "createdDateTime": format!("{}.0000000+00:00", it.stamp()),
            "userPrincipalName": "", "appId": id_of(&it.who.workload), "appDisplayName": "",
            "ipAddress": it.who.address, "status": {"errorCode": 0},
            "resourceDisplayName": "Azure Key Vault",
            "resourceId": "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
            "servicePrincipalName": it.who.workload, "isInteractive": false,
            "clientCredentialType": "clientSecret", "incomingTokenType": "none",
            "uniqueTokenIdentifier": it.issued.map_or("", |it| it.id.as_str()),
            "servicePrincipalCredentialKeyId": key,
        },
    })
    .to_string()
}
