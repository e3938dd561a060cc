//! The wanted fields as a tree of member names, made once per source.

use std::ops::Range;

use super::WantedField;
use crate::path::{Filter, Literal, Step};

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
    /// By slot: the places in `columns` of those that it feeds, but for those of groups.
    pub(super) fed: Vec<Vec<u32>>,
    /// Members of the record whose value may be that of an earlier record.
    pub(super) groups: Vec<Member>,
    pub(super) fold_case: bool,
}

/// Columns that one member of the record feeds, and nothing else does.
#[derive(Debug)]
pub(super) struct Member {
    /// Places in `Plan::columns`.
    pub(super) columns: Vec<u32>,
    /// The slots below the member that feed other columns.
    pub(super) mixed: Vec<u32>,
}

/// A member that is wanted, or on the way to one.
#[derive(Debug)]
pub(super) struct Node {
    /// Where its own value goes, or `NONE`.
    pub(super) slot: u32,
    /// Place in `Plan::groups`, or `NONE`.
    pub(super) group: u32,
    /// Its slot and those of all nodes below.
    pub(super) slots: Range<u32>,
    /// What is wanted of it and is not a plain member: elements, lists, filters.
    pub(super) selections: Vec<Selection>,
    /// Those of them that ask for elements by a text in each: one pass over the list finds all.
    pub(super) keyed: Vec<Keyed>,
    /// The members wanted of it.
    pub(super) members: Table,
}

/// A part of a value that is found by evaluating steps on it.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) slot: u32,
    pub(super) steps: Vec<Step>,
}

/// What several paths want of the elements of one list, told apart by a text in each.
#[derive(Debug)]
pub(super) struct Keyed {
    /// From an element to its text.
    pub(super) key: Vec<Step>,
    /// By text, the row of `wanted`.
    pub(super) texts: Table,
    /// What is wanted of the element with one text.
    pub(super) wanted: Vec<Vec<Selection>>,
    /// How many selections that are.
    pub(super) count: usize,
    /// The text is a member of the element, and all that is wanted is in other members.
    pub(super) is_flat: bool,
}

/// Texts, and what is wanted of the elements that have them.
type Group = Vec<(String, Selection)>;

impl Keyed {
    /// Takes out of `selections` those that choose elements by a text, if there are several.
    fn take(selections: &mut Vec<Selection>, fold_case: bool) -> Vec<Self> {
        let mut groups: Vec<(Vec<Step>, Group)> = Vec::new();
        let mut others = Vec::new();
        for it in selections.drain(..) {
            let Some((key, text)) = it.key() else {
                others.push(it);
                continue;
            };
            let rest = Selection { slot: it.slot, steps: it.steps[1..].to_vec() };
            match groups.iter_mut().find(|group| group.0 == key) {
                Some((_, group)) => group.push((text.to_owned(), rest)),
                None => groups.push((key.to_vec(), vec![(text.to_owned(), rest)])),
            }
        }
        *selections = others;
        groups.into_iter().map(|(key, group)| Self::of(key, group, fold_case)).collect()
    }

    fn of(key: Vec<Step>, group: Group, fold_case: bool) -> Self {
        let is_flat = match key.as_slice() {
            [Step::Member(key)] => group.iter().all(|(_, it)| match it.steps.first() {
                Some(Step::Member(name)) => !is_same(key.as_bytes(), name.as_bytes(), fold_case),
                _ => false,
            }),
            _ => false,
        };
        let (count, mut names, mut wanted) = (group.len(), Vec::<String>::new(), Vec::new());
        for (text, selection) in group {
            let row = names.iter().position(|it| *it == text).unwrap_or_else(|| {
                names.push(text);
                wanted.push(Vec::new());
                names.len() - 1
            });
            wanted[row].push(selection);
        }
        let entry = |(row, name): (usize, String)| Entry {
            name: name.into_bytes().into(),
            node: row as u32,
        };
        let texts = Table::new(names.into_iter().enumerate().map(entry).collect());
        Self { key, texts, wanted, count, is_flat }
    }
}

impl Selection {
    /// The way to the text by which it chooses elements, and that text.
    fn key(&self) -> Option<(&[Step], &str)> {
        match self.steps.first() {
            Some(Step::Where(Filter { steps, equals: Some(Literal::Text(text)) }))
                if !self.steps.contains(&Step::All) =>
            {
                Some((steps, text))
            }
            _ => None,
        }
    }
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
    /// The members `repeats` of the record make groups.
    pub(super) fn new(wanted: &[WantedField], fold_case: bool, repeats: &[String]) -> Self {
        let mut tree = Tree { fold_case, ..Tree::default() };
        for (index, field) in wanted.iter().enumerate() {
            tree.add(field.path.steps(), index);
        }
        let mut plan = Self {
            nodes: Vec::new(),
            slot_count: 0,
            columns: Vec::new(),
            fed: Vec::new(),
            groups: Vec::new(),
            fold_case,
        };
        let mut slot_of_field = vec![NONE; wanted.len()];
        plan.add_node(tree, &mut slot_of_field);
        plan.columns = by_column(wanted, &slot_of_field);
        plan.fed = vec![Vec::new(); plan.slot_count];
        for (place, (_, slots)) in plan.columns.iter().enumerate() {
            slots.iter().for_each(|it| plan.fed[*it as usize].push(place as u32));
        }
        repeats.iter().for_each(|it| plan.add_group(it));
        plan
    }

    fn add_group(&mut self, name: &str) {
        let members = &self.nodes[ROOT as usize].members;
        if let Some(member) = members.find(name.as_bytes(), self.fold_case) {
            let node = &mut self.nodes[member as usize];
            let below = node.slots.clone();
            let is_below =
                |(_, slots): &(usize, Vec<u32>)| slots.iter().all(|it| below.contains(it));
            let places = self.columns.iter().enumerate().filter(|it| is_below(it.1));
            let columns: Vec<u32> = places.map(|it| it.0 as u32).collect();
            if node.slot != NONE || node.group != NONE || columns.is_empty() {
                return;
            }
            let fed = &mut self.fed[below.start as usize..below.end as usize];
            fed.iter_mut().for_each(|it| it.retain(|place| !columns.contains(place)));
            let mixed = below.filter(|it| !self.fed[*it as usize].is_empty()).collect();
            node.group = self.groups.len() as u32;
            self.groups.push(Member { columns, mixed });
        }
    }

    /// The columns of a group.
    pub(super) fn columns_of(&self, group: &Member) -> Vec<usize> {
        group.columns.iter().map(|it| self.columns[*it as usize].0).collect()
    }

    /// Numbers nodes and slots from the top down, so that the slots below a node are one range.
    fn add_node(&mut self, tree: Tree, slot_of_field: &mut [u32]) -> u32 {
        let index = self.nodes.len() as u32;
        let first = self.slot_count as u32;
        let slot = self.add_slot(&tree.fields, slot_of_field);
        let mut selections: Vec<Selection> = tree
            .selections
            .into_iter()
            .map(|(steps, fields)| Selection { slot: self.add_slot(&fields, slot_of_field), steps })
            .collect();
        let keyed = Keyed::take(&mut selections, self.fold_case);
        let (slots, members) = (first..first, Table::default());
        self.nodes.push(Node { slot, group: NONE, slots, selections, keyed, members });
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
    if fold_case { wanted.eq_ignore_ascii_case(name) } else { is_equal(wanted, name) }
}

/// As `==`, which is a call of the system's library: slow for a few bytes.
#[inline(always)]
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let word = |it: Option<&[u8; 8]>| it.map_or(0, |it| u64::from_le_bytes(*it));
    match a.len() {
        0..8 => a.iter().zip(b).all(|(a, b)| a == b),
        8..=16 => {
            word(a.first_chunk()) == word(b.first_chunk())
                && word(a.last_chunk()) == word(b.last_chunk())
        }
        _ => a == b,
    }
}
