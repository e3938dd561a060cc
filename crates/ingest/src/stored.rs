//! Rows of `events` read back from the table, by column name.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};

use crate::event::NO_NUMBER;
use crate::protect::event_key;

/// A batch of stored rows; texts and numbers, whatever Parquet made of them.
pub struct Stored {
    columns: HashMap<String, ArrayRef>,
    rows: usize,
}

impl Stored {
    /// The rows of a batch.
    pub fn new(batch: &RecordBatch) -> Self {
        let schema = batch.schema();
        let named = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            let wanted = match column.data_type() {
                DataType::Timestamp(..) | DataType::Int32 | DataType::Int64 => DataType::Int64,
                _ => DataType::Utf8,
            };
            let column = cast(column, &wanted).unwrap_or_else(|_| Arc::clone(column));
            (field.name().clone(), column)
        });
        Self { columns: named.collect(), rows: batch.num_rows() }
    }

    /// How many rows it has.
    pub fn row_count(&self) -> usize {
        self.rows
    }

    /// The text of a row.
    pub fn text(&self, name: &str, row: usize) -> Option<&str> {
        let array = self.columns.get(name)?.as_string_opt::<i32>()?;
        array.is_valid(row).then(|| array.value(row))
    }

    /// The number or instant of a row, or `NO_NUMBER`.
    pub fn number(&self, name: &str, row: usize) -> i64 {
        let array = self.columns.get(name).and_then(|it| it.as_primitive_opt::<Int64Type>());
        array.filter(|it| it.is_valid(row)).map_or(NO_NUMBER, |it| it.value(row))
    }

    /// The key by which a row is known, if the log gave its event an id.
    pub fn event_key(&self, key: &[u8; 16], row: usize) -> Option<u128> {
        let native = self.text("native_uid", row)?;
        let source = self.text("source", row).unwrap_or("");
        let scope = self.text("source_scope", row).unwrap_or("");
        Some(event_key(key, source, scope, native, self.text("record_part", row)))
    }
}
