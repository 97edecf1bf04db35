//! `values.v1`.

use std::collections::BTreeMap;

/// `values.v1.Value`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Value {
    #[prost(oneof = "value::Value", tags = "1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12")]
    pub value: Option<value::Value>,
}

/// The choices inside [`Value`].
pub mod value {
    /// `value`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Value {
        #[prost(string, tag = "1")]
        StringValue(String),
        #[prost(bool, tag = "2")]
        BoolValue(bool),
        #[prost(bytes = "vec", tag = "3")]
        BytesValue(Vec<u8>),
        #[prost(message, tag = "4")]
        MapValue(super::Map),
        #[prost(message, tag = "5")]
        ListValue(super::List),
        #[prost(message, tag = "6")]
        DecimalValue(super::Decimal),
        #[prost(int64, tag = "7")]
        Int64Value(i64),
        #[prost(message, tag = "9")]
        BigintValue(super::BigInt),
        #[prost(message, tag = "10")]
        TimeValue(prost_types::Timestamp),
        #[prost(double, tag = "11")]
        Float64Value(f64),
        #[prost(uint64, tag = "12")]
        Uint64Value(u64),
    }
}

/// `values.v1.BigInt`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BigInt {
    #[prost(bytes = "vec", tag = "1")]
    pub abs_val: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub sign: i64,
}

/// `values.v1.Map`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Map {
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, Value>,
}

/// `values.v1.List`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct List {
    #[prost(message, repeated, tag = "2")]
    pub fields: Vec<Value>,
}

/// `values.v1.Decimal`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Decimal {
    #[prost(message, optional, tag = "1")]
    pub coefficient: Option<BigInt>,
    #[prost(int32, tag = "2")]
    pub exponent: i32,
}

named! {
    "values.v1":
    Value = "Value", BigInt = "BigInt", Map = "Map", List = "List", Decimal = "Decimal"
}
