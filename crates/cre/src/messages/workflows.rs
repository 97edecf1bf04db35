//! `workflows.v2`, the one message of it that a workflow sends.

use std::collections::BTreeMap;

/// `workflows.v2.UserMetricType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum UserMetricType {
    Unspecified = 0,
    Counter = 1,
    Gauge = 2,
}

/// `workflows.v2.WorkflowUserMetric`, without its fields 1 to 4, which the host fills in.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UserMetric {
    /// At most 128 bytes.
    #[prost(string, tag = "5")]
    pub name: String,
    #[prost(double, tag = "6")]
    pub value: f64,
    #[prost(enumeration = "UserMetricType", tag = "7")]
    pub r#type: i32,
    /// At most 10, of at most 256 bytes each.
    #[prost(btree_map = "string, string", tag = "8")]
    pub labels: BTreeMap<String, String>,
}

impl UserMetric {
    /// Adds to a counter.
    pub fn counter(name: impl Into<String>, value: f64) -> Self {
        Self::new(name, value, UserMetricType::Counter)
    }

    /// Sets a gauge.
    pub fn gauge(name: impl Into<String>, value: f64) -> Self {
        Self::new(name, value, UserMetricType::Gauge)
    }

    /// With a label.
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    fn new(name: impl Into<String>, value: f64, r#type: UserMetricType) -> Self {
        Self { name: name.into(), value, r#type: r#type as i32, labels: BTreeMap::new() }
    }
}

named! {
    "workflows.v2":
    UserMetric = "WorkflowUserMetric"
}
