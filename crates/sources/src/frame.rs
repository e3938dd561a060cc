//! Finding where values of JSON begin and end without reading what they say.

/// Index of the first byte from `at` on that is not white space. NUL counts as white
/// space (a file cut by copy-and-truncate may begin with any number of them), and so
/// does a byte order mark in the middle (files put one after another).
pub(crate) fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\n' | b'\r' | 0) => at += 1,
            Some(0xef) if bytes[at..].starts_with(b"\xef\xbb\xbf") => at += 3,
            _ => return at,
        }
    }
}

/// As `skip_blank`, but stays in the line.
pub(crate) fn skip_blank_in_line(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | 0) = bytes.get(at) {
        at += 1;
    }
    at
}

/// Index just past the next line feed at or after `at`.
pub(crate) fn next_line(bytes: &[u8], at: usize) -> Option<usize> {
    memchr::memchr(b'\n', &bytes[at..]).map(|it| at + it + 1)
}

/// Start of the next line after `at` that begins with a bracket, which is where a new
/// value stands when nothing better is known.
pub(crate) fn next_value_line(bytes: &[u8], at: usize) -> Option<usize> {
    let mut line = at;
    loop {
        line = next_line(bytes, line)?;
        if let Some(b'{' | b'[') = bytes.get(line) {
            return Some(line);
        }
    }
}

/// Finds the end of an object, array or string by counting brackets outside of
/// strings; may be given the bytes in pieces, and keeps a few bytes only.
#[derive(Debug, Clone, Default)]
pub(crate) struct Skipper {
    depth: u64,
    in_string: bool,
    escaped: bool,
}

impl Skipper {
    /// Stands before a value.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Stands within an object or array whose bracket has been read.
    pub(crate) fn inside() -> Self {
        Self { depth: 1, ..Self::default() }
    }

    /// Index just past the end of the value, if it is in these bytes.
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.in_string {
                at += self.skip_text(&bytes[at..])?;
                if self.depth == 0 {
                    return Some(at);
                }
                continue;
            }
            match bytes[at] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// Index just past the quote that ends the string it is in.
    fn skip_text(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = usize::from(std::mem::take(&mut self.escaped));
        loop {
            at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                self.in_string = false;
                return Some(at + 1);
            }
            self.escaped = at + 1 == bytes.len();
            at += 2;
        }
    }
}

/// Index just past the value at `at`, as far as brackets and quotes tell; a bare word
/// or number goes up to what may follow it. None if the bytes end first.
pub(crate) fn skip_any(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'{' | b'[' | b'"' => Skipper::new().skip(&bytes[at..]).map(|it| at + it),
        _ => {
            let ends = |it: &u8| matches!(it, b',' | b']' | b'}' | b'\n' | b'{' | b'[' | b'"');
            // The first byte belongs to it, whatever it is.
            bytes[at + 1..].iter().position(ends).map(|it| at + 1 + it)
        }
    }
}

/// What an object at the top is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    /// It has an array of records, whose bracket stands before this index.
    Array(usize),
    /// It has none, and ends before this index.
    Record(usize),
    /// The bytes end before that is known.
    Incomplete,
    /// Not an object of JSON.
    Invalid,
}

/// Looks for an array of records among the members of the object at `start`.
pub(crate) fn find_records(
    bytes: &[u8],
    start: usize,
    names: &[String],
    fold_case: bool,
) -> Document {
    let mut at = skip_blank(bytes, start + 1);
    loop {
        let key = match bytes.get(at) {
            None => return Document::Incomplete,
            Some(b'}') => return Document::Record(at + 1),
            Some(b'"') => at + 1,
            Some(_) => return Document::Invalid,
        };
        let Some(past_key) = skip_any(bytes, at) else { return Document::Incomplete };
        let key = &bytes[key..past_key - 1];
        at = skip_blank(bytes, past_key);
        match bytes.get(at) {
            None => return Document::Incomplete,
            Some(b':') => at = skip_blank(bytes, at + 1),
            Some(_) => return Document::Invalid,
        }
        if bytes.get(at) == Some(&b'[') && is_one_of(key, names, fold_case) {
            return Document::Array(at + 1);
        }
        let Some(end) = skip_any(bytes, at) else { return Document::Incomplete };
        at = skip_blank(bytes, end);
        match bytes.get(at) {
            None => return Document::Incomplete,
            Some(b',') => at = skip_blank(bytes, at + 1),
            Some(b'}') => return Document::Record(at + 1),
            Some(_) => return Document::Invalid,
        }
    }
}

/// Whether the object at `start` begins with a member that may hold an array of
/// records: a glance, for the records that follow one which was looked at in full.
pub(crate) fn begins_like_document(
    bytes: &[u8],
    start: usize,
    names: &[String],
    fold_case: bool,
) -> bool {
    if names.is_empty() {
        return false;
    }
    let at = skip_blank(bytes, start + 1);
    if bytes.get(at) != Some(&b'"') {
        return false;
    }
    names.iter().any(|name| {
        let end = at + 1 + name.len();
        bytes.get(end) == Some(&b'"')
            && is_one_of(&bytes[at + 1..end], std::slice::from_ref(name), fold_case)
    })
}

fn is_one_of(key: &[u8], names: &[String], fold_case: bool) -> bool {
    names.iter().any(|name| match fold_case {
        true => key.eq_ignore_ascii_case(name.as_bytes()),
        false => key == name.as_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_quotes_inside_strings_do_not_count() {
        let text = br#"{"a":"}\"]","b":[1,{"c":"\\"}]} rest"#;
        assert_eq!(skip_any(text, 0), Some(text.len() - 5));
        assert_eq!(skip_any(&text[..20], 0), None);
    }

    #[test]
    fn a_value_in_pieces_ends_where_it_ends_as_a_whole() {
        let text = br#"{"a":"}\"]","b":[1,{"c":"\\"}]}x"#;
        for cut in 1..text.len() - 1 {
            let mut skipper = Skipper::new();
            let end = match skipper.skip(&text[..cut]) {
                Some(end) => end,
                None => cut + skipper.skip(&text[cut..]).unwrap(),
            };
            assert_eq!(end, text.len() - 1, "cut at {cut}");
        }
    }

    #[test]
    fn an_array_of_records_is_found_behind_other_members() {
        let names = ["Records".to_owned()];
        let text = br#"{"kind":"[","x":{"Records":[]},"n":1,"Records" : [{}]}"#;
        let Document::Array(at) = find_records(text, 0, &names, false) else { panic!() };
        assert_eq!(&text[at..], b"{}]}");
        assert_eq!(find_records(br#"{"Records":null}"#, 0, &names, false), Document::Record(16));
        assert_eq!(find_records(br#"{"records":[]}"#, 0, &names, false), Document::Record(14));
        assert_eq!(find_records(br#"{"records":[]}"#, 0, &names, true), Document::Array(12));
        assert_eq!(find_records(br#"{"a":1,"b""#, 0, &names, false), Document::Incomplete);
        assert_eq!(find_records(br#"{a:1}"#, 0, &names, false), Document::Invalid);
    }

    #[test]
    fn a_document_is_told_from_a_record_by_its_first_member() {
        let names = ["Records".to_owned(), "value".to_owned()];
        assert!(begins_like_document(br#"{ "value":[]}"#, 0, &names, false));
        assert!(!begins_like_document(br#"{"values":[]}"#, 0, &names, false));
        assert!(!begins_like_document(br#"{"val"#, 0, &names, false));
    }
}
