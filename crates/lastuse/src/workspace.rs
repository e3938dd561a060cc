//! What commands work with: the data directory, the key, the clock, threads.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use lastuse_ingest::catalog as source_catalog;
use lastuse_model::fingerprint::FingerprintKey;
use lastuse_model::registry::ResolvedRegistry;
use lastuse_query::{Catalog, Settings, SourceFacts};
use lastuse_store::Store;

use crate::cli::Global;
use crate::errors::hinted;

/// How much memory the reports may use.
const REPORT_MEMORY_BYTES: usize = 4 << 30;

/// The data directory and what goes with it.
pub struct Workspace {
    /// Flags of every command.
    pub global: Global,
    /// Runs what is asynchronous.
    pub runtime: tokio::runtime::Runtime,
}

impl Workspace {
    /// Prepares to work; touches nothing yet.
    pub fn new(global: Global) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(global.threads.unwrap_or_else(all_threads).max(1))
            .thread_stack_size(16 << 20)
            .enable_all()
            .build()
            .context("cannot start threads")?;
        Ok(Self { global, runtime })
    }

    /// The same, over another data directory.
    pub fn elsewhere(&self, data: &Path, as_of: jiff::Timestamp) -> anyhow::Result<Self> {
        Self::new(Global {
            data: data.to_owned(),
            key_file: None,
            sources: self.global.sources.clone(),
            as_of: Some(as_of),
            threads: self.global.threads,
        })
    }

    /// How many threads to use.
    pub fn threads(&self) -> usize {
        self.global.threads.unwrap_or_else(all_threads).max(1)
    }

    /// The instant of reports, in microseconds since 1970.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock for reports")]
    pub fn as_of(&self) -> jiff::Timestamp {
        self.global.as_of.unwrap_or_else(jiff::Timestamp::now)
    }

    /// Opens the data directory, and makes it if it is not there.
    pub fn store(&self) -> anyhow::Result<Store> {
        let data = &self.global.data;
        if data.to_string_lossy().contains("://") {
            return Err(hinted(
                format!("`{}` is an object-store URL", data.display()),
                "this build keeps data in local directories only",
            ));
        }
        self.runtime
            .block_on(Store::open(data))
            .with_context(|| format!("cannot open the data directory `{}`", data.display()))
    }

    /// Opens the data directory for a question; it must be there.
    pub fn existing_store(&self) -> anyhow::Result<Store> {
        if !self.global.data.exists() {
            return Err(hinted(
                format!("there is no data directory `{}`", self.global.data.display()),
                "read logs with `lastuse ingest PATH`, or name the directory with --data",
            ));
        }
        self.store()
    }

    /// The fingerprint key; made on first use, readable by its owner only.
    pub fn key(&self) -> anyhow::Result<FingerprintKey> {
        let path = match &self.global.key_file {
            Some(path) => path.clone(),
            None => self.global.data.join("fingerprint.key"),
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                check_mode(&path)?;
                FingerprintKey::parse(&text)
                    .with_context(|| format!("cannot use the key file `{}`", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.make_key(&path),
            Err(error) => {
                Err(error).with_context(|| format!("cannot read the key file `{}`", path.display()))
            }
        }
    }

    /// A key that is lost cannot be made again, and with a new one nothing
    /// that is stored would match: so only an empty store gets one.
    fn make_key(&self, path: &Path) -> anyhow::Result<FingerprintKey> {
        if self.global.data.join("tables/events/_delta_log").exists() {
            return Err(hinted(
                format!("the key file `{}` is missing", path.display()),
                "restore it, or name it with --key-file; a new key would match nothing in the store",
            ));
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).context("cannot get random bytes for the fingerprint key")?;
        let key = FingerprintKey::from_bytes(&bytes);
        write_key(path, &key)
            .with_context(|| format!("cannot write the key file `{}`", path.display()))?;
        Ok(key)
    }

    /// The sources that can be read.
    pub fn source_catalog(&self) -> anyhow::Result<lastuse_sources::Catalog> {
        let mut folders: Vec<PathBuf> = self.global.sources.clone();
        let own = self.global.data.join("sources");
        if own.is_dir() {
            folders.insert(0, own);
        }
        Ok(source_catalog::load(&folders)?)
    }

    /// The stored registry.
    pub fn registry(&self, store: &Store) -> anyhow::Result<ResolvedRegistry> {
        match store.registry()? {
            Some(text) => serde_json::from_str(&text).context("cannot read the stored registry"),
            None => Ok(ResolvedRegistry::default()),
        }
    }

    /// The tables and reports as of now or `--as-of`.
    pub fn catalog(&self, store: &Store) -> anyhow::Result<Catalog> {
        self.catalog_with_memory(store, REPORT_MEMORY_BYTES)
    }

    /// The same within `memory_bytes`.
    pub fn catalog_with_memory(
        &self,
        store: &Store,
        memory_bytes: usize,
    ) -> anyhow::Result<Catalog> {
        let sources = self.source_catalog()?;
        let settings = Settings {
            as_of_time: self.as_of().as_microsecond(),
            sources: sources
                .iter()
                .map(|it| SourceFacts {
                    source: it.name.clone(),
                    delay: it.delay.clone(),
                    blind_spots: it.blind_spots.clone(),
                })
                .collect(),
            threads: self.threads(),
            memory_bytes,
        };
        let catalog = self.runtime.block_on(Catalog::open(store, &settings))?;
        for it in catalog.ambiguous() {
            eprintln!(
                "warning: an identifier of `{}` version `{}` ({}) matches credentials of several scopes ({}); give its scope in the registry",
                it.secret_id,
                it.version,
                it.kind,
                it.scopes.join(", "),
            );
        }
        for it in self.runtime.block_on(catalog.misplaced())? {
            eprintln!(
                "warning: no log shows an identifier of `{}` version `{}` ({}) in the scope `{}`, but logs of other scopes do ({}); correct its scope in the registry, or leave it out",
                it.secret_id,
                it.version,
                it.kind,
                it.given,
                it.scopes_text(),
            );
        }
        Ok(catalog)
    }
}

fn all_threads() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

fn check_mode(path: &Path) -> anyhow::Result<()> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(hinted(
            format!("the key file `{}` can be read by others", path.display()),
            format!("chmod 600 {}", path.display()),
        ));
    }
    Ok(())
}

/// Written beside its place and linked there when complete, so that of two
/// processes that start at once both end up with one key.
fn write_key(path: &Path, key: &FingerprintKey) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let draft = folder.join(format!(".fingerprint.key.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(key.to_text().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    linked?;
    std::fs::File::open(folder)?.sync_all()
}

/// A key for looking at a file when there is no store: it is forgotten at once.
pub fn passing_key() -> anyhow::Result<Arc<FingerprintKey>> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("cannot get random bytes")?;
    Ok(Arc::new(FingerprintKey::from_bytes(&bytes)))
}
