//! Patterns applied to one record: captures become fields.

use regex::CaptureLocations;

use super::Shared;
use crate::columns::Columns;
use crate::layout::{Assignment, CaptureLayout, StageLayout};
use crate::pattern::Pattern;

/// The match stages of a source, with room to match in.
pub(super) struct Stages(Vec<StageLayout>);

impl Stages {
    pub(super) fn new(layouts: Vec<StageLayout>) -> Self {
        Self(layouts)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Columns that the stages read.
    pub(super) fn inputs(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(|it| it.input)
    }
}

/// Applies all stages to the current row; returns whether any pattern matched.
pub(super) fn apply(shared: &mut Shared, columns: &mut Columns) -> bool {
    let Shared { source, stages, .. } = shared;
    let mut any = false;
    for (stage, layout) in source.stages.iter().zip(&mut stages.0) {
        let Some(text) = columns.text(layout.input) else { continue };
        let Some(matched) = first_match(&stage.patterns, &mut layout.captures, text) else {
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
