//! Logs are written by whoever makes requests: whatever they hold, memory stays bounded, what
//! cannot be read is counted or named, and the other files are read.

mod common;

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Counts, call, counts, folder, lastuse, measure, measure_fed, sql, total};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// The most memory that an ingest of anything here may hold, in KiB.
const MOST_KIB: u64 = 512 * 1024;

/// A good CloudTrail record; `id` is its id.
fn record(id: &str) -> String {
    format!(
        "{{\"eventVersion\":\"1.08\",\"eventTime\":\"2026-03-01T00:00:00Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"GetObject\",\"eventID\":\"{id}\",\"awsRegion\":\"eu-west-1\",\"sourceIPAddress\":\"198.51.100.7\",\"userAgent\":\"aws-cli/2.15\",\"recipientAccountId\":\"111122223333\",\"userIdentity\":{{\"type\":\"IAMUser\",\"arn\":\"arn:aws:iam::111122223333:user/made-up\",\"accountId\":\"111122223333\",\"accessKeyId\":\"AKIAMADEUPKEY2345672\"}}}}"
    )
}

/// A folder with a good file before and one after what a test puts there.
struct Case {
    logs: TempDir,
    data: TempDir,
}

/// What became of a case.
struct Outcome {
    code: Option<i32>,
    counts: Counts,
    stderr: String,
}

impl Case {
    fn new() -> Self {
        let case = Self { logs: folder(), data: folder() };
        case.put("a-good.json", format!("{}\n", record("first")).as_bytes());
        case.put("z-good.json", format!("{}\n", record("last")).as_bytes());
        case
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.logs.path().join(name);
        fs::write(&path, bytes).expect("writes");
        path
    }

    /// Reads the folder: the good files must be there, and memory bounded.
    #[track_caller]
    fn ingest(&self) -> Outcome {
        self.ingest_paths(&[self.logs.path()])
    }

    #[track_caller]
    fn ingest_paths(&self, paths: &[&Path]) -> Outcome {
        let measured = measure(lastuse(self.data.path()).arg("ingest").args(paths));
        let run = measured.run;
        println!(
            "{} MiB, {:?}: {}{}",
            measured.peak_kib / 1024,
            measured.took,
            run.stdout,
            run.stderr
        );
        assert!(measured.peak_kib > 0 && measured.peak_kib < MOST_KIB, "{} KiB", measured.peak_kib);
        let ids = self.ids();
        assert!(ids.iter().any(|it| it == "first") && ids.iter().any(|it| it == "last"), "{ids:?}");
        Outcome { code: run.code, counts: total(&counts(&run.stdout)), stderr: run.stderr }
    }

    /// The ids of all events that were stored.
    fn ids(&self) -> Vec<String> {
        let rows = sql(self.data.path(), "SELECT native_uid FROM events ORDER BY native_uid");
        rows.iter().map(|it| it["native_uid"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn reasons(&self) -> Vec<String> {
        let rows =
            sql(self.data.path(), "SELECT reason FROM rejects ORDER BY record_number, reason");
        rows.iter().map(|it| it["reason"].as_str().expect("a reason").to_owned()).collect()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

#[test]
fn a_gzip_bomb_of_blanks_loses_nothing() {
    // Two good records around 3 GiB of blanks, in members of 64 MiB.
    let case = Case::new();
    let blanks = gzip(&vec![b' '; 64 << 20]);
    let mut bomb = gzip(format!("{}\n", record("before")).as_bytes());
    (0..48).for_each(|_| bomb.extend_from_slice(&blanks));
    bomb.extend(gzip(format!("\n{}\n", record("after")).as_bytes()));
    println!("{} bytes", bomb.len());
    case.put("bomb.json.gz", &bomb);
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(case.ids(), ["after", "before", "first", "last"]);
}

#[test]
fn a_gzip_bomb_of_one_line_is_one_reject() {
    let case = Case::new();
    let blanks = gzip(&vec![b'x'; 64 << 20]);
    let mut bomb = gzip(format!("{}\n{{\"eventName\":\"", record("before")).as_bytes());
    (0..32).for_each(|_| bomb.extend_from_slice(&blanks));
    bomb.extend(gzip(format!("\"}}\n{}\n", record("after")).as_bytes()));
    case.put("bomb.json.gz", &bomb);
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!((outcome.counts.accepted, outcome.counts.rejected), (4, 1));
    assert_eq!(case.ids(), ["after", "before", "first", "last"]);
}

#[test]
fn a_zstd_bomb_is_one_reject() {
    // 8 GiB in frames of 64 MiB; more comes out of each byte than is allowed.
    let case = Case::new();
    let blanks = zstd::bulk::compress(&vec![b' '; 64 << 20], 19).expect("compresses");
    let good = format!("{}\n", record("before"));
    let mut bomb = zstd::bulk::compress(good.as_bytes(), 3).expect("compresses");
    (0..128).for_each(|_| bomb.extend_from_slice(&blanks));
    println!("{} bytes", bomb.len());
    case.put("bomb.json.zst", &bomb);
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!((outcome.counts.accepted, outcome.counts.rejected), (3, 1));
    assert_eq!(case.reasons(), ["the input decodes to more than 2000 times its size"]);
}

/// A file of one good line, a hole of `length` zeros that take no place on disk, and another
/// good line.
fn hole(path: &Path, before: &str, length: u64, after: &str) {
    let mut file = fs::File::create(path).expect("creates");
    file.write_all(before.as_bytes()).expect("writes");
    file.seek(SeekFrom::Current(length as i64)).expect("seeks");
    file.write_all(after.as_bytes()).expect("writes");
}

#[test]
fn a_hole_of_a_gibibyte_in_a_file_loses_nothing() {
    // As a log looks that was cut to nothing while its writer went on where it was.
    let case = Case::new();
    let line = |id: &str| format!("{}\n", record(id));
    hole(&case.logs.path().join("hole.json"), &line("before"), 1 << 30, &line("after"));
    let sshd = |user: &str| {
        format!(
            "2026-03-01T00:00:00Z host sshd[1]: Accepted password for {user} from 198.51.100.7 port 22 ssh2\n"
        )
    };
    hole(&case.logs.path().join("auth.log"), &sshd("before"), 100 << 20, &sshd("after"));
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!((outcome.counts.accepted, outcome.counts.rejected), (6, 0));
    assert!(["after", "before"].iter().all(|id| case.ids().iter().any(|it| it == id)));
}

#[test]
fn a_line_of_a_gibibyte_is_one_reject() {
    let case = Case::new();
    case.ingest();
    let before = format!("{}\n{{\"eventName\":\"", record("before"));
    let after = format!("\"}}\n{}\n", record("after"));
    let mut command = lastuse(case.data.path());
    let measured = measure_fed(command.args(["ingest", "-"]), move |stdin| {
        stdin.write_all(before.as_bytes())?;
        let filler = vec![b'x'; 1 << 20];
        (0..1 << 10).try_for_each(|_| stdin.write_all(&filler))?;
        stdin.write_all(after.as_bytes())
    });
    println!("{} MiB, {:?}", measured.peak_kib / 1024, measured.took);
    assert!(measured.peak_kib < MOST_KIB, "{} KiB", measured.peak_kib);
    let counts = total(&counts(&measured.run.exits(0).stdout));
    assert_eq!((counts.accepted, counts.rejected), (2, 1));
    assert_eq!(case.reasons(), ["longer than 16777216 bytes"]);
    assert_eq!(case.ids(), ["after", "before", "first", "last"]);
}

#[test]
fn a_long_line_in_a_file_is_one_reject() {
    let case = Case::new();
    let long = "x".repeat(64 << 20);
    let lines =
        format!("{}\n{{\"eventName\":\"{long}\"}}\n{}\n", record("before"), record("after"));
    case.put("long.json", lines.as_bytes());
    let start = "2026-03-01T00:00:00Z host sshd[1]: Accepted password for";
    let end = "from 198.51.100.7 port 22 ssh2";
    let lines = format!("{start} before {end}\n{start} {long} {end}\n{start} after {end}\n");
    case.put("auth.log", lines.as_bytes());
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!((outcome.counts.accepted, outcome.counts.rejected), (6, 2));
    assert_eq!(case.reasons(), ["longer than 16777216 bytes"; 2]);
}

#[test]
fn a_quote_that_is_never_closed_costs_its_line() {
    let case = Case::new();
    let mut text =
        "EVENT_ID,EVENT_TIMESTAMP,USER_NAME,IS_SUCCESS,LOGIN_DETAILS\n1,\"2026\n".to_owned();
    // Together more than a record may be long, so that no later end is waited for.
    let details = "made up ".repeat(500);
    for id in 0..5_000 {
        text.push_str(&format!("made-up-{id},2026-03-01T00:00:00Z,A_SERVICE,YES,{details}\n"));
    }
    case.put("export.csv", text.as_bytes());
    let outcome = case.ingest();
    assert_eq!((outcome.code, outcome.counts.rejected), (Some(0), 1), "{}", outcome.stderr);
    assert_eq!(outcome.counts.accepted, 5_002);
}

#[test]
fn a_record_of_a_hundred_thousand_lines_is_one_reject() {
    let case = Case::new();
    let line = "2026-03-01 09:00:00.000 UTC [7] LOG:";
    let login = format!("{line}  connection authorized: user=app database=shop\n");
    let more = format!("\t{}\n", "made up ".repeat(40)).repeat(100_000);
    case.put("postgresql.log", format!("{line}  statement: SELECT 1\n{more}{login}").as_bytes());
    let outcome = case.ingest();
    assert_eq!(outcome.counts.rejected, 1, "{}", outcome.stderr);
    assert_eq!(outcome.counts.accepted, 3);
}

#[test]
fn json_a_hundred_thousand_deep_is_one_reject() {
    let case = Case::new();
    let deep = |open: &str, close: &str| open.repeat(100_000) + "1" + &close.repeat(100_000);
    let lines = [
        record("before"),
        format!("{{\"userIdentity\":{}}}", deep("{\"arn\":", "}")),
        format!("{{\"other\":{}}}", deep("[", "]")),
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        record("after"),
    ];
    case.put("deep.json", format!("{}\n", lines.join("\n")).as_bytes());
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.counts.rejected >= 3, "{:?}", outcome.counts);
    assert_eq!(case.ids(), ["after", "before", "first", "last"]);
}

#[test]
fn bytes_that_are_no_utf8_cost_at_most_their_record() {
    let case = Case::new();
    let mut bytes = format!("{}\n", record("before")).into_bytes();
    bytes.extend(record("odd").replace("aws-cli", "aws\u{1}cli").into_bytes());
    let at = bytes.iter().position(|it| *it == 1).expect("the mark");
    bytes[at] = 0xff;
    bytes.extend(b"\n\xff\xfe\xfd\n\xc3\n{\"\xed\xa0\x80\":1}\n");
    bytes.extend(format!("{}\n", record("after")).into_bytes());
    case.put("bytes.json", &bytes);
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(case.ids(), ["after", "before", "first", "last", "odd"]);
    let agent = sql(case.data.path(), "SELECT user_agent FROM events WHERE native_uid = 'odd'");
    assert_eq!(agent[0]["user_agent"], "aws\u{fffd}cli/2.15");
}

#[test]
fn a_cut_gzip_file_is_read_as_far_as_it_goes() {
    let case = Case::new();
    let lines: String = (0..2_000).map(|it| record(&format!("n{it:04}")) + "\n").collect();
    let packed = gzip(lines.as_bytes());
    case.put("cut.json.gz", &packed[..packed.len() / 2]);
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.counts.accepted > 100 && outcome.counts.rejected >= 1, "{:?}", outcome.counts);
    assert!(
        case.reasons().contains(&"the gzip data ends early".to_owned()),
        "{:?}",
        case.reasons()
    );
}

#[test]
fn a_cut_gzip_file_that_is_whole_later_is_read_on() {
    let case = Case::new();
    let lines: String = (0..2_000).map(|it| record(&format!("n{it:04}")) + "\n").collect();
    let packed = gzip(lines.as_bytes());
    case.put("late.json.gz", &packed[..packed.len() / 2]);
    case.ingest();
    case.put("late.json.gz", &packed);
    case.ingest();
    assert_eq!(case.ids().len(), 2_002);
}

#[test]
fn garbage_after_gzip_and_in_its_middle_is_counted() {
    let case = Case::new();
    let lines: String = (0..500).map(|it| record(&format!("n{it:03}")) + "\n").collect();
    let mut tail = gzip(lines.as_bytes());
    tail.extend(b"this is no gzip");
    case.put("tail.json.gz", &tail);
    let mut zeros = gzip(format!("{}\n", record("zeros")).as_bytes());
    zeros.extend([0; 512]);
    case.put("zeros.json.gz", &zeros);
    let mut damaged = gzip(lines.replace("\"n", "\"m").as_bytes());
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8].fill(0xff);
    case.put("damaged.json.gz", &damaged);
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.counts.rejected >= 2, "{:?}", outcome.counts);
    assert!(case.ids().len() >= 503, "{}", case.ids().len());
}

#[test]
fn empty_and_blank_files_are_named_and_cost_nothing() {
    let case = Case::new();
    case.put("empty.json", b"");
    case.put("blank.json", b" \n\t\r\n \n");
    case.put("newlines.log", &[b'\n'; 100_000]);
    case.put("empty.json.gz", &gzip(b""));
    case.put("empty.zst", &zstd::bulk::compress(b"", 3).expect("compresses"));
    case.put("nul.log", &[0; 70_000]);
    case.put("magic.gz", b"\x1f\x8b\x08");
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.counts.records, 2, "{:?}", outcome.counts);
    for name in ["empty.json", "blank.json", "newlines.log", "empty.zst", "nul.log", "magic.gz"] {
        assert!(outcome.stderr.contains(name), "{name} in {}", outcome.stderr);
    }
}

#[test]
fn links_loops_and_fifos_are_named_and_not_followed() {
    let case = Case::new();
    let at = |name: &str| case.logs.path().join(name);
    let elsewhere = folder();
    let outside = elsewhere.path().join("outside.json");
    fs::write(&outside, format!("{}\n", record("outside"))).expect("writes");
    fs::create_dir(at("sub")).expect("creates");
    symlink(case.logs.path(), at("sub/loop")).expect("links");
    symlink(at("sub/self"), at("sub/self")).expect("links");
    symlink(&outside, at("out.json")).expect("links");
    symlink(elsewhere.path(), at("folder")).expect("links");
    symlink("/dev/zero", at("zero.json")).expect("links");
    assert!(Command::new("mkfifo").arg(at("pipe.json")).status().expect("mkfifo").success());
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(case.ids(), ["first", "last"]);
    for name in ["sub/loop", "sub/self", "out.json", "folder", "zero.json", "pipe.json"] {
        assert!(outcome.stderr.contains(name), "{name} in {}", outcome.stderr);
    }
    // Named outright, a FIFO is an error, and nobody waits for its other end.
    let pipe = at("pipe.json");
    let named = call(case.data.path(), [Path::new("ingest"), &pipe]).exits(1);
    assert!(named.stderr.contains("not a regular file"), "{named:?}");
    // A link that is named outright is followed.
    let link = at("out.json");
    call(case.data.path(), [Path::new("ingest"), &link]).exits(0);
    assert_eq!(case.ids(), ["first", "last", "outside"]);
}

#[test]
fn what_cannot_be_opened_is_an_error_and_the_rest_is_read() {
    let case = Case::new();
    // A file in the place of a folder fails for everybody, the superuser too.
    let below = case.logs.path().join("a-good.json/below.json");
    let outcome = case.ingest_paths(&[&below, case.logs.path()]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("below.json"), "{}", outcome.stderr);
    assert_eq!(outcome.counts.accepted, 2);
}

#[test]
fn windows_text_and_byte_order_marks_are_read() {
    let case = Case::new();
    let text =
        |id: &str| format!("{}\r\n{}\r\n", record(&format!("{id}-1")), record(&format!("{id}-2")));
    case.put("crlf.json", text("crlf").as_bytes());
    case.put("bom.json", format!("\u{feff}{}", text("bom")).as_bytes());
    let little: Vec<u8> =
        format!("\u{feff}{}", text("le")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    case.put("utf16le.json", &little);
    let big: Vec<u8> =
        format!("\u{feff}{}", text("be")).encode_utf16().flat_map(u16::to_be_bytes).collect();
    case.put("utf16be.json", &big);
    case.put("utf16be.json.gz", &gzip(&big));
    case.put(
        "auth.log",
        b"\xef\xbb\xbf2026-03-01T00:00:00Z host sshd[1]: Accepted password for deploy from 198.51.100.7 port 22 ssh2\r\n",
    );
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.counts.rejected, 0, "{:?}", outcome.counts);
    let ids = case.ids();
    for id in ["crlf-1", "crlf-2", "bom-1", "bom-2", "le-1", "le-2", "be-1", "be-2"] {
        assert!(ids.iter().any(|it| it == id), "{id} in {ids:?}");
    }
    let ends = sql(case.data.path(), "SELECT 1 FROM events WHERE principal LIKE '%' || chr(13)");
    assert!(ends.is_empty());
}

#[test]
fn nul_bytes_duplicate_keys_and_huge_numbers_are_data() {
    let case = Case::new();
    let with = |id: &str, member: &str| record(id).replacen('{', &format!("{{{member},"), 1);
    let lines = [
        record("plain"),
        with("nul", "\"userAgent\":\"\\u0000a\\u0000\",\"x\":\"\0\""),
        with("twice", "\"eventName\":\"First\",\"eventID\":\"first-id\""),
        with(
            "huge",
            &format!("\"n\":{},\"m\":1e999999,\"o\":-0.{}", "9".repeat(10_000), "1".repeat(10_000)),
        ),
        with(
            "odd-types",
            "\"requestParameters\":[1,2],\"responseElements\":\"text\",\"additionalEventData\":5",
        ),
        with("name", &format!("\"{}\":1", "k".repeat(100_000))),
        with(
            "escapes",
            "\"requestParameters\":{\"bucketName\":\"\\ud800\\udc00 \\ud800 \\u001b[31m\"}",
        ),
        record("times").replace("2026-03-01T00:00:00Z", "+999999-01-01T00:00:00Z"),
        record("times-2").replace("\"2026-03-01T00:00:00Z\"", "1e400"),
        record("times-3").replace("2026-03-01T00:00:00Z", "2026-02-30T25:61:61Z"),
    ];
    case.put("odd.json", format!("{}\n", lines.join("\n")).as_bytes());
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let ids = case.ids();
    for id in ["plain", "nul", "twice", "huge", "odd-types", "name", "escapes"] {
        assert!(ids.iter().any(|it| it == id), "{id} in {ids:?}");
    }
    assert_eq!(outcome.counts.rejected, 3, "{:?} {:?}", outcome.counts, case.reasons());
    // Control characters never reach a terminal.
    let table = call(case.data.path(), ["sql", "SELECT resource, user_agent FROM events"]).exits(0);
    assert!(!table.stdout.contains(['\u{1b}', '\0', '\u{7}']), "{:?}", table.stdout);
}

#[test]
fn names_of_files_may_be_hostile() {
    let case = Case::new();
    case.put("\u{1b}[31mred\u{7}.json", b"neither red nor JSON\n");
    case.put("new\nline.log", format!("{}\n", record("newline")).as_bytes());
    case.put("forged\nerror: all is lost.txt", b"nothing of the kind\n");
    case.put("'; DROP TABLE events; --.json", format!("{}\n", record("quote")).as_bytes());
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"no\xffutf8.json");
    fs::write(case.logs.path().join(name), format!("{}\n", record("name"))).expect("writes");
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains(['\u{1b}', '\u{7}']), "{:?}", outcome.stderr);
    assert!(outcome.stderr.lines().all(|it| it.starts_with("note: ")), "{}", outcome.stderr);
    assert_eq!(case.ids(), ["first", "last", "name", "newline", "quote"]);
    assert_eq!(case.ingest().counts.records, 0, "they are known again by their names");
}

#[test]
fn documents_may_break_off_anywhere() {
    let case = Case::new();
    let document = format!("{{\"Records\":[{},{},{}]}}", record("d1"), record("d2"), record("d3"));
    let mut cuts = 0;
    for cut in (1..document.len()).step_by(37) {
        case.put(&format!("cut-{cut:05}.json"), &document.as_bytes()[..cut]);
        cuts += 1;
    }
    let outcome = case.ingest();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(cuts > 25 && case.ids() == ["d1", "d2", "first", "last"], "{:?}", case.ids());
}
