//! Runs CRE workflow modules: Chainlink's guest ABI, version 2, over wasmi, an interpreter, or over wasmtime, the
//! compiler that Chainlink uses, behind feature `wasmtime`. It is a crate because its dependencies are heavy.
//!
//! Nouns: [`Module`] (of the faster engine that is compiled in, run as often as one likes), [`World`] (what a module may ask for; whoever runs
//! one implements it), [`Mode`], [`Limits`].
//!
//! A module is refused before it runs, or its run has no result: [`Error`] says which and why. What the ABI
//! means is written once, in `env` and `wasi`; an engine only links it.

#[cfg(feature = "wasmtime")]
mod compiled;
pub mod wasmi;

mod binary;
mod env;
mod error;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod imports;
mod lend;
mod limits;
mod memory;
mod session;
#[cfg(any(feature = "wasmtime", test, fuzzing))]
mod silent;
mod wasi;

#[cfg(feature = "deploy")]
pub use binary::deploy_form;
pub use binary::unpack;
#[cfg(feature = "wasmtime")]
pub use compiled::{Module, keep_compiled_in};
pub use error::Error;
pub use limits::{HttpLimits, Limits};
#[cfg(not(feature = "wasmtime"))]
pub use wasmi::Module;

use cre::messages::sdk;

/// Elements that a module's table may have: Go's largest programs have some tens of thousands of functions.
const TABLE_ELEMENTS_MAX: usize = 1_000_000;

/// Where a module's calls run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every node does the same.
    Don,
    /// Each node by itself.
    Node,
}

/// What a module may ask of whoever runs it. One value serves one execution.
///
/// Errors are texts for the guest, as Chainlink's hosts give them. Bookkeeping of callback ids (unique per
/// kind, awaited once, in the given order) is the engine's, not the implementor's.
pub trait World {
    /// Starts a capability call and returns at once.
    ///
    /// # Errors
    /// The call is not accepted; the text reaches the guest from `call_capability`.
    fn call(&mut self, mode: Mode, request: sdk::CapabilityRequest) -> Result<(), String>;

    /// Waits for the answer of a call that was accepted.
    ///
    /// # Errors
    /// The host fails; a capability's own failure is a response.
    fn answer(&mut self, callback_id: i32) -> Result<sdk::CapabilityResponse, String>;

    /// Fetches secrets, in the order asked. Called when they are awaited.
    ///
    /// # Errors
    /// As for [`World::answer`].
    fn secrets(&mut self, request: sdk::GetSecretsRequest) -> Result<sdk::SecretResponses, String>;

    /// Unix nanoseconds: agreed by the DON, or this node's own.
    ///
    /// # Errors
    /// No time can be agreed on.
    fn now(&mut self, mode: Mode) -> Result<u64, String>;

    /// The workflow execution's id, the same on every node; seeds DON-mode randomness.
    fn execution_id(&self) -> &str;

    /// Seed of node-mode randomness.
    fn node_seed(&mut self) -> u64;

    /// A line the workflow logged.
    fn log(&mut self, mode: Mode, line: &str);
}
