//! Routes: a credential is used in one product, exchanged for another one, used in the next product, and so on.

use std::fmt::Write;

use crate::clock::{DAY, HOUR, Micros, SECOND};
use crate::config::{EstateConfig, LogSource};
use crate::consumers::{ENVIRONMENTS, Workload};
use crate::rng::Rng;
use crate::truth::{Recorder, Row};
use crate::write::{ALPHANUMERIC, BASE32, aws_key_id, ip_text, push_hex, uuid, vault_hmac};

/// From a registered secret over exchanges to where the last session is used.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: &'static str,
    /// The kind of the identifier by which the registry knows the secret.
    pub(crate) kind: &'static str,
    /// Where the secret itself is used.
    pub(crate) uses: &'static [LogSource],
    pub(crate) hops: &'static [Hop],
    /// The last session obtains the first one again.
    pub(crate) is_loop: bool,
}

/// An exchange, and what follows.
#[derive(Debug)]
pub(crate) struct Hop {
    /// The log that shows it.
    pub(crate) by: LogSource,
    /// The kind of what is obtained.
    pub(crate) kind: &'static str,
    /// The AWS account of what is obtained.
    pub(crate) account: usize,
    /// Where it is used.
    pub(crate) uses: &'static [LogSource],
}

const fn hop(by: LogSource, kind: &'static str, uses: &'static [LogSource]) -> Hop {
    Hop { by, kind, account: 0, uses }
}

const fn route(
    name: &'static str,
    kind: &'static str,
    uses: &'static [LogSource],
    hops: &'static [Hop],
) -> Route {
    Route { name, kind, uses, hops, is_loop: false }
}

use LogSource as Log;

const TOKEN: Hop = hop(Log::Kubernetes, "kubernetes_credential_id", &[Log::Kubernetes]);
const REFRESH: Hop = hop(Log::Keycloak, "jwt_id", &[]);
const VAULT_TOKEN: Hop = hop(Log::Vault, "vault_hmac", &[Log::Vault]);

pub(crate) const ROUTES: [Route; 16] = [
    // An access key, a role, a role of another account, and the cluster that it is known in: five hops.
    route(
        "aws-eks",
        "aws_access_key_id",
        &[Log::CloudTrail, Log::S3Access],
        &[
            hop(Log::CloudTrail, "aws_access_key_id", &[Log::CloudTrail, Log::S3Access]),
            Hop {
                account: 1,
                ..hop(Log::CloudTrail, "aws_access_key_id", &[Log::CloudTrail, Log::Kubernetes])
            },
            TOKEN,
            TOKEN,
            TOKEN,
        ],
    ),
    route("approle", "vault_hmac", &[], &[VAULT_TOKEN, VAULT_TOKEN, VAULT_TOKEN]),
    route("client-certificate", "x509_sha256", &[Log::Kubernetes], &[TOKEN]),
    route("app-secret", "entra_key_id", &[], &[hop(Log::Entra, "jwt_id", &[Log::KeyVault])]),
    // Managed identities and refused secrets: the sign-in names the application only.
    route("app-unnamed", "secret_value", &[], &[hop(Log::Entra, "jwt_id", &[Log::KeyVault])]),
    route(
        "signing-key",
        "auth0_signing_key",
        &[],
        &[hop(Log::Auth0, "jwt_id", &[Log::Auth0, Log::Http])],
    ),
    route("okta-client", "okta_client_secret", &[], &[hop(Log::Okta, "jwt_id", &[Log::Http])]),
    route("okta-api-token", "okta_token_id", &[Log::Okta], &[]),
    route("keycloak-client", "secret_value", &[], &[REFRESH, REFRESH, REFRESH, REFRESH, REFRESH]),
    Route {
        is_loop: true,
        ..route("keycloak-loop", "secret_value", &[], &[REFRESH, REFRESH, REFRESH])
    },
    // What a token obtains in Google's cloud has no name in its logs, nor has any token.
    route("service-account", "gcp_service_account_key", &[Log::Gcp], &[]),
    route("workload-identity", "secret_value", &[Log::Gcp], &[]),
    route("gitlab-token", "gitlab_token_id", &[Log::GitLab], &[]),
    route("snowflake-token", "api_key_id", &[Log::Snowflake], &[]),
    route("database", "secret_value", &[Log::Postgres], &[]),
    route("slack-app", "secret_value", &[Log::Slack], &[]),
];

impl Route {
    fn is_logged(&self, sources: &[LogSource]) -> bool {
        let hops = self.hops.iter().flat_map(|it| it.uses.iter().chain([&it.by]));
        self.uses.iter().chain(hops).all(|it| sources.contains(it))
    }
}

/// Who takes a route, again and again, with each of two versions of a secret.
#[derive(Clone, Debug)]
pub(crate) struct Traveller {
    pub(crate) route: &'static Route,
    pub(crate) workload: String,
    pub(crate) address: String,
    /// Each version as the log shows it; a raw secret if no log does.
    pub(crate) versions: [String; 2],
    /// When the second version was made, and when the first was to be used no more.
    active: Micros,
    pub(crate) cutoff: Micros,
    /// From here on it takes the second version.
    pub(crate) switch: Micros,
    pub(crate) first_run: Micros,
    pub(crate) interval: Micros,
    end: Micros,
}

/// Lays out the travellers of all routes that the logs can show, each in a network of its own.
pub(crate) fn travellers(
    config: &EstateConfig,
    (start, end): (Micros, Micros),
    workloads: &mut Vec<Workload>,
    rng: &Rng,
) -> Vec<Traveller> {
    let mut all = Vec::new();
    for (index, route) in ROUTES.iter().enumerate() {
        // Without one of the further sources, it is an estate without routes.
        let further = config.sources.iter().any(|it| LogSource::FURTHER.contains(it));
        if !further || !route.is_logged(&config.sources) {
            continue;
        }
        let mut rng = rng.fork("route", index as u64);
        let (least, most) = config.route_minutes;
        let (least, most) = (i64::from(least) * 60, i64::from(most) * 60);
        let workload = format!("{}-job", route.name);
        let network = 0x0a10_0000 + workloads.len() as u32 * 16;
        workloads.push(Workload { name: workload.clone(), environment: 0, network });
        let span = end - start;
        let cutoff = start + span / 2 + rng.between(0, DAY / SECOND) * SECOND;
        all.push(Traveller {
            route,
            workload,
            address: ip_text(network + 1),
            versions: [identifier(route.kind, 0, &mut rng), identifier(route.kind, 0, &mut rng)],
            active: cutoff - span / 10,
            cutoff,
            // Every other one is late.
            switch: if index % 2 == 0 { cutoff } else { cutoff + span / 10 },
            first_run: start + rng.between(HOUR / SECOND, DAY / SECOND) * SECOND,
            interval: rng.between(least, most) * SECOND,
            end,
        });
    }
    all
}

/// A made-up identifier as the log shows it, of a secret itself (`depth` 0) or of what it obtained.
pub(crate) fn identifier(kind: &str, depth: u32, rng: &mut Rng) -> String {
    let hex = |rng: &mut Rng, count| {
        let mut out = Vec::new();
        push_hex(&mut out, rng, count);
        String::from_utf8(out).unwrap_or_default()
    };
    match kind {
        "aws_access_key_id" => aws_key_id(if depth == 0 { "AKIA" } else { "ASIA" }, rng),
        "vault_hmac" => vault_hmac(crate::plan::VAULT_SALT, &uuid(rng)),
        "x509_sha256" => hex(rng, 32),
        "gcp_service_account_key" => hex(rng, 20),
        "kubernetes_credential_id" => format!("JTI={}", uuid(rng)),
        "entra_key_id" => uuid(rng),
        "okta_token_id" => format!("00T{}", rng.text(ALPHANUMERIC, 17)),
        "gitlab_token_id" => format!("PersonalAccessToken/{}", 1_000 + rng.below(1_000_000)),
        "api_key_id" => format!("pat-{}", rng.text(BASE32, 16).to_lowercase()),
        _ => rng.text(ALPHANUMERIC, 24),
    }
}

impl Traveller {
    pub(crate) fn secret_id(&self) -> String {
        format!("routes/{}", self.route.name)
    }

    /// Whom a Kubernetes token acts as: `NAMESPACE/NAME`.
    pub(crate) fn service_account(&self) -> String {
        format!("routes/{}", self.workload)
    }

    /// Its id as a client of Auth0.
    pub(crate) fn client_id(&self) -> String {
        format!("client-{}", self.workload)
    }

    /// The rows of the truth: of each version, under the workload's name and under that of its service account.
    pub(crate) fn rows(&self, truth: &mut Recorder) -> [[usize; 2]; 2] {
        let source = self.route.uses.first().or(self.route.hops.first().map(|it| &it.by));
        [0, 1].map(|version| {
            [self.workload.clone(), self.service_account()].map(|workload| {
                let mut row = Row::new(
                    &self.secret_id(),
                    &(version + 1).to_string(),
                    &workload,
                    source.map_or("", |it| it.name()),
                );
                row.environment = Some(ENVIRONMENTS[0].to_owned());
                row.declared = workload == self.workload;
                if version == 0 {
                    (row.cutoff, row.revoked) = (Some(self.cutoff), Some(self.end + DAY));
                }
                truth.add_row(row)
            })
        })
    }

    /// The raw secrets that the registry names, if no log names them otherwise: file and content.
    pub(crate) fn files(&self) -> impl Iterator<Item = (String, &str)> {
        let is_raw = self.route.kind == "secret_value";
        let versions = self.versions.iter().zip(1..).filter(move |_| is_raw);
        versions.map(|(value, number)| (self.file(number), value.as_str()))
    }

    fn file(&self, version: usize) -> String {
        format!("secrets/routes_{}-v{version}", self.route.name)
    }

    /// Its entry of the registry.
    pub(crate) fn register(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let mut line = |text: String| {
            let _ = writeln!(out, "{text}");
        };
        line(format!("  - id: \"{}\"", self.secret_id()));
        line("    owner: platform".to_owned());
        line("    consumers:".to_owned());
        line(format!("      - {{workload: \"{}\", environment: prod}}", self.workload));
        line("    versions:".to_owned());
        for (number, value) in (1..).zip(&self.versions) {
            line(format!("      - version: \"{number}\""));
            let active = if number == 1 { self.active - 100 * DAY } else { self.active };
            line(format!("        active_time: {}", crate::clock::timestamp(active)));
            if number == 1 {
                line(format!("        cutoff_time: {}", crate::clock::timestamp(self.cutoff)));
                let revoked = crate::clock::timestamp(self.end + DAY);
                line(format!("        revoked_time: {revoked}"));
            }
            line("        identifiers:".to_owned());
            let named = match self.route.kind {
                "secret_value" => format!("file: \"{}\"", self.file(number)),
                // A kind of the source's own: no scope means none, not any.
                "auth0_signing_key" => {
                    format!("scope: \"{}\", value: \"{value}\"", self.client_id())
                }
                _ => format!("value: \"{value}\""),
            };
            line(format!("          - {{kind: {}, {named}}}", self.route.kind));
        }
    }
}
