//! A segment: the accepted events between two commits, held in columns.
//!
//! When it is full it is sorted by day, credential and time, so that one
//! credential's events lie together at rest, which makes them small and quick
//! to find, and so that what is derived from them can be counted in one pass.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{Int32Type, Schema};
use lastuse_store::Table;

use crate::coded::{NULL, TextColumn, Translation, make_room};
use crate::day::Day;
use crate::event::{Identifier, NO_NUMBER, Text, Texts};
use crate::numbers::Numbers;
use crate::protect::Protected;
use crate::stored::Stored;

pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The day of an instant: days since 1970-01-01, UTC.
pub fn day_of(micros: i64) -> i32 {
    micros.div_euclid(MICROS_PER_DAY) as i32
}

/// Events that wait for the next commit.
#[derive(Default)]
pub struct Segment {
    /// The text columns, by `Text as usize`.
    pub texts: Vec<TextColumn>,
    /// Native event ids.
    pub native_uids: Texts,
    /// Microseconds since 1970.
    pub event_times: Vec<i64>,
    /// As `event_times`, or `NO_NUMBER`.
    pub expires_times: Numbers,
    /// How many events a row stands for.
    pub event_counts: Numbers,
    /// The record's place in its file, from 1.
    pub record_numbers: Vec<i64>,
    /// Identifiers met for the first time.
    pub identifiers: Vec<Identifier>,
    observed_times: Numbers,
    stages: Numbers,
    replaced: HashSet<u32>,
    /// The values of text columns as arrays, made when first asked for.
    values: Vec<OnceCell<ArrayRef>>,
}

impl Segment {
    /// An empty segment.
    pub fn new() -> Self {
        let texts = (0..Text::COUNT).map(|_| TextColumn::default()).collect();
        let values = (0..Text::COUNT).map(|_| OnceCell::new()).collect();
        Self { texts, values, ..Self::default() }
    }

    fn numbers(&mut self) -> [&mut Numbers; 4] {
        let Self { expires_times, event_counts, observed_times, stages, .. } = self;
        [expires_times, event_counts, observed_times, stages]
    }

    /// Takes all rows out, and keeps the memory for the next ones.
    pub fn clear(&mut self) {
        self.texts.iter_mut().for_each(TextColumn::clear);
        self.values.iter_mut().for_each(|it| drop(it.take()));
        self.native_uids.clear();
        self.event_times.clear();
        self.record_numbers.clear();
        self.numbers().into_iter().for_each(Numbers::clear);
        self.identifiers.clear();
        self.replaced.clear();
    }

    /// How many rows it holds, replaced ones included.
    pub fn len(&self) -> usize {
        self.event_times.len()
    }

    /// Whether it holds no rows.
    pub fn is_empty(&self) -> bool {
        self.event_times.is_empty()
    }

    /// Appends the rows `kept` of a chunk. `records` are the record numbers of
    /// the chunk's extracted rows.
    /// `words` are those of the chunk's memo.
    pub fn extend(
        &mut self,
        chunk: &Protected,
        kept: &[u32],
        records: &[u64],
        words: &mut [Translation],
    ) {
        let all = kept.len() == chunk.event_times.len();
        for ((column, codes), words) in self.texts.iter_mut().zip(&chunk.texts).zip(words) {
            column.extend(codes, kept, all, words);
        }
        self.native_uids.extend(&chunk.native_uids, kept);
        let number = |row: &u32| records[chunk.rows[*row as usize] as usize] as i64;
        make_room(&mut self.record_numbers, kept.len());
        self.record_numbers.extend(kept.iter().map(number));
        let count = |count: i64| if count == NO_NUMBER { 1 } else { count.max(0) };
        make_room(&mut self.event_times, kept.len());
        self.event_times.extend(picked(&chunk.event_times, kept));
        self.observed_times.extend(picked(&chunk.observed_times, kept));
        self.expires_times.extend(picked(&chunk.expires_times, kept));
        self.stages.extend(picked(&chunk.stages, kept));
        self.event_counts.extend(picked(&chunk.event_counts, kept).map(count));
        self.identifiers.extend(chunk.identifiers.iter().cloned());
    }

    /// Nothing translated yet.
    pub fn translations() -> Vec<Translation> {
        (0..Text::COUNT).map(|_| Translation::default()).collect()
    }

    /// Appends the opposite of a row that is stored: together they count nothing. The
    /// event's later part, which this segment has, counts instead.
    pub fn take_back(&mut self, stored: &Stored, row: usize) {
        for (at, column) in self.texts.iter_mut().enumerate() {
            let name = Text::EVENT_COLUMNS.iter().find(|it| it.0 as usize == at);
            column.push(name.and_then(|it| stored.text(it.1, row)));
        }
        self.native_uids.push(stored.text("native_uid", row).unwrap_or(""));
        self.event_times.push(stored.number("event_time", row));
        self.record_numbers.push(stored.number("record_number", row));
        let one = |name: &str| std::iter::once(stored.number(name, row));
        self.observed_times.extend(one("observed_time"));
        self.expires_times.extend(one("issued_expires_time"));
        self.stages.extend(one("stage"));
        self.event_counts.extend(one("event_count").map(|it| -it));
    }

    /// Marks a row as replaced by a later part of its event.
    pub fn replace(&mut self, row: u32) {
        self.replaced.insert(row);
    }

    /// The text of a row.
    pub fn text(&self, text: Text, row: usize) -> Option<&str> {
        let column = &self.texts[text as usize];
        column.value(column.code(row))
    }

    /// Whether a row was not replaced.
    pub fn stands(&self, row: u32) -> bool {
        self.replaced.is_empty() || !self.replaced.contains(&row)
    }

    /// The given rows as a batch of the table `events`.
    pub fn batch(&self, rows: &[u32]) -> RecordBatch {
        let mut all = Day::new(self);
        all.set_unsorted(rows);
        all.batch()
    }

    /// A batch of `table` with columns of the given rows; text columns are dictionaries over
    /// the segment's distinct values.
    ///
    /// # Panics
    /// When the columns are not those of the table: a mistake in this crate.
    pub fn pick(&self, table: Table, rows: &[u32], columns: Vec<Pick<'_>>) -> RecordBatch {
        table_of(table, columns.into_iter().map(|it| self.column(it, rows)).collect())
    }

    pub(crate) fn column(&self, pick: Pick<'_>, rows: &[u32]) -> ArrayRef {
        let at = |values: &[i64]| -> Vec<i64> { picked(values, rows).collect() };
        match pick {
            Pick::Text(text) => {
                let mut codes = Vec::with_capacity(rows.len());
                self.texts[text as usize].pick(rows, &mut codes);
                self.texts_of(text, rows.len(), &codes)
            }
            Pick::NativeUid => self.native_uids.picked(rows),
            Pick::EventTime => instants(at(&self.event_times)),
            Pick::ObservedTime => instants(self.observed_times.picked(rows)),
            Pick::ExpiresTime => instants(self.expires_times.picked(rows)),
            Pick::Times(values) => instants(values),
            Pick::RecordNumber => Arc::new(Int64Array::from(at(&self.record_numbers))),
            Pick::EventCount => Arc::new(Int64Array::from(self.event_counts.picked(rows))),
            Pick::Numbers(values) => Arc::new(Int64Array::from(values)),
            Pick::Words(values) => Arc::new(StringArray::from(values)),
            Pick::Stage if self.stages.constant() == Some(NO_NUMBER) => {
                Arc::new(Int32Array::new_null(rows.len()))
            }
            Pick::Stage => Arc::new(Int32Array::from_iter(rows.iter().map(|row| {
                let stage = self.stages.at(*row as usize);
                (stage != NO_NUMBER).then_some(stage as i32)
            }))),
        }
    }

    /// A column of `rows` rows as a dictionary over all of the column's values; `codes` are
    /// those of the rows, unless all rows of the segment share one.
    pub(crate) fn texts_of(&self, text: Text, rows: usize, codes: &[u32]) -> ArrayRef {
        let column = &self.texts[text as usize];
        let values = self.values[text as usize].get_or_init(|| match column.values() {
            [] => Arc::new(StringArray::from(vec![""])),
            values => Arc::new(StringArray::from_iter_values(values)),
        });
        let keys: Int32Array = match column.constant() {
            Some(NULL) => Int32Array::new_null(rows),
            Some(code) => Int32Array::from_value(code as i32, rows),
            None => {
                let key = |code: &u32| if *code == NULL { 0 } else { *code as i32 };
                let keys: Vec<i32> = codes.iter().map(key).collect();
                let missing = codes.contains(&NULL).then(|| {
                    NullBuffer::new(BooleanBuffer::collect_bool(rows, |at| codes[at] != NULL))
                });
                Int32Array::new(ScalarBuffer::from(keys), missing)
            }
        };
        let array: DictionaryArray<Int32Type> =
            DictionaryArray::try_new(keys, Arc::clone(values)).expect("codes point at values");
        Arc::new(array)
    }
}

/// A batch of `table` with these columns, whatever form their texts have.
///
/// # Panics
/// When the columns are not those of the table: a mistake in this crate.
pub(crate) fn table_of(table: Table, columns: Vec<ArrayRef>) -> RecordBatch {
    let schema = table.schema();
    let typed = schema.fields().iter().zip(&columns);
    let fields: Vec<_> = typed
        .map(|(field, it)| field.as_ref().clone().with_data_type(it.data_type().clone()))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .expect("columns were made for the schema")
}

/// A column of rows that are picked from a segment.
pub enum Pick<'a> {
    /// The column of the segment.
    Text(Text),
    /// The ids of the events.
    NativeUid,
    /// When they took place.
    EventTime,
    /// When the log saw them.
    ObservedTime,
    /// When the issued credentials expire.
    ExpiresTime,
    /// Which part of an event each is.
    Stage,
    /// The records' places in their files.
    RecordNumber,
    /// How many events each stands for.
    EventCount,
    /// Instants, one for each row picked; microseconds or `NO_NUMBER`.
    Times(Vec<i64>),
    /// Numbers, one for each row picked.
    Numbers(Vec<i64>),
    /// Texts, one for each row picked.
    Words(Vec<Option<&'a str>>),
}

/// The values of `rows`.
fn picked<'a>(
    values: &'a [i64],
    rows: &'a [u32],
) -> impl ExactSizeIterator<Item = i64> + Clone + 'a {
    rows.iter().map(|row| values[*row as usize])
}

fn instants(values: Vec<i64>) -> ArrayRef {
    let missing = values.contains(&NO_NUMBER).then(|| {
        NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |at| values[at] != NO_NUMBER))
    });
    let array = TimestampMicrosecondArray::new(ScalarBuffer::from(values), missing);
    Arc::new(array.with_timezone("UTC"))
}
