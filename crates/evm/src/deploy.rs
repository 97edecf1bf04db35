//! Deploying the whole system: a list of signed transactions, and sending them.
//!
//! [`plan`] computes everything, addresses included, from the configuration alone: the same
//! configuration gives the same bytes, so a deployment can be journaled before it is sent and
//! resumed after a crash.

use alloy::primitives::{Address, B256, Bytes, I256, TxHash, TxKind, U256};
use alloy::providers::Provider;
use alloy::rpc::types::TransactionReceipt;
use alloy::sol_types::{SolCall, SolConstructor};
use alloy::transports::TransportError;
use primitives::Disclosure;

use crate::abi::{
    CashToken, ClaimToken, ConfidentialPoR, DarkPool, DarkPoolDeployment, DemoStablecoin,
    EnclaveRegistry, KeystoneForwarder, PriceFeed, RecoveryGuard, ShieldedPool, TimelockController,
};
use crate::report::Workflow;
use crate::{
    Call, DEVELOPMENT_CHAIN_ID, Fees, RawTransaction, SendError, Wallet, development_wallets, send,
};

/// Everything a deployment depends on.
#[derive(Clone, Debug)]
pub struct DeployConfig {
    /// Signs all but the issuer's transactions; its chain id is that of the deployment. Afterwards
    /// it owns the demo's cash, claims and price feed, and the forwarder, which on a public network
    /// is Chainlink's.
    pub deployer: Wallet,
    /// First nonce of the deployer.
    pub deployer_nonce: u64,
    /// Registers the mandate and owns the stablecoin.
    pub issuer: Wallet,
    /// First nonce of the issuer.
    pub issuer_nonce: u64,
    /// Of every transaction.
    pub fees: Fees,
    /// Whose reports the forwarder takes.
    pub don: Don,
    /// Whose reports the contracts take.
    pub workflow: Workflow,
    /// Owner of the contracts.
    pub timelock: Timelock,
    /// May stop minting, revoke enclaves and withdraw workloads, and nothing else.
    pub guardian: Address,
    /// How often and how dear.
    pub guard: GuardParameters,
    /// First answer of the price feed: consideration units per collateral unit, 8 decimals.
    pub price: u64,
    /// Seconds a price may be old.
    pub price_age_max: u64,
    /// Measurements that may register, as `EnclaveRegistry` takes them.
    pub workloads: Vec<B256>,
    /// When outcomes become public.
    pub disclosure: Disclosure,
    /// Bytes of each of the five ciphertexts of a settlement.
    pub ciphertext_len: u64,
    /// The issuer's mandate, a commitment.
    pub mandate: U256,
    /// The issuer's position before anything settled, a commitment.
    pub position: U256,
    /// Checks the clearing statement.
    pub verifier: Verifier,
    /// First balances of the demo tokens, in this order.
    pub mints: Vec<Mint>,
}

/// The nodes that sign reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Don {
    /// Of the DON.
    pub id: u32,
    /// Of its set of signers.
    pub config_version: u32,
    /// How many nodes may fail; a report carries f + 1 signatures.
    pub f: u8,
    /// More than 3f, at most 31.
    pub signers: Vec<Address>,
}

/// A `TimelockController` that administers itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timelock {
    /// Seconds between proposal and execution.
    pub delay_min: u64,
    /// May propose and cancel.
    pub proposers: Vec<Address>,
    /// May execute; the zero address means anyone.
    pub executors: Vec<Address>,
}

/// Of the `RecoveryGuard`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardParameters {
    /// Expired requests after which recovery halts.
    pub attempts_max: u64,
    /// No request offers more, basis points.
    pub premium_cap_bps: u16,
    /// Premium of each attempt, ascending, basis points.
    pub escalation_bps: Vec<u16>,
}

/// Creation code of the verifier, by where its key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// Whoever knows the seed, which is public, can prove anything: chain id 31337 only.
    Development(Bytes),
    /// Key of a ceremony.
    Ceremony(Bytes),
}

/// A demo token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The collateral.
    Cash,
    /// The consideration.
    Claim,
    /// What the issuer issues.
    Stablecoin,
}

/// A first balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mint {
    /// Of which token.
    pub token: Token,
    /// Who gets it.
    pub to: Address,
    /// Base units, 6 decimals.
    pub amount: u128,
}

/// Where everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Deployment {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Checks the DON's signatures.
    pub forwarder: Address,
    /// Collateral.
    pub cash: Address,
    /// Consideration.
    pub claim: Address,
    /// Consideration units per collateral unit, 8 decimals.
    pub price_feed: Address,
    /// Owner of guard, registry, proof of reserve and dark pool.
    pub timelock: Address,
    /// The notes.
    pub pool: Address,
    /// Attempts, premium cap, halt.
    pub guard: Address,
    /// Enclave keys.
    pub registry: Address,
    /// Attestations of reserves.
    pub por: Address,
    /// Of the clearing statement.
    pub verifier: Address,
    /// Requests and settlements.
    pub dark_pool: Address,
    /// Asks the guard before it mints.
    pub stablecoin: Address,
}

/// One transaction of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Name of the contract created or called.
    pub contract: &'static str,
    /// What is called; `constructor` if the contract is created.
    pub function: &'static str,
    /// Address of the contract.
    pub address: Address,
    /// Ready to send.
    pub transaction: RawTransaction,
}

/// A deployment before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<D = Deployment> {
    /// Where everything will be.
    pub deployment: D,
    /// In the order of sending.
    pub steps: Vec<Step>,
}

/// Why nothing, or not everything, is deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The verifier's key is known to everyone.
    #[error(
        "a development verifier is refused on chain {chain_id}; only {DEVELOPMENT_CHAIN_ID} takes one"
    )]
    DevelopmentVerifier {
        /// Of the deployment.
        chain_id: u64,
    },
    /// An account's key is known to everyone.
    #[error("the {role} {address} is a public development account, refused on chain {chain_id}")]
    DevelopmentKey {
        /// Whose.
        role: &'static str,
        /// The account.
        address: Address,
        /// Of the deployment.
        chain_id: u64,
    },
    /// Two wallets are for different chains.
    #[error("the issuer's wallet is for chain {issuer}, the deployer's for {deployer}")]
    Wallets {
        /// EIP-155 chain id.
        deployer: u64,
        /// EIP-155 chain id.
        issuer: u64,
    },
    /// The deployer and the issuer would take the same nonces.
    #[error("deployer and issuer are one account, {address}")]
    OneAccount {
        /// The account.
        address: Address,
    },
    /// The pool would refuse such a window.
    #[error("a settle window of {seconds} s is refused; the pool takes 60 s to 3,600 s")]
    Window {
        /// Seconds.
        seconds: u64,
    },
    /// The pool would refuse such a cap.
    #[error("a cap of {cap} base units on {asset:?} is refused; the pool takes 1 to 2^112 - 1")]
    Cap {
        /// Of what.
        asset: Token,
        /// Base units.
        cap: u128,
    },
    /// A settlement and the grace after it would not fit between two closings.
    #[error(
        "a tick of {seconds} s is refused, the pool's window and grace take {min} s; hint: a longer tick or a \
         shorter settle window"
    )]
    Tick {
        /// From one closing to the next, seconds.
        seconds: u64,
        /// The least, seconds.
        min: u64,
    },
    /// The forwarder would refuse such a DON.
    #[error("a DON of {n} nodes cannot have {f} faulty ones; f > 0, n > 3f and n <= 31")]
    Don {
        /// Nodes.
        n: usize,
        /// Faulty ones.
        f: u8,
    },
    /// The provider is connected to another chain.
    #[error("the deployment is for chain {expected}, the provider is connected to {found}")]
    ChainId {
        /// Of the deployment.
        expected: u64,
        /// Of the provider.
        found: u64,
    },
    /// The chain does not answer.
    #[error("the chain does not say its id")]
    Unreachable(#[source] TransportError),
    /// A transaction got no receipt.
    #[error("{contract}.{function} cannot be sent")]
    Send {
        /// Of the step.
        contract: &'static str,
        /// Of the step.
        function: &'static str,
        /// Why.
        #[source]
        source: Box<SendError>,
    },
    /// A transaction failed.
    #[error("{contract}.{function} failed in transaction {hash}")]
    Failed {
        /// Of the step.
        contract: &'static str,
        /// Of the step.
        function: &'static str,
        /// The transaction.
        hash: TxHash,
    },
}

/// Computes addresses and transactions.
///
/// # Errors
/// If the configuration contradicts itself, or uses development keys or verifier off chain 31337.
pub fn plan(config: &DeployConfig) -> Result<Plan, DeployError> {
    let common = config.common();
    common.check()?;
    let mut signer = Signer::new(&common, Gas { create: CREATE_GAS, call: CALL_GAS });
    let issuer = config.issuer.address();
    let Workflow { id: workflow_id, owner: workflow_owner, .. } = config.workflow;

    let Ground { forwarder, cash, claim, price_feed, timelock } = signer.ground();
    let pool = ShieldedPool::constructorCall { assets: vec![cash, claim] };
    let pool = signer.create("ShieldedPool", &ShieldedPool::BYTECODE, &pool.abi_encode());
    let guard = signer.guard(timelock);
    let registry = signer.registry(forwarder);
    let (Verifier::Development(code) | Verifier::Ceremony(code)) = &config.verifier;
    let verifier = signer.create("ClearingVerifier", code, &[]);
    let dark_pool = DarkPool::constructorCall {
        d: DarkPoolDeployment {
            owner: timelock,
            issuer,
            forwarder,
            workflowId: workflow_id,
            workflowOwner: workflow_owner,
            pool,
            verifier,
            registry,
            guard,
            priceFeed: price_feed,
            priceAgeMax: U256::from(config.price_age_max),
            ciphertextLen: U256::from(config.ciphertext_len),
            disclosure: config.disclosure.to_bit(),
        },
    };
    let dark_pool = signer.create("DarkPool", &DarkPool::BYTECODE, &dark_pool.abi_encode());
    let (por, stablecoin) = signer.reserves(timelock, forwarder, guard, registry, dark_pool);

    let wire = ShieldedPool::wireCall { darkPool_: dark_pool };
    signer.call(Party::Deployer, "ShieldedPool", "wire", pool, &wire);
    signer.hand_over(guard, registry, timelock, dark_pool, por);
    let register =
        DarkPool::registerMandateCall { mandate_: config.mandate, position_: config.position };
    signer.call(Party::Issuer, "DarkPool", "registerMandate", dark_pool, &register);
    signer.mint(cash, claim, stablecoin);

    let deployment = Deployment {
        chain_id: config.deployer.chain_id(),
        forwarder,
        cash,
        claim,
        price_feed,
        timelock,
        pool,
        guard,
        registry,
        por,
        verifier,
        dark_pool,
        stablecoin,
    };
    Ok(Plan { deployment, steps: signer.steps })
}

/// Plans and sends. Called again after a crash, it goes on where it stopped, because what is
/// included already is not sent twice.
///
/// # Errors
/// See [`DeployError`]; the steps before the one that failed stay deployed.
pub async fn deploy(
    provider: &impl Provider,
    config: &DeployConfig,
) -> Result<(Plan, Vec<TransactionReceipt>), DeployError> {
    let plan = plan(config)?;
    let receipts = send_all(provider, plan.deployment.chain_id, &plan.steps).await?;
    Ok((plan, receipts))
}

/// Sends what is not included yet, in order.
pub(crate) async fn send_all(
    provider: &impl Provider,
    expected: u64,
    steps: &[Step],
) -> Result<Vec<TransactionReceipt>, DeployError> {
    let found = provider.get_chain_id().await.map_err(DeployError::Unreachable)?;
    if found != expected {
        return Err(DeployError::ChainId { expected, found });
    }
    let mut receipts = Vec::with_capacity(steps.len());
    for Step { contract, function, transaction, .. } in steps {
        let receipt = send(provider, &transaction.bytes)
            .await
            .map_err(|source| DeployError::Send { contract, function, source: source.into() })?;
        if !receipt.status() {
            return Err(DeployError::Failed { contract, function, hash: transaction.hash });
        }
        receipts.push(receipt);
    }
    Ok(receipts)
}

/// Seconds from an enclave key's registration to its first use: the least that `EnclaveRegistry` takes. None on
/// the chain for development, whose missions begin with a registration.
const fn activation_delay(chain_id: u64) -> u64 {
    if chain_id == DEVELOPMENT_CHAIN_ID { 0 } else { 3_600 }
}

/// Of every creation, gas: twice what the dearest, `DarkPool`, takes, and below the cap of EIP-7825.
const CREATE_GAS: u64 = 8_000_000;

/// Of every call, gas: twice what the dearest takes, `setConfig` of 31 nodes.
const CALL_GAS: u64 = 4_000_000;

impl DeployConfig {
    fn common(&self) -> Common<'_> {
        Common {
            deployer: &self.deployer,
            deployer_nonce: self.deployer_nonce,
            issuer: &self.issuer,
            issuer_nonce: self.issuer_nonce,
            fees: self.fees,
            don: &self.don,
            workflow: self.workflow,
            timelock: &self.timelock,
            guardian: self.guardian,
            guard: &self.guard,
            price: self.price,
            workloads: &self.workloads,
            mints: &self.mints,
            is_development: matches!(self.verifier, Verifier::Development(_)),
        }
    }
}

/// What a deployment of either design depends on.
#[derive(Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) deployer: &'a Wallet,
    pub(crate) deployer_nonce: u64,
    pub(crate) issuer: &'a Wallet,
    pub(crate) issuer_nonce: u64,
    pub(crate) fees: Fees,
    pub(crate) don: &'a Don,
    pub(crate) workflow: Workflow,
    pub(crate) timelock: &'a Timelock,
    pub(crate) guardian: Address,
    pub(crate) guard: &'a GuardParameters,
    pub(crate) price: u64,
    pub(crate) workloads: &'a [B256],
    pub(crate) mints: &'a [Mint],
    /// Whether a verifier's key is known to everyone.
    pub(crate) is_development: bool,
}

impl Common<'_> {
    pub(crate) fn check(&self) -> Result<(), DeployError> {
        let chain_id = self.deployer.chain_id();
        if self.issuer.chain_id() != chain_id {
            let issuer = self.issuer.chain_id();
            return Err(DeployError::Wallets { deployer: chain_id, issuer });
        }
        if self.issuer.address() == self.deployer.address() {
            return Err(DeployError::OneAccount { address: self.issuer.address() });
        }
        let (n, f) = (self.don.signers.len(), self.don.f);
        if f == 0 || n <= 3 * usize::from(f) || n > 31 {
            return Err(DeployError::Don { n, f });
        }
        if chain_id == DEVELOPMENT_CHAIN_ID {
            return Ok(());
        }
        if self.is_development {
            return Err(DeployError::DevelopmentVerifier { chain_id });
        }
        let parties = [
            ("deployer", self.deployer.address()),
            ("issuer", self.issuer.address()),
            ("guardian", self.guardian),
            ("workflow owner", self.workflow.owner),
        ];
        let nodes = self.don.signers.iter().map(|node| ("DON node", *node));
        let proposers = self.timelock.proposers.iter().map(|account| ("proposer", *account));
        let public = development_wallets(chain_id).map(|wallet| wallet.address());
        let mut all = parties.into_iter().chain(nodes).chain(proposers);
        match all.find(|(_, one)| public.contains(one)) {
            Some((role, address)) => Err(DeployError::DevelopmentKey { role, address, chain_id }),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Party {
    Deployer,
    Issuer,
}

/// Limits of transactions, gas.
#[derive(Clone, Copy)]
pub(crate) struct Gas {
    pub(crate) create: u64,
    pub(crate) call: u64,
}

/// What stands before the first contract of ours.
pub(crate) struct Ground {
    pub(crate) forwarder: Address,
    pub(crate) cash: Address,
    pub(crate) claim: Address,
    pub(crate) price_feed: Address,
    pub(crate) timelock: Address,
}

/// Signs one transaction after the other.
pub(crate) struct Signer<'a> {
    common: Common<'a>,
    gas: Gas,
    /// Of deployer and issuer.
    nonces: [u64; 2],
    pub(crate) steps: Vec<Step>,
}

impl<'a> Signer<'a> {
    pub(crate) fn new(common: &Common<'a>, gas: Gas) -> Self {
        let nonces = [common.deployer_nonce, common.issuer_nonce];
        Self { common: *common, gas, nonces, steps: Vec::new() }
    }

    /// Forwarder with its DON, tokens, feed and timelock.
    pub(crate) fn ground(&mut self) -> Ground {
        let Common { don, timelock, price, .. } = self.common;
        let deployer = self.common.deployer.address();
        let forwarder = self.create("KeystoneForwarder", &KeystoneForwarder::BYTECODE, &[]);
        let config = KeystoneForwarder::setConfigCall {
            donId: don.id,
            configVersion: don.config_version,
            f: don.f,
            signers: don.signers.clone(),
        };
        self.call(Party::Deployer, "KeystoneForwarder", "setConfig", forwarder, &config);
        let cash = CashToken::constructorCall { owner_: deployer };
        let cash = self.create("CashToken", &CashToken::BYTECODE, &cash.abi_encode());
        let claim = ClaimToken::constructorCall { owner_: deployer };
        let claim = self.create("ClaimToken", &ClaimToken::BYTECODE, &claim.abi_encode());
        let feed = PriceFeed::constructorCall {
            owner_: deployer,
            answer_: I256::try_from(price).expect("256 bits hold 64"),
        };
        let price_feed = self.create("PriceFeed", &PriceFeed::BYTECODE, &feed.abi_encode());
        let timelock = TimelockController::constructorCall {
            minDelay: U256::from(timelock.delay_min),
            proposers: timelock.proposers.clone(),
            executors: timelock.executors.clone(),
            admin: Address::ZERO,
        };
        let code = &TimelockController::BYTECODE;
        let timelock = self.create("TimelockController", code, &timelock.abi_encode());
        Ground { forwarder, cash, claim, price_feed, timelock }
    }

    pub(crate) fn guard(&mut self, timelock: Address) -> Address {
        let Common { guard, guardian, .. } = self.common;
        let guard = RecoveryGuard::constructorCall {
            owner_: timelock,
            guardian_: guardian,
            attemptsMax_: U256::from(guard.attempts_max),
            premiumCapBps_: U256::from(guard.premium_cap_bps),
            escalationBps_: guard.escalation_bps.iter().map(|bps| U256::from(*bps)).collect(),
        };
        self.create("RecoveryGuard", &RecoveryGuard::BYTECODE, &guard.abi_encode())
    }

    /// The deployer owns the registry until it has allowed the first workloads, which through the timelock would
    /// take a delay.
    pub(crate) fn registry(&mut self, forwarder: Address) -> Address {
        let Common { deployer, guardian, workflow, .. } = self.common;
        let registry = EnclaveRegistry::constructorCall {
            owner_: deployer.address(),
            guardian_: guardian,
            forwarder_: forwarder,
            workflowId_: workflow.id,
            workflowOwner_: workflow.owner,
            activationDelay_: activation_delay(deployer.chain_id()),
        };
        self.create("EnclaveRegistry", &EnclaveRegistry::BYTECODE, &registry.abi_encode())
    }

    /// The proof of reserve, and the coin that it is for.
    pub(crate) fn reserves(
        &mut self,
        timelock: Address,
        forwarder: Address,
        guard: Address,
        registry: Address,
        dark_pool: Address,
    ) -> (Address, Address) {
        let Common { workflow, issuer, .. } = self.common;
        let por = ConfidentialPoR::constructorCall {
            owner_: timelock,
            forwarder_: forwarder,
            workflowId_: workflow.id,
            workflowOwner_: workflow.owner,
            guard_: guard,
            registry_: registry,
            darkPool_: dark_pool,
        };
        let por = self.create("ConfidentialPoR", &ConfidentialPoR::BYTECODE, &por.abi_encode());
        let coin = DemoStablecoin::constructorCall { owner_: issuer.address(), guard_: guard };
        let coin = self.create("DemoStablecoin", &DemoStablecoin::BYTECODE, &coin.abi_encode());
        (por, coin)
    }

    /// Wires the guard, and gives the registry with its first workloads to the timelock.
    pub(crate) fn hand_over(
        &mut self,
        guard: Address,
        registry: Address,
        timelock: Address,
        dark_pool: Address,
        por: Address,
    ) {
        let wire = RecoveryGuard::wireCall { darkPool_: dark_pool, por_: por };
        self.call(Party::Deployer, "RecoveryGuard", "wire", guard, &wire);
        for workload in self.common.workloads {
            let allow = EnclaveRegistry::allowWorkloadCall { workloadId: *workload };
            self.call(Party::Deployer, "EnclaveRegistry", "allowWorkload", registry, &allow);
        }
        let transfer = EnclaveRegistry::transferOwnershipCall { newOwner: timelock };
        self.call(Party::Deployer, "EnclaveRegistry", "transferOwnership", registry, &transfer);
    }

    pub(crate) fn mint(&mut self, cash: Address, claim: Address, stablecoin: Address) {
        for Mint { token, to, amount } in self.common.mints {
            let (to, amount) = (*to, U256::from(*amount));
            match token {
                Token::Cash => {
                    let mint = CashToken::mintCall { to, amount };
                    self.call(Party::Deployer, "CashToken", "mint", cash, &mint);
                }
                Token::Claim => {
                    let mint = ClaimToken::mintCall { to, amount };
                    self.call(Party::Deployer, "ClaimToken", "mint", claim, &mint);
                }
                Token::Stablecoin => {
                    let mint = DemoStablecoin::mintCall { to, amount };
                    self.call(Party::Issuer, "DemoStablecoin", "mint", stablecoin, &mint);
                }
            }
        }
    }

    pub(crate) fn create(
        &mut self,
        contract: &'static str,
        code: &Bytes,
        arguments: &[u8],
    ) -> Address {
        let address = self.common.deployer.address().create(self.nonces[0]);
        let input = [code, arguments].concat().into();
        let gas_limit = self.gas.create;
        let call = Call { to: TxKind::Create, value: U256::ZERO, input, gas_limit };
        self.push(Party::Deployer, contract, "constructor", address, call);
        address
    }

    pub(crate) fn call(
        &mut self,
        party: Party,
        contract: &'static str,
        function: &'static str,
        address: Address,
        call: &impl SolCall,
    ) {
        let call = Call::new(address, call.abi_encode(), self.gas.call);
        self.push(party, contract, function, address, call);
    }

    fn push(
        &mut self,
        party: Party,
        contract: &'static str,
        function: &'static str,
        address: Address,
        call: Call,
    ) {
        let (wallet, nonce) = match party {
            Party::Deployer => (self.common.deployer, &mut self.nonces[0]),
            Party::Issuer => (self.common.issuer, &mut self.nonces[1]),
        };
        let transaction = wallet.sign(*nonce, self.common.fees, call);
        *nonce += 1;
        self.steps.push(Step { contract, function, address, transaction });
    }
}
