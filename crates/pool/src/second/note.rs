//! Notes: value in the pool, seen from outside as one field element.
//!
//! A leaf is one permutation, `P4(tag leaf, asset, amount, inner)`, so that the contract makes a
//! deposit's leaf from what it knows and an opaque [`crate::note::inner`]. Leaf and node are the same
//! function of four elements; the fixed depth of every path keeps them apart.
//!
//! A nullifier has the note's [`place`] inside: one commitment at two indices, or at one index of two
//! trees, is two notes, and neither burns the other. Nullifiers are unique on chain, so what a settlement
//! makes of a note draws its `rho` from the spent note's nullifier.

use super::poseidon2;
use crate::{
    Fr,
    hash::{poseidon, tag},
};

pub use crate::note::{dummy_nullifier, inner};

/// Value in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Token address as an integer, below 2^160.
    pub asset: Fr,
    /// Token base units, below 2^112.
    pub amount: u128,
    /// Who may spend it: [`crate::keys::owner`].
    pub owner: Fr,
    /// What an enclave may do with it: [`super::terms::Terms::hash`], or zero if nothing. A note whose
    /// hash is not zero is *locked*: it leaves after an announcement only.
    pub order_hash: Fr,
    /// Blinds the commitment, and tells equal notes apart.
    pub rho: Fr,
}

impl Note {
    /// `inner = H(tag note, owner, order_hash, rho)`: what a depositor shows the contract.
    #[must_use]
    pub fn inner(&self) -> Fr {
        inner(self.owner, self.order_hash, self.rho)
    }

    /// `cm`: the leaf.
    #[must_use]
    pub fn commitment(&self) -> Fr {
        leaf(self.asset, Fr::from(self.amount), self.inner())
    }
}

/// `cm = P4(tag leaf, asset, amount, inner)`, as `deposit` computes it.
#[must_use]
pub fn leaf(asset: Fr, amount: Fr, inner: Fr) -> Fr {
    poseidon2::compress([tag("leaf"), asset, amount, inner])
}

/// `tree · 2^32 + index`: which leaf of which tree. `tree` is 0 for the entry tree, else the venue, below
/// 2^216; `index` is below 2^32. The sum is below `p`, so each place is one element.
#[must_use]
pub fn place(tree: Fr, index: u64) -> Fr {
    tree * Fr::from(1_u64 << 32) + Fr::from(index)
}

/// `nf = H(tag nf, nsk, cm, place)`: what spending the note publishes.
#[must_use]
pub fn nullifier(nullifier_secret: &Fr, commitment: Fr, place: Fr) -> Fr {
    poseidon(&[tag("nf"), *nullifier_secret, commitment, place])
}

/// `rho = H(tag rho.payout, nsk, nf)` of the payout that spending the note under `nf` makes.
#[must_use]
pub fn payout_rho(nullifier_secret: &Fr, nullifier: Fr) -> Fr {
    poseidon(&[tag("rho.payout"), *nullifier_secret, nullifier])
}

/// `rho = H(tag rho.change, nsk, nf)` of the change that filling the note under `nf` makes.
#[must_use]
pub fn change_rho(nullifier_secret: &Fr, nullifier: Fr) -> Fr {
    poseidon(&[tag("rho.change"), *nullifier_secret, nullifier])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Note {
        Note {
            asset: Fr::from(1),
            amount: 2,
            owner: Fr::from(3),
            order_hash: Fr::from(4),
            rho: Fr::from(5),
        }
    }

    #[test]
    fn every_field_changes_the_commitment() {
        let note = example();
        let one = Fr::from(1);
        let others = [
            Note { asset: note.asset + one, ..note },
            Note { amount: note.amount + 1, ..note },
            Note { owner: note.owner + one, ..note },
            Note { order_hash: note.order_hash + one, ..note },
            Note { rho: note.rho + one, ..note },
        ];
        for other in others {
            assert_ne!(other.commitment(), note.commitment());
        }
    }

    #[test]
    fn one_commitment_at_two_places_has_two_nullifiers() {
        let (secret, commitment) = (Fr::from(6), example().commitment());
        let venue = Fr::from(7);
        let places = [
            place(Fr::from(0), 0),
            place(Fr::from(0), 1),
            place(venue, 0),
            place(venue, 1),
            place(venue + Fr::from(1), 0),
        ];
        let mut nullifiers = places.map(|place| nullifier(&secret, commitment, place)).to_vec();
        nullifiers.sort();
        nullifiers.dedup();
        assert_eq!(nullifiers.len(), places.len());
    }

    #[test]
    fn a_dummy_nullifier_is_never_a_real_one() {
        let (secret, context) = (Fr::from(6), example().commitment());
        assert_ne!(
            dummy_nullifier(&secret, context, 1),
            nullifier(&secret, context, place(Fr::from(0), 1)),
        );
    }

    #[test]
    fn randomness_differs_by_use_and_note() {
        let secret = Fr::from(6);
        let [one, other] = [1, 2].map(Fr::from);
        assert_ne!(payout_rho(&secret, one), change_rho(&secret, one));
        assert_ne!(payout_rho(&secret, one), payout_rho(&secret, other));
    }
}
