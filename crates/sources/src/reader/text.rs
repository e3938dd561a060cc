//! Records of text: one per line.

use std::sync::Arc;

use super::stages::{self, span};
use super::{Chunk, Discard, Shared, Slice, Until};
use crate::columns::Columns;
use crate::frame::next_line;
use crate::layout::CaptureLayout;
use crate::pattern::Pattern;
use crate::source::{Format, Source};

/// Why a line without the shape of its log is rejected.
const NO_MATCH: &str = "the line does not match the pattern of its format";

pub(super) struct TextFramer {
    captures: CaptureLayout,
    source: Arc<Source>,
    /// Index of the format in the source.
    format: usize,
}

/// What became of a line.
enum Matched {
    No,
    /// The pattern of the format matched, and a pattern of a stage if there are any.
    Yes {
        in_full: bool,
    },
}

impl TextFramer {
    pub(super) fn new(captures: CaptureLayout, source: Arc<Source>, format: usize) -> Self {
        Self { captures, source, format }
    }

    /// Frames lines; returns how many bytes are done with.
    pub(super) fn run(
        &mut self,
        slice: &Slice<'_>,
        shared: &mut Shared,
        columns: &mut Columns,
        chunk: &mut Chunk,
    ) -> usize {
        let bytes = slice.bytes;
        let mut at = 0;
        while at < bytes.len() && !shared.is_enough(chunk) {
            // A file cut by copy-and-truncate begins with zeros.
            let line = at + bytes[at..].iter().position(|it| *it != 0).unwrap_or(bytes.len() - at);
            let Some(next) = next_line(bytes, line) else {
                return if slice.last {
                    self.last_line(line, slice, shared, columns, chunk)
                } else {
                    cut_line(line, slice, shared)
                };
            };
            self.line(line, next - 1, slice, shared, columns, chunk);
            at = next;
        }
        at
    }

    /// Reads a line that ended, without its line feed.
    fn line(
        &mut self,
        start: usize,
        end: usize,
        slice: &Slice<'_>,
        shared: &mut Shared,
        columns: &mut Columns,
        chunk: &mut Chunk,
    ) {
        let end = trim_end(slice.bytes, start, end);
        if slice.bytes[start..end].trim_ascii().is_empty() {
            return;
        }
        let offset = slice.base + start as u64;
        if end - start > shared.limits.max_record_bytes {
            let reason = shared.too_long();
            return shared.reject(chunk, offset, reason);
        }
        match self.matches(start, end, slice, shared, columns) {
            Matched::Yes { .. } => shared.accept(chunk, columns, slice),
            Matched::No => {
                columns.abandon_row();
                shared.reject(chunk, offset, NO_MATCH.to_owned());
            }
        }
    }

    /// Reads what stands after the last line feed of the input.
    fn last_line(
        &mut self,
        start: usize,
        slice: &Slice<'_>,
        shared: &mut Shared,
        columns: &mut Columns,
        chunk: &mut Chunk,
    ) -> usize {
        let end = trim_end(slice.bytes, start, slice.bytes.len());
        if slice.broken {
            // Part of what the damage took, which is counted as one reject, and the place to
            // read on from should the rest turn up.
            shared.waiting = true;
            return start;
        }
        if shared.growing && !slice.bytes[start..end].trim_ascii().is_empty() {
            let matched = self.matches(start, end, slice, shared, columns);
            columns.abandon_row();
            // Half a line may look like a whole one, and name half a key.
            let looks_whole = matches!(matched, Matched::Yes { in_full: true });
            if !(looks_whole && shared.resting) {
                shared.held_back = true;
                shared.complete_if_resting = looks_whole;
                return start;
            }
        }
        self.line(start, slice.bytes.len(), slice, shared, columns, chunk);
        slice.bytes.len()
    }

    /// Fills the current row from a line.
    fn matches(
        &mut self,
        start: usize,
        end: usize,
        slice: &Slice<'_>,
        shared: &mut Shared,
        columns: &mut Columns,
    ) -> Matched {
        let Self { captures, source, format } = self;
        let Some(Format::Text { pattern }) = source.formats.get(*format) else {
            return Matched::No;
        };
        let buffer = slice.buffer(columns);
        let line = &slice.bytes[start..end];
        let matched = match std::str::from_utf8(line) {
            Ok(text) => read_captures(&pattern.0, captures, text, |column, from, to| {
                columns.set_span(column, buffer, start + from, start + to);
            }),
            Err(_) => {
                let text = String::from_utf8_lossy(line);
                read_captures(&pattern.0, captures, &text, |column, from, to| {
                    columns.set_text(column, &text[from..to]);
                })
            }
        };
        if !matched {
            return Matched::No;
        }
        if let Some(column) = shared.pseudo.line {
            columns.set_span(column, buffer, start, end);
        }
        let in_full = stages::apply(shared, columns) || shared.stages.is_empty();
        Matched::Yes { in_full }
    }
}

/// Hands over the captures of a line, if the pattern matches it.
fn read_captures(
    pattern: &Pattern,
    captures: &mut CaptureLayout,
    line: &str,
    mut set: impl FnMut(usize, usize, usize),
) -> bool {
    let CaptureLayout { locations, assignments } = captures;
    if !pattern.may_match(line) || pattern.regex().captures_read(locations, line).is_none() {
        return false;
    }
    for assignment in assignments.iter() {
        if let Some((from, to)) = span(assignment, locations) {
            set(assignment.column, from, to);
        }
    }
    true
}

/// The line goes on after the slice.
fn cut_line(start: usize, slice: &Slice<'_>, shared: &mut Shared) -> usize {
    if start == 0 && slice.full {
        shared.discard =
            Some(Discard { until: Until::Line, reason: Some(shared.too_long()), hold: None });
    }
    start
}

/// End of a line without a carriage return and zeros.
fn trim_end(bytes: &[u8], start: usize, mut end: usize) -> usize {
    while end > start && matches!(bytes[end - 1], b'\r' | 0) {
        end -= 1;
    }
    end
}
