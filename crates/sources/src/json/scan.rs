//! Finds the ends of strings, objects and arrays, many bytes at a time.
//!
//! Two questions are asked of the bytes. "Where is the next quote or backslash" ends
//! strings; it is asked for every key and string that is walked. "Where does this
//! object or array end" skips what nobody wants: 64 bytes become four bitmasks, a
//! prefix XOR over the quotes tells what is inside strings, and brackets are only
//! counted, so that nesting costs neither stack nor memory.

use super::{DEPTH_MAX, JsonError};

/// One bit per byte of a block of 64, the first byte lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    quotes: u64,
    backslashes: u64,
    /// `{` and `[`.
    opens: u64,
    /// `}` and `]`.
    closes: u64,
}

#[cfg(not(target_arch = "x86_64"))]
use portable::{block, stops};
#[cfg(target_arch = "x86_64")]
use sse2::{block, stops};

/// Byte by byte; what any processor can do.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::Block;

    /// One bit per byte that is a quote or a backslash, the first byte lowest.
    #[inline]
    pub(super) fn stops(bytes: &[u8; 32]) -> u32 {
        let mut mask = 0;
        for (bit, byte) in bytes.iter().enumerate() {
            mask |= u32::from(*byte == b'"' || *byte == b'\\') << bit;
        }
        mask
    }

    /// The four masks of a block.
    #[inline]
    pub(super) fn block(bytes: &[u8; 64]) -> Block {
        let mut block = Block { quotes: 0, backslashes: 0, opens: 0, closes: 0 };
        for (bit, byte) in bytes.iter().enumerate() {
            // `[` and `{` differ in one bit only, as do `]` and `}`.
            block.quotes |= u64::from(*byte == b'"') << bit;
            block.backslashes |= u64::from(*byte == b'\\') << bit;
            block.opens |= u64::from(*byte | 0x20 == b'{') << bit;
            block.closes |= u64::from(*byte | 0x20 == b'}') << bit;
        }
        block
    }
}

/// 16 bytes at a time, with what every x86-64 processor has. Wider registers, chosen
/// at run time, made reading whole records 2 to 4 % faster: not worth the code.
#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::*;

    use super::Block;

    /// One bit per byte that is a quote or a backslash, the first byte lowest.
    #[inline(always)]
    pub(super) fn stops(bytes: &[u8; 32]) -> u32 {
        let (low, high) = (load(bytes, 0), load(bytes, 16));
        let low = equal(low, b'"') | equal(low, b'\\');
        let high = equal(high, b'"') | equal(high, b'\\');
        low | high << 16
    }

    /// The four masks of a block.
    #[inline(always)]
    pub(super) fn block(bytes: &[u8; 64]) -> Block {
        let mut block = Block { quotes: 0, backslashes: 0, opens: 0, closes: 0 };
        for part in [0, 16, 32, 48] {
            let chunk = load(bytes, part);
            // `[` and `{` differ in one bit only, as do `]` and `}`.
            // SAFETY: SSE2 is part of x86-64.
            let folded = unsafe { _mm_or_si128(chunk, _mm_set1_epi8(0x20)) };
            block.quotes |= u64::from(equal(chunk, b'"')) << part;
            block.backslashes |= u64::from(equal(chunk, b'\\')) << part;
            block.opens |= u64::from(equal(folded, b'{')) << part;
            block.closes |= u64::from(equal(folded, b'}')) << part;
        }
        block
    }

    /// 16 bytes from `start`.
    #[inline(always)]
    fn load<const N: usize>(bytes: &[u8; N], start: usize) -> __m128i {
        assert!(start + 16 <= N);
        // SAFETY: SSE2 is part of x86-64, the load need not be aligned, and 16 bytes are there.
        unsafe { _mm_loadu_si128(bytes.as_ptr().add(start).cast()) }
    }

    /// One bit per byte that is this one.
    #[inline(always)]
    fn equal(chunk: __m128i, byte: u8) -> u32 {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(chunk, _mm_set1_epi8(byte as i8))) as u32 }
    }
}

/// Bit n is the XOR of bits 0 to n: set from each opening quote up to its closing one.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Index of the next quote or backslash at or after `at`.
#[inline(always)]
fn next_stop(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let stops = stops(chunk);
        if stops != 0 {
            return Some(at + stops.trailing_zeros() as usize);
        }
        at += chunk.len();
    }
    let rest = bytes.get(at..)?;
    let found = rest.iter().position(|byte| *byte == b'"' || *byte == b'\\')?;
    Some(at + found)
}

/// Index of the quote that ends the string whose inside starts at `at`, and whether
/// there are escapes on the way.
#[inline(always)]
pub(super) fn string_end(bytes: &[u8], mut at: usize) -> Result<(usize, bool), JsonError> {
    let mut escaped = false;
    loop {
        let stop = next_stop(bytes, at).ok_or(JsonError::Incomplete)?;
        if bytes[stop] == b'"' {
            return Ok((stop, escaped));
        }
        escaped = true;
        at = stop + 2;
    }
}

/// Index just past the object or array that starts at `start`, `above` levels down.
#[inline(never)]
pub(super) fn skip_container(bytes: &[u8], start: usize, above: usize) -> Result<usize, JsonError> {
    Skip { start, above, depth: 0, in_string: 0, escape: 0 }.run(bytes, start)
}

/// Index just past the object or array that starts at `start`; `at` is in it, and neither in one
/// of its children nor in a name.
#[inline(never)]
pub(super) fn skip_rest(bytes: &[u8], start: usize, at: usize) -> Result<usize, JsonError> {
    Skip { start, above: 0, depth: 1, in_string: 0, escape: 0 }.run(bytes, at)
}

/// What is carried from one block to the next.
struct Skip {
    start: usize,
    /// Levels around the value.
    above: usize,
    /// Levels that are open in the value.
    depth: usize,
    /// All ones while inside a string.
    in_string: u64,
    /// One if the first byte of the next block is escaped.
    escape: u64,
}

impl Skip {
    #[inline(always)]
    fn run(mut self, bytes: &[u8], mut at: usize) -> Result<usize, JsonError> {
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let (block, last) = match rest.first_chunk() {
                Some(chunk) => (block(chunk), false),
                None => {
                    let mut padded = [b' '; 64];
                    padded[..rest.len()].copy_from_slice(rest);
                    (block(&padded), true)
                }
            };
            if let Some(end) = self.block(bytes, at, block)? {
                return Ok(end);
            }
            if last {
                return Err(JsonError::Incomplete);
            }
            at += 64;
        }
    }

    #[inline(always)]
    fn block(&mut self, bytes: &[u8], at: usize, block: Block) -> Result<Option<usize>, JsonError> {
        let quotes = block.quotes & !self.escaped(block.backslashes);
        let strings = prefix_xor(quotes) ^ self.in_string;
        self.in_string = ((strings as i64) >> 63) as u64;
        let opens = block.opens & !strings;
        let closes = block.closes & !strings;
        let (more, less) = (opens.count_ones() as usize, closes.count_ones() as usize);
        // As long as the value cannot end here, counting is enough.
        if less < self.depth && self.above + self.depth + more <= DEPTH_MAX {
            self.depth = self.depth + more - less;
            return Ok(None);
        }
        self.brackets(bytes, at, opens, closes)
    }

    /// Bytes that follow an odd run of backslashes.
    #[inline(always)]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        if backslashes == 0 {
            return std::mem::take(&mut self.escape);
        }
        // A backslash that is itself escaped escapes nothing. Runs that start on an odd
        // bit are told from the others by where a carry comes out of them.
        const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        let backslashes = backslashes & !self.escape;
        let follows = (backslashes << 1) | self.escape;
        let odd_starts = backslashes & ODD & !follows;
        let (carried, overflow) = odd_starts.overflowing_add(backslashes);
        self.escape = u64::from(overflow);
        ((carried << 1) ^ !ODD) & follows
    }

    /// Goes from bracket to bracket: the value may end in this block, or be too deep.
    #[inline(always)]
    fn brackets(
        &mut self,
        bytes: &[u8],
        at: usize,
        opens: u64,
        closes: u64,
    ) -> Result<Option<usize>, JsonError> {
        let mut brackets = opens | closes;
        while brackets != 0 {
            let bit = brackets.trailing_zeros();
            let place = at + bit as usize;
            if opens >> bit & 1 == 1 {
                self.depth += 1;
                if self.above + self.depth > DEPTH_MAX {
                    return Err(JsonError::TooDeep { at: place });
                }
            } else {
                self.depth -= 1;
                if self.depth == 0 {
                    // `[` and `]`, `{` and `}` are two apart.
                    if bytes[place] != bytes[self.start] + 2 {
                        return Err(JsonError::Invalid {
                            at: place,
                            what: "bracket of another kind",
                        });
                    }
                    return Ok(Some(place + 1));
                }
            }
            brackets &= brackets - 1;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_of_comparing_agree(
            bytes in prop::array::uniform32(prop_oneof![
                prop::sample::select(&b"\"\\{}[]\x02;<=>"[..]),
                any::<u8>(),
            ]),
            more in prop::array::uniform32(any::<u8>()),
        ) {
            prop_assert_eq!(stops(&bytes), portable::stops(&bytes));
            let mut both = [0; 64];
            both[..32].copy_from_slice(&more);
            both[32..].copy_from_slice(&bytes);
            prop_assert_eq!(block(&both), portable::block(&both));
        }
    }
}
