//! Records of JSON: every container, every cut, every kind of damage.

use super::*;

const CLOUD: &str = r#"
[[format]]
kind = "json"
records = ["Records", "Events", "value"]
unwrap = ["detail", "CloudTrailEvent"]
[fields]
who = ["user.name", "principal"]
"#;

fn cloud(bytes: &[u8]) -> Got {
    check_all_ways(&source(CLOUD), &["a", "who"], bytes, &How::default())
}

#[test]
fn each_line_is_a_record() {
    let got = cloud(b"{\"a\":1,\"principal\":\"p\"}\r\n\n{\"a\":2,\"user\":{\"name\":\"u\"},\"principal\":\"p\"}\n{\"a\":3}");
    assert_eq!(got.first(), ["1", "2", "3"]);
    let who: Vec<_> = got.rows.iter().map(|it| it[1].as_deref()).collect();
    assert_eq!(who, [Some("p"), Some("u"), None]);
    assert!(got.rejects.is_empty());
}

#[test]
fn values_may_follow_one_another_in_any_layout() {
    for text in [
        "{\"a\":1}{\"a\":2}{\"a\":3}",
        "{\"a\":1} {\"a\":2}\n{\"a\":3}\n",
        "{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n{\"a\":3}\n",
        "{\"a\":1}\n{\"a\":2} {\"a\":3}\n",
        "[{\"a\":1},{\"a\":2},{\"a\":3}]",
        "[\n  {\"a\": 1},\n  {\n    \"a\": 2\n  },\n  {\"a\": 3}\n]\n",
        "[{\"a\":1}]\n[{\"a\":2},{\"a\":3}]\n",
        "{\"Records\":[{\"a\":1},{\"a\":2},{\"a\":3}]}",
        "{\"Records\":[{\"a\":1}]}\n{\"Records\":[]}\n{\"value\":[{\"a\":2},{\"a\":3}]}\n",
        "{\"next\":{\"Records\":[{\"a\":9}]},\"value\" : [{\"a\":1},{\"a\":2},{\"a\":3}],\"more\":[{\"a\":9}],\"x\":\"]}\"}",
        "{\"a\":1}\n{\"Records\":[{\"a\":2}]}\n{\"a\":3}\n",
        "\0\0\0{\"a\":1}\n\u{feff}{\"a\":2}\n{\"a\":3}\n",
    ] {
        let got = cloud(text.as_bytes());
        assert_eq!(got.first(), ["1", "2", "3"], "{text}");
        assert!(got.rejects.is_empty(), "{text}: {:?}", got.rejects);
        assert!(!got.end.in_array, "{text}");
    }
}

#[test]
fn a_lone_object_is_a_record_whatever_its_members() {
    assert_eq!(cloud(b"{\"a\":1}").first(), ["1"]);
    assert_eq!(cloud(b"{\n \"a\": 1,\n \"Records\": null\n}\n").first(), ["1"]);
    assert_eq!(
        cloud(b"{\"Records\":null,\"a\":1}\n{\"Records\":{},\"a\":2}\n").first(),
        ["1", "2"]
    );
    assert_eq!(cloud(b"{}").first(), ["NULL"]);
}

#[test]
fn a_record_is_taken_out_of_its_envelope() {
    let inner = r#"{"a":"in \"quotes\"","user":{"name":"u"}}"#;
    let text = serde_json::to_string(inner).unwrap();
    for outer in [
        format!("{{\"a\":\"outer\",\"principal\":\"outer\",\"detail\":{inner}}}"),
        format!("{{\"a\":\"outer\",\"CloudTrailEvent\":{text}}}"),
        format!("{{\"Events\":[{{\"CloudTrailEvent\":{text},\"a\":\"outer\"}}]}}"),
        format!("{{\"detail\":{{\"detail\":{{\"CloudTrailEvent\":{text}}}}}}}"),
        format!(
            "{{\"detail\":{{\"CloudTrailEvent\":{}}}}}",
            serde_json::to_string(&format!(r#"{{"detail":{inner}}}"#)).unwrap()
        ),
    ] {
        let got = cloud(outer.as_bytes());
        assert_eq!(got.rows, [[Some("in \"quotes\"".to_owned()), Some("u".to_owned())]], "{outer}");
    }
    let plain = cloud(br#"{"a":"outer","CloudTrailEvent":"{a:1}"}"#);
    assert_eq!(plain.first(), ["outer"], "what only looks like a record is a field");
    for other in ["null", "1", "[]", "\"text\"", "\"{\""] {
        let got = cloud(format!("{{\"a\":\"outer\",\"detail\":{other}}}").as_bytes());
        assert_eq!(got.first(), ["outer"], "{other}");
    }
}

#[test]
fn the_line_is_the_whole_record_with_its_envelope() {
    let text = r#"{"detail":{"a":1}}"#;
    let got = read(&source(CLOUD), &["_line"], format!("[ {text} ]").as_bytes(), &How::default());
    assert_eq!(got.first(), [text]);
}

#[test]
fn a_malformed_line_is_one_reject() {
    for bad in [
        "garbage",
        "{\"a\":",
        "{\"a\":\"no end",
        "{\"a\":1]",
        "{a:1}",
        "[",
        "[2026-01-01] error",
        "[1,2",
        "17",
        "null",
        "\"text\"",
        "}",
        "]",
        "{\"a\":1} trailing",
        "{\"a\":1},",
        "{\"Records\":[{\"a\":1}",
        "{\"Records\":[{\"a\":1}]} x",
        "{\"x\":[[[[",
        "\u{1}\u{2}",
    ] {
        let text = format!("{{\"a\":1}}\n{bad}\n{{\"a\":2}}\n{bad}\n{bad}\n{{\"a\":3}}\n");
        // A reading that starts at such a line sees the beginning of an array.
        let got = if bad == "[" || bad.starts_with("{\"Records") {
            read(&source(CLOUD), &["a"], text.as_bytes(), &How::default())
        } else {
            cloud(text.as_bytes())
        };
        assert_eq!(got.first(), ["1", "2", "3"], "{bad}");
        let numbers: Vec<u64> = got.rejects.iter().map(|it| it.0).collect();
        assert_eq!(numbers, [2, 4, 5], "{bad}");
        assert_eq!(got.rejects[0].1, 8, "{bad}");
        assert!(got.reasons().iter().all(|it| !it.contains("error") && !it.is_empty()), "{bad}");
    }
}

#[test]
fn a_malformed_first_line_hides_nothing() {
    for bad in ["garbage", "{\"a\":", "{\"a\":\"no end", "{a:1}", "}", "]", "{\"x\":[[[["] {
        let text = format!("{bad}\n{{\"a\":1}}\n{{\"a\":2}}\n");
        let got = cloud(text.as_bytes());
        assert_eq!(got.first(), ["1", "2"], "{bad}");
        assert_eq!(got.rejects.len(), 1, "{bad}");
    }
}

#[test]
fn a_malformed_element_is_one_reject() {
    for bad in [
        "{\"a\":tru}",
        "{\"a\" 1}",
        "{a:{\"b\":[1,2]}}",
        "17",
        "null",
        "\"text\"",
        "[{\"a\":1}]",
        "{\"a\":1,,}",
    ] {
        let text = format!("{{\"Records\":[{{\"a\":1}},{bad},{{\"a\":2}} , {bad} ]}}");
        let got = cloud(text.as_bytes());
        assert_eq!(got.first(), ["1", "2"], "{bad}");
        assert_eq!(got.rejects.len(), 2, "{bad}: {:?}", got.rejects);
    }
}

#[test]
fn an_element_that_does_not_balance_ends_at_the_next_line_with_a_bracket() {
    let text = "[\n{\"a\":1},\n{\"a\":\"no end},\n{\"a\":2},\n{\"a\":[},\n{\"a\":3}\n]\n";
    let got = cloud(text.as_bytes());
    assert_eq!(got.first(), ["1", "2", "3"]);
    assert_eq!(got.rejects.len(), 2);
}

#[test]
fn where_a_malformed_element_ends_does_not_depend_on_chunks() {
    let got = cloud(b"[{\n{{\"detail\":{\"a\":2}}}{\"a\":\"x\",\"b\":[{},null]}");
    assert_eq!((got.rows.len(), got.rejects.len()), (0, 2));
}

#[test]
fn what_cannot_be_told_apart_is_one_reject() {
    let got = cloud(br#"[{"a":1},{"a":"no end},{"a":2}]"#);
    assert_eq!(got.first(), ["1"]);
    assert_eq!(got.rejects.len(), 1);
    let got = cloud(br#"{"Records":[{"a":1},{"a":2"#);
    assert_eq!(got.first(), ["1"]);
    assert_eq!(got.reasons(), ["the input ends within the record"]);
    let got = cloud(br#"{"Records":[{"a":1},"#);
    assert_eq!(got.reasons(), ["the document ends inside its array of records"]);
}

#[test]
fn a_long_record_is_passed_over_in_bounded_memory() {
    let mut how = How::chunks(1000);
    how.limits.max_record_bytes = 5000;
    for length in [4_000, 4_992, 4_993, 6_000, 100_000] {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(length));
        for (text, array) in [
            (format!("{{\"a\":1}}\n{long}\n{{\"a\":2}}\n"), false),
            (format!("{long}\n{{\"a\":1}}\n{{\"a\":2}}\n"), false),
            (format!("{{\"a\":1}}\n{{\"a\":2}}\n{long}"), false),
            (format!("{{\"a\":1}}{long}{{\"a\":2}}"), true),
            (format!("[{{\"a\":1}},{long},{{\"a\":2}}]"), true),
            (
                format!(
                    "{{\"Records\":[{long},{{\"a\":1}},{{\"a\":2}}],\"x\":\"{}\"}}",
                    "]}".repeat(length)
                ),
                true,
            ),
        ] {
            let got = read(&source(CLOUD), &["a"], text.as_bytes(), &how);
            let short: Vec<_> = got.first().into_iter().filter(|it| it.len() == 1).collect();
            assert_eq!(short, ["1", "2"], "{length} {array}");
            let expected = usize::from(length > 4_992);
            assert_eq!(got.rejects.len(), expected, "{length} {array}: {:?}", got.reasons());
            assert!(
                got.reasons().iter().all(|it| *it == "longer than 5000 bytes"),
                "{:?}",
                got.reasons()
            );
        }
    }
}

#[test]
fn a_gigantic_string_before_the_array_costs_its_document_only() {
    let mut how = How::chunks(1000);
    how.limits.max_record_bytes = 5000;
    let text =
        format!("{{\"x\":\"{}\",\"Records\":[{{\"a\":9}}]}}\n{{\"a\":1}}\n", "y".repeat(100_000));
    let got = read(&source(CLOUD), &["a"], text.as_bytes(), &how);
    assert_eq!(got.first(), ["1"]);
    assert_eq!(got.reasons(), ["longer than 5000 bytes"]);
}

#[test]
fn deep_nesting_is_one_reject() {
    for depth in [2_000, 300_000] {
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        for text in [
            format!("{{\"a\":1}}\n{deep}\n{{\"a\":2}}\n"),
            format!("[{{\"a\":1}},{deep},{{\"a\":2}}]"),
            format!("{{\"a\":1}}\n{}\n{{\"a\":2}}\n", "[".repeat(depth)),
            format!("{{\"a\":1}}\n{}\n{{\"a\":2}}\n", "{\"a\":".repeat(depth)),
        ] {
            let got = read(&source(CLOUD), &["a"], text.as_bytes(), &How::default());
            assert_eq!(got.first(), ["1", "2"], "{}", &text[..40]);
            assert_eq!(got.rejects.len(), 1);
        }
    }
    for text in ["[".repeat(1_000_000), "{\"a\":".repeat(1_000_000), "]".repeat(1_000_000)] {
        let got = read(&source(CLOUD), &["a"], text.as_bytes(), &How::default());
        assert_eq!((got.rows.len(), got.rejects.len()), (0, 1));
    }
}

#[test]
fn invalid_utf8_is_replaced_and_the_rest_is_read() {
    let got = cloud(b"{\"a\":\"x\xff\xfey\"}\n{\"a\":\"\xc3\xa9\"}\n{\"a\":\"\xc3\"}\n\xff\xff\n{\"a\":\"z\"}\n");
    assert_eq!(got.first(), ["x\u{fffd}\u{fffd}y", "é", "\u{fffd}", "z"]);
    assert_eq!(got.rejects.len(), 1);
}

#[test]
fn characters_are_never_cut_between_chunks() {
    let lines: String = (0..40).map(|it| format!("{{\"a\":\"{it}é𝄞漢\"}}\n")).collect();
    let got = cloud(lines.as_bytes());
    assert!(got.rows.iter().enumerate().all(|(at, row)| row[0] == Some(format!("{at}é𝄞漢"))));
}

#[test]
fn an_incomplete_last_value_of_a_growing_file_is_held_back() {
    let source = source(CLOUD);
    for (whole, records) in [
        ("{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", 3),
        ("{\"a\":1}\n{\"Records\":[{\"a\":2}]}\n{\"a\":3}\n", 3),
        ("[{\"a\":1},{\"a\":2},\n{\"a\":3}]", 3),
        ("{\"Records\":[{\"a\":1},{\"a\":2}],\"x\":{\"y\":\"}\"}}\n{\"a\":3}\n", 3),
        ("{\n\"a\":1,\n\"b\":true}\n{\n\"a\":2\n}\n", 2),
    ] {
        for cut in 0..=whole.len() {
            let first = read(&source, &["a"], &whole.as_bytes()[..cut], &How::growing());
            assert!(first.rejects.is_empty(), "{whole} cut at {cut}: {:?}", first.rejects);
            let how = How { resume: first.end, ..How::growing() };
            let second = read(&source, &["a"], whole.as_bytes(), &how);
            assert!(second.rejects.is_empty(), "{whole} cut at {cut}: {:?}", second.rejects);
            let rows: Vec<_> = first.rows.iter().chain(&second.rows).cloned().collect();
            let expected: Vec<Row> =
                (1..=records).map(|it: i32| vec![Some(it.to_string())]).collect();
            assert_eq!(rows, expected, "{whole} cut at {cut}");
        }
    }
}

#[test]
fn a_complete_last_value_needs_no_line_feed() {
    let got = read(&source(CLOUD), &["a"], b"{\"a\":1}\n{\"a\":2}", &How::growing());
    assert_eq!(got.first(), ["1", "2"]);
    assert!(!got.held_back);
    let got = read(&source(CLOUD), &["a"], b"{\"a\":1}\n{\"a\":", &How::growing());
    assert_eq!((got.first(), got.held_back, got.end.offset), (vec!["1"], true, 8));
    let got = read(&source(CLOUD), &["a"], b"{\"a\":1}\n{\"a\":", &How::default());
    assert_eq!((got.first(), got.held_back, got.rejects.len()), (vec!["1"], false, 1));
}

#[test]
fn an_array_of_a_growing_file_may_stay_open() {
    let got = read(&source(CLOUD), &["a"], b"[{\"a\":1},\n{\"a\":2},\n", &How::growing());
    assert_eq!((got.first(), got.rejects.len(), got.end.in_array), (vec!["1", "2"], 0, true));
}

#[test]
fn names_may_match_without_regard_to_case() {
    let toml = "[[format]]\nkind = \"json\"\nrecords = [\"Records\"]\nunwrap = [\"Detail\"]\nfold_case = true\n";
    let got = check_all_ways(&source(toml), &["userIdentity.accessKeyId"], br#"{"records":[{"useridentity":{"ACCESSKEYID":"x"}},{"detail":{"useridentity":{"accesskeyid":"y"}}}]}"#, &How::default());
    assert_eq!(got.first(), ["x", "y"]);
}

#[test]
fn patterns_apply_to_fields_of_json() {
    let toml = r#"
[[format]]
kind = "json"
byte_arrays = true
[fields]
message = ["MESSAGE"]
[[match]]
field = "message"
patterns = ['^message repeated (?<repeat>\d+) times: \[ ?(?<message>.*)\]$']
[[match]]
field = "message"
patterns = ['^Accepted (?<method>\S+) for (?<user>\S+)', '^Failed (?<method>\S+) for (?<user>\S+)']
"#;
    let bytes: Vec<u8> = b"Accepted \"key\" for zo\xc3\xab".to_vec();
    let array: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let text = format!(
        "{}\n{}\n{}\n{{\"MESSAGE\":[{}]}}\n",
        r#"{"MESSAGE":"Accepted publickey for ann from 192.0.2.1"}"#,
        r#"{"MESSAGE":"message repeated 3 times: [ Failed password for b\u00f6b]"}"#,
        r#"{"MESSAGE":"session opened"}"#,
        array.join(", "),
    );
    let got = check_all_ways(
        &source(toml),
        &["method", "user", "repeat", "message"],
        text.as_bytes(),
        &How::default(),
    );
    let row = |values: [&str; 4]| values.map(|it| (!it.is_empty()).then(|| it.to_owned())).to_vec();
    assert_eq!(
        got.rows,
        [
            row(["publickey", "ann", "", "Accepted publickey for ann from 192.0.2.1"]),
            row(["password", "böb", "3", "Failed password for böb"]),
            row(["", "", "", "session opened"]),
            row(["\"key\"", "zoë", "", "Accepted \"key\" for zoë"]),
        ]
    );
}

#[test]
fn an_array_of_numbers_is_text_only_where_the_source_says_so() {
    let rows = |byte_arrays: &str| {
        let toml = format!(
            "[[format]]\nkind = \"json\"\n{byte_arrays}[[match]]\nfield = \"a\"\n\
             every = '[\\[,](?<number>\\d+)'\n"
        );
        let names = ["a", "b", "number", "_row_number"];
        read(&source(&toml), &names, b"{\"a\":[72,105],\"b\":[72]}\n", &How::default()).rows
    };
    let some = |it: &str| Some(it.to_owned());
    assert_eq!(rows("byte_arrays = true\n"), [[some("Hi"), some("[72]"), None, None]]);
    let first = [some("[72,105]"), some("[72]"), some("72"), None];
    let second = [some("[72,105]"), some("[72]"), some("105"), some("2")];
    assert_eq!(rows(""), [first, second]);
}

#[test]
fn hostile_lines_do_not_cost_more_than_their_size() {
    // Each of these would be scanned to the end of the chunk if its line were no bound.
    let text = "{\"x\":[\"\n".repeat(200_000);
    for head in ["{\"a\":1}\n", "", "[\n", "{\"a\":1}{\"a\":2}\n"] {
        let text = format!("{head}{text}");
        let got = read(&source(CLOUD), &["a"], text.as_bytes(), &How::default());
        assert!(got.rejects.len() >= 199_999, "{head}: {}", got.rejects.len());
    }
}

#[test]
fn documents_in_lines_share_a_chunk() {
    let source = source("[[format]]\nkind = \"json\"\nrecords = [\"Records\"]\n");
    let line = "{\"kind\":1,\"Records\":[{\"a\":1},{\"a\":2}],\"rest\":{\"a\":[\"]}\"]}}\n";
    let got = read(&source, &["a"], line.repeat(3).as_bytes(), &How::default());
    assert_eq!(got.first(), ["1", "2", "1", "2", "1", "2"]);
    assert_eq!(got.places.len(), 1);
}
