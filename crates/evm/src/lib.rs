//! Everything that knows the EVM: contract bindings, transactions, reports, deployment. A crate of its own
//! because alloy is one of the heaviest dependencies of the workspace and nothing in the core may see it.
//!
//! - [`Wallet`] makes raw transactions, [`send()`] delivers one, once, to whatever chain.
//! - [`report::SignedReport`] is how the workflow acts on contracts, [`settlement::ZkProof`] what it brings.
//! - [`revert::Errors`] says what a contract reverted with.
//! - [`rpc::connect`] speaks to a chain out there, through whatever carries its bytes.
//! - [`trial`] asks a receiver whether it would take a report.
//! - [`mission`] translates the core's calls and facts.
//! - [`deploy::plan`] is the whole system as a list of transactions.
//! - [`second`] is all of this for the pool's second design.
//! - [`gas`] asks the chain for limits.

pub mod abi;
pub mod artifacts;
pub mod deploy;
pub mod gas;
pub mod mission;
pub mod report;
pub mod revert;
pub mod rpc;
pub mod second;
mod send;
pub mod settlement;
pub mod trial;
mod wallet;

/// The chain id on which development keys, verifiers and enclaves are accepted, and no other.
pub const DEVELOPMENT_CHAIN_ID: u64 = 31337;

pub use alloy;
pub use send::{Patience, SendError, send, send_within};
pub use wallet::{Call, Fees, RawTransaction, Wallet, development_wallets};

/// How bytes that others wrote are decoded. Offsets may share what they point to, so that a few kilobytes can name
/// gigabytes; an encoder of ours never names more than there is.
const fn decoding(data: &[u8]) -> alloy::sol_types::abi::AbiDecoderConfig {
    alloy::sol_types::abi::AbiDecoderConfig::new().validate(true).memory_limit(data.len())
}
