//! Proofs: made, checked and carried to the chain.

use std::sync::OnceLock;

use ark_bn254::{Bn254, Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{PrimeField, UniformRand};
use ark_groth16::Groth16;
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystem, OptimizationGoal, SynthesisMode,
};
use pool::Fr;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use taceo_groth16::{ConstraintMatrices, LibSnarkReduction};
use zeroize::Zeroizing;

use crate::{
    clearing::{Assignment, Clearing, Statement, Violation, Witness},
    keys::{self, ArkRng, Circuit, Keys, VerifyingKey},
    r1cs::R1cs,
};

/// Why there is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing to prove.
    #[error("witness breaks the relation")]
    Witness(#[from] Violation),
    /// The keys are for something else.
    #[error("keys do not fit the circuit")]
    Keys(#[from] keys::Error),
    /// The proof does not convince.
    #[error("proof does not verify")]
    Invalid,
    /// Coordinates that are no proof.
    #[error("{point} of the proof is not a point of its group")]
    Malformed {
        /// Which point.
        point: &'static str,
    },
}

/// A Groth16 proof. Anyone can change its bytes and keep it valid, so nothing may be keyed on them.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof(pub(crate) ark_groth16::Proof<Bn254>);

impl Eq for Proof {}

impl Proof {
    /// The proof as the contract takes it, `uint256[8]`: A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x,
    /// C.y, each 32 bytes, big-endian. The identity is all zeros.
    ///
    /// Source: EIP-197, which puts the imaginary part first.
    #[must_use]
    pub fn to_words(&self) -> [[u8; 32]; 8] {
        let Self(ark_groth16::Proof { a, b, c }) = self;
        let ((ax, ay), (bx, by), (cx, cy)) =
            (a.xy().unwrap_or_default(), b.xy().unwrap_or_default(), c.xy().unwrap_or_default());
        [ax, ay, bx.c1, bx.c0, by.c1, by.c0, cx, cy].map(|coordinate| word(&coordinate))
    }

    /// The inverse of [`Self::to_words`].
    ///
    /// # Errors
    /// [`Error::Malformed`] if a coordinate is not reduced, or a point is off its curve or outside its
    /// subgroup: what the EVM refuses too.
    pub fn from_words(words: &[[u8; 32]; 8]) -> Result<Self, Error> {
        let coordinate = |at: usize, point| unword(&words[at]).ok_or(Error::Malformed { point });
        let g1 = |at, point| {
            let (x, y) = (coordinate(at, point)?, coordinate(at + 1, point)?);
            let found = match (x, y) == Default::default() {
                true => G1Affine::zero(),
                false => G1Affine::new_unchecked(x, y),
            };
            let good = found.is_on_curve() && found.is_in_correct_subgroup_assuming_on_curve();
            good.then_some(found).ok_or(Error::Malformed { point })
        };
        let point = "B";
        let x = Fq2::new(coordinate(3, point)?, coordinate(2, point)?);
        let y = Fq2::new(coordinate(5, point)?, coordinate(4, point)?);
        let b = match (x, y) == Default::default() {
            true => G2Affine::zero(),
            false => G2Affine::new_unchecked(x, y),
        };
        if !b.is_on_curve() || !b.is_in_correct_subgroup_assuming_on_curve() {
            return Err(Error::Malformed { point });
        }
        Ok(Self(ark_groth16::Proof { a: g1(0, "A")?, b, c: g1(6, "C")? }))
    }
}

/// Checks a proof, in some 3 ms.
///
/// # Errors
/// [`Error::Invalid`] if it does not convince.
pub fn verify(key: &VerifyingKey, statement: &Statement, proof: &Proof) -> Result<(), Error> {
    if holds(key, &statement.to_inputs(), proof) { Ok(()) } else { Err(Error::Invalid) }
}

/// Whether a proof is of these inputs.
pub(crate) fn holds(key: &VerifyingKey, inputs: &[Fr], proof: &Proof) -> bool {
    matches!(Groth16::<Bn254>::verify_proof(&key.prepared, &proof.0, inputs), Ok(true))
}

/// Proves clearings.
#[derive(Clone, Debug)]
pub struct Prover(Engine);

impl Prover {
    /// The circuit is synthesised for the first proof.
    ///
    /// # Errors
    /// [`Error::Keys`] if the keys are for another circuit.
    pub fn new(keys: Keys) -> Result<Self, Error> {
        Ok(Self(Engine::new(keys, Circuit::Clearing)?))
    }

    /// Constraints of the circuit.
    #[must_use]
    pub fn n_constraints(&self) -> usize {
        self.0.n_constraints()
    }

    /// The keys it proves under.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        self.0.keys()
    }

    /// Proves one clearing, and checks the proof before it leaves. Uses as many threads as rayon has.
    ///
    /// Equal arguments give equal proofs: `entropy` seeds ChaCha20 for the proof's blinding. Used twice
    /// for different witnesses it would reveal something of both.
    ///
    /// # Errors
    /// [`Error::Witness`] if the witness breaks the relation; [`Error::Invalid`] if the proof does not
    /// verify, which only broken keys or hardware can cause.
    ///
    /// # Panics
    /// If the circuit cannot be synthesised: a bug of ours.
    pub fn prove(&self, witness: &Witness, entropy: [u8; 32]) -> Result<(Statement, Proof), Error> {
        let statement = witness.statement()?;
        let assignment = assign(Clearing { assignment: Assignment::of(witness), statement });
        let proof = self.0.prove(&assignment, entropy).ok_or(Error::Invalid)?;
        verify(self.keys().verifying_key(), &statement, &proof)?;
        Ok((statement, proof))
    }
}

/// A circuit's keys and its matrices. The matrices are made for the first proof and kept, so that a later proof costs a
/// witness and no synthesis, and whoever starts and proves nothing does not wait for them.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    keys: Keys,
    circuit: Circuit,
    matrices: OnceLock<ConstraintMatrices<Fr>>,
}

impl Engine {
    /// Of a circuit, and keys that say they are for it.
    pub(crate) fn new(keys: Keys, circuit: Circuit) -> Result<Self, keys::Error> {
        keys.check_circuit(&circuit.pinned().r1cs_sha256)?;
        Ok(Self { keys, circuit, matrices: OnceLock::new() })
    }

    fn matrices(&self) -> &ConstraintMatrices<Fr> {
        self.matrices.get_or_init(|| {
            let R1cs { n_instance, n_witness, a, b, c } = self.circuit.r1cs();
            let count = |matrix: &[Vec<_>]| matrix.iter().map(Vec::len).sum();
            ConstraintMatrices {
                num_instance_variables: n_instance,
                num_witness_variables: n_witness,
                num_constraints: a.len(),
                a_num_non_zero: count(&a),
                b_num_non_zero: count(&b),
                c_num_non_zero: count(&c),
                a,
                b,
                c,
            }
        })
    }

    pub(crate) fn n_constraints(&self) -> usize {
        self.matrices().num_constraints
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// A proof over an assignment; that it holds is the caller's to check.
    pub(crate) fn prove(&self, assignment: &[Fr], entropy: [u8; 32]) -> Option<Proof> {
        let mut rng = ArkRng(ChaCha20Rng::from_seed(entropy));
        let (r, s) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
        taceo_groth16::Groth16::<Bn254>::prove::<LibSnarkReduction>(
            &self.keys.proving,
            r,
            s,
            self.matrices(),
            assignment,
        )
        .map(Proof)
        .ok()
    }
}

/// The value of every variable: one, the public inputs, the witness. It is the assignment that the
/// circuit's own hints make of its inputs; nothing says that it satisfies the circuit.
///
/// # Panics
/// If the circuit cannot be synthesised: a bug of ours.
pub(crate) fn assign(circuit: impl ConstraintSynthesizer<Fr>) -> Zeroizing<Vec<Fr>> {
    let cs = ConstraintSystem::new_ref();
    cs.set_optimization_goal(OptimizationGoal::Constraints);
    cs.set_mode(SynthesisMode::Prove { construct_matrices: false, generate_lc_assignments: false });
    circuit.generate_constraints(cs.clone()).expect("our circuits can be synthesised");
    let mut assignment = cs.instance_assignment().expect("prove mode assigns");
    assignment.append(&mut cs.witness_assignment().expect("prove mode assigns"));
    Zeroizing::new(assignment)
}

fn word(coordinate: &Fq) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, limb) in bytes.rchunks_exact_mut(8).zip(coordinate.into_bigint().0) {
        chunk.copy_from_slice(&limb.to_be_bytes());
    }
    bytes
}

fn unword(bytes: &[u8; 32]) -> Option<Fq> {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.rchunks_exact(8)) {
        *limb = u64::from_be_bytes(chunk.try_into().expect("chunks are 8 bytes"));
    }
    Fq::from_bigint(ark_ff::BigInt::new(limbs))
}

#[cfg(test)]
pub(crate) mod tests {
    use ark_ec::{CurveGroup, pairing::Pairing};
    use pool::status::Disclosure;

    use super::*;
    use crate::{
        clearing::INPUTS,
        keys::DEVELOPMENT_CHAIN,
        testing::{Shape, witness_of},
    };

    const SHAPE: Shape = Shape { n_fills: 3, filled: false, disclosure: Disclosure::Sealed };

    /// Keys take seconds: made once for all tests.
    pub(crate) fn prover() -> &'static Prover {
        static PROVER: OnceLock<Prover> = OnceLock::new();
        PROVER.get_or_init(|| {
            let keys = Keys::development(DEVELOPMENT_CHAIN, |_| ()).expect("the right chain");
            Prover::new(keys).expect("keys of this circuit")
        })
    }

    /// One proof for all tests.
    pub(crate) fn proven() -> &'static (Statement, Proof) {
        static PROVEN: OnceLock<(Statement, Proof)> = OnceLock::new();
        PROVEN.get_or_init(|| prover().prove(&witness_of(1, SHAPE), [1; 32]).expect("satisfiable"))
    }

    fn key() -> &'static VerifyingKey {
        prover().keys().verifying_key()
    }

    #[test]
    fn a_proof_is_a_function_of_witness_and_entropy() {
        let (statement, proof) = proven();
        let witness = witness_of(1, SHAPE);
        assert_eq!(
            prover().prove(&witness, [1; 32]).expect("satisfiable"),
            (*statement, proof.clone())
        );
        let (same, other) = prover().prove(&witness, [2; 32]).expect("satisfiable");
        assert_eq!(same, *statement);
        assert_ne!(other, *proof);
        assert_eq!(verify(key(), statement, &other), Ok(()));
    }

    /// The differential oracle: the older prover, given the same blinding, makes the same proof.
    #[test]
    fn ark_groth16_makes_the_same_proof() {
        let (statement, proof) = proven();
        let assignment = Assignment::of(&witness_of(1, SHAPE));
        let mut rng = ArkRng(ChaCha20Rng::from_seed([1; 32]));
        let (r, s) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
        let theirs = Groth16::<Bn254>::create_proof_with_reduction(
            Clearing { assignment, statement: *statement },
            &prover().keys().proving,
            r,
            s,
        );
        assert_eq!(theirs.expect("satisfiable"), proof.0);
    }

    #[test]
    fn a_witness_that_breaks_the_relation_is_not_proven() {
        let mut witness = witness_of(1, SHAPE);
        witness.round.root += Fr::from(1);
        assert!(matches!(prover().prove(&witness, [1; 32]), Err(Error::Witness(_))));
    }

    #[test]
    fn a_proof_for_another_request_round_or_chain_does_not_verify() {
        let (statement, proof) = proven();
        assert_eq!(verify(key(), statement, proof), Ok(()));
        // All three are in the context.
        let other = Statement { context: statement.context + Fr::from(1), ..*statement };
        assert_eq!(verify(key(), &other, proof), Err(Error::Invalid));
        for index in 0..INPUTS {
            let mut inputs = statement.to_inputs();
            inputs[index] += Fr::from(1);
            let other = Statement::from_inputs(&inputs);
            assert_eq!(verify(key(), &other, proof), Err(Error::Invalid), "input {index}");
        }
    }

    #[test]
    fn a_proof_with_one_bit_flipped_does_not_verify() {
        let (statement, proof) = proven();
        let words = proof.to_words();
        for word in 0..8 {
            for (byte, bit) in [(31, 0), (0, 7), (13, 3)] {
                let mut words = words;
                words[word][byte] ^= 1 << bit;
                let refused = match Proof::from_words(&words) {
                    Ok(altered) => verify(key(), statement, &altered).is_err(),
                    Err(_) => true,
                };
                assert!(refused, "word {word}, byte {byte}, bit {bit}");
            }
        }
        // Points of the group, but others.
        let ark_groth16::Proof { a, b, c } = proof.0;
        for altered in [
            ark_groth16::Proof { a: -a, b, c },
            ark_groth16::Proof { a, b: -b, c },
            ark_groth16::Proof { a, b, c: -c },
            ark_groth16::Proof { a: c, b, c: a },
        ] {
            assert_eq!(verify(key(), statement, &Proof(altered)), Err(Error::Invalid));
        }
        // The proof is malleable all the same: never key anything on its bytes.
        assert_eq!(
            verify(key(), statement, &Proof(ark_groth16::Proof { a: -a, b: -b, c })),
            Ok(())
        );
    }

    #[test]
    fn proof_words_read_back() {
        let (_, proof) = proven();
        assert_eq!(Proof::from_words(&proof.to_words()).as_ref(), Ok(proof));
        assert!(matches!(
            Proof::from_words(&[[0xff; 32]; 8]),
            Err(Error::Malformed { point: "B" }),
        ));
        let identity = Proof::from_words(&[[0; 32]; 8]).expect("the identity is in the group");
        assert_eq!(identity.to_words(), [[0; 32]; 8]);
        assert_eq!(verify(key(), &proven().0, &identity), Err(Error::Invalid));
    }

    /// Under a key with γ = δ, A = α, B = β, C = −vk_x proves anything. Not under ours.
    #[test]
    fn the_forgery_of_2026_fails() {
        let (statement, _) = proven();
        let forge = |key: &ark_groth16::VerifyingKey<Bn254>| {
            let inputs = statement.to_inputs();
            let sum = key.gamma_abc_g1[1..]
                .iter()
                .zip(inputs)
                .fold(key.gamma_abc_g1[0].into_group(), |sum, (point, input)| sum + *point * input);
            ark_groth16::Proof { a: key.alpha_g1, b: key.beta_g2, c: (-sum).into_affine() }
        };
        let ours = &key().prepared.vk;
        assert_eq!(verify(key(), statement, &Proof(forge(ours))), Err(Error::Invalid));

        let mut broken = ours.clone();
        broken.delta_g2 = broken.gamma_g2;
        let forged = forge(&broken);
        let prepared = ark_groth16::prepare_verifying_key(&broken);
        let inputs = statement.to_inputs();
        let accepted = Groth16::<Bn254>::verify_proof(&prepared, &forged, &inputs);
        assert!(accepted.expect("as many inputs as points"), "the forgery is understood");
        assert_eq!(VerifyingKey::new(broken, INPUTS).err(), Some(keys::Unsound::GammaIsDelta));
    }

    #[test]
    fn words_are_in_the_order_the_contract_takes() {
        let (_, proof) = proven();
        let theirs = taceo_groth16_sol::prepare_uncompressed_proof(&proof.0);
        assert_eq!(proof.to_words(), theirs.map(|word| word.to_be_bytes::<32>()));
    }

    /// The pairing equation, written out, against the verifier and against `to_words`' order.
    #[test]
    fn the_pairing_equation_holds_over_the_words() {
        let (statement, proof) = proven();
        let Proof(ark_groth16::Proof { a, b, c }) =
            Proof::from_words(&proof.to_words()).expect("a proof");
        let key = &key().prepared.vk;
        let inputs = statement.to_inputs();
        let x = key.gamma_abc_g1[1..]
            .iter()
            .zip(inputs)
            .fold(key.gamma_abc_g1[0].into_group(), |sum, (point, input)| sum + *point * input);
        let left = Bn254::pairing(a, b);
        let right = Bn254::multi_pairing(
            [key.alpha_g1, x.into_affine(), c],
            [key.beta_g2, key.gamma_g2, key.delta_g2],
        );
        assert_eq!(left, right);
    }
}
