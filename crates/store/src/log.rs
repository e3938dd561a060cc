//! One table's Delta log: what it records, and how it grows.
//!
//! A commit is one JSON file, made by linking it to the next free version
//! number. That fails if another writer took the number, so a commit holds only
//! for exactly the version that it was prepared from; nothing is retried
//! behind the caller's back. Reading goes through the Delta library, because
//! other tools may have optimized or checkpointed the table meanwhile.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{DataType, Date32Type, Field, Schema, TimestampMicrosecondType};
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::{CommitData, PROTOCOL};
use deltalake_core::kernel::{
    Action, Add, LogicalFileView, Metadata, Protocol, Remove, StructType, Transaction, new_metadata,
};
use deltalake_core::logstore::{StorageConfig, logstore_with};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use serde_json::{Value, json};
use url::Url;

use crate::durable::{self, DurableStore};
use crate::error::StoreError;
use crate::part::{Part, date_text};
use crate::read::ActiveFile;
use crate::schema::Table;

/// Whose batch numbers the tables record.
const APP_ID: &str = "lastuse/ingest";

/// The member of a commit's information that lists the other tables' parts.
const PARTS: &str = "lastuse.parts";

/// A checkpoint is written at every so many versions.
const CHECKPOINT_INTERVAL: u64 = 20;

/// Why a commit is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// New rows.
    Append,
    /// All rows were computed anew.
    Overwrite,
    /// The same rows in fewer files.
    Compact,
}

/// A table at one version.
pub(crate) struct Active {
    pub(crate) version: u64,
    pub(crate) files: Vec<ActiveFile>,
}

/// The log of one table in one store.
pub(crate) struct TableLog {
    pub(crate) table: Table,
    pub(crate) folder: PathBuf,
}

impl TableLog {
    /// The log of `table` in the store at `root`.
    pub(crate) fn new(root: &Path, table: Table) -> TableLog {
        TableLog { table, folder: root.join("tables").join(table.name()) }
    }

    /// The newest version, or `None` if the table does not exist yet.
    pub(crate) fn latest_version(&self) -> Result<Option<u64>, StoreError> {
        let folder = self.log_folder();
        let unreadable = |source| StoreError::ReadFile { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mut latest = None;
        for entry in entries {
            let name = entry.map_err(unreadable)?.file_name();
            latest = latest.max(name.to_str().and_then(version_of));
        }
        Ok(latest)
    }

    /// The last batch that the table holds; 0 if there is none.
    ///
    /// Refuses a table that another tool changed since, in a way that a writer
    /// must keep and this one cannot.
    pub(crate) async fn recorded_batch(&self) -> Result<u64, StoreError> {
        let Some(latest) = self.latest_version()? else {
            return Ok(0);
        };
        let mut was_changed = false;
        for version in (0..=latest).rev() {
            let Some(commit) = self.read_commit(version)? else {
                // Another tool removed old entries of the log: ask its checkpoints.
                return self.recorded_batch_by_library().await;
            };
            if commit.batch.is_none() {
                was_changed |= commit.changes_table;
                continue;
            }
            if was_changed {
                self.check_writable().await?;
            }
            return Ok(commit.batch.unwrap_or(0));
        }
        Ok(0)
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        let Some(table) = self.load().await? else {
            return Ok(());
        };
        let state = table.snapshot().map_err(|it| self.unreadable(it))?;
        PROTOCOL.can_write_to(state).map_err(|error| StoreError::Unsupported {
            path: self.folder.clone(),
            source: Box::new(error.into()),
        })
    }

    async fn recorded_batch_by_library(&self) -> Result<u64, StoreError> {
        let Some(table) = self.load().await? else {
            return Ok(0);
        };
        let recorded = match table.snapshot() {
            Ok(state) => {
                let log_store = table.log_store();
                state.transaction_version(log_store.as_ref(), APP_ID).await
            }
            Err(error) => Err(error),
        };
        let recorded = recorded.map_err(|it| self.unreadable(it))?;
        Ok(recorded.and_then(|it| u64::try_from(it).ok()).unwrap_or(0))
    }

    /// The batches after `batch` and the parts that each brought to the other
    /// tables, oldest first. Only the log of `events` tells.
    pub(crate) fn batches_after(&self, batch: u64) -> Result<Vec<(u64, Vec<Part>)>, StoreError> {
        let mut found = Vec::new();
        let mut version = self.latest_version()?;
        while let Some(current) = version {
            let commit = self.read_commit(current)?.ok_or_else(|| self.lost(batch + 1))?;
            match (commit.batch, commit.parts) {
                (Some(number), _) if number <= batch => break,
                (Some(number), Some(parts)) => found.push((number, parts)),
                _ => {}
            }
            version = current.checked_sub(1);
        }
        found.reverse();
        for (index, (number, _)) in found.iter().enumerate() {
            let expected = batch + 1 + index as u64;
            if *number != expected {
                return Err(self.lost(expected));
            }
        }
        Ok(found)
    }

    fn lost(&self, batch: u64) -> StoreError {
        StoreError::LostCommit { table: self.table.name(), batch }
    }

    /// Opens the table with the Delta library; `None` if it does not exist yet.
    pub(crate) async fn load(&self) -> Result<Option<DeltaTable>, StoreError> {
        if self.latest_version()?.is_none() {
            return Ok(None);
        }
        let bad_path = || StoreError::BadPath { path: self.folder.clone() };
        let folder = fs::canonicalize(&self.folder)
            .map_err(|source| StoreError::ReadFile { path: self.folder.clone(), source })?;
        let url = Url::from_directory_path(&folder).map_err(|()| bad_path())?;
        let log_store =
            logstore_with(Arc::new(DurableStore::new()), &url, StorageConfig::default())
                .map_err(|it| self.unreadable(it))?;
        let mut table = DeltaTable::new(log_store);
        table.load().await.map_err(|it| self.unreadable(it))?;
        Ok(Some(table))
    }

    /// The files that make up the table now; `None` if it does not exist yet.
    pub(crate) async fn active_files(&self) -> Result<Option<Active>, StoreError> {
        let Some(table) = self.load().await? else {
            return Ok(None);
        };
        let state = table.snapshot().map_err(|it| self.unreadable(it))?;
        let mut files = state
            .log_data()
            .iter()
            .map(|view| self.active_file(&view))
            .collect::<Result<Vec<_>, _>>()?;
        // The library lists newest first, in an order that depends on checkpoints.
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Some(Active { version: state.version(), files }))
    }

    fn active_file(&self, view: &LogicalFileView) -> Result<ActiveFile, StoreError> {
        if view.deletion_vector_descriptor().is_some() {
            return Err(StoreError::Unsupported {
                path: self.folder.clone(),
                source: Box::new(DeltaTableError::Generic("deletion vectors".to_string())),
            });
        }
        let stats: Value =
            view.stats().and_then(|it| serde_json::from_str(&it).ok()).unwrap_or_default();
        let time = |side: &str| {
            let text = stats.get(side)?.get("event_time")?.as_str()?;
            TimestampMicrosecondType::parse(text)
        };
        let date = view.partition_values_map().remove("event_date").flatten();
        Ok(ActiveFile {
            path: self.folder.join(&*view.path()),
            size_bytes: u64::try_from(view.size()).unwrap_or(0),
            row_count: stats
                .get("numRecords")
                .and_then(Value::as_u64)
                .or(view.num_records().map(|it| it as u64))
                .unwrap_or(0),
            event_date: date.and_then(|it| Date32Type::parse(&it)),
            min_event_time: time("minValues"),
            max_event_time: time("maxValues"),
        })
    }

    /// The paths, below the table's folder, of files that were removed, with
    /// the instant of removal in milliseconds since 1970.
    pub(crate) async fn removed_files(&self) -> Result<HashMap<String, i64>, StoreError> {
        use futures::TryStreamExt;

        let Some(table) = self.load().await? else {
            return Ok(HashMap::new());
        };
        let state = table.snapshot().map_err(|it| self.unreadable(it))?;
        let log_store = table.log_store();
        state
            .all_tombstones(log_store.as_ref())
            .map_ok(|it| (it.path().to_string(), it.deletion_timestamp().unwrap_or(0)))
            .try_collect()
            .await
            .map_err(|it| self.unreadable(it))
    }

    /// Commits `added` and `removed` files as the version after `previous`, and
    /// records `batch`. `others` are the parts that the other tables get.
    pub(crate) fn commit(
        &self,
        previous: Option<u64>,
        batch: u64,
        reason: Reason,
        added: &[Part],
        removed: &[ActiveFile],
        others: Option<&[Part]>,
    ) -> Result<u64, StoreError> {
        let mut actions = match previous {
            Some(_) => Vec::new(),
            None => self.creation()?,
        };
        let changes = reason != Reason::Compact;
        let now = added.iter().map(|it| it.modified_milliseconds).max();
        for file in removed {
            actions.push(Action::Remove(self.remove(file, changes, now)?));
        }
        for part in added {
            actions.push(Action::Add(add(part, changes)));
        }
        if !removed.is_empty() {
            // Before the commit, so that no kill leaves files that nobody looks for.
            let path = self.surplus_mark();
            fs::write(&path, []).map_err(|source| StoreError::WriteFile { path, source })?;
        }
        let mut information = HashMap::new();
        if let Some(parts) = others {
            information.insert(PARTS.to_string(), json!(parts));
        }
        let number = i64::try_from(batch).map_err(|_| self.lost(batch))?;
        let data = CommitData::new(
            actions,
            operation(reason),
            information,
            vec![Transaction::new(APP_ID, number)],
        );
        let bytes = data.get_bytes().map_err(|it| self.unformed(it.into()))?;
        let version = previous.map_or(0, |it| it + 1);
        let path = self.commit_path(version);
        match durable::create(&path, [bytes.as_ref()]) {
            Ok(()) => Ok(version),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(StoreError::Stale {
                table: self.table.name(),
                batch,
                recorded: self.read_commit(version)?.and_then(|it| it.batch).unwrap_or(0),
            }),
            Err(source) => Err(StoreError::WriteFile { path, source }),
        }
    }

    /// Writes a checkpoint if `version` is due for one, so that readers need
    /// not read every commit.
    ///
    /// A failure is left at that: the commit stands without it, readers only
    /// take longer, and a full disk shows at the next write that matters.
    pub(crate) async fn checkpoint_if_due(&self, version: u64) {
        if (version + 1).is_multiple_of(CHECKPOINT_INTERVAL)
            && let Ok(Some(table)) = self.load().await
        {
            let _ = deltalake_core::checkpoints::create_checkpoint(&table, None).await;
        }
    }

    /// A file that is there while files may be left that the table no longer
    /// holds. Readers of tables pass over names that begin so.
    pub(crate) fn surplus_mark(&self) -> PathBuf {
        self.folder.join("_surplus")
    }

    /// The folder of the commits.
    pub(crate) fn log_folder(&self) -> PathBuf {
        self.folder.join("_delta_log")
    }

    fn commit_path(&self, version: u64) -> PathBuf {
        self.log_folder().join(format!("{version:020}.json"))
    }

    fn read_commit(&self, version: u64) -> Result<Option<Commit>, StoreError> {
        let path = self.commit_path(version);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::ReadFile { path, source }),
        };
        match parse_commit(&text) {
            Ok(commit) => Ok(Some(commit)),
            Err(source) => Err(StoreError::BadCommit { path, source }),
        }
    }

    fn creation(&self) -> Result<Vec<Action>, StoreError> {
        let mut fields: Vec<Field> =
            self.table.schema().fields().iter().map(|it| it.as_ref().clone()).collect();
        let mut partitions = Vec::new();
        // Statistics of text columns could hold what a log's author wrote, so
        // other writers are told to keep none either.
        let statistics = match self.table {
            Table::Events => {
                fields.push(Field::new("event_date", DataType::Date32, true));
                partitions.push("event_date");
                ("delta.dataSkippingStatsColumns", "event_time")
            }
            _ => ("delta.dataSkippingNumIndexedCols", "0"),
        };
        let schema: StructType = (&Schema::new(fields))
            .try_into_kernel()
            .map_err(|it: arrow::error::ArrowError| self.unformed(it.into()))?;
        let configuration = [statistics, ("delta.enableExpiredLogCleanup", "false")];
        let metadata: Metadata = new_metadata(&schema, partitions, configuration)
            .map_err(|it| self.unformed(it.into()))?;
        let protocol: Protocol =
            serde_json::from_value(json!({"minReaderVersion": 1, "minWriterVersion": 2}))
                .map_err(|source| StoreError::BadCommit { path: self.commit_path(0), source })?;
        Ok(vec![Action::Protocol(protocol), Action::Metadata(metadata)])
    }

    fn remove(
        &self,
        file: &ActiveFile,
        changes: bool,
        now: Option<i64>,
    ) -> Result<Remove, StoreError> {
        let path =
            self.relative(&file.path).ok_or(StoreError::BadPath { path: file.path.clone() })?;
        Ok(Remove {
            path,
            data_change: changes,
            deletion_timestamp: Some(now.unwrap_or(0)),
            extended_file_metadata: Some(true),
            partition_values: Some(partition_values(file.event_date)),
            size: i64::try_from(file.size_bytes).ok(),
            ..Remove::default()
        })
    }

    /// A file's path below the table's folder, as the log names it.
    pub(crate) fn relative(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.folder).ok()?;
        let pieces: Option<Vec<&str>> = below.iter().map(|it| it.to_str()).collect();
        Some(pieces?.join("/"))
    }

    fn unreadable(&self, source: DeltaTableError) -> StoreError {
        StoreError::ReadLog { path: self.folder.clone(), source: Box::new(source) }
    }

    fn unformed(&self, source: DeltaTableError) -> StoreError {
        StoreError::FormCommit { table: self.table.name(), source: Box::new(source) }
    }
}

/// What this program reads back from a commit: the batch recorded, if it made
/// the commit, and the parts listed.
#[derive(Debug, Default)]
struct Commit {
    batch: Option<u64>,
    /// Whether it says what the table is, not only what it holds.
    changes_table: bool,
    parts: Option<Vec<Part>>,
}

fn parse_commit(text: &[u8]) -> Result<Commit, serde_json::Error> {
    let mut commit = Commit::default();
    for line in text.split(|byte| *byte == b'\n') {
        // Only these kinds of action matter, and they begin so; the many lines
        // about files need no parsing.
        if line.starts_with(b"{\"txn\"") {
            let action: Value = serde_json::from_slice(line)?;
            if action["txn"]["appId"] == APP_ID {
                commit.batch = action["txn"]["version"].as_u64();
            }
        } else if line.starts_with(b"{\"commitInfo\"") {
            let mut action: Value = serde_json::from_slice(line)?;
            let parts = action["commitInfo"][PARTS].take();
            if !parts.is_null() {
                commit.parts = Some(serde_json::from_value(parts)?);
            }
        } else if line.starts_with(b"{\"protocol\"") || line.starts_with(b"{\"metaData\"") {
            commit.changes_table = true;
        }
    }
    Ok(commit)
}

fn version_of(name: &str) -> Option<u64> {
    let (digits, rest) = name.split_at_checked(20)?;
    let known = rest == ".json" || rest.starts_with(".checkpoint.");
    match known && digits.bytes().all(|it| it.is_ascii_digit()) {
        true if !durable::is_staged(name) => digits.parse().ok(),
        _ => None,
    }
}

fn partition_values(event_date: Option<i32>) -> HashMap<String, Option<String>> {
    event_date.map(|days| ("event_date".to_string(), Some(date_text(days)))).into_iter().collect()
}

fn add(part: &Part, changes: bool) -> Add {
    Add {
        path: part.path.clone(),
        partition_values: partition_values(part.event_date),
        size: i64::try_from(part.size_bytes).unwrap_or(i64::MAX),
        modification_time: part.modified_milliseconds,
        data_change: changes,
        stats: Some(statistics(part)),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// A part's statistics as the log holds them: how many rows and, for events,
/// the span of time. Never anything from text.
fn statistics(part: &Part) -> String {
    let mut statistics = json!({ "numRecords": part.row_count });
    let text = |time: Option<i64>| {
        let time = arrow::temporal_conversions::timestamp_us_to_datetime(time?)?;
        Some(time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
    };
    if let (Some(min), Some(max)) = (text(part.min_event_time), text(part.max_event_time)) {
        statistics["minValues"] = json!({ "event_time": min });
        statistics["maxValues"] = json!({ "event_time": max });
    }
    statistics.to_string()
}

fn operation(reason: Reason) -> DeltaOperation {
    match reason {
        Reason::Append => {
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None }
        }
        Reason::Overwrite => {
            DeltaOperation::Write { mode: SaveMode::Overwrite, partition_by: None, predicate: None }
        }
        Reason::Compact => DeltaOperation::Optimize { predicate: None, target_size: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_of_another_tool_records_no_batch() {
        let text = b"{\"commitInfo\":{\"operation\":\"OPTIMIZE\"}}\n{\"txn\":{\"appId\":\"other\",\"version\":9}}";
        let commit = parse_commit(text).unwrap();
        assert!(commit.batch.is_none() && commit.parts.is_none());
    }

    #[test]
    fn versions_are_told_by_their_names_alone() {
        assert_eq!(version_of("00000000000000000012.json"), Some(12));
        assert_eq!(version_of("00000000000000000020.checkpoint.parquet"), Some(20));
        assert_eq!(version_of("00000000000000000013.json#7"), None);
        assert_eq!(version_of("_last_checkpoint"), None);
        assert_eq!(version_of("00000000000000000012.crc"), None);
    }
}
