//! What `RecordReader` promises, whatever the format.

use std::io::{Cursor, Write};

use arrow_array::Array;

use super::*;
use crate::decode::{Compression, continue_plain, decode};

mod delimited;
mod each;
mod json;
mod soup;
mod text;

pub(super) type Row = Vec<Option<String>>;

/// All that was read of an input.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Got {
    pub(super) rows: Vec<Row>,
    /// Number, offset, reason.
    pub(super) rejects: Vec<(u64, u64, String)>,
    pub(super) numbers: Vec<u64>,
    pub(super) held_back: bool,
    /// After each chunk: rows, rejects, and where to go on.
    pub(super) places: Vec<(usize, usize, Resume)>,
    pub(super) end: Resume,
}

impl Got {
    /// The first column of each row.
    pub(super) fn first(&self) -> Vec<&str> {
        self.rows.iter().map(|it| it[0].as_deref().unwrap_or("NULL")).collect()
    }

    pub(super) fn reasons(&self) -> Vec<&str> {
        self.rejects.iter().map(|it| it.2.as_str()).collect()
    }

    /// What does not depend on how the input was cut into chunks.
    #[expect(clippy::type_complexity, reason = "only ever compared")]
    pub(super) fn content(&self) -> (&[Row], &[(u64, u64, String)], &[u64], bool, Resume) {
        (&self.rows, &self.rejects, &self.numbers, self.held_back, self.end)
    }
}

pub(super) fn source(toml: &str) -> Arc<Source> {
    let toml = format!("title = \"T\"\ncategory = \"auth\"\n{toml}");
    Arc::new(Source::parse("a_log", &toml, "SELECT 1 FROM raw").unwrap())
}

/// How to read an input; the default is plain bytes that do not grow.
#[derive(Clone, Default)]
pub(super) struct How {
    pub(super) format: usize,
    pub(super) limits: Limits,
    pub(super) resume: Resume,
    pub(super) growing: bool,
    pub(super) resting: bool,
    /// What stands at the start of the input is not told to a reading that goes on.
    pub(super) without_head: bool,
}

impl How {
    pub(super) fn growing() -> Self {
        Self { growing: true, ..Self::default() }
    }

    pub(super) fn chunks(bytes: usize) -> Self {
        Self { limits: Limits { chunk_bytes: bytes, ..Limits::default() }, ..Self::default() }
    }
}

pub(super) fn fields(names: &[&str]) -> Vec<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

/// Reads an input to its end, and checks that every record is counted once.
pub(super) fn read(source: &Arc<Source>, names: &[&str], bytes: &[u8], how: &How) -> Got {
    let mut decoder =
        decode(Box::new(Cursor::new(bytes.to_vec())), Some(bytes.len() as u64), &how.limits)
            .unwrap();
    let head = decoder.head(1 << 16).unwrap().0.to_vec();
    assert_eq!(decoder.skip(how.resume.offset).unwrap(), how.resume.offset);
    let fields = fields(names);
    let context = FileContext {
        name: "dir/a file.log".into(),
        time_text: Some("2026-03-01T00:00:00Z".into()),
    };
    let mut columns = columns(source, &fields);
    let How { format, limits, resume, growing, resting, without_head } = how.clone();
    let mut reader = RecordReader::new(
        decoder,
        Arc::clone(source),
        format,
        &fields,
        context,
        resume,
        limits,
        growing,
    )
    .unwrap();
    reader.set_resting(resting);
    if !without_head {
        reader.set_head(&head);
    }
    let mut got = Got::default();
    let mut next = how.resume.record_number + 1;
    while let Some(info) = reader.read_chunk(&mut columns).unwrap() {
        assert_eq!(columns.len(), info.record_numbers.len());
        let mut numbers: Vec<u64> = info.record_numbers.clone();
        numbers.dedup();
        assert_eq!(info.records as usize, numbers.len() + info.rejects.len());
        numbers.extend(info.rejects.iter().map(|it| it.record_number));
        numbers.sort_unstable();
        let expected: Vec<u64> = (next..next + info.records).collect();
        assert_eq!(numbers, expected, "every record has one number");
        next += info.records;
        assert_eq!(info.resume.record_number, next - 1);
        got.numbers.extend(info.record_numbers);
        got.rejects
            .extend(info.rejects.into_iter().map(|it| (it.record_number, it.offset, it.reason)));
        let rows = columns.len();
        let arrays = columns.finish().arrays();
        for row in 0..rows {
            let value = |it: &arrow_array::StringViewArray| {
                it.is_valid(row).then(|| it.value(row).to_owned())
            };
            got.rows.push(arrays[..names.len()].iter().map(value).collect());
        }
        got.places.push((got.rows.len(), got.rejects.len(), info.resume));
    }
    assert!(reader.read_chunk(&mut columns).unwrap().is_none(), "the end stays the end");
    got.held_back = reader.held_back();
    got.end = reader.resume();
    got
}

/// Checks that an input gives the same whatever the size of chunks, and the same rest
/// from every place where a reading may stop.
pub(super) fn check_all_ways(source: &Arc<Source>, names: &[&str], bytes: &[u8], how: &How) -> Got {
    let whole = read(source, names, bytes, how);
    for size in (1..bytes.len().min(200) + 2).chain([bytes.len() / 2 + 1]) {
        let mut how = how.clone();
        how.limits.chunk_bytes = size;
        let cut = read(source, names, bytes, &how);
        assert_eq!(cut.content(), whole.content(), "in chunks of {size} bytes");
    }
    let mut by_one = how.clone();
    by_one.limits.chunk_records = 1;
    let stepwise = read(source, names, bytes, &by_one);
    assert_eq!(stepwise.content(), whole.content(), "record by record");
    if how.resume == Resume::default() {
        for (rows, rejects, resume) in &stepwise.places {
            let rest = read(source, names, bytes, &How { resume: *resume, ..how.clone() });
            assert_eq!(rest.rows, whole.rows[*rows..], "resumed at {resume:?}");
            assert_eq!(rest.rejects, whole.rejects[*rejects..], "resumed at {resume:?}");
        }
    }
    whole
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) const JSON: &str = "[[format]]\nkind = \"json\"\n";

#[test]
fn an_empty_input_has_no_records() {
    for bytes in [&b""[..], b" \n\r\n\t", b"\xef\xbb\xbf", b"\0\0\0"] {
        let got = check_all_ways(&source(JSON), &["a"], bytes, &How::default());
        assert_eq!((got.rows.len(), got.rejects.len(), got.held_back), (0, 0, false));
        let text = source("[[format]]\nkind = \"text\"\npattern = '(?<a>.)'\n");
        let got = check_all_ways(&text, &["a"], bytes, &How::default());
        assert_eq!((got.rows.len(), got.rejects.len(), got.held_back), (0, 0, false));
    }
}

#[test]
fn fields_of_the_file_are_the_same_in_every_record() {
    let names = ["_record_number", "_file_name", "_file_time", "_line", "a"];
    let got = read(&source(JSON), &names, b"{\"a\":1}\n {\"a\":2} \n", &How::default());
    let row = |number: &str, line: &str, a: &str| -> Row {
        [number, "dir/a file.log", "2026-03-01T00:00:00Z", line, a]
            .map(|it| Some(it.to_owned()))
            .to_vec()
    };
    assert_eq!(got.rows, [row("1", "{\"a\":1}", "1"), row("2", "{\"a\":2}", "2")]);
}

#[test]
fn compressed_records_are_as_good_as_plain_ones() {
    let bytes = b"{\"a\":1}\n{\"a\":2}\n";
    let plain = read(&source(JSON), &["a"], bytes, &How::default());
    for packed in [
        gzip(bytes),
        [gzip(&bytes[..5]), gzip(&bytes[5..])].concat(),
        zstd::encode_all(&bytes[..], 1).unwrap(),
    ] {
        assert_eq!(
            read(&source(JSON), &["a"], &packed, &How::default()).content(),
            plain.content()
        );
    }
}

#[test]
fn a_damaged_input_gives_its_good_records_and_one_reject() {
    let lines: String = (0..20_000)
        .map(|it| format!("{{\"a\":{it},\"b\":\"{}\"}}\n", it * 7919 % 10_007))
        .collect();
    let document = format!("{{\"Records\":[{}]}}", lines.trim_end().replace('\n', ","));
    let text = source("[[format]]\nkind = \"text\"\npattern = '^..a..(?<a>\\d+),'\n");
    let json = source("[[format]]\nkind = \"json\"\nrecords = [\"Records\"]\n");
    for (source, bytes, name) in
        [(&json, &lines, "a"), (&json, &document, "a"), (&text, &lines, "a")]
    {
        let mut packed = gzip(bytes.as_bytes());
        packed.truncate(packed.len() * 2 / 3);
        let got = read(source, &[name], &packed, &How::default());
        assert!(got.rows.len() > 10_000, "{}", got.rows.len());
        assert_eq!(got.reasons(), ["the gzip data ends early"]);
        let expected: Vec<String> = (0..got.rows.len()).map(|it| it.to_string()).collect();
        assert_eq!(got.first(), expected);
    }
}

#[test]
fn a_bomb_is_one_reject() {
    let mut how = How::default();
    how.limits =
        Limits { max_ratio: 20, ratio_grace_bytes: 1 << 16, chunk_bytes: 1 << 12, ..how.limits };
    let bomb = [b"{\"a\":1}\n".to_vec(), vec![b' '; 16 << 20]].concat();
    let got = read(&source(JSON), &["a"], &zstd::encode_all(&bomb[..], 1).unwrap(), &how);
    assert_eq!(got.first(), ["1"]);
    assert_eq!(got.reasons(), ["the input decodes to more than 20 times its size"]);
}

#[test]
fn a_byte_order_mark_does_not_count_in_offsets() {
    let bytes = b"\xef\xbb\xbf{\"a\":1}\nx\n{\"a\":3}\n";
    let got = read(&source(JSON), &["a"], bytes, &How::default());
    assert_eq!(got.first(), ["1", "3"]);
    assert_eq!((got.rejects[0].0, got.rejects[0].1), (2, 8));
    assert_eq!(got.end.offset, bytes.len() as u64 - 3);
}

#[test]
fn a_chunk_has_at_most_so_many_records() {
    let mut how = How::default();
    how.limits.chunk_records = 3;
    let got = read(&source(JSON), &["a"], &b"{}\n".repeat(10), &how);
    let steps: Vec<usize> = got.places.iter().map(|it| it.0).collect();
    assert_eq!(steps, [3, 6, 9, 10]);
}

#[test]
fn unknown_fields_and_formats_are_refused() {
    let text = source("[[format]]\nkind = \"text\"\npattern = '(?<a>.)'\n");
    let new = |format, names: &[&str]| {
        let decoder = continue_plain(Box::new(Cursor::new(Vec::new())), &Limits::default());
        assert_eq!(decoder.kind(), Compression::Plain);
        let (context, resume, limits) =
            (FileContext::default(), Resume::default(), Limits::default());
        RecordReader::new(
            decoder,
            Arc::clone(&text),
            format,
            &fields(names),
            context,
            resume,
            limits,
            false,
        )
    };
    assert!(matches!(new(0, &["b"]), Err(ReadError::Fields { .. })));
    assert!(matches!(new(1, &["a"]), Err(ReadError::Format { format: 1, .. })));
    let reader = new(0, &["a"]).unwrap();
    assert_eq!(format!("{reader:?}").matches("Decoder").count(), 0);
}

#[test]
fn a_list_in_a_field_gives_a_row_for_each_of_its_elements() {
    let stages = r#"[fields]
        name = ["quoted", "plain"]
        [[match]]
        field = "line"
        patterns = ['^drop (?<list>.*)$']
        [[match]]
        field = "list"
        every = '\s*(?:"(?<quoted>[^"]+)"|(?<plain>[^\s",]+))(?:@(?<host>\w+))?\s*(?:,|$)'
        "#;
    let text = source(&format!(
        "[[format]]\nkind = \"text\"\npattern = '^(?<by>\\w+): (?<line>.*)$'\n{stages}"
    ));
    let names = ["by", "name", "host", "_row_number", "_record_number"];
    let bytes = b"ann: drop a, \"b, c\"@h1,d\nbob: drop e\n?\ncy: say, x\neve: drop f, and g, h\n";
    let got = check_all_ways(&text, &names, bytes, &How::default());
    let row = |fields: [&str; 5]| -> Row {
        fields.map(|it| Some(it.to_owned()).filter(|it| !it.is_empty())).to_vec()
    };
    let rows = [
        row(["ann", "a", "", "", "1"]),
        row(["ann", "b, c", "h1", "2", "1"]),
        row(["ann", "d", "", "3", "1"]),
        row(["bob", "e", "", "", "2"]),
        row(["cy", "", "", "", "4"]),
        // What follows is no list any more.
        row(["eve", "f", "", "", "5"]),
    ];
    assert_eq!((got.rows, got.numbers), (rows.to_vec(), vec![1, 1, 1, 2, 4, 5]));
    assert_eq!(got.rejects.len(), 1);

    let json = source(&format!("{JSON}{stages}"));
    let bytes = b"{\"by\":\"ann\",\"line\":\"drop a, b\"} {\"by\":\"bob\",\"line\":\"drop c\"}";
    let got = check_all_ways(&json, &["by", "name", "_row_number"], bytes, &How::default());
    let names: Vec<_> = got.rows.iter().map(|it| it[1].as_deref().unwrap_or("")).collect();
    assert_eq!((names, got.numbers), (vec!["a", "b", "c"], vec![1, 1, 2]));
}

#[test]
fn a_list_without_end_gives_no_rows_without_end() {
    let text = source(
        "[[format]]\nkind = \"text\"\npattern = '^(?<list>.*)$'\n[[match]]\nfield = \"list\"\n\
         every = '(?<a>\\w),?'\n",
    );
    let got = read(&text, &["a"], "a,".repeat(20_000).as_bytes(), &How::default());
    assert_eq!((got.rows.len(), got.rejects.len()), (10_000, 0));
}
