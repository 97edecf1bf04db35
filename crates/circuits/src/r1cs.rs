//! A circuit as matrices: canonical, so that they can be hashed, and checked without a proof system.

use ark_ff::AdditiveGroup;
use ark_relations::{
    gr1cs::{
        ConstraintSynthesizer, ConstraintSystem, OptimizationGoal, R1CS_PREDICATE_LABEL,
        SynthesisMode,
    },
    utils::matrix::Matrix,
};
use pool::{Fr, field};
use sha2::{Digest, Sha256};

/// The three matrices of `A·z ∘ B·z = C·z`, where `z` is one, the public inputs, the witness.
///
/// Canonical: in every row indices rise strictly and no coefficient is zero.
#[derive(Clone)]
pub struct R1cs {
    /// Public inputs, counting the leading one.
    pub n_instance: usize,
    /// Private values.
    pub n_witness: usize,
    /// `A`, by row.
    pub a: Matrix<Fr>,
    /// `B`, by row.
    pub b: Matrix<Fr>,
    /// `C`, by row.
    pub c: Matrix<Fr>,
}

impl core::fmt::Debug for R1cs {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("R1cs")
            .field("n_instance", &self.n_instance)
            .field("n_witness", &self.n_witness)
            .field("n_constraints", &self.n_constraints())
            .finish_non_exhaustive()
    }
}

impl R1cs {
    /// Synthesises a circuit, without a witness.
    ///
    /// # Panics
    /// If the circuit cannot be synthesised: a bug of ours.
    #[must_use]
    pub fn of(circuit: impl ConstraintSynthesizer<Fr>) -> Self {
        let cs = ConstraintSystem::new_ref();
        cs.set_optimization_goal(OptimizationGoal::Constraints);
        cs.set_mode(SynthesisMode::Setup);
        circuit.generate_constraints(cs.clone()).expect("our circuits can be synthesised");
        cs.finalize();
        let mut matrices = cs.to_matrices().expect("setup mode makes matrices");
        let [a, b, c] = matrices
            .remove(R1CS_PREDICATE_LABEL)
            .and_then(|matrices| <[_; 3]>::try_from(matrices).ok())
            .expect("an R1CS has three matrices")
            .map(canonical);
        Self {
            n_instance: cs.num_instance_variables(),
            n_witness: cs.num_witness_variables(),
            a,
            b,
            c,
        }
    }

    /// Number of constraints.
    #[must_use]
    pub fn n_constraints(&self) -> usize {
        self.a.len()
    }

    /// SHA-256 over the counts of instance, witness and constraints and then, row by row, of `A`, `B`
    /// and `C`, the number of terms and each term's index (4 bytes, big-endian) and coefficient (32).
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let count = |n: usize, hasher: &mut Sha256| {
            hasher.update(u32::try_from(n).expect("circuits are smaller").to_be_bytes());
        };
        for n in [self.n_instance, self.n_witness, self.n_constraints()] {
            count(n, &mut hasher);
        }
        for matrix in [&self.a, &self.b, &self.c] {
            for row in matrix {
                count(row.len(), &mut hasher);
                for (coefficient, index) in row {
                    count(*index, &mut hasher);
                    hasher.update(field::to_bytes(coefficient));
                }
            }
        }
        hasher.finalize().into()
    }

    /// The index of the first constraint that `assignment` breaks, if any. `assignment` is one, the
    /// public inputs, the witness.
    ///
    /// # Panics
    /// If `assignment` has not as many values as there are variables.
    #[must_use]
    pub fn first_broken(&self, assignment: &[Fr]) -> Option<usize> {
        assert_eq!(assignment.len(), self.n_instance + self.n_witness, "one value a variable");
        (0..self.n_constraints()).find(|row| {
            let [a, b, c] =
                [&self.a, &self.b, &self.c].map(|matrix| evaluate(&matrix[*row], assignment));
            a * b != c
        })
    }

    /// How many terms all rows have together, a measure of what evaluating them costs.
    #[must_use]
    pub fn n_terms(&self) -> usize {
        [&self.a, &self.b, &self.c].into_iter().flatten().map(Vec::len).sum()
    }
}

/// `⟨row, assignment⟩`.
#[must_use]
pub fn evaluate(row: &[(Fr, usize)], assignment: &[Fr]) -> Fr {
    row.iter().map(|(coefficient, index)| *coefficient * assignment[*index]).sum()
}

fn canonical(mut matrix: Matrix<Fr>) -> Matrix<Fr> {
    for row in &mut matrix {
        row.sort_by_key(|(_, index)| *index);
        row.dedup_by(|(next, next_index), (kept, kept_index)| {
            let same = next_index == kept_index;
            if same {
                *kept += *next;
            }
            same
        });
        row.retain(|(coefficient, _)| *coefficient != Fr::ZERO);
        row.shrink_to_fit();
    }
    matrix
}
