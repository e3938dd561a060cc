//! Why the store could not do what was asked.

use std::path::{Path, PathBuf};

use deltalake_core::DeltaTableError;
use parquet::errors::ParquetError;

use crate::schema::Table;

/// Why a table could not be opened, read or written.
///
/// A message names what failed and where; the cause (disk full, read-only,
/// permission denied) is the `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store's folder, or one below it, could not be made.
    #[error("cannot create the folder `{}`", path.display())]
    CreateFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or folder of the store could not be read.
    #[error("cannot read `{}`", path.display())]
    ReadFile {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the store could not be written, or not made durable.
    #[error("cannot write `{}`", path.display())]
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another ingest holds the store.
    #[error("another ingest is running on this store: it holds `{}`", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file could not be opened or locked.
    #[error("cannot lock `{}`", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An ingest was killed before its last tables were written, and this
    /// process may not finish it.
    #[error("an interrupted ingest must be finished first, which needs write access to `{}`", path.display())]
    Unfinished {
        /// The store's folder.
        path: PathBuf,
        /// Why the store cannot be written.
        source: Box<StoreError>,
    },
    /// Another writer committed first; nothing of this batch was committed.
    #[error(
        "another writer committed batch {recorded} to `{table}` while batch {batch} was written"
    )]
    Stale {
        /// The table.
        table: &'static str,
        /// The batch that could not be committed.
        batch: u64,
        /// The last batch that the table records.
        recorded: u64,
    },
    /// A commit that the log must hold is not there.
    #[error("the log of `{table}` does not hold the commit of batch {batch}")]
    LostCommit {
        /// The table.
        table: &'static str,
        /// The batch.
        batch: u64,
    },
    /// A table's log exists but could not be read.
    #[error("cannot read the table log at `{}`", path.display())]
    ReadLog {
        /// The table's folder.
        path: PathBuf,
        /// Why.
        source: Box<DeltaTableError>,
    },
    /// A commit in a table's log is not well-formed JSON.
    #[error("cannot understand the commit `{}`", path.display())]
    BadCommit {
        /// The commit.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A commit could not be put together.
    #[error("cannot form a commit for `{table}`")]
    FormCommit {
        /// The table.
        table: &'static str,
        /// Why.
        source: Box<DeltaTableError>,
    },
    /// Someone turned on features of the table that this program cannot keep.
    #[error("the table at `{}` uses features that cannot be written here", path.display())]
    Unsupported {
        /// The table's folder.
        path: PathBuf,
        /// Why.
        source: Box<DeltaTableError>,
    },
    /// A path cannot be expressed as a URL.
    #[error("the path `{}` cannot hold tables: it is not absolute, or not UTF-8", path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
    },
    /// A part written earlier is gone or has changed.
    #[error("the part `{}` is missing or has changed since it was written", path.display())]
    LostPart {
        /// The file.
        path: PathBuf,
    },
    /// Rows do not have the columns of their table.
    #[error("rows for `{table}` have the wrong columns: {column}")]
    WrongColumns {
        /// The table.
        table: &'static str,
        /// The first column that is missing, surplus or of another type.
        column: String,
    },
    /// The table is written by other means (`events` by date, `lineage` by the
    /// store itself).
    #[error("rows for `{table}` cannot be written this way")]
    WrongTable {
        /// The table.
        table: &'static str,
    },
    /// A day that no partition can be named after.
    #[error("the day {days} since 1970 is not in the years 1 to 9999")]
    BadDate {
        /// Days since 1970.
        days: i32,
    },
    /// A Parquet file could not be read.
    #[error("cannot read the rows of `{}`", path.display())]
    ReadRows {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
    /// Rows could not be encoded.
    #[error("cannot write the rows of `{}`", path.display())]
    WriteRows {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
    /// Rows of a table could not be put into shape.
    #[error("cannot arrange the rows of `{table}`")]
    Arrange {
        /// The table.
        table: &'static str,
        /// Why.
        source: arrow::error::ArrowError,
    },
}

impl StoreError {
    /// The error for a failed write of `path`, with a full disk told apart from
    /// rows that cannot be encoded.
    pub(crate) fn from_parquet_write(path: &Path, error: ParquetError) -> StoreError {
        let path = path.to_path_buf();
        match error {
            ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
                Ok(source) => StoreError::WriteFile { path, source: *source },
                Err(cause) => StoreError::WriteRows { path, source: ParquetError::External(cause) },
            },
            source => StoreError::WriteRows { path, source },
        }
    }

    pub(crate) fn arrange(table: Table, source: arrow::error::ArrowError) -> StoreError {
        StoreError::Arrange { table: table.name(), source }
    }
}
