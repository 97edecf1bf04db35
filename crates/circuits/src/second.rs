//! The relations of the second design, beside the first until contracts and clients have moved to it.
//!
//! Four: [`absorb`] appends queued leaves to the entry tree, [`spend`] takes notes out or splits them,
//! [`account`] moves what an issuer has in and out, [`mod@clear`] settles a round. Each publishes a vector of
//! values, folded into three public inputs ([`pool::second::fold`]), and is written twice: in plain Rust
//! and in constraints.
//!
//! Whatever a relation allocates with `private` is the prover's choice, and constraints are read as if
//! the worst one had made it. Integers are held to their range where they are used, even where whoever
//! made the commitment did it before: no argument has to span two proofs.

use ark_r1cs_std::alloc::AllocVar;
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef};
use pool::{
    Fr,
    second::fold::{self, INPUTS},
};

use crate::gadgets::{Result as Synthesis, Wire};

pub mod absorb;
pub mod account;
pub mod clear;
pub mod spend;

pub mod prove;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

mod gadgets;

#[cfg(test)]
mod check;

/// Constraints over values that become public and whatever the prover chooses besides.
pub(crate) trait Relation {
    /// Adds the constraints. `values` are the prover's until something holds them to what they should
    /// be; that they are what the verifier has is the folding's business.
    fn enforce(&self, cs: &ConstraintSystemRef<Fr>, values: &[Wire]) -> Synthesis<()>;
}

/// A relation with its values folded into the circuit's public inputs.
pub(crate) struct Circuit<R> {
    pub(crate) relation: R,
    pub(crate) values: Vec<Fr>,
    pub(crate) inputs: [Fr; INPUTS],
}

impl<R> Circuit<R> {
    /// The circuit that publishes `values`.
    pub(crate) fn new(relation: R, values: Vec<Fr>) -> Self {
        let inputs = fold::inputs(&values);
        Self { relation, values, inputs }
    }
}

impl<R: Relation> ConstraintSynthesizer<Fr> for Circuit<R> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Synthesis<()> {
        let [digest, challenge, sum] = self.inputs;
        let input = |value| Wire::new_input(cs.clone(), || Ok(value));
        let inputs = [input(digest)?, input(challenge)?, input(sum)?];
        let values = gadgets::privates(&cs, &self.values)?;
        gadgets::fold(&cs, &values, &inputs)?;
        self.relation.enforce(&cs, &values)
    }
}
