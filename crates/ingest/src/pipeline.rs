//! The way of a record, from inputs to a commit.
//!
//! Workers read, extract, normalize and protect inputs side by side; this
//! thread takes their chunks in the order of the inputs, drops duplicates,
//! fills segments and commits them. The order makes the result the same
//! whatever the number of threads and however often a run was interrupted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::redact::Redactor;
use lastuse_sources::{Catalog, Limits};
use lastuse_store::{ActiveFile, Store, StoreError, Table, Writer};

use crate::coded::{SEGMENT_ROWS, Translation};
use crate::day::{Day, days};
use crate::derive::Derived;
use crate::digests::{DigestKeys, check_signatures};
use crate::discover::{Input, Passed};
use crate::event::NO_NUMBER;
use crate::files::{Counts, FileState, Known, file_rows};
use crate::rows::{Rows, Value};
use crate::seen::{Seen, Verdict};
use crate::segment::{Segment, day_of};
use crate::sequences::Listing;
use crate::stored::Stored;
use crate::worker::{Chunk, Delivery, End, Message, Nothing, Pass, Shared};

/// How many native ids are held before whole days are forgotten.
const SEEN_BUDGET: usize = 6_000_000;
/// Rows of digests before a commit.
const DIGEST_ROWS: usize = 200_000;

/// Why an ingest stopped. Faults of single inputs are in the [`Report`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The tables could not be read or written.
    #[error("cannot store what was read")]
    Store(#[from] StoreError),
    /// `--source` names none.
    #[error("there is no source called `{name}`; `lastuse sources list` shows them")]
    UnknownSource {
        /// What was asked for.
        name: String,
    },
}

/// What an ingest works with.
pub struct Ingest<'a> {
    /// Where tables are.
    pub store: &'a Store,
    /// The store's fingerprint key.
    pub key: Arc<FingerprintKey>,
    /// Takes secrets out of free text.
    pub redactor: Arc<Redactor>,
    /// The sources that can be read.
    pub catalog: &'a Catalog,
    /// The source of all inputs, where the user names it.
    pub source: Option<String>,
    /// The scope of all inputs, where the log itself names none.
    pub scope: Option<String>,
    /// The keys that digests are signed with, to check them; none are needed to
    /// compare what digests list with what was read.
    pub digest_keys: Option<DigestKeys>,
    /// How many inputs are read side by side.
    pub threads: usize,
    /// Runs the store's asynchronous parts.
    pub runtime: tokio::runtime::Handle,
    /// Set from outside to end early; what was read is then committed.
    pub stop: &'a AtomicBool,
    /// Told now and then how far it is.
    pub progress: &'a (dyn Fn(&Progress) + Sync),
}

/// How far an ingest is.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Inputs that are done.
    pub inputs_done: usize,
    /// All inputs.
    pub inputs_total: usize,
    /// Decoded bytes read.
    pub bytes_read: u64,
    /// Events accepted.
    pub events: u64,
}

/// What an ingest did for one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceReport {
    /// Inputs from which records were read.
    pub files: u64,
    /// What became of the records.
    pub counts: Counts,
}

/// What an ingest did.
#[derive(Debug, Default)]
pub struct Report {
    /// By source.
    pub sources: BTreeMap<String, SourceReport>,
    /// Inputs that had been read before and are the same.
    pub unchanged: u64,
    /// Inputs that say which log files were delivered; they hold no records.
    pub digests: u64,
    /// Inputs that no source knows, with the reason.
    pub unrecognised: Vec<(PathBuf, String, bool)>,
    /// Inputs that could not be read to their end, with the reason.
    pub failed: Vec<(PathBuf, String)>,
    /// What was found and is no input.
    pub passed: Vec<Passed>,
    /// Inputs whose last record's end has not been written yet.
    pub held_back: Vec<PathBuf>,
    /// Commits made.
    pub batches: u64,
    /// Decoded bytes read.
    pub bytes_read: u64,
    /// Whether it was asked to end early.
    pub interrupted: bool,
}

impl Report {
    /// The counts of all sources together.
    pub fn total(&self) -> Counts {
        let mut all = Counts::default();
        self.sources.values().for_each(|it| all.add(&it.counts));
        all
    }
}

impl Ingest<'_> {
    /// Reads `inputs` and commits what they hold that was not read before.
    pub fn run(&self, inputs: &[Input]) -> Result<Report, IngestError> {
        let source = match &self.source {
            Some(name) => Some(
                self.catalog
                    .get(name)
                    .cloned()
                    .ok_or_else(|| IngestError::UnknownSource { name: name.clone() })?,
            ),
            None => None,
        };
        let writer = self.runtime.block_on(self.store.begin())?;
        let shared = Shared {
            catalog: self.catalog,
            source,
            scope: self.scope.clone(),
            // Small enough for a chunk and its columns to stay in the cache.
            limits: Limits { chunk_bytes: 2 << 20, ..Limits::default() },
            key: Arc::clone(&self.key),
            redactor: Arc::clone(&self.redactor),
            event_key: self.key.content(b"lastuse event keys"),
            cache_key: self.key.content(b"lastuse caches"),
            known: RwLock::new(self.known_files()?),
            normalizers: Mutex::new(HashMap::new()),
            stop: self.stop,
            bytes_read: AtomicU64::new(0),
        };
        let days = self.days()?;
        let mut committer = Committer {
            ingest: self,
            shared: &shared,
            writer,
            days,
            seen: Seen::default(),
            segment: Segment::new(),
            words: HashMap::new(),
            completed: BTreeMap::new(),
            touched: BTreeMap::new(),
            rejects: Rows::new(Table::Rejects),
            digests: Rows::new(Table::Digests),
            digest_rows: 0,
            listing: Listing::default(),
            gaps: Rows::new(Table::FileGaps),
            report: Report::default(),
            progress: Progress { inputs_total: inputs.len(), ..Progress::default() },
        };
        committer.run(inputs)?;
        let mut report = committer.report;
        report.bytes_read = shared.bytes_read.load(Ordering::Relaxed);
        report.interrupted = self.stop.load(Ordering::Relaxed);
        Ok(report)
    }

    fn known_files(&self) -> Result<Known, StoreError> {
        let files = self.runtime.block_on(self.store.active_files(Table::Files))?;
        let schema = Table::Files.schema();
        let columns: Vec<&str> = schema.fields().iter().map(|it| it.name().as_str()).collect();
        let mut rows = Vec::new();
        for batch in self.store.read(&files, Table::Files, &columns) {
            rows.push(batch?);
        }
        // Parts come in no promised order; states must be taken up by batch.
        let number = |it: &arrow::array::RecordBatch| {
            it.column(1).as_primitive::<Int64Type>().iter().flatten().min()
        };
        rows.sort_by_key(number);
        let mut known = Known::default();
        rows.iter().for_each(|it| known.load(it));
        Ok(known)
    }

    /// The files of `events` by day.
    fn days(&self) -> Result<HashMap<i32, Vec<ActiveFile>>, StoreError> {
        let mut days: HashMap<i32, Vec<ActiveFile>> = HashMap::new();
        for file in self.runtime.block_on(self.store.active_files(Table::Events))? {
            days.entry(file.event_date.unwrap_or(0)).or_default().push(file);
        }
        Ok(days)
    }
}

/// Takes chunks in order and commits them.
struct Committer<'a> {
    ingest: &'a Ingest<'a>,
    shared: &'a Shared<'a>,
    writer: Writer,
    days: HashMap<i32, Vec<ActiveFile>>,
    seen: Seen,
    segment: Segment,
    /// What the codes of each memo stand for.
    words: HashMap<u64, Vec<Translation>>,
    /// Events, by day and key, whose earlier part is in the table and whose
    /// later part is in the open segment.
    completed: BTreeMap<i32, HashSet<u128>>,
    /// States of the inputs that the open segment has rows of.
    touched: BTreeMap<String, FileState>,
    rejects: Rows,
    digests: Rows,
    digest_rows: usize,
    /// The inputs that were seen, and the files that are missing among them.
    listing: Listing,
    gaps: Rows,
    report: Report,
    progress: Progress,
}

impl Committer<'_> {
    /// Goes over the inputs, and again over those that began like another one
    /// of the same pass, until none is left.
    fn run(&mut self, inputs: &[Input]) -> Result<(), IngestError> {
        let mut rest = inputs.to_vec();
        while !rest.is_empty() && !self.ingest.stop.load(Ordering::Relaxed) {
            let (pass, receiver) = Pass::new(self.shared, &rest);
            let later = std::thread::scope(|scope| {
                for _ in 0..self.ingest.threads.max(1) {
                    scope.spawn(|| pass.work());
                }
                self.take_inputs(&rest, receiver)
            })?;
            if later.is_empty() && !self.ingest.stop.load(Ordering::Relaxed) {
                self.gaps = self.listing.gaps(self.ingest, self.shared)?;
            }
            self.commit()?;
            rest = later;
        }
        self.commit()?;
        if !self.ingest.stop.load(Ordering::Relaxed) {
            self.check_signatures()?;
            let compacted = self.ingest.store.compact(&self.writer);
            self.ingest.runtime.block_on(compacted)?;
        }
        Ok(())
    }

    /// Takes the messages of all inputs of a pass; returns the inputs that are
    /// to be looked at again.
    fn take_inputs(
        &mut self,
        inputs: &[Input],
        receiver: Receiver<Delivery>,
    ) -> Result<Vec<Input>, IngestError> {
        let mut later = Vec::new();
        // The senders live in the pass, so the end is known by counting.
        let mut left = inputs.len();
        while left > 0 {
            let wait = std::time::Duration::from_millis(50);
            let (index, messages) = match receiver.recv_timeout(wait) {
                Ok(next) => next,
                Err(_) if self.ingest.stop.load(Ordering::Relaxed) => break,
                Err(_) => continue,
            };
            left -= 1;
            let input = &inputs[index];
            if self.take_input(input, messages)? {
                later.push(input.clone());
            } else {
                self.progress.inputs_done += 1;
            }
            self.tell();
        }
        Ok(later)
    }

    /// Takes the messages of one input; true when it is to be looked at again.
    fn take_input(
        &mut self,
        input: &Input,
        messages: Receiver<Message>,
    ) -> Result<bool, IngestError> {
        let mut state: Option<FileState> = None;
        let mut ended = false;
        for message in messages {
            ended |= !matches!(message, Message::Begin(_) | Message::Chunk(_));
            match message {
                Message::Begin(begun) => state = Some(*begun),
                Message::Chunk(chunk) => {
                    if let Some(state) = &mut state {
                        self.take_chunk(state, *chunk)?;
                    }
                }
                Message::End(end) => {
                    if let Some(state) = state.take() {
                        self.end_input(input, state, end);
                    }
                }
                Message::Digest(digest) => {
                    let (state, digest) = *digest;
                    digest.add_to(&mut self.digests, &state.file_uid);
                    self.digest_rows += digest.row_count();
                    self.report.digests += 1;
                    self.touch(state);
                    self.listing.add(&input.path, None);
                    if self.digest_rows >= DIGEST_ROWS {
                        self.commit()?;
                    }
                }
                Message::Nothing(Nothing::Later) => return Ok(true),
                Message::Nothing(nothing) => self.note(input, nothing),
            }
        }
        if !ended {
            self.note(input, Nothing::Failed("its reader ended unexpectedly".to_owned()));
        }
        Ok(false)
    }

    fn note(&mut self, input: &Input, nothing: Nothing) {
        let path = input.path.clone();
        match nothing {
            Nothing::AlreadyRead(file_uid) => {
                self.listing.add(&input.path, file_uid);
                self.report.unchanged += 1;
            }
            Nothing::Later => {}
            Nothing::Unrecognised { reason, is_empty } => {
                if is_empty {
                    self.listing.add(&input.path, None);
                }
                // What was rotated a moment ago is empty: no failure.
                self.report.unrecognised.push((path, reason, input.named && !is_empty));
            }
            Nothing::Failed(reason) => self.report.failed.push((path, reason)),
        }
    }

    fn end_input(&mut self, input: &Input, mut state: FileState, end: End) {
        match &end.failed {
            Some(reason) => self.report.failed.push((input.path.clone(), reason.clone())),
            None => self.listing.add(&input.path, Some(state.file_uid.clone())),
        }
        if end.held_back {
            self.report.held_back.push(input.path.clone());
        }
        self.report.sources.entry(state.source.clone()).or_default().files += 1;
        state.complete = end.complete;
        // What was not read to its end was not read as it was delivered.
        state.content_sha256 = state.content_sha256.filter(|_| end.complete);
        self.touch(state);
    }

    /// Remembers how far an input is; the next commit writes it down.
    fn touch(&mut self, state: FileState) {
        let mut known = self.shared.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(state.clone());
        self.touched.insert(state.file_uid.clone(), state);
    }

    fn take_chunk(&mut self, state: &mut FileState, chunk: Chunk) -> Result<(), IngestError> {
        let rows = chunk.rows.event_times.len();
        let first_rows = (0..rows).filter(|it| chunk.rows.is_first(*it)).count();
        let mut counts = Counts {
            rejected: chunk.rejects.len() as u64,
            skipped: chunk.records - chunk.rejects.len() as u64 - first_rows as u64,
            ..Counts::default()
        };
        for reject in &chunk.rejects {
            self.reject(state, reject.record_number, reject.offset as i64, &reject.reason);
        }
        let mut kept = Vec::with_capacity(rows);
        for row in 0..rows {
            let time = chunk.rows.event_times[row];
            // A record counts once, by its first row.
            let is_first = chunk.rows.is_first(row);
            if time == NO_NUMBER {
                if !is_first {
                    continue;
                }
                let number = chunk.record_numbers[chunk.rows.rows[row] as usize];
                self.reject(state, number, NO_NUMBER, "no event time that can be read");
                counts.rejected += 1;
                continue;
            }
            let verdict = self.verdict(&chunk, row, time, kept.len())?;
            match verdict {
                Verdict::New => counts.accepted += u64::from(is_first),
                // Two records that are one event: one of them is accepted.
                _ => counts.duplicate += u64::from(is_first),
            }
            match verdict {
                Verdict::Duplicate => continue,
                Verdict::Replaces(earlier) => self.segment.replace(earlier),
                Verdict::Completes | Verdict::New => {}
            }
            kept.push(row as u32);
            widen(&mut state.event_times, time);
        }
        let words = self.words.entry(chunk.rows.memo).or_insert_with(Segment::translations);
        words.iter_mut().zip(&chunk.rows.values).for_each(|(it, values)| it.learn(values));
        self.segment.extend(&chunk.rows, &kept, &chunk.record_numbers, words);
        chunk.rows.retired.iter().for_each(|it| drop(self.words.remove(it)));
        state.counts.add(&counts);
        state.resume = chunk.resume;
        state.tail_hash = chunk.tail_hash;
        self.progress.events += counts.accepted;
        let source = self.report.sources.entry(state.source.clone()).or_default();
        source.counts.add(&counts);
        self.touch(state.clone());
        self.tell();
        if self.segment.len() >= SEGMENT_ROWS {
            self.commit()?;
        }
        Ok(())
    }

    fn verdict(
        &mut self,
        chunk: &Chunk,
        row: usize,
        time: i64,
        place: usize,
    ) -> Result<Verdict, IngestError> {
        let key = chunk.rows.event_keys[row];
        if key == 0 {
            return Ok(Verdict::New);
        }
        let stage = chunk.rows.stages[row];
        let day = self.day_of_event(day_of(time), key, stage)?;
        let segment_row = (self.segment.len() + place) as u32;
        let verdict = self.seen.check(day, key, stage, segment_row);
        if verdict == Verdict::Completes {
            self.completed.entry(day).or_default().insert(key);
        }
        Ok(verdict)
    }

    /// The day under which an event's id is looked up: parts of one event may
    /// stand on both sides of midnight.
    fn day_of_event(&mut self, day: i32, key: u128, stage: i64) -> Result<i32, IngestError> {
        self.need_day(day)?;
        if stage == NO_NUMBER || self.seen.knows(day, key) {
            return Ok(day);
        }
        for beside in [day.saturating_sub(1), day.saturating_add(1)] {
            self.need_day(beside)?;
            if self.seen.knows(beside, key) {
                return Ok(beside);
            }
        }
        Ok(day)
    }

    fn need_day(&mut self, day: i32) -> Result<(), IngestError> {
        if self.seen.has_day(day) { Ok(()) } else { self.load_day(day) }
    }

    /// Reads back which native ids the table has for a day.
    fn load_day(&mut self, day: i32) -> Result<(), IngestError> {
        let files = self.days.get(&day).map_or(&[][..], Vec::as_slice);
        let columns = ["source", "source_scope", "native_uid", "record_part", "stage"];
        let mut keys = Vec::new();
        for batch in self.ingest.store.read(files, Table::Events, &columns) {
            let rows = Stored::new(&batch?);
            for row in 0..rows.row_count() {
                if let Some(key) = rows.event_key(&self.shared.event_key, row) {
                    keys.push((key, rows.number("stage", row)));
                }
            }
        }
        self.seen.load_day(day, keys.into_iter());
        Ok(())
    }

    /// Takes back what the earlier parts of completed events count in the table.
    fn take_back(&mut self) -> Result<(), IngestError> {
        for (day, keys) in std::mem::take(&mut self.completed) {
            let files = self.days.get(&day).map_or(&[][..], Vec::as_slice);
            let mut latest: BTreeMap<u128, (i64, Rc<Stored>, usize)> = BTreeMap::new();
            for batch in self.ingest.store.read(files, Table::Events, &[]) {
                let rows = Rc::new(Stored::new(&batch?));
                for row in 0..rows.row_count() {
                    let key = rows.event_key(&self.shared.event_key, row);
                    let Some(key) = key.filter(|it| keys.contains(it)) else { continue };
                    let stage = rows.number("stage", row);
                    let is_later = latest.get(&key).is_none_or(|it| it.0 < stage);
                    if is_later && rows.number("event_count", row) > 0 {
                        latest.insert(key, (stage, Rc::clone(&rows), row));
                    }
                }
            }
            for (_, rows, row) in latest.values() {
                self.segment.take_back(rows, *row);
            }
        }
        Ok(())
    }

    fn reject(&mut self, state: &FileState, number: u64, offset: i64, reason: &str) {
        let path = state.path.to_string_lossy();
        self.rejects.push(&[
            Value::Text(Some(&state.source)),
            Value::Text(Some(&state.scope)),
            Value::Text(Some(&state.file_uid)),
            Value::Text(Some(&path)),
            Value::Number(number as i64),
            Value::Number(offset),
            Value::Text(Some(reason)),
        ]);
    }

    /// Writes the open segment and all that follows from it in one commit.
    fn commit(&mut self) -> Result<(), IngestError> {
        if self.touched.is_empty() && self.gaps.is_empty() {
            return Ok(());
        }
        self.take_back()?;
        let mut segment = std::mem::take(&mut self.segment);
        self.words.values_mut().flatten().for_each(Translation::forget);
        let mut parts = Vec::new();
        let mut day = Day::new(&segment);
        let mut derived = Derived::new(&segment);
        for (date, rows) in days(&segment) {
            day.set(&rows);
            parts.push(self.writer.write_events(date, &day.batch())?);
            derived.add(&day);
        }
        let rejects = std::mem::replace(&mut self.rejects, Rows::new(Table::Rejects));
        let digests = std::mem::replace(&mut self.digests, Rows::new(Table::Digests));
        let gaps = std::mem::replace(&mut self.gaps, Rows::new(Table::FileGaps));
        self.digest_rows = 0;
        let files = file_rows(self.writer.batch(), self.touched.values());
        let small = [rejects, digests, gaps, files].into_iter().filter_map(Rows::finish);
        for (table, batch) in derived.finish().into_iter().chain(small) {
            parts.push(self.writer.write_part(table, &batch)?);
        }
        self.ingest.runtime.block_on(self.writer.commit(parts))?;
        segment.clear();
        self.segment = segment;
        self.touched.clear();
        self.report.batches += 1;
        self.seen.committed(SEEN_BUDGET);
        self.days = self.ingest.days()?;
        Ok(())
    }

    /// Checks the signatures of digests that can be checked now, those of
    /// earlier runs included, and commits what came of it.
    fn check_signatures(&mut self) -> Result<(), IngestError> {
        let Some(keys) = &self.ingest.digest_keys else { return Ok(()) };
        let store = self.ingest.store;
        let files = self.ingest.runtime.block_on(store.active_files(Table::Digests))?;
        let stored = store.read(&files, Table::Digests, &[]).collect::<Result<Vec<_>, _>>()?;
        if let Some((table, rows)) = check_signatures(&stored, keys).finish() {
            let part = self.writer.write_part(table, &rows)?;
            self.ingest.runtime.block_on(self.writer.commit(vec![part]))?;
            self.report.batches += 1;
        }
        Ok(())
    }

    fn tell(&mut self) {
        self.progress.bytes_read = self.shared.bytes_read.load(Ordering::Relaxed);
        (self.ingest.progress)(&self.progress);
    }
}

fn widen(span: &mut (i64, i64), time: i64) {
    span.0 = if span.0 == NO_NUMBER { time } else { span.0.min(time) };
    span.1 = span.1.max(time);
}
