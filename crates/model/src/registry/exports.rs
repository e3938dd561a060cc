//! Exports: what providers say of their keys and versions, as a registry.
//!
//! They are told apart by their members, so that the output of a provider's own command can be
//! imported as it is:
//!
//! - `aws iam list-access-keys` (`AccessKeyMetadata`): one secret per user, its keys as versions;
//! - `aws secretsmanager list-secret-version-ids` (`Versions`, `ARN`): the versions of a secret;
//! - `gcloud iam service-accounts keys list --format json`: one secret per service account, called
//!   as the audit log calls it;
//! - GitHub's fine-grained tokens of an organization
//!   (`GET /orgs/ORG/personal-access-tokens`): one secret per owner and token name.
//!
//! None holds a raw secret, and none says when a version was retired: that is for the registry.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Identifier, Registry, RegistryError, Secret, Version};
use crate::time::parse_time;

type Entry = Map<String, Value>;

/// Members that only exports have, one for each kind of export.
const MARKS: [&str; 4] =
    ["\"AccessKeyMetadata\"", "\"VersionId\"", "\"validAfterTime\"", "\"token_name\""];

/// The registry that an export stands for; `None` if the text is no export.
pub(super) fn read(text: &str) -> Option<Result<Registry, RegistryError>> {
    // A registry is not parsed here: it is read into memory that is wiped, in case it holds a
    // raw secret by mistake.
    let is_like_one = MARKS.iter().any(|it| text.contains(it));
    if !is_like_one || !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let list = |value: &Value| -> Option<Vec<Entry>> {
        value.as_array()?.iter().map(|it| it.as_object().cloned()).collect()
    };
    let has =
        |entries: &[Entry], field: &str| entries.first().is_some_and(|it| it.contains_key(field));
    if let Some(keys) = value.get("AccessKeyMetadata").and_then(list) {
        return Some(registry(&keys, "aws iam list-access-keys", aws_access_key));
    }
    if let (Some(versions), Some(arn)) =
        (value.get("Versions").and_then(list), value.get("ARN").and_then(Value::as_str))
    {
        let read = |it: &Reader<'_>| aws_secret_version(it, arn);
        return Some(registry(&versions, "aws secretsmanager list-secret-version-ids", read));
    }
    let entries = list(&value)?;
    if has(&entries, "validAfterTime") {
        return Some(registry(&entries, "gcloud iam service-accounts keys list", gcp_key));
    }
    if has(&entries, "token_id") && has(&entries, "token_name") {
        return Some(registry(&entries, "GitHub's list of tokens", github_token));
    }
    None
}

/// One entry of an export, and where it stands.
struct Reader<'a> {
    export: &'static str,
    number: usize,
    entry: &'a Entry,
}

impl Reader<'_> {
    fn text(&self, field: &'static str) -> Result<&str, RegistryError> {
        self.entry.get(field).and_then(Value::as_str).ok_or_else(|| self.missing(field))
    }

    fn missing(&self, field: &'static str) -> RegistryError {
        RegistryError::Export { export: self.export, number: self.number, field }
    }

    /// A time as text or, as older tools write it, in seconds.
    fn time(&self, field: &str) -> Option<i64> {
        match self.entry.get(field)? {
            Value::String(text) => parse_time(text),
            Value::Number(number) => parse_time(&number.to_string()),
            _ => None,
        }
    }
}

/// A version and the secret that it is of.
type Found = Result<Option<(String, Version)>, RegistryError>;

fn registry(
    entries: &[Entry],
    export: &'static str,
    read: impl Fn(&Reader<'_>) -> Found,
) -> Result<Registry, RegistryError> {
    let mut secrets: Vec<Secret> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let Some((id, version)) = read(&Reader { export, number: at + 1, entry })? else {
            continue;
        };
        match secrets.iter_mut().find(|it| it.id == id) {
            Some(secret) => secret.versions.push(version),
            None => secrets.push(Secret {
                id,
                owner: None,
                consumers: Vec::new(),
                versions: vec![version],
            }),
        }
    }
    for secret in &mut secrets {
        secret.versions.sort_by_key(|it| it.active_time);
    }
    Ok(Registry { secrets, assets: Vec::new() })
}

fn version(name: &str, active_time: Option<i64>, kind: &str, value: &str) -> Version {
    let identifier = Identifier {
        kind: kind.to_owned(),
        scope: None,
        value: Some(Zeroizing::new(value.to_owned())),
        env: None,
        file: None,
    };
    Version {
        version: name.to_owned(),
        active_time,
        cutoff_time: None,
        revoked_time: None,
        identifiers: vec![identifier],
    }
}

fn aws_access_key(it: &Reader<'_>) -> Found {
    let key = it.text("AccessKeyId")?;
    // The keys of the account itself have no user.
    let user = it.entry.get("UserName").and_then(Value::as_str).unwrap_or("root");
    let version = version(key, it.time("CreateDate"), "aws_access_key_id", key);
    Ok(Some((format!("aws/iam/{user}"), version)))
}

/// A version that is known by its name alone: who reads it is known, what it opens is not.
fn aws_secret_version(it: &Reader<'_>, arn: &str) -> Found {
    let name = it.text("VersionId")?.to_lowercase();
    let version = Version {
        version: name,
        active_time: it.time("CreatedDate"),
        cutoff_time: None,
        revoked_time: None,
        identifiers: Vec::new(),
    };
    Ok(Some((arn.to_owned(), version)))
}

fn gcp_key(it: &Reader<'_>) -> Found {
    // Google's own keys of an account are rotated by Google.
    if it.entry.get("keyType").and_then(Value::as_str) == Some("SYSTEM_MANAGED") {
        return Ok(None);
    }
    let name = it.text("name")?;
    let (account, key) = name.split_once("/keys/").ok_or_else(|| it.missing("name"))?;
    let version = version(key, it.time("validAfterTime"), "gcp_service_account_key", key);
    Ok(Some((account.to_owned(), version)))
}

fn github_token(it: &Reader<'_>) -> Found {
    let number = it.entry.get("token_id").ok_or_else(|| it.missing("token_id"))?;
    let number = number.as_str().map_or_else(|| number.to_string(), str::to_owned);
    let owner = it.entry.get("owner").and_then(|it| it.get("login")).and_then(Value::as_str);
    let owner = owner.ok_or_else(|| it.missing("owner"))?;
    let version = version(&number, it.time("access_granted_at"), "github_token_id", &number);
    Ok(Some((format!("github/{owner}/{}", it.text("token_name")?), version)))
}

#[cfg(test)]
mod tests {
    use super::super::RegistryFormat;
    use super::*;

    /// Secret, version, since when, and by which kinds and values it is known.
    type Found = (String, String, Option<i64>, Vec<(String, String)>);

    fn versions(text: &str) -> Vec<Found> {
        let registry = Registry::parse(text, RegistryFormat::Json).unwrap();
        let mut found = Vec::new();
        for secret in &registry.secrets {
            for it in &secret.versions {
                let names = it.identifiers.iter();
                let names =
                    names.map(|it| (it.kind.clone(), it.value.as_ref().unwrap().to_string()));
                let (id, name) = (secret.id.clone(), it.version.clone());
                found.push((id, name, it.active_time, names.collect()));
            }
        }
        found
    }

    fn one(kind: &str, value: &str) -> Vec<(String, String)> {
        vec![(kind.to_owned(), value.to_owned())]
    }

    const FIRST_OF_MARCH: i64 = 1_772_323_200_000_000;

    #[test]
    fn keys_of_an_aws_user_are_its_versions_oldest_first() {
        let text = r#"{"AccessKeyMetadata": [
            {"UserName": "deploy", "AccessKeyId": "AKIAIOSFODNN7EXAMPL2", "Status": "Active",
             "CreateDate": "2026-04-01T00:00:00+00:00"},
            {"UserName": "deploy", "AccessKeyId": "AKIAIOSFODNN7EXAMPL1", "Status": "Inactive",
             "CreateDate": 1772323200.0}]}"#;
        let found = versions(text);
        let (first, second) = ("AKIAIOSFODNN7EXAMPL1", "AKIAIOSFODNN7EXAMPL2");
        assert_eq!(
            found[0],
            (
                "aws/iam/deploy".into(),
                first.into(),
                Some(FIRST_OF_MARCH),
                one("aws_access_key_id", first)
            )
        );
        assert_eq!((found[1].1.as_str(), found.len()), (second, 2));
    }

    #[test]
    fn versions_of_a_secret_are_known_by_name() {
        let text = r#"{"Versions": [{"VersionId": "A1B2C3D4-0000-4000-8000-000000000001",
            "VersionStages": ["AWSCURRENT"], "CreatedDate": "2026-03-01T00:00:00Z"}],
            "ARN": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:stripe-Ab3dEf",
            "Name": "stripe"}"#;
        let [(id, name, time, identifiers)] = &versions(text)[..] else { panic!() };
        assert!(id.ends_with(":secret:stripe-Ab3dEf") && identifiers.is_empty());
        assert_eq!(
            (name.as_str(), *time),
            ("a1b2c3d4-0000-4000-8000-000000000001", Some(FIRST_OF_MARCH))
        );
    }

    #[test]
    fn keys_of_a_service_account_that_people_made_are_its_versions() {
        let text = r#"[
            {"name": "projects/p/serviceAccounts/ci@p.iam.gserviceaccount.com/keys/0f1e2d3c4b5a69788796a5b4c3d2e1f001020304",
             "keyType": "USER_MANAGED", "validAfterTime": "2026-03-01T00:00:00Z"},
            {"name": "projects/p/serviceAccounts/ci@p.iam.gserviceaccount.com/keys/ffff",
             "keyType": "SYSTEM_MANAGED", "validAfterTime": "2026-03-01T00:00:00Z"}]"#;
        let key = "0f1e2d3c4b5a69788796a5b4c3d2e1f001020304";
        let [found] = &versions(text)[..] else { panic!() };
        assert_eq!(
            (found.0.as_str(), found.1.as_str()),
            ("projects/p/serviceAccounts/ci@p.iam.gserviceaccount.com", key)
        );
        assert_eq!(found.3, one("gcp_service_account_key", key));
    }

    #[test]
    fn tokens_of_an_organization_are_named_by_owner_and_name() {
        let text = r#"[{"id": 5, "token_id": 98716, "token_name": "release bot",
            "owner": {"login": "ann"}, "access_granted_at": "2026-03-01T00:00:00Z"}]"#;
        let [found] = &versions(text)[..] else { panic!() };
        assert_eq!((found.0.as_str(), found.1.as_str()), ("github/ann/release bot", "98716"));
        assert_eq!(found.3, one("github_token_id", "98716"));
    }

    #[test]
    fn an_entry_that_lacks_what_names_it_is_refused_by_its_number() {
        let text = r#"{"AccessKeyMetadata": [{"UserName": "a"}]}"#;
        let error = Registry::parse(text, RegistryFormat::Json).unwrap_err();
        assert_eq!(
            error.to_string(),
            "entry 1 of the export (aws iam list-access-keys) has no `AccessKeyId`"
        );
    }

    #[test]
    fn a_registry_is_no_export() {
        assert!(read(r#"{"secrets": []}"#).is_none());
        assert!(read("secrets: []").is_none() && read("[]").is_none() && read("{").is_none());
    }
}
