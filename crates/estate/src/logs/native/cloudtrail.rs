//! CloudTrail records of travellers: calls with keys and sessions, and roles of the own and other accounts.

use serde_json::{Value, json};

use super::{Credential, Request, hex, stamp, uuid};
use crate::names::{ACCOUNTS, REGIONS};
use crate::rng::Rng;
use crate::truth::Outcome;

pub(super) fn record(rng: &mut Rng, it: &Request<'_>) -> String {
    let account = ACCOUNTS[it.by.account];
    let (service, name) =
        if it.issued.is_some() { ("sts", "AssumeRole") } else { ("ec2", "DescribeInstances") };
    let mut record = json!({
        "eventVersion": "1.09", "userIdentity": identity(it.by, &it.who.workload),
        "eventTime": format!("{}Z", it.stamp()), "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name, "awsRegion": REGIONS[0], "sourceIPAddress": it.who.address,
        "userAgent": "Boto3/1.34.69 md/Botocore#1.34.69", "requestParameters": null,
        "responseElements": null, "requestID": uuid(rng), "eventID": uuid(rng), "readOnly": true,
        "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": account,
        "eventCategory": "Management",
    });
    if let Some(issued) = it.issued {
        let role = role(issued);
        record["requestParameters"] =
            json!({"roleArn": role, "roleSessionName": it.who.workload, "durationSeconds": 3600});
        record["responseElements"] = json!({
            "credentials": {
                "accessKeyId": issued.id,
                "sessionToken": format!("IQoJb3JpZ2luX2VjE{}==", hex(rng, 100)),
                "expiration": format!("{}Z", stamp(it.time + it.lifetime)),
            },
            "assumedRoleUser": {
                "assumedRoleId": format!("AROATRAVEL:{}", it.who.workload),
                "arn": session_arn(issued, &it.who.workload),
            },
        });
    }
    if it.outcome == Outcome::Denied {
        record["errorCode"] = json!("AccessDenied");
        record["errorMessage"] = json!("not authorized to perform this action");
    }
    record.to_string()
}

fn role(it: &Credential) -> String {
    format!("arn:aws:iam::{}:role/step-{}", ACCOUNTS[it.account], it.depth)
}

/// Who a session of a traveller is.
pub(super) fn session_arn(it: &Credential, workload: &str) -> String {
    format!("arn:aws:sts::{}:assumed-role/step-{}/{workload}", ACCOUNTS[it.account], it.depth)
}

/// Who the owner of a traveller's key is.
pub(super) fn user_arn(it: &Credential, workload: &str) -> String {
    format!("arn:aws:iam::{}:user/{workload}", ACCOUNTS[it.account])
}

fn identity(it: &Credential, workload: &str) -> Value {
    let account = ACCOUNTS[it.account];
    if it.depth == 0 {
        return json!({
            "type": "IAMUser", "principalId": "AIDATRAVEL", "arn": user_arn(it, workload),
            "accountId": account, "accessKeyId": it.id, "userName": workload,
        });
    }
    json!({
        "type": "AssumedRole", "principalId": format!("AROATRAVEL:{workload}"),
        "arn": session_arn(it, workload), "accountId": account, "accessKeyId": it.id,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "principalId": "AROATRAVEL", "arn": role(it), "accountId": account,
                "userName": format!("step-{}", it.depth),
            },
            "attributes": {
                "creationDate": format!("{}Z", stamp(it.issued)), "mfaAuthenticated": "false",
            },
        },
    })
}
