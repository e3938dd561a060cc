//! Audit events of an Azure Key Vault: reads with a token that Entra ID has issued.

use serde_json::json;

use super::{Request, entra, hex, id_of, uuid};
use crate::rng::Rng;

pub(super) const VAULT: &str = "acme-kv";

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let uri = format!("https://{VAULT}.vault.azure.net/secrets/stripe/{}", hex(rng, 16));
    json!({
        "time": format!("{}.0000000Z", it.stamp()), "category": "AuditEvent",
        "operationName": "SecretGet", "resultType": "Success",
        "resultSignature": if it.status() == 200 { "OK" } else { "Forbidden" },
        "correlationId": uuid(rng), "callerIpAddress": it.who.address,
        "identity": {"claim": {
            "appid": id_of(&it.who.workload), "oid": id_of("oid"), "uti": it.by.id,
            "tid": entra::TENANT,
        }},
        "properties": {
            "clientInfo": "azsdk-python-keyvault-secrets/4.9.0", "httpStatusCode": it.status(),
            "id": uri, "requestUri": format!("{uri}?api-version=7.5"),
        },
        "resourceId": "/SUBSCRIPTIONS/5AB50000-0001-4000-8000-00000000EEEE/RESOURCEGROUPS/ACME/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/ACME-KV",
        "operationVersion": "7.5", "durationMs": "21",
    })
    .to_string()
}
