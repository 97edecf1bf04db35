//! A satisfiable witness from a seed, for tests here and elsewhere.

use ark_std::Zero;
use pool::{
    Fr, SLOTS, field,
    keys::{self, NullifierSecret, SpendSecret},
    mandate::Mandate,
    note::Note,
    position::Position,
    request::Request,
    status::Disclosure,
    terms::{Terms, payout_ceil},
    tree::{Path, Tree},
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::clearing::{Consideration, Round, Slot, Witness};

/// What a settlement looks like from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Real fills, at most [`SLOTS`]; the other slots are dummies.
    pub n_fills: usize,
    /// Whether nothing remains afterwards.
    pub filled: bool,
    /// What is shown of the status.
    pub disclosure: Disclosure,
}

impl Shape {
    /// Every shape there is: 0 to 4 fills, partial and full, immediate and sealed.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=SLOTS).flat_map(|n_fills| {
            [false, true].into_iter().flat_map(move |filled| {
                [Disclosure::Immediate, Disclosure::Sealed].map(|disclosure| Self {
                    n_fills,
                    filled,
                    disclosure,
                })
            })
        })
    }
}

/// A witness that satisfies the relation, its shape and every value drawn from `seed`.
#[must_use]
pub fn witness(seed: u64) -> Witness {
    let mut random = Random(ChaCha20Rng::seed_from_u64(seed));
    let shape = Shape {
        n_fills: usize::try_from(random.below(SLOTS as u64 + 1)).expect("at most SLOTS"),
        filled: random.below(2) == 1,
        disclosure: [Disclosure::Immediate, Disclosure::Sealed][usize::from(random.below(2) == 1)],
    };
    random.witness(shape)
}

/// A witness of this shape that satisfies the relation, every value drawn from `seed`.
///
/// # Panics
/// If the shape has more than [`SLOTS`] fills.
#[must_use]
pub fn witness_of(seed: u64, shape: Shape) -> Witness {
    Random(ChaCha20Rng::seed_from_u64(seed)).witness(shape)
}

struct Random(ChaCha20Rng);

impl Random {
    fn witness(&mut self, shape: Shape) -> Witness {
        assert!(shape.n_fills <= SLOTS, "a settlement has {SLOTS} slots");
        let price = 90_000_000 + self.below(20_000_000);
        let premium_bps = self.below_u16(800);
        let closed_at = 1_678_500_000 + self.below(100_000_000);
        let mandate = Mandate {
            issuer: self.address(),
            instrument: Fr::from(self.below(5)),
            collateral_asset: self.address(),
            consideration_asset: self.address(),
            pool_id: self.digest(),
            amount_max: 1 << 70,
            premium_bps_max: premium_bps + self.below_u16(100),
            price_min: price - self.below(1000),
            price_max: price + self.below(1000),
            expiry: closed_at + self.below(1000),
            salt: self.element(),
        };
        let gap_band = u8::try_from(self.below(5)).expect("below 5");
        let mut tree = Tree::new();
        let mut slots: Vec<_> = (0..shape.n_fills)
            .map(|_| self.fill(&mandate, price, premium_bps, gap_band, closed_at))
            .collect();
        for slot in &mut slots {
            slot.path.index = self.plant(&mut tree, maker_note(&mandate, slot).commitment());
        }
        while slots.len() < SLOTS {
            let at = usize::try_from(self.below(slots.len() as u64 + 1)).expect("at most SLOTS");
            slots.insert(at, Slot::dummy(&self.bytes()));
        }
        let filled: u128 = slots.iter().map(|slot| slot.fill).sum();
        let paid: u128 = slots
            .iter()
            .map(|slot| payout_ceil(slot.fill, price, premium_bps).expect("amounts are small"))
            .sum();
        let remaining = filled + if shape.filled { 0 } else { 1 + self.amount() };
        let mut consideration = Consideration {
            amount: paid + self.amount(),
            spend_key: SpendSecret::from_entropy(&self.bytes()).spend_key(),
            nullifier_secret: NullifierSecret::from_entropy(&self.bytes()),
            rho: self.element(),
            path: Path::dummy(),
        };
        let note = consideration_note(&mandate, &consideration);
        consideration.path.index = self.plant(&mut tree, note.commitment());
        self.plant(&mut tree, Fr::zero());

        let path = |index| tree.path(index).expect("planted");
        for slot in slots.iter_mut().filter(|slot| slot.real) {
            slot.path = path(slot.path.index);
        }
        consideration.path = path(consideration.path.index);
        Witness {
            round: Round {
                context: self.digest(),
                root: tree.root(),
                premium_cap_bps: premium_bps + self.below_u16(100),
                price,
                closed_at,
                disclosure: shape.disclosure,
            },
            request: Request {
                requested: remaining + self.amount(),
                remaining,
                instrument: mandate.instrument,
                mandate: mandate.commitment(),
                gap_band,
                salt: self.element(),
            },
            position: Position {
                issuer: mandate.issuer,
                amount: self.amount(),
                salt: self.element(),
            },
            mandate,
            premium_bps,
            slots: slots.try_into().unwrap_or_else(|_| unreachable!("filled up to SLOTS")),
            consideration,
        }
    }

    fn fill(
        &mut self,
        mandate: &Mandate,
        price: u64,
        premium_bps: u16,
        gap_band: u8,
        closed_at: u64,
    ) -> Slot {
        let fill = 1 + self.amount();
        Slot {
            real: true,
            amount: fill + if self.below(2) == 0 { 0 } else { self.amount() },
            spend_key: SpendSecret::from_entropy(&self.bytes()).spend_key(),
            nullifier_secret: NullifierSecret::from_entropy(&self.bytes()),
            terms: Terms {
                issuer: mandate.issuer,
                instrument: mandate.instrument,
                consideration_asset: mandate.consideration_asset,
                payout_owner: self.element(),
                pool_id: mandate.pool_id,
                premium_bps_min: premium_bps - self.below_u16(premium_bps + 1),
                price_min: price - self.below(1000),
                price_max: price + self.below(1000),
                fill_min: fill - u128::from(self.below(2)),
                gap_band_max: gap_band + u8::try_from(self.below(3)).expect("below 3"),
                expiry: closed_at + self.below(1000),
            },
            rho: self.element(),
            path: Path::dummy(),
            fill,
        }
    }

    /// Appends a leaf, with others in front of it, singly or in a batch.
    fn plant(&mut self, tree: &mut Tree, leaf: Fr) -> u64 {
        for _ in 0..self.below(4) {
            tree.append(self.element()).expect("a new tree has room");
        }
        if self.below(2) == 0 {
            return tree.append(leaf).expect("a new tree has room");
        }
        let before = self.below(9);
        let mut batch: Vec<_> = (0..before).map(|_| self.element()).collect();
        batch.push(leaf);
        tree.append_batch(&batch).expect("a new tree has room") + before
    }

    /// Up to 10^15 base units: a thousand million of a token with 6 decimals.
    fn amount(&mut self) -> u128 {
        u128::from(self.below(1_000_000_000_000_000))
    }

    fn address(&mut self) -> Fr {
        let [address @ .., _, _, _, _, _, _, _, _, _, _, _, _] = self.bytes();
        field::from_address(&address)
    }

    fn digest(&mut self) -> Fr {
        field::from_digest(&self.bytes())
    }

    fn element(&mut self) -> Fr {
        field::from_entropy(&self.bytes())
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Not quite uniform, and good enough here.
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    fn below_u16(&mut self, end: u16) -> u16 {
        u16::try_from(self.below(u64::from(end))).expect("below a u16")
    }
}

/// The note that a slot spends.
#[must_use]
pub fn maker_note(mandate: &Mandate, slot: &Slot) -> Note {
    Note {
        asset: mandate.collateral_asset,
        amount: slot.amount,
        owner: keys::owner(slot.spend_key, slot.nullifier_secret.nullifier_key()),
        order_hash: slot.terms.hash(),
        rho: slot.rho,
    }
}

/// The note that fills are paid from.
#[must_use]
pub fn consideration_note(mandate: &Mandate, consideration: &Consideration) -> Note {
    Note {
        asset: mandate.consideration_asset,
        amount: consideration.amount,
        owner: keys::owner(consideration.spend_key, consideration.nullifier_secret.nullifier_key()),
        order_hash: mandate.commitment(),
        rho: consideration.rho,
    }
}
