//! Columns that fit the reader's screen, and lines of them.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::text;

/// Blank cells between two columns.
pub(crate) const GAP: usize = 2;
/// Text columns are not cut below this; a narrower one says too little.
const NARROWEST: usize = 12;

/// A column before it is known how wide it may be.
pub(crate) struct Column {
    /// What stands in the header, escaped.
    pub(crate) title: String,
    /// Whether its cells end at one edge (numbers).
    pub(crate) right: bool,
    /// Whether its cells may be cut.
    pub(crate) shrinks: bool,
    /// Columns of the highest rank are hidden first.
    pub(crate) rank: usize,
    /// Cells that its widest text takes.
    pub(crate) width: usize,
}

impl Column {
    /// A column that is at least as wide as its title.
    pub(crate) fn new(title: &str, rank: usize) -> Column {
        let title = text::escape(title).into_owned();
        let width = text::width(&title);
        Column { title, right: false, shrinks: true, rank, width }
    }

    /// Makes room for `shown`, which is escaped.
    pub(crate) fn widen(&mut self, shown: &str) {
        self.width = self.width.max(text::width(shown));
    }

    fn narrowest(&self) -> usize {
        if self.shrinks { self.width.min(NARROWEST) } else { self.width }
    }
}

/// The columns that are shown and how wide each is; indexes into what was given.
pub(crate) struct Layout {
    pub(crate) shown: Vec<(usize, usize)>,
    pub(crate) hidden: Vec<usize>,
}

/// Cuts the widest text columns until all fit, after hiding as many of the least
/// important columns as needed for the rest to stay readable. One always stays.
pub(crate) fn fit(columns: &[Column], width: Option<usize>) -> Layout {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let mut hidden = Vec::new();
    let Some(width) = width else {
        let shown = shown.into_iter().map(|it| (it, columns[it].width)).collect();
        return Layout { shown, hidden };
    };
    let gaps = |count: usize| GAP * count.saturating_sub(1);
    while shown.len() > 1 {
        let least: usize = shown.iter().map(|it| columns[*it].narrowest()).sum();
        if least + gaps(shown.len()) <= width {
            break;
        }
        let Some(last) = shown.iter().copied().max_by_key(|it| columns[*it].rank) else {
            break;
        };
        shown.retain(|it| *it != last);
        hidden.push(last);
    }
    hidden.sort_unstable();
    let room = width.saturating_sub(gaps(shown.len()));
    let limit = widest_limit(columns, &shown, room);
    let limited = |it: usize| columns[it].width.min(limit).max(columns[it].narrowest()).min(room);
    Layout { shown: shown.into_iter().map(|it| (it, limited(it))).collect(), hidden }
}

/// The largest width to which text columns can be limited so that all fit `room`.
fn widest_limit(columns: &[Column], shown: &[usize], room: usize) -> usize {
    let total = |limit: usize| -> usize {
        let width = |it: &usize| columns[*it].width.min(limit).max(columns[*it].narrowest());
        shown.iter().map(width).sum()
    };
    let (mut fits, mut exceeds) = (0, room + 1);
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        if total(middle) <= room { fits = middle } else { exceeds = middle }
    }
    fits
}

/// How text stands out on a terminal that shows colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Bold,
    Faint,
    Bad,
    Warning,
    Good,
}

impl Style {
    /// The style of a value in a column of the given name: states, outcomes,
    /// severities and verdicts.
    pub(crate) fn of(column: &str, value: &str) -> Option<Style> {
        if !matches!(column, "state" | "outcome" | "severity" | "verdict") {
            return None;
        }
        Some(match value {
            "critical" | "high" | "rejected" | "failing_new" | "reverted" | "used" | "error" => {
                Style::Bad
            }
            "medium" | "denied" | "old_only" | "both" | "dormant" | "unknown" => Style::Warning,
            "low" | "success" | "new_only" | "switched" | "settled" | "not_used" => Style::Good,
            _ => return None,
        })
    }

    fn code(self) -> &'static str {
        match self {
            Style::Bold => "\u{1b}[1m",
            Style::Faint => "\u{1b}[2m",
            Style::Bad => "\u{1b}[31m",
            Style::Warning => "\u{1b}[33m",
            Style::Good => "\u{1b}[32m",
        }
    }
}

/// Text with the codes of its style, if it has one.
pub(crate) fn painted(text: &str, style: Option<Style>) -> Cow<'_, str> {
    match style {
        Some(style) if !text.is_empty() => Cow::Owned(format!("{}{text}\u{1b}[0m", style.code())),
        _ => Cow::Borrowed(text),
    }
}

/// Writes one line: per shown column its escaped text, cut and padded. A line has
/// no blanks at its end.
pub(crate) fn write_line<'a>(
    columns: &[Column],
    layout: &Layout,
    mut text_of: impl FnMut(usize) -> (Cow<'a, str>, Option<Style>),
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut blanks = 0;
    for (index, width) in layout.shown.iter().copied() {
        let (text, style) = text_of(index);
        let text = text::cut(&text, width);
        let padding = width.saturating_sub(text::width(&text));
        let right = columns[index].right;
        if !text.is_empty() {
            let before = blanks + if right { padding } else { 0 };
            write!(out, "{:before$}{}", "", painted(&text, style))?;
            blanks = if right { 0 } else { padding };
        } else {
            blanks += padding;
        }
        blanks += GAP;
    }
    out.write_all(b"\n")
}

/// Writes the titles of the shown columns and a rule below them.
pub(crate) fn write_header(
    columns: &[Column],
    layout: &Layout,
    colour: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = |it: Style| colour.then_some(it);
    let title = |it: usize| (Cow::Borrowed(columns[it].title.as_str()), style(Style::Bold));
    write_line(columns, layout, title, out)?;
    let rule = |(index, width): &(usize, usize)| {
        let dash = if columns[*index].title.is_empty() { " " } else { "─" };
        dash.repeat(*width)
    };
    let rules: Vec<String> = layout.shown.iter().map(rule).collect();
    writeln!(out, "{}", painted(&rules.join(&" ".repeat(GAP)), style(Style::Faint)))
}

/// Says which columns there was no room for, and how to see them.
pub(crate) fn write_hidden(
    columns: &[Column],
    layout: &Layout,
    width: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    if layout.hidden.is_empty() {
        return Ok(());
    }
    let mut pieces = vec![format!("{} hidden:", text::counted(layout.hidden.len(), "column"))];
    let names = layout.hidden.iter().map(|it| columns[*it].title.as_str());
    let names: Vec<&str> = names.collect();
    pieces.extend(names.iter().enumerate().map(|(index, name)| {
        let end = if index + 1 < names.len() { "," } else { ";" };
        format!("{name}{end}")
    }));
    pieces.extend("widen the terminal or use --format json".split(' ').map(str::to_owned));
    for line in wrap(&pieces, " ", "", width) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Joins pieces to lines that fit; lines after the first begin with `indent`. A
/// piece that no line can hold is cut.
pub(crate) fn wrap(
    pieces: &[String],
    separator: &str,
    indent: &str,
    width: Option<usize>,
) -> Vec<String> {
    let limit = width.unwrap_or(usize::MAX);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for piece in pieces {
        let needed = text::width(&line) + text::width(separator) + text::width(piece);
        if !line.is_empty() && needed > limit {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
            line.push_str(piece);
        } else {
            if !line.is_empty() {
                line.push_str(separator);
            }
            line.push_str(piece);
        }
    }
    lines.push(line);
    lines.iter().map(|it| text::cut(it.trim_end(), limit).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(widths: &[(usize, bool)]) -> Vec<Column> {
        let column = |(rank, (width, shrinks)): (usize, &(usize, bool))| Column {
            title: "t".to_owned(),
            right: false,
            shrinks: *shrinks,
            rank,
            width: *width,
        };
        widths.iter().enumerate().map(column).collect()
    }

    #[test]
    fn without_a_width_every_column_has_its_own() {
        let layout = fit(&columns(&[(500, true), (3, false)]), None);
        assert_eq!(layout.shown, [(0, 500), (1, 3)]);
    }

    #[test]
    fn the_widest_text_columns_give_way_first() {
        let layout = fit(&columns(&[(90, true), (20, true), (10, false)]), Some(64));
        assert_eq!(layout.shown, [(0, 30), (1, 20), (2, 10)]);
        assert!(layout.hidden.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_hidden_from_the_least_important_on() {
        let mut given = columns(&[(90, true), (17, false), (17, false), (8, false)]);
        given[2].rank = 9;
        let layout = fit(&given, Some(44));
        assert_eq!(layout.shown, [(0, 15), (1, 17), (3, 8)]);
        assert_eq!(layout.hidden, [2]);
    }

    #[test]
    fn one_column_stays_however_narrow_the_screen() {
        for width in 0..3 {
            let layout = fit(&columns(&[(17, false), (17, false)]), Some(width));
            assert_eq!(layout.shown, [(0, width)]);
        }
        assert!(fit(&[], Some(80)).shown.is_empty());
    }

    #[test]
    fn pieces_are_joined_to_lines_that_fit() {
        let pieces = ["aaa".to_owned(), "bbb".to_owned(), "cccccccccccc".to_owned()];
        assert_eq!(wrap(&pieces, " · ", "  ", Some(10)), ["aaa · bbb", "  ccccccc…"]);
        assert_eq!(wrap(&pieces[..2], " · ", "  ", None), ["aaa · bbb"]);
    }
}
