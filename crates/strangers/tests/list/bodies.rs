//! Bodies of HTTP and gRPC: what servers are asked, and what a client is answered.

use cre::messages::darkpool::{CHECK_RESERVES, GET_REQUEST_STATUS, GetRequestStatusRequest};
use cre::messages::pack;
use darkpool::scripted::{self, Scripted};
use darkpool::{Endpoint, Service, path};
use devchain::{Genesis, LocalChain};
use evm::alloy::primitives::{Bytes, U256};
use evm::{Call, Fees};
use prost::Message as _;
use serde_json::{Value, json};
use server::grpc::messages::CapabilityRequest;
use strangers::Decoder;

pub(crate) const BODIES: &[Decoder] = &[
    Decoder::new(
        "bodies/check-reserves",
        |body| asked(CHECK_RESERVES, body),
        || vec![scripted::case().check.encode_to_vec()],
    ),
    Decoder::new(
        "bodies/get-request-status",
        |body| asked(GET_REQUEST_STATUS, body),
        || {
            let dark_pool = scripted::request(1).dark_pool;
            vec![GetRequestStatusRequest { dark_pool, request_id: vec![5; 32] }.encode_to_vec()]
        },
    ),
    // What a Chainlink node calls, and the report inside it.
    Decoder::new(
        "bodies/execute",
        |body| {
            CapabilityRequest::decode(body).is_ok_and(|call| {
                let mut service = Service::new(scripted::scope(), Scripted::default());
                call.payload.is_some_and(|payload| service.call(&call.method, &payload).is_ok())
            })
        },
        || {
            let call = |method: &str, payload| CapabilityRequest {
                payload: Some(payload),
                method: method.to_owned(),
                capability_id: "darkpool@1.0.0".to_owned(),
                ..CapabilityRequest::default()
            };
            let calls = [
                call("CheckReserves", pack(&scripted::case().check)),
                call("RequestCollateral", pack(&scripted::request(1))),
            ];
            calls.iter().map(prost::Message::encode_to_vec).collect()
        },
    )
    .per_byte(512)
    .slow(10),
    // JSON-RPC, single and in batches, on a chain that is thrown away.
    Decoder::new(
        "bodies/json-rpc",
        |body| {
            let answer = chain().answer(body);
            let answer: Option<Value> =
                answer.map(|answer| serde_json::from_slice(&answer).expect("an answer is JSON"));
            // A notification is taken and not answered.
            let is_taken = |one: &Value| one.get("error").is_none();
            answer.is_none_or(|answer| {
                answer.as_array().map_or_else(|| is_taken(&answer), |all| all.iter().all(is_taken))
            })
        },
        || requests().into_iter().map(|request| request.to_string().into_bytes()).collect(),
    )
    .per_byte(256)
    .bad(|| {
        let percentiles = vec![50; 20_000];
        let params = json!(["0x400", "latest", percentiles]);
        let history = json!({ "id": 1, "method": "eth_feeHistory", "params": params });
        let many = json!({ "id": 1, "method": "anvil_mine", "params": [u64::MAX] });
        let [history, many] = [history, many].map(|request| request.to_string().into_bytes());
        vec![history, many, b"[".repeat(100_000), b"{\"params\":".repeat(10_000), Vec::new()]
    })
    .slow(10),
];

fn asked(method: &str, body: &[u8]) -> bool {
    Endpoint::new("token").read(&path(method), b"Bearer token", body).is_ok_and(|asked| {
        let answer = asked.answer(&mut Service::new(scripted::scope(), Scripted::default()));
        (100..600).contains(&answer.status)
    })
}

const START: u64 = 1_678_492_800;

/// A few blocks, so that whoever asks for all of them gets some.
fn chain() -> LocalChain {
    let [wallet, ..] = evm::development_wallets(31_337);
    let chain = LocalChain::new(Genesis::development(START).fund([wallet.address()]));
    chain.request("anvil_mine", json!([24])).expect("a chain can be mined");
    chain
}

/// A transfer, signed.
pub(crate) fn transaction() -> Bytes {
    let [wallet, other, ..] = evm::development_wallets(31_337);
    let call = Call { value: U256::from(5), ..Call::new(other.address(), Bytes::new(), 21_000) };
    wallet.sign(0, Fees::default(), call).bytes
}

fn requests() -> Vec<Value> {
    let [wallet, other, ..] = evm::development_wallets(31_337).map(|wallet| wallet.address());
    let call = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let transfer = json!({ "from": wallet, "to": other, "value": "0x5" });
    let chain = call("eth_chainId", json!([]));
    let notification = json!({ "method": "eth_blockNumber" });
    vec![
        chain.clone(),
        notification.clone(),
        json!([chain, notification, call("eth_getBalance", json!([wallet, "latest"]))]),
        call("eth_sendRawTransaction", json!([transaction()])),
        call("eth_call", json!([transfer, "latest"])),
        call("eth_estimateGas", json!([transfer])),
        call("eth_getBlockByNumber", json!(["0x1", true])),
        call(
            "eth_getLogs",
            json!([{ "fromBlock": "0x0", "toBlock": "latest", "address": other, "topics": [null] }]),
        ),
        call("eth_feeHistory", json!(["0x4", "latest", [25.0, 75.0]])),
        call("anvil_setBalance", json!([other, "0x7"])),
        call("anvil_setStorageAt", json!([other, "0x1", format!("0x{}", "01".repeat(32))])),
        call("evm_increaseTime", json!([60])),
    ]
}
