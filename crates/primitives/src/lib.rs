//! The vocabulary every other crate shares. It exists for purity and for `wasm32`: no I/O, no clock,
//! no entropy, no allocation beyond byte strings.
//!
//! Nouns: [`Amount`], [`Premium`], [`Price`], [`Ratio`], [`Timestamp`], [`Duration`], [`Disclosure`], and the 20- and
//! 32-byte identifiers; [`frames`] is how records stand in a log. Canonical encoding is borsh: one value, one byte
//! string, no trailing bytes.
#![no_std]

extern crate alloc;

mod amount;
mod bytes;
mod digest;
mod disclosure;
pub mod frames;
mod hex;
#[cfg(feature = "secp256k1")]
pub mod secp256k1;
mod time;

pub use amount::{Amount, BPS_ONE, Overflow, PRICE_ONE, Premium, Price, Ratio};
pub use borsh::{BorshDeserialize as Decode, BorshSerialize as Encode};
pub use bytes::{Address, Bytes32, CommitmentHash, RequestId};
pub use digest::{Sha256Chain, keccak256, sha256};
pub use disclosure::Disclosure;
pub use hex::{Hex, hex};
pub use time::{Duration, NotAnInstant, Timestamp};

use alloc::vec::Vec;

/// Encodes a value canonically.
///
/// # Panics
/// Never: writing into memory cannot fail and no encoded collection reaches 4 GiB.
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory cannot fail")
}

/// Decodes a value and refuses trailing bytes.
///
/// # Errors
/// [`Malformed`] if `bytes` is not exactly one canonical encoding of a `T`.
pub fn decode<T: Decode>(bytes: &[u8]) -> Result<T, Malformed> {
    borsh::from_slice(bytes)
        .map_err(|_| Malformed { what: core::any::type_name::<T>(), len: bytes.len() })
}

/// Bytes that are not the canonical encoding of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes are not the encoding of a {what}")]
pub struct Malformed {
    /// Rust path of the expected type.
    pub what: &'static str,
    /// How many bytes were offered.
    pub len: usize,
}
