//! Dedupe: one event once, whoever delivered it how often.
//!
//! The events table is its own index: which native ids a day already has is
//! read back from that day's files when the day is first touched. So there is
//! no second structure that could disagree with the table, and memory is
//! bounded by forgetting whole days, which can be read again.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use hashbrown::HashMap as Map;

use crate::memo::KeyHasher;

/// What the index says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its event was not read before.
    New,
    /// Its event was read before.
    Duplicate,
    /// A later part of an event whose earlier part is row `.0` of the segment
    /// that is still being filled: it takes that row's place.
    Replaces(u32),
    /// A later part of an event whose earlier part is in the table: it counts
    /// instead of that one.
    Completes,
}

/// The native ids of one day: keyed hash to the highest part seen. Keys are bytes, so that
/// an entry takes 17 of them, and not 32.
type Keys = Map<[u8; 16], Part, BuildHasherDefault<KeyHasher>>;

/// Eight bits that fit beside the key without growing an entry much.
type Part = u8;

/// Which events have been read.
#[derive(Default)]
pub struct Seen {
    days: Vec<Day>,
    /// Where in `days` each day is.
    places: HashMap<i32, usize>,
    /// Where the day is that was asked for last: most records are of the day of the one before.
    last: usize,
    clock: u64,
    /// Rows of the open segment that a later part may replace.
    open: HashMap<u128, u32>,
}

struct Day {
    /// Days since 1970-01-01, UTC.
    date: i32,
    keys: Keys,
    /// When it was last touched, by `Seen::clock`.
    touched: u64,
}

impl Seen {
    /// Whether the ids of `day` have been loaded.
    pub fn has_day(&mut self, day: i32) -> bool {
        self.place_of(day).is_some()
    }

    /// Whether the event of `key` is known under `day`, which has been loaded.
    pub fn knows(&mut self, day: i32, key: u128) -> bool {
        let place = self.place_of(day);
        place.is_some_and(|it| self.days[it].keys.contains_key(&key.to_le_bytes()))
    }

    /// Starts `day` with the ids that the table has.
    pub fn load_day(&mut self, day: i32, keys: impl Iterator<Item = (u128, i64)>) {
        let mut all = Keys::default();
        for (key, stage) in keys {
            let part = all.entry(key.to_le_bytes()).or_default();
            *part = (*part).max(part_of(stage));
        }
        let loaded = Day { date: day, keys: all, touched: self.clock };
        match self.place_of(day) {
            Some(place) => self.days[place] = loaded,
            None => self.add(loaded),
        }
    }

    fn place_of(&mut self, day: i32) -> Option<usize> {
        if self.days.get(self.last).is_none_or(|it| it.date != day) {
            self.last = *self.places.get(&day)?;
        }
        Some(self.last)
    }

    fn add(&mut self, day: Day) {
        self.places.insert(day.date, self.days.len());
        self.days.push(day);
    }

    /// Looks up and remembers a record of `day`, which would become row `row`
    /// of the open segment.
    pub fn check(&mut self, day: i32, key: u128, stage: i64, row: u32) -> Verdict {
        self.clock += 1;
        let place = match self.place_of(day) {
            Some(place) => place,
            None => {
                self.load_day(day, std::iter::empty());
                self.days.len() - 1
            }
        };
        let Day { keys, touched, .. } = &mut self.days[place];
        *touched = self.clock;
        let part = part_of(stage);
        let verdict = match keys.entry(key.to_le_bytes()) {
            hashbrown::hash_map::Entry::Vacant(entry) => {
                entry.insert(part);
                Verdict::New
            }
            hashbrown::hash_map::Entry::Occupied(mut entry) => {
                if part <= *entry.get() {
                    return Verdict::Duplicate;
                }
                entry.insert(part);
                match self.open.get(&key) {
                    Some(row) => Verdict::Replaces(*row),
                    None => Verdict::Completes,
                }
            }
        };
        if part > 0 {
            self.open.insert(key, row);
        }
        verdict
    }

    /// The open segment was committed: its rows can be replaced no more. Days
    /// that were not touched for longest are forgotten while more than
    /// `budget` ids are held.
    pub fn committed(&mut self, budget: usize) {
        self.open.clear();
        let mut held: usize = self.days.iter().map(|it| it.keys.len()).sum();
        let mut days = std::mem::take(&mut self.days);
        // The longest untouched last, to be taken from the end.
        days.sort_by_key(|it| std::cmp::Reverse(it.touched));
        while held > budget && days.len() > 1 {
            held -= days.pop().map_or(0, |it| it.keys.len());
        }
        self.places.clear();
        days.into_iter().for_each(|it| self.add(it));
    }
}

fn part_of(stage: i64) -> Part {
    u8::try_from(stage.max(0)).unwrap_or(Part::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_delivery_is_a_duplicate() {
        let mut seen = Seen::default();
        assert_eq!(seen.check(1, 42, i64::MIN, 0), Verdict::New);
        assert_eq!(seen.check(1, 42, i64::MIN, 1), Verdict::Duplicate);
        assert_eq!(seen.check(1, 43, i64::MIN, 1), Verdict::New);
    }

    #[test]
    fn a_response_takes_the_place_of_its_request() {
        let mut seen = Seen::default();
        assert_eq!(seen.check(1, 7, 1, 0), Verdict::New);
        assert_eq!(seen.check(1, 7, 2, 1), Verdict::Replaces(0));
        assert_eq!(seen.check(1, 7, 1, 2), Verdict::Duplicate);
    }

    #[test]
    fn a_response_after_the_commit_completes_its_request() {
        let mut seen = Seen::default();
        seen.check(1, 7, 1, 0);
        seen.committed(10);
        assert_eq!(seen.check(1, 7, 2, 0), Verdict::Completes);
    }

    #[test]
    fn a_forgotten_day_is_loaded_again() {
        let mut seen = Seen::default();
        seen.check(1, 1, 0, 0);
        seen.check(2, 2, 0, 1);
        seen.committed(1);
        assert!(!seen.has_day(1) && seen.has_day(2));
        seen.load_day(1, [(1, 0)].into_iter());
        assert_eq!(seen.check(1, 1, 0, 0), Verdict::Duplicate);
    }
}
