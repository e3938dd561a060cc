//! What a consumer does about the new version.

use crate::random::Random;
use crate::rhythm::{DAY, HOUR, Rhythm};

/// What it does, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Its copies switch one after another, `step` seconds apart.
    Switch {
        /// The first of them.
        at: i64,
        /// See above.
        step: i64,
    },
    /// The last copy is forgotten.
    Forgotten {
        /// When the others switch.
        at: i64,
        /// When it is found; never if none.
        fixed: Option<i64>,
    },
    /// It goes on with the old version.
    Never,
    /// It goes back to the old version for a while.
    Reverts {
        /// When it switches.
        at: i64,
        /// When it goes back.
        back: i64,
        /// When it switches again; never if none.
        again: Option<i64>,
    },
    /// It was given a wrong value, is refused, and falls back to the old one.
    Failing {
        /// From then on.
        at: i64,
        /// Until then; forever if none.
        fixed: Option<i64>,
    },
    /// Part of it has the old version: each copy uses the two in turn.
    Both {
        /// From then on.
        at: i64,
        /// Until then; forever if none.
        fixed: Option<i64>,
    },
    /// It ends, and never has the new version.
    Gone {
        /// When.
        at: i64,
        /// Whether the registry says so.
        is_declared: bool,
    },
    /// It comes with the new version.
    NewOnly {
        /// When.
        at: i64,
    },
}

impl Plan {
    /// One for a consumer of this rhythm and so many copies.
    pub(crate) fn choose(
        random: &mut Random,
        start: i64,
        end: i64,
        rhythm: Rhythm,
        copies: u32,
    ) -> Self {
        let at = start + random.whole(0, 10 * DAY);
        // Long enough to be seen for what it is.
        let long = random.whole(8, 16) * rhythm.cycle().max(2 * DAY);
        let fixed = random.happens(0.7).then_some(at + long).filter(|it| *it < end - 120 * DAY);
        let several = if copies > 1 { 0.12 } else { 0.0 };
        // Most who go back do so within hours; some when nobody could expect it any more.
        let back =
            at + if random.happens(0.7) { random.whole(2 * HOUR, 20 * HOUR) } else { long / 4 };
        let step = random.pick(&[(0.5, 0), (0.3, HOUR), (0.2, 3 * DAY)]);
        random.pick(&[
            (0.66, Self::Switch { at, step }),
            (0.1, Self::Switch { at: at + random.clone().whole(10 * DAY, 40 * DAY), step }),
            (several, Self::Forgotten { at, fixed }),
            (0.015, Self::Never),
            (0.035, Self::Reverts { at, back, again: fixed }),
            (0.03, Self::Failing { at, fixed }),
            (0.03, Self::Both { at, fixed }),
            (0.03, Self::Gone { at, is_declared: true }),
            (0.01, Self::Gone { at, is_declared: false }),
            (0.03, Self::NewOnly { at }),
        ])
    }

    /// The versions that a copy presents at its use at `time`, and whether they are refused.
    pub(crate) fn attempts(&self, copy: u32, time: i64, turn: usize) -> Vec<(i8, bool)> {
        const OLD: (i8, bool) = (0, false);
        const NEW: (i8, bool) = (1, false);
        let until = |it: Option<i64>| time < it.unwrap_or(i64::MAX);
        match *self {
            Self::Switch { at, step } if time < at + step * i64::from(copy) => vec![OLD],
            Self::Forgotten { at, .. }
            | Self::Reverts { at, .. }
            | Self::Failing { at, .. }
            | Self::Both { at, .. }
                if time < at =>
            {
                vec![OLD]
            }
            Self::Forgotten { fixed, .. } if copy == 0 && until(fixed) => vec![OLD],
            Self::Reverts { back, again, .. } if time >= back && until(again) => vec![OLD],
            Self::Failing { fixed, .. } if until(fixed) => vec![(1, true), OLD],
            Self::Both { fixed, .. } if until(fixed) => {
                vec![if turn.is_multiple_of(2) { OLD } else { NEW }]
            }
            Self::Never => vec![OLD],
            Self::Gone { at, .. } => {
                if time < at {
                    vec![OLD]
                } else {
                    vec![]
                }
            }
            _ => vec![NEW],
        }
    }

    /// Whether it goes back after a day or more: somebody's new decision, which no past use tells.
    pub(crate) fn goes_back_late(&self) -> bool {
        matches!(*self, Self::Reverts { at, back, .. } if back - at >= DAY)
    }

    /// When the last thing happens that is planned.
    pub(crate) fn last_change(&self) -> i64 {
        const NEVER: i64 = i64::MAX / 4;
        match *self {
            Self::Switch { at, step } => at + 8 * step,
            Self::Forgotten { fixed: until, .. }
            | Self::Failing { fixed: until, .. }
            | Self::Both { fixed: until, .. }
            | Self::Reverts { again: until, .. } => until.unwrap_or(NEVER),
            Self::Gone { at, .. } | Self::NewOnly { at } => at,
            Self::Never => NEVER,
        }
    }
}
