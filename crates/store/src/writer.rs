//! One ingest's way of adding rows: parts first, then one deciding commit.

use std::fs::File;
use std::sync::Mutex;

use arrow::array::RecordBatch;

use crate::crash::crash_point;
use crate::error::StoreError;
use crate::lineage::{Change, Graph};
use crate::log::Reason;
use crate::part::{Part, PartWriter};
use crate::publish::{Names, exchanges_of, load_graph, publish, sync_parts};
use crate::schema::Table;
use crate::store::Store;

/// The days that a partition's name can tell: years 1 to 9999.
const DATES: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// Parts from this size on are made durable at once: by the thread that wrote
/// them, while others go on.
const LARGE_PART_BYTES: u64 = 1 << 20;
/// Small parts that may be open until the commit.
const MAX_UNSYNCED: usize = 64;

/// Adds batches to a store, and holds its lock until dropped.
///
/// Parts may be written from several threads; nothing of them counts until
/// [`Writer::commit`] returns. Parts that never get there are removed by the
/// next [`Store::begin`].
#[derive(Debug)]
pub struct Writer {
    store: Store,
    /// Released when the writer is dropped or the process ends.
    _lock: File,
    batch: u64,
    names: Names,
    /// Small parts whose content is made durable by the commit, all at once.
    unsynced: Mutex<Vec<(Part, File)>>,
    /// All committed exchanges, read when the first batch brings some.
    graph: Option<Graph>,
}

impl Writer {
    pub(crate) fn new(store: Store, lock: File, batch: u64) -> Writer {
        Writer {
            store,
            _lock: lock,
            batch,
            names: Names::new(batch),
            unsynced: Mutex::default(),
            graph: None,
        }
    }

    /// The number of the batch that the next commit makes.
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// The store that this writes to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Writes events of one day (in days since 1970), sorted by credential and
    /// time. Text may come as Arrow dictionaries.
    pub fn write_events(&self, event_date: i32, batch: &RecordBatch) -> Result<Part, StoreError> {
        if !DATES.contains(&event_date) {
            return Err(StoreError::BadDate { days: event_date });
        }
        self.write(Table::Events, Some(event_date), batch)
    }

    /// Writes rows of another table than `events`. `lineage` is the store's own.
    pub fn write_part(&self, table: Table, batch: &RecordBatch) -> Result<Part, StoreError> {
        match table {
            Table::Events | Table::Lineage => Err(StoreError::WrongTable { table: table.name() }),
            _ => self.write(table, None, batch),
        }
    }

    /// Commits the parts as one batch to all tables, and returns its number.
    ///
    /// An error before the deciding commit leaves the tables as they were. After
    /// one that comes later the batch stands, the next `begin` or `open` brings
    /// it to the tables that lack it, and this writer refuses further commits
    /// as stale. So after any error, begin anew, and let the table `files` say
    /// what was taken in.
    pub async fn commit(&mut self, parts: Vec<Part>) -> Result<u64, StoreError> {
        let parts: Vec<Part> = parts.into_iter().filter(|it| it.row_count > 0).collect();
        let unsynced = std::mem::take(self.unsynced.get_mut().unwrap_or_else(|it| it.into_inner()));
        sync_parts(self.store.root(), &parts, unsynced)?;
        let change = self.learn_exchanges(&parts).await?;
        crash_point("parts_written");
        let decided = self.decide(&parts).await;
        if decided.is_err() {
            // The graph may now know exchanges that no table holds.
            self.graph = None;
        }
        let (version, others) = decided?;
        crash_point("events_committed");
        self.store.log(Table::Events).checkpoint_if_due(version).await;
        let known = self.graph.as_ref().zip(change.as_ref());
        let published = publish(self.store.root(), &self.names, self.batch, &others, known).await;
        if let Err(error) = published {
            self.graph = None;
            return Err(error);
        }
        let batch = self.batch;
        self.start_batch(batch + 1);
        Ok(batch)
    }

    /// Makes the one commit that counts, and returns its version and the parts
    /// that are left to publish.
    async fn decide(&self, parts: &[Part]) -> Result<(u64, Vec<Part>), StoreError> {
        let log = self.store.log(Table::Events);
        let previous = log.latest_version()?;
        let recorded = log.recorded_batch().await?;
        if recorded + 1 != self.batch {
            return Err(StoreError::Stale {
                table: Table::Events.name(),
                batch: self.batch,
                recorded,
            });
        }
        let mine: Vec<Part> = of(parts, Table::Events).cloned().collect();
        let others: Vec<Part> =
            parts.iter().filter(|it| it.table != Table::Events).cloned().collect();
        crash_point("events_commit");
        let version =
            log.commit(previous, self.batch, Reason::Append, &mine, &[], Some(&others))?;
        Ok((version, others))
    }

    /// Adds the batch's exchanges to the graph, which is read first if this is
    /// the first batch with any.
    async fn learn_exchanges(&mut self, parts: &[Part]) -> Result<Option<Change>, StoreError> {
        if of(parts, Table::Exchanges).next().is_none() {
            return Ok(None);
        }
        let rows = exchanges_of(self.store.root(), parts)?;
        let mut graph = match self.graph.take() {
            Some(graph) => graph,
            None => load_graph(self.store.root()).await?,
        };
        let change = graph.add(&rows)?;
        self.graph = Some(graph);
        Ok(Some(change))
    }

    fn start_batch(&mut self, batch: u64) {
        self.batch = batch;
        self.names.set_batch(batch);
    }

    fn write(
        &self,
        table: Table,
        event_date: Option<i32>,
        batch: &RecordBatch,
    ) -> Result<Part, StoreError> {
        if batch.num_rows() == 0 {
            return Ok(Part::empty(table));
        }
        let mut writer = PartWriter::create(
            table,
            &self.store.log(table).folder,
            event_date,
            || self.names.next(),
            batch.schema(),
            batch.num_rows() as u64,
        )?;
        writer.write(batch)?;
        let (part, file) = writer.finish()?;
        let mut unsynced = self.unsynced.lock().unwrap_or_else(|it| it.into_inner());
        if part.size_bytes < LARGE_PART_BYTES && unsynced.len() < MAX_UNSYNCED {
            unsynced.push((part.clone(), file));
        } else {
            drop(unsynced);
            sync_parts(self.store.root(), &[], vec![(part.clone(), file)])?;
        }
        Ok(part)
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }
}

fn of(parts: &[Part], table: Table) -> impl Iterator<Item = &Part> {
    parts.iter().filter(move |it| it.table == table)
}
