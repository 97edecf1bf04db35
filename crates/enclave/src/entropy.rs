//! Every random-looking byte the enclave uses, derived from one seed and from what it is used for.
//! Replay gives the same bytes for the same inputs, and other inputs never reuse a salt (the book, decision 6).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The seed, 32 bytes. Never printed, sealed in the journal's first entry.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Entropy([u8; 32]);

impl Entropy {
    pub(crate) const fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// `HMAC-SHA256(seed, len(label) ‖ label ‖ len(part) ‖ part ‖ …)`, lengths as u32 big-endian.
    pub(crate) fn derive(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in core::iter::once(&label.as_bytes()).chain(parts) {
            mac.update(&u32::try_from(part.len()).expect("parts are short").to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    pub(crate) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_parts_are_told_apart() {
        let entropy = Entropy::new([7; 32]);
        let all = [
            entropy.derive("a", &[b"bc"]),
            entropy.derive("ab", &[b"c"]),
            entropy.derive("a", &[b"b", b"c"]),
            Entropy::new([8; 32]).derive("a", &[b"bc"]),
        ];
        for (i, left) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|right| left != right));
        }
        assert_eq!(all[0], entropy.derive("a", &[b"bc"]));
    }
}
