//! Rows as aligned columns for people.

use std::borrow::Cow;
use std::io::Write;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};

use crate::cell::{Cell, cell, is_number, json_value};
use crate::layout::{self, Column, Cut, Style};
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
    let mut columns = measured(batches, schema)?;
    let layout = layout::fit(&mut columns, options.width);
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
        Cell::Text("") => Cow::Borrowed("-"),
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

/// The columns with the widths that their values need.
fn measured(batches: &[RecordBatch], schema: &Schema) -> Result<Vec<Column>, RenderError> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (index, field) in schema.fields().iter().enumerate() {
        let rank = rank(field.name(), index);
        let mut column = Column::new(field.name(), rank, cut(field.name(), field.data_type()));
        column.right = is_number(field.data_type());
        for batch in batches {
            let values = batch.column(index);
            for row in 0..values.len() {
                column.widen(&shown(values, row)?);
            }
        }
        if column.cut == Cut::Never && column.width > LONGEST_WORD {
            column.cut = Cut::Middle;
        }
        columns.push(column);
    }
    Ok(columns)
}

/// Columns whose values are words that are known beforehand.
const ENUMERATIONS: [&str; 12] = [
    "attribution",
    "class",
    "id_kind",
    "known_by",
    "needs",
    "outcome",
    "severity",
    "source",
    "state",
    "status",
    "verdict",
    "version_state",
];
/// A value that is wider is no word, whatever its column is called.
const LONGEST_WORD: usize = 32;

fn cut(name: &str, data_type: &DataType) -> Cut {
    use DataType::*;
    match data_type {
        Boolean | Timestamp(..) => Cut::Never,
        List(_) | LargeList(_) | FixedSizeList(..) | Map(..) | Struct(_) => Cut::End,
        it if is_number(it) || ENUMERATIONS.contains(&name) => Cut::Never,
        _ => Cut::Middle,
    }
}

/// The order in which columns are hidden, last first: names that only machines read go first, what
/// is wrong and with which version stays longest, and else the rightmost goes.
fn rank(name: &str, index: usize) -> (u8, usize) {
    let group = match name {
        "class" | "secret_id" | "version" => 0,
        it if it.ends_with("_uid") || it.ends_with("_uids") => 2,
        _ => 1,
    };
    (group, index)
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
        paymen…stripe  1        2026-03-01T12:34:56Z      12034  10.4.0.1, 10…  old_only
        paymen…stripe  2        -                             0  -              new_only
        search…pi-key  1        2026-04-02T00:00:00Z          7  10.9.0.1       both
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

    const ROTATIONS: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:";

    /// Findings as `alerts` lists them.
    fn findings() -> RecordBatch {
        let ends = ["payments/api-Ab12Cd", "payments/api-Ef34Gh", "search/api-Ab12Cd"];
        let secrets: Vec<String> = ends.iter().map(|it| format!("{ROTATIONS}{it}")).collect();
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let user = "arn:aws:iam::111122223333:user/archive / Boto3 / 198.18.2.0/24";
        let other = "arn:aws:iam::444455556666:user/archive / Boto3 / 198.18.2.0/24";
        let times = ["2026-04-18T01:26:09.5Z", "2026-04-29T15:33:00Z", "2026-04-17T12:18:00Z"];
        batch(vec![
            ("severity", text(&["critical", "high", "high"])),
            (
                "class",
                text(&[
                    "accepted_after_revocation",
                    "accepted_after_cutoff",
                    "rejected_after_cutoff",
                ]),
            ),
            ("secret_id", text(&secrets)),
            ("version", text(&["1", "2", "1"])),
            ("workload", text(&["importer", user, other])),
            ("count", numbers(&[2, 167, 18])),
            ("last_time", instants(&times)),
            ("first_time", instants(&times)),
            ("alert_uid", text(&["al1_227976c4c0ccf267", "al1_59c901cd3a5966a1", "al1_d6edeb2f"])),
            ("principal", text(&["-", user, other])),
            ("evidence_uids", lists(&[&["a/1", "a/2"], &["b/1"], &[]])),
            ("status", text(&["open", "open", "open"])),
        ])
    }

    #[test]
    fn findings_keep_their_class_and_their_secret_on_every_screen() {
        for width in [40, 60, 80, 100, 160] {
            let table = table(&findings(), &at(width));
            let rows: Vec<&str> = table.lines().skip(2).take(3).collect();
            for (row, class) in
                rows.iter().zip(["after_revocation", "after_cutoff", "rejected_after"])
            {
                assert!(row.contains(class) && row.contains("…"), "{width}: {table}");
                assert!(text::width(row) <= width, "{width}: {table}");
            }
            let secrets: std::collections::BTreeSet<&str> = rows
                .iter()
                .flat_map(|it| it.split_whitespace())
                .filter(|it| it.ends_with("Cd") || it.ends_with("Gh"))
                .collect();
            // Beside a class, 40 columns leave 13 for a secret.
            assert!(secrets.len() == 3 || width == 40, "{width}: {table}");
        }
    }

    #[test]
    fn findings_at_60_columns() {
        insta::assert_snapshot!(table(&findings(), &at(60)), @"
        class                      secret_id                 version
        ─────────────────────────  ────────────────────────  ───────
        accepted_after_revocation  arn:aw…yments/api-Ab12Cd  1
        accepted_after_cutoff      arn:aw…yments/api-Ef34Gh  2
        rejected_after_cutoff      arn:aw…search/api-Ab12Cd  1
        9 columns hidden: severity, workload, count, last_time,
        first_time, alert_uid, principal, evidence_uids, status;
        widen the terminal or use --format json
        ");
    }

    #[test]
    fn findings_at_100_columns() {
        insta::assert_snapshot!(table(&findings(), &at(100)), @"
        severity  class                      secret_id               version  workload                count
        ────────  ─────────────────────────  ──────────────────────  ───────  ──────────────────────  ─────
        critical  accepted_after_revocation  arn:aw…ents/api-Ab12Cd  1        importer                    2
        high      accepted_after_cutoff      arn:aw…ents/api-Ef34Gh  2        arn:aws:iam::111….0/24    167
        high      rejected_after_cutoff      arn:aw…arch/api-Ab12Cd  1        arn:aws:iam::444….0/24     18
        6 columns hidden: last_time, first_time, alert_uid, principal, evidence_uids, status; widen the
        terminal or use --format json
        ");
    }

    #[test]
    fn findings_at_160_columns() {
        insta::assert_snapshot!(table(&findings(), &at(160)), @"
        severity  class                      secret_id                       version  workload                        count  last_time             first_time
        ────────  ─────────────────────────  ──────────────────────────────  ───────  ──────────────────────────────  ─────  ────────────────────  ────────────────────
        critical  accepted_after_revocation  arn:aws:…t:payments/api-Ab12Cd  1        importer                            2  2026-04-18T01:26:10Z  2026-04-18T01:26:10Z
        high      accepted_after_cutoff      arn:aws:…t:payments/api-Ef34Gh  2        arn:aws:iam::111122223….2.0/24    167  2026-04-29T15:33:00Z  2026-04-29T15:33:00Z
        high      rejected_after_cutoff      arn:aws:…ret:search/api-Ab12Cd  1        arn:aws:iam::444455556….2.0/24     18  2026-04-17T12:18:00Z  2026-04-17T12:18:00Z
        4 columns hidden: alert_uid, principal, evidence_uids, status; widen the terminal or use --format json
        ");
    }

    #[test]
    fn names_that_differ_in_their_middle_get_room_for_it() {
        let names: Vec<String> = ["111122223333", "444455556666"]
            .iter()
            .map(|it| format!("arn:aws:iam::{it}:role/a-role-of-both-accounts"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let rows = batch(vec![("principal", text(&names)), ("note", text(&["x", "y"]))]);
        for width in [60, 80, 100, 160] {
            let table = table(&rows, &at(width));
            let mut rows = table.lines().skip(2).map(|it| it.split_whitespace().next());
            assert_ne!(rows.next(), rows.next(), "{width}: {table}");
        }
    }

    #[test]
    fn what_is_no_word_is_cut_whatever_its_column_is_called() {
        let long = "x".repeat(300);
        let rows = batch(vec![("state", text(&[&long])), ("name", text(&["a"]))]);
        insta::assert_snapshot!(table(&rows, &at(40)), @"
        state                               name
        ──────────────────────────────────  ────
        xxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxx  a
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
        search/el…-api-key  1        2026-04-02T00:00:00Z          7
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
