use std::sync::OnceLock;

use ark_ff::Field;
use pool::second::{
    fold::INPUTS,
    tree::{self, Tree},
};
use proptest::prelude::*;

use super::{
    super::{
        check::{Case, Subject, Why::Needed},
        testing::{SpendShape as Shape, replant_spend as replant, spend as witness},
    },
    *,
};

fn subject() -> &'static Subject {
    static SUBJECT: OnceLock<Subject> = OnceLock::new();
    SUBJECT.get_or_init(|| Subject::of(r1cs))
}

const TWO: Shape = Shape { n_real: 2, announce: false, full: false };
const ONE: Shape = Shape { n_real: 1, announce: false, full: false };
const NONE: Shape = Shape { n_real: 0, announce: false, full: true };
const ANNOUNCED: Shape = Shape { n_real: 2, announce: true, full: true };

fn shapes() -> [Shape; 6] {
    [
        TWO,
        ONE,
        NONE,
        ANNOUNCED,
        Shape { full: true, ..TWO },
        Shape { announce: true, full: true, ..ONE },
    ]
}

/// As [`replant`], for notes that no honest type can hold; the trees are those of a bit's rounded value.
fn replant_fields(assignment: &mut Assignment) {
    let mut trees = [Tree::new(NOTE_DEPTH), Tree::new(NOTE_DEPTH)];
    let which = |input: &InputFields| usize::from(input.in_venue.is_one());
    let asset = assignment.asset;
    let indices: Vec<_> = assignment
        .inputs
        .iter()
        .map(|input| {
            let tree = &mut trees[which(input)];
            tree.append(&[Fr::from(9), input.commitment(asset)], 1).expect("room") + 1
        })
        .collect();
    for (input, index) in assignment.inputs.iter_mut().zip(indices) {
        let leaf = input.commitment(asset);
        input.path = PathFields::of(&trees[which(input)].path(index, 0), leaf);
    }
    let [entry, venue] = trees.map(|tree| tree.root());
    (assignment.entry_root, assignment.venue_root) = (entry, venue);
}

/// Native says `expect`, and the constraints agree, given the outputs this witness would have.
#[track_caller]
fn check(witness: &Witness, expect: Result<(), Violation>) {
    assert_eq!(witness.statement().map(|_| ()), expect);
    let holds = subject().holds(circuit(&Assignment::of(witness)));
    assert_eq!(holds, expect.is_ok(), "{expect:?}");
}

#[test]
fn every_shape_is_satisfiable_and_says_what_the_pool_says() {
    for shape in shapes() {
        let witness = witness(shape);
        check(&witness, Ok(()));
        let statement = witness.statement().expect("satisfiable");
        assert_eq!(Statement::from_values(statement.to_values()), statement);
        for (slot, input) in witness.inputs.iter().enumerate() {
            let secret = input.nullifier_secret.expose();
            let tree = if input.in_venue { witness.venue } else { Fr::zero() };
            let nullifier = if input.amount != 0 {
                let place = note::place(tree, input.path.index);
                note::nullifier(secret, input.commitment(witness.asset), place)
            } else {
                note::dummy_nullifier(secret, witness.context, slot)
            };
            assert_eq!(statement.nullifiers[slot], nullifier);
            assert_eq!(statement.locked[slot], Fr::from(input.amount != 0 && slot == 0));
        }
        for (output, leaf) in witness.outputs.iter().zip(statement.leaves) {
            let expect = note::leaf(witness.asset, Fr::from(output.amount), output.inner);
            assert_eq!(leaf, if output.amount == 0 { Fr::zero() } else { expect });
        }
    }
}

#[test]
fn each_rule_refuses_in_both_relations() {
    type Row = (Shape, fn(&mut Witness), Violation);
    let rows: [Row; 15] = [
        (TWO, |w| w.amount = AMOUNT_END, Violation::Amount),
        (TWO, |w| w.inputs[1].amount = AMOUNT_END, Violation::InputAmount { input: 1 }),
        (TWO, |w| w.outputs[1].amount = AMOUNT_END, Violation::OutputAmount { output: 1 }),
        (ONE, |w| w.inputs[1].order_hash = Fr::one(), Violation::DummyLocked { input: 1 }),
        // Something in an input that was a dummy is a note that is nowhere.
        (ONE, |w| w.inputs[1].amount = 1, Violation::NotInTree { input: 1 }),
        (TWO, |w| w.inputs[0].in_venue = true, Violation::NotInTree { input: 0 }),
        (TWO, |w| w.entry_root += Fr::one(), Violation::NotInTree { input: 0 }),
        (TWO, |w| w.venue_root += Fr::one(), Violation::NotInTree { input: 1 }),
        (TWO, |w| w.inputs[0].rho += Fr::one(), Violation::NotInTree { input: 0 }),
        (TWO, |w| w.inputs[0].order_hash = Fr::zero(), Violation::NotInTree { input: 0 }),
        (TWO, |w| w.asset += Fr::one(), Violation::NotInTree { input: 0 }),
        (TWO, |w| w.amount += 1, Violation::Unbalanced { spent: 2_100, made: 2_101 }),
        (TWO, |w| w.outputs[0].amount -= 1, Violation::Unbalanced { spent: 2_100, made: 2_099 }),
        (ANNOUNCED, |w| w.amount = 1, Violation::AnnouncementMakes { made: 1 }),
        (ANNOUNCED, |w| w.outputs[0].amount = 2_100, Violation::AnnouncementMakes { made: 2_100 }),
    ];
    for (shape, tamper, violation) in rows {
        let mut witness = witness(shape);
        tamper(&mut witness);
        if matches!(violation, Violation::InputAmount { .. }) {
            replant(&mut witness);
        }
        check(&witness, Err(violation));
    }
}

#[test]
fn a_note_of_somebody_else_is_refused() {
    // The enclave knows `nsk` and the public half of `ask`; `ask` itself it can only guess.
    let mut witness = witness(TWO);
    witness.inputs[0].spend_secret = SpendSecret::from_entropy(&[99; 32]);
    check(&witness, Err(Violation::NotInTree { input: 0 }));
}

#[test]
fn an_index_beyond_the_tree_is_refused() {
    let mut witness = witness(TWO);
    witness.inputs[0].path.index += 1 << 32;
    assert_eq!(
        witness.statement(),
        Err(Violation::Index { input: 0, index: witness.inputs[0].path.index }),
    );
    // It has no digits in the circuit, so that there is another nullifier only by claiming one.
    let assignment = Assignment::of(&witness);
    let honest = assignment.statement();
    let mut said = honest;
    said.nullifiers[0] = poseidon(&[
        tag("nf"),
        assignment.inputs[0].nullifier_secret,
        assignment.inputs[0].commitment(assignment.asset),
        Fr::from(witness.inputs[0].path.index),
    ]);
    assert_ne!(said.nullifiers, honest.nullifiers);
    assert!(subject().holds(circuit(&assignment)));
    assert!(!subject().holds(Circuit::new(assignment, said.to_values().to_vec())));
}

/// A node one level up is the hash of four elements, as a leaf is. Depths 15 and 17 would take it.
#[test]
fn a_node_is_not_taken_for_a_leaf() {
    let mut witness = witness(TWO);
    let Path { index, siblings } = &mut witness.inputs[0].path;
    *index /= 4;
    siblings.remove(0);
    check_native_levels(&witness, 15);
    // Padded to 16, it leads elsewhere.
    witness.inputs[0].path.siblings.push([Fr::zero(); 3]);
    check(&witness, Err(Violation::NotInTree { input: 0 }));
    witness.inputs[0].path.siblings.push([Fr::zero(); 3]);
    check_native_levels(&witness, 17);

    // A leaf's own four inputs as the children of a level below: the path is one too long.
    let honest = self::witness(TWO);
    let leaf = honest.inputs[0].commitment(honest.asset);
    assert_eq!(
        leaf,
        tree::node([tag("leaf"), honest.asset, Fr::from(1_000), {
            let input = &honest.inputs[0];
            let npk = input.nullifier_secret.nullifier_key();
            let owner = keys::owner(input.spend_secret.spend_key(), npk);
            note::inner(owner, input.order_hash, input.rho)
        }]),
    );
}

fn check_native_levels(witness: &Witness, levels: usize) {
    assert_eq!(witness.statement(), Err(Violation::Levels { input: 0, levels }));
}

#[test]
fn an_empty_leaf_is_nobodys_note() {
    // Under the root 0, which no pool accepts, and under the empty tree's, at any index.
    for root in [Fr::zero(), tree::zeros()[NOTE_DEPTH]] {
        let mut witness = witness(TWO);
        (witness.entry_root, witness.venue_root) = (root, root);
        for input in &mut witness.inputs {
            input.path = Tree::new(NOTE_DEPTH).path(3, 0);
        }
        check(&witness, Err(Violation::NotInTree { input: 0 }));
    }
}

#[test]
fn one_commitment_at_one_index_of_two_trees_is_two_notes() {
    let mut witness = witness(Shape { full: true, ..TWO });
    witness.inputs[1] = witness.inputs[0].clone();
    witness.inputs[1].in_venue = true;
    let mut tree = Tree::new(NOTE_DEPTH);
    tree.append(&[witness.inputs[0].commitment(witness.asset)], 0).expect("room");
    (witness.entry_root, witness.venue_root) = (tree.root(), tree.root());
    witness.inputs.iter_mut().for_each(|input| input.path = tree.path(0, 0));
    witness.amount = 2_000;
    check(&witness, Ok(()));

    // In one tree it is one note, and the pool sees its nullifier twice.
    witness.inputs[1].in_venue = false;
    assert_eq!(witness.statement(), Err(Violation::NoteTwice));
    let assignment = Assignment::of(&witness);
    let [first, second] = assignment.statement().nullifiers;
    assert_eq!(first, second);
    assert!(subject().holds(circuit(&assignment)));
}

#[test]
fn a_dummy_cannot_carry_a_real_nullifier() {
    let victim = witness(TWO);
    let stolen = victim.statement().expect("satisfiable").nullifiers[0];
    let mut assignment = Assignment::of(&witness(ONE));
    // Everything of the victim's but what a dummy must not have.
    let theirs = Assignment::of(&victim);
    assignment.inputs[1] = theirs.inputs[0].clone();
    assignment.inputs[1].amount = Fr::zero();
    assignment.inputs[1].order_hash = Fr::zero();
    replant_fields(&mut assignment);
    assert!(subject().holds(circuit(&assignment)), "a dummy's secrets are free");
    let mut said = assignment.statement();
    said.nullifiers[1] = stolen;
    assert!(!subject().holds(Circuit::new(assignment, said.to_values().to_vec())));
}

#[test]
fn amounts_do_not_wrap_around() {
    // Outputs of more than there is, made up for by a negative one, or by a negative exit.
    for forge in [
        (|a| {
            a.outputs[0].amount = Fr::from(5_000);
            a.outputs[1].amount = -Fr::from(2_900);
            a.amount = Fr::zero();
        }) as fn(&mut Assignment),
        |a| {
            a.outputs[0].amount = Fr::from(5_000);
            a.outputs[1].amount = Fr::zero();
            a.amount = -Fr::from(2_900);
        },
        // And by an input that is negative, in a tree that nobody has.
        |a| {
            a.inputs[1].amount = -Fr::from(900);
            a.outputs.iter_mut().for_each(|output| output.amount = Fr::zero());
            a.amount = Fr::from(100);
        },
    ] {
        let mut assignment = Assignment::of(&witness(TWO));
        forge(&mut assignment);
        replant_fields(&mut assignment);
        assert!(!subject().holds(circuit(&assignment)));
    }
}

#[test]
fn every_value_is_constrained() {
    // No rule reads the context where both inputs are real; of roots and venue, those of a tree that no
    // input is in.
    for (shape, besides) in [(TWO, &[0][..]), (ANNOUNCED, &[0]), (ONE, &[3, 4]), (NONE, &[2, 3, 4])]
    {
        let assignment = Assignment::of(&witness(shape));
        let mut besides = besides.to_vec();
        // Without notes nothing is of the asset, and it is nothing that is announced.
        if shape.n_real == 0 {
            besides.extend([1, 5]);
        }
        subject().check_values(&assignment, &assignment.statement().to_values(), &besides);
    }
}

#[test]
fn every_witness_field_is_constrained() {
    let honest = Assignment::of(&witness(TWO));
    let values = honest.statement().to_values().to_vec();
    let mut n = 0;
    let mut tampered = |name: &str, tamper: &dyn Fn(&mut Assignment)| {
        let mut assignment = honest.clone();
        tamper(&mut assignment);
        assert!(!subject().holds(Circuit::new(assignment, values.clone())), "{name}");
        n += 1;
    };
    for slot in 0..WIDTH {
        type Field = (&'static str, fn(&mut InputFields) -> &mut Fr);
        let fields: [Field; 6] = [
            ("amount", |input| &mut input.amount),
            ("ask", |input| &mut input.spend_secret),
            ("nsk", |input| &mut input.nullifier_secret),
            ("order hash", |input| &mut input.order_hash),
            ("rho", |input| &mut input.rho),
            ("tree", |input| &mut input.in_venue),
        ];
        for (name, field) in fields {
            tampered(name, &|a| *field(&mut a.inputs[slot]) += Fr::one());
        }
        for level in 0..NOTE_DEPTH {
            for bit in 0..2 {
                tampered("digit", &|a| a.inputs[slot].path.digits[level][bit] += Fr::one());
            }
            for child in 0..tree::ARITY {
                tampered("child", &|a| a.inputs[slot].path.children[level][child] += Fr::one());
            }
        }
        tampered("output", &|a| a.outputs[slot].amount += Fr::one());
        tampered("inner", &|a| a.outputs[slot].inner += Fr::one());
    }
    assert_eq!(n, 2 * (6 + 16 * 6 + 2));
}

fn in_place(shape: Shape, forge: impl Fn(&mut Assignment)) -> Circuit<Assignment> {
    let mut assignment = Assignment::of(&witness(shape));
    forge(&mut assignment);
    circuit(&assignment)
}

fn replanted(shape: Shape, forge: impl Fn(&mut Assignment)) -> Circuit<Assignment> {
    in_place(shape, |assignment| {
        forge(assignment);
        replant_fields(assignment);
    })
}

fn said(shape: Shape, forge: impl Fn(&mut Statement)) -> Circuit<Assignment> {
    let assignment = Assignment::of(&witness(shape));
    let mut statement = assignment.statement();
    forge(&mut statement);
    Circuit::new(assignment, statement.to_values().to_vec())
}

fn folded(forge: impl Fn(&mut [Fr; INPUTS])) -> Circuit<Assignment> {
    let mut circuit = circuit(&Assignment::of(&witness(TWO)));
    forge(&mut circuit.inputs);
    circuit
}

/// Digits that are none, and select the note all the same: another index, another nullifier.
fn other_index(assignment: &mut Assignment) {
    let node = assignment.inputs[0].commitment(assignment.asset);
    let path = &mut assignment.inputs[0].path;
    let [a, b, c, d] = path.children[0];
    let low = Fr::from(5);
    let (left, right) = (a + low * (b - a), c + low * (d - c));
    let high = (node - left) * (right - left).inverse().expect("not 0");
    path.digits[0] = [low, high];
}

/// A root of the prover's own, reached by a bit that is none.
fn own_root(assignment: &mut Assignment) {
    let (entry, venue) = (assignment.entry_root, assignment.venue_root);
    let input = &mut assignment.inputs[0];
    // A note of more than anybody has, in a tree where it is alone.
    input.amount += Fr::from(1_000_000);
    let mut tree = Tree::new(NOTE_DEPTH);
    let leaf = input.commitment(assignment.asset);
    tree.append(&[leaf], 0).expect("room");
    input.path = PathFields::of(&tree.path(0, 0), leaf);
    input.in_venue = (tree.root() - entry) * (venue - entry).inverse().expect("not 0");
    assignment.amount += Fr::from(1_000_000);
}

const CASES: &[Case<Assignment>] = &[
    ("digest is of the values", Needed, |_| folded(|inputs| inputs[0] += Fr::one())),
    ("sum is of the values", Needed, |_| folded(|inputs| inputs[2] += Fr::one())),
    // Half announced, half spent: half of it comes out, and what the pool does with 1/2 is its affair.
    ("announcement is one or not", Needed, |_| {
        in_place(TWO, |a| {
            a.announce = Fr::from(2).inverse().expect("not 0");
            a.amount = Fr::from(1_050 - 350);
        })
    }),
    ("dummy is not locked", Needed, |_| {
        in_place(ONE, |a| {
            a.inputs[1].order_hash = Fr::from(5);
            let leaf = a.inputs[1].commitment(a.asset);
            a.inputs[1].path = PathFields::of(&Path::dummy(NOTE_DEPTH), leaf);
        })
    }),
    ("input is in range", Needed, |_| {
        replanted(TWO, |a| {
            a.inputs[0].amount = -Fr::from(1);
            a.inputs[1].amount = Fr::from(351 + 50);
            a.amount = Fr::from(50);
        })
    }),
    ("tree is the entry's or the venue's", Needed, |_| in_place(TWO, own_root)),
    ("digits of the index are 0 or 1", Needed, |_| in_place(TWO, other_index)),
    ("note is the prover's and in the tree", Needed, |_| {
        in_place(TWO, |a| a.inputs[0].rho += Fr::one())
    }),
    ("nullifier is the input's", Needed, |_| said(TWO, |s| s.nullifiers[1] += Fr::one())),
    ("lock is said as it is", Needed, |_| said(TWO, |s| s.locked[0] = Fr::zero())),
    ("output is in range", Needed, |_| {
        in_place(TWO, |a| {
            a.outputs[0].amount = -Fr::one();
            a.amount += Fr::from(301);
        })
    }),
    ("leaf is the output's", Needed, |_| said(TWO, |s| s.leaves[1] += Fr::one())),
    ("what leaves is in range", Needed, |_| {
        in_place(TWO, |a| {
            a.outputs[0].amount += a.amount + Fr::one();
            a.amount = -Fr::one();
        })
    }),
    ("nothing is lost or gained", Needed, |_| in_place(TWO, |a| a.amount += Fr::one())),
];

#[test]
fn no_rule_can_be_dropped() {
    subject().check_cases(CASES, 1);
}

/// The other direction of what [`CASES`] has one of.
#[test]
fn locks_and_leaves_are_said_in_both_directions() {
    for (shape, said_otherwise) in [
        (TWO, (|s| s.locked[1] = Fr::one()) as fn(&mut Statement)),
        (ONE, |s| s.locked[1] = Fr::one()),
        (TWO, |s| s.leaves[0] = Fr::zero()),
        (ANNOUNCED, |s| s.leaves[0] = Fr::from(3)),
        (ANNOUNCED, |s| s.announce = Fr::zero()),
        (TWO, |s| s.announce = Fr::one()),
    ] {
        assert!(!subject().holds(said(shape, said_otherwise)));
    }
    // A leaf of nothing, where there is one.
    let witness = witness(ANNOUNCED);
    let leaf = note::leaf(witness.asset, Fr::zero(), witness.outputs[0].inner);
    assert!(!subject().holds(said(ANNOUNCED, |s| s.leaves[0] = leaf)));
}

#[test]
fn no_wire_is_loose_and_what_is_chosen_determines_the_rest() {
    for shape in shapes() {
        let witness = witness(shape);
        let assignment = Assignment::of(&witness);
        // The hints of what is zero: amounts and order hashes.
        let n_zero = witness.inputs.iter().filter(|input| input.amount == 0).count()
            + witness.inputs.iter().filter(|input| input.order_hash.is_zero()).count()
            + witness.outputs.iter().filter(|output| output.amount == 0).count();
        assert_eq!(subject().n_loose(circuit(&assignment)), n_zero);
        // Nullifiers, locks and leaves.
        let made: Vec<_> = (7..VALUES).collect();
        assert_eq!(subject().n_free(circuit(&assignment), &made), n_zero);
    }
}

#[test]
fn the_page_has_every_rule_and_its_cost() {
    subject().check_page(include_str!("../../../../../book/src/circuits/spend.md"));
}

#[test]
fn the_circuit_costs_what_the_book_says() {
    let r1cs = &subject().r1cs;
    assert_eq!(r1cs.n_constraints(), CONSTRAINTS);
    let domain = (r1cs.n_constraints() + r1cs.n_instance).next_power_of_two();
    assert_eq!(domain, 1 << 14, "one more constraint than the domain holds doubles proving time");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The two relations say the same of a random spend with up to two random changes, some of which are
    /// put back into the trees.
    #[test]
    fn plain_rust_and_constraints_agree(
        shape in 0..6_usize,
        tampers in proptest::collection::vec((0..TAMPERS.len(), 0..WIDTH, -2_i8..=2), 0..3),
        back_into_the_tree: bool,
    ) {
        let mut witness = witness(shapes()[shape]);
        for (tamper, slot, delta) in tampers {
            TAMPERS[tamper](&mut witness, slot, delta);
        }
        if back_into_the_tree {
            replant(&mut witness);
        }
        let assignment = Assignment::of(&witness);
        let statement = assignment.statement();
        let native = match witness.statement() {
            Err(Violation::NoteTwice) => Ok(statement),
            other => other,
        };
        prop_assert_eq!(native.is_ok(), subject().holds(circuit(&assignment)), "{:?}", native);
        if let Ok(native) = native {
            prop_assert_eq!(native, statement);
        }
    }
}

type Tamper = fn(&mut Witness, usize, i8);

/// Small changes that move a witness onto, over or back from the edge of some rule.
const TAMPERS: &[Tamper] = &[
    |w, _, _| w.announce = !w.announce,
    |w, s, _| w.inputs[s].in_venue = !w.inputs[s].in_venue,
    |w, s, d| w.inputs[s].amount = w.inputs[s].amount.saturating_add_signed(d.into()),
    |w, s, d| w.inputs[s].amount = u128::from(d.unsigned_abs()),
    |w, s, d| w.inputs[s].amount = AMOUNT_END.saturating_add_signed(d.into()),
    |w, s, d| w.inputs[s].order_hash = Fr::from(d),
    |w, s, d| w.inputs[s].rho += Fr::from(d),
    |w, s, d| w.inputs[s].path.index = w.inputs[s].path.index.saturating_add_signed(d.into()),
    |w, s, d| w.outputs[s].amount = w.outputs[s].amount.saturating_add_signed(d.into()),
    |w, s, d| w.outputs[s].amount = AMOUNT_END.saturating_add_signed(d.into()),
    |w, s, _| w.outputs[s].amount = 0,
    |w, s, d| w.outputs[s].inner += Fr::from(d),
    |w, _, d| {
        let spent: u128 = w.inputs.iter().map(|input| input.amount).sum();
        let made: u128 = w.outputs.iter().map(|output| output.amount).sum();
        w.amount = spent.saturating_sub(made).saturating_add_signed(d.into());
    },
    |w, _, d| w.amount = AMOUNT_END.saturating_add_signed(d.into()),
    |w, _, d| w.asset += Fr::from(d),
    |w, _, d| w.venue += Fr::from(d),
    |w, _, d| w.entry_root += Fr::from(d),
    |w, _, d| w.venue_root += Fr::from(d),
    |w, s, _| w.inputs[s] = Input::dummy(&[3; 32]),
    |w, s, _| w.inputs[s] = w.inputs[1 - s].clone(),
];
