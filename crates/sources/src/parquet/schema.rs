//! The schema of a Parquet file: a tree of objects, arrays and values, with the
//! levels at which each of them is there.

use std::ops::Range;

use super::thrift::Fields;

/// How deep columns may be nested.
const DEPTH_MAX: u8 = 64;
/// How many elements a schema may have.
const ELEMENTS_MAX: usize = 20_000;

/// A field of a row, or of an object in it.
#[derive(Debug)]
pub(super) struct Node {
    /// Its name as the beginning of a member in JSON: in quotes, with a colon.
    pub(super) name: Vec<u8>,
    /// The columns that its values stand in.
    pub(super) leaves: Range<usize>,
    /// It is absent where the definition level is below.
    pub(super) optional: Option<u8>,
    pub(super) shape: Shape,
}

/// What a field holds.
#[derive(Debug)]
pub(super) enum Shape {
    /// One value.
    Value,
    /// Fields of its own.
    Object(Vec<Node>),
    /// Elements.
    Array(Repeated, Box<Node>),
    /// Pairs of key and value; a set has no values.
    Map(Repeated, Box<Node>, Option<Box<Node>>),
}

/// The levels of something that is repeated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeated {
    /// There is none where the definition level is below.
    pub(super) definition: u8,
    /// There is another one where the repetition level is this.
    pub(super) repetition: u8,
}

/// A column of values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) physical: Physical,
    pub(super) meaning: Meaning,
    /// A value is there at this definition level.
    pub(super) definition_max: u8,
    pub(super) repetition_max: u8,
}

/// How a value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Physical {
    Boolean,
    Int32,
    Int64,
    Int96,
    Float,
    Double,
    Bytes,
    /// Bytes, always as many.
    Fixed(usize),
}

impl Physical {
    /// How many bytes a plain value takes; none if that differs.
    pub(super) fn width(self) -> Option<usize> {
        match self {
            Self::Int32 | Self::Float => Some(4),
            Self::Int64 | Self::Double => Some(8),
            Self::Int96 => Some(12),
            Self::Fixed(width) => Some(width),
            Self::Boolean | Self::Bytes => None,
        }
    }
}

/// What a value stands for, where its annotation says more than its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    AsStored,
    Text,
    Unsigned,
    Decimal { scale: u32 },
    Date,
    Time(Unit),
    Timestamp(Unit),
    Uuid,
}

/// The unit of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// Repetition of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repetition {
    Required,
    Optional,
    Repeated,
}

/// An element of the flat list that a footer has.
struct Element<'a> {
    fields: &'a Fields<'a>,
    name: &'a [u8],
    repetition: Repetition,
    children: usize,
}

/// Where in the tree an element stands.
#[derive(Clone, Copy, Default)]
struct Place {
    definition: u8,
    repetition: u8,
    depth: u8,
}

/// Builds the tree from the footer's list of elements; none if they are no tree.
pub(super) fn build(footer: &Fields<'_>) -> Option<(Node, Vec<Column>)> {
    let elements: Vec<Element<'_>> = footer.structs(2)?.map(element).collect::<Option<_>>()?;
    if elements.len() > ELEMENTS_MAX {
        return None;
    }
    let mut builder = Builder { elements: &elements, at: 1, columns: Vec::new() };
    let children = elements.first()?.children;
    let mut nodes = Vec::new();
    for _ in 0..children {
        nodes.push(builder.node(Place::default())?);
    }
    let leaves = 0..builder.columns.len();
    if builder.at != elements.len() || leaves.is_empty() {
        return None;
    }
    let root = Node { name: Vec::new(), leaves, optional: None, shape: Shape::Object(nodes) };
    Some((root, builder.columns))
}

fn element<'a>(fields: &'a Fields<'a>) -> Option<Element<'a>> {
    let repetition = match fields.number(3) {
        None | Some(0) => Repetition::Required,
        Some(1) => Repetition::Optional,
        Some(2) => Repetition::Repeated,
        Some(_) => return None,
    };
    let children = usize::try_from(fields.number(5).unwrap_or(0)).ok()?;
    Some(Element { fields, name: fields.bytes(4)?, repetition, children })
}

/// What groups a column's elements.
#[derive(PartialEq, Eq)]
enum Grouping {
    None,
    List,
    Map,
}

impl Element<'_> {
    fn grouping(&self) -> Grouping {
        let logical = self.fields.fields(10).and_then(Fields::union_member);
        match (logical, self.fields.number(6)) {
            (Some(3), _) | (None, Some(3)) => Grouping::List,
            (Some(2), _) | (None, Some(1 | 2)) => Grouping::Map,
            _ => Grouping::None,
        }
    }

    /// Whether a repeated element in a list is what the list holds, as older
    /// writers have it, or has that as its only child.
    fn is_list_element(&self, list: &Element<'_>) -> bool {
        let tuple = self.name.strip_suffix(b"_tuple").is_some_and(|it| it == list.name);
        self.children != 1 || self.name == b"array" || tuple
    }

    fn physical(&self) -> Option<Physical> {
        Some(match self.fields.number(1)? {
            0 => Physical::Boolean,
            1 => Physical::Int32,
            2 => Physical::Int64,
            3 => Physical::Int96,
            4 => Physical::Float,
            5 => Physical::Double,
            6 => Physical::Bytes,
            7 => {
                let length = usize::try_from(self.fields.number(2)?).ok()?;
                Physical::Fixed(if length == 0 { return None } else { length })
            }
            _ => return None,
        })
    }

    fn meaning(&self) -> Meaning {
        let scale = |it: Option<i64>| it.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
        if let Some(logical) = self.fields.fields(10)
            && let Some(member) = logical.union_member()
        {
            let inner = logical.fields(member);
            let unit = || match inner?.fields(2)?.union_member()? {
                1 => Some(Unit::Millis),
                2 => Some(Unit::Micros),
                3 => Some(Unit::Nanos),
                _ => None,
            };
            return match member {
                1 | 4 | 12 => Meaning::Text,
                5 => Meaning::Decimal { scale: scale(inner.and_then(|it| it.number(1))) },
                6 => Meaning::Date,
                7 => unit().map_or(Meaning::AsStored, Meaning::Time),
                8 => unit().map_or(Meaning::AsStored, Meaning::Timestamp),
                10 if inner.and_then(|it| it.flag(2)) == Some(false) => Meaning::Unsigned,
                14 => Meaning::Uuid,
                _ => Meaning::AsStored,
            };
        }
        match self.fields.number(6) {
            Some(0 | 4 | 19) => Meaning::Text,
            Some(5) => Meaning::Decimal { scale: scale(self.fields.number(7)) },
            Some(6) => Meaning::Date,
            Some(7) => Meaning::Time(Unit::Millis),
            Some(8) => Meaning::Time(Unit::Micros),
            Some(9) => Meaning::Timestamp(Unit::Millis),
            Some(10) => Meaning::Timestamp(Unit::Micros),
            Some(11..=14) => Meaning::Unsigned,
            _ => Meaning::AsStored,
        }
    }
}

struct Builder<'a> {
    elements: &'a [Element<'a>],
    at: usize,
    columns: Vec<Column>,
}

impl<'a> Builder<'a> {
    fn next(&mut self, depth: u8) -> Option<&'a Element<'a>> {
        let element = self.elements.get(self.at).filter(|_| depth < DEPTH_MAX)?;
        self.at += 1;
        Some(element)
    }

    /// The next element and all below it.
    fn node(&mut self, above: Place) -> Option<Node> {
        let element = self.next(above.depth)?;
        let mut place = Place { depth: above.depth + 1, ..above };
        let start = self.columns.len();
        let node = match element.repetition {
            Repetition::Required => self.content(element, place, None)?,
            Repetition::Optional => {
                place.definition += 1;
                self.content(element, place, Some(place.definition))?
            }
            Repetition::Repeated => {
                let (repeated, place) = repeat(place);
                let one = self.content(element, place, None)?;
                self.wrap(element, start, None, Shape::Array(repeated, Box::new(one)))
            }
        };
        Some(node)
    }

    /// What an element holds, whose own repetition `place` has already.
    fn content(
        &mut self,
        element: &Element<'_>,
        place: Place,
        optional: Option<u8>,
    ) -> Option<Node> {
        let start = self.columns.len();
        if element.children == 0 {
            self.columns.push(Column {
                physical: element.physical()?,
                meaning: element.meaning(),
                definition_max: place.definition,
                repetition_max: place.repetition,
            });
            return Some(self.wrap(element, start, optional, Shape::Value));
        }
        let inner = self.elements.get(self.at)?;
        let is_wrapper = element.children == 1 && inner.repetition == Repetition::Repeated;
        let shape = match element.grouping() {
            Grouping::List if is_wrapper => self.list(element, place)?,
            Grouping::Map if is_wrapper && matches!(inner.children, 1 | 2) => self.map(place)?,
            _ => {
                let mut children = Vec::new();
                for _ in 0..element.children {
                    children.push(self.node(place)?);
                }
                Shape::Object(children)
            }
        };
        Some(self.wrap(element, start, optional, shape))
    }

    fn list(&mut self, list: &Element<'_>, place: Place) -> Option<Shape> {
        let inner = self.next(place.depth)?;
        let (repeated, place) = repeat(Place { depth: place.depth + 1, ..place });
        let node = match inner.is_list_element(list) {
            true => self.content(inner, place, None)?,
            false => self.node(place)?,
        };
        Some(Shape::Array(repeated, Box::new(node)))
    }

    fn map(&mut self, place: Place) -> Option<Shape> {
        let inner = self.next(place.depth)?;
        let (repeated, place) = repeat(Place { depth: place.depth + 1, ..place });
        let key = Box::new(self.node(place)?);
        let value = match inner.children {
            2 => Some(Box::new(self.node(place)?)),
            _ => None,
        };
        Some(Shape::Map(repeated, key, value))
    }

    fn wrap(
        &self,
        element: &Element<'_>,
        start: usize,
        optional: Option<u8>,
        shape: Shape,
    ) -> Node {
        let mut name = Vec::new();
        super::text::write_text(&mut name, element.name);
        name.push(b':');
        Node { name, leaves: start..self.columns.len(), optional, shape }
    }
}

/// The levels of something repeated at `place`, and the place inside of it.
fn repeat(place: Place) -> (Repeated, Place) {
    let (definition, repetition) = (place.definition + 1, place.repetition + 1);
    (Repeated { definition, repetition }, Place { definition, repetition, ..place })
}
