//! What nodes of chains answer, and what stands in transactions and logs.

use std::sync::Arc;

use evm::abi::{ConfidentialPoR, DarkPool, KeystoneForwarder, RecoveryGuard, ShieldedPool};
use evm::alloy::primitives::{Address, B256, Bytes, FixedBytes, LogData, U256, keccak256};
use evm::alloy::providers::Provider as _;
use evm::alloy::rpc::types::{Filter, TransactionRequest};
use evm::alloy::sol_types::{Revert, SolError as _, SolEvent as _, SolValue as _};
use evm::mission::{Emitters, delivery};
use evm::report::{Payload, Report, SignedReport, Workflow};
use evm::revert::Errors;
use evm::rpc;
use evm::settlement::{CIPHERTEXTS, ZkProof};
use serde_json::{Value, json};
use strangers::Decoder;

use super::is_same;

pub(crate) const CHAIN: &[Decoder] = &[
    Decoder::new(
        "chain/settlements",
        |bytes| {
            ZkProof::decode(bytes).is_ok_and(|proof| {
                let _ = proof.digest(31_337, Address::ZERO, B256::ZERO, 1);
                ZkProof::decode(&proof.encode()).expect("what was encoded decodes") == proof
            })
        },
        || vec![proof().encode().to_vec()],
    )
    .bad(|| {
        let mut version = proof().encode().to_vec();
        version[31] = 2;
        // The head, then so many ciphertexts that all stand in one place.
        let head = proof().encode()[..36 * 32].to_vec();
        vec![version, [head, many_in_one_place(CIPHERTEXTS + 1_000)].concat()]
    }),
    Decoder::new(
        "chain/reports",
        |bytes| Report::parse(bytes).is_ok_and(|report| is_same(&report.encode(), bytes)),
        || vec![report().encode().to_vec()],
    ),
    Decoder::new(
        "chain/payloads",
        |bytes| {
            Payload::decode(bytes).is_ok_and(|payload| {
                Payload::decode(&payload.encode()).expect("what was encoded decodes") == payload
            })
        },
        || vec![payload().encode().to_vec()],
    )
    .bad(|| {
        // An offset beyond the end, and beyond what a machine counts.
        let encoded = payload().encode();
        let with = |word: [u8; 32]| [&encoded[..128], &word, &encoded[160..]].concat();
        vec![with([0xff; 32]), with(U256::from(u64::MAX).to_be_bytes()), vec![0xff; 192]]
    }),
    Decoder::new(
        "chain/report-calls",
        |bytes| {
            SignedReport::decode(bytes).is_ok_and(|(receiver, signed)| {
                let _ = signed.signers();
                let again = SignedReport::decode(&signed.calldata(receiver));
                again.expect("what was encoded decodes") == (receiver, signed)
            })
        },
        || vec![signed().calldata(Address::repeat_byte(3)).to_vec()],
    )
    .bad(|| {
        // Its selector, receiver and two byte strings, then so many signatures that all stand in one place.
        let calldata = signed().calldata(Address::repeat_byte(3));
        let head = &calldata[..4 + 4 * 32];
        let signatures_at = U256::from(4 * 32 + 32);
        let nothing = [0; 32];
        let head = [
            &head[..4 + 32],
            &U256::from(4 * 32).to_be_bytes::<32>(),
            &U256::from(4 * 32).to_be_bytes::<32>(),
            &signatures_at.to_be_bytes::<32>(),
            &nothing,
        ]
        .concat();
        vec![[head, many_in_one_place(1_500)].concat()]
    }),
    Decoder::new(
        "chain/reverts",
        |bytes| {
            let words = known_errors().words(bytes);
            words.starts_with("TooOld(") || words.starts_with("Error(")
        },
        || vec![reverts(), Revert::from("closed").abi_encode()],
    )
    .bad(|| {
        // Its selector, then one argument: so many byte strings that all stand in one place.
        let head = [&reverts()[..4], &U256::from(32).to_be_bytes::<32>()].concat();
        vec![[head, many_in_one_place(1_500)].concat()]
    }),
    Decoder::new("chain/answers", answers, || {
        let answer = |result: Value| json!({ "jsonrpc": "2.0", "id": 0, "result": result });
        let log = |data: LogData, address| log(&data, address);
        let logs =
            Value::Array(logs().into_iter().map(|(data, address)| log(data, address)).collect());
        let receipt = json!({
            "transactionHash": B256::repeat_byte(1), "transactionIndex": "0x0",
            "blockHash": B256::repeat_byte(2), "blockNumber": "0x7",
            "from": Address::repeat_byte(3), "to": Address::repeat_byte(4),
            "cumulativeGasUsed": "0x5208", "gasUsed": "0x5208", "effectiveGasPrice": "0x1",
            "contractAddress": null, "logs": logs, "logsBloom": format!("0x{}", "00".repeat(256)),
            "type": "0x2", "status": "0x1",
        });
        let error = json!({ "code": 3, "message": "execution reverted", "data": "0x01020304" });
        [
            answer(receipt),
            answer(logs),
            answer(json!("0x0102")),
            answer(json!("0x7a69")),
            json!({ "jsonrpc": "2.0", "id": 0, "error": error }),
        ]
        .iter()
        .map(|body| body.to_string().into_bytes())
        .collect()
    })
    .per_byte(512)
    .bad(|| vec![b"[".repeat(10_000), b"{\"a\":".repeat(10_000)])
    .slow(10),
];

/// An error whose interface is known, with an argument that can name more than there is.
fn known_errors() -> Errors {
    let abi = r#"[{ "type": "error", "name": "TooOld", "inputs": [{ "name": "proofs", "type": "bytes[]" }] }]"#;
    let mut errors = Errors::default();
    errors.add(abi).unwrap();
    errors
}

fn reverts() -> Vec<u8> {
    let proofs = vec![Bytes::from(vec![1; 40]), Bytes::new()];
    [&keccak256("TooOld(bytes[])")[..4], &(proofs,).abi_encode_params()].concat()
}

/// `bytes[]` of `count` elements whose offsets all name the same 8 KiB.
fn many_in_one_place(count: usize) -> Vec<u8> {
    let word = |number: usize| U256::from(number).to_be_bytes::<32>();
    let offsets = (0..count).flat_map(|_| word(32 * count));
    let element = word(8 << 10).into_iter().chain([0xc1; 8 << 10]);
    word(count).into_iter().chain(offsets).chain(element).collect()
}

/// The body of an answer, as whatever a node asks for: taken if it is one of them.
fn answers(body: &[u8]) -> bool {
    let answer = body.to_vec();
    let provider = rpc::connect(Arc::new(move |_: &[u8]| Ok(answer.clone())));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let receipt = provider.get_transaction_receipt(B256::ZERO).await;
        if let Ok(Some(receipt)) = &receipt {
            let _ = delivery(receipt, &emitters());
        }
        let logs = provider.get_logs(&Filter::new()).await;
        let block = provider.get_block_by_number(7.into()).full().await;
        let call = provider.call(TransactionRequest::default()).await;
        let number = provider.get_block_number().await;
        let is_refusal = |error: &evm::alloy::transports::TransportError| {
            error.as_error_resp().is_some_and(|refusal| {
                let _ = refusal.as_revert_data();
                true
            })
        };
        receipt.is_ok()
            || logs.is_ok()
            || block.is_ok()
            || number.is_ok()
            || call.as_ref().map_or_else(is_refusal, |_| true)
    })
}

fn emitters() -> Emitters {
    let [forwarder, dark_pool, pool, por, guard] = [1, 2, 3, 4, 5].map(Address::repeat_byte);
    Emitters { forwarder, dark_pool, pool, por, guard }
}

/// Every event that is a fact, and who says it.
fn logs() -> Vec<(LogData, Address)> {
    let id = B256::repeat_byte(7);
    let Emitters { forwarder, dark_pool, pool, por, guard } = emitters();
    let number = |number: u64| U256::from(number);
    vec![
        (
            KeystoneForwarder::ReportProcessed {
                receiver: dark_pool,
                workflowExecutionId: id,
                reportId: FixedBytes([0, 1]),
                result: true,
            }
            .encode_log_data(),
            forwarder,
        ),
        (
            DarkPool::CollateralRequested {
                requestId: id,
                issuer: Address::repeat_byte(9),
                encryptedAmount: id,
                premiumBps: number(50),
                opened: number(5),
                expires: number(3_605),
            }
            .encode_log_data(),
            dark_pool,
        ),
        (
            DarkPool::Settled {
                requestId: id,
                round: 1,
                publicInputs: proof().public_inputs,
                ciphertexts: proof().ciphertexts.to_vec(),
            }
            .encode_log_data(),
            dark_pool,
        ),
        (RecoveryGuard::Halted { attempts: number(3) }.encode_log_data(), guard),
        (
            ShieldedPool::LeavesInserted { startIndex: number(3), leaves: vec![number(1); 2] }
                .encode_log_data(),
            pool,
        ),
        (
            ConfidentialPoR::RecoveryAttested { recovered: true, timestamp: number(5) }
                .encode_log_data(),
            por,
        ),
    ]
}

fn log(data: &LogData, address: Address) -> Value {
    json!({
        "address": address, "topics": data.topics(), "data": data.data,
        "blockNumber": "0x7", "blockHash": B256::repeat_byte(2), "transactionIndex": "0x0",
        "transactionHash": B256::repeat_byte(1), "logIndex": "0x0", "removed": false,
    })
}

fn proof() -> ZkProof {
    ZkProof {
        proof: std::array::from_fn(U256::from),
        public_inputs: std::array::from_fn(|idx| U256::from(1_000 + idx)),
        ciphertexts: std::array::from_fn(|_| vec![0xc1; 40].into()),
    }
}

fn payload() -> Payload {
    Payload {
        chain_id: 31_337,
        receiver: Address::repeat_byte(1),
        epoch: 7,
        expiry: 1_678_493_100,
        call: Bytes::from_static(&[0xde, 0xad, 0xbe, 0xef]),
        observation: Bytes::from_static(&[1, 2, 3]),
    }
}

fn report() -> Report {
    Report {
        execution_id: B256::repeat_byte(2),
        timestamp: 1_678_492_800,
        don_id: 1,
        config_version: 1,
        workflow: Workflow {
            id: B256::repeat_byte(0x1d),
            name: *b"6a2c982ddd",
            owner: Address::repeat_byte(0x0a),
        },
        report_id: [0, 1],
        payload: payload().encode(),
    }
}

fn signed() -> SignedReport {
    SignedReport {
        raw: report().encode(),
        context: vec![0x0e; 96].into(),
        signatures: vec![vec![1; 65].into(), vec![0; 64].into()],
    }
}
