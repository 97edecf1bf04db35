//! Calldata and payloads in the contracts' ABI, word by word: the few encodings that nodes, the workflow's
//! module and the enclave make do not justify an ABI library, which would be the largest thing in the latter
//! two. The `evm` crate's tests compare every one with alloy's.
//!
//! Source: Solidity, "Contract ABI Specification", formal specification of the encoding.

use primitives::{Address, Timestamp, keccak256};

use crate::Call;

/// 32 bytes, big-endian.
pub type Word = [u8; WORD];

/// Bytes in a [`Word`].
pub const WORD: usize = 32;

/// An argument, as far as our contracts have them.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'a> {
    /// A static type of one word.
    Word(Word),
    /// `bytes`.
    Bytes(&'a [u8]),
}

/// The calldata of a call.
pub fn calldata(call: &Call) -> Vec<u8> {
    match call {
        Call::RequestCollateral { encrypted_amount, premium, timeout } => encode_call(
            "requestCollateral(bytes32,uint256,uint256)",
            &[
                Argument::Word(encrypted_amount.0),
                Argument::Word(uint(premium.bps())),
                Argument::Word(uint(timeout.0)),
            ],
        ),
        Call::ConfidentialFill { request, zk_proof, tee_attestation } => encode_call(
            "confidentialFill(bytes32,bytes,bytes)",
            &[
                Argument::Word(request.0),
                Argument::Bytes(zk_proof),
                Argument::Bytes(tee_attestation),
            ],
        ),
        Call::ExpireRequest { request } => {
            encode_call("expireRequest(bytes32)", &[Argument::Word(request.0)])
        }
        Call::OpenRequest { request, status, salt } => encode_call(
            "openRequest(bytes32,uint8,uint256)",
            &[
                Argument::Word(request.0),
                Argument::Word(uint(*status as u8)),
                Argument::Word(*salt),
            ],
        ),
        Call::AttestRecovery { recovered, timestamp } => encode_call(
            "attestRecovery(bool,uint256)",
            &[Argument::Word(uint(u8::from(*recovered))), Argument::Word(uint(timestamp.0))],
        ),
        Call::ReportStatus { commitment } => {
            encode_call("reportStatus(bytes32)", &[Argument::Word(commitment.0)])
        }
    }
}

/// What our receivers demand inside a report:
/// `abi.encode(uint256 chainId, address receiver, uint64 epoch, uint64 expiry, bytes call, bytes observation)`.
pub fn payload(
    chain_id: u64,
    receiver: Address,
    epoch: u64,
    expiry: Timestamp,
    call: &[u8],
    observation: &[u8],
) -> Vec<u8> {
    encode(&[
        Argument::Word(uint(chain_id)),
        Argument::Word(address(receiver)),
        Argument::Word(uint(epoch)),
        Argument::Word(uint(expiry.0)),
        Argument::Bytes(call),
        Argument::Bytes(observation),
    ])
}

/// Calldata of a function, by its signature: `request(bytes32)`.
pub fn encode_call(signature: &str, arguments: &[Argument<'_>]) -> Vec<u8> {
    let selector = &keccak256(&[signature.as_bytes()])[..4];
    [selector, &encode(arguments)].concat()
}

/// `abi.encode`: heads, then tails. A dynamic argument's head is where its tail starts.
pub fn encode(arguments: &[Argument<'_>]) -> Vec<u8> {
    let (mut heads, mut tails) = (Vec::new(), Vec::new());
    for argument in arguments {
        match argument {
            Argument::Word(word) => heads.extend(word),
            Argument::Bytes(bytes) => {
                heads.extend(uint((WORD * arguments.len() + tails.len()) as u64));
                tails.extend(uint(bytes.len() as u64));
                tails.extend(*bytes);
                tails.resize(tails.len().next_multiple_of(WORD), 0);
            }
        }
    }
    [heads, tails].concat()
}

/// An unsigned integer, or a boolean as 0 or 1.
pub fn uint(value: impl Into<u64>) -> Word {
    let mut word = [0; WORD];
    word[WORD - 8..].copy_from_slice(&value.into().to_be_bytes());
    word
}

/// An address.
pub fn address(address: Address) -> Word {
    let mut word = [0; WORD];
    word[WORD - 20..].copy_from_slice(&address.0);
    word
}

/// A word as a number of at most 64 bits.
pub fn number(word: &Word) -> Option<u64> {
    let (zeros, low) = word.split_last_chunk::<8>()?;
    zeros.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(*low))
}
