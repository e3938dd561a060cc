//! Kinds of credential identifiers: canonical form, who may see them, what they are unique within.
//!
//! One table says it all. A kind that is not in the table is an identifier of
//! a user's own source: its value is taken as it is and never shown.

use std::borrow::Cow;

use data_encoding::{BASE64, BASE64_NOPAD};
use sha2::{Digest, Sha256};

/// A raw secret, as presented.
pub const SECRET_VALUE: &str = "secret_value";
/// The SHA-256 of a raw secret, as hex or base64 text.
pub const SECRET_SHA256: &str = "secret_sha256";
/// A fingerprint made elsewhere with the same key (`lu1_...`).
pub const FINGERPRINT: &str = "fingerprint";
/// An AWS access key id (`AKIA...`, `ASIA...`).
pub const AWS_ACCESS_KEY_ID: &str = "aws_access_key_id";
/// The fingerprint of an SSH public key (`SHA256:...`, `MD5:...`), or the key itself.
pub const SSH_PUBLIC_KEY: &str = "ssh_public_key";
/// A Vault token or secret id as one audit device hashes it (`hmac-sha256:...`).
pub const VAULT_HMAC: &str = "vault_hmac";
/// The id of a Google service account's key; Google also writes it as a whole resource name.
pub const GCP_KEY: &str = "gcp_service_account_key";
/// What authenticated a request to Kubernetes, as its audit log names it (`JTI=...`).
pub const KUBERNETES_CREDENTIAL: &str = "kubernetes_credential_id";
/// The SHA-256 of a client certificate.
pub const X509_SHA256: &str = "x509_sha256";

/// How the values of a kind are brought into one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A raw secret: exact bytes.
    Secret,
    /// A SHA-256 of a raw secret.
    Sha256,
    /// A finished fingerprint.
    Fingerprint,
    /// Surrounding white space removed, nothing else.
    AsIs,
    /// Lower case.
    Lower,
    /// Hexadecimal digits in lower case, without colons.
    Hex,
    /// Vault's `hmac-sha256:` and lower-case hexadecimal digits.
    VaultHmac,
    /// `SHA256:` without padding, `MD5:` in lower case; a whole public key is hashed.
    SshFingerprint,
    /// The id alone, of a resource name that ends in `/keys/ID`.
    GcpKey,
    /// `JTI=` and the token's id.
    KubernetesCredential,
}

/// What is known of one kind of identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The word in `_kind` columns and in the registry.
    pub name: &'static str,
    /// The canonical form of its values.
    pub form: Form,
    /// True if a value may be shown and stored in clear.
    pub public: bool,
    /// True if a value is unique only within its issuer, so that a scope is needed.
    pub scoped: bool,
}

const fn kind(name: &'static str, form: Form, public: bool, scoped: bool) -> Kind {
    Kind { name, form, public, scoped }
}

/// All kinds that lastuse knows by itself.
///
/// A Vault HMAC is public because its salt never leaves the audit device;
/// a plain SHA-256 is not, because a short secret can be guessed from it.
pub const KINDS: &[Kind] = &[
    kind(SECRET_VALUE, Form::Secret, false, false),
    kind(SECRET_SHA256, Form::Sha256, false, false),
    kind(FINGERPRINT, Form::Fingerprint, false, false),
    kind(AWS_ACCESS_KEY_ID, Form::AsIs, true, false),
    kind("aws_credential_id", Form::AsIs, true, false),
    kind(SSH_PUBLIC_KEY, Form::SshFingerprint, true, false),
    kind("ssh_certificate", Form::AsIs, true, true),
    kind(VAULT_HMAC, Form::VaultHmac, true, true),
    kind("vault_accessor", Form::AsIs, true, false),
    kind("vault_lease", Form::AsIs, true, true),
    kind("github_token_id", Form::AsIs, true, true),
    kind("github_key_sha256", Form::AsIs, false, false),
    kind("gitlab_token_id", Form::AsIs, true, true),
    kind(GCP_KEY, Form::GcpKey, true, false),
    kind("entra_key_id", Form::Lower, true, true),
    kind("azure_key_slot", Form::Lower, true, true),
    kind("okta_token_id", Form::AsIs, true, false),
    kind("jwt_id", Form::AsIs, true, true),
    kind("oauth_client_id", Form::AsIs, true, true),
    kind("api_key_id", Form::AsIs, true, true),
    kind(KUBERNETES_CREDENTIAL, Form::KubernetesCredential, true, false),
    kind(X509_SHA256, Form::Hex, true, false),
    kind("x509_sha1", Form::Hex, true, false),
    kind("x509_serial", Form::Hex, true, true),
];

/// Returns what is known of a kind.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|it| it.name == name)
}

/// True if identifiers of this kind may be shown.
///
/// Before a value is stored in clear, [`public_value`] must also agree to that
/// value: a log can hold a raw token where an identifier was expected.
pub fn is_public(name: &str) -> bool {
    find(name).is_some_and(|it| it.public)
}

/// True if values of this kind are unique only within an issuer.
pub fn needs_scope(name: &str) -> bool {
    find(name).is_some_and(|it| it.scoped)
}

/// True if a value says that there is no credential: empty, `0`, `-`, or the word `null`.
///
/// GitHub writes `0` for "no token", CloudTrail writes an empty key id, access
/// logs write `-`, and loggers that print absent values write `null`.
pub fn is_absent(value: &str) -> bool {
    matches!(value.trim(), "" | "0" | "-" | "null")
}

/// True if a value is what a log writes in place of a secret it hides.
///
/// All hidden secrets would otherwise be one credential that everyone uses.
pub fn is_masked(value: &str) -> bool {
    let bare = value.trim().trim_matches(['[', ']', '<', '>', '{', '}', '(', ')', '"', '\'']);
    let bare_lower = bare.to_ascii_lowercase();
    if matches!(bare_lower.as_str(), "redacted" | "filtered" | "masked" | "sanitized" | "undefined")
    {
        return true;
    }
    let mut characters = bare.chars();
    match characters.next() {
        Some(first @ ('*' | 'x' | 'X' | '.' | '•' | '#')) => {
            bare.chars().count() >= 3 && characters.all(|it| it == first)
        }
        _ => false,
    }
}

/// The kind that an identifier is of, which may be another than the one it was given as.
///
/// Kubernetes names client certificates like tokens (`X509SHA256=...`), but
/// what proxies log of them is their SHA-256.
pub fn kind_meant<'a>(kind: &'a str, value: &str) -> &'a str {
    if kind == KUBERNETES_CREDENTIAL && is_sha256_hex(without_x509_mark(value.trim())) {
        return X509_SHA256;
    }
    kind
}

/// Returns the canonical form of a scope, so that two spellings of one issuer are one.
///
/// GUIDs are folded whatever the kind, and all scopes of kinds whose issuer (a
/// resource of Azure) has no case. Others are names, of which only white space goes.
pub fn canonical_scope<'a>(kind: &str, scope: &'a str) -> Cow<'a, str> {
    let trimmed = scope.trim();
    let is_folded = find(kind).is_some_and(|it| it.form == Form::Lower);
    if is_folded || is_guid(trimmed) { lower(trimmed) } else { Cow::Borrowed(trimmed) }
}

/// Returns the canonical form of an identifier, so that two spellings of one
/// identifier become one fingerprint.
///
/// Raw secrets, hashes and fingerprints are not identifiers; they come back as they are.
pub fn canonical<'a>(kind: &str, value: &'a str) -> Cow<'a, str> {
    let form = find(kind).map_or(Form::AsIs, |it| it.form);
    let trimmed = value.trim();
    match form {
        Form::Secret | Form::Sha256 | Form::Fingerprint => Cow::Borrowed(value),
        Form::AsIs => Cow::Borrowed(trimmed),
        Form::Lower => lower(trimmed),
        Form::Hex => hex(trimmed),
        Form::VaultHmac => vault_hmac(trimmed),
        Form::SshFingerprint => ssh_fingerprint(trimmed),
        Form::GcpKey => gcp_key(trimmed),
        Form::KubernetesCredential => kubernetes_credential(trimmed),
    }
}

/// Returns the canonical value if it may be stored and shown in clear.
///
/// The kind must be public and the value must look like one of that kind; a raw
/// Vault token under `vault_hmac` (an audit device with `log_raw`) does not.
pub fn public_value<'a>(kind: &str, value: &'a str) -> Option<Cow<'a, str>> {
    let known = find(kind).filter(|it| it.public)?;
    if is_absent(value) || value.len() > 512 || value.bytes().any(|it| it < 0x20) {
        return None;
    }
    let canonical = canonical(kind, value);
    let fits = match known.form {
        Form::Secret | Form::Sha256 | Form::Fingerprint => false,
        Form::VaultHmac => is_vault_hmac(&canonical),
        Form::SshFingerprint => is_ssh_fingerprint(&canonical),
        Form::Hex => canonical.bytes().all(|it| it.is_ascii_hexdigit()),
        Form::Lower | Form::AsIs if kind == AWS_ACCESS_KEY_ID => is_aws_key_id(&canonical),
        // An account's name is not its key's.
        Form::GcpKey => !canonical.is_empty() && !canonical.contains(['/', '@']),
        Form::Lower | Form::AsIs | Form::KubernetesCredential => true,
    };
    fits.then_some(canonical)
}

/// True if a text has the shape of an AWS access key id; a secret key has lower
/// case, `/` or `+` in it.
pub fn is_aws_key_id(value: &str) -> bool {
    (4..=128).contains(&value.len())
        && value.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
}

/// True if a text is Vault's salted hash and not a raw value.
pub fn is_vault_hmac(value: &str) -> bool {
    value
        .strip_prefix("hmac-sha256:")
        .is_some_and(|it| it.len() == 64 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_ssh_fingerprint(value: &str) -> bool {
    value.starts_with("SHA256:") || value.starts_with("MD5:")
}

fn lower(value: &str) -> Cow<'_, str> {
    if value.bytes().any(|it| it.is_ascii_uppercase()) {
        Cow::Owned(value.to_ascii_lowercase())
    } else {
        Cow::Borrowed(value)
    }
}

fn hex(value: &str) -> Cow<'_, str> {
    let value = without_x509_mark(value);
    if value.contains(':') {
        Cow::Owned(value.replace(':', "").to_ascii_lowercase())
    } else {
        lower(value)
    }
}

fn vault_hmac(value: &str) -> Cow<'_, str> {
    if value.len() == 64 && value.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Cow::Owned(format!("hmac-sha256:{}", value.to_ascii_lowercase()));
    }
    let prefix = value.get(..12).unwrap_or_default();
    if prefix.eq_ignore_ascii_case("hmac-sha256:") { lower(value) } else { Cow::Borrowed(value) }
}

/// Audit logs write `//iam.googleapis.com/projects/P/serviceAccounts/SA/keys/ID`, gcloud the same
/// from `projects/` on; the id is unique by itself.
fn gcp_key(value: &str) -> Cow<'_, str> {
    let id = value.rsplit_once("/keys/").map_or(value, |it| it.1);
    if id.bytes().all(|it| it.is_ascii_hexdigit()) { lower(id) } else { Cow::Borrowed(id) }
}

/// A token's own claim `jti` is a bare UUID; the audit log writes `JTI=` before it.
fn kubernetes_credential(value: &str) -> Cow<'_, str> {
    let certificate = without_x509_mark(value);
    if is_sha256_hex(certificate) {
        return Cow::Owned(format!("X509SHA256={}", hex(certificate)));
    }
    match without_prefix(value, "JTI=") {
        Some(id) if is_guid(id) => Cow::Owned(format!("JTI={}", id.to_ascii_lowercase())),
        Some(id) => Cow::Owned(format!("JTI={id}")),
        None if is_guid(value) => Cow::Owned(format!("JTI={}", value.to_ascii_lowercase())),
        None => Cow::Borrowed(value),
    }
}

fn without_x509_mark(value: &str) -> &str {
    without_prefix(value, "X509SHA256=").unwrap_or(value)
}

fn without_prefix<'a>(value: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = value.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

fn is_sha256_hex(value: &str) -> bool {
    let digits = value.bytes().filter(|it| *it != b':');
    digits.clone().count() == 64 && digits.clone().all(|it| it.is_ascii_hexdigit())
}

/// True for 8-4-4-4-12 hexadecimal digits.
fn is_guid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, it)| match at {
            8 | 13 | 18 | 23 => it == b'-',
            _ => it.is_ascii_hexdigit(),
        })
}

/// sshd prints `SHA256:` with or without padding, and MD5 with or without its
/// name; a registry may hold the line of an `authorized_keys` file.
fn ssh_fingerprint(value: &str) -> Cow<'_, str> {
    if let Some(hash) = value.strip_prefix("SHA256:") {
        let bare = hash.trim_end_matches('=');
        return Cow::Borrowed(&value[..7 + bare.len()]);
    }
    let md5 = value.strip_prefix("MD5:").unwrap_or(value);
    if md5.len() == 47 && md5.split(':').count() == 16 {
        return Cow::Owned(format!("MD5:{}", md5.to_ascii_lowercase()));
    }
    let blob = value
        .split_ascii_whitespace()
        .find(|it| it.starts_with("AAAA"))
        .and_then(|it| BASE64.decode(it.as_bytes()).ok());
    match blob {
        Some(blob) => Cow::Owned(format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(&blob)))),
        None => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_markers_are_no_credential() {
        for value in ["", " ", "0", "-", " - ", "null"] {
            assert!(is_absent(value), "{value:?}");
        }
        for value in ["00", "AKIA", "--", "none"] {
            assert!(!is_absent(value), "{value:?}");
        }
    }

    #[test]
    fn what_a_log_writes_over_a_secret_is_no_credential() {
        for value in ["****", "[FILTERED]", "<redacted>", "xxxxxx", "REDACTED", "...", "•••"]
        {
            assert!(is_masked(value), "{value:?}");
        }
        for value in ["xx1xx", "hunter2", "x", "**a**"] {
            assert!(!is_masked(value), "{value:?}");
        }
    }

    #[test]
    fn two_spellings_of_an_ssh_key_are_one() {
        let bare = "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8";
        assert_eq!(canonical(SSH_PUBLIC_KEY, &format!("{bare}=")), bare);
        assert_eq!(canonical(SSH_PUBLIC_KEY, bare), bare);
        let md5 = "39:33:99:e9:a0:dc:f2:33:a3:e5:72:3b:7c:3a:56:84";
        assert_eq!(canonical(SSH_PUBLIC_KEY, &md5.to_uppercase()), format!("MD5:{md5}"));
        assert_eq!(canonical(SSH_PUBLIC_KEY, &format!("MD5:{md5}")), format!("MD5:{md5}"));
    }

    #[test]
    fn a_whole_public_key_becomes_its_fingerprint() {
        // `ssh-keygen -l` prints SHA-256 of the decoded middle field.
        let blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20made-up key of thirty-two bytes!";
        let line = format!("ssh-ed25519 {} deploy@example", BASE64.encode(blob));
        let expected = format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(blob)));
        assert_eq!(canonical(SSH_PUBLIC_KEY, &line), expected);
        assert_eq!(public_value(SSH_PUBLIC_KEY, &line).as_deref(), Some(expected.as_str()));
    }

    #[test]
    fn hex_and_uuids_are_lower_case() {
        assert_eq!(canonical("x509_sha256", "AB:CD:0F"), "abcd0f");
        assert_eq!(canonical("entra_key_id", "8E6C-AB"), "8e6c-ab");
        let hmac = "0".repeat(62) + "AF";
        let expected = format!("hmac-sha256:{}", hmac.to_ascii_lowercase());
        assert_eq!(canonical(VAULT_HMAC, &format!("hmac-sha256:{hmac}")), expected);
        assert_eq!(canonical(VAULT_HMAC, &hmac), expected);
        assert_eq!(canonical(AWS_ACCESS_KEY_ID, " AKIAX "), "AKIAX");
    }

    #[test]
    fn a_raw_value_under_a_public_kind_is_not_shown() {
        assert_eq!(public_value(VAULT_HMAC, "hvs.CAESIJ-made-up-token"), None);
        assert_eq!(public_value(AWS_ACCESS_KEY_ID, "wJalrXUtnFEMI/K7MDENG/made-up"), None);
        assert_eq!(public_value(SSH_PUBLIC_KEY, "hunter2"), None);
        assert_eq!(public_value(SECRET_VALUE, "hunter2"), None);
        assert_eq!(public_value(SECRET_SHA256, &"0a".repeat(32)), None);
        assert_eq!(public_value("own_kind", "x"), None);
        assert_eq!(
            public_value(AWS_ACCESS_KEY_ID, "AKIA2222MADEUP333344").as_deref(),
            Some("AKIA2222MADEUP333344")
        );
    }

    #[test]
    fn all_spellings_of_a_google_key_are_its_id() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let name = format!("projects/p/serviceAccounts/ci@p.iam.gserviceaccount.com/keys/{id}");
        let logged = format!("//iam.googleapis.com/{name}");
        for value in [id, &id.to_uppercase(), &name, &logged, &format!(" {logged} ")] {
            assert_eq!(canonical(GCP_KEY, value), id, "{value}");
            assert_eq!(public_value(GCP_KEY, value).as_deref(), Some(id), "{value}");
        }
        for value in ["projects/p/serviceAccounts/ci", "ci@p.iam.gserviceaccount.com"] {
            assert_eq!(public_value(GCP_KEY, value), None, "{value}");
        }
    }

    #[test]
    fn all_spellings_of_a_kubernetes_token_are_its_jti() {
        let uuid = "7f2c1e0a-1111-4222-8333-444455556666";
        let expected = format!("JTI={uuid}");
        for value in [uuid, &uuid.to_uppercase(), &expected, &format!("jti={uuid}")] {
            assert_eq!(canonical(KUBERNETES_CREDENTIAL, value), expected, "{value}");
            assert_eq!(kind_meant(KUBERNETES_CREDENTIAL, value), KUBERNETES_CREDENTIAL);
        }
        assert_eq!(canonical(KUBERNETES_CREDENTIAL, "JTI=Own"), "JTI=Own");
        assert_eq!(canonical(KUBERNETES_CREDENTIAL, "own"), "own");
    }

    #[test]
    fn a_certificate_of_kubernetes_is_one_of_proxies() {
        let hex = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
        for value in [hex, &format!("X509SHA256={hex}"), &format!("x509sha256={hex}")] {
            assert_eq!(kind_meant(KUBERNETES_CREDENTIAL, value), X509_SHA256, "{value}");
            assert_eq!(canonical(X509_SHA256, value), hex, "{value}");
            assert_eq!(canonical(KUBERNETES_CREDENTIAL, value), format!("X509SHA256={hex}"));
        }
        assert_eq!(kind_meant("jwt_id", hex), "jwt_id");
    }

    #[test]
    fn scopes_without_case_are_folded_and_others_are_not() {
        let guid = "BBBBBBBB-0000-0000-0000-0000000000AB";
        for kind in ["entra_key_id", "jwt_id", "own_kind"] {
            assert_eq!(canonical_scope(kind, guid), guid.to_lowercase(), "{kind}");
        }
        assert_eq!(canonical_scope("azure_key_slot", " /Subscriptions/A "), "/subscriptions/a");
        assert_eq!(canonical_scope(VAULT_HMAC, " Cluster-1/file "), "Cluster-1/file");
    }

    #[test]
    fn kinds_stand_once() {
        for (index, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[..index].iter().all(|it| it.name != kind.name));
        }
    }
}
