//! Columns that fit the reader's screen, and lines of them.
//!
//! Where there is no room for all columns, the least important are hidden until the rest can be
//! read: numbers, times and the words of enumerations whole, names at a sixth of the screen or more,
//! and so wide that no two names of a column look the same if half of the screen is enough for that
//! (of the most important columns: all of it). What room is left then goes to the columns that are
//! cut. Names are cut in the middle, or a quarter off it where that tells more of them apart; lists
//! are cut at their end.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::text;

/// Blank cells between two columns.
pub(crate) const GAP: usize = 2;
/// Columns are not cut below this; a narrower one says too little.
const NARROWEST: usize = 12;
/// So many names of a column are held against each other; more do not fit a screen.
const COMPARED: usize = 1_000;

/// Where the cells of a column are cut when there is no room for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nowhere: numbers, times, words of enumerations.
    Never,
    /// In the middle: names.
    Middle,
    /// At the end: lists.
    End,
}

/// A column before it is known how wide it may be.
pub(crate) struct Column {
    /// What stands in the header, escaped.
    pub(crate) title: String,
    /// Whether its cells end at one edge (numbers).
    pub(crate) right: bool,
    /// Where its cells may be cut.
    pub(crate) cut: Cut,
    /// Columns of the highest rank are hidden first; those of (0, _) only if nothing else helps.
    pub(crate) rank: (u8, usize),
    /// Cells that its widest text takes.
    pub(crate) width: usize,
    /// Its names that may have to be cut.
    names: BTreeSet<String>,
    /// How many quarters of a name that is cut are its beginning.
    quarters: usize,
}

impl Column {
    /// A column that is at least as wide as its title.
    pub(crate) fn new(title: &str, rank: (u8, usize), cut: Cut) -> Column {
        let title = text::escape(title).into_owned();
        let width = text::width(&title);
        Column { title, right: false, cut, rank, width, names: BTreeSet::new(), quarters: 2 }
    }

    /// Makes room for `shown`, which is escaped.
    pub(crate) fn widen(&mut self, shown: &str) {
        let width = text::width(shown);
        self.width = self.width.max(width);
        let is_long = self.cut == Cut::Middle && width > NARROWEST;
        if is_long && self.names.len() < COMPARED && !self.names.contains(shown) {
            self.names.insert(shown.to_owned());
        }
    }

    /// As much of a cell as fits.
    fn cut<'a>(&self, text: &'a str, width: usize) -> Cow<'a, str> {
        match self.cut {
            Cut::Middle => text::cut_middle(text, width, self.quarters),
            Cut::Never | Cut::End => text::cut(text, width),
        }
    }

    /// The width below which it is hidden on a screen of so many cells rather than cut.
    fn least(&mut self, screen: usize) -> usize {
        match self.cut {
            Cut::Never | Cut::End => self.bare(),
            Cut::Middle => {
                let readable = self.width.min((screen / 6).max(NARROWEST));
                let each = [2, 1, 3].map(|quarters| (self.telling(quarters), quarters));
                let (telling, quarters) = each.into_iter().min_by_key(|it| it.0).unwrap_or((0, 2));
                self.quarters = quarters;
                let most = if self.rank.0 == 0 { screen } else { screen / 2 };
                if telling <= most { readable.max(telling) } else { readable }
            }
        }
    }

    /// The width below which it says too little.
    fn bare(&self) -> usize {
        if self.cut == Cut::Never { self.width } else { self.width.min(NARROWEST) }
    }

    /// The least width at which no two names look the same.
    fn telling(&self, quarters: usize) -> usize {
        let is_told = |width: usize| {
            let names = self.names.iter();
            let shown: BTreeSet<_> =
                names.map(|it| text::cut_middle(it, width, quarters)).collect();
            shown.len() == self.names.len()
        };
        let (mut fails, mut tells) = (self.width.min(NARROWEST).saturating_sub(1), self.width);
        while tells > fails + 1 {
            let middle = fails + (tells - fails) / 2;
            if is_told(middle) { tells = middle } else { fails = middle }
        }
        tells
    }
}

/// The columns that are shown and how wide each is; indexes into what was given.
pub(crate) struct Layout {
    pub(crate) shown: Vec<(usize, usize)>,
    pub(crate) hidden: Vec<usize>,
}

/// Hides as many of the least important columns as needed for the rest to stay readable, then cuts
/// the widest until all fit. One always stays.
pub(crate) fn fit(columns: &mut [Column], width: Option<usize>) -> Layout {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let mut hidden = Vec::new();
    let Some(width) = width else {
        let shown = shown.into_iter().map(|it| (it, columns[it].width)).collect();
        return Layout { shown, hidden };
    };
    let mut least: Vec<usize> = columns.iter_mut().map(|it| it.least(width)).collect();
    let bare: Vec<usize> = columns.iter().map(Column::bare).collect();
    let gaps = |count: usize| GAP * count.saturating_sub(1);
    while shown.len() > 1 {
        let fits = |least: &[usize]| {
            shown.iter().map(|it| least[*it]).sum::<usize>() + gaps(shown.len()) <= width
        };
        if fits(&least) {
            break;
        }
        let Some(last) = shown.iter().copied().max_by_key(|it| columns[*it].rank) else {
            break;
        };
        // Rather than hide the most important, names may look the same.
        if columns[last].rank.0 == 0 && fits(&bare) {
            least = bare;
            break;
        }
        shown.retain(|it| *it != last);
        hidden.push(last);
    }
    hidden.sort_unstable();
    let room = width.saturating_sub(gaps(shown.len()));
    let limited = |it: usize, limit: usize| columns[it].width.min(limit).max(least[it]);
    let total = |limit: usize| shown.iter().map(|it| limited(*it, limit)).sum::<usize>();
    // The largest limit with which all fit.
    let (mut fits, mut exceeds) = (0, room + 1);
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        if total(middle) <= room { fits = middle } else { exceeds = middle }
    }
    let shown = shown.into_iter().map(|it| (it, limited(it, fits).min(room))).collect();
    Layout { shown, hidden }
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
        let text = columns[index].cut(&text, width);
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

/// Joins pieces to lines that fit; lines after the first begin with `indent`. A piece that no line
/// can hold is broken at its blanks, and a word that none can hold is cut.
pub(crate) fn wrap(
    pieces: &[String],
    separator: &str,
    indent: &str,
    width: Option<usize>,
) -> Vec<String> {
    let limit = width.unwrap_or(usize::MAX);
    let room = limit.saturating_sub(text::width(indent));
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for (before, part) in pieces.iter().flat_map(|it| parts(it, separator, room)) {
        let needed = text::width(&line) + text::width(before) + text::width(part);
        if !line.is_empty() && needed > limit {
            lines.push(std::mem::replace(&mut line, indent.to_owned()));
        } else if !line.is_empty() {
            line.push_str(before);
        }
        line.push_str(&text::cut_middle(part, room, 2));
    }
    lines.push(line);
    lines.iter().map(|it| text::cut(it.trim_end(), limit).into_owned()).collect()
}

/// The piece, or its words if it is wider than `room`, each with what stands before it.
fn parts<'a>(piece: &'a str, separator: &'a str, room: usize) -> Vec<(&'a str, &'a str)> {
    if text::width(piece) <= room {
        return vec![(separator, piece)];
    }
    let words = piece.split(' ').enumerate();
    words.map(|(at, word)| (if at == 0 { separator } else { " " }, word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(widths: &[(usize, bool)]) -> Vec<Column> {
        let column = |(rank, (width, shrinks)): (usize, &(usize, bool))| {
            let mut column =
                Column::new("t", (0, rank), if *shrinks { Cut::Middle } else { Cut::Never });
            column.width = *width;
            column
        };
        widths.iter().enumerate().map(column).collect()
    }

    #[test]
    fn without_a_width_every_column_has_its_own() {
        let layout = fit(&mut columns(&[(500, true), (3, false)]), None);
        assert_eq!(layout.shown, [(0, 500), (1, 3)]);
    }

    #[test]
    fn the_widest_text_columns_give_way_first() {
        let layout = fit(&mut columns(&[(90, true), (20, true), (10, false)]), Some(64));
        assert_eq!(layout.shown, [(0, 30), (1, 20), (2, 10)]);
        assert!(layout.hidden.is_empty());
    }

    #[test]
    fn what_cannot_be_read_is_hidden_from_the_least_important_on() {
        let mut given = columns(&[(90, true), (17, false), (17, false), (8, false)]);
        given[2].rank = (1, 2);
        let layout = fit(&mut given, Some(44));
        assert_eq!(layout.shown, [(0, 15), (1, 17), (3, 8)]);
        assert_eq!(layout.hidden, [2]);
    }

    #[test]
    fn one_column_stays_however_narrow_the_screen() {
        for width in 0..3 {
            let layout = fit(&mut columns(&[(17, false), (17, false)]), Some(width));
            assert_eq!(layout.shown, [(0, width)]);
        }
        assert!(fit(&mut [], Some(80)).shown.is_empty());
    }

    #[test]
    fn pieces_are_joined_to_lines_that_fit() {
        let pieces = ["aaa".to_owned(), "bbb".to_owned(), "cccccccccccc".to_owned()];
        assert_eq!(wrap(&pieces, " · ", "  ", Some(10)), ["aaa · bbb", "  cccc…ccc"]);
        assert_eq!(wrap(&pieces[..2], " · ", "  ", None), ["aaa · bbb"]);
        let sentence = ["alive until 2026-05-01T00:00:00Z".to_owned()];
        assert_eq!(wrap(&sentence, "", "  ", Some(24)), ["alive until", "  2026-05-01T00:00:00Z"]);
    }
}
