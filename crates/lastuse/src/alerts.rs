//! `lastuse alerts`: uses of retired secret versions.

use clap::Args;
use lastuse_render::{Format, UnknownFormat, ocsf};

use crate::cli::FOUND;
use crate::output::print_with_first;
use crate::workspace::Workspace;

/// Flags of `alerts`.
#[derive(Debug, Args)]
pub struct AlertsArgs {
    /// Only findings whose last event is at or after this instant
    #[arg(long, value_name = "TIME")]
    pub since: Option<jiff::Timestamp>,
    /// table, json, ndjson, csv or ocsf (OCSF Detection Finding, one per line)
    #[arg(long, default_value = "table", value_name = "FORMAT", value_parser = parse_format)]
    pub format: AlertFormat,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy)]
pub enum AlertFormat {
    /// As rows.
    Rows(Format),
    /// As OCSF Detection Findings.
    Ocsf,
}

fn parse_format(text: &str) -> Result<AlertFormat, UnknownFormat> {
    match text {
        "ocsf" => Ok(AlertFormat::Ocsf),
        other => other.parse().map(AlertFormat::Rows),
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
