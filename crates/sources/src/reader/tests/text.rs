//! Records of text: lines, patterns, and what ends a line.

use super::*;

const SSHD: &str = r#"
[[format]]
kind = "text"
pattern = '^(?<time>\w{3} [ \d]\d \S+) (?<host>\S+) (?<program>[^\[:]+)(?:\[(?<pid>\d+)\])?: (?<text>.*)$'
[fields]
message = ["MESSAGE", "text"]
[[match]]
field = "message"
patterns = ['^message repeated (?<repeat>\d+) times: \[ ?(?<message>.*)\]$']
[[match]]
field = "message"
patterns = [
  '^Accepted (?<method>\S+) for (?<user>\S+) from (?<address>\S+) port \d+',
  '^Failed (?<method>\S+) for (?:invalid user )?(?<user>\S+) from (?<address>\S+) port \d+',
]
"#;

const FIELDS: [&str; 6] = ["user", "method", "repeat", "program", "pid", "message"];

fn sshd(bytes: &[u8]) -> Got {
    check_all_ways(&source(SSHD), &FIELDS, bytes, &How::default())
}

fn row(values: [&str; 6]) -> Row {
    values.map(|it| (!it.is_empty()).then(|| it.to_owned())).to_vec()
}

const ACCEPTED: &str =
    "Mar  1 10:00:00 web sshd[12]: Accepted publickey for ann from 192.0.2.1 port 22";
const CRON: &str = "Mar  1 10:00:01 web CRON[13]: job";

#[test]
fn captures_become_fields() {
    let repeated = "Mar  1 10:00:02 web sshd[14]: message repeated 2 times: [ Failed password for bob from 192.0.2.2 port 3]";
    let got = sshd(format!("{ACCEPTED}\r\n{CRON}\n\n{repeated}\n").as_bytes());
    assert_eq!(
        got.rows,
        [
            row([
                "ann",
                "publickey",
                "",
                "sshd",
                "12",
                "Accepted publickey for ann from 192.0.2.1 port 22"
            ]),
            row(["", "", "", "CRON", "13", "job"]),
            row([
                "bob",
                "password",
                "2",
                "sshd",
                "14",
                "Failed password for bob from 192.0.2.2 port 3"
            ]),
        ]
    );
    assert!(got.rejects.is_empty());
}

#[test]
fn a_line_of_another_shape_is_one_reject() {
    let got = sshd(format!("{CRON}\nno shape\n{CRON}\nhunter2-made-up").as_bytes());
    assert_eq!(got.rows.len(), 2);
    let offset = CRON.len() as u64 + 1;
    let reason = "the line does not match the pattern of its format".to_owned();
    assert_eq!(got.rejects, [(2, offset, reason.clone()), (4, offset * 2 + 9, reason)]);
}

#[test]
fn line_ends_and_zeros_are_no_part_of_a_line() {
    let got = sshd(format!("\0\0\0{CRON}\0\0\r\n  \r\n\0\0\n{CRON}\r").as_bytes());
    assert_eq!(got.rows, vec![row(["", "", "", "CRON", "13", "job"]); 2]);
    assert!(got.rejects.is_empty());
}

#[test]
fn invalid_utf8_is_replaced() {
    let line = [
        &b"Mar  1 10:00:00 web sshd[1]: Accepted key for \xff\xfe from \xc3\xa9 port 22\n"[..],
        CRON.as_bytes(),
    ]
    .concat();
    let got = sshd(&line);
    assert_eq!(got.rows[0][0].as_deref(), Some("\u{fffd}\u{fffd}"));
    assert_eq!(got.rows.len(), 2);
}

#[test]
fn a_zero_within_a_line_is_kept() {
    let got = sshd(b"Mar  1 10:00:00 web sshd[1]: a\0b\n");
    assert_eq!(got.rows[0][5].as_deref(), Some("a\0b"));
}

#[test]
fn a_long_line_is_passed_over() {
    let mut how = How::chunks(100);
    how.limits.max_record_bytes = 300;
    for length in [200, 267, 268, 500, 10_000] {
        let long = format!("Mar  1 10:00:01 web CRON[13]: job{}", "x".repeat(length));
        for text in [
            format!("{long}\n{CRON}\n{CRON}\n"),
            format!("{CRON}\n{long}\n{CRON}\n"),
            format!("{CRON}\n{CRON}\n{long}"),
        ] {
            let got = read(&source(SSHD), &["message"], text.as_bytes(), &how);
            assert_eq!(got.first().iter().filter(|it| **it == "job").count(), 2, "{length}");
            assert_eq!(
                got.reasons(),
                vec!["longer than 300 bytes"; usize::from(long.len() > 300)],
                "{length}"
            );
        }
    }
}

#[test]
fn an_unfinished_line_of_a_growing_file_is_held_back() {
    let source = source(SSHD);
    let whole = format!("{CRON}\n{ACCEPTED}\n");
    for cut in 0..whole.len() {
        let first = read(&source, &FIELDS, &whole.as_bytes()[..cut], &How::growing());
        assert!(first.rejects.is_empty(), "cut at {cut}");
        let how = How { resume: first.end, ..How::growing() };
        let second = read(&source, &FIELDS, whole.as_bytes(), &how);
        assert!(second.rejects.is_empty(), "cut at {cut}");
        let rows = [first.rows, second.rows].concat();
        assert_eq!(rows, sshd(whole.as_bytes()).rows, "cut at {cut}");
    }
}

#[test]
fn a_last_line_without_an_end_is_read_once_nothing_more_came() {
    let source = source(SSHD);
    let text = format!("{CRON}\n{ACCEPTED}");
    let first = read(&source, &["user"], text.as_bytes(), &How::growing());
    assert_eq!((first.first(), first.held_back), (vec!["NULL"], true));
    let how = How { resume: first.end, resting: true, ..How::growing() };
    let second = read(&source, &["user"], text.as_bytes(), &how);
    assert_eq!((second.first(), second.held_back), (vec!["ann"], false));
    // One that says nothing of use is waited for.
    let got = read(&source, &["user"], format!("{ACCEPTED}\n{CRON}").as_bytes(), &How::growing());
    assert_eq!(
        (got.first(), got.held_back, got.end.offset),
        (vec!["ann"], true, ACCEPTED.len() as u64 + 1)
    );
}

#[test]
fn the_line_is_the_whole_text_without_its_end() {
    let got = read(
        &source(SSHD),
        &["_line"],
        format!("{CRON}\r\n{ACCEPTED}").as_bytes(),
        &How::default(),
    );
    assert_eq!(got.first(), [CRON, ACCEPTED]);
}

#[test]
fn pairs_are_members_of_the_field_that_holds_them() {
    let toml = r#"
[[format]]
kind = "text"
pattern = '^(?:<\d+>)?(?<time>\S+ )?CEF:\d\|(?<header>(?:[^|\\]|\\.)*)\|(?<extension>.*)$'
[fields]
who = ["extension.suser", "extension['User Name']"]
[[match]]
field = "extension"
pairs = "cef"
[[match]]
field = "extension.msg"
patterns = ['^key (?<key>\w+)$']
"#;
    let text = "<13>now CEF:0|a\\|b|suser=ann msg=key k1 x\nCEF:0|c|cs1Label=User Name cs1=bob \\= msg=key k1\nCEF:0|d|\n";
    let names = ["who", "extension.suser", "key", "extension.msg"];
    let got = check_all_ways(&source(toml), &names, text.as_bytes(), &How::default());
    let row = |it: [&str; 4]| it.map(|it| (!it.is_empty()).then(|| it.to_owned())).to_vec();
    assert_eq!(
        got.rows,
        [
            row(["ann", "ann", "", "key k1 x"]),
            row(["bob =", "", "k1", "key k1"]),
            row(["", "", "", ""]),
        ]
    );
    assert!(matches!(
        source(toml).check_fields(&fields(&["other.suser"])),
        Err(SourceError::UnknownField { .. })
    ));
}

#[test]
fn an_alias_takes_the_first_capture_that_took_part() {
    let toml = "[[format]]\nkind = \"text\"\npattern = '^(?:a=(?<a>\\w+)|b=(?<b>\\w+)|(?<c>\\w+))$'\n[fields]\nany = [\"b\", \"a\", \"other.path\"]\n";
    let got = check_all_ways(&source(toml), &["any", "c"], b"a=1\nb=2\nx\n", &How::default());
    assert_eq!(got.first(), ["1", "2", "NULL"]);
    assert_eq!(got.rows[2][1].as_deref(), Some("x"));
}

/// Lines that begin with a tab, or are details, continue the one before.
const LINES: &str = r#"
[[format]]
kind = "text"
pattern = '^(?<time>\d+) (?<text>(?:[^\n]|\n\t)*)(?:\n\d+ DETAIL (?<detail>.*))?(?:\n(?s:.*))?$'
continuation = '^(?:\t|\d+ DETAIL )'
whole = '^\d+ login '
[[match]]
field = "text"
patterns = ['(?s)^\S+ (?<rest>.+)$']
"#;

fn lines(text: &str, how: &How) -> Got {
    check_all_ways(&source(LINES), &["time", "text", "detail", "_line"], text.as_bytes(), how)
}

#[test]
fn lines_that_continue_another_are_part_of_its_record() {
    let text = "1 a x\n\n2 b x\r\n\ty\r\n\t\r\n2 DETAIL d\r\n\te\n3 c x\n3 DETAIL f";
    let got = lines(text, &How::default());
    let row = |it: [&str; 4]| it.map(|it| (!it.is_empty()).then(|| it.to_owned())).to_vec();
    assert_eq!(
        got.rows,
        [
            row(["1", "a x", "", "1 a x"]),
            row(["2", "b x\r\n\ty\r\n\t\r", "d\r", "2 b x\r\n\ty\r\n\t\r\n2 DETAIL d\r\n\te"]),
            row(["3", "c x", "f", "3 c x\n3 DETAIL f"]),
        ]
    );
    assert_eq!((got.numbers, got.rejects.len()), (vec![1, 2, 3], 0));
}

#[test]
fn a_line_that_continues_nothing_is_a_record() {
    let got = lines("\tx\n\ty\n1 a x\n\n\tz\n", &How::default());
    assert_eq!(got.rejects.iter().map(|it| (it.0, it.1)).collect::<Vec<_>>(), [(1, 0), (3, 13)]);
    assert_eq!(got.first(), ["1"]);
}

#[test]
fn a_record_of_lines_of_a_growing_file_is_not_split() {
    let source = source(LINES);
    let names = ["time", "text", "detail"];
    let whole = "1 a x\n2 b x\n\ty\n2 DETAIL d\n3 c x\n\tz\n4 login e\n";
    let expected = lines(whole, &How::default()).rows;
    for cut in 0..=whole.len() {
        let first = read(&source, &names, &whole.as_bytes()[..cut], &How::growing());
        assert!(first.rejects.is_empty(), "cut at {cut}");
        let how = How { resume: first.end, ..How::growing() };
        let second = read(&source, &names, whole.as_bytes(), &how);
        let rows = [first.rows, second.rows].concat();
        let expected: Vec<Row> = expected.iter().map(|it| it[..3].to_vec()).collect();
        assert_eq!(rows, expected, "cut at {cut}");
    }
}

#[test]
fn a_last_record_of_lines_waits_for_the_next_unless_it_is_whole_or_the_file_rests() {
    let source = source(LINES);
    let read = |text: &str, resting| {
        read(&source, &["time"], text.as_bytes(), &How { resting, ..How::growing() })
    };
    let got = read("1 a x\n2 b x\n\ty\n", false);
    assert_eq!((got.first(), got.held_back, got.end.offset), (vec!["1"], true, 6));
    let got = read("1 a x\n2 b x\n\ty\n", true);
    assert_eq!((got.first(), got.held_back), (vec!["1", "2"], false));
    let got = read("1 a x\n2 b x\n\ty", true);
    assert_eq!((got.first(), got.held_back), (vec!["1", "2"], false));
    let got = read("1 a x\n2 login x\n", false);
    assert_eq!((got.first(), got.held_back), (vec!["1", "2"], false));
    // What continues a line that none should is a record of its own.
    let got = read("2 login x\n\ty\n3 a b\n4 login x\n", false);
    assert_eq!((got.first(), got.rejects.len()), (vec!["2", "3", "4"], 1));
}

#[test]
fn a_long_record_of_lines_is_one_reject() {
    let mut how = How::chunks(100);
    how.limits.max_record_bytes = 300;
    let many = "\tmore of it\n".repeat(100);
    let long = format!("\t{}\n", "x".repeat(1000));
    for more in ["\tx\n".repeat(20), "\tx\n".repeat(98), many.clone(), long.clone(), long + &many] {
        let text = format!("1 a x\n2 b x\n{more}2 DETAIL d\n3 c x\n4 login x\n");
        let got = read(&source(LINES), &["time"], text.as_bytes(), &how);
        let is_long = more.len() > 280;
        let expected = if is_long { vec!["1", "3", "4"] } else { vec!["1", "2", "3", "4"] };
        assert_eq!(got.first(), expected, "{}", more.len());
        assert_eq!(got.reasons(), vec!["longer than 300 bytes"; usize::from(is_long)]);
    }
}

#[test]
fn records_of_lines_before_damage_are_read() {
    let text: String =
        (0..20_000).map(|it| format!("{it} a {}\n\tx\n", it * 7919 % 10_007)).collect();
    let mut packed = gzip(text.as_bytes());
    packed.truncate(packed.len() * 2 / 3);
    let got = read(&source(LINES), &["time"], &packed, &How::default());
    assert!(got.rows.len() > 5_000, "{}", got.rows.len());
    assert_eq!(got.reasons(), ["the gzip data ends early"]);
}
