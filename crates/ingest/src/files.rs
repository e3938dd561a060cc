//! Remember: which inputs were read, and how far.
//!
//! A file is known by what it holds, not by its name: a keyed hash of its
//! decoded head, checked against a keyed hash of what stood before the place
//! where reading ended. So a log that was renamed or compressed since is the
//! same file and is read on, one that was overwritten is another, and no byte
//! of either is stored.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_sources::Resume;
use lastuse_store::Table;

use crate::discover::Input;
use crate::event::NO_NUMBER;
use crate::rows::{Rows, Value};

/// How many bytes of the decoded head and tail identify a file.
pub const WINDOW: usize = 4096;

/// How far an input was read when the last batch that touched it was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// The file's identity.
    pub file_uid: String,
    /// Where it was last seen.
    pub path: PathBuf,
    /// The source that it is a log of.
    pub source: String,
    /// The scope given for it.
    pub scope: String,
    /// Whether it was read to its end.
    pub complete: bool,
    /// Size on disk when it was last read.
    pub size_bytes: u64,
    /// Modification time when it was last read, microseconds since 1970.
    pub modified_time: i64,
    /// How many bytes `head_hash` covers; 0 if it covers all, as of a digest.
    pub head_bytes: usize,
    /// Keyed hash of the decoded head.
    pub head_hash: String,
    /// Keyed hash of the decoded bytes before `resume.offset`, up to `WINDOW`
    /// of them; none before the first record.
    pub tail_hash: Option<String>,
    /// Where reading goes on.
    pub resume: Resume,
    /// What became of its records.
    pub counts: Counts,
    /// Earliest and latest event time, or `NO_NUMBER`.
    pub event_times: (i64, i64),
    /// SHA-256 of all that it holds, decoded, in hex; only of logs that a
    /// provider's digests may name, and only once they were read to the end.
    pub content_sha256: Option<String>,
}

impl FileState {
    /// Whether the file on disk is as it was when it was last read.
    pub fn is_as_found(&self, input: &Input) -> bool {
        self.size_bytes == input.size_bytes && self.modified_time == input.modified_time
    }
}

/// What became of the records of one input or source. The four kinds add up to
/// the records that were read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Stored as events.
    pub accepted: u64,
    /// Records of events that were stored before.
    pub duplicate: u64,
    /// Well-formed records that are none of the source's events.
    pub skipped: u64,
    /// Records that could not be read.
    pub rejected: u64,
}

impl Counts {
    /// How many records were read.
    pub fn records(&self) -> u64 {
        self.accepted + self.duplicate + self.skipped + self.rejected
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Counts) {
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.skipped += other.skipped;
        self.rejected += other.rejected;
    }
}

/// A keyed hash as text.
pub fn hash_text(key: &FingerprintKey, bytes: &[u8]) -> String {
    let mut out = String::with_capacity(32);
    for byte in key.content(bytes) {
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

/// The inputs that were read before.
#[derive(Debug, Default)]
pub struct Known {
    by_uid: HashMap<String, FileState>,
    by_path: HashMap<PathBuf, String>,
    by_head: HashMap<(usize, String), Vec<String>>,
}

impl Known {
    /// Adds a state, or replaces the same file's earlier one.
    pub fn insert(&mut self, state: FileState) {
        self.by_path.insert(state.path.clone(), state.file_uid.clone());
        let head = (state.head_bytes, state.head_hash.clone());
        let same_head = self.by_head.entry(head).or_default();
        if !same_head.contains(&state.file_uid) {
            same_head.push(state.file_uid.clone());
        }
        self.by_uid.insert(state.file_uid.clone(), state);
    }

    /// The file last read at `path`.
    pub fn at_path(&self, path: &Path) -> Option<&FileState> {
        self.by_uid.get(self.by_path.get(path)?)
    }

    /// The file with this identity.
    pub fn get(&self, file_uid: &str) -> Option<&FileState> {
        self.by_uid.get(file_uid)
    }

    /// All of them, in no order.
    pub fn states(&self) -> impl Iterator<Item = &FileState> {
        self.by_uid.values()
    }

    /// Whether a file was read that is known by all it holds.
    pub fn has_content(&self, content_hash: &str) -> bool {
        self.by_head.contains_key(&(0, content_hash.to_owned()))
    }

    /// The files that begin as `head` does.
    pub fn with_head(&self, key: &FingerprintKey, head: &[u8]) -> Vec<FileState> {
        let mut lengths: Vec<usize> =
            self.by_head.keys().map(|it| it.0).filter(|it| *it <= head.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let mut found: Vec<FileState> = lengths
            .into_iter()
            .filter_map(|length| self.by_head.get(&(length, hash_text(key, &head[..length]))))
            .flatten()
            .filter_map(|uid| self.by_uid.get(uid).cloned())
            .collect();
        // The one that was read furthest comes first.
        found.sort_by_key(|it| std::cmp::Reverse(it.resume.offset));
        found
    }

    /// An identity for a new file with this head.
    pub fn new_uid(&self, head_hash: &str) -> String {
        let mut uid = head_hash.to_owned();
        let mut number = 1;
        while self.by_uid.contains_key(&uid) {
            number += 1;
            uid = format!("{head_hash}-{number}");
        }
        uid
    }

    /// Takes up rows of the table `files`; of the rows of one file the one of
    /// the latest batch must come last.
    pub fn load(&mut self, batch: &RecordBatch) {
        let columns = FileColumns::new(batch);
        let text = |name: &str, row: usize| columns.text(name, row);
        let number = |name: &str, row: usize| columns.number(name, row).unwrap_or(0);
        let instant = |name: &str, row: usize| columns.number(name, row).unwrap_or(NO_NUMBER);
        for row in 0..batch.num_rows() {
            self.insert(FileState {
                file_uid: text("file_uid", row).unwrap_or_default(),
                path: text("path", row).unwrap_or_default().into(),
                source: text("source", row).unwrap_or_default(),
                scope: text("source_scope", row).unwrap_or_default(),
                complete: text("state", row).as_deref() == Some("complete"),
                size_bytes: number("size_bytes", row) as u64,
                modified_time: instant("modified_time", row),
                head_bytes: number("head_bytes", row) as usize,
                head_hash: text("head_hash", row).unwrap_or_default(),
                tail_hash: text("tail_hash", row),
                resume: Resume {
                    offset: number("byte_offset", row) as u64,
                    record_number: number("record_count", row) as u64,
                    in_array: columns.flag("in_array", row),
                },
                counts: Counts {
                    accepted: number("accepted_count", row) as u64,
                    duplicate: number("duplicate_count", row) as u64,
                    skipped: number("skipped_count", row) as u64,
                    rejected: number("rejected_count", row) as u64,
                },
                event_times: (instant("first_event_time", row), instant("last_event_time", row)),
                content_sha256: text("content_sha256", row),
            });
        }
    }
}

/// The columns of a batch of the table `files`, by name.
struct FileColumns(HashMap<String, ArrayRef>);

impl FileColumns {
    fn new(batch: &RecordBatch) -> Self {
        let schema = batch.schema();
        let named = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            let wanted = match column.data_type() {
                DataType::Timestamp(..) => DataType::Int64,
                DataType::Int64 | DataType::Boolean => column.data_type().clone(),
                _ => DataType::Utf8,
            };
            let column = cast(column, &wanted).unwrap_or_else(|_| Arc::clone(column));
            (field.name().clone(), column)
        });
        Self(named.collect())
    }

    fn text(&self, name: &str, row: usize) -> Option<String> {
        let array = self.0.get(name)?.as_string_opt::<i32>()?;
        array.is_valid(row).then(|| array.value(row).to_owned())
    }

    fn number(&self, name: &str, row: usize) -> Option<i64> {
        let array = self.0.get(name)?.as_primitive_opt::<Int64Type>()?;
        array.is_valid(row).then(|| array.value(row))
    }

    fn flag(&self, name: &str, row: usize) -> bool {
        self.0.get(name).and_then(|it| it.as_boolean_opt()).is_some_and(|it| it.value(row))
    }
}

/// Rows of the table `files` for the batch `batch`.
pub fn file_rows<'a>(batch: u64, states: impl Iterator<Item = &'a FileState>) -> Rows {
    let mut rows = Rows::new(Table::Files);
    for it in states {
        let path = it.path.to_string_lossy();
        rows.push(&[
            Value::Text(Some(&it.file_uid)),
            Value::Number(batch as i64),
            Value::Text(Some(&path)),
            Value::Text(Some(&it.source)),
            Value::Text(Some(&it.scope)),
            Value::Text(Some(if it.complete { "complete" } else { "partial" })),
            Value::Number(it.size_bytes as i64),
            Value::Number(it.modified_time),
            Value::Number(it.head_bytes as i64),
            Value::Text(Some(&it.head_hash)),
            Value::Text(it.tail_hash.as_deref()),
            Value::Number(it.resume.offset as i64),
            Value::Flag(it.resume.in_array),
            Value::Number(it.resume.record_number as i64),
            Value::Number(it.counts.accepted as i64),
            Value::Number(it.counts.duplicate as i64),
            Value::Number(it.counts.skipped as i64),
            Value::Number(it.counts.rejected as i64),
            Value::Number(it.event_times.0),
            Value::Number(it.event_times.1),
            Value::Text(it.content_sha256.as_deref()),
        ]);
    }
    rows
}
