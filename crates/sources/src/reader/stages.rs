//! Fields looked into for further ones: captures of patterns, pairs of keys and values.

use regex::CaptureLocations;

use super::Shared;
use crate::columns::Columns;
use crate::layout::{Assignment, CaptureLayout, PairLayout, StageLayout};
use crate::pairs::{Pair, PairSyntax, find_pair, read_pairs, unescape};
use crate::pattern::Pattern;
use crate::source::Look;

/// The match stages of a source, with room to match in.
pub(super) struct Stages {
    layouts: Vec<StageLayout>,
    /// Room for the pairs of a text, and for those that were asked for, with their columns.
    pairs: Vec<Pair>,
    found: Vec<(usize, Pair)>,
}

impl Stages {
    pub(super) fn new(layouts: Vec<StageLayout>) -> Self {
        Self { layouts, pairs: Vec::new(), found: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.layouts.is_empty()
    }

    /// Columns that the stages read.
    pub(super) fn inputs(&self) -> impl Iterator<Item = usize> + '_ {
        self.layouts.iter().map(|it| it.input)
    }
}

/// Applies all stages to the current row; returns whether any found something.
pub(super) fn apply(shared: &mut Shared, columns: &mut Columns) -> bool {
    let Shared { source, stages, .. } = shared;
    let mut any = false;
    let Stages { layouts, pairs, found } = stages;
    for (stage, layout) in source.stages.iter().zip(layouts) {
        let Some(text) = columns.text(layout.input) else { continue };
        let patterns = match &stage.look {
            Look::Patterns(patterns) => patterns,
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
