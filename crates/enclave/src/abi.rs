//! The few ABI encodings the enclave signs or binds. Written out, because an ABI library would be the
//! largest thing in the trusted base; the `evm` crate's encoder is the oracle they are tested against.

use pool::{Fr, field};
use primitives::{Address, RequestId, keccak256};
use protocol::abi::{WORD, Word, address, uint};
use protocol::wire::Configuration;

/// The tail of a `bytes[]`: length, offsets, then each item with its length, padded to words.
fn bytes_array(items: &[Vec<u8>]) -> Vec<u8> {
    let mut head = uint(items.len() as u64).to_vec();
    let mut tail = Vec::new();
    for item in items {
        head.extend(uint((items.len() * WORD + tail.len()) as u64));
        tail.extend(uint(item.len() as u64));
        tail.extend(item);
        tail.resize(tail.len().next_multiple_of(WORD), 0);
    }
    head.extend(tail);
    head
}

/// `abi.encode(uint16 1, uint256[8] proof, uint256[26] publicInputs, bytes[] ciphertexts)`.
pub(crate) fn zk_proof(proof: &[Word; 8], inputs: &[Word], ciphertexts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = uint(1u8).to_vec();
    out.extend(proof.as_flattened());
    out.extend(inputs.as_flattened());
    out.extend(uint((out.len() + WORD) as u64));
    out.extend(bytes_array(ciphertexts));
    out
}

/// `keccak256(abi.encode(chainid, dark pool, request, round)) >> 8`: what a settlement is bound to.
pub fn context(configuration: &Configuration, request: RequestId, round: u32) -> Fr {
    field::from_digest(&keccak256(&[
        &uint(configuration.chain_id),
        &address(configuration.dark_pool),
        &request.0,
        &uint(round),
    ]))
}

/// `keccak256(abi.encode(chainid, shielded pool)) >> 8`: which pool terms and mandates are for.
pub fn pool_id(configuration: &Configuration) -> Fr {
    field::from_digest(&keccak256(&[
        &uint(configuration.chain_id),
        &address(configuration.shielded_pool),
    ]))
}

/// The EIP-712 digest of a settlement: what `teeAttestation` signs. It covers public inputs and
/// ciphertexts, never the proof, whose bytes anyone can re-randomise.
pub fn settlement_digest(
    configuration: &Configuration,
    request: RequestId,
    round: u32,
    inputs: &[Word],
    ciphertexts: &[Vec<u8>],
) -> Word {
    let settlement = keccak256(&[
        &keccak256(&[b"Settlement(bytes32 requestId,uint64 round,bytes32 publicInputsHash,bytes32 ciphertextsHash)"]),
        &request.0,
        &uint(round),
        &keccak256(&[inputs.as_flattened()]),
        &keccak256(&[&uint(WORD as u64), &bytes_array(ciphertexts)]),
    ]);
    typed_digest(configuration.chain_id, configuration.dark_pool, &settlement)
}

/// EIP-712's digest of a struct's hash in the domain (`CDPR`, `1`, chain id, `DarkPool`).
pub(crate) fn typed_digest(chain_id: u64, dark_pool: Address, hash: &Word) -> Word {
    let domain = keccak256(&[
        &keccak256(&[
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
        ]),
        &keccak256(&[b"CDPR"]),
        &keccak256(&[b"1"]),
        &uint(chain_id),
        &address(dark_pool),
    ]);
    keccak256(&[&[0x19, 0x01], &domain, hash])
}
