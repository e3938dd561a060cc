//! Which column each field, alias and capture of a source goes to.

use regex::CaptureLocations;

use crate::json::WantedField;
use crate::path::FieldPath;
use crate::pattern::Pattern;
use crate::source::{Format, MatchStage, NestedArrays, PSEUDO_FIELDS, Source};

/// Names of all columns: the fields that were asked for, then helpers, which are the
/// inputs of match stages and the places where envelopes hold a record or several.
pub(crate) fn column_names(source: &Source, fields: &[String]) -> Vec<String> {
    let mut names = fields.to_vec();
    for helper in source.helper_fields() {
        if !names.contains(&helper) {
            names.push(helper);
        }
    }
    let envelopes = source.formats.iter().map(|it| match it {
        Format::Json { unwrap, each, .. } => unwrap.len() + each.len(),
        _ => 0,
    });
    let first = names.len();
    let envelopes = envelopes.max().unwrap_or(0);
    names.extend((first..first + envelopes).map(|it| format!("_envelope_{it}")));
    names
}

/// The columns of the pseudo fields that were asked for.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct PseudoColumns {
    pub(crate) line: Option<usize>,
    pub(crate) record_number: Option<usize>,
    pub(crate) file_name: Option<usize>,
    pub(crate) file_time: Option<usize>,
    pub(crate) row_number: Option<usize>,
}

/// What to read of a record of JSON.
#[derive(Debug)]
pub(crate) struct JsonLayout {
    pub(crate) wanted: Vec<WantedField>,
    /// Where a record may stand inside an envelope, and the column that tells.
    pub(crate) unwrap: Vec<(usize, FieldPath)>,
    /// Arrays that may hold records inside a record, and the column that tells.
    pub(crate) each: Vec<(usize, NestedArrays)>,
    /// What to read of the objects around those arrays, the nearest first.
    pub(crate) parents: Vec<Vec<WantedField>>,
    /// Columns in which an array of byte values is the text that they spell.
    pub(crate) byte_arrays: Vec<usize>,
}

/// Where the parts of one field go.
#[derive(Debug)]
pub(crate) struct StageLayout {
    /// Column of the text that is looked into.
    pub(crate) input: usize,
    /// By pattern of the stage.
    pub(crate) captures: Vec<CaptureLayout>,
    /// Pairs that may set a column.
    pub(crate) pairs: Vec<PairLayout>,
}

/// Pairs of a stage that may set a column.
#[derive(Debug)]
pub(crate) struct PairLayout {
    pub(crate) column: usize,
    /// The first that has a value wins.
    pub(crate) keys: Vec<String>,
    /// Sets the column even if it has a value.
    pub(crate) overrides: bool,
}

/// Where the captures of one pattern go.
#[derive(Debug)]
pub(crate) struct CaptureLayout {
    pub(crate) locations: CaptureLocations,
    pub(crate) assignments: Vec<Assignment>,
}

/// Groups of a pattern that may set a column.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) column: usize,
    /// The first that took part in the match wins.
    pub(crate) groups: Vec<usize>,
    /// Sets the column even if it has a value.
    pub(crate) overrides: bool,
}

/// The columns of pseudo fields among these names.
pub(crate) fn pseudo_columns(names: &[String]) -> PseudoColumns {
    let column = |field: &str| names.iter().position(|it| it == field);
    let [line, number, name, time, row] = PSEUDO_FIELDS;
    PseudoColumns {
        line: column(line),
        record_number: column(number),
        file_name: column(name),
        file_time: column(time),
        row_number: column(row),
    }
}

/// What to read of records of one JSON format. A name without an alias is a path.
pub(crate) fn json_layout(
    source: &Source,
    names: &[String],
    unwrap: &[FieldPath],
    each: &[NestedArrays],
    byte_arrays: bool,
) -> JsonLayout {
    let first_envelope =
        names.iter().position(|it| it.starts_with("_envelope_")).unwrap_or(names.len());
    let levels = each.iter().map(|it| it.0.len()).max().unwrap_or(0);
    let mut parents = vec![Vec::new(); levels];
    let mut wanted = Vec::new();
    for (column, name) in names[..first_envelope].iter().enumerate() {
        if PSEUDO_FIELDS.contains(&name.as_str()) {
            continue;
        }
        let paths = match (source.fields.get(name), FieldPath::parse(name)) {
            (Some(paths), _) => paths.clone(),
            (None, Ok(path)) => vec![path],
            // A capture whose name is no path; `check_fields` refuses anything else.
            (None, Err(_)) => continue,
        };
        for (path, rank) in paths.into_iter().zip(0u8..) {
            match path.outward() {
                (0, path) => wanted.push(WantedField { column, path, rank }),
                (out, path) => {
                    if let Some(parent) = parents.get_mut(out - 1) {
                        parent.push(WantedField { column, path, rank });
                    }
                }
            }
        }
    }
    let unwrap: Vec<_> = (first_envelope..).zip(unwrap.iter().cloned()).collect();
    let each: Vec<_> = (first_envelope + unwrap.len()..).zip(each.iter().cloned()).collect();
    let places = unwrap.iter().map(|(column, path)| (*column, path));
    let arrays = each.iter().filter_map(|(column, arrays)| Some((*column, arrays.0.first()?)));
    let helpers = places.chain(arrays);
    wanted.extend(helpers.map(|(column, path)| WantedField {
        column,
        path: path.clone(),
        rank: 0,
    }));
    let looked_into = |column: &usize| source.stages.iter().any(|it| it.field == names[*column]);
    let byte_arrays = match byte_arrays {
        true => (0..names.len()).filter(looked_into).collect(),
        false => Vec::new(),
    };
    JsonLayout { wanted, unwrap, each, parents, byte_arrays }
}

/// A field of delimited text that is wanted: the names that its column may have, and
/// where it goes.
#[derive(Debug)]
pub(crate) struct DelimitedColumn {
    column: usize,
    paths: Vec<FieldPath>,
}

/// What to read of records of delimited text.
pub(crate) fn delimited_layout(source: &Source, names: &[String]) -> Vec<DelimitedColumn> {
    let wanted = names.iter().enumerate().map(|(column, name)| {
        let own = || FieldPath::parse(name).into_iter().collect();
        let paths = source.fields.get(name).cloned().unwrap_or_else(own);
        DelimitedColumn { column, paths }
    });
    wanted.filter(|it| !PSEUDO_FIELDS.contains(&names[it.column].as_str())).collect()
}

/// By wanted column that the text has: the places of its fields, the best first.
pub(crate) fn bind_columns(
    wanted: &[DelimitedColumn],
    names: &[String],
    fold_case: bool,
) -> Vec<(usize, Vec<usize>)> {
    let place = |path: &FieldPath| names.iter().position(|it| path.names_column(it, fold_case));
    let bound = wanted.iter().map(|it| (it.column, it.paths.iter().filter_map(place).collect()));
    bound.filter(|it: &(usize, Vec<usize>)| !it.1.is_empty()).collect()
}

/// Where the captures of the first pattern of a text format go.
pub(crate) fn text_layout(source: &Source, names: &[String], pattern: &Pattern) -> CaptureLayout {
    capture_layout(source, names, pattern, true)
}

/// Where the captures of the match stages go.
pub(crate) fn stage_layouts(source: &Source, names: &[String]) -> Vec<StageLayout> {
    let stages = source.stages.iter().filter_map(|stage| {
        let input = names.iter().position(|it| *it == stage.field)?;
        let captures = stage.patterns().iter().map(|pattern| {
            let mut layout = capture_layout(source, names, pattern, false);
            // The other captures are parts of the input, so it is replaced last.
            layout.assignments.sort_by_key(|it| it.column == input);
            layout
        });
        let captures = captures.collect();
        Some(StageLayout { input, captures, pairs: pair_layouts(source, names, stage) })
    });
    stages.collect()
}

fn pair_layouts(source: &Source, names: &[String], stage: &MatchStage) -> Vec<PairLayout> {
    let layout = |(column, name): (usize, &String)| {
        let key = |path: &FieldPath| stage.key(path).map(str::to_owned);
        let (keys, overrides): (Vec<String>, bool) = match source.fields.get(name) {
            Some(paths) => (paths.iter().filter_map(key).collect(), false),
            None => (FieldPath::parse(name).iter().filter_map(key).collect(), true),
        };
        (!keys.is_empty()).then_some(PairLayout { column, keys, overrides })
    };
    names.iter().enumerate().filter_map(layout).collect()
}

fn capture_layout(
    source: &Source,
    names: &[String],
    pattern: &Pattern,
    first: bool,
) -> CaptureLayout {
    let group = |name: &str| pattern.regex().capture_names().position(|it| it == Some(name));
    let mut assignments = Vec::new();
    for (column, name) in names.iter().enumerate() {
        if PSEUDO_FIELDS.contains(&name.as_str()) {
            continue;
        }
        let own = group(name);
        let groups: Vec<usize> = match (own, source.fields.get(name)) {
            (Some(own), _) => vec![own],
            (None, Some(paths)) => paths.iter().filter_map(|it| group(it.text())).collect(),
            (None, None) => Vec::new(),
        };
        if !groups.is_empty() {
            assignments.push(Assignment { column, groups, overrides: first || own.is_some() });
        }
    }
    CaptureLayout { locations: pattern.regex().capture_locations(), assignments }
}
