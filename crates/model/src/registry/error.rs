//! Why a registry was refused: what is wrong, where, and what to do.

use super::SecretSource;
use crate::fingerprint::FingerprintError;

/// Why a registry was refused. Never holds the value of an identifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The text is not YAML or JSON of the expected shape.
    #[error("cannot read the registry at line {line}, column {column}: {what}")]
    Syntax {
        /// Line of the place, from 1; 0 if unknown.
        line: u64,
        /// Column of the place, from 1; 0 if unknown.
        column: u64,
        /// What was wrong, without values.
        what: String,
    },
    /// An entry of a provider's export has no name.
    #[error("entry {number} of the export ({export}) has no `{field}`")]
    Export {
        /// The command that makes such an export.
        export: &'static str,
        /// The entry, from 1.
        number: usize,
        /// What is missing.
        field: &'static str,
    },
    /// A name that must say something is empty.
    #[error("a registry entry has an empty `{field}`{}: give it a name", within(place))]
    EmptyName {
        /// The field that is empty.
        field: &'static str,
        /// Where it stands; empty at the top.
        place: String,
    },
    /// Two entries have the same secret id.
    #[error("secret `{id}` stands twice in the registry: join the two entries or rename one")]
    DuplicateSecret {
        /// The id.
        id: String,
    },
    /// Two versions of a secret have the same name.
    #[error("secret `{id}` has version `{version}` twice: join the two or rename one")]
    DuplicateVersion {
        /// The secret.
        id: String,
        /// The version.
        version: String,
    },
    /// A raw secret stands in the registry.
    #[error(
        "{place}: a `{kind}` must not stand in the registry; put it into a file or an environment \
         variable and name that with `file:` or `env:`, or give its hash as `secret_sha256`"
    )]
    RawSecret {
        /// The secret and version.
        place: String,
        /// The kind of the identifier.
        kind: String,
    },
    /// An identifier has none or several of `value`, `env` and `file`.
    #[error("{place}: an identifier of kind `{kind}` needs exactly one of `value`, `env`, `file`")]
    WrongSource {
        /// The secret and version.
        place: String,
        /// The kind of the identifier.
        kind: String,
    },
    /// A kind that is almost one of the known ones.
    #[error("{place}: no identifier has the kind `{kind}`: did you mean `{suggestion}`?")]
    UnknownKind {
        /// The secret and version.
        place: String,
        /// The kind as written.
        kind: String,
        /// The known kind nearest to it.
        suggestion: &'static str,
    },
    /// A value does not look like one of its kind.
    #[error("{place}: the value given as `{kind}` does not look like one: check value and kind")]
    NotOfKind {
        /// The secret and version.
        place: String,
        /// The kind of the identifier.
        kind: String,
    },
    /// Times of a version contradict each other.
    #[error("{place}: `{later}` lies before `{earlier}`: correct one of them")]
    TimesOutOfOrder {
        /// The secret and version.
        place: String,
        /// The field that must come first.
        earlier: &'static str,
        /// The field that must come second.
        later: &'static str,
    },
    /// A network is not written as one.
    #[error("asset `{cidr}` is no network: write an address and a prefix, such as 10.4.0.0/16")]
    InvalidCidr {
        /// The text.
        cidr: String,
    },
    /// Two assets claim the same network.
    #[error("network `{cidr}` stands twice among the assets: keep the right one")]
    DuplicateAsset {
        /// The network.
        cidr: String,
    },
    /// The file or variable that holds a secret could not be read.
    #[error("{place}: cannot read the secret from {from}")]
    ReadSecret {
        /// The secret and version.
        place: String,
        /// The file or variable.
        from: SecretSource,
        /// Why.
        source: std::io::Error,
    },
    /// The file or variable holds nothing.
    #[error("{place}: {from} is empty: put the secret there, or remove the identifier")]
    EmptySecret {
        /// The secret and version.
        place: String,
        /// The file or variable.
        from: SecretSource,
    },
    /// The file or variable holds a header's value and not the secret in it.
    #[error(
        "{place}: {from} begins with the word `{scheme}`, which is no part of a secret: put only \
         what follows there, or give the hash of the whole as `secret_sha256`"
    )]
    Scheme {
        /// The secret and version.
        place: String,
        /// The file or variable.
        from: SecretSource,
        /// The word.
        scheme: &'static str,
    },
    /// A raw secret, by its shape, stands where a public identifier or its scope should.
    #[error(
        "{place}: the value or scope given as `{kind}` is a raw secret and no public identifier; \
         put it into a file or an environment variable and use kind `secret_value` with `file:` \
         or `env:`"
    )]
    RawIdentifier {
        /// The secret and version.
        place: String,
        /// The kind of the identifier.
        kind: String,
    },
    /// An identifier could not be fingerprinted.
    #[error("{place}: the identifier of kind `{kind}` cannot be used")]
    Fingerprint {
        /// The secret and version.
        place: String,
        /// The kind of the identifier.
        kind: String,
        /// Why.
        source: FingerprintError,
    },
}

fn within(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" in {place}") }
}
