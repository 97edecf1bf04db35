//! One table per group of keys: the struct, its defaults, its ranges and what `--explain` prints come from
//! the same lines, so that they cannot disagree.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::units::{Quantity, Raw};

/// A key of a spec.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Where it stands, `issuer.supply`.
    pub path: &'static str,
    /// What kind of quantity it is, with an example.
    pub unit: &'static str,
    /// The default, as a file would hold it.
    pub default: &'static str,
    /// Least and greatest value, in shares, dollars, seconds, or per hour.
    pub range: (f64, f64),
    /// What it means.
    pub meaning: &'static str,
    /// Where the default comes from: a section of the book, a paper, a protocol's code, or "assumed".
    pub source: &'static str,
}

/// Reads one value of a group and names its key when it cannot.
pub(crate) struct Keyed<T>(pub(crate) &'static str, pub(crate) PhantomData<T>);

impl<'de, T: Quantity> DeserializeSeed<'de> for Keyed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        let raw = deserializer.deserialize_any(RawVisitor)?;
        T::read(&raw).map_err(|error| D::Error::custom(format_args!("{}: {error}", self.0)))
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity")
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Raw, E> {
        i64::try_from(number).map(Raw::Integer).map_err(E::custom)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Float(number))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(flag))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.again())? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }
}

impl RawVisitor {
    fn again(&self) -> RawSeed {
        RawSeed
    }
}

struct RawSeed;

impl<'de> DeserializeSeed<'de> for RawSeed {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
        }
    }
}

/// A value of a group by the number its range is stated in, for [`crate::validate`].
pub(crate) struct Checked {
    pub(crate) field: &'static Field,
    pub(crate) values: Vec<f64>,
    pub(crate) written: Raw,
}

/// A value that an enumeration of names can have: reads and writes as its name.
macro_rules! names {
    ($(#[$meta:meta])* $type:ident, $expected:literal { $($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$doc])* $variant,)+
        }

        impl $type {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As a file writes it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl crate::units::Quantity for $type {
            const EXPECTED: &'static str = $expected;

            fn read(raw: &crate::units::Raw) -> Result<Self, crate::units::UnitError> {
                let found = Self::ALL.iter().find(|value| *raw == crate::units::Raw::Text(value.name().to_owned()));
                found.copied().ok_or_else(|| crate::units::UnitError::NotA {
                    found: raw.to_string(), expected: $expected,
                })
            }

            fn write(&self) -> crate::units::Raw {
                crate::units::Raw::Text(self.name().to_owned())
            }

            fn each(&self) -> Vec<f64> {
                Vec::new()
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::DeserializeSeed as _;
                crate::fields::Keyed(stringify!($type), core::marker::PhantomData).deserialize(deserializer)
            }
        }
    };
}

/// A group of keys: each line is `name: type = "default as written", min ..= max, "meaning", "source";`.
macro_rules! group {
    ($(#[$meta:meta])* $type:ident at $prefix:literal {
        $($field:ident: $kind:ty = $default:expr, $min:expr, $max:expr, $meaning:literal, $source:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $type {
            $(#[doc = $meaning] pub $field: $kind,)*
        }

        impl $type {
            /// Its keys, in order.
            pub const FIELDS: &'static [crate::fields::Field] = &[$(crate::fields::Field {
                path: concat!($prefix, ".", stringify!($field)),
                unit: <$kind as crate::units::Quantity>::EXPECTED,
                default: stringify!($default),
                range: ($min as f64, $max as f64),
                meaning: $meaning,
                source: $source,
            },)*];

            #[allow(dead_code, unused_mut, reason = "one macro, groups with and without keys")]
            pub(crate) fn checked(&self) -> Vec<crate::fields::Checked> {
                let values: Vec<(Vec<f64>, crate::units::Raw)> = vec![$((
                    crate::units::Quantity::each(&self.$field), crate::units::Quantity::write(&self.$field),
                ),)*];
                Self::FIELDS.iter().zip(values)
                    .map(|(field, (values, written))| crate::fields::Checked { field, values, written })
                    .collect()
            }
        }

        impl Default for $type {
            fn default() -> Self {
                Self {
                    $($field: <$kind as crate::units::Quantity>::read(&crate::fields::raw($default))
                        .expect("a default is read in a test"),)*
                }
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[allow(unused_imports, reason = "one macro, groups with and without keys")]
                use serde::ser::SerializeMap as _;
                #[allow(unused_mut, reason = "one macro, groups with and without keys")]
                let mut map = serializer.serialize_map(Some(Self::FIELDS.len()))?;
                $(map.serialize_entry(stringify!($field), &crate::units::Quantity::write(&self.$field))?;)*
                map.end()
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Group;
                impl<'de> serde::de::Visitor<'de> for Group {
                    type Value = $type;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str(concat!("the keys of ", $prefix))
                    }

                    #[allow(unused_mut, unreachable_code, reason = "one macro, groups with and without keys")]
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$type, A::Error> {
                        const NAMES: &[&str] = &[$(stringify!($field)),*];
                        let mut group = $type::default();
                        let mut seen: Vec<String> = Vec::new();
                        while let Some(key) = map.next_key::<String>()? {
                            if seen.contains(&key) {
                                return Err(<A::Error as serde::de::Error>::custom(
                                    format_args!("{}.{key} is given twice", $prefix)));
                            }
                            match key.as_str() {
                                $(stringify!($field) => group.$field = map.next_value_seed(crate::fields::Keyed::<$kind>(
                                    concat!($prefix, ".", stringify!($field)), core::marker::PhantomData))?,)*
                                unknown => return Err(<A::Error as serde::de::Error>::unknown_field(unknown, NAMES)),
                            }
                            seen.push(key);
                        }
                        Ok(group)
                    }
                }
                deserializer.deserialize_map(Group)
            }
        }
    };
}

pub(crate) use {group, names};

/// What a default stands for in a file.
pub(crate) fn raw(default: impl Into<Raw>) -> Raw {
    default.into()
}

impl From<&str> for Raw {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Raw {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Raw {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Raw {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl<const N: usize> From<[&str; N]> for Raw {
    fn from(items: [&str; N]) -> Self {
        Self::List(items.into_iter().map(Self::from).collect())
    }
}
