//! Certificates of non-use: signed statements that a secret version is not used.
//!
//! ```text
//! Statement -> canonical JSON -> DSSE envelope, Ed25519 -> a file of one line -> verify
//! ```
//!
//! What is said comes from elsewhere: nothing here decides a verdict or reads the clock.
//! docs/certificates.md says what a certificate holds and what may be concluded from it.

mod canonical;
mod envelope;
mod files;
mod keys;
mod statement;

pub use canonical::{CanonicalError, canonical};
pub use envelope::{BYTES_MAX, PAYLOAD_TYPE, SignError, Verified, VerifyError, pae, sign, verify};
pub use files::{
    FileError, PRIVATE_NAME, PUBLIC_NAME, read_certificate, read_public_key, read_signing_key,
    signing_key_in, write_certificate,
};
pub use keys::{KeyError, PublicKey, SigningKey};
pub use statement::{PREDICATE_TYPE, STATEMENT_TYPE, Statement, StatementError, Subject};
