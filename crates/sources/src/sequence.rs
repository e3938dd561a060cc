//! Sequences: files whose names count them, and the numbers or dates that are left out.
//!
//! `access.log.2.gz` and `access.log.4.gz` say that there was one between them; what it held was
//! never read. Names alone prove little: hosts, ports and processes have numbers too. So a
//! sequence is only what also follows in time: the records of its files stand one file after
//! another, forwards (`app-17`, `app-18`) or backwards (`access.log.1` is newer than
//! `access.log.2`). What a name is called tomorrow is another matter, since rotation renames:
//! so a listing is compared with nothing but itself.
//!
//! A number is left out by a lost file only, but a quiet day writes no file either. So a date is
//! missed only in a series that is regular and busy: it leaves out nothing else but one step in
//! ten at most, nearly all of its steps hold ten records or more (a log of so many is quiet for a
//! whole step by chance less than once in a thousand), and of a daily series the same day of the
//! week is there elsewhere, of an hourly one the same hour of the day. The other logs' quiet days
//! are left to what their own density tells.

mod name;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use name::position;
use name::{Place, Step, head, places, without_compression};

/// Records that a step of a dated series holds, or it may be quiet by chance.
const BUSY_RECORDS: u64 = 10;
/// Files may overlap by this much, and by a tenth of the shorter one: records are written when
/// a request ends, and hold when it began. Microseconds.
const OVERLAP: i64 = 5 * 60 * 1_000_000;
/// One in so many may be out of order, left out, or nearly empty.
const ONE_IN: usize = 10;

/// A file as a run saw it in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, without the folder.
    pub name: String,
    /// What was read of it, in this run or before; nothing of one that held no events.
    pub content: Option<Content>,
}

/// What was read of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The source that it is a log of.
    pub source: String,
    /// Its earliest and latest event time, microseconds since 1970.
    pub span: (i64, i64),
    /// How many records it holds.
    pub record_count: u64,
}

/// Files that are left out between two of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The listed file with the last record before.
    pub before: usize,
    /// The listed file with the first record after.
    pub after: usize,
    /// What the first of them is called, by number or date, without the ending of a compression.
    pub first_name: String,
    /// What the last of them is called; the same if there is one.
    pub last_name: String,
    /// How many there are.
    pub count: u64,
}

/// The files of a folder that follow each other.
#[derive(Debug)]
pub struct Sequence {
    /// Their name with what counts taken out.
    pub series: String,
    sample: Place,
    /// The listed files at each place.
    places: BTreeMap<i64, Vec<usize>>,
    /// The places whose files hold events.
    solid: Vec<Solid>,
    /// From one place to the next.
    unit: i64,
    ascending: bool,
}

#[derive(Debug)]
struct Solid {
    position: i64,
    span: (i64, i64),
    /// The files with the first and the last record.
    ends: (usize, usize),
    source: String,
    record_count: u64,
}

/// Whether the records of `b` come after those of `a`, but for some at the seam; each the times
/// of a first and a last record.
pub fn follows(a: (i64, i64), b: (i64, i64)) -> bool {
    let length = |it: (i64, i64)| it.1.saturating_sub(it.0);
    let seam = (length(a).min(length(b)) / ONE_IN as i64).max(OVERLAP);
    a.0 <= b.0 && a.1 <= b.1 && a.1.saturating_sub(b.0) <= seam
}

/// The sequences among the files of one folder.
pub fn sequences(files: &[Listed]) -> Vec<Sequence> {
    let mut all: BTreeMap<String, (Place, BTreeMap<i64, Vec<usize>>)> = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        for place in places(&file.name) {
            let position = place.position;
            let entry = all.entry(place.series()).or_insert_with(|| (place, BTreeMap::new()));
            entry.1.entry(position).or_default().push(index);
        }
    }
    let names: HashMap<&str, usize> =
        files.iter().enumerate().map(|(at, it)| (without_compression(&it.name), at)).collect();
    all.into_iter()
        .filter_map(|(series, (sample, places))| {
            // The file without a number is the newest: it stands before 1 where numbers run
            // backwards, and says nothing where they run forwards.
            let head = head(&series).and_then(|it| names.get(it.as_str()).copied());
            let whole = head.filter(|_| !places.contains_key(&0)).and_then(|head| {
                let mut whole = places.clone();
                whole.insert(0, vec![head]);
                Sequence::new(series.clone(), sample.clone(), whole, files)
            });
            match whole.filter(|it| !it.ascending) {
                Some(whole) => Some(whole),
                None => Sequence::new(series, sample, places, files),
            }
        })
        .collect()
}

impl Sequence {
    /// Nothing, if the files do not follow each other.
    fn new(
        series: String,
        sample: Place,
        places: BTreeMap<i64, Vec<usize>>,
        files: &[Listed],
    ) -> Option<Self> {
        let solid: Vec<Solid> =
            places.iter().filter_map(|(at, it)| Solid::new(*at, it, files)).collect();
        let unit = match sample.step {
            Step::Number => counted(&places, sample.like_a_clock).then_some(1)?,
            _ => regular(&places, &solid)?,
        };
        let pairs = solid.len().checked_sub(1).filter(|it| *it > 0)?;
        let most = |follows: &dyn Fn(&[Solid]) -> bool| {
            let count = solid.windows(2).filter(|it| follows(it)).count();
            count * ONE_IN >= pairs * (ONE_IN - 1)
        };
        let ascending = most(&|it| follows(it[0].span, it[1].span));
        let descending = sample.step == Step::Number && most(&|it| follows(it[1].span, it[0].span));
        (ascending || descending).then_some(Self { series, sample, places, solid, unit, ascending })
    }

    /// The places that are left out between files of one source.
    pub fn gaps(&self) -> Vec<Gap> {
        let gap = |pair: &[Solid]| {
            let (low, high) = (&pair[0], &pair[1]);
            let (earlier, later) = if self.ascending { (low, high) } else { (high, low) };
            let is_sound = earlier.source == later.source && follows(earlier.span, later.span);
            let (first, last, count) = self.left_out(low.position, high.position)?;
            is_sound.then(|| Gap {
                before: earlier.ends.1,
                after: later.ends.0,
                first_name: self.sample.name_at(first),
                last_name: self.sample.name_at(last),
                count,
            })
        };
        self.solid.windows(2).filter_map(gap).collect()
    }

    /// Whether both files are here and nothing is left out between them.
    pub fn is_whole_between(&self, a: usize, b: usize) -> bool {
        let place = |file| self.places.iter().find(|it| it.1.contains(&file)).map(|it| *it.0);
        place(a).zip(place(b)).is_some_and(|(a, b)| {
            let here = self.places.range(a.min(b)..a.max(b)).count() as i64;
            here * self.unit >= a.abs_diff(b) as i64
        })
    }

    /// The first and last place between two that are left out, and how many there are.
    fn left_out(&self, low: i64, high: i64) -> Option<(i64, i64, u64)> {
        if let Some(cycle) = self.cycle() {
            let here: BTreeSet<i64> = self.places.keys().map(|it| it.rem_euclid(cycle)).collect();
            let expected =
                |it: &i64| !self.places.contains_key(it) && here.contains(&it.rem_euclid(cycle));
            let missing: Vec<i64> = (low + 1..high).filter(expected).collect();
            return Some((*missing.first()?, *missing.last()?, missing.len() as u64));
        }
        let steps = (high - low) / self.unit - 1;
        let here = self.places.range(low + 1..high).count() as i64;
        let count = u64::try_from(steps - here).ok().filter(|it| *it > 0)?;
        let unit = self.unit;
        let is_missing = |it: &i64| !self.places.contains_key(it);
        let first = (1..=steps).map(|it| low + it * unit).find(is_missing)?;
        let last = (1..=steps).map(|it| high - it * unit).find(is_missing)?;
        Some((first, last, count))
    }

    /// After how many steps days and hours are alike: a log may rest on Sundays, or at night.
    fn cycle(&self) -> Option<i64> {
        match self.sample.step {
            Step::Day if self.unit == 1 => Some(7),
            Step::Hour if self.unit == 1 => Some(24),
            _ => None,
        }
    }
}

impl Solid {
    fn new(position: i64, at: &[usize], files: &[Listed]) -> Option<Self> {
        let of = |index: &usize| Some((*index, files[*index].content.as_ref()?));
        let read: Vec<(usize, &Content)> = at.iter().filter_map(of).collect();
        let first = read.iter().min_by_key(|it| it.1.span.0)?;
        let last = read.iter().max_by_key(|it| it.1.span.1)?;
        Some(Self {
            position,
            span: (first.1.span.0, last.1.span.1),
            ends: (first.0, last.0),
            source: first.1.source.clone(),
            record_count: read.iter().map(|it| it.1.record_count).sum(),
        })
    }
}

/// The differences between the places of a series.
fn differences(places: &BTreeMap<i64, Vec<usize>>) -> Vec<i64> {
    let next = places.keys().skip(1);
    places.keys().zip(next).map(|(a, b)| b - a).collect()
}

/// Whether numbers count: most of them are there, or most have the next one beside them. Ids and
/// instants leave out more.
fn counted(places: &BTreeMap<i64, Vec<usize>>, like_a_clock: bool) -> bool {
    let steps = differences(places);
    let range: i64 = steps.iter().sum();
    // Times of day pass from 59 to 100.
    let hours: BTreeSet<i64> = places.keys().map(|it| it / 100).collect();
    if like_a_clock && hours.len() > 1 && places.keys().all(|it| it % 100 < 60) {
        return false;
    }
    let here = places.len() as i64;
    let beside = steps.iter().filter(|it| **it == 1).count();
    here > range + 1 - here || beside * 2 >= steps.len()
}

/// The step of a regular and busy series of dates.
fn regular(places: &BTreeMap<i64, Vec<usize>>, solid: &[Solid]) -> Option<i64> {
    let steps = differences(places);
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    steps.iter().for_each(|it| *counts.entry(*it).or_default() += 1);
    let unit = counts.iter().max_by_key(|it| (*it.1, -*it.0)).map(|it| *it.0)?;
    let left_out = steps.iter().filter(|it| **it != unit).count();
    // The first and the last file may be of a part of their step only.
    let inner = solid.get(1..solid.len().saturating_sub(1)).unwrap_or_default();
    let quiet = inner.iter().filter(|it| it.record_count < BUSY_RECORDS).count();
    let here = places.len();
    let few = quiet + here - solid.len();
    let is_regular = steps.iter().all(|it| it % unit == 0) && here >= left_out * (ONE_IN - 1);
    (here >= 6 && is_regular && few * ONE_IN <= here).then_some(unit)
}

#[cfg(test)]
mod tests;
