//! Rows to text, JSON, CSV and HTML: the same input gives the same bytes.
//!
//! [`render`] writes any rows in a [`Format`]; [`inventory`] writes the rows of
//! the inventory report for people; [`page`] writes the report that a change ticket
//! carries. JSON and NDJSON carry every value exactly. CSV is made safe for
//! spreadsheets. Tables are for eyes only: times are to the second, long cells are
//! cut, and nothing that steers a terminal gets through.

mod cell;
mod csv;
mod html;
mod inventory;
mod json;
mod layout;
mod ocsf;
pub mod page;
mod readiness;
mod table;
#[cfg(test)]
mod testing;
mod text;

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::str::FromStr;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};

pub use cell::json_value;
pub use inventory::inventory;
pub use json::{json_document, to_text as json_text};
pub use ocsf::ocsf;
pub use readiness::readiness;
pub use text::escape;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// Aligned columns for people.
    #[default]
    Table,
    /// An array of objects, one per line.
    Json,
    /// One object per line.
    Ndjson,
    /// RFC 4180, with cells that a spreadsheet would run made harmless.
    Csv,
    /// A page with one table, for a browser or a ticket.
    Html,
}

impl Format {
    /// Every format, in the order in which help texts list them.
    pub const ALL: [Format; 5] =
        [Format::Table, Format::Json, Format::Ndjson, Format::Csv, Format::Html];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Csv => "csv",
            Format::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(given));
        known.ok_or_else(|| UnknownFormat { given: text::escape(given).into_owned() })
    }
}

/// A name that is no [`Format`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format `{given}`: use table, json, ndjson, csv or html")]
pub struct UnknownFormat {
    /// The name as it was given, control characters made visible.
    pub given: String,
}

/// What a reader's screen can show. It changes tables only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Columns of the terminal; `None` is no limit.
    pub width: Option<usize>,
    /// Whether states, outcomes and severities are coloured (ANSI).
    pub colour: bool,
    /// This many leading columns are left blank where they equal the row above.
    pub grouped_columns: usize,
}

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The output refused the bytes; a closed pipe arrives here too.
    #[error("cannot write the rows")]
    Write {
        /// What the output said.
        #[from]
        source: io::Error,
    },
    /// A column holds values for which there is no text form.
    #[error("cannot show column `{column}` of type {data_type}: cast it to text")]
    UnsupportedType {
        /// The column's name; empty where only its values are known.
        column: String,
        /// The type of its values.
        data_type: DataType,
    },
    /// A batch does not have the columns that the schema announced.
    #[error("rows of {found} columns came where {expected} were announced")]
    ColumnCount {
        /// Columns of the schema.
        expected: usize,
        /// Columns of the batch.
        found: usize,
    },
}

/// Writes the rows of `batches` to `out`.
///
/// `schema` names the columns even if there is no batch, so that an empty answer
/// still has its header. Columns are checked before the first byte is written.
pub fn render(
    batches: &[RecordBatch],
    schema: &Schema,
    format: Format,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    check(batches, schema)?;
    let mut out = BufWriter::new(out);
    match format {
        Format::Table => table::write(batches, schema, options, &mut out)?,
        Format::Json => json::write_array(batches, schema, &mut out)?,
        Format::Ndjson => json::write_lines(batches, schema, &mut out)?,
        Format::Csv => csv::write(batches, schema, &mut out)?,
        Format::Html => html::write(batches, schema, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// Refuses rows that could only be written in part.
fn check(batches: &[RecordBatch], schema: &Schema) -> Result<(), RenderError> {
    let expected = schema.fields().len();
    for batch in batches {
        let found = batch.num_columns();
        if found != expected {
            return Err(RenderError::ColumnCount { expected, found });
        }
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            cell::check(field.name(), column.data_type())?;
        }
    }
    let mut fields = schema.fields().iter();
    fields.try_for_each(|it| cell::check(it.name(), it.data_type()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{batch, rendered, text};
    use arrow_array::{ArrayRef, BinaryViewArray, RecordBatch};
    use std::sync::Arc;

    #[test]
    fn a_format_is_found_by_its_name_in_any_case() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
            assert_eq!(format.name().to_uppercase().parse(), Ok(format));
        }
    }

    #[test]
    fn an_unknown_format_is_answered_with_the_known_ones() {
        let error = "xml\u{1b}[2J".parse::<Format>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r"there is no format `xml\u{1b}[2J`: use table, json, ndjson, csv or html"
        );
    }

    #[test]
    fn rows_with_other_columns_than_announced_are_refused_before_any_byte() {
        let rows = batch(vec![("a", text(&["x"])), ("b", text(&["y"]))]);
        let mut out = Vec::new();
        let schema = batch(vec![("a", text(&["x"]))]).schema();
        let error = render(&[rows], &schema, Format::Json, &Options::default(), &mut out);
        assert!(matches!(error, Err(RenderError::ColumnCount { expected: 1, found: 2 })));
        assert!(out.is_empty());
    }

    #[test]
    fn a_type_without_text_form_is_refused_by_the_name_of_its_column() {
        let union =
            DataType::Union(arrow_schema::UnionFields::empty(), arrow_schema::UnionMode::Dense);
        let schema = Schema::new(vec![arrow_schema::Field::new("odd", union, true)]);
        let mut out = Vec::new();
        let error = render(&[], &schema, Format::Csv, &Options::default(), &mut out).unwrap_err();
        assert!(error.to_string().starts_with("cannot show column `odd` of type Union"));
    }

    #[test]
    fn the_same_rows_in_other_batches_give_the_same_bytes() {
        let column: ArrayRef =
            Arc::new(BinaryViewArray::from_iter_values([&b"\x00\xff"[..], b"a", b""]));
        let whole = batch(vec![("name", text(&["x", "y", "z"])), ("bytes", column)]);
        let parts = [whole.slice(0, 1), whole.slice(1, 0), whole.slice(1, 2)];
        for format in Format::ALL {
            let split = rendered(&parts, format, &Options::default());
            assert_eq!(rendered(std::slice::from_ref(&whole), format, &Options::default()), split);
        }
    }

    #[test]
    fn no_columns_and_no_rows_are_no_panic() {
        let none = RecordBatch::new_empty(Arc::new(Schema::empty()));
        for format in Format::ALL {
            rendered(std::slice::from_ref(&none), format, &Options::default());
        }
    }
}
