//! The sources that come with the product, and those that users add.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use lastuse_sources::{Catalog, FurtherSql, Source, SourceError};

static BUILT_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../queries/sources");

/// Why the sources could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A source's folder is wrong.
    #[error("cannot load source `{name}`")]
    Source {
        /// The folder's name.
        name: String,
        /// What is wrong.
        source: Box<SourceError>,
    },
    /// A file of a source's folder cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The sources do not go together.
    #[error("cannot use these sources together")]
    Catalog(#[source] Box<SourceError>),
}

/// The sources that come with the product, and those in the folders `extra`
/// (one folder per source); of two with one name the later wins.
pub fn load(extra: &[PathBuf]) -> Result<Catalog, CatalogError> {
    let mut sources = Vec::new();
    for folder in BUILT_IN.dirs() {
        let name = folder.path().to_string_lossy().into_owned();
        let text = |file: &str| {
            let file = folder.get_file(folder.path().join(file));
            file.and_then(|it| it.contents_utf8()).unwrap_or_default()
        };
        let further = folder.files().filter_map(|it| {
            let name = further_name(it.path())?;
            Some(FurtherSql { name, text: it.contents_utf8().unwrap_or_default().to_owned() })
        });
        let further = further.collect();
        sources.push(parse(&name, text("source.toml"), text("normalize.sql"), further)?);
    }
    for root in extra {
        for source in load_folder(root)? {
            sources.retain(|it: &Source| it.name != source.name);
            sources.push(source);
        }
    }
    Catalog::new(sources).map_err(|it| CatalogError::Catalog(Box::new(it)))
}

fn load_folder(root: &Path) -> Result<Vec<Source>, CatalogError> {
    let mut sources = Vec::new();
    for folder in entries(root)?.into_iter().filter(|it| it.join("source.toml").exists()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = |file: &str| {
            let path = folder.join(file);
            std::fs::read_to_string(&path).map_err(|source| CatalogError::Read { path, source })
        };
        let mut further = Vec::new();
        for path in entries(&folder)? {
            if let Some(name) = further_name(&path) {
                let text = std::fs::read_to_string(&path)
                    .map_err(|source| CatalogError::Read { path, source })?;
                further.push(FurtherSql { name, text });
            }
        }
        sources.push(parse(&name, &text("source.toml")?, &text("normalize.sql")?, further)?);
    }
    Ok(sources)
}

/// What stands in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CatalogError> {
    let list = std::fs::read_dir(folder);
    let mut paths: Vec<PathBuf> = list
        .and_then(|it| it.map(|entry| entry.map(|it| it.path())).collect())
        .map_err(|source| CatalogError::Read { path: folder.to_owned(), source })?;
    paths.sort();
    Ok(paths)
}

/// The name of a further row, if that is what a file of a source's folder is about.
fn further_name(path: &Path) -> Option<String> {
    let is_sql = path.extension().is_some_and(|it| it == "sql");
    let name = path.file_stem()?.to_string_lossy();
    // Editors keep files of their own beside, whose names begin with a dot.
    (is_sql && name != "normalize" && !name.starts_with('.')).then(|| name.into_owned())
}

fn parse(
    name: &str,
    toml: &str,
    sql: &str,
    further: Vec<FurtherSql>,
) -> Result<Source, CatalogError> {
    Source::parse(name, toml, sql)
        .and_then(|it| it.with_further(further))
        .map_err(|it| CatalogError::Source { name: name.to_owned(), source: Box::new(it) })
}
