//! The EVM capability against the in-process chain, with the real `KeystoneForwarder`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use cre::messages::evm as wire;
use cre::messages::sdk::ReportResponse;
use cre::messages::values::BigInt;
use cre::messages::{pack, unpack};
use devchain::{Genesis, LocalChain};
use don::chain::{self, Chain, Transmitter, WalletTransmitter};
use don::{Agreement, Call, Caller, CapabilityError, Code, Don, Registry, WorkflowIdentity};
use engine::Limits;
use evm::abi::{ConfidentialPoR, KeystoneForwarder};
use evm::alloy::primitives::{Address, B256, Bytes, TxKind, U256, bytes, keccak256};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::sol_types::{Panic, Revert, SolCall as _, SolError as _};
use evm::report::SignedReport;
use evm::revert::Errors;
use evm::trial::{is_receiver, receiver_gas};
use evm::{Call as Transaction, Fees, SendError, Wallet, development_wallets};
use k256::ecdsa::SigningKey;
use primitives::Timestamp;
use prost::{Message, Name};
use serde_json::json;

const SELECTOR: u64 = 7;
const RECEIVER: Address = Address::repeat_byte(0x5e);
const REFUSER: Address = Address::repeat_byte(0x5f);
const JUDGE: Address = Address::repeat_byte(0x60);

/// Every interface but the invalid one is there, as ERC-165's question is answered; what follows it is a report's.
static ERC165: Bytes = bytes!("5f3560e01c63805f213214601e5760043560e01c63ffffffff14155f5260205ff3");

#[test]
fn signed_report_is_delivered_through_the_real_forwarder() {
    let mut world = World::new();

    let reply = world.write(RECEIVER, world.report(1), 0).unwrap();

    assert_eq!(reply.tx_status, wire::TxStatus::Success as i32);
    let success = wire::ReceiverContractExecutionStatus::Success as i32;
    assert_eq!(reply.receiver_contract_execution_status, Some(success));
    let hash = reply.tx_hash.unwrap();
    let found: wire::GetTransactionReceiptReply = world
        .ask("GetTransactionReceipt", &wire::GetTransactionReceiptRequest { hash: hash.clone() })
        .unwrap();
    let receipt = found.receipt.unwrap();
    assert_eq!((receipt.status, receipt.tx_hash), (1, hash.clone()));
    let price = receipt.effective_gas_price.unwrap();
    let fee = U256::from(receipt.gas_used) * U256::from_be_slice(&price.abs_val);
    assert_eq!(reply.transaction_fee, Some(chain::big(fee)));
    // The receiver logs its calldata.
    assert_eq!(receipt.logs[0].address, RECEIVER.to_vec());
    assert!(receipt.logs[0].data.windows(7).any(|window| window == b"payload"));

    let found: wire::GetTransactionByHashReply =
        world.ask("GetTransactionByHash", &wire::GetTransactionByHashRequest { hash }).unwrap();
    let transaction = found.transaction.unwrap();
    assert_eq!(transaction.to, world.forwarder.to_vec());
    assert_eq!(transaction.gas, 5_000_000);
}

#[test]
fn receiver_that_refuses_leaves_the_transaction_good_and_may_be_tried_again() {
    let mut world = World::new();
    let report = world.report(1);
    for _ in 0..2 {
        let reply = world.write(REFUSER, report.clone(), 0).unwrap();
        let reverted = wire::ReceiverContractExecutionStatus::Reverted as i32;
        assert_eq!(reply.tx_status, wire::TxStatus::Success as i32);
        assert_eq!(reply.receiver_contract_execution_status, Some(reverted));
        assert!(reply.error_message.is_some());
    }
}

#[test]
fn report_of_a_clock_a_second_ahead_is_delivered_when_the_block_has_caught_up() {
    let mut world = World::new();
    let now = world.chain.timestamp();
    world.judge_rests_on(now + 1);
    let (chain, before) = (world.chain.clone(), world.chain.height());
    // The chain's clock goes on while the report is waited with; one that nobody waited with would be refused.
    let clock = std::thread::spawn(move || {
        while chain.height() == before {
            std::thread::yield_now();
        }
        chain.set_next_timestamp(now + 1).unwrap();
    });

    let reply = world.write(JUDGE, world.report(1), 0).unwrap();

    clock.join().unwrap();
    let success = wire::ReceiverContractExecutionStatus::Success as i32;
    assert_eq!(reply.receiver_contract_execution_status, Some(success), "{reply:?}");
    assert_eq!(world.chain.height(), before + 2, "refused once, then taken");
}

#[test]
fn report_of_a_clock_far_ahead_is_refused_by_name_at_once() {
    let mut world = World::new();
    world.judge_rests_on(world.chain.timestamp() + 3_600);
    let before = world.chain.height();

    let reply = world.write(JUDGE, world.report(1), 0).unwrap();

    let reverted = wire::ReceiverContractExecutionStatus::Reverted as i32;
    assert_eq!(reply.receiver_contract_execution_status, Some(reverted));
    let said = reply.error_message.unwrap();
    assert!(said.contains("ObservationOutOfTime"), "{said}");
    assert!(said.contains("an instant 3600 s after the block: set the DON's clock"), "{said}");
    assert_eq!(world.chain.height(), before + 1, "sent once");
}

#[test]
fn forged_or_replayed_report_is_refused_by_the_forwarder() {
    let mut world = World::new();
    let report = world.report(1);
    let mut forged = report.clone();
    *forged.raw_report.last_mut().unwrap() ^= 1;
    let refused = wire::TxStatus::Reverted as i32;

    let reply = world.write(RECEIVER, forged, 0).unwrap();
    assert_eq!((reply.tx_status, reply.receiver_contract_execution_status), (refused, None));
    let mut too_few = report.clone();
    too_few.sigs.pop();
    assert_eq!(world.write(RECEIVER, too_few, 0).unwrap().tx_status, refused);

    let delivered = world.write(RECEIVER, report.clone(), 0).unwrap();
    assert_eq!(delivered.tx_status, wire::TxStatus::Success as i32);
    assert_eq!(world.write(RECEIVER, report, 0).unwrap().tx_status, refused);
}

#[test]
fn transmitter_without_funds_is_fatal_and_said_so() {
    let mut world = World::new();
    let beggar = Wallet::new(&B256::repeat_byte(9), 31337).unwrap();
    world.transmit_from(beggar);
    let reply = world.write(RECEIVER, world.report(1), 0).unwrap();
    assert_eq!(reply.tx_status, wire::TxStatus::Fatal as i32);
    assert_eq!(reply.tx_hash, None);
    assert!(reply.error_message.is_some());
}

#[test]
fn writes_have_limits() {
    let mut world = World::new();
    let error = world.write(RECEIVER, world.report(1), 5_000_001).unwrap_err();
    assert_eq!(error.code, Code::LimitExceeded);
    let long = ReportResponse { raw_report: vec![1; 5_001], ..world.report(1) };
    assert_eq!(world.write(RECEIVER, long, 0).unwrap_err().code, Code::LimitExceeded);
}

#[test]
fn contract_is_called_at_the_latest_block_or_a_given_one() {
    let mut world = World::new();
    let call = wire::CallMsg {
        from: Vec::new(),
        to: world.forwarder.to_vec(),
        data: KeystoneForwarder::ownerCall {}.abi_encode(),
    };
    let ask = |block_number| wire::CallContractRequest { call: Some(call.clone()), block_number };
    let latest = Some(BigInt { abs_val: vec![2], sign: -1 });
    for block in [None, latest, Some(chain::big(U256::from(2)))] {
        let reply: wire::CallContractReply = world.ask("CallContract", &ask(block)).unwrap();
        assert_eq!(reply.data[12..], world.owner.address().to_vec());
    }
    let invalid = ask(Some(BigInt { abs_val: vec![9], sign: -1 }));
    let error = world.ask::<wire::CallContractReply>("CallContract", &invalid).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    let refused = wire::CallContractRequest {
        call: Some(wire::CallMsg { data: vec![1, 2, 3, 4], ..call }),
        block_number: None,
    };
    let error = world.ask::<wire::CallContractReply>("CallContract", &refused).unwrap_err();
    assert_eq!(error.code, Code::FailedPrecondition);
}

#[test]
fn what_a_call_reverts_with_is_told_in_words() {
    let mut world = World::new();
    let at = Address::repeat_byte(0x61);
    let mut ask = |data: &[u8], abi: &str| {
        world.chain.request("anvil_setCode", json!([at, reverting(data)])).unwrap();
        world.transmit_from(development_wallets(31337)[1].clone());
        if !abi.is_empty() {
            let mut errors = Errors::default();
            errors.add(abi).unwrap();
            let provider = world.chain.connect();
            let nobody = Nobody;
            let chain = Chain::new(provider, nobody, Limits::production()).unwrap();
            world.registry.register(chain::id(SELECTOR), chain.with_errors(errors));
        }
        let call = wire::CallMsg { to: at.to_vec(), ..wire::CallMsg::default() };
        let asked = wire::CallContractRequest { call: Some(call), block_number: None };
        world.ask::<wire::CallContractReply>("CallContract", &asked).unwrap_err().message
    };
    let reverted = |why: &str| format!("eth_call: execution reverted: {why}");
    assert_eq!(ask(&Revert::from("closed").abi_encode(), ""), reverted("Error(\"closed\")"));
    let overflow = Panic { code: U256::from(0x11) }.abi_encode();
    assert_eq!(ask(&overflow, ""), reverted("Panic(0x11), arithmetic underflow or overflow"));
    let custom = [&keccak256("TooOld(uint256)")[..4], &U256::from(90).to_be_bytes::<32>()].concat();
    let hex = Bytes::from(custom.clone()).to_string();
    assert_eq!(ask(&custom, ""), reverted(&hex), "nobody knows it");
    let abi = r#"[{ "type": "error", "name": "TooOld", "inputs": [{ "name": "age", "type": "uint256" }] }]"#;
    assert_eq!(ask(&custom, abi), reverted("TooOld(age: 90)"));
    assert!(ask(&[], "").starts_with("eth_call: execution reverted"));
}

#[test]
fn gas_that_the_forwarder_leaves_a_receiver_is_foretold() {
    let mut world = World::new();
    // Logs the gas it has.
    let meter = Address::repeat_byte(0x62);
    world.receive(meter, &bytes!("5b5a5f5260205fa000"));
    let success = wire::TxStatus::Success as i32;
    for (sequence, (len, gas_limit)) in (1..).zip([
        (7, 250_000),
        (7, 1_000_000),
        (1_000, 500_000),
        (4_800, 400_000),
        (4_800, 5_000_000),
    ]) {
        let agreement = Agreement { value: vec![0xab; len], voters: vec![0, 2, 3] };
        let report =
            world.don.sign(&agreement, &world.don.stamp(sequence, Timestamp(1_000))).response();
        let foretold = receiver_gas(&chain::signed_report(&report), meter, gas_limit).unwrap();
        let reply = world.write(meter, report, gas_limit).unwrap();
        assert_eq!(reply.tx_status, success, "{len} {gas_limit}");
        let hash = B256::from_slice(&reply.tx_hash.unwrap());
        let logs = world.logs(hash);
        let found = U256::from_be_slice(&logs[0].data).to::<u64>();
        assert!(
            foretold <= found && found - foretold < 8_000,
            "{len} {gas_limit}: {foretold} of {found}"
        );
    }
    let report = world.report(99);
    let least = (150_000..300_000).step_by(1_000).find(|gas_limit| {
        receiver_gas(&chain::signed_report(&report), meter, *gas_limit).is_some()
    });
    let least = least.unwrap();
    let reply = world.write(meter, report.clone(), least - 8_000).unwrap();
    assert_eq!(reply.tx_status, wire::TxStatus::Reverted as i32, "not routed below {least}");
    assert_eq!(world.write(meter, report, least).unwrap().tx_status, success);
    assert_eq!(receiver_gas(&chain::signed_report(&world.report(100)), meter, 20_000), None);
}

#[test]
fn contract_that_does_not_say_it_takes_reports_is_none_that_does() {
    let world = World::new();
    let says = |at| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(is_receiver(&world.chain.connect(), at)).unwrap()
    };
    assert!(says(RECEIVER) && says(REFUSER));
    assert!(!says(world.forwarder), "a contract of another interface");
    // One that answers everything with yes, and one that has no code.
    let yes = Address::repeat_byte(0x63);
    world.chain.request("anvil_setCode", json!([yes, "0x60015f5260205ff3"])).unwrap();
    assert!(!says(yes) && !says(Address::repeat_byte(0x64)));
}

#[test]
fn addresses_of_chains_have_their_checksums() {
    for chain in &cre::chains::CHAINS {
        for address in chain.forwarder.iter().chain(&chain.mock_forwarder) {
            assert!(Address::parse_checksummed(address, None).is_ok(), "{}: {address}", chain.name);
        }
    }
    assert_eq!(
        chain::id(cre::chains::selector("ethereum-mainnet")),
        "evm:ChainSelector:5009297550715157269@1.0.0"
    );
}

#[test]
fn logs_are_filtered_within_a_hundred_blocks() {
    let mut world = World::new();
    world.write(RECEIVER, world.report(1), 0).unwrap();
    world.write(RECEIVER, world.report(2), 0).unwrap();
    let processed = keccak256("ReportProcessed(address,bytes32,bytes2,bool)");
    let ask = |from: u64, to: u64, topics: Vec<Vec<u8>>| wire::FilterLogsRequest {
        filter_query: Some(wire::FilterQuery {
            from_block: Some(chain::big(U256::from(from))),
            to_block: Some(chain::big(U256::from(to))),
            topics: vec![wire::Topics { topic: topics }],
            ..wire::FilterQuery::default()
        }),
    };
    let of_topic = ask(0, 99, vec![processed.to_vec()]);
    let reply: wire::FilterLogsReply = world.ask("FilterLogs", &of_topic).unwrap();
    assert_eq!(reply.logs.len(), 2);
    assert_eq!(reply.logs[0].event_sig, processed.to_vec());
    assert_eq!(reply.logs[0].address, world.forwarder.to_vec());
    let none: wire::FilterLogsReply = world.ask("FilterLogs", &ask(0, 1, Vec::new())).unwrap();
    assert!(none.logs.iter().all(|log| log.event_sig != processed.to_vec()));
    let error =
        world.ask::<wire::FilterLogsReply>("FilterLogs", &ask(0, 100, Vec::new())).unwrap_err();
    assert_eq!(error.code, Code::LimitExceeded);
}

#[test]
fn balances_gas_and_headers_are_the_chains() {
    let mut world = World::new();
    let account = wire::BalanceAtRequest {
        account: development_wallets(31337)[1].address().to_vec(),
        block_number: None,
    };
    let reply: wire::BalanceAtReply = world.ask("BalanceAt", &account).unwrap();
    let balance = U256::from(10_000) * U256::from(10).pow(U256::from(18));
    assert_eq!(reply.balance, Some(chain::big(balance)));
    let msg = wire::CallMsg { to: vec![1; 20], ..wire::CallMsg::default() };
    let reply: wire::EstimateGasReply =
        world.ask("EstimateGas", &wire::EstimateGasRequest { msg: Some(msg) }).unwrap();
    assert_eq!(reply.gas, 21_000);
    let reply: wire::HeaderByNumberReply =
        world.ask("HeaderByNumber", &wire::HeaderByNumberRequest { block_number: None }).unwrap();
    let header = reply.header.unwrap();
    assert_eq!(header.hash, world.chain.tip().to_vec());
    assert_eq!(header.block_number, Some(chain::big(U256::from(world.chain.height()))));
    let unknown = wire::GetTransactionReceiptRequest { hash: vec![1; 32] };
    let error = world
        .ask::<wire::GetTransactionReceiptReply>("GetTransactionReceipt", &unknown)
        .unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    let error = world.ask::<wire::BalanceAtReply>("Mint", &account).unwrap_err();
    assert_eq!(error.code, Code::Unimplemented);
}

/// A contract that reverts with `data`, at most 255 bytes.
fn reverting(data: &[u8]) -> Bytes {
    let len = u8::try_from(data.len()).unwrap();
    [&[0x60, len, 0x60, 0x0a, 0x5f, 0x39, 0x60, len, 0x5f, 0xfd][..], data].concat().into()
}

struct Nobody;

impl Transmitter for Nobody {
    fn deliver(
        &mut self,
        _: Address,
        _: &SignedReport,
        _: u64,
    ) -> Result<TransactionReceipt, SendError> {
        panic!("nothing is written here")
    }
}

struct World {
    chain: LocalChain,
    registry: Registry<'static>,
    don: Don,
    forwarder: Address,
    owner: Wallet,
}

impl World {
    fn new() -> Self {
        let wallets = development_wallets(31337);
        let chain = LocalChain::new(
            Genesis::development(1_000).fund(wallets.each_ref().map(Wallet::address)),
        );
        let [owner, transmitter, ..] = wallets;
        let signers = (1..=4).map(|i| SigningKey::from_slice(&[i; 32]).unwrap()).collect();
        let identity =
            WorkflowIdentity::new(primitives::Address([7; 20]), "name", b"binary", b"config");
        let don = Don::new(signers, 1, 1, 1, identity);
        let forwarder = owner.address().create(0);
        let creation = Transaction {
            to: TxKind::Create,
            value: U256::ZERO,
            input: KeystoneForwarder::BYTECODE.clone(),
            gas_limit: 5_000_000,
        };
        let configuration = KeystoneForwarder::setConfigCall {
            donId: 1,
            configVersion: 1,
            f: 1,
            signers: don.addresses().into_iter().map(|node| Address::from(node.0)).collect(),
        };
        let configure = Transaction::new(forwarder, configuration.abi_encode(), 1_000_000);
        for (nonce, call) in [(0, creation), (1, configure)] {
            let raw = owner.sign(nonce, Fees::default(), call);
            chain.request("eth_sendRawTransaction", json!([raw.bytes])).unwrap();
        }
        let mut world = Self { chain, registry: Registry::default(), don, forwarder, owner };
        // One logs its calldata when reported to, the other reverts.
        world.receive(RECEIVER, &bytes!("5b365f5f37365fa000"));
        world.receive(REFUSER, &bytes!("5b5f5ffd"));
        world.transmit_from(transmitter);
        world
    }

    /// Puts a receiver on chain; `then` is its code from a report on, a jump's destination.
    fn receive(&self, address: Address, then: &[u8]) {
        let mut code = [&ERC165[..], then].concat();
        code[12] = u8::try_from(ERC165.len()).unwrap();
        self.chain.request("anvil_setCode", json!([address, Bytes::from(code)])).unwrap();
    }

    /// Puts a receiver on chain that refuses as `ConfidentialPoR` does what rests on an instant after its block.
    fn judge_rests_on(&self, instant: u64) {
        let instant = u32::try_from(instant).unwrap().to_be_bytes();
        let selector = ConfidentialPoR::ObservationOutOfTime::SELECTOR;
        // timestamp < instant ? revert ObservationOutOfTime(instant, timestamp, 600) : stop
        let refusal = u8::try_from(ERC165.len() + 12).unwrap();
        let then = [
            &[0x5b, 0x63][..],
            &instant,
            &[0x42, 0x10, 0x60, refusal, 0x57, 0x00, 0x5b, 0x63],
            &selector,
            &[0x60, 0xe0, 0x1b, 0x5f, 0x52, 0x63],
            &instant,
            &[0x60, 0x04, 0x52, 0x42, 0x60, 0x24, 0x52, 0x61, 0x02, 0x58, 0x60, 0x44, 0x52],
            &[0x60, 0x64, 0x5f, 0xfd],
        ];
        self.receive(JUDGE, &then.concat());
    }

    fn transmit_from(&mut self, wallet: Wallet) {
        let provider = self.chain.connect();
        let transmitter =
            WalletTransmitter::new(provider.clone(), self.forwarder, wallet, Fees::default())
                .unwrap();
        let chain = Chain::new(provider, transmitter, Limits::production()).unwrap();
        self.registry.register(chain::id(SELECTOR), chain);
    }

    fn logs(&mut self, hash: B256) -> Vec<wire::Log> {
        let asked = wire::GetTransactionReceiptRequest { hash: hash.to_vec() };
        let found: wire::GetTransactionReceiptReply =
            self.ask("GetTransactionReceipt", &asked).unwrap();
        found.receipt.unwrap().logs
    }

    fn report(&self, sequence: u64) -> ReportResponse {
        let agreement = Agreement { value: b"payload".to_vec(), voters: vec![0, 2, 3] };
        self.don.sign(&agreement, &self.don.stamp(sequence, Timestamp(1_000))).response()
    }

    fn write(
        &mut self,
        receiver: Address,
        report: ReportResponse,
        gas_limit: u64,
    ) -> Result<wire::WriteReportReply, CapabilityError> {
        let request = wire::WriteReportRequest {
            receiver: receiver.to_vec(),
            report: Some(report),
            gas_config: Some(wire::GasConfig { gas_limit }),
        };
        self.ask("WriteReport", &request)
    }

    fn ask<A: Message + Name + Default>(
        &mut self,
        method: &str,
        request: &impl Name,
    ) -> Result<A, CapabilityError> {
        let answer = self.registry.call(&Call {
            id: &chain::id(SELECTOR),
            method,
            payload: &pack(request),
            caller: Caller::Don(&[0, 1, 2]),
            execution_id: &[1; 32],
            now_ns: 0,
        })?;
        Ok(unpack(&answer).unwrap())
    }
}
