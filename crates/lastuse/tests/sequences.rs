//! Files that are missing from a numbered or dated sequence are holes, until they are read.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::logs::write_log;
use common::{folder, lastuse, run, sql};
use serde_json::Value;
use tempfile::TempDir;

/// A folder of logs, one for files that come late, and a data directory.
struct Case {
    root: TempDir,
    data: TempDir,
}

impl Case {
    fn new() -> Self {
        let case = Self { root: folder(), data: folder() };
        ["logs", "late"].iter().for_each(|it| fs::create_dir(case.path(it)).expect("creates"));
        case
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Writes a log of some records, one a minute from an hour of March 2026 on.
    fn write(&self, path: &str, hour: u32, records: u32) {
        let line = |minute| {
            let at = format!("{:02}/Mar/2026:{:02}:{minute:02}:00 +0000", 1 + hour / 24, hour % 24);
            let user = format!("user-{hour}-{minute}");
            format!(
                "192.0.2.7 - {user} [{at}] \"GET /{hour}/{minute} HTTP/1.1\" 200 2 \"-\" \"curl/8.5.0\"\n"
            )
        };
        let text: String = (0..records).map(line).collect();
        write_log(&self.path(path), &text);
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renames");
    }

    fn ingest(&self, paths: &[&str]) -> String {
        let paths = paths.iter().map(|it| self.path(it));
        run(lastuse(self.data.path()).arg("ingest").args(paths)).exits(0).stdout
    }

    /// The holes: day and time of their start and end, and the evidence.
    fn holes(&self) -> Vec<String> {
        holes(self.data.path())
    }

    /// How many rows are written of gaps.
    fn gap_rows(&self) -> usize {
        sql(self.data.path(), "SELECT * FROM file_gaps").len()
    }

    /// `access.log` to `access.log.5.gz`, as logrotate leaves them, an hour each.
    fn rotated() -> Self {
        let case = Self::new();
        case.write("logs/access.log", 9, 30);
        case.write("logs/access.log.1", 8, 30);
        (2..6).for_each(|it| case.write(&format!("logs/access.log.{it}.gz"), 9 - it, 30));
        case
    }
}

/// The holes but for those that the source's own past tells of, which may be the same spans.
fn holes(data: &Path) -> Vec<String> {
    let query = "SELECT start_time, end_time, source, evidence FROM coverage_holes
        WHERE evidence NOT LIKE 'no event for %' ORDER BY 1, 4";
    let hole = |it: &Value| {
        let text = |name: &str| it[name].as_str().expect("a text");
        assert_eq!(text("source"), "combined_log");
        let time = |name: &str| text(name)[8..16].to_owned();
        format!("{} {} {}", time("start_time"), time("end_time"), text("evidence"))
    };
    sql(data, query).iter().map(hole).collect()
}

const THIRD: &str =
    "01T05:29 01T07:00 `access.log.3` between `access.log.4.gz` and `access.log.2.gz` was not read";

#[test]
fn a_missing_number_is_a_hole_until_its_file_is_read() {
    let case = Case::rotated();
    case.rename("logs/access.log.3.gz", "late/access.log.3.gz");
    case.ingest(&["logs"]);
    assert_eq!(case.holes(), [THIRD]);
    // `coverage` lists it.
    let json = run(lastuse(case.data.path()).args(["coverage", "--format", "json"])).exits(0);
    assert!(json.stdout.contains("`access.log.3` between"), "{}", json.stdout);
    // Read again, nothing is new.
    case.ingest(&["logs"]);
    assert_eq!((case.holes().len(), case.gap_rows()), (1, 1));
    // It comes by its name, from elsewhere.
    case.ingest(&["late/access.log.3.gz"]);
    assert_eq!(case.holes(), Vec::<String>::new());
    assert_eq!(case.gap_rows(), 2);
    case.ingest(&["logs"]);
    case.ingest(&["late"]);
    assert_eq!((case.holes().len(), case.gap_rows()), (0, 2));
}

#[test]
fn nothing_is_written_over_unchanged_files() {
    let case = Case::rotated();
    fs::remove_file(case.path("logs/access.log.3.gz")).expect("removes");
    case.ingest(&["logs"]);
    let versions = || {
        let tables = fs::read_dir(case.data.path().join("tables")).expect("lists");
        let count = |it: fs::DirEntry| lastuse_estate::files(&it.path()).expect("lists").len();
        tables.map(|it| count(it.expect("an entry"))).sum::<usize>()
    };
    let before = versions();
    case.ingest(&["logs"]);
    case.ingest(&["logs/access.log.2.gz"]);
    assert_eq!(versions(), before);
    assert_eq!(case.holes(), [THIRD]);
}

#[test]
fn files_that_a_shell_lists_by_name_are_a_listing_too() {
    let case = Case::rotated();
    let names = ["", ".1", ".2.gz", ".4.gz", ".5.gz"].map(|it| format!("logs/access.log{it}"));
    case.ingest(&names.each_ref().map(String::as_str));
    assert_eq!(case.holes(), [THIRD]);
    // One by itself lists nothing; this one fills the hole.
    case.ingest(&["logs/access.log.3.gz"]);
    assert_eq!(case.holes(), Vec::<String>::new());
    // What was read before by its name is not missing.
    let case = Case::rotated();
    case.ingest(&["logs/access.log.3.gz"]);
    assert_eq!(case.holes(), Vec::<String>::new());
    case.ingest(&names.each_ref().map(String::as_str));
    assert_eq!(case.holes(), Vec::<String>::new());
    // The newest file has no number.
    let case = Case::rotated();
    case.ingest(&["logs/access.log", "logs/access.log.2.gz", "logs/access.log.3.gz"]);
    let first =
        "01T07:29 01T09:00 `access.log.1` between `access.log.2.gz` and `access.log` was not read";
    assert_eq!(case.holes(), [first]);
}

#[test]
fn rotation_between_runs_is_no_hole_and_closes_none() {
    let case = Case::rotated();
    case.ingest(&["logs"]);
    // Two days on: the oldest are gone, all others have other names, and a new one began.
    let rotate = |case: &Case, hour| {
        for it in (2..6).rev() {
            let (from, to) =
                (format!("logs/access.log.{it}.gz"), format!("logs/access.log.{}.gz", it + 1));
            if case.path(&from).exists() {
                case.rename(&from, &to);
            }
        }
        case.write("logs/access.log.2.gz", hour - 2, 30);
        case.rename("logs/access.log", "logs/access.log.1");
        case.write("logs/access.log", hour, 30);
    };
    rotate(&case, 10);
    rotate(&case, 11);
    let _ = fs::remove_file(case.path("logs/access.log.6.gz"));
    case.ingest(&["logs"]);
    assert_eq!((case.holes().len(), case.gap_rows()), (0, 0));
    // One lost between the runs stays a hole, though the files around it go on and are gone.
    let case = Case::rotated();
    fs::remove_file(case.path("logs/access.log.3.gz")).expect("removes");
    case.ingest(&["logs"]);
    (10..16).for_each(|it| {
        rotate(&case, it);
        let _ = fs::remove_file(case.path("logs/access.log.6.gz"));
        case.ingest(&["logs"]);
    });
    assert_eq!(case.holes(), [THIRD]);
    assert_eq!(case.gap_rows(), 1);
}

#[test]
fn a_file_that_cannot_be_read_is_missing_and_an_empty_one_is_not() {
    let case = Case::rotated();
    let whole = fs::read(case.path("logs/access.log.3.gz")).expect("reads");
    let broken = [&whole[..4], &[0xff; 60]].concat();
    fs::write(case.path("logs/access.log.3.gz"), broken).expect("writes");
    case.ingest(&["logs"]);
    assert_eq!(case.holes(), [THIRD]);
    fs::write(case.path("logs/access.log.3.gz"), &whole).expect("writes");
    case.ingest(&["logs"]);
    assert_eq!(case.holes(), Vec::<String>::new());
    let case = Case::rotated();
    fs::remove_file(case.path("logs/access.log.3.gz")).expect("removes");
    fs::write(case.path("logs/access.log.3"), "").expect("writes");
    case.ingest(&["logs"]);
    assert_eq!(case.holes(), Vec::<String>::new());
}

#[test]
fn another_hosts_file_of_the_same_name_fills_no_hole() {
    let case = Case::rotated();
    fs::remove_file(case.path("logs/access.log.3.gz")).expect("removes");
    let other = Case::rotated();
    for path in lastuse_estate::files(&other.path("logs")).expect("lists") {
        // Its records are others, of the same hours.
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let number: u32 = name.split('.').nth(2).map_or(0, |it| it.parse().expect("a number"));
        case.write(&format!("late/{name}"), 9 - number, 29);
    }
    case.ingest(&["logs", "late"]);
    assert_eq!(case.holes(), [THIRD]);
    // A copy of all that is whole shows that nothing was lost.
    fs::create_dir(case.path("copy")).expect("creates");
    let name = |it: u32| match it {
        0 => "copy/access.log".to_owned(),
        1 => "copy/access.log.1".to_owned(),
        _ => format!("copy/access.log.{it}.gz"),
    };
    (0..6).for_each(|it| case.write(&name(it), 9 - it, 30));
    case.ingest(&["copy"]);
    assert_eq!(case.holes(), Vec::<String>::new());
}

#[test]
fn several_missing_files_are_one_hole_and_each_that_comes_narrows_the_next() {
    let case = Case::new();
    (1..12).for_each(|it| case.write(&format!("logs/app-{it:06}.log"), it, 30));
    let names = |numbers: &[u32]| -> Vec<String> {
        numbers.iter().map(|it| format!("logs/app-{it:06}.log")).collect()
    };
    let ingest = |numbers: &[u32]| {
        case.ingest(&names(numbers).iter().map(String::as_str).collect::<Vec<_>>())
    };
    ingest(&[1, 2, 3, 7]);
    let hole = "01T03:29 01T07:00 `app-000004.log` to `app-000006.log` (3 files) between \
        `app-000003.log` and `app-000007.log` were not read";
    assert_eq!(case.holes(), [hole]);
    ingest(&[5]);
    assert_eq!(case.holes(), [hole]);
    ingest(&[4, 6]);
    assert_eq!(case.holes(), Vec::<String>::new());
    // Of the next two one was read before.
    ingest(&[9]);
    ingest(&[7, 10, 11]);
    let hole = "01T07:29 01T09:00 `app-000008.log` between `app-000007.log` and `app-000009.log` was not read";
    assert_eq!(case.holes(), [hole]);
}

#[test]
fn a_missing_day_is_a_hole_of_a_busy_daily_series_and_of_no_other() {
    let daily = |records| {
        let case = Case::new();
        for day in (0..12).filter(|it| *it != 8) {
            case.write(&format!("logs/access-2026-03-{:02}.log", day + 1), day * 24 + 12, records);
        }
        case.ingest(&["logs"]);
        case
    };
    let case = daily(30);
    let hole = "08T12:29 10T12:00 `access-2026-03-09.log` between `access-2026-03-08.log` and \
        `access-2026-03-10.log` was not read";
    assert_eq!(case.holes(), [hole]);
    case.write("logs/access-2026-03-09.log", 8 * 24 + 12, 30);
    case.ingest(&["logs"]);
    assert_eq!(case.holes(), Vec::<String>::new());
    assert_eq!(daily(3).holes(), Vec::<String>::new());
}
