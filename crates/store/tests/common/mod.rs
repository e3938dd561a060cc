//! Rows for tests: small batches with the columns of a table, and the rows of a
//! table as text.

#![allow(dead_code)] // Each test file uses its part.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use lastuse_store::{Part, Store, Table, Writer};

/// 1 March 2026, in days and in microseconds since 1970.
pub(crate) const DAY: i32 = 20_513;
pub(crate) const DAY_TIME: i64 = DAY as i64 * 86_400_000_000;

/// A batch of `table`: columns by name, each value as text (`-` is null),
/// instants as microseconds after [`DAY_TIME`].
pub(crate) fn rows(table: Table, columns: &[(&str, &[&str])]) -> RecordBatch {
    let count = columns.first().map_or(0, |it| it.1.len());
    let schema = table.schema();
    let arrays = schema
        .fields()
        .iter()
        .map(|field| {
            let values: Vec<Option<&str>> =
                columns.iter().find(|it| it.0 == field.name()).map_or(vec![None; count], |it| {
                    it.1.iter().map(|it| (*it != "-").then_some(*it)).collect()
                });
            array(field.data_type(), &values)
        })
        .collect();
    RecordBatch::try_new(schema, arrays).unwrap()
}

fn array(of: &DataType, values: &[Option<&str>]) -> ArrayRef {
    let numbers = || values.iter().map(|it| it.map(|it| it.parse::<i64>().unwrap()));
    match of {
        DataType::Utf8 => Arc::new(StringArray::from(values.to_vec())),
        DataType::Int64 => Arc::new(Int64Array::from_iter(numbers())),
        DataType::Int32 => {
            Arc::new(Int32Array::from_iter(numbers().map(|it| it.map(|it| it as i32))))
        }
        DataType::Boolean => {
            Arc::new(BooleanArray::from_iter(values.iter().map(|it| it.map(|it| it == "true"))))
        }
        _ => Arc::new(
            TimestampMicrosecondArray::from_iter(numbers().map(|it| it.map(|it| DAY_TIME + it)))
                .with_timezone("UTC"),
        ),
    }
}

/// Every row of a table as text, sorted.
pub(crate) async fn dump(store: &Store, table: Table) -> Vec<String> {
    let files = store.active_files(table).await.unwrap();
    let mut lines = Vec::new();
    for batch in store.read(&files, table, &[]) {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = batch
                .columns()
                .iter()
                .map(|it| match it.is_null(row) {
                    true => "-".to_string(),
                    false => array_value_to_string(it, row).unwrap(),
                })
                .collect();
            lines.push(cells.join("|"));
        }
    }
    lines.sort();
    lines
}

/// Every row of every table.
pub(crate) async fn dump_all(store: &Store) -> Vec<(&'static str, Vec<String>)> {
    let mut all = Vec::new();
    for table in Table::ALL {
        all.push((table.name(), dump(store, table).await));
    }
    all
}

/// The parts of batch `number`, which always has the same rows: events on two
/// days, and one row or so of every other table. The third batch brings a late
/// parent, so that lineage is computed anew.
pub(crate) fn batch_parts(writer: &Writer) -> Vec<Part> {
    let number = writer.batch();
    let text = number.to_string();
    let n = text.as_str();
    let exchange = match number {
        1 => ("a", "b"),
        2 => ("b", "c"),
        3 => ("root", "a"),
        _ => ("root", n),
    };
    let event = |days: i64| {
        let times = [0, 1, 2].map(|it| (days * 86_400_000_000 + it * 1000).to_string());
        rows(
            Table::Events,
            &[
                ("source", &["test"; 3]),
                ("native_uid", &[&format!("{n}.{days}.0"), &format!("{n}.{days}.1"), "-"]),
                ("event_time", &[&times[0], &times[1], &times[2]]),
                ("credential_uid", &["-", "a", "b"]),
                ("record_number", &["0", "1", n]),
                ("event_count", &["1", "1", "1"]),
            ],
        )
    };
    let one = |table: Table, columns: &[(&str, &[&str])]| {
        writer.write_part(table, &rows(table, columns)).unwrap()
    };
    vec![
        writer.write_events(DAY, &event(0)).unwrap(),
        writer.write_events(DAY + 1, &event(1)).unwrap(),
        one(Table::Usage, &[("credential_uid", &["a", "b"]), ("attempt_count", &[n, n])]),
        one(
            Table::Exchanges,
            &[
                ("parent_credential_uid", &[exchange.0]),
                ("child_credential_uid", &[exchange.1]),
                ("link_strength", &["id_id"]),
                ("issued_time", &[n]),
            ],
        ),
        one(Table::SecretReads, &[("target_secret_id", &[n])]),
        one(Table::Credentials, &[("credential_uid", &["a"]), ("id_value", &[n])]),
        one(Table::Coverage, &[("source", &["test"]), ("record_count", &[n])]),
        one(Table::Files, &[("file_uid", &["f"]), ("batch", &[n])]),
    ]
}

/// Commits batches until `last` is in.
pub(crate) async fn commit_until(store: &Store, last: u64) {
    let mut writer = store.begin().await.unwrap();
    while writer.batch() <= last {
        let parts = batch_parts(&writer);
        writer.commit(parts).await.unwrap();
    }
}
