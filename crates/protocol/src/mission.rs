//! The mission: public facts in, wishes out. Every DON node runs one over its own observation; the one
//! whose events are in the journal is the quorum's.
//!
//! ```text
//!            Ticked                Observed                 Written*              Cleared
//!   idle ──────────────▶ observing ─────────▶ writing (0..n) ───────▶ clearing? ─────────▶ idle
//!                            └── Unobserved ────────────────────────────────────────────────▲
//!
//!   request:  none ─RequestOpened─▶ PENDING ─RoundSettled─▶ PARTIALLY_FILLED ─RoundSettled─▶ FILLED
//!                                      └──────────── RequestExpired ───┴─▶ EXPIRED ─▶ none, next rung
//! ```
//!
//! Where the seed's YAML is silent, it means this:
//! - state belongs to the mission, not to the tick; a tick walks the steps once, top to bottom;
//! - `dark_pool` is idempotent while its request is open, and asks again, a rung higher, once it expired;
//! - `wait` suspends the steps after it in its block until a later tick; cron keeps firing meanwhile;
//! - each round the enclave has ready re-enters `confidentialFill` until filled or expired;
//! - under sealed disclosure nothing branches on the status: the conditional is always taken, one
//!   request is made per epoch (possibly for zero) at the public cap, rounds close on fixed ticks, and
//!   `attestRecovery` becomes one `reportStatus` a tick, the literal call once, at the opening.
//!
//! Invariants, quoted by tests:
//! 1. An event that answers no outstanding effect changes nothing, unless it is a tick, an order, or news of the chain.
//! 2. At most one request is open.
//! 3. A write's epoch is above that of every write delivered before it, by anybody, and of the tick's writes before it.
//! 4. After a halt no request is made.
//! 5. The same events give the same effects.

use std::collections::VecDeque;

use primitives::{CommitmentHash, Decode, Duration, Encode, Premium, RequestId, Timestamp};

use crate::attest::{Observed, Status};
use crate::event::{Event, Fact, Ready};
use crate::request::Escalation;
use crate::workflow::{DarkPool, OnchainCall, Step, StepKind, Workflow};
use crate::{Call, Disclosure, Effect, RequestStatus, Write};

/// How long a signed report may be delivered: two ticks of the seed's cron.
pub const REPORT_LIFETIME: Duration = Duration(600);

/// What a mission is about. Public, and the same for every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The parsed workflow.
    pub workflow: Workflow,
    /// Immediate or sealed.
    pub disclosure: Disclosure,
    /// Premium ladder and attempt cap.
    pub escalation: Escalation,
    /// When rounds close.
    pub schedule: Schedule,
}

/// When rounds close, in ticks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Schedule {
    /// Immediate: a call closes every so many ticks after the request opened.
    pub call_every: u32,
    /// Sealed: an epoch's length.
    pub epoch_ticks: u32,
    /// Sealed: offsets from the epoch's first tick at which a round closes.
    pub round_ticks: Vec<u32>,
    /// Sealed: ticks from an epoch's end to its opening.
    pub opening_delay: u32,
}

impl Schedule {
    /// Offset of `tick` (from 1) into its epoch.
    pub const fn epoch_offset(&self, tick: u32) -> u32 {
        (tick - 1) % self.epoch_ticks
    }

    /// Whether the epoch before opens on this tick.
    pub const fn opens_on(&self, tick: u32) -> bool {
        tick > self.epoch_ticks && self.epoch_offset(tick) == self.opening_delay
    }
}

/// The request in hand, as the chain tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Public premium cap.
    pub premium: Premium,
    /// The tick that opened it.
    pub opened_tick: u32,
    /// When it expires.
    pub expires: Timestamp,
    /// Rounds settled.
    pub rounds: u32,
    /// What the chain says of it.
    pub status: RequestStatus,
}

impl Request {
    const fn is_live(&self) -> bool {
        matches!(self.status, RequestStatus::Pending | RequestStatus::PartiallyFilled)
    }
}

/// What the next tick depends on, as the chain and the dark pool tell it: all that a workflow which keeps
/// nothing between its runs has to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The last tick before the one to come; 0 before the first.
    pub tick: u32,
    /// The highest epoch that a receiver has carried out; 0 before the first.
    pub epoch: u64,
    /// The newest request, with the status the chain stores.
    pub request: Option<Request>,
    /// The round that awaits its settlement.
    pub ready: Option<Ready>,
    /// Expired attempts since the last recovery.
    pub attempts: u8,
    /// Whether the breaker halted minting.
    pub halted: bool,
    /// The issuer's position.
    pub position: CommitmentHash,
}

/// How a mission stands, or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// There was no shortfall the public could know of.
    Healthy,
    /// The one bit: there was, and it is closed.
    Recovered,
    /// The breaker halted minting.
    Halted,
    /// Time ran out before either.
    Unrecovered,
}

impl Outcome {
    /// Lower-case name, for people and scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Recovered => "recovered",
            Self::Halted => "halted",
            Self::Unrecovered => "unrecovered",
        }
    }
}

/// Why an event was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Invariant 1.
    #[error("{event} answers nothing: the mission awaits {awaits}")]
    Unexpected {
        /// What came.
        event: &'static str,
        /// What was outstanding.
        awaits: &'static str,
    },
    /// The answer is for another tick.
    #[error("an answer for tick {got} while tick {expected} is open")]
    WrongTick {
        /// The mission's tick.
        expected: u32,
        /// The event's.
        got: u32,
    },
    /// A boolean under sealed disclosure, or a commitment under immediate.
    #[error("status disclosed as {got}, the mission runs {expected}")]
    WrongDisclosure {
        /// The mission's mode.
        expected: &'static str,
        /// The event's.
        got: &'static str,
    },
    /// The answer is for another instant than the tick's.
    #[error("an answer for {got} to a tick at {expected}")]
    WrongInstant {
        /// The tick's.
        expected: Timestamp,
        /// The event's.
        got: Timestamp,
    },
    /// The enclave counted collateral that no settlement brought.
    #[error("the enclave counted position {got}, the chain holds {expected}")]
    WrongPosition {
        /// After the last settlement.
        expected: CommitmentHash,
        /// The event's.
        got: CommitmentHash,
    },
    /// The receivers stand so near the last epoch that this tick's writes would pass it.
    #[error("{wanted} writes after epoch {epoch} would need epochs beyond the last")]
    EpochsUsedUp {
        /// The highest that a receiver has carried out.
        epoch: u64,
        /// The tick's writes.
        wanted: usize,
    },
    /// A round that was not asked for.
    #[error("round {got} is ready, round {expected} was asked for")]
    WrongRound {
        /// Asked for.
        expected: u32,
        /// Came.
        got: u32,
    },
}

/// One run detect → request → match → settle → attest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mission {
    setup: Setup,
    tick: u32,
    epoch: u64,
    request: Option<Request>,
    ready: Option<Ready>,
    queue_may_hold_more: bool,
    rounds: u32,
    attempts: u8,
    flagged: bool,
    halted: bool,
    recovered_tick: Option<u32>,
    /// The issuer's position after the last settlement; before one, what the first answer counted.
    position: Option<CommitmentHash>,
    outstanding: VecDeque<Effect>,
}

impl Mission {
    /// A healthy mission before its first tick.
    pub const fn new(setup: Setup) -> Self {
        Self {
            setup,
            tick: 0,
            epoch: 0,
            request: None,
            ready: None,
            queue_may_hold_more: false,
            rounds: 0,
            attempts: 0,
            flagged: false,
            halted: false,
            recovered_tick: None,
            position: None,
            outstanding: VecDeque::new(),
        }
    }

    /// A mission that goes on from what the chain says. It writes on the next tick what the mission that
    /// lived through all of it would write; what only outcomes and closing times depend on starts anew.
    pub fn resume(setup: Setup, view: View) -> Self {
        Self {
            tick: view.tick,
            epoch: view.epoch,
            request: view.request,
            ready: view.ready,
            attempts: view.attempts,
            halted: view.halted,
            position: Some(view.position),
            ..Self::new(setup)
        }
    }

    /// Takes one event in and returns the effects it adds. Effects are carried out front to back.
    ///
    /// # Errors
    /// [`Refused`] if the event answers nothing that is outstanding; nothing changes then.
    pub fn step(&mut self, now: Timestamp, event: &Event) -> Result<Vec<Effect>, Refused> {
        let awaits = self.outstanding.front();
        let unexpected =
            |event| Refused::Unexpected { event, awaits: awaits.map_or("a tick", effect_name) };
        let before = match event {
            Event::Ordered { .. } => return Ok(Vec::new()),
            Event::Ticked { tick } => {
                if awaits.is_some() {
                    return Err(unexpected("a tick"));
                }
                if self.tick.checked_add(1) != Some(*tick) {
                    let expected = self.tick.saturating_add(1);
                    return Err(Refused::WrongTick { expected, got: *tick });
                }
                self.tick = *tick;
                self.outstanding.push_back(Effect::Observe { tick: *tick });
                0
            }
            Event::Observed { observed, signature } => {
                let Some(Effect::Observe { tick }) = awaits else {
                    return Err(unexpected("an observation"));
                };
                if observed.tick != *tick {
                    return Err(Refused::WrongTick { expected: *tick, got: observed.tick });
                }
                let (expected, got) = (self.setup.disclosure, observed.status.disclosure());
                if expected != got {
                    return Err(Refused::WrongDisclosure {
                        expected: expected.name(),
                        got: got.name(),
                    });
                }
                if observed.now != now {
                    return Err(Refused::WrongInstant { expected: now, got: observed.now });
                }
                let expected = self.position.unwrap_or(observed.position);
                if observed.position != expected {
                    return Err(Refused::WrongPosition { expected, got: observed.position });
                }
                let calls = self.interpret(now, observed);
                if self.epoch.checked_add(calls.len() as u64).is_none() {
                    return Err(Refused::EpochsUsedUp { epoch: self.epoch, wanted: calls.len() });
                }
                self.position = Some(expected);
                let expiry = now + REPORT_LIFETIME;
                self.outstanding.pop_front();
                for ((contract, call), nth) in calls.into_iter().zip(1..) {
                    let epoch = self.epoch + nth;
                    // A model's answers are nobody's, and shown to nobody.
                    let observation = if call.rests_on_observation() && !signature.is_empty() {
                        observed.signed(signature)
                    } else {
                        Vec::new()
                    };
                    let tick = self.tick;
                    let write = Write { tick, contract, call, observation, epoch, expiry };
                    self.outstanding.push_back(Effect::Write(write));
                }
                0
            }
            Event::Unobserved { tick } => {
                let Some(Effect::Observe { tick: expected }) = awaits else {
                    return Err(unexpected("no quorum"));
                };
                if tick != expected {
                    return Err(Refused::WrongTick { expected: *expected, got: *tick });
                }
                self.outstanding.pop_front();
                return Ok(Vec::new());
            }
            Event::Written { delivered, facts, .. } => {
                let Some(Effect::Write(write)) = awaits else {
                    return Err(unexpected("a receipt"));
                };
                // A round the chain refused is void: the same proof would be refused again.
                let is_void = !delivered && matches!(write.call, Call::ConfidentialFill { .. });
                if is_void {
                    self.ready = None;
                }
                let epoch = write.epoch;
                self.outstanding.pop_front();
                if *delivered {
                    // The receivers remember it, and nothing else of a write.
                    self.epoch = self.epoch.max(epoch);
                }
                // A report that was refused may have been overtaken by what others did.
                facts.iter().for_each(|fact| self.learn(fact));
                self.outstanding.len()
            }
            Event::Heard { facts } => {
                if awaits.is_some() {
                    return Err(unexpected("news of the chain"));
                }
                facts.iter().for_each(|fact| self.learn(fact));
                return Ok(Vec::new());
            }
            Event::Unwritten { .. } => {
                let Some(Effect::Write(_)) = awaits else {
                    return Err(unexpected("a missing quorum"));
                };
                self.outstanding.pop_front();
                self.outstanding.len()
            }
            Event::Cleared { ready } => {
                let Some(Effect::Clear { round, .. }) = awaits else {
                    return Err(unexpected("a clearing"));
                };
                if let Some(ready) = ready.as_ref().filter(|ready| ready.round != *round) {
                    return Err(Refused::WrongRound { expected: *round, got: ready.round });
                }
                self.queue_may_hold_more = ready.is_some();
                self.ready.clone_from(ready);
                self.outstanding.pop_front();
                return Ok(Vec::new());
            }
        };
        let is_tick = matches!(event, Event::Ticked { .. });
        if self.outstanding.is_empty() && !is_tick {
            self.outstanding.extend(self.clearing_due(now));
        }
        Ok(self.outstanding.iter().skip(before).cloned().collect())
    }

    /// What is still to be carried out, in order. After a crash this is what to do next.
    pub const fn outstanding(&self) -> &VecDeque<Effect> {
        &self.outstanding
    }

    /// The last tick taken in; 0 before the first.
    pub const fn tick(&self) -> u32 {
        self.tick
    }

    /// The newest request.
    pub const fn request(&self) -> Option<&Request> {
        self.request.as_ref()
    }

    /// The round that awaits its settlement.
    pub const fn ready(&self) -> Option<&Ready> {
        self.ready.as_ref()
    }

    /// Rounds settled over the whole mission.
    pub const fn rounds(&self) -> u32 {
        self.rounds
    }

    /// Whether the breaker halted minting.
    pub const fn halted(&self) -> bool {
        self.halted
    }

    /// The tick on which recovery was attested.
    pub const fn recovered_tick(&self) -> Option<u32> {
        self.recovered_tick
    }

    /// How the mission stands.
    pub const fn outcome(&self) -> Outcome {
        if self.halted {
            Outcome::Halted
        } else if self.flagged {
            Outcome::Unrecovered
        } else if self.recovered_tick.is_some() {
            Outcome::Recovered
        } else {
            Outcome::Healthy
        }
    }

    fn learn(&mut self, fact: &Fact) {
        match fact {
            Fact::RequestOpened { id, premium, expires, .. } => {
                self.queue_may_hold_more = false;
                self.ready = None;
                self.request = Some(Request {
                    id: *id,
                    premium: *premium,
                    opened_tick: self.tick,
                    expires: *expires,
                    rounds: 0,
                    status: RequestStatus::Pending,
                });
            }
            Fact::RoundSettled { id, status, position, .. } => {
                self.ready = None;
                self.position = Some(*position);
                self.rounds += 1;
                if let Some(request) = self.request.as_mut().filter(|request| request.id == *id) {
                    request.rounds = request.rounds.saturating_add(1);
                    request.status = *status;
                }
            }
            Fact::RequestExpired { id, attempts } => {
                self.ready = None;
                self.attempts = *attempts;
                if let Some(request) = self.request.as_mut().filter(|request| request.id == *id) {
                    request.status = RequestStatus::Expired;
                }
            }
            Fact::RequestRevealed { id, status } => {
                if let Some(request) = self.request.as_mut().filter(|request| request.id == *id) {
                    request.status = *status;
                }
            }
            Fact::RecoveryAttested { recovered: false } => self.flagged = true,
            Fact::RecoveryAttested { recovered: true } => {
                // Sealed disclosure attests only at openings, so the opening itself is the recovery.
                if self.flagged || self.setup.disclosure == Disclosure::Sealed {
                    self.recovered_tick.get_or_insert(self.tick);
                }
                self.flagged = false;
                self.attempts = 0;
            }
            Fact::Halted => self.halted = true,
            Fact::ReportExecuted { epoch } => self.epoch = self.epoch.max(*epoch),
            Fact::StatusReported { .. } | Fact::LeavesInserted { .. } => {}
        }
    }

    /// The enclave clears after the tick's writes, so that a round sees the request they opened.
    fn clearing_due(&self, now: Timestamp) -> Option<Effect> {
        let request =
            self.request.as_ref().filter(|request| request.is_live() && now < request.expires)?;
        let due = match self.setup.disclosure {
            Disclosure::Immediate => {
                // Whoever reads the chain late finds a request that a later tick opened.
                let age = self.tick.saturating_sub(request.opened_tick);
                age > 0
                    && (age.is_multiple_of(self.setup.schedule.call_every.max(1))
                        || self.queue_may_hold_more)
            }
            Disclosure::Sealed => self
                .setup
                .schedule
                .round_ticks
                .contains(&self.setup.schedule.epoch_offset(self.tick)),
        };
        let round = request.rounds.checked_add(1)?;
        (due && self.ready.is_none() && !self.halted).then_some(Effect::Clear {
            request: request.id,
            round,
            closed_at: now,
        })
    }

    fn interpret(&self, now: Timestamp, observed: &Observed) -> Vec<(String, Call)> {
        let mut walk = Walk { mission: self, now, observed, calls: Vec::new() };
        if let (Some(opening), Some(request)) = (observed.opening, self.request.as_ref()) {
            // Everything an epoch hid becomes public together, before the next epoch asks.
            let open = Call::OpenRequest {
                request: request.id,
                status: opening.status,
                salt: opening.salt,
            };
            let attest = Call::AttestRecovery { recovered: opening.recovered, timestamp: now };
            for step in self.setup.workflow.steps() {
                match &step.kind {
                    StepKind::DarkPool(ask) => walk.calls.push((ask.pool.clone(), open.clone())),
                    StepKind::OnchainTx { call: OnchainCall::Attest, contract } => {
                        walk.calls.push((contract.clone(), attest.clone()));
                    }
                    StepKind::OnchainTx { call: OnchainCall::Settle, .. }
                    | StepKind::ConfidentialCompute(_)
                    | StepKind::Conditional { .. }
                    | StepKind::Wait { .. } => {}
                }
            }
        }
        let _ = walk.block(&self.setup.workflow.steps);
        walk.calls
    }
}

const fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Observe { .. } => "an observation",
        Effect::Write(_) => "a receipt",
        Effect::Clear { .. } => "a clearing",
    }
}

/// One pass over the steps.
struct Walk<'a> {
    mission: &'a Mission,
    now: Timestamp,
    observed: &'a Observed,
    calls: Vec<(String, Call)>,
}

/// Whether the steps after this one in its block run on this tick.
#[derive(PartialEq, Eq)]
enum Flow {
    Go,
    Suspend,
}

impl Walk<'_> {
    fn block(&mut self, steps: &[Step]) -> Flow {
        for step in steps {
            if self.step(step) == Flow::Suspend {
                return Flow::Suspend;
            }
        }
        Flow::Go
    }

    fn step(&mut self, step: &Step) -> Flow {
        match &step.kind {
            // Both compute steps of the seed read the same answer of the same tick.
            StepKind::ConfidentialCompute(_) => Flow::Go,
            StepKind::Conditional { condition, steps } => {
                let taken = match self.observed.status {
                    Status::Backed(backed) => backed == condition.equals,
                    Status::Undecided => false,
                    Status::Sealed(_) => true,
                };
                if taken {
                    // A suspended branch does not hold up the steps after the conditional.
                    let _ = self.block(steps);
                }
                Flow::Go
            }
            StepKind::DarkPool(ask) => self.dark_pool(ask),
            StepKind::Wait { .. } => self.wait(),
            StepKind::OnchainTx { call, contract } => {
                self.onchain(*call, contract);
                Flow::Go
            }
        }
    }

    fn dark_pool(&mut self, ask: &DarkPool) -> Flow {
        let DarkPool { pool, premium, timeout, .. } = ask;
        let mission = self.mission;
        let escalation = &mission.setup.escalation;
        if mission.halted {
            return Flow::Suspend;
        }
        let (wanted, premium) = match mission.setup.disclosure {
            Disclosure::Immediate => {
                let idle = mission.request.as_ref().is_none_or(|request| !request.is_live());
                (idle, escalation.premium(*premium, mission.attempts))
            }
            // The public cap is the same in every epoch; the ladder is climbed inside the enclave.
            Disclosure::Sealed => {
                (mission.setup.schedule.epoch_offset(mission.tick) == 0, escalation.premium_cap)
            }
        };
        if wanted {
            let call = Call::RequestCollateral {
                encrypted_amount: self.observed.deficit,
                premium,
                timeout: *timeout,
            };
            self.calls.push((pool.clone(), call));
        } else if let Some(request) = self.expired() {
            self.calls.push((pool.clone(), Call::ExpireRequest { request }));
        }
        Flow::Go
    }

    fn wait(&self) -> Flow {
        let in_time =
            self.mission.request.as_ref().is_some_and(|request| self.now < request.expires);
        if self.mission.ready.is_some() && in_time { Flow::Go } else { Flow::Suspend }
    }

    /// The live request, if its time passed. Sealed requests expire silently, by the clock.
    fn expired(&self) -> Option<RequestId> {
        let immediate = self.mission.setup.disclosure == Disclosure::Immediate;
        let request =
            self.mission.request.as_ref().filter(|request| immediate && request.is_live())?;
        (self.now >= request.expires).then_some(request.id)
    }

    fn onchain(&mut self, call: OnchainCall, contract: &str) {
        let call = match (call, self.observed.status) {
            (OnchainCall::Settle, _) => {
                self.mission.ready.clone().map(|ready| Call::ConfidentialFill {
                    request: ready.request,
                    zk_proof: ready.zk_proof,
                    tee_attestation: ready.tee_attestation,
                })
            }
            (OnchainCall::Attest, Status::Backed(recovered)) => {
                Some(Call::AttestRecovery { recovered, timestamp: self.now })
            }
            (OnchainCall::Attest, Status::Undecided) => None,
            (OnchainCall::Attest, Status::Sealed(commitment)) => {
                Some(Call::ReportStatus { commitment })
            }
        };
        self.calls.extend(call.map(|call| (contract.to_owned(), call)));
    }
}

#[cfg(test)]
mod tests;
