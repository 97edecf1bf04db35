//! What a relying party asks of a document.

use std::collections::BTreeSet;

use crate::{Error, Measurements};

/// A relying party's demands, for one chain.
#[derive(Clone, Debug)]
pub struct Policy {
    chain_id: u64,
    allowed: Vec<Measurements>,
    age_ms_max: u64,
    nonce: Option<Vec<u8>>,
    revoked: BTreeSet<(Vec<u8>, Vec<u8>)>,
}

impl Policy {
    /// Five minutes, as Chainlink Confidential Compute allows: enough for clocks that differ and
    /// documents that travel, short against the leaf's three hours.
    pub const AGE_MS_MAX: u64 = 5 * 60 * 1_000;

    /// A policy that accepts the `allowed` workloads on chain `chain_id`, at most
    /// [`Self::AGE_MS_MAX`] from now, with or without a nonce.
    ///
    /// # Errors
    /// [`Error::EmptyPolicy`] if nothing is allowed.
    pub fn new(chain_id: u64, allowed: Vec<Measurements>) -> Result<Self, Error> {
        if allowed.is_empty() {
            return Err(Error::EmptyPolicy);
        }
        Ok(Self {
            chain_id,
            allowed,
            age_ms_max: Self::AGE_MS_MAX,
            nonce: None,
            revoked: BTreeSet::new(),
        })
    }

    /// The same, demanding that the document answers this challenge.
    #[must_use]
    pub fn with_nonce(mut self, nonce: impl Into<Vec<u8>>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// The same, with another limit between a document's timestamp and now, either way, in
    /// milliseconds.
    #[must_use]
    pub fn with_age_ms_max(mut self, age_ms_max: u64) -> Self {
        self.age_ms_max = age_ms_max;
        self
    }

    /// The same, refusing one certificate. `issuer` is the DER of its issuer's name, `serial` the
    /// content of its serial number's DER, big-endian.
    #[must_use]
    pub fn revoking(mut self, issuer: impl Into<Vec<u8>>, serial: impl Into<Vec<u8>>) -> Self {
        self.revoked.insert((issuer.into(), serial.into()));
        self
    }

    /// The chain of the contracts.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The workloads accepted; never empty.
    pub fn allowed(&self) -> &[Measurements] {
        &self.allowed
    }

    /// The limit between a document's timestamp and now, in milliseconds.
    pub fn age_ms_max(&self) -> u64 {
        self.age_ms_max
    }

    /// The challenge, if there is one.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    pub(crate) fn is_revoked(&self, issuer: &[u8], serial: &[u8]) -> bool {
        self.revoked.iter().any(|(i, s)| i == issuer && s == serial)
    }
}
