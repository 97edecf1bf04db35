//! The same journal on another machine: nothing is taken from it that can be computed again.
//!
//! An audit runs the core over the events and the EVM over the raw transactions, checks that every
//! transaction carries what the core asked for, that every fact is in a log of the re-run, and every
//! signature, attestation and proof. It stops at the first thing that differs and says which.

use std::collections::BTreeMap;

use attestation::{KeyBundle, Measurements};
use circuits::clearing::Statement;
use circuits::keys::VerifyingKey;
use circuits::prove::{Proof, verify};
use don::WorkflowIdentity;
use evm::abi;
use evm::alloy::consensus::transaction::SignerRecoverable as _;
use evm::alloy::consensus::{Transaction as _, TxEnvelope};
use evm::alloy::eips::Decodable2718 as _;
use evm::alloy::primitives::{Address, B256, Bytes, TxKind};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::mission::Emitters;
use evm::report::SignedReport;
use evm::settlement::ZkProof;
use primitives::frames::Flaw;
use primitives::{Address as Account, Bytes32, Timestamp, decode, keccak256, secp256k1, sha256};
use protocol::event::Ready;
use protocol::journal::{Included, Journal, Opening, Record};
use protocol::wire::Configuration;
use protocol::{Effect, Event, Fact, Mission, Outcome};

use crate::enrolment::{
    Contracts, Expected, MODULE, WorkflowConfig, challenge, check_evidence, policy,
};
use crate::ports::Failure;

/// A chain of the auditor's own, on which a journal's transactions run again and no others.
pub trait Replay {
    /// Runs one in a block of its timestamp.
    ///
    /// # Errors
    /// The chain refuses it.
    fn run(&mut self, included: &Included) -> Result<TransactionReceipt, Failure>;

    /// A digest over blocks and receipts, as [`crate::ports::Chain::digest`] has it.
    fn digest(&mut self) -> Bytes32;
}

/// What a chain starts from.
#[derive(Debug, Clone)]
pub struct Genesis {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Of the genesis block.
    pub started: Timestamp,
    /// Accounts that have gas to spend.
    pub funded: Vec<Address>,
}

/// What an auditor brings to a journal: nothing of it comes from there.
pub struct Bench<'a> {
    /// What this build's enclave measures with a configuration.
    pub measure: &'a dyn Fn(&[u8]) -> Measurements,
    /// A new chain.
    pub replay: &'a dyn Fn(Genesis) -> Result<Box<dyn Replay>, Failure>,
    /// Chainlink's selector of the chain.
    pub chain_selector: u64,
}

impl core::fmt::Debug for Bench<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Bench")
    }
}

/// What an audit established.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The journal hash, recomputed.
    pub journal_hash: Bytes32,
    /// How the mission ended.
    pub outcome: Outcome,
    /// Checks made, with how many times each held, in order of first use.
    pub checks: Vec<(&'static str, u64)>,
    /// What is public of the run.
    pub opening: Opening,
}

/// What cannot be rechecked from a journal alone, said to whoever audits.
pub const BLIND_SPOTS: [&str; 6] = [
    "whether the custodian told the truth about reserves: its statements are sealed and not in the journal",
    "whether the enclave's status bit follows from them: its signature is checked, its inputs are secret",
    "whether the order book held a cheaper order than those filled: the proof binds fills to terms, not to the whole book",
    "that ticks said to have had no quorum had none, and that no event was left out between two ticks",
    "that the enclave ran on hardware: anyone can sign under the development root",
    "amounts, premiums and parties of fills: commitments and ciphertexts here; who is given the seed can run it all again",
];

/// The first thing that differs.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// The bytes are damaged, or stop early.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// A journal without its last record.
    #[error(
        "the journal ends after record {records} without a closing record: the run was interrupted"
    )]
    Unfinished {
        /// Intact records.
        records: usize,
    },
    /// A record says something that does not hold.
    #[error("record {index} at byte {offset}: {what}")]
    Differs {
        /// Number of the record, from 0.
        index: usize,
        /// Where its frame starts.
        offset: usize,
        /// What does not hold.
        what: String,
    },
}

/// Audits a journal's bytes.
///
/// # Errors
/// [`Finding`], the first thing that differs.
pub fn audit(bytes: &[u8], bench: &Bench<'_>) -> Result<Audit, Finding> {
    let (journal, flaw) = Journal::read(bytes);
    if let Some(flaw) = flaw {
        return Err(flaw.into());
    }
    let at = |index: usize| {
        let offset = journal.offsets[index];
        move |what: String| Finding::Differs { index, offset, what }
    };
    let Some(Record::Opening(opening)) = journal.records.first() else {
        return Err(Finding::Unfinished { records: journal.records.len() });
    };
    let mut auditor = Auditor::new(opening, &journal, bench).map_err(at(0))?;
    let mut included = Vec::new();
    let mut outcome = None;
    for (index, record) in journal.records.iter().enumerate().skip(1) {
        if outcome.is_some() {
            return Err(at(index)("a record after the closing one".to_owned()));
        }
        match record {
            Record::Opening(_) => return Err(at(index)("a second opening".to_owned())),
            Record::Included(transaction) => {
                included.push(auditor.execute(transaction).map_err(at(index))?);
            }
            Record::Happened { now, event } => {
                let ran = core::mem::take(&mut included);
                auditor.happened(*now, event, ran).map_err(at(index))?;
            }
            Record::Closing { outcome: claimed, n_events, chain } => {
                auditor.close(*claimed, *n_events, *chain).map_err(at(index))?;
                outcome = Some(*claimed);
            }
        }
    }
    let Some(outcome) = outcome else {
        return Err(Finding::Unfinished { records: journal.records.len() });
    };
    Ok(Audit {
        journal_hash: journal.head,
        outcome,
        checks: auditor.checks.0,
        opening: (**opening).clone(),
    })
}

#[derive(Default)]
struct Checks(Vec<(&'static str, u64)>);

impl Checks {
    fn held(&mut self, what: &'static str) {
        match self.0.iter_mut().find(|(known, _)| *known == what) {
            Some((_, times)) => *times += 1,
            None => self.0.push((what, 1)),
        }
    }
}

/// A transaction as it ran again.
struct Ran {
    timestamp: Timestamp,
    receipt: TransactionReceipt,
    hash: B256,
    to: Option<Address>,
    input: Bytes,
}

struct Auditor {
    chain: Box<dyn Replay>,
    chain_selector: u64,
    mission: Mission,
    cron: protocol::workflow::Cron,
    now: Timestamp,
    configuration: Configuration,
    bundle: KeyBundle,
    verifying_key: VerifyingKey,
    contracts: BTreeMap<&'static str, Address>,
    n_events: u64,
    /// Of this build's module with the journal's configuration; zeros before the contracts are known.
    workflow_id: [u8; 32],
    opening: Opening,
    name: String,
    checks: Checks,
}

impl Auditor {
    fn new(opening: &Opening, journal: &Journal, bench: &Bench<'_>) -> Result<Self, String> {
        let text = |error: &dyn core::fmt::Display| error.to_string();
        let file =
            recovery::Deployment::parse(&opening.deployment, "the journal's deployment file")
                .and_then(|file| file.with_disclosure(opening.disclosure))
                .map_err(|error| text(&error))?;
        let workflow = recovery::parse(&opening.workflow, "the journal's workflow")
            .map_err(|error| text(&error))?;
        recovery::check(&workflow, &file).map_err(|error| text(&error))?;
        if file.chain_id != opening.chain_id {
            return Err(format!(
                "chain {} in the opening, {} in its deployment",
                opening.chain_id, file.chain_id
            ));
        }
        let configuration: Configuration = decode(&opening.configuration)
            .map_err(|_| "the enclave's configuration does not decode".to_owned())?;
        let decided = Configuration {
            dark_pool: configuration.dark_pool,
            shielded_pool: configuration.shielded_pool,
            registry: configuration.registry,
            issuer: configuration.issuer,
            collateral: configuration.collateral,
            consideration: configuration.consideration,
            custodian: configuration.custodian.clone(),
            don: configuration.don.clone(),
            not_after: configuration.not_after,
            ..policy(&workflow, &file)
        };
        if decided != configuration {
            return Err(
                "the enclave was configured with other rules than workflow and deployment say"
                    .to_owned(),
            );
        }
        let mut checks = Checks::default();
        checks.held("enclave configured as workflow and deployment say");
        let expected = Expected {
            chain_id: opening.chain_id,
            measurements: (bench.measure)(&opening.configuration),
            challenge: &challenge(opening.seed_commitment),
        };
        let (bundle, _) = check_evidence(
            "the auditor",
            &opening.attestation,
            &opening.key_bundle,
            expected,
            opening.started,
        )
        .map_err(|error| chain_of(&error))?;
        if bundle.settlement_signer != opening.signer.0 {
            return Err(
                "the opening names another settlement signer than the key bundle".to_owned()
            );
        }
        checks.held("attestation of this build's enclave");
        let funded = journal.records.iter().filter_map(|record| match record {
            Record::Included(included) => sender(&included.raw),
            Record::Opening(_) | Record::Happened { .. } | Record::Closing { .. } => None,
        });
        let genesis = Genesis {
            chain_id: opening.chain_id,
            started: opening.started,
            funded: funded.collect(),
        };
        Ok(Self {
            chain: (bench.replay)(genesis).map_err(|error| format!("no chain: {error}"))?,
            chain_selector: bench.chain_selector,
            mission: Mission::new(recovery::guest::setup(&workflow, &file)),
            contracts: BTreeMap::new(),
            cron: workflow.workflow.cron.clone(),
            now: opening.started,
            configuration,
            bundle,
            verifying_key: VerifyingKey::development(opening.chain_id)
                .map_err(|error| text(&error))?,
            n_events: 0,
            workflow_id: [0; 32],
            opening: opening.clone(),
            name: workflow.workflow.name,
            checks,
        })
    }

    fn execute(&mut self, included: &Included) -> Result<Ran, String> {
        let envelope = TxEnvelope::decode_2718(&mut &included.raw[..])
            .map_err(|_| "not a transaction".to_owned())?;
        let receipt = self
            .chain
            .run(included)
            .map_err(|error| format!("the chain refuses the transaction: {}", chain_of(&*error)))?;
        if receipt.status() != included.success || receipt.gas_used != included.gas_used {
            return Err(format!(
                "the transaction ran to success {} with {} gas, the journal says {} with {}",
                receipt.status(),
                receipt.gas_used,
                included.success,
                included.gas_used
            ));
        }
        self.checks.held("transaction run again: same success, same gas");
        let ran = Ran {
            timestamp: included.timestamp,
            hash: *envelope.tx_hash(),
            to: match envelope.kind() {
                TxKind::Call(to) => Some(to),
                TxKind::Create => None,
            },
            input: envelope.input().clone(),
            receipt,
        };
        if let (None, Some(address)) = (ran.to, ran.receipt.contract_address) {
            self.created(&ran.input, address)?;
        }
        Ok(ran)
    }

    /// Recognises a created contract by its creation code: it is this build's or it is none of ours.
    fn created(&mut self, code: &Bytes, address: Address) -> Result<(), String> {
        let known: [(&'static str, &Bytes); 12] = [
            ("KeystoneForwarder", &abi::KeystoneForwarder::BYTECODE),
            ("CashToken", &abi::CashToken::BYTECODE),
            ("ClaimToken", &abi::ClaimToken::BYTECODE),
            ("PriceFeed", &abi::PriceFeed::BYTECODE),
            ("TimelockController", &abi::TimelockController::BYTECODE),
            ("ShieldedPool", &abi::ShieldedPool::BYTECODE),
            ("RecoveryGuard", &abi::RecoveryGuard::BYTECODE),
            ("EnclaveRegistry", &abi::EnclaveRegistry::BYTECODE),
            ("ConfidentialPoR", &abi::ConfidentialPoR::BYTECODE),
            ("ClearingVerifier", &abi::ClearingVerifier::BYTECODE),
            ("DarkPool", &abi::DarkPool::BYTECODE),
            ("DemoStablecoin", &abi::DemoStablecoin::BYTECODE),
        ];
        let name =
            known.iter().find(|(_, creation)| code.starts_with(creation)).map(|(name, _)| *name);
        let name = name.ok_or_else(|| {
            format!("contract {address} was created from code this build does not know")
        })?;
        if self.contracts.insert(name, address).is_some() {
            return Err(format!("a second {name}"));
        }
        self.checks.held("contract created from this build's code");
        Ok(())
    }

    fn contract(&self, name: &'static str) -> Result<Address, String> {
        self.contracts.get(name).copied().ok_or_else(|| format!("no {name} was created"))
    }

    fn happened(&mut self, now: Timestamp, event: &Event, ran: Vec<Ran>) -> Result<(), String> {
        let effect = self.mission.outstanding().front().cloned();
        let carries = matches!(event, Event::Written { .. } | Event::Heard { .. });
        if self.n_events > 0 && carries == ran.is_empty() {
            return Err(match carries {
                false => "a transaction that belongs to no event".to_owned(),
                true => "news of the chain without a transaction".to_owned(),
            });
        }
        if self.n_events == 0 {
            self.addresses()?;
        }
        if carries {
            let emitters = self.emitters()?;
            let again = ran.iter().flat_map(|ran| evm::mission::facts(&ran.receipt, &emitters));
            let mut again: Vec<Fact> = again.collect();
            if self.n_events == 0 {
                // The setup's deposits were told to the enclave as they were made; nothing else of it is the mission's.
                let n_setup = again.len().saturating_sub(event.facts().len());
                let heard = again.split_off(n_setup);
                again.retain(|fact| !matches!(fact, Fact::LeavesInserted { .. }));
                again.extend(heard);
            }
            if again != event.facts() {
                return Err("the logs of the re-run say something else than the journal".to_owned());
            }
        }
        if now < self.now {
            return Err(format!("an event at {now} after one at {}", self.now));
        }
        match event {
            Event::Ticked { .. } => {
                if self.cron.next_after(self.now) != Some(now) {
                    return Err(format!("a tick at {now}, which is not when the cron fires next"));
                }
                self.checks.held("tick on the workflow's schedule");
            }
            Event::Ordered { envelope, receipt } => {
                let digest = keccak256(&[b"cdpr/receipt/v1", &sha256(&[envelope])]);
                self.signed(&digest, receipt, "order receipt")?;
            }
            Event::Observed { observed, signature } => {
                let Configuration { chain_id, dark_pool, .. } = &self.configuration;
                let digest = observed.digest(*chain_id, dark_pool);
                self.signed(&digest, signature, "tick answer signed by the attested key")?;
            }
            Event::Written { transaction, delivered, .. } => {
                let all = &ran;
                let ran = ran.last().ok_or("a receipt without its transaction")?;
                let Some(Effect::Write(write)) = &effect else {
                    return Err("a receipt although the core asked for none".to_owned());
                };
                if ran.timestamp != now {
                    return Err(format!("a block at {} for an event at {now}", ran.timestamp));
                }
                if ran.hash.0 != transaction.0 {
                    return Err(format!(
                        "the receipt is of {transaction}, the transaction before it is {}",
                        ran.hash
                    ));
                }
                let (receiver, report) = self.carries(ran, write)?;
                let forwarder = self.emitters()?.forwarder;
                let again = all.iter().any(|ran| {
                    evm::report::carries_out(&ran.receipt, forwarder, receiver, &report)
                });
                if again != *delivered {
                    return Err(
                        "the re-run ends otherwise for the report than the journal says".to_owned()
                    );
                }
                self.checks.held("report carries what the core asked for, and its logs say what the journal says");
            }
            Event::Cleared { ready: Some(ready) } => self.proved(ready)?,
            Event::Heard { .. } => self.checks.held("what others did, as its logs say it"),
            Event::Unobserved { .. } | Event::Unwritten { .. } | Event::Cleared { ready: None } => {
            }
        }
        self.mission
            .step(now, event)
            .map_err(|refused| format!("the core refuses the event: {refused}"))?;
        self.checks.held("event taken by the core");
        self.now = now;
        self.n_events += 1;
        Ok(())
    }

    /// Whose logs are facts here.
    fn emitters(&self) -> Result<Emitters, String> {
        Ok(Emitters {
            forwarder: self.contract("KeystoneForwarder")?,
            dark_pool: self.contract("DarkPool")?,
            pool: self.contract("ShieldedPool")?,
            por: self.contract("ConfidentialPoR")?,
            guard: self.contract("RecoveryGuard")?,
        })
    }

    /// Setup is over: the contracts that were created are the ones the enclave was configured for.
    fn addresses(&mut self) -> Result<(), String> {
        let configured = [
            ("DarkPool", self.configuration.dark_pool),
            ("ShieldedPool", self.configuration.shielded_pool),
            ("EnclaveRegistry", self.configuration.registry),
            ("CashToken", self.configuration.collateral),
            ("ClaimToken", self.configuration.consideration),
        ];
        for (name, address) in configured {
            if Account(self.contract(name)?.into()) != address {
                return Err(format!(
                    "the enclave was configured for another {name} than was created"
                ));
            }
        }
        self.checks.held("enclave configured for the contracts created");
        let config = WorkflowConfig {
            workflow: &self.opening.workflow,
            deployment: &self.opening.deployment,
            disclosure: self.opening.disclosure,
            started: self.opening.started,
            chain_selector: self.chain_selector,
            dark_pool: self.contract("DarkPool")?,
            confidential_por: self.contract("ConfidentialPoR")?,
            recovery_guard: self.contract("RecoveryGuard")?,
            endpoint: None,
        };
        let owner = self.configuration.issuer;
        self.workflow_id = WorkflowIdentity::new(owner, &self.name, MODULE, &config.encode()).id;
        Ok(())
    }

    fn signed(
        &mut self,
        digest: &[u8; 32],
        signature: &[u8],
        what: &'static str,
    ) -> Result<(), String> {
        if secp256k1::recover(digest, signature) != Some(Account(self.bundle.settlement_signer)) {
            return Err(format!("the {what} is not signed by the attested key"));
        }
        self.checks.held(what);
        Ok(())
    }

    /// The report that a transaction brings, and to whom.
    fn carries(
        &self,
        ran: &Ran,
        write: &protocol::Write,
    ) -> Result<(Address, evm::report::Report), String> {
        if ran.to != Some(self.contract("KeystoneForwarder")?) {
            return Err("the report does not go through the forwarder".to_owned());
        }
        let (to, report) = SignedReport::decode(&ran.input).map_err(|error| chain_of(&error))?;
        let report = evm::report::Report::parse(&report.raw).map_err(|error| chain_of(&error))?;
        if report.workflow.id.0 != self.workflow_id {
            return Err(
                "the report is of another workflow: module or configuration differ".to_owned()
            );
        }
        let contracts = Contracts {
            chain_id: self.configuration.chain_id,
            dark_pool: self.contract("DarkPool")?,
            confidential_por: self.contract("ConfidentialPoR")?,
        };
        let (receiver, payload) = contracts.addressed(write);
        if to != receiver || report.payload != payload {
            return Err(format!(
                "the report does not carry the {} the core asked for",
                write.call.function()
            ));
        }
        Ok((to, report))
    }

    /// Checks a round's proof and signature without the chain's help.
    fn proved(&mut self, ready: &Ready) -> Result<(), String> {
        let decoded = ZkProof::decode(&ready.zk_proof).map_err(|error| chain_of(&error))?;
        let words = decoded.public_inputs.map(|input| input.to_be_bytes());
        let statement = Statement::from_words(&words).map_err(|error| error.to_string())?;
        let proof = Proof::from_words(&decoded.proof.map(|word| word.to_be_bytes()))
            .map_err(|error| error.to_string())?;
        verify(&self.verifying_key, &statement, &proof)
            .map_err(|_| format!("the proof of round {} does not verify", ready.round))?;
        self.checks.held("proof verified natively");
        let digest = decoded.digest(
            self.configuration.chain_id,
            self.contract("DarkPool")?,
            ready.request.0.into(),
            ready.round.into(),
        );
        self.signed(&digest.0, &ready.tee_attestation, "settlement signed by the attested key")
    }

    fn close(&mut self, outcome: Outcome, n_events: u64, chain: Bytes32) -> Result<(), String> {
        if self.mission.outcome() != outcome {
            return Err(format!(
                "the core ends {}, the journal {}",
                self.mission.outcome().name(),
                outcome.name()
            ));
        }
        if self.n_events != n_events {
            return Err(format!("{} events, the journal counts {n_events}", self.n_events));
        }
        if self.chain.digest() != chain {
            return Err("blocks and receipts of the re-run hash to something else".to_owned());
        }
        self.checks.held("closing record");
        Ok(())
    }
}

fn sender(raw: &[u8]) -> Option<Address> {
    TxEnvelope::decode_2718(&mut &raw[..]).ok()?.recover_signer().ok()
}

/// An error and its causes on one line.
fn chain_of(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
