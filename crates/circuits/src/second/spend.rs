//! Spend: notes leave the pool, or become other notes, or say that they will.
//!
//! The statement, in one sentence: *these nullifiers are of notes in the entry tree or in the named
//! venue's, owned by whoever made this proof; they become these leaves and `amount` of `asset`, and nothing
//! is lost or gained; and of each it is said whether terms lock it.* An announcement says the same of
//! notes that stay where they are: nothing comes of them.
//!
//! There are always two inputs and two outputs. An input without a note has a dummy's nullifier and
//! nothing in it; an output of nothing is published as 0. Leaving, splitting, merging and locking again
//! differ in amounts only.
//!
//! What the circuit leaves to the pool: that the nullifiers' words allow it (unspent; announced and
//! long enough ago if locked) and differ, that both roots are stored ones and `venue_root` is `venue`'s,
//! that an announcement has no recipient, and that what is not 0 of the leaves enters the queue. The
//! context binds recipient, relayer, fee, deadline and memo; no rule reads it.

use ark_r1cs_std::{eq::EqGadget, fields::FieldVar};
use ark_relations::gr1cs::ConstraintSystemRef;
use ark_std::{One, Zero};
use pool::{
    AMOUNT_BITS, AMOUNT_END, Fr,
    hash::{poseidon, tag},
    keys::{self, NullifierSecret, SpendSecret},
    second::{
        note,
        tree::{NOTE_DEPTH, Path},
        wallet,
    },
};
use zeroize::Zeroize;

use super::{
    Circuit, Relation,
    gadgets::{PathFields, PathWires, hash, is_nonzero, leaf, pick, private, rule},
};
use crate::{
    gadgets::{self, Result as Synthesis, Wire, equal_if, linear, range},
    r1cs::R1cs,
};

/// What the circuit is called, where keys and verifiers are told apart.
pub const NAME: &str = "spend";

/// Inputs of a spend, and outputs.
pub const WIDTH: usize = 2;

/// Number of values published.
pub const VALUES: usize = 7 + 3 * WIDTH;

/// Constraints of the circuit.
pub const CONSTRAINTS: usize = 14_243;

// ---------------------------------------------------------------------------------------------------
// Statement
// ---------------------------------------------------------------------------------------------------

/// What becomes public, in the order of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<T = Fr> {
    /// Kind, chain, pool, recipient, relayer, fee, deadline and memo: no rule reads it, the folding
    /// binds it.
    pub context: T,
    /// 1 if the notes stay and are announced, else 0.
    pub announce: T,
    /// A root of the entry tree.
    pub entry_root: T,
    /// A venue, below 2^216: the pool has computed it. 0 if none is named.
    pub venue: T,
    /// A root of that venue's tree; the empty tree's if none is named.
    pub venue_root: T,
    /// The token of all notes: its address as an integer.
    pub asset: T,
    /// How much leaves the pool, in base units.
    pub amount: T,
    /// Of each input, real or dummy.
    pub nullifiers: [T; WIDTH],
    /// Of each input: 1 if it has an order hash, else 0.
    pub locked: [T; WIDTH],
    /// Of each output: its leaf, or 0 if there is nothing in it.
    pub leaves: [T; WIDTH],
}

impl<T: Clone> Statement<T> {
    /// The values, in order.
    #[must_use]
    pub fn to_values(&self) -> [T; VALUES] {
        let Self { context, announce, entry_root, venue, venue_root, asset, amount, .. } =
            self.clone();
        let Self { nullifiers: [n0, n1], locked: [k0, k1], leaves: [l0, l1], .. } = self.clone();
        [context, announce, entry_root, venue, venue_root, asset, amount, n0, n1, k0, k1, l0, l1]
    }

    /// The inverse of [`Self::to_values`].
    #[must_use]
    pub fn from_values(values: [T; VALUES]) -> Self {
        let [
            context,
            announce,
            entry_root,
            venue,
            venue_root,
            asset,
            amount,
            n0,
            n1,
            k0,
            k1,
            l0,
            l1,
        ] = values;
        let (nullifiers, locked, leaves) = ([n0, n1], [k0, k1], [l0, l1]);
        Self {
            context,
            announce,
            entry_root,
            venue,
            venue_root,
            asset,
            amount,
            nullifiers,
            locked,
            leaves,
        }
    }
}

// ---------------------------------------------------------------------------------------------------
// Witness
// ---------------------------------------------------------------------------------------------------

/// Everything about a spend. It stays in the wallet.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds spend secrets")]
pub struct Witness {
    /// See [`Statement::context`].
    pub context: Fr,
    /// Whether the notes stay and are announced.
    pub announce: bool,
    /// A root of the entry tree.
    pub entry_root: Fr,
    /// A venue, or 0.
    pub venue: Fr,
    /// A root of its tree.
    pub venue_root: Fr,
    /// The token of all notes.
    pub asset: Fr,
    /// What is spent.
    pub inputs: [Input; WIDTH],
    /// What comes of it.
    pub outputs: [Output; WIDTH],
    /// What leaves the pool, in base units, below 2^112.
    pub amount: u128,
}

/// A note of the prover's, or nothing.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds spend secrets")]
pub struct Input {
    /// The note's amount, in base units, below 2^112. If it is 0 there is no note: the input is a dummy, its
    /// order hash is 0 and the rest is free.
    pub amount: u128,
    /// The note's `ask`.
    pub spend_secret: SpendSecret,
    /// The note line's `nsk`.
    pub nullifier_secret: NullifierSecret,
    /// The note's terms, or 0.
    pub order_hash: Fr,
    /// The note's `rho`.
    pub rho: Fr,
    /// Whether it is in the venue's tree and not in the entry tree.
    pub in_venue: bool,
    /// Where it is there.
    pub path: Path,
}

impl Witness {
    /// What a wallet has planned, under the context that its words and what happens outside make
    /// ([`pool::second::context::Deployment::exit_context`]).
    #[must_use]
    pub fn of(spend: &wallet::Spend, context: Fr) -> Self {
        let input = |slot: usize| match spend.inputs.get(slot) {
            Some(input) => Input {
                amount: input.note.amount,
                spend_secret: input.opening.spend_secret.clone(),
                nullifier_secret: input.opening.nullifier_secret.clone(),
                order_hash: input.note.order_hash,
                rho: input.note.rho,
                in_venue: input.in_venue,
                path: input.path.clone(),
            },
            None => Input::dummy(&spend.dummy),
        };
        Self {
            context,
            announce: spend.announce,
            entry_root: spend.entry_root,
            venue: spend.venue,
            venue_root: spend.venue_root,
            asset: spend.asset,
            inputs: [input(0), input(1)],
            outputs: spend.outputs.map(|(amount, words)| Output { amount, inner: words.inner }),
            amount: spend.amount,
        }
    }
}

impl Input {
    /// An input without a note. `entropy` makes its nullifier look like any other's; it must be secret and
    /// not be used again.
    #[must_use]
    pub fn dummy(entropy: &[u8; 32]) -> Self {
        Self {
            amount: 0,
            spend_secret: SpendSecret::from_entropy(entropy),
            nullifier_secret: NullifierSecret::from_entropy(entropy),
            order_hash: Fr::zero(),
            rho: Fr::zero(),
            in_venue: false,
            path: Path::dummy(NOTE_DEPTH),
        }
    }

    /// The note's commitment.
    #[must_use]
    pub fn commitment(&self, asset: Fr) -> Fr {
        let npk = self.nullifier_secret.nullifier_key();
        let owner = keys::owner(self.spend_secret.spend_key(), npk);
        let inner = note::inner(owner, self.order_hash, self.rho);
        note::leaf(asset, Fr::from(self.amount), inner)
    }
}

/// A note that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its amount, in base units, below 2^112; 0 if there is none.
    pub amount: u128,
    /// Its [`note::inner`]. It is not opened, as a deposit's is not: whoever makes it wrong has lost it.
    pub inner: Fr,
}

// ---------------------------------------------------------------------------------------------------
// Relation, in plain Rust
// ---------------------------------------------------------------------------------------------------

/// Which rule a witness breaks. `input` and `output` count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The amount that leaves is too large.
    #[error("amount is out of range: it must be below 2^112")]
    Amount,
    /// An input's amount is too large.
    #[error("input {input}: amount is out of range: it must be below 2^112")]
    InputAmount {
        /// Where.
        input: usize,
    },
    /// An output's amount is too large.
    #[error("output {output}: amount is out of range: it must be below 2^112")]
    OutputAmount {
        /// Where.
        output: usize,
    },
    /// A path has another number of levels than the trees.
    #[error("input {input}: path has {levels} levels, trees have {NOTE_DEPTH}")]
    Levels {
        /// Where.
        input: usize,
        /// Its levels.
        levels: usize,
    },
    /// An index is beyond the tree.
    #[error("input {input}: leaf index {index} is out of range: it must be below 2^32")]
    Index {
        /// Where.
        input: usize,
        /// The index.
        index: u64,
    },
    /// An input without a note has an order hash.
    #[error("input {input}: nothing is in it and an order hash locks it; hint: leave it out")]
    DummyLocked {
        /// Where.
        input: usize,
    },
    /// The note is not in the tree.
    #[error("input {input}: note is not in the tree at its root; hint: absorb it, or use its root")]
    NotInTree {
        /// Where.
        input: usize,
    },
    /// Both inputs are one note.
    #[error("both inputs spend the same note")]
    NoteTwice,
    /// An announcement makes or takes something.
    #[error(
        "an announcement makes {made}, and must make nothing; hint: spend the notes afterwards"
    )]
    AnnouncementMakes {
        /// Outputs and what leaves.
        made: u128,
    },
    /// What goes in is not what comes out.
    #[error("inputs are {spent}, outputs and what leaves are {made}")]
    Unbalanced {
        /// Inputs.
        spent: u128,
        /// Outputs and what leaves.
        made: u128,
    },
}

impl Witness {
    /// What is proven about this witness.
    ///
    /// # Errors
    /// The first [`Violation`] if the relation does not hold.
    pub fn statement(&self) -> Result<Statement, Violation> {
        let Self { announce, entry_root, venue_root, asset, inputs, outputs, amount, .. } = self;
        check(*amount < AMOUNT_END, Violation::Amount)?;
        for (output, made) in outputs.iter().enumerate() {
            check(made.amount < AMOUNT_END, Violation::OutputAmount { output })?;
        }
        for (input, spent) in inputs.iter().enumerate() {
            let Path { index, siblings } = &spent.path;
            let (index, levels) = (*index, siblings.len());
            check(spent.amount < AMOUNT_END, Violation::InputAmount { input })?;
            check(levels == NOTE_DEPTH, Violation::Levels { input, levels })?;
            check(index < 1 << (2 * NOTE_DEPTH), Violation::Index { input, index })?;
            if spent.amount != 0 {
                let root = if spent.in_venue { venue_root } else { entry_root };
                let found = spent.path.root(spent.commitment(*asset));
                check(found == *root, Violation::NotInTree { input })?;
            } else {
                check(spent.order_hash.is_zero(), Violation::DummyLocked { input })?;
            }
        }
        // Three amounts of 112 bits cannot overflow 128.
        let spent = inputs.iter().map(|input| input.amount).sum();
        let made = outputs.iter().map(|output| output.amount).sum::<u128>() + amount;
        if *announce {
            check(made == 0, Violation::AnnouncementMakes { made })?;
        } else {
            check(spent == made, Violation::Unbalanced { spent, made })?;
        }
        let statement = Assignment::of(self).statement();
        // The pool refuses equal nullifiers; here they are refused before a proof is made for nothing.
        let [first, second] = statement.nullifiers;
        check(first != second, Violation::NoteTwice)?;
        Ok(statement)
    }
}

fn check(holds: bool, violation: Violation) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(violation) }
}

/// A witness as field elements, which is all the constraints see of it. Unlike a [`Witness`] it can
/// hold what no honest type can, a negative amount for instance, and the constraints must refuse it.
#[derive(Clone)]
pub(crate) struct Assignment {
    pub(crate) context: Fr,
    pub(crate) announce: Fr,
    pub(crate) entry_root: Fr,
    pub(crate) venue: Fr,
    pub(crate) venue_root: Fr,
    pub(crate) asset: Fr,
    pub(crate) amount: Fr,
    pub(crate) inputs: [InputFields; WIDTH],
    pub(crate) outputs: [OutputFields; WIDTH],
}

/// See [`Input`].
#[derive(Clone)]
pub(crate) struct InputFields {
    pub(crate) amount: Fr,
    pub(crate) spend_secret: Fr,
    pub(crate) nullifier_secret: Fr,
    pub(crate) order_hash: Fr,
    pub(crate) rho: Fr,
    pub(crate) in_venue: Fr,
    pub(crate) path: PathFields,
}

/// See [`Output`].
#[derive(Clone, Copy)]
pub(crate) struct OutputFields {
    pub(crate) amount: Fr,
    pub(crate) inner: Fr,
}

impl Drop for InputFields {
    fn drop(&mut self) {
        self.spend_secret.zeroize();
        self.nullifier_secret.zeroize();
    }
}

impl InputFields {
    pub(crate) fn commitment(&self, asset: Fr) -> Fr {
        let spend_key = poseidon(&[tag("ak"), self.spend_secret]);
        let owner = keys::owner(spend_key, poseidon(&[tag("npk"), self.nullifier_secret]));
        note::leaf(asset, self.amount, note::inner(owner, self.order_hash, self.rho))
    }
}

impl Assignment {
    /// The field elements of a witness, whether it satisfies the relation or not.
    pub(crate) fn of(witness: &Witness) -> Self {
        let Witness { context, announce, entry_root, venue, venue_root, asset, .. } = *witness;
        let Witness { inputs, outputs, amount, .. } = witness;
        Self {
            context,
            announce: Fr::from(announce),
            entry_root,
            venue,
            venue_root,
            asset,
            amount: Fr::from(*amount),
            inputs: core::array::from_fn(|index| {
                let input = &inputs[index];
                InputFields {
                    amount: Fr::from(input.amount),
                    spend_secret: *input.spend_secret.expose(),
                    nullifier_secret: *input.nullifier_secret.expose(),
                    order_hash: input.order_hash,
                    rho: input.rho,
                    in_venue: Fr::from(input.in_venue),
                    path: PathFields::of(&input.path, input.commitment(asset)),
                }
            }),
            outputs: outputs
                .map(|Output { amount, inner }| OutputFields { amount: Fr::from(amount), inner }),
        }
    }

    /// What this assignment would publish. There is an answer for assignments the relation refuses, and
    /// flags that are none select as the constraints do.
    pub(crate) fn statement(&self) -> Statement {
        let Self { context, announce, entry_root, venue, venue_root, asset, amount, .. } = *self;
        let nullifier = |slot: usize| {
            let input = &self.inputs[slot];
            let InputFields { nullifier_secret, in_venue, path, .. } = input;
            if input.amount.is_zero() {
                return note::dummy_nullifier(nullifier_secret, context, slot);
            }
            let place = note::place(venue * in_venue, 0) + path.index();
            note::nullifier(nullifier_secret, input.commitment(asset), place)
        };
        let made = |OutputFields { amount, inner }: OutputFields| {
            if amount.is_zero() { Fr::zero() } else { note::leaf(asset, amount, inner) }
        };
        Statement {
            context,
            announce,
            entry_root,
            venue,
            venue_root,
            asset,
            amount,
            nullifiers: core::array::from_fn(nullifier),
            locked: core::array::from_fn(|slot| Fr::from(!self.inputs[slot].order_hash.is_zero())),
            leaves: self.outputs.map(made),
        }
    }
}

// ---------------------------------------------------------------------------------------------------
// Relation, in constraints
// ---------------------------------------------------------------------------------------------------

/// The circuit's matrices.
#[must_use]
pub fn r1cs() -> R1cs {
    R1cs::of(blank())
}

/// The circuit without a witness.
pub(crate) fn blank() -> Circuit<Assignment> {
    let zero = Fr::zero();
    let blank = Witness {
        context: zero,
        announce: false,
        entry_root: zero,
        venue: zero,
        venue_root: zero,
        asset: zero,
        inputs: [0, 1].map(|_| Input::dummy(&[0; 32])),
        outputs: [Output { amount: 0, inner: zero }; WIDTH],
        amount: 0,
    };
    circuit(&Assignment::of(&blank))
}

/// The circuit that publishes what the assignment makes.
pub(crate) fn circuit(assignment: &Assignment) -> Circuit<Assignment> {
    Circuit::new(assignment.clone(), assignment.statement().to_values().to_vec())
}

impl Relation for Assignment {
    fn enforce(&self, cs: &ConstraintSystemRef<Fr>, values: &[Wire]) -> Synthesis<()> {
        let values = values.to_vec().try_into().expect("as many as the statement has");
        let public = Statement::<Wire>::from_values(values);

        // Book: circuits/spend.md#the-kind
        rule(cs, "announcement is one or not");
        let announce = &public.announce;
        announce.mul_equals(announce, announce)?;

        let mut spent = Wire::zero();
        for (slot, input) in self.inputs.iter().enumerate() {
            spent += enforce_input(cs, &public, slot, input)?;
        }
        let mut made = public.amount.clone();
        for (slot, output) in self.outputs.iter().enumerate() {
            made += enforce_output(cs, &public, slot, output)?;
        }

        // Book: circuits/spend.md#the-balance
        // A negative amount would let the outputs be more than the inputs.
        rule(cs, "what leaves is in range");
        range(&public.amount, AMOUNT_BITS)?;

        // All are integers below 2^112, so neither sum wraps. Of an announcement nothing comes: the sum of
        // amounts is 0, and so is each of them.
        rule(cs, "nothing is lost or gained");
        spent.mul_equals(&(Wire::one() - announce), &made)
    }
}

/// One input: a note of the prover's that is in one of the trees, or nothing at all. Returns its amount.
fn enforce_input(
    cs: &ConstraintSystemRef<Fr>,
    public: &Statement<Wire>,
    slot: usize,
    input: &InputFields,
) -> Synthesis<Wire> {
    let amount = private(cs, &input.amount)?;
    let spend_secret = &private(cs, &input.spend_secret)?;
    let nullifier_secret = &private(cs, &input.nullifier_secret)?;
    let order_hash = &private(cs, &input.order_hash)?;
    let rho = &private(cs, &input.rho)?;
    let in_venue = &private(cs, &input.in_venue)?;

    // Book: circuits/spend.md#an-input
    // An input is real if there is something in it: that is no choice. Otherwise its membership is not
    // checked, and it is not locked: it can be neither announced nor taken for an announced one.
    rule(cs, "dummy is not locked");
    let real = &is_nonzero(cs, &amount)?;
    (Wire::one() - real).mul_equals(order_hash, &Wire::zero())?;
    rule(cs, "input is in range");
    range(&amount, AMOUNT_BITS)?;

    // With a tree bit of the prover's liking, entry + bit · (venue − entry) is any root it likes.
    rule(cs, "tree is the entry's or the venue's");
    in_venue.mul_equals(in_venue, in_venue)?;

    // Otherwise one commitment has many indices, see `PathWires::new`.
    rule(cs, "digits of the index are 0 or 1");
    let path = PathWires::new(cs, &input.path)?;

    // Only who knows `ask` makes the owner; an enclave knows `nsk` and the public half of the other.
    // Leaf and path are as deep as the tree, so that no node passes for a leaf.
    rule(cs, "note is the prover's and in the tree");
    let spend_key = &hash("ak", &[spend_secret])?;
    let nullifier_key = &hash("npk", &[nullifier_secret])?;
    let owner = &hash("owner", &[spend_key, nullifier_key])?;
    let inner = hash("note", &[owner, order_hash, rho])?;
    let commitment = &leaf(&public.asset, &amount, &inner)?;
    let root = path.root(commitment)?;
    equal_if(real, &root, &pick(in_venue, &public.venue_root, &public.entry_root))?;

    // The place is below p, as the venue is below 2^216 and the index below 2^32, so a note has one
    // nullifier. A dummy's has another tag: no choice of secret makes it a real one's, which would burn
    // somebody's note.
    rule(cs, "nullifier is the input's");
    let shift = Fr::from(1_u64 << 32);
    let venue = in_venue * &public.venue;
    let place = linear([(shift, &venue), (Fr::one(), &path.index()?)], Fr::zero())?;
    let nullifier = gadgets::poseidon(&[
        pick(real, &Wire::constant(tag("nf")), &Wire::constant(tag("nf.dummy"))),
        nullifier_secret.clone(),
        pick(real, commitment, &public.context),
        pick(real, &place, &Wire::constant(Fr::from(slot as u64))),
    ])?;
    nullifier.enforce_equal(&public.nullifiers[slot])?;

    // In both directions: a locked note that passes for a free one leaves in the middle of a round, a
    // free one that passes for locked could be announced and would be barred from a spend at once.
    rule(cs, "lock is said as it is");
    is_nonzero(cs, order_hash)?.enforce_equal(&public.locked[slot])?;
    Ok(amount)
}

/// One output: a leaf with something in it, or 0. Returns its amount.
fn enforce_output(
    cs: &ConstraintSystemRef<Fr>,
    public: &Statement<Wire>,
    slot: usize,
    output: &OutputFields,
) -> Synthesis<Wire> {
    let amount = private(cs, &output.amount)?;
    let inner = private(cs, &output.inner)?;
    // Book: circuits/spend.md#an-output
    rule(cs, "output is in range");
    range(&amount, AMOUNT_BITS)?;
    // In both directions: a leaf of nothing would take a place in the queue, and something published as 0
    // would be lost.
    rule(cs, "leaf is the output's");
    let commitment = leaf(&public.asset, &amount, &inner)?;
    is_nonzero(cs, &amount)?.mul_equals(&commitment, &public.leaves[slot])?;
    Ok(amount)
}

// ---------------------------------------------------------------------------------------------------
// Tests
// ---------------------------------------------------------------------------------------------------

#[cfg(test)]
mod tests;
