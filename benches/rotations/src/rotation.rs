//! The format: one rotation and its label, one answer to it. README.md says it for those who score
//! a tool of their own. Instants are seconds from an arbitrary Monday, 00:00.

use serde::{Deserialize, Serialize};

/// A rotation as its logs show it, and the truth beside it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Rotation {
    /// Its number.
    pub id: u64,
    /// When the new version was there to be used; from then on the question is asked every hour.
    pub start_time: i64,
    /// The end of it all.
    pub end_time: i64,
    /// How many consumers there are; they go by number.
    pub consumer_count: u32,
    /// What logs were read.
    pub sources: Vec<Source>,
    /// What they hold, in the order of `time`.
    pub log: Vec<Use>,
    /// Sessions that were obtained with the old version.
    pub exchanges: Vec<Exchange>,
    /// Uses of sessions of which no log says what they were obtained with.
    pub unresolved: Vec<Unresolved>,
    /// What the registry says.
    pub declared: Vec<Declared>,
    /// What no method may look at.
    pub truth: Truth,
}

/// One log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Source {
    /// How late even the quickest of its events are.
    pub lag_seconds: i64,
    /// How much later than that an event may arrive, as its maker says.
    pub delay_seconds: i64,
    /// Spans of which nothing ever arrives, and that are noticed once something does again.
    pub holes: Vec<(i64, i64)>,
}

/// A request in the log.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Use {
    /// By the clock of the source.
    pub time: i64,
    /// When it could be read.
    pub arrival_time: i64,
    /// Whose.
    pub consumer: u32,
    /// The address or instance, and user agent; consumers behind one address may share it.
    pub process: u32,
    /// Which log.
    pub source: u8,
    /// -1 for an earlier version, 0 for the old one, 1 for the new one.
    pub version: i8,
    /// Whether the credential itself was refused.
    pub is_rejected: bool,
    /// Whether it presented a session that was obtained with the version.
    pub is_derived: bool,
}

/// A session that was obtained with the old version.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Exchange {
    /// When, by the clock of the source.
    pub time: i64,
    /// When it could be read.
    pub arrival_time: i64,
    /// When it ends; none if no log says so.
    pub expires_time: Option<i64>,
}

/// A use of a session of which no log says what it was obtained with.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Unresolved {
    /// When, by the clock of the source.
    pub time: i64,
    /// When it could be read.
    pub arrival_time: i64,
}

/// What the registry says of a consumer.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Declared {
    /// Of whom.
    pub consumer: u32,
    /// When it was said.
    pub time: i64,
    /// How often it uses the secret.
    pub interval_seconds: Option<u64>,
    /// From when on it is gone.
    pub gone_time: Option<i64>,
}

/// The label.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Truth {
    /// What no method can know from these logs; such rotations are scored apart.
    pub unknowable: Option<String>,
    /// Uses of the old version after `start_time`, by whom, that a hole hides which is noticed.
    pub hidden_uses: Vec<(u32, i64)>,
    /// No holes, no lost exchanges, and every session's end known.
    pub is_complete: bool,
    /// Whether each consumer's rhythm can be told from the log.
    pub is_rhythm_known: bool,
    /// Whether somebody left without a use of the new version, and nobody said so.
    pub has_silent_end: bool,
    /// For each consumer, when it last used the old version, seen or not.
    pub last_used_time: Vec<Option<i64>>,
    /// For each consumer and each of its uses of the old version after `start_time`, seen or not.
    pub late_uses: Vec<(u32, i64)>,
    /// Which state a consumer is in at an instant.
    pub states: Vec<Scripted>,
    /// Instants at which a right answer is due.
    pub questions: Vec<Question>,
    /// Instants at which the old version might have been revoked.
    pub cutoffs: Vec<i64>,
}

impl Truth {
    /// When the old version was last used by anybody.
    pub fn last_used(&self) -> Option<i64> {
        self.last_used_time.iter().copied().flatten().max()
    }

    /// The consumers that a revocation at `cutoff` would have broken.
    pub fn broken_at(&self, cutoff: i64) -> Vec<u32> {
        let late = self.late_uses.iter().filter(|it| it.1 >= cutoff).map(|it| it.0);
        let mut all: Vec<u32> = late.collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// An instant at which a right answer is due.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Question {
    /// When it is asked.
    pub time: i64,
    /// Whether the old version is still used from then on. If not, it has been left for 45 days.
    pub is_used: bool,
}

/// A consumer's state at an instant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scripted {
    /// When it is asked.
    pub time: i64,
    /// Of whom.
    pub consumer: u32,
    /// One of the states of docs/verdicts.md.
    pub state: String,
}

/// What a method says of one rotation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Of which.
    pub id: u64,
    /// The name of the method.
    pub method: String,
    /// The first hour at which it said that the old version may be revoked.
    pub revoke_time: Option<i64>,
    /// What it said to the label's questions, in their order.
    pub verdicts: Vec<Said>,
    /// As many as the label scripts, in its order.
    pub states: Vec<Option<String>>,
    /// For each of the label's cutoffs, who would have broken, told from the logs of the whole.
    pub breaks: Vec<Vec<u32>>,
    /// The same, told at the cutoff from the logs until then.
    pub forecasts: Vec<Vec<u32>>,
}

/// What a method said at an instant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// `not_used`, `used` or `unknown`.
    pub verdict: String,
    /// Who was named as a reason.
    pub consumers: Vec<u32>,
}
