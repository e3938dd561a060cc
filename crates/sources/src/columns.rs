//! Rows of named fields as Arrow text columns that point into the bytes that were read.
//!
//! A value that stands in the input as it is meant is never copied: its view points
//! into the shared buffer. Only what had to be changed (escapes, invalid UTF-8, text
//! made up by the caller) goes to a side buffer.
//!
//! Every view in a finished column is valid UTF-8, whatever the input was: a buffer
//! is checked once as a whole, and where that fails each value is checked for itself.
//!
//! Only what is set costs anything: a row is the list of its fields that have a value. And
//! what stands in a part of a record that comes again and again (who signed a request, say)
//! is kept once, as a row of a group of columns; the records then name that row.

use std::sync::Arc;

use arrow_array::StringViewArray;
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

use crate::extracted::{Extracted, Field, GroupRows};

/// Marks a field without a value. No real view looks like it: its length would be 4 GiB.
const UNSET: u128 = u128::MAX;

/// Texts of up to this many bytes stand in the view itself.
const INLINE_MAX: usize = 12;

/// A side buffer is closed when it has this many bytes, so that offsets fit in 32 bits.
const SIDE_MAX: usize = 256 << 20;

/// Bytes that one value may have at most, as Arrow counts them; longer ones are cut.
const TEXT_MAX: usize = i32::MAX as usize;

/// A buffer that was added since the columns were last finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferId {
    index: u32,
    batch: u32,
}

/// Text columns under construction, row by row.
pub struct Columns {
    names: Vec<String>,
    /// Views of the row that is being filled, by column.
    row: Vec<u128>,
    /// The columns that were set in it; some perhaps more than once.
    touched: Vec<u32>,
    /// Views of the rows that are done, by column; those after the last one set are left out.
    done: Vec<Vec<u128>>,
    rows: usize,
    groups: Vec<Group>,
    buffers: Vec<Shared>,
    /// Place in `buffers` that is kept for the side buffer in use.
    side_index: Option<u32>,
    side: Vec<u8>,
    bytes: usize,
    batch: u32,
}

/// Columns whose values come together.
struct Group {
    columns: Vec<usize>,
    /// How many rows its columns have; the first of them has no values.
    rows: usize,
    /// The row that the record at hand has.
    current: u32,
    /// The row of each record that is done.
    done: Vec<u32>,
}

/// A buffer that views may point into.
struct Shared {
    bytes: Buffer,
    /// The whole of it is UTF-8.
    valid: bool,
}

impl Columns {
    /// Empty columns of these names.
    pub fn new(names: Vec<String>) -> Self {
        Self {
            row: vec![UNSET; names.len()],
            touched: Vec::new(),
            done: vec![Vec::new(); names.len()],
            names,
            rows: 0,
            groups: Vec::new(),
            buffers: Vec::new(),
            side_index: None,
            side: Vec::new(),
            bytes: 0,
            batch: 0,
        }
    }

    /// The names, in column order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Makes groups of columns, of which none may be in two. Their values are set as those of
    /// others, but belong to the row of the group that `end_group_row` ends.
    pub(crate) fn set_groups(&mut self, groups: impl Iterator<Item = Vec<usize>>) {
        let group = |columns| Group { columns, rows: 1, current: 0, done: Vec::new() };
        self.groups = groups.map(group).collect();
    }

    /// How many groups there are.
    pub(crate) fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Ends a row of a group: takes the values of its columns, and returns its number.
    pub(crate) fn end_group_row(&mut self, group: usize) -> u32 {
        let group = &mut self.groups[group];
        for column in &group.columns {
            let view = std::mem::replace(&mut self.row[*column], UNSET);
            put(&mut self.done[*column], group.rows, view);
        }
        group.rows += 1;
        (group.rows - 1) as u32
    }

    /// Gives the record at hand a row of a group that was ended since the last `finish`; row 0
    /// has no values.
    pub(crate) fn set_group_row(&mut self, group: usize, row: u32) {
        self.groups[group].current = row;
    }

    /// Shares a buffer with the rows to come. It need not be valid UTF-8, but is
    /// fastest when it is.
    ///
    /// The identifier is good until `finish`.
    pub fn add_buffer(&mut self, bytes: Buffer) -> BufferId {
        let valid = simdutf8::basic::from_utf8(&bytes).is_ok();
        self.bytes += bytes.len();
        let index = self.push_buffer(Shared { bytes, valid });
        BufferId { index, batch: self.batch }
    }

    /// Sets a field of the current row to a part of a buffer, without a copy where
    /// that part is valid UTF-8. A field that was set already is overwritten.
    ///
    /// # Panics
    /// If the buffer is from before the last `finish`, or the span is not within it.
    #[inline]
    pub fn set_span(&mut self, column: usize, buffer: BufferId, start: usize, end: usize) {
        assert_eq!(buffer.batch, self.batch, "the buffer belongs to columns already finished");
        let shared = &self.buffers[buffer.index as usize];
        let text = &shared.bytes[start..end];
        let valid = if shared.valid {
            // Part of valid UTF-8 is valid when it does not cut a character.
            is_boundary(&shared.bytes, start) && is_boundary(&shared.bytes, end)
        } else {
            simdutf8::basic::from_utf8(text).is_ok()
        };
        match u32::try_from(start) {
            Ok(offset) if valid && text.len() <= TEXT_MAX => {
                let view = view(&shared.bytes, start, text.len(), buffer.index, offset);
                self.put(column, view);
            }
            _ => self.set_lossy(column, buffer, start, end),
        }
    }

    #[cold]
    fn set_lossy(&mut self, column: usize, buffer: BufferId, start: usize, end: usize) {
        let text = &self.buffers[buffer.index as usize].bytes[start..end];
        let text = String::from_utf8_lossy(text).into_owned();
        self.set_text(column, &text);
    }

    /// Sets a field of the current row to a copy of this text.
    pub fn set_text(&mut self, column: usize, text: &str) {
        let text = cut(text);
        if text.len() <= INLINE_MAX {
            return self.put(column, view(text.as_bytes(), 0, text.len(), 0, 0));
        }
        if self.side.len() + text.len() > SIDE_MAX.max(text.len()) {
            self.close_side();
        }
        let index = match self.side_index {
            Some(index) => index,
            None => {
                // The place is taken now, so that views can name it; the bytes come later.
                let index =
                    self.push_buffer(Shared { bytes: Buffer::from(Vec::<u8>::new()), valid: true });
                self.side_index = Some(index);
                index
            }
        };
        let start = self.side.len();
        self.side.extend_from_slice(text.as_bytes());
        self.bytes += text.len();
        // A side buffer has at most TEXT_MAX bytes, so its offsets fit.
        let view = view(&self.side, start, text.len(), index, start as u32);
        self.put(column, view);
    }

    #[inline(always)]
    fn put(&mut self, column: usize, view: u128) {
        self.row[column] = view;
        self.touched.push(column as u32);
    }

    /// Makes a field of the current row null again.
    pub fn unset(&mut self, column: usize) {
        self.row[column] = UNSET;
    }

    /// Whether the field has a value in the current row.
    pub fn is_set(&self, column: usize) -> bool {
        self.row[column] != UNSET
    }

    /// Ends the current row; fields that were not set become null.
    pub fn end_row(&mut self) {
        for column in self.touched.drain(..) {
            let column = column as usize;
            // One that was set twice is unset the second time.
            let view = std::mem::replace(&mut self.row[column], UNSET);
            put(&mut self.done[column], self.rows, view);
        }
        for group in &mut self.groups {
            group.done.push(std::mem::take(&mut group.current));
        }
        self.rows += 1;
    }

    /// Copies the current row, for `restore_row` before the next `finish`. Columns of groups
    /// are left out.
    pub(crate) fn save_row(&self, row: &mut Vec<u128>) {
        row.clone_from(&self.row);
    }

    /// Makes the current row what it was at `save_row`.
    pub(crate) fn restore_row(&mut self, row: &[u128]) {
        self.row.copy_from_slice(row);
        let set = row.iter().enumerate().filter(|it| *it.1 != UNSET);
        self.touched.extend(set.map(|it| it.0 as u32));
    }

    /// Forgets the fields of the current row.
    pub fn abandon_row(&mut self) {
        for column in self.touched.drain(..) {
            self.row[column as usize] = UNSET;
        }
        self.groups.iter_mut().for_each(|it| it.current = 0);
    }

    /// Rows that were ended since the last `finish`.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether no row was ended since the last `finish`.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes of the buffers that the rows share, the copied texts included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The text of a field of the current row, if it has one.
    pub fn text(&self, column: usize) -> Option<&str> {
        let view = &self.row[column];
        if *view == UNSET {
            return None;
        }
        let (len, index, start) = parts(*view);
        let bytes = if len <= INLINE_MAX {
            // SAFETY: the view was made by `view` with this length, which is short.
            unsafe { StringViewArray::inline_value(view, len) }
        } else {
            &self.buffer(index)[start..start + len]
        };
        // Always valid; the check is cheap and needs no `unsafe`.
        simdutf8::basic::from_utf8(bytes).ok()
    }

    /// Sets a field of the current row to a part of another field's text (bytes
    /// counted as in what `text` gives), without a copy. Nothing is set if that field
    /// has no value.
    ///
    /// # Panics
    /// If the part is not within that text or cuts a character.
    pub fn set_part(&mut self, column: usize, of: usize, part: std::ops::Range<usize>) {
        let view_of = self.row[of];
        let Some(text) = self.text(of) else { return };
        let bytes = text[part.clone()].as_bytes();
        let (len, index, start) = parts(view_of);
        let view = if len <= INLINE_MAX {
            view(bytes, 0, bytes.len(), 0, 0)
        } else {
            let start = start + part.start;
            match u32::try_from(start) {
                Ok(offset) => view(self.buffer(index), start, bytes.len(), index as u32, offset),
                Err(_) => {
                    let text = text[part].to_owned();
                    return self.set_text(column, &text);
                }
            }
        };
        self.put(column, view);
    }

    /// The columns of all rows that were ended, in the order of the names; then
    /// starts anew, without rows and buffers.
    pub fn finish(&mut self) -> Extracted {
        self.abandon_row();
        self.close_side();
        let buffers: Arc<[Buffer]> = self.buffers.drain(..).map(|it| it.bytes).collect();
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        self.batch = self.batch.wrapping_add(1);
        let mut fields: Vec<Field> = vec![Field { texts: None, group: None }; self.done.len()];
        let mut groups = Vec::with_capacity(self.groups.len());
        for (at, group) in self.groups.iter_mut().enumerate() {
            group.columns.iter().for_each(|it| fields[*it].group = Some(at));
            let places = std::mem::replace(&mut group.done, Vec::with_capacity(rows));
            groups.push(GroupRows { places, rows: std::mem::replace(&mut group.rows, 1) });
        }
        for (field, views) in fields.iter_mut().zip(&mut self.done) {
            if !views.is_empty() {
                let wanted = field.group.map_or(rows, |it| groups[it].rows);
                let mut views = std::mem::replace(views, Vec::with_capacity(wanted));
                views.resize(wanted, UNSET);
                field.texts = Some(finish_column(views, Arc::clone(&buffers)));
            }
        }
        Extracted { fields, groups, rows }
    }

    fn buffer(&self, index: usize) -> &[u8] {
        if self.side_index == Some(index as u32) { &self.side } else { &self.buffers[index].bytes }
    }

    fn push_buffer(&mut self, shared: Shared) -> u32 {
        let index = self.buffers.len();
        self.buffers.push(shared);
        // Each buffer takes tens of bytes here: memory ends long before 32 bits do.
        index as u32
    }

    fn close_side(&mut self) {
        if let Some(index) = self.side_index.take() {
            self.buffers[index as usize].bytes = Buffer::from(std::mem::take(&mut self.side));
        }
    }
}

impl std::fmt::Debug for Columns {
    /// Tells sizes only: the fields may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns")
            .field("names", &self.names)
            .field("rows", &self.rows)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Makes `view` the one of row `row`, if it is one.
#[inline(always)]
fn put(views: &mut Vec<u128>, row: usize, view: u128) {
    if view != UNSET {
        // Most columns have a value in every row, or in none.
        if views.len() < row {
            views.resize(row, UNSET);
        }
        views.push(view);
    }
}

fn finish_column(mut views: Vec<u128>, buffers: Arc<[Buffer]>) -> StringViewArray {
    let nulls = views.contains(&UNSET).then(|| {
        let valid = BooleanBuffer::collect_bool(views.len(), |row| views[row] != UNSET);
        for view in &mut views {
            if *view == UNSET {
                *view = 0;
            }
        }
        NullBuffer::new(valid)
    });
    // SAFETY: every view was made by `view` from text that was checked to be UTF-8
    // and lies in the buffer of that index, whose bytes never change; inline views
    // are padded with zeros; nulls are the empty view.
    unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), buffers, nulls) }
}

/// The Arrow view of `len` bytes from `start`: the length, then the text itself if it
/// is short, else its first four bytes, the index of its buffer and its offset there.
#[inline]
fn view(whole: &[u8], start: usize, len: usize, buffer: u32, offset: u32) -> u128 {
    if len > INLINE_MAX {
        let prefix = u32::from_le_bytes([
            whole[start],
            whole[start + 1],
            whole[start + 2],
            whole[start + 3],
        ]);
        return len as u128
            | (u128::from(prefix) << 32)
            | (u128::from(buffer) << 64)
            | (u128::from(offset) << 96);
    }
    let text = match whole.get(start..start + 16).and_then(|it| <[u8; 16]>::try_from(it).ok()) {
        // Reading too much and masking it off is quicker than copying a few bytes.
        Some(sixteen) => u128::from_le_bytes(sixteen) & ((1u128 << (len * 8)) - 1),
        None => {
            let mut padded = [0; 16];
            padded[..len].copy_from_slice(&whole[start..start + len]);
            u128::from_le_bytes(padded)
        }
    };
    len as u128 | (text << 32)
}

/// Length, index of the buffer and offset there (both without meaning if it is short).
fn parts(view: u128) -> (usize, usize, usize) {
    (view as u32 as usize, (view >> 64) as u32 as usize, (view >> 96) as usize)
}

/// Whether a character of valid UTF-8 starts (or the text ends) there.
#[inline]
fn is_boundary(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| byte & 0xC0 != 0x80)
}

/// As much of the text as an Arrow view can hold.
fn cut(text: &str) -> &str {
    if text.len() <= TEXT_MAX { text } else { &text[..text.floor_char_boundary(TEXT_MAX)] }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;

    use super::*;

    const LONG: &str = "a text that is too long to stand in a view";

    fn columns(count: usize) -> Columns {
        Columns::new((0..count).map(|it| format!("column{it}")).collect())
    }

    /// Finishes, and has Arrow check everything that `finish` takes for granted.
    fn finish(columns: &mut Columns) -> Vec<Vec<Option<String>>> {
        let arrays = columns.finish().arrays();
        for array in &arrays {
            array.to_data().validate_full().unwrap();
        }
        let texts = |it: &StringViewArray| it.iter().map(|it| it.map(str::to_owned)).collect();
        arrays.iter().map(texts).collect()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn spans_and_texts_of_any_length_come_out_as_they_went_in() {
        let all: String = (0..100).map(|it| char::from(b'a' + it % 26)).collect();
        let mut columns = columns(2);
        let buffer = columns.add_buffer(Buffer::from(all.as_bytes()));
        for start in [0, 1, 50, 80, 90, 99, 100] {
            for end in start..=100 {
                columns.set_span(0, buffer, start, end);
                columns.set_text(1, &all[start..end]);
                assert_eq!(columns.text(0), Some(&all[start..end]));
                assert_eq!(columns.text(1), Some(&all[start..end]));
                columns.end_row();
            }
        }
        let rows = columns.len();
        let done = finish(&mut columns);
        assert_eq!((done[0].len(), &done[0]), (rows, &done[1]));
        assert_eq!(done[0][100], some(&all));
    }

    #[test]
    fn fields_that_are_not_set_are_null() {
        let mut columns = columns(3);
        columns.set_text(0, LONG);
        columns.set_text(1, "");
        assert!(columns.is_set(0) && columns.is_set(1) && !columns.is_set(2));
        columns.end_row();
        columns.set_text(0, "x");
        columns.unset(0);
        assert_eq!(columns.text(0), None);
        columns.end_row();
        let done = finish(&mut columns);
        assert_eq!(done, [[some(LONG), None], [some(""), None], [None, None]]);
    }

    #[test]
    fn an_abandoned_row_leaves_nothing() {
        let mut columns = columns(1);
        columns.set_text(0, LONG);
        columns.abandon_row();
        assert!(!columns.is_set(0));
        columns.end_row();
        assert_eq!(finish(&mut columns), [[None]]);
    }

    #[test]
    fn many_buffers_may_share_a_batch_and_the_next_batch_starts_empty() {
        let mut columns = columns(1);
        for number in 0..3 {
            let text = format!("{LONG} {number}");
            let buffer = columns.add_buffer(Buffer::from(text.as_bytes()));
            columns.set_span(0, buffer, 0, text.len());
            columns.end_row();
            columns.set_text(0, &format!("{text}, copied"));
            columns.end_row();
        }
        assert!(columns.bytes() > 6 * LONG.len());
        let done = finish(&mut columns).remove(0);
        assert_eq!(done[4..], [some(&format!("{LONG} 2")), some(&format!("{LONG} 2, copied"))]);
        assert_eq!((columns.len(), columns.bytes(), columns.is_empty()), (0, 0, true));
        columns.set_text(0, LONG);
        columns.end_row();
        assert_eq!(finish(&mut columns), [[some(LONG)]]);
    }

    #[test]
    fn no_view_is_ever_invalid_utf8() {
        let mut columns = columns(1);
        // Valid as a whole, but cut within a character.
        let good = columns.add_buffer(Buffer::from("é and a long enough text é".as_bytes()));
        let mut bad = b"a long enough text and then \xFF, then more of the text".to_vec();
        bad.extend_from_slice("é".as_bytes());
        let bad_buffer = columns.add_buffer(Buffer::from(bad.as_slice()));
        for (buffer, len) in [(good, 28), (bad_buffer, bad.len())] {
            for start in 0..len {
                for end in start..=len {
                    columns.set_span(0, buffer, start, end);
                    columns.end_row();
                }
            }
        }
        let done = finish(&mut columns).remove(0);
        assert_eq!(done[1], some("\u{FFFD}"));
        assert_eq!(done[2], some("é"));
        assert_eq!(done[28], some("é and a long enough text é"));
        assert!(done.iter().all(Option::is_some));
    }

    #[test]
    fn a_part_of_a_field_can_become_another_field() {
        let mut columns = columns(3);
        let line = format!("user=root {LONG}");
        let buffer = columns.add_buffer(Buffer::from(line.as_bytes()));
        columns.set_span(0, buffer, 0, line.len());
        columns.set_part(1, 0, 5..9);
        columns.set_part(2, 0, 10..line.len());
        columns.end_row();
        columns.set_text(0, "short é");
        columns.set_part(1, 0, 6..8);
        columns.set_part(2, 1, 0..0);
        columns.end_row();
        columns.set_part(1, 0, 0..1);
        columns.set_text(0, &line);
        columns.set_part(2, 0, 10..line.len());
        columns.end_row();
        let done = finish(&mut columns);
        assert_eq!(done[1], [some("root"), some("é"), None]);
        assert_eq!(done[2], [some(LONG), some(""), some(LONG)]);
    }

    #[test]
    #[should_panic(expected = "already finished")]
    fn a_buffer_of_an_earlier_batch_is_refused() {
        let mut columns = columns(1);
        let buffer = columns.add_buffer(Buffer::from(LONG.as_bytes()));
        columns.finish();
        columns.add_buffer(Buffer::from(LONG.as_bytes()));
        columns.set_span(0, buffer, 0, 1);
    }
}
