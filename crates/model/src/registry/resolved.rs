//! The registry as it is stored: names, times and fingerprints, nothing raw.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Assets, Consumer, Identifier, Registry, RegistryError, Secret, SecretSource, Version, time_text,
};
use crate::fingerprint::{CredentialUid, FingerprintKey};
use crate::kind::{self, SECRET_VALUE};

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

/// Turns a registry into what is stored, reading each raw secret once by way of `read`.
///
/// One newline at the end of a secret is removed, as editors and `echo` add one.
/// The raw bytes are cleared as soon as they are fingerprinted.
pub fn resolve(
    registry: &Registry,
    key: &FingerprintKey,
    read: ReadSecret<'_>,
) -> Result<ResolvedRegistry, RegistryError> {
    let mut secrets = registry
        .secrets
        .iter()
        .map(|it| resolve_secret(it, key, read))
        .collect::<Result<Vec<_>, _>>()?;
    secrets.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(ResolvedRegistry { secrets, assets: Assets::new(registry.assets.clone())? })
}

fn resolve_secret(
    secret: &Secret,
    key: &FingerprintKey,
    read: ReadSecret<'_>,
) -> Result<ResolvedSecret, RegistryError> {
    let versions = secret
        .versions
        .iter()
        .map(|it| resolve_version(it, &it.place(&secret.id), key, read))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ResolvedSecret {
        id: secret.id.clone(),
        owner: secret.owner.clone(),
        consumers: secret.consumers.clone(),
        versions,
    })
}

fn resolve_version(
    version: &Version,
    place: &str,
    key: &FingerprintKey,
    read: ReadSecret<'_>,
) -> Result<ResolvedVersion, RegistryError> {
    let identifiers = version
        .identifiers
        .iter()
        .map(|it| resolve_identifier(it, place, key, read))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ResolvedVersion {
        version: version.version.clone(),
        active_time: version.active_time,
        cutoff_time: version.cutoff_time,
        revoked_time: version.revoked_time,
        identifiers,
    })
}

fn resolve_identifier(
    identifier: &Identifier,
    place: &str,
    key: &FingerprintKey,
    read: ReadSecret<'_>,
) -> Result<ResolvedIdentifier, RegistryError> {
    let kind = identifier.kind.as_str();
    let not_of_kind =
        || RegistryError::NotOfKind { place: place.to_owned(), kind: kind.to_owned() };
    let resolved = match identifier.source() {
        Some(source) => {
            let bytes = fetch(&source, place, read)?;
            if kind == SECRET_VALUE {
                // Raw bytes, whether or not they are text.
                ResolvedIdentifier {
                    kind: kind.to_owned(),
                    scope: identifier.scope.clone(),
                    credential_uid: Some(key.secret(&bytes)),
                    id_value: None,
                }
            } else {
                let text = std::str::from_utf8(&bytes).map_err(|_| not_of_kind())?;
                name(identifier, text, place, key)?
            }
        }
        None => {
            let value = identifier.value.as_ref().ok_or_else(not_of_kind)?;
            name(identifier, value, place, key)?
        }
    };
    if resolved.credential_uid.is_none() && resolved.id_value.is_none() {
        return Err(not_of_kind());
    }
    Ok(resolved)
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

fn fetch(
    source: &SecretSource,
    place: &str,
    read: ReadSecret<'_>,
) -> Result<Zeroizing<Vec<u8>>, RegistryError> {
    let mut bytes = read(source).map_err(|error| RegistryError::ReadSecret {
        place: place.to_owned(),
        from: source.clone(),
        source: error,
    })?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(RegistryError::EmptySecret { place: place.to_owned(), from: source.clone() });
    }
    Ok(bytes)
}

impl ResolvedRegistry {
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
