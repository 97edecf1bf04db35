//! Proofs of the four relations: made, checked and posted.
//!
//! A proof is posted with its digest and values, from which the contract makes the three inputs
//! ([`pool::second::fold`]). It does not name its relation: the key does.

use core::{convert::Infallible, marker::PhantomData};

use pool::{
    Fr, field,
    second::fold::{self, INPUTS},
};
use zeroize::Zeroizing;

use self::sealed::Assigned;
use super::{Circuit, absorb, account, clear, spend};
use crate::{
    keys::{self, Keys, VerifyingKey},
    prove::{Engine, Proof, assign, holds},
};

/// Why there is no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error<V = Infallible> {
    /// There is nothing to prove.
    #[error("witness breaks the relation")]
    Witness(#[source] V),
    /// The proof does not convince.
    #[error("proof does not verify")]
    Invalid,
}

/// What becomes public of a relation.
pub trait Published {
    /// The circuit that publishes it.
    const CIRCUIT: keys::Circuit;

    /// The values, in the circuit's order.
    fn values(&self) -> Vec<Fr>;

    /// The three public inputs.
    fn inputs(&self) -> [Fr; INPUTS] {
        fold::inputs(&self.values())
    }

    /// What is posted with a proof: digest and values, each 32 bytes, big-endian.
    fn posted(&self) -> Vec<[u8; 32]> {
        let values = self.values();
        let digest = fold::digest(&values);
        [digest].iter().chain(&values).map(field::to_bytes).collect()
    }
}

/// A witness of one of the four relations.
pub trait Provable: Assigned {
    /// What of it becomes public.
    type Statement: Published;
    /// Which rule it breaks otherwise.
    type Violation: core::error::Error + 'static;

    /// What is proven about this witness.
    ///
    /// # Errors
    /// The first rule that it breaks.
    fn check(&self) -> Result<Self::Statement, Self::Violation>;
}

mod sealed {
    use pool::Fr;
    use zeroize::Zeroizing;

    /// Seals [`super::Provable`]: an assignment is of a circuit of this crate.
    pub trait Assigned {
        /// The value of every variable of the circuit that publishes `values`.
        fn assign(&self, values: Vec<Fr>) -> Zeroizing<Vec<Fr>>;
    }
}

/// Checks a proof, in some 3 ms.
///
/// # Errors
/// [`Error::Invalid`] if it does not convince, also if the key is another relation's.
pub fn verify(key: &VerifyingKey, statement: &impl Published, proof: &Proof) -> Result<(), Error> {
    if holds(key, &statement.inputs(), proof) { Ok(()) } else { Err(Error::Invalid) }
}

/// Proves one relation, which its witness names. Keeps the circuit's matrices from the first proof on, so that a later
/// one costs a witness and no synthesis.
pub struct Prover<W> {
    engine: Engine,
    witness: PhantomData<fn(&W)>,
}

impl<W> core::fmt::Debug for Prover<W> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Prover").field("keys", self.engine.keys()).finish_non_exhaustive()
    }
}

impl<W: Provable> Prover<W> {
    /// The circuit is synthesised for the first proof.
    ///
    /// # Errors
    /// [`keys::Error::Circuit`] if the keys are for another circuit.
    pub fn new(keys: Keys) -> Result<Self, keys::Error> {
        let engine = Engine::new(keys, W::Statement::CIRCUIT)?;
        Ok(Self { engine, witness: PhantomData })
    }

    /// Constraints of the circuit.
    #[must_use]
    pub fn n_constraints(&self) -> usize {
        self.engine.n_constraints()
    }

    /// The keys it proves under.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        self.engine.keys()
    }

    /// Proves one statement, and checks the proof before it leaves. Uses as many threads as rayon has.
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
    pub fn prove(
        &self,
        witness: &W,
        entropy: [u8; 32],
    ) -> Result<(W::Statement, Proof), Error<W::Violation>> {
        let statement = witness.check().map_err(Error::Witness)?;
        let assignment = witness.assign(statement.values());
        let proof = self.engine.prove(&assignment, entropy).ok_or(Error::Invalid)?;
        if !holds(self.keys().verifying_key(), &statement.inputs(), &proof) {
            return Err(Error::Invalid);
        }
        Ok((statement, proof))
    }
}

impl Published for absorb::Statement {
    const CIRCUIT: keys::Circuit = keys::Circuit::Absorb;

    fn values(&self) -> Vec<Fr> {
        self.to_values()
    }
}

impl Provable for absorb::Witness {
    type Statement = absorb::Statement;
    type Violation = absorb::Violation;

    fn check(&self) -> Result<Self::Statement, Self::Violation> {
        self.statement(absorb::HEIGHT)
    }
}

impl Assigned for absorb::Witness {
    fn assign(&self, values: Vec<Fr>) -> Zeroizing<Vec<Fr>> {
        assign(Circuit::new(absorb::Assignment::of(self, absorb::HEIGHT), values))
    }
}

impl Published for spend::Statement {
    const CIRCUIT: keys::Circuit = keys::Circuit::Spend;

    fn values(&self) -> Vec<Fr> {
        self.to_values().to_vec()
    }
}

impl Provable for spend::Witness {
    type Statement = spend::Statement;
    type Violation = spend::Violation;

    fn check(&self) -> Result<Self::Statement, Self::Violation> {
        self.statement()
    }
}

impl Assigned for spend::Witness {
    fn assign(&self, values: Vec<Fr>) -> Zeroizing<Vec<Fr>> {
        assign(Circuit::new(spend::Assignment::of(self), values))
    }
}

impl Published for account::Statement {
    const CIRCUIT: keys::Circuit = keys::Circuit::Account;

    fn values(&self) -> Vec<Fr> {
        self.to_values().to_vec()
    }
}

impl Provable for account::Witness {
    type Statement = account::Statement;
    type Violation = account::Violation;

    fn check(&self) -> Result<Self::Statement, Self::Violation> {
        self.statement()
    }
}

impl Assigned for account::Witness {
    fn assign(&self, values: Vec<Fr>) -> Zeroizing<Vec<Fr>> {
        assign(Circuit::new(account::Assignment::of(self), values))
    }
}

impl Published for clear::Statement {
    const CIRCUIT: keys::Circuit = keys::Circuit::Clear;

    fn values(&self) -> Vec<Fr> {
        self.to_values()
    }
}

impl Provable for clear::Witness {
    type Statement = clear::Statement;
    type Violation = clear::Violation;

    fn check(&self) -> Result<Self::Statement, Self::Violation> {
        self.statement()
    }
}

impl Assigned for clear::Witness {
    fn assign(&self, values: Vec<Fr>) -> Zeroizing<Vec<Fr>> {
        assign(Circuit::new(clear::Assignment::of(self), values))
    }
}

#[cfg(test)]
mod tests;
