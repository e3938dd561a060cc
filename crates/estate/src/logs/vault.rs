//! Vault's audit log: every request as two lines, tokens as the device's HMAC or, where the device logs raw, as they are.

use crate::clock::{DAY, Micros, SECOND, push_digits, push_iso_micros};
use crate::config::EstateError;
use crate::consumers::Consumer;
use crate::logs::{Call, Heard, Presented, Refusal, Session, World};
use crate::plan::{Kind, Secret, VAULT_SALT};
use crate::rng::Rng;
use crate::sink::Record;
use crate::truth::Outcome;
use crate::write::{ALPHANUMERIC, push, push_hex, push_json, push_uuid, uuid, vault_hmac};

/// What `auth` holds when Vault could not tell who it is.
pub(crate) const NOBODY: &str = r#"{"token_type":"default"}"#;

/// A request and its answer, but for times and id.
pub(crate) struct Entry<'a> {
    pub(crate) time: Micros,
    /// `auth` of the response line; that of the request line is the same unless it is a login.
    pub(crate) auth: &'a str,
    pub(crate) request_auth: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) path: &'a str,
    /// Mount and its type.
    pub(crate) mount: (&'a str, &'a str),
    pub(crate) token: Option<(&'a str, &'a str)>,
    pub(crate) address: &'a str,
    /// `request.data` as JSON.
    pub(crate) data: Option<&'a str>,
    /// `response` as JSON, or the error.
    pub(crate) answer: Result<&'a str, &'a str>,
}

/// Writes both lines of a request; whether they are delivered.
pub(crate) fn write_entry(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    entry: &Entry<'_>,
) -> Result<bool, EstateError> {
    let mut request = Vec::with_capacity(600);
    push!(request, "\"request\":{\"id\":\"");
    push_uuid(&mut request, rng);
    push!(
        request,
        "\",\"operation\":\"",
        entry.operation,
        "\",\"mount_point\":\"",
        entry.mount.0,
        "\",\"mount_type\":\"",
        entry.mount.1,
        "\""
    );
    if let Some((token, accessor)) = entry.token {
        push!(
            request,
            ",\"client_token\":\"",
            token,
            "\",\"client_token_accessor\":\"",
            accessor,
            "\""
        );
    }
    push!(request, ",\"namespace\":{\"id\":\"root\"},\"path\":\"", entry.path, "\"");
    if let Some(data) = entry.data {
        push!(request, ",\"data\":", data);
    }
    push!(request, ",\"remote_address\":\"", entry.address, "\",\"remote_port\":");
    push_digits(&mut request, 32_768 + rng.below(28_000) as i64, 1);
    push!(request, "}");

    let refused = entry.answer.is_err() && entry.auth == NOBODY;
    let begun = entry.time - 1_000 - rng.below(30_000) as i64;
    let out = world.sinks[sink].begin(entry.time)?;
    push_start(out, rng, begun, "request", entry.request_auth);
    push!(out, request);
    if let (true, Err(error)) = (refused, entry.answer) {
        push_error(out, error);
    }
    push!(out, "}");
    world.sinks[sink].end(Record::Part);

    let out = world.sinks[sink].begin(entry.time)?;
    push_start(out, rng, entry.time, "response", entry.auth);
    push!(out, request);
    match entry.answer {
        Ok(response) => push!(out, ",\"response\":", response),
        Err(error) => {
            push!(out, ",\"response\":{\"mount_type\":\"", entry.mount.1, "\"}");
            push_error(out, error);
        }
    }
    push!(out, "}");
    Ok(world.sinks[sink].end(Record::Event))
}

/// Go prints nanoseconds; the last three digits stay below 500 so that cutting and rounding agree.
fn push_start(out: &mut Vec<u8>, rng: &mut Rng, time: Micros, kind: &str, auth: &str) {
    push!(out, "{\"time\":\"");
    push_iso_micros(out, time);
    push_digits(out, 1 + rng.below(49) as i64 * 10, 3);
    push!(out, "Z\",\"type\":\"", kind, "\",\"auth\":", auth, ",");
}

fn push_error(out: &mut Vec<u8>, error: &str) {
    push!(out, ",\"error\":\"");
    push_json(out, error);
    push!(out, "\"");
}

/// A consumer's way into the audit log.
pub(crate) struct Caller {
    sink: usize,
    rng: Rng,
    kind: Kind,
    raw: bool,
    owner: &'static str,
    addresses: Vec<String>,
    policy: String,
    display_name: String,
    metadata: String,
    entity: String,
    role_id: String,
    lifetime: Micros,
    /// Each version as logged, and the `auth` of static tokens.
    versions: Vec<(String, String)>,
}

impl Caller {
    pub(crate) fn new(sink: usize, secret: &Secret, consumer: &Consumer, rng: Rng) -> Self {
        let mut shared = Rng::new(17).fork(&secret.id, 0);
        let (service_namespace, service) =
            consumer.name.split_once('/').unwrap_or(("default", &consumer.name));
        let (display_name, metadata) = match secret.kind {
            Kind::AppRole => {
                (secret.principal.clone(), format!(r#"{{"role_name":"{}"}}"#, consumer.name))
            }
            Kind::ServiceJwt => (
                format!("kubernetes-{service_namespace}-{service}"),
                format!(
                    r#"{{"role":"{service}","service_account_name":"{service}","service_account_namespace":"{service_namespace}","service_account_secret_name":"{service}-token","service_account_uid":"{}"}}"#,
                    uuid(&mut shared)
                ),
            ),
            _ => (secret.principal.clone(), String::new()),
        };
        let mut caller = Self {
            sink,
            rng,
            kind: secret.kind,
            raw: secret.kind == Kind::VaultRawToken,
            owner: secret.owner,
            addresses: consumer.addresses.clone(),
            policy: secret.owner.to_owned(),
            display_name,
            metadata,
            entity: uuid(&mut shared),
            role_id: vault_hmac(VAULT_SALT, &uuid(&mut shared)),
            lifetime: consumer.sessions.map_or(DAY, |it| it.lifetime),
            versions: Vec::new(),
        };
        caller.versions = secret
            .versions
            .iter()
            .map(|it| (it.logged.clone(), caller.auth(&it.logged, 32 * DAY, it.active)))
            .collect();
        caller
    }

    pub(crate) fn call(
        &mut self,
        world: &mut World,
        call: &Call<'_>,
    ) -> Result<Heard, EstateError> {
        let mut ids = Rng::new(self.rng.next());
        let (choice, denied) = (self.rng.below(10), self.rng.chance(0.012));
        let response = self.key_value(world, call.time);
        let (token, auth): (&str, &str) = match call.by {
            Presented::Version(version) => (&self.versions[version].0, &self.versions[version].1),
            Presented::Session(session) => {
                (&session.id, std::str::from_utf8(&session.identity).unwrap_or(NOBODY))
            }
        };
        let accessor = self.accessor(token);
        let path = match choice {
            0..6 => format!(
                "secret/data/{}/{}",
                self.owner,
                ["config", "database"][(choice % 2) as usize]
            ),
            6..9 => format!("transit/encrypt/{}", self.owner),
            _ => "auth/token/lookup-self".to_owned(),
        };
        let (operation, mount) = match choice {
            0..6 => ("read", ("secret/", "kv")),
            6..9 => ("update", ("transit/", "transit")),
            _ => ("read", ("auth/token/", "token")),
        };
        let response = match choice {
            0..6 => response,
            _ => format!(r#"{{"mount_type":"{}"}}"#, mount.1),
        };
        let (outcome, answer) = match call.refusal {
            Some(_) => (Outcome::Rejected, Err("permission denied")),
            None if denied => {
                (Outcome::Denied, Err("1 error occurred:\n\t* permission denied\n\n"))
            }
            None => (Outcome::Success, Ok(response.as_str())),
        };
        let auth = if outcome == Outcome::Rejected { NOBODY } else { auth };
        let entry = Entry {
            time: call.time,
            auth,
            request_auth: auth,
            operation,
            path: &path,
            mount,
            token: Some((token, if outcome == Outcome::Rejected { "" } else { &accessor })),
            address: &self.addresses[call.instance % self.addresses.len()],
            data: None,
            answer,
        };
        let delivered = write_entry(world, self.sink, &mut ids, &entry)?;
        Ok(Heard::new(call.time, outcome, delivered))
    }

    /// Logs in with a secret id or a service account's token.
    pub(crate) fn log_in(
        &mut self,
        world: &mut World,
        call: &Call<'_>,
    ) -> Result<(Heard, Option<Session>), EstateError> {
        let Presented::Version(version) = call.by else {
            return Ok((self.call(world, call)?, None));
        };
        let token = self.new_token();
        let mut ids = Rng::new(self.rng.next());
        let auth = self.auth(&token, self.lifetime, call.time);
        let credential = &self.versions[version].0;
        let (path, mount, data, error) = match self.kind {
            Kind::ServiceJwt => (
                "auth/kubernetes/login",
                ("auth/kubernetes/", "kubernetes"),
                format!(r#"{{"jwt":"{credential}","role":"{}"}}"#, self.role_id),
                "permission denied",
            ),
            _ => (
                "auth/approle/login",
                ("auth/approle/", "approle"),
                format!(r#"{{"role_id":"{}","secret_id":"{credential}"}}"#, self.role_id),
                "invalid role or secret ID",
            ),
        };
        let response = format!(r#"{{"mount_type":"{}","auth":{auth}}}"#, mount.1);
        let refused =
            matches!(call.refusal, Some(Refusal::Revoked | Refusal::Wrong | Refusal::Expired));
        let entry = Entry {
            time: call.time,
            auth: if refused { NOBODY } else { &auth },
            request_auth: NOBODY,
            operation: "update",
            path,
            mount,
            token: None,
            address: &self.addresses[call.instance % self.addresses.len()],
            data: Some(&data),
            answer: if refused { Err(error) } else { Ok(&response) },
        };
        let kept = refused || !self.rng.chance(world.missing_exchanges);
        let delivered = kept && write_entry(world, self.sink, &mut ids, &entry)?;
        if refused {
            return Ok((Heard::new(call.time, Outcome::Rejected, delivered), None));
        }
        let session = Session {
            version,
            depth: 1,
            issued: call.time,
            root_issued: call.time,
            traced: true,
            expires: call.time + self.lifetime,
            id: token,
            identity: auth.into_bytes(),
        };
        Ok((Heard::new(call.time, Outcome::Success, delivered), Some(session)))
    }

    /// The answer to reading a key-value secret; a device that logs raw shows its value.
    fn key_value(&mut self, world: &World, time: Micros) -> String {
        let value = if !self.raw {
            vault_hmac(VAULT_SALT, self.owner)
        } else if world.stray.is_empty() {
            "plain".to_owned()
        } else {
            self.rng.pick(&world.stray).clone()
        };
        key_value_answer(&value, 3, time)
    }

    fn new_token(&mut self) -> String {
        let raw = format!("hvs.{}", self.rng.text(ALPHANUMERIC, 24));
        if self.raw { raw } else { vault_hmac(VAULT_SALT, &raw) }
    }

    fn accessor(&self, token: &str) -> String {
        let accessor = vault_hmac(b"accessor", token);
        if self.raw { accessor[12..36].to_owned() } else { accessor }
    }

    fn auth(&self, token: &str, lifetime: Micros, issued: Micros) -> String {
        let mut out = Vec::with_capacity(500);
        push!(
            out,
            "{\"client_token\":\"",
            token,
            "\",\"accessor\":\"",
            self.accessor(token),
            "\",\"display_name\":\"",
            self.display_name
        );
        push!(
            out,
            "\",\"policies\":[\"default\",\"",
            self.policy,
            "\"],\"token_policies\":[\"default\",\"",
            self.policy,
            "\"]"
        );
        if !self.metadata.is_empty() {
            push!(out, ",\"metadata\":", self.metadata, ",\"entity_id\":\"", self.entity, "\"");
        }
        push!(out, ",\"token_issue_time\":\"");
        crate::clock::push_iso(&mut out, issued);
        push!(out, "Z\",\"token_ttl\":");
        push_digits(&mut out, lifetime / SECOND, 1);
        push!(out, ",\"token_type\":\"service\"}");
        String::from_utf8(out).unwrap_or_default()
    }
}

fn key_value_answer(value: &str, version: usize, time: Micros) -> String {
    let mut out = Vec::with_capacity(300);
    push!(
        out,
        "{\"mount_type\":\"kv\",\"data\":{\"data\":{\"value\":\"",
        value,
        "\"},\"metadata\":{\"created_time\":\""
    );
    crate::clock::push_iso(&mut out, time - 90 * DAY);
    push!(
        out,
        "Z\",\"custom_metadata\":null,\"deletion_time\":\"\",\"destroyed\":false,\"version\":"
    );
    push_digits(&mut out, version as i64, 1);
    push!(out, "}}}");
    String::from_utf8(out).unwrap_or_default()
}

/// Somebody known to Vault by credentials outside of the registry.
struct Person {
    token: String,
    accessor: String,
    auth: String,
}

impl Person {
    fn new(name: &str, metadata: &str, rng: &mut Rng) -> Self {
        let hmac = |rng: &mut Rng| {
            let mut out = b"hmac-sha256:".to_vec();
            push_hex(&mut out, rng, 32);
            String::from_utf8(out).unwrap_or_default()
        };
        let (token, accessor) = (hmac(rng), hmac(rng));
        let auth = format!(
            r#"{{"client_token":"{token}","accessor":"{accessor}","display_name":"{name}","policies":["default"],"token_policies":["default"],"metadata":{metadata},"token_ttl":3600,"token_type":"service"}}"#
        );
        Self { token, accessor, auth }
    }
}

/// A workload logs in with a secret id that no registry knows, and reads a secret.
///
/// `reader` names the workload, its address, and the secret it reads with the version that is current.
pub(crate) fn workload_reads(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
    reader: (&str, &str, &str, usize),
) -> Result<(), EstateError> {
    let (workload, address, secret, version) = reader;
    let person = Person::new("approle", &format!(r#"{{"role_name":"{workload}"}}"#), rng);
    let credential = Person::new("", "{}", rng).token;
    let role = vault_hmac(VAULT_SALT, workload);
    let data = format!(r#"{{"role_id":"{role}","secret_id":"{credential}"}}"#);
    let response = format!(r#"{{"mount_type":"approle","auth":{}}}"#, person.auth);
    let login = Entry {
        time,
        auth: &person.auth,
        request_auth: NOBODY,
        operation: "update",
        path: "auth/approle/login",
        mount: ("auth/approle/", "approle"),
        token: None,
        address,
        data: Some(&data),
        answer: Ok(&response),
    };
    if write_entry(world, sink, rng, &login)? {
        world.truth.foreign(&credential, &person.token);
    }
    let path = secret.replacen("secret/", "secret/data/", 1);
    let response = key_value_answer(&vault_hmac(VAULT_SALT, secret), version, time);
    let read = Entry {
        time: time + SECOND,
        request_auth: &person.auth,
        operation: "read",
        path: &path,
        mount: ("secret/", "kv"),
        token: Some((&person.token, &person.accessor)),
        data: None,
        answer: Ok(&response),
        ..login
    };
    write_entry(world, sink, rng, &read)?;
    Ok(())
}

/// A change that an administrator makes to a secret.
pub(crate) enum Change<'a> {
    /// A new version of a key-value secret: its id, `MOUNT/PATH`, and the version.
    KeyValue(&'a str, usize),
    /// A new secret id of a role, as logged.
    SecretId(&'a str, &'a str),
    SecretIdDestroyed(&'a str, &'a str),
    /// A new token, as logged.
    Token(&'a str),
    TokenRevoked(&'a str),
}

pub(crate) fn change(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
    change: &Change<'_>,
) -> Result<(), EstateError> {
    let admin = Person::new("oidc-mona", r#"{"role":"admin"}"#, rng);
    let accessor = vault_hmac(b"accessor", &admin.token);
    let (path, mount, data, response) = match change {
        Change::KeyValue(id, version) => (
            id.replacen("secret/", "secret/data/", 1),
            ("secret/", "kv"),
            format!(r#"{{"data":{{"value":"{}"}},"options":{{}}}}"#, admin.accessor),
            format!(
                r#"{{"mount_type":"kv","data":{{"created_time":"2026-01-01T00:00:00Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":{version}}}}}"#
            ),
        ),
        Change::SecretId(role, secret) => (
            format!("auth/approle/role/{role}/secret-id"),
            ("auth/approle/", "approle"),
            "{}".to_owned(),
            format!(
                r#"{{"mount_type":"approle","data":{{"secret_id":"{secret}","secret_id_accessor":"{accessor}","secret_id_ttl":0}}}}"#
            ),
        ),
        Change::SecretIdDestroyed(role, secret) => (
            format!("auth/approle/role/{role}/secret-id/destroy"),
            ("auth/approle/", "approle"),
            format!(r#"{{"secret_id":"{secret}"}}"#),
            r#"{"mount_type":"approle"}"#.to_owned(),
        ),
        Change::Token(token) => (
            "auth/token/create".to_owned(),
            ("auth/token/", "token"),
            r#"{"display_name":"made","ttl":"768h"}"#.to_owned(),
            format!(
                r#"{{"mount_type":"token","auth":{{"client_token":"{token}","accessor":"{}","display_name":"token-made","policies":["default"],"token_policies":["default"],"token_ttl":2764800,"token_type":"service"}}}}"#,
                vault_hmac(b"accessor", token)
            ),
        ),
        Change::TokenRevoked(token) => (
            "auth/token/revoke-accessor".to_owned(),
            ("auth/token/", "token"),
            format!(r#"{{"accessor":"{}"}}"#, vault_hmac(b"accessor", token)),
            r#"{"mount_type":"token"}"#.to_owned(),
        ),
    };
    let entry = Entry {
        time,
        auth: &admin.auth,
        request_auth: &admin.auth,
        operation: "update",
        path: &path,
        mount,
        token: Some((&admin.token, &admin.accessor)),
        address: "10.251.0.7",
        data: Some(&data),
        answer: Ok(&response),
    };
    if let (true, Change::Token(token)) = (write_entry(world, sink, rng, &entry)?, change) {
        world.truth.foreign(&admin.token, token);
    }
    Ok(())
}

/// Background: a tool in the cluster reads something.
pub(crate) fn stranger(
    world: &mut World,
    sink: usize,
    rng: &mut Rng,
    time: Micros,
) -> Result<(), EstateError> {
    let task = *rng.pick(&["cron", "sweeper", "indexer"]);
    let person = Person::new(
        "kubernetes-tools",
        &format!(r#"{{"service_account_name":"{task}","service_account_namespace":"tools"}}"#),
        rng,
    );
    let response = key_value_answer(&vault_hmac(VAULT_SALT, task), 1, time);
    let entry = Entry {
        time,
        auth: &person.auth,
        request_auth: &person.auth,
        operation: "read",
        path: "secret/data/tools/config",
        mount: ("secret/", "kv"),
        token: Some((&person.token, &person.accessor)),
        address: "10.252.0.3",
        data: None,
        answer: Ok(&response),
    };
    write_entry(world, sink, rng, &entry)?;
    Ok(())
}
