//! The papers show what the commands print: every field has its row in `docs/output.md`, and the
//! picture in README is the demo's.

mod common;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Estate, folder, run};
use lastuse_estate::EstateConfig;
use serde_json::Value;

fn read(paper: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(paper);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fields that the page's tables list under the heading of a command.
fn listed(page: &str, command: &str) -> BTreeSet<String> {
    let heading = format!("\n## `{command}`\n");
    let (_, rest) = page.split_once(&heading).unwrap_or_else(|| panic!("there is no {heading}"));
    let section = rest.split("\n## ").next().unwrap_or(rest);
    let cells = section.lines().filter_map(|it| it.strip_prefix("| ")?.split(" | ").next());
    // Of a row for several fields, the names stand at the odd places between backticks.
    let names =
        cells.filter(|it| it.starts_with('`')).flat_map(|it| it.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// The fields of a value: `a`, and of what it holds `a.b` or, in a list, `a[].b`.
fn fields(value: &Value, place: &str, all: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => {
            let inner = if place.is_empty() { String::new() } else { format!("{place}[]") };
            list.iter().for_each(|it| fields(it, &inner, all));
        }
        Value::Object(members) => {
            for (name, member) in members {
                let dot = if place.is_empty() { "" } else { "." };
                let here = format!("{place}{dot}{name}");
                fields(member, &here, all);
                all.insert(here);
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_that_a_command_gives_is_on_the_page_about_output() {
    let (estate, data) = (Estate::new(&EstateConfig::demo()), folder());
    estate.import(data.path());
    let as_of = estate.truth.as_of_time.to_string();
    let ask = |args: &[&OsStr]| -> Value {
        let mut command = common::lastuse(data.path());
        let run = run(command.args(["--as-of", &as_of]).args(args).args(["--format", "json"]));
        serde_json::from_str(&run.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {run:?}"))
    };
    let words = |text: &'static str| text.split(' ').map(OsStr::new).collect::<Vec<_>>();
    let (logs, missing) = (estate.logs(), estate.root().join("missing.log"));
    let mut answers =
        vec![("ingest", ask(&[OsStr::new("ingest"), logs.as_os_str(), missing.as_os_str()]))];
    for command in ["inventory", "last-use", "alerts", "coverage", "secrets list"] {
        answers.push((command, ask(&words(command))));
    }
    answers.push(("coverage --secret", ask(&words("coverage --secret aws/payments"))));
    let readiness = "readiness --secret aws/payments --version 1 --cutoff 2026-04-10T00:00:00Z";
    answers.push(("readiness", ask(&words(readiness))));

    let page = read("docs/output.md");
    let mut wrong = Vec::new();
    for (command, answer) in answers {
        let listed = listed(&page, command);
        let rows = answer.as_array().map_or(1, Vec::len);
        assert!(rows > 0, "{command} gives nothing");
        let mut given = BTreeSet::new();
        fields(&answer, "", &mut given);
        // The rows of the inventory have their own table.
        let is_known = |it: &str| match it.strip_prefix("consumers[].") {
            Some(inner) => self::listed(&page, "inventory").contains(inner) || listed.contains(it),
            None => listed.contains(it),
        };
        let unlisted = given.iter().filter(|it| !is_known(it));
        wrong.extend(unlisted.map(|it| format!("{command} gives `{it}`, which has no row")));
        // What stands in lists may be absent here: the demo's logs have no holes.
        let gone = listed.iter().filter(|it| !it.contains('[') && !given.contains(*it));
        wrong.extend(gone.map(|it| format!("{command} does not give `{it}`, which has a row")));
    }
    assert!(wrong.is_empty(), "docs/output.md:\n{}", wrong.join("\n"));
}

/// Fingerprints follow from a key that is new in each run.
fn without_fingerprints(line: &str) -> String {
    match line.find("lu1_") {
        Some(at) => {
            let end = line[at..].find(' ').map_or(line.len(), |it| at + it);
            format!("{}lu1_{}", &line[..at], &line[end..])
        }
        None => line.to_owned(),
    }
}

#[test]
fn the_picture_in_the_readme_is_what_the_demo_prints() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: there is no `script` to make a terminal with");
        return;
    }
    let line = format!("stty cols 110 rows 40; NO_COLOR=1 {} demo", env!("CARGO_BIN_EXE_lastuse"));
    let output = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .expect("a terminal");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{printed}");
    let printed: Vec<String> =
        printed.lines().map(|it| without_fingerprints(it.trim_end_matches('\r'))).collect();
    let readme = read("README.md");
    let picture = readme.split("```text\n").nth(1).and_then(|it| it.split("```").next());
    let shown = picture.expect("a picture").lines().map(without_fingerprints);
    let mut rest = printed.iter();
    for line in shown.filter(|it| !it.is_empty() && it != "..." && !it.starts_with("$ ")) {
        // What a terminal echoes may stand before the first line.
        let found = rest.any(|it| it.ends_with(&line));
        assert!(found, "README shows a line that the demo does not print there: {line}");
    }
}
