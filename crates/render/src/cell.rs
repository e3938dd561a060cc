//! One value of a column as the few kinds that text can tell apart.

use std::fmt::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, StructArray};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use jiff::{SignedDuration, Timestamp, civil};
use serde_json::Value;

use crate::RenderError;

/// A value, borrowed from its column where it can be.
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
    /// An instant, UTC.
    Instant(Timestamp),
    /// A value whose only form is text: dates, decimals, durations, bytes in hex.
    Plain(String),
    List(ArrayRef),
    Struct(&'a StructArray, usize),
}

/// Says whether columns of `data_type` can be written.
pub(crate) fn check(column: &str, data_type: &DataType) -> Result<(), RenderError> {
    use DataType::*;
    match data_type {
        Null | Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 => Ok(()),
        Float32 | Float64 | Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView => {
            Ok(())
        }
        FixedSizeBinary(_) | Timestamp(..) | Date32 | Date64 | Time32(_) | Time64(_) => Ok(()),
        Duration(_) | Interval(_) => Ok(()),
        Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => Ok(()),
        List(item) | LargeList(item) | FixedSizeList(item, _) | Map(item, _) => {
            check(column, item.data_type())
        }
        Struct(fields) => fields.iter().try_for_each(|it| check(column, it.data_type())),
        Dictionary(_, values) => check(column, values),
        _ => Err(RenderError::UnsupportedType {
            column: crate::text::escape(column).into_owned(),
            data_type: data_type.clone(),
        }),
    }
}

/// Whether people compare values of this type by their digits.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_number(values),
        it => it.is_numeric(),
    }
}

/// The value at `row`, which must be within the array.
pub(crate) fn cell(array: &dyn Array, row: usize) -> Result<Cell<'_>, RenderError> {
    use DataType::*;
    if array.is_null(row) {
        return Ok(Cell::Null);
    }
    Ok(match array.data_type() {
        Null => Cell::Null,
        Boolean => Cell::Bool(array.as_boolean().value(row)),
        Int8 => Cell::Int(array.as_primitive::<Int8Type>().value(row).into()),
        Int16 => Cell::Int(array.as_primitive::<Int16Type>().value(row).into()),
        Int32 => Cell::Int(array.as_primitive::<Int32Type>().value(row).into()),
        Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        UInt8 => Cell::Unsigned(array.as_primitive::<UInt8Type>().value(row).into()),
        UInt16 => Cell::Unsigned(array.as_primitive::<UInt16Type>().value(row).into()),
        UInt32 => Cell::Unsigned(array.as_primitive::<UInt32Type>().value(row).into()),
        UInt64 => Cell::Unsigned(array.as_primitive::<UInt64Type>().value(row)),
        // Through its decimal text, so that 0.1 stays 0.1 when it is widened.
        Float32 => Cell::Float(widened(array.as_primitive::<Float32Type>().value(row))),
        Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
        Utf8 => Cell::Text(array.as_string::<i32>().value(row)),
        LargeUtf8 => Cell::Text(array.as_string::<i64>().value(row)),
        Utf8View => Cell::Text(array.as_string_view().value(row)),
        Binary => Cell::Plain(hex(array.as_binary::<i32>().value(row))),
        LargeBinary => Cell::Plain(hex(array.as_binary::<i64>().value(row))),
        BinaryView => Cell::Plain(hex(array.as_binary_view().value(row))),
        FixedSizeBinary(_) => Cell::Plain(hex(array.as_fixed_size_binary().value(row))),
        Decimal32(..) => Cell::Plain(array.as_primitive::<Decimal32Type>().value_as_string(row)),
        Decimal64(..) => Cell::Plain(array.as_primitive::<Decimal64Type>().value_as_string(row)),
        Decimal128(..) => Cell::Plain(array.as_primitive::<Decimal128Type>().value_as_string(row)),
        Decimal256(..) => Cell::Plain(array.as_primitive::<Decimal256Type>().value_as_string(row)),
        Dictionary(..) => return dictionary_cell(array, row),
        Struct(_) => Cell::Struct(array.as_struct(), row),
        List(_) => Cell::List(array.as_list::<i32>().value(row)),
        LargeList(_) => Cell::List(array.as_list::<i64>().value(row)),
        FixedSizeList(..) => Cell::List(array.as_fixed_size_list().value(row)),
        Map(..) => Cell::List(std::sync::Arc::new(array.as_map().value(row))),
        _ => return time_cell(array, row),
    })
}

/// The value at `row` as JSON: instants in RFC 3339, lists as arrays, structs as
/// objects; what JSON has no word for (NaN, bytes, decimals) is null or text.
pub fn json_value(array: &dyn Array, row: usize) -> Result<Value, RenderError> {
    Ok(match cell(array, row)? {
        Cell::Null => Value::Null,
        Cell::Bool(it) => it.into(),
        Cell::Int(it) => it.into(),
        Cell::Unsigned(it) => it.into(),
        Cell::Float(it) => it.into(),
        Cell::Text(it) => it.into(),
        Cell::Instant(it) => it.to_string().into(),
        Cell::Plain(it) => it.into(),
        Cell::List(items) => {
            let values = (0..items.len()).map(|it| json_value(&items, it));
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        Cell::Struct(fields, row) => {
            let names = fields.column_names().into_iter().map(str::to_owned);
            let values = fields.columns().iter().map(|it| json_value(it, row));
            let members = names.zip(values).map(|(name, value)| Ok((name, value?)));
            Value::Object(members.collect::<Result<_, RenderError>>()?)
        }
    })
}

fn dictionary_cell(array: &dyn Array, row: usize) -> Result<Cell<'_>, RenderError> {
    let dictionary = array.as_any_dictionary();
    let index = match cell(dictionary.keys(), row)? {
        Cell::Int(it) => usize::try_from(it).ok(),
        Cell::Unsigned(it) => usize::try_from(it).ok(),
        _ => None,
    };
    let values = dictionary.values();
    match index.filter(|it| *it < values.len()) {
        Some(index) => cell(values, index),
        None => Ok(Cell::Null),
    }
}

/// Instants, days, times of day and spans.
fn time_cell(array: &dyn Array, row: usize) -> Result<Cell<'_>, RenderError> {
    use DataType::*;
    let data_type = array.data_type();
    Ok(match data_type {
        Timestamp(unit, _) => instant(ticks(array, row, *unit), *unit),
        Date32 => date(array.as_primitive::<Date32Type>().value(row).into()),
        Date64 => date(array.as_primitive::<Date64Type>().value(row).div_euclid(86_400_000)),
        Time32(TimeUnit::Second) => time_of_day(
            array.as_primitive::<Time32SecondType>().value(row).into(),
            TimeUnit::Second,
        ),
        Time32(_) => {
            let value = array.as_primitive::<Time32MillisecondType>().value(row);
            time_of_day(value.into(), TimeUnit::Millisecond)
        }
        Time64(TimeUnit::Microsecond) => time_of_day(
            array.as_primitive::<Time64MicrosecondType>().value(row),
            TimeUnit::Microsecond,
        ),
        Time64(_) => time_of_day(
            array.as_primitive::<Time64NanosecondType>().value(row),
            TimeUnit::Nanosecond,
        ),
        Duration(unit) => {
            let value = match unit {
                TimeUnit::Second => array.as_primitive::<DurationSecondType>().value(row),
                TimeUnit::Millisecond => array.as_primitive::<DurationMillisecondType>().value(row),
                TimeUnit::Microsecond => array.as_primitive::<DurationMicrosecondType>().value(row),
                TimeUnit::Nanosecond => array.as_primitive::<DurationNanosecondType>().value(row),
            };
            Cell::Plain(duration(value, *unit).to_string())
        }
        Interval(unit) => Cell::Plain(interval(array, row, *unit)),
        _ => {
            return Err(RenderError::UnsupportedType {
                column: String::new(),
                data_type: data_type.clone(),
            });
        }
    })
}

fn ticks(array: &dyn Array, row: usize, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row),
    }
}

/// Ticks outside the years -9999 to 9999 have no calendar form and stay ticks.
fn instant<'a>(ticks: i64, unit: TimeUnit) -> Cell<'a> {
    let instant = match unit {
        TimeUnit::Second => Timestamp::from_second(ticks),
        TimeUnit::Millisecond => Timestamp::from_millisecond(ticks),
        TimeUnit::Microsecond => Timestamp::from_microsecond(ticks),
        TimeUnit::Nanosecond => Timestamp::from_nanosecond(ticks.into()),
    };
    match instant {
        Ok(it) => Cell::Instant(it),
        Err(_) => Cell::Plain(format!("{ticks} {unit}")),
    }
}

fn date<'a>(days: i64) -> Cell<'a> {
    let epoch = civil::date(1970, 1, 1);
    let span = SignedDuration::try_from_hours(days.saturating_mul(24));
    let date = span.and_then(|it| epoch.checked_add(it).ok());
    Cell::Plain(date.map_or_else(|| format!("{days} d"), |it| it.to_string()))
}

fn time_of_day<'a>(ticks: i64, unit: TimeUnit) -> Cell<'a> {
    let time = civil::Time::midnight().checked_add(duration(ticks, unit));
    Cell::Plain(time.map_or_else(|_| format!("{ticks} {unit}"), |it| it.to_string()))
}

fn duration(ticks: i64, unit: TimeUnit) -> SignedDuration {
    match unit {
        TimeUnit::Second => SignedDuration::from_secs(ticks),
        TimeUnit::Millisecond => SignedDuration::from_millis(ticks),
        TimeUnit::Microsecond => SignedDuration::from_micros(ticks),
        TimeUnit::Nanosecond => SignedDuration::from_nanos(ticks),
    }
}

/// An interval in ISO 8601, its months, days and time apart as they are stored.
fn interval(array: &dyn Array, row: usize, unit: IntervalUnit) -> String {
    let (months, days, time) = match unit {
        IntervalUnit::YearMonth => {
            let months = array.as_primitive::<IntervalYearMonthType>().value(row);
            (months, 0, SignedDuration::ZERO)
        }
        IntervalUnit::DayTime => {
            let it = array.as_primitive::<IntervalDayTimeType>().value(row);
            (0, it.days, SignedDuration::from_millis(it.milliseconds.into()))
        }
        IntervalUnit::MonthDayNano => {
            let it = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            (it.months, it.days, SignedDuration::from_nanos(it.nanoseconds))
        }
    };
    let mut text = String::from("P");
    for (count, letter) in [(months, 'M'), (days, 'D')] {
        if count != 0 {
            let _ = write!(text, "{count}{letter}"); // a String takes every write
        }
    }
    if !time.is_zero() || text == "P" {
        let seconds = time.as_nanos() as f64 / 1e9;
        let _ = write!(text, "T{seconds}S");
    }
    text
}

fn widened(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}"); // a String takes every write
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::*;
    use serde_json::json;
    use std::sync::Arc;

    fn shown(array: impl Array + 'static) -> Value {
        json_value(&array, 0).unwrap()
    }

    #[test]
    fn every_kind_of_text_is_the_same_text() {
        let expected = json!("é");
        assert_eq!(shown(StringArray::from(vec!["é"])), expected);
        assert_eq!(shown(LargeStringArray::from(vec!["é"])), expected);
        assert_eq!(shown(StringViewArray::from(vec!["é"])), expected);
        let dictionary: DictionaryArray<Int8Type> = vec!["é"].into_iter().collect();
        assert_eq!(shown(dictionary), expected);
    }

    #[test]
    fn an_instant_is_rfc_3339_utc_whatever_its_unit() {
        let expected = json!("2026-03-01T12:34:56Z");
        assert_eq!(shown(TimestampSecondArray::from(vec![1772368496])), expected);
        assert_eq!(shown(TimestampMillisecondArray::from(vec![1772368496000])), expected);
        let micros = TimestampMicrosecondArray::from(vec![1772368496000000]);
        assert_eq!(shown(micros.clone()), expected);
        assert_eq!(shown(micros.with_timezone("UTC")), expected);
        let nanos = TimestampNanosecondArray::from(vec![1772368496000000001]);
        assert_eq!(shown(nanos), json!("2026-03-01T12:34:56.000000001Z"));
    }

    #[test]
    fn an_instant_beyond_the_calendar_keeps_its_ticks() {
        let edge = TimestampMicrosecondArray::from(vec![i64::MAX]);
        assert_eq!(shown(edge), json!("9223372036854775807 µs"));
        assert_eq!(shown(Date32Array::from(vec![i32::MAX])), json!("2147483647 d"));
        assert_eq!(shown(Time64MicrosecondArray::from(vec![-1])), json!("-1 µs"));
    }

    #[test]
    fn days_times_and_spans_have_their_iso_forms() {
        assert_eq!(shown(Date32Array::from(vec![-1])), json!("1969-12-31"));
        assert_eq!(shown(Date64Array::from(vec![86_400_000])), json!("1970-01-02"));
        assert_eq!(shown(Time32SecondArray::from(vec![3661])), json!("01:01:01"));
        assert_eq!(shown(DurationSecondArray::from(vec![5400])), json!("PT1H30M"));
        let both = IntervalMonthDayNanoType::make_value(2, -3, 1_500_000_000);
        assert_eq!(shown(IntervalMonthDayNanoArray::from(vec![both])), json!("P2M-3DT1.5S"));
        assert_eq!(shown(IntervalYearMonthArray::from(vec![0])), json!("PT0S"));
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(shown(UInt64Array::from(vec![u64::MAX])), json!(u64::MAX));
        assert_eq!(shown(Float32Array::from(vec![0.1])), json!(0.1));
        assert_eq!(shown(Float64Array::from(vec![f64::NAN])), Value::Null);
        let decimal = Decimal128Array::from(vec![-1250]).with_precision_and_scale(10, 3);
        assert_eq!(shown(decimal.unwrap()), json!("-1.250"));
    }

    #[test]
    fn lists_and_structs_nest_and_nulls_stay_null() {
        let ips = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])]);
        let names: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        let fields =
            StructArray::try_from(vec![("ips", Arc::new(ips) as ArrayRef), ("name", names)]);
        assert_eq!(shown(fields.unwrap()), json!({"ips": [1, null], "name": null}));
        assert_eq!(shown(NullArray::new(1)), Value::Null);
    }

    #[test]
    fn bytes_are_hex() {
        assert_eq!(shown(BinaryArray::from(vec![&b"\x00\xfe"[..]])), json!("00fe"));
    }
}
