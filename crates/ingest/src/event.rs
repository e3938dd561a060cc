//! What an event is made of on its way to the store.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use crate::coded::{make_room, make_room_for_texts};

/// The text columns of an event as they are held before they are written: the
/// columns of `events`, and three that only derived tables keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each is the column of the same name
pub enum Text {
    Source,
    SourceScope,
    TimeQuality,
    Category,
    Action,
    Outcome,
    Reason,
    ReasonClass,
    CredentialUid,
    IdKind,
    Attribution,
    ViaService,
    IssuedCredentialUid,
    IssuedTtlSource,
    TargetSecretId,
    TargetVersion,
    TargetCredentialUid,
    TargetState,
    Principal,
    Workload,
    WorkloadEvidence,
    Instance,
    SourceIp,
    UserAgent,
    UserAgentProduct,
    Account,
    Region,
    Environment,
    Service,
    Resource,
    FileUid,
    RecordPart,
    IssuedKind,
    TargetKind,
    VersionEvidence,
}

impl Text {
    /// The text column of that name in a source's SQL, but for those of credentials.
    pub(crate) fn named(name: &str) -> Option<Text> {
        let inner = [(Text::VersionEvidence, "version_evidence")];
        let all = Self::EVENT_COLUMNS.iter().chain(&inner);
        all.into_iter().find(|it| it.1 == name).map(|it| it.0)
    }

    /// How many there are.
    pub const COUNT: usize = Text::VersionEvidence as usize + 1;
    /// Those that are columns of `events`, with their names there.
    pub const EVENT_COLUMNS: [(Text, &'static str); 32] = [
        (Text::Source, "source"),
        (Text::SourceScope, "source_scope"),
        (Text::TimeQuality, "time_quality"),
        (Text::Category, "category"),
        (Text::Action, "action"),
        (Text::Outcome, "outcome"),
        (Text::Reason, "reason"),
        (Text::ReasonClass, "reason_class"),
        (Text::CredentialUid, "credential_uid"),
        (Text::IdKind, "id_kind"),
        (Text::Attribution, "attribution"),
        (Text::ViaService, "via_service"),
        (Text::IssuedCredentialUid, "issued_credential_uid"),
        (Text::IssuedTtlSource, "issued_ttl_source"),
        (Text::TargetSecretId, "target_secret_id"),
        (Text::TargetVersion, "target_version"),
        (Text::TargetCredentialUid, "target_credential_uid"),
        (Text::TargetState, "target_state"),
        (Text::Principal, "principal"),
        (Text::Workload, "workload"),
        (Text::WorkloadEvidence, "workload_evidence"),
        (Text::Instance, "instance"),
        (Text::SourceIp, "source_ip"),
        (Text::UserAgent, "user_agent"),
        (Text::UserAgentProduct, "user_agent_product"),
        (Text::Account, "account"),
        (Text::Region, "region"),
        (Text::Environment, "environment"),
        (Text::Service, "service"),
        (Text::Resource, "resource"),
        (Text::FileUid, "file_uid"),
        (Text::RecordPart, "record_part"),
    ];
}

/// Texts one after the other in one piece of memory; an empty one is missing.
#[derive(Debug, Default)]
pub struct Texts {
    ends: Vec<u32>,
    bytes: String,
}

impl Texts {
    /// Appends a text.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len() as u32);
    }

    /// Appends those of the rows `kept` of `other`.
    pub fn extend(&mut self, other: &Texts, kept: &[u32]) {
        make_room(&mut self.ends, kept.len());
        for run in kept.chunk_by(|a, b| a + 1 == *b) {
            let (first, last) = (run[0] as usize, run[run.len() - 1] as usize);
            let (start, end) = (other.start(first), other.ends[last]);
            // Bytes of `other` become bytes of this by a distance that may be negative.
            make_room_for_texts(&mut self.bytes, self.ends.len(), (end - start) as usize);
            let distance = (self.bytes.len() as u32).wrapping_sub(start);
            self.bytes.push_str(&other.bytes[start as usize..end as usize]);
            self.ends.extend(other.ends[first..=last].iter().map(|it| it.wrapping_add(distance)));
        }
    }

    /// Takes all texts out.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }

    /// The text of `row`.
    pub fn get(&self, row: usize) -> Option<&str> {
        let text = &self.bytes[self.start(row) as usize..self.ends[row] as usize];
        if text.is_empty() { None } else { Some(text) }
    }

    fn start(&self, row: usize) -> u32 {
        if row == 0 { 0 } else { self.ends[row - 1] }
    }

    /// The texts of `rows` as an array.
    pub fn picked(&self, rows: &[u32]) -> ArrayRef {
        let mut bytes = Vec::with_capacity(rows.len() * self.bytes.len() / self.ends.len().max(1));
        let mut ends = Vec::with_capacity(rows.len() + 1);
        ends.push(0);
        let all = self.bytes.as_bytes();
        for row in rows {
            let row = *row as usize;
            bytes.extend_from_slice(&all[self.start(row) as usize..self.ends[row] as usize]);
            ends.push(bytes.len() as i32);
        }
        let missing = ends.windows(2).any(|it| it[0] == it[1]).then(|| {
            NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), |at| ends[at] < ends[at + 1]))
        });
        let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
        let texts = StringArray::try_new(ends, Buffer::from_vec(bytes), missing);
        Arc::new(texts.expect("whole texts one after the other are texts"))
    }
}

/// The value of a missing instant or number.
pub const NO_NUMBER: i64 = i64::MIN;

/// An identifier by which a credential is known, for the table `credentials`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identifier {
    /// The fingerprint.
    pub credential_uid: String,
    /// Its kind.
    pub kind: String,
    /// The issuer within which it is unique, or empty.
    pub scope: String,
    /// The identifier itself where it is public.
    pub value: Option<String>,
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::*;

    fn texts(all: &[&str]) -> Texts {
        let mut texts = Texts::default();
        all.iter().for_each(|it| texts.push(it));
        texts
    }

    #[test]
    fn rows_of_another_follow_in_their_order_without_those_left_out() {
        let mut all = texts(&["first"]);
        all.extend(&texts(&["left out", "a", "", "left out", "ü"]), &[1, 2, 4]);
        all.extend(&texts(&["b"]), &[]);
        all.extend(&texts(&["b"]), &[0]);
        let found: Vec<_> = (0..5).map(|row| all.get(row)).collect();
        assert_eq!(found, [Some("first"), Some("a"), None, Some("ü"), Some("b")]);
    }

    #[test]
    fn picked_texts_stand_in_the_order_asked_for() {
        let all = texts(&["a", "", "ü", "bcd"]);
        let picked = all.picked(&[3, 1, 2, 0]);
        let found: Vec<_> = picked.as_string::<i32>().iter().collect();
        assert_eq!(found, [Some("bcd"), None, Some("ü"), Some("a")]);
        assert_eq!(all.picked(&[0, 3]).nulls(), None);
        assert_eq!(texts(&[]).picked(&[]).len(), 0);
    }
}
