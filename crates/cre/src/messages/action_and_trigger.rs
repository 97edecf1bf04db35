//! `capabilities.internal.actionandtrigger.v1`.

/// `capabilities.internal.actionandtrigger.v1.Config`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Config {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    pub number: i32,
}

/// `capabilities.internal.actionandtrigger.v1.TriggerEvent`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TriggerEvent {
    #[prost(string, tag = "1")]
    pub cool_output: String,
}

/// `capabilities.internal.actionandtrigger.v1.Input`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Input {
    #[prost(string, tag = "1")]
    pub name: String,
}

/// `capabilities.internal.actionandtrigger.v1.Output`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Output {
    #[prost(string, tag = "1")]
    pub welcome: String,
}

named! {
    "capabilities.internal.actionandtrigger.v1":
    Config = "Config", TriggerEvent = "TriggerEvent", Input = "Input", Output = "Output"
}
