//! Numbers of a segment, one per row: most columns of them are the same number in all rows.

use crate::coded::make_room;

/// A column of numbers; one number while all rows share it.
#[derive(Debug, Default)]
pub struct Numbers {
    /// The number that all rows so far share, while they do.
    same: i64,
    /// The numbers of the rows, once they differ.
    values: Vec<i64>,
    differ: bool,
    rows: usize,
}

impl Numbers {
    /// Appends rows.
    pub fn extend(&mut self, values: impl ExactSizeIterator<Item = i64> + Clone) {
        let more = values.len();
        if self.rows == 0
            && let Some(first) = values.clone().next()
        {
            self.same = first;
        }
        if self.differ || !values.clone().all(|it| it == self.same) {
            let missing = self.rows - self.values.len();
            make_room(&mut self.values, missing + more);
            self.values.resize(self.rows, self.same);
            self.differ = true;
            self.values.extend(values);
        }
        self.rows += more;
    }

    /// Takes all rows out, and keeps the memory.
    pub fn clear(&mut self) {
        self.values.clear();
        (self.differ, self.rows) = (false, 0);
    }

    /// The number of `row`.
    pub fn at(&self, row: usize) -> i64 {
        if self.differ { self.values[row] } else { self.same }
    }

    /// Whether all rows share one number, and which; any if there are no rows.
    pub fn constant(&self) -> Option<i64> {
        (!self.differ).then_some(self.same)
    }

    /// The numbers of `rows`.
    pub fn picked(&self, rows: &[u32]) -> Vec<i64> {
        if !self.differ {
            return vec![self.same; rows.len()];
        }
        let values = self.values.as_slice();
        rows.iter().map(|row| values[*row as usize]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_number_stay_one_until_another_comes() {
        let mut numbers = Numbers::default();
        numbers.extend([7, 7].into_iter());
        numbers.extend([7].into_iter());
        assert_eq!((numbers.constant(), numbers.picked(&[2, 0])), (Some(7), vec![7, 7]));
        numbers.extend([7, 8].into_iter());
        numbers.extend([].into_iter());
        numbers.extend([7].into_iter());
        assert_eq!(numbers.constant(), None);
        assert_eq!(numbers.picked(&[5, 4, 3, 0]), [7, 8, 7, 7]);
        assert_eq!((numbers.at(4), numbers.at(1)), (8, 7));
        numbers.clear();
        numbers.extend([9].into_iter());
        assert_eq!((numbers.constant(), numbers.at(0)), (Some(9), 9));
    }
}
