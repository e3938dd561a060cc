//! Pairs of keys and values within one text: CEF, LEEF and logfmt.
//!
//! CEF: [Micro Focus, "Implementing ArcSight Common Event Format", version 26], its
//! extension. LEEF: [IBM, "Log Event Extended Format", versions 1.0 and 2.0], what follows
//! its event id. logfmt: `key=value key="quoted value"`, as Go programs write it.

use std::ops::Range;

use serde::Deserialize;

/// How keys and values are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PairSyntax {
    /// Values go up to the next key; `\=`, `\\`, `\n` and `\r` are escapes; the value of
    /// `cs1Label` is another name of `cs1`.
    Cef,
    /// Pairs are separated by a tab, or by what stands before a first `|`.
    Leef,
    /// Values end at white space, unless they are in double quotes.
    Logfmt,
}

/// Where a key and its value stand in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    key: Range<usize>,
    pub(crate) value: Range<usize>,
    /// What the value means is told by `unescape`.
    pub(crate) escaped: bool,
}

/// Replaces `pairs` by those of the text, in its order. A key without a value is none.
pub(crate) fn read_pairs(syntax: PairSyntax, text: &str, pairs: &mut Vec<Pair>) {
    pairs.clear();
    match syntax {
        PairSyntax::Cef => read_cef(text, 0, true, pairs),
        PairSyntax::Leef => read_leef(text, pairs),
        PairSyntax::Logfmt => read_logfmt(text, pairs),
    }
    pairs.retain(|it| !it.value.is_empty());
}

/// The pair of this key, the last if there are several; in CEF the key may be a label.
pub(crate) fn find_pair<'a>(
    syntax: PairSyntax,
    text: &str,
    pairs: &'a [Pair],
    key: &str,
) -> Option<&'a Pair> {
    let named = |key: &str| pairs.iter().rfind(|it| &text[it.key.clone()] == key);
    if let (None, PairSyntax::Cef) = (named(key), syntax) {
        let mut labelled = pairs.iter().filter(|it| &text[it.value.clone()] == key);
        return labelled.find_map(|it| named(text[it.key.clone()].strip_suffix("Label")?));
    }
    named(key)
}

/// What an escaped value means. An escape that the syntax does not know stands for itself.
pub(crate) fn unescape(syntax: PairSyntax, value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match (characters.next(), syntax) {
            (Some('n'), _) => out.push('\n'),
            (Some('r'), _) => out.push('\r'),
            (Some('t'), PairSyntax::Logfmt) => out.push('\t'),
            (Some(it @ ('=' | '|' | '\\' | '"')), _) => out.push(it),
            (Some(other), _) => out.extend(['\\', other]),
            (None, _) => out.push('\\'),
        }
    }
    out
}

/// A key stands at the start or after white space, and right before a `=`.
fn read_cef(text: &str, from: usize, escapes: bool, pairs: &mut Vec<Pair>) {
    let bytes = text.as_bytes();
    let in_key = |it: &u8| it.is_ascii_alphanumeric() || b"_.-[]".contains(it);
    let mut open: Option<(Range<usize>, usize)> = None;
    let mut close = |open: Option<(Range<usize>, usize)>, end: usize| {
        let Some((key, start)) = open else { return };
        let value = start..start + text[start..end.max(start)].trim_end().len();
        let escaped = escapes && text[value.clone()].contains('\\');
        pairs.push(Pair { key, value, escaped });
    };
    for equals in memchr::memchr_iter(b'=', &bytes[from..]).map(|it| from + it) {
        let length = bytes[from..equals].iter().rev().take_while(|it| in_key(it)).count();
        let start = equals - length;
        let is_alone = start == from || bytes[start - 1].is_ascii_whitespace();
        let is_behind = open.as_ref().is_none_or(|(_, value)| start >= *value);
        if length > 0 && is_alone && is_behind {
            close(open.replace((start..equals, equals + 1)), start);
        }
    }
    close(open, text.len());
}

fn read_leef(text: &str, pairs: &mut Vec<Pair>) {
    let (delimiter, from) = leef_delimiter(text);
    let rest = &text[from..];
    // Tabs that a relay escaped or replaced.
    let relayed = ["\t", "#011", "\\t"].into_iter().find(|it| rest.contains(it));
    let delimiter = match (delimiter, relayed) {
        (Some(delimiter), _) => delimiter,
        (None, Some(relayed)) => relayed.to_owned(),
        (None, None) => return read_cef(text, from, false, pairs),
    };
    let mut at = from;
    for part in rest.split(delimiter.as_str()) {
        let end = at + part.len();
        if let Some(equals) = memchr::memchr(b'=', part.as_bytes()) {
            let key = &part[..equals];
            let start = at + key.len() - key.trim_start().len();
            let value = at + equals + 1;
            let value = value..value + text[value..end].trim_end().len();
            pairs.push(Pair { key: start..at + equals, value, escaped: false });
        }
        at = end + delimiter.len();
    }
}

/// What LEEF 2.0 states before its pairs (none means tab), and where these begin.
fn leef_delimiter(text: &str) -> (Option<String>, usize) {
    let Some((stated, _)) = text.split_once('|') else { return (None, 0) };
    let from = stated.len() + 1;
    let hexadecimal = stated.strip_prefix("0x").or_else(|| stated.strip_prefix('x'));
    let code = hexadecimal.and_then(|it| u32::from_str_radix(it, 16).ok());
    match (code.and_then(char::from_u32), stated.chars().count()) {
        (Some('\t'), _) | (None, 0) => (None, from),
        (Some(character), _) => (Some(character.to_string()), from),
        (None, 1) => (Some(stated.to_owned()), from),
        // A `|` in a value of LEEF 1.0.
        (None, _) => (None, 0),
    }
}

fn read_logfmt(text: &str, pairs: &mut Vec<Pair>) {
    let bytes = text.as_bytes();
    let blank = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace);
    let mut at = 0;
    while at < bytes.len() {
        if blank(at) {
            at += 1;
            continue;
        }
        let start = at;
        while !blank(at) && bytes[at] != b'=' {
            at += 1;
        }
        if bytes.get(at) != Some(&b'=') {
            continue;
        }
        let key = start..at;
        at += 1;
        if bytes.get(at) != Some(&b'"') {
            let value = at;
            while !blank(at) {
                at += 1;
            }
            pairs.push(Pair { key, value: value..at, escaped: false });
            continue;
        }
        at += 1;
        let value = at;
        while at < bytes.len() && bytes[at] != b'"' {
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
        let end = at.min(bytes.len());
        let escaped = bytes[value..end].contains(&b'\\');
        pairs.push(Pair { key, value: value..end, escaped });
        at = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(syntax: PairSyntax, text: &str) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        read_pairs(syntax, text, &mut pairs);
        let value = |it: &Pair| match it.escaped {
            true => unescape(syntax, &text[it.value.clone()]),
            false => text[it.value.clone()].to_owned(),
        };
        pairs.iter().map(|it| (text[it.key.clone()].to_owned(), value(it))).collect()
    }

    fn check(syntax: PairSyntax, text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
        assert_eq!(read(syntax, text), expected, "{text}");
    }

    #[test]
    fn a_value_of_cef_goes_up_to_the_next_key() {
        check(
            PairSyntax::Cef,
            r" src=192.0.2.1 msg=a long message, é  request=https://x/?a=1&b=2 suser= act=x\=y\\z\n  ad.k[0]=v",
            &[
                ("src", "192.0.2.1"),
                ("msg", "a long message, é"),
                ("request", "https://x/?a=1&b=2"),
                ("act", "x=y\\z\n"),
                ("ad.k[0]", "v"),
            ],
        );
        check(PairSyntax::Cef, "no pairs at all", &[]);
        check(
            PairSyntax::Cef,
            r"filePath=C:\Users\x  a=b",
            &[("filePath", r"C:\Users\x"), ("a", "b")],
        );
    }

    #[test]
    fn a_label_of_cef_names_its_value() {
        let text = "cs1Label=API Key cs1=k-1 cs2Label=Other cs3Label=None cs2=x";
        let mut pairs = Vec::new();
        read_pairs(PairSyntax::Cef, text, &mut pairs);
        let find =
            |key| find_pair(PairSyntax::Cef, text, &pairs, key).map(|it| &text[it.value.clone()]);
        assert_eq!(
            (find("API Key"), find("Other"), find("cs1")),
            (Some("k-1"), Some("x"), Some("k-1"))
        );
        assert_eq!((find("None"), find("cs4")), (None, None));
    }

    #[test]
    fn pairs_of_leef_are_separated_by_a_tab_or_as_stated() {
        let expected = [("usrName", "ann lee"), ("src", "192.0.2.1"), ("url", "/?a=b|c")];
        for text in [
            "usrName=ann lee\tsrc=192.0.2.1\turl=/?a=b|c",
            "|usrName=ann lee\tsrc=192.0.2.1\turl=/?a=b|c",
            "^|usrName=ann lee^src=192.0.2.1^url=/?a=b|c",
            "x5E|usrName=ann lee^src=192.0.2.1^url=/?a=b|c",
            "0x09|usrName=ann lee\tsrc=192.0.2.1\turl=/?a=b|c",
            "usrName=ann lee#011src=192.0.2.1#011url=/?a=b|c",
            "usrName=ann lee src=192.0.2.1 url=/?a=b|c",
        ] {
            check(PairSyntax::Leef, text, &expected);
        }
    }

    #[test]
    fn a_value_of_logfmt_may_be_quoted() {
        check(
            PairSyntax::Logfmt,
            r#"level=info msg="a \"quoted\" text" flag empty= e="" url=/?a=b path="C:\\x" last="no end"#,
            &[
                ("level", "info"),
                ("msg", "a \"quoted\" text"),
                ("url", "/?a=b"),
                ("path", "C:\\x"),
                ("last", "no end"),
            ],
        );
    }

    proptest! {
        #[test]
        fn any_text_gives_pairs_that_stand_in_it(text in r#"([a-z]{1,3}=|[ \t|^"\\é]|x5E\||#011|[a-z]{1,5}){0,20}"#) {
            for syntax in [PairSyntax::Cef, PairSyntax::Leef, PairSyntax::Logfmt] {
                for (key, value) in read(syntax, &text) {
                    prop_assert!(text.contains(&key) && !value.is_empty());
                }
            }
        }
    }
}
