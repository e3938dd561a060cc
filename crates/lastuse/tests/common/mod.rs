//! What the acceptance tests share: running the built binary, estates of logs, and reading answers.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod canaries;
pub mod logs;
pub mod truth;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use lastuse_estate::{EstateConfig, Truth, files, generate};
use serde_json::Value;
use tempfile::TempDir;

/// The tables of a store, as SQL names them.
pub const TABLES: [&str; 12] = [
    "events",
    "usage",
    "exchanges",
    "lineage",
    "secret_reads",
    "lifecycle",
    "credentials",
    "coverage",
    "rejects",
    "digests",
    "file_gaps",
    "files",
];

/// A folder that goes away with the test.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The built binary, told nothing by the environment of the test.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastuse"));
    for name in ["LASTUSE_DATA", "LASTUSE_KEY_FILE", "LASTUSE_CRASH_AT", "NO_COLOR", "COLUMNS"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// The built binary over the data directory `data`.
pub fn lastuse(data: &Path) -> Command {
    let mut command = binary();
    command.arg("--data").arg(data);
    command
}

/// What a finished process left.
#[derive(Debug)]
pub struct Run {
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Takes over what a process left; the output must be UTF-8, and no process may panic.
    pub fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
        let run = Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!run.stderr.contains("panicked at"), "it panicked: {run:?}");
        assert!(!run.stderr.contains("internal error"), "it panicked inside: {run:?}");
        run
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Run {
    Run::new(command.output().expect("the binary runs"))
}

/// Runs the binary over `data` with `args`.
pub fn call<S: AsRef<OsStr>>(data: &Path, args: impl IntoIterator<Item = S>) -> Run {
    run(lastuse(data).args(args))
}

/// What became of the records of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub files: u64,
    pub records: u64,
    pub accepted: u64,
    pub duplicates: u64,
    pub skipped: u64,
    pub rejected: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.records += other.records;
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.skipped += other.skipped;
        self.rejected += other.rejected;
    }
}

/// The counts that `ingest` prints, by source; the four kinds add up to the records, always.
pub fn counts(stdout: &str) -> BTreeMap<String, Counts> {
    let mut all = BTreeMap::new();
    for line in stdout.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers: Option<Vec<u64>> =
            words.iter().skip(1).map(|it| it.replace(',', "").parse().ok()).collect();
        let (7, Some(numbers)) = (words.len(), numbers) else { continue };
        let it = Counts {
            files: numbers[0],
            records: numbers[1],
            accepted: numbers[2],
            duplicates: numbers[3],
            skipped: numbers[4],
            rejected: numbers[5],
        };
        assert_eq!(
            it.accepted + it.duplicates + it.skipped + it.rejected,
            it.records,
            "{}: {it:?}",
            words[0]
        );
        all.insert(words[0].to_owned(), it);
    }
    all
}

/// Adds the counts of another run.
pub fn add_counts(sum: &mut BTreeMap<String, Counts>, more: &BTreeMap<String, Counts>) {
    for (source, it) in more {
        sum.entry(source.clone()).or_default().add(it);
    }
}

/// The counts of all sources together.
pub fn total(counts: &BTreeMap<String, Counts>) -> Counts {
    let mut all = Counts::default();
    counts.values().for_each(|it| all.add(it));
    all
}

/// The rows of an answer in NDJSON.
pub fn ndjson(text: &str) -> Vec<Value> {
    text.lines().map(|it| serde_json::from_str(it).expect("a line of JSON")).collect()
}

/// The rows of a query.
#[track_caller]
pub fn sql(data: &Path, query: &str) -> Vec<Value> {
    let run = call(data, ["sql", "--format", "ndjson", query]).exits(0);
    ndjson(&run.stdout)
}

/// A made-up estate on disk.
pub struct Estate {
    folder: TempDir,
    /// What is true of it.
    pub truth: Truth,
}

impl Estate {
    /// Makes one.
    pub fn new(config: &EstateConfig) -> Self {
        let folder = folder();
        let truth = generate(config, folder.path()).expect("an estate");
        Self { folder, truth }
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Its logs.
    pub fn logs(&self) -> PathBuf {
        self.root().join("logs")
    }

    /// The files of its logs, in the order of their paths.
    pub fn files(&self) -> Vec<PathBuf> {
        files(&self.logs()).expect("lists")
    }

    /// Imports its registry into the store at `data`.
    #[track_caller]
    pub fn import(&self, data: &Path) {
        let registry = self.root().join("registry.yaml");
        call(data, [OsStr::new("secrets"), OsStr::new("import"), registry.as_os_str()]).exits(0);
    }
}

/// Reads `paths` into the store at `data`, which must go well; the counts.
#[track_caller]
pub fn ingest<S: AsRef<OsStr>>(
    data: &Path,
    paths: impl IntoIterator<Item = S>,
) -> BTreeMap<String, Counts> {
    let run = run(lastuse(data).arg("ingest").args(paths)).exits(0);
    counts(&run.stdout)
}

/// Copies a folder with all that is in it, times included.
pub fn copy_folder(from: &Path, to: &Path) {
    for path in files(from).expect("lists") {
        let target = to.join(path.strip_prefix(from).expect("below"));
        fs::create_dir_all(target.parent().expect("a parent")).expect("creates");
        fs::copy(&path, &target).expect("copies");
        let modified = fs::metadata(&path).and_then(|it| it.modified()).expect("a time");
        let file = fs::File::options().write(true).open(&target).expect("opens");
        file.set_modified(modified).expect("sets its time");
    }
}

/// Numbers in no order, the same for the same seed.
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (SplitMix64).
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// Puts a list into another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

/// A finished process and the most memory that it held at once, in KiB.
pub struct Measured {
    pub run: Run,
    pub peak_kib: u64,
    pub took: Duration,
}

/// Runs a command without input and watches its memory.
pub fn measure(command: &mut Command) -> Measured {
    measure_fed(command, |_| Ok(()))
}

/// Runs a command over what `feed` writes and watches its memory.
pub fn measure_fed(
    command: &mut Command,
    feed: impl FnOnce(&mut ChildStdin) -> std::io::Result<()> + Send + 'static,
) -> Measured {
    command.stdin(Stdio::piped());
    let start = Instant::now();
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let stdout = drain(child.stdout.take().expect("piped"));
    let stderr = drain(child.stderr.take().expect("piped"));
    let mut stdin = child.stdin.take().expect("piped");
    let feeder = std::thread::spawn(move || feed(&mut stdin));
    let mut peak_kib = 0;
    let exit: ExitStatus = loop {
        if let Ok(text) = fs::read_to_string(&status) {
            peak_kib = peak_kib.max(high_water(&text));
        }
        if let Some(exit) = child.try_wait().expect("waits") {
            break exit;
        }
        std::thread::sleep(Duration::from_millis(3));
    };
    feeder.join().expect("feeds").expect("takes its input");
    let output = Output {
        status: exit,
        stdout: stdout.join().expect("reads"),
        stderr: stderr.join().expect("reads"),
    };
    Measured { run: Run::new(output), peak_kib, took: start.elapsed() }
}

fn drain(mut from: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("reads the output");
        bytes
    })
}

/// The high-water mark of resident memory in the text of `/proc/PID/status`.
fn high_water(status: &str) -> u64 {
    status
        .lines()
        .find_map(|it| it.strip_prefix("VmHWM:"))
        .and_then(|it| it.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
