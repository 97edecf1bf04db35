//! What a handler works with: [`Runtime`] in DON mode, [`NodeRuntime`] inside
//! [`Runtime::run_in_node_mode`], [`TeeRuntime`] inside a TEE.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use prost::{Message, Name};
use prost_types::{Any, Timestamp};

use crate::consensus::{self, Consensus};
use crate::error::{CapabilityError, Error};
use crate::host::{Host, Mode};
use crate::messages::sdk::{
    AwaitCapabilitiesRequest, AwaitCapabilitiesResponse, AwaitSecretsRequest, AwaitSecretsResponse,
    CapabilityRequest, GetSecretsRequest, ReportRequest, SecretRequest, SecretResponse,
    SimpleConsensusInputs, capability_response, secret_response,
};
use crate::messages::{self, workflows::UserMetric};
use crate::promise::Promise;
use crate::report::{self, Report};
use crate::rng::Rng;
use crate::secret::{Secret, SecretId};
use crate::value::Value;

/// What all runtimes of one execution share.
struct Core {
    host: Box<dyn Host>,
    mode: Mode,
    /// How many times node mode was entered: a node's runtime is of one of them.
    n_node_modes: u32,
    /// Ids of calls and secrets count up in DON mode, and down in node mode: DON-mode requests have to be
    /// the same on every node, whatever each did in node mode.
    don_id: i32,
    node_id: i32,
    don_rng: Option<Rng>,
    node_rng: Option<Rng>,
    response_len_max: usize,
}

/// A place to work from: the execution's core, and the mode this handle belongs to.
#[derive(Clone)]
struct Handle {
    core: Rc<RefCell<Core>>,
    mode: Mode,
    /// In node mode, which time it was entered.
    node_mode: u32,
}

impl Handle {
    fn check_mode(&self) -> Result<(), Error> {
        let core = self.core.borrow();
        match (self.mode, core.mode) {
            (Mode::Don, Mode::Don) => Ok(()),
            (Mode::Node, Mode::Node) if self.node_mode == core.n_node_modes => Ok(()),
            (Mode::Don, Mode::Node) => Err(Error::DonInNodeMode),
            (Mode::Node, Mode::Don | Mode::Node) => Err(Error::NodeInDonMode),
        }
    }

    fn next_id(&self) -> i32 {
        let mut core = self.core.borrow_mut();
        let (id, step) = match self.mode {
            Mode::Don => (&mut core.don_id, 1),
            Mode::Node => (&mut core.node_id, -1),
        };
        // Wrapping would take more calls than any host allows; the host refuses an id it has seen.
        *id = id.wrapping_add(step);
        *id
    }

    fn call<A: Message + Name + Default + 'static>(
        &self,
        id: &str,
        method: &str,
        payload: Any,
    ) -> Promise<A> {
        let callback_id = match self.start(id, method, payload) {
            Ok(callback_id) => callback_id,
            Err(error) => return Promise::ready(Err(error)),
        };
        let (handle, id, method) = (self.clone(), id.to_owned(), method.to_owned());
        Promise::new(move || {
            let any = handle.answer(callback_id, id, method)?;
            Ok(messages::unpack(&any)?)
        })
    }

    fn start(&self, id: &str, method: &str, payload: Any) -> Result<i32, Error> {
        self.check_mode()?;
        let callback_id = self.next_id();
        let request = CapabilityRequest {
            id: id.to_owned(),
            payload: Some(payload),
            method: method.to_owned(),
            callback_id,
        };
        let started = self.core.borrow_mut().host.call_capability(&request.encode_to_vec());
        started.map_err(|text| capability_error(id, method, &String::from_utf8_lossy(&text)))?;
        Ok(callback_id)
    }

    fn answer(&self, callback_id: i32, id: String, method: String) -> Result<Any, Error> {
        self.check_mode()?;
        let request = AwaitCapabilitiesRequest { ids: vec![callback_id] }.encode_to_vec();
        let bytes = {
            let mut core = self.core.borrow_mut();
            let len_max = core.response_len_max;
            core.host.await_capabilities(&request, len_max)
        };
        let bytes = bytes.map_err(|text| Error::host("await_capabilities", &text))?;
        let mut answers: AwaitCapabilitiesResponse = decode("AwaitCapabilitiesResponse", &bytes)?;
        let answer = answers.responses.remove(&callback_id).and_then(|answer| answer.response);
        match answer.ok_or(Error::Missing { what: "the call's response" })? {
            capability_response::Response::Payload(any) => Ok(any),
            capability_response::Response::Error(text) => {
                Err(capability_error(&id, &method, &text))
            }
        }
    }

    fn secrets(&self, ids: Vec<SecretId>) -> Promise<Vec<Result<Secret, Error>>> {
        let callback_id = match self.start_secrets(&ids) {
            Ok(callback_id) => callback_id,
            Err(error) => return Promise::ready(Err(error)),
        };
        let handle = self.clone();
        Promise::new(move || {
            let answers = handle.secret_answers(callback_id)?;
            if answers.len() != ids.len() {
                return Err(Error::Missing { what: "a secret's response" });
            }
            let secrets = ids.into_iter().zip(answers).map(|(id, answer)| secret(id, answer));
            Ok(secrets.collect())
        })
    }

    fn start_secrets(&self, ids: &[SecretId]) -> Result<i32, Error> {
        self.check_mode()?;
        let callback_id = self.next_id();
        let request =
            |id: &SecretId| SecretRequest { id: id.id.clone(), namespace: id.namespace.clone() };
        let request =
            GetSecretsRequest { requests: ids.iter().map(request).collect(), callback_id };
        let started = self.core.borrow_mut().host.get_secrets(&request.encode_to_vec());
        started.map_err(|text| Error::host("get_secrets", &text))?;
        Ok(callback_id)
    }

    fn secret_answers(&self, callback_id: i32) -> Result<Vec<SecretResponse>, Error> {
        self.check_mode()?;
        let request = AwaitSecretsRequest { ids: vec![callback_id] }.encode_to_vec();
        let bytes = {
            let mut core = self.core.borrow_mut();
            let len_max = core.response_len_max;
            core.host.await_secrets(&request, len_max)
        };
        let bytes = bytes.map_err(|text| Error::host("await_secrets", &text))?;
        let mut answers: AwaitSecretsResponse = decode("AwaitSecretsResponse", &bytes)?;
        let answer = answers.responses.remove(&callback_id);
        Ok(answer.ok_or(Error::Missing { what: "the secrets' response" })?.responses)
    }

    fn log(&self, line: &str) {
        self.core.borrow_mut().host.log(line);
    }

    fn emit(&self, metric: &UserMetric) -> bool {
        self.core.borrow_mut().host.emit_metric(&metric.encode_to_vec())
    }

    fn now(&self) -> Result<Timestamp, Error> {
        self.check_mode()?;
        let nanos = self.core.borrow_mut().host.now();
        let nanos = nanos.ok_or_else(|| Error::host("now", b"no time"))?;
        Ok(timestamp(nanos))
    }

    fn random_u64(&self) -> Result<u64, Error> {
        self.check_mode()?;
        let Core { host, don_rng, node_rng, .. } = &mut *self.core.borrow_mut();
        let rng = match self.mode {
            Mode::Don => don_rng,
            Mode::Node => node_rng,
        };
        Ok(rng.get_or_insert_with(|| Rng::new(host.random_seed(self.mode))).next_u64())
    }

    fn random_below(&self, bound: u64) -> Result<u64, Error> {
        if bound == 0 {
            return Err(Error::workflow("no number is below 0"));
        }
        // Draws from the last, incomplete round of `bound` would favour small numbers: draw again.
        let excess = (u64::MAX % bound + 1) % bound;
        loop {
            let drawn = self.random_u64()?;
            if drawn <= u64::MAX - excess {
                return Ok(drawn % bound);
            }
        }
    }

    fn enter_node_mode(&self) -> Self {
        let mut core = self.core.borrow_mut();
        core.mode = Mode::Node;
        core.n_node_modes = core.n_node_modes.wrapping_add(1);
        core.host.switch_modes(Mode::Node);
        Self { core: Rc::clone(&self.core), mode: Mode::Node, node_mode: core.n_node_modes }
    }

    fn leave_node_mode(&self) {
        let mut core = self.core.borrow_mut();
        core.mode = Mode::Don;
        core.host.switch_modes(Mode::Don);
    }
}

fn secret(id: SecretId, answer: SecretResponse) -> Result<Secret, Error> {
    match answer.response {
        Some(secret_response::Response::Secret(secret)) => {
            Ok(Secret::new(id, secret.owner, secret.value))
        }
        Some(secret_response::Response::Error(error)) => {
            Err(Error::Secret { namespace: id.namespace, id: id.id, text: error.error })
        }
        None => Err(Error::Missing { what: "a secret's response" }),
    }
}

fn capability_error(id: &str, method: &str, text: &str) -> Error {
    Error::Capability {
        id: id.to_owned(),
        method: method.to_owned(),
        source: CapabilityError::parse(text),
    }
}

/// Decodes a message of the host.
pub(crate) fn decode<M: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, Error> {
    M::decode(bytes).map_err(|source| Error::Undecodable { what, source })
}

/// `nanos` since 1970.
fn timestamp(nanos: u64) -> Timestamp {
    const NANOS_PER_S: u64 = 1_000_000_000;
    let seconds = i64::try_from(nanos / NANOS_PER_S).expect("u64::MAX / 10^9 fits");
    let nanos = i32::try_from(nanos % NANOS_PER_S).expect("below 10^9");
    Timestamp { seconds, nanos }
}

/// What every runtime offers.
macro_rules! common {
    () => {
        /// Calls a method of a capability, by name. Clients such as [`crate::evm::Client`] do it typed.
        ///
        /// The call starts now; [`Promise::wait`] gives its answer.
        pub fn call<A: Message + Name + Default + 'static>(
            &self,
            id: &str,
            method: &str,
            request: &impl Name,
        ) -> Promise<A> {
            self.handle.call(id, method, messages::pack(request))
        }

        /// Logs a line, of at most 1 KB and the 1,000th in production. What is logged is not confidential.
        pub fn log(&self, line: impl AsRef<str>) {
            self.handle.log(line.as_ref());
        }

        /// Emits a metric; whether the host took it. Hosts take none unless told to.
        pub fn emit(&self, metric: &UserMetric) -> bool {
            self.handle.emit(metric)
        }

        /// A random number that is no secret.
        ///
        /// # Errors
        /// The runtime is used in the other mode.
        pub fn random_u64(&self) -> Result<u64, Error> {
            self.handle.random_u64()
        }

        /// A random number below `bound`, each equally likely. No secret either.
        ///
        /// # Errors
        /// The runtime is used in the other mode, or `bound` is 0.
        pub fn random_below(&self, bound: u64) -> Result<u64, Error> {
            self.handle.random_below(bound)
        }
    };
}

/// A workflow's runtime in DON mode: every node makes the same calls.
///
/// While [`run_in_node_mode`](Self::run_in_node_mode) runs, it is borrowed, so that using it there does not
/// compile:
///
/// ```compile_fail,E0502
/// # use cre::{Consensus, Error, Runtime};
/// fn handler(runtime: &mut Runtime) -> Result<i64, Error> {
///     let observed = runtime.run_in_node_mode(Consensus::median(), |node| {
///         let _ = runtime.now()?; // DON time, asked for by each node alone.
///         node.random_below(6).map(|drawn| drawn as i64)
///     });
///     observed.wait()
/// }
/// ```
///
/// A clone shares the execution, and is how to get around the compiler. The call then fails with CRE's own text.
#[derive(Clone)]
pub struct Runtime {
    handle: Handle,
}

impl Runtime {
    /// A runtime over a host, in DON mode. A module gets its own; this one is for tests of handlers.
    ///
    /// `response_len_max` is the longest answer that the host may write, in bytes.
    pub fn new(host: impl Host + 'static, response_len_max: usize) -> Self {
        let core = Core {
            host: Box::new(host),
            mode: Mode::Don,
            n_node_modes: 0,
            don_id: 0,
            node_id: 0,
            don_rng: None,
            node_rng: None,
            response_len_max,
        };
        let core = Rc::new(RefCell::new(core));
        Self { handle: Handle { core, mode: Mode::Don, node_mode: 0 } }
    }

    common!();

    /// The DON's time, agreed on by its nodes: a round of consensus.
    ///
    /// # Errors
    /// The workflow is in node mode, or the host has no time.
    pub fn now(&self) -> Result<Timestamp, Error> {
        self.handle.now()
    }

    /// Fetches a secret.
    pub fn secret(&self, id: impl Into<SecretId>) -> Promise<Secret> {
        self.secrets([id]).and_then(|secrets| {
            secrets.into_iter().next().ok_or(Error::Missing { what: "the secret" })?
        })
    }

    /// Fetches secrets in one request; the answers are in its order.
    pub fn secrets<I: Into<SecretId>>(
        &self,
        ids: impl IntoIterator<Item = I>,
    ) -> Promise<Vec<Result<Secret, Error>>> {
        self.handle.secrets(ids.into_iter().map(Into::into).collect())
    }

    /// Has every node observe by itself, and the DON agree on one value.
    ///
    /// `observe` runs now; its error is an observation too. What is returned is the round of consensus, started.
    /// If too few nodes observe, or their observations don't fit `consensus`, waiting fails.
    pub fn run_in_node_mode<I, O>(
        &mut self,
        consensus: Consensus<I, O>,
        observe: impl FnOnce(&mut NodeRuntime) -> Result<I, Error>,
    ) -> Promise<O>
    where
        I: Into<Value>,
        O: TryFrom<Value, Error: Into<Error>> + 'static,
    {
        if let Err(error) = self.handle.check_mode() {
            return Promise::ready(Err(error));
        }
        let mut node = NodeRuntime { handle: self.handle.enter_node_mode() };
        let observed = observe(&mut node);
        self.handle.leave_node_mode();
        let request: SimpleConsensusInputs = consensus.inputs(observed);
        self.call::<Value>(consensus::ID, consensus::SIMPLE, &request)
            .and_then(|value| O::try_from(value).map_err(Into::into))
    }

    /// Has the DON sign a payload, for an EVM chain's forwarder.
    pub fn report(&self, payload: impl Into<Vec<u8>>) -> Promise<Report> {
        self.report_as(report::evm(payload.into()))
    }

    /// Has the DON sign a payload, the way the request says.
    pub fn report_as(&self, request: ReportRequest) -> Promise<Report> {
        self.call(consensus::ID, consensus::REPORT, &request).map(Report::new)
    }
}

/// One node's runtime, inside [`Runtime::run_in_node_mode`].
///
/// It ends with the closure: what is needed outside comes through consensus. Carrying it out does not compile:
///
/// ```compile_fail,E0521
/// # use cre::{Consensus, Error, Runtime};
/// fn handler(runtime: &mut Runtime) -> Result<i64, Error> {
///     let mut escaped = None;
///     let observed = runtime.run_in_node_mode(Consensus::median(), |node| {
///         escaped = Some(node);
///         Ok(1i64)
///     });
///     observed.wait()
/// }
/// ```
///
/// A clone may be carried out, and is refused there with CRE's own text.
#[derive(Clone)]
pub struct NodeRuntime {
    handle: Handle,
}

impl NodeRuntime {
    common!();

    /// This node's time.
    ///
    /// # Errors
    /// The workflow is in DON mode, or the host has no time.
    pub fn now(&self) -> Result<Timestamp, Error> {
        self.handle.now()
    }
}

/// The runtime of a handler that runs inside a TEE: one executor, so that HTTP needs no node mode.
#[derive(Clone)]
pub struct TeeRuntime {
    runtime: Runtime,
}

impl TeeRuntime {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }

    /// Logs a line. It leaves the TEE: what is logged is not confidential.
    pub fn log(&self, line: impl AsRef<str>) {
        self.runtime.log(line);
    }

    /// Emits a metric, out of the TEE; whether the host took it.
    pub fn emit(&self, metric: &UserMetric) -> bool {
        self.runtime.emit(metric)
    }

    /// The time.
    ///
    /// # Errors
    /// The host has no time.
    pub fn now(&self) -> Result<Timestamp, Error> {
        self.runtime.now()
    }

    /// A random number that is no secret: its seed is the execution's id.
    ///
    /// # Errors
    /// The workflow is in node mode.
    pub fn random_u64(&self) -> Result<u64, Error> {
        self.runtime.random_u64()
    }

    /// Fetches a secret into the TEE.
    pub fn secret(&self, id: impl Into<SecretId>) -> Promise<Secret> {
        self.runtime.secret(id)
    }

    /// Fetches secrets into the TEE in one request; the answers are in its order.
    pub fn secrets<I: Into<SecretId>>(
        &self,
        ids: impl IntoIterator<Item = I>,
    ) -> Promise<Vec<Result<Secret, Error>>> {
        self.runtime.secrets(ids)
    }

    /// The runtime that makes its calls to the DONs: what is sent through it leaves the TEE, and is seen by nodes.
    pub fn using_the_dons(&mut self) -> &mut Runtime {
        &mut self.runtime
    }
}

/// A runtime from which HTTP requests may be sent: a node's, and a TEE's.
pub trait HttpRuntime: sealed::Sealed {
    #[doc(hidden)]
    fn call_http<A: Message + Name + Default + 'static>(
        &self,
        id: &str,
        method: &str,
        request: &impl Name,
    ) -> Promise<A>;
}

impl HttpRuntime for NodeRuntime {
    fn call_http<A: Message + Name + Default + 'static>(
        &self,
        id: &str,
        method: &str,
        request: &impl Name,
    ) -> Promise<A> {
        self.call(id, method, request)
    }
}

impl HttpRuntime for TeeRuntime {
    fn call_http<A: Message + Name + Default + 'static>(
        &self,
        id: &str,
        method: &str,
        request: &impl Name,
    ) -> Promise<A> {
        self.runtime.call(id, method, request)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NodeRuntime {}
    impl Sealed for super::TeeRuntime {}
}

macro_rules! opaque {
    ($($type:ident),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($type))
            }
        }
    )*};
}

opaque!(Runtime, NodeRuntime, TeeRuntime);
