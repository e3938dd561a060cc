//! A segment: the accepted events between two commits, held in columns.
//!
//! When it is full it is sorted by day, credential and time, so that one
//! credential's events lie together at rest, which makes them small and quick
//! to find, and so that what is derived from them can be counted in one pass.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{Int32Type, Schema, SchemaRef};
use lastuse_store::Table;

use crate::coded::{NULL, TextColumn, Translation};
use crate::protect::{Identifier, NO_NUMBER, Protected, Text, Texts};
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
}

impl Segment {
    /// An empty segment.
    pub fn new() -> Self {
        let texts = (0..Text::COUNT).map(|_| TextColumn::default()).collect();
        Self { texts, ..Self::default() }
    }

    /// How many rows it holds, replaced ones included.
    pub fn len(&self) -> usize {
        self.event_times.len()
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

    /// The given rows as a batch of the table `events`; text columns are
    /// dictionaries over the segment's distinct values.
    pub fn batch(&self, rows: &[u32]) -> RecordBatch {
        let schema = Table::Events.schema();
        let mut fields = Vec::with_capacity(schema.fields().len());
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let column = self.event_column(field.name(), rows);
            fields.push(field.as_ref().clone().with_data_type(column.data_type().clone()));
            columns.push(column);
        }
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        RecordBatch::try_new(schema, columns).expect("columns were made for the schema")
    }

    fn event_column(&self, name: &str, rows: &[u32]) -> ArrayRef {
        match name {
            "native_uid" => self.native_column(rows),
            "stage" => Arc::new(Int32Array::from_iter(rows.iter().map(|row| {
                let stage = self.stages[*row as usize];
                (stage != NO_NUMBER).then_some(stage as i32)
            }))),
            "event_time" => instants(&self.event_times, rows),
            "observed_time" => instants(&self.observed_times, rows),
            "issued_expires_time" => instants(&self.expires_times, rows),
            "record_number" => numbers(&self.record_numbers, rows),
            "event_count" => numbers(&self.event_counts, rows),
            _ => {
                let text = Text::EVENT_COLUMNS.iter().find(|it| it.1 == name);
                let (text, _) = text.expect("every other column of events is a text column");
                dictionary(&self.texts[*text as usize], rows)
            }
        }
    }

    fn native_column(&self, rows: &[u32]) -> ArrayRef {
        let mut out = StringBuilder::with_capacity(rows.len(), rows.len() * 36);
        for row in rows {
            out.append_option(self.native_uids.get(*row as usize));
        }
        Arc::new(out.finish())
    }
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

fn instants(values: &[i64], rows: &[u32]) -> ArrayRef {
    let array = TimestampMicrosecondArray::from_iter(
        rows.iter().map(|row| Some(values[*row as usize]).filter(|it| *it != NO_NUMBER)),
    );
    Arc::new(array.with_timezone("UTC"))
}

fn numbers(values: &[i64], rows: &[u32]) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| values[*row as usize])))
}

/// The rows' values as a dictionary over all of the column's values.
fn dictionary(column: &TextColumn, rows: &[u32]) -> ArrayRef {
    let codes: Vec<u32> = match column.constant() {
        Some(code) => vec![code; rows.len()],
        None => rows.iter().map(|row| column.code(*row as usize)).collect(),
    };
    let valid = BooleanBuffer::collect_bool(codes.len(), |row| codes[row] != NULL);
    let keys: Vec<i32> =
        codes.into_iter().map(|it| if it == NULL { 0 } else { it as i32 }).collect();
    let keys = Int32Array::new(ScalarBuffer::from(keys), Some(NullBuffer::new(valid)));
    let values: ArrayRef = match column.values() {
        [] => Arc::new(StringArray::from(vec![""])),
        values => Arc::new(StringArray::from_iter_values(values)),
    };
    let array: DictionaryArray<Int32Type> =
        DictionaryArray::try_new(keys, values).expect("codes point at values");
    Arc::new(array)
}
