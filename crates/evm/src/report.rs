//! Reports of a DON, as the `KeystoneForwarder` takes them.
//!
//! A raw report is 109 bytes of header, then the payload: `version u8 = 1 ‖ execution id 32 ‖
//! timestamp u32 ‖ DON id u32 ‖ config version u32 ‖ workflow id 32 ‖ workflow name 10 ‖ workflow
//! owner 20 ‖ report id 2`, integers big-endian. Signatures are over `keccak256(keccak256(raw
//! report) ‖ context)`, without a prefix. The forwarder binds neither receiver nor chain, so
//! [`Payload`] does.
//!
//! Source: Chainlink's `KeystoneForwarder` 1.0.0 and a recorded production report, which a test
//! replays.

use core::fmt;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use alloy::providers::Provider;
use alloy::rpc::types::TransactionReceipt;
use alloy::sol;
use alloy::sol_types::{SolCall as _, SolError as _, SolType};
use alloy::transports::TransportError;

use crate::abi::{ConfidentialPoR, KeystoneForwarder};
use crate::decoding;
use crate::revert::Errors;
use crate::trial::{Trial, trial};

/// Bytes of a raw report before its payload.
pub const HEADER_LEN: usize = 109;

/// Bytes of a signature: r 32, s 32, v 1.
pub const SIGNATURE_LEN: usize = 65;

/// The header's bytes that a receiver is shown: workflow id, name, owner, report id.
pub(crate) const METADATA: std::ops::Range<usize> = 45..109;

sol! {
    interface IReceiver {
        function onReport(bytes metadata, bytes report) external;
    }
}

/// Why bytes are not a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Shorter than its header.
    #[error("a report of {len} bytes is shorter than its header of {HEADER_LEN}")]
    Short {
        /// Bytes.
        len: usize,
    },
    /// Not the version that the forwarder reads.
    #[error("report version {version} is not supported, only 1 is")]
    Version {
        /// First byte of the report.
        version: u8,
    },
    /// Calldata or payload does not decode.
    #[error("the {what} does not decode")]
    Abi {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: alloy::sol_types::Error,
    },
    /// The payload names a chain whose id no chain of ours can have.
    #[error("the payload's chain id {chain_id} exceeds 64 bits")]
    ChainId {
        /// As found.
        chain_id: U256,
    },
    /// A signature is not 65 bytes with v 0 or 1, or recovers no key.
    #[error("signature {idx} is malformed")]
    Signature {
        /// Its place in the report.
        idx: usize,
    },
}

/// The workflow a report comes from, as its header has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// SHA-256 over owner, name, code, configuration and secrets URL, its first byte zeroed.
    pub id: B256,
    /// First ten hexadecimal digits, in ASCII, of the name's SHA-256: 40 bits, never trusted alone.
    pub name: [u8; 10],
    /// Who deployed it.
    pub owner: Address,
}

/// A raw report, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One delivery to a receiver succeeds per execution and report id.
    pub execution_id: B256,
    /// Of the DON's round, Unix seconds.
    pub timestamp: u32,
    /// With `config_version`, selects the forwarder's set of signers.
    pub don_id: u32,
    /// See `don_id`.
    pub config_version: u32,
    /// What produced it.
    pub workflow: Workflow,
    /// Tells apart the reports of one execution.
    pub report_id: [u8; 2],
    /// For the receiver; ours is an encoded [`Payload`].
    pub payload: Bytes,
}

impl Report {
    /// Takes a raw report apart.
    ///
    /// # Errors
    /// If it is shorter than its header or of another version.
    pub fn parse(raw: &[u8]) -> Result<Self, ReportError> {
        let Some((header, payload)) = raw.split_first_chunk::<HEADER_LEN>() else {
            return Err(ReportError::Short { len: raw.len() });
        };
        let mut rest = &header[..];
        let [version] = take(&mut rest);
        if version != 1 {
            return Err(ReportError::Version { version });
        }
        Ok(Self {
            execution_id: B256::new(take(&mut rest)),
            timestamp: u32::from_be_bytes(take(&mut rest)),
            don_id: u32::from_be_bytes(take(&mut rest)),
            config_version: u32::from_be_bytes(take(&mut rest)),
            workflow: Workflow {
                id: B256::new(take(&mut rest)),
                name: take(&mut rest),
                owner: Address::new(take(&mut rest)),
            },
            report_id: take(&mut rest),
            payload: Bytes::copy_from_slice(payload),
        })
    }

    /// The raw report.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        [
            &[1],
            &self.execution_id[..],
            &self.timestamp.to_be_bytes(),
            &self.don_id.to_be_bytes(),
            &self.config_version.to_be_bytes(),
            &self.workflow.id[..],
            &self.workflow.name,
            &self.workflow.owner[..],
            &self.report_id,
            &self.payload,
        ]
        .concat()
        .into()
    }
}

/// What our receivers demand inside a report:
/// `abi.encode(uint256 chainId, address receiver, uint64 epoch, uint64 expiry, bytes call, bytes observation)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The contract meant.
    pub receiver: Address,
    /// Above that of every report the receiver has carried out.
    pub epoch: u64,
    /// Last block timestamp at which it may be carried out, Unix seconds.
    pub expiry: u64,
    /// Calldata with which the receiver calls itself.
    pub call: Bytes,
    /// The enclave's signed word that the call rests on; empty where it rests on none.
    pub observation: Bytes,
}

type PayloadAbi = sol! { (uint256, address, uint64, uint64, bytes, bytes) };

impl Payload {
    /// The bytes that nodes agree on.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let Self { chain_id, receiver, epoch, expiry, call, observation } = self;
        let (receiver, expiry) =
            (primitives::Address(receiver.0.0), primitives::Timestamp(*expiry));
        protocol::abi::payload(*chain_id, receiver, *epoch, expiry, call, observation).into()
    }

    /// # Errors
    /// If the bytes are not such an encoding, or the chain id exceeds 64 bits.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReportError> {
        let (chain_id, receiver, epoch, expiry, call, observation) =
            <PayloadAbi as SolType>::abi_decode_params_with_config(bytes, decoding(bytes))
                .map_err(|source| ReportError::Abi { what: "payload", source })?;
        let chain_id = chain_id.try_into().map_err(|_| ReportError::ChainId { chain_id })?;
        Ok(Self { chain_id, receiver, epoch, expiry, call, observation })
    }
}

/// A report with what the forwarder needs to believe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedReport {
    /// Header and payload.
    pub raw: Bytes,
    /// Hashed with the report; OCR3's is 96 bytes.
    pub context: Bytes,
    /// Each r ‖ s ‖ v, v 0 or 1, of distinct nodes, exactly f + 1 of them.
    pub signatures: Vec<Bytes>,
}

impl SignedReport {
    /// `keccak256(keccak256(raw) ‖ context)`.
    #[must_use]
    pub fn digest(&self) -> B256 {
        digest(&self.raw, &self.context)
    }

    /// Who signed, in the order of the signatures. Whether they are nodes of the DON, distinct and
    /// enough is for the caller to compare.
    ///
    /// # Errors
    /// [`ReportError::Signature`] for the first that recovers nobody.
    pub fn signers(&self) -> Result<Vec<Address>, ReportError> {
        let digest = self.digest();
        let recover = |bytes: &[u8]| {
            let (rs, [v @ (0 | 1)]) = bytes.split_last_chunk::<1>()? else { return None };
            let signature = Signature::from_bytes_and_parity(rs.first_chunk::<64>()?, *v == 1);
            (rs.len() == 64).then(|| signature.recover_address_from_prehash(&digest).ok())?
        };
        let signers = self.signatures.iter().enumerate();
        signers.map(|(idx, bytes)| recover(bytes).ok_or(ReportError::Signature { idx })).collect()
    }

    /// Calldata of `KeystoneForwarder.report` that delivers it.
    #[must_use]
    pub fn calldata(&self, receiver: Address) -> Bytes {
        KeystoneForwarder::reportCall {
            receiver,
            rawReport: self.raw.clone(),
            reportContext: self.context.clone(),
            signatures: self.signatures.clone(),
        }
        .abi_encode()
        .into()
    }

    /// Receiver and report of such calldata.
    ///
    /// # Errors
    /// If it is a call of something else or does not decode.
    pub fn decode(calldata: &[u8]) -> Result<(Address, Self), ReportError> {
        let call =
            KeystoneForwarder::reportCall::abi_decode_with_config(calldata, decoding(calldata))
                .map_err(|source| ReportError::Abi { what: "calldata", source })?;
        let KeystoneForwarder::reportCall { receiver, rawReport, reportContext, signatures } = call;
        Ok((receiver, Self { raw: rawReport, context: reportContext, signatures }))
    }
}

/// `keccak256(keccak256(raw report) ‖ context)`: what a node signs, without a prefix.
#[must_use]
pub fn digest(raw: &[u8], context: &[u8]) -> B256 {
    keccak256([&keccak256(raw)[..], context].concat())
}

/// What became of a report: `ReportProcessed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The contract called.
    pub receiver: Address,
    /// From the report's header.
    pub execution_id: B256,
    /// From the report's header.
    pub report_id: [u8; 2],
    /// Whether the receiver carried it out. If not, the transaction succeeds all the same, and the
    /// report may be delivered again.
    pub delivered: bool,
}

/// Reads the receipt of a `KeystoneForwarder.report`. `None` if the forwarder itself refused. What others log
/// in its words is not looked at.
#[must_use]
pub fn outcome(receipt: &TransactionReceipt, forwarder: Address) -> Option<Outcome> {
    receipt.logs().iter().filter(|log| log.address() == forwarder).find_map(|log| {
        let event = log.log_decode::<KeystoneForwarder::ReportProcessed>().ok()?.inner.data;
        Some(Outcome {
            receiver: event.receiver,
            execution_id: event.workflowExecutionId,
            report_id: event.reportId.0,
            delivered: event.result,
        })
    })
}

/// Whether a transaction, whoever sent it, had a receiver carry this report out.
#[must_use]
pub fn carries_out(
    receipt: &TransactionReceipt,
    forwarder: Address,
    receiver: Address,
    report: &Report,
) -> bool {
    let said = receipt.logs().iter().filter(|log| log.address() == forwarder);
    said.filter_map(|log| log.log_decode::<KeystoneForwarder::ReportProcessed>().ok()).any(|log| {
        let event = log.inner.data;
        event.result
            && event.receiver == receiver
            && event.workflowExecutionId == report.execution_id
            && event.reportId.0 == report.report_id
    })
}

/// What a receiver reverted with: by its name where that is known, else in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(pub Vec<u8>);

impl Reason {
    /// In words, with the errors of contracts that are known besides.
    #[must_use]
    pub fn words(&self, known: &Errors) -> String {
        let mut words = known.words(&self.0);
        if let Some(ahead) = self.ahead_of_block() {
            words.push_str(&format!(
                "; the report rests on an instant {} s after the block: set the DON's clock",
                ahead.as_secs()
            ));
        }
        words
    }

    /// How long before the instant that the report rests on the receiver's block was, if it was refused for that.
    #[must_use]
    pub fn ahead_of_block(&self) -> Option<Duration> {
        let error = ConfidentialPoR::ObservationOutOfTime::abi_decode(&self.0).ok()?;
        let ahead = error.timestamp.checked_sub(error.blockTimestamp)?;
        (!ahead.is_zero()).then(|| Duration::from_secs(ahead.saturating_to()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(&Errors::default()))
    }
}

/// Asks why a receiver refuses a report, which the forwarder does not say. `None` if it would be carried out, else what
/// it reverts with, which is nothing where it runs out of gas.
///
/// # Errors
/// If the chain cannot be asked.
pub async fn refusal(
    provider: &impl Provider,
    forwarder: Address,
    receiver: Address,
    raw: &[u8],
) -> Result<Option<Bytes>, TransportError> {
    Ok(match trial(provider, forwarder, receiver, raw, None).await? {
        Trial::Taken => None,
        Trial::Refused(data) => Some(data),
        Trial::OutOfGas => Some(Bytes::new()),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) =
        rest.split_first_chunk().expect("the header's length is the sum of its fields");
    *rest = tail;
    *head
}
