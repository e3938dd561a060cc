//! The rules of the redactor, as data: a name, the keywords that announce it, and the shape.
//!
//! The shapes of tokens follow what their issuers publish and what Gitleaks (MIT
//! licence) collected; they are written anew here, and wider: a mark too many
//! costs little, a secret left standing costs everything.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::bytes::Regex;

use super::assign::{self, Strength};

/// One rule: what it finds and how.
#[derive(Debug)]
pub struct Rule {
    /// The type in the mark that replaces the secret.
    pub name: &'static str,
    /// What it finds, for the documentation.
    pub about: &'static str,
    /// Texts of which one must be there, in any case, for the rule to be tried.
    pub keywords: &'static [&'static str],
    how: How,
}

/// How the secret is read once a keyword was seen.
#[derive(Debug, Clone, Copy)]
enum How {
    /// The keyword begins the secret, and this regular expression matches all of it.
    Shape(&'static str),
    /// Like `Shape`, but only where a word begins, and with digits and both cases in it.
    Token(&'static str),
    /// Like `Token`, but anywhere: `x_eyJ...`.
    Inner(&'static str),
    /// The keyword is, or ends, a name; the secret is the value given to it.
    Value(Strength),
    /// The keyword is an authentication scheme; the secret follows.
    Scheme,
    /// The keyword is `://`; the secret is the password before the `@`.
    UserInfo,
}

use How::{Inner, Scheme, Shape, Token, UserInfo, Value};

const fn rule(
    name: &'static str,
    about: &'static str,
    keywords: &'static [&'static str],
    how: How,
) -> Rule {
    Rule { name, about, keywords, how }
}

/// All rules, the more certain first: where two find the same secret, the first names it.
///
/// AWS access key ids (`AKIA...`, `ASIA...`) are public identifiers: no rule takes them.
pub fn rules() -> &'static [Rule] {
    RULES
}

#[rustfmt::skip]
static RULES: &[Rule] = &[
    rule("private_key", "PEM private keys",
        &["-----begin"],
        Shape(r"(?s)-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\z)")),
    rule("github_token", "GitHub tokens (personal, OAuth, app, refresh)",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        Shape(r"gh[pousr]_[A-Za-z0-9_]{16,255}(?:\.[A-Za-z0-9_-]{8,})*")),
    rule("github_pat", "GitHub fine-grained personal access tokens",
        &["github_pat_"],
        Shape(r"github_pat_[A-Za-z0-9_]{16,255}")),
    rule("gitlab_token", "GitLab tokens (personal, deploy, runner, job, trigger, feed, agent, OAuth)",
        &["glpat-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-", "glffct-"],
        Shape(r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_-]{16,}(?:\.[A-Za-z0-9_-]{2,})*")),
    rule("slack_token", "Slack tokens",
        &["xoxa-", "xoxb-", "xoxc-", "xoxd-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
        Shape(r"(?i)x(?:ox[a-z]|app)[-.](?:[A-Za-z0-9]+[-.]){0,8}[A-Za-z0-9%/+=]{8,}")),
    rule("slack_webhook", "Slack webhook addresses",
        &["hooks.slack.com/"],
        Shape(r"(?i)hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9_/+-]{12,}")),
    rule("vault_token", "Vault and OpenBao tokens",
        &["hvs.", "hvb.", "hvr."],
        Shape(r"hv[sbr]\.[A-Za-z0-9_-]{16,}")),
    rule("vault_token", "Vault and OpenBao tokens of the older form",
        &["s.", "b.", "r."],
        Token(r"[sbr]\.[A-Za-z0-9]{24,}(?:\.[A-Za-z0-9]{5,})?")),
    rule("jwt", "JSON web tokens, signed or encrypted",
        &["eyj"],
        Inner(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{0,}(?:\.[A-Za-z0-9_-]+){1,3}")),
    rule("stripe_key", "Stripe secret and restricted keys, webhook secrets",
        &["sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_", "whsec_"],
        Shape(r"(?:(?:sk|rk)_(?:live|test|prod)_|whsec_)[A-Za-z0-9+/=]{10,}")),
    rule("google_api_key", "Google API keys",
        &["aiza"],
        Shape(r"AIza[A-Za-z0-9_-]{30,}")),
    rule("google_oauth", "Google OAuth access tokens and client secrets",
        &["ya29.", "gocspx-"],
        Shape(r"(?:ya29\.|GOCSPX-)[A-Za-z0-9_-]{16,}")),
    rule("aws_session_token", "AWS session tokens",
        &["iqojb3jpz2lu", "fwogzxivyxdz", "fqogzxivyxdz"],
        Shape(r"(?:IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz)[A-Za-z0-9+/_%-]{16,}={0,2}")),
    rule("aws_bedrock_key", "Amazon Bedrock API keys",
        &["absk"],
        Token(r"ABSK[A-Za-z0-9+/]{60,}={0,2}")),
    rule("openai_key", "OpenAI keys",
        &["sk-proj-", "sk-svcacct-", "sk-admin-", "t3blbkfj"],
        Shape(r"(?:sk-(?:proj|svcacct|admin)-|T3BlbkFJ)[A-Za-z0-9_-]{16,}")),
    rule("anthropic_key", "Anthropic keys",
        &["sk-ant-"],
        Shape(r"sk-ant-[A-Za-z0-9_-]{16,}")),
    rule("hugging_face_token", "Hugging Face tokens",
        &["hf_", "api_org_"],
        Token(r"(?:hf_|api_org_)[A-Za-z0-9]{30,}")),
    rule("npm_token", "npm tokens",
        &["npm_"],
        Shape(r"npm_[A-Za-z0-9]{30,}")),
    rule("pypi_token", "PyPI tokens",
        &["pypi-agei"],
        Shape(r"pypi-AgEI[A-Za-z0-9_-]{16,}")),
    rule("docker_token", "Docker Hub tokens",
        &["dckr_pat_", "dckr_oat_"],
        Shape(r"dckr_[po]at_[A-Za-z0-9_-]{16,}")),
    rule("rubygems_token", "RubyGems keys",
        &["rubygems_"],
        Shape(r"rubygems_[a-f0-9]{40,}")),
    rule("sendgrid_key", "SendGrid keys",
        &["sg."],
        Token(r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}")),
    rule("sendinblue_key", "Brevo keys",
        &["xkeysib-"],
        Shape(r"xkeysib-[a-f0-9]{32,}(?:-[A-Za-z0-9]+)?")),
    rule("shopify_token", "Shopify tokens and secrets",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        Shape(r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32,}")),
    rule("tailscale_key", "Tailscale keys",
        &["tskey-"],
        Shape(r"tskey-[a-z]+-[A-Za-z0-9_-]{12,}")),
    rule("digitalocean_token", "DigitalOcean tokens",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        Shape(r"do[opr]_v1_[a-f0-9]{32,}")),
    rule("databricks_token", "Databricks tokens",
        &["dapi"],
        Shape(r"dapi[a-f0-9]{32}(?:-\d)?")),
    rule("telegram_token", "tokens of Telegram bots, with the `bot` before them",
        &["bot"],
        Token(r"bot\d{6,12}:[A-Za-z0-9_-]{30,}")),
    rule("doppler_token", "Doppler tokens",
        &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."],
        Shape(r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]+\.)?[A-Za-z0-9]{30,}")),
    rule("grafana_token", "Grafana tokens",
        &["glsa_", "glc_"],
        Shape(r"gl(?:sa|c)_[A-Za-z0-9_+/]{30,}={0,2}")),
    rule("atlassian_token", "Atlassian tokens",
        &["atatt3", "atctt3"],
        Shape(r"AT[AC]TT3[A-Za-z0-9_=-]{40,}")),
    rule("new_relic_key", "New Relic keys",
        &["nrak-", "nraa-", "nrii-"],
        Shape(r"NR(?:AK|AA|II)-[A-Za-z0-9_-]{20,}")),
    rule("sentry_token", "Sentry tokens",
        &["sntrys_", "sntryu_"],
        Shape(r"sntry[su]_[A-Za-z0-9+/=_]{30,}")),
    rule("linear_key", "Linear keys",
        &["lin_api_"],
        Shape(r"lin_api_[A-Za-z0-9]{30,}")),
    rule("pulumi_token", "Pulumi tokens",
        &["pul-"],
        Token(r"pul-[a-f0-9]{40}")),
    rule("postman_key", "Postman keys",
        &["pmak-"],
        Shape(r"PMAK-[A-Fa-f0-9]{20,}-[A-Fa-f0-9]{30,}")),
    rule("artifactory_token", "JFrog Artifactory keys and reference tokens",
        &["akcp", "cmvmdgtu"],
        Token(r"(?:AKCp[A-Za-z0-9]{50,}|cmVmdGtu[A-Za-z0-9]{40,})")),
    rule("age_key", "age secret keys",
        &["age-secret-key-1"],
        Shape(r"AGE-SECRET-KEY-1[A-Z0-9]{50,}")),
    rule("aws_secret_key", "AWS secret access keys, by their name",
        &["secret_access_key", "secretaccesskey", "secret-access-key", "secret access key"],
        Value(Strength::Strong)),
    rule("authorization", "the credential of an authorization header",
        &["authorization"],
        Value(Strength::Strong)),
    rule("authorization", "a credential after the word Bearer or Basic",
        &["bearer ", "basic "],
        Scheme),
    rule("cookie", "cookies",
        &["cookie"],
        Value(Strength::Line)),
    rule("url_password", "passwords in addresses",
        &["://"],
        UserInfo),
    rule("password", "values named password",
        &["password", "passwd", "passphrase", "pwd", "passwort"],
        Value(Strength::Strong)),
    rule("api_key", "values named API key, access key and the like",
        &["api_key", "apikey", "api-key", "api key", "access_key", "accesskey", "access-key",
          "account_key", "accountkey", "auth_key", "authkey", "auth-key", "private_key", "privatekey",
          "private-key", "signing_key", "signing-key", "encryption_key", "master_key", "masterkey",
          "subscription-key", "functions-key", "license_key"],
        Value(Strength::Strong)),
    rule("token", "values named token",
        &["token"],
        Value(Strength::Strong)),
    rule("client_secret", "values named secret",
        &["secret"],
        Value(Strength::Strong)),
    rule("signature", "values named signature: they open what a signed address opens",
        &["signature", "assertion"],
        Value(Strength::Strong)),
    rule("key", "long random values named key, sig or auth",
        &["key", "sig", "auth"],
        Value(Strength::Weak)),
];

/// A secret that a rule found.
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) label: &'static str,
    /// The place of the rule among the rules, from 1.
    pub(super) rank: u16,
    /// The secret itself, where it stands in the text encoded (Basic authentication).
    pub(super) decoded: Option<zeroize::Zeroizing<Vec<u8>>>,
}

/// The rules made ready: one automaton over all keywords, one expression per shape.
pub(super) struct Compiled {
    keywords: AhoCorasick,
    /// The rule of each keyword.
    rule_of_keyword: Vec<usize>,
    shapes: Vec<Option<Regex>>,
}

impl Compiled {
    /// Made once per process.
    pub(super) fn get() -> &'static Self {
        static COMPILED: LazyLock<Compiled> = LazyLock::new(Compiled::new);
        &COMPILED
    }

    fn new() -> Self {
        let mut keywords: Vec<&str> = Vec::new();
        let mut rule_of_keyword = Vec::new();
        for (index, rule) in RULES.iter().enumerate() {
            keywords.extend(rule.keywords);
            rule_of_keyword.extend(rule.keywords.iter().map(|_| index));
        }
        let shapes = RULES
            .iter()
            .map(|rule| match rule.how {
                Shape(shape) | Token(shape) | Inner(shape) => {
                    let anchored = format!(r"(?-u)\A(?:{shape})");
                    Some(Regex::new(&anchored).expect("the shapes are constants"))
                }
                _ => None,
            })
            .collect();
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(keywords)
            .expect("the keywords are constants");
        Self { keywords, rule_of_keyword, shapes }
    }

    /// Calls back with every secret that stands in a text.
    pub(super) fn find(&self, text: &[u8], mut found: impl FnMut(Found)) {
        // What a shape took is not looked at again, and names within the value of
        // a name are part of it: so no text is read more than a few times.
        let mut taken = 0;
        let mut value = 0..0;
        for keyword in self.keywords.find_overlapping_iter(text) {
            let index = self.rule_of_keyword[keyword.pattern().as_usize()];
            let (from, to) = (keyword.start(), keyword.end());
            let is_shape = self.shapes[index].is_some();
            if from < taken || (!is_shape && value.contains(&from)) {
                continue;
            }
            let Some(hit) = self.apply(index, text, from, to) else {
                continue;
            };
            if is_shape {
                taken = hit.end;
            } else {
                value = hit.start..hit.end;
            }
            found(Found {
                start: hit.start,
                end: hit.end,
                label: RULES[index].name,
                rank: index as u16 + 1,
                decoded: hit.decoded,
            });
        }
    }

    fn apply(&self, index: usize, text: &[u8], from: usize, to: usize) -> Option<assign::Span> {
        match RULES[index].how {
            Shape(_) => self.shape(index, text, from),
            Token(_) if !begins_word(text, from) => None,
            Token(_) | Inner(_) => {
                self.shape(index, text, from).filter(|it| is_mixed(&text[it.start..it.end]))
            }
            Value(strength) => assign::value_of_name(text, from, to, strength),
            Scheme => assign::after_scheme(text, from, to),
            UserInfo => assign::password_in_url(text, to),
        }
    }

    fn shape(&self, rule: usize, text: &[u8], from: usize) -> Option<assign::Span> {
        let found = self.shapes[rule].as_ref()?.find(&text[from..])?;
        Some(assign::Span::new(from, from + found.end()))
    }
}

fn begins_word(text: &[u8], at: usize) -> bool {
    at == 0 || !(text[at - 1].is_ascii_alphanumeric() || matches!(text[at - 1], b'_' | b'-' | b'.'))
}

/// True for what chance made and no person: letters and digits.
fn is_mixed(token: &[u8]) -> bool {
    token.iter().any(u8::is_ascii_digit) && token.iter().any(u8::is_ascii_alphabetic)
}
