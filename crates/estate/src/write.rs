//! Appending text to byte buffers: logs are written by hand because a JSON writer per record would cost more than the record.

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::rng::Rng;

pub(crate) const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
pub(crate) const ALPHANUMERIC: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends each part.
macro_rules! push {
    ($out:expr, $($part:expr),+ $(,)?) => {{ $( $out.extend_from_slice($part.as_ref()); )+ }};
}
pub(crate) use push;

/// Appends a random UUID (version 4).
pub(crate) fn push_uuid(out: &mut Vec<u8>, rng: &mut Rng) {
    let mut bytes: [u8; 16] = rng.bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    out.extend_from_slice(&text);
}

pub(crate) fn uuid(rng: &mut Rng) -> String {
    let mut out = Vec::with_capacity(36);
    push_uuid(&mut out, rng);
    String::from_utf8(out).unwrap_or_default()
}

/// Appends `count` random bytes as lower-case hex.
pub(crate) fn push_hex(out: &mut Vec<u8>, rng: &mut Rng, count: usize) {
    for _ in 0..count {
        let byte = rng.next();
        out.extend_from_slice(&[HEX[(byte >> 4 & 15) as usize], HEX[(byte & 15) as usize]]);
    }
}

/// Appends `text` as the inside of a JSON string.
pub(crate) fn push_json(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
}

/// An AWS key id of the right shape: `AKIA` or `ASIA` and sixteen characters of base32.
pub(crate) fn aws_key_id(prefix: &str, rng: &mut Rng) -> String {
    format!("{prefix}{}", rng.text(BASE32, 16))
}

/// What Vault's audit log shows of a token: HMAC-SHA-256 under the salt of the audit device.
pub(crate) fn vault_hmac(salt: &[u8], text: &str) -> String {
    // HMAC takes a key of any length, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt) else {
        return String::new();
    };
    mac.update(text.as_bytes());
    format!("hmac-sha256:{}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// What GitHub's audit log shows of a token: base64 of its SHA-256.
pub(crate) fn hashed_token(token: &str) -> String {
    BASE64.encode(&Sha256::digest(token.as_bytes()))
}

/// The fingerprint of a made-up ssh key, as sshd prints it.
pub(crate) fn ssh_fingerprint(rng: &mut Rng) -> String {
    format!("SHA256:{}", BASE64_NOPAD.encode(&rng.bytes::<32>()))
}

/// Percent-encodes everything that is not unreserved (RFC 3986).
pub(crate) fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `10.0.0.1` from its number.
pub(crate) fn ip_text(address: u32) -> String {
    std::net::Ipv4Addr::from(address).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_version_and_variant() {
        let text = uuid(&mut Rng::new(1));
        assert_eq!((text.len(), &text[14..15]), (36, "4"));
        assert!("89ab".contains(&text[19..20]));
    }

    #[test]
    fn json_text_is_escaped() {
        let mut out = Vec::new();
        push_json(&mut out, "a\"b\\c\n\u{1}é");
        let back: String = serde_json::from_str(&format!("\"{}\"", String::from_utf8_lossy(&out)))
            .expect("valid JSON");
        assert_eq!(back, "a\"b\\c\n\u{1}é");
    }

    #[test]
    fn percent_encoding_keeps_unreserved_characters_only() {
        assert_eq!(percent_encode("ab+/=~"), "ab%2B%2F%3D~");
    }
}
