//! Which trigger fires, and with what.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use cre::messages::sdk::{Trigger, TriggerSubscription};
use cre::messages::{Any, cron, http, pack, unpack};
use evm::alloy::primitives::B256;
use evm::alloy::providers::Provider as _;
use primitives::Timestamp;

use super::chains::{Chains, event_loop};
use super::refuse;
use crate::Failure;

/// What the user says about the trigger.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice {
    /// Which of the workflow's triggers fires, from 0; asked for if there are several.
    #[arg(long, value_name = "N")]
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
    #[arg(long, value_name = "N")]
    evm_event_index: Option<usize>,
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
        chains: &Chains,
        now: Timestamp,
    ) -> Result<Trigger, Failure> {
        let kind = subscription.id.split(['@', ':']).next().unwrap_or_default();
        let payload = match kind {
            "cron-trigger" => tick(now),
            "http-trigger" => pack(&http::Payload {
                input: self.http_input()?,
                key: config::<http::Config>(subscription)
                    .and_then(|config| config.authorized_keys.into_iter().next()),
            }),
            "evm" => self.log(subscription, chains)?,
            _ => {
                let hint = "cron, HTTP and EVM log triggers are";
                return Err(refuse(format!("{} is not simulated", subscription.id), hint));
            }
        };
        Ok(Trigger { id: index as u64, payload: Some(payload) })
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
        let path = Path::new(given.strip_prefix('@').unwrap_or(&given));
        let text = if path.is_file() {
            std::fs::read_to_string(path)
                .map_err(|error| refuse(format!("{}: {error}", path.display()), "give UTF-8"))?
        } else {
            given.clone()
        };
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(_) => Ok(text.trim().as_bytes().to_vec()),
            Err(error) => {
                let hint = "give JSON, quoted for the shell, or a file's name";
                Err(refuse(format!("--http-payload {given:?}: {error}"), hint))
            }
        }
    }

    fn log(&self, subscription: &TriggerSubscription, chains: &Chains) -> Result<Any, Failure> {
        let id = &subscription.id;
        let selector = id.split([':', '@']).nth(2).and_then(|digits| digits.parse().ok());
        let provider = selector.and_then(|selector| chains.provider(selector));
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
        Ok(pack(&don::chain::log(log)))
    }
}

/// A cron trigger's event.
pub(crate) fn tick(now: Timestamp) -> Any {
    let seconds = i64::try_from(now.0).unwrap_or(i64::MAX);
    let time = cre::messages::Timestamp { seconds, nanos: 0 };
    pack(&cron::Payload { scheduled_execution_time: Some(time) })
}

/// A cron trigger's schedule.
pub(crate) fn schedule(subscription: &TriggerSubscription) -> Option<String> {
    if !subscription.id.starts_with("cron-trigger@") {
        return None;
    }
    config::<cron::Config>(subscription).map(|config| config.schedule)
}

fn config<M: prost::Message + prost::Name + Default>(
    subscription: &TriggerSubscription,
) -> Option<M> {
    unpack(subscription.payload.as_ref()?).ok()
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

fn ask(question: &str) -> Result<String, Failure> {
    let mut err = std::io::stderr().lock();
    err.write_all(question.as_bytes()).and_then(|()| err.flush()).context("asking")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("reading the answer")?;
    Ok(answer.trim().to_owned())
}
