//! `capabilities.internal.nodeaction.v1`.

/// `capabilities.internal.nodeaction.v1.NodeInputs`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeInputs {
    #[prost(bool, tag = "1")]
    pub input_thing: bool,
}

/// `capabilities.internal.nodeaction.v1.NodeOutputs`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeOutputs {
    #[prost(int32, tag = "1")]
    pub output_thing: i32,
}

named! {
    "capabilities.internal.nodeaction.v1":
    NodeInputs = "NodeInputs", NodeOutputs = "NodeOutputs"
}
