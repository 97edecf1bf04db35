//! Public values of a proof, folded into three inputs.
//!
//! Groth16 pays about 6.3 k gas a public input, and a clearing has fifty values. A circuit takes them as
//! private values `w` instead and shows `D = sponge(w)` and `y = Σ wᵢ zⁱ` for a `z` it is given. The
//! contract has values `v` and `D` posted, refuses any `vᵢ ≥ p`, and computes `z = keccak256(D ‖ v) mod p`
//! and `y = Σ vᵢ zⁱ` itself.
//!
//! Why `w = v`: `D` is said before `z` is known and fixes `w`, up to a collision of the sponge; `v` is
//! inside `z`, so it is fixed before `z` too; and two different vectors of `n` values agree at a random
//! `z` with probability `(n − 1)/p`. It is the argument of the proofs of equivalence for EIP-4844's
//! blobs (Buterin, 2021). What breaks it: a `z` that lacks `D` or `v` (then a prover picks `w` after
//! `z`), or a `v` that is not reduced (`v` and `v + p` fold alike and are two nullifiers).

use ark_ff::{AdditiveGroup, PrimeField};

use super::poseidon2::sponge;
use crate::{Fr, field, hash::tag};

/// Public inputs of every relation: `D`, `z`, `y`.
pub const INPUTS: usize = 3;

/// `D`: the sponge of `values` under the capacity `tag(fold) · 2^32 + n`.
#[must_use]
pub fn digest(values: &[Fr]) -> Fr {
    sponge(capacity(values.len()), values)
}

/// The capacity that [`digest`] begins with: another number of values is another sponge.
#[must_use]
pub fn capacity(n_values: usize) -> Fr {
    tag("fold") * Fr::from(1_u64 << 32) + Fr::from(n_values as u64)
}

/// `z = keccak256(D ‖ v₀ ‖ v₁ ‖ …) mod p`, each 32 bytes, big-endian.
#[must_use]
pub fn challenge(digest: Fr, values: &[Fr]) -> Fr {
    let words: Vec<[u8; 32]> = [digest].iter().chain(values).map(field::to_bytes).collect();
    let words: Vec<&[u8]> = words.iter().map(<[u8; 32]>::as_slice).collect();
    Fr::from_be_bytes_mod_order(&primitives::keccak256(&words))
}

/// `y = Σ vᵢ zⁱ`.
#[must_use]
pub fn sum(values: &[Fr], challenge: Fr) -> Fr {
    values.iter().rev().fold(Fr::ZERO, |sum, value| sum * challenge + value)
}

/// The three inputs for `values`, as the contract computes the last two from the first.
#[must_use]
pub fn inputs(values: &[Fr]) -> [Fr; INPUTS] {
    let digest = digest(values);
    let challenge = challenge(digest, values);
    [digest, challenge, sum(values, challenge)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_a_polynomial_from_its_constant_term_up() {
        let values = [3, 5, 7].map(Fr::from);
        assert_eq!(sum(&values, Fr::from(10)), Fr::from(753));
        assert_eq!(sum(&[], Fr::from(10)), Fr::from(0));
    }

    #[test]
    fn every_value_its_place_and_their_number_change_every_input() {
        let values = [3, 5, 7, 0].map(Fr::from);
        let folded = inputs(&values);
        let mut others: Vec<Vec<Fr>> = (0..values.len())
            .map(|index| {
                let mut other = values.to_vec();
                other[index] += Fr::from(1);
                other
            })
            .collect();
        others.push([5, 3, 7, 0].map(Fr::from).to_vec());
        others.push(values[..3].to_vec());
        others.push([&values[..], &[Fr::from(0)]].concat());
        for other in others {
            let other = inputs(&other);
            assert!(folded.iter().zip(other).all(|(one, other)| *one != other));
        }
    }

    #[test]
    fn the_challenge_is_of_digest_and_values() {
        let values = [3, 5].map(Fr::from);
        assert_ne!(challenge(Fr::from(1), &values), challenge(Fr::from(2), &values));
        assert_ne!(challenge(Fr::from(1), &values), challenge(Fr::from(1), &values[..1]));
    }
}
