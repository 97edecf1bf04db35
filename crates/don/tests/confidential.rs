//! A workflow's handler in a launched, measured runner: against wasmtime, and against those who would lie.
#![cfg(feature = "confidential")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use attestation::{Anchors, DEVELOPMENT_CHAIN_ID, Measurement, Measurements, Policy};
use cre::messages::sdk::{
    AwaitCapabilitiesRequest, AwaitSecretsRequest, CapabilityRequest, CapabilityResponse,
    ExecuteRequest, ExecutionResult, GetSecretsRequest, Secret, SecretRequest, SecretResponse,
    SecretResponses, SimpleConsensusInputs, TeeType, TeeTypeAndRegions, Trigger,
    capability_response, execute_request, execution_result, secret_response,
    simple_consensus_inputs,
};
use cre::messages::values::{Value, value};
use cre::messages::{basic_action, pack};
use don::confidential::{Confidential, Error, Peer, Setup, Socket};
use don::{Program, ProgramError, TeeRunner};
use ed25519_dalek::{Signer as _, SigningKey};
use engine::{Mode, World};
use host::image::RUNNER;
use host::launch::{Clock, Enclave, Options, Tap};
use host::nsm::Entropy;
use prost::Message as _;
use runner::hash::{ComputeRequest, signed_by_node};
use runner::wire::{Ask, FromRunner, Limits, Reply, Signed, ToRunner, decode, encode};

/// 2023-03-11T02:00:00Z, in milliseconds.
const NOW: u64 = 1_678_500_000_000;
/// A secret, and what the action is asked.
const SECRET: &str = "open sesame, said nobody else";
const ACTION: &str = "basic-test-action@1.0.0";

#[test]
fn handler_in_the_runner_ends_as_on_wasmtime() {
    let (mut in_runner, mut in_process) = (Script::default(), Script::default());
    let runner = start(four(), guest()).unwrap();
    let result = runner.run(&request(), &mut in_runner).unwrap();
    let limits = engine::Limits::production();
    let module = engine::Module::compile(&guest(), &limits).unwrap();
    assert_eq!(result, module.execute(&request(), &mut in_process).unwrap());
    assert_eq!(result, said("done"));

    // Consensus of one observation does not leave the runner, and nothing else differs.
    assert_eq!(
        in_process.events,
        ["call 1 Don", "call 2 Don", "answer 1", "answer 2", "secrets 1"]
    );
    assert_eq!(in_runner.events, ["call 1 Don", "answer 1", "secrets 1"]);
    assert_eq!(in_runner.lines, in_process.lines);
    assert!(in_runner.lines[0].contains("acted"), "{:?}", in_runner.lines);
    assert!(in_runner.lines[0].contains("observed"), "{:?}", in_runner.lines);
    assert!(in_runner.lines[1].contains(SECRET), "{:?}", in_runner.lines);
}

#[test]
fn recovery_module_does_the_same_in_the_runner_and_on_wasmtime() {
    const MODULE: &[u8] = include_bytes!("../../../workflows/recovery/wasm/workflow.wasm");
    let runner = start(four(), MODULE.to_vec()).unwrap();
    let module = engine::Module::compile(MODULE, &engine::Limits::production()).unwrap();
    let asked = [
        execute_request::Request::Subscribe(()),
        execute_request::Request::Trigger(Trigger { id: 0, payload: None }),
    ];
    for (n, asked) in asked.into_iter().enumerate() {
        let request = ExecuteRequest { request: Some(asked), ..request() };
        let mut worlds = [Script::at(n), Script::at(n)];
        let result = runner.run(&request, &mut worlds[0]).unwrap();
        assert_eq!(result, module.execute(&request, &mut worlds[1]).unwrap());
        assert_eq!(worlds[0], worlds[1]);
        assert!(matches!(result.result, Some(execution_result::Result::Error(_))), "{result:?}");
    }
}

#[test]
fn secrets_cross_the_runners_sockets_sealed() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let tap = Tap::new(move |_, _, bytes: &[u8]| sink.lock().unwrap().extend_from_slice(bytes));
    let setup = setup(four(), guest_without_log());
    let socket = launch(&setup, Some(tap));
    let runner = Confidential::start(setup, socket).unwrap();
    let mut world = Script::default();
    runner.run(&request(), &mut world).unwrap();
    assert!(world.events.contains(&"secrets 1".to_owned()));
    let seen = seen.lock().unwrap();
    let holds = |text: &str| seen.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(ACTION) || seen.len() > 1_000, "the tap saw nothing");
    assert!(!holds(SECRET));
}

#[test]
fn one_node_in_four_may_doubt_the_runner_and_two_may_not() {
    let other = Measurements { pcr0: Measurement([1; 48]), ..measurements(&four()) };
    let doubting = |n: usize| {
        let mut peers = four();
        for peer in &mut peers[..n] {
            peer.policy = Policy::new(DEVELOPMENT_CHAIN_ID, vec![other]).unwrap();
        }
        start(peers, guest())
    };
    assert_eq!(doubting(1).unwrap().run(&request(), &mut Script::default()).unwrap(), said("done"));
    let error = doubting(2).unwrap_err();
    assert!(
        matches!(error, Error::Evidence { what: "its key", accepting: 2, n: 4, quorum: 3, .. }),
        "{error}"
    );
    assert!(error.to_string().contains(&RUNNER.pcr0.to_string()), "{error}");
}

#[test]
fn evidence_too_old_is_refused() {
    let mut late = setup(four(), guest());
    late.now_ms = Box::new(|| NOW + Policy::AGE_MS_MAX + 1);
    let socket = launch(&late, None);
    assert!(matches!(Confidential::start(late, socket), Err(Error::Evidence { .. })));
}

#[test]
fn runner_takes_the_measured_configuration_only() {
    let measured = setup(four(), guest());
    let socket = launch(&measured, None);
    let other = Setup { limits: Limits::Unlimited, ..setup(four(), guest()) };
    let error = Confidential::start(other, socket).unwrap_err();
    assert!(error.to_string().contains("the configuration measures"), "{error}");
}

/// Each thing a host could change on the way, and who notices.
#[test]
fn what_is_changed_on_the_way_is_noticed() {
    type Change = fn(&mut ToRunner, &mut Option<FromRunner>);
    let changes: [(&str, Change); 12] = [
        ("accept the runner's evidence of its result", |_, said| {
            if let Some(FromRunner::Finished { output, .. }) = said {
                let last = output.len() - 1;
                output[last] ^= 1;
            }
        }),
        ("accept the runner's evidence of its result", |_, said| {
            if let Some(FromRunner::Finished { document, .. }) = said {
                let last = document.len() - 1;
                document[last] ^= 1;
            }
        }),
        ("accept the runner's evidence of a call", |_, said| {
            if let Some(FromRunner::Asked(Ask::Call { params, .. })) = said {
                params.reference_id.push('1');
            }
        }),
        ("accept the runner's evidence of a request for secrets", |_, said| {
            if let Some(FromRunner::Asked(Ask::Secrets { params, .. })) = said {
                params.secrets[0].key.push('1');
            }
        }),
        ("not an answer to a reply", |_, said| {
            if let Some(FromRunner::Asked(Ask::Await { callback_id })) = said {
                *callback_id += 7;
            }
        }),
        ("too few nodes signed the answer", |sent, _| {
            if let ToRunner::Reply(Reply::Answered { signatures, .. }) = sent {
                signatures.truncate(1);
            }
        }),
        ("too few nodes signed the answer", |sent, _| {
            if let ToRunner::Reply(Reply::Answered { result, .. }) = sent {
                *result = Err("no".into());
            }
        }),
        ("too few nodes signed the answer", |sent, _| {
            if let ToRunner::Reply(Reply::Secrets { entries, .. }) = sent {
                entries[0].ciphertext.push('A');
            }
        }),
        ("fewer than 2 nodes signed the request", |sent, _| {
            if let ToRunner::Execute { signatures, .. } = sent {
                signatures.truncate(1);
            }
        }),
        ("fewer than 2 nodes signed the request", |sent, _| {
            if let ToRunner::Execute { request, .. } = sent {
                request.public_data.push(0);
            }
        }),
        ("the request names", |sent, _| {
            if let ToRunner::Execute { module, .. } = sent {
                *module = b"another".to_vec();
            }
        }),
        // A call that does not begin has no words in CRE's ABI.
        ("the module trapped", |sent, _| {
            if matches!(sent, ToRunner::Reply(Reply::Begun(_))) {
                *sent = ToRunner::Reply(Reply::Now(Ok(1)));
            }
        }),
    ];
    for (n, (expected, change)) in changes.into_iter().enumerate() {
        let setup = setup(four(), guest());
        let mut honest = launch(&setup, None);
        let socket: Socket<'static> = Box::new(move |frame| {
            let mut sent: ToRunner = decode(frame).unwrap();
            change(&mut sent, &mut None);
            let said: FromRunner = decode(&honest(&encode(&sent))?).unwrap();
            let mut said = Some(said);
            change(&mut sent, &mut said);
            Ok(encode(&said.unwrap()))
        });
        let runner = Confidential::start(setup, socket).unwrap();
        let mut world = Script::default();
        let outcome = runner.run(&request(), &mut world);
        let text = match outcome {
            // An answer that is refused is the workflow's to handle; this one logs the reason and traps.
            Err(ProgramError::Failed(error)) => format!("{error} {:?}", world.lines),
            other => panic!("change {n}: {other:?}"),
        };
        assert!(text.contains(expected), "change {n}: {text}");
    }
}

#[test]
fn request_that_is_not_for_this_runner_or_was_run_is_refused() {
    let setup = setup(four(), guest());
    let keys: Vec<SigningKey> = (1..=4).map(|n| SigningKey::from_bytes(&[n; 32])).collect();
    let mut socket = launch(&setup, None);
    // The request that the nodes make, taken from their own socket, and then signed anew for each change.
    let taken: Arc<Mutex<Option<ComputeRequest>>> = Arc::default();
    let (keep, module) = (taken.clone(), guest());
    let nodes: Socket<'static> = Box::new(move |frame| {
        if let Some(ToRunner::Execute { request, .. }) = decode(frame) {
            keep.lock().unwrap().get_or_insert(request);
        }
        socket(frame)
    });
    let runner = Confidential::start(setup, nodes).unwrap();
    runner.run(&request(), &mut Script::default()).unwrap();
    let honest = taken.lock().unwrap().take().unwrap();

    let setup_again = self::setup(four(), guest());
    let mut socket = launch(&setup_again, None);
    let configured = socket(&encode(&ToRunner::Configure(setup_again.configuration()))).unwrap();
    assert!(matches!(decode(&configured), Some(FromRunner::Configured { .. })));
    let mut refusal = |change: &dyn Fn(&mut ComputeRequest)| {
        let mut request = honest.clone();
        change(&mut request);
        let message = signed_by_node(&request.hash());
        let sign = |(key, node): (&SigningKey, u32)| Signed {
            node,
            signature: key.sign(&message).to_bytes(),
        };
        let signatures = keys.iter().zip(0..).map(sign).collect();
        let frame = encode(&ToRunner::Execute { request, signatures, module: module.clone() });
        let mut said: FromRunner = decode(&socket(&frame).unwrap()).unwrap();
        loop {
            match said {
                FromRunner::Refused { reason, .. } => return reason,
                FromRunner::Asked(_) => {
                    let reply = ToRunner::Reply(Reply::Failed("not today".into()));
                    said = decode(&socket(&encode(&reply)).unwrap()).unwrap();
                }
                other @ (FromRunner::Configured { .. } | FromRunner::Finished { .. }) => {
                    panic!("{other:?}")
                }
            }
        }
    };
    for (expected, change) in [
        ("application is another", (|r| r.app_id.push('x')) as fn(&mut ComputeRequest)),
        ("key is another runner's", |r| r.enclave_ephemeral_public_key[0] ^= 1),
        ("vault is another", |r| r.master_public_key.push(0)),
        ("no WorkflowExecution", |r| r.public_data = vec![0xff]),
        ("no id", |r| r.public_data.clear()),
        ("id is not its execution's", |r| r.request_id[0] ^= 1),
        ("id is not its execution's", |r| r.application_request_id.push('x')),
    ] {
        let reason = refusal(&change);
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
    // Unchanged it runs, to a guest that traps for want of an answer, and then never again.
    assert!(!refusal(&|_| ()).contains("used before"));
    assert!(refusal(&|_| ()).contains("used before"));

    for (frame, expected) in [
        (b"?".to_vec(), "not a message to a runner"),
        (encode(&ToRunner::Reply(Reply::Now(Ok(0)))), "an execution has to come first"),
    ] {
        let said: FromRunner = decode(&socket(&frame).unwrap()).unwrap();
        assert!(
            matches!(&said, FromRunner::Refused { reason, .. } if reason == expected),
            "{said:?}"
        );
    }
}

#[test]
fn runner_before_its_configuration_runs_nothing() {
    let mut socket = launch(&setup(four(), guest()), None);
    let execute = ToRunner::Execute {
        request: ComputeRequest {
            request_id: [0; 32],
            application_request_id: String::new(),
            public_data: vec![],
            ciphertexts: vec![],
            ciphertext_names: vec![],
            enclave_ephemeral_public_key: vec![],
            master_public_key: vec![],
            app_id: String::new(),
            version: String::new(),
        },
        signatures: vec![],
        module: vec![],
    };
    let said = decode(&socket(&encode(&execute)).unwrap()).unwrap();
    let FromRunner::Refused { reason, .. } = said else { panic!("{said:?}") };
    assert_eq!(reason, "the configuration has to come first");
}

#[test]
fn runner_says_where_it_is() {
    let runner = start(four(), guest()).unwrap();
    assert_eq!(runner.tee(), tee());
}

/// A world that answers the same to everyone and writes down what it was asked.
#[derive(Debug, PartialEq)]
struct Script {
    id: String,
    events: Vec<String>,
    lines: Vec<String>,
}

impl Default for Script {
    fn default() -> Self {
        Self::at(0)
    }
}

impl Script {
    /// Of the `n`-th execution.
    fn at(n: usize) -> Self {
        Self { id: format!("execution {n}"), events: Vec::new(), lines: Vec::new() }
    }
}

impl World for Script {
    fn call(&mut self, mode: Mode, request: CapabilityRequest) -> Result<(), String> {
        self.events.push(format!("call {} {mode:?}", request.callback_id));
        Ok(())
    }

    fn answer(&mut self, callback_id: i32) -> Result<CapabilityResponse, String> {
        self.events.push(format!("answer {callback_id}"));
        let payload = match callback_id {
            1 => pack(&basic_action::Outputs { adapted_thing: "acted".into() }),
            _ => pack(&text("observed")),
        };
        let payload = capability_response::Response::Payload(payload);
        Ok(CapabilityResponse { response: Some(payload) })
    }

    fn secrets(&mut self, request: GetSecretsRequest) -> Result<SecretResponses, String> {
        self.events.push(format!("secrets {}", request.requests.len()));
        let one = |request: &SecretRequest| SecretResponse {
            response: Some(secret_response::Response::Secret(Secret {
                id: request.id.clone(),
                namespace: "main".into(),
                owner: "me".into(),
                value: SECRET.into(),
            })),
        };
        Ok(SecretResponses { responses: request.requests.iter().map(one).collect() })
    }

    fn now(&mut self, _: Mode) -> Result<u64, String> {
        Ok(NOW * 1_000_000)
    }

    fn execution_id(&self) -> &str {
        &self.id
    }

    fn node_seed(&mut self) -> u64 {
        7
    }

    fn log(&mut self, _: Mode, line: &str) {
        self.lines.push(line.to_owned());
    }
}

fn four() -> Vec<Peer> {
    let peers: Vec<Peer> = (1..=4)
        .map(|n| Peer {
            key: SigningKey::from_bytes(&[n; 32]),
            anchors: Anchors::development(DEVELOPMENT_CHAIN_ID).unwrap(),
            policy: Policy::new(
                DEVELOPMENT_CHAIN_ID,
                vec![Measurements {
                    pcr0: Measurement::ZERO,
                    pcr1: Measurement::ZERO,
                    pcr2: Measurement::ZERO,
                }],
            )
            .unwrap(),
        })
        .collect();
    let allowed = measurements(&peers);
    let policy = Policy::new(DEVELOPMENT_CHAIN_ID, vec![allowed]).unwrap();
    peers.into_iter().map(|peer| Peer { policy: policy.clone(), ..peer }).collect()
}

/// What the runner measures for these nodes.
fn measurements(peers: &[Peer]) -> Measurements {
    let keys = peers.iter().map(|peer| &peer.key);
    let configuration = don::confidential::configuration(keys, 1, Limits::Production);
    RUNNER.measurements(&configuration.encode())
}

fn tee() -> TeeTypeAndRegions {
    TeeTypeAndRegions { r#type: TeeType::AwsNitro.into(), regions: vec!["us-west-2".into()] }
}

fn setup(peers: Vec<Peer>, module: Vec<u8>) -> Setup<'static> {
    Setup {
        peers,
        f: 1,
        limits: Limits::Production,
        module,
        workflow_id: [3; 32],
        owner: [4; 20],
        tee: tee(),
        now_ms: Box::new(|| NOW),
    }
}

/// A runner as a process, measured.
fn launch(setup: &Setup<'_>, tap: Option<Tap>) -> Socket<'static> {
    let entropy = Entropy { seed: [7; 32], party: "runner".into() };
    let options = Options {
        tap,
        stderr: true,
        ..Options::new(DEVELOPMENT_CHAIN_ID, entropy, Clock::new(NOW))
    };
    let mut enclave =
        Enclave::launch(RUNNER.elf, &setup.configuration().encode(), options).unwrap();
    Box::new(move |frame| enclave.call(frame).map_err(Into::into))
}

fn start(peers: Vec<Peer>, module: Vec<u8>) -> Result<Confidential<'static>, Error> {
    let setup = setup(peers, module);
    let socket = launch(&setup, None);
    Confidential::start(setup, socket)
}

fn request() -> ExecuteRequest {
    ExecuteRequest {
        config: b"config".to_vec(),
        request: Some(execute_request::Request::Trigger(Trigger { id: 0, payload: None })),
        max_response_size: 0,
    }
}

fn text(text: &str) -> Value {
    Value { value: Some(value::Value::StringValue(text.to_owned())) }
}

fn said(what: &str) -> ExecutionResult {
    ExecutionResult { result: Some(execution_result::Result::Value(text(what))) }
}

fn guest() -> Vec<u8> {
    module(true)
}

fn guest_without_log() -> Vec<u8> {
    module(false)
}

/// A workflow that acts, observes and asks for a secret, logs the answers and is done. It traps when it is
/// not answered.
fn module(logs: bool) -> Vec<u8> {
    let act = CapabilityRequest {
        id: ACTION.into(),
        method: "PerformAction".into(),
        payload: Some(pack(&basic_action::Inputs { input_thing: true })),
        callback_id: 1,
    };
    let observe = CapabilityRequest {
        id: "consensus@1.0.0-alpha".into(),
        method: "Simple".into(),
        payload: Some(pack(&SimpleConsensusInputs {
            observation: Some(simple_consensus_inputs::Observation::Value(text("observed"))),
            descriptors: None,
            default: None,
        })),
        callback_id: 2,
    };
    let secrets = GetSecretsRequest {
        requests: vec![SecretRequest { id: "key".into(), namespace: String::new() }],
        callback_id: 3,
    };
    let data = [
        act.encode_to_vec(),
        observe.encode_to_vec(),
        secrets.encode_to_vec(),
        AwaitCapabilitiesRequest { ids: vec![1, 2] }.encode_to_vec(),
        AwaitSecretsRequest { ids: vec![3] }.encode_to_vec(),
        said("done").encode_to_vec(),
    ];
    let mut segments = String::new();
    for (n, bytes) in data.iter().enumerate() {
        let _ = write!(segments, "(data (i32.const {}) \"", at(n));
        for byte in bytes {
            let _ = write!(segments, "\\{byte:02x}");
        }
        segments.push_str("\")\n");
    }
    let len = |n: usize| data[n].len();
    let call = |n: usize| {
        format!(
            "(if (i64.lt_s (call $call (i32.const {}) (i32.const {}) (i32.const 8192) (i32.const 4096)) (i64.const 0)) (then unreachable))",
            at(n),
            len(n)
        )
    };
    let wait = |function: &str, n: usize| {
        let log = if logs { "(call $log (i32.const 16384) (local.get $n))" } else { "" };
        format!(
            "(local.set $n (i32.wrap_i64 (call {function} (i32.const {}) (i32.const {}) (i32.const 16384) (i32.const 4096))))
             (if (i32.lt_s (local.get $n) (i32.const 0)) (then
               ;; The host's words, so that a test can read them.
               (call $log (i32.const 16384) (i32.sub (i32.const 0) (local.get $n)))
               unreachable))
             {log}",
            at(n),
            len(n)
        )
    };
    let body = [
        // What is logged before is nobody's.
        "(call $switch_modes (i32.const 1))".to_owned(),
        call(0),
        call(1),
        call(2).replace("$call", "$get_secrets"),
        wait("$await_capabilities", 3),
        wait("$await_secrets", 4),
        format!("(drop (call $send_response (i32.const {}) (i32.const {})))", at(5), len(5)),
    ]
    .join("\n");
    let text = format!(
        r#"(module
          (import "env" "version_v2_rust" (func $version))
          (import "env" "send_response" (func $send_response (param i32 i32) (result i32)))
          (import "env" "call_capability" (func $call (param i32 i32 i32 i32) (result i64)))
          (import "env" "await_capabilities" (func $await_capabilities (param i32 i32 i32 i32) (result i64)))
          (import "env" "get_secrets" (func $get_secrets (param i32 i32 i32 i32) (result i64)))
          (import "env" "await_secrets" (func $await_secrets (param i32 i32 i32 i32) (result i64)))
          (import "env" "log" (func $log (param i32 i32)))
          (import "env" "switch_modes" (func $switch_modes (param i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
          (memory (export "memory") 1)
          {segments}
          (func (export "_start") (local $n i32) {body} (call $proc_exit (i32.const 0))))"#
    );
    wat::parse_str(text).unwrap()
}

/// Where the `n`-th datum of the module lies.
fn at(n: usize) -> usize {
    1_024 * (n + 1)
}
