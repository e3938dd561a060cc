//! Nothing that a source names can be dropped unseen: without a field of its SQL, a path of
//! an alias, a pattern or a format, some fixture becomes other rows.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use lastuse_ingest::event::{NO_NUMBER, Text};
use lastuse_ingest::normalize::Normalizer;
use lastuse_ingest::protect::{InputFacts, Protector};
use lastuse_ingest::segment::Segment;
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::redact::Redactor;
use lastuse_sources::{
    Catalog, Extracted, FileContext, FurtherSql, Limits, RecordReader, Resume, Sample, Source,
    columns, decode,
};

/// Texts of a row that are no columns of `events`.
const BESIDE: [Text; 3] = [Text::IssuedKind, Text::TargetKind, Text::VersionEvidence];
/// Put before a pattern, it leaves its captures and matches nothing.
const NEVER: &str = "[a&&b]";

/// The time of files whose log tells the year.
const FILE_TIME: &str = "2026-03-31T00:00:00Z";

/// One source as its folder says, and its fixtures.
struct Subject {
    name: String,
    toml: String,
    sql: String,
    further: Vec<FurtherSql>,
    /// Each with the time of its file.
    inputs: Vec<(PathBuf, String)>,
}

/// The records of one input: a column per field, and how many could not be read.
#[derive(Clone, PartialEq)]
struct Records {
    format: usize,
    extracted: Extracted,
    numbers: Vec<u64>,
    rejects: usize,
}

/// What they became: rows of `events`, and what stands beside them.
type Rows = (RecordBatch, Vec<Option<String>>, usize);

fn folders(of: &Path) -> Vec<PathBuf> {
    let list = fs::read_dir(of).unwrap_or_else(|error| panic!("{}: {error}", of.display()));
    let mut all: Vec<PathBuf> = list.map(|it| it.expect("an entry").path()).collect();
    all.sort();
    all
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

fn subject(folder: &Path) -> Subject {
    let name = file_name(folder);
    let text = |file: &str| fs::read_to_string(folder.join(file)).expect("a file of a source");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(&name);
    let inputs = folders(&fixtures).into_iter().filter(|it| it.is_dir()).map(|case| {
        let input = folders(&case).into_iter().find(|it| file_name(it).starts_with("input."));
        let counts = fs::read_to_string(case.join("counts.json")).expect("the counts");
        let counts: serde_json::Value = serde_json::from_str(&counts).expect("JSON");
        let time = counts["file_time"].as_str().unwrap_or(FILE_TIME).to_owned();
        (input.expect("an input"), time)
    });
    let further = folders(folder).into_iter().filter_map(|it| {
        let name = file_name(&it).strip_suffix(".sql").filter(|it| *it != "normalize")?.to_owned();
        let text = fs::read_to_string(it).expect("a file of a source");
        Some(FurtherSql { name, text })
    });
    Subject {
        further: further.collect(),
        toml: text("source.toml"),
        sql: text("normalize.sql"),
        inputs: inputs.collect(),
        name,
    }
}

impl Subject {
    /// The source, described by `toml` instead.
    fn described(&self, toml: &str) -> Source {
        let source = Source::parse(&self.name, toml, &self.sql).expect("a source");
        source.with_further(self.further.clone()).expect("its further rows")
    }

    /// The records of all inputs.
    fn read(&self, source: &Arc<Source>, fields: &[String]) -> Vec<Records> {
        self.inputs.iter().map(|it| records(source, fields, &it.0, &it.1)).collect()
    }

    fn rows(&self, normalizer: &Normalizer, records: &Records) -> Rows {
        let key = Arc::new(FingerprintKey::from_bytes(&[7; 32]));
        let redactor = Arc::new(Redactor::new(FingerprintKey::from_bytes(&[7; 32]), []));
        let mut protector = Protector::new(key, redactor, [0; 16], [0; 16]);
        let facts = InputFacts {
            source: self.name.clone(),
            category: String::new(),
            scope: String::new(),
            file_uid: String::new(),
        };
        let rows = protector
            .protect(normalizer, records.extracted.clone(), &facts)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let timed = |row: &u32| rows.event_times[*row as usize] != NO_NUMBER;
        let kept: Vec<u32> = (0..rows.rows.len() as u32).filter(timed).collect();
        let mut words = Segment::translations();
        words.iter_mut().zip(&rows.values).for_each(|(it, values)| it.learn(values));
        let mut segment = Segment::new();
        segment.extend(&rows, &kept, &records.numbers, &mut words);
        let order: Vec<u32> = (0..kept.len() as u32).collect();
        let beside = (0..kept.len()).flat_map(|row| BESIDE.map(|it| segment.text(it, row)));
        let beside = beside.map(|it| it.map(str::to_owned)).collect();
        (segment.batch(&order), beside, rows.rows.len())
    }

    /// What is dropped without any of the fixtures becoming other rows.
    fn unseen(&self) -> Vec<String> {
        let source = Arc::new(self.described(&self.toml));
        let normalizer = Normalizer::of(&source).expect("the SQL");
        let fields = normalizer.fields();
        let records = self.read(&source, fields);
        let rows: Vec<Rows> = records.iter().map(|it| self.rows(&normalizer, it)).collect();
        let changes = |other: &[Records]| {
            let mut pairs = records.iter().zip(other).zip(&rows);
            pairs.any(|((before, after), rows)| {
                before.rejects != after.rejects
                    || (before != after && *rows != self.rows(&normalizer, after))
            })
        };
        let mut unseen = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            let without: Vec<Records> = records.iter().map(|it| it.without(at)).collect();
            if !changes(&without) {
                unseen.push(format!("field {field}"));
            }
        }
        for (what, source) in self.variants(fields) {
            if !changes(&self.read(&Arc::new(source), fields)) {
                unseen.push(what);
            }
        }
        for format in 0..source.formats.len() {
            if !records.iter().any(|it| it.format == format) {
                unseen.push(format!("format {format}"));
            }
        }
        unseen.into_iter().map(|it| format!("{}: {it}", self.name)).collect()
    }

    /// The source without one path of an alias, or without one pattern, in turn.
    fn variants(&self, fields: &[String]) -> Vec<(String, Source)> {
        let mut all = Vec::new();
        let toml: toml::Table = self.toml.parse().expect("TOML");
        let texts = |of: &toml::Value| -> Vec<String> {
            let list = of.as_array().expect("a list").iter();
            list.map(|it| it.as_str().expect("a text").to_owned()).collect()
        };
        let stages = toml.get("match").and_then(|it| it.as_array()).cloned().unwrap_or_default();
        let looked_into: Vec<&str> = stages.iter().filter_map(|it| it["field"].as_str()).collect();
        let aliases = toml.get("fields").and_then(|it| it.as_table()).cloned().unwrap_or_default();
        for (alias, paths) in &aliases {
            // Others are only for telling which log it is.
            let is_read = fields.contains(alias) || looked_into.contains(&alias.as_str());
            let paths = texts(paths);
            // In text, the alias's own name is the capture that it stands for.
            let is_capture = self.toml.contains(&format!("(?<{alias}>"));
            let droppable = |at: &usize| is_read && !(is_capture && paths[*at] == *alias);
            for at in (0..paths.len()).filter(|at| paths.len() > 1 && droppable(at)) {
                let mut source = self.described(&self.toml);
                source.fields.get_mut(alias).expect("the alias").remove(at);
                all.push((format!("{alias} from {}", paths[at]), source));
            }
        }
        for pattern in stages.iter().filter_map(|it| it.get("patterns")).flat_map(texts) {
            let written = [pattern.clone(), pattern.replace('\\', r"\\")];
            let written = written.iter().find(|it| self.toml.contains(*it)).expect("the pattern");
            let toml = self.toml.replacen(written, &format!("{NEVER}{written}"), 1);
            all.push((format!("pattern {pattern}"), self.described(&toml)));
        }
        all
    }
}

impl Records {
    fn without(&self, field: usize) -> Self {
        let mut other = self.clone();
        other.extracted.fields[field].texts = None;
        other
    }
}

fn records(source: &Arc<Source>, fields: &[String], input: &Path, time: &str) -> Records {
    let limits = Limits::default();
    let file = File::open(input).expect("the input");
    let mut decoder = decode(Box::new(file), None, &limits).expect("the input is decoded");
    let (head, complete) = decoder.head(1 << 16).expect("the head");
    let sample = Sample { bytes: head, complete, name: &input.to_string_lossy() };
    let (source, format) =
        Catalog::default().detect_as(source, &sample).source.expect("it is named");
    let name = input.to_string_lossy().into_owned();
    let context = FileContext { name, time_text: Some(time.to_owned()) };
    let mut taken = columns(&source, fields);
    let resume = Resume::default();
    let mut reader =
        RecordReader::new(decoder, source, format, fields, context, resume, limits, false)
            .expect("a reader");
    let (mut numbers, mut rejects) = (Vec::new(), 0);
    while let Some(chunk) = reader.read_chunk(&mut taken).expect("the records") {
        numbers.extend(chunk.record_numbers);
        rejects += chunk.rejects.len();
    }
    let mut extracted = taken.finish();
    extracted.fields.truncate(fields.len());
    Records { format, extracted, numbers, rejects }
}

#[test]
fn nothing_that_a_source_names_can_be_dropped_unseen() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../queries/sources");
    let subjects: Vec<Subject> = folders(&sources).iter().map(|it| subject(it)).collect();
    assert!(subjects.len() > 40, "there are only {} sources", subjects.len());
    let unseen: Vec<String> = subjects.iter().flat_map(Subject::unseen).collect();
    assert!(unseen.is_empty(), "no fixture would tell:\n{}", unseen.join("\n"));
}
