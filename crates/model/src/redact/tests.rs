//! Proofs about redaction: each rule finds its secrets in every form, and clean text stays.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use proptest::prelude::*;
use proptest::string::string_regex;

use super::*;

fn key() -> FingerprintKey {
    FingerprintKey::from_bytes(&[7; 32])
}

fn redactor() -> Redactor {
    Redactor::new(key(), [])
}

fn redactor_knowing(secrets: &[&str]) -> Redactor {
    Redactor::new(key(), secrets.iter().map(|it| key().secret(it.as_bytes())))
}

fn mark(label: &str, secret: &str) -> String {
    format!("[{label}:{}]", key().secret(secret.as_bytes()).short())
}

/// For each rule: what stands before the secret, the shape of the secret (as a
/// regular expression to draw from), and what stands after it.
#[rustfmt::skip]
const SAMPLES: &[(&str, &str, &str, &str)] = &[
    ("private_key", "", "-----BEGIN RSA PRIVATE KEY-----\n([A-Za-z0-9+/]{64}\n){1,4}-----END RSA PRIVATE KEY-----", ""),
    ("private_key", "", "-----BEGIN OPENSSH PRIVATE KEY-----\n([A-Za-z0-9+/]{70}\n){1,2}", ""),
    ("github_token", "", "gh[pousr]_[A-Za-z0-9]{36}", ""),
    ("github_pat", "", "github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", ""),
    ("gitlab_token", "", "gl(pat|dt|rt|cbt|ptt|ft)-[A-Za-z0-9_-]{20}", ""),
    ("slack_token", "", "xox[abpors]-[0-9]{10,12}-[0-9]{10,12}-[A-Za-z0-9]{24}", ""),
    ("slack_webhook", "https://", "hooks\\.slack\\.com/services/T[A-Z0-9]{8}/B[A-Z0-9]{8}/[A-Za-z0-9]{24}", ""),
    ("vault_token", "", "hv[sbr]\\.[A-Za-z0-9_-]{24,90}", ""),
    ("vault_token", " ", "[sb]\\.[A-Za-z]{10}[0-9]{2}[A-Za-z0-9]{12}", " "),
    ("jwt", " ", "eyJ[A-Za-z0-9_-]{20,60}\\.eyJ[A-Za-z0-9_-]{20,60}\\.[0-9][A-Za-z0-9_-]{42}", " "),
    ("stripe_key", "", "(sk|rk)_(live|test)_[A-Za-z0-9]{24,99}", ""),
    ("google_api_key", "", "AIza[A-Za-z0-9_-]{35}", ""),
    ("google_oauth", "", "(ya29\\.[A-Za-z0-9_-]{60}|GOCSPX-[A-Za-z0-9_-]{28})", ""),
    ("aws_session_token", "", "(IQoJb3JpZ2lu|FwoGZXIvYXdz)[A-Za-z0-9+/]{200,400}==", " "),
    ("aws_bedrock_key", " ", "ABSK[0-9][A-Za-z0-9+/]{108}=", " "),
    ("openai_key", "", "sk-(proj|svcacct|admin)-[A-Za-z0-9_-]{40,100}", ""),
    ("anthropic_key", "", "sk-ant-api03-[A-Za-z0-9_-]{80}AA", ""),
    ("hugging_face_token", " ", "hf_[0-9][A-Za-z0-9]{33}", " "),
    ("npm_token", "", "npm_[A-Za-z0-9]{36}", ""),
    ("pypi_token", "", "pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,100}", ""),
    ("docker_token", "", "dckr_pat_[A-Za-z0-9_-]{27}", ""),
    ("rubygems_token", "", "rubygems_[a-f0-9]{48}", ""),
    ("sendgrid_key", " ", "SG\\.[0-9][A-Za-z0-9_-]{21}\\.[A-Za-z0-9_-]{43}", " "),
    ("sendinblue_key", "", "xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}", ""),
    ("shopify_token", "", "shp(at|ca|pa|ss)_[a-f0-9]{32}", ""),
    ("tailscale_key", "", "tskey-(api|auth)-[A-Za-z0-9]{12}-[A-Za-z0-9]{32}", ""),
    ("digitalocean_token", "", "do[opr]_v1_[a-f0-9]{64}", ""),
    ("databricks_token", "", "dapi[a-f0-9]{32}", ""),
    ("telegram_token", "/", "bot[0-9]{10}:AA[A-Za-z0-9_-]{33}", "/sendMessage"),
    ("doppler_token", "", "dp\\.(pt|ct|sa)\\.[A-Za-z0-9]{43}", ""),
    ("grafana_token", "", "glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}", ""),
    ("atlassian_token", "", "ATATT3[A-Za-z0-9_-]{180}", ""),
    ("new_relic_key", "", "NRAK-[A-Z0-9]{27}", ""),
    ("sentry_token", "", "sntrys_[A-Za-z0-9+/]{60,100}", ""),
    ("linear_key", "", "lin_api_[A-Za-z0-9]{40}", ""),
    ("pulumi_token", " ", "pul-[0-9][a-f][a-f0-9]{38}", " "),
    ("postman_key", "", "PMAK-[a-f0-9]{24}-[a-f0-9]{34}", ""),
    ("artifactory_token", " ", "AKCp[0-9][A-Za-z0-9]{68}", " "),
    ("age_key", "", "AGE-SECRET-KEY-1[A-Z0-9]{58}", ""),
    ("aws_secret_key", "aws_secret_access_key = ", "[A-Za-z0-9/+]{40}", "\n"),
    ("aws_secret_key", "\"SecretAccessKey\":\"", "[A-Za-z0-9/+]{40}", "\""),
    ("authorization", "Authorization: Bearer ", "[A-Za-z0-9._~+/-]{8,60}[A-Za-z0-9]", "\n"),
    ("authorization", "\"authorization\": \"ApiKey ", "[A-Za-z0-9]{8,60}", "\""),
    ("authorization", " bearer ", "[A-Za-z]{12,30}[0-9]", " "),
    ("cookie", "Cookie: session=", "[A-Za-z0-9]{12,40}", "\n"),
    ("url_password", "https://deploy:", "[A-Za-z0-9!*$^_.~-]{6,30}", "@db.example/x"),
    ("password", "password=", "[A-Za-z0-9!*$^_~+-]{6,30}[0-9]", "&"),
    ("password", "\"passwd\": \"", "[A-Za-z0-9 !*^_~,;-]{6,30}[0-9]", "\""),
    ("password", "mysql --password ", "[A-Za-z0-9!*^_~-]{6,30}[0-9]", " "),
    ("api_key", "?api_key=", "[A-Za-z0-9_-]{8,60}[0-9]", "&"),
    ("api_key", "X-Api-Key: ", "[A-Za-z0-9_-]{8,60}[0-9]", "\n"),
    ("token", "access_token=", "[A-Za-z0-9_-]{8,60}[0-9]", "&"),
    ("token", "X-Amz-Security-Token=", "[A-Za-z0-9_-]{100,300}", "&"),
    ("token", "\"refreshToken\":\"", "[A-Za-z0-9/+_-]{8,60}[0-9]", "\""),
    ("client_secret", "client_secret=", "[A-Za-z0-9~._-]{8,60}[0-9]", "&"),
    ("client_secret", "secret_id=", "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}", "&"),
    ("signature", "X-Amz-Signature=", "[0-9a-f]{64}", "&"),
    ("key", "?key=", "[A-Za-z]{5}[0-9]{3}[A-Za-z0-9]{24}", "&"),
    ("key", "&sig=", "[A-Za-z]{5}[0-9]{3}[A-Za-z0-9+/]{35}=", "&"),
];

/// Percent-encodes every byte, or only what must be.
fn percent(text: &str, all: bool) -> String {
    text.bytes()
        .map(|it| {
            if !all && (it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_' | b'~')) {
                char::from(it).to_string()
            } else {
                format!("%{it:02X}")
            }
        })
        .collect()
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn unicode_escapes(text: &str) -> String {
    text.chars().map(|it| format!("\\u{:04x}", it as u32 & 0xffff)).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn utf16_as_text(text: &str) -> String {
    text.chars().flat_map(|it| [it, '\0']).collect()
}

/// The forms in which a text may stand in a log.
fn forms(text: &str) -> Vec<(&'static str, String)> {
    vec![
        ("plain", text.to_owned()),
        ("percent", percent(text, false)),
        ("percent of all", percent(text, true)),
        ("percent twice", percent(&percent(text, false), false)),
        ("base64", BASE64.encode(text.as_bytes())),
        ("base64 in a path", format!("/x/{}/y", BASE64URL_NOPAD.encode(text.as_bytes()))),
        ("base64url", BASE64URL_NOPAD.encode(text.as_bytes())),
        ("base64 behind a word", format!("cb{}", BASE64_NOPAD.encode(text.as_bytes()))),
        ("base64 in percent", percent(&BASE64.encode(text.as_bytes()), false)),
        ("base64 twice", BASE64.encode(BASE64.encode(text.as_bytes()).as_bytes())),
        ("base64 of UTF-16", BASE64.encode(&utf16(text))),
        ("hex", HEXLOWER.encode(text.as_bytes())),
        ("HEX", HEXUPPER.encode(text.as_bytes())),
        ("JSON", json(text)),
        ("JSON in JSON", json(&json(text))),
        ("unicode escapes", unicode_escapes(text)),
        ("UTF-16 as bytes", utf16_as_text(text)),
        ("HTML", text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")),
    ]
}

/// The form in which the secret alone would stand: what must be gone.
fn survives(clean: &str, secret: &str) -> bool {
    let lower = clean.to_ascii_lowercase();
    let forms = [
        secret.to_owned(),
        percent(secret, false),
        percent(secret, true),
        percent(&percent(secret, false), false),
        HEXLOWER.encode(secret.as_bytes()),
        unicode_escapes(secret),
        utf16_as_text(secret),
        json(secret).trim_matches('"').to_owned(),
    ];
    if forms.iter().any(|it| lower.contains(&it.to_ascii_lowercase())) {
        return true;
    }
    // The middle of the secret in base64, at each of the three places it may have in a group.
    (0..3).any(|shift| {
        let padded = [vec![0; shift], secret.as_bytes().to_vec()].concat();
        let code = BASE64_NOPAD.encode(&padded);
        let middle = &code[4..code.len() - 2];
        middle.len() >= 8
            && (clean.contains(middle)
                || clean.contains(&middle.replace('+', "-").replace('/', "_")))
    })
}

fn sample() -> impl Strategy<Value = (&'static str, &'static str, String, &'static str)> {
    prop::sample::select(SAMPLES).prop_flat_map(|(name, before, shape, after)| {
        string_regex(shape).unwrap().prop_map(move |secret| (name, before, secret, after))
    })
}

#[test]
fn every_rule_has_a_sample_and_every_sample_a_rule() {
    for rule in rules() {
        assert!(SAMPLES.iter().any(|it| it.0 == rule.name), "{}", rule.name);
        assert!(!rule.about.is_empty());
        for keyword in rule.keywords {
            assert_eq!(*keyword, keyword.to_ascii_lowercase());
        }
    }
    for sample in SAMPLES {
        let known = rules().iter().any(|it| it.name == sample.0) || sample.0 == "url_password";
        assert!(known, "{}", sample.0);
    }
}

/// One property per rule: each rule gets its own run of cases, so that none is drawn too seldom.
#[test]
fn no_secret_of_any_rule_survives_in_any_form() {
    for (name, before, shape, after) in SAMPLES {
        let secrets = string_regex(shape).unwrap();
        let texts = ("[ -~]{0,30}", "[ -~é☃]{0,30}", any::<bool>());
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: 24,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        runner
            .run(&(secrets, texts), |(secret, (left, right, bare))| {
                // A delimiter, so that the drawn text does not become part of a name or value.
                let (left, right) = if bare { ("", "") } else { (&*left, &*right) };
                let text = format!("{left}\n{before}{secret}{after}\n{right}");
                for (form, encoded) in forms(&text) {
                    let clean = redactor().redact(&encoded).into_owned();
                    prop_assert!(
                        !survives(&clean, &secret),
                        "{name} in {form}: {secret:?} in {encoded:?} became {clean:?}"
                    );
                    prop_assert_ne!(clean, encoded, "{} in {}", name, form);
                }
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn a_mark_joins_with_the_secret_it_replaced() {
    let token = "ghp_madeupmadeupmadeupmadeupmadeup123456";
    let github = mark("github_token", token);
    for (text, expected) in [
        (format!("got {token}."), format!("got {github}.")),
        (format!("https://x/?token={token}&a=1"), format!("https://x/?token={github}&a=1")),
        (format!("https://{token}@github.example/a"), format!("https://{github}@github.example/a")),
        (
            "/v1?api_key=a%2Bb%2Fc123456&x=1".to_owned(),
            format!("/v1?api_key={}&x=1", mark("api_key", "a+b/c123456")),
        ),
        (
            format!("Authorization: Basic {}", BASE64.encode(b"deploy:made-up-1")),
            format!("Authorization: Basic {}", mark("authorization", "made-up-1")),
        ),
        (
            r#"{"body":"{\"password\":\"hunter2\"}"}"#.to_owned(),
            format!(r#"{{"body":"{{\"password\":\"{}\"}}"}}"#, mark("password", "hunter2")),
        ),
        (
            "postgres://app:p4ss@word@db.example:5432/x".to_owned(),
            format!("postgres://app:{}@db.example:5432/x", mark("url_password", "p4ss@word")),
        ),
        (
            format!("state={}", BASE64.encode(format!("a=1&t={token}").as_bytes())),
            format!("state={github}"),
        ),
    ] {
        assert_eq!(redactor().redact(&text), expected, "{text}");
    }
}

#[test]
fn a_known_secret_is_found_whatever_its_shape() {
    let secrets =
        ["correct-horse", "8e6cdd5b-1f7e-4c9e-9f2a-000000000001", "a/b+c==", "Tr0ub4dor&3"];
    let redactor = redactor_knowing(&secrets);
    for secret in &secrets[..3] {
        let expected = mark(KNOWN_TYPE, secret);
        for (text, clean) in [
            (format!("x {secret} y"), format!("x {expected} y")),
            (format!("GET /a?x={secret}&y=1"), format!("GET /a?x={expected}&y=1")),
            (format!("(\"{secret}\")"), format!("(\"{expected}\")")),
            (format!("agent:{secret}"), format!("agent:{expected}")),
            (format!("x={}&y", percent(secret, true)), format!("x={expected}&y")),
            (format!("x {} y", BASE64.encode(secret.as_bytes())), format!("x {expected} y")),
            (secret.to_string(), expected.clone()),
            (format!("it was {secret}."), format!("it was {expected}.")),
        ] {
            if *secret == "a/b+c==" && text.ends_with(" y") && !text.contains(secret) {
                continue; // Too short to be looked for in base64.
            }
            assert_eq!(redactor.redact(&text), clean, "{text}");
        }
    }
    let text = format!("/login/{}/", percent(secrets[3], false));
    // The `&` within ends the token: found only where a name announces it.
    assert_eq!(redactor.redact(&text), text);
    let text = format!("/login?password={}", percent(secrets[3], false));
    assert_eq!(redactor.redact(&text), format!("/login?password={}", mark("password", secrets[3])));
}

#[test]
fn a_known_secret_in_base64_is_found_right_before_a_path() {
    // Its base64 without padding, which a path follows: `PT0/shipping`.
    let secret = "BIc7YYtvQotBfLBsKhABrAheC/scUPJTUoQntKbf1w==";
    let encoded = data_encoding::BASE64_NOPAD.encode(secret.as_bytes());
    let redactor = redactor_knowing(&[secret]);
    for text in [format!("{encoded}/shipping"), format!("/v1/{encoded}/shipping?x=1")] {
        let clean = redactor.redact(&text).into_owned();
        assert!(!clean.contains(&encoded[..20]), "{text} became {clean}");
    }
}

#[test]
fn a_known_secret_with_slashes_is_found_in_a_path() {
    let secret = "BIc7VYtvMadeUpQo/tBfLBs+KhABrAheC/scUPJTUw==";
    let redactor = redactor_knowing(&[secret]);
    let expected = mark(KNOWN_TYPE, secret);
    for path in ["parameter/", "/v1/login/", "arn:aws:ssm:us-east-1:1:parameter/", "https://h/a/"] {
        for end in ["", "?x=1", " y", "/renew", "/a/b"] {
            let text = format!("{path}{secret}{end}");
            assert_eq!(redactor.redact(&text), format!("{path}{expected}{end}"));
            let text = format!("{path}{}{end}", percent(secret, true));
            assert_eq!(redactor.redact(&text), format!("{path}{expected}{end}"));
            for encoded in [BASE64.encode(secret.as_bytes()), HEXLOWER.encode(secret.as_bytes())] {
                let text = format!("{path}{encoded}{end}");
                let clean = redactor.redact(&text);
                assert!(clean.contains(&expected) && !clean.contains(&encoded), "{clean}");
            }
        }
    }
    let slashes = "aaaaaa/".repeat(100_000);
    assert_eq!(redactor.redact(&slashes), slashes);
}

/// The group of four that holds the first byte of the secret holds one that is not ASCII too.
#[test]
fn base64_of_a_secret_beside_other_letters_is_found() {
    let token = "ghp_madeupmadeupmadeupmadeupmadeup123456";
    for before in ["é", "éa", "☃", "x☃"] {
        let text = BASE64.encode(format!("{before}{token}é").as_bytes());
        assert_eq!(redactor().redact(&text), mark("github_token", token));
    }
}

#[test]
fn a_known_secret_wins_over_what_a_name_suggests() {
    let redactor = redactor_knowing(&["made-up-key-1"]);
    let expected = format!("api_key={}", mark(KNOWN_TYPE, "made-up-key-1"));
    assert_eq!(redactor.redact("api_key=made-up-key-1"), expected);
}

#[rustfmt::skip]
const CLEAN: &[&str] = &[
    "", "-", "a", "/", "GET /healthz HTTP/1.1",
    "/usr/local/lib/python3.11/dist-packages/urllib3/connectionpool.py",
    "aws-cli/2.15.30 Python/3.11.8 Linux/6.5.0-1014-aws exe/x86_64.ubuntu.22 prompt/off command/sts.get-caller-identity",
    "Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux#5.10.0 md/arch#x86_64 lang/python#3.9.16 md/pyimpl#CPython cfg/retry-mode#legacy",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "APN/1.0 HashiCorp/1.0 Terraform/1.5.0 (+https://www.terraform.io) terraform-provider-aws/5.7.0",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:payments/stripe-a1B2c3",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:Payments0Stripe1234567890abc-a1B2c3",
    "{\"secretId\":\"arn:aws:secretsmanager:eu-west-1:111122223333:secret:payments-a1B2c3\"}",
    "arn:aws:kms:eu-west-1:111122223333:key/8e6cdd5b-1f7e-4c9e-9f2a-0123456789ab",
    "arn:aws:sts::111122223333:assumed-role/payments-checkout/i-0abcdef1234567890",
    "AKIA2222MADEUP333344", "accessKeyId=ASIA2222MADEUP333344&x=1", "key=AKIA2222MADEUP333344",
    "AWSAccessKeyId=AKIA2222MADEUP333344",
    "8e6cdd5b-1f7e-4c9e-9f2a-0123456789ab", "/v1/orders/8e6cdd5b-1f7e-4c9e-9f2a-0123456789ab/items",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8",
    "hmac-sha256:0af31c0000000000000000000000000000000000000000000000000000000000",
    "client_token=hmac-sha256:0af31c0000000000000000000000000000000000000000000000000000000000",
    "Failed password for root from 203.0.113.7 port 22 ssh2",
    "Failed password for invalid user admin from 203.0.113.7 port 4711 ssh2",
    "Accepted publickey for deploy from 10.4.1.1 port 40022 ssh2: ED25519 SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8",
    "The security token included in the request is invalid.", "invalid token: signature mismatch in header",
    "permission denied: missing client token", "token=null", "password: required", "token_type=bearer&expires_in=3600",
    "?list-type=2&prefix=logs/2026&continuation-token=1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM",
    "?nextToken=eyMadeUpPagination1234567890abcdef", "clientRequestToken=8e6cdd5b-1f7e-4c9e-9f2a-0123456789ab",
    "secret/data/payments/stripe", "secret: payments/stripe", "auth/token/create", "auth/approle/login",
    "secrets/payments/versions/3", "/api/v1/namespaces/payments/secrets/stripe", "SecretsManager GetSecretValue",
    "secret_name=payments", "token_id=42", "key=orders/2026/01/02/part-00001.parquet", "sort_key=2026-01-02T03:04:05Z#a1b2c3d4e5f6",
    "idempotency-key: 8e6cdd5b-1f7e-4c9e-9f2a-0123456789ab", "cache key: user-profile-page", "monkey=banana1234567890abcdef",
    "https://docs.example/api?key=value&x=1", "http://[2001:db8::1]:8080/path", "https://deploy@git.example/a.git", "git@github.example:org/repo.git",
    "PWD=/home/deploy/build", "2026-01-02T03:04:05.678901Z", "C:\\Users\\token\\nothing", "100% of 50%25 &amp; more",
    "x-request-id: 4f8f2b1c9d3e4a5b8c7d6e5f4a3b2c1d", "Root=1-67891233-abcdef012345678912345678", "i-0abcdef1234567890",
    "s3.amazonaws.com", "logs.eu-west-1.amazonaws.com", "system:serviceaccount:payments:checkout", "password=****", "api_key=[FILTERED]",
    "Authorization: [REDACTED]", "Bearer token is required", "Basic authentication failed", "password=${DB_PASSWORD}",
    "authorization: required for this call", "Cookie: disabled", "kubectl/v1.28.2 (linux/amd64) kubernetes/89a4ea3e1e4ddd7f7572286090359983e0387b2f",
    "SignatureDoesNotMatch: The request signature we calculated does not match", "SignatureVersion=4",
    "payments-checkout-7d9f8b6c5d-x2x4z", "ip-10-4-1-1.eu-west-1.compute.internal", "sha256~abc", "Grüße aus Köln ☃",
];

#[test]
fn clean_text_stays_as_it_is() {
    let redactor = redactor_knowing(&["made-up-secret-value"]);
    for text in CLEAN {
        assert!(
            matches!(redactor.redact(text), Cow::Borrowed(_)),
            "{text} became {}",
            redactor.redact(text)
        );
        let twice = format!("{text} {text}");
        assert_eq!(redactor.redact(&twice), twice);
    }
}

#[test]
fn a_redactor_shows_nothing() {
    assert_eq!(
        format!("{:?}", redactor_knowing(&["made-up-1"])),
        "Redactor(****, 1 known secrets)"
    );
}

/// A long hostile text must cost little more than a long plain one.
#[test]
fn no_text_makes_redaction_quadratic() {
    for piece in [
        "password=",
        "\"token\":\"",
        "-----BEGIN RSA PRIVATE KEY-----",
        "eyJa.",
        "xoxb-a-",
        "://",
        "ghp_",
        "%25",
        "\\\\",
        "bearer ",
        "s.",
        "token: ",
        "a=",
        "AAAA",
        "QUFB",
        "4141",
        "secret_",
        "Cookie: a=b ",
        "dp.pt.",
        "key=&amp;",
    ] {
        let text = piece.repeat(200_000 / piece.len());
        let clean = redactor_knowing(&["made-up-1"]).redact(&text).into_owned();
        assert!(clean.len() <= 8 * text.len());
    }
}

proptest! {
    #[test]
    fn redacting_twice_changes_nothing((_, before, secret, after) in sample(), left in "[ -~]{0,20}") {
        let text = format!("{left}\n{before}{secret}{after}\n");
        let once = redactor().redact(&text).into_owned();
        let twice = redactor().redact(&once).into_owned();
        prop_assert_eq!(twice, once);
    }

    #[test]
    fn no_text_makes_redaction_panic(text: String) {
        let _ = redactor_knowing(&["made-up-1"]).redact(&text);
    }

    #[test]
    fn no_text_of_telling_pieces_makes_redaction_panic(
        pieces in prop::collection::vec(
            prop::sample::select(&["password", "=", ":", "\"", "\\", "%", "é", "☃", "\0", "eyJ", "://", "@", "Basic ",
                "&", "&#x41;", "\\u00e9", "ghp_", "abcdefghijklmnop1234", " ", "%C3%A9", "w6k", "token", "--", "\n"][..]),
            0..24,
        ),
    ) {
        let text = pieces.concat();
        let _ = redactor_knowing(&["made-up-1"]).redact(&text);
    }

    /// At most one false mark in ten thousand plain lines; identifiers as services make them.
    #[test]
    fn random_identifiers_stay(
        hex in "[0-9a-f]{32,64}",
        uuid in "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        words in "[a-z]{3,9}(/[a-z]{3,9}){1,6}",
    ) {
        let text = format!("GET /{words}/{uuid}/{hex}?page=2&id={uuid} request {hex}");
        let clean = redactor().redact(&text).into_owned();
        prop_assert_eq!(clean, text);
    }

    #[test]
    fn a_known_secret_never_survives(
        secret in "[A-Za-z0-9_+/=.~-]{11,60}[A-Za-z0-9]",
        left in "[ -~]{0,20}[ \"'(,;&]",
        right in "[ \"'),;&][ -~]{0,20}",
    ) {
        let redactor = redactor_knowing(&[&secret]);
        let text = format!("{left}{secret}{right}");
        for (form, encoded) in forms(&text) {
            if form == "JSON in JSON" || form == "HTML" {
                continue;
            }
            let clean = redactor.redact(&encoded).into_owned();
            prop_assert!(!survives(&clean, &secret), "{}: {} in {} became {}", form, secret, encoded, clean);
        }
    }
}

#[test]
fn a_known_secret_behind_letters_is_found() {
    let telegram = "1234567890:AAHx9Yq2Lk8Rt5Wv7Zb3Nc6Md4Pf0Gh1Js2";
    let key = "Ab3dEf6hIj9kLm2nOp5qRs8t";
    let redactor = redactor_knowing(&[telegram, key]);
    for (text, secret) in [
        ("/bot1234567890:AAHx9Yq2Lk8Rt5Wv7Zb3Nc6Md4Pf0Gh1Js2/sendMessage", telegram),
        (
            "https://api.example.com/bot1234567890:AAHx9Yq2Lk8Rt5Wv7Zb3Nc6Md4Pf0Gh1Js2/x?y=1",
            telegram,
        ),
        ("/p/x_Ab3dEf6hIj9kLm2nOp5qRs8t", key),
        ("/p/longprefixAb3dEf6hIj9kLm2nOp5qRs8t/q", key),
        ("v1Ab3dEf6hIj9kLm2nOp5qRs8t", key),
    ] {
        let clean = redactor.redact(text);
        assert!(clean.contains(&mark(KNOWN_TYPE, secret)), "{text} became {clean}");
        assert!(!clean.contains(&secret[12..]), "{clean}");
    }
}

#[test]
fn a_token_that_nobody_knows_stays_behind_letters_only_where_it_has_no_shape() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlc2lnbmF0dXJl";
    assert_eq!(redactor().redact(&format!("/p/x_{jwt}")), format!("/p/x_{}", mark("jwt", jwt)));
    assert_eq!(redactor().redact(&format!("/p/keys{jwt}")), format!("/p/keys{}", mark("jwt", jwt)));
    let bot = "/bot1234567890:AAHx9Yq2Lk8Rt5Wv7Zb3Nc6Md4Pf0Gh1Js2/getMe";
    assert!(redactor().redact(bot).starts_with("/[telegram_token:"));
    for text in ["/app/MonkeyJsonMapper.class.js", "/robot123456:start", "keyJson.read.x"] {
        assert_eq!(redactor().redact(text), text);
    }
}

#[test]
fn a_token_is_looked_up_a_bounded_number_of_times() {
    let long = "aB3_".repeat(256);
    assert_eq!(glued_starts(long.as_bytes()).count(), GLUED_MAX);
    assert_eq!(glued_starts(b"0f8fad5b-d9cb-469f-a165-70867728950e").count(), 0);
    assert_eq!(glued_starts(b"short1").count(), 0);
}
