//! Normalize: what the fields of a log mean, as the source's own SQL says.
//!
//! A source's `normalize.sql` is one `SELECT ... FROM raw [WHERE ...]`. It is
//! planned once; then each chunk of extracted fields goes through the planned
//! projections and filters directly, on the thread that extracted it. Nothing
//! is planned, spawned or polled per chunk, so small files cost little.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array,
};
use arrow::compute::{cast, filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, UInt32Type};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::scalar::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, visit_expressions,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};

use crate::functions;

/// Why a source's SQL cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NormalizeError {
    /// The text is not SQL.
    #[error("cannot parse `normalize.sql` of source `{name}`")]
    Parse {
        /// The source.
        name: String,
        /// What the parser said.
        source: ParserError,
    },
    /// The SQL is more than one plain SELECT from `raw`.
    #[error(
        "`normalize.sql` of source `{name}` must be one `SELECT ... FROM raw [WHERE ...]`: {what}"
    )]
    NotPlain {
        /// The source.
        name: String,
        /// What stands there instead.
        what: String,
    },
    /// A column that the events table does not have.
    #[error(
        "`normalize.sql` of source `{name}` has an output column `{column}` that events do not have; the columns are listed in queries/README.md"
    )]
    UnknownColumn {
        /// The source.
        name: String,
        /// The column.
        column: String,
    },
    /// The engine refused the SQL: an unknown function, a wrong type.
    #[error("cannot plan `normalize.sql` of source `{name}`")]
    Plan {
        /// The source.
        name: String,
        /// What the engine said.
        source: DataFusionError,
    },
    /// A chunk could not be normalized.
    #[error("cannot normalize records of source `{name}`")]
    Evaluate {
        /// The source.
        name: String,
        /// What the engine said.
        source: DataFusionError,
    },
}

/// Names that `normalize.sql` may give its columns, beside the triples
/// `*_value`, `*_kind`, `*_scope`.
const TIME_COLUMNS: [&str; 3] = ["event_time", "observed_time", "issued_expires_time"];
const NUMBER_COLUMNS: [&str; 2] = ["stage", "event_count"];
const TEXT_COLUMNS: [&str; 35] = [
    "native_uid",
    "time_quality",
    "category",
    "action",
    "outcome",
    "reason",
    "reason_class",
    "credential_value",
    "credential_kind",
    "credential_scope",
    "attribution",
    "via_service",
    "issued_credential_value",
    "issued_credential_kind",
    "issued_credential_scope",
    "issued_ttl_source",
    "target_secret_id",
    "target_version",
    "target_credential_value",
    "target_credential_kind",
    "target_credential_scope",
    "target_state",
    "principal",
    "workload",
    "workload_evidence",
    "instance",
    "source_ip",
    "user_agent",
    "account",
    "region",
    "environment",
    "service",
    "resource",
    "source_scope",
    "version_evidence",
];

/// The column that ties a normalized row to the extracted row it came from.
const ROW: &str = "_row";

/// One column of normalized rows: a value per row, or the same for all.
#[derive(Debug, Clone)]
pub enum Column {
    /// One value per row.
    Rows(ArrayRef),
    /// The same value in every row; `None` where a constant is null.
    Constant(Option<ScalarValue>),
}

/// Normalized rows of one chunk.
#[derive(Debug)]
pub struct Normalized {
    /// For each row, the extracted row it came from.
    pub rows: Vec<u32>,
    columns: Vec<Column>,
    names: Arc<Vec<String>>,
}

impl Normalized {
    /// The column called `name`, if the source's SQL gives it.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let at = self.names.iter().position(|it| it == name)?;
        Some(&self.columns[at])
    }
}

/// A source's SQL, planned.
#[derive(Debug)]
pub struct Normalizer {
    name: String,
    fields: Vec<String>,
    schema: SchemaRef,
    plan: Arc<dyn ExecutionPlan>,
    names: Arc<Vec<String>>,
}

impl Normalizer {
    /// Plans the SQL of the source `name`.
    pub async fn plan(name: &str, sql: &str) -> Result<Self, NormalizeError> {
        let mut query = parse(name, sql)?;
        let fields = field_names(&query);
        append_row_column(name, &mut query)?;
        let schema = raw_schema(&fields);
        let plan_error = |source| NormalizeError::Plan { name: name.to_owned(), source };
        let context = context().map_err(plan_error)?;
        let table = MemTable::try_new(Arc::clone(&schema), vec![vec![]]).map_err(plan_error)?;
        context.register_table("raw", Arc::new(table)).map_err(plan_error)?;
        let frame = context.sql(&query.to_string()).await.map_err(plan_error)?;
        let plan = frame.create_physical_plan().await.map_err(plan_error)?;
        check_plain(name, &plan)?;
        let names: Vec<String> =
            plan.schema().fields().iter().map(|it| it.name().clone()).collect();
        for column in names.iter().filter(|it| *it != ROW) {
            if !is_event_column(column) {
                return Err(NormalizeError::UnknownColumn {
                    name: name.to_owned(),
                    column: column.clone(),
                });
            }
        }
        Ok(Self { name: name.to_owned(), fields, schema, plan, names: Arc::new(names) })
    }

    /// The fields that the SQL names, in the order in which `normalize` wants
    /// their columns.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Turns extracted columns (one per field, all of one length) into
    /// normalized rows. Rows that the SQL's WHERE drops are left out.
    pub fn normalize(
        &self,
        fields: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<Normalized, NormalizeError> {
        let error = |source| NormalizeError::Evaluate { name: self.name.clone(), source };
        let mut columns = fields;
        columns.push(Arc::new(UInt32Array::from_iter_values(0..rows as u32)));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let raw = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|it| error(it.into()))?;
        let (columns, rows) = evaluate(&self.plan, raw).map_err(error)?;
        let mut kept = Vec::new();
        let mut typed = Vec::with_capacity(columns.len());
        for (name, column) in self.names.iter().zip(columns) {
            if name == ROW {
                let array = column.into_array(rows).map_err(error)?;
                kept = array.as_primitive::<UInt32Type>().values().to_vec();
                typed.push(Column::Constant(None));
            } else {
                typed.push(typed_column(name, column).map_err(error)?);
            }
        }
        Ok(Normalized { rows: kept, columns: typed, names: Arc::clone(&self.names) })
    }
}

fn context() -> Result<SessionContext, DataFusionError> {
    let mut config = SessionConfig::new().with_target_partitions(1);
    let options = config.options_mut();
    options.sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    options.sql_parser.enable_ident_normalization = true;
    let context = SessionContext::new_with_config(config);
    for function in functions::all() {
        context.register_udf(function);
    }
    Ok(context)
}

fn is_event_column(name: &str) -> bool {
    TIME_COLUMNS.contains(&name) || NUMBER_COLUMNS.contains(&name) || TEXT_COLUMNS.contains(&name)
}

/// All fields arrive as text; `_row` counts them.
fn raw_schema(fields: &[String]) -> SchemaRef {
    let mut columns: Vec<Field> =
        fields.iter().map(|it| Field::new(it, DataType::Utf8View, true)).collect();
    columns.push(Field::new(ROW, DataType::UInt32, false));
    Arc::new(Schema::new(columns))
}

fn parse(name: &str, sql: &str) -> Result<Query, NormalizeError> {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .map_err(|source| NormalizeError::Parse { name: name.to_owned(), source })?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(*query),
        _ => Err(not_plain(name, "more or other than one query")),
    }
}

fn not_plain(name: &str, what: &str) -> NormalizeError {
    NormalizeError::NotPlain { name: name.to_owned(), what: what.to_owned() }
}

/// The columns of `raw` that the query names: its quoted identifiers, and
/// unquoted ones as the engine reads them.
fn field_names(query: &Query) -> Vec<String> {
    let mut names = BTreeSet::new();
    let _ = visit_expressions(query, |expression| {
        if let Expr::Identifier(identifier) = expression {
            names.insert(match identifier.quote_style {
                Some(_) => identifier.value.clone(),
                None => identifier.value.to_lowercase(),
            });
        }
        ControlFlow::<()>::Continue(())
    });
    names.remove(ROW);
    names.into_iter().collect()
}

fn append_row_column(name: &str, query: &mut Query) -> Result<(), NormalizeError> {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(not_plain(name, "a set operation"));
    };
    let select: &mut Select = select;
    let row = Ident::with_quote('"', ROW);
    select.projection.push(SelectItem::UnnamedExpr(Expr::Identifier(row)));
    Ok(())
}

/// Refuses plans with anything but projections and filters over `raw`, since
/// the evaluation below knows no other node.
fn check_plain(name: &str, plan: &Arc<dyn ExecutionPlan>) -> Result<(), NormalizeError> {
    match plan.children().as_slice() {
        [] if plan.name() == "DataSourceExec" => Ok(()),
        [child] if is_step(plan) => check_plain(name, child),
        _ => Err(not_plain(name, &format!("it needs the step {}", plan.name()))),
    }
}

fn is_step(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<ProjectionExec>() || plan.is::<FilterExec>() || is_pass_through(plan)
}

fn is_pass_through(plan: &Arc<dyn ExecutionPlan>) -> bool {
    matches!(plan.name(), "CoalesceBatchesExec" | "CooperativeExec" | "RepartitionExec")
}

/// The values of the plan's columns for the extracted rows `raw`, and how many
/// rows they stand for.
fn evaluate(
    plan: &Arc<dyn ExecutionPlan>,
    raw: RecordBatch,
) -> Result<(Vec<ColumnarValue>, usize), DataFusionError> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let input = evaluate_batch(projection.input(), raw)?;
        let columns = projection
            .expr()
            .iter()
            .map(|it| it.expr.evaluate(&input))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok((columns, input.num_rows()));
    }
    let batch = evaluate_batch(plan, raw)?;
    let rows = batch.num_rows();
    Ok((batch.columns().iter().map(|it| ColumnarValue::Array(Arc::clone(it))).collect(), rows))
}

fn evaluate_batch(
    plan: &Arc<dyn ExecutionPlan>,
    raw: RecordBatch,
) -> Result<RecordBatch, DataFusionError> {
    if plan.is::<ProjectionExec>() {
        let (columns, rows) = evaluate(plan, raw)?;
        let arrays =
            columns.into_iter().map(|it| it.into_array(rows)).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        return Ok(RecordBatch::try_new_with_options(plan.schema(), arrays, &options)?);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let input = evaluate_batch(filter.input(), raw)?;
        let mask = filter.predicate().evaluate(&input)?.into_array(input.num_rows())?;
        let kept = filter_record_batch(&input, &true_rows(mask.as_boolean()))?;
        return match filter.projection().as_ref() {
            Some(projection) => Ok(kept.project(projection)?),
            None => Ok(kept),
        };
    }
    match plan.children().first() {
        Some(child) => evaluate_batch(child, raw),
        // The leaf may want fewer columns than were extracted, in its order.
        None => {
            let schema = plan.schema();
            let columns = schema
                .fields()
                .iter()
                .map(|it| raw.schema().index_of(it.name()))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(raw.project(&columns)?)
        }
    }
}

fn true_rows(mask: &BooleanArray) -> BooleanArray {
    if mask.null_count() > 0 { prep_null_mask_filter(mask) } else { mask.clone() }
}

/// Brings a column to the type its name stands for: text, instant or number.
fn typed_column(name: &str, value: ColumnarValue) -> Result<Column, DataFusionError> {
    let wanted = if TIME_COLUMNS.contains(&name) {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    } else if NUMBER_COLUMNS.contains(&name) {
        DataType::Int64
    } else {
        DataType::Utf8View
    };
    match value {
        ColumnarValue::Array(array) if array.data_type() == &wanted => Ok(Column::Rows(array)),
        ColumnarValue::Array(array) => Ok(Column::Rows(cast(&array, &wanted)?)),
        ColumnarValue::Scalar(scalar) if scalar.is_null() => Ok(Column::Constant(None)),
        ColumnarValue::Scalar(scalar) => Ok(Column::Constant(Some(scalar.cast_to(&wanted)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;

    fn text(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringViewArray::from(values.to_vec()))
    }

    #[tokio::test]
    async fn quoted_identifiers_are_the_fields() {
        let sql = r#"SELECT "eventID" AS native_uid, parse_time("eventTime") AS event_time,
            CASE WHEN "errorCode" IS NULL THEN 'success' ELSE 'error' END AS outcome,
            'x' AS service FROM raw WHERE "eventID" <> 'b'"#;
        let normalizer = Normalizer::plan("test", sql).await.unwrap();
        assert_eq!(normalizer.fields(), ["errorCode", "eventID", "eventTime"]);
        let rows = normalizer
            .normalize(
                vec![
                    text(&[None, Some("E"), Some("F")]),
                    text(&[Some("a"), Some("b"), Some("c")]),
                    text(&[Some("2026-01-01T00:00:00Z"), None, Some("junk")]),
                ],
                3,
            )
            .unwrap();
        assert_eq!(rows.rows, [0, 2]);
        let Some(Column::Rows(outcome)) = rows.column("outcome") else { panic!() };
        assert_eq!(outcome.as_string_view().value(1), "error");
        let Some(Column::Rows(time)) = rows.column("event_time") else { panic!() };
        assert!(time.is_null(1) && time.is_valid(0));
        assert!(matches!(rows.column("service"), Some(Column::Constant(Some(_)))));
    }

    #[tokio::test]
    async fn a_query_that_is_no_plain_select_is_refused() {
        for sql in [
            "SELECT count(*) AS event_count FROM raw",
            "SELECT \"a\" AS action FROM raw ORDER BY 1",
            "DROP TABLE raw",
            "SELECT \"a\" AS surprise FROM raw",
        ] {
            assert!(Normalizer::plan("test", sql).await.is_err(), "{sql}");
        }
    }
}
