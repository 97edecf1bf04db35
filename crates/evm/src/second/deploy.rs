//! Deploying the second system: as [`crate::deploy`], whose rules and errors it has, with the pool and the venue of the
//! second design.
//!
//! The issuer's mandate and account are not in it: both name the venue, whose address the plan only makes, and the
//! account is opened with a proof.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::Provider;
use alloy::rpc::types::TransactionReceipt;
use alloy::sol_types::SolConstructor as _;
use pool::second::context;
use primitives::Disclosure;

use super::abi::{
    AbsorbVerifier, AccountVerifier, ClearVerifier, DarkPool, DarkPoolDeployment, ShieldedPool,
    SpendVerifier, StatusHash,
};
use crate::deploy::{
    Common, DeployError, Don, Gas, Ground, GuardParameters, Mint, Plan, Signer, Timelock, Token,
    Verifier, send_all,
};
use crate::mission::Emitters;
use crate::report::Workflow;
use crate::{Fees, Wallet};

/// Shortest settle window that the pool takes, seconds. Source: `SETTLE_WINDOW_MIN`.
const WINDOW_MIN: u64 = 60;
/// Longest. Source: `SETTLE_WINDOW_MAX`.
const WINDOW_MAX: u64 = 3_600;
/// Seconds from a settlement to the next closing, at least. Source: the pool's `GRACE`.
const GRACE: u64 = 120;

/// Everything a deployment depends on.
#[derive(Clone, Debug)]
pub struct DeployConfig {
    /// Signs all but the issuer's transactions; its chain id is that of the deployment.
    pub deployer: Wallet,
    /// First nonce of the deployer.
    pub deployer_nonce: u64,
    /// Registers mandates, moves the account and owns the stablecoin.
    pub issuer: Wallet,
    /// First nonce of the issuer.
    pub issuer_nonce: u64,
    /// Of every transaction.
    pub fees: Fees,
    /// Gas limit of every transaction: [`crate::gas::ceiling`] of the chain.
    pub gas_limit: u64,
    /// Whose reports the forwarder takes.
    pub don: Don,
    /// Whose reports the contracts take.
    pub workflow: Workflow,
    /// Owner of the contracts, except for the pool, which has none.
    pub timelock: Timelock,
    /// May stop minting, revoke enclaves and withdraw workloads, and nothing else.
    pub guardian: Address,
    /// How often and how dear.
    pub guard: GuardParameters,
    /// First answer of the price feed: consideration units per collateral unit, 8 decimals.
    pub price: u64,
    /// Seconds a price may be old at a closing.
    pub price_age_max: u64,
    /// Measurements that may register, as `EnclaveRegistry` takes them.
    pub workloads: Vec<B256>,
    /// When outcomes become public.
    pub disclosure: Disclosure,
    /// The most collateral that the pool will ever owe, base units, 1 to 2^112 - 1.
    pub cash_max: u128,
    /// The same of the consideration.
    pub claim_max: u128,
    /// Seconds from a closing to the last instant at which its round settles, 60 to 3,600.
    pub settle_window: u64,
    /// Seconds from one closing to the next, at least the window and two minutes.
    pub tick: u64,
    /// Check the relations.
    pub verifiers: Verifiers,
    /// First balances of the demo tokens, in this order.
    pub mints: Vec<Mint>,
}

/// One a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifiers {
    /// Of `absorb` for 16 leaves.
    pub absorb: Verifier,
    /// Of `absorb` for 64. Without one no more than 16 are taken at once.
    pub absorb_many: Option<Verifier>,
    /// Of `spend`.
    pub spend: Verifier,
    /// Of `account`.
    pub account: Verifier,
    /// Of `clear`.
    pub clear: Verifier,
}

impl Verifiers {
    /// The committed ones, whose keys anyone can make: for chain 31337 only.
    #[must_use]
    pub fn development() -> Self {
        let of = |code: &Bytes| Verifier::Development(code.clone());
        Self {
            absorb: of(&AbsorbVerifier::BYTECODE),
            absorb_many: None,
            spend: of(&SpendVerifier::BYTECODE),
            account: of(&AccountVerifier::BYTECODE),
            clear: of(&ClearVerifier::BYTECODE),
        }
    }

    /// Whether one of them is for development, by what is said of it or by what it is.
    fn is_development(&self) -> bool {
        let Self { absorb, absorb_many, spend, account, clear } = self;
        let all = [absorb, spend, account, clear].into_iter().chain(absorb_many);
        let committed = [
            &AbsorbVerifier::BYTECODE,
            &SpendVerifier::BYTECODE,
            &AccountVerifier::BYTECODE,
            &ClearVerifier::BYTECODE,
        ];
        all.into_iter().any(|verifier| match verifier {
            Verifier::Development(_) => true,
            Verifier::Ceremony(code) => committed.contains(&code),
        })
    }
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
    /// Tokens, trees and accounts. Nobody's.
    pub pool: Address,
    /// Attempts, premium cap, halt.
    pub guard: Address,
    /// Enclave keys.
    pub registry: Address,
    /// Attestations of reserves.
    pub por: Address,
    /// Opens status commitments.
    pub status_hash: Address,
    /// Of `absorb` for 16 leaves.
    pub absorb_verifier: Address,
    /// Of `absorb` for 64; zero if there is none.
    pub absorb_many_verifier: Address,
    /// Of `spend`.
    pub spend_verifier: Address,
    /// Of `account`.
    pub account_verifier: Address,
    /// Of `clear`.
    pub clear_verifier: Address,
    /// The venue: requests and rounds of one issuer.
    pub dark_pool: Address,
    /// Asks the guard before it mints.
    pub stablecoin: Address,
}

impl Deployment {
    /// The pool on its chain, as contexts name it.
    #[must_use]
    pub fn context(&self) -> context::Deployment {
        context::Deployment { chain_id: self.chain_id, pool: self.pool.into() }
    }

    /// The venue, as terms, mandates and accounts name it.
    #[must_use]
    pub fn venue(&self) -> pool::Fr {
        self.context().venue(&self.dark_pool.into())
    }
}

impl From<&Deployment> for Emitters {
    fn from(deployment: &Deployment) -> Self {
        let Deployment { forwarder, dark_pool, pool, por, guard, .. } = *deployment;
        Self { forwarder, dark_pool, pool, por, guard }
    }
}

/// Computes addresses and transactions.
///
/// # Errors
/// If the configuration contradicts itself, a contract would refuse it, or it uses development keys or verifiers off
/// chain 31337.
pub fn plan(config: &DeployConfig) -> Result<Plan<Deployment>, DeployError> {
    let common = config.common();
    common.check()?;
    config.check()?;
    let gas = Gas { create: config.gas_limit, call: config.gas_limit };
    let mut signer = Signer::new(&common, gas);

    let Ground { forwarder, cash, claim, price_feed, timelock } = signer.ground();
    let guard = signer.guard(timelock);
    let registry = signer.registry(forwarder);
    let status_hash = signer.create("StatusHash", &StatusHash::BYTECODE, &[]);
    let mut verifier = |contract, verifier: &Verifier| {
        let (Verifier::Development(code) | Verifier::Ceremony(code)) = verifier;
        signer.create(contract, code, &[])
    };
    let Verifiers { absorb, absorb_many, spend, account, clear } = &config.verifiers;
    let absorb_verifier = verifier("AbsorbVerifier", absorb);
    let absorb_many_verifier = absorb_many.as_ref();
    let absorb_many_verifier =
        absorb_many_verifier.map_or(Address::ZERO, |many| verifier("AbsorbManyVerifier", many));
    let spend_verifier = verifier("SpendVerifier", spend);
    let account_verifier = verifier("AccountVerifier", account);
    let clear_verifier = verifier("ClearVerifier", clear);
    let pool = ShieldedPool::constructorCall {
        assets: vec![cash, claim],
        caps: [config.cash_max, config.claim_max].map(U256::from).to_vec(),
        settleWindow_: U256::from(config.settle_window),
        v: ShieldedPool::Verifiers {
            absorb: absorb_verifier,
            absorbMany: absorb_many_verifier,
            spend: spend_verifier,
            account: account_verifier,
            clear: clear_verifier,
        },
    };
    let pool = signer.create("ShieldedPool", &ShieldedPool::BYTECODE, &pool.abi_encode());
    let dark_pool = DarkPool::constructorCall {
        d: DarkPoolDeployment {
            owner: timelock,
            issuer: config.issuer.address(),
            forwarder,
            workflowId: config.workflow.id,
            workflowOwner: config.workflow.owner,
            pool,
            statusHash: status_hash,
            registry,
            guard,
            priceFeed: price_feed,
            priceAgeMax: U256::from(config.price_age_max),
            tick: U256::from(config.tick),
            disclosure: config.disclosure.to_bit(),
        },
    };
    let dark_pool = signer.create("DarkPool", &DarkPool::BYTECODE, &dark_pool.abi_encode());
    let (por, stablecoin) = signer.reserves(timelock, forwarder, guard, registry, dark_pool);
    signer.hand_over(guard, registry, timelock, dark_pool, por);
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
        status_hash,
        absorb_verifier,
        absorb_many_verifier,
        spend_verifier,
        account_verifier,
        clear_verifier,
        dark_pool,
        stablecoin,
    };
    Ok(Plan { deployment, steps: signer.steps })
}

/// Plans and sends, as [`crate::deploy::deploy`] does.
///
/// # Errors
/// See [`DeployError`]; the steps before the one that failed stay deployed.
pub async fn deploy(
    provider: &impl Provider,
    config: &DeployConfig,
) -> Result<(Plan<Deployment>, Vec<TransactionReceipt>), DeployError> {
    let plan = plan(config)?;
    let receipts = send_all(provider, plan.deployment.chain_id, &plan.steps).await?;
    Ok((plan, receipts))
}

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
            is_development: self.verifiers.is_development(),
        }
    }

    /// What the constructors of pool and venue would refuse: an address would be taken up for nothing.
    fn check(&self) -> Result<(), DeployError> {
        let Self { settle_window, tick, cash_max, claim_max, .. } = *self;
        for (asset, cap) in [(Token::Cash, cash_max), (Token::Claim, claim_max)] {
            if cap == 0 || cap >= pool::AMOUNT_END {
                return Err(DeployError::Cap { asset, cap });
            }
        }
        if !(WINDOW_MIN..=WINDOW_MAX).contains(&settle_window) {
            return Err(DeployError::Window { seconds: settle_window });
        }
        let min = settle_window + GRACE;
        if tick < min {
            return Err(DeployError::Tick { seconds: tick, min });
        }
        Ok(())
    }
}
