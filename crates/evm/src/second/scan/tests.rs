use std::sync::{Arc, Mutex};

use alloy::primitives::{Bytes, LogData};
use alloy::providers::DynProvider;
use serde_json::{Value, json};

use super::*;

const POOL: Address = Address::repeat_byte(3);

fn log(block: u64, index: u64) -> Log {
    let data = LogData::new_unchecked(Vec::new(), Bytes::new());
    let inner = alloy::primitives::Log { address: POOL, data };
    Log { inner, block_number: Some(block), log_index: Some(index), ..Log::default() }
}

/// Ranges of blocks that a node was asked for, first and last.
type Asked = Arc<Mutex<Vec<(u64, u64)>>>;

/// A node with these logs, which refuses ranges of more than so many blocks. Which ranges it was asked for.
fn node(head: u64, most: u64, logs: Vec<Log>) -> (DynProvider, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let answer = move |body: &[u8]| {
        let request: Value = serde_json::from_slice(body)?;
        let result = match request["method"].as_str() {
            Some("eth_blockNumber") => Ok(json!(format!("0x{head:x}"))),
            Some("eth_getLogs") => {
                let bound = |name: &str| {
                    let word = request["params"][0][name].as_str().unwrap();
                    u64::from_str_radix(&word[2..], 16).unwrap()
                };
                let (from, to) = (bound("fromBlock"), bound("toBlock"));
                seen.lock().unwrap().push((from, to));
                if to - from + 1 > most {
                    Err(json!({ "code": -32_005, "message": "query returned too much" }))
                } else {
                    let is_wanted = |log: &&Log| {
                        log.block_number
                            .is_none_or(|block| (from..=to).contains(&block) || block == 99)
                    };
                    Ok(json!(logs.iter().filter(is_wanted).collect::<Vec<_>>()))
                }
            }
            method => panic!("{method:?} is not asked"),
        };
        let id = &request["id"];
        Ok(serde_json::to_vec(&match result {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error }),
        })?)
    };
    (crate::rpc::connect(Arc::new(answer)), asked)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn logs_are_read_once_in_order_range_by_range() {
    let logs = vec![log(5, 1), log(5, 0), log(9, 0), log(12, 3)];
    let (provider, asked) = node(12, 4, logs);
    let mut scan = Scan { span: 8, ..Scan::new(vec![POOL], 2) };
    let mut read = Vec::new();
    // Stops at block 9 and goes on from what was kept, as after a restart.
    run(async {
        while !scan.has_read(9) {
            read.extend(scan.advance(&provider, 9).await.unwrap());
        }
    });
    assert_eq!(scan.next(), 10);
    assert_eq!(run(scan.advance(&provider, 9)).unwrap().len(), 0);
    let mut again = Scan::new(vec![POOL], scan.next());
    run(async {
        while !again.has_read(12) {
            read.extend(again.advance(&provider, 12).await.unwrap());
        }
    });
    let places: Vec<_> = read.iter().map(|log| cursor(log).unwrap()).collect();
    let expected = [(5, 0), (5, 1), (9, 0), (12, 3)].map(|(block, log)| Cursor { block, log });
    assert_eq!(places, expected);
    // Eight blocks were too many, four were not.
    assert_eq!(*asked.lock().unwrap(), [(2, 9), (2, 5), (6, 9), (10, 12)]);
}

#[test]
fn what_a_node_cannot_answer_is_no_empty_answer() {
    let said = |head, most, logs| {
        let (provider, _) = node(head, most, logs);
        let mut scan = Scan::new(vec![POOL], 2);
        let error = run(scan.advance(&provider, 9)).unwrap_err();
        assert_eq!(scan.next(), 2, "{error}");
        error.to_string()
    };
    assert_eq!(
        said(8, 10, vec![]),
        "block 9 is wanted, the node's newest is 8; hint: wait for it, or another node"
    );
    assert_eq!(said(9, 0, vec![]), "the node gives no logs of blocks 2 to 2");
    let mine = |edit: &dyn Fn(&mut Log)| {
        let mut one = log(5, 1);
        edit(&mut one);
        said(9, 10, vec![log(5, 0), one])
    };
    assert!(mine(&|log| log.log_index = Some(0)).contains("at 5.0, twice"));
    assert!(mine(&|log| log.removed = true).contains("of a block that was taken back"));
    assert!(mine(&|log| log.block_number = Some(99)).contains("at 99.1, another block"));
    assert!(mine(&|log| log.inner.address = Address::ZERO).contains("another contract"));
    assert!(mine(&|log| log.block_number = None).contains("has no block"));
}
