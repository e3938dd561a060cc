//! Preview: what a file would become, without storing anything. It is how
//! users check a source that they write.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::redact::Redactor;
use lastuse_sources::{
    Catalog, DecodeError, Extracted, FileContext, Limits, ReadError, RecordReader, Reject, Resume,
    Sample, Source, columns,
};

use crate::event::{Identifier, NO_NUMBER, Text};
use crate::normalize::{NormalizeError, Normalizer};
use crate::open::open_file;
use crate::protect::{InputFacts, Protector};
use crate::segment::Segment;

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreviewError {
    /// The file cannot be opened.
    #[error("cannot open the file")]
    Open(#[from] std::io::Error),
    /// The file cannot be decoded.
    #[error("cannot decode the file")]
    Decode(#[from] DecodeError),
    /// The file cannot be read as its source.
    #[error("cannot read its records")]
    Read(#[from] ReadError),
    /// The source's SQL is wrong.
    #[error("cannot normalize its records")]
    Normalize(#[from] NormalizeError),
    /// There is no source of that name.
    #[error("there is no source called `{name}`; `lastuse sources list` shows them")]
    UnknownSource {
        /// What was asked for.
        name: String,
    },
}

/// What the head of a file becomes.
#[derive(Debug, Default)]
pub struct Preview {
    /// The source it is taken for.
    pub source: Option<String>,
    /// Why.
    pub reason: String,
    /// Sources that it is not, and why.
    pub tried: Vec<(String, String)>,
    /// How many records were looked at.
    pub records: u64,
    /// How many became rows.
    pub row_count: u64,
    /// How many the source's SQL left out.
    pub skipped: u64,
    /// Records that could not be read.
    pub rejects: Vec<Reject>,
    /// Fields that the SQL names and no record has.
    pub missing_fields: Vec<String>,
    /// The first rows, as they would be stored.
    pub rows: Option<RecordBatch>,
    /// The kind, scope and public value behind each fingerprint in the rows.
    pub identifiers: Vec<Identifier>,
    /// Per row of `rows` the kinds of an issued and a target credential.
    pub other_kinds: Vec<(Option<String>, Option<String>)>,
}

/// Reads the first chunk of the file at `path`, and shows up to `limit` rows.
pub fn preview(
    catalog: &Catalog,
    source: Option<&str>,
    path: &Path,
    key: Arc<FingerprintKey>,
    redactor: Arc<Redactor>,
    limit: usize,
) -> Result<Preview, PreviewError> {
    let limits = Limits::default();
    let metadata = std::fs::metadata(path)?;
    let mut decoder = open_file(File::open(path)?, metadata.len(), &limits)?;
    let (head, complete) = decoder.head(lastuse_sources::catalog::SAMPLE_BYTES)?;
    let name = path.to_string_lossy();
    let sample = Sample { bytes: head, complete, name: &name };
    let detection = match source {
        Some(name) => {
            let source = catalog
                .get(name)
                .ok_or_else(|| PreviewError::UnknownSource { name: name.to_owned() })?;
            catalog.detect_as(source, &sample)
        }
        None => catalog.detect(&sample),
    };
    let mut preview =
        Preview { reason: detection.reason, tried: detection.tried, ..Preview::default() };
    let Some((source, format)) = detection.source else { return Ok(preview) };
    preview.source = Some(source.name.clone());
    let normalizer = Normalizer::of(&source)?;
    let fields = normalizer.fields();
    let context = FileContext {
        name: name.into_owned(),
        time_text: Some(lastuse_model::time::format_time(modified(&metadata))),
    };
    let mut taken = columns(&source, fields);
    let resume = Resume::default();
    let mut reader = RecordReader::new(
        decoder,
        Arc::clone(&source),
        format,
        fields,
        context,
        resume,
        limits,
        false,
    )?;
    let Some(info) = reader.read_chunk(&mut taken)? else { return Ok(preview) };
    let extracted = taken.finish();
    preview.missing_fields = missing(fields, &extracted);
    preview.records = info.records;
    let mut protector = Protector::new(key, redactor, [0; 16], [0; 16]);
    let rows = protector.protect(&normalizer, extracted, &facts(&source))?;
    preview.row_count = rows.rows.len() as u64;
    let first_rows = (0..rows.rows.len()).filter(|it| rows.is_first(*it)).count() as u64;
    preview.skipped = info.records - info.rejects.len() as u64 - first_rows;
    preview.rejects = info.rejects;
    let timed = |row: &u32| rows.event_times[*row as usize] != NO_NUMBER;
    let mut kept: Vec<u32> = (0..rows.rows.len() as u32).filter(timed).collect();
    // All rows of a record together.
    kept.sort_by_key(|it| rows.rows[*it as usize]);
    kept.truncate(limit);
    let mut words = Segment::translations();
    words.iter_mut().zip(&rows.values).for_each(|(it, values)| it.learn(values));
    let mut segment = Segment::new();
    segment.extend(&rows, &kept, &info.record_numbers, &mut words);
    let order: Vec<u32> = (0..kept.len() as u32).collect();
    preview.rows = Some(segment.batch(&order));
    let kind = |text: Text, row: usize| segment.text(text, row).map(str::to_owned);
    preview.other_kinds = (0..kept.len())
        .map(|row| (kind(Text::IssuedKind, row), kind(Text::TargetKind, row)))
        .collect();
    preview.identifiers = rows.identifiers;
    Ok(preview)
}

fn facts(source: &Source) -> InputFacts {
    InputFacts {
        source: source.name.clone(),
        category: source.category.clone(),
        scope: String::new(),
        file_uid: String::new(),
    }
}

fn missing(fields: &[String], extracted: &Extracted) -> Vec<String> {
    let named = fields.iter().zip(&extracted.fields);
    named.filter(|it| it.1.texts.is_none()).map(|it| it.0.clone()).collect()
}

fn modified(metadata: &std::fs::Metadata) -> i64 {
    let since =
        metadata.modified().ok().and_then(|it| it.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |it| it.as_micros() as i64)
}
