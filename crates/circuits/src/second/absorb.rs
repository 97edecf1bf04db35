//! Absorb: queued leaves enter the entry tree.
//!
//! The statement, in one sentence: *`root` becomes `root_after` when the empty subtree at `index` becomes
//! the one over `leaves`, and nothing else changes.* There is one `root_after` for a root, an index and
//! leaves, so whoever absorbs chooses nothing.
//!
//! What the circuit leaves to the pool: that `root` is the entry tree's, that `index` is where it goes on
//! and `leaves` are the next of its queue, zeros where there are none.

use ark_r1cs_std::eq::EqGadget;
use ark_relations::gr1cs::ConstraintSystemRef;
use ark_std::Zero;
use pool::{
    Fr,
    second::tree::{NOTE_DEPTH, Path, subtree, zeros},
};

use super::{
    Circuit, Relation,
    gadgets::{self, Appended, PathFields, PathWires, rule},
};
use crate::{
    gadgets::{Result as Synthesis, Wire},
    r1cs::R1cs,
};

/// What the circuit is called, where keys and verifiers are told apart.
pub const NAME: &str = "absorb";

/// Levels of the subtree that the pool absorbs: 16 leaves. A build for 64 has 3.
pub const HEIGHT: usize = 2;

/// Constraints of the circuit for 16 leaves, and for 64.
pub const CONSTRAINTS: [usize; 2] = [10_728, 18_702];

// ---------------------------------------------------------------------------------------------------
// Statement
// ---------------------------------------------------------------------------------------------------

/// What becomes public, in the order of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<T = Fr> {
    /// The tree's root before.
    pub root: T,
    /// The tree's root after.
    pub root_after: T,
    /// Index of the first leaf, a multiple of their number.
    pub index: T,
    /// The leaves, 4^height of them, 0 where none is.
    pub leaves: Vec<T>,
}

impl<T: Clone> Statement<T> {
    /// The values, in order.
    #[must_use]
    pub fn to_values(&self) -> Vec<T> {
        let mut values = vec![self.root.clone(), self.root_after.clone(), self.index.clone()];
        values.extend_from_slice(&self.leaves);
        values
    }

    /// The inverse of [`Self::to_values`]; `None` if there are fewer than three.
    #[must_use]
    pub fn from_values(values: &[T]) -> Option<Self> {
        let [root, root_after, index, leaves @ ..] = values else { return None };
        let (root, root_after, index) = (root.clone(), root_after.clone(), index.clone());
        Some(Self { root, root_after, index, leaves: leaves.to_vec() })
    }
}

// ---------------------------------------------------------------------------------------------------
// Witness
// ---------------------------------------------------------------------------------------------------

/// What is appended, and where. All of it is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// The leaves, 4^height of them, 0 where none is.
    pub leaves: Vec<Fr>,
    /// Where the subtree over them is: see [`pool::second::tree::Tree::path`] at `height`.
    pub path: Path,
}

// ---------------------------------------------------------------------------------------------------
// Relation, in plain Rust
// ---------------------------------------------------------------------------------------------------

/// Which rule a witness breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Not a subtree's worth of leaves.
    #[error("{found} leaves, the subtree has {expected}; hint: fill it up with zeros")]
    Leaves {
        /// Leaves there are.
        found: usize,
        /// Leaves there must be.
        expected: usize,
    },
    /// A path has another number of levels than the tree above the subtree.
    #[error("path has {found} levels, above the subtree there are {expected}")]
    Levels {
        /// Its levels.
        found: usize,
        /// Levels there are.
        expected: usize,
    },
    /// The index is beyond the tree.
    #[error("subtree {index} is out of range: it must be below 4^{levels}")]
    Index {
        /// The subtree's index.
        index: u64,
        /// Levels above it.
        levels: usize,
    },
}

impl Witness {
    /// What is proven about this witness by the circuit for subtrees of `height`.
    ///
    /// # Errors
    /// The first [`Violation`] if the relation does not hold.
    pub fn statement(&self, height: usize) -> Result<Statement, Violation> {
        let Self { leaves, path: Path { index, siblings } } = self;
        let (found, expected) = (leaves.len(), 1 << (2 * height));
        if found != expected {
            return Err(Violation::Leaves { found, expected });
        }
        let (found, expected) = (siblings.len(), NOTE_DEPTH - height);
        if found != expected {
            return Err(Violation::Levels { found, expected });
        }
        let (index, levels) = (*index, expected);
        if index >> (2 * levels) != 0 {
            return Err(Violation::Index { index, levels });
        }
        Ok(Statement {
            root: self.path.root(zeros()[height]),
            root_after: self.path.root(subtree(leaves, height)),
            index: Fr::from(index << (2 * height)),
            leaves: leaves.clone(),
        })
    }
}

/// A witness as field elements: every digit and every child is the prover's.
#[derive(Clone)]
pub(crate) struct Assignment {
    pub(crate) height: usize,
    /// From the empty subtree.
    pub(crate) path: PathFields,
}

impl Assignment {
    /// The field elements of a witness.
    pub(crate) fn of(witness: &Witness, height: usize) -> Self {
        Self { height, path: PathFields::of(&witness.path, zeros()[height]) }
    }
}

// ---------------------------------------------------------------------------------------------------
// Relation, in constraints
// ---------------------------------------------------------------------------------------------------

/// The matrices of the circuit for subtrees of `height`.
#[must_use]
pub fn r1cs(height: usize) -> R1cs {
    R1cs::of(blank(height))
}

/// The circuit without a witness.
pub(crate) fn blank(height: usize) -> Circuit<Assignment> {
    let n_leaves = 1 << (2 * height);
    let witness =
        Witness { leaves: vec![Fr::zero(); n_leaves], path: Path::dummy(NOTE_DEPTH - height) };
    let values = vec![Fr::zero(); 3 + n_leaves];
    Circuit::new(Assignment::of(&witness, height), values)
}

impl Relation for Assignment {
    fn enforce(&self, cs: &ConstraintSystemRef<Fr>, values: &[Wire]) -> Synthesis<()> {
        let public = Statement::<Wire>::from_values(values).expect("three and the leaves");

        // Book: circuits/absorb.md#appending
        // Otherwise one subtree has many indices, see `PathWires::new`.
        rule(cs, "digits of the index are 0 or 1");
        let path = PathWires::new(cs, &self.path)?;

        // From the leaves down to here everything is fixed. The path's children are free, and lead to two
        // roots that differ by this subtree only: the one before is the tree's if it was empty, which
        // nothing but the tree's own children shows.
        rule(cs, "subtree replaces an empty one");
        let Appended { before, after, index } =
            gadgets::append(cs, &public.leaves, self.height, &path)?;

        rule(cs, "root is of the tree without it");
        before.enforce_equal(&public.root)?;
        rule(cs, "root after is of the tree with it");
        after.enforce_equal(&public.root_after)?;
        // A multiple of the subtree's size, below 2^32.
        rule(cs, "index is the subtree's");
        index.enforce_equal(&public.index)
    }
}

// ---------------------------------------------------------------------------------------------------
// Tests
// ---------------------------------------------------------------------------------------------------

#[cfg(test)]
mod tests;
