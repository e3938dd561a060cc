//! The pre-rotation report: one page that a change ticket can carry.

pub mod model;
mod scale;
