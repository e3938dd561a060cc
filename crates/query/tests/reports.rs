//! Runs each `queries/views/*.slt` and `queries/reports/*.slt`: a few rows, the
//! view or report over them, and the answer that must come out.
//!
//! The tables of the store and the known tables (`secret_versions` and the like)
//! are empty tables in memory, so a case inserts the rows it is about. Beside SQL,
//! a file may say
//!
//! - `RESET`, which empties all tables again, or `RESET AS OF 'TIME'`, which also sets
//!   the instant of the report; without it that is [`AS_OF`];
//! - `REPORT NAME COLUMN, COLUMN...`, which runs a report as the commands do, in its own
//!   order, and shows these columns.
//!
//! With `LASTUSE_UPDATE_SLT=1` the answers are written into the files instead of
//! being compared: read the difference before it is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use lastuse_model::registry::ResolvedRegistry;
use lastuse_query::{QueryError, Settings, catalog, known};
use lastuse_store::Table;
use sqllogictest::{
    AsyncDB, DBOutput, DefaultColumnType, Runner, default_column_validator, default_normalizer,
    default_validator, strict_column_validator,
};

/// The instant of reports, unless a file sets another.
const AS_OF: &str = "2026-06-01T00:00:00Z";

/// Why a statement of a test file failed.
#[derive(Debug, thiserror::Error)]
enum CaseError {
    #[error("{0}")]
    Query(#[from] QueryError),
    #[error("{0}")]
    Engine(#[from] datafusion::error::DataFusionError),
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
    #[error("there is no report `{name}`")]
    NoReport { name: String },
    #[error("{0}")]
    Time(#[from] jiff::Error),
}

/// The tables, views and reports of one test file.
struct Tables {
    context: SessionContext,
    stored: Vec<(&'static str, Arc<MemTable>)>,
    as_of_time: i64,
    /// Views may have kept what they read.
    is_read: bool,
}

impl Tables {
    /// Empty tables with the views and reports over them.
    async fn empty(as_of: &str) -> Result<Self, CaseError> {
        let as_of_time = as_of.parse::<jiff::Timestamp>()?.as_microsecond();
        let mut stored = Vec::new();
        for table in Table::ALL {
            let rows = MemTable::try_new(stored_schema(table), vec![Vec::new()])?;
            stored.push((catalog::stored_name(table), Arc::new(rows)));
        }
        let registry = ResolvedRegistry::default();
        for (name, rows) in [
            ("params", known::parameter_table(as_of_time)),
            ("secret_versions", known::version_table(&[], as_of_time)),
            ("version_credentials", known::version_credential_table(&[])),
            ("declared_consumers", known::declared_table(&registry)),
            ("addresses", known::address_table(&registry, &[])),
            ("source_facts", known::source_table(&[])),
        ] {
            stored.push((name, Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?)));
        }
        Self::over(stored, as_of_time).await
    }

    /// Views and reports over these tables, as a command opens them.
    async fn over(
        stored: Vec<(&'static str, Arc<MemTable>)>,
        as_of_time: i64,
    ) -> Result<Self, CaseError> {
        let settings =
            Settings { as_of_time, sources: Vec::new(), threads: 2, memory_bytes: 1 << 30 };
        let context = catalog::session(&settings)?;
        for (name, rows) in &stored {
            context.register_table(*name, Arc::clone(rows) as _)?;
        }
        catalog::register_views(&context, as_of_time).await?;
        catalog::register_reports(&context).await?;
        Ok(Self { context, stored, as_of_time, is_read: false })
    }

    async fn answer(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, CaseError> {
        if let Some(rest) = sql.trim().strip_prefix("RESET") {
            let as_of = rest.trim().strip_prefix("AS OF").map_or(AS_OF, str::trim);
            *self = Self::empty(as_of.trim_matches('\'')).await?;
            return Ok(DBOutput::StatementComplete(0));
        }
        let (sql, columns) = match sql.trim().strip_prefix("REPORT ") {
            Some(rest) => report(rest)?,
            None => (sql, None),
        };
        let is_insert = sql.trim_start().starts_with("INSERT");
        if is_insert && self.is_read {
            *self = Self::over(std::mem::take(&mut self.stored), self.as_of_time).await?;
        }
        self.is_read = !is_insert;
        let frame = self.context.sql(sql).await?;
        let schema = SchemaRef::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await?;
        if is_insert {
            return Ok(DBOutput::StatementComplete(0));
        }
        let columns = match columns {
            Some(names) => {
                names.iter().map(|it| schema.index_of(it)).collect::<Result<Vec<_>, _>>()?
            }
            None => (0..schema.fields().len()).collect(),
        };
        let types = columns.iter().map(|at| column_type(schema.field(*at).data_type())).collect();
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(cells(&batch.project(&columns)?)?);
        }
        Ok(DBOutput::Rows { types, rows })
    }
}

/// The SQL of a report and the columns to show, of `NAME COLUMN, COLUMN...`.
fn report(text: &str) -> Result<(&'static str, Option<Vec<&str>>), CaseError> {
    let (name, columns) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    let sql = catalog::reports().find(|it| it.0 == name).map(|it| it.1);
    let sql = sql.ok_or_else(|| CaseError::NoReport { name: name.to_owned() })?;
    let columns = columns.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    Ok((sql, Some(columns)))
}

/// The columns of a table as the engine scans it.
fn stored_schema(table: Table) -> SchemaRef {
    let schema = table.schema();
    if table != Table::Events {
        return schema;
    }
    let mut fields = schema.fields().to_vec();
    fields.push(Arc::new(Field::new("event_date", DataType::Date32, true)));
    Arc::new(Schema::new(fields))
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        it if it.is_integer() => DefaultColumnType::Integer,
        it if it.is_floating() => DefaultColumnType::FloatingPoint,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DefaultColumnType::Text,
        _ => DefaultColumnType::Any,
    }
}

fn cells(batch: &RecordBatch) -> Result<Vec<Vec<String>>, CaseError> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch
        .columns()
        .iter()
        .map(|it| ArrayFormatter::try_new(it.as_ref(), &options))
        .collect::<Result<Vec<_>, _>>()?;
    let cell = |column: &ArrayFormatter<'_>, row| match column.value(row).to_string() {
        empty if empty.is_empty() => "(empty)".to_owned(),
        text => text,
    };
    Ok((0..batch.num_rows())
        .map(|row| columns.iter().map(|column| cell(column, row)).collect())
        .collect())
}

#[async_trait]
impl AsyncDB for Tables {
    type Error = CaseError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, CaseError> {
        self.answer(sql).await
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "datafusion"
    }
}

/// The test files of a folder under `queries/`, in order.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../queries").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot list `{}`: {error}", folder.display()))
        .map(|it| it.expect("an entry of the folder").path())
        .filter(|it| it.extension().is_some_and(|it| it == "slt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "`{}` has no test files", folder.display());
    files
}

/// Runs the files of a folder, and tells of all that fail.
async fn run(folder: &str) {
    let update = std::env::var_os("LASTUSE_UPDATE_SLT").is_some();
    let mut failures = Vec::new();
    for file in files(folder) {
        let mut runner = Runner::new(|| Tables::empty(AS_OF));
        let outcome = if update {
            let (normalizer, columns) = (default_normalizer, default_column_validator);
            let done =
                runner.update_test_file(&file, "  ", default_validator, normalizer, columns).await;
            done.map_err(|error| error.to_string())
        } else {
            runner.with_column_validator(strict_column_validator);
            runner.run_file_async(&file).await.map_err(|error| error.display(false).to_string())
        };
        if let Err(error) = outcome {
            failures.push(format!("{}: {error}", file.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn every_view_answers_as_its_test_file_says() {
    run("views").await;
}

#[tokio::test]
async fn every_report_answers_as_its_test_file_says() {
    run("reports").await;
}

/// Pseudo-random numbers (xorshift64*), the same in every run.
struct Dice(u64);

impl Dice {
    /// Between 0 and 1.
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }
}

const HOUR: f64 = 3_600.0;

/// Times of a source's events in seconds over `days`: a Poisson stream, by day only or always.
fn stream(dice: &mut Dice, days: f64, per_hour: f64, by_day: bool) -> Vec<f64> {
    let (mut times, mut at) = (Vec::new(), 0.0);
    while at < days * 24.0 * HOUR {
        at += -(1.0 - dice.share()).ln() * HOUR / per_hour;
        let hour = (at / HOUR) % 24.0;
        if !by_day || (8.0..18.0).contains(&hour) {
            times.push(at);
        }
    }
    times
}

/// Of each hour with events its number, and the first and last of them.
fn hours(times: &[f64]) -> Vec<(i64, f64, f64)> {
    let mut hours: Vec<(i64, f64, f64)> = Vec::new();
    for time in times {
        let hour = (time / HOUR) as i64;
        match hours.last_mut() {
            Some(last) if last.0 == hour => last.2 = *time,
            _ => hours.push((hour, *time, *time)),
        }
    }
    hours
}

/// The gap up to which a source's gaps are usual, as the view takes it.
fn usual_gap(hours: &[(i64, f64, f64)]) -> f64 {
    let mut gaps: Vec<f64> = hours.windows(2).map(|it| it[1].1 - it[0].2).collect();
    gaps.sort_by(|a, b| b.total_cmp(a));
    gaps[gaps.len() / 100 + 1]
}

/// Removed spans of three usual gaps and more are listed, and at most 1 % of the others.
#[tokio::test]
async fn holes_are_found_and_hardly_any_other_is() {
    let mut dice = Dice(20_261_123);
    let mut tables = Tables::empty("2027-01-01T00:00:00Z").await.unwrap();
    let start = "2026-05-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let at = |seconds: f64| start + jiff::SignedDuration::from_millis((seconds * 1e3) as i64);
    let (mut removed, mut gap_count) = (BTreeMap::new(), 0);
    for number in 0..60 {
        let per_hour = 0.3 * 1.1_f64.powi(number);
        let by_day = number % 3 == 0;
        let mut times = stream(&mut dice, 45.0, per_hour, by_day);
        let length = (usual_gap(&hours(&times)) * 3.3).max(1.2 * HOUR);
        // Not across a pause of the source's own, which would not be a removed span.
        let begin = (5.0 + dice.share() * 30.0).floor() * 24.0 * HOUR + 9.0 * HOUR;
        times.retain(|it| *it < begin || *it >= begin + length);
        removed.insert(format!("s{number:03}"), (at(begin), at(begin + length)));
        let hours = hours(&times);
        gap_count += hours.len() - 1;
        let values: Vec<String> = hours
            .iter()
            .map(|(hour, first, last)| {
                let hour = at(*hour as f64 * HOUR);
                format!(
                    "('test', 's{number:03}', '{hour}', '{}', '{}', 1, 'events')",
                    at(*first),
                    at(*last)
                )
            })
            .collect();
        let columns =
            "source, source_scope, hour_time, first_time, last_time, record_count, evidence";
        let insert = format!("INSERT INTO coverage ({columns}) VALUES {}", values.join(", "));
        tables.answer(&insert).await.unwrap();
    }
    let sql = "SELECT source_scope, start_time, end_time FROM coverage_holes";
    let DBOutput::Rows { rows, .. } = tables.answer(sql).await.unwrap() else { panic!() };
    let time = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let mut false_count = 0;
    for row in &rows {
        let (begin, end) = removed[&row[0]];
        let is_removed = time(&row[1]) <= begin && time(&row[2]) >= end;
        false_count += usize::from(!is_removed);
    }
    let found = rows.len() - false_count;
    assert_eq!(found, removed.len(), "holes not found: of {} sources {found}", removed.len());
    assert!(false_count * 100 <= gap_count, "{false_count} false holes of {gap_count} gaps");
}
