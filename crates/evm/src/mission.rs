//! The core's calls as calldata, and logs as the core's facts. Translation only: no rule lives
//! here.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::rpc::types::TransactionReceipt;
use alloy::sol_types::SolEvent;
use primitives::{CommitmentHash, Premium, RequestId, Timestamp};
use protocol::{Call, Fact, RequestStatus};

use crate::abi::{ConfidentialPoR, DarkPool, RecoveryGuard, ShieldedPool};
use crate::deploy::Deployment;
use crate::report;

/// Public input that carries the round's status.
const STATUS_INPUT: usize = 11;
/// Public input that commits to the position after the round.
const POSITION_INPUT: usize = 10;
/// Public input that says how it is disclosed: 0 immediate, 1 sealed.
const DISCLOSURE_INPUT: usize = 6;

/// The calldata of a call.
#[must_use]
pub fn calldata(call: &Call) -> Bytes {
    protocol::abi::calldata(call).into()
}

/// The contracts whose logs are facts. Anyone may deploy a contract that emits the same, and be called within
/// the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emitters {
    /// Says what became of a report.
    pub forwarder: Address,
    /// Says what became of requests and rounds.
    pub dark_pool: Address,
    /// Says which leaves there are.
    pub pool: Address,
    /// Says what was attested.
    pub por: Address,
    /// Counts attempts.
    pub guard: Address,
}

impl From<&Deployment> for Emitters {
    fn from(deployment: &Deployment) -> Self {
        let Deployment { forwarder, dark_pool, pool, por, guard, .. } = *deployment;
        Self { forwarder, dark_pool, pool, por, guard }
    }
}

/// What a report's transaction did to the mission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whether the receiver took it; the transaction itself succeeds either way.
    pub delivered: bool,
    /// What changed, in log order.
    pub facts: Vec<Fact>,
}

/// Reads the receipt of a `KeystoneForwarder.report`.
#[must_use]
pub fn delivery(receipt: &TransactionReceipt, emitters: &Emitters) -> Delivery {
    let outcome = report::outcome(receipt, emitters.forwarder);
    let delivered = outcome.is_some_and(|outcome| outcome.delivered);
    Delivery { delivered, facts: facts(receipt, emitters) }
}

/// The facts in a receipt's logs, in order. Logs that say nothing to the mission, and everybody else's, are
/// skipped.
#[must_use]
pub fn facts(receipt: &TransactionReceipt, emitters: &Emitters) -> Vec<Fact> {
    receipt.logs().iter().filter_map(|log| fact(log.topic0()?, &log.inner, emitters)).collect()
}

fn fact(topic: &B256, log: &alloy::primitives::Log, emitters: &Emitters) -> Option<Fact> {
    let word = |value: U256| value.to_be_bytes::<32>();
    if !may_say(topic, log.address, emitters) {
        return None;
    }
    Some(match *topic {
        DarkPool::CollateralRequested::SIGNATURE_HASH => {
            let event = DarkPool::CollateralRequested::decode_log(log).ok()?.data;
            Fact::RequestOpened {
                id: RequestId(event.requestId.0),
                commitment: CommitmentHash(event.encryptedAmount.0),
                premium: Premium::new(event.premiumBps.try_into().ok()?)?,
                opened: Timestamp(event.opened.try_into().ok()?),
                expires: Timestamp(event.expires.try_into().ok()?),
            }
        }
        DarkPool::Settled::SIGNATURE_HASH => {
            let event = DarkPool::Settled::decode_log(log).ok()?.data;
            let status = if event.publicInputs[DISCLOSURE_INPUT].is_zero() {
                RequestStatus::from_number(event.publicInputs[STATUS_INPUT].try_into().ok()?)?
            } else {
                RequestStatus::Pending
            };
            Fact::RoundSettled {
                id: RequestId(event.requestId.0),
                round: event.round.try_into().ok()?,
                status,
                position: CommitmentHash(word(event.publicInputs[POSITION_INPUT])),
            }
        }
        RecoveryGuard::AttemptFailed::SIGNATURE_HASH => {
            let event = RecoveryGuard::AttemptFailed::decode_log(log).ok()?.data;
            Fact::RequestExpired {
                id: RequestId(event.requestId.0),
                attempts: event.attempts.try_into().ok()?,
            }
        }
        RecoveryGuard::Halted::SIGNATURE_HASH => Fact::Halted,
        DarkPool::RequestOpened::SIGNATURE_HASH => {
            let event = DarkPool::RequestOpened::decode_log(log).ok()?.data;
            Fact::RequestRevealed {
                id: RequestId(event.requestId.0),
                status: RequestStatus::from_number(event.status)?,
            }
        }
        ConfidentialPoR::RecoveryAttested::SIGNATURE_HASH => Fact::RecoveryAttested {
            recovered: ConfidentialPoR::RecoveryAttested::decode_log(log).ok()?.data.recovered,
        },
        ConfidentialPoR::StatusReported::SIGNATURE_HASH => Fact::StatusReported {
            commitment: CommitmentHash(
                ConfidentialPoR::StatusReported::decode_log(log).ok()?.data.statusCommitment.0,
            ),
        },
        ShieldedPool::LeavesInserted::SIGNATURE_HASH => {
            let event = ShieldedPool::LeavesInserted::decode_log(log).ok()?.data;
            Fact::LeavesInserted {
                start: event.startIndex.try_into().ok()?,
                leaves: event.leaves.into_iter().map(word).collect(),
            }
        }
        ShieldedPool::Deposited::SIGNATURE_HASH => {
            let event = ShieldedPool::Deposited::decode_log(log).ok()?.data;
            Fact::LeavesInserted {
                start: event.index.try_into().ok()?,
                leaves: vec![word(event.cm)],
            }
        }
        DarkPool::ReportExecuted::SIGNATURE_HASH => Fact::ReportExecuted {
            epoch: DarkPool::ReportExecuted::decode_log(log).ok()?.data.epoch,
        },
        _ => return None,
    })
}

/// Whether what this contract says is a fact.
fn may_say(topic: &B256, address: Address, emitters: &Emitters) -> bool {
    let Emitters { dark_pool, pool, por, guard, .. } = *emitters;
    match *topic {
        DarkPool::CollateralRequested::SIGNATURE_HASH
        | DarkPool::Settled::SIGNATURE_HASH
        | DarkPool::RequestOpened::SIGNATURE_HASH => address == dark_pool,
        RecoveryGuard::AttemptFailed::SIGNATURE_HASH | RecoveryGuard::Halted::SIGNATURE_HASH => {
            address == guard
        }
        ConfidentialPoR::RecoveryAttested::SIGNATURE_HASH
        | ConfidentialPoR::StatusReported::SIGNATURE_HASH => address == por,
        ShieldedPool::LeavesInserted::SIGNATURE_HASH | ShieldedPool::Deposited::SIGNATURE_HASH => {
            address == pool
        }
        DarkPool::ReportExecuted::SIGNATURE_HASH => [dark_pool, por].contains(&address),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::SolCall as _;
    use primitives::Duration;

    use super::*;

    /// Every call, with byte strings around the word boundary.
    fn calls() -> Vec<Call> {
        let request = RequestId([0x11; 32]);
        let fill = |proof_len: usize, signature_len: usize| Call::ConfidentialFill {
            request,
            zk_proof: (0..proof_len).map(|i| u8::try_from(i % 251).expect("below 251")).collect(),
            tee_attestation: vec![0x77; signature_len],
        };
        vec![
            Call::RequestCollateral {
                encrypted_amount: CommitmentHash([0x22; 32]),
                premium: Premium::new(800).expect("8 %"),
                timeout: Duration(3_600),
            },
            fill(0, 0),
            fill(31, 65),
            fill(32, 64),
            fill(33, 1),
            fill(3_000, 65),
            Call::ExpireRequest { request },
            Call::OpenRequest { request, status: RequestStatus::Filled, salt: [0x33; 32] },
            Call::AttestRecovery { recovered: true, timestamp: Timestamp(1_678_464_000) },
            Call::AttestRecovery { recovered: false, timestamp: Timestamp(0) },
            Call::ReportStatus { commitment: CommitmentHash([0x44; 32]) },
        ]
    }

    /// The same by alloy, from the contracts' artifacts.
    fn by_alloy(call: &Call) -> Vec<u8> {
        match call {
            Call::RequestCollateral { encrypted_amount, premium, timeout } => {
                DarkPool::requestCollateralCall {
                    encryptedAmount: B256::from(encrypted_amount.0),
                    premiumBps: U256::from(premium.bps()),
                    timeout: U256::from(timeout.0),
                }
                .abi_encode()
            }
            Call::ConfidentialFill { request, zk_proof, tee_attestation } => {
                DarkPool::confidentialFillCall {
                    requestId: B256::from(request.0),
                    zkProof: zk_proof.clone().into(),
                    teeAttestation: tee_attestation.clone().into(),
                }
                .abi_encode()
            }
            Call::ExpireRequest { request } => {
                DarkPool::expireRequestCall { requestId: B256::from(request.0) }.abi_encode()
            }
            Call::OpenRequest { request, status, salt } => DarkPool::openRequestCall {
                requestId: B256::from(request.0),
                status: *status as u8,
                salt: U256::from_be_bytes(*salt),
            }
            .abi_encode(),
            Call::AttestRecovery { recovered, timestamp } => ConfidentialPoR::attestRecoveryCall {
                recovered: *recovered,
                timestamp: U256::from(timestamp.0),
            }
            .abi_encode(),
            Call::ReportStatus { commitment } => {
                ConfidentialPoR::reportStatusCall { statusCommitment_: B256::from(commitment.0) }
                    .abi_encode()
            }
        }
    }

    #[test]
    fn every_call_is_encoded_as_alloy_does() {
        for call in calls() {
            assert_eq!(calldata(&call).to_vec(), by_alloy(&call), "{}", call.function());
        }
    }
}
