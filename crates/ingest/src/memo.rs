//! Memo: what follows from a combination of field values is worked out once.
//!
//! A column of a source's SQL depends on a few fields, and those take few
//! combinations of values: most events are told apart by their time and id
//! alone. So values are numbered, combinations of numbers are numbered, and
//! only a combination that is new goes through the SQL, the fingerprints and
//! the redactor. Values are remembered by keyed hash, never as they are: a
//! field may hold a secret.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use arrow::array::{Array, StringViewArray};
use hashbrown::{DefaultHashBuilder, HashTable};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::coded::Codes;

/// The number of a missing value in every field.
const MISSING: u32 = 0;

/// A keyed 128-bit hash of texts and of where they end.
pub(crate) fn keyed(key: &[u8; 16], parts: &[&str]) -> u128 {
    let mut hasher = SipHasher13::new_with_key(key);
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part.as_bytes());
    }
    let hash = hasher.finish128();
    (u128::from(hash.h1) << 64) | u128::from(hash.h2)
}

/// For tables whose keys are hashes already.
#[derive(Debug, Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        let mut low = [0; 8];
        low.copy_from_slice(&bytes[..8]);
        self.0 = u64::from_le_bytes(low);
    }
    fn write_usize(&mut self, _length: usize) {}
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

/// Numbers of the values of one field, by keyed hash.
type Numbers = HashMap<u128, u32, BuildHasherDefault<KeyHasher>>;

/// Numbers the values of fields, the same number for the same value.
#[derive(Debug)]
pub(crate) struct Fields {
    key: [u8; 16],
    numbers: Vec<Numbers>,
    /// The values of the chunk at hand: first row with the value, and its number.
    chunk: HashTable<(u32, u32)>,
    hasher: DefaultHashBuilder,
}

impl Fields {
    pub(crate) fn new(key: [u8; 16], count: usize) -> Self {
        let numbers = (0..count).map(|_| Numbers::default()).collect();
        Self { key, numbers, chunk: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }

    /// Forgets the fields that have more than `most` values, and says which. Their values get
    /// other numbers when they come again.
    pub(crate) fn forget_above(&mut self, most: usize) -> Vec<usize> {
        let full = |it: &(usize, &mut Numbers)| it.1.len() > most;
        let forgotten = self.numbers.iter_mut().enumerate().filter(full).map(|(field, numbers)| {
            *numbers = Numbers::default();
            field
        });
        forgotten.collect()
    }

    /// The number of each row's value in `column`, which holds the field `field` if any row
    /// has it.
    pub(crate) fn number(&mut self, field: usize, column: Option<&StringViewArray>) -> Codes {
        let Some(column) = column.filter(|it| it.null_count() < it.len()) else {
            return Codes::Same(MISSING);
        };
        let rows = column.len();
        self.chunk.clear();
        let mut numbers = Vec::with_capacity(rows);
        let views = column.views();
        let nulls = column.nulls();
        let (mut last, mut last_number) = (usize::MAX, MISSING);
        for row in 0..rows {
            if nulls.is_some_and(|it| it.is_null(row)) {
                numbers.push(MISSING);
                continue;
            }
            // Most values are that of the row before.
            if last == usize::MAX || !same_text(column, views, last, row) {
                last_number = self.look_up(field, column, views, row);
            }
            last = row;
            numbers.push(last_number);
        }
        match numbers.split_first() {
            Some((first, rest)) if rest.iter().all(|it| it == first) => Codes::Same(*first),
            _ => Codes::Rows(numbers),
        }
    }

    fn look_up(
        &mut self,
        field: usize,
        column: &StringViewArray,
        views: &[u128],
        row: usize,
    ) -> u32 {
        let hasher = &self.hasher;
        let hash_at = |row: usize| match views[row] as u32 {
            0..=12 => hasher.hash_one(views[row]),
            _ => hasher.hash_one(column.value(row).as_bytes()),
        };
        let hash = hash_at(row);
        let found = self.chunk.find(hash, |it| same_text(column, views, it.0 as usize, row));
        if let Some(entry) = found {
            return entry.1;
        }
        let all = &mut self.numbers[field];
        let next = all.len() as u32 + 1;
        let number = *all.entry(keyed(&self.key, &[column.value(row)])).or_insert(next);
        self.chunk.insert_unique(hash, (row as u32, number), |it| hash_at(it.0 as usize));
        number
    }
}

/// Whether two rows hold the same text. A view holds the length, then the text itself
/// or, of one longer than 12 bytes, its first four bytes.
#[inline]
fn same_text(column: &StringViewArray, views: &[u128], a: usize, b: usize) -> bool {
    if views[a] == views[b] {
        return true;
    }
    views[a] as u32 > 12 && views[a] as u64 == views[b] as u64 && column.value(a) == column.value(b)
}

/// Combinations of numbers, numbered from 0 in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Combinations {
    /// How many numbers a combination has.
    width: usize,
    keys: Vec<u32>,
    index: HashTable<u32>,
    /// Of one field alone, by the number of its value; `u32::MAX` where there is none.
    single: Vec<u32>,
    count: u32,
    /// The combination at hand.
    key: Vec<u32>,
}

impl Combinations {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, key: vec![MISSING; width], ..Self::default() }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    /// Starts over.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.width);
    }

    /// The combination of each of `rows` rows. For each that is new, the first row with it is
    /// appended to `fresh`.
    pub(crate) fn number(&mut self, fields: &[&Codes], rows: usize, fresh: &mut Vec<u32>) -> Codes {
        let mut varying = Vec::with_capacity(fields.len());
        for (place, codes) in fields.iter().enumerate() {
            match codes {
                Codes::Same(number) => self.key[place] = *number,
                Codes::Rows(numbers) => varying.push((place, numbers.as_slice())),
            }
        }
        match varying.as_slice() {
            [] => Codes::Same(self.look_up(0, fresh)),
            [(_, numbers)] if self.width == 1 => {
                let number = |(row, number): (usize, &u32)| self.of_one(*number, row, fresh);
                Codes::Rows(numbers.iter().enumerate().map(number).collect())
            }
            varying => {
                let mut found = Vec::with_capacity(rows);
                let mut last = NONE;
                for row in 0..rows {
                    let mut same = last != NONE;
                    for (place, numbers) in varying {
                        same &= self.key[*place] == numbers[row];
                        self.key[*place] = numbers[row];
                    }
                    if !same {
                        last = self.look_up(row, fresh);
                    }
                    found.push(last);
                }
                Codes::Rows(found)
            }
        }
    }

    fn of_one(&mut self, number: u32, row: usize, fresh: &mut Vec<u32>) -> u32 {
        if let Some(found) = self.single.get(number as usize).filter(|it| **it != NONE) {
            return *found;
        }
        self.key[0] = number;
        self.look_up(row, fresh)
    }

    fn look_up(&mut self, row: usize, fresh: &mut Vec<u32>) -> u32 {
        if self.width == 1 {
            let number = self.key[0] as usize;
            if self.single.len() <= number {
                self.single.resize(number + 1, NONE);
            }
            if self.single[number] == NONE {
                self.single[number] = self.add(row, fresh);
            }
            return self.single[number];
        }
        let width = self.width;
        let hash = hash_numbers(&self.key);
        let at = |keys: &[u32], it: u32| {
            let start = it as usize * width;
            hash_numbers(&keys[start..start + width])
        };
        let (keys, key) = (&self.keys, &self.key);
        let found = self.index.find(hash, |it| {
            let start = *it as usize * width;
            keys[start..start + width].iter().zip(key).all(|(a, b)| a == b)
        });
        if let Some(found) = found {
            return *found;
        }
        let made = self.count;
        self.keys.extend_from_slice(&self.key);
        let keys = &self.keys;
        self.index.insert_unique(hash, made, |it| at(keys, *it));
        self.add(row, fresh)
    }

    fn add(&mut self, row: usize, fresh: &mut Vec<u32>) -> u32 {
        fresh.push(row as u32);
        self.count += 1;
        self.count - 1
    }
}

const NONE: u32 = u32::MAX;

/// The numbers are small and dense; multiplying and folding spreads them over all bits.
#[inline]
fn hash_numbers(numbers: &[u32]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = FACTOR;
    for number in numbers {
        let product = u128::from(hash ^ u64::from(*number)) * u128::from(FACTOR);
        hash = (product as u64) ^ ((product >> 64) as u64);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[Option<&str>]) -> StringViewArray {
        StringViewArray::from(values.to_vec())
    }

    const LONG: &str = "a value that is longer than a view";
    const ALIKE: &str = "a value that is longer than a VIEW";

    #[test]
    fn one_value_has_one_number_in_every_chunk() {
        let mut fields = Fields::new([1; 16], 2);
        let first =
            fields.number(0, Some(&column(&[Some(LONG), None, Some("b"), Some(LONG), Some("")])));
        let Codes::Rows(first) = first else { panic!("{first:?}") };
        assert_eq!(first, [1, MISSING, 2, 1, 3]);
        let second = fields.number(0, Some(&column(&[Some("b"), Some(ALIKE), Some(LONG)])));
        assert_eq!(second, Codes::Rows(vec![2, 4, 1]));
        assert_eq!(fields.number(0, Some(&column(&[None, None]))), Codes::Same(MISSING));
        assert_eq!(fields.number(0, Some(&column(&[Some("b"), Some("b")]))), Codes::Same(2));
        assert_eq!(fields.number(1, Some(&column(&[Some("b")]))), Codes::Same(1));
        assert!(fields.forget_above(4).is_empty());
        assert_eq!(fields.forget_above(3), [0]);
        assert_eq!(fields.number(0, Some(&column(&[Some(LONG)]))), Codes::Same(1));
    }

    #[test]
    fn a_combination_is_new_once() {
        let mut all = Combinations::new(2);
        let mut fresh = Vec::new();
        let (a, b) = (Codes::Rows(vec![1, 1, 2, 1]), Codes::Rows(vec![1, 2, 1, 1]));
        let found = all.number(&[&a, &b], 4, &mut fresh);
        assert_eq!((found, &fresh[..]), (Codes::Rows(vec![0, 1, 2, 0]), &[0, 1, 2][..]));
        fresh.clear();
        let found = all.number(&[&Codes::Same(2), &b], 4, &mut fresh);
        assert_eq!((found, &fresh[..]), (Codes::Rows(vec![2, 3, 2, 2]), &[1][..]));
        fresh.clear();
        assert_eq!(all.number(&[&Codes::Same(1), &Codes::Same(2)], 9, &mut fresh), Codes::Same(1));
        assert!(fresh.is_empty());
    }

    #[test]
    fn a_field_alone_and_no_field_at_all_are_combinations_too() {
        let (mut one, mut none) = (Combinations::new(1), Combinations::new(0));
        let mut fresh = Vec::new();
        let numbers = Codes::Rows(vec![5, 0, 5]);
        assert_eq!(one.number(&[&numbers], 3, &mut fresh), Codes::Rows(vec![0, 1, 0]));
        assert_eq!(one.number(&[&Codes::Same(5)], 3, &mut fresh), Codes::Same(0));
        assert_eq!(fresh, [0, 1]);
        assert_eq!(none.number(&[], 3, &mut fresh), Codes::Same(0));
        assert_eq!(none.number(&[], 3, &mut fresh), Codes::Same(0));
        assert_eq!((fresh.len(), none.len()), (3, 1));
    }

    #[test]
    fn where_one_text_ends_and_the_next_begins_is_part_of_the_hash() {
        assert_ne!(keyed(&[0; 16], &["ab", "c"]), keyed(&[0; 16], &["a", "bc"]));
    }
}
