//! The width-4 permutation, paths and folding, in constraints.
//!
//! What keeps rows short: a child of a node is a variable, never the combination that the level below
//! ends in. A digest's first lane is fed forward, so combinations would otherwise grow from level to
//! level.

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, Field};
use ark_r1cs_std::{GR1CSVar, alloc::AllocVar, eq::EqGadget, fields::FieldVar};
use ark_relations::gr1cs::ConstraintSystemRef;
use pool::{
    Fr,
    hash::tag,
    second::{
        fold::{INPUTS, capacity},
        poseidon2::{
            EXTERNAL_CONSTANTS, EXTERNAL_MATRIX, INTERNAL_CONSTANTS, INTERNAL_DIAGONAL, RATE, WIDTH,
        },
        tree::{ARITY, Path, node, zeros},
    },
};

use crate::gadgets::{
    Block, Result, Wire, blocks, full_sboxes, linear, mix, partial_rounds, poseidon,
};

/// Begins a rule: the constraints from here to the next one are there for it. Costs nothing; tests take
/// the circuit apart along these names.
pub(crate) fn rule(cs: &ConstraintSystemRef<Fr>, name: &'static str) {
    #[cfg(test)]
    super::check::RULES.with_borrow_mut(|rules| rules.push((name, cs.num_constraints())));
    #[cfg(not(test))]
    let _ = (cs, name);
}

/// A value that the prover chooses. Every other wire is a function of these, which a test checks and has
/// to know them for.
pub(crate) fn private(cs: &ConstraintSystemRef<Fr>, value: &Fr) -> Result<Wire> {
    #[cfg(test)]
    super::check::CHOSEN.with_borrow_mut(|chosen| chosen.push(cs.num_witness_variables()));
    Wire::new_witness(cs.clone(), || Ok(value))
}

/// [`private`], of each.
pub(crate) fn privates<'a>(
    cs: &ConstraintSystemRef<Fr>,
    values: impl IntoIterator<Item = &'a Fr>,
) -> Result<Vec<Wire>> {
    values.into_iter().map(|value| private(cs, value)).collect()
}

/// `H(tag name, inputs…)`.
pub(crate) fn hash(name: &str, inputs: &[&Wire]) -> Result<Wire> {
    let mut tagged = vec![Wire::constant(tag(name))];
    tagged.extend(inputs.iter().copied().cloned());
    poseidon(&tagged)
}

/// `P4(c0, c1, c2, c3)`, see [`pool::second::poseidon2::compress`]. 264 constraints.
pub(crate) fn compress(children: &[Wire; ARITY]) -> Result<Wire> {
    let state = permute(children)?;
    let [row, ..] = EXTERNAL_MATRIX.map(|row| row.map(Fr::from));
    let fed = [(Fr::ONE, &children[0])];
    linear(row.into_iter().zip(&state).chain(fed), Fr::ZERO)
}

/// A note's leaf, see [`pool::second::note::leaf`].
pub(crate) fn leaf(asset: &Wire, amount: &Wire, inner: &Wire) -> Result<Wire> {
    let tag = Wire::constant(tag("leaf"));
    compress(&[tag, asset.clone(), amount.clone(), inner.clone()])
}

/// The permutation without its last mixing, of which each caller needs other rows.
fn permute(state: &[Wire; WIDTH]) -> Result<Vec<Wire>> {
    let external = external_matrix();
    let internal: Vec<Vec<Fr>> = (0..WIDTH)
        .map(|row| {
            let mut entries = vec![Fr::ONE; WIDTH];
            entries[row] += INTERNAL_DIAGONAL[row];
            entries
        })
        .collect();
    let partial = INTERNAL_CONSTANTS.map(|constant| [constant, Fr::ZERO, Fr::ZERO, Fr::ZERO]);
    let partial: Vec<_> = partial.iter().map(<[Fr; WIDTH]>::as_slice).collect();
    static BLOCKS: OnceLock<Vec<Block>> = OnceLock::new();
    let blocks = BLOCKS.get_or_init(|| blocks(&internal, &partial));
    let (first, last) = EXTERNAL_CONSTANTS.split_at(4);

    let mut state = mix(&external, state)?;
    for constants in first {
        state = mix(&external, &full_sboxes(&state, constants)?)?;
    }
    state = partial_rounds(&internal, &partial, blocks, state)?;
    let (final_round, last) = last.split_last().expect("there are four");
    for constants in last {
        state = mix(&external, &full_sboxes(&state, constants)?)?;
    }
    full_sboxes(&state, final_round)
}

fn external_matrix() -> Vec<Vec<Fr>> {
    EXTERNAL_MATRIX.iter().map(|row| row.map(Fr::from).to_vec()).collect()
}

/// Holds `values` to the public inputs `D, z, y`: see [`pool::second::fold`].
pub(crate) fn fold(
    cs: &ConstraintSystemRef<Fr>,
    values: &[Wire],
    [digest, challenge, sum]: &[Wire; INPUTS],
) -> Result<()> {
    // Book: circuits/second.md#folded-values
    // D commits the prover to its values before the verifier draws z. The capacity is a constant with
    // their number in it, so that no shorter vector has the same sponge.
    rule(cs, "digest is of the values");
    let mut state = vec![Wire::constant(Fr::ZERO); RATE];
    state.push(Wire::constant(capacity(values.len())));
    for (index, block) in values.chunks(RATE).enumerate() {
        if index > 0 {
            state = mix(&external_matrix(), &state)?;
        }
        for (lane, value) in state.iter_mut().zip(block) {
            *lane = linear([(Fr::ONE, &*lane), (Fr::ONE, value)], Fr::ZERO)?;
        }
        let lanes: [Wire; WIDTH] = state.try_into().expect("as many as before");
        state = permute(&lanes)?;
    }
    let [row, ..] = EXTERNAL_MATRIX.map(|row| row.map(Fr::from));
    linear(row.into_iter().zip(&state), Fr::ZERO)?.enforce_equal(digest)?;

    // y is what the verifier makes of its own values at z: equal only if they are these.
    rule(cs, "sum is of the values");
    let (last, rest) = values.split_last().expect("a relation has values");
    let mut folded = last.clone();
    for value in rest.iter().rev() {
        folded = folded * challenge + value;
    }
    folded.enforce_equal(sum)
}

/// A path that the prover chooses: not only siblings, but every digit and every child.
#[derive(Clone)]
pub(crate) struct PathFields {
    /// At each level, from the node upwards, which child: `digits[0] + 2 · digits[1]`.
    pub(crate) digits: Vec<[Fr; 2]>,
    /// At each level all four children, the one that the path leads through among them.
    pub(crate) children: Vec<[Fr; ARITY]>,
}

impl PathFields {
    /// The path from `node`.
    pub(crate) fn of(path: &Path, node: Fr) -> Self {
        let digits = (0..path.siblings.len())
            .map(|level| [0, 1].map(|bit| Fr::from(path.index >> (2 * level + bit) & 1)))
            .collect();
        Self { digits, children: path.children(node) }
    }

    /// What the digits make.
    pub(crate) fn index(&self) -> Fr {
        self.digits
            .iter()
            .rev()
            .fold(Fr::ZERO, |index, [low, high]| index * Fr::from(4) + high.double() + low)
    }

    /// The root of the topmost children.
    #[cfg(test)]
    pub(crate) fn root(&self) -> Fr {
        self.children.last().map_or(Fr::ZERO, |children| node(*children))
    }

    /// The root that [`PathWires::replace`] makes of it, whatever its digits and children are: each child
    /// moves by its indicator times the difference.
    pub(crate) fn replaced(&self, mut before: Fr, mut after: Fr) -> Fr {
        for ([low, high], children) in self.digits.iter().zip(&self.children) {
            let both = low * high;
            let here = [Fr::ONE - low - high + both, *low - both, *high - both, both];
            let difference = after - before;
            before = node(*children);
            after = node(core::array::from_fn(|at| children[at] + here[at] * difference));
        }
        after
    }
}

/// [`PathFields`], allocated, its digits digits.
pub(crate) struct PathWires {
    digits: Vec<[Wire; 2]>,
    children: Vec<[Wire; ARITY]>,
}

impl PathWires {
    /// Allocates a path. Its digits are 0 or 1, two constraints a level: with digits of the prover's
    /// liking, the selection below has a solution for any index, and a note has as many nullifiers.
    pub(crate) fn new(cs: &ConstraintSystemRef<Fr>, path: &PathFields) -> Result<Self> {
        let mut digits = Vec::new();
        for [low, high] in &path.digits {
            let pair = [private(cs, low)?, private(cs, high)?];
            for digit in &pair {
                digit.mul_equals(digit, digit)?;
            }
            digits.push(pair);
        }
        let children = path
            .children
            .iter()
            .map(|[a, b, c, d]| {
                Ok([private(cs, a)?, private(cs, b)?, private(cs, c)?, private(cs, d)?])
            })
            .collect::<Result<_>>()?;
        Ok(Self { digits, children })
    }

    /// The index, which is below 4^levels because it is made of that many digits: at 16 levels far below
    /// `p`, so it is one integer.
    pub(crate) fn index(&self) -> Result<Wire> {
        let mut factor = Fr::ONE;
        let digits = self.digits.iter().flatten().map(|digit| {
            let term = (factor, digit);
            factor.double_in_place();
            term
        });
        linear(digits, Fr::ZERO)
    }

    /// The root that the path leads to from `node`. The child that the digits select at a level is the
    /// node below; the other three are free, and only those of a tree hash to its root.
    pub(crate) fn root(&self, node: &Wire) -> Result<Wire> {
        let mut node = node.clone();
        for (digits, children) in self.digits.iter().zip(&self.children) {
            select(digits, children, &node)?;
            node = compress(children)?;
        }
        Ok(node)
    }

    /// The roots before and after a node that was `before` becomes `after`, everything else staying.
    pub(crate) fn replace(
        &self,
        cs: &ConstraintSystemRef<Fr>,
        before: &Wire,
        after: &Wire,
    ) -> Result<[Wire; 2]> {
        let (mut before, mut after) = (before.clone(), after.clone());
        for (digits, children) in self.digits.iter().zip(&self.children) {
            select(digits, children, &before)?;
            // One indicator of the four is 1: b is 0 to 3.
            let [low, high] = digits;
            let both = low * high;
            let here = [
                linear([(Fr::ONE, &both), (-Fr::ONE, low), (-Fr::ONE, high)], Fr::ONE)?,
                low - &both,
                high - &both,
                both.clone(),
            ];
            // The selected child moves by the difference, the others by nothing. The new children are
            // variables of their own, see the module's documentation.
            let difference = &after - &before;
            let mut moved = Vec::with_capacity(ARITY);
            for (here, child) in here.iter().zip(children) {
                let new = Wire::new_witness(cs.clone(), || {
                    Ok(child.value()? + here.value()? * difference.value()?)
                })?;
                here.mul_equals(&difference, &(&new - child))?;
                moved.push(new);
            }
            let moved = moved.try_into().unwrap_or_else(|_| unreachable!("one a child"));
            before = compress(children)?;
            after = compress(&moved)?;
        }
        Ok([before, after])
    }
}

/// The child that the digits select is `node`, in three constraints.
fn select([low, high]: &[Wire; 2], children: &[Wire; ARITY], node: &Wire) -> Result<()> {
    let [a, b, c, d] = children;
    // Of either pair the one that the low digit says, less the pair's first.
    let left = low * (b - a);
    let right = low * (d - c);
    let left = a + &left;
    let right = c + &right;
    (right - &left).mul_equals(high, &(node - &left))
}

/// Appends `leaves` as a whole subtree of `height` at the path, which leads to it: proves that it was
/// empty and returns the roots before and after, and the index of its first leaf.
pub(crate) fn append(
    cs: &ConstraintSystemRef<Fr>,
    leaves: &[Wire],
    height: usize,
    path: &PathWires,
) -> Result<Appended> {
    let mut nodes = leaves.to_vec();
    for zero in &zeros()[..height] {
        let mut parents = Vec::new();
        for children in nodes.chunks(ARITY) {
            let child = |at: usize| children.get(at).cloned().unwrap_or(Wire::constant(*zero));
            parents.push(fresh(cs, &compress(&core::array::from_fn(child))?)?);
        }
        nodes = parents;
    }
    let empty = Wire::constant(zeros()[height]);
    let subtree = nodes.first().unwrap_or(&empty);
    let [before, after] = path.replace(cs, &empty, subtree)?;
    let size = Fr::from(1_u64 << (2 * height));
    let index = linear([(size, &path.index()?)], Fr::ZERO)?;
    Ok(Appended { before, after, index })
}

/// What [`append`] makes.
pub(crate) struct Appended {
    /// The root before.
    pub(crate) before: Wire,
    /// The root after.
    pub(crate) after: Wire,
    /// Index of the first leaf; a multiple of the subtree's size.
    pub(crate) index: Wire,
}

/// The same value as a variable of its own, in one constraint.
fn fresh(cs: &ConstraintSystemRef<Fr>, wire: &Wire) -> Result<Wire> {
    let variable = Wire::new_witness(cs.clone(), || wire.value())?;
    variable.enforce_equal(wire)?;
    Ok(variable)
}

/// 1 if `value` is not 0, else 0, in two constraints: `value · hint = flag` makes the flag 0 where the
/// value is, and `value · (1 − flag) = 0` makes it 1 elsewhere. The hint is free where the value is 0,
/// and nobody reads it.
pub(crate) fn is_nonzero(cs: &ConstraintSystemRef<Fr>, value: &Wire) -> Result<Wire> {
    let hint = Wire::new_witness(cs.clone(), || Ok(value.value()?.inverse().unwrap_or_default()))?;
    let flag = value * &hint;
    value.mul_equals(&(Wire::one() - &flag), &Wire::zero())?;
    Ok(flag)
}

/// `no + (yes − no) · flag`, in one constraint unless yes and no are constants.
pub(crate) fn pick(flag: &Wire, yes: &Wire, no: &Wire) -> Wire {
    no + (yes - no) * flag
}

/// Integers side by side, see [`pool::second::pack`]. No constraint; each must have been held to its
/// range, or others make the same element.
pub(crate) fn pack<'a>(parts: impl IntoIterator<Item = (&'a Wire, u32)>) -> Result<Wire> {
    let mut factor = Fr::ONE;
    let terms: Vec<_> = parts
        .into_iter()
        .map(|(part, bits)| {
            let term = (factor, part);
            factor *= Fr::from(2).pow([u64::from(bits)]);
            term
        })
        .collect();
    linear(terms, Fr::ZERO)
}

#[cfg(test)]
mod tests {
    use ark_relations::gr1cs::ConstraintSystem;
    use pool::second::tree::{self, Tree};

    use super::*;
    use crate::r1cs::R1cs;

    fn value(wire: &Wire) -> Fr {
        wire.value().expect("a value")
    }

    fn some(index: u8) -> Fr {
        pool::hash::poseidon(&[Fr::from(index)])
    }

    #[test]
    fn compression_agrees_with_the_pool_and_costs_what_the_book_says() {
        let cs = ConstraintSystem::new_ref();
        let children = [0, 1, 2, 3].map(some);
        let wires = privates(&cs, &children).expect("synthesis").try_into().expect("four");
        let digest = compress(&wires).expect("synthesis");
        assert_eq!(value(&digest), node(children));
        assert!(cs.is_satisfied().expect("a witness"));
        assert_eq!(cs.num_constraints(), 264);
    }

    #[test]
    fn a_leaf_agrees_with_the_pool() {
        let cs = ConstraintSystem::new_ref();
        let [asset, amount, inner] = [0, 1, 2].map(some);
        let wires = privates(&cs, &[asset, amount, inner]).expect("synthesis");
        let leaf = leaf(&wires[0], &wires[1], &wires[2]).expect("synthesis");
        assert_eq!(value(&leaf), pool::second::note::leaf(asset, amount, inner));
        assert!(cs.is_satisfied().expect("a witness"));
    }

    fn climbed(leaf: Fr, path: &PathFields) -> (ConstraintSystemRef<Fr>, Fr, Fr) {
        let cs = ConstraintSystem::new_ref();
        let leaf = private(&cs, &leaf).expect("synthesis");
        let path = PathWires::new(&cs, path).expect("synthesis");
        let (index, root) = (path.index(), path.root(&leaf));
        (cs, value(&index.expect("synthesis")), value(&root.expect("synthesis")))
    }

    #[test]
    fn membership_agrees_with_the_pool() {
        let mut tree = Tree::new(tree::NOTE_DEPTH);
        let leaves: Vec<_> = (0..30).map(some).collect();
        tree.append(&leaves, 3).expect("room");
        for index in [0, 1, 2, 3, 13, 29] {
            let leaf = tree.leaf(index);
            let path = PathFields::of(&tree.path(index, 0), leaf);
            assert_eq!((path.index(), path.root()), (Fr::from(index), tree.root()));
            let (cs, found, root) = climbed(leaf, &path);
            assert_eq!((found, root), (Fr::from(index), tree.root()));
            assert!(cs.is_satisfied().expect("a witness"));
            assert_eq!(cs.num_constraints(), 16 * 269);
            let (cs, ..) = climbed(leaf + Fr::ONE, &path);
            assert!(!cs.is_satisfied().expect("a witness"));
        }
    }

    /// One leaf, and for any low digit a high one that selects it: without the constraint on digits, a
    /// note has as many indices as there are elements.
    #[test]
    fn a_digit_that_is_none_is_refused() {
        let mut tree = Tree::new(tree::NOTE_DEPTH);
        tree.append(&[0, 1, 2, 3].map(some), 1).expect("room");
        let mut path = PathFields::of(&tree.path(1, 0), some(1));
        let [a, b, c, d] = path.children[0];
        let low = Fr::from(5);
        let (left, right) = (a + low * (b - a), c + low * (d - c));
        let high = (some(1) - left) * (right - left).inverse().expect("not 0");
        path.digits[0] = [low, high];
        let (cs, index, root) = climbed(some(1), &path);
        assert_eq!(root, tree.root());
        assert_ne!(index, Fr::from(1));
        assert!(!cs.is_satisfied().expect("a witness"));
    }

    #[test]
    fn appending_agrees_with_the_pool() {
        for (height, n_leaves) in [(0, 1), (1, 3), (2, 16), (2, 8), (3, 32)] {
            let mut tree = Tree::new(tree::NOTE_DEPTH);
            tree.append(&[some(0); 5], 2).expect("room");
            let leaves: Vec<_> = (1..=n_leaves).map(some).collect();
            let (root, mut grown) = (tree.root(), tree.clone());
            let index = grown.append(&leaves, height).expect("room");
            let path = tree.path(index, height);
            let empty = zeros()[height];

            let run = |path: &PathFields| {
                let cs = ConstraintSystem::new_ref();
                let leaves = privates(&cs, &leaves).expect("synthesis");
                let path = PathWires::new(&cs, path).expect("synthesis");
                let appended = append(&cs, &leaves, height, &path).expect("synthesis");
                let Appended { before, after, index } = appended;
                let is_satisfied = cs.is_satisfied().expect("a witness");
                ([before, after, index].map(|wire| value(&wire)), is_satisfied)
            };
            let (found, is_satisfied) = run(&PathFields::of(&path, empty));
            assert_eq!(found, [root, grown.root(), Fr::from(index)]);
            assert!(is_satisfied);
            // Over leaves that are there already.
            let taken = tree.path(0, height);
            let node = if height == 2 { tree::subtree(&[some(0); 5], 2) } else { some(0) };
            if height <= 2 && height != 1 {
                assert_eq!(taken.root(node), root);
                assert!(!run(&PathFields::of(&taken, node)).1);
            }
        }
    }

    #[test]
    fn folding_agrees_with_the_pool_whatever_the_number() {
        for n in [1_u8, 2, 3, 4, 6, 7, 19] {
            let values: Vec<_> = (0..n).map(some).collect();
            let run = |inputs: [Fr; INPUTS]| {
                let cs = ConstraintSystem::new_ref();
                let wires = privates(&cs, &values).expect("synthesis");
                let inputs = privates(&cs, &inputs).expect("synthesis");
                fold(&cs, &wires, &inputs.try_into().expect("three")).expect("synthesis");
                let blocks = usize::from(n).div_ceil(RATE);
                // Horner begins with the last value, and either half ends in an equality.
                assert_eq!(cs.num_constraints(), blocks * 264 + usize::from(n) - 1 + 2);
                cs.is_satisfied().expect("a witness")
            };
            let inputs = pool::second::fold::inputs(&values);
            assert!(run(inputs));
            for index in 0..INPUTS {
                let mut inputs = inputs;
                inputs[index] += Fr::ONE;
                assert_eq!(run(inputs), n == 1 && index == 1, "{n} values, input {index}");
            }
        }
    }

    #[test]
    fn a_flag_says_whether_something_is_not_zero() {
        for (found, expect) in [(Fr::ZERO, Fr::ZERO), (Fr::ONE, Fr::ONE), (some(3), Fr::ONE)] {
            let cs = ConstraintSystem::new_ref();
            let wire = private(&cs, &found).expect("synthesis");
            assert_eq!(value(&is_nonzero(&cs, &wire).expect("synthesis")), expect);
            assert!(cs.is_satisfied().expect("a witness"));
            assert_eq!(cs.num_constraints(), 2);
        }
    }

    /// What evaluating a path costs a prover: entries, not only constraints.
    #[test]
    fn rows_stay_short_from_level_to_level() {
        struct Climb(usize);
        impl ark_relations::gr1cs::ConstraintSynthesizer<Fr> for Climb {
            fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<()> {
                let leaf = private(&cs, &Fr::ZERO)?;
                let path = PathFields::of(&Path::dummy(self.0), Fr::ZERO);
                PathWires::new(&cs, &path)?.root(&leaf).map(|_| ())
            }
        }
        let terms = |levels| R1cs::of(Climb(levels)).n_terms();
        let level = terms(16) - terms(15);
        assert_eq!(level, terms(2) - terms(1));
        assert!(level < 2_600, "{level} entries a level");
    }
}
