//! Wallets that only see events, against what really happened in a pool whose every step is a statement of
//! the relations.
//!
//! The pool here is in memory and checks what the contract checks of nullifiers; instead of proofs it has
//! witnesses, and takes what their statements say. What each wallet should hold is kept beside it by whoever
//! makes the notes.

use std::collections::BTreeMap;

use circuits::second::{
    account, clear,
    clear::{Round, SLOTS},
    prove::Published,
    spend,
};
use pool::{
    Fr, field,
    request::Request,
    second::{
        account::{Account, Holder},
        context::{Deployment, Exit, Kind},
        deal::{Deal, Scale},
        mandate::Mandate,
        note::{self, Note, change_rho, payout_rho},
        orders,
        terms::Terms,
        tree::{ORDER_DEPTH, Tree},
        wallet::{
            Asset, At, Cleared, Cursor, Error, Event, Held, Keys, Output, PlanError, Spend, Trees,
            Wallet, Wanted,
        },
    },
    status::Disclosure,
};
use proptest::prelude::*;

const LOT: u128 = 1_000;
const WINDOW: u64 = 600;
const PRICE: u64 = 101_000_000;
const WALLETS: usize = 3;
const DEPLOYMENT: Deployment = Deployment { chain_id: 31_337, pool: [0xaa; 20] };

fn usd() -> Asset {
    Asset { address: Fr::from(0xc0_11a7_u64), decimals: 6 }
}

fn bond() -> Asset {
    Asset { address: Fr::from(0xb0_0d_u64), decimals: 18 }
}

fn assets() -> Vec<Asset> {
    vec![usd(), bond()]
}

fn seed(wallet: usize) -> [u8; 32] {
    [u8::try_from(wallet).expect("few") + 1; 32]
}

fn keys(wallet: usize) -> Keys {
    Keys::new(&seed(wallet)).expect("long enough")
}

/// What a wallet should hold: asset, amount, inner, place, announcement.
type Truth = (Fr, u128, Fr, At, u64);

fn holdings(wallet: &Wallet) -> Vec<Truth> {
    let mut found: Vec<_> = wallet
        .held()
        .iter()
        .map(|held| {
            let Held { note, at, announced, .. } = *held;
            (note.asset, note.amount, note.inner(), at, announced)
        })
        .collect();
    found.sort();
    found
}

/// A settlement's digest and values.
fn posted(statement: &clear::Statement) -> Vec<Fr> {
    let words = statement.posted();
    words.iter().map(|word| field::from_bytes(word).expect("reduced")).collect()
}

struct Venue {
    address: [u8; 20],
    mandate: Mandate,
    account: Account,
}

impl Venue {
    fn new(number: u8) -> Self {
        let address = [number; 20];
        let deal = Deal {
            issuer: Fr::from(number),
            instrument: Fr::from(3),
            consideration_asset: bond().address,
            venue: DEPLOYMENT.venue(&address),
            scale: Scale::between(6, 18).expect("near"),
        };
        let mandate = Mandate {
            deal,
            collateral_asset: usd().address,
            premium_bps_max: 900,
            price_min: 0,
            price_max: u64::MAX,
            expiry: 1 << 39,
            epoch_seconds: 1 << 39,
            amount_max: 1 << 100,
            lot: LOT,
            slot_min: 0,
            salt: Fr::from(77),
        };
        let holder = Holder {
            venue: deal.venue,
            issuer: deal.issuer,
            collateral_asset: usd().address,
            consideration_asset: bond().address,
        };
        let opened = Account::open(holder, Fr::from(5));
        let fund = account::Witness {
            context: Fr::from(0),
            kind: account::Kind::Fund,
            amount: 1 << 110,
            account: opened,
            salt: Fr::from(6),
        };
        let funded = Account {
            consideration: 1 << 110,
            salt: Fr::from(6),
            ..Account::open(holder, Fr::from(6))
        };
        assert_eq!(fund.statement().expect("room").after, funded.commitment());
        Self { address, mandate, account: funded }
    }
}

struct World {
    now: u64,
    block: u64,
    events: Vec<(Cursor, Event)>,
    trees: Trees,
    words: BTreeMap<Fr, u64>,
    venues: [Venue; 2],
    wallets: Vec<Wallet>,
    truth: Vec<Vec<Truth>>,
    /// What every order hash stands for, and the venue's number.
    terms: BTreeMap<Fr, (Terms, usize)>,
}

impl World {
    fn new() -> Self {
        Self {
            now: 1_700_000_000,
            block: 0,
            events: Vec::new(),
            trees: Trees::default(),
            words: BTreeMap::new(),
            venues: [Venue::new(0xb1), Venue::new(0xb2)],
            wallets: (0..WALLETS).map(|at| Wallet::new(keys(at), assets(), 0)).collect(),
            truth: vec![Vec::new(); WALLETS],
            terms: BTreeMap::new(),
        }
    }

    /// Says what happened in the next block to everyone, and compares.
    fn happen(&mut self, events: Vec<Event>) {
        self.block += 1;
        self.now += 12;
        for (log, event) in (0..).zip(events) {
            let at = Cursor { block: self.block, log };
            self.trees.apply(&event).expect("it is what the pool says");
            for wallet in &mut self.wallets {
                wallet.scan(at, &event).expect("in order");
            }
            self.events.push((at, event));
        }
        for (wallet, truth) in self.wallets.iter().zip(&mut self.truth) {
            truth.sort();
            assert_eq!(holdings(wallet), *truth);
            assert!(wallet.unread().is_empty());
        }
    }

    fn order_hash(&mut self, wallet: usize, venue: usize) -> Fr {
        let wallet = &self.wallets[wallet];
        let terms = Terms {
            deal: self.venues[venue].mandate.deal,
            payout_owner: wallet.keys().payout(wallet.next()).owner(),
            premium_bps_min: 10,
            price_min: 1,
            price_max: u64::MAX,
            fill_min: LOT,
            gap_band_max: 9,
            expiry: 1 << 39,
        };
        self.terms.insert(terms.hash(), (terms, venue));
        terms.hash()
    }

    fn deposit(&mut self, wallet: usize, amount: u128, venue: Option<usize>) {
        let order_hash = venue.map_or(Fr::from(0), |venue| self.order_hash(wallet, venue));
        let words =
            self.wallets[wallet].keys().words(self.wallets[wallet].next(), amount, order_hash);
        let (head, waiting) = self.trees.waiting();
        let position = head + waiting.len() as u64;
        let leaf = note::leaf(usd().address, Fr::from(amount), words.inner);
        self.truth[wallet].push((usd().address, amount, words.inner, At::Queue(position), 0));
        self.happen(vec![Event::Queued { position, leaf, hint: words.hint, memo: words.memo }]);
    }

    fn absorb(&mut self) {
        let (position, waiting) = self.trees.waiting();
        let count = waiting.len().min(16);
        if count == 0 {
            return;
        }
        let mut tree = self.trees.entry().clone();
        let index = tree.append(&waiting[..count], 2).expect("room");
        let count = count as u64;
        for (.., at, _) in self.truth.iter_mut().flatten() {
            if let At::Queue(queued) = *at
                && queued < position + count
            {
                *at = At::Tree { venue: Fr::from(0), index: index + queued - position };
            }
        }
        self.happen(vec![Event::Absorbed { position, count, index, root: tree.root() }]);
    }

    /// Fills lines of one venue: of each that is picked, so many lots, if it has as many.
    fn clear(&mut self, venue: usize, picks: &[(usize, u128)], premium_bps: u16) {
        let lines: Vec<(usize, Held)> = (0..WALLETS)
            .flat_map(|at| self.wallets[at].held().iter().map(move |held| (at, *held)))
            .filter(|(_, held)| {
                let for_venue =
                    self.terms.get(&held.note.order_hash).is_some_and(|it| it.1 == venue);
                for_venue && matches!(held.at, At::Tree { .. }) && held.announced == 0
            })
            .collect();
        let mut chosen: BTreeMap<usize, u128> = BTreeMap::new();
        if !lines.is_empty() {
            for (pick, lots) in picks {
                let at = pick % lines.len();
                let most = lines[at].1.note.amount / LOT;
                if most != 0 {
                    chosen.insert(at, (1 + lots % most) * LOT);
                }
            }
        }
        let number = self.trees.venue(self.venues[venue].mandate.deal.venue).map_or(0, Tree::len);
        let context =
            DEPLOYMENT.venue_context(Kind::Clear, &self.venues[venue].address, number, &[7; 32]);
        let venue_tree = self.trees.venue(self.venues[venue].mandate.deal.venue).cloned();
        let venue_tree = venue_tree.unwrap_or_else(|| Tree::new(pool::second::tree::NOTE_DEPTH));
        let Venue { mandate, account, .. } = &self.venues[venue];
        let mut slots = Vec::new();
        let mut orders = Vec::new();
        for (at, fill) in &chosen {
            let (wallet, held) = &lines[*at];
            let (terms, _) = self.terms[&held.note.order_hash];
            let pool::second::wallet::Source::Line(line) = held.source else {
                panic!("only lines are locked")
            };
            let opening = self.wallets[*wallet].keys().line(line);
            let At::Tree { venue, index } = held.at else { unreachable!("filtered") };
            let in_venue = venue != Fr::from(0);
            let tree = if in_venue { &venue_tree } else { self.trees.entry() };
            let place = orders.len() as u64;
            let secret = opening.nullifier_secret.expose();
            let cm = held.note.commitment();
            orders.push(orders::leaf(cm, Fr::from(9), Fr::from(place), secret));
            slots.push(clear::Slot {
                amount: held.note.amount,
                spend_key: opening.spend_secret.spend_key(),
                nullifier_secret: opening.nullifier_secret,
                terms,
                rho: held.note.rho,
                in_venue,
                path: tree.path(index, 0),
                receipt: 9,
                place: pool::second::tree::Path { index: place, siblings: Vec::new() },
                fill: *fill,
            });
        }
        let mut set = Tree::new(ORDER_DEPTH);
        set.append(&orders, ORDER_DEPTH).expect("room");
        for slot in &mut slots {
            slot.place = set.path(slot.place.index, 0);
        }
        while slots.len() < SLOTS {
            let byte = u8::try_from(slots.len()).expect("few");
            slots.push(clear::Slot::dummy(&[byte ^ self.block.to_be_bytes()[7]; 32]));
        }
        let filled: u128 = chosen.values().sum();
        let height = clear::height(SLOTS);
        let index = venue_tree.len();
        let witness = clear::Witness::<SLOTS> {
            round: Round {
                context,
                entry_root: self.trees.entry().root(),
                venue_root: venue_tree.root(),
                order_root: set.root(),
                premium_cap_bps: 900,
                price: PRICE,
                closed_at: self.now,
                disclosure: Disclosure::Sealed,
            },
            mandate: *mandate,
            request: Request {
                requested: filled + 1,
                remaining: filled + 1,
                instrument: mandate.deal.instrument,
                mandate: mandate.commitment(),
                gap_band: 1,
                salt: Fr::from(self.block),
            },
            account: *account,
            premium_bps,
            slots: slots.try_into().unwrap_or_else(|_| unreachable!("filled up")),
            path: venue_tree.path(index, height),
        };
        let statement = witness.statement().expect("satisfiable");
        for nullifier in statement.nullifiers {
            assert_eq!(self.words.insert(nullifier, 1), None, "unspent, unannounced");
        }
        let payouts = witness.payouts_ceil().map(|payout| payout.expect("small"));
        let epoch = self.now / mandate.epoch_seconds;
        let paid = payouts.iter().sum();
        self.venues[venue].account = account.after(filled, paid, epoch, context).expect("fits");
        assert_eq!(self.venues[venue].account.commitment(), statement.account_new);

        // What makers get, by who made it.
        for (slot, at) in chosen.keys().enumerate() {
            let (wallet, held) = &lines[*at];
            let Held { note, at, .. } = *held;
            let before = self.truth[*wallet].len();
            self.truth[*wallet].retain(|truth| (truth.2, truth.3) != (note.inner(), at));
            assert_eq!(self.truth[*wallet].len(), before - 1);
            let secret = witness.slots[slot].nullifier_secret.expose();
            let nullifier = statement.nullifiers[slot];
            let tree = statement.venue;
            let payout = Note {
                asset: bond().address,
                amount: payouts[slot],
                owner: witness.slots[slot].terms.payout_owner,
                order_hash: Fr::from(0),
                rho: payout_rho(secret, nullifier),
            };
            let place = At::Tree { venue: tree, index: index + slot as u64 };
            self.truth[*wallet].push((payout.asset, payout.amount, payout.inner(), place, 0));
            let amount = note.amount - witness.slots[slot].fill;
            if amount != 0 {
                let change = Note { amount, rho: change_rho(secret, nullifier), ..note };
                let place = At::Tree { venue: tree, index: index + (SLOTS + slot) as u64 };
                self.truth[*wallet].push((change.asset, amount, change.inner(), place, 0));
            }
        }
        let cleared = Cleared::from_posted(&posted(&statement)).expect("a settlement's values");
        assert_eq!((cleared.index, cleared.price), (index, PRICE));
        self.happen(vec![Event::Cleared(cleared)]);
    }

    /// Carries out what a wallet has planned, as the pool would.
    fn carry_out(&mut self, wallet: usize, plan: &Spend) {
        let exit = Exit {
            recipient: if plan.amount == 0 { [0; 20] } else { [9; 20] },
            relayer: [0; 20],
            fee: 0,
            deadline: self.now,
            hints: plan.hints(),
            memos: plan.memos(),
        };
        let kind = if plan.announce { Kind::Announce } else { Kind::Spend };
        let context = DEPLOYMENT.exit_context(kind, &exit);
        let statement =
            spend::Witness::of(plan, context).statement().expect("what is planned holds");
        for (input, nullifier) in plan.inputs.iter().zip(statement.nullifiers) {
            assert_eq!(input.nullifier, nullifier);
        }
        let mut events = Vec::new();
        for (nullifier, locked) in statement.nullifiers.into_iter().zip(statement.locked) {
            let word = self.words.get(&nullifier).copied().unwrap_or(0);
            if plan.announce {
                if locked == Fr::from(1) {
                    assert_eq!(word, 0);
                    self.words.insert(nullifier, self.now);
                    events.push(Event::Announced { nullifier, time: self.now });
                }
                continue;
            }
            assert!(if locked == Fr::from(1) {
                word > 1 && self.now > word + WINDOW
            } else {
                word == 0
            });
            self.words.insert(nullifier, 1);
        }
        for input in &plan.inputs {
            let truth = &mut self.truth[wallet];
            let is_it =
                |truth: &Truth| truth.2 == input.note.inner() && truth.1 == input.note.amount;
            let index = input.path.index;
            let at = truth.iter().position(|truth| {
                is_it(truth) && matches!(truth.3, At::Tree { index: at, .. } if at == index)
            });
            let at = at.expect("it was the wallet's");
            if plan.announce {
                truth[at].4 = self.now;
            } else {
                truth.remove(at);
            }
        }
        if !plan.announce {
            events.push(Event::Spent { nullifiers: statement.nullifiers });
            let (head, waiting) = self.trees.waiting();
            let mut position = head + waiting.len() as u64;
            for ((amount, words), leaf) in plan.outputs.iter().zip(statement.leaves) {
                if *amount == 0 {
                    assert_eq!(leaf, Fr::from(0));
                    continue;
                }
                let place = At::Queue(position);
                self.truth[wallet].push((plan.asset, *amount, words.inner, place, 0));
                events.push(Event::Queued { position, leaf, hint: words.hint, memo: words.memo });
                position += 1;
            }
        }
        self.happen(events);
    }

    /// What is ready of an asset, by the truth.
    fn ready(&self, wallet: usize, asset: Fr) -> u128 {
        let is_ready = |held: &&Held| held.note.asset == asset && held.is_ready(self.now, WINDOW);
        self.wallets[wallet].held().iter().filter(is_ready).map(|held| held.note.amount).sum()
    }

    fn spend(&mut self, wallet: usize, of_bond: bool, share: u8, outputs: u8, relock: bool) {
        let asset = if of_bond { bond().address } else { usd().address };
        let ready = self.ready(wallet, asset);
        let part = ready / 256 * u128::from(share) + 1;
        let order_hash = if relock && !of_bond { self.order_hash(wallet, 0) } else { Fr::from(0) };
        let made = [
            Output { amount: part / 2 + 1, order_hash },
            Output { amount: part / 3 + 1, order_hash: Fr::from(0) },
        ];
        let outputs = made[..usize::from(outputs % 3)].to_vec();
        let wanted = Wanted { asset, amount: part / 4 + u128::from(outputs.is_empty()), outputs };
        match self.wallets[wallet].spend(&self.trees, &wanted, self.now, WINDOW) {
            Ok(plan) => self.carry_out(wallet, &plan),
            Err(PlanError::NotEnough { need, ready: found, .. }) => {
                assert_eq!(found, ready);
                assert!(need > ready);
            }
            Err(PlanError::Outputs { .. } | PlanError::Scattered { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn announce(&mut self, wallet: usize, pick: usize) {
        let lines: Vec<_> = self.wallets[wallet]
            .held()
            .iter()
            .filter(|held| held.is_locked() && held.announced == 0)
            .filter(|held| matches!(held.at, At::Tree { .. }))
            .map(|held| held.nullifier)
            .collect();
        if let Some(nullifier) = lines.get(pick % lines.len().max(1)) {
            let plan = self.wallets[wallet].announce(&self.trees, &[*nullifier]).expect("a line");
            self.carry_out(wallet, &plan);
        }
    }

    fn merge(&mut self, wallet: usize) {
        let is_free = |held: &&Held| !held.is_locked() && matches!(held.at, At::Tree { .. });
        let free: Vec<_> = self.wallets[wallet].held().iter().filter(is_free).copied().collect();
        let pair = free.iter().enumerate().find_map(|(at, one)| {
            let other = free[..at].iter().find(|other| other.note.asset == one.note.asset)?;
            Some([*one, *other])
        });
        let Some([one, other]) = pair else { return };
        let output =
            Output { amount: one.note.amount + other.note.amount, order_hash: Fr::from(0) };
        let wanted = Wanted { asset: one.note.asset, amount: 0, outputs: vec![output] };
        let these = [one.nullifier, other.nullifier];
        match self.wallets[wallet].spend_these(&self.trees, &wanted, &these) {
            Ok(plan) => self.carry_out(wallet, &plan),
            Err(PlanError::Apart { what }) => assert_eq!(what, "in two venues' trees"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Deposit { wallet: usize, lots: u32, dust: u8, venue: Option<bool> },
    Absorb,
    Clear { venue: bool, picks: Vec<(usize, u128)>, premium_bps: u16 },
    Spend { wallet: usize, of_bond: bool, share: u8, outputs: u8, relock: bool },
    Announce { wallet: usize, pick: usize },
    Merge { wallet: usize },
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let wallet = 0..WALLETS;
    prop_oneof![
        4 => (wallet.clone(), 1..50_u32, any::<u8>(), proptest::option::of(any::<bool>()))
            .prop_map(|(wallet, lots, dust, venue)| Step::Deposit { wallet, lots, dust, venue }),
        3 => Just(Step::Absorb),
        3 => (
            any::<bool>(),
            proptest::collection::vec((any::<usize>(), any::<u128>()), 0..=SLOTS),
            10..900_u16,
        )
            .prop_map(|(venue, picks, premium_bps)| Step::Clear { venue, picks, premium_bps }),
        3 => (wallet.clone(), any::<bool>(), any::<u8>(), any::<u8>(), any::<bool>()).prop_map(
            |(wallet, of_bond, share, outputs, relock)| Step::Spend {
                wallet, of_bond, share, outputs, relock,
            }
        ),
        2 => (wallet.clone(), any::<usize>())
            .prop_map(|(wallet, pick)| Step::Announce { wallet, pick }),
        1 => wallet.prop_map(|wallet| Step::Merge { wallet }),
        1 => Just(Step::Wait),
    ]
}

fn play(steps: Vec<Step>) -> World {
    let mut world = World::new();
    for step in steps {
        match step {
            Step::Deposit { wallet, lots, dust, venue } => {
                let amount = u128::from(lots) * LOT + u128::from(dust);
                world.deposit(wallet, amount, venue.map(usize::from));
            }
            Step::Absorb => world.absorb(),
            Step::Clear { venue, picks, premium_bps } => {
                world.clear(usize::from(venue), &picks, premium_bps);
            }
            Step::Spend { wallet, of_bond, share, outputs, relock } => {
                world.spend(wallet, of_bond, share, outputs, relock);
            }
            Step::Announce { wallet, pick } => world.announce(wallet, pick),
            Step::Merge { wallet } => world.merge(wallet),
            Step::Wait => world.now += WINDOW,
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The wallet that sees events only holds what it should after every step; and whoever begins again from
    /// the seed, saved at any point or never, is where it is.
    #[test]
    fn a_wallet_knows_exactly_its_notes(
        steps in proptest::collection::vec(step(), 1..40),
        saved_after in any::<proptest::sample::Index>(),
    ) {
        let world = play(steps);
        let saved_after = saved_after.index(world.events.len() + 1);
        for (at, wallet) in world.wallets.iter().enumerate() {
            let mut again = Wallet::new(keys(at), assets(), 0);
            for (n, (cursor, event)) in world.events.iter().enumerate() {
                if n == saved_after {
                    let bytes = again.to_bytes();
                    again = Wallet::from_bytes(keys(at), assets(), &bytes).expect("just saved");
                    prop_assert_eq!(again.to_bytes(), bytes);
                }
                again.scan(*cursor, event).expect("in order");
            }
            prop_assert_eq!(again.to_bytes(), wallet.to_bytes());
            prop_assert_eq!(again.held(), wallet.held());
        }
    }
}

/// From the first deposit to the last exit, and everything by the seed alone.
#[test]
fn a_line_is_filled_announced_and_leaves_by_its_seed_alone() {
    let mut world = World::new();
    world.deposit(0, 10 * LOT + 7, Some(0));
    world.deposit(1, 5 * LOT, None);
    world.absorb();
    world.clear(0, &[(0, 3)], 50);
    let [filled, ..] = &world.wallets[..] else { unreachable!("three") };
    // 4,000 at 1.01 and 50 bp in 18 decimals.
    let paid = 4_000 * 1_000_000_000_000_u128 * 10_150_500 / 10_000_000;
    assert_eq!(filled.balance(bond().address), paid);
    assert_eq!(filled.balance(usd().address), 6 * LOT + 7);
    // The payout at once; the line after its window.
    let all = |asset, amount| Wanted { asset, amount, outputs: Vec::new() };
    let plan = filled.spend(&world.trees, &all(bond().address, paid), world.now, WINDOW);
    world.carry_out(0, &plan.expect("a payout is free"));
    let line = world.wallets[0].held()[0].nullifier;
    let locked = all(usd().address, 6 * LOT + 7);
    let early = world.wallets[0].spend(&world.trees, &locked, world.now, WINDOW);
    let not_enough = PlanError::NotEnough { need: 6 * LOT + 7, ready: 0, waiting: 6 * LOT + 7 };
    assert_eq!(early.err(), Some(not_enough));
    world.announce(0, 0);
    let twice = world.wallets[0].announce(&world.trees, &[line]).err();
    assert_eq!(twice, Some(PlanError::NotAnnounceable { index: 0, what: "announced already" }));
    // Rounds that close from now on leave it alone.
    world.clear(0, &[(0, 3)], 50);
    let early = world.wallets[0].spend(&world.trees, &locked, world.now, WINDOW);
    assert_eq!(early.err(), Some(not_enough));
    world.now += WINDOW;
    let plan = world.wallets[0].spend(&world.trees, &locked, world.now, WINDOW).expect("ready");
    world.carry_out(0, &plan);
    assert!(world.wallets[0].held().is_empty());
    assert_eq!(world.wallets[1].balance(usd().address), 5 * LOT);
}

#[test]
fn what_no_pool_says_is_refused_and_changes_nothing() {
    let mut world = World::new();
    world.deposit(0, 10 * LOT, Some(0));
    world.absorb();
    let before = world.wallets[0].to_bytes();
    let mut other = World::new();
    other.deposit(0, 10 * LOT, Some(0));
    other.absorb();
    other.clear(0, &[(0, 3)], 50);
    let (at, Event::Cleared(honest)) = other.events.pop().expect("a settlement") else {
        unreachable!("it was the last")
    };
    let one = Fr::from(1);
    type Lie = fn(&mut Cleared, Fr);
    let lies: [(Lie, &str); 3] = [
        (|cleared, one| cleared.slots[0].result += one, "change"),
        (|cleared, one| cleared.context += one, "result"),
        (|cleared, one| cleared.slots[0].change += one, "change"),
    ];
    for (lie, what) in lies {
        let mut lied = honest.clone();
        lie(&mut lied, one);
        let refused = world.wallets[0].scan(at, &Event::Cleared(lied));
        assert_eq!(refused, Err(Error::Contradiction { slot: 0, what }));
        assert_eq!(world.wallets[0].to_bytes(), before);
    }
    // A payout of another asset than any listed is kept until the terms are known.
    let mut few = Wallet::new(keys(0), vec![usd()], 0);
    for (at, event) in &world.events {
        few.scan(*at, event).expect("in order");
    }
    few.scan(at, &Event::Cleared(honest.clone())).expect("its own");
    assert_eq!((few.unread().len(), few.balance(bond().address)), (1, 0));
    let saved = few.to_bytes();
    let mut few = Wallet::from_bytes(keys(0), vec![usd()], &saved).expect("just saved");
    let (terms, _) = other.terms.values().next().expect("a line");
    assert_eq!(few.learn(&Terms { fill_min: 1, ..*terms }), 0, "other terms than the line's");
    assert_eq!(few.learn(terms), 1);
    assert_eq!(holdings(&few), holdings(&other.wallets[0]));
    assert_eq!(few.scan(at, &Event::Cleared(honest)), Err(Error::OutOfOrder { at, cursor: at }));
}

#[test]
fn values_of_a_settlement_are_read_where_the_relation_has_them() {
    let witness = circuits::second::testing::clear::<SLOTS>(3, circuits::second::testing::FIVE);
    let statement = witness.statement().expect("satisfiable");
    let posted = posted(&statement);
    let read = Cleared::from_posted(&posted).expect("a settlement's values");
    assert_eq!((read.venue, read.context), (statement.venue, statement.context));
    assert_eq!(field::to_u128(&statement.price), Some(read.price.into()));
    assert_eq!(field::to_u128(&statement.index), Some(read.index.into()));
    assert_eq!(read.root, statement.venue_root_after);
    for (slot, found) in read.slots.iter().enumerate() {
        let expect = (
            statement.nullifiers[slot],
            statement.payouts[slot],
            statement.changes[slot],
            statement.results[slot],
        );
        assert_eq!((found.nullifier, found.payout, found.change, found.result), expect);
    }
    assert_eq!(read.slots.len(), SLOTS);
    assert_eq!(Cleared::from_posted(&posted[1..]), None);
    assert_eq!(Cleared::from_posted(&posted[..19]), None);
    assert_eq!(Cleared::from_posted(&[]), None);
}
