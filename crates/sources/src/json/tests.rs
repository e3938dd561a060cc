//! The reader against a plain JSON library, and against bytes meant to break it.

use arrow_array::{Array, StringViewArray};
use arrow_buffer::Buffer;
use proptest::prelude::*;
use serde_json::Value;

use super::scan::skip_container;
use super::walk::says_nothing;
use super::*;
use crate::path::{Literal, Step};

fn wanted(paths: &[&str]) -> Vec<WantedField> {
    let field = |(column, path): (usize, &&str)| WantedField {
        column,
        path: FieldPath::parse(path).unwrap(),
        rank: 0,
    };
    paths.iter().enumerate().map(field).collect()
}

/// Members that may come again: all that the tests' records have.
fn repeats() -> Vec<String> {
    ["a", "b", "c", "k", "list", "o"].map(str::to_owned).to_vec()
}

/// Reads the record at `start` and gives where it ends and the text of each column.
fn read_fields(
    fields: &[WantedField],
    fold_case: bool,
    bytes: &[u8],
    start: usize,
) -> Result<(usize, Vec<Option<String>>), JsonError> {
    let column_count = fields.iter().map(|it| it.column + 1).max().unwrap_or(0);
    let mut extractor = JsonExtractor::new(fields.to_vec(), fold_case, &repeats());
    let mut columns = Columns::new(vec![String::new(); column_count]);
    let buffer = columns.add_buffer(Buffer::from(bytes));
    let end = extractor.extract(bytes, buffer, start, &mut columns)?;
    columns.end_row();
    let text = |it: &StringViewArray| it.is_valid(0).then(|| it.value(0).to_owned());
    Ok((end, columns.finish().arrays().iter().map(text).collect()))
}

/// The texts of each record in turn, up to the first that cannot be read.
fn read_all(fields: &[WantedField], bytes: &[u8], repeats: &[String]) -> Vec<Vec<Option<String>>> {
    let column_count = fields.iter().map(|it| it.column + 1).max().unwrap_or(0);
    let mut extractor = JsonExtractor::new(fields.to_vec(), false, repeats);
    let mut columns = Columns::new(vec![String::new(); column_count]);
    let buffer = columns.add_buffer(Buffer::from(bytes));
    let mut at = 0;
    while let Ok(end) = extractor.extract(bytes, buffer, at, &mut columns) {
        columns.end_row();
        at = end;
    }
    let done = columns.finish();
    let arrays = done.arrays();
    let text =
        |it: &StringViewArray, row: usize| it.is_valid(row).then(|| it.value(row).to_owned());
    (0..done.rows).map(|row| arrays.iter().map(|it| text(it, row)).collect()).collect()
}

fn read(record: &str, paths: &[&str]) -> Vec<Option<String>> {
    let (end, texts) = read_fields(&wanted(paths), false, record.as_bytes(), 0).unwrap();
    assert_eq!(end, record.trim_end().len());
    texts
}

fn read_one(record: &str, path: &str) -> Option<String> {
    read(record, &[path]).remove(0)
}

fn failure(record: &[u8], paths: &[&str]) -> JsonError {
    read_fields(&wanted(paths), false, record, 0).unwrap_err()
}

#[test]
fn each_kind_of_value_gives_its_text() {
    let record =
        r#"{"s":"text","n":-1.5e3,"t":true,"f":false,"z":null,"o":{"x": [1, 2]},"a":[ ],"e":""}"#;
    let texts = read(record, &["s", "n", "t", "f", "z", "o", "a", "e", "missing"]);
    let expected = ["text", "-1.5e3", "true", "false", "-", r#"{"x": [1, 2]}"#, "[ ]", "", "-"];
    for (text, expected) in texts.iter().zip(expected) {
        assert_eq!(text.as_deref().unwrap_or("-"), expected);
    }
}

#[test]
fn members_are_found_in_any_order_and_depth() {
    let record = r#" { "z" : { "y" : { "x" : 1 } , "w" : 2 } , "a" : 3 } "#;
    let texts = read(record, &["a", "z.w", "z.y.x", "z.y", "z.y.q"]);
    let texts: Vec<_> = texts.iter().map(Option::as_deref).collect();
    assert_eq!(texts, [Some("3"), Some("2"), Some("1"), Some(r#"{ "x" : 1 }"#), None]);
}

#[test]
fn a_null_or_scalar_where_an_object_was_expected_is_a_missing_field() {
    for value in ["null", "1", "true", "\"text\"", "[1]", "{}"] {
        assert_eq!(read_one(&format!(r#"{{"a":{value},"b":1}}"#), "a.b"), None, "{value}");
    }
}

#[test]
fn escapes_are_resolved_in_values_and_names() {
    let record = r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000.","\u0062\"":"x"}"#;
    let expected = "\"\\/\u{8}\u{c}\n\r\té😀\0.";
    assert_eq!(read_one(record, "a").as_deref(), Some(expected));
    assert_eq!(read_one(record, r#"['b"']"#).as_deref(), Some("x"));
}

#[test]
fn a_lone_surrogate_becomes_the_replacement_character() {
    for (escapes, expected) in [
        (r"\ud800", "\u{FFFD}"),
        (r"\udc00x", "\u{FFFD}x"),
        (r"\ud800\u0041", "\u{FFFD}A"),
        (r"\ud800\ud83d\ude00", "\u{FFFD}😀"),
        (r"\ud800\n", "\u{FFFD}\n"),
    ] {
        let record = format!(r#"{{"a":"{escapes}"}}"#);
        assert_eq!(read_one(&record, "a").as_deref(), Some(expected), "{escapes}");
    }
}

#[test]
fn a_malformed_escape_in_a_wanted_string_is_an_error() {
    for escapes in [r"\x", r"\u12", r"\u12g4", r"\ud800\u12", r"\u+123"] {
        let record = format!(r#"{{"a":"{escapes}"}}"#);
        assert!(
            matches!(failure(record.as_bytes(), &["a"]), JsonError::Invalid { .. }),
            "{escapes}"
        );
    }
}

#[test]
fn invalid_utf8_is_replaced_and_the_rest_is_read() {
    let record = b"{\"a\":\"x\xFFy\",\"b\":\"fine and long enough for a view\",\"c\":\"\\n\xC3\"}";
    let (_, texts) = read_fields(&wanted(&["a", "b", "c"]), false, record, 0).unwrap();
    let texts: Vec<_> = texts.iter().map(|it| it.as_deref().unwrap()).collect();
    assert_eq!(texts, ["x\u{FFFD}y", "fine and long enough for a view", "\n\u{FFFD}"]);
}

#[test]
fn control_characters_in_strings_are_kept() {
    assert_eq!(read_one("{\"a\":\"x\0\n\t\u{1b}y\"}", "a").as_deref(), Some("x\0\n\t\u{1b}y"));
}

#[test]
fn of_a_repeated_name_the_last_one_wins() {
    assert_eq!(read_one(r#"{"a":1,"a":2}"#, "a").as_deref(), Some("2"));
    assert_eq!(read_one(r#"{"a":1,"a":null}"#, "a"), None);
    assert_eq!(read_one(r#"{"a":{"b":1},"a":{}}"#, "a.b"), None);
    assert_eq!(read_one(r#"{"a":{"b":1},"a":2}"#, "a.b"), None);
    assert_eq!(read_one(r#"{"a":[1],"a":2}"#, "a[0]"), None);
    assert_eq!(read_one(r#"{"a":[{"b":1,"b":2}]}"#, "a[0].b").as_deref(), Some("2"));
}

#[test]
fn the_first_alias_with_a_value_wins_whatever_the_order_in_the_record() {
    let field = |rank, path| WantedField { column: 0, path: FieldPath::parse(path).unwrap(), rank };
    let fields = [field(1, "b"), field(0, "a.x"), field(2, "c")];
    for (record, expected) in [
        (r#"{"b":"B","a":{"x":"A"}}"#, Some("A")),
        (r#"{"a":{"x":"A"},"b":"B"}"#, Some("A")),
        (r#"{"a":{"x":null},"c":"C","b":"B"}"#, Some("B")),
        (r#"{"a":{"x":"A"},"b":"B","a":null}"#, Some("B")),
        (r#"{"c":"C","b":null}"#, Some("C")),
        (r#"{"d":1}"#, None),
        (r#"{"a":{"x":""},"b":"-","c":"C"}"#, Some("C")),
        (r#"{"a":{"x":"[FILTERED]"},"b":"B","c":"C"}"#, Some("B")),
        (r#"{"a":{"x":"****"},"b":""}"#, Some("****")),
        (r#"{"a":{"x":""}}"#, Some("")),
    ] {
        let (_, texts) = read_fields(&fields, false, record.as_bytes(), 0).unwrap();
        assert_eq!(texts[0].as_deref(), expected, "{record}");
    }
}

#[test]
fn one_field_may_feed_two_columns() {
    assert_eq!(read(r#"{"a":7}"#, &["a", "a"]), [Some("7".into()), Some("7".into())]);
    let texts = read(r#"{"a":[7]}"#, &["a[0]", "a[0]", "a"]);
    assert_eq!(texts, [Some("7".into()), Some("7".into()), Some("[7]".into())]);
}

#[test]
fn case_is_folded_only_when_asked() {
    let record = br#"{"UserIdentity":{"ARN":"x"},"l":[{"Key":"K","VALUE":"v"}]}"#;
    let fields = wanted(&["userIdentity.arn", "USERIDENTITY.Arn", "L[?@.key=='K'].value"]);
    let (_, texts) = read_fields(&fields, true, record, 0).unwrap();
    assert_eq!(texts, [Some("x".into()), Some("x".into()), Some("v".into())]);
    let (_, texts) = read_fields(&fields, false, record, 0).unwrap();
    assert_eq!(texts, [None, None, None]);
}

#[test]
fn elements_lists_and_filters_are_evaluated() {
    let record = r#"{"a":[{"key":"x","value":1},{"key":"y","value":"two"},{"key":"y","value":3},4],
        "o":{"p":{"v":1},"q":{"v":null}},"e":[],"n":[[1,2],[3]]}"#;
    for (path, expected) in [
        ("a[0].value", Some("1")),
        ("a[1].value", Some("two")),
        ("a[-1]", Some("4")),
        ("a[4]", None),
        ("a[-5]", None),
        ("a[*].value", Some(r#"[1,"two",3]"#)),
        ("a[*].missing", None),
        ("a[?@.key=='y'].value", Some("two")),
        ("a[?@.value==3.0].key", Some("y")),
        ("a[?@.value].key", Some("x")),
        ("a[?@==4]", Some("4")),
        ("a[?@.key=='z'].value", None),
        ("a[?@.key=='x']", Some(r#"{"key":"x","value":1}"#)),
        ("o[*].v", Some("[1,null]")),
        ("o[?@.v==null]", Some(r#"{"v":null}"#)),
        ("o[?@.v==null].v", None),
        ("o[0]", None),
        ("e[*]", None),
        ("e[0]", None),
        ("n[*][0]", Some("[1,3]")),
        ("n[*][*]", Some("[1,2,3]")),
        ("n[1][0]", Some("3")),
    ] {
        assert_eq!(read_one(record, path).as_deref(), expected, "{path}");
    }
}

#[test]
fn elements_chosen_by_a_text_are_the_same_in_whatever_order_their_members_stand() {
    let paths = ["l[?@.k=='x'].v.a", "l[?@.k=='x'].v.b", "l[?@.k=='x'].w", "l[?@.k=='y'].v"];
    let one = |list: &str| {
        let record = format!("{{\"l\":{list},\"z\":0}}");
        let texts = read(&record, &paths).into_iter().map(|it| it.unwrap_or("-".into()));
        texts.collect::<Vec<_>>().join(" ")
    };
    for (list, expected) in [
        (r#"[{"k":"x","v":{"a":1,"b":2},"w":3},{"k":"y","v":4}]"#, "1 2 3 4"),
        (r#"[{"v":{"b":2,"a":1},"k":"y"},{"w":3,"k":"x","v":{"a":1}}]"#, r#"1 - 3 {"b":2,"a":1}"#),
        // Of two members of one name, the last counts.
        (r#"[{"k":"y","v":1,"k":"x","w":2}]"#, "- - 2 -"),
        (r#"[{"k":"o","k":"x","w":2}]"#, "- - 2 -"),
        (r#"[{"k":"x","v":{"a":1},"v":{"b":2},"w":3,"k":"o"}]"#, "- - - -"),
        (r#"[{"k":"x","v":{"a":1},"v":{"b":2}}]"#, "- 2 - -"),
        // What the first such element lacks is taken from the next.
        (r#"[{"k":"x","w":null},{"k":"x","v":{"a":1},"w":2}]"#, "1 - - -"),
        (r#"[[{"k":"x"}],"k",{"k":["x"]},{"\u006b":"\u0078","\u0077":5}]"#, "- - 5 -"),
        (r#"{"m":{"k":"x","w":6}}"#, "- - 6 -"),
        ("[]", "- - - -"),
    ] {
        assert_eq!(one(list), expected, "{list}");
    }
}

#[test]
fn filters_compare_what_is_meant_not_what_is_written() {
    let record = r#"{"a":[{"k":"\u0078","v":"\u0079"},{"k":1e0,"v":2}]}"#;
    assert_eq!(read_one(record, "a[?@.k=='x'].v").as_deref(), Some("y"));
    assert_eq!(read_one(record, "a[?@.k==1].v").as_deref(), Some("2"));
    assert_eq!(read_one(record, "a[*].v").as_deref(), Some(r#"["\u0079",2]"#));
}

#[test]
fn records_follow_one_another_in_one_buffer() {
    let bytes = b"{\"a\":1}\n{\"a\":\"2\"}{}\r\n {\"a\":3}";
    let mut extractor = JsonExtractor::new(wanted(&["a"]), false, &repeats());
    let mut columns = Columns::new(vec!["a".into()]);
    let buffer = columns.add_buffer(Buffer::from(bytes));
    let mut at = 0;
    while at < bytes.len() {
        at = extractor.extract(bytes, buffer, at, &mut columns).unwrap();
        columns.end_row();
    }
    let texts = columns.finish().arrays().remove(0);
    let texts: Vec<_> = texts.iter().map(|it| it.unwrap_or("-")).collect();
    assert_eq!(texts, ["1", "2", "-", "3"]);
}

#[test]
fn what_is_walked_must_be_well_formed() {
    for record in [
        "{,}",
        r#"{"a":1,}"#,
        r#"{"a"}"#,
        r#"{"a" 1}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":}"#,
        r#"{"a":1]"#,
        r#"{a:1}"#,
        r#"{"a":tru}"#,
        r#"{"a":nul }"#,
        r#"{"a":truex}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":+1}"#,
        r#"{"a":1e}"#,
        r#"{"a":-}"#,
        r#"{"a":0x1}"#,
        r#"{"a":NaN}"#,
        r#"{"a":'x'}"#,
        r#"{"a":[1}"#,
        r#"{"a":{"b":1]}"#,
        r#"{"x":01}"#,
        r#"{"x":[}"#,
        r#"{"a":1}}"#,
    ] {
        let result = read_fields(&wanted(&["a", "a.b"]), false, record.as_bytes(), 0);
        match result {
            Err(JsonError::Invalid { .. }) => {}
            // Only the record is read: what follows it is for the caller to judge.
            Ok((end, _)) => assert_eq!((record, end), (r#"{"a":1}}"#, 7)),
            other => panic!("{record}: {other:?}"),
        }
    }
}

#[test]
fn a_record_that_is_not_an_object_is_told_apart() {
    for record in ["[1]", "1", "\"x\"", "null", "}", ",", "\u{FEFF}{}"] {
        let error = failure(record.as_bytes(), &["a"]);
        assert_eq!(error, JsonError::NotAnObject { at: 0 }, "{record}");
    }
    assert_eq!(failure(b" \n", &["a"]), JsonError::Incomplete);
    assert_eq!(failure(b"", &["a"]), JsonError::Incomplete);
}

#[test]
fn deep_nesting_is_refused_without_using_the_stack() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let nested = |depth: usize| {
            format!(r#"{{"a":{}1{}}}"#, open.repeat(depth - 1), close.repeat(depth - 1))
        };
        for paths in [&["a"][..], &["x"], &["a.a.a"], &["a[0][0]"]] {
            let fields = wanted(paths);
            assert!(read_fields(&fields, false, nested(DEPTH_MAX).as_bytes(), 0).is_ok());
            for depth in [DEPTH_MAX + 1, 100_000] {
                let error = failure(nested(depth).as_bytes(), paths);
                assert!(matches!(error, JsonError::TooDeep { .. }), "{open} {depth} {error:?}");
            }
        }
        let unclosed = format!(r#"{{"a":{}"#, open.repeat(1_000_000));
        assert!(matches!(failure(unclosed.as_bytes(), &["x"]), JsonError::TooDeep { .. }));
        assert!(matches!(skip_value(&unclosed.as_bytes()[5..], 0), Err(JsonError::TooDeep { .. })));
    }
}

#[test]
fn a_huge_number_is_its_text() {
    let number = format!("-{}.{}E+{}", "9".repeat(5_000), "1".repeat(5_000), "7".repeat(500));
    assert_eq!(read_one(&format!(r#"{{"a":{number}}}"#), "a"), Some(number));
}

#[test]
fn a_record_cut_short_is_incomplete_wherever_it_is_cut() {
    let record = r#"{"a":"x\n\u00e9\ud83d\ude00 and some more text to fill a block of bytes",
        "o":{"b":-1.5e+3,"c":[true,false,null,{"d":"\\\""}],"e":{}},"skipped":{"f":["]}"]},"n":12}"#;
    let fields = wanted(&["a", "o.b", "o.c", "o.c[3].d", "o.e", "n"]);
    assert!(read_fields(&fields, false, record.as_bytes(), 0).is_ok());
    for end in 0..record.len() {
        let result = read_fields(&fields, false, &record.as_bytes()[..end], 0);
        assert_eq!(result, Err(JsonError::Incomplete), "{}", &record[..end]);
    }
}

#[test]
fn values_are_skipped_without_reading_them() {
    for value in ["{}", "[]", r#"{"a":"}]"}"#, r#""a\"b\\""#, "12", "true", "null", r#"["\\"]"#] {
        let bytes = format!("  {value} ,");
        assert_eq!(skip_value(bytes.as_bytes(), 0), Ok(2 + value.len()), "{value}");
    }
    assert_eq!(skip_value(b"12", 0), Err(JsonError::Incomplete));
    assert!(matches!(skip_value(b"]", 0), Err(JsonError::Invalid { .. })));
    assert_eq!(skip_value(b"[1]", 99), Err(JsonError::Incomplete));
}

#[test]
fn single_values_can_be_found() {
    let bytes = br#"{"detail":{"a":"x\n"},"Records":[1],"n":null}"#;
    let look = |path| find(bytes, 0, &FieldPath::parse(path).unwrap(), false).unwrap();
    let inside = |it: &FoundValue| std::str::from_utf8(&bytes[it.start..it.end]).unwrap();
    let detail = look("detail").unwrap();
    assert_eq!((detail.kind, inside(&detail)), (ValueKind::Object, r#"{"a":"x\n"}"#));
    let text = look("detail.a").unwrap();
    assert_eq!((text.kind, inside(&text)), (ValueKind::Text { escaped: true }, r"x\n"));
    assert_eq!(look("Records").unwrap().kind, ValueKind::Array);
    assert_eq!(look("Records[0]").unwrap().kind, ValueKind::Scalar);
    assert_eq!(look("n").unwrap().kind, ValueKind::Null);
    assert_eq!(look("m"), None);
}

#[test]
fn nothing_that_was_read_is_shown_for_debugging() {
    let bytes = br#"{"a":"made\u002dup\u002dsecret","b":["made-up-secret"]}"#;
    let mut extractor = JsonExtractor::new(wanted(&["a", "b[*]"]), false, &repeats());
    let mut columns = Columns::new(vec!["a".into(), "b".into()]);
    let buffer = columns.add_buffer(Buffer::from(bytes));
    extractor.extract(bytes, buffer, 0, &mut columns).unwrap();
    assert!(!format!("{extractor:?} {columns:?}").contains("made-up"));
}

/// A JSON text of its own making: white space and escapes at random.
fn json_text(depth: u32) -> BoxedStrategy<String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|it| it.to_string()),
        any::<i32>().prop_map(|it| it.to_string()),
        any::<f32>().prop_filter("finite", |it| it.is_finite()).prop_map(|it| format!("{it:e}")),
        string_text(),
    ];
    scalar
        .prop_recursive(depth, 60, 6, |inner| {
            let space = || prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\n\t  ")];
            let item = (space(), inner.clone(), space()).prop_map(|(a, v, b)| format!("{a}{v}{b}"));
            prop_oneof![
                prop::collection::vec(item, 0..6).prop_map(|it| format!("[{}]", it.join(","))),
                object_text(inner),
            ]
        })
        .boxed()
}

fn object_text(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let space = || prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\r\n ")];
    let member = (space(), name_text(), space(), space(), value, space())
        .prop_map(|(a, name, b, c, value, d)| format!("{a}{name}{b}:{c}{value}{d}"));
    prop::collection::vec(member, 0..8).prop_map(|it| format!("{{{}}}", it.join(",")))
}

const NAMES: [&str; 8] = ["a", "b", "ab", "key", "k.w/d", "é", "", "aVeryLongNameOfAMember"];

fn name_text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(&NAMES[..]).prop_map(|it| format!("\"{it}\"")),
        1 => Just(r#""\u0061""#.to_owned()),
        1 => string_text(),
    ]
}

fn string_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z]{1,12}",
        2 => Just("é€😀".to_owned()),
        1 => Just("{}[]:,'".to_owned()),
        2 => prop::sample::select(
            &[r"\n", r#"\""#, r"\\", r"\\\\\\", r"\u00e9", r"\uD83D\uDE00", r"\/", r"\u0000"][..]
        ).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|it| format!("\"{}\"", it.concat()))
}

fn path_text() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(&NAMES[..]);
    let step = prop_oneof![
        6 => name().prop_map(|it| format!("['{it}']")),
        1 => (-2..3i64).prop_map(|it| format!("[{it}]")),
        1 => Just("[*]".to_owned()),
        1 => name().prop_map(|it| format!("[?@['{it}']]")),
        1 => (name(), name()).prop_map(|(a, b)| format!("[?@['{a}']=='{b}']")),
    ];
    (name(), prop::collection::vec(step, 0..4))
        .prop_map(|(first, rest)| format!("['{first}']{}", rest.concat()))
}

/// What the steps find, by the plainest means.
fn oracle<'a>(value: &'a Value, steps: &[Step]) -> Vec<&'a Value> {
    let Some((step, rest)) = steps.split_first() else {
        return vec![value];
    };
    let children: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    };
    let chosen: Vec<&Value> = match step {
        Step::Member(name) => value.get(name).into_iter().collect(),
        Step::Element(index) => {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            let index = if *index < 0 { items.len() as i64 + index } else { *index };
            usize::try_from(index).ok().and_then(|it| items.get(it)).into_iter().collect()
        }
        Step::All => children,
        Step::Where(filter) => children
            .into_iter()
            .filter(|child| {
                let found = oracle(child, &filter.steps);
                match (&filter.equals, found.first()) {
                    (None, found) => found.is_some(),
                    (Some(Literal::Text(text)), Some(found)) => found.as_str() == Some(text),
                    _ => false,
                }
            })
            .collect(),
    };
    chosen.into_iter().flat_map(|it| oracle(it, rest)).collect()
}

/// Whether the members' order that the oracle keeps is the order of the text.
fn has_repeated_names(value: &str) -> bool {
    // A repeated name keeps its first place there, its last place here.
    fn count(value: &Value) -> usize {
        match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(|it| 1 + count(it)).sum(),
            _ => 0,
        }
    }
    let written = {
        let (mut at, mut colons, mut in_string) = (0, 0, false);
        let bytes = value.as_bytes();
        while at < bytes.len() {
            match bytes[at] {
                b'\\' => at += 1,
                b'"' => in_string = !in_string,
                b':' if !in_string => colons += 1,
                _ => {}
            }
            at += 1;
        }
        colons
    };
    written != count(&serde_json::from_str(value).unwrap())
}

fn check_against_oracle(record: &str, fields: &[WantedField], bytes: &[u8], start: usize) {
    let value: Value = serde_json::from_str(record).unwrap();
    let (end, texts) = read_fields(fields, false, bytes, start).unwrap();
    assert_eq!(end, start + record.len());
    let repeated = has_repeated_names(record);
    for (column, text) in texts.iter().enumerate() {
        let mut feeding: Vec<_> = fields.iter().filter(|it| it.column == column).collect();
        feeding.sort_by_key(|it| it.rank);
        let lists = |it: &&WantedField| {
            it.path.steps().iter().any(|it| matches!(it, Step::All | Step::Where(_)))
        };
        if repeated && feeding.iter().any(lists) {
            continue;
        }
        let present = |field: &&WantedField| {
            let found = oracle(&value, field.path.steps());
            let listed = field.path.steps().contains(&Step::All) && !found.is_empty();
            let listed = listed.then(|| found.iter().map(|it| (*it).clone()).collect());
            listed.or(found.first().map(|it| (*it).clone())).filter(|it| !it.is_null())
        };
        let all: Vec<Value> = feeding.iter().filter_map(present).collect();
        let says = |it: &&Value| it.as_str().is_none_or(|it| !says_nothing(it.as_bytes()));
        let expected = all.iter().find(says).or(all.first()).cloned();
        match (expected, text) {
            (Some(Value::String(expected)), Some(text)) => assert_eq!(&expected, text),
            (Some(expected), Some(text)) => {
                assert_eq!(expected, serde_json::from_str::<Value>(text).unwrap());
            }
            (expected, text) => assert_eq!((expected, text), (None, &None), "{column}"),
        }
    }
}

fn fields_strategy() -> impl Strategy<Value = Vec<WantedField>> {
    let field = (path_text(), 0..4usize, 0..3u8).prop_map(|(path, column, rank)| WantedField {
        column,
        path: FieldPath::parse(&path).unwrap(),
        rank,
    });
    prop::collection::vec(field, 1..8)
}

/// Reads brackets and strings one byte at a time.
fn skip_plainly(bytes: &[u8]) -> Result<usize, JsonError> {
    let (mut at, mut depth, mut in_string) = (0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => in_string = !in_string,
            b'\\' if in_string => at += 1,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let same = bytes[at] == bytes[0] + 2;
            let error = JsonError::Invalid { at, what: "bracket of another kind" };
            return if same { Ok(at + 1) } else { Err(error) };
        }
        at += 1;
    }
    Err(JsonError::Incomplete)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fields_are_what_a_plain_library_finds(
        record in object_text(json_text(4)),
        fields in fields_strategy(),
        before in 0..70usize,
        after in 0..2usize,
    ) {
        // Beside other bytes and at the very end: blocks are read differently there.
        let bytes = format!("{}{record}{}", "x".repeat(before), "\n{\"b\":\"}\"}".repeat(after * 9));
        check_against_oracle(&record, &fields, bytes.as_bytes(), before);
    }

    #[test]
    fn what_comes_again_is_read_as_if_it_were_new(
        values in prop::collection::vec(json_text(3), 1..4),
        picks in prop::collection::vec((0..4usize, 0..4usize, 0..4usize), 1..12),
        fields in fields_strategy(),
    ) {
        let value = |it: usize| &values[it % values.len()];
        let record = |(a, b, c): &(usize, usize, usize)| {
            format!("{{\"a\":{},\"b\":{},\"a\":{}}}\n", value(*a), value(*b), value(*c))
        };
        let text: String = picks.iter().map(record).collect();
        let grouped = read_all(&fields, text.as_bytes(), &repeats());
        prop_assert_eq!(&grouped, &read_all(&fields, text.as_bytes(), &[]));
        prop_assert!(grouped.len() <= picks.len());
    }

    #[test]
    fn every_part_of_a_record_up_to_its_end_is_incomplete(
        record in object_text(json_text(3)),
        fields in fields_strategy(),
    ) {
        for end in 0..record.len() {
            let result = read_fields(&fields, false, &record.as_bytes()[..end], 0);
            prop_assert_eq!(result, Err(JsonError::Incomplete));
        }
    }

    #[test]
    fn changed_bytes_never_panic_and_good_json_stays_good(
        record in object_text(json_text(4)),
        fields in fields_strategy(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>()), 1..4),
    ) {
        let mut bytes = record.into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            match byte {
                Some(byte) => bytes[place] = byte,
                None => { bytes.remove(place); }
            }
            if bytes.is_empty() { bytes.push(b'{'); }
        }
        let result = read_fields(&fields, false, &bytes, 0);
        if let Ok(Value::Object(_)) = serde_json::from_slice(&bytes) {
            prop_assert!(result.is_ok(), "{:?}", result);
        }
    }

    #[test]
    fn bytes_at_random_never_panic(
        bytes in prop::collection::vec(
            prop_oneof![
                5 => prop::sample::select(&b"{}[]\":,\\ua1e-.tn \xFF\xC3\x00"[..]),
                1 => any::<u8>(),
            ],
            0..300,
        ),
        fields in fields_strategy(),
        start in 0..310usize,
    ) {
        let mut bytes = bytes;
        let _ = read_fields(&fields, true, &bytes, start);
        let _ = skip_value(&bytes, start);
        bytes.insert(0, b'{');
        let _ = read_fields(&fields, false, &bytes, 0);
        let _ = find(&bytes, 0, &fields[0].path, false);
        let _ = unescape_into(&bytes, &mut String::new());
    }

    #[test]
    fn containers_end_where_a_plain_loop_says(
        inside in prop::collection::vec(
            prop::sample::select(&b"{}[]\"\"\"\\\\\\aaaa  ,"[..]), 0..400,
        ),
        open in prop::sample::select(&b"{["[..]),
        strings in any::<bool>(),
    ) {
        let mut bytes = inside;
        bytes.insert(0, open);
        if !strings {
            // Backslashes outside strings mean nothing in JSON; the two ways read them differently.
            bytes.retain(|it| *it != b'\\');
        } else {
            let mut quoted = vec![open, b'"'];
            quoted.extend(bytes.iter().filter(|it| !b"{[".contains(it)));
            bytes = quoted;
        }
        if !strings || !has_slash_outside(&bytes) {
            prop_assert_eq!(skip_container(&bytes, 0, 0), skip_plainly(&bytes));
        }
    }
}

fn has_slash_outside(bytes: &[u8]) -> bool {
    let (mut at, mut in_string) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => in_string = !in_string,
            b'\\' if in_string => at += 1,
            b'\\' => return true,
            _ => {}
        }
        at += 1;
    }
    false
}
