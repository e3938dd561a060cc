//! `lastuse demo`: a made-up estate, and the main job over it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use lastuse_estate::{EstateConfig, LogSource, Truth, generate};

use crate::errors::hinted;
use crate::ingest::{IngestArgs, TABLE, print_report, read, thousands};
use crate::inventory::{InventoryArgs, show};
use crate::output::{OutputArgs, OutputFormat, say};
use crate::secrets::import;
use crate::workspace::Workspace;

/// Flags of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Write the estate's logs, registry and truth into this folder and stop
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What the estate is made from; the same number gives the same estate
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// About how many events; without it a small estate that shows everything
    #[arg(long, value_name = "N")]
    pub events: Option<u64>,
    /// Only logs of this source; may be given several times
    #[arg(long, value_name = "SOURCE")]
    pub only: Vec<String>,
    /// CloudTrail as plain lines of JSON
    #[arg(long)]
    pub plain: bool,
    /// Keep the estate and its tables, and say where they are
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `demo`.
pub fn run(workspace: &Workspace, args: &DemoArgs) -> anyhow::Result<u8> {
    let config = config(args)?;
    if let Some(out) = &args.out {
        check_free(out)?;
        let truth = make(&config, out)?;
        let events: u64 = truth.sources.values().map(|it| it.distinct_events).sum();
        say!("wrote {} events to `{}`", thousands(events), out.display());
        return Ok(0);
    }
    let folder = tempfile::Builder::new()
        .prefix("lastuse-demo-")
        .disable_cleanup(args.keep)
        .tempdir()
        .context("cannot make a temporary folder")?;
    main_job(workspace, args, &config, folder.path())?;
    if args.keep {
        eprintln!("note: the estate and its tables are in `{}`", folder.path().display());
    }
    Ok(0)
}

fn config(args: &DemoArgs) -> anyhow::Result<EstateConfig> {
    let mut config = match args.events {
        Some(events) => EstateConfig::bench(events),
        None => EstateConfig::demo(),
    };
    config = config.with_seed(args.seed);
    config.cloudtrail_plain_ndjson = args.plain;
    if !args.only.is_empty() {
        let only = args
            .only
            .iter()
            .map(|name| {
                LogSource::ALL.into_iter().find(|it| it.name() == name).with_context(|| {
                    let known: Vec<_> = LogSource::ALL.iter().map(|it| it.name()).collect();
                    format!("the demo has no logs of `{name}`, only of {}", known.join(", "))
                })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        config = config.with_sources(&only);
    }
    Ok(config)
}

/// What is in the folder may not be replaced, unless it is an estate.
fn check_free(out: &Path) -> anyhow::Result<()> {
    let is_empty = std::fs::read_dir(out).map_or(true, |mut it| it.next().is_none());
    match is_empty || out.join("truth.json").is_file() {
        true => Ok(()),
        false => Err(hinted(
            format!("`{}` is not empty, and no estate of the demo", out.display()),
            "name a new folder",
        )),
    }
}

fn make(config: &EstateConfig, folder: &Path) -> anyhow::Result<Truth> {
    generate(config, folder)
        .with_context(|| format!("cannot write the estate to `{}`", folder.display()))
}

/// What a user does: import the registry, read the logs, ask.
fn main_job(
    workspace: &Workspace,
    args: &DemoArgs,
    config: &EstateConfig,
    folder: &Path,
) -> anyhow::Result<()> {
    let truth = make(config, folder)?;
    let demo = workspace.elsewhere(&folder.join("data"), truth.as_of_time)?;
    let store = demo.store()?;
    import(&demo, &store, &[folder.join("registry.yaml")], false)?;
    let ingest = IngestArgs {
        paths: vec![folder.join("logs")],
        source: None,
        scope: None,
        digest_keys: None,
        format: TABLE.to_owned(),
    };
    let report = read(&demo, &ingest)?;
    let is_table = args.output.format == OutputFormat::TABLE;
    if is_table {
        print_report(&report)?;
        say!("");
    }
    let catalog = demo.catalog(&store)?;
    let inventory = InventoryArgs { secret: None, output: args.output.clone() };
    show(&demo, &catalog, &inventory)
}
