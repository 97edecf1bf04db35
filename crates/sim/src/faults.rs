//! What goes wrong, on purpose: as configuration of a run, carried out by decorators around the ports and the stores
//! that a node is given. No production code knows of any of it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use cre::messages::sdk::{
    CapabilityRequest, CapabilityResponse, ExecuteRequest, ExecutionResult, GetSecretsRequest,
    SecretResponses, capability_response,
};
use cre::messages::{darkpool as wire, pack, unpack};
use darkpool::Attested;
use devchain::LocalChain;
use don::{Program, ProgramError};
use engine::{Mode, World};
use evm::alloy::primitives::Address;
use evm::alloy::providers::DynProvider;
use evm::alloy::rpc::types::TransactionReceipt;
use host::launch::Tap;
use node::ports::{Chain, Enclave, Failure, Outgoing, Ports};
use primitives::{Bytes32, CommitmentHash, Timestamp, decode, encode};
use protocol::Event;
use protocol::attest::{Observed, Status};
use protocol::journal::{Included, Journal, KIND, Record};
use protocol::wire::{Command, Reply};
use store::Storage;

/// What goes wrong, on purpose.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Per DON node; shorter means healthy.
    pub nodes: Vec<NodeFault>,
    /// Run this image instead of the built one; what everyone expects stays the built one.
    pub image: Option<Vec<u8>>,
    /// See every byte on the enclave's sockets.
    pub tap: Option<Tap>,
    /// The DON has not registered `darkpool@1.0.0`: the workflow's ticks run in a TEE, which asks the dark
    /// pool's endpoint. Such a run has another workflow id, and no journal of it says so: it is not audited.
    pub unregistered: bool,
    /// Whoever serves the enclave's answers to the nodes serves these instead.
    pub host: Option<Host>,
    /// Somebody else acts on the same chain.
    pub outsider: Option<Outsider>,
    /// Where the node loses its power.
    pub plug: Option<Plug>,
}

/// Somebody with an account on the same chain, who sees what anyone sees: the blocks, and a report on its way to one.
#[derive(Clone)]
pub struct Outsider(Arc<Act>);

type Act = dyn Fn(&LocalChain, Seen<'_>) + Send + Sync;

/// When an outsider acts.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// The node is about to look at what is new on the chain.
    Look,
    /// The nodes have read it for a tick.
    Read,
    /// A report is on its way, in no block yet.
    Report(&'a Outgoing<'a>),
}

impl Outsider {
    /// What it does each time.
    pub fn new(acts: impl Fn(&LocalChain, Seen<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(acts))
    }

    /// A decorator around the port whose chain it shares.
    pub(crate) fn around(&self, chain: Box<dyn Chain>, shared: LocalChain) -> Box<dyn Chain> {
        Box::new(Shared { inner: chain, chain: shared, outsider: self.clone() })
    }
}

impl core::fmt::Debug for Outsider {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Outsider")
    }
}

struct Shared {
    inner: Box<dyn Chain>,
    chain: LocalChain,
    outsider: Outsider,
}

impl Shared {
    fn act(&self, seen: Seen<'_>) {
        (self.outsider.0)(&self.chain, seen);
    }
}

impl Chain for Shared {
    fn reads(&mut self, after: Option<&Included>) -> Result<DynProvider, Failure> {
        let provider = self.inner.reads(after)?;
        self.act(Seen::Read);
        Ok(provider)
    }

    fn deliver(
        &mut self,
        now: Timestamp,
        number: u64,
        report: &Outgoing<'_>,
    ) -> Result<(TransactionReceipt, Included), Failure> {
        self.act(Seen::Report(report));
        self.inner.deliver(now, number, report)
    }

    fn since(
        &mut self,
        after: Option<&Included>,
    ) -> Result<Vec<(TransactionReceipt, Included)>, Failure> {
        self.act(Seen::Look);
        self.inner.since(after)
    }

    fn refusal(&mut self, receiver: Address, raw: &[u8]) -> Result<Vec<u8>, Failure> {
        self.inner.refusal(receiver, raw)
    }

    fn digest(&mut self) -> Result<Bytes32, Failure> {
        self.inner.digest()
    }
}

/// A host between the enclave and all nodes.
#[derive(Clone)]
pub struct Host(Arc<dyn Fn(Attested) -> Attested + Send + Sync>);

impl Host {
    /// What it makes of each answer to a tick.
    pub fn new(serves: impl Fn(Attested) -> Attested + Send + Sync + 'static) -> Self {
        Self(Arc::new(serves))
    }

    /// What every node runs for one tick: the answer is served once, and alike to all.
    pub(crate) fn around<'a>(&self, program: &'a dyn Program) -> Mishearing<'a> {
        let (host, served) = (self.clone(), Mutex::new(None));
        let hears = move |response| {
            let serve = || retold(response, |answer| (host.0)(answer));
            served.lock().expect("a host does not panic").get_or_insert_with(serve).clone()
        };
        Mishearing { program, hears: Box::new(hears) }
    }
}

impl core::fmt::Debug for Host {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Host")
    }
}

/// How a node fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NodeFault {
    /// It does not.
    #[default]
    None,
    /// It says the opposite of what it saw, and relays nothing the custodian signed.
    Lying,
    /// It says nothing.
    Absent,
}

impl NodeFault {
    /// What a lying node runs: it hears the opposite of what the enclave said.
    pub(crate) fn around(program: &dyn Program) -> Mishearing<'_> {
        Mishearing { program, hears: Box::new(lie) }
    }
}

/// A program that hears another answer to a tick than was given.
pub(crate) struct Mishearing<'a> {
    program: &'a dyn Program,
    hears: Hears,
}

type Hears = Box<dyn Fn(CapabilityResponse) -> CapabilityResponse + Send + Sync>;

impl Program for Mishearing<'_> {
    fn run(
        &self,
        request: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, ProgramError> {
        self.program.run(request, &mut Misheard { world, hears: &self.hears, ticks: Vec::new() })
    }
}

struct Misheard<'a> {
    world: &'a mut dyn World,
    hears: &'a Hears,
    /// Calls that ask about a tick.
    ticks: Vec<i32>,
}

impl World for Misheard<'_> {
    fn call(&mut self, mode: Mode, request: CapabilityRequest) -> Result<(), String> {
        if request.method == wire::CHECK_RESERVES {
            self.ticks.push(request.callback_id);
        }
        self.world.call(mode, request)
    }

    fn answer(&mut self, callback_id: i32) -> Result<CapabilityResponse, String> {
        let answer = self.world.answer(callback_id)?;
        Ok(if self.ticks.contains(&callback_id) { (self.hears)(answer) } else { answer })
    }

    fn secrets(&mut self, request: GetSecretsRequest) -> Result<SecretResponses, String> {
        self.world.secrets(request)
    }

    fn now(&mut self, mode: Mode) -> Result<u64, String> {
        self.world.now(mode)
    }

    fn execution_id(&self) -> &str {
        self.world.execution_id()
    }

    fn node_seed(&mut self) -> u64 {
        self.world.node_seed()
    }

    fn log(&mut self, mode: Mode, line: &str) {
        self.world.log(mode, line);
    }
}

fn lie(response: CapabilityResponse) -> CapabilityResponse {
    retold(response, |Attested { observed, .. }| {
        let observed = Observed { status: opposite(&observed.status), ..observed };
        Attested { observed, signature: Vec::new() }
    })
}

/// The enclave's answer to a tick, told otherwise. What is none stays what it is.
fn retold(
    response: CapabilityResponse,
    tell: impl FnOnce(Attested) -> Attested,
) -> CapabilityResponse {
    let Some(capability_response::Response::Payload(any)) = &response.response else {
        return response;
    };
    let heard = unpack::<wire::CheckReservesResponse>(any).ok();
    let attested = heard.and_then(|wire::CheckReservesResponse { observed, signature }| {
        Some(Attested { observed: decode(&observed).ok()?, signature })
    });
    let Some(attested) = attested else { return response };
    let Attested { observed, signature } = tell(attested);
    let answer = wire::CheckReservesResponse { observed: encode(&observed), signature };
    CapabilityResponse { response: Some(capability_response::Response::Payload(pack(&answer))) }
}

const fn opposite(status: &Status) -> Status {
    match status {
        Status::Backed(backed) => Status::Backed(!*backed),
        Status::Undecided => Status::Backed(true),
        Status::Sealed(commitment) => {
            let mut bytes = commitment.0;
            bytes[31] ^= 1;
            Status::Sealed(CommitmentHash(bytes))
        }
    }
}

/// Where the power may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Something is about to be asked of a port.
    BeforeEffect,
    /// It was, and its result is not in the journal yet.
    BeforeAppend,
    /// The result is durable.
    AfterAppend,
}

/// A moment at which the power may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Before or after what.
    pub point: Point,
    /// Events in the journal.
    pub n_events: u64,
    /// Effects begun since the last of them, or since the node was opened.
    pub n_begun: u32,
    /// An effect (`observe`, `clear`, `write`), or what is appended: an event (`ticked`, `written` …), `opening`,
    /// `included`, `closing`.
    pub kind: &'static str,
}

/// Decides at each moment whether the power goes. From then on nothing works, until the node is opened again.
#[derive(Clone)]
pub struct Plug(Arc<Mutex<Socket>>);

struct Socket {
    pull: Box<dyn FnMut(&Moment) -> bool + Send>,
    n_events: u64,
    n_begun: u32,
    pulled: Option<Point>,
}

impl core::fmt::Debug for Plug {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Plug({:?})", self.pulled())
    }
}

/// The power is off.
#[derive(Debug, thiserror::Error)]
#[error("the plug was pulled, at {0:?}")]
struct Off(Point);

impl Plug {
    /// A plug that `pull` pulls.
    pub fn new(pull: impl FnMut(&Moment) -> bool + Send + 'static) -> Self {
        let socket = Socket { pull: Box::new(pull), n_events: 0, n_begun: 0, pulled: None };
        Self(Arc::new(Mutex::new(socket)))
    }

    /// Puts it in, with a decorator around the journal's medium.
    pub(crate) fn journal(&self, journal: Box<dyn Storage>) -> Box<dyn Storage> {
        let mut socket = self.socket();
        (socket.n_events, socket.n_begun, socket.pulled) = (0, 0, None);
        drop(socket);
        Box::new(PluggedStorage { inner: journal, plug: self.clone(), kind: None })
    }

    /// A decorator around each other port at which it can be pulled.
    pub(crate) fn around_ports(&self, ports: Ports) -> Ports {
        let plug = || self.clone();
        Ports {
            chain: Box::new(Plugged { inner: ports.chain, plug: plug() }),
            enclave: Box::new(Plugged { inner: ports.enclave, plug: plug() }),
            ..ports
        }
    }

    /// Where it was pulled, if it was.
    pub(crate) fn pulled(&self) -> Option<Point> {
        self.socket().pulled
    }

    fn socket(&self) -> MutexGuard<'_, Socket> {
        self.0.lock().expect("whoever decides when to pull does not panic")
    }

    fn at(&self, point: Point, kind: &'static str) -> Result<(), Off> {
        let mut socket = self.socket();
        if let Some(point) = socket.pulled {
            return Err(Off(point));
        }
        let Socket { n_events, n_begun, .. } = *socket;
        if (socket.pull)(&Moment { point, n_events, n_begun, kind }) {
            socket.pulled = Some(point);
            return Err(Off(point));
        }
        if point == Point::BeforeEffect {
            socket.n_begun += 1;
        }
        Ok(())
    }
}

struct Plugged<P: ?Sized> {
    inner: Box<P>,
    plug: Plug,
}

impl Chain for Plugged<dyn Chain> {
    fn reads(&mut self, after: Option<&Included>) -> Result<DynProvider, Failure> {
        self.inner.reads(after)
    }

    fn deliver(
        &mut self,
        now: Timestamp,
        number: u64,
        report: &Outgoing<'_>,
    ) -> Result<(TransactionReceipt, Included), Failure> {
        self.plug.at(Point::BeforeEffect, "write")?;
        self.inner.deliver(now, number, report)
    }

    fn since(
        &mut self,
        after: Option<&Included>,
    ) -> Result<Vec<(TransactionReceipt, Included)>, Failure> {
        self.inner.since(after)
    }

    fn refusal(&mut self, receiver: Address, raw: &[u8]) -> Result<Vec<u8>, Failure> {
        self.inner.refusal(receiver, raw)
    }

    fn digest(&mut self) -> Result<Bytes32, Failure> {
        self.inner.digest()
    }
}

impl Enclave for Plugged<dyn Enclave> {
    fn ask(&mut self, what: &'static str, command: &Command) -> Result<Reply, node::Error> {
        let effect = match command {
            Command::Observe { .. } => Some("observe"),
            Command::Clear { .. } => Some("clear"),
            Command::Configure(_)
            | Command::ProvingKey(_)
            | Command::Restore(_)
            | Command::Attest { .. }
            | Command::Brief(_)
            | Command::Order(_)
            | Command::Inform(_) => None,
        };
        if let Some(effect) = effect {
            let off = |off: Off| node::Error::Port { what: "the enclave", source: off.into() };
            self.plug.at(Point::BeforeEffect, effect).map_err(off)?;
        }
        self.inner.ask(what, command)
    }

    fn reach(&mut self, n_events: u64, head: Bytes32) -> Result<(), node::Error> {
        self.inner.reach(n_events, head)
    }
}

#[derive(Debug)]
struct PluggedStorage {
    inner: Box<dyn Storage>,
    plug: Plug,
    /// Of what was appended last, until it is durable.
    kind: Option<&'static str>,
}

impl Storage for PluggedStorage {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let bytes = self.inner.read()?;
        let records = Journal::read(&bytes).0.records;
        let events = records.iter().filter(|record| matches!(record, Record::Happened { .. }));
        self.plug.socket().n_events = events.count() as u64;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.kind = newest(bytes);
        if let Some(kind) = self.kind {
            self.plug.at(Point::BeforeAppend, kind).map_err(io::Error::other)?;
        }
        self.inner.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.inner.sync()?;
        let Some(kind) = self.kind.take() else { return Ok(()) };
        if !matches!(kind, "opening" | "included" | "closing") {
            let mut socket = self.plug.socket();
            (socket.n_events, socket.n_begun) = (socket.n_events + 1, 0);
        }
        self.plug.at(Point::AfterAppend, kind).map_err(io::Error::other)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        // Nothing is undone without power.
        if let Some(point) = self.plug.pulled() {
            return Err(io::Error::other(Off(point)));
        }
        self.inner.truncate(len)
    }
}

/// What the last record of appended frames is. A frame is `len: u32 BE ‖ guard: 4 ‖ record ‖ head: 32`; before the
/// first of all there is the kind.
fn newest(appended: &[u8]) -> Option<&'static str> {
    let mut frames = appended.strip_prefix(KIND.magic).unwrap_or(appended);
    let mut newest = None;
    while let Some((header, rest)) = frames.split_first_chunk::<8>() {
        let len = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let (Some(record), Some(rest)) = (rest.get(..len), rest.get(len + 32..)) else { break };
        newest = decode(record).ok().map(|record: Record| kind(&record));
        frames = rest;
    }
    newest
}

const fn kind(record: &Record) -> &'static str {
    match record {
        Record::Opening(_) => "opening",
        Record::Included(_) => "included",
        Record::Closing { .. } => "closing",
        Record::Happened { event, .. } => match event {
            Event::Ticked { .. } => "ticked",
            Event::Ordered { .. } => "ordered",
            Event::Observed { .. } => "observed",
            Event::Unobserved { .. } => "unobserved",
            Event::Written { .. } => "written",
            Event::Unwritten { .. } => "unwritten",
            Event::Cleared { .. } => "cleared",
            Event::Heard { .. } => "heard",
        },
    }
}
