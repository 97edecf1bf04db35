//! The parties of the pool's second design, beside the first until the world has moved to it: [`Maker`] and [`Issuer`],
//! and [`Market`], what their terms have in common. A custodian is what it was.
//!
//! Nothing here proves: whoever does is handed a plan, `pool::second::wallet::Spend` of a maker's and [`AccountMove`] of
//! an issuer's.

mod issuer;
mod maker;
mod market;

pub use issuer::{AccountMove, Issuer, Mandated};
pub use maker::{Deposit, Line, Maker};
pub use market::Market;

/// Why a party does not do what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The seed is too short.
    #[error("these are no keys")]
    Keys(#[from] pool::second::wallet::Error),
    /// The enclave's key is no key, or the message is too long.
    #[error("sealing {what} to the enclave's key")]
    Seal {
        /// What was to be sealed.
        what: &'static str,
        /// Why not.
        #[source]
        source: pool::seal::Error,
    },
    /// A note that cannot be offered.
    #[error("the note is {what}; hint: {hint}")]
    NotOffered {
        /// What is the matter with it.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// What came back for an envelope.
    #[error("the receipt is {what}; hint: send the order to another enclave")]
    Receipt {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Decimals that are more than 18 apart.
    #[error("tokens of {collateral} and {consideration} decimals cannot be priced in each other")]
    Decimals {
        /// Of the collateral.
        collateral: u8,
        /// Of the consideration.
        consideration: u8,
    },
    /// There is no account, or it is not known what it has.
    #[error("the account is {what}; hint: {hint}")]
    Account {
        /// What is the matter with it.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A move that the account does not have enough for, or that leaves the range.
    #[error("{kind:?} of {amount} base units is more than the account has or can hold")]
    OutOfRange {
        /// The move.
        kind: pool::second::account::Kind,
        /// How much.
        amount: u128,
    },
}
