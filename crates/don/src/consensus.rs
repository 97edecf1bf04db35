//! `consensus@1.0.0-alpha`: one value out of many observations, and the DON's signature under a payload.
//!
//! How observations become one value, with f of them worth nothing:
//!
//! | aggregation | value | observations needed |
//! |---|---|---|
//! | MEDIAN | the middle one by value, of an even number the **lower** middle | 2f + 1 of one numeric kind |
//! | IDENTICAL | the one that f + 1 share | f + 1 equal |
//! | COMMON_PREFIX, COMMON_SUFFIX | the longest run of items that f + 1 lists share | f + 1 lists |
//! | FREQUENCY_LIST | every value with its count, most frequent first, then by encoding | f + 1 |
//! | fields map | each named field by its own rule; what is not named is dropped | each field's |
//!
//! Where two outcomes would do there is none. Kinds are never mixed: 1 and 1.0 are different. A field that
//! fails takes its default, if the default has the field; a single aggregation that fails takes the default
//! whole. Without one, and if f + 1 nodes failed, their failure is the outcome.
//!
//! Source: the observable behaviour of Chainlink's consensus capability (its public tests, August 2026). It is
//! about to raise MEDIAN from f + 1 observations to 2f + 1; this is the raised form, the only one in which f
//! liars cannot push the median beyond what honest nodes saw. Not public, and so ours: lists that share
//! nothing give the empty list, and a decimal takes part up to 64 bytes and an exponent of ±1,000.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use cre::messages::sdk::{
    AggregationType, CapabilityRequest, ConsensusDescriptor, FieldsMap, ReportRequest,
    SimpleConsensusInputs, consensus_descriptor::Descriptor, simple_consensus_inputs::Observation,
};
use cre::messages::values::{BigInt, Decimal, List, Map, Value, value::Value as Kind};
use cre::messages::{Any, pack, unpack};
use prost::Message as _;

use crate::{Agreement, CapabilityError, Code, Don, Stamp};

/// The capability's id.
pub const ID: &str = "consensus@1.0.0-alpha";
/// Method: one value out of the nodes' observations.
pub const SIMPLE: &str = "Simple";
/// Method: the DON's signatures under a payload.
pub const REPORT: &str = "Report";

/// Longest coefficient of a decimal that takes part, bytes.
const COEFFICIENT_LEN_MAX: usize = 64;
/// Largest exponent of a decimal that takes part, either way.
const EXPONENT_MAX: u32 = 1_000;

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsensusError {
    /// Too few nodes brought anything.
    #[error("insufficient observations ({found}) to meet minimum ({needed})")]
    Insufficient {
        /// How many did.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Enough observations, of too many kinds.
    #[error("no single value type meets the threshold of {needed} observations")]
    NoKind {
        /// How many of one kind it takes.
        needed: usize,
    },
    /// No value is shared by enough nodes.
    #[error("no value is shared by {needed} observations")]
    NoneShared {
        /// How many it takes.
        needed: usize,
    },
    /// Two outcomes are as good as each other.
    #[error("more than one valid outcome")]
    Ambiguous,
    /// The median of something that has no order.
    #[error("unsupported type for median aggregation: {kind}")]
    NoOrder {
        /// What.
        kind: &'static str,
    },
    /// The descriptor names no aggregation that is known.
    #[error("unknown aggregation type")]
    UnknownAggregation,
    /// A field has no value and no default.
    #[error("aggregation for field failed '{field}': {reason}")]
    Field {
        /// The first such field, by name.
        field: String,
        /// Why.
        reason: Box<Self>,
    },
}

impl ConsensusError {
    const fn code(&self) -> Code {
        match self {
            Self::Insufficient { .. } => Code::InsufficientObservations,
            Self::NoOrder { .. } | Self::UnknownAggregation => Code::InvalidArgument,
            Self::NoKind { .. }
            | Self::NoneShared { .. }
            | Self::Ambiguous
            | Self::Field { .. } => Code::ConsensusFailed,
        }
    }
}

/// The part of a request that nodes must make alike: all of it, but for an observation.
pub(crate) fn agreed_part(request: &CapabilityRequest) -> CapabilityRequest {
    let mut request = request.clone();
    if request.id == ID
        && request.method == SIMPLE
        && let Some(payload) = &request.payload
        && let Ok(mut inputs) = unpack::<SimpleConsensusInputs>(payload)
    {
        inputs.observation = None;
        request.payload = Some(pack(&inputs));
    }
    request
}

/// One round of consensus, on requests that a quorum made.
pub(crate) struct Round<'a> {
    pub(crate) don: &'a Don,
    /// How many of the observations may be worth nothing.
    pub(crate) f: usize,
    pub(crate) stamp: &'a Stamp,
    pub(crate) voters: &'a [usize],
}

impl Round<'_> {
    /// `requests` are the voters', one each or, from a TEE, one for all.
    pub(crate) fn answer(
        &self,
        method: &str,
        requests: &[&CapabilityRequest],
    ) -> Result<Any, CapabilityError> {
        match method {
            SIMPLE => {
                let inputs: Vec<SimpleConsensusInputs> = requests
                    .iter()
                    .map(|request| request.payload.as_ref().map(unpack))
                    .collect::<Option<Result<_, _>>>()
                    .and_then(Result::ok)
                    .ok_or_else(|| malformed("the inputs of a consensus"))?;
                Ok(pack(&simple(&inputs, self.f)?))
            }
            REPORT => {
                let asked: ReportRequest = requests
                    .first()
                    .and_then(|request| unpack(request.payload.as_ref()?).ok())
                    .ok_or_else(|| malformed("a request for a report"))?;
                self.report(asked)
            }
            other => {
                let message = format!("method {other} not found in capability {ID}");
                Err(CapabilityError::user(Code::Unimplemented, message))
            }
        }
    }

    fn report(&self, asked: ReportRequest) -> Result<Any, CapabilityError> {
        let ReportRequest { encoded_payload, encoder_name, signing_algo, hashing_algo } = asked;
        let form = (encoder_name.as_str(), signing_algo.as_str(), hashing_algo.as_str());
        if form != ("evm", "ecdsa", "keccak256") {
            let (encoder, signing, hashing) = form;
            let message = format!(
                "a report encoded for {encoder:?}, signed by {signing:?} over {hashing:?}: \
                 only evm, ecdsa and keccak256 are supported"
            );
            return Err(CapabilityError::user(Code::Unimplemented, message));
        }
        let agreement = Agreement { value: encoded_payload, voters: self.voters.to_vec() };
        Ok(pack(&self.don.sign(&agreement, self.stamp).response()))
    }
}

fn malformed(what: &str) -> CapabilityError {
    CapabilityError::user(Code::InvalidArgument, format!("{what} do not decode"))
}

/// One value out of what nodes observed or failed to. Descriptors and defaults are equal in all `inputs`.
///
/// # Errors
/// The nodes' own failure, if more than `f` failed; else a [`ConsensusError`] in a capability's words.
pub fn simple(inputs: &[SimpleConsensusInputs], f: usize) -> Result<Value, CapabilityError> {
    let Some(SimpleConsensusInputs { descriptors, default, .. }) = inputs.first() else {
        let error = ConsensusError::Insufficient { found: 0, needed: f + 1 };
        return Err(CapabilityError::user(error.code(), error.to_string()));
    };
    let mut values = Vec::new();
    let mut failures: BTreeMap<&str, usize> = BTreeMap::new();
    for SimpleConsensusInputs { observation, .. } in inputs {
        match observation {
            Some(Observation::Value(value)) => values.push(value),
            Some(Observation::Error(reason)) => *failures.entry(reason).or_default() += 1,
            None => {}
        }
    }
    let default = default.as_ref().filter(|default| default.value.is_some());
    let Some(descriptor) = descriptors else {
        let error = ConsensusError::UnknownAggregation;
        return Err(CapabilityError::user(error.code(), error.to_string()));
    };
    match aggregate(&values, descriptor, default, f) {
        Ok(value) => Ok(value),
        Err(error) => {
            if let Some(default) = default {
                return Ok(default.clone());
            }
            let n_failures: usize = failures.values().sum();
            // The most frequent reason; of equally frequent ones the first in the alphabet.
            let reason = failures.iter().rev().max_by_key(|(_, n)| **n).map(|(reason, _)| *reason);
            match reason {
                Some(reason) if n_failures > f => {
                    Err(CapabilityError::user(Code::ConsensusFailed, reason))
                }
                Some(_) | None => Err(CapabilityError::user(error.code(), error.to_string())),
            }
        }
    }
}

/// Aggregates observations, of which `f` may be worth nothing, in whatever order they come.
///
/// # Errors
/// [`ConsensusError`]; of several failing fields the first by name.
pub fn aggregate(
    observations: &[&Value],
    descriptor: &ConsensusDescriptor,
    default: Option<&Value>,
    f: usize,
) -> Result<Value, ConsensusError> {
    match &descriptor.descriptor {
        Some(Descriptor::FieldsMap(fields)) => fields_map(observations, fields, default, f),
        Some(Descriptor::Aggregation(kind)) => {
            match AggregationType::try_from(*kind).unwrap_or(AggregationType::Unspecified) {
                AggregationType::Median => median(observations, f),
                AggregationType::Identical => identical(observations, f),
                AggregationType::CommonPrefix => common(observations, f, false),
                AggregationType::CommonSuffix => common(observations, f, true),
                AggregationType::FrequencyList => frequencies(observations, f),
                AggregationType::Unspecified => Err(ConsensusError::UnknownAggregation),
            }
        }
        None => Err(ConsensusError::UnknownAggregation),
    }
}

fn median(observations: &[&Value], f: usize) -> Result<Value, ConsensusError> {
    let needed = 2 * f + 1;
    enough(observations.len(), needed)?;
    let mut kinds: BTreeMap<&'static str, Vec<(&Value, &Kind)>> = BTreeMap::new();
    for value in observations {
        if let Some(kind) = &value.value {
            kinds.entry(name(kind)).or_default().push((value, kind));
        }
    }
    let mut ready = kinds.into_iter().filter(|(_, values)| needed <= values.len());
    let Some((kind, values)) = ready.next() else {
        return Err(ConsensusError::NoKind { needed });
    };
    if ready.next().is_some() {
        return Err(ConsensusError::Ambiguous);
    }
    let mut values: Vec<(&Value, Number<'_>)> = values
        .into_iter()
        .filter_map(|(value, inner)| Some((value, Number::of(inner)?.ok()?)))
        .collect();
    if values.is_empty() && !matches!(kind, "decimal" | "bigint" | "time") {
        return Err(ConsensusError::NoOrder { kind });
    }
    enough(values.len(), needed)?;
    // Equal numbers may be written differently; the encoding settles which is returned.
    values.sort_by(|(a, left), (b, right)| {
        left.compare(right).then_with(|| a.encode_to_vec().cmp(&b.encode_to_vec()))
    });
    Ok(values[(values.len() - 1) / 2].0.clone())
}

fn identical(observations: &[&Value], f: usize) -> Result<Value, ConsensusError> {
    enough(observations.len(), f + 1)?;
    let mut shared = tally(observations).into_iter().filter(|(_, (n, _))| f < *n);
    match (shared.next(), shared.next()) {
        (Some((_, (_, value))), None) => Ok(value.clone()),
        (Some(_), Some(_)) => Err(ConsensusError::Ambiguous),
        (None, _) => Err(ConsensusError::NoneShared { needed: f + 1 }),
    }
}

/// The longest run of items, from the front or the back, that more than f lists share.
fn common(observations: &[&Value], f: usize, from_back: bool) -> Result<Value, ConsensusError> {
    enough(observations.len(), f + 1)?;
    let mut lists: Vec<Vec<&Value>> = observations
        .iter()
        .filter_map(|value| match &value.value {
            Some(Kind::ListValue(List { fields })) => Some(fields.iter().collect()),
            Some(_) | None => None,
        })
        .collect();
    enough(lists.len(), f + 1)?;
    if from_back {
        lists.iter_mut().for_each(|list| list.reverse());
    }
    let mut shared: Vec<Value> = Vec::new();
    loop {
        let depth = shared.len();
        let items: Vec<&Value> = lists.iter().filter_map(|list| list.get(depth)).copied().collect();
        let mut next = tally(&items).into_iter().filter(|(_, (n, _))| f < *n);
        match (next.next(), next.next()) {
            (Some((bytes, (_, item))), None) => {
                let item = item.clone();
                lists.retain(|list| {
                    list.get(depth).is_some_and(|other| other.encode_to_vec() == bytes)
                });
                shared.push(item);
            }
            (Some(_), Some(_)) => return Err(ConsensusError::Ambiguous),
            (None, _) => break,
        }
    }
    if from_back {
        shared.reverse();
    }
    Ok(Value { value: Some(Kind::ListValue(List { fields: shared })) })
}

fn frequencies(observations: &[&Value], f: usize) -> Result<Value, ConsensusError> {
    enough(observations.len(), f + 1)?;
    let mut counts: Vec<(usize, &Value)> = tally(observations).into_values().collect();
    // Stable: equally frequent values stay in the order of their encodings.
    counts.sort_by(|(left, _), (right, _)| right.cmp(left));
    let fields = counts.into_iter().map(|(n, value)| {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let count = Value { value: Some(Kind::Int64Value(n)) };
        let fields = [("count".to_owned(), count), ("value".to_owned(), value.clone())].into();
        Value { value: Some(Kind::MapValue(Map { fields })) }
    });
    Ok(Value { value: Some(Kind::ListValue(List { fields: fields.collect() })) })
}

fn fields_map(
    observations: &[&Value],
    descriptors: &FieldsMap,
    default: Option<&Value>,
    f: usize,
) -> Result<Value, ConsensusError> {
    enough(observations.len(), f + 1)?;
    let maps: Vec<&Map> = observations.iter().filter_map(|value| as_map(value)).collect();
    let defaults = default.and_then(as_map);
    let mut fields = BTreeMap::new();
    for (field, descriptor) in &descriptors.fields {
        let values: Vec<&Value> = maps.iter().filter_map(|map| map.fields.get(field)).collect();
        let default = defaults.and_then(|map| map.fields.get(field));
        let value = match (aggregate(&values, descriptor, default, f), default) {
            (Ok(value), _) => value,
            (Err(_), Some(default)) => default.clone(),
            (Err(error), None) => {
                let (field, reason) = (field.clone(), Box::new(error));
                return Err(ConsensusError::Field { field, reason });
            }
        };
        fields.insert(field.clone(), value);
    }
    Ok(Value { value: Some(Kind::MapValue(Map { fields })) })
}

fn as_map(value: &Value) -> Option<&Map> {
    match &value.value {
        Some(Kind::MapValue(map)) => Some(map),
        Some(_) | None => None,
    }
}

fn enough(found: usize, needed: usize) -> Result<(), ConsensusError> {
    if found < needed {
        return Err(ConsensusError::Insufficient { found, needed });
    }
    Ok(())
}

/// How often each value occurs, by its encoding. Values of no kind are none.
fn tally<'a>(values: &[&'a Value]) -> BTreeMap<Vec<u8>, (usize, &'a Value)> {
    let mut counts = BTreeMap::new();
    for value in values.iter().filter(|value| value.value.is_some()) {
        counts.entry(value.encode_to_vec()).or_insert((0, *value)).0 += 1;
    }
    counts
}

const fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::StringValue(_) => "string",
        Kind::BoolValue(_) => "bool",
        Kind::BytesValue(_) => "bytes",
        Kind::MapValue(_) => "map",
        Kind::ListValue(_) => "list",
        Kind::DecimalValue(_) => "decimal",
        Kind::Int64Value(_) => "int64",
        Kind::BigintValue(_) => "bigint",
        Kind::TimeValue(_) => "time",
        Kind::Float64Value(_) => "float64",
        Kind::Uint64Value(_) => "uint64",
    }
}

/// A value that has an order among its kind.
enum Number<'a> {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    /// Seconds, nanoseconds.
    Time(i64, i32),
    /// Sign, absolute value without leading zeros.
    Big(i8, &'a [u8]),
    /// Sign, decimal digits without leading zeros, exponent.
    Decimal(i8, Vec<u8>, i32),
}

/// A value that is of an ordered kind and stands for nothing.
struct Malformed;

impl<'a> Number<'a> {
    fn of(kind: &'a Kind) -> Option<Result<Self, Malformed>> {
        Some(Ok(match kind {
            Kind::Int64Value(value) => Self::Signed(*value),
            Kind::Uint64Value(value) => Self::Unsigned(*value),
            Kind::Float64Value(value) => Self::Float(*value),
            Kind::TimeValue(time) if (0..1_000_000_000).contains(&time.nanos) => {
                Self::Time(time.seconds, time.nanos)
            }
            Kind::TimeValue(_) => return Some(Err(Malformed)),
            Kind::BigintValue(value) => {
                let (sign, bytes) = big(value);
                Self::Big(sign, bytes)
            }
            Kind::DecimalValue(Decimal { coefficient: Some(coefficient), exponent })
                if coefficient.abs_val.len() <= COEFFICIENT_LEN_MAX
                    && exponent.unsigned_abs() <= EXPONENT_MAX =>
            {
                let (sign, bytes) = big(coefficient);
                Self::Decimal(sign, digits(bytes), *exponent)
            }
            Kind::DecimalValue(_) => return Some(Err(Malformed)),
            Kind::StringValue(_)
            | Kind::BoolValue(_)
            | Kind::BytesValue(_)
            | Kind::MapValue(_)
            | Kind::ListValue(_) => return None,
        }))
    }

    /// A total order among numbers of one kind; numbers that are not are outside the others, by sign.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Signed(a), Self::Signed(b)) => a.cmp(b),
            (Self::Unsigned(a), Self::Unsigned(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Time(a, a_ns), Self::Time(b, b_ns)) => (a, a_ns).cmp(&(b, b_ns)),
            (Self::Big(sign, a), Self::Big(other_sign, b)) => {
                signed(*sign, *other_sign, || (a.len(), a).cmp(&(b.len(), b)))
            }
            (Self::Decimal(sign, a, a_exp), Self::Decimal(other_sign, b, b_exp)) => {
                signed(*sign, *other_sign, || {
                    let magnitude = |digits: &[u8], exponent: i32| {
                        i64::try_from(digits.len()).unwrap_or(i64::MAX) + i64::from(exponent)
                    };
                    let trimmed = |digits: &'_ [u8]| {
                        let end = digits.iter().rposition(|digit| *digit != 0);
                        digits[..end.map_or(0, |end| end + 1)].to_vec()
                    };
                    magnitude(a, *a_exp)
                        .cmp(&magnitude(b, *b_exp))
                        .then_with(|| trimmed(a).cmp(&trimmed(b)))
                })
            }
            (
                Self::Signed(_)
                | Self::Unsigned(_)
                | Self::Float(_)
                | Self::Time(..)
                | Self::Big(..)
                | Self::Decimal(..),
                _,
            ) => unreachable!("only numbers of one kind are compared"),
        }
    }
}

fn signed(sign: i8, other: i8, absolute: impl FnOnce() -> Ordering) -> Ordering {
    sign.cmp(&other).then_with(|| match sign {
        0 => Ordering::Equal,
        1.. => absolute(),
        ..0 => absolute().reverse(),
    })
}

/// Sign, and absolute value big-endian without leading zeros.
fn big(value: &BigInt) -> (i8, &[u8]) {
    let start = value.abs_val.iter().position(|byte| *byte != 0);
    let Some(start) = start else { return (0, &[]) };
    (if value.sign < 0 { -1 } else { 1 }, &value.abs_val[start..])
}

/// Decimal digits, most significant first, of a big-endian number.
fn digits(bytes: &[u8]) -> Vec<u8> {
    let mut reversed: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut reversed {
            carry += u32::from(*digit) * 256;
            *digit = u8::try_from(carry % 10).expect("a remainder of ten");
            carry /= 10;
        }
        while carry > 0 {
            reversed.push(u8::try_from(carry % 10).expect("a remainder of ten"));
            carry /= 10;
        }
    }
    reversed.reverse();
    reversed
}

#[cfg(test)]
mod tests;
