//! Attest: what the public is told, and in which form.

use primitives::{Address, CommitmentHash, Decode, Encode, Timestamp, keccak256};

use crate::abi::{WORD, Word, address, uint};
use crate::{Disclosure, RequestStatus};

/// The reserve status as the public sees it on a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Status {
    /// Immediate disclosure: the seed's boolean, true while backed.
    Backed(bool),
    /// Sealed disclosure: a commitment, alike on every tick.
    Sealed(CommitmentHash),
    /// Immediate disclosure, this tick's reserves below the threshold, and no shortfall yet: nothing is said. Else
    /// whoever sets an enclave back to before a shortfall would have it sign that the coin is backed.
    Undecided,
}

impl Status {
    /// The disclosure mode this form belongs to.
    pub const fn disclosure(&self) -> Disclosure {
        match self {
            Self::Backed(_) | Self::Undecided => Disclosure::Immediate,
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
    /// What the enclave's settlement key signs, and what contracts recover the signer from: EIP-712 in the
    /// domain (`CDPR`, `1`, chain id, `DarkPool`) over
    /// `Observation(uint32 tick,uint64 timestamp,uint8 attested,bytes32 status,bytes32 deficit,bytes32 answer)`,
    /// where `answer` is `keccak256("cdpr/observed/v1" ‖ borsh(self))`. So an answer counts for one pool, on one
    /// chain, for one tick and instant, and as a whole.
    pub fn digest(&self, chain_id: u64, dark_pool: &Address) -> [u8; 32] {
        let domain = keccak256(&[
            &keccak256(&[
                b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
            ]),
            &keccak256(&[b"CDPR"]),
            &keccak256(&[b"1"]),
            &uint(chain_id),
            &address(*dark_pool),
        ]);
        let typed = keccak256(&[
            b"Observation(uint32 tick,uint64 timestamp,uint8 attested,bytes32 status,bytes32 deficit,bytes32 answer)",
        ]);
        let observation = keccak256(&[&typed, self.words().as_flattened()]);
        keccak256(&[&[0x19, 0x01], &domain, &observation])
    }

    /// What a receiver is shown beside a call that rests on this answer: `abi.encode(Observation, bytes
    /// signature)`.
    pub fn signed(&self, signature: &[u8]) -> Vec<u8> {
        let words = self.words();
        let mut bytes = words.as_flattened().to_vec();
        bytes.extend(uint(WORD as u64 * (words.len() as u64 + 1)));
        bytes.extend(uint(signature.len() as u64));
        bytes.extend(signature);
        bytes.resize(bytes.len().next_multiple_of(WORD), 0);
        bytes
    }

    /// The bit this tick says in plain words, if it says one: immediate disclosure on every tick but an undecided
    /// one, sealed at an epoch's opening.
    pub fn attested(&self) -> Option<bool> {
        match self.status {
            Status::Backed(backed) => Some(backed),
            Status::Undecided => None,
            Status::Sealed(_) => self.opening.map(|opening| opening.recovered),
        }
    }

    /// The `Observation` of the contracts.
    fn words(&self) -> [Word; 6] {
        let status = match self.status {
            Status::Backed(_) | Status::Undecided => [0; WORD],
            Status::Sealed(commitment) => commitment.0,
        };
        let attested = self.attested().map_or(0, |recovered| 1 + u64::from(recovered));
        let answer = keccak256(&[b"cdpr/observed/v1", &primitives::encode(self)]);
        let (tick, now) = (uint(self.tick), uint(self.now.0));
        [tick, now, uint(attested), status, self.deficit.0, answer]
    }
}
