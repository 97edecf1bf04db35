//! How the DON makes one value of its nodes' observations.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use prost_types::Timestamp;

use crate::error::Error;
use crate::messages::sdk::{
    AggregationType, ConsensusDescriptor, FieldsMap, SimpleConsensusInputs, consensus_descriptor,
    simple_consensus_inputs,
};
use crate::messages::values::{BigInt, Decimal};
use crate::value::Value;

/// The capability behind consensus and reports.
pub const ID: &str = "consensus@1.0.0-alpha";
pub(crate) const SIMPLE: &str = "Simple";
pub(crate) const REPORT: &str = "Report";

/// How observations of type `I` become one value of type `O`.
#[derive(Debug, Clone)]
pub struct Consensus<I, O = I> {
    descriptor: ConsensusDescriptor,
    default: Option<Value>,
    types: PhantomData<fn(I) -> O>,
}

impl<I: Median> Consensus<I> {
    /// The middle one.
    pub fn median() -> Self {
        Self::of(Field::median())
    }
}

impl<I> Consensus<I> {
    /// The one that enough nodes observed, byte for byte.
    pub fn identical() -> Self {
        Self::of(Field::identical())
    }

    /// Each field of a map in its own way. Fields that are not named are dropped.
    pub fn fields(fields: impl IntoIterator<Item = (impl Into<String>, Field)>) -> Self {
        Self::of(Field::fields(fields))
    }
}

impl<T> Consensus<Vec<T>> {
    /// What the lists have in common at their start.
    pub fn common_prefix() -> Self {
        Self::of(Field::common_prefix())
    }

    /// What the lists have in common at their end.
    pub fn common_suffix() -> Self {
        Self::of(Field::common_suffix())
    }
}

impl<T, O> Consensus<Vec<T>, O> {
    /// What occurs in the lists, with how many times it does: `O` is usually [`Value`].
    pub fn frequency_list() -> Self {
        Self::of(Field::frequency_list())
    }
}

impl<I, O> Consensus<I, O> {
    /// Any way at all, for types that the named ways don't cover.
    pub fn of(field: Field) -> Self {
        Self { descriptor: field.0, default: None, types: PhantomData }
    }

    /// What the DON takes instead if observing fails.
    pub fn with_default(mut self, default: I) -> Self
    where
        I: Into<Value>,
    {
        self.default = Some(default.into());
        self
    }

    pub(crate) fn inputs(self, observed: Result<I, Error>) -> SimpleConsensusInputs
    where
        I: Into<Value>,
    {
        let observation = match observed {
            Ok(value) => simple_consensus_inputs::Observation::Value(value.into()),
            Err(error) => simple_consensus_inputs::Observation::Error(error.chain()),
        };
        SimpleConsensusInputs {
            observation: Some(observation),
            descriptors: Some(self.descriptor),
            default: self.default,
        }
    }
}

/// How one field is agreed on.
#[derive(Debug, Clone, PartialEq)]
pub struct Field(ConsensusDescriptor);

impl Field {
    /// The middle one, of numbers or times.
    pub fn median() -> Self {
        Self::aggregation(AggregationType::Median)
    }

    /// The one that enough nodes observed.
    pub fn identical() -> Self {
        Self::aggregation(AggregationType::Identical)
    }

    /// What lists have in common at their start.
    pub fn common_prefix() -> Self {
        Self::aggregation(AggregationType::CommonPrefix)
    }

    /// What lists have in common at their end.
    pub fn common_suffix() -> Self {
        Self::aggregation(AggregationType::CommonSuffix)
    }

    /// What occurs in lists, with how many times it does.
    pub fn frequency_list() -> Self {
        Self::aggregation(AggregationType::FrequencyList)
    }

    /// A map, each field in its own way.
    pub fn fields(fields: impl IntoIterator<Item = (impl Into<String>, Self)>) -> Self {
        let fields: BTreeMap<_, _> =
            fields.into_iter().map(|(name, field)| (name.into(), field.0)).collect();
        Self::descriptor(consensus_descriptor::Descriptor::FieldsMap(FieldsMap { fields }))
    }

    fn aggregation(aggregation: AggregationType) -> Self {
        Self::descriptor(consensus_descriptor::Descriptor::Aggregation(aggregation as i32))
    }

    fn descriptor(descriptor: consensus_descriptor::Descriptor) -> Self {
        Self(ConsensusDescriptor { descriptor: Some(descriptor) })
    }
}

/// What has a middle.
pub trait Median {}

macro_rules! medians {
    ($($type:ty),*) => { $(impl Median for $type {})* };
}

medians!(i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f64, Timestamp, BigInt, Decimal);
#[cfg(feature = "abi")]
medians!(alloy_primitives::U256, alloy_primitives::I256);
