//! Google Cloud's audit logs: calls with a service account's key or without one, also where it acts as another account.

use serde_json::json;

use super::{Request, hex};
use crate::config::LogSource;
use crate::rng::Rng;
use crate::truth::Outcome;

pub(super) const PROJECT: &str = "acme-prod";

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let account = format!("{}@{PROJECT}.iam.gserviceaccount.com", it.who.workload);
    let robot = format!("robot@{PROJECT}.iam.gserviceaccount.com");
    let mut who = json!({
        "principalEmail": account, "principalSubject": format!("serviceAccount:{account}"),
    });
    if it.by.kind == "gcp_service_account_key" {
        who["serviceAccountKeyName"] = json!(format!(
            "//iam.googleapis.com/projects/{PROJECT}/serviceAccounts/{account}/keys/{}",
            it.by.id
        ));
    }
    let (service, method) = match rng.below(2) {
        _ if super::obtains_unnamed(LogSource::Gcp, it.time) => {
            ("iamcredentials.googleapis.com", "GenerateAccessToken")
        }
        0 => {
            // The token that the key obtained acts as another account; the key stays named.
            who["principalEmail"] = json!(robot);
            who["principalSubject"] = json!(format!("serviceAccount:{robot}"));
            who["serviceAccountDelegationInfo"] =
                json!([{"firstPartyPrincipal": {"principalEmail": account}}]);
            ("storage.googleapis.com", "storage.objects.get")
        }
        _ => ("storage.googleapis.com", "storage.objects.list"),
    };
    let status = match it.outcome {
        Outcome::Denied => json!({"code": 7, "message": "Permission denied"}),
        _ => json!({}),
    };
    let stamp = format!("{}.000000000Z", it.stamp());
    json!({
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog", "status": status,
            "authenticationInfo": who, "serviceName": service, "methodName": method,
            "requestMetadata": {
                "callerIp": it.who.address, "callerSuppliedUserAgent": "google-cloud-sdk/510.0.0",
                "requestAttributes": {"time": stamp, "auth": {}},
            },
            "request": {"name": format!("projects/-/serviceAccounts/{robot}"), "lifetime": "1800s"},
        },
        "insertId": hex(rng, 6),
        "resource": {"type": "service_account", "labels": {"project_id": PROJECT, "email_id": robot}},
        "timestamp": stamp, "severity": "NOTICE", "receiveTimestamp": stamp,
        "logName": format!("projects/{PROJECT}/logs/cloudaudit.googleapis.com%2Fdata_access"),
    })
    .to_string()
}
