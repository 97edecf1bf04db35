//! EVM chains: calls, logs, and the way a report is written.

use crate::messages::values::BigInt;
use crate::promise::Promise;
use crate::report::Report;
use crate::runtime::Runtime;
use crate::workflow::Trigger;

pub use crate::messages::evm::*;

/// A chain, by its selector.
///
/// Every method starts the capability's method of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    id: String,
}

impl Client {
    /// The chain with this selector (not chain id) in Chainlink's list;
    /// [`chains::selector`](crate::chains::selector) has it by name.
    pub fn new(chain_selector: u64) -> Self {
        Self { id: format!("evm:ChainSelector:{chain_selector}@1.0.0") }
    }

    /// The capability's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Calls a contract without a transaction.
    pub fn call_contract(
        &self,
        runtime: &Runtime,
        request: &CallContractRequest,
    ) -> Promise<CallContractReply> {
        runtime.call(&self.id, "CallContract", request)
    }

    /// Calls a contract by its interface, at the block that is final.
    ///
    /// ```
    /// use alloy_sol_types::sol;
    /// use cre::testing::ScriptedHost;
    /// use cre::{Error, Runtime, evm};
    ///
    /// sol! {
    ///     function totalSupply() external view returns (uint256);
    /// }
    /// const TOKEN: [u8; 20] = [7; 20];
    ///
    /// fn supply(runtime: &Runtime) -> Result<u64, Error> {
    ///     let supply = evm::Client::new(1).call(runtime, TOKEN, &totalSupplyCall {}).wait()?;
    ///     supply.try_into().map_err(Error::workflow)
    /// }
    ///
    /// let host = ScriptedHost::new()
    ///     .answer_call(1, TOKEN, |_: totalSupplyCall| Ok(alloy_primitives::U256::from(42)));
    /// assert_eq!(supply(&host.runtime()), Ok(42));
    /// ```
    #[cfg(feature = "abi")]
    pub fn call<C: alloy_sol_types::SolCall<Return: 'static>>(
        &self,
        runtime: &Runtime,
        to: [u8; 20],
        call: &C,
    ) -> Promise<C::Return> {
        self.call_contract(runtime, &CallContractRequest::new(to, call.abi_encode())).and_then(
            |reply| C::abi_decode_returns(&reply.data).map_err(|error| abi(C::SIGNATURE, &error)),
        )
    }

    /// Logs of a range of at most 100 blocks.
    pub fn filter_logs(
        &self,
        runtime: &Runtime,
        request: &FilterLogsRequest,
    ) -> Promise<FilterLogsReply> {
        runtime.call(&self.id, "FilterLogs", request)
    }

    /// An account's balance.
    pub fn balance_at(
        &self,
        runtime: &Runtime,
        request: &BalanceAtRequest,
    ) -> Promise<BalanceAtReply> {
        runtime.call(&self.id, "BalanceAt", request)
    }

    /// What a call would cost.
    pub fn estimate_gas(
        &self,
        runtime: &Runtime,
        request: &EstimateGasRequest,
    ) -> Promise<EstimateGasReply> {
        runtime.call(&self.id, "EstimateGas", request)
    }

    /// A transaction.
    pub fn get_transaction_by_hash(
        &self,
        runtime: &Runtime,
        request: &GetTransactionByHashRequest,
    ) -> Promise<GetTransactionByHashReply> {
        runtime.call(&self.id, "GetTransactionByHash", request)
    }

    /// What became of a transaction.
    pub fn get_transaction_receipt(
        &self,
        runtime: &Runtime,
        request: &GetTransactionReceiptRequest,
    ) -> Promise<GetTransactionReceiptReply> {
        runtime.call(&self.id, "GetTransactionReceipt", request)
    }

    /// A block's header.
    pub fn header_by_number(
        &self,
        runtime: &Runtime,
        request: &HeaderByNumberRequest,
    ) -> Promise<HeaderByNumberReply> {
        runtime.call(&self.id, "HeaderByNumber", request)
    }

    /// Has the chain's forwarder deliver a report to `receiver`. Without a gas limit the DON's own holds.
    ///
    /// That the transaction went through does not mean that the receiver took the report: see
    /// `receiver_contract_execution_status`.
    pub fn write_report(
        &self,
        runtime: &Runtime,
        receiver: [u8; 20],
        report: Report,
        gas_limit: Option<u64>,
    ) -> Promise<WriteReportReply> {
        let request = WriteReportRequest {
            receiver: receiver.to_vec(),
            report: Some(report.into_response()),
            gas_config: gas_limit.map(|gas_limit| GasConfig { gas_limit }),
        };
        runtime.call(&self.id, "WriteReport", &request)
    }

    /// Fires for each log that passes the filter.
    pub fn log_trigger(&self, filter: &FilterLogTriggerRequest) -> Trigger<Log> {
        Trigger::new(self.id.clone(), "LogTrigger", filter)
    }
}

impl CallContractRequest {
    /// A call from nobody, at the block that is final, unless [`at`](Self::at) says otherwise.
    pub fn new(to: [u8; 20], data: impl Into<Vec<u8>>) -> Self {
        Self {
            call: Some(CallMsg { from: vec![0; 20], to: to.to_vec(), data: data.into() }),
            block_number: Some(Block::Finalized.into()),
        }
    }

    /// At another block.
    pub fn at(mut self, block: Block) -> Self {
        self.block_number = Some(block.into());
        self
    }
}

#[cfg(feature = "abi")]
fn abi(signature: &'static str, error: &alloy_sol_types::Error) -> crate::Error {
    crate::Error::Abi { signature, text: error.to_string() }
}

#[cfg(feature = "abi")]
impl Log {
    /// The event it is.
    ///
    /// # Errors
    /// [`Error::Abi`](crate::Error::Abi): another event's topic, or data that does not decode.
    pub fn event<E: alloy_sol_types::SolEvent>(&self) -> Result<E, crate::Error> {
        let words = self.topics.iter().map(|topic| <[u8; 32]>::try_from(&topic[..]));
        let topics: Vec<[u8; 32]> = words.collect::<Result<_, _>>().map_err(|_| {
            let text = "a topic has not 32 bytes".to_owned();
            crate::Error::Abi { signature: E::SIGNATURE, text }
        })?;
        E::decode_raw_log(topics, &self.data).map_err(|error| abi(E::SIGNATURE, &error))
    }
}

impl FilterLogTriggerRequest {
    /// All logs of these contracts, at most 5, once their block is final.
    pub fn new(addresses: impl IntoIterator<Item = [u8; 20]>) -> Self {
        Self {
            addresses: addresses.into_iter().map(|address| address.to_vec()).collect(),
            topics: Vec::new(),
            confidence: ConfidenceLevel::Finalized as i32,
        }
    }

    /// With one of the values, at most 10, in the next topic; the first topic is the event's hash. No value: any.
    pub fn with_topic(mut self, values: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let values = values.into_iter().map(|value| value.to_vec()).collect();
        self.topics.push(TopicValues { values });
        self
    }

    /// All logs of one event, of these contracts.
    #[cfg(feature = "abi")]
    pub fn of_event<E: alloy_sol_types::SolEvent>(
        addresses: impl IntoIterator<Item = [u8; 20]>,
    ) -> Self {
        Self::new(addresses).with_topic([E::SIGNATURE_HASH.0])
    }

    /// As soon as the block is as certain as this.
    pub fn with_confidence(mut self, confidence: ConfidenceLevel) -> Self {
        self.confidence = confidence as i32;
        self
    }
}

/// A block: by number, or by how certain it is.
///
/// Source: go-ethereum's `rpc.BlockNumber`, whose negative numbers CRE's EVM capability takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// The last one that can't be undone.
    Finalized,
    /// The last one that will hardly be undone.
    Safe,
    /// The last one.
    Latest,
    /// This one.
    Number(u64),
}

impl From<Block> for BigInt {
    fn from(block: Block) -> Self {
        match block {
            Block::Finalized => Self::from(-3i128),
            Block::Safe => Self::from(-4i128),
            Block::Latest => Self::from(-2i128),
            Block::Number(number) => Self::from(number),
        }
    }
}
