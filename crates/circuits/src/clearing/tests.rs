use std::{cell::RefCell, sync::OnceLock};

use ark_ff::Field;
use pool::tree::Tree;
use proptest::prelude::*;

use super::*;
use crate::{
    audit::{loose_wires, rank},
    prove::assign,
    r1cs::evaluate,
    testing::{Shape, consideration_note, maker_note, witness, witness_of},
};

mod groups;

const FOUR: Shape = Shape { n_fills: 4, filled: false, disclosure: Disclosure::Immediate };
const TWO: Shape = Shape { n_fills: 2, filled: false, disclosure: Disclosure::Sealed };

#[test]
fn every_shape_is_satisfiable() {
    for (seed, shape) in (0..).zip(Shape::all()) {
        check(&witness_of(seed, shape), Ok(()));
    }
}

#[test]
fn a_statement_is_what_the_pool_makes_of_the_witness() {
    let witness = witness_of(1, TWO);
    let statement = witness.statement().expect("satisfiable");
    let Witness { round, mandate, request, position, slots, consideration, .. } = &witness;
    let context = round.context;
    let filled: u128 = slots.iter().map(|slot| slot.fill).sum();
    let payouts = witness.payouts_ceil().map(|payout| payout.expect("small"));

    let after = request.after(filled, context).expect("enough remains");
    assert_eq!(statement.mandate, mandate.commitment());
    assert_eq!(statement.request_old, request.commitment());
    assert_eq!(statement.request_new, after.commitment());
    assert_eq!(statement.position_old, position.commitment());
    let credited = position.after(filled, context).expect("fits");
    assert_eq!(statement.position_new, credited.commitment());
    let salt = status::salt(request.salt, context);
    assert_eq!(statement.status, status::commitment(status::PARTIALLY_FILLED, salt));

    let issuer_note = consideration_note(mandate, consideration);
    let secret = consideration.nullifier_secret.expose();
    let change = Note {
        amount: consideration.amount - payouts.iter().sum::<u128>(),
        rho: note::consideration_rho(secret, context),
        ..issuer_note
    };
    assert_eq!(statement.consideration_change, change.commitment());
    assert_eq!(
        statement.consideration_nullifier,
        note::nullifier(secret, issuer_note.commitment(), consideration.path.index),
    );
    for (slot, fill) in slots.iter().enumerate() {
        let spent = maker_note(mandate, fill);
        let secret = fill.nullifier_secret.expose();
        let nullifier = if fill.real {
            note::nullifier(secret, spent.commitment(), fill.path.index)
        } else {
            note::dummy_nullifier(secret, context, slot)
        };
        assert_eq!(statement.nullifiers[slot], nullifier);
        let change = Note {
            amount: fill.amount - fill.fill,
            rho: note::change_rho(secret, context, slot),
            ..spent
        };
        assert_eq!(statement.changes[slot], change.commitment());
        let payout = Note {
            asset: mandate.consideration_asset,
            amount: payouts[slot],
            owner: fill.terms.payout_owner,
            order_hash: Fr::zero(),
            rho: note::payout_rho(secret, context, slot),
        };
        assert_eq!(statement.payouts[slot], payout.commitment());
    }
}

#[test]
fn status_is_shown_or_committed_to() {
    for (filled, expect) in [(false, status::PARTIALLY_FILLED), (true, status::FILLED)] {
        let shape = Shape { n_fills: 1, filled, disclosure: Disclosure::Immediate };
        let shown = witness_of(1, shape).statement().expect("satisfiable");
        assert_eq!(shown.status, Fr::from(expect));
    }
    let shape = Shape { n_fills: 0, filled: false, disclosure: Disclosure::Immediate };
    let mut nothing = witness_of(1, shape);
    nothing.request.requested = nothing.request.remaining;
    check(&nothing, Ok(()));
    assert_eq!(nothing.statement().expect("satisfiable").status, Fr::from(status::PENDING));
    nothing.request.requested = 0;
    nothing.request.remaining = 0;
    check(&nothing, Ok(()));
    assert_eq!(nothing.statement().expect("satisfiable").status, Fr::from(status::FILLED));
}

#[test]
fn a_statement_survives_its_encodings() {
    let statement = witness(1).statement().expect("satisfiable");
    assert_eq!(Statement::from_inputs(&statement.to_inputs()), statement);
    assert_eq!(Statement::from_words(&statement.to_words()), Ok(statement));
    assert!(Statement::from_words(&[[0xff; 32]; INPUTS]).is_err());
    assert_eq!(statement.leaves()[0], statement.payouts[0]);
    assert_eq!(statement.leaves()[4], statement.changes[0]);
    assert_eq!(statement.leaves()[8], statement.consideration_change);
}

/// One row a rule: how to break it, and what is said. Notes are put back into the tree after the
/// change, so that the rule itself is what refuses, in both relations.
#[test]
fn each_rule_refuses_in_both_relations() {
    type Row = (fn(&mut Witness), Violation);
    let max = AMOUNT_END - 1;
    let base = witness_of(7, FOUR);
    let Witness { round, mandate, request, premium_bps, .. } = &base;
    let (price, closed_at, bps) = (round.price, round.closed_at, *premium_bps);
    let (fill, amount) = (base.slots[1].fill, base.slots[1].amount);
    let filled: u128 = base.slots.iter().map(|slot| slot.fill).sum();
    let paid: u128 = base.payouts_ceil().iter().map(|payout| payout.expect("small")).sum();
    let band = (mandate.price_min, mandate.price_max);
    let slot = 1;
    let rows: &[Row] = &[
        (|w| w.request.mandate += Fr::one(), Violation::RequestMandate),
        (|w| w.request.instrument += Fr::one(), Violation::RequestInstrument),
        (|w| w.position.issuer += Fr::one(), Violation::PositionIssuer),
        (
            |w| w.request.requested = w.mandate.amount_max + 1,
            Violation::RequestAboveMandate {
                requested: mandate.amount_max + 1,
                max: mandate.amount_max,
            },
        ),
        (
            |w| w.request.remaining = w.request.requested + 1,
            Violation::RemainingAboveRequested {
                remaining: request.requested + 1,
                requested: request.requested,
            },
        ),
        (
            |w| w.mandate.price_min = w.round.price + 1,
            Violation::PriceOutsideMandate { price, min: price + 1, max: band.1 },
        ),
        (
            |w| w.mandate.price_max = w.round.price - 1,
            Violation::PriceOutsideMandate { price, min: band.0, max: price - 1 },
        ),
        (
            |w| w.mandate.expiry = w.round.closed_at - 1,
            Violation::MandateExpired { closed_at, expiry: closed_at - 1 },
        ),
        (
            |w| w.round.premium_cap_bps = w.premium_bps - 1,
            Violation::PremiumAboveCap { premium_bps: bps, cap_bps: bps - 1 },
        ),
        (
            |w| w.mandate.premium_bps_max = w.premium_bps - 1,
            Violation::PremiumAboveMandate { premium_bps: bps, max_bps: bps - 1 },
        ),
        (
            |w| w.slots[1].terms.issuer += Fr::one(),
            Violation::TermsForAnother { slot, field: "issuer" },
        ),
        (
            |w| w.slots[1].terms.instrument += Fr::one(),
            Violation::TermsForAnother { slot, field: "instrument" },
        ),
        (
            |w| w.slots[1].terms.consideration_asset += Fr::one(),
            Violation::TermsForAnother { slot, field: "consideration" },
        ),
        (
            |w| w.slots[1].terms.pool_id += Fr::one(),
            Violation::TermsForAnother { slot, field: "pool" },
        ),
        (
            |w| w.slots[1].terms.fill_min = w.slots[1].fill + 1,
            Violation::FillBelowMinimum { slot, fill, min: fill + 1 },
        ),
        (
            |w| {
                w.slots[1].terms.fill_min = 0;
                w.slots[1].fill = 0;
            },
            Violation::FillBelowMinimum { slot, fill: 0, min: 1 },
        ),
        (
            |w| w.slots[1].fill = w.slots[1].amount + 1,
            Violation::FillAboveNote { slot, fill: amount + 1, amount },
        ),
        (
            |w| w.slots[1].terms.premium_bps_min = w.premium_bps + 1,
            Violation::PremiumBelowTerms { slot, premium_bps: bps, min_bps: bps + 1 },
        ),
        (
            |w| {
                w.slots[1].terms.price_min = w.round.price + 1;
                w.slots[1].terms.price_max = w.round.price + 2;
            },
            Violation::PriceOutsideTerms { slot, price, min: price + 1, max: price + 2 },
        ),
        (
            |w| {
                w.slots[1].terms.price_min = 0;
                w.slots[1].terms.price_max = w.round.price - 1;
            },
            Violation::PriceOutsideTerms { slot, price, min: 0, max: price - 1 },
        ),
        (
            |w| {
                w.request.gap_band = 9;
                w.slots.iter_mut().for_each(|slot| slot.terms.gap_band_max = 9);
                w.slots[1].terms.gap_band_max = 8;
            },
            Violation::GapBandAboveTerms { slot, gap_band: 9, max: 8 },
        ),
        (
            |w| w.slots[1].terms.expiry = w.round.closed_at - 1,
            Violation::TermsExpired { slot, closed_at, expiry: closed_at - 1 },
        ),
        (
            |w| w.consideration.amount = paid_of(w) - 1,
            Violation::PayoutAboveConsideration { payout: paid, amount: paid - 1 },
        ),
        (
            |w| w.request.remaining = filled_of(w) - 1,
            Violation::FillAboveRemaining { filled, remaining: filled - 1 },
        ),
        (
            |w| w.position.amount = AMOUNT_END - filled_of(w),
            Violation::PositionTooLarge { amount: AMOUNT_END - filled, filled },
        ),
        (
            |w| {
                w.mandate.amount_max = AMOUNT_END - 1;
                w.request.requested = AMOUNT_END - 1;
                w.request.remaining = AMOUNT_END - 1;
                w.mandate.price_max = u64::MAX;
                w.round.price = u64::MAX;
                w.slots.iter_mut().for_each(|slot| slot.terms.price_max = u64::MAX);
                w.slots[1].amount = AMOUNT_END - 1;
                w.slots[1].fill = AMOUNT_END - 1;
            },
            Violation::PayoutTooLarge { slot },
        ),
        // Ranges.
        (|w| w.mandate.amount_max = AMOUNT_END, out("mandate's maximum amount", AMOUNT_BITS)),
        (|w| w.request.requested = AMOUNT_END, out("requested amount", AMOUNT_BITS)),
        (|w| w.request.remaining = AMOUNT_END, out("remaining amount", AMOUNT_BITS)),
        (|w| w.position.amount = AMOUNT_END, out("position", AMOUNT_BITS)),
        (|w| w.consideration.amount = AMOUNT_END, out("consideration", AMOUNT_BITS)),
        (|w| w.round.premium_cap_bps = PREMIUM_BPS_END, out("premium cap", PREMIUM_BITS)),
        (
            |w| w.mandate.premium_bps_max = PREMIUM_BPS_END,
            out("mandate's maximum premium", PREMIUM_BITS),
        ),
        (|w| w.premium_bps = PREMIUM_BPS_END, out("premium", PREMIUM_BITS)),
        (|w| w.round.closed_at = TIME_END, out("close", TIME_BITS)),
        (|w| w.mandate.expiry = TIME_END, out("mandate's expiry", TIME_BITS)),
        (|w| w.slots[1].amount = AMOUNT_END, slot_out("amount", AMOUNT_BITS)),
        (
            |w| {
                w.slots[1].amount = AMOUNT_END;
                w.slots[1].fill = AMOUNT_END;
            },
            slot_out("amount", AMOUNT_BITS),
        ),
        (|w| w.slots[1].fill = AMOUNT_END, slot_out("fill", AMOUNT_BITS)),
        (|w| w.slots[1].terms.fill_min = AMOUNT_END, slot_out("minimum fill", AMOUNT_BITS)),
        (
            |w| w.slots[1].terms.premium_bps_min = PREMIUM_BPS_END,
            slot_out("minimum premium", PREMIUM_BITS),
        ),
        (|w| w.slots[1].terms.expiry = TIME_END, slot_out("expiry", TIME_BITS)),
    ];
    assert!(fill < max, "the base is an ordinary one");
    for (tamper, violation) in rows {
        let mut witness = base.clone();
        tamper(&mut witness);
        if *violation != Violation::RequestMandate {
            witness.request.mandate = witness.mandate.commitment();
        }
        replant(&mut witness);
        check(&witness, Err(*violation));
    }
}

#[test]
fn an_index_beyond_the_tree_is_refused() {
    let mut witness = witness_of(2, FOUR);
    witness.slots[1].path.index += LEAVES_MAX;
    check(&witness, Err(slot_out("leaf index", 32)));
    let mut witness = witness_of(2, FOUR);
    witness.consideration.path.index += LEAVES_MAX;
    check(&witness, Err(out("consideration's leaf index", 32)));
}

#[test]
fn terms_altered_after_locking_are_refused() {
    let tampers: [fn(&mut Terms); 5] = [
        |terms| terms.premium_bps_min = 0,
        |terms| terms.price_max = u64::MAX,
        |terms| terms.payout_owner += Fr::one(),
        |terms| terms.fill_min = 0,
        |terms| terms.expiry += 1,
    ];
    for tamper in tampers {
        let mut witness = witness_of(3, FOUR);
        tamper(&mut witness.slots[2].terms);
        // Not put back into the tree: the owner locked other terms.
        check(&witness, Err(Violation::NotInTree { slot: 2 }));
    }
}

#[test]
fn a_payment_outside_the_mandate_is_refused() {
    // A consideration note locked under another mandate, or in another asset, is another note.
    for tamper in [
        |mandate: &mut Mandate| mandate.salt += Fr::one(),
        |mandate: &mut Mandate| mandate.consideration_asset += Fr::one(),
    ] {
        let mut witness = witness_of(4, FOUR);
        let mut other = witness.mandate;
        tamper(&mut other);
        let note = consideration_note(&other, &witness.consideration);
        let mut tree = Tree::new();
        for slot in &mut witness.slots {
            slot.path.index = tree
                .append(maker_note(&witness.mandate, slot).commitment())
                .expect("a new tree has room");
        }
        witness.consideration.path.index =
            tree.append(note.commitment()).expect("a new tree has room");
        take_paths(&mut witness, &tree);
        check(&witness, Err(Violation::ConsiderationNotInTree));
    }
}

#[test]
fn a_foreign_root_is_refused() {
    let mut witness = witness_of(5, FOUR);
    witness.round.root += Fr::one();
    check(&witness, Err(Violation::NotInTree { slot: 0 }));
    // Without fills it is the consideration note that misses it.
    let mut witness = witness_of(5, Shape { n_fills: 0, ..FOUR });
    witness.round.root += Fr::one();
    check(&witness, Err(Violation::ConsiderationNotInTree));
}

#[test]
fn a_dummy_with_an_amount_or_a_fill_is_refused() {
    let dummy_of = |witness: &Witness| {
        witness.slots.iter().position(|slot| !slot.real).expect("two are dummies")
    };
    let mut witness = witness_of(6, TWO);
    let slot = dummy_of(&witness);
    witness.slots[slot].amount = 5;
    check(&witness, Err(Violation::DummyNotEmpty { slot, amount: 5, fill: 0 }));
    witness.slots[slot].fill = 5;
    check(&witness, Err(Violation::DummyNotEmpty { slot, amount: 5, fill: 5 }));
    // A real note passed off as a dummy, to skip its terms.
    let mut witness = witness_of(6, FOUR);
    let Slot { amount, fill, .. } = witness.slots[0];
    witness.slots[0].real = false;
    check(&witness, Err(Violation::DummyNotEmpty { slot: 0, amount, fill }));
}

#[test]
fn a_dummy_slot_cannot_carry_a_real_nullifier() {
    let witness = witness_of(8, TWO);
    let statement = witness.statement().expect("satisfiable");
    let victim = witness_of(9, FOUR);
    let stolen = victim.statement().expect("satisfiable").nullifiers[0];
    let slot = witness.slots.iter().position(|slot| !slot.real).expect("two are dummies");

    // Published as it is.
    let mut forged = statement;
    forged.nullifiers[slot] = stolen;
    assert!(!holds(&Assignment::of(&witness), &forged));

    // With the victim's secret, amount aside, in the dummy slot.
    let mut assignment = Assignment::of(&witness);
    let theirs = Assignment::of(&victim);
    assignment.slots[slot].note.nullifier_secret = theirs.slots[0].note.nullifier_secret;
    assignment.slots[slot].note.rho = theirs.slots[0].note.rho;
    assignment.slots[slot].terms = theirs.slots[0].terms.clone();
    assignment.slots[slot].path = theirs.slots[0].path.clone();
    let mut forged = assignment.statement();
    assert!(holds(&assignment, &forged), "a dummy's secrets are free");
    forged.nullifiers[slot] = stolen;
    assert!(!holds(&assignment, &forged));
}

#[test]
fn a_note_in_two_slots_has_one_nullifier() {
    let mut witness = witness_of(10, FOUR);
    witness.slots[3] = witness.slots[1].clone();
    witness.request.remaining = witness.request.remaining.max(filled_of(&witness));
    witness.request.requested = witness.request.requested.max(witness.request.remaining);
    witness.consideration.amount = paid_of(&witness);
    replant(&mut witness);
    // The tree has it twice now; spend the same one.
    witness.slots[3].path = witness.slots[1].path;
    let twice = Violation::NoteTwice { first: 1, second: 3 };
    assert_eq!(witness.statement(), Err(twice));
    // The constraints leave it to the contract, which sees the same nullifier twice.
    let assignment = Assignment::of(&witness);
    let statement = assignment.statement();
    assert!(holds(&assignment, &statement));
    assert_eq!(statement.nullifiers[1], statement.nullifiers[3]);
}

#[test]
fn every_public_input_is_constrained() {
    for shape in [FOUR, TWO] {
        let witness = witness_of(11, shape);
        let assignment = Assignment::of(&witness);
        let inputs = witness.statement().expect("satisfiable").to_inputs();
        // Cap and close are upper bounds, and one more may do; that the proof binds them all the same
        // is seen in `no_wire_is_loose`, which changes inputs too.
        for index in (0..INPUTS).filter(|index| ![3, 5].contains(index)) {
            let mut inputs = inputs;
            inputs[index] += Fr::one();
            assert!(!holds(&assignment, &Statement::from_inputs(&inputs)), "input {index}");
        }
    }
}

#[test]
fn every_witness_field_is_constrained() {
    let witness = witness_of(12, FOUR);
    let statement = witness.statement().expect("satisfiable");
    let mut n = 0;
    for_each_field(&Assignment::of(&witness), |name, tampered| {
        assert!(!holds(tampered, &statement), "{name}");
        n += 1;
    });
    // Mandate, request, position, premium, slots, consideration and where it is.
    assert_eq!(n, 11 + 6 + 3 + 1 + SLOTS * (1 + 4 + 4 + 11 + 2) + 4 + 4);
}

/// Negative numbers are what a range check is for. Everything else is made to fit: notes are back in
/// the tree and the outputs follow.
#[test]
fn no_integer_may_be_negative() {
    let witness = witness_of(13, FOUR);
    type Row = (&'static str, fn(&mut Assignment) -> &mut Fr);
    let rows: &[Row] = &[
        ("cap", |a| &mut a.premium_cap_bps),
        ("price", |a| &mut a.price),
        ("close", |a| &mut a.closed_at),
        ("amount_max", |a| &mut a.mandate.amount_max),
        ("premium_bps_max", |a| &mut a.mandate.premium_bps_max),
        ("mandate price_min", |a| &mut a.mandate.price_min),
        ("mandate price_max", |a| &mut a.mandate.price_max),
        ("mandate expiry", |a| &mut a.mandate.expiry),
        ("requested", |a| &mut a.request.requested),
        ("remaining", |a| &mut a.request.remaining),
        ("gap_band", |a| &mut a.request.gap_band),
        ("position", |a| &mut a.position.amount),
        ("premium", |a| &mut a.premium_bps),
        ("amount", |a| &mut a.slots[0].note.amount),
        ("fill", |a| &mut a.slots[0].fill),
        ("payout", |a| &mut a.slots[0].payout),
        ("premium_bps_min", |a| &mut a.slots[0].terms.premium_bps_min),
        ("price_min", |a| &mut a.slots[0].terms.price_min),
        ("price_max", |a| &mut a.slots[0].terms.price_max),
        ("fill_min", |a| &mut a.slots[0].terms.fill_min),
        ("gap_band_max", |a| &mut a.slots[0].terms.gap_band_max),
        ("expiry", |a| &mut a.slots[0].terms.expiry),
        ("consideration", |a| &mut a.consideration.amount),
    ];
    for (name, field) in rows {
        for value in [-Fr::one(), -Fr::from(AMOUNT_END)] {
            let mut assignment = Assignment::of(&witness);
            *field(&mut assignment) = value;
            replant_fields(&mut assignment);
            assert!(!holds(&assignment, &assignment.statement()), "{name}");
        }
    }
}

/// Value from nothing: a negative fill would pay for a positive one, a negative rest for a payout.
#[test]
fn amounts_do_not_wrap_around() {
    let base = witness_of(14, FOUR);

    // A fill of less than nothing, which pays for another that is larger than its note; everything
    // divides exactly, so that no rounding is in the way.
    let mut assignment = Assignment::of(&base);
    let rate = assignment.price * (Fr::from(10_000) + assignment.premium_bps);
    let scale = Fr::from(PAYOUT_SCALE);
    let extra = scale * Fr::from(1_u64 << 20);
    for (slot, fill) in [(0, scale + extra), (1, -extra)] {
        assignment.slots[slot].fill = fill;
        assignment.slots[slot].payout = fill * rate * scale.inverse().expect("not 0");
    }
    replant_fields(&mut assignment);
    assert!(!holds(&assignment, &assignment.statement()));

    // A payout with a slack one step out of range, either way.
    for delta in [Fr::one(), -Fr::one()] {
        let mut assignment = Assignment::of(&base);
        assignment.slots[2].payout += delta;
        assert!(!holds(&assignment, &assignment.statement()));
    }

    // A payout beyond 2^112, from a note beyond it.
    let mut assignment = Assignment::of(&base);
    assignment.price = Fr::from(u64::MAX);
    assignment.mandate.price_max = Fr::from(u64::MAX);
    for slot in &mut assignment.slots {
        slot.terms.price_max = Fr::from(u64::MAX);
        slot.fill = scale * Fr::from(1_u128 << 64);
        slot.note.amount = slot.fill;
        let rate = assignment.price * (Fr::from(10_000) + assignment.premium_bps);
        slot.payout = rate * Fr::from(1_u128 << 64);
    }
    assignment.mandate.amount_max = Fr::from(AMOUNT_END - 1);
    assignment.request.requested = Fr::from(AMOUNT_END - 1);
    assignment.request.remaining = Fr::from(AMOUNT_END - 1);
    assignment.consideration.amount = assignment.slots.iter().map(|slot| slot.payout).sum();
    replant_fields(&mut assignment);
    assert!(!holds(&assignment, &assignment.statement()));
}

#[test]
fn a_slot_is_real_or_not() {
    let mut assignment = Assignment::of(&witness_of(15, FOUR));
    for value in [Fr::from(2), -Fr::one(), Fr::from(2).inverse().expect("not 0")] {
        assignment.slots[0].real = value;
        assert!(!holds(&assignment, &assignment.statement()));
    }
    let mut assignment = Assignment::of(&witness_of(15, FOUR));
    for value in [Fr::from(2), -Fr::one()] {
        assignment.disclosure = value;
        assert!(!holds(&assignment, &assignment.statement()));
    }
}

/// Every wire, changed alone by each of three amounts, breaks some constraint; but for the inverse
/// hints of what is zero, which no one reads.
#[test]
fn no_wire_is_loose() {
    for (shape, seed) in [(FOUR, 16), (TWO, 17), (Shape { n_fills: 0, ..TWO }, 18)] {
        let witness = witness_of(seed, shape);
        let statement = witness.statement().expect("satisfiable");
        let assignment = Assignment::of(&witness);
        let values = assign(Clearing { assignment, statement });
        let loose = loose_wires(circuit(), &values);
        let n_dummies = SLOTS - shape.n_fills;
        let after = witness.request.remaining - filled_of(&witness);
        let n_equal = usize::from(after == 0) + usize::from(after == witness.request.requested);
        assert_eq!(loose.len(), n_dummies + n_equal, "{shape:?}: {loose:?}");
    }
}

/// The prover chooses the private values and nothing else: with those and the public inputs fixed, no
/// combination of the other wires can move, because the constraints' Jacobian has full rank in them.
/// The exceptions are again the inverse hints of what is zero.
#[test]
fn what_is_chosen_determines_every_other_wire() {
    let r1cs = circuit();
    for (shape, seed) in [(FOUR, 19), (TWO, 20)] {
        let witness = witness_of(seed, shape);
        let statement = witness.statement().expect("satisfiable");
        CHOSEN.take();
        let values = assign(Clearing { assignment: Assignment::of(&witness), statement });
        let chosen: Vec<_> =
            CHOSEN.take().into_iter().map(|index| r1cs.n_instance + index).collect();
        // Mandate, request, position, premium, slots, consideration, and all the siblings.
        assert_eq!(
            chosen.len(),
            11 + 6 + 3 + 1 + SLOTS * (1 + 4 + 11 + 2) + 4 + (SLOTS + 1) * DEPTH
        );
        let fixed: Vec<_> = chosen.iter().copied().chain(0..r1cs.n_instance).collect();
        let n_free = r1cs.n_witness - chosen.len() - rank(r1cs, &values, &fixed);
        assert_eq!(n_free, SLOTS - shape.n_fills, "{shape:?}");
    }
}

#[test]
fn the_circuit_is_the_pinned_one() {
    let (r1cs, pinned) = (circuit(), crate::keys::pinned());
    assert_eq!(r1cs.n_constraints(), 65_218);
    assert_eq!(r1cs.n_instance, INPUTS + 1);
    let domain = (r1cs.n_constraints() + r1cs.n_instance).next_power_of_two();
    assert_eq!(domain, 1 << 16, "one more constraint than the domain holds doubles proving time");
    let hint = "the circuit changed: run the example export_verifier and say why in the commit";
    assert_eq!(r1cs.sha256(), pinned.r1cs_sha256, "{hint}");
    let committed = include_str!("../../../../snapshots/costs.json");
    let row = (crate::keys::Circuit::Clearing, r1cs.n_constraints(), pinned);
    let fresh = crate::keys::costs(&[row]);
    let fresh: serde_json::Value = serde_json::from_str(&fresh).expect("JSON");
    let committed: serde_json::Value = serde_json::from_str(committed).expect("JSON");
    assert_eq!(committed["circuits"]["clearing"], fresh["circuits"]["clearing"], "{hint}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The two relations say the same of a random book with up to two random changes, some of which
    /// are put back into the tree.
    #[test]
    fn plain_rust_and_constraints_agree(
        seed: u64,
        tampers in proptest::collection::vec((0..TAMPERS.len(), 0..SLOTS, -2_i8..=2), 0..3),
        back_into_the_tree: bool,
    ) {
        let mut witness = witness(seed);
        for (tamper, slot, delta) in tampers {
            TAMPERS[tamper](&mut witness, slot, delta);
        }
        if back_into_the_tree {
            witness.request.mandate = witness.mandate.commitment();
            replant(&mut witness);
        }
        let assignment = Assignment::of(&witness);
        let statement = assignment.statement();
        let native = match witness.statement() {
            Err(Violation::NoteTwice { .. }) => Ok(statement),
            other => other,
        };
        prop_assert_eq!(native.is_ok(), holds(&assignment, &statement), "{:?}", native);
        if let Ok(native) = native {
            prop_assert_eq!(native, statement);
        }
    }
}

type Tamper = fn(&mut Witness, usize, i8);

/// Small changes that move a witness onto, over or back from the edge of some rule.
const TAMPERS: &[Tamper] = &[
    |w, _, d| w.round.premium_cap_bps = w.premium_bps.saturating_add_signed(d.into()),
    |w, _, d| w.round.price = w.round.price.saturating_add_signed(d.into()),
    |w, _, d| w.round.closed_at = w.mandate.expiry.saturating_add_signed(d.into()),
    |w, _, d| w.round.context += Fr::from(d),
    |w, _, d| w.round.root += Fr::from(d),
    |w, _, d| w.mandate.amount_max = w.request.requested.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.premium_bps_max = w.premium_bps.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.price_min = w.round.price.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.price_max = w.round.price.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.instrument += Fr::from(d),
    |w, _, d| w.mandate.salt += Fr::from(d),
    |w, _, d| w.request.requested = w.request.remaining.saturating_add_signed(d.into()),
    |w, _, d| w.request.remaining = filled_of(w).saturating_add_signed(d.into()),
    |w, _, d| w.request.gap_band = w.request.gap_band.saturating_add_signed(d),
    |w, _, d| w.request.salt += Fr::from(d),
    |w, _, d| w.position.amount = (AMOUNT_END - filled_of(w)).saturating_add_signed(d.into()),
    |w, _, d| w.premium_bps = w.premium_bps.saturating_add_signed(d.into()),
    |w, s, _| w.slots[s].real = !w.slots[s].real,
    |w, s, d| w.slots[s].amount = w.slots[s].fill.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].fill = w.slots[s].fill.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].fill = w.slots[s].terms.fill_min.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].terms.price_min = w.round.price.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].terms.price_max = w.round.price.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].terms.expiry = w.round.closed_at.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].terms.gap_band_max = w.request.gap_band.saturating_add_signed(d),
    |w, s, d| {
        w.slots[s].terms.premium_bps_min = w.premium_bps.saturating_add_signed(d.into());
    },
    |w, s, d| w.slots[s].terms.payout_owner += Fr::from(d),
    |w, s, d| w.slots[s].rho += Fr::from(d),
    |w, s, d| w.slots[s].path.index = w.slots[s].path.index.saturating_add_signed(d.into()),
    |w, s, _| w.slots[s] = Slot::dummy(&[1; 32]),
    |w, s, _| w.slots[s] = w.slots[(s + 1) % SLOTS].clone(),
    |w, _, d| w.consideration.amount = paid_of(w).saturating_add_signed(d.into()),
    |w, _, d| w.consideration.rho += Fr::from(d),
];

/// Native says `expect`, and the constraints agree, given the outputs this witness would have.
#[track_caller]
fn check(witness: &Witness, expect: Result<(), Violation>) {
    assert_eq!(witness.statement().map(|_| ()), expect);
    let assignment = Assignment::of(witness);
    assert_eq!(holds(&assignment, &assignment.statement()), expect.is_ok(), "{expect:?}");
}

fn circuit() -> &'static R1cs {
    static CIRCUIT: OnceLock<R1cs> = OnceLock::new();
    CIRCUIT.get_or_init(r1cs)
}

fn holds(assignment: &Assignment, statement: &Statement) -> bool {
    let values = assign(Clearing { assignment: assignment.clone(), statement: *statement });
    circuit().first_broken(&values).is_none()
}

fn out(value: &'static str, bits: u32) -> Violation {
    Violation::Range { value, bits }
}

fn slot_out(value: &'static str, bits: u32) -> Violation {
    Violation::SlotRange { slot: 1, value, bits }
}

fn filled_of(witness: &Witness) -> u128 {
    witness.slots.iter().map(|slot| slot.fill).sum()
}

fn paid_of(witness: &Witness) -> u128 {
    witness.payouts_ceil().iter().map(|payout| payout.unwrap_or(0)).sum()
}

/// Puts every note of the witness, as it is now, into a tree of its own.
fn replant(witness: &mut Witness) {
    let mut tree = Tree::new();
    for slot in &mut witness.slots {
        let leaf = maker_note(&witness.mandate, slot).commitment();
        slot.path.index = tree.append(leaf).expect("a new tree has room");
    }
    let leaf = consideration_note(&witness.mandate, &witness.consideration).commitment();
    witness.consideration.path.index = tree.append(leaf).expect("a new tree has room");
    take_paths(witness, &tree);
}

fn take_paths(witness: &mut Witness, tree: &Tree) {
    witness.round.root = tree.root();
    let paths = witness.slots.iter_mut().map(|slot| &mut slot.path);
    for path in paths.chain([&mut witness.consideration.path]) {
        *path = tree.path(path.index).expect("planted");
    }
}

/// As [`replant`], for notes that no honest type can hold.
fn replant_fields(assignment: &mut Assignment) {
    let mut tree = Tree::new();
    assignment.request.mandate = assignment.mandate.commitment();
    for slot in &assignment.slots {
        let inner = note::inner(slot.note.owner(), slot.terms.hash(), slot.note.rho);
        let leaf = commitment(assignment.mandate.collateral_asset, slot.note.amount, inner);
        tree.append(leaf).expect("a new tree has room");
    }
    let note = &assignment.consideration;
    let inner = note::inner(note.owner(), assignment.mandate.commitment(), note.rho);
    let leaf = commitment(assignment.mandate.consideration_asset, note.amount, inner);
    tree.append(leaf).expect("a new tree has room");

    assignment.root = tree.root();
    let path = |index| PathFields::of(&tree.path(index).expect("planted"));
    for (index, slot) in (0..).zip(&mut assignment.slots) {
        slot.path = path(index);
    }
    assignment.consideration_path = path(SLOTS as u64);
}

/// Calls `f` with the assignment once a private field, that field being one more than it should be. Of
/// the siblings, the first, one in the middle and the last.
fn for_each_field(assignment: &Assignment, mut f: impl FnMut(&str, &Assignment)) {
    let n_fields = fields(&mut assignment.clone()).len();
    for index in 0..n_fields {
        let mut tampered = assignment.clone();
        let mut fields = fields(&mut tampered);
        let (name, field) = &mut fields[index];
        **field += Fr::one();
        let name = *name;
        f(name, &tampered);
    }
}

fn fields(assignment: &mut Assignment) -> Vec<(&'static str, &mut Fr)> {
    let mut fields = Vec::new();
    let mut add = |name, field| fields.push((name, field));
    let Assignment {
        context: _,
        root: _,
        premium_cap_bps: _,
        price: _,
        closed_at: _,
        disclosure: _,
        mandate,
        request,
        position,
        premium_bps,
        slots,
        consideration,
        consideration_path,
    } = &mut *assignment;
    mandate.each_mut(&mut add);
    request.each_mut(&mut add);
    position.each_mut(&mut add);
    add("premium_bps", premium_bps);
    for slot in slots {
        let SlotFields { real, note, path, terms, fill, payout } = slot;
        add("real", real);
        note.each_mut(&mut add);
        path.each_mut(&mut add);
        terms.each_mut(&mut add);
        add("fill", fill);
        add("payout", payout);
    }
    consideration.each_mut(&mut add);
    consideration_path.each_mut(&mut add);
    fields
}

impl PathFields {
    fn each_mut<'a>(&'a mut self, f: &mut impl FnMut(&'static str, &'a mut Fr)) {
        let Self { index, siblings } = self;
        f("index", index);
        for (level, sibling) in siblings.iter_mut().enumerate() {
            if [0, DEPTH / 2, DEPTH - 1].contains(&level) {
                f("sibling", sibling);
            }
        }
    }
}

thread_local! {
    /// The witness variables allocated as private values on this thread.
    pub(super) static CHOSEN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}
