//! Witnesses that satisfy the relations, for tests here and elsewhere.

use ark_std::Zero;
use pool::{
    Fr, field,
    keys::{NullifierSecret, SpendSecret},
    request::Request,
    second::{
        account::{Account, Holder},
        deal::{Deal, Scale, payout_ceil},
        mandate::Mandate,
        orders::{self, PLACES},
        terms::Terms,
        tree::{NOTE_DEPTH, ORDER_DEPTH, Path, Tree},
    },
    status::Disclosure,
};
use primitives::Hex;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

use super::{
    absorb,
    account::{self, Kind},
    clear::{self, Round, Slot},
    prove::{Provable, Prover, Published},
    spend,
};
use crate::keys::{Circuit, Keys};

/// A prover of each relation.
#[derive(Debug)]
pub struct Provers {
    /// Of `absorb` for 16 leaves.
    pub absorb: Prover<absorb::Witness>,
    /// Of `spend`.
    pub spend: Prover<spend::Witness>,
    /// Of `account`.
    pub account: Prover<account::Witness>,
    /// Of `clear` with eight slots.
    pub clear: Prover<clear::Witness>,
}

impl Provers {
    /// Under the keys that are given for each circuit.
    ///
    /// # Panics
    /// If they are another circuit's.
    #[must_use]
    pub fn new(mut keys: impl FnMut(Circuit) -> Keys) -> Self {
        Self {
            absorb: Prover::new(keys(Circuit::Absorb)).expect("its keys"),
            spend: Prover::new(keys(Circuit::Spend)).expect("its keys"),
            account: Prover::new(keys(Circuit::Account)).expect("its keys"),
            clear: Prover::new(keys(Circuit::Clear)).expect("its keys"),
        }
    }

    /// One proof of each relation, as `contracts/test/vectors/proofs.json` has them.
    #[must_use]
    pub fn vectors(&self) -> String {
        fn one<W: Provable>(prover: &Prover<W>, witness: &W) -> String {
            let (statement, proof) = prover.prove(witness, [1; 32]).expect("satisfiable");
            let words = |words: &[[u8; 32]]| {
                let words: Vec<_> =
                    words.iter().map(|word| format!("\"0x{}\"", Hex(word))).collect();
                words.join(", ")
            };
            format!(
                "    {{\n      \"inputs\": [{}],\n      \"posted\": [{}],\n      \"proof\": [{}],\n      \
                 \"relation\": \"{}\"\n    }}",
                words(&statement.inputs().map(|input| field::to_bytes(&input))),
                words(&statement.posted()),
                words(&proof.to_words()),
                W::Statement::CIRCUIT.name(),
            )
        }
        let proofs = [
            one(&self.absorb, &absorb(20, 7, absorb::HEIGHT).1),
            one(&self.spend, &spend(SpendShape { n_real: 2, announce: false, full: false })),
            one(&self.account, &account(Kind::Release)),
            one(&self.clear, &clear(3, FIVE)),
        ];
        format!(
            "{{\n  \"proofs\": [\n{}\n  ],\n  \"source\": \"circuits::second::testing under development keys; posted is \
             the digest and then the values, inputs are digest, challenge and sum; 32-byte big-endian values\"\n}}\n",
            proofs.join(",\n"),
        )
    }
}

/// Five fills of eight slots, something left, sealed.
pub const FIVE: Shape = Shape { n_fills: 5, filled: false, disclosure: Disclosure::Sealed };

/// A tree with some leaves, and what to append to it.
///
/// # Panics
/// If there are more leaves than the subtree has.
#[must_use]
pub fn absorb(n_before: u8, n_leaves: u8, height: usize) -> (Tree, absorb::Witness) {
    let leaf = |byte: u8| field::from_entropy(&[byte; 32]);
    let mut tree = Tree::new(NOTE_DEPTH);
    for byte in 0..n_before {
        tree.append(&[leaf(byte)], 0).expect("room");
    }
    let mut leaves: Vec<_> = (0..n_leaves).map(|byte| leaf(255 - byte)).collect();
    leaves.resize(1 << (2 * height), Fr::zero());
    let index = tree.len().next_multiple_of(leaves.len() as u64);
    let path = tree.path(index, height);
    (tree, absorb::Witness { leaves, path })
}

/// An account, and something of this kind done to it.
#[must_use]
pub fn account(kind: Kind) -> account::Witness {
    let holder = Holder {
        venue: Fr::from(11),
        issuer: Fr::from(12),
        collateral_asset: Fr::from(13),
        consideration_asset: Fr::from(14),
    };
    let account = match kind {
        Kind::Open => Account::open(holder, Fr::from(15)),
        Kind::Fund | Kind::TakeBack | Kind::Release | Kind::Resalt => Account {
            holder,
            position: 1_000,
            consideration: 2_000,
            epoch: 3,
            spent: 400,
            salt: Fr::from(15),
        },
    };
    let amount = if matches!(kind, Kind::Open | Kind::Resalt) { 0 } else { 70 };
    account::Witness { context: Fr::from(10), kind, amount, account, salt: Fr::from(16) }
}

/// What a spend looks like from inside: a note of each tree, the first one locked, unless asked otherwise.
#[derive(Clone, Copy, Debug)]
pub struct SpendShape {
    /// Inputs with a note in them, at most two.
    pub n_real: usize,
    /// Whether the notes stay and are announced.
    pub announce: bool,
    /// Whether everything leaves, so that no output is left.
    pub full: bool,
}

/// A spend of this shape that satisfies the relation.
#[must_use]
pub fn spend(shape: SpendShape) -> spend::Witness {
    let byte = |slot: usize, salt: u8| [u8::try_from(slot).expect("few") * 16 + salt; 32];
    let inputs = [0, 1].map(|slot| {
        if slot >= shape.n_real {
            return spend::Input::dummy(&byte(slot, 1));
        }
        spend::Input {
            amount: 1_000 + 100 * slot as u128,
            spend_secret: SpendSecret::from_entropy(&byte(slot, 1)),
            nullifier_secret: NullifierSecret::from_entropy(&byte(slot, 2)),
            order_hash: Fr::from(if slot == 0 { 77 } else { 0 }),
            rho: Fr::from(5 + slot as u64),
            in_venue: slot == 1,
            path: Path::dummy(NOTE_DEPTH),
        }
    });
    let spent: u128 = inputs.iter().map(|input| input.amount).sum();
    let (made, left) = match shape {
        SpendShape { announce: true, .. } => (0, 0),
        SpendShape { full: true, .. } => (0, spent),
        SpendShape { .. } => (300, spent - 350),
    };
    let mut witness = spend::Witness {
        context: Fr::from(10),
        announce: shape.announce,
        entry_root: Fr::zero(),
        venue: Fr::from(1_u128 << 100),
        venue_root: Fr::zero(),
        asset: Fr::from(20),
        inputs,
        outputs: [
            spend::Output { amount: made, inner: Fr::from(30) },
            spend::Output { amount: made / 6, inner: Fr::from(31) },
        ],
        amount: left,
    };
    replant_spend(&mut witness);
    witness
}

/// Puts every note of the witness, as it is now, into a tree of its own, where each has others around it.
pub fn replant_spend(witness: &mut spend::Witness) {
    let mut entry = Tree::new(NOTE_DEPTH);
    let mut venue = Tree::new(NOTE_DEPTH);
    entry.append(&[1, 2, 3].map(Fr::from), 1).expect("room");
    venue.append(&[4, 5].map(Fr::from), 2).expect("room");
    for input in &mut witness.inputs {
        let tree = if input.in_venue { &mut venue } else { &mut entry };
        input.path.index = tree.append(&[input.commitment(witness.asset)], 0).expect("room");
    }
    for tree in [&mut entry, &mut venue] {
        tree.append(&[6, 7].map(Fr::from), 1).expect("room");
    }
    (witness.entry_root, witness.venue_root) = (entry.root(), venue.root());
    for input in &mut witness.inputs {
        let tree = if input.in_venue { &venue } else { &entry };
        input.path = tree.path(input.path.index, 0);
    }
}

/// What a settlement looks like from inside.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Real fills; the other slots are dummies.
    pub n_fills: usize,
    /// Whether nothing remains afterwards.
    pub filled: bool,
    /// What is shown of the status.
    pub disclosure: Disclosure,
}

/// Every fill of [`mod@clear`] is a multiple of this.
pub const LOT: u128 = 1_000;

/// A witness that satisfies the relation, every value drawn from `seed`. The first fill, if any, is of a
/// note in the entry tree, the second of one in the venue's.
#[must_use]
pub fn clear<const N: usize>(seed: u64, shape: Shape) -> clear::Witness<N> {
    let mut random = Random(ChaCha20Rng::seed_from_u64(seed));
    let random = &mut random;
    let price = 90_000_000 + random.below(20_000_000);
    let premium_bps = 1 + random.below_u16(800);
    let closed_at = 1_678_500_000 + random.below(100_000_000);
    let deal = Deal {
        issuer: random.element(),
        instrument: Fr::from(random.below(5)),
        consideration_asset: random.element(),
        venue: pool::second::venue(&random.bytes()),
        scale: Scale::between(6, 6 + u8::try_from(random.below(7)).expect("few")).expect("near"),
    };
    let mandate = Mandate {
        deal,
        collateral_asset: random.element(),
        premium_bps_max: premium_bps + random.below_u16(100),
        price_min: price - random.below(1000),
        price_max: price + random.below(1000),
        expiry: closed_at + random.below(1000),
        epoch_seconds: 86_400,
        amount_max: 1 << 70,
        lot: LOT,
        slot_min: 5 * LOT,
        salt: random.element(),
    };
    let gap_band = u8::try_from(random.below(5)).expect("below 5");
    let mut slots: Vec<_> = (0..shape.n_fills)
        .map(|index| {
            let fill = 7 * LOT + random.amount();
            Slot {
                amount: fill + if random.below(2) == 0 { 0 } else { 1 + random.amount() },
                spend_key: random.element(),
                nullifier_secret: NullifierSecret::from_entropy(&random.bytes()),
                terms: Terms {
                    deal,
                    payout_owner: random.element(),
                    premium_bps_min: premium_bps - random.below_u16(premium_bps + 1),
                    price_min: price - random.below(1000),
                    price_max: price + random.below(1000),
                    fill_min: fill - u128::from(random.below(2)),
                    gap_band_max: gap_band + u8::try_from(random.below(3)).expect("below 3"),
                    expiry: closed_at + random.below(1000),
                },
                rho: random.element(),
                in_venue: index % 2 == 1,
                path: Path::dummy(NOTE_DEPTH),
                receipt: random.below(1 << 40),
                place: Path { index: 1 + 3 * index as u64, ..Path::dummy(ORDER_DEPTH) },
                fill,
            }
        })
        .collect();
    while slots.len() < N {
        let at = usize::try_from(random.below(slots.len() as u64 + 1)).expect("few");
        slots.insert(at, Slot::dummy(&random.bytes()));
    }
    let filled: u128 = slots.iter().map(|slot| slot.fill).sum();
    let payout = |slot: &Slot| payout_ceil(slot.fill, price, premium_bps, deal.scale);
    let paid: u128 = slots.iter().map(|slot| payout(slot).expect("amounts are small")).sum();
    let remaining = filled + if shape.filled { 0 } else { 1 + random.amount() };
    let mut witness = clear::Witness {
        round: Round {
            context: random.element(),
            entry_root: Fr::zero(),
            venue_root: Fr::zero(),
            order_root: Fr::zero(),
            premium_cap_bps: premium_bps + random.below_u16(100),
            price,
            closed_at,
            disclosure: shape.disclosure,
        },
        request: Request {
            requested: remaining + 1 + random.amount(),
            remaining,
            instrument: deal.instrument,
            mandate: mandate.commitment(),
            gap_band,
            salt: random.element(),
        },
        account: Account {
            holder: Holder {
                venue: deal.venue,
                issuer: deal.issuer,
                collateral_asset: mandate.collateral_asset,
                consideration_asset: deal.consideration_asset,
            },
            position: random.amount(),
            consideration: paid + random.amount(),
            epoch: closed_at / 86_400 - random.below(2),
            spent: 5_000,
            salt: random.element(),
        },
        mandate,
        premium_bps,
        slots: slots.try_into().unwrap_or_else(|_| unreachable!("filled up to N")),
        path: Path::dummy(NOTE_DEPTH - clear::height(N)),
    };
    replant_clear(&mut witness);
    witness
}

/// Puts every note and order of the witness, as they are now, into trees of their own, where each has
/// others around it.
pub fn replant_clear<const N: usize>(witness: &mut clear::Witness<N>) {
    let mut entry = Tree::new(NOTE_DEPTH);
    let mut venue = Tree::new(NOTE_DEPTH);
    let mut orders = vec![Fr::zero(); 1024];
    entry.append(&[1, 2, 3].map(Fr::from), 2).expect("room");
    venue.append(&[4, 5].map(Fr::from), 2).expect("room");
    witness.request.mandate = witness.mandate.commitment();
    let asset = witness.mandate.collateral_asset;
    for slot in witness.slots.iter_mut().filter(|slot| slot.fill != 0) {
        let tree = if slot.in_venue { &mut venue } else { &mut entry };
        slot.path.index = tree.append(&[slot.commitment(asset)], 0).expect("room");
        let (receipt, place) = (Fr::from(slot.receipt), Fr::from(slot.place.index));
        let secret = slot.nullifier_secret.expose();
        let at = usize::try_from(slot.place.index % PLACES).expect("few");
        orders[at] = orders::leaf(slot.commitment(asset), receipt, place, secret);
    }
    let mut set = Tree::new(ORDER_DEPTH);
    set.append(&orders, ORDER_DEPTH).expect("room");
    for slot in witness.slots.iter_mut().filter(|slot| slot.fill != 0) {
        let tree = if slot.in_venue { &venue } else { &entry };
        slot.path = tree.path(slot.path.index, 0);
        slot.place = set.path(slot.place.index % PLACES, 0);
    }
    let size = 1 << (2 * clear::height(N));
    witness.path = venue.path(venue.len().next_multiple_of(size), clear::height(N));
    let round = &mut witness.round;
    (round.entry_root, round.venue_root) = (entry.root(), venue.root());
    round.order_root = set.root();
}

struct Random(ChaCha20Rng);

impl Random {
    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    fn element(&mut self) -> Fr {
        field::from_entropy(&self.bytes())
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    fn below_u16(&mut self, end: u16) -> u16 {
        u16::try_from(self.below(u64::from(end))).expect("below a u16")
    }

    /// Up to 10^15 base units in lots: a thousand million of a token with 6 decimals.
    fn amount(&mut self) -> u128 {
        u128::from(self.below(1_000_000_000_000)) * LOT
    }
}
