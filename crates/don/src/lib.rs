//! What a DON does with a CRE workflow. Each of n nodes runs the same module; their capability requests are
//! agreed on byte for byte, carried out once, and answered to all; what they sign, the chain believes.
//!
//! It is a crate because it is the one place where a workflow meets the world: chains, HTTP, secrets. An
//! execution is a function of its inputs. Time, execution id, who runs what, and the capabilities' answers are
//! arguments; how the node threads are scheduled changes nothing.
//!
//! Nouns: [`Don`] (keys, quorum, signatures), [`Workflow`] (what its nodes run, and under which limits),
//! [`Registry`] of [`Capability`]s, [`Execution`] (what came of one request).

pub mod capability;
pub mod chain;
#[cfg(feature = "confidential")]
pub mod confidential;
pub mod consensus;
mod execution;
#[cfg(feature = "http")]
pub mod http;
mod lifecycle;
mod node;
mod nodes;
pub mod restriction;
pub mod secrets;
pub mod triggers;
mod usage;

pub use capability::{Call, Caller, Capability, CapabilityError, Code, Registry};
pub use execution::{Execution, Job, Served, execute};
pub use lifecycle::{LifecycleError, Subscriptions, subscribe};
pub use node::{Behaviour, Line, Program, ProgramError, TeeRunner, Workflow, words};
pub use nodes::{
    Agreement, Don, NoQuorum, SignedReport, Stamp, WorkflowIdentity, address, report_digest,
};
pub use secrets::Secrets;
