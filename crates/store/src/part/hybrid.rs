//! Runs and packed groups: how Parquet writes small numbers, such as levels and places in
//! a dictionary.
//!
//! The format is the one called "RLE/bit-packing hybrid" in
//! <https://github.com/apache/parquet-format/blob/master/Encodings.md>. Numbers come in as
//! runs, so that a long run costs no more than a short one.

/// Numbers that are packed together; the format allows only multiples of it.
const GROUP: usize = 8;
/// Groups behind one header, so that the header is a single byte.
const MAX_GROUPS: u8 = 63;

/// Numbers being written.
pub(super) struct Hybrid {
    /// Bits of a number; 0 to 32.
    width: u32,
    out: Vec<u8>,
    /// The last run put in, which may go on.
    run: (u32, usize),
    group: [u32; GROUP],
    filled: usize,
    /// Place of the header of the packed groups that may go on, and how many they are.
    packed: Option<(usize, u8)>,
}

impl Hybrid {
    /// Appends to `out` numbers that have at most `width` bits.
    pub(super) fn new(width: u32, out: Vec<u8>) -> Hybrid {
        Hybrid { width, out, run: (0, 0), group: [0; GROUP], filled: 0, packed: None }
    }

    /// Adds `number` as often as `count` says.
    pub(super) fn put(&mut self, number: u32, count: usize) {
        if self.run.0 != number {
            self.end_run();
            self.run = (number, 0);
        }
        self.run.1 += count;
    }

    /// All bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.end_run();
        let rest = &self.group[..self.filled];
        match rest.first() {
            Some(first) if self.packed.is_none() && rest.iter().all(|it| it == first) => {
                self.repeat(*first, self.filled);
            }
            Some(_) => {
                // Readers know how many numbers there are, and leave out the zeros.
                self.group[self.filled..].fill(0);
                self.pack();
            }
            None => {}
        }
        self.end_packed();
        self.out
    }

    fn end_run(&mut self) {
        let (number, mut count) = self.run;
        if self.filled > 0 {
            count -= self.fill(number, count);
        }
        if count >= GROUP {
            self.end_packed();
            self.repeat(number, count);
        } else {
            self.fill(number, count);
        }
    }

    /// Puts a number into the group until that is full, and says how often.
    fn fill(&mut self, number: u32, count: usize) -> usize {
        let taken = count.min(GROUP - self.filled);
        self.group[self.filled..self.filled + taken].fill(number);
        self.filled += taken;
        if self.filled == GROUP {
            self.pack();
        }
        taken
    }

    fn repeat(&mut self, number: u32, count: usize) {
        let mut header = (count as u64) << 1;
        while header >= 0x80 {
            self.out.push(header as u8 | 0x80);
            header >>= 7;
        }
        self.out.push(header as u8);
        let bytes = self.width.div_ceil(8) as usize;
        self.out.extend_from_slice(&number.to_le_bytes()[..bytes]);
    }

    fn pack(&mut self) {
        let (header, groups) = self.packed.unwrap_or((self.out.len(), 0));
        if groups == 0 {
            self.out.push(0);
        }
        let mut bits = 0;
        let mut count = 0;
        for number in self.group {
            bits |= u64::from(number) << count;
            count += self.width;
            if count >= 32 {
                self.out.extend_from_slice(&(bits as u32).to_le_bytes());
                bits >>= 32;
                count -= 32;
            }
        }
        self.out.extend_from_slice(&bits.to_le_bytes()[..(count / 8) as usize]);
        self.filled = 0;
        self.packed = Some((header, groups + 1));
        if groups + 1 == MAX_GROUPS {
            self.end_packed();
        }
    }

    fn end_packed(&mut self) {
        if let Some((header, groups)) = self.packed.take() {
            self.out[header] = groups << 1 | 1;
        }
    }
}

/// How many bits the numbers up to `largest` need.
pub(super) fn width_of(largest: u32) -> u32 {
    u32::BITS - largest.leading_zeros()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers in `bytes`, as the format's paper says to read them.
    fn read(bytes: &[u8], width: u32, count: usize) -> Vec<u32> {
        let mut numbers = Vec::new();
        let mut at = 0;
        while numbers.len() < count {
            let mut header = 0usize;
            for shift in (0..).step_by(7) {
                header |= usize::from(bytes[at] & 0x7f) << shift;
                at += 1;
                if bytes[at - 1] < 0x80 {
                    break;
                }
            }
            if header & 1 == 0 {
                let size = width.div_ceil(8) as usize;
                let mut number = [0; 4];
                number[..size].copy_from_slice(&bytes[at..at + size]);
                numbers.extend(std::iter::repeat_n(u32::from_le_bytes(number), header >> 1));
                at += size;
                continue;
            }
            for number in 0..(header >> 1) * 8 {
                let bit = |it: usize| {
                    let place = number * width as usize + it;
                    u32::from(bytes[at + place / 8] >> (place % 8) & 1) << it
                };
                numbers.push((0..width as usize).map(bit).sum());
            }
            at += (header >> 1) * width as usize;
        }
        assert_eq!(at, bytes.len(), "every byte belongs to a number");
        numbers.truncate(count);
        numbers
    }

    fn run() -> impl Strategy<Value = (u32, usize)> {
        (any::<u32>(), prop_oneof![4 => 0..3usize, 2 => 0..20usize, 1 => 0..3_000usize])
    }

    proptest! {
        #[test]
        fn every_number_is_read_again(
            width in 0..=32u32,
            runs in prop::collection::vec(run(), 0..300),
        ) {
            let mask = ((1u64 << width) - 1) as u32;
            let mut hybrid = Hybrid::new(width, Vec::new());
            let mut wanted = Vec::new();
            for (number, count) in runs {
                // Few distinct numbers, so that runs meet their like.
                let number = number & mask & 0x8000_0013;
                hybrid.put(number, count);
                wanted.extend(std::iter::repeat_n(number, count));
            }
            prop_assert_eq!(read(&hybrid.finish(), width, wanted.len()), wanted);
        }
    }

    #[test]
    fn a_run_takes_a_few_bytes_however_long() {
        let mut hybrid = Hybrid::new(3, Vec::new());
        for _ in 0..4 {
            hybrid.put(5, 1 << 18);
        }
        assert_eq!(hybrid.finish(), [0x80, 0x80, 0x80, 0x01, 5]);
    }

    #[test]
    fn widths_fit() {
        assert_eq!([0, 1, 2, 255, 256].map(width_of), [0, 1, 2, 8, 9]);
    }
}
