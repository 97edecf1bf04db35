//! What a settlement of the second venue is made of and bound to: `zkProof`, the data of contexts, the digest that an
//! enclave signs.

use alloy::primitives::aliases::U80;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol;
use alloy::sol_types::{SolStruct as _, SolType as _, SolValue as _, eip712_domain};
use pool::Fr;

use super::word;
use crate::decoding;

/// Version of the `zkProof` encoding.
pub const VERSION: u16 = 2;

/// Words that are posted of a round: the digest, the shared values, four of each slot.
pub const POSTED: usize = 51;

/// Slots in which the pool keeps roots of the entry tree.
pub const ENTRY_ROOTS: u8 = 64;

/// Where some of a round's values stand in what is posted. Source: `Values`.
pub mod at {
    /// Unix seconds.
    pub const CLOSED_AT: usize = 6;
    /// 0 immediate, 1 sealed.
    pub const DISCLOSURE: usize = 7;
    /// The account's commitment after.
    pub const ACCOUNT: usize = 11;
    /// The status left, a commitment under sealed disclosure.
    pub const STATUS: usize = 12;
}

sol! {
    struct Settlement {
        bytes32 requestId;
        uint64 round;
        bytes32 postedHash;
    }
}

/// `keccak256(abi.encode(request, round, closedAt, price, orderRoot))`: what the venue decides of a round, as it goes
/// into the context. `closed_at` is in Unix seconds, `price` has 8 decimals.
#[must_use]
pub fn round_data(request: B256, round: u64, closed_at: u64, price: u64, order_root: &Fr) -> B256 {
    let (closed_at, price) = (U256::from(closed_at), U256::from(price));
    keccak256((request, round, closed_at, price, word(order_root)).abi_encode())
}

/// `keccak256(abi.encode(recipient))`: what the venue decides of a move of its account. Zero where nothing is taken.
#[must_use]
pub fn account_data(recipient: Address) -> B256 {
    keccak256(recipient.abi_encode())
}

/// The EIP-712 digest that `teeAttestation` signs: domain CDPR, version 1, of the venue. It covers digest and values,
/// not the proof, whose bytes anyone can re-randomise.
#[must_use]
pub fn digest(
    chain_id: u64,
    dark_pool: Address,
    request: B256,
    round: u64,
    posted: &[U256; POSTED],
) -> B256 {
    let domain = eip712_domain! {
        name: "CDPR",
        version: "1",
        chain_id: chain_id,
        verifying_contract: dark_pool,
    };
    let posted_hash = keccak256(posted.abi_encode_packed());
    Settlement { requestId: request, round, postedHash: posted_hash }.eip712_signing_hash(&domain)
}

/// `abi.encode(uint16 version, uint80 priceRound, uint256 entrySlot, uint256[8] proof, uint256[] posted)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZkProof {
    /// The feed's round that was the newest at the closing.
    pub price_round: U80,
    /// Where the pool keeps the root of the entry tree that the proof is over, below [`ENTRY_ROOTS`].
    pub entry_slot: u8,
    /// In the order of EIP-197.
    pub proof: [U256; 8],
    /// Digest and values, in the order of the relation `clear`.
    pub posted: [U256; POSTED],
}

type ZkProofAbi = sol! { (uint16, uint80, uint256, uint256[8], uint256[]) };

/// Why bytes are not a `zkProof`.
#[derive(Debug, thiserror::Error)]
pub enum ZkProofError {
    /// Of a version this build does not know.
    #[error("zkProof version {version} is not supported, only {VERSION} is")]
    Version {
        /// The first word.
        version: U256,
    },
    /// They do not decode.
    #[error("the zkProof does not decode")]
    Abi(#[source] alloy::sol_types::Error),
    /// The pool keeps fewer roots.
    #[error("the zkProof names entry slot {slot}, the pool has {ENTRY_ROOTS}")]
    Slot {
        /// As found.
        slot: U256,
    },
    /// Not one digest and a round's values.
    #[error("the zkProof posts {len} words instead of {POSTED}")]
    Posted {
        /// As found.
        len: usize,
    },
}

impl ZkProof {
    /// The `zkProof` argument of `confidentialFill`.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let slot = U256::from(self.entry_slot);
        (VERSION, self.price_round, slot, self.proof, self.posted.to_vec())
            .abi_encode_params()
            .into()
    }

    /// # Errors
    /// See [`ZkProofError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ZkProofError> {
        let version =
            bytes.first_chunk::<32>().map_or(U256::ZERO, |word| U256::from_be_bytes(*word));
        if version != U256::from(VERSION) {
            return Err(ZkProofError::Version { version });
        }
        let (_, price_round, slot, proof, posted) =
            ZkProofAbi::abi_decode_params_with_config(bytes, decoding(bytes))
                .map_err(ZkProofError::Abi)?;
        let entry_slot = u8::try_from(slot).ok().filter(|slot| *slot < ENTRY_ROOTS);
        let entry_slot = entry_slot.ok_or(ZkProofError::Slot { slot })?;
        let posted = posted
            .try_into()
            .map_err(|posted: Vec<U256>| ZkProofError::Posted { len: posted.len() })?;
        Ok(Self { price_round, entry_slot, proof, posted })
    }

    /// The digest of the settlement it belongs to, see [`digest`].
    #[must_use]
    pub fn digest(&self, chain_id: u64, dark_pool: Address, request: B256, round: u64) -> B256 {
        digest(chain_id, dark_pool, request, round, &self.posted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof() -> ZkProof {
        ZkProof {
            price_round: U80::MAX,
            entry_slot: 63,
            proof: core::array::from_fn(U256::from),
            posted: core::array::from_fn(|at| U256::from(1_000 + at)),
        }
    }

    #[test]
    fn a_settlement_survives_encoding_and_its_malformations_are_named() {
        let encoded = proof().encode();
        assert_eq!(ZkProof::decode(&encoded).unwrap(), proof());
        // Five heads, of which the proof has eight words, then the length and the words.
        assert_eq!(encoded.len(), 32 * (3 + 8 + 1 + 1 + POSTED));

        let with = |at: usize, byte: u8| {
            let mut bytes = encoded.to_vec();
            bytes[at] = byte;
            ZkProof::decode(&bytes).map(|_| ()).map_err(|error| error.to_string())
        };
        let said = |words: &str| Err(words.to_owned());
        assert_eq!(with(31, 1), said("zkProof version 1 is not supported, only 2 is"));
        assert_eq!(with(95, 64), said("the zkProof names entry slot 64, the pool has 64"));
        let ZkProof { price_round, proof: words, posted, .. } = proof();
        let short = (VERSION, price_round, U256::from(63), words, posted[..50].to_vec());
        assert_eq!(
            ZkProof::decode(&short.abi_encode_params()).unwrap_err().to_string(),
            "the zkProof posts 50 words instead of 51"
        );
        assert_eq!(with(12 * 32 + 31, 52), said("the zkProof does not decode"));
        // A feed's round has 80 bits.
        assert_eq!(with(53, 1), said("the zkProof does not decode"));
        assert_eq!(
            ZkProof::decode(&[]).unwrap_err().to_string(),
            "zkProof version 0 is not supported, only 2 is"
        );
    }
}
