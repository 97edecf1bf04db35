//! The programs that Chainlink's standard tests demand of an SDK, written with ours, in our engine; under
//! both engines, with what `TestStandard*` of Chainlink's host checks.
//!
//! The programs are the examples `standard_*` of the crate `cre-standard-tests`, built for `wasm32-unknown-unknown` with the
//! profile `workflow`; without them every test here says so and passes. `CRE_STANDARD_DIR` names another
//! folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cre::messages::{
    Any, action_and_trigger, basic_action, basic_trigger, node_action, pack, sdk, unpack, values,
};
use engine::{Limits, Mode, World};
use sdk::execution_result::Result as Outcome;

#[allow(clippy::print_stdout, reason = "a skipped test says so")]
fn program(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("CRE_STANDARD_DIR").map_or_else(
        || {
            let target = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target");
            PathBuf::from(target).join("wasm32-unknown-unknown/workflow/examples")
        },
        PathBuf::from,
    );
    let wasm = std::fs::read(folder.join(format!("standard_{name}.wasm"))).ok();
    if wasm.is_none() {
        println!("skipped: standard_{name}.wasm is not in {}", folder.display());
    }
    wasm
}

type Serve = fn(&mut Node, Mode, &sdk::CapabilityRequest) -> Result<Any, String>;

/// One node with the test capabilities.
struct Node {
    serve: Serve,
    execution_id: &'static str,
    pending: BTreeMap<i32, (Mode, sdk::CapabilityRequest)>,
    /// Calls, times and answers, in order.
    events: Vec<String>,
    served: Vec<sdk::CapabilityRequest>,
    node_output: i32,
    logs: Vec<(Mode, String)>,
    secret: Option<&'static str>,
}

impl Node {
    fn new(serve: Serve) -> Self {
        Self {
            serve,
            execution_id: "id",
            pending: BTreeMap::new(),
            events: Vec::new(),
            served: Vec::new(),
            node_output: 555,
            logs: Vec::new(),
            secret: None,
        }
    }
}

impl World for Node {
    fn call(&mut self, mode: Mode, request: sdk::CapabilityRequest) -> Result<(), String> {
        self.events.push(format!("call {mode:?} {}", request.id));
        self.pending.insert(request.callback_id, (mode, request));
        Ok(())
    }

    fn answer(&mut self, callback_id: i32) -> Result<sdk::CapabilityResponse, String> {
        let (mode, request) = self.pending.remove(&callback_id).ok_or("not called")?;
        self.events.push(format!("answer {}", request.id));
        let response = match (self.serve)(self, mode, &request) {
            Ok(payload) => sdk::capability_response::Response::Payload(payload),
            Err(error) => sdk::capability_response::Response::Error(error),
        };
        self.served.push(request);
        Ok(sdk::CapabilityResponse { response: Some(response) })
    }

    fn secrets(&mut self, request: sdk::GetSecretsRequest) -> Result<sdk::SecretResponses, String> {
        let responses = request.requests.into_iter().map(|asked| {
            assert_eq!((asked.id.as_str(), asked.namespace.as_str()), ("Foo", "main"));
            let sdk::SecretRequest { id, namespace } = asked;
            let owner = String::new();
            let response = match self.secret {
                Some(value) => sdk::secret_response::Response::Secret(sdk::Secret {
                    id,
                    namespace,
                    owner,
                    value: value.to_owned(),
                }),
                None => sdk::secret_response::Response::Error(sdk::SecretError {
                    id,
                    namespace,
                    owner,
                    error: "could not find secret".to_owned(),
                }),
            };
            sdk::SecretResponse { response: Some(response) }
        });
        Ok(sdk::SecretResponses { responses: responses.collect() })
    }

    fn now(&mut self, mode: Mode) -> Result<u64, String> {
        self.events.push(format!("now {mode:?}"));
        // 2020-01-02T03:04:05Z.
        Ok(1_577_934_245_000_000_000)
    }

    fn execution_id(&self) -> &str {
        self.execution_id
    }

    fn node_seed(&mut self) -> u64 {
        7
    }

    fn log(&mut self, mode: Mode, line: &str) {
        self.logs.push((mode, line.to_owned()));
    }
}

fn nothing(_: &mut Node, _: Mode, request: &sdk::CapabilityRequest) -> Result<Any, String> {
    Err(format!("no capability {}", request.id))
}

fn input<M: prost::Message + prost::Name + Default>(request: &sdk::CapabilityRequest) -> M {
    unpack(request.payload.as_ref().expect("a payload")).expect("the payload")
}

/// Consensus of one node that adds one to what is under `OutputThing`.
fn mode_switch(
    node: &mut Node,
    mode: Mode,
    request: &sdk::CapabilityRequest,
) -> Result<Any, String> {
    match (mode, request.id.as_str(), request.method.as_str()) {
        (Mode::Don, "basic-test-action@1.0.0", "PerformAction") => {
            assert!(input::<basic_action::Inputs>(request).input_thing);
            Ok(pack(&basic_action::Outputs { adapted_thing: "test".to_owned() }))
        }
        (Mode::Node, "basic-test-node-action@1.0.0", "PerformAction") => {
            Ok(pack(&node_action::NodeOutputs { output_thing: node.node_output }))
        }
        (Mode::Don, "consensus@1.0.0-alpha", "Simple") => {
            let inputs: sdk::SimpleConsensusInputs = input(request);
            match inputs.observation {
                Some(sdk::simple_consensus_inputs::Observation::Error(error)) => Err(error),
                Some(sdk::simple_consensus_inputs::Observation::Value(mut value)) => {
                    if let Some(values::value::Value::MapValue(map)) = &mut value.value
                        && let Some(field) = map.fields.get_mut("OutputThing")
                        && let Some(values::value::Value::Int64Value(number)) = &mut field.value
                    {
                        *number += 1;
                    }
                    Ok(pack(&value))
                }
                None => Err("no observation".to_owned()),
            }
        }
        (mode, id, method) => Err(format!("no capability {mode:?} {id} {method}")),
    }
}

fn trigger_of(id: u64, cool_output: &str) -> sdk::ExecuteRequest {
    let payload = pack(&basic_trigger::Outputs { cool_output: cool_output.to_owned() });
    request_of(sdk::execute_request::Request::Trigger(sdk::Trigger { id, payload: Some(payload) }))
}

fn trigger() -> sdk::ExecuteRequest {
    trigger_of(0, "test value")
}

fn request_of(request: sdk::execute_request::Request) -> sdk::ExecuteRequest {
    sdk::ExecuteRequest { config: b"config".to_vec(), request: Some(request), max_response_size: 0 }
}

fn subscribe() -> sdk::ExecuteRequest {
    request_of(sdk::execute_request::Request::Subscribe(()))
}

fn value(value: values::value::Value) -> Outcome {
    Outcome::Value(values::Value { value: Some(value) })
}

fn text(text: &str) -> Outcome {
    value(values::value::Value::StringValue(text.to_owned()))
}

fn fails_with(result: &Outcome, expected: &str) {
    assert!(
        matches!(result, Outcome::Error(error) if error.contains(expected)),
        "expected {expected:?}, got {result:?}"
    );
}

#[cfg(feature = "wasmtime")]
mod over_wasmtime {
    use super::*;
    use engine::Module;

    include!("standard/cases.rs");
}

mod over_wasmi {
    use super::*;
    use engine::wasmi::Module;

    include!("standard/cases.rs");
}
