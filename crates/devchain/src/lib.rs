//! An Ethereum chain inside the process: revm behind the JSON-RPC that wallets and libraries speak. A crate of
//! its own because nobody who talks to a chain needs revm; who carries one inside does.
//!
//! - [`LocalChain`] mines every transaction on arrival, one to a block, and never looks at a clock:
//!   the caller sets the time. The same transactions at the same times give the same block hashes.
//! - [`Genesis`] is what it starts from.
//! - [`Storage`] keeps its log; a reopened chain replays it.
//!
//! Departures from a real node, all for determinism: no mempool (a nonce gap is an error), a
//! constant base fee, no system contracts at the start of a block, and two blocks may carry the
//! same timestamp. `eth_call` at the latest block sees the chain's time rather than that block's,
//! because on a live chain the latest block is never far from now.

mod chain;
mod envelope;
mod log;
mod rpc;
mod state;
mod transport;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use evm::DEVELOPMENT_CHAIN_ID;
use evm::alloy::primitives::{Address, B256, Bytes, Log, U256};
use revm::primitives::hardfork::SpecId;
use store::{Storage, TornTail};

pub use log::KIND as LOG;
pub use rpc::RpcError;
pub use transport::LocalTransport;

use chain::Chain;

/// What a chain starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Of the genesis block, Unix seconds.
    pub timestamp: u64,
    /// Of every block, wei per gas. Not zero by default, so that an account without funds fails
    /// here as it would elsewhere.
    pub base_fee_wei: u64,
    /// Of every block, gas.
    pub gas_limit: u64,
    /// Balances, wei.
    pub accounts: BTreeMap<Address, U256>,
    /// What the chain is of: a log that was kept for something else is refused, though its blocks would be as good.
    pub run: B256,
}

impl Genesis {
    /// A development chain that begins at `timestamp` (Unix seconds) with nobody funded.
    #[must_use]
    pub const fn development(timestamp: u64) -> Self {
        Self {
            chain_id: DEVELOPMENT_CHAIN_ID,
            timestamp,
            base_fee_wei: 1_000_000_000,
            gas_limit: 60_000_000,
            accounts: BTreeMap::new(),
            run: B256::ZERO,
        }
    }

    /// Gives each of `accounts` 10,000 ether, as development nodes do.
    #[must_use]
    pub fn fund(mut self, accounts: impl IntoIterator<Item = Address>) -> Self {
        let balance = U256::from(10_000) * U256::from(10).pow(U256::from(18));
        self.accounts.extend(accounts.into_iter().map(|address| (address, balance)));
        self
    }
}

/// Why a block cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// The bytes are not a signed transaction.
    #[error("the transaction is malformed: {reason}")]
    Malformed {
        /// What does not decode.
        reason: String,
    },
    /// EIP-4844 transactions are not carried.
    #[error("blob transactions are not supported by the in-process chain")]
    Blobs,
    /// No block can hold the transaction in the present state.
    #[error("the transaction is invalid: {reason}")]
    Invalid {
        /// As the EVM words it.
        reason: String,
    },
    /// The log refused the block, so there is none.
    #[error("the block could not be kept")]
    NotKept {
        /// Why.
        #[source]
        source: store::Error,
    },
}

/// Why a record of a kept chain cannot be gone through again: the source of a [`store::Error::Unreplayed`].
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log begins twice.
    #[error("the chain's log begins again before block {height}")]
    SecondGenesis {
        /// Number of the next block.
        height: u64,
    },
    /// A logged block is refused now.
    #[error("block {height} of the chain's log no longer executes")]
    Refused {
        /// Number of the block.
        height: u64,
        /// Why.
        #[source]
        source: Rejected,
    },
    /// A logged block has another hash now: the EVM, or the build, changed.
    #[error("block {height} of the chain's log replays to {found}, not to {expected}")]
    Diverged {
        /// Number of the block.
        height: u64,
        /// Logged hash.
        expected: B256,
        /// Hash on replay.
        found: B256,
    },
    /// The log goes back to a block it has not reached.
    #[error("the chain's log goes back to a block beyond block {height}")]
    RevertsAhead {
        /// Number of the next block.
        height: u64,
    },
}

/// The time was asked to run backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timestamp {asked} is before the chain's time {now}")]
pub struct TimeError {
    /// Unix seconds.
    pub asked: u64,
    /// Unix seconds.
    pub now: u64,
}

/// Whose gas prices a transaction is priced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The chain's own: Osaka, the mainnet's since December 2025.
    Osaka,
    /// The announced next ones, as far as revm has them: Amsterdam, the execution half of Glamsterdam. State that is
    /// created costs 1,530 gas a byte (EIP-8037: 97,920 a storage slot), calldata has a higher floor (EIP-7976).
    Amsterdam,
}

/// What a transaction would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    /// Whether it would succeed.
    pub success: bool,
    /// Gas, all of it: intrinsic, calldata, execution, less refunds.
    pub gas_used: u64,
    /// What it would log, in order; nothing if it failed.
    pub logs: Vec<Log>,
}

/// A handle on the chain; clones share it.
#[derive(Clone)]
pub struct LocalChain {
    shared: Arc<Mutex<Shared>>,
}

impl fmt::Debug for LocalChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalChain({} at block {})", self.chain_id(), self.height())
    }
}

#[derive(Debug)]
struct Shared {
    chain: Chain,
    filters: rpc::Filters,
}

impl LocalChain {
    /// A chain that is forgotten when dropped.
    #[must_use]
    pub fn new(genesis: Genesis) -> Self {
        Self::of(Chain::new(genesis))
    }

    /// A chain that keeps itself in `storage`: new if that is empty, else replayed to where it was.
    /// Each block is durable before anyone sees it. Snapshots are not kept.
    ///
    /// The time of a reopened chain is that of its last block, the tail a crash left unfinished is
    /// reported, and cut off by the next block.
    ///
    /// # Errors
    /// [`store::Error`] if the log is damaged, belongs to another genesis or replays to other blocks
    /// ([`ReplayError`]), with its name and the byte.
    pub fn open(
        genesis: Genesis,
        storage: impl Storage + 'static,
    ) -> Result<(Self, Option<TornTail>), store::Error> {
        let (chain, torn) = Chain::open(genesis, Box::new(storage))?;
        Ok((Self::of(chain), torn))
    }

    /// Executes a signed transaction on the present state by these rules, and keeps nothing. Its block has room for any
    /// gas limit; everything else is as if it were sent.
    ///
    /// # Errors
    /// [`Rejected`] if no block could hold it.
    pub fn price(&self, raw: &Bytes, rules: Rules) -> Result<Priced, Rejected> {
        let rules = match rules {
            Rules::Osaka => chain::HARDFORK,
            Rules::Amsterdam => SpecId::AMSTERDAM,
        };
        let result = self.lock().chain.price(raw, rules)?;
        let (success, gas_used) = (result.is_success(), result.tx_gas_used());
        Ok(Priced { success, gas_used, logs: result.into_logs() })
    }

    /// Checks that every one of `transactions` is in a block.
    ///
    /// # Errors
    /// [`store::Error::Lost`] if one is not, as `witness` says it was: the log was cut, or is missing.
    pub fn expect(&self, transactions: &[B256], witness: &str) -> Result<(), store::Error> {
        self.lock().chain.expect(transactions, witness)
    }

    /// Sets the time, in Unix seconds, of the next block and all after it until set again.
    ///
    /// # Errors
    /// If that is before the time the chain has reached.
    pub fn set_next_timestamp(&self, timestamp: u64) -> Result<(), TimeError> {
        let now = &mut self.lock().chain.time;
        if timestamp < *now {
            return Err(TimeError { asked: timestamp, now: *now });
        }
        *now = timestamp;
        Ok(())
    }

    /// The time, in Unix seconds, that the next block will carry.
    #[must_use]
    pub fn timestamp(&self) -> u64 {
        self.lock().chain.time
    }

    /// EIP-155 chain id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.lock().chain.genesis.chain_id
    }

    /// Number of the last block; genesis is 0.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.lock().chain.tip().header.number
    }

    /// Hash of the last block. It commits to the whole state and history.
    #[must_use]
    pub fn tip(&self) -> B256 {
        self.lock().chain.tip().hash
    }

    /// Root of the state trie after the last block.
    #[must_use]
    pub fn state_root(&self) -> B256 {
        self.lock().chain.tip().header.state_root
    }

    /// A hash over what the blocks did, for comparing replays: it begins as the genesis hash and
    /// takes in each block's timestamp and its transaction's hash, success, gas used and logs.
    #[must_use]
    pub fn digest(&self) -> B256 {
        self.lock().chain.tip().digest
    }

    fn of(chain: Chain) -> Self {
        Self { shared: Arc::new(Mutex::new(Shared { chain, filters: rpc::Filters::default() })) }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("a panic inside the chain is a bug that ends the run")
    }
}
