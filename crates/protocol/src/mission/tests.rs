use primitives::{Bytes32, CommitmentHash};
use proptest::prelude::*;

use super::*;
use crate::attest::Opening;
use crate::workflow::{Compute, Condition, FillEvent, Output, OutputKind, Reference};

fn bps(value: u16) -> Premium {
    Premium::new(value).expect("a test's premium is small")
}

fn reference(step: &str, output: &str) -> Reference {
    Reference { step: step.into(), output: output.into() }
}

fn step(id: &str, kind: StepKind) -> Step {
    Step { id: id.into(), kind }
}

fn compute(outputs: Vec<Output>) -> StepKind {
    StepKind::ConfidentialCompute(Compute {
        image: "image".into(),
        feed: "FEED".into(),
        threshold: None,
        outputs,
    })
}

/// The seed's workflow, as the parser hands it over.
fn setup(disclosure: Disclosure) -> Setup {
    let status = || Output { name: "status".into(), kind: OutputKind::Boolean };
    let nested = vec![
        step(
            "create-request",
            StepKind::DarkPool(DarkPool {
                pool: "POOL".into(),
                asset: "CASH".into(),
                amount: reference("check-reserves", "deficit"),
                premium: bps(50),
                timeout: Duration(3_600),
            }),
        ),
        step(
            "monitor-fill",
            StepKind::Wait { event: FillEvent::ClearingReady, timeout: Duration(3_600) },
        ),
        step("settle", StepKind::OnchainTx { call: OnchainCall::Settle, contract: "POOL".into() }),
    ];
    let steps = vec![
        step(
            "check-reserves",
            compute(vec![status(), Output { name: "deficit".into(), kind: OutputKind::Encrypted }]),
        ),
        step(
            "trigger-recovery",
            StepKind::Conditional {
                condition: Condition {
                    step: "check-reserves".into(),
                    output: "status".into(),
                    equals: false,
                },
                steps: nested,
            },
        ),
        step("verify-recovery", compute(vec![status()])),
        step(
            "publish-attestation",
            StepKind::OnchainTx { call: OnchainCall::Attest, contract: "POR".into() },
        ),
    ];
    let cron = "*/5 * * * *".parse().expect("the seed's cron");
    Setup {
        workflow: Workflow { name: "test".into(), cron, steps },
        disclosure,
        escalation: Escalation {
            ladder: vec![bps(50), bps(100), bps(300)],
            premium_cap: bps(800),
            attempts_max: 3,
        },
        schedule: Schedule {
            call_every: 3,
            epoch_ticks: 12,
            round_ticks: vec![2, 5, 8],
            opening_delay: 0,
        },
    }
}

fn at(tick: u32) -> Timestamp {
    Timestamp(u64::from(tick) * 300)
}

/// Answers effects the way the chain and the enclave do, from a script of what each tick finds.
struct World {
    mission: Mission,
    writes: Vec<(u32, &'static str)>,
    epochs: Vec<u64>,
    premiums: Vec<u16>,
    attempts: u8,
    /// Fills left before a request is whole; `None` never has anything to clear.
    rounds_to_fill: Option<u32>,
    delivered: bool,
    position: CommitmentHash,
    /// What the contracts store, kept without the mission's help.
    stored: View,
    /// Epochs that a receiver carried out.
    carried_out: Vec<u64>,
}

impl World {
    fn new(disclosure: Disclosure) -> Self {
        Self {
            mission: Mission::new(setup(disclosure)),
            writes: Vec::new(),
            epochs: Vec::new(),
            premiums: Vec::new(),
            attempts: 0,
            rounds_to_fill: None,
            delivered: true,
            position: CommitmentHash([5; 32]),
            stored: View {
                tick: 0,
                epoch: 0,
                request: None,
                ready: None,
                attempts: 0,
                halted: false,
                position: CommitmentHash([5; 32]),
            },
            carried_out: Vec::new(),
        }
    }

    /// Takes facts as the contracts would store them.
    fn store(&mut self, facts: &[Fact], tick: u32) {
        for fact in facts {
            let request = self.stored.request.as_mut();
            match fact {
                Fact::RequestOpened { id, premium, expires, .. } => {
                    self.stored.request = Some(Request {
                        id: *id,
                        premium: *premium,
                        opened_tick: tick,
                        expires: *expires,
                        rounds: 0,
                        status: RequestStatus::Pending,
                    });
                }
                Fact::RoundSettled { status, position, .. } => {
                    let request = request.expect("a round has a request");
                    (request.rounds, request.status) = (request.rounds + 1, *status);
                    self.stored.position = *position;
                }
                Fact::RequestExpired { attempts, .. } => {
                    request.expect("what expires was open").status = RequestStatus::Expired;
                    self.stored.attempts = *attempts;
                }
                Fact::RequestRevealed { status, .. } => {
                    request.expect("what is opened was sealed").status = *status;
                }
                Fact::RecoveryAttested { recovered } => {
                    if *recovered {
                        self.stored.attempts = 0;
                    }
                }
                Fact::Halted => self.stored.halted = true,
                Fact::ReportExecuted { epoch } => {
                    self.stored.epoch = self.stored.epoch.max(*epoch);
                }
                Fact::StatusReported { .. } | Fact::LeavesInserted { .. } => {}
            }
        }
    }

    /// A mission that lived through nothing and reads what is stored asks for the same effects.
    fn check_resumed(&self, tick: u32, observed: &Event, effects: &[Effect]) {
        let view =
            View { tick: tick - 1, ready: self.mission.ready.clone(), ..self.stored.clone() };
        let mut resumed = Mission::resume(self.mission.setup.clone(), view);
        resumed.step(at(tick), &Event::Ticked { tick }).expect("a tick in order");
        let again = resumed.step(at(tick), observed).expect("the same answer");
        let writes = |effects: &[Effect]| -> Vec<Effect> {
            effects.iter().filter(|effect| matches!(effect, Effect::Write(_))).cloned().collect()
        };
        assert_eq!(writes(&again), writes(effects), "tick {tick}");
    }

    fn tick(&mut self, backed: bool) {
        let tick = self.mission.tick() + 1;
        let now = at(tick);
        self.mission.step(now, &Event::Ticked { tick }).expect("a tick in order");
        while let Some(effect) = self.mission.outstanding().front().cloned() {
            let event = self.answer(&effect, tick, backed);
            let before = self.mission.ready.clone();
            let effects = self.mission.step(now, &event).expect("an answer to what is outstanding");
            if matches!(event, Event::Observed { .. }) {
                assert_eq!(before, self.mission.ready);
                self.check_resumed(tick, &event, &effects);
            }
        }
    }

    fn answer(&mut self, effect: &Effect, tick: u32, backed: bool) -> Event {
        match effect {
            Effect::Observe { .. } => {
                let sealed = self.mission.setup.disclosure == Disclosure::Sealed;
                let status = if sealed {
                    Status::Sealed(CommitmentHash([9; 32]))
                } else {
                    Status::Backed(backed)
                };
                let opening =
                    (sealed && self.mission.setup.schedule.opens_on(tick)).then_some(Opening {
                        status: RequestStatus::Filled,
                        salt: [1; 32],
                        recovered: backed,
                    });
                let deficit = CommitmentHash([u8::try_from(tick).expect("short tests"); 32]);
                let observed = Observed {
                    tick,
                    now: at(tick),
                    status,
                    deficit,
                    position: self.position,
                    notice: Vec::new(),
                    opening,
                };
                Event::Observed { observed, signature: Vec::new() }
            }
            Effect::Write(write) => {
                self.writes.push((tick, write.call.function()));
                self.epochs.push(write.epoch);
                let facts = if self.delivered { self.facts(&write.call, tick) } else { Vec::new() };
                if self.delivered {
                    self.carried_out.push(write.epoch);
                    self.stored.epoch = write.epoch;
                    self.store(&facts, tick);
                }
                Event::Written { transaction: Bytes32([0; 32]), delivered: self.delivered, facts }
            }
            Effect::Clear { request, round, .. } => {
                let ready = self.rounds_to_fill.filter(|left| *left > 0).map(|_| Ready {
                    request: *request,
                    round: *round,
                    zk_proof: vec![1],
                    tee_attestation: vec![2],
                });
                Event::Cleared { ready }
            }
        }
    }

    fn facts(&mut self, call: &Call, tick: u32) -> Vec<Fact> {
        let id = self.mission.request().map_or(RequestId([1; 32]), |request| request.id);
        match call {
            Call::RequestCollateral { encrypted_amount, premium, timeout } => {
                self.premiums.push(premium.bps());
                vec![Fact::RequestOpened {
                    id: RequestId(encrypted_amount.0),
                    commitment: *encrypted_amount,
                    premium: *premium,
                    opened: at(tick),
                    expires: at(tick) + *timeout,
                }]
            }
            Call::ConfidentialFill { request, .. } => {
                let left = self.rounds_to_fill.map_or(0, |left| left - 1);
                self.rounds_to_fill = Some(left);
                let status =
                    if left == 0 { RequestStatus::Filled } else { RequestStatus::PartiallyFilled };
                self.position.0[0] += 1;
                vec![Fact::RoundSettled { id: *request, round: 1, status, position: self.position }]
            }
            Call::ExpireRequest { request } => {
                self.attempts += 1;
                let expired = Fact::RequestExpired { id: *request, attempts: self.attempts };
                if self.attempts == 3 { vec![expired, Fact::Halted] } else { vec![expired] }
            }
            Call::OpenRequest { status, .. } => vec![Fact::RequestRevealed { id, status: *status }],
            Call::AttestRecovery { recovered, .. } => {
                vec![Fact::RecoveryAttested { recovered: *recovered }]
            }
            Call::ReportStatus { commitment } => {
                vec![Fact::StatusReported { commitment: *commitment }]
            }
        }
    }

    fn functions(&self, tick: u32) -> Vec<&'static str> {
        self.writes.iter().filter(|(t, _)| *t == tick).map(|(_, function)| *function).collect()
    }
}

#[test]
fn a_healthy_tick_only_attests() {
    let mut world = World::new(Disclosure::Immediate);
    world.tick(true);
    assert_eq!(world.functions(1), ["attestRecovery"]);
    assert_eq!(world.mission.outcome(), Outcome::Healthy);
}

#[test]
fn a_shortfall_asks_once_and_settles_on_later_ticks_until_filled() {
    let mut world = World::new(Disclosure::Immediate);
    world.rounds_to_fill = Some(2);
    (0..6).for_each(|_| world.tick(false));
    world.tick(true);
    assert_eq!(world.functions(1), ["requestCollateral", "attestRecovery"]);
    assert_eq!(world.functions(2), ["attestRecovery"]);
    // The call closed on tick 4, its first round settles on 5 and its second on 6.
    assert_eq!(world.functions(5), ["confidentialFill", "attestRecovery"]);
    assert_eq!(world.functions(6), ["confidentialFill", "attestRecovery"]);
    assert_eq!(world.mission.rounds(), 2);
    assert_eq!(world.mission.request().map(|request| request.status), Some(RequestStatus::Filled));
    assert_eq!(
        (world.mission.outcome(), world.mission.recovered_tick()),
        (Outcome::Recovered, Some(7))
    );
}

#[test]
fn an_expired_request_is_asked_again_a_rung_higher_and_then_halts() {
    let mut world = World::new(Disclosure::Immediate);
    (0..60).for_each(|_| world.tick(false));
    assert_eq!(world.premiums, [50, 100, 300]);
    assert_eq!(world.functions(13), ["expireRequest", "attestRecovery"]);
    assert_eq!(world.functions(14), ["requestCollateral", "attestRecovery"]);
    assert_eq!(world.mission.outcome(), Outcome::Halted);
    // Invariant 4.
    assert_eq!(world.functions(60), ["attestRecovery"]);
}

#[test]
fn a_refused_delivery_is_tried_again_on_the_next_tick() {
    let mut world = World::new(Disclosure::Immediate);
    world.delivered = false;
    world.tick(false);
    assert!(world.mission.request().is_none());
    world.delivered = true;
    world.tick(false);
    assert_eq!(world.functions(2), ["requestCollateral", "attestRecovery"]);
}

#[test]
fn a_round_that_misses_its_deadline_is_void() {
    let mut world = World::new(Disclosure::Immediate);
    world.tick(false);
    world.mission.ready = world.mission.request().map(|r| Ready {
        request: r.id,
        round: 1,
        zk_proof: vec![],
        tee_attestation: vec![],
    });
    world.mission.tick = 12;
    world.tick(false);
    assert_eq!(world.functions(13), ["expireRequest", "attestRecovery"]);
    assert_eq!(world.mission.ready, None);
}

#[test]
fn sealed_ticks_are_alike_whatever_the_status() {
    let run = |backed: bool| {
        let mut world = World::new(Disclosure::Sealed);
        world.rounds_to_fill = Some(u32::MAX);
        (0..30).for_each(|_| world.tick(backed));
        (world.writes, world.epochs)
    };
    let healthy = run(true);
    assert_eq!(healthy, run(false));
    let on =
        |tick| healthy.0.iter().filter(|(t, _)| *t == tick).map(|(_, f)| *f).collect::<Vec<_>>();
    assert_eq!(on(1), ["requestCollateral", "reportStatus"]);
    assert_eq!(on(4), ["confidentialFill", "reportStatus"]);
    assert_eq!(on(5), ["reportStatus"]);
    assert_eq!(on(13), ["openRequest", "attestRecovery", "requestCollateral", "reportStatus"]);
}

#[test]
fn answers_to_nothing_change_nothing() {
    let mut mission = Mission::new(setup(Disclosure::Immediate));
    let before = mission.clone();
    for event in [
        Event::Cleared { ready: None },
        Event::Unwritten { agreeing: 2 },
        Event::Written {
            transaction: Bytes32([0; 32]),
            delivered: true,
            facts: vec![Fact::Halted],
        },
        Event::Unobserved { tick: 1 },
        Event::Ticked { tick: 2 },
    ] {
        let refused = mission.step(at(1), &event);
        assert!(
            matches!(refused, Err(Refused::Unexpected { .. } | Refused::WrongTick { .. })),
            "{event:?}: {refused:?}"
        );
        assert_eq!(mission, before);
    }
    mission.step(at(1), &Event::Ticked { tick: 1 }).expect("the first tick");
    let early = mission.step(at(2), &Event::Ticked { tick: 2 });
    assert!(
        matches!(early, Err(Refused::Unexpected { .. })),
        "a tick while one is open: {early:?}"
    );
    let wrong = Observed {
        tick: 1,
        now: at(1),
        status: Status::Sealed(CommitmentHash([0; 32])),
        deficit: CommitmentHash([0; 32]),
        position: CommitmentHash([0; 32]),
        notice: Vec::new(),
        opening: None,
    };
    let refused = mission.step(at(1), &Event::Observed { observed: wrong, signature: Vec::new() });
    assert_eq!(refused, Err(Refused::WrongDisclosure { expected: "immediate", got: "sealed" }));
}

#[test]
fn an_answer_that_counts_a_position_the_chain_does_not_hold_is_refused() {
    let mut world = World::new(Disclosure::Immediate);
    world.rounds_to_fill = Some(1);
    (0..6).for_each(|_| world.tick(false));
    let tick = world.mission.tick() + 1;
    world.mission.step(at(tick), &Event::Ticked { tick }).expect("a tick in order");
    let effect = world.mission.outstanding()[0].clone();
    world.position.0[0] += 1;
    let event = world.answer(&effect, tick, true);
    let refused = world.mission.step(at(tick), &event);
    assert!(matches!(refused, Err(Refused::WrongPosition { .. })), "{refused:?}");
    assert!(matches!(world.mission.step(at(tick + 1), &event), Err(Refused::WrongInstant { .. })));
}

#[test]
fn a_round_the_chain_refused_is_cleared_again() {
    let mut world = World::new(Disclosure::Immediate);
    world.rounds_to_fill = Some(1);
    (0..4).for_each(|_| world.tick(false));
    assert!(world.mission.ready.is_some());
    world.delivered = false;
    world.tick(false);
    assert_eq!(world.functions(5), ["confidentialFill", "attestRecovery"]);
    world.delivered = true;
    // Void: the round is closed and proved anew on the same tick, and settles on the next.
    world.tick(false);
    assert_eq!(world.functions(6), ["confidentialFill", "attestRecovery"]);
    assert_eq!(world.mission.request().map(|request| request.status), Some(RequestStatus::Filled));
}

/// The request's life as a table, written without looking at the machine.
fn model(status: RequestStatus, function: &str) -> &'static [RequestStatus] {
    use RequestStatus::{Expired, Filled, PartiallyFilled, Pending};
    match (status, function) {
        (Pending | PartiallyFilled, "confidentialFill") => &[PartiallyFilled, Filled],
        (Pending | PartiallyFilled, "expireRequest") => &[Expired],
        (Filled | Expired, "requestCollateral") => &[Pending],
        (_, "attestRecovery") => &[Pending, PartiallyFilled, Filled, Expired],
        _ => &[],
    }
}

proptest! {
    #[test]
    fn random_worlds_follow_the_model(
        ticks in prop::collection::vec((any::<bool>(), any::<bool>(), 0u32..4), 1..80),
    ) {
        let mut world = World::new(Disclosure::Immediate);
        for (backed, delivered, supply) in ticks {
            world.delivered = delivered;
            if world.rounds_to_fill.is_none_or(|left| left == 0) {
                world.rounds_to_fill = (supply > 0).then_some(supply);
            }
            let halted = world.mission.halted();
            let before = world.mission.request().copied();
            world.tick(backed);
            let after = world.mission.request().copied();
            let functions = world.functions(world.mission.tick());
            if halted {
                prop_assert!(!functions.contains(&"requestCollateral"));
            }
            if let (Some(before), Some(after)) = (before, after) {
                let moved = functions.iter().find(|function| **function != "attestRecovery").copied();
                let unmoved = [before.status];
                let allowed = moved.map_or(unmoved.as_slice(), |function| model(before.status, function));
                prop_assert!(after.status == before.status || allowed.contains(&after.status));
                prop_assert!(moved.is_none() || !delivered || allowed.contains(&after.status));
                prop_assert!(after.id == before.id || !before.is_live());
            }
            // Invariant 3.
            prop_assert!(world.carried_out.is_sorted_by(|a, b| a < b));
        }
    }
}

/// Invariant 3 has an end: near the last epoch there is none above.
#[test]
fn a_tick_whose_writes_would_pass_the_last_epoch_is_refused_and_changes_nothing() {
    for (epoch, fits) in [(u64::MAX, false), (u64::MAX - 1, false), (u64::MAX - 2, true)] {
        let mut world = World::new(Disclosure::Immediate);
        world.stored.epoch = epoch;
        let mut mission = Mission::resume(world.mission.setup.clone(), world.stored.clone());
        mission.step(at(1), &Event::Ticked { tick: 1 }).unwrap();
        // A shortfall's first tick writes twice.
        let observed = world.answer(&Effect::Observe { tick: 1 }, 1, false);
        let before = mission.clone();
        match mission.step(at(1), &observed) {
            Ok(effects) => assert!(fits && effects.len() == 2, "{effects:?}"),
            Err(refused) => {
                assert_eq!(refused, Refused::EpochsUsedUp { epoch, wanted: 2 });
                assert_eq!((mission, fits), (before, false));
            }
        }
    }
}

#[test]
fn numbers_that_the_chain_alone_chooses_overflow_nothing() {
    let mut world = World::new(Disclosure::Immediate);
    let request = Request {
        id: RequestId([1; 32]),
        premium: bps(50),
        opened_tick: u32::MAX,
        expires: Timestamp(u64::MAX),
        rounds: u32::MAX,
        status: RequestStatus::PartiallyFilled,
    };
    world.stored =
        View { tick: u32::MAX - 1, request: Some(request), attempts: u8::MAX, ..world.stored };
    let mut mission = Mission::resume(world.mission.setup.clone(), world.stored.clone());
    let now = Timestamp(u64::MAX);
    mission.step(now, &Event::Ticked { tick: u32::MAX }).unwrap();
    mission.step(now, &Event::Unobserved { tick: u32::MAX }).unwrap();
    let refused = mission.step(now, &Event::Ticked { tick: u32::MAX }).unwrap_err();
    assert_eq!(refused, Refused::WrongTick { expected: u32::MAX, got: u32::MAX });
}
