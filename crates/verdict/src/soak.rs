//! How long a consumer must stay quiet: the one place of the statistics.
//!
//! A consumer that still holds the old version is called quiet by mistake when a gap between two
//! of its uses is longer than the soak. With n gaps observed, the chance that a further one is
//! longer than the longest, L, is at most 1/(n+1) whatever the distribution, if gaps are
//! exchangeable. But the question is asked every hour, and a switch happens at a random instant:
//! both fall into long gaps more often than into short ones. The chance that a random instant of
//! n+1 exchangeable gaps falls into the longest is its share of their time; with the gap in
//! question taken to be as long as the longest so far, L / (T + L), T being the sum of the gaps.
//! That is 1/(N+1) where N = T / L says how often the longest gap fits into the time seen. N is
//! never more than n, and retries, bursts and rows of one hour, which add many short gaps, do not
//! add to it. It is taken for the number of gaps everywhere below.
//!
//! Where 1/(N+1) is more than the wanted risk, the soak is r L, r chosen so that a gap longer than
//! r times the longest of N has that risk if gaps are exponential:
//! P(X > r max(X1..XN)) = E exp(-r L / mean) = N! G(r+1) / G(N+r+1), G being the gamma function.
//! It counts that L itself is an estimate, which the power (1/(N+1))^r does not: for few gaps that
//! is too small by far. Gaps that are "new better than used", S(x + y) <= S(x) S(y) (Barlow and
//! Proschan 1975: periodic, jittered), are longer than r times their longest less often than
//! exponential ones. It does not hold for a rhythm that gets rarer the longer it is quiet; the
//! floor for rare jobs is there for those.
//!
//! A rhythm is told only from a time that holds its longest gap and a day, the shortest cycle of
//! those who work by the calendar, five times: the hours of one run of a monthly job are none.
//! Who was seen for less than two weeks may rest at weekends, so must be quiet for a week.
//!
//! Asking more often within one gap adds no risk: the gate passes in that gap or not. Each further
//! use after the first one of the new version starts a further gap, and one more chance to err;
//! the k-th of them gets the share 1 / (k (k+1)) of the risk, which sum to one (alpha spending,
//! Lan and DeMets 1983).
//!
//! Many consumers and many copies take no shares of the risk. The verdict is wrong while somebody
//! still uses the old version, and it passes only when everybody is quiet, that one too: whoever
//! it is, his own test must err first. So the risk of the whole is no more than that of one test
//! (an intersection-union test: Berger 1982, Technometrics 24:295), and thousands of copies that
//! are gone make nobody wait longer.
//!
//! What no test on past uses can bound: a job that first runs after the switch, or one whose uses
//! cannot be told from those of a busier copy at the same place.

use crate::evidence::Policy;

const DAY: f64 = 86_400.0;
/// A rhythm is told from a time that holds its longest gap this often.
const TIMES_MIN: f64 = 5.0;
/// Who was seen for less than this may rest at weekends.
pub(crate) const TWO_WEEKS: f64 = 14.0 * DAY;

/// How a soak was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// The longest gap: there are enough for the wanted risk.
    LongestGap,
    /// The longest gap, extended by the tail model.
    TailModel,
    /// Twice the interval of the declared schedule.
    Schedule,
    /// A week: seen for less than two.
    ShortHistory,
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
            Self::ShortHistory => "short_history",
            Self::Floor => "floor",
            Self::RareFloor => "rare_floor",
        }
    }
}

/// How long a consumer must stay quiet, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Soak {
    /// Gaps that were observed; those within one hour count as one.
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
    let longest = longest(gaps);
    let seen = gaps.iter().sum::<f64>();
    let declared = interval_seconds.map(|it| 2.0 * it as f64);
    let rare = policy.rare_floor_seconds.max(2.0 * longest);
    let (method, seconds) = if !is_told(gaps) {
        match declared {
            Some(it) => (Method::Schedule, it.max(2.0 * longest)),
            None => (Method::RareFloor, rare),
        }
    } else {
        let times = times(seen / longest, share);
        match longest * times {
            it if it > rare => (Method::RareFloor, rare),
            it if it < TWO_WEEKS / 2.0 && seen < TWO_WEEKS => {
                (Method::ShortHistory, TWO_WEEKS / 2.0)
            }
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

/// Whether a rhythm is told from `gaps`.
pub(crate) fn is_told(gaps: &[f64]) -> bool {
    gaps.iter().sum::<f64>() >= TIMES_MIN * longest(gaps).max(DAY)
}

pub(crate) fn longest(gaps: &[f64]) -> f64 {
    gaps.iter().copied().fold(0.0, f64::max)
}

/// The extended longest gap alone, whether or not a rhythm is told from it.
pub(crate) fn extended_seconds(gaps: &[f64], share: f64) -> f64 {
    let longest = longest(gaps);
    if longest > 0.0 { longest * times(gaps.iter().sum::<f64>() / longest, share) } else { 0.0 }
}

/// How many times the longest of `count` gaps the soak must be; at least once.
fn times(count: f64, share: f64) -> f64 {
    // ln of N! G(r+1) / G(N+r+1), which falls as r grows.
    let chance = |r: f64| ln_gamma(count + 1.0) + ln_gamma(r + 1.0) - ln_gamma(count + r + 1.0);
    let (mut low, mut high) = (1.0, 2.0);
    if chance(low) <= share.ln() {
        return 1.0;
    }
    while chance(high) > share.ln() && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if chance(middle) > share.ln() { low = middle } else { high = middle }
    }
    high
}

/// ln G(x) for x of at least 1, by Stirling's series above 10: good to ten digits.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 1.0);
    while x < 10.0 {
        below *= x;
        x += 1.0;
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - below.ln()
}
