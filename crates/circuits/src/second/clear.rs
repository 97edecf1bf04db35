//! Clear: one round of fills, settled.
//!
//! The statement, in one sentence: *these nullifiers spend notes that exist, under terms their owners
//! put into them, inside the mandate the issuer registered and out of the order set the round was cleared
//! over; these leaves, which enter the venue's tree here, pay every maker at least what its terms ask and
//! return its change; the account is credited with what was filled and pays for it, the request is debited
//! by as much; and every owner can read its result from what is published.*
//!
//! Two assets move: collateral from makers to the account's position, consideration from the account to
//! makers. Each is conserved on its own: `Σ amount = Σ change + (position′ − position)` and
//! `consideration − consideration′ = Σ payout`. There are always `SLOTS` slots; one without a fill
//! spends a dummy note of zero under a dummy nullifier, and makes notes of zero.
//!
//! A maker's terms are for the mandate's deal by being hashed with it: issuer, instrument, consideration,
//! venue and scale are not compared, since terms for another deal are another note.
//!
//! What the circuit leaves to the pool: venue, context, index, both roots, the account before, that the
//! nullifiers' words allow it and differ, and the closing time. What it leaves to the venue: request,
//! mandate, cap, price, disclosure, order set and the enclave's signature.

use ark_r1cs_std::{eq::EqGadget, fields::FieldVar};
use ark_relations::gr1cs::ConstraintSystemRef;
use ark_std::{One, Zero};
use pool::{
    AMOUNT_BITS, AMOUNT_END, Fr, GAP_BAND_BITS, PREMIUM_BITS, PREMIUM_BPS_END, PRICE_BITS,
    TIME_BITS, TIME_END,
    hash::{poseidon, tag},
    keys::{self, NullifierSecret},
    request::Request,
    second::{
        account::{self, Account},
        deal::{Deal, PAYOUT_SCALE, SCALE_BITS, Scale, payout_ceil},
        mandate::{self, Mandate},
        note,
        orders::{self, PLACES},
        results,
        terms::{self, Terms},
        tree::{NOTE_DEPTH, ORDER_DEPTH, Path, subtree, zeros},
    },
    status::{self, Disclosure},
};
use zeroize::Zeroize;

use super::{
    Circuit, Relation,
    gadgets::{
        Appended, PathFields, PathWires, append, hash, is_nonzero, leaf, pack, pick, private, rule,
    },
};
use crate::{
    gadgets::{self, Result as Synthesis, Wire, equal_if, linear, range, range_if},
    r1cs::R1cs,
};

/// What the circuit is called, where keys and verifiers are told apart.
pub const NAME: &str = "clear";

/// Fills in one settlement, real and dummy together. Constant, so that their number stays private. Builds
/// for 4 and for 16 are other circuits with other keys.
pub const SLOTS: usize = 8;

/// Constraints of the circuit with 4, 8 and 16 slots.
pub const CONSTRAINTS: [usize; 3] = [62_972, 110_062, 204_498];

/// Values published beside those of slots.
pub const SHARED_VALUES: usize = 18;

/// Values published of a slot: nullifier, payout, change, result.
pub const SLOT_VALUES: usize = 4;

/// Levels of the subtree that a settlement of `slots` appends: the least that holds two leaves a slot.
#[must_use]
pub const fn height(slots: usize) -> usize {
    let mut height = 0;
    while 1 << (2 * height) < 2 * slots {
        height += 1;
    }
    height
}

// ---------------------------------------------------------------------------------------------------
// Statement
// ---------------------------------------------------------------------------------------------------

/// What a settlement makes public, in the order of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<T = Fr, const N: usize = SLOTS> {
    /// Kind, chain, pool, venue, the next index of the venue's tree, and the venue's hash of request,
    /// round, closing, price and order set.
    pub context: T,
    /// The venue, below 2^216: the pool has computed it.
    pub venue: T,
    /// The issuer's mandate.
    pub mandate: T,
    /// Most the request lets the clearing premium be, in basis points.
    pub premium_cap_bps: T,
    /// Oracle price at close: consideration units per collateral unit, 8 decimals.
    pub price: T,
    /// When the round closed, Unix seconds.
    pub closed_at: T,
    /// 0 immediate, 1 sealed.
    pub disclosure: T,
    /// The request's commitment before.
    pub request_old: T,
    /// The request's commitment after.
    pub request_new: T,
    /// The account's commitment before.
    pub account_old: T,
    /// The account's commitment after.
    pub account_new: T,
    /// The status left: plain if `disclosure` is 0, committed if it is 1.
    pub status: T,
    /// A root of the entry tree.
    pub entry_root: T,
    /// The root of the venue's tree before: notes are in it, and the leaves enter it.
    pub venue_root: T,
    /// The root of the venue's tree after.
    pub venue_root_after: T,
    /// Index of the first leaf in the venue's tree.
    pub index: T,
    /// The root of the order set.
    pub order_root: T,
    /// What was filled and paid and the premium, masked for the issuer.
    pub issuer_result: T,
    /// Of each slot, real or dummy.
    pub nullifiers: [T; N],
    /// Commitment of each slot's payout note.
    pub payouts: [T; N],
    /// Commitment of each slot's change note.
    pub changes: [T; N],
    /// Each slot's fill and the premium, masked for the note's owner.
    pub results: [T; N],
}

impl<T: Clone, const N: usize> Statement<T, N> {
    /// The values, in order.
    #[must_use]
    pub fn to_values(&self) -> Vec<T> {
        let mut values = vec![
            self.context.clone(),
            self.venue.clone(),
            self.mandate.clone(),
            self.premium_cap_bps.clone(),
            self.price.clone(),
            self.closed_at.clone(),
            self.disclosure.clone(),
            self.request_old.clone(),
            self.request_new.clone(),
            self.account_old.clone(),
            self.account_new.clone(),
            self.status.clone(),
            self.entry_root.clone(),
            self.venue_root.clone(),
            self.venue_root_after.clone(),
            self.index.clone(),
            self.order_root.clone(),
            self.issuer_result.clone(),
        ];
        for slots in [&self.nullifiers, &self.payouts, &self.changes, &self.results] {
            values.extend_from_slice(slots);
        }
        values
    }

    /// The inverse of [`Self::to_values`]; `None` if there are not as many.
    #[must_use]
    pub fn from_values(values: &[T]) -> Option<Self> {
        if values.len() != SHARED_VALUES + SLOT_VALUES * N {
            return None;
        }
        let (shared, slots) = values.split_at(SHARED_VALUES);
        let slots = |part: usize| core::array::from_fn(|slot| slots[part * N + slot].clone());
        Some(Self {
            context: shared[0].clone(),
            venue: shared[1].clone(),
            mandate: shared[2].clone(),
            premium_cap_bps: shared[3].clone(),
            price: shared[4].clone(),
            closed_at: shared[5].clone(),
            disclosure: shared[6].clone(),
            request_old: shared[7].clone(),
            request_new: shared[8].clone(),
            account_old: shared[9].clone(),
            account_new: shared[10].clone(),
            status: shared[11].clone(),
            entry_root: shared[12].clone(),
            venue_root: shared[13].clone(),
            venue_root_after: shared[14].clone(),
            index: shared[15].clone(),
            order_root: shared[16].clone(),
            issuer_result: shared[17].clone(),
            nullifiers: slots(0),
            payouts: slots(1),
            changes: slots(2),
            results: slots(3),
        })
    }

    /// The settlement's leaves, in the order they enter the tree: payouts, changes.
    #[must_use]
    pub fn leaves(&self) -> Vec<T> {
        [&self.payouts[..], &self.changes[..]].concat()
    }
}

// ---------------------------------------------------------------------------------------------------
// Witness
// ---------------------------------------------------------------------------------------------------

/// Everything about a round, secrets and all. It stays inside the enclave.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "every secret of a settlement at once")]
pub struct Witness<const N: usize = SLOTS> {
    /// What the chain says about the round.
    pub round: Round,
    /// What the issuer allows.
    pub mandate: Mandate,
    /// What is asked for, before this settlement.
    pub request: Request,
    /// What the issuer has, before this settlement. Its holder is the mandate's.
    pub account: Account,
    /// Clearing premium of every fill, in basis points.
    pub premium_bps: u16,
    /// The fills, and dummies for the rest.
    pub slots: [Slot; N],
    /// Where the leaves go: the venue's tree's [`pool::second::tree::Tree::path`] at [`height`].
    pub path: Path,
}

/// What the chain says about a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// See [`Statement::context`].
    pub context: Fr,
    /// A recent root of the entry tree.
    pub entry_root: Fr,
    /// The root of the venue's tree.
    pub venue_root: Fr,
    /// The root of the order set.
    pub order_root: Fr,
    /// Most the request lets the clearing premium be, in basis points, below 2^14.
    pub premium_cap_bps: u16,
    /// Oracle price at close: consideration units per collateral unit, 8 decimals.
    pub price: u64,
    /// When the round closed, Unix seconds, below 2^40.
    pub closed_at: u64,
    /// What to show of the status.
    pub disclosure: Disclosure,
}

/// A maker's note and what is taken of it, or nothing.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds a maker's secret and its fill")]
pub struct Slot {
    /// The note's amount, in base units of the collateral, below 2^112; 0 if nothing is filled.
    pub amount: u128,
    /// The owner's `ak`.
    pub spend_key: Fr,
    /// The note line's `nsk`.
    pub nullifier_secret: NullifierSecret,
    /// What the owner allows.
    pub terms: Terms,
    /// The note's `rho`.
    pub rho: Fr,
    /// Whether the note is in the venue's tree and not in the entry tree.
    pub in_venue: bool,
    /// Where it is there.
    pub path: Path,
    /// The order's receipt.
    pub receipt: u64,
    /// The order's place in the set, and what leads from it to the root.
    pub place: Path,
    /// What is taken, in base units of the collateral, below 2^112. If nothing is, there is no note: the
    /// slot is a dummy, and what it says besides is free.
    pub fill: u128,
}

impl Slot {
    /// A slot without a fill. `entropy` makes its notes and nullifier look like any other's; it must be
    /// secret and not be used again.
    #[must_use]
    pub fn dummy(entropy: &[u8; 32]) -> Self {
        let nullifier_secret = NullifierSecret::from_entropy(entropy);
        let nobody = poseidon(&[tag("dummy"), *nullifier_secret.expose()]);
        let nothing = Deal {
            issuer: Fr::zero(),
            instrument: Fr::zero(),
            consideration_asset: Fr::zero(),
            venue: Fr::zero(),
            scale: Scale::PAR,
        };
        Self {
            amount: 0,
            spend_key: nobody,
            nullifier_secret,
            terms: Terms {
                deal: nothing,
                payout_owner: nobody,
                premium_bps_min: 0,
                price_min: 0,
                price_max: 0,
                fill_min: 0,
                gap_band_max: 0,
                expiry: 0,
            },
            rho: Fr::zero(),
            in_venue: false,
            path: Path::dummy(NOTE_DEPTH),
            receipt: 0,
            place: Path::dummy(ORDER_DEPTH),
            fill: 0,
        }
    }

    /// The note's owner.
    #[must_use]
    pub fn owner(&self) -> Fr {
        keys::owner(self.spend_key, self.nullifier_secret.nullifier_key())
    }

    /// The note's commitment, of a note of `asset`.
    #[must_use]
    pub fn commitment(&self, asset: Fr) -> Fr {
        let inner = note::inner(self.owner(), self.terms.hash(), self.rho);
        note::leaf(asset, Fr::from(self.amount), inner)
    }
}

// ---------------------------------------------------------------------------------------------------
// Relation, in plain Rust
// ---------------------------------------------------------------------------------------------------

/// Which rule a witness breaks. `slot` counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An integer is wider than the circuit has room for.
    #[error("{value} is out of range: it must be below 2^{bits}")]
    Range {
        /// What it is.
        value: &'static str,
        /// Bits it may have.
        bits: u32,
    },
    /// As [`Self::Range`], in a slot.
    #[error("slot {slot}: {value} is out of range: it must be below 2^{bits}")]
    SlotRange {
        /// Where.
        slot: usize,
        /// What it is.
        value: &'static str,
        /// Bits it may have.
        bits: u32,
    },
    /// A path has another number of levels than its tree.
    #[error("{path} has {found} levels, its tree has {expected}")]
    Levels {
        /// Which.
        path: &'static str,
        /// Its levels.
        found: usize,
        /// Levels there are.
        expected: usize,
    },
    /// The request is under another mandate.
    #[error("request is under another mandate; hint: a new mandate needs a new request")]
    RequestMandate,
    /// The request offers another instrument than the mandate.
    #[error("request offers another instrument than the mandate")]
    RequestInstrument,
    /// The account is another holder's.
    #[error("account has another {field} than the mandate")]
    AccountForAnother {
        /// What differs.
        field: &'static str,
    },
    /// More was asked for than the mandate allows.
    #[error("request is for {requested}, the mandate allows {max} an epoch")]
    RequestAboveMandate {
        /// Asked for.
        requested: u128,
        /// Allowed.
        max: u128,
    },
    /// More is missing than was asked for.
    #[error("request has {remaining} remaining of {requested}")]
    RemainingAboveRequested {
        /// Missing.
        remaining: u128,
        /// Asked for.
        requested: u128,
    },
    /// The price is outside the mandate's band.
    #[error("price {price} is outside the mandate's band {min} to {max}")]
    PriceOutsideMandate {
        /// The price.
        price: u64,
        /// Lowest allowed.
        min: u64,
        /// Highest allowed.
        max: u64,
    },
    /// The round closed after the mandate expired.
    #[error("round closed at {closed_at}, after the mandate expired at {expiry}")]
    MandateExpired {
        /// Unix seconds.
        closed_at: u64,
        /// Unix seconds.
        expiry: u64,
    },
    /// The premium is above the request's cap.
    #[error("premium of {premium_bps} bp is above the request's cap of {cap_bps} bp")]
    PremiumAboveCap {
        /// Basis points.
        premium_bps: u16,
        /// Basis points.
        cap_bps: u16,
    },
    /// The premium is above the mandate's maximum.
    #[error("premium of {premium_bps} bp is above the mandate's maximum of {max_bps} bp")]
    PremiumAboveMandate {
        /// Basis points.
        premium_bps: u16,
        /// Basis points.
        max_bps: u16,
    },
    /// Epochs of no length.
    #[error("mandate's epoch has no seconds")]
    NoEpoch,
    /// A slot without a fill has a note.
    #[error("slot {slot}: nothing is filled of a note of {amount}; hint: leave it out")]
    DummyNotEmpty {
        /// Where.
        slot: usize,
        /// Its amount.
        amount: u128,
    },
    /// The note is not in the tree.
    #[error("slot {slot}: note is not in the tree at its root")]
    NotInTree {
        /// Where.
        slot: usize,
    },
    /// The order is not in the set.
    #[error("slot {slot}: order is not in the round's order set at its place")]
    NotInOrderSet {
        /// Where.
        slot: usize,
    },
    /// Two slots spend one note.
    #[error("slots {first} and {second} spend the same note")]
    NoteTwice {
        /// Where.
        first: usize,
        /// And where.
        second: usize,
    },
    /// The terms are for another deal.
    #[error("slot {slot}: terms are for another deal than the mandate's")]
    TermsForAnother {
        /// Where.
        slot: usize,
    },
    /// The fill is smaller than the terms allow.
    #[error("slot {slot}: fill of {fill} is below the maker's minimum of {min}")]
    FillBelowMinimum {
        /// Where.
        slot: usize,
        /// Filled.
        fill: u128,
        /// Least allowed.
        min: u128,
    },
    /// The fill is smaller than the mandate lets a slot be taken for, and leaves something to fill.
    #[error("slot {slot}: fill of {fill} is below the mandate's slot minimum of {min}")]
    FillBelowSlot {
        /// Where.
        slot: usize,
        /// Filled.
        fill: u128,
        /// Least allowed.
        min: u128,
    },
    /// The fill is no whole number of lots.
    #[error("slot {slot}: fill of {fill} is not a multiple of the mandate's lot of {lot}")]
    FillNotInLots {
        /// Where.
        slot: usize,
        /// Filled.
        fill: u128,
        /// The lot.
        lot: u128,
    },
    /// The fill is larger than the note.
    #[error("slot {slot}: fill of {fill} is above the note's {amount}")]
    FillAboveNote {
        /// Where.
        slot: usize,
        /// Filled.
        fill: u128,
        /// What the note has.
        amount: u128,
    },
    /// The premium is lower than the terms allow.
    #[error(
        "slot {slot}: premium of {premium_bps} bp is below the maker's minimum of {min_bps} bp"
    )]
    PremiumBelowTerms {
        /// Where.
        slot: usize,
        /// Basis points.
        premium_bps: u16,
        /// Basis points.
        min_bps: u16,
    },
    /// The price is outside the terms' band.
    #[error("slot {slot}: price {price} is outside the maker's band {min} to {max}")]
    PriceOutsideTerms {
        /// Where.
        slot: usize,
        /// The price.
        price: u64,
        /// Lowest allowed.
        min: u64,
        /// Highest allowed.
        max: u64,
    },
    /// The gap is worse than the terms allow.
    #[error("slot {slot}: gap band {gap_band} is above the maker's maximum of {max}")]
    GapBandAboveTerms {
        /// Where.
        slot: usize,
        /// The request's.
        gap_band: u8,
        /// Highest allowed.
        max: u8,
    },
    /// The round closed after the terms expired.
    #[error("slot {slot}: round closed at {closed_at}, after the terms expired at {expiry}")]
    TermsExpired {
        /// Where.
        slot: usize,
        /// Unix seconds.
        closed_at: u64,
        /// Unix seconds.
        expiry: u64,
    },
    /// The payout is 2^112 or more.
    #[error("slot {slot}: payout is out of range: it must be below 2^112")]
    PayoutTooLarge {
        /// Where.
        slot: usize,
    },
    /// Payouts are more than the account has.
    #[error("payouts are {paid}, the account has a consideration of {has}; hint: fund it")]
    PaidAboveAccount {
        /// All of them.
        paid: u128,
        /// What it has.
        has: u128,
    },
    /// More is filled than remains.
    #[error("fills are {filled}, only {remaining} remains")]
    FillAboveRemaining {
        /// All of them.
        filled: u128,
        /// What remains.
        remaining: u128,
    },
    /// The epoch would bring more than the mandate allows.
    #[error("fills are {filled} and the epoch has {spent} already, the mandate allows {max}")]
    EpochAboveMandate {
        /// All fills.
        filled: u128,
        /// What the epoch had before.
        spent: u128,
        /// Allowed.
        max: u128,
    },
    /// The position would reach 2^112.
    #[error("position of {has} cannot take {filled} more: it must stay below 2^112")]
    PositionTooLarge {
        /// What it has.
        has: u128,
        /// What it would get.
        filled: u128,
    },
    /// There are leaves where these should go.
    #[error("venue's tree is not empty at subtree {index}, or has another root")]
    NotEmpty {
        /// The subtree's index.
        index: u64,
    },
}

impl<const N: usize> Witness<N> {
    /// What is proven about this witness.
    ///
    /// # Errors
    /// The first [`Violation`] if the relation does not hold.
    pub fn statement(&self) -> Result<Statement<Fr, N>, Violation> {
        self.check_ranges()?;
        self.check_mandate()?;
        for (slot, fill) in self.slots.iter().enumerate() {
            if fill.fill != 0 {
                self.check_fill(slot, fill)?;
            } else if fill.amount != 0 {
                return Err(Violation::DummyNotEmpty { slot, amount: fill.amount });
            }
        }
        self.check_sums()?;
        let before = self.path.root(zeros()[height(N)]);
        let index = self.path.index;
        check(before == self.round.venue_root, Violation::NotEmpty { index })?;
        let statement = Assignment::of(self).statement();
        self.check_distinct(&statement)?;
        Ok(statement)
    }

    /// What each slot is paid, in base units of the consideration, rounded up. `None` where that is
    /// 2^112 or more.
    #[must_use]
    pub fn payouts_ceil(&self) -> [Option<u128>; N] {
        let (price, scale) = (self.round.price, self.mandate.deal.scale);
        core::array::from_fn(|slot| {
            payout_ceil(self.slots[slot].fill, price, self.premium_bps, scale)
        })
    }

    /// What all slots are filled with.
    #[must_use]
    pub fn filled(&self) -> u128 {
        // As many amounts of 112 bits as a settlement has cannot overflow 128.
        self.slots.iter().map(|slot| slot.fill).sum()
    }

    /// The epoch this round is of: its closing time in epochs of the mandate.
    fn epoch(&self) -> u64 {
        self.round.closed_at.checked_div(self.mandate.epoch_seconds).unwrap_or(0)
    }

    /// What this epoch had before.
    fn spent(&self) -> u128 {
        if self.account.epoch == self.epoch() { self.account.spent } else { 0 }
    }

    fn check_ranges(&self) -> Result<(), Violation> {
        let Self { round, mandate, request, account, .. } = self;
        let amounts = [
            ("mandate's maximum amount", mandate.amount_max),
            ("mandate's lot", mandate.lot),
            ("mandate's slot minimum", mandate.slot_min),
            ("requested amount", request.requested),
            ("remaining amount", request.remaining),
            ("position", account.position),
            ("consideration", account.consideration),
            ("epoch's sum", account.spent),
        ];
        for (value, amount) in amounts {
            check(amount < AMOUNT_END, Violation::Range { value, bits: AMOUNT_BITS })?;
        }
        let premiums = [
            ("premium cap", round.premium_cap_bps),
            ("mandate's maximum premium", mandate.premium_bps_max),
            ("premium", self.premium_bps),
        ];
        for (value, premium_bps) in premiums {
            let fits = premium_bps < PREMIUM_BPS_END;
            check(fits, Violation::Range { value, bits: PREMIUM_BITS })?;
        }
        let times = [
            ("close", round.closed_at),
            ("mandate's expiry", mandate.expiry),
            ("mandate's epoch", mandate.epoch_seconds),
            ("account's epoch", account.epoch),
        ];
        for (value, time) in times {
            check(time < TIME_END, Violation::Range { value, bits: TIME_BITS })?;
        }
        let scale = Violation::Range { value: "mandate's scale", bits: SCALE_BITS };
        check(mandate.deal.scale.fits(), scale)?;
        let levels = |path, found: usize, expected| {
            check(found == expected, Violation::Levels { path, found, expected })
        };
        let above = NOTE_DEPTH - height(N);
        levels("path of the leaves", self.path.siblings.len(), above)?;
        let fits = self.path.index >> (2 * above) == 0;
        check(fits, Violation::Range { value: "subtree's index", bits: bits_of(above) })?;

        for (slot, fill) in self.slots.iter().enumerate() {
            let out = |value, bits| Violation::SlotRange { slot, value, bits };
            let terms = &fill.terms;
            check(fill.amount < AMOUNT_END, out("amount", AMOUNT_BITS))?;
            check(fill.fill < AMOUNT_END, out("fill", AMOUNT_BITS))?;
            check(terms.fill_min < AMOUNT_END, out("minimum fill", AMOUNT_BITS))?;
            check(terms.premium_bps_min < PREMIUM_BPS_END, out("minimum premium", PREMIUM_BITS))?;
            check(terms.expiry < TIME_END, out("expiry", TIME_BITS))?;
            levels("path of a note", fill.path.siblings.len(), NOTE_DEPTH)?;
            levels("path of an order", fill.place.siblings.len(), ORDER_DEPTH)?;
            check(fill.path.index >> 32 == 0, out("leaf index", 32))?;
            check(fill.place.index < PLACES, out("place", bits_of(ORDER_DEPTH)))?;
        }
        Ok(())
    }

    fn check_mandate(&self) -> Result<(), Violation> {
        let Self { round, mandate, request, account, premium_bps, .. } = self;
        let Deal { venue, issuer, consideration_asset, instrument, .. } = mandate.deal;
        check(request.mandate == mandate.commitment(), Violation::RequestMandate)?;
        check(request.instrument == instrument, Violation::RequestInstrument)?;
        let holder = &account.holder;
        let same = [
            ("venue", holder.venue, venue),
            ("issuer", holder.issuer, issuer),
            ("collateral", holder.collateral_asset, mandate.collateral_asset),
            ("consideration", holder.consideration_asset, consideration_asset),
        ];
        for (field, theirs, ours) in same {
            check(theirs == ours, Violation::AccountForAnother { field })?;
        }
        let (requested, max) = (request.requested, mandate.amount_max);
        check(requested <= max, Violation::RequestAboveMandate { requested, max })?;
        let remaining = request.remaining;
        check(remaining <= requested, Violation::RemainingAboveRequested { remaining, requested })?;
        let (price, min, max) = (round.price, mandate.price_min, mandate.price_max);
        check((min..=max).contains(&price), Violation::PriceOutsideMandate { price, min, max })?;
        let (closed_at, expiry) = (round.closed_at, mandate.expiry);
        check(closed_at <= expiry, Violation::MandateExpired { closed_at, expiry })?;
        check(mandate.epoch_seconds != 0, Violation::NoEpoch)?;
        let (premium_bps, cap_bps) = (*premium_bps, round.premium_cap_bps);
        check(premium_bps <= cap_bps, Violation::PremiumAboveCap { premium_bps, cap_bps })?;
        let max_bps = mandate.premium_bps_max;
        check(premium_bps <= max_bps, Violation::PremiumAboveMandate { premium_bps, max_bps })
    }

    fn check_fill(&self, slot: usize, fill: &Slot) -> Result<(), Violation> {
        let Self { round, mandate, .. } = self;
        let terms = &fill.terms;
        check(terms.deal == mandate.deal, Violation::TermsForAnother { slot })?;
        let commitment = fill.commitment(mandate.collateral_asset);
        let root = if fill.in_venue { round.venue_root } else { round.entry_root };
        check(fill.path.root(commitment) == root, Violation::NotInTree { slot })?;
        let (receipt, place) = (Fr::from(fill.receipt), Fr::from(fill.place.index));
        let order = orders::leaf(commitment, receipt, place, fill.nullifier_secret.expose());
        let root = fill.place.root(order);
        check(root == round.order_root, Violation::NotInOrderSet { slot })?;

        let min = terms.fill_min;
        let (filled, amount) = (fill.fill, fill.amount);
        check(filled >= min, Violation::FillBelowMinimum { slot, fill: filled, min })?;
        check(filled <= amount, Violation::FillAboveNote { slot, fill: filled, amount })?;
        let lot = mandate.lot;
        let is_whole = filled.checked_rem(lot) == Some(0);
        check(is_whole, Violation::FillNotInLots { slot, fill: filled, lot })?;
        let min = mandate.slot_min;
        let fits = filled >= min || self.filled() == self.request.remaining;
        check(fits, Violation::FillBelowSlot { slot, fill: filled, min })?;
        let (premium_bps, min_bps) = (self.premium_bps, terms.premium_bps_min);
        check(premium_bps >= min_bps, Violation::PremiumBelowTerms { slot, premium_bps, min_bps })?;
        let (price, min, max) = (round.price, terms.price_min, terms.price_max);
        check(
            (min..=max).contains(&price),
            Violation::PriceOutsideTerms { slot, price, min, max },
        )?;
        let (gap_band, max) = (self.request.gap_band, terms.gap_band_max);
        check(gap_band <= max, Violation::GapBandAboveTerms { slot, gap_band, max })?;
        let (closed_at, expiry) = (round.closed_at, terms.expiry);
        check(closed_at <= expiry, Violation::TermsExpired { slot, closed_at, expiry })
    }

    fn check_sums(&self) -> Result<(), Violation> {
        let Self { mandate, request, account, .. } = self;
        let mut paid = 0;
        for (slot, payout) in self.payouts_ceil().into_iter().enumerate() {
            paid += payout.ok_or(Violation::PayoutTooLarge { slot })?;
        }
        let has = account.consideration;
        check(paid <= has, Violation::PaidAboveAccount { paid, has })?;
        let (filled, remaining) = (self.filled(), request.remaining);
        check(filled <= remaining, Violation::FillAboveRemaining { filled, remaining })?;
        let (spent, max) = (self.spent(), mandate.amount_max);
        let fits = spent + filled <= max;
        check(fits, Violation::EpochAboveMandate { filled, spent, max })?;
        let has = account.position;
        check(has + filled < AMOUNT_END, Violation::PositionTooLarge { has, filled })
    }

    /// The pool refuses equal nullifiers; here they are refused before a proof is made for nothing.
    fn check_distinct(&self, statement: &Statement<Fr, N>) -> Result<(), Violation> {
        for second in 0..N {
            for first in 0..second {
                let [one, other] = [first, second].map(|slot| statement.nullifiers[slot]);
                check(one != other, Violation::NoteTwice { first, second })?;
            }
        }
        Ok(())
    }
}

fn check(holds: bool, violation: Violation) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(violation) }
}

/// Bits of an index under so many levels.
fn bits_of(levels: usize) -> u32 {
    u32::try_from(2 * levels).expect("a tree has 16 levels")
}

/// A witness as field elements, which is all the constraints see of it. Unlike a [`Witness`] it can
/// hold what no honest type can, a negative amount for instance, and the constraints must refuse it.
#[derive(Clone)]
pub(crate) struct Assignment<const N: usize> {
    pub(crate) context: Fr,
    pub(crate) entry_root: Fr,
    pub(crate) venue_root: Fr,
    pub(crate) order_root: Fr,
    pub(crate) premium_cap_bps: Fr,
    pub(crate) price: Fr,
    pub(crate) closed_at: Fr,
    pub(crate) disclosure: Fr,
    pub(crate) venue: Fr,
    pub(crate) mandate: MandateFields<Fr>,
    pub(crate) request: RequestFields<Fr>,
    pub(crate) account: AccountFields<Fr>,
    pub(crate) premium_bps: Fr,
    /// The epoch of the closing, and the seconds of it that have passed. Not free: a division has one
    /// result.
    pub(crate) epoch: Fr,
    pub(crate) epoch_passed: Fr,
    pub(crate) slots: [SlotFields; N],
    pub(crate) path: PathFields,
}

/// A struct of equal things, so that values and wires are laid out by one definition.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $name<T> { $(pub(crate) $field: T),+ }

        impl $name<Fr> {
            /// Allocates every field as the prover's.
            fn private(&self, cs: &ConstraintSystemRef<Fr>) -> Synthesis<$name<Wire>> {
                Ok($name { $($field: private(cs, &self.$field)?),+ })
            }

            #[cfg(test)]
            fn each_mut<'a>(&'a mut self, f: &mut impl FnMut(&'static str, &'a mut Fr)) {
                $(f(concat!(stringify!($name), ".", stringify!($field)), &mut self.$field);)+
            }
        }
    };
}

record!(
    /// See [`Mandate`]; its venue is the round's.
    MandateFields {
        issuer,
        instrument,
        collateral_asset,
        consideration_asset,
        scale_up,
        scale_down,
        premium_bps_max,
        price_min,
        price_max,
        expiry,
        epoch_seconds,
        amount_max,
        lot,
        slot_min,
        salt,
    }
);

record!(
    /// See [`Request`].
    RequestFields { requested, remaining, instrument, mandate, gap_band, salt }
);

record!(
    /// See [`Account`]; its holder is the mandate's.
    AccountFields { position, consideration, epoch, spent, salt }
);

record!(
    /// See [`Terms`]; their deal is the mandate's.
    TermsFields {
        payout_owner,
        premium_bps_min,
        price_min,
        price_max,
        fill_min,
        gap_band_max,
        expiry,
    }
);

record!(
    /// A note about to be spent, where its order is from and what becomes of it. Lots and payout are not
    /// free: either equation has one solution.
    FillFields {
        amount,
        spend_key,
        nullifier_secret,
        rho,
        in_venue,
        receipt,
        fill,
        lots,
        payout,
    }
);

/// See [`Slot`].
#[derive(Clone)]
pub(crate) struct SlotFields {
    pub(crate) fill: FillFields<Fr>,
    pub(crate) terms: TermsFields<Fr>,
    pub(crate) path: PathFields,
    pub(crate) place: PathFields,
}

impl Drop for SlotFields {
    fn drop(&mut self) {
        self.fill.nullifier_secret.zeroize();
    }
}

impl<const N: usize> Assignment<N> {
    /// The field elements of a witness, whether it satisfies the relation or not.
    pub(crate) fn of(witness: &Witness<N>) -> Self {
        let Witness { round, mandate, request, account, premium_bps, slots, path } = witness;
        let payouts = witness.payouts_ceil();
        let epoch = witness.epoch();
        let deal = &mandate.deal;
        let mut assignment = Self {
            context: round.context,
            entry_root: round.entry_root,
            venue_root: round.venue_root,
            order_root: round.order_root,
            premium_cap_bps: Fr::from(round.premium_cap_bps),
            price: Fr::from(round.price),
            closed_at: Fr::from(round.closed_at),
            disclosure: Fr::from(round.disclosure.to_bit()),
            venue: deal.venue,
            mandate: MandateFields {
                issuer: deal.issuer,
                instrument: deal.instrument,
                collateral_asset: mandate.collateral_asset,
                consideration_asset: deal.consideration_asset,
                scale_up: Fr::from(deal.scale.up),
                scale_down: Fr::from(deal.scale.down),
                premium_bps_max: Fr::from(mandate.premium_bps_max),
                price_min: Fr::from(mandate.price_min),
                price_max: Fr::from(mandate.price_max),
                expiry: Fr::from(mandate.expiry),
                epoch_seconds: Fr::from(mandate.epoch_seconds),
                amount_max: Fr::from(mandate.amount_max),
                lot: Fr::from(mandate.lot),
                slot_min: Fr::from(mandate.slot_min),
                salt: mandate.salt,
            },
            request: RequestFields {
                requested: Fr::from(request.requested),
                remaining: Fr::from(request.remaining),
                instrument: request.instrument,
                mandate: request.mandate,
                gap_band: Fr::from(request.gap_band),
                salt: request.salt,
            },
            account: AccountFields {
                position: Fr::from(account.position),
                consideration: Fr::from(account.consideration),
                epoch: Fr::from(account.epoch),
                spent: Fr::from(account.spent),
                salt: account.salt,
            },
            premium_bps: Fr::from(*premium_bps),
            epoch: Fr::from(epoch),
            epoch_passed: Fr::from(
                round.closed_at.checked_rem(mandate.epoch_seconds).unwrap_or(round.closed_at),
            ),
            slots: core::array::from_fn(|index| {
                let slot = &slots[index];
                let terms = &slot.terms;
                SlotFields {
                    fill: FillFields {
                        amount: Fr::from(slot.amount),
                        spend_key: slot.spend_key,
                        nullifier_secret: *slot.nullifier_secret.expose(),
                        rho: slot.rho,
                        in_venue: Fr::from(slot.in_venue),
                        receipt: Fr::from(slot.receipt),
                        fill: Fr::from(slot.fill),
                        lots: Fr::from(slot.fill.checked_div(mandate.lot).unwrap_or(0)),
                        payout: Fr::from(payouts[index].unwrap_or(0)),
                    },
                    terms: TermsFields {
                        payout_owner: terms.payout_owner,
                        premium_bps_min: Fr::from(terms.premium_bps_min),
                        price_min: Fr::from(terms.price_min),
                        price_max: Fr::from(terms.price_max),
                        fill_min: Fr::from(terms.fill_min),
                        gap_band_max: Fr::from(terms.gap_band_max),
                        expiry: Fr::from(terms.expiry),
                    },
                    path: PathFields::of(&slot.path, Fr::zero()),
                    place: PathFields::of(&slot.place, Fr::zero()),
                }
            }),
            path: PathFields::of(path, zeros()[height(N)]),
        };
        for (index, slot) in slots.iter().enumerate() {
            assignment.lead(index, &slot.path, &slot.place);
        }
        assignment
    }

    /// Makes the paths of a slot lead from its note and from its order.
    pub(crate) fn lead(&mut self, slot: usize, path: &Path, place: &Path) {
        let commitment = self.commitment(slot);
        self.slots[slot].path = PathFields::of(path, commitment);
        self.slots[slot].place = PathFields::of(place, Fr::zero());
        self.slots[slot].place = PathFields::of(place, self.order(slot));
    }

    pub(crate) fn deal(&self) -> Fr {
        let MandateFields { issuer, instrument, consideration_asset, .. } = self.mandate;
        let scale = pool::second::pack(&[
            (self.mandate.scale_up, SCALE_BITS),
            (self.mandate.scale_down, SCALE_BITS),
        ]);
        pool::second::deal::hash([issuer, instrument, consideration_asset, self.venue, scale])
    }

    pub(crate) fn mandate_commitment(&self) -> Fr {
        let MandateFields { premium_bps_max, price_min, price_max, expiry, .. } = self.mandate;
        let MandateFields { epoch_seconds, amount_max, lot, slot_min, salt, .. } = self.mandate;
        mandate::commitment([
            self.deal(),
            self.mandate.collateral_asset,
            mandate::limits([premium_bps_max, price_min, price_max, expiry, epoch_seconds]),
            mandate::amounts(amount_max, lot),
            slot_min,
            salt,
        ])
    }

    fn account_commitment(&self, account: &AccountFields<Fr>) -> Fr {
        let holder = account::Holder {
            venue: self.venue,
            issuer: self.mandate.issuer,
            collateral_asset: self.mandate.collateral_asset,
            consideration_asset: self.mandate.consideration_asset,
        };
        account::commitment([
            holder.hash(),
            account.position,
            account.consideration,
            account::used(account.epoch, account.spent),
            account.salt,
        ])
    }

    fn order_hash(&self, slot: usize) -> Fr {
        let TermsFields { payout_owner, premium_bps_min, price_min, price_max, .. } =
            self.slots[slot].terms;
        let TermsFields { fill_min, gap_band_max, expiry, .. } = self.slots[slot].terms;
        let limits = terms::limits([premium_bps_min, price_min, price_max, gap_band_max, expiry]);
        terms::hash(self.deal(), payout_owner, limits, fill_min)
    }

    fn owner(&self, slot: usize) -> Fr {
        let FillFields { spend_key, nullifier_secret, .. } = self.slots[slot].fill;
        keys::owner(spend_key, poseidon(&[tag("npk"), nullifier_secret]))
    }

    /// The commitment of the note that a slot spends.
    pub(crate) fn commitment(&self, slot: usize) -> Fr {
        let FillFields { amount, rho, .. } = self.slots[slot].fill;
        let inner = note::inner(self.owner(slot), self.order_hash(slot), rho);
        note::leaf(self.mandate.collateral_asset, amount, inner)
    }

    /// The leaf of a slot's order in the set.
    pub(crate) fn order(&self, slot: usize) -> Fr {
        let SlotFields { fill, place, .. } = &self.slots[slot];
        let place = place.index();
        orders::leaf(self.commitment(slot), fill.receipt, place, &fill.nullifier_secret)
    }

    fn nullifier(&self, slot: usize) -> Fr {
        let SlotFields { fill, path, .. } = &self.slots[slot];
        let nsk = &fill.nullifier_secret;
        if fill.fill.is_zero() {
            return note::dummy_nullifier(nsk, self.context, slot);
        }
        let place = note::place(self.venue * fill.in_venue, 0) + path.index();
        note::nullifier(nsk, self.commitment(slot), place)
    }

    /// What this assignment would publish. Sums wrap in the field, so that there is an answer for
    /// assignments the relation refuses.
    pub(crate) fn statement(&self) -> Statement<Fr, N> {
        self.statement_under(core::array::from_fn(|slot| self.nullifier(slot)))
    }

    /// [`Self::statement`] as if nullifiers were these.
    pub(crate) fn statement_under(&self, nullifiers: [Fr; N]) -> Statement<Fr, N> {
        let Self { context, request, account, premium_bps, .. } = self;
        let filled: Fr = self.slots.iter().map(|slot| slot.fill.fill).sum();
        let paid: Fr = self.slots.iter().map(|slot| slot.fill.payout).sum();
        let next = |name, salt| poseidon(&[tag(name), salt, *context]);

        let remaining = request.remaining - filled;
        let status = Fr::from(if remaining.is_zero() {
            status::FILLED
        } else if remaining == request.requested {
            status::PENDING
        } else {
            status::PARTIALLY_FILLED
        });
        let sealed =
            pool::hash::compress(tag("status") + status, status::salt(request.salt, *context));
        let spent = if self.epoch == account.epoch { account.spent } else { Fr::zero() };

        let payouts: [Fr; N] = core::array::from_fn(|slot| {
            let SlotFields { fill, terms, .. } = &self.slots[slot];
            let rho = note::payout_rho(&fill.nullifier_secret, nullifiers[slot]);
            let inner = note::inner(terms.payout_owner, Fr::zero(), rho);
            note::leaf(self.mandate.consideration_asset, fill.payout, inner)
        });
        let changes: [Fr; N] = core::array::from_fn(|slot| {
            let FillFields { nullifier_secret, amount, fill, .. } = &self.slots[slot].fill;
            let rho = note::change_rho(nullifier_secret, nullifiers[slot]);
            let inner = note::inner(self.owner(slot), self.order_hash(slot), rho);
            note::leaf(self.mandate.collateral_asset, *amount - fill, inner)
        });
        let leaves = [&payouts[..], &changes[..]].concat();
        Statement {
            context: *context,
            venue: self.venue,
            mandate: self.mandate_commitment(),
            premium_cap_bps: self.premium_cap_bps,
            price: self.price,
            closed_at: self.closed_at,
            disclosure: self.disclosure,
            request_old: request.commitment(),
            request_new: RequestFields {
                remaining,
                salt: next("salt.request", request.salt),
                ..request.clone()
            }
            .commitment(),
            account_old: self.account_commitment(account),
            account_new: self.account_commitment(&AccountFields {
                position: account.position + filled,
                consideration: account.consideration - paid,
                epoch: self.epoch,
                spent: spent + filled,
                salt: account::next_salt(account.salt, *context),
            }),
            status: status + self.disclosure * (sealed - status),
            entry_root: self.entry_root,
            venue_root: self.venue_root,
            venue_root_after: self.root_after(&leaves),
            index: self.path.index() * Fr::from(1_u64 << (2 * height(N))),
            order_root: self.order_root,
            issuer_result: results::issuer_result(filled, paid, *premium_bps)
                + results::issuer_mask(account.salt, *context),
            results: core::array::from_fn(|slot| {
                let FillFields { nullifier_secret, fill, .. } = &self.slots[slot].fill;
                results::result(*fill, *premium_bps)
                    + results::mask(nullifier_secret, nullifiers[slot], *context)
            }),
            nullifiers,
            payouts,
            changes,
        }
    }

    /// The root of the venue's tree with these leaves at the path.
    pub(crate) fn root_after(&self, leaves: &[Fr]) -> Fr {
        self.path.replaced(zeros()[height(N)], subtree(leaves, height(N)))
    }
}

impl RequestFields<Fr> {
    fn commitment(&self) -> Fr {
        let Self { requested, remaining, instrument, mandate, gap_band, salt } = *self;
        poseidon(&[tag("request"), requested, remaining, instrument, mandate, gap_band, salt])
    }
}

// ---------------------------------------------------------------------------------------------------
// Relation, in constraints
// ---------------------------------------------------------------------------------------------------

/// The matrices of the circuit with `N` slots.
#[must_use]
pub fn r1cs<const N: usize>() -> R1cs {
    R1cs::of(blank::<N>())
}

/// The circuit without a witness.
pub(crate) fn blank<const N: usize>() -> Circuit<Assignment<N>> {
    let zero = Fr::zero();
    let slot = Slot::dummy(&[0; 32]);
    let deal = slot.terms.deal;
    let blank = Witness {
        round: Round {
            context: zero,
            entry_root: zero,
            venue_root: zero,
            order_root: zero,
            premium_cap_bps: 0,
            price: 0,
            closed_at: 0,
            disclosure: Disclosure::Immediate,
        },
        mandate: Mandate {
            deal,
            collateral_asset: zero,
            premium_bps_max: 0,
            price_min: 0,
            price_max: 0,
            expiry: 0,
            epoch_seconds: 1,
            amount_max: 0,
            lot: 1,
            slot_min: 0,
            salt: zero,
        },
        request: Request {
            requested: 0,
            remaining: 0,
            instrument: zero,
            mandate: zero,
            gap_band: 0,
            salt: zero,
        },
        account: Account::open(
            account::Holder {
                venue: zero,
                issuer: zero,
                collateral_asset: zero,
                consideration_asset: zero,
            },
            zero,
        ),
        premium_bps: 0,
        slots: core::array::from_fn::<_, N, _>(|_| slot.clone()),
        path: Path::dummy(NOTE_DEPTH - height(N)),
    };
    circuit(&Assignment::of(&blank))
}

/// The circuit that publishes what the assignment makes.
pub(crate) fn circuit<const N: usize>(assignment: &Assignment<N>) -> Circuit<Assignment<N>> {
    Circuit::new(assignment.clone(), assignment.statement().to_values())
}

/// What every slot needs to know about the round.
struct Shared<'a, const N: usize> {
    public: &'a Statement<Wire, N>,
    mandate: &'a MandateFields<Wire>,
    /// The deal's hash.
    deal: Wire,
    gap_band: &'a Wire,
    premium_bps: &'a Wire,
    /// `price · (10⁴ + premium) · up`, below 2^141.
    rate: Wire,
    /// `10¹² · down`, below 2^100.
    divisor: Wire,
}

/// What a slot adds to the round.
struct Flow {
    real: Wire,
    fill: Wire,
    payout: Wire,
}

impl<const N: usize> Relation for Assignment<N> {
    fn enforce(&self, cs: &ConstraintSystemRef<Fr>, values: &[Wire]) -> Synthesis<()> {
        let public = &Statement::<Wire, N>::from_values(values).expect("as many as it has");
        let mandate = &self.mandate.private(cs)?;
        let premium_bps = &private(cs, &self.premium_bps)?;
        let request = &self.request.private(cs)?;
        let account = &self.account.private(cs)?;

        // Book: circuits/clear.md#the-round
        // What the venue says of the round. Ranges make comparisons below those of integers: of two that
        // are below 2^n, one is at least the other iff their difference is below 2^n.
        rule(cs, "cap is in range");
        range(&public.premium_cap_bps, PREMIUM_BITS)?;
        rule(cs, "price is in range");
        range(&public.price, PRICE_BITS)?;
        rule(cs, "close is in range");
        range(&public.closed_at, TIME_BITS)?;
        let sealed = &public.disclosure;
        rule(cs, "disclosure is 0 or 1");
        sealed.mul_equals(sealed, sealed)?;

        // Book: circuits/clear.md#the-mandate
        // The mandate opens. It is hashed from packed integers, so ranges are also what makes it one
        // mandate: without them a price could be lent a bit of the expiry beside it.
        rule(cs, "mandate's scale is in range");
        range(&mandate.scale_up, SCALE_BITS)?;
        range(&mandate.scale_down, SCALE_BITS)?;
        rule(cs, "mandate's maximum premium is in range");
        range(&mandate.premium_bps_max, PREMIUM_BITS)?;
        rule(cs, "mandate's lowest price is in range");
        range(&mandate.price_min, PRICE_BITS)?;
        rule(cs, "mandate's highest price is in range");
        range(&mandate.price_max, PRICE_BITS)?;
        rule(cs, "mandate's expiry is in range");
        range(&mandate.expiry, TIME_BITS)?;
        rule(cs, "mandate's epoch is in range");
        range(&mandate.epoch_seconds, TIME_BITS)?;
        rule(cs, "mandate's maximum amount is in range");
        range(&mandate.amount_max, AMOUNT_BITS)?;
        rule(cs, "mandate's lot is in range");
        range(&mandate.lot, AMOUNT_BITS)?;
        rule(cs, "mandate's slot minimum is in range");
        range(&mandate.slot_min, AMOUNT_BITS)?;
        rule(cs, "mandate opens");
        let deal = mandate.deal(&public.venue)?;
        mandate.hash(&deal)?.enforce_equal(&public.mandate)?;

        // The round is inside it.
        rule(cs, "price is not below the mandate's");
        range(&(&public.price - &mandate.price_min), PRICE_BITS)?;
        rule(cs, "price is not above the mandate's");
        range(&(&mandate.price_max - &public.price), PRICE_BITS)?;
        rule(cs, "mandate has not expired");
        range(&(&mandate.expiry - &public.closed_at), TIME_BITS)?;
        rule(cs, "premium is in range");
        range(premium_bps, PREMIUM_BITS)?;
        rule(cs, "premium is not above the cap");
        range(&(&public.premium_cap_bps - premium_bps), PREMIUM_BITS)?;
        rule(cs, "premium is not above the mandate's");
        range(&(&mandate.premium_bps_max - premium_bps), PREMIUM_BITS)?;

        // closed_at = epoch · seconds + passed, 0 ≤ passed < seconds: a division with one result, since
        // neither side reaches 2^81. The epoch is the mandate's and the pool's, never the venue's word:
        // with an epoch of its choice a broken enclave would begin a new one for every round.
        rule(cs, "epoch is the closing's");
        let epoch = &private(cs, &self.epoch)?;
        let passed = &private(cs, &self.epoch_passed)?;
        range(epoch, TIME_BITS)?;
        range(passed, TIME_BITS)?;
        let left = linear([(Fr::one(), &mandate.epoch_seconds), (-Fr::one(), passed)], -Fr::one())?;
        range(&left, TIME_BITS)?;
        epoch.mul_equals(&mandate.epoch_seconds, &(&public.closed_at - passed))?;

        // Book: circuits/clear.md#request-and-account
        // Request and account open, and are of this mandate: the account's holder is hashed from what the
        // mandate names.
        rule(cs, "request opens");
        request.hash()?.enforce_equal(&public.request_old)?;
        rule(cs, "request is under the mandate");
        request.mandate.enforce_equal(&public.mandate)?;
        rule(cs, "request is for the mandate's instrument");
        request.instrument.enforce_equal(&mandate.instrument)?;
        rule(cs, "gap band is in range");
        range(&request.gap_band, GAP_BAND_BITS)?;
        rule(cs, "requested amount is in range");
        range(&request.requested, AMOUNT_BITS)?;
        rule(cs, "remaining amount is in range");
        range(&request.remaining, AMOUNT_BITS)?;
        rule(cs, "request is not above the mandate's maximum");
        range(&(&mandate.amount_max - &request.requested), AMOUNT_BITS)?;
        rule(cs, "no more remains than was requested");
        range(&(&request.requested - &request.remaining), AMOUNT_BITS)?;
        rule(cs, "position is in range");
        range(&account.position, AMOUNT_BITS)?;
        rule(cs, "consideration is in range");
        range(&account.consideration, AMOUNT_BITS)?;
        rule(cs, "account's epoch is in range");
        range(&account.epoch, TIME_BITS)?;
        rule(cs, "epoch's sum is in range");
        range(&account.spent, AMOUNT_BITS)?;
        rule(cs, "account opens");
        let holder = &hash(
            "account.a",
            &[
                &public.venue,
                &mandate.issuer,
                &mandate.collateral_asset,
                &mandate.consideration_asset,
            ],
        )?;
        account.hash(holder)?.enforce_equal(&public.account_old)?;

        // Each slot.
        rule(cs, "payout is not too small");
        let ten_thousand = Wire::constant(Fr::from(10_000));
        let shared = Shared {
            public,
            mandate,
            deal,
            gap_band: &request.gap_band,
            premium_bps,
            rate: &public.price * (premium_bps + ten_thousand) * &mandate.scale_up,
            divisor: linear([(Fr::from(PAYOUT_SCALE), &mandate.scale_down)], Fr::zero())?,
        };
        let flows = self
            .slots
            .iter()
            .enumerate()
            .map(|(slot, fields)| enforce_slot(cs, &shared, slot, fields))
            .collect::<Synthesis<Vec<_>>>()?;
        let filled = &linear(flows.iter().map(|flow| (Fr::one(), &flow.fill)), Fr::zero())?;
        let paid = &linear(flows.iter().map(|flow| (Fr::one(), &flow.payout)), Fr::zero())?;

        // Book: circuits/clear.md#what-is-left
        // The request is debited by what was filled.
        rule(cs, "fills are not above what remains");
        let remaining = &(&request.remaining - filled);
        range(remaining, AMOUNT_BITS)?;
        rule(cs, "request is debited");
        RequestFields {
            remaining: remaining.clone(),
            salt: hash("salt.request", &[&request.salt, &public.context])?,
            ..request.clone()
        }
        .hash()?
        .enforce_equal(&public.request_new)?;

        // A slot is worth its place, unless the round leaves nothing to fill.
        rule(cs, "slot is not for dust");
        let some = &is_nonzero(cs, remaining)?;
        for Flow { real, fill, .. } in &flows {
            range_if(&(real * some), &(fill - &mandate.slot_min), AMOUNT_BITS)?;
        }

        // The account is credited with what was filled and pays for it. Sums of N amounts do not wrap, and
        // a range says the rest.
        rule(cs, "position has room");
        let position = &account.position + filled;
        range(&position, AMOUNT_BITS)?;
        rule(cs, "account pays for the payouts");
        let consideration = &account.consideration - paid;
        range(&consideration, AMOUNT_BITS)?;
        // What the epoch had counts if it is still the same one; closings only go forward, which the
        // pool sees to, so that none comes again.
        rule(cs, "epoch is not above the mandate's maximum");
        let is_another = is_nonzero(cs, &(epoch - &account.epoch))?;
        let spent = filled + (Wire::one() - is_another) * &account.spent;
        range(&(&mandate.amount_max - &spent), AMOUNT_BITS)?;
        rule(cs, "account is credited and debited");
        AccountFields {
            position,
            consideration,
            epoch: epoch.clone(),
            spent,
            salt: hash("salt.account", &[&account.salt, &public.context])?,
        }
        .hash(holder)?
        .enforce_equal(&public.account_new)?;

        // The issuer reads the sums: a mask that only the account's salt before makes, and one only.
        rule(cs, "issuer's result is said");
        let sums = pack([(filled, AMOUNT_BITS), (paid, AMOUNT_BITS), (premium_bps, PREMIUM_BITS)])?;
        let mask = hash("enc.issuer", &[&account.salt, &public.context])?;
        (sums + mask).enforce_equal(&public.issuer_result)?;

        // The status is 2 if nothing remains, else 1 if less remains than was asked for (more cannot),
        // else 0; and is shown or committed to.
        rule(cs, "status is said");
        let none = Wire::one() - some;
        let less = is_nonzero(cs, &(&request.requested - remaining))?;
        let status = &(none.double()? + (some * less));
        let salt = &hash("salt.status", &[&request.salt, &public.context])?;
        let committed = gadgets::compress(&(status + Wire::constant(tag("status"))), salt)?;
        (committed - status).mul_equals(sealed, &(&public.status - status))?;

        // Book: circuits/clear.md#the-leaves
        // The leaves enter the venue's tree: see `absorb`. The root before is the one that notes are in.
        rule(cs, "digits of the leaves' index are 0 or 1");
        let path = PathWires::new(cs, &self.path)?;
        rule(cs, "leaves replace an empty subtree");
        let Appended { before, after, index } = append(cs, &public.leaves(), height(N), &path)?;
        rule(cs, "venue's root is of the tree without them");
        before.enforce_equal(&public.venue_root)?;
        rule(cs, "venue's root after is of the tree with them");
        after.enforce_equal(&public.venue_root_after)?;
        rule(cs, "index is the leaves'");
        index.enforce_equal(&public.index)
    }
}

/// One slot: a fill inside its owner's terms, or nothing at all.
fn enforce_slot<const N: usize>(
    cs: &ConstraintSystemRef<Fr>,
    shared: &Shared<'_, N>,
    slot: usize,
    fields: &SlotFields,
) -> Synthesis<Flow> {
    let Shared { public, mandate, .. } = shared;
    let note = &fields.fill.private(cs)?;
    let terms = &fields.terms.private(cs)?;
    let (fill, payout) = (&note.fill, &note.payout);
    let nsk = &note.nullifier_secret;

    // Book: circuits/clear.md#a-slot
    // A slot is real if it fills something: that is no choice. Otherwise neither membership nor terms are
    // checked, and a note would come back as change from nowhere.
    rule(cs, "note of nothing filled is empty");
    let real = &is_nonzero(cs, fill)?;
    note.amount.mul_equals(real, &note.amount)?;

    // What is filled leaves the note.
    rule(cs, "note's amount is in range");
    range(&note.amount, AMOUNT_BITS)?;
    rule(cs, "fill is in range");
    range(fill, AMOUNT_BITS)?;
    let change = &(&note.amount - fill);
    rule(cs, "fill is not above the note");
    range(change, AMOUNT_BITS)?;

    // The terms allow this fill. They are hashed from packed integers, as the mandate is.
    rule(cs, "minimum premium is in range");
    range(&terms.premium_bps_min, PREMIUM_BITS)?;
    rule(cs, "lowest price is in range");
    range(&terms.price_min, PRICE_BITS)?;
    rule(cs, "highest price is in range");
    range(&terms.price_max, PRICE_BITS)?;
    rule(cs, "minimum fill is in range");
    range(&terms.fill_min, AMOUNT_BITS)?;
    rule(cs, "highest gap band is in range");
    range(&terms.gap_band_max, GAP_BAND_BITS)?;
    rule(cs, "expiry is in range");
    range(&terms.expiry, TIME_BITS)?;
    rule(cs, "fill is not below the minimum");
    range_if(real, &(fill - &terms.fill_min), AMOUNT_BITS)?;
    rule(cs, "premium is not below the minimum");
    range_if(real, &(shared.premium_bps - &terms.premium_bps_min), PREMIUM_BITS)?;
    rule(cs, "price is not below the lowest");
    range_if(real, &(&public.price - &terms.price_min), PRICE_BITS)?;
    rule(cs, "price is not above the highest");
    range_if(real, &(&terms.price_max - &public.price), PRICE_BITS)?;
    rule(cs, "gap band is not above the highest");
    range_if(real, &(&terms.gap_band_max - shared.gap_band), GAP_BAND_BITS)?;
    rule(cs, "terms have not expired");
    range_if(real, &(&terms.expiry - &public.closed_at), TIME_BITS)?;

    // fill = lots · lot, of integers below 2^112, so that the product does not wrap: any fill is some
    // element times the lot.
    rule(cs, "fill is in lots");
    range(&note.lots, AMOUNT_BITS)?;
    note.lots.mul_equals(&mandate.lot, fill)?;

    // payout · divisor = fill · rate + slack, and slack is below the divisor: the quotient, rounded up.
    // Neither side reaches 2^253 (112 + 141 bits, 112 + 100 bits), so neither wraps.
    rule(cs, "payout is in range");
    range(payout, AMOUNT_BITS)?;
    rule(cs, "payout is not too small");
    let slack = &(payout * &shared.divisor - fill * &shared.rate);
    range(slack, SLACK_BITS)?;
    rule(cs, "payout is not too large");
    let below = linear([(Fr::one(), &shared.divisor), (-Fr::one(), slack)], -Fr::one())?;
    range(&below, SLACK_BITS)?;

    // With a tree bit of the prover's liking, entry + bit · (venue − entry) is any root it likes; with
    // digits of its liking one commitment has many indices and nullifiers.
    rule(cs, "tree is the entry's or the venue's");
    note.in_venue.mul_equals(&note.in_venue, &note.in_venue)?;
    rule(cs, "digits of the note's index are 0 or 1");
    let path = PathWires::new(cs, &fields.path)?;

    // A real note is in its tree, under terms for this mandate's deal and in the asset it takes.
    rule(cs, "note is in the tree");
    let nullifier_key = &hash("npk", &[nsk])?;
    let owner = &hash("owner", &[&note.spend_key, nullifier_key])?;
    let order_hash = &terms.hash(&shared.deal)?;
    let inner = hash("note", &[owner, order_hash, &note.rho])?;
    let commitment = &leaf(&mandate.collateral_asset, &note.amount, &inner)?;
    let root = path.root(commitment)?;
    equal_if(real, &root, &pick(&note.in_venue, &public.venue_root, &public.entry_root))?;

    // A real note's order is in the set. The receipt is any element: it is hashed by itself as well, so
    // that its sum with the place is of these two.
    rule(cs, "digits of the order's place are 0 or 1");
    let place = PathWires::new(cs, &fields.place)?;
    rule(cs, "order is in the set");
    let blind = &hash("order.blind", &[nsk, &note.receipt])?;
    let at =
        &linear([(Fr::from(PLACES), &note.receipt), (Fr::one(), &place.index()?)], Fr::zero())?;
    let root = place.root(&hash("order", &[commitment, at, blind])?)?;
    equal_if(real, &root, &public.order_root)?;

    // Its nullifier is H(tag nf, nsk, cm, place); of a note that is not there it is
    // H(tag nf.dummy, nsk, context, slot), and no secret makes one the other.
    rule(cs, "nullifier is the note's");
    let shift = Fr::from(1_u64 << 32);
    let venue = &note.in_venue * &public.venue;
    let at = linear([(shift, &venue), (Fr::one(), &path.index()?)], Fr::zero())?;
    let nullifier = &public.nullifiers[slot];
    gadgets::poseidon(&[
        pick(real, &Wire::constant(tag("nf")), &Wire::constant(tag("nf.dummy"))),
        nsk.clone(),
        pick(real, commitment, &public.context),
        pick(real, &at, &Wire::constant(Fr::from(slot as u64))),
    ])?
    .enforce_equal(nullifier)?;

    // The owner is paid where its terms say, and gets its change back under the same terms. Both draw
    // what blinds them from the nullifier, so the owner finds them without being told.
    rule(cs, "payout note holds the payout");
    let rho = &hash("rho.payout", &[nsk, nullifier])?;
    let inner = hash("note", &[&terms.payout_owner, &Wire::zero(), rho])?;
    leaf(&mandate.consideration_asset, payout, &inner)?.enforce_equal(&public.payouts[slot])?;
    rule(cs, "change note holds the change");
    let rho = &hash("rho.change", &[nsk, nullifier])?;
    let inner = hash("note", &[owner, order_hash, rho])?;
    leaf(&mandate.collateral_asset, change, &inner)?.enforce_equal(&public.changes[slot])?;

    // And reads how much: the mask is proven, so that nothing published can be garbage.
    rule(cs, "result is said");
    let result = pack([(fill, AMOUNT_BITS), (shared.premium_bps, PREMIUM_BITS)])?;
    let mask = hash("enc", &[nsk, nullifier, &public.context])?;
    (result + mask).enforce_equal(&public.results[slot])?;
    Ok(Flow { real: real.clone(), fill: fill.clone(), payout: payout.clone() })
}

/// Bits of the payout's slack: 10¹² · 10¹⁸ is below 2^100.
const SLACK_BITS: u32 = 100;

impl MandateFields<Wire> {
    fn deal(&self, venue: &Wire) -> Synthesis<Wire> {
        let Self { issuer, instrument, consideration_asset, scale_up, scale_down, .. } = self;
        let scale = &pack([(scale_up, SCALE_BITS), (scale_down, SCALE_BITS)])?;
        hash("deal", &[issuer, instrument, consideration_asset, venue, scale])
    }

    fn hash(&self, deal: &Wire) -> Synthesis<Wire> {
        let Self { premium_bps_max, price_min, price_max, expiry, epoch_seconds, .. } = self;
        let parts = [premium_bps_max, price_min, price_max, expiry, epoch_seconds];
        let limits = &pack(parts.into_iter().zip(mandate::LIMIT_BITS))?;
        let amounts = &pack([(&self.amount_max, AMOUNT_BITS), (&self.lot, AMOUNT_BITS)])?;
        let Self { collateral_asset, slot_min, salt, .. } = self;
        hash("mandate", &[deal, collateral_asset, limits, amounts, slot_min, salt])
    }
}

impl RequestFields<Wire> {
    fn hash(&self) -> Synthesis<Wire> {
        let Self { requested, remaining, instrument, mandate, gap_band, salt } = self;
        hash("request", &[requested, remaining, instrument, mandate, gap_band, salt])
    }
}

impl AccountFields<Wire> {
    fn hash(&self, holder: &Wire) -> Synthesis<Wire> {
        let Self { position, consideration, epoch, spent, salt } = self;
        let used = &pack([(spent, AMOUNT_BITS), (epoch, TIME_BITS)])?;
        hash("account", &[holder, position, consideration, used, salt])
    }
}

impl TermsFields<Wire> {
    fn hash(&self, deal: &Wire) -> Synthesis<Wire> {
        let Self { premium_bps_min, price_min, price_max, gap_band_max, expiry, .. } = self;
        let parts = [premium_bps_min, price_min, price_max, gap_band_max, expiry];
        let limits = &pack(parts.into_iter().zip(terms::LIMIT_BITS))?;
        hash("terms", &[deal, &self.payout_owner, limits, &self.fill_min])
    }
}

// ---------------------------------------------------------------------------------------------------
// Tests
// ---------------------------------------------------------------------------------------------------

#[cfg(test)]
mod tests;
