//! One request on n nodes: who agrees, who is served, and that scheduling has no say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::cell::RefCell;
use std::sync::Mutex;
use std::time::Duration;

use cre::messages::basic_action::{Inputs, Outputs};
use cre::messages::node_action::NodeOutputs;
use cre::messages::sdk::{
    AggregationType, CapabilityRequest, CapabilityResponse, ConsensusDescriptor, ExecuteRequest,
    ExecutionResult, GetSecretsRequest, ReportRequest, ReportResponse, SecretRequest,
    SecretResponses, SimpleConsensusInputs, capability_response, consensus_descriptor,
    execution_result, secret_response, simple_consensus_inputs::Observation,
};
use cre::messages::values::{Value, value};
use cre::messages::{pack, unpack};
use don::{
    Behaviour, Call, Caller, CapabilityError, Code, Don, Execution, Job, Program, ProgramError,
    Registry, Workflow, WorkflowIdentity, execute,
};
use engine::{Limits, Mode, World};
use k256::ecdsa::SigningKey;
use primitives::Address;

const ACTION: &str = "basic-test-action@1.0.0";
const NODE_ACTION: &str = "basic-test-node-action@1.0.0";
const CONSENSUS: &str = "consensus@1.0.0-alpha";

#[test]
fn request_of_a_quorum_is_carried_out_once_and_answered_to_all() {
    let seen = RefCell::new(Vec::new());
    let mut registry = Registry::default();
    registry.register(ACTION, |call: &Call<'_>| {
        let Caller::Don(voters) = call.caller else { panic!("asked by one node") };
        seen.borrow_mut().push((call.method.to_owned(), voters.to_vec()));
        greet("hello")
    });

    let execution = run(&greeter, &mut registry, &[]);

    assert_eq!(text_of(&execution), "hello");
    assert_eq!(execution.agreed.as_ref().unwrap().voters, [0, 1, 2, 3]);
    drop(registry);
    assert_eq!(seen.into_inner(), [("PerformAction".to_owned(), vec![0, 1, 2, 3])]);
}

#[test]
fn one_absent_or_lying_node_changes_nothing_for_the_others() {
    for fault in [Fault::Absent, asks_otherwise(), asks_nothing(), hears_otherwise()] {
        let name = format!("{fault:?}");
        let mut registry = greeting();
        let execution = run(&greeter, &mut registry, &[Fault::Nothing, fault]);
        assert_eq!(text_of(&execution), "hello", "{name}");
        assert!(execution.agreed.unwrap().voters.starts_with(&[0]), "{name}");
        assert_eq!(execution.calls.len(), 1, "{name}");
    }
}

#[test]
fn two_absent_or_lying_nodes_of_four_are_too_many() {
    for faults in [
        [Fault::Absent, Fault::Absent],
        [asks_otherwise(), Fault::Absent],
        [asks_nothing(), asks_otherwise()],
    ] {
        let name = format!("{faults:?}");
        let execution = run(&greeter, &mut greeting(), &faults);
        let honest = execution.results[3].as_ref().unwrap().as_ref().unwrap();
        let Some(execution_result::Result::Error(reason)) = &honest.result else {
            panic!("{name}: {honest:?}")
        };
        assert_eq!(
            reason, "Public:System:ConsensusFailed:2 nodes produced the same bytes, 3 are needed",
            "{name}"
        );
        assert_eq!(execution.calls.len(), 1);
        assert_eq!(execution.calls[0].answer.as_ref().unwrap_err().code, Code::ConsensusFailed);
    }
}

#[test]
fn node_that_made_another_request_is_told_so() {
    // Not a lie on the way out: its copy of the workflow really differs.
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        let odd = world.node_seed() == odd_seed();
        world.call(Mode::Don, action(1, !odd)).unwrap();
        said(world.answer(1).unwrap())
    };
    let execution = run(&program, &mut greeting(), &[]);
    assert_eq!(text_of(&execution), "hello");
    let odd = execution.results[2].as_ref().unwrap().as_ref().unwrap();
    let Some(execution_result::Result::Error(reason)) = &odd.result else { panic!("{odd:?}") };
    assert!(reason.contains("ConsensusFailed"), "{reason}");
    assert_eq!(execution.calls[0].voters, [0, 1, 3]);
}

#[test]
fn node_that_lags_behind_is_waited_for() {
    // Node 2 makes two requests of its own first, the others none.
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        if world.node_seed() == odd_seed() {
            for callback_id in [-1, -2] {
                let request =
                    CapabilityRequest { id: NODE_ACTION.into(), ..action(callback_id, true) };
                world.call(Mode::Node, request).unwrap();
                world.answer(callback_id).unwrap();
            }
        }
        world.call(Mode::Don, action(1, true)).unwrap();
        said(world.answer(1).unwrap())
    };
    let execution = run(&program, &mut greeting(), &[]);
    assert_eq!(execution.calls.last().unwrap().voters, [0, 1, 2, 3]);
    assert_eq!(execution.agreed.unwrap().voters, [0, 1, 2, 3]);
}

#[test]
fn calls_are_started_before_they_are_awaited_and_served_by_id() {
    let order = RefCell::new(Vec::new());
    let mut registry = Registry::default();
    registry.register(ACTION, |call: &Call<'_>| {
        let Inputs { input_thing } = call.input()?;
        order.borrow_mut().push(input_thing);
        greet(&input_thing.to_string())
    });
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        world.call(Mode::Don, action(2, false)).unwrap();
        world.call(Mode::Don, action(1, true)).unwrap();
        let second = world.answer(2).unwrap();
        let first = world.answer(1).unwrap();
        let text = [first, second].map(|response| output(&response)).concat();
        Ok(result(value::Value::StringValue(text)))
    };
    let execution = run(&program, &mut registry, &[]);
    assert_eq!(text_of(&execution), "truefalse");
    drop(registry);
    assert_eq!(order.into_inner(), [true, false]);
}

#[test]
fn call_that_nobody_awaits_is_carried_out_all_the_same() {
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        world.call(Mode::Don, action(1, true)).unwrap();
        Ok(result(value::Value::BoolValue(true)))
    };
    let execution = run(&program, &mut greeting(), &[]);
    assert_eq!(execution.calls.len(), 1);
    assert!(execution.calls[0].answer.is_ok());
}

#[test]
fn nodes_observe_and_the_median_is_signed_by_f_plus_1() {
    let mut registry = observing();
    let execution = run(&observer, &mut registry, &[Fault::Absent]);
    let Some(execution_result::Result::Value(value)) =
        &execution.agreed.as_ref().unwrap().value.result
    else {
        panic!("{execution:?}")
    };
    // Observations 11, 12 and 13; node 0 is absent.
    assert_eq!(value.value, Some(value::Value::Int64Value(12)));
    let report: ReportResponse =
        unpack(execution.calls.last().unwrap().answer.as_ref().unwrap()).unwrap();
    assert_eq!(report.sigs.iter().map(|one| one.signer_id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(report.raw_report[1..33], [7; 32]);
    assert_eq!(report.raw_report[33..37], 1_000_u32.to_be_bytes());
    assert_eq!(report.raw_report[107..], *b"\x00\x01payload");
    assert_eq!((report.seq_nr, report.report_context[62]), (5, 5));
    assert_eq!(report.config_digest, report.report_context[..32]);
}

#[test]
fn liar_cannot_push_the_median_beyond_what_honest_nodes_saw() {
    let lie = Lie::Asks(|mut request| {
        if request.method == "Simple" {
            let mut inputs: SimpleConsensusInputs =
                unpack(request.payload.as_ref().unwrap()).unwrap();
            let huge = Value { value: Some(value::Value::Int64Value(i64::MAX)) };
            inputs.observation = Some(Observation::Value(huge));
            request.payload = Some(pack(&inputs));
        }
        Some(request)
    });
    let execution = run(&observer, &mut observing(), &[Fault::Lies(lie)]);
    let value = &execution.agreed.unwrap().value;
    let expect = result(value::Value::Int64Value(12));
    assert_eq!(*value, expect);
}

#[test]
fn reports_of_one_execution_have_numbers_of_their_own() {
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        for callback_id in [1, 2] {
            world.call(Mode::Don, report(callback_id)).unwrap();
        }
        world.answer(1).unwrap();
        world.answer(2).unwrap();
        Ok(result(value::Value::BoolValue(true)))
    };
    let execution = run(&program, &mut Registry::default(), &[]);
    let numbers = execution.calls.iter().map(|call| {
        let report: ReportResponse = unpack(call.answer.as_ref().unwrap()).unwrap();
        (report.raw_report[107..109].to_vec(), report.seq_nr)
    });
    assert_eq!(numbers.collect::<Vec<_>>(), [(vec![0, 1], 5), (vec![0, 2], 6)]);
}

#[test]
fn report_in_another_form_is_refused() {
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        let mut request = report(1);
        let asked = ReportRequest { signing_algo: "ed25519".into(), ..ReportRequest::default() };
        request.payload = Some(pack(&asked));
        world.call(Mode::Don, request).unwrap();
        said(world.answer(1).unwrap())
    };
    let execution = run(&program, &mut Registry::default(), &[]);
    assert_eq!(execution.calls[0].answer.as_ref().unwrap_err().code, Code::Unimplemented);
}

#[test]
fn twenty_runs_leave_one_transcript() {
    let transcript = || {
        let lie = Lie::Hears(|| CapabilityResponse {
            response: Some(capability_response::Response::Error("no".into())),
        });
        let faults = &[Fault::Nothing, Fault::Lies(lie)];
        // Threads that start and stop at different times.
        let program = |request: &ExecuteRequest, world: &mut dyn World| {
            std::thread::sleep(Duration::from_micros(world.node_seed() % 500));
            observer(request, world)
        };
        let execution = run(&program, &mut observing(), faults);
        format!("{:?} {:?} {:?}", execution.calls, execution.lines, execution.agreed)
    };
    let first = transcript();
    assert!(first.contains("node 3"), "{first}");
    for _ in 1..20 {
        assert_eq!(transcript(), first);
    }
}

#[test]
fn node_that_lies_about_its_result_is_outvoted() {
    let lie = Lie::Returns(|| result(value::Value::StringValue("mine".into())));
    let execution = run(&greeter, &mut greeting(), &[Fault::Lies(lie)]);
    assert_eq!(text_of(&execution), "hello");
    assert_eq!(execution.agreed.unwrap().voters, [1, 2, 3]);
}

#[test]
fn unknown_capability_is_named() {
    let execution = run(&greeter, &mut Registry::default(), &[]);
    let Some(execution_result::Result::Error(reason)) = execution.agreed.unwrap().value.result
    else {
        panic!("no error")
    };
    assert_eq!(
        reason,
        "Public:User:NotFound:no compatible capability found for id basic-test-action@1.0.0"
    );
}

#[test]
#[should_panic(expected = "a bug in node 2")]
fn panic_in_a_program_ends_the_execution() {
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        assert!(world.node_seed() != odd_seed(), "a bug in node 2");
        world.call(Mode::Don, action(1, true)).unwrap();
        // The host goes away; a module would be told.
        match world.answer(1) {
            Ok(response) => said(response),
            Err(reason) => {
                assert!(reason.contains("Aborted"), "{reason}");
                Ok(ExecutionResult::default())
            }
        }
    };
    run(&program, &mut greeting(), &[]);
}

#[test]
fn limits_stop_every_node_at_the_same_call() {
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        let mut texts = Vec::new();
        for callback_id in 1..=3 {
            let request = CapabilityRequest {
                id: "http-actions@1.0.0-alpha".into(),
                ..action(callback_id, true)
            };
            world.call(Mode::Don, request).unwrap();
            texts.push(outcome(&world.answer(callback_id).unwrap()));
        }
        Ok(result(value::Value::StringValue(texts.join("; "))))
    };
    let don = don();
    let mut registry = Registry::default();
    registry.register("http-actions@1.0.0-alpha", |_: &Call<'_>| greet("ok"));
    let mut workflow = Workflow::new(&program);
    workflow.limits.http.calls_max = 2;
    let execution =
        execute(&don, &workflow, &ExecuteRequest::default(), &job(), &mut registry, &[]);
    assert_eq!(
        text_of(&execution),
        "ok; ok; Public:User:LimitExceeded:more than 2 HTTP calls in one execution"
    );
    assert_eq!(execution.calls.len(), 2);
}

#[test]
fn every_limit_has_its_text() {
    let long = |len| CapabilityRequest {
        payload: Some(pack(&ReportRequest { encoded_payload: vec![0; len], ..Default::default() })),
        ..report(1)
    };
    let http = CapabilityRequest { id: "http-actions@1.0.0-alpha".into(), ..long(10_001) };
    let confidential =
        CapabilityRequest { id: "confidential-http@1.0.0-alpha".into(), ..long(10_001) };
    let read = CapabilityRequest {
        id: "evm:ChainSelector:1@1.0.0".into(),
        method: "CallContract".into(),
        ..long(5_001)
    };
    let write = |raw_report_len, gas_limit| CapabilityRequest {
        id: "evm:ChainSelector:1@1.0.0".into(),
        method: "WriteReport".into(),
        payload: Some(pack(&cre::messages::evm::WriteReportRequest {
            report: Some(ReportResponse {
                raw_report: vec![0; raw_report_len],
                ..Default::default()
            }),
            gas_config: Some(cre::messages::evm::GasConfig { gas_limit }),
            ..Default::default()
        })),
        ..action(1, true)
    };
    for (request, expect) in [
        (long(25_001), "an observation of"),
        (http, "an HTTP request of"),
        (confidential, "a confidential HTTP request of"),
        (read, "a chain read of"),
        (write(5_001, 0), "a report of 5001 bytes, the limit is 5000"),
        (write(5_000, 5_000_001), "a write of 5000001 gas, the limit is 5000000"),
    ] {
        let program = |_: &ExecuteRequest, world: &mut dyn World| {
            world.call(Mode::Don, request.clone()).unwrap();
            said(world.answer(1).unwrap())
        };
        let execution = run(&program, &mut Registry::default(), &[]);
        let Some(execution_result::Result::Error(reason)) = execution.agreed.unwrap().value.result
        else {
            panic!("{expect}: no error")
        };
        assert!(reason.starts_with("Public:User:LimitExceeded:"), "{reason}");
        assert!(reason.contains(expect), "{reason}");
    }
}

#[test]
fn too_many_calls_at_once_are_refused() {
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        for callback_id in 1..=31 {
            world.call(Mode::Don, action(callback_id, true)).unwrap();
        }
        said(world.answer(31).unwrap())
    };
    let execution = run(&program, &mut greeting(), &[]);
    let Some(execution_result::Result::Error(reason)) = execution.agreed.unwrap().value.result
    else {
        panic!("no error")
    };
    assert_eq!(reason, "Public:User:LimitExceeded:more than 30 calls at once");
}

#[test]
fn result_that_is_too_long_is_no_result() {
    let program = |_: &ExecuteRequest, _: &mut dyn World| {
        Ok(result(value::Value::BytesValue(vec![0; Limits::production().response_size_max])))
    };
    let execution = run(&program, &mut Registry::default(), &[]);
    assert!(matches!(execution.results[0], Some(Err(ProgramError::Refused(_)))));
    assert!(execution.agreed.is_err());
}

#[test]
fn secrets_are_given_to_every_node_and_counted() {
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        let ask = |id: &str| GetSecretsRequest {
            requests: vec![SecretRequest { id: id.into(), namespace: String::new() }],
            callback_id: 1,
        };
        let mut texts = Vec::new();
        for id in ["Foo", "Other", "Foo", "Foo", "Foo", "Foo"] {
            texts.push(match world.secrets(ask(id)) {
                Ok(found) => match found.responses[0].response.clone().unwrap() {
                    secret_response::Response::Secret(secret) => secret.value,
                    secret_response::Response::Error(error) => error.error,
                },
                Err(reason) => reason,
            });
        }
        Ok(result(value::Value::StringValue(texts.join(","))))
    };
    let mut workflow = Workflow::new(&program);
    workflow.secrets.insert("", "Foo", "Bar");
    let execution = execute(
        &don(),
        &workflow,
        &ExecuteRequest::default(),
        &job(),
        &mut Registry::default(),
        &[],
    );
    assert_eq!(
        text_of(&execution),
        "Bar,could not find secret,Bar,Bar,Bar,\
         Public:User:LimitExceeded:more than 5 secret calls in one execution"
    );
}

#[test]
fn lines_are_kept_by_node_up_to_the_limit() {
    let program = |_: &ExecuteRequest, world: &mut dyn World| {
        world.log(Mode::Don, "once");
        world.log(Mode::Don, &"x".repeat(1_001));
        for _ in 0..1_001 {
            world.log(Mode::Node, "often");
        }
        Ok(ExecutionResult::default())
    };
    let execution = run(&program, &mut Registry::default(), &[Fault::Absent]);
    let of = |mode| execution.lines.iter().filter(|line| line.mode == mode).count();
    assert_eq!((of(Mode::Don), of(Mode::Node)), (3, 3_000));
    assert_eq!(execution.lines[0].node, 1);
}

/// Calls the basic action and returns its answer.
fn greeter(_: &ExecuteRequest, world: &mut dyn World) -> Result<ExecutionResult, ProgramError> {
    world.call(Mode::Don, action(1, true)).unwrap();
    said(world.answer(1).unwrap())
}

/// Each node looks for itself, the DON takes the median and signs.
fn observer(_: &ExecuteRequest, world: &mut dyn World) -> Result<ExecutionResult, ProgramError> {
    let look = CapabilityRequest { id: NODE_ACTION.into(), ..action(-1, true) };
    world.call(Mode::Node, look).unwrap();
    let seen: NodeOutputs = match world.answer(-1).unwrap().response.unwrap() {
        capability_response::Response::Payload(any) => unpack(&any).unwrap(),
        capability_response::Response::Error(_) => NodeOutputs { output_thing: 0 },
    };
    world.log(Mode::Node, &format!("node {}", seen.output_thing - 10));
    let seen = Value { value: Some(value::Value::Int64Value(seen.output_thing.into())) };
    let inputs = SimpleConsensusInputs {
        observation: Some(Observation::Value(seen)),
        descriptors: Some(ConsensusDescriptor {
            descriptor: Some(consensus_descriptor::Descriptor::Aggregation(
                AggregationType::Median as i32,
            )),
        }),
        default: None,
    };
    let simple = CapabilityRequest {
        id: CONSENSUS.into(),
        payload: Some(pack(&inputs)),
        method: "Simple".into(),
        callback_id: 1,
    };
    world.call(Mode::Don, simple).unwrap();
    let agreed = world.answer(1).unwrap();
    world.call(Mode::Don, report(2)).unwrap();
    world.answer(2).unwrap();
    match agreed.response.unwrap() {
        capability_response::Response::Payload(any) => {
            let value: Value = unpack(&any).unwrap();
            Ok(ExecutionResult { result: Some(execution_result::Result::Value(value)) })
        }
        capability_response::Response::Error(reason) => {
            Ok(ExecutionResult { result: Some(execution_result::Result::Error(reason)) })
        }
    }
}

fn run(program: &dyn Program, registry: &mut Registry<'_>, faults: &[Fault]) -> Execution {
    let workflow = Workflow::new(program);
    let liars = faults.iter().map(|fault| match fault {
        Fault::Lies(lie) => Some(Liar { program, lie }),
        Fault::Nothing | Fault::Absent => None,
    });
    let liars: Vec<Option<Liar<'_>>> = liars.collect();
    let behaviours = faults.iter().zip(&liars).map(|(fault, liar)| match (fault, liar) {
        (Fault::Absent, _) => Behaviour::Absent,
        (Fault::Nothing | Fault::Lies(_), Some(liar)) => Behaviour::Own(liar),
        (Fault::Nothing | Fault::Lies(_), None) => Behaviour::Honest,
    });
    let behaviours: Vec<Behaviour<'_>> = behaviours.collect();
    execute(&don(), &workflow, &ExecuteRequest::default(), &job(), registry, &behaviours)
}

/// What is wrong with a node.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Nothing,
    Absent,
    Lies(Lie),
}

/// What a lying node makes of what passes through it.
#[derive(Debug, Clone, Copy)]
enum Lie {
    /// Of a capability request, before the other nodes see it; `None` is silence.
    Asks(fn(CapabilityRequest) -> Option<CapabilityRequest>),
    /// Of a capability's answer, before its copy of the workflow sees it.
    Hears(fn() -> CapabilityResponse),
    /// Of the workflow's result.
    Returns(fn() -> ExecutionResult),
}

/// The program, told and telling otherwise.
struct Liar<'a> {
    program: &'a dyn Program,
    lie: &'a Lie,
}

impl Program for Liar<'_> {
    fn run(
        &self,
        request: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, ProgramError> {
        let result = self.program.run(request, &mut Twisted { world, lie: self.lie })?;
        Ok(if let Lie::Returns(other) = self.lie { other() } else { result })
    }
}

struct Twisted<'a> {
    world: &'a mut dyn World,
    lie: &'a Lie,
}

impl World for Twisted<'_> {
    fn call(&mut self, mode: Mode, request: CapabilityRequest) -> Result<(), String> {
        let said = if let Lie::Asks(other) = self.lie { other(request) } else { Some(request) };
        said.map_or(Ok(()), |request| self.world.call(mode, request))
    }

    fn answer(&mut self, callback_id: i32) -> Result<CapabilityResponse, String> {
        let answer = self.world.answer(callback_id)?;
        Ok(if let Lie::Hears(other) = self.lie { other() } else { answer })
    }

    fn secrets(&mut self, request: GetSecretsRequest) -> Result<SecretResponses, String> {
        self.world.secrets(request)
    }

    fn now(&mut self, mode: Mode) -> Result<u64, String> {
        self.world.now(mode)
    }

    fn execution_id(&self) -> &str {
        self.world.execution_id()
    }

    fn node_seed(&mut self) -> u64 {
        self.world.node_seed()
    }

    fn log(&mut self, mode: Mode, line: &str) {
        self.world.log(mode, line);
    }
}

fn don() -> Don {
    let signers = (1..=4).map(|i| SigningKey::from_slice(&[i; 32]).unwrap()).collect();
    Don::new(
        signers,
        1,
        1,
        1,
        WorkflowIdentity::new(Address([7; 20]), "name", b"binary", b"config"),
    )
}

fn job() -> Job {
    Job { execution_id: [7; 32], sequence: 5, now_ns: 1_000_000_000_000, restrictions: None }
}

/// Node 2's.
fn odd_seed() -> u64 {
    static SEED: Mutex<Option<u64>> = Mutex::new(None);
    let mut seed = SEED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *seed.get_or_insert_with(|| {
        let digest = primitives::sha256(&[b"cdpr/node-seed/v1", &[7; 32], &2_u64.to_be_bytes()]);
        u64::from_be_bytes(digest[..8].try_into().unwrap())
    })
}

fn greeting<'a>() -> Registry<'a> {
    let mut registry = Registry::default();
    registry.register(ACTION, |_: &Call<'_>| greet("hello"));
    registry.register(NODE_ACTION, |_: &Call<'_>| greet("hello"));
    registry
}

fn observing<'a>() -> Registry<'a> {
    let mut registry = Registry::default();
    registry.register(NODE_ACTION, |call: &Call<'_>| {
        let Caller::Node(node) = call.caller else { panic!("asked by the DON") };
        Ok(pack(&NodeOutputs { output_thing: 10 + i32::try_from(node).unwrap() }))
    });
    registry
}

fn greet(text: &str) -> Result<cre::messages::Any, CapabilityError> {
    Ok(pack(&Outputs { adapted_thing: text.to_owned() }))
}

fn action(callback_id: i32, input_thing: bool) -> CapabilityRequest {
    CapabilityRequest {
        id: ACTION.into(),
        payload: Some(pack(&Inputs { input_thing })),
        method: "PerformAction".into(),
        callback_id,
    }
}

fn report(callback_id: i32) -> CapabilityRequest {
    let asked = ReportRequest {
        encoded_payload: b"payload".to_vec(),
        encoder_name: "evm".into(),
        signing_algo: "ecdsa".into(),
        hashing_algo: "keccak256".into(),
    };
    CapabilityRequest {
        id: CONSENSUS.into(),
        payload: Some(pack(&asked)),
        method: "Report".into(),
        callback_id,
    }
}

fn asks_otherwise() -> Fault {
    Fault::Lies(Lie::Asks(|request| Some(action(request.callback_id, false))))
}

fn asks_nothing() -> Fault {
    Fault::Lies(Lie::Asks(|_| None))
}

fn hears_otherwise() -> Fault {
    Fault::Lies(Lie::Hears(|| CapabilityResponse {
        response: Some(capability_response::Response::Payload(pack(&Outputs {
            adapted_thing: "else".into(),
        }))),
    }))
}

fn result(value: value::Value) -> ExecutionResult {
    let value = Value { value: Some(value) };
    ExecutionResult { result: Some(execution_result::Result::Value(value)) }
}

/// The action's answer as a result.
fn said(response: CapabilityResponse) -> Result<ExecutionResult, ProgramError> {
    Ok(match response.response.unwrap() {
        capability_response::Response::Payload(any) => {
            let Outputs { adapted_thing } = unpack(&any).unwrap();
            result(value::Value::StringValue(adapted_thing))
        }
        capability_response::Response::Error(reason) => {
            ExecutionResult { result: Some(execution_result::Result::Error(reason)) }
        }
    })
}

fn outcome(response: &CapabilityResponse) -> String {
    match response.response.clone().unwrap() {
        capability_response::Response::Payload(_) => output(response),
        capability_response::Response::Error(reason) => reason,
    }
}

fn output(response: &CapabilityResponse) -> String {
    let Some(capability_response::Response::Payload(any)) = &response.response else {
        panic!("{response:?}")
    };
    unpack::<Outputs>(any).unwrap().adapted_thing
}

fn text_of(execution: &Execution) -> String {
    match &execution.agreed.as_ref().unwrap().value.result {
        Some(execution_result::Result::Value(Value {
            value: Some(value::Value::StringValue(text)),
        })) => text.clone(),
        other => panic!("{other:?}"),
    }
}
