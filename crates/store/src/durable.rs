//! Files that are there after a power cut once a call has returned.
//!
//! The local object store in use never calls fsync, so every write that a
//! commit depends on goes through here: the file first, then its folder. A
//! failed fsync is not retried, because the kernel may already have dropped the
//! pages: the caller stops, and the next run replays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, UploadPart,
};

/// How many writes are made durable at once.
const SYNC_THREADS: usize = 16;

/// Makes the entries of `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Something to make durable: a file just written, or a folder's entries.
pub(crate) enum Unsynced {
    File(PathBuf, File),
    Folder(PathBuf),
}

/// Makes all of these durable, side by side: file systems gather what is asked
/// for at once into one write of their journal. The error names the first that
/// failed.
pub(crate) fn sync_all(items: Vec<Unsynced>) -> Result<(), (PathBuf, io::Error)> {
    let sync = |item: &Unsynced| match item {
        Unsynced::File(path, file) => file.sync_all().map_err(|it| (path.clone(), it)),
        Unsynced::Folder(path) => sync_folder(path).map_err(|it| (path.clone(), it)),
    };
    if items.len() < 2 {
        return items.iter().try_for_each(sync);
    }
    let share = items.len().div_ceil(SYNC_THREADS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks(share)
            .map(|chunk| scope.spawn(move || chunk.iter().try_for_each(sync)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Makes `folder` and its missing parents, durably.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|it| !it.as_os_str().is_empty());
    if let Some(parent) = parent {
        create_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(parent.unwrap_or(Path::new("."))),
    }
}

/// Writes a file that must not exist yet: whole and durable, or not at all.
pub(crate) fn create<'a>(
    path: &Path,
    content: impl IntoIterator<Item = &'a [u8]>,
) -> io::Result<()> {
    let (folder, staged) = stage(path, content)?;
    // A hard link fails when the name is taken, which a rename would not.
    let linked = fs::hard_link(&staged, path);
    let _ = fs::remove_file(&staged);
    linked?;
    sync_folder(&folder)
}

/// Writes a file in place of what stood there: whole and durable, or not at all.
pub(crate) fn replace<'a>(
    path: &Path,
    content: impl IntoIterator<Item = &'a [u8]>,
) -> io::Result<()> {
    let (folder, staged) = stage(path, content)?;
    if let Err(error) = fs::rename(&staged, path) {
        let _ = fs::remove_file(&staged);
        return Err(error);
    }
    sync_folder(&folder)
}

/// Writes the content under a name that no listing of a table shows (the
/// `#digits` ending is the object store's own mark of a file in the making).
fn stage<'a>(
    path: &Path,
    content: impl IntoIterator<Item = &'a [u8]>,
) -> io::Result<(PathBuf, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);

    let folder = path.parent().unwrap_or(Path::new(".")).to_path_buf();
    create_folder(&folder)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    let number = u64::from(std::process::id()) << 20 | COUNT.fetch_add(1, Ordering::Relaxed);
    name.push(format!("#{number}"));
    let staged = folder.join(name);

    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&staged)?;
        for piece in content {
            file.write_all(piece)?;
        }
        file.sync_all()
    })();
    if let Err(error) = written {
        let _ = fs::remove_file(&staged);
        return Err(error);
    }
    Ok((folder, staged))
}

/// Whether a file name is that of a file in the making (see [`stage`]).
pub(crate) fn is_staged(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit())
    })
}

/// The local file system as the Delta library sees it, with every write made
/// durable before it counts as done.
#[derive(Debug)]
pub(crate) struct DurableStore {
    inner: LocalFileSystem,
}

impl DurableStore {
    pub(crate) fn new() -> Self {
        DurableStore { inner: LocalFileSystem::new() }
    }
}

impl std::fmt::Display for DurableStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DurableStore")
    }
}

async fn put(path: PathBuf, payload: PutPayload, mode: PutMode) -> object_store::Result<PutResult> {
    let task = move || {
        let pieces = payload.iter().map(|it| it.as_ref());
        let result = match mode {
            PutMode::Create => create(&path, pieces),
            _ => replace(&path, pieces),
        };
        result.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => object_store::Error::AlreadyExists {
                path: path.display().to_string(),
                source: Box::new(source),
            },
            _ => object_store::Error::Generic { store: "local", source: Box::new(source) },
        })
    };
    match tokio::task::spawn_blocking(task).await {
        Ok(result) => result.map(|()| PutResult { e_tag: None, version: None }),
        Err(source) => Err(object_store::Error::JoinError { source }),
    }
}

#[async_trait]
impl ObjectStore for DurableStore {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        if matches!(options.mode, PutMode::Update(_)) {
            return self.inner.put_opts(location, payload, options).await;
        }
        put(self.inner.path_to_filesystem(location)?, payload, options.mode).await
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload { path: self.inner.path_to_filesystem(location)?, pieces: Vec::new() }))
    }

    async fn get_opts(
        &self,
        location: &ObjectPath,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &ObjectPath,
        ranges: &[std::ops::Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        self.inner.delete_stream(locations)
    }

    fn list(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&ObjectPath>,
        offset: &ObjectPath,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        options: RenameOptions,
    ) -> object_store::Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

/// A checkpoint being written: kept in memory, then put in one durable step.
#[derive(Debug)]
struct Upload {
    path: PathBuf,
    pieces: Vec<Bytes>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.pieces.extend(data.iter().cloned());
        Box::pin(std::future::ready(Ok(())))
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let payload = PutPayload::from_iter(std::mem::take(&mut self.pieces));
        put(self.path.clone(), payload, PutMode::Overwrite).await
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.pieces.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_refuses_a_name_that_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/entry");
        create(&path, [b"one".as_slice()]).unwrap();
        let error = create(&path, [b"two".as_slice()]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn replace_leaves_no_file_in_the_making() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry");
        replace(&path, [b"one".as_slice()]).unwrap();
        replace(&path, [b"tw".as_slice(), b"o".as_slice()]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_in_the_making_is_told_by_its_name() {
        assert!(is_staged("00000000000000000001.json#42"));
        assert!(!is_staged("00000000000000000001.json"));
        assert!(!is_staged("a#b"));
    }
}
