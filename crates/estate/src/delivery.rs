//! Hands over the logs of an estate in parts, as they would arrive.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::config::EstateError;

/// Copies the first `share` (0 to 1) of the logs in `from` to `into`.
///
/// Plain files are cut at that share of their bytes, wherever that falls; of the compressed files, the first ones in
/// the order of their names are copied whole. Called again with a larger share, the files have grown. Times of files are kept.
pub fn deliver_part(from: &Path, into: &Path, share: f64) -> Result<(), EstateError> {
    let files = files(from)?;
    let compressed: Vec<&PathBuf> =
        files.iter().filter(|it| it.extension().is_some_and(|it| it == "gz")).collect();
    let whole = (compressed.len() as f64 * share).round() as usize;
    for path in &files {
        let place = compressed.iter().position(|it| *it == path);
        if place.is_none_or(|place| place < whole) {
            copy(from, into, path, if place.is_some() { 1.0 } else { share })?;
        }
    }
    Ok(())
}

/// All files below a folder, ordered by path.
pub fn files(root: &Path) -> Result<Vec<PathBuf>, EstateError> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| EstateError::Read { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn copy(from: &Path, into: &Path, path: &Path, share: f64) -> Result<(), EstateError> {
    let read = |source| EstateError::Read { path: path.to_owned(), source };
    let bytes = fs::read(path).map_err(read)?;
    let modified = fs::metadata(path).and_then(|it| it.modified()).map_err(read)?;
    let target = into.join(path.strip_prefix(from).unwrap_or(path));
    let write = |source| EstateError::Write { path: target.clone(), source };
    fs::create_dir_all(target.parent().unwrap_or(into)).map_err(write)?;
    let length = (bytes.len() as f64 * share.clamp(0.0, 1.0)).round() as usize;
    fs::write(&target, &bytes[..length.min(bytes.len())]).map_err(write)?;
    File::options()
        .write(true)
        .open(&target)
        .and_then(|it| it.set_modified(modified))
        .map_err(write)
}
