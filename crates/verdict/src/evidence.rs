//! What is known that bears on one secret version.

/// Microseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000;

/// Everything known, as of one instant, that bears on whether a version may be revoked.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// The instant of the question; nothing below is later.
    pub as_of_time: i64,
    /// Whether the version is known by an identifier that a log could show.
    pub has_identifier: bool,
    /// Whether a log shows that its identifier is right: a log that names a version of the secret
    /// or tells how this one was made. A provider's own id of a fixed form needs none.
    pub is_confirmed: bool,
    /// Identifiers of the version that logs show in several scopes, in words: their uses are
    /// counted for nobody.
    pub ambiguous_identifiers: Vec<String>,
    /// Whether the version may be used from then on, if known.
    pub active_time: Option<i64>,
    /// Whether a newer version may be used from then on, if known.
    pub new_active_time: Option<i64>,
    /// Whether no newer version is known.
    pub is_newest: bool,
    /// From then on its use is a finding.
    pub cutoff_time: Option<i64>,
    /// Everybody who was seen with the secret.
    pub consumers: Vec<Consumer>,
    /// Their copies: instance or address, and user agent, as far as they are known.
    pub processes: Vec<String>,
    /// What was seen of the secret, in no order.
    pub activities: Vec<Activity>,
    /// The consumers that the registry names.
    pub declared: Vec<Declared>,
    /// What the logs cover, one row per source and scope.
    pub coverage: Vec<Coverage>,
    /// The latest instant at which something obtained with the version can still be valid.
    pub tail_expires_time: Option<i64>,
    /// When something was last obtained with the version of which no log says how long it is valid.
    pub endless_issued_time: Option<i64>,
    /// The last call that a service made on behalf of who presented the version, or something
    /// obtained with it: it names no consumer.
    pub forwarded_used_time: Option<i64>,
    /// The last use by the version's principals that names no credential, where no newer version
    /// has that principal.
    pub principal_used_time: Option<i64>,
    /// The last use of a session, by a consumer or principal of the secret, of which no log says
    /// what it was obtained with.
    pub unresolved_used_time: Option<i64>,
}

/// Somebody who was seen with the secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consumer {
    /// The software that ran.
    pub workload: Option<String>,
    /// Where it ran.
    pub environment: Option<String>,
}

/// What one process of a consumer did with one version in one hour. There may be millions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Activity {
    /// Whose: the row of `Evidence::consumers`.
    pub consumer: u32,
    /// Which of its copies: the row of `Evidence::processes`.
    pub process: u32,
    /// The row of `Evidence::coverage` that showed it.
    pub shown_by: u32,
    /// How the version stands to the one asked about.
    pub version: Side,
    /// What became of it.
    pub outcome: Outcome,
    /// The first and the last instant of it.
    pub first_time: i64,
    /// See `first_time`.
    pub last_time: i64,
    /// Requests.
    pub count: u64,
    /// Whether they presented a credential that was obtained with the version's.
    pub is_derived: bool,
}

/// How a version stands to the one asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Side {
    /// It came before.
    Before,
    /// It is the one.
    #[default]
    Old,
    /// It came after: what a consumer should use instead.
    New,
}

/// What became of a request, as far as it bears on revoking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// Authenticated; also where the log does not say, since a use must not be missed.
    #[default]
    Used,
    /// The credential itself was refused.
    Rejected,
}

/// A consumer that the registry names.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    /// The software.
    pub workload: String,
    /// Where it runs; any environment if none.
    pub environment: Option<String>,
    /// How often it uses the secret, in seconds.
    pub interval_seconds: Option<u64>,
    /// From when on it is gone.
    pub gone_time: Option<i64>,
}

/// What one source shows of one scope.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// The source.
    pub source: String,
    /// The scope; empty if it has none.
    pub scope: String,
    /// The first event.
    pub start_time: i64,
    /// The last event: up to here it is complete, but for what `delay_seconds` says.
    pub watermark_time: i64,
    /// How much later than others an event may arrive: so long before the watermark, and before
    /// the instant of the question, one may still be missing.
    pub delay_seconds: u64,
    /// Whether it names credentials of the kinds by which the version is known.
    pub shows_kind: bool,
    /// Spans that may hide a use.
    pub holes: Vec<Hole>,
}

/// A span that may hide a use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// From here ...
    pub start_time: i64,
    /// ... to here.
    pub end_time: i64,
    /// Why it is taken for one.
    pub evidence: String,
}

/// The risk that is taken, and the least time that is waited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// The chance, for the verdict as a whole, that it passes while a consumer goes on.
    pub alpha: f64,
    /// No soak is shorter.
    pub floor_seconds: f64,
    /// The soak where there are too few uses to tell a rhythm; longer than a quarter.
    pub rare_floor_seconds: f64,
}

impl Default for Policy {
    /// One per cent, a day, and 100 days.
    fn default() -> Self {
        const DAY: f64 = 86_400.0;
        Self { alpha: 0.01, floor_seconds: DAY, rare_floor_seconds: 100.0 * DAY }
    }
}
