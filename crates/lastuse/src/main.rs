//! The `lastuse` command line: flags, exit codes, error printing. The logic is
//! in the other crates; each command has a file here.

mod alerts;
mod cli;
mod coverage;
mod demo;
mod errors;
mod ingest;
mod inventory;
mod last_use;
mod output;
mod secrets;
mod sources;
mod sql;
mod workspace;

fn main() -> std::process::ExitCode {
    errors::finish(cli::run())
}
