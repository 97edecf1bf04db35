//! One request, run by every node.
//!
//! Each node has a thread; the caller's thread serves them. It acts only when every node waits for an answer
//! or has finished, and then by node index and callback id, so that scheduling has no say:
//!
//! 1. requests that nodes make for themselves are carried out, node by node, in the order made;
//! 2. whoever has an answer goes on, and the nodes run until all wait again;
//! 3. requests of the DON that a quorum has made byte for byte are carried out, by callback id;
//! 4. if nothing else can happen, the lowest id that somebody waits for has failed to reach consensus.
//!
//! So a node that lags behind is waited for, and one that lies cannot hold the others up. Consensus over
//! observations differs in one point: there the quorum is over how to aggregate, and every node of it brings
//! an observation of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use cre::messages::Any;
use cre::messages::sdk::{
    CapabilityRequest, CapabilityResponse, ExecuteRequest, ExecutionResult, Restrictions,
    capability_response,
};
use engine::Mode;
use primitives::{Timestamp, hex, sha256};
use prost::Message as _;

use crate::consensus::{self, Round};
use crate::node::{Event, NodeWorld, Outcome, accept, failure};
use crate::restriction::Allowance;
use crate::usage::Usage;
use crate::{
    Agreement, Behaviour, Call, Caller, CapabilityError, Code, Don, Line, NoQuorum, Program,
    ProgramError, Registry, Stamp, Workflow,
};

/// Size of the buffers that a guest is told to allocate for answers, bytes: Chainlink's default.
const RESPONSE_LEN_MAX: u64 = 5_000_000;

/// Nanoseconds in a second.
const NS_PER_S: u64 = 1_000_000_000;

/// Which execution this is. Nothing else of it varies between runs.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// Its id, in its reports too. Two executions of one id cannot both deliver.
    pub execution_id: [u8; 32],
    /// OCR sequence number of its first report; each further one takes the next.
    pub sequence: u64,
    /// The DON's time and every node's, Unix nanoseconds. It stands still during an execution.
    pub now_ns: u64,
    /// What the workflow's pre-hook allows.
    pub restrictions: Option<Restrictions>,
}

impl Job {
    /// An execution that is named for its one report: see [`Don::stamp`].
    #[must_use]
    pub fn numbered(don: &Don, sequence: u64, now: Timestamp) -> Self {
        Self {
            execution_id: don.stamp(sequence, now).execution_id,
            sequence,
            now_ns: now.0.saturating_mul(NS_PER_S),
            restrictions: None,
        }
    }
}

/// A capability request that was carried out, or failed to reach consensus.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// The node that asked for itself; `None` for the DON.
    pub node: Option<usize>,
    /// The nodes behind it, ascending.
    pub voters: Vec<usize>,
    /// As agreed on. Of a consensus over observations, that of the first voter.
    pub request: CapabilityRequest,
    /// What came of it.
    pub answer: Result<Any, CapabilityError>,
}

/// What came of a request.
#[derive(Debug)]
pub struct Execution {
    /// The execution's id.
    pub id: [u8; 32],
    /// Per node, what its copy of the workflow returned; `None` for one that did not run or kept silent.
    /// Of an execution in a TEE, its one result at the first node that vouches for it.
    pub results: Vec<Option<Result<ExecutionResult, ProgramError>>>,
    /// The result that a quorum of nodes returned.
    pub agreed: Result<Agreement<ExecutionResult>, NoQuorum>,
    /// What was logged, node by node.
    pub lines: Vec<Line>,
    /// The capability requests, in the order served.
    pub calls: Vec<Served>,
}

/// Runs one request on every node. `behaviours` says by index what nodes do; further ones are honest.
///
/// # Panics
/// If a program panics.
pub fn execute(
    don: &Don,
    workflow: &Workflow<'_>,
    request: &ExecuteRequest,
    job: &Job,
    registry: &mut Registry<'_>,
    behaviours: &[Behaviour<'_>],
) -> Execution {
    run(don, workflow, Executor::Nodes(workflow.program), request, job, registry, behaviours)
}

/// Who runs the program.
#[derive(Clone, Copy)]
pub(crate) enum Executor<'a> {
    /// Every node.
    Nodes(&'a dyn Program),
    /// One TEE, which the nodes vouch for.
    Tee(&'a dyn Program),
}

pub(crate) fn run(
    don: &Don,
    workflow: &Workflow<'_>,
    executor: Executor<'_>,
    request: &ExecuteRequest,
    job: &Job,
    registry: &mut Registry<'_>,
    behaviours: &[Behaviour<'_>],
) -> Execution {
    let present: Vec<usize> = (0..don.n())
        .filter(|node| !matches!(behaviours.get(*node), Some(Behaviour::Absent)))
        .collect();
    let (program, runners, vouching) = match executor {
        Executor::Nodes(program) => (program, present.clone(), None),
        Executor::Tee(program) => {
            // An enclave takes a request that a quorum of nodes signed, and carries out none without.
            let enough = present.len() >= don.quorum();
            let runners = if enough { present[..1].to_vec() } else { Vec::new() };
            (program, runners, Some(present.clone()))
        }
    };
    let mut request = request.clone();
    if request.max_response_size == 0 {
        request.max_response_size = RESPONSE_LEN_MAX;
    }
    let execution_id = hex(&job.execution_id);
    let (events, inbox) = channel();
    // A capability that panics drops the table with its answers, and the nodes that wait for one end.
    let table = thread::scope(|scope| {
        let mut table = Table {
            don,
            job,
            nodes: BTreeMap::new(),
            served: BTreeMap::new(),
            calls: Vec::new(),
            n_reports: 0,
            vouching,
        };
        for node in runners {
            let (answers, hears) = channel();
            table.nodes.insert(node, Seat::new(answers));
            let mut world = NodeWorld {
                node,
                workflow,
                execution_id: &execution_id,
                now_ns: job.now_ns,
                seed: seed(&job.execution_id, node),
                allowance: job.restrictions.as_ref().map(Allowance::new).unwrap_or_default(),
                usage: Usage::default(),
                refused: BTreeMap::new(),
                n_open: 0,
                lines: Vec::new(),
                events: events.clone(),
                answers: hears,
            };
            let program = match (executor, behaviours.get(node)) {
                (Executor::Nodes(_), Some(Behaviour::Own(own))) => *own,
                (Executor::Nodes(_) | Executor::Tee(_), _) => program,
            };
            let request = &request;
            scope.spawn(move || {
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    let result = program.run(request, &mut world)?;
                    accept(&world.workflow.limits, result)
                }));
                let lines = std::mem::take(&mut world.lines);
                // Nobody listens any more only if another node's program panicked.
                let _ = world.events.send(Event::Finished { node, outcome, lines });
            });
        }
        table.serve(&inbox, registry);
        table
    });
    table.finish()
}

/// A node as the serving thread sees it.
struct Seat {
    answers: Option<Sender<CapabilityResponse>>,
    running: bool,
    waits: Option<i32>,
    /// What it asked, by callback id.
    asked: BTreeMap<i32, Asked>,
    /// What it asked for itself and nobody has carried out, in the order made.
    own: Vec<i32>,
    /// Answers to what it asked for itself.
    own_answers: BTreeMap<i32, CapabilityResponse>,
    outcome: Option<Result<ExecutionResult, ProgramError>>,
    lines: Vec<Line>,
}

struct Asked {
    mode: Mode,
    request: CapabilityRequest,
}

impl Seat {
    const fn new(answers: Sender<CapabilityResponse>) -> Self {
        Self {
            answers: Some(answers),
            running: true,
            waits: None,
            asked: BTreeMap::new(),
            own: Vec::new(),
            own_answers: BTreeMap::new(),
            outcome: None,
            lines: Vec::new(),
        }
    }
}

/// A request of the DON that is done with.
struct Settled {
    /// The bytes agreed on; `None` if there was no quorum.
    bytes: Option<Vec<u8>>,
    answer: CapabilityResponse,
}

struct Table<'a> {
    don: &'a Don,
    job: &'a Job,
    nodes: BTreeMap<usize, Seat>,
    served: BTreeMap<i32, Settled>,
    calls: Vec<Served>,
    n_reports: u16,
    /// In a TEE's execution, the nodes that vouch for what it asks.
    vouching: Option<Vec<usize>>,
}

impl Table<'_> {
    fn serve(&mut self, inbox: &Receiver<Event>, registry: &mut Registry<'_>) {
        loop {
            while self.nodes.values().any(|seat| seat.running) {
                let event = inbox.recv().expect("a running node holds a sender");
                self.hear(event);
            }
            self.serve_nodes(registry);
            if self.deliver() || self.serve_don(registry) {
                continue;
            }
            let Some(stuck) = self.nodes.values().filter_map(|seat| seat.waits).min() else {
                return;
            };
            self.give_up(stuck, registry);
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Asked { node, mode, request } => {
                let callback_id = request.callback_id;
                let seat = self.seat(node);
                if mode == Mode::Node {
                    seat.own.push(callback_id);
                }
                seat.asked.insert(callback_id, Asked { mode, request });
            }
            Event::Waits { node, callback_id } => {
                let seat = self.seat(node);
                seat.waits = Some(callback_id);
                seat.running = false;
            }
            Event::Finished { node, outcome, lines } => {
                let outcome = self.returned(outcome);
                let seat = self.seat(node);
                seat.running = false;
                seat.lines = lines;
                seat.outcome = Some(outcome);
            }
        }
    }

    fn seat(&mut self, node: usize) -> &mut Seat {
        self.nodes.get_mut(&node).expect("only seated nodes have threads")
    }

    /// What a program returned. If it panicked, lets the other nodes go and panics in turn.
    fn returned(&mut self, outcome: Outcome) -> Result<ExecutionResult, ProgramError> {
        outcome.unwrap_or_else(|panic| {
            for seat in self.nodes.values_mut() {
                seat.answers = None;
            }
            resume_unwind(panic)
        })
    }

    /// Carries out what nodes asked for themselves.
    fn serve_nodes(&mut self, registry: &mut Registry<'_>) {
        let Self { job, nodes, calls, .. } = self;
        for (&node, seat) in nodes.iter_mut() {
            for callback_id in std::mem::take(&mut seat.own) {
                let request = &seat.asked[&callback_id].request;
                let answer = if request.id == consensus::ID {
                    Err(CapabilityError::user(
                        Code::FailedPrecondition,
                        "consensus is of the DON, not of a node",
                    ))
                } else {
                    let caller = Caller::Node(node);
                    let answer = registry.call(&call(request, caller, job, &Any::default()));
                    let (request, voters) = (request.clone(), vec![node]);
                    let kept = answer.clone();
                    calls.push(Served { node: Some(node), voters, request, answer: kept });
                    answer
                };
                seat.own_answers.insert(callback_id, response(&answer));
            }
        }
    }

    /// Lets whoever has an answer go on.
    fn deliver(&mut self) -> bool {
        let mut any = false;
        for seat in self.nodes.values_mut() {
            let Some(callback_id) = seat.waits else { continue };
            let Some(asked) = seat.asked.get(&callback_id) else {
                // The engine only waits for what was accepted; a program that is not one may not.
                let error = CapabilityError::user(Code::NotFound, "no such call");
                any |= seat.release(failure(&error));
                continue;
            };
            let answer = match asked.mode {
                Mode::Node => seat.own_answers.get(&callback_id).cloned(),
                Mode::Don => self.served.get(&callback_id).map(|settled| {
                    let same = settled.bytes.as_ref().is_none_or(|agreed| {
                        *agreed == consensus::agreed_part(&asked.request).encode_to_vec()
                    });
                    if same { settled.answer.clone() } else { failure(&outvoted()) }
                }),
            };
            let Some(answer) = answer else { continue };
            any |= seat.release(answer);
        }
        any
    }

    /// Carries out the requests of the DON that have a quorum.
    fn serve_don(&mut self, registry: &mut Registry<'_>) -> bool {
        let waiting: BTreeSet<i32> = self
            .nodes
            .values()
            .flat_map(|seat| &seat.asked)
            .filter(|(id, asked)| asked.mode == Mode::Don && !self.served.contains_key(id))
            .map(|(id, _)| *id)
            .collect();
        let mut any = false;
        for callback_id in waiting {
            if let Ok(agreement) = self.agree_on(callback_id) {
                self.carry_out(callback_id, agreement, registry);
                any = true;
            }
        }
        any
    }

    fn agree_on(&self, callback_id: i32) -> Result<Agreement<Vec<u8>>, NoQuorum> {
        let said = |node: usize| {
            let asked = self.nodes.get(&node)?.asked.get(&callback_id)?;
            (asked.mode == Mode::Don)
                .then(|| consensus::agreed_part(&asked.request).encode_to_vec())
        };
        let values: Vec<Option<Vec<u8>>> = (0..self.don.n()).map(said).collect();
        match &self.vouching {
            None => self.don.agree(&values),
            Some(voters) => {
                let none = NoQuorum { agreeing: 0, quorum: self.don.quorum() };
                let value = values.into_iter().flatten().next().ok_or(none)?;
                Ok(Agreement { value, voters: voters.clone() })
            }
        }
    }

    fn carry_out(
        &mut self,
        callback_id: i32,
        agreement: Agreement<Vec<u8>>,
        registry: &mut Registry<'_>,
    ) {
        let Agreement { value: bytes, voters } = agreement;
        let said = |node: &usize| Some(&self.nodes.get(node)?.asked.get(&callback_id)?.request);
        let requests: Vec<&CapabilityRequest> = voters.iter().filter_map(said).collect();
        let request = (*requests.first().expect("an agreement has voters")).clone();
        let answer = if request.id == consensus::ID {
            let timestamp = Timestamp(self.job.now_ns / NS_PER_S);
            let stamp = Stamp {
                execution_id: self.job.execution_id,
                report_id: self.n_reports.saturating_add(1),
                sequence: self.job.sequence.saturating_add(u64::from(self.n_reports)),
                timestamp,
            };
            // Of a TEE's one observation nobody can be outvoted.
            let f = if self.vouching.is_some() { 0 } else { self.don.f() };
            let round = Round { don: self.don, f, stamp: &stamp, voters: &voters };
            let answer = round.answer(&request.method, &requests);
            if request.method == consensus::REPORT && answer.is_ok() {
                self.n_reports = self.n_reports.saturating_add(1);
            }
            answer
        } else {
            let caller = match self.vouching {
                Some(_) => Caller::Tee(&voters),
                None => Caller::Don(&voters),
            };
            registry.call(&call(&request, caller, self.job, &Any::default()))
        };
        let settled = Settled { bytes: Some(bytes), answer: response(&answer) };
        self.served.insert(callback_id, settled);
        self.calls.push(Served { node: None, voters, request, answer });
    }

    /// No node can go on and no request has a quorum.
    fn give_up(&mut self, callback_id: i32, registry: &mut Registry<'_>) {
        let none = match self.agree_on(callback_id) {
            Err(none) => none,
            Ok(_) => unreachable!("what has a quorum was carried out"),
        };
        let error = CapabilityError::system(Code::ConsensusFailed, none.to_string());
        let asked: Vec<(usize, &CapabilityRequest)> = self
            .nodes
            .iter()
            .filter_map(|(node, seat)| Some((*node, &seat.asked.get(&callback_id)?.request)))
            .collect();
        if let Some((_, request)) = asked.first() {
            let voters = asked.iter().map(|(node, _)| *node).collect();
            let request = (*request).clone();
            registry.disagreed(&request, none);
            self.calls.push(Served { node: None, voters, request, answer: Err(error.clone()) });
        }
        self.served.insert(callback_id, Settled { bytes: None, answer: failure(&error) });
    }

    fn finish(mut self) -> Execution {
        let mut results: Vec<Option<Result<ExecutionResult, ProgramError>>> = Vec::new();
        let mut lines = Vec::new();
        for node in 0..self.don.n() {
            let seat = self.nodes.remove(&node);
            results.push(seat.and_then(|seat| {
                lines.extend(seat.lines);
                seat.outcome
            }));
        }
        let values: Vec<Option<ExecutionResult>> = results
            .iter()
            .map(|result| result.as_ref().and_then(|result| result.as_ref().ok()).cloned())
            .collect();
        let agreed = match self.vouching {
            None => agree_on_result(self.don, &values),
            Some(voters) => match values.into_iter().flatten().next() {
                Some(value) => Ok(Agreement { value, voters }),
                None => Err(NoQuorum { agreeing: 0, quorum: self.don.quorum() }),
            },
        };
        Execution { id: self.job.execution_id, results, agreed, lines, calls: self.calls }
    }
}

impl Seat {
    fn release(&mut self, answer: CapabilityResponse) -> bool {
        self.waits = None;
        self.running = true;
        let answers = self.answers.as_ref().expect("taken only when an execution is abandoned");
        answers.send(answer).expect("a waiting node listens");
        true
    }
}

/// Results are compared as bytes, so that a float that is not a number equals itself.
fn agree_on_result(
    don: &Don,
    values: &[Option<ExecutionResult>],
) -> Result<Agreement<ExecutionResult>, NoQuorum> {
    let bytes: Vec<Option<Vec<u8>>> =
        values.iter().map(|value| value.as_ref().map(|value| value.encode_to_vec())).collect();
    let Agreement { voters, .. } = don.agree(&bytes)?;
    let value = values[voters[0]].clone().expect("a voter said something");
    Ok(Agreement { value, voters })
}

fn call<'a>(
    request: &'a CapabilityRequest,
    caller: Caller<'a>,
    job: &'a Job,
    nothing: &'a Any,
) -> Call<'a> {
    Call {
        id: &request.id,
        method: &request.method,
        payload: request.payload.as_ref().unwrap_or(nothing),
        caller,
        execution_id: &job.execution_id,
        now_ns: job.now_ns,
    }
}

fn response(answer: &Result<Any, CapabilityError>) -> CapabilityResponse {
    match answer {
        Ok(payload) => CapabilityResponse {
            response: Some(capability_response::Response::Payload(payload.clone())),
        },
        Err(error) => failure(error),
    }
}

fn outvoted() -> CapabilityError {
    CapabilityError::system(Code::ConsensusFailed, "the other nodes made another request")
}

/// Seeds a node's own randomness: different on every node, the same in every run.
fn seed(execution_id: &[u8; 32], node: usize) -> u64 {
    let digest = sha256(&[&b"cdpr/node-seed/v1"[..], execution_id, &(node as u64).to_be_bytes()]);
    u64::from_be_bytes(*digest.first_chunk().expect("32 bytes have 8"))
}
