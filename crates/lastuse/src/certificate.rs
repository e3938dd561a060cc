//! Certificates of non-use as commands write them: the key, the inputs, the file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use lastuse_certificate::{FileError, SigningKey, Statement, StatementError, Subject};
use lastuse_query::{Catalog, QueryLimits};
use serde_json::{Value, json};

use crate::errors::hinted_by;
use crate::output::{Row, objects};
use crate::workspace::Workspace;

/// How long listing the inputs may take.
const INPUTS_TIME: Duration = Duration::from_secs(600);

/// The name of our keyed hash of a file's beginning among the digests of an input.
const HEAD_DIGEST: &str = "lastuseHead";

/// Where a certificate goes, and what it is signed with.
#[derive(Debug, Clone, Args)]
pub struct CertificateArgs {
    /// If the version is not used, write a signed certificate that says so
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Private key that signs it: Ed25519, PKCS #8 in PEM [default: DIR/certificate.key, made on first use]
    #[arg(long, env = "LASTUSE_SIGNING_KEY_FILE", value_name = "FILE")]
    pub signing_key: Option<PathBuf>,
}

/// Signs `predicate` and writes the certificate, if one was asked for.
///
/// The predicate is the answer with its `policy`, as docs/certificates.md has it; `tool` is added
/// here. A verdict other than `not_used` is refused, and nothing is written.
pub fn write_certificate(
    workspace: &Workspace,
    args: &CertificateArgs,
    predicate: Value,
    subjects: Vec<Subject>,
) -> anyhow::Result<()> {
    let Some(path) = &args.certificate else { return Ok(()) };
    let doing = || format!("cannot write the certificate `{}`", path.display());
    let statement = Statement::non_use(subjects, with_tool(predicate));
    let statement = statement.map_err(hint_of_statement).with_context(doing)?;
    let key = signing_key(workspace, args).map_err(hint_of_file).with_context(doing)?;
    let text = lastuse_certificate::sign(&statement, &key).with_context(doing)?;
    lastuse_certificate::write_certificate(path, &text).with_context(doing)
}

fn with_tool(mut predicate: Value) -> Value {
    if let Value::Object(members) = &mut predicate {
        let tool = json!({"name": "lastuse", "version": env!("CARGO_PKG_VERSION")});
        members.insert("tool".to_owned(), tool);
    }
    predicate
}

fn signing_key(workspace: &Workspace, args: &CertificateArgs) -> Result<SigningKey, FileError> {
    match &args.signing_key {
        Some(path) => lastuse_certificate::read_signing_key(path),
        None => lastuse_certificate::signing_key_in(&workspace.global.data),
    }
}

fn hint_of_statement(error: StatementError) -> anyhow::Error {
    match error {
        StatementError::Verdict { .. } => {
            hinted_by(error, "the reasons of the verdict say what to do first; nothing was written")
        }
        _ => error.into(),
    }
}

fn hint_of_file(error: FileError) -> anyhow::Error {
    let hint = match &error {
        FileError::ReadByOthers { path } => format!("chmod 600 {}", path.display()),
        FileError::Missing { .. } => "restore it; or, for a new key, move the public key away, and keep it: older certificates are checked with it".to_owned(),
        FileError::OtherPublic { .. } => "find out who put it there; if it is moved away, it is written again".to_owned(),
        FileError::Key { .. } => "`openssl genpkey -algorithm ed25519 -out FILE` makes one that can be used".to_owned(),
        _ => return error.into(),
    };
    hinted_by(error, hint)
}

/// The inputs that were read of these sources, as a certificate names them.
///
/// The store has SHA-256 of CloudTrail's documents only; the others are known by a keyed hash of
/// their beginning. docs/certificates.md says what either proves.
pub fn inputs(
    workspace: &Workspace,
    catalog: &Catalog,
    sources: &BTreeSet<String>,
) -> anyhow::Result<Vec<Subject>> {
    const SQL: &str = "SELECT path, source, source_scope, state, size_bytes, byte_offset, \
        head_bytes, head_hash, tail_hash, record_count, rejected_count, first_event_time, \
        last_event_time, content_sha256 FROM files ORDER BY path, file_uid";
    let limits = QueryLimits { time: INPUTS_TIME, rows: 0 };
    let answer = workspace.runtime.block_on(catalog.query(SQL, limits));
    let answer = answer.context("cannot list the inputs of the certificate")?;
    let mut rows = objects(&answer.batches)?;
    rows.retain(|it| {
        it.get("source").and_then(Value::as_str).is_some_and(|it| sources.contains(it))
    });
    Ok(rows.into_iter().map(subject).collect())
}

/// A row of `files`, without what it does not have.
fn subject(mut members: Row) -> Subject {
    members.retain(|_, it| !it.is_null());
    let mut text = |name: &str| match members.shift_remove(name) {
        Some(Value::String(it)) => Some(it),
        _ => None,
    };
    let name = text("path").unwrap_or_default();
    let digests =
        [("sha256", text("content_sha256")), (HEAD_DIGEST, text("head_hash"))].into_iter();
    let digest: BTreeMap<String, String> =
        digests.filter_map(|(name, it)| Some((name.to_owned(), it?))).collect();
    Subject { name, digest, annotations: members }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use lastuse_certificate::{PRIVATE_NAME, PUBLIC_NAME, read_public_key, verify};
    use sha2::{Digest, Sha256};

    use crate::cli::Global;
    use crate::ingest::{IngestArgs, TABLE, read};

    fn workspace(data: &Path) -> Workspace {
        let as_of = Some("2026-10-21T00:00:00Z".parse().expect("an instant"));
        let global = Global {
            data: data.to_owned(),
            key_file: None,
            sources: Vec::new(),
            as_of,
            threads: Some(2),
        };
        Workspace::new(global).expect("a workspace")
    }

    fn predicate(verdict: &str) -> Value {
        json!({
            "secret_id": "a", "version": "1", "verdict": verdict, "as_of_time": "", "reasons": [],
            "consumers": [], "coverage": [], "policy": {},
        })
    }

    fn input() -> Subject {
        let digest = BTreeMap::from([("sha256".to_owned(), "00".repeat(32))]);
        Subject { name: "a.log".to_owned(), digest, annotations: Row::new() }
    }

    fn args(path: &Path, signing_key: Option<&Path>) -> CertificateArgs {
        let signing_key = signing_key.map(Path::to_owned);
        CertificateArgs { certificate: Some(path.to_owned()), signing_key }
    }

    #[test]
    fn a_certificate_is_signed_with_the_key_of_the_data_directory_or_the_one_given() {
        let root = tempfile::tempdir().expect("a folder");
        let (data, other) = (root.path().join("data"), root.path().join("other"));
        let path = root.path().join("c.json");
        lastuse_certificate::signing_key_in(&other).expect("a key");
        let given = other.join(PRIVATE_NAME);
        for (signing_key, folder) in [(None, &data), (Some(given.as_path()), &other)] {
            let args = args(&path, signing_key);
            write_certificate(&workspace(&data), &args, predicate("not_used"), vec![input()])
                .expect("writes");
            let bytes = std::fs::read(&path).expect("reads");
            let key = read_public_key(&folder.join(PUBLIC_NAME)).expect("a key");
            let verified = verify(&bytes, &[key]).expect("genuine");
            assert_eq!(verified.statement.subject, [input()]);
            let tool = &verified.statement.predicate["tool"];
            assert_eq!(tool["version"], env!("CARGO_PKG_VERSION"));
        }
    }

    #[test]
    fn no_other_verdict_is_certified_and_no_key_is_made_for_it() {
        let root = tempfile::tempdir().expect("a folder");
        let (data, path) = (root.path().join("data"), root.path().join("c.json"));
        for verdict in ["used", "unknown"] {
            let answer = predicate(verdict);
            let args = args(&path, None);
            let error = write_certificate(&workspace(&data), &args, answer, vec![input()])
                .expect_err("refused");
            assert!(format!("{error:#}").contains(verdict), "{error:#}");
            assert!(!path.exists() && !data.exists());
        }
        let nowhere = CertificateArgs { certificate: None, signing_key: None };
        let nothing = write_certificate(&workspace(&data), &nowhere, predicate("used"), Vec::new());
        nothing.expect("nothing was asked for");
    }

    #[test]
    fn inputs_have_the_hash_that_the_store_has_of_them() {
        let root = tempfile::tempdir().expect("a folder");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        let paths = vec![fixtures.join("aws_cloudtrail"), fixtures.join("sshd/classic")];
        let workspace = workspace(root.path());
        let ingest = IngestArgs {
            paths,
            source: None,
            scope: None,
            digest_keys: None,
            format: TABLE.to_owned(),
        };
        read(&workspace, &ingest).expect("reads");
        let store = workspace.existing_store().expect("a store");
        let catalog = workspace.catalog(&store).expect("a catalog");
        let of = |names: &[&str]| {
            let names = names.iter().map(|it| (*it).to_owned()).collect();
            inputs(&workspace, &catalog, &names).expect("inputs")
        };
        let document = |it: &&Subject| it.name.contains("access_keys/input.json");
        let cloudtrail = of(&["aws_cloudtrail"]);
        let one = cloudtrail.iter().find(document).expect("the document");
        let content = std::fs::read(&one.name).expect("reads");
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&content));
        assert_eq!(one.digest["sha256"], hash);
        assert_eq!(one.annotations["size_bytes"], content.len());
        let sshd = of(&["sshd"]);
        assert!(sshd.len() == 1 && !sshd[0].digest.contains_key("sha256"), "{sshd:?}");
        assert_eq!(sshd[0].digest[HEAD_DIGEST].len(), 32);
        assert_eq!(of(&["sshd", "aws_cloudtrail"]).len(), cloudtrail.len() + 1);
        assert!(of(&[]).is_empty());
    }
}
