//! The dark pool of a DON that has not registered it, over capabilities that every DON has: an HTTP action
//! asks the enclave's host, an ordinary `WriteReport` has the effect, and the EVM log of the pool is the
//! answer. Only messages and arithmetic, so that a guest can carry it.

use cre::messages::darkpool::{
    CHECK_RESERVES, CheckReservesRequest, CheckReservesResponse, CollateralRequest,
    GET_REQUEST_STATUS, GetRequestStatusRequest, GetRequestStatusResponse, RequestResponse,
};
use cre::messages::evm::{
    GetTransactionReceiptReply, GetTransactionReceiptRequest, Log, ReceiverContractExecutionStatus,
    TxStatus, WriteReportReply, WriteReportRequest,
};
use prost::Message;

use crate::{CapabilityError, Code, DarkPool};

/// Where the enclave's host serves a method: `POST`, protobuf in, protobuf out. An answer other than 200
/// carries a fault's text.
pub fn path(method: &str) -> String {
    format!("/darkpool/v1/{method}")
}

/// `keccak256("CollateralRequested(bytes32,address,bytes32,uint256,uint256,uint256)")`.
pub const COLLATERAL_REQUESTED: [u8; 32] = [
    0xdf, 0xc5, 0x34, 0xec, 0xb5, 0xcc, 0xcc, 0x3e, 0x90, 0x67, 0x4f, 0x8e, 0xd1, 0x1d, 0xb9, 0x08,
    0x56, 0xe0, 0x15, 0xc4, 0xcd, 0xea, 0x47, 0xb9, 0xad, 0xd0, 0x3f, 0x4c, 0x37, 0x73, 0x8c, 0xba,
];

/// Reaches the enclave's host; in a guest, the HTTP action inside a TEE handler.
pub trait Host {
    /// Posts `body` to `path` and returns status and body. Credentials are the implementor's.
    ///
    /// # Errors
    /// There was no answer.
    fn post(&mut self, path: &str, body: Vec<u8>) -> Result<(u32, Vec<u8>), CapabilityError>;
}

/// Reaches the chain; in a guest, the EVM capability.
pub trait Chain {
    /// Delivers a report.
    ///
    /// # Errors
    /// As the capability words them.
    fn write_report(
        &mut self,
        request: WriteReportRequest,
    ) -> Result<WriteReportReply, CapabilityError>;

    /// Reads a receipt.
    ///
    /// # Errors
    /// As the capability words them.
    fn receipt(
        &mut self,
        request: GetTransactionReceiptRequest,
    ) -> Result<GetTransactionReceiptReply, CapabilityError>;
}

/// The dark pool over its host and its chain.
#[derive(Debug, Clone)]
pub struct Fallback<H, C> {
    /// Asks the enclave.
    pub host: H,
    /// Has the effect.
    pub chain: C,
}

/// A `CollateralRequested` log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requested {
    /// The request's id.
    pub id: [u8; 32],
    /// The seed's `encryptedAmount`.
    pub encrypted_amount: [u8; 32],
    /// Unix seconds.
    pub opened: u64,
    /// First instant at which no round settles any more, Unix seconds.
    pub expires: u64,
}

/// Reads a log as `CollateralRequested` of this dark pool (20 bytes). `None` for any other log: anyone can
/// emit one like it, so the address is part of the question.
pub fn requested(log: &Log, dark_pool: &[u8]) -> Option<Requested> {
    let [signature, id, _issuer] = &log.topics[..] else { return None };
    if log.address != dark_pool || log.removed || *signature != COLLATERAL_REQUESTED {
        return None;
    }
    let (words, []) = log.data.as_chunks::<32>() else { return None };
    let [encrypted_amount, _premium, opened, expires] = words else { return None };
    let id = id[..].try_into().ok()?;
    let (opened, expires) = (seconds(opened)?, seconds(expires)?);
    Some(Requested { id, encrypted_amount: *encrypted_amount, opened, expires })
}

fn seconds(word: &[u8; 32]) -> Option<u64> {
    let (high, low) = word.split_last_chunk::<8>().map(|(high, low)| (high, *low))?;
    high.iter().all(|byte| *byte == 0).then(|| u64::from_be_bytes(low))
}

impl<H: Host, C: Chain> Fallback<H, C> {
    fn ask<A: Message + Default>(
        &mut self,
        method: &str,
        request: &impl Message,
    ) -> Result<A, CapabilityError> {
        let (status, body) = self.host.post(&path(method), request.encode_to_vec())?;
        if status != 200 {
            return Err(CapabilityError::parse(&String::from_utf8_lossy(&body)));
        }
        A::decode(&body[..]).map_err(|_| {
            CapabilityError::system(Code::Internal, "the host's answer does not decode")
        })
    }
}

impl<H: Host, C: Chain> DarkPool for Fallback<H, C> {
    type Error = CapabilityError;

    fn check_reserves(
        &mut self,
        request: CheckReservesRequest,
    ) -> Result<CheckReservesResponse, CapabilityError> {
        self.ask(CHECK_RESERVES, &request)
    }

    fn request_collateral(
        &mut self,
        request: CollateralRequest,
    ) -> Result<RequestResponse, CapabilityError> {
        let CollateralRequest { dark_pool, encrypted_amount, report, .. } = request;
        let write = WriteReportRequest { receiver: dark_pool.clone(), report, gas_config: None };
        let reply = self.chain.write_report(write)?;
        let refused = reply.receiver_contract_execution_status
            == Some(ReceiverContractExecutionStatus::Reverted as i32);
        let hash = match reply.tx_hash {
            Some(hash) if reply.tx_status == TxStatus::Success as i32 && !refused => hash,
            Some(_) | None => {
                let reason = reply.error_message.unwrap_or_default();
                let message = format!("the dark pool did not take the report: {reason}");
                return Err(CapabilityError::user(Code::FailedPrecondition, message));
            }
        };
        let reply = self.chain.receipt(GetTransactionReceiptRequest { hash })?;
        let logs = reply.receipt.map(|receipt| receipt.logs).unwrap_or_default();
        let opened = logs.iter().filter_map(|log| requested(log, &dark_pool));
        let mut ours = opened.filter(|event| event.encrypted_amount[..] == encrypted_amount);
        let Some(Requested { id, expires, .. }) = ours.next() else {
            let message = "the report opened no request for this commitment";
            return Err(CapabilityError::system(Code::Internal, message));
        };
        // Whoever asks for an open request's status makes the enclave acknowledge it.
        let request_id = id.to_vec();
        let asked = GetRequestStatusRequest { dark_pool, request_id: request_id.clone() };
        let GetRequestStatusResponse { status, .. } = self.get_request_status(asked)?;
        Ok(RequestResponse { request_id, status, expires_at: expires })
    }

    fn get_request_status(
        &mut self,
        request: GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, CapabilityError> {
        self.ask(GET_REQUEST_STATUS, &request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        let mut data = vec![0; 128];
        data[..32].fill(7);
        (data[95], data[126]) = (9, 1);
        let topics = vec![COLLATERAL_REQUESTED.to_vec(), vec![5; 32], vec![0; 32]];
        Log { address: vec![3; 20], topics, data, ..Log::default() }
    }

    #[test]
    fn a_log_is_read_only_if_the_pool_emitted_it_whole() {
        let expect = Requested { id: [5; 32], encrypted_amount: [7; 32], opened: 9, expires: 256 };
        assert_eq!(requested(&log(), &[3; 20]), Some(expect));
        assert_eq!(requested(&log(), &[4; 20]), None, "another contract");
        for spoil in [
            |log: &mut Log| log.removed = true,
            |log: &mut Log| log.topics[0][0] ^= 1,
            |log: &mut Log| log.topics.truncate(2),
            |log: &mut Log| log.topics[1].truncate(31),
            |log: &mut Log| log.data.truncate(127),
            |log: &mut Log| log.data.truncate(96),
            |log: &mut Log| log.data[96] = 1,
        ] {
            let mut spoilt = log();
            spoil(&mut spoilt);
            assert_eq!(requested(&spoilt, &[3; 20]), None);
        }
    }
}
