//! Secrets that are announced by a name: `password=...`, `"token": "..."`, `Bearer ...`, `user:...@host`.
//!
//! A name alone proves nothing: `arn:...:secret:payments/stripe`, `token_type=bearer`
//! and `invalid token: expired` hold no secret. So the name must end there, a
//! value must be given to it, and the value must be able to be one.

use zeroize::Zeroizing;

use crate::http;
use crate::kind::is_masked;

/// How much a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// Whatever is given to this name is a secret.
    Strong,
    /// Only a long random value is.
    Weak,
    /// Everything up to the end of the line is.
    Line,
}

/// A secret's place in a text.
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The secret, where the text holds it encoded.
    pub(super) decoded: Option<Zeroizing<Vec<u8>>>,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start, end, decoded: None }
    }
}

/// Longest name that is looked at, on either side of the keyword.
const LONGEST_NAME: usize = 32;

/// What may follow the keyword within a name that still names a secret.
const TAILS: &[&str] = &[
    "",
    "key",
    "value",
    "val",
    "text",
    "hash",
    "data",
    "string",
    "binary",
    "b64",
    "base64",
    "hex",
    "plain",
    "plaintext",
    "raw",
    "new",
    "old",
    "current",
    "previous",
    "1",
    "2",
    "v1",
    "v2",
    "accesskey",
    "header",
    "env",
];

/// Names that end in a keyword and hold no secret: places in a list, ids of requests.
const HARMLESS: &[&str] = &[
    "nexttoken",
    "pagetoken",
    "nextpagetoken",
    "continuationtoken",
    "paginationtoken",
    "starttoken",
    "clientrequesttoken",
    "clienttoken",
    "requesttoken",
    "synctoken",
    "changetoken",
    "resumetoken",
    "canceltoken",
    "cancellationtoken",
    "idempotencytoken",
    "locktoken",
    "deduplicationtoken",
    "publicaccesskey",
    "resultsignature",
];

/// Words that stand where a value would, in messages and in configuration.
const WORDS: &[&str] = &[
    "true",
    "false",
    "null",
    "none",
    "nil",
    "undefined",
    "required",
    "optional",
    "invalid",
    "expired",
    "missing",
    "empty",
    "revoked",
    "unknown",
    "unset",
    "absent",
    "malformed",
    "denied",
    "failed",
    "failure",
    "error",
    "success",
    "valid",
    "ok",
    "yes",
    "no",
    "on",
    "off",
    "enabled",
    "disabled",
    "default",
    "string",
    "token",
    "password",
    "secret",
    "bearer",
    "basic",
    "not",
    "is",
    "was",
    "has",
    "for",
    "the",
    "prod",
    "dev",
    "test",
];

/// Words before the value in an authorization header.
const SCHEMES: &[&str] = &[
    "bearer",
    "basic",
    "token",
    "apikey",
    "api-key",
    "ssws",
    "key",
    "dpop",
    "genie",
    "geniekey",
    "splunk",
    "negotiate",
    "ntlm",
    "private-token",
];

/// What stands between a name and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    /// `name=value`, `<name>value`, `--name value`.
    Sure,
    /// `name: value`.
    ColonSpace,
    /// `name:value`, as in names of resources.
    Colon,
}

/// Finds the value given to the name that a keyword at `from..to` ends or is.
pub(super) fn value_of_name(
    text: &[u8],
    from: usize,
    to: usize,
    strength: Strength,
) -> Option<Span> {
    let tail = name_tail(text, to);
    let head = name_head(text, from);
    // `sort_key`, `monkey` and `idempotency-key` name no secret; `key` may.
    if strength == Strength::Weak && (head != from || tail != 0) {
        return None;
    }
    // Most keywords stand in prose, and nothing is given to them.
    let before = head.checked_sub(1).map(|it| text[it]);
    let (between, at) = separator(text, to + tail, before)?;
    let name = squeeze(&text[head..to + tail]);
    let keyword_tail = squeeze(&text[to..to + tail]);
    let wants_uuid = keyword_tail == "id" && name.ends_with("secretid");
    if !wants_uuid && !TAILS.contains(&keyword_tail.as_str()) {
        return None;
    }
    if HARMLESS.iter().any(|it| name.ends_with(it)) || in_arn(text, from) {
        return None;
    }
    // `?cookie=1&x=2` is no header.
    let strength = match (strength, between) {
        (Strength::Line, Between::Sure | Between::Colon) => Strength::Strong,
        (strength, _) => strength,
    };
    let (start, end, quoted) = value_bounds(text, at, strength)?;
    let (start, is_basic) = skip_scheme(text, start, end);
    let value = trim_value(&text[start..end]);
    let end = start + value.len();
    let fits = match strength {
        Strength::Weak => is_random(value, name == "sig"),
        Strength::Line => value.contains(&b'='),
        _ if wants_uuid => is_uuid(value),
        // The shell's working directory.
        _ if name.ends_with("pwd") && value.starts_with(b"/") => false,
        _ => is_value(value, between, quoted, &text[end..]),
    };
    if !fits {
        return None;
    }
    Some(Span {
        decoded: if is_basic { basic_password(value) } else { None },
        ..Span::new(start, end)
    })
}

/// Finds the credential after `Bearer ` or `Basic ` where no header's name announces it.
pub(super) fn after_scheme(text: &[u8], from: usize, to: usize) -> Option<Span> {
    if from > 0 && text[from - 1].is_ascii_alphanumeric() {
        return None;
    }
    let start = to + count(&text[to..], 4, |it| it == b' ');
    let end = start + count(&text[start..], usize::MAX, is_unquoted);
    let value = trim_value(&text[start..end]);
    if value.is_empty() || is_known_harmless(value) {
        return None;
    }
    let end = start + value.len();
    if text[from..to].eq_ignore_ascii_case(b"basic ") {
        let decoded = basic_password(value)?;
        return Some(Span { decoded: Some(decoded), ..Span::new(start, end) });
    }
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let is_token = (value.len() >= 12 && has_digit) || value.len() >= 28;
    is_token.then(|| Span::new(start, end))
}

/// Finds the password of `scheme://user:password@host`, from just after the `://`.
pub(super) fn password_in_url(text: &[u8], from: usize) -> Option<Span> {
    let length = count(&text[from..], usize::MAX, |it| {
        !matches!(it, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>') && it > b' '
    });
    let authority = &text[from..from + length];
    let at = authority.iter().rposition(|it| *it == b'@')?;
    let colon = authority[..at].iter().position(|it| *it == b':')?;
    let password = &authority[colon + 1..at];
    if password.is_empty() || is_known_harmless(password) {
        return None;
    }
    Some(Span::new(from + colon + 1, from + at))
}

/// How many bytes from the start satisfy a condition, up to a limit.
fn count(bytes: &[u8], limit: usize, holds: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take(limit).take_while(|it| holds(**it)).count()
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn name_tail(text: &[u8], to: usize) -> usize {
    count(&text[to..], LONGEST_NAME, is_name)
}

fn name_head(text: &[u8], from: usize) -> usize {
    let before = text[..from].iter().rev().take(LONGEST_NAME);
    from - before.take_while(|it| is_name(**it)).count()
}

/// A name in lower case and without its separators.
fn squeeze(name: &[u8]) -> String {
    name.iter()
        .filter(|it| it.is_ascii_alphanumeric())
        .map(|it| char::from(it.to_ascii_lowercase()))
        .collect()
}

/// True if the keyword stands within an ARN: `arn:aws:secretsmanager:...:secret:NAME`.
fn in_arn(text: &[u8], from: usize) -> bool {
    let before = &text[from.saturating_sub(256)..from];
    let start = before
        .iter()
        .rposition(|it| super::ends_token(*it) || matches!(it, b'=' | b'\\'))
        .map_or(0, |it| it + 1);
    before[start..].starts_with(b"arn:")
}

/// Reads what joins a name to a value: `=`, `:`, `=>`, quotes around the name,
/// `>` after an element's name, a space after an option's name.
fn separator(text: &[u8], after_name: usize, before_name: Option<u8>) -> Option<(Between, usize)> {
    let rest = &text[after_name..];
    let quotes = count(rest, 3, |it| matches!(it, b'"' | b'\'' | b']' | b'`'));
    let spaces = count(&rest[quotes..], 3, |it| it == b' ' || it == b'\t');
    let at = quotes + spaces;
    let (between, length) = match rest.get(at..)? {
        [b'=', b'>', ..] | [b':', b'=', ..] | [b'=', b'=', ..] => (Between::Sure, 2),
        [b'=', ..] => (Between::Sure, 1),
        [b':', b' ' | b'\t' | b'"' | b'\'', ..] if quotes == 0 => (Between::ColonSpace, 1),
        [b':', ..] if quotes > 0 => (Between::Sure, 1),
        [b':', ..] => (Between::Colon, 1),
        [b'>', ..] if before_name == Some(b'<') && at == 0 => (Between::Sure, 1),
        // An option of a command: its name took the dashes with it.
        [..] if spaces == 1 && quotes == 0 && is_option(text, after_name) => (Between::Sure, 0),
        _ => return None,
    };
    Some((between, after_name + at + length))
}

fn is_option(text: &[u8], after_name: usize) -> bool {
    let head = name_head(text, after_name);
    text[head..after_name].starts_with(b"--")
}

fn is_unquoted(byte: u8) -> bool {
    !super::ends_token(byte) && !matches!(byte, b'#' | b'\\')
}

/// Reads where the value begins and ends, and whether it stands in quotes.
fn value_bounds(text: &[u8], at: usize, strength: Strength) -> Option<(usize, usize, bool)> {
    let at = at + count(&text[at..], 3, |it| it == b' ' || it == b'\t');
    let quote = text.get(at).copied().filter(|it| matches!(it, b'"' | b'\''));
    let Some(quote) = quote else {
        let length = match strength {
            Strength::Line => {
                count(&text[at..], usize::MAX, |it| !matches!(it, b'\n' | b'\r' | b'"' | b'\''))
            }
            // A scheme and a value, or a value alone.
            _ => unquoted_length(&text[at..]),
        };
        return Some((at, at + length, false));
    };
    let start = at + 1;
    let mut escaped = false;
    let inner = &text[start..];
    let end = inner.iter().position(|it| {
        let ends = (*it == quote && !escaped) || *it == b'\n';
        escaped = *it == b'\\' && !escaped;
        ends
    });
    Some((start, start + end.unwrap_or(inner.len()), true))
}

fn unquoted_length(rest: &[u8]) -> usize {
    let first = count(rest, usize::MAX, is_unquoted);
    let is_scheme = SCHEMES.iter().any(|it| rest[..first].eq_ignore_ascii_case(it.as_bytes()));
    if !is_scheme {
        return first;
    }
    let spaces = count(&rest[first..], 4, |it| it == b' ');
    let second = count(&rest[first + spaces..], usize::MAX, is_unquoted);
    first + spaces + second
}

/// Steps over `Bearer `, `Basic ` and the like; says whether it was Basic.
fn skip_scheme(text: &[u8], start: usize, end: usize) -> (usize, bool) {
    let value = &text[start..end];
    for scheme in SCHEMES {
        let Some(word) = value.get(..scheme.len()) else {
            continue;
        };
        let spaces = count(&value[scheme.len()..], 4, |it| it == b' ');
        if word.eq_ignore_ascii_case(scheme.as_bytes()) && spaces > 0 {
            return (start + scheme.len() + spaces, *scheme == "basic");
        }
    }
    (start, false)
}

/// A full stop at the end of a sentence is no part of the value.
fn trim_value(value: &[u8]) -> &[u8] {
    value.strip_suffix(b".").unwrap_or(value).trim_ascii_end()
}

fn basic_password(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(value).ok()?;
    let decoded = Zeroizing::new(http::decode_base64(text)?);
    if !decoded.contains(&b':') || decoded.iter().any(|it| *it < b' ') {
        return None;
    }
    let header = Zeroizing::new(format!("Basic {text}"));
    let found = http::authorization(&header)?;
    Some(Zeroizing::new(found.value.as_bytes().to_vec()))
}

/// What is no secret whatever its name: identifiers that are public, marks of
/// this redactor, what other tools hide secrets with, and places for values.
fn is_known_harmless(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else {
        return false;
    };
    let is_key_id = matches!(text.get(..4), Some("AKIA" | "ASIA"))
        && (16..=24).contains(&text.len())
        && crate::kind::is_aws_key_id(text);
    let prefixes = ["arn:", "lu1_", "hmac-sha256:", "SHA256:", "${", "{{", "%("];
    is_key_id
        || prefixes.iter().any(|it| text.starts_with(it))
        || text.contains(":lu1_")
        || text == "-"
        || is_masked(text)
        || is_variable(text)
}

/// `$STRIPE_KEY`, and what is left of `${STRIPE_KEY}` where a brace ends the value.
fn is_variable(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|it| {
        it.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
    })
}

/// Whether the value of a name that says secret is one.
fn is_value(value: &[u8], between: Between, quoted: bool, rest: &[u8]) -> bool {
    if value.is_empty() || is_known_harmless(value) {
        return false;
    }
    let is_word = WORDS.iter().any(|it| value.eq_ignore_ascii_case(it.as_bytes()));
    if is_word {
        return false;
    }
    match between {
        Between::Sure => true,
        Between::ColonSpace if quoted => true,
        Between::ColonSpace => !is_prose(value, rest) && !is_path(value),
        Between::Colon => is_random(value, false) || is_uuid(value),
    }
}

/// `invalid token: signature mismatch`: a word, and more words after it.
fn is_prose(value: &[u8], rest: &[u8]) -> bool {
    let goes_on = matches!(rest, [b' ', next, ..] if next.is_ascii_alphabetic());
    goes_on && value.iter().all(|it| it.is_ascii_alphabetic() || *it == b'\'')
}

/// `secret: payments/stripe`: the name of a secret, not its value.
fn is_path(value: &[u8]) -> bool {
    value.contains(&b'/')
        && value.iter().all(|it| {
            it.is_ascii_lowercase()
                || it.is_ascii_digit()
                || matches!(it, b'/' | b'-' | b'_' | b'.')
        })
}

/// True for a long value that chance made: letters and digits in one unbroken run.
fn is_random(value: &[u8], is_signature: bool) -> bool {
    if value.len() < 16 || is_known_harmless(value) || is_uuid(value) {
        return false;
    }
    let longest =
        value.split(|it| !it.is_ascii_alphanumeric()).max_by_key(|it| it.len()).unwrap_or_default();
    let run = if is_signature { value } else { longest };
    run.len() >= 16
        && run.iter().filter(|it| it.is_ascii_digit()).count() >= 2
        && run.iter().any(u8::is_ascii_alphabetic)
        && entropy(run) >= 3.0
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, it)| match at {
            8 | 13 | 18 | 23 => *it == b'-',
            _ => it.is_ascii_hexdigit(),
        })
}

/// Shannon's entropy in bits per byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let length = bytes.len() as f64;
    counts
        .iter()
        .filter(|it| **it > 0)
        .map(|it| f64::from(*it) / length)
        .map(|it| -it * it.log2())
        .sum()
}
