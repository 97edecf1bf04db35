//! Order sets: what a round cleared over, as the root of a tree of 1,024 places.
//!
//! A leaf is blinded by the maker's secret, because a root over known commitments would tell who takes
//! part. A receipt names an order's first round and its place; whoever holds it can check that the
//! order was in the set.

use crate::{
    Fr,
    hash::{poseidon, tag},
};

/// Places of a set, the last of which holds [`round_leaf`].
pub const PLACES: u64 = 1 << (2 * super::tree::ORDER_DEPTH);

/// `H(tag order, cm, receipt · 1024 + place, H(tag order.blind, nsk, receipt))`: the leaf at `place` of
/// the order over the note `commitment`. The receipt is hashed by itself as well, so that its sum with
/// a place cannot stand for another pair.
#[must_use]
pub fn leaf(commitment: Fr, receipt: Fr, place: Fr, nullifier_secret: &Fr) -> Fr {
    let blind = poseidon(&[tag("order.blind"), *nullifier_secret, receipt]);
    poseidon(&[tag("order"), commitment, receipt * Fr::from(PLACES) + place, blind])
}

/// `H(tag order.round, mandate, request, account, premium_cap_bps, salt)`: the leaf at the last place, which no order
/// has. A context covers the set's root, and only by this leaf what fills depend on besides the orders. Without it a
/// host that shows a restarted enclave another cap, or an older account, gets a second clearing under the same context,
/// and the difference of two published results is the difference of two fills. `mandate`, `request` and `account` are
/// commitments before the round, `salt` is the account's: otherwise anyone could tell an empty set by its root.
#[must_use]
pub fn round_leaf([mandate, request, account, premium_cap_bps, salt]: [Fr; 5]) -> Fr {
    poseidon(&[tag("order.round"), mandate, request, account, premium_cap_bps, salt])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_changes_the_leaf() {
        let [cm, receipt, place, nsk] = [1, 2, 3, 4].map(Fr::from);
        let one = Fr::from(1);
        let base = leaf(cm, receipt, place, &nsk);
        assert_ne!(leaf(cm + one, receipt, place, &nsk), base);
        assert_ne!(leaf(cm, receipt + one, place, &nsk), base);
        assert_ne!(leaf(cm, receipt, place + one, &nsk), base);
        assert_ne!(leaf(cm, receipt, place, &(nsk + one)), base);
        // The same sum.
        assert_ne!(leaf(cm, receipt + one, place - Fr::from(PLACES), &nsk), base);
    }

    #[test]
    fn everything_changes_the_rounds_leaf() {
        let under = [1, 2, 3, 4, 5].map(Fr::from);
        for at in 0..under.len() {
            let mut other = under;
            other[at] += Fr::from(1);
            assert_ne!(round_leaf(other), round_leaf(under), "{at}");
        }
    }
}
