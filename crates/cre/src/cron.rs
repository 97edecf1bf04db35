//! The clock as a trigger.

use crate::messages::cron::Config;
use crate::workflow::Trigger;

pub use crate::messages::cron::Payload;

/// Capability id.
pub const TRIGGER_ID: &str = "cron-trigger@1.0.0";

/// Fires by a schedule of six fields, seconds first; no more often than every 30 s in production.
pub fn trigger(schedule: impl Into<String>) -> Trigger<Payload> {
    Trigger::new(TRIGGER_ID, "Trigger", &Config { schedule: schedule.into() })
}
