//! `lastuse verify-certificate`: is it genuine, and what does it say?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use lastuse_certificate::{
    FileError, PUBLIC_NAME, PublicKey, Verified, VerifyError, read_certificate, read_public_key,
    verify,
};
use lastuse_render::{escape, json_text};
use serde_json::{Map, Value};

use crate::errors::{hinted, hinted_by};
use crate::output::say;
use crate::workspace::Workspace;

/// How many rows of a list people are shown.
const ROWS_SHOWN: usize = 20;
/// How much of one text people are shown, in characters.
const TEXT_SHOWN: usize = 200;

/// Flags of `verify-certificate`.
#[derive(Debug, Args)]
pub struct VerifyCertificateArgs {
    /// The certificate
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Public key to trust: Ed25519, PEM; may be given several times [default: DIR/certificate.pub]
    #[arg(long, value_name = "FILE")]
    pub public_key: Vec<PathBuf>,
    /// How to print what it says: table, or json for its predicate
    #[arg(long, default_value = TABLE, value_name = "FORMAT", value_parser = [TABLE, JSON])]
    pub format: String,
}

/// A summary, for people.
const TABLE: &str = "table";
/// The whole predicate, for scripts.
const JSON: &str = "json";

/// Runs `verify-certificate`.
pub fn run(workspace: &Workspace, args: &VerifyCertificateArgs) -> anyhow::Result<u8> {
    let keys = trusted(workspace, &args.public_key)?;
    let doing = || format!("cannot verify the certificate `{}`", args.file.display());
    let bytes = read_certificate(&args.file).with_context(doing)?;
    let verified = verify(&bytes, &keys).map_err(hint).with_context(doing)?;
    match args.format.as_str() {
        JSON => say!("{}", json_text(&Value::Object(verified.statement.predicate))?),
        _ => print(&verified)?,
    }
    Ok(0)
}

/// The keys whose certificates are believed: those given, else the data directory's own.
fn trusted(workspace: &Workspace, given: &[PathBuf]) -> anyhow::Result<Vec<PublicKey>> {
    let own = workspace.global.data.join(PUBLIC_NAME);
    let paths = if given.is_empty() { std::slice::from_ref(&own) } else { given };
    if given.is_empty() && !own.exists() {
        return Err(hinted(
            format!("there is no public key to verify with: `{}` is not there", own.display()),
            "name the signer's public key with --public-key FILE",
        ));
    }
    paths.iter().map(|it| public_key(it)).collect()
}

fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    read_public_key(path).map_err(|error| match error {
        FileError::Key { .. } => hinted_by(
            error,
            "it must be an Ed25519 public key in PEM, as `openssl pkey -in KEY -pubout` writes it",
        ),
        _ => error.into(),
    })
}

fn hint(error: VerifyError) -> anyhow::Error {
    let hint = match &error {
        VerifyError::UnknownKey { .. } => {
            "get the signer's public key from somebody you trust, not from where the certificate came, and name it with --public-key FILE"
        }
        _ => "do not act on it; ask its author for the file as it was written",
    };
    hinted_by(error, hint)
}

/// What it says, in short. It is genuine, and still nothing of it may steer a terminal.
fn print(verified: &Verified) -> anyhow::Result<()> {
    let predicate = &verified.statement.predicate;
    say!("genuine: signed by the key {}", verified.key.key_id());
    for (label, name) in [
        ("secret", "secret_id"),
        ("version", "version"),
        ("verdict", "verdict"),
        ("as of", "as_of_time"),
        ("soak until", "soak_until_time"),
        ("wait until", "wait_until_time"),
        ("tail expires", "tail_expires_time"),
        ("policy", "policy"),
        ("tool", "tool"),
    ] {
        say!("{label:<12}  {}", member(predicate, name));
    }
    let states: Vec<String> =
        states(predicate).iter().map(|(state, count)| format!("{count} {state}")).collect();
    say!("{:<12}  {}", "consumers", if states.is_empty() { "-".into() } else { states.join(", ") });
    let subjects = &verified.statement.subject;
    let hashed = subjects.iter().filter(|it| it.digest.contains_key("sha256")).count();
    say!("{:<12}  {}, {hashed} of them with SHA-256", "inputs", subjects.len());
    say!("{:<12}  {}", "coverage", rows(predicate, "coverage").len());
    for row in rows(predicate, "coverage").iter().take(ROWS_SHOWN) {
        say!("  {}", coverage(row));
    }
    if rows(predicate, "coverage").len() > ROWS_SHOWN {
        say!("  ... (all with --format json)");
    }
    Ok(())
}

fn rows<'a>(predicate: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    predicate.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One source and scope: up to when it is complete, and what it may not show.
fn coverage(row: &Value) -> String {
    let Value::Object(row) = row else { return text(row) };
    let count = |name: &str| rows(row, name).len();
    format!(
        "{}  {}  {} to {}  holes {}, blind spots {}",
        member(row, "source"),
        member(row, "scope"),
        member(row, "start_time"),
        member(row, "watermark_time"),
        count("holes"),
        count("blind_spots"),
    )
}

/// How many consumers are in which state.
fn states(predicate: &Map<String, Value>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for it in rows(predicate, "consumers") {
        *counts.entry(it.get("state").map_or_else(|| "-".to_owned(), text)).or_default() += 1;
    }
    counts.into_iter().take(ROWS_SHOWN).collect()
}

fn member(object: &Map<String, Value>, name: &str) -> String {
    object.get(name).map_or_else(|| "-".to_owned(), text)
}

/// A value on one line, cut, with nothing hidden in it.
fn text(value: &Value) -> String {
    let whole = match value {
        Value::Null => return "-".to_owned(),
        Value::String(it) if it.is_empty() => return "-".to_owned(),
        Value::String(it) => escape(it).into_owned(),
        it => json_text(it).unwrap_or_default(),
    };
    match whole.char_indices().nth(TEXT_SHOWN) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}
