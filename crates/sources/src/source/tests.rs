//! What `Source::parse` promises.

use super::*;

const MINIMAL: &str = r#"
title = "A log"
category = "auth"
[[format]]
kind = "json"
"#;

fn parse(toml: &str) -> Result<Source, SourceError> {
    Source::parse("a_log", toml, "SELECT 1 FROM raw")
}

/// The whole chain of reasons.
fn error(toml: &str) -> String {
    use std::error::Error;
    let error = parse(toml).unwrap_err();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text.push_str(": ");
        text.push_str(&next.to_string());
        source = next.source();
    }
    text
}

#[test]
fn a_source_is_read_whole() {
    let toml = r#"
title = "OpenSSH"
category = "auth"
blind_spots = ["no agent forwarding"]
delay = "seconds"
generic = true
[detect]
fields = ["message"]
exclude_fields = ["digest.start"]
line = 'sshd\['
names = ["auth.log*"]
[[format]]
kind = "json"
records = ["Records"]
unwrap = ["detail", "a['b.c'].d"]
fold_case = true
[[format]]
kind = "text"
pattern = '^(?<time>\S+) (?<message>.*)$'
[fields]
message = ["MESSAGE", "message"]
[[match]]
field = "message"
patterns = ['^Accepted (?<method>\S+) for (?<user>\S+)$']
"#;
    let source = parse(toml).unwrap();
    assert_eq!((source.name.as_str(), source.title.as_str()), ("a_log", "OpenSSH"));
    assert_eq!(source.delay.as_deref(), Some("seconds"));
    assert!(source.generic);
    assert_eq!(source.formats.len(), 2);
    assert!(
        matches!(&source.formats[0], Format::Json { unwrap, fold_case: true, .. } if unwrap.len() == 2)
    );
    assert_eq!(source.stages.len(), 1);
    let fields = ["message", "user", "_line", "any.path"].map(str::to_owned);
    assert!(source.check_fields(&fields).is_ok());
}

#[test]
fn the_least_source_has_a_title_a_category_and_a_format() {
    assert!(parse(MINIMAL).is_ok());
    assert!(error(&MINIMAL.replace("title = \"A log\"", "")).contains("title"));
    assert!(error("title = \"A\"\ncategory = \"auth\"").contains("add a [[format]]"));
    assert!(
        error(&MINIMAL.replace("\"auth\"", "\"other\""))
            .contains("use one of auth, token_exchange")
    );
    assert!(matches!(Source::parse("a", MINIMAL, " "), Err(SourceError::Empty { .. })));
    assert!(matches!(Source::parse("A-b", MINIMAL, "SELECT 1"), Err(SourceError::Name { .. })));
}

#[test]
fn unknown_keys_are_refused() {
    assert!(error(&format!("sampling = 1\n{MINIMAL}")).contains("sampling"));
    assert!(error(&format!("{MINIMAL}recrods = [\"x\"]\n")).contains("recrods"));
    assert!(error(&format!("{MINIMAL}[detect]\nfield = []\n")).contains("field"));
    assert!(error(&MINIMAL.replace("\"json\"", "\"xml\"")).contains("xml"));
}

#[test]
fn an_error_names_the_key() {
    let bad = format!("{MINIMAL}[fields]\na = [\"x[\"]\n");
    assert!(
        error(&bad).contains("`fields.a` of source `a_log` is not a path: `x[`"),
        "{}",
        error(&bad)
    );
    let bad = format!("{MINIMAL}[[match]]\nfield = \"x\"\npatterns = ['(']\n");
    assert!(error(&bad).contains("`match[0].patterns[0]`"), "{}", error(&bad));
    let bad = format!("{MINIMAL}[[match]]\nfield = \"_file_name\"\npatterns = ['x']\n");
    assert!(error(&bad).contains("`match[0].field` of source `a_log`"), "{}", error(&bad));
    let bad = format!("{MINIMAL}[[match]]\nfield = \"x\"\n");
    assert!(error(&bad).contains("`match[0]` of source `a_log` needs one of"), "{}", error(&bad));
    let bad = format!("{MINIMAL}[[match]]\nfield = \"x\"\npairs = \"xml\"\n");
    assert!(error(&bad).contains("expected one of `cef`, `leef`, `logfmt`"), "{}", error(&bad));
    let bad = format!("{MINIMAL}[fields]\n_line = [\"x\"]\n");
    assert!(error(&bad).contains("`fields._line`"), "{}", error(&bad));
    let bad = format!("{MINIMAL}each = [\"a[*]\"]\n");
    assert!(
        error(&bad).contains("`format[0].each` of source `a_log` is `a[*]`"),
        "{}",
        error(&bad)
    );
    let table = MINIMAL.replace("\"json\"", "\"delimited\"");
    for separator in ["", ",,", "\\n", "é", "\\\""] {
        let bad = format!("{table}separator = \"{separator}\"\n");
        assert!(error(&bad).contains("`format[0].separator` of source `a_log`"), "{}", error(&bad));
    }
    let bad = format!("{table}columns = []\n");
    assert!(
        error(&bad).contains("`format[0].columns` of source `a_log` is empty"),
        "{}",
        error(&bad)
    );
    let bad = format!("{MINIMAL}[fields]\na = [\"_parent.x\", \"x\"]\n");
    assert!(error(&bad).contains("`fields.a` of source `a_log` asks an object"), "{}", error(&bad));
    let bad = format!("{MINIMAL}[fields]\na = []\n");
    assert!(error(&bad).contains("`fields.a` of source `a_log` is empty"), "{}", error(&bad));
}

#[test]
fn a_log_of_text_has_no_fields_but_its_captures() {
    let toml =
        "title = \"T\"\ncategory = \"auth\"\n[[format]]\nkind = \"text\"\npattern = '(?<a>x)'\n";
    let source = parse(toml).unwrap();
    assert!(source.check_fields(&["a".to_owned()]).is_ok());
    let error = source.check_fields(&["b".to_owned()]).unwrap_err();
    assert!(matches!(error, SourceError::UnknownField { field, .. } if field == "b"));
}

#[test]
fn only_the_last_stage_gives_rows() {
    let every = "[[match]]\nfield = \"list\"\nevery = '(?<a>\\w),?'\n";
    let good = Source::parse("x", &format!("{MINIMAL}{every}"), "SELECT 1").unwrap();
    assert!(good.gives_several_rows());
    let twice = Source::parse("x", &format!("{MINIMAL}{every}{every}"), "SELECT 1").unwrap_err();
    assert!(matches!(twice, SourceError::BehindEvery { index: 1, .. }), "{twice}");
}

#[test]
fn further_rows_are_sorted_and_have_names() {
    let source = || Source::parse("x", MINIMAL, "SELECT 1").unwrap();
    let file = |name: &str, text: &str| FurtherSql { name: name.into(), text: text.into() };
    let good = source().with_further(vec![file("b", "SELECT 1"), file("a", "SELECT 2")]).unwrap();
    assert_eq!(good.further.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["a", "b"]);
    for bad in [file("A b", "SELECT 1"), file("a", " ")] {
        assert!(source().with_further(vec![bad]).is_err());
    }
}
