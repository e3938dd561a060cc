//! A rotation as it can be known at an instant.

use std::collections::HashMap;

use lastuse_verdict::{Activity, Consumer, Coverage, Declared, Evidence, Hole, Outcome, Side};

use crate::rhythm::HOUR;
use crate::rotation::{Rotation, Source, Use};

const SECOND: i64 = 1_000_000;

/// A rotation, with the rows of its log as the store keeps them: one for each hour, process and so
/// on.
#[derive(Debug)]
pub struct View<'a> {
    /// The rotation.
    pub rotation: &'a Rotation,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    whole: Activity,
    /// When the first and the last of it arrived.
    arrival: (i64, i64),
    /// The time and arrival of each request.
    uses: Vec<(i64, i64)>,
}

impl<'a> View<'a> {
    /// All of it.
    pub fn new(rotation: &'a Rotation) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let mut open: HashMap<(u32, u32, u8, i8, bool, bool), usize> = HashMap::new();
        for it in &rotation.log {
            let key =
                (it.consumer, it.process, it.source, it.version, it.is_rejected, it.is_derived);
            let row = open.get(&key).map(|row| &mut rows[*row]);
            if let Some(row) = row.filter(|row| row.uses[0].0 / HOUR == it.time / HOUR) {
                row.add(it);
                continue;
            }
            open.insert(key, rows.len());
            let mut row = Row { whole: activity(it), arrival: (i64::MAX, 0), uses: Vec::new() };
            row.add(it);
            rows.push(row);
        }
        Self { rotation, rows }
    }

    /// What is known at `time`: what had arrived by then.
    pub fn evidence(&self, time: i64) -> Evidence {
        let rotation = self.rotation;
        let name = |it: u32| format!("consumer-{it}");
        let known = rotation.declared.iter().filter(|it| it.time <= time);
        let arrived = rotation.unresolved.iter().filter(|it| it.arrival_time <= time);
        let exchanges = || rotation.exchanges.iter().filter(|it| it.arrival_time <= time);
        let endless = exchanges().filter(|it| it.expires_time.is_none());
        let tail = exchanges().filter_map(|it| it.expires_time).max();
        Evidence {
            as_of_time: time * SECOND,
            has_identifier: true,
            is_confirmed: true,
            active_time: Some(0),
            consumers: (0..rotation.consumer_count)
                .map(|it| Consumer { workload: Some(name(it)), environment: None })
                .collect(),
            activities: self.rows.iter().filter_map(|it| it.until(time)).collect(),
            declared: known
                .map(|it| Declared {
                    workload: name(it.consumer),
                    environment: None,
                    interval_seconds: it.interval_seconds,
                    gone_time: it.gone_time.map(|it| it * SECOND),
                })
                .collect(),
            coverage: rotation.sources.iter().map(|it| coverage(it, time)).collect(),
            tail_expires_time: tail.map(|it| it * SECOND),
            endless_issued_time: endless.map(|it| it.time).max().map(|it| it * SECOND),
            unresolved_used_time: arrived.map(|it| it.time).max().map(|it| it * SECOND),
            ..Evidence::default()
        }
    }
}

impl Row {
    fn add(&mut self, it: &Use) {
        self.whole.last_time = it.time * SECOND;
        self.whole.count += 1;
        self.arrival = (self.arrival.0.min(it.arrival_time), self.arrival.1.max(it.arrival_time));
        self.uses.push((it.time, it.arrival_time));
    }

    /// The row as far as it had arrived by `time`.
    fn until(&self, time: i64) -> Option<Activity> {
        if self.arrival.1 <= time {
            return Some(self.whole);
        }
        if self.arrival.0 > time {
            return None;
        }
        let known = || self.uses.iter().filter(|it| it.1 <= time).map(|it| it.0 * SECOND);
        let (first_time, last_time) = (known().min()?, known().max()?);
        Some(Activity { first_time, last_time, count: known().count() as u64, ..self.whole })
    }
}

fn activity(it: &Use) -> Activity {
    Activity {
        consumer: it.consumer,
        process: it.process,
        shown_by: u32::from(it.source),
        version: match it.version {
            0 => Side::Old,
            1 => Side::New,
            _ => Side::Before,
        },
        outcome: if it.is_rejected { Outcome::Rejected } else { Outcome::Used },
        first_time: it.time * SECOND,
        last_time: it.time * SECOND,
        count: 0,
        is_derived: it.is_derived,
    }
}

/// A log that others write to all the time: it is quiet only in a hole.
fn coverage(source: &Source, time: i64) -> Coverage {
    let newest = time - source.lag_seconds;
    let silent = source.holes.iter().find(|it| (it.0..it.1).contains(&newest));
    let holes = source.holes.iter().filter(|it| it.1 <= newest);
    let hole = |it: &(i64, i64)| Hole {
        start_time: it.0 * SECOND,
        end_time: it.1 * SECOND,
        evidence: "silent".to_owned(),
    };
    Coverage {
        source: "log".to_owned(),
        scope: String::new(),
        start_time: 0,
        watermark_time: silent.map_or(newest, |it| it.0) * SECOND,
        delay_seconds: u64::try_from(source.delay_seconds).unwrap_or(0),
        shows_kind: true,
        holes: holes.map(hole).collect(),
    }
}
