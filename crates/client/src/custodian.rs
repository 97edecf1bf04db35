//! The custodian: signs what it holds, and seals one statement to the enclave for each node that relays.

use core::fmt;

use k256::ecdsa::signature::Signer as _;
use k256::ecdsa::{Signature, SigningKey};
use pool::seal;
use primitives::encode;
use protocol::detect::Observation;
use protocol::wire::{STATEMENT_INFO, Statement, Word, statement_aad};

use crate::{Error, Secrets};

/// A custodian's signing key.
pub struct Custodian {
    signer: SigningKey,
    secrets: Secrets,
    n_nodes: u64,
}

impl fmt::Debug for Custodian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custodian")
    }
}

impl Custodian {
    /// A custodian that serves `n_nodes` nodes.
    ///
    /// # Errors
    /// [`Error::Key`], once in 2^128.
    pub fn new(secrets: Secrets, n_nodes: usize) -> Result<Self, Error> {
        let signer = SigningKey::from_slice(&secrets.draw("signer", 0)).map_err(|_| Error::Key)?;
        Ok(Self { signer, secrets, n_nodes: n_nodes as u64 })
    }

    /// SEC1 compressed public key, for the enclave's configuration.
    pub fn public_key(&self) -> Vec<u8> {
        self.signer.verifying_key().to_sec1_point(true).as_bytes().to_vec()
    }

    /// One node's statement. One tick is stated once: an ephemeral key belongs to a tick and a node.
    ///
    /// # Errors
    /// [`Error::Seal`] if the enclave's key is no key.
    pub fn statement(
        &self,
        observation: &Observation,
        node_idx: u32,
        enclave: &Word,
    ) -> Result<Vec<u8>, Error> {
        let message = encode(observation);
        let signature: Signature = self.signer.sign(&message);
        let statement =
            Statement { observation: message, signature: signature.to_bytes().to_vec() };
        let aad = statement_aad(observation.tick, node_idx);
        let counter = u64::from(observation.tick) * self.n_nodes + u64::from(node_idx);
        let ephemeral = self.secrets.draw("statement", counter);
        seal::seal(enclave, STATEMENT_INFO, &aad, &encode(&statement), ephemeral)
            .map_err(|source| Error::Seal { what: "a statement", source })
    }
}
