//! What holds of every page: it is closed, escaped, bounded, and the same each time.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::model::*;
use super::scale::{DAY, HOUR};
use super::*;

/// 2026-08-01T00:00:00Z.
const START: i64 = 1_785_542_400_000_000;

fn written(it: &Page) -> String {
    let mut out = Vec::new();
    page(it, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// One mark per hour in a span of days.
fn hourly(version: usize, kind: Kind, days: std::ops::Range<i64>, every: usize) -> Vec<Mark> {
    let hours = (days.start * 24..days.end * 24).step_by(every);
    let mark = |it: i64| {
        let start_time = START + it * HOUR;
        Mark { version, kind, start_time, end_time: start_time + HOUR, count: 3 }
    };
    hours.map(mark).collect()
}

fn consumer(name: &str, state: &str, activity: Vec<Mark>) -> Consumer {
    let used = |version| VersionUse {
        version,
        first_used_time: Some(START),
        last_used_time: Some(START + 80 * DAY),
        use_count: 1_234,
        ..VersionUse::default()
    };
    Consumer {
        workload: Some(name.to_owned()),
        environment: Some("prod".to_owned()),
        principals: vec![format!("svc-{name}")],
        owner: Some("team".to_owned()),
        is_declared: true,
        state: Some(state.to_owned()),
        soak: Some(Soak { method: "longest_gap".to_owned(), gap_count: 9, ..Soak::default() }),
        sources: vec!["log".to_owned()],
        source_ips: vec!["10.0.0.1".to_owned(), "10.0.0.2".to_owned()],
        user_agents: vec!["client".to_owned()],
        uses: vec![used(0), used(1)],
        activity,
        ..Consumer::default()
    }
}

fn version(name: &str) -> Version {
    Version { version: name.to_owned(), ..Version::default() }
}

fn secret(consumers: Vec<Consumer>) -> SecretPage {
    SecretPage {
        secret_id: "payments/stripe".to_owned(),
        versions: vec![version("1"), version("2")],
        asked: Some(0),
        consumers,
        coverage: vec![Coverage {
            source: "log".to_owned(),
            start_time: Some(START),
            watermark_time: Some(START + 90 * DAY),
            ..Coverage::default()
        }],
        ..SecretPage::default()
    }
}

fn report(secrets: Vec<SecretPage>) -> Page {
    Page {
        as_of_time: START + 90 * DAY,
        start_time: START,
        tool_version: "lastuse 0.0.0".to_owned(),
        notes: Vec::new(),
        secrets,
    }
}

/// Ninety days of consumers whose lanes are as broken up as rhythms of hours make them.
fn large(count: usize) -> Page {
    let each = (0..count).map(|it| {
        let every = [1, 5, 13, 24, 37, 60][it % 6];
        let mut activity = hourly(0, Kind::Used, 0..60, every);
        activity.extend(hourly(0, Kind::Derived, 0..60, every + 7));
        activity.extend(hourly(1, Kind::Used, 55..90, every));
        activity.extend(hourly(0, Kind::Rejected, 70..90, every * 3));
        consumer(&format!("service-{it}"), "both", activity)
    });
    report(vec![secret(each.collect())])
}

fn hash(text: &str) -> String {
    data_encoding::BASE64.encode(&Sha256::digest(text.as_bytes()))
}

#[test]
fn the_policy_allows_the_style_and_the_script_and_nothing_else() {
    assert_eq!((hash(STYLE).as_str(), hash(SCRIPT).as_str()), (STYLE_HASH, SCRIPT_HASH));
    let page = written(&report(vec![secret(Vec::new())]));
    let policy = format!(
        "content=\"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; \
        script-src 'sha256-{SCRIPT_HASH}'; base-uri 'none'; form-action 'none'\""
    );
    assert!(page.contains(&policy));
    assert_eq!(page.matches("<style").count(), 1);
    assert_eq!(page.matches("<script").count(), 1);
}

#[test]
fn nothing_leads_out_of_the_file_and_no_style_or_handler_stands_in_an_element() {
    let page = written(&large(3));
    let body = &page[page.find("<body>").unwrap()..page.find("<script>").unwrap()];
    for it in ["http:", "https:", " src=", " style=", " on", "url(", "<form", "<iframe", "<img"] {
        let is_word = it == " on"; // as in ` onclick=`, not as in a sentence
        let found = body.match_indices(it).any(|at| {
            let rest = &body[at.0 + it.len()..];
            let name: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
            !is_word || (!name.is_empty() && rest[name.len()..].starts_with('='))
        });
        assert!(!found, "{it}");
    }
    for (at, _) in body.match_indices("href=\"") {
        assert!(body[at + 6..].starts_with('#'), "{}", &body[at..at + 40]);
    }
}

#[test]
fn every_link_leads_to_an_id_and_every_id_is_there_once() {
    let mut page =
        report((0..3).map(|_| secret(vec![consumer("a", "both", Vec::new())])).collect());
    page.secrets[0].versions[0].verdict = Some(Verdict {
        answer: Answer::Used,
        reasons: vec![Reason { consumer: Some(0), ..Reason::default() }],
        ..Verdict::default()
    });
    page.secrets.push(SecretPage::default());
    let page = written(&page);
    let values = |start: &str| {
        let all = page.match_indices(start).map(|it| page[it.0 + start.len()..].split('"').next());
        all.map(|it| it.unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ids = values(" id=\"");
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    let links = values("href=\"#");
    assert!(links.len() > 20 && links.iter().all(|it| distinct.contains(it)));
    for it in values("labelledby=\"") {
        assert!(distinct.contains(&it), "{it}");
    }
}

#[test]
fn a_report_of_five_hundred_consumers_is_below_three_megabytes() {
    let page = written(&large(500));
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<li id=\"s0c").count(), 500);
}

#[test]
fn a_report_of_five_thousand_consumers_grows_with_them_only() {
    let (less, more) = (written(&large(500)).len(), written(&large(5_000)).len());
    assert!(more < less * 10, "{less} and {more} bytes");
}

#[test]
fn the_same_input_gives_the_same_bytes_in_whatever_order_marks_come() {
    let it = large(20);
    let mut turned = it.clone();
    for consumer in &mut turned.secrets[0].consumers {
        consumer.activity.reverse();
    }
    assert_eq!(written(&it), written(&turned));
}

#[test]
fn each_answer_is_said_in_words() {
    let mut of = report(vec![secret(vec![consumer("a", "settled", Vec::new())])]);
    let mut said = |answer, reasons| {
        let verdict = Verdict { answer, reasons, ..Verdict::default() };
        of.secrets[0].versions[0].verdict = Some(verdict);
        written(&of)
    };
    let reason = |code: &str, text: &str, consumer| Reason {
        code: code.to_owned(),
        text: text.to_owned(),
        consumer,
        ..Reason::default()
    };
    let yes = said(Answer::NotUsed, Vec::new());
    assert!(yes.contains("May version 1 of payments/stripe be revoked?"));
    assert!(yes.contains("<strong>Yes.</strong> Every known consumer is settled or declared gone"));
    let no = said(Answer::Used, vec![reason("uses_old", "uses this version", Some(0))]);
    assert!(no.contains("<strong>No.</strong> 1 consumer is not settled."));
    assert!(no.contains("somebody must act"));
    let tail = said(Answer::Used, vec![reason("tail_not_passed", "éa session lives", None)]);
    assert!(tail.contains("<strong>No.</strong> Éa session lives."));
    let maybe = said(Answer::Unknown, vec![reason("nobody_seen", "nobody was seen", Some(7))]);
    assert!(maybe.contains("<strong>Cannot say.</strong> Nobody was seen."));
    assert!(!maybe.contains("<strong>Yes") && !maybe.contains("<strong>No"));
    of.secrets[0].versions[0].verdict = None;
    assert!(written(&of).contains("No version of this secret was asked about"));
}

#[test]
fn reasons_with_the_same_words_stand_together_and_pass_when_the_last_does() {
    let mut of = secret((0..12).map(|it| consumer(&it.to_string(), "switched", vec![])).collect());
    let reason = |it: usize| Reason {
        code: "soak_not_over".to_owned(),
        answer: Answer::Used,
        consumer: Some(it),
        until_time: Some(START + it as i64 * DAY),
        ..Reason::default()
    };
    let reasons = (0..12).map(reason).collect();
    of.versions[0].verdict = Some(Verdict { reasons, answer: Answer::Used, ..Verdict::default() });
    let page = written(&report(vec![of]));
    assert_eq!(page.matches("<code>soak_not_over</code>").count(), 1);
    assert!(page.contains("<summary>and 8 more</summary>"));
    assert!(page.contains("passes at 2026-08-12T00:00:00Z"));
}

#[test]
fn a_reason_that_names_its_consumer_links_to_the_lane_and_does_not_name_it_twice() {
    let mut of = secret(vec![consumer("<a>", "old_only", vec![])]);
    let reason = |text: &str, consumer| Reason {
        code: "uses_old".to_owned(),
        text: text.to_owned(),
        consumer,
        ..Reason::default()
    };
    let reasons = vec![
        reason("<a> (prod) never used it", Some(0)),
        reason("copies of it", Some(0)),
        reason("nobody else did", None),
    ];
    of.versions[0].verdict = Some(Verdict { reasons, answer: Answer::Used, ..Verdict::default() });
    let page = written(&report(vec![of]));
    assert!(page.contains("<li><a href=\"#s0c0\">&lt;a&gt; (prod)</a> never used it</li>"));
    assert!(page.contains("<li><a href=\"#s0c0\">&lt;a&gt; (prod)</a>: copies of it</li>"));
    assert!(page.contains("<li>Nobody else did</li>"));
}

#[test]
fn a_state_is_shown_only_where_a_version_was_asked_about() {
    let mut of = secret(vec![consumer("a", "old_only", Vec::new())]);
    of.asked = None;
    let page = written(&report(vec![of]));
    assert!(page.contains("<span class=\"chip idle\">not judged</span>"));
    assert!(!page.contains("chip act"));
}

#[test]
fn a_lane_says_in_words_what_it_draws() {
    let activity = hourly(0, Kind::Used, 0..80, 1);
    let page = written(&report(vec![secret(vec![consumer("checkout", "both", activity)])]));
    assert!(page.contains(
        "<title>checkout, prod: both. Version 1 from 2026-08-01 to 2026-10-20 (1,234 uses). \
        Version 2 from 2026-08-01 to 2026-10-20 (1,234 uses).</title>"
    ));
    // Eighty days of three hours each, from the first slot on: one box.
    assert!(page.contains("<path class=\"us vo\" d=\"M0 3h640v8h-640z\"/>"));
}

#[test]
fn holes_and_what_no_log_covers_are_shaded_on_the_lanes_of_their_log() {
    let mut of = secret(vec![consumer("a", "both", hourly(0, Kind::Used, 0..9, 1))]);
    of.coverage[0].start_time = Some(START + 10 * DAY);
    of.coverage[0].watermark_time = Some(START + 80 * DAY);
    let (from, until) = (START + 20 * DAY, START + 30 * DAY);
    let hole = |start_time, end_time| Hole { start_time, end_time, ..Hole::default() };
    of.coverage[0].holes = vec![hole(from, until - DAY), hole(from + DAY, until)];
    of.coverage.push(Coverage { source: "other".to_owned(), ..of.coverage[0].clone() });
    of.coverage[1].holes.clear();
    let page = written(&report(vec![of]));
    let boxes = "M0 -90H80v194H0zM160 -90H240v194H160zM640 -90H720v194H640z";
    assert!(page.contains(&format!("<g id=\"s0b0\"><path class=\"hole\" d=\"{boxes}\"/>")));
}

#[test]
fn a_consumer_that_was_only_refused_is_not_said_to_be_fine() {
    let mut it = consumer("a", "", hourly(0, Kind::Rejected, 0..9, 1));
    it.state = None;
    it.uses = vec![VersionUse { rejected_count: 5, ..VersionUse::default() }];
    let page = written(&report(vec![secret(vec![it])]));
    assert!(page.contains("<span class=\"chip act\">refused only</span>"));
}

#[test]
fn a_row_counts_refusals_of_every_version_and_names_owners_where_there_are_any() {
    let mut it = consumer("a", "switched", Vec::new());
    it.uses = (0..3)
        .map(|version| VersionUse { version, rejected_count: 5, ..VersionUse::default() })
        .collect();
    let mut of = secret(vec![it]);
    of.versions.push(version("3"));
    of.asked = Some(1);
    let page = written(&report(vec![of.clone()]));
    assert!(page.contains("<td class=\"n\">15</td><td></td><td>team</td></tr>"));
    of.consumers[0].owner = None;
    let page = written(&report(vec![of]));
    assert!(page.contains("<td class=\"n\">15</td><td></td></tr>") && !page.contains(">Owner<"));
}

#[test]
fn silence_without_a_log_is_said_to_say_nothing() {
    let page = written(&report(vec![SecretPage::default()]));
    assert!(page.contains("No log was read that could have shown a use"));
    assert!(page.contains("Nobody was seen using this secret."));
    assert!(page.contains("No version of this secret is known."));
    assert!(written(&Page::default()).contains("There is no secret to report on."));
}

#[test]
fn where_nobody_was_seen_it_is_drawn_what_the_logs_covered() {
    let page = written(&report(vec![secret(Vec::new())]));
    assert!(page.contains("<title>Log log: whole over this time.</title>"));
    assert!(page.contains("<path class=\"read\" d=\"M0 5H720v4H0z\"/>"));
    assert!(!page.contains("<ol class=\"lanes"));
}

#[test]
fn what_was_before_the_axis_is_not_drawn_on_it() {
    let mark = Mark { start_time: START - DAY, end_time: START - HOUR, ..Mark::default() };
    let page = written(&report(vec![secret(vec![consumer("a", "both", vec![mark])])]));
    assert!(!page.contains("<path class=\"us vo\" d=\"M0 3"));
}

#[test]
fn many_secrets_begin_with_a_list_of_their_answers() {
    let mut all: Vec<_> = (0..40).map(|_| secret(Vec::new())).collect();
    let verdict = Verdict { answer: Answer::NotUsed, ..Verdict::default() };
    all[39].versions[0].verdict = Some(verdict);
    let page = written(&report(all));
    assert!(page.contains("<a href=\"#s39\">payments/stripe</a></th><td>1</td><td>"));
    assert!(page.contains("<title>Rotation report: 40 secrets</title>"));
    assert!(!written(&report(vec![secret(Vec::new())])).contains("All secrets"));
}

/// A page with `text` wherever there can be text, and `time` wherever there can be a time.
fn filled(text: &str, time: i64, count: u64, row: usize) -> Page {
    let (text, texts) = (text.to_owned(), vec![text.to_owned(); 3]);
    let (some, at) = (Some(text.clone()), Some(time));
    let mark = |kind| Mark { version: row, kind, start_time: time, end_time: -time, count };
    let kinds = [Kind::Used, Kind::Derived, Kind::Rejected, Kind::Principal];
    let reason = Reason {
        code: text.clone(),
        answer: Answer::Used,
        text: text.clone(),
        action: some.clone(),
        consumer: Some(row),
        subject: some.clone(),
        until_time: at,
    };
    let verdict = Verdict {
        answer: Answer::Unknown,
        reasons: vec![reason.clone(), Reason { consumer: None, ..reason }],
        soak_until_time: at,
        wait_until_time: at,
        tail_expires_time: at,
    };
    let version = Version {
        version: text.clone(),
        state: some.clone(),
        active_time: at,
        cutoff_time: at,
        revoked_time: at,
        verdict: Some(verdict),
        identifiers: texts.clone(),
    };
    let used = VersionUse {
        version: row,
        first_used_time: at,
        last_used_time: at,
        last_rejected_time: at,
        use_count: count / 2,
        derived_use_count: count / 2,
        rejected_count: count,
    };
    let consumer = Consumer {
        workload: some.clone(),
        environment: some.clone(),
        principals: texts.clone(),
        owner: some.clone(),
        is_declared: false,
        state: some.clone(),
        flags: texts.clone(),
        evidence: some.clone(),
        soak: Some(Soak {
            gap_count: count,
            longest_gap_seconds: Some(count),
            method: text.clone(),
            until_time: at,
        }),
        sources: texts.clone(),
        source_ips: texts.clone(),
        user_agents: texts.clone(),
        attribution: texts.clone(),
        uses: vec![used],
        activity: kinds.map(mark).to_vec(),
    };
    let coverage = Coverage {
        source: text.clone(),
        scope: some.clone(),
        start_time: at,
        watermark_time: at,
        delay: some.clone(),
        blind_spots: texts.clone(),
        known_by: some.clone(),
        holes: vec![Hole { start_time: time, end_time: -time, evidence: text.clone() }; 5],
    };
    let finding = Finding {
        class: text.clone(),
        severity: text.clone(),
        version: text.clone(),
        consumer: text.clone(),
        environment: some.clone(),
        first_time: time,
        last_time: time,
        count,
        tail_expires_time: at,
        source_ips: texts.clone(),
        evidence_uids: texts.clone(),
    };
    let secret = SecretPage {
        secret_id: text.clone(),
        owner: some,
        versions: vec![version.clone(), version],
        asked: Some(row),
        consumers: vec![Consumer { workload: None, ..consumer.clone() }, consumer],
        coverage: vec![coverage],
        findings: vec![finding],
    };
    Page {
        as_of_time: time,
        start_time: START,
        tool_version: text,
        notes: texts,
        secrets: vec![secret.clone(), secret],
    }
}

#[test]
fn text_of_logs_is_text_wherever_it_stands() {
    let hostile = "<script>alert('x')</script>\"><img src=x onerror=y>]]>--></title></style>\u{202e}\u{0}&lt;";
    let plain = written(&filled("a", START, 5, 0));
    let page = written(&filled(hostile, START, 5, 0));
    for it in ["<script", "<img", "<title", "</title", "</style", "<td", "]]>", "<!--"] {
        let of_text = if it == "]]>" { 0 } else { plain.matches(it).count() };
        assert_eq!(page.matches(it).count(), of_text, "{it}");
    }
    // Every tag and every quote is one of the page's own.
    for it in ['<', '"', '\''] {
        assert_eq!(page.matches(it).count(), plain.matches(it).count(), "{it}");
    }
    assert!(!page.contains(['\u{202e}', '\u{0}']));
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
}

#[test]
fn names_of_ten_kilobytes_do_not_swell_the_page() {
    let page = written(&filled(&"x<".repeat(5_000), START, 5, 0));
    assert!(page.len() < 300_000, "{} bytes", page.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_time_or_number_breaks_a_page(
        text in any::<String>(),
        time in prop_oneof![any::<i64>().prop_filter("has a negative", |it| *it != i64::MIN),
            START - 400 * DAY..START + 400 * DAY],
        count in any::<u64>(),
        row in 0usize..4,
    ) {
        // Of an empty name nothing is written, not even an empty element.
        let page = written(&filled(&format!("a{text}"), time, count, row));
        let plain = written(&filled("a", time, count, row));
        prop_assert_eq!(page.matches('<').count(), plain.matches('<').count());
    }
}
