//! What HTTP says: credentials in the authorization header and in query parameters, and
//! what a status means for the credential.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use percent_encoding::percent_decode_str;
use zeroize::Zeroize;

use crate::kind::{AWS_ACCESS_KEY_ID, SECRET_VALUE, is_absent, is_masked};
use crate::words::Outcome;

/// Text that may be a raw secret: prints `****`, and an own copy is cleared when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText<'a>(Cow<'a, str>);

impl Deref for SecretText<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl Drop for SecretText<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(text) = &mut self.0 {
            text.zeroize();
        }
    }
}

/// The credential in an authorization header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// `secret_value`, or `aws_access_key_id` for signed requests.
    pub kind: &'static str,
    /// The token, the password, or the key id.
    pub value: SecretText<'a>,
    /// The user name of Basic authentication, which may be a secret too ([`is_secret_name`]).
    pub user: Option<Cow<'a, str>>,
}

/// Schemes whose value proves possession once and names no lasting credential.
const ONE_TIME_SCHEMES: &[&str] = &["digest", "negotiate", "ntlm", "kerberos", "scram-sha-256"];

/// Reads the value of an authorization header.
///
/// `Bearer`, `token` and other schemes with one value carry a raw secret. Basic
/// carries a user and a password; a password of up to three characters, or one of
/// those that clients send for none (`x-oauth-basic`, `api_token`, `unused`, ...),
/// means that the secret stands in place of the user. AWS signatures name an access
/// key id. A value without a scheme is a raw secret.
/// None if there is no credential, or only what a proxy writes over one.
pub fn authorization(header: &str) -> Option<Authorization<'_>> {
    let header = header.trim();
    if is_absent(header) || is_masked(header) {
        return None;
    }
    let (scheme, rest) = match header.split_once(char::is_whitespace) {
        Some((scheme, rest)) => (scheme, rest.trim()),
        None if is_scheme_alone(header) => return None,
        None => return secret(header),
    };
    if is_absent(rest) || is_masked(rest) {
        return None;
    }
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(basic(rest));
    }
    if scheme == "AWS" || scheme.starts_with("AWS4-") {
        return aws_key_id(scheme, rest);
    }
    if ONE_TIME_SCHEMES.iter().any(|it| scheme.eq_ignore_ascii_case(it)) {
        return None;
    }
    secret(quoted_token(rest))
}

fn is_scheme_alone(header: &str) -> bool {
    ["bearer", "basic", "token", "apikey"].iter().any(|it| header.eq_ignore_ascii_case(it))
}

fn secret(value: &str) -> Option<Authorization<'_>> {
    if value.is_empty() || is_masked(value) {
        return None;
    }
    Some(Authorization { kind: SECRET_VALUE, value: SecretText(Cow::Borrowed(value)), user: None })
}

/// Rails and Heroku write `Token token="..."`.
fn quoted_token(rest: &str) -> &str {
    match rest.strip_prefix("token=") {
        Some(value) => {
            let value = value.split([',', ';']).next().unwrap_or(value);
            value.trim().trim_matches('"')
        }
        None => rest.trim_matches('"'),
    }
}

fn basic(encoded: &str) -> Authorization<'_> {
    let raw =
        Authorization { kind: SECRET_VALUE, value: SecretText(Cow::Borrowed(encoded)), user: None };
    let Some(decoded) = decode_base64(encoded) else {
        return raw;
    };
    // Passwords that are not UTF-8 are rare enough; what matters is that two
    // requests with the same one give the same text.
    let mut text = match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => error.as_bytes().iter().copied().map(char::from).collect(),
    };
    let Some(colon) = text.find(':') else {
        return Authorization { value: SecretText(Cow::Owned(text)), ..raw };
    };
    let user = text[..colon].to_owned();
    let password = text[colon + 1..].to_owned();
    text.zeroize();
    // Stripe, GitHub, Toggl and others take the key as the user name.
    if is_no_password(&password) && !user.is_empty() {
        return Authorization { value: SecretText(Cow::Owned(user)), ..raw };
    }
    Authorization {
        value: SecretText(Cow::Owned(password)),
        user: (!user.is_empty()).then_some(Cow::Owned(user)),
        ..raw
    }
}

/// Longest password that is taken for none, in characters: no real one is as short.
const LONGEST_DUMMY: usize = 3;

/// What documentation tells clients to send where the key is the user name.
const DUMMIES: &[&str] = &[
    "x-oauth-basic",
    "x-oauth-token",
    "x-token-auth",
    "api_token",
    "apitoken",
    "api-token",
    "api_key",
    "apikey",
    "api-key",
    "anystring",
    "anything",
    "blank",
    "dummy",
    "empty",
    "ignored",
    "none",
    "nopassword",
    "notused",
    "null",
    "undefined",
    "unused",
];

fn is_no_password(password: &str) -> bool {
    password.chars().count() <= LONGEST_DUMMY
        || DUMMIES.iter().any(|it| password.eq_ignore_ascii_case(it))
}

/// Shortest user name that is taken for a key, in bytes; of hexadecimal digits alone it
/// must be longer, since databases number users with shorter ones.
const SHORTEST_KEY: usize = 20;
const SHORTEST_HEX_KEY: usize = 32;

/// True if a user name looks like a key that chance made, not like a name: it must not be
/// shown, and may be the credential.
///
/// That is a text of 20 characters and more, of letters, digits, `_`, `-`, `.`, `~`, `+`,
/// `/` and `=`, in which lower case, upper case and digits change places more often than in
/// words: from one character to the next at least one time in four where it has two digits
/// and letters, else two times in five. UUIDs and AWS's ids are public, 32 characters are
/// asked of hexadecimal digits in one case, and an address has `@`. Names of words and
/// numbers (`svc-backup-2024-prod-eu`) stay names.
pub fn is_secret_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let in_alphabet = |it: &u8| it.is_ascii_alphanumeric() || b"_-.~+/=".contains(it);
    if bytes.len() < SHORTEST_KEY || !bytes.iter().all(in_alphabet) || is_public_id(name) {
        return false;
    }
    let is_hex = |upper: bool| {
        let letter = if upper { b'A'..=b'F' } else { b'a'..=b'f' };
        bytes.iter().all(|it| it.is_ascii_digit() || letter.contains(it))
    };
    if bytes.len() < SHORTEST_HEX_KEY && (is_hex(false) || is_hex(true)) {
        return false;
    }
    let class = |it: u8| match it {
        b'0'..=b'9' => Some(0),
        b'a'..=b'z' => Some(1),
        b'A'..=b'Z' => Some(2),
        _ => None,
    };
    let of_class = |wanted: u8| bytes.iter().filter(|it| class(**it) == Some(wanted)).count();
    let (digits, letters) = (of_class(0), of_class(1) + of_class(2));
    let changes = bytes.windows(2).filter(|it| {
        let (left, right) = (class(it[0]), class(it[1]));
        left.is_some() && right.is_some() && left != right
    });
    let share = changes.count() * 100 / (bytes.len() - 1);
    letters > 0 && (share >= 40 || (digits >= 2 && share >= 25))
}

/// UUIDs, and AWS's ids of keys, users and roles.
fn is_public_id(name: &str) -> bool {
    let groups = name.split('-').map(str::len);
    let is_uuid = groups.eq([8, 4, 4, 4, 12]);
    let is_aws = ["AKIA", "ASIA", "AIDA", "AROA"].iter().any(|it| name.starts_with(it));
    is_uuid || (is_aws && crate::kind::is_aws_key_id(name))
}

/// Decodes base64 of either alphabet, with or without padding.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=').as_bytes();
    if bare.iter().any(|it| matches!(it, b'-' | b'_')) {
        BASE64URL_NOPAD.decode(bare).ok()
    } else {
        BASE64_NOPAD.decode(bare).ok()
    }
}

/// Signature version 4 (`Credential=ID/date/...`) and version 2 (`ID:signature`).
fn aws_key_id<'a>(scheme: &str, rest: &'a str) -> Option<Authorization<'a>> {
    let id = if scheme == "AWS" {
        rest.split_once(':')?.0
    } else {
        let (_, credential) = rest.split_once("Credential=")?;
        credential.split(['/', ',', ' ']).next()?
    };
    if is_absent(id) {
        return None;
    }
    Some(Authorization {
        kind: AWS_ACCESS_KEY_ID,
        value: SecretText(Cow::Borrowed(id)),
        user: None,
    })
}

/// Returns the first value of a query parameter, percent-decoded and with `+` as a space.
///
/// Takes a whole URL, a path with a query, or a query alone. What stands in the
/// fragment was never sent to a server.
pub fn query_parameter<'a>(url: &'a str, name: &str) -> Option<Cow<'a, str>> {
    query(url)?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name || form_decode(key) == name).then(|| form_decode(value))
    })
}

fn query(url: &str) -> Option<&str> {
    let before_fragment = url.split('#').next()?;
    let (begin, query) = match before_fragment.split_once('?') {
        Some((begin, query)) => (begin, Some(query)),
        None => (before_fragment, None),
    };
    // A query alone may hold a URL, or a question mark, in its values.
    let name = begin.split(['=', '&']).next().unwrap_or(begin);
    let is_url = begin.starts_with('/') || name.contains("://");
    if is_url || (query.is_some() && name.len() == begin.len()) {
        return query;
    }
    Some(before_fragment)
}

/// Query parameters that hold a secret, in lower case and without `-` and `_`.
/// `queries/README.md` lists them.
const SECRET_PARAMETERS: &[&str] = &[
    "key",
    "apikey",
    "xapikey",
    "apitoken",
    "apisecret",
    "appkey",
    "applicationkey",
    "accesskey",
    "secretkey",
    "authkey",
    "subscriptionkey",
    "token",
    "accesstoken",
    "privatetoken",
    "authtoken",
    "xauthtoken",
    "oauthtoken",
    "bearertoken",
    "jobtoken",
    "refreshtoken",
    "jwt",
    "auth",
    "authorization",
    "secret",
    "clientsecret",
    "password",
];

/// Shortest `code` that is taken for a key of Azure Functions, in bytes.
const SHORTEST_CODE: usize = 20;

/// Returns the secrets in the query of a URL, decoded, in their order and each once.
///
/// Takes what [`query_parameter`] takes. Names are compared without case, `-` and `_`.
/// Parameters are separated by `&`, `&amp;` and by a `;` with a name and `=` behind it.
/// Values that are absent or masked are none. `code` is a key of Azure Functions where it
/// is long and the query has no `state`, with which it would be a code of OAuth, good for
/// once. Signatures (`sig`, `X-Amz-Signature`) are of one request and no credential.
pub fn query_secrets(url: &str) -> Vec<SecretText<'_>> {
    let mut secrets: Vec<SecretText<'_>> = Vec::new();
    let Some(query) = query(url).filter(|it| it.contains('=')) else { return secrets };
    let pairs = || query.split('&').flat_map(separate).filter_map(|it| it.split_once('='));
    for (name, value) in pairs() {
        let is_secret = match &*squeeze(name) {
            "code" => value.len() >= SHORTEST_CODE && !pairs().any(|it| squeeze(it.0) == "state"),
            name => SECRET_PARAMETERS.contains(&name),
        };
        if !is_secret {
            continue;
        }
        let value = SecretText(form_decode(value));
        if !is_absent(&value) && !is_masked(&value) && !secrets.contains(&value) {
            secrets.push(value);
        }
    }
    secrets
}

/// The parameters that `;` separates: `x=1;key=2` is two, `key=a;b` is one.
fn separate(pairs: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(pairs);
    std::iter::from_fn(move || {
        let pairs = rest?;
        let end = pairs.match_indices(';').map(|it| it.0).find(|at| is_pair(&pairs[at + 1..]));
        rest = end.map(|at| &pairs[at + 1..]);
        Some(end.map_or(pairs, |at| &pairs[..at]))
    })
}

fn is_pair(text: &str) -> bool {
    let is_name = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.' | b'%');
    let length = text.bytes().take_while(|it| is_name(*it)).count();
    length > 0 && text[length..].starts_with('=')
}

fn squeeze(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|it| it.is_ascii_lowercase()) {
        return Cow::Borrowed(name);
    }
    let name = form_decode(name);
    Cow::Owned(
        name.chars()
            .filter(|it| !matches!(it, '-' | '_'))
            .map(|it| it.to_ascii_lowercase())
            .collect(),
    )
}

fn form_decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// What a status tells of the credential that came with the request.
///
/// 401 and 407 refused it, 403 knew it and did not allow, 5xx is a fault. Any other 4xx
/// (404, 429, 400, 499, ...) may have come before or after authentication: it counts as
/// a use, since to take a use for none would revoke a key that is needed. Of 1xx, 101
/// ends a request. What is no status of three digits (0 where nobody answered, -1, none)
/// is unknown.
pub fn outcome(status: Option<&str>) -> Outcome {
    match status.and_then(code).unwrap_or(0) {
        401 | 407 => Outcome::Rejected,
        403 => Outcome::Denied,
        500..=599 => Outcome::Error,
        101 | 200..=499 => Outcome::Success,
        _ => Outcome::Unknown,
    }
}

/// The class of reason that a status gives, in the words of `reason_class`; none for what
/// is no failure, or no status of three digits.
pub fn reason_class(status: &str) -> Option<&'static str> {
    match code(status)? {
        401 | 407 => Some("wrong_credential"),
        403 => Some("not_allowed"),
        429 => Some("throttled"),
        400..=499 => Some("request"),
        500..=599 => Some("backend_fault"),
        _ => None,
    }
}

fn code(status: &str) -> Option<u16> {
    let is_code = status.len() == 3 && status.bytes().all(|it| it.is_ascii_digit());
    is_code.then(|| status.parse().ok()).flatten()
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
