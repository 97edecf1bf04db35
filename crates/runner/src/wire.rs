//! What crosses the runner's socket: one frame each way in turn, borsh.
//!
//! While an execution runs the turn is reversed: the runner asks, the host replies, until it is finished.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::hash::{ComputeRequest, EnclaveConfig};
use crate::relay::{CapabilityParams, SecretEntry, SecretsParams};

/// What a runner is configured with. PCR2 is of its borsh encoding.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Configuration {
    /// Whose signatures count.
    pub enclave: EnclaveConfig,
    /// How much a workflow may use.
    pub limits: Limits,
}

/// Which limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Limits {
    /// CRE's quotas.
    Production,
    /// The CRE simulator's.
    Simulator,
    /// None.
    Unlimited,
}

impl Configuration {
    /// What PCR2 measures.
    #[expect(clippy::missing_panics_doc, reason = "memory is always written to")]
    pub fn encode(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing to memory")
    }
}

/// From the host.
#[expect(clippy::large_enum_variant, reason = "one at a time, and soon taken apart")]
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ToRunner {
    /// First: the measured configuration. Answered by [`FromRunner::Configured`].
    Configure(Configuration),
    /// Run a workflow once.
    Execute {
        /// What was signed.
        request: ComputeRequest,
        /// By whom.
        signatures: Vec<Signed>,
        /// The module, raw or brotli. The request names the SHA-256 of these bytes.
        module: Vec<u8>,
    },
    /// The answer to [`FromRunner::Asked`].
    Reply(Reply),
}

/// From the runner.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum FromRunner {
    /// Ready.
    Configured {
        /// Answers with secrets are sealed to it; X25519.
        public_key: [u8; 32],
        /// Attests [`configured`] of it.
        document: Vec<u8>,
    },
    /// Asks for something, in the middle of an execution.
    Asked(Ask),
    /// The execution has a result.
    Finished {
        /// `ConfidentialWorkflowResponse`, protobuf.
        output: Vec<u8>,
        /// Attests [`ComputeRequest::result`].
        document: Vec<u8>,
        /// What the workflow logged. Not attested; a workflow that logs a secret has told it.
        lines: Vec<Line>,
    },
    /// Nothing was run, or it came to no result.
    Refused {
        /// Why, for people.
        reason: String,
        /// What the workflow logged until then.
        lines: Vec<Line>,
    },
}

/// What the runner asks for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Ask {
    /// Begin a call. Answered by [`Reply::Begun`].
    Call {
        /// In node mode.
        is_node_mode: bool,
        /// Which.
        params: CapabilityParams,
        /// Attests their JSON under [`CAPABILITY`](crate::relay::CAPABILITY).
        document: Vec<u8>,
    },
    /// Wait for a call that was begun. Answered by [`Reply::Answered`].
    Await {
        /// The call.
        callback_id: i32,
    },
    /// Secrets. Answered by [`Reply::Secrets`].
    Secrets {
        /// Which.
        params: SecretsParams,
        /// Attests their JSON under [`SECRETS`](crate::relay::SECRETS).
        document: Vec<u8>,
    },
    /// The time. Answered by [`Reply::Now`].
    Now {
        /// The node's own, not the DON's.
        is_node_mode: bool,
    },
}

/// What the nodes, or the host, reply. An `Err` is a text for the workflow.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Reply {
    /// Whether the call was accepted.
    Begun(Result<(), String>),
    /// What the capability answered.
    Answered {
        /// `CapabilityResponse`, protobuf, as base64.
        result: Result<String, String>,
        /// Over [`CapabilityParams::answered`].
        signatures: Vec<Signed>,
    },
    /// The secrets.
    Secrets {
        /// In the order asked.
        entries: Vec<SecretEntry>,
        /// Over [`SecretsParams::answered`].
        signatures: Vec<Signed>,
    },
    /// Unix nanoseconds.
    Now(Result<u64, String>),
    /// The nodes have no answer; why, for the workflow.
    Failed(String),
}

/// A node's ed25519 signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Signed {
    /// Its place in [`EnclaveConfig::signers`].
    pub node: u32,
    /// The signature.
    pub signature: [u8; 64],
}

/// A line that a workflow logged.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Line {
    /// In node mode.
    pub is_node_mode: bool,
    /// What.
    pub text: String,
}

/// What a runner attests when it is configured: its key, under its configuration.
pub fn configured(public_key: &[u8; 32], config: &EnclaveConfig) -> [u8; 32] {
    let mut bytes = public_key.to_vec();
    bytes.extend_from_slice(&config.hash());
    crate::hash::domain_hash("CdprRunnerConfigured", &bytes)
}

/// The bytes of a message.
#[expect(clippy::missing_panics_doc, reason = "memory is always written to")]
pub fn encode<M: BorshSerialize>(message: &M) -> Vec<u8> {
    borsh::to_vec(message).expect("writing to memory")
}

/// A message of these bytes, all of them; `None` if they are none.
pub fn decode<M: BorshDeserialize>(bytes: &[u8]) -> Option<M> {
    borsh::from_slice(bytes).ok()
}

/// Whether at least f + 1 distinct nodes signed these bytes. Signatures that are not theirs do not count, and do
/// no harm.
pub fn is_quorum(config: &EnclaveConfig, message: &[u8], signatures: &[Signed]) -> bool {
    let mut signers: Vec<u32> = signatures
        .iter()
        .filter(|signed| {
            let key = usize::try_from(signed.node).ok().and_then(|node| config.signers.get(node));
            let key = key.and_then(|key| ed25519_dalek::VerifyingKey::from_bytes(key).ok());
            let signature = ed25519_dalek::Signature::from_bytes(&signed.signature);
            key.is_some_and(|key| key.verify_strict(message, &signature).is_ok())
        })
        .map(|signed| signed.node)
        .collect();
    signers.sort_unstable();
    signers.dedup();
    signers.len() as u64 > u64::from(config.f)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    #[test]
    fn quorum_is_f_plus_1_distinct_nodes() {
        let keys: Vec<SigningKey> = (1..=4).map(|n| SigningKey::from_bytes(&[n; 32])).collect();
        let config = EnclaveConfig {
            signers: keys.iter().map(|key| key.verifying_key().to_bytes()).collect(),
            master_public_key: vec![],
            t: 0,
            f: 1,
        };
        let signed = |node: usize, by: usize| Signed {
            node: u32::try_from(node).unwrap(),
            signature: keys[by].sign(b"message").to_bytes(),
        };
        assert!(is_quorum(&config, b"message", &[signed(0, 0), signed(3, 3)]));
        assert!(is_quorum(
            &config,
            b"message",
            &[signed(0, 1), signed(9, 0), signed(1, 1), signed(2, 2)]
        ));
        for too_few in [
            vec![],
            vec![signed(0, 0)],
            vec![signed(0, 0), signed(0, 0)],
            vec![signed(0, 0), signed(1, 0)],
            vec![signed(0, 0), signed(9, 1)],
        ] {
            assert!(!is_quorum(&config, b"message", &too_few), "{too_few:?}");
        }
        assert!(!is_quorum(&config, b"other", &[signed(0, 0), signed(3, 3)]));
    }
}
