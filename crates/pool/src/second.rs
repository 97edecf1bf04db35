//! The second design of the pool, beside the first until contracts and clients have moved to it.
//!
//! What is new: trees are 4-ary and hashed inside proofs, never on chain; a venue names its own tree
//! and its issuer's [`account::Account`], which holds collateral and consideration as two sums;
//! [`deal::Deal`] is what mandate and terms have in common, so that a maker's terms are for a deal by
//! being hashed with it; results are masked numbers that a proof publishes ([`results`]); and public
//! values are folded into three inputs ([`fold`]).
//!
//! `P4(a, b, c, d)` is [`poseidon2::compress`]; `H(a, b, …)` stays [`crate::hash::poseidon`].

use crate::Fr;

pub mod poseidon2;

pub mod fold;
pub mod tree;

pub mod note;

pub mod account;
pub mod deal;
pub mod mandate;
pub mod terms;

pub mod orders;
pub mod results;

pub mod context;
pub mod wallet;

/// Bits a venue may have: `keccak256(abi.encode(chain id, pool, venue)) >> 40`. Times 2^32 it is still
/// below 2^248, so that a venue and an index make one field element.
pub const VENUE_BITS: u32 = 216;

/// A venue from the digest that the pool computes; drops its last five bytes.
#[must_use]
pub fn venue(digest: &[u8; 32]) -> Fr {
    use ark_ff::PrimeField;
    Fr::from_be_bytes_mod_order(&digest[..27])
}

/// Integers side by side in one field element, the first in the lowest bits. Each has as many bits as
/// stated beside it, which is the caller's to ensure; all together have at most 253.
///
/// # Panics
/// If they have more.
#[must_use]
pub fn pack(parts: &[(Fr, u32)]) -> Fr {
    use ark_ff::Field;
    assert!(parts.iter().map(|(_, bits)| bits).sum::<u32>() <= 253, "they fit below p");
    parts.iter().rev().fold(Fr::from(0), |packed, (part, bits)| {
        packed * Fr::from(2).pow([u64::from(*bits)]) + part
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_integers_stand_side_by_side() {
        let parts = [(Fr::from(5), 3), (Fr::from(1), 8), (Fr::from(2), 40)];
        assert_eq!(pack(&parts), Fr::from(5 + (1 << 3) + (2 << 11)));
    }

    #[test]
    fn a_venue_drops_five_bytes_and_leaves_room_for_an_index() {
        let mut digest = [0xff; 32];
        digest[27..].fill(0);
        let widest = venue(&digest);
        assert_eq!(widest, venue(&[0xff; 32]));
        assert!(crate::field::fits(&widest, VENUE_BITS));
        assert!(!crate::field::fits(&widest, VENUE_BITS - 1));
    }
}
