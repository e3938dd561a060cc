//! May a secret version be revoked? States, soak and verdict, from usage and coverage.
//!
//! ```text
//! Evidence -> consumer (one at a time: state, processes, soak) -> judge (verdict, reasons)
//!                          soak: how long it must stay quiet, from its own rhythm
//! ```
//!
//! Nothing here reads a clock, a table or a log. Instants are microseconds since 1970, UTC;
//! lengths are seconds where the name says so. When in doubt the answer is `used` or `unknown`,
//! never `not_used`.

mod consumer;
mod evidence;
mod history;
mod judge;
mod reload;
mod soak;
#[cfg(test)]
mod tests;
mod words;

pub use consumer::{Broken, ConsumerAnswer, State};
pub use evidence::{Activity, Consumer, Coverage, Declared, Evidence, Hole, Outcome, Policy, Side};
pub use judge::{Answer, Reason, Verdict, judge};
pub use reload::Reload;
pub use soak::{Method, Soak, soak};
pub use words::CODES;
