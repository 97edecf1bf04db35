//! The in-process chain against another node, when one is given:
//! `CDPR_NODE_URL=http://127.0.0.1:8545` of a fresh development node (anvil, chain 31337, its usual
//! accounts). Without it this says so and passes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::collections::BTreeSet;

use devchain::{Genesis, LocalChain};
use evm::abi::PriceFeed;
use evm::alloy::primitives::{Address, B256, Bytes, U256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::sol_types::{SolCall as _, SolConstructor as _};
use evm::alloy::transports::RpcError;
use evm::{Call, Fees, RawTransaction, Wallet, alloy, development_wallets, send};
use serde_json::{Value, json};

#[tokio::test]
async fn answers_have_the_shape_of_another_node() {
    let Ok(url) = std::env::var("CDPR_NODE_URL") else {
        println!("skipped: CDPR_NODE_URL names no node to compare with");
        return;
    };
    let wallets = development_wallets(31337);
    let chain =
        LocalChain::new(Genesis::development(1).fund(wallets.each_ref().map(Wallet::address)));
    let (ours, theirs) = (chain.connect(), don::http::connect(&url));
    assert_eq!(theirs.get_block_number().await.unwrap(), 0, "the node must be fresh");

    let [deploy, answer, refused] = transactions();
    for raw in [&deploy, &answer, &refused] {
        let (mine, other) =
            (send(&ours, &raw.bytes).await.unwrap(), send(&theirs, &raw.bytes).await.unwrap());
        assert_eq!((mine.status(), mine.logs().len()), (other.status(), other.logs().len()));
        assert_eq!(
            (mine.gas_used, mine.contract_address),
            (other.gas_used, other.contract_address)
        );
        assert_eq!(send(&theirs, &raw.bytes).await.unwrap(), other, "sent again");
    }

    let feed = wallets[0].address().create(0);
    let call = json!({ "from": Address::ZERO, "to": feed, "data": set_answer() });
    let good = json!({ "from": wallets[0].address(), "to": feed, "data": set_answer() });
    let requests = [
        ("eth_chainId", json!([])),
        ("net_version", json!([])),
        ("eth_blockNumber", json!([])),
        ("eth_getTransactionCount", json!([wallets[0].address(), "latest"])),
        ("eth_getCode", json!([feed, "latest"])),
        ("eth_getStorageAt", json!([feed, "0x0", "latest"])),
        ("eth_call", json!([good, "latest"])),
        ("eth_call", json!([call, "latest"])),
        ("eth_estimateGas", json!([call, "latest"])),
        ("eth_getTransactionByHash", json!([answer.hash])),
        ("eth_getTransactionByHash", json!([B256::ZERO])),
        ("eth_getTransactionReceipt", json!([answer.hash])),
        ("eth_getTransactionReceipt", json!([B256::ZERO])),
        ("eth_getBlockByNumber", json!(["0x2", false])),
        ("eth_getBlockByNumber", json!(["0x2", true])),
        ("eth_getBlockByNumber", json!(["0x99", true])),
        ("eth_getLogs", json!([{ "fromBlock": "0x0", "address": feed }])),
        ("eth_feeHistory", json!(["0x2", "latest", [50.0]])),
        ("eth_nonsense", json!([])),
        ("eth_getBalance", json!(["0x12", "latest"])),
        ("evm_snapshot", json!([])),
        ("evm_revert", json!(["0x77"])),
    ];
    let mut differences = Vec::new();
    for (method, params) in requests {
        let (mine, other) =
            (ask(&ours, method, &params).await, ask(&theirs, method, &params).await);
        let (mine, other) = (shape(&mine), shape(&other));
        // Fields may be missing here that no client needs; there must be none that the other does
        // not know.
        if !mine.is_subset(&other) {
            let extra: Vec<_> = mine.difference(&other).collect();
            differences.push(format!("{method} {params}: {extra:?} not in {other:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));

    // The least gas that suffices depends on nothing that differs between the two.
    let estimate = json!([good, "latest"]);
    assert_eq!(
        ask(&ours, "eth_estimateGas", &estimate).await,
        ask(&theirs, "eth_estimateGas", &estimate).await
    );
}

async fn ask(provider: &DynProvider, method: &str, params: &Value) -> Value {
    match provider.raw_request::<_, Value>(method.to_owned().into(), params).await {
        Ok(value) => json!({ "result": value }),
        Err(RpcError::ErrorResp(error)) => json!({ "code": error.code, "data": error.data }),
        Err(error) => panic!("{method}: {error}"),
    }
}

/// Every path to a leaf, with the kind of leaf; error codes by value.
fn shape(value: &Value) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    walk("", value, &mut paths);
    paths
}

fn walk(path: &str, value: &Value, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| walk(&format!("{path}.{key}"), value, paths));
        }
        Value::Array(items) => {
            items.iter().for_each(|value| walk(&format!("{path}[]"), value, paths));
        }
        Value::String(text) if text.starts_with("0x") => {
            paths.insert(format!("{path}: hex"));
        }
        Value::String(_) => {
            paths.insert(format!("{path}: text"));
        }
        Value::Number(number) if path == ".code" => {
            paths.insert(format!("{path} {number}"));
        }
        Value::Number(_) => {
            paths.insert(format!("{path}: number"));
        }
        Value::Bool(_) => {
            paths.insert(format!("{path}: bool"));
        }
        Value::Null => {
            paths.insert(format!("{path}: null"));
        }
    }
}

/// A deployment, a call that logs and one that fails.
fn transactions() -> [RawTransaction; 3] {
    let [owner, stranger, ..] = development_wallets(31337);
    let arguments = PriceFeed::constructorCall {
        owner_: owner.address(),
        answer_: "100000000".parse().unwrap(),
    };
    let deploy = Call {
        to: alloy::primitives::TxKind::Create,
        value: U256::ZERO,
        input: [PriceFeed::BYTECODE.to_vec(), arguments.abi_encode()].concat().into(),
        gas_limit: 2_000_000,
    };
    let feed = owner.address().create(0);
    let answer = || Call::new(feed, set_answer(), 200_000);
    let fees = Fees::default();
    [owner.sign(0, fees, deploy), owner.sign(1, fees, answer()), stranger.sign(0, fees, answer())]
}

fn set_answer() -> Bytes {
    PriceFeed::setAnswerCall { answer_: "99000000".parse().unwrap() }.abi_encode().into()
}
