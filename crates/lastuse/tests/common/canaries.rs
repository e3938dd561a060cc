//! Raw secrets in every encoding, and where they may not stand: finds them in files, Parquet
//! included, and in output.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use aho_corasick::AhoCorasick;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use lastuse_estate::files;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

/// The encodings in which a secret is written into logs, and looked for everywhere.
pub const ENCODINGS: [&str; 14] = [
    "as it is",
    "percent, where needed",
    "percent, where needed, in lower case",
    "percent, every byte",
    "percent, every byte, in lower case",
    "percent, twice",
    "base64",
    "base64 of a name and the secret",
    "base64url without padding",
    "hexadecimal",
    "hexadecimal in upper case",
    "JSON escapes",
    "HTML entities",
    "UTF-16 read as bytes",
];

/// The secret in one of the encodings.
pub fn encode(encoding: &str, secret: &str) -> String {
    let bytes = secret.as_bytes();
    match encoding {
        "as it is" => secret.to_owned(),
        "percent, where needed" => percent(bytes, false, "%"),
        "percent, where needed, in lower case" => lower_escapes(&percent(bytes, false, "%")),
        "percent, every byte" => percent(bytes, true, "%"),
        "percent, every byte, in lower case" => lower_escapes(&percent(bytes, true, "%")),
        "percent, twice" => percent(bytes, true, "%25"),
        "base64" => BASE64.encode(bytes),
        "base64 of a name and the secret" => BASE64.encode(format!("name:{secret}").as_bytes()),
        "base64url without padding" => BASE64URL_NOPAD.encode(bytes),
        "hexadecimal" => HEXLOWER.encode(bytes),
        "hexadecimal in upper case" => HEXUPPER.encode(bytes),
        "JSON escapes" => escapes(secret, "\\u", 4, ""),
        "HTML entities" => escapes(secret, "&#x", 0, ";"),
        "UTF-16 read as bytes" => secret.chars().flat_map(|it| [it, '\0']).collect(),
        other => panic!("there is no encoding `{other}`"),
    }
}

fn percent(bytes: &[u8], all: bool, sign: &str) -> String {
    let mut out = String::new();
    for byte in bytes {
        if !all && (byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "{sign}{byte:02X}");
        }
    }
    out
}

/// `%2F` becomes `%2f`; letters that are not part of an escape stay.
fn lower_escapes(text: &str) -> String {
    let mut out = String::new();
    let mut left = 0;
    for it in text.chars() {
        out.push(if left > 0 { it.to_ascii_lowercase() } else { it });
        left = if it == '%' { 2 } else { left - i32::from(left > 0) };
    }
    out
}

fn escapes(text: &str, before: &str, width: usize, after: &str) -> String {
    let mut out = String::new();
    for it in text.chars() {
        let _ = write!(out, "{before}{:0width$x}{after}", u32::from(it));
    }
    out
}

/// Everything that gives a secret away: its encodings, what of its base64 shows at any
/// alignment, its UTF-16 in both orders, and its plain SHA-256.
fn tells(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let mut all: Vec<(&'static str, Vec<u8>)> = ENCODINGS
        .iter()
        .filter(|it| **it != "UTF-16 read as bytes")
        .map(|it| (*it, encode(it, secret).into_bytes()))
        .collect();
    for shift in 0..3 {
        // Only whole groups of the secret alone, whatever stands around it.
        let start = (3 - shift) % 3;
        let inner = &bytes[start..start + (bytes.len() - start) / 3 * 3];
        all.push(("base64 inside other text", BASE64.encode(inner).into_bytes()));
        all.push(("base64url inside other text", BASE64URL_NOPAD.encode(inner).into_bytes()));
    }
    let units: Vec<u16> = secret.encode_utf16().collect();
    all.push(("UTF-16LE", units.iter().flat_map(|it| it.to_le_bytes()).collect()));
    all.push(("UTF-16BE", units.iter().flat_map(|it| it.to_be_bytes()).collect()));
    all.push(("escaped slashes", secret.replace('/', "\\/").into_bytes()));
    let digest = Sha256::digest(bytes);
    all.push(("plain SHA-256", digest.to_vec()));
    all.push(("plain SHA-256 in hexadecimal", HEXLOWER.encode(&digest).into_bytes()));
    all.push(("plain SHA-256 in base64", BASE64.encode(&digest).into_bytes()));
    all
}

/// Looks for canaries.
pub struct Hunter {
    automaton: AhoCorasick,
    names: Vec<String>,
}

impl Hunter {
    /// For these secrets.
    pub fn new(secrets: &[String]) -> Self {
        let (mut names, mut needles) = (Vec::new(), Vec::new());
        for (number, secret) in secrets.iter().enumerate() {
            assert!(secret.len() >= 16, "too short to be found for certain");
            for (form, needle) in tells(secret) {
                names.push(format!("canary {number} ({form})"));
                needles.push(needle);
            }
        }
        let automaton = AhoCorasick::new(&needles).expect("an automaton");
        Self { automaton, names }
    }

    /// What stands in these bytes, each with what surrounds it.
    pub fn find(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for it in self.automaton.find_overlapping_iter(bytes) {
            let around = &bytes[it.start().saturating_sub(60)..(it.end() + 20).min(bytes.len())];
            found.push(format!(
                "{} in …{}…",
                self.names[it.pattern().as_usize()],
                String::from_utf8_lossy(around)
            ));
        }
        found
    }

    /// Checks that none stands in a text.
    #[track_caller]
    pub fn assert_clean(&self, what: &str, text: &str) {
        let found = self.find(text.as_bytes());
        assert!(
            found.is_empty(),
            "{what}: {} found, such as {:#?}",
            found.len(),
            &found[..found.len().min(5)]
        );
    }

    /// Checks that none stands in any file of a folder: neither in its bytes nor, for
    /// Parquet, in the values of its columns. How many Parquet files there are.
    #[track_caller]
    pub fn assert_folder_is_clean(&self, root: &Path) -> usize {
        let mut found = Vec::new();
        let mut tables = 0;
        for path in files(root).expect("lists") {
            let name = path.strip_prefix(root).expect("below").display().to_string();
            let bytes = fs::read(&path).expect("reads");
            assert!(!bytes.starts_with(b"\x1f\x8b"), "{name} is compressed: look inside");
            let mut told: Vec<_> = self.find(&bytes);
            told.extend(self.find(name.as_bytes()));
            if bytes.starts_with(b"PAR1") {
                tables += 1;
                told.extend(self.find(values(&path).as_bytes()));
            }
            found.extend(told.into_iter().map(|it| format!("{name}: {it}")));
        }
        let shown = &found[..found.len().min(12)];
        assert!(found.is_empty(), "{} found, such as {shown:#?}", found.len());
        tables
    }
}

/// All values of all columns of all row groups of a Parquet file, nested ones included,
/// and the file's own metadata.
fn values(path: &Path) -> String {
    let file = fs::File::open(path).expect("opens");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
    let mut out = format!("{:?}\n", builder.metadata());
    for batch in builder.build().expect("a reader") {
        let batch = batch.expect("rows");
        for column in batch.columns() {
            let options = FormatOptions::default();
            let cells = ArrayFormatter::try_new(column, &options).expect("a column to show");
            for row in 0..batch.num_rows() {
                let _ = writeln!(out, "{}", cells.value(row));
            }
        }
    }
    out
}
