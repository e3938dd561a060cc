//! Day: the rows of a segment that fall on one day, in the order in which they are stored.
//!
//! What they are told apart by is brought into that order once, column by column: the table
//! `events` and all that is derived from it read it from there.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch};
use lastuse_store::Table;

use crate::coded::{NULL, TextColumn};
use crate::event::Text;
use crate::segment::{MICROS_PER_DAY, Pick, Segment, day_of, table_of};

/// The rows of a day. Made once for a segment: one day after the other takes its memory.
pub struct Day<'a> {
    segment: &'a Segment,
    /// The rows of the segment.
    rows: Vec<u32>,
    /// When they took place.
    times: Vec<i64>,
    /// Their codes, by `Text as usize`; none where all rows of the segment share one.
    codes: Vec<Vec<u32>>,
    credentials: Ranked<'a>,
    principals: Ranked<'a>,
    keys: Vec<u128>,
}

/// The codes of a day's rows.
#[derive(Debug, Clone, Copy)]
pub enum DayCodes<'a> {
    /// All rows have the same.
    Same(u32),
    /// One code per row.
    Rows(&'a [u32]),
}

impl DayCodes<'_> {
    /// The code of the row at `place` among the day's rows.
    pub fn at(&self, place: usize) -> u32 {
        match self {
            DayCodes::Same(code) => *code,
            DayCodes::Rows(codes) => codes[place],
        }
    }
}

impl<'a> Day<'a> {
    /// A day of `segment`, without rows so far.
    pub fn new(segment: &'a Segment) -> Self {
        Self {
            segment,
            rows: Vec::new(),
            times: Vec::new(),
            codes: vec![Vec::new(); Text::COUNT],
            credentials: Ranked::new(&segment.texts[Text::CredentialUid as usize]),
            principals: Ranked::new(&segment.texts[Text::Principal as usize]),
            keys: Vec::new(),
        }
    }

    /// Takes up the rows of another day, by credential, principal and time. They are given in
    /// the order of the segment.
    pub fn set(&mut self, rows: &[u32]) {
        self.keys.clear();
        let Self { segment, credentials, principals, .. } = self;
        self.keys.extend(rows.iter().enumerate().map(|(place, row)| {
            let at = *row as usize;
            let time = segment.event_times[at];
            sort_key(credentials.rank(at), principals.rank(at), time, place)
        }));
        self.keys.sort_unstable();
        self.rows.clear();
        self.rows.extend(self.keys.iter().map(|key| rows[place_of(*key)]));
        self.take_up();
    }

    /// Takes up rows as they are, whatever their day.
    pub fn set_unsorted(&mut self, rows: &[u32]) {
        self.rows.clear();
        self.rows.extend_from_slice(rows);
        self.take_up();
    }

    fn take_up(&mut self) {
        let Self { segment, rows, times, codes, .. } = self;
        times.clear();
        times.extend(rows.iter().map(|row| segment.event_times[*row as usize]));
        for (text, _) in Text::EVENT_COLUMNS {
            segment.texts[text as usize].pick(rows, &mut codes[text as usize]);
        }
    }

    /// The rows of the segment.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The place of each row among the day's, and the row of the segment.
    pub fn places(&self) -> impl Iterator<Item = (usize, u32)> {
        self.rows.iter().copied().enumerate()
    }

    /// When each took place.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// The codes of a column of `events`.
    pub fn codes(&self, text: Text) -> DayCodes<'_> {
        match self.segment.texts[text as usize].constant() {
            Some(code) => DayCodes::Same(code),
            None => DayCodes::Rows(&self.codes[text as usize]),
        }
    }

    /// The rows as a batch of the table `events`.
    pub fn batch(&self) -> RecordBatch {
        let schema = Table::Events.schema();
        let columns = schema.fields().iter().map(|it| self.column(it.name())).collect();
        table_of(Table::Events, columns)
    }

    fn column(&self, name: &str) -> ArrayRef {
        let pick = match name {
            "native_uid" => Pick::NativeUid,
            "stage" => Pick::Stage,
            "event_time" => Pick::Times(self.times.clone()),
            "observed_time" => Pick::ObservedTime,
            "issued_expires_time" => Pick::ExpiresTime,
            "record_number" => Pick::RecordNumber,
            "event_count" => Pick::EventCount,
            _ => {
                let text = Text::EVENT_COLUMNS.iter().find(|it| it.1 == name);
                let (text, _) = text.expect("every other column of events is a text column");
                return self.segment.texts_of(*text, self.rows.len(), &self.codes[*text as usize]);
            }
        };
        self.segment.column(pick, &self.rows)
    }
}

/// The rows of a segment that stand by day, each in the order of the segment.
pub fn days(segment: &Segment) -> BTreeMap<i32, Vec<u32>> {
    let mut days: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
    let mut standing = (0..segment.len() as u32).filter(|row| segment.stands(*row)).peekable();
    // Most rows fall on the day of the row before.
    while let Some(first) = standing.peek() {
        let date = day_of(segment.event_times[*first as usize]);
        let same = |row: &u32| day_of(segment.event_times[*row as usize]) == date;
        let rows = days.entry(date).or_default();
        rows.extend(std::iter::from_fn(|| standing.next_if(same)));
    }
    days
}

/// How many bits of a sort key its parts take: the time within the day, and the place among
/// the rows given. The ranks of credential and principal share the other 60; none reaches 2^30,
/// since there are no more of them than rows, and a segment is committed long before it has so
/// many rows.
const TIME_BITS: u32 = 37;
const PLACE_BITS: u32 = 31;
const RANK_BITS: u32 = 30;

const _: () = {
    assert!(MICROS_PER_DAY < 1 << TIME_BITS);
    assert!(2 * RANK_BITS + TIME_BITS + PLACE_BITS == u128::BITS);
};

/// A number that sorts by credential, principal, time of the day and place.
fn sort_key(credential: u32, principal: u32, time: i64, place: usize) -> u128 {
    debug_assert!(credential.max(principal) < 1 << RANK_BITS && place < 1 << PLACE_BITS);
    let ranks = (u64::from(credential) << RANK_BITS) | u64::from(principal);
    let time = time.rem_euclid(MICROS_PER_DAY) as u128;
    (((u128::from(ranks) << TIME_BITS) | time) << PLACE_BITS) | place as u128
}

fn place_of(key: u128) -> usize {
    key as usize & ((1 << PLACE_BITS) - 1)
}

/// Ranks of a column's codes; rows without a value come last.
struct Ranked<'a> {
    column: &'a TextColumn,
    ranks: Vec<u32>,
}

impl<'a> Ranked<'a> {
    fn new(column: &'a TextColumn) -> Self {
        Self { column, ranks: column.ranks() }
    }

    fn rank(&self, row: usize) -> u32 {
        // `NULL` is no place among the ranks.
        let rank = self.ranks.get(self.column.code(row) as usize).copied();
        debug_assert!(rank.is_some() || self.column.code(row) == NULL);
        rank.unwrap_or(self.ranks.len() as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment of rows with a credential, a principal and a time.
    fn segment(rows: &[(Option<&str>, &str, i64)]) -> Segment {
        let mut segment = Segment::new();
        for (credential, principal, time) in rows {
            for (text, column) in segment.texts.iter_mut().enumerate() {
                column.push(match text {
                    it if it == Text::CredentialUid as usize => *credential,
                    it if it == Text::Principal as usize => Some(principal),
                    _ => None,
                });
            }
            segment.event_times.push(*time);
        }
        segment
    }

    #[test]
    fn a_day_ends_before_midnight_before_1970_too() {
        let day = MICROS_PER_DAY;
        let times = [0, day, day - 1, -1, -day, -day - 1, 2 * day];
        let mut segment = segment(&times.map(|it| (None, "p", it)));
        segment.replace(6);
        let found: Vec<(i32, Vec<u32>)> = days(&segment).into_iter().collect();
        assert_eq!(found, [(-2, vec![5]), (-1, vec![3, 4]), (0, vec![0, 2]), (1, vec![1])]);
        let mut sorted = Day::new(&segment);
        sorted.set(&found[1].1);
        assert_eq!((sorted.rows(), sorted.times()), (&[4, 3][..], &[-day, -1][..]));
    }

    #[test]
    fn rows_stand_by_credential_principal_time_and_then_as_they_came() {
        let rows = [
            (None, "a", 1),
            (Some("y"), "b", 1),
            (Some("x"), "c", 9),
            (Some("y"), "b", 1),
            (Some("x"), "c", 2),
            (Some("y"), "a", 3),
        ];
        let segment = segment(&rows);
        let mut day = Day::new(&segment);
        day.set(&[0, 1, 2, 3, 4, 5]);
        assert_eq!(day.rows(), [4, 2, 5, 1, 3, 0]);
        assert_eq!(day.times(), [2, 9, 3, 1, 1, 1]);
        let names = |text: Text| -> Vec<Option<&str>> {
            let column = &segment.texts[text as usize];
            (0..6).map(|place| column.value(day.codes(text).at(place))).collect()
        };
        let credentials = [Some("x"), Some("x"), Some("y"), Some("y"), Some("y"), None];
        assert_eq!(names(Text::CredentialUid), credentials);
        assert_eq!(names(Text::Action), [None; 6]);
    }

    #[test]
    fn a_sort_key_sorts_by_each_of_its_parts_before_the_next() {
        let most = (1 << RANK_BITS) - 1;
        let day = MICROS_PER_DAY;
        let sorted = [
            sort_key(0, 0, 0, 0),
            sort_key(0, 0, 0, (1 << PLACE_BITS) - 1),
            sort_key(0, 0, 1, 0),
            sort_key(0, 0, day - 1, 0),
            sort_key(0, 1, 0, 0),
            sort_key(0, most, day - 1, 7),
            sort_key(1, 0, 0, 0),
            sort_key(most, most, day - 1, (1 << PLACE_BITS) - 1),
        ];
        assert!(sorted.is_sorted_by(|a, b| a < b));
        assert_eq!(place_of(sorted[5]), 7);
        assert_eq!(place_of(sorted[7]), (1 << PLACE_BITS) - 1);
    }

    #[test]
    fn times_before_1970_sort_as_they_follow_each_other() {
        let times = [i64::MIN + 1, -MICROS_PER_DAY, -MICROS_PER_DAY + 1, -2, -1];
        let days: Vec<i32> = times.iter().map(|it| day_of(*it)).collect();
        assert_eq!(days[1..], [-1, -1, -1, -1]);
        let keys: Vec<u128> = times.iter().map(|it| sort_key(3, 4, *it, 5)).collect();
        assert!(keys[1..].is_sorted_by(|a, b| a < b));
    }
}
