//! What a certificate says: a statement of in-toto with a predicate of our own.
//!
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The type of statements, version 1 of in-toto's.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The type of the predicate. docs/certificates.md describes it.
///
/// The domain `.invalid` belongs to nobody and never will (RFC 2606): the name claims no site of
/// ours, and is still a URL for tools that ask for one.
pub const PREDICATE_TYPE: &str = "https://lastuse.invalid/certificate-of-non-use/v1";

/// What every predicate says.
const REQUIRED: [&str; 9] = [
    "secret_id",
    "version",
    "verdict",
    "as_of_time",
    "reasons",
    "consumers",
    "coverage",
    "policy",
    "tool",
];

/// The one verdict that is certified.
const NOT_USED: &str = "not_used";

/// Why a statement is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The version is used, or nobody knows.
    #[error("the verdict is `{verdict}`, and only `not_used` is certified")]
    Verdict {
        /// The verdict.
        verdict: String,
    },
    /// The predicate is not an object or lacks a member.
    #[error("the predicate has no `{name}`")]
    Missing {
        /// What it lacks.
        name: &'static str,
    },
    /// It names no input, as if nothing had been read.
    #[error("it names no input")]
    NoSubject,
    /// An input is named without a digest, which in-toto requires.
    #[error("the input `{name}` has no digest")]
    NoDigest {
        /// The input.
        name: String,
    },
}

/// An input that the verdict rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// Digests by algorithm, in lower-case hex.
    pub digest: BTreeMap<String, String>,
    /// What else is known of it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub annotations: Map<String, Value>,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    #[serde(rename = "_type")]
    pub(crate) statement_type: String,
    /// The inputs.
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub(crate) predicate_type: String,
    /// The verdict and how it was reached.
    pub predicate: Map<String, Value>,
}

impl Statement {
    /// Says that a version is not used; no other verdict is certified.
    pub fn non_use(subject: Vec<Subject>, predicate: Value) -> Result<Self, StatementError> {
        let Value::Object(predicate) = predicate else {
            return Err(StatementError::Missing { name: REQUIRED[0] });
        };
        if let Some(name) = REQUIRED.into_iter().find(|it| !predicate.contains_key(*it)) {
            return Err(StatementError::Missing { name });
        }
        if predicate["verdict"] != NOT_USED {
            let verdict = predicate["verdict"].as_str().unwrap_or("(no text)").to_owned();
            return Err(StatementError::Verdict { verdict });
        }
        if subject.is_empty() {
            return Err(StatementError::NoSubject);
        }
        if let Some(it) = subject.iter().find(|it| it.digest.is_empty()) {
            return Err(StatementError::NoDigest { name: it.name.clone() });
        }
        Ok(Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// A predicate as short as it may be.
    pub(crate) fn predicate() -> Value {
        json!({
            "secret_id": "payments/stripe", "version": "1", "verdict": "not_used",
            "as_of_time": "2026-10-21T00:00:00Z", "reasons": [], "consumers": [],
            "coverage": [], "policy": {"alpha": 0.01}, "tool": {"name": "lastuse"},
        })
    }

    /// An input.
    pub(crate) fn subject() -> Subject {
        let digest = BTreeMap::from([("sha256".to_owned(), "ab".repeat(32))]);
        Subject { name: "a.log".to_owned(), digest, annotations: Map::new() }
    }

    #[test]
    fn only_not_used_is_certified() {
        assert!(Statement::non_use(vec![subject()], predicate()).is_ok());
        for verdict in ["used", "unknown", "NOT_USED", ""] {
            let mut predicate = predicate();
            predicate["verdict"] = verdict.into();
            let error = Statement::non_use(vec![subject()], predicate);
            assert_eq!(error, Err(StatementError::Verdict { verdict: verdict.to_owned() }));
        }
    }

    #[test]
    fn a_predicate_that_leaves_something_out_is_refused() {
        for name in REQUIRED {
            let mut predicate = predicate();
            predicate.as_object_mut().expect("an object").remove(name);
            let error = Statement::non_use(vec![subject()], predicate);
            assert_eq!(error, Err(StatementError::Missing { name }));
        }
        let error = Statement::non_use(vec![subject()], Value::Null);
        assert_eq!(error, Err(StatementError::Missing { name: "secret_id" }));
    }

    #[test]
    fn inputs_are_named_each_with_a_digest() {
        let error = Statement::non_use(Vec::new(), predicate());
        assert_eq!(error, Err(StatementError::NoSubject));
        let bare = Subject { digest: BTreeMap::new(), ..subject() };
        let error = Statement::non_use(vec![subject(), bare], predicate());
        assert_eq!(error, Err(StatementError::NoDigest { name: "a.log".to_owned() }));
    }
}
