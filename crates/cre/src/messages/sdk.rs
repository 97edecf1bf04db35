//! `sdk.v1alpha`.

use std::collections::BTreeMap;

/// `sdk.v1alpha.AggregationType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum AggregationType {
    Unspecified = 0,
    Median = 1,
    Identical = 2,
    CommonPrefix = 3,
    CommonSuffix = 4,
    FrequencyList = 5,
}

/// `sdk.v1alpha.SimpleConsensusInputs`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SimpleConsensusInputs {
    #[prost(oneof = "simple_consensus_inputs::Observation", tags = "1, 2")]
    pub observation: Option<simple_consensus_inputs::Observation>,
    #[prost(message, optional, tag = "3")]
    pub descriptors: Option<ConsensusDescriptor>,
    #[prost(message, optional, tag = "4")]
    pub default: Option<super::values::Value>,
}

/// The choices inside [`SimpleConsensusInputs`].
pub mod simple_consensus_inputs {
    /// `observation`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Observation {
        #[prost(message, tag = "1")]
        Value(super::super::values::Value),
        #[prost(string, tag = "2")]
        Error(String),
    }
}

/// `sdk.v1alpha.FieldsMap`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FieldsMap {
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, ConsensusDescriptor>,
}

/// `sdk.v1alpha.ConsensusDescriptor`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConsensusDescriptor {
    #[prost(oneof = "consensus_descriptor::Descriptor", tags = "1, 2")]
    pub descriptor: Option<consensus_descriptor::Descriptor>,
}

/// The choices inside [`ConsensusDescriptor`].
pub mod consensus_descriptor {
    /// `descriptor`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Descriptor {
        #[prost(enumeration = "super::AggregationType", tag = "1")]
        Aggregation(i32),
        #[prost(message, tag = "2")]
        FieldsMap(super::FieldsMap),
    }
}

/// `sdk.v1alpha.ReportRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReportRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub encoded_payload: Vec<u8>,
    #[prost(string, tag = "2")]
    pub encoder_name: String,
    #[prost(string, tag = "3")]
    pub signing_algo: String,
    #[prost(string, tag = "4")]
    pub hashing_algo: String,
}

/// `sdk.v1alpha.ReportResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReportResponse {
    #[prost(bytes = "vec", tag = "1")]
    pub config_digest: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub seq_nr: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub report_context: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub raw_report: Vec<u8>,
    #[prost(message, repeated, tag = "5")]
    pub sigs: Vec<AttributedSignature>,
}

/// `sdk.v1alpha.AttributedSignature`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributedSignature {
    #[prost(bytes = "vec", tag = "1")]
    pub signature: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub signer_id: u32,
}

/// `sdk.v1alpha.CapabilityRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CapabilityRequest {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(message, optional, tag = "2")]
    pub payload: Option<prost_types::Any>,
    #[prost(string, tag = "3")]
    pub method: String,
    #[prost(int32, tag = "4")]
    pub callback_id: i32,
}

/// `sdk.v1alpha.CapabilityResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CapabilityResponse {
    #[prost(oneof = "capability_response::Response", tags = "1, 2")]
    pub response: Option<capability_response::Response>,
}

/// The choices inside [`CapabilityResponse`].
pub mod capability_response {
    /// `response`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Response {
        #[prost(message, tag = "1")]
        Payload(prost_types::Any),
        #[prost(string, tag = "2")]
        Error(String),
    }
}

/// `sdk.v1alpha.Mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Mode {
    Unspecified = 0,
    Don = 1,
    Node = 2,
}

/// `sdk.v1alpha.TriggerSubscription`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TriggerSubscription {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(message, optional, tag = "2")]
    pub payload: Option<prost_types::Any>,
    #[prost(string, tag = "3")]
    pub method: String,
    #[prost(message, optional, tag = "4")]
    pub requirements: Option<Requirements>,
    #[prost(bool, tag = "5")]
    pub pre_hook: bool,
}

/// `sdk.v1alpha.TeeType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum TeeType {
    Unspecified = 0,
    AwsNitro = 1,
}

/// `sdk.v1alpha.TeeTypeAndRegions`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TeeTypeAndRegions {
    #[prost(enumeration = "TeeType", tag = "1")]
    pub r#type: i32,
    #[prost(string, repeated, tag = "3")]
    pub regions: Vec<String>,
}

/// `sdk.v1alpha.TriggerSubscriptionRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TriggerSubscriptionRequest {
    #[prost(message, repeated, tag = "1")]
    pub subscriptions: Vec<TriggerSubscription>,
}

/// `sdk.v1alpha.Trigger`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Trigger {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(message, optional, tag = "2")]
    pub payload: Option<prost_types::Any>,
}

/// `sdk.v1alpha.Regions`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Regions {
    #[prost(string, repeated, tag = "1")]
    pub regions: Vec<String>,
}

/// `sdk.v1alpha.TeeTypesAndRegions`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TeeTypesAndRegions {
    #[prost(message, repeated, tag = "1")]
    pub tee_type_and_regions: Vec<TeeTypeAndRegions>,
}

/// `sdk.v1alpha.Tee`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Tee {
    #[prost(oneof = "tee::Item", tags = "1, 2")]
    pub item: Option<tee::Item>,
}

/// The choices inside [`Tee`].
pub mod tee {
    /// `item`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Item {
        #[prost(message, tag = "1")]
        AnyRegions(super::Regions),
        #[prost(message, tag = "2")]
        TeeTypesAndRegions(super::TeeTypesAndRegions),
    }
}

/// `sdk.v1alpha.Requirements`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Requirements {
    #[prost(message, optional, tag = "1")]
    pub tee: Option<Tee>,
}

/// `sdk.v1alpha.AwaitCapabilitiesRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AwaitCapabilitiesRequest {
    #[prost(int32, repeated, tag = "1")]
    pub ids: Vec<i32>,
}

/// `sdk.v1alpha.AwaitCapabilitiesResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AwaitCapabilitiesResponse {
    #[prost(btree_map = "int32, message", tag = "1")]
    pub responses: BTreeMap<i32, CapabilityResponse>,
}

/// `sdk.v1alpha.ExecuteRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExecuteRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub config: Vec<u8>,
    #[prost(oneof = "execute_request::Request", tags = "2, 3, 5")]
    pub request: Option<execute_request::Request>,
    #[prost(uint64, tag = "4")]
    pub max_response_size: u64,
}

/// The choices inside [`ExecuteRequest`].
pub mod execute_request {
    /// `request`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Request {
        #[prost(message, tag = "2")]
        Subscribe(()),
        #[prost(message, tag = "3")]
        Trigger(super::Trigger),
        #[prost(message, tag = "5")]
        PreHook(super::Trigger),
    }
}

/// `sdk.v1alpha.ExecutionResult`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ExecutionResult {
    #[prost(oneof = "execution_result::Result", tags = "1, 2, 3, 4")]
    pub result: Option<execution_result::Result>,
}

/// The choices inside [`ExecutionResult`].
pub mod execution_result {
    /// `result`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Result {
        #[prost(message, tag = "1")]
        Value(super::super::values::Value),
        #[prost(string, tag = "2")]
        Error(String),
        #[prost(message, tag = "3")]
        TriggerSubscriptions(super::TriggerSubscriptionRequest),
        #[prost(message, tag = "4")]
        Restrictions(super::Restrictions),
    }
}

/// `sdk.v1alpha.GetSecretsRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetSecretsRequest {
    #[prost(message, repeated, tag = "1")]
    pub requests: Vec<SecretRequest>,
    #[prost(int32, tag = "2")]
    pub callback_id: i32,
}

/// `sdk.v1alpha.AwaitSecretsRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AwaitSecretsRequest {
    #[prost(int32, repeated, tag = "1")]
    pub ids: Vec<i32>,
}

/// `sdk.v1alpha.AwaitSecretsResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AwaitSecretsResponse {
    #[prost(btree_map = "int32, message", tag = "1")]
    pub responses: BTreeMap<i32, SecretResponses>,
}

/// `sdk.v1alpha.SecretRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SecretRequest {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub namespace: String,
}

/// `sdk.v1alpha.Secret`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Secret {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub namespace: String,
    #[prost(string, tag = "3")]
    pub owner: String,
    #[prost(string, tag = "4")]
    pub value: String,
}

/// `sdk.v1alpha.SecretError`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SecretError {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub namespace: String,
    #[prost(string, tag = "3")]
    pub owner: String,
    #[prost(string, tag = "4")]
    pub error: String,
}

/// `sdk.v1alpha.SecretResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SecretResponse {
    #[prost(oneof = "secret_response::Response", tags = "1, 2")]
    pub response: Option<secret_response::Response>,
}

/// The choices inside [`SecretResponse`].
pub mod secret_response {
    /// `response`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Response {
        #[prost(message, tag = "1")]
        Secret(super::Secret),
        #[prost(message, tag = "2")]
        Error(super::SecretError),
    }
}

/// `sdk.v1alpha.SecretResponses`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SecretResponses {
    #[prost(message, repeated, tag = "1")]
    pub responses: Vec<SecretResponse>,
}

/// `sdk.v1alpha.MethodRestriction`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MethodRestriction {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub method: String,
    #[prost(uint32, tag = "3")]
    pub max_calls: u32,
}

/// `sdk.v1alpha.CapabilityRestriction`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CapabilityRestriction {
    #[prost(oneof = "capability_restriction::Restriction", tags = "1")]
    pub restriction: Option<capability_restriction::Restriction>,
}

/// The choices inside [`CapabilityRestriction`].
pub mod capability_restriction {
    /// `restriction`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Restriction {
        #[prost(message, tag = "1")]
        Method(super::MethodRestriction),
    }
}

/// `sdk.v1alpha.CapabilityRestrictionType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum CapabilityRestrictionType {
    Closed = 0,
    Open = 1,
}

/// `sdk.v1alpha.CapabilityRestrictions`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CapabilityRestrictions {
    #[prost(message, repeated, tag = "1")]
    pub restrictions: Vec<CapabilityRestriction>,
    #[prost(uint32, tag = "2")]
    pub max_total_calls: u32,
    #[prost(enumeration = "CapabilityRestrictionType", tag = "3")]
    pub r#type: i32,
}

/// `sdk.v1alpha.SecretPrefixRestriction`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SecretPrefixRestriction {
    #[prost(string, tag = "1")]
    pub prefix: String,
    #[prost(string, tag = "2")]
    pub namespace: String,
    #[prost(uint32, tag = "3")]
    pub max_secrets: u32,
}

/// `sdk.v1alpha.SecretRestriction`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SecretRestriction {
    #[prost(oneof = "secret_restriction::Restriction", tags = "1, 2")]
    pub restriction: Option<secret_restriction::Restriction>,
}

/// The choices inside [`SecretRestriction`].
pub mod secret_restriction {
    /// `restriction`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Restriction {
        #[prost(message, tag = "1")]
        ExactSecret(super::Secret),
        #[prost(message, tag = "2")]
        PrefixedSecret(super::SecretPrefixRestriction),
    }
}

/// `sdk.v1alpha.SecretsRestritions`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SecretsRestritions {
    #[prost(message, repeated, tag = "1")]
    pub restrictions: Vec<SecretRestriction>,
    #[prost(uint32, tag = "2")]
    pub max_secrets: u32,
}

/// `sdk.v1alpha.Restrictions`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Restrictions {
    #[prost(message, optional, tag = "1")]
    pub secrets: Option<SecretsRestritions>,
    #[prost(message, optional, tag = "2")]
    pub capabilities: Option<CapabilityRestrictions>,
}

named! {
    "sdk.v1alpha":
    SimpleConsensusInputs = "SimpleConsensusInputs", FieldsMap = "FieldsMap", ConsensusDescriptor = "ConsensusDescriptor", ReportRequest = "ReportRequest", ReportResponse = "ReportResponse", AttributedSignature = "AttributedSignature", CapabilityRequest = "CapabilityRequest", CapabilityResponse = "CapabilityResponse", TriggerSubscription = "TriggerSubscription", TeeTypeAndRegions = "TeeTypeAndRegions", TriggerSubscriptionRequest = "TriggerSubscriptionRequest", Trigger = "Trigger", Regions = "Regions", TeeTypesAndRegions = "TeeTypesAndRegions", Tee = "Tee", Requirements = "Requirements", AwaitCapabilitiesRequest = "AwaitCapabilitiesRequest", AwaitCapabilitiesResponse = "AwaitCapabilitiesResponse", ExecuteRequest = "ExecuteRequest", ExecutionResult = "ExecutionResult", GetSecretsRequest = "GetSecretsRequest", AwaitSecretsRequest = "AwaitSecretsRequest", AwaitSecretsResponse = "AwaitSecretsResponse", SecretRequest = "SecretRequest", Secret = "Secret", SecretError = "SecretError", SecretResponse = "SecretResponse", SecretResponses = "SecretResponses", MethodRestriction = "MethodRestriction", CapabilityRestriction = "CapabilityRestriction", CapabilityRestrictions = "CapabilityRestrictions", SecretPrefixRestriction = "SecretPrefixRestriction", SecretRestriction = "SecretRestriction", SecretsRestritions = "SecretsRestritions", Restrictions = "Restrictions"
}
