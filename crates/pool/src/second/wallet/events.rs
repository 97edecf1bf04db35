//! What the pool says, and the trees that anyone can build from it.

use std::collections::BTreeMap;

use crate::{
    Fr,
    second::tree::{self, NOTE_DEPTH, Tree},
};

/// Where an event is on chain. Events come in this order, each once; whoever feeds them waits until they
/// are final.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Number of its block.
    pub block: u64,
    /// Its index among the block's logs.
    pub log: u32,
}

/// An event of the pool, in what a wallet reads of it. Only the pool's own are to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A leaf waits for the entry tree, of a deposit or of a spend.
    Queued {
        /// Counts all leaves ever queued, from 0.
        position: u64,
        /// The note's commitment.
        leaf: Fr,
        /// See [`super::Words`].
        hint: Fr,
        /// See [`super::Words`].
        memo: Fr,
    },
    /// The leaves queued at `position` and after entered the entry tree at `index` and after.
    Absorbed {
        /// Of the first.
        position: u64,
        /// How many, at least 1, at most 64.
        count: u64,
        /// Leaf index of the first.
        index: u64,
        /// The tree's root after.
        root: Fr,
    },
    /// Notes were spent.
    Spent {
        /// Theirs, dummies included.
        nullifiers: [Fr; 2],
    },
    /// A locked note's owner said that it leaves.
    Announced {
        /// The note's.
        nullifier: Fr,
        /// When, Unix seconds.
        time: u64,
    },
    /// A round was settled.
    Cleared(Cleared),
}

/// What a settlement published, as far as owners read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// Where.
    pub venue: Fr,
    /// See [`super::super::context`].
    pub context: Fr,
    /// Consideration units per collateral unit, 8 decimals.
    pub price: u64,
    /// Leaf index of the first payout in the venue's tree. After the payouts come the changes, then zeros up
    /// to a whole subtree.
    pub index: u64,
    /// The venue's root after.
    pub root: Fr,
    /// In order, real and dummy alike.
    pub slots: Vec<Slot>,
}

/// One slot of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Of the note it filled, or a dummy's.
    pub nullifier: Fr,
    /// Commitment of the payout.
    pub payout: Fr,
    /// Commitment of the change.
    pub change: Fr,
    /// Fill and premium, masked: [`super::super::results`].
    pub result: Fr,
}

/// Values of a settlement that are not of one slot.
const SHARED: usize = 18;

impl Cleared {
    /// From what the pool emits: the digest, and the values in the order of the relation `clear`. `None` if
    /// they are not as many as some number of slots has, or an integer among them is out of range.
    #[must_use]
    pub fn from_posted(posted: &[Fr]) -> Option<Self> {
        let (_digest, values) = posted.split_first()?;
        let (shared, slots) = values.split_at_checked(SHARED)?;
        let n = slots.len() / 4;
        if n == 0 || !slots.len().is_multiple_of(4) {
            return None;
        }
        let integer = |at: usize| u64::try_from(crate::field::to_u128(&shared[at])?).ok();
        Some(Self {
            context: shared[0],
            venue: shared[1],
            price: integer(4)?,
            root: shared[14],
            index: integer(15)?,
            slots: (0..n)
                .map(|slot| Slot {
                    nullifier: slots[slot],
                    payout: slots[n + slot],
                    change: slots[2 * n + slot],
                    result: slots[3 * n + slot],
                })
                .collect(),
        })
    }
}

/// Why events cannot be of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A leaf was queued at another position than the next.
    #[error("a leaf is queued at {found}, the next position is {expected}; hint: read all events")]
    Position {
        /// Its position.
        found: u64,
        /// The next.
        expected: u64,
    },
    /// Leaves are absorbed that do not wait.
    #[error("{count} leaves are absorbed from {position} on, {waiting} wait from {head} on")]
    Absorbed {
        /// Of the first.
        position: u64,
        /// How many.
        count: u64,
        /// Of the first that waits.
        head: u64,
        /// How many wait.
        waiting: u64,
    },
    /// Leaves go elsewhere than where the tree goes on.
    #[error("leaves enter a tree at {found}, it goes on at {expected}; hint: read all events")]
    Index {
        /// Where they say they go.
        found: u64,
        /// Where they would.
        expected: u64,
    },
    /// The tree over all leaves has another root than the pool says.
    #[error(
        "tree has another root than the pool's at leaf {index}; hint: read from the start again"
    )]
    Root {
        /// Index of the first leaf that entered.
        index: u64,
    },
    /// The tree takes no more, which the pool would have refused.
    #[error("leaves do not fit the tree")]
    Tree(#[from] tree::Error),
}

/// The queue and all trees of a pool, with all their leaves. Public, the same for everyone, and built from
/// all events since the pool was made.
#[derive(Clone, Debug)]
pub struct Trees {
    entry: Tree,
    venues: BTreeMap<Fr, Tree>,
    waiting: Vec<Fr>,
    head: u64,
}

impl Default for Trees {
    fn default() -> Self {
        Self { entry: Tree::new(NOTE_DEPTH), venues: BTreeMap::new(), waiting: Vec::new(), head: 0 }
    }
}

impl Trees {
    /// Takes the next event.
    ///
    /// # Errors
    /// [`TreeError`] if it is not what the pool would say; then nothing has changed.
    pub fn apply(&mut self, event: &Event) -> Result<(), TreeError> {
        match event {
            Event::Queued { position, leaf, .. } => {
                let (found, expected) = (*position, self.head + self.waiting.len() as u64);
                if found != expected {
                    return Err(TreeError::Position { found, expected });
                }
                self.waiting.push(*leaf);
                Ok(())
            }
            Event::Absorbed { position, count, index, root } => {
                let (head, waiting) = (self.head, self.waiting.len() as u64);
                let (position, count) = (*position, *count);
                let leaves = usize::try_from(count).ok().and_then(|n| self.waiting.get(..n));
                let Some(leaves) = leaves.filter(|_| position == head && count != 0) else {
                    return Err(TreeError::Absorbed { position, count, head, waiting });
                };
                let height = if count > 16 { 3 } else { 2 };
                enter(&mut self.entry, leaves, height, *index, *root)?;
                let n = leaves.len();
                self.waiting.drain(..n);
                self.head += count;
                Ok(())
            }
            Event::Cleared(Cleared { venue, index, root, slots, .. }) => {
                let (leaves, height) = cleared_leaves(slots);
                if let Some(tree) = self.venues.get_mut(venue) {
                    return enter(tree, &leaves, height, *index, *root);
                }
                let mut tree = Tree::new(NOTE_DEPTH);
                enter(&mut tree, &leaves, height, *index, *root)?;
                self.venues.insert(*venue, tree);
                Ok(())
            }
            Event::Spent { .. } | Event::Announced { .. } => Ok(()),
        }
    }

    /// The entry tree.
    #[must_use]
    pub fn entry(&self) -> &Tree {
        &self.entry
    }

    /// A venue's tree, if it has settled anything.
    #[must_use]
    pub fn venue(&self, venue: Fr) -> Option<&Tree> {
        self.venues.get(&venue)
    }

    /// The leaves that wait, in their order, and the position of the first.
    #[must_use]
    pub fn waiting(&self) -> (u64, &[Fr]) {
        (self.head, &self.waiting)
    }
}

/// The leaves of a settlement, payouts and then changes, and the height of the subtree that they fill up.
#[must_use]
pub fn cleared_leaves(slots: &[Slot]) -> (Vec<Fr>, usize) {
    let payouts = slots.iter().map(|slot| slot.payout);
    let leaves: Vec<_> = payouts.chain(slots.iter().map(|slot| slot.change)).collect();
    let mut height = 0;
    while 1 << (2 * height) < leaves.len() {
        height += 1;
    }
    (leaves, height)
}

/// Appends leaves as a subtree of `height` where the pool says they went, if that leads to the root that it says.
///
/// # Errors
/// [`TreeError`]; the tree is unchanged.
pub fn enter(
    tree: &mut Tree,
    leaves: &[Fr],
    height: usize,
    index: u64,
    root: Fr,
) -> Result<(), TreeError> {
    let expected = tree.len().next_multiple_of(1 << (2 * height));
    if index != expected {
        return Err(TreeError::Index { found: index, expected });
    }
    let has_room = index < 1 << (2 * tree.depth());
    if has_room && tree.path(index, height).root(tree::subtree(leaves, height)) != root {
        return Err(TreeError::Root { index });
    }
    tree.append(leaves, height)?;
    Ok(())
}
