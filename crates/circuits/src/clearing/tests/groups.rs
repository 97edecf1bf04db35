//! Which group of constraints refuses what: each is needed, or says why it is not.
//!
//! A group is dropped by not looking at its rows. The forged witness beside it breaks these and no
//! others, so that without the group it would be proven. [`layout`] says which rows are whose, in the
//! order of synthesis: a constraint that is added to the circuit and not to the layout, or to no case,
//! fails here.
//!
//! Arithmetic on the way to a rule (hashes, products, selections) is counted with its rule. That none
//! of those wires is free is what `what_is_chosen_determines_every_other_wire` says.

use core::ops::Range;

use super::*;

/// Rows of one rule. A rule that is written in several places has a group each, of one name.
struct Group {
    name: &'static str,
    slot: Option<usize>,
    rows: Range<usize>,
}

/// A forged witness, and what is published with it.
enum Forged {
    /// Notes are put back into the tree and the statement follows from the witness.
    Replanted(Shape, fn(&mut Assignment, usize)),
    /// The statement follows, the tree stays.
    InPlace(Shape, fn(&mut Assignment, usize)),
    /// The witness is forged, the statement that of the honest one.
    Behind(fn(&mut Assignment, usize)),
    /// The statement is forged, the witness honest.
    Said(fn(&mut Statement, usize)),
    /// Every slot fills this much at 10⁸ and one basis point, whatever its note had; then as in place.
    Priced(u128, fn(&mut Assignment, usize)),
}

/// Why a group is there.
enum Why {
    /// Nothing else refuses this.
    Needed(Forged),
    /// Others refuse what it refuses, the case as an example, for the reason given. It stays because
    /// the reason spans several rules, and a range costs little.
    Implied(&'static str, Forged),
}

use Forged::{Behind, InPlace, Priced, Replanted, Said};
use Why::{Implied, Needed};

const NONE: Shape = Shape { n_fills: 0, filled: false, disclosure: Disclosure::Immediate };

/// One row a rule, in the order of synthesis; of rules in slots, once for all four.
const CASES: &[(&str, Why)] = &[
    (
        "cap is in range",
        Needed(InPlace(FOUR, |a, _| a.premium_cap_bps = Fr::from(PREMIUM_BPS_END))),
    ),
    (
        "price is in range",
        Implied("it is between two bounds that are", InPlace(FOUR, |a, _| a.price = -Fr::one())),
    ),
    ("close is in range", Needed(InPlace(FOUR, |a, _| a.closed_at = -Fr::one()))),
    ("disclosure is 0 or 1", Needed(InPlace(FOUR, |a, _| a.disclosure = Fr::from(2)))),
    ("mandate opens", Needed(Behind(|a, _| a.mandate.salt += Fr::one()))),
    (
        "maximum amount is in range",
        Needed(Replanted(FOUR, |a, _| a.mandate.amount_max = Fr::from(AMOUNT_END))),
    ),
    (
        "maximum premium is in range",
        Needed(Replanted(FOUR, |a, _| a.mandate.premium_bps_max = Fr::from(PREMIUM_BPS_END))),
    ),
    (
        "mandate's lowest price is in range",
        Needed(Replanted(FOUR, |a, _| a.mandate.price_min = -Fr::one())),
    ),
    (
        "mandate's highest price is in range",
        Needed(Replanted(FOUR, |a, _| a.mandate.price_max = Fr::from(1_u128 << PRICE_BITS))),
    ),
    (
        "mandate's expiry is in range",
        Needed(Replanted(FOUR, |a, _| a.mandate.expiry = Fr::from(TIME_END))),
    ),
    (
        "price is not below the mandate's",
        Needed(Replanted(FOUR, |a, _| a.mandate.price_min = a.price + Fr::one())),
    ),
    (
        "price is not above the mandate's",
        Needed(Replanted(FOUR, |a, _| a.mandate.price_max = a.price - Fr::one())),
    ),
    (
        "mandate has not expired",
        Needed(Replanted(FOUR, |a, _| a.mandate.expiry = a.closed_at - Fr::one())),
    ),
    // A fill's terms have a minimum that is in range, so that it takes a round without fills.
    ("premium is in range", Needed(InPlace(NONE, |a, _| a.premium_bps = -Fr::one()))),
    (
        "premium is not above the cap",
        Needed(InPlace(FOUR, |a, _| a.premium_cap_bps = a.premium_bps - Fr::one())),
    ),
    (
        "premium is not above the mandate's",
        Needed(Replanted(FOUR, |a, _| a.mandate.premium_bps_max = a.premium_bps - Fr::one())),
    ),
    ("request opens", Needed(Said(|s, _| s.request_old += Fr::one()))),
    ("request is under the mandate", Needed(InPlace(FOUR, |a, _| a.request.mandate += Fr::one()))),
    (
        "request is for the mandate's instrument",
        Needed(InPlace(FOUR, |a, _| a.request.instrument += Fr::one())),
    ),
    (
        "gap band is in range",
        Needed(InPlace(NONE, |a, _| a.request.gap_band = Fr::from(1 << GAP_BAND_BITS))),
    ),
    (
        "requested amount is in range",
        Implied(
            "it is at least what remains and at most the mandate's maximum, both in range",
            InPlace(FOUR, |a, _| a.request.requested = Fr::from(AMOUNT_END)),
        ),
    ),
    (
        "remaining amount is in range",
        Implied(
            "it is at least the sum of the fills and at most what was requested, both in range",
            InPlace(FOUR, |a, _| a.request.remaining = -Fr::one()),
        ),
    ),
    (
        "request is not above the mandate's maximum",
        Needed(Replanted(FOUR, |a, _| a.mandate.amount_max = a.request.requested - Fr::one())),
    ),
    (
        "no more remains than was requested",
        Needed(InPlace(FOUR, |a, _| a.request.requested = a.request.remaining - Fr::one())),
    ),
    ("position opens", Needed(Said(|s, _| s.position_old += Fr::one()))),
    (
        "position is of the mandate's issuer",
        Needed(InPlace(FOUR, |a, _| a.position.issuer += Fr::one())),
    ),
    ("position is in range", Needed(InPlace(FOUR, |a, _| a.position.amount = -Fr::one()))),
    // 10⁸ · 10001 = 10¹² + 10⁸: one unit costs two, and one is too little by 10⁸.
    ("payout is not too small", Needed(Priced(1, |a, s| a.slots[s].payout -= Fr::one()))),
    (
        "slot is real or not",
        Implied(
            "what it multiplies: a fill is 0 where it is not 1, and then it is 0 like the fill",
            InPlace(FOUR, |a, s| a.slots[s].real = Fr::from(2)),
        ),
    ),
    (
        "note's amount is in range",
        Needed(Replanted(FOUR, |a, s| a.slots[s].note.amount = Fr::from(AMOUNT_END))),
    ),
    (
        "fill is in range",
        Implied(
            "it is 0 in a dummy, else at least the terms' minimum and at most the note, both in range",
            Replanted(FOUR, |a, s| a.slots[s].fill = -Fr::one()),
        ),
    ),
    (
        "fill is not above the note",
        Needed(Replanted(FOUR, |a, s| a.slots[s].note.amount = a.slots[s].fill - Fr::one())),
    ),
    ("dummy's note is empty", Needed(InPlace(NONE, |a, s| a.slots[s].note.amount = Fr::from(5)))),
    (
        "dummy's fill is empty",
        Implied(
            "its note is, and a fill is not above its note",
            InPlace(NONE, |a, s| a.slots[s].fill = Fr::from(5)),
        ),
    ),
    (
        "minimum premium is in range",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.premium_bps_min = -Fr::one())),
    ),
    (
        "lowest price is in range",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.price_min = -Fr::one())),
    ),
    (
        "highest price is in range",
        Needed(Replanted(FOUR, |a, s| {
            a.slots[s].terms.price_max = Fr::from(1_u128 << PRICE_BITS);
        })),
    ),
    (
        "minimum fill is in range",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.fill_min = -Fr::one())),
    ),
    (
        "highest gap band is in range",
        Needed(Replanted(FOUR, |a, s| {
            a.request.gap_band = Fr::one();
            a.slots.iter_mut().for_each(|slot| slot.terms.gap_band_max = Fr::one());
            a.slots[s].terms.gap_band_max = Fr::from(1 << GAP_BAND_BITS);
        })),
    ),
    (
        "expiry is in range",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.expiry = Fr::from(TIME_END))),
    ),
    (
        "terms are for the issuer",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.issuer += Fr::one())),
    ),
    (
        "terms are for the instrument",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.instrument += Fr::one())),
    ),
    (
        "terms are for the consideration",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.consideration_asset += Fr::one())),
    ),
    (
        "terms are for the pool",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.pool_id += Fr::one())),
    ),
    (
        "real fill is not 0",
        Needed(Replanted(FOUR, |a, s| {
            a.slots[s].terms.fill_min = Fr::zero();
            a.slots[s].fill = Fr::zero();
            a.slots[s].payout = Fr::zero();
        })),
    ),
    (
        "fill is not below the minimum",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.fill_min = a.slots[s].fill + Fr::one())),
    ),
    (
        "premium is not below the minimum",
        Needed(Replanted(FOUR, |a, s| {
            a.slots[s].terms.premium_bps_min = a.premium_bps + Fr::one();
        })),
    ),
    (
        "price is not below the lowest",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.price_min = a.price + Fr::one())),
    ),
    (
        "price is not above the highest",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.price_max = a.price - Fr::one())),
    ),
    (
        "gap band is not above the highest",
        Needed(Replanted(FOUR, |a, s| {
            a.request.gap_band = Fr::from(9);
            a.slots.iter_mut().for_each(|slot| slot.terms.gap_band_max = Fr::from(9));
            a.slots[s].terms.gap_band_max = Fr::from(8);
        })),
    ),
    (
        "terms have not expired",
        Needed(Replanted(FOUR, |a, s| a.slots[s].terms.expiry = a.closed_at - Fr::one())),
    ),
    // Payouts that are no integers, whose sum is one: slack moves from one slot to the next. A single
    // one would be caught by what the consideration note has.
    (
        "payout is in range",
        Needed(InPlace(FOUR, |a, s| {
            let unit = Fr::from(PAYOUT_SCALE).inverse().expect("not 0");
            a.slots[s].payout += unit;
            a.slots[(s + 1) % SLOTS].payout -= unit;
        })),
    ),
    // 10⁴ · (10¹² + 10⁸) divides exactly, and one more is too much by 10¹².
    ("payout is not too large", Needed(Priced(10_000, |a, s| a.slots[s].payout += Fr::one()))),
    ("note is in the tree", Needed(InPlace(FOUR, |a, s| a.slots[s].note.rho += Fr::one()))),
    ("nullifier is the note's", Needed(Said(|s, slot| s.nullifiers[slot] += Fr::one()))),
    ("payout note holds the payout", Needed(Said(|s, slot| s.payouts[slot] += Fr::one()))),
    ("change note holds the change", Needed(Said(|s, slot| s.changes[slot] += Fr::one()))),
    (
        "consideration is in range",
        Needed(Replanted(FOUR, |a, _| a.consideration.amount = Fr::from(AMOUNT_END))),
    ),
    (
        "consideration pays for the payouts",
        Needed(Replanted(FOUR, |a, _| {
            a.consideration.amount = a.slots.iter().map(|slot| slot.payout).sum::<Fr>() - Fr::one();
        })),
    ),
    (
        "consideration is in the tree",
        Needed(InPlace(FOUR, |a, _| a.consideration.rho += Fr::one())),
    ),
    (
        "consideration's nullifier is its note's",
        Needed(Said(|s, _| s.consideration_nullifier += Fr::one())),
    ),
    ("rest is minted again", Needed(Said(|s, _| s.consideration_change += Fr::one()))),
    (
        "fills are not above what remains",
        Needed(InPlace(FOUR, |a, _| {
            a.request.remaining = a.slots.iter().map(|slot| slot.fill).sum::<Fr>() - Fr::one();
        })),
    ),
    ("request is debited", Needed(Said(|s, _| s.request_new += Fr::one()))),
    (
        "position has room",
        Needed(InPlace(FOUR, |a, _| {
            a.position.amount =
                Fr::from(AMOUNT_END) - a.slots.iter().map(|slot| slot.fill).sum::<Fr>();
        })),
    ),
    ("position is credited", Needed(Said(|s, _| s.position_new += Fr::one()))),
    ("status is said", Needed(Said(|s, _| s.status += Fr::one()))),
];

/// The circuit's rows, all of them, in the order of synthesis.
fn layout() -> Vec<Group> {
    let range = |bits: u32| bits as usize + 1;
    // Beside the tag; a constant among them saves its first S-box.
    let hash = |n: usize| [237, 258, 294, 318, 351, 378][n - 1];
    let with_constant = |n: usize| hash(n) - 3;
    let (compress, commit) = (216, 2 * 216);
    let owner = hash(1) + hash(2);
    let two_tiers = hash(5) + hash(6) + hash(2);
    let path = DEPTH * (1 + 1 + compress);

    let mut groups = Vec::<Group>::new();
    let mut add = |slot, parts: &[(&'static str, usize)]| {
        for (name, n_rows) in parts {
            let from = groups.last().map_or(0, |group| group.rows.end);
            groups.push(Group { name, slot, rows: from..from + n_rows });
        }
    };
    add(
        None,
        &[
            ("cap is in range", range(PREMIUM_BITS)),
            ("price is in range", range(PRICE_BITS)),
            ("close is in range", range(TIME_BITS)),
            ("disclosure is 0 or 1", 1),
            ("mandate opens", two_tiers + 1),
            ("maximum amount is in range", range(AMOUNT_BITS)),
            ("maximum premium is in range", range(PREMIUM_BITS)),
            ("mandate's lowest price is in range", range(PRICE_BITS)),
            ("mandate's highest price is in range", range(PRICE_BITS)),
            ("mandate's expiry is in range", range(TIME_BITS)),
            ("price is not below the mandate's", range(PRICE_BITS)),
            ("price is not above the mandate's", range(PRICE_BITS)),
            ("mandate has not expired", range(TIME_BITS)),
            ("premium is in range", range(PREMIUM_BITS)),
            ("premium is not above the cap", range(PREMIUM_BITS)),
            ("premium is not above the mandate's", range(PREMIUM_BITS)),
            ("request opens", hash(6) + 1),
            ("request is under the mandate", 1),
            ("request is for the mandate's instrument", 1),
            ("gap band is in range", range(GAP_BAND_BITS)),
            ("requested amount is in range", range(AMOUNT_BITS)),
            ("remaining amount is in range", range(AMOUNT_BITS)),
            ("request is not above the mandate's maximum", range(AMOUNT_BITS)),
            ("no more remains than was requested", range(AMOUNT_BITS)),
            ("position opens", hash(3) + 1),
            ("position is of the mandate's issuer", 1),
            ("position is in range", range(AMOUNT_BITS)),
            // The rate: price times premium.
            ("payout is not too small", 1),
        ],
    );
    for slot in 0..SLOTS {
        add(
            Some(slot),
            &[
                ("slot is real or not", 1),
                ("note's amount is in range", range(AMOUNT_BITS)),
                ("fill is in range", range(AMOUNT_BITS)),
                ("fill is not above the note", range(AMOUNT_BITS)),
                ("dummy's note is empty", 1),
                ("dummy's fill is empty", 1),
                ("minimum premium is in range", range(PREMIUM_BITS)),
                ("lowest price is in range", range(PRICE_BITS)),
                ("highest price is in range", range(PRICE_BITS)),
                ("minimum fill is in range", range(AMOUNT_BITS)),
                ("highest gap band is in range", range(GAP_BAND_BITS)),
                ("expiry is in range", range(TIME_BITS)),
                ("terms are for the issuer", 1),
                ("terms are for the instrument", 1),
                ("terms are for the consideration", 1),
                ("terms are for the pool", 1),
                ("real fill is not 0", 1),
                ("fill is not below the minimum", range(AMOUNT_BITS)),
                ("premium is not below the minimum", range(PREMIUM_BITS)),
                ("price is not below the lowest", range(PRICE_BITS)),
                ("price is not above the highest", range(PRICE_BITS)),
                ("gap band is not above the highest", range(GAP_BAND_BITS)),
                ("terms have not expired", range(TIME_BITS)),
                ("payout is in range", range(AMOUNT_BITS)),
                // Fill times rate, and what it leaves.
                ("payout is not too small", 1 + range(SLACK_BITS)),
                ("payout is not too large", range(SLACK_BITS)),
                ("note is in the tree", owner + two_tiers + hash(3) + commit + path + 1),
                // Two selections, and the tag is one more.
                ("nullifier is the note's", 2 + hash(3) + 3 + 1),
                ("payout note holds the payout", with_constant(3) + with_constant(3) + commit + 1),
                ("change note holds the change", with_constant(3) + hash(3) + commit + 1),
            ],
        );
    }
    add(
        None,
        &[
            ("consideration is in the tree", owner),
            ("consideration is in range", range(AMOUNT_BITS)),
            ("consideration pays for the payouts", range(AMOUNT_BITS)),
            ("consideration is in the tree", hash(3) + commit + path + 1),
            ("consideration's nullifier is its note's", hash(3) + 1),
            ("rest is minted again", with_constant(3) + hash(3) + commit + 1),
            ("fills are not above what remains", range(AMOUNT_BITS)),
            ("request is debited", hash(2) + hash(6) + 1),
            ("position has room", range(AMOUNT_BITS)),
            ("position is credited", hash(2) + hash(3) + 1),
            // Two rows each to tell whether something is zero, and the product of what they tell.
            ("status is said", 2 + 2 + 1 + hash(2) + compress + 1),
        ],
    );
    groups
}

#[test]
fn every_constraint_is_in_a_group_and_every_group_has_a_case() {
    let groups = layout();
    assert_eq!(groups.last().expect("some").rows.end, circuit().n_constraints());
    let mut names: Vec<_> = groups.iter().map(|group| group.name).collect();
    let mut cases: Vec<_> = CASES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    cases.sort_unstable();
    assert_eq!(names, cases);
}

#[test]
fn no_group_of_constraints_can_be_dropped_unless_others_imply_it() {
    let groups = layout();
    // Rules in slots take turns with the slots.
    for (slot, (name, why)) in (0..SLOTS).cycle().zip(CASES) {
        let (Needed(forged) | Implied(_, forged)) = why;
        let broken = broken(&groups, forged, slot);
        let (own, others): (Vec<_>, Vec<_>) =
            broken.into_iter().partition(|group| group.0 == *name);
        assert!(!own.is_empty(), "{name}: the case is in order, or another's, {others:?}");
        match why {
            Needed(_) => assert!(others.is_empty(), "{name}: also refused by {others:?}"),
            Implied(why, _) => assert!(!others.is_empty(), "{name}: needed, and not since {why}"),
        }
    }
}

/// The groups that refuse what is forged, each once a slot.
fn broken(groups: &[Group], forged: &Forged, slot: usize) -> Vec<(&'static str, Option<usize>)> {
    let honest = |shape| Assignment::of(&witness_of(7, shape));
    let (assignment, statement) = match forged {
        Replanted(shape, forge) => {
            let mut assignment = honest(*shape);
            forge(&mut assignment, slot);
            replant_fields(&mut assignment);
            let statement = assignment.statement();
            (assignment, statement)
        }
        InPlace(shape, forge) => {
            let mut assignment = honest(*shape);
            forge(&mut assignment, slot);
            let statement = assignment.statement();
            (assignment, statement)
        }
        Behind(forge) => {
            let mut assignment = honest(FOUR);
            let statement = assignment.statement();
            forge(&mut assignment, slot);
            (assignment, statement)
        }
        Said(forge) => {
            let assignment = honest(FOUR);
            let mut statement = assignment.statement();
            forge(&mut statement, slot);
            (assignment, statement)
        }
        Priced(fill, forge) => {
            let mut assignment = Assignment::of(&priced(*fill));
            forge(&mut assignment, slot);
            let statement = assignment.statement();
            (assignment, statement)
        }
    };
    let values = assign(Clearing { assignment, statement });
    let r1cs = circuit();
    let is_broken = |row: &usize| {
        let [a, b, c] = [&r1cs.a, &r1cs.b, &r1cs.c].map(|matrix| evaluate(&matrix[*row], &values));
        a * b != c
    };
    let broken = groups.iter().filter(|group| group.rows.clone().any(|row| is_broken(&row)));
    broken.map(|group| (group.name, group.slot)).collect()
}

/// An honest witness whose slots all fill as much, at 10⁸ and one basis point.
fn priced(fill: u128) -> Witness {
    let mut witness = witness_of(7, FOUR);
    witness.premium_bps = 1;
    witness.round.price = 100_000_000;
    (witness.mandate.price_min, witness.mandate.price_max) = (0, u64::MAX);
    for slot in &mut witness.slots {
        (slot.amount, slot.fill) = (fill, fill);
        let Terms { price_min, price_max, premium_bps_min, fill_min, .. } = &mut slot.terms;
        (*price_min, *price_max, *premium_bps_min, *fill_min) = (0, u64::MAX, 0, fill);
    }
    witness.request.mandate = witness.mandate.commitment();
    replant(&mut witness);
    check(&witness, Ok(()));
    witness
}
