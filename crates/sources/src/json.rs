//! Wanted fields of JSON records, read straight from their bytes.
//!
//! No document is built. A record is walked once, from left to right: names are looked
//! up among the few that are wanted, values that are not wanted are skipped 64 bytes
//! at a time, and what is wanted is remembered as a span, then given to the columns.
//!
//! A string gives its text, any other value its JSON text, null and missing nothing.
//! Where a name stands twice in one object, the last one wins. What is walked must be
//! well-formed; a part that is skipped must only be balanced.

mod plan;
mod repeats;
mod scan;
mod select;
mod text;
mod walk;

#[cfg(test)]
mod tests;

use crate::columns::{BufferId, Columns};
use crate::path::FieldPath;
use plan::Plan;
use walk::{Found, Slot};

pub(crate) use text::is_number;

/// Objects and arrays within one another, the record included, that are still read.
const DEPTH_MAX: usize = 1_000;

/// A field to read, and the column that takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedField {
    /// Index of the column in `Columns`.
    pub column: usize,
    /// Where the field is in the record.
    pub path: FieldPath,
    /// Of several fields for one column, the lowest rank that is present and not null wins;
    /// one that is empty, `-` or a mask (`****`, `[FILTERED]`) only where no other is there.
    pub rank: u8,
}

/// Why a JSON value could not be read. Never holds any of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The bytes end before the value does.
    #[error("the JSON value is not complete")]
    Incomplete,
    /// Not JSON.
    #[error("not JSON: {what} at byte {at}")]
    Invalid {
        /// Offset in the bytes given.
        at: usize,
        /// What was expected or is wrong.
        what: &'static str,
    },
    /// Nested deeper than is read.
    #[error("JSON nested too deep at byte {at}")]
    TooDeep {
        /// Offset in the bytes given.
        at: usize,
    },
    /// A record must be an object.
    #[error("not a JSON object at byte {at}")]
    NotAnObject {
        /// Offset in the bytes given.
        at: usize,
    },
}

/// Reads the wanted fields of records; made once per source and thread.
pub struct JsonExtractor {
    plan: Plan,
    found: Found,
    /// The buffer of the record that was read last.
    buffer: Option<BufferId>,
    /// Takes the text of a string with escapes.
    text: String,
}

impl JsonExtractor {
    /// Prepares to read these fields. With `fold_case`, names that differ only in the
    /// case of ASCII letters are the same. What one of the members `repeats` of the record gives
    /// goes to a group of columns: their values cannot be asked for while the row is filled.
    pub fn new(wanted: Vec<WantedField>, fold_case: bool, repeats: &[String]) -> Self {
        let plan = Plan::new(&wanted, fold_case, repeats);
        let found = Found::new(&plan);
        Self { plan, found, buffer: None, text: String::new() }
    }

    /// Reads the record at `start` (white space before it is skipped), sets the wanted
    /// fields of the current row of `columns`, and returns the index just past it.
    /// `bytes` must be what `buffer` holds, from its start on.
    ///
    /// Fields that the record lacks are left as they are; on an error, none is set but
    /// those of strings before one with a malformed escape: abandon the row.
    pub fn extract(
        &mut self,
        bytes: &[u8],
        buffer: BufferId,
        start: usize,
        columns: &mut Columns,
    ) -> Result<usize, JsonError> {
        let Self { plan, found, text, .. } = self;
        if self.buffer.replace(buffer) != Some(buffer) {
            found.repeats.iter_mut().for_each(repeats::Repeats::forget);
            if columns.group_count() < plan.groups.len() {
                columns.set_groups(plan.groups.iter().map(|it| plan.columns_of(it)));
            }
        }
        let end = walk::walk(plan, found, bytes, start)?;
        let mut give = |column: usize, slot: Slot, columns: &mut Columns| {
            match slot {
                Slot::Unset => {}
                Slot::Span { start, end } => columns.set_span(column, buffer, start, end),
                Slot::Escaped { start, end } => {
                    text.clear();
                    text::unescape(&bytes[start..end], start, text)?;
                    columns.set_text(column, text);
                }
                Slot::Made { start, end } => columns.set_text(column, &found.made[start..end]),
            }
            Ok::<(), JsonError>(())
        };
        for slot in &found.set {
            for place in &plan.fed[*slot as usize] {
                let (column, slots) = &plan.columns[*place as usize];
                give(*column, found.chosen(slots, bytes), columns)?;
            }
        }
        for (at, group) in plan.groups.iter().enumerate() {
            if found.repeats[at].fresh.is_some() {
                for place in &group.columns {
                    let (column, slots) = &plan.columns[*place as usize];
                    give(*column, found.chosen(slots, bytes), columns)?;
                }
            }
        }
        for (at, group) in plan.groups.iter().enumerate() {
            let Found { repeats, slots, .. } = &mut *found;
            let repeats = &mut repeats[at];
            if let Some(fresh) = repeats.fresh.take() {
                repeats.remember(fresh, columns.end_group_row(at), slots, &group.mixed);
            }
            columns.set_group_row(at, repeats.row);
        }
        Ok(end)
    }
}

impl std::fmt::Debug for JsonExtractor {
    /// Leaves out what was read last: it may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonExtractor").finish_non_exhaustive()
    }
}

/// What a found value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string; its span leaves out the quotes.
    Text {
        /// It has escapes: what is meant is told by `unescape_into`.
        escaped: bool,
    },
    /// A number, `true` or `false`.
    Scalar,
    /// `null`.
    Null,
}

/// A value and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundValue {
    /// Offset of its first byte (for a string: after the quote).
    pub start: usize,
    /// Offset past its last byte (for a string: of the closing quote).
    pub end: usize,
    /// What it is.
    pub kind: ValueKind,
}

/// Finds the first value that a path names in the JSON value at `start`, which must be
/// complete. Meant for single look-ups: `JsonExtractor` is much faster for many.
pub fn find(
    bytes: &[u8],
    start: usize,
    path: &FieldPath,
    fold_case: bool,
) -> Result<Option<FoundValue>, JsonError> {
    select::select_first(bytes, start, path.steps(), fold_case)
}

/// As `find` for the value that begins at `start`, and the index just past that value.
pub(crate) fn find_in(
    bytes: &[u8],
    start: usize,
    path: &FieldPath,
    fold_case: bool,
) -> Result<(Option<FoundValue>, usize), JsonError> {
    select::select_first_in(bytes, start, path.steps(), fold_case)
}

/// Appends what the inside of a JSON string means: escapes resolved, lone surrogates
/// and invalid UTF-8 replaced by U+FFFD. Places in errors count from its first byte.
pub fn unescape_into(inside: &[u8], out: &mut String) -> Result<(), JsonError> {
    text::unescape(inside, 0, out)
}

/// Index just past the JSON value at `start` (white space before it is skipped).
///
/// Objects and arrays are skipped by counting brackets outside strings. A number,
/// `true`, `false` or `null` that the bytes end with is `Incomplete`: it might go on.
pub fn skip_value(bytes: &[u8], start: usize) -> Result<usize, JsonError> {
    Ok(select::read_value(bytes, walk::skip_space(bytes, start))?.1)
}
