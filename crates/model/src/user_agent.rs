//! User agents reduced to product and SDK family.
//!
//! One workstation shows a hundred user-agent strings: versions, commands,
//! platforms and prompt modes change from call to call. What stays is which
//! software calls, and that is what tells one consumer from another.

/// How an entry of [`PRODUCTS`] is found in a lower-case user agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// It begins so.
    Start,
    /// It stands anywhere.
    Anywhere,
}

use At::{Anywhere, Start};

/// Products whose name is not simply the first word, in order: the first that
/// matches wins, so tools stand before the SDKs and libraries they are built on.
const PRODUCTS: &[(At, &str, &str)] = &[
    // Tools that put the SDK's name, or a partner's, before their own.
    (Anywhere, "terraform-provider-", "Terraform"),
    (Anywhere, "terraform/", "Terraform"),
    (Start, "terraform", "Terraform"),
    (Anywhere, "opentofu/", "OpenTofu"),
    (Anywhere, "pulumi", "Pulumi"),
    (Anywhere, "crossplane", "Crossplane"),
    (Anywhere, "ansible", "Ansible"),
    (Anywhere, "hashicorp packer", "Packer"),
    (Anywhere, "packer/", "Packer"),
    (Anywhere, "eksctl", "eksctl"),
    (Anywhere, "karpenter", "karpenter"),
    (Anywhere, "external-secrets", "external-secrets"),
    (Anywhere, "cluster-autoscaler", "cluster-autoscaler"),
    (Anywhere, "aws-load-balancer-controller", "aws-load-balancer-controller"),
    (Anywhere, "stratus-red-team", "stratus-red-team"),
    (Anywhere, "hashicorp-vault", "vault"),
    (Start, "vault/", "vault"),
    // AWS's own callers.
    (Start, "aws-internal", "aws-internal"),
    (Start, "aws internal", "aws-internal"),
    (Start, "s3console", "S3Console"),
    (Start, "awsconsole", "AWSConsole"),
    (Start, "aws-cli", "aws-cli"),
    (Start, "awspowershell", "AWSPowerShell"),
    // SDK families: language and not generation, since one program mixes both.
    (Start, "boto3", "Boto3"),
    (Start, "botocore", "Botocore"),
    (Start, "boto/", "Boto"),
    (Start, "aws-sdk-go", "aws-sdk-go"),
    (Start, "aws-sdk-java", "aws-sdk-java"),
    (Start, "aws-sdk-kotlin", "aws-sdk-kotlin"),
    (Start, "aws-sdk-nodejs", "aws-sdk-js"),
    (Start, "aws-sdk-js", "aws-sdk-js"),
    (Start, "aws-sdk-react", "aws-sdk-js"),
    (Start, "aws-sdk-ruby", "aws-sdk-ruby"),
    (Start, "aws-sdk-php", "aws-sdk-php"),
    (Start, "aws-sdk-rust", "aws-sdk-rust"),
    (Start, "aws-sdk-swift", "aws-sdk-swift"),
    (Start, "aws-sdk-cpp", "aws-sdk-cpp"),
    (Start, "aws-sdk-dotnet", "aws-sdk-dotnet"),
    (Start, "aws-sdk-net", "aws-sdk-dotnet"),
    (Start, "azsdk-python", "azsdk-python"),
    (Start, "azsdk-net", "azsdk-net"),
    (Start, "azsdk-go", "azsdk-go"),
    (Start, "azsdk-java", "azsdk-java"),
    (Start, "azsdk-js", "azsdk-js"),
    (Start, "google-api-go-client", "google-api-go-client"),
    (Start, "google-cloud-sdk", "gcloud"),
    (Start, "gcloud", "gcloud"),
    // Libraries that name their language first.
    (Anywhere, "aiohttp/", "aiohttp"),
    (Anywhere, "python-httpx", "python-httpx"),
    (Start, "go-http-client", "Go-http-client"),
    (Start, "github-hookshot", "GitHub-Hookshot"),
    (Start, "git/", "git"),
    (Start, "git-lfs/", "git-lfs"),
    (Start, "jgit/", "JGit"),
];

/// Browser families within `Mozilla/5.0 (...)`: the derived one before the one it claims to be.
const BROWSERS: &[(&str, &str)] = &[
    ("powershell/", "PowerShell"),
    ("headlesschrome/", "HeadlessChrome"),
    ("electron/", "Electron"),
    ("edg/", "Edge"),
    ("edge/", "Edge"),
    ("opr/", "Opera"),
    ("samsungbrowser/", "Samsung Internet"),
    ("firefox/", "Firefox"),
    ("fxios/", "Firefox"),
    ("crios/", "Chrome"),
    ("chromium/", "Chrome"),
    ("chrome/", "Chrome"),
    ("safari/", "Safari"),
    ("trident/", "Internet Explorer"),
    ("msie ", "Internet Explorer"),
];

/// Longest product name that is kept, in characters.
const LONGEST: usize = 60;

/// Returns the product and SDK family of a user agent, without versions and platforms.
///
/// Empty for an absent user agent; a service's host name comes back as it is.
/// Give it the redacted text: a user agent can hold anything.
pub fn product(user_agent: &str) -> String {
    let text = user_agent.trim().trim_matches('"');
    // S3 writes user agents in brackets; a redaction mark has them too, and keeps them.
    let text = match text.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(inner) if !inner.contains(":lu1_") => inner.trim(),
        _ => text,
    };
    if text.is_empty() || text == "-" {
        return String::new();
    }
    let lower = text.to_ascii_lowercase();
    if let Some(name) = known_product(&lower) {
        return name.to_owned();
    }
    if lower.starts_with("mozilla/") {
        return browser(text, &lower);
    }
    if is_host_name(text) {
        return lower;
    }
    first_words(text)
}

fn known_product(lower: &str) -> Option<&'static str> {
    PRODUCTS
        .iter()
        .find(|(at, needle, _)| match at {
            Start => lower.starts_with(needle),
            Anywhere => lower.contains(needle),
        })
        .map(|it| it.2)
}

/// Browsers and what poses as one: `Mozilla/5.0 (compatible; Name/2.1; +http://...)`.
fn browser(text: &str, lower: &str) -> String {
    if let Some(at) = lower.find("compatible; ") {
        let name = first_words(&text[at + "compatible; ".len()..]);
        if !name.is_empty() && !name.to_ascii_lowercase().starts_with("msie") {
            return name;
        }
    }
    BROWSERS.iter().find(|it| lower.contains(it.0)).map_or("Mozilla", |it| it.1).to_owned()
}

/// `secretsmanager.amazonaws.com` and the like: no product, no version, dots and letters.
fn is_host_name(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    text.contains('.')
        && last.len() >= 2
        && last.bytes().all(|it| it.is_ascii_alphabetic())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-'))
}

/// The words before the first version: `Apache-HttpClient/4.5 (Java/1.8)` is
/// `Apache-HttpClient`, `My Agent 1.2` is `My Agent`.
fn first_words(text: &str) -> String {
    let head = text
        .split(['/', '(', ')', ',', ';', '#'])
        .map(str::trim)
        .find(|it| !it.is_empty())
        .unwrap_or_default();
    let words: Vec<&str> =
        head.split_whitespace().take_while(|it| !is_version(it)).take(3).collect();
    let name = if words.is_empty() {
        // Nothing but a version: better than no product at all.
        "unknown".to_owned()
    } else {
        words.join(" ")
    };
    name.chars().filter(|it| !it.is_control()).take(LONGEST).collect()
}

fn is_version(word: &str) -> bool {
    let digits = word.strip_prefix(['v', 'V']).unwrap_or(word);
    digits.starts_with(|it: char| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn versions_platforms_and_commands_do_not_make_another_product() {
        for (text, expected) in [
            (
                "aws-cli/2.15.30 Python/3.11.8 Linux/6.5.0 exe/x86_64.ubuntu.22 prompt/off command/s3.ls",
                "aws-cli",
            ),
            ("[aws-cli/1.18.69 Python/3.8.10 Linux/5.4 botocore/1.16.19]", "aws-cli"),
            ("Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux", "Boto3"),
            ("Botocore/1.27.1 Python/3.9", "Botocore"),
            ("aws-sdk-go/1.44.1 (go1.19; linux; amd64)", "aws-sdk-go"),
            ("aws-sdk-go-v2/1.21.0 os/macos lang/go#1.20", "aws-sdk-go"),
            ("[aws-sdk-java/2.20.1 Linux/5.10]", "aws-sdk-java"),
            ("aws-sdk-nodejs/2.1400.0 linux/v18", "aws-sdk-js"),
            ("aws-sdk-js/3.400.0 ua/2.0 os/linux", "aws-sdk-js"),
            (
                "APN/1.0 HashiCorp/1.0 Terraform/1.5.0 (+https://www.terraform.io) \
                 terraform-provider-aws/5.7.0 aws-sdk-go/1.44.299 (go1.20.5; darwin; arm64)",
                "Terraform",
            ),
            ("aws-sdk-go/1.44.299 (go1.20) APN/1.0 HashiCorp/1.0 Terraform/1.5.0", "Terraform"),
            ("git/2.43.0", "git"),
            ("curl/8.5.0", "curl"),
            ("python-requests/2.31.0", "python-requests"),
            ("Go-http-client/1.1", "Go-http-client"),
            ("okhttp/4.9.3", "okhttp"),
            ("kubectl/v1.28.2 (linux/amd64) kubernetes/89a4ea3", "kubectl"),
            ("Vault/1.15.2 (+https://www.vaultproject.io/; go1.21)", "vault"),
            ("Apache-HttpClient/4.5.13 (Java/11.0.2)", "Apache-HttpClient"),
            ("Python/3.9 aiohttp/3.8.4", "aiohttp"),
            ("My Agent 1.2", "My Agent"),
            ("payments-checkout", "payments-checkout"),
            ("cloudtrail.amazonaws.com", "cloudtrail.amazonaws.com"),
            ("AWS Internal", "aws-internal"),
            ("aws-internal/3 aws-sdk-java/1.12.488", "aws-internal"),
            ("[S3Console/0.4, aws-internal/3 aws-sdk-java/1.11]", "S3Console"),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/120.0.0.0 Safari/537.36",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0",
                "Edge",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:121.0) Gecko/20100101 Firefox/121.0",
                "Firefox",
            ),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://a.example/bot.html)", "Googlebot"),
            (
                "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
                "Internet Explorer",
            ),
            ("Mozilla/5.0", "Mozilla"),
            ("1.2.3", "unknown"),
            ("", ""),
            ("-", ""),
            ("[]", ""),
            ("[github_token:lu1_abcdefgh]", "[github_token:lu1_abcdefgh]"),
        ] {
            assert_eq!(product(text), expected, "{text}");
        }
    }

    /// One workstation with two tools: 130 strings, two products.
    #[test]
    fn one_workstation_is_few_products() {
        let mut strings = BTreeSet::new();
        for command in 0..65 {
            strings.insert(format!(
                "aws-cli/2.13.{} Python/3.11.4 Darwin/22.5.0 exe/x86_64 prompt/off command/iam.c{command}",
                command % 3
            ));
            strings.insert(format!(
                "APN/1.0 HashiCorp/1.0 Terraform/1.5.{} (+https://www.terraform.io) \
                 terraform-provider-aws/4.{command} aws-sdk-go-v2/1.18 api/s{command}#1.1",
                command % 5
            ));
        }
        assert_eq!(strings.len(), 130);
        let products: BTreeSet<_> = strings.iter().map(|it| product(it)).collect();
        let products: Vec<_> = products.iter().map(String::as_str).collect();
        assert_eq!(products, ["Terraform", "aws-cli"]);
    }

    proptest! {
        #[test]
        fn no_user_agent_makes_it_panic_or_long(text: String) {
            let name = product(&text);
            prop_assert!(name.chars().count() <= LONGEST || is_host_name(&text));
            prop_assert!(!name.chars().any(char::is_control));
            let _ = product(&format!("Mozilla/5.0 (compatible; {text}"));
        }

        #[test]
        fn a_version_never_changes_the_product(name in "[A-Za-z][A-Za-z-]{2,20}", a in 0_u32..99, b in 0_u32..99) {
            let one = product(&format!("{name}/{a}.{b}"));
            let other = product(&format!("{name}/{b}.{a}.1 (linux)"));
            prop_assert_eq!(one, other);
        }
    }
}
