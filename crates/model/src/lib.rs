//! The words of lastuse: event words, fingerprints, redaction, times, registry. No I/O.
//!
//! Everything here is a pure function of its arguments: no clock, no files, no
//! environment. What a word means stands in `words`, what a kind of identifier
//! means in `kind`; the other crates use these and define none of their own.

pub mod fingerprint;
pub mod http;
pub mod kind;
pub mod network;
pub mod redact;
pub mod registry;
pub mod time;
pub mod user_agent;
pub mod words;

pub use fingerprint::{ContentHasher, CredentialUid, FingerprintError, FingerprintKey};
pub use http::{
    Authorization, SecretText, authorization, is_secret_name, query_parameter, query_secrets,
};
pub use kind::{is_absent, is_masked, is_public, public_value};
pub use network::{clean_ip, network};
pub use redact::Redactor;
pub use registry::{Registry, RegistryError, ResolvedRegistry};
pub use time::{format_time, parse_syslog_time, parse_time};
pub use words::{Attribution, Category, Outcome, TargetState, TimeQuality};
