//! Compares the answers of a store with what is true of the estate that was read into it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use lastuse_estate::{Truth, VersionTruth};
use serde_json::Value;

use super::{Counts, Estate, call};

/// Secret, version, workload.
type Consumer = (String, String, String);

/// Rows of `inventory` of one version and workload, over principals and environments.
#[derive(Debug, Default)]
struct Found {
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    last_used: Option<Timestamp>,
    last_rejected: Option<Timestamp>,
    derived_last_used: Option<Timestamp>,
    attempts: u64,
    uses: u64,
    rejections: u64,
    derived_uses: u64,
    declared: bool,
    states: BTreeSet<String>,
}

/// Checks that the store at `data` gives the answers that are true, all of them and no others.
#[track_caller]
pub fn assert_true(estate: &Estate, data: &Path) {
    let truth = &estate.truth;
    let found = inventory(&report(truth, data, "inventory", 0));
    let mut wrong = Vec::new();
    compare_versions(truth, &found, &mut wrong);
    compare_states(truth, &found, &mut wrong);
    compare_findings(truth, &report(truth, data, "alerts", 3), &mut wrong);
    let shown: Vec<_> = wrong.iter().take(10).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), shown.join("\n"));
}

/// Checks the counts that one or more runs printed.
#[track_caller]
pub fn assert_counts(truth: &Truth, counts: &BTreeMap<String, Counts>) {
    let wanted: Vec<_> = truth
        .sources
        .iter()
        .map(|(name, it)| {
            (name.as_str(), it.records, it.distinct_events, it.duplicates, it.skipped, 0)
        })
        .collect();
    let got: Vec<_> = counts
        .iter()
        .map(|(name, it)| {
            (name.as_str(), it.records, it.accepted, it.duplicates, it.skipped, it.rejected)
        })
        .collect();
    assert_eq!(got, wanted, "(source, records, accepted, duplicates, skipped, rejected)");
}

fn report(truth: &Truth, data: &Path, name: &str, code: i32) -> Vec<Value> {
    let as_of = truth.as_of_time.to_string();
    let run = call(data, ["--as-of", &as_of, name, "--format", "json"]).exits(code);
    assert_eq!(run.stderr, "");
    serde_json::from_str(&run.stdout).expect("a JSON array")
}

fn text(row: &Value, name: &str) -> Option<String> {
    row[name].as_str().map(str::to_owned)
}

fn time(row: &Value, name: &str) -> Option<Timestamp> {
    row[name].as_str().map(|it| it.parse().expect("an RFC 3339 time"))
}

fn number(row: &Value, name: &str) -> u64 {
    row[name].as_u64().expect("a number")
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

fn inventory(rows: &[Value]) -> BTreeMap<Consumer, Found> {
    let mut all: BTreeMap<Consumer, Found> = BTreeMap::new();
    for row in rows {
        let Some(secret) = text(row, "secret_id") else { continue };
        let version = text(row, "version").expect("a version");
        let it =
            all.entry((secret, version, text(row, "workload").unwrap_or_default())).or_default();
        it.first_seen = earliest(it.first_seen, time(row, "first_seen_time"));
        it.last_seen = it.last_seen.max(time(row, "last_seen_time"));
        it.last_used = it.last_used.max(time(row, "last_used_time"));
        it.last_rejected = it.last_rejected.max(time(row, "last_rejected_time"));
        it.derived_last_used = it.derived_last_used.max(time(row, "derived_last_used_time"));
        it.attempts += number(row, "attempt_count");
        it.uses += number(row, "use_count");
        it.rejections += number(row, "rejected_count");
        it.derived_uses += number(row, "derived_use_count");
        it.declared |= row["declared"].as_bool().expect("declared or not");
        it.states.insert(text(row, "state").unwrap_or_default());
    }
    all
}

fn compare_versions(truth: &Truth, found: &BTreeMap<Consumer, Found>, wrong: &mut Vec<String>) {
    let mut wanted = BTreeSet::new();
    for it in &truth.versions {
        let key = (it.secret_id.clone(), it.version.clone(), it.workload.clone());
        match found.get(&key) {
            Some(found) if is_same(it, found) => {}
            other => wrong.push(format!("inventory: wanted {it:?}, got {other:?}")),
        }
        wanted.insert(key);
    }
    let extra = found.keys().filter(|it| !wanted.contains(*it));
    wrong.extend(extra.map(|it| format!("inventory: {it:?} is not in the logs")));
}

fn is_same(wanted: &VersionTruth, found: &Found) -> bool {
    (wanted.first_seen_time, wanted.last_seen_time) == (found.first_seen, found.last_seen)
        && wanted.last_used_time == found.last_used
        && wanted.last_rejected_time == found.last_rejected
        && wanted.derived_last_used_time == found.derived_last_used
        && wanted.attempt_count == found.attempts
        && wanted.use_count == found.uses
        && wanted.rejected_count == found.rejections
        && wanted.derived_use_count == found.derived_uses
        && wanted.declared == found.declared
}

fn compare_states(truth: &Truth, found: &BTreeMap<Consumer, Found>, wrong: &mut Vec<String>) {
    for it in &truth.states {
        let states: BTreeSet<&str> = found
            .iter()
            .filter(|(key, _)| key.0 == it.secret_id && key.2 == it.workload)
            .flat_map(|(_, found)| found.states.iter().map(String::as_str))
            .collect();
        // Whether the soak after the switch is over, its statistics tell, not the script.
        let is_over = it.state == "switched" && states == BTreeSet::from(["settled"]);
        if states != BTreeSet::from([it.state.as_str()]) && !is_over {
            wrong.push(format!("state: wanted {it:?}, got {states:?}"));
        }
    }
}

fn compare_findings(truth: &Truth, rows: &[Value], wrong: &mut Vec<String>) {
    type Finding = (u64, Option<Timestamp>, Option<Timestamp>);
    let mut found: BTreeMap<(Consumer, String), Finding> = BTreeMap::new();
    for row in rows {
        let name = |name| text(row, name).unwrap_or_default();
        let key = ((name("secret_id"), name("version"), name("workload")), name("class"));
        let it = found.entry(key).or_default();
        it.0 += number(row, "count");
        it.1 = earliest(it.1, time(row, "first_time"));
        it.2 = it.2.max(time(row, "last_time"));
    }
    for it in &truth.findings {
        let consumer = (it.secret_id.clone(), it.version.clone(), it.workload.clone());
        let got = found.remove(&(consumer, it.class.clone()));
        if got != Some((it.count, Some(it.first_time), Some(it.last_time))) {
            wrong.push(format!("finding: wanted {it:?}, got {got:?}"));
        }
    }
    wrong.extend(found.into_iter().map(|it| format!("finding: {it:?} is none")));
}
