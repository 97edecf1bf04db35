//! What the DON signed.

use crate::messages::sdk::{ReportRequest, ReportResponse};

/// A payload with the DON's header and signatures, ready for a forwarder.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    response: ReportResponse,
}

impl Report {
    pub(crate) fn new(response: ReportResponse) -> Self {
        Self { response }
    }

    /// Header and payload, the bytes that are signed.
    pub fn raw(&self) -> &[u8] {
        &self.response.raw_report
    }

    /// The message, as it came.
    pub fn response(&self) -> &ReportResponse {
        &self.response
    }

    /// The message, as it came.
    pub fn into_response(self) -> ReportResponse {
        self.response
    }
}

impl From<Report> for ReportResponse {
    fn from(report: Report) -> Self {
        report.response
    }
}

/// What EVM forwarders check: secp256k1 signatures over Keccak-256.
pub(crate) fn evm(encoded_payload: Vec<u8>) -> ReportRequest {
    ReportRequest {
        encoded_payload,
        encoder_name: "evm".to_owned(),
        signing_algo: "ecdsa".to_owned(),
        hashing_algo: "keccak256".to_owned(),
    }
}
