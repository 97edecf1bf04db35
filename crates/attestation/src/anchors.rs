//! Whom a chain must start at.

use crate::{DEVELOPMENT_CHAIN_ID, Error, verify::Trust};

/// AWS's `aws.nitro-enclaves` root G1, 2019-10-28 to 2049-10-28, 533 bytes of DER.
///
/// Published by AWS at `aws-nitro-enclaves.amazonaws.com/AWS_NitroEnclaves_Root-G1.zip` with
/// SHA-256 fingerprint `641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b`.
const AWS_ROOT: &[u8] = include_bytes!("aws-nitro-enclaves-root-g1.der");

/// The development root, 2020-01-01 to 2049-12-31. Its key is derived from a public constant
/// (`mint::development_root`), so anyone can sign under it.
const DEVELOPMENT_ROOT: &[u8] = include_bytes!("development-root.der");

/// A pinned root, and what is known of whoever signs under it.
#[derive(Clone, Debug)]
pub struct Anchors {
    root: &'static [u8],
    trust: Trust,
}

impl Anchors {
    /// AWS's root: documents under it come from real Nitro hardware.
    pub fn aws() -> Self {
        Self { root: AWS_ROOT, trust: Trust::Hardware }
    }

    /// The development root: documents under it prove which code path made them, and nothing
    /// about isolation.
    ///
    /// # Errors
    /// [`Error::DevelopmentOffDevnet`] unless `chain_id` is [`DEVELOPMENT_CHAIN_ID`].
    pub fn development(chain_id: u64) -> Result<Self, Error> {
        if chain_id != DEVELOPMENT_CHAIN_ID {
            return Err(Error::DevelopmentOffDevnet { chain_id });
        }
        Ok(Self { root: DEVELOPMENT_ROOT, trust: Trust::Development })
    }

    /// The root's certificate, DER.
    pub fn root(&self) -> &[u8] {
        self.root
    }

    /// What a document under this root is worth.
    pub fn trust(&self) -> Trust {
        self.trust
    }
}
