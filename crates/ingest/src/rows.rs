//! Rows of a small table, collected one by one.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Int64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, SchemaRef};
use lastuse_store::Table;

use crate::event::NO_NUMBER;

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// A text or nothing.
    Text(Option<&'a str>),
    /// A number or an instant in microseconds; `NO_NUMBER` is nothing.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

enum Builder {
    Text(StringBuilder),
    Number(Int64Builder),
    Instant(TimestampMicrosecondBuilder),
    Flag(BooleanBuilder),
}

/// Rows of one table.
pub struct Rows {
    table: Table,
    schema: SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
}

impl Rows {
    /// No rows yet of `table`.
    pub fn new(table: Table) -> Self {
        let schema = table.schema();
        let builders = schema
            .fields()
            .iter()
            .map(|field| match field.data_type() {
                DataType::Int64 => Builder::Number(Int64Builder::new()),
                DataType::Timestamp(..) => Builder::Instant(TimestampMicrosecondBuilder::new()),
                DataType::Boolean => Builder::Flag(BooleanBuilder::new()),
                _ => Builder::Text(StringBuilder::new()),
            })
            .collect();
        Self { table, schema, builders, rows: 0 }
    }

    /// Appends a row; its values stand in the order of the table's columns.
    ///
    /// # Panics
    /// When the values do not fit the columns: a mistake in this crate.
    pub fn push(&mut self, values: &[Value<'_>]) {
        assert_eq!(values.len(), self.builders.len(), "columns of {}", self.table.name());
        for (builder, value) in self.builders.iter_mut().zip(values) {
            match (builder, *value) {
                (Builder::Text(builder), Value::Text(text)) => builder.append_option(text),
                (Builder::Number(builder), Value::Number(number)) => {
                    builder.append_option((number != NO_NUMBER).then_some(number));
                }
                (Builder::Instant(builder), Value::Number(number)) => {
                    builder.append_option((number != NO_NUMBER).then_some(number));
                }
                (Builder::Flag(builder), Value::Flag(flag)) => builder.append_value(flag),
                (_, value) => panic!("{value:?} in a column of {}", self.table.name()),
            }
        }
        self.rows += 1;
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The table and its rows, if there are any.
    pub fn finish(mut self) -> Option<(Table, RecordBatch)> {
        if self.rows == 0 {
            return None;
        }
        let columns = self
            .builders
            .iter_mut()
            .map(|it| -> ArrayRef {
                match it {
                    Builder::Text(it) => Arc::new(it.finish()),
                    Builder::Number(it) => Arc::new(it.finish()),
                    Builder::Instant(it) => Arc::new(it.finish().with_timezone("UTC")),
                    Builder::Flag(it) => Arc::new(it.finish()),
                }
            })
            .collect();
        let batch =
            RecordBatch::try_new(self.schema, columns).expect("builders were made from the schema");
        Some((self.table, batch))
    }
}
