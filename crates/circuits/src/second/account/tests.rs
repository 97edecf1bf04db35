use std::sync::OnceLock;

use ark_bn254::Bn254;
use ark_ff::Field;
use ark_groth16::{Groth16, prepare_verifying_key};
use pool::second::fold::{self, INPUTS};
use proptest::prelude::*;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

use super::{
    super::{
        check::{
            Case, Subject,
            Why::{Implied, Needed},
        },
        testing::account as witness,
    },
    *,
};
use crate::keys::ArkRng;

fn subject() -> &'static Subject {
    static SUBJECT: OnceLock<Subject> = OnceLock::new();
    SUBJECT.get_or_init(|| Subject::of(r1cs))
}

/// Native says `expect`, and the constraints agree, given the outputs this witness would have.
#[track_caller]
fn check(witness: &Witness, expect: Result<(), Violation>) {
    assert_eq!(witness.statement().map(|_| ()), expect);
    let holds = subject().holds(circuit(&Assignment::of(witness)));
    assert_eq!(holds, expect.is_ok(), "{expect:?}");
}

#[test]
fn every_kind_is_satisfiable_and_says_what_the_pool_says() {
    for kind in Kind::ALL {
        let witness = witness(kind);
        check(&witness, Ok(()));
        let Witness { account, salt, .. } = witness;
        let (expect, asset) = match kind {
            Kind::Open | Kind::Resalt => (account, Fr::zero()),
            Kind::Fund => {
                (Account { consideration: 2_070, ..account }, account.holder.consideration_asset)
            }
            Kind::TakeBack => {
                (Account { consideration: 1_930, ..account }, account.holder.consideration_asset)
            }
            Kind::Release => {
                (Account { position: 930, ..account }, account.holder.collateral_asset)
            }
        };
        let statement = witness.statement().expect("satisfiable");
        assert_eq!(statement.after, Account { salt, ..expect }.commitment());
        assert_eq!(statement.asset, asset);
        assert_eq!(statement.before.is_zero(), kind == Kind::Open);
        assert_eq!(statement, Assignment::of(&witness).statement());
        assert_eq!(Statement::from_values(statement.to_values()), statement);
    }
}

#[test]
fn each_rule_refuses_in_both_relations() {
    type Row = (Kind, fn(&mut Witness), Violation);
    let out = |value| Violation::Range { value, bits: AMOUNT_BITS };
    let rows: [Row; 13] = [
        (Kind::Fund, |w| w.amount = AMOUNT_END, out("amount")),
        (Kind::Release, |w| w.account.position = AMOUNT_END, out("position")),
        (Kind::TakeBack, |w| w.account.consideration = AMOUNT_END, out("consideration")),
        (Kind::Open, |w| w.amount = 1, Violation::Moves { kind: Kind::Open, amount: 1 }),
        (Kind::Resalt, |w| w.amount = 1, Violation::Moves { kind: Kind::Resalt, amount: 1 }),
        (Kind::Open, |w| w.account.position = 1, Violation::OpenNotEmpty),
        (Kind::Open, |w| w.account.consideration = 1, Violation::OpenNotEmpty),
        (Kind::Open, |w| w.account.spent = 1, Violation::OpenNotEmpty),
        (Kind::Open, |w| w.account.epoch = 1, Violation::OpenNotEmpty),
        (
            Kind::Release,
            |w| w.amount = 1_001,
            Violation::AboveAccount { kind: Kind::Release, amount: 1_001, has: 1_000 },
        ),
        (
            Kind::TakeBack,
            |w| w.amount = 2_001,
            Violation::AboveAccount { kind: Kind::TakeBack, amount: 2_001, has: 2_000 },
        ),
        (
            Kind::Fund,
            |w| w.amount = AMOUNT_END - 2_000,
            Violation::TooLarge { has: 2_000, amount: AMOUNT_END - 2_000 },
        ),
        (
            Kind::Fund,
            |w| w.account.consideration = AMOUNT_END - 1,
            Violation::TooLarge { has: AMOUNT_END - 1, amount: 70 },
        ),
    ];
    for (kind, tamper, violation) in rows {
        let mut witness = witness(kind);
        tamper(&mut witness);
        check(&witness, Err(violation));
    }
    // The edges themselves hold.
    type Edge = (Kind, fn(&mut Witness));
    let edges: [Edge; 4] = [
        (Kind::Release, |w| w.amount = 1_000),
        (Kind::TakeBack, |w| w.amount = 2_000),
        (Kind::Fund, |w| w.amount = AMOUNT_END - 2_001),
        (Kind::Fund, |w| w.amount = 0),
    ];
    for (kind, tamper) in edges {
        let mut witness = witness(kind);
        tamper(&mut witness);
        check(&witness, Ok(()));
    }
}

#[test]
fn every_value_is_constrained() {
    for kind in Kind::ALL {
        let assignment = Assignment::of(&witness(kind));
        // No rule reads the context.
        subject().check_values(&assignment, &assignment.statement().to_values(), &[0]);
    }
}

#[test]
fn every_witness_field_is_constrained() {
    type Row = (&'static str, fn(&mut Assignment));
    let tampers: [Row; 12] = [
        ("open", |a| a.flags[0] += Fr::one()),
        ("fund", |a| a.flags[1] += Fr::one()),
        ("take back", |a| a.flags[2] += Fr::one()),
        ("release", |a| a.flags[3] += Fr::one()),
        ("resalt", |a| a.flags[4] += Fr::one()),
        ("issuer", |a| a.holder.issuer += Fr::one()),
        ("collateral", |a| a.holder.collateral_asset += Fr::one()),
        ("consideration asset", |a| a.holder.consideration_asset += Fr::one()),
        ("position", |a| a.position += Fr::one()),
        ("consideration", |a| a.consideration += Fr::one()),
        ("used", |a| a.used += Fr::one()),
        ("salt", |a| a.salt += Fr::one()),
    ];
    for kind in Kind::ALL {
        let honest = Assignment::of(&witness(kind));
        let values = honest.statement().to_values().to_vec();
        for (name, tamper) in tampers {
            let mut tampered = honest.clone();
            tamper(&mut tampered);
            // Nothing is behind the salt of an account that is not there.
            let is_free = kind == Kind::Open && name == "salt";
            let holds = subject().holds(Circuit::new(tampered, values.clone()));
            assert_eq!(holds, is_free, "{kind:?}, {name}");
        }
        let tampered = Assignment { salt_after: Fr::from(1), ..honest };
        assert!(!subject().holds(Circuit::new(tampered, values)), "{kind:?}, salt after");
    }
}

/// Flags that say a kind without being one of it, and move something else than the pool is told.
#[test]
fn kinds_are_not_mixed() {
    let half = Fr::from(2).inverse().expect("not 0");
    for flags in [
        // 2 · take back − 1 · fund is 4, a release, and would leave the position alone.
        [Fr::zero(), -Fr::one(), Fr::from(2), Fr::zero(), Fr::zero()],
        // Half of funding and half of releasing is taking back.
        [Fr::zero(), half, Fr::zero(), half, Fr::zero()],
        // None at all.
        [Fr::zero(); 5],
        [Fr::one(), Fr::one(), Fr::zero(), Fr::zero(), Fr::zero()],
    ] {
        let mut assignment = Assignment::of(&witness(Kind::TakeBack));
        assignment.flags = flags;
        assert!(!subject().holds(circuit(&assignment)), "{flags:?}");
    }
}

fn in_place(kind: Kind, forge: impl Fn(&mut Assignment)) -> Circuit<Assignment> {
    let mut assignment = Assignment::of(&witness(kind));
    forge(&mut assignment);
    circuit(&assignment)
}

fn said(kind: Kind, forge: impl Fn(&mut Statement)) -> Circuit<Assignment> {
    let assignment = Assignment::of(&witness(kind));
    let mut statement = assignment.statement();
    forge(&mut statement);
    Circuit::new(assignment, statement.to_values().to_vec())
}

fn folded(forge: impl Fn(&mut [Fr; INPUTS])) -> Circuit<Assignment> {
    let mut circuit = circuit(&Assignment::of(&witness(Kind::Fund)));
    forge(&mut circuit.inputs);
    circuit
}

const CASES: &[Case<Assignment>] = &[
    ("digest is of the values", Needed, |_| folded(|inputs| inputs[0] += Fr::one())),
    ("sum is of the values", Needed, |_| folded(|inputs| inputs[2] += Fr::one())),
    ("kind is one of five", Needed, |_| said(Kind::Fund, |s| s.kind += Fr::one())),
    ("account opens unless it is new", Needed, |_| said(Kind::Fund, |s| s.before += Fr::one())),
    ("new account has no position", Needed, |_| in_place(Kind::Open, |a| a.position = Fr::from(5))),
    ("new account has no consideration", Needed, |_| {
        in_place(Kind::Open, |a| a.consideration = Fr::from(5))
    }),
    ("new account has used nothing", Needed, |_| in_place(Kind::Open, |a| a.used = Fr::from(5))),
    ("amount is in range", Needed, |_| in_place(Kind::TakeBack, |a| a.amount = -Fr::one())),
    ("position is in range", Needed, |_| {
        in_place(Kind::Release, |a| a.position = Fr::from(AMOUNT_END))
    }),
    ("consideration is in range", Needed, |_| {
        in_place(Kind::TakeBack, |a| a.consideration = Fr::from(AMOUNT_END))
    }),
    ("opening and salting move nothing", Needed, |_| {
        in_place(Kind::Resalt, |a| a.amount = Fr::one())
    }),
    ("asset is the one that moves", Needed, |_| said(Kind::Release, |s| s.asset += Fr::one())),
    ("no more is released than there is", Needed, |_| {
        in_place(Kind::Release, |a| a.amount = a.position + Fr::one())
    }),
    ("consideration stays in range", Needed, |_| {
        in_place(Kind::TakeBack, |a| a.amount = a.consideration + Fr::one())
    }),
    ("account becomes what it should", Needed, |_| said(Kind::Fund, |s| s.after += Fr::one())),
];

#[test]
fn no_rule_can_be_dropped() {
    assert!(CASES.iter().all(|(_, why, _)| !matches!(why, Implied(_))));
    subject().check_cases(CASES, 1);
}

#[test]
fn no_wire_is_loose_and_what_is_chosen_determines_the_rest() {
    for kind in Kind::ALL {
        let assignment = Assignment::of(&witness(kind));
        assert_eq!(subject().n_loose(circuit(&assignment)), 0, "{kind:?}");
        // Kind, asset and both commitments.
        assert_eq!(subject().n_free(circuit(&assignment), &[2, 3, 5, 6]), 0, "{kind:?}");
    }
}

#[test]
fn the_page_has_every_rule_and_its_cost() {
    subject().check_page(include_str!("../../../../../book/src/circuits/account.md"));
}

#[test]
fn the_circuit_costs_what_the_book_says() {
    let r1cs = &subject().r1cs;
    assert_eq!(r1cs.n_instance, INPUTS + 1);
    assert_eq!(r1cs.n_constraints(), CONSTRAINTS);
}

/// The folding, attacked under a real proof: what the verifier has differs from what was proven.
#[test]
fn a_proof_is_of_the_values_that_were_posted() {
    let mut rng = ArkRng(ChaCha20Rng::seed_from_u64(1));
    let honest = Assignment::of(&witness(Kind::Release));
    let values = honest.statement().to_values();
    let key =
        Groth16::<Bn254>::generate_random_parameters_with_reduction(circuit(&honest), &mut rng)
            .expect("our circuits can be synthesised");
    let proof =
        Groth16::<Bn254>::create_random_proof_with_reduction(circuit(&honest), &key, &mut rng)
            .expect("satisfied");
    let prepared = prepare_verifying_key(&key.vk);
    let verifies = |inputs: [Fr; INPUTS]| {
        Groth16::<Bn254>::verify_proof(&prepared, &proof, &inputs).expect("three inputs")
    };
    // As the contract does it: the digest as posted, challenge and sum its own.
    let posted = |digest: Fr, values: &[Fr]| {
        let challenge = fold::challenge(digest, values);
        verifies([digest, challenge, fold::sum(values, challenge)])
    };
    let digest = fold::digest(&values);
    assert!(posted(digest, &values));

    // One value changed, under the old digest and under its own.
    for index in 0..VALUES {
        let mut other = values;
        other[index] += Fr::one();
        assert!(!posted(digest, &other), "value {index}");
        assert!(!posted(fold::digest(&other), &other), "value {index}, digest too");
    }
    // Two exchanged; one more; one less.
    let mut other = values;
    other.swap(3, 4);
    assert!(!posted(digest, &other));
    assert!(!posted(digest, &[&values[..], &[Fr::one()]].concat()));
    assert!(!posted(digest, &values[..VALUES - 1]));
    // A value past the end that is 0 leaves the sum alone, and moves the challenge.
    assert!(!posted(digest, &[&values[..], &[Fr::zero()]].concat()));

    // One changed and another made to compensate, which takes a challenge that is known before. The
    // contract draws another, because the values are in it.
    let [_, challenge, sum] = fold::inputs(&values);
    let mut other = values;
    other[4] += Fr::one();
    other[3] -= challenge;
    assert_eq!(fold::sum(&other, challenge), sum);
    assert!(verifies([digest, challenge, fold::sum(&other, challenge)]), "so z is never given");
    assert!(!posted(digest, &other));
    // A challenge of the values alone could be met by choosing what is proven after it.
    let alone = fold::challenge(Fr::zero(), &values);
    assert!(!verifies([digest, alone, fold::sum(&values, alone)]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The two relations say the same of a random account with up to two random changes.
    #[test]
    fn plain_rust_and_constraints_agree(
        kind in 0..5_usize,
        tampers in proptest::collection::vec((0..TAMPERS.len(), -2_i8..=2), 0..3),
    ) {
        let mut witness = witness(Kind::ALL[kind]);
        for (tamper, delta) in tampers {
            TAMPERS[tamper](&mut witness, delta);
        }
        let assignment = Assignment::of(&witness);
        let native = witness.statement();
        prop_assert_eq!(native.is_ok(), subject().holds(circuit(&assignment)), "{:?}", native);
        if let Ok(native) = native {
            prop_assert_eq!(native, assignment.statement());
        }
    }
}

type Tamper = fn(&mut Witness, i8);

/// Small changes that move a witness onto, over or back from the edge of some rule.
const TAMPERS: &[Tamper] = &[
    |w, d| w.kind = Kind::ALL[usize::from(d.unsigned_abs())],
    |w, d| w.kind = Kind::ALL[4 - usize::from(d.unsigned_abs())],
    |w, d| w.amount = u128::from(d.unsigned_abs()),
    |w, d| w.amount = w.account.position.saturating_add_signed(d.into()),
    |w, d| w.amount = w.account.consideration.saturating_add_signed(d.into()),
    |w, d| {
        w.amount =
            AMOUNT_END.saturating_sub(w.account.consideration).saturating_add_signed(d.into())
    },
    |w, d| w.account.position = AMOUNT_END.saturating_add_signed(d.into()),
    |w, d| w.account.consideration = AMOUNT_END.saturating_add_signed(d.into()),
    |w, d| w.account.spent = u128::from(d.unsigned_abs()),
    |w, d| w.account = Account::open(w.account.holder, Fr::from(d)),
    |w, d| w.salt += Fr::from(d),
    |w, d| w.context += Fr::from(d),
];
