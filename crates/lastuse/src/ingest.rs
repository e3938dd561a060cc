//! `lastuse ingest`: read logs.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lastuse_ingest::{DigestKeys, Ingest, Input, Progress, Report, discover};
use lastuse_model::redact::Redactor;

use crate::cli::INTERRUPTED;
use crate::errors::{hinted, printable};
use crate::output::say;
use crate::workspace::Workspace;

/// Flags of `ingest`.
#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Files, directories, globs, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The source of all inputs; else it is found out for each
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// The issuer of what the logs name, where they don't say (a Vault cluster, a host)
    #[arg(long, value_name = "NAME")]
    pub scope: Option<String>,
    /// What `aws cloudtrail list-public-keys` printed, to check the signatures of CloudTrail's digests
    #[arg(long, value_name = "FILE")]
    pub digest_keys: Option<PathBuf>,
    /// How to print what was read: table or json
    #[arg(long, default_value = TABLE, value_name = "FORMAT", value_parser = [TABLE, JSON])]
    pub format: String,
}

/// Counts in columns, for people.
pub const TABLE: &str = "table";
/// One object with everything that the run did, for scripts.
const JSON: &str = "json";

/// Runs `ingest`.
pub fn run(workspace: &Workspace, args: &IngestArgs) -> anyhow::Result<u8> {
    let report = read(workspace, args)?;
    match args.format.as_str() {
        JSON => print_json(&report)?,
        _ => print_report(&report)?,
    }
    if report.interrupted {
        eprintln!("interrupted: what was read is stored; run the same command again to go on");
        return Ok(INTERRUPTED);
    }
    Ok(u8::from(is_failure(&report)))
}

/// Some input that the user meant was not read.
fn is_failure(report: &Report) -> bool {
    !report.failed.is_empty()
        || report.passed.iter().any(|it| it.failed)
        || report.unrecognised.iter().any(|it| it.2)
}

/// Reads the inputs into the store.
pub fn read(workspace: &Workspace, args: &IngestArgs) -> anyhow::Result<Report> {
    let catalog = workspace.source_catalog()?;
    if let Some(name) = &args.source
        && catalog.get(name).is_none()
    {
        return Err(hinted(
            format!("there is no source called `{name}`"),
            "`lastuse sources list` shows the sources",
        ));
    }
    let store = workspace.store()?;
    let key = Arc::new(workspace.key()?);
    let registry = workspace.registry(&store)?;
    let redactor = Arc::new(Redactor::new((*key).clone(), registry.secret_uids()));
    // A scope is stored and shown as it is.
    if args.scope.as_deref().is_some_and(|it| redactor.finds(it)) {
        return Err(hinted(
            "the scope given is a raw secret",
            "name the issuer, such as a Vault cluster and device or a host",
        ));
    }
    let (stdin, paths): (Vec<_>, Vec<_>) =
        args.paths.iter().cloned().partition(|it| it.as_os_str() == "-");
    let mut found = discover(&paths, &workspace.global.data);
    found.inputs.extend(stdin.first().map(|path| Input {
        path: path.clone(),
        size_bytes: 0,
        modified_time: workspace.as_of().as_microsecond(),
        named: true,
    }));
    let stop = stop_on_interrupt(workspace);
    let bar = progress_bar(found.inputs.len());
    let ingest = Ingest {
        store: &store,
        key,
        redactor,
        catalog: &catalog,
        source: args.source.clone(),
        scope: args.scope.clone(),
        digest_keys: args.digest_keys.as_deref().map(read_keys).transpose()?,
        threads: workspace.threads(),
        runtime: workspace.runtime.handle().clone(),
        stop: &stop,
        progress: &|it: &Progress| show(&bar, it),
    };
    let mut report = ingest.run(&found.inputs)?;
    bar.finish_and_clear();
    report.passed = found.passed;
    Ok(report)
}

fn read_keys(path: &Path) -> anyhow::Result<DigestKeys> {
    let failed = || format!("cannot read the public keys in `{}`", path.display());
    let text = std::fs::read_to_string(path).with_context(failed)?;
    DigestKeys::parse(&text).with_context(failed)
}

/// The first Ctrl-C ends the run in good order, the second at once.
fn stop_on_interrupt(workspace: &Workspace) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    workspace.runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        flag.store(true, Ordering::Relaxed);
        eprintln!("\nstopping: storing what was read (Ctrl-C again to stop at once)");
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(i32::from(INTERRUPTED));
        }
    });
    stop
}

/// Progress goes to a terminal, and nowhere else.
fn progress_bar(inputs: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() || inputs == 0 {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(inputs as u64);
    let template = "{elapsed_precise} {bar:30} {pos}/{len} files, {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn show(bar: &ProgressBar, progress: &Progress) {
    if bar.is_hidden() {
        return;
    }
    bar.set_length(progress.inputs_total as u64);
    bar.set_position(progress.inputs_done as u64);
    bar.set_message(format!(
        "{} MB, {} events",
        progress.bytes_read / 1_000_000,
        thousands(progress.events)
    ));
}

/// A number with its thousands set apart.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What was read, per source: the four kinds add up to the records.
pub fn print_report(report: &Report) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if !report.sources.is_empty() {
        let names = report.sources.keys().map(|it| it.chars().count());
        let width = names.max().unwrap_or(0).max("source".len());
        writeln!(
            out,
            "{:width$}  {:>7}  {:>11}  {:>11}  {:>10}  {:>9}  {:>9}",
            "source", "files", "records", "accepted", "duplicates", "skipped", "rejected"
        )?;
        for (name, it) in &report.sources {
            let counts = it.counts;
            writeln!(
                out,
                "{name:width$}  {:>7}  {:>11}  {:>11}  {:>10}  {:>9}  {:>9}",
                thousands(it.files),
                thousands(counts.records()),
                thousands(counts.accepted),
                thousands(counts.duplicate),
                thousands(counts.skipped),
                thousands(counts.rejected),
            )?;
        }
    }
    if report.digests > 0 {
        writeln!(out, "digests of what was delivered: {} files", thousands(report.digests))?;
    }
    if report.unchanged > 0 {
        writeln!(out, "read before and the same: {} files", thousands(report.unchanged))?;
    }
    if report.sources.is_empty() && report.unchanged == 0 && report.digests == 0 {
        writeln!(out, "no records were found")?;
    }
    out.flush()?;
    print_troubles(report);
    Ok(())
}

/// The same as one JSON object, with every input that was not read.
fn print_json(report: &Report) -> anyhow::Result<()> {
    let sources: Vec<_> = report
        .sources
        .iter()
        .map(|(name, it)| {
            serde_json::json!({
                "source": name,
                "files": it.files,
                "records": it.counts.records(),
                "accepted": it.counts.accepted,
                "duplicates": it.counts.duplicate,
                "skipped": it.counts.skipped,
                "rejected": it.counts.rejected,
            })
        })
        .collect();
    let unread: Vec<_> = troubles(report)
        .map(|(kind, path, reason)| {
            serde_json::json!({"path": path.display().to_string(), "kind": kind, "reason": reason})
        })
        .collect();
    say!(
        "{}",
        serde_json::json!({
            "sources": sources,
            "unchanged_files": report.unchanged,
            "digest_files": report.digests,
            "unread": unread,
            "interrupted": report.interrupted,
        })
    );
    print_troubles(report);
    Ok(())
}

/// What was not read: whether that is an error, the input, and why.
fn troubles(report: &Report) -> impl Iterator<Item = (&'static str, &Path, String)> {
    let kind = |is_error: bool| if is_error { "error" } else { "note" };
    let failed = report.failed.iter().map(|it| ("error", it.0.as_path(), it.1.clone()));
    let passed =
        report.passed.iter().map(move |it| (kind(it.failed), it.path.as_path(), it.reason.clone()));
    let unrecognised = report
        .unrecognised
        .iter()
        .map(move |it| (kind(it.2), it.0.as_path(), format!("no source: {}", it.1)));
    let held_back = report.held_back.iter().map(|it| {
        let reason = "its last record is not complete yet and waits for the next run";
        ("note", it.as_path(), reason.to_owned())
    });
    failed.chain(passed).chain(unrecognised).chain(held_back)
}

/// How many inputs in trouble are named one by one.
const TROUBLES_SHOWN: usize = 20;

/// What was not read, on standard error, each with its reason.
fn print_troubles(report: &Report) {
    let lines: Vec<_> = troubles(report)
        .map(|(kind, path, reason)| {
            // The name of a file may hold anything, lines of its own included.
            let path = printable(&path.display().to_string()).replace('\n', "\u{fffd}");
            format!("{kind}: `{path}`: {}", printable(&reason))
        })
        .collect();
    for line in lines.iter().take(TROUBLES_SHOWN) {
        eprintln!("{line}");
    }
    if lines.len() > TROUBLES_SHOWN {
        eprintln!("... and {} more like these", lines.len() - TROUBLES_SHOWN);
    }
    if report.total().rejected > 0 {
        eprintln!(
            "note: records were rejected; `lastuse sql \"SELECT path, record_number, reason FROM rejects\"` lists them"
        );
    }
}
