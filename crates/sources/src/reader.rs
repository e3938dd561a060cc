//! Records of one input as rows of columns, a chunk at a time, with a count of every
//! record that could not be read.
//!
//! Decoded bytes lie in a window whose memory the finished columns share: what a
//! chunk leaves over (the beginning of a record) moves to the front of the next
//! window, everything else is never copied. A record that is longer than allowed is
//! passed over as it streams by.

use std::cell::Cell;
use std::sync::Arc;

use arrow_buffer::Buffer;

use crate::columns::{BufferId, Columns};
use crate::decode::{DecodeError, Decoder, Limits};
use crate::frame::Skipper;
use crate::layout::{self, PseudoColumns};
use crate::source::{Format, Source, SourceError};
use crate::spare;

mod delimited;
mod json;
mod stages;
mod text;

pub(crate) use delimited::{header_names, lines_of_records};

/// Bytes that a character of UTF-8 takes at most.
const CHARACTER_MAX: usize = 4;

/// Where a reading starts or has stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resume {
    /// Decoded bytes before the next record; a byte order mark is none of them.
    pub offset: u64,
    /// Records before it.
    pub record_number: u64,
    /// The offset stands inside an array of records.
    pub in_array: bool,
}

/// What is known of the file that records come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileContext {
    /// Its name, for the field `_file_name`.
    pub name: String,
    /// When it was last changed (RFC 3339), for the field `_file_time`.
    pub time_text: Option<String>,
}

/// What one call of `read_chunk` read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkInfo {
    /// Number in the input, from 1, of the record of each row that was added.
    pub record_numbers: Vec<u64>,
    /// Records that could not be read.
    pub rejects: Vec<Reject>,
    /// Records that gave rows, and rejects together.
    pub records: u64,
    /// From where a later reading gives what comes after this chunk.
    pub resume: Resume,
}

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Number in the input, from 1.
    pub record_number: u64,
    /// Decoded bytes before it.
    pub offset: u64,
    /// Why, without any of its content.
    pub reason: String,
}

/// Why an input cannot be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The device or pipe failed.
    #[error("cannot read after {offset} bytes")]
    Decode {
        /// Decoded bytes before the place.
        offset: u64,
        /// What happened.
        #[source]
        source: DecodeError,
    },
    /// The source cannot give the fields.
    #[error("source `{name}` cannot give the fields that its SQL names")]
    Fields {
        /// The source.
        name: String,
        /// Which one and why.
        #[source]
        source: Box<SourceError>,
    },
    /// The source has no format of that number.
    #[error("source `{name}` has no format {format}")]
    Format {
        /// The source.
        name: String,
        /// Index into its formats.
        format: usize,
    },
}

/// Empty columns for records of a source: the fields, in their order, and after them
/// helpers that only the reader uses and the caller leaves aside.
pub fn columns(source: &Source, fields: &[String]) -> Columns {
    Columns::new(layout::column_names(source, fields))
}

/// Reads the records of one input.
pub struct RecordReader {
    decoder: Decoder,
    window: Window,
    framer: Framer,
    shared: Shared,
    /// Why the decoded bytes ended before their end.
    failure: Option<DecodeError>,
    finished: bool,
    /// The last bytes before the window that were framed, up to `TAIL_BYTES`.
    tail: Vec<u8>,
}

/// How many bytes before the resume offset `RecordReader::tail` gives.
pub const TAIL_BYTES: usize = 4096;

/// What every framer works with.
struct Shared {
    source: Arc<Source>,
    pseudo: PseudoColumns,
    context: FileContext,
    limits: Limits,
    /// The input may get longer: an incomplete last record waits.
    growing: bool,
    /// Records that were read or rejected.
    records: u64,
    held_back: bool,
    /// Nothing more can be told before the input grows.
    waiting: bool,
    /// The input has not changed since it was last read.
    resting: bool,
    /// What was held back would be read if the input rested.
    complete_if_resting: bool,
    discard: Option<Discard>,
    stages: stages::Stages,
}

enum Framer {
    Json(Box<json::JsonFramer>),
    Text(text::TextFramer),
    Delimited(delimited::DelimitedFramer),
}

/// Decoded bytes that were not framed yet, from `at` on.
struct Window {
    bytes: Buffer,
    at: usize,
    /// Decoded bytes before the window.
    base: u64,
    /// Nothing follows the window.
    ended: bool,
}

/// Bytes that are passed over as they stream by.
struct Discard {
    until: Until,
    /// The reject that they are, if they are one.
    reason: Option<String>,
    /// Where to stop instead if the input ends first and may grow.
    hold: Option<Resume>,
}

enum Until {
    /// Past the next line feed.
    Line,
    /// A line that begins with a bracket.
    ValueLine {
        /// The last byte seen was a line feed.
        at_start: bool,
    },
    /// The end of a value.
    Value(Skipper),
}

/// Part of the window that is framed now.
struct Slice<'a> {
    bytes: &'a [u8],
    shared: &'a Buffer,
    /// The same bytes, once a row was begun that may need them: columns keep what they
    /// are given, so bytes without a record are not given to them.
    buffer: Cell<Option<BufferId>>,
    /// Decoded bytes before it.
    base: u64,
    /// The input ends with it.
    last: bool,
    /// It is longer than a record may be.
    full: bool,
    /// The input is damaged after it, which is counted apart.
    broken: bool,
    /// Texts that are the same for all rows, likewise.
    file_name: Cell<Option<BufferId>>,
    file_time: Cell<Option<BufferId>>,
}

impl Slice<'_> {
    /// The bytes, as part of the columns.
    fn buffer(&self, columns: &mut Columns) -> BufferId {
        shared_once(&self.buffer, columns, || self.shared.clone())
    }

    /// Whether what begins at `at` may go on in bytes that are still to come.
    fn may_go_on(&self, at: usize) -> bool {
        !(self.last || (self.full && at == 0))
    }
}

/// Gives bytes to the columns at the first call, and says which they are.
fn shared_once(
    cell: &Cell<Option<BufferId>>,
    columns: &mut Columns,
    bytes: impl FnOnce() -> Buffer,
) -> BufferId {
    let buffer = cell.get().unwrap_or_else(|| columns.add_buffer(bytes()));
    cell.set(Some(buffer));
    buffer
}

/// Rows and rejects of one chunk.
#[derive(Default)]
struct Chunk {
    record_numbers: Vec<u64>,
    rejects: Vec<Reject>,
    /// How many of the rows are not the first of their record.
    further_rows: usize,
}

impl Chunk {
    fn len(&self) -> usize {
        self.record_numbers.len() + self.rejects.len()
    }
}

impl RecordReader {
    /// Reads the records of `source` that `decoder` gives.
    ///
    /// `fields` are the columns' names in order, each once: paths, aliases, captures or
    /// pseudo fields. `resume` is where an earlier reading stopped, or the default; the
    /// decoder must stand at its offset. `growing` says that the input may get longer,
    /// so that an incomplete last record is held back.
    #[expect(clippy::too_many_arguments, reason = "each is one independent fact about the input")]
    pub fn new(
        decoder: Decoder,
        source: Arc<Source>,
        format: usize,
        fields: &[String],
        context: FileContext,
        resume: Resume,
        limits: Limits,
        growing: bool,
    ) -> Result<Self, ReadError> {
        source.check_fields(fields).map_err(|error| ReadError::Fields {
            name: source.name.clone(),
            source: Box::new(error),
        })?;
        let names = layout::column_names(&source, fields);
        let framer = match source.formats.get(format) {
            Some(Format::Json { records, each, unwrap, fold_case, byte_arrays, repeats }) => {
                let layout = layout::json_layout(&source, &names, unwrap, each, *byte_arrays);
                Framer::Json(Box::new(json::JsonFramer::new(
                    layout,
                    records.clone(),
                    *fold_case,
                    resume.in_array,
                    // What looks into fields asks for them while the row is filled.
                    if source.stages.is_empty() { repeats } else { &[] },
                )))
            }
            Some(Format::Text { pattern, .. }) => {
                let layout = layout::text_layout(&source, &names, &pattern.0);
                Framer::Text(text::TextFramer::new(layout, Arc::clone(&source), format))
            }
            Some(Format::Delimited { separator, columns, fold_case }) => {
                let wanted = layout::delimited_layout(&source, &names);
                let from_start = resume.offset == 0;
                Framer::Delimited(delimited::DelimitedFramer::new(
                    *separator,
                    columns.as_deref(),
                    *fold_case,
                    wanted,
                    from_start,
                ))
            }
            None => return Err(ReadError::Format { name: source.name.clone(), format }),
        };
        let shared = Shared {
            pseudo: layout::pseudo_columns(&names),
            stages: stages::Stages::new(layout::stage_layouts(&source, &names)),
            source,
            context,
            limits,
            growing,
            records: resume.record_number,
            held_back: false,
            waiting: false,
            resting: false,
            complete_if_resting: false,
            discard: None,
        };
        let window = Window {
            bytes: Buffer::from_vec(Vec::<u8>::new()),
            at: 0,
            base: resume.offset,
            ended: false,
        };
        Ok(Self {
            decoder,
            window,
            framer,
            shared,
            failure: None,
            finished: false,
            tail: Vec::new(),
        })
    }

    /// Whether an incomplete last record was left for a later reading.
    pub fn held_back(&self) -> bool {
        self.shared.held_back
    }

    /// Says that the input has not changed since it was last read: a last line that looks
    /// whole is then taken for whole, though no line feed ends it.
    pub fn set_resting(&mut self, resting: bool) {
        self.shared.resting = resting;
    }

    /// Whether the last line was held back only because more of it might come: a later
    /// reading that finds the input as it is now takes it for whole.
    pub fn is_complete_if_resting(&self) -> bool {
        self.shared.complete_if_resting
    }

    /// Gives the first bytes of the input, which a reading that goes on inside of it
    /// needs: the names of columns stand there.
    pub fn set_head(&mut self, head: &[u8]) {
        if let Framer::Delimited(framer) = &mut self.framer {
            framer.set_head(head);
        }
    }

    /// Gives the bytes that stand before the resume offset, where reading goes on,
    /// so that `tail` is whole from the start.
    pub fn set_tail(&mut self, tail: Vec<u8>) {
        self.tail = tail;
    }

    /// The bytes just before `resume().offset` that this reading framed, up to
    /// `TAIL_BYTES`; none if it framed fewer than that and began inside the input.
    pub fn tail(&self) -> Option<Vec<u8>> {
        let mut tail = self.tail.clone();
        extend_tail(&mut tail, &self.window.bytes[..self.window.at]);
        let whole = self.window.offset() == tail.len() as u64;
        (tail.len() == TAIL_BYTES || whole).then_some(tail)
    }

    /// From where a later reading gives what was not read yet.
    pub fn resume(&self) -> Resume {
        let in_array = matches!(&self.framer, Framer::Json(framer) if framer.is_in_array());
        Resume { offset: self.window.offset(), record_number: self.shared.records, in_array }
    }

    /// Reads about one chunk of records, one row for each good one, into columns made
    /// by `columns` for the same source and fields. None at the end.
    pub fn read_chunk(&mut self, columns: &mut Columns) -> Result<Option<ChunkInfo>, ReadError> {
        let mut chunk = Chunk::default();
        let chunk_bytes = self.shared.limits.chunk_bytes.max(1);
        let mut wanted = chunk_bytes;
        while !self.finished {
            if let Some(discard) = self.shared.discard.take() {
                self.pass_over(discard, &mut chunk)?;
                continue;
            }
            if chunk.len() > 0 {
                break;
            }
            self.grow(wanted)?;
            let unread = self.window.unread();
            let length = unread.min(wanted);
            let last = self.window.ended && length == unread;
            let consumed =
                if length == 0 { 0 } else { self.frame(length, last, columns, &mut chunk) };
            self.window.at += consumed;
            let stopped = self.shared.held_back || self.shared.waiting;
            if last && (stopped || (consumed == length && self.shared.discard.is_none())) {
                self.finish(&mut chunk);
            } else if consumed == 0 && self.shared.discard.is_none() {
                // The record goes on after the slice. A character that does not end in it is left
                // out, and what is left must still show that the record is too long.
                let more = chunk_bytes.max(CHARACTER_MAX);
                wanted = wanted
                    .saturating_mul(4)
                    .min(self.shared.limits.max_record_bytes.saturating_add(more));
            } else {
                wanted = chunk_bytes;
            }
        }
        if chunk.len() == 0 {
            return Ok(None);
        }
        let records = (chunk.len() - chunk.further_rows) as u64;
        let Chunk { record_numbers, rejects, .. } = chunk;
        Ok(Some(ChunkInfo { record_numbers, rejects, records, resume: self.resume() }))
    }

    /// Frames the first bytes of the window; returns how many are done with.
    fn frame(
        &mut self,
        length: usize,
        last: bool,
        columns: &mut Columns,
        chunk: &mut Chunk,
    ) -> usize {
        let length = if last { length } else { whole_characters(self.window.rest(), length) };
        let bytes = self.window.bytes.slice_with_length(self.window.at, length);
        let slice = Slice {
            bytes: &bytes,
            shared: &bytes,
            buffer: Cell::new(None),
            base: self.window.offset(),
            last,
            full: length > self.shared.limits.max_record_bytes,
            broken: self.failure.is_some(),
            file_name: Cell::new(None),
            file_time: Cell::new(None),
        };
        match &mut self.framer {
            Framer::Json(framer) => framer.run(&slice, &mut self.shared, columns, chunk),
            Framer::Text(framer) => framer.run(&slice, &mut self.shared, columns, chunk),
            Framer::Delimited(framer) => framer.run(&slice, &mut self.shared, columns, chunk),
        }
    }

    /// Makes the window hold this many unread bytes, or all that are left.
    fn grow(&mut self, wanted: usize) -> Result<(), ReadError> {
        let window = &mut self.window;
        if window.ended || window.unread() >= wanted {
            return Ok(());
        }
        if self.decoder.is_drained() {
            window.ended = true;
            return Ok(());
        }
        let rest = window.rest();
        // An empty buffer is swapped for one that is decoded already.
        let is_swapped = rest.is_empty() && self.decoder.has_decoded(wanted);
        let mut next = if is_swapped { Vec::new() } else { spare::empty(wanted) };
        next.extend_from_slice(rest);
        let offset = window.offset();
        let outcome = self.decoder.fill(&mut next, wanted);
        window.ended = next.len() < wanted;
        extend_tail(&mut self.tail, &window.bytes[..window.at]);
        window.base = offset;
        window.at = 0;
        give_back(std::mem::replace(&mut window.bytes, Buffer::from_vec(next)));
        match outcome {
            Ok(()) => Ok(()),
            Err(source) if source.is_data_fault() => {
                window.ended = true;
                self.failure = Some(source);
                Ok(())
            }
            Err(source) => {
                Err(ReadError::Decode { offset: window.base + window.bytes.len() as u64, source })
            }
        }
    }

    /// Passes over bytes until what they belong to ends.
    fn pass_over(&mut self, mut discard: Discard, chunk: &mut Chunk) -> Result<(), ReadError> {
        let start = self.window.offset();
        let tail = self.tail().unwrap_or_default();
        loop {
            self.grow(self.shared.limits.chunk_bytes.max(1))?;
            let bytes = self.window.rest();
            let end = discard.until.find(bytes);
            self.window.at += end.unwrap_or(bytes.len());
            if end.is_none() && !self.window.ended {
                continue;
            }
            if let (None, true, Some(hold)) = (end, self.shared.growing, discard.hold) {
                let held_from_start = hold.offset == start;
                self.hold_at(hold);
                if held_from_start {
                    self.tail = tail;
                }
                return Ok(());
            }
            if let Some(reason) = discard.reason.take() {
                self.shared.reject(chunk, start, reason);
            }
            if let (None, Framer::Json(framer)) = (end, &mut self.framer) {
                // That the array does not end either is the same fault.
                framer.set_in_array(false);
            }
            return Ok(());
        }
    }

    /// Stops before bytes that were passed over, since more may come.
    fn hold_at(&mut self, resume: Resume) {
        self.tail.clear();
        self.window.base = resume.offset;
        self.window.at = 0;
        self.window.bytes = Buffer::from_vec(Vec::<u8>::new());
        self.shared.held_back = true;
        self.finished = true;
        if let Framer::Json(framer) = &mut self.framer {
            framer.set_in_array(resume.in_array);
        }
    }

    /// Counts what the end of the input itself tells.
    fn finish(&mut self, chunk: &mut Chunk) {
        self.finished = true;
        let offset = self.window.offset();
        if let Some(failure) = self.failure.take() {
            return self.shared.reject(chunk, offset, failure.to_string());
        }
        if self.shared.held_back || self.shared.waiting {
            return;
        }
        if let Framer::Json(framer) = &mut self.framer
            && framer.is_in_array()
            && !self.shared.growing
        {
            framer.set_in_array(false);
            self.shared.reject(
                chunk,
                offset,
                "the document ends inside its array of records".to_owned(),
            );
        }
    }
}

/// Keeps the memory of a buffer to which nothing points any more.
fn give_back(bytes: Buffer) {
    if let Ok(bytes) = bytes.into_vec() {
        spare::give(bytes);
    }
}

impl Drop for RecordReader {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.window.bytes));
    }
}

fn extend_tail(tail: &mut Vec<u8>, bytes: &[u8]) {
    let kept = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
    let excess = (tail.len() + kept.len()).saturating_sub(TAIL_BYTES);
    tail.drain(..excess.min(tail.len()));
    tail.extend_from_slice(kept);
}

impl std::fmt::Debug for RecordReader {
    /// Tells no content: it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordReader")
            .field("source", &self.shared.source.name)
            .field("resume", &self.resume())
            .finish_non_exhaustive()
    }
}

impl Window {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn unread(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn offset(&self) -> u64 {
        self.base + self.at as u64
    }
}

impl Until {
    /// How many of these bytes still belong to what is passed over; none if all do.
    fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Line => memchr::memchr(b'\n', bytes).map(|it| it + 1),
            Self::Value(skipper) => skipper.skip(bytes),
            Self::ValueLine { at_start } => {
                if *at_start && matches!(bytes.first(), Some(b'{' | b'[')) {
                    return Some(0);
                }
                if let Some(last) = bytes.last() {
                    *at_start = *last == b'\n';
                }
                crate::frame::next_value_line(bytes, 0)
            }
        }
    }
}

impl Shared {
    /// Counts a record that could not be read.
    fn reject(&mut self, chunk: &mut Chunk, offset: u64, reason: String) {
        self.records += 1;
        chunk.rejects.push(Reject { record_number: self.records, offset, reason });
    }

    /// Ends a row, with what every record has.
    fn accept(&mut self, chunk: &mut Chunk, columns: &mut Columns, slice: &Slice<'_>) {
        self.records += 1;
        if let Some(column) = self.pseudo.record_number {
            columns.set_text(column, &self.records.to_string());
        }
        let FileContext { name, time_text } = &self.context;
        let mut constant = |column: Option<usize>, cell, text: Option<&str>| {
            if let (Some(column), Some(text)) = (column, text) {
                let buffer = shared_once(cell, columns, || Buffer::from(text.as_bytes()));
                columns.set_span(column, buffer, 0, text.len());
            }
        };
        constant(self.pseudo.file_name, &slice.file_name, Some(name));
        constant(self.pseudo.file_time, &slice.file_time, time_text.as_deref());
        let rows = stages::end_rows(self, columns);
        chunk.record_numbers.extend(std::iter::repeat_n(self.records, rows));
        chunk.further_rows += rows - 1;
    }

    /// Whether a chunk has all the records that it may have.
    fn is_enough(&self, chunk: &Chunk) -> bool {
        chunk.len() >= self.limits.chunk_records.max(1)
    }

    fn too_long(&self) -> String {
        format!("longer than {} bytes", self.limits.max_record_bytes)
    }
}

/// As many of the first `length` bytes as do not cut a character in two.
fn whole_characters(bytes: &[u8], length: usize) -> usize {
    let mut end = length;
    // At most three bytes continue a character; a longer run is not UTF-8 anyway.
    for _ in 0..3 {
        if end > 1 && bytes.get(end).is_some_and(|it| it & 0xc0 == 0x80) {
            end -= 1;
        }
    }
    end
}

#[cfg(test)]
mod tests;
