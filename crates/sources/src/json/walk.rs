//! Reads one record: follows the members that are wanted, skips the rest.

use super::plan::{Keyed, NONE, Node, Plan, ROOT, Selection};
use super::repeats::Repeats;
use super::scan::{skip_container, string_end};
use super::select::{KeyedMemory, select_all, select_first, select_keyed};
use super::text::{scalar_end, unescape};
use super::{DEPTH_MAX, FoundValue, JsonError, ValueKind};
use crate::path::Step;

/// The value found for one wanted path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Missing or null.
    Unset,
    /// Stands in the record as it is meant.
    Span { start: usize, end: usize },
    /// The inside of a string with escapes.
    Escaped { start: usize, end: usize },
    /// Was made; stands in `Found::made`.
    Made { start: usize, end: usize },
}

impl Slot {
    /// A span counted from `start`; none if it is not one of the record's.
    pub(super) fn relative(self, from: usize) -> Option<Self> {
        let is_made = matches!(self, Self::Made { .. });
        (!is_made).then(|| self.placed(|it| it - from))
    }

    /// A span that was counted from `to`, counted from the first byte.
    fn moved(self, to: usize) -> Self {
        self.placed(|it| it + to)
    }

    fn placed(self, place: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Span { start, end } => Self::Span { start: place(start), end: place(end) },
            Self::Escaped { start, end } => Self::Escaped { start: place(start), end: place(end) },
            it => it,
        }
    }
}

impl From<FoundValue> for Slot {
    fn from(FoundValue { start, end, kind }: FoundValue) -> Self {
        match kind {
            ValueKind::Null => Self::Unset,
            ValueKind::Text { escaped: true } => Self::Escaped { start, end },
            _ => Self::Span { start, end },
        }
    }
}

/// What was found in one record; kept from record to record for its memory.
#[derive(Default)]
pub(super) struct Found {
    pub(super) slots: Vec<Slot>,
    /// Those that were set; some perhaps more than once, or not any more.
    pub(super) set: Vec<u32>,
    pub(super) made: String,
    /// By group of the plan.
    pub(super) repeats: Vec<Repeats>,
    open: Vec<Open>,
    name: String,
    keyed: KeyedMemory,
}

impl Found {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            slots: vec![Slot::Unset; plan.slot_count],
            repeats: plan.groups.iter().map(|_| Repeats::default()).collect(),
            ..Self::default()
        }
    }

    fn begin(&mut self) {
        for slot in self.set.drain(..) {
            self.slots[slot as usize] = Slot::Unset;
        }
        self.made.clear();
        self.open.clear();
        self.repeats.iter_mut().for_each(Repeats::begin);
    }

    #[inline(always)]
    pub(super) fn set(&mut self, slot: u32, value: Slot) {
        self.slots[slot as usize] = value;
        self.set.push(slot);
    }

    /// Of the slots of one column, the first that is set; one that says nothing gives way.
    pub(super) fn chosen(&self, slots: &[u32], bytes: &[u8]) -> Slot {
        let slot = |it: &u32| self.slots[*it as usize];
        if let [only] = slots {
            return slot(only);
        }
        let mut set = slots.iter().map(slot).filter(|it| *it != Slot::Unset);
        let Some(first) = set.next() else { return Slot::Unset };
        // Most have one that is set.
        let Some(second) = set.next() else { return first };
        let says = |it: &Slot| match *it {
            Slot::Span { start, end } => !says_nothing(&bytes[start..end]),
            _ => true,
        };
        let mut all = [first, second].into_iter().chain(set);
        all.find(says).unwrap_or(first)
    }
}

/// Empty, or what loggers write where nothing was sent or over what they hide: `-`,
/// `****`, `[FILTERED]`. It must not hide what stands under the field's next name.
pub(super) fn says_nothing(text: &[u8]) -> bool {
    if matches!(text, b"" | b"-") {
        return true;
    }
    let is_bracket = |it: &u8| b"[]<>(){}".contains(it);
    let from = text.iter().position(|it| !is_bracket(it)).unwrap_or(0);
    let to = text.iter().rposition(|it| !is_bracket(it)).map_or(text.len(), |it| it + 1);
    let bare = &text[from..to];
    let words: [&[u8]; 4] = [b"redacted", b"filtered", b"masked", b"sanitized"];
    words.iter().any(|it| bare.eq_ignore_ascii_case(it))
        || (bare.len() >= 3 && bare.iter().all(|it| *it == b'*'))
}

/// An object that is being walked.
#[derive(Debug, Clone, Copy)]
struct Open {
    node: u32,
    start: usize,
}

/// Reads the record that starts at `start` and returns the index just past it.
pub(super) fn walk(
    plan: &Plan,
    found: &mut Found,
    bytes: &[u8],
    start: usize,
) -> Result<usize, JsonError> {
    Walk { plan, found, bytes }.record(start)
}

struct Walk<'a> {
    plan: &'a Plan,
    found: &'a mut Found,
    bytes: &'a [u8],
}

impl Walk<'_> {
    /// One turn of the loop is one member. Objects that hold wanted members are kept
    /// on a list instead of recursing, which the depth of the plan bounds.
    #[inline(always)]
    fn record(&mut self, start: usize) -> Result<usize, JsonError> {
        let plan = self.plan;
        self.found.begin();
        let mut at = skip_space(self.bytes, start);
        if byte(self.bytes, at)? != b'{' {
            return Err(JsonError::NotAnObject { at });
        }
        let mut here = Open { node: ROOT, start: at };
        let mut node = &plan.nodes[ROOT as usize];
        at += 1;
        let mut first = true;
        loop {
            at = skip_space(self.bytes, at);
            let mut next = byte(self.bytes, at)?;
            if next == b'"' {
                let (member, value) = self.name(node, at + 1)?;
                at = value;
                match member {
                    Some(member) => {
                        let below = &plan.nodes[member as usize];
                        if let Some(end) = self.repeated(below, at) {
                            at = end;
                        } else if byte(self.bytes, at)? == b'{' && below.walks() {
                            self.clear(below);
                            self.found.open.push(here);
                            here = Open { node: member, start: at };
                            node = below;
                            first = true;
                            at += 1;
                            continue;
                        } else {
                            at = self.wanted(below, at)?;
                        }
                    }
                    None => at = self.unwanted(at)?,
                }
                at = skip_space(self.bytes, at);
                next = byte(self.bytes, at)?;
            } else if !first || next != b'}' {
                return Err(JsonError::Invalid { at, what: "expected a member's name" });
            }
            first = false;
            // Ends this object, and those around it that end with it.
            while next == b'}' {
                self.close(node, here.start, at + 1)?;
                let Some(around) = self.found.open.pop() else {
                    return Ok(at + 1);
                };
                here = around;
                node = &plan.nodes[here.node as usize];
                at = skip_space(self.bytes, at + 1);
                next = byte(self.bytes, at)?;
            }
            if next != b',' {
                return Err(JsonError::Invalid { at, what: "expected `,` or `}`" });
            }
            at += 1;
        }
    }

    /// The node of the member whose name's inside starts at `start`, and where its value starts.
    #[inline(always)]
    fn name(&mut self, node: &Node, start: usize) -> Result<(Option<u32>, usize), JsonError> {
        let (end, escaped) = string_end(self.bytes, start)?;
        let name = &self.bytes[start..end];
        let member = if escaped {
            self.escaped_name(node, start, end)?
        } else {
            node.members.find(name, self.plan.fold_case)
        };
        let colon = skip_space(self.bytes, end + 1);
        if byte(self.bytes, colon)? != b':' {
            return Err(JsonError::Invalid { at: colon, what: "expected `:`" });
        }
        Ok((member, skip_space(self.bytes, colon + 1)))
    }

    #[cold]
    #[inline(never)]
    fn escaped_name(
        &mut self,
        node: &Node,
        start: usize,
        end: usize,
    ) -> Result<Option<u32>, JsonError> {
        let name = &mut self.found.name;
        name.clear();
        unescape(&self.bytes[start..end], start, name)?;
        Ok(node.members.find(name.as_bytes(), self.plan.fold_case))
    }

    /// Takes a value that is wanted as a whole or in parts, but is not to be walked.
    #[inline(always)]
    fn wanted(&mut self, node: &Node, at: usize) -> Result<usize, JsonError> {
        // Whatever an earlier member of the same name gave does not count: the last wins.
        self.clear(node);
        let (slot, next) = match byte(self.bytes, at)? {
            b'"' => {
                let start = at + 1;
                let (end, escaped) = string_end(self.bytes, start)?;
                let slot =
                    if escaped { Slot::Escaped { start, end } } else { Slot::Span { start, end } };
                (slot, end + 1)
            }
            b'{' | b'[' if let Some(keyed) = node.only_keyed() => {
                // All that is wanted of it is found as it is read.
                return self.keyed(keyed, self.bytes, at);
            }
            b'{' | b'[' => {
                let end = self.skip(at)?;
                self.select(node, at, end)?;
                (Slot::Span { start: at, end }, end)
            }
            _ => {
                let (end, null) = scalar_end(self.bytes, at)?;
                (if null { Slot::Unset } else { Slot::Span { start: at, end } }, end)
            }
        };
        if node.slot != NONE {
            self.found.set(node.slot, slot);
        }
        Ok(next)
    }

    /// Where a value ends that an earlier record had just so: what it gave is given again.
    #[inline(always)]
    fn repeated(&mut self, node: &Node, at: usize) -> Option<usize> {
        if node.group == NONE {
            return None;
        }
        self.clear(node);
        let found = &mut *self.found;
        let repeats = &mut found.repeats[node.group as usize];
        repeats.begin();
        if !matches!(self.bytes.get(at), Some(b'{' | b'[')) {
            return None;
        }
        let end = if repeats.pays() { skip_container(self.bytes, at, 1).ok() } else { None };
        for (slot, value) in repeats.find(self.bytes, at, end)? {
            found.slots[*slot as usize] = value.moved(at);
            found.set.push(*slot);
        }
        end
    }

    #[inline(always)]
    fn unwanted(&mut self, at: usize) -> Result<usize, JsonError> {
        match byte(self.bytes, at)? {
            b'"' => Ok(string_end(self.bytes, at + 1)?.0 + 1),
            b'{' | b'[' => self.skip(at),
            _ => Ok(scalar_end(self.bytes, at)?.0),
        }
    }

    /// Ends an object that was walked: it may be wanted as a whole too.
    #[inline(always)]
    fn close(&mut self, node: &Node, start: usize, end: usize) -> Result<(), JsonError> {
        if node.slot != NONE {
            self.found.set(node.slot, Slot::Span { start, end });
        }
        self.select(node, start, end)
    }

    #[inline(always)]
    fn select(&mut self, node: &Node, start: usize, end: usize) -> Result<(), JsonError> {
        if node.selections.is_empty() && node.keyed.is_empty() {
            return Ok(());
        }
        self.selections(node, start, end).map_err(|error| match error {
            // The value ends where it ends: more bytes would not help.
            JsonError::Incomplete => JsonError::Invalid { at: start, what: "malformed value" },
            other => other,
        })
    }

    #[inline(never)]
    fn selections(&mut self, node: &Node, start: usize, end: usize) -> Result<(), JsonError> {
        // Nothing past the value is looked at, even if brackets in it do not match.
        let value = &self.bytes[..end];
        let fold_case = self.plan.fold_case;
        for keyed in &node.keyed {
            self.keyed(keyed, value, start)?;
        }
        for Selection { slot, steps } in &node.selections {
            let value = if steps.contains(&Step::All) {
                let made = &mut self.found.made;
                let start_made = made.len();
                match select_all(value, start, steps, fold_case, made)? {
                    true => Slot::Made { start: start_made, end: made.len() },
                    false => Slot::Unset,
                }
            } else {
                let found = select_first(value, start, steps, fold_case)?;
                found.map_or(Slot::Unset, Slot::from)
            };
            self.found.set(*slot, value);
        }
        Ok(())
    }

    /// Reads the list at `start`; returns the index past it.
    #[inline(never)]
    fn keyed(&mut self, keyed: &Keyed, bytes: &[u8], start: usize) -> Result<usize, JsonError> {
        for it in keyed.wanted.iter().flatten() {
            self.found.slots[it.slot as usize] = Slot::Unset;
        }
        let Found { slots, set, keyed: memory, .. } = &mut *self.found;
        select_keyed(bytes, start, keyed, self.plan.fold_case, memory, |slot, it| {
            slots[slot as usize] = Slot::from(it);
            set.push(slot);
        })
    }

    #[inline(always)]
    fn clear(&mut self, node: &Node) {
        if node.slots.len() > 1 || node.slot == NONE {
            let slots = node.slots.start as usize..node.slots.end as usize;
            self.found.slots[slots].fill(Slot::Unset);
        }
    }

    #[inline(always)]
    fn skip(&mut self, at: usize) -> Result<usize, JsonError> {
        skip_container(self.bytes, at, self.found.open.len() + 1)
    }
}

impl Node {
    /// The one list of elements by their texts, if nothing else is wanted of a value here.
    fn only_keyed(&self) -> Option<&Keyed> {
        match self.keyed.as_slice() {
            [keyed] if self.slot == NONE && self.selections.is_empty() => Some(keyed),
            _ => None,
        }
    }

    /// Whether an object here has members to look at one by one.
    fn walks(&self) -> bool {
        !self.members.is_empty()
    }
}

#[inline(always)]
pub(super) fn byte(bytes: &[u8], at: usize) -> Result<u8, JsonError> {
    bytes.get(at).copied().ok_or(JsonError::Incomplete)
}

/// Index of the first byte at or after `at` that is not white space.
#[inline(always)]
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

const _: () = assert!(DEPTH_MAX > 100, "plans are never deeper than what is read");
