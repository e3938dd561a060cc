//! A store: the folder that holds the tables, and what may be done with it.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use crate::compact;
use crate::durable;
use crate::error::StoreError;
use crate::log::TableLog;
use crate::part::modified_milliseconds;
use crate::publish::{Names, publish};
use crate::read::{ActiveFile, Rows};
use crate::schema::Table;
use crate::writer::Writer;

/// The tables in one folder.
///
/// Any number of processes may read at any time; one at a time may write, with
/// a [`Writer`].
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    /// The files of each table at the version last read: a log does not change
    /// but by growing.
    known: Arc<Mutex<HashMap<Table, Known>>>,
}

type Known = (u64, Arc<Vec<ActiveFile>>);

impl Store {
    /// Opens the store in the folder `root`, which is made if it is missing,
    /// and finishes a batch that a killed run left between two tables.
    ///
    /// A folder that cannot be written opens for reading, unless there is such
    /// a batch.
    pub async fn open(root: &Path) -> Result<Store, StoreError> {
        durable::create_folder(root)
            .map_err(|source| StoreError::CreateFolder { path: root.to_path_buf(), source })?;
        // Without `..` and links, which URLs of tables cannot hold.
        let root = root
            .canonicalize()
            .map_err(|source| StoreError::ReadFile { path: root.to_path_buf(), source })?;
        let store = Store { root, known: Arc::default() };
        if !store.unfinished().await? {
            return Ok(store);
        }
        match store.lock() {
            Ok(_lock) => match store.recover().await {
                Err(source @ (StoreError::WriteFile { .. } | StoreError::CreateFolder { .. })) => {
                    Err(store.cannot_finish(source))
                }
                Err(error) => Err(error),
                Ok(()) => Ok(store),
            },
            // A live ingest is between two tables: it will finish by itself.
            Err(StoreError::Locked { .. }) => Ok(store),
            Err(source) => Err(store.cannot_finish(source)),
        }
    }

    /// The folder of the store, as an absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Starts an ingest: takes the lock, finishes what a killed run left, and
    /// removes files that no table holds any more.
    pub async fn begin(&self) -> Result<Writer, StoreError> {
        let lock = self.lock()?;
        self.recover().await?;
        let now = lock.metadata().map_or(0, |it| modified_milliseconds(&it));
        let recorded = self.log(Table::Events).recorded_batch().await?;
        compact::remove_leftovers(self, recorded, now).await?;
        Ok(Writer::new(self.clone(), lock, recorded + 1))
    }

    /// The files that make up `table` now; none if it does not exist yet.
    ///
    /// Reads the table's log only, and only if it grew since the last call.
    pub async fn active_files(&self, table: Table) -> Result<Vec<ActiveFile>, StoreError> {
        let log = self.log(table);
        let Some(version) = log.latest_version()? else {
            return Ok(Vec::new());
        };
        if let Some((known, files)) = self.cache().get(&table)
            && *known == version
        {
            return Ok(files.to_vec());
        }
        let Some(active) = log.active_files().await? else {
            return Ok(Vec::new());
        };
        let files = Arc::new(active.files);
        self.cache().insert(table, (active.version, Arc::clone(&files)));
        Ok(files.to_vec())
    }

    /// The version of `table`; `None` if it does not exist yet or its log
    /// cannot be listed.
    pub async fn version(&self, table: Table) -> Option<u64> {
        self.log(table).latest_version().ok().flatten()
    }

    /// Reads `columns` of `files`, which belong to `table`, in that order; all
    /// columns if none is named. `event_date` may be named for `events`.
    pub fn read(
        &self,
        files: &[ActiveFile],
        table: Table,
        columns: &[&str],
    ) -> impl Iterator<Item = Result<RecordBatch, StoreError>> + Send + 'static {
        Rows::new(table, files.to_vec(), columns)
    }

    /// The registry as it was last put; `None` if there is none.
    pub fn registry(&self) -> Result<Option<String>, StoreError> {
        let path = self.registry_path();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::ReadFile { path, source }),
        }
    }

    /// Replaces the registry, in one durable step.
    pub fn put_registry(&self, json: &str) -> Result<(), StoreError> {
        let path = self.registry_path();
        durable::replace(&path, [json.as_bytes()])
            .map_err(|source| StoreError::WriteFile { path, source })
    }

    pub(crate) fn log(&self, table: Table) -> TableLog {
        TableLog::new(&self.root, table)
    }

    /// Commits to the other tables every batch that `events` has and they lack.
    /// The caller holds the lock.
    pub(crate) async fn recover(&self) -> Result<(), StoreError> {
        if !self.unfinished().await? {
            return Ok(());
        }
        let finished = self.log(Table::Files).recorded_batch().await?;
        for (batch, parts) in self.log(Table::Events).batches_after(finished)? {
            let names = Names::new(batch);
            publish(&self.root, &names, batch, &parts, None).await?;
        }
        Ok(())
    }

    /// Whether some table may lack a batch that `events` has.
    async fn unfinished(&self) -> Result<bool, StoreError> {
        let decided = self.log(Table::Events).recorded_batch().await?;
        let finished = self.log(Table::Files).recorded_batch().await?;
        Ok(finished < decided)
    }

    /// Takes the lock that one ingest at a time holds. Its file's time says
    /// when, by the file system's clock.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.root.join("ingest.lock");
        let failed = |source| StoreError::Lock { path: path.clone(), source };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let id = std::process::id().to_string();
        file.set_len(0)
            .and_then(|()| std::io::Write::write_all(&mut &file, id.as_bytes()))
            .map_err(failed)?;
        Ok(file)
    }

    fn registry_path(&self) -> PathBuf {
        self.root.join("registry.json")
    }

    fn cannot_finish(&self, source: StoreError) -> StoreError {
        StoreError::Unfinished { path: self.root.clone(), source: Box::new(source) }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<Table, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
