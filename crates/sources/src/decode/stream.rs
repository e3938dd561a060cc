//! The decompressors behind one function that appends to a buffer.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

use super::{Compression, DecodeError, Limits};

/// Bytes that are decompressed at once. When the data turns out to be corrupt, at
/// most this many good bytes before that place are lost.
const STEP: usize = 64 << 10;

/// Where decoded bytes come from.
pub(super) enum Stream {
    Plain(Counted),
    Gzip(Gzip),
    Zstd(Box<zstd::Decoder<'static, BufReader<Counted>>>),
}

/// A stream of gzip members.
pub(super) struct Gzip {
    place: Place,
    /// Compressed bytes before this stream began.
    compressed: u64,
}

/// Where a stream of gzip members stands.
enum Place {
    Member(Box<GzDecoder<BufReader<Counted>>>),
    /// A member has ended here.
    Between(BufReader<Counted>),
    End,
}

/// Counts the bytes read, and remembers whether reading them failed.
pub(super) struct Counted {
    read: Box<dyn Read + Send>,
    bytes: u64,
    failed: bool,
}

impl Counted {
    pub(super) fn new(read: Box<dyn Read + Send>) -> Self {
        Self { read, bytes: 0, failed: false }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = self.read.read(buffer);
        match &outcome {
            Ok(length) => self.bytes += *length as u64,
            Err(error) => self.failed |= error.kind() != io::ErrorKind::Interrupted,
        }
        outcome
    }
}

impl Stream {
    pub(super) fn zstd(read: Box<dyn Read + Send>, limits: &Limits) -> io::Result<Self> {
        let mut decoder = zstd::Decoder::new(Counted::new(read))?;
        decoder.window_log_max(limits.zstd_window_log_max)?;
        Ok(Self::Zstd(Box::new(decoder)))
    }

    /// A stream that follows whole members of so many compressed bytes; none: the start.
    pub(super) fn gzip(read: Box<dyn Read + Send>, compressed: u64) -> Self {
        let reader = BufReader::with_capacity(STEP, Counted::new(read));
        let place = match compressed {
            0 => Place::Member(Box::new(GzDecoder::new(reader))),
            _ => Place::Between(reader),
        };
        Self::Gzip(Gzip { place, compressed })
    }

    pub(super) fn compressed_bytes(&self) -> u64 {
        match self {
            Self::Plain(read) => read.bytes,
            Self::Gzip(gzip) => {
                let here = match &gzip.place {
                    Place::Member(member) => member.get_ref().get_ref().bytes,
                    Place::Between(reader) => reader.get_ref().bytes,
                    Place::End => 0,
                };
                gzip.compressed + here
            }
            Self::Zstd(decoder) => decoder.get_ref().get_ref().bytes,
        }
    }

    /// Appends some decoded bytes, at most `wanted`; none at the end.
    pub(super) fn append(
        &mut self,
        buffer: &mut Vec<u8>,
        wanted: usize,
    ) -> Result<usize, DecodeError> {
        match self {
            Self::Plain(read) => {
                buffer.reserve(wanted);
                let length = read.read.by_ref().take(wanted as u64).read_to_end(buffer);
                let length = length.map_err(fault)?;
                read.bytes += length as u64;
                Ok(length)
            }
            Self::Gzip(gzip) => gzip.append(buffer, wanted),
            Self::Zstd(decoder) => {
                append_step(decoder, buffer, wanted).map_err(|error| match error.kind() {
                    _ if decoder.get_ref().get_ref().failed => DecodeError::Read(error),
                    io::ErrorKind::UnexpectedEof => {
                        DecodeError::Truncated { compression: Compression::Zstd }
                    }
                    _ => DecodeError::Corrupt { compression: Compression::Zstd },
                })
            }
        }
    }
}

/// What an error of a plain reader is: those of rows hold the fault of their data.
fn fault(error: io::Error) -> DecodeError {
    match error.kind() {
        io::ErrorKind::InvalidData => error.downcast().unwrap_or_else(DecodeError::Read),
        _ => DecodeError::Read(error),
    }
}

impl Gzip {
    fn append(&mut self, buffer: &mut Vec<u8>, wanted: usize) -> Result<usize, DecodeError> {
        let compression = Compression::Gzip;
        loop {
            // An error leaves the end: nothing is read after it.
            self.place = match std::mem::replace(&mut self.place, Place::End) {
                Place::End => return Ok(0),
                Place::Between(reader) => after_member(reader)?,
                Place::Member(mut member) => match append_step(&mut member, buffer, wanted) {
                    Ok(0) => Place::Between(member.into_inner()),
                    Ok(length) => {
                        self.place = Place::Member(member);
                        return Ok(length);
                    }
                    Err(error) if member.get_ref().get_ref().failed => {
                        return Err(DecodeError::Read(error));
                    }
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        return Err(DecodeError::Truncated { compression });
                    }
                    Err(_) => return Err(DecodeError::Corrupt { compression }),
                },
            };
        }
    }
}

/// What follows a member: another one, padding with zeros, or bytes that do not belong
/// there.
fn after_member(mut reader: BufReader<Counted>) -> Result<Place, DecodeError> {
    loop {
        let bytes = reader.fill_buf().map_err(DecodeError::Read)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        match bytes.first() {
            None => return Ok(Place::End),
            Some(0) => reader.consume(zeros),
            Some(0x1f) => return Ok(Place::Member(Box::new(GzDecoder::new(reader)))),
            Some(_) => return Err(DecodeError::TrailingBytes { compression: Compression::Gzip }),
        }
    }
}

/// Appends what one read of at most `STEP` bytes gives.
fn append_step(read: &mut dyn Read, buffer: &mut Vec<u8>, wanted: usize) -> io::Result<usize> {
    let before = buffer.len();
    buffer.resize(before + wanted.min(STEP), 0);
    let outcome = loop {
        match read.read(&mut buffer[before..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => break outcome,
        }
    };
    buffer.truncate(before + outcome.as_ref().copied().unwrap_or(0));
    outcome
}
