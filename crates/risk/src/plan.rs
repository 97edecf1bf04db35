//! A policy in steps and numbers, as the run reads it.

use primitives::{Duration, Premium};
use protocol::mission::{Schedule, Setup};
use protocol::request::Escalation;
use protocol::workflow::{
    Condition, DarkPool, FillEvent, OnchainCall, Reference, Step, StepKind, Workflow,
};

use crate::balance::amount;
use crate::model::Terms;
use crate::policy::{
    CdprWorkflow, Disclosure, Flop, Frax, Gyro, Instrument, Liquity, Mechanism, Policy, Reserve,
    Standby,
};
use crate::units::{Share, Span};

/// What a run does.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    Nothing,
    Halt,
    Flop(Flop),
    Frax(Frax),
    Reserve(Reserve),
    Liquity(Liquity),
    Gyro(Gyro),
    Standby(Standby),
    Cdpr(Cdpr),
}

/// A confidential request, whatever its price rule.
#[derive(Debug, Clone)]
pub(crate) struct Cdpr {
    pub(crate) instrument: Instrument,
    pub(crate) rule: Rule,
    pub(crate) every: u32,
    pub(crate) lot: i64,
    pub(crate) share_max: f64,
    pub(crate) aggregate_min: f64,
    pub(crate) attempts: u32,
    pub(crate) widen: u32,
    pub(crate) haircut: bool,
}

/// What is offered and what is paid.
#[derive(Debug, Clone)]
pub(crate) enum Rule {
    /// A posted premium, which may rise; what it says at the fill is paid.
    Posted { start: f64, slope_h: f64, cap: f64, timeout: u32 },
    /// Sealed calls under a ladder of caps.
    Call { ladder: Escalation, paid: Paid },
    /// As the workflow and the contracts have it.
    Workflow(Box<Terms>),
}

/// Who is paid what in a sealed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paid {
    Margin,
    Limit,
    Externality,
}

macro_rules! sealed {
    ($call:expr, $periods:expr, $paid:expr) => {
        Plan::Cdpr(Cdpr {
            instrument: $call.instrument,
            rule: Rule::Call { ladder: escalation(&$call.ladder, $call.attempts), paid: $paid },
            every: $periods($call.every),
            lot: $call.lot.0,
            share_max: $call.share_max.0,
            aggregate_min: $call.aggregate_min.0,
            attempts: $call.attempts,
            widen: $call.widen,
            haircut: $call.haircut,
        })
    };
}

impl Plan {
    pub(crate) fn new(policy: &Policy, step: Span) -> Self {
        let periods = |span: Span| periods(span, step).max(1);
        match &policy.mechanism {
            Mechanism::Nothing(_) => Self::Nothing,
            Mechanism::Halt(_) => Self::Halt,
            Mechanism::Flop(flop) => Self::Flop(flop.clone()),
            Mechanism::Frax(frax) => Self::Frax(frax.clone()),
            Mechanism::Reserve(reserve) => Self::Reserve(reserve.clone()),
            Mechanism::Liquity(liquity) => Self::Liquity(liquity.clone()),
            Mechanism::Gyro(gyro) => Self::Gyro(gyro.clone()),
            Mechanism::Standby(standby) => Self::Standby(standby.clone()),
            Mechanism::CdprFixed(fixed) => Self::Cdpr(Cdpr {
                instrument: fixed.instrument,
                rule: Rule::Posted {
                    start: fixed.premium.0,
                    slope_h: 0.0,
                    cap: fixed.premium.0,
                    timeout: periods(fixed.timeout),
                },
                every: periods(fixed.every),
                lot: fixed.lot.0,
                share_max: fixed.share_max.0,
                aggregate_min: 0.0,
                attempts: fixed.attempts,
                widen: fixed.widen,
                haircut: fixed.haircut,
            }),
            Mechanism::CdprClock(clock) => Self::Cdpr(Cdpr {
                instrument: clock.instrument,
                rule: Rule::Posted {
                    start: clock.start.0,
                    slope_h: clock.slope.0,
                    cap: clock.cap.0,
                    timeout: periods(clock.timeout),
                },
                every: periods(clock.every),
                lot: clock.lot.0,
                share_max: clock.share_max.0,
                aggregate_min: 0.0,
                attempts: clock.attempts,
                widen: clock.widen,
                haircut: clock.haircut,
            }),
            Mechanism::CdprUniform(call) => sealed!(call, periods, Paid::Margin),
            Mechanism::CdprPayAsBid(call) => sealed!(call, periods, Paid::Limit),
            Mechanism::CdprVcg(call) => sealed!(call, periods, Paid::Externality),
            Mechanism::CdprWorkflow(workflow) => Self::Cdpr(Cdpr {
                instrument: workflow.instrument,
                rule: Rule::Workflow(Box::new(terms(workflow, policy.disclosure, step))),
                every: periods(workflow.every),
                lot: workflow.lot.0,
                share_max: workflow.share_max.0,
                aggregate_min: 0.0,
                attempts: workflow.attempts,
                widen: 0,
                haircut: false,
            }),
        }
    }

    /// Whether an enclave, and a panel that may talk, are part of it.
    pub(crate) const fn is_confidential(&self) -> bool {
        matches!(self, Self::Cdpr(_))
    }

    /// Whether makers are told before the public is.
    pub(crate) const fn may_leak(&self) -> bool {
        matches!(self, Self::Cdpr(_) | Self::Standby(_))
    }

    /// What the public is told from the moment it is detected.
    pub(crate) const fn tells(&self, disclosure: Disclosure) -> Disclosure {
        match self {
            // A closed window tells everybody.
            Self::Halt => Disclosure::Public,
            Self::Nothing
            | Self::Flop(_)
            | Self::Frax(_)
            | Self::Reserve(_)
            | Self::Liquity(_)
            | Self::Gyro(_)
            | Self::Standby(_)
            | Self::Cdpr(_) => disclosure,
        }
    }
}

/// The production ladder with these rungs, each rounded **down** to a basis point.
fn escalation(ladder: &[Share], attempts: u32) -> Escalation {
    let rung =
        |share: &Share| Premium::new(crate::panel::bps_floor(share.0)).unwrap_or(Premium::MAX);
    Escalation {
        ladder: ladder.iter().map(rung).collect(),
        premium_cap: Premium::MAX,
        attempts_max: u8::try_from(attempts).unwrap_or(u8::MAX),
    }
}

/// The seed's workflow and its deployment with these numbers.
fn terms(workflow: &CdprWorkflow, disclosure: Disclosure, step: Span) -> Terms {
    let sealed = disclosure == Disclosure::None;
    let ladder = escalation(&workflow.ladder, workflow.attempts);
    let (first, cap) = (ladder.ladder.first().copied(), ladder.ladder.last().copied());
    let epoch_ticks = periods(workflow.timeout, step).max(1);
    let (ticks, rounds) = (u64::from(epoch_ticks), u64::from(workflow.rounds));
    let name = String::new;
    let output = || Reference { step: name(), output: name() };
    let onchain = |call| StepKind::OnchainTx { call, contract: name() };
    let ask = [
        StepKind::DarkPool(DarkPool {
            pool: name(),
            asset: name(),
            amount: output(),
            premium: first.unwrap_or_default(),
            timeout: Duration(u64::from(epoch_ticks) * step.0),
        }),
        StepKind::Wait { event: FillEvent::ClearingReady, timeout: Duration(workflow.timeout.0) },
        onchain(OnchainCall::Settle),
    ];
    let steps = |kinds: Vec<StepKind>| -> Vec<Step> {
        kinds.into_iter().map(|kind| Step { id: name(), kind }).collect()
    };
    let condition = Condition { step: name(), output: name(), equals: false };
    let top = vec![
        StepKind::Conditional { condition, steps: steps(ask.into()) },
        onchain(OnchainCall::Attest),
    ];
    Terms {
        setup: Setup {
            workflow: Workflow {
                name: name(),
                cron: "* * * * *".parse().expect("a schedule; the model brings its own ticks"),
                steps: steps(top),
            },
            disclosure: if sealed {
                protocol::Disclosure::Sealed
            } else {
                protocol::Disclosure::Immediate
            },
            escalation: Escalation { premium_cap: cap.unwrap_or_default(), ..ladder },
            schedule: Schedule {
                call_every: periods(workflow.every, step).max(1),
                epoch_ticks,
                // A round closes on the tick before it settles; the last settles on the epoch's last tick.
                round_ticks: (1..=rounds)
                    .filter_map(|round| {
                        u32::try_from((round * ticks / rounds).checked_sub(2)?).ok()
                    })
                    .collect(),
                opening_delay: 0,
            },
        },
        fill_min: amount(workflow.fill_min.0),
        share_max: Premium::new(crate::panel::bps_floor(workflow.share_max.0)).unwrap_or_default(),
    }
}

/// Steps of `step` in `span`, rounded **up**.
pub(crate) fn periods(span: Span, step: Span) -> u32 {
    u32::try_from(span.0.div_ceil(step.0.max(1))).unwrap_or(u32::MAX / 4).min(u32::MAX / 4)
}
