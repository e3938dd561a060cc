//! Files of logs; when the logs of a store have events, and how long they are silent in between.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::sql;

/// An hour in seconds.
pub const HOUR: i64 = 3_600;

/// A log of an account, cluster or host: source and scope.
pub type Log = (String, String);

/// Times of events in seconds, in order, by log.
pub fn events(data: &Path) -> BTreeMap<Log, Vec<i64>> {
    let mut all: BTreeMap<Log, Vec<i64>> = BTreeMap::new();
    let query = "SELECT source, coalesce(source_scope, '') AS scope, to_unixtime(event_time) AS at
        FROM events ORDER BY at";
    for row in sql(data, query) {
        all.entry(log(&row, "scope")).or_default().push(row["at"].as_i64().expect("a number"));
    }
    all
}

/// The log of a row whose scope stands in the column `scope`.
pub fn log(row: &Value, scope: &str) -> Log {
    let source = row["source"].as_str().expect("a source");
    (source.to_owned(), row[scope].as_str().unwrap_or_default().to_owned())
}

/// Gaps between the events of one hour and those of the next hour that has any: start and end, longest first.
pub fn gaps(times: &[i64]) -> Vec<(i64, i64)> {
    let apart = times.windows(2).filter(|it| it[0] / HOUR != it[1] / HOUR);
    let mut gaps: Vec<_> = apart.map(|it| (it[0], it[1])).collect();
    gaps.sort_by_key(|it| std::cmp::Reverse(it.1 - it.0));
    gaps
}

/// How long a log is silent between two events, but for one gap in a hundred and one; none if there are too few to tell.
pub fn usual(gaps: &[(i64, i64)]) -> Option<i64> {
    let it = gaps.get(gaps.len() / 100 + 1).filter(|_| gaps.len() >= 10)?;
    Some(it.1 - it.0)
}

/// Writes a file of a log, compressed if its name ends in `.gz`.
pub fn write_log(path: &Path, text: &str) {
    if path.extension().is_some_and(|it| it == "gz") {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("compresses");
        fs::write(path, encoder.finish().expect("compresses")).expect("writes");
    } else {
        fs::write(path, text).expect("writes");
    }
}
