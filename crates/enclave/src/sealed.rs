//! The enclave's own journal: state-changing commands, sealed to the measurement, kept by a parent who
//! cannot read, reorder, drop from the middle or forge them. It can cut the tail; the chain's
//! commitments then disagree with the enclave's, and no proof of it settles.
//!
//! Entry `i` is `tag ‖ ChaCha20-Poly1305(key_i, nonce 0, command, aad = head_{i−1})`, where
//! `tag = HMAC(sealing key, head_{i−1} ‖ command)` and `key_i = HMAC(sealing key, "key" ‖ tag)`: a synthetic
//! nonce, so that a parent who rolls the enclave back and feeds it something else never sees two
//! commands under one key. `head_i = SHA-256(head_{i−1} ‖ entry_i)`.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use primitives::sha256;
use zeroize::Zeroizing;

use crate::entropy::Entropy;

const TAG_LEN: usize = 32;

/// Where the sealed journal stands.
pub(crate) struct Sealer {
    key: Entropy,
    head: [u8; 32],
}

/// An entry that this measurement did not write here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the next entry of a journal sealed to this measurement")]
pub(crate) struct Foreign;

impl Sealer {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self { key: Entropy::new(key), head: [0; 32] }
    }

    pub(crate) fn seal(&mut self, command: &[u8]) -> Vec<u8> {
        let tag = self.tag(command);
        let payload = Payload { msg: command, aad: &self.head };
        let body = self
            .cipher(&tag)
            .encrypt(&Nonce::default(), payload)
            .expect("commands are far below 256 GiB");
        let entry = [&tag[..], &body].concat();
        self.head = sha256(&[&self.head, &entry]);
        entry
    }

    pub(crate) fn open(&mut self, entry: &[u8]) -> Result<Zeroizing<Vec<u8>>, Foreign> {
        let (tag, body) = entry.split_first_chunk::<TAG_LEN>().ok_or(Foreign)?;
        let payload = Payload { msg: body, aad: &self.head };
        let command = self.cipher(tag).decrypt(&Nonce::default(), payload).map_err(|_| Foreign)?;
        let command = Zeroizing::new(command);
        if self.tag(&command) != *tag {
            return Err(Foreign);
        }
        self.head = sha256(&[&self.head, entry]);
        Ok(command)
    }

    fn tag(&self, command: &[u8]) -> [u8; TAG_LEN] {
        self.key.derive("tag", &[&self.head, command])
    }

    fn cipher(&self, tag: &[u8; TAG_LEN]) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&self.key.derive("key", &[tag]).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Vec<u8>> {
        let mut sealer = Sealer::new([1; 32]);
        [&b"one"[..], b"two", b"three"].map(|command| sealer.seal(command)).into()
    }

    #[test]
    fn entries_open_in_order_under_the_same_key() {
        let mut sealer = Sealer::new([1; 32]);
        let opened: Vec<Vec<u8>> =
            entries().iter().map(|e| sealer.open(e).unwrap().to_vec()).collect();
        assert_eq!(opened, [&b"one"[..], b"two", b"three"]);
    }

    #[test]
    fn another_measurements_key_opens_nothing() {
        assert_eq!(Sealer::new([2; 32]).open(&entries()[0]).err(), Some(Foreign));
    }

    #[test]
    fn a_dropped_or_reordered_or_changed_entry_does_not_open() {
        let entries = entries();
        assert!(Sealer::new([1; 32]).open(&entries[1]).is_err());
        let mut changed = entries[0].clone();
        for position in 0..changed.len() {
            changed[position] ^= 1;
            assert!(Sealer::new([1; 32]).open(&changed).is_err(), "byte {position}");
            changed[position] ^= 1;
        }
        assert!(Sealer::new([1; 32]).open(b"short").is_err());
    }

    #[test]
    fn rolling_back_never_reuses_a_key() {
        let (mut one, mut two) = (Sealer::new([1; 32]), Sealer::new([1; 32]));
        let (a, b) = (one.seal(b"left"), two.seal(b"rite"));
        assert_ne!(a[..TAG_LEN], b[..TAG_LEN]);
    }
}
