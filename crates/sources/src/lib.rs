//! Bytes of one log in; columns of named fields and rejects out.
//!
//! A [`source::Source`] tells how a kind of log is recognised and framed; a
//! [`catalog::Catalog`] finds the source of an input by its first bytes;
//! [`decode::decode`] undoes compression within bounds, [`parquet::parquet`] makes lines of
//! rows; a [`reader::RecordReader`]
//! fills [`columns::Columns`] with the fields that were asked for, and counts every
//! record that it could not read. [`sequence`] tells which files of a folder are missing by their
//! names. What the fields mean is not known here.

pub mod catalog;
pub mod columns;
pub mod decode;
pub mod extracted;
pub mod json;
pub mod parquet;
pub mod path;
pub mod reader;
pub mod sequence;
pub mod source;

mod frame;
mod layout;
mod pairs;
mod pattern;
mod spare;

pub use catalog::{Catalog, Detection, Sample};
pub use columns::Columns;
pub use decode::{Compression, DecodeError, Decoder, Limits, continue_plain, decode};
pub use extracted::{Extracted, Field, GroupRows};
pub use parquet::{is_parquet, parquet};
pub use reader::{ChunkInfo, FileContext, ReadError, RecordReader, Reject, Resume, columns};
pub use source::{Format, FurtherSql, Source, SourceError};
