//! Buffers that are read into, kept for the next chunk or file of the same thread: memory fresh
//! from the system costs as much as what is read into it.

use std::cell::RefCell;

/// Smaller ones come from the allocator as quickly.
const BYTES_MIN: usize = 1 << 20;

/// Larger ones are given back to the system.
const BYTES_MAX: usize = 32 << 20;

/// How many are kept: while one is read, the next is filled.
const COUNT_MAX: usize = 2;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer for this many bytes.
pub(crate) fn empty(capacity: usize) -> Vec<u8> {
    let mut buffer = take(capacity).unwrap_or_else(|| Vec::with_capacity(capacity));
    buffer.clear();
    buffer
}

/// A buffer of this many bytes, whatever they are.
pub(crate) fn filled(length: usize) -> Vec<u8> {
    match take(length) {
        Some(mut buffer) => {
            buffer.resize(length, 0);
            buffer
        }
        // Comes zeroed from the system, without a pass over it.
        None => vec![0; length],
    }
}

/// Takes a buffer that is not needed any more.
pub(crate) fn give(buffer: Vec<u8>) {
    if (BYTES_MIN..=BYTES_MAX).contains(&buffer.capacity()) {
        SPARE.with_borrow_mut(|spare| {
            if spare.len() == COUNT_MAX {
                spare.remove(0);
            }
            spare.push(buffer);
        });
    }
}

/// One that is large enough, and not much too large.
fn take(capacity: usize) -> Option<Vec<u8>> {
    let fits = |it: &Vec<u8>| (capacity..=capacity.saturating_mul(4)).contains(&it.capacity());
    SPARE.with_borrow_mut(|spare| spare.iter().position(fits).map(|it| spare.swap_remove(it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_was_given_is_used_again_if_it_fits() {
        let mut buffer = empty(2 << 20);
        buffer.extend_from_slice(&[7; 100]);
        let place = buffer.as_ptr();
        give(buffer);
        for capacity in [1 << 10, 3 << 20] {
            let other = empty(capacity);
            assert_ne!(other.as_ptr(), place);
        }
        let again = empty(1 << 20);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        give(again);
        let again = filled(2 << 20);
        assert_eq!((again.as_ptr(), again.len()), (place, 2 << 20));
    }

    #[test]
    fn few_are_kept_and_none_of_odd_sizes() {
        for capacity in [1 << 20, 2 << 20, 3 << 20, 1 << 10, 64 << 20] {
            give(Vec::with_capacity(capacity));
        }
        let kept = SPARE.with_borrow(|it| it.iter().map(Vec::capacity).collect::<Vec<_>>());
        assert_eq!(kept, [2 << 20, 3 << 20]);
    }
}
