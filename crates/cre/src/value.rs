//! CRE's values, and how Rust's types become them.
//!
//! Signed and short integers are `int64`, `u64` is `uint64`, what is wider is a `bigint`; bytes, text, time,
//! lists and maps are themselves, and `()` is the value of no kind. [`record!`](crate::record) does structs.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use prost_types::Timestamp;

use crate::messages::values::{BigInt, Decimal, List, Map};

pub use crate::messages::values::Value;
pub use crate::messages::values::value::Value as Kind;

/// A value is of another kind than expected, or out of the type's range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a value that is {expected}, got {got}")]
pub struct ValueError {
    /// What was expected.
    pub expected: &'static str,
    /// The kind found.
    pub got: &'static str,
}

impl Value {
    /// The value of no kind, Go's `nil`.
    pub const NOTHING: Self = Self { value: None };

    /// A list.
    pub fn list<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        let fields = items.into_iter().map(Into::into).collect();
        Kind::ListValue(List { fields }).into()
    }

    /// A map.
    pub fn map<K: Into<String>, T: Into<Self>>(fields: impl IntoIterator<Item = (K, T)>) -> Self {
        let fields = fields.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Kind::MapValue(Map { fields }).into()
    }

    /// The field of a map, taken out of it.
    ///
    /// # Errors
    /// [`ValueError`] if there is no such field, or this is no map.
    pub fn take_field(&mut self, name: &str) -> Result<Self, ValueError> {
        let expected = "a map with the field asked for";
        let Some(Kind::MapValue(map)) = &mut self.value else {
            return Err(ValueError { expected, got: self.kind_name() });
        };
        map.fields.remove(name).ok_or(ValueError { expected, got: "a map without it" })
    }

    fn kind_name(&self) -> &'static str {
        match &self.value {
            None => "nothing",
            Some(Kind::StringValue(_)) => "text",
            Some(Kind::BoolValue(_)) => "a bool",
            Some(Kind::BytesValue(_)) => "bytes",
            Some(Kind::MapValue(_)) => "a map",
            Some(Kind::ListValue(_)) => "a list",
            Some(Kind::DecimalValue(_)) => "a decimal",
            Some(Kind::Int64Value(_)) => "an int64",
            Some(Kind::BigintValue(_)) => "a bigint",
            Some(Kind::TimeValue(_)) => "a time",
            Some(Kind::Float64Value(_)) => "a float64",
            Some(Kind::Uint64Value(_)) => "a uint64",
        }
    }
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        Self { value: Some(kind) }
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::NOTHING
    }
}

impl TryFrom<Value> for () {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        if value.value.is_none() {
            return Ok(());
        }
        Err(ValueError { expected: "nothing", got: value.kind_name() })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Kind::StringValue(text.to_owned()).into()
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Kind::BytesValue(bytes.to_owned()).into()
    }
}

impl From<u128> for Value {
    fn from(number: u128) -> Self {
        BigInt::from(number).into()
    }
}

impl From<i128> for Value {
    fn from(number: i128) -> Self {
        BigInt::from(number).into()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NOTHING, Into::into)
    }
}

/// Types with a kind of their own.
macro_rules! kinds {
    ($($type:ty = $kind:ident, $expected:literal;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Kind::$kind(value).into()
            }
        }

        impl TryFrom<Value> for $type {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<Self, ValueError> {
                match value.value {
                    Some(Kind::$kind(inner)) => Ok(inner),
                    other => Err(ValueError {
                        expected: $expected,
                        got: Value { value: other }.kind_name(),
                    }),
                }
            }
        }
    )*};
}

kinds! {
    String = StringValue, "text";
    bool = BoolValue, "a bool";
    Vec<u8> = BytesValue, "bytes";
    f64 = Float64Value, "a float64";
    i64 = Int64Value, "an int64";
    u64 = Uint64Value, "a uint64";
    Timestamp = TimeValue, "a time";
    BigInt = BigintValue, "a bigint";
    Decimal = DecimalValue, "a decimal";
    List = ListValue, "a list";
    Map = MapValue, "a map";
}

/// Integers that fit into an `int64`.
macro_rules! short_integers {
    ($($type:ty = $expected:literal;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Kind::Int64Value(value.into()).into()
            }
        }

        impl TryFrom<Value> for $type {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<Self, ValueError> {
                let wide = i64::try_from(value)?;
                wide.try_into().map_err(|_| ValueError {
                    expected: $expected,
                    got: "an int64 out of range",
                })
            }
        }
    )*};
}

short_integers! {
    i8 = "an 8-bit integer";
    i16 = "a 16-bit integer";
    i32 = "a 32-bit integer";
    u8 = "an 8-bit unsigned integer";
    u16 = "a 16-bit unsigned integer";
    u32 = "a 32-bit unsigned integer";
}

/// Lists of one type. `Vec<u8>` is bytes, so there is no impl for all `T`.
macro_rules! lists {
    ($($type:ty),*) => {$(
        impl From<Vec<$type>> for Value {
            fn from(items: Vec<$type>) -> Self {
                Self::list(items)
            }
        }

        impl TryFrom<Value> for Vec<$type> {
            type Error = ValueError;

            fn try_from(value: Value) -> Result<Self, ValueError> {
                let list = List::try_from(value)?;
                list.fields.into_iter().map(<$type>::try_from).collect()
            }
        }
    )*};
}

lists!(String, bool, Vec<u8>, f64, i32, u32, i64, u64, Timestamp, BigInt);

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::list(items)
    }
}

impl TryFrom<Value> for Vec<Value> {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        Ok(List::try_from(value)?.fields)
    }
}

impl From<BTreeMap<String, Self>> for Value {
    fn from(fields: BTreeMap<String, Self>) -> Self {
        Kind::MapValue(Map { fields }).into()
    }
}

impl TryFrom<Value> for BTreeMap<String, Value> {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        Ok(Map::try_from(value)?.fields)
    }
}

impl From<u128> for BigInt {
    fn from(number: u128) -> Self {
        let bytes = number.to_be_bytes();
        let n_zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Self { abs_val: bytes[n_zeros..].to_vec(), sign: i64::from(number != 0) }
    }
}

impl From<u64> for BigInt {
    fn from(number: u64) -> Self {
        u128::from(number).into()
    }
}

impl From<i128> for BigInt {
    fn from(number: i128) -> Self {
        let sign = match number.cmp(&0) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        };
        Self { sign, ..number.unsigned_abs().into() }
    }
}

impl TryFrom<BigInt> for u128 {
    type Error = ValueError;

    /// Leading zero bytes are allowed; a sign of zero means zero.
    fn try_from(number: BigInt) -> Result<Self, ValueError> {
        let expected = "an unsigned 128-bit integer";
        let magnitude = magnitude(&number).ok_or(ValueError { expected, got: "a longer one" })?;
        if number.sign < 0 && magnitude != 0 {
            return Err(ValueError { expected, got: "a negative one" });
        }
        Ok(magnitude)
    }
}

impl TryFrom<BigInt> for i128 {
    type Error = ValueError;

    fn try_from(number: BigInt) -> Result<Self, ValueError> {
        let error = ValueError { expected: "a 128-bit integer", got: "a longer one" };
        let Some(magnitude) = magnitude(&number) else {
            return Err(error);
        };
        let signed = if number.sign < 0 {
            0i128.checked_sub_unsigned(magnitude)
        } else {
            0i128.checked_add_unsigned(magnitude)
        };
        signed.ok_or(error)
    }
}

impl TryFrom<Value> for u128 {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        BigInt::try_from(value)?.try_into()
    }
}

impl TryFrom<Value> for i128 {
    type Error = ValueError;

    fn try_from(value: Value) -> Result<Self, ValueError> {
        BigInt::try_from(value)?.try_into()
    }
}

/// Solidity's widest integers. Bytes of a magnitude are big-endian, and leading zeros are allowed.
#[cfg(feature = "abi")]
mod wide {
    use alloy_primitives::{I256, Sign, U256};

    use super::{BigInt, Value, ValueError};

    fn magnitude(number: &BigInt) -> Option<U256> {
        if number.sign == 0 {
            return Some(U256::ZERO);
        }
        let n_zeros = number.abs_val.iter().take_while(|byte| **byte == 0).count();
        U256::try_from_be_slice(&number.abs_val[n_zeros..])
    }

    impl From<U256> for BigInt {
        fn from(number: U256) -> Self {
            Self { abs_val: number.to_be_bytes_trimmed_vec(), sign: i64::from(!number.is_zero()) }
        }
    }

    impl From<I256> for BigInt {
        fn from(number: I256) -> Self {
            let (sign, magnitude) = number.into_sign_and_abs();
            let big = Self::from(magnitude);
            Self { sign: if sign == Sign::Negative { -big.sign } else { big.sign }, ..big }
        }
    }

    impl TryFrom<BigInt> for U256 {
        type Error = ValueError;

        fn try_from(number: BigInt) -> Result<Self, ValueError> {
            let expected = "an unsigned 256-bit integer";
            let magnitude =
                magnitude(&number).ok_or(ValueError { expected, got: "a longer one" })?;
            if number.sign < 0 && !magnitude.is_zero() {
                return Err(ValueError { expected, got: "a negative one" });
            }
            Ok(magnitude)
        }
    }

    impl TryFrom<BigInt> for I256 {
        type Error = ValueError;

        fn try_from(number: BigInt) -> Result<Self, ValueError> {
            let sign = if number.sign < 0 { Sign::Negative } else { Sign::Positive };
            magnitude(&number)
                .and_then(|magnitude| Self::checked_from_sign_and_abs(sign, magnitude))
                .ok_or(ValueError { expected: "a 256-bit integer", got: "a longer one" })
        }
    }

    macro_rules! values {
        ($($type:ty),*) => { $(
            impl From<$type> for Value {
                fn from(number: $type) -> Self {
                    BigInt::from(number).into()
                }
            }

            impl TryFrom<Value> for $type {
                type Error = ValueError;

                fn try_from(value: Value) -> Result<Self, ValueError> {
                    BigInt::try_from(value)?.try_into()
                }
            }
        )* };
    }
    values!(U256, I256);

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_ends_of_the_range_come_back_and_what_is_beyond_does_not() {
            for number in [U256::ZERO, U256::ONE, U256::from(u128::MAX) + U256::ONE, U256::MAX] {
                assert_eq!(U256::try_from(Value::from(number)), Ok(number));
            }
            for number in [I256::MIN, I256::MINUS_ONE, I256::ZERO, I256::ONE, I256::MAX] {
                assert_eq!(I256::try_from(Value::from(number)), Ok(number));
            }
            let beyond = |sign, abs_val| BigInt { abs_val, sign };
            let long = [vec![1], vec![0; 32]].concat();
            let half = [vec![0x80], vec![0; 31]].concat();
            assert!(U256::try_from(beyond(1, long.clone())).is_err());
            assert!(U256::try_from(beyond(-1, vec![1])).is_err());
            assert!(I256::try_from(beyond(1, half.clone())).is_err());
            assert_eq!(I256::try_from(beyond(-1, half)), Ok(I256::MIN));
            let zeros = [vec![0; 40], vec![7]].concat();
            assert_eq!(U256::try_from(beyond(1, zeros)), Ok(U256::from(7)));
            assert_eq!(U256::try_from(beyond(0, long)), Ok(U256::ZERO));
        }
    }
}

/// None if it does not fit. Sign 0 means zero, whatever the bytes.
fn magnitude(number: &BigInt) -> Option<u128> {
    if number.sign == 0 {
        return Some(0);
    }
    let n_zeros = number.abs_val.iter().take_while(|byte| **byte == 0).count();
    let bytes = &number.abs_val[n_zeros..];
    let mut wide = [0u8; 16];
    let start = wide.len().checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(u128::from_be_bytes(wide))
}

/// Declares a struct that crosses into CRE's values as a map, and back.
///
/// A field's key is its name, or the text after `as`: what the Go SDK writes is the Go field's name.
///
/// ```
/// cre::record! {
///     /// What a node saw.
///     #[derive(Debug, Clone, PartialEq)]
///     pub struct Quote {
///         /// In dollars.
///         pub price: f64 as "Price",
///         /// Who said so.
///         pub source: String,
///     }
/// }
///
/// let quote = Quote { price: 42.0, source: "a".into() };
/// let value = cre::Value::from(quote.clone());
/// assert_eq!(Quote::try_from(value).unwrap(), quote);
/// ```
#[macro_export]
macro_rules! record {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $type:ty $(as $key:literal)?),* $(,)?
        }
    ) => {
        $(#[$attribute])*
        $visibility struct $name {
            $($(#[$field_attribute])* $field_visibility $field: $type),*
        }

        impl From<$name> for $crate::Value {
            fn from(record: $name) -> Self {
                Self::map([$(($crate::record!(@key $field $($key)?), Self::from(record.$field))),*])
            }
        }

        impl TryFrom<$crate::Value> for $name {
            type Error = $crate::Error;

            fn try_from(mut value: $crate::Value) -> Result<Self, $crate::Error> {
                Ok(Self {
                    $($field: <$type>::try_from(value.take_field($crate::record!(@key $field $($key)?))?)?),*
                })
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_take_the_kind_that_go_gives_them() {
        assert_eq!(Value::from(-5i32), Kind::Int64Value(-5).into());
        assert_eq!(Value::from(5u32), Kind::Int64Value(5).into());
        assert_eq!(Value::from(u64::MAX), Kind::Uint64Value(u64::MAX).into());
        let big = BigInt { abs_val: vec![1, 0], sign: 1 };
        assert_eq!(Value::from(256u128), Kind::BigintValue(big).into());
        let negative = BigInt { abs_val: vec![1, 0], sign: -1 };
        assert_eq!(Value::from(-256i128), Kind::BigintValue(negative).into());
    }

    #[test]
    fn zero_is_a_bigint_without_bytes_and_without_sign() {
        assert_eq!(BigInt::from(0u128), BigInt { abs_val: vec![], sign: 0 });
    }

    #[test]
    fn nothing_and_none_have_no_kind() {
        assert_eq!(Value::from(()), Value::NOTHING);
        assert_eq!(Value::from(None::<i64>), Value::NOTHING);
    }

    #[test]
    fn another_kind_or_range_is_refused_by_name() {
        let error = i64::try_from(Value::from("five")).unwrap_err();
        assert_eq!(error.to_string(), "expected a value that is an int64, got text");
        assert!(u8::try_from(Value::from(256i64)).is_err());
        assert!(u128::try_from(Value::from(-1i128)).is_err());
        assert!(u128::try_from(BigInt { abs_val: vec![1; 17], sign: 1 }).is_err());
        assert!(i128::try_from(BigInt::from(u128::MAX)).is_err());
        assert!(Vec::<String>::try_from(Value::list(["a", "b"])).is_ok());
        assert!(Vec::<String>::try_from(Value::list([1i64])).is_err());
    }

    proptest! {
        #[test]
        fn wide_integers_come_back(number: i128, unsigned: u128) {
            prop_assert_eq!(i128::try_from(Value::from(number)), Ok(number));
            prop_assert_eq!(u128::try_from(Value::from(unsigned)), Ok(unsigned));
        }

        #[test]
        fn any_bigint_is_a_number_or_a_typed_error(abs_val in prop::collection::vec(any::<u8>(), 0..20), sign: i64) {
            let number = BigInt { abs_val, sign };
            let _either = (u128::try_from(number.clone()).is_ok(), i128::try_from(number).is_ok());
        }
    }
}
