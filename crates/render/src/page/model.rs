//! What the report page shows, as plain data: whoever has the tables fills this in.
//!
//! Instants are microseconds since 1970, UTC. All text may come from logs: it is escaped when it is
//! written, so it stands here as it is. Lists are shown in the order given unless a field says
//! otherwise. `Default` gives the empty value of each, for `..Default::default()`.

/// The whole page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The instant that all answers are for.
    pub as_of_time: i64,
    /// Where the time axis begins: the first instant of interest, such as the first event known.
    pub start_time: i64,
    /// Name and version of the program, such as `lastuse 0.1.0`.
    pub tool_version: String,
    /// What a reader must know of the whole, a sentence each: records that could not be read,
    /// rows that were left out.
    pub notes: Vec<String>,
    /// The secrets, in the order in which they are shown.
    pub secrets: Vec<SecretPage>,
}

/// One secret: its versions, who uses them, and what the logs could show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecretPage {
    /// The name, such as `payments/stripe`.
    pub secret_id: String,
    /// Who answers for it, if anybody says so.
    pub owner: Option<String>,
    /// Oldest first.
    pub versions: Vec<Version>,
    /// The row of `versions` that `state`, `flags` and `soak` of the consumers speak of: the old
    /// version of this rotation. None where no version is to be revoked.
    pub asked: Option<usize>,
    /// The page puts them in order: what needs attention first.
    pub consumers: Vec<Consumer>,
    /// The logs that could have shown a use of the version asked about.
    pub coverage: Vec<Coverage>,
    /// Uses of retired versions, the most severe first.
    pub findings: Vec<Finding>,
}

/// One value that the secret held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    /// Its name, such as `3`.
    pub version: String,
    /// `active`, `retired`, `revoked` or what the registry says.
    pub state: Option<String>,
    /// From when on it could be used.
    pub active_time: Option<i64>,
    /// From when on using it is a finding; drawn as a line.
    pub cutoff_time: Option<i64>,
    /// From when on the backend should refuse it; drawn as a line.
    pub revoked_time: Option<i64>,
    /// May it be revoked? None where that was not asked.
    pub verdict: Option<Verdict>,
    /// What a log knows it by, for people: `aws_access_key_id AKIA...`; never a secret.
    pub identifiers: Vec<String>,
}

/// The three answers to "may this version be revoked?".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answer {
    /// Yes: nobody uses it.
    NotUsed,
    /// No: somebody does.
    Used,
    /// The logs do not allow saying so.
    #[default]
    Unknown,
}

/// The verdict on one version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The answer.
    pub answer: Answer,
    /// Why it is not `NotUsed`.
    pub reasons: Vec<Reason>,
    /// When the last soak is over.
    pub soak_until_time: Option<i64>,
    /// When the answer could become `NotUsed` if nothing else is seen; none if somebody must act.
    pub wait_until_time: Option<i64>,
    /// The latest instant at which a credential obtained with this version can still be valid.
    pub tail_expires_time: Option<i64>,
}

/// One reason of a verdict. Reasons of one code are shown together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reason {
    /// The code of docs/verdicts.md, such as `uses_old`.
    pub code: String,
    /// What it says about the verdict: `Used` or `Unknown`.
    pub answer: Answer,
    /// What it says of whom: `checkout (prod) never used a newer version; it used this one at ...`.
    pub text: String,
    /// What to do, such as `deploy the new version to it`.
    pub action: Option<String>,
    /// The row of `SecretPage::consumers` it is about.
    pub consumer: Option<usize>,
    /// Whom it is about, where that is no such row: a declared consumer that was never seen.
    pub subject: Option<String>,
    /// When it passes if nothing else is seen; none if somebody must act.
    pub until_time: Option<i64>,
}

/// One consumer of the secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consumer {
    /// The software that ran; where that is not known, the principal is the name.
    pub workload: Option<String>,
    /// `prod` and `production` (in any case) are counted apart.
    pub environment: Option<String>,
    /// Whom its requests acted as.
    pub principals: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Whether the registry names it; if not, it is a shadow.
    pub is_declared: bool,
    /// `old_only`, `both`, `switched`, `settled`, `reverted`, `failing_new`, `dormant` or
    /// `new_only`; none if it was only ever refused. Not shown where no version is asked about.
    pub state: Option<String>,
    /// `straggler`, `reads_new_uses_old` and such. `shadow` need not be given.
    pub flags: Vec<String>,
    /// What named the consumer: `workload`, `asset_list`, `principal`...
    pub evidence: Option<String>,
    /// How long it must stay quiet.
    pub soak: Option<Soak>,
    /// Logs that show it.
    pub sources: Vec<String>,
    /// Addresses it came from.
    pub source_ips: Vec<String>,
    /// Products it called itself.
    pub user_agents: Vec<String>,
    /// `exact`, `derived`, `principal`: how the logs tie it to the secret.
    pub attribution: Vec<String>,
    /// What it did with each version, at most one row per version.
    pub uses: Vec<VersionUse>,
    /// What is drawn, in any order. Nothing else is: a use that has no mark is in words only.
    pub activity: Vec<Mark>,
}

/// What one consumer did with one version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VersionUse {
    /// The row of `SecretPage::versions`.
    pub version: usize,
    /// The first use, direct or derived.
    pub first_used_time: Option<i64>,
    /// The last use, direct or derived.
    pub last_used_time: Option<i64>,
    /// The last attempt that was refused.
    pub last_rejected_time: Option<i64>,
    /// Requests that presented it and were let in.
    pub use_count: u64,
    /// Requests with a credential obtained from it.
    pub derived_use_count: u64,
    /// Requests that presented it and were refused.
    pub rejected_count: u64,
}

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Kind {
    /// The version was used.
    #[default]
    Used,
    /// A credential obtained from it was used.
    Derived,
    /// It was presented and refused.
    Rejected,
    /// Its principal was seen, no credential was named: no use of a version.
    Principal,
}

/// Activity of one consumer in one span, an hour or longer; the page merges what is nearer than
/// it can draw. Marks of an hour or less also make the heat map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    /// The row of `SecretPage::versions`.
    pub version: usize,
    /// What happened.
    pub kind: Kind,
    /// The first event, or the beginning of the hour.
    pub start_time: i64,
    /// The last event, or the end of the hour; not before `start_time`.
    pub end_time: i64,
    /// Requests.
    pub count: u64,
}

/// How long a consumer must stay quiet, and how that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Soak {
    /// Gaps between its uses that were observed.
    pub gap_count: u64,
    /// The longest of them.
    pub longest_gap_seconds: Option<u64>,
    /// `longest_gap`, `tail_model`, `schedule`, `short_history`, `floor` or `rare_floor`.
    pub method: String,
    /// When it is over, if nothing else is seen; drawn as a mark.
    pub until_time: Option<i64>,
}

/// One log that could have shown a use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// The source, such as `aws_cloudtrail`; empty where no log could have shown one.
    pub source: String,
    /// Account, cluster or host.
    pub scope: Option<String>,
    /// From when on it was read.
    pub start_time: Option<i64>,
    /// Up to when it is complete.
    pub watermark_time: Option<i64>,
    /// How late its records may come, for people.
    pub delay: Option<String>,
    /// What it never shows, a sentence each.
    pub blind_spots: Vec<String>,
    /// Why it is listed: `seen`, `same_secret`, `same_kind`, `no_source`, `no_identifier`.
    pub known_by: Option<String>,
    /// Spans it should have spoken in, and did not.
    pub holes: Vec<Hole>,
}

/// A span that a log does not cover.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hole {
    /// Where it begins.
    pub start_time: i64,
    /// Where it ends.
    pub end_time: i64,
    /// How it is known: `silence`, `digest_missing`, `rejects`...
    pub evidence: String,
}

/// A use of a retired version: one per version, consumer and class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// `accepted_after_cutoff` and such; references to standards follow from it.
    pub class: String,
    /// `critical`, `high`, `medium`, `low`.
    pub severity: String,
    /// The version's name.
    pub version: String,
    /// The software, or where that is not known, the principal.
    pub consumer: String,
    /// Where it ran.
    pub environment: Option<String>,
    /// The first such event.
    pub first_time: i64,
    /// The last such event.
    pub last_time: i64,
    /// Requests.
    pub count: u64,
    /// When the session of a `derived_after_cutoff` ends.
    pub tail_expires_time: Option<i64>,
    /// Addresses it came from.
    pub source_ips: Vec<String>,
    /// Ids of events, to be looked up with `lastuse sql`.
    pub evidence_uids: Vec<String>,
}
