//! Flags, and which command they are for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::workspace::Workspace;
use crate::{
    alerts, coverage, demo, ingest, inventory, last_use, readiness, report, secrets, sources, sql,
    verify_certificate,
};

/// Who still uses which version of which secret, when each version was last
/// used, and whether it may be revoked.
#[derive(Debug, Parser)]
#[command(name = "lastuse", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Directory of the tables and the fingerprint key
    #[arg(
        long,
        global = true,
        env = "LASTUSE_DATA",
        default_value = "./lastuse-data",
        value_name = "DIR"
    )]
    pub data: PathBuf,
    /// File of the fingerprint key, to keep it apart from the data [default: DIR/fingerprint.key]
    #[arg(long, global = true, env = "LASTUSE_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Folder of further sources, one folder each; may be given several times [also read: DIR/sources]
    #[arg(long, global = true, value_name = "DIR")]
    pub sources: Vec<PathBuf>,
    /// The instant of every report, such as 2026-04-30T00:00:00Z; a date is its first instant in
    /// UTC [default: now]
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_instant)]
    pub as_of: Option<jiff::Timestamp>,
    /// Threads to use [default: all]
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read logs: files, directories, globs, or - for standard input
    Ingest(ingest::IngestArgs),
    /// Import or list secrets, their versions and identifiers
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// One row per secret version and consumer
    Inventory(inventory::InventoryArgs),
    /// One row per secret version: when it was last used
    LastUse(last_use::LastUseArgs),
    /// May a secret version be revoked? Exit code 0 if it is not used, 3 if it is, 4 if unknown
    Readiness(readiness::ReadinessArgs),
    /// The pre-rotation report: one page that needs no network
    Report(report::ReportArgs),
    /// Uses of retired secret versions; exit code 3 if there are any
    Alerts(alerts::AlertsArgs),
    /// Ad hoc SQL, read only; a prompt when no query is given
    Sql(sql::SqlArgs),
    /// What can be read, and what a file would become
    #[command(subcommand)]
    Sources(sources::SourcesCommand),
    /// Per source and scope, or for one secret: what the logs cover
    Coverage(coverage::CoverageArgs),
    /// Check a certificate of non-use offline; exit code 0 only if it is genuine
    VerifyCertificate(verify_certificate::VerifyCertificateArgs),
    /// Make a small estate of logs and run the main job over it
    Demo(demo::DemoArgs),
}

/// Exit code of a command that found what it looks for.
pub const FOUND: u8 = 3;
/// Exit code where the logs do not allow an answer.
pub const UNKNOWN: u8 = 4;
/// Exit code of a run that was ended by Ctrl-C, as shells use it.
pub const INTERRUPTED: u8 = 130;

/// An instant as RFC 3339 has it, or a date for its first instant in UTC.
pub fn parse_instant(given: &str) -> Result<jiff::Timestamp, String> {
    let date = || given.parse::<jiff::civil::Date>()?.to_zoned(jiff::tz::TimeZone::UTC);
    let instant = given.parse().or_else(|_| date().map(|it| it.timestamp()));
    instant.map_err(|_| "give an instant such as 2026-04-30T00:00:00Z, or a date".to_owned())
}

/// Parses the command line and runs the command; the exit code when it ran.
pub fn run() -> anyhow::Result<u8> {
    let cli = Cli::parse();
    let workspace = Workspace::new(cli.global)?;
    match cli.command {
        Command::Ingest(args) => ingest::run(&workspace, &args),
        Command::Secrets(command) => secrets::run(&workspace, &command),
        Command::Inventory(args) => inventory::run(&workspace, &args),
        Command::LastUse(args) => last_use::run(&workspace, &args),
        Command::Readiness(args) => readiness::run(&workspace, &args),
        Command::Report(args) => report::run(&workspace, &args),
        Command::Alerts(args) => alerts::run(&workspace, &args),
        Command::Sql(args) => sql::run(&workspace, &args),
        Command::Sources(command) => sources::run(&workspace, &command),
        Command::Coverage(args) => coverage::run(&workspace, &args),
        Command::VerifyCertificate(args) => verify_certificate::run(&workspace, &args),
        Command::Demo(args) => demo::run(&workspace, &args),
    }
}
