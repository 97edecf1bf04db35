//! Calldata and answers, word by word: the seven calls and reads that the workflow makes do not justify an
//! ABI library in its module. A test compares every one with alloy's encoding.

use primitives::{Address, CommitmentHash, Premium, RequestId, Timestamp, keccak256};
use protocol::{Call, RequestStatus};

type Word = [u8; 32];

/// The calldata of a call.
pub fn calldata(call: &Call) -> Vec<u8> {
    match call {
        Call::RequestCollateral { encrypted_amount, premium, timeout } => encode(
            "requestCollateral(bytes32,uint256,uint256)",
            &[
                Argument::Word(encrypted_amount.0),
                Argument::Word(uint(premium.bps())),
                Argument::Word(uint(timeout.0)),
            ],
        ),
        Call::ConfidentialFill { request, zk_proof, tee_attestation } => encode(
            "confidentialFill(bytes32,bytes,bytes)",
            &[
                Argument::Word(request.0),
                Argument::Bytes(zk_proof),
                Argument::Bytes(tee_attestation),
            ],
        ),
        Call::ExpireRequest { request } => {
            encode("expireRequest(bytes32)", &[Argument::Word(request.0)])
        }
        Call::OpenRequest { request, status, salt } => encode(
            "openRequest(bytes32,uint8,uint256)",
            &[
                Argument::Word(request.0),
                Argument::Word(uint(*status as u8)),
                Argument::Word(*salt),
            ],
        ),
        Call::AttestRecovery { recovered, timestamp } => encode(
            "attestRecovery(bool,uint256)",
            &[Argument::Word(uint(u8::from(*recovered))), Argument::Word(uint(timestamp.0))],
        ),
        Call::ReportStatus { commitment } => {
            encode("reportStatus(bytes32)", &[Argument::Word(commitment.0)])
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
    arguments(&[
        Argument::Word(uint(chain_id)),
        Argument::Word(address(receiver)),
        Argument::Word(uint(epoch)),
        Argument::Word(uint(expiry.0)),
        Argument::Bytes(call),
        Argument::Bytes(observation),
    ])
}

/// Calldata of a read that takes no argument, by signature.
pub(super) fn read(signature: &str) -> Vec<u8> {
    encode(signature, &[])
}

/// Calldata of `DarkPool.request(bytes32)`.
pub(super) fn read_request(id: RequestId) -> Vec<u8> {
    encode("request(bytes32)", &[Argument::Word(id.0)])
}

/// Calldata of `ConfidentialPoR.isObserved(bytes)`.
pub(super) fn read_observed(observation: &[u8]) -> Vec<u8> {
    encode("isObserved(bytes)", &[Argument::Bytes(observation)])
}

/// `DarkPool.request`'s answer, as far as the workflow reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredRequest {
    /// Unix seconds.
    pub(super) opened: Timestamp,
    /// Unix seconds.
    pub(super) expires: Timestamp,
    /// Public cap.
    pub(super) premium: Premium,
    /// Rounds settled.
    pub(super) rounds: u32,
    /// As last written.
    pub(super) status: RequestStatus,
}

/// Reads `DarkPool.request`'s seven words. `None` where one is out of its range.
pub(super) fn stored_request(data: &[u8]) -> Option<StoredRequest> {
    let (words, []) = data.as_chunks::<32>() else { return None };
    let [_commitment, _status_commitment, opened, expires, premium, rounds, status] = words else {
        return None;
    };
    Some(StoredRequest {
        opened: Timestamp(number(opened)?),
        expires: Timestamp(number(expires)?),
        premium: Premium::new(number(premium)?.try_into().ok()?)?,
        rounds: number(rounds)?.try_into().ok()?,
        status: RequestStatus::from_number(number(status)?.try_into().ok()?)?,
    })
}

/// One word as a number of at most 64 bits.
pub(super) fn word_number(data: &[u8]) -> Option<u64> {
    number(data.as_array()?)
}

/// One word as it is.
pub(super) fn word(data: &[u8]) -> Option<Word> {
    data.try_into().ok()
}

/// One word as a commitment.
pub(super) fn word_commitment(data: &[u8]) -> Option<CommitmentHash> {
    word(data).map(CommitmentHash)
}

enum Argument<'a> {
    Word(Word),
    Bytes(&'a [u8]),
}

fn encode(signature: &str, arguments_: &[Argument<'_>]) -> Vec<u8> {
    let selector = &keccak256(&[signature.as_bytes()])[..4];
    [selector, &arguments(arguments_)].concat()
}

/// Heads, then tails: a dynamic argument's head is where its tail starts.
fn arguments(arguments: &[Argument<'_>]) -> Vec<u8> {
    let (mut heads, mut tails) = (Vec::new(), Vec::new());
    for argument in arguments {
        match argument {
            Argument::Word(word) => heads.extend(word),
            Argument::Bytes(bytes) => {
                heads.extend(uint((32 * arguments.len() + tails.len()) as u64));
                tails.extend(uint(bytes.len() as u64));
                tails.extend(*bytes);
                tails.resize(tails.len().next_multiple_of(32), 0);
            }
        }
    }
    [heads, tails].concat()
}

fn uint(value: impl Into<u64>) -> Word {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&value.into().to_be_bytes());
    word
}

fn address(address: Address) -> Word {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address.0);
    word
}

fn number(word: &Word) -> Option<u64> {
    let (zeros, low) = word.split_last_chunk::<8>()?;
    zeros.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(*low))
}
