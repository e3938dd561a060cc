//! `lastuse sources`: what can be read, and what a file would become.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Subcommand;
use lastuse_ingest::preview::{Preview, preview};
use lastuse_model::redact::Redactor;

use crate::errors::{hinted, printable};
use crate::output::{OutputArgs, OutputFormat, print_rows, say};
use crate::workspace::{Workspace, passing_key};

/// What to do with sources.
#[derive(Debug, Subcommand)]
pub enum SourcesCommand {
    /// List the sources
    List,
    /// Show what a source is recognised by, what it cannot show, and its SQL
    Show {
        /// The source
        name: String,
    },
    /// Show which source a file is taken for and the first rows it becomes; stores nothing
    Test {
        /// The file
        file: PathBuf,
        /// Take it for this source
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// How many rows to show
        #[arg(long, default_value_t = 10, value_name = "N")]
        rows: usize,
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Runs `sources`.
pub fn run(workspace: &Workspace, command: &SourcesCommand) -> anyhow::Result<u8> {
    match command {
        SourcesCommand::List => list(workspace),
        SourcesCommand::Show { name } => show(workspace, name),
        SourcesCommand::Test { file, source, rows, output } => {
            test(workspace, file, source.as_deref(), *rows, output)
        }
    }
}

fn list(workspace: &Workspace) -> anyhow::Result<u8> {
    let catalog = workspace.source_catalog()?;
    let width = catalog.iter().map(|it| it.name.len()).max().unwrap_or(0);
    for source in catalog.iter() {
        say!("{:width$}  {}", source.name, source.title);
    }
    Ok(0)
}

fn show(workspace: &Workspace, name: &str) -> anyhow::Result<u8> {
    let catalog = workspace.source_catalog()?;
    let source = catalog.get(name).ok_or_else(|| {
        hinted(format!("there is no source called `{name}`"), "`lastuse sources list` shows them")
    })?;
    say!("{}: {}", source.name, source.title);
    say!("category: {}", source.category);
    if let Some(delay) = &source.delay {
        say!("delay: {delay}");
    }
    for spot in &source.blind_spots {
        say!("blind spot: {spot}");
    }
    say!("\n{}", source.sql.trim_end());
    for further in &source.further {
        say!("\n{}", further.text.trim_end());
    }
    Ok(0)
}

fn test(
    workspace: &Workspace,
    file: &std::path::Path,
    source: Option<&str>,
    rows: usize,
    output: &OutputArgs,
) -> anyhow::Result<u8> {
    let catalog = workspace.source_catalog()?;
    // What the registry knows to be secret is not shown here either.
    let (key, known) = match workspace.global.data.exists() {
        true => {
            let registry = workspace.registry(&workspace.store()?)?;
            (Arc::new(workspace.key()?), registry.secret_uids().collect())
        }
        false => (passing_key()?, Vec::new()),
    };
    let redactor = Arc::new(Redactor::new((*key).clone(), known));
    let preview = preview(&catalog, source, file, key, redactor, rows)
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    if output.format == OutputFormat::TABLE {
        explain(&preview)?;
    }
    let Some(batch) = &preview.rows else { return Ok(1) };
    print_rows(&batch.schema(), std::slice::from_ref(batch), output.format)?;
    Ok(0)
}

/// Which source it is and why, and what became of the records looked at.
fn explain(preview: &Preview) -> anyhow::Result<()> {
    match &preview.source {
        Some(source) => say!("source: {source} ({})", printable(&preview.reason)),
        None => say!("no source: {}", printable(&preview.reason)),
    }
    for (source, reason) in &preview.tried {
        say!("not {source}: {}", printable(reason));
    }
    if preview.source.is_none() {
        return Ok(());
    }
    say!(
        "records looked at: {} (rows {}, skipped {}, rejected {})",
        preview.records,
        preview.row_count,
        preview.skipped,
        preview.rejects.len()
    );
    for reject in preview.rejects.iter().take(10) {
        say!("rejected: record {}: {}", reject.record_number, printable(&reject.reason));
    }
    if !preview.missing_fields.is_empty() {
        say!("fields that no record has: {}", preview.missing_fields.join(", "));
    }
    say!("");
    Ok(())
}
