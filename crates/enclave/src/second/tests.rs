use client::second::{AccountMove, Issuer, Line, Maker, Mandated, Market};
use client::{Custodian, Secrets};
use k256::ecdsa::SigningKey;
use pool::Fr;
use pool::field;
use pool::second::wallet::{Cleared, Cursor, Event, Trees};
use primitives::{
    Address, Amount, Bytes32, CommitmentHash, Disclosure, Duration, Premium, Price, Ratio,
    RequestId, decode, secp256k1, sha256,
};
use protocol::RequestStatus;
use protocol::detect::{Observation, Policy, Reserve};
use protocol::mission::Schedule;
use protocol::request::Escalation;
use protocol::second::{Block, Fact, PLACES, SLOTS};
use protocol::wire::Answer;

use super::round::witness;
use super::state::WAITING_MAX;
use super::*;

const PRICE: Price = Price(100_000_000);
/// When the chain begins, and seconds from one closing to the next.
const START: u64 = 1_700_000_000;
const TICK: u64 = 720;
const N_NODES: usize = 4;

fn tokens(tokens: u64) -> Amount {
    Amount::from_tokens(tokens)
}

fn bps(bps: u16) -> Premium {
    Premium::new(bps).unwrap()
}

fn issuers_key() -> SigningKey {
    SigningKey::from_slice(&[5; 32]).unwrap()
}

fn secrets(party: &'static str) -> Secrets {
    Secrets::new(move |label, counter| {
        sha256(&[party.as_bytes(), label.as_bytes(), &counter.to_be_bytes()])
    })
}

fn custodian() -> Custodian {
    Custodian::new(secrets("custodian"), N_NODES).unwrap()
}

fn market() -> Market {
    let Configuration { chain_id, dark_pool, shielded_pool, issuer, .. } = configuration();
    Market {
        chain_id,
        pool: shielded_pool,
        venue: dark_pool,
        issuer,
        instrument: 1,
        collateral: configuration().collateral,
        collateral_decimals: 6,
        consideration: configuration().consideration,
        consideration_decimals: 6,
        price: [Price(90_000_000), Price(110_000_000)],
        expiry: Timestamp(START + 1_000 * TICK),
    }
}

fn mandated() -> Mandated {
    Mandated {
        amount_max: tokens(1_000_000),
        epoch: Duration(1_000 * TICK),
        premium_max: bps(500),
        lot: tokens(1),
        slot_min: tokens(10),
    }
}

fn configuration() -> Configuration {
    Configuration {
        chain_id: 31_337,
        dark_pool: Address([1; 20]),
        shielded_pool: Address([2; 20]),
        registry: Address([3; 20]),
        issuer: secp256k1::address(issuers_key().verifying_key()),
        collateral: Address([4; 20]),
        consideration: Address([5; 20]),
        disclosure: Disclosure::Immediate,
        policy: Policy {
            threshold: Ratio(1_020_000),
            target: Ratio(1_022_000),
            quorum: 3,
            age_max: Duration(600),
            readings: 1,
        },
        premium: bps(50),
        escalation: Escalation { ladder: vec![], premium_cap: bps(200), attempts_max: 1 },
        schedule: Schedule {
            call_every: 3,
            epoch_ticks: 12,
            round_ticks: vec![],
            opening_delay: 0,
        },
        aggregate_min: Amount::ZERO,
        share_max: bps(10_000),
        custodian: custodian().public_key(),
        don: vec![],
        proving_key: Bytes32([0; 32]),
        not_after: Timestamp(1),
    }
}

fn line(capacity: u64) -> Line {
    Line {
        capacity: tokens(capacity),
        premium_min: bps(20),
        fill_min: Amount::ZERO,
        gap_band_max: 9,
    }
}

/// A chain without contracts: it does what theirs would, and everyone hears of it.
struct World {
    state: State,
    makers: Vec<Maker>,
    issuer: Issuer,
    trees: Trees,
    at: Cursor,
    now: u64,
    /// What was not shown yet.
    facts: Vec<Fact>,
    /// What the enclave heard.
    heard: Vec<Command>,
    tick: u32,
    request: RequestId,
    opened: u64,
    rounds: u32,
}

impl World {
    /// The account is open and funded, the mandate registered, the enclave briefed; nobody has locked anything.
    fn new(n_makers: u8) -> Self {
        let makers = (1..=n_makers).map(|maker| Maker::new(&[maker; 32], market(), 0).unwrap());
        let issuer = Issuer::new(&mandated(), market(), secrets("issuer")).unwrap();
        let mut world = Self {
            state: enclave(1),
            makers: makers.collect(),
            issuer,
            trees: Trees::default(),
            at: Cursor::default(),
            now: START,
            facts: Vec::new(),
            heard: Vec::new(),
            tick: 0,
            request: RequestId([0; 32]),
            opened: 0,
            rounds: 0,
        };
        let mandate = CommitmentHash(world.issuer.mandate());
        world.fact(Fact::MandateRegistered { mandate });
        world.act(|issuer| issuer.open().unwrap());
        world.act(|issuer| issuer.fund(tokens(100_000)).unwrap());
        world.show();
        assert_eq!(world.brief(), Ok(true));
        world
    }

    fn fact(&mut self, fact: Fact) {
        self.issuer.hear(&fact);
        self.facts.push(fact);
    }

    fn event(&mut self, event: &Event) {
        self.at.block += 1;
        self.trees.apply(event).unwrap();
        for maker in &mut self.makers {
            maker.scan(self.at, event).unwrap();
        }
    }

    /// Shows the enclave everything, a second later.
    fn show(&mut self) {
        self.now += 1;
        self.at.block += 1;
        let block = Block { number: self.at.block, time: Timestamp(self.now) };
        let facts = core::mem::take(&mut self.facts);
        let command = Command::Inform { block, facts };
        assert_eq!(self.apply(command.clone()), Ok(true));
        assert_eq!(self.apply(command), Ok(false), "telling it twice changes nothing");
    }

    fn apply(&mut self, command: Command) -> Result<bool, Error> {
        let news = self.state.apply(&command);
        if news == Ok(true) {
            self.heard.push(command);
        }
        news
    }

    /// What the enclave was shown of the chain.
    fn shown(&self) -> Vec<Command> {
        let shown = self.heard.iter().filter(|it| matches!(it, Command::Inform { .. }));
        shown.cloned().collect()
    }

    fn act(&mut self, plan: impl FnOnce(&Issuer) -> AccountMove) {
        let AccountMove { plan, recipient, .. } = plan(&self.issuer);
        let proven = circuits::second::account::Witness::of(&plan).statement().unwrap();
        assert_eq!(proven.after, plan.after.commitment());
        self.fact(Fact::AccountMoved {
            kind: plan.kind as u8,
            amount: Amount::new(plan.amount).unwrap(),
            recipient,
            account: CommitmentHash(field::to_bytes(&proven.after)),
        });
        assert_eq!(self.issuer.account(), Some(&plan.after));
    }

    fn brief(&mut self) -> Result<bool, Error> {
        let key = self.state.hpke.public_key();
        let sealed = self.issuer.brief(&key, |digest| sign(&issuers_key(), digest)).unwrap();
        self.apply(Command::Brief(sealed))
    }

    fn deposit(&mut self, maker: usize, line: &Line) {
        let deposit = self.makers[maker].offer(line).unwrap();
        let scalar = |word| field::from_bytes(&word).unwrap();
        let leaf = pool::second::note::leaf(
            field::from_address(&deposit.asset.0),
            Fr::from(deposit.amount.units()),
            scalar(deposit.inner),
        );
        let (head, waiting) = self.trees.waiting();
        self.event(&Event::Queued {
            position: head + waiting.len() as u64,
            leaf,
            hint: scalar(deposit.hint),
            memo: scalar(deposit.memo),
        });
    }

    fn absorb(&mut self) {
        let (position, waiting) = self.trees.waiting();
        let leaves = waiting.to_vec();
        let mut entry = self.trees.entry().clone();
        let height = if leaves.len() > 16 { 3 } else { 2 };
        let index = entry.append(&leaves, height).unwrap();
        let (count, root) = (leaves.len() as u64, entry.root());
        self.event(&Event::Absorbed { position, count, index, root });
        let leaves = leaves.iter().map(field::to_bytes).collect();
        self.fact(Fact::Absorbed { index, leaves, root: field::to_bytes(&root) });
    }

    /// Every maker's envelopes, for this enclave.
    fn envelopes(&self) -> Vec<Vec<u8>> {
        let key = self.state.hpke.public_key();
        let of = |maker: &Maker| -> Vec<_> {
            maker.lines().map(|held| maker.envelope(&key, held).unwrap()).collect()
        };
        self.makers.iter().flat_map(of).collect()
    }

    fn order_all(&mut self) {
        for envelope in self.envelopes() {
            assert!(self.apply(Command::Order(envelope)).is_ok());
        }
    }

    /// Makers lock lines, which are absorbed, shown and offered.
    fn lock(&mut self, lines: &[(usize, Line)]) {
        for (maker, line) in lines {
            self.deposit(*maker, line);
        }
        self.absorb();
        self.show();
        self.order_all();
    }

    /// A tick that finds 2,200 missing of 100,000, and the request for it.
    fn ask(&mut self) {
        self.tick += 1;
        // What recovery brought is counted beside it.
        let position = Amount::new(self.issuer.account().unwrap().position).unwrap();
        let reserves = tokens(100_000).saturating_sub(position);
        let observation = Observation {
            tick: self.tick,
            observed_at: Timestamp(self.now),
            liabilities: tokens(100_000),
            reserves: vec![Reserve { id: 1, amount: reserves, haircut: bps(0) }],
        };
        let key = self.state.hpke.public_key();
        let sealed = |node| Some(custodian().statement(&observation, node, &key).unwrap());
        let statements = (0..4).map(sealed).collect();
        let (tick, now) = (self.tick, Timestamp(self.now));
        assert_eq!(self.apply(Command::Observe { tick, now, statements }), Ok(true));
        let observed = self.state.watch.observed.clone().unwrap();
        assert!(self.issuer.read_tick(tick, &observed.notice).is_some());
        self.open(observed.deficit);
        assert_eq!(self.issuer.request().unwrap().requested, tokens(2_200).units());
    }

    fn open(&mut self, commitment: CommitmentHash) {
        self.request = RequestId([u8::try_from(self.tick).unwrap(); 32]);
        (self.opened, self.rounds) = (self.now, 0);
        self.fact(Fact::RequestOpened {
            id: self.request,
            commitment,
            premium: bps(100),
            opened: Timestamp(self.now),
            expires: Timestamp(self.now + 86_400),
        });
        self.show();
    }

    /// The next closing, and a second after it.
    fn close(&mut self) -> Timestamp {
        let closed_at = self.opened + ((self.now - self.opened) / TICK + 1) * TICK;
        self.now = closed_at;
        Timestamp(closed_at)
    }

    fn clear_at(&mut self, closed_at: Timestamp) -> Result<bool, Error> {
        self.apply(Command::Clear {
            request: self.request,
            round: self.rounds + 1,
            closed_at,
            price: PRICE,
            price_round: 7,
            entry_slot: 1,
        })
    }

    /// Closes, shows and clears.
    fn clear(&mut self) -> Result<bool, Error> {
        let closed_at = self.close();
        self.show();
        self.clear_at(closed_at)
    }

    /// What each maker is filled for by the round, in tokens.
    fn fills(&self) -> Vec<(usize, u64)> {
        let cleared = Cleared::from_posted(&self.posted()).unwrap();
        let fills = self.makers.iter().enumerate().flat_map(|(maker, it)| {
            it.fills(&cleared).into_iter().map(move |(_, fill)| (maker, fill.units() / 1_000_000))
        });
        fills.map(|(maker, fill)| (maker, u64::try_from(fill).unwrap())).collect()
    }

    /// What the pool would emit. That there is a statement means that the relation holds.
    fn posted(&self) -> Vec<Fr> {
        let round = self.state.round.as_ref().expect("there is a round");
        let statement: clear::Statement = witness(&self.state, round).statement().unwrap();
        [vec![Fr::from(0u8)], statement.to_values()].concat()
    }

    /// The round is settled, and everyone hears of it.
    fn settle(&mut self) {
        let posted = self.posted();
        self.rounds += 1;
        self.event(&Event::Cleared(Cleared::from_posted(&posted).unwrap()));
        let posted = posted.iter().map(field::to_bytes).collect();
        let (id, round) = (self.request, self.rounds);
        let status = RequestStatus::PartiallyFilled;
        self.fact(Fact::RoundSettled { id, round, status, posted });
        self.show();
        assert!(self.state.round.is_none());
    }

    fn announce(&mut self, maker: usize, at: u64) {
        let nullifier = self.makers[maker].lines().next().unwrap().nullifier;
        self.event(&Event::Announced { nullifier, time: at });
        let nullifier = field::to_bytes(&nullifier);
        self.fact(Fact::Announced { nullifier, time: Timestamp(at) });
    }

    /// Another enclave in the place of this one, which has been shown everything.
    fn replace(&mut self, seed: u8) {
        self.state = enclave(seed);
        for command in core::mem::take(&mut self.heard) {
            if matches!(command, Command::Inform { .. }) {
                self.apply(command).unwrap();
            }
        }
    }

    fn balance(&self, maker: usize, asset: Address) -> u128 {
        self.makers[maker].wallet().balance(field::from_address(&asset.0))
    }
}

fn enclave(seed: u8) -> State {
    State::new(configuration(), Entropy::new([seed; 32]))
}

fn sign(key: &SigningKey, digest: &[u8; 32]) -> [u8; 65] {
    let (signature, recovery) = key.sign_prehash_recoverable(digest);
    let mut bytes = [0; 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes[64] = 27 + recovery.to_byte();
    bytes
}

#[test]
fn round_after_round_everyone_finds_what_is_its_own() {
    let mut world = World::new(3);
    world.lock(&[(0, line(900)), (1, line(900)), (2, line(900))]);
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    // 2,200 of 2,700 at the margin, whole lots, ties by nullifier.
    let fills = world.fills();
    assert_eq!(fills.iter().map(|(_, fill)| fill).sum::<u64>(), 2_200);
    world.settle();
    let Market { collateral, consideration, .. } = market();
    for (maker, fill) in fills {
        let fill = tokens(fill).units();
        assert_eq!(world.balance(maker, collateral), tokens(900).units() - fill);
        // At par and 20 basis points.
        assert_eq!(world.balance(maker, consideration), fill + fill / 500);
    }
    let account = *world.issuer.account().unwrap();
    let moved = tokens(2_200).units();
    assert_eq!((account.position, account.spent), (moved, moved));
    assert_eq!(world.state.issuer().unwrap().account, account, "as the enclave has it");
    assert!(matches!(world.issuer.opening(), Some((_, 2, _))), "filled");

    // The reserves are still short of it: the next request, filled by the changes.
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    let fills = world.fills();
    assert_eq!(fills.iter().map(|(_, fill)| fill).sum::<u64>(), 500, "what was left of 2,700");
    world.settle();
    assert!((0..3).all(|maker| world.balance(maker, collateral) == 0));
    assert_eq!(world.issuer.account().unwrap().position, tokens(2_700).units());
    assert!(matches!(world.issuer.opening(), Some((_, 1, _))), "partially filled");
    // Nothing stands any more.
    assert_eq!(world.clear(), Ok(false));
}

#[test]
fn a_round_has_at_most_eight_fills_and_the_rest_waits_for_the_next() {
    let mut world = World::new(12);
    let lines: Vec<_> = (0..12).map(|maker| (maker, line(200))).collect();
    world.lock(&lines);
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    assert_eq!(world.fills().len(), SLOTS);
    world.settle();
    assert_eq!(world.issuer.request().unwrap().remaining, tokens(600).units());
    assert_eq!(world.clear(), Ok(true));
    assert_eq!(world.fills().iter().map(|(_, fill)| fill).sum::<u64>(), 600);
    world.settle();
    assert_eq!(world.issuer.request().unwrap().remaining, 0);
}

#[test]
fn what_a_round_must_not_take_is_left_out() {
    let mut world = World::new(9);
    // Someone else's venue, and terms that name it.
    let elsewhere = Market { venue: Address([9; 20]), ..market() };
    world.makers[1] = Maker::new(&[2; 32], elsewhere, 0).unwrap();
    world.lock(&[
        (0, line(300)),
        (1, line(301)),
        (2, line(9)),
        (3, Line { gap_band_max: 2, ..line(303) }),
        (4, Line { premium_min: bps(101), ..line(304) }),
        (5, line(305)),
        (6, line(306)),
    ]);
    world.ask();
    let closed_at = world.close();
    // A second before the closing, and at it.
    world.announce(5, closed_at.0 - 1);
    world.announce(6, closed_at.0);
    // Locked and offered after the closing; and not in a root that was shown.
    world.lock(&[(7, line(307))]);
    world.deposit(8, &line(308));
    let mut unseen = world.trees.entry().len();
    world.absorb();
    let order = world.envelopes().pop().unwrap();
    assert_eq!(world.apply(Command::Order(order)), Ok(true), "answered like any other");
    assert_eq!(world.clear_at(closed_at), Ok(true));
    assert_eq!(world.fills(), [(0, 300), (6, 306)]);

    // At the next closing those of 7 and 8 are in time.
    let round = world.state.round.take();
    assert!(round.is_some());
    let next = world.close();
    world.show();
    unseen += 16;
    assert_eq!(world.state.entry.len(), unseen);
    assert_eq!(world.clear_at(next), Ok(true));
    assert_eq!(world.fills(), [(0, 300), (7, 307), (8, 308)]);
}

#[test]
fn what_is_left_at_the_end_may_be_smaller_than_a_slots_minimum() {
    let mut world = World::new(2);
    world.lock(&[(0, line(2_195)), (1, Line { premium_min: bps(60), ..line(100) })]);
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    assert_eq!(world.fills(), [(0, 2_195)], "5 would be less than a slot is taken for");
    world.settle();
    assert_eq!(world.clear(), Ok(true));
    assert_eq!(world.fills(), [(1, 5)], "all that is left");
}

#[test]
fn nothing_is_cleared_before_a_block_later_than_the_closing_was_shown() {
    let mut world = World::new(1);
    world.lock(&[(0, line(300))]);
    world.ask();
    let closed_at = world.close();
    let shown = Error::NotClosed { closed_at: closed_at.0, shown: world.state.now().0 };
    assert_eq!(world.clear_at(closed_at), Err(shown));
    // A block of the closing's very second may not be the last of it.
    world.now = closed_at.0 - 1;
    world.show();
    let shown = Error::NotClosed { closed_at: closed_at.0, shown: closed_at.0 };
    assert_eq!(world.clear_at(closed_at), Err(shown));
    world.show();
    assert_eq!(world.clear_at(closed_at), Ok(true));
}

/// E8: who replays the published envelopes learns nothing of what became of their notes.
#[test]
fn an_envelope_is_answered_alike_whatever_became_of_its_note() {
    let mut world = World::new(5);
    let elsewhere = Market { venue: Address([9; 20]), ..market() };
    world.makers[3] = Maker::new(&[4; 32], elsewhere, 0).unwrap();
    for maker in 0..4 {
        world.deposit(maker, &line(1_000 + maker as u64));
    }
    world.absorb();
    world.deposit(4, &line(200));
    world.absorb();
    // Nothing of this was shown. Altered: an amount that the note does not have.
    let key = world.state.hpke.public_key();
    let mut envelopes = world.envelopes();
    let held = *world.makers[0].lines().next().unwrap();
    let mut altered = world.makers[0].order(&held).unwrap();
    altered.note.amount = tokens(1);
    envelopes.push(world.makers[0].seal(&key, &altered).unwrap());
    let answers = |world: &mut World| -> Vec<_> {
        let answer = |envelope: &Vec<u8>| {
            let news = world.apply(Command::Order(envelope.clone()));
            (news, world.state.numbered(envelope))
        };
        envelopes.iter().map(answer).collect()
    };
    let first = answers(&mut world);
    assert!(first.iter().all(|(news, _)| *news == Ok(true)));
    let numbers: Vec<u64> = first.iter().map(|(_, (number, _))| *number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    let again: Vec<_> = first.iter().map(|(_, receipt)| (Ok(false), *receipt)).collect();
    assert_eq!(answers(&mut world), again, "heard again");
    world.show();
    assert_eq!(answers(&mut world), again, "shown");
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    world.announce(4, world.now);
    let filled = world.fills();
    assert!(filled.len() > 1);
    world.settle();
    assert_eq!(answers(&mut world), again, "filled, spent or announced");
}

#[test]
fn a_note_that_was_spent_does_not_stand_however_it_is_sent() {
    let mut world = World::new(1);
    world.lock(&[(0, line(300))]);
    let key = world.state.hpke.public_key();
    let old = *world.makers[0].lines().next().unwrap();
    let order = world.makers[0].order(&old).unwrap();
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    world.settle();
    // Sealed by other hands: other bytes, the same note.
    let stranger = Maker::new(&[99; 32], market(), 0).unwrap();
    let padded = pool::seal::pad(&encode(&order), 4_096 - pool::seal::OVERHEAD).unwrap();
    let entropy = *stranger.wallet().keys().envelope(&key, b"other");
    let info = protocol::second::ORDER_INFO;
    let sealed = pool::seal::seal(&key, info, &[], &padded, entropy).unwrap();
    assert_eq!(world.apply(Command::Order(sealed)), Ok(true));
    assert_eq!(world.clear(), Ok(false), "nothing stands");
}

#[test]
fn a_second_enclave_takes_over_in_the_middle_of_a_request() {
    let mut world = World::new(2);
    world.lock(&[(0, line(900)), (1, line(900))]);
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    world.settle();
    let first = world.issuer.account().copied();

    world.replace(2);
    let closed_at = world.close();
    world.show();
    assert_eq!(world.clear_at(closed_at), Err(Error::TooEarly { what: "the issuer's brief" }));
    assert_eq!(world.brief(), Ok(true));
    assert_eq!(world.brief(), Ok(false), "heard before");
    assert_eq!(world.issuer.account().copied(), first);
    // Makers lock more, and offer that to the new one.
    world.lock(&[(0, line(500))]);
    assert_eq!(world.clear(), Ok(true));
    assert_eq!(world.fills(), [(0, 400)], "1,800 of 2,200 were filled before");
    world.settle();
    assert_eq!(world.issuer.request().unwrap().remaining, 0);
    assert_eq!(world.issuer.account().unwrap().position, tokens(2_200).units());
}

#[test]
fn a_new_mandate_and_a_third_enclave_go_on_with_the_changes() {
    let mut world = World::new(2);
    world.lock(&[(0, line(1_500)), (1, line(1_500))]);
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    world.settle();
    let renewed = Mandated { premium_max: bps(30), slot_min: tokens(50), ..mandated() };
    let mandate = CommitmentHash(world.issuer.renew(&renewed).unwrap());
    world.fact(Fact::MandateRegistered { mandate });
    world.act(|issuer| issuer.resalt().unwrap());
    world.show();
    // Whoever served before does not any more, until it is told.
    let old = world.state.issuer().err();
    assert_eq!(old, Some(Error::Outdated { what: "mandate" }));

    world.replace(3);
    assert_eq!(world.brief(), Ok(true));
    world.order_all();
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    let fills = world.fills();
    assert_eq!(fills.iter().map(|(_, fill)| fill).sum::<u64>(), 800, "what 3,000 less 2,200 leave");
    world.settle();
    assert_eq!(world.issuer.account().unwrap().position, tokens(3_000).units());
}

#[test]
fn an_enclave_follows_what_the_issuer_moves_and_not_another_salt() {
    let mut world = World::new(1);
    world.lock(&[(0, line(900))]);
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    world.settle();
    let wallet = Address([7; 20]);
    world.act(|issuer| issuer.fund(tokens(5)).unwrap());
    world.act(|issuer| issuer.take_back(tokens(3)).unwrap());
    world.act(|issuer| issuer.release(tokens(900), wallet).unwrap());
    world.show();
    let account = *world.issuer.account().unwrap();
    assert_eq!(account.position, 0);
    assert_eq!(world.state.issuer().unwrap().account, account);
    // More than there is.
    assert!(world.issuer.release(tokens(1), wallet).is_err());
    assert!(world.issuer.take_back(tokens(1_000_000)).is_err());

    let key = world.state.hpke.public_key();
    let old = world.issuer.brief(&key, |digest| sign(&issuers_key(), digest)).unwrap();
    world.act(|issuer| issuer.resalt().unwrap());
    world.show();
    let outdated = Error::Outdated { what: "account" };
    assert_eq!(world.clear(), Err(outdated));
    // The brief of before is a brief of another account.
    let refused = world.apply(Command::Brief(old)).unwrap_err().to_string();
    assert!(refused.contains("holds another account"), "{refused}");
    assert_eq!(world.brief(), Ok(true));
    assert!(world.state.issuer().is_ok());
}

#[test]
fn only_the_issuer_briefs_and_only_of_what_the_chain_holds() {
    let mut world = World::new(1);
    let key = world.state.hpke.public_key();
    let stranger = SigningKey::from_slice(&[6; 32]).unwrap();
    let refused = |world: &mut World, issuer: &Issuer, signer: &SigningKey| {
        let sealed = issuer.brief(&key, |digest| sign(signer, digest)).unwrap();
        world.apply(Command::Brief(sealed)).unwrap_err().to_string()
    };
    let issuer = core::mem::replace(
        &mut world.issuer,
        Issuer::new(&mandated(), market(), secrets("another")).unwrap(),
    );
    let reason = refused(&mut world, &issuer, &stranger);
    assert!(reason.contains("not signed by the configured issuer"), "{reason}");
    // Another mandate than the registered one, with an account that would be right.
    let mut other = Issuer::new(&mandated(), market(), secrets("issuer")).unwrap();
    for command in world.shown() {
        let Command::Inform { facts, .. } = command else { continue };
        for fact in &facts {
            other.hear(fact);
        }
    }
    other.renew(&mandated()).unwrap();
    let reason = refused(&mut world, &other, &issuers_key());
    assert!(reason.contains("holds another mandate"), "{reason}");
    // Another venue's.
    let elsewhere = Market { venue: Address([9; 20]), ..market() };
    let mut elsewhere = Issuer::new(&mandated(), elsewhere, secrets("issuer")).unwrap();
    let opened = elsewhere.open().unwrap();
    elsewhere.hear(&Fact::AccountMoved {
        kind: 1,
        amount: Amount::ZERO,
        recipient: Address([0; 20]),
        account: CommitmentHash(field::to_bytes(&opened.plan.after.commitment())),
    });
    let reason = refused(&mut world, &elsewhere, &issuers_key());
    assert!(reason.contains("of another venue, issuer or asset"), "{reason}");
}

/// A host that goes back and shows something else gets no second message under the same pad.
#[test]
fn a_round_under_anything_else_has_another_context() {
    let mut world = World::new(2);
    world.lock(&[(0, line(900)), (1, Line { premium_min: bps(80), ..line(900) })]);
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    let round = world.posted();
    // The same commands, but for the public cap of the request.
    world.state = enclave(1);
    for mut command in core::mem::take(&mut world.heard) {
        if let Command::Inform { facts, .. } = &mut command
            && let Some(Fact::RequestOpened { premium, .. }) = facts.first_mut()
        {
            *premium = bps(50);
        }
        assert_eq!(world.apply(command), Ok(true));
    }
    let again = world.posted();
    assert_ne!(round[clear::SHARED_VALUES..], again[clear::SHARED_VALUES..], "other fills");
    assert_ne!(round[17], again[17], "another order root");
    assert_ne!(round[1], again[1], "so another context");
}

#[test]
fn of_two_orders_at_one_place_the_larger_note_is_in_the_set() {
    let mut world = World::new(2);
    world.deposit(0, &line(300));
    world.deposit(1, &line(400));
    world.absorb();
    world.show();
    // As if 1,022 others had been sent between the two.
    let envelopes = world.envelopes();
    assert_eq!(world.apply(Command::Order(envelopes[0].clone())), Ok(true));
    for other in 1..PLACES {
        world.state.envelopes.insert(sha256(&[&other.to_be_bytes()]), (other, Timestamp(0)));
    }
    assert_eq!(world.apply(Command::Order(envelopes[1].clone())), Ok(true));
    world.ask();
    assert_eq!(world.clear(), Ok(true));
    assert_eq!(world.fills(), [(1, 400)]);
    world.settle();
    assert_eq!(world.clear(), Ok(true), "its place is free");
    assert_eq!(world.fills(), [(0, 300)]);
}

/// A larger note that nobody can be filled from takes a smaller one's place in the set, at no risk to its owner, and
/// what the receipt advises, to send the order again, must be a way out.
#[test]
fn whoever_finds_its_place_taken_can_send_the_order_again() {
    let mut world = World::new(2);
    world.deposit(0, &line(300));
    // Above what any request pays.
    world.deposit(1, &Line { premium_min: bps(10_000), ..line(400) });
    world.absorb();
    world.show();
    let envelopes = world.envelopes();
    assert_eq!(world.apply(Command::Order(envelopes[0].clone())), Ok(true));
    for other in 1..PLACES {
        world.state.envelopes.insert(sha256(&[&other.to_be_bytes()]), (other, Timestamp(0)));
    }
    assert_eq!(world.apply(Command::Order(envelopes[1].clone())), Ok(true));
    world.ask();
    assert_eq!(world.clear(), Ok(false), "nobody can be filled");
    // The same bytes are the same order, in the same place.
    assert_eq!(world.apply(Command::Order(envelopes[0].clone())), Ok(false));
    let key = world.state.hpke.public_key();
    let maker = &world.makers[0];
    let held = maker.lines().next().unwrap();
    let again = [1, 2].map(|again| maker.envelope_again(&key, held, again).unwrap());
    assert!(again[0] != again[1] && !again.contains(&envelopes[0]));
    let [again, _] = again;
    assert_eq!(world.apply(Command::Order(again)), Ok(true));
    assert_eq!(world.clear(), Ok(true));
    assert_eq!(world.fills(), [(0, 300)]);
}

#[test]
fn lines_that_wait_are_bounded_and_the_oldest_goes_first() {
    let mut world = World::new(1);
    world.deposit(0, &line(300));
    world.absorb();
    let key = world.state.hpke.public_key();
    let maker = &world.makers[0];
    let held = *maker.lines().next().unwrap();
    let mut order = maker.order(&held).unwrap();
    let envelope = maker.seal(&key, &order).unwrap();
    assert_eq!(world.apply(Command::Order(envelope)), Ok(true));
    let line = world.state.waiting[0].clone();
    let others = (0..WAITING_MAX as u64).map(|index| state::Line { index, ..line.clone() });
    world.state.waiting = others.collect();
    order.note.index = 5_000;
    let envelope = world.makers[0].seal(&key, &order).unwrap();
    assert_eq!(world.apply(Command::Order(envelope)), Ok(true));
    let ends = [world.state.waiting.front(), world.state.waiting.back()];
    assert_eq!(ends.map(|line| line.unwrap().index), [1, 5_000]);
    assert_eq!(world.state.waiting.len(), WAITING_MAX);
    order.note.index = 1 << 32;
    let beyond = world.makers[0].seal(&key, &order).unwrap();
    let refused = world.apply(Command::Order(beyond)).unwrap_err().to_string();
    assert!(refused.contains("2^32 leaves"), "{refused}");
}

#[test]
fn facts_that_are_no_pools_change_nothing() {
    let mut world = World::new(1);
    world.lock(&[(0, line(300))]);
    let (entry, venue) = (world.state.entry.root(), world.state.changes.root());
    let (word, high) = ([1; 32], [0xff; 32]);
    let posted = |word| Fact::RoundSettled {
        id: RequestId([0; 32]),
        round: 1,
        status: RequestStatus::Pending,
        posted: vec![word; 51],
    };
    let absorbed = |index, leaves, root| Fact::Absorbed { index, leaves, root };
    world.facts = vec![
        absorbed(16, vec![word], word),
        absorbed(17, vec![word], word),
        absorbed(16, vec![], word),
        absorbed(16, vec![word; 65], word),
        absorbed(16, vec![high], word),
        posted(word),
        posted(high),
        Fact::RoundSettled {
            id: RequestId([0; 32]),
            round: 1,
            status: RequestStatus::Pending,
            posted: vec![],
        },
        Fact::Spent { nullifiers: [high, word] },
        Fact::Announced { nullifier: high, time: Timestamp(5) },
    ];
    world.show();
    assert_eq!((world.state.entry.root(), world.state.changes.root()), (entry, venue));
    assert!(world.state.issuer().is_ok());
}

#[test]
fn a_restarted_enclave_is_the_same_and_answers_the_same_bytes() {
    use crate::program::tests::Memory;

    let bytes = encode(&configuration());
    let program = || {
        let mut program = Program::new(Memory::new(bytes.clone()));
        let configure = Command::Configure(bytes.clone());
        let answer: Answer = decode(&program.handle(&encode(&configure))).unwrap();
        assert!(matches!(answer.reply, Reply::Done));
        program
    };
    // The same seed as a platform in memory draws.
    let mut world = World::new(2);
    let mut first = program();
    world.state = enclave(7);
    let key = first.0.booted.as_ref().unwrap().state.hpke.public_key();
    assert_eq!(key, world.state.hpke.public_key());
    let mut commands = world.shown();
    for command in &commands {
        world.state.apply(command).unwrap();
    }
    let sealed = world.issuer.brief(&key, |digest| sign(&issuers_key(), digest)).unwrap();
    commands.push(Command::Brief(sealed));
    world.deposit(0, &line(300));
    world.absorb();
    world.show();
    commands.extend(world.heard.last().cloned());
    let order = world.envelopes().remove(0);
    commands.push(Command::Order(order.clone()));

    let mut entries = Vec::new();
    let mut receipt = Vec::new();
    for command in &commands {
        let answer: Answer = decode(&first.handle(&encode(command))).unwrap();
        entries.push(answer.sealed.expect("news is sealed"));
        if let Reply::Receipt(bytes) = answer.reply {
            receipt = bytes;
        }
    }
    let bundle = first.0.booted.as_ref().unwrap().key_bundle();
    let signer = Address(bundle.settlement_signer);
    let read = world.makers[0].receipt(&receipt, &order, signer).unwrap();
    assert_eq!((read.number, read.place()), (0, 0));
    assert!(world.makers[0].receipt(&receipt, &[0; 4_096], signer).is_err(), "another envelope");
    assert!(world.makers[0].receipt(&receipt, &order, Address([1; 20])).is_err());
    assert!(world.makers[0].receipt(&[1], &order, signer).is_err());

    let mut again = program();
    let restored: Answer =
        decode(&again.handle(&encode(&Command::Restore(entries.clone())))).unwrap();
    assert!(matches!(restored.reply, Reply::Done));
    for command in commands.iter().chain([&Command::Order(order)]) {
        let [one, other] = [&mut first, &mut again].map(|it| it.handle(&encode(command)));
        assert_eq!(one, other, "heard before, or answered alike");
        let answer: Answer = decode(&one).unwrap();
        assert!(answer.sealed.is_none());
    }
    // What comes next is sealed to the same bytes.
    world.show();
    let next = encode(world.heard.last().unwrap());
    assert_eq!(first.handle(&next), again.handle(&next));
}
