//! What was read of some records: a text for each field and record that has one.

use arrow_array::{Array, StringViewArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};

/// The fields of some records.
#[derive(Debug, Clone, PartialEq)]
pub struct Extracted {
    /// The fields, in the order in which they were asked for.
    pub fields: Vec<Field>,
    /// Parts of records that come again and again.
    pub groups: Vec<GroupRows>,
    /// How many records there are.
    pub rows: usize,
}

/// The texts of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// One for each row of the group if there is one, else for each record; none if no record
    /// has the field.
    pub texts: Option<StringViewArray>,
    /// The place in [`Extracted::groups`] of the group that the field belongs to.
    pub group: Option<usize>,
}

/// Which row of a group each record has.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRows {
    /// The row, by record.
    pub places: Vec<u32>,
    /// How many rows there are. Row 0 has no texts.
    pub rows: usize,
}

impl Extracted {
    /// Fields that are in no group: one array for each, all of `rows` records.
    pub fn of_arrays(arrays: Vec<StringViewArray>, rows: usize) -> Self {
        let field = |texts| Field { texts: Some(texts), group: None };
        Self { fields: arrays.into_iter().map(field).collect(), groups: Vec::new(), rows }
    }

    /// The texts of a field, one for each record.
    ///
    /// # Panics
    /// When there is no such field.
    pub fn array(&self, field: usize) -> StringViewArray {
        let Field { texts, group } = &self.fields[field];
        match (texts, group) {
            (None, _) => StringViewArray::new_null(self.rows),
            (Some(texts), None) => texts.clone(),
            (Some(texts), Some(group)) => pick(texts, &self.groups[*group].places),
        }
    }

    /// All fields, as [`Self::array`] gives each.
    pub fn arrays(&self) -> Vec<StringViewArray> {
        (0..self.fields.len()).map(|it| self.array(it)).collect()
    }

    /// The same of the records `kept` only.
    pub fn kept(&self, kept: &[u32]) -> Self {
        let field = |Field { texts, group }: &Field| Field {
            texts: texts
                .as_ref()
                .map(|it| if group.is_some() { it.clone() } else { pick(it, kept) }),
            group: *group,
        };
        let group = |GroupRows { places, rows }: &GroupRows| GroupRows {
            places: kept.iter().map(|it| places[*it as usize]).collect(),
            rows: *rows,
        };
        Self {
            fields: self.fields.iter().map(field).collect(),
            groups: self.groups.iter().map(group).collect(),
            rows: kept.len(),
        }
    }

    /// The texts of a field in the records `rows`.
    ///
    /// # Panics
    /// When there is no such field or record.
    pub fn picked(&self, field: usize, rows: &[u32]) -> StringViewArray {
        let Field { texts, group } = &self.fields[field];
        match (texts, group) {
            (None, _) => StringViewArray::new_null(rows.len()),
            (Some(texts), None) => pick(texts, rows),
            (Some(texts), Some(group)) => {
                let places = &self.groups[*group].places;
                let rows: Vec<u32> = rows.iter().map(|it| places[*it as usize]).collect();
                pick(texts, &rows)
            }
        }
    }
}

/// The texts at `places`.
fn pick(array: &StringViewArray, places: &[u32]) -> StringViewArray {
    let views = array.views();
    let views: Vec<u128> = places.iter().map(|it| views[*it as usize]).collect();
    let nulls = array
        .nulls()
        .map(|nulls| places.iter().map(|it| nulls.is_valid(*it as usize)).collect::<NullBuffer>());
    let buffers = array.data_buffers().to_vec();
    // SAFETY: the views are those of an array with the same buffers.
    unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(views), buffers, nulls) }
}
