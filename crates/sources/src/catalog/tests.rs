//! What `Catalog` promises.

use super::*;

fn source(name: &str, toml: &str) -> Source {
    Source::parse(name, &format!("title = \"T\"\ncategory = \"auth\"\n{toml}"), "SELECT 1 FROM raw")
        .unwrap()
}

fn catalog() -> Catalog {
    let cloudtrail = r#"
[detect]
fields = ["eventVersion", "eventSource", "eventName"]
exclude_fields = ["eventCategory"]
names = ["*CloudTrail*"]
[[format]]
kind = "json"
records = ["Records"]
unwrap = ["detail", "CloudTrailEvent"]
"#;
    let vault =
        "[detect]\nfields = [\"request.operation\", \"type\"]\n[[format]]\nkind = \"json\"\n";
    let sshd = r#"
[detect]
fields = ["SYSLOG_IDENTIFIER", "message"]
line = ' sshd\[\d+\]:'
names = ["auth.log*"]
[fields]
message = ["MESSAGE"]
[[format]]
kind = "json"
[[format]]
kind = "text"
pattern = '^(?<time>\w{3} [ \d]\d \S+) (?<host>\S+) (?<program>[^\[:]+)(?:\[\d+\])?: (?<message>.*)$'
"#;
    let generic = "generic = true\n[detect]\nfields = [\"time\"]\n[[format]]\nkind = \"json\"\n";
    let sources = vec![
        source("http_json", generic),
        source("sshd", sshd),
        source("vault_audit", vault),
        source("aws_cloudtrail", cloudtrail),
    ];
    Catalog::new(sources).unwrap()
}

fn detect(text: &str, complete: bool, name: &str) -> (Option<(String, usize)>, String) {
    let detection = catalog().detect(&Sample { bytes: text.as_bytes(), complete, name });
    (detection.source.map(|(source, format)| (source.name.clone(), format)), detection.reason)
}

fn found(text: &str) -> Option<(String, usize)> {
    detect(text, true, "x.log").0
}

fn is(name: &str, format: usize) -> Option<(String, usize)> {
    Some((name.to_owned(), format))
}

const EVENT: &str =
    r#"{"eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventName":"GetUser"}"#;

#[test]
fn generic_sources_are_tried_last() {
    let catalog = catalog();
    let names: Vec<_> = catalog.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["aws_cloudtrail", "sshd", "vault_audit", "http_json"]);
    let text = r#"{"time":"2026-01-01T00:00:00Z","type":"request","request":{"operation":"read"}}"#;
    assert_eq!(found(text), is("vault_audit", 0));
    assert_eq!(found(r#"{"time":"2026-01-01T00:00:00Z","path":"/"}"#), is("http_json", 0));
}

#[test]
fn two_sources_of_one_name_are_refused() {
    let twice = vec![
        source("a", "[[format]]\nkind = \"json\"\n"),
        source("a", "[[format]]\nkind = \"json\"\n"),
    ];
    assert!(matches!(Catalog::new(twice), Err(SourceError::Duplicate { name }) if name == "a"));
}

#[test]
fn records_are_recognised_in_every_container() {
    for text in [
        EVENT.to_owned(),
        format!("{EVENT}\n{EVENT}\n"),
        format!("[{EVENT}]"),
        format!("{{\"Records\":[{EVENT}]}}"),
        format!("{{\"x\":{{}},\"Records\": [ {EVENT} ]}}"),
        format!("{{\"detail-type\":\"AWS API Call\",\"detail\":{EVENT}}}"),
        format!(
            "{{\"EventId\":\"x\",\"CloudTrailEvent\":{}}}",
            serde_json::to_string(EVENT).unwrap()
        ),
        format!("{{\"odd\":1}}\n{EVENT}\n"),
    ] {
        assert_eq!(found(&text), is("aws_cloudtrail", 0), "{text}");
    }
}

#[test]
fn a_sample_that_ends_within_the_first_record_is_enough_if_it_has_the_fields() {
    let event = EVENT.replace('}', r#","big":{"a":["x","#);
    for text in [event.clone(), format!("[{event}"), format!("{{\"Records\":[{event}")] {
        assert_eq!(detect(&text, false, "x").0, is("aws_cloudtrail", 0), "{text}");
    }
}

#[test]
fn the_name_decides_when_the_sample_ends_too_early() {
    let text = r#"{"Records":[{"big":{"a":["x","y"#;
    assert_eq!(detect(text, false, "123_CloudTrail_us-east-1.json").0, is("aws_cloudtrail", 0));
    assert_eq!(detect(text, false, "x.json").0, None);
}

#[test]
fn a_digest_file_is_no_log_whatever_its_name() {
    let digest =
        r#"{"awsAccountId":"123456789012","digestStartTime":"2026-01-01T00:00:00Z","logFiles":[]}"#;
    let (source, reason) =
        detect(digest, true, "AWSLogs/1/CloudTrail-Digest/1_CloudTrail-Digest_x.json");
    assert_eq!(source, None);
    assert_eq!(reason, "its content is not that of any known source");
}

#[test]
fn a_record_with_an_excluded_field_does_not_count() {
    let text = EVENT.replace('}', r#","eventCategory":"Insight"}"#);
    assert_eq!(found(&text), None);
    assert_eq!(found(&format!("{text}\n{EVENT}\n")), is("aws_cloudtrail", 0));
}

#[test]
fn text_is_recognised_by_a_typical_line_among_the_first() {
    let cron = "Mar  1 10:00:00 web CRON[1]: job\n";
    let sshd = "Mar  1 10:00:01 web sshd[2]: Accepted publickey for a\n";
    assert_eq!(found(&format!("{cron}{cron}{sshd}")), is("sshd", 1));
    assert_eq!(found(cron), None);
    assert_eq!(detect(cron, true, "/var/log/auth.log.1").0, is("sshd", 1));
    assert_eq!(found(&format!("\0\0\0{sshd}")), is("sshd", 1));
    assert_eq!(found("no shape: sshd[1]: x\n"), None);
    assert_eq!(detect("no shape at all\n", true, "auth.log").0, None);
}

#[test]
fn the_json_shape_of_a_log_of_text_is_another_format_of_it() {
    assert_eq!(found(r#"{"SYSLOG_IDENTIFIER":"sshd","MESSAGE":"x"}"#), is("sshd", 0));
}

#[test]
fn delimited_text_is_told_by_its_columns() {
    let rows = source(
        "rows",
        r#"
[detect]
fields = ["id", "who"]
exclude_fields = ["digest"]
[fields]
who = ["user", "['User Name']"]
[[format]]
kind = "json"
[[format]]
kind = "delimited"
fold_case = true
"#,
    );
    let catalog = Catalog::new(vec![rows]).unwrap();
    let found = |text: &str| {
        let sample = Sample { bytes: text.as_bytes(), complete: true, name: "x" };
        catalog.detect(&sample).source.map(|it| it.1)
    };
    assert_eq!(found("\nID,\"User Name\",x\n1,2,3\n"), Some(1));
    assert_eq!(found("who,user,id\n"), Some(1));
    assert_eq!(found("{\"id\":1,\"user\":2}"), Some(0));
    assert_eq!(found("id,name\n1,2\n"), None);
    assert_eq!(found("id,user,digest\n1,2,3\n"), None);
    assert_eq!(found("id,user"), None, "a first line without an end may be cut");
}

#[test]
fn delimited_text_without_a_header_is_preferred_to_a_pattern_that_matches_any_line() {
    let log = source(
        "log",
        r#"
[detect]
line = '^\d+[, ]'
[[format]]
kind = "delimited"
columns = ["time", "user", "text"]
[[format]]
kind = "text"
pattern = '^(?<time>.*)$'
"#,
    );
    let catalog = Catalog::new(vec![log]).unwrap();
    let found = |text: &str, complete| {
        let sample = Sample { bytes: text.as_bytes(), complete, name: "x" };
        catalog.detect(&sample).source.map(|it| it.1)
    };
    assert_eq!(found("1,a,\"b\nc\nd\"\n2,a,\"b\n", false), Some(0));
    assert_eq!(found("1,a,b,more\n2\n3,a,b\n", true), Some(0));
    assert_eq!(found("1 a, b, c\n2 a\n3 b\n", true), Some(1));
    assert_eq!(found("a,b,c\n", true), None);
}

#[test]
fn sources_that_fit_alike_are_not_guessed() {
    let same = "[detect]\nfields = [\"a\"]\nnames = [\"NAME*\"]\n[[format]]\nkind = \"json\"\n";
    let sources = vec![
        source("one", &same.replace("NAME", "one")),
        source("two", &same.replace("NAME", "two")),
    ];
    let catalog = Catalog::new(sources).unwrap();
    let bytes = br#"{"a":1}"#;
    let detection = catalog.detect(&Sample { bytes, complete: true, name: "x" });
    assert!(detection.source.is_none());
    assert_eq!(detection.reason, "it may be any of one, two: name the source");
    let detection = catalog.detect(&Sample { bytes, complete: true, name: "two.json" });
    assert_eq!(detection.source.unwrap().0.name, "two");
}

#[test]
fn a_source_may_go_before_a_more_general_one() {
    let line =
        "[detect]\nline = 'id=\\d+'\nBEFORE\n[[format]]\nkind = \"text\"\npattern = '^(?<a>.*)$'\n";
    let general = line.replace("BEFORE", "names = [\"access*\"]").replace("\\d+", "");
    let sources = vec![
        source("general", &general),
        source("special", &line.replace("BEFORE", "before = [\"general\"]")),
    ];
    let catalog = Catalog::new(sources).unwrap();
    let found = |text: &str| {
        let sample = Sample { bytes: text.as_bytes(), complete: true, name: "access.log" };
        catalog.detect(&sample).source.unwrap().0.name.clone()
    };
    assert_eq!((found("id=x\n"), found("id=1\n")), ("general".to_owned(), "special".to_owned()));
}

#[test]
fn an_unknown_input_is_explained_without_its_content() {
    let catalog = catalog();
    let bytes = br#"{"password":"hunter2-made-up"}"#;
    let detection = catalog.detect(&Sample { bytes, complete: true, name: "x" });
    assert!(detection.source.is_none());
    assert_eq!(detection.tried.len(), 4);
    assert!(!format!("{detection:?}").contains("hunter2"));
    let detection = catalog.detect(&Sample { bytes: b" \n", complete: true, name: "x" });
    assert_eq!(detection.reason, "it is empty");
    let detection =
        catalog.detect(&Sample { bytes: &[0x50, 0x4b, 3, 4, 0xff], complete: true, name: "x" });
    assert!(detection.source.is_none());
}

#[test]
fn the_format_of_a_named_source_is_told_by_the_content() {
    let catalog = catalog();
    let sshd = catalog.get("sshd").unwrap();
    let sample = |bytes| Sample { bytes, complete: true, name: "x" };
    let format = |bytes| catalog.detect_as(sshd, &sample(bytes)).source.unwrap().1;
    assert_eq!(format(&b"{\"other\":1}"[..]), 0);
    assert_eq!(format(b"anything else"), 1);
}

#[test]
fn a_name_pattern_knows_stars_and_question_marks() {
    assert!(matches_name("*CloudTrail*", "AWSLogs/1_cloudtrail_x.json.gz"));
    assert!(matches_name("auth.log*", "/var/log/auth.log"));
    assert!(!matches_name("auth.log*", "/auth.log/other"));
    assert!(matches_name("a?c", "abc") && !matches_name("a?c", "ac"));
    assert!(matches_name("*/audit/*.json", "vault/audit/x.json"));
    assert!(!matches_name("", "x") && matches_name("*", ""));
    assert!(matches_name("*a*b", "xaabab"));
}
