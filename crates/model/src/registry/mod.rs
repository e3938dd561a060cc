//! The registry: which secrets there are, their versions and identifiers, and who may use them.
//!
//! A registry is a file that people keep in version control, so it never holds
//! a raw secret: it names an environment variable or a file, a hash, a
//! fingerprint, or a public identifier. `Registry` is that file as written,
//! [`ResolvedRegistry`] what is stored: names, times and fingerprints.

mod assets;
mod error;
mod exports;
mod resolved;

use std::fmt;
use std::path::PathBuf;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

pub use assets::{Asset, Assets};
pub use error::RegistryError;
pub use resolved::{
    Conflict, Doubt, ReadSecret, ResolvedIdentifier, ResolvedRegistry, ResolvedSecret,
    ResolvedVersion, resolve,
};

use crate::kind;
use crate::time::{format_time, parse_time};

/// How a registry is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryFormat {
    /// YAML 1.2; JSON is read too.
    Yaml,
    /// JSON.
    Json,
}

impl RegistryFormat {
    /// The format that a file's name tells: `.json`, else YAML.
    pub fn of_name(name: &str) -> Self {
        let is_json = name
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("json"));
        if is_json { Self::Json } else { Self::Yaml }
    }
}

/// A registry as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// The secrets.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// Which workload lives in which network.
    #[serde(default)]
    pub assets: Vec<Asset>,
}

/// A named place that holds a credential.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Its name, such as `payments/stripe`.
    pub id: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The consumers that are meant to use it.
    #[serde(default)]
    pub consumers: Vec<Consumer>,
    /// The values it held.
    #[serde(default)]
    pub versions: Vec<Version>,
}

/// A consumer that is known to be meant to use a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// The workload's name, as events name it.
    pub workload: String,
    /// The environment it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How often it uses the secret: `hourly`, `daily`, `weekly`, `monthly`, `6h`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// From when on this consumer is declared gone, in microseconds.
    #[serde(default, with = "time_text", skip_serializing_if = "Option::is_none")]
    pub gone_time: Option<i64>,
}

impl Consumer {
    /// The time between two uses that the schedule promises, in seconds.
    pub fn interval_seconds(&self) -> Option<u64> {
        const HOUR: u64 = 3600;
        const DAY: u64 = 24 * HOUR;
        let schedule = self.schedule.as_deref()?.trim();
        match schedule {
            "hourly" => return Some(HOUR),
            "daily" | "nightly" => return Some(DAY),
            "weekly" => return Some(7 * DAY),
            "monthly" => return Some(31 * DAY),
            "quarterly" => return Some(92 * DAY),
            "yearly" => return Some(366 * DAY),
            _ => {}
        }
        let unit = match schedule.chars().last()? {
            's' => 1,
            'm' => 60,
            'h' => HOUR,
            'd' => DAY,
            'w' => 7 * DAY,
            _ => return None,
        };
        let count: u64 = schedule[..schedule.len() - 1].trim().parse().ok()?;
        count.checked_mul(unit).filter(|it| *it > 0)
    }
}

/// One value that a secret held, with its times in microseconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Its name; numbers are taken as text.
    pub version: String,
    /// From here on it may be used.
    #[serde(default, with = "time_text")]
    pub active_time: Option<i64>,
    /// From here on using it is a finding.
    #[serde(default, with = "time_text")]
    pub cutoff_time: Option<i64>,
    /// From here on the backend should refuse it.
    #[serde(default, with = "time_text")]
    pub revoked_time: Option<i64>,
    /// How logs name it.
    #[serde(default)]
    pub identifiers: Vec<Identifier>,
}

/// One way in which logs name a secret version. Exactly one of `value`, `env`, `file` is given.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    /// The kind, as in `_kind` columns of sources.
    pub kind: String,
    /// The issuer within which the value is unique; without it any scope matches.
    pub scope: Option<String>,
    /// A public identifier, a hash or a fingerprint.
    #[serde(default, deserialize_with = "secret_text")]
    pub value: Option<Zeroizing<String>>,
    /// The environment variable that holds the value.
    pub env: Option<String>,
    /// The file that holds the value, relative to the registry.
    pub file: Option<PathBuf>,
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identifier")
            .field("kind", &self.kind)
            .field("scope", &self.scope)
            .field("value", &self.value.as_ref().map(|_| "****"))
            .field("env", &self.env)
            .field("file", &self.file)
            .finish()
    }
}

/// Where a raw secret is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The environment variable of this name.
    Env(String),
    /// The file at this path, relative to the registry.
    File(PathBuf),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

impl Registry {
    /// Reads and checks a registry, or a provider's export (see `exports`). Fields that are not known are refused, so
    /// that a misspelt `cutoff_time` does not go unnoticed.
    pub fn parse(text: &str, format: RegistryFormat) -> Result<Self, RegistryError> {
        if let Some(registry) = exports::read(text) {
            let registry = registry?;
            registry.check()?;
            return Ok(registry);
        }
        let registry: Self = match format {
            RegistryFormat::Yaml if text.trim().is_empty() => Self::default(),
            RegistryFormat::Yaml => serde_saphyr::from_str(text).map_err(|it| yaml_error(&it))?,
            RegistryFormat::Json => read_json(text)?,
        };
        registry.check()?;
        Ok(registry)
    }

    fn check(&self) -> Result<(), RegistryError> {
        let mut ids = std::collections::HashSet::new();
        for secret in &self.secrets {
            named("id", &secret.id, "")?;
            if !ids.insert(secret.id.as_str()) {
                return Err(RegistryError::DuplicateSecret { id: secret.id.clone() });
            }
            secret.check()?;
        }
        Assets::new(self.assets.clone()).map(drop)
    }
}

fn named(field: &'static str, name: &str, place: &str) -> Result<(), RegistryError> {
    if name.trim().is_empty() {
        return Err(RegistryError::EmptyName { field, place: place.to_owned() });
    }
    Ok(())
}

impl Secret {
    fn check(&self) -> Result<(), RegistryError> {
        let place = format!("secret `{}`", self.id);
        for consumer in &self.consumers {
            named("workload", &consumer.workload, &place)?;
        }
        let mut names = std::collections::HashSet::new();
        for version in &self.versions {
            named("version", &version.version, &place)?;
            if !names.insert(version.version.as_str()) {
                return Err(RegistryError::DuplicateVersion {
                    id: self.id.clone(),
                    version: version.version.clone(),
                });
            }
            version.check(&place_of(&self.id, &version.version))?;
        }
        Ok(())
    }
}

/// How errors name a version.
fn place_of(secret_id: &str, version: &str) -> String {
    format!("secret `{secret_id}` version `{version}`")
}

impl Version {
    fn check(&self, place: &str) -> Result<(), RegistryError> {
        let times = [
            ("active_time", self.active_time),
            ("cutoff_time", self.cutoff_time),
            ("revoked_time", self.revoked_time),
        ];
        let given: Vec<_> =
            times.iter().filter_map(|(name, time)| time.map(|it| (*name, it))).collect();
        if let Some(pair) = given.windows(2).find(|it| it[1].1 < it[0].1) {
            return Err(RegistryError::TimesOutOfOrder {
                place: place.to_owned(),
                earlier: pair[0].0,
                later: pair[1].0,
            });
        }
        self.identifiers.iter().try_for_each(|it| it.check(place))
    }
}

impl Identifier {
    fn check(&self, place: &str) -> Result<(), RegistryError> {
        named("kind", &self.kind, place)?;
        let place = place.to_owned();
        let kind = self.kind.clone();
        if let Some(suggestion) = misspelt_kind(&self.kind) {
            return Err(RegistryError::UnknownKind { place, kind, suggestion });
        }
        let given = [self.value.is_some(), self.env.is_some(), self.file.is_some()];
        if given.iter().filter(|it| **it).count() != 1 {
            return Err(RegistryError::WrongSource { place, kind });
        }
        let Some(value) = &self.value else {
            return Ok(());
        };
        if self.kind == kind::SECRET_VALUE {
            return Err(RegistryError::RawSecret { place, kind });
        }
        let fits = !kind::is_absent(value)
            && (!kind::is_public(&self.kind) || kind::public_value(&self.kind, value).is_some());
        if !fits {
            return Err(RegistryError::NotOfKind { place, kind });
        }
        Ok(())
    }

    /// Where the value must be fetched from, if it does not stand in the registry.
    pub fn source(&self) -> Option<SecretSource> {
        if let Some(name) = &self.env {
            return Some(SecretSource::Env(name.clone()));
        }
        self.file.clone().map(SecretSource::File)
    }
}

/// Kinds of users' own sources are allowed, but a slip of the pen would make a
/// version look quiet for ever: what is near to a known kind is refused.
fn misspelt_kind(name: &str) -> Option<&'static str> {
    if kind::find(name).is_some() {
        return None;
    }
    let nearest = kind::KINDS.iter().min_by_key(|it| distance(it.name, name))?;
    let limit = nearest.name.len() / 4;
    let shortened = name.len() >= 6 && nearest.name.starts_with(name);
    (distance(nearest.name, name) <= limit || shortened).then_some(nearest.name)
}

/// Edits between two words, ignoring case.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, left) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, right) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

fn yaml_error(error: &serde_saphyr::Error) -> RegistryError {
    let (line, column) = error.location().map_or((0, 0), |it| (it.line(), it.column()));
    RegistryError::Syntax {
        line,
        column,
        what: without_values(&error.without_snippet().to_string()),
    }
}

fn json_error(error: &serde_json::Error) -> RegistryError {
    let message = error.to_string();
    RegistryError::Syntax {
        line: error.line() as u64,
        column: error.column() as u64,
        // The place stands in the error already.
        what: without_values(message.split(" at line ").next().unwrap_or_default()),
    }
}

/// Removes from a parser's message what may come from the file's values: all
/// text in double quotes, and in backticks what is not a plain field name.
fn without_values(message: &str) -> String {
    let mut clean = String::new();
    let mut quote: Option<char> = None;
    let mut held = String::new();
    for character in message.lines().next().unwrap_or_default().chars() {
        match quote {
            None if matches!(character, '"' | '`') => quote = Some(character),
            None => clean.push(character),
            Some(open) if open == character => {
                let shown = open == '`' && is_field_name(&held);
                clean.push(open);
                clean.push_str(if shown { &held } else { "****" });
                clean.push(open);
                held.clear();
                quote = None;
            }
            Some(_) => held.push(character),
        }
    }
    if quote.is_some() {
        clean.push_str("****");
    }
    clean
}

fn is_field_name(text: &str) -> bool {
    text.len() <= 24 && text.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
}

/// Times stand as RFC 3339 in files and as microseconds in memory.
mod time_text {
    use super::*;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        match parse_time(&text) {
            Some(micros) => Ok(Some(micros)),
            None => Err(de::Error::custom(
                "this is no time: write RFC 3339, such as 2026-03-01T00:00:00Z",
            )),
        }
    }

    pub(super) fn serialize<S: Serializer>(time: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
        time.map(format_time).serialize(to)
    }
}

fn secret_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Option::<String>::deserialize(from).map(|it| it.map(Zeroizing::new))
}

/// Reads JSON. Versions and token ids are often written as numbers, which YAML
/// takes as text by itself; in JSON they are made text before a second attempt.
fn read_json(text: &str) -> Result<Registry, RegistryError> {
    let error = match serde_json::from_str(text) {
        Ok(registry) => return Ok(registry),
        Err(error) => error,
    };
    let with_text = serde_json::from_str(text).ok().and_then(|mut value| {
        numbers_to_text(&mut value);
        Registry::deserialize(value).ok()
    });
    with_text.ok_or_else(|| json_error(&error))
}

/// Depth is bounded by the parser that made the value.
fn numbers_to_text(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Array(list) => list.iter_mut().for_each(numbers_to_text),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Number(number) if name == "version" || name == "value" => {
                        *member = Value::String(number.to_string());
                    }
                    _ => numbers_to_text(member),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
