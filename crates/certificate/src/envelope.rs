//! The envelope: a statement and its signature in one line of JSON (DSSE 1.0).
//!
//! The protocol, with the encoding that is signed, and the envelope:
//! <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md>,
//! <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md>
//!
//! DSSE allows either base64 alphabet, several signatures, any spacing and no `keyid`. A
//! certificate is narrower: the file is exactly what [`sign`] writes, so that no bit of it can
//! change unseen, not even one that means nothing. Any DSSE tool reads what is written here; not
//! every DSSE envelope is read.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;

use crate::canonical::{CanonicalError, canonical};
use crate::keys::{PublicKey, SigningKey};
use crate::statement::{PREDICATE_TYPE, STATEMENT_TYPE, Statement};

/// The type of what is signed: a statement of in-toto as JSON.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The longest certificate that is written or read.
pub const BYTES_MAX: usize = 64 << 20;

/// Why a certificate is not genuine: the check that failed first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is longer than any certificate.
    #[error("it is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// It is not JSON.
    #[error("it is not JSON (line {line}, column {column})")]
    NotJson {
        /// Where it ceases to be.
        line: usize,
        /// Where in that line.
        column: usize,
    },
    /// It is JSON, and not an envelope.
    #[error("it is not a DSSE envelope")]
    NotEnvelope,
    /// The envelope holds something else.
    #[error("the envelope holds {found}, not a statement of in-toto")]
    PayloadType {
        /// What it says it holds, cut and escaped.
        found: String,
    },
    /// There is not exactly one signature.
    #[error("it has {count} signatures instead of one")]
    SignatureCount {
        /// How many.
        count: usize,
    },
    /// The bytes are not those that lastuse writes for this envelope.
    #[error(
        "it is not written as lastuse writes it: it was changed after signing, or is no certificate of lastuse"
    )]
    Form,
    /// None of the given keys is the one it names.
    #[error("it names the signing key {found}, which is none of the public keys given")]
    UnknownKey {
        /// The key's name, cut and escaped.
        found: String,
    },
    /// The key did not sign this.
    #[error(
        "the signature does not fit: the certificate was changed after signing, or another key made it"
    )]
    Signature,
    /// What was signed is not a statement in canonical JSON.
    #[error("what is signed is not a statement of in-toto in canonical JSON")]
    NotStatement,
    /// What was signed is a statement of another kind.
    #[error("what is signed is a statement of type {found}, not a certificate of non-use")]
    PredicateType {
        /// The type, cut and escaped.
        found: String,
    },
}

/// Why a statement is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// It has no canonical text.
    #[error("cannot write the statement as canonical JSON")]
    Canonical(#[from] CanonicalError),
    /// Nobody would read so long a certificate.
    #[error("the certificate would have {bytes} bytes, and at most {BYTES_MAX} are read")]
    TooLong {
        /// How many it would have.
        bytes: usize,
    },
}

/// A certificate that a trusted key signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// What it says.
    pub statement: Statement,
    /// The key that signed it.
    pub key: PublicKey,
}

/// The fields stand in the order of their names, as in canonical JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// The one text of it: a line.
    fn text(&self) -> String {
        let mut text = serde_json::to_string(self).expect("text is always written");
        text.push('\n');
        text
    }
}

/// The pre-authentication encoding: what is signed in place of the payload alone.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The certificate: what its file holds. The same statement and key give the same bytes.
pub fn sign(statement: &Statement, key: &SigningKey) -> Result<String, SignError> {
    let payload = canonical(&serde_json::json!(statement))?;
    let signature = key.sign(&pae(PAYLOAD_TYPE, payload.as_bytes()));
    let envelope = Envelope {
        payload: BASE64.encode(payload.as_bytes()),
        payload_type: PAYLOAD_TYPE.to_owned(),
        signatures: vec![Signature {
            keyid: key.public().key_id(),
            sig: BASE64.encode(&signature),
        }],
    };
    let text = envelope.text();
    match text.len() > BYTES_MAX {
        true => Err(SignError::TooLong { bytes: text.len() }),
        false => Ok(text),
    }
}

/// Checks a certificate against the keys that are trusted; nothing of it is believed before its
/// signature fits.
pub fn verify(certificate: &[u8], trusted: &[PublicKey]) -> Result<Verified, VerifyError> {
    if certificate.len() > BYTES_MAX {
        return Err(VerifyError::TooLong);
    }
    let envelope: Envelope = serde_json::from_slice(certificate).map_err(not_envelope)?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(VerifyError::PayloadType { found: shown(&envelope.payload_type) });
    }
    let [signature] = envelope.signatures.as_slice() else {
        return Err(VerifyError::SignatureCount { count: envelope.signatures.len() });
    };
    if envelope.text().as_bytes() != certificate {
        return Err(VerifyError::Form);
    }
    let payload =
        BASE64.decode(envelope.payload.as_bytes()).map_err(|_| VerifyError::NotEnvelope)?;
    let sig = BASE64.decode(signature.sig.as_bytes()).map_err(|_| VerifyError::NotEnvelope)?;
    let named = trusted.iter().find(|it| it.key_id() == signature.keyid);
    let key = named.ok_or_else(|| VerifyError::UnknownKey { found: shown(&signature.keyid) })?;
    if !key.accepts(&pae(PAYLOAD_TYPE, &payload), &sig) {
        return Err(VerifyError::Signature);
    }
    Ok(Verified { statement: statement(&payload)?, key: *key })
}

fn not_envelope(error: serde_json::Error) -> VerifyError {
    match error.classify() {
        Category::Data => VerifyError::NotEnvelope,
        _ => VerifyError::NotJson { line: error.line(), column: error.column() },
    }
}

/// Text of a file that nobody vouches for, fit to be printed.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    format!("`{}`", cut.escape_debug())
}

/// The statement in a payload whose signature fits.
fn statement(payload: &[u8]) -> Result<Statement, VerifyError> {
    let value: Value = serde_json::from_slice(payload).map_err(|_| VerifyError::NotStatement)?;
    // Two members of one name, of which readers may take either, are found here too.
    if canonical(&value).map(String::into_bytes).as_deref() != Ok(payload) {
        return Err(VerifyError::NotStatement);
    }
    let statement: Statement =
        serde_json::from_value(value).map_err(|_| VerifyError::NotStatement)?;
    if statement.statement_type != STATEMENT_TYPE {
        return Err(VerifyError::NotStatement);
    }
    if statement.predicate_type != PREDICATE_TYPE {
        return Err(VerifyError::PredicateType { found: shown(&statement.predicate_type) });
    }
    Ok(statement)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::tests::{predicate, subject};
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::generate().expect("a key").0
    }

    fn non_use() -> Statement {
        Statement::non_use(vec![subject()], predicate()).expect("a statement")
    }

    fn certificate(key: &SigningKey) -> String {
        sign(&non_use(), key).expect("signs")
    }

    /// An envelope around any payload, with a good signature.
    fn around(payload: &str, key: &SigningKey) -> String {
        let signature = key.sign(&pae(PAYLOAD_TYPE, payload.as_bytes()));
        let signature = Signature { keyid: key.public().key_id(), sig: BASE64.encode(&signature) };
        let envelope = Envelope {
            payload: BASE64.encode(payload.as_bytes()),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![signature],
        };
        envelope.text()
    }

    fn payload(certificate: &str) -> String {
        let envelope: Envelope = serde_json::from_str(certificate).expect("an envelope");
        let payload = BASE64.decode(envelope.payload.as_bytes()).expect("base64");
        String::from_utf8(payload).expect("UTF-8")
    }

    #[track_caller]
    fn assert_error(certificate: &str, key: &SigningKey, wanted: &VerifyError) {
        let verified = verify(certificate.as_bytes(), &[key.public()]);
        assert_eq!(verified.as_ref(), Err(wanted), "{certificate}");
    }

    #[test]
    fn pae_is_that_of_the_specification() {
        // The example of protocol.md, section "Test Vectors".
        let encoded = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        // Lengths count bytes.
        assert_eq!(pae("\u{e4}", b""), "DSSEv1 2 \u{e4} 0 ".as_bytes());
    }

    #[test]
    fn what_was_signed_is_what_is_verified() {
        let key = key();
        let verified = verify(certificate(&key).as_bytes(), &[self::key().public(), key.public()]);
        assert_eq!(verified, Ok(Verified { statement: non_use(), key: key.public() }));
    }

    #[test]
    fn the_same_statement_and_key_give_the_same_bytes() {
        let key = key();
        assert_eq!(certificate(&key), certificate(&key));
        let mut turned = predicate();
        let members = turned.as_object_mut().expect("an object");
        let reversed = std::mem::take(members).into_iter().rev().collect();
        *members = reversed;
        let statement = Statement::non_use(vec![subject()], turned).expect("a statement");
        assert_eq!(sign(&statement, &key).expect("signs"), certificate(&key));
    }

    #[test]
    fn a_certificate_is_one_line_and_its_payload_is_canonical() {
        let certificate = certificate(&key());
        assert!(certificate.starts_with(r#"{"payload":""#) && certificate.ends_with("}\n"));
        assert_eq!(certificate.lines().count(), 1);
        assert_eq!(
            payload(&certificate),
            concat!(
                r#"{"_type":"https://in-toto.io/Statement/v1","predicate":{"#,
                r#""as_of_time":"2026-10-21T00:00:00Z","consumers":[],"coverage":[],"#,
                r#""policy":{"alpha":0.01},"reasons":[],"secret_id":"payments/stripe","#,
                r#""tool":{"name":"lastuse"},"verdict":"not_used","version":"1"},"#,
                r#""predicateType":"https://lastuse.invalid/certificate-of-non-use/v1","#,
                r#""subject":[{"digest":{"sha256":""#,
                "abababababababababababababababababababababababababababababababab",
                r#""},"name":"a.log"}]}"#,
            )
        );
    }

    #[test]
    fn every_single_flipped_bit_fails_the_verification() {
        let key = key();
        let certificate = certificate(&key).into_bytes();
        let trusted = [key.public()];
        assert!(verify(&certificate, &trusted).is_ok());
        for bit in 0..certificate.len() * 8 {
            let mut flipped = certificate.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&flipped, &trusted).is_err(), "bit {bit} may flip unseen");
        }
    }

    #[test]
    fn a_certificate_that_is_cut_or_lengthened_fails() {
        let key = key();
        let certificate = certificate(&key);
        for end in 0..certificate.len() {
            assert!(verify(&certificate.as_bytes()[..end], &[key.public()]).is_err(), "{end}");
        }
        for more in ["\n", " ", "{}", "\0"] {
            assert!(verify(format!("{certificate}{more}").as_bytes(), &[key.public()]).is_err());
            assert!(verify(format!("{more}{certificate}").as_bytes(), &[key.public()]).is_err());
        }
    }

    #[test]
    fn another_key_does_not_verify_even_under_the_name_of_the_first() {
        let (key, other) = (key(), key());
        let certificate = certificate(&key);
        let found = format!("`{}`", key.public().key_id());
        assert_error(&certificate, &other, &VerifyError::UnknownKey { found: found.clone() });
        assert_eq!(verify(certificate.as_bytes(), &[]), Err(VerifyError::UnknownKey { found }));
        let renamed = certificate.replace(&key.public().key_id(), &other.public().key_id());
        assert_error(&renamed, &other, &VerifyError::Signature);
    }

    #[test]
    fn what_would_be_too_long_to_verify_is_not_signed() {
        let mut predicate = predicate();
        predicate["reasons"] = "x".repeat(BYTES_MAX / 4 * 3).into();
        let statement = Statement::non_use(vec![subject()], predicate).expect("a statement");
        let error = sign(&statement, &key()).expect_err("too long");
        assert!(matches!(error, SignError::TooLong { .. }), "{error}");
    }

    #[test]
    fn a_signature_does_not_fit_another_statement() {
        let key = key();
        let certificate = certificate(&key);
        let mut predicate = predicate();
        predicate["version"] = "2".into();
        let other = Statement::non_use(vec![subject()], predicate).expect("a statement");
        let other = sign(&other, &key).expect("signs");
        let payload = |it: &str| it.split('"').nth(3).expect("a payload").to_owned();
        let swapped = certificate.replace(&payload(&certificate), &payload(&other));
        assert_error(&swapped, &key, &VerifyError::Signature);
    }

    #[test]
    fn each_check_has_its_own_error() {
        let key = key();
        let good = certificate(&key);
        assert_error("milk\n", &key, &VerifyError::NotJson { line: 1, column: 1 });
        assert_error("{}\n", &key, &VerifyError::NotEnvelope);
        assert_error(&good.replacen('{', "{\"x\":1,", 1), &key, &VerifyError::NotEnvelope);
        let other = good.replace(PAYLOAD_TYPE, "text/\\u001b");
        let found = "`text/\\u{1b}`".to_owned();
        assert_error(&other, &key, &VerifyError::PayloadType { found });
        let none = format!("{}[]}}\n", &good[..good.find('[').expect("a list")]);
        assert_error(&none, &key, &VerifyError::SignatureCount { count: 0 });
        assert_error(&good.replace(':', ": "), &key, &VerifyError::Form);
        assert_error(&good.replace("payload\"", "\\u0070ayload\""), &key, &VerifyError::Form);
        let long = vec![b' '; BYTES_MAX + 1];
        assert_eq!(verify(&long, &[key.public()]), Err(VerifyError::TooLong));
    }

    #[test]
    fn a_second_signature_is_refused_since_nobody_may_vouch_for_it() {
        let key = key();
        let good = certificate(&key);
        let start = good.find("[{").expect("a list") + 1;
        let one = &good[start..good.len() - 3];
        let twice = good.replace(one, &format!("{one},{one}"));
        assert_error(&twice, &key, &VerifyError::SignatureCount { count: 2 });
    }

    #[test]
    fn what_is_signed_must_be_a_statement_of_this_kind_in_canonical_json() {
        let key = key();
        let good = payload(&certificate(&key));
        assert!(verify(around(&good, &key).as_bytes(), &[key.public()]).is_ok());
        for payload in [
            String::new(),
            "[]".to_owned(),
            format!("{good} "),
            good.replace("\"version\":\"1\"", "\"version\":\"2\",\"version\":\"1\""),
            good.replace("0.01", "1e-2"),
            good.replace("0.01", "1e17"),
            good.replace("Statement/v1", "Statement/v0.1"),
            good.replace("\"subject\":[", "\"subject\":[1,"),
            format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
        ] {
            assert_error(&around(&payload, &key), &key, &VerifyError::NotStatement);
        }
        let other = good.replace(PREDICATE_TYPE, "https://slsa.dev/provenance/v1");
        let found = "`https://slsa.dev/provenance/v1`".to_owned();
        assert_error(&around(&other, &key), &key, &VerifyError::PredicateType { found });
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_makes_it_panic_or_passes(bytes: Vec<u8>, text: String) {
            let trusted = [key().public()];
            prop_assert!(verify(&bytes, &trusted).is_err());
            prop_assert!(verify(text.as_bytes(), &trusted).is_err());
        }
    }
}
