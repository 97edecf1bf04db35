//! Confidential workflows: a CRE workflow's handler that runs in a TEE, once, instead of on every node. It is a
//! crate because the program is measured: what it links is what a workflow's owner trusts, and `closure.txt`
//! beside the manifest lists it.
//!
//! Nouns: `Program` (the runner's life), [`wire`] (what crosses its socket), [`hash`] (what is signed and
//! attested, byte for byte as Chainlink Confidential Compute has it), [`relay`] (what it asks of the nodes).
//!
//! The runner takes a workflow's module when f + 1 nodes signed for it and its SHA-256 is the one they named. It
//! attests each request it makes of the nodes and its result; it takes an answer that f + 1 nodes signed. What it
//! does not promise: the module itself is no secret, and neither are reports and calldata; time is the host's;
//! and HTTP leaves by the nodes, where Chainlink's enclave has a client of its own.

pub mod hash;
#[cfg(feature = "program")]
mod program;
pub mod relay;
pub mod seal;
pub mod wire;

#[cfg(feature = "program")]
pub use program::Program;
