//! The measured program. It is a crate of its own because it is the trusted base for privacy: what is
//! linked here is what makers trust, and `closure.txt` beside the manifest lists it.
//!
//! Nouns: [`Program`] (one enclave's life), `Platform` (what it asks of the hardware), `State` (what
//! its sealed journal rebuilds). It has no plaintext output: numbers leave it as commitments, as proofs
//! and as ciphertexts to the issuer's and makers' viewing keys.
//!
//! A broken enclave can leak or censor orders. It cannot move a note outside its terms: that is the
//! circuit's and the contracts' job.

mod abi;
mod entropy;
mod life;
mod program;
mod round;
mod sealed;
pub mod second;
mod state;
mod watch;

pub use abi::{context, pool_id, settlement_digest};
pub use program::{Error, Program};
