//! Evaluates paths on one value: elements, lists and filters, or a path on its own.
//!
//! Slower than a walk of the whole record, and used only for the few paths that need
//! it, on the values that they name.

use std::borrow::Cow;

use super::plan::{Keyed, Selection, is_same};
use super::text::{scalar_end, unescape};
use super::walk::{byte, skip_space};
use super::{FoundValue, JsonError, ValueKind, scan};
use crate::path::{Filter, Literal, Step};

/// The first value that the steps find in the value at `start`.
pub(super) fn select_first(
    bytes: &[u8],
    start: usize,
    steps: &[Step],
    fold_case: bool,
) -> Result<Option<FoundValue>, JsonError> {
    let (value, _) = read_value(bytes, skip_space(bytes, start))?;
    let mut first = None;
    Select { bytes, fold_case }.follow(value, steps, &mut |found| {
        first = Some(found);
        false
    })?;
    Ok(first)
}

/// Appends all values that the steps find in the value at `start`, as one JSON array.
/// Appends nothing, and returns false, if there is none.
pub(super) fn select_all(
    bytes: &[u8],
    start: usize,
    steps: &[Step],
    fold_case: bool,
    text: &mut String,
) -> Result<bool, JsonError> {
    let (value, _) = read_value(bytes, skip_space(bytes, start))?;
    let mut any = false;
    Select { bytes, fold_case }.follow(value, steps, &mut |found| {
        text.push(if any { ',' } else { '[' });
        any = true;
        // Strings with their quotes, so that the text is JSON.
        let quote = usize::from(matches!(found.kind, ValueKind::Text { .. }));
        let verbatim = &bytes[found.start - quote..found.end + quote];
        text.push_str(&String::from_utf8_lossy(verbatim));
        true
    })?;
    if any {
        text.push(']');
    }
    Ok(any)
}

/// Finds what is wanted of the elements of the list at `start`, in one pass; gives each selection's
/// first value. `done` is for its memory only.
pub(super) fn select_keyed(
    bytes: &[u8],
    start: usize,
    keyed: &Keyed,
    fold_case: bool,
    done: &mut Vec<u32>,
    mut take: impl FnMut(u32, FoundValue),
) -> Result<(), JsonError> {
    let (list, _) = read_value(bytes, skip_space(bytes, start))?;
    let select = Select { bytes, fold_case };
    done.clear();
    select.children(list, |_, element| {
        let Some(row) = select.text_of(element, keyed)? else { return Ok(true) };
        for Selection { slot, steps } in &keyed.wanted[row as usize] {
            if done.contains(slot) {
                continue;
            }
            select.follow(element, steps, &mut |found| {
                done.push(*slot);
                take(*slot, found);
                false
            })?;
        }
        Ok(done.len() < keyed.count)
    })?;
    Ok(())
}

/// Takes a value that was found; false ends the search.
type Take<'a> = &'a mut dyn FnMut(FoundValue) -> bool;

#[derive(Clone, Copy)]
struct Select<'a> {
    bytes: &'a [u8],
    fold_case: bool,
}

impl Select<'_> {
    /// Gives what the steps find in a value, in the order of the text, and whether to go
    /// on. Recurses by step, of which a path has few, and keeps no list: a hostile record
    /// may hold millions of elements.
    fn follow(self, value: FoundValue, steps: &[Step], take: Take) -> Result<bool, JsonError> {
        let Some((step, rest)) = steps.split_first() else {
            return Ok(take(value));
        };
        match step {
            Step::Member(name) => match self.member(value, name)? {
                Some(child) => self.follow(child, rest, take),
                None => Ok(true),
            },
            Step::Element(index) => match self.element(value, *index)? {
                Some(child) => self.follow(child, rest, take),
                None => Ok(true),
            },
            Step::All => self.children(value, |_, child| self.follow(child, rest, take)),
            Step::Where(filter) => self.children(value, |_, child| {
                if self.passes(child, filter)? { self.follow(child, rest, take) } else { Ok(true) }
            }),
        }
    }

    fn member(self, value: FoundValue, wanted: &str) -> Result<Option<FoundValue>, JsonError> {
        let mut last = None;
        if value.kind == ValueKind::Object {
            self.children(value, |name, child| {
                if name.is_some_and(|name| is_same(wanted.as_bytes(), name, self.fold_case)) {
                    last = Some(child);
                }
                Ok(true)
            })?;
        }
        Ok(last)
    }

    fn element(self, value: FoundValue, index: i64) -> Result<Option<FoundValue>, JsonError> {
        if value.kind != ValueKind::Array {
            return Ok(None);
        }
        let mut wanted = index;
        if index < 0 {
            self.children(value, |_, _| {
                wanted += 1;
                Ok(true)
            })?;
        }
        let (mut at, mut chosen) = (0, None);
        self.children(value, |_, child| {
            if at == wanted {
                chosen = Some(child);
            }
            at += 1;
            Ok(chosen.is_none())
        })?;
        Ok(chosen)
    }

    /// The row of what is wanted of an element, by its text.
    fn text_of(self, element: FoundValue, keyed: &Keyed) -> Result<Option<u32>, JsonError> {
        let mut tested = None;
        self.follow(element, &keyed.key, &mut |found| {
            tested = Some(found);
            false
        })?;
        let Some(FoundValue { start, end, kind: ValueKind::Text { escaped } }) = tested else {
            return Ok(None);
        };
        let inside = &self.bytes[start..end];
        if !escaped {
            return Ok(keyed.texts.find(inside, false));
        }
        let mut text = String::new();
        unescape(inside, start, &mut text)?;
        Ok(keyed.texts.find(text.as_bytes(), false))
    }

    fn passes(self, value: FoundValue, filter: &Filter) -> Result<bool, JsonError> {
        let mut tested = None;
        self.follow(value, &filter.steps, &mut |found| {
            tested = Some(found);
            false
        })?;
        let Some(tested) = tested else {
            return Ok(false);
        };
        let Some(wanted) = &filter.equals else {
            return Ok(true);
        };
        let inside = &self.bytes[tested.start..tested.end];
        Ok(match (wanted, tested.kind) {
            (Literal::Text(wanted), ValueKind::Text { escaped: true }) => {
                let mut text = String::new();
                unescape(inside, tested.start, &mut text)?;
                text == *wanted
            }
            (Literal::Text(wanted), ValueKind::Text { .. }) => wanted.as_bytes() == inside,
            (Literal::Scalar(wanted), ValueKind::Scalar | ValueKind::Null) => {
                wanted.as_bytes() == inside || is_same_number(wanted, inside)
            }
            _ => false,
        })
    }

    /// Calls `each` with every element of an array, or every member's name and value of
    /// an object, until it says false. Other values have none.
    fn children(
        self,
        value: FoundValue,
        mut each: impl FnMut(Option<&[u8]>, FoundValue) -> Result<bool, JsonError>,
    ) -> Result<bool, JsonError> {
        let bytes = self.bytes;
        let (named, end) = match value.kind {
            ValueKind::Object => (true, b'}'),
            ValueKind::Array => (false, b']'),
            _ => return Ok(true),
        };
        let mut name = Cow::default();
        let mut at = skip_space(bytes, value.start + 1);
        if byte(bytes, at)? == end {
            return Ok(true);
        }
        loop {
            if named {
                (name, at) = read_name(bytes, at)?;
            }
            let (child, after) = read_value(bytes, at)?;
            if !each(named.then_some(&*name), child)? {
                return Ok(false);
            }
            at = skip_space(bytes, after);
            match byte(bytes, at)? {
                b',' => at = skip_space(bytes, at + 1),
                found if found == end => return Ok(true),
                _ => {
                    let what = "expected `,` or a closing bracket";
                    return Err(JsonError::Invalid { at, what });
                }
            }
        }
    }
}

/// The member's name at `start`, and where its value starts.
fn read_name(bytes: &[u8], start: usize) -> Result<(Cow<'_, [u8]>, usize), JsonError> {
    let (found, after) = read_value(bytes, start)?;
    let ValueKind::Text { escaped } = found.kind else {
        return Err(JsonError::Invalid { at: start, what: "expected a member's name" });
    };
    let inside = &bytes[found.start..found.end];
    let name = if escaped {
        let mut text = String::new();
        unescape(inside, found.start, &mut text)?;
        Cow::Owned(text.into_bytes())
    } else {
        Cow::Borrowed(inside)
    };
    let colon = skip_space(bytes, after);
    if byte(bytes, colon)? != b':' {
        return Err(JsonError::Invalid { at: colon, what: "expected `:`" });
    }
    Ok((name, skip_space(bytes, colon + 1)))
}

/// `1`, `1.0` and `1e0` are one number.
fn is_same_number(wanted: &str, inside: &[u8]) -> bool {
    let number = |text: &str| text.parse::<f64>().ok().filter(|it| it.is_finite());
    let found = std::str::from_utf8(inside).ok().and_then(number);
    found.is_some() && found == number(wanted)
}

/// The value at `start` (not white space), and the index just past it.
pub(super) fn read_value(bytes: &[u8], start: usize) -> Result<(FoundValue, usize), JsonError> {
    let found = |kind, end| (FoundValue { start, end, kind }, end);
    match byte(bytes, start)? {
        b'"' => {
            let (end, escaped) = scan::string_end(bytes, start + 1)?;
            let kind = ValueKind::Text { escaped };
            Ok((FoundValue { start: start + 1, end, kind }, end + 1))
        }
        b'{' => Ok(found(ValueKind::Object, scan::skip_container(bytes, start, 0)?)),
        b'[' => Ok(found(ValueKind::Array, scan::skip_container(bytes, start, 0)?)),
        _ => {
            let (end, null) = scalar_end(bytes, start)?;
            Ok(found(if null { ValueKind::Null } else { ValueKind::Scalar }, end))
        }
    }
}
