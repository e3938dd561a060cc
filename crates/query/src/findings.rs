//! Findings: rows of the report `alerts` with an identity that lasts.

use std::hash::Hasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::catalog::{Catalog, QueryError};
use crate::guard::Answer;

/// The columns that tell one finding from another; the same finding keeps its
/// `alert_uid` however often it recurs.
const IDENTITY: [&str; 6] =
    ["secret_id", "version", "class", "workload", "principal", "environment"];

impl Catalog {
    /// The retired-secret findings, all of them open, each with its stable
    /// `alert_uid`; those whose last event is before `since` (microseconds
    /// since 1970) are left out.
    pub async fn findings(&self, since: Option<i64>) -> Result<Answer, QueryError> {
        let frame = self.report("alerts").await?;
        let schema = SchemaRef::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await?;
        let batch = concat_batches(&schema, &batches).map_err(datafusion_error)?;
        let batch = identified(&batch).map_err(datafusion_error)?;
        let batch = match since {
            Some(since) => recent(&batch, since).map_err(datafusion_error)?,
            None => batch,
        };
        Ok(Answer { schema: batch.schema(), batches: vec![batch] })
    }
}

fn datafusion_error(error: ArrowError) -> QueryError {
    QueryError::Run(error.into())
}

fn identified(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let parts: Vec<ArrayRef> = IDENTITY
        .iter()
        .map(|name| {
            let column = batch.column_by_name(name).ok_or_else(|| {
                ArrowError::SchemaError(format!("the report `alerts` has no column `{name}`"))
            })?;
            cast(column, &DataType::Utf8)
        })
        .collect::<Result<_, _>>()?;
    let uids = (0..batch.num_rows()).map(|row| {
        // Not a secret: the same on every machine, so that receivers can match.
        let mut hasher = SipHasher24::new_with_keys(0, 0);
        for part in &parts {
            let part = part.as_string::<i32>();
            let value = if part.is_valid(row) { part.value(row) } else { "" };
            hasher.write_usize(value.len());
            hasher.write(value.as_bytes());
        }
        let hash = hasher.finish128();
        format!("al1_{:016x}{:016x}", hash.h1, hash.h2)
    });
    let uids: ArrayRef = Arc::new(StringArray::from_iter_values(uids));
    let mut fields = vec![Arc::new(Field::new("alert_uid", DataType::Utf8, false))];
    fields.extend(batch.schema().fields().iter().map(Arc::clone));
    fields.push(Arc::new(Field::new("late_arrival", DataType::Boolean, true)));
    fields.push(Arc::new(Field::new("status", DataType::Utf8, false)));
    let mut columns = vec![uids];
    columns.extend(batch.columns().iter().map(Arc::clone));
    columns.push(Arc::new(BooleanArray::new_null(batch.num_rows())));
    columns.push(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
        "open",
        batch.num_rows(),
    ))));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn recent(batch: &RecordBatch, since: i64) -> Result<RecordBatch, ArrowError> {
    let Some(times) = batch.column_by_name("last_time") else { return Ok(batch.clone()) };
    let times = cast(times, &DataType::Int64)?;
    let times = times.as_primitive::<arrow::datatypes::Int64Type>();
    let keep: BooleanArray = times.iter().map(|it| it.map(|it| it >= since)).collect();
    arrow::compute::filter_record_batch(batch, &keep)
}
