//! Notes: value in the pool, seen from outside as one field element.
//!
//! A commitment is nested so that a deposit needs no proof: the contract knows asset and amount, is
//! given the opaque [`inner`], and computes the rest.
//!
//! A nullifier has the leaf index inside, so that two notes with equal commitments have different
//! nullifiers and neither burns the other ("Faerie gold"). Notes a settlement makes draw their `rho`
//! from the spent note's secret, the round and the slot: an owner finds its payout by search even if
//! the enclave sent it garbage for a ciphertext.

use crate::{
    Fr,
    hash::{compress, poseidon, tag},
};

/// Value in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Token address as an integer, below 2^160.
    pub asset: Fr,
    /// Token base units, below 2^112.
    pub amount: u128,
    /// Who may spend it: [`crate::keys::owner`].
    pub owner: Fr,
    /// What an enclave may do with it: [`crate::terms::Terms::hash`] of a maker's note, the mandate of
    /// an issuer's consideration note, zero if nothing.
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

    /// `cm = C(C(asset, amount), inner)`: the leaf.
    #[must_use]
    pub fn commitment(&self) -> Fr {
        commitment(self.asset, self.amount, self.inner())
    }
}

/// `inner = H(tag note, owner, order_hash, rho)`.
#[must_use]
pub fn inner(owner: Fr, order_hash: Fr, rho: Fr) -> Fr {
    poseidon(&[tag("note"), owner, order_hash, rho])
}

/// `cm = C(C(asset, amount), inner)`, as `ShieldedPool.deposit` computes it. `amount` is in token base
/// units.
#[must_use]
pub fn commitment(asset: Fr, amount: u128, inner: Fr) -> Fr {
    compress(compress(asset, Fr::from(amount)), inner)
}

/// `nf = H(tag nf, nsk, cm, index)`: what spending the note at leaf `index` publishes.
#[must_use]
pub fn nullifier(nullifier_secret: &Fr, commitment: Fr, index: u64) -> Fr {
    poseidon(&[tag("nf"), *nullifier_secret, commitment, Fr::from(index)])
}

/// `nf_dummy = H(tag nf.dummy, nsk, context, slot)`: what an empty slot publishes. Its own tag, so
/// that no choice of secret makes it the nullifier of a real note.
#[must_use]
pub fn dummy_nullifier(nullifier_secret: &Fr, context: Fr, slot: usize) -> Fr {
    derive("nf.dummy", nullifier_secret, context, slot)
}

/// `rho = H(tag rho.payout, nsk, context, slot)` of the payout note that `slot` makes.
#[must_use]
pub fn payout_rho(nullifier_secret: &Fr, context: Fr, slot: usize) -> Fr {
    derive("rho.payout", nullifier_secret, context, slot)
}

/// `rho = H(tag rho.change, nsk, context, slot)` of the change note that `slot` makes.
#[must_use]
pub fn change_rho(nullifier_secret: &Fr, context: Fr, slot: usize) -> Fr {
    derive("rho.change", nullifier_secret, context, slot)
}

/// `rho = H(tag rho.consideration, nsk, context, 4)` of the issuer's re-minted consideration note.
#[must_use]
pub fn consideration_rho(nullifier_secret: &Fr, context: Fr) -> Fr {
    derive("rho.consideration", nullifier_secret, context, crate::SLOTS)
}

fn derive(name: &str, nullifier_secret: &Fr, context: Fr, slot: usize) -> Fr {
    poseidon(&[tag(name), *nullifier_secret, context, Fr::from(slot as u64)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A note whose every field is a different small number.
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
    fn the_contract_computes_the_same_commitment_from_the_public_half() {
        let note = example();
        assert_eq!(commitment(note.asset, note.amount, note.inner()), note.commitment());
    }

    #[test]
    fn equal_notes_at_different_leaves_have_different_nullifiers() {
        let (secret, commitment) = (Fr::from(6), example().commitment());
        assert_ne!(nullifier(&secret, commitment, 0), nullifier(&secret, commitment, 1));
    }

    #[test]
    fn a_dummy_nullifier_is_never_a_real_one() {
        // The same four inputs but for the tag.
        let (secret, context) = (Fr::from(6), example().commitment());
        assert_ne!(dummy_nullifier(&secret, context, 1), nullifier(&secret, context, 1));
    }

    #[test]
    fn randomness_differs_by_use_slot_and_round() {
        let secret = Fr::from(6);
        let mut seen = Vec::new();
        for context in [Fr::from(1), Fr::from(2)] {
            for slot in 0..crate::SLOTS {
                seen.push(payout_rho(&secret, context, slot));
                seen.push(change_rho(&secret, context, slot));
                seen.push(dummy_nullifier(&secret, context, slot));
            }
            seen.push(consideration_rho(&secret, context));
        }
        let n = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), n);
    }
}
