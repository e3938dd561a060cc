//! What an estate promises to those who use it.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use lastuse_estate::{
    EstateConfig, ExchangeTruth, LogSource, Truth, canaries, deliver_part, files, generate,
    read_truth,
};
use serde_json::Value;

fn make(config: &EstateConfig) -> (tempfile::TempDir, Truth) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let truth = generate(config, folder.path()).expect("an estate");
    (folder, truth)
}

fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("reads");
    let mut text = String::new();
    if path.extension().is_some_and(|it| it == "gz") {
        GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("decodes");
    } else {
        text = String::from_utf8(bytes).expect("UTF-8");
    }
    text
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let config = EstateConfig { days: 20, events: 3_000, ..EstateConfig::demo() };
    let (one, two) = (make(&config), make(&config));
    let names = |root: &Path| -> Vec<_> {
        let files = files(root).expect("lists");
        files.iter().map(|it| it.strip_prefix(root).expect("below").to_owned()).collect()
    };
    assert_eq!(names(one.0.path()), names(two.0.path()));
    for name in names(one.0.path()) {
        let (a, b) = (one.0.path().join(&name), two.0.path().join(&name));
        assert_eq!(
            std::fs::read(&a).expect("reads"),
            std::fs::read(&b).expect("reads"),
            "{}",
            name.display()
        );
        let time = |path| std::fs::metadata(path).and_then(|it| it.modified()).expect("a time");
        if name.starts_with("logs") {
            assert_eq!(time(a), time(b));
        }
    }
    let other = make(&config.with_seed(2));
    assert_ne!(one.1.versions, other.1.versions);
}

#[test]
fn everything_happens_in_the_demo_whatever_the_seed() {
    for seed in 1..=10 {
        let (folder, truth) = make(&EstateConfig::demo().with_seed(seed));
        let states: BTreeSet<&str> = truth.states.iter().map(|it| it.state.as_str()).collect();
        let wanted =
            ["both", "dormant", "failing_new", "new_only", "old_only", "reverted", "switched"];
        assert_eq!(states.into_iter().collect::<Vec<_>>(), wanted, "seed {seed}");
        let classes: BTreeSet<&str> = truth.findings.iter().map(|it| it.class.as_str()).collect();
        let wanted = [
            "accepted_after_cutoff",
            "accepted_after_revocation",
            "derived_after_cutoff",
            "exchanged_after_cutoff",
            "rejected_after_cutoff",
        ];
        assert_eq!(classes.into_iter().collect::<Vec<_>>(), wanted, "seed {seed}");
        let scenarios: BTreeSet<&str> =
            truth.states.iter().map(|it| it.scenario.as_str()).collect();
        assert!(
            scenarios.contains("straggler") && scenarios.contains("session_tail"),
            "seed {seed}"
        );
        for source in LogSource::ALL {
            let counts = truth.sources[source.name()];
            assert!(counts.distinct_events > 300, "{} of seed {seed}: {counts:?}", source.name());
            let shadow =
                |it: &&lastuse_estate::VersionTruth| !it.declared && it.source == source.name();
            assert!(
                truth.versions.iter().any(|it| shadow(&it)),
                "no shadow in {} of seed {seed}",
                source.name()
            );
        }
        assert!(truth.exchanges.iter().any(|it| it.depth == 2));
        assert!(
            truth.sources.values().any(|it| it.late > 0 && it.stray_secrets > 0),
            "seed {seed}"
        );
        assert!(truth.sources["aws_cloudtrail"].redelivered > 0);
        assert_eq!(read_truth(folder.path()).expect("reads"), truth);
    }
}

#[test]
fn the_wide_estate_has_every_source_and_every_kind_of_chain_whatever_the_seed() {
    for seed in 1..=3 {
        let config =
            EstateConfig { missing_exchanges: 0.2, ..EstateConfig::wide().with_seed(seed) };
        let (folder, truth) = make(&config);
        for source in LogSource::ALL.into_iter().chain(LogSource::FURTHER) {
            let counts = truth.sources[source.name()];
            assert!(counts.distinct_events > 20, "{} of seed {seed}: {counts:?}", source.name());
        }
        let missing = truth.exchanges.iter().filter(|it| !it.delivered).count() as f64;
        let share = missing / truth.exchanges.len() as f64;
        assert!((0.15..0.25).contains(&share), "{share} of seed {seed}");
        let over_five_hops: BTreeSet<bool> = truth
            .sessions
            .iter()
            .flat_map(|it| &it.ancestors)
            .filter(|it| it.secret_id.is_some() && it.depth == 5)
            .map(|it| it.traced)
            .collect();
        assert_eq!(over_five_hops.len(), 2, "traced ones and others, seed {seed}");
        let is_above = |id: &str, other: &str| {
            let it = truth.sessions.iter().find(|it| it.id == other);
            it.is_some_and(|it| it.ancestors.iter().any(|it| it.id.as_deref() == Some(id)))
        };
        let is_loop = |it: &ExchangeTruth| {
            it.parent.as_deref().is_some_and(|parent| is_above(&it.child, parent))
        };
        assert!(truth.exchanges.iter().any(is_loop), "seed {seed}");
        let found = |class: &str| {
            let mut all = truth.findings.iter().filter(|it| it.secret_id.starts_with("routes/"));
            all.any(|it| it.class == class)
        };
        assert!(found("derived_after_cutoff") && found("exchanged_after_cutoff"), "seed {seed}");
        assert_eq!(read_truth(folder.path()).expect("reads"), truth);
        assert_eq!(make(&config).1, truth);
    }
}

#[test]
fn the_number_of_events_is_about_what_was_asked_for() {
    let configs = [
        EstateConfig::demo(),
        EstateConfig { events: 60_000, ..EstateConfig::demo() },
        EstateConfig { events: 8_000, days: 30, ..EstateConfig::demo() },
        EstateConfig::bench(100_000),
        EstateConfig::bench(100_000).with_sources(&[LogSource::CloudTrail]),
    ];
    for config in configs {
        let (_folder, truth) = make(&config);
        let events: u64 = truth.sources.values().map(|it| it.distinct_events).sum();
        let share = events as f64 / config.events as f64;
        assert!((0.85..1.15).contains(&share), "{events} instead of {}", config.events);
    }
}

#[test]
fn records_are_what_the_counts_say() {
    for shuffle in [false, true] {
        let config =
            EstateConfig { shuffle, cloudtrail_plain_ndjson: shuffle, ..EstateConfig::demo() };
        let (folder, truth) = make(&config);
        let mut records = std::collections::BTreeMap::<&str, u64>::new();
        for path in files(&folder.path().join("logs")).expect("lists") {
            let name =
                path.strip_prefix(folder.path()).expect("below").to_string_lossy().into_owned();
            let text = text(&path);
            let (source, count) = if name.starts_with("logs/cloudtrail") && !shuffle {
                let document: Value = serde_json::from_str(&text).expect("JSON");
                ("aws_cloudtrail", document["Records"].as_array().expect("records").len() as u64)
            } else {
                let source = match name.split('/').nth(1) {
                    Some("cloudtrail") => "aws_cloudtrail",
                    Some("vault") => "vault_audit",
                    Some("github") => "github_audit",
                    Some("sshd") => "sshd",
                    _ => "http_json",
                };
                if !name.contains("auth.log") {
                    text.lines().for_each(|line| {
                        drop(serde_json::from_str::<Value>(line).expect("a line of JSON"))
                    });
                }
                (source, text.lines().count() as u64)
            };
            *records.entry(source).or_default() += count;
        }
        for (source, counts) in &truth.sources {
            assert_eq!(records[source.as_str()], counts.records, "{source}");
            assert_eq!(
                counts.records,
                counts.distinct_events + counts.duplicates + counts.skipped,
                "{source}"
            );
        }
    }
}

#[test]
fn what_is_removed_is_missing_and_all_else_is_there() {
    let config = EstateConfig {
        late: 0.0,
        duplicates: 0.0,
        stray_secrets: 0.0,
        records_per_file: 1_000_000,
        file_hours: 10_000,
        ..EstateConfig::wide()
    };
    let (_folder, whole) = make(&config);
    let (folder, left) = make(&EstateConfig { removed_spans: 5, ..config });
    // 17 sources: CloudTrail has two accounts and SSH three hosts.
    assert_eq!(left.removed.len(), 5 * 20);
    for (name, counts) in &left.sources {
        let lost = left.removed.iter().filter(|it| it.source == *name);
        let lost: u64 = lost.map(|it| it.record_count).sum();
        assert_eq!(counts.records + lost, whole.sources[name].records, "{name}");
    }
    let times = |name: &str, pointer: &str| -> Vec<jiff::Timestamp> {
        let all = files(&folder.path().join("logs").join(name)).expect("lists");
        let lines: String = all.iter().map(|it| text(it)).collect();
        let records = lines.lines().map(|it| serde_json::from_str::<Value>(it).expect("JSON"));
        let time = |it: Value| it.pointer(pointer)?.as_str()?.parse().ok();
        records.map(|it| time(it).expect("a time")).collect()
    };
    for (name, pointer) in [("okta", "/published"), ("kubernetes_audit", "/stageTimestamp")] {
        let times = times(name, pointer);
        assert!(times.len() > 40);
        for it in left.removed.iter().filter(|it| it.source == name) {
            let span = it.start_time..it.end_time;
            assert!(!times.iter().any(|it| span.contains(it)), "{it:?}");
        }
    }
}

#[test]
fn raw_secrets_stand_in_logs_and_secret_files_only() {
    let (folder, truth) = make(&EstateConfig::demo());
    let canaries = canaries(folder.path()).expect("reads");
    assert!(canaries.len() >= 8);
    let told = [
        text(&folder.path().join("registry.yaml")),
        text(&folder.path().join("truth.json")),
        format!("{truth:?}"),
    ];
    let logs: String =
        files(&folder.path().join("logs")).expect("lists").iter().map(|it| text(it)).collect();
    let mut seen = 0;
    for canary in &canaries {
        assert!(told.iter().all(|it| !it.contains(canary)));
        seen += usize::from(logs.contains(canary));
    }
    assert!(seen * 2 > canaries.len(), "{seen} of {} stand in the logs", canaries.len());
}

#[test]
fn events_lie_between_the_start_and_the_end() {
    let (_folder, truth) = make(&EstateConfig::demo());
    for row in &truth.versions {
        assert!(Some(truth.start_time) <= row.first_seen_time);
        assert!(row.last_seen_time < Some(truth.as_of_time));
        assert!(row.use_count + row.rejected_count <= row.attempt_count);
        assert!(row.last_used_time.is_some() == (row.use_count > 0));
        assert!(row.derived_last_used_time.is_some() == (row.derived_use_count > 0));
    }
    let keys: BTreeSet<_> =
        truth.versions.iter().map(|it| (&it.secret_id, &it.version, &it.workload)).collect();
    assert_eq!(keys.len(), truth.versions.len(), "a row stands twice");
}

#[test]
fn parts_grow_to_the_whole() {
    let (folder, _) = make(&EstateConfig { days: 10, events: 2_000, ..EstateConfig::demo() });
    let (logs, into) = (folder.path().join("logs"), folder.path().join("part"));
    let size = || -> u64 {
        files(&into).expect("lists").iter().map(|it| it.metadata().expect("exists").len()).sum()
    };
    deliver_part(&logs, &into, 0.4).expect("copies");
    let part = size();
    deliver_part(&logs, &into, 1.0).expect("copies");
    assert!(part > 0 && part < size());
    let (from, to) = (files(&logs).expect("lists"), files(&into).expect("lists"));
    assert_eq!(from.len(), to.len());
    for (from, to) in from.iter().zip(&to) {
        assert_eq!(std::fs::read(from).expect("reads"), std::fs::read(to).expect("reads"));
        let time = |path: &Path| path.metadata().and_then(|it| it.modified()).expect("a time");
        assert_eq!(time(from), time(to));
    }
}

#[test]
fn an_impossible_configuration_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for config in [
        EstateConfig { days: 0, ..EstateConfig::demo() },
        EstateConfig { sources: Vec::new(), ..EstateConfig::demo() },
        EstateConfig::demo().with_sources(&[LogSource::Okta]),
        EstateConfig { missing_exchanges: -0.1, ..EstateConfig::demo() },
        EstateConfig { duplicates: 2.0, ..EstateConfig::demo() },
        EstateConfig { removed_spans: 20, ..EstateConfig::demo() },
        EstateConfig { route_minutes: (20, 10), ..EstateConfig::wide() },
    ] {
        assert!(generate(&config, folder.path()).is_err());
    }
    assert_eq!(files(folder.path()).expect("lists").len(), 0);
}
