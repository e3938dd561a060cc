//! One consumer: where it stands between the old version and a newer one, and how long its
//! silence must last.

use crate::evidence::{Activity, Consumer, Declared, Evidence, Policy, SECOND, Side};
use crate::history::{Observed, Rhythm, Times};
use crate::soak::{Method, Soak, TWO_WEEKS, extended_seconds, is_told, longest};

/// Clocks of two sources may differ by this: uses of two versions that overlap by less do not.
const SKEW: i64 = 300 * SECOND;

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

/// The activities of each process, in the order of time.
fn by_process<'a>(activities: &[&'a Activity]) -> Vec<Vec<&'a Activity>> {
    let mut sorted = activities.to_vec();
    sorted.sort_by_key(|it| it.process);
    sorted.chunk_by(|a, b| a.process == b.process).map(<[_]>::to_vec).collect()
}

/// One consumer's answer.
pub(crate) fn answer(
    consumer: &Consumer,
    activities: &[&Activity],
    evidence: &Evidence,
    policy: &Policy,
) -> ConsumerAnswer {
    let times = Times::of(activities);
    let declared = declaration(evidence, consumer);
    let shown_by = shown_by(activities);
    let observed = Observed::new(evidence, &shown_by);
    let interval = declared.and_then(|it| it.interval_seconds);
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
        let whole = Rhythm::of(activities, times.new_first, &observed);
        let soak = whole.soak(interval, policy);
        answer.wait(old_last, soak, &observed);
        let heard = times.new_last.max(times.new_rejected).max(Some(old_last)).unwrap_or(old_last);
        let is_silent = observed.quiet_seconds(heard) > soak.seconds;
        let copies = Copies::of(activities, times.new_first, &observed);
        copies.judge(&mut answer, &observed, interval, policy);
        answer.state = Some(state(&times, &answer, &whole, &copies, is_silent, &observed));
    } else if times.new_last.is_some() || times.new_rejected.is_some() {
        answer.state = Some(if times.is_refused() { State::FailingNew } else { State::NewOnly });
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

/// The copies of a consumer that moves to a newer version, as far as they are not known to have
/// left the old one by their first use of the newer.
struct Copies<'a> {
    /// When the consumer first used a newer version; before that, copies decide nothing.
    new_first: Option<i64>,
    /// Those that show a rhythm of their own.
    steady: Vec<Process<'a>>,
    /// Those that live shortly, one per run or deployment, or were hardly seen: they show their
    /// rhythm together only.
    others: Vec<Process<'a>>,
}

/// One of them.
struct Process<'a> {
    number: usize,
    activities: Vec<&'a Activity>,
    times: Times,
    /// When it last used the old version.
    old_last: i64,
    /// Whether its uses of both versions overlap.
    overlaps: bool,
    rhythm: Rhythm,
}

impl<'a> Process<'a> {
    fn of(activities: Vec<&'a Activity>, new_first: i64, observed: &Observed) -> Option<Self> {
        let times = Times::of(&activities);
        let old_last = times.old_last?;
        let rhythm = Rhythm::of(&activities, Some(new_first), observed);
        let number = activities.first()?.process as usize;
        let overlaps = times.new_first.is_some_and(|it| old_last - it > SKEW);
        Some(Self { number, activities, times, old_last, overlaps, rhythm })
    }

    /// Whether it used no newer version since the old one.
    fn is_behind(&self) -> bool {
        !self.times.is_over()
    }

    fn is_steady(&self) -> bool {
        let first = self.times.first.unwrap_or(self.old_last);
        let life = (self.old_last - first) as f64 / SECOND as f64;
        life >= TWO_WEEKS && is_told(&self.rhythm.gaps)
    }
}

impl<'a> Copies<'a> {
    fn of(activities: &[&'a Activity], new_first: Option<i64>, observed: &Observed) -> Self {
        let mut copies = Self { new_first, steady: Vec::new(), others: Vec::new() };
        let Some(from) = new_first else { return copies };
        for copy in
            by_process(activities).into_iter().filter_map(|it| Process::of(it, from, observed))
        {
            if copy.is_steady() {
                copies.steady.push(copy);
            } else if copy.is_behind() || copy.overlaps {
                copies.others.push(copy);
            }
        }
        copies
    }

    /// A copy that used the old version must use a newer one, or be gone: quiet on both for longer
    /// than its rhythm explains. One restarted copy does not speak for the others.
    fn judge(
        &self,
        answer: &mut ConsumerAnswer,
        observed: &Observed,
        interval: Option<u64>,
        policy: &Policy,
    ) {
        for copy in &self.steady {
            let soak = copy.rhythm.soak(None, policy);
            judge_copy(answer, copy, soak, copy.rhythm.quiet_at_most(), observed);
        }
        if !self.others.is_empty() {
            let (soak, usual) = self.soak_of_others(observed, interval, policy);
            for copy in &self.others {
                judge_copy(answer, copy, soak, usual, observed);
            }
        }
    }

    /// The soak that follows from all uses of the others, but no shorter than the longest gap
    /// within any of them asks for; and for how long they usually are quiet at most.
    fn soak_of_others(
        &self,
        observed: &Observed,
        interval: Option<u64>,
        policy: &Policy,
    ) -> (Soak, f64) {
        let mut all: Vec<&Activity> =
            self.others.iter().flat_map(|it| &it.activities).copied().collect();
        all.sort_by_key(|it| (it.first_time, it.last_time));
        let together = Rhythm::of(&all, self.new_first, observed);
        let within: Vec<f64> = self.others.iter().flat_map(|it| &it.rhythm.gaps).copied().collect();
        let mut soak = together.soak(interval, policy);
        let seconds =
            extended_seconds(&within, together.share(policy)).min(policy.rare_floor_seconds);
        if seconds > soak.seconds {
            let is_rare = seconds >= policy.rare_floor_seconds;
            let method = if is_rare { Method::RareFloor } else { Method::TailModel };
            let longest_gap_seconds = Some(longest(&within));
            soak = Soak { gap_count: within.len(), longest_gap_seconds, method, seconds };
        }
        (soak, together.quiet_at_most().max(longest(&within)))
    }

    fn all(&self) -> impl Iterator<Item = &Process<'a>> {
        self.steady.iter().chain(&self.others)
    }

    /// Whether a copy that is behind and not known to be gone was refused with the newer version.
    fn is_refused(&self, open: &[usize]) -> bool {
        self.all().any(|it| it.times.is_refused() && open.contains(&it.number))
    }

    /// Whether a copy used the old version within its rhythm before `new_last`, the newer one's
    /// last use, and after its own first use of the newer one.
    fn uses_both(&self, new_last: i64) -> bool {
        self.all().filter(|it| it.overlaps).any(|it| {
            let ahead = (new_last - it.old_last) as f64 / SECOND as f64;
            ahead <= it.rhythm.usual_seconds()
        })
    }
}

/// Waits for one copy. If it is behind it is open until it is quiet for longer than it usually is,
/// or, where no rhythm is told, until the soak is over.
fn judge_copy(
    answer: &mut ConsumerAnswer,
    copy: &Process<'_>,
    soak: Soak,
    usual: f64,
    observed: &Observed,
) {
    answer.wait(copy.old_last, soak, observed);
    let least = if soak.method == Method::RareFloor { soak.seconds } else { usual };
    let quiet = observed.quiet_seconds(copy.old_last);
    if copy.is_behind() && quiet < least.min(soak.seconds) {
        answer.open_processes.push(copy.number);
    }
}

fn state(
    times: &Times,
    answer: &ConsumerAnswer,
    whole: &Rhythm,
    copies: &Copies<'_>,
    is_silent: bool,
    observed: &Observed,
) -> State {
    if is_silent && !times.is_over() {
        return State::Dormant;
    }
    if times.is_refused() || copies.is_refused(&answer.open_processes) {
        return State::FailingNew;
    }
    let (Some(old_last), Some(new_last)) = (times.old_last, times.new_last) else {
        return State::OldOnly;
    };
    if !times.is_over() {
        let behind = (old_last - new_last) as f64 / SECOND as f64;
        return if behind > whole.usual_seconds() { State::Reverted } else { State::Both };
    }
    if answer.until_time.is_some_and(|it| it <= observed.watermark) {
        return State::Settled;
    }
    if copies.uses_both(new_last) || !answer.open_processes.is_empty() {
        State::Both
    } else {
        State::Switched
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
