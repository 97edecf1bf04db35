//! One node: what it runs, and the world it gives the workflow.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender};

use cre::messages::sdk::{
    CapabilityRequest, CapabilityResponse, ExecuteRequest, ExecutionResult, GetSecretsRequest,
    SecretResponses, TeeTypeAndRegions, capability_response, secret_response,
};
use engine::{Limits, Mode, World};
use prost::Message as _;

use crate::restriction::Allowance;
use crate::secrets::{Secrets, refusal};
use crate::usage::{Usage, within};
use crate::{CapabilityError, Code};

/// Something that answers a workflow's requests: a module in an engine, or a runner that has one elsewhere.
///
/// Each execution is a fresh start. What it asks of its world must depend on nothing but the request and
/// the world's answers, or the nodes part.
pub trait Program: Sync {
    /// Answers one request.
    ///
    /// # Errors
    /// The program did not come to an answer; an error that the workflow itself reports is a result.
    fn run(
        &self,
        request: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, ProgramError>;
}

/// A closure is a program: a workflow that is not compiled to WASM, and the smallest test double.
impl<F> Program for F
where
    F: Fn(&ExecuteRequest, &mut dyn World) -> Result<ExecutionResult, ProgramError> + Sync,
{
    fn run(
        &self,
        request: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, ProgramError> {
        self(request, world)
    }
}

/// A module is the program that a DON is given.
impl Program for engine::Module {
    fn run(
        &self,
        request: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, ProgramError> {
        self.execute(request, world).map_err(|error| ProgramError::Failed(error.into()))
    }
}

/// Why a program has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The module trapped, ran out of something, or was refused.
    #[error("the program failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer breaks a limit.
    #[error("the answer was refused")]
    Refused(#[source] CapabilityError),
}

/// An error with its causes, in one line. A cause that says nothing of its own is left out.
#[must_use]
pub fn words(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !said.ends_with(&text) {
            said = format!("{said}: {text}");
        }
        cause = deeper.source();
    }
    said
}

/// A program inside a TEE, for triggers that require one. It runs once, not once per node, and whoever
/// implements it checks the evidence of the TEE before relaying what it asks.
pub trait TeeRunner: Program {
    /// Which TEE, and in which regions.
    fn tee(&self) -> TeeTypeAndRegions;
}

/// What the nodes run, with what, and how much of it.
#[derive(Clone)]
pub struct Workflow<'a> {
    /// The module.
    pub program: &'a dyn Program,
    /// Where triggers go that require a TEE; the first that satisfies them.
    pub tees: Vec<&'a dyn TeeRunner>,
    /// Given to the module with each request but a pre-hook's.
    pub config: Vec<u8>,
    /// Its owner's secrets.
    pub secrets: Secrets,
    /// Its limits.
    pub limits: Limits,
}

impl fmt::Debug for Workflow<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Workflow({} bytes of configuration)", self.config.len())
    }
}

impl<'a> Workflow<'a> {
    /// A workflow without configuration, secrets or TEE, under production's limits.
    pub fn new(program: &'a dyn Program) -> Self {
        Self {
            program,
            tees: Vec::new(),
            config: Vec::new(),
            secrets: Secrets::default(),
            limits: Limits::production(),
        }
    }
}

/// What a node does while the DON runs a workflow.
#[derive(Default, Clone, Copy)]
pub enum Behaviour<'a> {
    /// It runs the workflow's program.
    #[default]
    Honest,
    /// It does not run.
    Absent,
    /// It runs a program of its own. Nobody can tell but by what comes of it.
    Own(&'a dyn Program),
}

impl fmt::Debug for Behaviour<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Honest => "Honest",
            Self::Absent => "Absent",
            Self::Own(_) => "Own",
        })
    }
}

/// A line that the workflow logged on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The node's index.
    pub node: usize,
    /// In which mode.
    pub mode: Mode,
    /// What.
    pub text: String,
}

/// From a node's thread to the one that serves them all.
pub(crate) enum Event {
    Asked { node: usize, mode: Mode, request: CapabilityRequest },
    Waits { node: usize, callback_id: i32 },
    Finished { node: usize, outcome: Outcome, lines: Vec<Line> },
}

/// What became of a node's program; a panic travels to whoever started it.
pub(crate) type Outcome = std::thread::Result<Result<ExecutionResult, ProgramError>>;

/// The world as one node gives it to its copy of the workflow.
pub(crate) struct NodeWorld<'a> {
    pub(crate) node: usize,
    pub(crate) workflow: &'a Workflow<'a>,
    pub(crate) execution_id: &'a str,
    pub(crate) now_ns: u64,
    pub(crate) seed: u64,
    pub(crate) allowance: Allowance,
    pub(crate) usage: Usage,
    /// Answers that need nobody else: refusals.
    pub(crate) refused: BTreeMap<i32, CapabilityError>,
    pub(crate) n_open: usize,
    pub(crate) lines: Vec<Line>,
    pub(crate) events: Sender<Event>,
    pub(crate) answers: Receiver<CapabilityResponse>,
}

impl NodeWorld<'_> {
    fn admit(&mut self, request: &CapabilityRequest) -> Result<(), CapabilityError> {
        self.allowance.call(request)?;
        let limits = &self.workflow.limits;
        if self.n_open >= limits.calls_in_flight_max {
            let message = format!("more than {} calls at once", limits.calls_in_flight_max);
            return Err(CapabilityError::user(Code::LimitExceeded, message));
        }
        self.usage.call(limits, request)
    }
}

impl World for NodeWorld<'_> {
    fn call(&mut self, mode: Mode, request: CapabilityRequest) -> Result<(), String> {
        // A refusal is an answer, as in Chainlink's host, where calls are made after they are accepted.
        if let Err(error) = self.admit(&request) {
            self.refused.insert(request.callback_id, error);
            return Ok(());
        }
        self.n_open += 1;
        self.events.send(Event::Asked { node: self.node, mode, request }).map_err(|_| gone())
    }

    fn answer(&mut self, callback_id: i32) -> Result<CapabilityResponse, String> {
        if let Some(error) = self.refused.remove(&callback_id) {
            return Ok(failure(&error));
        }
        self.events.send(Event::Waits { node: self.node, callback_id }).map_err(|_| gone())?;
        let answer = self.answers.recv().map_err(|_| gone())?;
        self.n_open = self.n_open.saturating_sub(1);
        Ok(answer)
    }

    fn secrets(&mut self, request: GetSecretsRequest) -> Result<SecretResponses, String> {
        let Workflow { limits, secrets, .. } = self.workflow;
        self.usage.secrets(limits).map_err(|error| error.to_string())?;
        let mut responses = Vec::new();
        for one in &request.requests {
            responses.push(match self.allowance.secret(one) {
                Ok(()) => secrets.answer(one),
                Err(reason) => refusal(one, "", reason),
            });
            if let Some(secret_response::Response::Secret(secret)) =
                responses.last().and_then(|response| response.response.as_ref())
            {
                self.usage
                    .secrets_given(limits, secret.value.len())
                    .map_err(|error| error.to_string())?;
            }
        }
        Ok(SecretResponses { responses })
    }

    fn now(&mut self, _mode: Mode) -> Result<u64, String> {
        Ok(self.now_ns)
    }

    fn execution_id(&self) -> &str {
        self.execution_id
    }

    fn node_seed(&mut self) -> u64 {
        self.seed
    }

    fn log(&mut self, mode: Mode, line: &str) {
        let Limits { log_lines_max, log_line_size_max, .. } = self.workflow.limits;
        let n_lines = self.lines.iter().filter(|known| known.mode == mode).count();
        if n_lines < log_lines_max as usize && line.len() <= log_line_size_max {
            self.lines.push(Line { node: self.node, mode, text: line.to_owned() });
        }
    }
}

/// Checks what a program returned against the limits.
pub(crate) fn accept(
    limits: &Limits,
    result: ExecutionResult,
) -> Result<ExecutionResult, ProgramError> {
    within(result.encoded_len(), limits.response_size_max, "a result")
        .map_err(ProgramError::Refused)?;
    Ok(result)
}

/// A failure as a response.
pub(crate) fn failure(error: &CapabilityError) -> CapabilityResponse {
    CapabilityResponse { response: Some(capability_response::Response::Error(error.to_string())) }
}

fn gone() -> String {
    CapabilityError::system(Code::Aborted, "the execution was abandoned").to_string()
}
