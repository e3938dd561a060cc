//! Files of one log: records in, files out, with repeated and late deliveries. Memory is bounded by one file and what waits for the next.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::{Compression, GzBuilder};

use crate::clock::{Civil, HOUR, MINUTE, Micros, push_date, push_digits};
use crate::config::{EstateConfig, EstateError};
use crate::removals::Removal;
use crate::rng::Rng;
use crate::truth::SourceCounts;
use crate::write::{push, push_uuid};

/// How the files of a log are named and wrapped.
#[derive(Clone, Debug)]
pub(crate) enum Layout {
    /// `{"Records":[...]}`, gzip, in the folders of CloudTrail's bucket.
    CloudTrail { account: &'static str, region: &'static str },
    /// The same records, one a line.
    CloudTrailLines { account: &'static str, region: &'static str },
    /// One record a line below `logs/FOLDER`; `ids` says that a repeated record can be told by its id.
    Lines { folder: String, stem: &'static str, ending: &'static str, ids: bool },
    /// One record a line, gzip, in the folders of GitHub's stream.
    GitHub,
}

/// What a record is, for the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// It stands for an event.
    Event,
    /// It belongs to an event for which another record stands.
    Part,
    /// It is of no concern to the source.
    Foreign,
    /// It is never delivered.
    Lost,
}

/// One log on its way to disk.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) source: &'static str,
    /// As the source names it; empty where it has none.
    pub(crate) scope: String,
    pub(crate) counts: SourceCounts,
    /// Spans of which nothing is delivered.
    pub(crate) removals: Vec<Removal>,
    /// Raw secrets in the record that is being written, in places where none belongs.
    pub(crate) strays: u64,
    /// The removal that the record being written falls into.
    removal: Option<usize>,
    root: PathBuf,
    layout: Layout,
    rng: Rng,
    records_per_file: usize,
    file_span: Micros,
    duplicates: f64,
    late: f64,
    shuffle: bool,
    level: u32,
    buffer: Vec<u8>,
    spans: Vec<(usize, usize)>,
    started: usize,
    opened: Micros,
    now: Micros,
    /// Second copies of what the file before this one holds, and of what this one holds.
    ready: Vec<Vec<u8>>,
    next_ready: Vec<Vec<u8>>,
    /// Records held back, with the time at which they are delivered.
    waiting: Vec<(Micros, Vec<u8>)>,
    output: Vec<u8>,
}

impl Sink {
    pub(crate) fn new(
        root: &Path,
        (source, scope): (&'static str, String),
        layout: Layout,
        config: &EstateConfig,
        rng: Rng,
    ) -> Self {
        let ids = !matches!(layout, Layout::Lines { ids: false, .. });
        Self {
            source,
            scope,
            counts: SourceCounts::default(),
            removals: Vec::new(),
            strays: 0,
            removal: None,
            root: root.join("logs"),
            layout,
            rng,
            records_per_file: config.records_per_file as usize,
            file_span: i64::from(config.file_hours) * HOUR,
            duplicates: if ids { config.duplicates } else { 0.0 },
            late: if ids { config.late } else { 0.0 },
            shuffle: config.shuffle,
            level: config.gzip_level,
            buffer: Vec::new(),
            spans: Vec::new(),
            started: 0,
            opened: 0,
            now: 0,
            ready: Vec::new(),
            next_ready: Vec::new(),
            waiting: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Begins a record at `time`; the caller appends it to the returned buffer and calls `end`.
    pub(crate) fn begin(&mut self, time: Micros) -> Result<&mut Vec<u8>, EstateError> {
        if self.spans.len() >= self.records_per_file
            || (!self.spans.is_empty() && time - self.opened >= self.file_span)
        {
            self.flush()?;
        }
        if self.spans.is_empty() {
            self.opened = time;
        }
        self.now = self.now.max(time);
        self.removal = self.removals.iter().position(|it| it.contains(time));
        self.started = self.buffer.len();
        Ok(&mut self.buffer)
    }

    /// Ends the record, and decides how often and when it is delivered; whether it ever is.
    pub(crate) fn end(&mut self, record: Record) -> bool {
        let strays = std::mem::take(&mut self.strays);
        if record == Record::Lost {
            self.buffer.truncate(self.started);
            return false;
        }
        if let Some(removal) = self.removal {
            self.buffer.truncate(self.started);
            self.removals[removal].record_count += 1;
            return false;
        }
        self.counts.stray_secrets += strays;
        self.counts.records += 1;
        match record {
            Record::Event => self.counts.distinct_events += 1,
            Record::Part => self.counts.duplicates += 1,
            Record::Foreign => self.counts.skipped += 1,
            Record::Lost => {}
        }
        let bytes = &self.buffer[self.started..];
        if record != Record::Foreign {
            if self.rng.chance(self.late) {
                let due = self.now + self.rng.between(self.file_span / 2, 3 * self.file_span);
                self.waiting.push((due, bytes.to_vec()));
                self.counts.late += 1;
                self.buffer.truncate(self.started);
                return true;
            }
            if self.rng.chance(self.duplicates) {
                self.next_ready.push(bytes.to_vec());
                self.counts.records += 1;
                self.counts.duplicates += 1;
                self.counts.redelivered += 1;
            }
        }
        self.spans.push((self.started, self.buffer.len()));
        true
    }

    /// Writes what is left.
    pub(crate) fn finish(&mut self) -> Result<(), EstateError> {
        for (due, _) in &mut self.waiting {
            *due = self.now;
        }
        while !(self.spans.is_empty()
            && self.ready.is_empty()
            && self.next_ready.is_empty()
            && self.waiting.is_empty())
        {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), EstateError> {
        let now = self.now;
        let (due, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(due, _)| *due <= now);
        self.waiting = waiting;
        let due: Vec<(Micros, Vec<u8>)> = due;
        // A file of one record that another file begins with would be that other file, half delivered.
        if self.spans.is_empty() && due.is_empty() && self.ready.len() == 1 {
            self.ready.clear();
            self.counts.records -= 1;
            self.counts.duplicates -= 1;
            self.counts.redelivered -= 1;
        }
        for bytes in due.into_iter().map(|it| it.1).chain(std::mem::take(&mut self.ready)) {
            let start = self.buffer.len();
            self.buffer.extend_from_slice(&bytes);
            self.spans.push((start, self.buffer.len()));
        }
        self.ready = std::mem::take(&mut self.next_ready);
        if self.spans.is_empty() {
            return Ok(());
        }
        self.order();
        self.write_file()?;
        self.buffer.clear();
        self.spans.clear();
        Ok(())
    }

    /// CloudTrail's records stand in no strict order; with `shuffle`, in none at all.
    fn order(&mut self) {
        let count = self.spans.len();
        let reach = match (&self.layout, self.shuffle) {
            (Layout::CloudTrail { .. }, false) => 16,
            (Layout::CloudTrail { .. } | Layout::CloudTrailLines { .. } | Layout::GitHub, true) => {
                count
            }
            _ => return,
        };
        for at in 0..count {
            let other = at + self.rng.below(reach.min(count - at) as u64) as usize;
            self.spans.swap(at, other);
        }
    }

    fn write_file(&mut self) -> Result<(), EstateError> {
        let path = self.next_path();
        let failed = |source| EstateError::Write { path: path.clone(), source };
        self.output.clear();
        let document = matches!(self.layout, Layout::CloudTrail { .. });
        push!(self.output, if document { "{\"Records\":[" } else { "" });
        for (index, &(start, end)) in self.spans.iter().enumerate() {
            if document && index > 0 {
                self.output.push(b',');
            }
            self.output.extend_from_slice(&self.buffer[start..end]);
            if !document {
                self.output.push(b'\n');
            }
        }
        push!(self.output, if document { "]}" } else { "" });
        self.counts.files += 1;
        self.counts.bytes += self.output.len() as u64;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = File::create(&path).map_err(failed)?;
        if matches!(self.layout, Layout::CloudTrail { .. } | Layout::GitHub) {
            let mut encoder = GzBuilder::new().write(file, Compression::new(self.level));
            encoder.write_all(&self.output).map_err(failed)?;
            file = encoder.finish().map_err(failed)?;
        } else {
            file.write_all(&self.output).map_err(failed)?;
        }
        // Year-less lines are read with the file's own time at hand.
        let modified = SystemTime::UNIX_EPOCH + Duration::from_micros(self.now.max(0) as u64);
        file.set_modified(modified).map_err(failed)
    }

    fn next_path(&mut self) -> PathBuf {
        let mut name = Vec::new();
        // A provider delivers some minutes after the last event.
        let delivered = Civil::of(self.now + 7 * MINUTE);
        let stamp = |name: &mut Vec<u8>| {
            for (value, mark) in
                [(delivered.year, '/'), (delivered.month, '/'), (delivered.day, '/')]
            {
                push_digits(name, value, 2);
                name.push(mark as u8);
            }
        };
        match &self.layout {
            Layout::CloudTrail { account, region }
            | Layout::CloudTrailLines { account, region } => {
                push!(name, "cloudtrail/AWSLogs/", account, "/CloudTrail/", region, "/");
                stamp(&mut name);
                push!(name, account, "_CloudTrail_", region, "_");
                push_date(&mut name, self.now + 7 * MINUTE);
                name.push(b'T');
                push_digits(&mut name, delivered.hour, 2);
                push_digits(&mut name, delivered.minute / 5 * 5, 2);
                let gzip = matches!(self.layout, Layout::CloudTrail { .. });
                let random = self.rng.text(crate::write::ALPHANUMERIC, 16);
                push!(name, "Z_", random, if gzip { ".json.gz" } else { ".ndjson" });
            }
            Layout::GitHub => {
                push!(name, "github/");
                stamp(&mut name);
                push_digits(&mut name, delivered.hour, 2);
                name.push(b'/');
                push_digits(&mut name, delivered.minute, 2);
                name.push(b'/');
                push_uuid(&mut name, &mut self.rng);
                push!(name, ".json.log.gz");
            }
            Layout::Lines { folder, stem, ending, .. } => {
                push!(name, folder, "/", stem, "-");
                if self.shuffle {
                    push_digits(&mut name, (self.rng.next() >> 40) as i64, 8);
                } else {
                    push_date(&mut name, self.now);
                }
                name.push(b'-');
                push_digits(&mut name, self.counts.files as i64, 4);
                push!(name, ending);
            }
        }
        self.root.join(String::from_utf8_lossy(&name).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_delivered_and_a_second_copy_stands_in_another_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = EstateConfig {
            duplicates: 0.3,
            late: 0.2,
            records_per_file: 10,
            ..EstateConfig::demo()
        };
        let layout = Layout::Lines { folder: "x".into(), stem: "a", ending: ".log", ids: true };
        let mut sink =
            Sink::new(folder.path(), ("http_json", String::new()), layout, &config, Rng::new(5));
        for number in 0..200_i64 {
            let out = sink.begin(number * HOUR).expect("begins");
            push_digits(out, number, 3);
            sink.end(Record::Event);
        }
        sink.finish().expect("finishes");
        let mut seen = vec![0; 200];
        let mut records = 0;
        for entry in fs::read_dir(folder.path().join("logs/x")).expect("lists") {
            let text = fs::read_to_string(entry.expect("an entry").path()).expect("reads");
            let mut lines: Vec<usize> =
                text.lines().map(|it| it.parse().expect("a number")).collect();
            records += lines.len() as u64;
            lines.iter().for_each(|it| seen[*it] += 1);
            let count = lines.len();
            lines.sort_unstable();
            lines.dedup();
            assert_eq!(lines.len(), count, "both copies in one file");
        }
        assert!(seen.iter().all(|it| (1..=2).contains(it)));
        assert_eq!(records, sink.counts.records);
        assert_eq!(sink.counts.distinct_events, 200);
        assert_eq!(sink.counts.records, 200 + sink.counts.duplicates);
        assert!(sink.counts.redelivered > 30 && sink.counts.late > 20);
    }
}
