//! Spans of which a log delivers nothing, as when a collector was down: chosen before the first record, told in the truth.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::{DAY, HOUR, MINUTE, Micros, timestamp};
use crate::rng::Rng;
use crate::sink::Sink;
use crate::truth::rfc3339;

/// A span of a log of which nothing was delivered. None of its records counts anywhere else in the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemovedTruth {
    /// The source that reads the log.
    pub source: String,
    /// The account, host or the like; empty where the source knows none.
    pub source_scope: String,
    /// The first instant that is missing.
    #[serde(with = "rfc3339")]
    pub start_time: Timestamp,
    /// The first instant that is not.
    #[serde(with = "rfc3339")]
    pub end_time: Timestamp,
    /// How many records were lost.
    pub record_count: u64,
}

/// The same while the logs are being written.
#[derive(Clone, Debug)]
pub(crate) struct Removal {
    start: Micros,
    end: Micros,
    pub(crate) record_count: u64,
}

impl Removal {
    pub(crate) fn contains(&self, time: Micros) -> bool {
        (self.start..self.end).contains(&time)
    }
}

/// Chooses `count` spans of each log; files of one source and scope are one log, and lose the same.
///
/// Each lies in a part of its own of the time but for its first and last day, with six hours to either side of it.
pub(crate) fn choose(count: u32, window: (Micros, Micros), sinks: &mut [Sink], rng: &Rng) {
    let mut logs: BTreeMap<(&str, String), Vec<&mut Sink>> = BTreeMap::new();
    for sink in sinks {
        logs.entry((sink.source, sink.scope.clone())).or_default().push(sink);
    }
    let (start, end) = (window.0 + DAY, window.1 - DAY);
    let part = (end - start) / i64::from(count.max(1));
    for (index, sinks) in (0..).zip(logs.into_values()) {
        let mut rng = rng.fork("removals", index);
        let parts = (0..i64::from(count)).map(|it| start + it * part);
        let removals: Vec<Removal> = parts.map(|it| removal(it, part, &mut rng)).collect();
        for sink in sinks {
            sink.removals.clone_from(&removals);
        }
    }
}

/// A span of whole minutes within a part of the time; of a few hours as often as of up to two days.
fn removal(start: Micros, part: Micros, rng: &mut Rng) -> Removal {
    let longest = *rng.pick(&[4 * HOUR, 12 * HOUR, 48 * HOUR]);
    let length = rng.between(HOUR / MINUTE, longest / MINUTE + 1) * MINUTE;
    let room = part - 12 * HOUR - length;
    let start = start + 6 * HOUR + rng.between(0, room / MINUTE + 1) * MINUTE;
    Removal { start, end: start + length, record_count: 0 }
}

/// The spans in the order of source, scope and time.
pub(crate) fn truth(sinks: &[Sink]) -> Vec<RemovedTruth> {
    let mut all: BTreeMap<(&str, &str, Micros), RemovedTruth> = BTreeMap::new();
    for sink in sinks {
        for it in &sink.removals {
            let none = || RemovedTruth {
                source: sink.source.to_owned(),
                source_scope: sink.scope.clone(),
                start_time: timestamp(it.start),
                end_time: timestamp(it.end),
                record_count: 0,
            };
            let key = (sink.source, sink.scope.as_str(), it.start);
            all.entry(key).or_insert_with(none).record_count += it.record_count;
        }
    }
    all.into_values().collect()
}
