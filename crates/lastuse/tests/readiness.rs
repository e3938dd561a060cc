//! `readiness` over made-up estates: never "not used" of a version that somebody is known to need,
//! and the dry run names whoever used it after the cutoff.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{Estate, Run, call, folder, ingest};
use lastuse_estate::EstateConfig;
use serde_json::Value;

fn ask(estate: &Estate, data: &Path, secret: &str, version: &str, more: &[&str]) -> Run {
    let as_of = estate.truth.as_of_time.to_string();
    let question = ["--as-of", &as_of, "readiness", "--secret", secret, "--version", version];
    call(data, question.iter().chain(more))
}

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).expect("a document")
}

/// Workloads of a list.
fn workloads(list: &Value) -> BTreeSet<String> {
    let rows = list.as_array().expect("a list").iter();
    rows.map(|it| it["workload"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_verdict_is_never_not_used_while_somebody_has_not_switched() {
    let (estate, data) = (Estate::new(&EstateConfig::demo().with_seed(21)), folder());
    estate.import(data.path());
    ingest(data.path(), [estate.logs()]);
    let mut asked = BTreeSet::new();
    for it in &estate.truth.states {
        if !asked.insert((&it.secret_id, &it.old_version)) {
            continue;
        }
        let cutoff = "2026-04-12T00:00:00Z";
        let args = ["--format", "json", "--cutoff", cutoff];
        let run = ask(&estate, data.path(), &it.secret_id, &it.old_version, &args);
        let document = document(&run);
        let expected = match document["verdict"].as_str() {
            Some("not_used") => 0,
            Some("used") => 3,
            _ => 4,
        };
        assert_eq!(run.code, Some(expected), "{document}");
        assert_states(&estate, &document);
        assert_broken(&estate, &document, cutoff);
    }
    assert!(asked.len() >= 5, "{asked:?}");
}

/// Whoever is known to need the old version is named with its state.
fn assert_states(estate: &Estate, document: &Value) {
    let (secret, version) = (&document["secret_id"], &document["version"]);
    for it in &estate.truth.states {
        let is_it = *secret == it.secret_id.as_str() && *version == it.old_version.as_str();
        if !is_it || it.state == "new_only" {
            continue;
        }
        let rows = document["consumers"].as_array().expect("a list");
        let states: BTreeSet<&str> = rows
            .iter()
            .filter(|row| row["workload"] == it.workload.as_str())
            .filter_map(|row| row["state"].as_str())
            .collect();
        let is_over = it.state == "switched" && states == BTreeSet::from(["settled"]);
        assert!(is_over || states == BTreeSet::from([it.state.as_str()]), "{it:?}: {document}");
        let needs_it =
            matches!(it.state.as_str(), "old_only" | "both" | "reverted" | "failing_new");
        if needs_it {
            assert_eq!(document["verdict"], "used", "{it:?}");
        }
    }
}

/// The dry run names those, and only those, who used the version from then on.
fn assert_broken(estate: &Estate, document: &Value, cutoff: &str) {
    let cutoff = cutoff.parse().expect("an instant");
    let (secret, version) = (&document["secret_id"], &document["version"]);
    let expected: BTreeSet<String> = estate
        .truth
        .versions
        .iter()
        .filter(|it| *secret == it.secret_id.as_str() && *version == it.version.as_str())
        .filter(|it| it.last_used_time.max(it.derived_last_used_time) >= Some(cutoff))
        .map(|it| it.workload.clone())
        .collect();
    assert_eq!(workloads(&document["would_break"]), expected, "{secret} {version}");
}

#[test]
fn people_see_the_verdict_first_and_no_line_is_cut_off_in_a_pipe() {
    let (estate, data) =
        (Estate::new(&EstateConfig { days: 20, events: 3_000, ..EstateConfig::demo() }), folder());
    estate.import(data.path());
    ingest(data.path(), [estate.logs()]);
    let it = &estate.truth.versions[0];
    let run = ask(&estate, data.path(), &it.secret_id, &it.version, &[]);
    assert!(matches!(run.code, Some(0 | 3 | 4)), "{run:?}");
    let start = format!("{} version {} ", it.secret_id, it.version);
    let said = run.stdout.strip_prefix(&start).unwrap_or_default();
    assert!(said.starts_with("is ") || said.starts_with("was revoked "), "{run:?}");
    assert!(run.stdout.contains("Logs that could have shown it:"), "{run:?}");

    let threads = |count| {
        let more = ["--format", "json", "--threads", count];
        ask(&estate, data.path(), &it.secret_id, &it.version, &more).stdout
    };
    assert_eq!(threads("1"), threads("5"), "one question has one answer");

    let unknown = ask(&estate, data.path(), "no/such", "1", &[]).exits(1);
    assert!(unknown.stderr.starts_with("error: there is no secret `no/such`"));
    let unknown = ask(&estate, data.path(), &it.secret_id, "77", &[]).exits(1);
    assert!(unknown.stderr.contains("has no version `77`; there are: "), "{unknown:?}");
    for wrong in [["--alpha", "2"], ["--floor", "-1"], ["--cutoff", "soon"], ["--format", "csv"]] {
        ask(&estate, data.path(), &it.secret_id, &it.version, &wrong).exits(2);
    }
}

#[test]
fn an_identifier_that_stands_for_credentials_of_two_scopes_is_no_evidence_of_silence() {
    let (logs, data) = (folder(), folder());
    let registry = logs.path().join("registry.yaml");
    let [a, b] = ["a", "b"].map(|it| it.repeat(64));
    let text = |scope: &str| {
        let scope = if scope.is_empty() { String::new() } else { format!("scope: {scope}, ") };
        format!(
            "secrets:\n  - id: robot\n    versions:\n      - version: \"1\"\n        identifiers:\n          - {{kind: vault_hmac, {scope}value: \"hmac-sha256:{a}\"}}\n          - {{kind: vault_hmac, scope: one, value: \"hmac-sha256:{b}\"}}\n"
        )
    };
    let import = |scope: &str| {
        fs::write(&registry, text(scope)).expect("writes");
        let path = registry.to_str().expect("a path");
        call(data.path(), ["secrets", "import", path]).exits(0)
    };
    import("");
    for scope in ["one", "two"] {
        let log = logs.path().join(format!("{scope}.log"));
        let line = format!(
            r#"{{"time":"2026-01-05T10:00:00Z","type":"response","auth":{{"client_token":"hmac-sha256:{a}","display_name":"robot","token_type":"service"}},"request":{{"id":"{scope}-1","operation":"read","path":"secret/data/x","client_token":"hmac-sha256:{a}","remote_address":"192.0.2.7"}}}}"#
        );
        fs::write(&log, line + "\n").expect("writes");
        let log = log.to_str().expect("a path");
        call(data.path(), ["ingest", "--source", "vault_audit", "--scope", scope, log]).exits(0);
    }
    let ask = || {
        let flags = ["--as-of", "2026-12-01T00:00:00Z", "readiness", "--secret", "robot"];
        let run = call(data.path(), flags.iter().chain(&["--version", "1", "--format", "json"]));
        let codes = document(&run)["reasons"].as_array().expect("a list").clone();
        codes.iter().map(|it| it["code"].as_str().expect("a code").to_owned()).collect::<Vec<_>>()
    };
    assert!(ask().contains(&"ambiguous_identifier".to_owned()), "{:?}", ask());
    import("two");
    let told = ask();
    assert_eq!(told, ["no_newer_version"]);
    // Logs have it, but in no scope of that name: which of the two is wrong, nothing tells.
    import("three");
    assert!(ask().contains(&"ambiguous_identifier".to_owned()), "{:?}", ask());
}

#[test]
fn a_misspelt_version_is_not_unused_because_another_one_is_seen() {
    let (logs, data) = (folder(), folder());
    let [old, wrong, new] = ["a", "c", "b"].map(|it| it.repeat(64));
    let line = |(day, token): (usize, &String)| {
        format!(
            r#"{{"time":"2026-01-{:02}T10:00:00Z","type":"response","auth":{{"client_token":"hmac-sha256:{token}","display_name":"robot","token_type":"service"}},"request":{{"id":"{day}","operation":"read","path":"secret/data/x","client_token":"hmac-sha256:{token}","remote_address":"192.0.2.7"}}}}"#,
            day + 1
        )
    };
    let lines: Vec<String> = [&old, &old, &new, &new].into_iter().enumerate().map(line).collect();
    let log = logs.path().join("vault.log");
    fs::write(&log, lines.join("\n") + "\n").expect("writes");
    let registry = logs.path().join("registry.yaml");
    let path = |it: &Path| it.to_str().expect("UTF-8").to_owned();
    call(data.path(), ["ingest", "--source", "vault_audit", "--scope", "one", &path(&log)])
        .exits(0);
    let ask = |first: &str| {
        let version = |name: &str, value: &str| {
            format!(
                "{{version: '{name}', identifiers: [{{kind: vault_hmac, scope: one, value: 'hmac-sha256:{value}'}}]}}"
            )
        };
        let versions = [version("1", first), version("2", &new)].join(", ");
        fs::write(&registry, format!("secrets: [{{id: robot, versions: [{versions}]}}]"))
            .expect("writes");
        call(data.path(), ["secrets", "import", "--replace", &path(&registry)]).exits(0);
        let flags = ["--as-of", "2026-12-01T00:00:00Z", "readiness", "--secret", "robot"];
        let run = call(data.path(), flags.iter().chain(&["--version", "1", "--format", "json"]));
        let document = document(&run);
        let codes = document["reasons"].as_array().expect("a list").iter();
        codes.map(|it| it["code"].as_str().expect("a code").to_owned()).collect::<Vec<_>>()
    };
    assert!(ask(&wrong).contains(&"never_seen".to_owned()), "{:?}", ask(&wrong));
    assert!(!ask(&old).contains(&"never_seen".to_owned()), "{:?}", ask(&old));
}

#[test]
fn what_a_service_did_for_somebody_with_the_version_keeps_the_verdict_open() {
    let (logs, data) = (folder(), folder());
    let call_at = |time: &str, by: &str| {
        format!(
            r#"{{"eventVersion":"1.09","eventID":"{time}","eventTime":"{time}","eventSource":"kms.amazonaws.com","eventName":"Decrypt","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.9","recipientAccountId":"111122223333","userIdentity":{{"type":"IAMUser","userName":"app","arn":"arn:aws:iam::111122223333:user/app","accountId":"111122223333","accessKeyId":"AKIAMADEUPFORWARD001"{by}}}}}"#
        )
    };
    let forwarded = call_at("2026-10-01T15:00:00Z", r#","invokedBy":"AWS Internal""#);
    let text = [call_at("2026-10-01T09:00:00Z", ""), forwarded].join("\n");
    fs::write(logs.path().join("trail.json"), text).expect("writes");
    let registry = logs.path().join("registry.yaml");
    let entry = "secrets: [{id: app, versions: [{version: '1', identifiers: [{kind: aws_access_key_id, value: AKIAMADEUPFORWARD001}]}]}]";
    fs::write(&registry, entry).expect("writes");
    let path = |it: &Path| it.to_str().expect("UTF-8").to_owned();
    call(data.path(), ["secrets", "import", &path(&registry)]).exits(0);
    call(data.path(), ["ingest", &path(&logs.path().join("trail.json"))]).exits(0);
    let flags = ["--as-of", "2026-10-20T00:00:00Z", "readiness", "--secret", "app"];
    let run = call(data.path(), flags.iter().chain(&["--version", "1", "--format", "json"]));
    let codes = document(&run)["reasons"].as_array().expect("a list").clone();
    assert!(codes.iter().any(|it| it["code"] == "forwarded_use"), "{codes:?}");
}

#[test]
fn the_report_is_one_page_with_every_secret_and_its_verdict() {
    let (estate, data) =
        (Estate::new(&EstateConfig { days: 20, events: 3_000, ..EstateConfig::demo() }), folder());
    estate.import(data.path());
    ingest(data.path(), [estate.logs()]);
    let out = data.path().join("report.html");
    let as_of = estate.truth.as_of_time.to_string();
    let path = out.to_str().expect("a path in UTF-8");
    call(data.path(), ["--as-of", &as_of, "report", "--out", path]).exits(0);
    let page = fs::read_to_string(&out).expect("the page");
    for it in &estate.truth.versions {
        assert!(page.contains(&it.secret_id), "{}", it.secret_id);
    }
    let answers = ["Yes.", "No.", "Cannot say."].map(|it| page.matches(it).count());
    assert!(answers.iter().sum::<usize>() > 0, "{answers:?}");
    assert!(page.contains("Content-Security-Policy"));
    for outside in ["src=\"http", "href=\"http", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("Judged at a risk"));
    let policy = ["--as-of", &as_of, "report", "--out", path, "--rare-floor", "5"];
    call(data.path(), policy).exits(0);
    let page = fs::read_to_string(&out).expect("the page");
    assert!(page.contains("Judged at a risk of 0.01, after at least 1 d of silence, or 5 d where"));
    let nowhere = ["report", "--out", "/no/such/folder/report.html"];
    call(data.path(), nowhere).exits(1);
    call(data.path(), ["report", "--out", path, "--secret", "no/such"]).exits(1);
}
