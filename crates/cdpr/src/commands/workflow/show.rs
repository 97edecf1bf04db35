//! What workflows speak, as JSON for people and scripts.

use cre::messages::values::{BigInt, Value, value};
use evm::alloy::primitives::U256;
use primitives::{Timestamp, hex};
use serde_json::{Value as Json, json};

/// A value as Chainlink's simulator shows it: bytes in base64, instants in ISO 8601; an integer that JSON's
/// readers would round is text.
pub(crate) fn value(value: &Value) -> Json {
    match &value.value {
        None => Json::Null,
        Some(value::Value::StringValue(text)) => json!(text),
        Some(value::Value::BoolValue(yes)) => json!(yes),
        Some(value::Value::BytesValue(bytes)) => json!(base64(bytes)),
        Some(value::Value::MapValue(map)) => {
            map.fields.iter().map(|(key, one)| (key.clone(), self::value(one))).collect()
        }
        Some(value::Value::ListValue(list)) => list.fields.iter().map(self::value).collect(),
        Some(value::Value::DecimalValue(decimal)) => {
            let coefficient = decimal.coefficient.as_ref().map_or_else(|| "0".to_owned(), integer);
            json!(match decimal.exponent {
                0 => coefficient,
                exponent => format!("{coefficient}e{exponent}"),
            })
        }
        Some(value::Value::Int64Value(n)) => json!(n),
        Some(value::Value::Uint64Value(n)) => json!(n),
        Some(value::Value::BigintValue(n)) => {
            let digits = integer(n);
            digits.parse::<i64>().map_or_else(|_| json!(digits), |small| json!(small))
        }
        Some(value::Value::TimeValue(time)) => {
            let seconds = Timestamp(u64::try_from(time.seconds).unwrap_or_default());
            match time.nanos {
                0 => json!(seconds.to_string()),
                nanos => json!(seconds.to_string().replace('Z', &format!(".{nanos:09}Z"))),
            }
        }
        Some(value::Value::Float64Value(x)) if x.is_finite() => json!(x),
        Some(value::Value::Float64Value(x)) => json!(x.to_string()),
    }
}

/// In decimal; in hexadecimal beyond 256 bits.
fn integer(n: &BigInt) -> String {
    let sign = if n.sign < 0 { "-" } else { "" };
    if n.abs_val.len() > 32 {
        return format!("{sign}0x{}", hex(&n.abs_val));
    }
    format!("{sign}{}", U256::from_be_slice(&n.abs_val))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_usize, |word, byte| word << 8 | usize::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for place in 0..4 {
            out.push(if place <= chunk.len() {
                char::from(DIGITS[word >> (18 - 6 * place) & 63])
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_without_loss() {
        let show = |kind| value(&Value { value: Some(kind) }).to_string();
        assert_eq!(show(value::Value::BytesValue(b"ab".to_vec())), r#""YWI=""#);
        assert_eq!(show(value::Value::BytesValue(b"abcd".to_vec())), r#""YWJjZA==""#);
        let big = |bytes: &[u8]| BigInt { abs_val: bytes.to_vec(), sign: -1 };
        assert_eq!(show(value::Value::BigintValue(big(&[1, 0]))), "-256");
        assert_eq!(
            show(value::Value::BigintValue(big(&[0xff; 16]))),
            format!("\"-{}\"", u128::MAX)
        );
        assert_eq!(show(value::Value::Uint64Value(u64::MAX)), u64::MAX.to_string());
        assert_eq!(show(value::Value::Float64Value(f64::NAN)), r#""NaN""#);
        let time = cre::messages::Timestamp { seconds: 0, nanos: 5 };
        assert_eq!(show(value::Value::TimeValue(time)), r#""1970-01-01T00:00:00.000000005Z""#);
    }
}
