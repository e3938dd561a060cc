//! How long a consumer must stay quiet: the one place of the statistics.
//!
//! A consumer that still holds the old version is called quiet by mistake when a gap between two
//! of its uses is longer than the soak. With n gaps observed, the chance that a further one is
//! longer than the longest, L, is at most 1/(n+1) whatever the distribution, if gaps are
//! exchangeable. But the question is asked every hour, and a switch happens at a random instant:
//! both fall into long gaps more often than into short ones. The chance that a random instant of
//! n+1 exchangeable gaps falls into the longest is its share of their time; with the gap in
//! question taken to be as long as the longest so far, L / (T + L), T being the sum of the gaps.
//! As L is at least T / n, this is never less than 1/(n+1).
//!
//! Asking more often within one gap adds no risk: the gate passes in that gap or not. Each further
//! use after the first one of the new version starts a further gap, and one more chance to err;
//! the k-th of them gets the share 1 / (k (k+1)) of the risk, which sum to one (alpha spending,
//! Lan and DeMets 1983). The m processes that are judged share it evenly (Bonferroni).
//!
//! Where L / (T + L) is more than the wanted risk, the soak is extended under the assumption that
//! gaps are "new better than used": S(x + y) <= S(x) S(y) (Barlow and Proschan 1975), which holds
//! for periodic, jittered and exponential gaps. Then the chance of a gap of r L is at most
//! (L / (T + L))^r. It does not hold for a rhythm that gets rarer the longer it is quiet; the
//! floor for rare jobs is there for those, and for a job that never showed itself apart.

use crate::evidence::Policy;

/// With fewer gaps no rhythm is told from them.
pub(crate) const GAPS_MIN: usize = 5;

/// How a soak was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// The longest gap: there are enough for the wanted risk.
    LongestGap,
    /// The longest gap, extended by the tail model.
    TailModel,
    /// Twice the interval of the declared schedule.
    Schedule,
    /// The policy's floor.
    Floor,
    /// The policy's floor for rare jobs: too few uses to tell a rhythm.
    RareFloor,
}

impl Method {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LongestGap => "longest_gap",
            Self::TailModel => "tail_model",
            Self::Schedule => "schedule",
            Self::Floor => "floor",
            Self::RareFloor => "rare_floor",
        }
    }
}

/// How long a consumer must stay quiet, and why.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Soak {
    /// Gaps that were observed.
    pub gap_count: usize,
    /// The longest of them.
    pub longest_gap_seconds: Option<f64>,
    /// How `seconds` was reached.
    pub method: Method,
    /// The soak itself.
    pub seconds: f64,
}

/// The soak after `gaps` (in seconds of observed time) for one decision of risk `share`.
///
/// `interval_seconds` is that of a declared schedule.
pub fn soak(gaps: &[f64], share: f64, interval_seconds: Option<u64>, policy: &Policy) -> Soak {
    let longest = gaps.iter().copied().fold(0.0, f64::max);
    let declared = interval_seconds.map(|it| 2.0 * it as f64);
    let rare = policy.rare_floor_seconds.max(2.0 * longest);
    let (method, seconds) = if gaps.len() < GAPS_MIN {
        match declared {
            Some(it) => (Method::Schedule, it.max(2.0 * longest)),
            None => (Method::RareFloor, rare),
        }
    } else {
        let chance = longest / (gaps.iter().sum::<f64>() + longest);
        let times = share.ln() / chance.ln();
        match longest * times.max(1.0) {
            it if it > rare => (Method::RareFloor, rare),
            it if times > 1.0 => (Method::TailModel, it),
            it => (Method::LongestGap, it),
        }
    };
    let (method, seconds) = match declared {
        Some(it) if it > seconds => (Method::Schedule, it),
        _ => (method, seconds),
    };
    let (method, seconds) = match policy.floor_seconds {
        it if it > seconds => (Method::Floor, it),
        _ => (method, seconds),
    };
    let longest_gap_seconds = (!gaps.is_empty()).then_some(longest);
    Soak { gap_count: gaps.len(), longest_gap_seconds, method, seconds }
}
