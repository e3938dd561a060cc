//! Rows on standard output: for people at a terminal, for machines in a pipe.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use clap::Args;
use lastuse_query::Answer;
use lastuse_render::{Format, Options, render};

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
    /// table, json, ndjson or csv
    #[arg(long, default_value = "table", value_name = "FORMAT")]
    pub format: Format,
}

/// Whether standard output is a terminal, and how wide.
pub fn options() -> Options {
    let mut options = Options::default();
    if std::io::stdout().is_terminal() {
        options.width = terminal_size::terminal_size().map(|it| usize::from(it.0.0));
        options.colour = std::env::var_os("NO_COLOR").is_none();
    }
    options
}

/// Prints rows in the wanted format.
pub fn print(answer: &Answer, format: Format) -> anyhow::Result<()> {
    print_rows(&answer.schema, &answer.batches, format)
}

/// Prints rows in the wanted format; for people with the columns `first` before
/// the others, since a narrow terminal shows only the first ones.
pub fn print_with_first(answer: &Answer, first: &[&str], format: Format) -> anyhow::Result<()> {
    if format != Format::Table {
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
    format: Format,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    render(batches, schema, format, &options(), &mut out).context("cannot print the rows")?;
    out.flush().context("cannot print the rows")
}
