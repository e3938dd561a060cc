//! What the logs could have shown of a consumer, and what they did: its last uses and its rhythm.

use crate::evidence::{Activity, Evidence, Outcome, Policy, SECOND, Side};
use crate::soak::{Soak, longest, soak};

const HOUR: f64 = 3600.0;

/// The uses and refusals that decide.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) first: Option<i64>,
    pub(crate) old_last: Option<i64>,
    pub(crate) old_rejected: Option<i64>,
    pub(crate) new_first: Option<i64>,
    pub(crate) new_last: Option<i64>,
    pub(crate) new_rejected: Option<i64>,
}

impl Times {
    pub(crate) fn of(activities: &[Activity]) -> Self {
        let mut times = Self::default();
        for it in activities {
            let last = Some(it.last_time);
            if it.outcome == Outcome::Used {
                times.first = earlier(times.first, it.first_time);
            }
            match (it.version, it.outcome) {
                (Side::Old, Outcome::Used) => times.old_last = times.old_last.max(last),
                (Side::New, Outcome::Used) => {
                    times.new_first = earlier(times.new_first, it.first_time);
                    times.new_last = times.new_last.max(last);
                }
                (Side::Old, Outcome::Rejected) => times.old_rejected = times.old_rejected.max(last),
                (Side::New, Outcome::Rejected) => times.new_rejected = times.new_rejected.max(last),
                _ => {}
            }
        }
        times
    }

    /// Whether the last use was of a newer version.
    pub(crate) fn is_over(&self) -> bool {
        self.new_last > self.old_last
    }

    /// Whether the newer one was refused since it last was taken.
    pub(crate) fn is_refused(&self) -> bool {
        self.new_rejected > self.new_last
    }
}

fn earlier(known: Option<i64>, time: i64) -> Option<i64> {
    Some(known.map_or(time, |it| it.min(time)))
}

/// What the sources that show a consumer could have shown.
pub(crate) struct Observed {
    holes: Spans,
    /// Up to here all of the sources are complete.
    pub(crate) watermark: i64,
}

impl Observed {
    pub(crate) fn new(evidence: &Evidence, rows: &[usize]) -> Self {
        let coverage: Vec<_> = rows.iter().filter_map(|it| evidence.coverage.get(*it)).collect();
        let delayed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX / SECOND) * SECOND;
        let complete = coverage
            .iter()
            .map(|it| {
                let seen = it.watermark_time.min(evidence.as_of_time);
                seen.saturating_sub(delayed(it.delay_seconds))
            })
            .min();
        // A row that is missing says nothing of any time.
        let watermark = if coverage.len() == rows.len() { complete } else { None };
        let spans: Vec<(i64, i64)> = coverage
            .iter()
            .flat_map(|it| &it.holes)
            .filter(|it| it.start_time < evidence.as_of_time)
            .map(|it| (it.start_time, it.end_time.min(evidence.as_of_time)))
            .collect();
        Self { holes: Spans::of(spans), watermark: watermark.unwrap_or(i64::MIN) }
    }

    /// The end of the last hole that may hide a use after `time`.
    pub(crate) fn last_hole_after(&self, time: i64) -> Option<i64> {
        self.holes.0.last().map(|it| it.1).filter(|it| *it > time)
    }

    /// The seconds between two instants that no hole hides.
    fn seconds(&self, from: i64, to: i64) -> f64 {
        (to - from) as f64 / SECOND as f64 - self.holes.seconds_within(from, to)
    }

    /// The observed seconds since `time`; none if the logs do not reach it.
    pub(crate) fn quiet_seconds(&self, time: i64) -> f64 {
        if self.watermark <= time { 0.0 } else { self.seconds(time, self.watermark) }
    }
}

/// Spans of time in their order, none touching another.
pub(crate) struct Spans(Vec<(i64, i64)>);

impl Spans {
    pub(crate) fn of(mut spans: Vec<(i64, i64)>) -> Self {
        spans.sort_unstable();
        let mut all: Vec<(i64, i64)> = Vec::new();
        for (start, end) in spans {
            match all.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => all.push((start, end)),
            }
        }
        Self(all)
    }

    /// The seconds of them between two instants.
    pub(crate) fn seconds_within(&self, from: i64, to: i64) -> f64 {
        let first = self.0.partition_point(|it| it.1 <= from);
        let within = self.0[first..].iter().take_while(|it| it.0 < to);
        let sum: i64 = within.map(|it| it.1.min(to) - it.0.max(from)).sum();
        sum as f64 / SECOND as f64
    }
}

/// The gaps between uses.
#[derive(Default)]
pub(crate) struct Rhythm {
    /// In observed seconds.
    pub(crate) gaps: Vec<f64>,
    /// Which of the gaps after the first use of a newer version is the one in question, from 1.
    turn: usize,
    /// The sum of those before it, in seconds.
    late: f64,
}

impl Rhythm {
    /// Of all uses until the first of a newer version, from then on of the old version's only:
    /// what is left of it may have a slower rhythm than the whole had.
    pub(crate) fn of(activities: &[Activity], new_first: Option<i64>, observed: &Observed) -> Self {
        let is_after = |time: i64| new_first.is_some_and(|it| time >= it);
        let mut rhythm = Self { turn: 1, ..Self::default() };
        let mut last: Option<i64> = None;
        for it in activities.iter().filter(|it| it.outcome == Outcome::Used) {
            if is_after(it.first_time) && it.version != Side::Old {
                continue;
            }
            let mut from = it.first_time;
            if let Some(last) = last {
                let gap = rhythm.add(last, it.first_time, observed);
                if is_after(it.first_time) && last < it.first_time {
                    rhythm.turn += 1;
                    rhythm.late += gap;
                }
                from = from.max(last);
            }
            // Of an hour only the first and the last use are known: no gap between them is longer.
            rhythm.add(from, it.last_time, observed);
            last = last.max(Some(it.last_time));
        }
        rhythm
    }

    /// Of all uses, whatever the version.
    pub(crate) fn of_all(activities: &[Activity], observed: &Observed) -> Self {
        Self::of(activities, None, observed)
    }

    fn add(&mut self, from: i64, to: i64, observed: &Observed) -> f64 {
        let gap = if from < to { observed.seconds(from, to) } else { 0.0 };
        if gap > 0.0 {
            self.gaps.push(gap);
        }
        gap
    }

    /// The risk that the gap in question may take.
    pub(crate) fn share(&self, policy: &Policy) -> f64 {
        let turn = self.turn as f64;
        policy.alpha / (turn * (turn + 1.0))
    }

    pub(crate) fn soak(&self, interval: Option<u64>, policy: &Policy) -> Soak {
        soak(&self.gaps, self.share(policy), interval, policy)
    }

    /// For how long it is quiet at most: the longest gap, and no less than three times the mean.
    pub(crate) fn quiet_at_most(&self) -> f64 {
        let count = self.gaps.len().max(1) as f64;
        let mean = self.gaps.iter().sum::<f64>() / count;
        let usual = if self.gaps.is_empty() { 35.0 * 24.0 * HOUR } else { (3.0 * mean).max(HOUR) };
        usual.max(longest(&self.gaps))
    }

    /// Three times the mean gap between uses of the old version beside a newer one.
    pub(crate) fn usual_of_rest(&self) -> f64 {
        3.0 * self.late / self.turn.saturating_sub(1).max(1) as f64
    }
}
