//! The embedded chain as a node sees it, and as an auditor runs it again.

use std::sync::Arc;

use devchain::{Genesis, LocalChain};
use evm::alloy::eips::Encodable2718 as _;
use evm::alloy::primitives::{Address, B256, keccak256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::transports::{RpcError, TransportError};
use evm::{Call, Fees, RawTransaction, Wallet};
use node::audit::Replay;
use node::ports::{Chain, Failure, Outgoing};
use primitives::{Bytes32, Timestamp};
use protocol::journal::Included;
use store::Storage;

use crate::Error;

/// The genesis of a run's chain: its parties funded, its clock at the scenario's start.
pub(crate) fn genesis(
    chain_id: u64,
    start: Timestamp,
    funded: impl IntoIterator<Item = Address>,
) -> Genesis {
    let mut genesis = Genesis::development(start.0);
    genesis.chain_id = chain_id;
    genesis.fund(funded)
}

/// A chain in this process, with an event loop for asking it.
pub(crate) struct Devnet {
    pub(crate) chain: LocalChain,
    provider: DynProvider,
    runtime: tokio::runtime::Runtime,
}

impl Devnet {
    /// Opens a kept chain, or begins it.
    pub(crate) fn open(genesis: Genesis, kept: Box<dyn Storage>) -> Result<Self, Error> {
        Self::of(LocalChain::open(genesis, kept)?.0)
    }

    /// A chain that is forgotten when dropped.
    pub(crate) fn new(genesis: Genesis) -> Result<Self, Error> {
        Self::of(LocalChain::new(genesis))
    }

    fn of(chain: LocalChain) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(
            |source| Error::Store {
                what: "an event loop (epoll and eventfd, which a sandbox may refuse)",
                source,
            },
        )?;
        Ok(Self { provider: chain.connect(), chain, runtime })
    }

    /// Sends raw bytes in a block at `now`, or finds them already there.
    pub(crate) fn send(
        &self,
        now: Timestamp,
        raw: &[u8],
        what: &'static str,
    ) -> Result<(TransactionReceipt, Included), Error> {
        // A reopened chain may be ahead of the journal; what is included keeps its block's time.
        if self.chain.timestamp() <= now.0 {
            self.chain.set_next_timestamp(now.0)?;
        }
        let receipt = self
            .block_on(async |provider| evm::send(provider, raw).await)
            .map_err(|source| Error::Send { what, source })?;
        let included = Included {
            timestamp: now,
            raw: raw.to_vec(),
            success: receipt.status(),
            gas_used: receipt.gas_used,
        };
        Ok((receipt, included))
    }

    /// A chain of its own, on which the transactions up to one ran and no others.
    fn as_of(&self, genesis: Genesis, newest: &Included) -> Result<LocalChain, Failure> {
        let past = Self::new(genesis)?;
        let newest = keccak256(&newest.raw);
        for height in 1..=self.chain.height() {
            let (timestamp, raw) = self.block_on(async |provider| block(provider, height).await)?;
            past.send(Timestamp(timestamp), &raw, "a transaction of the past")?;
            if keccak256(&raw) == newest {
                break;
            }
        }
        Ok(past.chain)
    }

    /// When the newest block was made that holds a transaction of this account's; the genesis, if none does.
    pub(crate) fn last_sent(&self, account: Address) -> Result<Timestamp, TransportError> {
        self.block_on(async |provider| {
            for height in (1..=self.chain.height()).rev() {
                let found = provider.get_block_by_number(height.into()).full().await?;
                let block = found.ok_or(RpcError::NullResp)?;
                if block
                    .transactions
                    .txns()
                    .any(|transaction| transaction.inner.signer() == account)
                {
                    return Ok(Timestamp(block.header.timestamp));
                }
            }
            Ok(Timestamp::default())
        })
    }

    /// What is in the blocks after a transaction's.
    fn since(
        &self,
        after: Option<&Included>,
    ) -> Result<Vec<(TransactionReceipt, Included)>, Failure> {
        self.block_on(async |provider| {
            let known = match after {
                None => None,
                Some(after) => receipt(provider, keccak256(&after.raw)).await?.block_number,
            };
            let mut news = Vec::new();
            for height in known.unwrap_or_default() + 1..=self.chain.height() {
                let (timestamp, raw) = block(provider, height).await?;
                let receipt = receipt(provider, keccak256(&raw)).await?;
                let included = Included {
                    timestamp: Timestamp(timestamp),
                    raw,
                    success: receipt.status(),
                    gas_used: receipt.gas_used,
                };
                news.push((receipt, included));
            }
            Ok(news)
        })
    }

    /// Asks the chain.
    pub(crate) fn block_on<'a, T, F: Future<Output = T> + 'a>(
        &'a self,
        ask: impl FnOnce(&'a DynProvider) -> F,
    ) -> T {
        self.runtime.block_on(ask(&self.provider))
    }

    pub(crate) const fn provider(&self) -> &DynProvider {
        &self.provider
    }
}

async fn block(provider: &DynProvider, height: u64) -> Result<(u64, Vec<u8>), TransportError> {
    let found = provider.get_block_by_number(height.into()).full().await?;
    let block = found.ok_or(RpcError::NullResp)?;
    let transaction = block.transactions.txns().next().ok_or(RpcError::NullResp)?;
    Ok((block.header.timestamp, transaction.inner.encoded_2718()))
}

async fn receipt(provider: &DynProvider, hash: B256) -> Result<TransactionReceipt, TransportError> {
    provider.get_transaction_receipt(hash).await?.ok_or(RpcError::NullResp)
}

/// The transmitter's account on the embedded chain: free gas, and blocks that are final when they are made.
pub(crate) struct Transmitter {
    pub(crate) devnet: Arc<Devnet>,
    pub(crate) genesis: Genesis,
    pub(crate) wallet: Wallet,
    pub(crate) forwarder: Address,
}

impl Transmitter {
    /// The transaction that hands a report to the forwarder.
    pub(crate) fn sign(&self, nonce: u64, report: &Outgoing<'_>) -> RawTransaction {
        let Outgoing { receiver, report, gas_limit } = *report;
        let call = Call::new(self.forwarder, report.calldata(receiver), gas_limit);
        self.wallet.sign(nonce, Fees::default(), call)
    }

    /// Sends the account's next transaction.
    pub(crate) fn send_next(
        &self,
        now: Timestamp,
        report: &Outgoing<'_>,
    ) -> Result<TransactionReceipt, Failure> {
        let address = self.wallet.address();
        let nonce =
            self.devnet.block_on(async |provider| provider.get_transaction_count(address).await)?;
        let transaction = self.sign(nonce, report);
        Ok(self.devnet.send(now, &transaction.bytes, "a report")?.0)
    }
}

impl Chain for Transmitter {
    fn reads(&mut self, after: Option<&Included>) -> Result<DynProvider, Failure> {
        Ok(match after {
            None => self.devnet.provider().clone(),
            Some(newest) => self.devnet.as_of(self.genesis.clone(), newest)?.connect(),
        })
    }

    fn deliver(
        &mut self,
        now: Timestamp,
        number: u64,
        report: &Outgoing<'_>,
    ) -> Result<(TransactionReceipt, Included), Failure> {
        // Nonce 0 was the registration's.
        let transaction = self.sign(1 + number, report);
        Ok(self.devnet.send(now, &transaction.bytes, "a report")?)
    }

    fn since(
        &mut self,
        after: Option<&Included>,
    ) -> Result<Vec<(TransactionReceipt, Included)>, Failure> {
        self.devnet.since(after)
    }

    fn refusal(&mut self, receiver: Address, raw: &[u8]) -> Result<Vec<u8>, Failure> {
        let forwarder = self.forwarder;
        let reason = self.devnet.block_on(async |provider| {
            evm::report::refusal(provider, forwarder, receiver, raw).await
        })?;
        Ok(reason.unwrap_or_default().to_vec())
    }

    fn digest(&mut self) -> Result<Bytes32, Failure> {
        Ok(Bytes32(self.devnet.chain.digest().0))
    }
}

impl Replay for Devnet {
    fn run(&mut self, included: &Included) -> Result<TransactionReceipt, Failure> {
        self.chain.set_next_timestamp(included.timestamp.0)?;
        let raw = &included.raw;
        Ok(self.block_on(async |provider| evm::send(provider, raw).await)?)
    }

    fn digest(&mut self) -> Bytes32 {
        Bytes32(self.chain.digest().0)
    }
}
