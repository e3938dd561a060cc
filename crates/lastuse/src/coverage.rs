//! `lastuse coverage`: what the logs cover, per source and scope, or per secret version.

use clap::Args;

use crate::output::{OutputArgs, print, print_with_first};
use crate::workspace::Workspace;

/// Flags of `coverage`.
#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// Only the logs that could have shown a use of this secret, for each of its versions
    #[arg(long, value_name = "ID")]
    pub secret: Option<String>,
    /// The same for one version of the secret
    #[arg(long, value_name = "V", requires = "secret")]
    pub version: Option<String>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `coverage`.
pub fn run(workspace: &Workspace, args: &CoverageArgs) -> anyhow::Result<u8> {
    let store = workspace.existing_store()?;
    let catalog = workspace.catalog(&store)?;
    let Some(secret) = args.secret.as_deref() else {
        let answer = workspace.runtime.block_on(catalog.report_rows("coverage", None))?;
        print(&answer, args.output.format)?;
        return Ok(0);
    };
    let rows = catalog.version_rows("secret_coverage", Some(secret), args.version.as_deref());
    let answer = workspace.runtime.block_on(rows)?;
    let first = ["version", "known_by", "source", "source_scope", "watermark_time", "hole_count"];
    print_with_first(&answer, &first, args.output.format)?;
    Ok(0)
}
