//! What anyone may know of a mission: events, transactions, rounds, facts. It is folded from the journal's events
//! alone and holds no key, so an interrupted run shows the same as an undisturbed one, and it may be shown to
//! strangers while the mission runs.

use evm::alloy::consensus::{Transaction as _, TxEnvelope};
use evm::alloy::eips::Decodable2718 as _;
use evm::settlement::ZkProof;
use primitives::{Address, Bytes32, CommitmentHash, RequestId, Timestamp};
use protocol::event::Ready;
use protocol::journal::Included;
use protocol::mission::Request;
use protocol::{Effect, Event, Fact, Mission, Outcome, RequestStatus, Stage};

/// One event, with the effect that it answers and the transaction that carried it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Which tick, from 1; 0 before the first.
    pub tick: u32,
    /// What happened.
    pub event: Event,
    /// What the core had asked for.
    pub effect: Option<Effect>,
    /// Transactions that it came with: others', and last, if it is a write, its own.
    pub included: Vec<Included>,
    /// The newest request afterwards.
    pub request: Option<Request>,
}

/// One transaction of the mission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Which tick sent it.
    pub tick: u32,
    /// For which stage.
    pub stage: Stage,
    /// The contract's name in the workflow.
    pub contract: String,
    /// The Solidity function.
    pub function: &'static str,
    /// Its hash.
    pub hash: Bytes32,
    /// Gas it used, the forwarder's share included.
    pub gas_used: u64,
    /// Bytes of its calldata, the report around the call included.
    pub calldata_len: usize,
    /// Zero bytes among them: 4 gas instead of 16.
    pub calldata_zeros: usize,
    /// Whether the receiver carried it out.
    pub success: bool,
}

/// A proved round, as its calldata shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What it belongs to.
    pub request: RequestId,
    /// Its number within the request, from 1.
    pub round: u32,
    /// The scalar that its ciphertexts are bound to, 32 bytes big-endian.
    pub context: [u8; 32],
    /// One a slot, and the issuer's last.
    pub ciphertexts: Vec<Vec<u8>>,
}

/// What proving a round took, of this process: no journal holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proved {
    /// The round's request.
    pub request: RequestId,
    /// Its number, from 1.
    pub round: u32,
    /// Wall-clock milliseconds.
    pub prove_ms: u64,
    /// Constraints of the circuit.
    pub constraints: u64,
}

/// The newest request that was opened, with what the core does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its id.
    pub id: RequestId,
    /// What opened it.
    pub commitment: CommitmentHash,
    /// When.
    pub at: Timestamp,
}

/// A mission as anyone sees it.
#[derive(Debug, Clone)]
pub struct View {
    chain_id: u64,
    dark_pool: Address,
    entries: Vec<Entry>,
    proved: Vec<Proved>,
    now: Timestamp,
    tick: u32,
    n_orders: usize,
    rounds: u32,
    outcome: Outcome,
    recovered_tick: Option<u32>,
    halted_tick: Option<u32>,
    first_request: Option<Timestamp>,
    opened: Option<Opened>,
    request: Option<Request>,
}

impl View {
    /// Before anything happened.
    pub(crate) fn new(
        chain_id: u64,
        dark_pool: Address,
        start: Timestamp,
        mission: &Mission,
    ) -> Self {
        Self {
            chain_id,
            dark_pool,
            entries: Vec::new(),
            proved: Vec::new(),
            now: start,
            tick: mission.tick(),
            n_orders: 0,
            rounds: mission.rounds(),
            outcome: mission.outcome(),
            recovered_tick: None,
            halted_tick: None,
            first_request: None,
            opened: None,
            request: None,
        }
    }

    /// Takes an event that the mission has taken.
    pub(crate) fn take(
        &mut self,
        mission: &Mission,
        at: Timestamp,
        event: &Event,
        effect: Option<Effect>,
        included: &[Included],
    ) {
        if matches!(event, Event::Ordered { .. }) {
            self.n_orders += 1;
        }
        event.facts().iter().for_each(|fact| self.learn(fact));
        self.now = at;
        self.tick = mission.tick();
        self.rounds = mission.rounds();
        self.outcome = mission.outcome();
        self.recovered_tick = mission.recovered_tick();
        self.request = mission.request().copied();
        self.entries.push(Entry {
            at,
            tick: self.tick,
            event: event.clone(),
            effect,
            included: included.to_vec(),
            request: self.request,
        });
    }

    fn learn(&mut self, fact: &Fact) {
        match fact {
            Fact::RequestOpened { id, opened, commitment, .. } => {
                self.first_request.get_or_insert(*opened);
                self.opened = Some(Opened { id: *id, commitment: *commitment, at: *opened });
            }
            Fact::Halted => {
                self.halted_tick.get_or_insert(self.tick);
            }
            Fact::RoundSettled { .. }
            | Fact::RequestExpired { .. }
            | Fact::RequestRevealed { .. }
            | Fact::RecoveryAttested { .. }
            | Fact::StatusReported { .. }
            | Fact::LeavesInserted { .. }
            | Fact::ReportExecuted { .. } => {}
        }
    }

    pub(crate) fn proved_in(&mut self, proved: Proved) {
        self.proved.push(proved);
    }

    /// Events, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Instant of the last event.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The last tick, from 1; 0 before the first.
    pub const fn tick(&self) -> u32 {
        self.tick
    }

    /// Envelopes taken.
    pub const fn n_orders(&self) -> usize {
        self.n_orders
    }

    /// Rounds settled.
    pub const fn rounds(&self) -> u32 {
        self.rounds
    }

    /// How the mission stands, or ended.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The tick that ended a shortfall.
    pub const fn recovered_tick(&self) -> Option<u32> {
        self.recovered_tick
    }

    /// The tick on which the breaker halted minting.
    pub const fn halted_tick(&self) -> Option<u32> {
        self.halted_tick
    }

    /// When the first request opened.
    pub const fn first_request(&self) -> Option<Timestamp> {
        self.first_request
    }

    /// The newest request that opened.
    pub const fn opened(&self) -> Option<Opened> {
        self.opened
    }

    /// The newest request, as the core has it. Under sealed disclosure [`View::revealed`] says more.
    pub const fn request(&self) -> Option<Request> {
        self.request
    }

    /// Sealed disclosure: the last request whose end the public has seen.
    pub fn revealed(&self) -> Option<(RequestId, RequestStatus)> {
        self.facts()
            .filter_map(|(_, fact)| match fact {
                Fact::RequestRevealed { id, status } => Some((*id, *status)),
                Fact::RequestOpened { .. }
                | Fact::RoundSettled { .. }
                | Fact::RequestExpired { .. }
                | Fact::RecoveryAttested { .. }
                | Fact::StatusReported { .. }
                | Fact::Halted
                | Fact::LeavesInserted { .. }
                | Fact::ReportExecuted { .. } => None,
            })
            .last()
    }

    /// What the chain's logs say, each with the tick that had begun last.
    pub fn facts(&self) -> impl Iterator<Item = (u32, &Fact)> {
        self.entries
            .iter()
            .flat_map(|entry| entry.event.facts().iter().map(|fact| (entry.tick, fact)))
    }

    /// The mission's transactions, in order.
    pub fn transactions(&self) -> impl Iterator<Item = Transaction> {
        self.entries.iter().filter_map(transaction)
    }

    /// A proved round, decoded; none if its proof is not one of this pool's.
    pub fn round(&self, ready: &Ready) -> Option<Round> {
        let proof = ZkProof::decode(&ready.zk_proof).ok()?;
        let expected = evm::settlement::context(
            self.chain_id,
            self.dark_pool.0.into(),
            ready.request.0.into(),
            ready.round.into(),
        );
        (proof.public_inputs[0] == expected).then(|| Round {
            request: ready.request,
            round: ready.round,
            context: expected.to_be_bytes(),
            ciphertexts: proof.ciphertexts.iter().map(|sealed| sealed.to_vec()).collect(),
        })
    }

    /// What proofs took that this process has seen made, in order.
    pub fn proved(&self) -> &[Proved] {
        &self.proved
    }
}

fn transaction(entry: &Entry) -> Option<Transaction> {
    let Event::Written { transaction: hash, delivered, .. } = &entry.event else { return None };
    let Some(Effect::Write(write)) = &entry.effect else { return None };
    let own = entry.included.last();
    let calldata = own.map(|included| calldata(&included.raw)).unwrap_or_default();
    Some(Transaction {
        tick: write.tick,
        stage: write.call.stage(),
        contract: write.contract.clone(),
        function: write.call.function(),
        hash: *hash,
        gas_used: own.map_or(0, |included| included.gas_used),
        calldata_len: calldata.len(),
        calldata_zeros: calldata.iter().filter(|byte| **byte == 0).count(),
        success: *delivered,
    })
}

fn calldata(raw: &[u8]) -> Vec<u8> {
    TxEnvelope::decode_2718(&mut &raw[..])
        .map(|envelope| envelope.input().to_vec())
        .unwrap_or_default()
}
