//! Text columns as codes into their distinct values.
//!
//! Logs repeat themselves: ten thousand events name a handful of principals,
//! user agents and addresses. Each reader numbers the values that it meets,
//! and each segment numbers its own; between the two stands a table, so that a
//! row costs an array look-up and only a new value is ever hashed.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

/// How many rows a segment holds before it is committed.
pub const SEGMENT_ROWS: usize = 500_000;

/// The code of a missing value.
pub const NULL: u32 = u32::MAX;
/// Stands for a code that was not translated yet.
const UNKNOWN: u32 = u32::MAX - 1;

/// Which value each row has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codes {
    /// All rows have the same.
    Same(u32),
    /// One code per row.
    Rows(Vec<u32>),
}

impl Codes {
    /// The code of `row`.
    pub fn at(&self, row: usize) -> u32 {
        match self {
            Codes::Same(code) => *code,
            Codes::Rows(codes) => codes[row],
        }
    }

    /// The codes of the rows `places`.
    pub fn picked(&self, places: &[u32]) -> Codes {
        match self {
            Codes::Same(code) => Codes::Same(*code),
            Codes::Rows(codes) => {
                Codes::Rows(places.iter().map(|it| codes[*it as usize]).collect())
            }
        }
    }

    /// Appends a row to the `rows` there are.
    pub fn push(&mut self, rows: usize, code: u32) {
        match self {
            Codes::Same(same) if rows == 0 || *same == code => *same = code,
            Codes::Same(same) => {
                let mut codes = vec![*same; rows];
                codes.push(code);
                *self = Codes::Rows(codes);
            }
            Codes::Rows(codes) => codes.push(code),
        }
    }

    /// The same rows with each code replaced by what `codes` has at its place; what is missing
    /// stays so.
    pub fn through(&self, codes: &[u32]) -> Codes {
        match self {
            Codes::Same(NULL) => Codes::Same(NULL),
            Codes::Same(code) => Codes::Same(codes[*code as usize]),
            Codes::Rows(rows) => Codes::Rows(rows.iter().map(|it| codes[*it as usize]).collect()),
        }
    }
}

/// Distinct values, numbered from 0 in the order in which they came.
#[derive(Debug, Default)]
pub struct Dictionary {
    values: Vec<Arc<str>>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Dictionary {
    /// The code of `value`, which is new if need be.
    pub fn intern(&mut self, value: &str) -> u32 {
        self.intern_with(value, |it| it.into())
    }

    /// As `intern`, without a copy of a value that is new.
    pub fn intern_shared(&mut self, value: &Arc<str>) -> u32 {
        self.intern_with(value, |_| Arc::clone(value))
    }

    fn intern_with(&mut self, value: &str, make: impl FnOnce(&str) -> Arc<str>) -> u32 {
        let hash = self.hasher.hash_one(value);
        let values = &self.values;
        if let Some(code) = self.index.find(hash, |it| &*values[*it as usize] == value) {
            return *code;
        }
        let code = self.values.len() as u32;
        self.values.push(make(value));
        let (values, hasher) = (&self.values, &self.hasher);
        self.index.insert_unique(hash, code, |it| hasher.hash_one(&*values[*it as usize]));
        code
    }

    /// The value that `code` stands for.
    pub fn value(&self, code: u32) -> Option<&str> {
        if code == NULL { None } else { Some(&self.values[code as usize]) }
    }

    /// The values, by code.
    pub fn values(&self) -> &[Arc<str>] {
        &self.values
    }

    fn clear(&mut self) {
        self.values.clear();
        self.index.clear();
    }
}

/// The values behind a reader's codes for one column, and what a segment calls them.
#[derive(Debug, Default)]
pub struct Translation {
    values: Vec<Arc<str>>,
    codes: Vec<u32>,
}

impl Translation {
    /// Adds the values that follow those known so far.
    pub fn learn(&mut self, values: &[Arc<str>]) {
        self.values.extend(values.iter().cloned());
        self.codes.resize(self.values.len(), UNKNOWN);
    }

    /// The code that `dictionary` has for what `code` stands for.
    fn code(&mut self, code: u32, dictionary: &mut Dictionary) -> u32 {
        // `NULL` is no place among the codes.
        match self.codes.get_mut(code as usize) {
            Some(known) if *known == UNKNOWN => {
                *known = dictionary.intern_shared(&self.values[code as usize]);
                *known
            }
            Some(known) => *known,
            None => NULL,
        }
    }

    /// Starts over with the codes: another segment numbers its values anew.
    pub fn forget(&mut self) {
        self.codes.fill(UNKNOWN);
    }
}

/// One code per row, in half the memory while there are few values.
#[derive(Debug, Default)]
struct RowCodes {
    /// The codes while all are narrow ones.
    narrow: Vec<u16>,
    /// The codes since they are not.
    wide: Vec<u32>,
    is_wide: bool,
}

/// `NULL` as a narrow code, and the first code that is not narrow.
const NARROW_NULL: u16 = u16::MAX;

fn widened(code: u16) -> u32 {
    if code == NARROW_NULL { NULL } else { u32::from(code) }
}

impl RowCodes {
    /// Readies them for `more` codes, which are `NULL` or less than `values`.
    fn make_room(&mut self, more: usize, values: usize) {
        if !self.is_wide && values > usize::from(NARROW_NULL) {
            make_room(&mut self.wide, self.narrow.len() + more);
            self.wide.extend(self.narrow.drain(..).map(widened));
            self.is_wide = true;
        }
        match self.is_wide {
            true => make_room(&mut self.wide, more),
            false => make_room(&mut self.narrow, more),
        }
    }

    /// Appends codes that there is room for.
    fn extend(&mut self, codes: impl Iterator<Item = u32>) {
        match self.is_wide {
            true => self.wide.extend(codes),
            // `NULL` becomes `NARROW_NULL`.
            false => self.narrow.extend(codes.map(|it| it as u16)),
        }
    }

    fn at(&self, row: usize) -> u32 {
        if self.is_wide { self.wide[row] } else { widened(self.narrow[row]) }
    }

    fn pick(&self, rows: &[u32], picked: &mut Vec<u32>) {
        let Self { narrow, wide, is_wide } = self;
        match is_wide {
            true => picked.extend(rows.iter().map(|row| wide[*row as usize])),
            false => picked.extend(rows.iter().map(|row| widened(narrow[*row as usize]))),
        }
    }

    fn clear(&mut self) {
        self.narrow.clear();
        self.wide.clear();
        self.is_wide = false;
    }
}

/// A text column of a segment.
#[derive(Debug)]
pub struct TextColumn {
    /// The code that all rows so far share, while they do.
    same: u32,
    /// The codes of the rows, once they differ.
    codes: RowCodes,
    differ: bool,
    rows: usize,
    dictionary: Dictionary,
}

impl Default for TextColumn {
    fn default() -> Self {
        Self {
            same: NULL,
            codes: RowCodes::default(),
            differ: false,
            rows: 0,
            dictionary: Dictionary::default(),
        }
    }
}

impl TextColumn {
    /// Appends the rows `kept` of a chunk's column; all of them if `all`.
    pub fn extend(&mut self, column: &Codes, kept: &[u32], all: bool, words: &mut Translation) {
        if kept.is_empty() {
            return;
        }
        if let Codes::Same(code) = column {
            let code = words.code(*code, &mut self.dictionary);
            return self.push_same(code, kept.len());
        }
        self.spread();
        let Self { dictionary, codes, rows, .. } = self;
        // Each row may have a value that is new.
        codes.make_room(kept.len(), dictionary.values().len() + kept.len());
        let mut translate = |code: u32| words.code(code, dictionary);
        match column {
            Codes::Same(_) => {}
            Codes::Rows(column) if all => codes.extend(column.iter().map(|it| translate(*it))),
            Codes::Rows(column) => {
                codes.extend(kept.iter().map(|row| translate(column[*row as usize])));
            }
        }
        *rows += kept.len();
    }

    /// Appends one row.
    pub fn push(&mut self, value: Option<&str>) {
        let code = value.map_or(NULL, |it| self.dictionary.intern(it));
        self.push_same(code, 1);
    }

    fn push_same(&mut self, code: u32, rows: usize) {
        if self.rows == 0 {
            self.same = code;
        }
        if self.differ || self.same != code {
            self.spread();
            self.codes.make_room(rows, self.dictionary.values().len());
            self.codes.extend(std::iter::repeat_n(code, rows));
        }
        self.rows += rows;
    }

    /// From here on each row has a code of its own.
    fn spread(&mut self) {
        if !self.differ {
            self.codes.make_room(self.rows, self.dictionary.values().len());
            self.codes.extend(std::iter::repeat_n(self.same, self.rows));
            self.differ = true;
        }
    }

    /// Takes all rows and values out, and keeps the memory.
    pub fn clear(&mut self) {
        self.codes.clear();
        self.dictionary.clear();
        (self.same, self.differ, self.rows) = (NULL, false, 0);
    }

    /// The code of `row`.
    pub fn code(&self, row: usize) -> u32 {
        if self.differ { self.codes.at(row) } else { self.same }
    }

    /// The value that `code` stands for.
    pub fn value(&self, code: u32) -> Option<&str> {
        self.dictionary.value(code)
    }

    /// The distinct values, by code.
    pub fn values(&self) -> &[Arc<str>] {
        self.dictionary.values()
    }

    /// Whether all rows share one code, and which.
    pub fn constant(&self) -> Option<u32> {
        (!self.differ).then_some(self.same)
    }

    /// Puts the codes of `rows` into `picked`; none if all rows share one.
    pub fn pick(&self, rows: &[u32], picked: &mut Vec<u32>) {
        picked.clear();
        if self.differ {
            self.codes.pick(rows, picked);
        }
    }

    /// The code of a value that a row may have.
    pub fn find(&self, value: &str) -> Option<u32> {
        self.values().iter().position(|it| &**it == value).map(|it| it as u32)
    }

    /// For each code its place among the sorted values.
    pub fn ranks(&self) -> Vec<u32> {
        let values = self.values();
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_unstable_by(|a, b| values[*a as usize].cmp(&values[*b as usize]));
        let mut ranks = vec![0; order.len()];
        for (rank, code) in order.into_iter().enumerate() {
            ranks[code as usize] = rank as u32;
        }
        ranks
    }
}

/// From here on a segment is taken to become a full one.
const SMALL: usize = 1 << 16;

/// Makes room for `more` values of a segment: a small segment takes little memory, and a
/// large one does not leave behind all the sizes that it had.
pub fn make_room<T>(values: &mut Vec<T>, more: usize) {
    let wanted = values.len() + more;
    if wanted > values.capacity() && wanted > SMALL {
        values.reserve_exact((SEGMENT_ROWS + SMALL).max(wanted) - values.len());
    }
}

/// As `make_room`, for the bytes of `rows` texts; `more` are those that follow.
pub fn make_room_for_texts(bytes: &mut String, rows: usize, more: usize) {
    let wanted = bytes.len() + more;
    if wanted > bytes.capacity() && rows > SMALL {
        // As many as that many rows had so far, and some more.
        let whole = (bytes.len() / rows + 1) * (SEGMENT_ROWS + SMALL);
        // Never by little, lest longer and longer texts are copied again and again.
        let whole = whole.max(bytes.capacity() / 4 * 5).max(wanted);
        bytes.reserve_exact(whole - bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(column: &TextColumn, rows: usize) -> Vec<Option<&str>> {
        (0..rows).map(|row| column.value(column.code(row))).collect()
    }

    #[test]
    fn readers_that_number_differently_fill_one_column() {
        let mut column = TextColumn::default();
        let (mut first, mut second) = (Translation::default(), Translation::default());
        first.learn(&["x".into()]);
        column.extend(&Codes::Same(0), &[0, 1], true, &mut first);
        assert_eq!(column.constant(), Some(0));
        second.learn(&["y".into(), "x".into()]);
        column.extend(&Codes::Rows(vec![0, 1, NULL]), &[0, 2], false, &mut second);
        assert_eq!(texts(&column, 4), [Some("x"), Some("x"), Some("y"), None]);
        first.learn(&["y".into()]);
        column.extend(&Codes::Rows(vec![1, 0]), &[0, 1], true, &mut first);
        assert_eq!(column.code(4), column.code(2));
        assert_eq!(column.values().len(), 2);
    }

    #[test]
    fn another_segment_has_other_codes() {
        let mut words = Translation::default();
        words.learn(&["a".into(), "b".into()]);
        let mut column = TextColumn::default();
        column.extend(&Codes::Rows(vec![0, 1]), &[0, 1], true, &mut words);
        words.forget();
        let mut column = TextColumn::default();
        column.extend(&Codes::Rows(vec![1, 0]), &[0, 1], true, &mut words);
        assert_eq!(texts(&column, 2), [Some("b"), Some("a")]);
    }

    #[test]
    fn more_values_than_a_narrow_code_can_tell_apart_stay_apart() {
        let count = usize::from(NARROW_NULL) + 2;
        let values: Vec<Arc<str>> = (0..count).map(|it| it.to_string().into()).collect();
        let mut words = Translation::default();
        words.learn(&values);
        let mut column = TextColumn::default();
        for _ in 0..2 {
            let codes: Vec<u32> = (0..count as u32).collect();
            for part in codes.chunks(1000) {
                let kept: Vec<u32> = (0..part.len() as u32).collect();
                column.extend(&Codes::Same(NULL), &[0], true, &mut words);
                column.extend(&Codes::Rows(part.to_vec()), &kept, true, &mut words);
            }
            let mut picked = Vec::new();
            let rows = count + count.div_ceil(1000);
            column.pick(&(0..rows as u32).collect::<Vec<_>>(), &mut picked);
            assert!(picked.iter().enumerate().all(|(row, code)| *code == column.code(row)));
            let found: Vec<u32> = picked.into_iter().filter(|it| *it != NULL).collect();
            assert!(found.iter().zip(&values).all(|it| column.value(*it.0) == Some(it.1)));
            assert_eq!(found, codes);
            column.clear();
            words.forget();
        }
        column.push(Some("one"));
        column.push(None);
        assert_eq!(texts(&column, 2), [Some("one"), None]);
    }

    #[test]
    fn rows_of_one_value_stay_one_code_until_another_comes() {
        let mut column = TextColumn::default();
        column.push(Some("a"));
        column.push(Some("a"));
        assert_eq!(column.constant(), Some(0));
        column.push(None);
        assert_eq!(column.constant(), None);
        assert_eq!(texts(&column, 3), [Some("a"), Some("a"), None]);
    }
}
