#![doc = include_str!("../README.md")]
//!
//! # Map
//!
//! It is a crate because a workflow's author depends on nothing else of this project. An author meets
//! [`Workflow`] (handlers and their triggers), [`Runtime`] and [`NodeRuntime`] (what a handler may ask for),
//! [`Promise`] (a call that has started) and [`Value`] (what comes out). [`messages`] are the wire, byte for byte what
//! Chainlink's own SDKs and hosts speak; [`host::Host`] is the guest ABI as a trait.

pub mod chains;
pub mod confidential_http;
pub mod consensus;
pub mod cron;
pub mod darkpool;
pub mod error;
pub mod evm;
pub mod guest;
pub mod host;
pub mod http;
pub mod messages;
pub mod promise;
pub mod report;
pub mod restrictions;
mod rng;
pub mod runtime;
pub mod secret;
pub mod testing;
pub mod value;
pub mod workflow;

pub use consensus::{Consensus, Field};
pub use error::{CapabilityError, Code, Error};
pub use messages::workflows::UserMetric;
pub use promise::Promise;
pub use report::Report;
pub use restrictions::{Calls, Restrictions, Secrets};
pub use runtime::{HttpRuntime, NodeRuntime, Runtime, TeeRuntime};
pub use secret::{Secret, SecretId};
pub use value::Value;
pub use workflow::{Handler, Tee, Trigger, Workflow};
