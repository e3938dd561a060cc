//! OpenSSL reads the keys and checks the signatures that are made here, and the other way round.
//! Skipped with a printed line where there is no `openssl` that knows Ed25519.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use data_encoding::BASE64;
use lastuse_certificate::{
    PAYLOAD_TYPE, PRIVATE_NAME, PUBLIC_NAME, Statement, Subject, pae, read_public_key,
    read_signing_key, sign, signing_key_in, verify,
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A folder with a key that OpenSSL made, or none where it cannot.
struct Case {
    folder: TempDir,
}

impl Case {
    fn new() -> Option<Self> {
        let case = Self { folder: tempfile::tempdir().expect("a folder") };
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "ed25519", "-out"])
            .arg(case.path("key.pem"))
            .output();
        let works = made.as_ref().is_ok_and(|it| it.status.success());
        if !works {
            println!("skipped: there is no openssl that makes Ed25519 keys ({made:?})");
            return None;
        }
        let path = case.path("key.pem");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path, mode).expect("sets");
        case.openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem"]);
        Some(case)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `openssl` in the folder, which must go well.
    #[track_caller]
    fn openssl(&self, args: &[&str]) -> Output {
        let done = Command::new("openssl").args(args).current_dir(self.folder.path()).output();
        let done = done.expect("openssl runs");
        assert!(done.status.success(), "{args:?}: {done:?}");
        done
    }
}

fn non_use() -> Statement {
    let digest = [("sha256".to_owned(), "00".repeat(32))].into();
    let subject = Subject { name: "a.log".to_owned(), digest, annotations: Map::new() };
    let predicate = json!({
        "secret_id": "a", "version": "1", "verdict": "not_used", "as_of_time": "", "reasons": [],
        "consumers": [], "coverage": [], "policy": {}, "tool": {},
    });
    Statement::non_use(vec![subject], predicate).expect("a statement")
}

/// What is signed, and the signature.
fn signed(certificate: &str) -> (Vec<u8>, Vec<u8>) {
    let envelope: Value = serde_json::from_str(certificate).expect("JSON");
    let bytes = |it: &Value| BASE64.decode(it.as_str().expect("text").as_bytes()).expect("base64");
    let payload = bytes(&envelope["payload"]);
    assert_eq!(envelope["payloadType"], PAYLOAD_TYPE);
    (pae(PAYLOAD_TYPE, &payload), bytes(&envelope["signatures"][0]["sig"]))
}

#[test]
fn openssl_accepts_what_is_signed_with_a_key_of_openssl() {
    let Some(case) = Case::new() else { return };
    let key = read_signing_key(&case.path("key.pem")).expect("a key");
    let (message, signature) = signed(&sign(&non_use(), &key).expect("signs"));
    fs::write(case.path("message"), message).expect("writes");
    fs::write(case.path("signature"), signature).expect("writes");
    let check = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "pub.pem"];
    case.openssl(&[&check[..], &["-sigfile", "signature", "-in", "message"]].concat());
}

#[test]
fn what_openssl_signs_is_verified() {
    let Some(case) = Case::new() else { return };
    let key = read_signing_key(&case.path("key.pem")).expect("a key");
    let ours = sign(&non_use(), &key).expect("signs");
    let (message, signature) = signed(&ours);
    fs::write(case.path("message"), message).expect("writes");
    let make = ["pkeyutl", "-sign", "-rawin", "-inkey", "key.pem"];
    case.openssl(&[&make[..], &["-in", "message", "-out", "signature"]].concat());
    // Ed25519 is deterministic: the bytes are the same, and so is the certificate.
    let theirs = fs::read(case.path("signature")).expect("reads");
    assert_eq!(theirs, signature);
    let public = read_public_key(&case.path("pub.pem")).expect("a key");
    let verified = verify(ours.as_bytes(), &[public]).expect("genuine");
    assert_eq!(verified.statement, non_use());
}

#[test]
fn openssl_reads_the_keys_that_are_made_here() {
    let Some(case) = Case::new() else { return };
    let key = signing_key_in(case.folder.path()).expect("a key");
    let public = case.openssl(&["pkey", "-in", PRIVATE_NAME, "-pubout"]).stdout;
    assert_eq!(public, fs::read(case.path(PUBLIC_NAME)).expect("reads"));
    assert_eq!(String::from_utf8(public).expect("UTF-8"), key.public().to_pem());
    // And writes the private key in the same bytes.
    let again = case.openssl(&["pkey", "-in", PRIVATE_NAME]).stdout;
    assert_eq!(again, fs::read(case.path(PRIVATE_NAME)).expect("reads"));
}

#[test]
fn a_key_is_called_by_the_hash_that_openssl_gives_its_public_key() {
    let Some(case) = Case::new() else { return };
    let key = read_public_key(&case.path("pub.pem")).expect("a key");
    let der = ["pkey", "-pubin", "-in", "pub.pem", "-outform", "DER", "-out", "pub.der"];
    case.openssl(&der);
    let hash = case.openssl(&["dgst", "-sha256", "-r", "pub.der"]).stdout;
    assert!(String::from_utf8_lossy(&hash).starts_with(&key.key_id()), "{hash:?}");
}

#[test]
fn keys_of_other_kinds_are_refused() {
    let Some(case) = Case::new() else { return };
    let refused = |path: &Path| read_signing_key(path).expect_err("refused").to_string();
    let make = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    case.openssl(&[&make[..], &["-out", "ec.pem"]].concat());
    let lock = ["pkey", "-in", "key.pem", "-aes256", "-passout", "pass:x", "-out", "locked.pem"];
    case.openssl(&lock);
    for name in ["ec.pem", "locked.pem"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(case.path(name), mode).expect("sets");
        assert!(refused(&case.path(name)).contains("cannot use the key file"), "{name}");
    }
    case.openssl(&["pkey", "-in", "ec.pem", "-pubout", "-out", "ec.pub"]);
    assert!(read_public_key(&case.path("ec.pub")).is_err());
}
