//! What an enclave vouches for.

use sha2::{Digest, Sha384};

/// Keys and context of one enclave epoch.
///
/// The document carries only its hash, in `user_data`, because a document's own fields are too
/// small for what may come (an X-Wing key has 1,216 bytes, `public_key` holds 1,024). Chain and
/// registry are inside, so that evidence for one deployment is worthless in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBundle {
    /// Chain id of the contracts.
    pub chain_id: u64,
    /// Address of the `EnclaveRegistry`.
    pub registry: [u8; 20],
    /// Key epoch; a higher one replaces a lower one.
    pub epoch: u64,
    /// X25519 public key (RFC 7748, 32 bytes) to which orders and observations are sealed by HPKE.
    pub hpke_public_key: [u8; 32],
    /// EVM address of the secp256k1 key that signs settlements.
    pub settlement_signer: [u8; 20],
    /// [`crate::Measurement::of`] the configuration the enclave was given.
    pub config_hash: [u8; 48],
    /// Last second in which the keys may be used, Unix time.
    pub not_after: u64,
}

/// A byte string is not a key bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedBundle {
    /// It has another length.
    #[error("key bundle is {len} bytes long, expected {expected}", expected = KeyBundle::ENCODED_LEN)]
    Length {
        /// Its length in bytes.
        len: usize,
    },
    /// Its first byte is another version.
    #[error("key bundle has version {version}, expected {expected}", expected = KeyBundle::VERSION)]
    Version {
        /// The version it names.
        version: u8,
    },
}

impl KeyBundle {
    /// First byte of the encoding, and of `user_data`.
    pub const VERSION: u8 = 1;

    /// Length of the encoding in bytes.
    pub const ENCODED_LEN: usize = 1 + 8 + 20 + 8 + 32 + 20 + 48 + 8;

    /// The one encoding: version byte, then the fields in their order, integers big-endian,
    /// [`Self::ENCODED_LEN`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::ENCODED_LEN);
        out.push(Self::VERSION);
        out.extend_from_slice(&self.chain_id.to_be_bytes());
        out.extend_from_slice(&self.registry);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.hpke_public_key);
        out.extend_from_slice(&self.settlement_signer);
        out.extend_from_slice(&self.config_hash);
        out.extend_from_slice(&self.not_after.to_be_bytes());
        out
    }

    /// Parses [`Self::encode`]'s output, and nothing else.
    ///
    /// # Errors
    /// If the length or the version differs.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedBundle> {
        let Ok(bytes) = <&[u8; Self::ENCODED_LEN]>::try_from(bytes) else {
            return Err(MalformedBundle::Length { len: bytes.len() });
        };
        let (&[version], rest) = bytes.split_first_chunk().expect("sized above");
        if version != Self::VERSION {
            return Err(MalformedBundle::Version { version });
        }
        let mut rest = rest;
        Ok(Self {
            chain_id: u64::from_be_bytes(take(&mut rest)),
            registry: take(&mut rest),
            epoch: u64::from_be_bytes(take(&mut rest)),
            hpke_public_key: take(&mut rest),
            settlement_signer: take(&mut rest),
            config_hash: take(&mut rest),
            not_after: u64::from_be_bytes(take(&mut rest)),
        })
    }

    /// `SHA-384("cdpr/keybundle/v1" ‖ encoding)`.
    pub fn digest(&self) -> [u8; 48] {
        let mut hash = Sha384::new();
        hash.update(b"cdpr/keybundle/v1");
        hash.update(self.encode());
        hash.finalize().into()
    }

    /// What the enclave puts into the document: version byte ‖ [`Self::digest`], 49 bytes.
    pub fn user_data(&self) -> [u8; 49] {
        let mut out = [Self::VERSION; 49];
        out[1..].copy_from_slice(&self.digest());
        out
    }

    /// What `EnclaveRegistry` stores: the first 32 bytes of [`Self::digest`].
    pub fn registry_hash(&self) -> [u8; 32] {
        *self.digest().first_chunk().expect("48 bytes hold 32")
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_first_chunk().expect("the caller checked the whole length");
    *rest = tail;
    *head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> KeyBundle {
        KeyBundle {
            chain_id: 31_337,
            registry: [0x11; 20],
            epoch: 2,
            hpke_public_key: [0x22; 32],
            settlement_signer: [0x33; 20],
            config_hash: [0x44; 48],
            not_after: 1_678_500_000,
        }
    }

    #[test]
    fn encoding_is_read_back() {
        let encoded = bundle().encode();
        assert_eq!(encoded.len(), KeyBundle::ENCODED_LEN);
        assert_eq!(KeyBundle::parse(&encoded), Ok(bundle()));
    }

    #[test]
    fn other_lengths_and_versions_are_refused() {
        let mut encoded = bundle().encode();
        encoded.push(0);
        assert_eq!(KeyBundle::parse(&encoded), Err(MalformedBundle::Length { len: 146 }));
        encoded.truncate(144);
        assert_eq!(KeyBundle::parse(&encoded), Err(MalformedBundle::Length { len: 144 }));
        let mut encoded = bundle().encode();
        encoded[0] = 2;
        assert_eq!(KeyBundle::parse(&encoded), Err(MalformedBundle::Version { version: 2 }));
    }

    #[test]
    fn user_data_depends_on_every_byte() {
        let encoded = bundle().encode();
        for i in 1..encoded.len() {
            let mut other = encoded.clone();
            other[i] ^= 1;
            let other = KeyBundle::parse(&other).unwrap();
            assert_ne!(other.user_data(), bundle().user_data(), "byte {i}");
        }
    }
}
