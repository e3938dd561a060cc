//! Values as JSON.

use data_encoding::BASE64;

use super::schema::{Column, Meaning, Physical, Unit};

/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;
/// The Julian day of 1970-01-01, from which `INT96` counts.
const JULIAN_1970: i64 = 2_440_588;

/// Appends a value, whose plain bytes these are. False if JSON has no word for it.
///
/// Instants become RFC 3339, to the microsecond. Bytes that are not said to be
/// text are taken for text where they are UTF-8, since older writers leave the
/// annotation out, and else become Base64.
pub(super) fn write_value(out: &mut Vec<u8>, column: &Column, bytes: &[u8]) -> bool {
    match (column.physical, bytes) {
        (Physical::Boolean, [flag]) => {
            out.extend_from_slice(if *flag == 0 { b"false" } else { b"true" });
        }
        (Physical::Int32, &[a, b, c, d]) => {
            let number = i32::from_le_bytes([a, b, c, d]);
            match column.meaning {
                Meaning::Unsigned => put(out, number as u32),
                _ => write_number(out, column.meaning, i64::from(number)),
            }
        }
        (Physical::Int64, &[a, b, c, d, e, f, g, h]) => {
            let number = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
            match column.meaning {
                Meaning::Unsigned => put(out, number as u64),
                _ => write_number(out, column.meaning, number),
            }
        }
        (Physical::Int96, &[a, b, c, d, e, f, g, h, i, j, k, l]) => {
            let nanos = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
            let day = i64::from(u32::from_le_bytes([i, j, k, l])) - JULIAN_1970;
            let micros =
                day.checked_mul(DAY).and_then(|it| it.checked_add(nanos.div_euclid(1_000)));
            match micros {
                Some(micros) => write_text(out, instant(micros).as_bytes()),
                None => return false,
            }
        }
        (Physical::Float, &[a, b, c, d]) => {
            let number = f32::from_le_bytes([a, b, c, d]);
            return number.is_finite() && put_float(out, number);
        }
        (Physical::Double, &[a, b, c, d, e, f, g, h]) => {
            let number = f64::from_le_bytes([a, b, c, d, e, f, g, h]);
            return number.is_finite() && put_float(out, number);
        }
        _ => write_bytes(out, column.meaning, bytes),
    }
    true
}

/// Appends a text in quotes. Bytes that are not UTF-8 stay as they are: the
/// reader of JSON deals with them as in any other log.
pub(super) fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|it| *it < 0x20 || matches!(it, b'"' | b'\\')) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn put(out: &mut Vec<u8>, number: impl std::fmt::Display) {
    out.extend_from_slice(number.to_string().as_bytes());
}

/// A number with a fraction, even if that is zero.
fn put_float(out: &mut Vec<u8>, number: impl std::fmt::Debug) -> bool {
    out.extend_from_slice(format!("{number:?}").as_bytes());
    true
}

fn write_number(out: &mut Vec<u8>, meaning: Meaning, number: i64) {
    let micros = |unit: Unit| match unit {
        Unit::Millis => number.checked_mul(1_000),
        Unit::Micros => Some(number),
        Unit::Nanos => Some(number.div_euclid(1_000)),
    };
    let text = match meaning {
        Meaning::Timestamp(unit) => micros(unit).map(instant),
        Meaning::Time(unit) => micros(unit).filter(|it| (0..DAY).contains(it)).map(time),
        Meaning::Date => Some(date(number)),
        Meaning::Decimal { scale } => return put_decimal(out, i128::from(number), scale),
        _ => None,
    };
    match text {
        Some(text) => write_text(out, text.as_bytes()),
        None => put(out, number),
    }
}

/// An instant in RFC 3339. `lastuse_model::time` writes them too, but has forty crates
/// behind it that nothing else here needs.
fn instant(micros: i64) -> String {
    format!("{}T{}Z", date(micros.div_euclid(DAY)), time(micros.rem_euclid(DAY)))
}

/// A time of day.
fn time(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}.{:06}", micros % 1_000_000)
}

/// A date of the Gregorian calendar, from the days since 1970-01-01.
fn date(days: i64) -> String {
    // Eras of 400 years that begin on a first of March, so that leap days come last.
    let days = days.saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn write_bytes(out: &mut Vec<u8>, meaning: Meaning, bytes: &[u8]) {
    match meaning {
        Meaning::Text => write_text(out, bytes),
        Meaning::Decimal { scale } if (1..=16).contains(&bytes.len()) => {
            // Two's complement, the highest byte first.
            let start = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
            let number = bytes.iter().fold(start, |all, it| all << 8 | i128::from(*it));
            put_decimal(out, number, scale);
        }
        Meaning::Uuid if bytes.len() == 16 => {
            let hex = data_encoding::HEXLOWER.encode(bytes);
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
            write_text(out, parts.join("-").as_bytes());
        }
        _ if simdutf8::basic::from_utf8(bytes).is_ok() => write_text(out, bytes),
        _ => write_text(out, BASE64.encode(bytes).as_bytes()),
    }
}

fn put_decimal(out: &mut Vec<u8>, number: i128, scale: u32) {
    // More digits than a decimal may have are no decimal.
    let scale = if scale > 76 { 0 } else { scale as usize };
    let digits = format!("{:0width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if number < 0 { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    out.extend_from_slice(format!("{sign}{whole}{point}{fraction}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(physical: Physical, meaning: Meaning, bytes: &[u8]) -> String {
        let column = Column { physical, meaning, definition_max: 0, repetition_max: 0 };
        let mut out = Vec::new();
        write_value(&mut out, &column, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn instants_and_dates_are_those_of_the_calendar() {
        let date = |days: i32| shown(Physical::Int32, Meaning::Date, &days.to_le_bytes());
        for (days, wanted) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (20_513, "2026-03-01"),
            (-25_509, "1900-02-28"),
            (-719_528, "0000-01-01"),
        ] {
            assert_eq!(date(days), format!("\"{wanted}\""));
        }
        let at = |unit, number: i64| {
            shown(Physical::Int64, Meaning::Timestamp(unit), &number.to_le_bytes())
        };
        let wanted = "\"2026-03-01T09:00:01.717000Z\"";
        assert_eq!(at(Unit::Millis, 1_772_355_601_717), wanted);
        assert_eq!(at(Unit::Micros, 1_772_355_601_717_000), wanted);
        assert_eq!(at(Unit::Nanos, 1_772_355_601_717_000_999), wanted);
        assert_eq!(at(Unit::Micros, -1), "\"1969-12-31T23:59:59.999999Z\"");
        let nanos = 32_401_717_000_000i64.to_le_bytes().to_vec();
        let int96 = [nanos, 2_461_101u32.to_le_bytes().to_vec()].concat();
        assert_eq!(shown(Physical::Int96, Meaning::AsStored, &int96), wanted);
        // Beyond what microseconds can say it is the number.
        assert_eq!(at(Unit::Millis, i64::MAX), i64::MAX.to_string());
        for number in [i64::MIN, i64::MAX] {
            for unit in [Unit::Micros, Unit::Nanos] {
                assert!(at(unit, number).ends_with("Z\""));
            }
        }
    }

    #[test]
    fn bytes_are_text_where_they_can_be_and_decimals_keep_their_digits() {
        let bytes = |meaning, it: &[u8]| shown(Physical::Bytes, meaning, it);
        assert_eq!(bytes(Meaning::AsStored, b"AKIA"), "\"AKIA\"");
        assert_eq!(bytes(Meaning::AsStored, &[0xff, 0]), "\"/wA=\"");
        let decimal = Meaning::Decimal { scale: 3 };
        assert_eq!(bytes(decimal, &[0xff, 0x85]), "-0.123");
        assert_eq!(bytes(decimal, &[0x01, 0x00]), "0.256");
        assert_eq!(shown(Physical::Int32, decimal, &(-45_678i32).to_le_bytes()), "-45.678");
        let uuid: Vec<u8> = (0..16).collect();
        let wanted = "\"00010203-0405-0607-0809-0a0b0c0d0e0f\"";
        assert_eq!(shown(Physical::Fixed(16), Meaning::Uuid, &uuid), wanted);
        let unsigned = shown(Physical::Int64, Meaning::Unsigned, &(-1i64).to_le_bytes());
        assert_eq!(unsigned, u64::MAX.to_string());
        assert_eq!(shown(Physical::Double, Meaning::AsStored, &2f64.to_le_bytes()), "2.0");
    }
}
