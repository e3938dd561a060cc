//! A record that shows several credentials gives a row for each, and counts once: whoever
//! delivers it again, in parts or to a store that has its first row only.

mod common;

use std::fs;
use std::path::Path;

use common::{Counts, call, counts, folder, sql, total};
use serde_json::{Value, json};

const TOML: &str = r#"title = "Gateway"
category = "upstream"
[detect]
fields = ["ts", "request", "token"]
[[format]]
kind = "json"
"#;
const NORMALIZE: &str = r#"-- gate: requests through a gateway.
-- Shows: tokens.
SELECT "request" AS native_uid, TRY_CAST("stage" AS INT) AS stage, parse_time("ts") AS event_time,
    "token" AS credential_value, 'secret_value' AS credential_kind, 'success' AS outcome,
    "user" AS principal
FROM raw
"#;
const KEY: &str = r#"-- gate, further row: the key.
SELECT "key" AS credential_value, 'secret_value' AS credential_kind FROM raw WHERE "key" <> ''
"#;

/// Writes the source, with its further row or without.
fn source(folder: &Path, with_key: bool) {
    let gate = folder.join("gate");
    fs::create_dir_all(&gate).expect("a folder");
    fs::write(gate.join("source.toml"), TOML).expect("writes");
    fs::write(gate.join("normalize.sql"), NORMALIZE).expect("writes");
    if with_key {
        fs::write(gate.join("key.sql"), KEY).expect("writes");
    }
}

/// Reads a file of these lines.
fn ingest(root: &Path, name: &str, lines: &[Value]) -> Counts {
    let path = root.join(name);
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(&path, text.join("\n") + "\n").expect("writes");
    let sources = root.join("sources");
    let args = ["--sources", sources.to_str().expect("UTF-8"), "ingest"];
    let run = call(&root.join("data"), args.into_iter().chain([path.to_str().expect("UTF-8")]));
    total(&counts(&run.exits(0).stdout))
}

fn request(id: u32, key: &str) -> Value {
    let ts = format!("2026-03-01T09:00:{id:02}Z");
    let token = format!("made-up-token-{id}");
    json!({"ts": ts, "request": format!("r{id}"), "token": token, "key": key, "user": "ann"})
}

fn stage(stage: u32, key: &str) -> Value {
    let mut made = request(1, key);
    made["stage"] = json!(stage);
    made
}

/// The events' uids, less what is the same in all.
fn uids(root: &Path) -> Vec<String> {
    let rows = "SELECT event_uid, sum(event_count) AS n FROM events GROUP BY event_uid
        HAVING sum(event_count) <> 0 ORDER BY event_uid";
    let rows = sql(&root.join("data"), rows);
    let uid = |it: &Value| it["event_uid"].as_str().unwrap_or("").replacen("gate//", "", 1);
    rows.iter().map(uid).collect()
}

fn number(root: &Path, query: &str) -> i64 {
    sql(&root.join("data"), query)[0]["n"].as_i64().expect("a number")
}

#[test]
fn a_record_counts_once_however_many_credentials_it_shows() {
    let folder = folder();
    let root = folder.path();
    source(&root.join("sources"), true);
    let all = ingest(root, "a.ndjson", &[request(1, "k1"), request(2, ""), request(3, "k1")]);
    assert_eq!((all.records, all.accepted), (3, 3));
    assert_eq!(uids(root), ["r1", "r1+key", "r2", "r3", "r3+key"]);
    let again = ingest(root, "b.ndjson", &[request(4, "k1"), request(3, "k1"), request(1, "k1")]);
    assert_eq!((again.records, again.accepted, again.duplicates), (3, 1, 2));
    assert_eq!(uids(root), ["r1", "r1+key", "r2", "r3", "r3+key", "r4", "r4+key"]);
    assert_eq!(number(root, "SELECT sum(record_count) AS n FROM coverage"), 4);
    assert_eq!(number(root, "SELECT sum(accepted_count) AS n FROM files"), 4);
    assert_eq!(number(root, "SELECT max(attempt_count) AS n FROM usage"), 2);
    let most = "SELECT max(n) AS n FROM (SELECT sum(attempt_count) AS n FROM usage
        GROUP BY credential_uid)";
    assert_eq!(number(root, most), 3, "the key came with three requests");
}

#[test]
fn a_store_without_the_further_rows_gets_them_when_the_records_come_again() {
    let folder = folder();
    let root = folder.path();
    source(&root.join("sources"), false);
    let first = ingest(root, "a.ndjson", &[request(1, "k1"), request(2, "k2")]);
    assert_eq!((first.accepted, uids(root)), (2, vec!["r1".to_owned(), "r2".to_owned()]));
    source(&root.join("sources"), true);
    for name in ["b.ndjson", "c.ndjson"] {
        // Another head, so that it is another file.
        let id = if name == "b.ndjson" { 3 } else { 4 };
        let again = ingest(root, name, &[request(id, ""), request(1, "k1"), request(2, "k2")]);
        assert_eq!((again.accepted, again.duplicates), (1, 2));
    }
    assert_eq!(uids(root), ["r1", "r1+key", "r2", "r2+key", "r3", "r4"]);
    assert_eq!(number(root, "SELECT sum(record_count) AS n FROM coverage"), 4);
}

#[test]
fn a_later_part_of_an_event_takes_the_place_of_all_rows_of_the_earlier() {
    for together in [true, false] {
        let folder = folder();
        let root = folder.path();
        source(&root.join("sources"), true);
        let counted = if together {
            ingest(root, "a.ndjson", &[stage(1, "k1"), stage(2, "k1"), stage(1, "k1")])
        } else {
            let first = ingest(root, "a.ndjson", &[stage(1, "k1")]);
            assert_eq!(first.accepted, 1);
            ingest(root, "b.ndjson", &[request(9, ""), stage(2, "k1"), stage(1, "k1")])
        };
        assert_eq!(counted.duplicates, 2);
        let rows: Vec<String> = uids(root).into_iter().filter(|it| it.starts_with("r1")).collect();
        assert_eq!(rows, ["r1", "r1+key"]);
        let attempts = "SELECT sum(attempt_count) AS n FROM usage WHERE first_time <
            TIMESTAMP '2026-03-01T09:00:05Z'";
        assert_eq!(number(root, attempts), 2, "together: {together}");
    }
}
