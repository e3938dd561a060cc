//! A record that is a parcel: the records stand in arrays inside it.
//!
//! A parcel is held as a whole, like any record, and so may be as long as one: what
//! stands around its arrays is known whether it comes before or after them.

use super::{JsonFramer, NOT_AN_OBJECT, Work, reason};
use crate::columns::Columns;
use crate::json::{FoundValue, JsonError, ValueKind, find, find_in, skip_value};
use crate::path::FieldPath;
use crate::source::NestedArrays;

/// A record that holds an array of records, or of what holds them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parcel {
    /// Where it begins.
    start: usize,
    /// Which of the paths of its format leads to the array.
    path: usize,
    array: FoundValue,
}

impl JsonFramer {
    /// Counts what was read last: a record, or those of a parcel.
    pub(super) fn accept(&mut self, bytes: &[u8], work: &mut Work<'_, '_>) {
        let Some(Parcel { start, path, array }) = self.parcel.take() else {
            return work.accept();
        };
        let Some(NestedArrays(levels)) = self.each.get(path).map(|it| it.1.clone()) else { return };
        self.elements(bytes, &mut vec![start], array, &levels[1..], work);
        self.around.clear();
        work.columns.abandon_row();
    }

    /// The array inside the record at `start`, if it has one. Its columns tell no more
    /// than that.
    pub(super) fn find_parcel(
        &self,
        bytes: &[u8],
        start: usize,
        columns: &mut Columns,
    ) -> Option<Parcel> {
        let mut parcel = None;
        for (path, (column, NestedArrays(levels))) in self.each.iter().enumerate() {
            if !columns.is_set(*column) {
                continue;
            }
            columns.unset(*column);
            let array = self.array(bytes, start, levels.first()?);
            parcel = parcel.or(array.map(|array| Parcel { start, path, array }));
        }
        parcel
    }

    fn array(&self, bytes: &[u8], start: usize, path: &FieldPath) -> Option<FoundValue> {
        let found = find(bytes, start, path, self.fold_case).ok()??;
        (found.kind == ValueKind::Array).then_some(found)
    }

    /// Reads the elements of an array; `above` are the objects around it, the outermost
    /// first, and `below` leads from an element to the next array.
    fn elements(
        &mut self,
        bytes: &[u8],
        above: &mut Vec<usize>,
        array: FoundValue,
        below: &[FieldPath],
        work: &mut Work<'_, '_>,
    ) {
        if below.is_empty()
            && let Err(error) = self.read_around(bytes, above, work)
        {
            return work.reject(array.start, reason(error));
        }
        // Nothing past the array is looked at, even if brackets in it do not match.
        let inside = &bytes[..array.end];
        let mut at = array.start + 1;
        loop {
            match inside.get(at) {
                Some(b' ' | b'\n' | b'\r' | b'\t' | b',') => at += 1,
                Some(b']') | None => return,
                Some(first) => {
                    let read = match below {
                        _ if *first != b'{' => Err(NOT_AN_OBJECT),
                        [] => self.read_element(inside, at, work).map_err(reason),
                        [path, below @ ..] => self
                            .read_outer((bytes, inside), above, at, (path, below), work)
                            .map_err(reason),
                    };
                    at = match read {
                        Ok(end) => end,
                        Err(why) => match skip_value(inside, at) {
                            Ok(end) => {
                                work.reject(at, why);
                                end
                            }
                            Err(error) => return work.reject(at, reason(error)),
                        },
                    };
                }
            }
        }
    }

    /// Reads an element that is no record but has an array of them; returns where it ends.
    fn read_outer(
        &mut self,
        (bytes, inside): (&[u8], &[u8]),
        above: &mut Vec<usize>,
        at: usize,
        (path, below): (&FieldPath, &[FieldPath]),
        work: &mut Work<'_, '_>,
    ) -> Result<usize, JsonError> {
        let (found, end) = find_in(inside, at, path, self.fold_case)?;
        if let Some(array) = found.filter(|it| it.kind == ValueKind::Array) {
            above.push(at);
            self.elements(bytes, above, array, below, work);
            above.pop();
        }
        Ok(end)
    }

    /// Reads what the objects around an array tell of all its elements: a nearer one
    /// has the last word.
    fn read_around(
        &mut self,
        bytes: &[u8],
        above: &[usize],
        work: &mut Work<'_, '_>,
    ) -> Result<(), JsonError> {
        work.columns.abandon_row();
        let buffer = work.slice.buffer(work.columns);
        let nearest_first = self.parents.iter_mut().zip(above.iter().rev());
        for (parent, start) in nearest_first.rev() {
            parent.extract(bytes, buffer, *start, work.columns)?;
        }
        work.columns.save_row(&mut self.around);
        Ok(())
    }

    /// Reads a record; returns where it ends.
    fn read_element(
        &mut self,
        bytes: &[u8],
        at: usize,
        work: &mut Work<'_, '_>,
    ) -> Result<usize, JsonError> {
        self.begin_row(work.columns);
        let buffer = work.slice.buffer(work.columns);
        let end = self.extractor.extract(bytes, buffer, at, work.columns)?;
        if self.unwrap.iter().any(|(column, _)| work.columns.is_set(*column)) {
            self.open_envelopes(bytes, at, work)?;
        }
        for (column, _) in &self.each {
            work.columns.unset(*column);
        }
        self.finish_row(at, end, work);
        work.accept();
        Ok(end)
    }
}
