//! Everything around the node: the chain with its contracts, the enclave with its evidence, the DON, the
//! parties with their deposits. Opening a world twice over the same stores gives the same world.

use std::sync::Arc;

use attestation::{Anchors, KeyBundle, Measurements, Policy};
use darkpool::Attested;
use devchain::{Genesis, LocalChain, OpenError};
use don::{Don, WorkflowIdentity};
use evm::alloy::primitives::{Address as EvmAddress, B256, Bytes, U256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::sol_types::SolCall;
use evm::deploy::{self, Deployment};
use evm::{Call, Fees, RawTransaction, Wallet};
use host::launch::{Clock, Enclave, Options, Tap};
use k256::ecdsa::SigningKey;
use pool::field;
use primitives::{Address, Amount, Bytes32, Price, Timestamp, decode, encode, sha256};
use protocol::detect::Policy as DetectPolicy;
use protocol::journal::Included;
use protocol::mission::Setup;
use protocol::wire::{Answer, Command, Configuration, Reply};
use protocol::workflow::StepKind;
use protocol::{Disclosure, Fact};
use recovery::{Deployment as DeploymentFile, DisclosureMode, Document};
use store::Storage;

use crate::parties::{Custodian, Issuer, MakerAgent, Market};
use crate::{Error, Scenario, entropy, panel};

/// Number of the secured-claim instrument in terms and mandates.
const INSTRUMENT: u8 = 1;
/// Gas limit of the registration's report; the workflow sets its own.
const REPORT_GAS: u64 = 1_000_000;
/// Gas limit of a party's own transaction.
const PARTY_GAS: u64 = 2_000_000;
/// Chainlink's selector of chain 31337, by the registry of chain selectors.
const CHAIN_SELECTOR: u64 = 7_759_470_850_252_068_959;

/// The workflow's module, as committed. `cargo xtask guests` builds it from this repository.
pub const MODULE: &[u8] = include_bytes!("../../../workflows/recovery/wasm/workflow.wasm");

/// Where the dark pool is asked by a DON that has not registered it. No socket: the request is answered here.
pub(crate) const ENDPOINT: &str = "https://darkpool.invalid";

/// Epoch of the registration's report; the mission's epochs belong to other receivers.
const REGISTRATION_EPOCH: u64 = 1;

/// What a run depends on, and nothing else.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// What happens to reserves.
    pub scenario: Scenario,
    /// Who stands ready, by index, instead of a draw from the scenario's panel.
    pub makers: Option<Vec<panel::Maker>>,
    /// The workflow, parsed.
    pub workflow: Document,
    /// Its source.
    pub workflow_source: String,
    /// The deployment file, parsed, with the run's disclosure.
    pub deployment: DeploymentFile,
    /// Its source.
    pub deployment_source: String,
    /// Everything random comes from it.
    pub seed: u64,
    /// The clearing circuit's keys, as bytes; must hash to [`proving_key_pin`].
    pub proving_key: Vec<u8>,
    /// What goes wrong.
    pub faults: Faults,
}

/// What goes wrong, on purpose.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Per DON node; shorter means healthy.
    pub nodes: Vec<NodeFault>,
    /// Run this image instead of the built one; what everyone expects stays the built one.
    pub image: Option<Vec<u8>>,
    /// See every byte on the enclave's sockets.
    pub tap: Option<Tap>,
    /// The DON has not registered `darkpool@1.0.0`: the workflow's ticks run in a TEE, which asks the dark
    /// pool's endpoint. Such a run has another workflow id, and no journal of it says so: it is not audited.
    pub unregistered: bool,
    /// Whoever serves the enclave's answers to the nodes serves these instead.
    pub host: Option<Host>,
}

/// A host between the enclave and all nodes.
#[derive(Clone)]
pub struct Host(Arc<dyn Fn(Attested) -> Attested + Send + Sync>);

impl Host {
    /// What it makes of each answer to a tick.
    pub fn new(serves: impl Fn(Attested) -> Attested + Send + Sync + 'static) -> Self {
        Self(Arc::new(serves))
    }

    /// What it serves.
    pub(crate) fn serve(&self, answer: Attested) -> Attested {
        (self.0)(answer)
    }
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Host")
    }
}

/// How a node fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NodeFault {
    /// It does not.
    #[default]
    None,
    /// It says the opposite of what it saw, and relays nothing the custodian signed.
    Lying,
    /// It says nothing.
    Absent,
}

impl Inputs {
    /// The disclosure of this run.
    pub const fn disclosure(&self) -> Disclosure {
        match self.deployment.disclosure.mode {
            DisclosureMode::Immediate => Disclosure::Immediate,
            DisclosureMode::Sealed => Disclosure::Sealed,
        }
    }

    /// The mission's setup: what the core needs of workflow and deployment file.
    pub fn setup(&self) -> Setup {
        recovery::guest::setup(&self.workflow, &self.deployment)
    }

    /// How a node fails in this run.
    pub fn fault(&self, node_idx: usize) -> NodeFault {
        self.faults.nodes.get(node_idx).copied().unwrap_or_default()
    }
}

/// SHA-256 of the development proving key this build accepts.
pub fn proving_key_pin() -> [u8; 32] {
    circuits::keys::pinned().keys_sha256
}

/// A workflow of anyone's that is run over a world in place of the recovery's.
#[derive(Debug, Clone)]
pub struct Guest {
    /// As deployed.
    pub name: String,
    /// What its id takes for its binary.
    pub binary: Vec<u8>,
    /// What it is given.
    pub config: Vec<u8>,
}

/// The world of one run.
pub struct World {
    /// What it depends on.
    pub inputs: Inputs,
    /// The chain.
    pub chain: LocalChain,
    /// Addresses of the contracts.
    pub contracts: Deployment,
    /// The DON.
    pub don: Arc<Don>,
    /// What the workflow's module is given.
    pub(crate) config: Vec<u8>,
    /// Chainlink's selector of the chain.
    pub(crate) chain_selector: u64,
    genesis: Genesis,
    /// The issuer.
    pub issuer: Issuer,
    /// The makers, with the index of each one's deposit.
    pub makers: Vec<(MakerAgent, u64)>,
    /// The enclave's evidence.
    pub evidence: Evidence,
    /// Setup transactions, in order.
    pub included: Vec<Included>,
    /// Facts of the setup: deposits.
    pub deposits: Vec<Fact>,
    provider: DynProvider,
    runtime: tokio::runtime::Runtime,
    custodian: Custodian,
    enclave: Enclave,
    kept: Box<dyn Storage>,
    transmitter: Wallet,
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "World({})", self.inputs.scenario.name)
    }
}

/// What an enclave showed, and what was expected of it.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// COSE_Sign1 document.
    pub document: Vec<u8>,
    /// Key bundle, encoded.
    pub key_bundle_bytes: Vec<u8>,
    /// The same, decoded.
    pub key_bundle: KeyBundle,
    /// Configuration, as measured into PCR2.
    pub configuration: Vec<u8>,
    /// What the build says it measures.
    pub expected: Measurements,
    /// "development" or "hardware".
    pub trust: String,
}

impl Evidence {
    /// The settlement signer.
    pub const fn signer(&self) -> Address {
        Address(self.key_bundle.settlement_signer)
    }
}

/// The challenge every relying party of an embedded run uses: fresh by the seed's commitment.
pub(crate) fn challenge(seed_commitment: Bytes32) -> [u8; 32] {
    sha256(&[b"cdpr/challenge/v1", &seed_commitment.0])
}

/// Checks evidence as a maker does before it seals anything: the document under the development root,
/// against a measurement that comes from the build and not from the file that ran.
pub(crate) fn check_evidence(
    who: &str,
    document: &[u8],
    key_bundle: &[u8],
    expected: Measurements,
    chain_id: u64,
    challenge: &[u8],
    now: Timestamp,
) -> Result<(KeyBundle, String), Error> {
    let refused = |source| Error::Evidence { who: who.to_owned(), source };
    let anchors = Anchors::development(chain_id).map_err(refused)?;
    let policy = Policy::new(chain_id, vec![expected]).map_err(refused)?.with_nonce(challenge);
    let now_ms = now.0 * 1_000;
    let attested = attestation::verify(document, &anchors, &policy, now_ms).map_err(refused)?;
    let bundle = attested.claims().key_bundle(key_bundle, now_ms).map_err(refused)?;
    Ok((bundle, attested.trust().to_string()))
}

/// `SHA-256("cdpr/seed-commitment/v1" ‖ seed bytes ‖ salt)`; the salt is drawn from the seed too, so the
/// commitment hides a small seed only as well as the seed is large.
pub(crate) fn seed_commitment(seed: u64, chain_id: u64) -> Result<Bytes32, Error> {
    let party = entropy(seed, "journal", chain_id)?;
    Ok(Bytes32(sha256(&[b"cdpr/seed-commitment/v1", &party.seed, &party.draw("salt", 0)])))
}

fn wallet(seed: u64, party: &str, chain_id: u64) -> Result<Wallet, Error> {
    let key = entropy(seed, party, chain_id)?.draw("wallet", 0);
    Wallet::new(&B256::from(key), chain_id).map_err(|_| Error::Key)
}

/// The genesis of a run's chain: its parties funded, its clock at the scenario's start.
pub(crate) fn genesis(
    chain_id: u64,
    start: Timestamp,
    funded: impl IntoIterator<Item = EvmAddress>,
) -> Genesis {
    let mut genesis = Genesis::development(start.0);
    genesis.chain_id = chain_id;
    genesis.fund(funded)
}

impl World {
    /// Opens the world: deploys what is not deployed, launches and verifies the enclave, registers it
    /// through the DON, makes the deposits. Idempotent over its stores.
    ///
    /// # Errors
    /// [`Error`]; nothing is half-done, since every step is found done when opened again.
    pub fn open(
        inputs: Inputs,
        chain: Box<dyn Storage>,
        kept: Box<dyn Storage>,
    ) -> Result<Self, Error> {
        Self::open_for(None, inputs, chain, kept)
    }

    /// The same for a workflow of anyone's: its reports are those that the contracts take.
    ///
    /// # Errors
    /// As [`World::open`].
    pub(crate) fn open_for(
        guest: Option<Guest>,
        inputs: Inputs,
        chain: Box<dyn Storage>,
        kept: Box<dyn Storage>,
    ) -> Result<Self, Error> {
        let (seed, chain_id, start) =
            (inputs.seed, inputs.deployment.chain_id, inputs.scenario.start);
        let party = |name: &str| entropy(seed, name, chain_id);
        let makers = match &inputs.makers {
            Some(given) => given.clone(),
            None => panel::draw(
                &inputs.scenario.panel,
                &party("panel")?,
                inputs.scenario.supply_at(start),
                inputs.deployment.request.lot,
            ),
        };
        let maker_names: Vec<String> =
            makers.iter().map(|maker| format!("maker-{}", maker.index)).collect();
        let [deployer, issuer_wallet, transmitter] =
            ["deployer", "issuer", "transmitter"].map(|p| wallet(seed, p, chain_id));
        let (deployer, issuer_wallet, transmitter) = (deployer?, issuer_wallet?, transmitter?);
        let maker_wallets: Vec<Wallet> = maker_names
            .iter()
            .map(|name| wallet(seed, name, chain_id))
            .collect::<Result<_, _>>()?;

        let funded = [&deployer, &issuer_wallet, &transmitter]
            .into_iter()
            .chain(&maker_wallets)
            .map(Wallet::address);
        let genesis = genesis(chain_id, start, funded);
        let (chain, _torn) = LocalChain::open(genesis.clone(), chain).map_err(|error| {
            let is_other = matches!(error, OpenError::OtherGenesis);
            if is_other { Error::OtherRun { what: "chain" } } else { Error::ChainLog(error) }
        })?;
        let provider = chain.connect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::Store { what: "a runtime", source })?;

        // The DON and the workflow it runs.
        let don_file = inputs.deployment.don;
        let signers = (0..don_file.nodes)
            .map(|node| {
                let key = party(&format!("node-{node}"))?.draw("signer", 0);
                SigningKey::from_slice(&key).map_err(|_| Error::Key)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let faults_max = usize::try_from(don_file.faults_max).unwrap_or(usize::MAX);

        // Addresses depend on nonces only, so they are known before what is to be committed to.
        let mints = makers.iter().zip(&maker_wallets).map(|(maker, wallet)| deploy::Mint {
            token: deploy::Token::Cash,
            to: wallet.address(),
            amount: maker.capacity.units(),
        });
        let standing = inputs.deployment.instrument.standing;
        // Addresses depend on nonces only, so the workflow can be given them before its id is known.
        let nodes: Vec<Address> = signers.iter().map(don::address).collect();
        let mut config = deploy_config(&inputs, &nodes, deployer, issuer_wallet.clone());
        config.mints = mints.collect();
        config.mints.push(deploy::Mint {
            token: deploy::Token::Claim,
            to: issuer_wallet.address(),
            amount: standing.units(),
        });
        config.workloads = vec![B256::ZERO];
        let contracts = deploy::plan(&config)?.deployment;
        let guest = guest.unwrap_or_else(|| Guest {
            name: inputs.workflow.workflow.name.clone(),
            binary: MODULE.to_vec(),
            config: workflow_config(
                &inputs.workflow_source,
                &inputs.deployment_source,
                inputs.disclosure(),
                start,
                [contracts.dark_pool, contracts.por, contracts.guard],
                inputs.faults.unregistered.then_some(ENDPOINT),
            ),
        });
        let owner = Address(issuer_wallet.address().into());
        let identity = WorkflowIdentity::new(owner, &guest.name, &guest.binary, &guest.config);
        let don = Don::new(signers, faults_max, 1, 1, identity);
        config.workflow = workflow_of(don.workflow());

        let market = Market {
            issuer: field::from_address(&issuer_wallet.address().into()),
            instrument: INSTRUMENT,
            collateral: field::from_address(&contracts.cash.into()),
            consideration: field::from_address(&contracts.claim.into()),
            pool_id: field::from_digest(&pool_digest(chain_id, contracts.pool)),
            price: [
                inputs.deployment.instrument.price_min.0,
                inputs.deployment.instrument.price_max.0,
            ],
            expiry: start.0 + inputs.deployment.instrument.expiry.0,
        };
        let issuer = Issuer::new(
            &market,
            inputs.deployment.instrument.amount_max,
            inputs.deployment.guard.premium_cap.bps(),
            standing,
            party("issuer")?,
        );
        let custodian = Custodian::new(party("custodian")?, don.n());
        let configuration =
            encode(&configuration(&inputs, &contracts, &issuer_wallet, &custodian, &don));
        let expected = host::image::ENCLAVE.measurements(&configuration);
        let [mandate, position] = issuer.commitments().map(U256::from_be_bytes);
        config.mandate = mandate;
        config.position = position;
        config.workloads = vec![B256::from(expected.workload_id())];
        let plan = deploy::plan(&config)?;

        // The enclave: launched, restored, made to show itself.
        let clock = Clock::new(start.0 * 1_000);
        let mut options = Options::new(chain_id, party("enclave")?, clock);
        options.tap.clone_from(&inputs.faults.tap);
        let image = inputs.faults.image.as_deref().unwrap_or(host::image::ENCLAVE.elf);
        let enclave = Enclave::launch(image, &configuration, options)?;
        let commitment = seed_commitment(seed, chain_id)?;
        let makers: Vec<(MakerAgent, u64)> = makers
            .into_iter()
            .zip(&maker_names)
            .zip(1..)
            .map(|((maker, name), index)| {
                let fill_min = inputs.deployment.request.lot;
                Ok((MakerAgent::new(maker, &market, party(name)?, fill_min), index))
            })
            .collect::<Result<_, Error>>()?;
        let mut world = Self {
            inputs,
            chain,
            contracts: plan.deployment,
            don: Arc::new(don),
            config: guest.config,
            chain_selector: CHAIN_SELECTOR,
            genesis,
            issuer,
            makers,
            evidence: Evidence {
                document: Vec::new(),
                key_bundle_bytes: Vec::new(),
                key_bundle: KeyBundle {
                    chain_id,
                    registry: contracts.registry.into(),
                    epoch: 0,
                    hpke_public_key: [0; 32],
                    settlement_signer: [0; 20],
                    config_hash: [0; 48],
                    not_after: 0,
                },
                configuration,
                expected,
                trust: String::new(),
            },
            included: Vec::new(),
            deposits: Vec::new(),
            provider,
            runtime,
            custodian,
            enclave,
            kept,
            transmitter,
        };
        world.start_enclave(commitment)?;

        // What goes on chain before the first tick.
        for step in &plan.steps {
            world.include(start, &step.transaction, step.contract)?;
        }
        world.register(start)?;
        world.deposit(start, &issuer_wallet, contracts.claim, standing, world.issuer.inner())?;
        for (maker_idx, wallet) in maker_wallets.iter().enumerate() {
            let (agent, _) = &world.makers[maker_idx];
            let (capacity, inner) = (agent.maker.capacity, agent.inner());
            world.deposit(start, wallet, contracts.cash, capacity, inner)?;
        }
        let deposits = world.deposits.clone();
        world.ask("learn of deposits", &Command::Inform(deposits))?;
        let brief =
            world.issuer.brief(&world.evidence.key_bundle.hpke_public_key, 0, &issuer_wallet)?;
        world.ask("read the brief", &Command::Brief(brief))?;
        Ok(world)
    }

    fn start_enclave(&mut self, commitment: Bytes32) -> Result<(), Error> {
        let configuration = self.evidence.configuration.clone();
        self.ask("be configured", &Command::Configure(configuration))?;
        let proving_key = self.inputs.proving_key.clone();
        self.ask("take the proving key", &Command::ProvingKey(proving_key))?;
        let kept = self
            .kept
            .read()
            .map_err(|source| Error::Store { what: "the enclave's journal", source })?;
        let (entries, len) = unframe(&kept);
        if len < kept.len() {
            let len = len as u64;
            self.kept
                .truncate(len)
                .map_err(|source| Error::Store { what: "the enclave's journal", source })?;
        }
        self.ask("restore its state", &Command::Restore(entries))?;

        let challenge = challenge(commitment);
        let reply = self.ask("attest", &Command::Attest { nonce: challenge.to_vec() })?;
        let Reply::Attested { document, key_bundle } = reply else {
            return Err(Error::Answer { what: "attest" });
        };
        let (chain_id, start) = (self.inputs.deployment.chain_id, self.inputs.scenario.start);
        let expected = self.evidence.expected;
        // Whoever is about to trust the enclave checks it on its own.
        let makers = (0..self.makers.len()).map(|maker| format!("maker {maker}"));
        let nodes = (0..self.don.n()).map(|node| format!("node {node}"));
        for who in makers.chain(nodes).chain(["the issuer".to_owned()]) {
            let (bundle, trust) = check_evidence(
                &who,
                &document,
                &key_bundle,
                expected,
                chain_id,
                &challenge,
                start,
            )?;
            (self.evidence.key_bundle, self.evidence.trust) = (bundle, trust);
        }
        (self.evidence.document, self.evidence.key_bundle_bytes) = (document, key_bundle);
        Ok(())
    }

    /// Registers the enclave's key by a DON report: every node has verified the document.
    fn register(&mut self, now: Timestamp) -> Result<(), Error> {
        let bundle = &self.evidence.key_bundle;
        let call = evm::abi::EnclaveRegistry::registerCall {
            signer: bundle.settlement_signer.into(),
            workloadId: self.evidence.expected.workload_id().into(),
            keyBundleHash: bundle.registry_hash().into(),
            expiry: bundle.not_after,
            trust: attestation::Trust::Development as u8,
        }
        .abi_encode();
        let payload = evm::report::Payload {
            chain_id: self.contracts.chain_id,
            receiver: self.contracts.registry,
            epoch: REGISTRATION_EPOCH,
            expiry: now.0,
            call: call.into(),
            observation: Bytes::new(),
        };
        let payload = payload.encode().to_vec();
        let agreement = self
            .don
            .agree(&vec![Some(payload); self.don.n()])
            .map_err(|_| Error::Answer { what: "a unanimous DON" })?;
        let report = self.don.sign(&agreement, &self.don.stamp(0, now));
        let report = don::chain::signed_report(&report.response());
        let calldata = report.calldata(self.contracts.registry);
        let transaction = self.transmit(0, calldata, REPORT_GAS);
        let receipt = self.include(now, &transaction, "EnclaveRegistry")?;
        if !evm::mission::delivery(&receipt, &self.emitters()).delivered {
            return Err(Error::Reverted { what: "the enclave's registration" });
        }
        Ok(())
    }

    fn deposit(
        &mut self,
        now: Timestamp,
        wallet: &Wallet,
        token: EvmAddress,
        amount: Amount,
        inner: [u8; 32],
    ) -> Result<(), Error> {
        let first_nonce = u64::from(token == self.contracts.claim);
        let value = U256::from(amount.units());
        let approve =
            evm::abi::CashToken::approveCall { spender: self.contracts.pool, value }.abi_encode();
        let transaction =
            wallet.sign(first_nonce, Fees::default(), Call::new(token, approve, PARTY_GAS));
        self.include(now, &transaction, "the token's approval")?;
        let inner = U256::from_be_bytes(inner);
        let deposit =
            evm::abi::ShieldedPool::depositCall { asset: token, amount: value, inner }.abi_encode();
        let transaction = wallet.sign(
            first_nonce + 1,
            Fees::default(),
            Call::new(self.contracts.pool, deposit, PARTY_GAS),
        );
        let receipt = self.include(now, &transaction, "ShieldedPool")?;
        self.deposits.extend(evm::mission::facts(&receipt, &self.emitters()));
        Ok(())
    }

    /// Sends a setup transaction and notes it. A failed one is an error.
    fn include(
        &mut self,
        now: Timestamp,
        transaction: &RawTransaction,
        what: &'static str,
    ) -> Result<TransactionReceipt, Error> {
        let (receipt, included) = self.send(now, &transaction.bytes, what)?;
        if !included.success {
            return Err(Error::Reverted { what });
        }
        self.included.push(included);
        Ok(receipt)
    }

    /// Sends raw bytes in a block at `now`, or finds them already there.
    pub(crate) fn send(
        &self,
        now: Timestamp,
        raw: &Bytes,
        what: &'static str,
    ) -> Result<(TransactionReceipt, Included), Error> {
        // A reopened chain may be ahead of the journal; what is included keeps its block's time.
        if self.chain.timestamp() <= now.0 {
            self.chain.set_next_timestamp(now.0)?;
        }
        let receipt = self
            .runtime
            .block_on(evm::send(&self.provider, raw))
            .map_err(|source| Error::Send { what, source })?;
        let included = Included {
            timestamp: now,
            raw: raw.to_vec(),
            success: receipt.status(),
            gas_used: receipt.gas_used,
        };
        Ok((receipt, included))
    }

    /// What this world's enclave signs for an answer.
    pub(crate) fn digest(&self, observed: &protocol::attest::Observed) -> [u8; 32] {
        observed.digest(self.contracts.chain_id, &Address(self.contracts.dark_pool.into()))
    }

    /// Whose logs are facts here.
    pub(crate) fn emitters(&self) -> evm::mission::Emitters {
        (&self.contracts).into()
    }

    /// The transaction that hands a report to the forwarder. Nonce 0 is the registration's.
    pub(crate) fn transmit(&self, nonce: u64, calldata: Bytes, gas_limit: u64) -> RawTransaction {
        let call = Call::new(self.contracts.forwarder, calldata, gas_limit);
        self.transmitter.sign(nonce, Fees::default(), call)
    }

    /// A write's receiver, and the payload that the DON is to sign for it.
    pub(crate) fn addressed(&self, write: &protocol::Write) -> (EvmAddress, Vec<u8>) {
        let receiver = self.receiver(&write.contract);
        let payload = evm::report::Payload {
            chain_id: self.contracts.chain_id,
            receiver,
            epoch: write.epoch,
            expiry: write.expiry.0,
            call: evm::mission::calldata(&write.call),
            observation: write.observation.clone().into(),
        };
        (receiver, payload.encode().to_vec())
    }

    /// What a receiver reverts with when it is handed a report; empty if it would take it now.
    pub(crate) fn refusal(&self, receiver: EvmAddress, raw: &[u8]) -> Result<Vec<u8>, Error> {
        let forwarder = self.contracts.forwarder;
        let asked = evm::report::refusal(&self.provider, forwarder, receiver, raw);
        let reason = self.runtime.block_on(asked).map_err(|source| Error::Send {
            what: "a question",
            source: evm::SendError::Unreachable { hash: B256::ZERO, source },
        })?;
        Ok(reason.unwrap_or_default().to_vec())
    }

    /// A chain of its own, on which these transactions ran and no others.
    pub(crate) fn replayed(&self, included: &[Included]) -> Result<LocalChain, Error> {
        let chain = LocalChain::new(self.genesis.clone());
        let provider = chain.connect();
        for transaction in included {
            if chain.timestamp() <= transaction.timestamp.0 {
                chain.set_next_timestamp(transaction.timestamp.0)?;
            }
            self.runtime
                .block_on(evm::send(&provider, &transaction.raw))
                .map_err(|source| Error::Send { what: "a transaction of the journal", source })?;
        }
        Ok(chain)
    }

    /// The transmitter's next transaction to the forwarder, by the nonce the chain expects.
    pub(crate) fn transmit_next(
        &self,
        calldata: Bytes,
    ) -> Result<RawTransaction, evm::alloy::transports::TransportError> {
        let address = self.transmitter.address();
        let nonce =
            self.block_on(async |provider| provider.get_transaction_count(address).await)?;
        Ok(self.transmit(nonce, calldata, engine::Limits::production().evm_write_gas_max))
    }

    /// Asks the chain.
    pub(crate) fn block_on<'a, T, F: Future<Output = T> + 'a>(
        &'a self,
        ask: impl FnOnce(&'a DynProvider) -> F,
    ) -> T {
        self.runtime.block_on(ask(&self.provider))
    }

    /// The contract behind a name of the workflow.
    pub(crate) fn receiver(&self, name: &str) -> EvmAddress {
        let contracts = [self.contracts.dark_pool, self.contracts.por];
        receiver(&self.inputs.deployment, contracts, name)
    }

    /// What each node relays on a tick: the custodian's statement, sealed to the enclave for that node.
    pub(crate) fn statements(
        &self,
        tick: u32,
        now: Timestamp,
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let scenario = &self.inputs.scenario;
        let observation = protocol::detect::Observation {
            tick,
            observed_at: now,
            liabilities: scenario.supply_at(now),
            reserves: scenario.reserves_at(now),
        };
        (0..self.don.n())
            .map(|node_idx| {
                let node = u32::try_from(node_idx).expect("a DON is small");
                let key = &self.evidence.key_bundle.hpke_public_key;
                Ok(match self.inputs.fault(node_idx) {
                    NodeFault::None => Some(self.custodian.statement(&observation, node, key)?),
                    // It cannot sign for the custodian; the best it can relay is noise.
                    NodeFault::Lying => Some(vec![0x5a; 256]),
                    NodeFault::Absent => None,
                })
            })
            .collect()
    }

    /// Asks the enclave, and makes its sealed entry durable before anyone acts on the answer.
    pub(crate) fn ask(&mut self, what: &'static str, command: &Command) -> Result<Reply, Error> {
        let bytes = self.enclave.call(&encode(command))?;
        let answer: Answer = decode(&bytes).map_err(|_| Error::Answer { what })?;
        if let Some(sealed) = answer.sealed {
            let keep = |source| Error::Store { what: "the enclave's journal", source };
            self.kept.append(&frame(&sealed)).map_err(keep)?;
            self.kept.sync().map_err(keep)?;
        }
        if let Reply::Refused(reason) = answer.reply {
            return Err(Error::Refused { what, reason });
        }
        Ok(answer.reply)
    }

    /// Hands an envelope to the enclave and returns its signed receipt.
    ///
    /// # Errors
    /// [`Error::Refused`] with the enclave's reason.
    pub fn order(&mut self, envelope: Vec<u8>) -> Result<Vec<u8>, Error> {
        let Reply::Receipt(receipt) = self.ask("take an order", &Command::Order(envelope))? else {
            return Err(Error::Answer { what: "an order" });
        };
        Ok(receipt)
    }

    /// The price the chain will pin.
    pub(crate) const fn price(&self) -> Price {
        self.inputs.deployment.instrument.price
    }

    /// Gas that verifying a proof takes by itself, as the chain estimates it.
    pub(crate) fn verify_gas(&self, zk_proof: &[u8]) -> Option<u64> {
        let proof = evm::settlement::ZkProof::decode(zk_proof).ok()?;
        let verifier = evm::abi::ClearingVerifier::new(self.contracts.verifier, &self.provider);
        self.runtime
            .block_on(async {
                verifier.verifyProof(proof.proof, proof.public_inputs).estimate_gas().await
            })
            .ok()
    }

    /// What the chain says of a request.
    pub fn request_status(&self, id: primitives::RequestId) -> Option<protocol::RequestStatus> {
        let pool = evm::abi::DarkPool::new(self.contracts.dark_pool, &self.provider);
        let status = self
            .runtime
            .block_on(async { pool.getRequestStatus(B256::from(id.0)).call().await })
            .ok()?;
        protocol::RequestStatus::from_number(status)
    }

    /// Whether the stablecoin may be minted now.
    pub fn mint_allowed(&self) -> Option<bool> {
        let guard = evm::abi::RecoveryGuard::new(self.contracts.guard, &self.provider);
        self.runtime.block_on(async { guard.mintAllowed().call().await }).ok()
    }

    /// Process id of the enclave, for whoever wants to kill it.
    pub fn enclave_pid(&self) -> u32 {
        self.enclave.id()
    }
}

/// What CRE gives the workflow, from what a journal's opening holds and the contracts' addresses (dark pool,
/// proof of reserve, guard).
pub(crate) fn workflow_config(
    workflow: &str,
    deployment: &str,
    disclosure: Disclosure,
    started: Timestamp,
    [dark_pool, confidential_por, recovery_guard]: [EvmAddress; 3],
    endpoint: Option<&str>,
) -> Vec<u8> {
    let mode = match disclosure {
        Disclosure::Immediate => recovery::guest::Mode::Immediate,
        Disclosure::Sealed => recovery::guest::Mode::Sealed,
    };
    let config = recovery::guest::Config {
        workflow: workflow.to_owned(),
        deployment: deployment.to_owned(),
        disclosure: Some(mode),
        chain_selector: CHAIN_SELECTOR.to_string(),
        started: started.0,
        dark_pool: format!("{dark_pool:#x}"),
        confidential_por: format!("{confidential_por:#x}"),
        recovery_guard: format!("{recovery_guard:#x}"),
        endpoint: endpoint.map(str::to_owned),
    };
    config.encode()
}

/// A workflow's identity as receivers store it.
fn workflow_of(identity: &WorkflowIdentity) -> evm::report::Workflow {
    evm::report::Workflow {
        id: identity.id.into(),
        name: identity.name,
        owner: identity.owner.0.into(),
    }
}

/// The contract behind a name of the workflow, as the deployment file resolves it.
pub(crate) fn receiver(
    file: &DeploymentFile,
    [dark_pool, confidential_por]: [EvmAddress; 2],
    name: &str,
) -> EvmAddress {
    match file.contracts.get(name) {
        Some(recovery::ContractRole::ConfidentialPor) => confidential_por,
        // Pools have names of their own; the deployment check has resolved every name there is.
        Some(recovery::ContractRole::DarkPool) | None => dark_pool,
    }
}

fn deploy_config(
    inputs: &Inputs,
    nodes: &[Address],
    deployer: Wallet,
    issuer: Wallet,
) -> deploy::DeployConfig {
    let guardian = issuer.address();
    deploy::DeployConfig {
        deployer,
        deployer_nonce: 0,
        issuer,
        issuer_nonce: 0,
        fees: Fees::default(),
        don: deploy::Don {
            id: 1,
            config_version: 1,
            f: u8::try_from(inputs.deployment.don.faults_max).unwrap_or(u8::MAX),
            signers: nodes.iter().map(|address| address.0.into()).collect(),
        },
        // Filled in once the addresses are known that its id depends on.
        workflow: evm::report::Workflow { id: B256::ZERO, name: [0; 10], owner: EvmAddress::ZERO },
        timelock: deploy::Timelock {
            delay_min: 172_800,
            proposers: vec![guardian],
            executors: vec![guardian],
        },
        guardian,
        guard: deploy::GuardParameters {
            attempts_max: inputs.deployment.guard.attempts_max.into(),
            premium_cap_bps: inputs.deployment.guard.premium_cap.bps(),
            escalation_bps: inputs
                .deployment
                .guard
                .escalation
                .iter()
                .map(|premium| premium.bps())
                .collect(),
        },
        price: inputs.deployment.instrument.price.0,
        // The embedded feed answers once, at deployment: as old as a run is long.
        price_age_max: 604_800,
        workloads: Vec::new(),
        disclosure: match inputs.disclosure() {
            Disclosure::Immediate => deploy::Disclosure::Immediate,
            Disclosure::Sealed => deploy::Disclosure::Sealed,
        },
        ciphertext_len: pool::notice::SEALED_LEN as u64,
        mandate: U256::ZERO,
        position: U256::ZERO,
        verifier: deploy::Verifier::Development(evm::abi::ClearingVerifier::BYTECODE.clone()),
        mints: Vec::new(),
    }
}

fn configuration(
    inputs: &Inputs,
    contracts: &Deployment,
    issuer: &Wallet,
    custodian: &Custodian,
    don: &Don,
) -> Configuration {
    Configuration {
        chain_id: contracts.chain_id,
        dark_pool: Address(contracts.dark_pool.into()),
        shielded_pool: Address(contracts.pool.into()),
        registry: Address(contracts.registry.into()),
        issuer: Address(issuer.address().into()),
        collateral: Address(contracts.cash.into()),
        consideration: Address(contracts.claim.into()),
        custodian: custodian.public_key(),
        don: don.addresses(),
        not_after: inputs.scenario.start + inputs.deployment.instrument.expiry,
        ..policy(&inputs.workflow, &inputs.deployment)
    }
}

/// What workflow and deployment file decide of an enclave's configuration; addresses and keys are blank.
/// An auditor compares these fields with the measured ones.
pub(crate) fn policy(workflow: &Document, file: &DeploymentFile) -> Configuration {
    let setup = recovery::guest::setup(workflow, file);
    let threshold = setup.workflow.steps().find_map(|step| match &step.kind {
        StepKind::ConfidentialCompute { threshold, .. } => *threshold,
        StepKind::Conditional { .. }
        | StepKind::DarkPool { .. }
        | StepKind::Wait { .. }
        | StepKind::OnchainTx { .. } => None,
    });
    let premium = setup.workflow.steps().find_map(|step| match &step.kind {
        StepKind::DarkPool { premium, .. } => Some(*premium),
        StepKind::ConfidentialCompute { .. }
        | StepKind::Conditional { .. }
        | StepKind::Wait { .. }
        | StepKind::OnchainTx { .. } => None,
    });
    let target = file.detect.target;
    let age_max = file.feeds.values().map(|feed| feed.age_max).min();
    Configuration {
        chain_id: file.chain_id,
        dark_pool: Address::default(),
        shielded_pool: Address::default(),
        registry: Address::default(),
        issuer: Address::default(),
        collateral: Address::default(),
        consideration: Address::default(),
        disclosure: setup.disclosure,
        policy: DetectPolicy {
            threshold: threshold.unwrap_or(target),
            target,
            quorum: u8::try_from(file.detect.quorum).unwrap_or(u8::MAX),
            age_max: age_max.unwrap_or_default(),
            readings: u8::try_from(file.detect.readings).unwrap_or(u8::MAX),
        },
        premium: premium.unwrap_or_default(),
        escalation: setup.escalation,
        schedule: setup.schedule,
        lot: file.request.lot,
        aggregate_min: file.request.fill_min,
        share_max: file.request.maker_share_max,
        custodian: Vec::new(),
        don: Vec::new(),
        proving_key: Bytes32(proving_key_pin()),
        not_after: Timestamp::default(),
    }
}

fn pool_digest(chain_id: u64, pool: EvmAddress) -> [u8; 32] {
    let mut words = [0u8; 64];
    words[24..32].copy_from_slice(&chain_id.to_be_bytes());
    words[44..64].copy_from_slice(pool.as_slice());
    primitives::keccak256(&[&words])
}

/// `len: u32 BE ‖ first 8 bytes of SHA-256(entry) ‖ entry`.
fn frame(entry: &[u8]) -> Vec<u8> {
    let len = u32::try_from(entry.len()).expect("an entry is far below 4 GiB");
    [&len.to_be_bytes()[..], &sha256(&[entry])[..8], entry].concat()
}

/// Entries as far as they are whole, and how many bytes that is.
fn unframe(bytes: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while let Some((header, tail)) = rest.split_at_checked(12) {
        let len = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some((entry, tail)) = tail.split_at_checked(len) else { break };
        if sha256(&[entry])[..8] != header[4..] {
            break;
        }
        entries.push(entry.to_vec());
        rest = tail;
    }
    (entries, bytes.len() - rest.len())
}
