//! A report put to its receiver without a transaction: whether it would take it, and with how much gas.
//!
//! Source: `KeystoneForwarder` 1.0.0, whose artifact this repository has.

use alloy::primitives::{Address, Bytes, U256};
use alloy::providers::Provider;
use alloy::rpc::types::TransactionRequest;
use alloy::sol;
use alloy::sol_types::SolCall as _;
use alloy::transports::{RpcError, TransportError};

use crate::report::{HEADER_LEN, IReceiver, METADATA, SignedReport};

sol! {
    interface IERC165 {
        function supportsInterface(bytes4 interfaceId) external view returns (bool);
    }
}

/// How a receiver takes a report that is put to it without a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It would be carried out.
    Taken,
    /// It reverts, with this.
    Refused(Bytes),
    /// The gas does not do.
    OutOfGas,
}

/// Puts a report to a receiver as the forwarder would, without a transaction, on the latest block: `onReport`, with so
/// much gas for the receiver's own work, or as much as the node gives.
///
/// # Errors
/// If the chain cannot be asked.
pub async fn trial(
    provider: &impl Provider,
    forwarder: Address,
    receiver: Address,
    raw: &[u8],
    gas: Option<u64>,
) -> Result<Trial, TransportError> {
    let (metadata, report) = match raw.split_at_checked(HEADER_LEN) {
        Some((header, payload)) => (&header[METADATA], payload),
        None => (&raw[..0], raw),
    };
    let call = IReceiver::onReportCall {
        metadata: Bytes::copy_from_slice(metadata),
        report: Bytes::copy_from_slice(report),
    };
    let call = call.abi_encode();
    let mut request = TransactionRequest::default().from(forwarder).to(receiver);
    // A call pays for its calldata as a transaction does, and the forwarder's does not.
    request.gas = gas.map(|gas| gas.saturating_add(intrinsic_gas(&call)));
    match provider.call(request.input(call.into())).await {
        Ok(_) => Ok(Trial::Taken),
        Err(RpcError::ErrorResp(payload)) => {
            let message = payload.message.to_ascii_lowercase();
            match payload.as_revert_data() {
                Some(data) => Ok(Trial::Refused(data)),
                // Nodes leave out data that is empty.
                None if message.contains("revert") => Ok(Trial::Refused(Bytes::new())),
                None if message.contains("gas") => Ok(Trial::OutOfGas),
                None => Err(RpcError::ErrorResp(payload)),
            }
        }
        Err(error) => Err(error),
    }
}

/// Whether a contract says by ERC-165 that it takes reports. The forwarder asks before each delivery, and never again
/// delivers a report whose receiver does not.
///
/// # Errors
/// If the chain cannot be asked.
pub async fn is_receiver(
    provider: &impl Provider,
    receiver: Address,
) -> Result<bool, TransportError> {
    let ids = [
        (IERC165::supportsInterfaceCall::SELECTOR, true),
        ([0xff; 4], false),
        (IReceiver::onReportCall::SELECTOR, true),
    ];
    for (id, expected) in ids {
        let call = IERC165::supportsInterfaceCall { interfaceId: id.into() }.abi_encode();
        let mut request = TransactionRequest::default().to(receiver);
        request.gas = Some(ERC165_GAS + intrinsic_gas(&call));
        let says = match provider.call(request.input(call.into())).await {
            Ok(answer) => answer.len() >= 32 && U256::from_be_slice(&answer[..32]) == U256::ONE,
            Err(RpcError::ErrorResp(_)) => false,
            Err(error) => return Err(error),
        };
        if says != expected {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gas of one question of ERC-165. Source: the standard.
const ERC165_GAS: u64 = 30_000;

/// What `KeystoneForwarder` 1.0.0 keeps back for itself before it looks whether the rest suffices, and again before
/// the receiver's call. Source: its constants of these values.
const FORWARDER_KEEPS: u64 = 30_000;
/// The least that it goes on with, after [`FORWARDER_KEEPS`].
const FORWARDER_NEEDS: u64 = 130_000;
/// What it keeps back for after the receiver's call.
const FORWARDER_KEEPS_AFTER: u64 = 5_000;

/// Gas that it uses before it routes, by signature and by word of the raw report, and until the receiver is called,
/// ERC-165's three questions to a receiver that answers them at once included. Measured on the contract; a test
/// compares.
const BEFORE_ROUTE: u64 = 9_000;
const PER_SIGNATURE: u64 = 6_700;
const PER_WORD: u64 = 20;
const BEFORE_CALL: u64 = 33_000;

/// Gas that the forwarder leaves a receiver for a report, of a transaction's limit: that of the deployed forwarder,
/// `KeystoneForwarder` 1.0.0. `None` if it refuses to route at all.
///
/// An estimate, a few thousand too low rather than too high: a receiver's own answers to ERC-165 are its own affair.
#[must_use]
pub fn receiver_gas(report: &SignedReport, receiver: Address, gas_limit: u64) -> Option<u64> {
    let words = report.raw.len().div_ceil(32) as u64;
    let before_route =
        BEFORE_ROUTE + PER_SIGNATURE * report.signatures.len() as u64 + PER_WORD * words;
    let at_route =
        gas_limit.checked_sub(intrinsic_gas(&report.calldata(receiver)) + before_route)?;
    // A call takes at most 63 of 64 parts along (EIP-150); the forwarder calls itself.
    let at_route = at_route - at_route / 64;
    if at_route < FORWARDER_KEEPS + FORWARDER_NEEDS {
        return None;
    }
    let before_call = at_route - BEFORE_CALL;
    Some((before_call - FORWARDER_KEEPS_AFTER).min(before_call - before_call / 64))
}

/// What a transaction pays for being one: 21,000, and by byte of its calldata 16, or 4 where it is zero (EIP-2028).
fn intrinsic_gas(calldata: &[u8]) -> u64 {
    let bytes: u64 = calldata.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum();
    21_000 + bytes
}
