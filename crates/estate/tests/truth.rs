//! Reads the logs of an estate again, in another and slower way, and compares with its truth.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::path::Path;

use data_encoding::BASE64;
use flate2::read::GzDecoder;
use jiff::Timestamp;
use lastuse_estate::{EstateConfig, LogSource, SessionTruth, Truth, files, generate};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A request as the log shows it.
#[derive(Debug, Default)]
struct Event {
    time: Timestamp,
    credential: Option<String>,
    outcome: &'static str,
    count: u64,
    child: Option<String>,
    workload: Option<String>,
    principal: Option<String>,
    product: Option<String>,
    ip: String,
}

#[derive(Debug, Default)]
struct Registry {
    /// What a log may show of a version, to its secret and number.
    known: HashMap<String, (String, String)>,
    cutoffs: HashMap<(String, String), (Option<Timestamp>, Option<Timestamp>)>,
    assets: Vec<(u32, String)>,
}

fn quoted(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("{name}: \""))?;
    rest.split_once('"').map(|it| it.0.to_owned())
}

fn address(text: &str) -> u32 {
    text.parse::<std::net::Ipv4Addr>().map(u32::from).expect("an address")
}

fn read_registry(root: &Path) -> Registry {
    let text = std::fs::read_to_string(root.join("registry.yaml")).expect("reads");
    let (mut registry, mut at) = (Registry::default(), (String::new(), String::new()));
    for line in text.lines() {
        if let Some(id) = quoted(line, "- id") {
            at.0 = id;
        } else if let Some(version) = quoted(line, "- version") {
            at.1 = version;
        } else if let Some(time) = line.trim().strip_prefix("cutoff_time: ") {
            registry.cutoffs.entry(at.clone()).or_default().0 = Some(time.parse().expect("a time"));
        } else if let Some(time) = line.trim().strip_prefix("revoked_time: ") {
            registry.cutoffs.entry(at.clone()).or_default().1 = Some(time.parse().expect("a time"));
        } else if let Some(value) = quoted(line, "value") {
            registry.known.insert(value, at.clone());
        } else if let Some(file) = quoted(line, "file") {
            let raw =
                std::fs::read_to_string(root.join(file)).expect("reads").trim_end().to_owned();
            registry.known.insert(BASE64.encode(&Sha256::digest(raw.as_bytes())), at.clone());
            registry.known.insert(raw, at.clone());
        } else if let Some(rest) = line.trim().strip_prefix("- {cidr: ") {
            let cidr = rest.split_once("/28").expect("a network").0;
            registry.assets.push((address(cidr), quoted(line, "workload").expect("a workload")));
        }
    }
    registry
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .filter(|it| !it.is_empty() && *it != "-")
        .map(str::to_owned)
}

fn time(text: &str) -> Timestamp {
    let time: Timestamp = text.parse().expect("a time");
    Timestamp::from_microsecond(time.as_microsecond()).expect("a time")
}

fn product(agent: &str) -> String {
    agent.split(['/', ' ']).next().unwrap_or_default().to_owned()
}

fn cloudtrail(it: &Value) -> (String, Event) {
    let code = text(it, "/errorCode").unwrap_or_default();
    let outcome = match code.as_str() {
        "" | "ResourceNotFoundException" => "success",
        "AccessDenied" | "Client.UnauthorizedOperation" => "denied",
        "ServiceUnavailable" | "InternalFailure" => "error",
        _ => "rejected",
    };
    let forwarded = it.pointer("/userIdentity/invokedBy").is_some();
    let name = text(it, "/userIdentity/principalId")
        .and_then(|it| it.split_once(':').map(|it| it.1.to_owned()));
    let generated =
        |it: &String| it.starts_with("botocore-session-") || it.starts_with("aws-go-sdk-");
    let workload = name.map(|name| {
        if generated(&name) {
            text(it, "/userIdentity/sessionContext/sessionIssuer/userName").expect("a role")
        } else {
            name
        }
    });
    let event = Event {
        time: time(&text(it, "/eventTime").expect("a time")),
        credential: text(it, "/userIdentity/accessKeyId").filter(|_| !forwarded),
        outcome,
        count: 1,
        child: text(it, "/responseElements/credentials/accessKeyId"),
        workload,
        principal: text(it, "/userIdentity/arn"),
        product: text(it, "/userAgent").map(|it| product(&it)),
        ip: text(it, "/sourceIPAddress").expect("an address"),
    };
    (text(it, "/eventID").expect("an id"), event)
}

/// Request lines have no event of their own.
fn vault(it: &Value) -> Option<(String, Event)> {
    if it["type"] == "request" {
        return None;
    }
    let known = it.pointer("/auth/accessor").is_some();
    let outcome = match (it.get("error"), known) {
        (None, _) => "success",
        (Some(_), true) => "denied",
        (Some(_), false) => "rejected",
    };
    let workload = text(it, "/auth/metadata/service_account_name")
        .map(|name| {
            format!(
                "{}/{name}",
                text(it, "/auth/metadata/service_account_namespace").expect("a namespace")
            )
        })
        .or_else(|| text(it, "/auth/metadata/role_name"));
    let credential = ["/request/client_token", "/request/data/secret_id", "/request/data/jwt"]
        .iter()
        .find_map(|at| text(it, at));
    let event = Event {
        time: time(&text(it, "/time").expect("a time")),
        credential,
        outcome,
        count: 1,
        child: text(it, "/response/auth/client_token"),
        workload,
        principal: text(it, "/auth/display_name"),
        product: None,
        ip: text(it, "/request/remote_address").expect("an address"),
    };
    Some((text(it, "/request/id").expect("an id"), event))
}

fn github(it: &Value) -> (String, Event) {
    let outcome = match it.get("status_code").and_then(Value::as_i64) {
        Some(401) => "rejected",
        Some(403) => "denied",
        Some(500..) => "error",
        _ => "success",
    };
    let event = Event {
        time: Timestamp::from_millisecond(it["created_at"].as_i64().expect("a time"))
            .expect("a time"),
        credential: text(it, "/hashed_token"),
        outcome,
        count: 1,
        principal: text(it, "/actor"),
        product: text(it, "/user_agent").map(|it| product(&it)),
        ip: text(it, "/actor_ip").unwrap_or_default(),
        ..Event::default()
    };
    (text(it, "/_document_id").expect("an id"), event)
}

fn percent_decode(text: &str) -> String {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex: String = bytes.by_ref().take(2).map(char::from).collect();
            out.push(u8::from_str_radix(&hex, 16).expect("hex"));
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).expect("UTF-8")
}

fn http(it: &Value) -> (String, Event) {
    let outcome = match it["status"].as_i64().expect("a status") {
        401 => "rejected",
        403 => "denied",
        500.. => "error",
        _ => "success",
    };
    let header = text(it, "/http_authorization").map(|it| {
        let (scheme, rest) = it.split_once(' ').expect("a scheme");
        match scheme {
            "Basic" => {
                let pair = String::from_utf8(BASE64.decode(rest.as_bytes()).expect("base64"))
                    .expect("UTF-8");
                pair.split_once(':').expect("a pair").1.to_owned()
            }
            _ => rest.to_owned(),
        }
    });
    let uri = text(it, "/request_uri").expect("a target");
    let parameter = uri.split_once("&api_key=").map(|it| percent_decode(it.1));
    let event = Event {
        time: time(&text(it, "/time").expect("a time")),
        credential: header.or_else(|| text(it, "/http_x_api_key")).or(parameter),
        outcome,
        count: 1,
        product: text(it, "/http_user_agent").map(|it| product(&it)),
        ip: text(it, "/remote_addr").expect("an address"),
        ..Event::default()
    };
    (text(it, "/request_id").expect("an id"), event)
}

/// None for lines that are not sshd's answer to a key.
fn sshd(message: &str, time: Timestamp) -> Option<Event> {
    let (message, count) = match message.strip_prefix("message repeated 2 times: [ ") {
        Some(rest) => (rest.trim_end_matches(']'), 2),
        None => (message, 1),
    };
    let outcome = if message.starts_with("Accepted publickey") { "success" } else { "rejected" };
    let (_, rest) = message.split_once(" publickey for ")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let credential = words.iter().find(|it| it.starts_with("SHA256:")).map(|it| (*it).to_owned());
    Some(Event {
        time,
        credential,
        outcome,
        count,
        principal: Some(words[0].to_owned()),
        ip: words[2].to_owned(),
        ..Event::default()
    })
}

fn syslog_time(line: &str) -> Timestamp {
    let month = 1 + "JanFebMarAprMayJunJulAugSepOctNovDec".find(&line[..3]).expect("a month") / 3;
    let day: u32 = line[4..6].trim().parse().expect("a day");
    time(&format!("2026-{month:02}-{day:02}T{}Z", &line[7..15]))
}

fn sshd_line(line: &str) -> Option<Event> {
    let classic = line.starts_with(|it: char| it.is_ascii_alphabetic());
    let time =
        if classic { syslog_time(line) } else { time(line.split(' ').next().expect("a stamp")) };
    let (head, message) = line.split_once("]: ")?;
    head.contains(" sshd").then(|| sshd(message, time)).flatten()
}

fn read_events(root: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    let mut seen = HashSet::new();
    for path in files(&root.join("logs")).expect("lists") {
        let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
        let mut content = Vec::new();
        let file = std::fs::File::open(&path).expect("opens");
        if name.ends_with(".gz") {
            GzDecoder::new(file).read_to_end(&mut content).expect("decodes");
        } else {
            std::io::BufReader::new(file).read_to_end(&mut content).expect("reads");
        }
        let content = String::from_utf8(content).expect("UTF-8");
        if name.contains("auth.log") {
            events.extend(content.lines().filter_map(sshd_line));
            continue;
        }
        let records: Vec<Value> = if name.contains("CloudTrail") && name.ends_with(".gz") {
            let mut document: Value = serde_json::from_str(&content).expect("JSON");
            document["Records"].as_array_mut().map(std::mem::take).expect("records")
        } else {
            content.lines().map(|it| serde_json::from_str(it).expect("JSON")).collect()
        };
        for record in &records {
            let found = match name.split('/').nth(1) {
                Some("cloudtrail") => Some(cloudtrail(record)),
                Some("vault") => vault(record),
                Some("github") => Some(github(record)),
                Some("gateway") => Some(http(record)),
                _ => {
                    let stamp = record["__REALTIME_TIMESTAMP"]
                        .as_str()
                        .and_then(|it| it.parse().ok())
                        .expect("a time");
                    let time = Timestamp::from_microsecond(stamp).expect("a time");
                    let message = record["MESSAGE"].as_str().expect("a message");
                    let event = (record["SYSLOG_IDENTIFIER"] == "sshd")
                        .then(|| sshd(message, time))
                        .flatten();
                    event.map(|it| (record["__CURSOR"].to_string(), it))
                }
            };
            if let Some((id, event)) = found
                && seen.insert(id)
            {
                events.push(event);
            }
        }
    }
    events
}

impl Registry {
    fn workload(&self, event: &Event) -> String {
        if let Some(workload) = &event.workload {
            return workload.clone();
        }
        let ip = address(&event.ip);
        if let Some((_, workload)) = self.assets.iter().find(|(network, _)| ip & !15 == *network) {
            return workload.clone();
        }
        let network = format!("{}.0/24", event.ip.rsplit_once('.').expect("an address").0);
        let parts = [event.principal.clone(), event.product.clone(), Some(network)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" / ")
    }
}

#[derive(Debug, Default, PartialEq)]
struct Facts {
    attempts: u64,
    uses: u64,
    rejected: u64,
    derived: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    last_used: Option<Timestamp>,
    last_rejected: Option<Timestamp>,
    derived_last: Option<Timestamp>,
}

type Rows = BTreeMap<(String, String, String), Facts>;
type Findings = BTreeMap<(String, String, String, &'static str), (u64, Timestamp, Timestamp)>;

/// What the definitions make of the events.
fn conclude(registry: &Registry, events: &[Event]) -> (Rows, Findings, u64) {
    let obtained: HashMap<&str, &Event> =
        events.iter().filter_map(|it| it.child.as_deref().map(|child| (child, it))).collect();
    let (mut rows, mut findings) = (Rows::new(), Findings::new());
    let mut exchanges = 0;
    for event in events {
        let Some(presented) = event.credential.as_deref() else {
            continue;
        };
        let is_use = matches!(event.outcome, "success" | "denied");
        let (mut root, mut root_issued) = (presented, event.time);
        while let (None, Some(parent)) = (registry.known.get(root), obtained.get(root)) {
            let Some(credential) = parent.credential.as_deref() else {
                break;
            };
            root = credential;
            root_issued = parent.time;
        }
        let Some((secret, version)) = registry.known.get(root) else {
            continue;
        };
        exchanges += u64::from(event.child.is_some());
        let key = (secret.clone(), version.clone(), registry.workload(event));
        let row = rows.entry(key.clone()).or_default();
        let (cutoff, revoked) =
            registry.cutoffs.get(&(secret.clone(), version.clone())).copied().unwrap_or_default();
        let after = |limit: Option<Timestamp>| limit.is_some_and(|it| event.time >= it);
        let class = if root == presented {
            row.attempts += event.count;
            row.first = Some(row.first.map_or(event.time, |it| it.min(event.time)));
            row.last = row.last.max(Some(event.time));
            if is_use {
                row.uses += event.count;
                row.last_used = row.last_used.max(Some(event.time));
            }
            if event.outcome == "rejected" {
                row.rejected += event.count;
                row.last_rejected = row.last_rejected.max(Some(event.time));
            }
            match event.outcome {
                "success" | "denied" if after(revoked) => Some("accepted_after_revocation"),
                "success" if after(cutoff) && event.child.is_some() => {
                    Some("exchanged_after_cutoff")
                }
                "success" | "denied" if after(cutoff) => Some("accepted_after_cutoff"),
                "rejected" if after(cutoff) => Some("rejected_after_cutoff"),
                // Nobody knows whether it was taken, but it was presented.
                "error" if after(cutoff) && after(revoked) => Some("rejected_after_cutoff"),
                "error" if after(cutoff) => Some("accepted_after_cutoff"),
                _ => None,
            }
        } else if is_use {
            row.derived += 1;
            row.derived_last = row.derived_last.max(Some(event.time));
            (after(cutoff) && cutoff.is_some_and(|it| root_issued < it))
                .then_some("derived_after_cutoff")
        } else {
            None
        };
        if let Some(class) = class {
            let tally =
                findings.entry((key.0, key.1, key.2, class)).or_insert((0, event.time, event.time));
            *tally = (tally.0 + event.count, tally.1.min(event.time), tally.2.max(event.time));
        }
    }
    rows.retain(|_, it| it.attempts + it.derived > 0);
    (rows, findings, exchanges)
}

fn compare(truth: &Truth, root: &Path) {
    let registry = read_registry(root);
    let events = read_events(root);
    let (rows, findings, exchanges) = conclude(&registry, &events);
    let told: BTreeSet<_> = truth
        .versions
        .iter()
        .map(|it| (it.secret_id.clone(), it.version.clone(), it.workload.clone()))
        .collect();
    let read: BTreeSet<_> = rows.keys().cloned().collect();
    assert_eq!(
        told.symmetric_difference(&read).collect::<Vec<_>>(),
        Vec::<&(String, String, String)>::new()
    );
    for it in &truth.versions {
        let facts = Facts {
            attempts: it.attempt_count,
            uses: it.use_count,
            rejected: it.rejected_count,
            derived: it.derived_use_count,
            first: it.first_seen_time,
            last: it.last_seen_time,
            last_used: it.last_used_time,
            last_rejected: it.last_rejected_time,
            derived_last: it.derived_last_used_time,
        };
        let key = (it.secret_id.clone(), it.version.clone(), it.workload.clone());
        assert_eq!(rows[&key], facts, "{key:?}");
    }
    assert_eq!(truth.findings.len(), findings.len());
    for it in &truth.findings {
        let found = findings.iter().find(|(key, _)| {
            (&key.0, &key.1, &key.2, key.3)
                == (&it.secret_id, &it.version, &it.workload, it.class.as_str())
        });
        assert_eq!(found.map(|it| *it.1), Some((it.count, it.first_time, it.last_time)), "{it:?}");
    }
    let is_traced =
        |it: &&SessionTruth| it.ancestors.iter().any(|it| it.secret_id.is_some() && it.traced);
    assert_eq!(truth.sessions.iter().filter(is_traced).count() as u64, exchanges);
}

#[test]
fn the_logs_say_what_the_truth_says() {
    for seed in 1..=5 {
        let folder = tempfile::tempdir().expect("a folder");
        let config =
            EstateConfig { shuffle: seed % 2 == 0, ..EstateConfig::demo().with_seed(seed) };
        let truth = generate(&config, folder.path()).expect("an estate");
        compare(&truth, folder.path());
    }
}

#[test]
fn what_was_lost_counts_nowhere() {
    for seed in 1..=5 {
        let folder = tempfile::tempdir().expect("a folder");
        let config = EstateConfig { removed_spans: 6, ..EstateConfig::demo().with_seed(seed) };
        let truth = generate(&config, folder.path()).expect("an estate");
        // CloudTrail of two accounts, a gateway, GitHub, three hosts and Vault.
        assert_eq!(truth.removed.len(), 6 * 8);
        assert!(truth.removed.iter().filter(|it| it.record_count > 0).count() > 6 * 6);
        compare(&truth, folder.path());
    }
}

#[test]
fn a_busy_estate_says_what_its_truth_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = generate(&EstateConfig::bench(60_000), folder.path()).expect("an estate");
    compare(&truth, folder.path());
    let folder = tempfile::tempdir().expect("a folder");
    let config = EstateConfig {
        cloudtrail_plain_ndjson: true,
        ..EstateConfig::bench(60_000).with_sources(&[LogSource::CloudTrail])
    };
    let truth = generate(&config, folder.path()).expect("an estate");
    compare(&truth, folder.path());
}
