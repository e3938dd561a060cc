//! Pages of one column: their headers, their decompression, and what stands in them.

use std::io::Read;
use std::ops::Range;

use super::runs::{Runs, bit_width, bits};
use super::schema::{Column, Physical};
use super::thrift::{Fields, ThriftError, read_struct};
use super::{Input, PAGE_MAX, corrupt, plain, too_large, truncated, unsupported};
use crate::decode::DecodeError;

/// Most headers are this short.
const HEADER_BYTES: usize = 4 << 10;
/// And none is longer: it may hold two values as statistics.
const HEADER_MAX: usize = 1 << 20;

/// How pages are compressed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Codec {
    None,
    Snappy,
    Gzip,
    Zstd,
}

impl Codec {
    /// The codec of that number in a footer.
    pub(super) fn of(number: Option<i64>) -> Result<Self, DecodeError> {
        Ok(match number {
            Some(0) => Self::None,
            Some(1) => Self::Snappy,
            Some(2) => Self::Gzip,
            Some(6) => Self::Zstd,
            Some(3) => return Err(unsupported("LZO compression")),
            Some(4) => return Err(unsupported("Brotli compression")),
            Some(5 | 7) => return Err(unsupported("LZ4 compression")),
            _ => return Err(corrupt()),
        })
    }

    /// Appends what `input` decompresses to, which must be `length` bytes.
    fn decompress(self, input: &[u8], length: usize, out: &mut Vec<u8>) -> Option<()> {
        let before = out.len();
        match self {
            Self::None => out.extend_from_slice(input),
            // A page without values may have no bytes at all.
            _ if length == 0 => {}
            Self::Snappy => {
                if snap::raw::decompress_len(input).ok()? != length {
                    return None;
                }
                out.resize(before + length, 0);
                snap::raw::Decoder::new().decompress(input, &mut out[before..]).ok()?;
            }
            Self::Gzip => {
                let decoder = flate2::bufread::MultiGzDecoder::new(input);
                decoder.take(length as u64 + 1).read_to_end(out).ok()?;
            }
            Self::Zstd => out.extend(zstd::bulk::decompress(input, length).ok()?),
        }
        (out.len() - before == length).then_some(())
    }
}

/// What a page's header says.
struct Header {
    kind: Kind,
    /// Bytes of the page as it lies in the file.
    stored: usize,
    /// Bytes that it becomes.
    length: usize,
    /// How many values it has, absent ones included.
    values: usize,
    encoding: i64,
}

enum Kind {
    Dictionary,
    /// Levels stand before the values and are compressed with them. They are in runs, unless
    /// the oldest of encodings is named; it also is where there are no levels at all.
    Data {
        definition_packed: bool,
        repetition_packed: bool,
    },
    /// Levels of repetition and of definition, in bytes, are not compressed.
    Data2 {
        repetition: usize,
        definition: usize,
        compressed: bool,
    },
    /// Nothing that is needed.
    Other,
}

fn header(fields: &Fields<'_>) -> Result<Header, DecodeError> {
    let size = |it: Option<i64>| it.and_then(|it| usize::try_from(it).ok()).ok_or_else(corrupt);
    let (length, stored) = (size(fields.number(2))?, size(fields.number(3))?);
    let (kind, inner) = match fields.number(1) {
        Some(0) => {
            let inner = fields.fields(5).ok_or_else(corrupt)?;
            let packed = |id: i16| inner.number(id) == Some(4);
            (Kind::Data { definition_packed: packed(3), repetition_packed: packed(4) }, inner)
        }
        Some(2) => (Kind::Dictionary, fields.fields(7).ok_or_else(corrupt)?),
        Some(3) => {
            let inner = fields.fields(8).ok_or_else(corrupt)?;
            let (definition, repetition) = (size(inner.number(5))?, size(inner.number(6))?);
            let compressed = inner.flag(7).unwrap_or(true);
            (Kind::Data2 { repetition, definition, compressed }, inner)
        }
        Some(1) => return Ok(Header { kind: Kind::Other, stored, length, values: 0, encoding: 0 }),
        _ => return Err(corrupt()),
    };
    let encoding = inner.number(if matches!(kind, Kind::Data2 { .. }) { 4 } else { 2 });
    let encoding = encoding.ok_or_else(corrupt)?;
    Ok(Header { kind, stored, length, values: size(inner.number(1))?, encoding })
}

/// Where the next value stands.
#[derive(Debug)]
enum Values {
    /// At this byte of the page.
    Plain(usize),
    /// At this bit of the page.
    Flags(usize),
    /// In runs of flags.
    FlagRuns(Runs),
    /// In the dictionary, at an index.
    Indices(Runs),
}

#[derive(Debug)]
struct Page {
    bytes: Vec<u8>,
    repetitions: Runs,
    definitions: Runs,
    values: Values,
    /// How many values are left, absent ones included.
    left: usize,
}

#[derive(Debug)]
struct Dictionary {
    bytes: Vec<u8>,
    /// Where each text begins, behind its length.
    starts: Vec<u32>,
}

/// Walks over the values of one column chunk.
#[derive(Debug)]
pub(super) struct Cursor {
    column: Column,
    codec: Codec,
    /// The pages in the file that were not read yet.
    rest: Range<u64>,
    dictionary: Option<Dictionary>,
    page: Option<Page>,
    /// The levels of the next value, once they were looked at.
    next: Option<(u8, u8)>,
}

impl Cursor {
    /// Over the pages at this place of the file.
    pub(super) fn new(column: Column, codec: Codec, place: Range<u64>) -> Self {
        Self { column, codec, rest: place, dictionary: None, page: None, next: None }
    }

    /// The column that it walks over.
    pub(super) fn column(&self) -> Column {
        self.column
    }

    /// The levels of repetition and definition of the next value; none at the end.
    pub(super) fn peek(&mut self, input: &mut Input) -> Result<Option<(u8, u8)>, DecodeError> {
        while self.next.is_none() {
            match &mut self.page {
                Some(page) if page.left > 0 => {
                    page.left -= 1;
                    input.work(1)?;
                    let (repetition_max, definition_max) =
                        (self.column.repetition_max, self.column.definition_max);
                    let repetition = level(&mut page.repetitions, &page.bytes, repetition_max);
                    let definition = level(&mut page.definitions, &page.bytes, definition_max);
                    self.next = Some(repetition.zip(definition).ok_or_else(corrupt)?);
                }
                _ if self.rest.is_empty() => return Ok(None),
                _ => self.load(input)?,
            }
        }
        Ok(self.next)
    }

    /// Goes past the value that `peek` looked at; none if it is absent.
    pub(super) fn take(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        let (_, definition) = self.next.take().ok_or_else(corrupt)?;
        if definition < self.column.definition_max {
            return Ok(None);
        }
        let page = self.page.as_mut().ok_or_else(corrupt)?;
        let physical = self.column.physical;
        let value = match &mut page.values {
            Values::Plain(at) => plain_value(&page.bytes, at, physical),
            Values::Flags(bit) => {
                let flag = bits(&page.bytes, *bit, 1);
                *bit += 1;
                flag.map(|it| if it == 0 { &[0][..] } else { &[1][..] })
            }
            Values::FlagRuns(runs) => {
                runs.next(&page.bytes).map(|it| if it == 0 { &[0][..] } else { &[1][..] })
            }
            Values::Indices(runs) => {
                let index = runs.next(&page.bytes).ok_or_else(corrupt)?;
                self.dictionary.as_ref().and_then(|it| it.get(index as usize, physical))
            }
        };
        value.map(Some).ok_or_else(corrupt)
    }

    /// Reads the next page.
    fn load(&mut self, input: &mut Input) -> Result<(), DecodeError> {
        if let Some(page) = self.page.take() {
            input.release(page.bytes.capacity());
        }
        let (header, stored) = self.next_page(input)?;
        input.work(header.length as u64)?;
        if let Kind::Other = header.kind {
            return Ok(());
        }
        if let Kind::Dictionary = header.kind {
            let mut bytes = Vec::new();
            self.codec.decompress(&stored, header.length, &mut bytes).ok_or_else(corrupt)?;
            let physical = self.column.physical;
            let dictionary = Dictionary::new(bytes, header.values, physical).ok_or_else(corrupt)?;
            input.hold(dictionary.size())?;
            let before = self.dictionary.replace(dictionary);
            input.release(before.map_or(0, |it| it.size()));
            return Ok(());
        }
        let page = self.data_page(&header, &stored)?;
        input.hold(page.bytes.capacity())?;
        self.page = Some(page);
        Ok(())
    }

    /// The header of the next page, and its bytes.
    fn next_page(&mut self, input: &mut Input) -> Result<(Header, Vec<u8>), DecodeError> {
        let room = usize::try_from(self.rest.end - self.rest.start).map_err(|_| corrupt())?;
        let mut head = input.read(self.rest.start, room.min(HEADER_BYTES))?;
        let is_cut =
            |it: &Result<_, ThriftError>| it.as_ref().is_err_and(|it| *it == ThriftError::End);
        if is_cut(&read_struct(&head)) && room > head.len() {
            head = input.read(self.rest.start, room.min(HEADER_MAX))?;
        }
        let (fields, length) = read_struct(&head).map_err(|_| corrupt())?;
        let header = header(&fields)?;
        drop(fields);
        if header.stored > room - length {
            return Err(corrupt());
        }
        if header.stored.max(header.length) > PAGE_MAX {
            return Err(too_large("a page of the", PAGE_MAX));
        }
        let start = self.rest.start + length as u64;
        self.rest.start = start + header.stored as u64;
        head.drain(..length);
        let stored = match head.len() >= header.stored {
            true => {
                head.truncate(header.stored);
                head
            }
            false => input.read(start, header.stored)?,
        };
        Ok((header, stored))
    }

    fn data_page(&self, header: &Header, stored: &[u8]) -> Result<Page, DecodeError> {
        let Column { physical, repetition_max, definition_max, .. } = self.column;
        let mut bytes = Vec::new();
        let (repetition, definition) = match header.kind {
            Kind::Data2 { repetition, definition, compressed } => {
                let levels = repetition.checked_add(definition).ok_or_else(corrupt)?;
                let length = header.length.checked_sub(levels).ok_or_else(corrupt)?;
                let (levels, values) = stored.split_at_checked(levels).ok_or_else(corrupt)?;
                bytes.extend_from_slice(levels);
                let codec = if compressed { self.codec } else { Codec::None };
                codec.decompress(values, length, &mut bytes).ok_or_else(corrupt)?;
                (0..repetition, repetition..repetition + definition)
            }
            Kind::Data { definition_packed, repetition_packed } => {
                if definition_packed && definition_max > 0
                    || repetition_packed && repetition_max > 0
                {
                    return Err(unsupported("levels in the encoding BIT_PACKED"));
                }
                self.codec.decompress(stored, header.length, &mut bytes).ok_or_else(corrupt)?;
                let repetition = levels(&bytes, 0, repetition_max).ok_or_else(corrupt)?;
                let definition =
                    levels(&bytes, repetition.end, definition_max).ok_or_else(corrupt)?;
                (repetition, definition)
            }
            Kind::Dictionary | Kind::Other => return Err(corrupt()),
        };
        let start = definition.end;
        let values = values(header, &mut bytes, start, physical)?;
        Ok(Page {
            repetitions: Runs::new(repetition, bit_width(repetition_max)),
            definitions: Runs::new(definition, bit_width(definition_max)),
            values,
            bytes,
            left: header.values,
        })
    }
}

fn level(runs: &mut Runs, bytes: &[u8], most: u8) -> Option<u8> {
    match most {
        0 => Some(0),
        _ => runs.next(bytes).and_then(|it| u8::try_from(it).ok()).filter(|it| *it <= most),
    }
}

/// Where levels stand that begin at `start` with their length.
fn levels(bytes: &[u8], start: usize, most: u8) -> Option<Range<usize>> {
    if most == 0 {
        return Some(start..start);
    }
    let length = bytes.get(start..start + 4)?;
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let end = (start + 4).checked_add(length).filter(|it| *it <= bytes.len())?;
    Some(start + 4..end)
}

/// How the values that begin at `start` are read; where they are not plain, and no
/// indices, plain ones are put behind them.
fn values(
    header: &Header,
    bytes: &mut Vec<u8>,
    start: usize,
    physical: Physical,
) -> Result<Values, DecodeError> {
    let stored = bytes.get(start..).ok_or_else(corrupt)?;
    let is_number = matches!(physical, Physical::Int32 | Physical::Int64);
    let is_text = matches!(physical, Physical::Bytes);
    let is_fixed = matches!(physical, Physical::Fixed(_));
    let made = match header.encoding {
        0 if physical == Physical::Boolean => return Ok(Values::Flags(start * 8)),
        0 => return Ok(Values::Plain(start)),
        2 | 8 => {
            // Without values there is no width either.
            let width = stored.first().map_or(0, |it| u32::from(*it));
            if width > 32 {
                return Err(corrupt());
            }
            let end = bytes.len();
            return Ok(Values::Indices(Runs::new((start + 1).min(end)..end, width)));
        }
        3 if physical == Physical::Boolean => {
            let part = levels(bytes, start, 1).ok_or_else(corrupt)?;
            return Ok(Values::FlagRuns(Runs::new(part, 1)));
        }
        5 if is_number => plain::from_deltas(stored, physical, header.values),
        6 if is_text => plain::from_lengths(stored, header.values),
        7 if is_text || is_fixed => plain::from_prefixes(stored, physical, header.values),
        9 => plain::from_streams(stored, physical),
        _ => return Err(unsupported("an encoding of values")),
    };
    let made = made.ok_or_else(corrupt)?;
    let start = bytes.len();
    bytes.extend_from_slice(&made);
    Ok(Values::Plain(start))
}

/// The plain value at `at`, which moves on.
fn plain_value<'a>(bytes: &'a [u8], at: &mut usize, physical: Physical) -> Option<&'a [u8]> {
    let (start, width) = match physical.width() {
        Some(width) => (*at, width),
        None => {
            let length = bytes.get(*at..at.checked_add(4)?)?;
            (*at + 4, u32::from_le_bytes(length.try_into().ok()?) as usize)
        }
    };
    let end = start.checked_add(width)?;
    *at = end;
    bytes.get(start..end)
}

impl Dictionary {
    fn new(bytes: Vec<u8>, values: usize, physical: Physical) -> Option<Self> {
        let mut starts = Vec::new();
        if physical == Physical::Bytes {
            let mut at = 0;
            for _ in 0..values {
                starts.push(at as u32 + 4);
                plain_value(&bytes, &mut at, physical)?;
            }
        }
        Some(Self { bytes, starts })
    }

    fn size(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * 4
    }

    fn get(&self, index: usize, physical: Physical) -> Option<&[u8]> {
        let mut at = match physical.width() {
            Some(width) => index.checked_mul(width)?,
            None => *self.starts.get(index)? as usize - 4,
        };
        plain_value(&self.bytes, &mut at, physical)
    }
}

/// Reads part of a file, which must be there.
pub(super) fn read_exact(input: &mut dyn Read, length: usize) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::with_capacity(length);
    input.take(length as u64).read_to_end(&mut bytes).map_err(DecodeError::Read)?;
    if bytes.len() < length { Err(truncated()) } else { Ok(bytes) }
}
