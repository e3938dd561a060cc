//! Real logs that others published: figures that were counted by other means, and no surprises.
//!
//! The corpus is no part of the project: without it these tests say so and pass.
//! `LASTUSE_CORPUS` tells where it is, else it is looked for beside the project in
//! `shared/corpus`.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::{call, counts, folder, ingest, run, sql, total};
use serde_json::Value;

fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let path = std::env::var_os("LASTUSE_CORPUS").map_or_else(beside, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: there is no corpus at `{}`", path.display());
    None
}

/// The CloudTrail logs whose figures were counted, read, and the figures.
fn stratus() -> Option<(tempfile::TempDir, Value)> {
    let corpus = corpus()?;
    let text = fs::read_to_string(corpus.join("cloudtrail-stratus.expected.json")).expect("reads");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let data = folder();
    let counts = ingest(data.path(), [corpus.join("cloudtrail-stratus")]);
    let counts = counts["aws_cloudtrail"];
    assert_eq!(expected["files"], counts.files);
    assert_eq!(expected["records_total"], counts.records);
    assert_eq!(expected["distinct_event_ids"], counts.accepted);
    assert_eq!(expected["duplicate_records"], counts.duplicates);
    assert_eq!((counts.skipped, counts.rejected), (0, 0));
    Some((data, expected))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}"))
}

/// The texts of a list, or of one text; in order.
fn texts(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(all) => all.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect(),
        it => it.as_str().map(str::to_owned).into_iter().collect(),
    }
}

/// Rows by the text of one of their columns.
fn by<'a>(rows: &'a [Value], name: &str) -> BTreeMap<&'a str, &'a Value> {
    rows.iter().map(|it| (text(it, name), it)).collect()
}

const EVENTS_WITH_KEYS: &str = "FROM events AS e
    LEFT JOIN credentials AS c ON c.credential_uid = e.credential_uid
    WHERE e.source = 'aws_cloudtrail'";

#[test]
fn every_key_was_used_when_and_by_whom_the_figures_say() {
    let Some((data, expected)) = stratus() else { return };
    let all = sql(
        data.path(),
        "SELECT min(event_time) AS first, max(event_time) AS last, count(*) AS n, count(*) FILTER (WHERE credential_uid IS NULL) AS keyless FROM events",
    );
    assert_eq!(all[0]["first"], expected["first_event"]);
    assert_eq!(all[0]["last"], expected["last_event"]);
    assert_eq!(all[0]["n"], expected["records_total"]);
    let keyless: u64 = expected["events_without_access_key_by_identity_type"]
        .as_object()
        .expect("by type")
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(all[0]["keyless"], keyless);

    let query = format!(
        "SELECT c.id_value AS key, count(*) AS events, min(e.event_time) AS first, max(e.event_time) AS last,
            count(*) FILTER (WHERE e.reason_class IS NOT NULL) AS errors,
            max(e.event_time) FILTER (WHERE e.reason_class IS NULL AND e.outcome = 'success') AS last_success,
            array_agg(DISTINCT e.principal) AS arns, array_agg(DISTINCT e.source_ip) AS ips,
            array_agg(DISTINCT e.user_agent) AS user_agents, array_agg(DISTINCT e.account) AS accounts
        {EVENTS_WITH_KEYS} AND c.id_kind = 'aws_access_key_id' GROUP BY 1"
    );
    let rows = sql(data.path(), &query);
    let found = by(&rows, "key");
    let keys = expected["keys"].as_object().expect("keys");
    assert_eq!(expected["distinct_access_keys"], keys.len());
    assert_eq!(
        found.keys().copied().collect::<BTreeSet<_>>(),
        keys.keys().map(String::as_str).collect()
    );
    for (key, wanted) in keys {
        let row = found[key.as_str()];
        for name in ["events", "first", "last", "errors", "last_success"] {
            assert_eq!(row[name], wanted[name], "{name} of {key}");
        }
        for name in ["arns", "ips", "user_agents", "accounts"] {
            assert_eq!(texts(&row[name]), texts(&wanted[name]), "{name} of {key}");
        }
    }
    let starts = |with: &str| found.keys().filter(|it| it.starts_with(with)).count();
    assert_eq!(expected["akia"], starts("AKIA"));
    assert_eq!(expected["asia"], starts("ASIA"));
}

#[test]
fn every_error_code_is_counted() {
    let Some((data, expected)) = stratus() else { return };
    let rows = sql(
        data.path(),
        "SELECT reason, count(*) AS n FROM events WHERE reason_class IS NOT NULL GROUP BY 1",
    );
    let found: BTreeMap<&str, u64> =
        rows.iter().map(|it| (text(it, "reason"), it["n"].as_u64().expect("a number"))).collect();
    let wanted: BTreeMap<&str, u64> = expected["error_codes"]
        .as_object()
        .expect("codes")
        .iter()
        .map(|(code, n)| (code.as_str(), n.as_u64().expect("a number")))
        .collect();
    assert_eq!(found, wanted);
    // Not one of them refused the credential itself.
    assert!(sql(data.path(), "SELECT 1 FROM events WHERE outcome = 'rejected'").is_empty());
}

/// `Jul 30, 2024, 9:46:15 PM` as the tables show an instant.
fn instant(text: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.split([' ', ',', '\u{202f}']).filter(|it| !it.is_empty()).collect();
    let month = MONTHS.iter().position(|it| *it == words[0]).expect("a month") + 1;
    let (hour, rest) = words[3].split_once(':').expect("a time");
    let hour: u32 =
        hour.parse::<u32>().expect("an hour") % 12 + if words[4] == "PM" { 12 } else { 0 };
    format!("{}-{month:02}-{:0>2}T{hour:02}:{rest}Z", words[2], words[1])
}

#[test]
fn every_issued_session_is_an_exchange_with_its_expiry() {
    let Some((data, expected)) = stratus() else { return };
    let rows = sql(
        data.path(),
        "SELECT x.native_uid, x.issued_time, x.expires_time, x.grant_type, x.principal, x.link_strength,
            p.id_value AS parent_key, k.id_value AS child_key,
            (SELECT count(*) FROM events AS e WHERE e.credential_uid = x.child_credential_uid) AS uses
        FROM exchanges AS x
        LEFT JOIN credentials AS p ON p.credential_uid = x.parent_credential_uid
        LEFT JOIN credentials AS k ON k.credential_uid = x.child_credential_uid",
    );
    let found = by(&rows, "native_uid");
    let edges = expected["edges"].as_array().expect("edges");
    assert_eq!(expected["issuance_edges"], rows.len());
    for edge in edges {
        let row = found[text(edge, "event_id")];
        assert_eq!(row["issued_time"], edge["time"], "{edge}");
        assert_eq!(row["grant_type"], edge["event"], "{edge}");
        assert_eq!(row["parent_key"], edge["parent_key"], "{edge}");
        assert_eq!(row["child_key"], edge["child_key"], "{edge}");
        assert_eq!(row["principal"], edge["parent_principal"], "{edge}");
        assert_eq!(text(row, "expires_time"), instant(text(edge, "expiration_raw")), "{edge}");
    }
    let used = rows.iter().filter(|it| it["uses"].as_u64() > Some(0)).count();
    assert_eq!(expected["issuance_edges_child_later_used"], used);
    // A child has its parent as its root; a session whose issue is not in the logs has none.
    let lineage = sql(
        data.path(),
        "SELECT k.id_value AS child_key, r.id_value AS parent_key, l.depth FROM lineage AS l
        JOIN credentials AS k ON k.credential_uid = l.credential_uid
        JOIN credentials AS r ON r.credential_uid = l.root_credential_uid WHERE l.depth > 0",
    );
    let roots = by(&lineage, "child_key");
    for edge in edges {
        assert_eq!(roots[text(edge, "child_key")]["parent_key"], edge["parent_key"]);
    }
    for key in texts(&expected["asia_direct_without_issuance_event"]) {
        assert!(!roots.contains_key(key.as_str()), "{key}");
    }
}

#[test]
fn every_created_key_is_in_its_life_and_failed_changes_are_not() {
    let Some((data, expected)) = stratus() else { return };
    let rows = sql(
        data.path(),
        "SELECT l.native_uid, l.event_time, l.action, l.target_secret_id, l.target_version, l.target_state, c.id_value AS key
        FROM lifecycle AS l LEFT JOIN credentials AS c ON c.credential_uid = l.target_credential_uid",
    );
    let found = by(&rows, "native_uid");
    let mut keys = 0;
    for event in expected["lifecycle"].as_array().expect("events") {
        let row = found.get(text(event, "event_id"));
        if !event["error"].is_null() {
            assert!(row.is_none(), "{event}");
            continue;
        }
        if !event["key"].is_null() {
            keys += 1;
            let row = row.unwrap_or_else(|| panic!("missing {event}"));
            assert_eq!(row["event_time"], event["time"]);
            assert_eq!(row["action"], event["event"]);
            assert_eq!(row["key"], event["key"]);
            assert_eq!(row["target_version"], event["key"]);
            assert_eq!(row["target_state"], "active");
            assert!(text(row, "target_secret_id").ends_with(&format!("/{}", text(event, "user"))));
        }
    }
    assert_eq!(keys, 2);
}

#[test]
fn every_read_of_a_secret_is_a_read_by_the_key_that_read() {
    let Some((data, expected)) = stratus() else { return };
    let rows = sql(
        data.path(),
        "SELECT r.native_uid, r.read_time, r.target_secret_id, r.target_version, c.id_value AS key
        FROM secret_reads AS r LEFT JOIN credentials AS c ON c.credential_uid = r.credential_uid",
    );
    let found = by(&rows, "native_uid");
    let events = expected["secret_store_events"].as_array().expect("events");
    assert_eq!(rows.len(), events.len());
    for event in events {
        let row = found[text(event, "event_id")];
        assert_eq!(row["read_time"], event["time"], "{event}");
        assert_eq!(row["key"], event["key"], "{event}");
        assert_eq!(row["target_version"], event["version"], "{event}");
        // Parameters are named by their ARN here; of several names the first stands.
        if let Some(secret) = texts(&event["secret"]).first() {
            let several = event["secret"].as_array().map(|it| it[0].as_str().expect("a name"));
            let name = several.unwrap_or(secret);
            assert!(text(row, "target_secret_id").ends_with(name), "{event}: {row}");
        }
    }
}

#[test]
fn direct_uses_and_principals_are_what_the_figures_say() {
    let Some((data, expected)) = stratus() else { return };
    let query = format!(
        "SELECT c.id_value AS key, count(*) AS n {EVENTS_WITH_KEYS} AND c.id_value IS NOT NULL AND e.via_service IS NULL GROUP BY 1"
    );
    let rows = sql(data.path(), &query);
    let found: BTreeMap<&str, &Value> = rows.iter().map(|it| (text(it, "key"), &it["n"])).collect();
    let wanted = expected["direct_use_keys"].as_object().expect("keys");
    assert_eq!(found, wanted.iter().map(|(key, n)| (key.as_str(), n)).collect());

    let rows = sql(
        data.path(),
        "SELECT principal, min(event_time) AS first, max(event_time) AS last, count(*) AS events FROM events GROUP BY 1",
    );
    let found = by(&rows, "principal");
    let wanted = expected["principals"].as_object().expect("principals");
    assert_eq!(found.len(), wanted.len());
    for (principal, figures) in wanted {
        for name in ["first", "last", "events"] {
            assert_eq!(found[principal.as_str()][name], figures[name], "{name} of {principal}");
        }
    }
    // The inventory knows each key by its public identifier, with the same figures.
    let run = call(data.path(), ["inventory", "--format", "json"]).exits(0);
    let inventory: Vec<Value> = serde_json::from_str(&run.stdout).expect("JSON");
    let mut attempts: BTreeMap<String, u64> = BTreeMap::new();
    for row in inventory.iter().filter(|it| !it["id_value"].is_null()) {
        let count = row["attempt_count"].as_u64().expect("a number");
        *attempts.entry(text(row, "id_value").to_owned()).or_default() += count;
    }
    for (key, count) in expected["direct_use_keys"].as_object().expect("keys") {
        if key.starts_with("AKIA") {
            assert_eq!(attempts.get(key).copied(), count.as_u64(), "{key}");
        }
    }
}

/// Logs that are to be recognised: where they are, as which source, and how many of their
/// records must at least tell of events, of which the samples repeat some under one id.
const RECOGNISED: [(&str, &str, u64); 4] = [
    ("cloudtrail-otrf/ec2_proxy_s3_exfiltration_2020-09-14011940.json", "aws_cloudtrail", 40),
    ("panther-sample/AWS.CloudTrail.ndjson", "aws_cloudtrail", 90),
    ("panther-sample/GitHub.Audit.ndjson", "github_audit", 12),
    ("openssh/beats-system-auth-test.log", "sshd", 3),
];

#[test]
fn logs_of_known_kinds_are_recognised() {
    let Some(corpus) = corpus() else { return };
    for (path, source, least) in RECOGNISED {
        let data = folder();
        let counts = ingest(data.path(), [corpus.join(path)]);
        println!("{path}: {counts:?}");
        assert_eq!(counts.keys().collect::<Vec<_>>(), [source], "{path}");
        let it = counts[source];
        assert!(it.accepted + it.duplicates >= least && it.accepted > 0, "{path}: {it:?}");
        let lines = fs::read_to_string(corpus.join(path)).expect("reads").lines().count() as u64;
        assert_eq!(counts[source].records, lines, "{path}");
        // Whatever was rejected says why.
        let rejects = sql(data.path(), "SELECT reason FROM rejects");
        assert_eq!(rejects.len() as u64, counts[source].rejected);
        assert!(rejects.iter().all(|it| !text(it, "reason").is_empty()));
    }
}

#[test]
fn every_file_is_read_or_refused_with_a_reason() {
    let Some(corpus) = corpus() else { return };
    let (mut read, mut refused) = (0, 0);
    for path in lastuse_estate::files(&corpus).expect("lists") {
        let data = folder();
        let run = run(common::lastuse(data.path()).arg("ingest").arg(&path));
        match run.code {
            Some(0) => {
                assert!(total(&counts(&run.stdout)).records > 0, "{}: {run:?}", path.display());
                read += 1;
            }
            Some(1) => {
                let named = run.stderr.lines().any(|it| it.contains("no source: "));
                assert!(named, "{}: {run:?}", path.display());
                refused += 1;
            }
            _ => panic!("{}: {run:?}", path.display()),
        }
    }
    println!("{read} files were read, {refused} refused");
    // All at once gives the same answer as one by one, but for what is in two of them.
    let data = folder();
    let run = call(data.path(), [Path::new("ingest"), &corpus]).exits(0);
    assert_eq!(counts(&run.stdout).values().map(|it| it.files).sum::<u64>(), read);
    call(data.path(), ["inventory", "--format", "json"]).exits(0);
    call(data.path(), ["coverage", "--format", "json"]).exits(0);
}
