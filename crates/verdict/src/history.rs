//! What the logs could have shown of a consumer, and what they did: its last uses and its rhythm.

use crate::evidence::{Activity, Evidence, Outcome, Policy, SECOND, Side};
use crate::soak::{Soak, longest, soak};

const HOUR: f64 = 3600.0;

/// The uses and refusals that decide.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) first: Option<i64>,
    pub(crate) old_last: Option<i64>,
    pub(crate) new_first: Option<i64>,
    pub(crate) new_last: Option<i64>,
    pub(crate) new_rejected: Option<i64>,
}

impl Times {
    pub(crate) fn of(activities: &[&Activity]) -> Self {
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
    /// In the order of time, none touching another.
    holes: Vec<(i64, i64)>,
    /// Up to here all of the sources are complete.
    pub(crate) watermark: i64,
}

impl Observed {
    pub(crate) fn new(evidence: &Evidence, rows: &[usize]) -> Self {
        let coverage: Vec<_> = rows.iter().filter_map(|it| evidence.coverage.get(*it)).collect();
        let delayed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX / SECOND) * SECOND;
        let complete = coverage
            .iter()
            .map(|it| it.watermark_time.min(evidence.as_of_time) - delayed(it.delay_seconds))
            .min();
        // A row that is missing says nothing of any time.
        let watermark = if coverage.len() == rows.len() { complete } else { None };
        let mut spans: Vec<(i64, i64)> = coverage
            .iter()
            .flat_map(|it| &it.holes)
            .filter(|it| it.start_time < evidence.as_of_time)
            .map(|it| (it.start_time, it.end_time.min(evidence.as_of_time)))
            .collect();
        spans.sort_unstable();
        let mut holes: Vec<(i64, i64)> = Vec::new();
        for (start, end) in spans {
            match holes.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => holes.push((start, end)),
            }
        }
        Self { holes, watermark: watermark.unwrap_or(i64::MIN) }
    }

    /// The end of the last hole that may hide a use after `time`.
    pub(crate) fn last_hole_after(&self, time: i64) -> Option<i64> {
        self.holes.last().map(|it| it.1).filter(|it| *it > time)
    }

    /// The seconds between two instants that no hole hides.
    fn seconds(&self, from: i64, to: i64) -> f64 {
        let first = self.holes.partition_point(|it| it.1 <= from);
        let within = self.holes[first..].iter().take_while(|it| it.0 < to);
        let hidden: i64 = within.map(|it| it.1.min(to) - it.0.max(from)).sum();
        (to - from - hidden) as f64 / SECOND as f64
    }

    /// The observed seconds since `time`; none if the logs do not reach it.
    pub(crate) fn quiet_seconds(&self, time: i64) -> f64 {
        if self.watermark <= time { 0.0 } else { self.seconds(time, self.watermark) }
    }
}

/// The gaps between uses.
#[derive(Default)]
pub(crate) struct Rhythm {
    /// In observed seconds.
    pub(crate) gaps: Vec<f64>,
    /// Which of the gaps after the first use of a newer version is the one in question, from 1.
    turn: usize,
    /// The longest gap after the first use of a newer version, in seconds.
    late_gap: f64,
}

impl Rhythm {
    /// Of all uses until the first of a newer version, from then on of the old version's only:
    /// what is left of it may have a slower rhythm than the whole had.
    pub(crate) fn of(
        activities: &[&Activity],
        new_first: Option<i64>,
        observed: &Observed,
    ) -> Self {
        let is_after = |time: i64| new_first.is_some_and(|it| time >= it);
        let mut rhythm = Self { turn: 1, ..Self::default() };
        let mut last: Option<i64> = None;
        for it in activities.iter().filter(|it| it.outcome == Outcome::Used) {
            if is_after(it.first_time) && it.version != Side::Old {
                continue;
            }
            if let Some(from) = last.filter(|from| *from < it.first_time) {
                let gap = observed.seconds(from, it.first_time);
                if gap > 0.0 {
                    rhythm.gaps.push(gap);
                }
                if is_after(it.first_time) {
                    rhythm.turn += 1;
                    rhythm.late_gap = rhythm.late_gap.max(gap);
                }
            }
            last = last.max(Some(it.last_time));
        }
        rhythm
    }

    /// The risk that the gap in question may take.
    pub(crate) fn share(&self, policy: &Policy) -> f64 {
        let turn = self.turn as f64;
        policy.alpha / (turn * (turn + 1.0))
    }

    pub(crate) fn soak(&self, interval: Option<u64>, policy: &Policy) -> Soak {
        soak(&self.gaps, self.share(policy), interval, policy)
    }

    /// Three times the mean gap, and no less than the longest since the first use of a newer
    /// version: within it, uses of two versions are taken to be one time's.
    pub(crate) fn usual_seconds(&self) -> f64 {
        let count = self.gaps.len().max(1) as f64;
        let mean = self.gaps.iter().sum::<f64>() / count;
        let usual = if self.gaps.is_empty() { 35.0 * 24.0 * HOUR } else { (3.0 * mean).max(HOUR) };
        usual.max(self.late_gap)
    }

    /// Longer than it ever was quiet, and than it usually is.
    pub(crate) fn quiet_at_most(&self) -> f64 {
        self.usual_seconds().max(longest(&self.gaps))
    }
}
