//! Subscribing, firing, pre-hooks and TEEs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use cre::messages::basic_action::{Inputs, Outputs};
use cre::messages::sdk::{
    CapabilityRequest, CapabilityRestrictions, ExecuteRequest, ExecutionResult, Requirements,
    Restrictions, Tee, TeeType, TeeTypeAndRegions, TeeTypesAndRegions, Trigger,
    TriggerSubscription, TriggerSubscriptionRequest, capability_response, execute_request,
    execution_result, tee,
};
use cre::messages::values::{Value, value};
use cre::messages::{Any, pack};
use don::{
    Behaviour, Call, Caller, CapabilityError, Don, Execution, Job, LifecycleError, Program,
    ProgramError, Registry, Subscriptions, TeeRunner, Workflow, WorkflowIdentity, subscribe,
};
use engine::{Mode, World};
use k256::ecdsa::SigningKey;
use primitives::Address;

const ACTION: &str = "basic-test-action@1.0.0";

#[test]
fn trigger_is_known_by_its_place() {
    let program = subscribing(vec![plain(), plain()]);
    let workflow = Workflow::new(&program);
    let subscriptions = start(&workflow).unwrap();
    assert_eq!(subscriptions.triggers.len(), 2);
    let execution = fire(&subscriptions, &workflow, 1, &[]).unwrap();
    assert_eq!(text(&execution), "trigger 1: ok");
    let error = fire(&subscriptions, &workflow, 2, &[]).unwrap_err();
    assert_eq!(error.to_string(), "trigger 2 was not subscribed to, there are 2");
}

#[test]
fn pre_hook_sees_no_configuration_and_its_restrictions_bind_the_handler() {
    let program = subscribing(vec![TriggerSubscription { pre_hook: true, ..plain() }]);
    let mut workflow = Workflow::new(&program);
    workflow.config = b"config".to_vec();
    let subscriptions = start(&workflow).unwrap();
    let execution = fire(&subscriptions, &workflow, 0, &[]).unwrap();
    assert_eq!(
        text(&execution),
        "trigger 0: Public:User:LimitExceeded:call denied by user pre-hook restrictions: \
         basic-test-action@1.0.0 PerformAction"
    );
    assert!(execution.calls.is_empty());
}

#[test]
fn tee_that_is_not_there_refuses_the_subscription_in_chainlinks_words() {
    let program = subscribing(vec![plain(), in_tee(&["us-west-2"])]);
    let mut workflow = Workflow::new(&program);
    let error = start(&workflow).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot find a runner that can satisfy the requirements for trigger 1"
    );
    let elsewhere = Enclave { region: "eu-central-1" };
    workflow.tees = vec![&elsewhere];
    assert!(matches!(start(&workflow), Err(LifecycleError::NoRunner { trigger: 1 })));
}

#[test]
fn tee_runs_once_and_a_quorum_of_nodes_vouches_for_it() {
    let program = subscribing(vec![in_tee(&["us-west-2"])]);
    let enclave = Enclave { region: "us-west-2" };
    let mut workflow = Workflow::new(&program);
    workflow.tees = vec![&enclave];
    let subscriptions = start(&workflow).unwrap();

    let execution = fire(&subscriptions, &workflow, 0, &[Behaviour::Absent]).unwrap();
    assert_eq!(text(&execution), "in the enclave: ok");
    assert_eq!(execution.agreed.unwrap().voters, [1, 2, 3]);
    assert_eq!(execution.calls.len(), 1);
    assert_eq!(execution.calls[0].voters, [1, 2, 3]);

    let two = &[Behaviour::Absent, Behaviour::Absent];
    let execution = fire(&subscriptions, &workflow, 0, two).unwrap();
    assert!(execution.agreed.is_err());
    assert!(execution.results.iter().all(Option::is_none));
}

#[test]
#[should_panic(expected = "a capability gave up")]
fn panic_of_a_capability_ends_the_execution() {
    let program = subscribing(vec![plain()]);
    let workflow = Workflow::new(&program);
    let subscriptions = start(&workflow).unwrap();
    let mut registry = Registry::default();
    let gives_up =
        |_: &Call<'_>| -> Result<Any, CapabilityError> { panic!("a capability gave up") };
    registry.register(ACTION, gives_up);
    let trigger = Trigger { id: 0, payload: None };
    let _ = subscriptions.fire(&don(), &workflow, trigger, &Job::default(), &mut registry, &[]);
}

#[test]
fn nodes_that_cannot_run_a_workflow_say_why_and_not_that_they_disagree() {
    let program = |_: &ExecuteRequest, _: &mut dyn World| {
        let reason = "mmap failed: Cannot allocate memory (os error 12)".to_owned();
        Err(ProgramError::Failed(engine::Error::NoRoom { reason }.into()))
    };
    let error = start(&Workflow::new(&program)).unwrap_err();
    assert!(matches!(error, LifecycleError::Broken { n_broken: 4, n: 4, .. }), "{error:?}");
    assert_eq!(
        don::words(&error),
        "4 of 4 nodes could not run the workflow for its triggers: the program failed: this machine has no room for the \
         module's memory, see `ulimit -v`: mmap failed: Cannot allocate memory (os error 12)"
    );
}

#[test]
fn workflow_over_its_limits_is_refused() {
    let program = subscribing(vec![plain(); 11]);
    let mut workflow = Workflow::new(&program);
    assert!(matches!(start(&workflow), Err(LifecycleError::Refused(_))));
    workflow.limits.triggers_max = 11;
    assert!(start(&workflow).is_ok());
    workflow.config = vec![0; 50_001];
    assert!(matches!(start(&workflow), Err(LifecycleError::Refused(_))));
}

#[test]
fn workflow_that_fails_to_subscribe_says_why() {
    let program = |_: &ExecuteRequest, _: &mut dyn World| {
        Ok(result(execution_result::Result::Error("no schedule".into())))
    };
    let error = start(&Workflow::new(&program)).unwrap_err();
    assert_eq!(error.to_string(), "the workflow failed to give its triggers: no schedule");
}

struct Enclave {
    region: &'static str,
}

impl Program for Enclave {
    fn run(
        &self,
        _: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, ProgramError> {
        Ok(said(format!("in the enclave: {}", act(world))))
    }
}

impl TeeRunner for Enclave {
    fn tee(&self) -> TeeTypeAndRegions {
        TeeTypeAndRegions {
            r#type: TeeType::AwsNitro as i32,
            regions: vec![self.region.to_owned()],
        }
    }
}

/// A workflow of these triggers, whose handler calls the basic action and whose pre-hook allows no call.
fn subscribing(subscriptions: Vec<TriggerSubscription>) -> impl Program {
    move |request: &ExecuteRequest, world: &mut dyn World| {
        Ok(match request.request.as_ref().unwrap() {
            execute_request::Request::Subscribe(()) => {
                let subscriptions = subscriptions.clone();
                result(execution_result::Result::TriggerSubscriptions(TriggerSubscriptionRequest {
                    subscriptions,
                }))
            }
            execute_request::Request::Trigger(trigger) => {
                said(format!("trigger {}: {}", trigger.id, act(world)))
            }
            execute_request::Request::PreHook(_) => {
                assert!(request.config.is_empty());
                result(execution_result::Result::Restrictions(Restrictions {
                    secrets: None,
                    capabilities: Some(CapabilityRestrictions::default()),
                }))
            }
        })
    }
}

fn act(world: &mut dyn World) -> String {
    let request = CapabilityRequest {
        id: ACTION.into(),
        payload: Some(pack(&Inputs { input_thing: true })),
        method: "PerformAction".into(),
        callback_id: 1,
    };
    world.call(Mode::Don, request).unwrap();
    match world.answer(1).unwrap().response.unwrap() {
        capability_response::Response::Payload(_) => "ok".to_owned(),
        capability_response::Response::Error(reason) => reason,
    }
}

fn plain() -> TriggerSubscription {
    TriggerSubscription {
        id: "basic-test-trigger@1.0.0".into(),
        method: "Trigger".into(),
        ..TriggerSubscription::default()
    }
}

fn in_tee(regions: &[&str]) -> TriggerSubscription {
    let regions = regions.iter().map(|region| (*region).to_owned()).collect();
    let one = TeeTypeAndRegions { r#type: TeeType::AwsNitro as i32, regions };
    let item =
        tee::Item::TeeTypesAndRegions(TeeTypesAndRegions { tee_type_and_regions: vec![one] });
    let requirements = Requirements { tee: Some(Tee { item: Some(item) }) };
    TriggerSubscription { requirements: Some(requirements), ..plain() }
}

fn start(workflow: &Workflow<'_>) -> Result<Subscriptions, LifecycleError> {
    subscribe(&don(), workflow, &Job::default(), &mut registry(), &[])
}

fn fire(
    subscriptions: &Subscriptions,
    workflow: &Workflow<'_>,
    id: u64,
    behaviours: &[Behaviour<'_>],
) -> Result<Execution, LifecycleError> {
    let trigger = Trigger { id, payload: None };
    subscriptions.fire(&don(), workflow, trigger, &Job::default(), &mut registry(), behaviours)
}

fn registry<'a>() -> Registry<'a> {
    let mut registry = Registry::default();
    registry.register(ACTION, |call: &Call<'_>| {
        assert!(matches!(call.caller, Caller::Don(_) | Caller::Tee(_)));
        Ok(pack(&Outputs { adapted_thing: "done".into() }))
    });
    registry
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

fn said(text: String) -> ExecutionResult {
    result(execution_result::Result::Value(Value { value: Some(value::Value::StringValue(text)) }))
}

fn result(result: execution_result::Result) -> ExecutionResult {
    ExecutionResult { result: Some(result) }
}

fn text(execution: &Execution) -> String {
    match &execution.agreed.as_ref().unwrap().value.result {
        Some(execution_result::Result::Value(Value {
            value: Some(value::Value::StringValue(text)),
        })) => text.clone(),
        other => panic!("{other:?}"),
    }
}
