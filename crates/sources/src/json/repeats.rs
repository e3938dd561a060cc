//! Values that come again: what was read of one is not read again.
//!
//! Who signed a request takes a third of a CloudTrail record, and a file names a few hundred
//! signers in thousands of records. So the bytes of such a value are looked up among those of
//! the records before it, in the same buffer; only what is new is walked.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::walk::Slot;

/// After so many values it is asked whether looking them up pays.
const TRIED: u32 = 64;

/// The values of one member in one buffer.
#[derive(Default)]
pub(super) struct Repeats {
    /// The row of its group that the record at hand has; 0 for none.
    pub(super) row: u32,
    /// A value of the record at hand that is to become a row.
    pub(super) fresh: Option<Fresh>,
    known: HashTable<Known>,
    hasher: DefaultHashBuilder,
    found: u32,
    missed: u32,
}

/// A value that is new.
#[derive(Clone, Copy)]
pub(super) struct Fresh {
    start: usize,
    /// Where it ends, and its hash; none if it is not to be remembered.
    end: Option<(usize, u64)>,
}

struct Known {
    start: usize,
    len: usize,
    hash: u64,
    row: u32,
    /// What it gives beside the row: slots, and values counted from its start.
    given: Vec<(u32, Slot)>,
}

impl Repeats {
    /// Begins a record.
    pub(super) fn begin(&mut self) {
        self.row = 0;
        self.fresh = None;
    }

    /// Forgets all values: they stood in another buffer.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        (self.found, self.missed) = (0, 0);
    }

    /// Whether values come again often enough to be looked up.
    pub(super) fn pays(&self) -> bool {
        self.missed < TRIED || self.missed < self.found
    }

    /// Takes the row of the value from `start` to `end`, and returns what else it gives. One
    /// that is not known is fresh.
    pub(super) fn find(
        &mut self,
        bytes: &[u8],
        start: usize,
        end: Option<usize>,
    ) -> Option<&[(u32, Slot)]> {
        let Some(end) = end else {
            self.fresh = Some(Fresh { start, end: None });
            return None;
        };
        let value = &bytes[start..end];
        let hash = self.hasher.hash_one(value);
        let same = |it: &Known| bytes.get(it.start..it.start + it.len) == Some(value);
        match self.known.find(hash, same) {
            Some(known) => {
                self.found += 1;
                self.row = known.row;
                Some(&known.given)
            }
            None => {
                self.missed += 1;
                self.fresh = Some(Fresh { start, end: Some((end, hash)) });
                None
            }
        }
    }

    /// Remembers a value that became a row. `slots` are those of the plan, of which `mixed` are
    /// given beside the row.
    pub(super) fn remember(&mut self, fresh: Fresh, row: u32, slots: &[Slot], mixed: &[u32]) {
        self.row = row;
        let Some((end, hash)) = fresh.end else { return };
        let set = mixed.iter().filter(|it| slots[**it as usize] != Slot::Unset);
        let given = set.map(|it| Some((*it, slots[*it as usize].relative(fresh.start)?)));
        let Some(given) = given.collect() else { return };
        let known = Known { start: fresh.start, len: end - fresh.start, hash, row, given };
        self.known.insert_unique(hash, known, |it| it.hash);
    }
}
