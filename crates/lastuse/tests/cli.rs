//! The command line: exit codes, the form of errors, output formats, and the key file.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use common::{Estate, binary, call, folder, ingest, lastuse, run};
use lastuse_estate::EstateConfig;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tempfile::TempDir;

/// A small estate that was read, for questions only.
fn filled() -> &'static (Estate, TempDir) {
    static FILLED: OnceLock<(Estate, TempDir)> = OnceLock::new();
    FILLED.get_or_init(|| {
        let config = EstateConfig { days: 20, events: 3_000, ..EstateConfig::demo() };
        let (estate, data) = (Estate::new(&config), folder());
        estate.import(data.path());
        ingest(data.path(), [estate.logs()]);
        (estate, data)
    })
}

/// The reports, each as a command.
const REPORTS: [&[&str]; 5] =
    [&["inventory"], &["last-use"], &["alerts"], &["secrets", "list"], &["coverage"]];

#[test]
fn wrong_usage_exits_with_2() {
    for args in [
        &["--no-such-flag"][..],
        &["no-such-command"],
        &[],
        &["ingest"],
        &["inventory", "--format", "yaml"],
        &["--as-of", "yesterday", "inventory"],
        &["alerts", "--since", "1"],
        &["sql", "SELECT 1", "-f", "file.sql"],
        &["secrets"],
        &["secrets", "import"],
        &["demo", "--seed", "x"],
        &["--threads", "many", "coverage"],
    ] {
        let run = run(binary().args(args));
        assert_eq!(run.code, Some(2), "{args:?}: {run:?}");
        assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{args:?}: {run:?}");
    }
}

#[test]
fn help_and_version_exit_with_0() {
    for args in
        [&["--help"][..], &["--version"], &["ingest", "--help"], &["secrets", "import", "--help"]]
    {
        let run = run(binary().args(args)).exits(0);
        assert!(run.stdout.contains("lastuse"), "{args:?}: {run:?}");
    }
}

/// An error says what, why where there is more to say, and what to do about it.
#[track_caller]
fn assert_error(run: &common::Run, says: &str, has_hint: bool) {
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(run.stdout, "", "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("error: ") && lines[0].contains(says), "{run:?}");
    let hint = lines.last().is_some_and(|it| it.starts_with("hint: "));
    assert_eq!(hint, has_hint, "{run:?}");
    let between = &lines[1..lines.len() - usize::from(hint)];
    // A cause of several lines goes on further in.
    let is_cause = |it: &&str| it.starts_with("  caused by: ") || it.starts_with("    ");
    assert!(between.iter().all(is_cause), "{run:?}");
}

#[test]
fn questions_without_a_data_directory_are_refused_and_make_none() {
    let root = folder();
    let data = root.path().join("none");
    for args in REPORTS.into_iter().chain([&["sql", "SELECT 1"][..]]) {
        assert_error(&call(&data, args), "there is no data directory", true);
        assert!(!data.exists());
    }
}

#[test]
fn an_unknown_source_is_refused_with_a_hint() {
    let root = folder();
    let data = root.path().join("data");
    let run = call(&data, ["ingest", "--source", "no_such_source", "x.log"]);
    assert_error(&run, "there is no source called `no_such_source`", true);
    assert!(!data.exists(), "a wrong name leaves no data directory");
    assert_error(&call(&data, ["sources", "show", "no_such_source"]), "no source called", true);
    assert!(!data.exists());
}

#[test]
fn a_raw_secret_in_place_of_a_public_name_is_refused_and_not_stored() {
    const TOKEN: &str = "hvs.madeup0madeup0madeup0madeup0";
    let (root, data) = (folder(), folder());
    let run = call(data.path(), ["ingest", "--scope", TOKEN, "x.log"]);
    assert_error(&run, "the scope given is a raw secret", true);
    assert!(!run.stderr.contains("madeup0"), "{run:?}");
    let registry = root.path().join("registry.yaml");
    let identifier = format!("{{kind: vault_accessor, value: {TOKEN}}}");
    let text =
        format!("secrets: [{{id: a, versions: [{{version: 1, identifiers: [{identifier}]}}]}}]");
    fs::write(&registry, text).expect("writes");
    let registry = registry.to_str().expect("a path");
    let run = call(data.path(), ["secrets", "import", registry]);
    assert_error(&run, "cannot import", false);
    assert!(run.stderr.contains("use kind `secret_value` with `file:`"), "{run:?}");
    assert!(!run.stderr.contains("madeup0"), "{run:?}");
    assert!(!data.path().join("registry.json").exists());
}

#[test]
fn a_secret_with_something_around_it_is_imported_with_a_warning() {
    let (root, data) = (folder(), folder());
    let registry = root.path().join("registry.yaml");
    let text = "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_value, file: k}]}]}]";
    fs::write(&registry, text).expect("writes");
    fs::write(root.path().join("k"), "\"madeup0\"\n").expect("writes");
    let run = call(data.path(), ["secrets", "import", registry.to_str().expect("a path")]).exits(0);
    let says = "warning: secret `a` version `1`: the file `k` has quotes around it";
    assert!(run.stderr.contains(says) && !run.stderr.contains("madeup0"), "{run:?}");
}

#[test]
fn an_empty_folder_has_no_records() {
    let (root, data) = (folder(), folder());
    let run = call(data.path(), [Path::new("ingest"), root.path()]).exits(0);
    assert_eq!(run.stdout, "no records were found\n");
    assert_eq!(run.stderr, "");
    // And every report over it is empty, not an error.
    for args in REPORTS {
        call(data.path(), args).exits(0);
    }
}

#[test]
fn what_is_not_there_is_named_and_exits_with_1() {
    let (root, data) = (folder(), folder());
    let path = root.path().join("missing.log");
    let run = call(data.path(), [Path::new("ingest"), &path]).exits(1);
    assert!(run.stderr.contains("missing.log") && run.stderr.contains("no such file"), "{run:?}");
    let run = call(data.path(), [Path::new("ingest"), &root.path().join("*.gz")]).exits(1);
    assert!(run.stderr.contains("no file matches"), "{run:?}");
    let run = call(data.path(), [Path::new("secrets"), Path::new("import"), &path]);
    assert_error(&run, "cannot import", false);
    let run = call(data.path(), [Path::new("sources"), Path::new("test"), &path]);
    assert_error(&run, "cannot read", false);
}

#[test]
fn a_file_that_no_source_knows_fails_when_it_is_named_and_not_in_a_folder() {
    let (root, data) = (folder(), folder());
    let path = root.path().join("notes.txt");
    fs::write(&path, "milk\neggs\n").expect("writes");
    let named = call(data.path(), [Path::new("ingest"), &path]).exits(1);
    assert!(named.stderr.contains("notes.txt") && named.stderr.contains("no source"), "{named:?}");
    let found = call(data.path(), [Path::new("ingest"), root.path()]).exits(0);
    assert!(found.stderr.contains("notes.txt") && found.stderr.contains("no source"), "{found:?}");
    // A log that was rotated a moment ago is empty, and no failure.
    fs::write(&path, "").expect("writes");
    let empty = call(data.path(), [Path::new("ingest"), &path]).exits(0);
    assert!(empty.stderr.contains("it is empty"), "{empty:?}");
}

#[test]
fn every_format_of_every_report_parses() {
    let (estate, data) = filled();
    let as_of = estate.truth.as_of_time.to_string();
    let ask = |args: &[&str], format: &str| {
        let mut command = lastuse(data.path());
        command.args(["--as-of", &as_of]).args(args).args(["--format", format]);
        let run = run(&mut command);
        let code = if args == ["alerts"] { 3 } else { 0 };
        run.exits(code).stdout
    };
    for args in REPORTS {
        let json: Vec<Value> = serde_json::from_str(&ask(args, "json")).expect("a JSON array");
        assert!(!json.is_empty(), "{args:?}");
        assert_eq!(common::ndjson(&ask(args, "ndjson")), json, "{args:?}");
        let csv = ask(args, "csv");
        let columns: Vec<&str> = csv.lines().next().expect("a header").split(',').collect();
        let members: Vec<&String> = json[0].as_object().expect("an object").keys().collect();
        assert_eq!(columns, members, "{args:?}");
        let rows = records(&csv);
        assert_eq!(rows.len(), json.len() + 1, "{args:?}");
        assert!(rows.iter().all(|it| *it == columns.len()), "{args:?}: {rows:?}");
        assert!(ask(args, "table").lines().count() > 2, "{args:?}");
        // The same question gives the same bytes.
        assert_eq!(ask(args, "json"), ask(args, "json"), "{args:?}");
    }
}

/// How many cells each record of a CSV text has.
fn records(csv: &str) -> Vec<usize> {
    let (mut all, mut cells, mut quoted) = (Vec::new(), 1, false);
    for it in csv.chars() {
        match it {
            '"' => quoted = !quoted,
            ',' if !quoted => cells += 1,
            '\n' if !quoted => all.push(std::mem::replace(&mut cells, 1)),
            _ => {}
        }
    }
    assert!(!quoted && cells == 1, "the last record ends");
    all
}

#[test]
fn parquet_and_html_hold_the_rows_that_json_has() {
    let (_, data) = filled();
    for report in REPORTS {
        let args = |format| report.iter().copied().chain(["--format", format]);
        let json = call(data.path(), args("json")).stdout;
        let json: Vec<Value> = serde_json::from_str(&json).expect("JSON");
        let file = tempfile::tempfile().expect("a file");
        let out = file.try_clone().expect("a handle");
        let status = lastuse(data.path()).args(args("parquet")).stdout(out).status();
        assert!(status.expect("the binary runs").code().is_some_and(|it| it == 0 || it == 3));
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
        let names: Vec<String> =
            reader.schema().fields().iter().map(|it| it.name().clone()).collect();
        let rows: usize =
            reader.build().expect("rows").map(|it| it.expect("a batch").num_rows()).sum();
        assert_eq!(rows, json.len(), "{report:?}");
        let page = call(data.path(), args("html")).stdout;
        assert!(page.starts_with("<!doctype html>") && page.contains(" rows</caption>"));
        assert_eq!(page.matches("<tr>").count(), json.len() + 1, "{report:?}");
        for name in names {
            assert!(page.contains(&format!("<th scope=\"col\">{name}</th>")), "{report:?}: {name}");
            assert!(json.iter().all(|it| it.get(&name).is_some()), "{report:?}: {name}");
        }
    }
}

#[test]
fn alerts_exit_with_3_if_there_are_any() {
    let (estate, data) = filled();
    let as_of = estate.truth.as_of_time.to_string();
    call(data.path(), ["--as-of", &as_of, "alerts"]).exits(3);
    call(data.path(), ["--as-of", &as_of, "alerts", "--since", "2030-01-01T00:00:00Z"]).exits(0);
    // At the first instant of the logs nothing has happened yet.
    let start = estate.truth.start_time.to_string();
    call(data.path(), ["--as-of", &start, "alerts"]).exits(0);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (_, data) = filled();
    for args in [
        &["sql", "--format", "ndjson", "SELECT * FROM events"][..],
        &["inventory", "--format", "csv"],
        &["inventory"],
    ] {
        let mut child = lastuse(data.path())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut first = String::new();
        let mut reader = BufReader::new(child.stdout.take().expect("piped"));
        reader.read_line(&mut first).expect("reads");
        drop(reader);
        let output = child.wait_with_output().expect("ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!first.is_empty());
    }
}

#[test]
fn only_sql_that_reads_is_run() {
    let (_, data) = filled();
    for query in ["DROP TABLE events", "COPY events TO 'x.csv'", "SELECT 1; SELECT 2", "SET x = 1"]
    {
        assert_error(&call(data.path(), ["sql", query]), "", false);
    }
    assert_error(
        &call(data.path(), ["sql", "SELECT no_such_column FROM events"]),
        "cannot run",
        false,
    );
    assert_error(
        &call(data.path(), ["sql", "--max-rows", "1", "SELECT * FROM events"]),
        "ended",
        false,
    );
    let file = folder();
    let path = file.path().join("query.sql");
    fs::write(&path, "SELECT count(*) AS n FROM events").expect("writes");
    let run = call(
        data.path(),
        [Path::new("sql"), Path::new("--format"), Path::new("json"), Path::new("-f"), &path],
    )
    .exits(0);
    assert!(run.stdout.contains("\"n\""), "{run:?}");
}

#[test]
fn a_wrong_query_does_not_end_the_prompt() {
    let (_, data) = filled();
    let queries = folder();
    let path = queries.path().join("queries");
    fs::write(&path, "SELECT 41 + 1 AS a;\nSELEC;\nDROP TABLE events;\nSELECT 6 *\n7 AS b;\n")
        .expect("writes");
    let file = fs::File::open(path).expect("opens");
    // A script learns of it by the exit code.
    let run = run(lastuse(data.path()).args(["sql", "--format", "ndjson"]).stdin(file)).exits(1);
    assert_eq!(run.stdout, "{\"a\":42}\n{\"b\":42}\n");
    assert!(run.stderr.lines().count() >= 2 && run.stderr.starts_with("error: "), "{run:?}");
}

#[test]
fn standard_input_is_read_like_a_file() {
    let (estate, _) = filled();
    let path = estate
        .files()
        .into_iter()
        .find(|it| it.to_string_lossy().contains("vault"))
        .expect("a log");
    let (from_file, from_stdin) = (folder(), folder());
    let a = ingest(from_file.path(), [&path]);
    let file = fs::File::open(&path).expect("opens");
    let run = run(lastuse(from_stdin.path()).args(["ingest", "-"]).stdin(file)).exits(0);
    assert_eq!(common::counts(&run.stdout), a);
}

#[test]
fn a_narrow_terminal_is_not_overrun() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: there is no `script` to make a terminal with");
        return;
    }
    let (_, data) = filled();
    for width in [40, 72, 100] {
        for args in ["inventory", "last-use", "secrets list", "coverage"] {
            let line = format!(
                "stty cols {width} rows 40; NO_COLOR=1 {} --data {} {args}",
                env!("CARGO_BIN_EXE_lastuse"),
                data.path().display()
            );
            let output = Command::new("script")
                .args(["-q", "-e", "-c", &line, "/dev/null"])
                .stdin(Stdio::null())
                .output()
                .expect("a terminal");
            let text = String::from_utf8(output.stdout).expect("UTF-8");
            assert!(output.status.success() && text.lines().count() > 3, "{text}");
            for it in text.lines() {
                let length = it.trim_end_matches('\r').chars().count();
                assert!(length <= width, "{args} at {width}: {length} in {it:?}");
            }
        }
    }
}

#[test]
fn the_key_is_its_owners_alone() {
    let (estate, _) = filled();
    let data = folder();
    estate.import(data.path());
    let key = data.path().join("fingerprint.key");
    let mode = fs::metadata(&key).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("sets");
    let logs = estate.logs();
    let refused = call(data.path(), [Path::new("ingest"), &logs]);
    assert_error(&refused, "can be read by others", true);
    assert!(!data.path().join("tables/events/_delta_log").exists());

    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("sets");
    call(data.path(), [Path::new("ingest"), &logs]).exits(0);
}

#[test]
fn a_store_with_tables_gets_no_new_key() {
    let (estate, _) = filled();
    let data = folder();
    ingest(data.path(), [&estate.files()[0]]);
    let key = data.path().join("fingerprint.key");
    let text = fs::read(&key).expect("a key");
    fs::remove_file(&key).expect("removes");
    let logs = estate.logs();
    let refused = call(data.path(), [Path::new("ingest"), &logs]);
    assert_error(&refused, "is missing", true);
    assert!(!key.exists());
    let registry = estate.root().join("registry.yaml");
    let refused = call(data.path(), [Path::new("secrets"), Path::new("import"), &registry]);
    assert_error(&refused, "is missing", true);
    // Put elsewhere, it is found there.
    let elsewhere = estate.root().join("kept.key");
    fs::write(&elsewhere, &text).expect("writes");
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).expect("sets");
    run(lastuse(data.path()).arg("--key-file").arg(&elsewhere).arg("ingest").arg(&logs)).exits(0);
    // A damaged one is no key.
    fs::write(&elsewhere, "lastuse").expect("writes");
    let damaged =
        run(lastuse(data.path()).arg("--key-file").arg(&elsewhere).arg("ingest").arg(&logs));
    assert_error(&damaged, "cannot use the key file", false);
}

#[test]
fn one_ingest_at_a_time_writes() {
    let (estate, _) = filled();
    let data = folder();
    estate.import(data.path());
    let lock = fs::File::create(data.path().join("ingest.lock")).expect("creates");
    lock.lock().expect("locks");
    let logs = estate.logs();
    let run = call(data.path(), [Path::new("ingest"), &logs]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.starts_with("error: "), "{run:?}");
    drop(lock);
    call(data.path(), [Path::new("ingest"), &logs]).exits(0);
}

#[test]
fn the_demo_runs_by_itself() {
    let empty = folder();
    let run = run(binary().current_dir(empty.path()).arg("demo")).exits(0);
    assert!(run.stdout.contains("aws/payments"), "{run:?}");
    assert_eq!(fs::read_dir(empty.path()).expect("lists").count(), 0, "it leaves nothing behind");
}

#[test]
fn an_import_warns_of_what_no_log_could_show_and_of_what_has_no_effect() {
    let data = folder();
    let registry = data.path().join("registry.yaml");
    let own = "{kind: intranet_token, value: \"17\"}";
    let scoped = "{kind: intranet_token, scope: hr, value: \"17\"}";
    let text = format!(
        "secrets:\n  - id: a\n    consumers: [{{workload: w, schedule: montly}}, {{workload: x, schedule: 6h}}]\n    versions:\n      - {{version: \"1\"}}\n      - {{version: \"2\", identifiers: [{own}]}}\n      - {{version: \"3\", identifiers: [{scoped}]}}\n"
    );
    fs::write(&registry, text).expect("writes");
    let path = registry.to_str().expect("a path in UTF-8");
    let run = call(data.path(), ["secrets", "import", path]).exits(0);
    let warnings: Vec<&str> = run.stderr.lines().filter(|it| it.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 3, "{run:?}");
    assert!(warnings[2].contains("`a`: the schedule of `w` tells no interval"), "{run:?}");
    assert!(warnings[0].contains("`a` version `1` has no identifier"), "{run:?}");
    assert!(warnings[1].contains("version `2`: the kind `intranet_token`"), "{run:?}");
}

#[test]
fn a_secret_or_version_that_nobody_knows_is_refused_and_not_unused() {
    let (_, data) = filled();
    let page = folder();
    let page = page.path().join("page.html").display().to_string();
    let unknown = ["--secret", "nosuch"];
    for command in [&["inventory"][..], &["last-use"], &["coverage"], &["report", "--out", &page]] {
        let run = call(data.path(), command.iter().chain(&unknown)).exits(1);
        assert!(run.stderr.contains("there is no secret `nosuch`"), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    let rows = common::sql(data.path(), "SELECT min(secret_id) AS id FROM secret_versions");
    let secret = rows[0]["id"].as_str().expect("a secret");
    let unknown = ["--secret", secret, "--version", "nosuch"];
    for command in [&["coverage"][..], &["report", "--out", &page]] {
        let run = call(data.path(), command.iter().chain(&unknown)).exits(1);
        assert!(run.stderr.contains("has no version `nosuch`"), "{run:?}");
    }
}

#[test]
fn a_report_goes_where_it_is_told_and_a_demo_replaces_nothing() {
    let (_, data) = filled();
    let folder = folder();
    let (page, link) = (folder.path().join("page.html"), folder.path().join("link.html"));
    fs::write(&page, "old").expect("writes");
    std::os::unix::fs::symlink(&page, &link).expect("links");
    call(data.path(), ["report", "--out", link.to_str().expect("UTF-8")]).exits(0);
    assert!(link.is_symlink());
    let written = fs::read_to_string(&page).expect("reads");
    assert!(written.starts_with("<!doctype html>") || written.starts_with("<!DOCTYPE html>"));
    let run = call(data.path(), ["report", "--out", "-"]).exits(0);
    assert!(run.stdout.trim_end().ends_with("</html>"), "{}", run.stdout.len());

    let own = folder.path().join("own");
    fs::create_dir(&own).expect("creates");
    fs::write(own.join("registry.yaml"), "mine").expect("writes");
    let run = call(data.path(), ["demo", "--out", own.to_str().expect("UTF-8")]).exits(1);
    assert_error(&run, "is not empty", true);
    assert_eq!(fs::read_to_string(own.join("registry.yaml")).expect("reads"), "mine");
}

#[test]
fn what_an_import_does_not_name_is_kept_until_it_is_replaced() {
    let (root, data) = (folder(), folder());
    let file = |name: &str, ids: &[&str]| {
        let entry = |id: &&str| format!("{{id: {id}, versions: [{{version: '1'}}]}}");
        let entries: Vec<String> = ids.iter().map(entry).collect();
        let path = root.path().join(name);
        fs::write(&path, format!("secrets: [{}]", entries.join(", "))).expect("writes");
        path.to_str().expect("UTF-8").to_owned()
    };
    let ids = || -> Vec<String> {
        let rows =
            common::sql(data.path(), "SELECT secret_id AS id FROM secret_versions ORDER BY 1");
        rows.iter().map(|it| it["id"].as_str().expect("a text").to_owned()).collect()
    };
    let both = file("both.yaml", &["a", "b"]);
    call(data.path(), ["secrets", "import", &both]).exits(0);
    let kept = call(data.path(), ["secrets", "import", &file("c.yaml", &["c"])]).exits(0);
    assert!(kept.stderr.contains("kept 2 secrets"), "{kept:?}");
    assert_eq!(ids(), ["a", "b", "c"]);
    let broken = root.path().join("broken.yaml");
    fs::write(&broken, "secrets: 7").expect("writes");
    let broken = broken.to_str().expect("UTF-8");
    call(data.path(), ["secrets", "import", "--replace", &both, broken]).exits(1);
    assert_eq!(ids(), ["a", "b", "c"]);
    let forgot = call(data.path(), ["secrets", "import", "--replace", &both]).exits(0);
    assert!(forgot.stderr.contains("forgot 1 secret of"), "{forgot:?}");
    assert_eq!(ids(), ["a", "b"]);
}
