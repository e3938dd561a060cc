//! Digests: what AWS CloudTrail says that it delivered.
//!
//! A digest file lists the log files that were delivered in one hour with the
//! SHA-256 of what they hold, and the hash and signature of the digest before
//! it (AWS, "CloudTrail digest file structure"). Its rows say what should have
//! been read; the view `digest_holes` compares them with what was. A digest's
//! own signature stands beside it in S3, where a copied file lacks it: so each
//! is proved by the one that follows.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use arrow::array::RecordBatch;
use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use lastuse_model::redact::Redactor;
use lastuse_model::time::{format_time, parse_time};
use lastuse_store::Table;
use ring::digest::{Context, SHA256, digest};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;

use crate::rows::{Rows, Value};
use crate::stored::Stored;

/// The source whose deliveries digests list.
pub const SOURCE: &str = "aws_cloudtrail";
/// The longest digest that is read, decoded; one of a busy hour has a megabyte.
pub(crate) const BYTES_MAX: u64 = 64 << 20;
/// How far into a file its name for itself must stand.
const GLANCE_BYTES: usize = 4096;

/// Why a file that looks like a digest is not taken for one. Holds none of its content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// It is not the JSON of a digest.
    #[error("it is not a CloudTrail digest that can be read (line {line}, column {column})")]
    Json {
        /// Where it ceases to be one.
        line: usize,
        /// Where in that line.
        column: usize,
    },
    /// A field does not hold what it should.
    #[error("it is not a CloudTrail digest that can be read: `{field}` is not as AWS writes it")]
    Field {
        /// The field.
        field: &'static str,
    },
}

/// Why public keys could not be read.
#[derive(Debug, thiserror::Error)]
#[error("it is not what `aws cloudtrail list-public-keys` prints")]
#[non_exhaustive]
pub struct KeysError {
    source: Option<serde_json::Error>,
}

/// The keys that digests are signed with, by fingerprint.
#[derive(Debug, Default)]
pub struct DigestKeys(HashMap<String, DigestKey>);

#[derive(Debug)]
struct DigestKey {
    /// A PKCS #1 public key in DER.
    der: Vec<u8>,
    /// From when to when it signs, microseconds since 1970.
    valid: (i64, i64),
}

impl DigestKeys {
    /// Reads what `aws cloudtrail list-public-keys` prints.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct List {
            public_key_list: Vec<Key>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Key {
            value: String,
            fingerprint: String,
            validity_start_time: serde_json::Value,
            validity_end_time: serde_json::Value,
        }
        // The time is a text or a number of seconds, as the tool is told to print it.
        let time = |it: &serde_json::Value| match it {
            serde_json::Value::String(text) => parse_time(text),
            number => parse_time(&number.to_string()),
        };
        let list: List =
            serde_json::from_str(text).map_err(|source| KeysError { source: Some(source) })?;
        let mut keys = HashMap::new();
        for key in list.public_key_list {
            let der = BASE64.decode(key.value.as_bytes()).ok();
            let valid = time(&key.validity_start_time).zip(time(&key.validity_end_time));
            let (Some(der), Some(valid)) = (der, valid) else {
                return Err(KeysError { source: None });
            };
            keys.insert(key.fingerprint.to_lowercase(), DigestKey { der, valid });
        }
        Ok(Self(keys))
    }

    /// Whether the signature of a digest that ended at `end_time` holds; nothing
    /// if its key is not among these.
    fn holds(&self, fingerprint: &str, end_time: i64, text: &str, signature: &str) -> Option<bool> {
        let key = self.0.get(fingerprint)?;
        if end_time < key.valid.0 || end_time > key.valid.1 {
            return None;
        }
        let Ok(signature) = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()) else {
            return Some(false);
        };
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key.der);
        Some(public.verify(text.as_bytes(), &signature).is_ok())
    }
}

/// SHA-256 in hex, as digests give it.
pub(crate) fn sha256_text(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

/// The same of all that a reader gives.
pub(crate) fn sha256_of(mut read: impl Read) -> std::io::Result<String> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match read.read(&mut buffer)? {
            0 => return Ok(HEXLOWER.encode(context.finish().as_ref())),
            length => context.update(&buffer[..length]),
        }
    }
}

/// Whether an input that begins with `head` says that it is a digest.
pub(crate) fn is_digest(head: &[u8]) -> bool {
    let head = &head[..head.len().min(GLANCE_BYTES)];
    let names = |name: &[u8]| head.windows(name.len()).any(|it| it == name);
    head.trim_ascii_start().first() == Some(&b'{')
        && names(b"\"digestS3Object\"")
        && names(b"\"digestEndTime\"")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    aws_account_id: String,
    digest_start_time: String,
    digest_end_time: String,
    digest_s3_bucket: String,
    digest_s3_object: String,
    digest_public_key_fingerprint: Option<String>,
    previous_digest_s3_bucket: Option<String>,
    previous_digest_s3_object: Option<String>,
    previous_digest_hash_value: Option<String>,
    previous_digest_signature: Option<String>,
    log_files: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    s3_bucket: String,
    s3_object: String,
    hash_value: String,
    hash_algorithm: String,
    newest_event_time: Option<String>,
    oldest_event_time: Option<String>,
}

/// What a digest says, ready for the table `digests`.
#[derive(Debug)]
pub(crate) struct Digest {
    account: String,
    chain: String,
    rows: Vec<Claim>,
}

/// One row: the digest itself, the one before it, or a log file that it lists.
#[derive(Debug)]
struct Claim {
    kind: &'static str,
    object: String,
    content_sha256: String,
    span: (i64, i64),
    signature: Option<String>,
    key_fingerprint: Option<String>,
    state: Option<&'static str>,
}

impl Digest {
    /// Reads a digest. What is kept of it passes the redactor, or is hex, a time
    /// or an account's number.
    pub(crate) fn parse(content: &[u8], redactor: &Redactor) -> Result<Self, DigestError> {
        let it: Document = serde_json::from_slice(content)
            .map_err(|it| DigestError::Json { line: it.line(), column: it.column() })?;
        let span = (
            time("digestStartTime", &it.digest_start_time)?,
            time("digestEndTime", &it.digest_end_time)?,
        );
        let account = it.aws_account_id;
        if account.is_empty() || account.len() > 16 || !account.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(DigestError::Field { field: "awsAccountId" });
        }
        let place = format!("{}/{}", it.digest_s3_bucket, it.digest_s3_object);
        let object = redactor.redact(&place).into_owned();
        // The signature covers these two as AWS wrote them.
        let kept = object == place && format_time(span.1) == it.digest_end_time;
        let chain = chain_of(&object);
        let mut rows = vec![Claim {
            kind: "digest",
            object,
            content_sha256: sha256_text(content),
            span,
            signature: None,
            key_fingerprint: it.digest_public_key_fingerprint.filter(|it| is_hex(it, 128)),
            state: (!kept).then_some("unverifiable"),
        }];
        if let Some(object) = it.previous_digest_s3_object {
            let bucket = it.previous_digest_s3_bucket.unwrap_or_default();
            let hash = it.previous_digest_hash_value.unwrap_or_default();
            let signature = it.previous_digest_signature;
            rows.push(Claim {
                kind: "previous",
                object: redactor.redact(&format!("{bucket}/{object}")).into_owned(),
                content_sha256: hex_hash("previousDigestHashValue", hash)?,
                span,
                // What is no signature proves nothing, and is kept as that.
                signature: signature.map(|it| if is_hex(&it, 4096) { it } else { String::new() }),
                key_fingerprint: None,
                state: None,
            });
        }
        for log in it.log_files {
            rows.push(log.claim(span, redactor)?);
        }
        Ok(Self { account, chain, rows })
    }

    /// How many rows it has.
    pub(crate) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Appends its rows, read from the file `file_uid`.
    pub(crate) fn add_to(&self, rows: &mut Rows, file_uid: &str) {
        for it in &self.rows {
            rows.push(&[
                Value::Text(Some(file_uid)),
                Value::Text(Some(SOURCE)),
                Value::Text(Some(&self.account)),
                Value::Text(Some(it.kind)),
                Value::Text(Some(&self.chain)),
                Value::Text(Some(&it.object)),
                Value::Text(Some(&it.content_sha256)),
                Value::Number(it.span.0),
                Value::Number(it.span.1),
                Value::Text(it.signature.as_deref()),
                Value::Text(it.key_fingerprint.as_deref()),
                Value::Text(it.state),
            ]);
        }
    }
}

impl Listed {
    /// Without times of its own, a log file may be of any time of its digest's hour.
    fn claim(self, hour: (i64, i64), redactor: &Redactor) -> Result<Claim, DigestError> {
        if self.hash_algorithm != "SHA-256" {
            return Err(DigestError::Field { field: "logFiles.hashAlgorithm" });
        }
        let span = match (self.oldest_event_time, self.newest_event_time) {
            (Some(oldest), Some(newest)) => (
                time("logFiles.oldestEventTime", &oldest)?,
                time("logFiles.newestEventTime", &newest)?,
            ),
            _ => hour,
        };
        Ok(Claim {
            kind: "log",
            object: redactor.redact(&format!("{}/{}", self.s3_bucket, self.s3_object)).into_owned(),
            content_sha256: hex_hash("logFiles.hashValue", self.hash_value)?,
            span,
            signature: None,
            key_fingerprint: None,
            state: None,
        })
    }
}

fn time(field: &'static str, text: &str) -> Result<i64, DigestError> {
    parse_time(text).ok_or(DigestError::Field { field })
}

fn is_hex(text: &str, longest: usize) -> bool {
    text.len() <= longest && text.bytes().all(|it| it.is_ascii_hexdigit())
}

fn hex_hash(field: &'static str, text: String) -> Result<String, DigestError> {
    match text.len() == 64 && is_hex(&text, 64) {
        true => Ok(text.to_lowercase()),
        false => Err(DigestError::Field { field }),
    }
}

/// The name of a digest without its time: that of all digests of one trail and
/// region. Those that list what came too late for their hour stand apart.
fn chain_of(object: &str) -> String {
    let name = object.rsplit('/').next().unwrap_or(object);
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let name = name.strip_suffix(".json").unwrap_or(name);
    match name.strip_suffix("_backfill") {
        Some(name) => format!("{}_backfill", name.rsplit_once('_').map_or(name, |it| it.0)),
        None => name.rsplit_once('_').map_or(name, |it| it.0).to_owned(),
    }
}

/// What one digest says of itself, as far as its signature covers it.
struct Signed {
    span: (i64, i64),
    source_scope: String,
    chain: String,
    key_fingerprint: String,
    file_uid: String,
}

/// A digest's object and hash.
type Named = (String, String);

/// What the stored rows say of signatures.
#[derive(Default)]
struct Signatures {
    digests: HashMap<Named, Signed>,
    /// The digest, the file of the one that follows it, and the signature it gives.
    given: Vec<(Named, String, String)>,
    /// By file of a digest: the signature of the one before it.
    before: HashMap<String, String>,
    /// Signatures that were checked, by digest and file that gives it.
    checked: HashSet<(Named, String)>,
}

impl Signatures {
    fn learn(&mut self, batch: &RecordBatch) {
        let rows = Stored::new(batch);
        for row in 0..rows.row_count() {
            let text = |name: &str| rows.text(name, row).unwrap_or_default().to_owned();
            let named = (text("object"), text("content_sha256"));
            match rows.text("kind", row) {
                Some("digest") if rows.text("state", row).is_none() => {
                    let signed = Signed {
                        span: (rows.number("start_time", row), rows.number("end_time", row)),
                        source_scope: text("source_scope"),
                        chain: text("chain"),
                        key_fingerprint: text("key_fingerprint").to_lowercase(),
                        file_uid: text("file_uid"),
                    };
                    self.digests.insert(named, signed);
                }
                Some("previous") => {
                    if let Some(signature) = rows.text("signature", row) {
                        self.before.insert(text("file_uid"), signature.to_owned());
                        self.given.push((named, text("file_uid"), signature.to_owned()));
                    }
                }
                Some("signature") => drop(self.checked.insert((named, text("file_uid")))),
                _ => {}
            }
        }
    }
}

/// Rows for signatures that were not checked before: each is that of a digest,
/// given by the one that follows, under one of `keys`.
pub(crate) fn check_signatures(batches: &[RecordBatch], keys: &DigestKeys) -> Rows {
    let mut all = Signatures::default();
    batches.iter().for_each(|it| all.learn(it));
    all.given.sort_unstable();
    let mut rows = Rows::new(Table::Digests);
    for (named, by, signature) in all.given {
        let Some(it) = all.digests.get(&named) else { continue };
        let (object, hash) = &named;
        let before = all.before.get(&it.file_uid).map_or("null", String::as_str);
        let text = format!("{}\n{object}\n{hash}\n{before}", format_time(it.span.1));
        let holds = || keys.holds(&it.key_fingerprint, it.span.1, &text, &signature);
        // Copies of one digest give a signature more than once.
        if !all.checked.insert((named.clone(), by.clone())) {
            continue;
        }
        let Some(holds) = holds() else { continue };
        rows.push(&[
            Value::Text(Some(&by)),
            Value::Text(Some(SOURCE)),
            Value::Text(Some(&it.source_scope)),
            Value::Text(Some("signature")),
            Value::Text(Some(&it.chain)),
            Value::Text(Some(object)),
            Value::Text(Some(hash)),
            Value::Number(it.span.0),
            Value::Number(it.span.1),
            Value::Text(Some(&signature)),
            Value::Text(Some(&it.key_fingerprint)),
            Value::Text(Some(if holds { "valid" } else { "invalid" })),
        ]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use lastuse_model::fingerprint::FingerprintKey;

    use super::*;

    const DIGEST: &str = r#"{"awsAccountId": "111122223333", "digestStartTime": "2026-05-01T01:00:31Z",
        "digestEndTime": "2026-05-01T02:00:31Z", "digestS3Bucket": "trail", "digestS3Object":
        "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/05/01/111122223333_CloudTrail-Digest_us-east-1_all_us-east-1_20260501T020031Z.json.gz",
        "logFiles": []}"#;

    fn parse(text: &str) -> Result<Digest, DigestError> {
        let redactor = Redactor::new(FingerprintKey::from_bytes(&[7; 32]), Vec::new());
        Digest::parse(text.as_bytes(), &redactor)
    }

    #[test]
    fn a_digest_is_told_by_its_head() {
        assert!(is_digest(DIGEST.as_bytes()));
        assert!(!is_digest(br#"{"Records":[{"eventSource":"s3.amazonaws.com"}]}"#));
        assert!(!is_digest(format!("[{DIGEST}]").as_bytes()));
    }

    #[test]
    fn digests_of_one_trail_and_region_are_a_chain() {
        let chain = "111122223333_CloudTrail-Digest_us-east-1_all_us-east-1";
        assert_eq!(parse(DIGEST).unwrap().chain, chain);
        assert_eq!(chain_of(&format!("b/{chain}_20260501T020031Z.json.gz")), chain);
        let late = format!("{chain}_20260501T020031Z_backfill.json.gz");
        assert_eq!(chain_of(&late), format!("{chain}_backfill"));
    }

    #[test]
    fn a_secret_in_the_name_of_a_file_is_not_kept() {
        let secret = ["ghp_", "9xQ2mV7rT4kLw8ZbN3cY6dHs1JfPa5RuGeKo"].concat();
        let digest = parse(&DIGEST.replace("AWSLogs/", &format!("{secret}/AWSLogs/"))).unwrap();
        assert!(!format!("{digest:?}").contains(&secret), "{digest:?}");
        assert_eq!(digest.rows[0].state, Some("unverifiable"));
    }

    #[test]
    fn an_hour_in_which_a_file_has_no_times_is_that_of_its_digest() {
        let log = r#""logFiles": [{"s3Bucket": "trail", "s3Object": "a.json.gz", "hashValue": "AB",
            "hashAlgorithm": "SHA-256", "newestEventTime": null, "oldestEventTime": null}]"#;
        let log = log.replace("AB", &"AB".repeat(32));
        let digest = parse(&DIGEST.replace(r#""logFiles": []"#, &log)).unwrap();
        assert_eq!(digest.rows[1].span, digest.rows[0].span);
        assert_eq!(digest.rows[1].content_sha256, "ab".repeat(32));
    }

    #[test]
    fn what_is_not_as_aws_writes_it_is_refused() {
        for (from, to) in [
            ("\"111122223333\"", "\"an account\""),
            ("2026-05-01T01:00:31Z", "in the morning"),
            ("\"logFiles\": []", "\"logFiles\": {}"),
        ] {
            let error = parse(&DIGEST.replace(from, to)).unwrap_err().to_string();
            assert!(!error.contains(to), "{error}");
        }
    }
}
