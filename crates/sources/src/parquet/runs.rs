//! Runs of small numbers, as levels, indices into a dictionary and flags are stored.

use std::ops::Range;

use super::thrift::varint;

/// Reads numbers that are stored as runs of the same one, or bit by bit.
#[derive(Debug, Default)]
pub(super) struct Runs {
    at: usize,
    end: usize,
    width: u32,
    /// How many numbers of the run are left.
    left: u64,
    run: Run,
}

#[derive(Debug)]
enum Run {
    Same(u32),
    /// The bit at which the next number begins.
    Packed(usize),
}

impl Default for Run {
    fn default() -> Self {
        Self::Same(0)
    }
}

impl Runs {
    /// The runs in a part of the bytes that are later given to `next`, of numbers of
    /// so many bits, at most 32.
    pub(super) fn new(part: Range<usize>, width: u32) -> Self {
        Self { at: part.start, end: part.end, width: width.min(32), ..Self::default() }
    }

    /// The next number; none if the bytes do not hold it.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<u32> {
        while self.left == 0 {
            self.begin_run(bytes)?;
        }
        self.left -= 1;
        match &mut self.run {
            Run::Same(number) => Some(*number),
            Run::Packed(bit) => {
                let number = bits(bytes, *bit, self.width)?;
                *bit += self.width as usize;
                Some(number as u32)
            }
        }
    }

    fn begin_run(&mut self, bytes: &[u8]) -> Option<()> {
        let bytes = bytes.get(..self.end)?;
        let head = varint(bytes, &mut self.at)?;
        if head & 1 == 0 {
            let length = self.width.div_ceil(8) as usize;
            let number = bytes.get(self.at..self.at + length)?;
            let number = number.iter().rev().fold(0, |all, it| all << 8 | u32::from(*it));
            self.at += length;
            (self.left, self.run) = (head >> 1, Run::Same(number));
            return Some(());
        }
        // Numbers come in groups of eight; the last group may be cut short.
        let numbers = (head >> 1).checked_mul(8)?;
        let room = (self.end - self.at) as u64;
        let fitting = (room * 8).checked_div(u64::from(self.width)).unwrap_or(numbers);
        self.left = numbers.min(fitting);
        self.run = Run::Packed(self.at.checked_mul(8)?);
        let length = numbers.checked_mul(u64::from(self.width))?.div_ceil(8).min(room);
        self.at += length as usize;
        Some(())
    }
}

/// The number of `width` bits, at most 64, that begins at `bit`, the lowest first.
pub(super) fn bits(bytes: &[u8], bit: usize, width: u32) -> Option<u64> {
    if width == 0 {
        return Some(0);
    }
    let (first, shift) = (bit / 8, bit % 8);
    let length = (shift + width as usize).div_ceil(8);
    let part = bytes.get(first..first.checked_add(length)?)?;
    let number = part.iter().rev().fold(0u128, |all, it| all << 8 | u128::from(*it));
    Some((number >> shift) as u64 & (u64::MAX >> (64 - width.min(64))))
}

/// How many bits the numbers up to `most` take.
pub(super) fn bit_width(most: u8) -> u32 {
    u8::BITS - most.leading_zeros()
}
