//! `lastuse last-use`: when each secret version was last used.

use clap::Args;

use crate::output::{OutputArgs, print_with_first};
use crate::workspace::Workspace;

/// Flags of `last-use`.
#[derive(Debug, Args)]
pub struct LastUseArgs {
    /// Only this secret
    #[arg(long, value_name = "ID")]
    pub secret: Option<String>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `last-use`.
pub fn run(workspace: &Workspace, args: &LastUseArgs) -> anyhow::Result<u8> {
    let store = workspace.existing_store()?;
    let catalog = workspace.catalog(&store)?;
    let answer =
        workspace.runtime.block_on(catalog.report_rows("last_use", args.secret.as_deref()))?;
    let first = [
        "secret_id",
        "version",
        "state",
        "last_used_time",
        "derived_last_used_time",
        "use_count",
        "rejected_count",
        "consumer_count",
    ];
    print_with_first(&answer, &first, args.output.format)?;
    Ok(0)
}
