//! `lastuse sql`: ad hoc SQL that only reads.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use lastuse_query::{Catalog, QueryLimits};

use crate::errors::print_error;
use crate::output::{OutputArgs, print, say};
use crate::workspace::Workspace;

/// Flags of `sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The query; without it and without -f, a prompt
    pub query: Option<String>,
    /// Read the query from this file
    #[arg(short, long, value_name = "FILE", conflicts_with = "query")]
    pub file: Option<PathBuf>,
    /// End the query after this long
    #[arg(long, default_value_t = 300, value_name = "N")]
    pub timeout_seconds: u64,
    /// End the query when it needs more memory
    #[arg(long, default_value_t = 4096, value_name = "N")]
    pub max_memory_mb: usize,
    /// End the query when it has more rows (0 for no limit)
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub max_rows: usize,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `sql`.
pub fn run(workspace: &Workspace, args: &SqlArgs) -> anyhow::Result<u8> {
    let query = match (&args.query, &args.file) {
        (Some(query), _) => Some(query.clone()),
        (None, Some(file)) => Some(
            std::fs::read_to_string(file)
                .with_context(|| format!("cannot read `{}`", file.display()))?,
        ),
        (None, None) => None,
    };
    let store = workspace.existing_store()?;
    let catalog = workspace.catalog_with_memory(&store, args.max_memory_mb << 20)?;
    workspace.runtime.block_on(catalog.register_reports())?;
    match query {
        Some(query) => answer(workspace, &catalog, args, &query).map(|()| 0),
        None => prompt(workspace, &catalog, args),
    }
}

fn answer(
    workspace: &Workspace,
    catalog: &Catalog,
    args: &SqlArgs,
    query: &str,
) -> anyhow::Result<()> {
    let limits =
        QueryLimits { time: Duration::from_secs(args.timeout_seconds), rows: args.max_rows };
    let answer = workspace.runtime.block_on(catalog.query(query, limits))?;
    print(&answer, args.output.format)
}

/// Reads queries, each ended by a semicolon, until the input ends. A wrong query does not end the
/// prompt; of a script, the exit code tells it.
fn prompt(workspace: &Workspace, catalog: &Catalog, args: &SqlArgs) -> anyhow::Result<u8> {
    let is_terminal = std::io::stdin().is_terminal();
    let ask = |text: &str| {
        if is_terminal {
            print!("{text}");
            let _ = std::io::stdout().flush();
        }
    };
    if is_terminal {
        say!("SQL, read only; end a query with `;`. SHOW TABLES lists the tables, Ctrl-D ends.");
    }
    let mut failed = false;
    let mut run_one = |query: &str| {
        if let Err(error) = answer(workspace, catalog, args, query) {
            print_error(&error);
            failed = true;
        }
    };
    let mut query = String::new();
    ask("lastuse> ");
    for line in std::io::stdin().lock().lines() {
        query.push_str(&line.context("cannot read standard input")?);
        query.push('\n');
        let ended = query.trim_end().ends_with(';');
        if ended {
            run_one(&query);
            query.clear();
        }
        ask(if query.trim().is_empty() { "lastuse> " } else { "      -> " });
    }
    if !query.trim().is_empty() {
        run_one(&query);
    }
    Ok(u8::from(failed && !is_terminal))
}
