//! The JSON-RPC handler: method names and shapes as other nodes have them.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use evm::alloy::consensus::{BlockHeader as _, Transaction as _};
use evm::alloy::eips::{BlockId, BlockNumberOrTag};
use evm::alloy::primitives::{Address, B256, Bytes, TxKind, U64, U256};
use evm::alloy::rpc::types::{
    Block as RpcBlock, BlockTransactions, FeeHistory, Filter, FilterBlockOption,
    Header as RpcHeader, Log as RpcLog, Transaction as RpcTransaction, TransactionInfo,
    TransactionReceipt, TransactionRequest,
};
use evm::alloy::sol_types::decode_revert_reason;
use revm::bytecode::Bytecode;
use revm::context::TxEnv;
use revm::context::result::{ExecutionResult, Output};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::chain::{Block, Chain, Included};
use crate::log::Entry;
use crate::{LocalChain, Rejected, Shared};

/// A JSON-RPC error object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct RpcError {
    /// From JSON-RPC 2.0 (-32700 to -32600), EIP-1474 (-32003: the transaction is refused) or
    /// common use (3: execution reverted).
    pub code: i64,
    /// For people.
    pub message: String,
    /// With code 3, what the contract reverted with, as a hex string.
    pub data: Option<Value>,
}

impl Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.message, self.code)
    }
}

impl RpcError {
    pub(crate) const PARSE: i64 = -32700;
    pub(crate) const INVALID_REQUEST: i64 = -32600;
    const METHOD_NOT_FOUND: i64 = -32601;
    const INVALID_PARAMS: i64 = -32602;
    const INTERNAL: i64 = -32603;
    const SERVER: i64 = -32000;
    const NOT_FOUND: i64 = -32001;
    const REFUSED: i64 = -32003;
    const REVERTED: i64 = 3;

    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    fn params(message: impl Display) -> Self {
        Self::new(Self::INVALID_PARAMS, format!("invalid params: {message}"))
    }
}

impl From<Rejected> for RpcError {
    fn from(rejected: Rejected) -> Self {
        match &rejected {
            Rejected::NotKept { source } => {
                let causes =
                    core::iter::successors(Some(source as &dyn core::error::Error), |cause| {
                        cause.source()
                    });
                let causes: String = causes.map(|cause| format!(": {cause}")).collect();
                Self::new(Self::INTERNAL, format!("{rejected}{causes}"))
            }
            Rejected::Malformed { .. } | Rejected::Blobs | Rejected::Invalid { .. } => {
                Self::new(Self::REFUSED, rejected.to_string())
            }
        }
    }
}

/// Installed filters, each with the first block it has not reported.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    next_id: u64,
    installed: BTreeMap<u64, (Option<Box<Filter>>, usize)>,
}

impl LocalChain {
    /// Answers one JSON-RPC request. `params` is an array, or null for none.
    ///
    /// # Errors
    /// As JSON-RPC has them: an unknown method, parameters that do not parse, a refused
    /// transaction, a reverted call.
    pub fn request(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let params = match params {
            Value::Null => Params(Vec::new()),
            Value::Array(items) => Params(items),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                return Err(RpcError::params("not an array"));
            }
        };
        let Shared { chain, filters } = &mut *self.lock();
        dispatch(chain, filters, method, &params)
    }
}

fn dispatch(
    chain: &mut Chain,
    filters: &mut Filters,
    method: &str,
    params: &Params,
) -> Result<Value, RpcError> {
    match method {
        "web3_clientVersion" => value(concat!("cdpr/", env!("CARGO_PKG_VERSION"))),
        "net_version" => value(chain.genesis.chain_id.to_string()),
        "net_listening" => value(true),
        "eth_chainId" => value(U64::from(chain.genesis.chain_id)),
        "eth_syncing" => value(false),
        "eth_accounts" => value(Vec::<Address>::new()),
        "eth_blockNumber" => value(U64::from(chain.tip().header.number)),
        "eth_gasPrice" => value(U64::from(chain.genesis.base_fee_wei)),
        // Blocks are never full, so nothing has to be paid to be first.
        "eth_maxPriorityFeePerGas" => value(U64::ZERO),
        "eth_feeHistory" => fee_history(chain, params),
        "eth_getBalance" => {
            let state = chain.state_at(height(chain, params, 1)?);
            value(state.balance(params.get(0, "address")?))
        }
        "eth_getTransactionCount" => {
            let state = chain.state_at(height(chain, params, 1)?);
            value(U64::from(state.nonce(params.get(0, "address")?)))
        }
        "eth_getCode" => {
            let state = chain.state_at(height(chain, params, 1)?);
            value(state.code(params.get(0, "address")?).original_bytes())
        }
        "eth_getStorageAt" => {
            let state = chain.state_at(height(chain, params, 2)?);
            let slot = state.slot(params.get(0, "address")?, params.get(1, "slot")?);
            value(B256::from(slot))
        }
        "eth_call" => {
            params.at_most(2)?;
            let output = call(chain, params)?;
            value(output)
        }
        "eth_estimateGas" => {
            params.at_most(2)?;
            value(U64::from(estimate_gas(chain, params)?))
        }
        "eth_sendRawTransaction" => value(chain.submit(&params.get(0, "transaction")?)?),
        // EIP-7966. The optional timeout means nothing where inclusion is immediate.
        "eth_sendRawTransactionSync" => {
            let hash = chain.submit(&params.get(0, "transaction")?)?;
            value(receipt(chain, hash))
        }
        "eth_getTransactionByHash" => {
            let found = chain.block_of_transaction(params.get(0, "hash")?);
            value(found.map(|(block, included)| rpc_transaction(block, included)))
        }
        "eth_getTransactionReceipt" => value(receipt(chain, params.get(0, "hash")?)),
        "eth_getBlockByNumber" => {
            let block = block_at(chain, BlockId::Number(params.get(0, "block")?))?;
            value(
                block
                    .map(|block| rpc_block(block, params.opt(1).unwrap_or(Ok(false))))
                    .transpose()?,
            )
        }
        "eth_getBlockByHash" => {
            let block = chain.block_by_hash(params.get(0, "hash")?);
            value(
                block
                    .map(|block| rpc_block(block, params.opt(1).unwrap_or(Ok(false))))
                    .transpose()?,
            )
        }
        "eth_getBlockReceipts" => {
            let block = block_at(chain, params.get(0, "block")?)?;
            value(block.map(|block| {
                block.included.iter().map(|included| included.receipt.clone()).collect::<Vec<_>>()
            }))
        }
        "eth_getLogs" => value(logs(chain, &params.get(0, "filter")?, 0)?),
        "eth_newFilter" => {
            let filter = params.get(0, "filter")?;
            value(install(filters, chain, Some(Box::new(filter))))
        }
        "eth_newBlockFilter" => value(install(filters, chain, None)),
        "eth_getFilterChanges" => filter_changes(filters, chain, params.get(0, "filter id")?),
        "eth_getFilterLogs" => match filters.installed.get(&to_id(params.get(0, "filter id")?)) {
            Some((Some(filter), _)) => value(logs(chain, filter, 0)?),
            Some((None, _)) | None => Err(RpcError::new(RpcError::SERVER, "filter not found")),
        },
        "eth_uninstallFilter" => {
            value(filters.installed.remove(&to_id(params.get(0, "filter id")?)).is_some())
        }
        "evm_snapshot" | "anvil_snapshot" => value(U64::from(chain.snapshot())),
        "evm_revert" | "anvil_revert" => value(chain.revert(to_id(params.get(0, "snapshot id")?))?),
        "evm_mine" => mine(chain, params),
        "anvil_mine" | "hardhat_mine" => mine_many(chain, params),
        "evm_setNextBlockTimestamp"
        | "evm_setTime"
        | "anvil_setNextBlockTimestamp"
        | "anvil_setTime" => set_time(chain, quantity(params, 0, "timestamp")?),
        "evm_increaseTime" | "anvil_increaseTime" => {
            let seconds = quantity(params, 0, "seconds")?;
            let time = chain.time.checked_add(seconds);
            chain.time = time.ok_or_else(|| RpcError::params("seconds overflow the timestamp"))?;
            value(chain.time - chain.genesis.timestamp)
        }
        "anvil_setBalance" | "hardhat_setBalance" => edit(
            chain,
            &Entry::Balance {
                address: params.get(0, "address")?,
                balance: params.get(1, "balance")?,
            },
        ),
        "anvil_setNonce" | "hardhat_setNonce" => edit(
            chain,
            &Entry::Nonce {
                address: params.get(0, "address")?,
                nonce: quantity(params, 1, "nonce")?,
            },
        ),
        "anvil_setCode" | "hardhat_setCode" => {
            let code: Bytes = params.get(1, "code")?;
            // What begins like an EIP-7702 delegation has to be one.
            Bytecode::new_raw_checked(code.clone()).map_err(RpcError::params)?;
            edit(chain, &Entry::Code { address: params.get(0, "address")?, code })
        }
        "anvil_setStorageAt" | "hardhat_setStorageAt" => {
            let entry = Entry::Slot {
                address: params.get(0, "address")?,
                slot: params.get(1, "slot")?,
                value: params.get::<B256>(2, "value")?.into(),
            };
            chain.edit(&entry)?;
            value(true)
        }
        _ => Err(RpcError::new(
            RpcError::METHOD_NOT_FOUND,
            format!("the method {method} does not exist or is not available"),
        )),
    }
}

/// Positional parameters.
struct Params(Vec<Value>);

impl Params {
    fn get<T: DeserializeOwned>(&self, idx: usize, name: &str) -> Result<T, RpcError> {
        let found =
            self.opt(idx).ok_or_else(|| RpcError::params(format_args!("{name} is missing")))?;
        found.map_err(|error| RpcError::params(format_args!("{name}: {error}")))
    }

    /// `None` if absent or null.
    fn opt<T: DeserializeOwned>(&self, idx: usize) -> Option<serde_json::Result<T>> {
        match self.0.get(idx) {
            None | Some(Value::Null) => None,
            Some(item) => Some(serde_json::from_value(item.clone())),
        }
    }

    fn at_most(&self, len: usize) -> Result<(), RpcError> {
        // What comes after are overrides of state and block, which must not be ignored silently.
        if self.0.len() > len && self.0[len..].iter().any(|item| !item.is_null()) {
            return Err(RpcError::params(format_args!("at most {len} are supported")));
        }
        Ok(())
    }
}

fn value(value: impl Serialize) -> Result<Value, RpcError> {
    serde_json::to_value(value)
        .map_err(|error| RpcError::new(RpcError::INTERNAL, error.to_string()))
}

/// A number, decimal or hex, as development methods take either.
fn quantity(params: &Params, idx: usize, name: &str) -> Result<u64, RpcError> {
    match params.0.get(idx).and_then(Value::as_u64) {
        Some(number) => Ok(number),
        None => params.get::<U64>(idx, name).map(|number| number.to()),
    }
}

fn to_id(id: U64) -> u64 {
    id.to()
}

/// Height of the block that optional parameter `idx` names, by default the latest.
fn height(chain: &Chain, params: &Params, idx: usize) -> Result<usize, RpcError> {
    let id = match params.opt(idx) {
        Some(id) => id.map_err(|error| RpcError::params(format_args!("block: {error}")))?,
        None => BlockId::latest(),
    };
    let block = block_at(chain, id)?;
    let block = block.ok_or_else(|| RpcError::new(RpcError::NOT_FOUND, "block not found"))?;
    Ok(to_height(block))
}

fn to_height(block: &Block) -> usize {
    usize::try_from(block.header.number).expect("blocks are held in memory")
}

fn block_at(chain: &Chain, id: BlockId) -> Result<Option<&Block>, RpcError> {
    Ok(match id {
        BlockId::Hash(hash) => chain.block_by_hash(hash.block_hash),
        BlockId::Number(number) => match number {
            BlockNumberOrTag::Number(number) => {
                usize::try_from(number).ok().and_then(|number| chain.blocks.get(number))
            }
            BlockNumberOrTag::Earliest => chain.blocks.first(),
            // Nothing is ever reorganised or waiting.
            BlockNumberOrTag::Latest
            | BlockNumberOrTag::Pending
            | BlockNumberOrTag::Safe
            | BlockNumberOrTag::Finalized => Some(chain.tip()),
        },
    })
}

fn receipt(chain: &Chain, hash: B256) -> Option<TransactionReceipt> {
    chain.block_of_transaction(hash).map(|(_, included)| included.receipt.clone())
}

fn rpc_transaction(block: &Block, included: &Included) -> RpcTransaction {
    let info = TransactionInfo {
        hash: Some(included.receipt.transaction_hash),
        index: Some(0),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        base_fee: block.header.base_fee_per_gas,
        block_timestamp: Some(block.header.timestamp),
    };
    RpcTransaction::from_transaction(included.transaction.clone(), info)
}

fn rpc_block(block: &Block, full: serde_json::Result<bool>) -> Result<RpcBlock, RpcError> {
    let full =
        full.map_err(|error| RpcError::params(format_args!("full transactions: {error}")))?;
    let transactions = if full {
        let included = block.included.iter();
        BlockTransactions::Full(included.map(|included| rpc_transaction(block, included)).collect())
    } else {
        let included = block.included.iter();
        BlockTransactions::Hashes(
            included.map(|included| included.receipt.transaction_hash).collect(),
        )
    };
    let header = RpcHeader {
        hash: block.hash,
        inner: block.header.clone(),
        total_difficulty: Some(U256::ZERO),
        size: None,
    };
    Ok(RpcBlock::new(header, transactions).with_withdrawals(Some(Vec::new().into())))
}

/// Each is answered for each block, so a body of megabytes would ask for gigabytes. As other nodes have it.
const PERCENTILES_MAX: usize = 100;

fn fee_history(chain: &Chain, params: &Params) -> Result<Value, RpcError> {
    let count = quantity(params, 0, "block count")?.min(1024);
    let newest = block_at(chain, BlockId::Number(params.get(1, "newest block")?))?;
    let newest = newest.ok_or_else(|| RpcError::new(RpcError::NOT_FOUND, "block not found"))?;
    let percentiles: Vec<f64> =
        params.opt(2).unwrap_or(Ok(Vec::new())).map_err(RpcError::params)?;
    if percentiles.len() > PERCENTILES_MAX {
        let most = format_args!("at most {PERCENTILES_MAX} percentiles");
        return Err(RpcError::params(most));
    }
    let oldest = (newest.header.number + 1).saturating_sub(count);
    let blocks = &chain.blocks[usize::try_from(oldest).unwrap_or(0)..=to_height(newest)];
    let base_fee = u128::from(chain.genesis.base_fee_wei);
    #[allow(clippy::cast_precision_loss, reason = "a ratio for people, as JSON-RPC defines it")]
    let gas_used_ratio =
        blocks.iter().map(|block| block.header.gas_used as f64 / block.header.gas_limit as f64);
    let reward = |block: &Block| {
        let paid = block.included.as_ref().map_or(0, |included| {
            included.transaction.effective_tip_per_gas(chain.genesis.base_fee_wei).unwrap_or(0)
        });
        vec![paid; percentiles.len()]
    };
    value(FeeHistory {
        base_fee_per_gas: vec![base_fee; blocks.len() + 1],
        gas_used_ratio: gas_used_ratio.collect(),
        base_fee_per_blob_gas: vec![1; blocks.len() + 1],
        blob_gas_used_ratio: vec![0.0; blocks.len()],
        oldest_block: oldest,
        reward: (!percentiles.is_empty()).then(|| blocks.iter().map(reward).collect()),
    })
}

fn call(chain: &Chain, params: &Params) -> Result<Bytes, RpcError> {
    let request: TransactionRequest = params.get(0, "call")?;
    let pending = is_pending(params);
    let at = height(chain, params, 1)?;
    let gas_limit = request.gas.unwrap_or(chain.genesis.gas_limit);
    finish(run(chain, at, pending, &request, gas_limit)?)
}

/// The least gas limit with which the transaction succeeds, by bisection: what a transaction uses
/// can be less than what it needs, because of refunds and the 1/64 that a call leaves behind.
fn estimate_gas(chain: &Chain, params: &Params) -> Result<u64, RpcError> {
    let request: TransactionRequest = params.get(0, "call")?;
    let at = height(chain, params, 1)?;
    let cap = revm::primitives::eip7825::TX_GAS_LIMIT_CAP.min(chain.genesis.gas_limit);
    let mut enough = request.gas.unwrap_or(cap).min(cap);
    let result = run(chain, at, true, &request, enough)?;
    let mut too_little = result.tx_gas_used().saturating_sub(1);
    finish(result)?;
    while too_little + 1 < enough {
        // Needs are usually close to what was used, so the first guess is a little above that.
        let middle = too_little.midpoint(enough).min(too_little.saturating_mul(3));
        match run(chain, at, true, &request, middle) {
            Ok(result) if result.is_success() => enough = middle,
            // Below the intrinsic gas the transaction is invalid rather than failing.
            Ok(_) | Err(_) => too_little = middle,
        }
    }
    Ok(enough)
}

fn is_pending(params: &Params) -> bool {
    matches!(params.opt::<BlockId>(1), Some(Ok(id)) if id.is_pending())
}

fn run(
    chain: &Chain,
    at: usize,
    pending: bool,
    request: &TransactionRequest,
    gas_limit: u64,
) -> Result<ExecutionResult, RpcError> {
    if request.authorization_list.is_some() || request.blob_versioned_hashes.is_some() {
        return Err(RpcError::params("calls of types 3 and 4 are not supported"));
    }
    let input = request.input.clone().into_input().unwrap_or_default();
    let tx_env = TxEnv::builder()
        .caller(request.from.unwrap_or_default())
        .kind(request.to.unwrap_or(TxKind::Create))
        .value(request.value.unwrap_or_default())
        .data(input)
        .gas_limit(gas_limit)
        .gas_price(request.max_fee_per_gas.or(request.gas_price).unwrap_or(0))
        .gas_priority_fee(request.max_priority_fee_per_gas)
        .access_list(request.access_list.clone().unwrap_or_default())
        .chain_id(Some(request.chain_id.unwrap_or(chain.genesis.chain_id)))
        .build_fill();
    chain.simulate(at, pending, tx_env).map_err(|error| RpcError::new(RpcError::SERVER, error))
}

fn finish(result: ExecutionResult) -> Result<Bytes, RpcError> {
    match result {
        ExecutionResult::Success { output: Output::Call(bytes), .. }
        | ExecutionResult::Success { output: Output::Create(bytes, _), .. } => Ok(bytes),
        ExecutionResult::Revert { output, .. } => {
            let message = match decode_revert_reason(&output) {
                Some(reason) => format!("execution reverted: {reason}"),
                None => "execution reverted".to_owned(),
            };
            Err(RpcError {
                data: Some(json!(output)),
                ..RpcError::new(RpcError::REVERTED, message)
            })
        }
        ExecutionResult::Halt { reason, .. } => {
            Err(RpcError::new(RpcError::SERVER, format!("execution halted: {reason:?}")))
        }
    }
}

/// Matching logs of block `from` and later, within the filter's own range.
fn logs(chain: &Chain, filter: &Filter, from: usize) -> Result<Vec<RpcLog>, RpcError> {
    let (first, last) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let block = chain.block_by_hash(hash);
            let block =
                block.ok_or_else(|| RpcError::new(RpcError::NOT_FOUND, "block not found"))?;
            (to_height(block), to_height(block))
        }
        FilterBlockOption::Range {
            from_block: Some(BlockNumberOrTag::Number(first)),
            to_block: Some(BlockNumberOrTag::Number(last)),
        } if first > last => return Err(RpcError::params("fromBlock is after toBlock")),
        FilterBlockOption::Range { from_block, to_block } => {
            let bound = |tag: Option<BlockNumberOrTag>| match tag.unwrap_or_default() {
                BlockNumberOrTag::Number(number) => usize::try_from(number).unwrap_or(usize::MAX),
                BlockNumberOrTag::Earliest => 0,
                BlockNumberOrTag::Latest
                | BlockNumberOrTag::Pending
                | BlockNumberOrTag::Safe
                | BlockNumberOrTag::Finalized => chain.blocks.len() - 1,
            };
            (bound(from_block), bound(to_block))
        }
    };
    let blocks = chain.blocks.iter().skip(first.max(from));
    Ok(blocks
        .take_while(|block| to_height(block) <= last)
        .filter(|block| filter.matches_bloom(block.header.logs_bloom()))
        .filter_map(|block| block.included.as_ref())
        .flat_map(|included| included.receipt.inner.logs())
        .filter(|log| filter.matches(&log.inner))
        .cloned()
        .collect())
}

fn install(filters: &mut Filters, chain: &Chain, filter: Option<Box<Filter>>) -> U64 {
    filters.next_id += 1;
    filters.installed.insert(filters.next_id, (filter, chain.blocks.len()));
    U64::from(filters.next_id)
}

fn filter_changes(filters: &mut Filters, chain: &Chain, id: U64) -> Result<Value, RpcError> {
    let Some((filter, next)) = filters.installed.get_mut(&to_id(id)) else {
        return Err(RpcError::new(RpcError::SERVER, "filter not found"));
    };
    let from = std::mem::replace(next, chain.blocks.len());
    match filter {
        None => value(chain.blocks.iter().skip(from).map(|block| block.hash).collect::<Vec<_>>()),
        // A range that ends at the latest block moves on with the chain; one that begins there
        // began with the filter.
        Some(filter) => match filter.block_option {
            FilterBlockOption::Range { from_block, to_block } => {
                let from_block = from_block.filter(BlockNumberOrTag::is_number);
                let from_block = Some(from_block.unwrap_or(BlockNumberOrTag::Earliest));
                let block_option = FilterBlockOption::Range { from_block, to_block };
                value(logs(chain, &Filter { block_option, ..filter.as_ref().clone() }, from)?)
            }
            FilterBlockOption::AtBlockHash(_) => value(logs(chain, filter, from)?),
        },
    }
}

fn mine(chain: &mut Chain, params: &Params) -> Result<Value, RpcError> {
    match params.0.first() {
        None | Some(Value::Null) => {}
        Some(Value::Object(options)) => {
            if options.get("blocks").is_some_and(|blocks| !blocks.is_null()) {
                return Err(RpcError::params("blocks: use anvil_mine"));
            }
            if let Some(timestamp) = options.get("timestamp").filter(|time| !time.is_null()) {
                set_time(chain, quantity(&Params(vec![timestamp.clone()]), 0, "timestamp")?)?;
            }
        }
        Some(_) => {
            set_time(chain, quantity(params, 0, "timestamp")?)?;
        }
    }
    chain.mine()?;
    value("0x0")
}

/// Every block is kept in memory.
const MINED_MAX: u64 = 100_000;

fn mine_many(chain: &mut Chain, params: &Params) -> Result<Value, RpcError> {
    let optional = |idx, name| match params.0.get(idx) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => quantity(params, idx, name).map(Some),
    };
    let count = optional(0, "blocks")?.unwrap_or(1);
    let interval = optional(1, "interval")?.unwrap_or(0);
    if count > MINED_MAX {
        return Err(RpcError::params(format_args!("at most {MINED_MAX} blocks at once")));
    }
    for idx in 0..count {
        if idx > 0 {
            chain.time = chain
                .time
                .checked_add(interval)
                .ok_or_else(|| RpcError::params("interval overflows the timestamp"))?;
        }
        chain.mine()?;
    }
    Ok(Value::Null)
}

fn set_time(chain: &mut Chain, timestamp: u64) -> Result<Value, RpcError> {
    if timestamp < chain.time {
        let error = crate::TimeError { asked: timestamp, now: chain.time };
        return Err(RpcError::params(error));
    }
    chain.time = timestamp;
    Ok(Value::Null)
}

fn edit(chain: &mut Chain, entry: &Entry) -> Result<Value, RpcError> {
    chain.edit(entry)?;
    Ok(Value::Null)
}
