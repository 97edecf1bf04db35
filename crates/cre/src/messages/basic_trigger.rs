//! `capabilities.internal.basictrigger.v1`.

/// `capabilities.internal.basictrigger.v1.Config`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Config {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    pub number: i32,
}

/// `capabilities.internal.basictrigger.v1.Outputs`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Outputs {
    #[prost(string, tag = "1")]
    pub cool_output: String,
}

named! {
    "capabilities.internal.basictrigger.v1":
    Config = "Config", Outputs = "Outputs"
}
