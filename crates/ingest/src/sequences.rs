//! File sequences: which files are left out between those that a run saw in one folder.
//!
//! A gap is known by the two files around it, which are known by what they hold: rotation may
//! rename them, and rotate them away. It is written down once, and once more when a file was read
//! that belongs there. Both follow from the listing of one run and from the states of `files`, so
//! a run that was interrupted loses nothing that the next one over the same folder does not find.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use lastuse_model::redact::Redactor;
use lastuse_sources::sequence::{Content, Gap, Listed, Sequence, follows, position, sequences};
use lastuse_store::Table;

use crate::event::NO_NUMBER;
use crate::files::{FileState, Known};
use crate::rows::{Rows, Value};
use crate::stored::Stored;

/// The inputs that a run saw: by folder and name, which file it was. Those that could not be read
/// are no part of it.
#[derive(Debug, Default)]
pub(crate) struct Listing(BTreeMap<PathBuf, Names>);

/// The files of a folder by name; without an identity where they hold no records.
type Names = BTreeMap<String, Option<String>>;

impl Listing {
    /// Adds an input; without an identity where it holds no records.
    pub(crate) fn add(&mut self, path: &Path, file_uid: Option<String>) {
        if let Some((folder, name)) = path.parent().zip(path.file_name()) {
            let names = self.0.entry(folder.to_owned()).or_default();
            names.insert(name.to_string_lossy().into_owned(), file_uid);
        }
    }
}

/// The files before and after a gap.
type Pair = (String, String);

/// What is kept of a gap; names and paths as the redactor leaves them.
#[derive(Debug, Clone)]
struct Record {
    folder: String,
    series: String,
    before_name: String,
    after_name: String,
    first_name: String,
    last_name: String,
    count: i64,
}

/// Rows for gaps that are new, and for those that were filled since they were written down.
pub(crate) fn gap_rows(
    listing: &Listing,
    known: &Known,
    stored: &[RecordBatch],
    redactor: &Redactor,
) -> Rows {
    let run = Run { listing, known, redactor };
    let before = load(stored);
    let folders: Vec<Seen> = listing.0.iter().map(|it| run.narrowed(it.0, it.1)).collect();
    let is_closed = |pair: &Pair, gap: &Record| {
        folders.iter().any(|it| it.is_whole(pair, gap)) || run.is_filled(pair, gap)
    };
    let found: BTreeMap<&Pair, &Record> =
        folders.iter().flat_map(|it| &it.gaps).map(|it| (&it.0, &it.1)).collect();
    let mut rows = Rows::new(Table::FileGaps);
    for (pair, gap) in found {
        if !before.contains_key(pair) && !is_closed(pair, gap) {
            push(&mut rows, pair, gap, gap.count);
        }
    }
    for (pair, gap) in before.iter().filter(|it| it.1.count > 0) {
        if is_closed(pair, gap) {
            push(&mut rows, pair, gap, 0);
        }
    }
    rows
}

/// What a run can tell of gaps.
struct Run<'a> {
    listing: &'a Listing,
    known: &'a Known,
    redactor: &'a Redactor,
}

/// What the files of one folder tell.
struct Seen {
    sequences: Vec<Sequence>,
    /// Where each file is among those that were looked at.
    places: HashMap<String, usize>,
    gaps: Vec<(Pair, Record)>,
}

impl Seen {
    /// Whether both files of a pair are here in the gap's series, and nothing is left out between.
    fn is_whole(&self, pair: &Pair, gap: &Record) -> bool {
        let Some((a, b)) = self.places.get(&pair.0).zip(self.places.get(&pair.1)) else {
            return false;
        };
        let mut of_series = self.sequences.iter().filter(|it| it.series == gap.series);
        of_series.any(|it| it.is_whole_between(*a, *b))
    }
}

impl Run<'_> {
    fn look(&self, folder: &Path, names: &Names) -> Seen {
        let uids: Vec<&Option<String>> = names.values().collect();
        let listed: Vec<Listed> = names.iter().map(|it| list(it.0, it.1, self.known)).collect();
        let sequences = sequences(&listed);
        let gap = |series: &str, gap: Gap| {
            let pair = uids[gap.before].clone().zip(uids[gap.after].clone());
            let record = Record::new(folder, series, &gap, &listed, self.redactor);
            Some((pair.filter(|it| it.0 != it.1)?, record))
        };
        let of = |it: &Sequence| -> Vec<(Pair, Record)> {
            it.gaps().into_iter().filter_map(|found| gap(&it.series, found)).collect()
        };
        let gaps = sequences.iter().flat_map(of).collect();
        let placed = uids.iter().enumerate().filter_map(|(at, it)| Some(((*it).clone()?, at)));
        Seen { places: placed.collect(), sequences, gaps }
    }

    /// The same, with what earlier runs or other folders gave of its series: that narrows a gap
    /// which it does not fill.
    fn narrowed(&self, folder: &Path, names: &Names) -> Seen {
        let seen = self.look(folder, names);
        let given: Names = seen.gaps.iter().flat_map(|it| self.between(&it.0, &it.1)).collect();
        if given.is_empty() {
            return seen;
        }
        let own = names.iter().map(|it| (it.0.clone(), it.1.clone()));
        self.look(folder, &given.into_iter().chain(own).collect())
    }

    /// The files of the series, whenever they were read, that have all of their records after the
    /// one file and before the other; each with its name and its place.
    ///
    /// They may have come by themselves, from another folder, or under the name that they have had
    /// before or since rotation. But those of a folder that has the series itself, such as another
    /// host's, are no part of this one.
    fn fitting<'a>(&'a self, pair: &Pair, gap: &Record) -> Vec<(&'a FileState, String, i64)> {
        let (Some(before), Some(after)) = (self.known.get(&pair.0), self.known.get(&pair.1)) else {
            return Vec::new();
        };
        let fits = |it: &&FileState| {
            it.complete
                && it.source == before.source
                && it.file_uid != pair.0
                && it.file_uid != pair.1
                && it.event_times.0 != NO_NUMBER
                && follows(before.event_times, it.event_times)
                && follows(it.event_times, after.event_times)
        };
        let placed = |it: &'a FileState| {
            let (folder, name) = it.path.parent().zip(it.path.file_name())?;
            let name = name.to_string_lossy().into_owned();
            let place = position(&name, &gap.series)?;
            let is_part = folder == Path::new(&gap.folder) || !self.has_series(folder, gap);
            is_part.then_some((it, name, place))
        };
        self.known.states().filter(fits).filter_map(placed).collect()
    }

    /// Those among them whose names are between those of the two files.
    fn between(&self, pair: &Pair, gap: &Record) -> Vec<(String, Option<String>)> {
        let place = |name: &str| position(name, &gap.series);
        let Some((a, b)) = place(&gap.before_name).zip(place(&gap.after_name)) else {
            return Vec::new();
        };
        let is_between = |it: &i64| (a.min(b) + 1..a.max(b)).contains(it);
        let fitting = self.fitting(pair, gap).into_iter().filter(|it| is_between(&it.2));
        fitting.map(|(state, name, _)| (name, Some(state.file_uid.clone()))).collect()
    }

    /// Whether as many were read as are left out.
    fn is_filled(&self, pair: &Pair, gap: &Record) -> bool {
        let places: BTreeSet<i64> = self.fitting(pair, gap).iter().map(|it| it.2).collect();
        places.len() as i64 >= gap.count
    }

    /// Whether a folder has files with the places of those around the gap.
    fn has_series(&self, folder: &Path, gap: &Record) -> bool {
        let of = |name: &str| position(name, &gap.series);
        let ends = [of(&gap.before_name), of(&gap.after_name)];
        let is_end = |name: &str| of(name).is_some_and(|it| ends.contains(&Some(it)));
        let is_there = |it: &FileState| {
            it.path.parent() == Some(folder)
                && it.path.file_name().is_some_and(|name| is_end(&name.to_string_lossy()))
        };
        let mut listed = self.listing.0.get(folder).into_iter().flat_map(BTreeMap::keys);
        ends.contains(&None) || listed.any(|it| is_end(it)) || self.known.states().any(is_there)
    }
}

/// A file as the rule for sequences looks at it.
fn list(name: &str, file_uid: &Option<String>, known: &Known) -> Listed {
    let state = file_uid.as_ref().and_then(|it| known.get(it));
    let content = state.filter(|it| it.event_times.0 != NO_NUMBER).map(|it| Content {
        source: it.source.clone(),
        span: it.event_times,
        record_count: it.counts.records(),
    });
    Listed { name: name.to_owned(), content }
}

impl Record {
    fn new(folder: &Path, series: &str, gap: &Gap, listed: &[Listed], redactor: &Redactor) -> Self {
        // As the paths of `files`: redacted as a whole.
        let name = |it: &str| {
            let path = redactor.redact(&folder.join(it).to_string_lossy()).into_owned();
            Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned()
        };
        Self {
            folder: redactor.redact(&folder.to_string_lossy()).into_owned(),
            series: name(series),
            before_name: name(&listed[gap.before].name),
            after_name: name(&listed[gap.after].name),
            first_name: name(&gap.first_name),
            last_name: name(&gap.last_name),
            count: gap.count as i64,
        }
    }
}

/// The gaps that were written down before. Of one that was filled the count is 0.
fn load(stored: &[RecordBatch]) -> BTreeMap<Pair, Record> {
    let mut all: BTreeMap<Pair, Record> = BTreeMap::new();
    for batch in stored {
        let rows = Stored::new(batch);
        for row in 0..rows.row_count() {
            let text = |name: &str| rows.text(name, row).unwrap_or_default().to_owned();
            let record = Record {
                folder: text("folder"),
                series: text("series"),
                before_name: text("before_name"),
                after_name: text("after_name"),
                first_name: text("first_missing_name"),
                last_name: text("last_missing_name"),
                count: rows.number("missing_count", row),
            };
            let pair = (text("before_file_uid"), text("after_file_uid"));
            let count = record.count;
            let kept = all.entry(pair).or_insert(record);
            kept.count = kept.count.min(count);
        }
    }
    all
}

fn push(rows: &mut Rows, pair: &Pair, it: &Record, count: i64) {
    rows.push(&[
        Value::Text(Some(&it.folder)),
        Value::Text(Some(&it.series)),
        Value::Text(Some(&pair.0)),
        Value::Text(Some(&it.before_name)),
        Value::Text(Some(&pair.1)),
        Value::Text(Some(&it.after_name)),
        Value::Text(Some(&it.first_name)),
        Value::Text(Some(&it.last_name)),
        Value::Number(count),
    ]);
}
