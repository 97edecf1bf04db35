//! Chainlink CRE workflows in Rust.
//!
//! It is a crate because a workflow author depends on nothing else of this project: [`messages`] are the
//! wire, byte for byte what Chainlink's own SDKs and hosts speak.

pub mod messages;
