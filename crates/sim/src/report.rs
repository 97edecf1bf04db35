//! What a run is told from: one record of figures, with no sentence in it. Transcript and JSON are both rendered from
//! it, so neither can say what the other does not. It joins [`node::view`] with [`client::view`], what is public with
//! what issuer and makers decrypt with their own keys, and reads nothing else of the run: an interrupted one has the
//! same record as an undisturbed one, but for how long its proofs took.

use std::collections::BTreeMap;

use client::Issuer;
use client::view::{Ciphertexts, IssuerView, fills};
use evm::deploy::Deployment;
use evm::settlement::ZkProof;
use node::enrolment::Evidence;
pub use node::view::Transaction;
use node::view::{Entry, Proved, View};
use primitives::{Amount, Bytes32, CommitmentHash, Duration, Premium, Ratio, RequestId, Timestamp};
use protocol::attest::Observed;
use protocol::event::Ready;
use protocol::{Call, Disclosure, Effect, Event, Fact, Outcome, RequestStatus, Stage, Write};

use crate::Inputs;
use crate::devnet::Devnet;
use crate::parties::MakerAgent;

/// One line of the time line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Which tick, from 1; 0 before the first.
    pub tick: u32,
    /// Which stage it belongs to.
    pub stage: Stage,
    /// What happened, with its figures.
    pub what: What,
    /// The transaction that carried it.
    pub transaction: Option<Bytes32>,
}

/// What happened, as issuer and makers know it. Amounts are in base units of six decimals: of the collateral, of
/// what makers are paid in, or of the coin, as the field says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Before the first tick, one deposit a maker and one of the issuer's.
    Locked {
        /// How many makers.
        makers: usize,
        /// Collateral of all of them.
        collateral: Amount,
        /// What the issuer shielded in advance, to pay them with.
        consideration: Amount,
    },
    /// Reserves stopped counting, wholly or in part.
    Shock {
        /// In the scenario's words.
        cause: String,
        /// What was struck, at face value, coins.
        amount: Amount,
        /// Which part of it no longer counts.
        haircut: Premium,
        /// `amount` less what of it still counts, coins.
        lost: Amount,
    },
    /// A reading whose verdict is not that of the one before.
    Reading {
        /// Net of haircuts, the collateral brought so far included, coins.
        reserves: Amount,
        /// Coins outstanding.
        liabilities: Amount,
        /// What is missing to the target, coins.
        gap: Amount,
        /// What the enclave makes of it.
        verdict: Verdict,
    },
    /// Too few nodes brought the same observation: no reading.
    Unread,
    /// Others acted on chain: the mission goes on from what that changed.
    Overheard {
        /// How many of theirs there were, since the node last looked.
        transactions: usize,
    },
    /// A maker sealed an order.
    Ordered {
        /// Its number, from 0.
        maker: usize,
        /// Collateral it offers at most.
        capacity: Amount,
        /// The least premium it takes.
        premium_min: Premium,
        /// Bytes of the envelope.
        envelope_len: usize,
    },
    /// A call closed and nobody was filled.
    Unfilled {
        /// The premium it offered at most.
        cap: Premium,
    },
    /// A round cleared.
    Cleared {
        /// Its number within the request, from 1.
        round: u32,
        /// What everyone in it is paid.
        premium: Premium,
        /// Maker and collateral, in clearing order; empty for a round of cover.
        fills: Vec<(usize, Amount)>,
    },
    /// The pool was asked for collateral.
    Requested {
        /// Collateral; zero for cover.
        amount: Amount,
        /// Public cap.
        premium: Premium,
        /// How long it is open.
        timeout: Duration,
        /// What the public sees of the amount.
        commitment: CommitmentHash,
    },
    /// A round settled.
    Settled {
        /// Its number within the request, from 1.
        round: u32,
        /// What `getRequestStatus` says afterwards.
        status: RequestStatus,
        /// What it moved; none if the issuer cannot read its notice.
        moved: Option<Moved>,
    },
    /// A request ran out of time.
    Expired {
        /// Since the last recovery, this one included; none if the chain did not say.
        attempts: Option<u8>,
        /// At how many minting is halted.
        attempts_max: u32,
        /// Whether it was.
        halted: bool,
    },
    /// Sealed disclosure: an epoch's request was opened.
    Opened {
        /// How it ended.
        status: RequestStatus,
        /// If it ended unfilled: attempts since the last recovery.
        attempts: Option<u8>,
        /// At how many minting is halted.
        attempts_max: u32,
        /// Whether it was.
        halted: bool,
    },
    /// The one bit. Immediate: told when it changes. Sealed: at each opening, of the epoch that ended.
    Attested {
        /// It.
        recovered: bool,
        /// Whether there was one before.
        is_first: bool,
    },
    /// The first sealed status report; one follows on every tick.
    Reported {
        /// It.
        commitment: CommitmentHash,
    },
    /// The receiver refused a report.
    Refused {
        /// The function it would have called.
        function: &'static str,
    },
    /// No f + 1 signatures for one report: nothing was sent.
    Unsigned {
        /// The function it would have called.
        function: &'static str,
        /// Nodes behind the largest group of equal payloads.
        agreeing: u8,
    },
}

/// What a settlement moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Makers filled; 0 for cover.
    pub makers: u8,
    /// Collateral they gave.
    pub collateral: Amount,
    /// What they were paid.
    pub payout: Amount,
    /// Collateral brought so far, by all rounds.
    pub position: Amount,
    /// Collateral of the request that is still missing.
    pub remaining: Amount,
}

/// What an enclave makes of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// At the threshold or above.
    Backed,
    /// Below the threshold, and not for long enough to be short.
    Low,
    /// Short, until a reading is at the target.
    Short,
}

impl Verdict {
    /// Lower-case name, for people and scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Backed => "backed",
            Self::Low => "low",
            Self::Short => "short",
        }
    }
}

/// One proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The circuit.
    pub circuit: &'static str,
    /// Its constraints; none where the proof was made by an earlier process.
    pub constraints: Option<u64>,
    /// Wall-clock milliseconds on this machine; none where the proof was made by an earlier process.
    pub prove_ms: Option<u64>,
    /// Gas of a transaction that verifies it and does nothing else, its base fee and calldata included.
    pub verify_gas: Option<u64>,
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
    /// The same at no premium: what the collateral is worth in claims at the run's price, base units.
    pub worth: u128,
    /// What it belongs to.
    pub request: RequestId,
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
    /// What makers deliver, by its name in the workflow.
    pub collateral: String,
    /// What they are paid in, by its name in the deployment.
    pub consideration: String,
    /// A shortfall begins below it.
    pub threshold: Ratio,
    /// A shortfall ends at it.
    pub target: Ratio,
    /// Consecutive readings below the threshold that make a shortfall.
    pub readings: u8,
    /// What a request's amount is a multiple of.
    pub lot: Amount,
    /// The newest request; under sealed disclosure the newest that was opened, if one was.
    pub request: Option<RequestView>,
    /// How it ended: by the enclave's readings where the public cannot know.
    pub outcome: Outcome,
    /// Rounds settled.
    pub rounds: u32,
    /// Ticks run.
    pub ticks: u32,
    /// The last event.
    pub ended: Timestamp,
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
    /// The time line, in order of time.
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

    /// Rounds that filled somebody and settled.
    pub fn settled(&self) -> impl Iterator<Item = &Clearing> {
        self.clearings.iter().filter(|clearing| clearing.settled.is_some())
    }

    /// Collateral that settled rounds brought.
    pub fn raised(&self) -> Amount {
        sum(self.settled().flat_map(|clearing| &clearing.fills).map(|(_, amount)| amount.units()))
    }

    /// What makers were paid for it.
    pub fn paid(&self) -> Amount {
        sum(self.settled().map(|clearing| clearing.payout))
    }

    /// What they would have been paid at no premium.
    pub fn worth(&self) -> Amount {
        sum(self.settled().map(|clearing| clearing.worth))
    }

    /// The least and the greatest premium of a settled round that filled somebody.
    pub fn premiums(&self) -> Option<(Premium, Premium)> {
        let premiums = || self.settled().map(|clearing| clearing.premium);
        Some((premiums().min()?, premiums().max()?))
    }

    /// Makers that settled rounds filled, each once.
    pub fn makers_filled(&self) -> usize {
        let fills = self.settled().flat_map(|clearing| &clearing.fills);
        fills.map(|(maker, _)| maker).collect::<std::collections::BTreeSet<_>>().len()
    }
}

/// How a mission ended: what is public, mended by what the enclave read. Sealed disclosure attests that an epoch got all
/// it asked for, which is nothing where nothing was missing, and says nothing of a hole that the next epoch asks for.
fn outcome(public: Outcome, verdicts: &[(u32, bool)]) -> Outcome {
    let (Some((_, is_backed)), false) =
        (verdicts.last(), matches!(public, Outcome::Halted | Outcome::Unrecovered))
    else {
        // Who never got a reading knows nothing.
        return if public == Outcome::Halted { public } else { Outcome::Unrecovered };
    };
    match (is_backed, verdicts.iter().all(|(_, backed)| *backed)) {
        (true, true) => Outcome::Healthy,
        (true, false) => Outcome::Recovered,
        (false, _) => Outcome::Unrecovered,
    }
}

fn sum(units: impl Iterator<Item = u128>) -> Amount {
    units.fold(Amount::ZERO, |sum, units| {
        let added = Amount::new(units).and_then(|units| sum.checked_add(units));
        added.unwrap_or(Amount::MAX)
    })
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
        let policy = node::enrolment::policy(&self.inputs.workflow, &self.inputs.deployment).policy;
        let mut teller = Teller {
            told: self,
            view,
            threshold: policy.threshold,
            lines: vec![self.standing_ready()],
            clearings: Vec::new(),
            private: IssuerView::default(),
            verdict: None,
            attested: None,
            n_orders: 0,
            n_statuses: 0,
            told_until: None,
        };
        view.entries().iter().for_each(|entry| teller.take(entry));
        let Teller { mut lines, clearings, private, .. } = teller;
        lines.sort_by_key(|line| line.at);
        let deployment = &self.inputs.deployment;
        let verdicts: Vec<(u32, bool)> = private.verdicts().collect();
        Report {
            workflow: self.inputs.workflow.workflow.name.clone(),
            scenario: self.inputs.scenario.name.clone(),
            seed: self.inputs.seed,
            disclosure: self.inputs.disclosure(),
            collateral: self.collateral(),
            consideration: self.consideration(),
            threshold: policy.threshold,
            target: policy.target,
            readings: policy.readings,
            lot: deployment.request.lot,
            request: request(view, self.inputs.disclosure()),
            outcome: outcome(view.outcome(), &verdicts),
            rounds: view.rounds(),
            ticks: view.tick(),
            ended: view.now(),
            transactions: view.transactions().collect(),
            proofs: self.proofs(view),
            attestation: Attestation {
                trust: self.evidence.trust.clone(),
                pcr0: self.evidence.expected.pcr0.to_string(),
            },
            clearings,
            verdicts,
            facts: view.facts().map(|(tick, fact)| (tick, fact.clone())).collect(),
            lines,
            mint_allowed: is_mint_allowed(view.facts().map(|(_, fact)| fact)),
            journal_hash,
        }
    }

    /// The collateral's name in the workflow.
    fn collateral(&self) -> String {
        let ask = self.inputs.workflow.workflow.dark_pool();
        ask.map_or_else(|| "collateral".to_owned(), |ask| ask.asset.clone())
    }

    /// The consideration's name in the deployment.
    fn consideration(&self) -> String {
        let deployment = &self.inputs.deployment;
        let mut assets = deployment.assets.iter();
        let named = assets.find(|(_, role)| **role == deployment.instrument.consideration);
        named.map_or_else(|| "claims".to_owned(), |(name, _)| name.clone())
    }

    fn standing_ready(&self) -> Line {
        let makers = self.makers.iter().map(|(agent, _)| agent.maker.capacity.units());
        let what = What::Locked {
            makers: self.makers.len(),
            collateral: sum(makers),
            consideration: self.inputs.deployment.instrument.standing,
        };
        let at = self.inputs.scenario.start;
        Line { at, tick: 0, stage: Stage::Match, what, transaction: None }
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
            | Event::Unwritten { .. }
            | Event::Heard { .. } => None,
        });
        let proofs = rounds.map(|ready| {
            let timed = timed.get(&(ready.request, ready.round));
            Proof {
                circuit: circuits::clearing::NAME,
                constraints: timed.map(|proved| proved.constraints),
                prove_ms: timed.map(|proved| proved.prove_ms),
                verify_gas: self.verify_gas(&ready.zk_proof),
            }
        });
        proofs.collect()
    }

    /// Gas of a transaction that verifies a proof and does nothing else, as the chain estimates it.
    fn verify_gas(&self, zk_proof: &[u8]) -> Option<u64> {
        let proof = ZkProof::decode(zk_proof).ok()?;
        self.devnet.block_on(async |provider| {
            let verifier = evm::abi::ClearingVerifier::new(self.contracts.verifier, provider);
            verifier.verifyProof(proof.proof, proof.public_inputs).estimate_gas().await.ok()
        })
    }
}

/// What `getRequestStatus` says of the newest request that the public knows the end of, or else of the newest: by the
/// logs, because a finished journal is read without its chain.
fn request(view: &View, disclosure: Disclosure) -> Option<RequestView> {
    let newest = view.revealed().map(|(id, _)| id).or(view.request().map(|request| request.id))?;
    let mut expires = Timestamp::default();
    let mut status = None;
    for (_, fact) in view.facts() {
        match fact {
            Fact::RequestOpened { id, expires: until, .. } if *id == newest => {
                (status, expires) = (Some(RequestStatus::Pending), *until);
            }
            Fact::RoundSettled { id, status: now, .. }
            | Fact::RequestRevealed { id, status: now }
                if *id == newest =>
            {
                status = Some(*now);
            }
            Fact::RequestExpired { id, .. } if *id == newest => {
                status = Some(RequestStatus::Expired)
            }
            Fact::RequestOpened { .. }
            | Fact::RoundSettled { .. }
            | Fact::RequestRevealed { .. }
            | Fact::RequestExpired { .. }
            | Fact::RecoveryAttested { .. }
            | Fact::StatusReported { .. }
            | Fact::Halted
            | Fact::LeavesInserted { .. }
            | Fact::ReportExecuted { .. } => {}
        }
    }
    let is_live =
        |status| matches!(status, RequestStatus::Pending | RequestStatus::PartiallyFilled);
    // Sealed requests end by their opening alone.
    let by_the_clock = disclosure == Disclosure::Immediate && view.now() >= expires;
    let status =
        status.map(
            |status| {
                if by_the_clock && is_live(status) { RequestStatus::Expired } else { status }
            },
        );
    Some(RequestView { id: newest, status: status? })
}

/// The guard's `mintAllowed` after these logs; nobody governs in a run.
fn is_mint_allowed<'a>(facts: impl Iterator<Item = &'a Fact>) -> bool {
    let (mut flagged, mut halted) = (false, false);
    for fact in facts {
        match fact {
            Fact::RecoveryAttested { recovered } => flagged = !recovered,
            Fact::Halted => halted = true,
            Fact::RequestOpened { .. }
            | Fact::RoundSettled { .. }
            | Fact::RequestExpired { .. }
            | Fact::RequestRevealed { .. }
            | Fact::StatusReported { .. }
            | Fact::LeavesInserted { .. }
            | Fact::ReportExecuted { .. } => {}
        }
    }
    !flagged && !halted
}

/// Tells a run event by event.
struct Teller<'a> {
    told: &'a Told<'a>,
    view: &'a View,
    threshold: Ratio,
    lines: Vec<Line>,
    clearings: Vec<Clearing>,
    /// What the issuer has read so far.
    private: IssuerView,
    /// The verdict told last.
    verdict: Option<Verdict>,
    /// The attestation told last.
    attested: Option<bool>,
    n_orders: usize,
    n_statuses: u32,
    /// Shocks up to here were told.
    told_until: Option<Timestamp>,
}

impl Teller<'_> {
    fn take(&mut self, entry: &Entry) {
        match &entry.event {
            Event::Ticked { .. } => self.shocks(entry),
            Event::Observed { observed, .. } => self.observed(entry, observed),
            Event::Unobserved { .. } => self.line(entry, Stage::Detect, What::Unread),
            Event::Ordered { envelope, .. } => self.ordered(entry, envelope.len()),
            Event::Heard { facts } => self.overheard(entry, entry.included.len(), facts),
            Event::Written { transaction, delivered, facts } => {
                let n_others = entry.included.len().saturating_sub(1);
                if n_others > 0 {
                    let theirs = if *delivered { &[] } else { facts.as_slice() };
                    self.overheard(entry, n_others, theirs);
                }
                if let Some(Effect::Write(write)) = &entry.effect {
                    self.written(entry, write, *transaction, *delivered, facts);
                }
            }
            Event::Unwritten { agreeing } => {
                if let Some(Effect::Write(write)) = &entry.effect {
                    let (function, agreeing) = (write.call.function(), *agreeing);
                    self.line(entry, write.call.stage(), What::Unsigned { function, agreeing });
                }
            }
            Event::Cleared { ready: Some(ready) } => self.cleared(entry, ready),
            Event::Cleared { ready: None } => {
                let cap = entry.request.map_or(Premium::default(), |request| request.premium);
                self.line(entry, Stage::Match, What::Unfilled { cap });
            }
        }
    }

    fn shocks(&mut self, entry: &Entry) {
        for shock in self.told.inputs.scenario.shocks_between(self.told_until, entry.at) {
            let what = What::Shock {
                cause: shock.what.clone(),
                amount: shock.amount,
                haircut: shock.haircut,
                lost: shock.lost(),
            };
            let (at, tick, stage) = (shock.at, entry.tick, Stage::Detect);
            self.lines.push(Line { at, tick, stage, what, transaction: None });
        }
        self.told_until = Some(entry.at);
    }

    fn observed(&mut self, entry: &Entry, observed: &Observed) {
        let issuer = self.told.issuer;
        let Some(notice) = self.private.tick(issuer, observed.tick, &observed.notice) else {
            return;
        };
        let required = self.threshold.of_ceil(notice.liabilities).unwrap_or(Amount::MAX);
        let verdict = match (notice.backed, notice.reserves < required) {
            (true, false) => Verdict::Backed,
            (true, true) => Verdict::Low,
            (false, _) => Verdict::Short,
        };
        let what = What::Reading {
            reserves: notice.reserves,
            liabilities: notice.liabilities,
            gap: notice.gap,
            verdict,
        };
        if self.verdict.replace(verdict) != Some(verdict) {
            self.line(entry, Stage::Detect, what);
        }
    }

    fn ordered(&mut self, entry: &Entry, envelope_len: usize) {
        let index = self.n_orders;
        self.n_orders += 1;
        let Some(maker) = self.told.arrivals.get(index) else { return };
        let maker = &self.told.makers[*maker].0.maker;
        let what = What::Ordered {
            maker: maker.index,
            capacity: maker.capacity,
            premium_min: maker.premium_min,
            envelope_len,
        };
        self.line(entry, Stage::Match, what);
    }

    fn cleared(&mut self, entry: &Entry, ready: &Ready) {
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
        if !fills.is_empty() {
            let price = self.told.inputs.deployment.instrument.price;
            let worth = |amount: &Amount| amount.payout_ceil(price, Premium::default());
            let worth = fills.iter().map(|(_, amount)| worth(amount).unwrap_or(Amount::MAX));
            self.clearings.push(Clearing {
                closed: entry.tick,
                settled: None,
                round: ready.round,
                premium,
                fills: fills.clone(),
                payout,
                worth: sum(worth.map(Amount::units)).units(),
                request: ready.request,
            });
        }
        self.line(entry, Stage::Match, What::Cleared { round: ready.round, premium, fills });
    }

    fn written(
        &mut self,
        entry: &Entry,
        write: &Write,
        hash: Bytes32,
        delivered: bool,
        facts: &[Fact],
    ) {
        let what = if delivered {
            self.delivered(write, facts)
        } else {
            Some(What::Refused { function: write.call.function() })
        };
        if let Some(what) = what {
            self.line(entry, write.call.stage(), what);
            self.lines.last_mut().expect("it was just told").transaction = Some(hash);
        }
    }

    /// What others did of what the node would have done.
    fn overheard(&mut self, entry: &Entry, transactions: usize, facts: &[Fact]) {
        self.line(entry, Stage::Settle, What::Overheard { transactions });
        for fact in facts {
            let what = match fact {
                Fact::RoundSettled { id, .. } => {
                    self.settled(*id, entry.tick, core::slice::from_ref(fact))
                }
                Fact::RequestExpired { attempts, .. } => Some(What::Expired {
                    attempts: Some(*attempts),
                    attempts_max: self.told.inputs.deployment.guard.attempts_max,
                    halted: facts.contains(&Fact::Halted),
                }),
                Fact::RequestOpened { .. }
                | Fact::RequestRevealed { .. }
                | Fact::RecoveryAttested { .. }
                | Fact::StatusReported { .. }
                | Fact::Halted
                | Fact::LeavesInserted { .. }
                | Fact::ReportExecuted { .. } => None,
            };
            what.into_iter().for_each(|what| self.line(entry, Stage::Settle, what));
        }
    }

    /// What a call did; none for what is told once and was told.
    fn delivered(&mut self, write: &Write, facts: &[Fact]) -> Option<What> {
        let deployment = &self.told.inputs.deployment;
        let attempts_max = deployment.guard.attempts_max;
        let halted = facts.contains(&Fact::Halted);
        Some(match &write.call {
            Call::RequestCollateral { premium, timeout, encrypted_amount } => {
                let gap = self.private.newest().filter(|notice| !notice.backed);
                let gap = gap.map_or(Amount::ZERO, |notice| notice.gap);
                // As the enclave asks: whole lots, within the mandate.
                let lots = protocol::request::ask(gap, deployment.request.lot);
                What::Requested {
                    amount: lots.unwrap_or(Amount::MAX).min(deployment.instrument.amount_max),
                    premium: *premium,
                    timeout: *timeout,
                    commitment: *encrypted_amount,
                }
            }
            Call::ConfidentialFill { request, .. } => self.settled(*request, write.tick, facts)?,
            Call::ExpireRequest { .. } => {
                What::Expired { attempts: attempts(facts), attempts_max, halted }
            }
            Call::OpenRequest { status, .. } => {
                What::Opened { status: *status, attempts: attempts(facts), attempts_max, halted }
            }
            Call::AttestRecovery { recovered, .. } => {
                let before = self.attested.replace(*recovered);
                let is_told = self.told.inputs.disclosure() == Disclosure::Immediate
                    && before == Some(*recovered);
                if is_told {
                    return None;
                }
                What::Attested { recovered: *recovered, is_first: before.is_none() }
            }
            Call::ReportStatus { commitment } => {
                self.n_statuses += 1;
                if self.n_statuses > 1 {
                    return None;
                }
                What::Reported { commitment: *commitment }
            }
        })
    }

    fn settled(&mut self, request: RequestId, tick: u32, facts: &[Fact]) -> Option<What> {
        let (round, status) = facts.iter().find_map(|fact| match fact {
            Fact::RoundSettled { round, status, .. } => Some((*round, *status)),
            Fact::RequestOpened { .. }
            | Fact::RequestExpired { .. }
            | Fact::RequestRevealed { .. }
            | Fact::RecoveryAttested { .. }
            | Fact::StatusReported { .. }
            | Fact::Halted
            | Fact::LeavesInserted { .. }
            | Fact::ReportExecuted { .. } => None,
        })?;
        let is_it =
            |clearing: &&mut Clearing| (clearing.request, clearing.round) == (request, round);
        let clearing = self.clearings.iter_mut().rev().find(is_it);
        let collateral = clearing.map_or(Amount::ZERO, |clearing| {
            clearing.settled = Some(tick);
            sum(clearing.fills.iter().map(|(_, amount)| amount.units()))
        });
        let amount = |units| Amount::new(units).unwrap_or(Amount::MAX);
        let moved = self.private.of(request, round).map(|notice| Moved {
            makers: notice.n_fills,
            collateral,
            payout: amount(notice.payout),
            position: amount(notice.position),
            remaining: amount(notice.remaining),
        });
        Some(What::Settled { round, status, moved })
    }

    fn line(&mut self, entry: &Entry, stage: Stage, what: What) {
        let (at, tick) = (entry.at, entry.tick);
        self.lines.push(Line { at, tick, stage, what, transaction: None });
    }
}

/// Attempts since the last recovery, if one ran out.
fn attempts(facts: &[Fact]) -> Option<u8> {
    facts.iter().find_map(|fact| match fact {
        Fact::RequestExpired { attempts, .. } => Some(*attempts),
        Fact::RequestOpened { .. }
        | Fact::RoundSettled { .. }
        | Fact::RequestRevealed { .. }
        | Fact::RecoveryAttested { .. }
        | Fact::StatusReported { .. }
        | Fact::Halted
        | Fact::LeavesInserted { .. }
        | Fact::ReportExecuted { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_what_the_enclave_read_where_the_public_cannot_know() {
        let (whole, mended, short) =
            ([(1, true), (2, true)], [(1, false), (2, true)], [(1, true), (2, false)]);
        // A sealed epoch that asked for nothing and got it attests `recovered` like any other.
        assert_eq!(outcome(Outcome::Recovered, &whole), Outcome::Healthy);
        // And so does the epoch in which the shock struck.
        assert_eq!(outcome(Outcome::Recovered, &short), Outcome::Unrecovered);
        assert_eq!(outcome(Outcome::Recovered, &mended), Outcome::Recovered);
        assert_eq!(outcome(Outcome::Healthy, &whole), Outcome::Healthy);
        assert_eq!(outcome(Outcome::Healthy, &short), Outcome::Unrecovered);
        assert_eq!(outcome(Outcome::Healthy, &[]), Outcome::Unrecovered);
        // Told to be short, mended, and not told so: the last stage is missing.
        assert_eq!(outcome(Outcome::Unrecovered, &mended), Outcome::Unrecovered);
        assert_eq!(outcome(Outcome::Halted, &mended), Outcome::Halted);
        assert_eq!(outcome(Outcome::Halted, &[]), Outcome::Halted);
    }
}
