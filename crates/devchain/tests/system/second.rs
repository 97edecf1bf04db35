//! The second pool and its venue with real proofs, from a deposit to the last exit: nothing stands in for a
//! verifier, and wallets know nothing but the logs.

use std::sync::OnceLock;

use circuits::keys::Circuit;
use circuits::prove::Proof;
use circuits::second::account::{self, Kind as Move};
use circuits::second::clear::{self, Round, SLOTS, Slot};
use circuits::second::prove::{Provable, Prover, Published};
use circuits::second::spend;
use circuits::second::testing::Provers;
use devchain::{Genesis, LocalChain};
use evm::abi::CashToken as Token;
use evm::alloy::primitives::aliases::U80;
use evm::alloy::primitives::{Address, B256, Bytes, U256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::sol_types::{SolCall, SolError as _};
use evm::deploy::{DeployError, Mint, Token as Minted, Verifier};
use evm::revert::Errors;
use evm::second::abi::{DarkPool as Venue, ShieldedPool as Pool};
use evm::second::deploy::{self, DeployConfig, Deployment, Verifiers};
use evm::second::log::{self, Facts};
use evm::second::scan::Scan;
use evm::second::settlement::{self, ZkProof};
use evm::second::{Proven, call, element, price, roots, scalar, word};
use evm::{Call, Fees, Wallet as Account, gas, send};
use node::absorb::Absorber;
use pool::request::Request;
use pool::second::account::{Account as Issuers, Holder};
use pool::second::context::{Exit, Kind};
use pool::second::deal::{Deal, Scale};
use pool::second::mandate::Mandate;
use pool::second::orders;
use pool::second::terms::Terms;
use pool::second::tree::{NOTE_DEPTH, ORDER_DEPTH, Path, Tree};
use pool::second::wallet::{Asset, At, Cursor, Event, Held, Keys, Source, Spend, Wallet, Wanted};
use pool::status::Disclosure;
use pool::{Fr, field};
use primitives::{Disclosure as Shown, Price, Timestamp};
use protocol::second::Fact;

use super::{CHAIN_ID, System, development_keys, genesis, wallet};

const WINDOW: u64 = 600;
const TICK: u64 = 720;
const PRICE: u64 = 100_000_000;
const UNIT: u128 = 1_000_000;
const CAP_BPS: u16 = 50;
const ISSUER: u8 = 2;

#[tokio::test]
async fn makers_are_filled_and_leave_with_everything_else_gone() {
    let mut stage = Stage::set().await;

    // Sixteen deposits: makers 0 and 1 offer lines, the rest is cover.
    let mut gas = Vec::new();
    for number in 0..16_u8 {
        let maker = usize::from(number % 2);
        let locked = number < 10;
        gas.push(stage.deposit(maker, (100 + u128::from(number)) * UNIT, locked).await);
    }
    println!("deposit: {} gas, the first {}; a slot's first lap each", gas[15], gas[0]);
    let absorbed = stage.absorb().await;
    println!("absorb of 16: {absorbed} gas, {} a leaf", absorbed / 16);

    // Nobody else can spend a line, its owner not before it said so.
    let line = stage.locked(0)[9 / 2];
    let early = stage.plan_all(0, &line);
    let error = stage.spend_fails(&early).await;
    assert!(error.starts_with(&Pool::NullifierNotAnnounced::SELECTOR), "{error}");

    // Whatever happened inside, a settlement costs the same.
    stage.request().await;
    let mut costs = Vec::new();
    for n_fills in [5, 0, 8] {
        let gas = stage.clear(n_fills).await;
        println!("confidentialFill with {n_fills} fills, direct: {gas} gas");
        costs.push(gas);
    }
    // But for the nonzero bytes of calldata. The first one writes the venue's clock for the first time.
    let (least, most) = (costs[1..].iter().min().unwrap(), costs[1..].iter().max().unwrap());
    assert!((most - least) * 100 < *least, "{costs:?}");

    // From here on there is no venue, no issuer and no enclave: two wallets, their seeds, and logs.
    let payouts: Vec<_> = stage.of(0, stage.at.claim).collect();
    let paid: u128 = payouts.iter().map(|held| held.note.amount).sum();
    assert!(paid > 0);
    let wanted =
        Wanted { asset: element(stage.at.claim), amount: payouts[0].note.amount, outputs: vec![] };
    let plan =
        stage.wallets[0].spend(stage.absorber.trees(), &wanted, stage.now(), WINDOW).unwrap();
    let recipient = Address::repeat_byte(0xee);
    let gas = stage.spend(&plan, recipient).await;
    println!("exit of one payout: {gas} gas");
    assert_eq!(stage.balance(stage.at.claim, recipient).await, payouts[0].note.amount);
    // With change, which waits for its absorption like a deposit.
    let part = payouts[1].note.amount / 3;
    let wanted = Wanted { asset: element(stage.at.claim), amount: part, outputs: vec![] };
    let these = [payouts[1].nullifier];
    let plan = stage.wallets[0].spend_these(stage.absorber.trees(), &wanted, &these).unwrap();
    let gas = stage.spend(&plan, recipient).await;
    println!("exit with change: {gas} gas");
    assert_eq!(
        stage.wallets[0].balance(element(stage.at.claim)),
        paid - payouts[0].note.amount - part
    );

    // A standing line: announced, waited for, gone. A round that closes after the announcement cannot have it.
    let line = stage.locked(0)[0];
    let announcement =
        stage.wallets[0].announce(stage.absorber.trees(), &[line.nullifier]).unwrap();
    let announced = stage.spend(&announcement, Address::ZERO).await;
    let announced_at = stage.now();
    let leaving = stage.plan_all(0, &line);
    let error = stage.spend_fails(&leaving).await;
    assert!(error.starts_with(&Pool::AnnouncementTooYoung::SELECTOR), "{error}");
    let error = stage.clear_fails_with(0, &line).await;
    assert!(error.starts_with(&Pool::AnnouncedBeforeClosing::SELECTOR), "{error}");
    stage.wait_until(announced_at + WINDOW + 1);
    let leaving = stage.plan_all(0, &line);
    let gas = stage.spend(&leaving, recipient).await;
    println!("announce: {announced} gas, spend of the line: {gas}, together {}", announced + gas);
    assert_eq!(stage.balance(stage.at.cash, recipient).await, line.note.amount);
    assert!(stage.locked(0).iter().all(|held| held.nullifier != line.nullifier));

    // And whoever begins again from the seed is where the wallet is.
    for maker in 0..2 {
        let mut again = Wallet::new(keys(maker), assets(&stage.at), 0);
        for (at, event) in &stage.events {
            again.scan(*at, event).unwrap();
        }
        assert_eq!(again.to_bytes(), stage.wallets[maker].to_bytes());
        assert!(again.unread().is_empty());
    }
    stage.facts_are_what_an_enclave_needs().await;
}

struct Stage {
    system: System,
    at: Deployment,
    absorber: Absorber,
    wallets: [Wallet; 2],
    events: Vec<(Cursor, Event)>,
    facts: Facts,
    known: Vec<Fact>,
    mandate: Mandate,
    issuers: Issuers,
    request: Request,
    id: B256,
    opened: u64,
    round: u64,
    terms: Vec<Terms>,
}

impl Stage {
    async fn set() -> Self {
        let (system, at) = deployed().await;
        let venue = at.venue();
        let holder = Holder {
            venue,
            issuer: element(wallet(ISSUER).address()),
            collateral_asset: element(at.cash),
            consideration_asset: element(at.claim),
        };
        let deal = Deal {
            issuer: holder.issuer,
            instrument: Fr::from(1),
            consideration_asset: element(at.claim),
            venue,
            scale: Scale::PAR,
        };
        let mandate = Mandate {
            deal,
            collateral_asset: element(at.cash),
            premium_bps_max: 500,
            price_min: PRICE / 2,
            price_max: PRICE * 2,
            expiry: 1 << 39,
            epoch_seconds: 1 << 39,
            amount_max: 1 << 100,
            lot: UNIT,
            slot_min: UNIT,
            salt: Fr::from(3),
        };
        let request = Request {
            requested: 1_000_000 * UNIT,
            remaining: 1_000_000 * UNIT,
            instrument: deal.instrument,
            mandate: mandate.commitment(),
            gap_band: 1,
            salt: Fr::from(8),
        };
        let mut stage = Self {
            absorber: Absorber::new(at.pool, 0, development_keys(Circuit::Absorb)).unwrap(),
            wallets: [0, 1].map(|maker| Wallet::new(keys(maker), assets(&at), 0)),
            events: Vec::new(),
            facts: Facts::new(&at),
            known: Vec::new(),
            mandate,
            issuers: Issuers::open(holder, Fr::from(4)),
            request,
            id: B256::ZERO,
            opened: 0,
            round: 0,
            terms: Vec::new(),
            system,
            at,
        };
        let pool = Pool::new(at.pool, &stage.system.provider);
        assert_eq!(pool.venueOf(at.dark_pool).call().await.unwrap(), word(&venue));

        let approvals =
            [(5, at.cash, at.pool), (6, at.cash, at.pool), (ISSUER, at.claim, at.dark_pool)];
        for (owner, token, spender) in approvals {
            let approve = Token::approveCall { spender, value: U256::MAX };
            stage.transact(owner, token, &approve).await;
        }
        let opened = stage.issuers;
        let gas = stage.move_account(Move::Open, 0, opened).await;
        println!("opening an account: {gas} gas");
        let amount = 1_000_000 * UNIT;
        let gas = stage
            .move_account(Move::Fund, amount, Issuers { consideration: amount, ..opened })
            .await;
        println!("funding it: {gas} gas");
        let mandate = word(&stage.mandate.commitment());
        stage
            .transact(ISSUER, at.dark_pool, &Venue::registerMandateCall { mandate_: mandate })
            .await;
        stage
    }

    fn now(&self) -> u64 {
        self.system.chain.timestamp()
    }

    fn wait_until(&mut self, time: u64) {
        self.system.chain.set_next_timestamp(time.max(self.now())).unwrap();
    }

    /// Asks for as much as there will ever be.
    async fn request(&mut self) {
        self.opened = self.now();
        let call = Venue::requestCollateralCall {
            encryptedAmount: word(&self.request.commitment()).into(),
            premiumBps: U256::from(CAP_BPS),
            timeout: U256::from(86_400),
        };
        let gas = self.transact(ISSUER, self.at.dark_pool, &call).await;
        println!("a request: {gas} gas");
        let venue = Venue::new(self.at.dark_pool, &self.system.provider);
        self.id = venue.currentRequestId().call().await.unwrap();
    }

    /// Deposits for a maker, a line under its terms if `locked`.
    async fn deposit(&mut self, maker: usize, amount: u128, locked: bool) -> u64 {
        let wallet = &self.wallets[maker];
        let number = wallet.next();
        let terms = Terms {
            deal: self.mandate.deal,
            payout_owner: wallet.keys().payout(number).owner(),
            premium_bps_min: 10,
            price_min: PRICE / 2,
            price_max: PRICE * 2,
            fill_min: UNIT,
            gap_band_max: 9,
            expiry: 1 << 39,
        };
        let order_hash = if locked { terms.hash() } else { Fr::from(0) };
        let words = wallet.keys().words(number, amount, order_hash);
        if locked {
            self.terms.push(terms);
        }
        let call = call::deposit(self.at.cash, amount, &words);
        let owner = 5 + u8::try_from(maker).unwrap();
        self.transact(owner, self.at.pool, &call).await
    }

    async fn absorb(&mut self) -> u64 {
        let call = self.absorber.next().unwrap().expect("leaves wait");
        // Anyone's.
        self.transact(8, self.at.pool, &call).await
    }

    async fn move_account(&mut self, kind: Move, amount: u128, after: Issuers) -> u64 {
        let of_pool = match kind {
            Move::Open => Kind::Open,
            Move::Fund => Kind::Fund,
            Move::TakeBack => Kind::TakeBack,
            Move::Release => Kind::Release,
            Move::Resalt => Kind::Resalt,
        };
        let data = settlement::account_data(Address::ZERO);
        let tree = self.absorber.trees().venue(self.at.venue());
        let index = tree.map_or(0, Tree::len);
        let caller = self.at.dark_pool.into();
        let context = self.at.context().venue_context(of_pool, &caller, index, &data);
        let venue = Venue::new(self.at.dark_pool, &self.system.provider);
        let theirs = venue.accountContext(kind as u8, Address::ZERO);
        assert_eq!(theirs.call().await.unwrap(), word(&context));
        let (account, salt) = (self.issuers, after.salt);
        let witness = account::Witness { context, kind, amount, account, salt };
        let (statement, proven) = prove(&provers().account, &witness);
        assert_eq!(statement.after, after.commitment());
        let asset = if amount == 0 { Address::ZERO } else { self.at.claim };
        let call = call::move_account(of_pool, asset, amount, Address::ZERO, &proven);
        self.issuers = after;
        self.transact(ISSUER, self.at.dark_pool, &call).await
    }

    /// Locked notes of a maker that are in a tree.
    fn locked(&self, maker: usize) -> Vec<Held> {
        let held = self.wallets[maker].held().iter();
        held.filter(|held| held.is_locked() && matches!(held.at, At::Tree { .. }))
            .copied()
            .collect()
    }

    fn of(&self, maker: usize, asset: Address) -> impl Iterator<Item = Held> {
        self.wallets[maker].held().iter().copied().filter(move |it| it.note.asset == element(asset))
    }

    /// All of a note leaves.
    fn plan_all(&self, maker: usize, held: &Held) -> Spend {
        let wanted = Wanted { asset: held.note.asset, amount: held.note.amount, outputs: vec![] };
        self.wallets[maker].spend_these(self.absorber.trees(), &wanted, &[held.nullifier]).unwrap()
    }

    /// Settles the next round, ten seconds after its closing, with ten units of each of so many lines of both
    /// makers.
    async fn clear(&mut self, n_fills: usize) -> u64 {
        let lines =
            (0..2).flat_map(|maker| self.locked(maker).into_iter().map(move |it| (maker, it)));
        let free = lines.filter(|(_, held)| held.announced == 0);
        let fills: Vec<_> = free.take(n_fills).collect();
        let (witness, call) = self.settlement(&fills).await;
        let paid = witness.payouts_ceil().iter().map(|payout| payout.unwrap()).sum();
        let epoch = witness.round.closed_at / witness.mandate.epoch_seconds;
        let context = witness.round.context;
        self.issuers = self.issuers.after(witness.filled(), paid, epoch, context).unwrap();
        self.request = self.request.after(witness.filled(), context).unwrap();
        self.round += 1;
        self.transact(8, self.at.dark_pool, &call).await
    }

    /// What is said to a round with this line in it.
    async fn clear_fails_with(&mut self, maker: usize, line: &Held) -> Bytes {
        let (_, call) = self.settlement(&[(maker, *line)]).await;
        self.fails(8, self.at.dark_pool, &call).await
    }

    /// The next round, signed by the enclave, once it has closed.
    async fn settlement(
        &mut self,
        fills: &[(usize, Held)],
    ) -> (clear::Witness, Venue::confidentialFillCall) {
        let passed = (self.now() - self.opened) / TICK;
        let closed_at = self.opened + (passed + 1) * TICK;
        self.wait_until(closed_at + 10);
        let venue = self.mandate.deal.venue;
        let trees = self.absorber.trees();
        let venue_tree = trees.venue(venue).cloned();
        let venue_tree = venue_tree.unwrap_or_else(|| Tree::new(NOTE_DEPTH));
        let index = venue_tree.len();
        let mut leaves = Vec::new();
        let mut slots = Vec::new();
        for (place, (maker, held)) in (0..).zip(fills) {
            let Source::Line(number) = held.source else { panic!("lines are locked") };
            let At::Tree { venue, index } = held.at else { panic!("it is in a tree") };
            let opening = self.wallets[*maker].keys().line(number);
            let is_its = |terms: &&Terms| terms.hash() == held.note.order_hash;
            let terms = *self.terms.iter().find(is_its).unwrap();
            let in_venue = venue != Fr::from(0);
            let tree = if in_venue { &venue_tree } else { trees.entry() };
            let secret = opening.nullifier_secret.expose();
            let cm = held.note.commitment();
            leaves.push(orders::leaf(cm, Fr::from(1), Fr::from(place), secret));
            slots.push(Slot {
                amount: held.note.amount,
                spend_key: opening.spend_secret.spend_key(),
                nullifier_secret: opening.nullifier_secret,
                terms,
                rho: held.note.rho,
                in_venue,
                path: tree.path(index, 0),
                receipt: 1,
                place: Path { index: place, siblings: Vec::new() },
                fill: 10 * UNIT,
            });
        }
        let mut set = Tree::new(ORDER_DEPTH);
        set.append(&leaves, ORDER_DEPTH).unwrap();
        for slot in &mut slots {
            slot.place = set.path(slot.place.index, 0);
        }
        while slots.len() < SLOTS {
            slots.push(Slot::dummy(&[u8::try_from(slots.len()).unwrap(); 32]));
        }
        let round = self.round + 1;
        let (root, caller) = (set.root(), self.at.dark_pool.into());
        let data = settlement::round_data(self.id, round, closed_at, PRICE, &root);
        let context = self.at.context().venue_context(Kind::Clear, &caller, index, &data);
        let contract = Venue::new(self.at.dark_pool, &self.system.provider);
        let (closing, price) = (U256::from(closed_at), U256::from(PRICE));
        let theirs = contract.context(self.id, round, closing, price, word(&root));
        assert_eq!(theirs.call().await.unwrap(), word(&context));
        let witness = clear::Witness {
            round: Round {
                context,
                entry_root: trees.entry().root(),
                venue_root: venue_tree.root(),
                order_root: set.root(),
                premium_cap_bps: CAP_BPS,
                price: PRICE,
                closed_at,
                disclosure: Disclosure::Sealed,
            },
            mandate: self.mandate,
            request: self.request,
            account: self.issuers,
            premium_bps: 40,
            slots: slots.try_into().unwrap_or_else(|_| unreachable!("filled up")),
            path: venue_tree.path(index, clear::height(SLOTS)),
        };
        let (_, proven) = prove(&provers().clear, &witness);
        let posted: Vec<_> = proven.posted.iter().copied().map(U256::from_be_bytes).collect();
        let proof = ZkProof {
            price_round: U80::from(1),
            entry_slot: self.entry_slot().await,
            proof: proven.proof.map(U256::from_be_bytes),
            posted: posted.try_into().unwrap(),
        };
        assert_eq!(ZkProof::decode(&proof.encode()).unwrap(), proof);
        let digest = proof.digest(CHAIN_ID, self.at.dark_pool, self.id, round);
        let hash = evm::alloy::primitives::keccak256(proven.posted.as_flattened());
        let theirs = contract.settlementDigest(self.id, round, hash);
        assert_eq!(theirs.call().await.unwrap(), digest);
        let call = call::settle(self.id, &proof, &wallet(7).sign_hash(&digest).as_bytes());
        (witness, call)
    }

    async fn entry_slot(&self) -> u8 {
        let root = self.absorber.trees().entry().root();
        roots::entry_slot(&self.system.provider, self.at.pool, &root).await.unwrap().unwrap()
    }

    async fn slots(&self, plan: &Spend) -> call::Slots {
        let entry = self.entry_slot().await;
        let Some(tree) = self.absorber.trees().venue(plan.venue) else {
            return call::Slots { entry, venue: 0 };
        };
        let (provider, pool) = (&self.system.provider, self.at.pool);
        let venue = roots::venue_slot(provider, pool, &plan.venue, &tree.root()).await.unwrap();
        call::Slots { entry, venue: venue.expect("it is the newest") }
    }

    fn exit(&self, plan: &Spend, recipient: Address) -> (Kind, Exit) {
        let kind = if plan.announce { Kind::Announce } else { Kind::Spend };
        let exit = Exit {
            recipient: recipient.into(),
            relayer: [0; 20],
            fee: 0,
            deadline: self.now() + 10 * WINDOW,
            hints: plan.hints(),
            memos: plan.memos(),
        };
        (kind, exit)
    }

    async fn spend_call(&self, plan: &Spend, recipient: Address) -> Pool::spendCall {
        let (kind, exit) = self.exit(plan, recipient);
        let context = self.at.context().exit_context(kind, &exit);
        let (_, proven) = prove(&provers().spend, &spend::Witness::of(plan, context));
        let exit = call::exit(plan, &exit).unwrap();
        let pool = Pool::new(self.at.pool, &self.system.provider);
        let theirs = pool.exitContext(kind as u8, exit.clone());
        assert_eq!(theirs.call().await.unwrap(), word(&context));
        call::spend(exit, self.slots(plan).await, &proven)
    }

    /// Sent by a stranger, as a relayer would.
    async fn spend(&mut self, plan: &Spend, recipient: Address) -> u64 {
        let call = self.spend_call(plan, recipient).await;
        self.transact(8, self.at.pool, &call).await
    }

    async fn spend_fails(&mut self, plan: &Spend) -> Bytes {
        let call = self.spend_call(plan, Address::repeat_byte(0xee)).await;
        self.fails(8, self.at.pool, &call).await
    }

    /// What a call reverts with.
    async fn fails(&self, from: u8, to: Address, call: &impl SolCall) -> Bytes {
        let request = evm::alloy::rpc::types::TransactionRequest::default()
            .from(wallet(from).address())
            .to(to)
            .input(Bytes::from(call.abi_encode()).into());
        let error = self.system.provider.call(request).await.expect_err("it is refused");
        error.as_error_resp().unwrap().as_revert_data().unwrap()
    }

    async fn balance(&self, token: Address, owner: Address) -> u128 {
        let token = Token::new(token, &self.system.provider);
        u128::try_from(token.balanceOf(owner).call().await.unwrap()).unwrap()
    }

    /// Gas of a transaction that succeeds; its events reach everyone.
    async fn transact(&mut self, from: u8, to: Address, call: &impl SolCall) -> u64 {
        let receipt = transact(&self.system.provider, from, to, call).await;
        for log in receipt.logs() {
            self.known.extend(self.facts.read(log).unwrap());
            if let Some(event) = log::event(log, self.at.pool).unwrap() {
                let at = log::cursor(log).unwrap();
                for wallet in &mut self.wallets {
                    wallet.scan(at, &event).unwrap();
                }
                self.events.push((at, event));
            }
        }
        let head = receipt.block_number.unwrap();
        self.absorber.follow(&self.system.provider, head).await.unwrap();
        receipt.gas_used
    }

    /// Over JSON-RPC and with a restart in the middle the facts are those of the receipts, and trees made of them
    /// have the pool's newest roots.
    async fn facts_are_what_an_enclave_needs(&self) {
        let provider = &self.system.provider;
        let head = provider.get_block_number().await.unwrap();
        let (mut facts, mut read) = (Facts::new(&self.at), Vec::new());
        let mut from = 0;
        for until in [head / 2, head] {
            let mut scan = Scan::of(&self.at, from);
            while !scan.has_read(until) {
                for log in scan.advance(provider, until).await.unwrap() {
                    read.extend(facts.read(&log).unwrap());
                }
            }
            from = scan.next();
        }
        assert_eq!(read, self.known);

        let leaf = |word: &[u8; 32]| field::from_bytes(word).unwrap();
        let (mut entry, mut venue) = (Tree::new(NOTE_DEPTH), Tree::new(NOTE_DEPTH));
        let (mut account, mut n_rounds, mut n_spent) = ([0; 32], 0, 0);
        for fact in &read {
            match fact {
                Fact::Absorbed { index, leaves, root } => {
                    assert_eq!(entry.len(), *index);
                    let leaves: Vec<_> = leaves.iter().map(leaf).collect();
                    entry.append(&leaves, 2).unwrap();
                    assert_eq!(entry.root(), leaf(root));
                }
                Fact::RoundSettled { id, posted, .. } => {
                    assert_eq!(*id, primitives::RequestId(self.id.0));
                    let leaves: Vec<_> = posted[27..43].iter().map(leaf).collect();
                    venue.append(&leaves, 2).unwrap();
                    assert_eq!(venue.root(), leaf(&posted[15]));
                    account = posted[settlement::at::ACCOUNT];
                    n_rounds += 1;
                }
                Fact::AccountMoved { account: after, .. } => account = after.0,
                Fact::Spent { .. } => n_spent += 1,
                Fact::RequestOpened { .. }
                | Fact::RequestExpired { .. }
                | Fact::RequestCancelled { .. }
                | Fact::RequestRevealed { .. }
                | Fact::RecoveryAttested { .. }
                | Fact::StatusReported { .. }
                | Fact::Halted
                | Fact::ReportExecuted { .. }
                | Fact::MandateRegistered { .. }
                | Fact::Announced { .. } => {}
            }
        }
        let pool = Pool::new(self.at.pool, provider);
        let kept = pool.venue(word(&self.at.venue())).call().await.unwrap();
        assert_eq!(kept.account, U256::from_be_bytes(account));
        assert_eq!(self.issuers.commitment(), leaf(&account));
        assert_eq!((n_rounds, n_spent), (3, 3));
        let root = pool.venueRoot(word(&self.at.venue()), U256::from(kept.cursor));
        assert_eq!(scalar(root.call().await.unwrap()), Ok(venue.root()));
    }
}

#[tokio::test]
async fn a_deployment_of_the_second_pool_is_planned_priced_and_resumed() {
    let chain = LocalChain::new(genesis());
    let provider = chain.connect();
    let config = config(&provider).await;
    let plan = deploy::plan(&config).unwrap();
    assert_eq!(deploy::plan(&config).unwrap(), plan);
    for step in &plan.steps[..9] {
        send(&provider, &step.transaction.bytes).await.unwrap();
    }
    // The limit is the rules' and not the state's: a plan made after a crash is the same plan.
    assert_eq!(gas::ceiling(&provider, wallet(1).address()).await.unwrap(), config.gas_limit);
    let (again, receipts) = deploy::deploy(&provider, &config).await.unwrap();
    assert_eq!(again, plan);
    assert_eq!(chain.height(), plan.steps.len() as u64);
    let mut all = 0;
    for (step, receipt) in plan.steps.iter().zip(&receipts) {
        assert_eq!(receipt.transaction_hash, step.transaction.hash);
        assert!(receipt.contract_address.is_none_or(|address| address == step.address));
        assert!(receipt.gas_used * 5 < config.gas_limit * 4, "{}", step.contract);
        all += receipt.gas_used;
        println!("{:>9} {}.{}", receipt.gas_used, step.contract, step.function);
    }
    println!("{all:>9} in all, {} the limit of each", config.gas_limit);

    let Deployment { pool, dark_pool, registry, guard, timelock, .. } = plan.deployment;
    let venue = Venue::new(dark_pool, &provider);
    assert_eq!(venue.owner().call().await.unwrap(), timelock);
    assert_eq!(venue.pool().call().await.unwrap(), pool);
    assert_eq!(venue.registry().call().await.unwrap(), registry);
    assert_eq!(venue.tick().call().await.unwrap(), U256::from(TICK));
    let guard = evm::abi::RecoveryGuard::new(guard, &provider);
    assert_eq!(guard.darkPool().call().await.unwrap(), dark_pool);
    let pool = Pool::new(pool, &provider);
    let kept = pool.verifiers().call().await.unwrap();
    assert_eq!(kept.clear, plan.deployment.clear_verifier);
    assert_eq!(kept.absorbMany, Address::ZERO);
    assert_eq!(pool.settleWindow().call().await.unwrap(), U256::from(WINDOW));
    let asset = pool.asset(plan.deployment.claim).call().await.unwrap();
    assert_eq!(asset.cap, U256::from(1_u128 << 101));
    assert_eq!(pool.venueOf(dark_pool).call().await.unwrap(), word(&plan.deployment.venue()));
}

/// Each refusal of the plan is one of a constructor's: the same configuration, sent past the plan, reverts.
#[tokio::test]
async fn what_a_constructor_would_refuse_is_not_planned() {
    let provider = LocalChain::new(genesis()).connect();
    let good = config(&provider).await;
    let said = |edit: &dyn Fn(&mut DeployConfig)| {
        let mut config = good.clone();
        edit(&mut config);
        deploy::plan(&config).map(|_| ()).map_err(|error| error.to_string())
    };
    let refused = |edit: &dyn Fn(&mut DeployConfig)| said(edit).unwrap_err();
    assert_eq!(
        refused(&|it| it.settle_window = 59),
        "a settle window of 59 s is refused; the pool takes 60 s to 3,600 s"
    );
    assert_eq!(
        refused(&|it| it.settle_window = 3_601),
        "a settle window of 3601 s is refused; the pool takes 60 s to 3,600 s"
    );
    assert_eq!(
        refused(&|it| it.tick = WINDOW + 119),
        "a tick of 719 s is refused, the pool's window and grace take 720 s; hint: a longer tick or a shorter settle \
         window"
    );
    for cap in [0, 1 << 112] {
        let words =
            format!("a cap of {cap} base units on Cash is refused; the pool takes 1 to 2^112 - 1");
        assert_eq!(refused(&|it| it.cash_max = cap), words);
        assert!(refused(&|it| it.claim_max = cap).contains("on Claim is refused"));
    }
    // The least and the most that are taken.
    let edge = |it: &mut DeployConfig| {
        (it.settle_window, it.tick) = (60, 180);
        (it.cash_max, it.claim_max) = (1, (1 << 112) - 1);
    };
    assert_eq!(said(&edge), Ok(()));
    let chain = LocalChain::new(genesis());
    let mut config = good.clone();
    edge(&mut config);
    deploy::deploy(&chain.connect(), &config).await.unwrap();

    let off = |edit: &dyn Fn(&mut DeployConfig)| {
        let config = elsewhere(&good, edit);
        deploy::plan(&config).map(|_| ()).map_err(|error| error.to_string())
    };
    let development = "a development verifier is refused on chain 1; only 31337 takes one";
    assert_eq!(off(&|it| it.verifiers = ceremony()), Ok(()));
    assert_eq!(off(&|it| it.verifiers = Verifiers::development()).unwrap_err(), development);
    let one = |edit: &dyn Fn(&mut Verifiers, Verifier)| {
        for verifier in [
            Verifier::Development(code(1)),
            // Whatever it is called.
            Verifier::Ceremony(evm::second::abi::SpendVerifier::BYTECODE.clone()),
        ] {
            let words = off(&|it| {
                it.verifiers = ceremony();
                edit(&mut it.verifiers, verifier.clone());
            });
            assert_eq!(words.unwrap_err(), development);
        }
    };
    one(&|all, it| all.absorb = it);
    one(&|all, it| all.absorb_many = Some(it));
    one(&|all, it| all.spend = it);
    one(&|all, it| all.account = it);
    one(&|all, it| all.clear = it);
    let public = evm::development_wallets(1)[0].clone();
    let address = public.address();
    assert_eq!(
        off(&|it| {
            it.verifiers = ceremony();
            it.deployer = public.clone();
        }),
        Err(format!("the deployer {address} is a public development account, refused on chain 1"))
    );
}

/// Past the plan's own look, the pool's constructor asks the verifier what its key is worth.
#[tokio::test]
async fn the_pool_refuses_a_development_verifier_that_hides_behind_other_code() {
    let good = config(&LocalChain::new(genesis()).connect()).await;
    let config = elsewhere(&good, &|it| {
        it.verifiers = ceremony();
        // The committed one with a byte behind it: other code, the same contract.
        let code = [&evm::second::abi::ClearVerifier::BYTECODE[..], &[0]].concat();
        it.verifiers.clear = Verifier::Ceremony(code.into());
    });
    let funded = [&config.deployer, &config.issuer].map(Account::address);
    let genesis = Genesis { chain_id: 1, ..genesis() };
    let chain = LocalChain::new(genesis.fund(funded));
    let error = deploy::deploy(&chain.connect(), &config).await.unwrap_err();
    assert!(
        matches!(
            error,
            DeployError::Failed { contract: "ShieldedPool", function: "constructor", .. }
        ),
        "{error}"
    );
}

/// A feed that moves between closing and settlement changes nothing, and one that never answered prices nothing.
#[tokio::test]
async fn a_closing_is_priced_by_the_answer_that_was_the_newest_then() {
    let (mut system, at) = deployed().await;
    let provider = system.provider.clone();
    let (feed, start) = (at.price_feed, super::START);
    let said = async |closed_at| {
        let found = price::at_closing(&provider, feed, Timestamp(closed_at)).await;
        found.map_err(|error| error.to_string())
    };
    let closing =
        |price, round| Ok(price::Closing { price: Price(price), price_round: U80::from(round) });
    for (after, answer) in [(100, 90), (200, 0), (300, -1)] {
        system.chain.set_next_timestamp(start + after).unwrap();
        let answer = evm::alloy::primitives::I256::try_from(answer).unwrap();
        let set = evm::abi::PriceFeed::setAnswerCall { answer_: answer };
        transact(&provider, 1, feed, &set).await;
    }
    system.chain.set_next_timestamp(start + 400).unwrap();
    system.send(at.cash, Bytes::new()).await;

    assert_eq!(said(start + 99).await, closing(PRICE, 1));
    assert_eq!(said(start + 100).await, closing(90, 2));
    assert_eq!(said(start + 199).await, closing(90, 2));
    assert!(said(start + 250).await.unwrap_err().contains("round 3 answers 0, which is no price"));
    assert!(said(start + 399).await.unwrap_err().contains("round 4 answers -1, which is no price"));
    let before = said(start - 1).await.unwrap_err();
    assert!(
        before.contains("no answer from before") && before.contains("its newest 4"),
        "{before}"
    );
    for later in [400, 500] {
        let words = said(start + later).await.unwrap_err();
        assert!(words.ends_with("hint: wait for a later block"), "{words}");
    }
    let nowhere = price::at_closing(&provider, at.cash, Timestamp(start)).await.unwrap_err();
    assert!(matches!(nowhere, price::PriceError::Feed { .. }), "{nowhere}");
}

/// On chain 1, by keys that are nobody's.
fn elsewhere(config: &DeployConfig, edit: &dyn Fn(&mut DeployConfig)) -> DeployConfig {
    let mut config = DeployConfig {
        deployer: Account::new(&B256::repeat_byte(0x51), 1).unwrap(),
        issuer: Account::new(&B256::repeat_byte(0x52), 1).unwrap(),
        ..config.clone()
    };
    edit(&mut config);
    config
}

/// Verifiers that say they are for production: they answer every question with 0.
fn ceremony() -> Verifiers {
    let of = |number| Verifier::Ceremony(code(number));
    Verifiers { absorb: of(1), absorb_many: None, spend: of(2), account: of(3), clear: of(4) }
}

/// Creation code of a contract that returns 32 zero bytes, and a number that makes it another's.
fn code(number: u8) -> Bytes {
    let code = evm::alloy::primitives::bytes!("6004600a5f3960045ff3" "60205ff3");
    [&code[..], &[number]].concat().into()
}

async fn config(provider: &DynProvider) -> DeployConfig {
    let first = super::config(Shown::Sealed);
    let mint = |token, to, amount| Mint { token, to: wallet(to).address(), amount };
    DeployConfig {
        gas_limit: gas::ceiling(provider, first.deployer.address()).await.unwrap(),
        deployer: first.deployer,
        deployer_nonce: 0,
        issuer: first.issuer,
        issuer_nonce: 0,
        fees: first.fees,
        don: first.don,
        workflow: first.workflow,
        timelock: first.timelock,
        guardian: first.guardian,
        guard: first.guard,
        price: first.price,
        price_age_max: first.price_age_max,
        workloads: first.workloads,
        disclosure: Shown::Sealed,
        cash_max: 1 << 100,
        claim_max: 1 << 101,
        settle_window: WINDOW,
        tick: TICK,
        verifiers: Verifiers::development(),
        mints: vec![
            mint(Minted::Cash, 5, 1 << 60),
            mint(Minted::Cash, 6, 1 << 60),
            mint(Minted::Claim, ISSUER, 1 << 60),
        ],
    }
}

/// The second system with its enclave registered. What is the same in both designs has the first's names.
async fn deployed() -> (System, Deployment) {
    let chain = LocalChain::new(genesis());
    let provider = chain.connect();
    let (plan, _) = deploy::deploy(&provider, &config(&provider).await).await.unwrap();
    let at = plan.deployment;
    let shared = super::Deployment {
        chain_id: at.chain_id,
        forwarder: at.forwarder,
        cash: at.cash,
        claim: at.claim,
        price_feed: at.price_feed,
        timelock: at.timelock,
        pool: at.pool,
        guard: at.guard,
        registry: at.registry,
        por: at.por,
        verifier: at.clear_verifier,
        dark_pool: at.dark_pool,
        stablecoin: at.stablecoin,
    };
    let mut system = System { chain, provider, at: shared, relayer_nonce: 0, executions: 0 };
    system.register().await;
    (system, at)
}

async fn transact(
    provider: &DynProvider,
    from: u8,
    to: Address,
    call: &impl SolCall,
) -> TransactionReceipt {
    let (sender, input) = (wallet(from), Bytes::from(call.abi_encode()));
    let limit = gas::limit(provider, sender.address(), to, input.clone()).await;
    let limit = limit.unwrap_or_else(|error| {
        let data = error.as_error_resp().and_then(|it| it.as_revert_data()).unwrap_or_default();
        panic!("{}: {error}: {}", core::any::type_name_of_val(call), Errors::default().words(&data))
    });
    let nonce = provider.get_transaction_count(sender.address()).await.unwrap();
    let raw = sender.sign(nonce, Fees::default(), Call::new(to, input, limit));
    let receipt = send(provider, &raw.bytes).await.unwrap();
    assert!(receipt.status(), "{} of {to}", core::any::type_name_of_val(call));
    receipt
}

fn assets(at: &Deployment) -> Vec<Asset> {
    [at.cash, at.claim].map(|at| Asset { address: element(at), decimals: 6 }).to_vec()
}

fn prove<W: Provable>(prover: &Prover<W>, witness: &W) -> (W::Statement, Proven) {
    let proven = prover.prove(witness, [1; 32]);
    let (statement, proof): (_, Proof) = proven.unwrap_or_else(|error| panic!("{error:?}"));
    let posted = statement.posted();
    (statement, Proven { proof: proof.to_words(), posted })
}

fn provers() -> &'static Provers {
    static PROVERS: OnceLock<Provers> = OnceLock::new();
    PROVERS.get_or_init(|| Provers::new(development_keys))
}

fn keys(maker: usize) -> Keys {
    Keys::new(&[u8::try_from(maker).unwrap() + 1; 32]).unwrap()
}
