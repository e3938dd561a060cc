//! Every `fixtures/SOURCE/CASE/` becomes the rows that it says, whoever it lies beside.
//!
//! What the files of a case mean is said in `fixtures/README.md`. No source is named to the
//! binary: recognising the log is part of what is tested.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::kind::needs_scope;
use serde_json::{Map, Value, json};

/// Columns of `events` that follow from the others, which no fixture lists.
const DERIVED: [&str; 7] =
    ["event_uid", "file_uid", "event_date", "id_kind", "stage", "user_agent_product", "path"];
/// The four things that a record may become.
const COUNTS: [&str; 4] = ["accepted", "duplicates", "skipped", "rejected"];
/// The names that stand for fingerprints in `expected.ndjson`.
const CREDENTIALS: [&str; 3] = ["credential", "issued_credential", "target_credential"];

type Row = Map<String, Value>;

/// One fixture.
struct Case {
    source: String,
    name: String,
    input: PathBuf,
    counts: Row,
    expected: Vec<Row>,
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let list = fs::read_dir(of).unwrap_or_else(|error| panic!("{}: {error}", of.display()));
    let mut all: Vec<PathBuf> = list.map(|it| it.expect("an entry").path()).collect();
    all.retain(|it| it.is_dir());
    all.sort();
    all
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

fn objects(path: &Path) -> Vec<Row> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|it| !it.trim().is_empty());
    lines
        .map(|it| {
            serde_json::from_str(it)
                .unwrap_or_else(|error| panic!("{}: {error}: {it}", path.display()))
        })
        .collect()
}

fn case(folder: &Path) -> Case {
    let list = fs::read_dir(folder).expect("a folder");
    let mut inputs: Vec<PathBuf> = list.map(|it| it.expect("an entry").path()).collect();
    inputs.retain(|it| file_name(it).starts_with("input."));
    let [input] = inputs.as_slice() else {
        panic!("`{}` has {} inputs, not one", folder.display(), inputs.len())
    };
    Case {
        source: file_name(folder.parent().expect("a source")),
        name: file_name(folder),
        input: input.clone(),
        counts: objects(&folder.join("counts.json")).remove(0),
        expected: objects(&folder.join("expected.ndjson")),
    }
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let cases: Vec<Case> =
        folders(&root).iter().flat_map(|it| folders(it)).map(|it| case(&it)).collect();
    assert!(cases.len() > 30, "there are only {} fixtures", cases.len());
    cases
}

impl Case {
    fn label(&self) -> String {
        format!("{}/{}", self.source, self.name)
    }

    /// Copies the input, with the time that a log without years is read by.
    fn copy_to(&self, target: &Path) {
        fs::copy(&self.input, target).expect("the input is copied");
        if let Some(time) = self.counts.get("file_time") {
            let time: jiff::Timestamp = time.as_str().expect("a time").parse().expect("a time");
            let file = File::options().write(true).open(target).expect("the copy opens");
            file.set_modified(time.into()).expect("the copy's time is set");
        }
    }

    /// The rows as they must stand in the store with this key.
    fn rows(&self, key: &FingerprintKey) -> Vec<Row> {
        let source = |mut row: Row| {
            row.insert("source".to_owned(), json!(self.source));
            plain(fingerprinted(row, key))
        };
        self.expected.iter().cloned().map(source).collect()
    }
}

/// Puts fingerprints in place of what was fingerprinted. A kind whose values are unique only
/// within their issuer takes the event's own scope where no other is given.
fn fingerprinted(mut row: Row, key: &FingerprintKey) -> Row {
    let issuer = row.get("source_scope").and_then(Value::as_str).unwrap_or("").to_owned();
    for name in CREDENTIALS {
        let Some(credential) = row.remove(name) else { continue };
        let part = |at: usize| credential[at].as_str().expect("kind, scope and value");
        let (kind, scope, value) = (part(0), part(1), part(2));
        let scope = if scope.is_empty() && needs_scope(kind) { &issuer } else { scope };
        let uid = key.credential(kind, scope, value).expect("a credential").expect("not absent");
        row.insert(format!("{name}_uid"), json!(uid.to_string()));
    }
    row
}

/// A row with only what a fixture says, in one spelling.
fn plain(row: Row) -> Row {
    let default = |name: &str, value: &Value| match name {
        "event_count" => *value == json!(1),
        "time_quality" => *value == json!("exact"),
        "source_scope" => *value == json!(""),
        _ => DERIVED.contains(&name),
    };
    let told = |it: &(String, Value)| !it.1.is_null() && !default(&it.0, &it.1);
    let mut row: Row = row.into_iter().filter(told).collect();
    for (name, value) in &mut row {
        // Behind it stands a keyed hash of what tells records with one id apart.
        let id = value.as_str().and_then(|it| it.split_once(" #")).map(|it| it.0.to_owned());
        if let (true, Some(id)) = (name == "native_uid", id) {
            *value = json!(id);
        }
        if let (true, Some(time)) = (name.ends_with("_time"), value.as_str()) {
            let time: jiff::Timestamp = time.parse().expect("a time");
            *value = json!(time.to_string());
        }
    }
    row.sort_keys();
    row
}

/// The built binary over a data directory, told nothing by the environment of the test.
fn output(data: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastuse"));
    for name in ["LASTUSE_DATA", "LASTUSE_KEY_FILE", "LASTUSE_CRASH_AT"] {
        command.env_remove(name);
    }
    let done = command.arg("--data").arg(data).args(args).output().expect("the binary runs");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "`lastuse {}`: {errors}", args.join(" "));
    String::from_utf8(done.stdout).expect("UTF-8")
}

/// What `ingest` says of each source.
fn ingest(data: &Path, input: &Path) -> BTreeMap<String, Row> {
    let input = input.to_str().expect("a path in UTF-8");
    let told: Value = serde_json::from_str(&output(data, &["ingest", "--format", "json", input]))
        .expect("`ingest` prints JSON");
    assert_eq!(told["unread"], json!([]), "every input was read");
    let sources = told["sources"].as_array().expect("a list of sources").clone();
    sources
        .into_iter()
        .map(|it| match it {
            Value::Object(row) => (row["source"].as_str().expect("a name").to_owned(), row),
            other => panic!("not an object: {other}"),
        })
        .collect()
}

fn key(data: &Path) -> FingerprintKey {
    let text = fs::read_to_string(data.join("fingerprint.key")).expect("the key file");
    FingerprintKey::parse(&text).expect("a key")
}

/// The stored events by the name of their file, in the order of their records.
fn stored(data: &Path) -> BTreeMap<String, Vec<Row>> {
    let sql = "SELECT f.path, e.* FROM events AS e JOIN files AS f ON f.file_uid = e.file_uid
        ORDER BY f.path, e.record_number";
    let mut all: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for line in output(data, &["sql", "--format", "ndjson", sql]).lines() {
        let row: Row = serde_json::from_str(line).expect("a row");
        let path = PathBuf::from(row["path"].as_str().expect("a path"));
        all.entry(file_name(&path)).or_default().push(plain(row));
    }
    all
}

/// What is different, record by record and column by column.
fn differences(expected: &[Row], stored: &[Row]) -> Vec<String> {
    let number = |row: &Row| {
        let part = row.get("record_part").and_then(Value::as_str).unwrap_or("");
        (row.get("record_number").and_then(Value::as_i64).unwrap_or(0), part.to_owned())
    };
    let by_number = |rows: &[Row]| -> BTreeMap<(i64, String), Row> {
        rows.iter().map(|it| (number(it), it.clone())).collect()
    };
    let (expected, stored) = (by_number(expected), by_number(stored));
    let mut lines = Vec::new();
    for (place, row) in &expected {
        let record = format!("{} {}", place.0, place.1);
        let Some(got) = stored.get(place) else {
            lines.push(format!("  record {record}: no row; expected {}", json!(row)));
            continue;
        };
        let mut names: Vec<&String> = row.keys().chain(got.keys()).collect();
        names.sort();
        names.dedup();
        for name in names.into_iter().filter(|it| row.get(*it) != got.get(*it)) {
            let show = |row: &Row| row.get(name).map_or("null".to_owned(), Value::to_string);
            lines.push(format!(
                "  record {record}, {name}: expected {}, got {}",
                show(row),
                show(got)
            ));
        }
    }
    for (place, row) in stored.iter().filter(|it| !expected.contains_key(it.0)) {
        let record = format!("{} {}", place.0, place.1);
        lines.push(format!("  record {record}: a row that nothing expects: {}", json!(row)));
    }
    lines
}

/// Fails with everything that is different.
#[track_caller]
fn assert_same(failures: &[String]) {
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn each_fixture_becomes_the_rows_it_says() {
    let mut failures = Vec::new();
    for case in cases() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (data, input) =
            (folder.path().join("data"), folder.path().join(file_name(&case.input)));
        case.copy_to(&input);
        let told = ingest(&data, &input);
        let Some(told) = told.get(&case.source).filter(|_| told.len() == 1) else {
            let names: Vec<_> = told.keys().collect();
            failures.push(format!("{}: recognised as {names:?}", case.label()));
            continue;
        };
        for name in COUNTS.into_iter().filter(|it| told[*it] != case.counts[*it]) {
            let (expected, got) = (&case.counts[name], &told[name]);
            failures.push(format!("{}: {name}: expected {expected}, got {got}", case.label()));
        }
        let rows = stored(&data).remove(&file_name(&input)).unwrap_or_default();
        let lines = differences(&case.rows(&key(&data)), &rows);
        failures.extend(lines.into_iter().map(|it| format!("{}:{it}", case.label())));
    }
    assert_same(&failures);
}

#[test]
fn fixtures_of_all_sources_in_one_folder_become_the_same_rows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, logs) = (folder.path().join("data"), folder.path().join("logs"));
    fs::create_dir(&logs).expect("a folder for the logs");
    let cases = cases();
    // The names say nothing of the source, but where facts of the log stand in them.
    let name = |(number, case): (usize, &Case)| match file_name(&case.input) {
        telling if telling.matches('.').count() > 1 => telling,
        _ => format!("{number:03}.log"),
    };
    let names: Vec<String> = cases.iter().enumerate().map(name).collect();
    for (case, name) in cases.iter().zip(&names) {
        case.copy_to(&logs.join(name));
    }
    let told = ingest(&data, &logs);
    let (key, mut stored) = (key(&data), stored(&data));
    let mut failures = Vec::new();
    for (case, name) in cases.iter().zip(&names) {
        let lines = differences(&case.rows(&key), &stored.remove(name).unwrap_or_default());
        failures.extend(lines.into_iter().map(|it| format!("{}:{it}", case.label())));
    }
    for (source, row) in &told {
        for name in COUNTS {
            let of = |case: &Case| case.counts[name].as_u64().expect("a count");
            let expected: u64 = cases.iter().filter(|it| it.source == *source).map(of).sum();
            if row[name] != json!(expected) {
                failures.push(format!("{source}: {name}: expected {expected}, got {}", row[name]));
            }
        }
    }
    assert_same(&failures);
}

#[test]
fn the_counts_of_each_fixture_add_up_and_match_its_rows() {
    for case in cases() {
        let count = |name: &str| case.counts[name].as_u64().expect("a count");
        // Further rows of a record are counted with its first.
        let first = case.expected.iter().filter(|it| !it.contains_key("record_part")).count();
        assert_eq!(count("accepted"), first as u64, "{}", case.label());
        assert!(COUNTS.iter().map(|it| count(it)).sum::<u64>() > 0, "{}", case.label());
    }
}
