//! What is true of an estate: the answers that a reader of its logs must reach.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::{Micros, timestamp};
use crate::lineage::{self, SessionTruth};
use crate::logs::{Heard, Session};
use crate::removals::RemovedTruth;

/// The truth of an estate, at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The first instant of the logs.
    #[serde(with = "rfc3339")]
    pub start_time: Timestamp,
    /// The end of the logs: every event is earlier. Reports are to be asked as of this instant.
    #[serde(with = "rfc3339")]
    pub as_of_time: Timestamp,
    /// What was written, by source.
    pub sources: BTreeMap<String, SourceCounts>,
    /// One row per secret version and workload that shows in the logs, ordered by secret, version and workload.
    pub versions: Vec<VersionTruth>,
    /// One row per secret version, workload and class of finding, in that order.
    pub findings: Vec<FindingTruth>,
    /// Where each consumer stands between the last two versions of its secret, as far as that can be told.
    pub states: Vec<StateTruth>,
    /// Every session that was obtained with a registered credential, at first or second hand.
    pub exchanges: Vec<ExchangeTruth>,
    /// Every session with all that it descends from, ordered by its identifier.
    pub sessions: Vec<SessionTruth>,
    /// Spans of which nothing was delivered, ordered by source, scope and time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<RemovedTruth>,
}

/// Counts of what one source's files hold. `records = distinct_events + duplicates + skipped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// Files written.
    pub files: u64,
    /// Bytes before compression.
    pub bytes: u64,
    /// Records (JSON records or lines) in all files.
    pub records: u64,
    /// Events after all duplicates are gone.
    pub distinct_events: u64,
    /// Records beyond the first of an event: deliveries repeated, and Vault's request lines beside their response lines.
    pub duplicates: u64,
    /// Of those, records delivered again.
    pub redelivered: u64,
    /// Records that belong to something else, such as other daemons in `auth.log`.
    pub skipped: u64,
    /// Records written to a later file than their time asks for.
    pub late: u64,
    /// Events with a raw secret in a place where none belongs.
    pub stray_secrets: u64,
}

impl SourceCounts {
    fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.records += other.records;
        self.distinct_events += other.distinct_events;
        self.duplicates += other.duplicates;
        self.redelivered += other.redelivered;
        self.skipped += other.skipped;
        self.late += other.late;
        self.stray_secrets += other.stray_secrets;
    }
}

/// What one workload did with one version of a secret.
///
/// First, last and counts are of requests that presented the version itself. Uses of
/// sessions obtained from it count in `derived_use_count` and `derived_last_used_time`
/// only, under the same workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionTruth {
    /// As in the registry.
    pub secret_id: String,
    /// As in the registry.
    pub version: String,
    /// The workload's name; for a shadow consumer its fallback name.
    pub workload: String,
    /// From the asset list; none for shadows.
    pub environment: Option<String>,
    /// The source that shows it.
    pub source: String,
    /// Whether the registry declares the workload as a consumer of the secret.
    pub declared: bool,
    /// First attempt; none where only sessions were seen.
    #[serde(with = "rfc3339_option")]
    pub first_seen_time: Option<Timestamp>,
    /// Last attempt; none where only sessions were seen.
    #[serde(with = "rfc3339_option")]
    pub last_seen_time: Option<Timestamp>,
    /// Last attempt that the backend authenticated.
    #[serde(with = "rfc3339_option")]
    pub last_used_time: Option<Timestamp>,
    /// Last attempt whose credential was refused.
    #[serde(with = "rfc3339_option")]
    pub last_rejected_time: Option<Timestamp>,
    /// Attempts; a line that stands for several counts as many.
    pub attempt_count: u64,
    /// Attempts that were authenticated (succeeded, or were denied).
    pub use_count: u64,
    /// Attempts whose credential was refused.
    pub rejected_count: u64,
    /// Authenticated requests of sessions obtained from this version over one or more exchanges, each of which was
    /// delivered and names what was presented.
    pub derived_use_count: u64,
    /// The last of them.
    #[serde(with = "rfc3339_option")]
    pub derived_last_used_time: Option<Timestamp>,
}

/// A retired version that was presented.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingTruth {
    /// As in the registry.
    pub secret_id: String,
    /// As in the registry.
    pub version: String,
    /// Who.
    pub workload: String,
    /// One of the five classes; each event is of one class at most.
    pub class: String,
    /// Events of this class.
    pub count: u64,
    /// The first of them.
    #[serde(with = "rfc3339")]
    pub first_time: Timestamp,
    /// The last of them.
    #[serde(with = "rfc3339")]
    pub last_time: Timestamp,
}

/// Where a consumer stands at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateTruth {
    /// As in the registry.
    pub secret_id: String,
    /// Who.
    pub workload: String,
    /// What was played, such as `straggler`.
    pub scenario: String,
    /// `old_only`, `both`, `switched`, `reverted`, `failing_new`, `new_only` or `dormant`.
    pub state: String,
    /// The version before the last.
    pub old_version: String,
    /// The last version.
    pub new_version: String,
}

/// A session obtained with a registered credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExchangeTruth {
    /// The secret at the root.
    pub secret_id: String,
    /// Its version.
    pub version: String,
    /// The session that obtained this one; none when the version itself did.
    pub parent: Option<String>,
    /// The public identifier of the session.
    pub child: String,
    /// Of that identifier.
    pub kind: String,
    /// 1 when the version itself obtained it, 2 over another session, and so on.
    pub depth: u32,
    /// Whether the event is in the logs.
    pub delivered: bool,
    /// `id_id` when the event names what was presented, `principal_id` when it names only who presented it.
    pub link_strength: String,
    /// When it was obtained.
    #[serde(with = "rfc3339")]
    pub issued_time: Timestamp,
    /// When it ends.
    #[serde(with = "rfc3339")]
    pub expires_time: Timestamp,
}

pub(crate) mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

mod rfc3339_option {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Denied,
    Rejected,
    Error,
}

impl Outcome {
    /// Whether the backend authenticated the request.
    pub(crate) fn is_use(self) -> bool {
        matches!(self, Self::Success | Self::Denied)
    }
}

const CLASSES: [&str; 5] = [
    "accepted_after_revocation",
    "accepted_after_cutoff",
    "rejected_after_cutoff",
    "derived_after_cutoff",
    "exchanged_after_cutoff",
];

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    first: Option<Micros>,
    last: Option<Micros>,
}

impl Tally {
    fn add(&mut self, time: Micros, count: u64) {
        self.count += count;
        self.first = Some(self.first.map_or(time, |it| it.min(time)));
        self.last = Some(self.last.map_or(time, |it| it.max(time)));
    }
}

/// A row while the logs are being written.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) secret_id: String,
    pub(crate) version: String,
    pub(crate) workload: String,
    pub(crate) environment: Option<String>,
    pub(crate) source: &'static str,
    pub(crate) declared: bool,
    pub(crate) cutoff: Option<Micros>,
    pub(crate) revoked: Option<Micros>,
    attempts: Tally,
    uses: Tally,
    rejected: Tally,
    derived: Tally,
    findings: [Tally; 5],
}

impl Row {
    pub(crate) fn new(
        secret_id: &str,
        version: &str,
        workload: &str,
        source: &'static str,
    ) -> Self {
        Self {
            secret_id: secret_id.to_owned(),
            version: version.to_owned(),
            workload: workload.to_owned(),
            environment: None,
            source,
            declared: false,
            cutoff: None,
            revoked: None,
            attempts: Tally::default(),
            uses: Tally::default(),
            rejected: Tally::default(),
            derived: Tally::default(),
            findings: [Tally::default(); 5],
        }
    }

    /// Uses, direct or derived.
    pub(crate) fn use_count(&self) -> u64 {
        self.uses.count + self.derived.count
    }

    pub(crate) fn last_used(&self) -> Option<Micros> {
        self.uses.last.max(self.derived.last)
    }

    pub(crate) fn rejected_count(&self) -> u64 {
        self.rejected.count
    }

    pub(crate) fn last_rejected(&self) -> Option<Micros> {
        self.rejected.last
    }

    pub(crate) fn attempt_count(&self) -> u64 {
        self.attempts.count
    }

    /// The class of a request that presented the version itself, if it is a finding.
    fn class_of(&self, time: Micros, outcome: Outcome, exchanged: bool) -> Option<usize> {
        let cutoff = self.cutoff?;
        let is_revoked = self.revoked.is_some_and(|it| time >= it);
        match outcome {
            _ if outcome.is_use() && is_revoked => Some(0),
            _ if time < cutoff => None,
            Outcome::Success if exchanged => Some(4),
            Outcome::Success | Outcome::Denied => Some(1),
            Outcome::Rejected => Some(2),
            // Nobody knows whether it was taken, but it was presented.
            Outcome::Error => Some(if is_revoked { 2 } else { 1 }),
        }
    }
}

/// Collects the truth while the logs are being written; its size follows the consumers, not the events.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) rows: Vec<Row>,
    exchanges: Vec<(usize, Issue)>,
    /// Exchanges of credentials that no registry knows: parent and child.
    foreign: Vec<(String, String)>,
    /// Sessions that were used.
    used: BTreeSet<String>,
}

/// How a session came about.
#[derive(Debug)]
pub(crate) struct Issue {
    /// The session that obtained it; none when the version itself did.
    pub(crate) parent: Option<String>,
    pub(crate) child: String,
    pub(crate) kind: &'static str,
    pub(crate) depth: u32,
    pub(crate) issued: Micros,
    pub(crate) expires: Micros,
    pub(crate) delivered: bool,
    /// Whether the event names what was presented.
    pub(crate) named: bool,
}

impl Recorder {
    pub(crate) fn add_row(&mut self, row: Row) -> usize {
        self.rows.push(row);
        self.rows.len() - 1
    }

    /// A request that presented the version itself; `exchanged` if it was to obtain a session.
    pub(crate) fn direct(
        &mut self,
        row: usize,
        time: Micros,
        outcome: Outcome,
        count: u64,
        exchanged: bool,
    ) {
        let row = &mut self.rows[row];
        row.attempts.add(time, count);
        if outcome.is_use() {
            row.uses.add(time, count);
        }
        if outcome == Outcome::Rejected {
            row.rejected.add(time, count);
        }
        if let Some(class) = row.class_of(time, outcome, exchanged) {
            row.findings[class].add(time, count);
        }
    }

    /// A request of a session. It counts for the version if all exchanges in between can be known.
    pub(crate) fn derived(&mut self, row: usize, heard: &Heard, session: &Session) {
        let row = &mut self.rows[row];
        if !heard.outcome.is_use() {
            return;
        }
        self.used.insert(session.id.clone());
        if !session.traced {
            return;
        }
        row.derived.add(heard.time, 1);
        let issued = session.root_issued;
        if row.cutoff.is_some_and(|cutoff| issued < cutoff && heard.time >= cutoff) {
            row.findings[3].add(heard.time, 1);
        }
    }

    pub(crate) fn exchange(&mut self, row: usize, issue: Issue) {
        self.exchanges.push((row, issue));
    }

    /// An exchange that has nothing to do with the registry.
    pub(crate) fn foreign(&mut self, parent: &str, child: &str) {
        self.foreign.push((parent.to_owned(), child.to_owned()));
    }

    /// The truth in its final order. Rows of one secret version and workload do not repeat.
    pub(crate) fn finish(
        self,
        window: (Micros, Micros),
        counts: &[(&'static str, SourceCounts)],
        mut states: Vec<StateTruth>,
        removed: Vec<RemovedTruth>,
    ) -> Truth {
        let mut versions: Vec<VersionTruth> = self.rows.iter().filter_map(version_truth).collect();
        versions.sort_by(|a, b| {
            (&a.secret_id, &a.version, &a.workload).cmp(&(&b.secret_id, &b.version, &b.workload))
        });
        let mut findings: Vec<FindingTruth> = self.rows.iter().flat_map(finding_truths).collect();
        findings.sort_by(|a, b| {
            (&a.secret_id, &a.version, &a.workload, &a.class).cmp(&(
                &b.secret_id,
                &b.version,
                &b.workload,
                &b.class,
            ))
        });
        states.sort_by(|a, b| (&a.secret_id, &a.workload).cmp(&(&b.secret_id, &b.workload)));
        let mut sources = BTreeMap::<String, SourceCounts>::new();
        for (name, counts) in counts {
            sources.entry((*name).to_owned()).or_default().add(counts);
        }
        let rows = &self.rows;
        let exchanges = self.exchanges.into_iter().map(|(row, it)| ExchangeTruth {
            secret_id: rows[row].secret_id.clone(),
            version: rows[row].version.clone(),
            parent: it.parent,
            child: it.child,
            kind: it.kind.to_owned(),
            depth: it.depth,
            delivered: it.delivered,
            link_strength: if it.named { "id_id" } else { "principal_id" }.to_owned(),
            issued_time: timestamp(it.issued),
            expires_time: timestamp(it.expires),
        });
        let exchanges: Vec<ExchangeTruth> = exchanges.collect();
        let sessions = lineage::sessions(&exchanges, &self.foreign, &self.used);
        Truth {
            start_time: timestamp(window.0),
            as_of_time: timestamp(window.1),
            sources,
            versions,
            findings,
            states,
            exchanges,
            sessions,
            removed,
        }
    }
}

fn version_truth(row: &Row) -> Option<VersionTruth> {
    row.attempts.first.or(row.derived.first)?;
    Some(VersionTruth {
        secret_id: row.secret_id.clone(),
        version: row.version.clone(),
        workload: row.workload.clone(),
        environment: row.environment.clone(),
        source: row.source.to_owned(),
        declared: row.declared,
        first_seen_time: row.attempts.first.map(timestamp),
        last_seen_time: row.attempts.last.map(timestamp),
        last_used_time: row.uses.last.map(timestamp),
        last_rejected_time: row.rejected.last.map(timestamp),
        attempt_count: row.attempts.count,
        use_count: row.uses.count,
        rejected_count: row.rejected.count,
        derived_use_count: row.derived.count,
        derived_last_used_time: row.derived.last.map(timestamp),
    })
}

fn finding_truths(row: &Row) -> impl Iterator<Item = FindingTruth> + '_ {
    row.findings.iter().zip(CLASSES).filter_map(|(tally, class)| {
        Some(FindingTruth {
            secret_id: row.secret_id.clone(),
            version: row.version.clone(),
            workload: row.workload.clone(),
            class: class.to_owned(),
            count: tally.count,
            first_time: timestamp(tally.first?),
            last_time: timestamp(tally.last?),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> (Recorder, usize) {
        let mut recorder = Recorder::default();
        let mut row = Row::new("a/b", "1", "w", "http_json");
        (row.cutoff, row.revoked) = (Some(100), Some(200));
        let row = recorder.add_row(row);
        (recorder, row)
    }

    fn session(root_issued: Micros, traced: bool) -> Session {
        Session {
            version: 0,
            depth: 1,
            issued: root_issued,
            root_issued,
            traced,
            expires: 1_000,
            id: "s".to_owned(),
            identity: Vec::new(),
        }
    }

    fn counts(recorder: &Recorder, row: usize) -> [u64; 5] {
        recorder.rows[row].findings.map(|it| it.count)
    }

    #[test]
    fn each_event_is_of_one_class_at_most() {
        let (mut recorder, row) = recorder();
        for (time, outcome, exchanged) in [
            (99, Outcome::Success, true),
            (100, Outcome::Success, true),
            (100, Outcome::Denied, true),
            (199, Outcome::Success, false),
            (150, Outcome::Rejected, false),
            (150, Outcome::Error, false),
            (200, Outcome::Success, true),
            (200, Outcome::Rejected, false),
        ] {
            recorder.direct(row, time, outcome, 1, exchanged);
        }
        assert_eq!(counts(&recorder, row), [1, 3, 2, 0, 1]);
        assert_eq!(recorder.rows[row].attempt_count(), 8);
        assert_eq!(recorder.rows[row].use_count(), 5);
    }

    #[test]
    fn a_session_obtained_after_the_cutoff_is_no_finding_of_its_own() {
        let (mut recorder, row) = recorder();
        for (time, outcome, root_issued) in [
            (100, Outcome::Success, 99),
            (100, Outcome::Success, 100),
            (99, Outcome::Success, 50),
            (120, Outcome::Rejected, 50),
        ] {
            recorder.derived(row, &Heard::new(time, outcome, true), &session(root_issued, true));
        }
        // Nobody can know of which version this one was obtained.
        recorder.derived(row, &Heard::new(100, Outcome::Success, true), &session(99, false));
        assert_eq!(counts(&recorder, row), [0, 0, 0, 1, 0]);
        assert_eq!(recorder.rows[row].use_count(), 3);
    }
}
