//! The parties' side: keys, locked notes, terms, what is sealed to the enclave and what can be read again. A
//! crate because whoever holds keys should need nothing else: no chain library, no socket, no clock; it
//! compiles to `wasm32`, and what it decides is decided the same in a browser, a daemon and the simulator.
//!
//! Nouns: [`Maker`], [`Issuer`] and [`Custodian`], and [`Market`], what their terms have in common;
//! [`evidence`] is looked at before anything is sealed, and [`view`] is what each reads of a mission. What is public of a mission belongs to whoever watches the chain, not here.

mod custodian;
pub mod evidence;
mod issuer;
mod maker;
mod market;
mod note;
pub mod second;
mod secrets;
pub mod view;

pub use custodian::Custodian;
pub use issuer::{Issuer, Mandated};
pub use maker::{Line, Maker};
pub use market::Market;
pub use secrets::Secrets;

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The enclave's key is no key, or the message is too long.
    #[error("sealing {what} to the enclave's key")]
    Seal {
        /// What was to be sealed.
        what: &'static str,
        /// Why not.
        #[source]
        source: pool::seal::Error,
    },
    /// Drawn bytes are no signing key, which happens once in 2^128.
    #[error("the custodian's drawn key is out of range: take other secrets")]
    Key,
}
