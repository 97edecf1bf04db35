//! Everything that knows the EVM: contract bindings, transactions, reports, deployment, and a chain
//! in the process. A crate of its own because alloy and revm are the heaviest dependencies of the
//! workspace and nothing in the core may see them.
//!
//! - [`local::LocalChain`]: the chain that needs no node.
//! - [`Wallet`] makes raw transactions, [`send()`] delivers one, once, to whatever chain.
//! - [`report::SignedReport`] is how the workflow acts on contracts, [`settlement::ZkProof`] what it brings.
//! - [`mission`] translates the core's calls and facts.
//! - [`deploy::plan`] is the whole system as a list of transactions.

pub mod abi;
pub mod artifacts;
pub mod deploy;
pub mod local;
pub mod mission;
pub mod report;
mod send;
pub mod settlement;
mod wallet;

pub use alloy;
#[cfg(feature = "http")]
pub use local::{UrlError, connect_http};
pub use send::{SendError, send};
pub use wallet::{Call, Fees, RawTransaction, Wallet, development_wallets};
