//! How a consumer takes up a new version: what a straggler among its copies needs.

use std::collections::BTreeMap;

use crate::evidence::{Activity, Evidence, Outcome, SECOND, Side};

/// How a consumer's copies change over, learnt from past rotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reload {
    /// They change over as they run, within one rhythm of the new version's publication.
    Hot,
    /// New copies take the place of old ones, or each changes over at its own time.
    Restart,
    /// No past rotation tells.
    #[default]
    Unknown,
}

impl Reload {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Restart => "restart",
            Self::Unknown => "unknown",
        }
    }
}

/// Of one consumer's `activities`, in the order of time; the latest rotation that tells decides.
pub(crate) fn reload(activities: &[Activity], evidence: &Evidence) -> Reload {
    let rotations = [
        (Side::Old, Side::New, evidence.new_active_time),
        (Side::Before, Side::Old, evidence.active_time),
    ];
    let told = rotations.into_iter().map(|(from, to, published)| {
        Rotation::of(activities, from, to).map_or(Reload::Unknown, |it| it.reload(published))
    });
    told.into_iter().find(|it| *it != Reload::Unknown).unwrap_or_default()
}

/// One change from a version to a newer one.
struct Rotation {
    /// When each copy first and last used the version before.
    before: BTreeMap<u32, (i64, i64)>,
    /// When each copy first used the version after.
    after: BTreeMap<u32, i64>,
    /// Three times the mean gap between uses of the version before, at least an hour.
    rhythm: i64,
}

impl Rotation {
    fn of(activities: &[Activity], from: Side, to: Side) -> Option<Self> {
        const HOUR: i64 = 3600 * SECOND;
        let used = || activities.iter().filter(|it| it.outcome == Outcome::Used);
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        for it in used() {
            if it.version == from {
                let seen = before.entry(it.process).or_insert((it.first_time, it.last_time));
                seen.1 = it.last_time.max(seen.1);
            } else if it.version == to {
                after.entry(it.process).or_insert(it.first_time);
            }
        }
        if before.is_empty() || after.is_empty() {
            return None;
        }
        let times = || used().filter(|it| it.version == from);
        let span = times().map(|it| it.last_time).max()? - times().map(|it| it.first_time).min()?;
        let gaps = i64::try_from(times().count()).unwrap_or(i64::MAX).saturating_sub(1).max(1);
        Some(Self { before, after, rhythm: (3 * (span / gaps)).max(HOUR) })
    }

    fn reload(&self, published: Option<i64>) -> Reload {
        let moved: Vec<i64> =
            self.before.keys().filter_map(|it| self.after.get(it)).copied().collect();
        let (first, last) = (moved.iter().min(), moved.iter().max());
        if let (Some(published), Some(last)) = (published, last) {
            // Copies that were gone before are not asked.
            let alive = |it: &&(i64, i64)| it.1 + self.rhythm >= published;
            let all_moved = self.before.values().filter(alive).count() <= moved.len();
            if all_moved && *last <= published.saturating_add(self.rhythm) {
                return Reload::Hot;
            }
        }
        let newcomers = self.after.keys().filter(|it| !self.before.contains_key(it)).count();
        let one_by_one = first.zip(last).is_some_and(|(first, last)| last - first > self.rhythm);
        if (moved.is_empty() && newcomers > 0 && self.before.len() > 1) || one_by_one {
            return Reload::Restart;
        }
        Reload::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600 * SECOND;

    /// Hourly uses by each copy: of the old version from hour 0, of the new one from its change on.
    fn seen(copies: &[(u32, i64, i64, Side)]) -> Vec<Activity> {
        let mut all: Vec<Activity> = copies
            .iter()
            .flat_map(|(process, from, to, version)| {
                (*from..*to).map(|hour| Activity {
                    process: *process,
                    version: *version,
                    first_time: hour * HOUR,
                    last_time: hour * HOUR,
                    count: 1,
                    ..Activity::default()
                })
            })
            .collect();
        all.sort_by_key(|it| it.first_time);
        all
    }

    fn told(copies: &[(u32, i64, i64, Side)], published: Option<i64>) -> Reload {
        let evidence =
            Evidence { new_active_time: published.map(|it| it * HOUR), ..Evidence::default() };
        reload(&seen(copies), &evidence)
    }

    #[test]
    fn copies_that_change_over_at_once_reload_as_they_run() {
        let copies = [
            (0, 0, 100, Side::Old),
            (1, 0, 100, Side::Old),
            (0, 101, 200, Side::New),
            (1, 101, 200, Side::New),
        ];
        assert_eq!(told(&copies, Some(100)), Reload::Hot);
        assert_eq!(told(&copies, Some(20)), Reload::Unknown);
        assert_eq!(told(&copies, None), Reload::Unknown);
    }

    #[test]
    fn copies_that_are_replaced_or_change_one_by_one_need_a_restart() {
        let replaced = [
            (0, 0, 100, Side::Old),
            (1, 0, 110, Side::Old),
            (2, 100, 200, Side::New),
            (3, 110, 200, Side::New),
        ];
        assert_eq!(told(&replaced, Some(90)), Reload::Restart);
        let one_by_one = [
            (0, 0, 100, Side::Old),
            (1, 0, 150, Side::Old),
            (0, 100, 200, Side::New),
            (1, 150, 200, Side::New),
        ];
        assert_eq!(told(&one_by_one, Some(90)), Reload::Restart);
    }

    #[test]
    fn an_earlier_rotation_tells_where_the_latest_does_not() {
        let mut copies = vec![(0, 0, 100, Side::Before), (1, 0, 100, Side::Before)];
        copies.extend([(0, 100, 300, Side::Old), (1, 100, 300, Side::Old)]);
        let evidence = Evidence { active_time: Some(100 * HOUR), ..Evidence::default() };
        assert_eq!(reload(&seen(&copies), &evidence), Reload::Hot);
        assert_eq!(told(&[(0, 0, 100, Side::Old)], Some(100)), Reload::Unknown);
    }
}
