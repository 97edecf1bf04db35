//! The two hashes, and the tags that keep their uses apart.
//!
//! [`poseidon`] is Poseidon over BN254 with circomlib's parameters, so that any circom tool can
//! check a commitment. [`compress`] is Poseidon2 at width 2, which the tree and a note's outermost
//! layers use because the contract computes them: 8.6 k gas against 18.9 k for Poseidon at width 3.

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, Field, PrimeField};
use light_poseidon::{PoseidonParameters, parameters::bn254_x5};

use crate::{Fr, poseidon2};

pub use crate::poseidon2::{EXTERNAL_CONSTANTS, INTERNAL_CONSTANTS, compress};

/// Inputs [`poseidon`] takes at most, tag included. Circomlib goes further; nothing here needs it.
pub const INPUTS_MAX: usize = 7;

/// The domain tag `name`: the big-endian integer of the ASCII bytes of `cdpr.` followed by `name`.
///
/// Distinct names give distinct tags, and every hash begins with one, so that no preimage of one
/// kind of commitment can be read as another kind.
///
/// # Panics
/// If `name` has more than 26 bytes: it would not fit a field element.
#[must_use]
pub fn tag(name: &str) -> Fr {
    assert!(name.len() <= 26, "a tag has at most 26 bytes");
    let mut bytes = [0; 31];
    bytes[..5].copy_from_slice(b"cdpr.");
    bytes[5..5 + name.len()].copy_from_slice(name.as_bytes());
    Fr::from_be_bytes_mod_order(&bytes[..5 + name.len()])
}

/// `H(inputs…)`: Poseidon with circomlib's parameters for `inputs.len()` inputs, the first of which
/// is a [`tag`]. The state is a zero lane followed by the inputs; the digest is the first lane.
///
/// Source: Grassi et al. (2021), Poseidon; parameters as circomlib's `poseidon.circom`.
///
/// # Panics
/// If there are no inputs or more than [`INPUTS_MAX`].
#[must_use]
pub fn poseidon(inputs: &[Fr]) -> Fr {
    let parameters = poseidon_parameters(inputs.len());
    let width = parameters.width;
    let mut state = [Fr::ZERO; INPUTS_MAX + 1];
    state[1..width].copy_from_slice(inputs);
    let half = parameters.full_rounds / 2;
    for (round, constants) in parameters.ark.chunks_exact(width).enumerate() {
        for (lane, constant) in state.iter_mut().zip(constants) {
            *lane += constant;
        }
        let full = round < half || round >= half + parameters.partial_rounds;
        for lane in &mut state[..if full { width } else { 1 }] {
            *lane = lane.square().square() * *lane;
        }
        let mut mixed = [Fr::ZERO; INPUTS_MAX + 1];
        for (out, row) in mixed.iter_mut().zip(&parameters.mds) {
            *out = row.iter().zip(&state).map(|(factor, lane)| *factor * lane).sum();
        }
        state = mixed;
    }
    state[0]
}

/// The parameters behind [`poseidon`] for `n_inputs` inputs. The circuit is fed from these same
/// values, so that the two cannot drift apart.
///
/// # Panics
/// If `n_inputs` is 0 or more than [`INPUTS_MAX`].
#[must_use]
pub fn poseidon_parameters(n_inputs: usize) -> &'static PoseidonParameters<Fr> {
    static PARAMETERS: [OnceLock<PoseidonParameters<Fr>>; INPUTS_MAX] =
        [const { OnceLock::new() }; INPUTS_MAX];
    assert!((1..=INPUTS_MAX).contains(&n_inputs), "poseidon takes 1 to {INPUTS_MAX} inputs");
    PARAMETERS[n_inputs - 1].get_or_init(|| {
        let width = u8::try_from(n_inputs + 1).expect("at most INPUTS_MAX + 1");
        bn254_x5::get_poseidon_parameters(width).expect("circomlib has parameters for this width")
    })
}

/// The permutation behind [`compress`].
#[must_use]
pub fn poseidon2_permutation(state: [Fr; 2]) -> [Fr; 2] {
    poseidon2::permutation(state)
}

#[cfg(test)]
mod tests {
    use ark_ff::MontFp;
    use light_poseidon::{Poseidon, PoseidonHasher};
    use proptest::prelude::*;

    use super::*;
    use crate::field;

    #[test]
    fn a_tag_is_its_ascii_bytes() {
        assert_eq!(tag("nf"), Fr::from(0x63_64_70_72_2e_6e_66_u64));
    }

    /// The value circomlibjs documents for `poseidon([1, 2])`.
    #[test]
    fn poseidon_matches_circomlib() {
        let expect: Fr =
            MontFp!("7853200120776062878684798364095072458815029376092732009249414926327459813530");
        assert_eq!(poseidon(&[Fr::from(1), Fr::from(2)]), expect);
    }

    /// The known answer of the Horizen Labs reference for width 2.
    #[test]
    fn poseidon2_matches_its_reference() {
        let expect: [Fr; 2] = [
            MontFp!(
                "13120422956170837922441672802975889424559262309139960702680326932494325745547"
            ),
            MontFp!("5923567162677888564808904842769941181302763723060647224839027357562627386465"),
        ];
        assert_eq!(poseidon2_permutation([Fr::from(0), Fr::from(1)]), expect);
        assert_eq!(compress(Fr::from(0), Fr::from(1)), expect[0]);
        assert_eq!(compress(Fr::from(5), Fr::from(1)), {
            let [first, _] = poseidon2_permutation([Fr::from(5), Fr::from(1)]);
            first + Fr::from(5)
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn poseidon_matches_light_poseidon(entropy: [[u8; 32]; INPUTS_MAX], n in 1..=INPUTS_MAX) {
            let inputs: Vec<_> = entropy[..n].iter().map(field::from_entropy).collect();
            let expect = Poseidon::<Fr>::new_circom(n)
                .and_then(|mut hasher| hasher.hash(&inputs))
                .expect("n inputs for a hasher of n");
            prop_assert_eq!(poseidon(&inputs), expect);
        }

        #[test]
        fn poseidon2_matches_taceo_poseidon2(left: [u8; 32], right: [u8; 32]) {
            let state = [field::from_entropy(&left), field::from_entropy(&right)];
            let expect = taceo_poseidon2::bn254::t2::permutation(&state);
            prop_assert_eq!(poseidon2_permutation(state), expect);
        }
    }
}
