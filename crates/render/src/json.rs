//! Rows as JSON objects, keys in column order, one object per line.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use crate::RenderError;
use crate::cell::json_value;
use crate::text::is_hidden;

/// Writes `[`, one object per line, `]`: one document that is also easy to grep.
pub(crate) fn write_array(
    batches: &[RecordBatch],
    schema: &Schema,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    let mut separator: &[u8] = b"[\n";
    write_objects(batches, schema, out, |out| {
        out.write_all(separator)?;
        separator = b",\n";
        Ok(())
    })?;
    let empty = batches.iter().all(|it| it.num_rows() == 0);
    out.write_all(if empty { b"[]\n" } else { b"\n]\n" })?;
    Ok(())
}

/// Writes one object per line.
pub(crate) fn write_lines(
    batches: &[RecordBatch],
    schema: &Schema,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    let mut separator: &[u8] = b"";
    write_objects(batches, schema, out, |out| {
        out.write_all(separator)?;
        separator = b"\n";
        Ok(())
    })?;
    if batches.iter().any(|it| it.num_rows() > 0) {
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes one document on one line.
pub fn json_document(value: &serde_json::Value, out: &mut dyn Write) -> Result<(), RenderError> {
    write_value(value, &mut *out)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// A value as JSON text on one line, nothing hidden in it.
pub fn to_text(value: &serde_json::Value) -> Result<String, RenderError> {
    let mut bytes = Vec::new();
    write_value(value, &mut bytes)?;
    // The serializer writes UTF-8 only, so nothing is lost here.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write_objects(
    batches: &[RecordBatch],
    schema: &Schema,
    out: &mut dyn Write,
    mut before: impl FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), RenderError> {
    let names = unique_names(schema);
    for batch in batches {
        for row in 0..batch.num_rows() {
            before(out)?;
            out.write_all(b"{")?;
            for (index, (name, column)) in names.iter().zip(batch.columns()).enumerate() {
                out.write_all(if index == 0 { b"" } else { b"," })?;
                write_value(name, &mut *out)?;
                out.write_all(b":")?;
                write_value(&json_value(column, row)?, &mut *out)?;
            }
            out.write_all(b"}")?;
        }
    }
    Ok(())
}

/// Column names, a repeated one numbered: readers of JSON keep only the last of
/// two equal keys, and a join easily gives two columns one name.
fn unique_names(schema: &Schema) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{}_{number}", field.name());
            number += 1;
        }
        names.push(name);
    }
    names
}

fn write_value<T: Serialize + ?Sized>(value: &T, out: impl Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Visible(CompactFormatter));
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Compact JSON that also escapes what JSON would let through to a terminal: DEL,
/// the C1 controls, direction marks and characters without width.
struct Visible(CompactFormatter);

impl Formatter for Visible {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        if fragment.bytes().all(|it| (b' '..=b'~').contains(&it)) {
            return self.0.write_string_fragment(writer, fragment);
        }
        let mut plain_from = 0;
        for (index, character) in fragment.char_indices().filter(|it| is_hidden(it.1)) {
            writer.write_all(&fragment.as_bytes()[plain_from..index])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain_from = index + character.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain_from..])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{batch, numbers, rendered, text};
    use crate::{Format, Options};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn json_of(rows: &[arrow_array::RecordBatch]) -> String {
        rendered(rows, Format::Json, &Options::default())
    }

    #[test]
    fn an_array_has_one_object_per_line_with_keys_in_column_order() {
        let rows = batch(vec![("z", text(&["a", "b"])), ("a", numbers(&[1, 2]))]);
        assert_eq!(json_of(&[rows]), "[\n{\"z\":\"a\",\"a\":1},\n{\"z\":\"b\",\"a\":2}\n]\n");
    }

    #[test]
    fn no_rows_are_an_empty_array_and_no_lines() {
        let rows = batch(vec![("a", text(&[]))]);
        assert_eq!(json_of(std::slice::from_ref(&rows)), "[]\n");
        assert_eq!(rendered(&[rows], Format::Ndjson, &Options::default()), "");
    }

    #[test]
    fn two_columns_of_one_name_both_survive() {
        let rows = batch(vec![("n", numbers(&[1])), ("n_2", numbers(&[2])), ("n", numbers(&[3]))]);
        let parsed: Value = serde_json::from_str(&json_of(&[rows])).unwrap();
        assert_eq!(parsed, json!([{"n": 1, "n_2": 2, "n_3": 3}]));
    }

    #[test]
    fn nothing_hidden_stands_raw_in_json() {
        let rows = batch(vec![("a", text(&["\u{1b}[2J\u{9b}\u{7f}\u{202e}\u{e0041}é"]))]);
        let expected = "[\n{\"a\":\"\\u001b[2J\\u009b\\u007f\\u202e\\udb40\\udc41é\"}\n]\n";
        assert_eq!(json_of(&[rows]), expected);
    }

    proptest! {
        #[test]
        fn json_always_parses_to_the_values_given(
            names in prop::array::uniform2(any::<String>()),
            values in prop::collection::vec((any::<Option<String>>(), any::<i64>()), 0..6),
        ) {
            prop_assume!(names[0] != names[1]);
            let texts: arrow_array::StringViewArray = values.iter().map(|it| it.0.as_deref()).collect();
            let counts: Vec<i64> = values.iter().map(|it| it.1).collect();
            let rows = batch(vec![
                (names[0].as_str(), std::sync::Arc::new(texts)),
                (names[1].as_str(), numbers(&counts)),
            ]);
            let expected: Vec<Value> = values
                .iter()
                .map(|it| json!({names[0].as_str(): it.0, names[1].as_str(): it.1}))
                .collect();
            let array: Vec<Value> = serde_json::from_str(&json_of(std::slice::from_ref(&rows))).unwrap();
            prop_assert_eq!(&array, &expected);
            let lines = rendered(&[rows], Format::Ndjson, &Options::default());
            let lines: Vec<Value> = lines.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
            prop_assert_eq!(lines, expected);
        }
    }
}
