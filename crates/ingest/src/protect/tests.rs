//! Chunks through normalizer and protector together.

use arrow::array::StringViewArray;

use super::*;

const SQL: &str = r#"SELECT "id" AS native_uid, parse_time("time") AS event_time,
    "key" AS credential_value, 'api_key_id' AS credential_kind, "account" AS source_scope,
    CASE WHEN "code" = '401' THEN 'rejected' WHEN "code" <> '' THEN 'success' END AS outcome,
    "user" AS principal, "grade" AS attribution FROM raw WHERE "kind" = 'request'"#;
const FIELDS: [&str; 8] = ["account", "code", "grade", "id", "key", "kind", "time", "user"];

fn protector() -> Protector {
    let key = Arc::new(FingerprintKey::from_bytes(&[7; 32]));
    let redactor = Arc::new(Redactor::new(key.as_ref().clone(), []));
    Protector::new(key, redactor, [1; 16], [2; 16])
}

fn facts(scope: &str) -> InputFacts {
    InputFacts {
        source: "test".to_owned(),
        category: "upstream".to_owned(),
        scope: scope.to_owned(),
        file_uid: "f".to_owned(),
    }
}

/// Rows of id, key, code, user, grade, kind; empty is missing.
fn columns(rows: &[[&str; 6]]) -> Extracted {
    let column = |name: &str| -> StringViewArray {
        let place =
            ["id", "key", "code", "user", "grade", "kind"].iter().position(|it| *it == name);
        let value = |row: &[&str; 6]| match place {
            Some(place) => Some(row[place].to_owned()).filter(|it| !it.is_empty()),
            None if name == "time" => Some("2026-01-01T00:00:00Z".to_owned()),
            None => None,
        };
        rows.iter().map(value).collect()
    };
    Extracted::of_arrays(FIELDS.iter().map(|it| column(it)).collect(), rows.len())
}

/// What has been said of a memo's codes so far, and a column in words.
#[derive(Default)]
struct Words(Vec<Vec<Arc<str>>>);

impl Words {
    fn learn(&mut self, chunk: &Protected) {
        self.0.resize(Text::COUNT, Vec::new());
        self.0.iter_mut().zip(&chunk.values).for_each(|(it, new)| it.extend(new.iter().cloned()));
    }

    fn column(&self, chunk: &Protected, text: Text) -> Vec<&str> {
        let value = |row: usize| match chunk.texts[text as usize].at(row) {
            NULL => "",
            code => &self.0[text as usize][code as usize],
        };
        (0..chunk.rows.len()).map(value).collect()
    }
}

#[test]
fn chunks_of_one_memo_agree_on_codes() {
    let (mut protector, normalizer) = (protector(), Normalizer::plan("test", SQL).unwrap());
    assert_eq!(normalizer.fields(), FIELDS);
    let mut words = Words::default();
    let mut uids = Vec::new();
    for rows in [
        &[["1", "k1", "200", "ann", "", "request"], ["2", "k2", "401", "ann", "", "request"]][..],
        &[],
        &[["3", "k3", "", "bob", "", "other"], ["4", "k1", "", "bob", "", "request"]],
    ] {
        let columns = columns(rows);
        let chunk = protector.protect(&normalizer, columns, &facts("s")).unwrap();
        words.learn(&chunk);
        assert_eq!(chunk.event_times.len(), chunk.rows.len());
        let column = |text: Text| words.column(&chunk, text).join(" ");
        uids.push((column(Text::CredentialUid), column(Text::Outcome), column(Text::Principal)));
    }
    assert_eq!((uids[0].1.as_str(), uids[0].2.as_str()), ("success rejected", "ann ann"));
    assert_eq!((uids[2].1.as_str(), uids[2].2.as_str()), ("unknown", "bob"));
    assert!(uids[1].0.is_empty() && uids[0].0.starts_with(&uids[2].0));
    assert!(!uids[2].0.is_empty());
}

/// The same with some of the fields in a group, whose rows come once each.
fn grouped(extracted: &Extracted, fields: &[&str]) -> Extracted {
    let mut made = extracted.clone();
    let columns: Vec<usize> =
        fields.iter().map(|name| FIELDS.iter().position(|it| it == name).unwrap()).collect();
    let arrays: Vec<StringViewArray> = columns.iter().map(|it| extracted.array(*it)).collect();
    let text =
        |array: &StringViewArray, row: usize| array.iter().nth(row).unwrap().map(str::to_owned);
    let mut rows: Vec<Vec<Option<String>>> = vec![vec![None; columns.len()]];
    let mut places = Vec::new();
    for row in 0..extracted.rows {
        let texts: Vec<_> = arrays.iter().map(|it| text(it, row)).collect();
        let found = rows.iter().position(|it| *it == texts);
        places.push(found.unwrap_or(rows.len()) as u32);
        rows.extend(found.is_none().then_some(texts));
    }
    for (at, column) in columns.into_iter().enumerate() {
        made.fields[column].group = Some(0);
        made.fields[column].texts = Some(rows.iter().map(|it| it[at].clone()).collect());
    }
    made.groups = vec![GroupRows { places, rows: rows.len() }];
    made
}

#[test]
fn fields_in_a_group_mean_what_they_mean_by_themselves() {
    let rows = [
        ["1", "k1", "200", "ann", "", "request"],
        ["2", "k2", "401", "bob", "derived", "request"],
        ["3", "k1", "401", "ann", "", "request"],
        ["4", "k1", "200", "ann", "", "other"],
        ["5", "", "200", "", "", "request"],
        ["6", "k2", "200", "bob", "derived", "request"],
        ["7", "k3", "", "ann", "", "request"],
    ];
    let (whole, normalizer) = (columns(&rows), Normalizer::plan("test", SQL).unwrap());
    let said = |chunks: &[Extracted]| {
        let mut protector = protector();
        // Each memo has words of its own.
        let (mut all, mut said) = (HashMap::<u64, Words>::new(), Vec::new());
        for chunk in chunks {
            let chunk = protector.protect(&normalizer, chunk.clone(), &facts("s")).unwrap();
            let words = all.entry(chunk.memo).or_default();
            words.learn(&chunk);
            let texts = [Text::CredentialUid, Text::Outcome, Text::Principal, Text::Attribution];
            let column = |it: Text| words.column(&chunk, it).join(" ");
            said.push((chunk.rows.clone(), chunk.event_keys.clone(), texts.map(column)));
        }
        said
    };
    let plain = said(&[whole.clone(), whole.kept(&[6, 1, 0]), whole.clone()]);
    for fields in [&["key"][..], &["key", "user"], &["grade", "key", "user"], &["account", "user"]]
    {
        let whole = grouped(&whole, fields);
        assert_eq!(said(&[whole.clone(), whole.kept(&[6, 1, 0]), whole]), plain, "{fields:?}");
    }
    // Formats of one source may differ in what they group.
    let mixed = [whole.clone(), grouped(&whole, &["key", "user"]).kept(&[6, 1, 0]), whole];
    assert_eq!(said(&mixed), plain);
}

#[test]
fn a_grade_is_never_claimed_without_a_credential() {
    let (mut protector, normalizer) = (protector(), Normalizer::plan("test", SQL).unwrap());
    let rows = [
        ["1", "k", "200", "ann", "", "request"],
        ["2", "k", "200", "ann", "derived", "request"],
        ["3", "", "200", "ann", "exact", "request"],
        ["4", "", "200", "", "principal", "request"],
        ["5", "-", "200", "", "", "request"],
    ];
    let chunk = protector.protect(&normalizer, columns(&rows), &facts("s")).unwrap();
    let mut words = Words::default();
    words.learn(&chunk);
    let grades = words.column(&chunk, Text::Attribution);
    assert_eq!(grades, ["exact", "derived", "principal", "principal", "none"]);
}

#[test]
fn the_same_key_of_another_issuer_is_another_credential() {
    let (mut protector, normalizer) = (protector(), Normalizer::plan("test", SQL).unwrap());
    let rows = [["1", "k", "200", "", "", "request"]];
    let mut uid = |scope: &str| {
        let chunk = protector.protect(&normalizer, columns(&rows), &facts(scope)).unwrap();
        let mut words = Words::default();
        words.learn(&chunk);
        let uid = words.column(&chunk, Text::CredentialUid)[0].to_owned();
        (uid, words.column(&chunk, Text::SourceScope)[0].to_owned())
    };
    let (first, second) = (uid("one"), uid("two"));
    assert_ne!(first.0, second.0);
    assert_eq!((first.1.as_str(), second.1.as_str()), ("one", "two"));
}

#[test]
fn a_secret_in_the_place_of_a_kind_or_a_scope_is_not_kept() {
    let sql = r#"SELECT "id" AS native_uid, parse_time("time") AS event_time,
        "key" AS credential_value, "user" AS credential_kind, "account" AS credential_scope
        FROM raw"#;
    let (mut protector, normalizer) = (protector(), Normalizer::plan("test", sql).unwrap());
    let secret = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let value = |name: &String| match name.as_str() {
        "time" => "2026-01-01T00:00:00Z".to_owned(),
        "user" | "account" => secret.clone(),
        other => other.to_owned(),
    };
    let columns =
        normalizer.fields().iter().map(|it| StringViewArray::from(vec![value(it)])).collect();
    let extracted = Extracted::of_arrays(columns, 1);
    let chunk = protector.protect(&normalizer, extracted, &facts("s")).unwrap();
    let mut words = Words::default();
    words.learn(&chunk);
    assert!(!words.column(&chunk, Text::CredentialUid)[0].is_empty());
    assert!(!format!("{chunk:?}").contains(&secret));
}

const FIRST: &str = r#"SELECT "id" AS native_uid, parse_time("time") AS event_time,
    COALESCE("token", "key") AS credential_value, 'secret_value' AS credential_kind,
    "account" AS source_scope, 'success' AS outcome, "user" AS principal, "new" AS
    issued_credential_value, 'token_exchange' AS category FROM raw WHERE "kind" = 'request'"#;
const KEY: &str = r#"SELECT "key" AS credential_value, 'api_key_id' AS credential_kind,
    'upstream' AS category FROM raw WHERE "key" IS NOT NULL"#;
const REFRESH: &str = r#"SELECT COALESCE("token", "key") AS credential_value,
    'secret_value' AS credential_kind, "refresh" AS issued_credential_value FROM raw"#;

fn source(further: &[(&str, &str)]) -> Normalizer {
    let toml = "title = \"t\"\ncategory = \"upstream\"\n[[format]]\nkind = \"json\"";
    let further = further.iter().map(|(name, text)| lastuse_sources::FurtherSql {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    });
    let source = lastuse_sources::Source::parse("test", toml, FIRST).unwrap();
    Normalizer::of(&source.with_further(further.collect()).unwrap()).unwrap()
}

/// Chunks of rows that are given by the fields they have.
fn chunk_of(
    protector: &mut Protector,
    normalizer: &Normalizer,
    rows: &[&[(&str, &str)]],
) -> Protected {
    let value = |row: &&[(&str, &str)], name: &str| {
        row.iter().find(|it| it.0 == name).map(|it| it.1.to_owned())
    };
    let column = |name: &String| rows.iter().map(|it| value(it, name)).collect();
    let columns: Vec<StringViewArray> = normalizer.fields().iter().map(column).collect();
    let extracted = Extracted::of_arrays(columns, rows.len());
    protector.protect(normalizer, extracted, &facts("s")).unwrap()
}

#[test]
fn a_second_credential_has_a_row_of_its_own() {
    let (mut protector, normalizer) = (protector(), source(&[("key", KEY)]));
    let mut words = Words::default();
    let time = ("time", "2026-01-01T00:00:00Z");
    let kind = ("kind", "request");
    let both: &[_] =
        &[("id", "1"), time, kind, ("token", "t"), ("key", "k"), ("user", "ann"), ("new", "n")];
    let other: &[_] = &[("id", "2"), time, ("token", "t"), ("key", "k")];
    let token: &[_] = &[("id", "3"), time, kind, ("token", "t")];
    let masked: &[_] = &[("id", "4"), time, kind, ("token", "t"), ("key", "-")];
    let chunk = chunk_of(&mut protector, &normalizer, &[other, both, token, masked]);
    words.learn(&chunk);
    assert_eq!(chunk.rows, [1, 2, 3, 1]);
    assert_eq!((0..4).map(|it| chunk.is_first(it)).collect::<Vec<_>>(), [true, true, true, false]);
    let last = |text: Text| words.column(&chunk, text)[3].to_owned();
    assert_eq!(last(Text::RecordPart), "key");
    assert_eq!((last(Text::Principal), last(Text::IdKind)), ("ann".into(), "api_key_id".into()));
    assert_eq!((last(Text::Category), last(Text::Outcome)), ("upstream".into(), "success".into()));
    assert_eq!(
        (last(Text::IssuedCredentialUid), last(Text::Attribution)),
        (words.column(&chunk, Text::IssuedCredentialUid)[0].to_owned(), "exact".into())
    );
    assert_ne!(last(Text::CredentialUid), words.column(&chunk, Text::CredentialUid)[0]);
    assert_eq!((chunk.native_uids.get(3), chunk.event_times[3]), (Some("1"), chunk.event_times[0]));
    let key = event_key(&[1; 16], "test", "s", "1", Some("key"));
    assert_eq!((chunk.event_keys[3], chunk.event_keys[3] == chunk.event_keys[0]), (key, false));

    // The key of an issuer: of another account it is another credential.
    let elsewhere: &[_] =
        &[("id", "1"), time, kind, ("token", "t"), ("key", "k"), ("account", "b")];
    let chunk = chunk_of(&mut protector, &normalizer, &[elsewhere]);
    let before = last(Text::CredentialUid);
    words.learn(&chunk);
    assert_ne!(words.column(&chunk, Text::CredentialUid)[1], before);
}

#[test]
fn what_a_row_of_the_record_says_already_is_not_said_again() {
    let same = KEY.replace("'api_key_id'", "'secret_value'");
    let files = [("key", &*same), ("other_key", &*same), ("refresh", REFRESH)];
    let (mut protector, normalizer) = (protector(), source(&files));
    let mut words = Words::default();
    let (time, kind) = (("time", "2026-01-01T00:00:00Z"), ("kind", "request"));
    let alone: &[_] = &[("id", "1"), time, kind, ("key", "k"), ("refresh", "r")];
    let both: &[_] = &[("id", "2"), time, kind, ("token", "t"), ("key", "k")];
    let chunk = chunk_of(&mut protector, &normalizer, &[alone, both]);
    words.learn(&chunk);
    assert_eq!(chunk.rows, [0, 1, 1, 0]);
    assert_eq!(words.column(&chunk, Text::RecordPart), ["", "", "key", "refresh"]);
    // The one credential was presented once, though it obtained two.
    assert_eq!(chunk.event_counts[3], 0);
    let uids = words.column(&chunk, Text::CredentialUid);
    assert_eq!((uids[3], uids[2]), (uids[0], uids[0]));
    assert!(!words.column(&chunk, Text::IssuedCredentialUid)[3].is_empty());
}

#[test]
fn a_further_row_cannot_say_when_or_which_event_it_is() {
    let toml = "title = \"t\"\ncategory = \"upstream\"\n[[format]]\nkind = \"json\"";
    for column in ["native_uid", "event_time", "stage", "source_scope", "event_count"] {
        let text = format!("SELECT \"a\" AS {column} FROM raw");
        let source = lastuse_sources::Source::parse("test", toml, FIRST).unwrap();
        let further = vec![lastuse_sources::FurtherSql { name: "key".to_owned(), text }];
        let error = Normalizer::of(&source.with_further(further).unwrap()).unwrap_err();
        assert!(error.to_string().contains("`key.sql` of source `test`"), "{error}");
    }
}

#[test]
fn the_rows_of_a_list_are_parts_of_one_record() {
    let toml = "title = \"t\"\ncategory = \"lifecycle\"\n[[format]]\nkind = \"json\"\n[[match]]\n\
        field = \"list\"\nevery = '(?<name>\\w+),?'";
    let sql = r#"SELECT "id" AS native_uid, parse_time("time") AS event_time,
        "name" AS target_secret_id, "key" AS credential_value FROM raw WHERE "name" <> 'skipped'"#;
    let source = lastuse_sources::Source::parse("test", toml, sql).unwrap();
    let normalizer = Normalizer::of(&source).unwrap();
    let mut protector = protector();
    let row = |name: &'static str, number: &'static str, key: &'static str| {
        [("id", "1"), ("time", "2026-01-01T00:00:00Z"), ("name", name), ("key", key)]
            .into_iter()
            .chain((!number.is_empty()).then_some(("_row_number", number)))
            .collect::<Vec<_>>()
    };
    let rows = [
        row("a", "", "k"),
        row("b", "2", "k"),
        row("skipped", "3", "k"),
        row("d", "4", "x"),
        row("a", "5", "k"),
    ];
    let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
    let chunk = chunk_of(&mut protector, &normalizer, &rows);
    let mut words = Words::default();
    words.learn(&chunk);
    assert_eq!(chunk.rows, [0, 1, 3]);
    assert_eq!(words.column(&chunk, Text::RecordPart), ["", "2", "4"]);
    assert_eq!(words.column(&chunk, Text::TargetSecretId), ["a", "b", "d"]);
    assert_eq!(chunk.event_counts, [NO_NUMBER, 0, NO_NUMBER]);
    let key = |part: Option<&str>| event_key(&[1; 16], "test", "s", "1", part);
    assert_eq!(chunk.event_keys, [key(None), key(Some("2")), key(Some("4"))]);
}
