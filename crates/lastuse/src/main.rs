//! The `lastuse` command line: flags, exit codes, error printing. The logic is
//! in the other crates; each command has a file here.

mod alerts;
mod certificate;
mod cli;
mod coverage;
mod demo;
mod errors;
mod ingest;
mod inventory;
mod last_use;
mod output;
mod readiness;
mod report;
mod secrets;
mod sources;
mod sql;
mod verify_certificate;
mod workspace;

/// Workers allocate what the committing thread frees, which the system's
/// allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keeps memory that was freed, for the next chunk of a log: by default it goes back to the
/// system after 10 ms, and clearing it anew took a quarter of an ingest.
fn keep_freed_memory() {
    /// `mi_option_purge_delay` of mimalloc.h, in milliseconds; -1 is never.
    const PURGE_DELAY: std::ffi::c_int = 15;
    unsafe extern "C" {
        fn mi_option_set(option: std::ffi::c_int, value: std::ffi::c_long);
    }
    // SAFETY: declared as in mimalloc.h, which is linked in for the allocator above; it sets a
    // number and may be called at any time.
    unsafe { mi_option_set(PURGE_DELAY, -1) };
}

fn main() -> std::process::ExitCode {
    keep_freed_memory();
    // A core file would hold the key and what was just read.
    let _ = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
    errors::finish(cli::run())
}
