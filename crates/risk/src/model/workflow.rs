//! The workflow and the contracts as they are, in the model. The production core, `protocol::Mission`, says what is
//! written on which tick; what chain and enclave answer stands here, and is small: `crates/sim` plays the same draws on
//! the real ones, and a test holds the two against each other.
//!
//! A step is a tick, numbered from 1. Lines are locked before anything happens, so what makers fear is not in them.

use primitives::{Amount, CommitmentHash, Premium, RequestId, Timestamp};
use protocol::attest::{Observed, Opening, Status};
use protocol::event::Ready;
use protocol::matching::{self, Demand, Offer};
use protocol::mission::Setup;
use protocol::settle::{Queue, status_after};
use protocol::{Call, Disclosure, Effect, Event, Fact, Mission, RequestStatus};

use super::{Run, Stage};
use crate::Model;
use crate::balance::{amount, share_ceil};
use crate::outcome::{Draw, Fill, MakerDraw, Round};
use crate::panel::{self, Maker};
use crate::plan::{Cdpr, Plan, Rule};

/// What the deployment decides, as the run reads it.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) setup: Setup,
    pub(crate) fill_min: Amount,
    pub(crate) share_max: Premium,
}

impl Terms {
    fn is_sealed(&self) -> bool {
        self.setup.disclosure == Disclosure::Sealed
    }
}

/// A line as its note holds it.
#[derive(Debug, Clone, Copy)]
struct Line {
    maker: u32,
    line: u32,
    left: i64,
    limit_bps: u16,
    id: CommitmentHash,
}

/// The request as the enclave knows it.
struct Live {
    requested: i64,
    remaining: i64,
    cap: Premium,
    rounds: u32,
    status: Option<RequestStatus>,
}

/// Chain, enclave and node, as far as the model needs them.
pub(super) struct Drive {
    terms: Terms,
    lot: i64,
    mission: Mission,
    lines: Vec<Line>,
    live: Option<Live>,
    queue: Option<Queue<(usize, i64)>>,
    ready: Option<Round>,
    n_requests: u32,
    /// The guard: expired attempts, and whether minting is off.
    expired: u8,
    flagged: bool,
    halted: bool,
    /// From when makers answer.
    asked: Option<u32>,
    /// A shortfall was attested while the stranger watched.
    pub(super) told: bool,
}

impl Drive {
    /// Nothing for any other policy.
    pub(super) fn new(model: &Model, makers: &[Maker]) -> Option<Self> {
        let Plan::Cdpr(Cdpr { rule: Rule::Workflow(terms), lot, .. }) = &model.plan else {
            return None;
        };
        Some(Self {
            mission: Mission::new(terms.setup.clone()),
            lines: lines(model, makers),
            // Under sealed disclosure makers stand ready whether or not they are asked.
            asked: terms.is_sealed().then_some(0),
            terms: (**terms).clone(),
            lot: *lot,
            live: None,
            queue: None,
            ready: None,
            n_requests: 0,
            expired: 0,
            flagged: false,
            halted: false,
            told: false,
        })
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.terms.is_sealed()
    }

    pub(super) const fn may_mint(&self) -> bool {
        !self.flagged && !self.halted
    }

    /// One tick: what the core asks for is carried out, until it asks for nothing.
    pub(super) fn tick(&mut self, run: &mut Run<'_>, step: u32, is_dark: bool) {
        let step_s = run.model.scenario.step.0;
        let now = Timestamp(step_s * (u64::from(step) + 1));
        let need = match run.stage {
            Stage::Open | Stage::Lost => run.need().max(0),
            Stage::Quiet | Stage::Met => 0,
        };
        let mut event = Event::Ticked { tick: step + 1 };
        loop {
            self.mission.step(now, &event).expect("what the core asks for is what it is answered");
            let Some(effect) = self.mission.outstanding().front().cloned() else { break };
            event = match effect {
                Effect::Observe { tick } if is_dark => Event::Unobserved { tick },
                Effect::Observe { tick } => {
                    Event::Observed { observed: self.judge(tick, now, need), signature: Vec::new() }
                }
                Effect::Write(write) => Event::Written {
                    transaction: Default::default(),
                    delivered: true,
                    facts: self.carry_out(run, &write.call, now, need, step),
                },
                Effect::Clear { request, round, .. } => Event::Cleared {
                    ready: self.clear(run, step, round).then(|| Ready {
                        request,
                        round,
                        zk_proof: Vec::new(),
                        tee_attestation: Vec::new(),
                    }),
                },
            };
        }
        let wants = self.live.as_ref().filter(|live| live.remaining > 0);
        run.premium = wants.map_or(0.0, |live| share(live.cap.bps()));
    }

    fn judge(&self, tick: u32, now: Timestamp, need: i64) -> Observed {
        let schedule = &self.terms.setup.schedule;
        let status = self.live.as_ref().and_then(|live| live.status);
        let opening = status.filter(|_| self.terms.is_sealed() && schedule.opens_on(tick));
        Observed {
            tick,
            now,
            status: if self.terms.is_sealed() {
                Status::Sealed(CommitmentHash([0; 32]))
            } else {
                Status::Backed(need == 0)
            },
            deficit: CommitmentHash([0; 32]),
            position: CommitmentHash([0; 32]),
            notice: Vec::new(),
            opening: opening.map(|status| Opening {
                status,
                salt: [0; 32],
                recovered: status == RequestStatus::Filled,
            }),
        }
    }

    /// What the contracts do with a call, and log.
    fn carry_out(
        &mut self,
        run: &mut Run<'_>,
        call: &Call,
        now: Timestamp,
        need: i64,
        step: u32,
    ) -> Vec<Fact> {
        match call {
            Call::RequestCollateral { premium, timeout, encrypted_amount } => {
                let lot = self.lot.max(1);
                let requested = (need + lot - 1) / lot * lot;
                self.n_requests += 1;
                let cap = *premium;
                self.live =
                    Some(Live { requested, remaining: requested, cap, rounds: 0, status: None });
                (self.queue, self.ready) = (None, None);
                self.asked.get_or_insert(step);
                run.outcome.attempts += u32::from(need > 0);
                run.show(share(premium.bps()), step);
                vec![Fact::RequestOpened {
                    id: self.id(),
                    commitment: *encrypted_amount,
                    premium: *premium,
                    opened: now,
                    expires: now + *timeout,
                }]
            }
            Call::ConfidentialFill { .. } => self.settle(run, step),
            Call::ExpireRequest { .. } => self.expire(run, step),
            Call::OpenRequest { request, status, .. } => {
                let mut facts = vec![Fact::RequestRevealed { id: *request, status: *status }];
                if *status != RequestStatus::Filled {
                    facts.extend(self.expire(run, step));
                }
                facts
            }
            Call::AttestRecovery { recovered, .. } => {
                let is_watched = run.is_watched(step);
                if *recovered {
                    self.expired = 0;
                    if self.flagged {
                        run.outcome.course.attested.get_or_insert(step);
                        if is_watched && self.told {
                            run.window.attested.get_or_insert(step);
                        }
                    }
                } else {
                    run.news.get_or_insert(step);
                    self.told |= is_watched;
                }
                self.flagged = !recovered;
                vec![Fact::RecoveryAttested { recovered: *recovered }]
            }
            Call::ReportStatus { commitment } => {
                vec![Fact::StatusReported { commitment: *commitment }]
            }
        }
    }

    fn id(&self) -> RequestId {
        let mut id = [0; 32];
        id[28..].copy_from_slice(&self.n_requests.to_be_bytes());
        RequestId(id)
    }

    fn expire(&mut self, run: &mut Run<'_>, step: u32) -> Vec<Fact> {
        self.live = None;
        self.expired = self.expired.saturating_add(1);
        run.outcome.course.expired.push(step);
        let mut facts = vec![Fact::RequestExpired { id: self.id(), attempts: self.expired }];
        if self.expired >= self.terms.setup.escalation.attempts_max && !self.halted {
            self.halted = true;
            run.outcome.course.halted = Some(step);
            facts.push(Fact::Halted);
        }
        facts
    }

    /// The enclave's `clear`: what is left of the call, or a call over the whole book. False where there is no round.
    fn clear(&mut self, run: &Run<'_>, step: u32, number: u32) -> bool {
        let Some(live) = self.live.as_ref() else { return false };
        let cap = if self.terms.is_sealed() {
            // One rung a round, under the public cap.
            let rung = u8::try_from(number - 1).unwrap_or(u8::MAX);
            self.terms.setup.escalation.premium(Premium::default(), rung)
        } else {
            live.cap
        };
        if self.queue.as_ref().is_none_or(Queue::is_empty) {
            self.queue = Some(self.call(run, live, cap, step));
        }
        let Some(queue) = self.queue.as_mut() else { return false };
        let premium_bps = queue.premium.bps();
        let fills = queue.next_round();
        if fills.is_empty() && !self.terms.is_sealed() {
            self.queue = None;
            return false;
        }
        let of = |(at, amount): (usize, i64)| {
            let Line { maker, line, .. } = self.lines[at];
            Fill { maker, line, amount }
        };
        let fills = fills.into_iter().map(of).collect();
        self.ready =
            Some(Round { closed: step, settled: 0, cap_bps: cap.bps(), premium_bps, fills });
        true
    }

    fn call(&self, run: &Run<'_>, live: &Live, cap: Premium, step: u32) -> Queue<(usize, i64)> {
        let lot = amount(self.lot);
        let asked = self.asked.unwrap_or(u32::MAX);
        let waited = f64::from(step.saturating_sub(asked)) * run.step_h;
        let invited = run.model.scenario.makers.invited;
        let has_answered = |line: &&Line| {
            line.maker < invited
                && step >= asked
                && waited >= run.makers[line.maker as usize].latency_h
        };
        let offers: Vec<Offer> = self
            .lines
            .iter()
            .filter(has_answered)
            .map(|line| Offer {
                id: line.id,
                capacity: amount(line.left),
                premium_min: Premium::new(line.limit_bps).unwrap_or(Premium::MAX),
                fill_min: lot,
            })
            .collect();
        let remaining = amount(live.remaining);
        let demand = Demand {
            amount: remaining,
            requested: amount(live.requested),
            premium_cap: cap,
            lot,
            aggregate_min: self.terms.fill_min.min(remaining),
            share_max: self.terms.share_max,
        };
        let clearing = matching::clear(&offers, &demand);
        let fills = clearing.fills.iter().filter_map(|fill| {
            let at = self.lines.iter().position(|line| line.id == fill.id)?;
            Some((at, i64::try_from(fill.amount.units()).unwrap_or(i64::MAX)))
        });
        Queue::new(clearing.premium, fills.collect::<Vec<_>>())
    }

    fn settle(&mut self, run: &mut Run<'_>, step: u32) -> Vec<Fact> {
        let (Some(round), Some(live)) = (self.ready.take(), self.live.as_mut()) else {
            return Vec::new();
        };
        let Plan::Cdpr(Cdpr { instrument, .. }) = &run.model.plan else { return Vec::new() };
        let instrument = *instrument;
        for fill in &round.fills {
            let is_it = |line: &&mut Line| (line.maker, line.line) == (fill.maker, fill.line);
            if let Some(line) = self.lines.iter_mut().find(is_it) {
                line.left -= fill.amount;
            }
            let pay = share_ceil(fill.amount, share(round.premium_bps));
            run.take(fill.maker as usize, fill.amount, pay, instrument, step);
        }
        // Amounts are commitments: nobody counts lots.
        run.window.settled = 0;
        run.window.settlements += u32::from(run.is_watched(step));
        live.remaining -= round.fills.iter().map(|fill| fill.amount).sum::<i64>();
        live.rounds += 1;
        let status = status_after(amount(live.requested), amount(live.remaining));
        live.status = Some(status);
        let number = live.rounds;
        if !round.fills.is_empty() {
            run.outcome.course.rounds.push(Round { settled: step, ..round });
        }
        vec![Fact::RoundSettled {
            id: self.id(),
            round: number,
            status: if self.terms.is_sealed() { RequestStatus::Pending } else { status },
            position: CommitmentHash([0; 32]),
        }]
    }
}

impl Model {
    /// What is drawn for a replication under `cdpr-workflow`, for whoever plays it elsewhere; none under other policies.
    pub fn draw(&self, seed: u64, replication: u64) -> Option<Draw> {
        let Plan::Cdpr(Cdpr { rule: Rule::Workflow(_), .. }) = &self.plan else { return None };
        let run = Run::new(self, seed, replication);
        let start = run.balance;
        let mut struck = start;
        if run.truth.deficit {
            let amount = share_ceil(run.supply_start, run.truth.gap);
            struck.block(amount);
        }
        let lines = lines(self, &run.makers);
        let invited = self.scenario.makers.invited as usize;
        let makers = run.makers.iter().take(invited).zip(0..).map(|(maker, index)| MakerDraw {
            cost: maker.cost,
            latency_h: maker.latency_h,
            lines: lines
                .iter()
                .filter(|line| line.maker == index)
                .map(|line| (line.left, line.limit_bps))
                .collect(),
        });
        Some(Draw {
            truth: run.truth.clone(),
            supply: start.supply,
            reserves: start.liquid + start.illiquid,
            blocked: struck.blocked,
            makers: makers.collect(),
        })
    }
}

/// Every maker's curve as lines, in whole lots, the first lines taking what does not divide. Terms are locked in calm:
/// nobody runs, and no request makes anyone fear a hole.
fn lines(model: &Model, makers: &[Maker]) -> Vec<Line> {
    let Plan::Cdpr(Cdpr { rule: Rule::Workflow(_), lot, instrument, .. }) = &model.plan else {
        return Vec::new();
    };
    let parameters = &model.scenario.makers;
    let fear = panel::credit_cost(parameters, *instrument, 0.0, 0.0);
    let n = parameters.lines;
    let mut all = Vec::new();
    for (maker, index) in makers.iter().zip(0_u32..) {
        let lots = maker.capacity.max(0) / (*lot).max(1);
        for at in 0..n {
            let share = lots / i64::from(n) + i64::from(i64::from(at) < lots % i64::from(n));
            let middle = (f64::from(at) + 0.5) / f64::from(n);
            let limit_bps = panel::bps_ceil(maker.cost + fear + parameters.slope.0 * middle);
            if share > 0 {
                let mut id = [0; 32];
                id[..4].copy_from_slice(&maker.tag.to_be_bytes());
                id[4..8].copy_from_slice(&index.to_be_bytes());
                id[8..12].copy_from_slice(&at.to_be_bytes());
                let line = Line {
                    maker: index,
                    line: at,
                    left: share * lot,
                    limit_bps,
                    id: CommitmentHash(id),
                };
                all.push(line);
            }
        }
    }
    all
}

fn share(bps: u16) -> f64 {
    f64::from(bps) / 1e4
}
