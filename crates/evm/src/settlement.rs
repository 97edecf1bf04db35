//! What a settlement is made of and bound to: identifiers, `zkProof`, the digest an enclave signs.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::rpc::types::TransactionReceipt;
use alloy::sol;
use alloy::sol_types::{SolStruct as _, SolType as _, SolValue as _, eip712_domain};

use crate::abi::DarkPool;
use crate::decoding;

/// Number of public inputs of the clearing statement.
pub const PUBLIC_INPUTS: usize = 26;

/// Ciphertexts of a settlement: four slots and the issuer.
pub const CIPHERTEXTS: usize = 5;

/// Version of the `zkProof` encoding.
pub const VERSION: u16 = 1;

sol! {
    struct Settlement {
        bytes32 requestId;
        uint64 round;
        bytes32 publicInputsHash;
        bytes32 ciphertextsHash;
    }
}

/// `keccak256(abi.encode(chain id, dark pool, caller, nonce))`. The caller is the issuer; `nonce`
/// counts its earlier requests, from 0.
#[must_use]
pub fn request_id(chain_id: u64, dark_pool: Address, caller: Address, nonce: u64) -> B256 {
    keccak256((U256::from(chain_id), dark_pool, caller, U256::from(nonce)).abi_encode_params())
}

/// `keccak256(abi.encode(chain id, dark pool, request, round)) >> 8`, 248 bits and hence in field.
/// Rounds count from 1.
#[must_use]
pub fn context(chain_id: u64, dark_pool: Address, request: B256, round: u64) -> U256 {
    let bytes = (U256::from(chain_id), dark_pool, request, U256::from(round)).abi_encode_params();
    U256::from_be_bytes(keccak256(bytes).0) >> 8
}

/// `keccak256(abi.encode(chain id, shielded pool)) >> 8`, 248 bits: which pool terms and mandates
/// are for.
#[must_use]
pub fn pool_id(chain_id: u64, shielded_pool: Address) -> U256 {
    let bytes = (U256::from(chain_id), shielded_pool).abi_encode_params();
    U256::from_be_bytes(keccak256(bytes).0) >> 8
}

/// The EIP-712 digest that `teeAttestation` signs: domain CDPR, version 1, of the dark pool. It
/// covers public inputs and ciphertexts, not the proof, whose bytes anyone can re-randomise.
#[must_use]
pub fn digest(
    chain_id: u64,
    dark_pool: Address,
    request: B256,
    round: u64,
    public_inputs: &[U256; PUBLIC_INPUTS],
    ciphertexts: &[Bytes],
) -> B256 {
    let domain = eip712_domain! {
        name: "CDPR",
        version: "1",
        chain_id: chain_id,
        verifying_contract: dark_pool,
    };
    Settlement {
        requestId: request,
        round,
        publicInputsHash: keccak256(public_inputs.abi_encode_packed()),
        ciphertextsHash: keccak256(ciphertexts.abi_encode()),
    }
    .eip712_signing_hash(&domain)
}

/// `abi.encode(uint16 version, uint256[8] proof, uint256[26] publicInputs, bytes[] ciphertexts)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZkProof {
    /// In the order of EIP-197: A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y.
    pub proof: [U256; 8],
    /// In the order of the statement.
    pub public_inputs: [U256; PUBLIC_INPUTS],
    /// Of equal length: the slots' in order, then the issuer's.
    pub ciphertexts: [Bytes; CIPHERTEXTS],
}

type ZkProofAbi = sol! { (uint16, uint256[8], uint256[26], bytes[]) };

/// Why bytes are not a `zkProof`.
#[derive(Debug, thiserror::Error)]
pub enum ZkProofError {
    /// They do not decode.
    #[error("the zkProof does not decode")]
    Abi(#[source] alloy::sol_types::Error),
    /// Of a version this build does not know.
    #[error("zkProof version {version} is not supported, only {VERSION} is")]
    Version {
        /// As found.
        version: u16,
    },
    /// Not one ciphertext a slot and one for the issuer.
    #[error("the zkProof has {count} ciphertexts instead of {CIPHERTEXTS}")]
    Ciphertexts {
        /// As found.
        count: usize,
    },
}

impl ZkProof {
    /// The `zkProof` argument of `confidentialFill`.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        (VERSION, self.proof, self.public_inputs, self.ciphertexts.to_vec())
            .abi_encode_params()
            .into()
    }

    /// # Errors
    /// See [`ZkProofError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ZkProofError> {
        let (version, proof, public_inputs, ciphertexts) =
            ZkProofAbi::abi_decode_params_with_config(bytes, decoding(bytes))
                .map_err(ZkProofError::Abi)?;
        if version != VERSION {
            return Err(ZkProofError::Version { version });
        }
        let ciphertexts = ciphertexts
            .try_into()
            .map_err(|all: Vec<Bytes>| ZkProofError::Ciphertexts { count: all.len() })?;
        Ok(Self { proof, public_inputs, ciphertexts })
    }

    /// The digest of the settlement it belongs to, see [`digest`].
    #[must_use]
    pub fn digest(&self, chain_id: u64, dark_pool: Address, request: B256, round: u64) -> B256 {
        digest(chain_id, dark_pool, request, round, &self.public_inputs, &self.ciphertexts)
    }
}

/// One settled round, as the chain tells everyone: makers find their notes in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The dark pool.
    pub dark_pool: Address,
    /// The request.
    pub request: B256,
    /// From 1 within the request.
    pub round: u64,
    /// In the order of the statement.
    pub public_inputs: [U256; PUBLIC_INPUTS],
    /// The slots' in order, then the issuer's.
    pub ciphertexts: Vec<Bytes>,
}

/// The rounds settled in a transaction, in log order. Look at `dark_pool`: anyone can emit such a
/// log.
#[must_use]
pub fn settled(receipt: &TransactionReceipt) -> Vec<Settled> {
    let logs = receipt.logs().iter();
    logs.filter_map(|log| {
        let event = log.log_decode::<DarkPool::Settled>().ok()?.inner;
        Some(Settled {
            dark_pool: event.address,
            request: event.data.requestId,
            round: event.data.round,
            public_inputs: event.data.publicInputs,
            ciphertexts: event.data.ciphertexts,
        })
    })
    .collect()
}
