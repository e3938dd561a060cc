//! `lastuse alerts`: uses of retired secret versions.

use clap::Args;

use crate::cli::FOUND;
use crate::output::{OutputArgs, print};
use crate::workspace::Workspace;

/// Flags of `alerts`.
#[derive(Debug, Args)]
pub struct AlertsArgs {
    /// Only findings whose last event is at or after this instant
    #[arg(long, value_name = "TIME")]
    pub since: Option<jiff::Timestamp>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `alerts`.
pub fn run(workspace: &Workspace, args: &AlertsArgs) -> anyhow::Result<u8> {
    let store = workspace.existing_store()?;
    let catalog = workspace.catalog(&store)?;
    let since = args.since.map(|it| it.as_microsecond());
    let answer = workspace.runtime.block_on(catalog.findings(since))?;
    print(&answer, args.output.format)?;
    let found = answer.batches.iter().any(|it| it.num_rows() > 0);
    Ok(if found { FOUND } else { 0 })
}
