//! When a copy of a consumer uses a secret.

use crate::random::Random;

/// Seconds of an hour.
pub const HOUR: i64 = 3600;
/// Seconds of a day. Day 0 is a Monday.
pub const DAY: i64 = 24 * HOUR;

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Every few minutes, around the clock.
    Minutes,
    /// Every hour or so.
    Hourly,
    /// When people work.
    Office,
    /// Every night; one run in thirty is left out.
    Nightly,
    /// Every night before a working day.
    Weeknights,
    /// Once a week.
    Weekly,
    /// On the first of the month.
    Monthly,
    /// On the first of a quarter.
    Quarterly,
    /// At any time, with a mean of hours.
    Random,
    /// At any time, with a mean of days.
    Seldom,
    /// In bursts with long silences between them.
    Bursts,
}

impl Rhythm {
    /// The longest gap that is usual, in seconds.
    pub fn cycle(self) -> i64 {
        match self {
            Self::Minutes | Self::Hourly => 2 * HOUR,
            Self::Random => 18 * HOUR,
            Self::Nightly => 2 * DAY,
            Self::Office | Self::Weeknights => 3 * DAY + 12 * HOUR,
            Self::Weekly => 7 * DAY + 12 * HOUR,
            Self::Bursts => 5 * DAY,
            Self::Seldom => 14 * DAY,
            Self::Monthly => 32 * DAY,
            Self::Quarterly => 93 * DAY,
        }
    }

    /// Whether a history of so many seconds shows it often enough to be told.
    pub fn is_known(self, history: i64) -> bool {
        match self {
            Self::Monthly | Self::Quarterly | Self::Seldom => false,
            Self::Weekly => history >= 84 * DAY,
            Self::Bursts => history >= 56 * DAY,
            _ => history >= 28 * DAY,
        }
    }

    /// The uses of one copy in a span, in the order of time, in seconds. Every use is one instant;
    /// of those within minutes the first and the last of each hour.
    pub fn uses(self, from: i64, to: i64, random: &mut Random) -> Vec<i64> {
        match self {
            Self::Minutes => (from / HOUR..=to / HOUR)
                .flat_map(|hour| {
                    let (early, late) = (random.whole(0, 300), random.whole(3300, 3600));
                    [hour * HOUR + early, hour * HOUR + late]
                })
                .filter(|it| (from..to).contains(it))
                .collect(),
            Self::Hourly => steps(from, to, |_| HOUR as f64 * random.between(0.95, 1.3)),
            Self::Random => steps(from, to, |_| random.exponential(2.5 * HOUR as f64)),
            Self::Seldom => steps(from, to, |_| random.exponential(2.5 * DAY as f64)),
            Self::Bursts => steps(from, to, |_| {
                let long = random.happens(0.2);
                if long {
                    random.exponential(20.0 * HOUR as f64)
                } else {
                    random.between(0.5, 1.5) * HOUR as f64
                }
            }),
            Self::Office => office(from, to, random),
            Self::Nightly => {
                nights(from, to, random, |random, day| day >= 0 && !random.happens(0.03))
            }
            Self::Weeknights => nights(from, to, random, |_, day| day.rem_euclid(7) < 5),
            Self::Weekly => {
                let on = random.whole(0, 7);
                nights(from, to, random, |_, day| day.rem_euclid(7) == on)
            }
            Self::Monthly => nights(from, to, random, |_, day| is_first(day, 1)),
            Self::Quarterly => nights(from, to, random, |_, day| is_first(day, 3)),
        }
    }
}

fn steps(from: i64, to: i64, mut gap: impl FnMut(i64) -> f64) -> Vec<i64> {
    let mut all = Vec::new();
    let mut at = from + gap(from) as i64 / 2;
    while at < to {
        all.push(at);
        at += (gap(at) as i64).max(1);
    }
    all
}

fn office(from: i64, to: i64, random: &mut Random) -> Vec<i64> {
    let mut all = Vec::new();
    for day in from / DAY..=to / DAY {
        if day.rem_euclid(7) < 5 {
            let mut at = day * DAY + 8 * HOUR + random.whole(0, 2 * HOUR);
            let end = day * DAY + 16 * HOUR + random.whole(0, 2 * HOUR);
            while at < end {
                all.push(at);
                at += random.exponential(0.7 * HOUR as f64) as i64 + 1;
            }
        }
    }
    all.retain(|it| (from..to).contains(it));
    all
}

fn nights(
    from: i64,
    to: i64,
    random: &mut Random,
    mut runs: impl FnMut(&mut Random, i64) -> bool,
) -> Vec<i64> {
    let mut all = Vec::new();
    for day in from / DAY..=to / DAY {
        if runs(random, day) {
            all.push(day * DAY + 2 * HOUR + random.whole(0, 5400));
        }
    }
    all.retain(|it| (from..to).contains(it));
    all
}

/// Whether a day is the first of a month, of every `every`th; day 0 is the first of a year.
fn is_first(day: i64, every: i64) -> bool {
    const LENGTHS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut rest = day.rem_euclid(365);
    for (month, length) in LENGTHS.iter().enumerate() {
        if rest < *length {
            return rest == 0 && month as i64 % every == 0;
        }
        rest -= length;
    }
    false
}
