//! What `parquet` promises, on files that are put together byte by byte. That it reads what
//! others write is shown where their writer is at hand, in the tests of `lastuse`.

use std::io::{Cursor as Bytes, Read};

use super::*;

/// A value in Thrift's compact protocol.
#[derive(Clone)]
enum T {
    I(i64),
    Text(&'static str),
    Struct(Vec<(u8, T)>),
    List(Vec<T>),
    /// A list that claims to have more elements than it has.
    Claim(u64, Vec<T>),
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

impl T {
    fn kind(&self) -> u8 {
        match self {
            T::I(_) => 6,
            T::Text(_) => 8,
            T::Struct(_) => 12,
            T::List(_) | T::Claim(..) => 9,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            T::I(number) => put_varint(out, (*number << 1 ^ *number >> 63) as u64),
            T::Text(text) => {
                put_varint(out, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
            T::Struct(fields) => {
                let mut last = 0;
                for (id, field) in fields {
                    out.push((id - last) << 4 | field.kind());
                    field.put(out);
                    last = *id;
                }
                out.push(0);
            }
            T::List(list) => T::Claim(list.len() as u64, list.clone()).put(out),
            T::Claim(length, list) => {
                out.push(0xf0 | list.first().map_or(12, T::kind));
                put_varint(out, *length);
                list.iter().for_each(|it| it.put(out));
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }
}

const REQUIRED: i64 = 0;
const OPTIONAL: i64 = 1;
const REPEATED: i64 = 2;
const INT64: i64 = 2;
const TEXT: i64 = 6;

fn group_of(name: &'static str, repetition: i64, children: i64, grouping: Option<i64>) -> T {
    let mut fields = vec![(3, T::I(repetition)), (4, T::Text(name)), (5, T::I(children))];
    fields.extend(grouping.map(|it| (6, T::I(it))));
    T::Struct(fields)
}

fn leaf(name: &'static str, repetition: i64, physical: i64) -> T {
    let mut fields = vec![(1, T::I(physical)), (3, T::I(repetition)), (4, T::Text(name))];
    fields.extend((physical == TEXT).then_some((6, T::I(0))));
    T::Struct(fields)
}

/// A page of plain values without compression; `levels` stand before them, each with its length.
fn page(levels: &[&[u8]], values: &[u8], count: i64) -> Vec<u8> {
    encoded_page(levels, values, count, 0)
}

fn encoded_page(levels: &[&[u8]], values: &[u8], count: i64, encoding: i64) -> Vec<u8> {
    let mut data = Vec::new();
    for it in levels {
        data.extend((it.len() as u32).to_le_bytes());
        data.extend_from_slice(it);
    }
    data.extend_from_slice(values);
    let size = data.len() as i64;
    let levels = [!levels.is_empty(), levels.len() > 1];
    [header(size, size, count, encoding, levels), data].concat()
}

/// The header of a page with levels of definition and repetition or without. Where there are
/// none, the encoding of levels is the oldest one, as parquet-mr has it.
fn header(length: i64, stored: i64, count: i64, encoding: i64, levels: [bool; 2]) -> Vec<u8> {
    let [definition, repetition] = levels.map(|it| T::I(if it { 3 } else { 4 }));
    let inner = vec![(1, T::I(count)), (2, T::I(encoding)), (3, definition), (4, repetition)];
    T::Struct(vec![(1, T::I(0)), (2, T::I(length)), (3, T::I(stored)), (5, T::Struct(inner))])
        .bytes()
}

/// A file of one row group: a schema, below its root, and the pages of each column.
fn file(fields: i64, schema: Vec<T>, rows: i64, columns: &[Vec<u8>]) -> Vec<u8> {
    coded_file(fields, schema, rows, columns, 0)
}

fn coded_file(fields: i64, schema: Vec<T>, rows: i64, columns: &[Vec<u8>], codec: i64) -> Vec<u8> {
    let mut out = b"PAR1".to_vec();
    let mut chunks = Vec::new();
    for column in columns {
        let place = T::Struct(vec![
            (4, T::I(codec)),
            (7, T::I(column.len() as i64)),
            (9, T::I(out.len() as i64)),
        ]);
        chunks.push(T::Struct(vec![(3, place)]));
        out.extend_from_slice(column);
    }
    let group = T::Struct(vec![(1, T::List(chunks)), (3, T::I(rows))]);
    let root = T::Struct(vec![(4, T::Text("root")), (5, T::I(fields))]);
    let schema = [vec![root], schema].concat();
    finish(out, T::Struct(vec![(2, T::List(schema)), (4, T::List(vec![group]))]))
}

fn finish(mut out: Vec<u8>, footer: T) -> Vec<u8> {
    let footer = footer.bytes();
    out.extend_from_slice(&footer);
    out.extend((footer.len() as u32).to_le_bytes());
    out.extend_from_slice(b"PAR1");
    out
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn small() -> Limits {
    Limits { ratio_grace_bytes: 1 << 20, max_record_bytes: 1 << 16, ..Limits::default() }
}

/// The lines, and the fault after them.
fn read(bytes: &[u8]) -> (String, Option<String>) {
    let mut decoder = match parquet(Bytes::new(bytes.to_vec()), &small()) {
        Ok(decoder) => decoder,
        Err(fault) => return (String::new(), Some(fault.to_string())),
    };
    let mut out = Vec::new();
    let fault = decoder.read_to_end(&mut out).err().map(|it| it.to_string());
    (String::from_utf8_lossy(&out).into_owned(), fault)
}

#[track_caller]
fn assert_lines(bytes: &[u8], lines: &[&str]) {
    let (text, fault) = read(bytes);
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    assert_eq!(fault, None);
}

#[track_caller]
fn assert_fault(bytes: &[u8], wanted: &str) {
    let (text, fault) = read(bytes);
    assert_eq!((text.as_str(), fault.as_deref()), ("", Some(wanted)));
}

/// Two columns: `id`, always there, and `name`, absent in the second of three rows.
fn flat() -> Vec<u8> {
    let ids: Vec<u8> = [1i64, -2, i64::MAX].iter().flat_map(|it| it.to_le_bytes()).collect();
    let names = [text("a\"\n\u{1}é"), text("")].concat();
    file(
        2,
        vec![leaf("id", REQUIRED, INT64), leaf("name", OPTIONAL, TEXT)],
        3,
        // One packed group of levels of one bit: 1, 0, 1.
        &[page(&[], &ids, 3), page(&[&[3, 0b101]], &names, 3)],
    )
}

#[test]
fn rows_are_objects_without_what_is_absent() {
    assert_lines(
        &flat(),
        &[
            "{\"id\":1,\"name\":\"a\\\"\\n\\u0001é\"}",
            "{\"id\":-2}",
            "{\"id\":9223372036854775807,\"name\":\"\"}",
        ],
    );
}

/// A list of maps: `tags: list<map<text, int64>>`, over four rows.
fn nested() -> Vec<u8> {
    let schema = vec![
        group_of("tags", OPTIONAL, 1, Some(3)),
        group_of("list", REPEATED, 1, None),
        group_of("element", OPTIONAL, 1, Some(1)),
        group_of("key_value", REPEATED, 2, None),
        leaf("key", REQUIRED, TEXT),
        leaf("value", OPTIONAL, INT64),
    ];
    // [{a: 1, b: null}, {}] | null | [] | [null, {c: 3}]
    let levels = |numbers: &[u8]| -> Vec<u8> {
        // Each number as a run of its own.
        numbers.iter().flat_map(|it| [2, *it]).collect()
    };
    let repetition = levels(&[0, 2, 1, 0, 0, 0, 1]);
    let key = levels(&[4, 4, 3, 0, 1, 2, 4]);
    let value = levels(&[5, 4, 3, 0, 1, 2, 5]);
    let keys = [text("a"), text("b"), text("c")].concat();
    let values = [1i64.to_le_bytes(), 3i64.to_le_bytes()].concat();
    let pages = [page(&[&repetition, &key], &keys, 7), page(&[&repetition, &value], &values, 7)];
    file(1, schema, 4, &pages)
}

#[test]
fn lists_and_maps_come_back_from_their_levels() {
    let lines = ["{\"tags\":[{\"a\":1},{}]}", "{}", "{\"tags\":[]}", "{\"tags\":[null,{\"c\":3}]}"];
    assert_lines(&nested(), &lines);
}

#[test]
fn lists_of_older_writers_hold_what_is_repeated() {
    let schema = vec![
        group_of("old", OPTIONAL, 1, Some(3)),
        leaf("array", REPEATED, INT64),
        leaf("bare", REPEATED, INT64),
    ];
    let numbers: Vec<u8> = [7i64, 8].iter().flat_map(|it| it.to_le_bytes()).collect();
    let old = page(&[&[2, 0, 2, 1], &[4, 2]], &numbers, 2);
    let bare = page(&[&[2, 0, 2, 1], &[4, 1]], &numbers, 2);
    assert_lines(&file(2, schema, 1, &[old, bare]), &["{\"old\":[7,8],\"bare\":[7,8]}"]);
}

#[test]
fn a_file_that_is_cut_anywhere_is_a_fault() {
    for whole in [flat(), nested()] {
        for end in 0..whole.len() {
            let (text, fault) = read(&whole[..end]);
            assert!(text.is_empty() && fault.is_some(), "{end}");
        }
    }
    assert_fault(&flat()[..40], "the Parquet data ends early");
}

#[test]
fn no_change_of_any_byte_makes_it_panic() {
    let mut faults = 0;
    for whole in [flat(), nested()] {
        for at in 4..whole.len() - 4 {
            for byte in [0, 1, 0x0f, 0x19, 0x7f, 0x80, 0xf9, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                faults += usize::from(read(&damaged).1.is_some());
            }
        }
    }
    assert!(faults > 500, "{faults}");
}

#[test]
fn noise_is_a_fault() {
    let mut state = 1u64;
    for round in 0..2_000 {
        let mut noise: Vec<u8> = (0..200)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        noise[..4].copy_from_slice(MAGIC);
        // Some of it as a footer, some as pages of a good footer.
        let damaged = if round % 2 == 0 {
            let length = noise.len() as u32 - 4;
            noise.extend(length.to_le_bytes());
            noise.extend(MAGIC);
            noise
        } else {
            let mut good = nested();
            let pages = 90.min(good.len());
            good[4..pages].copy_from_slice(&noise[4..pages]);
            good
        };
        assert!(read(&damaged).1.is_some(), "{round}");
    }
}

#[test]
fn nothing_is_reserved_for_what_a_page_claims() {
    let claims = |length: i64, stored: i64| {
        let column = [header(length, stored, 1, 0, [false; 2]), vec![0; 8]].concat();
        coded_file(1, vec![leaf("id", REQUIRED, INT64)], 1, &[column], 1)
    };
    assert_fault(&claims(1 << 40, 8), "a page of the Parquet file takes more than 134217728 bytes");
    for (length, stored) in [(1 << 19, 8), (-1, 8), (8, -1), (8, 1 << 40), (0, 0)] {
        assert_fault(&claims(length, stored), "the Parquet data is corrupt");
    }
}

#[test]
fn nothing_is_reserved_for_what_a_footer_claims() {
    let root = T::Struct(vec![(4, T::Text("root")), (5, T::I(1))]);
    let many = T::Claim(u64::from(u32::MAX), vec![root.clone()]);
    let wide = T::Struct(vec![(4, T::Text("root")), (5, T::I(i64::from(i32::MAX)))]);
    for schema in [many.clone(), T::List(vec![wide])] {
        let footer = T::Struct(vec![(2, schema), (4, T::Claim(1 << 40, Vec::new()))]);
        assert_fault(&finish(b"PAR1".to_vec(), footer), "the Parquet data is corrupt");
    }
    let mut long = flat();
    let at = long.len() - 8;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_fault(&long, "the Parquet data is corrupt");
    let padded =
        [b"PAR1".to_vec(), vec![0; FOOTER_MAX + 1], finish(Vec::new(), T::Struct(Vec::new()))];
    let mut padded = padded.concat();
    let at = padded.len() - 8;
    padded[at..at + 4].copy_from_slice(&(FOOTER_MAX as u32 + 1).to_le_bytes());
    assert_fault(&padded, "the footer of the Parquet file takes more than 16777216 bytes");
}

#[test]
fn a_schema_a_hundred_thousand_deep_is_a_fault() {
    for depth in [70usize, 100_000] {
        let mut schema = vec![group_of("a", OPTIONAL, 1, None); depth];
        schema.push(leaf("a", OPTIONAL, INT64));
        assert_fault(&file(1, schema, 1, &[Vec::new()]), "the Parquet data is corrupt");
    }
    let deep = std::iter::repeat_n(0x1c, 100_000).collect();
    let footer = [deep, 100_000u32.to_le_bytes().to_vec(), b"PAR1".to_vec()].concat();
    assert_fault(&[b"PAR1".to_vec(), footer].concat(), "the Parquet data is corrupt");
}

#[test]
fn a_billion_absent_values_in_a_run_end_at_a_limit() {
    let mut run = Vec::new();
    put_varint(&mut run, 1 << 31);
    run.push(0);
    let count = 1 << 30;
    let flat = file(1, vec![leaf("id", OPTIONAL, INT64)], count, &[page(&[&run], &[], count)]);
    let (text, fault) = read(&flat);
    assert_eq!(fault.as_deref(), Some("the input decodes to more than 2000 times its size"));
    assert!(text.len() < 2 << 20 && text.starts_with("{}\n{}\n"));
    // The same as one row.
    let mut rest = vec![2, 0];
    put_varint(&mut rest, 1 << 31);
    rest.push(1);
    let mut there = Vec::new();
    put_varint(&mut there, 1 << 31);
    there.push(1);
    let schema = vec![group_of("a", REPEATED, 1, None), leaf("id", OPTIONAL, INT64)];
    let one = file(1, schema, 1, &[page(&[&rest, &there], &[], count)]);
    assert_fault(&one, "the input decodes to more than 2000 times its size");
}

#[test]
fn a_text_that_a_dictionary_repeats_is_held_once_and_is_too_long_a_row_at_most() {
    let long = text(&"x".repeat(20_000));
    let inner = T::Struct(vec![(1, T::I(1)), (2, T::I(0))]);
    let size = T::I(long.len() as i64);
    let dictionary =
        T::Struct(vec![(1, T::I(2)), (2, size.clone()), (3, size), (7, inner)]).bytes();
    let start = dictionary.len() + long.len();
    // Indices of no bits: all are 0.
    let values = encoded_page(&[&[2, 0, 200, 1, 1], &[202, 1, 1]], &[0, 202, 1], 101, 8);
    let column = [dictionary, long, values].concat();
    let mut whole = file(1, vec![leaf("id", REPEATED, TEXT)], 1, std::slice::from_ref(&column));
    // Say that data begins behind the dictionary, and where that is.
    let place = |more: Vec<(u8, T)>| T::Struct(vec![(3, T::Struct(more))]);
    let chunk = place(vec![
        (4, T::I(0)),
        (7, T::I(column.len() as i64)),
        (9, T::I(4 + start as i64)),
        (11, T::I(4)),
    ]);
    let group = T::Struct(vec![(1, T::List(vec![chunk])), (3, T::I(1))]);
    let root = T::Struct(vec![(4, T::Text("root")), (5, T::I(1))]);
    let schema = T::List(vec![root, leaf("id", REPEATED, TEXT)]);
    whole.truncate(4 + column.len());
    let whole = finish(whole, T::Struct(vec![(2, schema), (4, T::List(vec![group]))]));
    let (text, fault) = read(&whole);
    assert_eq!((fault, text.lines().count()), (None, 1));
    // A row of two million bytes is a line that is just too long.
    assert!(text.len() > small().max_record_bytes && text.len() < small().max_record_bytes + 100);
}

#[test]
fn differences_that_claim_a_billion_values_reserve_nothing() {
    let mut values = Vec::new();
    for number in [1 << 30, 4, 1 << 40, 0, 0] {
        put_varint(&mut values, number);
    }
    values.extend([0; 8]);
    for (physical, encoding) in [(INT64, 5), (TEXT, 6), (TEXT, 7)] {
        let column = encoded_page(&[], &values, 1 << 30, encoding);
        let whole = file(1, vec![leaf("id", REQUIRED, physical)], 1 << 30, &[column]);
        assert_fault(&whole, "the Parquet data is corrupt");
    }
}

#[test]
fn streams_that_are_too_short_for_a_value_are_a_fault() {
    for length in 0..8 {
        let column = encoded_page(&[], &[1; 8][..length], 1, 9);
        let whole = file(1, vec![leaf("id", REQUIRED, INT64)], 1, &[column]);
        assert_fault(&whole, "the Parquet data is corrupt");
    }
}

#[test]
fn rows_that_are_missing_or_too_many_are_a_fault_after_the_others() {
    let schema = || vec![leaf("id", REQUIRED, INT64)];
    let ids: Vec<u8> = [1i64, 2].iter().flat_map(|it| it.to_le_bytes()).collect();
    for rows in [1, 3] {
        let (text, fault) = read(&file(1, schema(), rows, &[page(&[], &ids, 2)]));
        assert!(text.starts_with("{\"id\":1}\n"));
        assert_eq!(fault.as_deref(), Some("the Parquet data is corrupt"));
    }
}

#[test]
fn text_that_is_not_utf8_costs_its_bad_bytes_as_in_a_log_of_lines() {
    let names = [text("a"), vec![2, 0, 0, 0, 0xff, b'"']].concat();
    let whole = file(1, vec![leaf("name", REQUIRED, TEXT)], 2, &[page(&[], &names, 2)]);
    assert_lines(&whole, &["{\"name\":\"a\"}", "{\"name\":\"\u{fffd}\\\"\"}"]);
}

#[test]
fn levels_of_the_oldest_encoding_are_refused() {
    let column = [header(12, 12, 1, 0, [false; 2]), vec![0; 12]].concat();
    let whole = file(1, vec![leaf("id", OPTIONAL, INT64)], 1, &[column]);
    let reason =
        "the Parquet data has levels in the encoding BIT_PACKED, which cannot be read here";
    assert_fault(&whole, reason);
}

#[test]
fn parquet_in_a_pipe_or_inside_of_gzip_is_refused_with_what_to_do() {
    let limits = Limits::default();
    let refused = |bytes: Vec<u8>| {
        let opened = crate::decode(Box::new(Bytes::new(bytes)), None, &limits);
        opened.and_then(|mut it| it.head(64).map(|_| ())).unwrap_err().to_string()
    };
    assert!(refused(flat()).contains("name the file itself"));
    let mut gzip = flate2::bufread::GzEncoder::new(Bytes::new(flat()), flate2::Compression::fast());
    let mut packed = Vec::new();
    gzip.read_to_end(&mut packed).unwrap();
    assert_eq!(refused(packed), "it is Parquet inside of gzip: decompress it, and name that file");
    let packed = zstd::encode_all(&flat()[..], 1).unwrap();
    assert!(refused(packed).contains("inside of zstd"));
}
