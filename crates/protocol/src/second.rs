//! What crosses the enclave's boundary in the second design of the pool, beside [`crate::wire`] until the world has
//! moved to it. What is the same there is not here: envelopes and statements look as they did, and so do answers.
//!
//! An enclave takes over from what the chain holds: it is shown every leaf, word and commitment, and a brief opens
//! the account and, if one is open, the request. So enclaves, keys and mandates follow one another while lines stand.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::{
    Address, Amount, Bytes32, CommitmentHash, Decode, Encode, Premium, Price, RequestId, Timestamp,
    keccak256,
};

use crate::abi::{address, uint};
use crate::detect::Policy;
use crate::mission::Schedule;
use crate::request::Escalation;
use crate::wire::{self, Word};
use crate::{Disclosure, RequestStatus};

/// Slots of one settlement, the circuit's N. Unused slots are dummies.
pub const SLOTS: usize = 8;

/// Places of orders in an order set. The tree has one more, the last: there is what the round was cleared under, so
/// that a round which is cleared again under anything else has another root, another context and other masks.
pub const PLACES: u64 = 1_023;

/// HPKE `info` of an order envelope; no `aad`. The plaintext is an [`Order`], padded to
/// [`wire::ENVELOPE_LEN`] less what sealing adds.
pub const ORDER_INFO: &[u8] = b"cdpr/order/v2";
/// HPKE `info` of the issuer's brief, a [`SignedBrief`]; no `aad`.
pub const BRIEF_INFO: &[u8] = b"cdpr/brief/v2";
/// HPKE `info` of a [`TickNotice`]; `aad` is the tick, four bytes big-endian.
pub const TICK_NOTICE_INFO: &[u8] = b"cdpr/tick-notice/v2";

/// The enclave's configuration, measured into PCR2: what it is configured to believe is part of what makers trust.
/// Lot and slot minimum are the mandate's.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Configuration {
    /// The chain it settles on.
    pub chain_id: u64,
    /// `DarkPool`: the venue.
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
    /// Less than this in all and a call fills nobody, unless less than this is missing.
    pub aggregate_min: Amount,
    /// No maker is filled for more than this share of the request in one call.
    pub share_max: Premium,
    /// The custodian's secp256k1 public key, SEC1 compressed.
    pub custodian: Vec<u8>,
    /// DON signers whose forwarder delivers reports.
    pub don: Vec<Address>,
    /// SHA-256 of the proving key of `clear` that it accepts.
    pub proving_key: Bytes32,
    /// When its key bundle stops being valid.
    pub not_after: Timestamp,
}

/// The issuer's brief, sealed to the enclave: openings of what the chain holds as commitments. It is taken only if
/// the chain, as far as it was shown, holds these very commitments; so a new one comes after whatever the enclave
/// cannot follow by itself: another mandate, another salt of the account.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct Brief {
    /// The registered mandate: `pool::second::mandate::Mandate::to_bytes`.
    pub mandate: Vec<u8>,
    /// The venue's account: `pool::second::account::Account::to_bytes`.
    pub account: Vec<u8>,
    /// The open request as it stands, `pool::request::Request::to_bytes`, if the enclave did not make it; it is not
    /// looked at while none is open, or by whoever knows it.
    pub request: Option<Vec<u8>>,
    /// X25519 key the issuer reads tick notices with.
    pub viewing_key: Word,
}

impl Brief {
    /// What the issuer's account signs: `keccak256("cdpr/brief/v2" ‖ enclave's X25519 key ‖ borsh(self))`.
    /// HPKE alone says nothing about who sealed, and whoever briefs an enclave reads what it observes.
    pub fn digest(&self, enclave: &Word) -> [u8; 32] {
        keccak256(&[b"cdpr/brief/v2", enclave, &primitives::encode(self)])
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

/// A maker's standing line: the opening of a locked note with its terms, which name the venue.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub struct Order {
    /// The note.
    pub note: LockedNote,
    /// Its terms: `pool::second::terms::Terms::to_bytes`.
    pub terms: Vec<u8>,
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
    /// Whether it is in the venue's tree, a change, and not in the entry tree.
    pub in_venue: bool,
    /// Leaf index there, below 2^32.
    pub index: u64,
}

/// What a maker is given for an envelope. The same envelope gets the same receipt for ever, whatever became of its
/// note; and every well-formed envelope gets one.
///
/// The order takes part in every round that closes at `since` or later and while its note stands: in a tree that was
/// shown, unspent, not announced before the closing, and the mandate's slot minimum or more. Its place in every
/// round's order set is [`Self::place`], of a note that was sent several times the newest receipt's. Places come round
/// after 1,023 envelopes: of two orders that stand at one place the larger note is in the set, of equal ones the older
/// receipt; whoever finds its place taken sends the order again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Receipt {
    /// Counts the envelopes this enclave took, from 0. It is the `receipt` inside the order's leaf.
    pub number: u64,
    /// Unix time of the newest block the enclave had been shown: the first round is the first that closes then or
    /// later.
    pub since: Timestamp,
    /// r ‖ s ‖ v, v 27 or 28, by the enclave's settlement key over [`Self::digest`].
    pub signature: Vec<u8>,
}

impl Receipt {
    /// The order's place in the sets of all rounds, below [`PLACES`].
    pub const fn place(&self) -> u64 {
        self.number % PLACES
    }

    /// What the enclave signs: `keccak256("cdpr/receipt/v2" ‖ chain id ‖ DarkPool ‖ SHA-256 of the envelope ‖ number
    /// ‖ since)`, numbers and the address as 32-byte big-endian words.
    pub fn digest(
        chain_id: u64,
        dark_pool: Address,
        envelope: &[u8],
        number: u64,
        since: Timestamp,
    ) -> Word {
        keccak256(&[
            b"cdpr/receipt/v2",
            &uint(chain_id),
            &address(dark_pool),
            &primitives::sha256(&[envelope]),
            &uint(number),
            &uint(since.0),
        ])
    }
}

/// What the issuer reads of a tick with its viewing key.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TickNotice {
    /// The transcript's private column.
    pub reading: wire::TickNotice,
    /// What the tick's deficit commits to, `pool::request::Request::to_bytes`: with it the issuer briefs another
    /// enclave while the request is open, and opens the request's status whoever is gone.
    pub request: Vec<u8>,
}

/// A block of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Block {
    /// Its number.
    pub number: u64,
    /// Its time.
    pub time: Timestamp,
}

/// What a log of the pool, the venue or the recovery's other contracts says, in our words. Of the pool all entry
/// leaves, spends and announcements, but accounts and settlements of the enclave's own venue only.
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
    /// A round settled: the venue's `Settled` with the `Cleared` of the pool that follows it.
    RoundSettled {
        /// The request.
        id: RequestId,
        /// The round, from 1.
        round: u32,
        /// What `getRequestStatus` says now: under sealed disclosure still pending.
        status: RequestStatus,
        /// What the pool's `Cleared` emits: digest and the values of `clear`, 51 words.
        posted: Vec<Word>,
    },
    /// A request expired unfilled.
    RequestExpired {
        /// The request.
        id: RequestId,
        /// Expired attempts since the last recovery, this one included.
        attempts: u8,
    },
    /// The issuer withdrew a request.
    RequestCancelled {
        /// The request.
        id: RequestId,
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
    /// A receiver carried a report out, whoever brought it.
    ReportExecuted {
        /// The report's: the receiver takes none of this epoch or below any more.
        epoch: u64,
    },
    /// The issuer registered a mandate.
    MandateRegistered {
        /// It.
        mandate: CommitmentHash,
    },
    /// The issuer moved the venue's account.
    AccountMoved {
        /// The pool's number: 1 open, 2 fund, 3 take back, 4 release, 5 re-salt.
        kind: u8,
        /// Base units of the asset that the kind moves.
        amount: Amount,
        /// Who got what was taken; zero if nothing was.
        recipient: Address,
        /// The account after.
        account: CommitmentHash,
    },
    /// Leaves entered the entry tree: the pool's `Absorbed`, with what had been queued.
    Absorbed {
        /// Index of the first, a multiple of 16, or of 64 if they are more than 16.
        index: u64,
        /// Commitments, big-endian scalars, at least 1 and at most 64. Zeros fill the batch up.
        leaves: Vec<Word>,
        /// The tree's root after.
        root: Word,
    },
    /// Notes were spent.
    Spent {
        /// Theirs, dummies included.
        nullifiers: [Word; 2],
    },
    /// A locked note's owner said that it leaves.
    Announced {
        /// The note's.
        nullifier: Word,
        /// When, Unix time, at least 2.
        time: Timestamp,
    },
}

/// What the parent may ask of the enclave. It answers with [`wire::Answer`]; [`wire::Reply::Receipt`] carries a
/// [`Receipt`], [`wire::Reply::Cleared`] a [`crate::event::Ready`] whose `zk_proof` is what version 2 of
/// `DarkPool.confidentialFill` decodes.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
pub enum Command {
    /// The configuration; must hash to what the platform measured.
    Configure(Vec<u8>),
    /// The proving key of `clear`; must hash to what the configuration names.
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
    /// A maker's envelope, [`wire::ENVELOPE_LEN`] bytes.
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
    /// The chain up to and including a block: every fact since the last one shown, in log order. From the pool's
    /// first block on for an enclave that was shown nothing. Telling a fact twice is harmless; leaving one out makes
    /// proofs that do not settle.
    ///
    /// Entry leaves may be held back until their minute is over: a root that another absorption of the same minute
    /// replaces on chain is one nobody can settle under.
    Inform {
        /// The newest block; it counts as final.
        block: Block,
        /// What happened.
        facts: Vec<Fact>,
    },
    /// Clear and prove a round, after a block later than its closing was shown. Asked again with other arguments
    /// the round before is void, which is right only once it can no longer settle.
    Clear {
        /// The request.
        request: RequestId,
        /// The round, from 1.
        round: u32,
        /// When it closed.
        closed_at: Timestamp,
        /// The oracle's answer at the closing.
        price: Price,
        /// The feed's round with this answer, below 2^80. It is passed on.
        price_round: u128,
        /// Where the pool keeps the root of the entry leaves that were shown, below 64. It is passed on.
        entry_slot: u8,
    },
}
