//! Find inputs, extract, normalize, protect, deduplicate, commit, remember.
//!
//! Each step of a record's way has one module, named after the step:
//! [`discover`], (decode and extract are `lastuse-sources`), [`normalize`],
//! [`protect`], [`seen`] (dedupe), [`segment`] (collect), [`day`] (sort) and [`derive`];
//! [`pipeline`] runs them. `place` finds where an input that was read before goes on. [`digests`] reads what says that all of a log was delivered, and `sequences` finds
//! the files that are missing among numbered ones.

pub mod catalog;
mod clean;
pub mod coded;
pub mod day;
pub mod derive;
pub mod digests;
pub mod discover;
pub mod event;
pub mod files;
pub mod functions;
mod memo;
pub mod normalize;
mod numbers;
mod open;
pub mod pipeline;
mod place;
pub mod preview;
pub mod protect;
pub mod rows;
pub mod seen;
pub mod segment;
mod select;
mod sequences;
pub mod stored;
mod worker;

pub use digests::DigestKeys;
pub use discover::{Discovery, Input, Passed, discover};
pub use files::Counts;
pub use pipeline::{Ingest, IngestError, Progress, Report, SourceReport};
