//! Kubernetes' audit log: calls by AWS sessions (EKS), client certificates and service accounts, and the tokens they request.

use serde_json::{Value, json};

use super::{Request, cloudtrail, uuid};
use crate::rng::Rng;
use crate::truth::Outcome;

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let (namespace, name) = ("routes", it.who.workload.as_str());
    let stamp = format!("{}.000000Z", it.stamp());
    let mut record = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
        "auditID": uuid(rng), "stage": "ResponseComplete", "requestURI": "/api/v1/pods",
        "verb": "list", "user": user(it), "sourceIPs": [it.who.address],
        "userAgent": "kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0",
        "objectRef": {"resource": "pods", "namespace": namespace, "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": it.status()},
        "requestReceivedTimestamp": stamp, "stageTimestamp": stamp,
    });
    if let Some(issued) = it.issued {
        record["verb"] = json!("create");
        record["objectRef"] = json!({
            "resource": "serviceaccounts", "subresource": "token", "namespace": namespace,
            "name": name, "apiVersion": "v1",
        });
        record["responseStatus"]["code"] = json!(201);
        record["annotations"] =
            json!({"authentication.kubernetes.io/issued-credential-id": issued.id});
    } else if it.outcome == Outcome::Denied {
        record["responseStatus"]["reason"] = json!("Forbidden");
    }
    record.to_string()
}

fn user(it: &Request<'_>) -> Value {
    const ID: &str = "authentication.kubernetes.io/credential-id";
    let workload = it.who.workload.as_str();
    match it.by.kind {
        "aws_access_key_id" => {
            let arn = cloudtrail::session_arn(it.by, workload);
            json!({"username": arn, "groups": ["system:authenticated"], "extra": {
                "accessKeyId": [it.by.id], "arn": [arn], "sessionName": [workload],
                "canonicalArn": [format!("arn:aws:iam::444455556666:role/step-{}", it.by.depth)],
            }})
        }
        "x509_sha256" => json!({
            "username": "deployer", "groups": ["system:authenticated"],
            "extra": {ID: [format!("X509SHA256={}", it.by.id)]},
        }),
        _ => json!({
            "username": format!("system:serviceaccount:{}", it.who.service_account().replace('/', ":")),
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "extra": {ID: [it.by.id]},
        }),
    }
}
