//! Fields looked into for further ones: captures of patterns, pairs of keys and values.

use std::ops::Range;

use regex::CaptureLocations;

use super::Shared;
use crate::columns::Columns;
use crate::layout::{Assignment, CaptureLayout, PairLayout, StageLayout};
use crate::pairs::{Pair, PairSyntax, find_pair, read_pairs, unescape};
use crate::pattern::Pattern;
use crate::source::Look;

/// Rows that one record may give at most.
const ROWS_MAX: usize = 10_000;

/// The match stages of a source, with room to match in.
pub(super) struct Stages {
    layouts: Vec<StageLayout>,
    /// Room for the fields that all rows of a record have.
    row: Vec<u128>,
    /// Room for the pairs of a text, and for those that were asked for, with their columns.
    pairs: Vec<Pair>,
    found: Vec<(usize, Pair)>,
}

impl Stages {
    pub(super) fn new(layouts: Vec<StageLayout>) -> Self {
        Self { layouts, row: Vec::new(), pairs: Vec::new(), found: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.layouts.is_empty()
    }
}

/// Applies all stages to the current row; returns whether any found something.
pub(super) fn apply(shared: &mut Shared, columns: &mut Columns) -> bool {
    let Shared { source, stages, .. } = shared;
    let mut any = false;
    let Stages { layouts, pairs, found, .. } = stages;
    for (stage, layout) in source.stages.iter().zip(layouts) {
        let Some(text) = columns.text(layout.input) else { continue };
        let patterns = match &stage.look {
            Look::Patterns(patterns) => patterns,
            // Its turn comes when the record is done.
            Look::Every(_) => continue,
            Look::Pairs(syntax) => {
                read_pairs(*syntax, text, pairs);
                any |= !pairs.is_empty();
                found.clear();
                for PairLayout { column, keys, .. } in &layout.pairs {
                    let pair = keys.iter().find_map(|it| find_pair(*syntax, text, pairs, it));
                    found.extend(pair.map(|it| (*column, it.clone())));
                }
                set_pairs(*syntax, layout, found, columns);
                continue;
            }
        };
        let Some(matched) = first_match(patterns, &mut layout.captures, text) else {
            continue;
        };
        any = true;
        for assignment in &matched.assignments {
            if !assignment.overrides && columns.is_set(assignment.column) {
                continue;
            }
            if let Some((start, end)) = span(assignment, &matched.locations) {
                columns.set_part(assignment.column, layout.input, start..end);
            }
        }
    }
    any
}

/// Ends the rows of a record whose fields are all set, and returns how many there are: one,
/// or as many as the matches of the stage that gives rows.
pub(super) fn end_rows(shared: &mut Shared, columns: &mut Columns) -> usize {
    let Shared { source, stages, pseudo, .. } = shared;
    let every = source.stages.last().zip(stages.layouts.last_mut());
    let Some((Look::Every(pattern), layout)) = every.map(|(stage, it)| (&stage.look, it)) else {
        columns.end_row();
        return 1;
    };
    let found = match columns.text(layout.input) {
        Some(text) => every_match(pattern, &mut layout.captures[0], text),
        None => Vec::new(),
    };
    if found.is_empty() {
        columns.end_row();
        return 1;
    }
    columns.save_row(&mut stages.row);
    for (at, captures) in found.iter().enumerate() {
        if at > 0 {
            columns.restore_row(&stages.row);
        }
        for (column, part) in captures {
            columns.set_part(*column, layout.input, part.clone());
        }
        if let Some(column) = pseudo.row_number.filter(|_| at > 0) {
            columns.set_text(column, &(at + 1).to_string());
        }
        columns.end_row();
    }
    found.len()
}

/// The captures of the matches that follow one another from the start of a text: columns,
/// and the parts of the text that they take.
fn every_match(
    pattern: &Pattern,
    captures: &mut CaptureLayout,
    text: &str,
) -> Vec<Vec<(usize, Range<usize>)>> {
    let CaptureLayout { locations, assignments } = captures;
    let mut found = Vec::new();
    let mut at = 0;
    while found.len() < ROWS_MAX {
        match pattern.regex().captures_read_at(locations, text, at) {
            Some(matched) if matched.start() == at && matched.end() > at => at = matched.end(),
            _ => break,
        }
        let part =
            |it: &Assignment| span(it, locations).map(|(start, end)| (it.column, start..end));
        found.push(assignments.iter().filter_map(part).collect());
    }
    found
}

/// Sets the columns of pairs that were found.
fn set_pairs(
    syntax: PairSyntax,
    layout: &StageLayout,
    found: &[(usize, Pair)],
    columns: &mut Columns,
) {
    for (column, Pair { value, escaped, .. }) in found {
        let overrides = layout.pairs.iter().any(|it| it.column == *column && it.overrides);
        if !overrides && columns.is_set(*column) {
            continue;
        }
        let text = match escaped {
            true => columns.text(layout.input).map(|it| unescape(syntax, &it[value.clone()])),
            false => None,
        };
        match text {
            Some(text) => columns.set_text(*column, &text),
            None => columns.set_part(*column, layout.input, value.clone()),
        }
    }
}

/// Where the captures of the first pattern that matches go, with their places in the
/// text.
fn first_match<'a>(
    patterns: &[Pattern],
    captures: &'a mut [CaptureLayout],
    text: &str,
) -> Option<&'a CaptureLayout> {
    patterns.iter().zip(captures).find_map(|(pattern, captures)| {
        let matched = pattern.may_match(text)
            && pattern.regex().captures_read(&mut captures.locations, text).is_some();
        matched.then_some(&*captures)
    })
}

/// The part of the text that an assignment takes.
pub(super) fn span(
    assignment: &Assignment,
    locations: &CaptureLocations,
) -> Option<(usize, usize)> {
    assignment.groups.iter().find_map(|group| locations.get(*group))
}
