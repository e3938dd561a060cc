//! Any bytes at all: no panic, no endless loop, every record counted once.

use proptest::prelude::*;

use super::*;

const SOURCE: &str = r#"
[[format]]
kind = "json"
records = ["Records"]
each = ["each"]
unwrap = ["detail"]
[[format]]
kind = "text"
pattern = '^\{?"?(?<a>\w+)'
[[format]]
kind = "delimited"
[[format]]
kind = "delimited"
columns = ["a", "c"]
[[format]]
kind = "text"
pattern = '^[\[{]?"?(?<a>\w+)'
continuation = '^[\]}{,]'
[[match]]
field = "a"
patterns = ['^a(?<b>.*)$']
"#;

/// Pieces of which inputs are made: what a log is made of, and what breaks it.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"{\"a\":1}"[..]),
        4 => Just(&b"\n"[..]),
        2 => Just(&b"{\"a\":\"\xc3\xa9\",\"b\":[{},null]}"[..]),
        1 => Just(&b"{\"Records\":["[..]),
        1 => Just(&b"{\"detail\":{\"a\":2}}"[..]),
        1 => Just(&b"{\"detail\":\"{\\\"a\\\":3}\"}"[..]),
        1 => Just(&b"{\"each\":[{\"a\":4},{\"b\":{}} ,"[..]),
        1 => Just(&b"["[..]),
        1 => Just(&b"]"[..]),
        1 => Just(&b"{"[..]),
        1 => Just(&b"}"[..]),
        1 => Just(&b","[..]),
        1 => Just(&b"\""[..]),
        1 => Just(&b"\\"[..]),
        1 => Just(&b":"[..]),
        1 => Just(&b" "[..]),
        1 => Just(&b"\0\r"[..]),
        1 => Just(&b"\xff"[..]),
        1 => Just(&b"\xef\xbb\xbf"[..]),
        1 => Just(&b"abc 17 null"[..]),
    ];
    prop::collection::vec(piece, 0..25).prop_map(|it| it.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_record_of_any_input_is_counted_once(bytes in pieces(), format in 0usize..5, chunk in 1usize..60, growing: bool) {
        let source = source(SOURCE);
        let mut how = How { format, growing, ..How::default() };
        let whole = read(&source, &["a", "b", "_line"], &bytes, &how);
        how.limits.chunk_bytes = chunk;
        let cut = read(&source, &["a", "b", "_line"], &bytes, &how);
        prop_assert_eq!(&cut.rows, &whole.rows);
        prop_assert_eq!(cut.rejects.len(), whole.rejects.len());
        how.limits.chunk_records = 1;
        how.limits.max_record_bytes = 20;
        read(&source, &["a", "b", "_line"], &bytes, &how);
        let packed = gzip(&bytes);
        how.growing = false;
        read(&source, &["a", "b", "_line"], &packed[..packed.len() - 3], &how);
    }

    #[test]
    fn a_resumed_reading_ends_where_the_whole_one_does(bytes in pieces(), format in 0usize..5) {
        let source = source(SOURCE);
        let mut how = How { format, ..How::default() };
        how.limits.chunk_records = 1;
        let whole = read(&source, &["a"], &bytes, &how);
        for (_, _, resume) in &whole.places {
            let rest = read(&source, &["a"], &bytes, &How { resume: *resume, ..how.clone() });
            prop_assert_eq!(rest.end.offset, whole.end.offset);
        }
    }
}
