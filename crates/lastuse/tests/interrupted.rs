//! A run that was ended at any moment and run again leaves what an undisturbed run leaves.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use common::truth::{assert_counts, assert_true};
use common::{
    Estate, Random, Run, TABLES, add_counts, call, copy_folder, counts, folder, lastuse, run,
};
use lastuse_estate::EstateConfig;
use tempfile::TempDir;

/// How many runs are killed at a random moment.
const KILLS: u64 = 100;

/// A small estate, a data directory with key and registry but no tables, and what the
/// tables hold after an undisturbed run.
struct Case {
    estate: Estate,
    empty: TempDir,
    wanted: Vec<String>,
}

/// The same for all tests of this file.
fn case() -> &'static Case {
    static CASE: OnceLock<Case> = OnceLock::new();
    CASE.get_or_init(|| {
        let estate = Estate::new(&EstateConfig {
            days: 5,
            secrets: 7,
            events: 700,
            file_hours: 120,
            ..EstateConfig::demo()
        });
        split_alike(&estate.logs());
        let empty = folder();
        estate.import(empty.path());
        // The key is made with the first tables or with the first import; here it is there.
        assert!(empty.path().join("fingerprint.key").exists());
        let data = copy_of(&empty);
        let run = call(data.path(), [Path::new("ingest"), &estate.logs()]).exits(0);
        let batches = fs::read_dir(data.path().join("tables/files/_delta_log")).expect("lists");
        assert_eq!(batches.count(), 3, "an undisturbed run makes three commits: {run:?}");
        let wanted = dump(data.path());
        assert!(wanted.len() > 1_000, "{} rows", wanted.len());
        Case { estate, empty, wanted }
    })
}

/// Cuts the longest Vault log into three that begin alike. Files that begin alike are told
/// apart one after the other, so that one run makes three commits.
fn split_alike(logs: &Path) {
    let vault = lastuse_estate::files(&logs.join("vault")).expect("lists");
    let size = |path: &PathBuf| path.metadata().expect("exists").len();
    let longest = vault.into_iter().max_by_key(size).expect("a Vault log");
    let text = fs::read_to_string(&longest).expect("reads");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (head, rest) = lines.split_at(lines.len() / 4);
    assert!(head.concat().len() > 8_192, "the head identifies a file");
    // Each later one is longer: a shorter one could be an earlier copy.
    let cuts = [0, rest.len() / 6, rest.len() / 2, rest.len()];
    for (number, cut) in cuts.windows(2).enumerate() {
        let path = longest.with_extension(format!("{number}.log"));
        fs::write(path, head.concat() + &rest[cut[0]..cut[1]].concat()).expect("writes");
    }
    fs::remove_file(longest).expect("removes");
}

fn copy_of(data: &TempDir) -> TempDir {
    let copy = folder();
    copy_folder(data.path(), copy.path());
    copy
}

/// All rows of all tables in one order, without what tells when and in which batch they were
/// written.
fn dump(data: &Path) -> Vec<String> {
    let mut queries = String::new();
    for table in TABLES {
        queries += &format!("SELECT '{table}' AS rows_of, * FROM {table};\n");
    }
    let mut command = lastuse(data);
    command.args(["sql", "--format", "ndjson"]).stdin(Stdio::piped());
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(queries.as_bytes()).expect("takes the queries");
    drop(stdin);
    let run = Run::new(child.wait_with_output().expect("ends")).exits(0);
    assert_eq!(run.stderr, "");
    let mut rows: Vec<String> = run.stdout.lines().map(without_times_of_writing).collect();
    rows.sort_unstable();
    rows
}

/// A row of `files` tells the batch that wrote it.
fn without_times_of_writing(line: &str) -> String {
    if !line.starts_with("{\"rows_of\":\"files\"") {
        return line.to_owned();
    }
    let mut row: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
    let members = row.as_object_mut().expect("an object");
    members.retain(|name, _| name != "batch" && name != "modified_time");
    row.to_string()
}

#[track_caller]
fn assert_same(data: &Path, wanted: &[String], when: &str) {
    let rows = dump(data);
    if rows == wanted {
        return;
    }
    let missing: Vec<_> =
        wanted.iter().filter(|it| rows.binary_search(it).is_err()).take(3).collect();
    let extra: Vec<_> =
        rows.iter().filter(|it| wanted.binary_search(it).is_err()).take(3).collect();
    panic!(
        "{when}: {} rows instead of {}\nmissing: {missing:#?}\nextra: {extra:#?}",
        rows.len(),
        wanted.len()
    );
}

fn start(data: &Path, logs: &Path) -> Child {
    lastuse(data)
        .arg("ingest")
        .arg(logs)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs")
}

#[test]
fn a_run_killed_at_any_moment_can_be_run_again() {
    let case = case();
    let mut random = Random::new(8);
    // How long an undisturbed run takes, as of late: the machine may have other work.
    let mut usual = Duration::from_millis(500);
    let (mut killed, mut between) = (0, 0);
    for number in 0..KILLS {
        let data = copy_of(&case.empty);
        let share = (number as f64 + random.below(1_000) as f64 / 1_000.0) / KILLS as f64;
        let mut child = start(data.path(), &case.estate.logs());
        std::thread::sleep(usual.mul_f64(share * 1.05));
        child.kill().expect("kills");
        let status = child.wait().expect("ends");
        killed += u64::from(status.code().is_none());
        let begun = data.path().join("tables/events/_delta_log").exists();
        let ended = data.path().join("tables/files/_delta_log/00000000000000000002.json").exists();
        between += u64::from(begun && !ended);
        if number % 10 == 0 && begun {
            // Whoever asks in between gets an answer.
            call(data.path(), ["inventory", "--format", "json"]).exits(0);
        }
        let start = Instant::now();
        call(data.path(), [Path::new("ingest"), &case.estate.logs()]).exits(0);
        if !begun {
            usual = (usual + start.elapsed()) / 2;
        }
        assert_same(
            data.path(),
            &case.wanted,
            &format!("kill {number} at {share:.3} of {usual:?}"),
        );
    }
    println!("{killed} of {KILLS} runs were killed, {between} between their first and last commit");
    // How long a run takes changes with what else the machine does, so not every kill is in time.
    assert!(killed > KILLS / 4, "only {killed} runs were killed before they ended");
}

#[test]
#[cfg(debug_assertions)] // The points to be killed at are not in optimized builds.
fn a_run_killed_between_any_two_steps_of_a_commit_can_be_run_again() {
    let case = case();
    let mut points: Vec<String> = Vec::new();
    for batch in 1..=3 {
        for point in ["parts_written", "events_commit", "events_committed"] {
            points.push(format!("{point}:{batch}"));
        }
    }
    points.extend((1..=12).map(|it| format!("derived_committed:{it}")));
    for point in points {
        let data = copy_of(&case.empty);
        let mut command = lastuse(data.path());
        command.arg("ingest").arg(case.estate.logs()).env("LASTUSE_CRASH_AT", &point);
        let output = command.output().expect("the binary runs");
        assert_eq!(output.status.code(), None, "{point} was not reached");
        call(data.path(), [Path::new("ingest"), &case.estate.logs()]).exits(0);
        assert_same(data.path(), &case.wanted, &point);
    }
}

#[test]
fn a_run_killed_over_and_over_gets_there() {
    let case = case();
    let data = copy_of(&case.empty);
    let mut random = Random::new(9);
    for _ in 0..12 {
        let mut child = start(data.path(), &case.estate.logs());
        std::thread::sleep(Duration::from_millis(random.below(400)));
        child.kill().expect("kills");
        child.wait().expect("ends");
    }
    call(data.path(), [Path::new("ingest"), &case.estate.logs()]).exits(0);
    assert_same(data.path(), &case.wanted, "after twelve kills");
    let again = call(data.path(), [Path::new("ingest"), &case.estate.logs()]).exits(0);
    assert!(counts(&again.stdout).is_empty(), "{again:?}");
    assert_same(data.path(), &case.wanted, "after a run that had nothing to read");
}

/// Sends Ctrl-C's signal.
fn interrupt(child: &Child) {
    let kill = Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status();
    assert!(kill.expect("a shell").success());
}

#[test]
fn ctrl_c_ends_a_run_in_good_order_and_the_next_run_goes_on() {
    let estate = Estate::new(&EstateConfig::demo().with_seed(11));
    let empty = folder();
    estate.import(empty.path());
    let begin = Instant::now();
    let clean = copy_of(&empty);
    run(lastuse(clean.path()).arg("ingest").arg(estate.logs())).exits(0);
    let usual = begin.elapsed();
    let mut in_good_order = 0;
    for percent in [90, 75, 60, 45, 30] {
        let data = copy_of(&empty);
        let child = start(data.path(), &estate.logs());
        std::thread::sleep(usual * percent / 100);
        interrupt(&child);
        let output = child.wait_with_output().expect("ends");
        if output.status.code().is_none() {
            continue; // It was ended before it had begun: nothing to be put in order.
        }
        let first = Run::new(output);
        let mut sum = counts(&first.stdout);
        if first.code == Some(130) {
            in_good_order += 1;
            assert!(
                first.stderr.contains("interrupted: what was read is stored; run the same command"),
                "{first:?}"
            );
        } else {
            assert_eq!(first.code, Some(0), "{first:?}");
        }
        let second = run(lastuse(data.path()).arg("ingest").arg(estate.logs())).exits(0);
        add_counts(&mut sum, &counts(&second.stdout));
        assert_counts(&estate.truth, &sum);
        assert_true(&estate, data.path());
    }
    assert!(in_good_order > 0, "no run was interrupted in time");
}
