//! The verdict, and its reasons as data. docs/verdicts.md says what to do about each code.

use crate::consumer::{Broken, ByConsumer, ConsumerAnswer, State, answer};
use crate::evidence::{Evidence, Outcome, Policy, SECOND, Side};
use crate::history::Observed;
use crate::soak::Method;

/// May the version be revoked?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes: every known consumer is settled or gone, and the logs show it.
    NotUsed,
    /// No: somebody is not settled.
    Used,
    /// Nobody is known to need it, but the logs do not allow saying so.
    Unknown,
}

impl Verdict {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotUsed => "not_used",
            Self::Used => "used",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a verdict is not `not_used`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// One of the codes of docs/verdicts.md.
    pub code: &'static str,
    /// What it says about the verdict.
    pub verdict: Verdict,
    /// The row of `Evidence::consumers` it is about.
    pub consumer: Option<usize>,
    /// The row of `Evidence::declared` it is about.
    pub declared: Option<usize>,
    /// When it passes if nothing else is seen; none if somebody must act.
    pub until_time: Option<i64>,
}

/// The answer to "may this version be revoked?".
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, if it is not `not_used`.
    pub reasons: Vec<Reason>,
    /// What is known of each of `Evidence::consumers`.
    pub consumers: Vec<ConsumerAnswer>,
    /// When the last soak is over.
    pub soak_until_time: Option<i64>,
    /// When the verdict could become `not_used` if nothing else is seen; none if somebody must act.
    pub wait_until_time: Option<i64>,
    /// Who would have broken, had the version been revoked at the instant asked about.
    pub would_break: Vec<Broken>,
}

/// Judges one version; with `cutoff_time`, also replays history as if it had been revoked then.
pub fn judge(evidence: &Evidence, policy: &Policy, cutoff_time: Option<i64>) -> Answer {
    let activities = ByConsumer::of(evidence);
    let each = evidence.consumers.iter().enumerate();
    let consumers: Vec<ConsumerAnswer> =
        each.map(|(place, it)| answer(it, &activities.get(place), evidence, policy)).collect();
    let mut reasons = Vec::new();
    for (place, it) in consumers.iter().enumerate() {
        consumer_reasons(&mut reasons, place, it, evidence);
    }
    never_seen(&mut reasons, &consumers, evidence, policy);
    of_version(&mut reasons, &consumers, evidence, policy);
    let verdict = if reasons.iter().any(|it| it.verdict == Verdict::Used) {
        Verdict::Used
    } else if reasons.is_empty() {
        Verdict::NotUsed
    } else {
        Verdict::Unknown
    };
    let soaking = consumers.iter().filter(|it| it.state == Some(State::Switched));
    let soak_until_time = soaking.filter_map(|it| it.until_time).max();
    let waits: Option<Vec<i64>> = reasons.iter().map(|it| it.until_time).collect();
    Answer {
        verdict,
        soak_until_time,
        wait_until_time: waits.and_then(|it| it.into_iter().max()),
        reasons,
        consumers,
        would_break: cutoff_time.map_or_else(Vec::new, |it| would_break(evidence, it)),
    }
}

fn consumer_reasons(
    reasons: &mut Vec<Reason>,
    place: usize,
    it: &ConsumerAnswer,
    evidence: &Evidence,
) {
    if it.is_clear() {
        return;
    }
    let mut add = |code, verdict, until_time| {
        reasons.push(Reason { code, verdict, consumer: Some(place), declared: None, until_time });
    };
    match it.state {
        Some(State::OldOnly) if evidence.is_newest => {
            add("no_newer_version", Verdict::Used, None);
        }
        Some(State::OldOnly) => add("uses_old", Verdict::Used, None),
        Some(State::Both)
            if !it.open_processes.is_empty() && it.new_used_time > it.old_used_time =>
        {
            add("process_uses_old", Verdict::Used, it.until_time);
        }
        Some(State::Both) => add("uses_both", Verdict::Used, None),
        Some(State::Reverted) => add("reverted", Verdict::Used, None),
        Some(State::FailingNew) => add("failing_new", Verdict::Used, None),
        Some(State::Dormant) => add("dormant", Verdict::Used, None),
        Some(State::Switched) => {
            let over = it.until_time.is_some_and(|it| it <= evidence.as_of_time);
            let is_rare = it.soak.is_some_and(|it| it.method == Method::RareFloor);
            match () {
                () if over => add("coverage_behind", Verdict::Unknown, it.until_time),
                () if it.hole_end_time.is_some() => {
                    add("coverage_hole", Verdict::Unknown, it.until_time);
                }
                () if is_rare => add("rhythm_unknown", Verdict::Unknown, it.until_time),
                () => add("soak_not_over", Verdict::Used, it.until_time),
            }
        }
        Some(State::Settled | State::NewOnly) | None => {}
    }
    if it.gone_time.is_some() {
        add("gone_but_used", Verdict::Used, None);
    }
}

/// Consumers that the registry names and no log showed: their silence must have been heard.
fn never_seen(
    reasons: &mut Vec<Reason>,
    consumers: &[ConsumerAnswer],
    evidence: &Evidence,
    policy: &Policy,
) {
    for (place, declared) in evidence.declared.iter().enumerate() {
        let is_gone = declared.gone_time.is_some_and(|it| it <= evidence.as_of_time);
        let mut seen = evidence.consumers.iter().zip(consumers);
        let is_seen = seen.any(|(it, answer)| {
            it.workload.as_deref() == Some(declared.workload.as_str())
                && (declared.environment.is_none()
                    || it.environment.is_none()
                    || it.environment == declared.environment)
                && answer.state.is_some()
        });
        if !is_gone && !is_seen {
            let seconds = declared.interval_seconds.map(|it| 2.0 * it as f64);
            let seconds = seconds.unwrap_or(policy.rare_floor_seconds).max(policy.floor_seconds);
            silence(reasons, ("declared_never_seen", Some(place)), evidence, seconds);
        }
    }
}

/// How long after a request a service may still call others on behalf of it: an hour.
const FORWARDED_MICROS: i64 = 3600 * SECOND;

/// Reasons that are about the version and its logs as a whole.
fn of_version(
    reasons: &mut Vec<Reason>,
    consumers: &[ConsumerAnswer],
    evidence: &Evidence,
    policy: &Policy,
) {
    let mut add = |code, verdict, until_time| {
        reasons.push(Reason { code, verdict, consumer: None, declared: None, until_time });
    };
    if !evidence.has_identifier {
        add("no_identifier", Verdict::Unknown, None);
    }
    if !evidence.ambiguous_identifiers.is_empty() {
        add("ambiguous_identifier", Verdict::Unknown, None);
    }
    let rare = (policy.rare_floor_seconds * SECOND as f64) as i64;
    if let Some(until) = evidence.tail_expires_time.filter(|it| *it > evidence.as_of_time) {
        add("tail_not_passed", Verdict::Used, Some(until));
    }
    let endless = evidence.endless_issued_time.map(|it| it.saturating_add(rare));
    if let Some(until) = endless.filter(|it| *it > evidence.as_of_time) {
        add("tail_unknown", Verdict::Unknown, Some(until));
    }
    let since = consumers.iter().filter_map(|it| it.old_used_time).max();
    // What a service does for a request ends soon after it.
    let is_apart = |it: &i64| since.is_none_or(|last| it.saturating_sub(last) > FORWARDED_MICROS);
    let forwarded = evidence.forwarded_used_time.filter(is_apart);
    // Uses that may be the version's count like a rare job's: nothing tells their rhythm.
    let doubts = [
        ("forwarded_use", forwarded),
        ("principal_only", evidence.principal_used_time),
        ("unresolved_sessions", evidence.unresolved_used_time),
    ];
    for (code, time) in doubts {
        let later = time.filter(|it| since.is_none_or(|last| *it > last));
        let until = later.map(|it| it.saturating_add(rare));
        if let Some(until) = until.filter(|it| *it > evidence.as_of_time) {
            add(code, Verdict::Unknown, Some(until));
        }
    }
    // A misspelt identifier is silent for ever, and so is one of a log that is not read.
    let is_shown = evidence.has_identifier && evidence.coverage.iter().any(|it| it.shows_kind);
    if since.is_none() && is_shown && !evidence.is_confirmed {
        add("never_seen", Verdict::Unknown, None);
    }
    if since.is_none() {
        silence(reasons, ("nobody_seen", None), evidence, policy.rare_floor_seconds);
    }
}

/// Where nobody was seen, the logs that could have shown somebody must cover `seconds` without a
/// hole since the version may be used, or none of it counts.
fn silence(
    reasons: &mut Vec<Reason>,
    (code, declared): (&'static str, Option<usize>),
    evidence: &Evidence,
    seconds: f64,
) {
    let rows: Vec<usize> =
        (0..evidence.coverage.len()).filter(|it| evidence.coverage[*it].shows_kind).collect();
    let mut add = |code, declared, until_time| {
        let verdict = Verdict::Unknown;
        let reason = Reason { code, verdict, consumer: None, declared, until_time };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    };
    let Some(start) = rows.iter().map(|it| evidence.coverage[*it].start_time).max() else {
        return add("no_source_shows_it", None, None);
    };
    let observed = Observed::new(evidence, &rows);
    let start = start.max(evidence.active_time.unwrap_or(start));
    let from = observed.last_hole_after(start).unwrap_or(start);
    let until = from.saturating_add((seconds * SECOND as f64) as i64);
    if until > observed.watermark {
        add(code, declared, Some(until));
    }
}

/// Replays history as if the version had been revoked at `cutoff`.
fn would_break(evidence: &Evidence, cutoff: i64) -> Vec<Broken> {
    let mut all: Vec<Option<Broken>> = vec![None; evidence.consumers.len()];
    let late = evidence.activities.iter().filter(|it| {
        it.version == Side::Old && it.outcome == Outcome::Used && it.last_time >= cutoff
    });
    for it in late {
        let Some(place) = all.get_mut(it.consumer as usize) else { continue };
        let broken = place.get_or_insert(Broken {
            consumer: it.consumer as usize,
            first_time: i64::MAX,
            last_time: i64::MIN,
            use_count: 0,
            derived_use_count: 0,
        });
        broken.first_time = broken.first_time.min(it.first_time.max(cutoff));
        broken.last_time = broken.last_time.max(it.last_time);
        let count =
            if it.is_derived { &mut broken.derived_use_count } else { &mut broken.use_count };
        *count += it.count;
    }
    all.into_iter().flatten().collect()
}
