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

/// As `select_first`, and the index just past the value at `start`.
pub(super) fn select_first_in(
    bytes: &[u8],
    start: usize,
    steps: &[Step],
    fold_case: bool,
) -> Result<(Option<FoundValue>, usize), JsonError> {
    let select = Select { bytes, fold_case };
    let (found, read) = select.first(start, steps)?;
    Ok((found, select.past(start, read)?))
}

/// The first value that the steps find in the value at `start`.
pub(super) fn select_first(
    bytes: &[u8],
    start: usize,
    steps: &[Step],
    fold_case: bool,
) -> Result<Option<FoundValue>, JsonError> {
    Ok(Select { bytes, fold_case }.first(skip_space(bytes, start), steps)?.0)
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

/// Memory for `select_keyed`.
#[derive(Default)]
pub(super) struct KeyedMemory {
    /// Slots that have their value.
    done: Vec<u32>,
    /// What was found in one element.
    found: Vec<(u32, FoundValue)>,
}

/// Finds what is wanted of the elements of the list at `start`, in one pass; gives each selection's
/// first value, and returns the index past the list.
pub(super) fn select_keyed(
    bytes: &[u8],
    start: usize,
    keyed: &Keyed,
    fold_case: bool,
    KeyedMemory { done, found }: &mut KeyedMemory,
    mut take: impl FnMut(u32, FoundValue),
) -> Result<usize, JsonError> {
    let select = Select { bytes, fold_case };
    done.clear();
    let read = select.children(start, |_, element| {
        found.clear();
        let read = match keyed.is_flat {
            true => select.element_at_once(element, keyed, found)?,
            false => select.element(element, keyed, found)?,
        };
        for (slot, value) in found.drain(..) {
            if !done.contains(&slot) {
                done.push(slot);
                take(slot, value);
            }
        }
        Ok((done.len() < keyed.count).then_some(read))
    })?;
    select.past(start, read)
}

/// Takes a value that was found; false ends the search.
type Take<'a> = &'a mut dyn FnMut(FoundValue) -> bool;

/// How far a value was read.
#[derive(Clone, Copy)]
enum Read {
    /// To this index, just past it.
    Whole(usize),
    /// What was asked is known: at this index, a child of it starts.
    Inside(usize),
}

#[derive(Clone, Copy)]
struct Select<'a> {
    bytes: &'a [u8],
    fold_case: bool,
}

impl Select<'_> {
    /// The first value that the steps find in the value at `start` (not white space), which is
    /// read once and no further than needed. Recurses by step, of which a path has few.
    fn first(self, start: usize, steps: &[Step]) -> Result<(Option<FoundValue>, Read), JsonError> {
        let mut first = None;
        let opening = byte(self.bytes, start)?;
        let read = match steps {
            [] => {
                let (value, end) = read_value(self.bytes, start)?;
                return Ok((Some(value), Read::Whole(end)));
            }
            [Step::Member(wanted), below @ ..] if opening == b'{' => {
                self.children(start, |name, child| {
                    if !name.is_some_and(|it| is_same(wanted.as_bytes(), it, self.fold_case)) {
                        return self.skip(child).map(Some);
                    }
                    // Of two members of one name, the last wins.
                    let (found, read) = self.first(child, below)?;
                    first = found;
                    Ok(Some(read))
                })?
            }
            [Step::Element(index @ 0..), below @ ..] if opening == b'[' => {
                let mut before = *index;
                self.children(start, |_, child| {
                    if before > 0 {
                        before -= 1;
                        return self.skip(child).map(Some);
                    }
                    first = self.first(child, below)?.0;
                    Ok(None)
                })?
            }
            [Step::Where(filter), below @ ..] => self.children(start, |_, child| {
                let (tested, read) = self.first(child, &filter.steps)?;
                if self.passes(tested, filter)? {
                    first = self.first(child, below)?.0;
                }
                Ok(first.is_none().then_some(read))
            })?,
            [Step::Element(..0) | Step::All, ..] => {
                let (value, end) = read_value(self.bytes, start)?;
                self.follow(value, steps, &mut |found| {
                    first = Some(found);
                    false
                })?;
                Read::Whole(end)
            }
            _ => self.skip(start)?,
        };
        Ok((first, read))
    }

    /// The index past the value at `start`, which was read so far.
    #[inline]
    fn past(self, start: usize, read: Read) -> Result<usize, JsonError> {
        match read {
            Read::Whole(end) => Ok(end),
            Read::Inside(at) => scan::skip_rest(self.bytes, start, at),
        }
    }

    fn skip(self, start: usize) -> Result<Read, JsonError> {
        Ok(Read::Whole(read_value(self.bytes, start)?.1))
    }

    /// Gives all that the steps find in a value, in the order of the text, and whether to go
    /// on. Recurses by step too, and keeps no list: a hostile record may hold millions of
    /// elements.
    fn follow(self, value: FoundValue, steps: &[Step], take: Take) -> Result<bool, JsonError> {
        let Some((step, rest)) = steps.split_first() else {
            return Ok(take(value));
        };
        match step {
            Step::Member(_) | Step::Element(0..) => {
                match self.first(value.outside(), std::slice::from_ref(step))?.0 {
                    Some(child) => self.follow(child, rest, take),
                    None => Ok(true),
                }
            }
            Step::Element(index) => match self.nth_last(value, *index)? {
                Some(child) => self.follow(child, rest, take),
                None => Ok(true),
            },
            Step::All => self.follow_children(value, |_| Ok(true), rest, take),
            Step::Where(filter) => {
                let passes = |child| self.passes(self.first(child, &filter.steps)?.0, filter);
                self.follow_children(value, passes, rest, take)
            }
        }
    }

    /// Follows the steps from those children that pass.
    fn follow_children(
        self,
        value: FoundValue,
        passes: impl Fn(usize) -> Result<bool, JsonError>,
        steps: &[Step],
        take: Take,
    ) -> Result<bool, JsonError> {
        let read = self.children(value.outside(), |_, start| {
            let (child, end) = read_value(self.bytes, start)?;
            let goes_on = !passes(start)? || self.follow(child, steps, take)?;
            Ok(goes_on.then_some(Read::Whole(end)))
        })?;
        Ok(matches!(read, Read::Whole(_)))
    }

    /// The element of an array that stands `-index` from its end.
    fn nth_last(self, value: FoundValue, index: i64) -> Result<Option<FoundValue>, JsonError> {
        if value.kind != ValueKind::Array {
            return Ok(None);
        }
        let mut count = index;
        self.children(value.start, |_, child| {
            count += 1;
            self.skip(child).map(Some)
        })?;
        if count < 0 {
            return Ok(None);
        }
        Ok(self.first(value.start, &[Step::Element(count)])?.0)
    }

    /// Finds what is wanted of an element of a list.
    fn element(
        self,
        start: usize,
        keyed: &Keyed,
        found: &mut Vec<(u32, FoundValue)>,
    ) -> Result<Read, JsonError> {
        let (tested, read) = self.first(start, &keyed.key)?;
        for Selection { slot, steps } in self.wanted_of(tested, keyed)? {
            found.extend(self.first(start, steps)?.0.map(|it| (*slot, it)));
        }
        Ok(read)
    }

    /// The same in one pass where the element's text stands before what is wanted, as it does in
    /// nearly all logs.
    fn element_at_once(
        self,
        start: usize,
        keyed: &Keyed,
        found: &mut Vec<(u32, FoundValue)>,
    ) -> Result<Read, JsonError> {
        let is = |step: Option<&Step>, name: &[u8]| match step {
            Some(Step::Member(it)) => is_same(it.as_bytes(), name, self.fold_case),
            _ => false,
        };
        let mut wanted: &[Selection] = &[];
        let (mut passed, mut in_order) = (false, true);
        let read = self.children(start, |name, child| {
            let Some(name) = name else { return self.skip(child).map(Some) };
            if is(keyed.key.first(), name) {
                let (tested, read) = self.first(child, &[])?;
                in_order &= !passed && wanted.is_empty();
                wanted = self.wanted_of(tested, keyed)?;
                return Ok(Some(read));
            }
            passed |= wanted.is_empty();
            let mut read = None;
            for Selection { slot, steps } in wanted {
                if is(steps.first(), name) {
                    let (value, until) = self.first(child, &steps[1..])?;
                    // Of two members of one name, the last wins.
                    found.retain(|it| it.0 != *slot);
                    found.extend(value.map(|it| (*slot, it)));
                    read = Some(until);
                }
            }
            read.map_or_else(|| self.skip(child), Ok).map(Some)
        })?;
        if in_order {
            return Ok(read);
        }
        found.clear();
        self.element(start, keyed, found)
    }

    /// What is wanted of an element with this text.
    fn wanted_of(
        self,
        tested: Option<FoundValue>,
        keyed: &Keyed,
    ) -> Result<&[Selection], JsonError> {
        let Some(FoundValue { start, end, kind: ValueKind::Text { escaped } }) = tested else {
            return Ok(&[]);
        };
        let inside = &self.bytes[start..end];
        let row = if escaped {
            let mut text = String::new();
            unescape(inside, start, &mut text)?;
            keyed.texts.find(text.as_bytes(), false)
        } else {
            keyed.texts.find(inside, false)
        };
        Ok(row.map_or(&[], |row| &keyed.wanted[row as usize]))
    }

    /// Whether an element is chosen, by what the filter looks at.
    fn passes(self, tested: Option<FoundValue>, filter: &Filter) -> Result<bool, JsonError> {
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

    /// Calls `each` with the start of every element of an array, or with every member's name and
    /// the start of its value. It says how far it read the child, or that no more are wanted.
    /// Other values have none.
    #[inline]
    fn children(
        self,
        start: usize,
        mut each: impl FnMut(Option<&[u8]>, usize) -> Result<Option<Read>, JsonError>,
    ) -> Result<Read, JsonError> {
        let bytes = self.bytes;
        let (named, end) = match byte(bytes, start)? {
            b'{' => (true, b'}'),
            b'[' => (false, b']'),
            _ => return self.skip(start),
        };
        let mut name = Cow::default();
        let mut at = skip_space(bytes, start + 1);
        if byte(bytes, at)? == end {
            return Ok(Read::Whole(at + 1));
        }
        loop {
            if named {
                (name, at) = read_name(bytes, at)?;
            }
            let Some(read) = each(named.then_some(&*name), at)? else {
                return Ok(Read::Inside(at));
            };
            at = skip_space(bytes, self.past(at, read)?);
            match byte(bytes, at)? {
                b',' => at = skip_space(bytes, at + 1),
                found if found == end => return Ok(Read::Whole(at + 1)),
                _ => {
                    let what = "expected `,` or a closing bracket";
                    return Err(JsonError::Invalid { at, what });
                }
            }
        }
    }
}

impl FoundValue {
    /// Where it starts, the quote included.
    fn outside(self) -> usize {
        self.start - usize::from(matches!(self.kind, ValueKind::Text { .. }))
    }
}

/// The member's name at `start`, and where its value starts.
fn read_name(bytes: &[u8], start: usize) -> Result<(Cow<'_, [u8]>, usize), JsonError> {
    if byte(bytes, start)? != b'"' {
        return Err(JsonError::Invalid { at: start, what: "expected a member's name" });
    }
    let (end, escaped) = scan::string_end(bytes, start + 1)?;
    let inside = &bytes[start + 1..end];
    let name = if escaped {
        let mut text = String::new();
        unescape(inside, start + 1, &mut text)?;
        Cow::Owned(text.into_bytes())
    } else {
        Cow::Borrowed(inside)
    };
    let colon = skip_space(bytes, end + 1);
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
