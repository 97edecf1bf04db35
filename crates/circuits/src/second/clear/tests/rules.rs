//! What refuses what: each rule is needed, or says why it is not.

use ark_ff::Field;
use pool::second::{fold::INPUTS, tree::ARITY};

use super::{
    super::super::check::{
        Case,
        Why::{Implied, Needed},
    },
    *,
};

type Forged = Circuit<Assignment<FEW>>;

/// Notes and orders are put back into their trees and the statement follows from the witness.
fn replanted(shape: Shape, forge: impl Fn(&mut Assignment<FEW>)) -> Forged {
    in_place(shape, |assignment| {
        forge(assignment);
        replant_fields(assignment);
    })
}

/// The statement follows, the trees stay.
fn in_place(shape: Shape, forge: impl Fn(&mut Assignment<FEW>)) -> Forged {
    let mut assignment = Assignment::of(&base(shape));
    forge(&mut assignment);
    circuit(&assignment)
}

/// The witness is forged, the statement that of the honest one.
fn behind(forge: impl Fn(&mut Assignment<FEW>)) -> Forged {
    let mut assignment = Assignment::of(&base(FULL));
    let values = assignment.statement().to_values();
    forge(&mut assignment);
    Circuit::new(assignment, values)
}

/// The statement is forged, the witness honest; but for the root after, which follows the leaves.
fn said(shape: Shape, forge: impl Fn(&mut Statement<Fr, FEW>)) -> Forged {
    let assignment = Assignment::of(&base(shape));
    let mut statement = assignment.statement();
    let leaves = statement.leaves();
    forge(&mut statement);
    if statement.leaves() != leaves {
        statement.venue_root_after = assignment.root_after(&statement.leaves());
    }
    Circuit::new(assignment, statement.to_values())
}

/// A nullifier is forged, and everything that is drawn from it follows.
fn nullified(slot: usize) -> Forged {
    let assignment = Assignment::of(&base(FULL));
    let mut nullifiers = assignment.statement().nullifiers;
    nullifiers[slot] += Fr::one();
    let values = assignment.statement_under(nullifiers).to_values();
    Circuit::new(assignment, values)
}

/// Every slot fills this much at 10⁸ and one basis point, at par and in lots of one, whatever its note had.
fn priced(fill: u128, forge: impl Fn(&mut Assignment<FEW>)) -> Forged {
    let mut witness = base(FULL);
    witness.premium_bps = 1;
    witness.round.price = 100_000_000;
    let mandate = &mut witness.mandate;
    (mandate.price_min, mandate.price_max, mandate.lot, mandate.slot_min) = (0, u64::MAX, 1, 1);
    mandate.deal.scale = Scale::PAR;
    for slot in &mut witness.slots {
        (slot.amount, slot.fill) = (fill, fill);
        slot.terms.deal = mandate.deal;
        let Terms { price_min, price_max, premium_bps_min, fill_min, .. } = &mut slot.terms;
        (*price_min, *price_max, *premium_bps_min, *fill_min) = (0, u64::MAX, 0, fill);
    }
    replant(&mut witness);
    check(&witness, Ok(()));
    let mut assignment = Assignment::of(&witness);
    forge(&mut assignment);
    circuit(&assignment)
}

fn folded(forge: impl Fn(&mut [Fr; INPUTS])) -> Forged {
    let mut circuit = in_place(FULL, |_| ());
    forge(&mut circuit.inputs);
    circuit
}

/// A low digit of 5, and a high one that with it selects `through` among `children` all the same.
fn digits([a, b, c, d]: [Fr; ARITY], through: Fr) -> [Fr; 2] {
    let low = Fr::from(5);
    let (left, right) = (a + low * (b - a), c + low * (d - c));
    [low, (through - left) * (right - left).inverse().expect("not 0")]
}

/// The only order, at a place that is none: the set is the enclave's own, so it can make its children fit.
fn out_of_place(assignment: &mut Assignment<FEW>) {
    let is_filled = |slot: &SlotFields| !slot.fill.fill.is_zero();
    let slot = assignment.slots.iter().position(is_filled).expect("one is");
    let (level, low, high) = (2, Fr::from(5), Fr::from(7));
    assignment.slots[slot].place.digits[level] = [low, high];
    let mut through = assignment.order(slot);
    for (at, children) in assignment.slots[slot].place.children.iter_mut().enumerate() {
        if at == level {
            let [a, b, c] = [1, 2, 3].map(Fr::from);
            let left = a + low * (b - a);
            let right = left + (through - left) * high.inverse().expect("not 0");
            *children = [a, b, c, c + (right - c) * low.inverse().expect("not 0")];
        } else {
            // The order is at place 1: the lowest digit is 1, those above are 0.
            children[usize::from(at == 0)] = through;
        }
        through = node(*children);
    }
    assignment.order_root = through;
}

/// A root of the prover's own, reached by a bit that is none.
fn own_root(assignment: &mut Assignment<FEW>, slot: usize) {
    let (entry, venue) = (assignment.entry_root, assignment.venue_root);
    let mut tree = Tree::new(NOTE_DEPTH);
    let leaf = assignment.commitment(slot);
    tree.append(&[Fr::from(3), leaf], 1).expect("room");
    let slot = &mut assignment.slots[slot];
    slot.path = PathFields::of(&tree.path(1, 0), leaf);
    slot.fill.in_venue = (tree.root() - entry) * (venue - entry).inverse().expect("not 0");
}

const CASES: &[Case<Assignment<FEW>>] = &[
    ("digest is of the values", Needed, |_| folded(|inputs| inputs[0] += Fr::one())),
    ("sum is of the values", Needed, |_| folded(|inputs| inputs[2] += Fr::one())),
    ("cap is in range", Needed, |_| {
        in_place(FULL, |a| a.premium_cap_bps = Fr::from(PREMIUM_BPS_END))
    }),
    ("price is in range", Implied("as it is between two bounds that are"), |_| {
        in_place(FULL, |a| a.price = -Fr::one())
    }),
    (
        "close is in range",
        Implied("as it is so many epochs that are, and not past the expiry"),
        |_| in_place(FULL, |a| a.closed_at = -Fr::one()),
    ),
    ("disclosure is 0 or 1", Needed, |_| in_place(FULL, |a| a.disclosure = Fr::from(2))),
    // Without fills, so that no payout moves with it.
    ("mandate's scale is in range", Needed, |_| {
        replanted(NONE, |a| a.mandate.scale_down = Fr::from(1_u64 << SCALE_BITS))
    }),
    ("mandate's maximum premium is in range", Needed, |_| {
        replanted(FULL, |a| a.mandate.premium_bps_max = Fr::from(PREMIUM_BPS_END))
    }),
    ("mandate's lowest price is in range", Needed, |_| {
        replanted(FULL, |a| a.mandate.price_min = -Fr::one())
    }),
    ("mandate's highest price is in range", Needed, |_| {
        replanted(FULL, |a| a.mandate.price_max = Fr::from(1_u128 << PRICE_BITS))
    }),
    ("mandate's expiry is in range", Needed, |_| {
        replanted(FULL, |a| a.mandate.expiry = Fr::from(TIME_END))
    }),
    ("mandate's epoch is in range", Needed, |_| {
        replanted(FULL, |a| {
            a.mandate.epoch_seconds = Fr::from(TIME_END);
            (a.epoch, a.epoch_passed) = (Fr::zero(), a.closed_at);
        })
    }),
    ("mandate's maximum amount is in range", Needed, |_| {
        replanted(FULL, |a| a.mandate.amount_max = Fr::from(AMOUNT_END))
    }),
    ("mandate's lot is in range", Needed, |_| {
        replanted(NONE, |a| a.mandate.lot = Fr::from(AMOUNT_END))
    }),
    ("mandate's slot minimum is in range", Needed, |_| {
        replanted(FULL, |a| a.mandate.slot_min = -Fr::one())
    }),
    ("mandate opens", Needed, |_| behind(|a| a.mandate.salt += Fr::one())),
    ("price is not below the mandate's", Needed, |_| {
        replanted(FULL, |a| a.mandate.price_min = a.price + Fr::one())
    }),
    ("price is not above the mandate's", Needed, |_| {
        replanted(FULL, |a| a.mandate.price_max = a.price - Fr::one())
    }),
    ("mandate has not expired", Needed, |_| {
        replanted(FULL, |a| a.mandate.expiry = a.closed_at - Fr::one())
    }),
    // A fill's terms have a minimum that is in range, so that it takes a round without fills.
    ("premium is in range", Needed, |_| in_place(NONE, |a| a.premium_bps = -Fr::one())),
    ("premium is not above the cap", Needed, |_| {
        in_place(FULL, |a| a.premium_cap_bps = a.premium_bps - Fr::one())
    }),
    ("premium is not above the mandate's", Needed, |_| {
        replanted(FULL, |a| a.mandate.premium_bps_max = a.premium_bps - Fr::one())
    }),
    // The next one, with a sum that begins anew.
    ("epoch is the closing's", Needed, |_| {
        in_place(FULL, |a| {
            a.epoch += Fr::one();
            a.epoch_passed -= a.mandate.epoch_seconds;
        })
    }),
    ("request opens", Needed, |_| said(FULL, |s| s.request_old += Fr::one())),
    ("request is under the mandate", Needed, |_| {
        in_place(FULL, |a| a.request.mandate += Fr::one())
    }),
    ("request is for the mandate's instrument", Needed, |_| {
        in_place(FULL, |a| a.request.instrument += Fr::one())
    }),
    ("gap band is in range", Needed, |_| {
        in_place(NONE, |a| a.request.gap_band = Fr::from(1 << GAP_BAND_BITS))
    }),
    (
        "requested amount is in range",
        Implied("as it is at least what remains and at most the mandate's maximum, both in range"),
        |_| in_place(FULL, |a| a.request.requested = Fr::from(AMOUNT_END)),
    ),
    (
        "remaining amount is in range",
        Implied("as it is at least the fills and at most what was requested, both in range"),
        |_| in_place(FULL, |a| a.request.remaining = -Fr::one()),
    ),
    ("request is not above the mandate's maximum", Needed, |_| {
        replanted(FULL, |a| a.mandate.amount_max = a.request.requested - Fr::one())
    }),
    ("no more remains than was requested", Needed, |_| {
        in_place(FULL, |a| a.request.requested = a.request.remaining - Fr::one())
    }),
    ("position is in range", Needed, |_| in_place(FULL, |a| a.account.position = -Fr::one())),
    ("consideration is in range", Needed, |_| {
        in_place(FULL, |a| a.account.consideration = Fr::from(AMOUNT_END))
    }),
    ("account's epoch is in range", Needed, |_| {
        in_place(FULL, |a| a.account.epoch = Fr::from(TIME_END))
    }),
    // Less than nothing was used, so that more can be.
    ("epoch's sum is in range", Needed, |_| in_place(FULL, |a| a.account.spent = -Fr::one())),
    ("account opens", Needed, |_| said(FULL, |s| s.account_old += Fr::one())),
    // 10⁸ · 10001 = 10¹² + 10⁸: one unit costs two, and one is too little by 10⁸.
    ("payout is not too small", Needed, |s| priced(1, |a| a.slots[s].fill.payout -= Fr::one())),
    // A note of which nothing is filled would come back as change, from nowhere.
    ("note of nothing filled is empty", Needed, |s| {
        in_place(NONE, |a| {
            a.slots[s].fill.amount = Fr::from(5);
            a.lead(s, &Path::dummy(NOTE_DEPTH), &Path::dummy(ORDER_DEPTH));
        })
    }),
    ("note's amount is in range", Needed, |s| {
        replanted(FULL, |a| a.slots[s].fill.amount = Fr::from(AMOUNT_END))
    }),
    (
        "fill is in range",
        Implied("as it is 0 or at least the terms' minimum, and at most the note, all in range"),
        |s| replanted(FULL, |a| a.slots[s].fill.fill = -Fr::one()),
    ),
    ("fill is not above the note", Needed, |s| {
        replanted(FULL, |a| a.slots[s].fill.amount = a.slots[s].fill.fill - Fr::one())
    }),
    ("minimum premium is in range", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.premium_bps_min = -Fr::one())
    }),
    ("lowest price is in range", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.price_min = -Fr::one())
    }),
    ("highest price is in range", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.price_max = Fr::from(1_u128 << PRICE_BITS))
    }),
    ("minimum fill is in range", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.fill_min = -Fr::one())
    }),
    ("highest gap band is in range", Needed, |s| {
        replanted(FULL, |a| {
            a.request.gap_band = Fr::one();
            a.slots.iter_mut().for_each(|slot| slot.terms.gap_band_max = Fr::one());
            a.slots[s].terms.gap_band_max = Fr::from(1 << GAP_BAND_BITS);
        })
    }),
    ("expiry is in range", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.expiry = Fr::from(TIME_END))
    }),
    ("fill is not below the minimum", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.fill_min = a.slots[s].fill.fill + Fr::one())
    }),
    ("premium is not below the minimum", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.premium_bps_min = a.premium_bps + Fr::one())
    }),
    ("price is not below the lowest", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.price_min = a.price + Fr::one())
    }),
    ("price is not above the highest", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.price_max = a.price - Fr::one())
    }),
    ("gap band is not above the highest", Needed, |s| {
        replanted(FULL, |a| {
            a.request.gap_band = Fr::from(9);
            a.slots.iter_mut().for_each(|slot| slot.terms.gap_band_max = Fr::from(9));
            a.slots[s].terms.gap_band_max = Fr::from(8);
        })
    }),
    ("terms have not expired", Needed, |s| {
        replanted(FULL, |a| a.slots[s].terms.expiry = a.closed_at - Fr::one())
    }),
    // A lot that divides none of the fills, but in the field everything divides everything.
    ("fill is in lots", Needed, |_| {
        replanted(FULL, |a| {
            a.mandate.lot = Fr::from(7_919);
            let inverse = a.mandate.lot.inverse().expect("not 0");
            a.slots.iter_mut().for_each(|slot| slot.fill.lots = slot.fill.fill * inverse);
        })
    }),
    // Payouts that are no integers, whose sum is one: slack moves from one slot to the next. A single
    // one would be caught by what the account has.
    ("payout is in range", Needed, |s| {
        in_place(FULL, |a| {
            let unit = (Fr::from(PAYOUT_SCALE) * a.mandate.scale_down).inverse().expect("not 0");
            a.slots[s].fill.payout += unit;
            a.slots[(s + 1) % FEW].fill.payout -= unit;
        })
    }),
    // 10⁴ · (10¹² + 10⁸) divides exactly, and one more is too much by 10¹².
    ("payout is not too large", Needed, |s| {
        priced(10_000, |a| a.slots[s].fill.payout += Fr::one())
    }),
    ("tree is the entry's or the venue's", Needed, |s| in_place(FULL, |a| own_root(a, s))),
    // Another index, and another nullifier of the same note.
    ("digits of the note's index are 0 or 1", Needed, |s| {
        in_place(FULL, |a| {
            let through = a.commitment(s);
            let path = &mut a.slots[s].path;
            path.digits[0] = digits(path.children[0], through);
        })
    }),
    ("note is in the tree", Needed, |s| {
        in_place(FULL, |a| {
            a.slots[s].fill.rho += Fr::one();
            replant_orders(a);
        })
    }),
    ("digits of the order's place are 0 or 1", Needed, |_| in_place(ONE, out_of_place)),
    ("order is in the set", Needed, |_| said(FULL, |s| s.order_root += Fr::one())),
    ("nullifier is the note's", Needed, nullified),
    ("payout note holds the payout", Needed, |s| said(FULL, |said| said.payouts[s] += Fr::one())),
    ("change note holds the change", Needed, |s| said(FULL, |said| said.changes[s] += Fr::one())),
    ("result is said", Needed, |s| said(FULL, |said| said.results[s] += Fr::one())),
    ("fills are not above what remains", Needed, |_| {
        in_place(FULL, |a| {
            a.request.remaining = a.slots.iter().map(|slot| slot.fill.fill).sum::<Fr>() - Fr::one();
        })
    }),
    ("request is debited", Needed, |_| said(FULL, |s| s.request_new += Fr::one())),
    ("slot is not for dust", Needed, |s| {
        replanted(FULL, |a| a.mandate.slot_min = a.slots[s].fill.fill + Fr::one())
    }),
    ("position has room", Needed, |_| {
        in_place(FULL, |a| {
            a.account.position =
                Fr::from(AMOUNT_END) - a.slots.iter().map(|slot| slot.fill.fill).sum::<Fr>();
        })
    }),
    ("account pays for the payouts", Needed, |_| {
        in_place(FULL, |a| {
            a.account.consideration =
                a.slots.iter().map(|slot| slot.fill.payout).sum::<Fr>() - Fr::one();
        })
    }),
    ("epoch is not above the mandate's maximum", Needed, |_| {
        in_place(FULL, |a| {
            let filled = a.slots.iter().map(|slot| slot.fill.fill).sum::<Fr>();
            a.account.spent = a.mandate.amount_max - filled + Fr::one();
        })
    }),
    ("account is credited and debited", Needed, |_| said(FULL, |s| s.account_new += Fr::one())),
    ("issuer's result is said", Needed, |_| said(FULL, |s| s.issuer_result += Fr::one())),
    ("status is said", Needed, |_| said(FULL, |s| s.status += Fr::one())),
    ("digits of the leaves' index are 0 or 1", Needed, |_| {
        in_place(FULL, |a| a.path.digits[0] = digits(a.path.children[0], zeros()[height(FEW)]))
    }),
    // Over another root, where no note is in the venue's tree: a child that the hashes above are not of.
    ("leaves replace an empty subtree", Needed, |_| {
        in_place(NONE, |a| {
            a.path.children[3][2] += Fr::one();
            a.venue_root = a.path.root();
        })
    }),
    ("venue's root is of the tree without them", Needed, |_| {
        said(NONE, |s| s.venue_root += Fr::one())
    }),
    ("venue's root after is of the tree with them", Needed, |_| {
        said(FULL, |s| s.venue_root_after += Fr::one())
    }),
    ("index is the leaves'", Needed, |_| said(FULL, |s| s.index += Fr::one())),
];

#[test]
fn no_rule_can_be_dropped_unless_others_imply_it() {
    subject().check_cases(CASES, FEW);
}
