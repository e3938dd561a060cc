//! Clean: identifiers become fingerprints, and secrets leave free text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::kind::{needs_scope, public_value};
use lastuse_model::redact::Redactor;
use lastuse_model::{network, user_agent};

use crate::coded::{Dictionary, NULL};
use crate::event::{Identifier, Text};
use crate::memo::keyed;
use crate::normalize::{Column, Part};
use crate::protect::InputFacts;

/// The grade that the SQL gives, which is not yet the grade of the row.
pub(crate) const GIVEN_ATTRIBUTION: usize = Text::COUNT;
/// How many cleaned texts and fingerprints are remembered.
const CACHE_ENTRIES: usize = 100_000;

/// How columns of the SQL become text columns.
pub(crate) enum Maker {
    /// One is redacted; where it is missing, a default stands.
    Text {
        column: usize,
        slot: usize,
        default: Option<String>,
    },
    SourceIp {
        column: usize,
    },
    Product {
        column: usize,
    },
    Uid {
        credential: CredentialColumns,
        slot: Text,
    },
    /// The kind of the credential of the maker before it.
    Kind {
        credential: CredentialColumns,
        slot: Text,
    },
    /// Of a condition: 1 where it holds.
    Filter,
}

impl Maker {
    pub(crate) fn slot(&self) -> usize {
        match self {
            Maker::Text { slot, .. } => *slot,
            Maker::SourceIp { .. } => Text::SourceIp as usize,
            Maker::Product { .. } => Text::UserAgentProduct as usize,
            Maker::Uid { slot, .. } | Maker::Kind { slot, .. } => *slot as usize,
            Maker::Filter => 0,
        }
    }
}

/// The columns of a part that name a credential.
#[derive(Clone, Copy)]
pub(crate) struct CredentialColumns {
    value: usize,
    kind: Option<usize>,
    scope: Option<usize>,
    /// Who wrote the log, which is the scope where none is named.
    issuer: Option<usize>,
}

pub(crate) fn makers(part: &Part, facts: &InputFacts) -> Vec<Maker> {
    let slots = [
        ("credential", Text::CredentialUid, Text::IdKind),
        ("issued_credential", Text::IssuedCredentialUid, Text::IssuedKind),
        ("target_credential", Text::TargetCredentialUid, Text::TargetKind),
    ];
    for (name, uid, kind) in slots {
        let place = |ending: &str| part.position(&format!("{name}_{ending}"));
        if let Some(value) = place("value") {
            let issuer = part.position("source_scope");
            let credential =
                CredentialColumns { value, kind: place("kind"), scope: place("scope"), issuer };
            return vec![
                Maker::Uid { credential, slot: uid },
                Maker::Kind { credential, slot: kind },
            ];
        }
    }
    let mut makers = Vec::new();
    for (column, name) in part.names().iter().enumerate() {
        let default = default_of(name, facts);
        match (name.as_str(), Text::named(name)) {
            ("", _) => makers.push(Maker::Filter),
            ("source_ip", _) => makers.push(Maker::SourceIp { column }),
            ("attribution", _) => {
                makers.push(Maker::Text { column, slot: GIVEN_ATTRIBUTION, default });
            }
            (_, Some(text)) => makers.push(Maker::Text { column, slot: text as usize, default }),
            (_, None) => {}
        }
        if name == "user_agent" {
            makers.push(Maker::Product { column });
        }
    }
    makers
}

/// What stands where a source's SQL leaves a column out, or a row has nothing in it.
pub(crate) fn default_of(name: &str, facts: &InputFacts) -> Option<String> {
    match name {
        "source_scope" => Some(facts.scope.clone()),
        "category" => Some(facts.category.clone()),
        "outcome" => Some("unknown".to_owned()),
        _ => None,
    }
}

/// Takes secrets out of values.
pub(crate) struct Cleaner {
    key: Arc<FingerprintKey>,
    redactor: Arc<Redactor>,
    cache_key: [u8; 16],
    redacted: HashMap<u128, String>,
    fingerprints: HashMap<u128, Option<Arc<str>>>,
    /// Those met for the first time.
    identifiers: Vec<Identifier>,
}

impl Cleaner {
    pub(crate) fn new(
        key: Arc<FingerprintKey>,
        redactor: Arc<Redactor>,
        cache_key: [u8; 16],
    ) -> Self {
        Self {
            key,
            redactor,
            cache_key,
            redacted: HashMap::new(),
            fingerprints: HashMap::new(),
            identifiers: Vec::new(),
        }
    }

    pub(crate) fn cache_key(&self) -> [u8; 16] {
        self.cache_key
    }

    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Identifiers that were not met before.
    pub(crate) fn take_identifiers(&mut self) -> Vec<Identifier> {
        std::mem::take(&mut self.identifiers)
    }

    /// The code of what a maker makes of one row of a part's columns.
    pub(crate) fn make(
        &mut self,
        maker: &Maker,
        columns: &[Column],
        row: usize,
        words: &mut Dictionary,
        issuer: &str,
    ) -> u32 {
        let made: Option<Cow<'_, str>> = match maker {
            Maker::Text { column, default, .. } => match columns[*column].text(row) {
                Some(text) => Some(self.redact(text).into()),
                None => default.as_deref().map(Cow::Borrowed),
            },
            Maker::SourceIp { column } => columns[*column]
                .text(row)
                .map(|it| self.redact(&network::clean_ip(it)))
                .filter(|it| it != "-")
                .map(Cow::Owned),
            Maker::Product { column } => columns[*column]
                .text(row)
                .map(|it| self.redact(&user_agent::product(it)))
                .filter(|it| !it.is_empty())
                .map(Cow::Owned),
            Maker::Uid { credential, .. } => {
                let uid = self.credential(credential, columns, row, issuer);
                return uid.map_or(NULL, |it| words.intern_shared(&it));
            }
            Maker::Kind { credential, .. } => {
                let named = self.credential(credential, columns, row, issuer).is_some();
                named.then(|| self.redact(text_at(columns, credential.kind, row)).into())
            }
            Maker::Filter => return u32::from(holds(columns, row)),
        };
        made.map_or(NULL, |it| words.intern(&it))
    }

    fn credential(
        &mut self,
        credential: &CredentialColumns,
        columns: &[Column],
        row: usize,
        issuer: &str,
    ) -> Option<Arc<str>> {
        let value = columns[credential.value].text(row)?;
        let kind = text_at(columns, credential.kind, row);
        let scope = match text_at(columns, credential.scope, row) {
            "" if needs_scope(kind) => match text_at(columns, credential.issuer, row) {
                "" => issuer.to_owned(),
                named => self.redact(named),
            },
            scope => scope.to_owned(),
        };
        self.fingerprint(kind, &scope, value)
    }

    fn fingerprint(&mut self, kind: &str, scope: &str, value: &str) -> Option<Arc<str>> {
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
            let identifier = Identifier {
                credential_uid: uid.to_string(),
                // A source may take these from the log too, where anything can stand.
                kind: self.redact(kind),
                scope: self.redact(scope),
                value: public,
            };
            self.identifiers.push(identifier);
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
}

fn text_at(columns: &[Column], column: Option<usize>, row: usize) -> &str {
    column.and_then(|it| columns[it].text(row)).unwrap_or("")
}

/// Whether the condition, which is the only column, holds.
fn holds(columns: &[Column], row: usize) -> bool {
    match columns {
        [Column::Rows(array)] => {
            let array: &BooleanArray = array.as_boolean();
            array.is_valid(row) && array.value(row)
        }
        [Column::Constant(Some(value))] => {
            matches!(value, datafusion::scalar::ScalarValue::Boolean(Some(true)))
        }
        _ => false,
    }
}
