//! What CloudTrail's digests list is compared with what was read.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use common::{call, folder, lastuse, run, sql};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

/// The morning that is delivered.
fn delivered() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/digests")
}

/// A bucket with that morning in it, compressed, and a data directory.
struct Case {
    bucket: TempDir,
    data: TempDir,
}

impl Case {
    fn new() -> Self {
        let case = Self { bucket: folder(), data: folder() };
        for entry in fs::read_dir(delivered()).expect("lists") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if name.contains("_CloudTrail") {
                case.put(&name, &fs::read(&path).expect("reads"));
            }
        }
        case
    }

    /// The one file of the bucket whose name has `part` in it.
    fn path(&self, part: &str) -> PathBuf {
        let all = lastuse_estate::files(self.bucket.path()).expect("lists");
        let mut found = all.into_iter().filter(|it| it.to_string_lossy().contains(part));
        let path = found.next().unwrap_or_else(|| panic!("no file is called {part}"));
        assert!(found.next().is_none(), "several files are called {part}");
        path
    }

    /// Where files of a name are, as in the bucket of a trail.
    fn folder_of(&self, name: &str) -> PathBuf {
        let digests = name.contains("CloudTrail-Digest");
        self.bucket.path().join(if digests { "CloudTrail-Digest" } else { "CloudTrail" })
    }

    fn put(&self, name: &str, content: &[u8]) {
        let folder = self.folder_of(name);
        fs::create_dir_all(&folder).expect("creates");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).expect("compresses");
        let packed = encoder.finish().expect("compresses");
        fs::write(folder.join(format!("{name}.gz")), packed).expect("writes");
    }

    /// Changes a text in the file whose name has `part` in it.
    fn alter(&self, part: &str, from: &str, to: &str) {
        let path = self.path(part);
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(delivered().join(&name)).expect("reads");
        assert!(text.contains(from), "{name} has no {from}");
        self.put(&name, text.replace(from, to).as_bytes());
    }

    fn ingest(&self, paths: &[&str]) -> String {
        let paths = paths.iter().map(|it| self.bucket.path().join(it));
        let mut command = lastuse(self.data.path());
        command.arg("ingest").arg("--digest-keys").arg(delivered().join("keys.json"));
        run(command.args(paths)).exits(0).stdout
    }

    /// The holes, without what density tells: start and evidence.
    fn holes(&self) -> Vec<(String, String)> {
        let query = "SELECT start_time, end_time, source, source_scope, evidence
            FROM coverage_holes ORDER BY start_time, evidence";
        let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_owned();
        let rows = sql(self.data.path(), query);
        let rows = rows.iter().map(|it| {
            assert_eq!(text(it, "source"), "aws_cloudtrail");
            assert_eq!(text(it, "source_scope"), "111122223333");
            let time = |name| text(it, name)[11..19].to_owned();
            (format!("{} {}", time("start_time"), time("end_time")), text(it, "evidence"))
        });
        rows.collect()
    }
}

fn hole(span: &str, evidence: &str) -> (String, String) {
    (span.to_owned(), evidence.to_owned())
}

const LOG: &str = "111122223333_CloudTrail_us-east-1_20260501T";
const DIGEST: &str = "111122223333_CloudTrail-Digest_us-east-1_management_us-east-1_20260501T";

#[test]
fn what_was_read_as_delivered_leaves_no_hole() {
    let case = Case::new();
    let stdout = case.ingest(&["."]);
    assert!(stdout.contains("digests of what was delivered: 4 files"), "{stdout}");
    assert_eq!(common::counts(&stdout)["aws_cloudtrail"].records, 8);
    assert_eq!(case.holes(), []);
    // Each digest but the newest is proved by the one that follows.
    let signatures = "SELECT state FROM digests WHERE kind = 'signature'";
    let states = sql(case.data.path(), signatures);
    assert_eq!(states.len(), 3);
    assert!(states.iter().all(|it| it["state"] == "valid"), "{states:?}");
    // Read again, nothing is new: neither files nor signatures.
    let again = case.ingest(&["."]);
    assert!(again.contains("read before and the same: 8 files"), "{again}");
    assert_eq!(sql(case.data.path(), signatures).len(), 3);
}

#[test]
fn the_order_in_which_logs_and_digests_come_changes_nothing() {
    let dump = |orders: &[&[&str]]| {
        let case = Case::new();
        fs::remove_file(case.path("CCCC")).expect("removes");
        orders.iter().for_each(|it| drop(case.ingest(it)));
        let signatures = "SELECT count(*) AS n FROM digests WHERE kind = 'signature'";
        (case.holes(), sql(case.data.path(), signatures))
    };
    let together = dump(&[&["."]]);
    assert_eq!(together.0.len(), 1);
    assert_eq!(dump(&[&["CloudTrail"], &["CloudTrail-Digest"]]), together);
    assert_eq!(dump(&[&["CloudTrail-Digest"], &["CloudTrail"], &["."]]), together);
}

#[test]
fn a_listed_file_that_is_missing_is_a_hole_until_it_is_read() {
    let case = Case::new();
    let path = case.path("BBBB");
    let aside = case.data.path().join("aside.gz");
    fs::rename(&path, &aside).expect("renames");
    case.ingest(&["."]);
    let evidence =
        format!("`{LOG}0145Z_BBBBBBBBBBBBBBBB.json.gz`, which a digest lists, was not read");
    assert_eq!(case.holes(), [hole("01:21:00 01:40:01", &evidence)]);
    // Its content counts, not its name.
    fs::rename(&aside, path.with_file_name("restored.json.gz")).expect("renames");
    case.ingest(&["."]);
    assert_eq!(case.holes(), []);
}

#[test]
fn a_listed_file_that_was_altered_is_a_hole() {
    let case = Case::new();
    case.alter("CCCC", "\"ListBuckets\"", "\"DescribeTrails\"");
    case.ingest(&["."]);
    let evidence = format!(
        "`{LOG}0235Z_CCCCCCCCCCCCCCCC.json.gz`, which a digest lists, was altered after it was delivered"
    );
    assert_eq!(case.holes(), [hole("02:05:00 02:30:01", &evidence)]);
}

#[test]
fn a_digest_that_was_altered_to_hide_a_file_is_a_hole() {
    let case = Case::new();
    fs::remove_file(case.path("CCCC")).expect("removes");
    let digest = case.path("T030031Z");
    let name = digest.file_stem().expect("a name").to_string_lossy().into_owned();
    let text = fs::read_to_string(delivered().join(&name)).expect("reads");
    let (start, _) = text.split_once("\"logFiles\":").expect("a list");
    let hidden = format!("{start}\"logFiles\":[]}}");
    case.put(&name, hidden.as_bytes());
    case.ingest(&["."]);
    let altered = format!("digest `{DIGEST}030031Z.json.gz` was altered after it was delivered");
    assert_eq!(case.holes(), [hole("02:00:31 03:00:31", &altered)]);

    // The one that follows is altered too, so that the hashes fit: its signature cannot.
    let case = Case { data: folder(), ..case };
    let next = case.path("T040031Z");
    let next = next.file_stem().expect("a name").to_string_lossy().into_owned();
    let old = sha256(text.as_bytes());
    case.alter(&next, &old, &sha256(hidden.as_bytes()));
    case.ingest(&["."]);
    let unsigned = format!("digest `{DIGEST}030031Z.json.gz` is not signed by its provider");
    let altered = format!("digest `{DIGEST}040031Z.json.gz` was altered after it was delivered");
    assert_eq!(
        case.holes(),
        [hole("02:00:31 03:00:31", &unsigned), hole("03:00:31 04:00:31", &altered)]
    );
}

#[test]
fn a_digest_that_is_missing_between_others_is_a_hole() {
    let case = Case::new();
    fs::remove_file(case.path("T040031Z")).expect("removes");
    case.ingest(&["."]);
    let evidence =
        format!("digest `{DIGEST}040031Z.json.gz`, which the next one names, was not read");
    assert_eq!(case.holes(), [hole("03:00:31 04:00:31", &evidence)]);
}

#[test]
fn digests_need_no_keys_and_keys_that_come_later_prove_them() {
    let case = Case::new();
    call(case.data.path(), [Path::new("ingest"), case.bucket.path()]).exits(0);
    assert_eq!(case.holes(), []);
    let signatures = "SELECT state FROM digests WHERE kind = 'signature'";
    assert_eq!(sql(case.data.path(), signatures).len(), 0);
    case.ingest(&["."]);
    assert_eq!(sql(case.data.path(), signatures).len(), 3);
}

#[test]
fn what_only_looks_like_a_digest_is_an_error_that_shows_nothing_of_it() {
    let case = Case::new();
    let name = case.path("T030031Z");
    let name = name.file_stem().expect("a name").to_string_lossy().into_owned();
    case.alter(
        &name,
        "\"digestStartTime\":\"2026-05-01T02:00:31Z\"",
        "\"digestStartTime\":\"hunter2\"",
    );
    let run = call(case.data.path(), [Path::new("ingest"), case.bucket.path()]).exits(1);
    assert!(run.stderr.contains("`digestStartTime` is not as AWS writes it"), "{run:?}");
    assert!(!run.stderr.contains("hunter2"), "{run:?}");
    let keys = case.data.path().join("keys.json");
    fs::write(&keys, "{}").expect("writes");
    let mut command = lastuse(case.data.path());
    let run = common::run(command.arg("ingest").arg("--digest-keys").args([&keys, &keys])).exits(1);
    assert!(run.stderr.contains("cannot read the public keys"), "{run:?}");
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}
