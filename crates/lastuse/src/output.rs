//! Rows on standard output: for people at a terminal, for machines in a pipe.

use std::io::{IsTerminal, Write};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use clap::Args;
use lastuse_query::Answer;
use lastuse_render::{Format, Options, UnknownFormat, render};
use parquet::arrow::ArrowWriter;

use crate::errors::hinted;

/// Prints a line on standard output; a reader that went away is an error like
/// any other, and not a panic.
macro_rules! say {
    ($($text:tt)*) => {
        std::io::Write::write_fmt(
            &mut std::io::stdout().lock(),
            format_args!("{}\n", format_args!($($text)*)),
        )?
    };
}
pub(crate) use say;

/// How rows are printed.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// table, json, ndjson, csv, html or parquet
    #[arg(long, default_value = "table", value_name = "FORMAT", value_parser = parse_format)]
    pub format: OutputFormat,
}

fn parse_format(given: &str) -> Result<OutputFormat, String> {
    given.parse().map_err(|it| unknown_format(&it, &["parquet"]))
}

/// What to use instead of a format that is not there; `more` are those of this command.
pub fn unknown_format(error: &UnknownFormat, more: &[&str]) -> String {
    let mut known: Vec<&str> = Format::ALL.iter().map(|it| it.name()).collect();
    known.extend(more);
    let last = known.pop().unwrap_or_default();
    format!("there is no format `{}`: use {} or {last}", error.given, known.join(", "))
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Text of some kind.
    Text(Format),
    /// A Parquet file, which other engines read with its types.
    Parquet,
}

impl OutputFormat {
    /// Aligned columns for people.
    pub const TABLE: OutputFormat = OutputFormat::Text(Format::Table);
}

impl FromStr for OutputFormat {
    type Err = UnknownFormat;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        if given.eq_ignore_ascii_case("parquet") {
            return Ok(OutputFormat::Parquet);
        }
        given.parse().map(OutputFormat::Text)
    }
}

/// Whether standard output is a terminal, and how wide.
pub fn options() -> Options {
    let mut options = Options::default();
    if std::io::stdout().is_terminal() {
        options.width = terminal_size::terminal_size().map(|it| usize::from(it.0.0));
        let is_dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
        options.colour = std::env::var_os("NO_COLOR").is_none() && !is_dumb;
    }
    options
}

/// A row by the names of its columns.
pub type Row = serde_json::Map<String, serde_json::Value>;

/// The rows as objects.
pub fn objects(batches: &[RecordBatch]) -> anyhow::Result<Vec<Row>> {
    let mut all = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let mut it = Row::new();
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                it.insert(field.name().clone(), lastuse_render::json_value(column, row)?);
            }
            all.push(it);
        }
    }
    Ok(all)
}

/// Prints rows in the wanted format.
pub fn print(answer: &Answer, format: OutputFormat) -> anyhow::Result<()> {
    print_rows(&answer.schema, &answer.batches, format)
}

/// Prints rows in the wanted format; for people with the columns `first` before
/// the others, since a narrow terminal shows only the first ones.
pub fn print_with_first(
    answer: &Answer,
    first: &[&str],
    format: OutputFormat,
) -> anyhow::Result<()> {
    if format != OutputFormat::TABLE {
        return print(answer, format);
    }
    let fields = answer.schema.fields();
    let mut order: Vec<usize> =
        first.iter().filter_map(|name| answer.schema.index_of(name).ok()).collect();
    order.extend((0..fields.len()).filter(|at| !first.contains(&fields[*at].name().as_str())));
    let schema = SchemaRef::new(answer.schema.project(&order)?);
    let batches =
        answer.batches.iter().map(|it| it.project(&order)).collect::<Result<Vec<_>, _>>()?;
    print_rows(&schema, &batches, format)
}

/// Prints rows in the wanted format.
pub fn print_rows(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    format: OutputFormat,
) -> anyhow::Result<()> {
    let OutputFormat::Text(format) = format else { return write_parquet(schema, batches) };
    let mut out = std::io::stdout().lock();
    render(batches, schema, format, &options(), &mut out).context("cannot print the rows")?;
    out.flush().context("cannot print the rows")
}

fn write_parquet(schema: &SchemaRef, batches: &[RecordBatch]) -> anyhow::Result<()> {
    if std::io::stdout().is_terminal() {
        return Err(hinted(
            "Parquet is not shown on a terminal",
            "write it to a file: `lastuse ... --format parquet > rows.parquet`",
        ));
    }
    let write = || -> Result<(), parquet::errors::ParquetError> {
        let mut writer = ArrowWriter::try_new(std::io::stdout(), Arc::clone(schema), None)?;
        for batch in batches {
            writer.write(batch)?;
        }
        writer.close().map(drop)
    };
    write().context("cannot write the rows as Parquet")
}
