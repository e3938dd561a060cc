//! All known sources, and which of them an input is, by its first bytes.
//!
//! Content decides: fields that the first records have, or a line that is typical.
//! The name of the file is asked only where the content leaves a choice, so that a
//! digest file in a folder of audit logs is not taken for one of them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::io::Cursor;
use std::sync::Arc;

use arrow_array::Array;
use hashbrown::HashSet;

use crate::columns::Columns;
use crate::decode::{Limits, continue_plain};
use crate::frame::skip_blank;
use crate::layout::{bind_columns, delimited_layout};
use crate::path::FieldPath;
use crate::reader::{FileContext, RecordReader, Resume, columns, header_names, lines_of_records};
use crate::source::{Format, Source, SourceError};

mod repair;

/// Bytes of the head of an input that are enough to recognise it.
pub const SAMPLE_BYTES: usize = 64 << 10;

/// Records of JSON that are looked at: the first may be of an odd kind.
const RECORDS_MAX: usize = 10;

/// Bytes that hold a typical record or two, and are tried before the whole sample.
const GLANCE_BYTES: usize = 8 << 10;

/// Lines of text that are looked at.
const LINES_MAX: usize = 200;

/// Rank of delimited text: above a pattern that matches any line.
const SHAPED_RANK: usize = LINES_MAX + 3;

/// Bytes of each of them.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Sources by name, the generic ones last.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    sources: Vec<Arc<Source>>,
}

/// The head of an input.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Its first decoded bytes, about `SAMPLE_BYTES`.
    pub bytes: &'a [u8],
    /// They are all there is.
    pub complete: bool,
    /// Name of the file, with or without its folders.
    pub name: &'a str,
}

/// Which source an input is, and why.
#[derive(Debug, Clone)]
pub struct Detection {
    /// The source and the index of its format, if one was found.
    pub source: Option<(Arc<Source>, usize)>,
    /// Why, for people; holds nothing of the content.
    pub reason: String,
    /// Sources that it is not, each with the reason.
    pub tried: Vec<(String, String)>,
}

/// A sample, and what several sources ask of it.
struct Head<'a> {
    sample: Sample<'a>,
    is_json: bool,
    lines: OnceCell<Vec<Cow<'a, str>>>,
    closed: OnceCell<Vec<u8>>,
    quoted: OnceCell<HashSet<&'a [u8]>>,
}

impl<'a> Head<'a> {
    fn new(sample: &Sample<'a>) -> Self {
        let is_json = looks_like_json(sample.bytes);
        Self {
            sample: *sample,
            is_json,
            lines: OnceCell::new(),
            closed: OnceCell::new(),
            quoted: OnceCell::new(),
        }
    }

    /// Its first lines.
    fn lines(&self) -> &[Cow<'a, str>] {
        self.lines.get_or_init(|| first_lines(&self.sample).take(LINES_MAX).collect())
    }

    /// Its JSON, with what the cut left open closed.
    fn closed(&self) -> &[u8] {
        self.closed.get_or_init(|| repair::close(self.sample.bytes))
    }

    /// What stands between two quotes, up to a backslash: the names of members, and those of
    /// JSON inside of a text, among all else.
    fn quoted(&self) -> &HashSet<&'a [u8]> {
        self.quoted.get_or_init(|| {
            let bytes = self.sample.bytes;
            let mut from = 0;
            let pieces = memchr::memchr_iter(b'"', bytes).map(|quote| {
                let piece = &bytes[from..quote];
                from = quote + 1;
                let end = piece.iter().position(|it| *it == b'\\').unwrap_or(piece.len());
                &piece[..end]
            });
            pieces.collect()
        })
    }
}

/// What the content tells about one source.
enum Verdict {
    /// It is of this kind; the number tells how much speaks for it.
    Match {
        format: usize,
        strength: usize,
    },
    /// It may be.
    Unsure {
        format: usize,
        why: String,
    },
    No(String),
}

impl Catalog {
    /// Sorts the sources. Two of one name are refused.
    pub fn new(sources: Vec<Source>) -> Result<Self, SourceError> {
        let mut sources: Vec<Arc<Source>> = sources.into_iter().map(Arc::new).collect();
        sources.sort_by(|a, b| (a.generic, &a.name).cmp(&(b.generic, &b.name)));
        let mut names: Vec<&str> = sources.iter().map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|it| it[0] == it[1]) {
            Some(twice) => Err(SourceError::Duplicate { name: twice[0].to_owned() }),
            None => Ok(Self { sources }),
        }
    }

    /// The source of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources.iter().find(|it| it.name == name)
    }

    /// All sources, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.sources.iter()
    }

    /// The format of an input that is said to be of `source`: the one that fits best,
    /// or else the first of its kind.
    pub fn detect_as(&self, source: &Arc<Source>, sample: &Sample<'_>) -> Detection {
        let head = Head::new(sample);
        let format = match judge(source, &head) {
            Verdict::Match { format, .. } | Verdict::Unsure { format, .. } => format,
            Verdict::No(_) => {
                let fits = |it: &Format| matches!(it, Format::Json { .. }) == head.is_json;
                source.formats.iter().position(fits).unwrap_or(0)
            }
        };
        Detection {
            source: Some((Arc::clone(source), format)),
            reason: "it was named".to_owned(),
            tried: Vec::new(),
        }
    }

    /// Finds the source of an input, and the format of that source.
    pub fn detect(&self, sample: &Sample<'_>) -> Detection {
        let mut tried = Vec::new();
        if skip_blank(sample.bytes, 0) == sample.bytes.len() {
            let reason =
                if sample.complete { "it is empty" } else { "nothing of it could be decoded" };
            return Detection { source: None, reason: reason.to_owned(), tried };
        }
        let head = Head::new(sample);
        for generic in [false, true] {
            let sources = self.sources.iter().filter(|it| it.generic == generic);
            let verdicts: Vec<_> = sources.map(|it| (it, judge(it, &head))).collect();
            let outcome = choose(&verdicts, sample.name);
            tried.extend(verdicts.iter().filter_map(|(source, verdict)| match verdict {
                Verdict::Match { .. } => None,
                Verdict::Unsure { why, .. } | Verdict::No(why) => {
                    Some((source.name.clone(), why.clone()))
                }
            }));
            match outcome {
                Some(Ok((source, format, reason))) => {
                    tried.retain(|(name, _)| *name != source.name);
                    return Detection { source: Some((source, format)), reason, tried };
                }
                Some(Err(reason)) => return Detection { source: None, reason, tried },
                None => {}
            }
        }
        let reason = "its content is not that of any known source".to_owned();
        Detection { source: None, reason, tried }
    }
}

/// The one source that the verdicts speak for: an error if they speak for several,
/// none if for none.
#[expect(clippy::type_complexity, reason = "used once, right above")]
fn choose(
    verdicts: &[(&Arc<Source>, Verdict)],
    name: &str,
) -> Option<Result<(Arc<Source>, usize, String), String>> {
    let matches = verdicts.iter().filter_map(|(source, verdict)| match verdict {
        Verdict::Match { format, strength } => {
            Some((*source, *format, (has_name(source, name), *strength)))
        }
        _ => None,
    });
    let mut matches: Vec<_> = matches.collect();
    let preferred = matches.iter().flat_map(|it| it.0.detect.before.clone());
    let general: Vec<String> = preferred.collect();
    matches.retain(|it| !general.contains(&it.0.name));
    if let Some(best) = matches.iter().map(|it| it.2).max() {
        let found: Vec<_> = matches.iter().filter(|it| it.2 == best).collect();
        let by_name = matches.len() > 1 && best.0;
        let reason = if by_name { "its content and name" } else { "its content" };
        return Some(only(found.iter().map(|it| (it.0, it.1)), reason));
    }
    let named = verdicts.iter().filter_map(|(source, verdict)| match verdict {
        Verdict::Unsure { format, .. } if has_name(source, name) => Some((*source, *format)),
        _ => None,
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        None
    } else {
        Some(only(named.into_iter(), "its name, which its content allows"))
    }
}

fn only<'a>(
    found: impl Iterator<Item = (&'a Arc<Source>, usize)>,
    reason: &str,
) -> Result<(Arc<Source>, usize, String), String> {
    let found: Vec<_> = found.collect();
    match found.as_slice() {
        [(source, format)] => Ok((Arc::clone(source), *format, reason.to_owned())),
        several => {
            let names: Vec<_> = several.iter().map(|it| it.0.name.as_str()).collect();
            Err(format!("it may be any of {}: name the source", names.join(", ")))
        }
    }
}

/// What the content tells about a source: the best of what its formats tell.
fn judge(source: &Arc<Source>, head: &Head<'_>) -> Verdict {
    let mut best: Option<(usize, Verdict)> = None;
    for (index, format) in source.formats.iter().enumerate() {
        let (rank, verdict) = match format {
            Format::Json { fold_case, .. } => judge_json(source, index, *fold_case, head),
            Format::Text { .. } => judge_text(source, index, head),
            Format::Delimited { separator, columns, fold_case } => match columns {
                Some(columns) => judge_columns(source, index, (*separator, columns.len()), head),
                None => judge_header(source, index, (*separator, *fold_case), head),
            },
        };
        if best.as_ref().is_none_or(|it| rank > it.0) {
            best = Some((rank, verdict));
        }
    }
    best.map_or_else(|| Verdict::No("it has no format".to_owned()), |it| it.1)
}

fn looks_like_json(bytes: &[u8]) -> bool {
    matches!(bytes.get(skip_blank(bytes, 0)), Some(b'{' | b'['))
}

/// Ranks of verdicts: no is 0, unsure 1, a match more.
fn judge_json(
    source: &Arc<Source>,
    format: usize,
    fold_case: bool,
    head: &Head<'_>,
) -> (usize, Verdict) {
    let no = |why: String| (0, Verdict::No(why));
    let unsure = |why: &str| (1, Verdict::Unsure { format, why: why.to_owned() });
    let fields = &source.detect.fields;
    let sample = &head.sample;
    if !head.is_json {
        return no("it is not JSON".to_owned());
    }
    if fields.is_empty() {
        return match &source.detect.line {
            Some(line) if head.lines().iter().any(|it| line.0.is_match(it)) => {
                (2, Verdict::Match { format, strength: 1 })
            }
            Some(_) => no("none of its first lines is typical".to_owned()),
            None => unsure("its content is not asked"),
        };
    }
    let lacks = |field: &str| format!("its first records have no field `{field}`");
    let absent = fields.iter().find(|it| !fold_case && !may_hold(source, it, head));
    if let Some(field) = absent
        && (sample.complete || !has_name(source, sample.name))
    {
        return no(lacks(field));
    }
    let found = (2 + fields.len(), Verdict::Match { format, strength: fields.len() });
    let is_found =
        |rows: &[Row]| rows.iter().any(|it| it.missing.is_none() && it.excluded.is_none());
    let glance = sample.bytes.get(..GLANCE_BYTES);
    let glance = glance.map(|it| read_rows(source, format, it)).unwrap_or_default();
    if is_found(&glance) {
        return found;
    }
    let whole = match glance.len() < RECORDS_MAX {
        true => read_rows(source, format, sample.bytes),
        false => glance,
    };
    let is_cut = whole.is_empty() && !sample.complete;
    let rows = if is_cut { read_rows(source, format, head.closed()) } else { whole };
    if is_found(&rows) {
        return found;
    }
    match rows.iter().find(|it| it.missing.is_none()).or(rows.first()) {
        Some(Row { missing: None, excluded: Some(field) }) => {
            no(format!("its records have the field `{field}`"))
        }
        _ if is_cut => unsure("its first record is cut off"),
        Some(Row { missing: Some(field), .. }) => no(lacks(field)),
        _ => no("none of its first records can be read".to_owned()),
    }
}

/// What one record has and lacks.
struct Row {
    missing: Option<String>,
    excluded: Option<String>,
}

/// Reads the first records of a sample, for the fields that tell the source.
fn read_rows(source: &Arc<Source>, format: usize, bytes: &[u8]) -> Vec<Row> {
    let detect = &source.detect;
    let fields: Vec<String> = detect.fields.iter().chain(&detect.exclude_fields).cloned().collect();
    let limits = Limits {
        chunk_bytes: bytes.len().max(1),
        chunk_records: RECORDS_MAX,
        max_record_bytes: bytes.len(),
        ..Limits::default()
    };
    let decoder = continue_plain(Box::new(Cursor::new(bytes.to_vec())), &limits);
    let context = FileContext::default();
    let mut columns: Columns = columns(source, &fields);
    let reader = RecordReader::new(
        decoder,
        Arc::clone(source),
        format,
        &fields,
        context,
        Resume::default(),
        limits,
        true,
    );
    let Ok(mut reader) = reader else { return Vec::new() };
    if !matches!(reader.read_chunk(&mut columns), Ok(Some(_))) {
        return Vec::new();
    }
    let rows = columns.len();
    let arrays = columns.finish().arrays();
    let find = |row: usize, from: usize, names: &[String], wanted: bool| {
        let mut names = names.iter().enumerate();
        names
            .find(|(index, _)| arrays[from + index].is_valid(row) == wanted)
            .map(|(_, name)| name.clone())
    };
    let row = |row| Row {
        missing: find(row, 0, &detect.fields, false),
        excluded: find(row, detect.fields.len(), &detect.exclude_fields, true),
    };
    (0..rows).map(row).collect()
}

/// Whether all member names of one of a field's paths stand among the quoted texts: a glance that
/// saves reading the sample for most sources that it is not.
fn may_hold(source: &Source, field: &str, head: &Head<'_>) -> bool {
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-' || it == '@';
    let stands = |name: &str| !name.chars().all(plain) || head.quoted().contains(name.as_bytes());
    let may_stand = |path: &FieldPath| path.members().all(stands);
    match source.fields.get(field) {
        _ if source.may_capture(field) => true,
        Some(paths) => paths.iter().any(may_stand),
        None => FieldPath::parse(field).is_ok_and(|it| may_stand(&it)),
    }
}

/// Delimited text with a header is told by the names of its columns.
fn judge_header(
    source: &Source,
    format: usize,
    (separator, fold_case): (u8, bool),
    head: &Head<'_>,
) -> (usize, Verdict) {
    let no = |why: String| (0, Verdict::No(why));
    if head.is_json {
        return no("it is not delimited text".to_owned());
    }
    let names = header_names(separator, head.sample.bytes).unwrap_or_default();
    let has = |field: &String| {
        let layout = delimited_layout(source, std::slice::from_ref(field));
        !bind_columns(&layout, &names, fold_case).is_empty()
    };
    let detect = &source.detect;
    if let Some(field) = detect.fields.iter().find(|it| !has(it)) {
        return no(format!("its first line names no column `{field}`"));
    }
    if let Some(field) = detect.exclude_fields.iter().find(|it| has(it)) {
        return no(format!("its first line names the column `{field}`"));
    }
    match detect.fields.len() {
        0 => (1, Verdict::Unsure { format, why: "its columns are not asked".to_owned() }),
        count => (SHAPED_RANK, Verdict::Match { format, strength: count }),
    }
}

/// Delimited text without a header is told by a typical line, and by records of the
/// right length.
fn judge_columns(
    source: &Source,
    format: usize,
    (separator, columns): (u8, usize),
    head: &Head<'_>,
) -> (usize, Verdict) {
    let no = |why: &str| (0, Verdict::No(why.to_owned()));
    if head.is_json {
        return no("it is not delimited text");
    }
    let (lines, of_records) =
        lines_of_records(separator, columns, head.sample.bytes, head.sample.complete);
    if of_records * 2 <= lines {
        return no("few of its first lines have that many columns");
    }
    match &source.detect.line {
        Some(typical) if head.lines().iter().any(|it| typical.0.is_match(it)) => {
            (SHAPED_RANK, Verdict::Match { format, strength: 1 })
        }
        Some(_) => no("none of the first lines is typical"),
        None => (1, Verdict::Unsure { format, why: "its content is not asked".to_owned() }),
    }
}

fn judge_text(source: &Source, format: usize, head: &Head<'_>) -> (usize, Verdict) {
    let no = |why: &str| (0, Verdict::No(why.to_owned()));
    let unsure = |why: &str| (1, Verdict::Unsure { format, why: why.to_owned() });
    let Some(Format::Text { pattern, continuation }) = source.formats.get(format) else {
        return no("it is not text");
    };
    let is_shaped = |line: &str| {
        pattern.0.is_match(line)
            || continuation.as_ref().is_some_and(|it| it.continues(line.as_bytes()))
    };
    let lines = head.lines();
    let count_shaped = || lines.iter().filter(|it| is_shaped(it)).count();
    let matched = |shaped| (2 + shaped, Verdict::Match { format, strength: 1 });
    if !lines.iter().any(|it| is_shaped(it)) {
        return no("its pattern matches none of the first lines");
    }
    match &source.detect.line {
        Some(typical) if lines.iter().any(|it| typical.0.is_match(it)) => matched(count_shaped()),
        Some(_) => unsure("none of the first lines is typical"),
        None if source.detect.fields.is_empty() && !source.detect.names.is_empty() => {
            unsure("its content is not asked")
        }
        None => match count_shaped() {
            shaped if shaped * 2 > lines.len() => matched(shaped),
            _ => no("its pattern matches few of the first lines"),
        },
    }
}

/// The first lines that are not blank; the last one is left out if it may be cut.
fn first_lines<'a>(sample: &Sample<'a>) -> impl Iterator<Item = Cow<'a, str>> {
    let bytes = sample.bytes;
    let end = match memchr::memrchr(b'\n', bytes) {
        Some(last) if !sample.complete => last,
        _ => bytes.len(),
    };
    let mut rest = Some(&bytes[..end]);
    let lines = std::iter::from_fn(move || {
        let from = rest.take()?;
        let line = memchr::memchr(b'\n', from).unwrap_or(from.len());
        rest = from.get(line + 1..);
        Some(&from[..line])
    });
    let lines = lines.map(|it| it.trim_ascii_end()).map(|it| {
        let zeros = it.iter().take_while(|byte| **byte == 0).count();
        &it[zeros..it.len().min(zeros + LINE_BYTES_MAX)]
    });
    lines.filter(|it| !it.is_empty()).map(String::from_utf8_lossy)
}

/// Whether the name of the file is one that the source uses.
fn has_name(source: &Source, name: &str) -> bool {
    source.detect.names.iter().any(|glob| matches_name(glob, name))
}

/// Whether a file name matches a pattern of `*` and `?`, without regard to case. A
/// pattern with a slash is matched against the whole path, else against its last part.
fn matches_name(glob: &str, name: &str) -> bool {
    let name = if glob.contains('/') { name } else { name.rsplit('/').next().unwrap_or(name) };
    let (glob, name) = (glob.to_lowercase(), name.to_lowercase());
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    // Where the last `*` stands, and what it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(it) if *it == '?' || *it == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => match star {
                Some((star_at, taken)) => {
                    star = Some((star_at, taken + 1));
                    at = star_at + 1;
                    in_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    glob[at..].iter().all(|it| *it == '*')
}

#[cfg(test)]
mod tests;
