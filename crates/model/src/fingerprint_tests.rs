//! Proofs about fingerprints: the construction, its joins, and that nothing raw shows.

use std::collections::HashSet;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXUPPER};
use proptest::prelude::*;

use super::*;
use crate::kind::{AWS_ACCESS_KEY_ID, FINGERPRINT, SECRET_SHA256, SECRET_VALUE, VAULT_HMAC};

fn key() -> FingerprintKey {
    FingerprintKey::from_bytes(&[7; 32])
}

fn mac(key: &[u8], message: &[u8]) -> String {
    let mut state = State::new_from_slice(key).unwrap();
    state.update(message);
    HEXLOWER.encode(&state.finalize().into_bytes())
}

/// RFC 4231, test cases 1 to 4, 6 and 7 for HMAC-SHA-256.
#[test]
fn the_mac_is_the_one_of_rfc_4231() {
    let long = [0xaa_u8; 131];
    let counting: Vec<u8> = (1..=25).collect();
    let cases: [(&[u8], &[u8], &str); 6] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xaa; 20],
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            &counting,
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            &long,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &long,
            b"This is a test using a larger than block-size key and a larger than block-size data. \
              The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, message, expected) in cases {
        assert_eq!(mac(key, message), expected);
    }
}

#[test]
fn a_fingerprint_is_the_stated_mac() {
    let secret = b"made-up-secret-1";
    let mut message = b"lastuse/v1/secret\0".to_vec();
    message.extend_from_slice(&Sha256::digest(secret));
    assert_eq!(HEXLOWER.encode(&key().secret(secret).0), mac(&[7; 32], &message));
    assert_eq!(
        HEXLOWER.encode(&key().identifier("gitlab_token_id", "gitlab.example", "2").0),
        mac(&[7; 32], b"lastuse/v1/id\0gitlab_token_id\0gitlab.example\x002")
    );
}

/// GitHub writes base64 of the plain SHA-256 of the token.
#[test]
fn a_hashed_token_joins_the_raw_token() {
    let token = "ghp_madeupmadeupmadeupmadeupmadeup123456";
    let hash: [u8; 32] = Sha256::digest(token).into();
    let expected = key().credential(SECRET_VALUE, "", token).unwrap();
    assert_eq!(expected, Some(key().secret(token.as_bytes())));
    let padded = BASE64.encode(&hash);
    for spelling in [
        padded.clone(),
        padded.trim_end_matches('=').to_owned(),
        BASE64URL_NOPAD.encode(&hash),
        HEXLOWER.encode(&hash),
        HEXUPPER.encode(&hash),
        format!("sha256:{}", HEXLOWER.encode(&hash)),
        format!(" {padded} "),
    ] {
        assert_eq!(
            key().credential(SECRET_SHA256, "ignored", &spelling),
            Ok(expected),
            "{spelling}"
        );
    }
}

#[test]
fn an_identifier_is_bound_to_its_issuer() {
    let key = key();
    let one = key.credential("gitlab_token_id", "one.example", "2");
    let other = key.credential("gitlab_token_id", "other.example", "2");
    assert_ne!(one, other);
    let kind = key.credential("github_token_id", "one.example", "2");
    assert_ne!(one, kind);
}

#[test]
fn an_identifier_that_is_unique_by_itself_ignores_the_scope() {
    let value = "AKIA2222MADEUP333344";
    assert_eq!(
        key().credential(AWS_ACCESS_KEY_ID, "111122223333", value),
        key().credential(AWS_ACCESS_KEY_ID, "", value)
    );
}

#[test]
fn the_parts_of_an_identifier_cannot_be_shifted() {
    assert_ne!(key().identifier("a", "bc", "d"), key().identifier("ab", "c", "d"));
    assert_ne!(key().identifier("a", "b", "cd"), key().identifier("a", "bc", "d"));
}

#[test]
fn an_absent_or_hidden_value_is_no_credential() {
    for value in ["", "0", "-", " ", "null"] {
        for kind in [SECRET_VALUE, AWS_ACCESS_KEY_ID, SECRET_SHA256, "own"] {
            assert_eq!(key().credential(kind, "", value), Ok(None));
        }
    }
    assert_eq!(key().credential(SECRET_VALUE, "", "[REDACTED]"), Ok(None));
}

#[test]
fn a_raw_token_in_a_vault_log_is_the_secret_itself() {
    let raw = "hvs.CAESIJmadeupmadeupmadeup";
    assert_eq!(
        key().credential(VAULT_HMAC, "cluster-1/file", raw),
        Ok(Some(key().secret(raw.as_bytes())))
    );
}

#[test]
fn a_fingerprint_made_elsewhere_is_taken_as_it_is() {
    let uid = key().secret(b"made-up");
    assert_eq!(key().credential(FINGERPRINT, "", &uid.to_string()), Ok(Some(uid)));
    assert_eq!(key().credential(FINGERPRINT, "", "lu1_short"), Err(FingerprintError::InvalidUid));
}

#[test]
fn a_malformed_hash_is_refused_without_being_shown() {
    for value in ["hunter2", &"g".repeat(64), &"a".repeat(42), &"é".repeat(32)] {
        let error = key().credential(SECRET_SHA256, "", value).unwrap_err();
        assert_eq!(error, FingerprintError::InvalidSha256);
        assert!(!format!("{error} {error:?}").contains(value));
    }
}

#[test]
fn a_uid_shows_as_lu1_and_lower_case_base32() {
    let uid = CredentialUid([0; 32]);
    assert_eq!(uid.to_string(), format!("lu1_{}", "a".repeat(52)));
    assert_eq!(uid.short(), "lu1_aaaaaaaa");
    assert_eq!(uid.short().len(), SHORT_LENGTH);
    let uid = CredentialUid([0xff; 32]);
    assert_eq!(uid.to_string(), format!("lu1_{}q", "7".repeat(51)));
    let json = serde_json::to_string(&uid).unwrap();
    assert_eq!(serde_json::from_str::<CredentialUid>(&json).unwrap(), uid);
}

#[test]
fn a_key_reads_back_and_never_shows() {
    let text = key().to_text();
    assert_eq!(text.as_str(), "07".repeat(32));
    assert_eq!(FingerprintKey::parse(&format!("{}\n", *text)), Ok(key()));
    assert_eq!(format!("{:?}", key()), "FingerprintKey(****)");
    assert_eq!(format!("{:?}", key().content_hasher()), "ContentHasher(****)");
    assert_eq!(FingerprintKey::parse("07"), Err(FingerprintError::InvalidKey));
    let id = key().id();
    assert_eq!(id.len(), 16);
    assert_ne!(id, FingerprintKey::from_bytes(&[8; 32]).id());
}

#[test]
fn a_dropped_state_holds_no_key() {
    let mut state = KeyedState(keyed(&[7; 32]));
    let answer = |state: &State| {
        let mut state = state.clone();
        state.update(b"probe");
        state.finalize().into_bytes()
    };
    let before = answer(&state.0);
    state.0.clone_from(&EMPTY_STATE);
    assert_ne!(answer(&state.0), before);
    assert_eq!(answer(&state.0), answer(&keyed(&[0; 32])));
}

#[test]
fn rotating_the_key_keeps_every_match() {
    let (old, new) = (key(), FingerprintKey::from_bytes(&[9; 32]));
    let uids: HashSet<_> =
        (0..1000_u32).map(|it| new.refingerprint(&old.secret(&it.to_le_bytes()))).collect();
    assert_eq!(uids.len(), 1000);
    assert!(uids.contains(&new.refingerprint(&old.secret(&5_u32.to_le_bytes()))));
}

#[test]
fn content_is_hashed_apart_from_secrets() {
    let content = b"made-up";
    let uid = key().secret(content);
    assert_ne!(key().content(content)[..], uid.0[..16]);
    assert_ne!(key().content(content), FingerprintKey::from_bytes(&[8; 32]).content(content));
}

proptest! {
    #[test]
    fn a_uid_reads_back_as_itself(bytes: [u8; 32]) {
        let uid = CredentialUid(bytes);
        prop_assert_eq!(uid.to_string().parse(), Ok(uid));
    }

    #[test]
    fn a_secret_and_its_hash_are_one_credential(secret: Vec<u8>) {
        let hash: [u8; 32] = Sha256::digest(&secret).into();
        prop_assert_eq!(key().secret(&secret), key().secret_sha256(&hash));
    }

    #[test]
    fn content_hashed_in_pieces_is_the_same(content: Vec<u8>, cut: usize) {
        let cut = cut % (content.len() + 1);
        let mut hasher = key().content_hasher();
        hasher.update(&content[..cut]);
        let mut other = hasher.clone();
        prop_assert_eq!(hasher.finish(), key().content(&content[..cut]));
        other.update(&content[cut..]);
        prop_assert_eq!(other.finish(), key().content(&content));
    }

    #[test]
    fn no_text_makes_a_fingerprint_panic(kind in "[a-z_0-9]{0,20}", scope: String, value: String) {
        let _ = key().credential(&kind, &scope, &value);
        for kind in crate::kind::KINDS {
            let _ = key().credential(kind.name, &scope, &value);
            let _ = crate::kind::public_value(kind.name, &value);
        }
    }
}
