//! The registry as it is stored: names, times and fingerprints, nothing raw.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Assets, Consumer, Identifier, Registry, RegistryError, Secret, SecretSource, Version, place_of,
    time_text,
};
use crate::fingerprint::{CredentialUid, FingerprintKey};
use crate::kind::{self, SECRET_VALUE};
use crate::redact::Redactor;

/// All secrets and assets known, from every import so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedRegistry {
    /// The secrets, in order of their ids.
    pub secrets: Vec<ResolvedSecret>,
    /// The assets.
    pub assets: Assets,
}

/// A secret with its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedSecret {
    /// Its name.
    pub id: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The consumers that are meant to use it.
    pub consumers: Vec<Consumer>,
    /// Its versions, in the registry's order.
    pub versions: Vec<ResolvedVersion>,
}

/// A version with its times in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedVersion {
    /// Its name.
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
    pub identifiers: Vec<ResolvedIdentifier>,
}

/// One way in which logs name a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedIdentifier {
    /// The kind.
    pub kind: String,
    /// The issuer within which the value is unique, if given.
    pub scope: Option<String>,
    /// The fingerprint; none if the kind needs a scope and none is given, so
    /// that the identifier matches by `kind` and `id_value` whatever scope a log gives.
    pub credential_uid: Option<CredentialUid>,
    /// The value in canonical form, where it is public.
    pub id_value: Option<String>,
}

/// Several versions that are known by the same credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The credential.
    pub credential_uid: CredentialUid,
    /// Secret ids and versions that claim it, in order.
    pub versions: Vec<(String, String)>,
}

/// Reads the bytes of a raw secret from where the registry says they are.
pub type ReadSecret<'a> = &'a dyn Fn(&SecretSource) -> Result<Zeroizing<Vec<u8>>, std::io::Error>;

/// What may be wrong with a secret that was read: it is taken as it is, but logs may know another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The secret and version.
    pub place: String,
    /// The file or variable.
    pub from: SecretSource,
    /// What it has that is seldom part of a secret.
    pub what: &'static str,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, from, what } = self;
        write!(f, "{place}: {from} has {what}: unless that is part of the secret, no log matches")
    }
}

/// Turns a registry into what is stored, reading each raw secret once by way of `read`; also
/// gives what may be wrong with those.
///
/// A byte order mark, and line ends at the end of a secret, are removed, as
/// editors and `echo` add them. The raw bytes are cleared as soon as they are fingerprinted.
pub fn resolve(
    registry: &Registry,
    key: &FingerprintKey,
    read: ReadSecret<'_>,
) -> Result<(ResolvedRegistry, Vec<Doubt>), RegistryError> {
    let mut resolver = Resolver { key, read, doubts: Vec::new() };
    let mut secrets =
        registry.secrets.iter().map(|it| resolver.secret(it)).collect::<Result<Vec<_>, _>>()?;
    secrets.sort_by(|one, other| one.id.cmp(&other.id));
    let resolved = ResolvedRegistry { secrets, assets: Assets::new(registry.assets.clone())? };
    resolved.check_public(key)?;
    Ok((resolved, resolver.doubts))
}

struct Resolver<'a> {
    key: &'a FingerprintKey,
    read: ReadSecret<'a>,
    doubts: Vec<Doubt>,
}

impl Resolver<'_> {
    fn secret(&mut self, secret: &Secret) -> Result<ResolvedSecret, RegistryError> {
        let versions = secret
            .versions
            .iter()
            .map(|it| self.version(it, &place_of(&secret.id, &it.version)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(ResolvedSecret {
            id: secret.id.clone(),
            owner: secret.owner.clone(),
            consumers: secret.consumers.clone(),
            versions,
        })
    }

    fn version(
        &mut self,
        version: &Version,
        place: &str,
    ) -> Result<ResolvedVersion, RegistryError> {
        let identifiers = version
            .identifiers
            .iter()
            .map(|it| self.identifier(it, place))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(ResolvedVersion {
            version: version.version.clone(),
            active_time: version.active_time,
            cutoff_time: version.cutoff_time,
            revoked_time: version.revoked_time,
            identifiers,
        })
    }

    fn identifier(
        &mut self,
        identifier: &Identifier,
        place: &str,
    ) -> Result<ResolvedIdentifier, RegistryError> {
        let kind = identifier.kind.as_str();
        let not_of_kind =
            || RegistryError::NotOfKind { place: place.to_owned(), kind: kind.to_owned() };
        let resolved = match identifier.source() {
            Some(source) => {
                let bytes = self.fetch(&source, kind, place)?;
                if kind == SECRET_VALUE {
                    // Raw bytes, whether or not they are text.
                    ResolvedIdentifier {
                        kind: kind.to_owned(),
                        scope: identifier.scope.clone(),
                        credential_uid: Some(self.key.secret(&bytes)),
                        id_value: None,
                    }
                } else {
                    let text = std::str::from_utf8(&bytes).map_err(|_| not_of_kind())?;
                    name(identifier, text, place, self.key)?
                }
            }
            None => {
                let value = identifier.value.as_ref().ok_or_else(not_of_kind)?;
                name(identifier, value, place, self.key)?
            }
        };
        if resolved.credential_uid.is_none() && resolved.id_value.is_none() {
            return Err(not_of_kind());
        }
        Ok(resolved)
    }

    fn fetch(
        &mut self,
        source: &SecretSource,
        kind: &str,
        place: &str,
    ) -> Result<Zeroizing<Vec<u8>>, RegistryError> {
        let place = place.to_owned();
        let from = source.clone();
        let mut bytes = match (self.read)(source) {
            Ok(bytes) => bytes,
            Err(source) => return Err(RegistryError::ReadSecret { place, from, source }),
        };
        if bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        while let Some(b'\n' | b'\r') = bytes.last() {
            bytes.pop();
        }
        let trimmed = bytes.trim_ascii();
        if trimmed.is_empty() {
            return Err(RegistryError::EmptySecret { place, from });
        }
        if let Some(scheme) = scheme(trimmed) {
            return Err(RegistryError::Scheme { place, from, scheme });
        }
        // Other kinds are trimmed when they are brought into one form.
        if kind == SECRET_VALUE && trimmed.len() < bytes.len() {
            let what = "white space at its beginning or end";
            self.doubts.push(Doubt { place: place.clone(), from: from.clone(), what });
        }
        if let [first @ (b'"' | b'\'' | b'`'), .., last] = trimmed
            && first == last
        {
            let what = "quotes around it";
            self.doubts.push(Doubt { place: place.clone(), from: from.clone(), what });
        }
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            let what = "a byte order mark of UTF-16 (save it as UTF-8)";
            self.doubts.push(Doubt { place, from, what });
        }
        Ok(bytes)
    }
}

/// What editors of Windows put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The word that a header has before a secret, where a copied one still has it.
fn scheme(bytes: &[u8]) -> Option<&'static str> {
    ["Bearer", "Basic", "token"].into_iter().find(|it| {
        bytes.get(..it.len()).is_some_and(|head| head.eq_ignore_ascii_case(it.as_bytes()))
            && bytes.get(it.len()).is_some_and(|it| matches!(it, b' ' | b'\t'))
    })
}

/// An identifier that is text, under the kind that logs have it as.
fn name(
    identifier: &Identifier,
    value: &str,
    place: &str,
    key: &FingerprintKey,
) -> Result<ResolvedIdentifier, RegistryError> {
    let kind = kind::kind_meant(&identifier.kind, value);
    let id_value = kind::public_value(kind, value).map(|it| it.into_owned());
    if kind::is_public(kind) && id_value.is_none() {
        return Err(RegistryError::NotOfKind { place: place.to_owned(), kind: kind.to_owned() });
    }
    let scope = identifier.scope.as_deref().map(|it| kind::canonical_scope(kind, it).into_owned());
    // An empty scope is none: whoever leaves the field empty knows of no issuer.
    let scope = scope.filter(|it| !it.is_empty());
    let credential_uid = if kind::needs_scope(kind) && scope.is_none() {
        None
    } else {
        key.credential(kind, scope.as_deref().unwrap_or_default(), value).map_err(|source| {
            RegistryError::Fingerprint { place: place.to_owned(), kind: kind.to_owned(), source }
        })?
    };
    Ok(ResolvedIdentifier { kind: kind.to_owned(), scope, credential_uid, id_value })
}

impl ResolvedRegistry {
    /// Refuses what would be stored in clear though the redactor would take it out of a log: a
    /// raw secret that somebody took for a public identifier, or for a scope.
    fn check_public(&self, key: &FingerprintKey) -> Result<(), RegistryError> {
        let redactor = Redactor::new(key.clone(), self.secret_uids());
        for (secret, version, identifier) in self.identifiers() {
            let mut public = [&identifier.id_value, &identifier.scope].into_iter().flatten();
            if public.any(|it| redactor.finds(it)) {
                return Err(RegistryError::RawIdentifier {
                    place: place_of(&secret.id, &version.version),
                    kind: identifier.kind.clone(),
                });
            }
        }
        Ok(())
    }

    /// Takes over a newer import: a secret of the same id, and an asset of the
    /// same network, replace the older. Doing so twice changes nothing more.
    pub fn merge(&mut self, newer: Self) {
        let mut secrets: BTreeMap<String, ResolvedSecret> =
            std::mem::take(&mut self.secrets).into_iter().map(|it| (it.id.clone(), it)).collect();
        secrets.extend(newer.secrets.into_iter().map(|it| (it.id.clone(), it)));
        self.secrets = secrets.into_values().collect();
        self.assets.merge(newer.assets);
    }

    /// Every identifier with its secret and version.
    pub fn identifiers(
        &self,
    ) -> impl Iterator<Item = (&ResolvedSecret, &ResolvedVersion, &ResolvedIdentifier)> {
        self.secrets.iter().flat_map(|secret| {
            secret.versions.iter().flat_map(move |version| {
                version.identifiers.iter().map(move |identifier| (secret, version, identifier))
            })
        })
    }

    /// The fingerprints of raw secrets, which the redactor looks for in free text.
    pub fn secret_uids(&self) -> impl Iterator<Item = CredentialUid> {
        self.identifiers().filter_map(|(_, _, identifier)| {
            (!kind::is_public(&identifier.kind)).then_some(identifier.credential_uid).flatten()
        })
    }

    /// Credentials that more than one version claims; an answer about one of
    /// them cannot tell these versions apart.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut claims: BTreeMap<CredentialUid, Vec<(String, String)>> = BTreeMap::new();
        for (secret, version, identifier) in self.identifiers() {
            if let Some(uid) = identifier.credential_uid {
                let claim = (secret.id.clone(), version.version.clone());
                let versions = claims.entry(uid).or_default();
                if !versions.contains(&claim) {
                    versions.push(claim);
                }
            }
        }
        claims
            .into_iter()
            .filter(|it| it.1.len() > 1)
            .map(|(credential_uid, versions)| Conflict { credential_uid, versions })
            .collect()
    }
}
