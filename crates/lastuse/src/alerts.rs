//! `lastuse alerts`: uses of retired secret versions.

use clap::Args;
use lastuse_render::ocsf;

use crate::cli::{FOUND, parse_instant};
use crate::output::{OutputFormat, print_with_first, unknown_format};
use crate::workspace::Workspace;

/// Flags of `alerts`.
#[derive(Debug, Args)]
pub struct AlertsArgs {
    /// Only findings whose last event is at or after this instant
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub since: Option<jiff::Timestamp>,
    /// table, json, ndjson, csv, html, parquet or ocsf (OCSF Detection Finding, one per line)
    #[arg(long, default_value = "table", value_name = "FORMAT", value_parser = parse_format)]
    pub format: AlertFormat,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy)]
pub enum AlertFormat {
    /// As rows.
    Rows(OutputFormat),
    /// As OCSF Detection Findings.
    Ocsf,
}

fn parse_format(text: &str) -> Result<AlertFormat, String> {
    match text {
        "ocsf" => Ok(AlertFormat::Ocsf),
        other => match other.parse() {
            Ok(format) => Ok(AlertFormat::Rows(format)),
            Err(error) => Err(unknown_format(&error, &["parquet", "ocsf"])),
        },
    }
}

/// Runs `alerts`.
pub fn run(workspace: &Workspace, args: &AlertsArgs) -> anyhow::Result<u8> {
    let store = workspace.existing_store()?;
    let catalog = workspace.catalog(&store)?;
    let since = args.since.map(|it| it.as_microsecond());
    let answer = workspace.runtime.block_on(catalog.findings(since))?;
    let first = [
        "severity",
        "class",
        "secret_id",
        "version",
        "workload",
        "count",
        "last_time",
        "first_time",
    ];
    match args.format {
        AlertFormat::Rows(format) => print_with_first(&answer, &first, format)?,
        AlertFormat::Ocsf => ocsf(&answer.batches, &mut std::io::stdout().lock())?,
    }
    let found = answer.batches.iter().any(|it| it.num_rows() > 0);
    Ok(if found { FOUND } else { 0 })
}
