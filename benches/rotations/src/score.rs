//! The score: what a method said, held against the truth.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::methods::OURS;
use crate::rhythm::DAY;
use crate::rotation::{Answer, Rotation, Use};

/// What is kept of one rotation and what methods said of it.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its number.
    pub id: u64,
    /// See `Truth`.
    pub unknowable: Option<String>,
    hides_uses: bool,
    is_clear: bool,
    has_silent_end: bool,
    /// When it was left by all; none if somebody goes on until near the end.
    left_time: Option<i64>,
    end_time: i64,
    /// Any use of the old version after the start, of which the logs had been quiet longest; how
    /// long. A calendar of fewer seconds errs.
    quiet: i64,
    /// What calendars of other lengths would need to know: when the logs last showed a use.
    shown_time: i64,
    /// By method.
    pub said: BTreeMap<String, Marks>,
}

/// How one method did.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// It said that the version may go, and it was used after that.
    pub is_false: bool,
    /// A hole hides a use after the last that the logs show of somebody who was missed.
    is_hidden: bool,
    /// Seconds from the last use to its word; none if it never gave it.
    wait: Option<i64>,
    decisive: (usize, usize),
    /// Scripted and said, where they differ or not.
    pub states: Vec<(i64, u32, String, Option<String>)>,
    replay: Share,
    forecast: Share,
}

#[derive(Debug, Clone, Copy, Default)]
struct Share {
    named_and_broken: usize,
    broken: usize,
    named: usize,
}

impl Share {
    fn add(&mut self, it: Self) {
        self.named_and_broken += it.named_and_broken;
        self.broken += it.broken;
        self.named += it.named;
    }

    fn of(named: &[Vec<u32>], broken: &[Vec<u32>]) -> Self {
        let mut share = Self::default();
        for (named, broken) in named.iter().zip(broken) {
            share.named += named.len();
            share.broken += broken.len();
            share.named_and_broken += broken.iter().filter(|it| named.contains(it)).count();
        }
        share
    }
}

/// Marks what methods said of one rotation.
pub fn mark(rotation: &Rotation, answers: &[Answer]) -> Line {
    let truth = &rotation.truth;
    let last = truth.last_used().unwrap_or(rotation.start_time).max(rotation.start_time);
    let broken: Vec<Vec<u32>> = truth.cutoffs.iter().map(|it| truth.broken_at(*it)).collect();
    let left_time = (last < rotation.end_time - 120 * DAY).then_some(last);
    let marks = |answer: &Answer| {
        let is_false =
            answer.revoke_time.is_some_and(|it| it < last && truth.last_used() > Some(it));
        let questions = truth.questions.iter().zip(&answer.verdicts);
        let right = questions.filter(|(question, said)| {
            let users = truth.broken_at(question.time);
            let names =
                said.consumers.is_empty() || said.consumers.iter().any(|it| users.contains(it));
            match question.is_used {
                true => said.verdict == "used" && names,
                false => said.verdict == "not_used",
            }
        });
        let states = truth.states.iter().zip(&answer.states);
        Marks {
            is_false,
            is_hidden: is_false && answer.revoke_time.is_some_and(|it| is_hidden(rotation, it)),
            wait: answer.revoke_time.filter(|_| !is_false).map(|it| it - last),
            decisive: (right.count(), truth.questions.len()),
            states: states
                .map(|(it, said)| (it.time, it.consumer, it.state.clone(), said.clone()))
                .collect(),
            replay: Share::of(&answer.breaks, &broken),
            forecast: Share::of(&answer.forecasts, &broken),
        }
    };
    let shown = rotation.log.iter().filter(|it| it.version == 0 && !it.is_rejected);
    Line {
        id: rotation.id,
        unknowable: truth.unknowable.clone(),
        hides_uses: !truth.hidden_uses.is_empty(),
        is_clear: truth.is_complete && truth.is_rhythm_known && !truth.has_silent_end,
        has_silent_end: truth.has_silent_end,
        left_time,
        end_time: rotation.end_time,
        quiet: quiet(rotation),
        shown_time: shown.map(|it| it.time).max().unwrap_or(rotation.start_time),
        said: answers.iter().map(|it| (it.method.clone(), marks(it))).collect(),
    }
}

/// Whether a hole hides a use before `time`, and after all that the logs show, of somebody who
/// used the old version after `time` as well.
fn is_hidden(rotation: &Rotation, time: i64) -> bool {
    let late = rotation.truth.broken_at(time);
    rotation.truth.hidden_uses.iter().any(|(consumer, at)| {
        let is_shown = |it: &Use| {
            it.consumer == *consumer && it.version == 0 && !it.is_rejected && it.time > *at
        };
        let known = rotation.log.iter().filter(|it| it.arrival_time <= time);
        *at < time && late.contains(consumer) && !known.copied().any(|it| is_shown(&it))
    })
}

/// How long the logs had shown no use before a use that was still to come, at most.
fn quiet(rotation: &Rotation) -> i64 {
    let is_old = |it: &&Use| it.version == 0 && !it.is_rejected;
    let mut seen: Vec<(i64, i64)> =
        rotation.log.iter().filter(is_old).map(|it| (it.arrival_time, it.time)).collect();
    seen.sort_unstable();
    let mut next = seen.iter().peekable();
    let (mut last, mut longest) = (0, 0);
    for (_, time) in &rotation.truth.late_uses {
        while let Some(it) = next.next_if(|it| it.0 < *time) {
            last = last.max(it.1);
        }
        longest = longest.max(time - last);
    }
    longest
}

/// A share of rotations, and the interval that holds the true one in 95 of 100 cases.
#[derive(Debug, Clone, Copy)]
pub struct Risk {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub total: usize,
    /// The lower end, from 0 to 1.
    pub low: f64,
    /// The upper end, from 0 to 1.
    pub high: f64,
}

impl Risk {
    /// Clopper and Pearson 1934.
    pub fn of(count: usize, total: usize) -> Self {
        let bound = |wanted: f64, count: f64| {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..60 {
                let middle = f64::midpoint(low, high);
                if at_most(count, total, middle) > wanted { low = middle } else { high = middle }
            }
            high
        };
        let low = if count == 0 { 0.0 } else { bound(0.975, count as f64 - 1.0) };
        let high = if count == total { 1.0 } else { bound(0.025, count as f64) };
        Self { count, total, low, high }
    }

    fn shown(&self) -> String {
        let share = 100.0 * self.count as f64 / self.total.max(1) as f64;
        format!(
            "{} of {} = {share:.2} % ({:.2} to {:.2})",
            self.count,
            self.total,
            100.0 * self.low,
            100.0 * self.high
        )
    }
}

/// The chance of at most `count` of `total` where each has the chance `p`.
fn at_most(count: f64, total: usize, p: f64) -> f64 {
    if p <= 0.0 {
        return 1.0;
    }
    let (mut log, mut sum) = (total as f64 * (1.0 - p).ln(), 0.0);
    for k in 0..=count as usize {
        sum += log.exp();
        log += ((total - k) as f64 / (k as f64 + 1.0)).ln() + (p / (1.0 - p)).ln();
    }
    sum
}

/// The figures of one method.
#[derive(Debug, Clone)]
pub struct Score {
    /// Of the rotations that can be known.
    pub risk: Risk,
    /// Those in which a hole hid the use that would have told, of all in which one hides a use.
    pub hidden: Risk,
    /// Questions answered rightly where the logs are whole and the rhythms known.
    pub decisive: (usize, usize),
    /// Days, the median and nine of ten.
    pub wait_days: (f64, f64),
    /// Rightly named, of all.
    pub states: (usize, usize),
    /// The share of those that break whom the replay names.
    pub replay_recall: f64,
    /// The share of those whom the replay names that break.
    pub replay_precision: f64,
    /// The share of those that break who were not clear at the cutoff.
    pub forecast_recall: f64,
    /// Wrongly said that it may go where no method can know.
    pub unknowable: BTreeMap<String, (usize, usize)>,
}

/// The figures of `method` over all rotations.
pub fn score(lines: &[Line], method: &str) -> Score {
    let known = || lines.iter().filter(|it| it.unknowable.is_none());
    let marks = |it: &Line| it.said.get(method).cloned().unwrap_or_default();
    let risk = |all: Vec<bool>| Risk::of(all.iter().filter(|it| **it).count(), all.len());
    let hiding = known().filter(|it| it.hides_uses);
    let mut decisive = (0, 0);
    let mut states = (0, 0);
    let (mut replay, mut forecast) = (Share::default(), Share::default());
    for it in known() {
        let marks = marks(it);
        if it.is_clear {
            decisive = (decisive.0 + marks.decisive.0, decisive.1 + marks.decisive.1);
            replay.add(marks.replay);
        }
        forecast.add(marks.forecast);
        let right = marks.states.iter().filter(|it| Some(&it.2) == it.3.as_ref()).count();
        states = (states.0 + right, states.1 + marks.states.len());
    }
    let mut replay_all = Share::default();
    for it in known() {
        replay_all.add(marks(it).replay);
    }
    let mut unknowable: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for it in lines {
        if let Some(what) = &it.unknowable {
            let (wrong, all) = unknowable.entry(what.clone()).or_default();
            *wrong += usize::from(marks(it).is_false);
            *all += 1;
        }
    }
    let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
    Score {
        risk: risk(known().map(|it| marks(it).is_false).collect()),
        hidden: risk(hiding.map(|it| marks(it).is_hidden).collect()),
        decisive,
        wait_days: waits(lines, |it| marks(it).wait),
        states,
        replay_recall: share(replay_all.named_and_broken, replay_all.broken),
        replay_precision: share(replay_all.named_and_broken, replay_all.named),
        forecast_recall: share(forecast.named_and_broken, forecast.broken),
        unknowable,
    }
}

/// Days from the last use to the word, of rotations that were left by all in time and in which
/// nobody ended unsaid. Who never gave it, or gave it too soon, waits to the end.
fn waits(lines: &[Line], wait: impl Fn(&Line) -> Option<i64>) -> (f64, f64) {
    let known = lines.iter().filter(|it| it.unknowable.is_none() && !it.has_silent_end);
    let of = |it: &Line| it.left_time.map(|left| wait(it).unwrap_or(it.end_time - left));
    let mut all: Vec<i64> = known.filter_map(of).collect();
    all.sort_unstable();
    let at = |share: f64| {
        let place = ((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1));
        all.get(place).map_or(f64::NAN, |it| *it as f64 / DAY as f64)
    };
    (at(0.5), at(0.9))
}

/// The shortest calendar that errs no more often than `count` times: its days, and those waited.
pub fn equal_calendar(lines: &[Line], count: usize) -> (f64, (f64, f64)) {
    let known = lines.iter().filter(|it| it.unknowable.is_none());
    let mut quiet: Vec<i64> = known.map(|it| it.quiet).collect();
    quiet.sort_unstable_by_key(|it| std::cmp::Reverse(*it));
    let seconds = quiet.get(count).copied().unwrap_or(0);
    let wait = |it: &Line| it.left_time.map(|left| (it.shown_time + seconds - left).max(0));
    (seconds as f64 / DAY as f64, waits(lines, wait))
}

/// The table, and below it what is scored apart.
pub fn table(lines: &[Line]) -> String {
    let mut names: Vec<&String> = lines.iter().flat_map(|it| it.said.keys()).collect();
    names.sort();
    names.dedup();
    names.sort_by_key(|it| (*it != OURS, it.ends_with("days"), it.len()));
    let mut out = String::from(
        "| method | false \"not used\" (95 % interval) | where a hole hides a use | decisive | days waited: median, 9 of 10 | states right | replay names | forecast names |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let percent = |part: usize, all: usize| match all {
        0 => "-".to_owned(),
        _ => format!("{:.1} %", 100.0 * part as f64 / all as f64),
    };
    for name in &names {
        let it = score(lines, name);
        let share = |share: f64| match it.states.1 {
            0 => "-".to_owned(),
            _ => format!("{:.1} %", 100.0 * share),
        };
        let _ = writeln!(
            out,
            "| {name} | {} | {} of {} | {} | {:.1}, {:.1} | {} | {} | {} |",
            it.risk.shown(),
            it.hidden.count,
            it.hidden.total,
            percent(it.decisive.0, it.decisive.1),
            it.wait_days.0,
            it.wait_days.1,
            percent(it.states.0, it.states.1),
            share(it.replay_recall),
            share(it.forecast_recall),
        );
    }
    for name in names.iter().filter(|it| **it == OURS) {
        let it = score(lines, name);
        let (days, waited) = equal_calendar(lines, it.risk.count);
        let _ = writeln!(
            out,
            "\nThe shortest calendar that errs no more often than {name}: {days:.1} days; waited: median {:.1}, 9 of 10 {:.1}. {name} waits {:.2} of its median.",
            waited.0,
            waited.1,
            it.wait_days.0 / waited.0,
        );
    }
    let _ = writeln!(out, "\nWhat no method can know, false \"not used\" of all:\n");
    for name in &names {
        let all = score(lines, name).unknowable;
        let all: Vec<String> =
            all.iter().map(|(what, it)| format!("{what} {} of {}", it.0, it.1)).collect();
        let _ = writeln!(out, "- {name}: {}", all.join(", "));
    }
    out
}
