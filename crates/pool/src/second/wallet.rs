//! A wallet: what it holds, from a seed and the pool's events alone.
//!
//! Every secret is derived from one seed (`keys`). A wallet numbers what comes in. What is deposited or
//! spent to number `i` carries two words, which the pool emits and does not read:
//!
//! ```text
//! hint = H(tag hint, hint key, i) + amount
//! memo = order_hash + H(tag memo, nsk_i)
//! ```
//!
//! so that a wallet which keeps a table of its next [`WINDOW`] hints finds every note, with its amount and
//! order hash, and what a spend was split into; nobody else learns anything of either. A settlement that
//! fills a note publishes the note's nullifier: the wallet opens its result and computes payout and change
//! ([`super::results`]). What a note is worth it never believes, it computes the leaf.
//!
//! The state is a function of seed, assets, birthday and events; it can be saved, and goes on from where it
//! was. Trees are not in it: they are everyone's ([`Trees`]), and are needed to spend only.
//!
//! # What it does not find
//!
//! Notes that were made without these words: the sender of a payment must be given [`Keys::words`]. A payout
//! in an asset that is not listed or at a scale that is not the decimals', until it is told the terms
//! ([`Wallet::learn`]).

use std::collections::BTreeMap;

use super::{
    deal::{Scale, payout_ceil},
    note::{Note, change_rho, nullifier, payout_rho, place},
    results,
    terms::Terms,
};
use crate::{AMOUNT_END, Fr, codec, field};

mod events;
mod keys;
mod plan;
mod state;

pub use events::{Cleared, Cursor, Event, Slot, TreeError, Trees, cleared_leaves, enter};
pub use keys::{Keys, Opening, PATH, SEED_LEN_MIN};
pub use plan::{Input, Output, PlanError, Spend, Wanted};

/// Hints that a wallet looks out for beyond the last it has seen: whoever hands out more numbers than this
/// before one of them is used may lose sight of a note until it looks further.
pub const WINDOW: u64 = 64;

/// What makes an amount a note of some wallet's. See the module's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// [`super::note::inner`], for the leaf.
    pub inner: Fr,
    /// Says to the owner which of its numbers, and how much.
    pub hint: Fr,
    /// Says to the owner under which order hash.
    pub memo: Fr,
}

/// A token that the pool lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its address as an integer.
    pub address: Fr,
    /// Its decimals, for the scale between it and another.
    pub decimals: u8,
}

/// Which of a wallet's keys open a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// [`Keys::line`] of this number.
    Line(u64),
    /// [`Keys::payout`] of this number.
    Payout(u64),
}

/// Where a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// Waits in the queue, at this position: it can be neither filled nor spent yet.
    Queue(u64),
    /// In a tree.
    Tree {
        /// The venue whose tree it is; 0 for the entry tree.
        venue: Fr,
        /// Its leaf's index.
        index: u64,
    },
}

/// A note that the wallet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The note.
    pub note: Note,
    /// What opens it.
    pub source: Source,
    /// Where it is.
    pub at: At,
    /// What spending it publishes; 0 while it waits.
    pub nullifier: Fr,
    /// When its owner announced that it leaves, Unix seconds; 0 if it didn't.
    pub announced: u64,
}

impl Held {
    /// Whether terms lock it, so that it leaves after an announcement only.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.note.order_hash != Fr::from(0)
    }
}

/// A payout that is the wallet's, and whose amount and asset it could not make out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The line that was filled.
    pub line: u64,
    /// Token it was of.
    pub collateral: Fr,
    /// Its terms' hash.
    pub order_hash: Fr,
    /// Where the payout is.
    pub venue: Fr,
    /// Its leaf's index there.
    pub index: u64,
    /// The payout's commitment.
    pub leaf: Fr,
    /// Its `rho`.
    pub rho: Fr,
    /// What was filled, base units of the collateral.
    pub fill: u128,
    /// The premium, in basis points.
    pub premium_bps: u16,
    /// The price, 8 decimals.
    pub price: u64,
}

/// Why a wallet refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too few bytes to be secret.
    #[error("seed has {len} bytes, needs {SEED_LEN_MIN}; hint: BIP 39 makes one of 64 from words")]
    Seed {
        /// Bytes it has.
        len: usize,
    },
    /// An event that is not after the last.
    #[error(
        "event {}.{} is not after {}.{}; hint: feed events in their order, each once",
        at.block, at.log, cursor.block, cursor.log
    )]
    OutOfOrder {
        /// The event's place.
        at: Cursor,
        /// The last event's.
        cursor: Cursor,
    },
    /// A settlement spends a note, and what it publishes is not of that note: no pool that checks proofs
    /// says that.
    #[error(
        "settlement in slot {slot} spends a note and its {what} is not of it; hint: these are not \
         the events of a pool, ask another node"
    )]
    Contradiction {
        /// Where.
        slot: usize,
        /// What does not fit.
        what: &'static str,
    },
    /// Bytes that are no saved state.
    #[error("saved state cannot be read; hint: scan again from the birthday")]
    State(#[from] codec::Error),
    /// Bytes that were changed since they were saved.
    #[error("saved state is damaged: its checksum differs; hint: scan again from the birthday")]
    Damaged,
    /// The state of another seed.
    #[error("saved state is another seed's; hint: open it with the seed it was saved under")]
    OtherSeed,
}

/// What a seed holds in a pool.
pub struct Wallet {
    keys: Keys,
    assets: Vec<Asset>,
    /// Blocks before this one hold nothing of the wallet's.
    birthday: u64,
    cursor: Option<Cursor>,
    /// The least number that nothing was seen of, nor of any above it.
    next: u64,
    held: Vec<Held>,
    unread: Vec<Unread>,
    /// Hints of all numbers below `next + WINDOW`.
    hints: BTreeMap<Fr, u64>,
}

/// Amounts are nobody's business.
impl core::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Wallet").field("n_held", &self.held.len()).finish_non_exhaustive()
    }
}

impl Wallet {
    /// A wallet that has seen nothing yet. `assets` are all that the pool lists; nothing before the block
    /// `birthday` is looked at.
    #[must_use]
    pub fn new(keys: Keys, assets: Vec<Asset>, birthday: u64) -> Self {
        let mut wallet = Self {
            keys,
            assets,
            birthday,
            cursor: None,
            next: 0,
            held: Vec::new(),
            unread: Vec::new(),
            hints: BTreeMap::new(),
        };
        wallet.look_out();
        wallet
    }

    /// Its keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The number for what comes in next. The wallet does not remember which numbers were given out: before
    /// one is seen on chain, whoever gives out another takes the one after it, and says so ([`Self::reserve`]).
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Numbers below this one were given out, and perhaps not seen on chain yet: none of them is given out again, for a
    /// deposit or for what a spend makes. Two notes of one number would tell how much they differ by.
    pub fn reserve(&mut self, number: u64) {
        self.next = self.next.max(number);
        self.look_out();
    }

    /// Where the scan is; the next event must be after it.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Every note it holds, in the order they were found.
    #[must_use]
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Payouts that it could not make out.
    #[must_use]
    pub fn unread(&self) -> &[Unread] {
        &self.unread
    }

    /// What it holds of an asset, in base units, wherever the notes are. The pool caps what it owes of an
    /// asset far below the largest sum there is.
    #[must_use]
    pub fn balance(&self, asset: Fr) -> u128 {
        let held = self.held.iter().filter(|held| held.note.asset == asset);
        held.fold(0, |sum, held| sum.saturating_add(held.note.amount))
    }

    /// Takes the next event of the pool, at its place on chain.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] and [`Error::Contradiction`]; then nothing has changed.
    pub fn scan(&mut self, at: Cursor, event: &Event) -> Result<(), Error> {
        if let Some(cursor) = self.cursor.filter(|cursor| at <= *cursor) {
            return Err(Error::OutOfOrder { at, cursor });
        }
        if at.block >= self.birthday {
            self.take(event)?;
        }
        self.cursor = Some(at);
        Ok(())
    }

    /// Looks at unread payouts again, with terms of the wallet's own: their consideration and scale. Returns
    /// how many could be made out.
    pub fn learn(&mut self, terms: &Terms) -> usize {
        let (consideration, scale) = (terms.deal.consideration_asset, terms.deal.scale);
        let order_hash = terms.hash();
        let unread = core::mem::take(&mut self.unread);
        let before = unread.len();
        for payout in unread {
            let known = payout.order_hash == order_hash;
            match self.make_out(&payout, consideration, scale).filter(|_| known) {
                Some(held) => self.held.push(held),
                None => self.unread.push(payout),
            }
        }
        before - self.unread.len()
    }

    fn take(&mut self, event: &Event) -> Result<(), Error> {
        match event {
            Event::Queued { position, leaf, hint, memo } => {
                if let Some((index, note)) = self.find(*leaf, *hint, *memo) {
                    let at = At::Queue(*position);
                    let source = Source::Line(index);
                    self.held.push(Held { note, source, at, nullifier: Fr::from(0), announced: 0 });
                    self.next = self.next.max(index + 1);
                    self.look_out();
                }
            }
            Event::Absorbed { position, count, index, .. } => {
                for at in 0..self.held.len() {
                    let held = self.held[at];
                    let At::Queue(queued) = held.at else { continue };
                    let Some(passed) = queued.checked_sub(*position).filter(|n| n < count) else {
                        continue;
                    };
                    let Some(index) = index.checked_add(passed) else { continue };
                    self.held[at] = self.placed(held, Fr::from(0), index);
                }
            }
            Event::Spent { nullifiers } => {
                self.held.retain(|held| !held.is_at(nullifiers));
            }
            Event::Announced { nullifier, time } => {
                for held in &mut self.held {
                    if held.is_at(&[*nullifier]) {
                        held.announced = *time;
                    }
                }
            }
            Event::Cleared(cleared) => self.take_cleared(cleared)?,
        }
        Ok(())
    }

    /// A note of the wallet's, if the leaf is one: of the number whose hint is the nearest below this one.
    fn find(&self, leaf: Fr, hint: Fr, memo: Fr) -> Option<(u64, Note)> {
        // As hints are elements, amounts may lead past p: then the nearest below is the largest.
        let below = self.hints.range(..=hint).next_back();
        let (base, index) = below.or_else(|| self.hints.last_key_value())?;
        let amount = field::to_u128(&(hint - base)).filter(|amount| *amount < AMOUNT_END)?;
        let line = self.keys.line(*index);
        let order_hash = memo - keys::memo_mask(line.nullifier_secret.expose());
        let (owner, rho) = (line.owner(), self.keys.rho(*index));
        let note = |asset: &Asset| Note { asset: asset.address, amount, owner, order_hash, rho };
        let note = self.assets.iter().map(note).find(|note| note.commitment() == leaf)?;
        Some((*index, note))
    }

    fn take_cleared(&mut self, cleared: &Cleared) -> Result<(), Error> {
        let Cleared { venue, index, slots, .. } = cleared;
        let n = slots.len() as u64;
        let (mut filled, mut found, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for (slot, published) in slots.iter().enumerate() {
            let Some(held) = self.held.iter().find(|held| held.is_at(&[published.nullifier]))
            else {
                continue;
            };
            let wrong = |what| Error::Contradiction { slot, what };
            let Source::Line(line) = held.source else { return Err(wrong("nullifier")) };
            let secret = self.keys.line(line).nullifier_secret;
            let secret = secret.expose();
            let opened =
                results::open(published.result, secret, published.nullifier, cleared.context);
            let (fill, premium_bps) = opened.ok_or(wrong("result"))?;
            let change = held.note.amount.checked_sub(fill).ok_or(wrong("result"))?;
            let rho = change_rho(secret, published.nullifier);
            let change = Note { amount: change, rho, ..held.note };
            if change.commitment() != published.change {
                return Err(wrong("change"));
            }
            let at = index + slot as u64;
            if change.amount != 0 {
                let held = Held { note: change, announced: 0, ..*held };
                found.push(self.placed(held, *venue, at + n));
            }
            let payout = Unread {
                line,
                collateral: held.note.asset,
                order_hash: held.note.order_hash,
                venue: *venue,
                index: at,
                leaf: published.payout,
                rho: payout_rho(secret, published.nullifier),
                fill,
                premium_bps,
                price: cleared.price,
            };
            match self.make_out_listed(&payout) {
                Some(held) => found.push(held),
                None => unread.push(payout),
            }
            filled.push(published.nullifier);
        }
        self.held.retain(|held| !held.is_at(&filled));
        self.held.extend(found);
        self.unread.extend(unread);
        Ok(())
    }

    /// The payout as a note of some listed asset, at the scale that decimals make.
    fn make_out_listed(&self, payout: &Unread) -> Option<Held> {
        let is_collateral = |asset: &&Asset| asset.address == payout.collateral;
        let collateral = self.assets.iter().find(is_collateral)?;
        self.assets.iter().find_map(|asset| {
            let scale = Scale::between(collateral.decimals, asset.decimals)?;
            self.make_out(payout, asset.address, scale)
        })
    }

    fn make_out(&self, payout: &Unread, asset: Fr, scale: Scale) -> Option<Held> {
        let Unread { line, venue, index, leaf, rho, fill, premium_bps, price, .. } = *payout;
        let amount = payout_ceil(fill, price, premium_bps, scale)?;
        let owner = self.keys.payout(line).owner();
        let note = Note { asset, amount, owner, order_hash: Fr::from(0), rho };
        if note.commitment() != leaf {
            return None;
        }
        let source = Source::Payout(line);
        let at = At::Tree { venue, index };
        let held = Held { note, source, at, nullifier: Fr::from(0), announced: 0 };
        Some(self.placed(held, venue, index))
    }

    /// The note in a tree, with the nullifier that it has there.
    fn placed(&self, held: Held, venue: Fr, index: u64) -> Held {
        let opening = self.opening(held.source);
        let secret = opening.nullifier_secret.expose();
        let nullifier = nullifier(secret, held.note.commitment(), place(venue, index));
        Held { at: At::Tree { venue, index }, nullifier, ..held }
    }

    fn opening(&self, source: Source) -> Opening {
        match source {
            Source::Line(index) => self.keys.line(index),
            Source::Payout(index) => self.keys.payout(index),
        }
    }

    /// Looks out for the next hints, up to the window's end.
    fn look_out(&mut self) {
        for index in self.hints.len() as u64..self.next.saturating_add(WINDOW) {
            self.hints.insert(self.keys.hint(index), index);
        }
    }
}

impl Held {
    /// Whether it is in a tree under one of these nullifiers.
    fn is_at(&self, nullifiers: &[Fr]) -> bool {
        matches!(self.at, At::Tree { .. }) && nullifiers.contains(&self.nullifier)
    }
}

#[cfg(test)]
mod tests;
