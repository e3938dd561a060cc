//! Hours and files that are taken out of an estate's logs are listed as holes, and hardly
//! anything else is.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use common::logs::{HOUR, Log, events, gaps, log, usual, write_log};
use common::{Estate, copy_folder, folder, ingest, sql};
use flate2::read::MultiGzDecoder;
use lastuse_estate::{EstateConfig, files};
use serde_json::Value;

/// Listed holes: log, start and end in seconds.
fn holes(data: &Path) -> Vec<(Log, i64, i64)> {
    let query = "SELECT source, source_scope AS scope, to_unixtime(start_time) AS a,
        to_unixtime(end_time) AS b FROM coverage_holes";
    let number = |row: &Value, name: &str| row[name].as_i64().expect("a number");
    sql(data, query).iter().map(|it| (log(it, "scope"), number(it, "a"), number(it, "b"))).collect()
}

/// The time of a record, in seconds.
fn time_of(record: &Value) -> i64 {
    match ["eventTime", "time", "@timestamp"].iter().find_map(|it| record.get(it)) {
        Some(Value::String(text)) => text.parse::<jiff::Timestamp>().expect("a time").as_second(),
        Some(number) => number.as_i64().expect("a time") / 1000,
        None => panic!("a record without a time"),
    }
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).expect("reads");
    let mut text = String::new();
    match bytes.starts_with(&[0x1f, 0x8b]) {
        true => MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("unpacks"),
        false => bytes.as_slice().read_to_string(&mut text).expect("is text"),
    };
    text
}

/// The records of a file of JSON.
fn records(text: &str) -> Vec<Value> {
    match serde_json::from_str::<Value>(text) {
        Ok(document) if document.get("Records").is_some() => {
            document["Records"].as_array().expect("a list").clone()
        }
        _ => common::ndjson(text),
    }
}

/// Takes the records of a span out of a file, wherever they stand.
fn take_out(path: &Path, span: (i64, i64)) {
    let text = read(path);
    let all = records(&text);
    let kept: Vec<Value> =
        all.iter().filter(|it| !(span.0..span.1).contains(&time_of(it))).cloned().collect();
    if kept.len() == all.len() {
        return;
    }
    if kept.is_empty() {
        return fs::remove_file(path).expect("removes");
    }
    if text.starts_with("{\"Records\"") {
        return write_log(path, &serde_json::json!({ "Records": kept }).to_string());
    }
    write_log(path, &kept.iter().map(|it| format!("{it}\n")).collect::<String>());
}

/// The files of a folder whose records are mostly of a span.
fn files_of(folder: &Path, span: (i64, i64)) -> Vec<PathBuf> {
    let mut all = files(folder).expect("lists");
    all.retain(|path| {
        let mut times: Vec<i64> = records(&read(path)).iter().map(time_of).collect();
        times.sort_unstable();
        let middle = times.get(times.len() / 2);
        middle.is_some_and(|it| (span.0..span.1).contains(it))
    });
    all
}

/// What of the estate is missing, judged by its events alone: silences of a log in which there
/// were events, if they are as long as three of its usual gaps, and an hour.
fn missing(
    whole: &BTreeMap<Log, Vec<i64>>,
    kept: &BTreeMap<Log, Vec<i64>>,
) -> Vec<(Log, i64, i64)> {
    let mut found = Vec::new();
    for (log, times) in kept {
        let Some(usual) = usual(&gaps(times)) else { continue };
        let silences = times.windows(2).filter(|it| it[1] - it[0] >= HOUR.max(3 * usual));
        let removed = silences.filter(|it| had_events(&whole[log], it[0], it[1]));
        found.extend(removed.map(|it| (log.clone(), it[0], it[1])));
    }
    found
}

fn had_events(times: &[i64], start: i64, end: i64) -> bool {
    times.iter().any(|it| (start + 1..end).contains(it))
}

/// Checks that all that is missing is listed and hardly anything else; what is missing.
fn assert_listed(data: &Path, whole: &BTreeMap<Log, Vec<i64>>) -> Vec<(Log, i64, i64)> {
    let kept = events(data);
    let (missing, holes) = (missing(whole, &kept), holes(data));
    for (log, start, end) in &missing {
        let is_listed = holes.iter().any(|it| it.0 == *log && it.1 <= *start && it.2 >= *end);
        assert!(is_listed, "{log:?} from {start} to {end} is not among {holes:?}");
    }
    let spans: usize = kept.values().map(|it| gaps(it).len()).sum();
    let is_false = |it: &&(Log, i64, i64)| !had_events(&whole[&it.0], it.1, it.2);
    let false_count = holes.iter().filter(is_false).count();
    println!("{} missing, {} holes, {false_count} false of {spans}", missing.len(), holes.len());
    assert!(false_count * 100 <= spans, "{false_count} false holes of {spans} spans");
    missing
}

/// The logs whose records are JSON: folder and source.
const LOGS: [(&str, &str); 4] = [
    ("cloudtrail", "aws_cloudtrail"),
    ("gateway", "http_json"),
    ("github", "github_audit"),
    ("vault", "vault_audit"),
];

#[test]
fn hours_and_files_that_are_missing_are_holes_and_late_files_close_theirs() {
    let estate = Estate::new(&EstateConfig {
        days: 30,
        events: 30_000,
        busy: 0.7,
        file_hours: 6,
        ..EstateConfig::demo()
    });
    let complete = folder();
    ingest(complete.path(), [estate.logs()]);
    let whole = events(complete.path());

    let (logs, late) = (estate.root().join("damaged"), estate.root().join("late"));
    copy_folder(&estate.logs(), &logs);
    let mut late_spans = BTreeMap::new();
    for (name, source) in LOGS {
        let mine = || whole.iter().filter(|it| it.0.0 == source);
        let longest =
            mine().filter_map(|it| usual(&gaps(it.1))).max().expect("speaks often enough");
        let length = HOUR.max(longest) * 5;
        let times = &mine().next().expect("has events").1;
        let span = |share: f64| {
            let start = times[(times.len() as f64 * share) as usize];
            (start, start + length)
        };
        let folder = logs.join(name);
        // Hours in which nothing was logged.
        files(&folder).expect("lists").iter().for_each(|it| take_out(it, span(0.3)));
        // Files that were lost. Some of their records were delivered twice, or late.
        let lost = files_of(&folder, span(0.55));
        lost.iter().for_each(|it| fs::remove_file(it).expect("removes"));
        // Files that come later.
        for path in files_of(&folder, span(0.8)) {
            let target = late.join(path.strip_prefix(&logs).expect("below"));
            fs::create_dir_all(target.parent().expect("a parent")).expect("creates");
            fs::rename(&path, target).expect("moves");
        }
        late_spans.insert(source, span(0.8));
    }

    let data = folder();
    ingest(data.path(), [&logs]);
    let missing = assert_listed(data.path(), &whole);
    let damaged: BTreeSet<&str> = missing.iter().map(|it| it.0.0.as_str()).collect();
    assert_eq!(damaged.len(), LOGS.len(), "{missing:?}");
    assert!(missing.len() > LOGS.len(), "{missing:?}");

    ingest(data.path(), [&late]);
    let left = assert_listed(data.path(), &whole);
    assert!(left.len() < missing.len(), "{left:?}");
    for (log, start, end) in &left {
        let late = late_spans[log.0.as_str()];
        assert!(*end <= late.0 || *start >= late.1, "{log:?} from {start} to {end}");
    }
}
