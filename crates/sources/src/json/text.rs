//! What the inside of a string means, and whether a scalar is one.

use super::JsonError;

/// Stands for what has no meaning: a lone surrogate.
const REPLACEMENT: char = '\u{FFFD}';

/// Appends what the inside of a JSON string means: escapes resolved, lone surrogates
/// and invalid UTF-8 replaced by U+FFFD. `offset` is added to the places in errors.
pub(super) fn unescape(inside: &[u8], offset: usize, out: &mut String) -> Result<(), JsonError> {
    let mut at = 0;
    while let Some(run) = memchr::memchr(b'\\', &inside[at..]) {
        push_lossy(&inside[at..at + run], out);
        let escape = at + run;
        let invalid = |what| JsonError::Invalid { at: offset + escape, what };
        let letter = *inside.get(escape + 1).ok_or(invalid("escape cut short"))?;
        at = escape + 2;
        out.push(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let (char, after) =
                    unicode(inside, at).ok_or(invalid("`\\u` without four hexadecimal digits"))?;
                at = after;
                char
            }
            _ => return Err(invalid("unknown escape")),
        });
    }
    push_lossy(&inside[at..], out);
    Ok(())
}

/// The character whose four digits start at `at`, and where it ends; a pair of
/// surrogates is one character.
fn unicode(inside: &[u8], at: usize) -> Option<(char, usize)> {
    let first = four_digits(inside, at)?;
    let after = at + 4;
    if !(0xD800..0xE000).contains(&first) {
        return Some((char::from_u32(first).unwrap_or(REPLACEMENT), after));
    }
    if first < 0xDC00 && inside.get(after..after + 2) == Some(b"\\u") {
        let second = four_digits(inside, after + 2)?;
        if (0xDC00..0xE000).contains(&second) {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Some((char::from_u32(code).unwrap_or(REPLACEMENT), after + 6));
        }
    }
    Some((REPLACEMENT, after))
}

fn four_digits(inside: &[u8], at: usize) -> Option<u32> {
    let digits = inside.get(at..at + 4)?;
    digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}

/// Escapes are ASCII, so no character spans two runs.
fn push_lossy(run: &[u8], out: &mut String) {
    match simdutf8::basic::from_utf8(run) {
        Ok(run) => out.push_str(run),
        Err(_) => out.push_str(&String::from_utf8_lossy(run)),
    }
}

/// Index just past the number, `true`, `false` or `null` that starts at `start`, and
/// whether it is `null`.
#[inline]
pub(super) fn scalar_end(bytes: &[u8], start: usize) -> Result<(usize, bool), JsonError> {
    let word = match bytes.get(start) {
        None => return Err(JsonError::Incomplete),
        Some(b't') => &b"true"[..],
        Some(b'f') => b"false",
        Some(b'n') => b"null",
        Some(_) => return number_end(bytes, start),
    };
    let rest = &bytes[start..];
    if rest.starts_with(word) {
        return delimited(bytes, start + word.len(), word == b"null");
    }
    if word.starts_with(rest) {
        return Err(JsonError::Incomplete);
    }
    Err(JsonError::Invalid { at: start, what: "expected a value" })
}

fn number_end(bytes: &[u8], start: usize) -> Result<(usize, bool), JsonError> {
    let in_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let length = bytes[start..].iter().take_while(|byte| in_number(byte)).count();
    let end = start + length;
    if length == 0 {
        return Err(JsonError::Invalid { at: start, what: "expected a value" });
    }
    if end < bytes.len() && !is_number(&bytes[start..end]) {
        return Err(JsonError::Invalid { at: start, what: "not a number" });
    }
    // Digits at the end of the bytes may go on, or even have to: `1e`.
    delimited(bytes, end, false)
}

/// A scalar ends where something else starts; at the end of the bytes it might go on.
#[inline]
fn delimited(bytes: &[u8], end: usize, null: bool) -> Result<(usize, bool), JsonError> {
    match bytes.get(end) {
        Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') => Ok((end, null)),
        None => Err(JsonError::Incomplete),
        Some(_) => Err(JsonError::Invalid { at: end, what: "expected the end of a value" }),
    }
}

/// Whether these bytes are one number of JSON.
pub(crate) fn is_number(bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|it| it.is_ascii_digit()).count();
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let whole = digits(bytes);
    if whole == 0 || (whole > 1 && bytes[0] == b'0') {
        return false;
    }
    let mut rest = &bytes[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', rest @ ..] => rest,
            _ => exponent,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}
