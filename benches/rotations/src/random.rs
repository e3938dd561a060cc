//! Numbers that are the same in every run (SplitMix64).

/// A source of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// One whose numbers follow from `seed` and `number` alone.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut it = Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        it.0 = it.bits() ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        it
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    /// From 0 to below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` to below `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number from `low` to below `high`.
    pub fn whole(&mut self, low: i64, high: i64) -> i64 {
        low + (self.unit() * (high - low) as f64) as i64
    }

    /// Whether something of this chance happens.
    pub fn happens(&mut self, chance: f64) -> bool {
        self.unit() < chance
    }

    /// An exponential number of this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// One of these, each with its weight.
    pub fn pick<T: Copy>(&mut self, all: &[(f64, T)]) -> T {
        let mut rest = self.unit() * all.iter().map(|it| it.0).sum::<f64>();
        for (weight, it) in all {
            rest -= weight;
            if rest < 0.0 {
                return *it;
            }
        }
        all[all.len() - 1].1
    }
}
