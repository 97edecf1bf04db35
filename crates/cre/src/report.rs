//! What a DON signed: this one's, or another's that somebody sent.

#[cfg(feature = "verify")]
mod signed;

#[cfg(feature = "verify")]
pub use signed::{Don, Registry};

use crate::messages::sdk::{AttributedSignature, ReportRequest, ReportResponse};

/// Bytes of a report before its payload.
pub const HEADER_LEN: usize = 109;

/// A payload with the DON's header and signatures, ready for a forwarder.
///
/// It goes to a chain with [`evm::Client::write_report`](crate::evm::Client::write_report), and to anyone else by HTTP, from the
/// closure of each node:
///
/// ```
/// use cre::{Consensus, Error, Report, Runtime, http};
///
/// fn publish(runtime: &mut Runtime, report: &Report) -> Result<u32, Error> {
///     let post = |node: &cre::NodeRuntime| {
///         let request = http::Request::post("https://archive.example/reports", report.raw());
///         Ok(request.with_header("X-Context", hex(report.context())).send(node).wait()?.status_code)
///     };
///     runtime.run_in_node_mode(Consensus::identical(), |node| post(node)).wait()
/// }
/// # fn hex(bytes: &[u8]) -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() }
/// # let _ = publish;
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    response: ReportResponse,
}

impl Report {
    pub(crate) fn new(response: ReportResponse) -> Self {
        Self { response }
    }

    /// A report that somebody sent, as its parts. That its header reads says nothing of who signed it:
    /// `Registry::verify` of feature `verify` does.
    ///
    /// # Errors
    /// [`ReportError::Header`], [`ReportError::Version`].
    pub fn parse(
        raw: impl Into<Vec<u8>>,
        signatures: impl IntoIterator<Item = Vec<u8>>,
        context: impl Into<Vec<u8>>,
    ) -> Result<Self, ReportError> {
        let report_context = context.into();
        let report = Self::new(ReportResponse {
            config_digest: report_context.get(..32).unwrap_or_default().to_vec(),
            seq_nr: sequence(&report_context).unwrap_or_default().into(),
            report_context,
            raw_report: raw.into(),
            sigs: signatures
                .into_iter()
                .map(|signature| AttributedSignature { signature, signer_id: 0 })
                .collect(),
        });
        report.header()?;
        Ok(report)
    }

    /// Header and payload, the bytes that are signed.
    pub fn raw(&self) -> &[u8] {
        &self.response.raw_report
    }

    /// What is signed beside them: configuration and place in the DON's sequence, 96 bytes.
    pub fn context(&self) -> &[u8] {
        &self.response.report_context
    }

    /// What the workflow had signed; nothing of bytes that have no header.
    pub fn payload(&self) -> &[u8] {
        self.raw().get(HEADER_LEN..).unwrap_or_default()
    }

    /// Which execution of which workflow it is of.
    ///
    /// # Errors
    /// [`ReportError::Header`], [`ReportError::Version`].
    pub fn header(&self) -> Result<Header, ReportError> {
        Header::read(self.raw())
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

/// The number of the round that signed: big-endian in bytes 59 to 63 of a context, as OCR3 has it on EVM chains.
fn sequence(context: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*context.get(59..63)?.first_chunk()?))
}

/// The header of version 1, in order; numbers are big-endian.
///
/// Source: `KeystoneForwarder.sol` of `@chainlink/contracts` 1.5.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The execution that asked for the report.
    pub execution_id: [u8; 32],
    /// When, in Unix seconds.
    pub timestamp: u32,
    /// The DON that signed.
    pub don_id: u32,
    /// Which of its configurations.
    pub don_config_version: u32,
    /// The workflow.
    pub workflow_id: [u8; 32],
    /// The first ten hexadecimal digits, as text, of the SHA-256 of its name: 40 bits, so look at the owner too.
    pub workflow_name: [u8; 10],
    /// Whose it is.
    pub workflow_owner: [u8; 20],
    /// Which of an execution's reports.
    pub report_id: [u8; 2],
}

impl Header {
    fn read(raw: &[u8]) -> Result<Self, ReportError> {
        let header: &[u8; HEADER_LEN] =
            raw.first_chunk().ok_or(ReportError::Header { len: raw.len() })?;
        if header[0] != 1 {
            return Err(ReportError::Version { found: header[0] });
        }
        Ok(Self {
            execution_id: part::<1, 32>(header),
            timestamp: u32::from_be_bytes(part::<33, 4>(header)),
            don_id: u32::from_be_bytes(part::<37, 4>(header)),
            don_config_version: u32::from_be_bytes(part::<41, 4>(header)),
            workflow_id: part::<45, 32>(header),
            workflow_name: part::<77, 10>(header),
            workflow_owner: part::<87, 20>(header),
            report_id: part::<107, 2>(header),
        })
    }
}

fn part<const AT: usize, const LEN: usize>(header: &[u8; HEADER_LEN]) -> [u8; LEN] {
    let mut part = [0; LEN];
    part.copy_from_slice(&header[AT..AT + LEN]);
    part
}

/// Why bytes are no report of a DON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Too short for a header.
    #[error("a report has a header of {HEADER_LEN} bytes, and this one has {len} bytes in all")]
    Header {
        /// Its bytes.
        len: usize,
    },
    /// A header of another layout.
    #[error("the report's version is {found}, and 1 is known")]
    Version {
        /// Its first byte.
        found: u8,
    },
    /// Not enough nodes signed it.
    #[error("signed by {signers} nodes of DON {don_id}, and {needed} are needed{}", first(.refused))]
    Signatures {
        /// The DON of the header.
        don_id: u32,
        /// Different nodes of it that signed.
        signers: usize,
        /// One more than the nodes that may be faulty.
        needed: usize,
        /// What is wrong with the first signature that does not count.
        refused: Option<&'static str>,
    },
}

fn first(refused: &Option<&'static str>) -> String {
    refused.map_or_else(String::new, |reason| format!("; the first that does not count {reason}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_from_its_places() {
        let raw: Vec<u8> = [1].into_iter().chain(1..).take(HEADER_LEN + 2).collect();
        let report = Report::parse(raw, [], [0; 96]).unwrap();
        let header = report.header().unwrap();
        assert_eq!(header.execution_id[..2], [1, 2]);
        assert_eq!(header.timestamp, 0x21_22_23_24);
        assert_eq!(header.don_id, 0x25_26_27_28);
        assert_eq!(header.don_config_version, 0x29_2a_2b_2c);
        assert_eq!(header.workflow_id[0], 45);
        assert_eq!(header.workflow_name, [77, 78, 79, 80, 81, 82, 83, 84, 85, 86]);
        assert_eq!(header.workflow_owner[0], 87);
        assert_eq!(header.report_id, [107, 108]);
        assert_eq!(report.payload(), [109, 110]);
    }

    #[test]
    fn what_has_no_header_is_no_report() {
        let parse = |raw: Vec<u8>| Report::parse(raw, [], []).unwrap_err();
        for len in [0, 1, HEADER_LEN - 1] {
            assert_eq!(parse(vec![1; len]), ReportError::Header { len });
        }
        assert_eq!(parse(vec![2; HEADER_LEN]), ReportError::Version { found: 2 });
        assert!(Report::parse(vec![1; HEADER_LEN], [], []).is_ok());
    }

    #[test]
    fn the_sequence_is_where_ocr_has_it() {
        let mut context = [0; 96];
        context[59..63].copy_from_slice(&[1, 0x61, 0x2b, 0xcb]);
        assert_eq!(sequence(&context), Some(23_145_419));
        assert_eq!(sequence(&context[..62]), None);
    }
}
