//! What nodes sign and what a TEE attests, as Chainlink Confidential Compute has it.
//!
//! Every hash is SHA-256 over fields in order; `lp(x)` is the length of `x` in bytes as `u64` big-endian and
//! `x`, a list is its count as `u64` big-endian and its items. Sources: `types/types.go` of
//! chainlink-confidential-compute, `pkg/teeattestation/hash.go` of chainlink-common, `ragep2p/peeridhelper` of
//! libocr; the tests hold values that this code computed.

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

/// Before what is hashed.
const SEPARATOR: &[u8] = b"CONFIDENTIAL_COMPUTE_PAYLOAD";
/// Before what a workflow's nodes sign.
const REQUEST_SIGNED: &[u8] = b"CONFIDENTIAL_COMPUTE_PAYLOAD_";
/// Before what a relay's nodes sign.
const RELAY_SIGNED: &[u8] = b"CONFIDENTIAL_RELAY_PAYLOAD_";
/// The capability that runs workflows in a TEE.
pub const APP_ID: &str = "confidential-workflows@1.0.0-alpha";
/// The release whose requests bind their version; later ones bind the application's own id instead.
pub const VERSION_LEGACY: &str = "0.0.6";

/// Who may ask, and whose answers count. Measured: PCR2 is of its borsh encoding.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct EnclaveConfig {
    /// The nodes' ed25519 keys, in the order of the nodes.
    pub signers: Vec<[u8; 32]>,
    /// The vault's public key for threshold encryption; empty where there is no such vault, as here.
    pub master_public_key: Vec<u8>,
    /// Shares that open a secret; not used without a vault.
    pub t: u32,
    /// Faulty nodes tolerated: f + 1 signatures count.
    pub f: u32,
}

impl EnclaveConfig {
    /// Its hash, in every result.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = typed(b"\nEnclaveConfig\n");
        count(&mut hash, self.signers.len());
        for signer in &self.signers {
            lp(&mut hash, signer);
        }
        lp(&mut hash, &self.master_public_key);
        hash.update(self.t.to_be_bytes());
        hash.update(self.f.to_be_bytes());
        hash.finalize().into()
    }
}

/// What the nodes ask a TEE to run.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ComputeRequest {
    /// SHA-256 of the execution's id.
    pub request_id: [u8; 32],
    /// The workflow execution's id.
    pub application_request_id: String,
    /// `WorkflowExecution`, protobuf.
    pub public_data: Vec<u8>,
    /// Secrets sealed to the vault, by place.
    pub ciphertexts: Vec<Vec<u8>>,
    /// Their names.
    pub ciphertext_names: Vec<String>,
    /// The runner's key, to which answers with secrets are sealed.
    pub enclave_ephemeral_public_key: Vec<u8>,
    /// As in the configuration.
    pub master_public_key: Vec<u8>,
    /// [`APP_ID`].
    pub app_id: String,
    /// Of Confidential Compute.
    pub version: String,
}

impl ComputeRequest {
    /// What f + 1 nodes sign, behind [`signed_by_node`].
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = typed(b"\nComputeRequest\n");
        hash.update(self.request_id);
        lp(&mut hash, &self.public_data);
        count(&mut hash, self.ciphertext_names.len());
        for name in &self.ciphertext_names {
            lp(&mut hash, name.as_bytes());
        }
        count(&mut hash, self.ciphertexts.len());
        for ciphertext in &self.ciphertexts {
            lp(&mut hash, ciphertext);
        }
        lp(&mut hash, &self.enclave_ephemeral_public_key);
        lp(&mut hash, &self.master_public_key);
        lp(&mut hash, self.app_id.as_bytes());
        let last = if self.is_legacy() { &self.version } else { &self.application_request_id };
        lp(&mut hash, last.as_bytes());
        hash.finalize().into()
    }

    /// What the TEE attests of its answer to this request: `output` is what it returned, a
    /// `ConfidentialWorkflowResponse`.
    pub fn result(&self, output: &[u8], config: &EnclaveConfig) -> [u8; 32] {
        let mut hash = Sha256::new();
        // The only hash whose separator is not first.
        hash.update(self.request_id);
        hash.update(SEPARATOR);
        hash.update(b"\nExecuteResponse\n");
        lp(&mut hash, output);
        hash.update(config.hash());
        hash.update(self.hash());
        if !self.is_legacy() {
            lp(&mut hash, self.application_request_id.as_bytes());
        }
        hash.finalize().into()
    }

    fn is_legacy(&self) -> bool {
        self.version == VERSION_LEGACY
    }
}

/// What a TEE attests of anything else: `SHA-256(separator ‖ lp(tag) ‖ lp(data))`.
pub fn domain_hash(tag: &str, data: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(SEPARATOR);
    lp(&mut hash, tag.as_bytes());
    lp(&mut hash, data);
    hash.finalize().into()
}

/// The bytes that a workflow's node signs of a request, with ed25519.
pub fn signed_by_node(request_hash: &[u8; 32]) -> Vec<u8> {
    by_peer(REQUEST_SIGNED, request_hash)
}

/// The bytes that a relay's node signs of an answer, with ed25519.
pub fn signed_by_relay(response_hash: &[u8; 32]) -> Vec<u8> {
    by_peer(RELAY_SIGNED, response_hash)
}

/// As libocr separates what peers sign: RFC 8446's padding, a context, the lengths. Its form for messages of
/// over 1,024 bytes is not needed.
fn by_peer(domain: &[u8], message: &[u8; 32]) -> Vec<u8> {
    let mut bytes = vec![b' '; 64];
    bytes.extend_from_slice(b"ragep2p arbitrary message signing\0");
    bytes.extend_from_slice(&(domain.len() as u64).to_be_bytes());
    bytes.extend_from_slice(domain);
    bytes.push(0);
    bytes.extend_from_slice(&(message.len() as u64).to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// A hash of something of this type.
pub(crate) fn typed(name: &[u8]) -> Sha256 {
    Sha256::new().chain_update(SEPARATOR).chain_update(name)
}

pub(crate) fn count(hash: &mut Sha256, n: usize) {
    hash.update((n as u64).to_be_bytes());
}

pub(crate) fn lp(hash: &mut Sha256, bytes: &[u8]) {
    count(hash, bytes.len());
    hash.update(bytes);
}

#[cfg(test)]
pub(crate) mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    pub(crate) fn config() -> EnclaveConfig {
        EnclaveConfig {
            signers: vec![[1; 32], [2; 32], [3; 32], [4; 32]],
            master_public_key: b"master".to_vec(),
            t: 3,
            f: 1,
        }
    }

    fn request(version: &str) -> ComputeRequest {
        ComputeRequest {
            request_id: [9; 32],
            application_request_id: "execution".into(),
            public_data: b"public".to_vec(),
            ciphertexts: vec![b"c1".to_vec(), b"c2".to_vec()],
            ciphertext_names: vec!["n1".into(), "n2".into()],
            enclave_ephemeral_public_key: vec![5; 32],
            master_public_key: b"master".to_vec(),
            app_id: APP_ID.into(),
            version: version.into(),
        }
    }

    pub(crate) fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What Chainlink's own Go types give for these inputs.
    #[test]
    fn hashes_are_chainlinks() {
        assert_eq!(
            hex(&config().hash()),
            "956a57d3c452930f7cc9d0ea9c19c5f3e82fb5af8331f07a856353879e2bbf51"
        );
        let empty = EnclaveConfig { signers: vec![], master_public_key: vec![], t: 0, f: 0 };
        assert_eq!(
            hex(&empty.hash()),
            "51b3ba09600c9cb8b52529cfb0dddca24499661ec2f0ecfaef51747c93b2b078"
        );
        for (version, asked, answered) in [
            (
                VERSION_LEGACY,
                "9574856a87d70f73d7bb8f1e0d947fc23b5b3787c17612cad18cfb166a1bd973",
                "cba383970f59f5a8512e5fac0a51d9e8c5e7576030fd880f7bc0095c541fc506",
            ),
            (
                "0.0.7",
                "41d34807469a0d57ca2b544ad95c913af133e2d9ef2e5fd1740126820db27fac",
                "15f498319e0c6a8bb84add93b9a5b60868e8e35957b37609907d3b9973ca130c",
            ),
        ] {
            let request = request(version);
            assert_eq!(hex(&request.hash()), asked, "{version}");
            assert_eq!(hex(&request.result(b"output", &config())), answered, "{version}");
        }
        assert_eq!(
            hex(&domain_hash("TestTag", br#"{"key":"value"}"#)),
            "69b25f1b84c24423ed0d99b4bc2c5669232fc70b4fa94f302f452b8d7e526a62"
        );
    }

    #[test]
    fn signature_is_chainlinks() {
        let key = SigningKey::from_bytes(&[7; 32]);
        assert_eq!(
            hex(key.sign(&signed_by_node(&request(VERSION_LEGACY).hash())).to_bytes().as_slice()),
            "191cbca219c867ba21e7d74b0f91336706b1dcd94d7f7035e09dab1a4bfb6e9c\
             1cabc7eb9f33b9b5f521f7a3ec1ba57083382604c83b55a0e4f1369b0bfa0c05"
        );
    }

    #[test]
    fn every_field_of_a_request_is_bound() {
        let asked = request("0.0.7");
        let mut changed: Vec<ComputeRequest> = Vec::new();
        let mut with = |change: fn(&mut ComputeRequest)| {
            let mut other = asked.clone();
            change(&mut other);
            changed.push(other);
        };
        with(|r| r.request_id[0] ^= 1);
        with(|r| r.application_request_id.push('x'));
        with(|r| r.public_data.push(0));
        with(|r| r.ciphertexts.truncate(1));
        with(|r| r.ciphertext_names.swap(0, 1));
        with(|r| r.enclave_ephemeral_public_key[0] ^= 1);
        with(|r| r.master_public_key.clear());
        with(|r| r.app_id.push('x'));
        for other in changed {
            assert_ne!(other.hash(), asked.hash(), "{other:?}");
        }
    }
}
