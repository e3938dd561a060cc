//! Rows as CSV (RFC 4180): commas, CRLF, quotes where needed.
//!
//! Two things are done to values on purpose. A cell that a spreadsheet would run
//! as a formula gets a leading `'`, and control characters other than tab, CR and
//! LF are written out, since this output is also printed to terminals.

use std::borrow::Cow;
use std::io::Write;

use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;

use crate::cell::{Cell, cell, json_value};
use crate::text::is_hidden;
use crate::{RenderError, json};

/// Writes a header and one record per row; lists are joined by `;`.
pub(crate) fn write(
    batches: &[RecordBatch],
    schema: &Schema,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    let header = schema.fields().iter().map(|it| Ok(harmless(it.name())));
    write_record(header, out)?;
    for batch in batches {
        for row in 0..batch.num_rows() {
            write_record(batch.columns().iter().map(|it| shown(it, row)), out)?;
        }
    }
    Ok(())
}

fn write_record<'a>(
    fields: impl Iterator<Item = Result<Cow<'a, str>, RenderError>>,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        write_field(&field?, out)?;
    }
    out.write_all(b"\r\n")?;
    Ok(())
}

/// Semicolons are quoted too: where a locale separates by them, a spreadsheet
/// would else split the cell and run what comes after.
fn write_field(field: &str, out: &mut dyn Write) -> Result<(), RenderError> {
    if field.contains(['"', ',', ';', '\t', '\r', '\n', '\'']) {
        write!(out, "\"{}\"", field.replace('"', "\"\""))?;
    } else {
        out.write_all(field.as_bytes())?;
    }
    Ok(())
}

fn shown(array: &dyn Array, row: usize) -> Result<Cow<'_, str>, RenderError> {
    Ok(match cell(array, row)? {
        Cell::Null => Cow::Borrowed(""),
        Cell::Bool(it) => Cow::Borrowed(if it { "true" } else { "false" }),
        Cell::Int(it) => Cow::Owned(it.to_string()),
        Cell::Unsigned(it) => Cow::Owned(it.to_string()),
        Cell::Float(it) => Cow::Owned(it.to_string()),
        Cell::Text(it) => harmless(it),
        Cell::Instant(it) => Cow::Owned(it.to_string()),
        Cell::Plain(it) => Cow::Owned(it),
        Cell::List(items) => {
            let parts: Result<Vec<_>, _> =
                (0..items.len()).map(|it| shown(&items, it).map(Cow::into_owned)).collect();
            Cow::Owned(parts?.join(";"))
        }
        Cell::Struct(..) => Cow::Owned(json::to_text(&json_value(array, row)?)?),
    })
}

/// The text with controls written out, and a `'` before what would be a formula.
/// The wide forms of the signs count as well; some spreadsheets fold them.
fn harmless(text: &str) -> Cow<'_, str> {
    let starts_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let is_control = |it: char| is_hidden(it) && !matches!(it, '\t' | '\r' | '\n');
    if !starts_formula && !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 1);
    if starts_formula {
        safe.push('\'');
    }
    for character in text.chars() {
        if is_control(character) {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use crate::testing::{batch, lists, numbers, rendered, text};
    use crate::{Format, Options};
    use proptest::prelude::*;

    fn csv_of(rows: arrow_array::RecordBatch) -> String {
        rendered(&[rows], Format::Csv, &Options::default())
    }

    fn parsed(text: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let records = reader.records();
        records.map(|it| it.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn quotes_commas_and_line_ends_stay_inside_their_cell() {
        let rows = batch(vec![("a,b", text(&["say \"hi\"", "x\ny"])), ("n", numbers(&[-5, 7]))]);
        let csv = csv_of(rows);
        assert_eq!(csv, "\"a,b\",n\r\n\"say \"\"hi\"\"\",-5\r\n\"x\ny\",7\r\n");
        assert_eq!(parsed(&csv)[1], ["say \"hi\"", "-5"]);
    }

    #[test]
    fn what_a_spreadsheet_would_run_gets_a_quote_mark() {
        let hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"];
        for record in parsed(&csv_of(batch(vec![("a", text(&hostile))]))).iter().skip(1) {
            assert!(record[0].starts_with('\''), "{record:?}");
        }
        let header = csv_of(batch(vec![("=cmd()", text(&[]))]));
        assert_eq!(header, "\"'=cmd()\"\r\n");
    }

    #[test]
    fn lists_are_joined_and_each_of_their_items_is_harmless() {
        let rows = batch(vec![("ips", lists(&[&["10.0.0.1", "=cmd"], &[]]))]);
        assert_eq!(csv_of(rows), "ips\r\n\"10.0.0.1;'=cmd\"\r\n\r\n");
    }

    #[test]
    fn a_semicolon_cannot_start_a_new_cell_in_any_locale() {
        let rows = batch(vec![("a", text(&["x;=cmd"]))]);
        assert_eq!(csv_of(rows), "a\r\n\"x;=cmd\"\r\n");
    }

    proptest! {
        #[test]
        fn csv_has_the_given_cells_and_none_that_runs(
            values in prop::collection::vec(("\\PC*|[=+@\t\r\n\",;'-].*", any::<i32>()), 1..5),
        ) {
            let texts: Vec<&str> = values.iter().map(|it| it.0.as_str()).collect();
            let counts: Vec<i64> = values.iter().map(|it| it.1.into()).collect();
            let csv = csv_of(batch(vec![("n", numbers(&counts)), ("t", text(&texts))]));
            let records = parsed(&csv);
            prop_assert_eq!(records.len(), values.len() + 1);
            for (record, value) in records.iter().skip(1).zip(&values) {
                prop_assert_eq!(&record[0], &value.1.to_string());
                prop_assert!(!record[1].starts_with(['=', '+', '-', '@', '\t', '\r']));
            }
            prop_assert!(csv.chars().all(|it| !it.is_control() || "\t\r\n".contains(it)));
        }
    }
}
