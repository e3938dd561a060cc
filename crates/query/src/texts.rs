//! Texts by number, so that a row costs no text: there are millions of rows, and few texts.

use arrow::array::{Array, StringViewArray};
use hashbrown::HashMap;

/// Numbers texts from 1 on; 0 stands for none.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    numbers: HashMap<String, u32>,
}

/// Slots for texts of a batch that were met before, by their views.
const SLOTS: usize = 64;

impl Texts {
    /// The number of a text.
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        let next = self.numbers.len() as u32 + 1;
        *self.numbers.entry_ref(text).or_insert(next)
    }

    /// The numbers of a column.
    pub(crate) fn numbers(&mut self, column: &StringViewArray) -> Vec<u32> {
        // A text that stands once in a file has the same view wherever a batch has it.
        let mut met: [(u128, u32); SLOTS] = [(u128::MAX, 0); SLOTS];
        let mut numbers = Vec::with_capacity(column.len());
        for (row, view) in column.views().iter().enumerate() {
            if column.is_null(row) {
                numbers.push(0);
                continue;
            }
            let folded = (*view as u64) ^ ((*view >> 64) as u64);
            let slot = (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % SLOTS;
            if met[slot].0 != *view {
                met[slot] = (*view, self.number(column.value(row)));
            }
            numbers.push(met[slot].1);
        }
        numbers
    }

    /// The texts in the order of their numbers.
    pub(crate) fn into_vec(self) -> Vec<String> {
        let mut all: Vec<(String, u32)> = self.numbers.into_iter().collect();
        all.sort_unstable_by_key(|it| it.1);
        all.into_iter().map(|it| it.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number_wherever_it_stands() {
        let mut texts = Texts::default();
        let long = "a text that is longer than a view can hold";
        let first = StringViewArray::from(vec![Some(long), None, Some(""), Some(long), Some("b")]);
        assert_eq!(texts.numbers(&first), [1, 0, 2, 1, 3]);
        let second = StringViewArray::from(vec![Some("b"), Some("c"), Some(long)]);
        assert_eq!(texts.numbers(&second), [3, 4, 1]);
        assert_eq!(texts.into_vec(), [long, "", "b", "c"]);
    }
}
