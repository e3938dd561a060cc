//! Rows as aligned columns for people.

use std::borrow::Cow;
use std::io::Write;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};

use crate::cell::{Cell, cell, is_number, json_value};
use crate::layout::{self, Column, Style};
use crate::{Options, RenderError, json, text};

/// Writes a header, a rule and one line per row. Cells are formed twice, for their
/// widths and for their text, so that memory does not grow with the answer.
pub(crate) fn write(
    batches: &[RecordBatch],
    schema: &Schema,
    options: &Options,
    out: &mut dyn Write,
) -> Result<(), RenderError> {
    if schema.fields().is_empty() {
        return Ok(());
    }
    let columns = measured(batches, schema)?;
    let layout = layout::fit(&columns, options.width);
    layout::write_header(&columns, &layout, options.colour, out)?;
    let mut above: Vec<String> = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|it| shown(it, row));
            let cells: Vec<Cow<'_, str>> = cells.collect::<Result<_, _>>()?;
            let repeated = repeated_cells(&cells, &above, options.grouped_columns);
            let cell_of = |index: usize| {
                let text = if index < repeated { "" } else { cells[index].as_ref() };
                let style = Style::of(schema.field(index).name(), text);
                (Cow::Borrowed(text), style.filter(|_| options.colour))
            };
            layout::write_line(&columns, &layout, cell_of, out)?;
            let leading = cells.iter().take(options.grouped_columns);
            above = leading.map(|it| it.to_string()).collect();
        }
    }
    if batches.iter().all(|it| it.num_rows() == 0) {
        writeln!(out, "(no rows)")?;
    }
    layout::write_hidden(&columns, &layout, options.width, out)?;
    Ok(())
}

/// One value as escaped text on one line.
pub(crate) fn shown(array: &dyn Array, row: usize) -> Result<Cow<'_, str>, RenderError> {
    Ok(match cell(array, row)? {
        Cell::Null => Cow::Borrowed("-"),
        Cell::Bool(it) => Cow::Borrowed(if it { "yes" } else { "no" }),
        Cell::Int(it) => Cow::Owned(it.to_string()),
        Cell::Unsigned(it) => Cow::Owned(it.to_string()),
        Cell::Float(it) => Cow::Owned(it.to_string()),
        Cell::Text(it) => text::escape(it),
        Cell::Instant(it) => Cow::Owned(text::second(it)),
        Cell::Plain(it) => Cow::Owned(it),
        Cell::List(items) if items.is_empty() => Cow::Borrowed("-"),
        Cell::List(items) => {
            let parts: Result<Vec<_>, _> =
                (0..items.len()).map(|it| shown(&items, it).map(Cow::into_owned)).collect();
            Cow::Owned(parts?.join(", "))
        }
        Cell::Struct(..) => {
            let object = json::to_text(&json_value(array, row)?)?;
            Cow::Owned(text::escape(&object).into_owned())
        }
    })
}

/// The columns with the widths that their values need; the rightmost is the first
/// to be hidden.
fn measured(batches: &[RecordBatch], schema: &Schema) -> Result<Vec<Column>, RenderError> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (index, field) in schema.fields().iter().enumerate() {
        let mut column = Column::new(field.name(), index);
        column.right = is_number(field.data_type());
        let fixed = matches!(field.data_type(), DataType::Boolean | DataType::Timestamp(..));
        column.shrinks = !column.right && !fixed;
        for batch in batches {
            let values = batch.column(index);
            for row in 0..values.len() {
                column.widen(&shown(values, row)?);
            }
        }
        columns.push(column);
    }
    Ok(columns)
}

/// How many of the leading cells say the same as the row above. The first that
/// differs ends the group, since what follows belongs to it.
fn repeated_cells(cells: &[Cow<'_, str>], above: &[String], grouped: usize) -> usize {
    let pairs = cells.iter().zip(above).take(grouped);
    pairs.take_while(|(cell, above)| cell.as_ref() == above.as_str()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;
    use crate::testing::{batch, instants, lists, numbers, rendered, text};
    use proptest::prelude::*;

    fn table(rows: &RecordBatch, options: &Options) -> String {
        rendered(std::slice::from_ref(rows), Format::Table, options)
    }

    fn at(width: usize) -> Options {
        Options { width: Some(width), ..Options::default() }
    }

    fn last_use() -> RecordBatch {
        batch(vec![
            (
                "secret_id",
                text(&["payments/stripe", "payments/stripe", "search/elastic-cluster-api-key"]),
            ),
            ("version", text(&["1", "2", "1"])),
            ("last_used_time", instants(&["2026-03-01T12:34:56Z", "", "2026-04-02T00:00:00Z"])),
            ("use_count", numbers(&[12034, 0, 7])),
            ("source_ips", lists(&[&["10.4.0.1", "10.4.0.2"], &[], &["10.9.0.1"]])),
            ("state", text(&["old_only", "new_only", "both"])),
        ])
    }

    #[test]
    fn a_table_without_limit_shows_everything() {
        insta::assert_snapshot!(table(&last_use(), &Options::default()), @"
        secret_id                       version  last_used_time        use_count  source_ips          state
        ──────────────────────────────  ───────  ────────────────────  ─────────  ──────────────────  ────────
        payments/stripe                 1        2026-03-01T12:34:56Z      12034  10.4.0.1, 10.4.0.2  old_only
        payments/stripe                 2        -                             0  -                   new_only
        search/elastic-cluster-api-key  1        2026-04-02T00:00:00Z          7  10.9.0.1            both
        ");
    }

    #[test]
    fn a_table_at_120_columns() {
        insta::assert_snapshot!(table(&last_use(), &at(120)), @"
        secret_id                       version  last_used_time        use_count  source_ips          state
        ──────────────────────────────  ───────  ────────────────────  ─────────  ──────────────────  ────────
        payments/stripe                 1        2026-03-01T12:34:56Z      12034  10.4.0.1, 10.4.0.2  old_only
        payments/stripe                 2        -                             0  -                   new_only
        search/elastic-cluster-api-key  1        2026-04-02T00:00:00Z          7  10.9.0.1            both
        ");
    }

    #[test]
    fn a_table_at_80_columns_cuts_its_longest_cells() {
        insta::assert_snapshot!(table(&last_use(), &at(80)), @"
        secret_id      version  last_used_time        use_count  source_ips     state
        ─────────────  ───────  ────────────────────  ─────────  ─────────────  ────────
        payments/str…  1        2026-03-01T12:34:56Z      12034  10.4.0.1, 10…  old_only
        payments/str…  2        -                             0  -              new_only
        search/elast…  1        2026-04-02T00:00:00Z          7  10.9.0.1       both
        ");
    }

    #[test]
    fn a_table_at_40_columns_hides_the_rightmost_and_says_so() {
        insta::assert_snapshot!(table(&last_use(), &at(40)), @"
        secret_id                       version
        ──────────────────────────────  ───────
        payments/stripe                 1
        payments/stripe                 2
        search/elastic-cluster-api-key  1
        4 columns hidden: last_used_time,
        use_count, source_ips, state; widen the
        terminal or use --format json
        ");
    }

    #[test]
    fn repeated_leading_cells_are_blank_on_request() {
        let options = Options { grouped_columns: 1, ..at(60) };
        insta::assert_snapshot!(table(&last_use(), &options), @"
        secret_id           version  last_used_time        use_count
        ──────────────────  ───────  ────────────────────  ─────────
        payments/stripe     1        2026-03-01T12:34:56Z      12034
                            2        -                             0
        search/elastic-cl…  1        2026-04-02T00:00:00Z          7
        2 columns hidden: source_ips, state; widen the terminal or
        use --format json
        ");
    }

    #[test]
    fn a_group_ends_with_its_first_column() {
        let rows = batch(vec![("a", text(&["x", "y"])), ("b", text(&["1", "1"]))]);
        let options = Options { grouped_columns: 2, ..Options::default() };
        insta::assert_snapshot!(table(&rows, &options), @"
        a  b
        ─  ─
        x  1
        y  1
        ");
    }

    #[test]
    fn an_answer_without_rows_keeps_its_header() {
        insta::assert_snapshot!(table(&last_use().slice(0, 0), &Options::default()), @"
        secret_id  version  last_used_time  use_count  source_ips  state
        ─────────  ───────  ──────────────  ─────────  ──────────  ─────
        (no rows)
        ");
    }

    #[test]
    fn only_states_are_coloured_and_only_on_request() {
        let rows = batch(vec![("state", text(&["old_only"])), ("name", text(&["old_only"]))]);
        let options = Options { colour: true, ..Options::default() };
        let coloured = table(&rows, &options);
        let last = coloured.lines().last().unwrap();
        assert_eq!(last, "\u{1b}[33mold_only\u{1b}[0m  old_only");
    }

    proptest! {
        #[test]
        fn a_table_has_no_control_byte_and_no_line_too_wide(
            title in any::<String>(),
            values in prop::collection::vec((any::<Option<String>>(), "\\PC{0,50}", any::<i64>()), 0..5),
            width in prop::option::of(0usize..130),
            grouped_columns in 0usize..4,
        ) {
            let first: Vec<Option<&str>> = values.iter().map(|it| it.0.as_deref()).collect();
            let second: Vec<&str> = values.iter().map(|it| it.1.as_str()).collect();
            let third: Vec<[&str; 2]> = values.iter().map(|it| [it.1.as_str(), "x"]).collect();
            let third: Vec<&[&str]> = third.iter().map(|it| it.as_slice()).collect();
            let counts: Vec<i64> = values.iter().map(|it| it.2).collect();
            let rows = batch(vec![
                (title.as_str(), std::sync::Arc::new(arrow_array::StringArray::from(first))),
                ("state", text(&second)),
                ("count", numbers(&counts)),
                ("list", lists(&third)),
            ]);
            let table = table(&rows, &Options { width, colour: false, grouped_columns });
            prop_assert!(table.chars().all(|it| it == '\n' || !it.is_control()));
            for line in table.lines() {
                prop_assert!(width.is_none_or(|it| text::width(line) <= it.max("(no rows)".len())), "{line:?}");
            }
        }
    }
}
