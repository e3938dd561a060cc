//! Paths of fields in a record: a subset of JSONPath (RFC 9535) without the leading `$.`.
//!
//! | written | meaning |
//! |---|---|
//! | `a.b` | member `b` of member `a` |
//! | `a['k.with/dots']`, `a["k"]` | a member whose name needs quotes |
//! | `a[0]`, `a[-1]` | an element, counted from the start or the end |
//! | `a[*].b`, `a.*.b` | every value found, as the text of one JSON array |
//! | `a[?@.key=='x'].value` | `value` of the first element whose `key` is `x` |
//! | `a[?@.key].value` | `value` of the first element that has a `key` |
//! | `_parent.a` | member `a` of the object around the array that the record stands in |
//!
//! A bare name may hold anything but white space, quotes, brackets, parentheses,
//! commas, `*` and `?`: logs have members such as `@type` and `user-agent`, and
//! quoting them all would only make a source harder to read.

use std::iter::Peekable;
use std::str::Chars;

/// Steps that one path may have. Evaluation recurses by step, so this bounds its stack.
const STEPS_MAX: usize = 32;

/// The member that leads out of a record, to the object around its array.
const PARENT: &str = "_parent";

/// Where a field is in a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    text: String,
    steps: Vec<Step>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The member of an object with this name.
    Member(String),
    /// The element of an array; negative numbers count from the end.
    Element(i64),
    /// Every element of an array, every member's value of an object.
    All,
    /// Those elements or members' values that pass the test.
    Where(Filter),
}

/// What an element must be like to be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Filter {
    /// Names and elements to follow from the element under test; empty means the element itself.
    pub(crate) steps: Vec<Step>,
    /// What the value found there must equal; `None` asks only that there is one.
    pub(crate) equals: Option<Literal>,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Literal {
    /// A string, unescaped.
    Text(String),
    /// A number, `true`, `false` or `null`, as written.
    Scalar(String),
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// There is nothing to follow.
    #[error("a field path is empty")]
    Empty,
    /// A character that the stated subset does not allow there.
    #[error("field path `{path}`: {what} at character {position}")]
    Syntax {
        /// The whole path as written.
        path: String,
        /// Characters before the place, plus one.
        position: usize,
        /// What is wrong or was expected.
        what: &'static str,
    },
    /// More steps than any log needs.
    #[error("field path `{path}`: more than {STEPS_MAX} steps")]
    TooLong {
        /// The whole path as written.
        path: String,
    },
}

impl FieldPath {
    /// Reads a path as it is written in a source's SQL or aliases.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        let mut parser = Parser::new(text);
        let steps = parser.path()?;
        if parser.chars.peek().is_some() {
            return Err(parser.error("expected `.` or `[`"));
        }
        if steps.len() > STEPS_MAX {
            return Err(PathError::TooLong { path: text.to_owned() });
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// The path as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The names of the members that it leads through, in a record or around it.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|it| match it {
            Step::Member(name) if name != PARENT => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether this is the column of that name in delimited text, where `a.b` may be the
    /// name of one column.
    pub(crate) fn names_column(&self, column: &str, fold_case: bool) -> bool {
        let same = |name: &str| match fold_case {
            true => name.eq_ignore_ascii_case(column),
            false => name == column,
        };
        same(&self.text) || matches!(self.steps.as_slice(), [Step::Member(name)] if same(name))
    }

    /// The name of the member that this path names of a field.
    pub(crate) fn member_of(&self, field: &str) -> Option<&str> {
        let field = Self::parse(field).ok()?;
        match self.steps.strip_prefix(field.steps.as_slice())? {
            [Step::Member(name)] => Some(name),
            _ => None,
        }
    }

    /// How many objects out from the record a path begins, and the path from there.
    pub(crate) fn outward(&self) -> (usize, Self) {
        let is_parent = |it: &&Step| matches!(it, Step::Member(name) if name == PARENT);
        let out = self.steps.iter().take_while(is_parent).count();
        (out, Self { text: self.text.clone(), steps: self.steps[out..].to_vec() })
    }

    /// The path to an array, and from each of its elements to the next, where all steps
    /// are members and `[*]` stands between the arrays.
    pub(crate) fn arrays(&self) -> Option<Vec<Self>> {
        let levels = self.steps.split(|it| *it == Step::All).map(|steps| {
            let plain = steps.iter().all(|it| matches!(it, Step::Member(_)));
            let level = Self { text: self.text.clone(), steps: steps.to_vec() };
            (plain && !steps.is_empty()).then_some(level)
        });
        levels.collect()
    }
}

/// Reads the characters of one path from left to right.
struct Parser<'a> {
    text: &'a str,
    chars: Peekable<Chars<'a>>,
    read: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, chars: text.chars().peekable(), read: 0 }
    }

    fn error(&self, what: &'static str) -> PathError {
        PathError::Syntax { path: self.text.to_owned(), position: self.read + 1, what }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.chars.next();
        self.read += usize::from(next.is_some());
        next
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.chars.peek() == Some(&wanted);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, wanted: char, what: &'static str) -> Result<(), PathError> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(what)) }
    }

    fn path(&mut self) -> Result<Vec<Step>, PathError> {
        let mut steps = Vec::new();
        if self.chars.peek() != Some(&'[') {
            steps.push(self.name_or_all()?);
        }
        self.more_steps(&mut steps, true)?;
        Ok(steps)
    }

    /// Steps that follow the first, up to whatever is none.
    fn more_steps(&mut self, steps: &mut Vec<Step>, filters: bool) -> Result<(), PathError> {
        loop {
            if self.take('.') {
                steps.push(self.name_or_all()?);
            } else if self.take('[') {
                if self.chars.peek() == Some(&'?') && !filters {
                    return Err(self.error("a filter inside a filter is not supported"));
                }
                steps.push(self.bracket()?);
            } else {
                return Ok(());
            }
        }
    }

    fn name_or_all(&mut self) -> Result<Step, PathError> {
        if self.take('*') {
            return Ok(Step::All);
        }
        let mut name = String::new();
        while let Some(&next) = self.chars.peek() {
            if next.is_whitespace() || next.is_control() || ".[]()'\"*?,=!<>&|".contains(next) {
                break;
            }
            name.push(next);
            self.next();
        }
        if name.is_empty() {
            return Err(self.error("expected a member's name"));
        }
        Ok(Step::Member(name))
    }

    /// What stands in brackets, after the opening one.
    fn bracket(&mut self) -> Result<Step, PathError> {
        let step = match self.chars.peek() {
            Some('*') => {
                self.next();
                Step::All
            }
            Some('?') => {
                self.next();
                Step::Where(self.filter()?)
            }
            Some('\'' | '"') => Step::Member(self.quoted()?),
            _ => Step::Element(self.element()?),
        };
        self.expect(']', "expected `]`")?;
        Ok(step)
    }

    fn element(&mut self) -> Result<i64, PathError> {
        let mut digits = String::new();
        if self.take('-') {
            digits.push('-');
        }
        while let Some(digit) = self.chars.peek().copied().filter(char::is_ascii_digit) {
            digits.push(digit);
            self.next();
        }
        digits.parse().map_err(|_| self.error("expected a quoted name, a number, `*` or `?@`"))
    }

    fn filter(&mut self) -> Result<Filter, PathError> {
        self.spaces();
        self.expect('@', "expected `@`")?;
        let mut steps = Vec::new();
        self.more_steps(&mut steps, false)?;
        if steps.contains(&Step::All) {
            return Err(self.error("`*` inside a filter is not supported"));
        }
        self.spaces();
        if !self.take('=') {
            return Ok(Filter { steps, equals: None });
        }
        self.expect('=', "expected `==`")?;
        self.spaces();
        let equals = Some(self.literal()?);
        self.spaces();
        Ok(Filter { steps, equals })
    }

    fn literal(&mut self) -> Result<Literal, PathError> {
        if matches!(self.chars.peek(), Some('\'' | '"')) {
            return Ok(Literal::Text(self.quoted()?));
        }
        let mut text = String::new();
        while let Some(next) = self
            .chars
            .peek()
            .copied()
            .filter(|it| it.is_ascii_alphanumeric() || "+-.".contains(*it))
        {
            text.push(next);
            self.next();
        }
        let known = matches!(text.as_str(), "true" | "false" | "null");
        if known || crate::json::is_number(text.as_bytes()) {
            Ok(Literal::Scalar(text))
        } else {
            Err(self.error("expected a quoted text, a number, true, false or null"))
        }
    }

    /// A name or text in single or double quotes, with JSON's escapes.
    fn quoted(&mut self) -> Result<String, PathError> {
        let Some(quote) = self.next() else {
            return Err(self.error("expected a quote"));
        };
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.error("expected a closing quote")),
                Some(next) if next == quote => return Ok(text),
                Some('\\') => text.push(self.escape(quote)?),
                Some(next) => text.push(next),
            }
        }
    }

    fn escape(&mut self, quote: char) -> Result<char, PathError> {
        match self.next() {
            Some(next) if next == quote || next == '\\' || next == '/' => Ok(next),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            _ => Err(self.error("unknown escape")),
        }
    }

    fn spaces(&mut self) {
        while self.take(' ') {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        FieldPath::parse(text).unwrap().steps
    }

    fn member(name: &str) -> Step {
        Step::Member(name.to_owned())
    }

    #[test]
    fn members_may_be_bare_or_quoted() {
        assert_eq!(steps("a.b"), [member("a"), member("b")]);
        assert_eq!(steps("a['k.with/dots'].b"), [member("a"), member("k.with/dots"), member("b")]);
        assert_eq!(steps("['x y']"), [member("x y")]);
        assert_eq!(steps(r#"a["it's"]"#), [member("a"), member("it's")]);
        assert_eq!(steps(r"a['it\'s']"), [member("a"), member("it's")]);
        assert_eq!(steps("protoPayload.@type"), [member("protoPayload"), member("@type")]);
        assert_eq!(steps("headers.user-agent"), [member("headers"), member("user-agent")]);
    }

    #[test]
    fn elements_lists_and_filters_are_read() {
        assert_eq!(steps("a[0]"), [member("a"), Step::Element(0)]);
        assert_eq!(steps("a[-1].b"), [member("a"), Step::Element(-1), member("b")]);
        assert_eq!(steps("a[*].b"), [member("a"), Step::All, member("b")]);
        assert_eq!(steps("a.*"), [member("a"), Step::All]);
        let filter = |steps, equals| Step::Where(Filter { steps, equals });
        assert_eq!(
            steps("a[?@.key=='x'].value"),
            [
                member("a"),
                filter(vec![member("key")], Some(Literal::Text("x".into()))),
                member("value")
            ]
        );
        assert_eq!(
            steps("a[?@['k'][0] == 1.5]"),
            [
                member("a"),
                filter(vec![member("k"), Step::Element(0)], Some(Literal::Scalar("1.5".into())))
            ]
        );
        assert_eq!(steps("a[?@.b]"), [member("a"), filter(vec![member("b")], None)]);
        assert_eq!(
            steps("a[?@==true]"),
            [member("a"), filter(vec![], Some(Literal::Scalar("true".into())))]
        );
    }

    #[test]
    fn what_the_subset_does_not_have_is_refused_with_its_place() {
        for text in [
            ".a",
            "a.",
            "a..b",
            "a[",
            "a[]",
            "a[0",
            "a['b]",
            "a['b'",
            "a[b]",
            "a b",
            "a[1:2]",
            "a[0,1]",
            "a[?(@.b)]",
            "a[?@.b=1]",
            "a[?@.b==x]",
            "a[?@.b==]",
            "a[?@.b!=1]",
            "a[?@[*]==1]",
            "a[?@[?@.b]]",
            "a]",
            "a'b'",
            "a[99999999999999999999]",
            r"a['\x']",
        ] {
            assert!(matches!(FieldPath::parse(text), Err(PathError::Syntax { .. })), "{text}");
        }
        assert_eq!(FieldPath::parse(""), Err(PathError::Empty));
        assert_eq!(
            FieldPath::parse("a b").unwrap_err().to_string(),
            "field path `a b`: expected `.` or `[` at character 2"
        );
    }

    #[test]
    fn a_path_of_endless_steps_is_refused() {
        let text = vec!["a"; STEPS_MAX + 1].join(".");
        assert!(matches!(FieldPath::parse(&text), Err(PathError::TooLong { .. })));
        assert!(FieldPath::parse(&text[2..]).is_ok());
    }

    #[test]
    fn arrays_within_one_another_are_told_from_other_paths() {
        let levels = |text: &str| FieldPath::parse(text).unwrap().arrays();
        let steps = |text: &str| levels(text).unwrap().into_iter().map(|it| it.steps);
        assert_eq!(
            steps("a.b[*].c").collect::<Vec<_>>(),
            [vec![member("a"), member("b")], vec![member("c")]]
        );
        for text in ["a[*]", "[*].a", "a[*][*].b", "a[0].b", "a[?@.b].c"] {
            assert!(levels(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_path_may_begin_outside_of_the_record() {
        let outward = |text: &str| FieldPath::parse(text).unwrap().outward();
        let (out, path) = outward("_parent._parent.a._parent");
        assert_eq!((out, path.steps), (2, vec![member("a"), member("_parent")]));
        assert_eq!(outward("a").0, 0);
    }

    #[test]
    fn the_text_is_kept() {
        assert_eq!(FieldPath::parse("a['b']").unwrap().text(), "a['b']");
    }
}
