//! Records in arrays inside a record, with what stands around them.

use super::*;

const OTLP: &str = r#"
[[format]]
kind = "json"
records = ["resourceLogs"]
each = ["scopeLogs[*].logRecords"]
unwrap = ["body"]
[fields]
name = ["name", "_parent.scope.name", "_parent._parent.resource.name"]
"#;

const FIELDS: [&str; 4] = ["a", "name", "_parent._parent.resource.name", "_parent.late"];

fn otlp(text: &str) -> Got {
    check_all_ways(&source(OTLP), &FIELDS, text.as_bytes(), &How::default())
}

fn row(values: [&str; 4]) -> Row {
    values.map(|it| (!it.is_empty()).then(|| it.to_owned())).to_vec()
}

const RESOURCE: &str = r#"{
  "scopeLogs":[
  {"scope":{"name":"s1"},"logRecords":[{"a":1},{"a":2,"name":"own"}]},
  {"logRecords":[{"a":"\"3\""}],"late":"after the array"}, {"logRecords":[]}, {"other":1}
],"resource":{"name":"a resource of some length"}}"#;

#[test]
fn records_of_nested_arrays_have_fields_of_all_levels() {
    let resource = "a resource of some length";
    let expected = [
        row(["1", "s1", resource, ""]),
        row(["2", "own", resource, ""]),
        row(["\"3\"", resource, resource, "after the array"]),
    ];
    let line = RESOURCE.replace('\n', "");
    for text in [
        format!("{{\"resourceLogs\":[{RESOURCE}]}}"),
        format!("{{\"resourceLogs\":[{line}]}}\n{{\"resourceLogs\":[]}}\n"),
        format!("{line}\n"),
        format!("[{RESOURCE}]"),
        RESOURCE.to_owned(),
    ] {
        let got = otlp(&text);
        assert_eq!(got.rows, expected, "{text}");
        assert!(got.rejects.is_empty(), "{text}: {:?}", got.rejects);
    }
}

#[test]
fn what_one_parcel_tells_is_not_told_of_the_next_record() {
    let line = RESOURCE.replace('\n', "");
    let got = otlp(&format!("{{\"a\":0}}\n{line}\n{{\"a\":4}}\n"));
    assert_eq!(got.first(), ["0", "1", "2", "\"3\"", "4"]);
    assert_eq!(got.rows[4], row(["4", "", "", ""]));
}

#[test]
fn a_malformed_record_of_a_parcel_is_one_reject() {
    for bad in ["17", "null", "[1]", "{\"a\":tru}", "{a:1}"] {
        let got = otlp(&format!(
            "{{\"scopeLogs\":[{{\"logRecords\":[{{\"a\":1}},{bad},{{\"a\":2}}]}}]}}\n{{\"a\":3}}\n"
        ));
        assert_eq!(got.first(), ["1", "2", "3"], "{bad}");
        assert_eq!((got.rejects.len(), got.rejects[0].0), (1, 2), "{bad}");
    }
}

#[test]
fn a_malformed_object_around_records_is_one_reject() {
    let inner = "{\"logRecords\":[{\"a\":2}]}";
    for bad in ["17", "{\"logRecords\":[{\"a\":1}],x}", "{\"logRecords\":[{\"a\":1}] 2}"] {
        let got = otlp(&format!("{{\"scopeLogs\":[{bad},{inner}]}}\n{{\"a\":3}}\n"));
        assert_eq!(got.first(), ["2", "3"], "{bad}");
        assert_eq!((got.rejects.len(), got.rejects[0].0), (1, 1), "{bad}");
    }
}

#[test]
fn what_is_no_array_is_a_field_of_a_record() {
    for other in ["null", "{}", "\"[text\"", "1"] {
        let got = otlp(&format!("{{\"a\":1,\"scopeLogs\":{other}}}\n{{\"a\":2}}\n"));
        assert_eq!(got.first(), ["1", "2"], "{other}");
    }
}

#[test]
fn a_parcel_that_is_too_long_is_one_reject() {
    let mut how = How::chunks(1000);
    how.limits.max_record_bytes = 5000;
    let long =
        format!("{{\"scopeLogs\":[{{\"logRecords\":[{}{{}}]}}]}}", "{\"a\":9},".repeat(1000));
    let text = format!("{{\"a\":1}}\n{long}\n{{\"a\":2}}\n");
    let got = read(&source(OTLP), &["a"], text.as_bytes(), &how);
    assert_eq!((got.first(), got.reasons()), (vec!["1", "2"], vec!["longer than 5000 bytes"]));
}

#[test]
fn a_record_of_a_parcel_may_have_an_envelope_of_its_own() {
    let toml = "[[format]]\nkind = \"json\"\neach = [\"logEvents\"]\nunwrap = [\"message\"]\n";
    let text = r#"{
        "logGroup":"a log group","logEvents":[
        {"message":"{\"a\":\"in \\\"quotes\\\"\"}","timestamp":1},
        {"message":"plain","a":"outer","timestamp":2}],"owner":"123"}"#;
    let names = ["a", "_parent.logGroup", "_parent.owner", "_line"];
    let got = check_all_ways(&source(toml), &names, text.as_bytes(), &How::default());
    let line = r#"{"message":"plain","a":"outer","timestamp":2}"#;
    assert_eq!(got.rows[0][..3], row(["in \"quotes\"", "a log group", "123", ""])[..3]);
    assert_eq!(got.rows[1], row(["outer", "a log group", "123", line]));
}

#[test]
fn an_unfinished_parcel_of_a_growing_file_is_held_back() {
    let source = source(OTLP);
    let line = RESOURCE.replace('\n', "");
    let whole = format!("{line}\n{{\"resourceLogs\":[{line}]}}\n");
    for cut in 0..=whole.len() {
        let first = read(&source, &FIELDS, &whole.as_bytes()[..cut], &How::growing());
        assert!(first.rejects.is_empty(), "cut at {cut}: {:?}", first.rejects);
        let how = How { resume: first.end, ..How::growing() };
        let second = read(&source, &FIELDS, whole.as_bytes(), &how);
        let rows = [first.rows, second.rows].concat();
        assert_eq!(rows.len(), 6, "cut at {cut}");
    }
}

#[test]
fn a_record_may_stand_in_its_envelope_as_base64() {
    let toml = "[[format]]\nkind = \"json\"\nunwrap = [\"message.data\"]\n";
    let data = data_encoding::BASE64.encode(br#"{"a":"in base64, padded"}"#);
    let slashes = data_encoding::BASE64.encode("{\"a\":\"\u{fff}?\u{7ff}>\"}".as_bytes());
    let text = format!(
        "{{\"message\":{{\"data\":\"{data}\"}},\"a\":\"outer\"}}\n{{\"message\":{{\"data\":\"{}\"}}}}\n{{\"message\":{{\"data\":\"e30!\"}},\"a\":\"outer\"}}\n",
        slashes.replace('/', "\\/")
    );
    let got = check_all_ways(&source(toml), &["a"], text.as_bytes(), &How::default());
    assert_eq!(got.first(), ["in base64, padded", "\u{fff}?\u{7ff}>", "outer"]);
}
