//! Ed25519 keys in the files that OpenSSL writes and reads.
//!
//! A private key is PKCS #8 in PEM (RFC 5958, RFC 8410), as `openssl genpkey -algorithm ed25519`
//! writes it; a public key is SubjectPublicKeyInfo in PEM, as `openssl pkey -pubout` does.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

const PRIVATE_LABEL: &str = "PRIVATE KEY";
const PUBLIC_LABEL: &str = "PUBLIC KEY";
/// What stands before the 32 bytes of a private key: PKCS #8 version 1 without the public key,
/// which OpenSSL 3 reads, unlike version 2.
const PRIVATE_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// What stands before the 32 bytes of a public key (RFC 8410, section 4).
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Why a key cannot be used. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No such block stands in the file.
    #[error("it has no `-----BEGIN {label}-----` block")]
    NoBlock {
        /// What should stand there.
        label: &'static str,
    },
    /// The private key is locked by a passphrase.
    #[error("it is encrypted, and no passphrase can be given")]
    Encrypted,
    /// The block does not hold base64.
    #[error("its `{label}` block is damaged")]
    Damaged {
        /// Which block.
        label: &'static str,
    },
    /// It is a key of another kind.
    #[error("it is not an Ed25519 key")]
    NotEd25519,
    /// The system has no random bytes.
    #[error("cannot get random bytes for a key")]
    Random,
}

/// A key that signs. The text and bytes it is read from are wiped from memory; the expanded key
/// that signs stays there until the process ends.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(****)")
    }
}

impl SigningKey {
    /// Makes a new key; the text is that of its file.
    pub fn generate() -> Result<(Self, Zeroizing<String>), KeyError> {
        let mut der = Zeroizing::new([0; 48]);
        der[..16].copy_from_slice(&PRIVATE_PREFIX);
        SystemRandom::new().fill(&mut der[16..]).map_err(|_| KeyError::Random)?;
        Ok((Self::from_der(der.as_slice())?, block(PRIVATE_LABEL, der.as_slice())))
    }

    /// Reads a private key file.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            return Err(KeyError::Encrypted);
        }
        Self::from_der(&unblock(PRIVATE_LABEL, text)?)
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
        pair.map(Self).map_err(|_| KeyError::NotEd25519)
    }

    /// The key that checks what this one signs.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

/// A key that checks signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a public key file.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = unblock(PUBLIC_LABEL, text)?;
        let bytes = der.strip_prefix(&PUBLIC_PREFIX).ok_or(KeyError::NotEd25519)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::NotEd25519)
    }

    /// The text of its file.
    pub fn to_pem(&self) -> String {
        block(PUBLIC_LABEL, &self.der()).to_string()
    }

    /// The name of the key in certificates: SHA-256 of its SubjectPublicKeyInfo in DER, in hex.
    ///
    /// The same as `openssl pkey -pubin -in FILE -outform DER | sha256sum`.
    pub fn key_id(&self) -> String {
        HEXLOWER.encode(digest(&SHA256, &self.der()).as_ref())
    }

    pub(crate) fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    fn der(&self) -> Vec<u8> {
        [PUBLIC_PREFIX.as_slice(), &self.0].concat()
    }
}

/// A block of PEM (RFC 7468); keys of this kind fit one line.
fn block(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(BASE64.encode(der));
    Zeroizing::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", *body))
}

/// The bytes of the first block of that label; what stands around it is passed over.
fn unblock(label: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let (_, rest) = text.split_once(&begin).ok_or(KeyError::NoBlock { label })?;
    let (body, _) = rest.split_once(&end).ok_or(KeyError::Damaged { label })?;
    let mut packed = Zeroizing::new(String::with_capacity(body.len()));
    packed.extend(body.chars().filter(|it| !it.is_ascii_whitespace()));
    let bytes = BASE64.decode(packed.as_bytes()).map_err(|_| KeyError::Damaged { label })?;
    Ok(Zeroizing::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_read_back_from_its_file() {
        let (key, text) = SigningKey::generate().expect("a key");
        let again = SigningKey::from_pem(&text).expect("reads");
        assert_eq!(again.public(), key.public());
        let public = key.public();
        assert_eq!(PublicKey::from_pem(&public.to_pem()), Ok(public));
        assert_eq!(public.key_id().len(), 64);
        let (other, _) = SigningKey::generate().expect("a key");
        assert_ne!(other.public(), public);
    }

    #[test]
    fn a_key_file_that_also_holds_the_public_key_is_read() {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        SigningKey::from_pem(&block(PRIVATE_LABEL, der.as_ref())).expect("reads");
    }

    #[test]
    fn nothing_of_a_private_key_is_printed() {
        let (key, _) = SigningKey::generate().expect("a key");
        assert_eq!(format!("{key:?}"), "SigningKey(****)");
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let (key, text) = SigningKey::generate().expect("a key");
        let private = |text: &str| SigningKey::from_pem(text).map(|it| it.public());
        let no_private = Err(KeyError::NoBlock { label: PRIVATE_LABEL });
        assert_eq!(private(""), no_private);
        assert_eq!(private(&key.public().to_pem()), no_private);
        assert_eq!(PublicKey::from_pem(&text), Err(KeyError::NoBlock { label: PUBLIC_LABEL }));
        let damaged = Err(KeyError::Damaged { label: PRIVATE_LABEL });
        assert_eq!(private(&text.replace("-----END", "----END")), damaged);
        assert_eq!(private(&text.replacen('M', "*", 1)), damaged);
        let locked = text.replace(PRIVATE_LABEL, "ENCRYPTED PRIVATE KEY");
        assert_eq!(private(&locked), Err(KeyError::Encrypted));
        assert_eq!(private(&block(PRIVATE_LABEL, &[0; 48])), Err(KeyError::NotEd25519));
        for der in [&[0; 44][..], &PUBLIC_PREFIX, &[PUBLIC_PREFIX.as_slice(), &[0; 33]].concat()] {
            assert_eq!(PublicKey::from_pem(&block(PUBLIC_LABEL, der)), Err(KeyError::NotEd25519));
        }
    }
}
