//! The reads that a tick makes, and their answers.

use primitives::{CommitmentHash, Premium, RequestId, Timestamp};
use protocol::RequestStatus;
use protocol::abi::{Argument, Word, encode_call, number};

/// Calldata of a read that takes no argument, by signature.
pub(super) fn read(signature: &str) -> Vec<u8> {
    encode_call(signature, &[])
}

/// Calldata of `DarkPool.request(bytes32)`.
pub(super) fn read_request(id: RequestId) -> Vec<u8> {
    encode_call("request(bytes32)", &[Argument::Word(id.0)])
}

/// Calldata of `ConfidentialPoR.isObserved(bytes)`.
pub(super) fn read_observed(observation: &[u8]) -> Vec<u8> {
    encode_call("isObserved(bytes)", &[Argument::Bytes(observation)])
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
