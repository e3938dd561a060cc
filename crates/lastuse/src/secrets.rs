//! `lastuse secrets`: import and list secrets and what they are known by.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use lastuse_model::kind;
use lastuse_model::registry::{
    Consumer, Registry, RegistryFormat, ResolvedIdentifier, ResolvedRegistry, ResolvedVersion,
    SecretSource, resolve,
};
use lastuse_store::Store;
use zeroize::Zeroizing;

use crate::output::{OutputArgs, print, say};
use crate::workspace::Workspace;

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub enum SecretsCommand {
    /// Import registry files (YAML or JSON); importing again changes nothing
    Import {
        /// The registry files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Forget the secrets of earlier imports that these files do not name
        #[arg(long)]
        replace: bool,
    },
    /// List secrets, versions, their state and the identifiers known
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
}

/// Runs `secrets`.
pub fn run(workspace: &Workspace, command: &SecretsCommand) -> anyhow::Result<u8> {
    match command {
        SecretsCommand::Import { files, replace } => {
            let store = workspace.store()?;
            let Imported { counts, others } = import(workspace, &store, files, *replace)?;
            for (file, (secrets, versions)) in files.iter().zip(counts) {
                say!("imported `{}`: secrets {secrets}, versions {versions}", file.display());
            }
            if others > 0 {
                let secrets = if others == 1 { "secret" } else { "secrets" };
                let done = if *replace { "forgot" } else { "kept" };
                let how = if *replace { "" } else { "; --replace forgets them" };
                eprintln!(
                    "note: {done} {others} {secrets} of earlier imports that no file names{how}"
                );
            }
        }
        SecretsCommand::List { output } => {
            let store = workspace.existing_store()?;
            let catalog = workspace.catalog(&store)?;
            let answer = workspace.runtime.block_on(catalog.report_rows("secrets", None))?;
            print(&answer, output.format)?;
        }
    }
    Ok(0)
}

/// What an import did.
pub struct Imported {
    /// How many secrets and versions each file has.
    pub counts: Vec<(usize, usize)>,
    /// How many secrets of earlier imports no file names.
    pub others: usize,
}

/// Takes registry files into the store: all of them or, if one is wrong, none. `replace` forgets
/// what was imported before.
pub fn import(
    workspace: &Workspace,
    store: &Store,
    files: &[PathBuf],
    replace: bool,
) -> anyhow::Result<Imported> {
    let before: ResolvedRegistry = workspace.registry(store)?;
    let mut named = ResolvedRegistry::default();
    let mut counts = Vec::new();
    for file in files {
        let resolved = read(workspace, file)?;
        let versions = resolved.secrets.iter().map(|it| it.versions.len()).sum();
        counts.push((resolved.secrets.len(), versions));
        named.merge(resolved);
    }
    let is_other = |id: &str| named.secrets.iter().all(|it| it.id != id);
    let others = before.secrets.iter().filter(|it| is_other(&it.id)).count();
    let all = match replace {
        true => named,
        false => {
            let mut all = before;
            all.merge(named);
            all
        }
    };
    for conflict in all.conflicts() {
        let names: Vec<_> =
            conflict.versions.iter().map(|it| format!("`{}` version `{}`", it.0, it.1)).collect();
        eprintln!(
            "warning: {} are known by the same credential {}",
            names.join(" and "),
            conflict.credential_uid.short()
        );
    }
    let text = serde_json::to_string(&all).context("cannot write the registry")?;
    store.put_registry(&text)?;
    Ok(Imported { counts, others })
}

/// What one registry file says, with its secrets fingerprinted.
fn read(workspace: &Workspace, file: &Path) -> anyhow::Result<ResolvedRegistry> {
    let doing = || format!("cannot import `{}`", file.display());
    let text = std::fs::read_to_string(file).map(Zeroizing::new).with_context(doing)?;
    let format = RegistryFormat::of_name(&file.to_string_lossy());
    let registry = Registry::parse(&text, format).with_context(doing)?;
    let key = workspace.key()?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let (resolved, doubts) =
        resolve(&registry, &key, &|it| read_secret(folder, it)).with_context(doing)?;
    doubts.iter().for_each(|it| eprintln!("warning: {it}"));
    for secret in &resolved.secrets {
        for version in secret.versions.iter().filter(|it| it.identifiers.is_empty()) {
            eprintln!(
                "warning: `{}` version `{}` has no identifier: no log can show its use",
                secret.id, version.version
            );
        }
        secret.versions.iter().for_each(|it| warn_of_scopes(&secret.id, it));
        let unread = |it: &&Consumer| it.schedule.is_some() && it.interval_seconds().is_none();
        for it in secret.consumers.iter().filter(unread) {
            eprintln!(
                "warning: `{}`: the schedule of `{}` tells no interval and has no effect; write `daily`, `monthly`, `6h` or `15m`",
                secret.id, it.workload
            );
        }
    }
    Ok(resolved)
}

/// A kind of a source of one's own has no scope by nature: an identifier without one never matches
/// where the source sets one, and its version would look quiet.
fn warn_of_scopes(secret_id: &str, version: &ResolvedVersion) {
    let is_alone = |it: &&ResolvedIdentifier| kind::find(&it.kind).is_none() && it.scope.is_none();
    for it in version.identifiers.iter().filter(is_alone) {
        eprintln!(
            "warning: `{secret_id}` version `{}`: the kind `{}` is not one that lastuse knows; if its source sets a scope, give the same here, or no log will match",
            version.version, it.kind
        );
    }
}

fn read_secret(folder: &Path, source: &SecretSource) -> Result<Zeroizing<Vec<u8>>, std::io::Error> {
    match source {
        SecretSource::Env(name) => match std::env::var_os(name) {
            Some(value) => Ok(Zeroizing::new(value.into_encoded_bytes())),
            None => {
                Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the variable is not set"))
            }
        },
        SecretSource::File(path) => std::fs::read(folder.join(path)).map(Zeroizing::new),
    }
}
