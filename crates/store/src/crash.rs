//! Points at which a test may kill the process, to prove that a kill at any
//! instant loses nothing and doubles nothing. Not part of optimized builds.

/// Aborts the process if `LASTUSE_CRASH_AT` is `NAME:K` and this is the K-th
/// time that the point `name` is reached.
#[cfg(debug_assertions)]
pub fn crash_point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static TARGET: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);

    let target = TARGET.get_or_init(|| {
        let value = std::env::var("LASTUSE_CRASH_AT").ok()?;
        let (name, count) = value.rsplit_once(':')?;
        Some((name.to_string(), count.parse().ok()?))
    });
    if let Some((wanted, count)) = target
        && wanted == name
        && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == *count
    {
        std::process::abort();
    }
}

/// Does nothing in optimized builds.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn crash_point(_name: &str) {}
