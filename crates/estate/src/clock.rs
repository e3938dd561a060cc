//! Instants as microseconds since 1970 (UTC), and the ways in which logs write them.

use jiff::Timestamp;

/// Microseconds since 1970-01-01T00:00:00Z.
pub(crate) type Micros = i64;

pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const MINUTE: Micros = 60 * SECOND;
pub(crate) const HOUR: Micros = 60 * MINUTE;
pub(crate) const DAY: Micros = 24 * HOUR;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A point of the calendar, UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

impl Civil {
    /// Days to calendar after Howard Hinnant's `civil_from_days`.
    pub(crate) fn of(time: Micros) -> Self {
        let (days, rest) = (time.div_euclid(DAY), time.rem_euclid(DAY));
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: rest / HOUR,
            minute: rest / MINUTE % 60,
            second: rest / SECOND % 60,
        }
    }
}

/// The instant as a timestamp of the truth.
pub(crate) fn timestamp(time: Micros) -> Timestamp {
    Timestamp::from_microsecond(time).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Appends `value` in decimal, with leading zeros up to `width`.
pub(crate) fn push_digits(out: &mut Vec<u8>, value: i64, width: usize) {
    let mut digits = [b'0'; 20];
    let (mut rest, mut at) = (value.unsigned_abs(), digits.len());
    while rest > 0 || digits.len() - at < width.max(1) {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `2026-03-01T10:00:00`, without a zone.
pub(crate) fn push_iso(out: &mut Vec<u8>, time: Micros) {
    let it = Civil::of(time);
    push_digits(out, it.year, 4);
    for (mark, value) in
        [(b'-', it.month), (b'-', it.day), (b'T', it.hour), (b':', it.minute), (b':', it.second)]
    {
        out.push(mark);
        out.push(b'0' + (value / 10) as u8);
        out.push(b'0' + (value % 10) as u8);
    }
}

/// Appends `2026-03-01T10:00:00.000000`, without a zone.
pub(crate) fn push_iso_micros(out: &mut Vec<u8>, time: Micros) {
    push_iso(out, time);
    out.push(b'.');
    push_digits(out, time.rem_euclid(SECOND), 6);
}

/// Appends `20260301`.
pub(crate) fn push_date(out: &mut Vec<u8>, time: Micros) {
    let it = Civil::of(time);
    push_digits(out, it.year, 4);
    push_digits(out, it.month, 2);
    push_digits(out, it.day, 2);
}

/// Appends `Mar  1 10:00:00`, the stamp of RFC 3164: no year, no zone, the day padded with a space.
pub(crate) fn push_syslog(out: &mut Vec<u8>, time: Micros) {
    let it = Civil::of(time);
    out.extend_from_slice(MONTHS[it.month as usize - 1].as_bytes());
    out.push(b' ');
    if it.day < 10 {
        out.push(b' ');
    }
    push_digits(out, it.day, 1);
    for (mark, value) in [(b' ', it.hour), (b':', it.minute), (b':', it.second)] {
        out.push(mark);
        push_digits(out, value, 2);
    }
}

/// How AWS writes the expiry of a session: locale text that changed over the years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpiryForm {
    /// `Aug 1, 2021 2:56:38 AM`
    Old,
    /// `Jul 10, 2023, 12:55:24 PM`
    New,
    /// As `New`, with U+202F before AM or PM, as newer locale data has it.
    NarrowSpace,
}

/// Appends the expiry in one of AWS's forms.
pub(crate) fn push_expiry(out: &mut Vec<u8>, time: Micros, form: ExpiryForm) {
    let it = Civil::of(time);
    out.extend_from_slice(MONTHS[it.month as usize - 1].as_bytes());
    out.push(b' ');
    push_digits(out, it.day, 1);
    out.extend_from_slice(b", ");
    push_digits(out, it.year, 4);
    out.extend_from_slice(if form == ExpiryForm::Old { b" " } else { b", " });
    push_digits(out, if it.hour % 12 == 0 { 12 } else { it.hour % 12 }, 1);
    for value in [it.minute, it.second] {
        out.push(b':');
        push_digits(out, value, 2);
    }
    out.extend_from_slice(if form == ExpiryForm::NarrowSpace {
        "\u{202f}".as_bytes()
    } else {
        b" "
    });
    out.extend_from_slice(if it.hour < 12 { b"AM" } else { b"PM" });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ascii or U+202F")
    }

    #[test]
    fn the_calendar_agrees_with_jiff() {
        let mut rng = crate::rng::Rng::new(3);
        for _ in 0..20_000 {
            let time =
                rng.between(-3_000_000_000 * SECOND, 8_000_000_000 * SECOND) / SECOND * SECOND;
            assert_eq!(
                format!("{}Z", text(|out| push_iso(out, time))),
                timestamp(time).to_string()
            );
        }
    }

    #[test]
    fn each_log_has_its_own_way_to_write_a_time() {
        let time = 1_772_323_200 * SECOND + 36_000 * SECOND + 42;
        assert_eq!(text(|out| push_iso_micros(out, time)), "2026-03-01T10:00:00.000042");
        assert_eq!(text(|out| push_syslog(out, time)), "Mar  1 10:00:00");
        assert_eq!(text(|out| push_date(out, time)), "20260301");
        assert_eq!(text(|out| push_expiry(out, time, ExpiryForm::Old)), "Mar 1, 2026 10:00:00 AM");
        assert_eq!(
            text(|out| push_expiry(out, time + 2 * HOUR, ExpiryForm::New)),
            "Mar 1, 2026, 12:00:00 PM"
        );
        assert_eq!(
            text(|out| push_expiry(out, time, ExpiryForm::NarrowSpace)),
            "Mar 1, 2026, 10:00:00\u{202f}AM"
        );
    }
}
