//! `lastuse coverage`: what the logs cover, per source and scope.

use clap::Args;

use crate::output::{OutputArgs, print};
use crate::workspace::Workspace;

/// Flags of `coverage`.
#[derive(Debug, Args)]
pub struct CoverageArgs {
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `coverage`.
pub fn run(workspace: &Workspace, args: &CoverageArgs) -> anyhow::Result<u8> {
    let store = workspace.existing_store()?;
    let catalog = workspace.catalog(&store)?;
    let answer = workspace.runtime.block_on(catalog.report_rows("coverage", None))?;
    print(&answer, args.output.format)?;
    Ok(0)
}
