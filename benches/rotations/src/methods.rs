//! The methods that are compared: `lastuse-verdict`, fixed calendars, and the providers' rule.

use lastuse_verdict::{Policy, Verdict, judge};

use crate::rhythm::{DAY, HOUR};
use crate::rotation::{Answer, Rotation, Said, Use};
use crate::view::View;

/// The name of our own method.
pub const OURS: &str = "lastuse";
/// The name of the rule of cloud providers.
pub const PROVIDERS: &str = "providers";
/// The calendars, in days.
pub const CALENDARS: [i64; 4] = [1, 7, 30, 90];

/// What each method says of one rotation.
pub fn answers(rotation: &Rotation) -> Vec<Answer> {
    let mut all = vec![ours(rotation)];
    all.extend(CALENDARS.map(|it| calendar(rotation, it)));
    all.push(providers(rotation));
    all
}

/// What `lastuse-verdict` says, asked every hour.
pub fn ours(rotation: &Rotation) -> Answer {
    let policy = Policy::default();
    let truth = &rotation.truth;
    let view = View::new(rotation);
    let said = truth.questions.iter().map(|it| {
        let answer = judge(&view.evidence(it.time), &policy, None);
        let named = answer.reasons.iter().filter(|it| it.verdict == Verdict::Used);
        Said {
            verdict: answer.verdict.name().to_owned(),
            consumers: named.filter_map(|it| it.consumer).map(|it| it as u32).collect(),
        }
    });
    let states = truth.states.iter().map(|it| {
        let answer = judge(&view.evidence(it.time), &policy, None);
        answer.consumers[it.consumer as usize].state.map(|it| it.name().to_owned())
    });
    let whole = view.evidence(rotation.end_time);
    let breaks = truth.cutoffs.iter().map(|it| {
        let answer = judge(&whole, &policy, Some(it * 1_000_000));
        answer.would_break.iter().map(|it| it.consumer as u32).collect()
    });
    let forecasts = truth.cutoffs.iter().map(|it| {
        let answer = judge(&view.evidence(*it), &policy, None);
        let open = answer.consumers.iter().enumerate().filter(|it| !it.1.is_clear());
        open.map(|it| it.0 as u32).collect()
    });
    Answer {
        id: rotation.id,
        method: OURS.to_owned(),
        revoke_time: first_pass(&view, &policy),
        verdicts: said.collect(),
        states: states.collect(),
        breaks: breaks.collect(),
        forecasts: forecasts.collect(),
    }
}

/// Whether the gate is open at `time`.
pub fn passes(view: &View<'_>, policy: &Policy, time: i64) -> bool {
    judge(&view.evidence(time), policy, None).verdict == Verdict::NotUsed
}

/// The first whole hour from the start on at which the gate is open.
///
/// Between two arrivals of anything that could close it, it opens at most once. So it is asked at
/// the last hour before each of them, and where it is open by then, for the first hour at which it
/// was. It is not asked where it cannot be open: less than the policy's floor after a use that
/// is or may be the old version's, or while somebody who used it neither had a use of the new one nor is declared gone.
pub fn first_pass(view: &View<'_>, policy: &Policy) -> Option<i64> {
    let rotation = view.rotation;
    let ready = ready_time(rotation)?;
    let floor = policy.floor_seconds as i64;
    let mut closes: Vec<i64> = closing(rotation).collect();
    closes.retain(|it| *it > rotation.start_time && *it < rotation.end_time);
    closes.push(rotation.end_time);
    closes.sort_unstable();
    let mut old = arrivals(&rotation.log, |it| it.version == 0 && !it.is_rejected);
    let doubtful = rotation.unresolved.iter().map(|it| (it.arrival_time, it.time));
    old.extend(doubtful);
    latest_so_far(&mut old);
    let mut from = rotation.start_time;
    for to in closes {
        // Hours in [from, to).
        let (first, last) = ((from + HOUR - 1).div_euclid(HOUR), (to - 1).div_euclid(HOUR));
        from = to;
        let seen = old.partition_point(|it| it.0 <= last * HOUR);
        let quiet_from = seen.checked_sub(1).map_or(0, |it| old[it].1);
        let can_pass = last * HOUR >= ready.max(quiet_from + floor);
        if first > last || !can_pass || !passes(view, policy, last * HOUR) {
            continue;
        }
        let (mut low, mut high) = (first, last);
        while low < high {
            let middle = low.midpoint(high);
            if passes(view, policy, middle * HOUR) { high = middle } else { low = middle + 1 }
        }
        return Some(high * HOUR);
    }
    None
}

/// When anything arrives that could close the gate.
fn closing(rotation: &Rotation) -> impl Iterator<Item = i64> {
    let used = rotation.log.iter().filter(|it| it.version == 0 || it.is_rejected);
    let holes = rotation
        .sources
        .iter()
        .flat_map(|source| source.holes.iter().map(|it| it.1 + source.lag_seconds));
    let unresolved = rotation.unresolved.iter().map(|it| it.arrival_time);
    used.map(|it| it.arrival_time).chain(unresolved).chain(holes)
}

/// In the order of arrival: when, and the latest time that had arrived by then.
fn arrivals(log: &[Use], wanted: impl Fn(&Use) -> bool) -> Vec<(i64, i64)> {
    let wanted = log.iter().filter(|it| wanted(it));
    let mut all: Vec<(i64, i64)> = wanted.map(|it| (it.arrival_time, it.time)).collect();
    latest_so_far(&mut all);
    all
}

fn latest_so_far(all: &mut [(i64, i64)]) {
    all.sort_unstable();
    let mut latest = i64::MIN;
    for it in all {
        latest = latest.max(it.1);
        it.1 = latest;
    }
}

/// From when on each consumer that ever used the old version had a use of the new one, or was
/// declared gone; none if somebody never had.
fn ready_time(rotation: &Rotation) -> Option<i64> {
    let start = rotation.start_time;
    let mut ready = start;
    for consumer in 0..rotation.consumer_count {
        let own = || rotation.log.iter().filter(|it| it.consumer == consumer && !it.is_rejected);
        if !own().any(|it| it.version == 0 && it.arrival_time <= start) {
            continue;
        }
        let new = own().filter(|it| it.version == 1).map(|it| it.arrival_time);
        let gone = rotation.declared.iter().filter(|it| it.consumer == consumer);
        let gone = gone.filter(|it| it.gone_time.is_some()).map(|it| it.time);
        ready = ready.max(new.chain(gone).min()?);
    }
    Some(ready)
}

/// "No use for `days` days", of any kind, asked every hour.
pub fn calendar(rotation: &Rotation, days: i64) -> Answer {
    let all = arrivals(&rotation.log, |it| it.version == 0 && !it.is_rejected);
    rule(rotation, format!("{days} days"), &all, days * DAY, HOUR)
}

/// The rule of cloud providers: the key itself (not sessions obtained with it) was not used for
/// 90 days, looked at once a day. README.md names where they say so.
pub fn providers(rotation: &Rotation) -> Answer {
    let own = |it: &Use| it.version == 0 && !it.is_rejected && !it.is_derived;
    rule(rotation, PROVIDERS.to_owned(), &arrivals(&rotation.log, own), 90 * DAY, DAY)
}

fn rule(rotation: &Rotation, method: String, seen: &[(i64, i64)], wait: i64, every: i64) -> Answer {
    let ask = |from: i64, to: i64, last: i64| {
        let at = rotation.start_time.max(from).max(last.saturating_add(wait));
        let at = (at + every - 1).div_euclid(every) * every;
        (at < to.min(rotation.end_time)).then_some(at)
    };
    let open = |time: i64| {
        let count = seen.partition_point(|it| it.0 <= time);
        count.checked_sub(1).is_none_or(|it| seen[it].1 + wait <= time)
    };
    let mut revoke_time = None;
    let ends = seen.iter().skip(1).map(|it| it.0).chain([i64::MAX]);
    for (it, to) in seen.iter().zip(ends) {
        revoke_time = revoke_time.or_else(|| ask(it.0, to, it.1));
    }
    if seen.is_empty() {
        revoke_time = ask(rotation.start_time, i64::MAX, i64::MIN / 2);
    }
    let said = rotation.truth.questions.iter().map(|it| {
        let verdict = if open(it.time) { "not_used" } else { "used" };
        Said { verdict: verdict.to_owned(), consumers: Vec::new() }
    });
    Answer { id: rotation.id, method, revoke_time, verdicts: said.collect(), ..Answer::default() }
}
