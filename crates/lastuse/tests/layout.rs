//! The tree is laid out as the papers say: what a source, a report and a crate consist of,
//! and what may not stand anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders that are no part of the project, though they may lie in its tree.
const FOREIGN: [&str; 5] = ["target", ".git", ".venv", "lastuse-data", "proptest-regressions"];
/// A file of Rust stays below this many lines.
const MAX_LINES: usize = 1_000;
/// What each crate may use of the others; those not named here may use all.
const ARROWS: [(&str, &[&str]); 9] = [
    ("lastuse-model", &[]),
    ("lastuse-estate", &[]),
    ("lastuse-verdict", &["lastuse-model"]),
    ("lastuse-certificate", &[]),
    ("lastuse-sources", &["lastuse-model"]),
    ("lastuse-store", &["lastuse-model"]),
    ("lastuse-render", &["lastuse-model"]),
    ("lastuse-ingest", &["lastuse-model", "lastuse-sources", "lastuse-store"]),
    ("lastuse-query", &["lastuse-model", "lastuse-store", "lastuse-verdict"]),
];
/// Crates whose tests must not wait for a query engine to be built.
const LIGHT: [&str; 6] = [
    "lastuse-model",
    "lastuse-sources",
    "lastuse-render",
    "lastuse-estate",
    "lastuse-verdict",
    "lastuse-certificate",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let list = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut all: Vec<PathBuf> = list.map(|it| it.expect("an entry").path()).collect();
    all.sort();
    all
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|it| it.to_str()).expect("a name in UTF-8")
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|it| it.to_str()).expect("a name in UTF-8")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file of the project below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in entries(folder) {
        if FOREIGN.contains(&name(&entry)) {
            continue;
        }
        if entry.is_dir() {
            all.extend(files(&entry));
        } else {
            all.push(entry);
        }
    }
    all
}

fn with_extension(folder: &str, extension: &str) -> Vec<PathBuf> {
    let all = files(&root().join(folder));
    all.into_iter().filter(|it| it.extension().is_some_and(|it| it == extension)).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Fails with all that is wrong at once.
#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_source_has_its_two_files_and_fixtures() {
    let mut wrong = Vec::new();
    for source in entries(&root().join("queries/sources")) {
        for file in ["source.toml", "normalize.sql"] {
            if !source.join(file).is_file() {
                wrong.push(format!("{} has no {file}", shown(&source)));
            }
        }
        let fixtures = root().join("fixtures").join(name(&source));
        if !fixtures.join("README.md").is_file() {
            wrong.push(format!("{} does not say where it comes from", shown(&fixtures)));
            continue;
        }
        let cases: Vec<_> = entries(&fixtures).into_iter().filter(|it| it.is_dir()).collect();
        if cases.is_empty() {
            wrong.push(format!("{} has no cases", shown(&fixtures)));
        }
        for case in cases {
            let names: BTreeSet<String> =
                entries(&case).iter().map(|it| name(it).to_owned()).collect();
            let has_input = names.iter().any(|it| it.starts_with("input."));
            if !has_input || !names.contains("expected.ndjson") || !names.contains("counts.json") {
                wrong.push(format!("{} holds {names:?}", shown(&case)));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn fixtures_are_of_known_sources() {
    let sources = root().join("queries/sources");
    let folders = entries(&root().join("fixtures")).into_iter().filter(|it| it.is_dir());
    // `record` holds the scripts that record fixtures from real software.
    let unknown = folders.filter(|it| name(it) != "record" && !sources.join(name(it)).is_dir());
    assert_none(&unknown.map(|it| shown(&it)).collect::<Vec<_>>());
}

#[test]
fn every_report_and_view_has_a_test_beside_it() {
    let mut wrong = Vec::new();
    for folder in ["queries/reports", "queries/views"] {
        for (kind, other) in [("sql", "slt"), ("slt", "sql")] {
            let alone = with_extension(folder, kind);
            let alone = alone.iter().filter(|it| !it.with_extension(other).is_file());
            // A view that no SQL can say: the crate `verdict` computes it.
            let alone = alone.filter(|it| name(it) != "6_consumer_states.slt");
            wrong.extend(alone.map(|it| format!("{} has no .{other}", shown(it))));
        }
    }
    assert_none(&wrong);
}

/// The comment at the head of a file of SQL, without its dashes.
fn head(sql: &str) -> Vec<&str> {
    sql.lines().map_while(|it| it.strip_prefix("--")).map(str::trim).collect()
}

#[test]
fn every_report_and_view_says_first_what_it_answers_and_reads() {
    let mut wrong = Vec::new();
    for folder in ["queries/reports", "queries/views"] {
        for file in with_extension(folder, "sql") {
            let text = read(&file);
            let head = head(&text);
            // The number before a view's name says which views it may read.
            let name = match folder {
                "queries/views" => stem(&file).split_once('_').map_or("", |it| it.1),
                _ => stem(&file),
            };
            let starts =
                |at: usize, with: &str| head.get(at).is_some_and(|it| it.starts_with(with));
            let good =
                starts(0, &format!("{name}: ")) && starts(1, "Answers: ") && starts(2, "Reads: ");
            if !good {
                wrong.push(format!("{} begins otherwise", shown(&file)));
            }
        }
    }
    assert_none(&wrong);
}

/// The tables that a query reads: what stands after FROM and JOIN and is not named by its WITH.
fn tables(sql: &str) -> BTreeSet<String> {
    let code: String =
        sql.lines().filter(|it| !it.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
    let words: Vec<&str> = code.split_whitespace().collect();
    let named: BTreeSet<&str> = words
        .windows(3)
        .filter(|it| it[1] == "AS" && it[2].starts_with('('))
        .map(|it| it[0])
        .collect();
    // `x IS DISTINCT FROM y` names no table.
    let is_source = |it: &&[&str]| it[1] == "JOIN" || (it[1] == "FROM" && it[0] != "DISTINCT");
    let read = words.windows(3).filter(is_source).map(|it| it[2]);
    read.map(|it| it.trim_end_matches(')'))
        .filter(|it| !it.starts_with('(') && !named.contains(it))
        .map(str::to_owned)
        .collect()
}

/// The tables that the head says are read: a list that goes on where a line ends in a comma.
fn reads(sql: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let lines = head(sql).into_iter().skip_while(|it| !it.starts_with("Reads: "));
    for line in lines {
        let names = line.split(|it: char| !it.is_alphanumeric() && it != '_');
        words.extend(names.filter(|it| !it.is_empty()).map(str::to_owned));
        if !line.ends_with(',') {
            break;
        }
    }
    words
}

#[test]
fn what_a_report_or_view_says_it_reads_is_what_it_reads() {
    let mut wrong = Vec::new();
    for folder in ["queries/reports", "queries/views"] {
        for file in with_extension(folder, "sql") {
            let text = read(&file);
            let said = reads(&text);
            let untold = tables(&text).into_iter().filter(|it| !said.contains(it));
            wrong.extend(
                untold.map(|it| format!("{} reads {it} and does not say so", shown(&file))),
            );
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_source_says_first_what_it_shows() {
    let silent = with_extension("queries/sources", "sql");
    let silent = silent.iter().filter(|it| head(&read(it)).len() < 2);
    assert_none(&silent.map(|it| shown(it)).collect::<Vec<_>>());
}

#[test]
fn no_file_of_rust_is_longer_than_a_thousand_lines() {
    let mut wrong = Vec::new();
    for folder in ["crates", "benches"] {
        for file in with_extension(folder, "rs") {
            let lines = read(&file).lines().count();
            if lines >= MAX_LINES {
                wrong.push(format!("{} has {lines} lines", shown(&file)));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_file_of_rust_says_first_what_it_is_for() {
    let mut wrong = Vec::new();
    for folder in ["crates", "benches"] {
        let silent = with_extension(folder, "rs");
        let silent = silent.iter().filter(|it| !read(it).starts_with("//! "));
        wrong.extend(silent.map(|it| shown(it)));
    }
    assert_none(&wrong);
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    // Put together here, so that this file does not hold them.
    let places = ["work", "tmp"].map(|it| format!("/{it}/"));
    let mut wrong = Vec::new();
    for file in files(&root()) {
        // Files that are not text, such as a compressed log, name no place that a reader sees.
        let Ok(text) = String::from_utf8(fs::read(&file).expect("a file that can be read")) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            let found = places.iter().find(|it| line.contains(it.as_str()));
            wrong.extend(found.map(|it| format!("{}:{}: {it}", shown(&file), number + 1)));
        }
    }
    assert_none(&wrong);
}

/// The names of the dependencies of each crate, those of its tests included.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for folder in entries(&root().join("crates")) {
        let manifest: toml::Table = read(&folder.join("Cargo.toml")).parse().expect("a manifest");
        let package = manifest["package"]["name"].as_str().expect("a name").to_owned();
        let mut names = BTreeSet::new();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = manifest.get(section).and_then(toml::Value::as_table);
            names.extend(table.into_iter().flat_map(|it| it.keys().cloned()));
        }
        all.insert(package, names);
    }
    all
}

#[test]
fn crates_use_each_other_in_one_direction_only() {
    let all = dependencies();
    let mut wrong = Vec::new();
    for (package, allowed) in ARROWS {
        let used = all[package].iter().filter(|it| it.starts_with("lastuse-"));
        let extra = used.filter(|it| !allowed.contains(&it.as_str()));
        wrong.extend(extra.map(|it| format!("{package} uses {it}")));
    }
    let known: BTreeSet<&str> = ARROWS.iter().map(|it| it.0).chain(["lastuse"]).collect();
    let new = all.keys().filter(|it| !known.contains(it.as_str()));
    wrong.extend(new.map(|it| format!("{it} has no place in the order of crates")));
    assert_none(&wrong);
}

#[test]
fn light_crates_are_built_without_a_query_engine() {
    let all = dependencies();
    let mut wrong = Vec::new();
    for package in LIGHT {
        let heavy =
            all[package].iter().filter(|it| it.starts_with("datafusion") || it.contains("delta"));
        wrong.extend(heavy.map(|it| format!("{package} depends on {it}")));
    }
    assert_none(&wrong);
}

#[test]
fn dependencies_are_pinned_in_one_table() {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().expect("a manifest");
    let table = manifest["workspace"]["dependencies"].as_table().expect("a table");
    let mut wrong = Vec::new();
    for (package, names) in dependencies() {
        let missing = names.iter().filter(|it| !table.contains_key(*it));
        wrong.extend(missing.map(|it| format!("{package}: {it} is not in the workspace table")));
    }
    assert_none(&wrong);
}

/// The commands that a paper shows: indented lines that begin with `lastuse`.
fn commands(text: &str) -> Vec<Vec<String>> {
    let shown = text.lines().filter_map(|it| it.strip_prefix("    lastuse "));
    shown.map(|it| it.split_whitespace().map(str::to_owned).collect()).collect()
}

fn help(path: &[&str]) -> Option<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lastuse"));
    let done = command.args(path).arg("--help").output().expect("the binary runs");
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

#[test]
fn the_commands_and_flags_that_the_papers_show_exist() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for paper in ["README.md", "CONTRIBUTING.md", "queries/README.md", "docs/registry.md"] {
        for words in commands(&read(&root().join(paper))) {
            count += 1;
            let line = words.join(" ");
            let nested = ["secrets", "sources"].contains(&words[0].as_str());
            let path: Vec<&str> =
                words.iter().take(if nested { 2 } else { 1 }).map(String::as_str).collect();
            let Some(help) = help(&path) else {
                wrong.push(format!("{paper}: `lastuse {line}`: there is no such command"));
                continue;
            };
            let flags = words.iter().take_while(|it| !it.starts_with('#'));
            let missing = flags.filter(|it| it.starts_with("--") && !help.contains(it.as_str()));
            wrong.extend(missing.map(|it| format!("{paper}: `lastuse {line}`: there is no {it}")));
        }
    }
    assert!(count > 10, "the papers show only {count} commands");
    assert_none(&wrong);
}

#[test]
fn the_files_that_the_papers_link_to_exist() {
    let mut wrong = Vec::new();
    for file in files(&root()).into_iter().filter(|it| it.extension().is_some_and(|it| it == "md"))
    {
        let text = read(&file);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap_or("");
            let path = target.split('#').next().unwrap_or("");
            let is_file = !path.is_empty() && !path.contains("://");
            if is_file && !file.parent().expect("a folder").join(path).exists() {
                wrong.push(format!("{}: {target}", shown(&file)));
            }
        }
    }
    assert_none(&wrong);
}
