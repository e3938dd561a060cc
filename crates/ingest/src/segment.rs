//! A segment: the accepted events between two commits, held in columns.
//!
//! When it is full it is sorted by day, credential and time, so that one
//! credential's events lie together at rest, which makes them small and quick
//! to find, and so that what is derived from them can be counted in one pass.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{Int32Type, Schema};
use lastuse_store::Table;

use crate::coded::{NULL, TextColumn, Translation, make_room};
use crate::event::{Identifier, NO_NUMBER, Text, Texts};
use crate::protect::Protected;
use crate::stored::Stored;

const MICROS_PER_DAY: i64 = 86_400_000_000;

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
    pub expires_times: Vec<i64>,
    /// How many events a row stands for.
    pub event_counts: Vec<i64>,
    /// The record's place in its file, from 1.
    pub record_numbers: Vec<i64>,
    /// Identifiers met for the first time.
    pub identifiers: Vec<Identifier>,
    observed_times: Vec<i64>,
    stages: Vec<i64>,
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

    fn numbers(&mut self) -> [&mut Vec<i64>; 6] {
        [
            &mut self.event_times,
            &mut self.expires_times,
            &mut self.event_counts,
            &mut self.record_numbers,
            &mut self.observed_times,
            &mut self.stages,
        ]
    }

    /// Takes all rows out, and keeps the memory for the next ones.
    pub fn clear(&mut self) {
        self.texts.iter_mut().for_each(TextColumn::clear);
        self.values.iter_mut().for_each(|it| drop(it.take()));
        self.native_uids.clear();
        self.numbers().into_iter().for_each(Vec::clear);
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
        for numbers in self.numbers() {
            make_room(numbers, kept.len());
        }
        for row in kept {
            let at = *row as usize;
            self.native_uids.push(chunk.native_uids.get(at).unwrap_or(""));
            self.event_times.push(chunk.event_times[at]);
            self.observed_times.push(chunk.observed_times[at]);
            self.expires_times.push(chunk.expires_times[at]);
            self.stages.push(chunk.stages[at]);
            let count = chunk.event_counts[at];
            self.event_counts.push(if count == NO_NUMBER { 1 } else { count.max(0) });
            self.record_numbers.push(records[chunk.rows[at] as usize] as i64);
        }
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
        self.observed_times.push(stored.number("observed_time", row));
        self.expires_times.push(stored.number("issued_expires_time", row));
        self.stages.push(stored.number("stage", row));
        self.event_counts.push(-stored.number("event_count", row));
        self.record_numbers.push(stored.number("record_number", row));
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

    /// The rows that stand, by day, credential, principal and time.
    pub fn sorted(&self) -> Vec<u32> {
        let credentials = Ranked::new(&self.texts[Text::CredentialUid as usize]);
        let principals = Ranked::new(&self.texts[Text::Principal as usize]);
        let mut keys: Vec<(i32, u32, u32, i64, u32)> = (0..self.len() as u32)
            .filter(|row| !self.replaced.contains(row))
            .map(|row| {
                let (at, time) = (row as usize, self.event_times[row as usize]);
                (day_of(time), credentials.rank(at), principals.rank(at), time, row)
            })
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|it| it.4).collect()
    }

    /// The given rows as a batch of the table `events`.
    pub fn batch(&self, rows: &[u32]) -> RecordBatch {
        let table = Table::Events.schema();
        let column = |name: &str| match name {
            "native_uid" => Pick::NativeUid,
            "stage" => Pick::Stage,
            "event_time" => Pick::EventTime,
            "observed_time" => Pick::ObservedTime,
            "issued_expires_time" => Pick::ExpiresTime,
            "record_number" => Pick::RecordNumber,
            "event_count" => Pick::EventCount,
            _ => {
                let text = Text::EVENT_COLUMNS.iter().find(|it| it.1 == name);
                Pick::Text(text.expect("every other column of events is a text column").0)
            }
        };
        let columns = table.fields().iter().map(|it| column(it.name())).collect();
        self.pick(Table::Events, rows, columns)
    }

    /// A batch of `table` with columns of the given rows; text columns are dictionaries over
    /// the segment's distinct values.
    ///
    /// # Panics
    /// When the columns are not those of the table: a mistake in this crate.
    pub fn pick(&self, table: Table, rows: &[u32], columns: Vec<Pick<'_>>) -> RecordBatch {
        let schema = table.schema();
        let columns: Vec<ArrayRef> = columns.into_iter().map(|it| self.column(it, rows)).collect();
        let typed = schema.fields().iter().zip(&columns);
        let fields: Vec<_> = typed
            .map(|(field, it)| field.as_ref().clone().with_data_type(it.data_type().clone()))
            .collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
            .expect("columns were made for the schema")
    }

    fn column(&self, pick: Pick<'_>, rows: &[u32]) -> ArrayRef {
        let at =
            |values: &[i64]| -> Vec<i64> { rows.iter().map(|row| values[*row as usize]).collect() };
        match pick {
            Pick::Text(text) => self.text_column(text, rows),
            Pick::NativeUid => self.native_column(rows),
            Pick::EventTime => instants(at(&self.event_times)),
            Pick::ObservedTime => instants(at(&self.observed_times)),
            Pick::ExpiresTime => instants(at(&self.expires_times)),
            Pick::Times(values) => instants(values),
            Pick::RecordNumber => Arc::new(Int64Array::from(at(&self.record_numbers))),
            Pick::EventCount => Arc::new(Int64Array::from(at(&self.event_counts))),
            Pick::Numbers(values) => Arc::new(Int64Array::from(values)),
            Pick::Words(values) => Arc::new(StringArray::from(values)),
            Pick::Stage => Arc::new(Int32Array::from_iter(rows.iter().map(|row| {
                let stage = self.stages[*row as usize];
                (stage != NO_NUMBER).then_some(stage as i32)
            }))),
        }
    }

    fn native_column(&self, rows: &[u32]) -> ArrayRef {
        let mut out = StringBuilder::with_capacity(rows.len(), rows.len() * 36);
        for row in rows {
            out.append_option(self.native_uids.get(*row as usize));
        }
        Arc::new(out.finish())
    }

    /// The rows' values as a dictionary over all of the column's values.
    fn text_column(&self, text: Text, rows: &[u32]) -> ArrayRef {
        let column = &self.texts[text as usize];
        let values = self.values[text as usize].get_or_init(|| match column.values() {
            [] => Arc::new(StringArray::from(vec![""])),
            values => Arc::new(StringArray::from_iter_values(values)),
        });
        let keys: Int32Array = match column.constant() {
            Some(NULL) => Int32Array::new_null(rows.len()),
            Some(code) => Int32Array::from_value(code as i32, rows.len()),
            None => {
                let codes = || rows.iter().map(|row| column.code(*row as usize));
                let keys: Vec<i32> =
                    codes().map(|it| if it == NULL { 0 } else { it as i32 }).collect();
                let valid: BooleanBuffer = codes().map(|it| it != NULL).collect();
                Int32Array::new(ScalarBuffer::from(keys), Some(NullBuffer::new(valid)))
            }
        };
        let array: DictionaryArray<Int32Type> =
            DictionaryArray::try_new(keys, Arc::clone(values)).expect("codes point at values");
        Arc::new(array)
    }
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

/// Ranks of a column's codes; rows without a value come last.
struct Ranked<'a> {
    column: &'a TextColumn,
    ranks: Vec<u32>,
}

impl<'a> Ranked<'a> {
    fn new(column: &'a TextColumn) -> Self {
        Self { column, ranks: column.ranks() }
    }

    fn rank(&self, row: usize) -> u32 {
        match self.column.code(row) {
            NULL => NULL,
            code => self.ranks[code as usize],
        }
    }
}

fn instants(values: Vec<i64>) -> ArrayRef {
    let valid = values.contains(&NO_NUMBER).then(|| {
        NullBuffer::new(BooleanBuffer::collect_bool(values.len(), |at| values[at] != NO_NUMBER))
    });
    let array = TimestampMicrosecondArray::new(ScalarBuffer::from(values), valid);
    Arc::new(array.with_timezone("UTC"))
}
