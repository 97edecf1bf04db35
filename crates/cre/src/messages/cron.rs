//! `capabilities.scheduler.cron.v1`.

/// `capabilities.scheduler.cron.v1.Config`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Config {
    #[prost(string, tag = "1")]
    pub schedule: String,
}

/// `capabilities.scheduler.cron.v1.Payload`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Payload {
    #[prost(message, optional, tag = "1")]
    pub scheduled_execution_time: Option<prost_types::Timestamp>,
}

/// `capabilities.scheduler.cron.v1.LegacyPayload`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LegacyPayload {
    #[prost(string, tag = "1")]
    pub scheduled_execution_time: String,
}

named! {
    "capabilities.scheduler.cron.v1":
    Config = "Config", Payload = "Payload", LegacyPayload = "LegacyPayload"
}
