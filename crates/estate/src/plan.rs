//! Who will do what in the estate: secrets, their versions and their lifecycles, all settled before the first log line.

use crate::clock::{DAY, HOUR, MINUTE, Micros};
use crate::config::{EstateConfig, LogSource};
use crate::consumers::{Consumer, Workload};
use crate::names::{ACCOUNTS, HOSTS, PROVIDERS, REGIONS, TOPICS};
use crate::rng::Rng;
use crate::routes::Traveller;
use crate::write::{ALPHANUMERIC, aws_key_id, hashed_token, ssh_fingerprint, uuid, vault_hmac};

/// The salt of the audit device of the first Vault cluster.
pub(crate) const VAULT_SALT: &[u8] = b"estate-audit-device-salt";

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    AwsKey,
    HttpKey,
    GitHubToken,
    SshKey,
    /// A long-lived token of Vault.
    VaultToken,
    /// The same at a cluster whose audit device logs it raw.
    VaultRawToken,
    /// The secret id of an AppRole: logs in for a token.
    AppRole,
    /// A long-lived token of a Kubernetes service account: logs in for a token.
    ServiceJwt,
}

impl Kind {
    pub(crate) fn source(self) -> LogSource {
        match self {
            Self::AwsKey => LogSource::CloudTrail,
            Self::HttpKey => LogSource::Http,
            Self::GitHubToken => LogSource::GitHub,
            Self::SshKey => LogSource::Sshd,
            Self::VaultToken | Self::VaultRawToken | Self::AppRole | Self::ServiceJwt => {
                LogSource::Vault
            }
        }
    }

    /// Whether each use needs a session that the credential obtains first.
    pub(crate) fn only_logs_in(self) -> bool {
        matches!(self, Self::AppRole | Self::ServiceJwt)
    }
}

/// How far the rotation of a secret has come at the end of the estate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// One version, no rotation.
    Single,
    /// A new version is out, the cutoff lies ahead.
    Planned,
    /// The cutoff is past, the old version still works.
    CutOff,
    /// The old version is revoked.
    Revoked,
}

const FATES: [Fate; 5] = [Fate::CutOff, Fate::Planned, Fate::Revoked, Fate::Planned, Fate::Single];

/// One version of a secret.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) name: String,
    pub(crate) active: Micros,
    pub(crate) cutoff: Option<Micros>,
    pub(crate) revoked: Option<Micros>,
    /// What the client holds: a raw secret, or a public key's fingerprint.
    pub(crate) value: String,
    /// What the log shows of it.
    pub(crate) logged: String,
}

/// A secret and its versions, oldest first.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) owner: &'static str,
    pub(crate) fate: Fate,
    /// 0 production, 1 staging.
    pub(crate) environment: usize,
    pub(crate) region: usize,
    /// User, actor or role that the credential belongs to.
    pub(crate) principal: String,
    /// Whether the backend refuses revoked versions, as it should.
    pub(crate) enforced: bool,
    pub(crate) versions: Vec<Version>,
    /// Whether the first version was retired before the logs begin.
    pub(crate) has_ancient: bool,
}

impl Secret {
    pub(crate) fn account(&self) -> &'static str {
        ACCOUNTS[self.environment]
    }

    pub(crate) fn region_name(&self) -> &'static str {
        REGIONS[self.region]
    }

    /// The version that consumers start with.
    pub(crate) fn old_version(&self) -> usize {
        usize::from(self.has_ancient)
    }

    /// The last version; the same as `old_version` when there was no rotation.
    pub(crate) fn new_version(&self) -> usize {
        self.versions.len() - 1
    }

    /// Where the registry finds a raw secret, relative to itself; none for identifiers that are public.
    pub(crate) fn file(&self, version: &Version) -> Option<String> {
        matches!(self.kind, Kind::HttpKey | Kind::GitHubToken | Kind::VaultRawToken)
            .then(|| format!("secrets/{}-v{}", self.id.replace('/', "_"), version.name))
    }

    pub(crate) fn identifier_kind(&self) -> &'static str {
        match self.kind {
            Kind::AwsKey => "aws_access_key_id",
            Kind::SshKey => "ssh_public_key",
            Kind::HttpKey | Kind::GitHubToken | Kind::VaultRawToken => "secret_value",
            Kind::VaultToken | Kind::AppRole | Kind::ServiceJwt => "vault_hmac",
        }
    }
}

/// The whole estate before it is played.
pub(crate) struct Plan {
    pub(crate) start: Micros,
    pub(crate) end: Micros,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) consumers: Vec<Consumer>,
    /// Those who go from product to product.
    pub(crate) travellers: Vec<Traveller>,
    /// Distinct events of background traffic to write, by source.
    pub(crate) background: Vec<(LogSource, u64)>,
}

impl Plan {
    pub(crate) fn new(config: &EstateConfig, rng: &Rng) -> Self {
        let start = config.start.as_microsecond();
        let end = start + i64::from(config.days) * DAY;
        let secrets = secrets(config, (start, end), rng);
        let (mut workloads, mut consumers) =
            crate::consumers::plan(config, (start, end), &secrets, rng);
        let background = crate::consumers::spread(config, end, &mut consumers);
        let travellers = crate::routes::travellers(config, (start, end), &mut workloads, rng);
        Self { start, end, secrets, workloads, consumers, travellers, background }
    }

    /// Raw secrets whose shape gives them away: those may turn up in places where none belongs.
    pub(crate) fn recognisable(&self) -> Vec<String> {
        let versions = self.secrets.iter().flat_map(|it| &it.versions);
        let shaped = |it: &&Version| {
            ["ghp_", "sk_live_", "hvs."].iter().any(|shape| it.value.starts_with(shape))
        };
        versions.filter(shaped).map(|it| it.value.clone()).collect()
    }
}

fn secrets(config: &EstateConfig, window: (Micros, Micros), rng: &Rng) -> Vec<Secret> {
    let mut seen = [0_usize; LogSource::ALL.len()];
    let of_secrets = |it: &&LogSource| LogSource::ALL.contains(it);
    let sources: Vec<LogSource> = config.sources.iter().filter(of_secrets).copied().collect();
    (0..config.secrets as usize)
        .map(|index| {
            let source = sources[index % sources.len()];
            let place = LogSource::ALL.iter().position(|it| *it == source).unwrap_or(0);
            seen[place] += 1;
            let kind = match (source, (seen[place] - 1) % 4) {
                (LogSource::Http, _) => Kind::HttpKey,
                (LogSource::GitHub, _) => Kind::GitHubToken,
                (LogSource::Sshd, _) => Kind::SshKey,
                (LogSource::Vault, 0) => Kind::AppRole,
                (LogSource::Vault, 1) => Kind::VaultToken,
                (LogSource::Vault, 2) => Kind::ServiceJwt,
                (LogSource::Vault, _) => Kind::VaultRawToken,
                // CloudTrail, since further sources have no secrets of their own.
                _ => Kind::AwsKey,
            };
            secret(index, seen[place] - 1, kind, window, rng.fork("secret", index as u64))
        })
        .collect()
}

fn secret(
    index: usize,
    among: usize,
    kind: Kind,
    window: (Micros, Micros),
    mut rng: Rng,
) -> Secret {
    let suffix = if index < TOPICS.len() { String::new() } else { format!("-{index}") };
    let owner = TOPICS[index % TOPICS.len()];
    let name = format!("{owner}{suffix}");
    let provider = PROVIDERS[among % PROVIDERS.len()];
    let (id, principal) = match kind {
        Kind::AwsKey => (format!("aws/{name}"), name.clone()),
        Kind::HttpKey => (format!("secret/{name}/{provider}"), format!("{name}-client")),
        Kind::GitHubToken => (format!("github/{name}-bot"), format!("{name}-bot")),
        Kind::SshKey => (format!("ssh/{name}-deploy"), format!("{name}-deploy")),
        Kind::VaultToken | Kind::VaultRawToken => {
            (format!("vault/{name}-token"), format!("token-{name}"))
        }
        Kind::AppRole => (format!("vault/{name}-approle"), "approle".to_owned()),
        Kind::ServiceJwt => (format!("vault/{name}-service-account"), format!("kubernetes-{name}")),
    };
    let fate = FATES[index % FATES.len()];
    let has_ancient = matches!(kind, Kind::HttpKey) || (kind == Kind::AwsKey && among % 2 == 1);
    let mut secret = Secret {
        id,
        kind,
        owner,
        fate,
        environment: usize::from(index % 4 == 3),
        region: usize::from(index % 3 == 1),
        principal,
        enforced: kind != Kind::HttpKey || among % 2 == 1,
        versions: Vec::new(),
        has_ancient,
    };
    let count = 1 + usize::from(fate != Fate::Single) + usize::from(has_ancient);
    for number in 1..=count {
        let (value, logged) = credential(kind, among, &mut rng);
        secret.versions.push(Version {
            name: number.to_string(),
            active: 0,
            cutoff: None,
            revoked: None,
            value,
            logged,
        });
    }
    set_times(&mut secret, window, &mut rng);
    secret
}

/// Every version but the last has a cutoff and a revocation, be it after the end of the logs.
fn set_times(secret: &mut Secret, (start, end): (Micros, Micros), rng: &mut Rng) {
    let span = end - start;
    let at = |share: i64, rng: &mut Rng| {
        start + (span * (share + rng.between(0, 30)) / 1000) / MINUTE * MINUTE
    };
    let (old, new) = (secret.old_version(), secret.new_version());
    if secret.has_ancient {
        let first = &mut secret.versions[0];
        first.active = start - 700 * DAY;
        first.cutoff = Some(start - 40 * DAY);
        first.revoked = Some(start - 30 * DAY);
    }
    secret.versions[old].active = start - 300 * DAY + rng.between(0, 100) * DAY;
    if new == old {
        return;
    }
    secret.versions[new].active = at(340, rng);
    let (cutoff, revoked) = match secret.fate {
        Fate::Single | Fate::Planned => (end + 30 * DAY, end + 45 * DAY),
        Fate::CutOff => (at(640, rng), end + 14 * DAY),
        Fate::Revoked => (at(620, rng), at(780, rng)),
    };
    secret.versions[old].cutoff = Some(cutoff);
    secret.versions[old].revoked = Some(revoked);
}

fn credential(kind: Kind, among: usize, rng: &mut Rng) -> (String, String) {
    let plain = |value: String| (value.clone(), value);
    match kind {
        Kind::AwsKey => plain(aws_key_id("AKIA", rng)),
        Kind::SshKey => plain(ssh_fingerprint(rng)),
        Kind::HttpKey if among.is_multiple_of(2) => {
            plain(format!("sk_live_{}", rng.text(ALPHANUMERIC, 32)))
        }
        // Characters that need encoding in a query string.
        Kind::HttpKey => plain(data_encoding::BASE64.encode(&rng.bytes::<31>())),
        Kind::GitHubToken => {
            let value = format!("ghp_{}", rng.text(ALPHANUMERIC, 36));
            let logged = hashed_token(&value);
            (value, logged)
        }
        Kind::VaultRawToken => plain(format!("hvs.{}", rng.text(ALPHANUMERIC, 24))),
        Kind::VaultToken => hashed(format!("hvs.{}", rng.text(ALPHANUMERIC, 24))),
        Kind::AppRole => hashed(uuid(rng)),
        Kind::ServiceJwt => hashed(format!("eyJhbGciOiJSUzI1NiJ9.{}", rng.text(ALPHANUMERIC, 80))),
    }
}

/// A secret of which only the audit device's HMAC is ever seen.
fn hashed(value: String) -> (String, String) {
    let logged = vault_hmac(VAULT_SALT, &value);
    (value, logged)
}

/// The host that a session goes to, and the way it logs.
pub(crate) fn host(rng: &mut Rng) -> usize {
    rng.below(HOSTS.len() as u64) as usize
}

/// The time that AWS takes until a change of a key is known everywhere.
pub(crate) fn grace(kind: Kind) -> Micros {
    if kind == Kind::AwsKey { 2 * MINUTE } else { 0 }
}

/// The version id that a secret of Secrets Manager has at `time`: a new one every twenty days.
pub(crate) fn secrets_manager_version(account: &str, start: Micros, time: Micros) -> String {
    let account = account.parse().unwrap_or(0);
    uuid(&mut Rng::new(account).fork("secrets-manager", secrets_manager_epoch(start, time)))
}

/// Counts the rotations of the secrets in Secrets Manager.
pub(crate) fn secrets_manager_epoch(start: Micros, time: Micros) -> u64 {
    ((time - start + 480 * HOUR).max(0) / (480 * HOUR)) as u64
}
