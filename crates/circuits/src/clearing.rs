//! Clearing: one round of fills, settled.
//!
//! The statement, in one sentence: *these nullifiers spend notes that exist, under terms their owners
//! put into them and inside the mandate the issuer registered; these leaves pay every maker at least
//! what its terms ask, return its change and re-mint the issuer's consideration; and these commitments
//! credit the issuer's position and debit its request by exactly what was filled.*
//!
//! Two assets move: collateral from makers to the position, consideration from the issuer's note to
//! makers. Each is conserved on its own: `Σ amount = Σ change + (position' − position)` and
//! `consideration = Σ payout + rest`. There are always [`SLOTS`] slots; one without a fill spends a
//! dummy note of zero under a dummy nullifier, and makes notes of zero.
//!
//! What the circuit leaves to the contract: that nullifiers are unspent and distinct, that the root is
//! a recent one, and that mandate, cap, price, time and the old commitments are those it knows.

use ark_r1cs_std::{alloc::AllocVar, boolean::Boolean, eq::EqGadget, fields::FieldVar};
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};
use ark_std::{One, Zero};
use pool::{
    AMOUNT_BITS, AMOUNT_END, Fr, GAP_BAND_BITS, PREMIUM_BITS, PREMIUM_BPS_END, PRICE_BITS, SLOTS,
    TIME_BITS, TIME_END, field,
    hash::tag,
    keys::{self, NullifierSecret},
    mandate::Mandate,
    note::{self, Note},
    position::Position,
    request::Request,
    status::{self, Disclosure},
    terms::{PAYOUT_SCALE, Terms, payout_ceil},
    tree::{DEPTH, LEAVES_MAX, Path},
};

use crate::{
    gadgets::{
        Result as Synthesis, Wire, bits, compress, equal_if, linear, merkle_root, pack, poseidon,
        range, range_if,
    },
    r1cs::R1cs,
};

/// What the circuit is called, where keys and verifiers are told apart.
pub const NAME: &str = "clearing";

/// Number of public inputs.
pub const INPUTS: usize = 26;

// ---------------------------------------------------------------------------------------------------
// Statement
// ---------------------------------------------------------------------------------------------------

/// What a settlement makes public, in the order of the public inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<T = Fr> {
    /// Chain, contract, request and round: `keccak256(abi.encode(…)) >> 8`.
    pub context: T,
    /// Root of the tree the spent notes are in.
    pub root: T,
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
    /// The position's commitment before.
    pub position_old: T,
    /// The position's commitment after.
    pub position_new: T,
    /// The status left: plain if `disclosure` is 0, committed if it is 1.
    pub status: T,
    /// Of each slot, real or dummy.
    pub nullifiers: [T; SLOTS],
    /// Of the consideration note.
    pub consideration_nullifier: T,
    /// Commitment of each slot's payout note.
    pub payouts: [T; SLOTS],
    /// Commitment of each slot's change note.
    pub changes: [T; SLOTS],
    /// Commitment of the re-minted consideration note.
    pub consideration_change: T,
}

impl<T: Clone> Statement<T> {
    /// The public inputs, in order.
    #[must_use]
    pub fn to_inputs(&self) -> [T; INPUTS] {
        let Self { nullifiers, payouts, changes, .. } = self.clone();
        let [n0, n1, n2, n3] = nullifiers;
        let [p0, p1, p2, p3] = payouts;
        let [c0, c1, c2, c3] = changes;
        [
            self.context.clone(),
            self.root.clone(),
            self.mandate.clone(),
            self.premium_cap_bps.clone(),
            self.price.clone(),
            self.closed_at.clone(),
            self.disclosure.clone(),
            self.request_old.clone(),
            self.request_new.clone(),
            self.position_old.clone(),
            self.position_new.clone(),
            self.status.clone(),
            n0,
            n1,
            n2,
            n3,
            self.consideration_nullifier.clone(),
            p0,
            p1,
            p2,
            p3,
            c0,
            c1,
            c2,
            c3,
            self.consideration_change.clone(),
        ]
    }

    /// The inverse of [`Self::to_inputs`].
    #[must_use]
    pub fn from_inputs(inputs: &[T; INPUTS]) -> Self {
        let four = |at: usize| core::array::from_fn(|slot| inputs[at + slot].clone());
        Self {
            context: inputs[0].clone(),
            root: inputs[1].clone(),
            mandate: inputs[2].clone(),
            premium_cap_bps: inputs[3].clone(),
            price: inputs[4].clone(),
            closed_at: inputs[5].clone(),
            disclosure: inputs[6].clone(),
            request_old: inputs[7].clone(),
            request_new: inputs[8].clone(),
            position_old: inputs[9].clone(),
            position_new: inputs[10].clone(),
            status: inputs[11].clone(),
            nullifiers: four(12),
            consideration_nullifier: inputs[16].clone(),
            payouts: four(17),
            changes: four(21),
            consideration_change: inputs[25].clone(),
        }
    }
}

impl Statement {
    /// The public inputs as the contract takes them: `uint256[26]`, each 32 bytes, big-endian.
    #[must_use]
    pub fn to_words(&self) -> [[u8; 32]; INPUTS] {
        self.to_inputs().map(|input| field::to_bytes(&input))
    }

    /// The inverse of [`Self::to_words`].
    ///
    /// # Errors
    /// [`field::Error`] if a word is `p` or more: the contract refuses it too.
    pub fn from_words(words: &[[u8; 32]; INPUTS]) -> Result<Self, field::Error> {
        let mut inputs = [Fr::zero(); INPUTS];
        for (input, word) in inputs.iter_mut().zip(words) {
            *input = field::from_bytes(word)?;
        }
        Ok(Self::from_inputs(&inputs))
    }

    /// The settlement's leaves, in the order they enter the tree: payouts, changes, consideration.
    #[must_use]
    pub fn leaves(&self) -> [Fr; 2 * SLOTS + 1] {
        let inputs = self.to_inputs();
        core::array::from_fn(|leaf| inputs[17 + leaf])
    }
}

// ---------------------------------------------------------------------------------------------------
// Witness
// ---------------------------------------------------------------------------------------------------

/// Everything about a round, secrets and all. It stays inside the enclave.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "every secret of a settlement at once")]
pub struct Witness {
    /// What the chain says about the round.
    pub round: Round,
    /// What the issuer allows.
    pub mandate: Mandate,
    /// What is asked for, before this settlement.
    pub request: Request,
    /// What the issuer holds, before this settlement.
    pub position: Position,
    /// Clearing premium of every fill, in basis points.
    pub premium_bps: u16,
    /// The fills, and dummies for the rest.
    pub slots: [Slot; SLOTS],
    /// What they are paid from.
    pub consideration: Consideration,
}

/// What the chain says about a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Chain, contract, request and round: `keccak256(abi.encode(…)) >> 8`.
    pub context: Fr,
    /// A recent root of the tree.
    pub root: Fr,
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
    /// Whether there is a fill. If not, amount and fill are zero and the rest is free.
    pub real: bool,
    /// The note's amount, in base units of the collateral, below 2^112.
    pub amount: u128,
    /// The owner's `ak`.
    pub spend_key: Fr,
    /// The note line's `nsk`.
    pub nullifier_secret: NullifierSecret,
    /// What the owner allows.
    pub terms: Terms,
    /// The note's `rho`.
    pub rho: Fr,
    /// Where the note is.
    pub path: Path,
    /// What is taken, in base units of the collateral, below 2^112.
    pub fill: u128,
}

impl Slot {
    /// A slot without a fill. `entropy` makes its notes and nullifier look like any other's; it must be
    /// secret and not be used again.
    #[must_use]
    pub fn dummy(entropy: &[u8; 32]) -> Self {
        let nullifier_secret = NullifierSecret::from_entropy(entropy);
        let nobody = pool::hash::poseidon(&[tag("dummy"), *nullifier_secret.expose()]);
        Self {
            real: false,
            amount: 0,
            spend_key: nobody,
            nullifier_secret,
            terms: Terms {
                issuer: Fr::zero(),
                instrument: Fr::zero(),
                consideration_asset: Fr::zero(),
                payout_owner: nobody,
                pool_id: Fr::zero(),
                premium_bps_min: 0,
                price_min: 0,
                price_max: 0,
                fill_min: 0,
                gap_band_max: 0,
                expiry: 0,
            },
            rho: Fr::zero(),
            path: Path::dummy(),
            fill: 0,
        }
    }
}

/// The issuer's note that fills are paid from.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "holds an issuer's secret and what it has")]
pub struct Consideration {
    /// The note's amount, in base units of the consideration, below 2^112.
    pub amount: u128,
    /// The issuer's `ak`.
    pub spend_key: Fr,
    /// The note line's `nsk`.
    pub nullifier_secret: NullifierSecret,
    /// The note's `rho`.
    pub rho: Fr,
    /// Where the note is.
    pub path: Path,
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
    /// The request is under another mandate.
    #[error("request is under another mandate")]
    RequestMandate,
    /// The request offers another instrument than the mandate.
    #[error("request offers another instrument than the mandate")]
    RequestInstrument,
    /// The position is another issuer's.
    #[error("position belongs to another issuer than the mandate's")]
    PositionIssuer,
    /// More was asked for than the mandate allows.
    #[error("request is for {requested}, the mandate allows {max}")]
    RequestAboveMandate {
        /// Asked for.
        requested: u128,
        /// Allowed.
        max: u128,
    },
    /// More is missing than was asked for, which would get around the mandate's maximum.
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
    /// A slot without a fill has an amount or a fill.
    #[error("slot {slot}: a dummy has a note of {amount} and a fill of {fill}, both must be 0")]
    DummyNotEmpty {
        /// Where.
        slot: usize,
        /// Its amount.
        amount: u128,
        /// Its fill.
        fill: u128,
    },
    /// The note is not in the tree.
    #[error("slot {slot}: note is not in the tree at the round's root")]
    NotInTree {
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
    #[error("slot {slot}: terms are for another {field} than the mandate's")]
    TermsForAnother {
        /// Where.
        slot: usize,
        /// What differs.
        field: &'static str,
    },
    /// The fill is smaller than the terms allow.
    #[error("slot {slot}: fill of {fill} is below the minimum of {min}")]
    FillBelowMinimum {
        /// Where.
        slot: usize,
        /// Filled.
        fill: u128,
        /// Least allowed, at least 1.
        min: u128,
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
    /// The consideration note is not in the tree.
    #[error("consideration note is not in the tree at the round's root")]
    ConsiderationNotInTree,
    /// Payouts are more than the consideration note has.
    #[error("payouts are {payout}, the consideration note has {amount}")]
    PayoutAboveConsideration {
        /// All of them.
        payout: u128,
        /// What the note has.
        amount: u128,
    },
    /// More is filled than remains.
    #[error("fills are {filled}, only {remaining} remains")]
    FillAboveRemaining {
        /// All of them.
        filled: u128,
        /// What remains.
        remaining: u128,
    },
    /// The position would reach 2^112.
    #[error("position of {amount} cannot take {filled} more: it must stay below 2^112")]
    PositionTooLarge {
        /// What it has.
        amount: u128,
        /// What it would get.
        filled: u128,
    },
}

impl Witness {
    /// What is proven about this witness.
    ///
    /// # Errors
    /// The first [`Violation`] if the relation does not hold.
    pub fn statement(&self) -> Result<Statement, Violation> {
        self.check_ranges()?;
        self.check_mandate()?;
        for (slot, fill) in self.slots.iter().enumerate() {
            if fill.real {
                self.check_fill(slot, fill)?;
            } else if (fill.amount, fill.fill) != (0, 0) {
                let (amount, fill) = (fill.amount, fill.fill);
                return Err(Violation::DummyNotEmpty { slot, amount, fill });
            }
        }
        self.check_sums()?;
        let statement = Assignment::of(self).statement();
        self.check_distinct(&statement)?;
        Ok(statement)
    }

    /// What each slot is paid, in base units of the consideration, rounded up. `None` where that is
    /// 2^112 or more.
    #[must_use]
    pub fn payouts_ceil(&self) -> [Option<u128>; SLOTS] {
        let payout = |slot: &Slot| payout_ceil(slot.fill, self.round.price, self.premium_bps);
        [0, 1, 2, 3].map(|slot| payout(&self.slots[slot]))
    }

    fn check_ranges(&self) -> Result<(), Violation> {
        let Self { round, mandate, request, position, consideration, .. } = self;
        let amounts = [
            ("mandate's maximum amount", mandate.amount_max),
            ("requested amount", request.requested),
            ("remaining amount", request.remaining),
            ("position", position.amount),
            ("consideration", consideration.amount),
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
        for (value, time) in [("close", round.closed_at), ("mandate's expiry", mandate.expiry)] {
            check(time < TIME_END, Violation::Range { value, bits: TIME_BITS })?;
        }
        let value = "consideration's leaf index";
        let fits = consideration.path.index < LEAVES_MAX;
        check(fits, Violation::Range { value, bits: 32 })?;

        for (slot, fill) in self.slots.iter().enumerate() {
            let out = |value, bits| Violation::SlotRange { slot, value, bits };
            let terms = &fill.terms;
            check(fill.amount < AMOUNT_END, out("amount", AMOUNT_BITS))?;
            check(fill.fill < AMOUNT_END, out("fill", AMOUNT_BITS))?;
            check(terms.fill_min < AMOUNT_END, out("minimum fill", AMOUNT_BITS))?;
            check(terms.premium_bps_min < PREMIUM_BPS_END, out("minimum premium", PREMIUM_BITS))?;
            check(terms.expiry < TIME_END, out("expiry", TIME_BITS))?;
            check(fill.path.index < LEAVES_MAX, out("leaf index", 32))?;
        }
        Ok(())
    }

    fn check_mandate(&self) -> Result<(), Violation> {
        let Self { round, mandate, request, position, premium_bps, .. } = self;
        check(request.mandate == mandate.commitment(), Violation::RequestMandate)?;
        check(request.instrument == mandate.instrument, Violation::RequestInstrument)?;
        check(position.issuer == mandate.issuer, Violation::PositionIssuer)?;
        let (requested, max) = (request.requested, mandate.amount_max);
        check(requested <= max, Violation::RequestAboveMandate { requested, max })?;
        let remaining = request.remaining;
        check(remaining <= requested, Violation::RemainingAboveRequested { remaining, requested })?;
        let (price, min, max) = (round.price, mandate.price_min, mandate.price_max);
        check((min..=max).contains(&price), Violation::PriceOutsideMandate { price, min, max })?;
        let (closed_at, expiry) = (round.closed_at, mandate.expiry);
        check(closed_at <= expiry, Violation::MandateExpired { closed_at, expiry })?;
        let (premium_bps, cap_bps) = (*premium_bps, round.premium_cap_bps);
        check(premium_bps <= cap_bps, Violation::PremiumAboveCap { premium_bps, cap_bps })?;
        let max_bps = mandate.premium_bps_max;
        check(premium_bps <= max_bps, Violation::PremiumAboveMandate { premium_bps, max_bps })
    }

    fn check_fill(&self, slot: usize, fill: &Slot) -> Result<(), Violation> {
        let Self { round, mandate, .. } = self;
        let terms = &fill.terms;
        let npk = fill.nullifier_secret.nullifier_key();
        let note = Note {
            asset: mandate.collateral_asset,
            amount: fill.amount,
            owner: keys::owner(fill.spend_key, npk),
            order_hash: terms.hash(),
            rho: fill.rho,
        };
        let root = fill.path.root(note.commitment());
        check(root == round.root, Violation::NotInTree { slot })?;

        let same = [
            ("issuer", terms.issuer, mandate.issuer),
            ("instrument", terms.instrument, mandate.instrument),
            ("consideration", terms.consideration_asset, mandate.consideration_asset),
            ("pool", terms.pool_id, mandate.pool_id),
        ];
        for (field, theirs, ours) in same {
            check(theirs == ours, Violation::TermsForAnother { slot, field })?;
        }
        let min = terms.fill_min.max(1);
        let (filled, amount) = (fill.fill, fill.amount);
        check(filled >= min, Violation::FillBelowMinimum { slot, fill: filled, min })?;
        check(filled <= amount, Violation::FillAboveNote { slot, fill: filled, amount })?;
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
        let Self { mandate, request, position, consideration, .. } = self;
        // Four amounts of 112 bits cannot overflow 128.
        let mut payout = 0;
        for (slot, paid) in self.payouts_ceil().into_iter().enumerate() {
            payout += paid.ok_or(Violation::PayoutTooLarge { slot })?;
        }
        let npk = consideration.nullifier_secret.nullifier_key();
        let note = Note {
            asset: mandate.consideration_asset,
            amount: consideration.amount,
            owner: keys::owner(consideration.spend_key, npk),
            order_hash: mandate.commitment(),
            rho: consideration.rho,
        };
        let root = consideration.path.root(note.commitment());
        check(root == self.round.root, Violation::ConsiderationNotInTree)?;
        let amount = consideration.amount;
        check(payout <= amount, Violation::PayoutAboveConsideration { payout, amount })?;

        let filled: u128 = self.slots.iter().map(|slot| slot.fill).sum();
        let remaining = request.remaining;
        check(filled <= remaining, Violation::FillAboveRemaining { filled, remaining })?;
        let amount = position.amount;
        check(amount + filled < AMOUNT_END, Violation::PositionTooLarge { amount, filled })
    }

    /// The contract refuses equal nullifiers; here they are refused before a proof is made for nothing.
    fn check_distinct(&self, statement: &Statement) -> Result<(), Violation> {
        for second in 0..SLOTS {
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

/// A witness as field elements, which is all the constraints see of it. Unlike a [`Witness`] it can
/// hold what no honest type can, a negative amount for instance, and the constraints must refuse it.
#[derive(Clone)]
pub(crate) struct Assignment {
    pub(crate) context: Fr,
    pub(crate) root: Fr,
    pub(crate) premium_cap_bps: Fr,
    pub(crate) price: Fr,
    pub(crate) closed_at: Fr,
    pub(crate) disclosure: Fr,
    pub(crate) mandate: MandateFields<Fr>,
    pub(crate) request: RequestFields<Fr>,
    pub(crate) position: PositionFields<Fr>,
    pub(crate) premium_bps: Fr,
    pub(crate) slots: [SlotFields; SLOTS],
    pub(crate) consideration: NoteFields<Fr>,
    pub(crate) consideration_path: PathFields,
}

/// A struct of equal things, so that values and wires are laid out by one definition.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $name<T> { $(pub(crate) $field: T),+ }

        impl<T> $name<T> {
            fn try_map<U>(&self, f: &mut impl FnMut(&T) -> Synthesis<U>) -> Synthesis<$name<U>> {
                Ok($name { $($field: f(&self.$field)?),+ })
            }

            #[cfg(test)]
            fn each_mut<'a>(&'a mut self, f: &mut impl FnMut(&'static str, &'a mut T)) {
                $(f(concat!(stringify!($name), ".", stringify!($field)), &mut self.$field);)+
            }
        }
    };
}

record!(
    /// See [`Mandate`].
    MandateFields {
        issuer,
        instrument,
        collateral_asset,
        consideration_asset,
        pool_id,
        amount_max,
        premium_bps_max,
        price_min,
        price_max,
        expiry,
        salt,
    }
);

record!(
    /// See [`Request`].
    RequestFields { requested, remaining, instrument, mandate, gap_band, salt }
);

record!(
    /// See [`Position`].
    PositionFields { issuer, amount, salt }
);

record!(
    /// See [`Terms`].
    TermsFields {
        issuer,
        instrument,
        consideration_asset,
        payout_owner,
        pool_id,
        premium_bps_min,
        price_min,
        price_max,
        fill_min,
        gap_band_max,
        expiry,
    }
);

record!(
    /// A note about to be spent, but for where it is.
    NoteFields { amount, spend_key, nullifier_secret, rho }
);

/// See [`Path`].
#[derive(Clone)]
pub(crate) struct PathFields {
    pub(crate) index: Fr,
    pub(crate) siblings: [Fr; DEPTH],
}

/// See [`Slot`].
#[derive(Clone)]
pub(crate) struct SlotFields {
    pub(crate) real: Fr,
    pub(crate) note: NoteFields<Fr>,
    pub(crate) path: PathFields,
    pub(crate) terms: TermsFields<Fr>,
    pub(crate) fill: Fr,
    /// What is paid. Not free: the payout equation has one solution.
    pub(crate) payout: Fr,
}

impl Drop for Assignment {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        for slot in &mut self.slots {
            slot.note.nullifier_secret.zeroize();
        }
        self.consideration.nullifier_secret.zeroize();
    }
}

impl Assignment {
    /// The field elements of a witness, whether it satisfies the relation or not.
    pub(crate) fn of(witness: &Witness) -> Self {
        let Witness { round, mandate, request, position, premium_bps, slots, consideration } =
            witness;
        let payouts = witness.payouts_ceil();
        Self {
            context: round.context,
            root: round.root,
            premium_cap_bps: Fr::from(round.premium_cap_bps),
            price: Fr::from(round.price),
            closed_at: Fr::from(round.closed_at),
            disclosure: Fr::from(round.disclosure.to_bit()),
            mandate: MandateFields {
                issuer: mandate.issuer,
                instrument: mandate.instrument,
                collateral_asset: mandate.collateral_asset,
                consideration_asset: mandate.consideration_asset,
                pool_id: mandate.pool_id,
                amount_max: Fr::from(mandate.amount_max),
                premium_bps_max: Fr::from(mandate.premium_bps_max),
                price_min: Fr::from(mandate.price_min),
                price_max: Fr::from(mandate.price_max),
                expiry: Fr::from(mandate.expiry),
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
            position: PositionFields {
                issuer: position.issuer,
                amount: Fr::from(position.amount),
                salt: position.salt,
            },
            premium_bps: Fr::from(*premium_bps),
            slots: core::array::from_fn(|index| {
                let Slot { real, amount, spend_key, nullifier_secret, terms, rho, path, fill } =
                    &slots[index];
                SlotFields {
                    real: Fr::from(*real),
                    note: NoteFields {
                        amount: Fr::from(*amount),
                        spend_key: *spend_key,
                        nullifier_secret: *nullifier_secret.expose(),
                        rho: *rho,
                    },
                    path: PathFields::of(path),
                    terms: TermsFields {
                        issuer: terms.issuer,
                        instrument: terms.instrument,
                        consideration_asset: terms.consideration_asset,
                        payout_owner: terms.payout_owner,
                        pool_id: terms.pool_id,
                        premium_bps_min: Fr::from(terms.premium_bps_min),
                        price_min: Fr::from(terms.price_min),
                        price_max: Fr::from(terms.price_max),
                        fill_min: Fr::from(terms.fill_min),
                        gap_band_max: Fr::from(terms.gap_band_max),
                        expiry: Fr::from(terms.expiry),
                    },
                    fill: Fr::from(*fill),
                    payout: Fr::from(payouts[index].unwrap_or(0)),
                }
            }),
            consideration: NoteFields {
                amount: Fr::from(consideration.amount),
                spend_key: consideration.spend_key,
                nullifier_secret: *consideration.nullifier_secret.expose(),
                rho: consideration.rho,
            },
            consideration_path: PathFields::of(&consideration.path),
        }
    }

    /// What this assignment would publish. Sums wrap in the field, so that there is an answer for
    /// assignments the relation refuses.
    pub(crate) fn statement(&self) -> Statement {
        let Self { context, mandate, request, position, slots, consideration, .. } = self;
        let mandate_commitment = mandate.commitment();
        let filled: Fr = slots.iter().map(|slot| slot.fill).sum();
        let paid: Fr = slots.iter().map(|slot| slot.payout).sum();
        let each = |f: &dyn Fn(usize, &SlotFields) -> Fr| {
            core::array::from_fn(|slot| f(slot, &slots[slot]))
        };
        let next = |name, salt| pool::hash::poseidon(&[tag(name), salt, *context]);

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

        let order_hash = mandate_commitment;
        let consideration_owner = consideration.owner();
        let consideration_note = commitment(
            mandate.consideration_asset,
            consideration.amount,
            note::inner(consideration_owner, order_hash, consideration.rho),
        );
        Statement {
            context: *context,
            root: self.root,
            mandate: mandate_commitment,
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
            position_old: position.commitment(),
            position_new: PositionFields {
                amount: position.amount + filled,
                salt: next("salt.position", position.salt),
                ..position.clone()
            }
            .commitment(),
            status: status + self.disclosure * (sealed - status),
            nullifiers: each(&|slot, fill| {
                let nsk = &fill.note.nullifier_secret;
                if fill.real.is_zero() {
                    return note::dummy_nullifier(nsk, *context, slot);
                }
                let inner = note::inner(fill.note.owner(), fill.terms.hash(), fill.note.rho);
                let cm = commitment(mandate.collateral_asset, fill.note.amount, inner);
                pool::hash::poseidon(&[tag("nf"), *nsk, cm, fill.path.index])
            }),
            consideration_nullifier: pool::hash::poseidon(&[
                tag("nf"),
                consideration.nullifier_secret,
                consideration_note,
                self.consideration_path.index,
            ]),
            payouts: each(&|slot, fill| {
                let rho = note::payout_rho(&fill.note.nullifier_secret, *context, slot);
                let inner = note::inner(fill.terms.payout_owner, Fr::zero(), rho);
                commitment(mandate.consideration_asset, fill.payout, inner)
            }),
            changes: each(&|slot, fill| {
                let rho = note::change_rho(&fill.note.nullifier_secret, *context, slot);
                let inner = note::inner(fill.note.owner(), fill.terms.hash(), rho);
                commitment(mandate.collateral_asset, fill.note.amount - fill.fill, inner)
            }),
            consideration_change: commitment(
                mandate.consideration_asset,
                consideration.amount - paid,
                note::inner(
                    consideration_owner,
                    order_hash,
                    note::consideration_rho(&consideration.nullifier_secret, *context),
                ),
            ),
        }
    }
}

impl PathFields {
    fn of(path: &Path) -> Self {
        Self { index: Fr::from(path.index), siblings: path.siblings }
    }
}

impl MandateFields<Fr> {
    fn commitment(&self) -> Fr {
        use pool::hash::poseidon;
        let Self { issuer, instrument, collateral_asset, consideration_asset, pool_id, .. } = *self;
        let Self { amount_max, premium_bps_max, price_min, price_max, expiry, salt, .. } = *self;
        poseidon(&[
            tag("mandate"),
            poseidon(&[
                tag("mandate.a"),
                issuer,
                instrument,
                collateral_asset,
                consideration_asset,
                pool_id,
            ]),
            poseidon(&[
                tag("mandate.b"),
                amount_max,
                premium_bps_max,
                price_min,
                price_max,
                expiry,
                salt,
            ]),
        ])
    }
}

impl RequestFields<Fr> {
    fn commitment(&self) -> Fr {
        let Self { requested, remaining, instrument, mandate, gap_band, salt } = *self;
        pool::hash::poseidon(&[
            tag("request"),
            requested,
            remaining,
            instrument,
            mandate,
            gap_band,
            salt,
        ])
    }
}

impl PositionFields<Fr> {
    fn commitment(&self) -> Fr {
        pool::hash::poseidon(&[tag("position"), self.issuer, self.amount, self.salt])
    }
}

impl TermsFields<Fr> {
    fn hash(&self) -> Fr {
        use pool::hash::poseidon;
        let Self { issuer, instrument, consideration_asset, payout_owner, pool_id, .. } = *self;
        let Self { premium_bps_min, price_min, price_max, fill_min, gap_band_max, expiry, .. } =
            *self;
        poseidon(&[
            tag("terms"),
            poseidon(&[
                tag("terms.a"),
                issuer,
                instrument,
                consideration_asset,
                payout_owner,
                pool_id,
            ]),
            poseidon(&[
                tag("terms.b"),
                premium_bps_min,
                price_min,
                price_max,
                fill_min,
                gap_band_max,
                expiry,
            ]),
        ])
    }
}

impl NoteFields<Fr> {
    fn owner(&self) -> Fr {
        keys::owner(self.spend_key, pool::hash::poseidon(&[tag("npk"), self.nullifier_secret]))
    }
}

fn commitment(asset: Fr, amount: Fr, inner: Fr) -> Fr {
    pool::hash::compress(pool::hash::compress(asset, amount), inner)
}

// ---------------------------------------------------------------------------------------------------
// Relation, in constraints
// ---------------------------------------------------------------------------------------------------

/// The circuit's matrices.
#[must_use]
pub fn r1cs() -> R1cs {
    R1cs::of(Clearing::blank())
}

/// The circuit, with a witness to fill it.
pub(crate) struct Clearing {
    pub(crate) assignment: Assignment,
    pub(crate) statement: Statement,
}

impl Clearing {
    /// The circuit without a witness: values are asked for when proving only.
    pub(crate) fn blank() -> Self {
        let zero = Fr::zero();
        let nobody = NullifierSecret::from_entropy(&[0; 32]);
        let mandate = Mandate {
            issuer: zero,
            instrument: zero,
            collateral_asset: zero,
            consideration_asset: zero,
            pool_id: zero,
            amount_max: 0,
            premium_bps_max: 0,
            price_min: 0,
            price_max: 0,
            expiry: 0,
            salt: zero,
        };
        let assignment = Assignment::of(&Witness {
            round: Round {
                context: zero,
                root: zero,
                premium_cap_bps: 0,
                price: 0,
                closed_at: 0,
                disclosure: Disclosure::Immediate,
            },
            mandate,
            request: Request {
                requested: 0,
                remaining: 0,
                instrument: zero,
                mandate: zero,
                gap_band: 0,
                salt: zero,
            },
            position: Position { issuer: zero, amount: 0, salt: zero },
            premium_bps: 0,
            slots: [0, 1, 2, 3].map(|_| Slot::dummy(&[0; 32])),
            consideration: Consideration {
                amount: 0,
                spend_key: zero,
                nullifier_secret: nobody,
                rho: zero,
                path: Path::dummy(),
            },
        });
        Self { assignment, statement: Statement::from_inputs(&[zero; INPUTS]) }
    }
}

/// What every slot needs to know about the round.
struct Shared<'a> {
    public: &'a Statement<Wire>,
    mandate: &'a MandateFields<Wire>,
    gap_band: &'a Wire,
    premium_bps: &'a Wire,
    /// `price · (10⁴ + premium)`.
    rate: Wire,
}

/// What a slot adds to the round's sums.
struct Flow {
    fill: Wire,
    payout: Wire,
}

impl ConstraintSynthesizer<Fr> for Clearing {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Synthesis<()> {
        let Self { assignment, statement } = &self;
        let mut witness = |value: &Fr| private(&cs, value);

        let inputs = statement.to_inputs();
        let mut wires = Vec::with_capacity(INPUTS);
        for input in &inputs {
            wires.push(Wire::new_input(cs.clone(), || Ok(input))?);
        }
        let wires = wires.try_into().map_err(|_| SynthesisError::Unsatisfiable)?;
        let public = &Statement::from_inputs(&wires);
        range(&public.premium_cap_bps, PREMIUM_BITS)?;
        range(&public.price, PRICE_BITS)?;
        range(&public.closed_at, TIME_BITS)?;
        let sealed = &public.disclosure;
        sealed.mul_equals(sealed, sealed)?;

        // The mandate opens, and the round is inside it.
        let mandate = &assignment.mandate.try_map(&mut witness)?;
        mandate.hash()?.enforce_equal(&public.mandate)?;
        range(&mandate.amount_max, AMOUNT_BITS)?;
        range(&mandate.premium_bps_max, PREMIUM_BITS)?;
        range(&mandate.price_min, PRICE_BITS)?;
        range(&mandate.price_max, PRICE_BITS)?;
        range(&mandate.expiry, TIME_BITS)?;
        range(&(&public.price - &mandate.price_min), PRICE_BITS)?;
        range(&(&mandate.price_max - &public.price), PRICE_BITS)?;
        range(&(&mandate.expiry - &public.closed_at), TIME_BITS)?;
        let premium_bps = &witness(&assignment.premium_bps)?;
        range(premium_bps, PREMIUM_BITS)?;
        range(&(&public.premium_cap_bps - premium_bps), PREMIUM_BITS)?;
        range(&(&mandate.premium_bps_max - premium_bps), PREMIUM_BITS)?;

        // Request and position open, and are of this mandate.
        let request = &assignment.request.try_map(&mut witness)?;
        request.hash()?.enforce_equal(&public.request_old)?;
        request.mandate.enforce_equal(&public.mandate)?;
        request.instrument.enforce_equal(&mandate.instrument)?;
        range(&request.gap_band, GAP_BAND_BITS)?;
        range(&request.requested, AMOUNT_BITS)?;
        range(&request.remaining, AMOUNT_BITS)?;
        range(&(&mandate.amount_max - &request.requested), AMOUNT_BITS)?;
        range(&(&request.requested - &request.remaining), AMOUNT_BITS)?;
        let position = &assignment.position.try_map(&mut witness)?;
        position.hash()?.enforce_equal(&public.position_old)?;
        position.issuer.enforce_equal(&mandate.issuer)?;
        range(&position.amount, AMOUNT_BITS)?;

        // Each slot.
        let ten_thousand = Wire::constant(Fr::from(10_000));
        let shared = Shared {
            public,
            mandate,
            gap_band: &request.gap_band,
            premium_bps,
            rate: &public.price * (premium_bps + ten_thousand),
        };
        let mut filled = Wire::zero();
        let mut paid = Wire::zero();
        for (slot, fields) in assignment.slots.iter().enumerate() {
            let flow = enforce_slot(&cs, &shared, slot, fields)?;
            filled += flow.fill;
            paid += flow.payout;
        }

        // The consideration note pays for it, and the rest is re-minted under the same mandate.
        let note = &assignment.consideration.try_map(&mut witness)?;
        let owner = &note.hash_owner()?;
        range(&note.amount, AMOUNT_BITS)?;
        let rest = &(&note.amount - &paid);
        range(rest, AMOUNT_BITS)?;
        let inner = hash("note", &[owner, &public.mandate, &note.rho])?;
        let spent = &commit(&mandate.consideration_asset, &note.amount, &inner)?;
        let (index, root) = enforce_path(&cs, spent, &assignment.consideration_path)?;
        root.enforce_equal(&public.root)?;
        hash("nf", &[&note.nullifier_secret, spent, &index])?
            .enforce_equal(&public.consideration_nullifier)?;
        let rho = &derive("rho.consideration", &note.nullifier_secret, &public.context, SLOTS)?;
        let inner = hash("note", &[owner, &public.mandate, rho])?;
        commit(&mandate.consideration_asset, rest, &inner)?
            .enforce_equal(&public.consideration_change)?;

        // The request is debited and the position credited by what was filled.
        let remaining = &(&request.remaining - &filled);
        range(remaining, AMOUNT_BITS)?;
        RequestFields {
            remaining: remaining.clone(),
            salt: hash("salt.request", &[&request.salt, &public.context])?,
            ..request.clone()
        }
        .hash()?
        .enforce_equal(&public.request_new)?;
        let amount = &position.amount + &filled;
        range(&amount, AMOUNT_BITS)?;
        PositionFields {
            amount,
            salt: hash("salt.position", &[&position.salt, &public.context])?,
            issuer: position.issuer.clone(),
        }
        .hash()?
        .enforce_equal(&public.position_new)?;

        // The status is 2 if nothing remains, else 1 if less remains than was asked for (more cannot),
        // else 0; and is shown or committed to.
        let none = Wire::from(remaining.is_zero()?);
        let all = Wire::from(remaining.is_eq(&request.requested)?);
        let one = &Wire::one();
        let status = none.double()? + (one - &none) * (one - &all);
        let salt = &hash("salt.status", &[&request.salt, &public.context])?;
        let committed = compress(&(&status + Wire::constant(tag("status"))), salt)?;
        (committed - &status).mul_equals(sealed, &(&public.status - &status))
    }
}

/// One slot: a fill inside its owner's terms, or nothing at all.
fn enforce_slot(
    cs: &ConstraintSystemRef<Fr>,
    shared: &Shared<'_>,
    slot: usize,
    fields: &SlotFields,
) -> Synthesis<Flow> {
    let Shared { public, mandate, .. } = shared;
    let mut witness = |value: &Fr| private(cs, value);
    let real = &witness(&fields.real)?;
    real.mul_equals(real, real)?;
    let note = &fields.note.try_map(&mut witness)?;
    let terms = &fields.terms.try_map(&mut witness)?;
    let fill = witness(&fields.fill)?;
    let payout = witness(&fields.payout)?;

    // What is filled leaves the note, and a note that is not there is empty.
    let change = &(&note.amount - &fill);
    range(&note.amount, AMOUNT_BITS)?;
    range(&fill, AMOUNT_BITS)?;
    range(change, AMOUNT_BITS)?;
    note.amount.mul_equals(real, &note.amount)?;
    fill.mul_equals(real, &fill)?;

    // The terms are for this deal, and allow this fill of it. A real fill is at least 1: it has an
    // inverse.
    range(&terms.premium_bps_min, PREMIUM_BITS)?;
    range(&terms.price_min, PRICE_BITS)?;
    range(&terms.price_max, PRICE_BITS)?;
    range(&terms.fill_min, AMOUNT_BITS)?;
    range(&terms.gap_band_max, GAP_BAND_BITS)?;
    range(&terms.expiry, TIME_BITS)?;
    equal_if(real, &terms.issuer, &mandate.issuer)?;
    equal_if(real, &terms.instrument, &mandate.instrument)?;
    equal_if(real, &terms.consideration_asset, &mandate.consideration_asset)?;
    equal_if(real, &terms.pool_id, &mandate.pool_id)?;
    let inverse = Wire::new_witness(cs.clone(), || {
        Ok(ark_ff::Field::inverse(&fields.fill).unwrap_or_default())
    })?;
    fill.mul_equals(&inverse, real)?;
    range_if(real, &(&fill - &terms.fill_min), AMOUNT_BITS)?;
    range_if(real, &(shared.premium_bps - &terms.premium_bps_min), PREMIUM_BITS)?;
    range_if(real, &(&public.price - &terms.price_min), PRICE_BITS)?;
    range_if(real, &(&terms.price_max - &public.price), PRICE_BITS)?;
    range_if(real, &(&terms.gap_band_max - shared.gap_band), GAP_BAND_BITS)?;
    range_if(real, &(&terms.expiry - &public.closed_at), TIME_BITS)?;

    // payout · 10¹² = fill · rate + slack, and slack is below 10¹²: the quotient, rounded up. Neither
    // side reaches 2^192, so neither wraps.
    range(&payout, AMOUNT_BITS)?;
    let scale = Fr::from(PAYOUT_SCALE);
    let slack = linear([(scale, &payout), (-Fr::one(), &(&fill * &shared.rate))], Fr::zero())?;
    range(&slack, SLACK_BITS)?;
    range(&(Wire::constant(scale - Fr::one()) - &slack), SLACK_BITS)?;

    // A real note is in the tree.
    let owner = &note.hash_owner()?;
    let order_hash = &terms.hash()?;
    let inner = hash("note", &[owner, order_hash, &note.rho])?;
    let spent = &commit(&mandate.collateral_asset, &note.amount, &inner)?;
    let (index, root) = enforce_path(cs, spent, &fields.path)?;
    equal_if(real, &root, &public.root)?;

    // Its nullifier is H(tag nf, nsk, cm, index); of a note that is not there it is
    // H(tag nf.dummy, nsk, context, slot). One hash serves both, of what `real` selects.
    let select = |yes: &Wire, no: &Wire| Ok::<_, SynthesisError>(no + (yes - no) * real);
    let nullifier = poseidon(&[
        select(&Wire::constant(tag("nf")), &Wire::constant(tag("nf.dummy")))?,
        note.nullifier_secret.clone(),
        select(spent, &public.context)?,
        select(&index, &Wire::constant(Fr::from(slot as u64)))?,
    ])?;
    nullifier.enforce_equal(&public.nullifiers[slot])?;

    // The owner is paid where its terms say, and gets its change back under the same terms.
    let rho = &derive("rho.payout", &note.nullifier_secret, &public.context, slot)?;
    let inner = hash("note", &[&terms.payout_owner, &Wire::zero(), rho])?;
    commit(&mandate.consideration_asset, &payout, &inner)?.enforce_equal(&public.payouts[slot])?;
    let rho = &derive("rho.change", &note.nullifier_secret, &public.context, slot)?;
    let inner = hash("note", &[owner, order_hash, rho])?;
    commit(&mandate.collateral_asset, change, &inner)?.enforce_equal(&public.changes[slot])?;
    Ok(Flow { fill, payout })
}

/// Bits of the payout's slack: 10¹² is below 2^40.
const SLACK_BITS: u32 = 40;

/// The index and the root of a path. The index is below 2^32, because it is made of that many bits.
fn enforce_path(
    cs: &ConstraintSystemRef<Fr>,
    leaf: &Wire,
    path: &PathFields,
) -> Synthesis<(Wire, Wire)> {
    let bits: Vec<Boolean<Fr>> = bits(cs, Some(path.index), 32)?;
    let siblings =
        path.siblings.iter().map(|sibling| private(cs, sibling)).collect::<Synthesis<Vec<_>>>()?;
    Ok((pack(&bits)?, merkle_root(leaf, &bits, &siblings)?))
}

/// A value that the prover chooses. Every other wire is a function of these and the public inputs, which
/// a test checks and has to know them for.
fn private(cs: &ConstraintSystemRef<Fr>, value: &Fr) -> Synthesis<Wire> {
    #[cfg(test)]
    tests::CHOSEN.with_borrow_mut(|chosen| chosen.push(cs.num_witness_variables()));
    Wire::new_witness(cs.clone(), || Ok(value))
}

/// `H(tag name, inputs…)`.
fn hash(name: &str, inputs: &[&Wire]) -> Synthesis<Wire> {
    let mut tagged = vec![Wire::constant(tag(name))];
    tagged.extend(inputs.iter().copied().cloned());
    poseidon(&tagged)
}

/// `H(tag name, nsk, context, slot)`.
fn derive(name: &str, nullifier_secret: &Wire, context: &Wire, slot: usize) -> Synthesis<Wire> {
    hash(name, &[nullifier_secret, context, &Wire::constant(Fr::from(slot as u64))])
}

/// `C(C(asset, amount), inner)`.
fn commit(asset: &Wire, amount: &Wire, inner: &Wire) -> Synthesis<Wire> {
    compress(&compress(asset, amount)?, inner)
}

impl MandateFields<Wire> {
    fn hash(&self) -> Synthesis<Wire> {
        let Self { issuer, instrument, collateral_asset, consideration_asset, pool_id, .. } = self;
        let Self { amount_max, premium_bps_max, price_min, price_max, expiry, salt, .. } = self;
        let a = &hash(
            "mandate.a",
            &[issuer, instrument, collateral_asset, consideration_asset, pool_id],
        )?;
        let b =
            &hash("mandate.b", &[amount_max, premium_bps_max, price_min, price_max, expiry, salt])?;
        hash("mandate", &[a, b])
    }
}

impl RequestFields<Wire> {
    fn hash(&self) -> Synthesis<Wire> {
        let Self { requested, remaining, instrument, mandate, gap_band, salt } = self;
        hash("request", &[requested, remaining, instrument, mandate, gap_band, salt])
    }
}

impl PositionFields<Wire> {
    fn hash(&self) -> Synthesis<Wire> {
        hash("position", &[&self.issuer, &self.amount, &self.salt])
    }
}

impl TermsFields<Wire> {
    fn hash(&self) -> Synthesis<Wire> {
        let Self { issuer, instrument, consideration_asset, payout_owner, pool_id, .. } = self;
        let Self { premium_bps_min, price_min, price_max, fill_min, gap_band_max, expiry, .. } =
            self;
        let a =
            &hash("terms.a", &[issuer, instrument, consideration_asset, payout_owner, pool_id])?;
        let b = &hash(
            "terms.b",
            &[premium_bps_min, price_min, price_max, fill_min, gap_band_max, expiry],
        )?;
        hash("terms", &[a, b])
    }
}

impl NoteFields<Wire> {
    fn hash_owner(&self) -> Synthesis<Wire> {
        let nullifier_key = &hash("npk", &[&self.nullifier_secret])?;
        hash("owner", &[&self.spend_key, nullifier_key])
    }
}

// ---------------------------------------------------------------------------------------------------
// Tests
// ---------------------------------------------------------------------------------------------------

#[cfg(test)]
mod tests;
