//! The chain in the process as others see it: by JSON-RPC over HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use darkpool::testing::reactor;
use devchain::{Genesis, LocalChain};
use evm::abi::PriceFeed;
use evm::alloy::primitives::{Address, TxKind, U256};
use evm::alloy::providers::Provider as _;
use evm::alloy::sol_types::{SolCall as _, SolConstructor as _};
use evm::{Call, Fees, RawTransaction, Wallet, development_wallets, send};
use serde_json::Value;
use server::rpc::Server;

#[test]
fn second_provider_over_http_sees_the_same_chain() {
    let chain = chain();
    let local = chain.connect();
    let server = serve(&chain);
    assert!(server.address().ip().is_loopback());
    let provider = don::http::connect(&server.url());
    let feed = wallets()[0].address().create(0);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for raw in [deploy_feed(), answer(feed, 1, 99_000_000)] {
            assert!(send(&local, &raw.bytes).await.unwrap().status());
        }
        let answered = PriceFeed::new(feed, &provider).latestRoundData().call().await.unwrap();
        let receipt = send(&provider, &answer(feed, 2, 42).bytes).await.unwrap();

        assert_eq!(answered._1.as_i64(), 99_000_000);
        assert_eq!(receipt.block_hash, Some(chain.tip()));
        let refused =
            provider.raw_request::<_, Value>("eth_nonsense".into(), ()).await.unwrap_err();
        assert_eq!(refused.as_error_resp().unwrap().code, -32601);
    });
}

#[test]
fn http_server_refuses_pages_of_other_origins() {
    let server = serve(&chain());
    let ask = |host: &str, kind: &str, body: &str| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    let json = "application/json";

    assert!(
        ask("127.0.0.1:80", json, body).ends_with(r#"{"id":1,"jsonrpc":"2.0","result":"0x7a69"}"#)
    );
    assert!(ask("localhost", json, body).starts_with("HTTP/1.1 200"));
    assert!(ask("evil.example", json, body).starts_with("HTTP/1.1 403"));
    assert!(ask("127.0.0.1", "text/plain", body).starts_with("HTTP/1.1 415"));
    assert!(ask("127.0.0.1", json, "{").contains("-32700"));
    assert!(ask("127.0.0.1", json, "[]").contains("-32600"));
    assert!(ask("127.0.0.1", json, &format!("[{body},{body}]")).contains("},{"));
    let notification = r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#;
    assert!(ask("127.0.0.1", json, notification).starts_with("HTTP/1.1 204"));
}

/// On a thread of its own: the client blocks.
fn serve(chain: &LocalChain) -> Server {
    let chain = chain.clone();
    reactor().block_on(Server::start(0, move |body| chain.answer(body))).unwrap()
}

fn chain() -> LocalChain {
    LocalChain::new(Genesis::development(1).fund(wallets().each_ref().map(Wallet::address)))
}

fn wallets() -> [Wallet; 10] {
    development_wallets(31337)
}

fn deploy_feed() -> RawTransaction {
    let arguments = PriceFeed::constructorCall {
        owner_: wallets()[0].address(),
        answer_: "100000000".parse().unwrap(),
    };
    let input = [PriceFeed::BYTECODE.to_vec(), arguments.abi_encode()].concat();
    let call =
        Call { to: TxKind::Create, value: U256::ZERO, input: input.into(), gas_limit: 2_000_000 };
    wallets()[0].sign(0, Fees::default(), call)
}

fn answer(feed: Address, nonce: u64, answer: i64) -> RawTransaction {
    let data = PriceFeed::setAnswerCall { answer_: answer.try_into().unwrap() }.abi_encode();
    wallets()[0].sign(nonce, Fees::default(), Call::new(feed, data, 200_000))
}
