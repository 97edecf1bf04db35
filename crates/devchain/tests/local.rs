//! The in-process chain as its users see it: through a provider, through raw requests, over a
//! crash.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use alloy::eips::BlockNumberOrTag;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::providers::ext::AnvilApi as _;
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::client::RpcClient;
use alloy::rpc::json_rpc::{
    ErrorPayload, RequestPacket, Response, ResponsePacket, ResponsePayload,
};
use alloy::rpc::types::{Filter, TransactionRequest};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall as _, SolConstructor, SolError as _, SolEvent as _};
use alloy::transports::{TransportError, TransportFut};
use devchain::{Genesis, LocalChain, LocalTransport, Rejected, ReplayError, RpcError, Rules};
use evm::abi::{CashToken, PriceFeed};
use evm::{
    Call, Fees, Patience, RawTransaction, SendError, Wallet, alloy, development_wallets, send,
    send_within,
};
use primitives::frames;
use serde_json::{Value, json};
use store::{FileStorage, MemoryStorage, TornTail};

const START: u64 = 1_678_492_800;

#[test]
fn a_transaction_is_priced_by_either_rules_and_not_kept() {
    let chain = chain();
    submit(&chain, &deploy_feed(0));
    let before = (chain.tip(), chain.state_root());
    // Two storage slots that are new, and one that is not.
    let feed = wallets()[0].address().create(0);
    let data = PriceFeed::setAnswerCall { answer_: "7".parse().unwrap() }.abi_encode();
    let answer = wallets()[0].sign(1, Fees::default(), Call::new(feed, data.clone(), 1_000_000));
    let [today, next] =
        [Rules::Osaka, Rules::Amsterdam].map(|rules| chain.price(&answer.bytes, rules).unwrap());
    assert!(today.success && next.success);
    assert_eq!((today.logs.len(), &next.logs), (1, &today.logs));
    // A slot costs 97,920 more than what it did not cost before: 20,000.
    let more = next.gas_used - today.gas_used;
    assert!((2 * 77_920..2 * 97_920).contains(&more), "{more}");
    // A limit for today's prices is too low, and then nothing is said.
    let tight = wallets()[0].sign(1, Fees::default(), Call::new(feed, data, 150_000));
    assert!(chain.price(&tight.bytes, Rules::Osaka).unwrap().success);
    let failed = chain.price(&tight.bytes, Rules::Amsterdam).unwrap();
    assert_eq!((failed.success, failed.gas_used, failed.logs.len()), (false, 150_000, 0));
    assert_eq!((chain.tip(), chain.state_root()), before);

    let receipt = chain.request("eth_sendRawTransactionSync", json!([answer.bytes])).unwrap();
    assert_eq!(receipt["gasUsed"], json!(format!("{:#x}", today.gas_used)));
    let again = chain.price(&answer.bytes, Rules::Osaka).unwrap_err();
    assert!(matches!(again, Rejected::Invalid { .. }), "{again}");
}

#[tokio::test]
async fn standard_provider_deploys_sends_and_reads() {
    let chain = chain();
    let [wallet, ..] = wallets();
    let signer: PrivateKeySigner =
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80".parse().unwrap();
    let provider = ProviderBuilder::new().wallet(signer).connect_client(chain.client());

    let token = CashToken::deploy(&provider, wallet.address()).await.unwrap();
    let receipt = token
        .mint(Address::repeat_byte(1), U256::from(5))
        .send()
        .await
        .unwrap()
        .get_receipt()
        .await
        .unwrap();

    assert!(receipt.status());
    assert_eq!(token.balanceOf(Address::repeat_byte(1)).call().await.unwrap(), U256::from(5));
    assert_eq!(chain.height(), 2);
    let logs = provider
        .get_logs(
            &Filter::new()
                .address(*token.address())
                .event_signature(CashToken::Transfer::SIGNATURE_HASH),
        )
        .await
        .unwrap();
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].transaction_hash, Some(receipt.transaction_hash));
}

#[tokio::test]
async fn sending_twice_gives_the_same_receipt_and_one_block() {
    let chain = chain();
    let provider = chain.connect();
    let raw = deploy_feed(0);

    let first = send(&provider, &raw.bytes).await.unwrap();
    let second = send(&provider, &raw.bytes).await.unwrap();
    let hash = chain.request("eth_sendRawTransaction", json!([raw.bytes])).unwrap();

    assert_eq!(first, second);
    assert_eq!(hash, json!(raw.hash));
    assert_eq!(chain.height(), 1);
}

#[tokio::test]
async fn node_without_a_synchronous_send_is_polled() {
    let chain = chain();
    let client = RpcClient::new(Plain(chain.transport()), true);
    client.set_poll_interval(Duration::from_millis(1));
    let provider =
        ProviderBuilder::new().disable_recommended_fillers().connect_client(client).erased();
    let raw = deploy_feed(0);

    let first = send(&provider, &raw.bytes).await.unwrap();
    let second = send(&provider, &raw.bytes).await.unwrap();
    let refused = send(&provider, &answer(7, 1).bytes).await.unwrap_err();

    assert_eq!(first.transaction_hash, raw.hash);
    assert_eq!(first, second);
    assert!(matches!(refused, SendError::Refused { .. }), "{refused:?}");
    assert_eq!(chain.height(), 1);
}

#[tokio::test]
async fn another_transaction_with_a_used_nonce_is_refused() {
    let chain = chain();
    let provider = chain.connect();
    send(&provider, &deploy_feed(0).bytes).await.unwrap();
    let [wallet, ..] = wallets();
    let other = wallet.sign(0, Fees::default(), Call::new(Address::ZERO, [], 21_000));

    let error = send(&provider, &other.bytes).await.unwrap_err();

    assert!(matches!(error, SendError::Refused { hash, .. } if hash == other.hash), "{error:?}");
}

#[tokio::test]
async fn transaction_that_the_node_drops_is_given_up_by_hash_and_nonce() {
    let raw = deploy_feed(0);
    let provider = forgetful(chain(), None);

    let error = send_within(&provider, &raw.bytes, BRIEFLY).await.unwrap_err();

    let SendError::NotIncluded { hash, nonce: 0, is_held: false, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(hash, raw.hash);
    let said = error.to_string();
    let wants = [&raw.hash.to_string(), "nonce 0", "after 0.02 s", "no longer knows it"];
    assert!(wants.iter().all(|want| said.contains(*want)), "{said}");
}

#[tokio::test]
async fn transaction_whose_nonce_another_took_is_not_waited_for() {
    let [wallet, ..] = wallets();
    let call = Call::new(wallet.address(), [], 21_000);
    let raw = wallet.sign(0, Fees::default(), call.clone());
    let other = wallet.sign(0, Fees { priority_fee_max: 1, ..Fees::default() }, call);
    let provider = forgetful(chain(), Some(other.bytes));
    let patience = Patience { in_all: Duration::from_secs(600), ..BRIEFLY };

    let error = send_within(&provider, &raw.bytes, patience).await.unwrap_err();

    assert!(
        matches!(error, SendError::Replaced { hash, nonce: 0 } if hash == raw.hash),
        "{error:?}"
    );
}

#[test]
fn equal_chains_have_equal_hashes_and_another_time_another() {
    let run = |time: u64| {
        let chain = chain();
        chain.set_next_timestamp(time).unwrap();
        deploy_and_answer(&chain);
        (chain.tip(), chain.digest(), chain.state_root())
    };

    assert_eq!(run(START + 60), run(START + 60));
    assert_ne!(run(START + 60).0, run(START + 61).0);
    assert_ne!(run(START + 60).1, run(START + 61).1);
}

#[test]
fn time_stands_until_set_and_never_runs_backwards() {
    let chain = chain();
    chain.set_next_timestamp(START + 10).unwrap();
    submit(&chain, &deploy_feed(0));
    submit(&chain, &answer(1, 7));

    for number in ["0x1", "0x2"] {
        let block = chain.request("eth_getBlockByNumber", json!([number, false])).unwrap();
        assert_eq!(block["timestamp"], json!(format!("{:#x}", START + 10)));
    }
    let error = chain.set_next_timestamp(START + 9).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("timestamp {} is before the chain's time {}", START + 9, START + 10)
    );
}

#[tokio::test]
async fn call_at_the_latest_block_sees_the_time_of_the_chain() {
    let chain = chain();
    submit(&chain, &deploy_feed(0));
    // TIMESTAMP PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
    let clock = Address::repeat_byte(0xc1);
    chain.connect().anvil_set_code(clock, "0x425f5260205ff3".parse().unwrap()).await.unwrap();
    chain.request("anvil_mine", json!([2])).unwrap();
    chain.set_next_timestamp(START + 500).unwrap();

    let request = TransactionRequest::default().to(clock);
    let now = chain.connect().call(request.clone()).await.unwrap();
    let then = chain.connect().call(request).block(2.into()).await.unwrap();

    assert_eq!(U256::from_be_slice(&now), U256::from(START + 500));
    assert_eq!(U256::from_be_slice(&then), U256::from(START));
    assert_eq!(chain.height(), 3);
}

#[tokio::test]
async fn calls_on_an_old_block_see_its_state_and_time() {
    let chain = chain();
    let feed = deploy_and_answer(&chain);
    let provider = chain.connect();
    let feed = PriceFeed::new(feed, &provider);

    let latest = feed.latestRoundData().call().await.unwrap();
    let old = feed.latestRoundData().block(1.into()).call().await.unwrap();

    assert_eq!(latest._1.as_i64(), 99_000_000);
    assert_eq!(old._1.as_i64(), 100_000_000);
    assert_eq!(
        provider.get_balance(wallets()[0].address()).block_id(0.into()).await.unwrap(),
        ether(10_000)
    );
}

#[tokio::test]
async fn reverted_call_carries_its_data_and_code_3() {
    let chain = chain();
    let feed = deploy_and_answer(&chain);
    let data = PriceFeed::setAnswerCall { answer_: "1".parse().unwrap() }.abi_encode();
    let stranger = Address::repeat_byte(0xee);

    let call = json!([{ "from": stranger, "to": feed, "data": Bytes::from(data) }, "latest"]);
    let error = chain.request("eth_call", call.clone()).unwrap_err();
    let estimate = chain.request("eth_estimateGas", call).unwrap_err();

    assert_eq!(error.code, 3);
    assert!(error.message.starts_with("execution reverted"), "{error}");
    assert_eq!(error, estimate);
    let data: Bytes = serde_json::from_value(error.data.unwrap()).unwrap();
    let decoded = PriceFeed::OwnableUnauthorizedAccount::abi_decode(&data).unwrap();
    assert_eq!(decoded.account, stranger);
}

#[tokio::test]
async fn provider_decodes_a_revert() {
    let chain = chain();
    let feed = deploy_and_answer(&chain);
    let provider = chain.connect();

    let error = PriceFeed::new(feed, &provider)
        .setAnswer("1".parse().unwrap())
        .from(Address::repeat_byte(0xee))
        .call()
        .await
        .err()
        .unwrap();

    assert!(error.as_decoded_error::<PriceFeed::OwnableUnauthorizedAccount>().is_some(), "{error}");
}

#[test]
fn failed_transaction_is_included_with_status_zero() {
    let chain = chain();
    let feed = deploy_and_answer(&chain);
    let [_, other, ..] = wallets();
    let data = PriceFeed::setAnswerCall { answer_: "1".parse().unwrap() }.abi_encode();
    let raw = other.sign(0, Fees::default(), Call::new(feed, data, 100_000));

    let receipt = chain.request("eth_sendRawTransactionSync", json!([raw.bytes])).unwrap();

    assert_eq!(receipt["status"], "0x0");
    assert_eq!(receipt["blockNumber"], "0x3");
}

#[tokio::test]
async fn estimate_is_the_least_that_succeeds() {
    let chain = chain();
    let feed = deploy_and_answer(&chain);
    let [wallet, ..] = wallets();
    let data: Bytes =
        PriceFeed::setAnswerCall { answer_: "123".parse().unwrap() }.abi_encode().into();
    let request =
        TransactionRequest::default().from(wallet.address()).to(feed).input(data.clone().into());
    let gas = chain.connect().estimate_gas(request).await.unwrap();

    let send = |chain: &LocalChain, gas| {
        let raw = wallet.sign(2, Fees::default(), Call::new(feed, data.clone(), gas));
        chain.request("eth_sendRawTransactionSync", json!([raw.bytes])).unwrap()["status"].clone()
    };

    let snapshot = chain.request("evm_snapshot", Value::Null).unwrap();
    assert_eq!(send(&chain, gas - 1), "0x0");
    assert_eq!(chain.request("evm_revert", json!([snapshot])).unwrap(), json!(true));
    assert_eq!(send(&chain, gas), "0x1");
}

#[test]
fn snapshot_restores_blocks_state_and_time() {
    let chain = chain();
    let feed = deploy_and_answer(&chain);
    let before = (chain.tip(), chain.digest(), chain.timestamp());
    let snapshot = chain.request("evm_snapshot", Value::Null).unwrap();
    chain.set_next_timestamp(START + 9999).unwrap();
    let raw = answer_at(feed, 2, 5);
    submit(&chain, &raw);

    assert_eq!(chain.request("evm_revert", json!([snapshot])).unwrap(), json!(true));
    assert_eq!(chain.request("evm_revert", json!([snapshot])).unwrap(), json!(false));

    assert_eq!((chain.tip(), chain.digest(), chain.timestamp()), before);
    let receipt = chain.request("eth_getTransactionReceipt", json!([raw.hash])).unwrap();
    assert_eq!(receipt, Value::Null);
}

#[test]
fn invalid_requests_get_json_rpc_errors() {
    let chain = chain();
    let check = |method: &str, params: Value, code: i64, expect: &str| {
        let RpcError { code: found, message, .. } = chain.request(method, params).unwrap_err();
        assert_eq!(found, code, "{method}: {message}");
        assert!(message.contains(expect), "{method}: {message}");
    };
    check("eth_nonsense", json!([]), -32601, "eth_nonsense");
    check("eth_sendTransaction", json!([{}]), -32601, "eth_sendTransaction");
    check("eth_getBalance", json!([]), -32602, "address is missing");
    check("eth_getBalance", json!(["0x12"]), -32602, "address");
    check("eth_getBalance", json!([Address::ZERO, "0x99"]), -32001, "block not found");
    check("eth_getBalance", json!({"address": 1}), -32602, "not an array");
    check("eth_call", json!([{}, "latest", {"0x00": {}}]), -32602, "at most 2");
    check("eth_sendRawTransaction", json!(["0x0102"]), -32003, "malformed");
    check("eth_getFilterChanges", json!(["0x7"]), -32000, "filter not found");
    check("evm_setNextBlockTimestamp", json!([1]), -32602, "before the chain's time");
    check("eth_getLogs", json!([{"fromBlock": "0x5", "toBlock": "0x2"}]), -32602, "after toBlock");
    check("anvil_mine", json!([100_001]), -32602, "at most 100000");
    check("anvil_setCode", json!([Address::ZERO, "0xef0100"]), -32602, "invalid params");
}

#[test]
fn invalid_transactions_are_refused_and_leave_no_block() {
    let chain = chain();
    let [wallet, ..] = wallets();
    let call = || Call::new(Address::repeat_byte(9), [], 21_000);
    let nobody = Wallet::new(&B256::repeat_byte(5), 31337).unwrap();
    let elsewhere = Wallet::new(&B256::repeat_byte(5), 1).unwrap();
    let check = |raw: RawTransaction, expect: &str| {
        let error = chain.request("eth_sendRawTransaction", json!([raw.bytes])).unwrap_err();
        assert_eq!(error.code, -32003);
        assert!(error.message.contains(expect), "{error}");
    };
    check(wallet.sign(1, Fees::default(), call()), "nonce");
    check(wallet.sign(0, Fees { fee_max: 1, priority_fee_max: 0 }, call()), "gas price");
    check(nobody.sign(0, Fees::default(), call()), "lack of funds");
    check(elsewhere.sign(0, Fees::default(), call()), "chain");
    check(wallet.sign(0, Fees::default(), Call { gas_limit: 20_999, ..call() }), "gas");
    assert_eq!(chain.height(), 0);
}

#[tokio::test]
async fn filters_report_each_block_and_log_once() {
    let chain = chain();
    let provider = chain.connect();
    let blocks = provider.new_block_filter().await.unwrap();
    let logs = provider.new_filter(&Filter::new()).await.unwrap();
    let feed = deploy_and_answer(&chain);

    let hashes: Vec<B256> = provider.get_filter_changes(blocks).await.unwrap();
    let found: Vec<alloy::rpc::types::Log> = provider.get_filter_changes(logs).await.unwrap();

    assert_eq!(hashes.len(), 2);
    assert_eq!(hashes[1], chain.tip());
    assert!(found.iter().all(|log| log.address() == feed) && !found.is_empty());
    assert!(provider.get_filter_changes::<B256>(blocks).await.unwrap().is_empty());
    assert!(provider.get_filter_changes::<alloy::rpc::types::Log>(logs).await.unwrap().is_empty());
}

#[tokio::test]
async fn logs_are_found_in_the_range_asked_for() {
    let chain = chain();
    deploy_and_answer(&chain);
    let provider = chain.connect();
    let count = async |filter: Filter| provider.get_logs(&filter).await.unwrap().len();

    let topic = PriceFeed::AnswerUpdated::SIGNATURE_HASH;
    let answers = || Filter::new().event_signature(topic);
    assert_eq!(count(answers().from_block(0)).await, 2);
    assert_eq!(count(answers().from_block(2)).await, 1);
    assert_eq!(count(answers().from_block(0).to_block(1)).await, 1);
    assert_eq!(count(answers()).await, 1, "by default the latest block");
    assert_eq!(count(answers().from_block(7)).await, 0);
    assert_eq!(count(answers().at_block_hash(chain.tip())).await, 1);
    assert_eq!(count(answers().from_block(0).address(Address::ZERO)).await, 0);
}

#[tokio::test]
async fn blocks_transactions_and_fees_decode_as_other_nodes() {
    let chain = chain();
    deploy_and_answer(&chain);
    let provider = chain.connect();

    let block = provider.get_block(BlockNumberOrTag::Latest.into()).full().await.unwrap().unwrap();
    let fees = provider.estimate_eip1559_fees().await.unwrap();

    assert_eq!(block.header.hash_slow(), block.header.hash, "the hash is that of the header");
    assert_eq!(block.transactions.len(), 1);
    assert_eq!(
        provider.get_block_by_hash(chain.tip()).await.unwrap().unwrap().header,
        block.header
    );
    assert!(fees.max_fee_per_gas >= 1_000_000_000);
    assert_eq!(provider.get_chain_id().await.unwrap(), 31337);
    assert_eq!(provider.get_net_version().await.unwrap(), 31337);
    assert!(provider.get_client_version().await.unwrap().starts_with("cdpr/"));
    assert_eq!(provider.get_transaction_count(wallets()[0].address()).await.unwrap(), 2);
}

#[tokio::test]
async fn test_methods_edit_the_state() {
    let chain = chain();
    let provider = chain.connect();
    let address = Address::repeat_byte(0x77);

    provider.anvil_set_balance(address, U256::from(5)).await.unwrap();
    provider.anvil_set_nonce(address, 3).await.unwrap();
    provider.anvil_set_storage_at(address, U256::from(1), B256::repeat_byte(2)).await.unwrap();
    provider.anvil_increase_time(100).await.unwrap();
    provider.evm_mine(None).await.unwrap();

    assert_eq!(provider.get_balance(address).await.unwrap(), U256::from(5));
    assert_eq!(provider.get_transaction_count(address).await.unwrap(), 3);
    assert_eq!(
        provider.get_storage_at(address, U256::from(1)).await.unwrap(),
        U256::from_be_bytes([2; 32])
    );
    assert_eq!((chain.height(), chain.timestamp()), (1, START + 100));
}

#[test]
fn reopened_chain_is_the_same_chain() {
    let storage = MemoryStorage::new();
    let (chain, torn) = LocalChain::open(genesis(), storage.clone()).unwrap();
    assert_eq!(torn, None);
    let feed = deploy_and_answer(&chain);
    chain.request("anvil_setBalance", json!([Address::repeat_byte(3), "0x64"])).unwrap();
    let snapshot = chain.request("evm_snapshot", Value::Null).unwrap();
    chain.request("anvil_setBalance", json!([Address::repeat_byte(3), "0x65"])).unwrap();
    submit(&chain, &answer_at(feed, 2, 5));
    chain.request("evm_revert", json!([snapshot])).unwrap();
    chain.set_next_timestamp(START + 77).unwrap();
    chain.request("evm_mine", Value::Null).unwrap();
    submit(&chain, &answer_at(feed, 2, 6));
    let seen = (chain.tip(), chain.digest(), chain.state_root(), chain.timestamp());
    drop(chain);

    let (chain, torn) = LocalChain::open(genesis(), storage).unwrap();

    assert_eq!(torn, None);
    assert_eq!((chain.tip(), chain.digest(), chain.state_root(), chain.timestamp()), seen);
    let balance = chain.request("eth_getBalance", json!([Address::repeat_byte(3)])).unwrap();
    assert_eq!(balance, "0x64");
}

#[test]
fn every_block_is_durable_before_its_answer() {
    let storage = MemoryStorage::new();
    let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
    for raw in [deploy_feed(0), answer(1, 5), answer(2, 6)] {
        submit(&chain, &raw);
        storage.crash(0);
        let (reopened, torn) =
            LocalChain::open(genesis(), MemoryStorage::from(storage.bytes())).unwrap();
        assert_eq!((reopened.tip(), torn), (chain.tip(), None));
        // The node journals before it sends, so after a crash it sends again.
        submit(&reopened, &raw);
        assert_eq!(reopened.tip(), chain.tip());
    }
}

#[test]
fn torn_tail_is_cut_off_wherever_it_tears_and_reported() {
    let storage = MemoryStorage::new();
    let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
    submit(&chain, &deploy_feed(0));
    let (tip, whole) = (chain.tip(), storage.bytes().len());
    submit(&chain, &answer(1, 5));
    let bytes = storage.bytes();

    for len in whole + 1..bytes.len() {
        let torn = MemoryStorage::from(bytes[..len].to_vec());
        let (reopened, tail) = LocalChain::open(genesis(), torn.clone()).unwrap();
        let expected = TornTail { offset: whole as u64, len: (len - whole) as u64 };
        assert_eq!((reopened.tip(), tail), (tip, Some(expected)));
        assert_eq!(torn.bytes().len(), len, "looking changes nothing");
        submit(&reopened, &answer(1, 5));
        assert_eq!(torn.bytes(), bytes);
    }
}

#[test]
fn tail_of_zeros_is_torn() {
    let storage = MemoryStorage::new();
    let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
    submit(&chain, &deploy_feed(0));
    let mut bytes = storage.bytes();
    let offset = bytes.len() as u64;
    bytes.extend([0; 100]);

    let (_, tail) = LocalChain::open(genesis(), MemoryStorage::from(bytes)).unwrap();

    assert_eq!(tail, Some(TornTail { offset, len: 100 }));
}

#[test]
fn any_flipped_byte_is_damage() {
    let storage = MemoryStorage::new();
    let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
    submit(&chain, &deploy_feed(0));
    submit(&chain, &answer(1, 5));

    for idx in 0..storage.bytes().len() {
        let mut bytes = storage.bytes();
        bytes[idx] ^= 1;
        let error = LocalChain::open(genesis(), MemoryStorage::from(bytes)).unwrap_err();
        let store::Error::Damaged { offset, .. } = error else {
            panic!("byte {idx}: {error:?}");
        };
        assert!(offset <= idx as u64, "byte {idx} in the frame at {offset}");
    }
}

#[test]
fn a_log_that_was_cut_behind_its_kind_begins_again_with_the_genesis() {
    let storage = MemoryStorage::from(devchain::LOG.magic.to_vec());
    let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
    submit(&chain, &deploy_feed(0));
    let (reopened, _) = LocalChain::open(genesis(), storage).unwrap();
    assert_eq!(reopened.tip(), chain.tip());
}

#[test]
fn a_record_that_does_not_replay_is_named_with_its_byte() {
    let storage = MemoryStorage::new();
    let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
    submit(&chain, &deploy_feed(0));
    submit(&chain, &answer(1, 5));
    let bytes = storage.bytes();
    let records = frames::read(&devchain::LOG, &bytes).0.frames;
    // Framed as if it had been written so: another hash of the last block, and no genesis before it but twice.
    let framed = |records: &[Vec<u8>]| {
        let mut writer = frames::Writer::new(&devchain::LOG);
        let frames = records.iter().flat_map(|record| writer.append(record));
        devchain::LOG.magic.iter().copied().chain(frames.collect::<Vec<_>>()).collect()
    };
    let records: Vec<(usize, Vec<u8>)> =
        records.iter().map(|frame| (frame.offset, frame.record.to_vec())).collect();
    let mut other = records[2].1.clone();
    *other.last_mut().unwrap() ^= 1;
    let [first, second] = [&records[0].1, &records[1].1].map(Clone::clone);
    let diverged: Vec<u8> = framed(&[first.clone(), second, other]);
    let twice: Vec<u8> = framed(&[first.clone(), first]);

    let opened = |bytes| LocalChain::open(genesis(), MemoryStorage::named("chain", bytes));
    let named = |bytes, at: usize| {
        let error = opened(bytes).unwrap_err();
        let store::Error::Unreplayed { file, offset, source } = error else { panic!("{error:?}") };
        assert_eq!((file.as_str(), offset), ("chain", at as u64));
        *source.downcast::<ReplayError>().unwrap()
    };

    assert!(matches!(named(diverged, records[2].0), ReplayError::Diverged { height: 2, .. }));
    assert!(matches!(named(twice, records[1].0), ReplayError::SecondGenesis { height: 1 }));
}

#[test]
fn block_that_cannot_be_kept_is_not_seen() {
    let storage = MemoryStorage::new();
    let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
    submit(&chain, &deploy_feed(0));
    let tip = chain.tip();
    let bytes = storage.bytes();

    storage.set_full(true);
    let error = chain.request("eth_sendRawTransaction", json!([answer(1, 5).bytes])).unwrap_err();
    assert_eq!(error.code, -32603);
    assert_eq!((chain.tip(), storage.bytes()), (tip, bytes));

    storage.set_full(false);
    submit(&chain, &answer(1, 5));
    let (reopened, _) = LocalChain::open(genesis(), MemoryStorage::from(storage.bytes())).unwrap();
    assert_eq!(reopened.tip(), chain.tip());
}

#[test]
fn log_of_another_genesis_is_refused() {
    let storage = MemoryStorage::new();
    let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
    submit(&chain, &deploy_feed(0));
    let other = [
        Genesis { chain_id: 1, ..genesis() },
        Genesis { timestamp: START + 1, ..genesis() },
        Genesis { base_fee_wei: 0, ..genesis() },
        genesis().fund([Address::repeat_byte(4)]),
        Genesis { run: B256::repeat_byte(1), ..genesis() },
    ];
    let bytes = storage.bytes();
    for other in other {
        let error = LocalChain::open(other, storage.clone()).unwrap_err();
        let is_named = matches!(error, store::Error::OtherRun { offset: 8, .. });
        assert!(is_named, "{error:?}");
    }
    assert_eq!(storage.bytes(), bytes);
}

#[test]
fn file_keeps_the_chain_and_admits_one_holder() {
    let path = std::env::temp_dir().join(format!("cdpr-evm-{}.log", std::process::id()));
    let (chain, _) = LocalChain::open(genesis(), FileStorage::open(&path).unwrap()).unwrap();
    submit(&chain, &deploy_feed(0));
    let tip = chain.tip();

    assert!(FileStorage::open(&path).is_err(), "a second holder would tear the log");
    drop(chain);
    let (chain, torn) = LocalChain::open(genesis(), FileStorage::open(&path).unwrap()).unwrap();

    assert_eq!((chain.tip(), torn), (tip, None));
    drop(chain);
    std::fs::remove_file(&path).unwrap();
}

/// The chain as a node that has not heard of EIP-7966.
#[derive(Clone)]
struct Plain(LocalTransport);

impl tower::Service<RequestPacket> for Plain {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        match &packet {
            RequestPacket::Single(request) if request.method() == "eth_sendRawTransactionSync" => {
                let payload = ResponsePayload::Failure(ErrorPayload::method_not_found());
                let response = Response { id: request.id().clone(), payload };
                Box::pin(async { Ok(ResponsePacket::Single(response)) })
            }
            RequestPacket::Single(_) | RequestPacket::Batch(_) => self.0.call(packet),
        }
    }
}

const BRIEFLY: Patience =
    Patience { in_all: Duration::from_millis(20), pause: Duration::from_millis(10) };

/// A node that takes every transaction and forgets it; it includes `instead`, where there is one.
fn forgetful(chain: LocalChain, instead: Option<Bytes>) -> DynProvider {
    evm::rpc::connect(Arc::new(move |body| {
        let asked: Value = serde_json::from_slice(body)?;
        let mut answer = json!({ "jsonrpc": "2.0", "id": asked["id"] });
        match asked["method"].as_str().unwrap() {
            "eth_sendRawTransactionSync" => {
                answer["error"] = json!({ "code": -32601, "message": "no such method" });
            }
            "eth_sendRawTransaction" => {
                let raw: Bytes = serde_json::from_value(asked["params"][0].clone())?;
                if let Some(instead) = &instead {
                    chain.request("eth_sendRawTransaction", json!([instead])).unwrap();
                }
                answer["result"] = json!(keccak256(&raw));
            }
            method => answer["result"] = chain.request(method, asked["params"].clone()).unwrap(),
        }
        Ok(serde_json::to_vec(&answer)?)
    }))
}

fn genesis() -> Genesis {
    Genesis::development(START).fund(wallets().each_ref().map(Wallet::address))
}

fn chain() -> LocalChain {
    LocalChain::new(genesis())
}

fn wallets() -> [Wallet; 10] {
    development_wallets(31337)
}

fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(18))
}

fn submit(chain: &LocalChain, raw: &RawTransaction) {
    let receipt = chain.request("eth_sendRawTransactionSync", json!([raw.bytes])).unwrap();
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    assert_eq!(raw.hash, keccak256(&raw.bytes));
}

fn deploy_feed(nonce: u64) -> RawTransaction {
    let [wallet, ..] = wallets();
    let arguments = PriceFeed::constructorCall {
        owner_: wallet.address(),
        answer_: "100000000".parse().unwrap(),
    };
    let input = [PriceFeed::BYTECODE.to_vec(), arguments.abi_encode()].concat();
    let call = Call {
        to: alloy::primitives::TxKind::Create,
        value: U256::ZERO,
        input: input.into(),
        gas_limit: 2_000_000,
    };
    wallet.sign(nonce, Fees::default(), call)
}

fn answer(nonce: u64, answer: i64) -> RawTransaction {
    answer_at(wallets()[0].address().create(0), nonce, answer)
}

fn answer_at(feed: Address, nonce: u64, answer: i64) -> RawTransaction {
    let data = PriceFeed::setAnswerCall { answer_: answer.try_into().unwrap() }.abi_encode();
    wallets()[0].sign(nonce, Fees::default(), Call::new(feed, data, 200_000))
}

/// Two blocks: a feed at 1.00, then 0.99. Returns its address.
fn deploy_and_answer(chain: &LocalChain) -> Address {
    submit(chain, &deploy_feed(0));
    submit(chain, &answer(1, 99_000_000));
    wallets()[0].address().create(0)
}
