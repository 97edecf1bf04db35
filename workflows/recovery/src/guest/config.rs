//! What the workflow is given: CRE's `config`, a JSON object of at most 50 KB.

use primitives::{Address, Timestamp};
use protocol::mission::{Schedule, Setup};
use protocol::request::Escalation;
use serde::{Deserialize, Serialize};

use crate::{ContractRole, Deployment, Diagnostic, DisclosureMode, Document};

/// The configuration as it is written. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The workflow, YAML: the seed's language.
    pub workflow: String,
    /// The deployment file, TOML.
    pub deployment: String,
    /// `immediate` or `sealed`; the deployment file's own where absent.
    #[serde(default, with = "disclosure", skip_serializing_if = "Option::is_none")]
    pub disclosure: Option<DisclosureMode>,
    /// Chainlink's selector of the chain, decimal.
    pub chain_selector: String,
    /// Unix seconds; the first fire of the schedule after it is tick 1.
    pub started: u64,
    /// `DarkPool`, 0x-hexadecimal.
    pub dark_pool: String,
    /// `ConfidentialPoR`, 0x-hexadecimal.
    pub confidential_por: String,
    /// `RecoveryGuard`, 0x-hexadecimal.
    pub recovery_guard: String,
    /// The dark pool's HTTPS endpoint, for a DON that has not registered `darkpool@1.0.0`: the tick then runs
    /// in a TEE, with the secret [`TOKEN`](super::TOKEN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not the JSON it should be.
    #[error("the configuration is not what this workflow reads")]
    Json(#[from] serde_json::Error),
    /// The workflow or deployment in it has a mistake.
    #[error(transparent)]
    Source(#[from] Diagnostic),
    /// Not an address.
    #[error("{key}: {text:?} is no address; hint: 0x and forty hexadecimal digits")]
    Address {
        /// The key.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// Not an endpoint.
    #[error(
        "endpoint: {text:?} is refused; hint: an https URL, or http on this machine for a test"
    )]
    Endpoint {
        /// What it says.
        text: String,
    },
    /// Not a chain selector.
    #[error("chain_selector: {text:?} is no decimal of at most 64 bits")]
    Selector {
        /// What it says.
        text: String,
    },
}

/// A configuration that was read and checked.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The workflow.
    pub document: Document,
    /// The deployment, with the disclosure in force.
    pub deployment: Deployment,
    /// Chainlink's selector of the chain.
    pub chain_selector: u64,
    /// Tick 1 is the first fire after it.
    pub started: Timestamp,
    /// `DarkPool`.
    pub dark_pool: Address,
    /// `ConfidentialPoR`.
    pub confidential_por: Address,
    /// `RecoveryGuard`.
    pub recovery_guard: Address,
    /// The dark pool's HTTPS endpoint, for a DON without the capability.
    pub endpoint: Option<String>,
}

impl Config {
    /// As CRE hands it to the workflow.
    ///
    /// # Panics
    /// Never: strings and numbers always make JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers make JSON")
    }
}

impl Recovery {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`ConfigError`], the first mistake.
    pub fn parse(config: &[u8]) -> Result<Self, ConfigError> {
        let config: Config = serde_json::from_slice(config)?;
        let document = crate::parse(&config.workflow, "workflow")?;
        let mut deployment = Deployment::parse(&config.deployment, "deployment")?;
        if let Some(mode) = config.disclosure {
            deployment = deployment.with_disclosure(mode)?;
        }
        crate::check(&document, &deployment)?;
        let Ok(chain_selector) = config.chain_selector.parse() else {
            return Err(ConfigError::Selector { text: config.chain_selector });
        };
        if let Some(text) = config.endpoint.clone().filter(|text| !is_endpoint(text)) {
            return Err(ConfigError::Endpoint { text });
        }
        Ok(Self {
            document,
            deployment,
            chain_selector,
            started: Timestamp(config.started),
            dark_pool: address("dark_pool", config.dark_pool)?,
            confidential_por: address("confidential_por", config.confidential_por)?,
            recovery_guard: address("recovery_guard", config.recovery_guard)?,
            endpoint: config.endpoint,
        })
    }

    /// The contract behind a name of the workflow.
    pub fn contract(&self, name: &str) -> Address {
        match self.deployment.contracts.get(name) {
            Some(ContractRole::ConfidentialPor) => self.confidential_por,
            // Pools have names of their own; the check has resolved every name there is.
            Some(ContractRole::DarkPool) | None => self.dark_pool,
        }
    }

    /// The tick of an instant: fires of the schedule after the start, up to and including it.
    pub fn tick_of(&self, instant: Timestamp) -> u32 {
        let (mut tick, mut at) = (0, self.started);
        while let Some(next) = self.document.workflow.cron.next_after(at).filter(|t| *t <= instant)
        {
            (tick, at) = (tick + 1, next);
        }
        tick
    }
}

/// What the mission needs of workflow and deployment file.
pub fn setup(document: &Document, deployment: &Deployment) -> Setup {
    Setup {
        workflow: document.workflow.clone(),
        disclosure: deployment.disclosure.mode,
        escalation: Escalation {
            ladder: deployment.guard.escalation.clone(),
            premium_cap: deployment.guard.premium_cap,
            attempts_max: u8::try_from(deployment.guard.attempts_max).unwrap_or(u8::MAX),
        },
        schedule: Schedule {
            call_every: deployment.disclosure.call_ticks,
            epoch_ticks: deployment.disclosure.epoch_ticks,
            // A round closes on the tick before it settles.
            round_ticks: deployment.disclosure.round_ticks().iter().map(|tick| tick - 1).collect(),
            opening_delay: 0,
        },
    }
}

/// The token travels in a header: only TLS, or a wire that does not leave the machine, may carry it.
fn is_endpoint(text: &str) -> bool {
    ["https://", "http://127.0.0.1", "http://localhost"]
        .iter()
        .any(|start| text.strip_prefix(start).is_some_and(|rest| !rest.starts_with(['.', '@'])))
        && !text.contains(['@', '?', '#', ' '])
}

fn address(key: &'static str, text: String) -> Result<Address, ConfigError> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40);
    let bytes = digits.and_then(|digits| {
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(bytes)
    });
    bytes.map(Address).ok_or(ConfigError::Address { key, text })
}

/// A disclosure, or none, by its name: what the vocabulary's crate would need serde for.
mod disclosure {
    use primitives::Disclosure;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        disclosure: &Option<Disclosure>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match disclosure {
            Some(disclosure) => serializer.serialize_str(disclosure.name()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Disclosure>, D::Error> {
        let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let unknown = || D::Error::unknown_variant(&name, &["immediate", "sealed"]);
        Disclosure::from_name(&name).ok_or_else(unknown).map(Some)
    }
}
