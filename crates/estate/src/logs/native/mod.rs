//! The logs of further products, each in its own format: one request, one record.

mod auth0;
mod cloudtrail;
mod entra;
mod gateway;
mod gcp;
mod gitlab;
mod key_vault;
mod keycloak;
mod kubernetes;
mod okta;
mod postgres;
mod s3;
mod slack;
mod snowflake;
mod vault;

use crate::clock::{Micros, SECOND, push_iso};
use crate::config::{EstateError, LogSource};
use crate::logs::World;
use crate::rng::Rng;
use crate::routes::Traveller;
use crate::sink::Record;
use crate::truth::Outcome;
use crate::write::{push_hex, push_uuid};

/// What a request presents or obtains.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    /// Of its identifier.
    pub(crate) kind: &'static str,
    /// As logs show it.
    pub(crate) id: String,
    /// The AWS account it belongs to.
    pub(crate) account: usize,
    /// 0 for the secret itself.
    pub(crate) depth: u32,
    pub(crate) issued: Micros,
}

/// A request to any product.
pub(crate) struct Request<'a> {
    /// A whole second.
    pub(crate) time: Micros,
    pub(crate) by: &'a Credential,
    pub(crate) outcome: Outcome,
    /// What it obtained, if it was an exchange.
    pub(crate) issued: Option<&'a Credential>,
    /// How long that lives.
    pub(crate) lifetime: Micros,
    pub(crate) who: &'a Traveller,
}

impl Request<'_> {
    /// `2026-03-01T10:00:00`, without a zone.
    fn stamp(&self) -> String {
        stamp(self.time)
    }

    /// Of three HTTP statuses the one that fits the outcome.
    fn status(&self) -> u16 {
        match self.outcome {
            Outcome::Success => 200,
            Outcome::Denied => 403,
            Outcome::Rejected => 401,
            Outcome::Error => 500,
        }
    }
}

/// Whether a log names such a credential; else it says only who presented it.
pub(crate) fn names(log: LogSource, by: &Credential) -> bool {
    match log {
        LogSource::Postgres | LogSource::Slack => false,
        // Only a presigned URL holds the key: sessions sign those here.
        LogSource::S3Access => by.depth > 0,
        _ => by.kind != "secret_value",
    }
}

/// Whether a log names a credential that was refused.
pub(crate) fn names_refused(log: LogSource) -> bool {
    matches!(log, LogSource::GitLab | LogSource::Snowflake)
}

/// Whether a use at that time obtains something that the log does not name: every third one in Google's cloud.
pub(crate) fn obtains_unnamed(log: LogSource, time: Micros) -> bool {
    log == LogSource::Gcp && time / SECOND % 3 == 0
}

/// The scope of all records of such a log, as its source names it; empty where it has none.
pub(crate) fn scope(log: LogSource) -> String {
    match log {
        LogSource::Entra => entra::TENANT.to_owned(),
        LogSource::Gcp => gcp::PROJECT.to_owned(),
        LogSource::KeyVault => key_vault::VAULT.to_owned(),
        LogSource::Keycloak => keycloak::realm(),
        LogSource::S3Access => s3::BUCKET.to_owned(),
        _ => String::new(),
    }
}

/// Writes a request into the log at `sink`; whether it is delivered.
pub(crate) fn write(
    world: &mut World,
    sink: usize,
    log: LogSource,
    rng: &mut Rng,
    it: &Request<'_>,
) -> Result<bool, EstateError> {
    let text = match log {
        LogSource::Auth0 => auth0::record(rng, it),
        LogSource::CloudTrail => cloudtrail::record(rng, it),
        LogSource::Entra => entra::record(rng, it),
        LogSource::Gcp => gcp::record(rng, it),
        LogSource::GitLab => gitlab::record(rng, it),
        LogSource::KeyVault => key_vault::record(rng, it),
        LogSource::Keycloak => keycloak::record(rng, it),
        LogSource::Kubernetes => kubernetes::record(rng, it),
        LogSource::Okta => okta::record(rng, it),
        LogSource::Postgres => postgres::record(rng, it),
        LogSource::S3Access => s3::record(rng, it),
        LogSource::Slack => slack::record(rng, it),
        LogSource::Snowflake => snowflake::record(rng, it),
        LogSource::Http => gateway::record(rng, it),
        // Two lines.
        LogSource::Vault => return vault::write(world, sink, rng, it),
        // No route leads there.
        LogSource::GitHub | LogSource::Sshd => return Ok(false),
    };
    world.sinks[sink].begin(it.time)?.extend_from_slice(text.as_bytes());
    Ok(world.sinks[sink].end(Record::Event))
}

fn stamp(time: Micros) -> String {
    let mut out = Vec::new();
    push_iso(&mut out, time);
    String::from_utf8(out).unwrap_or_default()
}

fn uuid(rng: &mut Rng) -> String {
    let mut out = Vec::new();
    push_uuid(&mut out, rng);
    String::from_utf8(out).unwrap_or_default()
}

/// Random bytes in hex, twice as many digits.
fn hex(rng: &mut Rng, bytes: usize) -> String {
    let mut out = Vec::new();
    push_hex(&mut out, rng, bytes);
    String::from_utf8(out).unwrap_or_default()
}

/// An id that a product has given to something, always the same for the same name.
fn id_of(name: &str) -> String {
    uuid(&mut Rng::new(23).fork(name, 0))
}
