//! One consumer: where it stands between the old version and a newer one, and how long its
//! silence must last.

use crate::evidence::{Activity, Consumer, Declared, Evidence, Policy, SECOND, Side};
use crate::history::{Observed, Rhythm, Spans, Times};
use crate::reload::{Reload, reload};
use crate::soak::{Method, Soak, TWO_WEEKS, extended_seconds, is_told, longest};

/// Clocks of two sources may differ by this: uses of two versions that overlap by less do not.
const SKEW: i64 = 300 * SECOND;
/// For so many seconds a copy and the one that takes its place may both be at work.
const HANDOVER: f64 = 3600.0;

/// Where a consumer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// How its copies take up a new version.
    pub reload: Reload,
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

/// The activities of each consumer. There may be millions, scattered: those of one are copied to
/// one place before they are looked at.
pub(crate) struct ByConsumer<'a> {
    activities: &'a [Activity],
    /// Rows of `activities`, those of one consumer beside each other.
    order: Vec<usize>,
    /// Where those of each consumer end in `order`.
    ends: Vec<usize>,
}

impl<'a> ByConsumer<'a> {
    pub(crate) fn of(evidence: &'a Evidence) -> Self {
        let activities = &evidence.activities[..];
        let mut ends = vec![0; evidence.consumers.len()];
        for it in activities {
            if let Some(count) = ends.get_mut(it.consumer as usize) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for it in &mut ends {
            // Where they begin; it moves to their end as they are put there.
            sum += std::mem::replace(it, sum);
        }
        let mut order = vec![0; sum];
        for (row, it) in activities.iter().enumerate() {
            if let Some(place) = ends.get_mut(it.consumer as usize) {
                order[*place] = row;
                *place += 1;
            }
        }
        Self { activities, order, ends }
    }

    /// Those of one consumer in the order of time.
    pub(crate) fn get(&self, consumer: usize) -> Vec<Activity> {
        let start = consumer.checked_sub(1).map_or(0, |it| self.ends[it]);
        let rows = &self.order[start..self.ends[consumer]];
        let mut own: Vec<Activity> = rows.iter().map(|it| self.activities[*it]).collect();
        own.sort_by_key(|it| (it.first_time, it.last_time));
        own
    }
}

/// One consumer's answer.
pub(crate) fn answer(
    consumer: &Consumer,
    activities: &[Activity],
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
        gone_time: declared
            .filter(|it| it.environment.is_none() || it.environment == consumer.environment)
            .and_then(|it| it.gone_time)
            .filter(|it| *it <= evidence.as_of_time),
        is_straggler: is_straggler(activities, evidence.cutoff_time),
        old_used_time: times.old_last,
        new_used_time: times.new_last,
        soak: None,
        until_time: None,
        hole_end_time: None,
        open_processes: Vec::new(),
        reload: reload(activities, evidence),
        shown_by,
    };
    if let Some(old_last) = times.old_last {
        let whole = Rhythm::of(activities, times.new_first, &observed);
        let soak = whole.soak(interval, policy);
        answer.wait(old_last, soak, &observed);
        // Who is refused is not silent, whichever version it presents.
        let refused = times.new_rejected.max(times.old_rejected);
        let heard = refused.max(times.new_last).unwrap_or(old_last).max(old_last);
        let is_silent = observed.quiet_seconds(heard) > soak.seconds;
        let mut sorted = activities.to_vec();
        sorted.sort_by_key(|it| it.process);
        let copies = Copies::of(&sorted, times.new_first, &observed);
        copies.judge(&mut answer, &whole, &observed, interval, policy);
        answer.state = Some(state(&times, &answer, activities, &copies, is_silent, &observed));
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
    /// When those were at work that are not among the others.
    lives: Spans,
}

/// One of them.
struct Process<'a> {
    number: usize,
    activities: &'a [Activity],
    times: Times,
    /// When it last used the old version.
    old_last: i64,
    /// Whether its uses of both versions overlap.
    overlaps: bool,
    /// For how long it is quiet at most, whatever the version, in seconds.
    quiet: f64,
    rhythm: Rhythm,
}

impl<'a> Process<'a> {
    fn of(activities: &'a [Activity], new_first: i64, observed: &Observed) -> Option<Self> {
        let times = Times::of(activities);
        let old_last = times.old_last?;
        let rhythm = Rhythm::of(activities, Some(new_first), observed);
        let number = activities.first()?.process as usize;
        let overlaps = times.new_first.is_some_and(|it| old_last - it > SKEW);
        let quiet =
            if overlaps { Rhythm::of_all(activities, observed).quiet_at_most() } else { 0.0 };
        Some(Self { number, activities, times, old_last, overlaps, quiet, rhythm })
    }

    /// Whether it used no newer version since the old one.
    fn is_behind(&self) -> bool {
        !self.times.is_over()
    }

    fn first(&self) -> i64 {
        self.times.first.unwrap_or(self.old_last)
    }

    /// How long it was seen, in seconds.
    fn life(&self) -> f64 {
        (self.old_last - self.first()) as f64 / SECOND as f64
    }

    fn is_steady(&self) -> bool {
        self.life() >= TWO_WEEKS && is_told(&self.rhythm.gaps)
    }
}

impl<'a> Copies<'a> {
    /// `sorted` holds the consumer's activities by process, those of each in the order of time.
    fn of(sorted: &'a [Activity], new_first: Option<i64>, observed: &Observed) -> Self {
        let (mut steady, mut others, mut lives) = (Vec::new(), Vec::new(), Vec::new());
        let from = new_first.unwrap_or(i64::MAX);
        // Before anybody used a newer version, copies decide nothing.
        let all = if new_first.is_some() { sorted } else { &[] };
        let all = all.chunk_by(|a, b| a.process == b.process);
        for copy in all.filter_map(|it| Process::of(it, from, observed)) {
            let is_steady = copy.is_steady();
            if is_steady || !(copy.is_behind() || copy.overlaps) {
                lives.push((copy.first(), copy.old_last));
            }
            if is_steady {
                steady.push(copy);
            } else if copy.is_behind() || copy.overlaps {
                others.push(copy);
            }
        }
        Self { new_first, steady, others, lives: Spans::of(lives) }
    }

    /// A copy that used the old version must use a newer one, or be gone: quiet on both for longer
    /// than its rhythm explains. One restarted copy does not speak for the others.
    fn judge(
        &self,
        answer: &mut ConsumerAnswer,
        whole: &Rhythm,
        observed: &Observed,
        interval: Option<u64>,
        policy: &Policy,
    ) {
        for copy in &self.steady {
            let soak = copy.rhythm.soak(None, policy);
            judge_copy(answer, copy, soak, copy.rhythm.quiet_at_most(), observed);
        }
        if self.others.is_empty() {
            return;
        }
        let together = self.soak_of_others(&self.rhythm_of_others(observed), interval, policy);
        let as_whole = self.soak_of_others(whole, interval, policy);
        for copy in &self.others {
            let is_better = self.is_successor(copy) && as_whole.0.seconds < together.0.seconds;
            let (soak, usual) = if is_better { as_whole } else { together };
            judge_copy(answer, copy, soak, usual, observed);
        }
    }

    /// Whether a copy lived shortly and beside none but its like: one took the place of another, at
    /// each deployment or run, and the consumer's rhythm is theirs.
    fn is_successor(&self, copy: &Process<'_>) -> bool {
        let beside = self.lives.seconds_within(copy.first(), copy.old_last);
        copy.life() < TWO_WEEKS && beside <= HANDOVER
    }

    /// The soak that follows from a rhythm, but no shorter than the longest gap within any of the
    /// others asks for; and for how long they usually are quiet at most.
    fn soak_of_others(
        &self,
        rhythm: &Rhythm,
        interval: Option<u64>,
        policy: &Policy,
    ) -> (Soak, f64) {
        let mut soak = rhythm.soak(interval, policy);
        let within: Vec<f64> = self.others.iter().flat_map(|it| &it.rhythm.gaps).copied().collect();
        let seconds = extended_seconds(&within, rhythm.share(policy));
        let seconds = seconds.min(policy.rare_floor_seconds);
        if seconds > soak.seconds {
            let is_rare = seconds >= policy.rare_floor_seconds;
            let method = if is_rare { Method::RareFloor } else { Method::TailModel };
            let longest_gap_seconds = Some(longest(&within));
            soak = Soak { gap_count: within.len(), longest_gap_seconds, method, seconds };
        }
        (soak, rhythm.quiet_at_most().max(longest(&within)))
    }

    /// What the others show together.
    fn rhythm_of_others(&self, observed: &Observed) -> Rhythm {
        let mut all: Vec<Activity> =
            self.others.iter().flat_map(|it| it.activities).copied().collect();
        all.sort_by_key(|it| (it.first_time, it.last_time));
        Rhythm::of(&all, self.new_first, observed)
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
            ahead <= it.rhythm.usual_of_rest().max(it.quiet)
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
    activities: &[Activity],
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
        // Of what is later than the watermark, uses of the newer one may still be missing.
        let behind =
            old_last.min(observed.watermark).saturating_sub(new_last) as f64 / SECOND as f64;
        let new: Vec<Activity> =
            activities.iter().filter(|it| it.version == Side::New).copied().collect();
        let quiet = Rhythm::of_all(activities, observed).quiet_at_most();
        // Of several copies, those that use the newer one may be fewer, and quiet for longer.
        let quiet = match Rhythm::of_all(&new, observed) {
            it if it.gaps.is_empty() => quiet,
            it => quiet.max(it.quiet_at_most()),
        };
        return if behind > quiet { State::Reverted } else { State::Both };
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

/// What the registry says of a consumer: of its own environment first. Where its environment is not
/// known it may be any of that name, and is held to the slowest; that none of them is gone, see
/// `gone_time`.
fn declaration<'a>(evidence: &'a Evidence, consumer: &Consumer) -> Option<&'a Declared> {
    let name = consumer.workload.as_deref()?;
    let at = consumer.environment.as_deref();
    let named = evidence.declared.iter().filter(|it| it.workload == name);
    let fitting = named.filter(|it| {
        let there = it.environment.as_deref();
        there.is_none() || at.is_none() || there == at
    });
    fitting.max_by_key(|it| {
        let is_own = it.environment.as_deref() == at;
        (is_own, it.interval_seconds.unwrap_or(u64::MAX))
    })
}

fn shown_by(activities: &[Activity]) -> Vec<usize> {
    let mut all: Vec<usize> = activities.iter().map(|it| it.shown_by as usize).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn is_straggler(activities: &[Activity], cutoff: Option<i64>) -> bool {
    let Some(cutoff) = cutoff else { return false };
    activities.iter().any(|it| it.version == Side::Old && it.last_time >= cutoff)
}
