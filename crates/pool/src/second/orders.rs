//! Order sets: what a round cleared over, as the root of a tree of 1,024 places.
//!
//! A leaf is blinded by the maker's secret, because a root over known commitments would tell who takes
//! part. A receipt names an order's number, from which its place follows, and its first round; whoever holds
//! it can check against a round's published root whether the order was in the set ([`Receipted::standing`]),
//! and show it to others with the blind alone.

use super::tree::{ORDER_DEPTH, Path};
use crate::{
    Fr,
    hash::{poseidon, tag},
};

/// Places of a set, the last of which holds [`round_leaf`].
pub const PLACES: u64 = 1 << (2 * ORDER_DEPTH);
/// Places that orders may have.
pub const ORDERS: u64 = PLACES - 1;

/// `H(tag order.blind, nsk, receipt)`: hides one order in one set after another. Showing it shows neither
/// the secret nor another receipt's blind.
#[must_use]
pub fn blind(nullifier_secret: &Fr, receipt: Fr) -> Fr {
    poseidon(&[tag("order.blind"), *nullifier_secret, receipt])
}

/// `H(tag order, cm, receipt · 1024 + place, H(tag order.blind, nsk, receipt))`: the leaf at `place` of
/// the order over the note `commitment`. The receipt is hashed by itself as well, so that its sum with
/// a place cannot stand for another pair.
#[must_use]
pub fn leaf(commitment: Fr, receipt: Fr, place: Fr, nullifier_secret: &Fr) -> Fr {
    blinded(commitment, receipt, place, blind(nullifier_secret, receipt))
}

fn blinded(commitment: Fr, receipt: Fr, place: Fr, blind: Fr) -> Fr {
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

/// An order that a receipt was given for. That the receipt is the enclave's is its signature's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipted {
    /// The note's commitment, as it stood in that round: a change has another than what it came from.
    pub commitment: Fr,
    /// The receipt's number.
    pub receipt: u64,
    /// When the receipt began to count, Unix seconds: it speaks of rounds that closed then or later.
    pub since: u64,
    /// See [`blind`].
    pub blind: Fr,
}

/// What a venue publishes of a round's set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// When the round closed, Unix seconds.
    pub closed_at: u64,
    /// The root of its set, as the settlement posted it.
    pub root: Fr,
}

/// Whether an order was in a round's set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was.
    Included,
    /// It was not: at its place was something else, which is shown, or nothing (0). That is in order if the note
    /// was spent, announced, smaller than the mandate's slot minimum, or stood at one place with an order that
    /// goes first; otherwise it was left out.
    Absent {
        /// The leaf at its place.
        instead: Fr,
    },
}

/// Why nothing follows from what was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The round is not one that the receipt speaks of.
    #[error(
        "round closed at {closed_at}, the receipt counts from {since} on; hint: take a later round"
    )]
    Early {
        /// Unix seconds.
        closed_at: u64,
        /// Unix seconds.
        since: u64,
    },
    /// The path is of another place than the receipt's.
    #[error("path is of place {found}, receipt {receipt} has place {expected}")]
    Place {
        /// Of the path.
        found: u64,
        /// The receipt's number.
        receipt: u64,
        /// Its place.
        expected: u64,
    },
    /// The path has another number of levels than a set.
    #[error("path has {levels} levels, an order set has {ORDER_DEPTH}")]
    Levels {
        /// Its levels.
        levels: usize,
    },
    /// The path does not lead to the published root: whoever showed it showed nothing.
    #[error(
        "path does not lead from its leaf to the round's root; hint: ask for the path of this round"
    )]
    Root,
}

impl Receipted {
    /// Its place in every set, below [`ORDERS`].
    #[must_use]
    pub fn place(&self) -> u64 {
        self.receipt % ORDERS
    }

    /// Its leaf in every set that it is in.
    #[must_use]
    pub fn leaf(&self) -> Fr {
        let [receipt, place] = [self.receipt, self.place()].map(Fr::from);
        blinded(self.commitment, receipt, place, self.blind)
    }

    /// What a path at its place, from the leaf `shown` there, says of it.
    ///
    /// There is one leaf at a place of a root, unless Poseidon2 collides: nobody can show both that an
    /// order was in a set and that it was not.
    ///
    /// # Errors
    /// [`Error`] if the path is of another place or round, or leads elsewhere.
    pub fn standing(&self, round: &Published, shown: Fr, path: &Path) -> Result<Standing, Error> {
        let (closed_at, since) = (round.closed_at, self.since);
        if closed_at < since {
            return Err(Error::Early { closed_at, since });
        }
        let levels = path.siblings.len();
        if levels != ORDER_DEPTH {
            return Err(Error::Levels { levels });
        }
        let (found, expected) = (path.index, self.place());
        if found != expected {
            return Err(Error::Place { found, receipt: self.receipt, expected });
        }
        if path.root(shown) != round.root {
            return Err(Error::Root);
        }
        if shown == self.leaf() {
            return Ok(Standing::Included);
        }
        Ok(Standing::Absent { instead: shown })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tree::Tree, *};

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

    fn receipted(receipt: u64) -> Receipted {
        let (commitment, secret) = (Fr::from(100 + receipt), Fr::from(7));
        let blind = blind(&secret, Fr::from(receipt));
        let order = Receipted { commitment, receipt, since: 1_000, blind };
        let [number, place] = [receipt, order.place()].map(Fr::from);
        assert_eq!(order.leaf(), leaf(commitment, number, place, &secret));
        order
    }

    /// A round's set over these orders, and what it publishes.
    fn set(orders: &[Receipted]) -> (Tree, Published) {
        let mut leaves = vec![Fr::from(0); usize::try_from(PLACES).expect("few")];
        for order in orders {
            leaves[usize::try_from(order.place()).expect("few")] = order.leaf();
        }
        let mut tree = Tree::new(ORDER_DEPTH);
        tree.append(&leaves, ORDER_DEPTH).expect("room");
        let root = tree.root();
        (tree, Published { closed_at: 1_000, root })
    }

    #[test]
    fn an_order_is_in_the_set_or_shown_not_to_be() {
        // The second lap of numbers comes round to the first places.
        let orders = [receipted(0), receipted(5), receipted(ORDERS + 9)];
        let (tree, round) = set(&orders);
        for order in orders {
            let (shown, path) = (tree.leaf(order.place()), tree.path(order.place(), 0));
            assert_eq!(order.standing(&round, shown, &path), Ok(Standing::Included));
            // Nothing else leads there, neither that it was in nor that it was not.
            for other in [Fr::from(0), shown + Fr::from(1)] {
                assert_eq!(order.standing(&round, other, &path), Err(Error::Root));
            }
        }
        // Left out: its place is empty, or somebody else's.
        let left_out = receipted(17);
        let path = tree.path(17, 0);
        let absent = Standing::Absent { instead: Fr::from(0) };
        assert_eq!(left_out.standing(&round, Fr::from(0), &path), Ok(absent));
        let displaced = receipted(9);
        let (shown, path) = (tree.leaf(9), tree.path(9, 0));
        let absent = Standing::Absent { instead: orders[2].leaf() };
        assert_eq!(displaced.standing(&round, shown, &path), Ok(absent));
    }

    #[test]
    fn what_shows_nothing_is_refused() {
        let order = receipted(5);
        let (tree, round) = set(&[order]);
        let (shown, path) = (order.leaf(), tree.path(5, 0));
        let before = Published { closed_at: 999, ..round };
        let early = Error::Early { closed_at: 999, since: 1_000 };
        assert_eq!(order.standing(&before, shown, &path), Err(early));
        let elsewhere = Error::Place { found: 6, receipt: 5, expected: 5 };
        assert_eq!(order.standing(&round, Fr::from(0), &tree.path(6, 0)), Err(elsewhere));
        // The same place past the end: its low digits lead to the same root.
        let mut beyond = path.clone();
        beyond.index += PLACES;
        assert!(beyond.root(shown) == round.root);
        let elsewhere = Error::Place { found: PLACES + 5, receipt: 5, expected: 5 };
        assert_eq!(order.standing(&round, shown, &beyond), Err(elsewhere));
        // A node for a leaf.
        let mut higher = path.clone();
        higher.siblings.remove(0);
        assert_eq!(order.standing(&round, shown, &higher), Err(Error::Levels { levels: 4 }));
        // Another round's root, another note, another blind, another receipt of the same place.
        let other = set(&[order, receipted(6)]).1;
        assert_eq!(order.standing(&other, shown, &path), Err(Error::Root));
        for another in [
            Receipted { commitment: order.commitment + Fr::from(1), ..order },
            Receipted { blind: order.blind + Fr::from(1), ..order },
            Receipted { receipt: 5 + ORDERS, ..order },
        ] {
            let absent = Standing::Absent { instead: shown };
            assert_eq!(another.standing(&round, shown, &path), Ok(absent));
        }
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
