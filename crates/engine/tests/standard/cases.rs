// Included once per engine, which brings its `Module`.

fn module(name: &str) -> Option<Module> {
    let limits = Limits { response_size_max: 5_000_000, ..Limits::production() };
    program(name).map(|wasm| Module::compile(&wasm, &limits).expect("compiles"))
}

fn run(module: &Module, request: &sdk::ExecuteRequest, node: &mut Node) -> Outcome {
    module.execute(request, node).expect("a result").result.expect("not empty")
}

#[test]
fn config() {
    let Some(module) = module("config") else { return };
    let result = run(&module, &trigger(), &mut Node::new(nothing));
    assert_eq!(result, value(values::value::Value::BytesValue(b"config".to_vec())));
}

#[test]
fn errors() {
    let Some(module) = module("errors") else { return };
    fails_with(&run(&module, &trigger(), &mut Node::new(nothing)), "workflow execution failure");
}

#[test]
fn capability_errors() {
    const CODES: [&str; 19] = [
        "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
        "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange",
        "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated",
        "ConsensusFailed", "LimitExceeded", "InsufficientObservations",
    ];
    let Some(module) = module("capability_errors") else { return };
    let mut node = Node::new(|node, _, _| match CODES.get(node.served.len()) {
        Some(code) => Err(format!("Public:System:{code}:{code} error")),
        None => Ok(pack(&basic_action::Outputs { adapted_thing: "Done".to_owned() })),
    });
    assert_eq!(run(&module, &trigger(), &mut node), text("Done"));
    assert_eq!(node.served.len(), CODES.len() + 1);
}

#[test]
fn capability_calls_are_async() {
    let Some(module) = module("capability_calls_are_async") else { return };
    let mut node = Node::new(|_, _, request| {
        let adapted_thing = input::<basic_action::Inputs>(request).input_thing.to_string();
        Ok(pack(&basic_action::Outputs { adapted_thing }))
    });
    assert_eq!(run(&module, &trigger(), &mut node), text("truefalse"));
    let kinds: Vec<_> =
        node.events.iter().filter(|event| !event.starts_with("now")).map(|event| &event[..4]).collect();
    assert_eq!(kinds, ["call", "call", "answ", "answ"]);
}

#[test]
fn host_wasm_write_errors_are_respected() {
    let Some(module) = module("host_wasm_write_errors_are_respected") else { return };
    let mut node = Node::new(|_, _, _| {
        Ok(pack(&basic_action::Outputs { adapted_thing: "a".repeat(500_000_000) }))
    });
    fails_with(&run(&module, &trigger(), &mut node), "response buffer too small");
}

#[test]
fn successful_mode_switch() {
    let Some(module) = module("mode_switch_successful_mode_switch") else { return };
    let mut node = Node::new(mode_switch);
    assert_eq!(run(&module, &trigger(), &mut node), text("test556"));
    let n_don_times = node.events.iter().filter(|event| *event == "now Don").count();
    assert_eq!(n_don_times, 2);
    let don_call = node.events.iter().position(|event| event.starts_with("call Don"));
    let node_time = node.events.iter().rposition(|event| event == "now Node");
    assert!(don_call < node_time, "{:?}", node.events);
    let consensus: sdk::SimpleConsensusInputs = input(node.served.last().expect("calls"));
    let fields = |number| {
        let number = values::Value { value: Some(values::value::Value::Int64Value(number)) };
        let fields = BTreeMap::from([("OutputThing".to_owned(), number)]);
        values::Value { value: Some(values::value::Value::MapValue(values::Map { fields })) }
    };
    let median = sdk::ConsensusDescriptor {
        descriptor: Some(sdk::consensus_descriptor::Descriptor::Aggregation(
            sdk::AggregationType::Median.into(),
        )),
    };
    let by_field = sdk::FieldsMap { fields: BTreeMap::from([("OutputThing".to_owned(), median)]) };
    assert_eq!(
        consensus,
        sdk::SimpleConsensusInputs {
            observation: Some(sdk::simple_consensus_inputs::Observation::Value(fields(555))),
            descriptors: Some(sdk::ConsensusDescriptor {
                descriptor: Some(sdk::consensus_descriptor::Descriptor::FieldsMap(by_field)),
            }),
            default: Some(fields(123)),
        }
    );
}

#[test]
fn node_runtime_in_don_mode() {
    let Some(module) = module("mode_switch_node_runtime_in_don_mode") else { return };
    let mut node = Node::new(mode_switch);
    let result = run(&module, &trigger(), &mut node);
    fails_with(&result, "cannot use NodeRuntime outside RunInNodeMode");
    let ids: Vec<_> = node.served.iter().map(|request| request.id.as_str()).collect();
    assert_eq!(ids, ["consensus@1.0.0-alpha"]);
}

#[test]
fn don_runtime_in_node_mode() {
    for name in ["mode_switch_don_runtime_in_node_mode", "secrets_fail_in_node_mode"] {
        let Some(module) = module(name) else { return };
        let mut node = Node::new(mode_switch);
        let expected = "cannot use Runtime inside RunInNodeMode";
        fails_with(&run(&module, &trigger(), &mut node), expected);
        let consensus: sdk::SimpleConsensusInputs = input(node.served.last().expect("consensus"));
        assert!(matches!(
            consensus.observation,
            Some(sdk::simple_consensus_inputs::Observation::Error(error)) if error.contains(expected)
        ));
    }
}

#[test]
fn logging() {
    let Some(module) = module("logging") else { return };
    let mut node = Node::new(nothing);
    run(&module, &trigger(), &mut node);
    assert!(
        matches!(&node.logs[..], [(Mode::Don, line)] if line.contains("log from wasm!")),
        "{:?}",
        node.logs
    );
}

#[test]
fn multiple_triggers() {
    let Some(module) = module("multiple_triggers") else { return };
    let subscription = |id: &str, payload| sdk::TriggerSubscription {
        id: id.to_owned(),
        payload: Some(payload),
        method: "Trigger".to_owned(),
        requirements: None,
        pre_hook: false,
    };
    let basic = |name: &str, number| {
        pack(&basic_trigger::Config { name: name.to_owned(), number })
    };
    let action = action_and_trigger::Config { name: "second-trigger".to_owned(), number: 150 };
    let expected = sdk::TriggerSubscriptionRequest {
        subscriptions: vec![
            subscription("basic-test-trigger@1.0.0", basic("first-trigger", 100)),
            subscription("basic-test-action-trigger@1.0.0", pack(&action)),
            subscription("basic-test-trigger@1.0.0", basic("third-trigger", 200)),
        ],
    };
    let result = run(&module, &subscribe(), &mut Node::new(nothing));
    assert_eq!(result, Outcome::TriggerSubscriptions(expected));
    for id in 0..3 {
        let request = if id == 1 {
            let event = action_and_trigger::TriggerEvent { cool_output: "event".to_owned() };
            request_of(sdk::execute_request::Request::Trigger(sdk::Trigger {
                id,
                payload: Some(pack(&event)),
            }))
        } else {
            trigger_of(id, "event")
        };
        let result = run(&module, &request, &mut Node::new(nothing));
        assert_eq!(result, text(&format!("called {id} with event")));
    }
}

#[test]
fn random() {
    let Some(module) = module("random") else { return };
    let draw = |execution_id, node_output| {
        let mut node = Node::new(mode_switch);
        node.execution_id = execution_id;
        node.node_output = node_output;
        (run(&module, &trigger(), &mut node), node.logs)
    };
    let (first, logs) = draw("id", 150);
    assert!(matches!(&first, Outcome::Value(_)) && logs.is_empty(), "{first:?} {logs:?}");
    let (same, logs) = draw("id", 99);
    assert_eq!(same, first);
    let [(_, line)] = &logs[..] else { panic!("expected one line, got {logs:?}") };
    assert!(line.split("***").nth(1).expect("marked").parse::<u64>().is_ok(), "{line}");
    assert_ne!(draw("another id", 120).0, first);
}

#[test]
fn secrets() {
    let Some(module) = module("secrets") else { return };
    let mut node = Node::new(nothing);
    node.secret = Some("Bar");
    assert_eq!(run(&module, &trigger(), &mut node), text("Bar"));
    let result = run(&module, &trigger(), &mut Node::new(nothing));
    fails_with(&result, "could not find secret");
}

#[test]
fn time_interpretation() {
    let Some(module) = module("time_interpretation") else { return };
    let result = run(&module, &trigger(), &mut Node::new(nothing));
    assert_eq!(result, text("2020-01-02T03:04:05Z"));
}

#[test]
fn tee_runtime() {
    let Some(module) = module("tee_runtime") else { return };
    let subscription = |name: &str, number, requirements| sdk::TriggerSubscription {
        id: "basic-test-trigger@1.0.0".to_owned(),
        payload: Some(pack(&basic_trigger::Config { name: name.to_owned(), number })),
        method: "Trigger".to_owned(),
        requirements,
        pre_hook: false,
    };
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
    let expected = sdk::TriggerSubscriptionRequest {
        subscriptions: vec![
            subscription("first-trigger", 100, Some(required)),
            subscription("second-trigger", 200, None),
        ],
    };
    let result = run(&module, &subscribe(), &mut Node::new(nothing));
    assert_eq!(result, Outcome::TriggerSubscriptions(expected));
}

#[test]
fn restrictions() {
    let Some(module) = module("restrictions") else { return };
    let subscribed = run(&module, &subscribe(), &mut Node::new(nothing));
    assert!(
        matches!(&subscribed, Outcome::TriggerSubscriptions(asked) if asked.subscriptions[0].pre_hook)
    );
    // A pre-hook gets no configuration.
    let Some(sdk::execute_request::Request::Trigger(event)) = trigger().request else {
        unreachable!("a trigger")
    };
    let pre_hook = sdk::ExecuteRequest {
        config: Vec::new(),
        ..request_of(sdk::execute_request::Request::PreHook(event))
    };
    let Outcome::Restrictions(restrictions) =
        run(&module, &pre_hook, &mut Node::new(nothing))
    else {
        panic!("expected restrictions")
    };
    assert_eq!(restrictions.capabilities.expect("capabilities").max_total_calls, 0);
    let denied = "call denied by user pre-hook restrictions: basic-test-action@1.0.0 PerformAction";
    let mut node = Node::new(|_, _, request| {
        Err(format!(
            "Public:User:LimitExceeded:call denied by user pre-hook restrictions: {} {}",
            request.id, request.method
        ))
    });
    fails_with(&run(&module, &trigger(), &mut node), denied);
}
