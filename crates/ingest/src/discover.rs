//! Discover: which inputs a path stands for.
//!
//! Directories are walked in name order, without following symbolic links, and
//! only regular files are taken: a FIFO, a device or a loop in a log folder is
//! named in the report and left alone. What was written first is read first:
//! events of one day then come together, which saves memory and merging.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use walkdir::WalkDir;

/// A regular file to read.
#[derive(Debug, Clone)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes, when it was found.
    pub size_bytes: u64,
    /// When it was last changed, in microseconds since 1970.
    pub modified_time: i64,
    /// Whether the user named this very file, rather than a folder around it.
    pub named: bool,
}

/// Something that was found and is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Where it is.
    pub path: PathBuf,
    /// Why it is not read.
    pub reason: String,
    /// Whether that keeps records from being seen (a missing permission does,
    /// a symbolic link does not).
    pub failed: bool,
}

/// What the given paths stand for.
#[derive(Debug, Default)]
pub struct Discovery {
    /// The inputs, in the order in which they are read.
    pub inputs: Vec<Input>,
    /// What was passed over.
    pub passed: Vec<Passed>,
}

/// Finds the inputs for `paths`: files, directories and globs.
///
/// `exclude` is the store's own folder, which is never an input.
pub fn discover(paths: &[PathBuf], exclude: &Path) -> Discovery {
    let exclude = exclude.canonicalize().unwrap_or_else(|_| exclude.to_owned());
    let mut found = Discovery::default();
    for path in paths {
        match std::fs::symlink_metadata(path) {
            Ok(_) => take(path, &exclude, &mut found),
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_glob(path) => {
                take_glob(path, &exclude, &mut found);
            }
            Err(error) => found.pass(path, describe(&error), true),
        }
    }
    found.inputs.dedup_by(|a, b| a.path == b.path);
    found.inputs.sort_by_key(|it| it.modified_time);
    found
}

fn is_glob(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '[', '{'])
}

/// A path that the user gave: links named outright are followed.
fn take(path: &Path, exclude: &Path, found: &mut Discovery) {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => walk(path, exclude, None, found),
        Ok(metadata) => found.add(path, &metadata, true),
        Err(error) => found.pass(path, describe(&error), true),
    }
}

fn take_glob(pattern: &Path, exclude: &Path, found: &mut Discovery) {
    let text = pattern.to_string_lossy();
    let glob = match GlobBuilder::new(&text).literal_separator(true).build() {
        Ok(glob) => glob.compile_matcher(),
        Err(error) => return found.pass(pattern, format!("not a glob: {}", error.kind()), true),
    };
    let root: PathBuf =
        pattern.components().take_while(|it| !is_glob(Path::new(it.as_os_str()))).collect();
    let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
    let before = found.inputs.len();
    walk(
        &root,
        exclude,
        Some(&|path: &Path| glob.is_match(path.strip_prefix("./").unwrap_or(path))),
        found,
    );
    if found.inputs.len() == before {
        found.pass(pattern, "no file matches".to_owned(), true);
    }
}

fn walk(
    root: &Path,
    exclude: &Path,
    wanted: Option<&dyn Fn(&Path) -> bool>,
    found: &mut Discovery,
) {
    let own = |path: &Path| path.canonicalize().is_ok_and(|it| it == exclude);
    let entries = WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|it| !(it.file_type().is_dir() && own(it.path())));
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let reason = error.io_error().map_or("cannot be listed".to_owned(), describe);
                found.pass(&path, reason, true);
                continue;
            }
        };
        if entry.file_type().is_dir() || wanted.is_some_and(|it| !it(entry.path())) {
            continue;
        }
        match entry.metadata() {
            Ok(metadata) => found.add(entry.path(), &metadata, false),
            Err(_) => found.pass(entry.path(), "cannot be inspected".to_owned(), true),
        }
    }
}

impl Discovery {
    fn add(&mut self, path: &Path, metadata: &Metadata, named: bool) {
        if metadata.is_symlink() {
            return self.pass(path, "symbolic link, not followed".to_owned(), false);
        }
        if !metadata.is_file() {
            return self.pass(path, "not a regular file".to_owned(), named);
        }
        self.inputs.push(Input {
            path: path.to_owned(),
            size_bytes: metadata.len(),
            modified_time: modified_micros(metadata),
            named,
        });
    }

    fn pass(&mut self, path: &Path, reason: String, failed: bool) {
        self.passed.push(Passed { path: path.to_owned(), reason, failed });
    }
}

fn modified_micros(metadata: &Metadata) -> i64 {
    metadata
        .modified()
        .ok()
        .and_then(|it| it.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |it| it.as_micros() as i64)
}

/// The reason in the words that people know, without the number of the error.
fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_regular_files_of_one_age_in_name_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        for name in ["b.log", "a.log", "sub/c.log"] {
            std::fs::write(at(name), "x").unwrap();
            let file = std::fs::File::options().write(true).open(at(name)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        std::os::unix::fs::symlink(folder.path(), at("sub/loop")).unwrap();
        let found = discover(&[folder.path().to_owned()], &at("store"));
        let names: Vec<_> = found.inputs.iter().map(|it| it.path.clone()).collect();
        assert_eq!(names, [at("a.log"), at("b.log"), at("sub/c.log")]);
        assert_eq!(found.passed.len(), 1);
        assert!(!found.passed[0].failed);
    }

    #[test]
    fn a_glob_that_matches_nothing_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.log"), "x").unwrap();
        let hit = discover(&[folder.path().join("*.log")], Path::new("/none"));
        assert_eq!(hit.inputs.len(), 1);
        let miss = discover(&[folder.path().join("*.gz")], Path::new("/none"));
        assert!(miss.passed[0].failed);
    }
}
