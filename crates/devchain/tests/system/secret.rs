//! The second pool as its parties use it: makers and an issuer made by `client`, an enclave's program that knows what
//! sealed messages and the chain tell it, the real contracts and the real verifiers. Nothing is made by hand but the
//! blocks.

use std::collections::BTreeMap;

use attestation::{KeyBundle, Measurement};
use circuits::prove::Proof;
use circuits::second::prove::{Provable, Prover, Published};
use circuits::second::testing::Provers;
use circuits::second::{absorb, account};
use client::second::{AccountMove, Issuer, Line, Maker, Mandated, Market};
use client::{Custodian, Secrets};
use enclave::second::Program;
use evm::alloy::primitives::TxKind;
use evm::alloy::rpc::types::Filter;
use evm::alloy::sol;
use evm::alloy::sol_types::{SolCall, SolEvent as _, SolValue as _};
use platform::{Platform, Refused};
use pool::second::wallet::{Cleared, Cursor, Event, Trees};
use pool::{Fr, field};
use primitives::{
    Amount, Bytes32, Duration, Premium, Price, Ratio, RequestId, decode, encode, sha256,
};
use protocol::detect::{Observation, Policy, Reserve};
use protocol::event::Ready;
use protocol::mission::Schedule;
use protocol::request::Escalation;
use protocol::second::{Block, Command, Configuration, Fact};
use protocol::wire::{Answer, Reply};

use super::*;

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
        struct Entry {
            uint48 head;
            uint48 tail;
            uint40 nextIndex;
            uint8 cursor;
            uint40 period;
        }
        struct Move {
            uint8 kind;
            address asset;
            uint256 amount;
            address recipient;
        }

        event Queued(uint256 position, uint256 leaf, uint256 hint, uint256 memo);
        event Absorbed(uint256 position, uint256 count, uint256 index, uint256 root);
        event Announced(uint256 nullifier, uint256 time);
        event AccountMoved(
            uint256 indexed venue,
            uint8 kind,
            address asset,
            uint256 amount,
            address recipient,
            uint256 before,
            uint256 after_
        );
        event Cleared(uint256 indexed venue, uint256[] posted);

        function deposit(address asset, uint256 amount, uint256 inner, uint256 hint, uint256 memo)
            external
            returns (uint256);
        function absorb(
            uint256 position, uint256 count, uint256 rootAfter, uint256 digest, uint256[8] proof
        ) external;
        function entry() external view returns (Entry memory);
        function entryRoot(uint256 slot) external view returns (uint256);
    }
    #[sol(rpc)]
    interface Venue {
        struct Deployed {
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

        event MandateRegistered(uint256 mandate);
        event CollateralRequested(
            bytes32 indexed requestId,
            address indexed issuer,
            bytes32 encryptedAmount,
            uint256 premiumBps,
            uint256 opened,
            uint256 expires
        );
        event Settled(
            bytes32 indexed requestId,
            uint64 indexed round,
            uint256 closedAt,
            uint256 orderRoot,
            uint80 priceRound
        );

        error EnclaveNotActive(address signer);

        function registerMandate(uint256 mandate) external;
        function registerReserveWallet(address wallet) external;
        function moveAccount(Pool.Move move, uint256[8] proof, uint256[] posted) external;
        function requestCollateral(bytes32 encryptedAmount, uint256 premiumBps, uint256 timeout)
            external
            returns (bytes32);
        function confidentialFill(bytes32 requestId, bytes zkProof, bytes teeAttestation) external;
        function openRequest(bytes32 requestId, uint8 status, uint256 salt) external;
        function getRequestStatus(bytes32 requestId) external view returns (uint8);
    }
    #[sol(rpc)]
    interface Coin {
        function approve(address spender, uint256 amount) external returns (bool);
        function balanceOf(address owner) external view returns (uint256);
    }
}

const WINDOW: u64 = 600;
const TICK: u64 = 720;
const ISSUER: u8 = 2;
const N_NODES: usize = 4;
/// Accounts of the makers.
const MAKERS: [u8; 2] = [5, 6];

#[tokio::test]
async fn two_enclaves_one_after_the_other_clear_what_makers_seal_to_them() {
    let mut stage = Stage::set().await;
    let mut first = stage.enclave(1);
    stage.register(&first, 2).await;

    // Both makers lock two lines each, and one below the slot minimum.
    for (maker, capacity) in [(0, 900), (1, 800), (0, 300), (1, 301), (1, 2)] {
        stage.deposit(maker, capacity).await;
    }
    stage.absorb().await;
    stage.show(&mut first).await;
    stage.brief(&mut first);
    let sent = stage.order_all(&mut first);
    stage.ask(&mut first, 1).await;

    // A round, which a restarted enclave proves to the same bytes.
    let ready = stage.clear(&mut first).await;
    let mut again = stage.enclave(1);
    again.restore(&first);
    let repeated = again.ask(&stage.clear_command(1));
    let Reply::Cleared { ready: Some(repeated), .. } = repeated else { panic!("it was proved") };
    assert_eq!(repeated, ready);
    let before = stage.holdings();
    let fills = stage.settle(&ready).await;
    assert_eq!(fills.iter().sum::<u128>(), tokens(2_200).units());
    let paid = stage.received(&before);
    for (maker, fill) in fills.iter().enumerate() {
        // At par and 30 basis points, each payout a whole number of units.
        assert_eq!(paid[maker], fill + fill * 3 / 1_000, "maker {maker}");
    }

    // Whoever sends the envelopes of spent notes again sees what it saw, and nothing is filled twice.
    for (envelope, receipt) in &sent {
        assert_eq!(&first.order(envelope), receipt);
    }
    stage.show(&mut first).await;
    assert_eq!(stage.open().await, 2, "FILLED, opened with what the issuer alone knows");

    // A second request, in two rounds: the first enclave's, over what the first request left.
    stage.ask(&mut first, 2).await;
    let ready = stage.clear(&mut first).await;
    let fills = stage.settle(&ready).await;
    assert_eq!(fills.iter().sum::<u128>(), tokens(101).units(), "2,301 less 2,200");

    // Another enclave with another key takes over in the middle of it.
    let mut second = stage.enclave(2);
    stage.register(&second, 3).await;
    stage.deposit(0, 5_000).await;
    stage.absorb().await;
    stage.show(&mut second).await;
    stage.show(&mut first).await;
    stage.brief(&mut second);
    stage.order_all(&mut second);
    let ready = stage.clear(&mut second).await;
    let fills = stage.settle(&ready).await;
    assert_eq!(fills, [tokens(2_099).units(), 0]);
    stage.show(&mut second).await;
    assert_eq!(stage.open().await, 2);

    // A new mandate and a new salt: the first enclave is shut out, the second is briefed again.
    let premium_max = Premium::new(40).unwrap();
    let mandate = stage.issuer.renew(&Mandated { premium_max, ..mandated() }).unwrap();
    let mandate = U256::from_be_bytes(mandate);
    stage.transact(ISSUER, stage.venue, &Venue::registerMandateCall { mandate }).await;
    let resalt = stage.issuer.resalt().unwrap();
    stage.act(&resalt).await;
    // Collateral leaves to a reserve wallet, and an enclave that knows the salt follows.
    let wallet = Address::repeat_byte(0xee);
    stage.transact(1, stage.venue, &Venue::registerReserveWalletCall { wallet }).await;
    stage.show(&mut second).await;
    stage.brief(&mut second);
    let amount = tokens(1_000);
    let release = stage.issuer.release(amount, primitives::Address(wallet.into())).unwrap();
    stage.act(&release).await;
    assert_eq!(stage.balance(stage.cash, wallet).await, amount.units());
    stage.show(&mut second).await;
    stage.show(&mut first).await;
    let refused = first.refusal(&stage.observe(&first, 3));
    assert!(refused.contains("has to brief again"), "{refused}");
    stage.ask(&mut second, 3).await;
    let ready = stage.clear(&mut second).await;
    let fills = stage.settle(&ready).await;
    assert_eq!(fills, [tokens(2_200).units(), 0], "of 2,901 that are left of 5,000");

    // An enclave that nobody registered proves as well, and settles nothing.
    let mut third = stage.enclave(3);
    stage.show(&mut third).await;
    stage.brief(&mut third);
    stage.order_all(&mut third);
    let ready = stage.clear(&mut third).await;
    let error = stage.refused(&ready).await;
    assert!(error.starts_with(&Venue::EnclaveNotActive::SELECTOR), "{error}");

    // Whoever begins again from seed and logs is where each maker is, and the issuer where it is.
    for maker in 0..MAKERS.len() {
        let mut again = stage.maker(maker);
        for (at, event) in &stage.events {
            again.scan(*at, event).unwrap();
        }
        assert_eq!(again.wallet().to_bytes(), stage.makers[maker].wallet().to_bytes());
        assert!(again.wallet().unread().is_empty());
    }
}

/// An enclave's program, with what its parent keeps of it.
struct Enclave {
    program: Program<Memory>,
    entries: Vec<Vec<u8>>,
    bundle: KeyBundle,
}

impl Enclave {
    fn ask(&mut self, command: &Command) -> Reply {
        let answer: Answer = decode(&self.program.handle(&encode(command))).unwrap();
        self.entries.extend(answer.sealed);
        answer.reply
    }

    fn done(&mut self, command: &Command) {
        let reply = self.ask(command);
        if let Reply::Refused(reason) = &reply {
            panic!("{reason}");
        }
        assert!(matches!(reply, Reply::Done));
    }

    fn refusal(&mut self, command: &Command) -> String {
        let Reply::Refused(reason) = self.ask(command) else { panic!("it was not refused") };
        reason
    }

    fn order(&mut self, envelope: &[u8]) -> Vec<u8> {
        let reply = self.ask(&Command::Order(envelope.to_vec()));
        let Reply::Receipt(receipt) = reply else { panic!("it is an order") };
        receipt
    }

    fn restore(&mut self, other: &Self) {
        self.done(&Command::Restore(other.entries.clone()));
    }

    fn signer(&self) -> primitives::Address {
        primitives::Address(self.bundle.settlement_signer)
    }
}

/// A platform in memory.
struct Memory {
    configuration: Vec<u8>,
    seed: u8,
}

impl Platform for Memory {
    fn register(&mut self, _: u8) -> Result<[u8; 48], Refused> {
        Ok(Measurement::of(&self.configuration).0)
    }

    fn random(&mut self, _: &str) -> Result<[u8; 32], Refused> {
        Ok([self.seed; 32])
    }

    fn sealing_key(&mut self) -> Result<[u8; 32], Refused> {
        Ok([9; 32])
    }

    fn attest(&mut self, user_data: &[u8], _: Option<&[u8]>) -> Result<Vec<u8>, Refused> {
        Ok(user_data.to_vec())
    }
}

struct Stage {
    system: System,
    provers: Provers,
    pool: Address,
    venue: Address,
    cash: Address,
    claim: Address,
    trees: Trees,
    makers: Vec<Maker>,
    issuer: Issuer,
    /// Of the pool, in order.
    events: Vec<(Cursor, Event)>,
    /// Everything since the pool was deployed, by block.
    facts: Vec<(u64, Fact)>,
    /// What each enclave, by its signer, was shown.
    shown: BTreeMap<[u8; 20], u64>,
    /// The newest request, and when it opened.
    request: (RequestId, u64),
    rounds: u32,
    closed_at: u64,
    entry_slot: u8,
}

impl Stage {
    async fn set() -> Self {
        let mint = |token, to, amount| Mint { token, to: wallet(to).address(), amount };
        let mints = vec![
            mint(Token::Cash, MAKERS[0], 1 << 60),
            mint(Token::Cash, MAKERS[1], 1 << 60),
            mint(Token::Claim, ISSUER, 1 << 60),
        ];
        let config = DeployConfig { mints, ..config(Disclosure::Sealed) };
        let mut system = System::deploy_with(config).await;
        system.relayer_nonce =
            system.provider.get_transaction_count(wallet(8).address()).await.unwrap();
        let nobody = Address::ZERO;
        let (cash, claim) = (system.at.cash, system.at.claim);
        let provers = Provers::new(development_keys);
        let market = market(nobody, nobody, &system);
        let mut stage = Self {
            provers,
            pool: nobody,
            venue: nobody,
            cash,
            claim,
            trees: Trees::default(),
            makers: Vec::new(),
            issuer: Issuer::new(&mandated(), market, secrets("issuer")).unwrap(),
            events: Vec::new(),
            facts: Vec::new(),
            shown: BTreeMap::new(),
            request: (RequestId([0; 32]), 0),
            rounds: 0,
            closed_at: 0,
            entry_slot: 0,
            system,
        };
        let at = stage.system.at;
        let verifiers = Pool::Verifiers {
            absorb: stage.deploy("AbsorbVerifier", &[]).await,
            absorbMany: nobody,
            spend: stage.deploy("SpendVerifier", &[]).await,
            account: stage.deploy("AccountVerifier", &[]).await,
            clear: stage.deploy("ClearVerifier", &[]).await,
        };
        let caps = vec![U256::from(1_u128 << 100); 2];
        let arguments = (vec![cash, claim], caps, U256::from(WINDOW), verifiers);
        stage.pool = stage.deploy("SecondShieldedPool", &arguments.abi_encode_params()).await;
        let deployed = Venue::Deployed {
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
            priceAgeMax: U256::from(1 << 20),
            tick: U256::from(TICK),
            disclosure: 1,
        };
        stage.venue = stage.deploy("SecondDarkPool", &deployed.abi_encode()).await;
        let issuer = Issuer::new(&mandated(), stage.market(), secrets("issuer")).unwrap();
        stage.issuer = issuer;
        stage.makers = (0..MAKERS.len()).map(|maker| stage.maker(maker)).collect();

        let (pool, venue) = (stage.pool, stage.venue);
        let mut approvals = MAKERS.map(|maker| (maker, cash, pool)).to_vec();
        approvals.push((ISSUER, claim, venue));
        for (owner, token, spender) in approvals {
            stage.transact(owner, token, &Coin::approveCall { spender, amount: U256::MAX }).await;
        }
        let opened = stage.issuer.open().unwrap();
        stage.act(&opened).await;
        let funded = stage.issuer.fund(tokens(100_000)).unwrap();
        stage.act(&funded).await;
        let mandate = U256::from_be_bytes(stage.issuer.mandate());
        stage.transact(ISSUER, venue, &Venue::registerMandateCall { mandate }).await;
        stage
    }

    fn market(&self) -> Market {
        market(self.pool, self.venue, &self.system)
    }

    /// A maker with nothing but its seed and the lines it remembers.
    fn maker(&self, maker: usize) -> Maker {
        let seed = [u8::try_from(maker).unwrap() + 1; 32];
        Maker::new(&seed, self.market(), 0).unwrap()
    }

    fn configuration(&self) -> Configuration {
        let at = &self.system.at;
        let address = |address: Address| primitives::Address(address.into());
        Configuration {
            chain_id: CHAIN_ID,
            dark_pool: address(self.venue),
            shielded_pool: address(self.pool),
            registry: address(at.registry),
            issuer: address(wallet(ISSUER).address()),
            collateral: address(self.cash),
            consideration: address(self.claim),
            disclosure: Disclosure::Sealed,
            policy: Policy {
                threshold: Ratio(1_020_000),
                target: Ratio(1_022_000),
                quorum: 3,
                age_max: Duration(600),
                readings: 1,
            },
            premium: Premium::new(50).unwrap(),
            escalation: Escalation {
                ladder: vec![],
                premium_cap: Premium::new(200).unwrap(),
                attempts_max: 1,
            },
            schedule: Schedule {
                call_every: 3,
                epoch_ticks: 12,
                round_ticks: vec![],
                opening_delay: 0,
            },
            aggregate_min: Amount::ZERO,
            share_max: Premium::new(10_000).unwrap(),
            custodian: custodian().public_key(),
            don: vec![],
            proving_key: Bytes32(Circuit::Clear.pinned().keys_sha256),
            not_after: Timestamp(1 << 39),
        }
    }

    /// An enclave, configured and with its proving key.
    fn enclave(&self, seed: u8) -> Enclave {
        let configuration = encode(&self.configuration());
        let memory = Memory { configuration: configuration.clone(), seed };
        let mut program = Program::new(memory);
        let mut ask = |command: Command| -> Reply {
            decode::<Answer>(&program.handle(&encode(&command))).unwrap().reply
        };
        assert!(matches!(ask(Command::Configure(configuration)), Reply::Done));
        let key = self.provers.clear.keys().to_bytes();
        assert!(matches!(ask(Command::ProvingKey(key)), Reply::Done));
        let Reply::Attested { key_bundle, .. } = ask(Command::Attest { nonce: vec![1] }) else {
            panic!("it is configured")
        };
        let bundle = KeyBundle::parse(&key_bundle).unwrap();
        Enclave { program, entries: Vec::new(), bundle }
    }

    async fn register(&mut self, enclave: &Enclave, epoch: u64) {
        let registry = self.system.at.registry;
        let register = EnclaveRegistry::registerCall {
            signer: Address::from(enclave.bundle.settlement_signer),
            workloadId: WORKLOAD,
            keyBundleHash: B256::repeat_byte(1),
            expiry: 1 << 39,
            trust: 1,
        };
        let report = self.system.report(registry, register.abi_encode().into(), epoch, 2);
        self.system.relayer_nonce =
            self.system.provider.get_transaction_count(wallet(8).address()).await.unwrap();
        let receipt = self.system.send(self.system.at.forwarder, report.calldata(registry)).await;
        assert!(self.system.outcome(&receipt).unwrap().delivered);
    }

    // Parties

    async fn deposit(&mut self, maker: usize, capacity: u64) {
        let line = Line {
            capacity: tokens(capacity),
            premium_min: Premium::new(30).unwrap(),
            fill_min: Amount::ZERO,
            gap_band_max: 9,
        };
        let deposit = self.makers[maker].offer(&line).unwrap();
        let call = Pool::depositCall {
            asset: Address::from(deposit.asset.0),
            amount: U256::from(deposit.amount.units()),
            inner: U256::from_be_bytes(deposit.inner),
            hint: U256::from_be_bytes(deposit.hint),
            memo: U256::from_be_bytes(deposit.memo),
        };
        self.transact(MAKERS[maker], self.pool, &call).await;
    }

    /// Everything that waits, in a minute of its own.
    async fn absorb(&mut self) {
        self.wait_until(self.now() + 60);
        let (position, waiting) = self.trees.waiting();
        let count = waiting.len().min(16);
        let mut leaves = waiting[..count].to_vec();
        leaves.resize(16, Fr::from(0_u8));
        let entry = self.trees.entry();
        let path = entry.path(entry.len(), absorb::HEIGHT);
        let (statement, proof) = prove(&self.provers.absorb, &absorb::Witness { leaves, path });
        let call = Pool::absorbCall {
            position: U256::from(position),
            count: U256::from(count),
            rootAfter: word(statement.root_after),
            digest: U256::from_be_bytes(statement.posted()[0]),
            proof: proof.to_words().map(U256::from_be_bytes),
        };
        self.transact(8, self.pool, &call).await;
    }

    async fn act(&mut self, planned: &AccountMove) {
        let AccountMove { plan, asset, recipient } = planned;
        let (statement, proof) = prove(&self.provers.account, &account::Witness::of(plan));
        let call = Venue::moveAccountCall {
            r#move: Pool::Move {
                kind: plan.kind as u8,
                asset: Address::from(asset.0),
                amount: U256::from(plan.amount),
                recipient: Address::from(recipient.0),
            },
            proof: proof.to_words().map(U256::from_be_bytes),
            posted: statement.posted().into_iter().map(U256::from_be_bytes).collect(),
        };
        self.transact(ISSUER, self.venue, &call).await;
        assert_eq!(self.issuer.account(), Some(&plan.after), "followed from the log");
    }

    fn brief(&self, enclave: &mut Enclave) {
        let sign = |digest: &[u8; 32]| wallet(ISSUER).sign_hash(&(*digest).into()).as_bytes();
        let sealed = self.issuer.brief(&enclave.bundle.hpke_public_key, sign).unwrap();
        enclave.done(&Command::Brief(sealed));
    }

    /// Every line of every maker's, sealed to this enclave; each envelope with its receipt, which the maker checks.
    fn order_all(&self, enclave: &mut Enclave) -> Vec<(Vec<u8>, Vec<u8>)> {
        let key = enclave.bundle.hpke_public_key;
        let mut sent = Vec::new();
        for maker in &self.makers {
            for held in maker.lines() {
                let envelope = maker.envelope(&key, held).unwrap();
                let receipt = enclave.order(&envelope);
                let read = maker.receipt(&receipt, &envelope, enclave.signer()).unwrap();
                assert_eq!(read.number, sent.len() as u64);
                sent.push((envelope, receipt));
            }
        }
        sent
    }

    /// 2,200 are missing of 100,000, whatever recovery has brought.
    fn observe(&self, enclave: &Enclave, tick: u32) -> Command {
        let position = Amount::new(self.issuer.account().unwrap().position).unwrap();
        let now = Timestamp(self.now());
        let observation = Observation {
            tick,
            observed_at: now,
            liabilities: tokens(100_000),
            reserves: vec![Reserve {
                id: 1,
                amount: tokens(100_000).saturating_sub(position),
                haircut: Premium::default(),
            }],
        };
        let (custodian, key) = (custodian(), enclave.bundle.hpke_public_key);
        let nodes = 0..u32::try_from(N_NODES).unwrap();
        let statements = nodes.map(|node| custodian.statement(&observation, node, &key).ok());
        Command::Observe { tick, now, statements: statements.collect() }
    }

    /// A tick that finds something missing; the issuer asks for it.
    async fn ask(&mut self, enclave: &mut Enclave, tick: u32) {
        let Reply::Observed { observed, .. } = enclave.ask(&self.observe(enclave, tick)) else {
            panic!("it was judged")
        };
        assert!(self.issuer.read_tick(tick, &observed.notice).is_some());
        let call = Venue::requestCollateralCall {
            encryptedAmount: observed.deficit.0.into(),
            premiumBps: U256::from(50),
            timeout: U256::from(3 * TICK),
        };
        self.transact(ISSUER, self.venue, &call).await;
        self.show(enclave).await;
        assert_eq!(self.issuer.request().unwrap().requested, tokens(2_200).units());
    }

    // Rounds

    fn clear_command(&self, round: u32) -> Command {
        Command::Clear {
            request: self.request.0,
            round,
            closed_at: Timestamp(self.closed_at),
            price: Price(primitives::PRICE_ONE),
            price_round: 1,
            entry_slot: self.entry_slot,
        }
    }

    /// The next closing, the chain up to ten seconds after it, and what the enclave makes of the round.
    async fn clear(&mut self, enclave: &mut Enclave) -> Ready {
        let opened = self.request.1;
        self.closed_at = opened + ((self.now() - opened) / TICK + 1) * TICK;
        let refused = enclave.refusal(&self.clear_command(self.rounds + 1));
        assert!(refused.contains("show a block after the closing"), "{refused}");
        self.wait_until(self.closed_at + 10);
        self.system.chain.request("evm_mine", serde_json::json!([])).unwrap();
        self.show(enclave).await;
        let entry = Pool::new(self.pool, &self.system.provider).entry().call().await.unwrap();
        self.entry_slot = entry.cursor;
        let reply = enclave.ask(&self.clear_command(self.rounds + 1));
        let Reply::Cleared { ready: Some(ready), constraints, .. } = reply else {
            panic!("it is proved: {}", matches!(reply, Reply::Cleared { .. }))
        };
        assert_eq!(constraints, self.provers.clear.n_constraints() as u64);
        ready
    }

    fn fill(ready: &Ready) -> Venue::confidentialFillCall {
        Venue::confidentialFillCall {
            requestId: ready.request.0.into(),
            zkProof: ready.zk_proof.clone().into(),
            teeAttestation: ready.tee_attestation.clone().into(),
        }
    }

    /// Settles, by anyone, and tells what each maker was filled for.
    async fn settle(&mut self, ready: &Ready) -> Vec<u128> {
        let before = self.makers.iter().map(|maker| balance(maker, self.cash)).collect::<Vec<_>>();
        self.transact(8, self.venue, &Self::fill(ready)).await;
        let (_, Event::Cleared(cleared)) = self.events.last().unwrap() else {
            panic!("it was settled")
        };
        assert_eq!(cleared.slots.len(), protocol::second::SLOTS);
        let filled = self.makers.iter().zip(before);
        filled.map(|(maker, before)| before - balance(maker, self.cash)).collect()
    }

    async fn refused(&self, ready: &Ready) -> Bytes {
        let request = alloy::rpc::types::TransactionRequest::default()
            .from(wallet(8).address())
            .to(self.venue)
            .input(Bytes::from(Self::fill(ready).abi_encode()).into());
        let error = self.system.provider.call(request).await.expect_err("it is refused");
        error.as_error_resp().unwrap().as_revert_data().unwrap()
    }

    /// Once its time is over, the request's status is opened, by the issuer.
    async fn open(&mut self) -> u8 {
        self.wait_until(self.request.1 + 3 * TICK);
        let (id, status, salt) = self.issuer.opening().unwrap();
        assert_eq!(id, self.request.0);
        let call = Venue::openRequestCall {
            requestId: id.0.into(),
            status,
            salt: U256::from_be_bytes(salt),
        };
        self.transact(ISSUER, self.venue, &call).await;
        let venue = Venue::new(self.venue, &self.system.provider);
        venue.getRequestStatus(id.0.into()).call().await.unwrap()
    }

    /// What makers hold of the consideration.
    fn holdings(&self) -> Vec<u128> {
        self.makers.iter().map(|maker| balance(maker, self.claim)).collect()
    }

    fn received(&self, before: &[u128]) -> Vec<u128> {
        self.holdings().iter().zip(before).map(|(now, before)| now - before).collect()
    }

    async fn balance(&self, token: Address, owner: Address) -> u128 {
        let coin = Coin::new(token, &self.system.provider);
        u128::try_from(coin.balanceOf(owner).call().await.unwrap()).unwrap()
    }

    // The chain

    fn now(&self) -> u64 {
        self.system.chain.timestamp()
    }

    fn wait_until(&self, time: u64) {
        self.system.chain.set_next_timestamp(time.max(self.now())).unwrap();
    }

    /// Shows an enclave every fact it was not shown, up to the newest block.
    async fn show(&mut self, enclave: &mut Enclave) {
        let block = self.system.provider.get_block_by_number(Default::default()).await.unwrap();
        let header = block.unwrap().header;
        let shown = self.shown.entry(enclave.bundle.settlement_signer).or_default();
        if *shown == header.number {
            return;
        }
        let facts = self.facts.iter().filter(|(block, _)| block > shown);
        let facts = facts.map(|(_, fact)| fact.clone()).collect();
        *shown = header.number;
        let block = Block { number: header.number, time: Timestamp(header.timestamp) };
        enclave.done(&Command::Inform { block, facts });
    }

    async fn deploy(&mut self, name: &str, arguments: &[u8]) -> Address {
        let artifacts =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/artifacts");
        let text = std::fs::read_to_string(artifacts.join(format!("{name}.json"))).unwrap();
        let artifact: serde_json::Value = serde_json::from_str(&text).unwrap();
        let code: Bytes = artifact["bytecode"].as_str().unwrap().parse().unwrap();
        let input = [&code[..], arguments].concat().into();
        let call = Call { to: TxKind::Create, value: U256::ZERO, input, gas_limit: 16_000_000 };
        let receipt = self.send(1, call).await;
        assert!(receipt.status(), "{name} deploys");
        receipt.contract_address.unwrap()
    }

    async fn send(&self, from: u8, call: Call) -> TransactionReceipt {
        let sender = wallet(from);
        let nonce = self.system.provider.get_transaction_count(sender.address()).await.unwrap();
        send(&self.system.provider, &sender.sign(nonce, Fees::default(), call).bytes).await.unwrap()
    }

    /// A transaction that succeeds; its logs reach everyone but enclaves.
    async fn transact(&mut self, from: u8, to: Address, call: &impl SolCall) {
        let receipt = self.send(from, Call::new(to, call.abi_encode(), 8_000_000)).await;
        assert!(receipt.status(), "{} of {to}", core::any::type_name_of_val(call));
        let block = receipt.block_number.unwrap();
        let filter = Filter::new().from_block(block).to_block(block);
        let logs = self.system.provider.get_logs(&filter).await.unwrap();
        let mut settled = None;
        for (at, log) in (0..).zip(&logs) {
            let of = log.address();
            let log = &log.inner;
            if of == self.venue {
                if let Ok(it) = Venue::MandateRegistered::decode_log(log) {
                    self.fact(block, Fact::MandateRegistered { mandate: hash(it.mandate) });
                } else if let Ok(it) = Venue::CollateralRequested::decode_log(log) {
                    self.request = (RequestId(it.requestId.0), it.opened.to());
                    self.rounds = 0;
                    let fact = Fact::RequestOpened {
                        id: RequestId(it.requestId.0),
                        commitment: CommitmentHash(it.encryptedAmount.0),
                        premium: Premium::new(it.premiumBps.to()).unwrap(),
                        opened: Timestamp(it.opened.to()),
                        expires: Timestamp(it.expires.to()),
                    };
                    self.fact(block, fact);
                } else if let Ok(it) = Venue::Settled::decode_log(log) {
                    settled = Some((RequestId(it.requestId.0), u32::try_from(it.round).unwrap()));
                }
            } else if of == self.pool {
                self.pool_log(block, at, log, settled);
            }
        }
    }

    fn pool_log(
        &mut self,
        block: u64,
        log_index: u32,
        log: &alloy::primitives::Log,
        settled: Option<(RequestId, u32)>,
    ) {
        let at = Cursor { block, log: log_index };
        if let Ok(it) = Pool::Queued::decode_log(log) {
            let (leaf, hint, memo) = (scalar(it.leaf), scalar(it.hint), scalar(it.memo));
            self.event(at, Event::Queued { position: it.position.to(), leaf, hint, memo });
        } else if let Ok(it) = Pool::Absorbed::decode_log(log) {
            let (position, count, index) = (it.position.to(), it.count.to(), it.index.to());
            let (_, waiting) = self.trees.waiting();
            let n = usize::try_from(count).unwrap();
            let leaves = waiting[..n].iter().map(field::to_bytes).collect();
            let fact = Fact::Absorbed { index, leaves, root: it.root.to_be_bytes() };
            self.event(at, Event::Absorbed { position, count, index, root: scalar(it.root) });
            self.fact(block, fact);
        } else if let Ok(it) = Pool::AccountMoved::decode_log(log) {
            let fact = Fact::AccountMoved {
                kind: it.kind,
                amount: Amount::new(it.amount.to()).unwrap(),
                recipient: primitives::Address(it.recipient.into()),
                account: hash(it.after_),
            };
            self.fact(block, fact);
        } else if let Ok(it) = Pool::Cleared::decode_log(log) {
            let posted: Vec<_> = it.posted.iter().map(|word| scalar(*word)).collect();
            self.event(at, Event::Cleared(Cleared::from_posted(&posted).unwrap()));
            let (id, round) = settled.expect("a venue says what it settles first");
            self.rounds = round;
            let fact = Fact::RoundSettled {
                id,
                round,
                status: RequestStatus::Pending,
                posted: it.posted.iter().map(U256::to_be_bytes).collect(),
            };
            self.fact(block, fact);
        }
    }

    fn event(&mut self, at: Cursor, event: Event) {
        self.trees.apply(&event).unwrap();
        for maker in &mut self.makers {
            maker.scan(at, &event).unwrap();
        }
        self.events.push((at, event));
    }

    fn fact(&mut self, block: u64, fact: Fact) {
        self.issuer.hear(&fact);
        self.facts.push((block, fact));
    }
}

fn market(pool: Address, venue: Address, system: &System) -> Market {
    let address = |address: Address| primitives::Address(address.into());
    Market {
        chain_id: CHAIN_ID,
        pool: address(pool),
        venue: address(venue),
        issuer: address(wallet(ISSUER).address()),
        instrument: 1,
        collateral: address(system.at.cash),
        collateral_decimals: 6,
        consideration: address(system.at.claim),
        consideration_decimals: 6,
        price: [Price(90_000_000), Price(110_000_000)],
        expiry: Timestamp(1 << 39),
    }
}

fn mandated() -> Mandated {
    Mandated {
        amount_max: tokens(1_000_000),
        epoch: Duration(1 << 39),
        premium_max: Premium::new(500).unwrap(),
        lot: tokens(1),
        slot_min: tokens(10),
    }
}

fn custodian() -> Custodian {
    Custodian::new(secrets("custodian"), N_NODES).unwrap()
}

fn secrets(party: &'static str) -> Secrets {
    Secrets::new(move |label, counter| {
        sha256(&[party.as_bytes(), label.as_bytes(), &counter.to_be_bytes()])
    })
}

fn tokens(tokens: u64) -> Amount {
    Amount::from_tokens(tokens)
}

fn balance(maker: &Maker, token: Address) -> u128 {
    maker.wallet().balance(field::from_address(&token.into()))
}

fn prove<W: Provable>(prover: &Prover<W>, witness: &W) -> (W::Statement, Proof) {
    prover.prove(witness, [1; 32]).unwrap_or_else(|error| panic!("{error:?}"))
}

fn word(value: Fr) -> U256 {
    U256::from_be_bytes(field::to_bytes(&value))
}

fn scalar(word: U256) -> Fr {
    field::from_bytes(&word.to_be_bytes()).unwrap()
}

fn hash(word: U256) -> CommitmentHash {
    CommitmentHash(word.to_be_bytes())
}
