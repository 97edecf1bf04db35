//! What a run is told as: transactions, proofs, the public's view, and a transcript whose private column
//! is what issuer and makers decrypt with their own keys. Built from the journal's events alone, so an
//! interrupted run tells the same story as an undisturbed one.

use std::collections::BTreeMap;

use evm::settlement::ZkProof;
use pool::field;
use primitives::{Amount, Bytes32, Premium, RequestId, Timestamp};
use protocol::attest::Status;
use protocol::event::Ready;
use protocol::journal::Included;
use protocol::wire::TickNotice;
use protocol::{
    Call, Disclosure, Effect, Event, Fact, Mission, Outcome, RequestStatus, Stage, Write,
};

use crate::World;

/// One line of the transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Which tick, from 1; 0 before the first.
    pub tick: u32,
    /// Which stage it belongs to.
    pub stage: Stage,
    /// What happened, as issuer and makers know it.
    pub happened: String,
    /// What the public saw of it; empty for nothing.
    pub public: String,
    /// The transaction that carried it.
    pub transaction: Option<Bytes32>,
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

/// One proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The circuit.
    pub circuit: &'static str,
    /// Its constraints; 0 where the proof was made by an earlier process.
    pub constraints: u64,
    /// Wall-clock milliseconds; 0 where the proof was made by an earlier process.
    pub prove_ms: u64,
    /// Gas of its verification alone.
    pub verify_gas: u64,
}

/// A round that filled somebody, as issuer and makers read it with their own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clearing {
    /// The tick on which it closed.
    pub closed: u32,
    /// The tick on which it settled; none if it never did.
    pub settled: Option<u32>,
    /// Its number within the request, from 1.
    pub round: u32,
    /// What everyone in it is paid.
    pub premium: Premium,
    /// Maker and collateral, in clearing order.
    pub fills: Vec<(usize, Amount)>,
    /// Claims paid to all of them, base units.
    pub payout: u128,
    request: RequestId,
}

/// The newest request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestView {
    /// Its id.
    pub id: RequestId,
    /// What `getRequestStatus` says of it at the end.
    pub status: RequestStatus,
}

/// The enclave's evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// "development" or "hardware".
    pub trust: String,
    /// 96 hexadecimal digits.
    pub pcr0: String,
}

/// A run, for a person or a script.
#[derive(Debug, Clone)]
pub struct Report {
    /// The workflow's name.
    pub workflow: String,
    /// The scenario's name.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// Disclosure.
    pub disclosure: Disclosure,
    /// The newest request; under sealed disclosure the newest that was opened, if one was.
    pub request: Option<RequestView>,
    /// How it ended.
    pub outcome: Outcome,
    /// Rounds settled.
    pub rounds: u32,
    /// Ticks run.
    pub ticks: u32,
    /// In order.
    pub transactions: Vec<Transaction>,
    /// In order.
    pub proofs: Vec<Proof>,
    /// The enclave's evidence.
    pub attestation: Attestation,
    /// Rounds that filled somebody, in order.
    pub clearings: Vec<Clearing>,
    /// What the enclave told the issuer: tick, and whether it found the coin backed.
    pub verdicts: Vec<(u32, bool)>,
    /// What the chain's logs say to anyone, each with its tick.
    pub facts: Vec<(u32, Fact)>,
    /// In order; sort by stage for headings.
    pub lines: Vec<Line>,
    /// Whether the stablecoin may be minted at the end.
    pub mint_allowed: bool,
    /// SHA-256 chain over the journal.
    pub journal_hash: Bytes32,
}

impl Report {
    /// Nothing happened, or it was mended: exit code 0.
    pub const fn is_success(&self) -> bool {
        matches!(self.outcome, Outcome::Healthy | Outcome::Recovered)
    }
}

/// Builds a report while events pass.
pub(crate) struct Recorder {
    lines: Vec<Line>,
    transactions: Vec<Transaction>,
    proofs: BTreeMap<(RequestId, u32), Proof>,
    order: Vec<(RequestId, u32)>,
    clearings: Vec<Clearing>,
    verdicts: Vec<(u32, bool)>,
    facts: Vec<(u32, Fact)>,
    notice: Option<TickNotice>,
    backed: Option<bool>,
    attested: Option<bool>,
    reports: u32,
    last_tick: Timestamp,
    /// Sealed disclosure: the last request the public has seen the end of.
    revealed: Option<RequestView>,
}

impl Recorder {
    pub(crate) fn new(world: &World) -> Self {
        let start = world.inputs.scenario.start;
        let mut recorder = Self {
            lines: Vec::new(),
            transactions: Vec::new(),
            proofs: BTreeMap::new(),
            order: Vec::new(),
            clearings: Vec::new(),
            verdicts: Vec::new(),
            facts: Vec::new(),
            notice: None,
            backed: None,
            attested: None,
            reports: 0,
            last_tick: start,
            revealed: None,
        };
        let capacity: u128 =
            world.makers.iter().map(|(agent, _)| agent.maker.capacity.units()).sum();
        recorder.lines.push(Line {
            at: start,
            tick: 0,
            stage: Stage::Match,
            happened: format!(
                "{} makers verified the enclave and locked {} in the pool, each under terms of its own",
                world.makers.len(),
                tokens(capacity)
            ),
            public: format!(
                "{} deposits with their amounts, long before anything happened; no terms",
                world.makers.len() + 1
            ),
            transaction: None,
        });
        recorder
    }

    /// Notes what proving took. Timings are the process's, not the journal's.
    pub(crate) fn proved(&mut self, world: &World, ready: &Ready, prove_ms: u64, constraints: u64) {
        let proof = self.proof(world, ready);
        *proof = Proof { constraints, prove_ms, ..proof.clone() };
    }

    fn proof(&mut self, world: &World, ready: &Ready) -> &mut Proof {
        let key = (ready.request, ready.round);
        if !self.order.contains(&key) {
            self.order.push(key);
        }
        self.proofs.entry(key).or_insert_with(|| Proof {
            circuit: circuits::clearing::NAME,
            constraints: 0,
            prove_ms: 0,
            verify_gas: world.verify_gas(&ready.zk_proof).unwrap_or(0),
        })
    }

    /// Takes in one event, the effect it answers, and its transaction.
    pub(crate) fn take(
        &mut self,
        world: &World,
        mission: &Mission,
        now: Timestamp,
        event: &Event,
        effect: Option<&Effect>,
        included: Option<&Included>,
    ) {
        let tick = mission.tick();
        match event {
            Event::Ticked { .. } => {
                if let Some(shock) = world.inputs.scenario.shock_between(self.last_tick, now) {
                    let happened = format!("{}: {} no longer count", shock.what, shock.amount);
                    self.line(shock.at, tick, Stage::Detect, happened, String::new(), None);
                }
                self.last_tick = now;
            }
            Event::Observed { observed, .. } => {
                let notice = world.issuer.read_tick(observed.tick, &observed.notice);
                if let Some(notice) =
                    notice.as_ref().filter(|notice| self.backed != Some(notice.backed))
                {
                    let verdict = if notice.backed {
                        "backed".to_owned()
                    } else {
                        format!("short: {} missing to the target", notice.gap)
                    };
                    let happened = format!(
                        "enclave: reserves {} over liabilities {}, ratio {}: {verdict}",
                        notice.reserves,
                        notice.liabilities,
                        ratio(notice.reserves, notice.liabilities)
                    );
                    let public = match observed.status {
                        Status::Backed(_) => {
                            "nothing yet: the bit follows with this tick's attestation"
                        }
                        Status::Sealed(_) => "nothing: a commitment, as on every tick",
                    };
                    self.line(now, tick, Stage::Detect, happened, public.to_owned(), None);
                    self.backed = Some(notice.backed);
                }
                self.verdicts.extend(notice.as_ref().map(|notice| (tick, notice.backed)));
                self.notice = notice;
            }
            Event::Unobserved { .. } => {
                let happened =
                    "too few nodes brought the same observation: no reading, no report".to_owned();
                self.line(
                    now,
                    tick,
                    Stage::Detect,
                    happened,
                    "no report on this tick".to_owned(),
                    None,
                );
            }
            Event::Ordered { envelope, .. } => {
                let index = self
                    .lines
                    .iter()
                    .filter(|line| line.happened.contains("sealed an order"))
                    .count();
                let mut arrivals: Vec<_> = world
                    .makers
                    .iter()
                    .map(|(agent, _)| (agent.maker.latency, agent.maker.index))
                    .collect();
                arrivals.sort_unstable();
                if let Some((_, maker)) = arrivals.get(index) {
                    let maker = &world.makers[*maker].0.maker;
                    let happened = format!(
                        "maker {} sealed an order: up to {} at {} or more",
                        maker.index, maker.capacity, maker.premium_min
                    );
                    let public = format!("a {}-byte envelope, like any other", envelope.len());
                    self.line(now, tick, Stage::Match, happened, public, None);
                }
            }
            Event::Written { transaction, delivered, facts } => {
                if let Some(Effect::Write(write)) = effect {
                    self.written(world, now, write, *transaction, *delivered, facts, included);
                }
            }
            Event::Unwritten { agreeing } => {
                let happened =
                    format!("{agreeing} nodes agree, which is no quorum: nothing is sent");
                self.line(now, tick, Stage::Attest, happened, "no report".to_owned(), None);
            }
            Event::Cleared { ready: Some(ready) } => self.cleared(world, now, tick, ready),
            Event::Cleared { ready: None } => {
                let cap = mission.request().map_or(Premium::default(), |request| request.premium);
                let happened = format!("a call closed: nobody stands ready at {cap} or less");
                self.line(now, tick, Stage::Match, happened, String::new(), None);
            }
        }
    }

    fn cleared(&mut self, world: &World, now: Timestamp, tick: u32, ready: &Ready) {
        let timing = {
            let proof = self.proof(world, ready);
            if proof.prove_ms == 0 {
                String::new()
            } else {
                format!(", proved in {} ms", proof.prove_ms)
            }
        };
        let Some((proof, context)) = opened(world, ready) else { return };
        let Some(notice) = proof
            .ciphertexts
            .last()
            .and_then(|sealed| world.issuer.read_settlement(context, sealed))
        else {
            return;
        };
        let mut fills = Vec::new();
        for (slot, sealed) in proof.ciphertexts.iter().enumerate().take(pool::SLOTS) {
            for (agent, _) in &world.makers {
                if let Some(fill) = agent.read(context, slot, sealed) {
                    let amount = Amount::new(fill.fill).unwrap_or(Amount::MAX);
                    fills.push((agent.maker.index, amount));
                }
            }
        }
        let filled: Vec<String> =
            fills.iter().map(|(maker, amount)| format!("maker {maker}: {amount}")).collect();
        let premium = Premium::new(notice.premium_bps).unwrap_or_default();
        if !fills.is_empty() {
            self.clearings.push(Clearing {
                closed: tick,
                settled: None,
                round: ready.round,
                premium,
                fills,
                payout: notice.payout,
                request: ready.request,
            });
        }
        let happened = if filled.is_empty() {
            format!("round {} cleared with nothing in it{timing}", ready.round)
        } else {
            format!(
                "round {} cleared at {premium} for everyone: {}{timing}",
                ready.round,
                filled.join(", ")
            )
        };
        self.line(now, tick, Stage::Match, happened, String::new(), None);
    }

    #[expect(clippy::too_many_arguments, reason = "one transaction, seen from every side")]
    fn written(
        &mut self,
        world: &World,
        now: Timestamp,
        write: &Write,
        hash: Bytes32,
        delivered: bool,
        facts: &[Fact],
        included: Option<&Included>,
    ) {
        let calldata = included.map(|included| calldata(&included.raw)).unwrap_or_default();
        self.transactions.push(Transaction {
            tick: write.tick,
            stage: write.call.stage(),
            contract: write.contract.clone(),
            function: write.call.function(),
            hash,
            gas_used: included.map_or(0, |included| included.gas_used),
            calldata_len: calldata.len(),
            calldata_zeros: calldata.iter().filter(|byte| **byte == 0).count(),
            success: delivered,
        });
        let stage = write.call.stage();
        if !delivered {
            let happened = format!(
                "{}: the receiver refused the report; it is tried again",
                write.call.function()
            );
            return self.line(
                now,
                write.tick,
                stage,
                happened,
                "a refused report".to_owned(),
                Some(hash),
            );
        }
        self.facts.extend(facts.iter().map(|fact| (write.tick, fact.clone())));
        for fact in facts {
            if let Fact::RoundSettled { id, round, .. } = fact {
                let is_it =
                    |clearing: &&mut Clearing| (clearing.request, clearing.round) == (*id, *round);
                if let Some(clearing) = self.clearings.iter_mut().rev().find(is_it) {
                    clearing.settled = Some(write.tick);
                }
            }
        }
        let (happened, public) = match &write.call {
            Call::RequestCollateral { premium, timeout, encrypted_amount } => {
                let asked = self.notice.as_ref().map_or(Amount::ZERO, |notice| {
                    let gap = if notice.backed { Amount::ZERO } else { notice.gap };
                    protocol::request::ask(gap, world.inputs.deployment.request.lot).unwrap_or(gap)
                });
                (
                    format!("asked for {asked} at {premium} at most"),
                    format!(
                        "a request at up to {premium} for {timeout}; amount {}",
                        short(&encrypted_amount.0)
                    ),
                )
            }
            Call::ConfidentialFill { request, zk_proof, tee_attestation } => {
                let round = facts.iter().find_map(|fact| match fact {
                    Fact::RoundSettled { round, status, .. } => Some((*round, *status)),
                    Fact::RequestOpened { .. }
                    | Fact::RequestExpired { .. }
                    | Fact::RequestRevealed { .. }
                    | Fact::RecoveryAttested { .. }
                    | Fact::StatusReported { .. }
                    | Fact::Halted
                    | Fact::LeavesInserted { .. } => None,
                });
                let (round, status) = round.unwrap_or((0, RequestStatus::Pending));
                let ready = Ready {
                    request: *request,
                    round,
                    zk_proof: zk_proof.clone(),
                    tee_attestation: tee_attestation.clone(),
                };
                let notice = opened(world, &ready).and_then(|(proof, context)| {
                    world.issuer.read_settlement(context, proof.ciphertexts.last()?)
                });
                let happened = notice.map_or_else(
                    || format!("round {round} settled"),
                    |notice| {
                        format!(
                            "round {round} settled: {} paid {} in claims; position {}, still missing {}",
                            if notice.n_fills == 1 { "1 maker".to_owned() } else { format!("{} makers", notice.n_fills) },
                            tokens(notice.payout),
                            tokens(notice.position),
                            tokens(notice.remaining)
                        )
                    },
                );
                let public = format!(
                    "{}; 5 nullifiers, 9 commitments, 5 ciphertexts, as always",
                    status.name()
                );
                (happened, public)
            }
            Call::ExpireRequest { .. } => {
                let attempts = facts.iter().find_map(|fact| match fact {
                    Fact::RequestExpired { attempts, .. } => Some(*attempts),
                    Fact::RequestOpened { .. }
                    | Fact::RoundSettled { .. }
                    | Fact::RequestRevealed { .. }
                    | Fact::RecoveryAttested { .. }
                    | Fact::StatusReported { .. }
                    | Fact::Halted
                    | Fact::LeavesInserted { .. } => None,
                });
                let halted = facts.contains(&Fact::Halted);
                let next = if halted {
                    "the breaker halts minting"
                } else {
                    "the guard's ladder goes up a rung"
                };
                let attempts = attempts.unwrap_or(0);
                let max = world.inputs.deployment.guard.attempts_max;
                (
                    format!("attempt {attempts} of {max} ran out of time: {next}"),
                    format!(
                        "EXPIRED, attempt {attempts}{}",
                        if halted { "; minting halted" } else { "" }
                    ),
                )
            }
            Call::OpenRequest { request, status, .. } => {
                self.revealed = Some(RequestView { id: *request, status: *status });
                (
                    format!("the epoch opens: its request ended {}", status.name()),
                    format!("{}, for the epoch that ended", status.name()),
                )
            }
            Call::AttestRecovery { recovered, .. } => {
                if self.attested == Some(*recovered) {
                    return;
                }
                let first = self.attested.replace(*recovered).is_none();
                match (recovered, first) {
                    (true, true) => ("attested: backed".to_owned(), "recovered = true".to_owned()),
                    (true, false) => (
                        "attested: recovered, minting resumes".to_owned(),
                        "recovered = true".to_owned(),
                    ),
                    (false, _) => (
                        "attested: not backed, minting pauses".to_owned(),
                        "recovered = false".to_owned(),
                    ),
                }
            }
            Call::ReportStatus { commitment } => {
                self.reports += 1;
                if self.reports > 1 {
                    return;
                }
                (
                    "first sealed status report; one follows on every tick, all alike".to_owned(),
                    format!("a commitment {}", short(&commitment.0)),
                )
            }
        };
        self.line(now, write.tick, stage, happened, public, Some(hash));
    }

    fn line(
        &mut self,
        at: Timestamp,
        tick: u32,
        stage: Stage,
        happened: String,
        public: String,
        transaction: Option<Bytes32>,
    ) {
        self.lines.push(Line { at, tick, stage, happened, public, transaction });
    }

    pub(crate) fn finish(
        mut self,
        world: &World,
        mission: &Mission,
        journal_hash: Bytes32,
    ) -> Report {
        let newest = self.revealed.map(|view| (view.id, view.status));
        let newest = newest.or(mission.request().map(|request| (request.id, request.status)));
        let request = newest.map(|(id, status)| RequestView {
            id,
            status: world.request_status(id).unwrap_or(status),
        });
        let proofs = self.order.iter().filter_map(|key| self.proofs.remove(key)).collect();
        Report {
            workflow: world.inputs.workflow.workflow.name.clone(),
            scenario: world.inputs.scenario.name.clone(),
            seed: world.inputs.seed,
            disclosure: world.inputs.disclosure(),
            request,
            outcome: mission.outcome(),
            rounds: mission.rounds(),
            ticks: mission.tick(),
            transactions: self.transactions,
            proofs,
            attestation: Attestation {
                trust: world.evidence.trust.clone(),
                pcr0: world.evidence.expected.pcr0.to_string(),
            },
            clearings: self.clearings,
            verdicts: self.verdicts,
            facts: self.facts,
            lines: self.lines,
            mint_allowed: world.mint_allowed().unwrap_or(false),
            journal_hash,
        }
    }
}

/// A round's proof, decoded, and the scalar its ciphertexts are bound to.
fn opened(world: &World, ready: &Ready) -> Option<(ZkProof, pool::Fr)> {
    let proof = ZkProof::decode(&ready.zk_proof).ok()?;
    let context = field::from_bytes(&proof.public_inputs[0].to_be_bytes()).ok()?;
    let expected = evm::settlement::context(
        world.contracts.chain_id,
        world.contracts.dark_pool,
        ready.request.0.into(),
        ready.round.into(),
    );
    (proof.public_inputs[0] == expected).then_some((proof, context))
}

fn calldata(raw: &[u8]) -> Vec<u8> {
    use evm::alloy::consensus::{Transaction as _, TxEnvelope};
    use evm::alloy::eips::Decodable2718 as _;
    TxEnvelope::decode_2718(&mut &raw[..])
        .map(|envelope| envelope.input().to_vec())
        .unwrap_or_default()
}

fn tokens(units: u128) -> String {
    Amount::new(units).map_or_else(|_| "?".to_owned(), |amount| amount.to_string())
}

/// Four decimals, cut.
fn ratio(reserves: Amount, liabilities: Amount) -> String {
    let scaled = (reserves.units() * 10_000).checked_div(liabilities.units()).unwrap_or(0);
    format!("{}.{:04}", scaled / 10_000, scaled % 10_000)
}

/// `0x1234…cdef`.
fn short(bytes: &[u8; 32]) -> String {
    let text = Bytes32(*bytes).to_string();
    format!("{}…{}", &text[..6], &text[62..])
}
