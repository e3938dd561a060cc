//! Open: a file, as the decoded bytes that records are read from.

use std::fs::File;
use std::io::{Cursor, Read, Seek};

use lastuse_sources::{DecodeError, Decoder, Limits, decode, is_parquet, parquet};

/// Opens a file of so many bytes. Parquet is read from its end, all else from its start.
pub(crate) fn open_file(
    mut file: File,
    size_bytes: u64,
    limits: &Limits,
) -> Result<Decoder, DecodeError> {
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(DecodeError::Read)?;
    // What is no file on a disk cannot go back: `decode` says so.
    if is_parquet(&head) && file.rewind().is_ok() {
        return parquet(file, limits);
    }
    decode(Box::new(Cursor::new(head).chain(file)), Some(size_bytes), limits)
}
