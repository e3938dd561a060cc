//! CloudTrail records beside the consumers' own: administrators, services, and the lifecycle of keys and secrets.

use crate::clock::{ExpiryForm, HOUR, Micros, SECOND, push_expiry, push_iso};
use crate::config::EstateError;
use crate::logs::World;
use crate::logs::cloudtrail::push_ids;
use crate::plan::secrets_manager_version;
use crate::rng::Rng;
use crate::sink::Record;
use crate::write::{ALPHANUMERIC, aws_key_id, push};

/// A record of which only the remarkable parts are given.
struct Plain<'a> {
    identity: &'a str,
    source: &'a str,
    name: &'a str,
    region: &'a str,
    account: &'a str,
    address: &'a str,
    agent: &'a str,
    parameters: &'a str,
    response: &'a str,
    read_only: bool,
    /// `AwsApiCall`, `AwsServiceEvent` or `AwsConsoleSignIn`.
    kind: &'a str,
    extra: &'a str,
}

fn write_plain(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
    it: &Plain<'_>,
) -> Result<(), EstateError> {
    let out = world.sinks[sink].begin(time)?;
    push!(out, "{\"eventVersion\":\"1.09\",\"userIdentity\":", it.identity, ",\"eventTime\":\"");
    push_iso(out, time);
    push!(
        out,
        "Z\",\"eventSource\":\"",
        it.source,
        ".amazonaws.com\",\"eventName\":\"",
        it.name,
        "\",\"awsRegion\":\"",
        it.region
    );
    push!(
        out,
        "\",\"sourceIPAddress\":\"",
        it.address,
        "\",\"userAgent\":\"",
        it.agent,
        "\",\"requestParameters\":",
        it.parameters
    );
    push!(out, ",\"responseElements\":", it.response, ",", it.extra);
    push_ids(out, rng);
    push!(
        out,
        ",\"readOnly\":",
        if it.read_only { "true" } else { "false" },
        ",\"eventType\":\"",
        it.kind
    );
    push!(
        out,
        "\",\"managementEvent\":true,\"recipientAccountId\":\"",
        it.account,
        "\",\"eventCategory\":\"Management\"}"
    );
    world.sinks[sink].end(Record::Event);
    Ok(())
}

const ADMIN_ROLE: &str = "AWSReservedSSO_Administrator_0123456789abcdef";
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0";

/// A person signed in over single sign-on; the key changes every day and no record tells who issued it.
fn admin(account: &str, time: Micros) -> String {
    let key = aws_key_id(
        "ASIA",
        &mut Rng::new(account.parse().unwrap_or(0)).fork("admin", (time / (24 * HOUR)) as u64),
    );
    format!(
        concat!(
            r#"{{"type":"AssumedRole","principalId":"AROAADMINADMINADMIN22:mona@example.com","#,
            r#""arn":"arn:aws:sts::{account}:assumed-role/{role}/mona@example.com","accountId":"{account}","accessKeyId":"{key}","#,
            r#""sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAADMINADMINADMIN22","#,
            r#""arn":"arn:aws:iam::{account}:role/aws-reserved/sso.amazonaws.com/{role}","accountId":"{account}","userName":"{role}"}},"#,
            r#""attributes":{{"creationDate":"2026-03-01T08:00:00Z","mfaAuthenticated":"true"}}}}}}"#
        ),
        account = account,
        role = ADMIN_ROLE,
        key = key,
    )
}

fn by_admin<'a>(identity: &'a str, account: &'a str, source: &'a str, name: &'a str) -> Plain<'a> {
    Plain {
        identity,
        source,
        name,
        region: "us-east-1",
        account,
        address: "203.0.113.250",
        agent: BROWSER,
        parameters: "null",
        response: "null",
        read_only: false,
        kind: "AwsApiCall",
        extra: "",
    }
}

/// What happens to an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyChange {
    Created,
    Inactive,
    Deleted,
}

/// An administrator creates, deactivates or deletes a user's access key. IAM logs in us-east-1.
pub(crate) fn key_change(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
    (account, user, key): (&str, &str, &str),
    change: KeyChange,
) -> Result<(), EstateError> {
    let identity = admin(account, time);
    let mut created = Vec::new();
    push_expiry(&mut created, time, ExpiryForm::Old);
    let created = String::from_utf8_lossy(&created);
    let (name, parameters, response) = match change {
        KeyChange::Created => (
            "CreateAccessKey",
            format!(r#"{{"userName":"{user}"}}"#),
            format!(
                r#"{{"accessKey":{{"userName":"{user}","accessKeyId":"{key}","status":"Active","createDate":"{created}"}}}}"#
            ),
        ),
        KeyChange::Inactive => (
            "UpdateAccessKey",
            format!(r#"{{"userName":"{user}","accessKeyId":"{key}","status":"Inactive"}}"#),
            "null".to_owned(),
        ),
        KeyChange::Deleted => (
            "DeleteAccessKey",
            format!(r#"{{"userName":"{user}","accessKeyId":"{key}"}}"#),
            "null".to_owned(),
        ),
    };
    let plain = Plain {
        parameters: &parameters,
        response: &response,
        ..by_admin(&identity, account, "iam", name)
    };
    write_plain(world, sink, rng, time, &plain)
}

/// A new version of a secret in Secrets Manager, which becomes the current one a minute later.
pub(crate) fn secret_rotated(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
    place: (&str, &str, &str),
) -> Result<(), EstateError> {
    let (account, region, name) = place;
    let identity = admin(account, time);
    let arn = format!("arn:aws:secretsmanager:{region}:{account}:secret:{name}-Ab3dEf");
    let version = secrets_manager_version(account, world.start, time + 60 * SECOND);
    let before = secrets_manager_version(account, world.start, time - 60 * SECOND);
    let put = format!(r#"{{"secretId":"{arn}","clientRequestToken":"{version}"}}"#);
    let response = format!(r#"{{"arn":"{arn}","name":"{name}"}}"#);
    let plain = Plain {
        region,
        parameters: &put,
        response: &response,
        ..by_admin(&identity, account, "secretsmanager", "PutSecretValue")
    };
    write_plain(world, sink, rng, time, &plain)?;
    let moved = format!(
        r#"{{"secretId":"{arn}","versionStage":"AWSCURRENT","moveToVersionId":"{version}","removeFromVersionId":"{before}"}}"#
    );
    let plain = Plain { parameters: &moved, name: "UpdateSecretVersionStage", ..plain };
    write_plain(world, sink, rng, time + 60 * SECOND, &plain)
}

/// Background: services and people of whom the registry knows nothing.
pub(crate) fn stranger(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
    (account, region): (&str, &str),
) -> Result<(), EstateError> {
    let time = time - time.rem_euclid(SECOND);
    let identity = admin(account, time);
    match rng.below(8) {
        0..3 => {
            let name = *rng.pick(&[
                "DescribeRegions",
                "DescribeAvailabilityZones",
                "DescribeInstanceTypes",
            ]);
            let plain =
                Plain { region, read_only: true, ..by_admin(&identity, account, "ec2", name) };
            write_plain(world, sink, rng, time, &plain)
        }
        3..6 => service_role(world, sink, rng, time, (account, region)),
        6 => {
            let identity = format!(
                r#"{{"type":"IAMUser","principalId":"AIDACONSOLECONSOLE234","arn":"arn:aws:iam::{account}:user/dana","accountId":"{account}","userName":"dana"}}"#
            );
            let plain = Plain {
                region: "us-east-1",
                response: r#"{"ConsoleLogin":"Success"}"#,
                kind: "AwsConsoleSignIn",
                extra: r#""additionalEventData":{"LoginTo":"https://console.aws.amazon.com/","MobileVersion":"No","MFAUsed":"Yes"},"#,
                ..by_admin(&identity, account, "signin", "ConsoleLogin")
            };
            write_plain(world, sink, rng, time, &plain)
        }
        _ => {
            let identity = format!(
                r#"{{"accountId":"{account}","invokedBy":"secretsmanager.amazonaws.com"}}"#
            );
            let extra = format!(
                r#""additionalEventData":{{"ARN":"arn:aws:secretsmanager:{region}:{account}:secret:gone-Zz9yXx","Name":"gone"}},"#
            );
            let plain = Plain {
                region,
                address: "secretsmanager.amazonaws.com",
                agent: "secretsmanager.amazonaws.com",
                kind: "AwsServiceEvent",
                extra: &extra,
                ..by_admin(&identity, account, "secretsmanager", "EndSecretVersionDelete")
            };
            write_plain(world, sink, rng, time, &plain)
        }
    }
}

/// A service obtains a session for a function: there is a child key, and no parent.
fn service_role(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
    (account, region): (&str, &str),
) -> Result<(), EstateError> {
    let key = aws_key_id("ASIA", rng);
    let mut expires = Vec::new();
    push_expiry(&mut expires, time + HOUR, ExpiryForm::New);
    let parameters = format!(
        r#"{{"roleArn":"arn:aws:iam::{account}:role/thumbnail-function","roleSessionName":"thumbnail-function","durationSeconds":3600}}"#
    );
    let response = format!(
        r#"{{"credentials":{{"accessKeyId":"{key}","sessionToken":"IQoJb3JpZ2luX2VjE{}==","expiration":"{}"}}}}"#,
        rng.text(ALPHANUMERIC, 240),
        String::from_utf8_lossy(&expires)
    );
    let plain = Plain {
        identity: r#"{"type":"AWSService","invokedBy":"lambda.amazonaws.com"}"#,
        region,
        address: "lambda.amazonaws.com",
        agent: "lambda.amazonaws.com",
        parameters: &parameters,
        response: &response,
        read_only: true,
        ..by_admin("", account, "sts", "AssumeRole")
    };
    write_plain(world, sink, rng, time, &plain)
}
