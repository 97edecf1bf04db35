//! A workflow over a scripted host, natively: what it asks, in which order, and what it makes of bad bytes.

use std::cell::RefCell;
use std::rc::Rc;

use cre::host::{Host, Mode};
use cre::messages::sdk::{
    CapabilityResponse, ExecuteRequest, ExecutionResult, Trigger, capability_response,
    execute_request, execution_result, simple_consensus_inputs,
};
use cre::messages::{cron::Payload, pack, sdk, unpack};
use cre::testing::{self, Saying, ScriptedHost};
use cre::{
    Calls, Consensus, Error, Field, Handler, Restrictions, Runtime, Secrets, Tee, UserMetric,
    Value, Workflow, cron, darkpool, evm, guest, http,
};
use proptest::prelude::*;
use prost::Message as _;

const SCHEDULE: &str = "*/30 * * * * *";

#[test]
fn a_subscription_lists_triggers_in_order_with_what_they_require() {
    let setup = |_: &[u8]| {
        let tee =
            Handler::in_tee(http::trigger(["0xkey"]), Tee::nitro(["us-west-2"]), |_, _, _| Ok(()));
        Ok(Workflow::new(())
            .on(cron::trigger(SCHEDULE), |_, _, _| Ok(()))
            .on(
                evm::Client::new(5).log_trigger(&evm::FilterLogTriggerRequest::new([[1; 20]])),
                |_, _, _| Ok(()),
            )
            .on(darkpool::fill_trigger([2; 20]), |_, _, _| Ok(()))
            .with(tee.with_pre_hook(|_, _| Ok(Restrictions::none()))))
    };
    let result = guest::execute(
        setup,
        &argument(execute_request::Request::Subscribe(())),
        ScriptedHost::new(),
    );
    let Some(execution_result::Result::TriggerSubscriptions(list)) = result.result else {
        panic!("{result:?}");
    };
    let ids: Vec<(&str, &str, bool, bool)> = list
        .subscriptions
        .iter()
        .map(|one| (&*one.id, &*one.method, one.requirements.is_some(), one.pre_hook))
        .collect();
    assert_eq!(
        ids,
        [
            ("cron-trigger@1.0.0", "Trigger", false, false),
            ("evm:ChainSelector:5@1.0.0", "LogTrigger", false, false),
            ("darkpool@1.0.0", "Fill", false, false),
            ("http-trigger@1.0.0-alpha", "Trigger", true, true),
        ]
    );
}

#[test]
fn ids_count_up_in_don_mode_and_down_in_node_mode() {
    let host = priced(ScriptedHost::new());
    let record = host.record();
    let mut runtime = host.runtime();
    let price = observe(&mut runtime).unwrap();
    let _report = runtime.report([1, 2, 3]).wait().unwrap();
    assert_eq!(price, 42.0);
    let seen: Vec<(Mode, i32, String)> = record
        .calls()
        .into_iter()
        .map(|(mode, call)| (mode, call.callback_id, call.method))
        .collect();
    assert_eq!(
        seen,
        [
            (Mode::Node, -1, "SendRequest".to_owned()),
            (Mode::Don, 1, "Simple".to_owned()),
            (Mode::Don, 2, "Report".to_owned()),
        ]
    );
    assert_eq!(record.modes(), [Mode::Node, Mode::Don]);
}

#[test]
fn a_failed_observation_goes_into_consensus_and_the_default_comes_out() {
    let host = ScriptedHost::new();
    let record = host.record();
    let mut runtime = host.runtime();
    let agreed = runtime
        .run_in_node_mode(Consensus::median().with_default(7i64), |_| Err("no price".into()));
    assert_eq!(agreed.wait(), Ok(7));
    let inputs: sdk::SimpleConsensusInputs =
        unpack(record.calls()[0].1.payload.as_ref().unwrap()).unwrap();
    assert_eq!(
        inputs.observation,
        Some(simple_consensus_inputs::Observation::Error("no price".into()))
    );

    let agreed = runtime.run_in_node_mode(Consensus::<i64>::median(), |_| Err("no price".into()));
    let error = agreed.wait().unwrap_err();
    assert_eq!(error.capability().unwrap().message, "no price");
}

#[test]
fn clones_used_in_the_other_mode_give_the_canonical_texts() {
    let host = priced(ScriptedHost::new().secret("K", "v").now(1));
    let record = host.record();
    let mut runtime = host.runtime();
    let don = runtime.clone();
    let pending = don.report([1]);
    let mut escaped = None;
    let texts = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&texts);
    let agreed = runtime.run_in_node_mode(Consensus::identical(), |node| {
        escaped = Some((node.clone(), http::Request::get("u").send(node)));
        let mut again = don.clone();
        *seen.borrow_mut() = vec![
            don.now().unwrap_err(),
            don.random_u64().unwrap_err(),
            don.secret("K").wait().unwrap_err(),
            don.report([1]).wait().unwrap_err(),
            pending.wait().unwrap_err(),
            again.run_in_node_mode(Consensus::<i64>::median(), |_| Ok(1)).wait().unwrap_err(),
        ];
        Ok("hi".to_owned())
    });
    assert_eq!(agreed.wait(), Ok("hi".to_owned()));
    for error in texts.take() {
        assert_eq!(error.chain(), "cannot use Runtime inside RunInNodeMode");
    }
    let n_calls = record.calls().len();
    let (node, pending) = escaped.unwrap();
    let errors = [
        node.now().unwrap_err(),
        node.random_u64().unwrap_err(),
        http::Request::get("u").send(&node).wait().unwrap_err(),
        pending.wait().unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.chain(), "cannot use NodeRuntime outside RunInNodeMode");
    }
    assert_eq!(record.calls().len(), n_calls, "a refused call reaches no host");
}

#[test]
fn a_nodes_runtime_is_of_one_closure_and_not_of_the_next() {
    let mut runtime = ScriptedHost::new().now(1).runtime();
    let mut escaped = None;
    let first = runtime.run_in_node_mode(Consensus::identical(), |node| {
        escaped = Some(node.clone());
        node.now()
    });
    first.wait().unwrap();
    let second = runtime.run_in_node_mode(Consensus::identical(), |_| escaped.unwrap().now());
    let error = second.wait().unwrap_err();
    assert!(error.chain().ends_with("cannot use NodeRuntime outside RunInNodeMode"), "{error}");
}

#[test]
fn a_tee_calls_http_itself_and_the_dons_by_name() {
    let host = priced(ScriptedHost::new().secret("K", "v"));
    let record = host.record();
    let mut tee = host.tee_runtime();
    let response = http::Request::get("u").send(&tee);
    assert_eq!(response.wait().unwrap().status_code, 42);
    assert_eq!(tee.secret("K").wait().unwrap().expose(), "v");
    tee.using_the_dons().report([1]).wait().unwrap();
    let seen: Vec<_> =
        record.calls().into_iter().map(|(_, call)| (call.callback_id, call.method)).collect();
    // The secret took the id between.
    assert_eq!(seen, [(1, "SendRequest".to_owned()), (3, "Report".to_owned())]);
    assert!(record.modes().is_empty());
}

#[test]
fn node_mode_draws_leave_don_mode_draws_alone() {
    let draws = |n_node: usize| {
        let mut runtime = ScriptedHost::new().seed(5).runtime();
        let first = runtime.random_u64().unwrap();
        let agreed = runtime.run_in_node_mode(Consensus::identical(), |node| {
            for _ in 0..n_node {
                node.random_u64()?;
            }
            Ok(())
        });
        agreed.wait().unwrap();
        (first, runtime.random_u64().unwrap())
    };
    assert_eq!(draws(0), draws(3));
    assert_ne!(draws(0).0, draws(0).1);
}

#[test]
fn random_below_stays_below_and_reaches_everything() {
    let runtime = ScriptedHost::new().runtime();
    let mut seen = [0; 6];
    for _ in 0..600 {
        seen[usize::try_from(runtime.random_below(6).unwrap()).unwrap()] += 1;
    }
    assert!(seen.iter().all(|n| *n > 50), "{seen:?}");
    assert_eq!(runtime.random_below(1), Ok(0));
    assert!(runtime.random_below(0).is_err());
}

#[test]
fn a_missing_secret_is_named_and_a_present_one_is_not_shown() {
    let runtime = ScriptedHost::new().secret("K", "hunter2").runtime();
    let secret = runtime.secret("K").wait().unwrap();
    assert_eq!(secret.expose(), "hunter2");
    assert_eq!(format!("{secret:?}"), "Secret(main/K, 7 bytes)");
    let both = runtime.secrets(["L", "K"]).wait().unwrap();
    assert_eq!(both[0].as_ref().unwrap_err().to_string(), "secret main/L: no such secret");
    assert!(both[1].is_ok());
}

#[test]
fn pre_hooks_answer_with_restrictions_and_handlers_without_one_refuse() {
    let setup = |_: &[u8]| {
        let handler = Handler::new(cron::trigger(SCHEDULE), |_, _, _| Ok(()));
        let restrictions = |_: &(), _| {
            let calls = Calls::only(2).method("a@1.0.0", "Do", 1);
            Ok(Restrictions::none()
                .calls(calls)
                .secrets(Secrets::only(1).exact("K").prefix("n", "p", 1)))
        };
        Ok(Workflow::new(())
            .with(handler.with_pre_hook(restrictions))
            .on(cron::trigger(SCHEDULE), |_, _, _| Ok(())))
    };
    let hook = |id| argument(execute_request::Request::PreHook(tick(id)));
    let result = guest::execute(setup, &hook(0), ScriptedHost::new());
    let Some(execution_result::Result::Restrictions(restrictions)) = result.result else {
        panic!("{result:?}");
    };
    assert_eq!(restrictions.capabilities.unwrap().max_total_calls, 2);
    assert_eq!(restrictions.secrets.unwrap().restrictions.len(), 2);
    let refused = guest::execute(setup, &hook(1), ScriptedHost::new());
    assert_eq!(error_of(refused), "host, the handler's pre-hook is missing");
}

#[test]
fn what_the_host_asks_wrongly_is_answered_by_name() {
    let cases = [
        (b"Zm9".to_vec(), "the request is not an argument in base64"),
        (b"".to_vec(), "host, what to execute is missing"),
        (b"////".to_vec(), "host, ExecuteRequest does not decode"),
        (
            argument(execute_request::Request::Trigger(tick(9))),
            "trigger 9 has no handler: the workflow has 1",
        ),
        (
            argument(execute_request::Request::Trigger(Trigger { id: 0, payload: None })),
            "host, the trigger's payload is missing",
        ),
        (
            argument(execute_request::Request::Trigger(Trigger {
                id: 0,
                payload: Some(pack(&Value::from(1i64))),
            })),
            "expected capabilities.scheduler.cron.v1.Payload, got values.v1.Value",
        ),
    ];
    for (argument, text) in cases {
        let answer = error_of(guest::execute(priced_workflow, &argument, ScriptedHost::new()));
        assert!(answer.starts_with(text), "{answer}");
    }
}

#[test]
fn metrics_and_logs_reach_the_host() {
    let host = ScriptedHost::new();
    let record = host.record();
    let runtime = host.runtime();
    runtime.log("a line");
    assert!(runtime.emit(&UserMetric::counter("fills", 1.0).with_label("pool", "a")));
    assert_eq!(record.logs(), [(Mode::Don, "a line".to_owned())]);
    let metric = UserMetric::decode(&record.metrics()[0][..]).unwrap();
    assert_eq!((metric.name.as_str(), metric.value, metric.labels.len()), ("fills", 1.0, 1));
}

#[test]
fn an_answer_longer_than_its_room_is_the_hosts_error() {
    let host = priced(ScriptedHost::new());
    let mut runtime = Runtime::new(host, 4);
    let error = observe(&mut runtime).unwrap_err();
    assert!(error.chain().contains("response buffer too small"), "{}", error.chain());
}

fn babbling(bytes: Vec<u8>, fails: bool) -> impl Host {
    Saying(move || if fails { Err(bytes.clone()) } else { Ok(bytes.clone()) })
}

proptest! {
    #[test]
    fn any_bytes_of_the_host_are_an_answer_or_a_typed_error(
        bytes in prop::collection::vec(any::<u8>(), 0..64), fails: bool,
    ) {
        let mut runtime = Runtime::new(babbling(bytes, fails), 64);
        prop_assert!(runtime.secret("K").wait().is_err());
        prop_assert!(observe(&mut runtime).is_err());
        prop_assert!(runtime.now().is_ok());
    }

    #[test]
    fn a_damaged_answer_is_an_answer_or_a_typed_error(at in 0usize..200, with: u8) {
        // A good answer to call 1, with one byte of it replaced.
        let payload = pack(&Value::map([("OutputThing", 5i64)]));
        let response = Some(capability_response::Response::Payload(payload));
        let answer = CapabilityResponse { response };
        let answers = sdk::AwaitCapabilitiesResponse { responses: [(1, answer)].into() };
        let mut bytes = answers.encode_to_vec();
        let idx = at % bytes.len();
        bytes[idx] = with;
        let runtime = Runtime::new(babbling(bytes, false), 512);
        let answered = runtime.call::<Value>("a@1.0.0", "Do", &Value::NOTHING).wait();
        prop_assert!(!matches!(answered, Err(Error::Workflow(_))));
    }

    #[test]
    fn any_argument_is_answered(text in "([A-Za-z0-9+/]{4}){0,12}", noise: Option<u8>) {
        let argument: Vec<u8> = text.into_bytes().into_iter().chain(noise).collect();
        let result = guest::execute(priced_workflow, &argument, ScriptedHost::new());
        prop_assert!(result.result.is_some());
    }
}

fn priced_workflow(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(cron::trigger(SCHEDULE), |_, runtime, _| observe(runtime)))
}

fn observe(runtime: &mut Runtime) -> Result<f64, Error> {
    let agreed = runtime.run_in_node_mode(Consensus::of(Field::median()), |node| {
        let response = http::Request::get("https://prices.example/usdc").send(node).wait()?;
        Ok(f64::from(response.status_code))
    });
    agreed.wait()
}

fn priced(host: ScriptedHost) -> ScriptedHost {
    host.answer(http::ACTION_ID, "SendRequest", |_: http::Request| {
        Ok(http::Response { status_code: 42, ..http::Response::default() })
    })
}

fn tick(id: u64) -> Trigger {
    Trigger { id, payload: Some(pack(&Payload::default())) }
}

fn argument(request: execute_request::Request) -> Vec<u8> {
    let request =
        ExecuteRequest { config: vec![], request: Some(request), max_response_size: 5_000_000 };
    testing::argument(&request)
}

fn error_of(result: ExecutionResult) -> String {
    match result.result {
        Some(execution_result::Result::Error(text)) => text,
        other => panic!("{other:?}"),
    }
}
