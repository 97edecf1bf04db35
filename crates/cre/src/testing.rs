//! A host for unit tests of handlers: scripted answers, and a record of what the workflow did.
//!
//! ```
//! use cre::testing::ScriptedHost;
//! use cre::{Error, Runtime, evm};
//!
//! fn supply(runtime: &Runtime) -> Result<Vec<u8>, Error> {
//!     let request = evm::CallContractRequest::new([7; 20], [0x18, 0x16, 0x0d, 0xdd]);
//!     Ok(evm::Client::new(1).call_contract(runtime, &request).wait()?.data)
//! }
//!
//! let host = ScriptedHost::new().answer(
//!     "evm:ChainSelector:1@1.0.0",
//!     "CallContract",
//!     |_: evm::CallContractRequest| Ok(evm::CallContractReply { data: vec![42] }),
//! );
//! let record = host.record();
//! assert_eq!(supply(&host.runtime()), Ok(vec![42]));
//! assert_eq!(record.calls().len(), 1);
//! ```

pub mod module;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use prost::{Message, Name};

use crate::consensus;
use crate::guest::{RESPONSE_LEN_DEFAULT, base64};
use crate::host::{Host, Mode};
#[cfg(feature = "abi")]
use crate::messages::evm::{CallContractReply, CallContractRequest, CallMsg};
use crate::messages::sdk::{
    AttributedSignature, AwaitCapabilitiesRequest, AwaitCapabilitiesResponse, AwaitSecretsRequest,
    AwaitSecretsResponse, CapabilityRequest, CapabilityResponse, ExecuteRequest, GetSecretsRequest,
    ReportRequest, ReportResponse, Secret, SecretError, SecretResponse, SecretResponses,
    SimpleConsensusInputs, capability_response, secret_response, simple_consensus_inputs,
};
use crate::messages::{Any, pack, unpack};
use crate::report::HEADER_LEN;
use crate::runtime::{Runtime, TeeRuntime};
use crate::secret::SecretId;
use crate::value::Value;

type Answer = Box<dyn FnMut(&Any) -> Result<Any, String>>;

/// Answers of contracts, by address and selector.
#[cfg(feature = "abi")]
type Contracts =
    Rc<RefCell<BTreeMap<([u8; 20], [u8; 4]), Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, String>>>>>;

/// A host that answers as it is told, and by itself as a DON of one node would: consensus is the observation, and a
/// report is a header of version 1 and zeros, the payload and no meaningful signature.
pub struct ScriptedHost {
    answers: BTreeMap<(String, String), Answer>,
    #[cfg(feature = "abi")]
    contracts: BTreeMap<u64, Contracts>,
    secrets: BTreeMap<(String, String), String>,
    now: Option<u64>,
    seed: u64,
    mode: Mode,
    started: BTreeMap<i32, CapabilityResponse>,
    started_secrets: BTreeMap<i32, SecretResponses>,
    record: Record,
}

impl ScriptedHost {
    /// A host that knows no capability, no secret and no time.
    pub fn new() -> Self {
        Self {
            answers: BTreeMap::new(),
            #[cfg(feature = "abi")]
            contracts: BTreeMap::new(),
            secrets: BTreeMap::new(),
            now: None,
            seed: 0,
            mode: Mode::Don,
            started: BTreeMap::new(),
            started_secrets: BTreeMap::new(),
            record: Record::default(),
        }
        .answer(consensus::ID, consensus::SIMPLE, agree)
        .answer(consensus::ID, consensus::REPORT, sign)
    }

    /// Answers a method. An `Err` is a capability's error, as on the wire: `Public:User:NotFound:…`.
    pub fn answer<Q, A>(
        mut self,
        id: &str,
        method: &str,
        mut answer: impl FnMut(Q) -> Result<A, String> + 'static,
    ) -> Self
    where
        Q: Message + Name + Default,
        A: Message + Name,
    {
        let typed = move |request: &Any| {
            let request = unpack(request).map_err(|error| error.to_string())?;
            answer(request).map(|answer| pack(&answer))
        };
        self.answers.insert((id.to_owned(), method.to_owned()), Box::new(typed));
        self
    }

    /// Answers a call of a contract, by its interface; of one that is answered already, with this from now on.
    #[cfg(feature = "abi")]
    pub fn answer_call<C: alloy_sol_types::SolCall>(
        mut self,
        chain_selector: u64,
        address: [u8; 20],
        mut answer: impl FnMut(C) -> Result<C::Return, String> + 'static,
    ) -> Self {
        let typed = move |data: &[u8]| {
            let call = C::abi_decode(data).map_err(|error| error.to_string())?;
            answer(call).map(|returned| C::abi_encode_returns(&returned))
        };
        let is_first = !self.contracts.contains_key(&chain_selector);
        let contracts = self.contracts.entry(chain_selector).or_default().clone();
        contracts.borrow_mut().insert((address, C::SELECTOR), Box::new(typed));
        if !is_first {
            return self;
        }
        let id = crate::evm::Client::new(chain_selector);
        self.answer(id.id(), "CallContract", move |request: CallContractRequest| {
            let CallMsg { to, data, .. } = request.call.unwrap_or_default();
            let key = <[u8; 20]>::try_from(&to[..]).ok().zip(data.first_chunk().copied());
            let mut contracts = contracts.borrow_mut();
            let answer = key.and_then(|key| contracts.get_mut(&key));
            let answer = answer.ok_or_else(|| format!("no answer for {data:02x?} of {to:02x?}"))?;
            Ok(CallContractReply { data: answer(&data)? })
        })
    }

    /// Knows a secret.
    pub fn secret(mut self, id: impl Into<SecretId>, value: &str) -> Self {
        let SecretId { namespace, id } = id.into();
        self.secrets.insert((namespace, id), value.to_owned());
        self
    }

    /// Has a time, in Unix nanoseconds, in both modes.
    pub fn now(mut self, unix_nanos: u64) -> Self {
        self.now = Some(unix_nanos);
        self
    }

    /// Seeds randomness: DON mode with this, node mode with its complement.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What the workflow will have done.
    pub fn record(&self) -> Record {
        self.record.clone()
    }

    /// A runtime in DON mode over this host.
    pub fn runtime(self) -> Runtime {
        Runtime::new(self, RESPONSE_LEN_DEFAULT)
    }

    /// The runtime of a handler in a TEE over this host.
    pub fn tee_runtime(self) -> TeeRuntime {
        TeeRuntime::new(self.runtime())
    }
}

impl Default for ScriptedHost {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for ScriptedHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.answers.keys()).finish()
    }
}

/// A request as hosts pass it: what [`crate::guest::execute`] takes, and `argv[1]` of a module.
pub fn argument(request: &ExecuteRequest) -> Vec<u8> {
    base64::encode(&request.encode_to_vec())
}

/// What a workflow did, in order. A clone is the same record.
#[derive(Debug, Clone, Default)]
pub struct Record {
    events: Rc<RefCell<Events>>,
}

#[derive(Debug, Default)]
struct Events {
    calls: Vec<(Mode, CapabilityRequest)>,
    logs: Vec<(Mode, String)>,
    modes: Vec<Mode>,
    metrics: Vec<Vec<u8>>,
}

impl Record {
    /// Calls that were started.
    pub fn calls(&self) -> Vec<(Mode, CapabilityRequest)> {
        self.events.borrow().calls.clone()
    }

    /// Lines that were logged.
    pub fn logs(&self) -> Vec<(Mode, String)> {
        self.events.borrow().logs.clone()
    }

    /// Modes that were switched to.
    pub fn modes(&self) -> Vec<Mode> {
        self.events.borrow().modes.clone()
    }

    /// Metrics that were emitted, encoded.
    pub fn metrics(&self) -> Vec<Vec<u8>> {
        self.events.borrow().metrics.clone()
    }
}

impl Host for ScriptedHost {
    fn call_capability(&mut self, request: &[u8]) -> Result<(), Vec<u8>> {
        let request = CapabilityRequest::decode(request).map_err(text)?;
        self.record.events.borrow_mut().calls.push((self.mode, request.clone()));
        let Some(answer) = self.answers.get_mut(&(request.id.clone(), request.method.clone()))
        else {
            return Err(format!("no answer for {} {}", request.id, request.method).into_bytes());
        };
        if self.started.contains_key(&request.callback_id) {
            return Err(b"duplicate callback id not allowed".to_vec());
        }
        let response = match answer(&request.payload.unwrap_or_default()) {
            Ok(payload) => capability_response::Response::Payload(payload),
            Err(text) => capability_response::Response::Error(text),
        };
        self.started.insert(request.callback_id, CapabilityResponse { response: Some(response) });
        Ok(())
    }

    fn await_capabilities(&mut self, request: &[u8], len_max: usize) -> Result<Vec<u8>, Vec<u8>> {
        let AwaitCapabilitiesRequest { ids } =
            AwaitCapabilitiesRequest::decode(request).map_err(text)?;
        let responses = take(&mut self.started, ids)?;
        fit(AwaitCapabilitiesResponse { responses }.encode_to_vec(), len_max)
    }

    fn get_secrets(&mut self, request: &[u8]) -> Result<(), Vec<u8>> {
        let request = GetSecretsRequest::decode(request).map_err(text)?;
        let responses = request.requests.into_iter().map(|asked| {
            let key = (asked.namespace, asked.id);
            let value = self.secrets.get(&key).cloned();
            let (namespace, id) = key;
            let owner = String::new();
            let response = match value {
                Some(value) => {
                    secret_response::Response::Secret(Secret { id, namespace, owner, value })
                }
                None => {
                    let error = "no such secret".to_owned();
                    secret_response::Response::Error(SecretError { id, namespace, owner, error })
                }
            };
            SecretResponse { response: Some(response) }
        });
        let responses = SecretResponses { responses: responses.collect() };
        self.started_secrets.insert(request.callback_id, responses);
        Ok(())
    }

    fn await_secrets(&mut self, request: &[u8], len_max: usize) -> Result<Vec<u8>, Vec<u8>> {
        let AwaitSecretsRequest { ids } = AwaitSecretsRequest::decode(request).map_err(text)?;
        let responses = take(&mut self.started_secrets, ids)?;
        fit(AwaitSecretsResponse { responses }.encode_to_vec(), len_max)
    }

    fn log(&mut self, line: &str) {
        self.record.events.borrow_mut().logs.push((self.mode, line.to_owned()));
    }

    fn emit_metric(&mut self, metric: &[u8]) -> bool {
        self.record.events.borrow_mut().metrics.push(metric.to_vec());
        true
    }

    fn switch_modes(&mut self, mode: Mode) {
        self.mode = mode;
        self.record.events.borrow_mut().modes.push(mode);
    }

    fn random_seed(&mut self, mode: Mode) -> u64 {
        match mode {
            Mode::Don => self.seed,
            Mode::Node => !self.seed,
        }
    }

    fn now(&mut self) -> Option<u64> {
        self.now
    }
}

fn agree(inputs: SimpleConsensusInputs) -> Result<Value, String> {
    match (inputs.observation, inputs.default) {
        (Some(simple_consensus_inputs::Observation::Value(value)), _) | (_, Some(value)) => {
            Ok(value)
        }
        (Some(simple_consensus_inputs::Observation::Error(error)), None) => Err(error),
        (None, None) => Err("no observation".to_owned()),
    }
}

fn sign(request: ReportRequest) -> Result<ReportResponse, String> {
    let mut raw_report = vec![0; HEADER_LEN];
    raw_report[0] = 1;
    raw_report.extend(request.encoded_payload);
    Ok(ReportResponse {
        config_digest: vec![0; 32],
        seq_nr: 1,
        report_context: vec![0; 96],
        raw_report,
        sigs: vec![AttributedSignature { signature: vec![0; 65], signer_id: 0 }],
    })
}

fn take<T>(started: &mut BTreeMap<i32, T>, ids: Vec<i32>) -> Result<BTreeMap<i32, T>, Vec<u8>> {
    let take = |id: i32| {
        let answer = started.remove(&id);
        let answer =
            answer.ok_or_else(|| format!("failed to get call from store : {id}").into_bytes());
        Ok((id, answer?))
    };
    ids.into_iter().map(take).collect()
}

fn fit(answer: Vec<u8>, len_max: usize) -> Result<Vec<u8>, Vec<u8>> {
    if answer.len() > len_max { Err(b"response buffer too small".to_vec()) } else { Ok(answer) }
}

fn text(error: prost::DecodeError) -> Vec<u8> {
    error.to_string().into_bytes()
}

/// A host whose every answer is what the closure says, as bytes: for what a guest has to stand.
#[derive(Debug)]
pub struct Saying<F>(pub F);

impl<F: FnMut() -> Result<Vec<u8>, Vec<u8>>> Host for Saying<F> {
    fn call_capability(&mut self, _: &[u8]) -> Result<(), Vec<u8>> {
        Ok(())
    }

    fn await_capabilities(&mut self, _: &[u8], _: usize) -> Result<Vec<u8>, Vec<u8>> {
        (self.0)()
    }

    fn get_secrets(&mut self, _: &[u8]) -> Result<(), Vec<u8>> {
        Ok(())
    }

    fn await_secrets(&mut self, _: &[u8], _: usize) -> Result<Vec<u8>, Vec<u8>> {
        (self.0)()
    }

    fn log(&mut self, _: &str) {}

    fn emit_metric(&mut self, _: &[u8]) -> bool {
        false
    }

    fn switch_modes(&mut self, _: Mode) {}

    fn random_seed(&mut self, _: Mode) -> u64 {
        0
    }

    fn now(&mut self) -> Option<u64> {
        Some(u64::MAX)
    }
}
