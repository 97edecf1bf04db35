//! Keys of a note's owner.
//!
//! Two secrets, because two parties need different powers. The spend secret `ask` lets its holder
//! take a note out of the pool, and never leaves the owner. The nullifier secret `nsk` lets its holder
//! compute the note's nullifier, so that an enclave that was given it can match the note under the
//! note's own terms, and nothing else: without `ask` it cannot exit, and the terms name the payee.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    Fr, field,
    hash::{poseidon, tag},
};

/// `ask`: the secret that takes a note out of the pool.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[expect(missing_debug_implementations, reason = "a secret must not reach a log")]
pub struct SpendSecret(Fr);

impl SpendSecret {
    /// From 32 bytes of entropy, reduced modulo `p`.
    #[must_use]
    pub fn from_entropy(entropy: &[u8; 32]) -> Self {
        Self(field::from_entropy(entropy))
    }

    /// The secret that is this element.
    pub(crate) fn from_element(secret: Fr) -> Self {
        Self(secret)
    }

    /// `ak = H(tag ak, ask)`: the public half.
    #[must_use]
    pub fn spend_key(&self) -> Fr {
        poseidon(&[tag("ak"), self.0])
    }

    /// The secret itself, for a witness.
    #[must_use]
    pub fn expose(&self) -> &Fr {
        &self.0
    }
}

/// `nsk`: the secret that computes a note's nullifier. One per note line: a line's change notes keep it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[expect(missing_debug_implementations, reason = "a secret must not reach a log")]
pub struct NullifierSecret(Fr);

impl NullifierSecret {
    /// From 32 bytes of entropy, reduced modulo `p`.
    #[must_use]
    pub fn from_entropy(entropy: &[u8; 32]) -> Self {
        Self(field::from_entropy(entropy))
    }

    /// The secret that is this element.
    pub(crate) fn from_element(secret: Fr) -> Self {
        Self(secret)
    }

    /// From the encoding in [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`field::Error`] if the integer is not below `p`.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, field::Error> {
        field::from_bytes(bytes).map(Self)
    }

    /// The secret as 32 bytes, big-endian: for sealing it to an enclave.
    #[must_use]
    pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(field::to_bytes(&self.0))
    }

    /// `npk = H(tag npk, nsk)`: the public half.
    #[must_use]
    pub fn nullifier_key(&self) -> Fr {
        poseidon(&[tag("npk"), self.0])
    }

    /// The secret itself, for a witness.
    #[must_use]
    pub fn expose(&self) -> &Fr {
        &self.0
    }
}

/// `owner = H(tag owner, ak, npk)`: who a note belongs to. It hides both keys.
#[must_use]
pub fn owner(spend_key: Fr, nullifier_key: Fr) -> Fr {
    poseidon(&[tag("owner"), spend_key, nullifier_key])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_keys_of_equal_secrets_differ() {
        let entropy = [7; 32];
        let spend_key = SpendSecret::from_entropy(&entropy).spend_key();
        let nullifier_key = NullifierSecret::from_entropy(&entropy).nullifier_key();
        assert_ne!(spend_key, nullifier_key);
        assert_ne!(owner(spend_key, nullifier_key), owner(nullifier_key, spend_key));
    }

    #[test]
    fn a_nullifier_secret_survives_its_encoding() {
        let secret = NullifierSecret::from_entropy(&[9; 32]);
        let read = NullifierSecret::from_bytes(&secret.to_bytes()).expect("reduced");
        assert_eq!(read.expose(), secret.expose());
        assert!(NullifierSecret::from_bytes(&[0xff; 32]).is_err());
    }
}
