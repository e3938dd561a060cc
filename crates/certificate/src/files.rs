//! Keys and certificates on disk.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::envelope::BYTES_MAX;
use crate::keys::{KeyError, PublicKey, SigningKey};

/// The file of a data directory's own private key.
pub const PRIVATE_NAME: &str = "certificate.key";
/// The file of its public key.
pub const PUBLIC_NAME: &str = "certificate.pub";

/// No key file is longer.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Why a key or certificate could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no key that can be used.
    #[error("cannot use the key file `{}`", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: KeyError,
    },
    /// The private key is no secret: others can read its file.
    #[error("the key file `{}` can be read by others", path.display())]
    ReadByOthers {
        /// The file.
        path: PathBuf,
    },
    /// A public key is there whose private key is not.
    #[error("the key file `{}` is missing, and the public key that goes with it is there", path.display())]
    Missing {
        /// Where the private key should be.
        path: PathBuf,
    },
    /// The public key beside the private key is another's.
    #[error("the public key `{}` does not belong to the private key beside it", path.display())]
    OtherPublic {
        /// The public key.
        path: PathBuf,
    },
}

/// Reads a private key; a file that others can read is refused.
pub fn read_signing_key(path: &Path) -> Result<SigningKey, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(FileError::ReadByOthers { path: path.to_owned() });
    }
    let text = key_text(&mut file).map_err(failed)?;
    SigningKey::from_pem(&text).map_err(|source| FileError::Key { path: path.to_owned(), source })
}

/// Reads a public key.
pub fn read_public_key(path: &Path) -> Result<PublicKey, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let text = key_text(&mut File::open(path).map_err(failed)?).map_err(failed)?;
    PublicKey::from_pem(&text).map_err(|source| FileError::Key { path: path.to_owned(), source })
}

fn key_text(file: &mut File) -> io::Result<Zeroizing<String>> {
    // Room for all of a usual file, so that no copy of its beginning is left behind.
    let mut text = Zeroizing::new(String::with_capacity(4096));
    file.take(KEY_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The key of the data directory `folder`; made on first use, readable by its owner only, with
/// its public key beside it.
///
/// A missing private key is not made anew where a public key is left: who holds that public key
/// would not trust what the new one signs.
pub fn signing_key_in(folder: &Path) -> Result<SigningKey, FileError> {
    let (path, public_path) = (folder.join(PRIVATE_NAME), folder.join(PUBLIC_NAME));
    if !path.exists() {
        if public_path.exists() && !path.exists() {
            return Err(FileError::Missing { path });
        }
        make_key(folder, &path)?;
    }
    let key = read_signing_key(&path)?;
    if !public_path.exists() {
        let text = key.public().to_pem();
        let written = replace(&public_path, text.as_bytes(), Some(0o644));
        written.map_err(|source| FileError::Write { path: public_path.clone(), source })?;
    }
    match read_public_key(&public_path)? == key.public() {
        true => Ok(key),
        false => Err(FileError::OtherPublic { path: public_path }),
    }
}

/// Written beside its place and linked there when complete, so that two processes that start at
/// once end up with one key.
fn make_key(folder: &Path, path: &Path) -> Result<(), FileError> {
    let (_, text) = SigningKey::generate()
        .map_err(|source| FileError::Key { path: path.to_owned(), source })?;
    let write = || {
        fs::create_dir_all(folder)?;
        let draft = draft_of(path)?;
        let linked =
            write_new(&draft, text.as_bytes(), 0o600).and_then(|()| fs::hard_link(&draft, path));
        let removed = fs::remove_file(&draft);
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => removed?,
        }
        sync_folder(path)
    };
    write().map_err(|source| FileError::Write { path: path.to_owned(), source })
}

/// Reads what should be a certificate; of a longer file, more than a certificate may have.
pub fn read_certificate(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|it| it.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}

/// Writes a certificate: all of it is there after a power cut, or what was there before.
pub fn write_certificate(path: &Path, certificate: &str) -> Result<(), FileError> {
    let written = replace(path, certificate.as_bytes(), None);
    written.map_err(|source| FileError::Write { path: path.to_owned(), source })
}

/// Replaces a file by one of these bytes, at once; its mode is that of the umask if none is given.
fn replace(path: &Path, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
    let draft = draft_of(path)?;
    let written = write_new(&draft, bytes, 0o666)
        .and_then(|()| match mode {
            Some(mode) => fs::set_permissions(&draft, Permissions::from_mode(mode)),
            None => Ok(()),
        })
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft); // what was wrong with it is already known
    }
    written.and_then(|()| sync_folder(path))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name beside `path` that nobody else writes.
fn draft_of(path: &Path) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map_err(|_| io::Error::other("there are no random bytes"))?;
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    Ok(path.with_file_name(format!(".{name}.{}", HEXLOWER.encode(&random))))
}

/// Makes the entry of `path` in its folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("is there").permissions().mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("lists");
        let mut all: Vec<String> = entries
            .map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        all.sort();
        all
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("data");
        let first = signing_key_in(&folder).expect("a key");
        assert_eq!(names(&folder), [PRIVATE_NAME, PUBLIC_NAME]);
        assert_eq!(mode(&folder.join(PRIVATE_NAME)), 0o600);
        assert_eq!(mode(&folder.join(PUBLIC_NAME)), 0o644);
        assert_eq!(signing_key_in(&folder).expect("the key").public(), first.public());
        assert_eq!(read_public_key(&folder.join(PUBLIC_NAME)).expect("reads"), first.public());
    }

    #[test]
    fn many_at_once_get_one_key() {
        let root = tempfile::tempdir().expect("a folder");
        let keys: Vec<PublicKey> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| signing_key_in(root.path()).map(|it| it.public())))
                .collect();
            threads.into_iter().map(|it| it.join().expect("ends").expect("a key")).collect()
        });
        assert!(keys.iter().all(|it| *it == keys[0]));
        assert_eq!(names(root.path()), [PRIVATE_NAME, PUBLIC_NAME]);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let root = tempfile::tempdir().expect("a folder");
        signing_key_in(root.path()).expect("a key");
        let path = root.path().join(PRIVATE_NAME);
        for wide in [0o640, 0o604, 0o644, 0o620] {
            fs::set_permissions(&path, Permissions::from_mode(wide)).expect("sets");
            let error = signing_key_in(root.path()).expect_err("refused");
            assert!(matches!(error, FileError::ReadByOthers { .. }), "{wide:o}: {error}");
        }
    }

    #[test]
    fn a_lost_public_key_is_written_again_and_a_lost_private_key_is_not_made_anew() {
        let root = tempfile::tempdir().expect("a folder");
        let first = signing_key_in(root.path()).expect("a key").public();
        fs::remove_file(root.path().join(PUBLIC_NAME)).expect("removes");
        assert_eq!(signing_key_in(root.path()).expect("the key").public(), first);
        fs::remove_file(root.path().join(PRIVATE_NAME)).expect("removes");
        let error = signing_key_in(root.path()).expect_err("refused");
        assert!(matches!(error, FileError::Missing { .. }), "{error}");
        assert_eq!(names(root.path()), [PUBLIC_NAME]);
    }

    #[test]
    fn a_public_key_of_another_is_noticed() {
        let root = tempfile::tempdir().expect("a folder");
        signing_key_in(root.path()).expect("a key");
        let (other, _) = SigningKey::generate().expect("a key");
        fs::write(root.path().join(PUBLIC_NAME), other.public().to_pem()).expect("writes");
        let error = signing_key_in(root.path()).expect_err("refused");
        assert!(matches!(error, FileError::OtherPublic { .. }), "{error}");
    }

    #[test]
    fn a_certificate_is_written_whole_or_not_at_all() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("c.json");
        write_certificate(&path, "one\n").expect("writes");
        write_certificate(&path, "two\n").expect("writes");
        assert_eq!(read_certificate(&path).expect("reads"), b"two\n");
        let folder = root.path().join("folder");
        fs::create_dir_all(folder.join("full")).expect("creates");
        let error = write_certificate(&folder, "three\n").expect_err("it is a folder");
        assert!(matches!(error, FileError::Write { .. }), "{error}");
        assert_eq!(names(root.path()), ["c.json", "folder"], "no draft is left");
        let missing = root.path().join("none/c.json");
        assert!(write_certificate(&missing, "").is_err());
    }
}
