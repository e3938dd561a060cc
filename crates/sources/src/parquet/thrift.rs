//! Thrift's compact protocol, as far as Parquet's footers and page headers need it.
//!
//! Whatever the bytes claim, no more is allocated than they could hold: lists
//! grow as their elements are read, and there is a limit for depth and number.

/// How deep structs and lists may stand in each other.
const DEPTH_MAX: u32 = 16;
/// How many values one footer may have: those of 60,000 column chunks.
const VALUES_MAX: u32 = 2_000_000;

/// Why bytes are no struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ThriftError {
    /// They end inside of it.
    End,
    /// They are none, or have too much in them.
    Invalid,
}

/// One value. What Parquet has no use for is `Other`.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Flag(bool),
    Number(i64),
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Struct(Fields<'a>),
    Other,
}

/// The fields of a struct by their number.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(Vec<(i16, Value<'a>)>);

impl<'a> Fields<'a> {
    fn get(&self, id: i16) -> Option<&Value<'a>> {
        self.0.iter().find(|it| it.0 == id).map(|it| &it.1)
    }

    pub(super) fn number(&self, id: i16) -> Option<i64> {
        match self.get(id) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn flag(&self, id: i16) -> Option<bool> {
        match self.get(id) {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, id: i16) -> Option<&'a [u8]> {
        match self.get(id) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn fields(&self, id: i16) -> Option<&Fields<'a>> {
        match self.get(id) {
            Some(Value::Struct(fields)) => Some(fields),
            _ => None,
        }
    }

    /// The structs of a list; none if it is no list.
    pub(super) fn structs(&self, id: i16) -> Option<impl Iterator<Item = &Fields<'a>>> {
        let Some(Value::List(list)) = self.get(id) else { return None };
        Some(list.iter().filter_map(|it| match it {
            Value::Struct(fields) => Some(fields),
            _ => None,
        }))
    }

    /// The number of the first field: which member of a union it is.
    pub(super) fn union_member(&self) -> Option<i16> {
        self.0.first().map(|it| it.0)
    }
}

/// Reads the struct at the start of `bytes`; also how long it is.
pub(super) fn read_struct(bytes: &[u8]) -> Result<(Fields<'_>, usize), ThriftError> {
    let mut reader = Reader { bytes, at: 0, values: 0 };
    let fields = reader.fields(0)?;
    Ok((fields, reader.at))
}

/// Reads a number of seven bits a byte, the lowest first, and moves on.
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The same for a number with a sign.
pub(super) fn zigzag(bytes: &[u8], at: &mut usize) -> Option<i64> {
    varint(bytes, at).map(|it| (it >> 1) as i64 ^ -((it & 1) as i64))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: u32,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, ThriftError> {
        let byte = *self.bytes.get(self.at).ok_or(ThriftError::End)?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, ThriftError> {
        let end =
            if self.bytes.len() - self.at < 10 { ThriftError::End } else { ThriftError::Invalid };
        varint(self.bytes, &mut self.at).ok_or(end)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ThriftError> {
        let length = usize::try_from(length).map_err(|_| ThriftError::Invalid)?;
        let end = self.at.checked_add(length).ok_or(ThriftError::Invalid)?;
        let taken = self.bytes.get(self.at..end).ok_or(ThriftError::End)?;
        self.at = end;
        Ok(taken)
    }

    fn fields(&mut self, depth: u32) -> Result<Fields<'a>, ThriftError> {
        let mut fields = Vec::new();
        let mut id = 0i16;
        loop {
            let head = self.byte()?;
            let kind = head & 0x0f;
            if kind == 0 {
                return Ok(Fields(fields));
            }
            id = match head >> 4 {
                0 => {
                    let number = self.varint()?;
                    let number = (number >> 1) as i64 ^ -((number & 1) as i64);
                    i16::try_from(number).map_err(|_| ThriftError::Invalid)?
                }
                more => id.checked_add(i16::from(more)).ok_or(ThriftError::Invalid)?,
            };
            let value = match kind {
                1 | 2 => self.count(Value::Flag(kind == 1))?,
                _ => self.value(kind, depth + 1)?,
            };
            fields.push((id, value));
        }
    }

    fn count(&mut self, value: Value<'a>) -> Result<Value<'a>, ThriftError> {
        self.values += 1;
        if self.values > VALUES_MAX { Err(ThriftError::Invalid) } else { Ok(value) }
    }

    fn value(&mut self, kind: u8, depth: u32) -> Result<Value<'a>, ThriftError> {
        if depth > DEPTH_MAX {
            return Err(ThriftError::Invalid);
        }
        let value = match kind {
            // A flag in a list has a byte of its own.
            1 | 2 => Value::Flag(self.byte()? == 1),
            3 => Value::Number(i64::from(self.byte()? as i8)),
            4..=6 => {
                let number = self.varint()?;
                Value::Number((number >> 1) as i64 ^ -((number & 1) as i64))
            }
            7 => {
                self.take(8)?;
                Value::Other
            }
            8 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            9 | 10 => self.list(depth)?,
            11 => self.map(depth)?,
            12 => Value::Struct(self.fields(depth)?),
            13 => {
                self.take(16)?;
                Value::Other
            }
            _ => return Err(ThriftError::Invalid),
        };
        self.count(value)
    }

    fn list(&mut self, depth: u32) -> Result<Value<'a>, ThriftError> {
        let head = self.byte()?;
        let length = match head >> 4 {
            15 => self.varint()?,
            length => u64::from(length),
        };
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(self.value(head & 0x0f, depth + 1)?);
        }
        Ok(Value::List(list))
    }

    fn map(&mut self, depth: u32) -> Result<Value<'a>, ThriftError> {
        let length = self.varint()?;
        if length > 0 {
            let kinds = self.byte()?;
            for _ in 0..length {
                self.value(kinds >> 4, depth + 1)?;
                self.value(kinds & 0x0f, depth + 1)?;
            }
        }
        Ok(Value::Other)
    }
}
