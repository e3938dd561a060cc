//! Records of delimited text: CSV as RFC 4180 has it, with any separator.
//!
//! A quote opens at the start of a field only, and a field in quotes may hold line
//! feeds. A quote that is never closed would swallow what follows it, so a record must
//! have as many fields as there are columns; else its first line alone is rejected, and
//! reading goes on with the next.

use std::borrow::Cow;

use super::{Chunk, Discard, Shared, Slice, Until, stages};
use crate::columns::Columns;
use crate::frame::next_line;
use crate::layout::{DelimitedColumn, bind_columns};

/// Bytes that may be read in vain, looking for the ends of quotes, before no record is
/// followed past its line.
const WASTE_MAX: usize = 256 << 20;

const NO_HEADER: &str = "the first line, which names the columns, cannot be read";
const COUNT: &str = "the record has another number of fields than there are columns";
const OPEN_QUOTE: &str = "a quote is not closed";
const AFTER_QUOTE: &str = "text follows a closing quote";

pub(super) struct DelimitedFramer {
    separator: u8,
    /// The source names the columns.
    is_named: bool,
    fold_case: bool,
    wanted: Vec<DelimitedColumn>,
    /// Reading starts at the first byte of the input.
    from_start: bool,
    /// The names of the columns, once they are known.
    names: Option<Vec<String>>,
    /// By wanted column: the places of its fields, the best first.
    bound: Vec<(usize, Vec<usize>)>,
    wasted: usize,
    fields: Vec<Field>,
}

/// A field of a record, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    start: usize,
    end: usize,
    quoted: bool,
    /// Quotes in it are doubled.
    doubled: bool,
}

/// How far the record at some place goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Up to `end`; the next one starts at `next`.
    Record { end: usize, next: usize },
    /// The bytes end within it.
    Open { in_quotes: bool },
    /// No record.
    Malformed { at: usize },
}

impl DelimitedFramer {
    pub(super) fn new(
        separator: u8,
        columns: Option<&[String]>,
        fold_case: bool,
        wanted: Vec<DelimitedColumn>,
        from_start: bool,
    ) -> Self {
        let mut framer = Self {
            separator,
            is_named: columns.is_some(),
            fold_case,
            wanted,
            from_start,
            names: None,
            bound: Vec::new(),
            wasted: 0,
            fields: Vec::new(),
        };
        if let Some(columns) = columns {
            framer.set_names(columns.to_vec());
        }
        framer
    }

    /// Takes the names of columns from the first bytes of the input, if reading does not
    /// come by them.
    pub(super) fn set_head(&mut self, head: &[u8]) {
        if self.from_start || self.is_named {
            return;
        }
        if let Some(names) = header_names(self.separator, head) {
            self.set_names(names);
        }
    }

    fn set_names(&mut self, names: Vec<String>) {
        self.bound = bind_columns(&self.wanted, &names, self.fold_case);
        self.names = Some(names);
    }

    /// Frames records; returns how many bytes are done with.
    pub(super) fn run(
        &mut self,
        slice: &Slice<'_>,
        shared: &mut Shared,
        columns: &mut Columns,
        chunk: &mut Chunk,
    ) -> usize {
        let bytes = slice.bytes;
        let mut at = 0;
        loop {
            at += blank(&bytes[at..]);
            if at >= bytes.len() || shared.is_enough(chunk) || shared.discard.is_some() {
                return at;
            }
            let bound = match self.wasted > WASTE_MAX {
                true => next_line(bytes, at).unwrap_or(bytes.len()),
                false => bytes.len(),
            };
            let next = match split(&bytes[..bound], at, self.separator, &mut self.fields) {
                Extent::Record { end, next } => {
                    self.record((at, end, next), slice, shared, columns, chunk)
                }
                Extent::Malformed { at: place } => {
                    self.recover(at, place, AFTER_QUOTE, slice, shared, chunk)
                }
                Extent::Open { .. } if bound == bytes.len() && slice.may_go_on(at) => None,
                Extent::Open { in_quotes: false } if slice.last => {
                    self.last(at, slice, shared, columns, chunk)
                }
                Extent::Open { .. } if slice.last && slice.broken => {
                    shared.waiting = true;
                    None
                }
                Extent::Open { .. } if slice.last && shared.growing && !shared.resting => {
                    shared.held_back = true;
                    shared.complete_if_resting = true;
                    None
                }
                Extent::Open { .. } => self.recover(at, bound, OPEN_QUOTE, slice, shared, chunk),
            };
            match next {
                Some(next) => at = next,
                None => return at,
            }
        }
    }

    /// Whether the record has as many fields as it should. Newer versions of a log whose
    /// columns the source names may add some.
    fn fits(&self) -> bool {
        let names = self.names.as_ref().map_or(0, Vec::len);
        if self.is_named { self.fields.len() >= names } else { self.fields.len() == names }
    }

    /// Whether the record repeats the names of the columns, as in files put one after
    /// another.
    fn is_header(&self, bytes: &[u8]) -> bool {
        let Some(names) = &self.names else { return false };
        !self.is_named
            && self.fields.len() == names.len()
            && self.fields.iter().zip(names).all(|(it, name)| text(bytes, *it).trim() == name)
    }

    /// Counts the record that goes from `at` to `end` and whose fields were found; returns
    /// where to go on.
    fn record(
        &mut self,
        (at, end, next): (usize, usize, usize),
        slice: &Slice<'_>,
        shared: &mut Shared,
        columns: &mut Columns,
        chunk: &mut Chunk,
    ) -> Option<usize> {
        if self.names.is_none() && self.from_start && shared.records == 0 {
            self.set_names(names(slice.bytes, &self.fields));
            return Some(next);
        }
        let offset = slice.base + at as u64;
        if self.names.is_none() {
            shared.reject(chunk, offset, NO_HEADER.to_owned());
        } else if !self.fits() {
            return self.recover(at, end, COUNT, slice, shared, chunk);
        } else if end - at > shared.limits.max_record_bytes {
            let reason = shared.too_long();
            shared.reject(chunk, offset, reason);
        } else if !self.is_header(slice.bytes) {
            self.fill(at, end, slice, shared, columns);
            shared.accept(chunk, columns, slice);
        }
        Some(next)
    }

    /// Fills the current row; returns whether patterns, if there are any, found something.
    fn fill(
        &mut self,
        at: usize,
        end: usize,
        slice: &Slice<'_>,
        shared: &mut Shared,
        columns: &mut Columns,
    ) -> bool {
        let buffer = slice.buffer(columns);
        for (column, places) in &self.bound {
            let fields = places.iter().filter_map(|it| self.fields.get(*it));
            if let Some(field) = fields.into_iter().find(|it| !it.is_null(slice.bytes)) {
                match field.doubled {
                    true => columns.set_text(*column, &text(slice.bytes, *field)),
                    false => columns.set_span(*column, buffer, field.start, field.end),
                }
            }
        }
        if let Some(column) = shared.pseudo.line {
            columns.set_span(column, buffer, at, end);
        }
        stages::apply(shared, columns) || shared.stages.is_empty()
    }

    /// Reads what stands after the last line feed of the input.
    fn last(
        &mut self,
        at: usize,
        slice: &Slice<'_>,
        shared: &mut Shared,
        columns: &mut Columns,
        chunk: &mut Chunk,
    ) -> Option<usize> {
        let end = slice.bytes.len();
        if slice.broken {
            shared.waiting = true;
            return None;
        }
        if shared.growing {
            // Half a record may look like a whole one.
            let fits = self.names.is_some() && self.fits();
            let whole = fits && self.fill(at, end, slice, shared, columns);
            columns.abandon_row();
            if !(whole && shared.resting) {
                shared.held_back = true;
                shared.complete_if_resting = whole;
                return None;
            }
        }
        self.record((at, end, end), slice, shared, columns, chunk)
    }

    /// Rejects the first line of what is no record, and was read up to `read`.
    fn recover(
        &mut self,
        at: usize,
        read: usize,
        reason: &str,
        slice: &Slice<'_>,
        shared: &mut Shared,
        chunk: &mut Chunk,
    ) -> Option<usize> {
        self.wasted += read - at;
        let next = match next_line(slice.bytes, at) {
            Some(next) => next,
            None if slice.last => slice.bytes.len(),
            None if slice.may_go_on(at) => return None,
            None => {
                let reason = Some(shared.too_long());
                shared.discard = Some(Discard { until: Until::Line, reason, hold: None });
                return None;
            }
        };
        let too_long = next - at > shared.limits.max_record_bytes;
        let reason = if too_long { shared.too_long() } else { reason.to_owned() };
        shared.reject(chunk, slice.base + at as u64, reason);
        Some(next)
    }
}

impl Field {
    /// Whether it has no value: databases write `\N` where there is none.
    fn is_null(&self, bytes: &[u8]) -> bool {
        self.start == self.end || (!self.quoted && &bytes[self.start..self.end] == b"\\N")
    }
}

/// The names of the columns, as the first bytes of an input tell them.
pub(crate) fn header_names(separator: u8, head: &[u8]) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let found = split(head, blank(head), separator, &mut fields);
    matches!(found, Extent::Record { .. }).then(|| names(head, &fields))
}

/// How many lines the first bytes of an input have, and how many of them belong to
/// records of at least so many columns.
pub(crate) fn lines_of_records(
    separator: u8,
    columns: usize,
    head: &[u8],
    complete: bool,
) -> (usize, usize) {
    let (mut at, mut lines, mut of_records) = (0, 0, 0);
    let mut fields = Vec::new();
    loop {
        at += blank(&head[at..]);
        if at >= head.len() {
            return (lines, of_records);
        }
        let line = next_line(head, at).unwrap_or(head.len());
        let (next, good) = match split(head, at, separator, &mut fields) {
            Extent::Record { next, .. } if fields.len() >= columns => (next, true),
            // It may go on after the sample.
            Extent::Open { .. } if !complete => (head.len(), true),
            Extent::Open { in_quotes: false } => (head.len(), fields.len() >= columns),
            _ => (line, false),
        };
        let count = memchr::memchr_iter(b'\n', &head[at..next]).count().max(1);
        lines += count;
        of_records += if good { count } else { 0 };
        at = next;
    }
}

/// How many bytes between records these begin with; zeros are those of a file that was
/// cut by copy-and-truncate.
fn blank(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|it| matches!(it, b'\r' | b'\n' | 0)).count()
}

fn names(bytes: &[u8], fields: &[Field]) -> Vec<String> {
    fields.iter().map(|it| text(bytes, *it).trim().to_owned()).collect()
}

/// What a field says.
fn text(bytes: &[u8], field: Field) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(&bytes[field.start..field.end]);
    if field.doubled { text.replace("\"\"", "\"").into() } else { text }
}

/// Finds the fields of the record at `at`, also those of one that the bytes end with.
fn split(bytes: &[u8], at: usize, separator: u8, fields: &mut Vec<Field>) -> Extent {
    fields.clear();
    let mut start = at;
    loop {
        let (field, end) = match bytes.get(start) {
            Some(b'"') => match quoted(bytes, start + 1) {
                Some(found) => found,
                None => return Extent::Open { in_quotes: true },
            },
            _ => bare(bytes, start, separator),
        };
        fields.push(field);
        match bytes.get(end) {
            Some(it) if *it == separator => start = end + 1,
            Some(b'\n') => {
                return Extent::Record { end: trimmed(bytes, at, end), next: end + 1 };
            }
            Some(b'\r') if bytes.get(end + 1) == Some(&b'\n') => {
                return Extent::Record { end, next: end + 2 };
            }
            Some(b'\r') if end + 1 == bytes.len() => return Extent::Open { in_quotes: false },
            Some(_) => return Extent::Malformed { at: end },
            None => return Extent::Open { in_quotes: false },
        }
    }
}

/// The field without quotes that starts at `start`, and the index of what ends it.
fn bare(bytes: &[u8], start: usize, separator: u8) -> (Field, usize) {
    let end = memchr::memchr2(separator, b'\n', &bytes[start..]);
    let end = end.map_or(bytes.len(), |it| start + it);
    let is_last = bytes.get(end) != Some(&separator);
    let text_end = if is_last { trimmed(bytes, start, end) } else { end };
    (Field { start, end: text_end, quoted: false, doubled: false }, end)
}

/// The field whose inside starts at `start`, and the index just past its closing quote.
fn quoted(bytes: &[u8], start: usize) -> Option<(Field, usize)> {
    let (mut at, mut doubled) = (start, false);
    loop {
        let quote = at + memchr::memchr(b'"', &bytes[at..])?;
        if bytes.get(quote + 1) != Some(&b'"') {
            return Some((Field { start, end: quote, quoted: true, doubled }, quote + 1));
        }
        doubled = true;
        at = quote + 2;
    }
}

/// End of a line without carriage returns and zeros.
fn trimmed(bytes: &[u8], start: usize, mut end: usize) -> usize {
    while end > start && matches!(bytes[end - 1], b'\r' | 0) {
        end -= 1;
    }
    end
}
