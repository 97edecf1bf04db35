//! Attest: what the public is told, and in which form.

use primitives::{CommitmentHash, Decode, Encode, Timestamp, keccak256};

use crate::{Disclosure, RequestStatus};

/// The reserve status as the public sees it on a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Status {
    /// Immediate disclosure: the seed's boolean, true while backed.
    Backed(bool),
    /// Sealed disclosure: a commitment, alike on every tick.
    Sealed(CommitmentHash),
}

impl Status {
    /// The disclosure mode this form belongs to.
    pub const fn disclosure(&self) -> Disclosure {
        match self {
            Self::Backed(_) => Disclosure::Immediate,
            Self::Sealed(_) => Disclosure::Sealed,
        }
    }
}

/// What an epoch's opening reveals, all together (sealed disclosure only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Opening {
    /// How the epoch's request ended, as its last round's status commitment says.
    pub status: RequestStatus,
    /// Opens that commitment; a scalar, big-endian.
    pub salt: [u8; 32],
    /// Whether all that the epoch asked for was filled.
    pub recovered: bool,
}

/// The enclave's public answer to one tick's observations, the same for every DON node.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Observed {
    /// The tick it answers.
    pub tick: u32,
    /// The tick's instant.
    pub now: Timestamp,
    /// The status, in the form disclosure allows.
    pub status: Status,
    /// Commitment to a request for the present gap: the seed's `deficit`, and what
    /// `requestCollateral` takes. There on every tick on which one could be made.
    pub deficit: CommitmentHash,
    /// The issuer's position it counted: what the chain holds as a commitment. Collateral that no
    /// settlement brought cannot make a reserve look backed.
    pub position: CommitmentHash,
    /// What was read, to the issuer, sealed to its viewing key: one length, whatever it says.
    pub notice: Vec<u8>,
    /// The last epoch's opening, on the tick it is due.
    pub opening: Option<Opening>,
}

impl Observed {
    /// What the enclave's settlement key signs: `keccak256("cdpr/observed/v1" ‖ borsh(self))`.
    pub fn digest(&self) -> [u8; 32] {
        keccak256(&[b"cdpr/observed/v1", &primitives::encode(self)])
    }
}
