//! CloudTrail records: calls with long-lived keys, sessions by `AssumeRole`, and forwarded calls.

use crate::clock::{ExpiryForm, Micros, SECOND, push_digits, push_expiry, push_iso};
use crate::config::EstateError;
use crate::consumers::{Consumer, Sessions};
use crate::logs::actions::{ACTIONS, Action, GET_SECRET_VALUE};
use crate::logs::{Call, Heard, Presented, Refusal, Session, World};
use crate::plan::{Secret, secrets_manager_version};
use crate::rng::Rng;
use crate::sink::Record;
use crate::truth::Outcome;
use crate::write::{ALPHANUMERIC, BASE32, aws_key_id, push, push_json, push_uuid};

/// Sessions that a role chain ends in live for an hour at most.
const CHAINED: Micros = 3_600 * SECOND;

/// A call with everything written that does not change from record to record.
struct Prepared {
    /// From after the time to the client's address.
    source: Vec<u8>,
    /// From `requestParameters` to the number in them, and from there to the request id.
    parameters: (Vec<u8>, Vec<u8>),
    fill: Fill,
    tail: Vec<u8>,
    /// S3 writes user agents in brackets.
    bracketed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    Nothing,
    Number,
    SecretVersion,
}

/// A role that a consumer assumes.
struct Role {
    /// `AROA...`
    id: String,
    arn: String,
    name: String,
    session: String,
}

/// A consumer's way into CloudTrail.
pub(crate) struct Caller {
    sink: usize,
    rng: Rng,
    account: &'static str,
    region: &'static str,
    addresses: Vec<String>,
    agent: String,
    arn: String,
    user: Vec<u8>,
    direct: Vec<Vec<u8>>,
    roles: Vec<Role>,
    sessions: Option<Sessions>,
    actions: Vec<(usize, Prepared)>,
    assume: Prepared,
    form: ExpiryForm,
    /// Shadows keep to what names them: no odd user agents, no identity left out.
    declared: bool,
}

impl Caller {
    pub(crate) fn new(sink: usize, secret: &Secret, consumer: &Consumer, mut rng: Rng) -> Self {
        let (account, region) = (secret.account(), secret.region_name());
        let arn = format!("arn:aws:iam::{account}:user/{}", secret.principal);
        let user_id = format!("AIDA{}", Rng::new(7).fork(&secret.id, 0).text(BASE32, 17));
        let identity = |key: &str| {
            format!(
                r#"{{"type":"IAMUser","principalId":"{user_id}","arn":"{arn}","accountId":"{account}","accessKeyId":"{key}","userName":"{}"}}"#,
                secret.principal
            )
            .into_bytes()
        };
        let direct = secret.versions.iter().map(|it| identity(&it.logged)).collect();
        let place = Place { account, region, name: &consumer.name.replace(['/', ' '], "-") };
        let roles = roles(consumer, account, &mut rng);
        let assume = prepare(&ASSUME_ROLE, &place, &assume_resource(&roles, account));
        Self {
            sink,
            account,
            region,
            addresses: consumer.addresses.clone(),
            agent: consumer.agent.clone(),
            user: identity("@"),
            arn,
            direct,
            sessions: consumer.sessions,
            actions: choose_actions(&place, consumer.workload.is_some(), &mut rng),
            assume,
            form: [ExpiryForm::New, ExpiryForm::Old, ExpiryForm::NarrowSpace][consumer.variant % 3],
            declared: consumer.workload.is_some(),
            roles,
            rng,
        }
    }

    pub(crate) fn call(
        &mut self,
        world: &mut World,
        call: &Call<'_>,
    ) -> Result<Heard, EstateError> {
        let time = call.time - call.time.rem_euclid(SECOND);
        let choice = self.rng.below(self.actions.len() as u64 * 2) as usize;
        // Half of the calls are the first three kinds: clients have habits.
        let choice =
            if choice < self.actions.len() { choice } else { choice % self.actions.len().min(3) };
        let (outcome, error) = self.outcome(call.refusal, 0.004);
        let stray = if self.declared { world.stray(&mut self.rng, self.sink) } else { None };
        let error = match (&stray, outcome) {
            // Base64 in an error message; the action was still authenticated.
            (Some(stray), Outcome::Success) if self.rng.chance(0.5) => {
                Some(Error::leaking(&self.arn, stray))
            }
            _ => error,
        };
        let outcome = if outcome == Outcome::Success && error.as_ref().is_some_and(Error::is_denial)
        {
            Outcome::Denied
        } else {
            outcome
        };
        let start = world.start;
        let (index, action) = &self.actions[choice];
        let out = world.sinks[self.sink].begin(time)?;
        self.write_head(out, call, time, action, stray.as_deref());
        push_error(out, error.as_ref());
        push!(out, action.parameters.0);
        match action.fill {
            Fill::Nothing => {}
            Fill::Number => push_digits(out, 10_000 + self.rng.below(400) as i64, 5),
            Fill::SecretVersion => push!(out, secrets_manager_version(self.account, start, time)),
        }
        push!(out, action.parameters.1, "\"responseElements\":null,");
        push_ids(out, &mut self.rng);
        push!(out, action.tail);
        let forwarded = *index == GET_SECRET_VALUE
            && outcome == Outcome::Success
            && matches!(call.by, Presented::Version(_));
        let delivered = world.sinks[self.sink].end(Record::Event);
        if forwarded {
            self.forwarded_decrypt(world, time)?;
        }
        Ok(Heard::new(time, outcome, delivered))
    }

    /// Obtains a session with a key, or a second one with a session.
    pub(crate) fn assume_role(
        &mut self,
        world: &mut World,
        call: &Call<'_>,
    ) -> Result<(Heard, Option<Session>), EstateError> {
        let time = call.time - call.time.rem_euclid(SECOND);
        let (version, depth) = match call.by {
            Presented::Version(version) => (version, 1),
            Presented::Session(session) => (session.version, session.depth + 1),
        };
        let (outcome, error) = self.outcome(call.refusal, 0.0);
        let lifetime =
            if depth > 1 { CHAINED } else { self.sessions.map_or(CHAINED, |it| it.lifetime) };
        let role = &self.roles[(depth as usize - 1).min(self.roles.len() - 1)];
        let out = world.sinks[self.sink].begin(time)?;
        self.write_head(out, call, time, &self.assume, None);
        push_error(out, error.as_ref());
        push!(
            out,
            "\"requestParameters\":{\"roleArn\":\"",
            role.arn,
            "\",\"roleSessionName\":\"",
            role.session,
            "\",\"durationSeconds\":"
        );
        push_digits(out, lifetime / SECOND, 1);
        push!(out, "},\"responseElements\":");
        let session = if outcome == Outcome::Success {
            let id = aws_key_id("ASIA", &mut self.rng);
            let expires = time + lifetime;
            // The token's head is that of real ones; the rest is made up.
            push!(
                out,
                "{\"credentials\":{\"accessKeyId\":\"",
                id,
                "\",\"sessionToken\":\"IQoJb3JpZ2luX2VjE"
            );
            push!(out, self.rng.text(ALPHANUMERIC, 240), "==\",\"expiration\":\"");
            push_expiry(out, expires, self.form);
            push!(
                out,
                "\"},\"assumedRoleUser\":{\"assumedRoleId\":\"",
                role.id,
                ":",
                role.session,
                "\",\"arn\":\""
            );
            push_session_arn(out, self.account, role);
            push!(out, "\"}},");
            let identity = session_identity(self.account, role, &id, time);
            Some(Session {
                version,
                depth,
                issued: time,
                root_issued: time,
                traced: true,
                expires,
                id,
                identity,
            })
        } else {
            push!(out, "null,");
            None
        };
        push_ids(out, &mut self.rng);
        push!(out, self.assume.tail);
        let delivered = session.is_none() || !self.rng.chance(world.missing_exchanges);
        let delivered =
            world.sinks[self.sink].end(if delivered { Record::Event } else { Record::Lost });
        Ok((Heard::new(time, outcome, delivered), session))
    }

    fn write_head(
        &self,
        out: &mut Vec<u8>,
        call: &Call<'_>,
        time: Micros,
        action: &Prepared,
        stray: Option<&str>,
    ) {
        push!(out, "{\"eventVersion\":\"1.09\",\"userIdentity\":");
        match call.by {
            Presented::Version(version) => push!(out, self.direct[version]),
            Presented::Session(session) => push!(out, session.identity),
        }
        push!(out, ",\"eventTime\":\"");
        push_iso(out, time);
        push!(
            out,
            action.source,
            self.addresses[call.instance % self.addresses.len()],
            "\",\"userAgent\":\""
        );
        let (open, close) = if action.bracketed { ("[", "]") } else { ("", "") };
        push!(out, open, self.agent);
        if let Some(stray) = stray {
            push!(out, " token=", stray);
        }
        push!(out, close, "\",");
    }

    /// What the backend answers: mostly success, now and then no permission or a fault of its own.
    fn outcome(&mut self, refusal: Option<Refusal>, faults: f64) -> (Outcome, Option<Error>) {
        if let Some(refusal) = refusal {
            return (Outcome::Rejected, Some(Error::refusal(refusal)));
        }
        let roll = self.rng.below(1_000);
        match roll {
            0..12 => (Outcome::Denied, Some(Error::denied(&self.arn, roll.is_multiple_of(3)))),
            12..16 if faults > 0.0 => (Outcome::Error, Some(Error::fault(roll.is_multiple_of(2)))),
            // Authenticated and allowed: the thing asked for is not there.
            16..22 if faults > 0.0 => (Outcome::Success, Some(Error::missing())),
            _ => (Outcome::Success, None),
        }
    }

    /// Secrets Manager asks KMS in the caller's name: a throw-away key that is nobody's credential.
    fn forwarded_decrypt(&mut self, world: &mut World, time: Micros) -> Result<(), EstateError> {
        let version = secrets_manager_version(self.account, world.start, time).to_uppercase();
        let key = aws_key_id("ASIA", &mut self.rng);
        let user = String::from_utf8_lossy(&self.user)
            .replace("\"accessKeyId\":\"@\"", &format!("\"accessKeyId\":\"{key}\""));
        let action =
            self.actions.iter().find(|it| it.0 == GET_SECRET_VALUE).map(|it| &it.1.parameters.0);
        let secret = action.and_then(|it| secret_of(it)).unwrap_or_default();
        let out = world.sinks[self.sink].begin(time)?;
        push!(out, "{\"eventVersion\":\"1.09\",\"userIdentity\":", user.trim_end_matches('}'));
        push!(out, ",\"invokedBy\":\"secretsmanager.amazonaws.com\"},\"eventTime\":\"");
        push_iso(out, time);
        push!(
            out,
            "Z\",\"eventSource\":\"kms.amazonaws.com\",\"eventName\":\"Decrypt\",\"awsRegion\":\"",
            self.region,
            "\","
        );
        push!(
            out,
            "\"sourceIPAddress\":\"secretsmanager.amazonaws.com\",\"userAgent\":\"secretsmanager.amazonaws.com\","
        );
        push!(
            out,
            "\"requestParameters\":{\"encryptionContext\":{\"SecretARN\":\"",
            secret,
            "\",\"SecretVersionId\":\"",
            version
        );
        push!(out, "\"},\"encryptionAlgorithm\":\"SYMMETRIC_DEFAULT\"},\"responseElements\":null,");
        push_ids(out, &mut self.rng);
        push!(
            out,
            ",\"readOnly\":true,\"resources\":[{\"accountId\":\"",
            self.account,
            "\",\"type\":\"AWS::KMS::Key\",\"ARN\":\"arn:aws:kms:",
            self.region
        );
        push!(
            out,
            ":",
            self.account,
            ":key/aws-secretsmanager\"}],\"eventType\":\"AwsApiCall\",\"managementEvent\":true,\"recipientAccountId\":\""
        );
        push!(out, self.account, "\",\"eventCategory\":\"Management\"}");
        world.sinks[self.sink].end(Record::Event);
        Ok(())
    }
}

/// An error as CloudTrail shows it.
struct Error {
    code: &'static str,
    message: String,
}

impl Error {
    fn refusal(refusal: Refusal) -> Self {
        let (code, message) = match refusal {
            Refusal::Revoked => {
                ("InvalidClientTokenId", "The security token included in the request is invalid.")
            }
            Refusal::Wrong => (
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
            ),
            Refusal::Expired => {
                ("ExpiredTokenException", "The security token included in the request is expired")
            }
        };
        Self { code, message: message.to_owned() }
    }

    fn denied(arn: &str, client: bool) -> Self {
        if client {
            return Self {
                code: "Client.UnauthorizedOperation",
                message: "You are not authorized to perform this operation.".to_owned(),
            };
        }
        let message = format!(
            "User: {arn} is not authorized to perform this action because no identity-based policy allows it"
        );
        Self { code: "AccessDenied", message }
    }

    fn leaking(arn: &str, secret: &str) -> Self {
        let header = data_encoding::BASE64.encode(format!("client:{secret}").as_bytes());
        let message = format!(
            "User: {arn} is not authorized; upstream said: bad header \"Authorization: Basic {header}\""
        );
        Self { code: "AccessDenied", message }
    }

    fn fault(unavailable: bool) -> Self {
        let code = if unavailable { "ServiceUnavailable" } else { "InternalFailure" };
        Self { code, message: "We encountered an internal error. Please try again.".to_owned() }
    }

    fn missing() -> Self {
        Self {
            code: "ResourceNotFoundException",
            message: "The requested resource was not found.".to_owned(),
        }
    }

    fn is_denial(&self) -> bool {
        self.code == "AccessDenied" || self.code == "Client.UnauthorizedOperation"
    }
}

fn push_error(out: &mut Vec<u8>, error: Option<&Error>) {
    if let Some(error) = error {
        push!(out, "\"errorCode\":\"", error.code, "\",\"errorMessage\":\"");
        push_json(out, &error.message);
        push!(out, "\",");
    }
}

pub(crate) fn push_ids(out: &mut Vec<u8>, rng: &mut Rng) {
    push!(out, "\"requestID\":\"");
    push_uuid(out, rng);
    push!(out, "\",\"eventID\":\"");
    push_uuid(out, rng);
    push!(out, "\"");
}

/// Where a caller is, for the texts of its actions.
struct Place<'a> {
    account: &'a str,
    region: &'a str,
    name: &'a str,
}

impl Place<'_> {
    fn fill(&self, text: &str) -> String {
        text.replace("{account}", self.account)
            .replace("{region}", self.region)
            .replace("{name}", self.name)
    }
}

const ASSUME_ROLE: Action = Action {
    service: "sts",
    name: "AssumeRole",
    read_only: true,
    data: false,
    parameters: "null",
    resource: None,
};

/// A dozen of the actions: what this client is for. Shadows keep clear of S3, which wraps user agents in brackets.
fn choose_actions(place: &Place<'_>, declared: bool, rng: &mut Rng) -> Vec<(usize, Prepared)> {
    let mut all: Vec<usize> =
        (0..ACTIONS.len()).filter(|it| declared || ACTIONS[*it].service != "s3").collect();
    for at in 0..all.len() {
        let other = at + rng.below((all.len() - at) as u64) as usize;
        all.swap(at, other);
    }
    all.truncate(12);
    if !all.contains(&GET_SECRET_VALUE) {
        all[5] = GET_SECRET_VALUE;
    }
    all.into_iter()
        .map(|it| (it, prepare(&ACTIONS[it], place, &resources(&ACTIONS[it], place))))
        .collect()
}

fn resources(action: &Action, place: &Place<'_>) -> String {
    action.resource.map_or_else(String::new, |(kind, arn)| {
        format!(
            r#","resources":[{{"accountId":"{}","type":"{kind}","ARN":"{}"}}]"#,
            place.account,
            place.fill(arn)
        )
    })
}

fn assume_resource(roles: &[Role], account: &str) -> String {
    roles.first().map_or_else(String::new, |it| {
        format!(
            r#","resources":[{{"accountId":"{account}","type":"AWS::IAM::Role","ARN":"{}"}}]"#,
            it.arn
        )
    })
}

fn prepare(action: &Action, place: &Place<'_>, resources: &str) -> Prepared {
    let Action { service, name, read_only, data, .. } = action;
    let Place { account, region, .. } = place;
    let parameters = place.fill(action.parameters);
    let (fill, mark) = if parameters.contains('@') {
        (Fill::SecretVersion, '@')
    } else if parameters.contains('#') {
        (Fill::Number, '#')
    } else {
        (Fill::Nothing, '#')
    };
    let (before, after) = parameters.split_once(mark).unwrap_or((&parameters, ""));
    let category = if *data { "Data" } else { "Management" };
    Prepared {
        source: format!(r#"Z","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"{region}","sourceIPAddress":""#).into_bytes(),
        parameters: (format!("\"requestParameters\":{before}").into_bytes(), format!("{after},").into_bytes()),
        fill,
        bracketed: *service == "s3",
        tail: format!(
            concat!(
                r#","readOnly":{read_only}{resources},"eventType":"AwsApiCall","managementEvent":{management},"#,
                r#""recipientAccountId":"{account}","eventCategory":"{category}","#,
                r#""tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","#,
                r#""clientProvidedHostHeader":"{service}.{region}.amazonaws.com"}}}}"#
            ),
            read_only = read_only,
            resources = resources,
            management = !data,
            account = account,
            category = category,
            service = service,
            region = region,
        )
        .into_bytes(),
    }
}

/// The secret that prepared parameters name.
fn secret_of(parameters: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(parameters).ok()?;
    let (_, rest) = text.split_once("\"secretId\":\"")?;
    rest.split_once('"').map(|it| it.0.to_owned())
}

/// The role of the first session, and that of the second where there is one. Who a session is stands in its name, or, where
/// that is generated, in the role's.
fn roles(consumer: &Consumer, account: &str, rng: &mut Rng) -> Vec<Role> {
    let Some(sessions) = consumer.sessions else {
        return Vec::new();
    };
    let name = consumer.name.as_str();
    ["runtime", "operator"]
        .into_iter()
        .map(|kind| {
            let (role, session) = if sessions.named {
                (format!("{kind}-{}", consumer.variant), name.to_owned())
            } else {
                let number = 1_772_000_000 + rng.below(1_000_000_000);
                let sdk = if consumer.agent.contains("sdk-go") {
                    "aws-go-sdk"
                } else {
                    "botocore-session"
                };
                (name.to_owned(), format!("{sdk}-{number}"))
            };
            Role {
                id: format!("AROA{}", rng.text(BASE32, 17)),
                arn: format!("arn:aws:iam::{account}:role/{role}"),
                name: role,
                session,
            }
        })
        .collect()
}

fn push_session_arn(out: &mut Vec<u8>, account: &str, role: &Role) {
    push!(out, "arn:aws:sts::", account, ":assumed-role/", role.name, "/", role.session);
}

fn session_identity(account: &str, role: &Role, key: &str, issued: Micros) -> Vec<u8> {
    let mut out = Vec::with_capacity(640);
    push!(
        out,
        "{\"type\":\"AssumedRole\",\"principalId\":\"",
        role.id,
        ":",
        role.session,
        "\",\"arn\":\""
    );
    push_session_arn(&mut out, account, role);
    push!(
        out,
        "\",\"accountId\":\"",
        account,
        "\",\"accessKeyId\":\"",
        key,
        "\",\"sessionContext\":{\"sessionIssuer\":{\"type\":\"Role\","
    );
    push!(
        out,
        "\"principalId\":\"",
        role.id,
        "\",\"arn\":\"",
        role.arn,
        "\",\"accountId\":\"",
        account,
        "\",\"userName\":\"",
        role.name
    );
    push!(out, "\"},\"attributes\":{\"creationDate\":\"");
    push_iso(&mut out, issued);
    push!(out, "Z\",\"mfaAuthenticated\":\"false\"}}}");
    out
}
