//! Which trigger fires, and with what.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use cre::messages::sdk::{Trigger, TriggerSubscription};
use cre::messages::{Any, cron, darkpool, pack, unpack};
use don::triggers::{HttpTrigger, LogTrigger, Schedule, Subscription, TriggerError};
use engine::Limits;
use evm::alloy::primitives::{B256, Bytes};
use evm::alloy::providers::Provider as _;
use primitives::Timestamp;

use super::chains::{Chains, event_loop};
use super::refuse;
use crate::{Failure, counts};

/// Largest index of a trigger, or of a log: no workflow and no transaction has more.
pub(super) const INDEX_MAX: u64 = 65_535;

/// What the user says about the trigger.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice {
    /// Which of the workflow's triggers fires, from 0; asked for if there are several.
    #[arg(long, value_name = "N", value_parser = counts::from_to::<usize>(0, INDEX_MAX))]
    trigger_index: Option<usize>,
    /// Ask nothing: what is missing is an error.
    #[arg(long)]
    non_interactive: bool,
    /// An HTTP trigger's input: JSON, or a file of it.
    #[arg(long, value_name = "JSON|FILE")]
    http_payload: Option<String>,
    /// A log trigger's event is of this transaction.
    #[arg(long, value_name = "0xHASH")]
    evm_tx_hash: Option<String>,
    /// Which of the transaction's logs, from 0.
    #[arg(long, value_name = "N", value_parser = counts::from_to::<usize>(0, INDEX_MAX))]
    evm_event_index: Option<usize>,
    /// A dark pool's round, for a trigger of `darkpool@1.0.0`: JSON, or a file of it, with requestId, round,
    /// zkProof and teeAttestation; bytes as 0x and hexadecimal digits.
    #[arg(long, value_name = "JSON|FILE")]
    fill: Option<String>,
}

/// A round that is ready to settle, as `--fill` has it.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Round {
    request_id: B256,
    round: u32,
    zk_proof: Bytes,
    tee_attestation: Bytes,
}

impl Choice {
    fn asks(&self) -> bool {
        !self.non_interactive && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// The index of the trigger that fires.
    pub(crate) fn index(&self, triggers: &[TriggerSubscription]) -> Result<usize, Failure> {
        let list = || list(triggers);
        match (self.trigger_index, triggers.len()) {
            (_, 0) => Err(refuse("the workflow subscribes to no trigger", "give it a handler")),
            (Some(index), n) if index < n => Ok(index),
            (Some(index), n) => {
                let hint = format!("--trigger-index takes 0 to {}:{}", n - 1, list());
                Err(refuse(format!("there is no trigger {index}"), hint))
            }
            (None, 1) => Ok(0),
            (None, n) if self.asks() => {
                let answer =
                    ask(&format!("the workflow has {n} triggers:{}\nwhich one fires? ", list()))?;
                let index = answer.parse().ok().filter(|index| *index < n);
                index.ok_or_else(|| refuse(format!("there is no trigger {answer:?}"), list()))
            }
            (None, n) => Err(refuse(
                format!("the workflow has {n} triggers"),
                format!("choose with --trigger-index:{}", list()),
            )),
        }
    }

    /// The event of trigger `index` at `now`.
    pub(crate) fn event(
        &self,
        index: usize,
        subscription: &TriggerSubscription,
        limits: &Limits,
        chains: &Chains,
        now: Timestamp,
    ) -> Result<Trigger, Failure> {
        let payload = match parse(subscription, limits)? {
            Some(Subscription::Cron(_)) => Schedule::payload(now),
            Some(Subscription::Http(trigger)) => self.request(&trigger)?,
            Some(Subscription::Log { chain_selector, trigger }) => {
                self.log(&subscription.id, chain_selector, &trigger, chains)?
            }
            Some(Subscription::Fill { .. }) => self.round()?,
            None => {
                let hint = "cron, HTTP, EVM log and dark pool triggers are";
                return Err(refuse(format!("{} is not simulated", subscription.id), hint));
            }
        };
        Ok(Trigger { id: index as u64, payload: Some(payload) })
    }

    /// An HTTP trigger's event, as if the first of its keys had signed it.
    fn request(&self, trigger: &HttpTrigger) -> Result<Any, Failure> {
        let input = self.http_input()?;
        let sender = trigger.keys().first().map(|key| key.public_key.as_str());
        let payload = trigger.payload(&input, sender).map_err(|error| {
            let hint = "give JSON, quoted for the shell, or a file's name";
            refuse(format!("--http-payload: {error}"), hint)
        })?;
        Ok(pack(&payload))
    }

    fn http_input(&self) -> Result<Vec<u8>, Failure> {
        let given = match &self.http_payload {
            Some(given) => given.clone(),
            None if self.asks() => ask("the HTTP request's JSON: ")?,
            None => {
                return Err(refuse(
                    "an HTTP trigger needs an input",
                    "--http-payload '{…}', or a file",
                ));
            }
        };
        Ok(text(&given)?.into_bytes())
    }

    fn round(&self) -> Result<Any, Failure> {
        let given = match &self.fill {
            Some(given) => given.clone(),
            None if self.asks() => ask("the round's JSON: ")?,
            None => {
                let hint = "--fill '{\"requestId\": …, \"round\": 1, …}', or a file";
                return Err(refuse("a dark pool's trigger needs a round", hint));
            }
        };
        let round: Round = serde_json::from_str(&text(&given)?).map_err(|error| {
            let hint = "requestId, round, zkProof and teeAttestation, bytes as 0x…";
            refuse(format!("--fill: {error}"), hint)
        })?;
        Ok(pack(&darkpool::Fill {
            request_id: round.request_id.to_vec(),
            round: round.round,
            zk_proof: round.zk_proof.to_vec(),
            tee_attestation: round.tee_attestation.to_vec(),
        }))
    }

    fn log(
        &self,
        id: &str,
        chain_selector: u64,
        trigger: &LogTrigger,
        chains: &Chains,
    ) -> Result<Any, Failure> {
        let provider = chains.provider(chain_selector);
        let Some(provider) = provider else {
            let hint = "name its JSON-RPC under rpcs or experimental-chains in project.yaml";
            return Err(refuse(format!("the project has no chain for {id}"), hint));
        };
        let hash = match &self.evm_tx_hash {
            Some(hash) => hash.clone(),
            None if self.asks() => ask("the transaction's hash: ")?,
            None => {
                let hint = "--evm-tx-hash 0x… --evm-event-index N name one that happened";
                return Err(refuse("a log trigger needs an event", hint));
            }
        };
        let hash: B256 = hash.parse().map_err(|error| {
            refuse(format!("--evm-tx-hash {hash:?}: {error}"), "0x and 64 hexadecimal digits")
        })?;
        let receipt = event_loop()
            .map_err(|error| Failure::Internal(error.into()))?
            .block_on(provider.get_transaction_receipt(hash))
            .map_err(|error| {
                refuse(format!("the chain does not answer: {error}"), "check its URL")
            })?
            .ok_or_else(|| {
                refuse(format!("the chain has no transaction {hash}"), "check hash and target")
            })?;
        let index = self.evm_event_index.unwrap_or_default();
        let log = receipt.logs().get(index).ok_or_else(|| {
            let n = receipt.logs().len();
            refuse(
                format!("transaction {hash} has {n} logs, none of index {index}"),
                "--evm-event-index",
            )
        })?;
        let log = don::chain::log(log);
        match trigger.matches(&log) {
            Ok(true) => Ok(pack(&log)),
            Ok(false) => {
                let what = format!("log {index} of transaction {hash} does not fire the trigger");
                Err(refuse(what, "it watches other addresses or topics; --evm-event-index"))
            }
            Err(error) => Err(refuse(error, "--limits none takes any")),
        }
    }
}

/// What a workflow subscribed to, held to its limits; nothing for a kind of trigger that is not simulated.
pub(crate) fn parse(
    subscription: &TriggerSubscription,
    limits: &Limits,
) -> Result<Option<Subscription>, Failure> {
    match Subscription::parse(subscription, limits) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(TriggerError::Unknown { .. }) => Ok(None),
        Err(error) => {
            let because = std::error::Error::source(&error);
            let because = because.map(|cause| format!(": {cause}")).unwrap_or_default();
            let hint = "mend the workflow or its configuration; --limits none lifts a limit";
            Err(refuse(format!("{}: {error}{because}", subscription.id), hint))
        }
    }
}

/// A cron trigger's schedule.
pub(crate) fn schedule(subscription: &TriggerSubscription) -> Option<String> {
    if !subscription.id.starts_with("cron-trigger@") {
        return None;
    }
    unpack(subscription.payload.as_ref()?).ok().map(|config: cron::Config| config.schedule)
}

/// One line per trigger.
pub(crate) fn list(triggers: &[TriggerSubscription]) -> String {
    let lines = triggers.iter().enumerate().map(|(index, one)| {
        let detail = schedule(one).map(|schedule| format!(" {schedule:?}")).unwrap_or_default();
        let tee = if one.requirements.is_some() { " in a TEE" } else { "" };
        format!("\n    {index}  {} {}{detail}{tee}", one.id, one.method)
    });
    lines.collect()
}

/// What an argument says, or the file that it names.
fn text(given: &str) -> Result<String, Failure> {
    let path = Path::new(given.strip_prefix('@').unwrap_or(given));
    if !path.is_file() {
        return Ok(given.trim().to_owned());
    }
    std::fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .map_err(|error| refuse(format!("{}: {error}", path.display()), "give UTF-8"))
}

fn ask(question: &str) -> Result<String, Failure> {
    let mut err = std::io::stderr().lock();
    err.write_all(question.as_bytes()).and_then(|()| err.flush()).context("asking")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("reading the answer")?;
    Ok(answer.trim().to_owned())
}
