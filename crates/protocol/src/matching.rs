//! Match: sealed offers in, a uniform-premium clearing out. Runs inside the enclave.
//!
//! The auction is a sealed-bid call on a basis-point grid in whole lots. The clearing premium is the
//! lowest at which offers cover the demand; who asked for less is filled wholly, the margin shares the
//! rest pro rata, largest remainder first, ties by commitment hash and never by arrival.
//! Source: Budish, Cramton and Shim (2015), the uniform-price batch; minimum quantities after the TSX
//! dark-book rules. Departures are in the book, 3-match.
//!
//! Invariants, quoted by tests:
//! 1. Σ fills ≤ demand, each fill ≤ its offer's capacity and at or above its minimum.
//! 2. Nobody is filled at a premium below its own limit; every fill gets the same premium ≤ cap.
//! 3. The result does not depend on the order of offers.
//! 4. Lowering one's limit never lowers one's fill.

use primitives::{Amount, CommitmentHash, Decode, Encode, Premium};

/// One maker's standing line, as its locked note's terms state it.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The locked note's commitment: identity and tie-break.
    pub id: CommitmentHash,
    /// What the note holds.
    pub capacity: Amount,
    /// The least premium it accepts.
    pub premium_min: Premium,
    /// The least fill it accepts (MEQ); zero for none.
    pub fill_min: Amount,
}

/// What the issuer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Demand {
    /// Whole lots.
    pub amount: Amount,
    /// What was asked for at first, of which `amount` remains.
    pub requested: Amount,
    /// Nothing clears above it.
    pub premium_cap: Premium,
    /// Fills are multiples of it.
    pub lot: Amount,
    /// Less than this in all and nothing is taken; zero for none.
    pub aggregate_min: Amount,
    /// No offer fills more than this share of what was requested, in basis points. Of what remains it
    /// would never let a last remainder be filled.
    pub share_max: Premium,
}

/// The result of a call.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Clearing {
    /// Paid to every fill.
    pub premium: Premium,
    /// Non-zero fills, ascending by limit, then by commitment hash.
    pub fills: Vec<Fill>,
}

/// What one offer gives.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The offer.
    pub id: CommitmentHash,
    /// Whole lots of collateral.
    pub amount: Amount,
}

impl Clearing {
    /// Collateral raised.
    ///
    /// # Panics
    /// Never: invariant 1 bounds the sum by the demand.
    pub fn filled(&self) -> Amount {
        self.fills.iter().fold(Amount::ZERO, |sum, fill| {
            sum.checked_add(fill.amount).expect("fills never exceed the demand, which is an amount")
        })
    }
}

/// Clears one call. A minimum turns clearing into a knapsack; the exact rule here is: drop the smallest
/// fill that violates its minimum, and clear again.
pub fn clear(offers: &[Offer], demand: &Demand) -> Clearing {
    let lot = demand.lot.units().max(1);
    let share = demand.requested.share_floor(demand.share_max).min(demand.amount).units();
    // Lots each eligible offer may give.
    let mut book: Vec<(Offer, u128)> = offers
        .iter()
        .filter(|offer| offer.premium_min <= demand.premium_cap)
        .map(|offer| (*offer, offer.capacity.units().min(share) / lot))
        .filter(|(offer, lots)| *lots > 0 && lots * lot >= offer.fill_min.units())
        .collect();
    book.sort_by_key(|(offer, _)| (offer.premium_min, offer.id));

    loop {
        let (premium, fills) = clear_without_minimums(&book, demand.amount.units() / lot);
        let violator = fills
            .iter()
            .enumerate()
            .filter(|(index, lots)| **lots > 0 && **lots * lot < book[*index].0.fill_min.units())
            .min_by_key(|(index, lots)| (**lots, book[*index].0.id));
        if let Some((index, _)) = violator {
            book.remove(index);
            continue;
        }
        let clearing = Clearing {
            premium,
            fills: book
                .iter()
                .zip(&fills)
                .filter(|(_, lots)| **lots > 0)
                .map(|((offer, _), lots)| Fill {
                    id: offer.id,
                    amount: Amount::new(lots * lot)
                        .expect("a fill is at most a capacity, which is an amount"),
                })
                .collect(),
        };
        return if clearing.filled() < demand.aggregate_min {
            Clearing::default()
        } else {
            clearing
        };
    }
}

/// Clears one call of at most `fills_max` fills. Beyond that the smallest fill is dropped, ties by commitment hash, and
/// the rest cleared again: equal offers at the margin become fewer and larger ones, and what is asked for is still
/// found, if at a premium that the larger offers ask.
pub fn clear_at_most(mut offers: Vec<Offer>, demand: &Demand, fills_max: usize) -> Clearing {
    loop {
        let clearing = clear(&offers, demand);
        let smallest = clearing.fills.iter().min_by_key(|fill| (fill.amount, fill.id));
        let Some(smallest) = smallest.filter(|_| clearing.fills.len() > fills_max) else {
            return clearing;
        };
        let dropped = smallest.id;
        offers.retain(|offer| offer.id != dropped);
    }
}

/// The clearing premium and the lots per entry of `book`, which is sorted.
fn clear_without_minimums(book: &[(Offer, u128)], demand: u128) -> (Premium, Vec<u128>) {
    let supply = |below: Premium| -> u128 {
        book.iter().filter(|(offer, _)| offer.premium_min <= below).map(|(_, lots)| lots).sum()
    };
    let mut limits = book.iter().map(|(offer, _)| offer.premium_min);
    let Some(dearest) = book.last().map(|(offer, _)| offer.premium_min).filter(|_| demand > 0)
    else {
        return (Premium::default(), vec![0; book.len()]);
    };
    let premium = limits.find(|limit| supply(*limit) >= demand).unwrap_or(dearest);

    let inside: u128 =
        book.iter().filter(|(o, _)| o.premium_min < premium).map(|(_, lots)| lots).sum();
    let margin: u128 = supply(premium) - inside;
    let wanted = (demand - inside).min(margin);
    let mut fills: Vec<u128> = book
        .iter()
        .map(|(offer, lots)| match offer.premium_min.cmp(&premium) {
            core::cmp::Ordering::Less => *lots,
            core::cmp::Ordering::Equal => wanted * lots / margin,
            core::cmp::Ordering::Greater => 0,
        })
        .collect();
    let mut at_margin: Vec<usize> =
        (0..book.len()).filter(|i| book[*i].0.premium_min == premium).collect();
    // Largest remainder first; the book's order already breaks ties by commitment hash.
    at_margin.sort_by_key(|i| core::cmp::Reverse(wanted * book[*i].1 % margin));
    let given: u128 = at_margin.iter().map(|i| fills[*i]).sum();
    let left_over = usize::try_from(wanted - given)
        .expect("fewer lots are left over than offers are at the margin");
    for index in at_margin.into_iter().take(left_over) {
        fills[index] += 1;
    }
    (premium, fills)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOT: u64 = 10;

    fn offer(id: u8, capacity: u64, limit_bps: u16, fill_min: u64) -> Offer {
        Offer {
            id: CommitmentHash([id; 32]),
            capacity: Amount::from_tokens(capacity),
            premium_min: Premium::new(limit_bps).unwrap(),
            fill_min: Amount::from_tokens(fill_min),
        }
    }

    fn demand(amount: u64, cap_bps: u16) -> Demand {
        Demand {
            amount: Amount::from_tokens(amount),
            requested: Amount::from_tokens(amount),
            premium_cap: Premium::new(cap_bps).unwrap(),
            lot: Amount::from_tokens(LOT),
            aggregate_min: Amount::ZERO,
            share_max: Premium::new(10_000).unwrap(),
        }
    }

    fn check(offers: &[Offer], demand: &Demand, premium_bps: u16, expected: &[(u8, u64)]) {
        let clearing = clear(offers, demand);
        let fills: Vec<(u8, u64)> = clearing
            .fills
            .iter()
            .map(|fill| (fill.id.0[0], u64::try_from(fill.amount.units() / 1_000_000).unwrap()))
            .collect();
        assert_eq!((clearing.premium.bps(), fills.as_slice()), (premium_bps, expected));
    }

    #[test]
    fn everyone_is_paid_the_marginal_premium() {
        check(
            &[offer(1, 50, 10, 0), offer(2, 50, 30, 0), offer(3, 50, 90, 0)],
            &demand(80, 100),
            30,
            &[(1, 50), (2, 30)],
        );
    }

    #[test]
    fn the_margin_shares_pro_rata_and_ties_go_to_the_lower_hash() {
        check(
            &[offer(2, 40, 30, 0), offer(1, 40, 30, 0)],
            &demand(50, 100),
            30,
            &[(1, 30), (2, 20)],
        );
        check(
            &[offer(1, 90, 30, 0), offer(2, 30, 30, 0)],
            &demand(80, 100),
            30,
            &[(1, 60), (2, 20)],
        );
    }

    #[test]
    fn too_little_supply_fills_in_part() {
        check(&[offer(1, 50, 10, 0), offer(2, 50, 300, 0)], &demand(80, 100), 10, &[(1, 50)]);
    }

    #[test]
    fn nobody_under_the_cap_clears_nothing() {
        check(&[offer(1, 50, 101, 0)], &demand(80, 100), 0, &[]);
        check(&[], &demand(80, 100), 0, &[]);
        check(&[offer(1, 50, 10, 0)], &demand(0, 100), 0, &[]);
    }

    #[test]
    fn a_fill_below_its_minimum_is_dropped_and_the_call_cleared_again() {
        check(
            &[offer(1, 50, 10, 0), offer(2, 90, 30, 40), offer(3, 50, 60, 0)],
            &demand(70, 100),
            60,
            &[(1, 50), (3, 20)],
        );
    }

    #[test]
    fn the_issuers_minimum_aggregate_is_all_or_none() {
        let all_or_none = Demand { aggregate_min: Amount::from_tokens(60), ..demand(80, 100) };
        check(&[offer(1, 50, 10, 0)], &all_or_none, 0, &[]);
        check(&[offer(1, 60, 10, 0)], &all_or_none, 10, &[(1, 60)]);
    }

    #[test]
    fn no_maker_exceeds_its_share() {
        let capped = Demand { share_max: Premium::new(3_500).unwrap(), ..demand(200, 100) };
        check(&[offer(1, 500, 10, 0), offer(2, 500, 20, 0)], &capped, 20, &[(1, 70), (2, 70)]);
    }

    #[test]
    fn a_share_is_of_the_request_and_not_of_what_is_left_of_it() {
        let capped = Demand {
            requested: Amount::from_tokens(200),
            share_max: Premium::new(3_500).unwrap(),
            ..demand(60, 100)
        };
        check(&[offer(1, 500, 10, 0)], &capped, 10, &[(1, 60)]);
        check(
            &[offer(1, 500, 10, 0)],
            &Demand { amount: Amount::from_tokens(90), ..capped },
            10,
            &[(1, 70)],
        );
    }

    #[test]
    fn beyond_the_slots_the_smallest_fill_goes_and_the_rest_is_filled_by_fewer() {
        let equal: Vec<Offer> = (1..=20).map(|id| offer(id, 50, 30, 0)).collect();
        let clearing = clear_at_most(equal, &demand(80, 100), 4);
        assert_eq!((clearing.filled(), clearing.fills.len()), (Amount::from_tokens(80), 4));
        // The last one asks more, and has more than the smallest one inside.
        let mixed = vec![offer(1, 50, 10, 0), offer(2, 10, 20, 0), offer(3, 50, 60, 0)];
        let clearing = clear_at_most(mixed, &demand(90, 100), 2);
        let fills: Vec<u8> = clearing.fills.iter().map(|fill| fill.id.0[0]).collect();
        assert_eq!((clearing.premium.bps(), fills), (60, vec![1, 3]));
    }

    prop_compose! {
        fn arb_offers()(raw in prop::collection::btree_map(any::<u8>(), (0u64..200, 0u16..120, 0u64..60), 0..12)) -> Vec<Offer> {
            raw.into_iter().map(|(id, (capacity, limit, fill_min))| offer(id, capacity, limit, fill_min)).collect()
        }
    }

    proptest! {
        #[test]
        fn fills_respect_demand_capacity_minimum_and_limit(offers in arb_offers(), amount in 0u64..900) {
            let demand = demand(amount, 100);
            let clearing = clear(&offers, &demand);
            prop_assert!(clearing.filled() <= demand.amount);
            prop_assert!(clearing.premium <= demand.premium_cap);
            for fill in &clearing.fills {
                let offer = offers.iter().find(|offer| offer.id == fill.id).unwrap();
                prop_assert!(fill.amount <= offer.capacity && fill.amount >= offer.fill_min);
                prop_assert!(fill.amount.units().is_multiple_of(demand.lot.units()));
                prop_assert!(offer.premium_min <= clearing.premium);
            }
        }

        #[test]
        fn a_round_has_no_more_fills_than_slots_and_leaves_out_only_for_that(
            offers in arb_offers(), amount in 0u64..900, fills_max in 1usize..6,
        ) {
            let demand = demand(amount, 100);
            let (all, some) = (clear(&offers, &demand), clear_at_most(offers, &demand, fills_max));
            prop_assert!(some.fills.len() <= fills_max);
            prop_assert!(some.filled() <= demand.amount);
            prop_assert!(all.fills.len() > fills_max || some == all);
        }

        #[test]
        fn arrival_order_does_not_matter(offers in arb_offers(), amount in 0u64..900, turn in 0usize..12) {
            let mut turned = offers.clone();
            turned.rotate_left(turn.min(offers.len()));
            prop_assert!(clear(&offers, &demand(amount, 100)) == clear(&turned, &demand(amount, 100)));
        }

        #[test]
        fn a_lower_limit_never_lowers_the_fill(
            mut offers in arb_offers(), amount in 0u64..900, who in 0usize..12, cut in 1u16..50,
        ) {
            // Minimums make clearing a knapsack, where no rule is monotone; the promise is for lines without.
            offers.iter_mut().for_each(|offer| offer.fill_min = Amount::ZERO);
            prop_assume!(who < offers.len());
            let fill_of = |offers: &[Offer]| {
                let clearing = clear(offers, &demand(amount, 100));
                clearing.fills.iter().find(|fill| fill.id == offers[who].id).map_or(Amount::ZERO, |fill| fill.amount)
            };
            let before = fill_of(&offers);
            offers[who].premium_min = Premium::new(offers[who].premium_min.bps().saturating_sub(cut)).unwrap();
            prop_assert!(fill_of(&offers) >= before);
        }

        #[test]
        fn supply_is_exhausted_before_demand_goes_unmet(mut offers in arb_offers(), amount in 0u64..900) {
            offers.iter_mut().for_each(|offer| offer.fill_min = Amount::ZERO);
            let demand = demand(amount, 100);
            let supply: u128 = offers.iter()
                .filter(|offer| offer.premium_min <= demand.premium_cap)
                .map(|offer| offer.capacity.units().min(demand.amount.units()) / demand.lot.units() * demand.lot.units())
                .sum();
            let wanted = demand.amount.lots_floor(demand.lot).units();
            prop_assert_eq!(clear(&offers, &demand).filled().units(), supply.min(wanted));
        }
    }
}
