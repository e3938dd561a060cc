//! Fingerprints: what stands in tables in place of a credential.
//!
//! `credential_uid` is HMAC-SHA-256 under the store's key. A raw secret and its
//! SHA-256 give the same uid, whatever log they stood in; a public identifier is
//! bound to its kind and to the issuer within which it is unique.
//!
//! - raw secret: `HMAC(key, "lastuse/v1/secret" 0 SHA-256(bytes))`
//! - identifier: `HMAC(key, "lastuse/v1/id" 0 kind 0 scope 0 value)`
//!
//! Whoever can turn a guess into a fingerprint can test guesses, so nothing here
//! is offered to SQL, and the key never leaves the process that ingests.

use std::fmt;
use std::hint::black_box;
use std::str::FromStr;
use std::sync::LazyLock;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE, Specification};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::kind::{self, Form};

const SECRET_DOMAIN: &[u8] = b"lastuse/v1/secret\0";
const IDENTIFIER_DOMAIN: &[u8] = b"lastuse/v1/id\0";
const CONTENT_DOMAIN: &[u8] = b"lastuse/v1/content\0";
const KEY_ID_DOMAIN: &[u8] = b"lastuse/v1/key-id\0";

/// What every displayed fingerprint begins with; the 1 is the version of the construction.
pub const PREFIX: &str = "lu1_";
/// How many characters of a displayed fingerprint stand on screen and in redacted text.
pub const SHORT_LENGTH: usize = 12;

/// Why a key or a credential could not be fingerprinted. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// The key is not 64 hexadecimal digits.
    #[error("the fingerprint key is not 64 hexadecimal digits")]
    InvalidKey,
    /// The text is no fingerprint.
    #[error("not a fingerprint: expected `lu1_` and 52 characters of a-z and 2-7")]
    InvalidUid,
    /// The text is no SHA-256.
    #[error("not a SHA-256: expected 64 hexadecimal digits, or base64 of 32 bytes")]
    InvalidSha256,
}

/// The name under which a credential stands in every table: 256 bits that only
/// the holder of the key can connect with the credential.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialUid(pub [u8; 32]);

impl CredentialUid {
    /// The first 12 characters of the display: enough for a person to tell credentials apart.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(SHORT_LENGTH);
        text
    }

    /// The raw 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Lower-case base32 (RFC 4648) without padding.
static BASE32: LazyLock<data_encoding::Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    // A constant specification: it is valid or no test passes.
    specification.encoding().unwrap_or(data_encoding::BASE32_NOPAD)
});

impl fmt::Display for CredentialUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; 56];
        text[..4].copy_from_slice(PREFIX.as_bytes());
        BASE32.encode_mut(&self.0, &mut text[4..]);
        f.pad(std::str::from_utf8(&text).unwrap_or(PREFIX))
    }
}

impl fmt::Debug for CredentialUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for CredentialUid {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let code = text
            .trim()
            .strip_prefix(PREFIX)
            .filter(|it| it.len() == 52)
            .ok_or(FingerprintError::InvalidUid)?;
        let mut bytes = [0_u8; 32];
        match BASE32.decode_mut(code.as_bytes(), &mut bytes) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(FingerprintError::InvalidUid),
        }
    }
}

impl Serialize for CredentialUid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CredentialUid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

type State = Hmac<Sha256>;

/// An HMAC state that already took the key in: a message then costs no work on the key.
#[derive(Clone)]
struct KeyedState(State);

/// The state of a key of zeros: what is written over a state that held a real key.
static EMPTY_STATE: LazyLock<State> = LazyLock::new(|| keyed(&[0; 32]));

impl Drop for KeyedState {
    fn drop(&mut self) {
        // The hash crates clear their state only behind a feature that is off
        // in this workspace; overwriting in place does the same.
        self.0.clone_from(&EMPTY_STATE);
        black_box(&self.0);
    }
}

fn keyed(key: &[u8; 32]) -> State {
    // HMAC pads a short key with zeros up to the block; padding here makes it infallible.
    let mut block = Zeroizing::new([0_u8; 64]);
    block[..32].copy_from_slice(key);
    State::new((&*block).into())
}

/// The store's key. Prints `****`, and is cleared when dropped.
#[derive(Clone)]
pub struct FingerprintKey {
    bytes: Zeroizing<[u8; 32]>,
    state: KeyedState,
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(****)")
    }
}

impl PartialEq for FingerprintKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes.ct_eq(&*other.bytes).into()
    }
}

impl Eq for FingerprintKey {}

impl FingerprintKey {
    /// Makes a key of 32 random bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self { bytes: Zeroizing::new(*bytes), state: KeyedState(keyed(bytes)) }
    }

    /// Reads a key as it stands in a key file: 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, FingerprintError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        let digits = text.trim().as_bytes();
        if digits.len() != 64 {
            return Err(FingerprintError::InvalidKey);
        }
        HEXLOWER_PERMISSIVE
            .decode_mut(digits, &mut *bytes)
            .map_err(|_| FingerprintError::InvalidKey)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The key as it stands in a key file; only for writing that file.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&*self.bytes))
    }

    /// A short public name of this key, by which a store knows that it was made with it.
    pub fn id(&self) -> String {
        let mut code = BASE32.encode(&self.hash(&[KEY_ID_DOMAIN]));
        code.truncate(12);
        format!("key_{code}")
    }

    /// The fingerprint of a raw secret.
    pub fn secret(&self, secret: &[u8]) -> CredentialUid {
        self.secret_sha256(&Sha256::digest(secret).into())
    }

    /// The fingerprint of the secret whose SHA-256 this is.
    pub fn secret_sha256(&self, hash: &[u8; 32]) -> CredentialUid {
        CredentialUid(self.hash(&[SECRET_DOMAIN, hash]))
    }

    /// The fingerprint of a public identifier in canonical form.
    ///
    /// Use [`FingerprintKey::credential`] for values from logs: it brings them
    /// into canonical form first.
    pub fn identifier(&self, kind: &str, scope: &str, value: &str) -> CredentialUid {
        let parts: [&[u8]; 6] =
            [IDENTIFIER_DOMAIN, kind.as_bytes(), b"\0", scope.as_bytes(), b"\0", value.as_bytes()];
        CredentialUid(self.hash(&parts))
    }

    /// The fingerprint of whatever a log or a registry named, by its kind.
    ///
    /// None if the value says that there is no credential, or is only what a log
    /// writes over one. A scope is ignored for kinds that are unique by themselves.
    /// A raw token where Vault's HMAC was expected is fingerprinted as the secret it is.
    pub fn credential(
        &self,
        kind: &str,
        scope: &str,
        value: &str,
    ) -> Result<Option<CredentialUid>, FingerprintError> {
        if kind::is_absent(value) {
            return Ok(None);
        }
        let kind = kind::kind_meant(kind, value);
        let known = kind::find(kind);
        match known.map(|it| it.form) {
            Some(Form::Secret) if kind::is_masked(value) => Ok(None),
            Some(Form::Secret) => Ok(Some(self.secret(value.as_bytes()))),
            Some(Form::Sha256) => parse_sha256(value).map(|it| Some(self.secret_sha256(&it))),
            Some(Form::Fingerprint) => value.parse().map(Some),
            form => {
                let canonical = kind::canonical(kind, value);
                if form == Some(Form::VaultHmac) && !kind::is_vault_hmac(&canonical) {
                    return Ok(Some(self.secret(value.as_bytes())));
                }
                let scope = match known {
                    Some(known) if !known.scoped => "".into(),
                    _ => kind::canonical_scope(kind, scope),
                };
                Ok(Some(self.identifier(kind, &scope, &canonical)))
            }
        }
    }

    /// Takes a fingerprint made with an older key over to this one.
    ///
    /// A store whose key was rotated holds `HMAC(new, old fingerprint)`, so that
    /// no raw value is needed to rotate.
    pub fn refingerprint(&self, older: &CredentialUid) -> CredentialUid {
        CredentialUid(self.hash(&[&older.0]))
    }

    /// A keyed hash of content, for the identity of a file; tells nothing without the key.
    pub fn content(&self, content: &[u8]) -> [u8; 16] {
        let mut hasher = self.content_hasher();
        hasher.update(content);
        hasher.finish()
    }

    /// [`FingerprintKey::content`] for content that arrives in pieces.
    pub fn content_hasher(&self) -> ContentHasher {
        let mut state = self.state.clone();
        state.0.update(CONTENT_DOMAIN);
        ContentHasher(state)
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut state = self.state.0.clone();
        for part in parts {
            state.update(part);
        }
        state.finalize().into_bytes().into()
    }
}

/// A keyed hash over content that arrives in pieces; a clone goes on from the same place.
#[derive(Clone)]
pub struct ContentHasher(KeyedState);

impl ContentHasher {
    /// Takes in the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.0.update(piece);
    }

    /// The hash of everything so far; more pieces may follow.
    pub fn finish(&self) -> [u8; 16] {
        let full: [u8; 32] = self.0.0.clone().finalize().into_bytes().into();
        let mut half = [0; 16];
        half.copy_from_slice(&full[..16]);
        half
    }
}

impl fmt::Debug for ContentHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentHasher(****)")
    }
}

/// Reads a SHA-256 as hex, or as base64 of either alphabet with or without padding.
pub fn parse_sha256(text: &str) -> Result<[u8; 32], FingerprintError> {
    let text = text.trim();
    let text =
        text.strip_prefix("sha256:").or_else(|| text.strip_prefix("SHA256:")).unwrap_or(text);
    let mut hash = [0_u8; 32];
    if text.len() == 64 {
        return match HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut hash) {
            Ok(_) => Ok(hash),
            Err(_) => Err(FingerprintError::InvalidSha256),
        };
    }
    let bare = text.strip_suffix('=').unwrap_or(text).as_bytes();
    if bare.len() != 43 {
        return Err(FingerprintError::InvalidSha256);
    }
    let alphabet = if bare.iter().any(|it| matches!(it, b'-' | b'_')) {
        &BASE64URL_NOPAD
    } else {
        &BASE64_NOPAD
    };
    match alphabet.decode_mut(bare, &mut hash) {
        Ok(32) => Ok(hash),
        _ => Err(FingerprintError::InvalidSha256),
    }
}

#[cfg(test)]
#[path = "fingerprint_tests.rs"]
mod tests;
