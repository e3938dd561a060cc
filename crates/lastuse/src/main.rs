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

/// Workers allocate what the committing thread frees, which the system's
/// allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // A core file would hold the key and what was just read.
    let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
    errors::finish(cli::run())
}
