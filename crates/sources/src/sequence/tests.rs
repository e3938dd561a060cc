//! Which names count, and what is left out of them.

use super::*;

const HOUR: i64 = 3_600_000_000;

/// A file of an hour that begins at `start` hours.
fn file(name: &str, start: i64) -> Listed {
    records(name, start, 100)
}

fn records(name: &str, start: i64, record_count: u64) -> Listed {
    let span = (start * HOUR, start * HOUR + HOUR - 1);
    Listed {
        name: name.to_owned(),
        content: Some(Content { source: "http_json".into(), span, record_count }),
    }
}

fn unread(name: &str) -> Listed {
    Listed { name: name.to_owned(), content: None }
}

/// What is left out: the files around it, its first and last name, and how many.
fn gaps(files: &[Listed]) -> Vec<(&str, &str, String, u64)> {
    let all = sequences(files).into_iter().flat_map(|it| it.gaps());
    let gap = |it: Gap| {
        let names = match it.first_name == it.last_name {
            true => it.first_name,
            false => format!("{}..{}", it.first_name, it.last_name),
        };
        (&*files[it.before].name, &*files[it.after].name, names, it.count)
    };
    all.map(gap).collect()
}

fn series(name: &str) -> Vec<(String, i64)> {
    places(name).into_iter().map(|it| (it.series(), it.position)).collect()
}

#[test]
fn the_last_number_that_stands_by_itself_counts() {
    let one = |series: &str, position| vec![(series.to_owned(), position)];
    assert_eq!(series("access.log.2.gz"), one("access.log.{number}", 2));
    assert_eq!(series("app-000017.log.zst"), one("app-{number}.log", 17));
    assert_eq!(series("redis-6379.log.3"), one("redis-6379.log.{number}", 3));
    for name in ["access.log", "web3.log", "u_ex260301.log", "core.1714521600", "a1b2.log"] {
        assert_eq!(series(name), [], "{name}");
    }
}

#[test]
fn a_date_counts_days_or_hours_or_months() {
    let one = |series: &str, position| vec![(series.to_owned(), position)];
    let day = 20_513;
    for text in ["2026-03-01", "20260301", "2026_03_01", "2026.03.01"] {
        assert_eq!(series(&format!("audit-{text}.json.gz")), one("audit-{day}.json", day));
    }
    for text in ["2026-03-01-13", "2026030113", "2026-03-01T13", "20260301T1300Z", "202603011300"] {
        let found = series(&format!("audit-{text}.json"));
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].1, day * 24 + 13, "{text}");
    }
    assert_eq!(series("audit-2026-03.log"), one("audit-{month}.log", 56 * 12 + 2));
    // Files of one day are counted apart.
    let both = [("app-2026-03-01.{number}.log".to_owned(), 3), ("app-{day}.*.log".to_owned(), day)];
    assert_eq!(series("app-2026-03-01.3.log"), both);
    // What is no date, and instants of their own.
    assert_eq!(series("a-2026-13-01.log"), one("a-2026-13-{number}.log", 1));
    assert_eq!(series("a-20260301T1305Z.log"), []);
    assert_eq!(series("a-2026-03-01-13-05-59.log"), []);
}

#[test]
fn the_names_of_providers_with_random_ids_are_no_sequence() {
    let names = [
        "111122223333_CloudTrail_us-east-1_20260501T0145Z_BBBB3456cccc0001.json.gz",
        "111122223333_CloudTrail_us-east-1_20260501T0155Z_AAAA3456cccc0003.json.gz",
        "111122223333_CloudTrail_us-east-1_20260501T0200Z_DDDD3456cccc0005.json.gz",
        "1_elasticloadbalancing_eu-central-1_app.edge.1a_20260301T1105Z_192.0.2.1_1a57.log.gz",
        "1_elasticloadbalancing_eu-central-1_app.edge.1a_20260301T1115Z_192.0.2.1_99zz.log.gz",
    ];
    let files: Vec<Listed> = names.iter().zip(0..).map(|(it, at)| file(it, at)).collect();
    assert_eq!(gaps(&files), []);
}

#[test]
fn a_number_between_others_is_left_out() {
    let files = [
        file("access.log", 9),
        file("access.log.1", 8),
        file("access.log.2.gz", 7),
        file("access.log.4.gz", 5),
    ];
    let gap = ("access.log.4.gz", "access.log.2.gz", "access.log.3".to_owned(), 1);
    assert_eq!(gaps(&files), [gap]);
    let files = [file("app-098.log", 1), file("app-099.log", 2), file("app-103.log.zst", 9)];
    let gap = ("app-099.log", "app-103.log.zst", "app-100.log..app-102.log".to_owned(), 3);
    assert_eq!(gaps(&files), [gap]);
    let files = [file("access.log", 9), file("access.log.2", 7), file("access.log.3", 6)];
    let gap = ("access.log.2", "access.log", "access.log.1".to_owned(), 1);
    assert_eq!(gaps(&files), [gap]);
}

#[test]
fn a_file_that_holds_no_events_is_not_left_out() {
    let files = [file("a.log.1", 8), unread("a.log.2"), file("a.log.3.gz", 6)];
    assert_eq!(gaps(&files), []);
    let sequences = sequences(&files);
    assert!(sequences[0].is_whole_between(2, 0));
    let files = [file("a.log.1", 8), unread("a.log.2"), file("a.log.4.gz", 6)];
    assert_eq!(gaps(&files), [("a.log.4.gz", "a.log.1", "a.log.3".to_owned(), 1)]);
}

#[test]
fn two_sequences_of_one_folder_are_told_apart() {
    let files = [
        file("a.log.1", 8),
        file("b.log.2", 7),
        file("a.log.3", 6),
        file("b.log.3", 6),
        file("a.log.4", 5),
    ];
    assert_eq!(gaps(&files), [("a.log.3", "a.log.1", "a.log.2".to_owned(), 1)]);
}

#[test]
fn numbers_that_do_not_follow_in_time_or_leave_out_most_count_nothing() {
    // Hosts speak at the same time.
    let files = [file("node-1.log", 5), file("node-2.log", 5), file("node-4.log", 5)];
    assert_eq!(gaps(&files), []);
    // Processes and ports.
    let files = [file("app.512.log", 1), file("app.733.log", 2), file("app.4711.log", 3)];
    assert_eq!(gaps(&files), []);
    // Times of day without a mark of their own.
    let minutes = [(1105, 1), (1157, 2), (1158, 3), (1159, 4), (1200, 5), (1201, 6), (1202, 7)];
    let name = |(at, hour): &(i64, i64)| file(&format!("a-20260301-{at}.log"), *hour);
    let files: Vec<Listed> = minutes.iter().map(name).collect();
    assert_eq!(gaps(&files), []);
    // Logs of different kinds.
    let mut files = [file("a.log.1", 8), file("a.log.3", 6)];
    files[1].content.as_mut().unwrap().source = "sshd".into();
    assert_eq!(gaps(&files), []);
}

/// Daily files of May 2026, each of one hour, with so many records.
fn daily(days: impl Iterator<Item = i64>, record_count: u64) -> Vec<Listed> {
    let name = |day| format!("audit-2026-05-{day:02}.json");
    days.map(|day| records(&name(day), day * 24, record_count)).collect()
}

#[test]
fn a_day_is_left_out_of_a_regular_and_busy_series() {
    let files = daily((1..=12).filter(|it| *it != 8), 10);
    let gap = ("audit-2026-05-07.json", "audit-2026-05-09.json", "audit-2026-05-08.json", 1);
    assert_eq!(gaps(&files), [(gap.0, gap.1, gap.2.to_owned(), gap.3)]);
    // However long the hole is.
    let files = daily((1..=31).filter(|it| !(11..=20).contains(it)), 10);
    assert_eq!(gaps(&files)[0].2, "audit-2026-05-11.json..audit-2026-05-20.json");
    assert_eq!(gaps(&files)[0].3, 10);
}

#[test]
fn quiet_days_are_left_out_of_no_series() {
    // Nine records a day.
    assert_eq!(gaps(&daily((1..=12).filter(|it| *it != 8), 9)), []);
    // Weekdays only: 1 May 2026 is a Friday.
    assert_eq!(gaps(&daily((1..=31).filter(|it| (it + 3) % 7 < 5), 50)), []);
    // Never on a Sunday, of which there has been one so far.
    assert_eq!(gaps(&daily((4..=16).filter(|it| *it != 10), 50)), []);
    // Now and then.
    assert_eq!(gaps(&daily([1, 2, 3, 5, 6, 9, 10, 13, 14, 17].into_iter(), 50)), []);
    // Too few to tell.
    assert_eq!(gaps(&daily([1, 2, 4].into_iter(), 50)), []);
}

#[test]
fn hours_months_and_weeks_count_too() {
    let hour = |at: i64| file(&format!("a-2026-05-{:02}-{:02}.log", 1 + at / 24, at % 24), at);
    let files: Vec<Listed> = (0..48).filter(|it| *it != 30).map(hour).collect();
    assert_eq!(gaps(&files)[0].2, "a-2026-05-02-06.log");
    // Quiet every night.
    let files: Vec<Listed> = (0..48).filter(|it| it % 24 >= 4).map(hour).collect();
    assert_eq!(gaps(&files), []);
    let month = |it: i64| file(&format!("a-{}-{:02}.log", 2025 + it / 12, 1 + it % 12), it * 720);
    let files: Vec<Listed> = (0..14).filter(|it| *it != 5).map(month).collect();
    assert_eq!(gaps(&files)[0].2, "a-2025-06.log");
    // Weekly by the dates of logrotate.
    let dates = ["0301", "0308", "0315", "0322", "0329", "0405", "0412", "0419", "0426", "0510"];
    let week = |(at, it): (i64, &&str)| file(&format!("a.log-2026{it}.gz"), at * 168);
    let files: Vec<Listed> = (0..).zip(&dates).map(week).collect();
    assert_eq!(gaps(&files)[0].2, "a.log-20260503");
}

#[test]
fn files_of_one_day_stand_together() {
    let files: Vec<Listed> = (1..=12)
        .filter(|it| *it != 8)
        .flat_map(|day| {
            let name = |part| format!("app-2026-05-{day:02}.{part}.log");
            [file(&name(1), day * 24), file(&name(2), day * 24 + 9)]
        })
        .collect();
    let gap = ("app-2026-05-07.2.log", "app-2026-05-09.1.log", "app-2026-05-08.*.log", 1);
    assert_eq!(gaps(&files), [(gap.0, gap.1, gap.2.to_owned(), gap.3)]);
}

#[test]
fn records_at_the_seam_of_two_files_may_overlap() {
    let minute = HOUR / 60;
    assert!(follows((0, HOUR), (HOUR - 4 * minute, 2 * HOUR)));
    assert!(!follows((0, HOUR), (HOUR - 8 * minute, 2 * HOUR)));
    assert!(follows((0, 24 * HOUR), (22 * HOUR, 48 * HOUR)));
    assert!(!follows((HOUR, 2 * HOUR), (0, 3 * HOUR)));
}

#[test]
fn a_file_is_found_in_a_series_by_its_name() {
    let number = "access.log.{number}";
    assert_eq!(position("access.log.3.gz", number), Some(3));
    assert_eq!(position("access.log", number), Some(0));
    assert_eq!(position("error.log.3", number), None);
    assert_eq!(position("audit-20260301.json.zst", "audit-{day}.json"), Some(20_513));
}
