//! The mission, sans I/O: time, observations and the chain come in as events, wishes go out as effects.
//! It is a crate for purity: no clock, no entropy, no files, no async, no hash-ordered maps.
//!
//! Nouns: [`Mission`], [`Event`], [`Effect`], [`journal::Journal`]. The five stages, in mission order:
//! [`detect`] turns reserve observations into a shortfall, [`request`] a shortfall into an ask,
//! [`matching`] sealed offers into a clearing, [`settle`] a clearing into rounds, [`attest`] the result
//! into what the public is told. Stages never import each other; they meet in [`mission`] (public
//! facts, run by every DON node) and in the enclave (secrets). [`abi`] is what their calls are in the
//! contracts' encoding.

extern crate alloc;

pub mod abi;
pub mod attest;
pub mod detect;
pub mod effect;
pub mod event;
pub mod journal;
pub mod matching;
pub mod mission;
pub mod request;
pub mod second;
pub mod settle;
pub mod wire;
pub mod workflow;

pub use effect::{Call, Effect, Stage, Write};
pub use event::{Event, Fact};
pub use mission::{Mission, Outcome, Refused, Setup, View};
pub use primitives::Disclosure;

use primitives::{Decode, Encode};

/// The seed's `RequestStatus`, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum RequestStatus {
    /// Open, nothing filled (or, sealed, nothing said yet).
    Pending = 0,
    /// Open, part of it filled.
    PartiallyFilled = 1,
    /// Wholly filled.
    Filled = 2,
    /// Its time passed first.
    Expired = 3,
    /// Withdrawn by the issuer before any round.
    Cancelled = 4,
}

impl RequestStatus {
    /// The status with this number on chain.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Pending,
            1 => Self::PartiallyFilled,
            2 => Self::Filled,
            3 => Self::Expired,
            4 => Self::Cancelled,
            _ => return None,
        })
    }

    /// The seed's name, `PARTIALLY_FILLED`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::PartiallyFilled => "PARTIALLY_FILLED",
            Self::Filled => "FILLED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
        }
    }
}
