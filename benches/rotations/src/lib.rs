//! A labelled benchmark of rotations: thousands of made-up ones with the truth beside them, the
//! answers of `lastuse-verdict` and of plain methods, and the score. README.md says what it shows.
//!
//! ```text
//! generate (rhythm, plan, label) -> Rotation -> methods (view) -> Answer -> score
//! ```

pub mod generate;
mod label;
pub mod methods;
mod plan;
mod random;
mod rhythm;
pub mod rotation;
pub mod score;
pub mod view;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use score::Line;

/// Generates, answers and marks rotations `0..count` of `seed`, on all processors.
pub fn run(seed: u64, count: u64) -> Vec<Line> {
    let workers = thread::available_parallelism().map_or(1, |it| it.get());
    let next = AtomicU64::new(0);
    let work = || {
        let mut lines = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return lines;
            }
            let rotation = generate::rotation(seed, number);
            lines.push(score::mark(&rotation, &methods::answers(&rotation)));
        }
    };
    let mut all: Vec<Line> = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .flat_map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    all.sort_by_key(|it| it.id);
    all
}
