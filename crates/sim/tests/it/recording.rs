//! What the recovery's module asks and answers on a DON of ours, for Chainlink's host to repeat: the committed
//! module with the committed configuration of `cdpr workflow simulate`, over the shipped scenario.

use std::cell::RefCell;
use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cre::messages::sdk::execute_request::Request;
use cre::messages::sdk::{CapabilityResponse, ExecuteRequest, Trigger, capability_response};
use don::chain::Chain;
use don::triggers::Schedule;
use don::{Don, Execution, Job, Registry, Workflow};
use engine::{Limits, Module};
use primitives::{Duration, Timestamp, sha256};
use prost::Message as _;
use recovery::DisclosureMode::Immediate;
use recovery::guest::Recovery;
use serde_json::{Value, json};
use sim::{Embedded, Faults, Guest, shipped};

use crate::inputs;

const CONFIG: &[u8] = include_bytes!("../../../../workflows/recovery/config.staging.json");

/// The schedule's period.
const TICK: Duration = Duration(300);

/// The first tick of the scenario that asks for collateral.
const SHORT: u64 = 10;

/// What a run of one kind asks is asked in every world; answers and signatures are one world's, and stay recorded.
#[test]
fn the_recording_for_chainlinks_host_is_what_the_module_does_here() {
    let module = Module::compile(sim::MODULE, &Limits::production()).unwrap();
    let guest = Guest {
        name: "confidential-recovery-darkpool-staging".to_owned(),
        binary: module.hash().to_vec(),
        config: CONFIG.to_vec(),
    };
    let inputs = inputs(shipped()["usdc-2023-03"], Immediate, 1, Faults::default());
    let start = inputs.scenario.start;
    let world = Embedded::open(guest, inputs).unwrap();
    let (recovery, contracts) = (Recovery::parse(CONFIG).unwrap(), world.contracts());
    assert_eq!(recovery.dark_pool.0, contracts.dark_pool.0, "the configuration is this world's");

    let chain = don::chain::id(recovery.chain_selector);
    let don = world.don();
    let execute = |name: &str, now, request: Request| {
        world.advance_to(now);
        let mut registry = Registry::default();
        registry.register(cre::messages::darkpool::ID, world.dark_pool());
        let evm = Chain::new(world.provider(), world.transmitter(), Limits::production()).unwrap();
        registry.register(chain.clone(), evm);
        run(&don, &module, name, now, request, &mut registry)
    };
    let trigger = |now| Trigger { id: 0, payload: Some(Schedule::payload(now)) };

    let mut executions = vec![execute("subscribe", start, Request::Subscribe(()))];
    for tick in 1..=SHORT {
        let now = start + Duration(tick * TICK.0);
        let execution = execute(&format!("tick {tick}"), now, Request::Trigger(trigger(now)));
        let is_short = methods(&execution).any(|method| method == "RequestCollateral");
        assert_eq!(is_short, tick == SHORT, "tick {tick}");
        if tick == 1 || tick == SHORT {
            executions.push(execution);
        }
    }
    let now = start + TICK;
    executions.push(execute("pre-hook", now, Request::PreHook(trigger(now))));

    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/go/testdata/recovery.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, format!("{:#}\n", json!(executions))).unwrap();
    }
    let committed: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    for (recorded, lived) in committed.iter().zip(&executions) {
        let name = recorded["name"].as_str().unwrap();
        assert!(methods(recorded).eq(methods(lived)), "{name}; rerun with BLESS=1 if it is meant");
        let answers = RefCell::new(VecDeque::from_iter(recorded["calls"].as_array().unwrap()));
        let answer = |call: &don::Call<'_>| {
            let next = answers.borrow_mut().pop_front().expect("as many calls as recorded");
            assert_eq!((&next["id"], &next["method"]), (&json!(call.id), &json!(call.method)));
            let response: CapabilityResponse = message(&next["response"]);
            match response.response {
                Some(capability_response::Response::Payload(payload)) => Ok(payload),
                other => panic!("{name}: {other:?}"),
            }
        };
        let mut registry = Registry::default();
        for id in [cre::messages::darkpool::ID, &chain] {
            registry.register(id, answer);
        }
        // The DON answers these by itself.
        answers.borrow_mut().retain(|call| call["id"] != cre::consensus::ID);
        let request: ExecuteRequest = message(&recorded["request"]);
        let now = Timestamp(recorded["now_ns"].as_u64().unwrap() / 1_000_000_000);
        let again = run(&don, &module, name, now, request.request.unwrap(), &mut registry);
        assert_eq!(&again, recorded, "rerun with BLESS=1 if it is meant");
    }
    assert_eq!(committed.len(), executions.len());
}

fn methods(execution: &Value) -> impl Iterator<Item = &Value> {
    execution["calls"].as_array().unwrap().iter().map(|call| &call["method"])
}

fn message<M: prost::Message + Default>(base64: &Value) -> M {
    M::decode(&STANDARD.decode(base64.as_str().unwrap()).unwrap()[..]).unwrap()
}

fn run(
    don: &Don,
    module: &Module,
    name: &str,
    now: Timestamp,
    request: Request,
    registry: &mut Registry<'_>,
) -> Value {
    let job = Job {
        execution_id: sha256(&[b"cdpr/recording/v1", name.as_bytes()]),
        sequence: 1,
        now_ns: now.0 * 1_000_000_000,
        restrictions: None,
    };
    // Hosts give a pre-hook no configuration.
    let is_pre_hook = matches!(request, Request::PreHook(_));
    let config = if is_pre_hook { Vec::new() } else { CONFIG.to_vec() };
    let request = ExecuteRequest { config, request: Some(request), max_response_size: 0 };
    let workflow = Workflow { config: CONFIG.to_vec(), ..Workflow::new(module) };
    let execution = don::execute(don, &workflow, &request, &job, registry, &[]);
    recorded(name, request, &job, &execution)
}

/// One execution: protobuf in base64, the request without its configuration, what it logged on one node.
fn recorded(name: &str, request: ExecuteRequest, job: &Job, execution: &Execution) -> Value {
    let result = &execution.agreed.as_ref().expect("the nodes are honest").value;
    let calls = execution.calls.iter().map(|call| {
        let response = CapabilityResponse {
            response: Some(match &call.answer {
                Ok(payload) => capability_response::Response::Payload(payload.clone()),
                Err(error) => capability_response::Response::Error(error.to_string()),
            }),
        };
        json!({
            "id": call.request.id,
            "method": call.request.method,
            "request": STANDARD.encode(call.request.encode_to_vec()),
            "response": STANDARD.encode(response.encode_to_vec()),
        })
    });
    let lines = execution.lines.iter().filter(|line| line.node == 0).map(|line| &line.text);
    json!({
        "name": name,
        "request": STANDARD.encode(ExecuteRequest { config: Vec::new(), ..request }.encode_to_vec()),
        "execution_id": primitives::hex(&job.execution_id),
        "now_ns": job.now_ns,
        "calls": calls.collect::<Vec<_>>(),
        "lines": lines.collect::<Vec<_>>(),
        "result": STANDARD.encode(result.encode_to_vec()),
    })
}
