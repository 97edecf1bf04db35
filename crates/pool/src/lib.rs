//! What a shielded pool is made of: keys, notes, terms, mandates and the tree that holds them.
//!
//! A crate of its own because three very different readers must agree on it to the bit: the circuit,
//! the contracts, and a maker's wallet, which may run in a browser. So it is pure, builds for wasm32
//! and pulls in nothing but a field, two hashes and HPKE.
//!
//! Four nouns: a [`note::Note`] is value in the pool; [`terms::Terms`] are what its owner lets an
//! enclave do with it; a [`mandate::Mandate`] is what an issuer lets an enclave do for it; the
//! [`tree::Tree`] says which notes exist.
//!
//! Everything here is the preimage of some commitment, so values are bare integers of a stated
//! width: this crate is the codec between typed values and field elements.
//!
//! # Notation
//!
//! `H(a, b, …)` is [`hash::poseidon`], `C(l, r)` is [`hash::compress`], `tag(x)` is [`hash::tag`].
//! `p` is the order of the BN254 scalar field, [`Fr`] an element of it.

pub mod field;
pub mod hash;

pub mod keys;
pub mod note;
pub mod terms;

pub mod mandate;
pub mod position;
pub mod request;
pub mod status;

pub mod tree;

pub mod notice;
pub mod seal;

pub mod second;

pub mod codec;
mod poseidon2;

/// An element of the BN254 scalar field, the field every commitment lives in.
pub use ark_bn254::Fr;

/// Bits an amount may have. Thirty-odd bits above any money supply, and 22 below the point where the
/// payout equation, `fill · price · (10⁴ + bps)`, could wrap in a 254-bit field.
pub const AMOUNT_BITS: u32 = 112;

/// The first amount that is too large: 2^112 base units.
pub const AMOUNT_END: u128 = 1 << AMOUNT_BITS;

/// Bits a premium may have, in basis points: up to 163.83 %.
pub const PREMIUM_BITS: u32 = 14;

/// The first premium that is too large, in basis points.
pub const PREMIUM_BPS_END: u16 = 1 << PREMIUM_BITS;

/// Bits a price may have, at 8 decimals.
pub const PRICE_BITS: u32 = 64;

/// Bits an instant may have, in Unix seconds: enough for 34,000 years.
pub const TIME_BITS: u32 = 40;

/// The first instant that is too late, in Unix seconds.
pub const TIME_END: u64 = 1 << TIME_BITS;

/// Bits a gap band may have.
pub const GAP_BAND_BITS: u32 = 8;

/// Fills in one settlement, real and dummy together. Constant, so that their number stays private.
pub const SLOTS: usize = 4;
