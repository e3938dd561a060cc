//! Proofs about times, most of them against `jiff` as an oracle.

use proptest::prelude::*;

use super::*;

/// 0000-01-01 to 9999-12-30 in microseconds: what both sides can write.
const RANGE: std::ops::Range<i64> = -62_167_219_200_000_000..253_402_207_200_000_000;

fn at(text: &str) -> i64 {
    micros(text.parse().unwrap())
}

#[test]
fn iso_in_all_its_spellings_is_read() {
    let expected = at("2026-01-02T03:04:05Z");
    for text in [
        "2026-01-02T03:04:05Z",
        "2026-01-02t03:04:05z",
        "2026-01-02 03:04:05",
        "2026-01-02 03:04:05 UTC",
        "2026-01-02T05:04:05+02:00",
        "2026-01-02T05:04:05+0200",
        "2026-01-02T05:04:05 +02",
        "2026-01-01T22:04:05-05:00",
        "2026-01-02 04:04:05 CET",
        " 2026-01-02T03:04:05Z ",
        "20260102T030405Z",
        "20260102030405",
        "20260102 03:04:05",
        "2026-01-02T03:04:05.000000000Z",
    ] {
        assert_eq!(parse_time(text), Some(expected), "{text}");
    }
    assert_eq!(parse_time("2026-01-02"), Some(at("2026-01-02T00:00:00Z")));
    assert_eq!(parse_time("2026-01-02T03:04Z"), Some(at("2026-01-02T03:04:00Z")));
}

#[test]
fn fractions_of_any_length_are_cut_to_microseconds() {
    let second = at("2026-01-02T03:04:05Z");
    for (fraction, micros) in [
        (".5", 500_000),
        (".123", 123_000),
        (",123", 123_000),
        (".1234567", 123_456),
        (".123456789", 123_456),
        (".9999999999999999999999", 999_999),
    ] {
        let text = format!("2026-01-02T03:04:05{fraction}Z");
        assert_eq!(parse_time(&text), Some(second + micros), "{text}");
    }
}

#[test]
fn a_leap_second_is_the_second_before_it() {
    assert_eq!(parse_time("2016-12-31T23:59:60Z"), Some(at("2016-12-31T23:59:59Z")));
}

#[test]
fn aws_expiry_text_is_read_in_both_locale_forms_and_with_any_space() {
    let expected = at("2023-07-10T12:55:24Z");
    for text in [
        "Jul 10, 2023, 12:55:24 PM",
        "Jul 10, 2023 12:55:24 PM",
        "Jul 10, 2023, 12:55:24\u{202f}PM",
        "Jul\u{a0}10,\u{2009}2023,\u{3000}12:55:24\u{202f}PM",
    ] {
        assert_eq!(parse_time(text), Some(expected), "{text}");
    }
    assert_eq!(parse_time("Aug 1, 2021 2:56:38 AM"), Some(at("2021-08-01T02:56:38Z")));
    assert_eq!(parse_time("Aug 1, 2021 12:00:01 AM"), Some(at("2021-08-01T00:00:01Z")));
}

#[test]
fn web_and_mail_dates_are_read() {
    let expected = at("2000-10-10T20:55:36Z");
    for text in [
        "10/Oct/2000:13:55:36 -0700",
        "[10/Oct/2000:13:55:36 -0700]",
        "10/Oct/2000:20:55:36",
        "Tue, 10 Oct 2000 20:55:36 GMT",
        "10 Oct 2000 22:55:36 +0200",
        "Tue Oct 10 20:55:36 UTC 2000",
        "Tue Oct 10 20:55:36 2000",
        "Oct 10 2000 20:55:36",
        "10/10/2000 10:55:36 PM +02:00",
    ] {
        assert_eq!(parse_time(text), Some(expected), "{text}");
    }
}

#[test]
fn epochs_are_told_apart_by_size() {
    let second = at("2026-01-02T03:04:05Z");
    let seconds = second / SECOND;
    for (text, micros) in [
        (format!("{seconds}"), 0),
        (format!("{seconds}.25"), 250_000),
        (format!("{seconds}.123456789"), 123_456),
        (format!("{seconds}250"), 250_000),
        (format!("{seconds}250.5"), 250_500),
        (format!("{seconds}250001"), 250_001),
        (format!("{seconds}250001999"), 250_001),
    ] {
        assert_eq!(parse_time(&text), Some(second + micros), "{text}");
    }
    assert_eq!(parse_time("1.6468614015241024E9"), Some(1_646_861_401_524_102));
}

#[test]
fn what_is_no_instant_is_none() {
    for text in [
        "",
        "-",
        "0",
        "5",
        "-1",
        "20201130",
        "null",
        "12:00:00",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:60:00Z",
        "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05 XYZ",
        "2026-01-02T03:04:05+25:00",
        "2026-01-02X03:04:05",
        "99999999999999999999",
        "1e400",
        "Jan  5 03:04:05",
        "é026-01-02T03:04:05Z",
        "2026-01-02T0é:04:05Z",
        "NaN",
        "inf",
    ] {
        assert_eq!(parse_time(text), None, "{text}");
    }
}

#[test]
fn a_line_without_year_takes_the_year_nearest_to_its_file() {
    let reference = at("2026-01-01T00:10:00Z");
    for (text, expected) in [
        ("Dec 31 23:59:59", "2025-12-31T23:59:59Z"),
        ("Jan  1 00:00:05", "2026-01-01T00:00:05Z"),
        ("Jan 1 00:00:05.25", "2026-01-01T00:00:05.25Z"),
        ("Jun 10 00:00:05", "2026-06-10T00:00:05Z"),
        ("Aug 10 00:00:05", "2025-08-10T00:00:05Z"),
    ] {
        assert_eq!(parse_syslog_time(text, reference), Some(at(expected)), "{text}");
    }
    let reference = at("2025-12-31T23:59:00Z");
    assert_eq!(parse_syslog_time("Jan  1 00:00:05", reference), Some(at("2026-01-01T00:00:05Z")));
}

#[test]
fn a_leap_day_without_year_falls_into_a_leap_year() {
    for (reference, expected) in [
        ("2026-03-01T00:00:00Z", "2024-02-29T12:00:00Z"),
        ("2024-03-01T00:00:00Z", "2024-02-29T12:00:00Z"),
        ("2027-03-01T00:00:00Z", "2028-02-29T12:00:00Z"),
        ("2099-03-01T00:00:00Z", "2096-02-29T12:00:00Z"),
        ("2102-03-01T00:00:00Z", "2104-02-29T12:00:00Z"),
    ] {
        let found = parse_syslog_time("Feb 29 12:00:00", at(reference));
        assert_eq!(found, Some(at(expected)), "{reference}");
    }
    assert_eq!(parse_syslog_time("Feb 30 12:00:00", 0), None);
}

#[test]
fn a_syslog_line_with_a_full_time_is_read_as_it_is() {
    let expected = Some(at("2019-06-14T10:40:20.912134Z"));
    assert_eq!(parse_syslog_time("2019-06-14T10:40:20.912134", 0), expected);
    assert_eq!(parse_syslog_time("Jun 14 2019 10:40:20", 0), Some(at("2019-06-14T10:40:20Z")));
    assert_eq!(parse_syslog_time("Mayor of 10:40:20", 0), None);
}

#[test]
fn a_fraction_is_written_only_if_there_is_one() {
    assert_eq!(format_time(0), "1970-01-01T00:00:00Z");
    assert_eq!(format_time(250_000), "1970-01-01T00:00:00.25Z");
    assert_eq!(format_time(-1), "1969-12-31T23:59:59.999999Z");
    // Far outside any calendar: odd, but never a panic.
    assert!(format_time(i64::MIN).starts_with("-290308-"));
    assert!(format_time(i64::MAX).starts_with("294247-"));
}

#[test]
fn a_shown_second_is_never_earlier_than_the_instant() {
    assert_eq!(format_second(0), "1970-01-01T00:00:00Z");
    assert_eq!(format_second(250_000), "1970-01-01T00:00:01Z");
    assert_eq!(format_second(-1), "1970-01-01T00:00:00Z");
    format_second(i64::MIN);
    format_second(i64::MAX);
}

proptest! {
    #[test]
    fn writing_agrees_with_the_oracle(micros in RANGE) {
        let oracle = Timestamp::from_microsecond(micros).unwrap();
        prop_assert_eq!(format_time(micros), oracle.to_string());
    }

    #[test]
    fn what_is_written_reads_back(micros in RANGE) {
        prop_assert_eq!(parse_time(&format_time(micros)), Some(micros));
    }

    #[test]
    fn iso_with_an_offset_agrees_with_the_oracle(
        micros in -60_000_000_000_000_000_i64..250_000_000_000_000_000,
        minutes in -1439_i32..1440,
    ) {
        let offset = jiff::tz::Offset::from_seconds(minutes * 60).unwrap();
        let text = Timestamp::from_microsecond(micros)
            .unwrap()
            .display_with_offset(offset)
            .to_string();
        prop_assert_eq!(parse_time(&text), Some(micros), "{}", text);
    }

    /// Valid and invalid dates alike: both sides must agree on which is which.
    #[test]
    fn the_calendar_agrees_with_the_oracle(year in 0_i16..=9999, month in 0_i8..14, day in 0_i8..33) {
        let oracle = DateTime::new(year, month, day, 1, 2, 3, 0).ok().and_then(utc);
        let text = format!("{year:04}-{month:02}-{day:02}T01:02:03Z");
        prop_assert_eq!(parse_time(&text), oracle);
    }

    #[test]
    fn a_common_log_time_agrees_with_the_oracle(seconds in 0_i64..4_000_000_000, minutes in -840_i32..840) {
        let offset = jiff::tz::Offset::from_seconds(minutes * 60).unwrap();
        let zoned = Timestamp::from_second(seconds)
            .unwrap()
            .to_zoned(jiff::tz::TimeZone::fixed(offset));
        let text = strtime::format("%d/%b/%Y:%H:%M:%S %z", &zoned).unwrap();
        prop_assert_eq!(parse_time(&text), Some(seconds * SECOND));
    }

    #[test]
    fn an_aws_expiry_agrees_with_the_oracle(seconds in 0_i64..4_000_000_000, comma: bool, narrow: bool) {
        let civil = jiff::tz::Offset::UTC.to_datetime(Timestamp::from_second(seconds).unwrap());
        let text = strtime::format("%b %-d, %Y# %-I:%M:%S~%p", civil).unwrap();
        let text = text
            .replace('#', if comma { "," } else { "" })
            .replace('~', if narrow { "\u{202f}" } else { " " });
        prop_assert_eq!(parse_time(&text), Some(seconds * SECOND), "{}", text);
    }

    /// Within half a year of the reference, the year is always found.
    #[test]
    fn a_yearless_time_near_its_reference_is_found(
        reference in 0_i64..4_000_000_000,
        distance in -15_000_000_i64..15_000_000,
    ) {
        let instant = reference + distance;
        let civil = jiff::tz::Offset::UTC.to_datetime(Timestamp::from_second(instant).unwrap());
        let text = strtime::format("%b %e %H:%M:%S", civil).unwrap();
        prop_assert_eq!(parse_syslog_time(&text, reference * SECOND), Some(instant * SECOND));
    }

    #[test]
    fn no_text_makes_reading_a_time_panic(text: String, reference: i64) {
        let _ = parse_time(&text);
        let _ = parse_syslog_time(&text, reference);
        let _ = parse_syslog_time(&format!("Jan 1 {text}"), reference);
    }

    #[test]
    fn no_text_like_a_time_makes_reading_it_panic(text in "[0-9TZ:. +/,AaJjPpMmn-]{0,40}", reference: i64) {
        let _ = parse_time(&text);
        let _ = parse_syslog_time(&text, reference);
    }
}
