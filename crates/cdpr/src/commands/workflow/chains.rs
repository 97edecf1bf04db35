//! The chains of a simulation: those that the project names, over JSON-RPC, or one in this process. Unless
//! told to broadcast, nothing is sent: a write asks the receiver whether it would take the report from the chain's
//! forwarder, with the gas that the forwarder would leave it.
//!
//! What is wrong with a chain is a warning, and an error of the workflow that uses it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use cre::chains;
use cre::messages::Any;
use devchain::{Genesis, LocalChain};
use don::chain::{Chain, DEVELOPMENT_SELECTOR, Transmitter, WalletTransmitter, id};
use don::{Call, Capability as _, CapabilityError, Code, Registry};
use engine::Limits;
use evm::abi::KeystoneForwarder;
use evm::alloy::primitives::{Address, B256, Bytes};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::sol_types::SolEvent as _;
use evm::alloy::transports::{TransportError, TransportErrorKind};
use evm::report::{Reason, Report, SignedReport};
use evm::revert::Errors;
use evm::trial::{Trial, is_receiver, receiver_gas, trial};
use evm::{Fees, Patience, SendError, Wallet};
use primitives::Timestamp;
use serde_json::json;
use sim::Embedded;

use super::project::{ChainSettings, Project, Unusable};
use super::refuse;
use crate::Failure;
use crate::terminal::note;

/// How long a chain's node may take to say which chain it is, at most. Source: Chainlink's simulator.
const HEALTH_TIME_MAX: Duration = Duration::from_secs(5);

/// What is told of writes, once the execution is over.
pub(crate) type Notes = Rc<RefCell<Vec<String>>>;

/// Connections of one simulation.
#[derive(Debug)]
pub(crate) struct Chains {
    connected: Vec<Connected>,
    unusable: Vec<Unusable>,
    is_local: bool,
    errors: Errors,
    notes: Notes,
}

#[derive(Debug)]
struct Connected {
    selectors: Vec<u64>,
    name: String,
    provider: DynProvider,
    /// `None` where nothing is sent.
    sends: Option<Sends>,
    /// Of simulations; zero where none is known.
    forwarder: Address,
    /// Of deployed workflows, where it is another.
    deployed: Option<Address>,
}

/// Where a broadcast goes to.
#[derive(Debug)]
enum Sends {
    To(Address, Wallet, Fees),
    /// Nowhere, and why.
    Nowhere(String),
}

impl Chains {
    /// Connects to the project's chains. Where there are none, a chain in this process, empty and at `now`,
    /// stands for each chain that CRE knows and that `config` mentions by its selector; or the dark pool's.
    /// `broadcast` sends what is written.
    pub(crate) fn open(
        project: &Project,
        config: &[u8],
        now: Timestamp,
        (broadcast, patience): (bool, Patience),
        dark_pool: Option<&Embedded>,
    ) -> Result<Self, Failure> {
        let (mut connected, mut unusable) = (Vec::new(), project.unusable.clone());
        let key = if broadcast { Some(key(project)?) } else { None };
        for chain in &project.chains {
            match connect(chain, key.as_ref(), patience) {
                Ok(chain) => connected.push(chain),
                Err(chain) => unusable.push(chain),
            }
        }
        for Unusable { name, why, hint, .. } in &unusable {
            note(format_args!("warning: project.yaml: {name}: {why}\n  hint: {hint}"));
        }
        if !broadcast {
            check_health(&project.chains, patience);
        }
        let is_local = !project.names_chains();
        if is_local {
            let text = String::from_utf8_lossy(config);
            let numbers =
                text.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() > 3);
            let mut selectors: BTreeSet<u64> =
                numbers.filter_map(|digits| digits.parse().ok()).collect();
            selectors.extend(chains::CHAINS.iter().map(|chain| chain.selector));
            selectors.insert(DEVELOPMENT_SELECTOR);
            connected.push(Connected {
                selectors: selectors.into_iter().collect(),
                name: "the chain in this process".to_owned(),
                provider: dark_pool.map_or_else(
                    || LocalChain::new(Genesis::development(now.0)).connect(),
                    Embedded::provider,
                ),
                sends: None,
                forwarder: Address::ZERO,
                deployed: None,
            });
        }
        let (errors, notes) = (project.errors.clone(), Notes::default());
        Ok(Self { connected, unusable, is_local, errors, notes })
    }

    /// Names of the chains, for people.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.connected.iter().map(|chain| chain.name.as_str()).collect();
        if names.is_empty() { "none that can be used".to_owned() } else { names.join(", ") }
    }

    /// Whether they are only in this process.
    pub(crate) const fn is_local(&self) -> bool {
        self.is_local
    }

    /// What became of the writes since this was last asked.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.borrow_mut())
    }

    /// Why the project's chain of this capability cannot be used.
    pub(crate) fn unusable(&self, id: &str) -> Option<&Unusable> {
        self.unusable.iter().find(|chain| chain.id.as_deref() == Some(id))
    }

    /// The connection of a chain.
    pub(crate) fn provider(&self, selector: u64) -> Option<&DynProvider> {
        let chain = self.connected.iter().find(|chain| chain.selectors.contains(&selector))?;
        Some(&chain.provider)
    }

    /// Adds each chain's capability.
    pub(crate) fn register<'a>(
        &self,
        registry: &mut Registry<'a>,
        limits: &Limits,
        dark_pool: Option<&'a Embedded>,
    ) -> anyhow::Result<()> {
        for chain in &self.connected {
            let Connected { provider, name, sends, forwarder, deployed, .. } = chain;
            let transmitter = match (sends, dark_pool) {
                (None, Some(world)) => Sender::Embedded(Box::new(world.transmitter())),
                (Some(Sends::To(forwarder, wallet, fees)), _) => Sender::Wallet(
                    WalletTransmitter::new(provider.clone(), *forwarder, wallet.clone(), *fees)?,
                ),
                (Some(Sends::Nowhere(why)), _) => Sender::Nowhere(why.clone()),
                (None, None) => Sender::DryRun(DryRun {
                    provider: provider.clone(),
                    runtime: event_loop()?,
                    forwarder: *forwarder,
                    deployed: *deployed,
                    chain: name.clone(),
                    errors: self.errors.clone(),
                    notes: self.notes.clone(),
                }),
            };
            let one = Chain::new(provider.clone(), transmitter, limits.clone())?;
            let one = Rc::new(RefCell::new(one.with_errors(self.errors.clone())));
            for selector in &chain.selectors {
                let one = one.clone();
                registry
                    .register(id(*selector), move |call: &Call<'_>| one.borrow_mut().call(call));
            }
        }
        for Unusable { name, id, why, hint } in &self.unusable {
            let Some(id) = id else { continue };
            let message = format!("project.yaml: {name}: {why} (hint: {hint})");
            registry.register(id, move |_: &Call<'_>| -> Result<Any, CapabilityError> {
                Err(CapabilityError::user(Code::FailedPrecondition, message.clone()))
            });
        }
        Ok(())
    }
}

/// A chain whose settings are whole; with a key, one that reports can be sent to.
fn connect(
    chain: &ChainSettings,
    key: Option<&B256>,
    patience: Patience,
) -> Result<Connected, Unusable> {
    let ChainSettings { name, selector, url, forwarder } = chain;
    let unusable = |why: String, hint: &str| Unusable {
        name: name.clone(),
        id: Some(id(*selector)),
        why,
        hint: hint.to_owned(),
    };
    let known = chains::of_selector(*selector);
    let mock = forwarder.as_deref().or_else(|| known?.mock_forwarder);
    let at = |address: Option<&str>| {
        let parsed = address.map(|text| {
            text.parse::<Address>().map_err(|error| {
                let why = format!("forwarder {text:?}: {error}");
                unusable(why, "0x and forty hexadecimal digits")
            })
        });
        parsed.transpose()
    };
    let (mock, deployed) = (at(mock)?, at(known.and_then(|known| known.forwarder))?);
    let provider = don::http::connect_within(url, patience);
    let sends = match (key, mock) {
        (None, _) => None,
        (Some(key), Some(mock)) => {
            let (wallet, fees) = wallet(&provider, key).map_err(|why| {
                unusable(why, "check its URL in project.yaml; --rpc-timeout gives it longer")
            })?;
            Some(Sends::To(mock, wallet, fees))
        }
        (Some(_), None) => Some(Sends::Nowhere(format!(
            "--broadcast: no forwarder of {name} is known for simulations; give the chain under \
             experimental-chains, with its forwarder"
        ))),
    };
    Ok(Connected {
        selectors: vec![*selector],
        name: name.clone(),
        provider,
        sends,
        forwarder: mock.unwrap_or_default(),
        deployed: deployed.filter(|deployed| mock != Some(*deployed)),
    })
}

/// Warns of nodes that do not answer, or are another chain's; asks all of them at once.
fn check_health(chains: &[ChainSettings], patience: Patience) {
    let patience = Patience { in_all: patience.in_all.min(HEALTH_TIME_MAX), ..patience };
    let ask = |chain: &ChainSettings| -> Result<u64, String> {
        let provider = don::http::connect_within(&chain.url, patience);
        let event_loop = event_loop().map_err(|error| error.to_string())?;
        event_loop.block_on(provider.get_chain_id()).map_err(|error| don::words(&error))
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = chains.iter().map(|chain| scope.spawn(move || ask(chain))).collect();
        asked.into_iter().map(|thread| thread.join().ok()).collect()
    });
    for (chain, answer) in chains.iter().zip(answers) {
        let name = &chain.name;
        let expected = chains::of_selector(chain.selector).and_then(|known| known.chain_id);
        match (answer, expected) {
            (Some(Ok(found)), Some(expected)) if found != expected => note(format_args!(
                "warning: {name} is chain {expected}, and its node says that it is chain {found}\n  hint: check its URL in \
                 project.yaml"
            )),
            (Some(Err(why)), _) => note(format_args!(
                "warning: {name}: its node does not answer, which matters if the workflow uses the chain: {why}\n  hint: \
                 check its URL in project.yaml"
            )),
            (Some(Ok(_)) | None, _) => {}
        }
    }
}

/// The key of the account that pays.
fn key(project: &Project) -> Result<B256, Failure> {
    const KEY: &str = "CRE_ETH_PRIVATE_KEY";
    let key = project.environment.get(KEY);
    let key: Option<B256> = key.and_then(|key| key.trim_start_matches("0x").parse().ok());
    key.ok_or_else(|| {
        let hint = format!("export {KEY} with a funded account's key, or write it into .env");
        refuse(format!("--broadcast needs {KEY}, 64 hexadecimal digits"), hint)
    })
}

/// Its account on a chain, at twice the chain's present price of gas.
fn wallet(provider: &DynProvider, key: &B256) -> Result<(Wallet, Fees), String> {
    let asked = event_loop()
        .map_err(|error| error.to_string())?
        .block_on(async { Ok((provider.get_chain_id().await?, provider.get_gas_price().await?)) });
    let (chain_id, price) = asked.map_err(|error: TransportError| don::words(&error))?;
    let wallet = Wallet::new(key, chain_id).map_err(|error| error.to_string())?;
    let fees = Fees { fee_max: price.saturating_mul(2), priority_fee_max: price / 10 };
    Ok((wallet, fees))
}

pub(crate) fn event_loop() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

enum Sender<'a> {
    Wallet(WalletTransmitter),
    Embedded(Box<dyn Transmitter + 'a>),
    DryRun(DryRun),
    Nowhere(String),
}

impl Transmitter for Sender<'_> {
    fn deliver(
        &mut self,
        receiver: Address,
        report: &SignedReport,
        gas_limit: u64,
    ) -> Result<TransactionReceipt, SendError> {
        match self {
            Self::Wallet(wallet) => wallet.deliver(receiver, report, gas_limit),
            Self::Embedded(world) => world.deliver(receiver, report, gas_limit),
            Self::DryRun(dry) => dry.deliver(receiver, report, gas_limit),
            Self::Nowhere(why) => Err(unsent(TransportErrorKind::custom_str(why))),
        }
    }
}

fn unsent(source: TransportError) -> SendError {
    SendError::Unreachable { hash: B256::ZERO, source }
}

/// Calls the receiver as the forwarder would, and makes the receipt that a transaction would have had. Its
/// hash is zero: there is none.
struct DryRun {
    provider: DynProvider,
    runtime: tokio::runtime::Runtime,
    forwarder: Address,
    deployed: Option<Address>,
    chain: String,
    errors: Errors,
    notes: Notes,
}

/// What would become of a report.
enum Outcome {
    Taken,
    /// The receiver does not take it, because of this.
    Refused(String),
    /// The forwarder does not get as far as the receiver, because of this.
    NotRouted(String),
}

impl DryRun {
    async fn outcome(
        &self,
        receiver: Address,
        report: &SignedReport,
        gas_limit: u64,
    ) -> Result<Outcome, TransportError> {
        let Self { provider, forwarder, deployed, errors, .. } = self;
        if provider.get_code_at(receiver).await?.is_empty() {
            return Ok(Outcome::Refused("there is no contract at that address".to_owned()));
        }
        let Some(gas) = receiver_gas(report, receiver, gas_limit) else {
            let why = format!("the forwarder has too little with a gas limit of {gas_limit}");
            return Ok(Outcome::NotRouted(why));
        };
        if !is_receiver(provider, receiver).await? {
            let why = "it does not say by ERC-165 that it is an IReceiver, and the forwarder asks";
            return Ok(Outcome::Refused(why.to_owned()));
        }
        let from = |forwarder| trial(provider, forwarder, receiver, &report.raw, Some(gas));
        let mut why = match from(*forwarder).await? {
            Trial::Taken => return Ok(Outcome::Taken),
            Trial::Refused(data) => {
                format!("it reverts: {}", Reason(data.to_vec()).words(errors))
            }
            Trial::OutOfGas => {
                format!("of a gas limit of {gas_limit} it gets some {gas}, which does not do")
            }
        };
        if let Some(deployed) = deployed
            && from(*deployed).await? == Trial::Taken
        {
            why.push_str(&format!(
                "; from {deployed}, the forwarder of deployed workflows, it would take it: {forwarder} is that of simulations"
            ));
        }
        Ok(Outcome::Refused(why))
    }
}

impl Transmitter for DryRun {
    fn deliver(
        &mut self,
        receiver: Address,
        report: &SignedReport,
        gas_limit: u64,
    ) -> Result<TransactionReceipt, SendError> {
        let outcome = self.runtime.block_on(self.outcome(receiver, report, gas_limit));
        let outcome = outcome.map_err(unsent)?;
        let words = match &outcome {
            Outcome::Taken => "the receiver takes the report".to_owned(),
            Outcome::Refused(why) => format!("the receiver refuses the report: {why}"),
            Outcome::NotRouted(why) => format!("the receiver would not be reached: {why}"),
        };
        let Self { forwarder, chain, notes, .. } = self;
        let payload = report.raw.len().saturating_sub(evm::report::HEADER_LEN);
        notes.borrow_mut().push(format!(
            "{chain}: a report of {payload} bytes to {receiver} was not sent (no --broadcast); {words}"
        ));
        let header = Report::parse(&report.raw).ok();
        let event = KeystoneForwarder::ReportProcessed {
            receiver,
            workflowExecutionId: header
                .as_ref()
                .map(|header| header.execution_id)
                .unwrap_or_default(),
            reportId: header.map(|header| header.report_id).unwrap_or_default().into(),
            result: matches!(outcome, Outcome::Taken),
        };
        let log = event.encode_log_data();
        let log = json!({
            "address": forwarder, "topics": log.topics(), "data": log.data, "blockHash": null,
            "blockNumber": null, "transactionHash": B256::ZERO, "transactionIndex": "0x0",
            "logIndex": "0x0", "removed": false,
        });
        let (status, logs) = match outcome {
            Outcome::Taken | Outcome::Refused(_) => ("0x1", vec![log]),
            Outcome::NotRouted(_) => ("0x0", Vec::new()),
        };
        let receipt = json!({
            "type": "0x2", "status": status, "cumulativeGasUsed": "0x0", "gasUsed": "0x0",
            "effectiveGasPrice": "0x0", "logsBloom": Bytes::from(vec![0; 256]),
            "transactionHash": B256::ZERO, "transactionIndex": "0x0", "blockHash": null,
            "blockNumber": null, "from": Address::ZERO, "to": forwarder, "contractAddress": null,
            "logs": logs,
        });
        serde_json::from_value(receipt).map_err(|error| unsent(TransportErrorKind::custom(error)))
    }
}
