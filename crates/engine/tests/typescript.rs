//! Official TypeScript workflows in our engine: bundled by the official SDK's script, run by the official
//! Javy plugin, answered by a scripted world. The judge is Chainlink's SDK.
//!
//! `conformance/npm/build.mjs` makes the bundles and fetches the plugin; without them every test here says
//! so and passes. `CRE_NPM_DIST` names another folder than `conformance/npm/dist`.
#![cfg(feature = "wasmtime")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use cre::messages::{Any, Timestamp, cron, http, pack, sdk, unpack, values};
use engine::{Error, Limits, Mode, Module, World};
use sdk::execution_result::Result as Outcome;

/// The plugin and one bundle, or `None` and why on the terminal.
fn sources(name: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let dist = std::env::var_os("CRE_NPM_DIST").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/npm/dist")),
        PathBuf::from,
    );
    let read = |file: String| std::fs::read(dist.join(file)).ok();
    let both = read("plugin.wasm".to_owned()).zip(read(format!("{name}.js")));
    if both.is_none() {
        println!("skipped: {name}.js and plugin.wasm are not in {}", dist.display());
    }
    both
}

fn workflow(name: &str) -> Option<Module> {
    let (plugin, bundle) = sources(name)?;
    Some(Module::javascript(&plugin, &bundle, &Limits::simulator()).expect("compiles"))
}

/// 2020-01-02T03:04:05Z.
const DON_SECONDS: u64 = 1_577_934_245;

/// A world with HTTP, consensus of one node, a secret and a report signer.
#[derive(Default)]
struct Don {
    calls: BTreeMap<i32, (Mode, sdk::CapabilityRequest)>,
    asked: Vec<String>,
    logs: Vec<(Mode, String)>,
}

impl Don {
    fn serve(&self, request: &sdk::CapabilityRequest) -> Result<Any, String> {
        let payload = request.payload.as_ref().ok_or("no payload")?;
        match (request.id.as_str(), request.method.as_str()) {
            ("http-actions@1.0.0-alpha", "SendRequest") => {
                let asked: http::Request = unpack(payload).map_err(|error| error.to_string())?;
                assert_eq!((asked.method.as_str(), asked.url.as_str()), ("GET", "https://price/"));
                let body = b"42".to_vec();
                Ok(pack(&http::Response { status_code: 200, body, ..http::Response::default() }))
            },
            ("consensus@1.0.0-alpha", "Simple") => {
                let input: sdk::SimpleConsensusInputs =
                    unpack(payload).map_err(|error| error.to_string())?;
                match input.observation {
                    Some(sdk::simple_consensus_inputs::Observation::Value(value)) => Ok(pack(&value)),
                    Some(sdk::simple_consensus_inputs::Observation::Error(error)) => Err(error),
                    None => Err("no observation".to_owned()),
                }
            },
            ("consensus@1.0.0-alpha", "Report") => {
                let asked: sdk::ReportRequest = unpack(payload).map_err(|error| error.to_string())?;
                assert_eq!(asked.encoded_payload, b"price 42");
                assert_eq!(asked.encoder_name, "evm");
                Ok(pack(&sdk::ReportResponse {
                    raw_report: [vec![1; 109], asked.encoded_payload].concat(),
                    report_context: vec![0; 96],
                    ..sdk::ReportResponse::default()
                }))
            },
            (id, method) => Err(format!("no capability {id} {method}")),
        }
    }
}

impl World for Don {
    fn call(&mut self, mode: Mode, request: sdk::CapabilityRequest) -> Result<(), String> {
        self.asked.push(format!(
            "{mode:?} {} {} {}",
            request.callback_id, request.id, request.method
        ));
        self.calls.insert(request.callback_id, (mode, request));
        Ok(())
    }

    fn answer(&mut self, callback_id: i32) -> Result<sdk::CapabilityResponse, String> {
        let (_, request) = self.calls.remove(&callback_id).ok_or("not called")?;
        let response = match self.serve(&request) {
            Ok(payload) => sdk::capability_response::Response::Payload(payload),
            Err(error) => sdk::capability_response::Response::Error(error),
        };
        Ok(sdk::CapabilityResponse { response: Some(response) })
    }

    fn secrets(&mut self, request: sdk::GetSecretsRequest) -> Result<sdk::SecretResponses, String> {
        let responses = request
            .requests
            .into_iter()
            .map(|asked| {
                self.asked.push(format!("secret {}", asked.id));
                let secret = sdk::Secret {
                    value: format!("value of {}", asked.id),
                    id: asked.id,
                    namespace: asked.namespace,
                    owner: String::new(),
                };
                sdk::SecretResponse { response: Some(sdk::secret_response::Response::Secret(secret)) }
            })
            .collect();
        Ok(sdk::SecretResponses { responses })
    }

    fn now(&mut self, mode: Mode) -> Result<u64, String> {
        let drift = match mode {
            Mode::Don => 0,
            Mode::Node => 17,
        };
        Ok((DON_SECONDS + drift) * 1_000_000_000)
    }

    fn execution_id(&self) -> &str {
        "id"
    }

    fn node_seed(&mut self) -> u64 {
        7
    }

    fn log(&mut self, mode: Mode, line: &str) {
        self.logs.push((mode, line.to_owned()));
    }
}

fn run(module: &Module, config: &str, request: sdk::execute_request::Request) -> (Outcome, Don) {
    let mut world = Don::default();
    let request = sdk::ExecuteRequest {
        config: config.as_bytes().to_vec(),
        request: Some(request),
        max_response_size: 0,
    };
    let result = module.execute(&request, &mut world).expect("a result");
    (result.result.expect("not empty"), world)
}

fn subscribe(module: &Module, config: &str) -> Vec<sdk::TriggerSubscription> {
    match run(module, config, sdk::execute_request::Request::Subscribe(())).0 {
        Outcome::TriggerSubscriptions(subscriptions) => subscriptions.subscriptions,
        other => panic!("expected subscriptions, got {other:?}"),
    }
}

fn trigger(module: &Module, config: &str, id: u64) -> (Outcome, Don) {
    let seconds = i64::try_from(DON_SECONDS).expect("fits");
    let payload = cron::Payload {
        scheduled_execution_time: Some(Timestamp { seconds, nanos: 0 }),
    };
    let trigger = sdk::Trigger { id, payload: Some(pack(&payload)) };
    run(module, config, sdk::execute_request::Request::Trigger(trigger))
}

fn text(text: &str) -> Outcome {
    let value = values::value::Value::StringValue(text.to_owned());
    Outcome::Value(values::Value { value: Some(value) })
}

const URL: &str = r#"{"url":"https://price/"}"#;

#[test]
fn a_cron_workflow_subscribes_and_answers_with_don_time() {
    let Some(module) = workflow("cron") else { return };
    assert_eq!(module.sdk_label(), "typescript");
    let config = r#"{"schedule":"0 0 * * * *"}"#;
    let subscriptions = subscribe(&module, config);
    let schedule = pack(&cron::Config { schedule: "0 0 * * * *".to_owned() });
    assert_eq!(
        subscriptions,
        [sdk::TriggerSubscription {
            id: "cron-trigger@1.0.0".to_owned(),
            payload: Some(schedule),
            method: "Trigger".to_owned(),
            requirements: None,
            pre_hook: false,
        }]
    );
    let (result, world) = trigger(&module, config, 0);
    assert_eq!(result, text("2020-01-02T03:04:05.000Z 1577934245"));
    assert_eq!(world.logs, [(Mode::Don, "tick".to_owned())]);
}

#[test]
fn a_workflow_fetches_in_node_mode_agrees_reads_a_secret_and_reports() {
    let Some(module) = workflow("http") else { return };
    let (result, world) = trigger(&module, URL, 0);
    assert_eq!(result, text("42 value of KEY"));
    assert_eq!(
        world.asked,
        [
            "Node -1 http-actions@1.0.0-alpha SendRequest",
            "Don 0 consensus@1.0.0-alpha Simple",
            "secret KEY",
            "Don 2 consensus@1.0.0-alpha Report",
        ]
    );
    assert_eq!(world.logs, [(Mode::Node, "fetching".to_owned())]);
}

#[test]
fn a_tee_handler_says_what_it_requires() {
    let Some(module) = workflow("tee") else { return };
    let subscriptions = subscribe(&module, URL);
    let nitro = sdk::TeeTypeAndRegions {
        r#type: sdk::TeeType::AwsNitro.into(),
        regions: vec!["us-west-2".to_owned()],
    };
    let required = sdk::Requirements {
        tee: Some(sdk::Tee {
            item: Some(sdk::tee::Item::TeeTypesAndRegions(sdk::TeeTypesAndRegions {
                tee_type_and_regions: vec![nitro],
            })),
        }),
    };
    let requirements: Vec<_> =
        subscriptions.into_iter().map(|subscription| subscription.requirements).collect();
    assert_eq!(requirements, [Some(required), None]);
    assert_eq!(trigger(&module, URL, 0).0, text("in tee 200"));
    assert_eq!(trigger(&module, URL, 1).0, text("outside"));
}

#[test]
fn a_runtime_in_the_wrong_mode_is_refused_by_the_sdk() {
    let Some(module) = workflow("misuse") else { return };
    for (id, expected) in [
        (0, "cannot use Runtime inside RunInNodeMode"),
        (1, "cannot use NodeRuntime outside RunInNodeMode"),
    ] {
        let (result, world) = trigger(&module, URL, id);
        assert!(matches!(&result, Outcome::Error(error) if error.contains(expected)), "{result:?}");
        assert_eq!(world.asked.len(), 1, "only consensus is asked: {:?}", world.asked);
    }
}

#[test]
fn two_runs_of_a_bundle_are_equal() {
    let Some(module) = workflow("http") else { return };
    let runs = [trigger(&module, URL, 0), trigger(&module, URL, 0)];
    assert_eq!(runs[0].0, runs[1].0);
    assert_eq!(runs[0].1.asked, runs[1].1.asked);
}

#[test]
fn a_bundle_that_is_not_javascript_is_refused() {
    let Some((plugin, _)) = sources("cron") else { return };
    let error = Module::javascript(&plugin, b"const = ;", &Limits::simulator()).unwrap_err();
    assert!(matches!(error, Error::JavaScript { .. } | Error::Trap { .. }), "{error:?}");
}

#[test]
fn a_module_that_is_no_plugin_is_refused() {
    let module = wat::parse_str(
        r#"(module (import "env" "version_v2" (func)) (memory (export "memory") 1))"#,
    )
    .expect("a module");
    let error = Module::javascript(&module, b"", &Limits::simulator()).unwrap_err();
    assert_eq!(error, Error::NotAPlugin { name: "initialize-runtime" });
}
