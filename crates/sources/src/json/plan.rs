//! The wanted fields as a tree of member names, made once per source.

use std::ops::Range;

use super::WantedField;
use crate::path::Step;

/// Index of the node that stands for the record itself.
pub(super) const ROOT: u32 = 0;

/// Marks a place of a `Table` that is free, and a node that is not wanted itself.
pub(super) const NONE: u32 = u32::MAX;

/// What to read of a record.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) nodes: Vec<Node>,
    pub(super) slot_count: usize,
    /// By column: the slots that feed it, the best first.
    pub(super) columns: Vec<(usize, Vec<u32>)>,
    pub(super) fold_case: bool,
}

/// A member that is wanted, or on the way to one.
#[derive(Debug)]
pub(super) struct Node {
    /// Where its own value goes, or `NONE`.
    pub(super) slot: u32,
    /// Its slot and those of all nodes below.
    pub(super) slots: Range<u32>,
    /// What is wanted of it and is not a plain member: elements, lists, filters.
    pub(super) selections: Vec<Selection>,
    /// The members wanted of it.
    pub(super) members: Table,
}

/// A part of a value that is found by evaluating steps on it.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) slot: u32,
    pub(super) steps: Vec<Step>,
}

/// Finds a member's node by name: open addressing over a hash of a few bytes.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
    /// Indexes of entries, or `NONE`; the length is a power of two, or zero.
    places: Vec<u32>,
    /// Bit n: some name has n bytes (63: or more).
    lengths: u64,
}

#[derive(Debug)]
struct Entry {
    name: Box<[u8]>,
    node: u32,
}

impl Plan {
    pub(super) fn new(wanted: &[WantedField], fold_case: bool) -> Self {
        let mut tree = Tree { fold_case, ..Tree::default() };
        for (index, field) in wanted.iter().enumerate() {
            tree.add(field.path.steps(), index);
        }
        let mut plan = Self { nodes: Vec::new(), slot_count: 0, columns: Vec::new(), fold_case };
        let mut slot_of_field = vec![NONE; wanted.len()];
        plan.add_node(tree, &mut slot_of_field);
        plan.columns = by_column(wanted, &slot_of_field);
        plan
    }

    /// Numbers nodes and slots from the top down, so that the slots below a node are one range.
    fn add_node(&mut self, tree: Tree, slot_of_field: &mut [u32]) -> u32 {
        let index = self.nodes.len() as u32;
        let first = self.slot_count as u32;
        let slot = self.add_slot(&tree.fields, slot_of_field);
        let selections = tree
            .selections
            .into_iter()
            .map(|(steps, fields)| Selection { slot: self.add_slot(&fields, slot_of_field), steps })
            .collect();
        self.nodes.push(Node { slot, slots: first..first, selections, members: Table::default() });
        let mut entries = Vec::new();
        for (name, below) in tree.members {
            let node = self.add_node(below, slot_of_field);
            entries.push(Entry { name: name.into_bytes().into(), node });
        }
        self.nodes[index as usize].slots.end = self.slot_count as u32;
        self.nodes[index as usize].members = Table::new(entries);
        index
    }

    fn add_slot(&mut self, fields: &[usize], slot_of_field: &mut [u32]) -> u32 {
        if fields.is_empty() {
            return NONE;
        }
        let slot = self.slot_count as u32;
        self.slot_count += 1;
        for field in fields {
            slot_of_field[*field] = slot;
        }
        slot
    }
}

fn by_column(wanted: &[WantedField], slot_of_field: &[u32]) -> Vec<(usize, Vec<u32>)> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|index| (wanted[*index].column, wanted[*index].rank));
    let mut columns: Vec<(usize, Vec<u32>)> = Vec::new();
    for index in order {
        let (column, slot) = (wanted[index].column, slot_of_field[index]);
        match columns.last_mut().filter(|it| it.0 == column) {
            Some((_, slots)) => slots.push(slot),
            None => columns.push((column, vec![slot])),
        }
    }
    columns
}

/// The tree while paths are added; numbers are indexes of wanted fields.
#[derive(Default)]
struct Tree {
    fold_case: bool,
    fields: Vec<usize>,
    selections: Vec<(Vec<Step>, Vec<usize>)>,
    members: Vec<(String, Tree)>,
}

impl Tree {
    fn add(&mut self, steps: &[Step], field: usize) {
        match steps {
            [] => self.fields.push(field),
            [Step::Member(name), below @ ..] => self.member(name).add(below, field),
            _ => match self.selections.iter_mut().find(|it| it.0 == steps) {
                Some((_, fields)) => fields.push(field),
                None => self.selections.push((steps.to_vec(), vec![field])),
            },
        }
    }

    fn member(&mut self, name: &str) -> &mut Self {
        let fold_case = self.fold_case;
        let same = |it: &(String, Tree)| is_same(it.0.as_bytes(), name.as_bytes(), fold_case);
        let index = self.members.iter().position(same).unwrap_or_else(|| {
            self.members.push((name.to_owned(), Self { fold_case, ..Self::default() }));
            self.members.len() - 1
        });
        &mut self.members[index].1
    }
}

impl Table {
    fn new(entries: Vec<Entry>) -> Self {
        if entries.is_empty() {
            return Self::default();
        }
        // A quarter full at most: most names of a record are not wanted, and find out
        // so at the first place they look.
        let mut places = vec![NONE; (entries.len() * 4).next_power_of_two()];
        let mut lengths = 0;
        for (index, entry) in entries.iter().enumerate() {
            lengths |= 1 << entry.name.len().min(63);
            let mut place = hash(&entry.name);
            while places[place & (places.len() - 1)] != NONE {
                place += 1;
            }
            let mask = places.len() - 1;
            places[place & mask] = index as u32;
        }
        Self { entries, places, lengths }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The node of the member of this name.
    #[inline(always)]
    pub(super) fn find(&self, name: &[u8], fold_case: bool) -> Option<u32> {
        if self.lengths >> name.len().min(63) & 1 == 0 {
            return None;
        }
        let mask = self.places.len().wrapping_sub(1);
        let mut place = hash(name);
        loop {
            // There is always a free place, so this ends.
            let index = *self.places.get(place & mask)?;
            let entry = self.entries.get(index as usize)?;
            if is_same(&entry.name, name, fold_case) {
                return Some(entry.node);
            }
            place += 1;
        }
    }
}

/// The same for names that differ in case.
#[inline(always)]
fn hash(name: &[u8]) -> usize {
    let [Some(first), Some(last)] = [name.first(), name.last()] else {
        return 0;
    };
    let middle = name[name.len() / 2];
    let letter = |byte: u8| usize::from(byte | 0x20);
    name.len() + letter(*first) * 5 + letter(middle) * 19 + letter(*last) * 3
}

/// Whether two names are one. Case is folded for ASCII letters only.
#[inline(always)]
pub(super) fn is_same(wanted: &[u8], name: &[u8], fold_case: bool) -> bool {
    if fold_case { wanted.eq_ignore_ascii_case(name) } else { wanted == name }
}
