//! Spending: which notes, what becomes of them, and everything a proof of it needs.
//!
//! A spend has two inputs and two outputs, all of one asset, and both inputs are in the entry tree or in one
//! venue's. Leaving, splitting, merging and locking again differ in amounts only. Locked notes come into
//! question when their announcement is old enough.

use zeroize::Zeroizing;

use super::{At, Held, Opening, Trees, Wallet, Words};
use crate::{
    AMOUNT_END, Fr,
    second::{
        note::Note,
        tree::{NOTE_DEPTH, Path, zeros},
    },
};

/// Inputs of a spend, and outputs.
const WIDTH: usize = 2;

/// What a spend is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The token.
    pub asset: Fr,
    /// Base units that leave the pool, a relayer's fee included.
    pub amount: u128,
    /// What comes of the rest, at most two; the first is of the wallet's number [`Wallet::next`], the second
    /// of the one after it. What is left over comes back as an output more.
    pub outputs: Vec<Output>,
}

/// A note that a spend makes for the wallet itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Base units, below 2^112, not 0.
    pub amount: u128,
    /// What locks it, 0 if nothing. Terms that name a payout owner name [`super::Keys::payout`]'s of the
    /// same number.
    pub order_hash: Fr,
}

/// A spend or an announcement, ready to be proven once its context is known.
pub struct Spend {
    /// Whether the notes stay and are announced.
    pub announce: bool,
    /// The entry tree's root.
    pub entry_root: Fr,
    /// The venue whose tree a note is in; 0 if none is.
    pub venue: Fr,
    /// The root of its tree; the empty tree's if there is none.
    pub venue_root: Fr,
    /// The token.
    pub asset: Fr,
    /// Base units that leave.
    pub amount: u128,
    /// One or two notes. The rest are dummies.
    pub inputs: Vec<Input>,
    /// Makes the dummies; different for every first input.
    pub dummy: Zeroizing<[u8; 32]>,
    /// Amount and words of each output; amount 0 and words 0 if there is none.
    pub outputs: [(u128, Words); WIDTH],
}

/// A note that is spent.
pub struct Input {
    /// The note.
    pub note: Note,
    /// What opens it.
    pub opening: Opening,
    /// Whether it is in the venue's tree and not in the entry tree.
    pub in_venue: bool,
    /// What leads from its leaf to the root.
    pub path: Path,
    /// What spending it publishes.
    pub nullifier: Fr,
}

impl core::fmt::Debug for Spend {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Spend").field("announce", &self.announce).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Input {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Input")
    }
}

impl Spend {
    /// The hints of the outputs, for [`super::super::context::Exit`].
    #[must_use]
    pub fn hints(&self) -> [Fr; WIDTH] {
        self.outputs.map(|(_, words)| words.hint)
    }

    /// The memos of the outputs.
    #[must_use]
    pub fn memos(&self) -> [Fr; WIDTH] {
        self.outputs.map(|(_, words)| words.memo)
    }
}

/// Why there is nothing to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// An amount that no note can have.
    #[error("amount {amount} is out of range: it must be above 0 and below 2^112")]
    Amount {
        /// The amount.
        amount: u128,
    },
    /// Nothing is asked for.
    #[error("nothing is to leave and nothing is to be made; hint: ask for one of them")]
    Nothing,
    /// More outputs than a spend has, the rest included.
    #[error("{outputs} outputs and a rest are more than the {WIDTH} of a spend; hint: split twice")]
    Outputs {
        /// Outputs that are asked for.
        outputs: usize,
    },
    /// There is less.
    #[error(
        "{need} is needed and {ready} can be spent now, {waiting} more later; hint: absorb what \
         waits, announce what is locked and let the window pass"
    )]
    NotEnough {
        /// Outputs and what leaves.
        need: u128,
        /// In notes that can be spent now.
        ready: u128,
        /// In the queue, locked, or announced too short a while ago.
        waiting: u128,
    },
    /// There is enough, in more notes than a spend takes, or in two venues' trees.
    #[error(
        "{need} is needed, and no two notes of one tree hold it; hint: merge first, payouts of \
         different venues one by one"
    )]
    Scattered {
        /// Outputs and what leaves.
        need: u128,
    },
    /// No note of the wallet's.
    #[error("note {index} of those named is not held, or waits in the queue")]
    NotHeld {
        /// Its place among those named.
        index: usize,
    },
    /// Notes that cannot be in one spend.
    #[error("the notes named are {what}; hint: take them one by one")]
    Apart {
        /// What is wrong with them.
        what: &'static str,
    },
    /// Nothing to announce.
    #[error("note {index} of those named is {what}; hint: spend it")]
    NotAnnounceable {
        /// Its place among those named.
        index: usize,
        /// Why not.
        what: &'static str,
    },
    /// The trees are behind the wallet, or ahead of nothing.
    #[error("tree does not have the note at {index}; hint: bring the trees to where the wallet is")]
    NotInTree {
        /// Its leaf's index.
        index: u64,
    },
}

impl Held {
    /// Whether it can be spent at `now`, Unix seconds, in a pool whose window is `window` seconds.
    #[must_use]
    pub fn is_ready(&self, now: u64, window: u64) -> bool {
        let is_announced = self.announced != 0 && now > self.announced.saturating_add(window);
        matches!(self.at, At::Tree { .. }) && (!self.is_locked() || is_announced)
    }

    /// The venue whose tree it is in, if it is in one.
    fn venue(&self) -> Option<Fr> {
        match self.at {
            At::Tree { venue, .. } if venue != Fr::from(0) => Some(venue),
            At::Tree { .. } | At::Queue(_) => None,
        }
    }
}

impl Wanted {
    fn need(&self) -> Result<u128, PlanError> {
        let outputs = self.outputs.len();
        if outputs > WIDTH {
            return Err(PlanError::Outputs { outputs });
        }
        if outputs == 0 && self.amount == 0 {
            return Err(PlanError::Nothing);
        }
        let is_empty = self.outputs.iter().any(|output| output.amount == 0);
        let amounts = self.outputs.iter().map(|output| output.amount).chain([self.amount]);
        let largest = amounts.clone().max().unwrap_or(0);
        if is_empty || largest >= AMOUNT_END {
            return Err(PlanError::Amount { amount: if is_empty { 0 } else { largest } });
        }
        // Three amounts of 112 bits.
        Ok(amounts.sum())
    }
}

impl Wallet {
    /// Plans a spend of notes that the wallet chooses: as few as can be, and of those the ones that leave
    /// the least over. `now` is in Unix seconds, `window` the pool's.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn spend(
        &self,
        trees: &Trees,
        wanted: &Wanted,
        now: u64,
        window: u64,
    ) -> Result<Spend, PlanError> {
        let need = wanted.need()?;
        let of_asset = || self.held.iter().filter(|held| held.note.asset == wanted.asset);
        let ready: Vec<_> = of_asset().filter(|held| held.is_ready(now, window)).collect();
        // A rest takes an output.
        let fits = |sum: u128| {
            sum == need || (sum > need && sum < AMOUNT_END && wanted.outputs.len() < WIDTH)
        };
        let single = ready.iter().filter(|held| fits(held.note.amount));
        if let Some(held) = single.min_by_key(|held| (held.note.amount, held.at)) {
            return self.build(trees, wanted, &[**held]);
        }
        let pairs = ready.iter().enumerate().flat_map(|(at, one)| {
            ready[..at].iter().map(move |other| (one.note.amount + other.note.amount, one, other))
        });
        let pairs = pairs.filter(|(sum, one, other)| fits(*sum) && share_a_tree(one, other));
        if let Some((_, one, other)) =
            pairs.min_by_key(|(sum, one, other)| (*sum, one.at, other.at))
        {
            return self.build(trees, wanted, &[**one, **other]);
        }
        let sum = |sum: u128, held: &Held| sum.saturating_add(held.note.amount);
        let ready = ready.into_iter().fold(0, sum);
        if ready < need {
            let waiting = of_asset().fold(0, sum) - ready;
            return Err(PlanError::NotEnough { need, ready, waiting });
        }
        let outputs = wanted.outputs.len();
        if outputs == WIDTH {
            return Err(PlanError::Outputs { outputs });
        }
        Err(PlanError::Scattered { need })
    }

    /// Plans a spend of these notes, by their nullifiers, whether they are ready or not: to merge two, let all
    /// they hold be one output.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn spend_these(
        &self,
        trees: &Trees,
        wanted: &Wanted,
        nullifiers: &[Fr],
    ) -> Result<Spend, PlanError> {
        let need = wanted.need()?;
        let notes = self.named(nullifiers)?;
        if notes.iter().any(|held| held.note.asset != wanted.asset) {
            return Err(PlanError::Apart { what: "not all of the asset" });
        }
        let ready = notes.iter().map(|held| held.note.amount).sum::<u128>();
        if ready < need {
            return Err(PlanError::NotEnough { need, ready, waiting: 0 });
        }
        self.build(trees, wanted, &notes)
    }

    /// Plans the announcement that these notes leave, by their nullifiers: one or two, locked.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn announce(&self, trees: &Trees, nullifiers: &[Fr]) -> Result<Spend, PlanError> {
        let notes = self.named(nullifiers)?;
        for (index, held) in notes.iter().enumerate() {
            let what = match held {
                held if !held.is_locked() => "not locked",
                held if held.announced != 0 => "announced already",
                _ => continue,
            };
            return Err(PlanError::NotAnnounceable { index, what });
        }
        let asset = notes[0].note.asset;
        if notes.iter().any(|held| held.note.asset != asset) {
            return Err(PlanError::Apart { what: "of two assets" });
        }
        let wanted = Wanted { asset, amount: 0, outputs: Vec::new() };
        self.assemble(trees, &wanted, &notes, true)
    }

    fn named(&self, nullifiers: &[Fr]) -> Result<Vec<Held>, PlanError> {
        let notes = nullifiers.iter().enumerate().map(|(index, nullifier)| {
            let held = self.held.iter().find(|held| held.is_at(&[*nullifier]));
            held.copied().ok_or(PlanError::NotHeld { index })
        });
        let notes = notes.collect::<Result<Vec<_>, _>>()?;
        match &notes[..] {
            [_] => Ok(notes),
            [one, other] if one.nullifier == other.nullifier => {
                Err(PlanError::Apart { what: "one and the same" })
            }
            [one, other] if !share_a_tree(one, other) => {
                Err(PlanError::Apart { what: "in two venues' trees" })
            }
            [_, _] => Ok(notes),
            _ => Err(PlanError::Apart { what: "none, or more than two" }),
        }
    }

    fn build(&self, trees: &Trees, wanted: &Wanted, notes: &[Held]) -> Result<Spend, PlanError> {
        let mut wanted = wanted.clone();
        let rest = notes.iter().map(|held| held.note.amount).sum::<u128>() - wanted.need()?;
        if rest != 0 {
            let outputs = wanted.outputs.len();
            if outputs == WIDTH {
                return Err(PlanError::Outputs { outputs });
            }
            if rest >= AMOUNT_END {
                return Err(PlanError::Amount { amount: rest });
            }
            wanted.outputs.push(Output { amount: rest, order_hash: Fr::from(0) });
        }
        self.assemble(trees, &wanted, notes, false)
    }

    fn assemble(
        &self,
        trees: &Trees,
        wanted: &Wanted,
        notes: &[Held],
        announce: bool,
    ) -> Result<Spend, PlanError> {
        let venue = notes.iter().find_map(Held::venue);
        let venue_tree = venue.and_then(|venue| trees.venue(venue));
        let inputs = notes.iter().map(|held| {
            let At::Tree { venue, index } = held.at else {
                unreachable!("what waits in the queue is not chosen")
            };
            let in_venue = venue != Fr::from(0);
            let tree = if in_venue { venue_tree } else { Some(trees.entry()) };
            let leaf = held.note.commitment();
            let tree = tree.filter(|tree| index < 1 << 32 && tree.leaf(index) == leaf);
            let path = tree.ok_or(PlanError::NotInTree { index })?.path(index, 0);
            let opening = self.opening(held.source);
            Ok(Input { note: held.note, opening, in_venue, path, nullifier: held.nullifier })
        });
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let nothing = Words { inner: Fr::from(0), hint: Fr::from(0), memo: Fr::from(0) };
        let outputs = core::array::from_fn(|at| match wanted.outputs.get(at) {
            Some(Output { amount, order_hash }) => {
                (*amount, self.keys.words(self.next + at as u64, *amount, *order_hash))
            }
            None => (0, nothing),
        });
        Ok(Spend {
            announce,
            entry_root: trees.entry().root(),
            venue: venue.unwrap_or(Fr::from(0)),
            venue_root: venue_tree.map_or(zeros()[NOTE_DEPTH], crate::second::tree::Tree::root),
            asset: wanted.asset,
            amount: wanted.amount,
            dummy: self.keys.dummy(notes[0].nullifier),
            inputs,
            outputs,
        })
    }
}

/// Whether two notes can be inputs of one spend.
fn share_a_tree(one: &Held, other: &Held) -> bool {
    match (one.venue(), other.venue()) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => true,
    }
}
