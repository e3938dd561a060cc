//! One kind of log, as its `source.toml` describes it: how to recognise it, how its
//! records are framed, and where further fields hide in its text.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::pairs::PairSyntax;
use crate::path::{FieldPath, PathError};
use crate::pattern::Pattern;

/// What an event of a source may be about, as `category` names it.
pub const CATEGORIES: [&str; 5] =
    ["auth", "token_exchange", "upstream", "lifecycle", "secret_read"];

/// Fields of every record, whatever its format: its whole text, its number in the
/// file (from 1), the name of the file, the time of the file, and of a record that gives
/// several rows the number of each but the first (from 2).
pub const PSEUDO_FIELDS: [&str; 5] =
    ["_line", "_record_number", "_file_name", "_file_time", ROW_NUMBER];

/// The field with the number of a row among those of its record.
pub const ROW_NUMBER: &str = "_row_number";

/// Paths that one alias may have.
const ALIAS_PATHS_MAX: usize = 255;

/// One kind of log.
#[derive(Debug)]
#[non_exhaustive]
pub struct Source {
    /// Lower case, such as `vault_audit`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Category of its events unless the SQL says otherwise; one of `CATEGORIES`.
    pub category: String,
    /// What it cannot show, in sentences for reports.
    pub blind_spots: Vec<String>,
    /// How late events usually arrive, in words.
    pub delay: Option<String>,
    /// Tried only after all other sources.
    pub generic: bool,
    /// What the fields mean: the text of `normalize.sql`.
    pub sql: String,
    /// The further rows that a record may give, by name.
    pub further: Vec<FurtherSql>,
    /// How its records may be framed.
    pub formats: Vec<Format>,
    /// How it is recognised.
    pub detect: Detect,
    /// Names for fields that stand in different places: the first path that is present
    /// and not null wins.
    pub fields: BTreeMap<String, Vec<FieldPath>>,
    /// Patterns over fields, in order.
    pub(crate) stages: Vec<MatchStage>,
}

/// SQL of a further row of a record, such as that of a second credential.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FurtherSql {
    /// What the row shows, such as `application_key`: its file is called so, with `.sql`.
    pub name: String,
    /// The text of the file.
    pub text: String,
}

/// How records are framed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Format {
    /// A document with an array of records, a bare array, or values one after another.
    Json {
        /// Members of a document that hold the array of records.
        records: Vec<String>,
        /// Arrays inside such a record whose elements are the records.
        each: Vec<NestedArrays>,
        /// Where a record may stand inside an envelope, as an object, as JSON text, or
        /// as JSON text in Base64.
        unwrap: Vec<FieldPath>,
        /// Member names match without regard to case.
        fold_case: bool,
        /// In fields that match stages look into, an array of byte values is the text that
        /// they spell.
        byte_arrays: bool,
        /// Members of the record whose value many records have in common: it is read once.
        repeats: Vec<String>,
    },
    /// Fields between separators, in quotes where they hold one or a line feed.
    Delimited {
        /// One ASCII character.
        separator: u8,
        /// Their names, where the first record does not give them; a record may have more.
        columns: Option<Vec<String>>,
        /// Names of columns match without regard to case.
        fold_case: bool,
    },
    /// One record per line, or per line and those that continue it.
    Text {
        /// What every record of this shape matches; its named captures become fields.
        pattern: TextPattern,
        /// How lines continue others.
        continuation: Option<Box<Continuation>>,
    },
}

/// Arrays within one another: the path from an object to the array in it, then from
/// each of its elements to the next array, and so on.
#[derive(Debug, Clone)]
pub struct NestedArrays(pub(crate) Vec<FieldPath>);

/// The pattern of a text format.
#[derive(Debug)]
pub struct TextPattern(pub(crate) Pattern);

/// How a line continues the record before it.
#[derive(Debug)]
pub struct Continuation {
    /// What a line matches that continues a record.
    line: Pattern,
    /// What a line matches that no other continues, so that it need not wait for the next.
    whole: Option<Pattern>,
}

/// How a source is recognised.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Detect {
    /// Fields that a record of JSON has, all of them.
    pub fields: Vec<String>,
    /// Fields that it does not have.
    pub exclude_fields: Vec<String>,
    /// What one of the first lines of text matches.
    pub line: Option<TextPattern>,
    /// File names, with `*` and `?`, for when the content alone does not decide.
    pub names: Vec<String>,
    /// Sources of more general kind, to which this one is preferred where both fit.
    pub before: Vec<String>,
}

/// How one field is looked into for further ones.
#[derive(Debug)]
pub(crate) struct MatchStage {
    pub(crate) field: String,
    pub(crate) look: Look,
}

#[derive(Debug)]
pub(crate) enum Look {
    /// The captures of the first that matches become fields.
    Patterns(Vec<Pattern>),
    /// The pairs of keys and values in it are its members.
    Pairs(PairSyntax),
    /// Each match gives a row of the record, one match after the other from its start.
    Every(Pattern),
}

impl Continuation {
    /// Whether a line, with or without its end, continues the record before it.
    pub(crate) fn continues(&self, line: &[u8]) -> bool {
        self.line.is_match(&String::from_utf8_lossy(without_end(line)))
    }

    /// Whether a line, with or without its end, is a record that no other continues.
    pub(crate) fn is_whole(&self, line: &[u8]) -> bool {
        let whole = self.whole.as_ref();
        whole.is_some_and(|it| it.is_match(&String::from_utf8_lossy(without_end(line))))
    }
}

impl MatchStage {
    /// The patterns, if it has any.
    pub(crate) fn patterns(&self) -> &[Pattern] {
        match &self.look {
            Look::Patterns(patterns) => patterns,
            Look::Every(pattern) => std::slice::from_ref(pattern),
            Look::Pairs(_) => &[],
        }
    }

    /// The key of the pair that a path names, if it is one of this stage.
    pub(crate) fn key<'a>(&self, path: &'a FieldPath) -> Option<&'a str> {
        match self.look {
            Look::Pairs(_) => path.member_of(&self.field),
            Look::Patterns(_) | Look::Every(_) => None,
        }
    }
}

/// Why a source cannot be used. Names the source, the key and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Sources are named like their log.
    #[error("`{name}` cannot name a source: use lower-case letters, digits and `_`")]
    Name {
        /// The name given.
        name: String,
    },
    /// Files of further rows are named after what the rows show.
    #[error(
        "`{file}.sql` of source `{name}` cannot name a row: use lower-case letters, digits and `_`"
    )]
    Further {
        /// The source.
        name: String,
        /// The name of the file, without its ending.
        file: String,
    },
    /// `source.toml` is not TOML, lacks a key, or has one that is not known.
    #[error("cannot read `source.toml` of source `{name}`")]
    Toml {
        /// The source.
        name: String,
        /// Line and reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A key has no content.
    #[error("`{key}` of source `{name}` is empty: {hint}")]
    Empty {
        /// The source.
        name: String,
        /// The key, or `normalize.sql`.
        key: String,
        /// What belongs there.
        hint: &'static str,
    },
    /// An unknown category.
    #[error("`category` of source `{name}` is `{category}`: use one of {}", CATEGORIES.join(", "))]
    Category {
        /// The source.
        name: String,
        /// What was given.
        category: String,
    },
    /// A path that cannot be read.
    #[error("`{key}` of source `{name}` is not a path: `{path}`")]
    Path {
        /// The source.
        name: String,
        /// The key.
        key: String,
        /// What was given.
        path: String,
        /// Why not.
        #[source]
        source: PathError,
    },
    /// Arrays of records that cannot be followed.
    #[error(
        "`{key}` of source `{name}` is `{path}`: write the members that lead to the array, with `[*]` after each array around it, such as `a[*].b`"
    )]
    Each {
        /// The source.
        name: String,
        /// The key.
        key: String,
        /// What was given.
        path: String,
    },
    /// A separator that is none.
    #[error(
        "`format[{index}].separator` of source `{name}` is `{separator}`: use one ASCII character, such as `,` or `\\t`, and neither a quote nor a line end"
    )]
    Separator {
        /// The source.
        name: String,
        /// The format, from 0.
        index: usize,
        /// What was given.
        separator: String,
    },
    /// A field of an outer object before one of the record.
    #[error(
        "`fields.{field}` of source `{name}` asks an object around the record first: put the paths without `_parent`, or with fewer of them, before"
    )]
    OuterFirst {
        /// The source.
        name: String,
        /// The alias.
        field: String,
    },
    /// A pattern that cannot be compiled.
    #[error("`{key}` of source `{name}` is not a pattern; see the syntax of the crate `regex`")]
    Pattern {
        /// The source.
        name: String,
        /// The key.
        key: String,
        /// Why not.
        #[source]
        source: Box<regex::Error>,
    },
    /// A stage that looks into what is known only when its record is done.
    #[error(
        "`match[{index}].field` of source `{name}` is `{field}`, which no pattern can look into: take it apart in the SQL"
    )]
    NoText {
        /// The source.
        name: String,
        /// The stage, from 0.
        index: usize,
        /// What was given.
        field: String,
    },
    /// A stage that is told two ways to look into its field, or none.
    #[error("`match[{index}]` of source `{name}` needs one of `patterns`, `pairs` and `every`")]
    Look {
        /// The source.
        name: String,
        /// The stage, from 0.
        index: usize,
    },
    /// A stage behind the one that gives rows.
    #[error(
        "`match[{index}]` of source `{name}` stands behind one with `every`: put that last, and only one"
    )]
    BehindEvery {
        /// The source.
        name: String,
        /// The stage, from 0.
        index: usize,
    },
    /// An alias with the name of a field that every record has.
    #[error(
        "`fields.{field}` of source `{name}` takes the name of a field that every record has: choose another"
    )]
    Reserved {
        /// The source.
        name: String,
        /// The name.
        field: String,
    },
    /// An alias with too many paths.
    #[error("`fields.{field}` of source `{name}` has more than {ALIAS_PATHS_MAX} paths")]
    TooManyPaths {
        /// The source.
        name: String,
        /// The alias.
        field: String,
    },
    /// A field that no format of the source can give.
    #[error(
        "source `{name}` names the field `{field}`, which is neither a path nor a capture of its patterns nor in `[fields]`"
    )]
    UnknownField {
        /// The source.
        name: String,
        /// The field.
        field: String,
    },
    /// Two sources of one name.
    #[error("there are two sources named `{name}`: rename one of the folders")]
    Duplicate {
        /// The name.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceToml {
    title: String,
    category: String,
    #[serde(default)]
    blind_spots: Vec<String>,
    delay: Option<String>,
    #[serde(default)]
    generic: bool,
    #[serde(default)]
    detect: DetectToml,
    #[serde(default)]
    format: Vec<FormatToml>,
    #[serde(default)]
    fields: BTreeMap<String, Vec<String>>,
    #[serde(default, rename = "match")]
    stages: Vec<MatchToml>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DetectToml {
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    exclude_fields: Vec<String>,
    line: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    before: Vec<String>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum FormatToml {
    Json {
        #[serde(default)]
        records: Vec<String>,
        #[serde(default)]
        each: Vec<String>,
        #[serde(default)]
        unwrap: Vec<String>,
        #[serde(default)]
        fold_case: bool,
        #[serde(default)]
        byte_arrays: bool,
        #[serde(default)]
        repeats: Vec<String>,
    },
    Delimited {
        separator: Option<String>,
        columns: Option<Vec<String>>,
        #[serde(default)]
        fold_case: bool,
    },
    Text {
        pattern: String,
        continuation: Option<String>,
        whole: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchToml {
    field: String,
    patterns: Option<Vec<String>>,
    pairs: Option<PairSyntax>,
    every: Option<String>,
}

impl Source {
    /// Reads a source from the text of its `source.toml` and `normalize.sql`.
    pub fn parse(name: &str, toml: &str, sql: &str) -> Result<Self, SourceError> {
        if !is_name(name) {
            return Err(SourceError::Name { name: name.to_owned() });
        }
        let read: SourceToml = toml::from_str(toml).map_err(|source| SourceError::Toml {
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        let empty = |key: &str, hint| {
            Err(SourceError::Empty { name: name.to_owned(), key: key.to_owned(), hint })
        };
        if read.title.trim().is_empty() {
            return empty("title", "say what people call this log");
        }
        if sql.trim().is_empty() {
            return empty("normalize.sql", "write one SELECT from raw");
        }
        if read.format.is_empty() {
            return empty(
                "format",
                "add a [[format]] with kind = \"json\", \"delimited\" or \"text\"",
            );
        }
        if !CATEGORIES.contains(&read.category.as_str()) {
            return Err(SourceError::Category { name: name.to_owned(), category: read.category });
        }
        let formats = read.format.into_iter().enumerate();
        let formats =
            formats.map(|(index, it)| format(name, index, it)).collect::<Result<_, _>>()?;
        let stages = read.stages.into_iter().enumerate();
        let stages: Vec<MatchStage> =
            stages.map(|(index, it)| stage(name, index, it)).collect::<Result<_, _>>()?;
        let every = stages.iter().position(|it| matches!(it.look, Look::Every(_)));
        if let Some(index) = every.map(|it| it + 1).filter(|it| *it < stages.len()) {
            return Err(SourceError::BehindEvery { name: name.to_owned(), index });
        }
        let source = Self {
            name: name.to_owned(),
            title: read.title,
            category: read.category,
            blind_spots: read.blind_spots,
            delay: read.delay,
            generic: read.generic,
            sql: sql.to_owned(),
            further: Vec::new(),
            formats,
            detect: detect(name, read.detect)?,
            fields: aliases(name, read.fields)?,
            stages,
        };
        source.check_fields(&source.helper_fields())?;
        source.check_fields(&source.detect.fields)?;
        source.check_fields(&source.detect.exclude_fields)?;
        Ok(source)
    }

    /// The same source, whose records may give further rows.
    pub fn with_further(mut self, mut further: Vec<FurtherSql>) -> Result<Self, SourceError> {
        further.sort();
        for it in &further {
            let (name, file) = (self.name.clone(), it.name.clone());
            if !is_name(&file) {
                return Err(SourceError::Further { name, file });
            }
            if it.text.trim().is_empty() {
                let hint = "write one SELECT from raw, or remove the file";
                return Err(SourceError::Empty { name, key: format!("{file}.sql"), hint });
            }
        }
        self.further = further;
        Ok(self)
    }

    /// Whether one of its records may be several rows, numbered by the field [`ROW_NUMBER`].
    pub fn gives_several_rows(&self) -> bool {
        self.stages.last().is_some_and(|it| matches!(it.look, Look::Every(_)))
    }

    /// Refuses fields that no format of this source can give, such as a misspelt
    /// capture of a log without JSON.
    pub fn check_fields(&self, fields: &[String]) -> Result<(), SourceError> {
        let captures = self.captures();
        // The names of columns in a header, too, are known only when a file is read.
        let has_names = self.formats.iter().any(|it| match it {
            Format::Json { .. } => true,
            Format::Delimited { columns, .. } => columns.is_none(),
            Format::Text { .. } => false,
        });
        for field in fields {
            let known = PSEUDO_FIELDS.contains(&field.as_str())
                || self.fields.contains_key(field)
                || captures.contains(field.as_str())
                || FieldPath::parse(field).is_ok_and(|it| {
                    has_names || self.stages.iter().any(|at| at.key(&it).is_some())
                });
            if !known {
                return Err(SourceError::UnknownField {
                    name: self.name.clone(),
                    field: field.clone(),
                });
            }
        }
        Ok(())
    }

    /// Fields that the match stages read, each once.
    pub(crate) fn helper_fields(&self) -> Vec<String> {
        let fields: BTreeSet<&String> = self.stages.iter().map(|it| &it.field).collect();
        fields.into_iter().cloned().collect()
    }

    /// Whether a stage may set this field, which then need not be a member of a record.
    pub(crate) fn may_capture(&self, field: &str) -> bool {
        let pairs = self.stages.iter().any(|it| matches!(it.look, Look::Pairs(_)));
        pairs || self.captures().contains(field)
    }

    /// Names of all captures of all patterns.
    fn captures(&self) -> BTreeSet<&str> {
        let texts = self.formats.iter().filter_map(|it| match it {
            Format::Text { pattern, .. } => Some(&pattern.0),
            _ => None,
        });
        let columns = self.formats.iter().filter_map(|it| match it {
            Format::Delimited { columns: Some(columns), .. } => Some(columns),
            _ => None,
        });
        let columns = columns.flatten().map(String::as_str);
        let stages = self.stages.iter().flat_map(MatchStage::patterns);
        texts.chain(stages).flat_map(Pattern::capture_names).chain(columns).collect()
    }
}

fn format(name: &str, index: usize, read: FormatToml) -> Result<Format, SourceError> {
    match read {
        FormatToml::Json { records, each, unwrap, fold_case, byte_arrays, repeats } => {
            let key = format!("format[{index}].each");
            let each = each.iter().map(|it| arrays(name, &key, it)).collect::<Result<_, _>>()?;
            let key = format!("format[{index}].unwrap");
            let unwrap = unwrap.iter().map(|it| path(name, &key, it)).collect::<Result<_, _>>()?;
            Ok(Format::Json { records, each, unwrap, fold_case, byte_arrays, repeats })
        }
        FormatToml::Delimited { separator, columns, fold_case } => {
            if columns.as_ref().is_some_and(Vec::is_empty) {
                let key = format!("format[{index}].columns");
                let hint =
                    "name the columns in their order, or leave it out if the first line does";
                return Err(SourceError::Empty { name: name.to_owned(), key, hint });
            }
            let separator = separator.unwrap_or_else(|| ",".to_owned());
            let separator = one_separator(&separator).ok_or_else(|| SourceError::Separator {
                name: name.to_owned(),
                index,
                separator: separator.escape_default().to_string(),
            })?;
            Ok(Format::Delimited { separator, columns, fold_case })
        }
        FormatToml::Text { pattern, continuation, whole } => {
            let key = |it: &str| format!("format[{index}].{it}");
            let pattern = compile(name, &key("pattern"), &pattern)?;
            let pattern_of = |it: &str, text: String| compile(name, &key(it), &text);
            let whole = whole.map(|it| pattern_of("whole", it)).transpose()?;
            let line = continuation.map(|it| pattern_of("continuation", it)).transpose()?;
            let continuation = line.map(|line| Box::new(Continuation { line, whole }));
            Ok(Format::Text { pattern: TextPattern(pattern), continuation })
        }
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    !name.is_empty() && name.chars().all(allowed)
}

/// A line without what ends it.
fn without_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|it| !matches!(it, b'\r' | b'\n' | 0));
    &line[..end.map_or(0, |it| it + 1)]
}

fn one_separator(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [one] if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r' | 0) => Some(*one),
        _ => None,
    }
}

fn arrays(name: &str, key: &str, text: &str) -> Result<NestedArrays, SourceError> {
    let levels = path(name, key, text)?.arrays().ok_or_else(|| SourceError::Each {
        name: name.to_owned(),
        key: key.to_owned(),
        path: text.to_owned(),
    })?;
    Ok(NestedArrays(levels))
}

fn stage(name: &str, index: usize, read: MatchToml) -> Result<MatchStage, SourceError> {
    if read.field != "_line" && PSEUDO_FIELDS.contains(&read.field.as_str()) {
        return Err(SourceError::NoText { name: name.to_owned(), index, field: read.field });
    }
    let look = match (read.patterns, read.pairs, read.every) {
        (Some(patterns), None, None) => {
            let patterns = patterns.iter().enumerate();
            let patterns = patterns
                .map(|(at, it)| compile(name, &format!("match[{index}].patterns[{at}]"), it))
                .collect::<Result<_, _>>()?;
            Look::Patterns(patterns)
        }
        (None, Some(pairs), None) => Look::Pairs(pairs),
        (None, None, Some(every)) => {
            Look::Every(compile(name, &format!("match[{index}].every"), &every)?)
        }
        _ => return Err(SourceError::Look { name: name.to_owned(), index }),
    };
    Ok(MatchStage { field: read.field, look })
}

fn detect(name: &str, read: DetectToml) -> Result<Detect, SourceError> {
    let line = match &read.line {
        Some(line) => Some(TextPattern(compile(name, "detect.line", line)?)),
        None => None,
    };
    let DetectToml { fields, exclude_fields, names, before, .. } = read;
    Ok(Detect { fields, exclude_fields, line, names, before })
}

fn aliases(
    name: &str,
    read: BTreeMap<String, Vec<String>>,
) -> Result<BTreeMap<String, Vec<FieldPath>>, SourceError> {
    let mut aliases = BTreeMap::new();
    for (field, paths) in read {
        let key = format!("fields.{field}");
        if PSEUDO_FIELDS.contains(&field.as_str()) {
            return Err(SourceError::Reserved { name: name.to_owned(), field });
        }
        if paths.is_empty() {
            let hint = "list the paths where this field may stand";
            return Err(SourceError::Empty { name: name.to_owned(), key, hint });
        }
        if paths.len() > ALIAS_PATHS_MAX {
            return Err(SourceError::TooManyPaths { name: name.to_owned(), field });
        }
        let paths: Vec<FieldPath> =
            paths.iter().map(|it| path(name, &key, it)).collect::<Result<_, _>>()?;
        if !paths.is_sorted_by_key(|it| it.outward().0) {
            return Err(SourceError::OuterFirst { name: name.to_owned(), field });
        }
        aliases.insert(field, paths);
    }
    Ok(aliases)
}

fn path(name: &str, key: &str, text: &str) -> Result<FieldPath, SourceError> {
    FieldPath::parse(text).map_err(|source| SourceError::Path {
        name: name.to_owned(),
        key: key.to_owned(),
        path: text.to_owned(),
        source,
    })
}

fn compile(name: &str, key: &str, text: &str) -> Result<Pattern, SourceError> {
    Pattern::new(text).map_err(|source| SourceError::Pattern {
        name: name.to_owned(),
        key: key.to_owned(),
        source: Box::new(source),
    })
}

#[cfg(test)]
mod tests;
