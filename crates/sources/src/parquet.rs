//! Parquet in, one line of JSON per row out, so that all that reads logs reads
//! Parquet too.
//!
//! Written for input that may be hostile. The Parquet library that writes the
//! tables is not used here: it reserves what a footer claims, recurses as deep as
//! a schema nests, and inflates pages without a bound, and each of these ends the
//! process rather than the file. Here a row is put together value by value from
//! one page per column; nothing is reserved by what the file says of itself, and
//! all that is held or done is counted against a limit.
//!
//! Fields stand in the order of the schema, absent ones are left out, maps are
//! objects, and values are as `text` says.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::decode::{Compression, DecodeError, Decoder, Limits};

mod page;
mod plain;
mod runs;
mod schema;
mod text;
mod thrift;

use page::{Codec, Cursor, read_exact};
use schema::{Column, Node, Repeated, Shape};
use thrift::{Fields, read_struct};

/// The first and last bytes of a Parquet file.
const MAGIC: &[u8; 4] = b"PAR1";
/// How many bytes a footer may have: that of 300 columns in 100 row groups has six million.
const FOOTER_MAX: usize = 16 << 20;
/// How many bytes a page may have, compressed or not. Most writers aim at one million,
/// DuckDB goes up to a hundred.
const PAGE_MAX: usize = 128 << 20;
/// How many bytes of pages and dictionaries may be held at once, of all columns.
const HELD_MAX: usize = 512 << 20;
/// Lines that are made ready at once, in bytes.
const READY_BYTES: usize = 64 << 10;

/// Whether an input that begins with these bytes is Parquet.
pub fn is_parquet(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Opens a Parquet file: its rows as lines of JSON.
///
/// Fails where not even the first row can be read. A fault further on is told when
/// all rows before it were handed over, as in other inputs.
pub fn parquet(
    file: impl Read + Seek + Send + 'static,
    limits: &Limits,
) -> Result<Decoder, DecodeError> {
    let mut lines = Lines::open(Box::new(file), limits)?;
    lines.make_ready()?;
    Ok(Decoder::of_rows(Box::new(lines), limits))
}

fn corrupt() -> DecodeError {
    DecodeError::Corrupt { compression: Compression::Parquet }
}

fn truncated() -> DecodeError {
    DecodeError::Truncated { compression: Compression::Parquet }
}

fn unsupported(what: &'static str) -> DecodeError {
    DecodeError::Unsupported { compression: Compression::Parquet, what }
}

fn too_large(part: &'static str, limit: usize) -> DecodeError {
    DecodeError::PartTooLarge { part, limit }
}

/// What can be read at any place.
trait File: Read + Seek + Send {}
impl<T: Read + Seek + Send> File for T {}

/// The file, and what may be done with it.
struct Input {
    file: Box<dyn File>,
    size: u64,
    /// Bytes held of pages.
    held: usize,
    /// Bytes and values that came out of the file.
    done: u64,
    /// How many may.
    allowed: u64,
    max_ratio: u64,
}

impl Input {
    fn read(&mut self, at: u64, length: usize) -> Result<Vec<u8>, DecodeError> {
        self.file.seek(SeekFrom::Start(at)).map_err(DecodeError::Read)?;
        read_exact(&mut *self.file, length)
    }

    /// Counts what came out of the file: a few bytes may stand for any number.
    fn work(&mut self, amount: u64) -> Result<(), DecodeError> {
        self.done += amount;
        if self.done > self.allowed {
            return Err(DecodeError::Ratio { limit: self.max_ratio });
        }
        Ok(())
    }

    fn hold(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.held += bytes;
        if self.held > HELD_MAX {
            return Err(too_large("what one row needs of the", HELD_MAX));
        }
        Ok(())
    }

    fn release(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }
}

/// Columns of a row group: where their pages stand, and how they are compressed.
struct Group {
    rows: u64,
    chunks: Vec<(Codec, std::ops::Range<u64>)>,
}

/// Rows as lines.
struct Lines {
    input: Input,
    root: Arc<Node>,
    columns: Vec<Column>,
    /// Row groups that were not begun, the first last.
    groups: Vec<Group>,
    cursors: Vec<Cursor>,
    /// Rows left in the row group.
    rows: u64,
    row: Row,
    ready: Vec<u8>,
    ready_at: usize,
    limits: Limits,
    decoded: u64,
    fault: Option<DecodeError>,
}

impl Lines {
    fn open(mut file: Box<dyn File>, limits: &Limits) -> Result<Self, DecodeError> {
        let size = file.seek(SeekFrom::End(0)).map_err(|_| DecodeError::Pipe)?;
        let allowed = size.saturating_mul(limits.max_ratio).max(limits.ratio_grace_bytes);
        let max_ratio = limits.max_ratio;
        let mut input = Input { file, size, held: 0, done: 0, allowed, max_ratio };
        let footer = footer(&mut input)?;
        let (fields, _) = read_struct(&footer).map_err(|_| corrupt())?;
        let (root, columns) = schema::build(&fields).ok_or_else(corrupt)?;
        let groups = fields.structs(4).ok_or_else(corrupt)?;
        let groups = groups.map(|it| group(it, &columns, size)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            input,
            root: Arc::new(root),
            columns,
            groups: groups.into_iter().rev().collect(),
            cursors: Vec::new(),
            rows: 0,
            row: Row { bytes: Vec::new(), most: limits.max_record_bytes, full: false },
            ready: Vec::new(),
            ready_at: 0,
            limits: limits.clone(),
            decoded: 0,
            fault: None,
        })
    }

    /// Makes some lines, none at the end. A fault leaves the lines before it.
    fn make_ready(&mut self) -> Result<(), DecodeError> {
        self.ready.clear();
        self.ready_at = 0;
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        while self.ready.len() < READY_BYTES {
            match self.next_row() {
                Ok(true) => {}
                Ok(false) => break,
                Err(fault) if self.ready.is_empty() => {
                    self.end();
                    return Err(fault);
                }
                Err(fault) => {
                    self.end();
                    self.fault = Some(fault);
                    break;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        self.rows = 0;
        self.groups.clear();
        self.cursors.clear();
    }

    /// Adds the line of the next row; false at the end.
    fn next_row(&mut self) -> Result<bool, DecodeError> {
        while self.rows == 0 {
            // What is left over was to be a row.
            for cursor in &mut self.cursors {
                if cursor.peek(&mut self.input)?.is_some() {
                    return Err(corrupt());
                }
            }
            self.cursors.clear();
            self.input.held = 0;
            let Some(group) = self.groups.pop() else { return Ok(false) };
            self.rows = group.rows;
            let chunks = group.chunks.into_iter().zip(&self.columns);
            self.cursors =
                chunks.map(|((codec, place), it)| Cursor::new(*it, codec, place)).collect();
        }
        self.rows -= 1;
        for cursor in &mut self.cursors {
            if !matches!(cursor.peek(&mut self.input)?, Some((0, _))) {
                return Err(corrupt());
            }
        }
        let root = Arc::clone(&self.root);
        self.row.begin();
        let mut writer =
            Writer { input: &mut self.input, cursors: &mut self.cursors, row: &mut self.row };
        writer.value(&root)?;
        let length = self.row.end(&mut self.ready);
        self.decoded += length;
        if self.decoded > self.limits.max_decoded_bytes {
            return Err(DecodeError::TooLarge { limit: self.limits.max_decoded_bytes });
        }
        self.input.work(length)?;
        Ok(true)
    }
}

impl Read for Lines {
    /// A fault of the data is an error of kind `InvalidData`.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ready_at == self.ready.len() {
            self.make_ready().map_err(|fault| match fault {
                DecodeError::Read(error) => error,
                fault => io::Error::new(io::ErrorKind::InvalidData, fault),
            })?;
        }
        let length = out.len().min(self.ready.len() - self.ready_at);
        out[..length].copy_from_slice(&self.ready[self.ready_at..self.ready_at + length]);
        self.ready_at += length;
        Ok(length)
    }
}

/// The bytes of the footer.
fn footer(input: &mut Input) -> Result<Vec<u8>, DecodeError> {
    // Magic, an empty footer, its length, magic.
    let size = input.size.checked_sub(12).ok_or_else(truncated)?;
    let end = input.read(input.size - 8, 8)?;
    let (length, magic) = end.split_at(4);
    if magic != MAGIC {
        return Err(truncated());
    }
    let length = u64::from(u32::from_le_bytes(length.try_into().map_err(|_| corrupt())?));
    if length > size {
        return Err(corrupt());
    }
    if length > FOOTER_MAX as u64 {
        return Err(too_large("the footer of the", FOOTER_MAX));
    }
    input.read(input.size - 8 - length, length as usize)
}

fn group(fields: &Fields<'_>, columns: &[Column], size: u64) -> Result<Group, DecodeError> {
    let rows = fields.number(3).and_then(|it| u64::try_from(it).ok()).ok_or_else(corrupt)?;
    let mut chunks = Vec::with_capacity(columns.len());
    for chunk in fields.structs(1).ok_or_else(corrupt)? {
        if chunk.bytes(1).is_some() {
            return Err(unsupported("columns in other files"));
        }
        if chunk.fields(8).is_some() || chunk.bytes(9).is_some() {
            return Err(unsupported("encryption"));
        }
        let it = chunk.fields(3).ok_or_else(corrupt)?;
        let place = |id: i16| it.number(id).and_then(|it| u64::try_from(it).ok());
        let data = place(9).ok_or_else(corrupt)?;
        // Some writers say 0 where there is no dictionary.
        let start = place(11).filter(|it| (1..data).contains(it)).unwrap_or(data);
        let end = place(7).and_then(|it| it.checked_add(start)).ok_or_else(corrupt)?;
        if start < 4 || end > size - 8 {
            return Err(corrupt());
        }
        chunks.push((Codec::of(it.number(4))?, start..end));
    }
    if chunks.len() != columns.len() {
        return Err(corrupt());
    }
    Ok(Group { rows, chunks })
}

/// A row as it is written.
struct Row {
    bytes: Vec<u8>,
    /// More than this is no record.
    most: usize,
    full: bool,
}

impl Row {
    fn begin(&mut self) {
        self.bytes.clear();
        self.full = false;
    }

    fn push(&mut self, bytes: &[u8]) {
        self.full |= self.bytes.len() + bytes.len() > self.most;
        if !self.full {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Adds the row's line; how long it is. A row that is too long becomes a line that
    /// is too long, so that its reader counts it as it counts any other.
    fn end(&mut self, out: &mut Vec<u8>) -> u64 {
        let before = out.len();
        match self.full || self.bytes.len() > self.most {
            false => out.extend_from_slice(&self.bytes),
            true => {
                out.extend_from_slice(b"{\"\":\"");
                out.resize(out.len() + self.most, b'x');
                out.extend_from_slice(b"\"}");
            }
        }
        out.push(b'\n');
        (out.len() - before) as u64
    }
}

/// Puts a row together from the next values of its columns.
struct Writer<'a> {
    input: &'a mut Input,
    cursors: &'a mut [Cursor],
    row: &'a mut Row,
}

impl Writer<'_> {
    /// The levels of the next value of a column, which must have one.
    fn levels(&mut self, leaf: usize) -> Result<(u8, u8), DecodeError> {
        self.cursors[leaf].peek(self.input)?.ok_or_else(corrupt)
    }

    /// Whether the next value of a column has this level of repetition.
    fn repeats(&mut self, leaf: usize, repetition: u8) -> Result<bool, DecodeError> {
        Ok(self.cursors[leaf].peek(self.input)?.is_some_and(|it| it.0 == repetition))
    }

    /// Goes past what all columns below a node have in place of something absent.
    fn pass(&mut self, node: &Node) -> Result<(), DecodeError> {
        for leaf in node.leaves.clone() {
            self.levels(leaf)?;
            self.cursors[leaf].take()?;
        }
        Ok(())
    }

    /// Writes a value; false if it is absent.
    fn value(&mut self, node: &Node) -> Result<bool, DecodeError> {
        let first = node.leaves.start;
        let (_, definition) = self.levels(first)?;
        if node.optional.is_some_and(|it| definition < it) {
            self.pass(node)?;
            return Ok(false);
        }
        match &node.shape {
            Shape::Value => return self.leaf(first),
            Shape::Object(members) => {
                self.row.push(b"{");
                let mut comma: &[u8] = b"";
                for member in members {
                    if self.member(comma, &member.name, member)? {
                        comma = b",";
                    }
                }
                self.row.push(b"}");
            }
            Shape::Array(repeated, element) => {
                self.row.push(b"[");
                self.each(node, *repeated, |writer, comma| {
                    writer.row.push(comma);
                    if !writer.value(element)? {
                        writer.row.push(b"null");
                    }
                    Ok(true)
                })?;
                self.row.push(b"]");
            }
            Shape::Map(repeated, key, value) => {
                self.row.push(b"{");
                self.each(node, *repeated, |writer, comma| {
                    let name = writer.key(key)?;
                    match value {
                        Some(value) => writer.member(comma, &name, value),
                        None => {
                            [comma, &name, b"true"].iter().for_each(|it| writer.row.push(it));
                            Ok(true)
                        }
                    }
                })?;
                self.row.push(b"}");
            }
        }
        Ok(true)
    }

    /// Writes a value behind its name; nothing if it is absent.
    fn member(&mut self, comma: &[u8], name: &[u8], node: &Node) -> Result<bool, DecodeError> {
        let before = self.row.bytes.len();
        self.row.push(comma);
        self.row.push(name);
        let is_there = self.value(node)?;
        if !is_there {
            self.row.bytes.truncate(before);
        }
        Ok(is_there)
    }

    /// Goes over what is repeated. `one` is told what stands before an element, and says
    /// whether it wrote one.
    fn each(
        &mut self,
        node: &Node,
        repeated: Repeated,
        mut one: impl FnMut(&mut Self, &[u8]) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        let first = node.leaves.start;
        if self.levels(first)?.1 < repeated.definition {
            return self.pass(node);
        }
        let mut comma: &[u8] = b"";
        loop {
            if one(self, comma)? {
                comma = b",";
            }
            if !self.repeats(first, repeated.repetition)? {
                return Ok(());
            }
        }
    }

    /// The key of a pair as a name in JSON.
    fn key(&mut self, node: &Node) -> Result<Vec<u8>, DecodeError> {
        let before = self.row.bytes.len();
        if !self.value(node)? {
            self.row.push(b"null");
        }
        let mut name = self.row.bytes.split_off(before.min(self.row.bytes.len()));
        if name.first() != Some(&b'"') {
            let text = std::mem::take(&mut name);
            text::write_text(&mut name, &text);
        }
        name.push(b':');
        Ok(name)
    }

    fn leaf(&mut self, leaf: usize) -> Result<bool, DecodeError> {
        let cursor = &mut self.cursors[leaf];
        let column = cursor.column();
        let Some(value) = cursor.take()? else { return Ok(false) };
        if self.row.full || self.row.bytes.len() + value.len() > self.row.most {
            self.row.full = true;
            return Ok(true);
        }
        Ok(text::write_value(&mut self.row.bytes, &column, value))
    }
}

#[cfg(test)]
mod tests;
