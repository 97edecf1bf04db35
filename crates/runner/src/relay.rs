//! What a runner asks of the nodes while a workflow runs, in the form of Chainlink's relay DON.
//!
//! A request is JSON with its fields in this order; the TEE attests [`domain_hash`](crate::hash::domain_hash) of
//! those bytes. An answer is signed by each node over a hash of request and answer together, so that none can be
//! used for another request. Source: `confidentialrelay` of chainlink-common.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::hash::{EnclaveConfig, count, lp, typed};

/// Names a call of a capability, where it is attested.
pub const CAPABILITY: &str = "ConfidentialCapabilityExecute";
/// Names a request for secrets, where it is attested.
pub const SECRETS: &str = "ConfidentialSecretsGet";
/// The namespace of a secret that names none.
pub const NAMESPACE: &str = "main";

/// A call of a capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
pub struct CapabilityParams {
    /// Whose.
    #[serde(flatten)]
    pub of: Execution,
    /// The call's id inside the execution, decimal.
    pub reference_id: String,
    /// Which capability.
    pub capability_id: String,
    /// `CapabilityRequest`, protobuf, as base64.
    pub payload: String,
    /// The runner's configuration.
    pub enclave_config: Config,
}

/// A request for secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
pub struct SecretsParams {
    /// Whose.
    #[serde(flatten)]
    pub of: Execution,
    /// Which, in the order asked.
    pub secrets: Vec<SecretId>,
    /// The runner's key, hexadecimal: answers are sealed to it.
    pub enclave_public_key: String,
    /// The runner's configuration.
    pub enclave_config: Config,
}

/// Which execution of which workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, BorshSerialize, BorshDeserialize)]
pub struct Execution {
    /// The workflow's id, hexadecimal.
    pub workflow_id: String,
    /// Its owner's address: `0x` and 40 hexadecimal digits.
    pub owner: String,
    /// The execution's id.
    pub execution_id: String,
    /// Its organisation, if it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub org_id: String,
}

/// Which secret.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, BorshSerialize, BorshDeserialize,
)]
pub struct SecretId {
    /// Its name.
    pub key: String,
    /// Its namespace; never empty.
    pub namespace: String,
}

/// [`EnclaveConfig`] as the relay reads it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Config(pub EnclaveConfig);

impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json {
            signers: Vec<String>,
            master_public_key: String,
            t: u32,
            f: u32,
        }
        let EnclaveConfig { signers, master_public_key, t, f } = &self.0;
        Json {
            signers: signers.iter().map(|signer| STANDARD.encode(signer)).collect(),
            master_public_key: STANDARD.encode(master_public_key),
            t: *t,
            f: *f,
        }
        .serialize(serializer)
    }
}

/// A secret in an answer.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SecretEntry {
    /// Which.
    pub id: SecretId,
    /// `SecretResponse`, protobuf, sealed to the runner ([`crate::seal`]), as base64.
    pub ciphertext: String,
    /// Shares of its key; none here.
    pub encrypted_shares: Vec<String>,
}

impl CapabilityParams {
    /// What is attested.
    #[expect(clippy::missing_panics_doc, reason = "strings and integers are always JSON")]
    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and integers")
    }

    /// What a node signs of its answer: `Ok` with a `CapabilityResponse` as base64, or an error's text.
    pub fn answered(&self, result: Result<&str, &str>) -> [u8; 32] {
        let mut hash = typed(b"\nCapabilityResponseResult\n");
        self.of.write(&mut hash);
        for text in [&self.reference_id, &self.capability_id, &self.payload] {
            lp(&mut hash, text.as_bytes());
        }
        self.enclave_config.write(&mut hash);
        let (payload, error) = match result {
            Ok(payload) => (payload, ""),
            Err(error) => ("", error),
        };
        lp(&mut hash, payload.as_bytes());
        lp(&mut hash, error.as_bytes());
        hash.finalize().into()
    }
}

impl SecretsParams {
    /// What is attested.
    #[expect(clippy::missing_panics_doc, reason = "strings and integers are always JSON")]
    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and integers")
    }

    /// What a node signs of its answer. The order of the entries does not count.
    pub fn answered(&self, entries: &[SecretEntry]) -> [u8; 32] {
        let mut hash = typed(b"\nSecretsResponseResult\n");
        self.of.write(&mut hash);
        let by_namespace =
            |a: &&SecretId, b: &&SecretId| (&a.namespace, &a.key).cmp(&(&b.namespace, &b.key));
        let mut ids: Vec<&SecretId> = self.secrets.iter().collect();
        ids.sort_by(by_namespace);
        count(&mut hash, ids.len());
        for id in ids {
            id.write(&mut hash);
        }
        lp(&mut hash, self.enclave_public_key.as_bytes());
        self.enclave_config.write(&mut hash);
        let mut entries: Vec<&SecretEntry> = entries.iter().collect();
        entries.sort_by(|a, b| {
            by_namespace(&&a.id, &&b.id).then_with(|| a.ciphertext.cmp(&b.ciphertext))
        });
        count(&mut hash, entries.len());
        for entry in entries {
            entry.id.write(&mut hash);
            lp(&mut hash, entry.ciphertext.as_bytes());
            let mut shares: Vec<&String> = entry.encrypted_shares.iter().collect();
            shares.sort();
            count(&mut hash, shares.len());
            for share in shares {
                lp(&mut hash, share.as_bytes());
            }
        }
        hash.finalize().into()
    }
}

impl Execution {
    fn write(&self, hash: &mut Sha256) {
        for text in [&self.workflow_id, &self.owner, &self.execution_id, &self.org_id] {
            lp(hash, text.as_bytes());
        }
    }
}

impl SecretId {
    fn write(&self, hash: &mut Sha256) {
        lp(hash, self.key.as_bytes());
        lp(hash, self.namespace.as_bytes());
    }
}

impl Config {
    /// Not [`EnclaveConfig::hash`]: in full, and the signers sorted.
    fn write(&self, hash: &mut Sha256) {
        let EnclaveConfig { signers, master_public_key, t, f } = &self.0;
        let mut signers: Vec<&[u8; 32]> = signers.iter().collect();
        signers.sort();
        count(hash, signers.len());
        for signer in signers {
            lp(hash, signer);
        }
        lp(hash, master_public_key);
        hash.update(t.to_be_bytes());
        hash.update(f.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::domain_hash;
    use crate::hash::tests::hex;

    fn of() -> Execution {
        Execution {
            workflow_id: "wf".into(),
            owner: "0x00000000000000000000000000000000000000aA".into(),
            execution_id: "ex".into(),
            org_id: String::new(),
        }
    }

    fn config() -> Config {
        Config(EnclaveConfig {
            signers: vec![[2; 32], [1; 32]],
            master_public_key: b"master".to_vec(),
            t: 3,
            f: 1,
        })
    }

    /// What Chainlink's own Go types give for these inputs, as in the test below.
    #[test]
    fn call_is_chainlinks() {
        let params = CapabilityParams {
            of: of(),
            reference_id: "7".into(),
            capability_id: "evm:ChainSelector:1@1.0.0".into(),
            payload: "AAEC".into(),
            enclave_config: config(),
        };
        assert_eq!(
            String::from_utf8(params.json()).unwrap(),
            r#"{"workflow_id":"wf","owner":"0x00000000000000000000000000000000000000aA","execution_id":"ex","reference_id":"7","capability_id":"evm:ChainSelector:1@1.0.0","payload":"AAEC","enclave_config":{"signers":["AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=","AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="],"master_public_key":"bWFzdGVy","t":3,"f":1}}"#
        );
        assert_eq!(
            hex(&domain_hash(CAPABILITY, &params.json())),
            "d319a142908654b94ec48b93bceccac4e5330a31a66f1fbc41821a7ff9fc1fd2"
        );
        assert_eq!(
            hex(&params.answered(Ok("AwQ="))),
            "2895d43ea1fdfd9e9e81b4f42b66719e6e8b01500cc0bb3235b5e94a35cda6b6"
        );
        assert_eq!(
            hex(&params.answered(Err("no"))),
            "8831a5acb91adce63dc38520887202fe17b1df074463c9198b21981990e67234"
        );
    }

    #[test]
    fn request_for_secrets_is_chainlinks() {
        let id = |key: &str| SecretId { key: key.into(), namespace: "main".into() };
        let params = SecretsParams {
            of: of(),
            secrets: vec![id("b"), id("a")],
            enclave_public_key: hex(&[5; 32]),
            enclave_config: config(),
        };
        assert_eq!(
            hex(&domain_hash(SECRETS, &params.json())),
            "98a9e267f2d1c7a26484624835025d45c5fef0833bc09f85a506f278f9e287dd"
        );
        let entries = [
            SecretEntry {
                id: id("b"),
                ciphertext: "c".into(),
                encrypted_shares: vec!["s2".into(), "s1".into()],
            },
            SecretEntry { id: id("a"), ciphertext: "d".into(), encrypted_shares: vec![] },
        ];
        assert_eq!(
            hex(&params.answered(&entries)),
            "296d85f5a55ad8c795d05abf73bc9b1c814e86309c524bc3f4fd258f4ebf7708"
        );
    }
}
