//! Delta tables: create, append once, derive, read a version.
//!
//! The log of `events` is the one source of truth. A batch is decided by one
//! commit to it, which also lists the parts that the other tables get; their
//! own commits only repeat what that one says, and are made good by the next
//! run if this one is killed. So after any crash the tables are either as
//! before the batch or as after it.

mod compact;
mod crash;
mod durable;
mod error;
mod lineage;
mod log;
mod part;
mod publish;
mod read;
mod schema;
mod store;
mod writer;

pub use compact::Compaction;
pub use crash::crash_point;
pub use error::StoreError;
pub use part::Part;
pub use read::ActiveFile;
pub use schema::{Table, instant};
pub use store::Store;
pub use writer::Writer;
