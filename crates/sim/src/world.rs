//! Everything around the node: the chain with its contracts, the enclave with its evidence, the DON, the
//! parties with their deposits. Opening a world twice over the same stores gives the same world.

use std::sync::Arc;

use client::{Custodian, Issuer, Mandated, Market};
use devchain::LocalChain;
use don::chain::DEVELOPMENT_SELECTOR;
use don::{Don, WorkflowIdentity};
use evm::alloy::primitives::{Address as EvmAddress, B256, U256};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::sol_types::SolCall;
use evm::deploy::{self, Deployment};
use evm::report::SignedReport;
use evm::{Call, Fees, RawTransaction, Wallet};
use host::launch::{Clock, Enclave as Process, Options};
use k256::ecdsa::SigningKey;
use node::enrolment::{
    self, Contracts, Evidence, Expected, WorkflowConfig, challenge, check_evidence,
};
use node::pool::{Host, Place, Transmit};
use node::ports::{Enclave, Failure, Outgoing, Reserves};
use node::{Journaled, Kept, MODULE, Sealed, Site, Word};
use primitives::{Address, Amount, Bytes32, Timestamp, encode, sha256};
use protocol::Fact;
use protocol::journal::{Included, Opening};
use protocol::wire::{Command, Configuration, Reply};
use store::Storage;

use crate::devnet::{Devnet, Transmitter, genesis};
use crate::network::{ENDPOINT, TOKEN};
use crate::parties::{MakerAgent, secrets};
use crate::script::Relays;
use crate::{Error, Inputs, entropy, panel};

/// Number of the secured-claim instrument in terms and mandates.
const INSTRUMENT: u8 = 1;
/// Gas limit of the registration's report; the workflow sets its own.
const REPORT_GAS: u64 = 1_000_000;
/// Gas limit of a party's own transaction.
const PARTY_GAS: u64 = 2_000_000;

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
    /// What the workflow's module is given.
    pub(crate) config: Vec<u8>,
    pub(crate) transmitter: Transmitter,
    pub(crate) relays: Relays,
    pub(crate) enclave: Sealed,
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "World({})", self.inputs.scenario.name)
    }
}

/// `SHA-256("cdpr/seed-commitment/v1" ‖ seed bytes ‖ salt)`; the salt is drawn from the seed too, so the
/// commitment hides a small seed only as well as the seed is large.
pub(crate) fn seed_commitment(seed: u64, chain_id: u64) -> Result<Bytes32, Error> {
    let party = entropy(seed, "journal", chain_id)?;
    Ok(Bytes32(sha256(&[b"cdpr/seed-commitment/v1", &party.seed, &party.draw("salt", 0)])))
}

/// What chain and enclave are of: `SHA-256("cdpr/world/v1" ‖ run ‖ hash of each deployment transaction)`. The plan says
/// more than the run's arguments: it has the enclave's measurement in it, the workflow's module, the contracts and the
/// makers, so what another build left behind is known at its first record.
fn identity(run: Bytes32, plan: &deploy::Plan) -> Bytes32 {
    let hashes = plan.steps.iter().map(|step| step.transaction.hash.0);
    Bytes32(sha256(&[b"cdpr/world/v1", &run.0, &hashes.collect::<Vec<_>>().concat()]))
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
        Self::open_for(None, inputs, chain, kept, None)
    }

    /// The same for a workflow of anyone's: its reports are those that the contracts take.
    ///
    /// # Errors
    /// As [`World::open`]; [`Error::Kept`] too where chain or enclave have not come as far as a journal that is
    /// not finished.
    pub(crate) fn open_for(
        guest: Option<Guest>,
        inputs: Inputs,
        chain: Box<dyn Storage>,
        kept: Box<dyn Storage>,
        journal: Option<&Journaled>,
    ) -> Result<Self, Error> {
        let panel = panel(&inputs)?;
        let accounts = Accounts::of(&inputs, &panel)?;
        let ground = Ground::of(guest, &inputs, &panel, &accounts)?;
        let parties = Parties::of(&inputs, panel, &accounts, &ground)?;
        let configuration = encode(&configuration(&inputs, &accounts, &ground, &parties));
        let measurements = host::image::ENCLAVE.measurements(&configuration);
        let plan = ground.plan(&parties.issuer, measurements.workload_id())?;
        let world = identity(inputs.run()?, &plan);

        let (chain_id, start) = (inputs.deployment.chain_id, inputs.scenario.start);
        let mut genesis = genesis(chain_id, start, accounts.addresses());
        genesis.run = world.0.into();
        let kept = Kept::open(kept, world)?;
        let devnet = Arc::new(Devnet::open(genesis.clone(), chain)?);
        if let Some(journal) = journal.filter(|journal| !journal.is_closed()) {
            devnet.chain.expect(&journal.transactions(), "the journal")?;
            let sent = devnet
                .last_sent(accounts.transmitter.address())
                .map_err(|source| Error::Unanswered { source })?;
            journal.keeps_up_with(sent, start)?;
            kept.agrees_with(journal)?;
        }
        let mut enclave = launch(&inputs, &configuration, kept)?;
        enclave.start(&configuration, &inputs.proving_key)?;
        let who = Relying { n_makers: parties.makers.len(), n_nodes: ground.don.n() };
        let evidence = show(&mut enclave, &inputs, measurements, configuration, who)?;
        let mut world = Self {
            chain: devnet.chain.clone(),
            contracts: plan.deployment,
            don: Arc::new(ground.don),
            issuer: parties.issuer,
            makers: parties.makers,
            included: Vec::new(),
            deposits: Vec::new(),
            config: ground.config,
            relays: Relays {
                custodian: parties.custodian,
                faults: inputs.node_faults(),
                enclave: evidence.key_bundle.hpke_public_key,
                scenario: inputs.scenario.clone(),
            },
            transmitter: Transmitter {
                devnet,
                genesis,
                wallet: accounts.transmitter.clone(),
                forwarder: plan.deployment.forwarder,
            },
            evidence,
            enclave,
            inputs,
        };
        world.set_up(&plan, &accounts)?;
        Ok(world)
    }

    /// What goes on chain, and into the enclave, before the first tick.
    fn set_up(&mut self, plan: &deploy::Plan, accounts: &Accounts) -> Result<(), Error> {
        for step in &plan.steps {
            self.include(&step.transaction, step.contract)?;
        }
        self.register()?;
        let (cash, claim) = (self.contracts.cash, self.contracts.claim);
        let standing = self.inputs.deployment.instrument.standing;
        self.deposit(&accounts.issuer, claim, standing, self.issuer.inner())?;
        for (maker_idx, wallet) in accounts.makers.iter().enumerate() {
            let (agent, _) = &self.makers[maker_idx];
            let (capacity, inner) = (agent.maker.capacity, agent.client.inner());
            self.deposit(wallet, cash, capacity, inner)?;
        }
        let deposits = self.deposits.clone();
        self.enclave.ask("learn of deposits", &Command::Inform(deposits))?;
        let key = &self.evidence.key_bundle.hpke_public_key;
        let account = |digest: &[u8; 32]| accounts.issuer.sign_hash(&(*digest).into()).as_bytes();
        let brief = self.issuer.brief(key, 0, account)?;
        self.enclave.ask("read the brief", &Command::Brief(brief))?;
        Ok(())
    }

    /// Registers the enclave's key by a DON report.
    fn register(&mut self) -> Result<(), Error> {
        let (now, receiver) = (self.inputs.scenario.start, self.contracts.registry);
        let receivers = self.receivers();
        let report = enrolment::registration(&self.don, &receivers, receiver, &self.evidence, now)
            .map_err(|_| node::Error::Answer { what: "a unanimous DON" })?;
        let outgoing = Outgoing { receiver, report: &report, gas_limit: REPORT_GAS };
        let transaction = self.transmitter.sign(0, &outgoing);
        let receipt = self.include(&transaction, "EnclaveRegistry")?;
        if !evm::mission::delivery(&receipt, &self.emitters()).delivered {
            return Err(Error::Reverted { what: "the enclave's registration" });
        }
        Ok(())
    }

    fn deposit(
        &mut self,
        wallet: &Wallet,
        token: EvmAddress,
        amount: Amount,
        inner: [u8; 32],
    ) -> Result<(), Error> {
        let (pool, value) = (self.contracts.pool, U256::from(amount.units()));
        let first_nonce = u64::from(token == self.contracts.claim);
        let approve = evm::abi::CashToken::approveCall { spender: pool, value };
        let inner = U256::from_be_bytes(inner);
        let deposit = evm::abi::ShieldedPool::depositCall { asset: token, amount: value, inner };
        let sign = |nonce, to, data: Vec<u8>| {
            wallet.sign(nonce, Fees::default(), Call::new(to, data, PARTY_GAS))
        };
        let approve = sign(first_nonce, token, approve.abi_encode());
        self.include(&approve, "the token's approval")?;
        let deposit = sign(first_nonce + 1, pool, deposit.abi_encode());
        let receipt = self.include(&deposit, "ShieldedPool")?;
        self.deposits.extend(evm::mission::facts(&receipt, &self.emitters()));
        Ok(())
    }

    /// Sends a setup transaction and notes it. A failed one is an error.
    fn include(
        &mut self,
        transaction: &RawTransaction,
        what: &'static str,
    ) -> Result<TransactionReceipt, Error> {
        let now = self.inputs.scenario.start;
        let (receipt, included) = self.transmitter.devnet.send(now, &transaction.bytes, what)?;
        if !included.success {
            return Err(Error::Reverted { what });
        }
        self.included.push(included);
        Ok(receipt)
    }

    /// The receivers of the mission's reports.
    pub(crate) fn receivers(&self) -> Contracts {
        Contracts {
            chain_id: self.contracts.chain_id,
            dark_pool: self.contracts.dark_pool,
            confidential_por: self.contracts.por,
        }
    }

    /// Whose logs are facts here.
    pub fn emitters(&self) -> evm::mission::Emitters {
        (&self.contracts).into()
    }

    /// What a node of this world is set up with.
    pub(crate) fn site(&self) -> Result<Site, Error> {
        let inputs = &self.inputs;
        let chain_id = inputs.deployment.chain_id;
        let opening = Opening {
            chain_id,
            seed_commitment: seed_commitment(inputs.seed, chain_id)?,
            workflow: inputs.workflow_source.clone(),
            deployment: inputs.deployment_source.clone(),
            disclosure: inputs.disclosure(),
            scenario: Bytes32(inputs.scenario.hash),
            attestation: self.evidence.document.clone(),
            key_bundle: self.evidence.key_bundle_bytes.clone(),
            configuration: self.evidence.configuration.clone(),
            signer: self.evidence.signer(),
            started: inputs.scenario.start,
        };
        Ok(Site {
            setup: inputs.setup(),
            cron: inputs.workflow.workflow.cron.clone(),
            opening,
            included: self.included.clone(),
            contracts: self.receivers(),
            emitters: self.emitters(),
            price: inputs.deployment.instrument.price,
            scope: self.scope(),
            chain_selector: DEVELOPMENT_SELECTOR,
            door: match inputs.faults.unregistered {
                true => node::Door::Endpoint { url: ENDPOINT.into(), token: TOKEN.into() },
                false => node::Door::Capability,
            },
        })
    }

    /// What its dark pool serves, by the names of its workflow.
    pub fn scope(&self) -> darkpool::Scope {
        let dark_pool = Address(self.contracts.dark_pool.into());
        node::pool::scope(&self.inputs.workflow.workflow, self.contracts.chain_id, dark_pool)
    }

    /// Its dark pool as a capability for DONs, at `now`.
    ///
    /// # Errors
    /// The operating system gives no event loop.
    pub fn into_host(self, now: Timestamp) -> Result<Host<Self>, Error> {
        let place = Place {
            emitters: self.emitters(),
            word: Word {
                chain_id: self.contracts.chain_id,
                dark_pool: Address(self.contracts.dark_pool.into()),
                signer: self.evidence.signer(),
            },
            price: self.inputs.deployment.instrument.price,
        };
        let provider = self.chain.connect();
        Host::new(self, place, provider, now)
            .map_err(|source| Error::Store { what: "a runtime", source })
    }

    /// Has the DON agree on a write and sign it at `now`. `sequence` tells executions apart.
    ///
    /// # Errors
    /// Never while the nodes are healthy.
    pub fn sign(
        &self,
        write: &protocol::Write,
        sequence: u64,
        now: Timestamp,
    ) -> Result<cre::messages::sdk::ReportResponse, Error> {
        let (_, payload) = self.receivers().addressed(write);
        let agreement = self
            .don
            .agree(&vec![Some(payload); self.don.n()])
            .map_err(|_| node::Error::Answer { what: "a unanimous DON" })?;
        Ok(self.don.sign(&agreement, &self.don.stamp(sequence, now)).response())
    }

    /// Hands an envelope to the enclave and returns its signed receipt.
    ///
    /// # Errors
    /// The enclave's refusal, with its reason.
    pub fn order(&mut self, envelope: Vec<u8>) -> Result<Vec<u8>, Error> {
        let asked = Command::Order(envelope);
        let Reply::Receipt(receipt) = self.enclave.ask("take an order", &asked)? else {
            return Err(node::Error::Answer { what: "an order" }.into());
        };
        Ok(receipt)
    }
}

/// A world is what its own dark pool stands on.
impl Enclave for World {
    fn ask(&mut self, what: &'static str, command: &Command) -> Result<Reply, node::Error> {
        self.enclave.ask(what, command)
    }

    fn reach(&mut self, n_events: u64, head: Bytes32) -> Result<(), node::Error> {
        self.enclave.reach(n_events, head)
    }
}

impl Reserves for World {
    fn statements(&mut self, tick: u32, now: Timestamp) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        self.relays.statements(tick, now)
    }
}

impl Transmit for World {
    fn transmit(
        &mut self,
        now: Timestamp,
        receiver: EvmAddress,
        report: &SignedReport,
    ) -> Result<TransactionReceipt, Failure> {
        let gas_limit = engine::Limits::production().evm_write_gas_max;
        self.transmitter.send_next(now, &Outgoing { receiver, report, gas_limit })
    }
}

/// Who stands ready: as given, or drawn.
fn panel(inputs: &Inputs) -> Result<Vec<panel::Maker>, Error> {
    if let Some(given) = &inputs.makers {
        return Ok(given.clone());
    }
    let entropy = entropy(inputs.seed, "panel", inputs.deployment.chain_id)?;
    let supply = inputs.scenario.supply_at(inputs.scenario.start);
    Ok(panel::draw(&inputs.scenario.panel, &entropy, supply, inputs.deployment.request.lot))
}

fn maker_name(maker: &panel::Maker) -> String {
    format!("maker-{}", maker.index)
}

/// Everybody's account on chain.
struct Accounts {
    deployer: Wallet,
    issuer: Wallet,
    transmitter: Wallet,
    makers: Vec<Wallet>,
}

impl Accounts {
    fn of(inputs: &Inputs, panel: &[panel::Maker]) -> Result<Self, Error> {
        let chain_id = inputs.deployment.chain_id;
        let wallet = |party: &str| {
            let key = entropy(inputs.seed, party, chain_id)?.draw("wallet", 0);
            Wallet::new(&B256::from(key), chain_id).map_err(|_| Error::Key)
        };
        Ok(Self {
            deployer: wallet("deployer")?,
            issuer: wallet("issuer")?,
            transmitter: wallet("transmitter")?,
            makers: panel
                .iter()
                .map(|maker| wallet(&maker_name(maker)))
                .collect::<Result<_, _>>()?,
        })
    }

    fn addresses(&self) -> impl Iterator<Item = EvmAddress> {
        let own = [&self.deployer, &self.issuer, &self.transmitter];
        own.into_iter().chain(&self.makers).map(Wallet::address)
    }
}

/// Where contracts will be, the DON that they believe, and the workflow it runs. Addresses depend on nonces only, so
/// they are known before what is to be committed to: the workflow is given them before its id is known.
struct Ground {
    contracts: Deployment,
    don: Don,
    /// What the workflow's module is given.
    config: Vec<u8>,
    deployment: deploy::DeployConfig,
}

impl Ground {
    fn of(
        guest: Option<Guest>,
        inputs: &Inputs,
        panel: &[panel::Maker],
        accounts: &Accounts,
    ) -> Result<Self, Error> {
        let signers = signers(inputs)?;
        let nodes: Vec<Address> = signers.iter().map(don::address).collect();
        let mut deployment = deploy_config(inputs, &nodes, panel, accounts);
        let contracts = deploy::plan(&deployment)?.deployment;
        let guest = guest.unwrap_or_else(|| recovery_guest(inputs, &contracts));
        let owner = Address(accounts.issuer.address().into());
        let identity = WorkflowIdentity::new(owner, &guest.name, &guest.binary, &guest.config);
        let faults_max = usize::try_from(inputs.deployment.don.faults_max).unwrap_or(usize::MAX);
        let don = Don::new(signers, faults_max, 1, 1, identity);
        deployment.workflow = enrolment::workflow_of(don.workflow());
        Ok(Self { contracts, don, config: guest.config, deployment })
    }

    /// The deployment, for an issuer and the enclave that it trusts.
    fn plan(&self, issuer: &Issuer, workload: [u8; 32]) -> Result<deploy::Plan, Error> {
        let [mandate, position] = issuer.commitments().map(U256::from_be_bytes);
        let workloads = vec![B256::from(workload)];
        let config =
            deploy::DeployConfig { mandate, position, workloads, ..self.deployment.clone() };
        Ok(deploy::plan(&config)?)
    }
}

fn signers(inputs: &Inputs) -> Result<Vec<SigningKey>, Error> {
    let key = |node| {
        let party = entropy(inputs.seed, &format!("node-{node}"), inputs.deployment.chain_id)?;
        SigningKey::from_slice(&party.draw("signer", 0)).map_err(|_| Error::Key)
    };
    (0..inputs.deployment.don.nodes).map(key).collect()
}

/// The recovery's own workflow.
fn recovery_guest(inputs: &Inputs, contracts: &Deployment) -> Guest {
    let config = WorkflowConfig {
        workflow: &inputs.workflow_source,
        deployment: &inputs.deployment_source,
        disclosure: inputs.disclosure(),
        started: inputs.scenario.start,
        chain_selector: DEVELOPMENT_SELECTOR,
        dark_pool: contracts.dark_pool,
        confidential_por: contracts.por,
        recovery_guard: contracts.guard,
        endpoint: inputs.faults.unregistered.then_some(ENDPOINT),
    };
    Guest {
        name: inputs.workflow.workflow.name.clone(),
        binary: MODULE.to_vec(),
        config: config.encode(),
    }
}

/// Issuer, makers and custodian.
struct Parties {
    issuer: Issuer,
    makers: Vec<(MakerAgent, u64)>,
    custodian: Custodian,
}

impl Parties {
    fn of(
        inputs: &Inputs,
        panel: Vec<panel::Maker>,
        accounts: &Accounts,
        ground: &Ground,
    ) -> Result<Self, Error> {
        let (chain_id, start) = (inputs.deployment.chain_id, inputs.scenario.start);
        let (instrument, contracts) = (&inputs.deployment.instrument, &ground.contracts);
        let market = Market {
            chain_id,
            pool: Address(contracts.pool.into()),
            issuer: Address(accounts.issuer.address().into()),
            instrument: INSTRUMENT,
            collateral: Address(contracts.cash.into()),
            consideration: Address(contracts.claim.into()),
            price: [instrument.price_min, instrument.price_max],
            expiry: start + instrument.expiry,
        };
        let mandated = Mandated {
            amount_max: instrument.amount_max,
            premium_max: inputs.deployment.guard.premium_cap,
            standing: instrument.standing,
        };
        let secrets = |party: &str| secrets(inputs.seed, party, chain_id);
        let fill_min = inputs.deployment.request.lot;
        // The issuer's deposit is the first.
        let makers = panel.into_iter().zip(1..).map(|(maker, leaf)| {
            let secrets = secrets(&maker_name(&maker))?;
            Ok((MakerAgent::new(maker, &market, secrets, fill_min), leaf))
        });
        Ok(Self {
            issuer: Issuer::new(mandated, &market, secrets("issuer")?),
            makers: makers.collect::<Result<_, Error>>()?,
            custodian: Custodian::new(secrets("custodian")?, ground.don.n())?,
        })
    }
}

/// Launches the enclave's process. It stops when the result is dropped.
fn launch(inputs: &Inputs, configuration: &[u8], kept: Kept) -> Result<Sealed, Error> {
    let chain_id = inputs.deployment.chain_id;
    let clock = Clock::new(inputs.scenario.start.0 * 1_000);
    let mut options = Options::new(chain_id, entropy(inputs.seed, "enclave", chain_id)?, clock);
    options.tap.clone_from(&inputs.faults.tap);
    let image = inputs.faults.image.as_deref().unwrap_or(host::image::ENCLAVE.elf);
    let mut process = Process::launch(image, configuration, options)?;
    let socket = Box::new(move |frame: &[u8]| process.call(frame).map_err(Into::into));
    Ok(Sealed::new(socket, kept))
}

/// How many are about to trust an enclave.
struct Relying {
    n_makers: usize,
    n_nodes: usize,
}

/// Has the enclave show itself. Whoever is about to trust it checks it on its own.
fn show(
    enclave: &mut Sealed,
    inputs: &Inputs,
    measurements: attestation::Measurements,
    configuration: Vec<u8>,
    who: Relying,
) -> Result<Evidence, Error> {
    let (chain_id, start) = (inputs.deployment.chain_id, inputs.scenario.start);
    let challenge = challenge(seed_commitment(inputs.seed, chain_id)?);
    let asked = Command::Attest { nonce: challenge.to_vec() };
    let Reply::Attested { document, key_bundle } = enclave.ask("attest", &asked)? else {
        return Err(node::Error::Answer { what: "attest" }.into());
    };
    let parties = (0..who.n_makers).map(|maker| format!("maker {maker}"));
    for who in parties.chain(["the issuer".to_owned()]) {
        let expected = client::evidence::Expected { chain_id, measurements, challenge: &challenge };
        client::evidence::check(&document, &key_bundle, expected, start)
            .map_err(|source| Error::Evidence { who, source })?;
    }
    let expected = Expected { chain_id, measurements, challenge: &challenge };
    let check = |node: usize| {
        check_evidence(&format!("node {node}"), &document, &key_bundle, expected, start)
    };
    let (bundle, trust) = check(0)?;
    (1..who.n_nodes).try_for_each(|node| check(node).map(drop))?;
    Ok(Evidence {
        key_bundle: bundle,
        document,
        key_bundle_bytes: key_bundle,
        configuration,
        expected: measurements,
        trust,
    })
}

fn deploy_config(
    inputs: &Inputs,
    nodes: &[Address],
    panel: &[panel::Maker],
    accounts: &Accounts,
) -> deploy::DeployConfig {
    let guardian = accounts.issuer.address();
    let mints = panel.iter().zip(&accounts.makers).map(|(maker, wallet)| deploy::Mint {
        token: deploy::Token::Cash,
        to: wallet.address(),
        amount: maker.capacity.units(),
    });
    let standing = deploy::Mint {
        token: deploy::Token::Claim,
        to: accounts.issuer.address(),
        amount: inputs.deployment.instrument.standing.units(),
    };
    deploy::DeployConfig {
        deployer: accounts.deployer.clone(),
        deployer_nonce: 0,
        issuer: accounts.issuer.clone(),
        issuer_nonce: 0,
        fees: Fees::default(),
        don: deploy::Don {
            id: 1,
            config_version: 1,
            f: u8::try_from(inputs.deployment.don.faults_max).unwrap_or(u8::MAX),
            signers: nodes.iter().map(|address| address.0.into()).collect(),
        },
        // Filled in once the addresses are known that its id depends on; workload, mandate and position likewise.
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
        workloads: vec![B256::ZERO],
        disclosure: inputs.disclosure(),
        ciphertext_len: pool::notice::SEALED_LEN as u64,
        mandate: U256::ZERO,
        position: U256::ZERO,
        verifier: deploy::Verifier::Development(evm::abi::ClearingVerifier::BYTECODE.clone()),
        mints: mints.chain([standing]).collect(),
    }
}

fn configuration(
    inputs: &Inputs,
    accounts: &Accounts,
    ground: &Ground,
    parties: &Parties,
) -> Configuration {
    let contracts = &ground.contracts;
    Configuration {
        chain_id: contracts.chain_id,
        dark_pool: Address(contracts.dark_pool.into()),
        shielded_pool: Address(contracts.pool.into()),
        registry: Address(contracts.registry.into()),
        issuer: Address(accounts.issuer.address().into()),
        collateral: Address(contracts.cash.into()),
        consideration: Address(contracts.claim.into()),
        custodian: parties.custodian.public_key(),
        don: ground.don.addresses(),
        not_after: inputs.scenario.start + inputs.deployment.instrument.expiry,
        ..enrolment::policy(&inputs.workflow, &inputs.deployment)
    }
}
