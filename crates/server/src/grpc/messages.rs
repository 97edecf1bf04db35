//! Package `capabilities`: what a Chainlink node says to a capability. Names, numbers and types are
//! Chainlink's, as of August 2026; fields of the older, untyped API are read and left alone.

use cre::messages::values::Map;
use cre::messages::{Any, Timestamp};

/// `capabilities.CapabilityType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
#[allow(missing_docs, reason = "the wire's names")]
pub enum CapabilityType {
    Unknown = 0,
    Trigger = 1,
    Action = 2,
    Consensus = 3,
    Target = 4,
    /// Triggers and actions under one id: ours.
    Combined = 5,
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $(#[$kind:meta] $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, PartialEq, prost::Message)]
            #[allow(missing_docs, reason = "the wire's names")]
            pub struct $name { $(#[$kind] pub $field: $type,)* }
        )*
    };
}

messages! {
    /// Answer to `Info`.
    CapabilityInfoReply {
        #[prost(string, tag = "1")] id: String,
        #[prost(enumeration = "CapabilityType", tag = "2")] capability_type: i32,
        #[prost(string, tag = "3")] description: String,
        #[prost(string, tag = "4")] version: String,
        #[prost(bool, tag = "5")] is_local: bool,
        #[prost(string, repeated, tag = "6")] spend_types: Vec<String>,
    }
    /// What a workflow may spend.
    SpendLimit {
        #[prost(string, tag = "1")] spend_type: String,
        #[prost(string, tag = "2")] limit: String,
    }
    /// Who asks.
    RequestMetadata {
        #[prost(string, tag = "1")] workflow_id: String,
        #[prost(string, tag = "2")] workflow_execution_id: String,
        #[prost(string, tag = "3")] workflow_owner: String,
        #[prost(string, tag = "4")] workflow_name: String,
        #[prost(uint32, tag = "6")] workflow_don_id: u32,
        #[prost(uint32, tag = "7")] workflow_don_config_version: u32,
        #[prost(string, tag = "8")] reference_id: String,
        #[prost(string, tag = "9")] decoded_workflow_name: String,
        #[prost(message, repeated, tag = "10")] spend_limits: Vec<SpendLimit>,
        #[prost(string, tag = "11")] workflow_tag: String,
        #[prost(string, tag = "12")] workflow_registry_chain_selector: String,
        #[prost(string, tag = "13")] workflow_registry_address: String,
        #[prost(string, tag = "14")] engine_version: String,
        #[prost(message, optional, tag = "15")] execution_timestamp: Option<Timestamp>,
        #[prost(string, tag = "16")] org_id: String,
    }
    /// One call.
    CapabilityRequest {
        #[prost(message, optional, tag = "1")] metadata: Option<RequestMetadata>,
        #[prost(message, optional, tag = "2")] config: Option<Map>,
        #[prost(message, optional, tag = "3")] inputs: Option<Map>,
        #[prost(message, optional, tag = "4")] payload: Option<Any>,
        #[prost(message, optional, tag = "5")] config_payload: Option<Any>,
        #[prost(string, tag = "6")] method: String,
        #[prost(string, tag = "7")] capability_id: String,
    }
    /// Its answer: an error's text, or a payload.
    CapabilityResponse {
        #[prost(message, optional, tag = "1")] value: Option<Map>,
        #[prost(string, tag = "2")] error: String,
        #[prost(message, optional, tag = "3")] metadata: Option<ResponseMetadata>,
        #[prost(message, optional, tag = "4")] payload: Option<Any>,
        #[prost(message, optional, tag = "5")] ocr_attestation: Option<OcrAttestation>,
    }
    /// What it cost.
    ResponseMetadata {
        #[prost(message, repeated, tag = "1")] metering: Vec<MeteringReportNodeDetail>,
        #[prost(uint32, tag = "2")] capdon_n: u32,
    }
    /// `metering.MeteringReportNodeDetail`.
    MeteringReportNodeDetail {
        #[prost(string, tag = "1")] peer_2_peer_id: String,
        #[prost(string, tag = "2")] spend_unit: String,
        #[prost(string, tag = "3")] spend_value: String,
        #[prost(string, tag = "4")] spend_value_in_gas_units: String,
    }
    /// Signatures of a capability's own DON.
    OcrAttestation {
        #[prost(bytes = "vec", tag = "1")] config_digest: Vec<u8>,
        #[prost(uint64, tag = "2")] sequence_number: u64,
        #[prost(message, repeated, tag = "3")] signatures: Vec<AttributedSignature>,
    }
    /// One of them.
    AttributedSignature {
        #[prost(bytes = "vec", tag = "1")] signature: Vec<u8>,
        #[prost(uint32, tag = "2")] signer: u32,
    }
    /// Which workflow comes or goes.
    RegistrationMetadata {
        #[prost(string, tag = "1")] workflow_id: String,
        #[prost(string, tag = "2")] reference_id: String,
        #[prost(string, tag = "3")] workflow_owner: String,
    }
    /// `RegisterToWorkflowRequest` and `UnregisterFromWorkflowRequest`, which are alike.
    RegistrationRequest {
        #[prost(message, optional, tag = "1")] metadata: Option<RegistrationMetadata>,
        #[prost(message, optional, tag = "2")] config: Option<Map>,
    }
    /// A trigger to listen to.
    TriggerRegistrationRequest {
        #[prost(string, tag = "1")] trigger_id: String,
        #[prost(message, optional, tag = "2")] metadata: Option<RequestMetadata>,
        #[prost(message, optional, tag = "3")] config: Option<Map>,
        #[prost(message, optional, tag = "4")] payload: Option<Any>,
        #[prost(string, tag = "5")] method: String,
    }
    /// Something happened.
    TriggerEvent {
        #[prost(string, tag = "1")] trigger_type: String,
        #[prost(string, tag = "2")] id: String,
        #[prost(message, optional, tag = "4")] outputs: Option<Map>,
        #[prost(message, optional, tag = "6")] payload: Option<Any>,
    }
    /// An event, or an error's text.
    TriggerResponse {
        #[prost(message, optional, tag = "1")] event: Option<TriggerEvent>,
        #[prost(string, tag = "2")] error: String,
    }
    /// The first of a stream is an acknowledgement, or the reason why there is no stream.
    TriggerResponseMessage {
        #[prost(oneof = "TriggerMessage", tags = "1, 2")] message: Option<TriggerMessage>,
    }
    /// An event arrived and need not come again.
    AckEventRequest {
        #[prost(string, tag = "1")] trigger_id: String,
        #[prost(string, tag = "2")] event_id: String,
        #[prost(string, tag = "3")] method: String,
    }
}

/// The choices inside [`TriggerResponseMessage`].
#[derive(Clone, PartialEq, prost::Oneof)]
#[allow(missing_docs, reason = "the wire's names")]
pub enum TriggerMessage {
    #[prost(message, tag = "1")]
    Ack(()),
    #[prost(message, tag = "2")]
    Response(TriggerResponse),
}
