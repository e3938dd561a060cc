//! The truth of a rotation: who used the old version last and when, who breaks, and in which state
//! a consumer is at instants where that is beyond dispute.

use crate::generate::{Naming, Request, Truly};
use crate::plan::Plan;
use crate::random::Random;
use crate::rhythm::{DAY, HOUR, Rhythm};
use crate::rotation::{Question, Rotation, Scripted};

/// How long after the last use a right answer is due: half of what cloud providers wait.
pub const DUE: i64 = 45 * DAY;

/// Writes the label of `rotation`, of which `requests` is all that happened, in the order of time.
pub(crate) fn label(
    rotation: &mut Rotation,
    truly: &[Truly],
    requests: &[Request],
    random: &mut Random,
) {
    let (start, end) = (rotation.start_time, rotation.end_time);
    let truth = &mut rotation.truth;
    truth.last_used_time = vec![None; rotation.consumer_count as usize];
    for it in requests.iter().filter(|it| it.version == 0 && !it.is_rejected) {
        truth.last_used_time[it.consumer as usize] = Some(it.time);
        if it.time >= start {
            truth.late_uses.push((it.consumer, it.time));
        }
    }
    truth.is_rhythm_known = truly
        .iter()
        .all(|it| matches!(it.plan, Plan::NewOnly { .. }) || it.rhythm.is_known(it.history));
    truth.has_silent_end =
        truly.iter().any(|it| matches!(it.plan, Plan::Gone { is_declared: false, .. }));
    truth.cutoffs = [0, 7, 14, 30, 60].map(|it| start + it * DAY).to_vec();
    let last = truth.last_used().unwrap_or(start);
    if last > start + HOUR {
        truth.questions.push(Question { time: random.whole(start, last - 1800), is_used: true });
    }
    if last.max(start) + DUE < end - DAY {
        truth.questions.push(Question { time: last.max(start) + DUE, is_used: false });
    }
    // Where logs are lost, what a state should be is open to dispute.
    if !truth.is_complete {
        return;
    }
    // How late a log may be.
    let late = rotation.sources.iter().map(|it| it.lag_seconds + it.delay_seconds).max();
    let script = Script { requests, start, end, late: late.unwrap_or(0) + 600 };
    for it in truly.iter().filter(|it| !it.rests) {
        rotation.truth.states.extend(script.states(it, random));
    }
}

/// Whether somebody was never seen before `start` and uses the old version after it.
pub(crate) fn has_first_run(requests: &[Request], count: u32, start: i64) -> bool {
    let mut seen = vec![false; count as usize];
    requests.iter().any(|it| {
        let seen = &mut seen[it.consumer as usize];
        *seen |= it.time < start;
        it.version == 0 && !it.is_rejected && !*seen
    })
}

struct Script<'a> {
    requests: &'a [Request],
    start: i64,
    end: i64,
    late: i64,
}

/// What happened of one consumer.
struct Seen {
    old_first: Option<i64>,
    old_last: Option<i64>,
    new_first: Option<i64>,
    new_attempt: Option<i64>,
    new_last: Option<i64>,
    /// When the last of those copies that used the old version had used the new one as well.
    all_new: Option<i64>,
}

impl Script<'_> {
    fn seen(&self, number: u32, copies: u32) -> Seen {
        let own: Vec<&Request> = self.requests.iter().filter(|it| it.consumer == number).collect();
        let old = || own.iter().filter(|it| it.version == 0 && !it.is_rejected).map(|it| it.time);
        let new = || own.iter().filter(|it| it.version == 1 && !it.is_rejected).map(|it| it.time);
        let of_copy = |copy: u32| {
            let mut own = own.iter().filter(|it| it.copy == copy && it.version == 1);
            own.find(|it| !it.is_rejected).map(|it| it.time)
        };
        let all: Option<Vec<i64>> = (0..copies).map(of_copy).collect();
        Seen {
            old_first: old().min(),
            old_last: old().max(),
            new_first: new().min(),
            new_attempt: own.iter().filter(|it| it.version == 1).map(|it| it.time).min(),
            new_last: new().max(),
            all_new: all.and_then(|it| it.into_iter().max()),
        }
    }

    /// The states of one consumer.
    fn states(&self, truly: &Truly, random: &mut Random) -> Vec<Scripted> {
        let seen = self.seen(truly.number, truly.copies);
        let mut all = Vec::new();
        let mut add = |time: i64, state: &str| {
            if time < self.end && time >= self.start {
                all.push(Scripted { time, consumer: truly.number, state: state.to_owned() });
            }
        };
        let within =
            |from: i64, to: i64, random: &mut Random| (to > from).then(|| random.whole(from, to));
        if let Plan::NewOnly { .. } = truly.plan {
            if let Some(first) = seen.new_first {
                add(first + self.late + random.whole(0, 30 * DAY), "new_only");
            }
            return all;
        }
        let (Some(old_first), Some(old_last)) = (seen.old_first, seen.old_last) else { return all };
        let cycle = truly.rhythm.cycle();
        // A rhythm of chance may be quiet for longer than it was ever before.
        let is_steady = !matches!(truly.rhythm, Rhythm::Seldom | Rhythm::Bursts);
        if is_steady {
            let to = seen.new_attempt.unwrap_or(self.end).min(match truly.plan {
                Plan::Gone { at, .. } => at,
                _ => i64::MAX,
            });
            let from = self.start.max(old_first + self.late + DAY);
            if let Some(time) = within(from, to, random) {
                add(time, "old_only");
            }
            // Some who went back had not used the new version yet.
            let never_went = |back: i64| seen.new_first.is_none_or(|it| it >= back);
            let is_void = matches!(truly.plan, Plan::Reverts { back, .. } if never_went(back));
            if let Some((time, state)) = self.midway(truly, cycle, random).filter(|_| !is_void) {
                add(time, state);
            }
        }
        if let Plan::Gone { at, is_declared: false } = truly.plan {
            let known = truly.rhythm.is_known(truly.history);
            add(at + if known { 60 * DAY } else { 200 * DAY }, "dormant");
        }
        self.afterwards(truly, &seen, old_last, &mut add);
        all
    }

    /// While part of it has the old version.
    fn midway(
        &self,
        truly: &Truly,
        cycle: i64,
        random: &mut Random,
    ) -> Option<(i64, &'static str)> {
        let (from, to, state) = match truly.plan {
            Plan::Forgotten { at, fixed } => (at + cycle, fixed, "both"),
            Plan::Both { at, fixed } => (at + 4 * cycle, fixed, "both"),
            Plan::Reverts { back, again, .. } => (back + 4 * cycle, again, "reverted"),
            Plan::Failing { at, fixed } => (at + cycle, fixed, "failing_new"),
            _ => return None,
        };
        let (from, to) = (from + self.late, to.unwrap_or(self.end));
        (to > from).then(|| (random.whole(from, to), state))
    }

    /// Once all of it has the new version.
    fn afterwards(
        &self,
        truly: &Truly,
        seen: &Seen,
        old_last: i64,
        add: &mut impl FnMut(i64, &str),
    ) {
        let (Some(all_new), Some(new_last)) = (seen.all_new, seen.new_last) else { return };
        let is_rare = truly.rhythm.cycle() > 6 * DAY;
        // Before any soak can be over.
        let wait = match (truly.naming, truly.is_restarted) {
            (Naming::Stable, false) => Some(0),
            (Naming::Shared, _) if truly.copies == 1 => Some(0),
            // Copies behind one address that switch one after another look like one with both.
            (Naming::Shared, _) => None,
            // That copies which were replaced are gone shows after some hours.
            _ => matches!(truly.rhythm, Rhythm::Minutes | Rhythm::Hourly).then_some(12 * HOUR),
        };
        let wait = wait.map(|it| it + self.late).filter(|it| {
            all_new > old_last
                && matches!(truly.plan, Plan::Switch { .. })
                && (all_new + it - old_last < 20 * HOUR || is_rare)
        });
        if let Some(wait) = wait {
            add(all_new + wait, "switched");
        }
        let soak = match truly.rhythm {
            it if it.is_known(truly.history) => DUE,
            // The floor for rare jobs.
            Rhythm::Monthly => 110 * DAY,
            _ => return,
        };
        if new_last > old_last && all_new < old_last + soak {
            add(old_last + soak + self.late, "settled");
        }
    }
}
