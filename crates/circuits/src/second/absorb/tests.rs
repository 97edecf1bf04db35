use std::sync::OnceLock;

use ark_ff::Field;
use ark_std::One;
use pool::second::{
    fold::INPUTS,
    tree::{ARITY, node},
};
use proptest::prelude::*;

use super::{
    super::{
        check::{Case, Subject, Why::Needed},
        testing::absorb as grown,
    },
    *,
};

fn subject() -> &'static Subject {
    static SUBJECT: OnceLock<Subject> = OnceLock::new();
    SUBJECT.get_or_init(|| Subject::of(|| r1cs(HEIGHT)))
}

fn circuit(witness: &Witness) -> Circuit<Assignment> {
    let statement = witness.statement(HEIGHT).expect("satisfiable");
    Circuit::new(Assignment::of(witness, HEIGHT), statement.to_values())
}

#[test]
fn appending_says_what_the_tree_does() {
    for (n_before, n_leaves) in [(0, 16), (1, 1), (16, 0), (17, 5), (70, 16)] {
        let (mut tree, witness) = grown(n_before, n_leaves, HEIGHT);
        let root = tree.root();
        let index = tree.append(&witness.leaves, HEIGHT).expect("room");
        let statement = witness.statement(HEIGHT).expect("satisfiable");
        let expect = Statement {
            root,
            root_after: tree.root(),
            index: index.into(),
            leaves: witness.leaves.clone(),
        };
        assert_eq!(statement, expect);
        assert_eq!(Statement::from_values(&statement.to_values()), Some(statement));
        assert!(subject().holds(circuit(&witness)));
    }
}

#[test]
fn what_is_no_batch_of_the_tree_is_refused() {
    let (_, witness) = grown(3, 4, HEIGHT);
    let mut fewer = witness.clone();
    fewer.leaves.pop();
    assert_eq!(fewer.statement(HEIGHT), Err(Violation::Leaves { found: 15, expected: 16 }));
    // A path of the next level up: the leaves would be four times as many, the subtree a node.
    let mut higher = witness.clone();
    higher.path.siblings.remove(0);
    assert_eq!(higher.statement(HEIGHT), Err(Violation::Levels { found: 13, expected: 14 }));
    // Past the last aligned batch.
    let mut beyond = witness;
    beyond.path.index = 1 << 28;
    assert_eq!(beyond.statement(HEIGHT), Err(Violation::Index { index: 1 << 28, levels: 14 }));
}

#[test]
fn every_value_is_constrained() {
    let (_, witness) = grown(20, 7, HEIGHT);
    let values = witness.statement(HEIGHT).expect("satisfiable").to_values();
    subject().check_values(&Assignment::of(&witness, HEIGHT), &values, &[]);
}

#[test]
fn leaves_do_not_replace_others() {
    // The batch that is there already, given out for an empty one.
    let (mut tree, witness) = grown(0, 16, HEIGHT);
    tree.append(&witness.leaves, HEIGHT).expect("room");
    let path = tree.path(0, HEIGHT);
    let others = vec![Fr::one(); 16];
    let values = Statement {
        root: tree.root(),
        root_after: path.root(subtree(&others, HEIGHT)),
        index: Fr::zero(),
        leaves: others,
    }
    .to_values();
    for through in [subtree(&witness.leaves, HEIGHT), zeros()[HEIGHT]] {
        let relation = Assignment { height: HEIGHT, path: PathFields::of(&path, through) };
        assert!(!subject().holds(Circuit::new(relation, values.clone())));
    }
}

#[test]
fn leaves_do_not_go_where_the_index_does_not_say() {
    let (tree, witness) = grown(0, 16, HEIGHT);
    // Every other place is empty too, and only the index says which.
    let elsewhere = Witness { path: tree.path(32, HEIGHT), ..witness };
    let mut values = elsewhere.statement(HEIGHT).expect("satisfiable").to_values();
    values[2] = Fr::zero();
    assert!(!subject().holds(Circuit::new(Assignment::of(&elsewhere, HEIGHT), values)));
    // Nor in between: an index is of a whole batch.
    for index in [1, 15, 17] {
        let mut values = elsewhere.statement(HEIGHT).expect("satisfiable").to_values();
        values[2] = Fr::from(index as u64);
        assert!(!subject().holds(Circuit::new(Assignment::of(&elsewhere, HEIGHT), values)));
    }
}

#[test]
fn every_witness_field_is_constrained() {
    let (_, witness) = grown(20, 7, HEIGHT);
    let values = witness.statement(HEIGHT).expect("satisfiable").to_values();
    let honest = Assignment::of(&witness, HEIGHT);
    for level in 0..NOTE_DEPTH - HEIGHT {
        for which in 0..2 + ARITY {
            let mut tampered = honest.clone();
            match which {
                0 | 1 => tampered.path.digits[level][which] += Fr::one(),
                child => tampered.path.children[level][child - 2] += Fr::one(),
            }
            assert!(!subject().holds(Circuit::new(tampered, values.clone())), "{level}, {which}");
        }
    }
}

fn said(forge: impl Fn(&mut [Fr])) -> Circuit<Assignment> {
    let (_, witness) = grown(20, 7, HEIGHT);
    let mut values = witness.statement(HEIGHT).expect("satisfiable").to_values();
    forge(&mut values);
    Circuit::new(Assignment::of(&witness, HEIGHT), values)
}

fn folded(forge: impl Fn(&mut [Fr; INPUTS])) -> Circuit<Assignment> {
    let mut circuit = said(|_| ());
    forge(&mut circuit.inputs);
    circuit
}

/// A forged path, and what the circuit makes of it said.
fn forged(forge: impl Fn(&mut PathFields)) -> Circuit<Assignment> {
    let (_, witness) = grown(20, 7, HEIGHT);
    let mut relation = Assignment::of(&witness, HEIGHT);
    let mut values = witness.statement(HEIGHT).expect("satisfiable").to_values();
    forge(&mut relation.path);
    values[0] = relation.path.root();
    values[1] = relation.path.replaced(zeros()[HEIGHT], subtree(&witness.leaves, HEIGHT));
    values[2] = relation.path.index() * Fr::from(16);
    Circuit::new(relation, values)
}

/// Digits that are none and select the child all the same: another index, and a root after of a tree that
/// nobody has.
fn other_index(path: &mut PathFields) {
    let [a, b, c, d] = path.children[2];
    let low = Fr::from(5);
    let (left, right) = (a + low * (b - a), c + low * (d - c));
    let high = (node(path.children[1]) - left) * (right - left).inverse().expect("not 0");
    path.digits[2] = [low, high];
}

const CASES: &[Case<Assignment>] = &[
    ("digest is of the values", Needed, |_| folded(|inputs| inputs[0] += Fr::one())),
    ("sum is of the values", Needed, |_| folded(|inputs| inputs[2] += Fr::one())),
    ("digits of the index are 0 or 1", Needed, |_| forged(other_index)),
    // Another child, of which the hashes above are not.
    ("subtree replaces an empty one", Needed, |_| forged(|path| path.children[3][2] += Fr::one())),
    ("root is of the tree without it", Needed, |_| said(|values| values[0] += Fr::one())),
    ("root after is of the tree with it", Needed, |_| said(|values| values[1] += Fr::one())),
    ("index is the subtree's", Needed, |_| said(|values| values[2] += Fr::one())),
];

#[test]
fn no_rule_can_be_dropped() {
    subject().check_cases(CASES, 1);
}

#[test]
fn no_wire_is_loose_and_what_is_chosen_determines_the_rest() {
    for (n_before, n_leaves) in [(0, 16), (20, 3)] {
        let (_, witness) = grown(n_before, n_leaves, HEIGHT);
        assert_eq!(subject().n_loose(circuit(&witness)), 0);
        // Both roots and the index.
        assert_eq!(subject().n_free(circuit(&witness), &[0, 1, 2]), 0);
    }
}

#[test]
fn the_page_has_every_rule_and_its_cost() {
    subject().check_page(include_str!("../../../../../book/src/circuits/absorb.md"));
}

#[test]
fn the_circuits_cost_what_the_book_says() {
    let counts = [HEIGHT, HEIGHT + 1].map(|height| r1cs(height).n_constraints());
    assert_eq!(counts, CONSTRAINTS);
    assert_eq!(subject().r1cs.n_instance, INPUTS + 1);
}

#[test]
fn sixty_four_leaves_are_absorbed_as_sixteen_are() {
    let height = 3;
    let (mut tree, witness) = grown(65, 40, height);
    let subject = Subject::of(|| r1cs(height));
    let statement = witness.statement(height).expect("satisfiable");
    let values = statement.to_values();
    assert!(subject.holds(Circuit::new(Assignment::of(&witness, height), values)));
    tree.append(&witness.leaves, height).expect("room");
    assert_eq!(statement.root_after, tree.root());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is appended to whatever tree: what plain Rust says is what the constraints hold for.
    #[test]
    fn plain_rust_and_constraints_agree(
        n_before in 0..90_u8, n_leaves in 0..=16_u8, value in 0..19_usize, delta in 0..2_u64,
    ) {
        let (_, witness) = grown(n_before, n_leaves, HEIGHT);
        let mut values = witness.statement(HEIGHT).expect("satisfiable").to_values();
        values[value] += Fr::from(delta);
        let holds = subject().holds(Circuit::new(Assignment::of(&witness, HEIGHT), values));
        prop_assert_eq!(holds, delta == 0);
    }
}
