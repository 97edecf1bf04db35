//! `evm:ChainSelector:<selector>@1.0.0`: reads of a chain, and reports written to it through the
//! `KeystoneForwarder`.
//!
//! A write succeeds in two senses. `tx_status` is the transaction's; it succeeds even if the receiver
//! refused the report, which may then be delivered again. Whether the receiver carried it out is in
//! `receiver_contract_execution_status`, as the forwarder's `ReportProcessed` has it.
//!
//! Block numbers below zero name blocks as go-ethereum does: -2 the latest, -3 the last finalised, -4 the
//! last safe, -1 the pending one. None is the latest.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use cre::messages::evm as wire;
use cre::messages::sdk::ReportResponse;
use cre::messages::values::BigInt;
use cre::messages::{Any, pack};
use engine::Limits;
use evm::alloy::consensus::Transaction;
use evm::alloy::eips::{BlockId, BlockNumberOrTag};
use evm::alloy::network::TransactionResponse as _;
use evm::alloy::primitives::{Address, B256, Bytes, U256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::rpc::types::{
    Filter, FilterBlockOption, FilterSet, Log, TransactionReceipt, TransactionRequest,
};
use evm::alloy::transports::{RpcError, TransportError};
use evm::report::{Reason, SignedReport, outcome, refusal};
use evm::revert::Errors;
use evm::{Call as TransactionCall, Fees, SendError, Wallet, send};

use crate::usage::within;
use crate::{Call, Capability, CapabilityError, Code, words};

/// Gas of a write that names no limit.
const WRITE_GAS_DEFAULT: u64 = 5_000_000;

/// Furthest that a chain's latest block may lag behind the instant that a report rests on, for the report to be
/// delivered again when the block has caught up: a slot of Ethereum. A clock that anybody sets is not off by as much.
const CLOCK_SKEW_MAX: Duration = Duration::from_secs(12);

/// Deliveries of one report. By the third the chain had the skew twice over to catch up.
const DELIVERIES_MAX: u32 = 3;

/// Chainlink's selector of chain 31337, the development chain, by its registry of chain selectors.
pub const DEVELOPMENT_SELECTOR: u64 = 7_759_470_850_252_068_959;

/// The capability's id for a chain.
#[must_use]
pub fn id(selector: u64) -> String {
    format!("evm:ChainSelector:{selector}@1.0.0")
}

/// Brings a signed report to a receiver, through the forwarder.
pub trait Transmitter {
    /// Delivers, and returns the receipt of the transaction that did.
    ///
    /// # Errors
    /// There is no receipt; see [`SendError`].
    fn deliver(
        &mut self,
        receiver: Address,
        report: &SignedReport,
        gas_limit: u64,
    ) -> Result<TransactionReceipt, SendError>;
}

/// A node's transmitter: its own account, one transaction per report. A receiver takes nothing that rests on an instant
/// after its block, and the DON's clock may be a second ahead of the chain's: such a report is delivered again, for the
/// forwarder lets what a receiver refused be tried again.
#[derive(Debug)]
pub struct WalletTransmitter {
    provider: DynProvider,
    runtime: Runtime,
    forwarder: Address,
    wallet: Wallet,
    fees: Fees,
}

impl WalletTransmitter {
    /// Sends from `wallet`, whose nonce it asks the chain for before each report.
    ///
    /// # Errors
    /// The operating system gives no event loop.
    pub fn new(
        provider: DynProvider,
        forwarder: Address,
        wallet: Wallet,
        fees: Fees,
    ) -> std::io::Result<Self> {
        Ok(Self { provider, runtime: Runtime::new()?, forwarder, wallet, fees })
    }
}

impl Transmitter for WalletTransmitter {
    fn deliver(
        &mut self,
        receiver: Address,
        report: &SignedReport,
        gas_limit: u64,
    ) -> Result<TransactionReceipt, SendError> {
        let Self { provider, runtime, forwarder, wallet, fees } = self;
        let unreachable = |source| SendError::Unreachable { hash: B256::ZERO, source };
        runtime.wait(async {
            let mut n_deliveries = 0;
            loop {
                let asked = provider.get_transaction_count(wallet.address()).await;
                let nonce = asked.map_err(unreachable)?;
                let call = TransactionCall::new(*forwarder, report.calldata(receiver), gas_limit);
                let receipt = send(provider, &wallet.sign(nonce, *fees, call).bytes).await?;
                n_deliveries += 1;
                let is_refused =
                    outcome(&receipt, *forwarder).is_some_and(|outcome| !outcome.delivered);
                if !is_refused || n_deliveries == DELIVERIES_MAX {
                    return Ok::<_, SendError>(receipt);
                }
                // The transaction is on chain, whether or not the chain can be asked about it.
                match refusal(provider, *forwarder, receiver, &report.raw).await {
                    // It has caught up since.
                    Ok(None) => {}
                    Ok(Some(reason)) => match Reason(reason.to_vec()).ahead_of_block() {
                        Some(ahead) if ahead <= CLOCK_SKEW_MAX => tokio::time::sleep(ahead).await,
                        Some(_) | None => return Ok(receipt),
                    },
                    Err(_) => return Ok(receipt),
                }
            }
        })
    }
}

/// One chain.
pub struct Chain<T> {
    provider: DynProvider,
    runtime: Runtime,
    transmitter: T,
    limits: Limits,
    errors: Errors,
    /// Of the transactions that this value delivered: known here before a provider that lags says so.
    delivered: BTreeMap<B256, TransactionReceipt>,
}

impl<T> std::fmt::Debug for Chain<T> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Chain")
    }
}

impl<T: Transmitter> Chain<T> {
    /// A chain behind any JSON-RPC endpoint, the in-process one included. Not to be called from inside
    /// another event loop.
    ///
    /// # Errors
    /// The operating system gives no event loop.
    pub fn new(provider: DynProvider, transmitter: T, limits: Limits) -> std::io::Result<Self> {
        Ok(Self {
            provider,
            runtime: Runtime::new()?,
            transmitter,
            limits,
            errors: Errors::default(),
            delivered: BTreeMap::new(),
        })
    }

    /// Has what reverts told by the names of these errors too.
    #[must_use]
    pub fn with_errors(self, errors: Errors) -> Self {
        Self { errors, ..self }
    }

    fn call_contract(
        &self,
        asked: wire::CallContractRequest,
    ) -> Result<wire::CallContractReply, CapabilityError> {
        let block = block(asked.block_number.as_ref())?;
        let request = request(asked.call)?;
        let data =
            self.ask("eth_call", self.provider.call(request).block(BlockId::Number(block)))?;
        within(data.len(), self.limits.evm_read_size_max, "an answer")?;
        Ok(wire::CallContractReply { data: data.to_vec() })
    }

    fn filter_logs(
        &self,
        asked: wire::FilterLogsRequest,
    ) -> Result<wire::FilterLogsReply, CapabilityError> {
        let query = asked.filter_query.ok_or_else(|| invalid("no filter"))?;
        let block_option = if query.block_hash.is_empty() {
            let latest = || self.ask("eth_blockNumber", self.provider.get_block_number());
            let number = |asked: Option<&BigInt>| match block(asked)? {
                BlockNumberOrTag::Number(number) => Ok(number),
                BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => latest(),
                tag @ (BlockNumberOrTag::Finalized
                | BlockNumberOrTag::Safe
                | BlockNumberOrTag::Earliest) => Ok(self.header(tag)?.0.number),
            };
            let (from, to) = (number(query.from_block.as_ref())?, number(query.to_block.as_ref())?);
            let blocks_max = self.limits.evm_log_query_blocks_max;
            if to.saturating_sub(from) >= blocks_max {
                let message =
                    format!("logs of blocks {from} to {to}, the limit is {blocks_max} blocks");
                return Err(CapabilityError::user(Code::LimitExceeded, message));
            }
            FilterBlockOption::Range { from_block: Some(from.into()), to_block: Some(to.into()) }
        } else {
            FilterBlockOption::AtBlockHash(B256::from(fixed(&query.block_hash, "block hash")?))
        };
        let mut filter = Filter { block_option, ..Filter::default() };
        let addresses = query.addresses.iter().map(|bytes| address(bytes, "address"));
        filter.address = addresses.collect::<Result<Vec<_>, _>>()?.into();
        if query.topics.len() > filter.topics.len() {
            return Err(invalid("more than four topics"));
        }
        for (place, asked) in filter.topics.iter_mut().zip(&query.topics) {
            let topics = asked.topic.iter().map(|bytes| Ok(B256::from(fixed(bytes, "topic")?)));
            *place = FilterSet::from(topics.collect::<Result<Vec<_>, CapabilityError>>()?);
        }
        let found = self.ask("eth_getLogs", self.provider.get_logs(&filter))?;
        let reply = wire::FilterLogsReply { logs: found.iter().map(log).collect() };
        within(prost::Message::encoded_len(&reply), self.limits.evm_read_size_max, "an answer")?;
        Ok(reply)
    }

    fn balance_at(
        &self,
        asked: &wire::BalanceAtRequest,
    ) -> Result<wire::BalanceAtReply, CapabilityError> {
        let account = address(&asked.account, "account")?;
        let at = BlockId::Number(block(asked.block_number.as_ref())?);
        let balance =
            self.ask("eth_getBalance", self.provider.get_balance(account).block_id(at))?;
        Ok(wire::BalanceAtReply { balance: Some(big(balance)) })
    }

    fn estimate_gas(
        &self,
        asked: wire::EstimateGasRequest,
    ) -> Result<wire::EstimateGasReply, CapabilityError> {
        let request = request(asked.msg)?;
        let gas = self.ask("eth_estimateGas", self.provider.estimate_gas(request))?;
        Ok(wire::EstimateGasReply { gas })
    }

    fn transaction(
        &self,
        asked: &wire::GetTransactionByHashRequest,
    ) -> Result<wire::GetTransactionByHashReply, CapabilityError> {
        let hash = B256::from(fixed(&asked.hash, "transaction hash")?);
        let found = self
            .ask("eth_getTransactionByHash", self.provider.get_transaction_by_hash(hash))?
            .ok_or_else(|| not_found(format!("transaction {hash} not found")))?;
        let transaction = wire::Transaction {
            nonce: found.nonce(),
            gas: found.gas_limit(),
            to: found.to().map(|to| to.to_vec()).unwrap_or_default(),
            data: found.input().to_vec(),
            hash: found.tx_hash().to_vec(),
            value: Some(big(found.value())),
            gas_price: Some(big(U256::from(
                found.effective_gas_price.unwrap_or_else(|| Transaction::max_fee_per_gas(&found)),
            ))),
        };
        within(transaction.data.len(), self.limits.evm_read_size_max, "an answer")?;
        Ok(wire::GetTransactionByHashReply { transaction: Some(transaction) })
    }

    fn receipt(
        &self,
        asked: &wire::GetTransactionReceiptRequest,
    ) -> Result<wire::GetTransactionReceiptReply, CapabilityError> {
        let hash = B256::from(fixed(&asked.hash, "transaction hash")?);
        let found = match self.delivered.get(&hash) {
            Some(receipt) => receipt.clone(),
            None => self
                .ask("eth_getTransactionReceipt", self.provider.get_transaction_receipt(hash))?
                .ok_or_else(|| not_found(format!("the receipt of transaction {hash} not found")))?,
        };
        let receipt = wire::Receipt {
            status: found.status().into(),
            gas_used: found.gas_used,
            tx_index: found.transaction_index.unwrap_or_default(),
            block_hash: found.block_hash.map(|hash| hash.to_vec()).unwrap_or_default(),
            logs: found.logs().iter().map(log).collect(),
            tx_hash: found.transaction_hash.to_vec(),
            effective_gas_price: Some(big(U256::from(found.effective_gas_price))),
            block_number: found.block_number.map(|number| big(U256::from(number))),
            contract_address: found
                .contract_address
                .map(|address| address.to_vec())
                .unwrap_or_default(),
        };
        let len = prost::Message::encoded_len(&receipt);
        within(len, self.limits.evm_read_size_max, "an answer")?;
        Ok(wire::GetTransactionReceiptReply { receipt: Some(receipt) })
    }

    fn header_by_number(
        &self,
        asked: &wire::HeaderByNumberRequest,
    ) -> Result<wire::HeaderByNumberReply, CapabilityError> {
        let (header, hash) = self.header(block(asked.block_number.as_ref())?)?;
        let header = wire::Header {
            timestamp: header.timestamp,
            block_number: Some(big(U256::from(header.number))),
            hash: hash.to_vec(),
            parent_hash: header.parent_hash.to_vec(),
        };
        Ok(wire::HeaderByNumberReply { header: Some(header) })
    }

    fn header(
        &self,
        number: BlockNumberOrTag,
    ) -> Result<(evm::alloy::consensus::Header, B256), CapabilityError> {
        let found = self
            .ask("eth_getBlockByNumber", self.provider.get_block_by_number(number).into_future())?
            .ok_or_else(|| not_found(format!("block {number} not found")))?;
        Ok((found.header.inner, found.header.hash))
    }

    fn write_report(
        &mut self,
        asked: wire::WriteReportRequest,
    ) -> Result<wire::WriteReportReply, CapabilityError> {
        let receiver = address(&asked.receiver, "receiver")?;
        let report = asked.report.ok_or_else(|| invalid("no report"))?;
        within(report.raw_report.len(), self.limits.report_size_max, "a report")?;
        let gas_max = self.limits.evm_write_gas_max;
        let gas_limit = match asked.gas_config.map_or(0, |config| config.gas_limit) {
            0 => WRITE_GAS_DEFAULT.min(gas_max),
            gas if gas <= gas_max => gas,
            gas => {
                let message = format!("a write of {gas} gas, the limit is {gas_max}");
                return Err(CapabilityError::user(Code::LimitExceeded, message));
            }
        };
        let signed = signed_report(&report);
        let receipt = match self.transmitter.deliver(receiver, &signed, gas_limit) {
            Ok(receipt) => receipt,
            Err(SendError::Refused { source, .. }) => {
                return Ok(wire::WriteReportReply {
                    tx_status: wire::TxStatus::Fatal as i32,
                    error_message: Some(source.to_string()),
                    ..wire::WriteReportReply::default()
                });
            }
            Err(
                error @ (SendError::Malformed { .. }
                | SendError::Unreachable { .. }
                | SendError::NotIncluded { .. }
                | SendError::Replaced { .. }),
            ) => {
                return Err(CapabilityError::system(Code::Unavailable, words(&error)));
            }
        };
        let mut reply = written(&receipt);
        let refused = wire::ReceiverContractExecutionStatus::Reverted as i32;
        let is_refused = reply.receiver_contract_execution_status == Some(refused);
        if let (true, Some(forwarder)) = (is_refused, receipt.to) {
            // The forwarder does not say why.
            let asked = refusal(&self.provider, forwarder, receiver, &signed.raw);
            if let Ok(Some(reason)) = self.runtime.wait(asked) {
                let reason = Reason(reason.to_vec()).words(&self.errors);
                reply.error_message = Some(format!("the receiver refused the report: {reason}"));
            }
        }
        self.delivered.insert(receipt.transaction_hash, receipt);
        Ok(reply)
    }

    fn ask<A>(
        &self,
        what: &str,
        question: impl IntoFuture<Output = Result<A, TransportError>>,
    ) -> Result<A, CapabilityError> {
        self.runtime.wait(question.into_future()).map_err(|error| match error {
            // The node answered that it cannot: a revert, a block it does not have.
            RpcError::ErrorResp(payload) => {
                let data = payload.as_revert_data().filter(|data| !data.is_empty());
                let why = match data {
                    Some(data) => format!("execution reverted: {}", self.errors.words(&data)),
                    None => payload.message.to_string(),
                };
                let message = format!("{what}: {why}");
                CapabilityError::user(Code::FailedPrecondition, message)
            }
            error @ (RpcError::NullResp
            | RpcError::UnsupportedFeature(_)
            | RpcError::LocalUsageError(_)
            | RpcError::SerError(_)
            | RpcError::DeserError { .. }
            | RpcError::Transport(_)) => {
                CapabilityError::system(Code::Unavailable, format!("{what}: {}", words(&error)))
            }
        })
    }
}

impl<T: Transmitter> Capability for Chain<T> {
    fn call(&mut self, call: &Call<'_>) -> Result<Any, CapabilityError> {
        Ok(match call.method {
            "CallContract" => pack(&self.call_contract(call.input()?)?),
            "FilterLogs" => pack(&self.filter_logs(call.input()?)?),
            "BalanceAt" => pack(&self.balance_at(&call.input()?)?),
            "EstimateGas" => pack(&self.estimate_gas(call.input()?)?),
            "GetTransactionByHash" => pack(&self.transaction(&call.input()?)?),
            "GetTransactionReceipt" => pack(&self.receipt(&call.input()?)?),
            "HeaderByNumber" => pack(&self.header_by_number(&call.input()?)?),
            "WriteReport" => pack(&self.write_report(call.input()?)?),
            _ => return Err(call.unknown_method()),
        })
    }
}

/// A report as the forwarder takes it.
#[must_use]
pub fn signed_report(report: &ReportResponse) -> SignedReport {
    SignedReport {
        raw: report.raw_report.clone().into(),
        context: report.report_context.clone().into(),
        signatures: report.sigs.iter().map(|one| Bytes::from(one.signature.clone())).collect(),
    }
}

/// What a workflow is told of a transaction to the forwarder.
#[must_use]
pub fn written(receipt: &TransactionReceipt) -> wire::WriteReportReply {
    use wire::ReceiverContractExecutionStatus as Receiver;
    let fee = U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price);
    // A transmitter sends to the forwarder and nowhere else.
    let outcome = receipt.to.and_then(|forwarder| outcome(receipt, forwarder));
    let (status, error) = match &outcome {
        Some(outcome) if outcome.delivered => (wire::TxStatus::Success, None),
        Some(_) => (wire::TxStatus::Success, Some("the receiver refused the report")),
        None => (wire::TxStatus::Reverted, Some("the forwarder refused the report")),
    };
    wire::WriteReportReply {
        tx_status: status as i32,
        receiver_contract_execution_status: outcome.map(|outcome| {
            if outcome.delivered { Receiver::Success as i32 } else { Receiver::Reverted as i32 }
        }),
        tx_hash: Some(receipt.transaction_hash.to_vec()),
        transaction_fee: Some(big(fee)),
        error_message: error.map(str::to_owned),
    }
}

/// A log as workflows see it, in answers and triggers.
#[must_use]
pub fn log(log: &Log) -> wire::Log {
    let narrow =
        |number: Option<u64>| u32::try_from(number.unwrap_or_default()).unwrap_or(u32::MAX);
    wire::Log {
        address: log.address().to_vec(),
        topics: log.topics().iter().map(|topic| topic.to_vec()).collect(),
        tx_hash: log.transaction_hash.map(|hash| hash.to_vec()).unwrap_or_default(),
        block_hash: log.block_hash.map(|hash| hash.to_vec()).unwrap_or_default(),
        data: log.data().data.to_vec(),
        event_sig: log.topics().first().map(|topic| topic.to_vec()).unwrap_or_default(),
        block_number: log.block_number.map(|number| big(U256::from(number))),
        tx_index: narrow(log.transaction_index),
        index: narrow(log.log_index),
        removed: log.removed,
    }
}

/// An event loop of this thread's own, on which futures are waited for.
#[derive(Debug)]
struct Runtime(tokio::runtime::Runtime);

impl Runtime {
    fn new() -> std::io::Result<Self> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().map(Self)
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }
}

fn request(call: Option<wire::CallMsg>) -> Result<TransactionRequest, CapabilityError> {
    let call = call.ok_or_else(|| invalid("no call"))?;
    let mut request = TransactionRequest::default().input(Bytes::from(call.data).into());
    if !call.from.is_empty() {
        request = request.from(address(&call.from, "from")?);
    }
    if !call.to.is_empty() {
        request = request.to(address(&call.to, "to")?);
    }
    Ok(request)
}

fn block(number: Option<&BigInt>) -> Result<BlockNumberOrTag, CapabilityError> {
    let Some(number) = number else { return Ok(BlockNumberOrTag::Latest) };
    let start = number.abs_val.iter().position(|byte| *byte != 0);
    let digits = start.map_or(&[][..], |start| &number.abs_val[start..]);
    if digits.len() > 8 {
        return Err(invalid("a block number of more than 64 bits"));
    }
    let value = digits.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    match (number.sign < 0, value) {
        (false, _) => Ok(BlockNumberOrTag::Number(value)),
        (true, 0) => Ok(BlockNumberOrTag::Number(0)),
        (true, 1) => Ok(BlockNumberOrTag::Pending),
        (true, 2) => Ok(BlockNumberOrTag::Latest),
        (true, 3) => Ok(BlockNumberOrTag::Finalized),
        (true, 4) => Ok(BlockNumberOrTag::Safe),
        (true, _) => Err(invalid("a block number below -4")),
    }
}

/// A number as protobuf carries it: magnitude without leading zeros, and its sign.
#[must_use]
pub fn big(value: U256) -> BigInt {
    let sign = i64::from(!value.is_zero());
    BigInt { abs_val: value.to_be_bytes_trimmed_vec(), sign }
}

fn address(bytes: &[u8], what: &str) -> Result<Address, CapabilityError> {
    Ok(Address::from(fixed::<20>(bytes, what)?))
}

fn fixed<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N], CapabilityError> {
    let len = bytes.len();
    bytes.try_into().map_err(|_| invalid(format!("{what} of {len} bytes, it has {N}")))
}

fn invalid(message: impl Into<String>) -> CapabilityError {
    CapabilityError::user(Code::InvalidArgument, message)
}

fn not_found(message: impl Into<String>) -> CapabilityError {
    CapabilityError::user(Code::NotFound, message)
}
