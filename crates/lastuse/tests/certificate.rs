//! `verify-certificate`: what is genuine, what is not, and what is shown of either.

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use common::{Run, call, folder, ingest, lastuse, measure, run};
use lastuse_certificate::{Statement, Subject, sign, signing_key_in};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A data directory with a key, and a certificate that it signed.
struct Case {
    root: TempDir,
    file: PathBuf,
}

impl Case {
    fn new(predicate: Value) -> Self {
        let root = folder();
        let case = Self { file: root.path().join("c.json"), root };
        let key = signing_key_in(&case.data()).expect("a key");
        let digest = [("sha256".to_owned(), "ab".repeat(32))].into();
        let subject = Subject { name: "a.log".to_owned(), digest, annotations: Map::new() };
        let bare = [("lastuseHead".to_owned(), "cd".repeat(16))].into();
        let other = Subject { name: "b.log".to_owned(), digest: bare, annotations: Map::new() };
        let statement = Statement::non_use(vec![subject, other], predicate).expect("a statement");
        fs::write(&case.file, sign(&statement, &key).expect("signs")).expect("writes");
        case
    }

    fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    fn public(&self) -> PathBuf {
        self.data().join("certificate.pub")
    }

    fn verify(&self, more: &[&str]) -> Run {
        verify(&self.data(), &self.file, more)
    }
}

fn verify(data: &Path, file: &Path, more: &[&str]) -> Run {
    let file = file.to_str().expect("UTF-8");
    call(data, ["verify-certificate", file].iter().chain(more))
}

fn predicate() -> Value {
    json!({
        "secret_id": "payments/stripe", "version": "1", "verdict": "not_used",
        "as_of_time": "2026-10-21T00:00:00Z", "soak_until_time": "2026-10-20T12:00:00Z",
        "wait_until_time": null, "tail_expires_time": "2026-10-19T00:00:00Z", "reasons": [],
        "consumers": [{"state": "settled"}, {"state": "new_only"}, {"state": "settled"}],
        "coverage": [{
            "source": "aws_cloudtrail", "scope": "123456789012",
            "start_time": "2026-07-01T00:00:00Z", "watermark_time": "2026-10-21T00:00:00Z",
            "holes": [{}], "blind_spots": ["data events", "regions"],
        }],
        "policy": {"alpha": 0.01}, "tool": {"name": "lastuse", "version": "0.1.0"},
    })
}

/// An error says what, why, and what to do about it, and nothing is printed as if it were true.
#[track_caller]
fn assert_refused(run: &Run, says: &str) {
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(run.stdout, "", "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("error: cannot verify the certificate"), "{run:?}");
    assert!(lines[1].starts_with("  caused by: ") && lines[1].contains(says), "{run:?}");
    assert!(lines[2].starts_with("hint: ") && lines.len() == 3, "{run:?}");
}

#[test]
fn a_genuine_certificate_is_told_in_short() {
    let case = Case::new(predicate());
    let run = case.verify(&[]).exits(0);
    let (first, rest) = run.stdout.split_once('\n').expect("lines");
    let key = lastuse_certificate::read_public_key(&case.public()).expect("a key");
    assert_eq!(first, format!("genuine: signed by the key {}", key.key_id()));
    assert_eq!(
        rest,
        "\
secret        payments/stripe
version       1
verdict       not_used
as of         2026-10-21T00:00:00Z
soak until    2026-10-20T12:00:00Z
wait until    -
tail expires  2026-10-19T00:00:00Z
policy        {\"alpha\":0.01}
tool          {\"name\":\"lastuse\",\"version\":\"0.1.0\"}
consumers     1 new_only, 2 settled
inputs        2, 1 of them with SHA-256
coverage      1
  aws_cloudtrail  123456789012  2026-07-01T00:00:00Z to 2026-10-21T00:00:00Z  holes 1, blind spots 2
"
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn json_is_the_predicate_that_was_signed() {
    let run = Case::new(predicate()).verify(&["--format", "json"]).exits(0);
    let printed: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(printed, predicate());
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let case = Case::new(predicate());
    let whole = fs::read(&case.file).expect("reads");
    // Every bit is flipped in the tests of the library.
    for bit in (0..whole.len() * 8).step_by(whole.len() * 8 / 40) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&case.file, flipped).expect("writes");
        assert_refused(&case.verify(&[]), "");
    }
}

#[test]
fn only_keys_that_are_given_are_trusted() {
    let (case, other) = (Case::new(predicate()), Case::new(predicate()));
    let key = case.public().to_str().expect("UTF-8").to_owned();
    let foreign = other.public().to_str().expect("UTF-8").to_owned();
    assert_refused(&verify(&other.data(), &case.file, &[]), "none of the public keys given");
    assert_refused(&case.verify(&["--public-key", &foreign]), "none of the public keys given");
    verify(&other.data(), &case.file, &["--public-key", &key]).exits(0);
    let both = ["--public-key", foreign.as_str(), "--public-key", &key];
    verify(&other.data(), &case.file, &both).exits(0);
}

#[test]
fn without_a_public_key_nothing_is_verified_and_nothing_is_made() {
    let case = Case::new(predicate());
    let data = case.root.path().join("none");
    let run = verify(&data, &case.file, &[]).exits(1);
    assert!(run.stderr.starts_with("error: there is no public key to verify with"), "{run:?}");
    assert!(run.stderr.contains("hint: ") && !data.exists(), "{run:?}");
    let private = case.data().join("certificate.key");
    let run = case.verify(&["--public-key", private.to_str().expect("UTF-8")]).exits(1);
    assert!(run.stderr.contains("no `-----BEGIN PUBLIC KEY-----` block"), "{run:?}");
}

#[test]
fn what_is_no_certificate_is_refused() {
    let case = Case::new(predicate());
    for (text, says) in [
        ("", "it is not JSON"),
        ("milk\n", "it is not JSON"),
        ("{}\n", "it is not a DSSE envelope"),
        ("{\"payload\":\"\",\"payloadType\":\"\\u001b[31m\",\"signatures\":[]}\n", "`\\u{1b}[31m`"),
    ] {
        fs::write(&case.file, text).expect("writes");
        assert_refused(&case.verify(&[]), says);
    }
    let missing = verify(&case.data(), &case.root.path().join("none.json"), &[]).exits(1);
    assert!(missing.stderr.contains("cannot read"), "{missing:?}");
    verify(&case.data(), case.root.path(), &[]).exits(1);
}

#[test]
fn a_file_without_end_takes_bounded_memory() {
    let case = Case::new(predicate());
    let file = File::create(&case.file).expect("creates");
    file.set_len(1 << 40).expect("sets");
    let mut command = lastuse(&case.data());
    let done = measure(command.arg("verify-certificate").arg(&case.file));
    assert_refused(&done.run, "it is longer than");
    assert!(done.peak_kib < 400 << 10, "it took {} KiB", done.peak_kib);
}

#[test]
fn what_a_genuine_certificate_says_cannot_steer_a_terminal() {
    let mut hostile = predicate();
    hostile["secret_id"] = "\u{1b}[2Jx\u{202e}y".into();
    hostile["coverage"][0]["source"] = "\u{9b}z\nverdict".into();
    hostile["version"] = "x".repeat(100_000).into();
    let case = Case::new(hostile);
    for format in ["table", "json"] {
        let run = case.verify(&["--format", format]).exits(0);
        let hidden = |it: char| it != '\n' && (it.is_control() || it == '\u{202e}');
        assert!(!run.stdout.contains(hidden), "{run:?}");
    }
    assert!(case.verify(&[]).stdout.len() < 2_000);
}

#[test]
fn the_exit_code_tells_whether_it_is_genuine_and_not_the_verdict() {
    let case = Case::new(predicate());
    let key = signing_key_in(&case.data()).expect("the key");
    // What this program would not write, another one with the key may.
    let other: Statement = serde_json::from_value(json!({
        "_type": lastuse_certificate::STATEMENT_TYPE, "subject": [],
        "predicateType": lastuse_certificate::PREDICATE_TYPE, "predicate": {"verdict": "used"},
    }))
    .expect("a statement");
    fs::write(&case.file, sign(&other, &key).expect("signs")).expect("writes");
    let run = case.verify(&[]).exits(0);
    assert!(run.stdout.contains("verdict       used\n"), "{run:?}");
}

/// A gateway's log of a month: one consumer, every half hour, with a new version from the 21st on.
fn month(folder: &Path) {
    let start: jiff::Timestamp = "2026-05-01T00:00:00Z".parse().expect("an instant");
    let mut log = String::new();
    for number in 0..30 * 48 {
        let time = start + jiff::SignedDuration::from_mins(30 * number);
        let value = if number < 20 * 48 { "one" } else { "two" };
        let line = json!({
            "time": time.to_string(), "remote_addr": "10.4.5.6", "request_method": "GET",
            "request_uri": "/", "status": 200, "request_id": number.to_string(),
            "http_user_agent": "checkout/1.0",
            "http_authorization": format!("Bearer lastuse-fixture-key-{value}-A1b2C3d4"),
        });
        log += &format!("{line}\n");
    }
    fs::write(folder.join("access.json"), log).expect("writes");
    let version = |name: &str, value: &str| {
        fs::write(folder.join(value), format!("lastuse-fixture-key-{value}-A1b2C3d4"))
            .expect("writes");
        json!({"version": name, "identifiers": [{"kind": "secret_value", "file": value}]})
    };
    let versions = [version("1", "one"), version("2", "two")];
    let registry = json!({"secrets": [{"id": "payments/stripe", "versions": versions}]});
    fs::write(folder.join("registry.json"), registry.to_string()).expect("writes");
}

#[test]
fn readiness_certifies_what_it_answers_and_nothing_but_not_used() {
    let (logs, data) = (folder(), folder());
    month(logs.path());
    let registry = logs.path().join("registry.json");
    call(data.path(), [Path::new("secrets"), Path::new("import"), &registry]).exits(0);
    ingest(data.path(), [logs.path().join("access.json")]);
    let file = data.path().join("c.json");
    let ask = |version: &str| {
        let mut command = lastuse(data.path());
        command.args(["--as-of", "2026-05-30T23:30:00Z", "readiness", "--format", "json"]);
        command.args(["--secret", "payments/stripe", "--version", version, "--certificate"]);
        run(command.arg(&file))
    };
    let used = ask("2");
    assert!(used.code != Some(0) && !file.exists(), "{used:?}");
    assert!(used.stderr.contains("only `not_used` is certified"), "{used:?}");

    let answer = ask("1").exits(0);
    let mut wanted: Value = serde_json::from_str(&answer.stdout).expect("a document");
    wanted["tool"] = json!({"name": "lastuse", "version": env!("CARGO_PKG_VERSION")});
    let said = verify(data.path(), &file, &["--format", "json"]).exits(0).stdout;
    let said: Value = serde_json::from_str(&said).expect("a predicate");
    // 1800.0 is signed as 1800.
    let text = |it: &Value| lastuse_certificate::canonical(it).expect("canonical");
    assert_eq!(text(&said), text(&wanted));
    let shown = verify(data.path(), &file, &[]).exits(0).stdout;
    assert!(shown.contains("\ninputs        1, 0 of them with SHA-256\n"), "{shown}");
    let first = fs::read(&file).expect("reads");
    ask("1").exits(0);
    assert_eq!(fs::read(&file).expect("reads"), first, "the same answer gives the same bytes");
}
