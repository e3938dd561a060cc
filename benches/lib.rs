//! What the benchmarks share: a made-up estate's logs, and reading them.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lastuse_estate::{EstateConfig, LogSource, generate};
use lastuse_ingest::catalog;
use lastuse_ingest::normalize::Normalizer;
use lastuse_sources::{
    Catalog, Extracted, FileContext, Limits, RecordReader, Resume, Sample, Source, columns, decode,
};

/// Logs of one source of an estate, all files of it put one after another.
pub struct Logs {
    /// The decoded text.
    pub bytes: Vec<u8>,
    /// The source that reads it.
    pub source: Arc<Source>,
    /// Which of the source's formats it has.
    pub format: usize,
}

/// About `events` events of `source` as plain lines.
///
/// # Panics
/// When the estate cannot be written to a temporary folder.
pub fn logs(source: LogSource, events: u64) -> Logs {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = EstateConfig::bench(events).with_sources(&[source]);
    config.cloudtrail_plain_ndjson = true;
    generate(&config, folder.path()).expect("an estate");
    let mut bytes = Vec::new();
    for path in files(&folder.path().join("logs")) {
        let file = std::fs::read(&path).expect("a log file");
        let limits = Limits::default();
        let mut decoder =
            decode(Box::new(Cursor::new(file)), None, &limits).expect("a log that decodes");
        std::io::Read::read_to_end(&mut decoder, &mut bytes).expect("a log that decodes");
    }
    let catalog: Catalog = catalog::load(&[]).expect("the built-in sources");
    let sample = Sample { bytes: &bytes[..bytes.len().min(65_536)], complete: false, name: "log" };
    let (source, format) = catalog.detect(&sample).source.expect("a known source");
    Logs { bytes, source, format }
}

/// The files below a folder, by name.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = lastuse_ingest::discover(&[folder.to_owned()], Path::new("none"))
        .inputs
        .into_iter()
        .map(|it| it.path)
        .collect();
    found.sort();
    found
}

/// Extracts the named fields of all records; calls `each` with every chunk.
///
/// # Panics
/// When the logs cannot be read.
pub fn extract(logs: &Logs, fields: &[String], mut each: impl FnMut(Extracted)) -> u64 {
    let limits = Limits::default();
    let cursor = Cursor::new(logs.bytes.clone());
    let decoder = decode(Box::new(cursor), None, &limits).expect("plain logs");
    let context = FileContext { name: "log".to_owned(), time_text: None };
    let mut reader = RecordReader::new(
        decoder,
        Arc::clone(&logs.source),
        logs.format,
        fields,
        context,
        Resume::default(),
        limits,
        false,
    )
    .expect("a reader");
    let mut taken = columns(&logs.source, fields);
    let mut records = 0;
    while let Some(info) = reader.read_chunk(&mut taken).expect("records") {
        records += info.records;
        each(taken.finish());
    }
    records
}

/// The planned SQL of the logs' source.
///
/// # Panics
/// When the source's SQL does not plan.
pub fn normalizer(logs: &Logs) -> Normalizer {
    Normalizer::of(&logs.source).expect("valid SQL")
}
