//! Everything the core may ask of the world.

use primitives::{CommitmentHash, Decode, Duration, Encode, Premium, RequestId, Timestamp};

use crate::RequestStatus;

/// The five stages, in mission order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Stage {
    /// Reserve observations → shortfall.
    Detect,
    /// Shortfall → sealed request.
    Request,
    /// Sealed offers → clearing.
    Match,
    /// Clearing → settlement.
    Settle,
    /// Settlement → what the public is told.
    Attest,
}

impl Stage {
    /// All of them, in mission order.
    pub const ALL: [Self; 5] =
        [Self::Detect, Self::Request, Self::Match, Self::Settle, Self::Attest];

    /// Lower-case name, the same in transcripts, JSON, contract tests and the book.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Request => "request",
            Self::Match => "match",
            Self::Settle => "settle",
            Self::Attest => "attest",
        }
    }
}

/// A contract call, typed; the edge turns it into calldata.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Call {
    /// `requestCollateral(bytes32,uint256,uint256)`.
    RequestCollateral {
        /// Hiding commitment to the request.
        encrypted_amount: CommitmentHash,
        /// Public premium cap.
        premium: Premium,
        /// Time until it expires.
        timeout: Duration,
    },
    /// `confidentialFill(bytes32,bytes,bytes)`.
    ConfidentialFill {
        /// The request the round belongs to.
        request: RequestId,
        /// Versioned ABI of (proof, public inputs, ciphertexts).
        zk_proof: Vec<u8>,
        /// 65-byte EIP-712 signature.
        tee_attestation: Vec<u8>,
    },
    /// `expireRequest(bytes32)`.
    ExpireRequest {
        /// The request whose time passed.
        request: RequestId,
    },
    /// `openRequest(bytes32,uint8,uint256)`: sealed disclosure, at an epoch's opening.
    OpenRequest {
        /// The epoch's request.
        request: RequestId,
        /// Its plain status.
        status: RequestStatus,
        /// Opens the status commitment of its last round.
        salt: [u8; 32],
    },
    /// `attestRecovery(bool,uint256)`.
    AttestRecovery {
        /// The one bit.
        recovered: bool,
        /// The tick's instant.
        timestamp: Timestamp,
    },
    /// `reportStatus(bytes32)`: sealed disclosure, once a tick.
    ReportStatus {
        /// Hides the bit.
        commitment: CommitmentHash,
    },
}

impl Call {
    /// The Solidity function's name.
    pub const fn function(&self) -> &'static str {
        match self {
            Self::RequestCollateral { .. } => "requestCollateral",
            Self::ConfidentialFill { .. } => "confidentialFill",
            Self::ExpireRequest { .. } => "expireRequest",
            Self::OpenRequest { .. } => "openRequest",
            Self::AttestRecovery { .. } => "attestRecovery",
            Self::ReportStatus { .. } => "reportStatus",
        }
    }

    /// Whether it says nothing but what the enclave observed. The others carry their own proof, opening or
    /// time.
    pub const fn rests_on_observation(&self) -> bool {
        match self {
            Self::RequestCollateral { .. }
            | Self::AttestRecovery { .. }
            | Self::ReportStatus { .. } => true,
            Self::ConfidentialFill { .. }
            | Self::ExpireRequest { .. }
            | Self::OpenRequest { .. } => false,
        }
    }

    /// The stage it serves.
    pub const fn stage(&self) -> Stage {
        match self {
            Self::RequestCollateral { .. } => Stage::Request,
            Self::ConfidentialFill { .. } | Self::ExpireRequest { .. } => Stage::Settle,
            Self::OpenRequest { .. } | Self::AttestRecovery { .. } | Self::ReportStatus { .. } => {
                Stage::Attest
            }
        }
    }
}

/// One report the DON is to sign and the forwarder to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Write {
    /// The tick that wants it.
    pub tick: u32,
    /// The contract's name in the workflow, for people: the call says which it is.
    pub contract: String,
    /// The call.
    pub call: Call,
    /// The enclave's signed word, [`Observed::signed`](crate::attest::Observed::signed), where the call rests
    /// on it: the receiver acts on nothing less. Empty elsewhere.
    pub observation: Vec<u8>,
    /// Above that of every write delivered before; receivers refuse an epoch they have passed.
    pub epoch: u64,
    /// After this instant receivers refuse it.
    pub expiry: Timestamp,
}

/// What the core asks of the world. Every effect is answered by exactly one event, in order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Effect {
    /// Have the enclave judge this tick's observations; answered by `Observed` or `Unobserved`.
    Observe {
        /// The tick.
        tick: u32,
    },
    /// Deliver a report; answered by `Written` or `Unwritten`.
    Write(Write),
    /// Have the enclave clear and prove the next round; answered by `Cleared`.
    Clear {
        /// The request.
        request: RequestId,
        /// The round, from 1.
        round: u32,
        /// The round's closing instant.
        closed_at: Timestamp,
    },
}
