//! Field elements as bytes and integers.
//!
//! One encoding everywhere: 32 bytes, big-endian, less than `p`, as the EVM has it. A value that is
//! not less than `p` is refused, never reduced: two encodings of one nullifier are a double spend.

use ark_ff::{BigInteger, BigInteger256, PrimeField};
use primitives::Hex;

use crate::Fr;

/// Why bytes are not a field element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The integer is `p` or more.
    #[error("field element is not reduced: 0x{} is not below the BN254 scalar field order", Hex(.0))]
    NotReduced([u8; 32]),
}

/// Encodes as 32 bytes, big-endian.
#[must_use]
pub fn to_bytes(value: &Fr) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.rchunks_exact_mut(8).zip(value.into_bigint().0) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}

/// Decodes 32 bytes, big-endian.
///
/// # Errors
/// [`Error::NotReduced`] if the integer is `p` or more.
pub fn from_bytes(bytes: &[u8; 32]) -> Result<Fr, Error> {
    Fr::from_bigint(big_integer(bytes)).ok_or(Error::NotReduced(*bytes))
}

/// An address as the integer Solidity's `uint160(address)` gives.
#[must_use]
pub fn from_address(address: &[u8; 20]) -> Fr {
    Fr::from_be_bytes_mod_order(address)
}

/// A 256-bit digest shifted right by 8 bits, which always fits: how `context` and `pool_id` become
/// field elements. Drops the last byte of the big-endian `digest`.
#[must_use]
pub fn from_digest(digest: &[u8; 32]) -> Fr {
    Fr::from_be_bytes_mod_order(&digest[..31])
}

/// 32 bytes of entropy, reduced modulo `p`. For secrets and salts, where what counts is the
/// min-entropy left (more than 253 bits) and not that some residues are likelier than others.
#[must_use]
pub fn from_entropy(entropy: &[u8; 32]) -> Fr {
    Fr::from_be_bytes_mod_order(entropy)
}

/// 48 bytes of entropy, big-endian, reduced modulo `p`: for secrets that are derived, which should not be
/// told from uniform ones. No residue is likelier than another by more than 2^-130.
#[must_use]
pub fn from_wide_entropy(entropy: &[u8; 48]) -> Fr {
    Fr::from_be_bytes_mod_order(entropy)
}

/// The element as an integer, if it has at most 128 bits.
#[must_use]
pub fn to_u128(value: &Fr) -> Option<u128> {
    let [low, high, rest @ ..] = value.into_bigint().0;
    (rest == [0, 0]).then_some(u128::from(high) << 64 | u128::from(low))
}

/// Whether the element, as an integer in `0..p`, is below `2^bits`.
#[must_use]
pub fn fits(value: &Fr, bits: u32) -> bool {
    value.into_bigint().num_bits() <= bits
}

fn big_integer(bytes: &[u8; 32]) -> BigInteger256 {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.rchunks_exact(8)) {
        *limb = u64::from_be_bytes(chunk.try_into().expect("chunks are 8 bytes"));
    }
    BigInteger256::new(limbs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `p`, big-endian.
    fn modulus() -> [u8; 32] {
        Fr::MODULUS.to_bytes_be().try_into().expect("p has 32 bytes")
    }

    #[test]
    fn the_modulus_and_above_are_refused() {
        let mut bytes = modulus();
        assert_eq!(from_bytes(&bytes), Err(Error::NotReduced(bytes)));
        bytes[31] += 1;
        assert_eq!(from_bytes(&bytes), Err(Error::NotReduced(bytes)));
        bytes[31] -= 2;
        assert_eq!(from_bytes(&bytes), Ok(-Fr::from(1)));
        assert!(from_bytes(&[0xff; 32]).is_err());
    }

    #[test]
    fn small_integers_read_back() {
        assert_eq!(to_u128(&Fr::from(u128::MAX)), Some(u128::MAX));
        assert_eq!(to_u128(&(Fr::from(u128::MAX) + Fr::from(1))), None);
        assert!(fits(&Fr::from(255), 8));
        assert!(!fits(&Fr::from(256), 8));
        assert!(!fits(&-Fr::from(1), 253));
    }

    #[test]
    fn a_digest_loses_its_last_byte() {
        let mut digest = [0; 32];
        digest[30] = 7;
        digest[31] = 0xff;
        assert_eq!(from_digest(&digest), Fr::from(7));
    }

    proptest! {
        #[test]
        fn bytes_survive_the_round_trip(entropy: [u8; 32]) {
            let value = from_entropy(&entropy);
            prop_assert_eq!(from_bytes(&to_bytes(&value)), Ok(value));
        }
    }
}
