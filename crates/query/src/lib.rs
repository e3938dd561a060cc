//! Answers: the catalog of tables, views and reports at a given instant, and
//! limits for SQL that somebody typed. Never reads the clock.

pub mod catalog;
mod evidence;
pub mod findings;
pub mod guard;
pub mod known;
pub mod misplaced;
pub mod readiness;
mod states;
pub mod table;
mod texts;
mod totals;

pub use catalog::{Catalog, QueryError, Settings, reports};
pub use evidence::Use;
pub use guard::{Answer, QueryLimits};
pub use known::SourceFacts;
pub use misplaced::Misplaced;
pub use readiness::{Facts, Question, Readiness};
