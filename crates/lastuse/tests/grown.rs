//! A file that grows is read on where reading ended, whatever a record of its format is.

mod common;

use std::fs;
use std::path::Path;

use common::{Counts, call, counts, folder, sql, total};

/// Reads a file as it stands after each of so many bytes, and then once more.
fn ingest_growing(path: &Path, data: &Path, text: &str, ends: &[usize]) -> Counts {
    let mut all = Counts::default();
    for end in ends.iter().copied().chain([text.len(), text.len()]) {
        let part = &text.as_bytes()[..end];
        // The last time it is as it was: it rests.
        if fs::read(path).ok().as_deref() != Some(part) {
            fs::write(path, part).expect("writes");
        }
        let run = call(data, ["ingest", path.to_str().expect("a path in UTF-8")]);
        let got = total(&counts(&run.stdout));
        all.records += got.records;
        all.accepted += got.accepted;
        all.rejected += got.rejected;
    }
    all
}

/// The one column of an answer, in its order.
fn column(data: &Path, name: &str, query: &str) -> Vec<String> {
    let rows = sql(data, query);
    rows.iter().map(|it| it[name].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_csv_file_is_read_on_by_its_first_line() {
    let (logs, data) = (folder(), folder());
    let path = logs.path().join("export.csv");
    let mut text = "EVENT_ID,EVENT_TIMESTAMP,USER_NAME,IS_SUCCESS,LOGIN_DETAILS\n".to_owned();
    let mut ends = Vec::new();
    for id in 1..=5 {
        let row = format!("{id},2026-03-01T09:00:0{id}Z,\"ETL, \"\"SVC\"\"\",YES,\"made\nup\"\n");
        ends.extend([text.len(), text.len() + row.len() - 5]);
        text.push_str(&row);
    }
    let all = ingest_growing(&path, data.path(), &text, &ends);
    assert_eq!((all.records, all.accepted, all.rejected), (5, 5, 0));
    let rows = "SELECT native_uid, principal FROM events ORDER BY native_uid";
    assert_eq!(column(data.path(), "native_uid", rows), ["1", "2", "3", "4", "5"]);
    assert_eq!(column(data.path(), "principal", rows), ["ETL, \"SVC\""; 5]);
}

#[test]
fn a_statement_over_several_lines_is_one_event_however_its_file_grows() {
    let (logs, data) = (folder(), folder());
    let path = logs.path().join("postgresql.log");
    let stamp = |second: u32| format!("2026-03-01 09:00:{second:02}.000 UTC [7] dba@shop");
    let lines = [
        format!("{} LOG:  connection authorized: user=dba database=shop\n", stamp(1)),
        format!("{} LOG:  statement: ALTER ROLE app\n", stamp(2)),
        "\tPASSWORD\n".to_owned(),
        "\t'made-up-grown-password'\n".to_owned(),
        format!("{} FATAL:  password authentication failed for user \"app\"\n", stamp(3)),
        format!("{} DETAIL:  Role \"app\" does not exist.\n", stamp(3)),
        format!("{} LOG:  statement: DROP ROLE\n", stamp(4)),
        "\tapp\n".to_owned(),
    ];
    let text = lines.concat();
    let whole = lines.iter().scan(0, |end, line| {
        *end += line.len();
        Some([*end, *end + 9])
    });
    let mut ends: Vec<usize> = whole.flatten().collect();
    ends.retain(|it| *it < text.len());
    let all = ingest_growing(&path, data.path(), &text, &ends);
    assert_eq!((all.records, all.accepted, all.rejected), (4, 4, 0));
    let rows = "SELECT action, reason_class, target_credential_uid FROM events ORDER BY event_time";
    let actions = ["connection authorized", "alter role", "connection", "drop role"];
    assert_eq!(column(data.path(), "action", rows), actions);
    assert_eq!(column(data.path(), "reason_class", rows)[2], "unknown_principal");
    assert!(column(data.path(), "target_credential_uid", rows)[1].starts_with("lu1_"));
    let shown = call(data.path(), ["sql", "SELECT * FROM events"]).exits(0).stdout;
    assert!(!shown.contains("grown-password"), "{shown}");
}

#[test]
fn a_login_at_the_end_of_a_file_that_may_grow_is_read_at_once() {
    let (logs, data) = (folder(), folder());
    let path = logs.path().join("postgresql.log");
    let login =
        "2026-03-01 09:00:01.000 UTC [7] LOG:  connection authorized: user=app database=shop\n";
    fs::write(&path, login).expect("writes");
    let run = call(data.path(), ["ingest", path.to_str().expect("a path in UTF-8")]).exits(0);
    assert_eq!(total(&counts(&run.stdout)).accepted, 1);
}

/// Requests with a key of their own; the first of each text are alike.
fn requests(count: usize, from: usize, path: &str) -> String {
    let line = |it: usize| {
        format!(
            "{{\"time\":\"2026-03-01T{:02}:{:02}:00Z\",\"status\":200,\"method\":\"GET\",\
             \"path\":\"{path}/{it}\",\"remote_addr\":\"10.0.0.1\",\"http_x_api_key\":\"made-up-key-{it}\"}}\n",
            it / 60,
            it % 60
        )
    };
    (from..from + count).map(line).collect()
}

#[test]
fn a_shorter_file_that_begins_like_another_is_read_unless_it_is_a_copy_of_its_beginning() {
    let (logs, data) = (folder(), folder());
    let at = |name: &str| logs.path().join(name);
    let whole = requests(200, 0, "/a");
    let beginning = requests(80, 0, "/a");
    let other = format!("{beginning}{}", requests(20, 80, "/b"));
    let accepted = |name: &str, text: &str, more: &[&str]| {
        fs::write(at(name), text).expect("writes");
        let path = at(name);
        let args = ["ingest", path.to_str().expect("a path in UTF-8")];
        total(&counts(&call(data.path(), args.iter().chain(more)).exits(0).stdout)).accepted
    };
    assert_eq!(accepted("whole.json", &whole, &[]), 200);
    assert_eq!(accepted("copy.json", &beginning, &[]), 0);
    assert_eq!(accepted("other.json", &other, &[]), 100);
    assert_eq!(accepted("host-2.json", &whole, &["--scope", "host-2"]), 200);
    assert_eq!(accepted("host-2.json", &whole, &["--scope", "host-2"]), 0);
    // Nothing is left that the beginning could be compared with.
    fs::remove_file(at("whole.json")).expect("removes");
    fs::remove_file(at("other.json")).expect("removes");
    fs::remove_file(at("host-2.json")).expect("removes");
    assert_eq!(accepted("late.json", &requests(60, 0, "/a"), &[]), 60);
}
