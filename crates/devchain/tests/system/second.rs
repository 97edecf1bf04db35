//! The second pool and its venue with real proofs, from a deposit to the last exit: nothing stands in for a
//! verifier, and wallets know nothing but the logs.

use std::sync::OnceLock;

use circuits::prove::Proof;
use circuits::second::account::{self, Kind as Move};
use circuits::second::clear::{self, Round, SLOTS, Slot};
use circuits::second::prove::{Provable, Prover, Published};
use circuits::second::testing::Provers;
use circuits::second::{absorb, spend};
use evm::alloy::primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use evm::alloy::providers::Provider as _;
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::sol;
use evm::alloy::sol_types::{SolCall, SolError as _, SolEvent as _, SolValue as _};
use evm::deploy::{DeployConfig, Mint, Token as Minted};
use evm::{Call, Fees, send};
use pool::request::Request;
use pool::second::account::{Account as Issuers, Holder};
use pool::second::context::{Deployment, Exit, Kind};
use pool::second::deal::{Deal, Scale};
use pool::second::mandate::Mandate;
use pool::second::orders;
use pool::second::terms::Terms;
use pool::second::tree::{NOTE_DEPTH, ORDER_DEPTH, Path, Tree};
use pool::second::wallet::{
    Asset, At, Cleared, Cursor, Event, Held, Keys, Source, Spend, Trees, Wallet, Wanted,
};
use pool::status::Disclosure;
use pool::{Fr, field};
use primitives::Disclosure as Shown;

use super::{System, config, development_keys, wallet};

sol! {
    #[sol(rpc)]
    interface Pool {
        struct Verifiers {
            address absorb;
            address absorbMany;
            address spend;
            address account;
            address clear;
        }
        struct Exit {
            address asset;
            uint256 amount;
            address recipient;
            address relayer;
            uint256 fee;
            uint256 deadline;
            uint256[2] hints;
            uint256[2] memos;
        }
        struct Move {
            uint8 kind;
            address asset;
            uint256 amount;
            address recipient;
        }

        event Queued(uint256 position, uint256 leaf, uint256 hint, uint256 memo);
        event Absorbed(uint256 position, uint256 count, uint256 index, uint256 root);
        event Spent(
            address indexed asset,
            uint256 amount,
            address recipient,
            address relayer,
            uint256 fee,
            uint256[2] nullifiers
        );
        event Announced(uint256 nullifier, uint256 time);
        event Cleared(uint256 indexed venue, uint256[] posted);

        error AnnouncementTooYoung(
            uint256 nullifier, uint256 announcedAt, uint256 timestamp, uint256 window
        );
        error NullifierNotAnnounced(uint256 nullifier);
        error AnnouncedBeforeClosing(uint256 nullifier, uint256 announcedAt, uint256 closedAt);

        function deposit(address asset, uint256 amount, uint256 inner, uint256 hint, uint256 memo)
            external
            returns (uint256);
        function absorb(
            uint256 position, uint256 count, uint256 rootAfter, uint256 digest, uint256[8] proof
        ) external;
        function spend(
            Exit exit, uint256 entrySlot, uint256 venueSlot, uint256[8] proof, uint256[] posted
        ) external;
        function venueOf(address caller) external view returns (uint256);
        function exitContext(uint8 kind, Exit exit) external view returns (uint256);
    }
    #[sol(rpc)]
    interface Venue {
        struct Deployment {
            address owner;
            address issuer;
            address forwarder;
            bytes32 workflowId;
            address workflowOwner;
            address pool;
            address statusHash;
            address registry;
            address guard;
            address priceFeed;
            uint256 priceAgeMax;
            uint256 tick;
            uint8 disclosure;
        }

        function registerMandate(uint256 mandate) external;
        function moveAccount(Pool.Move move, uint256[8] proof, uint256[] posted) external;
        function requestCollateral(bytes32 encryptedAmount, uint256 premiumBps, uint256 timeout)
            external
            returns (bytes32);
        function confidentialFill(bytes32 requestId, bytes zkProof, bytes teeAttestation) external;
        function currentRequestId() external view returns (bytes32);
        function accountContext(uint8 kind, address recipient) external view returns (uint256);
        function context(
            bytes32 requestId, uint64 round, uint256 closedAt, uint256 price, uint256 orderRoot
        ) external view returns (uint256);
        function settlementDigest(bytes32 requestId, uint64 round, bytes32 postedHash)
            external
            view
            returns (bytes32);
    }
    #[sol(rpc)]
    interface Token {
        function approve(address spender, uint256 amount) external returns (bool);
        function balanceOf(address owner) external view returns (uint256);
    }
}

const WINDOW: u64 = 600;
const TICK: u64 = 720;
const PRICE: u64 = 100_000_000;
const UNIT: u128 = 1_000_000;
/// Names of the artifacts.
const POOL: &str = "SecondShieldedPool";
const VENUE: &str = "SecondDarkPool";
/// Of the encoding of a settlement.
const VERSION: u16 = 2;
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
    let payouts: Vec<_> = stage.of(0, stage.claim).collect();
    let paid: u128 = payouts.iter().map(|held| held.note.amount).sum();
    assert!(paid > 0);
    let wanted =
        Wanted { asset: element(stage.claim), amount: payouts[0].note.amount, outputs: vec![] };
    let plan = stage.wallets[0].spend(&stage.trees, &wanted, stage.now(), WINDOW).unwrap();
    let recipient = Address::repeat_byte(0xee);
    let gas = stage.spend(&plan, recipient).await;
    println!("exit of one payout: {gas} gas");
    assert_eq!(stage.balance(stage.claim, recipient).await, payouts[0].note.amount);
    // With change, which waits for its absorption like a deposit.
    let part = payouts[1].note.amount / 3;
    let wanted = Wanted { asset: element(stage.claim), amount: part, outputs: vec![] };
    let these = [payouts[1].nullifier];
    let plan = stage.wallets[0].spend_these(&stage.trees, &wanted, &these).unwrap();
    let gas = stage.spend(&plan, recipient).await;
    println!("exit with change: {gas} gas");
    assert_eq!(
        stage.wallets[0].balance(element(stage.claim)),
        paid - payouts[0].note.amount - part
    );

    // A standing line: announced, waited for, gone. A round that closes after the announcement cannot have it.
    let line = stage.locked(0)[0];
    let announcement = stage.wallets[0].announce(&stage.trees, &[line.nullifier]).unwrap();
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
    assert_eq!(stage.balance(stage.cash, recipient).await, line.note.amount);
    assert!(stage.locked(0).iter().all(|held| held.nullifier != line.nullifier));

    // And whoever begins again from the seed is where the wallet is.
    for maker in 0..2 {
        let mut again = Wallet::new(keys(maker), stage.assets(), 0);
        for (at, event) in &stage.events {
            again.scan(*at, event).unwrap();
        }
        assert_eq!(again.to_bytes(), stage.wallets[maker].to_bytes());
        assert!(again.unread().is_empty());
    }
}

struct Stage {
    system: System,
    pool: Address,
    venue: Address,
    cash: Address,
    claim: Address,
    deployment: Deployment,
    trees: Trees,
    wallets: [Wallet; 2],
    events: Vec<(Cursor, Event)>,
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
        let mint = |token, to, amount| Mint { token, to: wallet(to).address(), amount };
        let mints = vec![
            mint(Minted::Cash, 5, 1 << 60),
            mint(Minted::Cash, 6, 1 << 60),
            mint(Minted::Claim, ISSUER, 1 << 60),
        ];
        let config = DeployConfig { mints, ..config(Shown::Sealed) };
        let mut system = System::deploy_with(config).await;
        system.register().await;
        let at = system.at;
        let nobody = Address::ZERO;
        let holder = Holder {
            venue: Fr::from(0),
            issuer: element(wallet(ISSUER).address()),
            collateral_asset: element(at.cash),
            consideration_asset: element(at.claim),
        };
        let deal = Deal {
            issuer: holder.issuer,
            instrument: Fr::from(1),
            consideration_asset: element(at.claim),
            venue: Fr::from(0),
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
            mandate: Fr::from(0),
            gap_band: 1,
            salt: Fr::from(8),
        };
        let mut stage = Self {
            system,
            pool: nobody,
            venue: nobody,
            cash: at.cash,
            claim: at.claim,
            deployment: Deployment { chain_id: 31_337, pool: [0; 20] },
            trees: Trees::default(),
            wallets: [0, 1].map(|at| Wallet::new(keys(at), Vec::new(), 0)),
            events: Vec::new(),
            mandate,
            issuers: Issuers::open(holder, Fr::from(4)),
            request,
            id: B256::ZERO,
            opened: 0,
            round: 0,
            terms: Vec::new(),
        };
        stage.wallets = [0, 1].map(|at| Wallet::new(keys(at), stage.assets(), 0));
        let verifiers = Pool::Verifiers {
            absorb: stage.deploy("AbsorbVerifier", &[]).await,
            absorbMany: nobody,
            spend: stage.deploy("SpendVerifier", &[]).await,
            account: stage.deploy("AccountVerifier", &[]).await,
            clear: stage.deploy("ClearVerifier", &[]).await,
        };
        let (listed, caps) = (vec![at.cash, at.claim], vec![U256::from(1_u128 << 100); 2]);
        let arguments = (listed, caps, U256::from(WINDOW), verifiers).abi_encode_params();
        stage.pool = stage.deploy(POOL, &arguments).await;
        stage.deployment.pool = stage.pool.into();
        let deployed = Venue::Deployment {
            owner: wallet(1).address(),
            issuer: wallet(ISSUER).address(),
            forwarder: at.forwarder,
            workflowId: B256::repeat_byte(0x1d),
            workflowOwner: Address::repeat_byte(0x0a),
            pool: stage.pool,
            statusHash: stage.deploy("StatusHash", &[]).await,
            registry: at.registry,
            guard: at.guard,
            priceFeed: at.price_feed,
            priceAgeMax: U256::from(86_400),
            tick: U256::from(TICK),
            disclosure: 1,
        };
        stage.venue = stage.deploy(VENUE, &deployed.abi_encode()).await;

        let venue = stage.deployment.venue(&stage.venue.into());
        let pool = Pool::new(stage.pool, &stage.system.provider);
        assert_eq!(pool.venueOf(stage.venue).call().await.unwrap(), word(venue));
        stage.mandate.deal.venue = venue;
        stage.issuers.holder.venue = venue;
        stage.request.mandate = stage.mandate.commitment();

        let approvals = [
            (5, stage.cash, stage.pool),
            (6, stage.cash, stage.pool),
            (ISSUER, stage.claim, stage.venue),
        ];
        for (owner, token, spender) in approvals {
            stage.transact(owner, token, &Token::approveCall { spender, amount: U256::MAX }).await;
        }
        let opened = stage.issuers;
        let gas = stage.move_account(Move::Open, 0, opened).await;
        println!("opening an account: {gas} gas");
        let amount = 1_000_000 * UNIT;
        let gas = stage
            .move_account(Move::Fund, amount, Issuers { consideration: amount, ..opened })
            .await;
        println!("funding it: {gas} gas");
        let mandate = word(stage.mandate.commitment());
        stage.transact(ISSUER, stage.venue, &Venue::registerMandateCall { mandate }).await;
        stage
    }

    fn assets(&self) -> Vec<Asset> {
        [self.cash, self.claim].map(|at| Asset { address: element(at), decimals: 6 }).to_vec()
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
            encryptedAmount: word(self.request.commitment()).into(),
            premiumBps: U256::from(CAP_BPS),
            timeout: U256::from(86_400),
        };
        let gas = self.transact(ISSUER, self.venue, &call).await;
        println!("a request: {gas} gas");
        let venue = Venue::new(self.venue, &self.system.provider);
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
        let call = Pool::depositCall {
            asset: self.cash,
            amount: U256::from(amount),
            inner: word(words.inner),
            hint: word(words.hint),
            memo: word(words.memo),
        };
        let owner = 5 + u8::try_from(maker).unwrap();
        self.transact(owner, self.pool, &call).await
    }

    async fn absorb(&mut self) -> u64 {
        let (position, waiting) = self.trees.waiting();
        let count = waiting.len().min(16);
        let mut leaves = waiting[..count].to_vec();
        leaves.resize(16, Fr::from(0));
        let entry = self.trees.entry();
        let path = entry.path(entry.len(), absorb::HEIGHT);
        let (statement, proof) = prove(&provers().absorb, &absorb::Witness { leaves, path });
        let posted = statement.posted();
        let call = Pool::absorbCall {
            position: U256::from(position),
            count: U256::from(count),
            rootAfter: word(statement.root_after),
            digest: U256::from_be_bytes(posted[0]),
            proof: proof.to_words().map(U256::from_be_bytes),
        };
        // Anyone's.
        self.transact(8, self.pool, &call).await
    }

    async fn move_account(&mut self, kind: Move, amount: u128, after: Issuers) -> u64 {
        let of_pool = match kind {
            Move::Open => Kind::Open,
            Move::Fund => Kind::Fund,
            Move::TakeBack => Kind::TakeBack,
            Move::Release => Kind::Release,
            Move::Resalt => Kind::Resalt,
        };
        let data = keccak256(Address::ZERO.abi_encode());
        let context = self.deployment.venue_context(of_pool, &self.venue.into(), 0, &data);
        let venue = Venue::new(self.venue, &self.system.provider);
        let theirs = venue.accountContext(kind as u8, Address::ZERO);
        assert_eq!(theirs.call().await.unwrap(), word(context));
        let (account, salt) = (self.issuers, after.salt);
        let witness = account::Witness { context, kind, amount, account, salt };
        let (statement, proof) = prove(&provers().account, &witness);
        assert_eq!(statement.after, after.commitment());
        let asset = if amount == 0 { Address::ZERO } else { self.claim };
        let call = Venue::moveAccountCall {
            r#move: Pool::Move {
                kind: kind as u8,
                asset,
                amount: U256::from(amount),
                recipient: Address::ZERO,
            },
            proof: proof.to_words().map(U256::from_be_bytes),
            posted: posted(&statement),
        };
        self.issuers = after;
        self.transact(ISSUER, self.venue, &call).await
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
        self.wallets[maker].spend_these(&self.trees, &wanted, &[held.nullifier]).unwrap()
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
        self.transact(8, self.venue, &call).await
    }

    /// What is said to a round with this line in it.
    async fn clear_fails_with(&mut self, maker: usize, line: &Held) -> Bytes {
        let (_, call) = self.settlement(&[(maker, *line)]).await;
        self.fails(8, self.venue, &call).await
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
        let venue_tree = self.trees.venue(venue).cloned();
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
            let tree = if in_venue { &venue_tree } else { self.trees.entry() };
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
        let price = U256::from(PRICE);
        let data = (self.id, round, U256::from(closed_at), price, word(set.root())).abi_encode();
        let data = keccak256(data);
        let context = self.deployment.venue_context(Kind::Clear, &self.venue.into(), index, &data);
        let contract = Venue::new(self.venue, &self.system.provider);
        let theirs =
            contract.context(self.id, round, U256::from(closed_at), price, word(set.root()));
        assert_eq!(theirs.call().await.unwrap(), word(context));
        let witness = clear::Witness {
            round: Round {
                context,
                entry_root: self.trees.entry().root(),
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
        let (statement, proof) = prove(&provers().clear, &witness);
        let posted = posted(&statement);
        let hash = keccak256(statement.posted().as_flattened());
        let digest = contract.settlementDigest(self.id, round, hash).call().await.unwrap();
        let proof = proof.to_words().map(U256::from_be_bytes);
        let encoded = (VERSION, U256::from(1), self.entry_slot(), proof, posted);
        let call = Venue::confidentialFillCall {
            requestId: self.id,
            zkProof: encoded.abi_encode_params().into(),
            teeAttestation: wallet(7).sign_hash(&digest).as_bytes().into(),
        };
        (witness, call)
    }

    /// All leaves entered within a minute, so there is one root.
    fn entry_slot(&self) -> U256 {
        U256::from(1)
    }

    /// The slot of the newest root of the venue's tree: one for every five minutes with a settlement.
    fn venue_slot(&self, spend: &Spend) -> U256 {
        let settled = self.events.iter().filter(|(_, event)| matches!(event, Event::Cleared(_)));
        let named = spend.venue != Fr::from(0);
        U256::from(if named { settled.count() } else { 0 })
    }

    fn exit(&self, plan: &Spend, recipient: Address) -> (Kind, Pool::Exit, Fr) {
        let kind = if plan.announce { Kind::Announce } else { Kind::Spend };
        let deadline = self.now() + 10 * WINDOW;
        let exit = Exit {
            recipient: recipient.into(),
            relayer: [0; 20],
            fee: 0,
            deadline,
            hints: plan.hints(),
            memos: plan.memos(),
        };
        let asset = if plan.asset == element(self.cash) { self.cash } else { self.claim };
        let theirs = Pool::Exit {
            asset,
            amount: U256::from(plan.amount),
            recipient,
            relayer: Address::ZERO,
            fee: U256::ZERO,
            deadline: U256::from(deadline),
            hints: plan.hints().map(word),
            memos: plan.memos().map(word),
        };
        (kind, theirs, self.deployment.exit_context(kind, &exit))
    }

    fn spend_call(&self, plan: &Spend, recipient: Address) -> Pool::spendCall {
        let (_, exit, context) = self.exit(plan, recipient);
        let (statement, proof) = prove(&provers().spend, &spend::Witness::of(plan, context));
        Pool::spendCall {
            exit,
            entrySlot: self.entry_slot(),
            venueSlot: self.venue_slot(plan),
            proof: proof.to_words().map(U256::from_be_bytes),
            posted: posted(&statement),
        }
    }

    /// Sent by a stranger, as a relayer would.
    async fn spend(&mut self, plan: &Spend, recipient: Address) -> u64 {
        let (kind, exit, context) = self.exit(plan, recipient);
        let pool = Pool::new(self.pool, &self.system.provider);
        assert_eq!(pool.exitContext(kind as u8, exit).call().await.unwrap(), word(context));
        let call = self.spend_call(plan, recipient);
        self.transact(8, self.pool, &call).await
    }

    async fn spend_fails(&mut self, plan: &Spend) -> Bytes {
        let call = self.spend_call(plan, Address::repeat_byte(0xee));
        self.fails(8, self.pool, &call).await
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
        let balance =
            Token::new(token, &self.system.provider).balanceOf(owner).call().await.unwrap();
        u128::try_from(balance).unwrap()
    }

    async fn deploy(&mut self, name: &str, arguments: &[u8]) -> Address {
        let artifacts =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/artifacts");
        let text = std::fs::read_to_string(artifacts.join(format!("{name}.json"))).unwrap();
        let artifact: serde_json::Value = serde_json::from_str(&text).unwrap();
        let code: Bytes = artifact["bytecode"].as_str().unwrap().parse().unwrap();
        let input = [&code[..], arguments].concat().into();
        let call = Call { to: TxKind::Create, value: U256::ZERO, input, gas_limit: 16_000_000 };
        let receipt = self.include(1, call).await;
        assert!(receipt.status(), "{name} deploys");
        println!("deployment of {name}: {} gas", receipt.gas_used);
        receipt.contract_address.unwrap()
    }

    /// Gas of a transaction that succeeds; its events reach everyone.
    async fn transact(&mut self, from: u8, to: Address, call: &impl SolCall) -> u64 {
        let receipt = self.include(from, Call::new(to, call.abi_encode(), 8_000_000)).await;
        assert!(receipt.status(), "{} of {to}", core::any::type_name_of_val(call));
        for (log, event) in (0..).zip(events(&receipt, self.pool)) {
            let at = Cursor { block: receipt.block_number.unwrap(), log };
            self.trees.apply(&event).unwrap();
            for wallet in &mut self.wallets {
                wallet.scan(at, &event).unwrap();
            }
            self.events.push((at, event));
        }
        receipt.gas_used
    }

    async fn include(&mut self, from: u8, call: Call) -> TransactionReceipt {
        let sender = wallet(from);
        let nonce = self.system.provider.get_transaction_count(sender.address()).await.unwrap();
        let raw = sender.sign(nonce, Fees::default(), call);
        send(&self.system.provider, &raw.bytes).await.unwrap()
    }
}

/// The pool's logs, as wallets take them.
fn events(receipt: &TransactionReceipt, pool: Address) -> Vec<Event> {
    let logs = receipt.logs().iter().filter(|log| log.address() == pool);
    let read = |log: &evm::alloy::rpc::types::Log| {
        let log = &log.inner;
        if let Ok(it) = Pool::Queued::decode_log(log) {
            let (leaf, hint, memo) = (scalar(it.leaf), scalar(it.hint), scalar(it.memo));
            return Some(Event::Queued { position: it.position.to(), leaf, hint, memo });
        }
        if let Ok(it) = Pool::Absorbed::decode_log(log) {
            let (position, count, index) = (it.position.to(), it.count.to(), it.index.to());
            return Some(Event::Absorbed { position, count, index, root: scalar(it.root) });
        }
        if let Ok(it) = Pool::Spent::decode_log(log) {
            return Some(Event::Spent { nullifiers: it.nullifiers.map(scalar) });
        }
        if let Ok(it) = Pool::Announced::decode_log(log) {
            return Some(Event::Announced { nullifier: scalar(it.nullifier), time: it.time.to() });
        }
        let it = Pool::Cleared::decode_log(log).ok()?;
        let posted: Vec<_> = it.posted.iter().map(|word| scalar(*word)).collect();
        Some(Event::Cleared(Cleared::from_posted(&posted).unwrap()))
    };
    logs.filter_map(read).collect()
}

fn prove<W: Provable>(prover: &Prover<W>, witness: &W) -> (W::Statement, Proof) {
    prover.prove(witness, [1; 32]).unwrap_or_else(|error| panic!("{error:?}"))
}

fn provers() -> &'static Provers {
    static PROVERS: OnceLock<Provers> = OnceLock::new();
    PROVERS.get_or_init(|| Provers::new(development_keys))
}

fn keys(maker: usize) -> Keys {
    Keys::new(&[u8::try_from(maker).unwrap() + 1; 32]).unwrap()
}

fn posted(statement: &impl Published) -> Vec<U256> {
    statement.posted().into_iter().map(U256::from_be_bytes).collect()
}

fn element(address: Address) -> Fr {
    field::from_address(&address.into())
}

fn word(value: Fr) -> U256 {
    U256::from_be_bytes(field::to_bytes(&value))
}

fn scalar(word: U256) -> Fr {
    field::from_bytes(&word.to_be_bytes()).unwrap()
}
