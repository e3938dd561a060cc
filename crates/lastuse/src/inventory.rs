//! `lastuse inventory`: who consumes which version of which secret.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use lastuse_query::Catalog;

use crate::output::{OutputArgs, OutputFormat, options, print};
use crate::workspace::Workspace;

/// Flags of `inventory`.
#[derive(Debug, Args)]
pub struct InventoryArgs {
    /// Only this secret
    #[arg(long, value_name = "ID")]
    pub secret: Option<String>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `inventory`.
pub fn run(workspace: &Workspace, args: &InventoryArgs) -> anyhow::Result<u8> {
    let store = workspace.existing_store()?;
    let catalog = workspace.catalog(&store)?;
    show(workspace, &catalog, args)?;
    Ok(0)
}

/// Prints the inventory: grouped for people, or as rows for machines.
pub fn show(workspace: &Workspace, catalog: &Catalog, args: &InventoryArgs) -> anyhow::Result<()> {
    let secret = args.secret.as_deref();
    let answer = workspace.runtime.block_on(catalog.report_rows("inventory", secret))?;
    if args.output.format != OutputFormat::TABLE {
        return print(&answer, args.output.format);
    }
    let mut out = std::io::stdout().lock();
    lastuse_render::inventory(&answer.batches, workspace.as_of(), &options(), &mut out)
        .context("cannot print the inventory")?;
    out.flush()?;
    Ok(())
}
