//! A document that was cut off, closed so that what is there can be read.

/// The bytes up to the last complete member or element, and the brackets that close
/// what is open there.
pub(super) fn close(bytes: &[u8]) -> Vec<u8> {
    let mut open = Vec::new();
    // Up to here the bytes are kept. Brackets change only at such places, so those
    // that are open at the end are open here.
    let mut kept = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => match string_end(bytes, at) {
                Some(end) => at = end - 1,
                None => break,
            },
            b'{' => {
                open.push(b'}');
                kept = at + 1;
            }
            b'[' => {
                open.push(b']');
                kept = at + 1;
            }
            b'}' | b']' => {
                open.pop();
                kept = at + 1;
            }
            b',' => kept = at,
            _ => {}
        }
        at += 1;
    }
    let mut closed = bytes[..kept].to_vec();
    closed.extend(open.iter().rev());
    closed
}

/// Index just past the string at `at`.
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut escaped = false;
    let inside = bytes[at + 1..].iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    });
    inside.map(|it| at + it + 2)
}

#[cfg(test)]
mod tests {
    use super::close;

    #[test]
    fn a_cut_document_is_closed_after_its_last_complete_member() {
        let close = |text: &str| String::from_utf8(close(text.as_bytes())).unwrap();
        assert_eq!(
            close(r#"{"Records":[{"a":1,"b":{"c":"x","d":"y"#),
            r#"{"Records":[{"a":1,"b":{"c":"x"}}]}"#
        );
        assert_eq!(close(r#"{"Records":[{"a":1},{"#), r#"{"Records":[{"a":1},{}]}"#);
        assert_eq!(close(r#"{"a":"\"}","b":"#), r#"{"a":"\"}"}"#);
        assert_eq!(close(r#"[{"a":[1,2],"b"#), r#"[{"a":[1,2]}]"#);
    }

    #[test]
    fn every_cut_of_a_document_closes_to_json() {
        let whole = r#"{"Records":[{"a":1,"b":{"c":"x","d":["y",{}]}},{"e":null}]}"#;
        for cut in 1..whole.len() {
            let closed = close(&whole.as_bytes()[..cut]);
            assert!(serde_json::from_slice::<serde_json::Value>(&closed).is_ok(), "cut at {cut}");
        }
    }
}
