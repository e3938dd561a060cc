//! Text columns as codes into their distinct values.
//!
//! Logs repeat themselves: a chunk of ten thousand events names a handful of
//! principals, user agents and addresses. Each distinct value is looked at
//! once per chunk (fingerprinted, redacted) and once per segment; every other
//! row costs a comparison or an array look-up.

use std::hash::BuildHasher;

use arrow::array::{Array, StringViewArray};
use hashbrown::{DefaultHashBuilder, HashTable};

/// The code of a missing value.
pub const NULL: u32 = u32::MAX;

/// A text column of one chunk.
#[derive(Debug, Clone)]
pub struct Coded {
    /// Which value each row has.
    pub codes: Codes,
    /// The values that the codes point at; not necessarily distinct.
    pub values: Vec<String>,
}

/// Which value each row has.
#[derive(Debug, Clone)]
pub enum Codes {
    /// All rows have the same.
    Same(u32),
    /// One code per row.
    Rows(Vec<u32>),
}

impl Coded {
    /// A column without values.
    pub fn null() -> Self {
        Self { codes: Codes::Same(NULL), values: Vec::new() }
    }

    /// A column that has one value in every row.
    pub fn constant(value: Option<String>) -> Self {
        match value {
            Some(value) => Self { codes: Codes::Same(0), values: vec![value] },
            None => Self::null(),
        }
    }

    /// Codes the rows of `column`, with each distinct value put through
    /// `transform` once; `None` from it, like an empty text, makes null.
    pub fn from_view(
        column: &StringViewArray,
        mut transform: impl FnMut(&str) -> Option<String>,
    ) -> Self {
        let hasher = DefaultHashBuilder::default();
        // Entries are (first row with that raw value, code).
        let mut seen: HashTable<(u32, u32)> = HashTable::new();
        let mut values = Vec::new();
        let mut codes = Vec::with_capacity(column.len());
        let views = column.views();
        let mut last: Option<(usize, u32)> = None;
        for row in 0..column.len() {
            if column.is_null(row) {
                codes.push(NULL);
                continue;
            }
            let value = column.value(row);
            if let Some((before, code)) = last
                && (views[before] == views[row] || column.value(before) == value)
            {
                codes.push(code);
                continue;
            }
            let hash = hasher.hash_one(value);
            let found = seen.find(hash, |it| column.value(it.0 as usize) == value);
            let code = match found {
                Some(entry) => entry.1,
                None => {
                    let made = if value.is_empty() { None } else { transform(value) };
                    let code = match made {
                        Some(made) => {
                            values.push(made);
                            values.len() as u32 - 1
                        }
                        None => NULL,
                    };
                    seen.insert_unique(hash, (row as u32, code), |it| {
                        hasher.hash_one(column.value(it.0 as usize))
                    });
                    code
                }
            };
            last = Some((row, code));
            codes.push(code);
        }
        Self { codes: Codes::Rows(codes), values }
    }

    /// The code of `row`.
    pub fn code(&self, row: usize) -> u32 {
        match &self.codes {
            Codes::Same(code) => *code,
            Codes::Rows(codes) => codes[row],
        }
    }

    /// The value of `row`.
    pub fn value(&self, row: usize) -> Option<&str> {
        match self.code(row) {
            NULL => None,
            code => Some(&self.values[code as usize]),
        }
    }

    /// Whether no row has a value.
    pub fn is_null(&self) -> bool {
        self.values.is_empty()
    }
}

/// A text column of a segment: codes into values that are distinct.
#[derive(Debug)]
pub struct TextColumn {
    /// The code that all rows so far share, while they do.
    same: u32,
    codes: Option<Vec<u32>>,
    rows: usize,
    values: Vec<Box<str>>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Default for TextColumn {
    fn default() -> Self {
        Self {
            same: NULL,
            codes: None,
            rows: 0,
            values: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl TextColumn {
    /// The code of `value` in this column.
    pub fn intern(&mut self, value: &str) -> u32 {
        let hash = self.hasher.hash_one(value);
        let values = &self.values;
        if let Some(code) = self.index.find(hash, |it| &*values[*it as usize] == value) {
            return *code;
        }
        let code = self.values.len() as u32;
        self.values.push(value.into());
        let (values, hasher) = (&self.values, &self.hasher);
        self.index.insert_unique(hash, code, |it| hasher.hash_one(&*values[*it as usize]));
        code
    }

    /// Appends the rows `kept` of a chunk's column.
    pub fn extend(&mut self, column: &Coded, kept: &[u32]) {
        let map: Vec<u32> = column.values.iter().map(|it| self.intern(it)).collect();
        let translate = |code: u32| if code == NULL { NULL } else { map[code as usize] };
        match &column.codes {
            Codes::Same(code) => self.push_same(translate(*code), kept.len()),
            Codes::Rows(codes) => {
                let all = self.materialize();
                all.extend(kept.iter().map(|row| translate(codes[*row as usize])));
                self.rows += kept.len();
            }
        }
    }

    /// Appends one row.
    pub fn push(&mut self, value: Option<&str>) {
        let code = value.map_or(NULL, |it| self.intern(it));
        self.push_same(code, 1);
    }

    fn push_same(&mut self, code: u32, rows: usize) {
        if rows == 0 {
            return;
        }
        if self.rows == 0 {
            self.same = code;
        }
        if self.codes.is_some() || self.same != code {
            let all = self.materialize();
            all.extend(std::iter::repeat_n(code, rows));
        }
        self.rows += rows;
    }

    fn materialize(&mut self) -> &mut Vec<u32> {
        let (same, rows) = (self.same, self.rows);
        self.codes.get_or_insert_with(|| vec![same; rows])
    }

    /// The code of `row`.
    pub fn code(&self, row: usize) -> u32 {
        match &self.codes {
            Some(codes) => codes[row],
            None => self.same,
        }
    }

    /// The value that `code` stands for.
    pub fn value(&self, code: u32) -> Option<&str> {
        if code == NULL { None } else { Some(&self.values[code as usize]) }
    }

    /// The distinct values, by code.
    pub fn values(&self) -> &[Box<str>] {
        &self.values
    }

    /// Whether all rows share one code, and which.
    pub fn constant(&self) -> Option<u32> {
        self.codes.is_none().then_some(self.same)
    }

    /// For each code its place among the sorted values.
    pub fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.values.len() as u32).collect();
        order.sort_unstable_by(|a, b| self.values[*a as usize].cmp(&self.values[*b as usize]));
        let mut ranks = vec![0; order.len()];
        for (rank, code) in order.into_iter().enumerate() {
            ranks[code as usize] = rank as u32;
        }
        ranks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_distinct_value_is_transformed_once() {
        let column = StringViewArray::from(vec![Some("a"), Some("b"), None, Some("a"), Some("")]);
        let mut calls = 0;
        let coded = Coded::from_view(&column, |it| {
            calls += 1;
            Some(it.to_uppercase())
        });
        assert_eq!(calls, 2);
        let values: Vec<_> = (0..5).map(|row| coded.value(row)).collect();
        assert_eq!(values, [Some("A"), Some("B"), None, Some("A"), None]);
    }

    #[test]
    fn a_segment_column_keeps_values_over_chunks() {
        let mut column = TextColumn::default();
        column.extend(&Coded::constant(Some("x".into())), &[0, 1]);
        assert_eq!(column.constant(), Some(0));
        let rows = StringViewArray::from(vec![Some("y"), Some("x"), None]);
        column.extend(&Coded::from_view(&rows, |it| Some(it.to_owned())), &[0, 2]);
        let values: Vec<_> = (0..4).map(|row| column.value(column.code(row))).collect();
        assert_eq!(values, [Some("x"), Some("x"), Some("y"), None]);
    }
}
