//! `capabilities.blockchain.evm.v1alpha`.

/// `capabilities.blockchain.evm.v1alpha.ConfidenceLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ConfidenceLevel {
    Safe = 0,
    Latest = 1,
    Finalized = 2,
}

/// `capabilities.blockchain.evm.v1alpha.TopicValues`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TopicValues {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub values: Vec<Vec<u8>>,
}

/// `capabilities.blockchain.evm.v1alpha.FilterLogTriggerRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FilterLogTriggerRequest {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub addresses: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "2")]
    pub topics: Vec<TopicValues>,
    #[prost(enumeration = "ConfidenceLevel", tag = "3")]
    pub confidence: i32,
}

/// `capabilities.blockchain.evm.v1alpha.CallContractRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CallContractRequest {
    #[prost(message, optional, tag = "1")]
    pub call: Option<CallMsg>,
    #[prost(message, optional, tag = "2")]
    pub block_number: Option<super::values::BigInt>,
}

/// `capabilities.blockchain.evm.v1alpha.CallContractReply`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CallContractReply {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

/// `capabilities.blockchain.evm.v1alpha.FilterLogsRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FilterLogsRequest {
    #[prost(message, optional, tag = "1")]
    pub filter_query: Option<FilterQuery>,
}

/// `capabilities.blockchain.evm.v1alpha.FilterLogsReply`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FilterLogsReply {
    #[prost(message, repeated, tag = "1")]
    pub logs: Vec<Log>,
}

/// `capabilities.blockchain.evm.v1alpha.Log`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Log {
    #[prost(bytes = "vec", tag = "1")]
    pub address: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub topics: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "3")]
    pub tx_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub block_hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub data: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    pub event_sig: Vec<u8>,
    #[prost(message, optional, tag = "7")]
    pub block_number: Option<super::values::BigInt>,
    #[prost(uint32, tag = "8")]
    pub tx_index: u32,
    #[prost(uint32, tag = "9")]
    pub index: u32,
    #[prost(bool, tag = "10")]
    pub removed: bool,
}

/// `capabilities.blockchain.evm.v1alpha.CallMsg`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CallMsg {
    #[prost(bytes = "vec", tag = "1")]
    pub from: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub to: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub data: Vec<u8>,
}

/// `capabilities.blockchain.evm.v1alpha.FilterQuery`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FilterQuery {
    #[prost(bytes = "vec", tag = "1")]
    pub block_hash: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub from_block: Option<super::values::BigInt>,
    #[prost(message, optional, tag = "3")]
    pub to_block: Option<super::values::BigInt>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub addresses: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "5")]
    pub topics: Vec<Topics>,
}

/// `capabilities.blockchain.evm.v1alpha.Topics`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Topics {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub topic: Vec<Vec<u8>>,
}

/// `capabilities.blockchain.evm.v1alpha.BalanceAtRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BalanceAtRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub account: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub block_number: Option<super::values::BigInt>,
}

/// `capabilities.blockchain.evm.v1alpha.BalanceAtReply`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BalanceAtReply {
    #[prost(message, optional, tag = "1")]
    pub balance: Option<super::values::BigInt>,
}

/// `capabilities.blockchain.evm.v1alpha.EstimateGasRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EstimateGasRequest {
    #[prost(message, optional, tag = "1")]
    pub msg: Option<CallMsg>,
}

/// `capabilities.blockchain.evm.v1alpha.EstimateGasReply`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EstimateGasReply {
    #[prost(uint64, tag = "1")]
    pub gas: u64,
}

/// `capabilities.blockchain.evm.v1alpha.GetTransactionByHashRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetTransactionByHashRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub hash: Vec<u8>,
}

/// `capabilities.blockchain.evm.v1alpha.GetTransactionByHashReply`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetTransactionByHashReply {
    #[prost(message, optional, tag = "1")]
    pub transaction: Option<Transaction>,
}

/// `capabilities.blockchain.evm.v1alpha.Transaction`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Transaction {
    #[prost(uint64, tag = "1")]
    pub nonce: u64,
    #[prost(uint64, tag = "2")]
    pub gas: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub to: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub data: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub hash: Vec<u8>,
    #[prost(message, optional, tag = "6")]
    pub value: Option<super::values::BigInt>,
    #[prost(message, optional, tag = "7")]
    pub gas_price: Option<super::values::BigInt>,
}

/// `capabilities.blockchain.evm.v1alpha.GetTransactionReceiptRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetTransactionReceiptRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub hash: Vec<u8>,
}

/// `capabilities.blockchain.evm.v1alpha.GetTransactionReceiptReply`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetTransactionReceiptReply {
    #[prost(message, optional, tag = "1")]
    pub receipt: Option<Receipt>,
}

/// `capabilities.blockchain.evm.v1alpha.Receipt`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Receipt {
    #[prost(uint64, tag = "1")]
    pub status: u64,
    #[prost(uint64, tag = "2")]
    pub gas_used: u64,
    #[prost(uint64, tag = "3")]
    pub tx_index: u64,
    #[prost(bytes = "vec", tag = "4")]
    pub block_hash: Vec<u8>,
    #[prost(message, repeated, tag = "6")]
    pub logs: Vec<Log>,
    #[prost(bytes = "vec", tag = "7")]
    pub tx_hash: Vec<u8>,
    #[prost(message, optional, tag = "8")]
    pub effective_gas_price: Option<super::values::BigInt>,
    #[prost(message, optional, tag = "9")]
    pub block_number: Option<super::values::BigInt>,
    #[prost(bytes = "vec", tag = "10")]
    pub contract_address: Vec<u8>,
}

/// `capabilities.blockchain.evm.v1alpha.HeaderByNumberRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HeaderByNumberRequest {
    #[prost(message, optional, tag = "1")]
    pub block_number: Option<super::values::BigInt>,
}

/// `capabilities.blockchain.evm.v1alpha.HeaderByNumberReply`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HeaderByNumberReply {
    #[prost(message, optional, tag = "1")]
    pub header: Option<Header>,
}

/// `capabilities.blockchain.evm.v1alpha.Header`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Header {
    #[prost(uint64, tag = "1")]
    pub timestamp: u64,
    #[prost(message, optional, tag = "2")]
    pub block_number: Option<super::values::BigInt>,
    #[prost(bytes = "vec", tag = "3")]
    pub hash: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub parent_hash: Vec<u8>,
}

/// `capabilities.blockchain.evm.v1alpha.ReceiverContractExecutionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ReceiverContractExecutionStatus {
    Success = 0,
    Reverted = 1,
}

/// `capabilities.blockchain.evm.v1alpha.WriteReportRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteReportRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub receiver: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub report: Option<super::sdk::ReportResponse>,
    #[prost(message, optional, tag = "3")]
    pub gas_config: Option<GasConfig>,
}

/// `capabilities.blockchain.evm.v1alpha.GasConfig`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GasConfig {
    #[prost(uint64, tag = "1")]
    pub gas_limit: u64,
}

/// `capabilities.blockchain.evm.v1alpha.TxStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum TxStatus {
    Fatal = 0,
    Reverted = 1,
    Success = 2,
}

/// `capabilities.blockchain.evm.v1alpha.WriteReportReply`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WriteReportReply {
    #[prost(enumeration = "TxStatus", tag = "1")]
    pub tx_status: i32,
    #[prost(enumeration = "ReceiverContractExecutionStatus", optional, tag = "2")]
    pub receiver_contract_execution_status: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub tx_hash: Option<Vec<u8>>,
    #[prost(message, optional, tag = "4")]
    pub transaction_fee: Option<super::values::BigInt>,
    #[prost(string, optional, tag = "5")]
    pub error_message: Option<String>,
}

named! {
    "capabilities.blockchain.evm.v1alpha":
    TopicValues = "TopicValues", FilterLogTriggerRequest = "FilterLogTriggerRequest", CallContractRequest = "CallContractRequest", CallContractReply = "CallContractReply", FilterLogsRequest = "FilterLogsRequest", FilterLogsReply = "FilterLogsReply", Log = "Log", CallMsg = "CallMsg", FilterQuery = "FilterQuery", Topics = "Topics", BalanceAtRequest = "BalanceAtRequest", BalanceAtReply = "BalanceAtReply", EstimateGasRequest = "EstimateGasRequest", EstimateGasReply = "EstimateGasReply", GetTransactionByHashRequest = "GetTransactionByHashRequest", GetTransactionByHashReply = "GetTransactionByHashReply", Transaction = "Transaction", GetTransactionReceiptRequest = "GetTransactionReceiptRequest", GetTransactionReceiptReply = "GetTransactionReceiptReply", Receipt = "Receipt", HeaderByNumberRequest = "HeaderByNumberRequest", HeaderByNumberReply = "HeaderByNumberReply", Header = "Header", WriteReportRequest = "WriteReportRequest", GasConfig = "GasConfig", WriteReportReply = "WriteReportReply"
}
