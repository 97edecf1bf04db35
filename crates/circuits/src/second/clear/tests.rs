use std::sync::OnceLock;

use pool::second::tree::{Tree, node};
use proptest::prelude::*;

use super::{
    super::{
        check::Subject,
        testing::{LOT, Shape, clear as witness, replant_clear as replant},
    },
    *,
};

mod rules;

/// Slots of the circuit that most tests take apart: what a slot says does not depend on their number.
const FEW: usize = 4;

const FULL: Shape = Shape { n_fills: FEW, filled: false, disclosure: Disclosure::Immediate };
const TWO: Shape = Shape { n_fills: 2, filled: false, disclosure: Disclosure::Sealed };
const ONE: Shape = Shape { n_fills: 1, filled: false, disclosure: Disclosure::Immediate };
const NONE: Shape = Shape { n_fills: 0, filled: false, disclosure: Disclosure::Immediate };

fn subject() -> &'static Subject {
    static SUBJECT: OnceLock<Subject> = OnceLock::new();
    SUBJECT.get_or_init(|| Subject::of(r1cs::<FEW>))
}

/// The base of what is forged: in the epoch of the last settlement, with a premium, a rest and change.
fn base(shape: Shape) -> Witness<FEW> {
    let mut witness = witness(7, shape);
    witness.account.epoch = witness.round.closed_at / witness.mandate.epoch_seconds;
    witness
}

/// As [`replant`], for notes that no honest type can hold.
fn replant_fields(assignment: &mut Assignment<FEW>) {
    let mut trees = [Tree::new(NOTE_DEPTH), Tree::new(NOTE_DEPTH)];
    let which = |slot: &SlotFields| usize::from(slot.fill.in_venue.is_one());
    assignment.request.mandate = assignment.mandate_commitment();
    let indices: Vec<_> = (0..FEW)
        .map(|slot| {
            let leaf = assignment.commitment(slot);
            let tree = &mut trees[which(&assignment.slots[slot])];
            tree.append(&[Fr::from(9), leaf], 1).expect("room") + 1
        })
        .collect();
    for (slot, index) in indices.into_iter().enumerate() {
        let path = trees[which(&assignment.slots[slot])].path(index, 0);
        assignment.lead(slot, &path, &Path::dummy(ORDER_DEPTH));
    }
    let [entry, venue] = trees;
    (assignment.entry_root, assignment.venue_root) = (entry.root(), venue.root());
    let path = venue.path(venue.len().next_multiple_of(16), height(FEW));
    assignment.path = PathFields::of(&path, zeros()[height(FEW)]);
    replant_orders(assignment);
}

/// Puts the orders, as they are now, into a set of their own, each at its slot's place.
fn replant_orders(assignment: &mut Assignment<FEW>) {
    let places = |slot: usize| Path { index: 5 + slot as u64, ..Path::dummy(ORDER_DEPTH) };
    let mut leaves = vec![Fr::zero(); 5];
    for slot in 0..FEW {
        let from = PathFields::of(&places(slot), Fr::zero());
        assignment.slots[slot].place = from;
        leaves.push(assignment.order(slot));
    }
    let mut set = Tree::new(ORDER_DEPTH);
    set.append(&leaves, ORDER_DEPTH).expect("room");
    for slot in 0..FEW {
        let path = set.path(5 + slot as u64, 0);
        assignment.slots[slot].place = PathFields::of(&path, assignment.order(slot));
    }
    assignment.order_root = set.root();
}

/// Native says `expect`, and the constraints agree, given the outputs this witness would have.
#[track_caller]
fn check(witness: &Witness<FEW>, expect: Result<(), Violation>) {
    assert_eq!(witness.statement().map(|_| ()), expect);
    let holds = subject().holds(circuit(&Assignment::of(witness)));
    assert_eq!(holds, expect.is_ok(), "{expect:?}");
}

fn shapes() -> impl Iterator<Item = Shape> {
    (0..=FEW).flat_map(|n_fills| {
        [false, true].into_iter().flat_map(move |filled| {
            [Disclosure::Immediate, Disclosure::Sealed].map(|disclosure| Shape {
                n_fills,
                filled,
                disclosure,
            })
        })
    })
}

#[test]
fn every_shape_is_satisfiable() {
    for (seed, shape) in (0..).zip(shapes()) {
        check(&witness(seed, shape), Ok(()));
    }
}

#[test]
fn eight_slots_and_sixteen_are_satisfiable_and_cost_what_the_book_says() {
    fn cost<const N: usize>(n_fills: usize) -> usize {
        let subject = Subject::of(r1cs::<N>);
        let shape = Shape { n_fills, filled: false, disclosure: Disclosure::Sealed };
        let witness = witness::<N>(3, shape);
        let assignment = Assignment::of(&witness);
        assert_eq!(witness.statement(), Ok(assignment.statement()));
        assert!(subject.holds(circuit(&assignment)));
        // As many entries as pile up if a digest enters a node as a combination would be five times more.
        assert!(
            subject.r1cs.n_terms() < 13 * subject.r1cs.n_constraints(),
            "{}",
            subject.r1cs.n_terms()
        );
        subject.r1cs.n_constraints()
    }
    let found = [cost::<4>(3), cost::<SLOTS>(5), cost::<16>(11)];
    assert_eq!(found, CONSTRAINTS);
    let domain = (found[1] + 4).next_power_of_two();
    assert_eq!(domain, 1 << 17, "one more constraint than the domain holds doubles proving time");
    assert_eq!([height(4), height(8), height(16)], [2, 2, 3]);
}

#[test]
fn the_page_has_every_rule_and_its_cost() {
    Subject::of(r1cs::<SLOTS>)
        .check_page(include_str!("../../../../../book/src/circuits/clear.md"));
}

#[test]
fn a_statement_is_what_the_pool_makes_of_the_witness() {
    let witness = witness::<FEW>(1, TWO);
    let statement = witness.statement().expect("satisfiable");
    let Witness { round, mandate, request, account, slots, premium_bps, .. } = &witness;
    let context = round.context;
    let payouts = witness.payouts_ceil().map(|payout| payout.expect("small"));
    let (filled, paid) = (witness.filled(), payouts.iter().sum());

    assert_eq!(statement.venue, mandate.deal.venue);
    assert_eq!(statement.mandate, mandate.commitment());
    assert_eq!(statement.request_old, request.commitment());
    let after = request.after(filled, context).expect("enough remains");
    assert_eq!(statement.request_new, after.commitment());
    assert_eq!(statement.account_old, account.commitment());
    let epoch = round.closed_at / mandate.epoch_seconds;
    let after = account.after(filled, paid, epoch, context).expect("fits");
    assert_eq!(statement.account_new, after.commitment());
    let salt = status::salt(request.salt, context);
    assert_eq!(statement.status, status::commitment(status::PARTIALLY_FILLED, salt));
    let issuer = results::open_issuer(statement.issuer_result, account.salt, context);
    assert_eq!(issuer, Some((filled, paid, *premium_bps)));

    for (index, slot) in slots.iter().enumerate() {
        let secret = slot.nullifier_secret.expose();
        let order_hash = Terms { deal: mandate.deal, ..slot.terms }.hash();
        let spent = note::Note {
            asset: mandate.collateral_asset,
            amount: slot.amount,
            owner: slot.owner(),
            order_hash,
            rho: slot.rho,
        };
        let nullifier = if slot.fill == 0 {
            note::dummy_nullifier(secret, context, index)
        } else {
            let tree = if slot.in_venue { mandate.deal.venue } else { Fr::zero() };
            note::nullifier(secret, spent.commitment(), note::place(tree, slot.path.index))
        };
        assert_eq!(statement.nullifiers[index], nullifier);
        // An owner knows its note and secret, sees the nullifier, and finds out the rest.
        let opened = results::open(statement.results[index], secret, nullifier, context);
        assert_eq!(opened, Some((slot.fill, *premium_bps)));
        let change = note::Note {
            amount: slot.amount - slot.fill,
            rho: note::change_rho(secret, nullifier),
            ..spent
        };
        assert_eq!(statement.changes[index], change.commitment());
        let payout = note::Note {
            asset: mandate.deal.consideration_asset,
            amount: payouts[index],
            owner: slot.terms.payout_owner,
            order_hash: Fr::zero(),
            rho: note::payout_rho(secret, nullifier),
        };
        assert_eq!(statement.payouts[index], payout.commitment());
    }
    assert_eq!(statement.leaves(), [statement.payouts, statement.changes].concat());
    assert_eq!(witness.path.root(subtree(&statement.leaves(), 2)), statement.venue_root_after);
    let values = statement.to_values();
    assert_eq!(values.len(), SHARED_VALUES + SLOT_VALUES * FEW);
    assert_eq!(Statement::<Fr, FEW>::from_values(&values), Some(statement));
    assert_eq!(Statement::<Fr, FEW>::from_values(&values[1..]), None);
}

#[test]
fn status_is_shown_or_committed_to() {
    for (filled, expect) in [(false, status::PARTIALLY_FILLED), (true, status::FILLED)] {
        let shown = witness::<FEW>(1, Shape { filled, ..FULL }).statement().expect("satisfiable");
        assert_eq!(shown.status, Fr::from(expect));
    }
    let mut nothing = witness::<FEW>(1, NONE);
    nothing.request.requested = nothing.request.remaining;
    check(&nothing, Ok(()));
    assert_eq!(nothing.statement().expect("satisfiable").status, Fr::from(status::PENDING));
    (nothing.request.requested, nothing.request.remaining) = (0, 0);
    check(&nothing, Ok(()));
    assert_eq!(nothing.statement().expect("satisfiable").status, Fr::from(status::FILLED));
}

/// How a witness is broken, and what is said.
type Row = (fn(&mut Witness<FEW>), Violation);

/// One row a rule. Notes are put back into the trees after the change,
/// so that the rule itself is what refuses, in both relations.
#[test]
fn each_rule_refuses_in_both_relations() {
    let base = base(FULL);
    let Witness { round, mandate, request, account, premium_bps, .. } = &base;
    let (price, closed_at, bps) = (round.price, round.closed_at, *premium_bps);
    let (fill, amount) = (base.slots[1].fill, base.slots[1].amount);
    let (filled, paid) = (base.filled(), paid_of(&base));
    let band = (mandate.price_min, mandate.price_max);
    let slot = 1;
    let range = |value, bits| Violation::Range { value, bits };
    let out = |value, bits| Violation::SlotRange { slot, value, bits };
    let rows: &[Row] = &[
        (|w| w.request.instrument += Fr::one(), Violation::RequestInstrument),
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
        (|w| w.mandate.epoch_seconds = 0, Violation::NoEpoch),
        (
            |w| w.round.premium_cap_bps = w.premium_bps - 1,
            Violation::PremiumAboveCap { premium_bps: bps, cap_bps: bps - 1 },
        ),
        (
            |w| w.mandate.premium_bps_max = w.premium_bps - 1,
            Violation::PremiumAboveMandate { premium_bps: bps, max_bps: bps - 1 },
        ),
        (|w| w.slots[1].terms.deal.issuer += Fr::one(), Violation::TermsForAnother { slot }),
        (|w| w.slots[1].terms.deal.instrument += Fr::one(), Violation::TermsForAnother { slot }),
        (
            |w| w.slots[1].terms.deal.consideration_asset += Fr::one(),
            Violation::TermsForAnother { slot },
        ),
        // A line of another venue in this one's round.
        (|w| w.slots[1].terms.deal.venue += Fr::one(), Violation::TermsForAnother { slot }),
        (|w| w.slots[1].terms.deal.scale.up += 1, Violation::TermsForAnother { slot }),
        (
            |w| w.slots[1].terms.fill_min = w.slots[1].fill + 1,
            Violation::FillBelowMinimum { slot, fill, min: fill + 1 },
        ),
        (|w| w.slots[1].fill = 0, Violation::DummyNotEmpty { slot, amount }),
        (
            |w| w.slots[1].amount = w.slots[1].fill - 1,
            Violation::FillAboveNote { slot, fill, amount: fill - 1 },
        ),
        // An odd fill, of which nobody would guess the change.
        (
            |w| {
                w.slots[1].fill -= 1;
                w.slots[1].terms.fill_min = 1;
            },
            Violation::FillNotInLots { slot, fill: fill - 1, lot: LOT },
        ),
        (
            |w| w.mandate.lot = 0,
            Violation::FillNotInLots { slot: 0, fill: base.slots[0].fill, lot: 0 },
        ),
        // Dust.
        (
            |w| {
                w.slots[1].fill = LOT;
                w.slots[1].terms.fill_min = 1;
            },
            Violation::FillBelowSlot { slot, fill: LOT, min: 5 * LOT },
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
            |w| w.account.consideration = paid_of(w) - 1,
            Violation::PaidAboveAccount { paid, has: paid - 1 },
        ),
        (
            |w| w.request.remaining = w.filled() - 1,
            Violation::FillAboveRemaining { filled, remaining: filled - 1 },
        ),
        (
            |w| w.account.spent = w.mandate.amount_max - w.filled() + 1,
            Violation::EpochAboveMandate {
                filled,
                spent: mandate.amount_max - filled + 1,
                max: mandate.amount_max,
            },
        ),
        (
            |w| w.account.position = AMOUNT_END - w.filled(),
            Violation::PositionTooLarge { has: AMOUNT_END - filled, filled },
        ),
        // Ranges.
        (|w| w.mandate.amount_max = AMOUNT_END, range("mandate's maximum amount", AMOUNT_BITS)),
        (|w| w.mandate.slot_min = AMOUNT_END, range("mandate's slot minimum", AMOUNT_BITS)),
        (|w| w.mandate.lot = AMOUNT_END, range("mandate's lot", AMOUNT_BITS)),
        (|w| w.request.requested = AMOUNT_END, range("requested amount", AMOUNT_BITS)),
        (|w| w.request.remaining = AMOUNT_END, range("remaining amount", AMOUNT_BITS)),
        (|w| w.account.position = AMOUNT_END, range("position", AMOUNT_BITS)),
        (|w| w.account.consideration = AMOUNT_END, range("consideration", AMOUNT_BITS)),
        (|w| w.account.spent = AMOUNT_END, range("epoch's sum", AMOUNT_BITS)),
        (|w| w.account.epoch = TIME_END, range("account's epoch", TIME_BITS)),
        (|w| w.mandate.epoch_seconds = TIME_END, range("mandate's epoch", TIME_BITS)),
        (|w| w.round.premium_cap_bps = PREMIUM_BPS_END, range("premium cap", PREMIUM_BITS)),
        (
            |w| w.mandate.premium_bps_max = PREMIUM_BPS_END,
            range("mandate's maximum premium", PREMIUM_BITS),
        ),
        (|w| w.premium_bps = PREMIUM_BPS_END, range("premium", PREMIUM_BITS)),
        (|w| w.round.closed_at = TIME_END, range("close", TIME_BITS)),
        (|w| w.mandate.expiry = TIME_END, range("mandate's expiry", TIME_BITS)),
        (|w| w.mandate.deal.scale.up = 1 << 60, range("mandate's scale", SCALE_BITS)),
        (|w| w.mandate.deal.scale.down = 1 << 60, range("mandate's scale", SCALE_BITS)),
        (|w| w.mandate.deal.scale.down = 0, range("mandate's scale", SCALE_BITS)),
        (|w| w.slots[1].amount = AMOUNT_END, out("amount", AMOUNT_BITS)),
        (|w| w.slots[1].terms.fill_min = AMOUNT_END, out("minimum fill", AMOUNT_BITS)),
        (
            |w| w.slots[1].terms.premium_bps_min = PREMIUM_BPS_END,
            out("minimum premium", PREMIUM_BITS),
        ),
        (|w| w.slots[1].terms.expiry = TIME_END, out("expiry", TIME_BITS)),
    ];
    assert!(account.spent > 0 && amount >= fill, "the base is an ordinary one");
    for (tamper, violation) in rows {
        let mut witness = base.clone();
        tamper(&mut witness);
        replant(&mut witness);
        check(&witness, Err(*violation));
    }
}

#[test]
fn a_request_or_an_account_of_another_is_refused() {
    let mut witness = base(FULL);
    witness.request.mandate += Fr::one();
    check(&witness, Err(Violation::RequestMandate));
    // An account's holder is not among what the constraints see: they make it from the mandate, so it is the
    // commitment on chain that is another.
    type Row = (&'static str, fn(&mut account::Holder));
    let tampers: [Row; 4] = [
        ("venue", |holder| holder.venue += Fr::one()),
        ("issuer", |holder| holder.issuer += Fr::one()),
        ("collateral", |holder| holder.collateral_asset += Fr::one()),
        ("consideration", |holder| holder.consideration_asset += Fr::one()),
    ];
    for (field, tamper) in tampers {
        let mut witness = base(FULL);
        tamper(&mut witness.account.holder);
        assert_eq!(witness.statement(), Err(Violation::AccountForAnother { field }));
        let assignment = Assignment::of(&witness);
        let mut said = assignment.statement();
        assert_ne!(said.account_old, witness.account.commitment());
        said.account_old = witness.account.commitment();
        assert!(!subject().holds(Circuit::new(assignment, said.to_values())));
    }
}

#[test]
fn what_is_not_in_its_tree_is_refused() {
    let rows: [Row; 7] = [
        (|w| w.round.entry_root += Fr::one(), Violation::NotInTree { slot: 0 }),
        (|w| w.slots[1].in_venue = false, Violation::NotInTree { slot: 1 }),
        (|w| w.slots[2].terms.payout_owner += Fr::one(), Violation::NotInTree { slot: 2 }),
        (|w| w.slots[2].terms.fill_min = 0, Violation::NotInTree { slot: 2 }),
        (|w| w.round.order_root += Fr::one(), Violation::NotInOrderSet { slot: 0 }),
        (|w| w.slots[3].receipt += 1, Violation::NotInOrderSet { slot: 3 }),
        (|w| w.slots[3].place.index += 1, Violation::NotInOrderSet { slot: 3 }),
    ];
    for (tamper, violation) in rows {
        let mut witness = base(FULL);
        tamper(&mut witness);
        check(&witness, Err(violation));
    }
    // Where the leaves should go there are others, or the index is of another place.
    let mut witness = base(NONE);
    witness.path.index = 0;
    check(&witness, Err(Violation::NotEmpty { index: 0 }));
}

#[test]
fn an_empty_leaf_is_nobodys_note() {
    // Under the root 0, which no pool accepts, and under the empty tree's.
    for root in [Fr::zero(), zeros()[NOTE_DEPTH]] {
        let mut witness = base(FULL);
        let tree = Tree::new(NOTE_DEPTH);
        (witness.round.entry_root, witness.round.venue_root) = (root, root);
        witness.slots.iter_mut().for_each(|slot| slot.path = tree.path(3, 0));
        witness.path = tree.path(0, height(FEW));
        check(&witness, Err(Violation::NotInTree { slot: 0 }));
    }
}

#[test]
fn an_index_beyond_a_tree_is_refused() {
    let slot = 1;
    let rows: [Row; 3] = [
        (
            |w| w.slots[1].path.index += 1 << 32,
            Violation::SlotRange { slot, value: "leaf index", bits: 32 },
        ),
        (
            |w| w.slots[1].place.index += PLACES,
            Violation::SlotRange { slot, value: "place", bits: 10 },
        ),
        (|w| w.path.index += 1 << 28, Violation::Range { value: "subtree's index", bits: 28 }),
    ];
    for (tamper, violation) in rows {
        let mut witness = base(FULL);
        let honest = witness.statement().expect("satisfiable");
        tamper(&mut witness);
        assert_eq!(witness.statement(), Err(violation));
        // It has no digits in the circuit: there it is the index within the tree.
        let assignment = Assignment::of(&witness);
        assert_eq!(assignment.statement(), honest);
    }
}

#[test]
fn a_smaller_fill_than_a_slot_is_worth_may_end_a_request() {
    let mut witness = base(FULL);
    let slot = &mut witness.slots[1];
    (slot.fill, slot.terms.fill_min) = (LOT, 1);
    witness.request.remaining = witness.filled();
    replant(&mut witness);
    check(&witness, Ok(()));
    witness.request.remaining += 1;
    check(&witness, Err(Violation::FillBelowSlot { slot: 1, fill: LOT, min: 5 * LOT }));
}

#[test]
fn an_epochs_sum_is_of_all_its_requests_and_ends_with_it() {
    let mut witness = base(FULL);
    let (max, filled) = (witness.mandate.amount_max, witness.filled());
    witness.account.spent = max - filled;
    check(&witness, Ok(()));
    witness.account.spent += 1;
    check(&witness, Err(Violation::EpochAboveMandate { filled, spent: max - filled + 1, max }));
    witness.account.epoch -= 1;
    check(&witness, Ok(()));

    // The same epoch said to be another, to begin its sum anew.
    witness.account.epoch += 1;
    for delta in [Fr::one(), -Fr::one()] {
        let mut assignment = Assignment::of(&witness);
        assignment.epoch += delta;
        assert!(!subject().holds(circuit(&assignment)));
        assignment.epoch_passed -= delta * assignment.mandate.epoch_seconds;
        assert!(!subject().holds(circuit(&assignment)));
    }
}

#[test]
fn eighteen_decimals_and_six_settle_at_par_both_ways() {
    for (collateral, consideration) in [(6, 18), (18, 6)] {
        let mut witness = base(FULL);
        let scale = Scale::between(collateral, consideration).expect("near");
        witness.mandate.deal.scale = scale;
        witness.round.price = 100_000_000;
        (witness.mandate.price_min, witness.mandate.price_max) = (0, u64::MAX);
        witness.account.consideration = AMOUNT_END - 1;
        for slot in &mut witness.slots {
            (slot.terms.deal.scale, slot.terms.price_min, slot.terms.price_max) =
                (scale, 0, u64::MAX);
        }
        replant(&mut witness);
        check(&witness, Ok(()));
    }
}

#[test]
fn a_payout_beyond_2_112_is_refused() {
    let mut witness = base(FULL);
    witness.mandate.deal.scale = Scale { up: (1 << 60) - 1, down: 1 };
    witness.mandate.price_max = u64::MAX;
    witness.round.price = u64::MAX;
    for slot in &mut witness.slots {
        (slot.terms.deal.scale, slot.terms.price_max) = (witness.mandate.deal.scale, u64::MAX);
    }
    replant(&mut witness);
    check(&witness, Err(Violation::PayoutTooLarge { slot: 0 }));
}

#[test]
fn a_dummy_slot_cannot_carry_a_real_nullifier() {
    let witness = witness::<FEW>(8, TWO);
    let victim = Assignment::of(&self::witness::<FEW>(9, FULL));
    let stolen = victim.statement().nullifiers[0];
    let slot = witness.slots.iter().position(|slot| slot.fill == 0).expect("two are dummies");
    let mut assignment = Assignment::of(&witness);
    // With everything of the victim's but what a dummy must not have.
    assignment.slots[slot] = victim.slots[0].clone();
    let fill = &mut assignment.slots[slot].fill;
    (fill.amount, fill.fill, fill.lots, fill.payout) =
        (Fr::zero(), Fr::zero(), Fr::zero(), Fr::zero());
    assignment.lead(slot, &Path::dummy(NOTE_DEPTH), &Path::dummy(ORDER_DEPTH));
    assert!(subject().holds(circuit(&assignment)), "a dummy's secrets are free");
    let mut nullifiers = assignment.statement().nullifiers;
    nullifiers[slot] = stolen;
    let said = assignment.statement_under(nullifiers).to_values();
    assert!(!subject().holds(Circuit::new(assignment, said)));
}

#[test]
fn a_note_in_two_slots_has_one_nullifier() {
    let mut witness = base(FULL);
    witness.slots[3] = witness.slots[1].clone();
    witness.request.remaining = witness.request.remaining.max(witness.filled());
    witness.request.requested = witness.request.requested.max(witness.request.remaining);
    witness.account.consideration = paid_of(&witness);
    assert_eq!(witness.statement(), Err(Violation::NoteTwice { first: 1, second: 3 }));
    // The constraints leave it to the pool, which sees the same nullifier twice.
    let assignment = Assignment::of(&witness);
    assert!(subject().holds(circuit(&assignment)));
}

/// A round proven again with other fills: a mask over another plaintext is another, since the context covers
/// what fills depend on, and a note's nullifier is used up once.
#[test]
fn masks_differ_by_note_and_round() {
    let witness = base(FULL);
    let statement = witness.statement().expect("satisfiable");
    let mask = |statement: &Statement<Fr, FEW>, slot: usize, witness: &Witness<FEW>| {
        let result =
            results::result(Fr::from(witness.slots[slot].fill), Fr::from(witness.premium_bps));
        statement.results[slot] - result
    };
    let mut again = witness.clone();
    again.round.context += Fr::one();
    let other = again.statement().expect("satisfiable");
    let mut masks: Vec<_> = (0..FEW)
        .flat_map(|slot| [mask(&statement, slot, &witness), mask(&other, slot, &again)])
        .collect();
    masks.sort();
    masks.dedup();
    assert_eq!(masks.len(), 2 * FEW);
}

#[test]
fn every_value_is_constrained() {
    for shape in [FULL, TWO] {
        let assignment = Assignment::of(&base(shape));
        // The cap is an upper bound, and one more may do.
        subject().check_values(&assignment, &assignment.statement().to_values(), &[3]);
    }
}

#[test]
fn every_witness_field_is_constrained() {
    let honest = Assignment::of(&base(FULL));
    let values = honest.statement().to_values();
    let n_fields = fields(&mut honest.clone()).len();
    // Mandate, request, account, premium, epoch, slots, and of each path a digit and a child at three
    // levels.
    assert_eq!(n_fields, 15 + 6 + 5 + 3 + FEW * (9 + 7 + 6 + 6) + 6);
    for index in 0..n_fields {
        let mut tampered = honest.clone();
        let mut fields = fields(&mut tampered);
        let (name, field) = &mut fields[index];
        **field += Fr::one();
        let name = *name;
        assert!(!subject().holds(Circuit::new(tampered, values.clone())), "{name}");
    }
}

fn fields(assignment: &mut Assignment<FEW>) -> Vec<(&'static str, &mut Fr)> {
    let mut fields = Vec::new();
    let mut add = |name, field| fields.push((name, field));
    let Assignment {
        context: _,
        entry_root: _,
        venue_root: _,
        order_root: _,
        premium_cap_bps: _,
        price: _,
        closed_at: _,
        disclosure: _,
        venue: _,
        mandate,
        request,
        account,
        premium_bps,
        epoch,
        epoch_passed,
        slots,
        path,
    } = assignment;
    mandate.each_mut(&mut add);
    request.each_mut(&mut add);
    account.each_mut(&mut add);
    add("premium_bps", premium_bps);
    add("epoch", epoch);
    add("epoch_passed", epoch_passed);
    fn of_path<'a>(path: &'a mut PathFields, add: &mut impl FnMut(&'static str, &'a mut Fr)) {
        let levels = path.digits.len();
        let is_looked_at = |level: usize| [0, levels / 2, levels - 1].contains(&level);
        for (level, [_, high]) in path.digits.iter_mut().enumerate() {
            if is_looked_at(level) {
                add("digit", high);
            }
        }
        for (level, [.., last]) in path.children.iter_mut().enumerate() {
            if is_looked_at(level) {
                add("child", last);
            }
        }
    }
    for SlotFields { fill, terms, path, place } in slots {
        fill.each_mut(&mut add);
        terms.each_mut(&mut add);
        of_path(path, &mut add);
        of_path(place, &mut add);
    }
    of_path(path, &mut add);
    fields
}

/// Negative numbers are what a range is for. Everything else is made to fit: notes are back in the trees
/// and the outputs follow.
#[test]
fn no_integer_may_be_negative() {
    type Row = (&'static str, fn(&mut Assignment<FEW>) -> &mut Fr);
    let rows: &[Row] = &[
        ("cap", |a| &mut a.premium_cap_bps),
        ("price", |a| &mut a.price),
        ("close", |a| &mut a.closed_at),
        ("amount_max", |a| &mut a.mandate.amount_max),
        ("lot", |a| &mut a.mandate.lot),
        ("slot_min", |a| &mut a.mandate.slot_min),
        ("scale up", |a| &mut a.mandate.scale_up),
        ("scale down", |a| &mut a.mandate.scale_down),
        ("premium_bps_max", |a| &mut a.mandate.premium_bps_max),
        ("mandate price_min", |a| &mut a.mandate.price_min),
        ("mandate price_max", |a| &mut a.mandate.price_max),
        ("mandate expiry", |a| &mut a.mandate.expiry),
        ("epoch_seconds", |a| &mut a.mandate.epoch_seconds),
        ("requested", |a| &mut a.request.requested),
        ("remaining", |a| &mut a.request.remaining),
        ("gap_band", |a| &mut a.request.gap_band),
        ("position", |a| &mut a.account.position),
        ("consideration", |a| &mut a.account.consideration),
        ("account epoch", |a| &mut a.account.epoch),
        ("spent", |a| &mut a.account.spent),
        ("premium", |a| &mut a.premium_bps),
        ("epoch", |a| &mut a.epoch),
        ("epoch passed", |a| &mut a.epoch_passed),
        ("amount", |a| &mut a.slots[0].fill.amount),
        ("fill", |a| &mut a.slots[0].fill.fill),
        ("lots", |a| &mut a.slots[0].fill.lots),
        ("payout", |a| &mut a.slots[0].fill.payout),
        ("premium_bps_min", |a| &mut a.slots[0].terms.premium_bps_min),
        ("price_min", |a| &mut a.slots[0].terms.price_min),
        ("price_max", |a| &mut a.slots[0].terms.price_max),
        ("fill_min", |a| &mut a.slots[0].terms.fill_min),
        ("gap_band_max", |a| &mut a.slots[0].terms.gap_band_max),
        ("expiry", |a| &mut a.slots[0].terms.expiry),
    ];
    let honest = Assignment::of(&base(FULL));
    for (name, field) in rows {
        for value in [-Fr::one(), -Fr::from(AMOUNT_END)] {
            let mut assignment = honest.clone();
            *field(&mut assignment) = value;
            replant_fields(&mut assignment);
            assert!(!subject().holds(circuit(&assignment)), "{name}");
        }
    }
    let mut assignment = honest;
    replant_fields(&mut assignment);
    assert!(subject().holds(circuit(&assignment)), "put back it holds");
}

#[test]
fn no_wire_is_loose_and_what_is_chosen_determines_the_rest() {
    for shape in [FULL, TWO, Shape { filled: true, ..NONE }] {
        let witness = base(shape);
        let assignment = Assignment::of(&witness);
        let after = witness.request.remaining - witness.filled();
        // The hints of what is zero: fills, what remains, what is less than was asked for, and the
        // difference of epochs.
        let n_zero = FEW - shape.n_fills
            + usize::from(after == 0)
            + usize::from(after == witness.request.requested)
            + 1;
        assert_eq!(subject().n_loose(circuit(&assignment)), n_zero, "{shape:?}");
        // Mandate, what was and what becomes of request and account, status, the venue's roots, index, and
        // everything of slots and issuer.
        let slots = SHARED_VALUES..SHARED_VALUES + SLOT_VALUES * FEW;
        let made: Vec<_> = [2, 7, 8, 9, 10, 11, 13, 14, 15, 17].into_iter().chain(slots).collect();
        assert_eq!(subject().n_free(circuit(&assignment), &made), n_zero, "{shape:?}");
    }
}

fn paid_of<const N: usize>(witness: &Witness<N>) -> u128 {
    witness.payouts_ceil().iter().map(|payout| payout.unwrap_or(0)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The two relations say the same of a random round with up to two random changes, some of which are
    /// put back into the trees.
    #[test]
    fn plain_rust_and_constraints_agree(
        seed: u64,
        n_fills in 0..=FEW,
        filled: bool,
        tampers in proptest::collection::vec((0..TAMPERS.len(), 0..FEW, -2_i8..=2), 0..3),
        back_into_the_tree: bool,
    ) {
        let shape = Shape { n_fills, filled, disclosure: Disclosure::Sealed };
        let mut witness = witness::<FEW>(seed, shape);
        for (tamper, slot, delta) in tampers {
            TAMPERS[tamper](&mut witness, slot, delta);
        }
        if back_into_the_tree {
            replant(&mut witness);
        }
        let assignment = Assignment::of(&witness);
        let statement = assignment.statement();
        // Terms bring no deal into the circuit, which takes the mandate's: under another they are another note.
        let deal = witness.mandate.deal;
        for slot in &mut witness.slots {
            slot.terms.deal = deal;
        }
        let native = match witness.statement() {
            Err(Violation::NoteTwice { .. }) => Ok(statement),
            other => other,
        };
        prop_assert_eq!(native.is_ok(), subject().holds(circuit(&assignment)), "{:?}", native);
        if let Ok(native) = native {
            prop_assert_eq!(native, statement);
        }
    }
}

type Tamper = fn(&mut Witness<FEW>, usize, i8);

/// Small changes that move a witness onto, over or back from the edge of some rule.
const TAMPERS: &[Tamper] = &[
    |w, _, d| w.round.premium_cap_bps = w.premium_bps.saturating_add_signed(d.into()),
    |w, _, d| w.round.price = w.round.price.saturating_add_signed(d.into()),
    |w, _, d| w.round.closed_at = w.mandate.expiry.saturating_add_signed(d.into()),
    |w, _, d| w.round.context += Fr::from(d),
    |w, _, d| w.round.entry_root += Fr::from(d),
    |w, _, d| w.round.venue_root += Fr::from(d),
    |w, _, d| w.round.order_root += Fr::from(d),
    |w, _, d| w.mandate.amount_max = w.request.requested.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.amount_max = (w.account.spent + w.filled()).saturating_add_signed(d.into()),
    |w, _, d| w.mandate.premium_bps_max = w.premium_bps.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.price_min = w.round.price.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.price_max = w.round.price.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.epoch_seconds = u64::from(d.unsigned_abs()),
    |w, _, d| w.mandate.epoch_seconds = w.round.closed_at.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.lot = u128::from(d.unsigned_abs()),
    |w, _, d| w.mandate.lot = LOT.saturating_add_signed(d.into()),
    |w, s, d| w.mandate.slot_min = w.slots[s].fill.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.deal.scale.up = w.mandate.deal.scale.up.saturating_add_signed(d.into()),
    |w, _, d| w.mandate.deal.scale.down = u64::from(d.unsigned_abs()),
    |w, _, d| w.mandate.deal.instrument += Fr::from(d),
    |w, _, d| w.mandate.salt += Fr::from(d),
    |w, _, d| w.request.requested = w.request.remaining.saturating_add_signed(d.into()),
    |w, _, d| w.request.remaining = w.filled().saturating_add_signed(d.into()),
    |w, _, d| w.request.gap_band = w.request.gap_band.saturating_add_signed(d),
    |w, _, d| w.request.salt += Fr::from(d),
    |w, _, d| {
        w.account.position = AMOUNT_END.saturating_sub(w.filled()).saturating_add_signed(d.into())
    },
    |w, _, d| w.account.consideration = paid_of(w).saturating_add_signed(d.into()),
    |w, _, d| {
        w.account.spent =
            (w.mandate.amount_max.saturating_sub(w.filled())).saturating_add_signed(d.into())
    },
    |w, _, d| w.account.epoch = w.account.epoch.saturating_add_signed(d.into()),
    |w, _, d| w.premium_bps = w.premium_bps.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].amount = w.slots[s].fill.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].fill = w.slots[s].fill.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].fill = w.slots[s].fill.saturating_add_signed(i128::from(d) * 1_000),
    |w, s, d| w.slots[s].fill = w.slots[s].terms.fill_min.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].terms.price_min = w.round.price.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].terms.price_max = w.round.price.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].terms.expiry = w.round.closed_at.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].terms.gap_band_max = w.request.gap_band.saturating_add_signed(d),
    |w, s, d| {
        w.slots[s].terms.premium_bps_min = w.premium_bps.saturating_add_signed(d.into());
    },
    |w, s, d| w.slots[s].terms.payout_owner += Fr::from(d),
    |w, s, d| w.slots[s].terms.deal.venue += Fr::from(d),
    |w, s, d| w.slots[s].rho += Fr::from(d),
    |w, s, _| w.slots[s].in_venue = !w.slots[s].in_venue,
    |w, s, d| w.slots[s].path.index = w.slots[s].path.index.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].place.index = w.slots[s].place.index.saturating_add_signed(d.into()),
    |w, s, d| w.slots[s].receipt = w.slots[s].receipt.saturating_add_signed(d.into()),
    |w, s, _| w.slots[s] = Slot::dummy(&[1; 32]),
    |w, s, _| w.slots[s] = w.slots[(s + 1) % FEW].clone(),
    |w, _, d| w.path.index = w.path.index.saturating_add_signed(d.into()),
];
