//! Records of text: one per line, or a line and those that continue it.

use std::sync::Arc;

use super::stages::{self, span};
use super::{Chunk, Discard, Shared, Slice, Until};
use crate::columns::Columns;
use crate::frame::next_line;
use crate::layout::CaptureLayout;
use crate::pattern::Pattern;
use crate::source::{Continuation, Format, Source};

/// Why a line without the shape of its log is rejected.
const NO_MATCH: &str = "the line does not match the pattern of its format";

pub(super) struct TextFramer {
    captures: CaptureLayout,
    source: Arc<Source>,
    /// Index of the format in the source.
    format: usize,
    /// What comes next may continue a record that was too long, and is part of its reject.
    passing: bool,
}

/// Where the record that begins with some line ends.
enum Extent {
    /// Here: another one begins, or the bytes can tell no more.
    Ended(usize),
    /// With the input, unless that grows.
    AtEnd(usize),
    /// After the slice, which has so much of it in whole lines.
    Cut(usize),
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
        Self { captures, source, format, passing: false }
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
                    self.cut_line(line, slice, shared)
                };
            };
            if self.is_passed(&bytes[line..next]) || is_blank(&bytes[line..next]) {
                at = next;
                continue;
            }
            at = match self.extent(line, next, slice, shared) {
                Extent::AtEnd(_) if shared.growing && !shared.resting => {
                    shared.held_back = true;
                    shared.complete_if_resting = true;
                    return line;
                }
                Extent::Cut(end) if line == 0 && slice.full => {
                    self.passing = true;
                    let reason = shared.too_long();
                    shared.reject(chunk, slice.base, reason);
                    end
                }
                Extent::Cut(_) => return line,
                Extent::Ended(end) | Extent::AtEnd(end) => {
                    let text = bytes[line..end].strip_suffix(b"\n").map_or(end, |_| end - 1);
                    self.line(line, text, slice, shared, columns, chunk);
                    end
                }
            };
        }
        at
    }

    /// How lines continue others, if they do.
    fn continuation(&self) -> Option<&Continuation> {
        match self.source.formats.get(self.format)? {
            Format::Text { continuation, .. } => continuation.as_deref(),
            _ => None,
        }
    }

    /// Whether a line belongs to the record before it, which was too long.
    fn is_passed(&mut self, line: &[u8]) -> bool {
        self.passing = self.passing && self.continuation().is_some_and(|it| it.continues(line));
        self.passing
    }

    /// Where the record ends whose first line goes from `start` to `next`.
    fn extent(&self, start: usize, next: usize, slice: &Slice<'_>, shared: &Shared) -> Extent {
        let Some(continuation) = self.continuation() else { return Extent::Ended(next) };
        let bytes = slice.bytes;
        let is_whole = |end: usize| end == next && continuation.is_whole(&bytes[start..next]);
        let mut end = next;
        let extent = loop {
            match next_line(bytes, end) {
                Some(after) if !continuation.continues(&bytes[end..after]) => {
                    return Extent::Ended(end);
                }
                Some(_) if is_whole(end) => return Extent::Ended(next),
                Some(after) => end = after,
                None if !slice.last => break Extent::Cut(end),
                // The rest is lost, or is the beginning of a line that may become anything.
                None if slice.broken => return Extent::Ended(end),
                None if end == bytes.len() || (shared.growing && !shared.resting) => {
                    break Extent::AtEnd(end);
                }
                None if continuation.continues(&bytes[end..]) => break Extent::AtEnd(bytes.len()),
                None => return Extent::Ended(end),
            }
        };
        if is_whole(end) { Extent::Ended(next) } else { extent }
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
        if is_blank(&slice.bytes[start..end]) {
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
        if shared.growing && !is_blank(&slice.bytes[start..end]) {
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

    /// The line goes on after the slice.
    fn cut_line(&mut self, start: usize, slice: &Slice<'_>, shared: &mut Shared) -> usize {
        if start == 0 && slice.full {
            let reason = (!self.passing).then(|| shared.too_long());
            shared.discard = Some(Discard { until: Until::Line, reason, hold: None });
            self.passing = self.continuation().is_some();
        }
        start
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
        let Self { captures, source, format, .. } = self;
        let Some(Format::Text { pattern, .. }) = source.formats.get(*format) else {
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

/// Whether a line, with or without its end, says nothing.
fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|it| it.is_ascii_whitespace() || *it == 0)
}

/// End of a line without a carriage return and zeros.
fn trim_end(bytes: &[u8], start: usize, mut end: usize) -> usize {
    while end > start && matches!(bytes[end - 1], b'\r' | 0) {
        end -= 1;
    }
    end
}
