//! Canonical JSON: one text for one value (RFC 8785, "JSON Canonicalization Scheme").
//!
//! Names are sorted by their UTF-16 code units and nothing stands between tokens. Numbers are
//! integers of up to 2^53 - 1 either way, or decimals of at most 15 significant digits: all that
//! every parser reads alike, also one that is wrong in the last bit as `serde_json` may be. A
//! decimal with more digits is rounded to 15 first, where RFC 8785 would write up to 17; apart
//! from this rounding the text is that of RFC 8785.

use serde_json::{Map, Number, Value};

/// Integers above are not exact in every parser.
const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Decimals nearer to zero are refused: they would be no quantity that a certificate states.
const DECIMAL_MIN: f64 = 1e-100;
/// Decimals nearer to zero are written with an exponent.
const PLAIN_MIN: f64 = 1e-6;

/// Why a value has no canonical text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// A number that not every parser reads alike.
    #[error("the number {number} cannot be written so that every reader sees the same")]
    Number {
        /// The number.
        number: String,
    },
}

/// The one text of a value.
pub fn canonical(value: &Value) -> Result<String, CanonicalError> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Object(members) => return write_object(members, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Number(it) => out.push_str(&number(it)?),
        // Strings are written as RFC 8785 wants them: only what must be escaped is.
        Value::String(_) | Value::Bool(_) | Value::Null => out.push_str(&value.to_string()),
    }
    Ok(())
}

fn write_object(members: &Map<String, Value>, out: &mut String) -> Result<(), CanonicalError> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    out.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(name.as_str()).to_string());
        out.push(':');
        write(value, out)?;
    }
    out.push('}');
    Ok(())
}

fn number(number: &Number) -> Result<String, CanonicalError> {
    let refused = || CanonicalError::Number { number: number.to_string() };
    if let Some(it) = number.as_i64() {
        return if it.unsigned_abs() <= INTEGER_MAX { Ok(it.to_string()) } else { Err(refused()) };
    }
    let it = number.as_f64().ok_or_else(refused)?;
    if it == 0.0 {
        return Ok("0".to_owned()); // minus zero is zero
    }
    if !(DECIMAL_MIN..=INTEGER_MAX as f64).contains(&it.abs()) {
        return Err(refused());
    }
    let rounded: f64 = format!("{it:.14e}").parse().map_err(|_| refused())?;
    Ok(if rounded.abs() < PLAIN_MIN { format!("{rounded:e}") } else { rounded.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn text(json: &str) -> String {
        canonical(&serde_json::from_str(json).expect("JSON")).expect("canonical")
    }

    #[test]
    fn names_are_sorted_at_every_depth_and_nothing_stands_between() {
        let given = r#" { "b" : [ 1 , { "z":null, "a":true } ] , "a" : "x y" } "#;
        assert_eq!(text(given), r#"{"a":"x y","b":[1,{"a":true,"z":null}]}"#);
    }

    #[test]
    fn names_are_sorted_by_utf_16_code_units_as_in_rfc_8785() {
        // The example of its section 3.2.3: an astral sign comes before U+FB33.
        let given =
            r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        assert_eq!(
            text(given),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn strings_are_escaped_only_where_they_must_be() {
        // The example of RFC 8785, section 3.2.2.2.
        let given = r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#;
        assert_eq!(text(given), r#""€$\u000f\nA'B\"\\\\\"/""#);
    }

    #[test]
    fn numbers_have_one_text() {
        for (given, wanted) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("-12", "-12"),
            ("4.50", "4.5"),
            ("2e-3", "0.002"),
            ("0.01", "0.01"),
            ("0.000001", "0.000001"),
            ("1.5e-7", "1.5e-7"),
            ("9007199254740991", "9007199254740991"),
            ("3600.123456", "3600.123456"),
            ("0.1234567890123456789", "0.123456789012346"),
        ] {
            assert_eq!(text(given), wanted, "{given}");
        }
    }

    #[test]
    fn numbers_that_readers_may_disagree_on_are_refused() {
        for given in ["9007199254740992", "-9007199254740992", "1e17", "1e300", "1e-200"] {
            let value: Value = serde_json::from_str(given).expect("JSON");
            assert!(canonical(&value).is_err(), "{given}");
        }
        assert!(canonical(&json!(u64::MAX)).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let decimals = prop_oneof![-1e15..1e15, -1.0..1.0, -1e-9..1e-9];
        let leaves = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(Value::from),
            decimals.prop_map(Value::from),
        ];
        leaves.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|it| Value::Object(it.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_written_the_same(value in values()) {
            let first = canonical(&value).expect("canonical");
            let again: Value = serde_json::from_str(&first).expect("JSON");
            prop_assert_eq!(canonical(&again).expect("canonical"), first);
        }
    }
}
