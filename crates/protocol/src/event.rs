//! Everything the world may tell the core. Public facts and ciphertexts only: the journal of events
//! can be published as it stands.

use primitives::{Bytes32, CommitmentHash, Decode, Encode, Premium, RequestId, Timestamp};

use crate::RequestStatus;
use crate::attest::Observed;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// The cron fired.
    Ticked {
        /// Numbered from 1.
        tick: u32,
    },
    /// A maker's sealed envelope reached the enclave, which signed a receipt for it.
    Ordered {
        /// The fixed-size envelope.
        envelope: Vec<u8>,
        /// The enclave's signed receipt.
        receipt: Vec<u8>,
    },
    /// The enclave answered a tick, and a quorum of nodes heard the same.
    Observed {
        /// What it said.
        observed: Observed,
        /// The enclave key's 65-byte signature over [`Observed::digest`]: whoever takes the event in checked it.
        signature: Vec<u8>,
    },
    /// No answer to a tick: too few equal observations.
    Unobserved {
        /// The tick.
        tick: u32,
    },
    /// A report's transaction is in a block.
    Written {
        /// The transaction's hash.
        transaction: Bytes32,
        /// Whether the receiver took it; a refused report may be sent again.
        delivered: bool,
        /// What changed since the node last looked, in log order: by others first, then by it.
        facts: Vec<Fact>,
    },
    /// No f + 1 signatures for one byte string: nothing was sent.
    Unwritten {
        /// Nodes behind the largest group of equal payloads.
        agreeing: u8,
    },
    /// The enclave finished a round, or had nothing to clear.
    Cleared {
        /// Proof and attestation, ready for `confidentialFill`: the seed's `dark_pool.fill_event`.
        ready: Option<Ready>,
    },
    /// Others acted on chain since the node last looked: between two ticks.
    Heard {
        /// What that changed, in log order.
        facts: Vec<Fact>,
    },
}

impl Event {
    /// What the chain's logs say in it.
    pub fn facts(&self) -> &[Fact] {
        match self {
            Self::Written { facts, .. } | Self::Heard { facts } => facts,
            Self::Ticked { .. }
            | Self::Ordered { .. }
            | Self::Observed { .. }
            | Self::Unobserved { .. }
            | Self::Unwritten { .. }
            | Self::Cleared { .. } => &[],
        }
    }
}

/// A round that awaits its settlement.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Ready {
    /// The request.
    pub request: RequestId,
    /// The round, from 1.
    pub round: u32,
    /// Versioned ABI of (proof, public inputs, ciphertexts).
    pub zk_proof: Vec<u8>,
    /// 65-byte EIP-712 signature.
    pub tee_attestation: Vec<u8>,
}

/// What a log says, in our words.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Fact {
    /// A request opened.
    RequestOpened {
        /// Its id.
        id: RequestId,
        /// The seed's `encryptedAmount`.
        commitment: CommitmentHash,
        /// Its public cap.
        premium: Premium,
        /// When.
        opened: Timestamp,
        /// Until when.
        expires: Timestamp,
    },
    /// A round settled.
    RoundSettled {
        /// The request.
        id: RequestId,
        /// The round, from 1.
        round: u32,
        /// What `getRequestStatus` says now: under sealed disclosure still pending.
        status: RequestStatus,
        /// The issuer's position after it.
        position: CommitmentHash,
    },
    /// A request expired unfilled.
    RequestExpired {
        /// The request.
        id: RequestId,
        /// Expired attempts since the last recovery, this one included.
        attempts: u8,
    },
    /// A sealed request was opened.
    RequestRevealed {
        /// The request.
        id: RequestId,
        /// How it ended.
        status: RequestStatus,
    },
    /// The one bit.
    RecoveryAttested {
        /// True while backed.
        recovered: bool,
    },
    /// A sealed status report.
    StatusReported {
        /// It.
        commitment: CommitmentHash,
    },
    /// The breaker halted minting.
    Halted,
    /// Leaves joined the tree.
    LeavesInserted {
        /// Index of the first.
        start: u64,
        /// Commitments, big-endian scalars; zero is an empty leaf.
        leaves: Vec<[u8; 32]>,
    },
    /// A receiver carried a report out, whoever brought it.
    ReportExecuted {
        /// The report's: the receiver takes none of this epoch or below any more.
        epoch: u64,
    },
}
