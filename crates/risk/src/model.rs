//! The run: one replication, step by step.
//!
//! Order within a step: the shock, the enclave's outages, a reading, the public, holders and arbitrageurs, the
//! mechanism, the price. Every clock counts steps, so that a call every 15 minutes meets a grid of five.
//!
//! Breaker, book, simulator 7.7: Closed → Armed (a short reading) → Recovering (a shortfall; attempts) → Recovered.
//! Recovering → Throttled when the need grows too fast between attempts, the liquid share falls below its floor, or
//! attempts are spent; back after the cooldown. Throttled → Halted when governance's call fails as well. It stands for
//! the CDPR policies; the others have brakes of their own. Not modelled: two feeds that differ, and the trips on
//! two poor fills and on a premium at its cap, which would stop a ladder before its last rung.

use std::collections::VecDeque;

use protocol::detect::{Detector, Reading};

use crate::balance::{Balance, micros, share_ceil, share_floor};
use crate::belief::{Beliefs, Books, Known};
use crate::closed_form::{self, BaseRate, Flag};
use crate::crowd::Crowd;
use crate::panel::{self, Ask, Line, Maker, Patience};
use crate::plan::{Cdpr, Paid, Plan, Rule, periods};
use crate::policy::{Disclosure, Flop, Frax, Instrument, Liquity, Policy, Reserve, Standby};
use crate::price::Pricing;
use crate::rng::{Name, Purpose, Stream, normal};
use crate::scenario::{Kind, Scenario};
use crate::units::Span;
use crate::{Breaker, Error, Observation, Outcome, StepState, Trace, Truth, validate};

mod workflow;
pub(crate) use workflow::Terms;

/// A world and a policy, checked and prepared: equilibria and tables are solved once. [`Model::run`] is a pure function
/// of `(seed, replication)`.
#[derive(Debug, Clone)]
pub struct Model {
    scenario: Scenario,
    disclosure: Disclosure,
    plan: Plan,
    beliefs: Beliefs,
    pricing: Pricing,
    patience: Option<Patience>,
    clocks: Clocks,
}

/// Spans of the scenario in steps.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    reading: u32,
    age: u32,
    cooldown: u32,
    governance: u32,
    hour: u32,
    three_days: u32,
    window: u32,
    closed: (u32, u32),
    suspension: u32,
    panic_keep: f64,
    attention_keep: f64,
}

/// Bytes that a settlement of up to four makers puts on chain: five ciphertexts of 272, 26 public inputs of 32, a proof
/// of 256 (the one shape of a settlement, ARCHITECTURE invariant 8).
const SETTLEMENT_BYTES: u64 = 5 * 272 + 26 * 32 + 256;
const MAKERS_PER_SETTLEMENT: usize = 4;

impl Model {
    /// Prepares a model, in milliseconds. Do this once per point of a sweep.
    ///
    /// # Errors
    /// As [`validate`].
    pub fn new(scenario: &Scenario, policy: &Policy) -> Result<Self, Error> {
        validate(scenario, policy)?;
        let plan = Plan::new(policy, scenario.step);
        let disclosure = plan.tells(policy.disclosure);
        let patience = match &plan {
            Plan::Cdpr(Cdpr { rule: Rule::Posted { cap, .. }, instrument, .. })
                if scenario.makers.waiting.0 > 0.0 =>
            {
                let gap = scenario.shock.gap.0;
                let credit = panel::credit_cost(&scenario.makers, *instrument, 0.0, gap);
                Some(Patience::new(scenario, *cap, credit))
            }
            Plan::Cdpr(_)
            | Plan::Nothing
            | Plan::Halt
            | Plan::Flop(_)
            | Plan::Frax(_)
            | Plan::Reserve(_)
            | Plan::Liquity(_)
            | Plan::Gyro(_)
            | Plan::Standby(_) => None,
        };
        let steps = |span| periods(span, scenario.step);
        let issuer = &scenario.issuer;
        let clocks = Clocks {
            reading: steps(issuer.reading_every).max(1),
            age: steps(issuer.reading_age),
            cooldown: steps(issuer.cooldown),
            governance: steps(issuer.governance),
            hour: steps(Span(3600)).max(1),
            three_days: steps(Span(72 * 3600)),
            window: steps(scenario.adversary.window),
            closed: (
                steps(issuer.closed_at),
                steps(issuer.closed_at).saturating_add(steps(issuer.closed_for)),
            ),
            suspension: steps(issuer.suspension),
            panic_keep: libm::exp(-scenario.step.hours() / scenario.market.panic_decay.hours()),
            attention_keep: libm::exp(
                -scenario.step.hours() / scenario.holders.attention_decay.hours(),
            ),
        };
        Ok(Self {
            clocks,
            scenario: scenario.clone(),
            disclosure,
            beliefs: Beliefs::new(scenario),
            pricing: Pricing::new(scenario),
            patience,
            plan,
        })
    }

    /// Runs one replication.
    pub fn run(&self, seed: u64, replication: u64, trace: Trace) -> Outcome {
        Run::new(self, seed, replication).finish(trace)
    }

    /// The same replication with a hole drawn around `median`, a share of supply above 0, in place of `shock.gap`; and
    /// the likelihood ratio of what was drawn, by which it counts. Takes `shock.spread` above 0.
    ///
    /// Nothing but the hole's size moves: what the world knows of `shock.gap`, and a drill's size, stay as they are.
    ///
    /// Source: Owen, *Monte Carlo theory, methods and examples*, chapter 9, for z of a log-normal.
    pub fn run_around(&self, median: f64, seed: u64, replication: u64) -> (Outcome, f64) {
        let run = Run::around(self, seed, replication, median);
        let weight = run.weight;
        (run.finish(Trace::Off), weight)
    }
}

/// Where a mission stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing detected.
    Quiet,
    /// Detected, not over.
    Open,
    /// The need was met.
    Met,
    /// Holders were cut, redemption could not be paid, or all is halted.
    Lost,
}

struct Run<'m> {
    model: &'m Model,
    seed: u64,
    replication: u64,
    step_h: f64,
    supply_start: i64,

    balance: Balance,
    crowd: Crowd,
    makers: Vec<Maker>,
    /// Coins that arbitrageurs hold.
    inventory: i64,
    /// Traders' short position, a share of supply: it weighs on the price and redeems nothing.
    pressure: f64,
    /// What is left of traders' first alarm, from 1 down.
    panic: f64,
    noise: f64,
    discount: f64,
    /// Liquity's base rate, or Gyroscope's remembered outflow.
    memory: f64,
    /// Illiquid reserves that may still be sold in this step.
    sellable: i64,
    /// Coins handed in that wait to be paid, by the step they came in, oldest first; and their sum.
    queue: VecDeque<(u32, i64)>,
    waiting: i64,
    /// a: 1 while there is news, falling after it, 0 before any.
    attention: f64,
    /// Supply when the news began.
    supply_at_news: Option<i64>,
    /// What holders last went by, and A of it: most steps change nothing of it.
    believed: Option<(Known, Books, f64, f64)>,
    /// What the shock took and nobody has replaced.
    missing: i64,

    truth: Truth,
    shock_step: u32,
    /// Likelihood ratio of the hole's size.
    weight: f64,
    /// Size of the hole, or of the drill that stands for one, as a share of supply at the start.
    asked: f64,
    /// What a drill still asks for.
    drill: i64,
    tee: Outages,
    detector: Detector,
    stage: Stage,
    detected: u32,
    news: Option<u32>,
    /// Step at which the first invited maker talks, if nothing is over by then.
    leaks_at: u32,
    leaked: bool,
    halted: bool,
    broken: bool,
    was_cut: bool,
    /// What haircuts left of a coin.
    kept: f64,

    invited: usize,
    /// Step at which each maker was invited, by index; beyond `invited` nobody was.
    invited_at: Vec<u32>,
    attempt_start: u32,
    need_at_attempt: i64,
    need_at_detection: i64,
    next_call: u32,
    auctions: u32,
    exhausted: Option<u32>,
    breaker: Breaker,
    tripped: u32,
    raised_hour: i64,
    first_loss: i64,

    outcome: Outcome,
    premium: f64,
    filled: i64,
    redeemed: i64,
    /// What redeemed coins were not paid, since the shock.
    fees: i64,
    pay: i64,
    own_cost: i64,
    window: Window,
    /// Under `cdpr-workflow`.
    drive: Option<Box<workflow::Drive>>,
}

/// What the stranger has counted so far.
#[derive(Default)]
struct Window {
    first: u32,
    last: u32,
    requests: Option<u32>,
    settled: i64,
    settlements: u32,
    premium_steps: u32,
    posted_bps: Option<u16>,
    paused: u32,
    discount_sum: f64,
    silent: u32,
    attested: Option<u32>,
    /// Last watched step at which deposits were taken.
    open_until: u32,
}

/// Alternating exponential times, in steps.
struct Outages {
    stream: Stream,
    up_h: f64,
    down_h: f64,
    is_down: bool,
    until_h: f64,
}

impl Outages {
    fn at(&mut self, hours: f64) -> bool {
        while hours >= self.until_h {
            self.is_down = !self.is_down;
            let mean = if self.is_down { self.down_h } else { self.up_h };
            // A vanishing mean still moves on.
            self.until_h += (mean * self.stream.exponential()).max(1e-6);
        }
        self.is_down
    }
}

impl<'m> Run<'m> {
    fn new(model: &'m Model, seed: u64, replication: u64) -> Self {
        Self::around(model, seed, replication, model.scenario.shock.gap.0)
    }

    /// With the hole drawn around `median`.
    fn around(model: &'m Model, seed: u64, replication: u64, median: f64) -> Self {
        let scenario = &model.scenario;
        let (issuer, shock) = (&scenario.issuer, &scenario.shock);
        let step_h = scenario.step.hours();
        let supply = issuer.supply.0;
        let name = |agent, purpose| Name { seed, replication, agent, purpose };

        let mut stream = name(0, Purpose::Shock).stream();
        let (chance, size, when) = (stream.unit(), stream.normal(), stream.unit());
        let deficit = chance < shock.probability.0 && shock.gap.0 > 0.0;
        let median = if deficit { median } else { shock.gap.0 };
        let gap = (median * libm::exp(shock.spread.0 * size)).min(1.0);
        // The z of the same size in the world as it is; the ratio is of z, since sizes above 1 are cut to it.
        let weight = if median == shock.gap.0 {
            1.0
        } else {
            let z = size + libm::log(median / shock.gap.0) / shock.spread.0;
            libm::exp(0.5 * (size * size - z * z))
        };
        let shock_h = shock.at.hours() + when * shock.window.hours();
        let shock_step =
            u32::try_from(micros(libm::floor(shock_h / step_h + 1e-9))).unwrap_or(u32::MAX);
        let covers = name(0, Purpose::Cover).at(0)[0] < scenario.adversary.cover.0;
        let is_drill = !deficit && covers && model.plan.is_confidential();

        let mut tee = Outages {
            stream: name(0, Purpose::Tee).stream(),
            up_h: scenario.tee.up.hours(),
            down_h: scenario.tee.down.hours(),
            is_down: false,
            until_h: 0.0,
        };
        tee.until_h = tee.up_h * tee.stream.exponential();
        let mut balance = Balance {
            supply,
            liquid: share_floor(supply, issuer.liquid.0),
            illiquid: 0,
            ..Balance::default()
        };
        // Rounding must not open a hole of a micro-dollar.
        balance.illiquid = share_ceil(supply, issuer.illiquid.0)
            .max(share_ceil(supply, 1.0 + issuer.buffer.0) - balance.liquid);
        let makers = panel::makers(&scenario.makers, seed, replication);
        Self {
            drive: workflow::Drive::new(model, &makers).map(Box::new),
            crowd: Crowd::new(
                scenario.holders.count,
                scenario.holders.size_sd.0,
                supply,
                seed,
                replication,
            ),
            invited_at: vec![u32::MAX; makers.len()],
            truth: Truth {
                deficit,
                gap: if deficit { gap } else { 0.0 },
                drill: is_drill,
                shock_step,
            },
            weight,
            asked: if deficit || is_drill { gap } else { 0.0 },
            drill: if is_drill { share_ceil(supply, gap) } else { 0 },
            first_loss: share_floor(supply, issuer.first_loss.0),
            window: Window {
                first: shock_step,
                last: shock_step.saturating_add(model.clocks.window),
                ..Window::default()
            },
            attempt_start: 0,
            supply_start: supply,
            model,
            seed,
            replication,
            step_h,
            balance,
            makers,
            inventory: 0,
            pressure: 0.0,
            panic: 1.0,
            noise: 0.0,
            discount: 0.0,
            memory: 0.0,
            sellable: 0,
            queue: VecDeque::new(),
            waiting: 0,
            attention: 0.0,
            supply_at_news: None,
            believed: None,
            missing: 0,
            shock_step,
            tee,
            detector: Detector::default(),
            stage: Stage::Quiet,
            detected: 0,
            news: None,
            leaks_at: u32::MAX,
            leaked: false,
            halted: false,
            broken: false,
            was_cut: false,
            kept: 1.0,
            invited: 0,
            need_at_attempt: 0,
            need_at_detection: 0,
            next_call: 0,
            auctions: 0,
            exhausted: None,
            breaker: Breaker::Closed,
            tripped: 0,
            raised_hour: 0,
            outcome: Outcome::default(),
            premium: 0.0,
            filled: 0,
            redeemed: 0,
            fees: 0,
            pay: 0,
            own_cost: 0,
        }
    }

    fn name(&self, agent: u32, purpose: Purpose) -> Name {
        Name { seed: self.seed, replication: self.replication, agent, purpose }
    }

    fn finish(mut self, trace: Trace) -> Outcome {
        let steps = self.model.scenario.steps();
        if trace == Trace::Steps {
            self.outcome.steps.reserve(steps as usize);
        }
        let after_72h = self.shock_step.saturating_add(self.model.clocks.three_days);
        for step in 0..steps {
            if step == self.shock_step {
                // What is counted is counted from the shock.
                (self.redeemed, self.fees, self.outcome.holder_loss) = (0, 0, 0);
                if self.truth.deficit {
                    self.strike();
                }
            }
            let is_dark = self.tee.at(f64::from(step) * self.step_h);
            self.read(step, is_dark);
            let known = self.known(step);
            let hazard = self.hazard(step, known);
            self.flow(step, hazard, known);
            self.premium = 0.0;
            if let Some(mut drive) = self.drive.take() {
                drive.tick(&mut self, step, is_dark);
                self.drive = Some(drive);
            } else if self.stage == Stage::Open && !self.broken {
                self.act(step, is_dark);
            }
            self.settle_stage(step);
            self.price(step, known);
            if step < after_72h {
                self.outcome.redeemed_72h = self.redeemed as f64 / self.supply_start as f64;
            }
            self.watch(step);
            if trace == Trace::Steps {
                let state = self.state(step, hazard, known);
                self.outcome.steps.push(state);
            }
        }
        self.conclude()
    }

    /// The shock, out of liquid reserves: book, simulator 7.1.
    fn strike(&mut self) {
        let amount = share_ceil(self.supply_start, self.truth.gap);
        self.missing = match self.model.scenario.shock.kind {
            Kind::Solvency => self.balance.lose(amount),
            Kind::Liquidity => self.balance.block(amount),
        };
    }

    /// What is to be raised: the gap, or what a drill still asks for.
    fn need(&self) -> i64 {
        if self.truth.drill {
            self.drill
        } else {
            self.balance.need(self.model.scenario.issuer.buffer.0)
        }
    }

    /// A reading, when it is due, into the production detector; then the mission starts, or does not.
    ///
    /// A reading counts as short three standard deviations of its noise below the requirement.
    fn read(&mut self, step: u32, is_dark: bool) {
        let issuer = &self.model.scenario.issuer;
        let every = self.model.clocks.reading;
        if self.stage != Stage::Quiet || !step.is_multiple_of(every) {
            return;
        }
        if is_dark && self.model.plan.is_confidential() {
            if self.is_watched(step) {
                self.window.silent += 1;
            }
            return;
        }
        let age = self.model.clocks.age;
        let is_visible = step >= self.shock_step.saturating_add(age);
        let mut measured = if is_visible { self.need() as f64 } else { 0.0 };
        if issuer.reading_noise.0 > 0.0 {
            let z = normal(self.name(0, Purpose::Reading).at(step));
            measured += issuer.reading_noise.0 * z * self.balance.supply as f64;
        }
        let tolerance = 3.0 * issuer.reading_noise.0 * self.balance.supply as f64;
        let amount = |value: f64| {
            primitives::Amount::new(u128::try_from(micros(value).max(0)).unwrap_or(0))
                .unwrap_or(primitives::Amount::MAX)
        };
        let reading = Reading {
            liabilities: amount(self.balance.supply as f64),
            reserves: amount(self.balance.supply as f64 - measured),
            gap: amount(measured),
            below_threshold: measured > tolerance,
            below_target: measured > 0.0,
        };
        let readings = u8::try_from(issuer.readings).unwrap_or(u8::MAX);
        let is_backed = self.detector.observe(&reading, readings);
        self.breaker = if reading.below_threshold { Breaker::Armed } else { Breaker::Closed };
        // Low, and no shortfall yet: a workflow that says its status in plain words says nothing.
        let is_undecided = is_backed && reading.below_threshold;
        let is_plain = self.drive.as_ref().is_some_and(|drive| !drive.is_sealed());
        if is_undecided && is_plain && self.is_watched(step) {
            self.window.silent += 1;
        }
        // A false alarm finds nothing to ask for.
        if !is_backed && self.need() > 0 {
            self.open(step);
        }
    }

    fn open(&mut self, step: u32) {
        self.stage = Stage::Open;
        self.detected = step;
        self.breaker = Breaker::Recovering;
        if self.model.disclosure != Disclosure::None {
            self.news = Some(step);
        }
        self.attempt_start = step;
        self.need_at_attempt = self.need();
        self.need_at_detection = self.need_at_attempt;
        match &self.model.plan {
            Plan::Cdpr(cdpr) => {
                self.outcome.attempts = u32::from(matches!(cdpr.rule, Rule::Posted { .. }));
                self.next_call = step + cdpr.every;
                self.invite(self.model.scenario.makers.invited, step);
            }
            Plan::Standby(_) => self.invite(self.model.scenario.makers.invited, step),
            Plan::Flop(_) | Plan::Frax(_) | Plan::Reserve(_) => {
                self.invite(self.model.scenario.makers.population, step)
            }
            Plan::Halt => {
                self.halted = true;
                self.breaker = Breaker::Halted;
            }
            Plan::Nothing | Plan::Liquity(_) | Plan::Gyro(_) => {}
        }
    }

    fn invite(&mut self, more: u32, step: u32) {
        let until = (self.invited + more as usize).min(self.makers.len());
        self.invited_at[self.invited..until].fill(step);
        if self.truth.deficit && self.model.plan.may_leak() {
            let talks = |maker: &Maker| {
                let after = u32::try_from(micros(libm::ceil(maker.leak_h / self.step_h)))
                    .unwrap_or(u32::MAX);
                step.saturating_add(after)
            };
            let first = self.makers[self.invited..until].iter().map(talks).min();
            self.leaks_at = self.leaks_at.min(first.unwrap_or(u32::MAX));
        }
        self.invited = until;
    }

    fn has_answered(&self, maker: usize, step: u32) -> bool {
        let waited = f64::from(step.saturating_sub(self.invited_at[maker])) * self.step_h;
        maker < self.invited
            && step >= self.invited_at[maker]
            && waited >= self.makers[maker].latency_h
    }

    /// What holders go by in this step.
    fn known(&mut self, step: u32) -> Known {
        let shock = &self.model.scenario.shock;
        self.leaked |= self.stage == Stage::Open && step >= self.leaks_at;
        let is_rumoured = shock.rumour.0 > 0.0 && step >= self.shock_step;
        let believed = if is_rumoured { Known::Rumour } else { Known::Prior };
        let is_shut = self.broken || self.halted || self.waiting > 0;
        let known = if is_shut || (self.leaked && self.stage == Stage::Open) {
            // What redemption being shut or unpaid shows, it shows exactly; so does a maker that talks.
            Known::Public
        } else if self.stage == Stage::Open {
            match self.model.disclosure {
                Disclosure::None => believed,
                Disclosure::Flag => Known::Flag,
                Disclosure::Range => Known::Range,
                Disclosure::Public => Known::Public,
            }
        } else if is_rumoured
            && self.model.disclosure == Disclosure::Public
            && self.stage == Stage::Quiet
        {
            // An issuer that publishes its figure answers a rumour with it.
            Known::Public
        } else if self.stage == Stage::Met {
            // The recovery attestation restores what holders believed before, rumour or not. Assumed.
            Known::Prior
        } else {
            believed
        };
        if known == Known::Public && self.news.is_none() && self.truth.deficit {
            self.news = Some(step);
        }
        known
    }

    /// Hazard of leaving per hour, equation (6): calm, and a run while there is news.
    fn hazard(&mut self, step: u32, known: Known) -> f64 {
        let holders = &self.model.scenario.holders;
        let is_told = match known {
            Known::Prior | Known::Rumour => false,
            Known::Flag | Known::Range => true,
            // A figure that shows nothing missing is an answer, and no news.
            Known::Public => self.broken || self.halted || self.waiting > 0 || self.missing > 0,
        };
        let is_heard = self.model.scenario.shock.rumour.0 > 0.0 && step == self.shock_step;
        if is_told || is_heard {
            self.attention = 1.0;
            self.supply_at_news.get_or_insert(self.balance.supply);
        } else {
            self.attention *= self.model.clocks.attention_keep;
        }
        // Below a millionth nobody looks.
        if self.attention < 1e-6 {
            return holders.calm.0;
        }
        let at_news = self.supply_at_news.unwrap_or(self.balance.supply).max(1);
        let paid = 1.0 - self.balance.supply as f64 / at_news as f64;
        let books = self.books(self.missing);
        let leaving = match self.believed {
            Some((last, seen, since, leaving)) if (last, seen, since) == (known, books, paid) => {
                leaving
            }
            _ => self.model.beliefs.leaving(known, &books, paid),
        };
        self.believed = Some((known, books, paid, leaving));
        holders.calm.0 + holders.attention.0 * self.attention * leaving
    }

    /// The books without what is `missing`, and that.
    fn books(&self, missing: i64) -> Books {
        let supply = self.balance.supply.max(1) as f64;
        // A drill's hole is in no balance.
        let taken = self.missing as f64;
        let lost = match self.model.scenario.shock.kind {
            Kind::Solvency => taken,
            Kind::Liquidity => 0.0,
        };
        let reserves = (self.balance.liquid + self.balance.illiquid) as f64 + lost;
        Books {
            cover: reserves / supply,
            liquid: (self.balance.liquid as f64 + taken) / supply,
            missing: missing as f64 / supply,
        }
    }

    /// Share of holders who makers reckon will leave: those whom the figure would move where it is public, else by
    /// `makers.fear_unseen` as many, which may be more than there are: it is a fear, and a factor of what they add to q.
    fn run_feared(&self, is_public: bool) -> f64 {
        let missing = if self.truth.drill { self.drill } else { self.missing };
        let all = self.model.beliefs.leaving_if_known(&self.books(missing));
        if is_public { all } else { all * self.model.scenario.makers.fear_unseen.0 }
    }

    /// What each of `coins` pays that are handed in together.
    fn payout(&self, coins: i64) -> f64 {
        match &self.model.plan {
            Plan::Liquity(liquity) => 1.0 - self.base_rate(liquity, coins).fee(liquity.floor.0),
            Plan::Gyro(gyro) => {
                closed_form::gyro_price(self.memory, gyro.decay.0, gyro.at_par.0, gyro.floor.0)
            }
            Plan::Nothing
            | Plan::Halt
            | Plan::Flop(_)
            | Plan::Frax(_)
            | Plan::Reserve(_)
            | Plan::Standby(_)
            | Plan::Cdpr(_) => 1.0,
        }
    }

    /// Liquity's base rate with `coins` handed in: they raise it before they pay it.
    fn base_rate(&self, liquity: &Liquity, coins: i64) -> BaseRate {
        let share = coins as f64 / self.balance.supply.max(1) as f64;
        BaseRate(self.memory).after(0.0, 1.0, share, liquity.beta.0)
    }

    /// Coins that redemption takes in this step at most.
    fn allowance(&self) -> i64 {
        let issuer = &self.model.scenario.issuer;
        if self.breaker == Breaker::Throttled || matches!(self.model.plan, Plan::Reserve(_)) {
            let share =
                share_floor(self.balance.supply, (issuer.throttle.0 * self.step_h).min(1.0));
            share.max(share_floor(issuer.throttle_floor.0, self.step_h))
        } else {
            i64::MAX
        }
    }

    /// Holders leave, arbitrageurs unwind: book, simulator 7.4.
    fn flow(&mut self, step: u32, hazard: f64, known: Known) {
        let market = &self.model.scenario.market;
        let is_weekend = step >= self.model.clocks.closed.0 && step < self.model.clocks.closed.1;
        let is_open = !is_weekend && !self.halted && !self.broken;
        let mut allowance = if is_open { self.allowance() } else { 0 };
        let liquidation = self.model.scenario.issuer.liquidation.0;
        self.sellable = share_floor(self.supply_start, (liquidation * self.step_h).min(1.0));

        if is_open {
            allowance -= self.serve(allowance);
        }
        let coins = self.crowd.leave(step, hazard * self.step_h) as f64 * self.kept;
        let coins = micros(libm::floor(coins)).min(self.balance.supply - self.waiting);
        let at_issuer = coins.min(allowance);
        let payout = self.payout(at_issuer);
        let is_better = payout > 1.0 - self.discount;
        let at_issuer = if is_better { at_issuer } else { 0 };
        self.hand_in(at_issuer, payout, step);
        allowance -= at_issuer;
        let sold = coins - at_issuer;
        self.inventory += sold;
        self.outcome.holder_loss += share_ceil(sold, self.discount.clamp(0.0, 1.0));

        let rate = if is_open { market.unwind_open.0 } else { market.unwind_closed.0 };
        let share = -libm::expm1(-rate * self.step_h);
        let unwound = share_floor(self.inventory, share).min(self.balance.supply - self.waiting);
        if is_open {
            let handed_in = unwound.min(allowance);
            let payout = self.payout(handed_in);
            if payout > 1.0 - self.discount {
                self.hand_in(handed_in, payout, step);
                self.inventory -= handed_in;
            }
        } else {
            // Sold on to holders who stay.
            self.inventory -= unwound;
        }
        // A halt does not stop the clock of who waits; opening hours do.
        let oldest = self.queue.front().map_or(step, |(since, _)| *since);
        if !is_weekend && step - oldest > self.model.clocks.suspension {
            self.broken = true;
            self.stage = Stage::Lost;
            self.outcome.failed = true;
        }
        let panic = if self.news.is_some() && self.stage != Stage::Met {
            let weight = self.model.beliefs.weight(known);
            let panic = weight * market.panic.0 * self.panic;
            self.panic *= self.model.clocks.panic_keep;
            panic
        } else {
            0.0
        };
        self.pressure = self.pressure * (1.0 - share) + panic * self.step_h;
    }

    /// Hands in `coins`: paid at once where nobody waits and there is enough, else they wait.
    fn hand_in(&mut self, coins: i64, payout: f64, step: u32) {
        let paid = if self.queue.is_empty() { self.pay(coins, payout) } else { 0 };
        let rest = coins - paid;
        if rest > 0 {
            self.queue.push_back((step, rest));
            self.waiting += rest;
        }
    }

    /// Pays those who wait, oldest first, at most `allowance` of coins; returns how many.
    fn serve(&mut self, allowance: i64) -> i64 {
        let coins = self.waiting.min(allowance);
        let paid = self.pay(coins, self.payout(coins));
        let mut rest = paid;
        while rest > 0
            && let Some((_, oldest)) = self.queue.front_mut()
        {
            let part = rest.min(*oldest);
            *oldest -= part;
            rest -= part;
            if *oldest == 0 {
                self.queue.pop_front();
            }
        }
        self.waiting -= paid;
        paid
    }

    /// Pays for up to `coins`, selling illiquid reserves where liquid ones do not suffice; returns for how many.
    fn pay(&mut self, coins: i64, payout: f64) -> i64 {
        if coins <= 0 {
            return 0;
        }
        let fire_sale = self.model.scenario.issuer.fire_sale.0;
        let owed = share_floor(coins, payout);
        if owed > self.balance.liquid {
            let wanted = (owed - self.balance.liquid).min(self.sellable);
            self.sellable -= self.balance.liquidate(wanted, fire_sale);
        }
        let mut taken = coins;
        if owed > self.balance.liquid {
            taken = micros(libm::floor(self.balance.liquid as f64 / payout)).min(coins);
        }
        let paid = share_floor(taken, payout).min(self.balance.liquid);
        if let Plan::Liquity(liquity) = &self.model.plan {
            self.memory = self.base_rate(liquity, taken).0;
        }
        self.balance.redeem(taken, paid);
        self.fees += taken - paid;
        self.outcome.holder_loss += taken - paid;
        self.redeemed += taken;
        match &self.model.plan {
            Plan::Gyro(_) => self.memory += taken as f64 / self.supply_start as f64,
            Plan::Nothing
            | Plan::Halt
            | Plan::Flop(_)
            | Plan::Frax(_)
            | Plan::Reserve(_)
            | Plan::Liquity(_)
            | Plan::Standby(_)
            | Plan::Cdpr(_) => {}
        }
        taken
    }

    fn act(&mut self, step: u32, is_dark: bool) {
        let model = self.model;
        match &model.plan {
            Plan::Nothing | Plan::Halt => {}
            Plan::Liquity(_) | Plan::Gyro(_) => {}
            Plan::Flop(flop) => self.flop(flop, step),
            Plan::Frax(frax) => self.frax(frax, step),
            Plan::Reserve(reserve) => self.reserve(reserve, step),
            Plan::Standby(standby) => self.standby(standby, step),
            Plan::Cdpr(cdpr) => self.cdpr(cdpr, step, is_dark),
        }
    }

    /// What makers ask now beyond their own cost: for the risk of loss, and for a token what the sale does to its price.
    fn surcharge(&self, instrument: Instrument, is_public: bool) -> f64 {
        let parameters = &self.model.scenario.makers;
        let run = self.run_feared(is_public);
        let credit = panel::credit_cost(parameters, instrument, run, self.asked);
        let value = self.model.scenario.issuer.token_value.0;
        match instrument {
            Instrument::GovernanceToken if value > 0 => {
                credit + self.need() as f64 / (2.0 * value as f64)
            }
            Instrument::GovernanceToken => f64::INFINITY,
            Instrument::SecuredRepo
            | Instrument::JuniorNote
            | Instrument::FirstLoss
            | Instrument::BuyBack
            | Instrument::AssetSale => credit,
        }
    }

    /// Takes a fill in.
    fn take(&mut self, maker: usize, amount: i64, pay: i64, instrument: Instrument, step: u32) {
        if amount <= 0 {
            return;
        }
        if self.is_watched(step) {
            self.window.settled += amount;
        }
        let closed = if instrument == Instrument::BuyBack {
            let coins = self.coins_for(amount);
            coins - (amount + pay).min(coins).min(self.balance.liquid)
        } else {
            amount
        };
        if instrument == Instrument::FirstLoss {
            self.first_loss = (self.first_loss - amount - pay).max(0);
        }
        if self.truth.drill {
            // A drill is unwound when the stranger has stopped watching; its premium accrues until then.
            self.drill = (self.drill - closed).max(0);
            let tenor_h = match instrument {
                Instrument::SecuredRepo => 7.0 * 24.0,
                Instrument::JuniorNote
                | Instrument::GovernanceToken
                | Instrument::FirstLoss
                | Instrument::BuyBack
                | Instrument::AssetSale => 30.0 * 24.0,
            };
            let accrued = (self.model.scenario.adversary.window.hours() / tenor_h).min(1.0);
            self.outcome.cover_cost += share_ceil(pay, accrued);
            self.makers[maker].capacity -= amount;
            self.makers[maker].in_request += closed;
            return;
        }
        self.missing = (self.missing - closed).max(0);
        match instrument {
            Instrument::SecuredRepo | Instrument::JuniorNote => self.balance.fill(amount, pay),
            Instrument::GovernanceToken | Instrument::FirstLoss => self.balance.raise(amount),
            Instrument::AssetSale => self.balance.swap(amount),
            Instrument::BuyBack => {
                let coins = self.coins_for(amount);
                self.balance.redeem(coins, coins - closed);
                self.inventory -= coins;
            }
        }
        let who = &mut self.makers[maker];
        who.capacity -= amount;
        who.filled += amount;
        who.in_request += closed;
        self.own_cost += share_ceil(amount, who.cost.min(1.0));
        self.filled += amount;
        self.pay += pay;
        self.outcome.cost += pay;
    }

    /// Coins that makers get from arbitrageurs for that many dollars, at the market.
    fn coins_for(&self, amount: i64) -> i64 {
        let price = 1.0 - self.discount.clamp(0.0, 0.99);
        micros(libm::floor(amount as f64 / price)).min(self.inventory).min(self.balance.supply)
    }

    /// What a dollar of makers closes of the hole before its premium, and the dollars that can be used at that premium.
    fn reach(&self, instrument: Instrument, premium: f64) -> (f64, i64) {
        match instrument {
            Instrument::SecuredRepo
            | Instrument::JuniorNote
            | Instrument::GovernanceToken
            | Instrument::AssetSale => (1.0, i64::MAX),
            // The premium is paid in stake.
            Instrument::FirstLoss => {
                (1.0, micros(libm::floor(self.first_loss as f64 / (1.0 + premium))))
            }
            // The coins must be for sale, and what they cost and the premium be at hand.
            Instrument::BuyBack => {
                let discount = self.discount.clamp(0.0, 0.99);
                let coins = self.inventory.min(self.balance.supply) as f64 * (1.0 - discount);
                let most = coins.min(self.balance.liquid as f64 / (1.0 + premium));
                (discount / (1.0 - discount), micros(libm::floor(most)))
            }
        }
    }

    /// Dollars that close the need, before premiums.
    fn dollars(&self, closes: f64) -> i64 {
        micros(libm::ceil(self.need() as f64 / closes))
    }

    fn cdpr(&mut self, cdpr: &Cdpr, step: u32, is_dark: bool) {
        let issuer = &self.model.scenario.issuer;
        if self.balance.liquid_share() < issuer.liquid_floor.0 {
            self.trip(step);
        } else if self.breaker == Breaker::Throttled
            && self.exhausted.is_none()
            && step - self.tripped >= self.model.clocks.cooldown
        {
            self.breaker = Breaker::Recovering;
        }
        if is_dark {
            return;
        }
        if let Some(since) = self.exhausted {
            if step - since >= self.model.clocks.governance {
                self.last_call(cdpr, step);
            }
            return;
        }
        match &cdpr.rule {
            Rule::Posted { start, slope_h, cap, timeout } => {
                let waited = step - self.attempt_start;
                self.premium = (start + slope_h * f64::from(waited) * self.step_h).min(*cap);
                self.show(self.premium, step);
                if (step - self.detected).is_multiple_of(cdpr.every) {
                    self.request(cdpr, None, self.premium, cdpr.aggregate_min, step);
                }
                if self.need() > 0 && waited >= *timeout {
                    self.fail_attempt(cdpr, step);
                    if self.exhausted.is_none() {
                        self.outcome.attempts += 1;
                    }
                }
            }
            Rule::Call { ladder, paid } => {
                let attempt = u8::try_from(self.outcome.attempts).unwrap_or(u8::MAX);
                self.premium =
                    f64::from(ladder.premium(primitives::Premium::default(), attempt).bps()) / 1e4;
                if step >= self.next_call {
                    self.next_call = step + cdpr.every;
                    self.show(self.premium, step);
                    self.outcome.attempts += 1;
                    self.request(cdpr, Some(*paid), self.premium, cdpr.aggregate_min, step);
                    if self.need() > 0 {
                        self.fail_attempt(cdpr, step);
                    }
                }
            }
            // The tick has done it.
            Rule::Workflow(_) => {}
        }
    }

    /// What the public sees of a premium: that it is higher than before.
    fn show(&mut self, premium: f64, step: u32) {
        let bps = panel::bps_floor(premium);
        if self.is_watched(step) {
            let rose = self.window.posted_bps.is_some_and(|before| bps > before);
            self.window.premium_steps += u32::from(rose);
            self.window.requests.get_or_insert(step);
        }
        self.window.posted_bps = Some(bps);
    }

    fn fail_attempt(&mut self, cdpr: &Cdpr, step: u32) {
        let issuer = &self.model.scenario.issuer;
        let need = self.need();
        if need as f64 > self.need_at_attempt as f64 * (1.0 + issuer.gap_growth.0) {
            self.trip(step);
        }
        self.need_at_attempt = need;
        self.attempt_start = step + 1;
        self.invite(cdpr.widen, step);
        if self.outcome.attempts >= cdpr.attempts {
            self.exhausted = Some(step);
            self.seize(need);
            self.trip(step);
        }
    }

    /// Step 4 of the ladder: first-loss capital.
    fn seize(&mut self, need: i64) {
        let amount = need.min(self.first_loss);
        if amount > 0 && !self.truth.drill {
            self.first_loss -= amount;
            self.missing = (self.missing - amount).max(0);
            self.balance.raise(amount);
        }
    }

    fn trip(&mut self, step: u32) {
        self.breaker = Breaker::Throttled;
        self.tripped = step;
    }

    /// What governance adds, and what follows when that fails: steps 6 and 7 of the ladder.
    fn last_call(&mut self, cdpr: &Cdpr, step: u32) {
        let cap = self.model.scenario.issuer.governance_premium.0;
        self.premium = cap;
        self.show(cap, step);
        self.request(cdpr, Some(Paid::Margin), cap, 0.0, step);
        if self.need() <= 0 {
            return;
        }
        if self.truth.drill {
            self.drill = 0;
        } else if cdpr.haircut {
            self.cut();
        } else {
            self.halted = true;
            self.stage = Stage::Lost;
            self.breaker = Breaker::Halted;
        }
    }

    fn cut(&mut self) {
        let before = self.balance.supply.max(1) as f64;
        self.outcome.holder_loss += self.balance.haircut();
        // Every coin is cut alike, wherever it is.
        let kept = self.balance.supply as f64 / before;
        self.kept *= kept;
        self.inventory = micros(libm::floor(self.inventory as f64 * kept));
        self.waiting = 0;
        for (_, coins) in &mut self.queue {
            *coins = micros(libm::floor(*coins as f64 * kept));
            self.waiting += *coins;
        }
        self.queue.retain(|(_, coins)| *coins > 0);
        self.missing = 0;
        self.outcome.failed = true;
        self.stage = Stage::Lost;
        self.was_cut = true;
    }

    /// One clearing of one request by the production code. `paid` is none for a posted premium.
    fn request(
        &mut self,
        cdpr: &Cdpr,
        paid: Option<Paid>,
        cap: f64,
        aggregate_min: f64,
        step: u32,
    ) {
        let (closes, most) = self.reach(cdpr.instrument, cap);
        let mut cap = cap;
        if cdpr.instrument == Instrument::BuyBack {
            // No coin is bought back above par: a call's cap stops there, a posted premium waits.
            if closes <= 0.0 || (paid.is_none() && cap > closes) {
                return;
            }
            cap = cap.min(closes);
        }
        let need = self.dollars(closes).min(most - most % cdpr.lot.max(1));
        let ask = Ask { need, cap, lot: cdpr.lot, aggregate_min };
        let share = share_floor(self.need_at_detection, cdpr.share_max).max(cdpr.lot);
        let book = self.book(cdpr, paid, &ask, share, closes, step);
        let cleared = panel::clear(&book, &ask);
        if cleared.fills.is_empty() {
            return;
        }
        if self.is_watched(step) {
            let rounds = cleared.fills.len().div_ceil(MAKERS_PER_SETTLEMENT);
            self.window.settlements += u32::try_from(rounds).unwrap_or(u32::MAX);
        }
        let by_share = |bps: u16, amount: i64| share_ceil(amount, f64::from(bps) / 1e4);
        let payments: Vec<(usize, i64, i64)> = match paid {
            Some(Paid::Externality) => panel::vcg(&book, &ask, &cleared)
                .into_iter()
                .map(|(maker, pay)| {
                    let of = |(line, _): &&(usize, i64)| book[*line].maker == maker;
                    (maker, cleared.fills.iter().filter(of).map(|(_, amount)| amount).sum(), pay)
                })
                .collect(),
            None | Some(Paid::Margin | Paid::Limit) => cleared
                .fills
                .iter()
                .map(|(line, amount)| {
                    let pay = match paid {
                        None => share_ceil(*amount, cap),
                        Some(Paid::Limit) => by_share(book[*line].limit_bps, *amount),
                        Some(Paid::Margin | Paid::Externality) => {
                            by_share(cleared.premium_bps, *amount)
                        }
                    };
                    (book[*line].maker, *amount, pay)
                })
                .collect(),
        };
        for (maker, amount, pay) in payments {
            self.take(maker, amount, pay, cdpr.instrument, step);
        }
    }

    fn book(
        &self,
        cdpr: &Cdpr,
        paid: Option<Paid>,
        ask: &Ask,
        share: i64,
        closes: f64,
        step: u32,
    ) -> Vec<Line> {
        let parameters = &self.model.scenario.makers;
        let is_public = self.leaked || self.model.disclosure != Disclosure::None;
        let answered: Vec<usize> =
            (0..self.invited).filter(|maker| self.has_answered(*maker, step)).collect();
        let mut ring: Vec<usize> = answered.clone();
        ring.sort_by_key(|maker| core::cmp::Reverse(self.makers[*maker].capacity));
        ring.truncate(parameters.colluding as usize);
        let truthful = paid == Some(Paid::Externality);
        let surcharge = self.surcharge(cdpr.instrument, is_public);
        let shading = if paid.is_some() && !truthful { parameters.shading.0 } else { 0.0 };

        let offer = |of_ring: Option<bool>, book: &mut Vec<Line>, at_cap: bool| {
            for &maker in &answered {
                if of_ring.is_some_and(|wanted| wanted != ring.contains(&maker)) {
                    continue;
                }
                let who = &self.makers[maker];
                let room = micros((share - who.in_request) as f64 / closes);
                let cost = who.cost + surcharge;
                let patience = self.model.patience.as_ref().filter(|_| who.waits);
                let limit = |own: f64| {
                    if at_cap && own <= ask.cap {
                        return ask.cap;
                    }
                    let own = patience.map_or(own, |patience| patience.limit(own));
                    own + shading * (ask.cap - own).max(0.0)
                };
                panel::lines(maker, who, room, cost, parameters, ask, limit, book);
            }
        };
        let mut book = Vec::new();
        if ring.is_empty() {
            offer(None, &mut book, false);
            return book;
        }
        offer(Some(false), &mut book, false);
        let others: i64 = book.iter().map(|line| line.capacity).sum();
        // Where the rest can cover the need the ring cannot set the price, and competes.
        offer(Some(true), &mut book, others < ask.need);
        book
    }

    /// Maker's debt auctions: the debt is cancelled by the first bid, and the price settled by those who bid before it
    /// has stood for `bid_time`. Lots are auctioned side by side, the cheapest bidder first; each wins at the first
    /// step of `beg` at or above the next one's cost, and no lower than its own. Lots without a bid stay open.
    fn flop(&mut self, flop: &Flop, step: u32) {
        let span = self.model.scenario.step;
        let begins = self.detected + periods(flop.wait, span);
        if step < begins {
            return;
        }
        let round_steps = periods(flop.auction_time, span).max(1);
        let (round, within) = ((step - begins) / round_steps, (step - begins) % round_steps);
        let offered = closed_form::flop_lot(1.0 + flop.start.0, 1.0 + flop.pad.0, round) - 1.0;
        self.premium = offered;
        if within == 0 {
            self.auctions = round + 1;
            self.outcome.attempts += 1;
        }
        let surcharge = self.surcharge(Instrument::GovernanceToken, true);
        let waited = |maker: usize| self.makers[maker].latency_h;
        let willing = |maker: usize, by_h: f64| {
            self.makers[maker].capacity >= flop.lot.0
                && waited(maker) <= by_h
                && self.makers[maker].cost + surcharge <= offered
        };
        let now_h = f64::from(step - begins) * self.step_h;
        if !(0..self.invited).any(|maker| willing(maker, now_h)) {
            return;
        }
        let by_h = now_h + flop.bid_time.hours();
        let mut bidders: Vec<(f64, usize)> = (0..self.invited)
            .filter(|maker| willing(*maker, by_h))
            .map(|maker| (self.makers[maker].cost + surcharge, maker))
            .collect();
        bidders.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut left = self.need();
        for at in 0..bidders.len() {
            let (cost, maker) = bidders[at];
            if left <= 0 {
                break;
            }
            let lots = (self.makers[maker].capacity / flop.lot.0)
                .min((left + flop.lot.0 - 1) / flop.lot.0);
            let amount = lots * flop.lot.0;
            // The last bidder has nobody to outbid and pays nothing less than what is offered.
            let rival = bidders.get(at + 1).map_or(offered, |(next, _)| *next);
            let steps = libm::floor(
                libm::log((1.0 + offered) / (1.0 + rival)) / libm::log1p(flop.beg.0) + 1e-12,
            );
            let premium = ((1.0 + offered) / libm::pow(1.0 + flop.beg.0, steps) - 1.0).max(cost);
            self.take(
                maker,
                amount,
                share_ceil(amount, premium),
                Instrument::GovernanceToken,
                step,
            );
            left -= amount;
        }
    }

    /// Frax: whoever finds the bonus worth it mints, within the hourly limit.
    fn frax(&mut self, frax: &Frax, step: u32) {
        let per_hour = self.model.clocks.hour;
        if (step - self.detected).is_multiple_of(per_hour) {
            self.raised_hour = 0;
        }
        self.premium = frax.bonus.0;
        let limit = share_floor(self.supply_start, frax.hourly.0);
        let slope = self.model.scenario.makers.slope.0;
        let surcharge = self.surcharge(Instrument::GovernanceToken, true);
        if surcharge >= frax.bonus.0 {
            return;
        }
        for maker in 0..self.invited {
            let room = self.need().min(limit - self.raised_hour);
            if room <= 0 {
                break;
            }
            if !self.has_answered(maker, step) {
                continue;
            }
            let capacity = self.makers[maker].first as f64;
            let cost = self.makers[maker].cost + surcharge;
            let offered =
                closed_form::supply(frax.bonus.0, cost, slope / capacity.max(1.0), capacity);
            let amount = (micros(offered) - self.makers[maker].filled)
                .min(self.makers[maker].capacity)
                .min(room);
            if amount > 0 {
                self.raised_hour += amount;
                let minted =
                    closed_form::frax_out(amount as f64, room as f64, frax.bonus.0, 0.0, 1.0);
                self.take(
                    maker,
                    amount,
                    micros(minted) - amount,
                    Instrument::GovernanceToken,
                    step,
                );
            }
        }
    }

    /// Reserve: Dutch auctions of seized stake, one at a time; what is left is cut from holders.
    fn reserve(&mut self, reserve: &Reserve, step: u32) {
        let span = self.model.scenario.step;
        let begins = self.detected + periods(reserve.warm_up, span);
        if step < begins {
            return;
        }
        let length = periods(reserve.auction, span).max(1);
        let auction = (step - begins) / length;
        let dearest = 1.0 / (1.0 - reserve.slippage.0) - 1.0;
        if self.reach(Instrument::FirstLoss, dearest).1 <= 0 || auction >= reserve.auctions {
            if reserve.haircut && self.need() > 0 {
                self.cut();
            }
            return;
        }
        if auction + 1 > self.auctions {
            self.auctions = auction + 1;
            self.outcome.attempts += 1;
            self.raised_hour = 0;
        }
        let u = f64::from((step - begins) % length) / f64::from((length - 1).max(1));
        let price = closed_form::reserve_price(u, 1.0, 1.0 - reserve.slippage.0);
        self.premium = (1.0 / price - 1.0).max(0.0);
        let surcharge = self.surcharge(Instrument::FirstLoss, true);
        for maker in 0..self.invited {
            let (_, stake) = self.reach(Instrument::FirstLoss, self.premium);
            let room = self.need().min(stake).min(reserve.trade.0 - self.raised_hour);
            if room <= 0 {
                break;
            }
            if price > 1.0
                || !self.has_answered(maker, step)
                || self.makers[maker].cost + surcharge > self.premium
            {
                continue;
            }
            let amount = self.makers[maker].capacity.min(room);
            self.raised_hour += amount;
            self.take(maker, amount, share_ceil(amount, self.premium), Instrument::FirstLoss, step);
        }
    }

    /// Standing commitments: each provider pays its part, or falls down.
    fn standby(&mut self, standby: &Standby, step: u32) {
        if step != self.detected + periods(standby.notice, self.model.scenario.step) {
            return;
        }
        self.outcome.attempts += 1;
        self.premium = standby.premium.0;
        let part = standby.committed.0 / i64::try_from(self.invited).unwrap_or(i64::MAX).max(1);
        for maker in 0..self.invited {
            let agent = u32::try_from(maker).unwrap_or(u32::MAX);
            if self.name(agent, Purpose::Standby).at(0)[0] < standby.fall_down.0 {
                continue;
            }
            let (closes, most) = self.reach(standby.instrument, standby.premium.0);
            let is_worth = standby.instrument != Instrument::BuyBack || closes > standby.premium.0;
            let amount = if is_worth { part.min(self.dollars(closes)).min(most) } else { 0 };
            self.take(
                maker,
                amount,
                share_ceil(amount, standby.premium.0),
                standby.instrument,
                step,
            );
        }
    }

    /// Whether the mission is over.
    fn settle_stage(&mut self, step: u32) {
        if self.stage == Stage::Open && !self.broken && self.need() <= 0 {
            self.stage = Stage::Met;
            // What is attested is whole, and what was learnt before is spent.
            self.missing = 0;
            self.supply_at_news = None;
            if self.breaker != Breaker::Throttled {
                self.breaker = Breaker::Recovered;
            }
            // What holders' own fees have filled is not a recovery.
            let others = self.balance.required(self.model.scenario.issuer.buffer.0) + self.fees;
            if self.truth.deficit && others <= 0 {
                self.outcome.recovered = true;
                self.outcome.ttr_steps = Some(step + 1 - self.shock_step);
            }
            if self.is_watched(step) && self.drive.is_none() {
                self.window.attested = Some(step);
            }
        }
        let cooldown = self.model.clocks.cooldown;
        if (self.stage == Stage::Met || self.was_cut)
            && self.breaker == Breaker::Throttled
            && step - self.tripped >= cooldown
        {
            self.breaker = Breaker::Recovered;
        }
    }

    /// Equation (7), then the noise.
    fn price(&mut self, step: u32, known: Known) {
        let market = &self.model.scenario.market;
        let weight = self.model.beliefs.weight(known);
        let believed = weight * market.belief_public.0 + (1.0 - weight) * market.belief.0;
        let credit = if self.truth.deficit {
            let belief = if self.broken { 1.0 } else { believed };
            // φ: the hole, and what selling at once would cost where good reserves are out of reach.
            let waiting = share_floor(self.balance.blocked, self.model.scenario.issuer.fire_sale.0);
            let at_stake = self.balance.hole().max(0) + waiting;
            belief * at_stake as f64 / self.balance.supply.max(1) as f64
        } else if self.truth.drill && self.stage == Stage::Open {
            // Nothing to know, but a flag to believe.
            weight * market.belief_public.0 * self.model.scenario.shock.gap.0
        } else {
            0.0
        };
        let inventory = self.inventory as f64 / self.supply_start as f64 + self.pressure;
        self.noise = self.model.pricing.noise(self.noise, self.name(0, Purpose::Noise), step);
        self.discount =
            (self.model.pricing.discount(credit, inventory) + self.noise).clamp(-0.05, 1.0);
        if step >= self.shock_step {
            self.outcome.discount_max = self.outcome.discount_max.max(self.discount);
            self.outcome.discount_hours += self.discount * self.step_h;
        }
        match &self.model.plan {
            Plan::Liquity(liquity) => {
                let minutes = self.step_h * 60.0;
                let half_life = liquity.half_life.hours() * 60.0;
                self.memory =
                    BaseRate(self.memory).after(minutes, half_life, 0.0, liquity.beta.0).0;
            }
            Plan::Gyro(gyro) => self.memory *= libm::exp(-self.step_h / gyro.memory.hours()),
            Plan::Nothing
            | Plan::Halt
            | Plan::Flop(_)
            | Plan::Frax(_)
            | Plan::Reserve(_)
            | Plan::Standby(_)
            | Plan::Cdpr(_) => {}
        }
    }

    const fn is_watched(&self, step: u32) -> bool {
        step >= self.window.first && step < self.window.last
    }

    fn watch(&mut self, step: u32) {
        if !self.is_watched(step) {
            return;
        }
        self.window.discount_sum += self.discount;
        // No mint while a hole is known: not after redemption has failed either.
        let is_paused = match (&self.drive, self.stage) {
            (Some(drive), _) => !drive.may_mint(),
            (None, Stage::Quiet | Stage::Met) => false,
            (None, Stage::Open) => true,
            (None, Stage::Lost) => self.halted || self.need() > 0,
        };
        self.window.paused += u32::from(is_paused);
        self.outcome.observation.redeemed = self.redeemed as f64 / self.supply_start as f64;
        // Under a workflow deposits were made before anything happened.
        if self.stage == Stage::Open && self.model.plan.may_leak() && self.drive.is_none() {
            self.window.open_until = step;
        }
    }

    fn state(&self, step: u32, hazard: f64, known: Known) -> StepState {
        let prior = self.model.scenario.shock.probability.0;
        let flag = Flag { prior, cover: self.model.scenario.adversary.cover.0 };
        let posterior = match known {
            Known::Prior | Known::Rumour => prior,
            Known::Flag => flag.posterior(),
            Known::Range | Known::Public => {
                if self.truth.deficit {
                    1.0
                } else {
                    0.0
                }
            }
        };
        StepState {
            t_h: f64::from(step + 1) * self.step_h,
            supply: self.balance.supply,
            redeemed: self.redeemed as f64 / self.supply_start as f64,
            waiting: self.waiting,
            liquid: self.balance.liquid,
            illiquid: self.balance.illiquid,
            need: self.balance.need(self.model.scenario.issuer.buffer.0),
            junior: self.balance.junior,
            inventory: self.inventory as f64 / self.supply_start as f64 + self.pressure,
            discount: self.discount,
            hazard,
            premium: self.premium,
            filled: self.filled,
            breaker: self.breaker,
            posterior,
        }
    }

    fn conclude(mut self) -> Outcome {
        if let Plan::Standby(standby) = &self.model.plan
            && self.truth.deficit
        {
            let used = standby.committed.to_f64() / standby.target.to_f64();
            let yearly = standby.yearly.0 * closed_form::umbrella(used.max(1e-9));
            let years = standby.between.hours() / (365.0 * 24.0);
            let fees = micros(standby.committed.0 as f64 * yearly * years);
            self.outcome.cost += fees;
            self.pay += fees;
        }
        // What is out of reach is not lost.
        self.outcome.holder_loss += self.balance.hole().clamp(0, self.balance.supply);
        let instrument_loss = match self.outcome.failed {
            true => self.model.loss_after_failure() * self.filled as f64,
            false => 0.0,
        };
        self.outcome.maker_pnl = self.pay - self.own_cost - micros(instrument_loss);
        self.outcome.cost_bp = self.outcome.cost as f64 / self.supply_start as f64 * 1e4;
        self.outcome.redeemed = self.redeemed as f64 / self.supply_start as f64;
        self.outcome.leaked = self.leaked;
        let filled: i64 = self.makers.iter().map(|maker| maker.filled).sum();
        if filled > 0 {
            let share = |maker: &Maker| maker.filled as f64 / filled as f64;
            self.outcome.hhi = self.makers.iter().map(|maker| share(maker) * share(maker)).sum();
        }
        self.outcome.observation = self.observation();
        self.outcome.truth = self.truth;
        self.outcome
    }

    fn observation(&self) -> Observation {
        let adversary = &self.model.scenario.adversary;
        let window = &self.window;
        let mut delays = self.name(1, Purpose::Cover).stream();
        let (request_delay, attested_delay) = (delays.exponential(), delays.exponential());
        let watched_h = adversary.window.hours();
        // What is published waits a while, then for the next beat.
        let published = |step: Option<u32>, wait: f64| {
            // In seconds, which are whole.
            let [beat, delay, span] =
                [adversary.heartbeat, adversary.delay, self.model.scenario.step]
                    .map(|span| span.0 as f64);
            step.map_or(-1.0, |step| {
                // Beats count from the start of the replication: one that waited for a shock would tell of it.
                let at = f64::from(step) * span + wait * delay;
                let at = libm::ceil(at / beat - 1e-9) * beat;
                let at = (at - f64::from(window.first) * span) / 3_600.0;
                if at <= watched_h { at } else { -1.0 }
            })
        };
        let deposits =
            (0..self.invited).filter(|maker| self.has_answered(*maker, window.open_until)).count();
        let padded = |count: u64| {
            if adversary.padding && count > 0 { count.next_power_of_two() } else { count }
        };
        let lots = u64::try_from((window.settled + adversary.lot.0 - 1) / adversary.lot.0.max(1))
            .unwrap_or(0);
        let paused_h = f64::from(window.paused) * self.step_h;
        let steps = f64::from(
            (window.last - window.first)
                .min(self.model.scenario.steps().saturating_sub(window.first)),
        );
        let minting_h = (steps * self.step_h - paused_h).max(0.0);
        Observation {
            flag: match &self.drive {
                Some(drive) => drive.told,
                None => {
                    self.news.is_some_and(|step| self.is_watched(step))
                        && self.model.disclosure != Disclosure::None
                }
            },
            request_h: published(window.requests, request_delay),
            calldata_bytes: padded(u64::from(window.settlements)) * SETTLEMENT_BYTES,
            fill_lots: padded(lots),
            deposits: u32::try_from(deposits).unwrap_or(u32::MAX),
            premium_steps: window.premium_steps,
            mint_pause_h: paused_h,
            mints: poisson(
                &mut self.name(0, Purpose::Mint).stream(),
                adversary.mints.0 * minting_h,
            ),
            discount_mean: if steps > 0.0 { window.discount_sum / steps } else { 0.0 },
            attested_h: published(window.attested, attested_delay),
            oracle_silent: window.silent,
            chatter: self.leaked,
            redeemed: self.outcome.observation.redeemed,
        }
    }
}

impl Model {
    fn loss_after_failure(&self) -> f64 {
        let instrument = match &self.plan {
            Plan::Cdpr(cdpr) => cdpr.instrument,
            Plan::Standby(standby) => standby.instrument,
            Plan::Reserve(_) => Instrument::FirstLoss,
            Plan::Nothing
            | Plan::Halt
            | Plan::Flop(_)
            | Plan::Frax(_)
            | Plan::Liquity(_)
            | Plan::Gyro(_) => Instrument::GovernanceToken,
        };
        if instrument == Instrument::BuyBack {
            // Coins are paid for at once: nothing is held.
            return 0.0;
        }
        panel::loss(&self.scenario.makers, instrument)
    }
}

/// Poisson of that mean: arrivals of a unit process, in blocks so that the product of uniforms does not vanish; above a
/// mean of 10 000 the normal approximation, whose error there is below a thousandth.
fn poisson(stream: &mut Stream, mean: f64) -> u32 {
    if mean > 10_000.0 {
        let value = micros((mean + libm::sqrt(mean) * stream.normal()).max(0.0));
        return u32::try_from(value).unwrap_or(u32::MAX);
    }
    let (mut at, mut count) = (stream.exponential(), 0);
    while at < mean {
        count += 1;
        at += stream.exponential();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Mechanism;

    #[test]
    fn liquitys_fee_is_that_of_the_rate_which_the_redemption_has_raised() {
        let policy = Policy {
            name: "p".into(),
            mechanism: Mechanism::Liquity(Liquity::default()),
            disclosure: Disclosure::Public,
        };
        let model = Model::new(&Scenario::default(), &policy).unwrap_or_else(|e| panic!("{e}"));
        let mut run = Run::new(&model, 1, 0);
        // liquity/dev@39f1f7f: 3 % redeemed from a base rate of 0 pay 2 %.
        let coins = share_floor(run.supply_start, 0.03);
        let payout = run.payout(coins);
        assert_eq!(run.pay(coins, payout), coins);
        assert_eq!(run.fees, share_floor(coins, 0.02));
        assert!((run.memory - 0.015).abs() < 1e-12, "{}", run.memory);
    }
}
