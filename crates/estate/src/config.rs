//! What kind of estate to make.

use std::path::PathBuf;

use jiff::Timestamp;

/// The logs that an estate can be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogSource {
    /// AWS CloudTrail: gzip files in the layout of its bucket.
    CloudTrail,
    /// HashiCorp Vault's audit device: a request and a response line per request.
    Vault,
    /// GitHub's audit log stream: gzip NDJSON.
    GitHub,
    /// OpenSSH's server log in classic syslog, ISO syslog and journald's JSON.
    Sshd,
    /// A gateway's JSON access log that holds raw keys.
    Http,
    /// Auth0's tenant log.
    Auth0,
    /// Entra ID's sign-ins of applications.
    Entra,
    /// Google Cloud's audit logs.
    Gcp,
    /// GitLab's `api_json.log`.
    GitLab,
    /// Azure Key Vault's audit events.
    KeyVault,
    /// Keycloak's events in the server's JSON log.
    Keycloak,
    /// The audit log of a Kubernetes API server.
    Kubernetes,
    /// Okta's system log.
    Okta,
    /// PostgreSQL's log as JSON, which names roles only.
    Postgres,
    /// S3's server access log, which names keys in presigned URLs only.
    S3Access,
    /// Slack's audit log, which names people and apps only.
    Slack,
    /// Snowflake's login history.
    Snowflake,
}

impl LogSource {
    /// The sources of the demo, in the order of their names: those whose secrets go through whole rotations.
    pub const ALL: [LogSource; 5] =
        [Self::CloudTrail, Self::GitHub, Self::Http, Self::Sshd, Self::Vault];

    /// Further sources, in the order of their names: routes lead through them (see [`EstateConfig::wide`]).
    pub const FURTHER: [LogSource; 12] = [
        Self::Auth0,
        Self::KeyVault,
        Self::Entra,
        Self::Gcp,
        Self::GitLab,
        Self::Keycloak,
        Self::Kubernetes,
        Self::Okta,
        Self::Postgres,
        Self::S3Access,
        Self::Slack,
        Self::Snowflake,
    ];

    /// The name of the source that reads this log.
    pub fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "aws_cloudtrail",
            Self::Vault => "vault_audit",
            Self::GitHub => "github_audit",
            Self::Sshd => "sshd",
            Self::Http => "http_json",
            Self::Auth0 => "auth0",
            Self::Entra => "entra_sign_in",
            Self::Gcp => "gcp_audit",
            Self::GitLab => "gitlab_api",
            Self::KeyVault => "azure_key_vault",
            Self::Keycloak => "keycloak",
            Self::Kubernetes => "kubernetes_audit",
            Self::Okta => "okta",
            Self::Postgres => "postgresql",
            Self::S3Access => "s3_access",
            Self::Slack => "slack_audit",
            Self::Snowflake => "snowflake_login",
        }
    }
}

/// The size and the oddities of an estate. Equal configurations give equal bytes.
#[derive(Clone, Debug)]
pub struct EstateConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// The first instant of the logs; whole seconds.
    pub start: Timestamp,
    /// How long the logs run, in days.
    pub days: u32,
    /// How many secrets the registry holds.
    pub secrets: u32,
    /// Declared consumers of each secret (those of an AppRole or a service account have one).
    pub consumers_per_secret: u32,
    /// About how many distinct events to write (within a tenth, where the rhythms leave room).
    pub events: u64,
    /// Share of the consumers whose rhythm is as fast as `events` asks for; the others keep theirs, from hourly to monthly.
    pub busy: f64,
    /// Which logs to write; one of [`LogSource::ALL`] named several times gets that many secrets in turn.
    pub sources: Vec<LogSource>,
    /// Share of records that are delivered a second time, in another file.
    pub duplicates: f64,
    /// Share of records that are delivered late, in a file of a later time.
    pub late: f64,
    /// Share of the events that issue a session to a consumer and are never delivered.
    pub missing_exchanges: f64,
    /// How many spans of each log are lost, each of an hour to two days: nothing of them is ever delivered.
    pub removed_spans: u32,
    /// After how many minutes a route is taken again, on average: the least and the most that a route may have as its own.
    pub route_minutes: (u32, u32),
    /// Share of events that carry a raw secret in a place where none belongs.
    pub stray_secrets: f64,
    /// Records of a JSON document stand in no order, and file names say nothing about time.
    pub shuffle: bool,
    /// A file is closed after so many records ...
    pub records_per_file: u32,
    /// ... or after so many hours of log.
    pub file_hours: u32,
    /// 0 to 9.
    pub gzip_level: u32,
    /// CloudTrail as plain NDJSON instead of gzip documents.
    pub cloudtrail_plain_ndjson: bool,
}

impl EstateConfig {
    /// A small estate in which everything happens once: 14 secrets, 60 days, about 20,000 events.
    pub fn demo() -> Self {
        use LogSource::{CloudTrail, GitHub, Http, Sshd, Vault};
        Self {
            seed: 1,
            start: Timestamp::constant(1_772_323_200, 0),
            days: 60,
            secrets: 14,
            consumers_per_secret: 3,
            events: 20_000,
            busy: 0.08,
            sources: vec![CloudTrail, Http, Vault, GitHub, Sshd, CloudTrail, Vault],
            duplicates: 0.05,
            late: 0.01,
            missing_exchanges: 0.0,
            removed_spans: 0,
            route_minutes: (720, 1_800),
            stray_secrets: 0.01,
            shuffle: false,
            records_per_file: 5_000,
            file_hours: 72,
            gzip_level: 6,
            cloudtrail_plain_ndjson: false,
        }
    }

    /// A small estate over seventeen sources, in which credentials are exchanged for others from product to product,
    /// over up to five hops: 7 secrets with rotations and 16 routes, 24 days, about 6,000 events.
    pub fn wide() -> Self {
        let mut sources = Self::demo().sources;
        sources.extend(LogSource::FURTHER);
        Self {
            days: 24,
            secrets: 7,
            consumers_per_secret: 2,
            events: 4_000,
            sources,
            late: 0.05,
            file_hours: 48,
            ..Self::demo()
        }
    }

    /// A busy estate for measurements: 30 days, mostly CloudTrail. A larger one has both more
    /// consumers and busier ones: about 70 at a million events (20 events an hour each), 300 at
    /// twenty million (90 an hour each).
    pub fn bench(events: u64) -> Self {
        use LogSource::{CloudTrail, GitHub, Http, Sshd, Vault};
        let secrets = 100.0 * (events as f64 / 20e6).sqrt();
        let mut sources = vec![CloudTrail; 16];
        sources.extend([Http, Vault, GitHub, Sshd]);
        Self {
            days: 30,
            secrets: (secrets as u32).max(20),
            events,
            busy: 0.9,
            sources,
            duplicates: 0.02,
            late: 0.002,
            stray_secrets: 0.0,
            records_per_file: 4_000,
            file_hours: 24,
            gzip_level: 1,
            ..Self::demo()
        }
    }

    /// The same with only the given logs.
    pub fn with_sources(self, sources: &[LogSource]) -> Self {
        Self { sources: sources.to_vec(), ..self }
    }

    /// The same from another seed.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), EstateError> {
        let problem = if !self.sources.iter().any(|it| LogSource::ALL.contains(it)) {
            "none of the demo's sources is named"
        } else if self.days == 0 || self.secrets == 0 || self.consumers_per_secret == 0 {
            "days, secrets and consumers_per_secret must be at least 1"
        } else if self.days > 3_650 || self.secrets > 100_000 || self.consumers_per_secret > 1_000 {
            "at most 3,650 days, 100,000 secrets and 1,000 consumers per secret"
        } else if self.records_per_file == 0 || self.file_hours == 0 || self.gzip_level > 9 {
            "records_per_file and file_hours must be at least 1, gzip_level at most 9"
        } else if self.days < 3 * self.removed_spans + 2 * u32::from(self.removed_spans > 0) {
            "removed_spans need three days each, and two more"
        } else if self.route_minutes.0 == 0 || self.route_minutes.0 > self.route_minutes.1 {
            "route_minutes must be at least 1, and the most no less than the least"
        } else if self.start.subsec_nanosecond() != 0 {
            "start must be a whole second"
        } else if ![
            self.busy,
            self.duplicates,
            self.late,
            self.missing_exchanges,
            self.stray_secrets,
        ]
        .iter()
        .all(|it| (0.0..=1.0).contains(it))
        {
            "busy, duplicates, late, missing_exchanges and stray_secrets are shares between 0 and 1"
        } else {
            return Ok(());
        };
        Err(EstateError::Config { problem })
    }
}

/// Why an estate could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EstateError {
    /// The configuration asks for something impossible.
    #[error("cannot make an estate: {problem}")]
    Config {
        /// What is wrong.
        problem: &'static str,
    },
    /// A file or directory could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or directory could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The truth could not be written as JSON, or was not its JSON.
    #[error("`{}` is not the truth of an estate", path.display())]
    Truth {
        /// Where.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}
