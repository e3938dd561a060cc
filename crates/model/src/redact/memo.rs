//! What was found clean before: logs repeat their texts, and their texts repeat their words.

use std::hash::{DefaultHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// Remembers texts by a keyed 64-bit hash, the newest in each slot.
///
/// Nobody who lacks the key can make two texts that share a hash, and by chance
/// it does not happen: 2^-64 for each look-up. Holds no text, and changes no result.
pub(super) struct Memo {
    seed: [u8; 16],
    slots: Box<[AtomicU64]>,
}

impl Memo {
    /// A memo of so many slots, a power of two.
    pub(super) fn new(seed: [u8; 16], slots: usize) -> Self {
        Self { seed, slots: (0..slots.next_power_of_two()).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Returns true if the text was clean before, else asks and remembers.
    pub(super) fn is_clean(&self, text: &[u8], ask: impl FnOnce() -> bool) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.seed);
        hasher.write(text);
        // Zero is the empty slot.
        let hash = hasher.finish() | 1;
        // The lowest bit is always set; the next ones choose the slot.
        let slot = &self.slots[(hash >> 1) as usize & (self.slots.len() - 1)];
        if slot.load(Ordering::Relaxed) == hash {
            return true;
        }
        let is_clean = ask();
        if is_clean {
            slot.store(hash, Ordering::Relaxed);
        }
        is_clean
    }
}
