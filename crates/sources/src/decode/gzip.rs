//! Small gzip inputs decoded as a whole, which is several times faster than a stream.

use std::io::{Cursor, Read};

use libdeflater::{DecompressionError, Decompressor};

use super::stream::Stream;
use super::{DecodeError, Limits};
use crate::spare;

/// Compressed inputs of up to this many bytes are tried as a whole.
pub(super) const WHOLE_INPUT_MAX: u64 = 64 << 20;

/// And become at most this many bytes; the rest is then decoded as a stream.
const WHOLE_OUTPUT_MAX: u64 = 64 << 20;

/// Magic, method, flags, time, extra flags, system; then at least an empty block.
const HEADER_BYTES: usize = 10;

/// Check sum and length, both of the member's decoded bytes.
const TRAILER_BYTES: usize = 8;

/// Decodes as many members as fit, and returns them with a stream of the rest.
///
/// Whatever is unusual (damage, trailing bytes, too much output) is left to the
/// stream, which knows how to tell it.
pub(super) fn whole(
    mut read: Box<dyn Read + Send>,
    limits: &Limits,
) -> Result<(Stream, Vec<u8>), DecodeError> {
    let mut input = Vec::new();
    let length = read.by_ref().take(WHOLE_INPUT_MAX).read_to_end(&mut input);
    let length = length.map_err(DecodeError::Read)?;
    let bound = WHOLE_OUTPUT_MAX.min(limits.ratio_grace_bytes).min(limits.max_decoded_bytes);
    let bound = usize::try_from(bound).unwrap_or(usize::MAX);
    let mut output = Vec::new();
    let mut at = 0;
    // An input that fills the limit may go on: its last member may be cut.
    while input[at..].starts_with(&[0x1f, 0x8b]) && (length as u64) < WHOLE_INPUT_MAX {
        let Some(consumed) = inflate_member(&input[at..], &mut output, bound) else { break };
        at += consumed;
    }
    if output.len() < output.capacity() / 4 {
        output.shrink_to_fit();
    }
    let mut rest = Cursor::new(input);
    rest.set_position(at as u64);
    Ok((Stream::gzip(Box::new(rest.chain(read)), at as u64), output))
}

/// Appends the first member, and returns how many bytes of the input it took; none if
/// it is empty or damaged, or its output would go past the bound.
fn inflate_member(input: &[u8], output: &mut Vec<u8>, bound: usize) -> Option<usize> {
    let room = bound.checked_sub(output.len())?;
    let mut capacity = last_length(input).clamp(1 << 12, room.max(1 << 12));
    let mut decompressor = Decompressor::new();
    let before = output.len();
    loop {
        let capacity_now = capacity.min(room);
        if output.is_empty() {
            *output = spare::filled(capacity_now);
        } else {
            output.resize(before + capacity_now, 0);
        }
        match decompressor.gzip_decompress(input, &mut output[before..]) {
            Ok(length) => {
                output.truncate(before + length);
                let end = member_end(input, &output[before..]);
                if end.is_none() {
                    output.truncate(before);
                }
                return end;
            }
            Err(DecompressionError::InsufficientSpace) if capacity_now < room => {
                output.truncate(before);
                capacity = capacity.saturating_mul(4);
            }
            Err(_) => {
                output.truncate(before);
                return None;
            }
        }
    }
}

/// The length that the last four bytes tell: the output's, if there is one member.
fn last_length(input: &[u8]) -> usize {
    match input.last_chunk::<4>() {
        Some(bytes) => u32::from_le_bytes(*bytes) as usize,
        None => 0,
    }
}

/// Where the member that became `output` ends.
///
/// The decompressor does not tell how much it read, and what follows may be another
/// member: reading only the first loses data without a sign. The member ends at the
/// first place that holds the check sum and length of its output; that another place
/// before it holds these eight bytes by chance is out of the question, and would show
/// as bytes that do not belong there.
fn member_end(input: &[u8], output: &[u8]) -> Option<usize> {
    if output.is_empty() {
        // Its trailer is all zeros, and so may be what stands around it.
        return None;
    }
    let mut trailer = [0; TRAILER_BYTES];
    trailer[..4].copy_from_slice(&libdeflater::crc32(output).to_le_bytes());
    trailer[4..].copy_from_slice(&(output.len() as u32).to_le_bytes());
    let body = input.get(HEADER_BYTES..)?;
    let at = memchr::memmem::find(body, &trailer)?;
    Some(HEADER_BYTES + at + TRAILER_BYTES)
}
