//! One runner's life.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use attestation::{Measurement, frame};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cre::messages::confidential_workflows::{ConfidentialWorkflowResponse, WorkflowExecution};
use cre::messages::sdk::{
    CapabilityRequest, CapabilityResponse, ExecutionResult, GetSecretsRequest, SecretResponse,
    SecretResponses, SimpleConsensusInputs, TeeType, capability_response, simple_consensus_inputs,
    tee,
};
use cre::messages::{pack, unpack};
use engine::{Mode, World};
use platform::{Platform, Refused};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::hash::{APP_ID, ComputeRequest, domain_hash, signed_by_node, signed_by_relay};
use crate::relay::{
    CAPABILITY, CapabilityParams, Config, Execution, NAMESPACE, SECRETS, SecretId, SecretsParams,
};
use crate::seal::SecretKey;
use crate::wire::{
    Ask, Configuration, FromRunner, Limits, Line, Reply, Signed, ToRunner, configured, decode,
    encode, is_quorum,
};

/// Executions of one runner's life. It remembers each, so that none is run twice.
const EXECUTIONS_MAX: usize = 1 << 16;
/// Consensus of a DON, whose observations of one executor need not leave it.
const CONSENSUS: &str = "consensus@1.0.0-alpha";

/// Why nothing was run, or why it came to no result.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("not a message to a runner")]
    Malformed,
    #[error("{what} has to come first")]
    TooEarly { what: &'static str },
    #[error("the configuration measures {found}, the platform measured {measured}")]
    Configuration { found: Measurement, measured: Measurement },
    #[error("{0}")]
    Platform(#[from] Refused),
    #[error("fewer than {} nodes signed the request", .f.saturating_add(1))]
    Unsigned { f: u32 },
    #[error("the request's {what}")]
    Request { what: &'static str },
    #[error("the module is {found}, the request names {named}")]
    Binary { found: String, named: String },
    #[error("{0}")]
    Engine(#[from] engine::Error),
}

/// A runner.
pub struct Program<P> {
    platform: P,
    ready: Option<Ready>,
    /// Requests that were run.
    seen: BTreeSet<[u8; 32]>,
}

impl<P> std::fmt::Debug for Program<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Program")
    }
}

struct Ready {
    configuration: Configuration,
    key: SecretKey,
}

impl<P: Platform> Program<P> {
    /// A runner before its configuration.
    pub const fn new(platform: P) -> Self {
        Self { platform, ready: None, seen: BTreeSet::new() }
    }

    /// Handles one frame, asking back over `host` while a workflow runs. Never panics on input; a refusal is an
    /// answer too.
    pub fn handle<S: Read + Write>(&mut self, frame: &[u8], host: &mut S) -> Vec<u8> {
        let mut lines = Vec::new();
        let said = match decode(frame) {
            Some(ToRunner::Configure(configuration)) => self.configure(configuration),
            Some(ToRunner::Execute { request, signatures, module }) => self
                .execute(&request, &signatures, &module, host, &mut lines)
                .map(|(output, document)| FromRunner::Finished {
                    output,
                    document,
                    lines: std::mem::take(&mut lines),
                }),
            Some(ToRunner::Reply(_)) => Err(Error::TooEarly { what: "an execution" }),
            None => Err(Error::Malformed),
        };
        encode(
            &said.unwrap_or_else(|error| FromRunner::Refused { reason: error.to_string(), lines }),
        )
    }

    /// Takes the configuration that was measured, and no other.
    fn configure(&mut self, configuration: Configuration) -> Result<FromRunner, Error> {
        let found = Measurement::of(&configuration.encode());
        let measured = Measurement(self.platform.register(2)?);
        if found != measured {
            return Err(Error::Configuration { found, measured });
        }
        let key = match self.ready.take() {
            Some(ready) => ready.key,
            None => SecretKey::from_ikm(&self.platform.random("runner")?),
        };
        let public_key = key.public_key();
        let document =
            self.platform.attest(&configured(&public_key, &configuration.enclave), None)?;
        self.ready = Some(Ready { configuration, key });
        Ok(FromRunner::Configured { public_key, document })
    }

    fn execute<S: Read + Write>(
        &mut self,
        request: &ComputeRequest,
        signatures: &[Signed],
        module: &[u8],
        host: &mut S,
        lines: &mut Vec<Line>,
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let Self { platform, ready, seen } = self;
        let Ready { configuration, key } =
            ready.as_ref().ok_or(Error::TooEarly { what: "the configuration" })?;
        let config = &configuration.enclave;
        if !is_quorum(config, &signed_by_node(&request.hash()), signatures) {
            return Err(Error::Unsigned { f: config.f });
        }
        let execution = checked(request, configuration, key)?;
        let found = Sha256::digest(module);
        if found[..] != execution.binary_hash[..] {
            let (found, named) = (hex(&found), hex(&execution.binary_hash));
            return Err(Error::Binary { found, named });
        }
        if seen.contains(&request.request_id) {
            return Err(Error::Request { what: "id was used before" });
        }
        if seen.len() >= EXECUTIONS_MAX {
            return Err(Error::Request { what: "runner has run its share, launch another" });
        }
        seen.insert(request.request_id);

        let limits = match configuration.limits {
            Limits::Production => engine::Limits::production(),
            Limits::Simulator => engine::Limits::simulator(),
            Limits::Unlimited => engine::Limits::unlimited(),
        };
        let module = engine::wasmi::Module::compile(module, &limits)?;
        let asked = execution
            .sdk_execute_request
            .ok_or(Error::Request { what: "execution asks for nothing" })?;
        let seed = platform.random("node seed")?;
        let seed = u64::from_be_bytes(*seed.first_chunk().expect("32 bytes have 8"));
        let mut nodes = Nodes {
            platform,
            host,
            key,
            of: Execution {
                workflow_id: execution.workflow_id,
                owner: execution.owner,
                execution_id: execution.execution_id,
                org_id: execution.org_id,
            },
            config: Config(config.clone()),
            begun: BTreeMap::new(),
            own: BTreeMap::new(),
            seed,
            lines,
        };
        let result: ExecutionResult = module.execute(&asked, &mut nodes)?;
        let output = ConfidentialWorkflowResponse {
            execution_result: Vec::new(),
            sdk_execution_result: Some(result),
        };
        let output = output.encode_to_vec();
        let document = self.platform.attest(&request.result(&output, config), None)?;
        Ok((output, document))
    }
}

/// What the request says to run, if it says so to this runner and in one way.
fn checked(
    request: &ComputeRequest,
    configuration: &Configuration,
    key: &SecretKey,
) -> Result<WorkflowExecution, Error> {
    let wrong = |what| Err(Error::Request { what });
    if request.app_id != APP_ID {
        return wrong("application is another");
    }
    if request.enclave_ephemeral_public_key != key.public_key() {
        return wrong("key is another runner's");
    }
    if request.master_public_key != configuration.enclave.master_public_key {
        return wrong("vault is another");
    }
    let Ok(execution) = WorkflowExecution::decode(&request.public_data[..]) else {
        return wrong("public data is no WorkflowExecution");
    };
    if execution.workflow_id.is_empty() || execution.execution_id.is_empty() {
        return wrong("workflow or execution has no id");
    }
    if execution.execution_id != request.application_request_id
        || Sha256::digest(&execution.execution_id)[..] != request.request_id
    {
        return wrong("id is not its execution's");
    }
    let required = execution.requirements.as_ref().and_then(|required| required.tee.as_ref());
    let is_met = match required.and_then(|tee| tee.item.as_ref()) {
        None | Some(tee::Item::AnyRegions(_)) => true,
        // A TEE cannot tell where it is; the nodes choose the region.
        Some(tee::Item::TeeTypesAndRegions(list)) => {
            list.tee_type_and_regions.iter().any(|one| one.r#type == i32::from(TeeType::AwsNitro))
        }
    };
    if !is_met {
        return wrong("workflow requires another kind of TEE");
    }
    Ok(execution)
}

/// The world of a workflow in the TEE: the nodes, over the host's socket.
struct Nodes<'a, P, S> {
    platform: &'a mut P,
    host: &'a mut S,
    key: &'a SecretKey,
    of: Execution,
    config: Config,
    /// Calls the nodes have accepted.
    begun: BTreeMap<i32, CapabilityParams>,
    /// Calls answered in here.
    own: BTreeMap<i32, CapabilityResponse>,
    seed: u64,
    lines: &'a mut Vec<Line>,
}

impl<P: Platform, S: Read + Write> Nodes<'_, P, S> {
    fn ask(&mut self, ask: Ask) -> Result<Reply, String> {
        let frame = encode(&FromRunner::Asked(ask));
        frame::write(self.host, &frame).map_err(|_| "the host is gone".to_owned())?;
        let reply = frame::read(self.host).map_err(|_| "the host is gone".to_owned())?;
        match decode(&reply) {
            Some(ToRunner::Reply(Reply::Failed(reason))) => Err(reason),
            Some(ToRunner::Reply(reply)) => Ok(reply),
            Some(ToRunner::Configure(_) | ToRunner::Execute { .. }) | None => Err(unexpected()),
        }
    }

    fn attest(&mut self, tag: &str, json: &[u8]) -> Result<Vec<u8>, String> {
        self.platform.attest(&domain_hash(tag, json), None).map_err(|error| error.to_string())
    }

    fn is_signed(&self, response_hash: &[u8; 32], signatures: &[Signed]) -> Result<(), String> {
        if is_quorum(&self.config.0, &signed_by_relay(response_hash), signatures) {
            return Ok(());
        }
        Err("too few nodes signed the answer".to_owned())
    }
}

impl<P: Platform, S: Read + Write> World for Nodes<'_, P, S> {
    fn call(&mut self, mode: Mode, request: CapabilityRequest) -> Result<(), String> {
        let callback_id = request.callback_id;
        if let Some(answer) = answered_here(&request) {
            self.own.insert(callback_id, answer);
            return Ok(());
        }
        let params = CapabilityParams {
            of: self.of.clone(),
            reference_id: callback_id.to_string(),
            capability_id: request.id.clone(),
            payload: STANDARD.encode(request.encode_to_vec()),
            enclave_config: self.config.clone(),
        };
        let document = self.attest(CAPABILITY, &params.json())?;
        let ask = Ask::Call { is_node_mode: mode == Mode::Node, params: params.clone(), document };
        match self.ask(ask)? {
            Reply::Begun(begun) => {
                begun?;
                self.begun.insert(callback_id, params);
                Ok(())
            }
            Reply::Answered { .. } | Reply::Secrets { .. } | Reply::Now(_) | Reply::Failed(_) => {
                Err(unexpected())
            }
        }
    }

    fn answer(&mut self, callback_id: i32) -> Result<CapabilityResponse, String> {
        if let Some(answer) = self.own.remove(&callback_id) {
            return Ok(answer);
        }
        let params = self.begun.remove(&callback_id).ok_or_else(unexpected)?;
        let Reply::Answered { result, signatures } = self.ask(Ask::Await { callback_id })? else {
            return Err(unexpected());
        };
        let result = result.as_deref().map_err(String::as_str);
        self.is_signed(&params.answered(result), &signatures)?;
        match result {
            Ok(payload) => STANDARD
                .decode(payload)
                .ok()
                .and_then(|bytes| CapabilityResponse::decode(&bytes[..]).ok())
                .ok_or_else(unexpected),
            Err(error) => Ok(failed(error)),
        }
    }

    fn secrets(&mut self, request: GetSecretsRequest) -> Result<SecretResponses, String> {
        let id = |key: &str, namespace: &str| SecretId {
            key: key.to_owned(),
            namespace: if namespace.is_empty() { NAMESPACE } else { namespace }.to_owned(),
        };
        let params = SecretsParams {
            of: self.of.clone(),
            secrets: request.requests.iter().map(|one| id(&one.id, &one.namespace)).collect(),
            enclave_public_key: hex(&self.key.public_key()),
            enclave_config: self.config.clone(),
        };
        let json = params.json();
        let document = self.attest(SECRETS, &json)?;
        let asked = domain_hash(SECRETS, &json);
        let ask = Ask::Secrets { params: params.clone(), document };
        let Reply::Secrets { entries, signatures } = self.ask(ask)? else {
            return Err(unexpected());
        };
        self.is_signed(&params.answered(&entries), &signatures)?;
        if !entries.iter().map(|entry| &entry.id).eq(&params.secrets) {
            return Err(unexpected());
        }
        let opened = entries.iter().map(|entry| {
            let sealed = STANDARD.decode(&entry.ciphertext).map_err(|_| unexpected())?;
            let opened = self.key.open(&asked, &sealed).map_err(|error| error.to_string())?;
            SecretResponse::decode(&opened[..]).map_err(|_| unexpected())
        });
        Ok(SecretResponses { responses: opened.collect::<Result<_, _>>()? })
    }

    fn now(&mut self, mode: Mode) -> Result<u64, String> {
        match self.ask(Ask::Now { is_node_mode: mode == Mode::Node })? {
            Reply::Now(now) => now,
            Reply::Begun(_) | Reply::Answered { .. } | Reply::Secrets { .. } | Reply::Failed(_) => {
                Err(unexpected())
            }
        }
    }

    fn execution_id(&self) -> &str {
        &self.of.execution_id
    }

    fn node_seed(&mut self) -> u64 {
        self.seed
    }

    fn log(&mut self, mode: Mode, line: &str) {
        self.lines.push(Line { is_node_mode: mode == Mode::Node, text: line.to_owned() });
    }
}

/// Calls that do not leave the TEE: a consensus of its one observation, which is that observation, and a
/// workflow that would run itself.
fn answered_here(request: &CapabilityRequest) -> Option<CapabilityResponse> {
    if request.id == APP_ID {
        return Some(failed("confidential-workflows cannot be called from within a workflow"));
    }
    if request.id != CONSENSUS || request.method != "Simple" {
        return None;
    }
    let inputs = request.payload.as_ref().map(unpack::<SimpleConsensusInputs>);
    let Some(Ok(inputs)) = inputs else {
        return Some(failed("consensus.Simple: the inputs are something else"));
    };
    let value = match (inputs.observation, inputs.default) {
        (Some(simple_consensus_inputs::Observation::Value(value)), _) => value,
        (Some(simple_consensus_inputs::Observation::Error(_)), Some(value)) => value,
        (Some(simple_consensus_inputs::Observation::Error(error)), None) => {
            return Some(failed(&format!("consensus.Simple: observation error: {error}")));
        }
        (None, _) => return Some(failed("consensus.Simple: missing observation")),
    };
    let payload = capability_response::Response::Payload(pack(&value));
    Some(CapabilityResponse { response: Some(payload) })
}

fn failed(reason: &str) -> CapabilityResponse {
    CapabilityResponse { response: Some(capability_response::Response::Error(reason.to_owned())) }
}

fn unexpected() -> String {
    "the host replied something else".to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
