//! Values as JSON.

use data_encoding::BASE64;
use lastuse_model::time::format_time;

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
                Some(micros) => write_text(out, format_time(micros).as_bytes()),
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
        Meaning::Timestamp(unit) => micros(unit).map(format_time),
        Meaning::Time(unit) => micros(unit)
            .filter(|it| (0..DAY).contains(it))
            .map(|it| format_time(it).trim_end_matches('Z')["1970-01-01T".len()..].to_owned()),
        Meaning::Date => number
            .checked_mul(DAY)
            .map(format_time)
            .and_then(|it| it.split_once('T').map(|it| it.0.to_owned())),
        Meaning::Decimal { scale } => return put_decimal(out, i128::from(number), scale),
        _ => None,
    };
    match text {
        Some(text) => write_text(out, text.as_bytes()),
        None => put(out, number),
    }
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
