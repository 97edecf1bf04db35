//! The simulator's full-stack level: a replication of the recovery model (`risk`), drawn there and played here on the
//! real chain, enclave, DON and workflow. It comes back as the row the model would have, so that what is made of many
//! runs does not know the difference: shock, makers and grid are the model's, everything that happens is read from what
//! the stack says. The stranger's channels are the chain's logs and calldata, and nothing else.
//!
//! A tick is a step: tick `k`, from 1, is step `k − 1`. What the contracts do not have is refused by its key.

use primitives::{Duration, Premium, Ratio, Timestamp, sha256};
use protocol::{Disclosure, Fact};
use recovery::{Deployment, DisclosureMode};
use risk::balance::{amount, share_ceil};
use risk::{CdprWorkflow, Course, Draw, Fill, Instrument, Mechanism, Observation, Policy, Round};

use crate::scenario::{Scenario, Shock, shipped};
use crate::{Faults, Inputs, Maker, Report, Stores};

/// A week: 2,016 ticks, as a scenario's file.
const HORIZON_MAX_S: u64 = 7 * 24 * 3_600;

/// The deployment that a spec changes.
const DEPLOYMENT: &str = include_str!("../../../deployments/embedded.toml");
/// The chain it is played on.
pub const CHAIN_ID: u64 = attestation::DEVELOPMENT_CHAIN_ID;
/// Seconds between two ticks of the seed's cron.
const TICK_S: u64 = 300;
/// Most lines of a panel: each is a deposit and a party of its own.
const LINES_MAX: u32 = 256;
/// Midnight, so that the first tick is five minutes later.
const START: Timestamp = Timestamp(1_700_006_400);
const MILLION: i128 = 1_000_000;

/// Why a replication is not played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key whose value the stack has no counterpart of.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The model refuses the world or the policy.
    #[error("the model")]
    Model(#[source] risk::Error),
    /// The stack stopped.
    #[error("replication {replication} on the stack")]
    Stack {
        /// Which.
        replication: u64,
        /// Why.
        #[source]
        source: crate::Error,
    },
}

/// What the contracts do not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {found}: {reason}")]
pub struct Refused {
    /// The key, as a spec has it.
    pub key: String,
    /// Its value.
    pub found: String,
    /// Why the stack cannot play it.
    pub reason: String,
    /// What to write.
    pub hint: String,
}

/// The stack, for as many replications as one has time for.
#[derive(Debug, Clone)]
pub struct Stack {
    proving_key: Vec<u8>,
}

/// A mission that was played.
#[derive(Debug, Clone)]
pub struct Played {
    /// As the model would have it. What belongs to market and holders is zero.
    pub outcome: risk::Outcome,
    /// All that the stack says.
    pub report: Report,
}

impl Stack {
    /// The clearing circuit's development keys, as bytes.
    pub const fn new(proving_key: Vec<u8>) -> Self {
        Self { proving_key }
    }

    /// About how long a replication takes on one core, seconds: a start, its ticks, and its proofs. Sealed, every
    /// round of every epoch has one, full or empty; else a round or so. Measured on one machine.
    pub fn seconds(scenario: &risk::Scenario, policy: &Policy) -> f64 {
        let is_sealed = policy.disclosure == risk::Disclosure::None;
        let mut proofs = 1.0;
        if let (true, Mechanism::CdprWorkflow(workflow)) = (is_sealed, &policy.mechanism) {
            let epochs = scenario.horizon.hours() / workflow.timeout.hours();
            proofs = epochs * f64::from(workflow.rounds);
        }
        1.5 + 0.03 * f64::from(scenario.steps()) + 1.7 * proofs
    }

    /// Plays a replication.
    ///
    /// # Errors
    /// [`Error`].
    pub fn play(
        &self,
        scenario: &risk::Scenario,
        policy: &Policy,
        seed: u64,
        replication: u64,
    ) -> Result<Played, Error> {
        let Prepared { model, files } = Prepared::new(scenario, policy)?;
        let draw = model.draw(seed, replication).ok_or_else(|| not_the_workflow(policy))?;
        let lines: Vec<(u32, u32)> = (0..)
            .zip(&draw.makers)
            .flat_map(|(maker, drawn)| (0..).zip(&drawn.lines).map(move |(line, _)| (maker, line)))
            .collect();
        let name = format!("{seed}/{replication}/{draw:?}");
        let hash = sha256(&[b"cdpr/replication/v1", name.as_bytes()]);
        let (own_seed, _) = hash.split_first_chunk().expect("a hash has 32 bytes");
        let inputs = Inputs {
            scenario: world(scenario, &draw, hash),
            makers: Some(makers(&draw, policy)),
            workflow: files.workflow,
            workflow_source: files.workflow_source,
            deployment: files.deployment,
            deployment_source: files.deployment_source,
            seed: u64::from_be_bytes(*own_seed),
            proving_key: self.proving_key.clone(),
            faults: Faults::default(),
        };
        let escalation = inputs.setup().escalation;
        let report = crate::run(inputs, Stores::memory(), &mut |_, _| ())
            .map_err(|source| Error::Stack { replication, source })?;
        let seen = Seen { report: &report, scenario, draw: &draw, lines: &lines, escalation };
        let outcome = seen.outcome();
        Ok(Played { outcome, report })
    }
}

/// Names what decides results beside the spec: workflow, module, deployment and circuit.
pub fn identity() -> String {
    let parts = [recovery::SEED.as_bytes(), crate::MODULE, DEPLOYMENT.as_bytes()]
        .map(|part| sha256(&[part]));
    let hash = sha256(&[b"cdpr/stack/v1", parts.as_flattened(), &crate::proving_key_pin()]);
    primitives::hex(&hash)
}

/// Whether the stack can play a world under a policy.
///
/// # Errors
/// [`Error`], with the first key that it cannot.
pub fn check(scenario: &risk::Scenario, policy: &Policy) -> Result<(), Error> {
    Prepared::new(scenario, policy).map(drop)
}

/// A world and a policy that the stack can play.
struct Prepared {
    model: risk::Model,
    files: Files,
}

impl Prepared {
    fn new(scenario: &risk::Scenario, policy: &Policy) -> Result<Self, Error> {
        let workflow = checked(scenario, policy)?;
        let model = risk::Model::new(scenario, policy).map_err(Error::Model)?;
        let files = Files::of(scenario, policy, workflow)?;
        let draw = model.draw(0, 0).ok_or_else(|| not_the_workflow(policy))?;
        let supply = amount(draw.supply);
        if ratio(&draw).of_ceil(supply) != Ok(amount(draw.reserves)) {
            let issuer = &scenario.issuer;
            return Err(Error::Refused(Refused {
                key: "scenario.issuer.illiquid".to_owned(),
                found: format!("{} beside {} liquid", issuer.illiquid.0, issuer.liquid.0),
                reason: "the stack counts ratios in millionths".to_owned(),
                hint: "at most four decimals of a percent".to_owned(),
            }));
        }
        Ok(Self { model, files })
    }
}

fn checked<'p>(scenario: &risk::Scenario, policy: &'p Policy) -> Result<&'p CdprWorkflow, Refused> {
    let Mechanism::CdprWorkflow(workflow) = &policy.mechanism else {
        return Err(not_the_workflow(policy));
    };
    let of = |key: &str| format!("policy.{}.mechanism.{key}", policy.name);
    let refuse = |key: &str, found: String, reason: &str, hint: &str| {
        Err(Refused {
            key: key.to_owned(),
            found,
            reason: reason.to_owned(),
            hint: hint.to_owned(),
        })
    };
    if workflow.instrument != Instrument::SecuredRepo {
        let reason = "the contracts have one instrument, a claim on deposits that are stuck";
        let hint = "instrument = \"secured-repo\", with shock.kind = \"liquidity\"";
        return refuse(&of("instrument"), workflow.instrument.name().to_owned(), reason, hint);
    }
    let (issuer, makers) = (&scenario.issuer, &scenario.makers);
    let (holders, adversary) = (&scenario.holders, &scenario.adversary);
    if scenario.horizon.0 > HORIZON_MAX_S {
        let reason = "terms and mandates of the embedded deployment are for 30 days, and a run has a tick every five minutes";
        let hint = "horizon = \"7 d\" at most";
        return refuse("scenario.horizon", format!("{} s", scenario.horizon.0), reason, hint);
    }
    let spans = [
        ("scenario.step", scenario.step, TICK_S, "the workflow's cron fires every five minutes"),
        ("scenario.issuer.reading_every", issuer.reading_every, TICK_S, "every tick is a reading"),
        ("scenario.issuer.reading_age", issuer.reading_age, 0, "a statement is of its tick"),
        ("scenario.tee.down", scenario.tee.down, 0, "the embedded enclave is never out"),
        (
            "scenario.adversary.heartbeat",
            adversary.heartbeat,
            TICK_S,
            "a write waits for its tick, and no longer",
        ),
        (
            "scenario.adversary.delay",
            adversary.delay,
            0,
            "a write waits for its tick, and no longer",
        ),
    ];
    for (key, span, wanted, reason) in spans {
        if span.0 != wanted {
            let last = key.rsplit('.').next().unwrap_or(key);
            let hint = format!("{last} = \"{} min\"", wanted / 60);
            return refuse(key, format!("{} s", span.0), reason, &hint);
        }
    }
    let none = [
        ("scenario.holders.calm", holders.calm.0, "no holders, and no run, are on the chain"),
        (
            "scenario.holders.attention",
            holders.attention.0,
            "no holders, and no run, are on the chain",
        ),
        ("scenario.issuer.reading_noise", issuer.reading_noise.0, "a statement is exact"),
        ("scenario.makers.leak", makers.leak.0, "nobody talks on a chain"),
        ("scenario.makers.waiting", makers.waiting.0, "a locked line does not wait"),
        ("scenario.makers.shading", makers.shading.0, "a locked line is at its own cost"),
        (
            "scenario.makers.colluding",
            f64::from(makers.colluding),
            "a locked line is its maker's own",
        ),
        ("scenario.adversary.cover", adversary.cover.0, "the contracts have no drills"),
        ("scenario.adversary.mints", adversary.mints.0, "nobody mints on the embedded chain"),
        (
            "scenario.adversary.padding",
            f64::from(u8::from(adversary.padding)),
            "the chain counts what it sees",
        ),
    ];
    for (key, value, reason) in none {
        if value != 0.0 {
            let last = key.rsplit('.').next().unwrap_or(key);
            let unit = match last {
                "calm" | "attention" | "leak" | "mints" => "\"0 /h\"",
                "colluding" => "0",
                "padding" => "false",
                _ => "\"0%\"",
            };
            return refuse(key, value.to_string(), reason, &format!("{last} = {unit}"));
        }
    }
    for (key, span) in [("timeout", workflow.timeout), ("every", workflow.every)] {
        if !span.0.is_multiple_of(TICK_S) || span.0 == 0 {
            let reason = "it is not a whole number of five-minute ticks";
            return refuse(&of(key), format!("{} s", span.0), reason, "for example \"1 h\"");
        }
    }
    if makers.invited.saturating_mul(makers.lines) > LINES_MAX {
        let found = format!("{} × {}", makers.invited, makers.lines);
        let reason = "each line is a deposit and a party of its own, 256 at most";
        return refuse("scenario.makers.lines", found, reason, "lines = 1, or invite fewer");
    }
    Ok(workflow)
}

fn not_the_workflow(policy: &Policy) -> Refused {
    Refused {
        key: format!("policy.{}.mechanism.kind", policy.name),
        found: format!("\"{}\"", policy.mechanism.name()),
        reason: "the contracts have calls at a uniform premium under the workflow's clock, and nothing else".into(),
        hint: "kind = \"cdpr-workflow\", or the model's level".into(),
    }
}

/// The seed's workflow and the embedded deployment, with the policy's numbers.
struct Files {
    workflow: recovery::Document,
    workflow_source: String,
    deployment: Deployment,
    deployment_source: String,
}

impl Files {
    fn of(
        scenario: &risk::Scenario,
        policy: &Policy,
        workflow: &CdprWorkflow,
    ) -> Result<Self, Refused> {
        let ladder: Vec<String> = workflow.ladder.iter().map(|rung| percent(rung.0)).collect();
        let first = ladder.first().cloned().unwrap_or_default();
        let cap = ladder.last().cloned().unwrap_or_default();
        let target = decimal(MILLION + i128::from(millionths(scenario)?), 6);
        let timeout = format!("{}m", workflow.timeout.0 / 60);
        let workflow_source = recovery::SEED
            .replace("threshold: 1.02 ", &format!("threshold: {target} "))
            .replace("premium: \"0.5%\"", &format!("premium: \"{first}\""))
            .replace("timeout: \"1h\"", &format!("timeout: \"{timeout}\""));
        let lot = i128::from(workflow.lot.0.max(1));
        // Twice the coin: more than all requests of a mission together.
        let amount_max = (2 * i128::from(scenario.issuer.supply.0) / lot + 1) * lot;
        let quoted = |text: String| format!("\"{text}\"");
        let tokens = |units: i128| quoted(decimal(units, 6));
        let rungs: Vec<String> = ladder.into_iter().map(quoted).collect();
        let clock = if policy.disclosure == risk::Disclosure::None {
            vec![
                ("disclosure", "mode", quoted("sealed".to_owned())),
                ("disclosure", "epoch_ticks", (workflow.timeout.0 / TICK_S).to_string()),
                ("disclosure", "rounds_per_epoch", workflow.rounds.to_string()),
            ]
        } else {
            vec![("disclosure", "mode", quoted("immediate".to_owned()))]
        };
        let changes = [
            ("disclosure", "call_ticks", (workflow.every.0 / TICK_S).to_string()),
            ("detect", "target", quoted(target)),
            ("detect", "readings", scenario.issuer.readings.to_string()),
            ("guard", "attempts_max", workflow.attempts.to_string()),
            ("guard", "escalation", format!("[{}]", rungs.join(", "))),
            ("guard", "premium_cap", quoted(cap)),
            ("request", "lot", tokens(lot)),
            ("request", "fill_min", tokens(i128::from(workflow.fill_min.0))),
            ("request", "maker_share_max", quoted(percent(workflow.share_max.0))),
            ("instrument", "amount_max", tokens(amount_max)),
            // At price_max 1.05 and a premium of a whole, which none may exceed.
            ("instrument", "standing", tokens(amount_max * 21 / 10 + 1)),
        ];
        let mut deployment_source = DEPLOYMENT.to_owned();
        for (section, key, value) in clock.into_iter().chain(changes) {
            deployment_source = with(&deployment_source, section, key, &value);
        }
        let refused = |error: recovery::Diagnostic| Refused {
            key: format!("policy.{}.mechanism", policy.name),
            found: "no deployment that runs".to_owned(),
            reason: format!("{}: {}", error.key.clone().unwrap_or_default(), error.reason),
            hint: error.hint,
        };
        let deployment = Deployment::parse(&deployment_source, "deployment").map_err(refused)?;
        let document = recovery::parse(&workflow_source, "workflow").map_err(refused)?;
        recovery::check(&document, &deployment).map_err(refused)?;
        debug_assert_eq!(
            deployment.disclosure.mode == DisclosureMode::Sealed,
            policy.disclosure == risk::Disclosure::None
        );
        Ok(Self { workflow: document, workflow_source, deployment, deployment_source })
    }
}

/// `key = value` of a section, replaced.
fn with(source: &str, section: &str, key: &str, value: &str) -> String {
    let (header, start) = (format!("[{section}]"), format!("{key} = "));
    let mut is_here = false;
    let mut lines = Vec::new();
    for line in source.lines() {
        if line.starts_with('[') {
            is_here = line == header;
        }
        let is_it = is_here && line.starts_with(&start);
        lines.push(if is_it { format!("{start}{value}") } else { line.to_owned() });
    }
    lines.join("\n") + "\n"
}

/// The over-collateral in millionths, which is what a ratio counts in.
fn millionths(scenario: &risk::Scenario) -> Result<i64, Refused> {
    exact(
        "scenario.issuer.buffer",
        scenario.issuer.buffer.0,
        share_ceil(1_000_000, scenario.issuer.buffer.0),
    )
}

fn exact(key: &str, share: f64, millionths: i64) -> Result<i64, Refused> {
    // A share counts in billionths.
    if share_ceil(1_000_000_000, share) == millionths.saturating_mul(1_000) {
        return Ok(millionths);
    }
    Err(Refused {
        key: key.to_owned(),
        found: share.to_string(),
        reason: "the stack counts ratios in millionths".to_owned(),
        hint: "at most four decimals of a percent".to_owned(),
    })
}

/// A number of 10^-places, without its trailing zeros.
fn decimal(units: i128, places: u32) -> String {
    let one = 10_i128.pow(places);
    let text = format!("{}.{:0width$}", units / one, units % one, width = places as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share as a percentage of whole basis points, rounded **down** as the model's.
fn percent(share: f64) -> String {
    let bps = i128::from(share_ceil(10_000_000, share)) / 1_000;
    format!("{}%", decimal(bps, 2))
}

fn micros(units: u128) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

fn at_step(step: u32) -> Timestamp {
    START + Duration(TICK_S * (u64::from(step) + 1))
}

/// Reserves over supply before the shock.
fn ratio(draw: &Draw) -> Ratio {
    let millionths = i128::from(draw.reserves) * MILLION / i128::from(draw.supply.max(1));
    Ratio(u64::try_from(millionths).unwrap_or(0))
}

/// Reserves and their shock. The mission lasts the horizon.
fn world(scenario: &risk::Scenario, draw: &Draw, hash: [u8; 32]) -> Scenario {
    let base =
        Scenario::parse(shipped()["healthy"], "healthy").expect("it ships, and a test reads it");
    let shock = Shock {
        at: at_step(draw.truth.shock_step),
        amount: amount(draw.blocked),
        haircut: Premium::new(10_000).unwrap_or_default(),
        what: "deposits out of reach".to_owned(),
    };
    let steps = scenario.steps();
    Scenario {
        name: "replication".to_owned(),
        start: START,
        guarantee: at_step(steps),
        ticks_max: steps,
        ticks_after: steps,
        supply: vec![(START, amount(draw.supply))],
        shocks: if draw.blocked > 0 { vec![shock] } else { Vec::new() },
        ratio: ratio(draw),
        hash,
        ..base
    }
}

/// A line is a note, and a note has an owner: one party a line.
fn makers(draw: &Draw, policy: &Policy) -> Vec<Maker> {
    // Immediate: makers count from the request. Sealed: from the start, which is a tick before step 0.
    let head_start = if policy.disclosure == risk::Disclosure::None { TICK_S } else { 0 };
    let lines = draw.makers.iter().flat_map(|maker| {
        // Who has answered by a tick answers before it: whole seconds, a second early.
        let seconds = ceil(maker.latency_h * 3_600.0).saturating_sub(1);
        maker.lines.iter().map(move |line| (seconds, *line))
    });
    lines
        .enumerate()
        .map(|(index, (seconds, (capacity, limit_bps)))| Maker {
            index,
            capacity: amount(capacity),
            premium_min: Premium::new(limit_bps).unwrap_or(Premium::MAX),
            latency: Duration(head_start + seconds),
            gap_band_max: u8::MAX,
        })
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is meant"
)]
fn ceil(value: f64) -> u64 {
    value.ceil() as u64
}

/// A report, read as the model's row.
struct Seen<'a> {
    report: &'a Report,
    scenario: &'a risk::Scenario,
    draw: &'a Draw,
    /// Maker and line of each party.
    lines: &'a [(u32, u32)],
    escalation: protocol::request::Escalation,
}

impl Seen<'_> {
    fn outcome(&self) -> risk::Outcome {
        let shock = self.draw.truth.shock_step;
        let mut outcome =
            risk::Outcome { truth: self.draw.truth.clone(), ..risk::Outcome::default() };
        let short = self.report.verdicts.iter().position(|(_, backed)| !backed);
        let whole = short.and_then(|from| {
            self.report.verdicts[from..].iter().find(|(_, backed)| *backed).map(|(tick, _)| *tick)
        });
        if self.draw.truth.deficit {
            outcome.recovered = whole.is_some();
            outcome.ttr_steps = whole.map(|tick| tick - 1 - shock);
        }
        outcome.course = self.course();
        self.pay(&mut outcome);
        let asked = self.facts().filter(|(step, fact)| {
            let is_short = |(tick, backed): &(u32, bool)| *tick == step + 1 && !backed;
            matches!(fact, Fact::RequestOpened { .. }) && self.report.verdicts.iter().any(is_short)
        });
        outcome.attempts = u32::try_from(asked.count()).unwrap_or(u32::MAX);
        outcome.observation = self.observation();
        outcome
    }

    /// Logs by step.
    fn facts(&self) -> impl Iterator<Item = (u32, &Fact)> {
        self.report.facts.iter().map(|(tick, fact)| (tick - 1, fact))
    }

    fn course(&self) -> Course {
        let rounds = self.report.clearings.iter().filter_map(|clearing| {
            let settled = clearing.settled? - 1;
            let closed = clearing.closed - 1;
            let cap = match self.report.disclosure {
                Disclosure::Immediate => self
                    .facts()
                    .filter(|(step, _)| *step <= closed)
                    .filter_map(|(_, fact)| {
                        let Fact::RequestOpened { premium, .. } = fact else { return None };
                        Some(*premium)
                    })
                    .last()
                    .unwrap_or_default(),
                Disclosure::Sealed => {
                    let rung = u8::try_from(clearing.round - 1).unwrap_or(u8::MAX);
                    self.escalation.premium(Premium::default(), rung)
                }
            };
            let fills = clearing.fills.iter().filter_map(|(party, amount)| {
                let (maker, line) = *self.lines.get(*party)?;
                Some(Fill { maker, line, amount: micros(amount.units()) })
            });
            Some(Round {
                closed,
                settled,
                cap_bps: cap.bps(),
                premium_bps: clearing.premium.bps(),
                fills: fills.collect(),
            })
        });
        let mut course = Course { rounds: rounds.collect(), ..Course::default() };
        let mut flagged = false;
        for (step, fact) in self.facts() {
            match fact {
                Fact::RequestExpired { .. } => course.expired.push(step),
                Fact::Halted => course.halted = Some(step),
                Fact::RecoveryAttested { recovered } => {
                    if *recovered && flagged {
                        course.attested.get_or_insert(step);
                    }
                    flagged = !recovered;
                }
                Fact::RequestOpened { .. }
                | Fact::RoundSettled { .. }
                | Fact::RequestRevealed { .. }
                | Fact::StatusReported { .. }
                | Fact::LeavesInserted { .. }
                | Fact::ReportExecuted { .. } => {}
            }
        }
        course
    }

    /// What was paid, to whom, and what it cost them.
    fn pay(&self, outcome: &mut risk::Outcome) {
        let mut own_cost = 0;
        let mut by_maker = vec![0_i64; self.draw.makers.len()];
        for clearing in self.report.clearings.iter().filter(|c| c.settled.is_some()) {
            let mut taken = 0;
            for (party, amount) in &clearing.fills {
                let Some((maker, _)) = self.lines.get(*party) else { continue };
                let amount = micros(amount.units());
                taken += amount;
                by_maker[*maker as usize] += amount;
                own_cost += share_ceil(amount, self.draw.makers[*maker as usize].cost.min(1.0));
            }
            outcome.cost += micros(clearing.payout) - taken;
        }
        outcome.maker_pnl = outcome.cost - own_cost;
        outcome.cost_bp = float(outcome.cost) / float(self.draw.supply) * 1e4;
        let filled: i64 = by_maker.iter().sum();
        if filled > 0 {
            let share = |filled_by: &i64| float(*filled_by) / float(filled);
            outcome.hhi = by_maker.iter().map(|maker| share(maker) * share(maker)).sum();
        }
    }

    /// What chain shows to anyone, from the step of the shock for the adversary's window.
    fn observation(&self) -> Observation {
        let first = self.draw.truth.shock_step;
        let window = self.scenario.adversary.window.0.div_ceil(TICK_S);
        let last = first.saturating_add(u32::try_from(window).unwrap_or(u32::MAX));
        let end = last.min(self.scenario.steps());
        let is_watched = |step: u32| step >= first && step < last;
        let hours = |step: Option<u32>| {
            let seconds = self.scenario.step.0 as f64;
            step.map_or(-1.0, |step| f64::from(step - first) * seconds / 3_600.0)
        };
        let (mut request, mut attested, mut told) = (None, None, false);
        let (mut premium, mut premium_steps, mut paused) = (None, 0, 0);
        let (mut flagged, mut halted) = (false, false);
        let mut facts = self.facts().peekable();
        for step in 0..end {
            while let Some((_, fact)) = facts.next_if(|(at, _)| *at <= step) {
                match fact {
                    Fact::RequestOpened { premium: cap, .. } => {
                        if is_watched(step) {
                            request.get_or_insert(step);
                            premium_steps += u32::from(premium.is_some_and(|before| *cap > before));
                        }
                        premium = Some(*cap);
                    }
                    Fact::RecoveryAttested { recovered } => {
                        if is_watched(step) && *recovered && flagged && told {
                            attested.get_or_insert(step);
                        }
                        told |= is_watched(step) && !recovered;
                        flagged = !recovered;
                    }
                    Fact::Halted => halted = true,
                    Fact::RoundSettled { .. }
                    | Fact::RequestExpired { .. }
                    | Fact::RequestRevealed { .. }
                    | Fact::StatusReported { .. }
                    | Fact::LeavesInserted { .. }
                    | Fact::ReportExecuted { .. } => {}
                }
            }
            paused += u32::from(is_watched(step) && (flagged || halted));
        }
        let transactions = || {
            self.report.transactions.iter().filter(|sent| sent.success && is_watched(sent.tick - 1))
        };
        let settled = transactions().filter(|sent| sent.function == "confidentialFill");
        let reported = |step: u32| {
            transactions().any(|sent| {
                sent.tick == step + 1 && matches!(sent.function, "attestRecovery" | "reportStatus")
            })
        };
        let silent = (first..end.min(self.report.ticks)).filter(|step| !reported(*step)).count();
        Observation {
            flag: told,
            request_h: hours(request),
            calldata_bytes: settled.map(|sent| sent.calldata_len as u64).sum(),
            // Amounts are commitments, and deposits are older than the shock.
            fill_lots: 0,
            deposits: 0,
            premium_steps,
            mint_pause_h: f64::from(paused) * self.scenario.step.hours(),
            attested_h: hours(attested),
            oracle_silent: u32::try_from(silent).unwrap_or(u32::MAX),
            ..Observation::default()
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "eight micro-dollars at forty billion")]
const fn float(micros: i64) -> f64 {
    micros as f64
}
