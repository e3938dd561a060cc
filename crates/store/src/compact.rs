//! Fewer files with the same rows, and the end of files that nobody needs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{
    SortColumn, SortOptions, concat_batches, interleave_record_batch, lexsort_to_indices,
    take_record_batch,
};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, Rows as SortKeys, SortField};

use crate::crash::crash_point;
use crate::durable;
use crate::error::StoreError;
use crate::log::{Reason, TableLog};
use crate::part::{Part, PartWriter, batch_of, sort_columns};
use crate::publish::sync_parts;
use crate::read::{ActiveFile, Rows};
use crate::schema::Table;
use crate::store::Store;
use crate::writer::Writer;

/// How long a removed file stays for readers that have just resolved it.
const GRACE_MILLISECONDS: i64 = 60 * 60 * 1000;
/// Files of one event date above which they are merged.
const MAX_DATE_FILES: usize = 8;
/// Files of another table above which they are merged.
const MAX_TABLE_FILES: usize = 16;
/// Files of events this large are left alone.
const LARGE_EVENTS_BYTES: u64 = 128 << 20;
/// Rows of other tables' files that are merged at once, in memory; larger files are left alone.
const GROUP_ROWS: u64 = 256 * 1024;
/// Rows handed on at once by a merge.
const MERGE_ROWS: usize = 32 * 1024;
/// Rows read at once from each of the files that a merge reads side by side.
const MERGE_BATCH_ROWS: usize = 4 * 1024;

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Files that were merged; they are deleted by a later ingest.
    pub removed_file_count: u64,
    /// Files that took their place.
    pub added_file_count: u64,
}

impl Store {
    /// Merges small files of every table that has many, without changing rows.
    ///
    /// `writer` proves that the caller holds the lock, and names the new files.
    pub async fn compact(&self, writer: &Writer) -> Result<Compaction, StoreError> {
        let mut done = Compaction::default();
        for table in Table::ALL {
            let log = self.log(table);
            let mut removed = Vec::new();
            let mut added = Vec::new();
            for group in groups(table, self.active_files(table).await?) {
                let (part, file) = merge(&log, writer, &group)?;
                sync_parts(self.root(), &[], vec![(part.clone(), file)])?;
                added.push(part);
                removed.extend(group);
            }
            if removed.is_empty() {
                continue;
            }
            sync_parts(self.root(), &added, Vec::new())?;
            crash_point("merged");
            let previous = log.latest_version()?;
            let batch = log.recorded_batch().await?;
            let version = log.commit(previous, batch, Reason::Compact, &added, &removed, None)?;
            crash_point("compacted");
            log.checkpoint_if_due(version).await;
            done.removed_file_count += removed.len() as u64;
            done.added_file_count += added.len() as u64;
        }
        Ok(done)
    }
}

/// The files that are each to become one.
fn groups(table: Table, files: Vec<ActiveFile>) -> Vec<Vec<ActiveFile>> {
    if table == Table::Events {
        let mut dates: BTreeMap<Option<i32>, Vec<ActiveFile>> = BTreeMap::new();
        for file in files {
            if file.size_bytes < LARGE_EVENTS_BYTES {
                dates.entry(file.event_date).or_default().push(file);
            }
        }
        return dates.into_values().filter(|it| it.len() > MAX_DATE_FILES).collect();
    }
    let mut files = files;
    files.retain(|it| it.row_count <= GROUP_ROWS / 2);
    if files.len() <= MAX_TABLE_FILES {
        return Vec::new();
    }
    files.sort_by(|a, b| (a.row_count, &a.path).cmp(&(b.row_count, &b.path)));
    let mut groups: Vec<Vec<ActiveFile>> = Vec::new();
    let mut rows = u64::MAX;
    for file in files {
        match groups.last_mut().filter(|_| rows.saturating_add(file.row_count) <= GROUP_ROWS) {
            Some(group) => {
                rows += file.row_count;
                group.push(file);
            }
            None => {
                rows = file.row_count;
                groups.push(vec![file]);
            }
        }
    }
    groups.retain(|it| it.len() > 1);
    groups
}

fn merge(
    log: &TableLog,
    writer: &Writer,
    files: &[ActiveFile],
) -> Result<(Part, File), StoreError> {
    let table = log.table;
    let rows: u64 = files.iter().map(|it| it.row_count).sum();
    let mut part = PartWriter::create(
        table,
        &log.folder,
        files.first().and_then(|it| it.event_date),
        || writer.names().next(),
        table.schema(),
        rows,
    )?;
    if table == Table::Events {
        // Each file is sorted, so that they need not be in memory together.
        Merge::new(table, files)?.run(|batch| part.write(&batch))?;
    } else {
        part.write(&sorted(table, files)?)?;
    }
    part.finish()
}

fn sorted(table: Table, files: &[ActiveFile]) -> Result<RecordBatch, StoreError> {
    let batches: Vec<RecordBatch> =
        Rows::new(table, files.to_vec(), &[]).collect::<Result<_, _>>()?;
    let arrange = || -> Result<RecordBatch, ArrowError> {
        let whole = concat_batches(&table.schema(), &batches)?;
        let columns: Vec<SortColumn> = keys(table, &whole)?
            .into_iter()
            .map(|values| SortColumn { values, options: Some(SortOptions::default()) })
            .collect();
        take_record_batch(&whole, &lexsort_to_indices(&columns, None)?)
    };
    arrange().map_err(|it| StoreError::arrange(table, it))
}

fn keys(table: Table, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ArrowError> {
    sort_columns(table)
        .iter()
        .map(|name| Ok(batch.column(batch.schema().index_of(name)?).clone()))
        .collect()
}

/// Sorted files read side by side.
struct Merge {
    table: Table,
    converter: RowConverter,
    inputs: Vec<Rows>,
    /// Where each input stands.
    cursors: Vec<Cursor>,
    /// Batches that rows are taken from; those read to their end stay until the
    /// next hand-over.
    batches: Vec<RecordBatch>,
    /// Rows to hand over: batch and row.
    rows: Vec<(usize, usize)>,
}

#[derive(Default)]
struct Cursor {
    batch: usize,
    keys: Option<SortKeys>,
    row: usize,
}

impl Merge {
    fn new(table: Table, files: &[ActiveFile]) -> Result<Merge, StoreError> {
        let schema = table.schema();
        let fields = sort_columns(table)
            .iter()
            .map(|name| Ok(SortField::new(schema.field_with_name(name)?.data_type().clone())))
            .collect::<Result<Vec<_>, ArrowError>>();
        let converter =
            fields.and_then(RowConverter::new).map_err(|it| StoreError::arrange(table, it))?;
        Ok(Merge {
            table,
            converter,
            inputs: files
                .iter()
                .map(|it| Rows::new(table, vec![it.clone()], &[]).in_batches_of(MERGE_BATCH_ROWS))
                .collect(),
            cursors: files.iter().map(|_| Cursor::default()).collect(),
            batches: Vec::new(),
            rows: Vec::new(),
        })
    }

    fn run(
        mut self,
        mut hand_over: impl FnMut(RecordBatch) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut heap = BinaryHeap::new();
        for index in 0..self.inputs.len() {
            if let Some(key) = self.advance(index)? {
                heap.push(Reverse((key, index)));
            }
        }
        while let Some(Reverse((_, index))) = heap.pop() {
            let cursor = &mut self.cursors[index];
            self.rows.push((cursor.batch, cursor.row));
            cursor.row += 1;
            if self.rows.len() >= MERGE_ROWS {
                hand_over(self.collect()?)?;
            }
            if let Some(key) = self.advance(index)? {
                heap.push(Reverse((key, index)));
            }
        }
        match self.rows.is_empty() {
            true => Ok(()),
            false => hand_over(self.collect()?),
        }
    }

    /// The key of an input's next row, reading on if its batch is used up.
    fn advance(&mut self, index: usize) -> Result<Option<OwnedRow>, StoreError> {
        loop {
            let cursor = &mut self.cursors[index];
            if let Some(keys) = &cursor.keys
                && cursor.row < keys.num_rows()
            {
                return Ok(Some(keys.row(cursor.row).owned()));
            }
            cursor.keys = None;
            let Some(batch) = self.inputs[index].next().transpose()? else {
                return Ok(None);
            };
            let converted = keys(self.table, &batch)
                .and_then(|it| self.converter.convert_columns(&it))
                .map_err(|it| StoreError::arrange(self.table, it))?;
            *cursor = Cursor { batch: self.batches.len(), keys: Some(converted), row: 0 };
            self.batches.push(batch);
        }
    }

    fn collect(&mut self) -> Result<RecordBatch, StoreError> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let merged = interleave_record_batch(&batches, &self.rows)
            .map_err(|it| StoreError::arrange(self.table, it))?;
        self.rows.clear();
        let mut kept = Vec::new();
        for cursor in &mut self.cursors {
            if cursor.keys.is_some() {
                kept.push(self.batches[cursor.batch].clone());
                cursor.batch = kept.len() - 1;
            }
        }
        self.batches = kept;
        Ok(merged)
    }
}

/// Deletes what killed runs and compactions left: files that this program named
/// and no table holds, and commits in the making. `recorded` is the last batch,
/// `now` is in milliseconds since 1970. The caller holds the lock and has
/// written nothing yet.
pub(crate) async fn remove_leftovers(
    store: &Store,
    recorded: u64,
    now: i64,
) -> Result<(), StoreError> {
    for table in Table::ALL {
        let log = store.log(table);
        for (path, name) in list(&log.log_folder())? {
            if durable::is_staged(&name) {
                delete(&path)?;
            }
        }
        let found = data_files(&log)?;
        let mark = log.surplus_mark();
        // A killed run leaves files of the batch that it did not get to commit.
        let is_suspect = found.iter().any(|it| it.1 > recorded) || mark.exists();
        if is_suspect && remove_surplus(&log, found, now).await? == 0 {
            delete(&mark)?;
        }
    }
    Ok(())
}

/// Deletes those of `found` that the table does not hold, and returns how many
/// were left for readers that may have just resolved them.
async fn remove_surplus(
    log: &TableLog,
    found: Vec<(PathBuf, u64)>,
    now: i64,
) -> Result<usize, StoreError> {
    let active = log.active_files().await?.map(|it| it.files);
    let active: HashSet<PathBuf> = active.into_iter().flatten().map(|it| it.path).collect();
    let removed = log.removed_files().await?;
    let mut left = 0;
    for (path, _) in found {
        if active.contains(&path) {
            continue;
        }
        let since = log.relative(&path).and_then(|it| removed.get(&it));
        match since.is_none_or(|it| now - it > GRACE_MILLISECONDS) {
            true => delete(&path)?,
            false => left += 1,
        }
    }
    Ok(left)
}

/// The data files of a table that this program named, with the batch of each.
fn data_files(log: &TableLog) -> Result<Vec<(PathBuf, u64)>, StoreError> {
    let mut entries = list(&log.folder)?;
    if log.table == Table::Events {
        let dates: Vec<PathBuf> = entries
            .iter()
            .filter(|it| it.1.starts_with("event_date="))
            .map(|it| it.0.clone())
            .collect();
        for date in dates {
            entries.extend(list(&date)?);
        }
    }
    let named = entries.into_iter();
    Ok(named.filter_map(|(path, name)| Some((path, batch_of(&name)?))).collect())
}

fn list(folder: &Path) -> Result<Vec<(PathBuf, String)>, StoreError> {
    let unreadable = |source| StoreError::ReadFile { path: folder.to_path_buf(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((entry.path(), name));
        }
    }
    Ok(found)
}

fn delete(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::WriteFile { path: path.to_path_buf(), source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Names;

    fn write(log: &TableLog, names: &Names) -> (Part, File) {
        let schema = log.table.schema();
        let nulls = schema.fields().iter();
        let nulls = nulls.map(|it| arrow::array::new_null_array(it.data_type(), 1));
        let row = RecordBatch::try_new(schema.clone(), nulls.collect()).unwrap();
        let name = || names.next();
        let mut part = PartWriter::create(log.table, &log.folder, None, name, schema, 1).unwrap();
        part.write(&row).unwrap();
        part.finish().unwrap()
    }

    #[tokio::test]
    async fn removed_files_stay_for_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let log = store.log(Table::Usage);
        let names = Names::new(1);
        let (old, _) = write(&log, &names);
        let version = log.commit(None, 1, Reason::Append, &[old], &[], None).unwrap();
        let removed = store.active_files(Table::Usage).await.unwrap();
        let (new, _) = write(&log, &names);
        let now = new.modified_milliseconds;
        log.commit(Some(version), 1, Reason::Compact, &[new], &removed, None).unwrap();
        remove_leftovers(&store, 1, now + GRACE_MILLISECONDS).await.unwrap();
        assert!(removed[0].path.exists());
        remove_leftovers(&store, 1, now + GRACE_MILLISECONDS + 1).await.unwrap();
        assert!(!removed[0].path.exists() && !log.surplus_mark().exists());
        let active = store.active_files(Table::Usage).await.unwrap();
        assert!(active.len() == 1 && active[0].path.exists());
    }

    #[tokio::test]
    async fn a_table_with_features_unknown_here_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let log = store.log(Table::Usage);
        let (part, _) = write(&log, &Names::new(1));
        log.commit(None, 1, Reason::Append, &[part], &[], None).unwrap();
        assert_eq!(log.recorded_batch().await.unwrap(), 1);
        let upgrade = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["rowTracking","domainMetadata"]}}"#;
        fs::write(log.log_folder().join("00000000000000000001.json"), upgrade).unwrap();
        let error = log.recorded_batch().await.unwrap_err();
        assert!(matches!(error, StoreError::Unsupported { .. }), "{error}");
    }
}
