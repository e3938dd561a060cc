//! What is known beside the events, as tables for reports: secret versions and
//! their credentials (from the registry and learnt from lifecycle events),
//! declared consumers, and what the asset list says of each address.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use lastuse_model::network::network;
use lastuse_model::registry::ResolvedRegistry;

/// A version of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownVersion {
    /// The secret.
    pub secret_id: String,
    /// The version's name.
    pub version: String,
    /// Who answers for the secret.
    pub owner: Option<String>,
    /// From here on it may be used; microseconds since 1970, as the next two.
    pub active_time: Option<i64>,
    /// From here on using it is a finding.
    pub cutoff_time: Option<i64>,
    /// From here on the backend should refuse it.
    pub revoked_time: Option<i64>,
    /// `registry` or `log`.
    pub learnt_from: &'static str,
    /// The credentials that logs know it by: fingerprint, kind, public value.
    pub credentials: Vec<(String, String, Option<String>)>,
    /// The scopes that the registry gives to some of them, by fingerprint.
    pub scopes: HashMap<String, String>,
}

/// One lifecycle event, as far as versions are learnt from it.
#[derive(Debug, Clone, Default)]
pub struct LifecycleEvent {
    /// When.
    pub event_time: i64,
    /// The secret.
    pub secret_id: String,
    /// The version; the credential's public name where a version has no other.
    pub version: String,
    /// The fingerprint of the version's credential, where the log names it.
    pub credential_uid: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// `active`, `inactive`, `revoked`, `current` or `previous`.
    pub state: String,
}

/// Versions that the logs themselves tell of.
///
/// Disabling counts as revoking for as long as it lasts. A version's cutoff is
/// when it was revoked, or when another version of its secret became current.
pub fn learn(events: &[LifecycleEvent]) -> Vec<KnownVersion> {
    let mut sorted: Vec<&LifecycleEvent> = events.iter().collect();
    sorted.sort_by_key(|it| it.event_time);
    let mut versions: BTreeMap<(&str, &str), KnownVersion> = BTreeMap::new();
    for event in sorted {
        if event.state == "current" {
            for (key, other) in versions.range_mut((event.secret_id.as_str(), "")..) {
                if key.0 != event.secret_id {
                    break;
                }
                if key.1 != event.version && other.cutoff_time.is_none() {
                    other.cutoff_time = Some(event.event_time);
                }
            }
        }
        let key = (event.secret_id.as_str(), event.version.as_str());
        let version = versions.entry(key).or_insert_with(|| KnownVersion {
            secret_id: event.secret_id.clone(),
            version: event.version.clone(),
            learnt_from: "log",
            ..KnownVersion::default()
        });
        version.take(event);
    }
    versions.into_values().collect()
}

impl KnownVersion {
    fn take(&mut self, event: &LifecycleEvent) {
        match event.state.as_str() {
            "active" | "current" => {
                self.active_time.get_or_insert(event.event_time);
                self.revoked_time = None;
                self.cutoff_time = None;
            }
            "inactive" | "revoked" => {
                self.revoked_time.get_or_insert(event.event_time);
                self.cutoff_time.get_or_insert(event.event_time);
            }
            "previous" => {
                self.cutoff_time.get_or_insert(event.event_time);
            }
            _ => {}
        }
        if let Some(uid) = &event.credential_uid
            && !self.credentials.iter().any(|it| it.0 == *uid)
        {
            let kind = event.kind.clone().unwrap_or_default();
            self.credentials.push((uid.clone(), kind, Some(event.version.clone())));
        }
    }

    /// `revoked`, `retired` (past its cutoff) or `active` at `as_of`; `planned`
    /// before it may be used.
    fn state(&self, as_of: i64) -> &'static str {
        let past = |time: Option<i64>| time.is_some_and(|it| it <= as_of);
        if past(self.revoked_time) {
            "revoked"
        } else if past(self.cutoff_time) {
            "retired"
        } else if self.active_time.is_some_and(|it| it > as_of) {
            "planned"
        } else {
            "active"
        }
    }
}

/// An identifier of the registry that cannot be tied to one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    /// The secret.
    pub secret_id: String,
    /// The version.
    pub version: String,
    /// The identifier's kind.
    pub kind: String,
    /// The scopes in which logs have a credential of that name.
    pub scopes: Vec<String>,
}

/// Credentials in logs by kind and public value: each with its scope.
pub type SeenCredentials = HashMap<(String, String), Vec<(String, String)>>;

/// The registry's versions with the credentials that logs know them by. An
/// identifier without a scope matches whatever scope the logs give; where two
/// scopes hold the same value that is reported instead of guessed.
pub fn registered(
    registry: &ResolvedRegistry,
    seen: &SeenCredentials,
) -> (Vec<KnownVersion>, Vec<Ambiguous>) {
    let (mut versions, mut ambiguous) = (Vec::new(), Vec::new());
    for secret in &registry.secrets {
        for version in &secret.versions {
            let mut known = KnownVersion {
                secret_id: secret.id.clone(),
                version: version.version.clone(),
                owner: secret.owner.clone(),
                active_time: version.active_time,
                cutoff_time: version.cutoff_time,
                revoked_time: version.revoked_time,
                learnt_from: "registry",
                credentials: Vec::new(),
                scopes: HashMap::new(),
            };
            for identifier in &version.identifiers {
                let kind = identifier.kind.clone();
                if let Some(uid) = identifier.credential_uid {
                    let scope = identifier.scope.iter().map(|it| (uid.to_string(), it.clone()));
                    known.scopes.extend(scope);
                    known.credentials.push((uid.to_string(), kind, identifier.id_value.clone()));
                    continue;
                }
                let Some(value) = &identifier.id_value else { continue };
                match seen.get(&(kind.clone(), value.clone())).map(Vec::as_slice) {
                    Some([(uid, _)]) => {
                        known.credentials.push((uid.clone(), kind, Some(value.clone())));
                    }
                    Some(several) => ambiguous.push(Ambiguous {
                        secret_id: secret.id.clone(),
                        version: version.version.clone(),
                        kind,
                        scopes: several.iter().map(|it| it.1.clone()).collect(),
                    }),
                    None => {}
                }
            }
            // One value may be given twice, as itself and as its SHA-256: it is one
            // credential, shown by its public value if it has one.
            known
                .credentials
                .sort_by(|a, b| (&a.0, a.2.is_none(), &a.1).cmp(&(&b.0, b.2.is_none(), &b.1)));
            known.credentials.dedup_by(|a, b| a.0 == b.0);
            versions.push(known);
        }
    }
    (versions, ambiguous)
}

/// The registry's versions and those learnt; what the registry says wins.
pub fn combine(registered: Vec<KnownVersion>, learnt: Vec<KnownVersion>) -> Vec<KnownVersion> {
    let claimed: HashSet<String> =
        registered.iter().flat_map(|it| it.credentials.iter().map(|it| it.0.clone())).collect();
    let named: HashSet<(String, String)> =
        registered.iter().map(|it| (it.secret_id.clone(), it.version.clone())).collect();
    let mut all = registered;
    all.extend(learnt.into_iter().filter(|it| {
        !named.contains(&(it.secret_id.clone(), it.version.clone()))
            && !it.credentials.iter().any(|it| claimed.contains(&it.0))
    }));
    all
}

/// The order of a secret's versions: by when they became active.
///
/// A version of the registry without that time stands right after the one that
/// the registry lists before it, and before all if it is the first. One that was
/// learnt from logs without a beginning is older than they are: it stands first.
fn numbers(versions: &[KnownVersion]) -> Vec<i64> {
    let mut latest: HashMap<&str, i64> = HashMap::new();
    let mut keys = Vec::with_capacity(versions.len());
    for it in versions {
        let since = match it.active_time {
            None if it.learnt_from != "registry" => i64::MIN,
            given => {
                let before = latest.entry(&it.secret_id).or_insert(i64::MIN);
                *before = given.unwrap_or(*before);
                *before
            }
        };
        keys.push((it.secret_id.as_str(), since));
    }
    let mut order: Vec<usize> = (0..versions.len()).collect();
    order.sort_by_key(|at| (keys[*at], *at));
    let mut numbers = vec![0; versions.len()];
    let mut last: Option<(&str, i64)> = None;
    for at in order {
        let secret = versions[at].secret_id.as_str();
        let number = match last {
            Some((before, number)) if before == secret => number + 1,
            _ => 1,
        };
        numbers[at] = number;
        last = Some((secret, number));
    }
    numbers
}

fn text_field(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn time_field(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)
}

fn texts<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter(values).with_timezone("UTC"))
}

fn batch(fields: Vec<Field>, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .expect("columns were made for these fields")
}

/// The table `secret_versions`: one row per version.
pub fn version_table(versions: &[KnownVersion], as_of: i64) -> RecordBatch {
    let all = || versions.iter();
    batch(
        vec![
            text_field("secret_id"),
            text_field("version"),
            Field::new("version_number", DataType::Int64, true),
            text_field("owner"),
            text_field("state"),
            time_field("active_time"),
            time_field("cutoff_time"),
            time_field("revoked_time"),
            text_field("learnt_from"),
        ],
        vec![
            texts(all().map(|it| Some(&it.secret_id))),
            texts(all().map(|it| Some(&it.version))),
            Arc::new(Int64Array::from(numbers(versions))),
            texts(all().map(|it| it.owner.as_ref())),
            texts(all().map(|it| Some(it.state(as_of)))),
            times(all().map(|it| it.active_time)),
            times(all().map(|it| it.cutoff_time)),
            times(all().map(|it| it.revoked_time)),
            texts(all().map(|it| Some(it.learnt_from))),
        ],
    )
}

/// The table `version_credentials`: one row per credential of a version.
pub fn version_credential_table(versions: &[KnownVersion]) -> RecordBatch {
    let numbers = numbers(versions);
    let all: Vec<_> = versions
        .iter()
        .zip(numbers)
        .flat_map(|(it, number)| {
            it.credentials.iter().map(move |credential| (it, number, credential))
        })
        .collect();
    batch(
        vec![
            text_field("secret_id"),
            text_field("version"),
            Field::new("version_number", DataType::Int64, true),
            text_field("credential_uid"),
            text_field("id_kind"),
            text_field("id_value"),
            text_field("registry_scope"),
            time_field("cutoff_time"),
            time_field("revoked_time"),
        ],
        vec![
            texts(all.iter().map(|it| Some(&it.0.secret_id))),
            texts(all.iter().map(|it| Some(&it.0.version))),
            Arc::new(Int64Array::from_iter_values(all.iter().map(|it| it.1))),
            texts(all.iter().map(|it| Some(&it.2.0))),
            texts(all.iter().map(|it| Some(&it.2.1))),
            texts(all.iter().map(|it| it.2.2.as_ref())),
            texts(all.iter().map(|it| it.0.scopes.get(&it.2.0))),
            times(all.iter().map(|it| it.0.cutoff_time)),
            times(all.iter().map(|it| it.0.revoked_time)),
        ],
    )
}

/// The table `declared_consumers`: whom the registry expects.
pub fn declared_table(registry: &ResolvedRegistry) -> RecordBatch {
    let all: Vec<_> = registry
        .secrets
        .iter()
        .flat_map(|secret| secret.consumers.iter().map(move |it| (secret, it)))
        .collect();
    batch(
        vec![
            text_field("secret_id"),
            text_field("workload"),
            text_field("environment"),
            text_field("schedule"),
            Field::new("interval_seconds", DataType::Int64, true),
            time_field("gone_time"),
        ],
        vec![
            texts(all.iter().map(|it| Some(&it.0.id))),
            texts(all.iter().map(|it| Some(&it.1.workload))),
            texts(all.iter().map(|it| it.1.environment.as_ref())),
            texts(all.iter().map(|it| it.1.schedule.as_ref())),
            Arc::new(Int64Array::from_iter(
                all.iter().map(|it| it.1.interval_seconds().and_then(|it| i64::try_from(it).ok())),
            )),
            times(all.iter().map(|it| it.1.gone_time)),
        ],
    )
}

/// The table `addresses`: each source address with its network and asset.
pub fn address_table(registry: &ResolvedRegistry, addresses: &[String]) -> RecordBatch {
    let all: Vec<_> = addresses
        .iter()
        .map(|it| {
            let asset = it.parse::<IpAddr>().ok().and_then(|ip| registry.assets.find(ip));
            (it, network(it), asset)
        })
        .collect();
    batch(
        vec![
            text_field("source_ip"),
            text_field("network"),
            text_field("cidr"),
            text_field("workload"),
            text_field("environment"),
            text_field("owner"),
        ],
        vec![
            texts(all.iter().map(|it| Some(it.0))),
            texts(all.iter().map(|it| Some(it.1.to_string()))),
            texts(all.iter().map(|it| it.2.map(|asset| &asset.cidr))),
            texts(all.iter().map(|it| it.2.map(|asset| &asset.workload))),
            texts(all.iter().map(|it| it.2.and_then(|asset| asset.environment.as_ref()))),
            texts(all.iter().map(|it| it.2.and_then(|asset| asset.owner.as_ref()))),
        ],
    )
}

/// The table `params`: the instant of the report.
pub fn parameter_table(as_of: i64) -> RecordBatch {
    batch(vec![time_field("as_of_time")], vec![times([Some(as_of)].into_iter())])
}

/// What is known of a source beside its events.
#[derive(Debug, Clone)]
pub struct SourceFacts {
    /// The source.
    pub source: String,
    /// How late its events usually arrive.
    pub delay: Option<String>,
    /// What it cannot show.
    pub blind_spots: Vec<String>,
}

/// The table `source_facts`.
pub fn source_table(sources: &[SourceFacts]) -> RecordBatch {
    batch(
        vec![text_field("source"), text_field("delay"), text_field("blind_spots")],
        vec![
            texts(sources.iter().map(|it| Some(&it.source))),
            texts(sources.iter().map(|it| it.delay.as_ref())),
            texts(sources.iter().map(|it| Some(it.blind_spots.join("; ")))),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event_time: i64, version: &str, state: &str) -> LifecycleEvent {
        LifecycleEvent {
            event_time,
            secret_id: "s".into(),
            version: version.into(),
            credential_uid: Some(format!("uid-{version}")),
            kind: Some("aws_access_key_id".into()),
            state: state.into(),
        }
    }

    #[test]
    fn a_disabled_key_is_revoked_until_it_is_enabled_again() {
        let learnt = learn(&[event(1, "A", "active"), event(5, "A", "inactive")]);
        assert_eq!((learnt[0].active_time, learnt[0].revoked_time), (Some(1), Some(5)));
        let learnt =
            learn(&[event(9, "A", "active"), event(1, "A", "active"), event(5, "A", "inactive")]);
        assert_eq!((learnt[0].active_time, learnt[0].revoked_time), (Some(1), None));
    }

    #[test]
    fn a_new_current_version_cuts_the_older_off() {
        let learnt = learn(&[event(1, "A", "active"), event(7, "B", "current")]);
        assert_eq!(learnt[0].cutoff_time, Some(7));
        assert_eq!(learnt[1].cutoff_time, None);
    }

    #[test]
    fn one_value_under_two_kinds_is_one_credential_of_its_version() {
        let uid = format!("lu1_{}", "a".repeat(52));
        let secret = serde_json::from_value(serde_json::json!({
            "id": "payments", "owner": null, "consumers": [],
            "versions": [{"version": "1", "identifiers": [
                {"kind": "secret_value", "credential_uid": uid},
                {"kind": "secret_sha256", "credential_uid": uid},
            ]}],
        }));
        let registry =
            ResolvedRegistry { secrets: vec![secret.expect("a secret")], ..Default::default() };
        let (versions, ambiguous) = registered(&registry, &SeenCredentials::new());
        assert_eq!((versions[0].credentials.len(), ambiguous.len()), (1, 0));
    }

    #[test]
    fn the_scope_that_the_registry_gives_stands_beside_the_credential() {
        let uid = format!("lu1_{}", "a".repeat(52));
        let secret = serde_json::from_value(serde_json::json!({
            "id": "robot", "owner": null, "consumers": [],
            "versions": [{"version": "1", "identifiers": [
                {"kind": "vault_hmac", "scope": "one", "credential_uid": uid, "id_value": "x"},
            ]}],
        }));
        let registry =
            ResolvedRegistry { secrets: vec![secret.expect("a secret")], ..Default::default() };
        let (versions, _) = registered(&registry, &SeenCredentials::new());
        assert_eq!(versions[0].scopes.get(&uid).map(String::as_str), Some("one"));
        let table = version_credential_table(&versions);
        assert!(table.column_by_name("registry_scope").is_some_and(|it| it.null_count() == 0));
    }

    #[test]
    fn a_version_without_a_time_keeps_its_place_in_the_registry() {
        let order = |versions: &[(&'static str, Option<i64>)]| {
            let version = |it: &(&'static str, Option<i64>)| KnownVersion {
                secret_id: "s".into(),
                active_time: it.1,
                learnt_from: it.0,
                ..KnownVersion::default()
            };
            numbers(&versions.iter().map(version).collect::<Vec<_>>())
        };
        let (registry, log) = ("registry", "log");
        assert_eq!(order(&[(registry, Some(10)), (registry, None)]), [1, 2]);
        assert_eq!(order(&[(registry, None), (registry, Some(10)), (registry, None)]), [1, 2, 3]);
        assert_eq!(order(&[(registry, None), (registry, None)]), [1, 2]);
        // Times speak where they are given: the third is older than the first two.
        let given = [(registry, Some(10)), (registry, None), (registry, Some(5))];
        assert_eq!(order(&given), [2, 3, 1]);
        // The logs know no beginning of a key that they only saw revoked.
        assert_eq!(order(&[(registry, Some(10)), (log, None)]), [2, 1]);
        assert_eq!(order(&[(log, Some(10)), (log, None)]), [2, 1]);
    }

    #[test]
    fn the_order_of_one_secret_says_nothing_of_another() {
        let version = |id: &str, active_time| KnownVersion {
            secret_id: id.into(),
            active_time,
            learnt_from: "registry",
            ..KnownVersion::default()
        };
        let all = [version("a", Some(9)), version("b", None), version("a", None)];
        assert_eq!(numbers(&all), [1, 1, 2]);
    }

    #[test]
    fn what_the_registry_says_wins() {
        let named = KnownVersion {
            secret_id: "payments".into(),
            version: "1".into(),
            learnt_from: "registry",
            credentials: vec![("uid-A".into(), "aws_access_key_id".into(), None)],
            ..KnownVersion::default()
        };
        let all = combine(vec![named], learn(&[event(1, "A", "active"), event(2, "B", "active")]));
        let ids: Vec<_> =
            all.iter().map(|it| (it.secret_id.as_str(), it.version.as_str())).collect();
        assert_eq!(ids, [("payments", "1"), ("s", "B")]);
    }
}
