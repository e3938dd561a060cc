//! One consumer: where it stands between the old version and a newer one, and how long its
//! silence must last.

use std::collections::BTreeMap;

use crate::evidence::{Activity, Consumer, Declared, Evidence, Outcome, Policy, SECOND, Side};
use crate::soak::{GAPS_MIN, Soak, soak};

const HOUR: f64 = 3600.0;

/// Where a consumer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Uses the old version, never used a newer one.
    OldOnly,
    /// Uses both within its own rhythm, or some of its processes still use the old one.
    Both,
    /// Uses the newer one, is quiet on the old one, and the soak is not over.
    Switched,
    /// The same, and the soak is over in observed time.
    Settled,
    /// After the newer one, went back to the old one.
    Reverted,
    /// Its attempts with the newer one are rejected.
    FailingNew,
    /// Used the old version and is quiet on both, for longer than its rhythm explains.
    Dormant,
    /// Only ever used a newer version.
    NewOnly,
}

impl State {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OldOnly => "old_only",
            Self::Both => "both",
            Self::Switched => "switched",
            Self::Settled => "settled",
            Self::Reverted => "reverted",
            Self::FailingNew => "failing_new",
            Self::Dormant => "dormant",
            Self::NewOnly => "new_only",
        }
    }
}

/// What is known of one consumer.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerAnswer {
    /// Where it stands; none if it was only ever refused.
    pub state: Option<State>,
    /// Whether the registry names it.
    pub is_declared: bool,
    /// From when on the registry declares it gone.
    pub gone_time: Option<i64>,
    /// Whether it presented the old version after the cutoff.
    pub is_straggler: bool,
    /// The last use of the old version, direct or derived.
    pub old_used_time: Option<i64>,
    /// The last use of a newer version.
    pub new_used_time: Option<i64>,
    /// The soak that decides.
    pub soak: Option<Soak>,
    /// When the soak is over, if nothing else is seen and the logs go on without holes.
    pub until_time: Option<i64>,
    /// The end of the hole from which the soak counts, where one hides what came before.
    pub hole_end_time: Option<i64>,
    /// Processes that used the old version, and neither used a newer one since nor are gone: rows of
    /// `Evidence::processes`.
    pub open_processes: Vec<usize>,
    /// The rows of `Evidence::coverage` in which it was seen.
    pub shown_by: Vec<usize>,
}

impl ConsumerAnswer {
    /// Whether the old version may go as far as this consumer is concerned.
    pub fn is_clear(&self) -> bool {
        let never_used = self.old_used_time.is_none();
        let is_gone = self.gone_time.is_some_and(|it| self.old_used_time.is_none_or(|x| x < it));
        never_used || is_gone || self.state == Some(State::Settled)
    }
}

/// A consumer that revoking at some instant would have broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The row of `Evidence::consumers`.
    pub consumer: usize,
    /// The first and the last use after that instant.
    pub first_time: i64,
    /// See `first_time`.
    pub last_time: i64,
    /// Requests that presented the version's own credential.
    pub use_count: u64,
    /// Requests that presented one obtained with it; such a session may outlive its parent.
    pub derived_use_count: u64,
}

/// Each consumer's activities in the order of time.
pub(crate) fn by_consumer(evidence: &Evidence) -> Vec<Vec<&Activity>> {
    let mut all = vec![Vec::new(); evidence.consumers.len()];
    for it in &evidence.activities {
        if let Some(own) = all.get_mut(it.consumer as usize) {
            own.push(it);
        }
    }
    for own in &mut all {
        own.sort_by_key(|it| (it.first_time, it.last_time));
    }
    all
}

/// How many decisions a verdict over these consumers takes, which share its risk.
pub(crate) fn decisions(consumers: &[Vec<&Activity>]) -> usize {
    let of_one = |activities: &Vec<&Activity>| {
        let mut processes: Vec<u32> = activities.iter().map(|it| it.process).collect();
        processes.sort_unstable();
        processes.dedup();
        1 + processes.len()
    };
    consumers.iter().map(of_one).sum::<usize>().max(1)
}

fn processes<'a>(activities: &[&'a Activity]) -> BTreeMap<u32, Vec<&'a Activity>> {
    let mut all: BTreeMap<u32, Vec<&Activity>> = BTreeMap::new();
    for it in activities {
        all.entry(it.process).or_default().push(it);
    }
    all
}

/// The uses and refusals that decide.
#[derive(Debug, Default)]
struct Times {
    old_last: Option<i64>,
    new_first: Option<i64>,
    new_last: Option<i64>,
    new_rejected: Option<i64>,
}

impl Times {
    fn of(activities: &[&Activity]) -> Self {
        let mut times = Self::default();
        for it in activities {
            let last = Some(it.last_time);
            match (it.version, it.outcome) {
                (Side::Old, Outcome::Used) => times.old_last = times.old_last.max(last),
                (Side::New, Outcome::Used) => {
                    let first = times.new_first.map_or(it.first_time, |at| at.min(it.first_time));
                    times.new_first = Some(first);
                    times.new_last = times.new_last.max(last);
                }
                (Side::New, Outcome::Rejected) => times.new_rejected = times.new_rejected.max(last),
                _ => {}
            }
        }
        times
    }

    fn is_over(&self) -> bool {
        self.new_last > self.old_last
    }
}

/// One consumer's answer; `share` is its part of the risk for each decision about it.
pub(crate) fn answer(
    consumer: &Consumer,
    activities: &[&Activity],
    evidence: &Evidence,
    share: f64,
    policy: &Policy,
) -> ConsumerAnswer {
    let times = Times::of(activities);
    let declared = declaration(evidence, consumer);
    let shown_by = shown_by(activities);
    let observed = Observed::new(evidence, &shown_by);
    let interval = declared.and_then(|it| it.interval_seconds);
    let whole = Rhythm::of(activities, times.new_first, &observed);
    let mut answer = ConsumerAnswer {
        state: None,
        is_declared: declared.is_some(),
        gone_time: declared.and_then(|it| it.gone_time).filter(|it| *it <= evidence.as_of_time),
        is_straggler: is_straggler(activities, evidence.cutoff_time),
        old_used_time: times.old_last,
        new_used_time: times.new_last,
        soak: None,
        until_time: None,
        hole_end_time: None,
        open_processes: Vec::new(),
        shown_by,
    };
    if let Some(old_last) = times.old_last {
        let soak = whole.soak(share, interval, policy);
        answer.wait(old_last, soak, &observed);
        let last = old_last.max(times.new_last.unwrap_or(old_last));
        let quiet = observed.watermark.saturating_sub(last) as f64;
        let is_silent = quiet > soak.seconds * SECOND as f64;
        judge_processes(&mut answer, activities, &whole, &times, &observed, (share, policy));
        answer.state = Some(state(&times, &answer, &whole, is_silent, observed.watermark));
    } else if times.new_last.is_some() || times.new_rejected.is_some() {
        let is_failing = times.new_rejected > times.new_last;
        answer.state = Some(if is_failing { State::FailingNew } else { State::NewOnly });
    }
    answer
}

impl ConsumerAnswer {
    /// Waits for `soak` after `last`, or after a hole that may hide a later use.
    fn wait(&mut self, last: i64, soak: Soak, observed: &Observed) {
        let hole = observed.last_hole_after(last);
        let until = hole.unwrap_or(last).saturating_add((soak.seconds * SECOND as f64) as i64);
        if self.until_time.is_none_or(|it| until > it) {
            self.until_time = Some(until);
            self.soak = Some(soak);
            self.hole_end_time = hole;
        }
    }
}

/// A process that used the old version must use a newer one, or be gone: quiet on both for
/// longer than its own rhythm explains. One restarted copy does not speak for the others.
fn judge_processes(
    answer: &mut ConsumerAnswer,
    activities: &[&Activity],
    whole: &Rhythm,
    times: &Times,
    observed: &Observed,
    (share, policy): (f64, &Policy),
) {
    let Some(new_first) = times.new_first else { return };
    let mut few: Vec<&Activity> = Vec::new();
    for (process, own) in processes(activities) {
        let of_process = Times::of(&own);
        let Some(last) = of_process.old_last.filter(|_| !of_process.is_over()) else { continue };
        let rhythm = Rhythm::of(&own, Some(new_first), observed);
        if rhythm.gaps.len() < GAPS_MIN {
            few.extend(own);
        } else {
            judge_process(answer, process, last, rhythm.soak(share, None, policy), observed);
        }
    }
    // Copies that live shortly, one per run or deployment, show their rhythm together only.
    few.sort_by_key(|it| (it.first_time, it.last_time));
    let mut last_of: BTreeMap<u32, i64> = BTreeMap::new();
    for it in few.iter().filter(|it| it.version == Side::Old && it.outcome == Outcome::Used) {
        let last = last_of.entry(it.process).or_insert(it.last_time);
        *last = it.last_time.max(*last);
    }
    let together = Rhythm::of(&few, Some(new_first), observed);
    let pooled = if together.gaps.len() < GAPS_MIN {
        policy_of(whole, share, policy, &together)
    } else {
        together.soak(share, None, policy)
    };
    for (process, last) in last_of {
        judge_process(answer, process, last, pooled, observed);
    }
}

/// The soak of a few odd copies: no rhythm is told from them, so that of rare jobs holds.
fn policy_of(whole: &Rhythm, share: f64, policy: &Policy, together: &Rhythm) -> Soak {
    let own = soak(&together.gaps, share, None, policy);
    let of_whole = whole.soak(share, None, policy);
    if of_whole.seconds > own.seconds { of_whole } else { own }
}

fn judge_process(
    answer: &mut ConsumerAnswer,
    process: u32,
    last: i64,
    soak: Soak,
    observed: &Observed,
) {
    answer.wait(last, soak, observed);
    let hole = observed.last_hole_after(last).unwrap_or(last);
    if observed.watermark < hole.saturating_add((soak.seconds * SECOND as f64) as i64) {
        answer.open_processes.push(process as usize);
    }
}

fn state(
    times: &Times,
    answer: &ConsumerAnswer,
    whole: &Rhythm,
    is_silent: bool,
    watermark: i64,
) -> State {
    let Some(old_last) = times.old_last else { return State::NewOnly };
    if times.new_rejected > times.new_last {
        return State::FailingNew;
    }
    if is_silent && !times.is_over() {
        return State::Dormant;
    }
    let (Some(new_first), Some(new_last)) = (times.new_first, times.new_last) else {
        return State::OldOnly;
    };
    if times.is_over() && answer.until_time.is_some_and(|it| it <= watermark) {
        return State::Settled;
    }
    let rhythm = (whole.usual_seconds() * SECOND as f64) as i64;
    if !answer.open_processes.is_empty() && times.is_over() {
        return State::Both;
    }
    match old_last - new_last {
        _ if old_last < new_first => State::Switched,
        behind if behind > rhythm => State::Reverted,
        behind if -behind > rhythm => State::Switched,
        _ => State::Both,
    }
}

fn declaration<'a>(evidence: &'a Evidence, consumer: &Consumer) -> Option<&'a Declared> {
    let name = consumer.workload.as_deref()?;
    let at = consumer.environment.as_deref();
    evidence.declared.iter().find(|it| {
        let is_there = |there: &str| at.is_none_or(|it| it == there);
        it.workload == name && it.environment.as_deref().is_none_or(is_there)
    })
}

fn shown_by(activities: &[&Activity]) -> Vec<usize> {
    let mut all: Vec<usize> = activities.iter().map(|it| it.shown_by as usize).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn is_straggler(activities: &[&Activity], cutoff: Option<i64>) -> bool {
    let Some(cutoff) = cutoff else { return false };
    activities.iter().any(|it| it.version == Side::Old && it.last_time >= cutoff)
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
        let complete = coverage.iter().map(|it| it.watermark_time).min();
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
        Self { holes, watermark: watermark.unwrap_or(i64::MIN).min(evidence.as_of_time) }
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
}

/// The gaps between a consumer's uses.
struct Rhythm {
    /// In observed seconds.
    gaps: Vec<f64>,
    /// Which of the gaps after the first use of a newer version is the one in question, from 1.
    turn: usize,
}

impl Rhythm {
    /// Of all uses until the first of a newer version, from then on of the old version's only:
    /// what is left of it may have a slower rhythm than the whole had.
    fn of(activities: &[&Activity], new_first: Option<i64>, observed: &Observed) -> Self {
        let is_after = |time: i64| new_first.is_some_and(|it| time >= it);
        let mut rhythm = Self { gaps: Vec::new(), turn: 1 };
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
                rhythm.turn += usize::from(is_after(it.first_time));
            }
            last = last.max(Some(it.last_time));
        }
        rhythm
    }

    fn soak(&self, share: f64, interval: Option<u64>, policy: &Policy) -> Soak {
        let turn = self.turn as f64;
        soak(&self.gaps, share / (turn * (turn + 1.0)), interval, policy)
    }

    /// Three times the mean gap: within it, uses of two versions are taken to be one time's.
    fn usual_seconds(&self) -> f64 {
        let count = self.gaps.len().max(1) as f64;
        let mean = self.gaps.iter().sum::<f64>() / count;
        if self.gaps.is_empty() { 35.0 * 24.0 * HOUR } else { (3.0 * mean).max(HOUR) }
    }
}
