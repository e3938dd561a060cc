//! Protect: no raw secret goes further than this.
//!
//! Columns whose names end in `_value` are replaced by fingerprints, and every
//! text that a log's writer could fill freely passes the redactor. What leaves
//! here may be sorted, spilled, written and shown.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use datafusion::scalar::ScalarValue;
use hashbrown::{DefaultHashBuilder, HashTable};
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::kind::{needs_scope, public_value};
use lastuse_model::redact::Redactor;
use lastuse_model::{network, user_agent};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::coded::{Coded, Codes, NULL};
use crate::normalize::{Column, Normalized};

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
    IssuedKind,
    TargetKind,
    VersionEvidence,
}

impl Text {
    /// How many there are.
    pub const COUNT: usize = Text::VersionEvidence as usize + 1;
    /// Those that are columns of `events`, with their names there.
    pub const EVENT_COLUMNS: [(Text, &'static str); 31] = [
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

/// Rows of one chunk with nothing raw in them.
#[derive(Debug)]
pub struct Protected {
    /// For each row, the extracted row it came from.
    pub rows: Vec<u32>,
    /// The text columns, by `Text as usize`.
    pub texts: Vec<Coded>,
    /// The native event ids, redacted.
    pub native_uids: Texts,
    /// A keyed hash of source, scope and native id; 0 without native id.
    pub event_keys: Vec<u128>,
    /// Microseconds since 1970 or `NO_NUMBER`, as the next three.
    pub event_times: Vec<i64>,
    /// When the log says that it saw the event.
    pub observed_times: Vec<i64>,
    /// When an issued credential expires.
    pub expires_times: Vec<i64>,
    /// The part of an event that a record is, where it has several.
    pub stages: Vec<i64>,
    /// How many events a record stands for.
    pub event_counts: Vec<i64>,
    /// Identifiers that this worker had not met before.
    pub identifiers: Vec<Identifier>,
}

/// What stands for a whole input.
#[derive(Debug, Clone)]
pub struct InputFacts {
    /// The name of the source.
    pub source: String,
    /// The category of its events where its SQL names none.
    pub category: String,
    /// The scope where its SQL names none.
    pub scope: String,
    /// The identity of the file.
    pub file_uid: String,
}

/// Replaces identifiers by fingerprints and redacts free text. One per worker
/// thread: it remembers what it has seen (by keyed hash, never by value).
pub struct Protector {
    key: Arc<FingerprintKey>,
    redactor: Arc<Redactor>,
    event_key: [u8; 16],
    cache_key: [u8; 16],
    redacted: HashMap<u128, String>,
    fingerprints: HashMap<u128, Option<Arc<str>>>,
}

/// How many remembered values are enough; past that memory is started afresh.
const CACHE_ENTRIES: usize = 200_000;

impl Protector {
    /// A protector with the store's key. `event_key` makes the hashes of
    /// native ids, and is the same for all workers of a run.
    pub fn new(
        key: Arc<FingerprintKey>,
        redactor: Arc<Redactor>,
        event_key: [u8; 16],
        cache_key: [u8; 16],
    ) -> Self {
        Self {
            key,
            redactor,
            event_key,
            cache_key,
            redacted: HashMap::new(),
            fingerprints: HashMap::new(),
        }
    }

    /// Protects the rows of one chunk.
    pub fn protect(&mut self, rows: &Normalized, facts: &InputFacts) -> Protected {
        let count = rows.rows.len();
        let mut identifiers = Vec::new();
        let mut texts = vec![Coded::null(); Text::COUNT];
        self.free_texts(rows, &mut texts);
        or_constant(&mut texts[Text::SourceScope as usize], &facts.scope);
        self.credentials(rows, count, &mut texts, &mut identifiers);
        fill_defaults(&mut texts, facts, count);
        let scope = &texts[Text::SourceScope as usize];
        let native = text_rows(rows.column("native_uid"), count);
        let (native_uids, event_keys) = self.native_uids(native.as_ref(), scope, facts, count);
        Protected {
            rows: rows.rows.clone(),
            texts,
            native_uids,
            event_keys,
            event_times: instants(rows.column("event_time"), count),
            observed_times: instants(rows.column("observed_time"), count),
            expires_times: instants(rows.column("issued_expires_time"), count),
            stages: numbers(rows.column("stage"), count),
            event_counts: numbers(rows.column("event_count"), count),
            identifiers,
        }
    }

    /// Text that a log's writer chose, or could have.
    fn free_texts(&mut self, rows: &Normalized, texts: &mut [Coded]) {
        const FREE: [(Text, &str); 24] = [
            (Text::SourceScope, "source_scope"),
            (Text::TimeQuality, "time_quality"),
            (Text::Category, "category"),
            (Text::Action, "action"),
            (Text::Outcome, "outcome"),
            (Text::Reason, "reason"),
            (Text::ReasonClass, "reason_class"),
            (Text::Attribution, "attribution"),
            (Text::ViaService, "via_service"),
            (Text::IssuedTtlSource, "issued_ttl_source"),
            (Text::TargetSecretId, "target_secret_id"),
            (Text::TargetVersion, "target_version"),
            (Text::TargetState, "target_state"),
            (Text::Principal, "principal"),
            (Text::Workload, "workload"),
            (Text::WorkloadEvidence, "workload_evidence"),
            (Text::Instance, "instance"),
            (Text::UserAgent, "user_agent"),
            (Text::Account, "account"),
            (Text::Region, "region"),
            (Text::Environment, "environment"),
            (Text::Service, "service"),
            (Text::Resource, "resource"),
            (Text::VersionEvidence, "version_evidence"),
        ];
        for (text, name) in FREE {
            texts[text as usize] = coded(rows.column(name), |it| Some(self.redact(it)));
        }
        texts[Text::SourceIp as usize] = coded(rows.column("source_ip"), |it| {
            Some(self.redact(&network::clean_ip(it))).filter(|it| it != "-")
        });
        texts[Text::UserAgentProduct as usize] = coded(rows.column("user_agent"), |it| {
            let product = user_agent::product(it);
            Some(self.redact(&product)).filter(|it| !it.is_empty())
        });
    }

    fn credentials(
        &mut self,
        rows: &Normalized,
        count: usize,
        texts: &mut [Coded],
        identifiers: &mut Vec<Identifier>,
    ) {
        let places = [
            ("credential", Text::CredentialUid, Text::IdKind),
            ("issued_credential", Text::IssuedCredentialUid, Text::IssuedKind),
            ("target_credential", Text::TargetCredentialUid, Text::TargetKind),
        ];
        for (name, uid, kind) in places {
            let column = |part: &str| text_rows(rows.column(&format!("{name}_{part}")), count);
            let parts = CredentialColumns {
                values: column("value"),
                kinds: column("kind"),
                scopes: column("scope"),
                issuers: &texts[Text::SourceScope as usize],
            };
            let (uids, kinds) = self.fingerprint_rows(&parts, identifiers);
            texts[uid as usize] = uids;
            texts[kind as usize] = kinds;
        }
    }

    fn fingerprint_rows(
        &mut self,
        parts: &CredentialColumns<'_>,
        identifiers: &mut Vec<Identifier>,
    ) -> (Coded, Coded) {
        let Some(values) = &parts.values else { return (Coded::null(), Coded::null()) };
        let same = |a: usize, b: usize| {
            values.value(a) == values.value(b)
                && parts.kind(a) == parts.kind(b)
                && parts.scope(a) == parts.scope(b)
        };
        let hasher = DefaultHashBuilder::default();
        // Entries are (first row with that credential, code).
        let mut seen: HashTable<(u32, u32)> = HashTable::new();
        let (mut codes, mut uids, mut kinds_out) = (Vec::new(), Vec::new(), Vec::new());
        let mut last: Option<(usize, u32)> = None;
        for row in 0..values.len() {
            if values.is_null(row) || values.value(row).is_empty() {
                codes.push(NULL);
                continue;
            }
            if let Some((before, code)) = last
                && same(before, row)
            {
                codes.push(code);
                continue;
            }
            let hash = hasher.hash_one(values.value(row));
            let code = match seen.find(hash, |it| same(it.0 as usize, row)) {
                Some(entry) => entry.1,
                None => {
                    let (kind, scope) = (parts.kind(row), parts.scope(row));
                    let uid = self.fingerprint(kind, scope, values.value(row), identifiers);
                    let code = uid.map_or(NULL, |uid| {
                        uids.push(uid.to_string());
                        kinds_out.push(kind.to_owned());
                        uids.len() as u32 - 1
                    });
                    let rehash = |it: &(u32, u32)| hasher.hash_one(values.value(it.0 as usize));
                    seen.insert_unique(hash, (row as u32, code), rehash);
                    code
                }
            };
            last = Some((row, code));
            codes.push(code);
        }
        let kinds = Coded { codes: Codes::Rows(codes.clone()), values: kinds_out };
        (Coded { codes: Codes::Rows(codes), values: uids }, kinds)
    }

    fn fingerprint(
        &mut self,
        kind: &str,
        scope: &str,
        value: &str,
        identifiers: &mut Vec<Identifier>,
    ) -> Option<Arc<str>> {
        let cached = keyed(&self.cache_key, &[kind, scope, value]);
        if let Some(found) = self.fingerprints.get(&cached) {
            return found.clone();
        }
        if self.fingerprints.len() >= CACHE_ENTRIES {
            self.fingerprints.clear();
        }
        // What is no identifier of its kind (a hash that is not hex, say) is
        // still what was presented: it is fingerprinted as a secret.
        let uid = match self.key.credential(kind, scope, value) {
            Ok(uid) => uid,
            Err(_) => Some(self.key.secret(value.as_bytes())),
        };
        let uid: Option<Arc<str>> = uid.map(|it| it.to_string().into());
        if let Some(uid) = &uid {
            let public = public_value(kind, value).map(|it| self.redact(&it));
            identifiers.push(Identifier {
                credential_uid: uid.to_string(),
                kind: kind.to_owned(),
                scope: scope.to_owned(),
                value: public,
            });
        }
        self.fingerprints.insert(cached, uid.clone());
        uid
    }

    fn redact(&mut self, text: &str) -> String {
        let cached = keyed(&self.cache_key, &[text]);
        if let Some(found) = self.redacted.get(&cached) {
            return found.clone();
        }
        if self.redacted.len() >= CACHE_ENTRIES {
            self.redacted.clear();
        }
        let clean = self.redactor.redact(text).into_owned();
        self.redacted.insert(cached, clean.clone());
        clean
    }

    fn native_uids(
        &self,
        native: Option<&StringViewArray>,
        scopes: &Coded,
        facts: &InputFacts,
        count: usize,
    ) -> (Texts, Vec<u128>) {
        let mut uids = Texts::default();
        let Some(native) = native else {
            (0..count).for_each(|_| uids.push(""));
            return (uids, vec![0; count]);
        };
        let mut keys = Vec::with_capacity(count);
        for row in 0..count {
            if native.is_null(row) || native.value(row).is_empty() {
                uids.push("");
                keys.push(0);
                continue;
            }
            let value = native.value(row);
            let clean = match is_plain_id(value) {
                true => Cow::Borrowed(value),
                false => self.redactor.redact(value),
            };
            let scope = scopes.value(row).unwrap_or("");
            keys.push(event_key(&self.event_key, &facts.source, scope, &clean));
            uids.push(&clean);
        }
        (uids, keys)
    }
}

/// The keyed hash by which an event is known to have been read before.
pub fn event_key(key: &[u8; 16], source: &str, scope: &str, native_uid: &str) -> u128 {
    keyed(key, &[source, scope, native_uid])
}

fn keyed(key: &[u8; 16], parts: &[&str]) -> u128 {
    let mut hasher = SipHasher13::new_with_key(key);
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part.as_bytes());
    }
    let hash = hasher.finish128();
    (u128::from(hash.h1) << 64) | u128::from(hash.h2)
}

/// Hexadecimal ids and UUIDs, which nearly all native ids are, cannot match a
/// rule of the redactor.
fn is_plain_id(value: &str) -> bool {
    value.len() <= 40 && value.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-')
}

/// The columns that name a credential.
struct CredentialColumns<'a> {
    values: Option<StringViewArray>,
    kinds: Option<StringViewArray>,
    scopes: Option<StringViewArray>,
    /// Who wrote the log, which is the scope where none is named.
    issuers: &'a Coded,
}

impl CredentialColumns<'_> {
    fn kind(&self, row: usize) -> &str {
        text_at(&self.kinds, row)
    }

    /// The issuer within which the value is unique.
    fn scope(&self, row: usize) -> &str {
        match text_at(&self.scopes, row) {
            "" if needs_scope(self.kind(row)) => self.issuers.value(row).unwrap_or(""),
            scope => scope,
        }
    }
}

fn text_at(column: &Option<StringViewArray>, row: usize) -> &str {
    match column {
        Some(column) if column.is_valid(row) => column.value(row),
        _ => "",
    }
}

/// What a source's SQL leaves out and its folder or the command line says.
fn fill_defaults(texts: &mut [Coded], facts: &InputFacts, count: usize) {
    texts[Text::Source as usize] = Coded::constant(Some(facts.source.clone()));
    texts[Text::FileUid as usize] = Coded::constant(Some(facts.file_uid.clone()));
    or_constant(&mut texts[Text::Category as usize], &facts.category);
    or_constant(&mut texts[Text::Outcome as usize], "unknown");
    let attribution = default_attribution(texts, count);
    texts[Text::Attribution as usize] = attribution;
}

fn or_constant(column: &mut Coded, default: &str) {
    if column.is_null() {
        *column = Coded::constant(Some(default.to_owned()));
        return;
    }
    if let Codes::Rows(codes) = &mut column.codes
        && codes.contains(&NULL)
    {
        column.values.push(default.to_owned());
        let code = column.values.len() as u32 - 1;
        codes.iter_mut().filter(|it| **it == NULL).for_each(|it| *it = code);
    }
}

/// `exact` where the log names a credential, `principal` where it names only
/// who, else `none`; what the SQL says wins, but never over a missing
/// credential, since `exact` without one would be a claim without evidence.
fn default_attribution(texts: &[Coded], count: usize) -> Coded {
    const GRADES: [&str; 4] = ["exact", "derived", "principal", "none"];
    let given = &texts[Text::Attribution as usize];
    let codes = (0..count)
        .map(|row| {
            let named = texts[Text::CredentialUid as usize].code(row) != NULL;
            let given =
                given.value(row).and_then(|it| GRADES.iter().position(|grade| *grade == it));
            let known = texts[Text::Principal as usize].code(row) != NULL;
            match (given, named) {
                (Some(grade), true) => grade as u32,
                (Some(grade), false) if grade >= 2 => grade as u32,
                (None, true) => 0,
                _ => 3 - u32::from(known),
            }
        })
        .collect();
    Coded { codes: Codes::Rows(codes), values: GRADES.map(str::to_owned).to_vec() }
}

fn coded(column: Option<&Column>, mut transform: impl FnMut(&str) -> Option<String>) -> Coded {
    match column {
        Some(Column::Rows(array)) => Coded::from_view(array.as_string_view(), transform),
        Some(Column::Constant(Some(value))) => Coded::constant(
            scalar_text(value).filter(|it| !it.is_empty()).and_then(|it| transform(&it)),
        ),
        _ => Coded::null(),
    }
}

fn scalar_text(value: &ScalarValue) -> Option<String> {
    value.try_as_str().flatten().map(str::to_owned)
}

fn text_rows(column: Option<&Column>, count: usize) -> Option<StringViewArray> {
    match column? {
        Column::Rows(array) => Some(array.as_string_view().clone()),
        Column::Constant(Some(value)) => {
            let text = scalar_text(value)?;
            Some(StringViewArray::from_iter_values(std::iter::repeat_n(text, count)))
        }
        Column::Constant(None) => None,
    }
}

fn array_of(column: Option<&Column>, count: usize) -> Option<ArrayRef> {
    match column? {
        Column::Rows(array) => Some(Arc::clone(array)),
        Column::Constant(Some(value)) => value.to_array_of_size(count).ok(),
        Column::Constant(None) => None,
    }
}

fn instants(column: Option<&Column>, count: usize) -> Vec<i64> {
    let Some(array) = array_of(column, count) else { return vec![NO_NUMBER; count] };
    array
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .map(|it| it.unwrap_or(NO_NUMBER))
        .collect()
}

fn numbers(column: Option<&Column>, count: usize) -> Vec<i64> {
    let Some(array) = array_of(column, count) else { return vec![NO_NUMBER; count] };
    array.as_primitive::<Int64Type>().iter().map(|it| it.unwrap_or(NO_NUMBER)).collect()
}
