//! What crosses the enclave's boundary. Everything secret in here is sealed before it gets here: the
//! parent relays bytes it cannot read.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::{
    Address, Amount, Bytes32, Decode, Encode, Premium, Price, RequestId, Timestamp, keccak256,
};

use crate::Disclosure;
use crate::attest::Observed;
use crate::detect::Policy;
use crate::event::{Fact, Ready};
use crate::mission::Schedule;
use crate::request::Escalation;

/// A scalar or a key, 32 bytes, big-endian where it is a number.
pub type Word = [u8; 32];

/// Orders, and whatever else a maker sends, all look alike: one length.
pub const ENVELOPE_LEN: usize = 4_096;

/// The enclave's configuration, measured into PCR2: what it is configured to believe is part of what
/// makers trust.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Configuration {
    /// The chain it settles on.
    pub chain_id: u64,
    /// `DarkPool`.
    pub dark_pool: Address,
    /// `ShieldedPool`.
    pub shielded_pool: Address,
    /// `EnclaveRegistry`.
    pub registry: Address,
    /// The issuer it serves.
    pub issuer: Address,
    /// Collateral makers give.
    pub collateral: Address,
    /// What they receive.
    pub consideration: Address,
    /// Immediate or sealed.
    pub disclosure: Disclosure,
    /// When a shortfall exists.
    pub policy: Policy,
    /// The workflow's own premium.
    pub premium: Premium,
    /// Premium ladder.
    pub escalation: Escalation,
    /// When rounds close.
    pub schedule: Schedule,
    /// Fills are multiples of it.
    pub lot: Amount,
    /// Less than this in all and a call fills nobody, unless less than this is missing.
    pub aggregate_min: Amount,
    /// No maker is filled for more than this share of the request in one call.
    pub share_max: Premium,
    /// The custodian's secp256k1 public key, SEC1 compressed.
    pub custodian: Vec<u8>,
    /// DON signers whose forwarder delivers reports.
    pub don: Vec<Address>,
    /// SHA-256 of the proving key it accepts.
    pub proving_key: Bytes32,
    /// When its key bundle stops being valid.
    pub not_after: Timestamp,
}

/// The issuer's brief, sealed to the enclave: openings of what the chain holds as commitments.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct Brief {
    /// The mandate, in the pool's encoding.
    pub mandate: Vec<u8>,
    /// The position, in the pool's encoding.
    pub position: Vec<u8>,
    /// The consideration note the first settlement spends.
    pub consideration: LockedNote,
    /// X25519 key the issuer reads its notices with.
    pub viewing_key: Word,
}

impl Brief {
    /// What the issuer's account signs: `keccak256("cdpr/brief/v1" ‖ enclave's X25519 key ‖ borsh(self))`.
    /// HPKE alone says nothing about who sealed, and whoever briefs an enclave reads what it observes.
    pub fn digest(&self, enclave: &Word) -> [u8; 32] {
        keccak256(&[b"cdpr/brief/v1", enclave, &primitives::encode(self)])
    }
}

/// A brief with the issuer's signature.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct SignedBrief {
    /// The brief.
    pub brief: Brief,
    /// r ‖ s ‖ v, v 27 or 28, by the issuer's account over [`Brief::digest`].
    pub signature: Vec<u8>,
}

/// A maker's standing line: the opening of a locked note with its terms.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct Order {
    /// The note.
    pub note: LockedNote,
    /// Its terms, in the pool's encoding.
    pub terms: Vec<u8>,
    /// X25519 key the maker reads its fills with.
    pub viewing_key: Word,
}

/// What the enclave needs to spend a note into a settlement, and no more: without `ask` it cannot exit it.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct LockedNote {
    /// Base units.
    pub amount: Amount,
    /// `H(ak, ask)`.
    pub ak: Word,
    /// Nullifier secret of this line.
    pub nsk: Word,
    /// Note randomness.
    pub rho: Word,
    /// Leaf index.
    pub index: u64,
}

/// A custodian's statement for one node and tick, sealed to the enclave: borsh of the observation,
/// then the custodian's 64-byte ECDSA signature over its SHA-256.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct Statement {
    /// Borsh of a [`crate::detect::Observation`].
    pub observation: Vec<u8>,
    /// r ‖ s.
    pub signature: Vec<u8>,
}

/// HPKE `info` of an order envelope; no `aad`.
pub const ORDER_INFO: &[u8] = b"cdpr/order/v1";
/// HPKE `info` of the issuer's brief; no `aad`.
pub const BRIEF_INFO: &[u8] = b"cdpr/brief/v1";
/// HPKE `info` of a custodian's statement; `aad` is [`statement_aad`].
pub const STATEMENT_INFO: &[u8] = b"cdpr/statement/v1";
/// HPKE `info` of a tick notice; `aad` is the tick, four bytes big-endian.
pub const TICK_NOTICE_INFO: &[u8] = b"cdpr/tick-notice/v1";

/// Binds a statement to its tick and to the node it was made for, four bytes each, big-endian.
pub fn statement_aad(tick: u32, node_idx: u32) -> [u8; 8] {
    let mut aad = [0; 8];
    aad[..4].copy_from_slice(&tick.to_be_bytes());
    aad[4..].copy_from_slice(&node_idx.to_be_bytes());
    aad
}

/// What the issuer reads of a tick with its viewing key: the transcript's private column.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TickNotice {
    /// Coins outstanding.
    pub liabilities: Amount,
    /// Reserves net of haircuts, the position included.
    pub reserves: Amount,
    /// Collateral that recovery has brought.
    pub position: Amount,
    /// What is missing to the target.
    pub gap: Amount,
    /// The status bit.
    pub backed: bool,
}

/// What the parent may ask of the enclave.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub enum Command {
    /// The configuration; must hash to what the platform measured.
    Configure(Vec<u8>),
    /// The proving key; must hash to what the configuration names.
    ProvingKey(Vec<u8>),
    /// Sealed journal entries of an earlier life, in order.
    Restore(Vec<Vec<u8>>),
    /// An attestation document over the key bundle.
    Attest {
        /// Freshness challenge.
        nonce: Vec<u8>,
    },
    /// The issuer's brief, sealed.
    Brief(Vec<u8>),
    /// A maker's envelope, [`ENVELOPE_LEN`] bytes.
    Order(Vec<u8>),
    /// One tick's statements, one slot per DON node, each sealed.
    Observe {
        /// The tick.
        tick: u32,
        /// Its instant.
        now: Timestamp,
        /// What each node heard, if it heard anything.
        statements: Vec<Option<Vec<u8>>>,
    },
    /// What the chain says; telling it twice is harmless.
    Inform(Vec<Fact>),
    /// Close, clear and prove a round.
    Clear {
        /// The request.
        request: RequestId,
        /// The round, from 1.
        round: u32,
        /// When it closed.
        closed_at: Timestamp,
        /// The oracle's answer pinned for it.
        price: Price,
    },
}

/// The enclave's answer, with the sealed journal entry the parent must make durable before acting on it.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct Answer {
    /// A state-changing command, sealed to the measurement; nothing where state did not change.
    pub sealed: Option<Vec<u8>>,
    /// The reply.
    pub reply: Reply,
}

/// What it answers.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// An attestation.
    Attested {
        /// COSE_Sign1.
        document: Vec<u8>,
        /// Canonical key bundle.
        key_bundle: Vec<u8>,
    },
    /// A receipt for an envelope.
    Receipt(Vec<u8>),
    /// A tick's answer, with the settlement key's signature.
    Observed {
        /// The answer.
        observed: Observed,
        /// 65 bytes over [`Observed::digest`].
        signature: Vec<u8>,
    },
    /// Too few equal statements.
    Unobserved,
    /// A round, or nothing to clear.
    Cleared {
        /// Proof and attestation.
        ready: Option<Ready>,
        /// Wall-clock milliseconds of proving; not part of any journal.
        prove_ms: u64,
        /// Constraints of the circuit.
        constraints: u64,
    },
    /// Refused, and why: names what was wrong, never what was inside.
    Refused(String),
    /// Nothing was restored: an entry is not the next of a journal that was sealed to this measurement.
    NotRestored {
        /// Its number among those that came, from 0.
        entry: u64,
    },
}
