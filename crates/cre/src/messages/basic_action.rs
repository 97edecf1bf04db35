//! `capabilities.internal.basicaction.v1`.

/// `capabilities.internal.basicaction.v1.Inputs`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Inputs {
    #[prost(bool, tag = "1")]
    pub input_thing: bool,
}

/// `capabilities.internal.basicaction.v1.Outputs`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Outputs {
    #[prost(string, tag = "1")]
    pub adapted_thing: String,
}

named! {
    "capabilities.internal.basicaction.v1":
    Inputs = "Inputs", Outputs = "Outputs"
}
