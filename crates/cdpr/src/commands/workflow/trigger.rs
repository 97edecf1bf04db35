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
use serde::de::IgnoredAny;

use super::chains::{Chains, event_loop};
use super::refuse;
use crate::commands::read_to;
use crate::{Failure, counts};

/// Largest index of a trigger, or of a log: no workflow and no transaction has more.
pub(super) const INDEX_MAX: u64 = 65_535;

/// Most bytes of an event's input: a hundred times what a gateway takes.
const INPUT_MAX: u64 = 10 << 20;

const JSON: &str = "give JSON, quoted for the shell, or a file's name";

/// A trigger, chosen, and what its event is made of.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) index: usize,
    event: Event,
}

#[derive(Debug)]
enum Event {
    /// Made of the time.
    Cron,
    /// There already.
    Known(Any),
    /// On a chain.
    Log { chain_selector: u64, trigger: LogTrigger, hash: B256 },
}

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

    /// The trigger that fires, and of its event all that needs neither time nor chain: what is wrong with an argument is
    /// told before anything is started for it.
    pub(crate) fn prepare(
        &self,
        triggers: &[TriggerSubscription],
        limits: &Limits,
    ) -> Result<Prepared, Failure> {
        let index = self.index(triggers)?;
        let subscription = &triggers[index];
        let parsed = parse(subscription, limits)?;
        for (flag, is_given, is_used) in [
            (
                "--http-payload",
                self.http_payload.is_some(),
                matches!(parsed, Some(Subscription::Http(_))),
            ),
            (
                "--evm-tx-hash",
                self.evm_tx_hash.is_some(),
                matches!(parsed, Some(Subscription::Log { .. })),
            ),
            (
                "--evm-event-index",
                self.evm_event_index.is_some(),
                matches!(parsed, Some(Subscription::Log { .. })),
            ),
            ("--fill", self.fill.is_some(), matches!(parsed, Some(Subscription::Fill { .. }))),
        ] {
            if is_given && !is_used {
                let what = format!("{flag}: trigger {index}, {}, takes none", subscription.id);
                let hint = "leave it out, or choose another trigger with --trigger-index:";
                return Err(refuse(what, format!("{hint}{}", list(triggers))));
            }
        }
        let event = match parsed {
            Some(Subscription::Cron(_)) => Event::Cron,
            Some(Subscription::Http(trigger)) => Event::Known(self.request(&trigger)?),
            Some(Subscription::Log { chain_selector, trigger }) => {
                let hash = self.hash()?;
                Event::Log { chain_selector, trigger, hash }
            }
            Some(Subscription::Fill { .. }) => Event::Known(self.round()?),
            None => {
                let hint = "cron, HTTP, EVM log and dark pool triggers are";
                return Err(refuse(format!("{} is not simulated", subscription.id), hint));
            }
        };
        Ok(Prepared { index, event })
    }

    /// The index of the trigger that fires.
    fn index(&self, triggers: &[TriggerSubscription]) -> Result<usize, Failure> {
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

    /// The event, at `now`.
    pub(crate) fn event(
        &self,
        prepared: Prepared,
        id: &str,
        chains: &Chains,
        now: Timestamp,
    ) -> Result<Trigger, Failure> {
        let payload = match prepared.event {
            Event::Cron => Schedule::payload(now),
            Event::Known(payload) => payload,
            Event::Log { chain_selector, trigger, hash } => {
                self.log(id, chain_selector, &trigger, hash, chains)?
            }
        };
        Ok(Trigger { id: prepared.index as u64, payload: Some(payload) })
    }

    /// An HTTP trigger's event, as if the first of its keys had signed it.
    fn request(&self, trigger: &HttpTrigger) -> Result<Any, Failure> {
        let input = self.http_input()?;
        let sender = trigger.keys().first().map(|key| key.public_key.as_str());
        let payload = trigger
            .payload(&input, sender)
            .map_err(|error| refuse(format!("--http-payload: {error}"), JSON))?;
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
        Ok(text("--http-payload", &given)?.into_bytes())
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
        let round: Round = serde_json::from_str(&text("--fill", &given)?).map_err(|error| {
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

    /// The transaction whose log fires.
    fn hash(&self) -> Result<B256, Failure> {
        let hash = match &self.evm_tx_hash {
            Some(hash) => hash.clone(),
            None if self.asks() => ask("the transaction's hash: ")?,
            None => {
                let hint = "--evm-tx-hash 0x… --evm-event-index N name one that happened";
                return Err(refuse("a log trigger needs an event", hint));
            }
        };
        hash.parse().map_err(|error| {
            refuse(format!("--evm-tx-hash {hash:?}: {error}"), "0x and 64 hexadecimal digits")
        })
    }

    fn log(
        &self,
        id: &str,
        chain_selector: u64,
        trigger: &LogTrigger,
        hash: B256,
        chains: &Chains,
    ) -> Result<Any, Failure> {
        let provider = chains.provider(chain_selector);
        let Some(provider) = provider else {
            if let Some(chain) = chains.unusable(id) {
                let what = format!("{id}: project.yaml: {}: {}", chain.name, chain.why);
                return Err(refuse(what, &chain.hint));
            }
            let hint = "name its JSON-RPC under rpcs or experimental-chains in project.yaml";
            return Err(refuse(format!("the project has no chain for {id}"), hint));
        };
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
            Err(error) => Err(refuse(&error, hint(&error))),
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
            Err(refuse(format!("{}: {error}{because}", subscription.id), hint(&error)))
        }
    }
}

/// What to do about a subscription; more room where room is what it lacks.
const fn hint(error: &TriggerError) -> &'static str {
    match error {
        TriggerError::TooFast { .. }
        | TriggerError::Addresses { found: 1.., .. }
        | TriggerError::TopicValues { .. }
        | TriggerError::LogTooLong { .. } => {
            "mend the workflow or its configuration, or lift the limit: --limits none"
        }
        TriggerError::TimeZone { .. } => {
            "names are those of the IANA's database, as America/New_York; without one, a schedule is in UTC"
        }
        TriggerError::Text { is_hex: true, .. } => {
            "hexToBase64(\"0x…\") of Chainlink's TypeScript SDK makes base64 of it, common.HexToAddress(\"0x…\").Bytes() in Go bytes"
        }
        TriggerError::Text { is_hex: false, .. } => {
            "put the contract's address there, or the topic's 32 bytes"
        }
        TriggerError::Unknown { .. }
        | TriggerError::Config { .. }
        | TriggerError::FieldCount { .. }
        | TriggerError::Seconds { .. }
        | TriggerError::Schedule(_)
        | TriggerError::KeyType { .. }
        | TriggerError::Key { .. }
        | TriggerError::Unauthorized { .. }
        | TriggerError::NotJson { .. }
        | TriggerError::Addresses { found: 0, .. }
        | TriggerError::Length { .. }
        | TriggerError::Topics { .. }
        | TriggerError::Confidence { .. } => "mend the workflow or its configuration",
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

/// JSON that an argument holds, or that is in the file that it names.
pub(crate) fn text(flag: &str, given: &str) -> Result<String, Failure> {
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).map(drop);
    let named = given.strip_prefix('@');
    let path = Path::new(named.unwrap_or(given));
    if named.is_some() || path.exists() {
        let name = path.display();
        let text = read_to(path, INPUT_MAX)
            .map_err(|why| refuse(format!("{flag}: {name}: {why}"), "give a file of JSON"))?;
        return match is_json(&text) {
            Ok(()) => Ok(text.trim().to_owned()),
            Err(error) => Err(refuse(format!("{flag}: {name} is not JSON: {error}"), JSON)),
        };
    }
    match is_json(given) {
        Ok(()) => Ok(given.trim().to_owned()),
        Err(error) if given.trim_start().starts_with(['{', '[', '"']) => {
            Err(refuse(format!("{flag}: this is not JSON: {error}"), JSON))
        }
        Err(_) => {
            Err(refuse(format!("{flag}: there is no file {given:?}, and it is no JSON"), JSON))
        }
    }
}

fn ask(question: &str) -> Result<String, Failure> {
    let mut err = std::io::stderr().lock();
    err.write_all(question.as_bytes()).and_then(|()| err.flush()).context("asking")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("reading the answer")?;
    Ok(answer.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_json_or_a_file_of_it_and_is_told_apart() {
        let refused = |given: &str| match text("--http-payload", given) {
            Err(Failure::Input(error)) => error.to_string(),
            other => panic!("{given}: {other:?}"),
        };
        assert!(refused("{bad").contains("--http-payload: this is not JSON: key must be"));
        assert!(refused("missing.json").contains("there is no file \"missing.json\""));
        assert!(refused("@missing.json").contains("--http-payload: missing.json: No such file"));
        assert!(refused("Cargo.toml").contains("Cargo.toml is not JSON"));
        assert!(refused("src").contains("Is a directory"));
        for (given, expected) in [(" {\"a\": 1}\n", "{\"a\": 1}"), ("17", "17"), ("null", "null")] {
            assert_eq!(text("--fill", given).ok().as_deref(), Some(expected));
        }
    }
}
