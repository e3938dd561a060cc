//! Small batches for tests, and their rendered text.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{Field, Schema};

use crate::{Format, Options, render};

/// A batch of the named columns, all nullable.
pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|it| it.1).collect()).unwrap()
}

pub(crate) fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Text; an empty string stands for null.
pub(crate) fn nullable(values: &[&str]) -> ArrayRef {
    let values = values.iter().map(|it| (!it.is_empty()).then_some(*it));
    Arc::new(values.collect::<StringArray>())
}

pub(crate) fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// Instants in RFC 3339; an empty string stands for null.
pub(crate) fn instants(values: &[&str]) -> ArrayRef {
    let micros = values.iter().map(|it| it.parse().ok().map(jiff::Timestamp::as_microsecond));
    Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

pub(crate) fn lists(values: &[&[&str]]) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for items in values {
        for item in *items {
            builder.values().append_value(item);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

pub(crate) fn rendered(batches: &[RecordBatch], format: Format, options: &Options) -> String {
    let mut out = Vec::new();
    render(batches, &batches[0].schema(), format, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}
