//! Writes a sample of the report page: a made-up rotation, or one of as many consumers as named.
//!
//! `cargo run -p lastuse-render --example page -- [CONSUMERS] > report.html`

use std::io::{self, Write};

use lastuse_render::page::model::{
    Answer, Consumer, Coverage, Finding, Hole, Kind, Mark, Page, Reason, SecretPage, Soak, Verdict,
    Version, VersionUse,
};
use lastuse_render::page::page;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// 2026-08-07T00:00:00Z.
const START: i64 = 1_786_060_800_000_000;

/// The day number `it`, counted from the beginning of the report.
const fn on(it: i64) -> i64 {
    START + it * DAY
}

fn main() -> io::Result<()> {
    let count = std::env::args().nth(1).and_then(|it| it.parse().ok());
    let report = count.map_or_else(sample, many);
    let mut out = io::stdout().lock();
    page(&report, &mut out).map_err(io::Error::other)?;
    out.flush()
}

/// Uses every so many hours in a span of days: `(version, kind, from day, to day, hours, count)`.
type Phase = (usize, Kind, i64, i64, i64, u64);

fn consumer(name: &str, environment: &str, state: &str, phases: &[Phase]) -> Consumer {
    let mut it = Consumer {
        workload: Some(name.to_owned()),
        environment: Some(environment.to_owned()),
        principals: vec![format!("svc-{name}")],
        owner: Some("payments".to_owned()),
        is_declared: true,
        state: Some(state.to_owned()),
        evidence: Some("workload".to_owned()),
        sources: vec!["aws_cloudtrail".to_owned()],
        source_ips: vec!["10.4.7.21".to_owned(), "10.4.7.22".to_owned()],
        user_agents: vec!["stripe-node".to_owned()],
        attribution: vec!["exact".to_owned()],
        ..Consumer::default()
    };
    for (seed, phase) in phases.iter().enumerate() {
        add(&mut it, *phase, (name.len() + seed * 7) as u64);
    }
    it
}

fn add(consumer: &mut Consumer, phase: Phase, mut seed: u64) {
    let (version, kind, from, to, hours, count) = phase;
    let mut time = on(from) + (seed % 5) as i64 * HOUR;
    while time < on(to).min(on(90) + 9 * HOUR) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = time.div_euclid(HOUR) * HOUR;
        let is_day = (7..20).contains(&(at.rem_euclid(DAY) / HOUR));
        let count = if is_day { count * 3 + (seed >> 60) } else { count };
        consumer.activity.push(Mark { version, kind, start_time: at, end_time: at + HOUR, count });
        let row = consumer.uses.iter().position(|it| it.version == version);
        let row = row.unwrap_or_else(|| {
            consumer.uses.push(VersionUse { version, ..VersionUse::default() });
            consumer.uses.len() - 1
        });
        let it = &mut consumer.uses[row];
        match kind {
            Kind::Rejected => {
                it.rejected_count += count;
                it.last_rejected_time = Some(at + HOUR / 3);
            }
            Kind::Derived => it.derived_use_count += count,
            Kind::Used => it.use_count += count,
            Kind::Principal => {}
        }
        if matches!(kind, Kind::Used | Kind::Derived) {
            it.first_used_time.get_or_insert(at);
            it.last_used_time = Some(at + HOUR / 2);
        }
        time += hours * HOUR;
    }
}

fn soak(until: i64, gaps: u64, hours: u64, method: &str) -> Option<Soak> {
    Some(Soak {
        gap_count: gaps,
        longest_gap_seconds: Some(hours * 3600),
        method: method.to_owned(),
        until_time: Some(until),
    })
}

fn sample() -> Page {
    use Kind::{Derived, Principal, Rejected, Used};
    let mut all = vec![
        consumer(
            "checkout",
            "prod",
            "settled",
            &[(1, Used, 0, 70, 1, 40), (2, Used, 69, 91, 1, 40)],
        ),
        consumer(
            "checkout",
            "staging",
            "settled",
            &[(0, Used, 0, 20, 6, 1), (1, Used, 20, 67, 3, 2), (2, Used, 67, 91, 3, 2)],
        ),
        consumer("billing", "prod", "both", &[(1, Used, 0, 91, 2, 9), (2, Used, 70, 91, 2, 9)]),
        consumer(
            "invoice-mailer",
            "prod",
            "switched",
            &[(1, Used, 0, 84, 24, 1), (2, Used, 85, 91, 24, 1)],
        ),
        consumer("refund-worker", "prod", "old_only", &[(1, Used, 0, 91, 5, 2)]),
        consumer(
            "fraud-scorer",
            "prod",
            "failing_new",
            &[(1, Used, 0, 76, 1, 12), (2, Rejected, 76, 91, 2, 12)],
        ),
        consumer("ledger-export", "prod", "dormant", &[(1, Used, 2, 66, 168, 1)]),
        consumer(
            "support-portal",
            "prod",
            "reverted",
            &[(1, Used, 0, 72, 3, 1), (2, Used, 72, 77, 3, 1), (1, Used, 77, 91, 3, 1)],
        ),
        consumer(
            "data-lake-sync",
            "prod",
            "settled",
            &[(1, Used, 0, 68, 12, 1), (1, Derived, 0, 69, 3, 20), (2, Used, 68, 91, 12, 1)],
        ),
        consumer(
            "ci-smoke-tests",
            "ci",
            "old_only",
            &[(0, Used, 0, 25, 9, 1), (0, Rejected, 26, 91, 20, 3), (1, Used, 40, 90, 30, 1)],
        ),
        consumer("mobile-gateway", "prod", "new_only", &[(2, Used, 74, 91, 1, 80)]),
    ];
    all.push(Consumer {
        principals: vec!["acct_1PayRoot via curl from 203.0.113.0/24".to_owned()],
        state: Some("old_only".to_owned()),
        flags: vec!["straggler".to_owned()],
        evidence: Some("principal".to_owned()),
        sources: vec!["http_json".to_owned()],
        source_ips: vec!["203.0.113.77".to_owned()],
        ..Consumer::default()
    });
    for phase in [(1, Used, 55, 91, 75, 1), (1, Principal, 30, 91, 40, 1)] {
        add(&mut all[11], phase, 3);
    }
    for (row, flag) in
        [(2, "straggler"), (4, "straggler"), (7, "straggler"), (4, "reads_new_uses_old")]
    {
        all[row].flags.push(flag.to_owned());
    }
    all[9].is_declared = false;
    all[0].soak = soak(on(74), 1_660, 3, "longest_gap");
    all[1].soak = soak(on(72), 380, 9, "longest_gap");
    all[3].soak = soak(on(98), 83, 25, "tail_model");
    all[6].soak = soak(on(101), 9, 168, "rare_floor");
    let data_lake = &mut all[8];
    data_lake.soak = soak(on(73), 130, 13, "longest_gap");
    data_lake.attribution.push("derived".to_owned());
    let mut versions = versions();
    versions[1].verdict = Some(verdict(&all));
    Page {
        as_of_time: on(90) + 9 * HOUR,
        start_time: START,
        tool_version: "lastuse 0.1.0".to_owned(),
        notes: vec!["1,203 of 48,112,090 records could not be read; see `rejects`.".to_owned()],
        secrets: vec![SecretPage {
            secret_id: "payments/stripe".to_owned(),
            owner: Some("payments platform".to_owned()),
            versions,
            asked: Some(1),
            consumers: all,
            coverage: coverage(),
            findings: findings(),
        }],
    }
}

fn versions() -> Vec<Version> {
    let named =
        |it: &str| vec![format!("secret_sha256 {it}"), "vault_hmac cluster-1/file".to_owned()];
    vec![
        Version {
            version: "1".to_owned(),
            state: Some("revoked".to_owned()),
            active_time: Some(on(-120)),
            cutoff_time: Some(on(22)),
            revoked_time: Some(on(26)),
            identifiers: named("q83v...1Zk"),
            ..Version::default()
        },
        Version {
            version: "2".to_owned(),
            state: Some("active".to_owned()),
            active_time: Some(on(14)),
            cutoff_time: Some(on(74)),
            identifiers: named("9yTa...m0c"),
            ..Version::default()
        },
        Version {
            version: "3".to_owned(),
            state: Some("active".to_owned()),
            active_time: Some(on(66)),
            identifiers: named("E4bb...uQ8"),
            ..Version::default()
        },
    ]
}

/// The answer on version 2, whose consumers stand where their states say.
fn verdict(consumers: &[Consumer]) -> Verdict {
    let mut reasons: Vec<Reason> =
        consumers.iter().enumerate().filter_map(|(row, it)| reason(row, it)).collect();
    reasons.push(Reason {
        code: "declared_never_seen".to_owned(),
        answer: Answer::Unknown,
        text: "the registry declares year-end-close (prod), and no log showed it".to_owned(),
        action: Some("find out whether it runs, and where its logs are".to_owned()),
        subject: Some("year-end-close".to_owned()),
        ..Reason::default()
    });
    Verdict {
        answer: Answer::Used,
        soak_until_time: Some(on(98)),
        wait_until_time: None,
        tail_expires_time: Some(on(91)),
        reasons,
    }
}

fn reason(row: usize, it: &Consumer) -> Option<Reason> {
    let workload = it.workload.as_deref().unwrap_or("an unknown consumer");
    let at = it.environment.as_ref().map_or_else(String::new, |it| format!(" ({it})"));
    let until = it.soak.as_ref().and_then(|it| it.until_time);
    let (code, text, action, until_time) = match it.state.as_deref()? {
        "old_only" => {
            ("uses_old", "never used a newer version", "deploy the new version to it", None)
        }
        "failing_new" => (
            "failing_new",
            "is refused with a newer version",
            "correct the value it was given",
            None,
        ),
        "reverted" => ("reverted", "went back", "find out why; deploy again", None),
        "both" => ("uses_both", "uses both", "find the part that still has the old one", None),
        "dormant" => {
            let action = "find out whether it is gone, and say so in the registry (`gone_time`)";
            ("dormant", "has been quiet on every version", action, None)
        }
        "switched" => {
            ("soak_not_over", "uses a newer version; its soak is not over", "wait", until)
        }
        _ => return None,
    };
    let last = it.uses.iter().find(|it| it.version == 1)?.last_used_time?;
    let last = jiff::Timestamp::from_microsecond(last).ok()?;
    Some(Reason {
        code: code.to_owned(),
        answer: Answer::Used,
        text: format!("{workload}{at} {text}; it used this one last at {last}"),
        action: Some(action.to_owned()),
        consumer: Some(row),
        subject: None,
        until_time,
    })
}

fn coverage() -> Vec<Coverage> {
    let hole = |from: i64, hours: i64, evidence: &str| Hole {
        start_time: on(from),
        end_time: on(from) + hours * HOUR,
        evidence: evidence.to_owned(),
    };
    let log = |source: &str, scope: &str, known_by: &str| Coverage {
        source: source.to_owned(),
        scope: Some(scope.to_owned()),
        start_time: Some(START),
        watermark_time: Some(on(90) + 8 * HOUR),
        delay: Some("15 minutes".to_owned()),
        known_by: Some(known_by.to_owned()),
        ..Coverage::default()
    };
    vec![
        Coverage {
            holes: vec![hole(33, 30, "digest_missing"), hole(79, 9, "silence")],
            blind_spots: vec!["Data events are off: reads of objects are not logged.".to_owned()],
            ..log("aws_cloudtrail", "123456789012", "seen")
        },
        Coverage {
            start_time: Some(on(12)),
            holes: vec![hole(51, 60, "silence")],
            blind_spots: vec!["Requests that the proxy refused itself.".to_owned()],
            ..log("http_json", "edge-proxy", "seen")
        },
        Coverage {
            watermark_time: Some(on(86)),
            delay: Some("1 day".to_owned()),
            ..log("vault_audit", "cluster-1", "same_kind")
        },
    ]
}

fn findings() -> Vec<Finding> {
    let finding = |class: &str, severity: &str, consumer: &str, environment: &str, count| Finding {
        class: class.to_owned(),
        severity: severity.to_owned(),
        version: "2".to_owned(),
        consumer: consumer.to_owned(),
        environment: Some(environment.to_owned()),
        first_time: on(74) + 20 * 60_000_000,
        last_time: on(90) + 8 * HOUR,
        count,
        source_ips: vec!["10.4.7.21".to_owned()],
        evidence_uids: vec!["5f0c2b1e9a".to_owned(), "77d01c3f02".to_owned()],
        ..Finding::default()
    };
    vec![
        finding("accepted_after_cutoff", "high", "billing", "prod", 3_120),
        finding("accepted_after_cutoff", "high", "refund-worker", "prod", 412),
        Finding {
            version: "1".to_owned(),
            first_time: on(26),
            ..finding("rejected_after_cutoff", "high", "ci-smoke-tests", "ci", 234)
        },
        Finding {
            tail_expires_time: Some(on(91)),
            ..finding("derived_after_cutoff", "medium", "data-lake-sync", "prod", 18)
        },
    ]
}

/// A rotation among `count` consumers, most of which are done.
fn many(count: usize) -> Page {
    use Kind::{Rejected, Used};
    let mut page = sample();
    let secret = &mut page.secrets[0];
    let few = secret.consumers.len();
    for it in few..count {
        let switch = 60 + (it % 25) as i64;
        let hours = [1, 2, 6, 9, 24, 31][it % 6];
        let (old, new) = ((1, Used, 0, switch, hours, 3), (2, Used, switch, 91, hours, 3));
        let (state, phases): (&str, &[Phase]) = match it % 40 {
            0 => ("old_only", &[(1, Used, 0, 91, hours, 2)]),
            1 => ("failing_new", &[old, (2, Rejected, switch, 91, hours, 1)]),
            2..6 => ("switched", &[old, new]),
            6 => ("both", &[(1, Used, 0, 91, hours, 2), new]),
            _ => ("settled", &[old, new]),
        };
        let environment = ["prod", "staging", "dev"][it % 3];
        let mut it = consumer(&format!("service-{it:04}"), environment, state, phases);
        it.soak = soak(on(switch + 9), 400, 14, "longest_gap");
        secret.consumers.push(it);
    }
    secret.versions[1].verdict = Some(verdict(&secret.consumers));
    page
}
