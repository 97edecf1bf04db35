//! The two byte hashes outside circuits: SHA-256 for our own records, Keccak-256 for the EVM's.

use sha2::{Digest as _, Sha256};

use crate::Bytes32;

/// SHA-256 over the concatenation of `parts`.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// Keccak-256 (the EVM's, not NIST's SHA3-256) over the concatenation of `parts`.
pub fn keccak256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = sha3::Keccak256::default();
    parts.iter().for_each(|part| sha3::Digest::update(&mut hash, part));
    sha3::Digest::finalize(hash).into()
}

/// A running hash over records: `h' = SHA-256(domain ‖ h ‖ record)`, starting from 32 zero bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sha256Chain {
    domain: &'static str,
    head: [u8; 32],
}

impl Sha256Chain {
    /// An empty chain under a domain of its own.
    pub const fn new(domain: &'static str) -> Self {
        Self { domain, head: [0; 32] }
    }

    /// Takes one record in and returns the new head.
    pub fn push(&mut self, record: &[u8]) -> [u8; 32] {
        self.head = sha256(&[self.domain.as_bytes(), &self.head, record]);
        self.head
    }

    /// The hash over everything so far.
    pub const fn head(&self) -> Bytes32 {
        Bytes32(self.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_standard_ones() {
        // NIST FIPS 180-4 and the EVM's empty-code hash.
        assert_eq!(sha256(&[b"a", b"bc"])[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(keccak256(&[])[..4], [0xc5, 0xd2, 0x46, 0x01]);
    }

    #[test]
    fn a_chain_depends_on_order_and_domain() {
        let run = |domain, records: [&[u8]; 2]| {
            let mut chain = Sha256Chain::new(domain);
            chain.push(records[0]);
            chain.push(records[1])
        };
        assert_ne!(run("a", [b"x", b"y"]), run("a", [b"y", b"x"]));
        assert_ne!(run("a", [b"x", b"y"]), run("b", [b"x", b"y"]));
    }
}
