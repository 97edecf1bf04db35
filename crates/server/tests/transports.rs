//! The suite over each transport: a registry's call, gRPC on a unix socket and on loopback, and HTTP with
//! an ordinary report.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on should say where, and one that is skipped why"
)]

use std::path::PathBuf;

use cre::messages::darkpool::{FILL, Fill, FillTriggerConfig};
use cre::messages::evm::{
    GetTransactionReceiptReply, GetTransactionReceiptRequest, Log, Receipt,
    ReceiverContractExecutionStatus, TxStatus, WriteReportReply, WriteReportRequest,
};
use cre::messages::{Any, pack, unpack};
use evm::report::SignedReport;
use tokio::runtime::Handle;

use darkpool::scripted::{ID, Scripted, case, request, scope};
use darkpool::testing::{Post, reactor, suite};
use darkpool::{
    Backend as _, COLLATERAL_REQUESTED, CapabilityError, Chain, Client, Code, Delivery, Fallback,
    Host, Service,
};
use server::Shared;
use server::grpc::messages::{AckEventRequest, TriggerMessage, TriggerRegistrationRequest};
use server::grpc::{Caller, Server};

fn shared() -> Shared<Scripted> {
    Shared::new(Service::new(scope(), Scripted::default()))
}

fn socket(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("darkpool-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn client(
    handle: &Handle,
    caller: Caller,
) -> Client<impl FnMut(&str, Any) -> Result<Any, CapabilityError>> {
    let handle = handle.clone();
    Client(move |method: &str, payload: Any| handle.block_on(caller.execute(method, payload)))
}

#[test]
fn a_registry_passes_the_suite() {
    let shared = shared();
    let call = |method: &str, payload: Any| {
        shared
            .with(|service| service.call(method, &payload))
            .map_err(|error| CapabilityError::from(&error))
    };
    suite(&mut Client(call), &case());
}

#[test]
fn grpc_on_a_unix_socket_passes_the_suite() {
    let (handle, path) = (reactor(), socket("suite"));
    let (server, caller) = handle.block_on(async {
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let server = Server::unix(shared(), listener);
        (server, Caller::unix(&path).await.unwrap())
    });
    let info = handle.block_on(caller.info()).unwrap();
    assert_eq!((info.id.as_str(), info.capability_type), ("darkpool@1.0.0", 5));
    suite(&mut client(&handle, caller), &case());
    drop(server);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn grpc_on_loopback_passes_the_suite() {
    let handle = reactor();
    let (_server, caller) = handle.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::tcp(shared(), listener);
        (server, Caller::tcp(address).await.unwrap())
    });
    suite(&mut client(&handle, caller), &case());
}

#[test]
fn capability_that_takes_the_connection_and_says_nothing_is_given_up() {
    let handle = reactor();
    // It accepts, by the kernel's hand, and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let late = std::time::Duration::from_millis(100);
    let caller = handle.block_on(Caller::tcp(address)).unwrap().within(late);
    let status = handle.block_on(caller.info()).unwrap_err();
    assert_eq!(status.message(), "no answer within 100 ms");
    let error = handle.block_on(caller.execute(FILL, Any::default())).unwrap_err();
    assert_eq!(error.code, Code::DeadlineExceeded, "{error}");
}

#[test]
fn the_fallback_passes_the_suite() {
    let (handle, shared) = (reactor(), shared());
    let server = handle.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        server::http::Server::start(shared.clone(), listener, "token").unwrap()
    });
    let address = server.address();
    let mut stranger = Post { address, token: "another" };
    let (status, body) = stranger.post(&darkpool::path("CheckReserves"), vec![]).unwrap();
    assert_eq!(status, 401);
    assert_eq!(
        CapabilityError::parse(&String::from_utf8(body).unwrap()).code,
        Code::Unauthenticated
    );
    let host = Post { address, token: "token" };
    suite(&mut Fallback { host, chain: Written(shared) }, &case());
}

#[test]
fn fills_stream_until_acknowledged() {
    let (handle, shared, path) = (reactor(), shared(), socket("fills"));
    suite(
        &mut Client(|method: &str, payload: Any| {
            shared
                .with(|service| service.call(method, &payload))
                .map_err(|error| CapabilityError::from(&error))
        }),
        &case(),
    );
    let (server, caller) = handle.block_on(async {
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let server = Server::unix(shared.clone(), listener);
        (server, Caller::unix(&path).await.unwrap())
    });
    let registration = TriggerRegistrationRequest {
        trigger_id: "workflow_0".into(),
        payload: Some(pack(&FillTriggerConfig { dark_pool: scope().dark_pool.0.to_vec() })),
        method: FILL.into(),
        ..TriggerRegistrationRequest::default()
    };
    handle.block_on(async {
        let mut stream = caller.register(registration.clone()).await.unwrap();
        let first = stream.message().await.unwrap().unwrap();
        assert_eq!(first.message, Some(TriggerMessage::Ack(())));
        let prove = shared.clone();
        tokio::task::spawn_blocking(move || prove.with(|s| s.backend().prove(1))).await.unwrap();
        let event = next(&mut stream).await;
        let fill: Fill = unpack(event.payload.as_ref().unwrap()).unwrap();
        assert_eq!((fill.request_id, fill.round), (ID.0.to_vec(), 1));

        // Not acknowledged, it comes again; a new registration ends the stream before.
        let mut again = caller.register(registration.clone()).await.unwrap();
        again.message().await.unwrap().unwrap();
        assert_eq!(next(&mut again).await, event);
        assert!(stream.message().await.unwrap().is_none(), "replaced");
        let acknowledged = AckEventRequest {
            trigger_id: "workflow_0".into(),
            event_id: event.id.clone(),
            method: FILL.into(),
        };
        caller.acknowledge(acknowledged.clone()).await.unwrap();

        // Acknowledged, it does not; the next one does.
        let mut third = caller.register(registration.clone()).await.unwrap();
        third.message().await.unwrap().unwrap();
        tokio::task::spawn_blocking(move || {
            shared.with(|s| {
                s.backend().settled = 1;
                s.backend().prove(2);
            });
        })
        .await
        .unwrap();
        assert!(next(&mut third).await.id.ends_with("-2"));
        caller.unregister(registration.clone()).await.unwrap();
        assert!(third.message().await.unwrap().is_none(), "unregistered");
        assert!(caller.acknowledge(acknowledged).await.is_err(), "no such trigger any more");

        // A refusal is the first message, and the last.
        let other = pack(&FillTriggerConfig { dark_pool: vec![1; 20] });
        let bad = TriggerRegistrationRequest { payload: Some(other), ..registration };
        let mut refused = caller.register(bad).await.unwrap();
        let Some(TriggerMessage::Response(response)) =
            refused.message().await.unwrap().unwrap().message
        else {
            panic!("acknowledged");
        };
        assert_eq!(CapabilityError::parse(&response.error).code, Code::InvalidArgument);
        assert!(refused.message().await.unwrap().is_none());
    });
    drop(server);
    std::fs::remove_file(path).unwrap();
}

async fn next(
    stream: &mut tonic::Streaming<server::grpc::messages::TriggerResponseMessage>,
) -> server::grpc::messages::TriggerEvent {
    match stream.message().await.unwrap().unwrap().message {
        Some(TriggerMessage::Response(response)) => response.event.unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The EVM capability over the scripted chain.
struct Written(Shared<Scripted>);

impl Chain for Written {
    fn write_report(
        &mut self,
        request: WriteReportRequest,
    ) -> Result<WriteReportReply, CapabilityError> {
        let report = request.report.unwrap();
        let report = SignedReport {
            raw: report.raw_report.into(),
            context: report.report_context.into(),
            signatures: report.sigs.into_iter().map(|sig| sig.signature.into()).collect(),
        };
        let delivery = self.0.with(|service| {
            let backend = service.backend();
            match backend.delivered(&report).unwrap() {
                Some(facts) => Delivery::Taken(facts),
                None if request.receiver != scope().dark_pool.0 => Delivery::Rejected,
                None => backend.deliver(&report).unwrap(),
            }
        });
        let (status, receiver, error_message) = match delivery {
            Delivery::Taken(_) => {
                (TxStatus::Success, ReceiverContractExecutionStatus::Success, None)
            }
            Delivery::Refused(reason) => (
                TxStatus::Success,
                ReceiverContractExecutionStatus::Reverted,
                Some(reason.to_string()),
            ),
            Delivery::Rejected => {
                (TxStatus::Reverted, ReceiverContractExecutionStatus::Reverted, None)
            }
        };
        Ok(WriteReportReply {
            tx_status: status as i32,
            receiver_contract_execution_status: Some(receiver as i32),
            tx_hash: Some(vec![8; 32]),
            error_message,
            ..WriteReportReply::default()
        })
    }

    fn receipt(
        &mut self,
        request: GetTransactionReceiptRequest,
    ) -> Result<GetTransactionReceiptReply, CapabilityError> {
        assert_eq!(request.hash, [8; 32]);
        let (_, commitment) = self.0.with(|service| service.backend().open).unwrap();
        let mut data = commitment.0.to_vec();
        for word in [50u64, 5, 3_605] {
            data.extend([0; 24]);
            data.extend(word.to_be_bytes());
        }
        let topics = vec![COLLATERAL_REQUESTED.to_vec(), ID.0.to_vec(), vec![0; 32]];
        let log = Log { address: scope().dark_pool.0.to_vec(), topics, data, ..Log::default() };
        let receipt = Receipt { logs: vec![Log::default(), log], ..Receipt::default() };
        Ok(GetTransactionReceiptReply { receipt: Some(receipt) })
    }
}

/// Go's gRPC, as a Chainlink node's. Skipped where there is no Go, or where its modules cannot be had.
/// `CDPR_GO_DARKPOOL` names a client built elsewhere, such as one from Chainlink's own definitions.
#[test]
fn a_go_client_calls_and_listens() {
    let Some((program, is_ours)) = go_client() else { return };
    let (handle, shared, path) = (reactor(), shared(), socket("go-socket"));
    shared.with(|service| {
        service.request_collateral(&request(1)).unwrap();
        service.backend().prove(1);
    });
    let server = handle
        .block_on(async { Server::unix(shared, tokio::net::UnixListener::bind(&path).unwrap()) });
    let hex = |bytes: &[u8]| evm::alloy::primitives::hex::encode(bytes);
    let output = std::process::Command::new(&program)
        .arg(&path)
        .args([hex(&scope().dark_pool.0), hex(&ID.0)])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!((String::from_utf8_lossy(&output.stdout).trim(), error.trim()), ("ok", ""));
    drop(server);
    std::fs::remove_file(path).unwrap();
    if is_ours {
        std::fs::remove_file(program).unwrap();
    }
}

/// The client and whether this test built it, or nothing and a printed reason.
fn go_client() -> Option<(PathBuf, bool)> {
    if let Some(program) = std::env::var_os("CDPR_GO_DARKPOOL") {
        return Some((program.into(), false));
    }
    let program = socket("go");
    let built = std::process::Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/go-darkpool"))
        .output();
    match built {
        Err(error) => {
            println!("skipped: no Go here: {error}");
            None
        }
        Ok(output) if !output.status.success() => {
            let text = String::from_utf8_lossy(&output.stderr);
            // A missing module is the machine's; anything else is ours.
            assert!(text.contains("dial tcp") || text.contains("lookup"), "{text}");
            println!("skipped: Go's modules cannot be had: {text}");
            None
        }
        Ok(_) => Some((program, true)),
    }
}
