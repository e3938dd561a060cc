//! The second half of a batch: bringing the other tables to what the commit to
//! `events` decided. Every step may be repeated, so a killed run is made good
//! by running it again.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::crash::crash_point;
use crate::durable::{self, Unsynced};
use crate::error::StoreError;
use crate::lineage::{self, Change, Graph};
use crate::log::{Reason, TableLog};
use crate::part::{Part, PartWriter, file_name};
use crate::read::{ActiveFile, Rows};
use crate::schema::Table;

/// Hands out the names of new files.
#[derive(Debug)]
pub(crate) struct Names {
    batch: AtomicU64,
    next: AtomicU64,
}

impl Names {
    pub(crate) fn new(batch: u64) -> Names {
        Names { batch: AtomicU64::new(batch), next: AtomicU64::new(0) }
    }

    /// Goes on to another batch.
    pub(crate) fn set_batch(&self, batch: u64) {
        self.batch.store(batch, Ordering::SeqCst);
    }

    pub(crate) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        file_name(self.batch.load(Ordering::SeqCst), number)
    }
}

/// Commits the parts of `batch` to every table but `events`, where they are
/// not yet. `known` is the lineage graph with this batch's exchanges in it and
/// what they change; without it lineage is computed anew.
pub(crate) async fn publish(
    root: &Path,
    names: &Names,
    batch: u64,
    parts: &[Part],
    known: Option<(&Graph, &Change)>,
) -> Result<(), StoreError> {
    let has = |table: Table| parts.iter().any(|it| it.table == table);
    let mut ready = Vec::new();
    for table in Table::ALL {
        let is_plain = !matches!(table, Table::Events | Table::Lineage | Table::Files);
        let log = TableLog::new(root, table);
        if is_plain && has(table) && log.recorded_batch().await? < batch {
            ready.push(log);
        }
    }
    // Their order does not matter, so that their commits become durable together.
    let committed = std::thread::scope(|scope| {
        let threads: Vec<_> =
            ready.iter().map(|log| scope.spawn(|| append(log, batch, parts))).collect();
        threads
            .into_iter()
            .map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<u64>, StoreError>>()
    })?;
    for (log, version) in ready.iter().zip(committed) {
        log.checkpoint_if_due(version).await;
    }
    let log = TableLog::new(root, Table::Lineage);
    if has(Table::Exchanges)
        && log.recorded_batch().await? < batch
        && let Some(version) = publish_lineage(root, names, &log, batch, known).await?
    {
        crash_point("derived_committed");
        log.checkpoint_if_due(version).await;
    }
    // Last, and even without rows: its batch says that all tables have theirs.
    let log = TableLog::new(root, Table::Files);
    if log.recorded_batch().await? < batch {
        let version = append(&log, batch, parts)?;
        log.checkpoint_if_due(version).await;
    }
    Ok(())
}

/// Commits the parts that belong to the table of `log`.
fn append(log: &TableLog, batch: u64, parts: &[Part]) -> Result<u64, StoreError> {
    let mine: Vec<Part> = parts.iter().filter(|it| it.table == log.table).cloned().collect();
    let previous = log.latest_version()?;
    let version = log.commit(previous, batch, Reason::Append, &mine, &[], None)?;
    crash_point("derived_committed");
    Ok(version)
}

async fn publish_lineage(
    root: &Path,
    names: &Names,
    log: &TableLog,
    batch: u64,
    known: Option<(&Graph, &Change)>,
) -> Result<Option<u64>, StoreError> {
    let loaded;
    let (graph, change) = match known {
        Some(known) => known,
        None => {
            loaded = load_graph(root).await?;
            (&loaded, &Change::Rebuild)
        }
    };
    let previous = log.latest_version()?;
    let (reason, credentials, removed) = match change {
        Change::None => return Ok(None),
        Change::Append(children) => (Reason::Append, children.clone(), Vec::new()),
        Change::Rebuild => {
            let old = log.active_files().await?.map(|it| it.files);
            (Reason::Overwrite, graph.children(), old.unwrap_or_default())
        }
    };
    let (part, file) = write_lineage(log, names, graph, &credentials)?;
    sync_parts(root, std::slice::from_ref(&part), vec![(part.clone(), file)])?;
    log.commit(previous, batch, reason, &[part], &removed, None).map(Some)
}

fn write_lineage(
    log: &TableLog,
    names: &Names,
    graph: &Graph,
    credentials: &[u32],
) -> Result<(Part, File), StoreError> {
    let mut writer = PartWriter::create(
        Table::Lineage,
        &log.folder,
        None,
        || names.next(),
        Table::Lineage.schema(),
        credentials.len() as u64,
    )?;
    for rows in graph.rows(credentials) {
        writer.write(&rows?)?;
    }
    writer.finish()
}

/// The graph of all exchanges that are committed.
pub(crate) async fn load_graph(root: &Path) -> Result<Graph, StoreError> {
    let mut graph = Graph::default();
    if let Some(active) = TableLog::new(root, Table::Exchanges).active_files().await? {
        for rows in Rows::new(Table::Exchanges, active.files, lineage::COLUMNS) {
            graph.add(&[rows?])?;
        }
    }
    Ok(graph)
}

/// The exchanges among `parts`, which are not committed yet.
pub(crate) fn exchanges_of(
    root: &Path,
    parts: &[Part],
) -> Result<Vec<arrow::array::RecordBatch>, StoreError> {
    let folder = TableLog::new(root, Table::Exchanges).folder;
    let files = parts
        .iter()
        .filter(|it| it.table == Table::Exchanges)
        .map(|it| ActiveFile {
            path: folder.join(&it.path),
            size_bytes: it.size_bytes,
            row_count: it.row_count,
            event_date: None,
            min_event_time: None,
            max_event_time: None,
        })
        .collect();
    Rows::new(Table::Exchanges, files, lineage::COLUMNS).collect()
}

/// Makes sure that the parts are there as written, and makes them durable:
/// `files` are those whose content is not yet so.
pub(crate) fn sync_parts(
    root: &Path,
    parts: &[Part],
    files: Vec<(Part, File)>,
) -> Result<(), StoreError> {
    let path_of = |part: &Part| TableLog::new(root, part.table).folder.join(&part.path);
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    for part in parts {
        let path = path_of(part);
        match std::fs::metadata(&path) {
            Ok(found) if found.len() == part.size_bytes => {}
            _ => return Err(StoreError::LostPart { path }),
        }
        folders.extend(path.parent().map(Path::to_path_buf));
    }
    let files = files.into_iter().map(|(part, file)| Unsynced::File(path_of(&part), file));
    let unsynced = files.chain(folders.into_iter().map(Unsynced::Folder));
    durable::sync_all(unsynced.collect())
        .map_err(|(path, source)| StoreError::WriteFile { path, source })
}
