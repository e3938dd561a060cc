//! Reading rows back, file by file, without a query engine.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use crate::error::StoreError;
use crate::schema::Table;

/// Rows per batch read.
const BATCH_ROWS: usize = 16 * 1024;

/// A file that belongs to a table now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveFile {
    /// Where the file is (absolute).
    pub path: PathBuf,
    /// Bytes.
    pub size_bytes: u64,
    /// Rows.
    pub row_count: u64,
    /// The day of all its events, in days since 1970 (`events` only).
    pub event_date: Option<i32>,
    /// Earliest event, in microseconds since 1970 UTC (`events` only).
    pub min_event_time: Option<i64>,
    /// Latest event, in microseconds since 1970 UTC (`events` only).
    pub max_event_time: Option<i64>,
}

/// The rows of several files, one batch at a time.
pub(crate) struct Rows {
    table: Table,
    schema: Result<SchemaRef, String>,
    files: std::vec::IntoIter<ActiveFile>,
    current: Option<(ActiveFile, ParquetRecordBatchReader)>,
    batch_rows: usize,
}

impl Rows {
    /// Prepares to read `columns` (all if empty) of `files`.
    pub(crate) fn new(table: Table, files: Vec<ActiveFile>, columns: &[&str]) -> Rows {
        Rows {
            table,
            schema: wanted_schema(table, columns),
            files: files.into_iter(),
            current: None,
            batch_rows: BATCH_ROWS,
        }
    }

    /// Reads so many rows at a time.
    pub(crate) fn in_batches_of(self, rows: usize) -> Rows {
        Rows { batch_rows: rows, ..self }
    }

    fn open(
        &self,
        schema: &SchemaRef,
        file: &ActiveFile,
    ) -> Result<ParquetRecordBatchReader, StoreError> {
        let handle = File::open(&file.path)
            .map_err(|source| StoreError::ReadFile { path: file.path.clone(), source })?;
        let failed =
            |source: ParquetError| StoreError::ReadRows { path: file.path.clone(), source };
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(handle, options)
            .map_err(failed)?;
        let wanted: Vec<usize> = builder
            .schema()
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| schema.field_with_name(field.name()).is_ok())
            .map(|(index, _)| index)
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        builder.with_projection(mask).with_batch_size(self.batch_rows).build().map_err(failed)
    }

    fn step(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        let schema = match &self.schema {
            Ok(schema) => Arc::clone(schema),
            Err(column) => {
                return Err(StoreError::WrongColumns {
                    table: self.table.name(),
                    column: format!("`{column}`"),
                });
            }
        };
        loop {
            if let Some((file, reader)) = &mut self.current {
                match reader.next() {
                    Some(Ok(batch)) => {
                        return arrange(self.table, &schema, file, &batch).map(Some);
                    }
                    Some(Err(error)) => {
                        return Err(StoreError::ReadRows {
                            path: file.path.clone(),
                            source: error.into(),
                        });
                    }
                    None => self.current = None,
                }
            }
            let Some(file) = self.files.next() else {
                return Ok(None);
            };
            let reader = self.open(&schema, &file)?;
            self.current = Some((file, reader));
        }
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step().transpose();
        if matches!(item, Some(Err(_))) {
            // One error ends the reading: a caller must not take the rest for all.
            self.files = Vec::new().into_iter();
            self.current = None;
        }
        item
    }
}

fn wanted_schema(table: Table, columns: &[&str]) -> Result<SchemaRef, String> {
    let whole = table.schema();
    if columns.is_empty() {
        return Ok(whole);
    }
    let fields = columns
        .iter()
        .map(|name| match whole.field_with_name(name) {
            Ok(field) => Ok(field.clone()),
            Err(_) if table == Table::Events && *name == "event_date" => {
                Ok(Field::new("event_date", DataType::Date32, true))
            }
            Err(_) => Err(name.to_string()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

/// The columns asked for, in the order asked for. A column that an older file
/// lacks is null; a type that another writer chose is cast.
fn arrange(
    table: Table,
    schema: &SchemaRef,
    file: &ActiveFile,
    batch: &RecordBatch,
) -> Result<RecordBatch, StoreError> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| -> Result<ArrayRef, StoreError> {
            let count = batch.num_rows();
            if field.name() == "event_date" && table == Table::Events {
                return Ok(Arc::new(Date32Array::from(vec![file.event_date; count])));
            }
            match batch.column_by_name(field.name()) {
                Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
                Some(column) => {
                    cast(column, field.data_type()).map_err(|it| StoreError::arrange(table, it))
                }
                None => Ok(new_null_array(field.data_type(), count)),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|it| StoreError::arrange(table, it))
}
