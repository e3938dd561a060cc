//! Records of JSON: elements of an array in a document, of a bare array, or values one
//! after another; told apart by what stands there.
//!
//! Where every value has its line, a malformed one costs its line and no more. Other
//! values are found again by their brackets, or, where those do not balance, at the
//! next line that begins with a bracket.

use std::borrow::Cow;

use arrow_buffer::Buffer;
use data_encoding::BASE64;

use super::{Chunk, Discard, Resume, Shared, Slice, Until, stages};
use crate::columns::{BufferId, Columns};
use crate::frame::{
    Document, Skipper, begins_like_document, find_records, next_line, next_value_line, skip_any,
    skip_blank, skip_blank_in_line,
};
use crate::json::{JsonError, JsonExtractor, ValueKind, find, unescape_into};
use crate::layout::JsonLayout;
use crate::path::FieldPath;
use crate::source::NestedArrays;
use each::Parcel;

mod each;

/// Envelopes within one another that are opened.
const ENVELOPES_MAX: usize = 4;

/// Bytes that may be read in vain before no value is trusted past the next line that
/// begins with a bracket: an input made to waste time takes time in proportion to its
/// size.
const WASTE_MAX: u64 = 256 << 20;

/// Bytes after a value that the extractor may look at; it is faster with a few.
const SLACK: usize = 64;

/// What JSON text of an object begins with once it is written as Base64.
const BASE64_OF_BRACKET: u8 = b'e';

const GARBAGE: &str = "not a JSON value";
const NOT_AN_OBJECT: &str = "a JSON value that is not an object";
const CUT: &str = "the input ends within the record";
const MANY_LINES: &str = "the JSON value does not end with its line";
const MORE: &str = "something follows the JSON value in its line";

pub(super) struct JsonFramer {
    extractor: JsonExtractor,
    /// Names of members that hold an array of records.
    records: Vec<String>,
    fold_case: bool,
    unwrap: Vec<(usize, FieldPath)>,
    each: Vec<(usize, NestedArrays)>,
    /// Columns whose arrays of byte values are text.
    byte_arrays: Vec<usize>,
    /// Reads the objects around nested arrays, the nearest first.
    parents: Vec<JsonExtractor>,
    /// The record that was read last is a parcel of others.
    parcel: Option<Parcel>,
    /// Fields that all records of an array have from the objects around it.
    around: Vec<u128>,
    mode: Mode,
    /// The array of records stands inside a document; none if that is not known.
    enveloped: Option<bool>,
    /// Bytes that were read in vain, looking for the ends of malformed values.
    wasted: u64,
    /// Takes the text of a record that is JSON inside a string.
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The next value tells what the input is.
    Start,
    /// Every value has its line.
    Lines,
    /// Values follow one another, over several lines or several on one.
    Values,
    /// Elements of an array of records.
    Array,
}

/// How a record was read.
enum Outcome {
    /// Done up to here.
    To(usize),
    /// More bytes are needed, or no more can be done.
    Stop,
}

/// The bytes that are framed, and all that is changed by it.
struct Work<'a, 'b> {
    slice: &'a Slice<'b>,
    shared: &'a mut Shared,
    columns: &'a mut Columns,
    chunk: &'a mut Chunk,
}

impl Work<'_, '_> {
    fn reject(&mut self, at: usize, reason: &str) {
        self.columns.abandon_row();
        self.shared.reject(self.chunk, self.slice.base + at as u64, reason.to_owned());
    }

    fn reject_to(&mut self, at: usize, end: usize, reason: &str) -> Outcome {
        self.reject(at, reason);
        Outcome::To(end)
    }

    fn accept(&mut self) {
        self.shared.accept(self.chunk, self.columns, self.slice);
    }
}

impl JsonFramer {
    pub(super) fn new(
        layout: JsonLayout,
        records: Vec<String>,
        fold_case: bool,
        in_array: bool,
        repeats: &[String],
    ) -> Self {
        // So do envelopes and nested arrays.
        let is_plain = layout.unwrap.is_empty() && layout.each.is_empty();
        let repeats = if is_plain { repeats } else { &[] };
        Self {
            extractor: JsonExtractor::new(layout.wanted, fold_case, repeats),
            records,
            fold_case,
            unwrap: layout.unwrap,
            each: layout.each,
            byte_arrays: layout.byte_arrays,
            parents: layout
                .parents
                .into_iter()
                .map(|it| JsonExtractor::new(it, fold_case, &[]))
                .collect(),
            parcel: None,
            around: Vec::new(),
            mode: if in_array { Mode::Array } else { Mode::Start },
            enveloped: None,
            wasted: 0,
            text: String::new(),
        }
    }

    pub(super) fn is_in_array(&self) -> bool {
        self.mode == Mode::Array
    }

    pub(super) fn set_in_array(&mut self, in_array: bool) {
        self.mode = if in_array { Mode::Array } else { Mode::Start };
    }

    /// Frames values; returns how many bytes are done with.
    pub(super) fn run(
        &mut self,
        slice: &Slice<'_>,
        shared: &mut Shared,
        columns: &mut Columns,
        chunk: &mut Chunk,
    ) -> usize {
        let mut work = Work { slice, shared, columns, chunk };
        let mut at = 0;
        loop {
            at = skip_blank(slice.bytes, at);
            let done = at >= slice.bytes.len()
                || work.shared.discard.is_some()
                || work.shared.is_enough(work.chunk);
            if done {
                return at;
            }
            let outcome = match self.mode {
                Mode::Start => self.first(at, &mut work),
                Mode::Lines => self.line(at, &mut work),
                Mode::Values => self.value(at, &mut work),
                Mode::Array => self.element(at, &mut work),
            };
            match outcome {
                Outcome::To(next) => at = next,
                Outcome::Stop => {
                    work.columns.abandon_row();
                    return at;
                }
            }
        }
    }

    /// Reads the value that tells what the input is.
    fn first(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let bytes = work.slice.bytes;
        match bytes[at] {
            b'[' => match bytes.get(skip_blank(bytes, at + 1)) {
                Some(b'{' | b']') => self.begin_array(at + 1, false),
                None if work.slice.may_go_on(at) => Outcome::Stop,
                None => self.begin_array(at + 1, false),
                // Text in brackets, or an array of something else.
                Some(_) => self.line(at, work),
            },
            b'{' => self.first_object(at, work),
            _ => self.garbage(at, work),
        }
    }

    fn first_object(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let Slice { bytes, last, full, .. } = *work.slice;
        let line = next_line(bytes, at);
        let limit = self.limit(bytes, at);
        let bounded = &bytes[..limit.unwrap_or(bytes.len())];
        let in_line = &bytes[..line.unwrap_or(bytes.len())];
        let document = match find_records(in_line, at, &self.records, self.fold_case) {
            Document::Incomplete if line.is_some() => {
                let document = find_records(bounded, at, &self.records, self.fold_case);
                if !matches!(document, Document::Array(_) | Document::Record(_)) {
                    self.wasted += (bounded.len() - at) as u64;
                }
                document
            }
            document => document,
        };
        match document {
            Document::Array(next) => self.begin_array(next, true),
            Document::Record(end) => self.first_record(at, end, work),
            _ if is_spread(bytes, at) && document == Document::Invalid => {
                self.recover(at, bounded.len() - at, "not JSON", work)
            }
            // Whether it ends in a later line must not depend on how much was read so far.
            Document::Incomplete if limit.is_none() && work.slice.may_go_on(at) => Outcome::Stop,
            _ if !is_spread(bytes, at) && line.is_some() => self.line(at, work),
            Document::Incomplete if limit.is_none() => self.incomplete(at, work),
            Document::Invalid if last => self.line(at, work),
            Document::Invalid if !full => Outcome::Stop,
            _ => self.recover(at, bounded.len() - at, "not JSON", work),
        }
    }

    /// Reads an object that ends before `end`; what follows it tells what others will
    /// look like.
    fn first_record(&mut self, at: usize, end: usize, work: &mut Work<'_, '_>) -> Outcome {
        let Slice { bytes, last, .. } = *work.slice;
        let follows = bytes.get(skip_blank_in_line(bytes, end));
        if next_line(&bytes[..end], at).is_some() || matches!(follows, Some(b'{' | b'[')) {
            self.mode = Mode::Values;
            return self.record(at, work);
        }
        match follows {
            None if work.slice.may_go_on(at) => Outcome::Stop,
            None if !last => self.record(at, work),
            None => self.line(at, work),
            Some(_) => {
                self.mode = Mode::Lines;
                self.line(at, work)
            }
        }
    }

    fn begin_array(&mut self, next: usize, enveloped: bool) -> Outcome {
        self.mode = Mode::Array;
        self.enveloped = Some(enveloped);
        Outcome::To(next)
    }

    /// Where no value is trusted to go past, if too many did not end.
    fn limit(&self, bytes: &[u8], at: usize) -> Option<usize> {
        if self.wasted > WASTE_MAX { next_value_line(bytes, at) } else { None }
    }

    /// Reads a value that follows others.
    fn value(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let bytes = work.slice.bytes;
        match bytes[at] {
            b'{' if !begins_like_document(bytes, at, &self.records, self.fold_case) => {
                self.record(at, work)
            }
            b'{' | b'[' => self.first(at, work),
            _ => self.garbage(at, work),
        }
    }

    /// Reads an element of an array of records, or what stands around it.
    fn element(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let bytes = work.slice.bytes;
        match bytes[at] {
            b',' => Outcome::To(at + 1),
            b']' => self.end_array(at, work),
            b'{' => self.record(at, work),
            _ => {
                let limit = self.limit(bytes, at);
                let bounded = &bytes[..limit.unwrap_or(bytes.len())];
                match skip_any(bounded, at) {
                    Some(end) if !matches!(bytes[at], b'}' | b':') => {
                        work.reject_to(at, end, NOT_AN_OBJECT)
                    }
                    None if limit.is_none() && work.slice.may_go_on(at) => Outcome::Stop,
                    _ => self.recover(at, bounded.len() - at, GARBAGE, work),
                }
            }
        }
    }

    /// Leaves the array, and passes over the rest of the document around it.
    fn end_array(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let next = skip_blank(work.slice.bytes, at + 1);
        match work.slice.bytes.get(next) {
            // Whether this is a document is told by the next byte.
            None if work.slice.may_go_on(at) => return Outcome::Stop,
            None if work.slice.last && work.shared.growing && self.enveloped != Some(false) => {
                work.shared.waiting = true;
                work.shared.held_back = self.enveloped == Some(true);
                return Outcome::Stop;
            }
            Some(b',' | b'}') => {
                if let Some(length) = Skipper::inside().skip(&work.slice.bytes[next..]) {
                    // The next document may follow in the same chunk.
                    self.mode = Mode::Start;
                    return Outcome::To(next + length);
                }
                let offset = work.slice.base + at as u64;
                let hold = Resume { offset, record_number: work.shared.records, in_array: true };
                work.shared.discard = Some(Discard {
                    until: Until::Value(Skipper::inside()),
                    reason: None,
                    hold: Some(hold),
                });
            }
            _ => {}
        }
        self.mode = Mode::Start;
        Outcome::To(next)
    }

    /// Reads a record that ends wherever its brackets say.
    fn record(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let bytes = work.slice.bytes;
        let limit = self.limit(bytes, at);
        let bounded = &bytes[..limit.unwrap_or(bytes.len())];
        match self.extract(bounded, at, work) {
            Ok(end) if end - at > work.shared.limits.max_record_bytes => {
                let reason = work.shared.too_long();
                work.reject_to(at, end, &reason)
            }
            Ok(end) => {
                self.accept(bytes, work);
                Outcome::To(end)
            }
            Err(JsonError::Incomplete) if limit.is_none() => self.incomplete(at, work),
            Err(error) => {
                let read = match error {
                    JsonError::Invalid { at: place, .. } | JsonError::TooDeep { at: place } => {
                        place.saturating_sub(at)
                    }
                    _ => bounded.len() - at,
                };
                self.recover(at, read, reason(error), work)
            }
        }
    }

    /// Reads a value that must end with its line.
    fn line(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let bytes = work.slice.bytes;
        let next = match next_line(bytes, at) {
            Some(next) => next,
            None if work.slice.last => return self.last_line(at, work),
            None => {
                if at == 0 && work.slice.full {
                    let reason = Some(work.shared.too_long());
                    work.shared.discard = Some(Discard { until: Until::Line, reason, hold: None });
                }
                return Outcome::Stop;
            }
        };
        self.value_in_line(at, next - 1, work).unwrap_or_else(|reason| {
            // The whole line is lost, whatever it holds.
            work.reject_to(at, next, &reason)
        })
    }

    /// Reads what stands after the last line feed of the input.
    fn last_line(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let length = work.slice.bytes.len();
        match self.value_in_line(at, length, work) {
            Ok(outcome) => outcome,
            Err(_) if work.slice.broken => damaged(work),
            Err(_) if work.shared.growing => {
                work.shared.held_back = true;
                Outcome::Stop
            }
            Err(reason) => work.reject_to(at, length, &reason),
        }
    }

    /// Reads the value at `at`, which must end before the line does. An error is the
    /// reason to reject the line.
    fn value_in_line(
        &mut self,
        at: usize,
        end: usize,
        work: &mut Work<'_, '_>,
    ) -> Result<Outcome, Cow<'static, str>> {
        let bytes = work.slice.bytes;
        if end - at > work.shared.limits.max_record_bytes {
            return Err(work.shared.too_long().into());
        }
        let elements = match bytes[at] {
            b'[' => Some(at + 1),
            b'{' if begins_like_document(bytes, at, &self.records, self.fold_case) => {
                match find_records(&bytes[..end], at, &self.records, self.fold_case) {
                    Document::Array(next) => Some(next),
                    _ => None,
                }
            }
            b'{' => None,
            _ => return Err(GARBAGE.into()),
        };
        if let Some(next) = elements {
            // Only if it ends in its line, so that it cannot swallow other lines.
            let past = skip_any(&bytes[..end], at).ok_or(MANY_LINES)?;
            if skip_blank_in_line(bytes, past) < end {
                return Err(MORE.into());
            }
            return Ok(self.begin_array(next, bytes[at] == b'{'));
        }
        let bound = bytes.len().min(end + SLACK);
        let past = match self.extract(&bytes[..bound], at, work) {
            Ok(past) if past <= end => past,
            // The same reason whatever follows the line.
            _ => {
                work.columns.abandon_row();
                self.extract(&bytes[..end], at, work).map_err(reason)?
            }
        };
        let next = skip_blank_in_line(bytes, past);
        if next < end && bytes[next] != b'{' {
            return Err(MORE.into());
        }
        self.accept(bytes, work);
        Ok(Outcome::To(next))
    }

    /// The bytes end within a value.
    fn incomplete(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let Slice { bytes, last, broken, .. } = *work.slice;
        if work.slice.may_go_on(at) {
            return Outcome::Stop;
        }
        if next_value_line(bytes, at).is_some() {
            // What follows looks like values of their own, which must not be lost.
            return self.recover(at, bytes.len() - at, "the JSON value does not end", work);
        }
        if !last {
            let until = match (self.mode, next_line(bytes, at)) {
                (Mode::Start, None) => Until::Line,
                _ => Until::Value(Skipper::new()),
            };
            let reason = Some(work.shared.too_long());
            work.shared.discard = Some(Discard { until, reason, hold: None });
            return Outcome::Stop;
        }
        if broken {
            return damaged(work);
        }
        if work.shared.growing {
            work.shared.held_back = true;
            return Outcome::Stop;
        }
        work.reject(at, CUT);
        self.give_up(work)
    }

    /// Finds the place after a malformed value, of which so many bytes were read.
    fn recover(
        &mut self,
        at: usize,
        read: usize,
        reason: &str,
        work: &mut Work<'_, '_>,
    ) -> Outcome {
        let Slice { bytes, last, broken, .. } = *work.slice;
        self.wasted += read as u64;
        let limit = next_value_line(bytes, at);
        let bound = limit.unwrap_or(bytes.len());
        let may_wait = work.slice.may_go_on(at);
        let end = skip_any(&bytes[..bound], at);
        if end.is_some_and(|end| may_wait && skip_blank(bytes, end) == bytes.len()) {
            // Whether this is the end is told by what follows.
            return Outcome::Stop;
        }
        if let Some(end) = end.filter(|end| self.is_boundary(bytes, *end)) {
            return work.reject_to(at, end, reason);
        }
        if let Some(limit) = limit {
            return work.reject_to(at, limit, reason);
        }
        if may_wait {
            return Outcome::Stop;
        }
        if !last {
            let reason = Some(reason.to_owned());
            let until = Until::ValueLine { at_start: false };
            work.shared.discard = Some(Discard { until, reason, hold: None });
            return Outcome::Stop;
        }
        if broken {
            return damaged(work);
        }
        if work.shared.growing {
            work.shared.held_back = true;
            return Outcome::Stop;
        }
        work.reject(at, reason);
        self.give_up(work)
    }

    /// Whether what follows a value that was skipped is what may follow one.
    fn is_boundary(&self, bytes: &[u8], end: usize) -> bool {
        let in_line = bytes.get(skip_blank_in_line(bytes, end));
        match (self.mode, bytes.get(skip_blank(bytes, end))) {
            (_, None) => true,
            (Mode::Array, Some(next)) => matches!(next, b',' | b']'),
            (_, Some(next)) => matches!(next, b'{' | b'[') || in_line == Some(&b'\n'),
        }
    }

    /// Rejects a line that begins no value.
    fn garbage(&mut self, at: usize, work: &mut Work<'_, '_>) -> Outcome {
        let Slice { bytes, last, full, broken, .. } = *work.slice;
        match next_line(bytes, at) {
            Some(next) => work.reject_to(at, next, GARBAGE),
            None if !last => {
                if full && at == 0 {
                    let reason = Some(GARBAGE.to_owned());
                    work.shared.discard = Some(Discard { until: Until::Line, reason, hold: None });
                }
                Outcome::Stop
            }
            None if broken => damaged(work),
            None if work.shared.growing => {
                work.shared.held_back = true;
                Outcome::Stop
            }
            None => work.reject_to(at, bytes.len(), GARBAGE),
        }
    }

    /// The rest of the input cannot be told apart and is done with.
    fn give_up(&mut self, work: &mut Work<'_, '_>) -> Outcome {
        self.mode = Mode::Start;
        Outcome::To(work.slice.bytes.len())
    }
}

/// Stops at what damage of the input cut: part of what is counted as one reject, and the
/// place to read on from should the rest turn up.
fn damaged(work: &mut Work<'_, '_>) -> Outcome {
    work.columns.abandon_row();
    work.shared.waiting = true;
    Outcome::Stop
}

/// Whether the object at `at` is laid out over several lines, as far as its first one
/// tells.
fn is_spread(bytes: &[u8], at: usize) -> bool {
    bytes.get(skip_blank_in_line(bytes, at + 1)) == Some(&b'\n')
}

fn reason(error: JsonError) -> &'static str {
    match error {
        JsonError::Incomplete => "the JSON value does not end",
        JsonError::Invalid { what, .. } => what,
        JsonError::TooDeep { .. } => "JSON nested too deep",
        JsonError::NotAnObject { .. } => NOT_AN_OBJECT,
    }
}

/// Fields of one record.
impl JsonFramer {
    /// Fills the current row from the record at `at`; returns where it ends.
    fn extract(
        &mut self,
        bytes: &[u8],
        at: usize,
        work: &mut Work<'_, '_>,
    ) -> Result<usize, JsonError> {
        let buffer = work.slice.buffer(work.columns);
        let end = self.extractor.extract(bytes, buffer, at, work.columns)?;
        if self.unwrap.iter().any(|(column, _)| work.columns.is_set(*column)) {
            self.open_envelopes(bytes, at, work)?;
        }
        if !self.each.is_empty() {
            self.parcel = self.find_parcel(bytes, at, work.columns);
            if self.parcel.is_some() {
                return Ok(end);
            }
        }
        self.finish_row(at, end, work);
        Ok(end)
    }

    /// Adds what is told by the text as a whole, and by patterns.
    fn finish_row(&mut self, at: usize, end: usize, work: &mut Work<'_, '_>) {
        if let Some(column) = work.shared.pseudo.line {
            let buffer = work.slice.buffer(work.columns);
            work.columns.set_span(column, buffer, at, end);
        }
        if !work.shared.stages.is_empty() {
            for column in &self.byte_arrays {
                if let Some(text) = work.columns.text(*column).and_then(text_of_byte_array) {
                    work.columns.set_text(*column, &text);
                }
            }
            stages::apply(work.shared, work.columns);
        }
    }

    /// Forgets the fields of the current row but those from around its array.
    fn begin_row(&self, columns: &mut Columns) {
        match self.around.is_empty() {
            true => columns.abandon_row(),
            false => columns.restore_row(&self.around),
        }
    }

    /// Fills the current row from the record inside the envelope at `at`; from the
    /// envelope itself if no record is in it.
    fn open_envelopes(
        &mut self,
        bytes: &[u8],
        at: usize,
        work: &mut Work<'_, '_>,
    ) -> Result<(), JsonError> {
        let mut inner: Option<Buffer> = None;
        let mut place = (work.slice.buffer(work.columns), at);
        for _ in 0..ENVELOPES_MAX {
            let outer = inner.as_deref().unwrap_or(bytes);
            let Some(opened) = self.open(outer, place, work.columns) else { break };
            let (buffer, next) = opened;
            self.begin_row(work.columns);
            let outer_place = place;
            place = next;
            let from = buffer.as_deref().unwrap_or(outer);
            if self.extractor.extract(from, place.0, place.1, work.columns).is_err() {
                // It only looked like a record.
                self.begin_row(work.columns);
                self.extractor.extract(outer, outer_place.0, outer_place.1, work.columns)?;
                break;
            }
            if buffer.is_some() {
                inner = buffer;
            }
        }
        for (column, _) in &self.unwrap {
            work.columns.unset(*column);
        }
        Ok(())
    }

    /// Where the record inside an envelope stands: a place in the same bytes, or in
    /// new ones if it is text with escapes.
    fn open(
        &mut self,
        bytes: &[u8],
        (buffer, at): (BufferId, usize),
        columns: &mut Columns,
    ) -> Option<(Option<Buffer>, (BufferId, usize))> {
        let (_, path) = self.unwrap.iter().find(|(column, _)| columns.is_set(*column))?;
        let found = find(bytes, at, path, self.fold_case).ok()??;
        match found.kind {
            ValueKind::Object => Some((None, (buffer, found.start))),
            ValueKind::Text { escaped } => {
                let inside = &bytes[found.start..found.end];
                let begin = skip_blank(inside, 0);
                // Escapes do not matter before the first bracket.
                let is_plain = inside.get(begin) == Some(&b'{');
                if is_plain && !escaped {
                    return Some((None, (buffer, found.start + begin)));
                }
                if !is_plain && inside.get(begin) != Some(&BASE64_OF_BRACKET) {
                    return None;
                }
                self.text.clear();
                unescape_into(inside, &mut self.text).ok()?;
                let text = match is_plain {
                    true => Buffer::from(self.text.as_bytes()),
                    false => Buffer::from(BASE64.decode(self.text.trim().as_bytes()).ok()?),
                };
                let id = columns.add_buffer(text.clone());
                Some((Some(text), (id, 0)))
            }
            _ => None,
        }
    }
}

/// The text that an array of byte values spells, as journald writes a message that is
/// not plain text.
fn text_of_byte_array(text: &str) -> Option<String> {
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    let bytes =
        inside.split(',').map(|it| it.trim().parse()).collect::<Result<Vec<u8>, _>>().ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
