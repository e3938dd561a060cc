//! Encodings of values that are made plain as a page is read, within bounds.

use super::PAGE_MAX;
use super::runs::bits;
use super::schema::Physical;
use super::thrift::{varint, zigzag};

/// How many mini blocks a block of differences may have.
const MINI_BLOCKS_MAX: u64 = 1 << 12;

/// Differences of numbers as plain numbers.
pub(super) fn from_deltas(bytes: &[u8], physical: Physical, most: usize) -> Option<Vec<u8>> {
    let width = physical.width()?;
    let numbers = deltas(bytes, &mut 0, most)?;
    let mut plain = Vec::with_capacity(numbers.len() * width);
    // What does not fit into 32 bits wraps, as it did when it was written.
    numbers.iter().for_each(|it| plain.extend_from_slice(&it.to_le_bytes()[..width]));
    Some(plain)
}

/// Texts behind all their lengths as plain texts.
pub(super) fn from_lengths(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut at = 0;
    let lengths = deltas(bytes, &mut at, most)?;
    let mut plain = Vec::with_capacity(bytes.len() + lengths.len() * 4);
    for length in lengths {
        let text = part(bytes, &mut at, length)?;
        plain.extend_from_slice(&(text.len() as u32).to_le_bytes());
        plain.extend_from_slice(text);
    }
    Some(plain)
}

/// Texts of which each begins like the one before it as plain texts.
pub(super) fn from_prefixes(bytes: &[u8], physical: Physical, most: usize) -> Option<Vec<u8>> {
    let mut at = 0;
    let prefixes = deltas(bytes, &mut at, most)?;
    let suffixes = deltas(bytes, &mut at, most)?;
    let mut plain: Vec<u8> = Vec::new();
    let mut last = 0..0;
    for (prefix, suffix) in prefixes.into_iter().zip(suffixes) {
        let suffix = part(bytes, &mut at, suffix)?;
        let prefix = usize::try_from(prefix).ok().filter(|it| *it <= last.len())?;
        let length = prefix + suffix.len();
        if plain.len() + length + 4 > PAGE_MAX {
            return None;
        }
        if physical == Physical::Bytes {
            plain.extend_from_slice(&(length as u32).to_le_bytes());
        } else if physical != Physical::Fixed(length) {
            return None;
        }
        let start = plain.len();
        plain.extend_from_within(last.start..last.start + prefix);
        plain.extend_from_slice(suffix);
        last = start..plain.len();
    }
    Some(plain)
}

/// Values whose first bytes stand together, then their second ones, as plain values.
pub(super) fn from_streams(bytes: &[u8], physical: Physical) -> Option<Vec<u8>> {
    let width = physical.width()?;
    let count = bytes.len() / width;
    let mut plain = vec![0; count * width];
    // Bytes that are too few for one value are none.
    let streams = bytes[..count * width].chunks_exact(count.max(1));
    for (stream, values) in streams.enumerate() {
        values.iter().enumerate().for_each(|(row, it)| plain[row * width + stream] = *it);
    }
    Some(plain)
}

fn part<'a>(bytes: &'a [u8], at: &mut usize, length: i64) -> Option<&'a [u8]> {
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    let part = bytes.get(*at..end)?;
    *at = end;
    Some(part)
}

/// Numbers of which all but the first are differences, packed in blocks.
fn deltas(bytes: &[u8], at: &mut usize, most: usize) -> Option<Vec<i64>> {
    let block = varint(bytes, at)?;
    let mini_blocks = varint(bytes, at)?;
    let count = usize::try_from(varint(bytes, at)?).ok()?;
    let mut last = zigzag(bytes, at)?;
    if count > most.min(PAGE_MAX / 8) || !(1..=MINI_BLOCKS_MAX).contains(&mini_blocks) {
        return None;
    }
    let in_mini_block = usize::try_from(block / mini_blocks).ok().filter(|it| *it <= PAGE_MAX)?;
    if in_mini_block == 0 || in_mini_block % 32 != 0 {
        return None;
    }
    let mut numbers = Vec::new();
    if count > 0 {
        numbers.push(last);
    }
    while numbers.len() < count {
        let least = zigzag(bytes, at)?;
        let widths = part(bytes, at, mini_blocks as i64)?;
        for width in widths.iter().map(|it| u32::from(*it)) {
            let here = (count - numbers.len()).min(in_mini_block);
            // Mini blocks that no number is left for are not there.
            if here == 0 {
                break;
            }
            if width > 64 {
                return None;
            }
            for number in 0..here {
                let delta = bits(bytes, *at * 8 + number * width as usize, width)?;
                last = last.wrapping_add(least).wrapping_add(delta as i64);
                numbers.push(last);
            }
            *at = (*at + in_mini_block * width as usize / 8).min(bytes.len());
        }
    }
    Some(numbers)
}
