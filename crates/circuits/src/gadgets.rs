//! Hashes, ranges and membership, in constraints.
//!
//! Both permutations are fed by the constants `pool` hashes with, so circuit and pool cannot drift
//! apart. What matters here is the number of constraints, three a non-constant S-box, and the number
//! of terms in them:
//!
//! - Lanes that are constant at first (the capacity, the tag) cost nothing until they are mixed:
//!   their S-boxes are computed at synthesis.
//! - The digest is one lane, so the last mixing has one row.
//! - In a partial round one lane gets an S-box and the rest pile up linear terms, fifty and more by
//!   the end. So every `width` rounds the whole state becomes fresh variables *in place of* the S-box
//!   outputs in between, of which there are as many, and which are then combinations of the state
//!   before and after. That costs no constraint and keeps every combination below `2·width + 2` terms.

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, Field, One, Zero};
use ark_r1cs_std::{
    GR1CSVar,
    alloc::AllocVar,
    boolean::Boolean,
    eq::EqGadget,
    fields::{
        FieldVar,
        fp::{AllocatedFp, FpVar},
    },
};
use ark_relations::gr1cs::{ConstraintSystemRef, LinearCombination, SynthesisError, Variable};
use pool::{
    Fr,
    hash::{self, EXTERNAL_CONSTANTS, INPUTS_MAX, INTERNAL_CONSTANTS},
};

pub(crate) type Wire = FpVar<Fr>;
pub(crate) type Result<T> = core::result::Result<T, SynthesisError>;

/// `Σ factor · wire + constant`, as one linear combination and no constraint.
pub(crate) fn linear<'a>(
    terms: impl IntoIterator<Item = (Fr, &'a Wire)>,
    mut constant: Fr,
) -> Result<Wire> {
    let mut combination = Vec::new();
    let mut value = Some(Fr::ZERO);
    let mut cs = ConstraintSystemRef::None;
    for (factor, wire) in terms {
        match wire {
            FpVar::Constant(wire) => constant += factor * wire,
            FpVar::Var(wire) if !factor.is_zero() => {
                value = value.zip(wire.value().ok()).map(|(sum, wire)| sum + factor * wire);
                combination.push((factor, wire.variable));
                cs = cs.or(wire.cs.clone());
            }
            FpVar::Var(_) => {}
        }
    }
    if combination.is_empty() {
        return Ok(FpVar::Constant(constant));
    }
    let variable = cs.new_lc(|| {
        combination.push((constant, Variable::One));
        let mut combination = LinearCombination(combination);
        combination.compactify();
        combination.0.retain(|(factor, _)| !factor.is_zero());
        combination
    })?;
    let value = value.map(|sum| sum + constant);
    Ok(FpVar::Var(AllocatedFp::new(value, variable, cs)))
}

/// `H(inputs…)`, see [`pool::hash::poseidon`].
pub(crate) fn poseidon(inputs: &[Wire]) -> Result<Wire> {
    let parameters = hash::poseidon_parameters(inputs.len());
    let width = parameters.width;
    let half = parameters.full_rounds / 2;
    let constants: Vec<_> = parameters.ark.chunks_exact(width).collect();
    let (first, rest) = constants.split_at(half);
    let (partial, last) = rest.split_at(parameters.partial_rounds);
    static BLOCKS: [OnceLock<Vec<Block>>; INPUTS_MAX] = [const { OnceLock::new() }; INPUTS_MAX];
    let blocks = BLOCKS[inputs.len() - 1].get_or_init(|| blocks(&parameters.mds, partial));

    let mut state = vec![Wire::zero()];
    state.extend_from_slice(inputs);
    for constants in first {
        state = mix(&parameters.mds, &full_sboxes(&state, constants)?)?;
    }
    state = partial_rounds(&parameters.mds, partial, blocks, state)?;
    let (final_round, last) = last.split_last().expect("there are four");
    for constants in last {
        state = mix(&parameters.mds, &full_sboxes(&state, constants)?)?;
    }
    let state = full_sboxes(&state, final_round)?;
    linear(parameters.mds[0].iter().copied().zip(&state), Fr::ZERO)
}

/// `C(left, right)`, see [`pool::hash::compress`].
pub(crate) fn compress(left: &Wire, right: &Wire) -> Result<Wire> {
    let [one, two, three] = [1, 2, 3].map(Fr::from);
    let external = [vec![two, one], vec![one, two]];
    let internal = [vec![two, one], vec![one, three]];
    let partial = INTERNAL_CONSTANTS.map(|constant| [constant, Fr::ZERO]);
    let partial: Vec<_> = partial.iter().map(<[Fr; 2]>::as_slice).collect();
    static BLOCKS: OnceLock<Vec<Block>> = OnceLock::new();
    let blocks = BLOCKS.get_or_init(|| blocks(&internal, &partial));
    let (first, last) = EXTERNAL_CONSTANTS.split_at(4);

    let mut state = mix(&external, &[left.clone(), right.clone()])?;
    for constants in first {
        state = mix(&external, &full_sboxes(&state, constants)?)?;
    }
    state = partial_rounds(&internal, &partial, blocks, state)?;
    let (final_round, last) = last.split_last().expect("there are four");
    for constants in last {
        state = mix(&external, &full_sboxes(&state, constants)?)?;
    }
    let state = full_sboxes(&state, final_round)?;
    // The first row, and the left input fed forward.
    linear([(two, &state[0]), (one, &state[1]), (one, left)], Fr::ZERO)
}

/// Adds a round's constants and applies the S-box to every lane.
pub(crate) fn full_sboxes(state: &[Wire], constants: &[Fr]) -> Result<Vec<Wire>> {
    state
        .iter()
        .zip(constants)
        .map(|(lane, constant)| {
            let lane = linear([(Fr::ONE, lane)], *constant)?;
            lane.square()?.square().map(|fourth| fourth * lane)
        })
        .collect()
}

pub(crate) fn mix(matrix: &[Vec<Fr>], state: &[Wire]) -> Result<Vec<Wire>> {
    matrix.iter().map(|row| linear(row.iter().copied().zip(state), Fr::ZERO)).collect()
}

/// All partial rounds: whole blocks first, what is left of them one by one.
pub(crate) fn partial_rounds(
    matrix: &[Vec<Fr>],
    constants: &[&[Fr]],
    blocks: &[Block],
    mut state: Vec<Wire>,
) -> Result<Vec<Wire>> {
    let width = state.len();
    for (block, constants) in blocks.iter().zip(constants.chunks_exact(width)) {
        state = block.apply(matrix, constants, &state)?;
    }
    for constants in constants.chunks_exact(width).remainder() {
        state = state
            .iter()
            .zip(*constants)
            .map(|(lane, constant)| linear([(Fr::ONE, lane)], *constant))
            .collect::<Result<_>>()?;
        state[0] = state[0].square()?.square()? * &state[0];
        state = mix(matrix, &state)?;
    }
    Ok(state)
}

/// As many partial rounds as the state has lanes: the inputs and outputs of their S-boxes as
/// combinations of the state before and the state after.
pub(crate) struct Block {
    /// Of each round, first to last: its S-box's input and output.
    sboxes: Vec<(Affine, Affine)>,
}

/// `before · s + after · z + constant`, where `s` and `z` are the states around a block.
struct Affine {
    before: Vec<Fr>,
    after: Vec<Fr>,
    constant: Fr,
}

/// Solves every whole block of partial rounds for its S-boxes.
pub(crate) fn blocks(matrix: &[Vec<Fr>], constants: &[&[Fr]]) -> Vec<Block> {
    let width = matrix.len();
    constants.chunks_exact(width).map(|constants| Block::solve(matrix, constants)).collect()
}

impl Block {
    fn solve(matrix: &[Vec<Fr>], constants: &[&[Fr]]) -> Self {
        let width = matrix.len();
        // Forms over the basis s_0 … s_{w-1}, y_0 … y_{w-1}, 1, where y_j is the output of round j.
        let unit = |index: usize| {
            let mut form = vec![Fr::ZERO; 2 * width + 1];
            form[index] = Fr::ONE;
            form
        };
        let mut lanes: Vec<_> = (0..width).map(unit).collect();
        let mut inputs = Vec::new();
        for (round, constants) in constants.iter().enumerate() {
            for (lane, constant) in lanes.iter_mut().zip(*constants) {
                lane[2 * width] += constant;
            }
            inputs.push(core::mem::replace(&mut lanes[0], unit(width + round)));
            lanes = matrix.iter().map(|row| combine(row, &lanes)).collect();
        }
        // z = P·s + Q·y + k, so y = Q⁻¹·(z − P·s − k).
        let q = lanes.iter().map(|form| form[width..2 * width].to_vec()).collect();
        let q_inverse = invert(q);
        let affine = |form: &[Fr]| {
            let after: Vec<Fr> = (0..width)
                .map(|lane| {
                    form[width..2 * width]
                        .iter()
                        .zip(&q_inverse)
                        .map(|(f, row)| *f * row[lane])
                        .sum()
                })
                .collect();
            let known = combine(&after, &lanes);
            Affine {
                before: (0..width).map(|lane| form[lane] - known[lane]).collect(),
                constant: form[2 * width] - known[2 * width],
                after,
            }
        };
        let sboxes = inputs
            .iter()
            .enumerate()
            .map(|(round, input)| (affine(input), affine(&unit(width + round))))
            .collect();
        Self { sboxes }
    }

    fn apply(&self, matrix: &[Vec<Fr>], constants: &[&[Fr]], before: &[Wire]) -> Result<Vec<Wire>> {
        let cs = before.iter().fold(ConstraintSystemRef::None, |cs, lane| cs.or(lane.cs()));
        let values = before.iter().map(GR1CSVar::value).collect::<Result<Vec<_>>>();
        let values = values.map(|mut lanes| {
            for constants in constants {
                lanes.iter_mut().zip(*constants).for_each(|(lane, constant)| *lane += constant);
                lanes[0] = lanes[0].square().square() * lanes[0];
                lanes = matrix
                    .iter()
                    .map(|row| row.iter().zip(&lanes).map(|(factor, lane)| *factor * lane).sum())
                    .collect();
            }
            lanes
        });
        let after = (0..before.len())
            .map(|lane| {
                let value = values.as_ref().map(|lanes| lanes[lane]).map_err(|error| *error);
                Wire::new_witness(cs.clone(), || value)
            })
            .collect::<Result<Vec<_>>>()?;
        for (input, output) in &self.sboxes {
            let input = input.wire(before, &after)?;
            let output = output.wire(before, &after)?;
            input.square()?.square()?.mul_equals(&input, &output)?;
        }
        Ok(after)
    }
}

impl Affine {
    fn wire(&self, before: &[Wire], after: &[Wire]) -> Result<Wire> {
        let before = self.before.iter().copied().zip(before);
        let after = self.after.iter().copied().zip(after);
        linear(before.chain(after), self.constant)
    }
}

/// `Σ factor · form`.
fn combine(factors: &[Fr], forms: &[Vec<Fr>]) -> Vec<Fr> {
    let mut sum = vec![Fr::ZERO; forms[0].len()];
    for (factor, form) in factors.iter().zip(forms) {
        sum.iter_mut().zip(form).for_each(|(sum, term)| *sum += *factor * term);
    }
    sum
}

/// Gauss and Jordan.
fn invert(mut matrix: Vec<Vec<Fr>>) -> Vec<Vec<Fr>> {
    let size = matrix.len();
    for (index, row) in matrix.iter_mut().enumerate() {
        row.extend((0..size).map(|column| if column == index { Fr::one() } else { Fr::ZERO }));
    }
    for column in 0..size {
        let pivot = (column..size)
            .find(|row| !matrix[*row][column].is_zero())
            .expect("an MDS matrix lets every output reach the state");
        matrix.swap(column, pivot);
        let inverse = matrix[column][column].inverse().expect("a pivot is not zero");
        matrix[column].iter_mut().for_each(|entry| *entry *= inverse);
        let pivot = matrix[column].clone();
        for (index, row) in matrix.iter_mut().enumerate() {
            let factor = row[column];
            if index != column && !factor.is_zero() {
                row.iter_mut().zip(&pivot).for_each(|(entry, pivot)| *entry -= factor * pivot);
            }
        }
    }
    matrix.into_iter().map(|row| row[size..].to_vec()).collect()
}

/// `n` bits of `value`, least significant first. Says nothing about bits beyond them.
pub(crate) fn bits(
    cs: &ConstraintSystemRef<Fr>,
    value: Option<Fr>,
    n: u32,
) -> Result<Vec<Boolean<Fr>>> {
    use ark_ff::{BigInteger, PrimeField};
    let value = value.map(PrimeField::into_bigint);
    (0..n as usize)
        .map(|bit| {
            Boolean::new_witness(cs.clone(), || {
                value.map(|value| value.get_bit(bit)).ok_or(SynthesisError::AssignmentMissing)
            })
        })
        .collect()
}

/// The integer that `bits` are, least significant first.
pub(crate) fn pack(bits: &[Boolean<Fr>]) -> Result<Wire> {
    let mut factor = Fr::ONE;
    let wires: Vec<_> = bits.iter().cloned().map(Wire::from).collect();
    let terms = wires.iter().map(|bit| {
        let term = (factor, bit);
        factor.double_in_place();
        term
    });
    linear(terms, Fr::ZERO)
}

/// `0 ≤ value < 2^n`, in `n + 1` constraints. `n` must be well below 254, or the integer is not unique.
pub(crate) fn range(value: &Wire, n: u32) -> Result<()> {
    assert!(n <= 128, "a range has at most 128 bits");
    pack(&bits(&value.cs(), value.value().ok(), n)?)?.enforce_equal(value)
}

/// `0 ≤ value < 2^n` where `enforced`, in `n + 1` constraints.
pub(crate) fn range_if(enforced: &Wire, value: &Wire, n: u32) -> Result<()> {
    assert!(n <= 128, "a range has at most 128 bits");
    let product = value.value().ok().zip(enforced.value().ok()).map(|(v, e)| v * e);
    let packed = pack(&bits(&value.cs().or(enforced.cs()), product, n)?)?;
    value.mul_equals(enforced, &packed)
}

/// `left = right` where `enforced`, in one constraint.
pub(crate) fn equal_if(enforced: &Wire, left: &Wire, right: &Wire) -> Result<()> {
    (left - right).mul_equals(enforced, &Wire::zero())
}

/// The root that `siblings`, from the leaf upwards, lead to from `leaf`; `bits[l]` says that its
/// ancestor at level `l` is a right child.
pub(crate) fn merkle_root(leaf: &Wire, bits: &[Boolean<Fr>], siblings: &[Wire]) -> Result<Wire> {
    let mut node = leaf.clone();
    for (bit, sibling) in bits.iter().zip(siblings) {
        let bit = Wire::from(bit.clone());
        // left = node + bit · (sibling − node), and right is the other one.
        let left = Wire::new_witness(node.cs().or(sibling.cs()), || {
            let (node, sibling) = (node.value()?, sibling.value()?);
            Ok(node + bit.value()? * (sibling - node))
        })?;
        (sibling - &node).mul_equals(&bit, &(&left - &node))?;
        let right = linear([(Fr::ONE, &node), (Fr::ONE, sibling), (-Fr::ONE, &left)], Fr::ZERO)?;
        node = compress(&left, &right)?;
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use ark_relations::gr1cs::ConstraintSystem;
    use pool::field;

    use super::*;

    /// Allocates as many witnesses as asked for, with values no one would choose.
    fn witnesses<const N: usize>(cs: &ConstraintSystemRef<Fr>) -> [Wire; N] {
        core::array::from_fn(|index| {
            let byte = u8::try_from(index + 1).expect("few");
            let value = field::from_entropy(&[byte; 32]);
            Wire::new_witness(cs.clone(), || Ok(value)).expect("a value")
        })
    }

    fn values(wires: &[Wire]) -> Vec<Fr> {
        wires.iter().map(|wire| wire.value().expect("a value")).collect()
    }

    fn check_poseidon<const N: usize>(expect_constraints: usize) {
        let cs = ConstraintSystem::new_ref();
        let mut inputs = vec![Wire::constant(hash::tag("test"))];
        inputs.extend(witnesses::<N>(&cs));
        let digest = poseidon(&inputs).expect("synthesis");
        assert_eq!(digest.value().expect("a value"), hash::poseidon(&values(&inputs)));
        assert!(cs.is_satisfied().expect("a witness"));
        assert_eq!(cs.num_constraints(), expect_constraints);
    }

    #[test]
    fn poseidon_agrees_with_the_pool_and_costs_what_the_book_says() {
        check_poseidon::<1>(237);
        check_poseidon::<2>(258);
        check_poseidon::<3>(294);
        check_poseidon::<4>(318);
        check_poseidon::<5>(351);
        check_poseidon::<6>(378);
    }

    #[test]
    fn compression_agrees_with_the_pool_and_costs_what_the_book_says() {
        let cs = ConstraintSystem::new_ref();
        let [left, right] = witnesses(&cs);
        let digest = compress(&left, &right).expect("synthesis");
        let expect =
            hash::compress(left.value().expect("a value"), right.value().expect("a value"));
        assert_eq!(digest.value().expect("a value"), expect);
        assert!(cs.is_satisfied().expect("a witness"));
        assert_eq!(cs.num_constraints(), 216);
    }

    /// The capacity and the tag are constant lanes; each input that is one too saves its first S-box.
    #[test]
    fn a_constant_lane_costs_no_first_sbox() {
        let cost = |n_constants: usize| {
            let cs = ConstraintSystem::new_ref();
            let mut inputs = witnesses::<4>(&cs).to_vec();
            for input in &mut inputs[..n_constants] {
                *input = Wire::constant(input.value().expect("a value"));
            }
            let digest = poseidon(&inputs).expect("synthesis");
            assert_eq!(digest.value().expect("a value"), hash::poseidon(&values(&inputs)));
            cs.num_constraints()
        };
        let free = cost(0);
        assert_eq!([1, 2, 3].map(cost), [free - 3, free - 6, free - 9]);
    }

    /// No circuit hashes constants alone: what is hashed in the circuit depends on the witness.
    #[test]
    fn constants_alone_are_not_hashed_in_a_circuit() {
        let [left, right] = [Fr::from(1), Fr::from(2)].map(Wire::constant);
        assert_eq!(compress(&left, &right).err(), Some(SynthesisError::MissingCS));
        assert_eq!(poseidon(&[left, right]).err(), Some(SynthesisError::MissingCS));
    }

    #[test]
    fn a_range_ends_where_it_says() {
        let check = |value: Fr, n, expect| {
            let cs = ConstraintSystem::new_ref();
            let wire = Wire::new_witness(cs.clone(), || Ok(value)).expect("a value");
            range(&wire, n).expect("synthesis");
            assert_eq!(cs.is_satisfied().expect("a witness"), expect, "{value} in {n} bits");
        };
        check(Fr::from(0), 8, true);
        check(Fr::from(255), 8, true);
        check(Fr::from(256), 8, false);
        check(-Fr::from(1), 8, false);
        check(Fr::from(u128::MAX), 128, true);
        check(Fr::from(u128::MAX) + Fr::one(), 128, false);
    }

    #[test]
    fn membership_agrees_with_the_pool() {
        let mut tree = pool::tree::Tree::new();
        for leaf in 0..20_u64 {
            tree.append(Fr::from(leaf)).expect("room");
        }
        for index in [0, 1, 13, 19] {
            let path = tree.path(index).expect("there");
            let cs = ConstraintSystem::new_ref();
            let leaf = Wire::new_witness(cs.clone(), || Ok(Fr::from(index))).expect("a value");
            let siblings = path
                .siblings
                .map(|sibling| Wire::new_witness(cs.clone(), || Ok(sibling)).expect("a value"));
            let bits = bits(&cs, Some(Fr::from(index)), 32).expect("synthesis");
            let root = merkle_root(&leaf, &bits, &siblings).expect("synthesis");
            assert_eq!(root.value().expect("a value"), tree.root());
            assert!(cs.is_satisfied().expect("a witness"));
            assert_eq!(cs.num_constraints(), 32 * (216 + 1 + 1));
        }
    }
}
