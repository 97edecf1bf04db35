//! Protobuf between workflows, nodes and capabilities.

use cre::error::CapabilityError;
use cre::messages::darkpool::{
    CheckReservesRequest, CheckReservesResponse, CollateralRequest, Fill, FillTriggerConfig,
    GetRequestStatusRequest, GetRequestStatusResponse, RequestResponse,
};
use cre::messages::sdk::{
    AwaitCapabilitiesResponse, AwaitSecretsResponse, CapabilityRequest, CapabilityResponse,
    ExecuteRequest, ExecutionResult, ReportResponse, Secret, SecretResponse, SecretResponses,
    SimpleConsensusInputs, Trigger, TriggerSubscription, TriggerSubscriptionRequest,
    capability_response, execute_request, execution_result, secret_response,
    simple_consensus_inputs,
};
use cre::messages::{cron, evm, http, pack};
use cre::{Error, Runtime, Value, Workflow, testing};
use darkpool::{requested, scripted};
use don::triggers::Subscription;
use engine::Limits;
use prost::Message as _;
use server::grpc::messages as grpc;
use strangers::Decoder;

use super::{is_protobuf, is_same, text};

/// An empty message is two bytes in a list, and as much memory as its fields.
const PER_BYTE: usize = 512;

pub(crate) const MESSAGES: &[Decoder] = &[
    // As a guest reads it: argument, base64, request, and the trigger's payload.
    Decoder::new(
        "messages/arguments",
        |bytes| {
            let result =
                cre::guest::execute(setup, bytes, testing::Saying(|| Ok(Vec::new()))).result;
            matches!(result, Some(execution_result::Result::Value(_)))
        },
        || vec![testing::argument(&execute())],
    )
    .per_byte(PER_BYTE),
    Decoder::new("messages/requests", is_protobuf::<ExecuteRequest>, || {
        vec![execute().encode_to_vec()]
    })
    .per_byte(PER_BYTE),
    Decoder::new("messages/results", is_protobuf::<ExecutionResult>, || {
        let of = |result| ExecutionResult { result: Some(result) }.encode_to_vec();
        let subscriptions = TriggerSubscriptionRequest { subscriptions: subscriptions() };
        vec![
            of(execution_result::Result::Value(value())),
            of(execution_result::Result::Error("no".to_owned())),
            of(execution_result::Result::TriggerSubscriptions(subscriptions)),
        ]
    })
    .per_byte(PER_BYTE),
    Decoder::new("messages/values", values, || {
        vec![
            value().encode_to_vec(),
            Value::from(u128::MAX).encode_to_vec(),
            Value::from(i128::MIN).encode_to_vec(),
        ]
    })
    .per_byte(PER_BYTE)
    .bad(|| {
        // Lists in lists, deeper than a stack: an item is field 2 of a list, a list field 5 of a value.
        let mut nested = Vec::new();
        for _ in 0..3_000 {
            for tag in [0x12, 0x2a] {
                nested = [&[tag][..], &varint(nested.len()), &nested].concat();
            }
        }
        // Items of two bytes each, and one byte less than promised.
        let items = [0x12, 0x00].repeat(20_000);
        vec![nested, [&[0x2a][..], &varint(items.len() + 1), &items].concat()]
    }),
    Decoder::new("messages/calls", is_protobuf::<CapabilityRequest>, || {
        let call = CapabilityRequest {
            id: "darkpool@1.0.0".to_owned(),
            payload: Some(pack(&scripted::request(1))),
            method: "RequestCollateral".to_owned(),
            callback_id: 3,
        };
        vec![call.encode_to_vec()]
    })
    .per_byte(PER_BYTE),
    Decoder::new("messages/answers", is_protobuf::<AwaitCapabilitiesResponse>, || {
        let payload = pack(&http::Response { status_code: 200, ..http::Response::default() });
        let of = |response| CapabilityResponse { response: Some(response) };
        let refused = capability_response::Response::Error("Public:User:NotFound:gone".to_owned());
        let responses =
            [(1, of(capability_response::Response::Payload(payload))), (2, of(refused))].into();
        vec![AwaitCapabilitiesResponse { responses }.encode_to_vec()]
    })
    .per_byte(PER_BYTE),
    Decoder::new("messages/secrets", is_protobuf::<AwaitSecretsResponse>, || {
        let secret = Secret {
            id: "KEY".to_owned(),
            namespace: "main".to_owned(),
            owner: "me".to_owned(),
            value: "hidden".to_owned(),
        };
        let response = secret_response::Response::Secret(secret);
        let responses = vec![SecretResponse { response: Some(response) }];
        let responses = [(1, SecretResponses { responses })].into();
        vec![AwaitSecretsResponse { responses }.encode_to_vec()]
    })
    .per_byte(PER_BYTE),
    Decoder::new("messages/observations", is_protobuf::<SimpleConsensusInputs>, || {
        let observation = Some(simple_consensus_inputs::Observation::Value(value()));
        let inputs = SimpleConsensusInputs { observation, ..SimpleConsensusInputs::default() };
        vec![inputs.encode_to_vec()]
    })
    .per_byte(PER_BYTE),
    Decoder::new("messages/reports", is_protobuf::<ReportResponse>, || {
        vec![scripted::request(1).report.unwrap().encode_to_vec()]
    })
    .per_byte(PER_BYTE),
    Decoder::new("messages/subscriptions", subscribed, || {
        subscriptions().iter().map(prost::Message::encode_to_vec).collect()
    })
    .per_byte(PER_BYTE)
    .slow(10),
    Decoder::new(
        "messages/faults",
        |bytes| {
            text(bytes, |text| {
                let fault = CapabilityError::parse(text);
                is_same(fault.to_string().as_bytes(), text.as_bytes())
            })
        },
        || {
            let texts = ["Public:User:LimitExceeded:call denied: a@1.0.0 Do", "broken: pipe", ""];
            texts.map(|text| text.as_bytes().to_vec()).into()
        },
    ),
    Decoder::new("messages/reserves-asked", is_protobuf::<CheckReservesRequest>, || {
        vec![scripted::case().check.encode_to_vec()]
    }),
    Decoder::new("messages/reserves", is_protobuf::<CheckReservesResponse>, || {
        let answer = CheckReservesResponse { observed: vec![1; 100], signature: vec![2; 65] };
        vec![answer.encode_to_vec()]
    }),
    Decoder::new("messages/collateral-asked", is_protobuf::<CollateralRequest>, || {
        vec![scripted::request(1).encode_to_vec()]
    })
    .per_byte(PER_BYTE),
    Decoder::new("messages/collateral", is_protobuf::<RequestResponse>, || {
        vec![
            RequestResponse { request_id: vec![1; 32], ..RequestResponse::default() }
                .encode_to_vec(),
        ]
    }),
    Decoder::new("messages/status-asked", is_protobuf::<GetRequestStatusRequest>, || {
        let asked = GetRequestStatusRequest { dark_pool: vec![1; 20], request_id: vec![2; 32] };
        vec![asked.encode_to_vec()]
    }),
    Decoder::new("messages/status", is_protobuf::<GetRequestStatusResponse>, || {
        let fill = Some(Fill { request_id: vec![1; 32], ..Fill::default() });
        let answer = GetRequestStatusResponse { fill, ..GetRequestStatusResponse::default() };
        vec![answer.encode_to_vec()]
    })
    .per_byte(PER_BYTE),
    Decoder::new(
        "messages/logs",
        |bytes| {
            evm::Log::decode(bytes).is_ok_and(|log| {
                let _ = requested(&log, &[3; 20]);
                is_protobuf::<evm::Log>(bytes)
            })
        },
        || {
            let log = evm::Log {
                address: vec![3; 20],
                topics: vec![darkpool::COLLATERAL_REQUESTED.to_vec(), vec![1; 32], vec![2; 32]],
                data: [0; 128].to_vec(),
                ..evm::Log::default()
            };
            assert!(requested(&log, &[3; 20]).is_some());
            vec![log.encode_to_vec()]
        },
    )
    .per_byte(PER_BYTE),
    Decoder::new("messages/registrations", is_protobuf::<grpc::TriggerRegistrationRequest>, || {
        let request = grpc::TriggerRegistrationRequest {
            trigger_id: "t".to_owned(),
            payload: Some(pack(&FillTriggerConfig { dark_pool: vec![3; 20] })),
            method: "Fill".to_owned(),
            ..grpc::TriggerRegistrationRequest::default()
        };
        vec![request.encode_to_vec()]
    })
    .per_byte(PER_BYTE),
    Decoder::new("messages/acknowledgements", is_protobuf::<grpc::AckEventRequest>, || {
        let ack = grpc::AckEventRequest {
            trigger_id: "t".to_owned(),
            event_id: "e".to_owned(),
            method: "Fill".to_owned(),
        };
        vec![ack.encode_to_vec()]
    }),
];

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(cre::cron::trigger("*/30 * * * * *"), fire))
}

fn fire(_: &(), _: &mut Runtime, _: cron::Payload) -> Result<f64, Error> {
    Ok(0.0)
}

fn execute() -> ExecuteRequest {
    let trigger = Trigger { id: 0, payload: Some(pack(&cron::Payload::default())) };
    let request = Some(execute_request::Request::Trigger(trigger));
    ExecuteRequest { config: vec![1; 20], request, ..ExecuteRequest::default() }
}

fn value() -> Value {
    let list = Value::list([Value::from("text"), Value::from(&[1, 2][..]), Value::from(7_i64)]);
    Value::map([("list", list), ("nothing", Value::NOTHING), ("real", Value::from(0.5))])
}

fn values(bytes: &[u8]) -> bool {
    Value::decode(bytes).is_ok_and(|value| {
        let _ = (u128::try_from(value.clone()), i128::try_from(value.clone()));
        let _ = (u8::try_from(value.clone()), Vec::<Value>::try_from(value));
        is_protobuf::<Value>(bytes)
    })
}

fn subscriptions() -> Vec<TriggerSubscription> {
    let of = |id: &str, method: &str, payload| TriggerSubscription {
        id: id.to_owned(),
        method: method.to_owned(),
        payload: Some(payload),
        ..TriggerSubscription::default()
    };
    let cron = cron::Config { schedule: "TZ=UTC */30 */5 * 1,2 * *".to_owned() };
    let logs = evm::FilterLogTriggerRequest {
        addresses: vec![vec![1; 20]],
        ..evm::FilterLogTriggerRequest::default()
    };
    let zone = cron::Config { schedule: "TZ=America/New_York 0 9 * * 1".to_owned() };
    vec![
        of("cron-trigger@1.0.0", "Trigger", pack(&zone)),
        of("cron-trigger@1.0.0", "Trigger", pack(&cron)),
        of("http-trigger@1.0.0-alpha", "Trigger", pack(&http::Config::default())),
        of("evm:ChainSelector:7@1.0.0", "LogTrigger", pack(&logs)),
        of("darkpool@1.0.0", "Fill", pack(&FillTriggerConfig { dark_pool: vec![3; 20] })),
    ]
}

fn subscribed(bytes: &[u8]) -> bool {
    TriggerSubscription::decode(bytes)
        .is_ok_and(|asked| Subscription::parse(&asked, &Limits::production()).is_ok())
}
