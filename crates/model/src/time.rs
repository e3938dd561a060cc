//! Instants: microseconds since 1970-01-01T00:00:00Z, read from what logs write.
//!
//! What stands in every event is read by hand: ISO, epochs, the common log format,
//! AWS expiry text. The rest goes through `jiff` by way of one table of formats.
//! Nothing here knows the clock.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;

/// Epochs below this are not taken for instants: smaller numbers in logs are
/// durations, counters, or dates without dashes.
const EARLIEST_EPOCH_SECONDS: i64 = 100_000_000; // 1973-03-03

/// Reads an instant in any form a log is known to write, or returns None.
///
/// - ISO 8601 and RFC 3339: `T` or a space, any fraction after `.` or `,`, `Z`, `±hh:mm`,
///   `±hhmm`, `±hh`, a zone word, or no zone (then UTC); a date alone is its midnight
/// - basic ISO `20260102T030405Z`
/// - `Aug 1, 2021 2:56:38 AM` and `Jul 10, 2023, 12:55:24 PM`, with any Unicode space
/// - common log format `10/Oct/2000:13:55:36 -0700`, and HTTP and mail dates
/// - epochs in s (with a fraction), ms, µs or ns, told apart by their size
///
/// Second 60 is read as 59, so that a leap second never passes a cutoff early.
pub fn parse_time(text: &str) -> Option<i64> {
    // Nearly all are ISO, with nothing around them.
    if let Some(micros) = parse_iso(text.as_bytes()) {
        return Some(micros);
    }
    let text = text.trim();
    parse_iso(text.as_bytes())
        .or_else(|| parse_common_log(text))
        .or_else(|| parse_epoch(text))
        .or_else(|| parse_compact(text))
        .or_else(|| parse_month_first(text))
        .or_else(|| parse_written(text))
}

/// Reads `Mon dd HH:MM:SS`, which names no year, as the instant nearest to a reference.
///
/// The reference is usually the time of the file: a line of 31 December in a
/// file of 1 January belongs to the year before. Other texts are read by [`parse_time`].
pub fn parse_syslog_time(text: &str, reference_micros: i64) -> Option<i64> {
    let text = text.trim();
    match YearlessTime::parse(text) {
        Some(yearless) => yearless.nearest(reference_micros),
        None => parse_time(text),
    }
}

/// Writes an instant as screens and pages show it: RFC 3339 in UTC to the second.
///
/// A fraction counts as a whole second, so that a last use is never shown earlier than it is.
pub fn format_second(micros: i64) -> String {
    let up = (SECOND - micros.rem_euclid(SECOND)) % SECOND;
    format_time(micros.checked_add(up).unwrap_or(i64::MAX / SECOND * SECOND))
}

/// Writes an instant as RFC 3339 in UTC, with a fraction only if there is one.
pub fn format_time(micros: i64) -> String {
    let seconds = micros.div_euclid(SECOND);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_SECONDS));
    let mut text = String::with_capacity(27);
    match year {
        0..=9999 => {
            push_two(&mut text, year / 100);
            push_two(&mut text, year % 100);
        }
        // ISO 8601 writes years before 0 with a sign and six digits.
        ..0 => text.push_str(&format!("-{:06}", -year)),
        _ => text.push_str(&year.to_string()),
    }
    let second_of_day = seconds.rem_euclid(DAY_SECONDS);
    for (mark, number) in [
        ('-', month),
        ('-', day),
        ('T', second_of_day / 3600),
        (':', second_of_day / 60 % 60),
        (':', second_of_day % 60),
    ] {
        text.push(mark);
        push_two(&mut text, number);
    }
    let fraction = micros.rem_euclid(SECOND);
    if fraction != 0 {
        text.push('.');
        for digits in [fraction / 10_000, fraction / 100 % 100, fraction % 100] {
            push_two(&mut text, digits);
        }
        text.truncate(text.trim_end_matches('0').len());
    }
    text.push('Z');
    text
}

fn push_two(text: &mut String, number: i64) {
    for digit in [number / 10, number % 10] {
        text.push(char::from(b'0' + digit as u8));
    }
}

/// Two digits at a place, or None.
fn two(bytes: &[u8], at: usize) -> Option<i64> {
    match bytes.get(at..at + 2)? {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')),
        _ => None,
    }
}

fn parse_iso(bytes: &[u8]) -> Option<i64> {
    // The shape of the date tells ISO from everything else at once.
    if bytes.len() < 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = two(bytes, 0)? * 100 + two(bytes, 2)?;
    let days = days_from_date(year, two(bytes, 5)?, two(bytes, 8)?)?;
    if bytes.len() == 10 {
        return Some(days * DAY_SECONDS * SECOND);
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    let (time, rest) = parse_clock(&bytes[11..])?;
    let offset = parse_zone(rest)?;
    Some((days * DAY_SECONDS - offset) * SECOND + time)
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`: microseconds of the day, and what follows.
fn parse_clock(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, minute) = (two(bytes, 0)?, two(bytes, 3)?);
    if bytes[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let minutes = hour * 60 + minute;
    if bytes.get(5) != Some(&b':') {
        return Some((minutes * 60 * SECOND, &bytes[5..]));
    }
    let second = two(bytes, 6)?;
    if second > 60 {
        return None;
    }
    let (fraction, rest) = parse_fraction(&bytes[8..])?;
    let time = (minutes * 60 + second.min(59)) * SECOND + fraction;
    Some((time, rest))
}

/// A fraction of any length as microseconds (cut, not rounded), and what follows.
fn parse_fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    if !matches!(bytes.first(), Some(b'.' | b',')) {
        return Some((0, bytes));
    }
    let mut micros = 0;
    let mut count = 0;
    let mut at = 1;
    while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
        if count < 6 {
            micros = micros * 10 + i64::from(digit - b'0');
            count += 1;
        }
        at += 1;
    }
    if at == 1 {
        return None;
    }
    for _ in count..6 {
        micros *= 10;
    }
    Some((micros, &bytes[at..]))
}

/// Zone words that logs write, with their offset in minutes: those of RFC 822
/// and the European ones. Words with several meanings elsewhere are left out.
const ZONE_WORDS: &[(&str, i64)] = &[
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("WET", 0),
    ("WEST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("JST", 540),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];

/// Seconds east of Greenwich; nothing at all means UTC.
fn parse_zone(bytes: &[u8]) -> Option<i64> {
    let zone = bytes.trim_ascii_start();
    match zone {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let hours = two(digits, 0)?;
            let minutes = match digits.len() {
                2 => 0,
                4 => two(digits, 2)?,
                5 if digits[2] == b':' => two(digits, 3)?,
                _ => return None,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        word => ZONE_WORDS.iter().find(|it| it.0.as_bytes() == word).map(|it| it.1 * 60),
    }
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, by size.
fn parse_epoch(text: &str) -> Option<i64> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    if whole.is_empty() || !whole.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    if !fraction.bytes().all(|it| it.is_ascii_digit()) {
        return parse_float_epoch(text);
    }
    if fraction.is_empty() && whole.len() == 14 {
        // As milliseconds this would be after the year 2286; it is a date without dashes.
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    if number < EARLIEST_EPOCH_SECONDS {
        return None;
    }
    let units_per_second = match number {
        ..100_000_000_000 => 1,
        100_000_000_000..100_000_000_000_000 => 1_000,
        100_000_000_000_000..100_000_000_000_000_000 => SECOND,
        _ => return Some(number / 1_000),
    };
    let micros_of_fraction = match fraction {
        "" => 0,
        _ => parse_fraction(format!(".{fraction}").as_bytes())?.0 / units_per_second,
    };
    Some(number * (SECOND / units_per_second) + micros_of_fraction)
}

/// Epochs as some JSON writers print them: `1.6468614015241024E9`.
fn parse_float_epoch(text: &str) -> Option<i64> {
    if !text.bytes().any(|it| matches!(it, b'e' | b'E')) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    let scale = match number {
        it if !(1e8..1e19).contains(&it) => return None,
        it if it < 1e11 => 1e6,
        it if it < 1e14 => 1e3,
        it if it < 1e17 => 1.0,
        _ => 1e-3,
    };
    // In range by the checks above: at most 1e17.
    Some((number * scale).floor() as i64)
}

/// `20260102T030405Z`, `20260102030405`, `20260102 03:04:05`.
fn parse_compact(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(8)?;
    if !date.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let clock = rest.trim_start_matches(['T', 't', ' ']);
    let mut iso = format!("{}-{}-{}T", &date[..4], &date[4..6], &date[6..]);
    if clock.get(..6)?.bytes().all(|it| it.is_ascii_digit()) {
        let _ = write!(iso, "{}:{}:{}", &clock[..2], &clock[2..4], &clock[4..6]);
        iso.push_str(&clock[6..]);
    } else {
        iso.push_str(clock);
    }
    parse_iso(iso.as_bytes())
}

/// `10/Oct/2000:13:55:36 -0700`, with or without brackets and zone.
fn parse_common_log(text: &str) -> Option<i64> {
    let text = text.trim_start_matches('[').trim_end_matches(']');
    let bytes = text.as_bytes();
    if bytes.get(2) != Some(&b'/') || bytes.get(6) != Some(&b'/') || bytes.get(11) != Some(&b':') {
        return None;
    }
    let year = two(bytes, 7)? * 100 + two(bytes, 9)?;
    let days = days_from_date(year, month_of(text.get(3..6)?)?, two(bytes, 0)?)?;
    let (time, zone) = parse_clock(&bytes[12..])?;
    Some((days * DAY_SECONDS - parse_zone(zone)?) * SECOND + time)
}

/// `Jul 10, 2023, 12:55:24 PM` and `Aug 1 2021 14:56:38`, with any Unicode space.
///
/// AWS puts a comma after the day, and since 2023 one after the year.
fn parse_month_first(text: &str) -> Option<i64> {
    if text.len() > LONGEST_DATE {
        return None;
    }
    let mut words = text.split_whitespace();
    let mut next = || words.next().map(|it| it.trim_end_matches(','));
    let month = month_of(next()?)?;
    let day = next().filter(|it| it.len() <= 2)?.parse().ok()?;
    let year = next().filter(|it| it.len() == 4)?.parse().ok()?;
    let clock = next()?;
    let half = words.next();
    let zone = words.next().unwrap_or_default();
    let days = days_from_date(year, month, day)?;
    let (time, offset) = match half {
        Some("AM" | "PM" | "am" | "pm") => {
            let is_afternoon = half.is_some_and(|it| it.eq_ignore_ascii_case("pm"));
            (parse_half_day(clock, is_afternoon)?, parse_zone(zone.as_bytes())?)
        }
        other => {
            let (time, rest) = parse_clock(clock.as_bytes())?;
            let zone = other.unwrap_or_default().as_bytes();
            (time, parse_zone(if rest.is_empty() { zone } else { rest })?)
        }
    };
    if words.next().is_some() {
        return None;
    }
    Some((days * DAY_SECONDS - offset) * SECOND + time)
}

/// A clock of twelve hours, on which 12 stands before 1.
fn parse_half_day(clock: &str, is_afternoon: bool) -> Option<i64> {
    let padded = if clock.as_bytes().get(1) == Some(&b':') {
        Cow::Owned(format!("0{clock}"))
    } else {
        Cow::Borrowed(clock)
    };
    let hour = two(padded.as_bytes(), 0).filter(|it| (1..=12).contains(it))?;
    let (time, rest) = parse_clock(padded.as_bytes())?;
    if !rest.is_empty() {
        return None;
    }
    let hours = match (hour, is_afternoon) {
        (12, false) => -12,
        (12, true) | (_, false) => 0,
        (_, true) => 12,
    };
    Some(time + hours * 3600 * SECOND)
}

/// No date is longer, in bytes; a hostile text is not walked by every format.
const LONGEST_DATE: usize = 64;

/// Dates that need more than digits at places and are seldom.
/// Those with a zone first: a format without one must not swallow it.
const WRITTEN_WITH_ZONE: &[&str] = &[
    "%a, %d %b %Y %H:%M:%S %z", // HTTP, mail
    "%d %b %Y %H:%M:%S %z",     // mail without the weekday
    "%a %b %d %H:%M:%S %z %Y",  // date(1), with the zone made numeric
    "%m/%d/%Y %I:%M:%S %p %:z", // .NET in its invariant culture
];
const WRITTEN_WITHOUT_ZONE: &[&str] = &[
    "%a %b %d %H:%M:%S %Y", // asctime
    "%m/%d/%Y %I:%M:%S %p",
];

fn parse_written(text: &str) -> Option<i64> {
    if text.len() > LONGEST_DATE {
        return None;
    }
    let text = plain_spaces(text.trim_matches(['[', ']', '"']));
    let text = numeric_zone(&text);
    for format in WRITTEN_WITH_ZONE {
        let instant = strtime::parse(format, &*text).and_then(|it| it.to_timestamp());
        if let Ok(instant) = instant {
            return Some(micros(instant));
        }
    }
    WRITTEN_WITHOUT_ZONE
        .iter()
        .find_map(|format| strtime::parse(format, &*text).ok()?.to_datetime().ok())
        .and_then(utc)
}

/// Every Unicode space becomes one ASCII space; runs of them become one.
fn plain_spaces(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replaces a zone word by its offset: `... 13:55:36 GMT` becomes `... 13:55:36 +0000`.
fn numeric_zone(text: &str) -> Cow<'_, str> {
    for (word, minutes) in ZONE_WORDS {
        let Some(at) = text.find(word) else { continue };
        let end = at + word.len();
        let starts = text[..at].ends_with(' ');
        let ends = text[end..].is_empty() || text[end..].starts_with(' ');
        if starts && ends {
            let sign = if *minutes < 0 { '-' } else { '+' };
            let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
            return Cow::Owned(format!("{}{sign}{hours:02}{rest:02}{}", &text[..at], &text[end..]));
        }
    }
    Cow::Borrowed(text)
}

fn utc(civil: DateTime) -> Option<i64> {
    let instant = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
    Some(micros(instant))
}

fn micros(instant: Timestamp) -> i64 {
    instant.as_microsecond()
}

/// A time of day on a day of some year.
struct YearlessTime {
    month: i64,
    day: i64,
    micros_of_day: i64,
    offset_seconds: i64,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The number of a month by the first three letters of its English name.
fn month_of(name: &str) -> Option<i64> {
    let at = MONTHS.iter().position(|it| name.eq_ignore_ascii_case(it))?;
    Some(at as i64 + 1)
}

impl YearlessTime {
    fn parse(text: &str) -> Option<Self> {
        let month = month_of(text.get(..3)?)?;
        let rest = text.get(3..)?;
        if !rest.starts_with(' ') {
            return None;
        }
        let (day, clock) = rest.trim_start().split_once(' ')?;
        let day: i64 = match day.len() {
            1 | 2 => day.parse().ok()?,
            _ => return None,
        };
        // A year here fails as a clock, and the text goes to `parse_time`.
        let (micros_of_day, zone) = parse_clock(clock.trim_start().as_bytes())?;
        Some(Self { month, day, micros_of_day, offset_seconds: parse_zone(zone)? })
    }

    fn in_year(&self, year: i64) -> Option<i64> {
        let days = days_from_date(year, self.month, self.day)?;
        Some((days * DAY_SECONDS - self.offset_seconds) * SECOND + self.micros_of_day)
    }

    /// Eight years either way: 29 February may be that far from a year like 2100.
    fn nearest(&self, reference: i64) -> Option<i64> {
        let days = reference.div_euclid(DAY_SECONDS * SECOND);
        let (year, _, _) = civil_from_days(days);
        (year - 8..=year + 8)
            .filter_map(|it| self.in_year(it))
            .min_by_key(|it| it.abs_diff(reference))
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar in years 0 to 9999.
fn days_from_date(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(0..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    // Years begin in March here, so that a leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The date of a day counted from 1970-01-01; the inverse of [`days_from_date`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
