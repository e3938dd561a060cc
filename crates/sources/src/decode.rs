//! Bytes as they lie in a file to bytes of text: gzip, zstd, byte order marks; bounded.
//! What `parquet` makes of rows comes through here too.
//!
//! What was decoded before a fault is always handed over first. Faults of the data
//! (cut short, corrupt, a decompression bomb) and faults of the device are told
//! apart, because the first is a reject of that input and the second stops the run.

use std::io::{self, Read};

mod gzip;
mod stream;

use stream::{Counted, Stream};

use crate::parquet::is_parquet;
use crate::spare;

/// What one input may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest record in bytes; a longer one is skipped and counted as a reject.
    pub max_record_bytes: usize,
    /// Bytes that one compressed input may become.
    pub max_decoded_bytes: u64,
    /// Decoded bytes per compressed byte, checked after `ratio_grace_bytes`.
    pub max_ratio: u64,
    /// Decoded bytes before `max_ratio` counts: short logs may be very repetitive.
    pub ratio_grace_bytes: u64,
    /// Largest zstd window, as the logarithm to base 2 of its bytes.
    pub zstd_window_log_max: u32,
    /// Bytes of records that are read at once.
    pub chunk_bytes: usize,
    /// Records that are read at once, however short they are.
    pub chunk_records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_record_bytes: 16 << 20,
            max_decoded_bytes: 64 << 30,
            max_ratio: 2_000,
            ratio_grace_bytes: 64 << 20,
            zstd_window_log_max: 27,
            chunk_bytes: 4 << 20,
            chunk_records: 65_536,
        }
    }
}

/// Why an input could not be decoded to its end. Never holds any of its content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The device or pipe failed.
    #[error("cannot read the input")]
    Read(#[source] io::Error),
    /// The compressed data ends in the middle.
    #[error("the {compression} data ends early")]
    Truncated {
        /// How the input is compressed.
        compression: Compression,
    },
    /// The compressed data is damaged.
    #[error("the {compression} data is corrupt")]
    Corrupt {
        /// How the input is compressed.
        compression: Compression,
    },
    /// Something else follows the compressed data.
    #[error("the {compression} data is followed by other bytes")]
    TrailingBytes {
        /// How the input is compressed.
        compression: Compression,
    },
    /// More comes out than is allowed.
    #[error("the input decodes to more than {limit} bytes")]
    TooLarge {
        /// Allowed decoded bytes.
        limit: u64,
    },
    /// More comes out of each byte than is allowed.
    #[error("the input decodes to more than {limit} times its size")]
    Ratio {
        /// Allowed decoded bytes per compressed byte.
        limit: u64,
    },
    /// The data is of a kind that is not read.
    #[error("the {compression} data has {what}, which cannot be read here")]
    Unsupported {
        /// How the input is compressed.
        compression: Compression,
        /// What is not read.
        what: &'static str,
    },
    /// A part of a Parquet file that must be held as a whole is too large.
    #[error("{part} Parquet file takes more than {limit} bytes")]
    PartTooLarge {
        /// Which one, up to the word `the`.
        part: &'static str,
        /// Allowed bytes, compressed or not.
        limit: usize,
    },
    /// Parquet can only be read from a file.
    #[error("Parquet cannot be read from a pipe: it is read from its end; name the file itself")]
    Pipe,
    /// Parquet was compressed as a whole.
    #[error("it is Parquet inside of {compression}: decompress it, and name that file")]
    Wrapped {
        /// What is around it.
        compression: Compression,
    },
}

impl DecodeError {
    /// Whether the fault lies in the data, not in reading it.
    pub fn is_data_fault(&self) -> bool {
        !matches!(self, Self::Read(_))
    }
}

/// How an input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// One or more gzip members (RFC 1952).
    Gzip,
    /// One or more Zstandard frames (RFC 8878).
    Zstd,
    /// Columns, whose rows are handed over as lines of JSON.
    Parquet,
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Parquet => "Parquet",
        })
    }
}

/// How the text of an input is encoded, as its byte order mark tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// Nothing was decoded yet.
    Unknown,
    Utf8,
    Utf16 {
        big_endian: bool,
    },
}

/// Decoded bytes of one input, in order, each handed over once.
pub struct Decoder {
    stream: Stream,
    compression: Compression,
    text: Text,
    /// Bytes of a UTF-16 code unit or pair whose rest has not come yet.
    pending: Vec<u8>,
    /// Decoded, not yet handed over, from `ready_at` on.
    ready: Vec<u8>,
    ready_at: usize,
    /// A byte order mark was left out, so that offsets differ from those of the input.
    marked: bool,
    /// Nothing more comes out of `stream`.
    ended: bool,
    /// Why it ended, if not at its end; told after everything that was decoded.
    failure: Option<DecodeError>,
    decoded: u64,
    limits: Limits,
}

/// Opens an input: its first bytes tell how it is compressed and encoded. Parquet is
/// refused, since it is not read from its start: [`crate::parquet::parquet`] reads it.
///
/// `size_hint` is its size in bytes where that is known. A gzip input that is small
/// enough is decoded as a whole at once, which takes a third of the time.
pub fn decode(
    mut read: Box<dyn Read + Send>,
    size_hint: Option<u64>,
    limits: &Limits,
) -> Result<Decoder, DecodeError> {
    let mut magic = [0; 4];
    let length = read_full(&mut read, &mut magic).map_err(DecodeError::Read)?;
    let compression = match &magic[..length] {
        head if is_parquet(head) => return Err(DecodeError::Pipe),
        [0x1f, 0x8b, 0x08, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        // A skippable frame, as some tools write before the data.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
        _ => Compression::Plain,
    };
    let head = io::Cursor::new(magic[..length].to_vec());
    let read: Box<dyn Read + Send> = Box::new(head.chain(read));
    let mut ready = Vec::new();
    let stream = match compression {
        Compression::Plain | Compression::Parquet => Stream::Plain(Counted::new(read)),
        Compression::Zstd => Stream::zstd(read, limits).map_err(DecodeError::Read)?,
        Compression::Gzip => match size_hint {
            Some(size) if size <= gzip::WHOLE_INPUT_MAX => {
                let (stream, output) = gzip::whole(read, limits)?;
                ready = output;
                stream
            }
            _ => Stream::gzip(read, 0),
        },
    };
    let mut decoder = Decoder::new(stream, compression, limits);
    decoder.decoded = ready.len() as u64;
    decoder.ready = ready;
    Ok(decoder)
}

/// Opens a plain input that continues where an earlier reading stopped, whatever its
/// first bytes look like.
pub fn continue_plain(read: Box<dyn Read + Send>, limits: &Limits) -> Decoder {
    let mut decoder = Decoder::new(Stream::Plain(Counted::new(read)), Compression::Plain, limits);
    decoder.text = Text::Utf8;
    decoder
}

impl Decoder {
    /// Opens lines that were made of the rows of a Parquet file. A fault of the data is
    /// an error of kind `InvalidData` that holds it.
    pub(crate) fn of_rows(read: Box<dyn Read + Send>, limits: &Limits) -> Self {
        let stream = Stream::Plain(Counted::new(read));
        let mut decoder = Self::new(stream, Compression::Parquet, limits);
        decoder.text = Text::Utf8;
        decoder
    }

    fn new(stream: Stream, compression: Compression, limits: &Limits) -> Self {
        Self {
            stream,
            compression,
            text: Text::Unknown,
            pending: Vec::new(),
            ready: Vec::new(),
            ready_at: 0,
            marked: false,
            ended: false,
            failure: None,
            decoded: 0,
            limits: limits.clone(),
        }
    }

    /// How the input is compressed.
    pub fn kind(&self) -> Compression {
        self.compression
    }

    /// Whether an offset in the decoded bytes is the same offset in the input, so that
    /// a later reading may seek there. True as far as is known; ask after `head`.
    pub fn is_seekable(&self) -> bool {
        self.compression == Compression::Plain && !self.marked
    }

    /// The first decoded bytes, up to `limit`, which stay to be read, and whether they
    /// are all there is.
    pub fn head(&mut self, limit: usize) -> Result<(&[u8], bool), DecodeError> {
        let mut ready = std::mem::take(&mut self.ready);
        let result = self.fill_from_stream(&mut ready, self.ready_at + limit);
        self.ready = ready;
        result?;
        let is_start = self.text == Text::Unknown;
        if is_start && is_parquet(&self.ready[self.ready_at..]) {
            return Err(DecodeError::Wrapped { compression: self.compression });
        }
        self.detect_text();
        let head = &self.ready[self.ready_at..];
        let complete = self.ended && self.failure.is_none() && head.len() <= limit;
        Ok((&head[..head.len().min(limit)], complete))
    }

    /// Leaves out decoded bytes (a byte order mark is none of them), for a reading that
    /// continues where an earlier one stopped. Returns how many there were.
    pub fn skip(&mut self, bytes: u64) -> Result<u64, DecodeError> {
        let (_, _) = self.head(4)?;
        let mut left = bytes;
        let mut scratch = Vec::new();
        while left > 0 {
            scratch.clear();
            let step = usize::try_from(left.min(1 << 20)).unwrap_or(1 << 20);
            if self.ready.len() == self.ready_at {
                self.fill_from_stream(&mut scratch, step)?;
                self.ready = std::mem::take(&mut scratch);
                self.ready_at = 0;
            }
            let here = (self.ready.len() - self.ready_at).min(step);
            if here == 0 {
                break;
            }
            self.ready_at += here;
            left -= here as u64;
        }
        Ok(bytes - left)
    }

    /// Whether everything was handed over. False if that is not known yet.
    pub(crate) fn is_drained(&self) -> bool {
        self.ended && self.ready_at == self.ready.len() && self.failure.is_none()
    }

    /// Whether `fill` can hand over a buffer of `length` bytes or more as it is.
    pub(crate) fn has_decoded(&self, length: usize) -> bool {
        self.ready_at == 0 && self.ready.len() >= length
    }

    /// Appends decoded bytes until the buffer has `length` of them or the input ends,
    /// which is when it is left shorter. An empty buffer may get more than that.
    ///
    /// On an error the buffer holds what was decoded before it; it is told once.
    pub(crate) fn fill(&mut self, buffer: &mut Vec<u8>, length: usize) -> Result<(), DecodeError> {
        self.detect_text();
        if self.ready_at < self.ready.len() {
            if buffer.is_empty() && self.ready_at == 0 {
                std::mem::swap(buffer, &mut self.ready);
                self.ready = Vec::new();
            } else {
                let wanted = length.saturating_sub(buffer.len());
                let end = self.ready.len().min(self.ready_at.saturating_add(wanted));
                buffer.extend_from_slice(&self.ready[self.ready_at..end]);
                self.ready_at = end;
                if end == self.ready.len() {
                    spare::give(std::mem::take(&mut self.ready));
                    self.ready_at = 0;
                }
            }
        }
        if self.text == Text::Unknown && buffer.len() < length && !self.ended {
            // The first bytes tell the encoding, so they are looked at apart.
            self.head(4)?;
            return self.fill(buffer, length);
        }
        if self.ready_at == self.ready.len() {
            self.fill_from_stream(buffer, length)?;
            return self.failure.take().map_or(Ok(()), Err);
        }
        Ok(())
    }

    /// As `fill`, without what is ready, and keeping a fault of the data for later.
    fn fill_from_stream(&mut self, buffer: &mut Vec<u8>, length: usize) -> Result<(), DecodeError> {
        while buffer.len() < length && !self.ended {
            let before = buffer.len();
            let outcome = match self.text {
                Text::Utf16 { big_endian } => self.fill_utf16(buffer, length, big_endian),
                _ => self.stream.append(buffer, length - before),
            };
            match outcome {
                Ok(0) => self.ended = true,
                Ok(read) => self.count(read as u64),
                Err(error) if error.is_data_fault() => {
                    self.decoded += (buffer.len() - before) as u64;
                    self.ended = true;
                    self.failure = Some(error);
                }
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
            if self.ended {
                self.end_utf16(buffer);
            }
        }
        Ok(())
    }

    /// Counts decoded bytes, and ends a compressed input that gives too many.
    fn count(&mut self, read: u64) {
        self.decoded += read;
        // Lines made of Parquet are counted where they are made.
        if matches!(self.compression, Compression::Plain | Compression::Parquet) {
            return;
        }
        let Limits { max_decoded_bytes, max_ratio, ratio_grace_bytes, .. } = self.limits;
        let allowed = self.stream.compressed_bytes().saturating_mul(max_ratio);
        if self.decoded > max_decoded_bytes {
            self.ended = true;
            self.failure = Some(DecodeError::TooLarge { limit: max_decoded_bytes });
        } else if self.decoded > ratio_grace_bytes && self.decoded > allowed {
            self.ended = true;
            self.failure = Some(DecodeError::Ratio { limit: max_ratio });
        }
    }

    /// Looks for a byte order mark at the start of what is ready, once.
    fn detect_text(&mut self) {
        let bytes = &self.ready[self.ready_at..];
        if self.text != Text::Unknown || (bytes.len() < 3 && !self.ended) {
            return;
        }
        match bytes {
            [0xef, 0xbb, 0xbf, ..] => {
                self.text = Text::Utf8;
                self.ready_at += 3;
                self.marked = true;
            }
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                let big_endian = bytes[0] == 0xfe;
                self.marked = true;
                self.text = Text::Utf16 { big_endian };
                let raw = self.ready.split_off(self.ready_at + 2);
                self.ready.clear();
                self.ready_at = 0;
                let mut ready = std::mem::take(&mut self.ready);
                self.transcode(&raw, &mut ready, big_endian);
                if self.ended {
                    self.end_utf16(&mut ready);
                }
                self.ready = ready;
            }
            _ => self.text = Text::Utf8,
        }
    }

    fn fill_utf16(
        &mut self,
        buffer: &mut Vec<u8>,
        length: usize,
        big_endian: bool,
    ) -> Result<usize, DecodeError> {
        let mut raw = Vec::new();
        let outcome = self.stream.append(&mut raw, (length - buffer.len()).max(4));
        self.transcode(&raw, buffer, big_endian);
        outcome
    }

    /// Appends UTF-16 as UTF-8; lone surrogates become U+FFFD.
    fn transcode(&mut self, raw: &[u8], out: &mut Vec<u8>, big_endian: bool) {
        self.pending.extend_from_slice(raw);
        let unit = |pair: &[u8]| match big_endian {
            true => u16::from_be_bytes([pair[0], pair[1]]),
            false => u16::from_le_bytes([pair[0], pair[1]]),
        };
        let mut units: Vec<u16> = self.pending.chunks_exact(2).map(unit).collect();
        // The first half of a pair waits for its second.
        if units.last().is_some_and(|it| (0xd800..0xdc00).contains(it)) {
            units.pop();
        }
        self.pending.drain(..units.len() * 2);
        let mut utf8 = [0; 4];
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
        }
    }

    /// What is left of a code unit at the end stands for one character.
    fn end_utf16(&mut self, buffer: &mut Vec<u8>) {
        if !std::mem::take(&mut self.pending).is_empty() {
            buffer.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

impl Read for Decoder {
    /// A fault of the data is an error of kind `InvalidData`.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ready_at == self.ready.len() {
            self.ready.clear();
            self.ready_at = 0;
            let mut ready = std::mem::take(&mut self.ready);
            let outcome = self.fill(&mut ready, out.len().clamp(4, 1 << 16));
            // A fault is told when all that came before it has been read.
            self.ready = ready;
            match outcome {
                Ok(()) => {}
                Err(DecodeError::Read(error)) => return Err(error),
                Err(error) if self.ready.is_empty() => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
                Err(error) => self.failure = Some(error),
            }
        }
        let length = out.len().min(self.ready.len() - self.ready_at);
        out[..length].copy_from_slice(&self.ready[self.ready_at..self.ready_at + length]);
        self.ready_at += length;
        Ok(length)
    }
}

impl std::fmt::Debug for Decoder {
    /// Tells no content: it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("compression", &self.compression)
            .field("decoded", &self.decoded)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Reads until the buffer is full or the input ends.
fn read_full(read: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match read.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
