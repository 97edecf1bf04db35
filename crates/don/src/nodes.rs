//! The nodes of a simulated DON: they agree on bytes, and sign what they agree on in the
//! `KeystoneForwarder`'s format.
//!
//! A payload is signed when more than (n + f) / 2 nodes produced it byte for byte (2f + 1 of 3f + 1: the
//! quorum of an OCR round, which two conflicting payloads cannot both reach), and travels with exactly f + 1
//! signatures (what the forwarder demands). Offsets, digests and signature form: the production report
//! recorded from a live DON is the pinned vector.

use cre::messages::sdk::{AttributedSignature, ReportResponse};
use k256::ecdsa::SigningKey;
use primitives::{Address, Timestamp, hex, keccak256, sha256};

/// Which workflow a DON runs, as receivers check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowIdentity {
    /// `sha256(owner ‖ name ‖ binary ‖ config ‖ secrets url)`, first byte zeroed.
    pub id: [u8; 32],
    /// First ten hexadecimal digits, as ASCII, of `sha256(name)`. Forty bits: never trusted alone.
    pub name: [u8; 10],
    /// Who deployed it.
    pub owner: Address,
}

impl WorkflowIdentity {
    /// Derives id and short name. `binary` is what runs (a WASM module, or, natively, the workflow's
    /// source), `config` what it is given. There are no secrets, so the secrets URL is empty.
    pub fn new(owner: Address, name: &str, binary: &[u8], config: &[u8]) -> Self {
        let mut id = sha256(&[&owner.0, name.as_bytes(), binary, config]);
        id[0] = 0;
        let digest = sha256(&[name.as_bytes()]);
        let hex = hex(&digest[..5]);
        let name = *hex.as_bytes().first_chunk().expect("five bytes are ten digits");
        Self { id, name, owner }
    }
}

/// The nodes' keys and how many of them may fail.
pub struct Don {
    signers: Vec<SigningKey>,
    f: usize,
    don_id: u32,
    config_version: u32,
    workflow: WorkflowIdentity,
}

impl core::fmt::Debug for Don {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "Don {{ n: {}, f: {} }}", self.signers.len(), self.f)
    }
}

/// Why there is no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{agreeing} nodes produced the same bytes, {quorum} are needed")]
pub struct NoQuorum {
    /// The largest group.
    pub agreeing: usize,
    /// More than (n + f) / 2.
    pub quorum: usize,
}

/// What the nodes agreed on, and who did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement<T> {
    /// The value.
    pub value: T,
    /// Indices of the nodes behind it, ascending.
    pub voters: Vec<usize>,
}

/// A report ready for `KeystoneForwarder.report`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedReport {
    /// Header and payload.
    pub raw_report: Vec<u8>,
    /// 96 bytes; hashed, not parsed, by the forwarder.
    pub context: Vec<u8>,
    /// f + 1 of `r ‖ s ‖ v`, v 0 or 1.
    pub signatures: Vec<Vec<u8>>,
    /// Index of the node behind each signature.
    pub signers: Vec<usize>,
    /// The OCR sequence number that `context` carries.
    pub sequence: u64,
}

impl SignedReport {
    /// As a workflow is given it.
    #[must_use]
    pub fn response(&self) -> ReportResponse {
        let sigs = self.signatures.iter().zip(&self.signers).map(|(signature, node)| {
            let signer_id = u32::try_from(*node).unwrap_or(u32::MAX);
            AttributedSignature { signature: signature.clone(), signer_id }
        });
        ReportResponse {
            config_digest: self.context[..32].to_vec(),
            seq_nr: self.sequence,
            report_context: self.context.clone(),
            raw_report: self.raw_report.clone(),
            sigs: sigs.collect(),
        }
    }
}

/// What a report says of its round. The nodes agree on it with the payload; here whoever drives the DON
/// decides, so that equal runs make equal reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Of the workflow execution. One delivery per execution, report id and receiver succeeds.
    pub execution_id: [u8; 32],
    /// Tells apart the reports of one execution, from 1.
    pub report_id: u16,
    /// Of the OCR round; the context has room for 32 bits of it.
    pub sequence: u64,
    /// The round's time.
    pub timestamp: Timestamp,
}

impl Don {
    /// A DON of `signers.len()` = n nodes of which `f` may fail.
    ///
    /// # Panics
    /// If n is not at least 3f + 1, which the deployment file's parser refuses first.
    pub fn new(
        signers: Vec<SigningKey>,
        f: usize,
        don_id: u32,
        config_version: u32,
        workflow: WorkflowIdentity,
    ) -> Self {
        assert!(f > 0 && signers.len() > 3 * f, "a DON needs more than 3f nodes");
        Self { signers, f, don_id, config_version, workflow }
    }

    /// How many nodes may fail.
    pub const fn f(&self) -> usize {
        self.f
    }

    /// Number of nodes.
    pub const fn n(&self) -> usize {
        self.signers.len()
    }

    /// Equal payloads needed: two groups of this size share an honest node.
    pub const fn quorum(&self) -> usize {
        (self.signers.len() + self.f) / 2 + 1
    }

    /// The nodes' addresses, for `KeystoneForwarder.setConfig`.
    pub fn addresses(&self) -> Vec<Address> {
        self.signers.iter().map(address).collect()
    }

    /// The workflow this DON runs.
    pub const fn workflow(&self) -> &WorkflowIdentity {
        &self.workflow
    }

    /// The value a quorum of nodes holds. `None` is a node that said nothing.
    ///
    /// # Errors
    /// [`NoQuorum`] with the size of the largest group.
    pub fn agree<T: PartialEq + Clone>(
        &self,
        values: &[Option<T>],
    ) -> Result<Agreement<T>, NoQuorum> {
        let voters = |value: &T| -> Vec<usize> {
            (0..values.len()).filter(|node| values[*node].as_ref() == Some(value)).collect()
        };
        let best = values
            .iter()
            .flatten()
            .map(|value| (value, voters(value)))
            .max_by_key(|(_, voters)| voters.len());
        let quorum = self.quorum();
        match best {
            Some((value, voters)) if voters.len() >= quorum => {
                Ok(Agreement { value: value.clone(), voters })
            }
            other => {
                Err(NoQuorum { agreeing: other.map_or(0, |(_, voters)| voters.len()), quorum })
            }
        }
    }

    /// The stamp of round `sequence`, whose execution id is derived from it: one report per execution.
    #[must_use]
    pub fn stamp(&self, sequence: u64, timestamp: Timestamp) -> Stamp {
        let execution_id =
            sha256(&[&b"cdpr/execution/v1"[..], &self.workflow.id, &sequence.to_be_bytes()]);
        Stamp { execution_id, report_id: 1, sequence, timestamp }
    }

    /// Signs an agreed payload with the first f + 1 of its voters.
    pub fn sign(&self, agreement: &Agreement<Vec<u8>>, stamp: &Stamp) -> SignedReport {
        let seconds = u32::try_from(stamp.timestamp.0).unwrap_or(u32::MAX);
        let raw_report = [
            &[1][..],
            &stamp.execution_id,
            &seconds.to_be_bytes(),
            &self.don_id.to_be_bytes(),
            &self.config_version.to_be_bytes(),
            &self.workflow.id,
            &self.workflow.name,
            &self.workflow.owner.0,
            &stamp.report_id.to_be_bytes(),
            &agreement.value,
        ]
        .concat();
        let context = self.context(stamp.sequence);
        let digest = report_digest(&raw_report, &context);
        let signers: Vec<usize> = agreement.voters.iter().take(self.f + 1).copied().collect();
        let signatures = signers.iter().map(|node| sign(&self.signers[*node], &digest)).collect();
        SignedReport { raw_report, context, signatures, signers, sequence: stamp.sequence }
    }

    /// OCR3's EVM form: config digest (type 0x000e), sequence number in bytes 59 to 62, zeros.
    fn context(&self, sequence: u64) -> Vec<u8> {
        let mut context = vec![0; 96];
        let digest = sha256(&[
            &b"cdpr/don-config/v1"[..],
            &self.don_id.to_be_bytes(),
            &self.config_version.to_be_bytes(),
        ]);
        context[..32].copy_from_slice(&digest);
        context[..2].copy_from_slice(&[0x00, 0x0e]);
        let sequence = u32::try_from(sequence).unwrap_or(u32::MAX);
        context[59..63].copy_from_slice(&sequence.to_be_bytes());
        context
    }
}

/// `keccak256(keccak256(raw report) ‖ context)`: no EIP-191 prefix.
pub fn report_digest(raw_report: &[u8], context: &[u8]) -> [u8; 32] {
    keccak256(&[&keccak256(&[raw_report]), context])
}

fn sign(signer: &SigningKey, digest: &[u8; 32]) -> Vec<u8> {
    let (signature, recovery) = signer.sign_prehash_recoverable(digest);
    let mut bytes = signature.to_bytes().to_vec();
    bytes.push(recovery.to_byte());
    bytes
}

/// The address that a forwarder knows a node by.
pub fn address(signer: &SigningKey) -> Address {
    primitives::secp256k1::address(signer.verifying_key())
}

#[cfg(test)]
mod tests {
    use evm::report::HEADER_LEN;
    use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};

    use super::*;

    fn don() -> Don {
        let signers = (1..=4).map(|i| SigningKey::from_slice(&[i; 32]).unwrap()).collect();
        let workflow = WorkflowIdentity::new(Address([7; 20]), "name", b"binary", b"config");
        Don::new(signers, 1, 1, 1, workflow)
    }

    #[test]
    fn one_liar_or_absentee_leaves_a_quorum_and_two_do_not() {
        let don = don();
        let (good, bad) = (Some(b"good".to_vec()), Some(b"bad".to_vec()));
        let agreed = don.agree(&[bad.clone(), good.clone(), good.clone(), good.clone()]).unwrap();
        assert_eq!(
            (agreed.value.as_slice(), agreed.voters.as_slice()),
            (&b"good"[..], &[1, 2, 3][..])
        );
        assert!(don.agree(&[None, good.clone(), good.clone(), good.clone()]).is_ok());
        let none = Err(NoQuorum { agreeing: 2, quorum: 3 });
        assert_eq!(don.agree(&[bad.clone(), bad, good.clone(), good.clone()]), none);
        assert_eq!(don.agree(&[None, None, good.clone(), good]), none);
    }

    #[test]
    fn a_report_has_the_forwarders_layout_and_f_plus_one_signatures() {
        let don = don();
        let agreement = Agreement { value: b"payload".to_vec(), voters: vec![0, 2, 3] };
        let report = don.sign(&agreement, &don.stamp(5, Timestamp(0x0102_0304)));
        assert_eq!(report.raw_report.len(), HEADER_LEN + 7);
        assert_eq!(report.raw_report[0], 1);
        assert_eq!(report.raw_report[33..37], [1, 2, 3, 4]);
        assert_eq!(report.raw_report[45..77], don.workflow.id);
        assert_eq!(report.raw_report[87..107], [7; 20]);
        assert_eq!(report.raw_report[HEADER_LEN..], *b"payload");
        assert_eq!(report.signatures.len(), 2);
        let digest = report_digest(&report.raw_report, &report.context);
        let recovered: Vec<Address> = report
            .signatures
            .iter()
            .map(|bytes| {
                let signature = Signature::from_slice(&bytes[..64]).unwrap();
                let recovery = RecoveryId::from_byte(bytes[64]).unwrap();
                let key =
                    VerifyingKey::recover_from_prehash(&digest, &signature, recovery).unwrap();
                let hash = keccak256(&[&key.to_sec1_point(false).as_bytes()[1..]]);
                Address(*hash[12..].first_chunk().unwrap())
            })
            .collect();
        assert_eq!(recovered, [don.addresses()[0], don.addresses()[2]]);
    }

    #[test]
    fn identity_is_the_recorded_rule() {
        let identity = WorkflowIdentity::new(Address([7; 20]), "name", b"binary", b"config");
        assert_eq!(identity.id[0], 0);
        // sha256("name") begins 82a3537ff0.
        assert_eq!(&identity.name, b"82a3537ff0");
    }
}
