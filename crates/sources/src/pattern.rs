//! Patterns over text, and the literal text that most of them begin with.
//!
//! Of the dozens of patterns of a stage at most one matches a message, and a
//! comparison of a few bytes tells for nearly all of the others that they do not.

use regex::Regex;

/// A pattern and what its matches begin with.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    /// Every text that matches begins with this; often empty, which tells nothing.
    prefix: String,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, regex::Error> {
        Ok(Self { regex: Regex::new(text)?, prefix: literal_prefix(text) })
    }

    pub(crate) fn regex(&self) -> &Regex {
        &self.regex
    }

    pub(crate) fn into_regex(self) -> Regex {
        self.regex
    }

    /// Whether the text may match, as far as a glance tells.
    pub(crate) fn may_match(&self, text: &str) -> bool {
        text.as_bytes().starts_with(self.prefix.as_bytes())
    }

    pub(crate) fn capture_names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }
}

/// The literal text after a leading `^`, as far as it can be told without parsing the
/// whole pattern. Too short is slow, too long would be wrong: in doubt it is short.
fn literal_prefix(pattern: &str) -> String {
    let Some(rest) = pattern.strip_prefix('^') else { return String::new() };
    if has_alternation(rest) {
        return String::new();
    }
    let mut prefix = String::new();
    let mut characters = rest.chars().peekable();
    while let Some(character) = characters.next() {
        let literal = match character {
            '\\' => match characters.next() {
                // Only escaped punctuation stands for itself.
                Some(escaped)
                    if escaped.is_ascii_punctuation() && !matches!(escaped, '<' | '>') =>
                {
                    escaped
                }
                _ => break,
            },
            '.' | '[' | '(' | ')' | '*' | '+' | '?' | '{' | '|' | '^' | '$' => break,
            literal => literal,
        };
        // A repetition makes the character before it optional.
        if matches!(characters.peek(), Some('*' | '+' | '?' | '{')) {
            break;
        }
        prefix.push(literal);
    }
    prefix
}

/// Whether a `|` stands outside of groups and classes. Unsure is yes.
fn has_alternation(pattern: &str) -> bool {
    let mut depth = 0usize;
    let mut in_class = false;
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\\' => rest = rest.get(rest.chars().next().map_or(0, char::len_utf8)..).unwrap_or(""),
            // Nested classes and a bracket as a member are too odd to follow.
            '[' if in_class || rest.starts_with(']') || rest.starts_with("^]") => return true,
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            // So are flags, which may change what spaces and `#` mean.
            '(' if rest.starts_with('?')
                && !["?:", "?<", "?P<"].iter().any(|it| rest.starts_with(it)) =>
            {
                return true;
            }
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::literal_prefix;

    #[test]
    fn a_prefix_is_the_literal_text_that_every_match_begins_with() {
        assert_eq!(
            literal_prefix(r"^Accepted publickey for (?<user>\S+)"),
            "Accepted publickey for "
        );
        assert_eq!(literal_prefix(r"^message repeated (?<n>\d+) times: \["), "message repeated ");
        assert_eq!(literal_prefix(r"^\[x\] y\.z"), "[x] y.z");
        assert_eq!(literal_prefix(r"^ab?c"), "a");
        assert_eq!(literal_prefix(r"^ab\.?c"), "ab");
        assert_eq!(literal_prefix(r"^a{2}"), "");
        assert_eq!(literal_prefix("plain"), "");
        assert_eq!(literal_prefix("(?i)^abc"), "");
    }

    #[test]
    fn a_choice_at_the_top_has_no_common_prefix() {
        assert_eq!(literal_prefix("^a|b"), "");
        assert_eq!(literal_prefix("^a(x|y)"), "a");
        assert_eq!(literal_prefix(r"^a\|b"), "a|b");
        assert_eq!(literal_prefix("^a[(]b|c"), "");
        assert_eq!(literal_prefix("^a[](]|b"), "");
        assert_eq!(literal_prefix("^a[[x](]|b"), "");
        assert_eq!(literal_prefix("^a(?x: # (\n)|b"), "");
        assert_eq!(literal_prefix("^a[|]b"), "a");
    }
}
