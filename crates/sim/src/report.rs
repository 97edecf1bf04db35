//! What a run is told as: transactions, proofs, the public's view, and a transcript whose private column is what
//! issuer and makers decrypt with their own keys. It joins [`node::view`] with [`client::view`], and reads nothing
//! else: an interrupted run tells the same story as an undisturbed one.

use std::collections::BTreeMap;

use client::Issuer;
use client::view::{Ciphertexts, IssuerView, fills};
use evm::alloy::primitives::B256;
use evm::deploy::Deployment;
use evm::settlement::ZkProof;
use node::enrolment::Evidence;
pub use node::view::Transaction;
use node::view::{Entry, Proved, View};
use primitives::{Amount, Bytes32, Premium, RequestId, Timestamp};
use protocol::attest::{Observed, Status};
use protocol::event::Ready;
use protocol::{Call, Disclosure, Effect, Event, Fact, Outcome, RequestStatus, Stage, Write};

use crate::Inputs;
use crate::devnet::Devnet;
use crate::parties::MakerAgent;

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

/// Who tells: the run's inputs, its chain at the end, and everybody's keys.
pub(crate) struct Told<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) devnet: &'a Devnet,
    pub(crate) contracts: &'a Deployment,
    pub(crate) evidence: &'a Evidence,
    pub(crate) issuer: &'a Issuer,
    pub(crate) makers: &'a [(MakerAgent, u64)],
    /// Makers, in the order in which they answer.
    pub(crate) arrivals: &'a [usize],
}

impl Told<'_> {
    /// A run, from what is public of it.
    pub(crate) fn report(&self, view: &View, journal_hash: Bytes32) -> Report {
        let mut teller = Teller {
            told: self,
            view,
            lines: vec![self.standing_ready()],
            clearings: Vec::new(),
            private: IssuerView::default(),
            backed: None,
            attested: None,
            n_orders: 0,
            n_statuses: 0,
            last_tick: self.inputs.scenario.start,
        };
        view.entries().iter().for_each(|entry| teller.take(entry));
        let Teller { lines, clearings, private, .. } = teller;
        let newest = view.revealed().or(view.request().map(|request| (request.id, request.status)));
        let request = newest.map(|(id, status)| RequestView {
            id,
            status: self.request_status(id).unwrap_or(status),
        });
        Report {
            workflow: self.inputs.workflow.workflow.name.clone(),
            scenario: self.inputs.scenario.name.clone(),
            seed: self.inputs.seed,
            disclosure: self.inputs.disclosure(),
            request,
            outcome: view.outcome(),
            rounds: view.rounds(),
            ticks: view.tick(),
            transactions: view.transactions().collect(),
            proofs: self.proofs(view),
            attestation: Attestation {
                trust: self.evidence.trust.clone(),
                pcr0: self.evidence.expected.pcr0.to_string(),
            },
            clearings,
            verdicts: private.verdicts().collect(),
            facts: view.facts().map(|(tick, fact)| (tick, fact.clone())).collect(),
            lines,
            mint_allowed: self.mint_allowed().unwrap_or(false),
            journal_hash,
        }
    }

    fn standing_ready(&self) -> Line {
        let n = self.makers.len();
        let capacity: u128 =
            self.makers.iter().map(|(agent, _)| agent.maker.capacity.units()).sum();
        Line {
            at: self.inputs.scenario.start,
            tick: 0,
            stage: Stage::Match,
            happened: format!(
                "{n} makers verified the enclave and locked {} in the pool, each under terms of its own",
                tokens(capacity)
            ),
            public: format!(
                "{} deposits with their amounts, long before anything happened; no terms",
                n + 1
            ),
            transaction: None,
        }
    }

    /// One a round, in order.
    fn proofs(&self, view: &View) -> Vec<Proof> {
        let timed: BTreeMap<(RequestId, u32), &Proved> =
            view.proved().iter().map(|proved| ((proved.request, proved.round), proved)).collect();
        let rounds = view.entries().iter().filter_map(|entry| match &entry.event {
            Event::Cleared { ready } => ready.as_ref(),
            Event::Ticked { .. }
            | Event::Ordered { .. }
            | Event::Observed { .. }
            | Event::Unobserved { .. }
            | Event::Written { .. }
            | Event::Unwritten { .. } => None,
        });
        let proofs = rounds.map(|ready| {
            let timed = timed.get(&(ready.request, ready.round));
            Proof {
                circuit: circuits::clearing::NAME,
                constraints: timed.map_or(0, |proved| proved.constraints),
                prove_ms: timed.map_or(0, |proved| proved.prove_ms),
                verify_gas: self.verify_gas(&ready.zk_proof).unwrap_or(0),
            }
        });
        proofs.collect()
    }

    /// Gas that verifying a proof takes by itself, as the chain estimates it.
    fn verify_gas(&self, zk_proof: &[u8]) -> Option<u64> {
        let proof = ZkProof::decode(zk_proof).ok()?;
        self.devnet.block_on(async |provider| {
            let verifier = evm::abi::ClearingVerifier::new(self.contracts.verifier, provider);
            verifier.verifyProof(proof.proof, proof.public_inputs).estimate_gas().await.ok()
        })
    }

    /// What the chain says of a request.
    fn request_status(&self, id: RequestId) -> Option<RequestStatus> {
        let status = self.devnet.block_on(async |provider| {
            let pool = evm::abi::DarkPool::new(self.contracts.dark_pool, provider);
            pool.getRequestStatus(B256::from(id.0)).call().await.ok()
        });
        RequestStatus::from_number(status?)
    }

    /// Whether the stablecoin may be minted now.
    fn mint_allowed(&self) -> Option<bool> {
        self.devnet.block_on(async |provider| {
            let guard = evm::abi::RecoveryGuard::new(self.contracts.guard, provider);
            guard.mintAllowed().call().await.ok()
        })
    }
}

/// Tells a run event by event.
struct Teller<'a> {
    told: &'a Told<'a>,
    view: &'a View,
    lines: Vec<Line>,
    clearings: Vec<Clearing>,
    /// What the issuer has read so far.
    private: IssuerView,
    /// The verdict told last.
    backed: Option<bool>,
    /// The attestation told last.
    attested: Option<bool>,
    n_orders: usize,
    n_statuses: u32,
    last_tick: Timestamp,
}

impl Teller<'_> {
    fn take(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Ticked { .. } => {
                let scenario = &self.told.inputs.scenario;
                if let Some(shock) = scenario.shock_between(self.last_tick, entry.at) {
                    let happened = format!("{}: {} no longer count", shock.what, shock.amount);
                    let at = shock.at;
                    self.line_at(at, entry, Stage::Detect, happened, String::new());
                }
                self.last_tick = entry.at;
            }
            Event::Observed { observed, .. } => self.observed(entry, observed),
            Event::Unobserved { .. } => {
                let happened = "too few nodes brought the same observation: no reading, no report";
                let public = "no report on this tick".to_owned();
                self.line(entry, Stage::Detect, happened.to_owned(), public);
            }
            Event::Ordered { envelope, .. } => self.ordered(entry, envelope.len()),
            Event::Written { transaction, delivered, facts } => {
                if let Some(Effect::Write(write)) = &entry.effect {
                    self.written(entry, write, *transaction, *delivered, facts);
                }
            }
            Event::Unwritten { agreeing } => {
                let happened =
                    format!("{agreeing} nodes agree, which is no quorum: nothing is sent");
                self.line(entry, Stage::Attest, happened, "no report".to_owned());
            }
            Event::Cleared { ready: Some(ready) } => self.cleared(entry, ready),
            Event::Cleared { ready: None } => {
                let cap = entry.request.map_or(Premium::default(), |request| request.premium);
                let happened = format!("a call closed: nobody stands ready at {cap} or less");
                self.line(entry, Stage::Match, happened, String::new());
            }
        }
    }

    fn observed(&mut self, entry: &Entry, observed: &Observed) {
        let issuer = self.told.issuer;
        let Some(notice) = self.private.tick(issuer, observed.tick, &observed.notice) else {
            return;
        };
        if self.backed.replace(notice.backed) == Some(notice.backed) {
            return;
        }
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
            Status::Backed(_) => "nothing yet: the bit follows with this tick's attestation",
            Status::Undecided => "nothing: one low reading is no shortfall",
            Status::Sealed(_) => "nothing: a commitment, as on every tick",
        };
        self.line(entry, Stage::Detect, happened, public.to_owned());
    }

    fn ordered(&mut self, entry: &Entry, envelope_len: usize) {
        let index = self.n_orders;
        self.n_orders += 1;
        let Some(maker) = self.told.arrivals.get(index) else { return };
        let maker = &self.told.makers[*maker].0.maker;
        let happened = format!(
            "maker {} sealed an order: up to {} at {} or more",
            maker.index, maker.capacity, maker.premium_min
        );
        let public = format!("a {envelope_len}-byte envelope, like any other");
        self.line(entry, Stage::Match, happened, public);
    }

    fn cleared(&mut self, entry: &Entry, ready: &Ready) {
        let is_it =
            |proved: &&Proved| (proved.request, proved.round) == (ready.request, ready.round);
        let timed = self.view.proved().iter().rfind(is_it).map(|proved| proved.prove_ms);
        let timing = match timed {
            None | Some(0) => String::new(),
            Some(prove_ms) => format!(", proved in {prove_ms} ms"),
        };
        let Some(round) = self.view.round(ready) else { return };
        let sealed = Ciphertexts {
            request: round.request,
            round: round.round,
            context: round.context,
            sealed: &round.ciphertexts,
        };
        let Some(notice) = self.private.round(self.told.issuer, &sealed) else { return };
        let (premium, payout) =
            (Premium::new(notice.premium_bps).unwrap_or_default(), notice.payout);
        let mut by_slot: Vec<(usize, usize, Amount)> = Vec::new();
        for (agent, _) in self.told.makers {
            let own = fills(&agent.client, &sealed).into_iter();
            by_slot.extend(own.map(|(slot, amount)| (slot, agent.maker.index, amount)));
        }
        by_slot.sort_by_key(|(slot, ..)| *slot);
        let fills: Vec<(usize, Amount)> =
            by_slot.into_iter().map(|(_, maker, amount)| (maker, amount)).collect();
        let filled: Vec<String> =
            fills.iter().map(|(maker, amount)| format!("maker {maker}: {amount}")).collect();
        if !fills.is_empty() {
            self.clearings.push(Clearing {
                closed: entry.tick,
                settled: None,
                round: ready.round,
                premium,
                fills,
                payout,
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
        self.line(entry, Stage::Match, happened, String::new());
    }

    fn written(
        &mut self,
        entry: &Entry,
        write: &Write,
        hash: Bytes32,
        delivered: bool,
        facts: &[Fact],
    ) {
        let stage = write.call.stage();
        if !delivered {
            let function = write.call.function();
            let happened =
                format!("{function}: the receiver refused the report; it is tried again");
            self.line(entry, stage, happened, "a refused report".to_owned());
            return self.carried(hash);
        }
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
                let asked = self.private.newest().map_or(Amount::ZERO, |notice| {
                    let gap = if notice.backed { Amount::ZERO } else { notice.gap };
                    protocol::request::ask(gap, self.told.inputs.deployment.request.lot)
                        .unwrap_or(gap)
                });
                (
                    format!("asked for {asked} at {premium} at most"),
                    format!(
                        "a request at up to {premium} for {timeout}; amount {}",
                        short(&encrypted_amount.0)
                    ),
                )
            }
            Call::ConfidentialFill { request, .. } => {
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
                let notice = self.private.of(*request, round);
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
                let max = self.told.inputs.deployment.guard.attempts_max;
                (
                    format!("attempt {attempts} of {max} ran out of time: {next}"),
                    format!(
                        "EXPIRED, attempt {attempts}{}",
                        if halted { "; minting halted" } else { "" }
                    ),
                )
            }
            Call::OpenRequest { status, .. } => (
                format!("the epoch opens: its request ended {}", status.name()),
                format!("{}, for the epoch that ended", status.name()),
            ),
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
                self.n_statuses += 1;
                if self.n_statuses > 1 {
                    return;
                }
                (
                    "first sealed status report; one follows on every tick, all alike".to_owned(),
                    format!("a commitment {}", short(&commitment.0)),
                )
            }
        };
        self.line(entry, stage, happened, public);
        self.carried(hash);
    }

    /// The last line was carried by a transaction.
    fn carried(&mut self, hash: Bytes32) {
        if let Some(line) = self.lines.last_mut() {
            line.transaction = Some(hash);
        }
    }

    fn line(&mut self, entry: &Entry, stage: Stage, happened: String, public: String) {
        self.line_at(entry.at, entry, stage, happened, public);
    }

    fn line_at(
        &mut self,
        at: Timestamp,
        entry: &Entry,
        stage: Stage,
        happened: String,
        public: String,
    ) {
        let tick = entry.tick;
        self.lines.push(Line { at, tick, stage, happened, public, transaction: None });
    }
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
