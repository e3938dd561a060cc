//! Proofs about the registry: what is taken, what is refused and how, and what is stored.

use std::io;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::fingerprint::FingerprintKey;

const FULL: &str = r#"
secrets:
  - id: payments/stripe
    owner: payments
    consumers: [{workload: checkout, environment: prod, schedule: hourly}]
    versions:
      - version: "1"
        active_time: 2026-03-01T00:00:00Z
        cutoff_time: 2026-10-20T00:00:00Z
        revoked_time: 2026-10-21T00:00:00Z
        identifiers:
          - {kind: secret_value, env: STRIPE_KEY_V1}
          - {kind: secret_sha256, value: "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"}
      - version: 2
        identifiers:
          - {kind: secret_value, file: secrets/stripe.txt}
  - id: deploy/aws
    versions:
      - version: 1
        identifiers:
          - {kind: aws_access_key_id, value: AKIA2222MADEUP333344}
          - {kind: ssh_public_key, value: "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8="}
          - {kind: vault_hmac, scope: cluster-1/file, value: "hmac-sha256:00000000000000000000000000000000000000000000000000000000000000AF"}
          - {kind: vault_hmac, value: "hmac-sha256:00000000000000000000000000000000000000000000000000000000000000AF"}
assets:
  - {cidr: 10.4.0.0/16, workload: checkout, environment: prod, owner: payments}
  - {cidr: 10.4.7.0/24, workload: ledger}
"#;

fn key() -> FingerprintKey {
    FingerprintKey::from_bytes(&[7; 32])
}

fn read(source: &SecretSource) -> Result<Zeroizing<Vec<u8>>, io::Error> {
    let text: &[u8] = match source {
        SecretSource::Env(name) if name == "STRIPE_KEY_V1" => b"sk_test_madeup1",
        SecretSource::File(path) if path.ends_with("stripe.txt") => b"sk_test_madeup2\n",
        SecretSource::File(path) if path.ends_with("empty") => b"\n",
        _ => return Err(io::ErrorKind::NotFound.into()),
    };
    Ok(Zeroizing::new(text.to_vec()))
}

fn yaml(text: &str) -> Result<Registry, RegistryError> {
    Registry::parse(text, RegistryFormat::Yaml)
}

fn resolved(text: &str) -> ResolvedRegistry {
    resolve(&yaml(text).unwrap(), &key(), &read).unwrap()
}

fn refusal(text: &str) -> String {
    let registry = match yaml(text) {
        Ok(registry) => registry,
        Err(error) => return error.to_string(),
    };
    resolve(&registry, &key(), &read).unwrap_err().to_string()
}

#[test]
fn the_registry_of_the_contract_is_read() {
    let registry = yaml(FULL).unwrap();
    let stripe = &registry.secrets[0];
    assert_eq!(stripe.owner.as_deref(), Some("payments"));
    assert_eq!(stripe.consumers[0].interval_seconds(), Some(3600));
    assert_eq!(stripe.versions[1].version, "2");
    assert_eq!(stripe.versions[0].cutoff_time, parse_time("2026-10-20T00:00:00Z"));
    assert_eq!(registry.assets.len(), 2);
}

#[test]
fn secrets_become_fingerprints_and_a_final_newline_does_not_count() {
    let resolved = resolved(FULL);
    let stripe = resolved.secrets.iter().find(|it| it.id == "payments/stripe").unwrap();
    let uid = |version: usize| stripe.versions[version].identifiers[0].credential_uid;
    assert_eq!(uid(0), Some(key().secret(b"sk_test_madeup1")));
    assert_eq!(uid(1), Some(key().secret(b"sk_test_madeup2")));
    assert!(stripe.versions[0].identifiers.iter().all(|it| it.id_value.is_none()));
}

#[test]
fn public_identifiers_are_kept_in_canonical_form() {
    let resolved = resolved(FULL);
    let values: Vec<_> = resolved.secrets[0].versions[0]
        .identifiers
        .iter()
        .map(|it| it.id_value.as_deref().unwrap())
        .collect();
    assert_eq!(values[0], "AKIA2222MADEUP333344");
    assert!(values[1].ends_with("SY8"));
    assert!(values[2].ends_with("00af"));
}

#[test]
fn an_identifier_that_needs_a_scope_and_has_none_is_left_to_match_any() {
    let resolved = resolved(FULL);
    let identifiers = &resolved.secrets[0].versions[0].identifiers;
    assert!(identifiers[2].credential_uid.is_some());
    assert_eq!(identifiers[3].credential_uid, None);
    assert_eq!(identifiers[3].id_value, identifiers[2].id_value);
}

#[test]
fn what_is_stored_holds_nothing_raw_and_reads_back() {
    let resolved = resolved(FULL);
    let json = serde_json::to_string_pretty(&resolved).unwrap();
    assert!(!json.contains("madeup1") && !json.contains("madeup2"));
    assert!(json.contains("2026-10-20T00:00:00Z"));
    let back: ResolvedRegistry = serde_json::from_str(&json).unwrap();
    assert_eq!(back, resolved);
    assert!(back.assets.find_text("10.4.7.1").is_some());
    assert!(!format!("{:?} {resolved:?}", yaml(FULL).unwrap()).contains("0a0a0a"));
}

#[test]
fn a_newer_import_replaces_a_secret_and_twice_is_once() {
    let mut registry = resolved(FULL);
    let newer = resolved(
        "secrets: [{id: deploy/aws, owner: platform}, {id: a/b}]\n\
         assets: [{cidr: 10.4.7.0/24, workload: reports}]",
    );
    registry.merge(newer.clone());
    let once = registry.clone();
    registry.merge(newer);
    assert_eq!(registry, once);
    let ids: Vec<_> = once.secrets.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["a/b", "deploy/aws", "payments/stripe"]);
    assert_eq!(once.secrets[1].owner.as_deref(), Some("platform"));
    assert!(once.secrets[1].versions.is_empty());
    assert_eq!(once.assets.find_text("10.4.7.1").unwrap().workload, "reports");
}

#[test]
fn of_several_networks_the_smallest_names_the_workload() {
    let assets = resolved(FULL).assets;
    let workload = |ip: &str| {
        let ip: IpAddr = ip.parse().unwrap();
        assets.find(ip).map(|it| it.workload.as_str())
    };
    assert_eq!(workload("10.4.1.1"), Some("checkout"));
    assert_eq!(workload("10.4.7.9"), Some("ledger"));
    assert_eq!(workload("::ffff:10.4.7.9"), Some("ledger"));
    assert_eq!(workload("10.5.0.1"), None);
    assert_eq!(workload("2001:db8::1"), None);
    assert_eq!(assets.find_text("10.4.7.9:443").unwrap().workload, "ledger");
    assert_eq!(assets.find_text("s3.amazonaws.com"), None);
}

#[test]
fn a_raw_secret_in_the_file_is_refused_and_not_repeated() {
    let text = "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_value, value: hunter2}]}]}]";
    let message = refusal(text);
    assert_eq!(
        message,
        "secret `a` version `1`: a `secret_value` must not stand in the registry; put it into a \
         file or an environment variable and name that with `file:` or `env:`, or give its hash \
         as `secret_sha256`"
    );
}

#[test]
fn no_error_repeats_a_value() {
    for text in [
        "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: aws_access_key_id, value: hunter2/x}]}]}]",
        "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: vault_hmac, value: hunter2}]}]}]",
        "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_sha256, value: hunter2}]}]}]",
        "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: fingerprint, value: hunter2}]}]}]",
        "secrets: [{id: a, versions: [{version: 1, identifiers: [hunter2]}]}]",
        "secrets: [{id: a, versions: [{version: 1, identifiers: hunter2}]}]",
        "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_value, hunter2}]}]}]",
        "secrets: [{id: a, versions: [{version: 1, cutoff_time: hunter2}]}]",
        "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_value, hunter2: x}]}]}]",
        "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_value, value: *hunter2}]}]}]",
        "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_value, value: !hunter2 [hunter2]}]}]}]",
        "hunter2",
        "secrets: \"hunter2",
        "{\"secrets\": [\"hunter2\"]}",
    ] {
        let message = refusal(text);
        assert!(!message.contains("hunter"), "{message}");
        let json = Registry::parse(text, RegistryFormat::Json).unwrap_err();
        assert!(!format!("{json} {json:?}").contains("hunter"), "{json:?}");
    }
}

#[test]
fn refusals_say_what_where_and_what_to_do() {
    for (text, part) in [
        ("secrets: [{id: a, ownr: x}]", "unknown field `ownr`"),
        ("secrets:\n  - id: a\n    ownr: x", "line 3"),
        ("secrets: [{id: a}, {id: a}]", "secret `a` stands twice in the registry: join"),
        ("secrets: [{id: a, versions: [{version: 1}, {version: \"1\"}]}]", "version `1` twice"),
        ("secrets: [{id: ''}]", "empty `id`: give"),
        ("secrets: [{id: a, consumers: [{workload: ' '}]}]", "empty `workload` in secret `a`"),
        ("secrets: [{id: a, versions: [{version: 1, cutoff_time: soon}]}]", "write RFC 3339"),
        (
            "secrets: [{id: a, versions: [{version: 1, active_time: 2026-02-01, cutoff_time: 2026-01-01}]}]",
            "`cutoff_time` lies before `active_time`",
        ),
        (
            "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_value}]}]}]",
            "exactly one of `value`, `env`, `file`",
        ),
        (
            "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: aws_acess_key, value: AKIA2}]}]}]",
            "did you mean `aws_access_key_id`",
        ),
        (
            "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_value, file: none}]}]}]",
            "cannot read the secret from the file `none`",
        ),
        (
            "secrets: [{id: a, versions: [{version: 1, identifiers: [{kind: secret_value, file: empty}]}]}]",
            "the file `empty` is empty: put the secret there",
        ),
        ("assets: [{cidr: 10.4.0.0/33, workload: a}]", "such as 10.4.0.0/16"),
        ("assets: [{cidr: 10.4.0.0/16, workload: a}, {cidr: 10.4.1.1/16, workload: b}]", "twice"),
    ] {
        let message = refusal(text);
        assert!(message.contains(part), "{text}\n{message}");
    }
}

#[test]
fn json_is_read_as_yaml_is() {
    let text = r#"{"secrets": [{"id": "a", "versions": [{"version": 1, "identifiers": [
        {"kind": "github_token_id", "value": 42, "scope": "github.example"}]}]}]}"#;
    let json = Registry::parse(text, RegistryFormat::Json).unwrap();
    let as_yaml = yaml(text).unwrap();
    let store = |it| resolve(it, &key(), &read).unwrap();
    assert_eq!(store(&json), store(&as_yaml));
    let stored = store(&json);
    let identifier = &stored.secrets[0].versions[0].identifiers[0];
    assert_eq!(identifier.id_value.as_deref(), Some("42"));
    assert_eq!(RegistryFormat::of_name("a/b.JSON"), RegistryFormat::Json);
    assert_eq!(RegistryFormat::of_name("a.json/b"), RegistryFormat::Yaml);
}

#[test]
fn a_version_keeps_its_spelling() {
    let registry =
        yaml("secrets: [{id: a, versions: [{version: 1.10}, {version: 007}, {version: yes}]}]");
    let registry = registry.unwrap();
    let names: Vec<_> = registry.secrets[0].versions.iter().map(|it| it.version.as_str()).collect();
    assert_eq!(names, ["1.10", "007", "yes"]);
}

#[test]
fn an_empty_registry_is_one() {
    assert!(yaml("").unwrap().secrets.is_empty());
    assert!(yaml("secrets: []").unwrap().assets.is_empty());
    assert!(Registry::parse("{}", RegistryFormat::Json).is_ok());
}

#[test]
fn one_credential_in_two_versions_is_reported() {
    let registry = resolved(
        "secrets:\n  - {id: a, versions: [{version: 1, identifiers: [{kind: secret_value, env: STRIPE_KEY_V1}]}]}\n  \
         - {id: b, versions: [{version: 1, identifiers: [{kind: secret_value, env: STRIPE_KEY_V1}]}]}",
    );
    let conflicts = registry.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].versions, [("a".into(), "1".into()), ("b".into(), "1".into())]);
    assert_eq!(registry.secret_uids().count(), 2);
    assert!(resolved(FULL).conflicts().is_empty());
}

#[test]
fn a_schedule_gives_its_interval() {
    let interval = |schedule: &str| {
        let consumer = Consumer {
            workload: "a".into(),
            environment: None,
            schedule: Some(schedule.into()),
            gone_time: None,
        };
        consumer.interval_seconds()
    };
    assert_eq!(interval("monthly"), Some(31 * 86_400));
    assert_eq!(interval("6h"), Some(21_600));
    assert_eq!(interval("15 m"), Some(900));
    for schedule in ["", "0h", "sometimes", "99999999999999999999d", "h", "é"] {
        assert_eq!(interval(schedule), None, "{schedule}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_a_registry_panic(text: String) {
        let _ = yaml(&text);
        let _ = yaml(&format!("secrets: [{text}]"));
        let _ = Registry::parse(&text, RegistryFormat::Json);
    }
}
