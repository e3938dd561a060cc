//! No raw secret is ever written or printed: each is looked for in many encodings in every
//! byte that a run leaves, Parquet decoded, and in all that it prints.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use common::canaries::{ENCODINGS, Hunter, encode};
use common::{Estate, TABLES, call, folder, lastuse, run, sql};
use flate2::read::MultiGzDecoder;
use lastuse_estate::{EstateConfig, canaries, deliver_part};
use serde_json::Value;

/// Every session token in the logs begins so.
const SESSION_TOKEN: &str = "IQoJb3JpZ2luX2VjE";

fn estate() -> Estate {
    Estate::new(&EstateConfig {
        days: 12,
        events: 3_000,
        stray_secrets: 0.2,
        ..EstateConfig::demo()
    })
}

fn text_of(path: &Path) -> String {
    let bytes = fs::read(path).expect("reads");
    if !bytes.starts_with(b"\x1f\x8b") {
        return String::from_utf8(bytes).expect("UTF-8");
    }
    let mut text = String::new();
    MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("decodes");
    text
}

/// Runs a command and checks all that it prints.
#[track_caller]
fn clean_run<S: AsRef<OsStr>>(hunter: &Hunter, data: &Path, args: &[S]) -> common::Run {
    let run = call(data, args.iter().map(AsRef::as_ref));
    let what: Vec<_> = args.iter().map(|it| it.as_ref().to_string_lossy()).collect();
    let what = what.join(" ");
    hunter.assert_clean(&format!("standard output of `{what}`"), &run.stdout);
    hunter.assert_clean(&format!("standard error of `{what}`"), &run.stderr);
    run
}

/// Every command that answers something, in every format.
#[track_caller]
fn assert_answers_are_clean(hunter: &Hunter, data: &Path) {
    for format in ["table", "json", "csv"] {
        for args in
            [&["inventory"][..], &["last-use"], &["alerts"], &["secrets", "list"], &["coverage"]]
        {
            let args: Vec<_> = args.iter().copied().chain(["--format", format]).collect();
            let run = clean_run(hunter, data, &args);
            assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
        }
    }
    for table in TABLES {
        let query = format!("SELECT * FROM {table}");
        clean_run(hunter, data, &["sql", "--format", "ndjson", &query]).exits(0);
    }
}

#[test]
fn no_raw_secret_is_stored_or_printed() {
    let (estate, data) = (estate(), folder());
    let mut secrets = canaries(estate.root()).expect("reads");
    assert!(secrets.len() >= 8);
    secrets.push(SESSION_TOKEN.to_owned());
    let hunter = Hunter::new(&secrets);
    // The hunter finds what is there.
    let raw: String = estate.files().iter().map(|it| text_of(it)).collect();
    let seen = secrets.iter().filter(|it| raw.contains(*it)).count();
    assert!(seen * 2 > secrets.len() && hunter.find(raw.as_bytes()).len() > 100);

    let registry = estate.root().join("registry.yaml");
    clean_run(&hunter, data.path(), &[OsStr::new("secrets"), "import".as_ref(), registry.as_ref()])
        .exits(0);
    // In many runs, so that the logs of the tables get checkpoints.
    let part = estate.root().join("part");
    for share in 1..=21 {
        deliver_part(&estate.logs(), &part, f64::from(share) / 21.0).expect("copies");
        clean_run(&hunter, data.path(), &[OsStr::new("ingest"), part.as_ref()]).exits(0);
    }
    assert!(sql(data.path(), "SELECT 1 FROM events").len() > 2_500);
    assert_answers_are_clean(&hunter, data.path());
    for source in ["aws_cloudtrail", "github_audit", "http_json", "sshd", "vault_audit"] {
        let path = sql(
            data.path(),
            &format!("SELECT min(path) AS path FROM files WHERE source = '{source}'"),
        );
        let path = path[0]["path"].as_str().expect("a path").to_owned();
        for format in ["table", "json"] {
            let args = ["sources", "test", "--rows", "5000", "--format", format, &path];
            clean_run(&hunter, data.path(), &args).exits(0);
        }
    }
    let tables = hunter.assert_folder_is_clean(data.path());
    assert!(tables > 30, "only {tables} Parquet files were looked into");
    let checkpoint = data.path().join("tables/events/_delta_log/_last_checkpoint");
    assert!(checkpoint.exists(), "no checkpoint was written");
}

/// One record for each way in which a source's fields can be made up.
fn samples(estate: &Estate) -> BTreeMap<&'static str, Vec<Value>> {
    let mut all: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for path in estate.files() {
        let below = path.strip_prefix(estate.logs()).expect("below");
        let source = match below.iter().next().and_then(OsStr::to_str) {
            Some("cloudtrail") => "cloudtrail",
            Some("vault") => "vault",
            Some("github") => "github",
            Some("gateway") => "gateway",
            _ => "sshd",
        };
        let text = text_of(&path);
        let records: Vec<Value> = match serde_json::from_str::<Value>(&text) {
            Ok(mut document) => {
                serde_json::from_value(document["Records"].take()).expect("records")
            }
            Err(_) => text.lines().filter_map(|it| serde_json::from_str(it).ok()).collect(),
        };
        for record in records {
            let leaves = leaves(&record);
            if leaves.iter().any(|it| !seen.contains(&(source, it.clone()))) {
                seen.extend(leaves.into_iter().map(|it| (source, it)));
                all.entry(source).or_default().push(record);
            }
        }
    }
    all
}

/// The JSON pointers of all values that hold no others.
fn leaves(value: &Value) -> Vec<String> {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(it) => {
            it.iter().map(|(name, it)| (name.replace('~', "~0").replace('/', "~1"), it)).collect()
        }
        Value::Array(it) => it.iter().enumerate().map(|(at, it)| (at.to_string(), it)).collect(),
        _ => return vec![String::new()],
    };
    let below = |(name, it): &(String, &Value)| -> Vec<String> {
        leaves(it).into_iter().map(|rest| format!("/{name}{rest}")).collect()
    };
    members.iter().flat_map(below).collect()
}

/// Where the id of a record stands: each must have its own, or it counts as a duplicate.
const IDS: [&str; 4] = ["/eventID", "/request/id", "/_document_id", "/request_id"];

/// Ways in which a secret gets into a field.
fn in_context(number: usize, secret: &str) -> String {
    match number % 3 {
        0 => secret.to_owned(),
        1 => format!("it was {secret} that failed"),
        _ => format!("/v1/things?limit=1&q={secret}&sort=asc"),
    }
}

/// Logs in whose fields, one after the other, a secret stands in each encoding.
fn plant(estate: &Estate, secrets: &[&str], into: &Path) -> usize {
    let mut planted = 0;
    for (source, records) in samples(estate) {
        let (mut lines, mut done) = (Vec::new(), BTreeSet::new());
        lines.push(records[0].to_string());
        for record in &records {
            for leaf in leaves(record) {
                if !done.insert(leaf.clone()) {
                    continue;
                }
                for (encoding, secret) in
                    ENCODINGS.iter().flat_map(|it| secrets.iter().map(move |secret| (it, secret)))
                {
                    for context in 0..3 {
                        planted += 1;
                        let mut record = record.clone();
                        for id in IDS {
                            if let Some(id) = record.pointer_mut(id) {
                                *id = format!("id-{planted}").into();
                            }
                        }
                        if let Some(value) = record.pointer_mut(&leaf) {
                            *value = in_context(context, &encode(encoding, secret)).into();
                        }
                        lines.push(record.to_string());
                    }
                }
            }
        }
        fs::write(into.join(format!("{source}.ndjson")), lines.join("\n") + "\n").expect("writes");
    }
    let mut lines = vec![
        "2026-03-01T00:00:01Z bastion-1 sshd[41]: Server listening on 0.0.0.0 port 22.".to_owned(),
    ];
    for (encoding, secret) in
        ENCODINGS.iter().flat_map(|it| secrets.iter().map(move |secret| (it, secret)))
    {
        let secret = encode(encoding, secret);
        for message in [
            format!(
                "Accepted publickey for deploy from 198.51.100.7 port 4711 ssh2: ED25519 SHA256:{secret}"
            ),
            format!(
                "Accepted publickey for {secret} from 198.51.100.7 port 4711 ssh2: ED25519 SHA256:{}",
                "a".repeat(43)
            ),
            format!("Accepted password for {secret} from 198.51.100.7 port 4711 ssh2"),
            format!("Failed password for invalid user {secret} from 198.51.100.7 port 4711 ssh2"),
            format!(
                "Failed password for invalid user my {secret} here from 198.51.100.7 port 4711 ssh2"
            ),
            format!("Invalid user {secret} from 198.51.100.7 port 4711"),
            format!(
                "Connection closed by authenticating user {secret} 198.51.100.7 port 4711 [preauth]"
            ),
            format!("Accepted password for deploy from {secret} port 4711 ssh2"),
            format!("error: {secret}"),
        ] {
            planted += 1;
            lines.push(format!(
                "2026-03-01T00:00:02.000{planted:06}Z bastion-1 sshd[42]: {message}"
            ));
        }
        planted += 1;
        lines.push(format!("2026-03-01T00:00:03Z {secret} sshd[42]: Accepted password for deploy from 198.51.100.7 port 4711 ssh2"));
    }
    fs::write(into.join("auth.log"), lines.join("\n") + "\n").expect("writes");
    planted + 1
}

#[test]
fn a_secret_in_any_field_and_encoding_is_not_stored_or_printed() {
    let (estate, data, logs) = (estate(), folder(), folder());
    let secrets = canaries(estate.root()).expect("reads");
    // One that only the registry tells, and one that has a known shape.
    let pick = |shape: &str| secrets.iter().find(|it| it.contains(shape)).expect("such a secret");
    let picked = [pick("==").as_str(), pick("sk_live_")];
    let planted = plant(&estate, &picked, logs.path());
    let hunter = Hunter::new(&picked.map(str::to_owned));
    estate.import(data.path());
    let run =
        clean_run(&hunter, data.path(), &[OsStr::new("ingest"), logs.path().as_ref()]).exits(0);
    let counts = common::total(&common::counts(&run.stdout));
    assert!(planted > 5_000 && counts.accepted * 2 > planted as u64, "{counts:?} of {planted}");
    hunter.assert_folder_is_clean(data.path());
    assert_answers_are_clean(&hunter, data.path());
    for path in lastuse_estate::files(logs.path()).expect("lists") {
        let path = path.to_str().expect("UTF-8");
        let args = ["sources", "test", "--rows", "100000", "--format", "json", path];
        clean_run(&hunter, data.path(), &args).exits(0);
    }
}

/// Broken records around the secret: cut, unbalanced, of wrong types, or no record at all.
fn broken_logs(secret: &str, root: &Path) -> Vec<PathBuf> {
    let good = r#"{"eventVersion":"1.08","eventTime":"2026-03-01T00:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","eventID":"id-0","userIdentity":{"type":"IAMUser"}}"#;
    let lines = [
        format!("{{\"eventName\":\"{secret}\",\"eventSource\":"),
        format!("{{\"{secret}\"}}"),
        format!("{{{secret}}}"),
        secret.to_owned(),
        format!("\"{secret}\""),
        format!("[\"{secret}\"]"),
        format!(
            "{{\"eventTime\":\"{secret}\",\"eventSource\":\"{secret}\",\"eventName\":\"{secret}\"}}"
        ),
        format!(
            "{{\"eventTime\":{{\"{secret}\":\"{secret}\"}},\"eventSource\":[\"{secret}\"],\"eventName\":\"{secret}\"}}"
        ),
        format!(
            "{{\"userIdentity\":\"{secret}\",\"eventTime\":\"2026-03-01T00:00:00Z\",\"eventSource\":\"{secret}\",\"eventName\":\"{secret}\\q\"}}"
        ),
        format!("{}\"{secret}\"", "[".repeat(2_000)),
    ];
    let put = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = root.join(name);
        fs::write(&path, bytes).expect("writes");
        path
    };
    let records = format!("{good}\n{}\n", lines.join("\n"));
    let document = format!("{{\"Records\":[{good},{}", lines[6..].join(","));
    let sshd = format!(
        "Mar  1 00:00:01 host sshd[1]: Server listening\n{secret}\nMar 99 99:99:99 host sshd[1]: Accepted password for {secret} from\nMar  1 00:00:02 {secret}\n"
    );
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(records.as_bytes(), flate2::Compression::none())
        .read_to_end(&mut packed)
        .expect("compresses");
    vec![
        put("records.json", records.as_bytes()),
        put("document.json", document.as_bytes()),
        put("auth.log", sshd.as_bytes()),
        put("cut.json.gz", &packed[..packed.len() - 30]),
        put("unknown.log", format!("{secret}\n{secret}\n").as_bytes()),
        put("unknown.json", format!("{{\"{secret}\":\"{secret}\"}}\n").as_bytes()),
        put("registry.txt", format!("token={secret}").as_bytes()),
    ]
}

#[test]
fn errors_about_broken_input_tell_nothing_of_it() {
    let (estate, data, logs) = (estate(), folder(), folder());
    let secrets = canaries(estate.root()).expect("reads");
    for (number, secret) in secrets.iter().enumerate() {
        let hunter = Hunter::new(std::slice::from_ref(secret));
        // With the registry and without it.
        let data = data.path().join(number.to_string());
        if number % 2 == 0 {
            estate.import(&data);
        }
        let paths = broken_logs(secret, logs.path());
        for path in &paths {
            clean_run(&hunter, &data, &[OsStr::new("ingest"), path.as_ref()]);
            if number < 2 {
                clean_run(&hunter, &data, &[OsStr::new("sources"), "test".as_ref(), path.as_ref()]);
                let sources = ["ingest", "--source", "vault_audit"].map(OsStr::new);
                let args: Vec<_> = sources.into_iter().chain([path.as_os_str()]).collect();
                clean_run(&hunter, &data, &args);
            }
        }
        assert!(!sql(&data, "SELECT 1 FROM rejects").is_empty());
        clean_run(&hunter, &data, &["sql", "--format", "json", "SELECT * FROM rejects"]).exits(0);
        hunter.assert_folder_is_clean(&data);
    }
}

#[test]
fn a_registry_with_a_raw_secret_in_it_is_refused_without_telling_it() {
    let (data, root) = (folder(), folder());
    let secret = "sk_live_9fAkE0mAdEuPs3cr3tVaLu3x".to_owned();
    let hunter = Hunter::new(std::slice::from_ref(&secret));
    let identifier = |it: &str| {
        format!(
            "secrets:\n  - id: a\n    versions:\n      - version: \"1\"\n        identifiers:\n          - {it}\n"
        )
    };
    let texts = [
        identifier(&format!("{{kind: secret_value, value: \"{secret}\"}}")),
        identifier(&format!("{{kind: secret_sha256, value: \"{secret}\"}}")),
        identifier(&format!("{{kind: aws_access_key_id, value: \"{secret}\"}}")),
        identifier(&format!("{{kind: fingerprint, value: \"{secret}\"}}")),
        identifier(&format!("{{kind: secret_value, env: \"{secret}\"}}")),
        identifier(&format!("{{kind: secret_value, file: \"{secret}\"}}")),
        identifier(&format!("{{kind: secret_value, vaule: \"{secret}\"}}")),
        identifier(&format!("{{kind: secret_value, \"{secret}\": x}}")),
        identifier(&format!("{{kind: secret_value, value: {secret}")),
        secret.clone(),
        format!("secrets: {secret}\n"),
        format!("{{\"secrets\": \"{secret}\"}}"),
    ];
    for (number, text) in texts.iter().enumerate() {
        let path = root.path().join(format!("registry-{number}.yaml"));
        fs::write(&path, text).expect("writes");
        let run = run(lastuse(data.path()).args(["secrets", "import"]).arg(&path));
        assert_eq!(run.code, Some(1), "{text}: {run:?}");
        hunter.assert_clean(&format!("standard error over {text}"), &run.stderr);
        hunter.assert_clean("standard output", &run.stdout);
    }
    hunter.assert_folder_is_clean(data.path());
}
