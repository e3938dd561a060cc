//! What an event is made of on its way to the store.

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

    /// Takes all texts out.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.bytes.clear();
    }

    /// The text of `row`.
    pub fn get(&self, row: usize) -> Option<&str> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        let text = &self.bytes[start..self.ends[row] as usize];
        if text.is_empty() { None } else { Some(text) }
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
