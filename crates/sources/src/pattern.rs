//! Patterns over text, and what their matches begin with.
//!
//! Of the dozens of patterns of a stage at most one matches a message, and a
//! comparison of a few bytes tells for nearly all of the others that they do not.

use std::sync::OnceLock;

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// A pattern may have so many parts and still not come near the limit of the library, which is
/// 10 MiB: the largest, a class of Unicode's letters, takes some 70 KB.
const PARTS_MAX: u64 = 100;

/// A pattern and what its matches begin with.
///
/// A pattern is compiled when it is first asked: all sources together have hundreds, a run needs
/// those of a few, and compiling all took longer than everything else that a command does before
/// its work.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    regex: OnceLock<Regex>,
    captures: Vec<String>,
    start: Start,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, regex::Error> {
        let parsed = regex_syntax::parse(text).ok();
        let is_small = parsed.as_ref().is_some_and(|it| parts(it) <= PARTS_MAX);
        let regex = match is_small {
            true => OnceLock::new(),
            // It is wrong, or may be too large: only the library knows.
            false => OnceLock::from(Regex::new(text)?),
        };
        let mut captures = Vec::new();
        match &parsed {
            Some(parsed) => add_captures(parsed, &mut captures),
            None => captures.extend(
                regex.get().iter().flat_map(|it| it.capture_names()).flatten().map(str::to_owned),
            ),
        }
        // What the one parser takes and the other does not is merely not known in advance.
        let start = parsed.as_ref().map_or_else(Start::any, Start::of);
        Ok(Self { text: text.to_owned(), regex, captures, start })
    }

    pub(crate) fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| {
            Regex::new(&self.text).expect("a pattern that was parsed and has few parts compiles")
        })
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.may_match(text) && self.regex().is_match(text)
    }

    /// Whether the text may match, as far as a glance tells.
    pub(crate) fn may_match(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let first = text.first().map_or(self.start.may_be_empty, |it| self.start.first.has(*it));
        (first || self.start.may_be_empty) && text.starts_with(&self.start.prefix)
    }

    /// The names of its captures, in the order in which these begin.
    pub(crate) fn capture_names(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(String::as_str)
    }
}

/// How many parts a pattern has once its repetitions are written out: an upper bound of what
/// compiling it takes.
fn parts(pattern: &Hir) -> u64 {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => 1 + literal.0.len() as u64 / 64,
        HirKind::Class(_) => 1,
        HirKind::Capture(capture) => parts(&capture.sub),
        HirKind::Repetition(it) => {
            let times = u64::from(it.max.unwrap_or(it.min).max(it.min).max(1)) + 1;
            parts(&it.sub).saturating_mul(times)
        }
        HirKind::Concat(all) | HirKind::Alternation(all) => {
            all.iter().fold(0, |sum, it| sum.saturating_add(parts(it)))
        }
    }
}

fn add_captures(part: &Hir, names: &mut Vec<String>) {
    match part.kind() {
        HirKind::Capture(capture) => {
            names.extend(capture.name.as_ref().map(|it| it.to_string()));
            add_captures(&capture.sub, names);
        }
        HirKind::Repetition(it) => add_captures(&it.sub, names),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|it| add_captures(it, names));
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => {}
    }
}

/// What every text that matches begins with.
#[derive(Debug, Clone)]
struct Start {
    /// These bytes; often none.
    prefix: Vec<u8>,
    /// One of these, unless `may_be_empty`.
    first: Bytes,
    /// Nothing of the text need match, so that it may begin with anything.
    may_be_empty: bool,
}

impl Start {
    fn any() -> Self {
        Self { prefix: Vec::new(), first: Bytes::default(), may_be_empty: true }
    }

    fn of(pattern: &Hir) -> Self {
        if !pattern.properties().look_set_prefix().contains(Look::Start) {
            return Self::any();
        }
        let mut prefix = Vec::new();
        add_prefix(pattern, &mut prefix);
        let mut first = Bytes::default();
        let may_be_empty = add_first(pattern, &mut first);
        Self { prefix, first, may_be_empty }
    }
}

/// Appends the literal text that every match of a part begins with; returns whether that is all
/// of the part.
fn add_prefix(part: &Hir, prefix: &mut Vec<u8>) -> bool {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            prefix.extend_from_slice(&literal.0);
            true
        }
        HirKind::Capture(capture) => add_prefix(&capture.sub, prefix),
        HirKind::Concat(parts) => parts.iter().all(|it| add_prefix(it, prefix)),
        HirKind::Class(_) | HirKind::Repetition(_) | HirKind::Alternation(_) => false,
    }
}

/// Adds the bytes with which matches of a part may begin; returns whether it may match nothing.
fn add_first(part: &Hir, first: &mut Bytes) -> bool {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => match literal.0.first() {
            Some(byte) => {
                first.add(*byte, *byte);
                false
            }
            None => true,
        },
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.ranges() {
                // The first byte of a character grows with the character.
                first.add(first_byte(range.start()), first_byte(range.end()));
            }
            false
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().for_each(|it| first.add(it.start(), it.end()));
            false
        }
        HirKind::Repetition(repetition) => add_first(&repetition.sub, first) || repetition.min == 0,
        HirKind::Capture(capture) => add_first(&capture.sub, first),
        HirKind::Concat(parts) => parts.iter().all(|it| add_first(it, first)),
        HirKind::Alternation(parts) => {
            // Each of them adds its bytes, whatever the others may match.
            parts.iter().filter(|it| add_first(it, first)).count() > 0
        }
    }
}

fn first_byte(character: char) -> u8 {
    let mut bytes = [0; 4];
    character.encode_utf8(&mut bytes).as_bytes()[0]
}

/// A set of bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Bytes([u64; 4]);

impl Bytes {
    fn add(&mut self, from: u8, to: u8) {
        for byte in from..=to {
            self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(pattern: &str) -> String {
        String::from_utf8(Pattern::new(pattern).expect("a pattern").start.prefix).expect("text")
    }

    #[test]
    fn a_prefix_is_the_literal_text_that_every_match_begins_with() {
        assert_eq!(prefix(r"^Accepted publickey for (?<user>\S+)"), "Accepted publickey for ");
        assert_eq!(prefix(r"^message repeated (?<n>\d+) times: \["), "message repeated ");
        assert_eq!(prefix(r"^\[x\] y\.z"), "[x] y.z");
        assert_eq!(prefix(r"^(?<a>ab)c"), "abc");
        assert_eq!(prefix(r"^ab?c"), "a");
        assert_eq!(prefix("plain"), "");
        assert_eq!(prefix("(?i)^abc"), "");
        assert_eq!(prefix("(?m)^abc"), "");
        assert_eq!(prefix("^a|b"), "");
    }

    #[test]
    fn a_pattern_is_compiled_when_it_is_asked_unless_it_may_be_too_large() {
        let is_compiled = |it: &str| Pattern::new(it).map(|it| it.regex.get().is_some());
        assert_eq!(is_compiled(r"^(?<a>\d{4})-(?<b>\w+) [^ ]*$"), Ok(false));
        assert_eq!(is_compiled(r"\w{200}"), Ok(true));
        assert!(is_compiled(r"(?:\w{200}){200}").is_err());
        assert!(is_compiled("(").is_err() && is_compiled(r"(?=a)").is_err());
        let largest = Pattern::new(&r"\w".repeat(PARTS_MAX as usize)).expect("a pattern");
        assert!(largest.regex.get().is_none() && !largest.regex().is_match("-"));
    }

    #[test]
    fn captures_are_named_as_the_library_names_them() {
        for text in [r"(?<a>x)(?:(?<b>y(?<c>z))|(?<d>w))*", r"(x)(?P<a>y)", "(?i)(?<a>x)?", "x"] {
            let pattern = Pattern::new(text).expect("a pattern");
            let names: Vec<&str> = pattern.regex().capture_names().flatten().collect();
            assert_eq!(pattern.capture_names().collect::<Vec<_>>(), names, "{text}");
        }
    }

    #[test]
    fn what_may_not_match_does_not_match() {
        let patterns = [
            r"^a|b",
            r"^(?:ab|ac)d",
            r"(?i)^abc",
            r"^\d{4}",
            r"^(?:x)?(?:y)*z",
            r"^$",
            r"^.*x",
            r"^(?:^a|b)",
            r"^[^a]b",
            r"^\bab",
            r"^(?:CEF|.*)$",
            "^\u{e9}+",
            r"^(?:|a)b",
            "(?m)^b",
        ];
        let texts = [
            "",
            "a",
            "b",
            "ab",
            "abd",
            "acd",
            "ABC",
            "2026",
            "xyz",
            "z",
            "yz",
            "x",
            "bb",
            "\u{e9}a",
            "CEF",
            "anything",
            "\u{664}\u{664}\u{664}\u{664}",
            "b\nb",
            "a\nb",
        ];
        for pattern in patterns {
            let pattern = Pattern::new(pattern).expect("a pattern");
            for text in texts {
                let is_match = pattern.regex().is_match(text);
                assert!(pattern.may_match(text) || !is_match, "{} {text}", pattern.regex());
            }
        }
        let time = Pattern::new(r"^(?<time>\d{4}-\d\d)").expect("a pattern");
        assert!(time.may_match("2026-01") && !time.may_match("{") && !time.may_match(""));
    }
}
