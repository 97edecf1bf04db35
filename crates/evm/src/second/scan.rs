//! Logs of contracts over JSON-RPC, block range by block range, to be gone on with where it stopped: all that is kept
//! is the number of the next block.

use alloy::primitives::Address;
use alloy::providers::Provider;
use alloy::rpc::types::{Filter, Log};
use alloy::transports::TransportError;
use pool::second::wallet::Cursor;

use super::deploy::Deployment;
use super::log::{LogError, cursor};

/// Blocks that are asked for at once, to begin with: what public nodes allow at least, mostly. A node that refuses is
/// asked for half as many.
pub const SPAN: u64 = 1_000;

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The node does not say how far its chain goes.
    #[error("the node does not say its newest block")]
    Head(#[source] TransportError),
    /// Logs are wanted of blocks that the node does not have: it would answer with none.
    #[error(
        "block {until} is wanted, the node's newest is {head}; hint: wait for it, or another node"
    )]
    Ahead {
        /// The last block that is wanted.
        until: u64,
        /// The node's newest.
        head: u64,
    },
    /// The node refuses, a single block at last.
    #[error("the node gives no logs of blocks {from} to {to}")]
    Refused {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
        /// Its words.
        #[source]
        source: TransportError,
    },
    /// A log of what was not asked for, or of a block that was taken back.
    #[error(
        "the node answers blocks {from} to {to} with a log of {address} at {}.{}, {what}; hint: another node",
        at.block, at.log
    )]
    Wrong {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
        /// Who logged it.
        address: Address,
        /// Where it says it is.
        at: Cursor,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A log that is in no block.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// How far the logs of some contracts have been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    addresses: Vec<Address>,
    next: u64,
    span: u64,
}

impl Scan {
    /// From a block on: that of the pool's creation or any before, or where an earlier scan stopped.
    #[must_use]
    pub fn new(addresses: Vec<Address>, from: u64) -> Self {
        Self { addresses, next: from, span: SPAN }
    }

    /// Of everything that facts are made of.
    #[must_use]
    pub fn of(deployment: &Deployment, from: u64) -> Self {
        let Deployment { pool, dark_pool, por, guard, .. } = *deployment;
        Self::new(vec![pool, dark_pool, por, guard], from)
    }

    /// The first block that was not read: what is to be kept, once what was read before it is.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// Whether the block was read.
    #[must_use]
    pub const fn has_read(&self, block: u64) -> bool {
        self.next > block
    }

    /// Reads on, to the block `until` at most: to be called until [`Self::has_read`] it. `until` has to be a block that
    /// the caller takes for final: what was read is not looked at again. Logs are in their order, each once.
    ///
    /// # Errors
    /// [`ScanError`]; then nothing counts as read that did not before.
    pub async fn advance(
        &mut self,
        provider: &impl Provider,
        until: u64,
    ) -> Result<Vec<Log>, ScanError> {
        if self.has_read(until) {
            return Ok(Vec::new());
        }
        let head = provider.get_block_number().await.map_err(ScanError::Head)?;
        if until > head {
            return Err(ScanError::Ahead { until, head });
        }
        let from = self.next;
        loop {
            let to = until.min(from.saturating_add(self.span - 1));
            let filter =
                Filter::new().address(self.addresses.clone()).from_block(from).to_block(to);
            match provider.get_logs(&filter).await {
                Ok(logs) => {
                    let logs = self.checked(logs, from, to)?;
                    self.next = to + 1;
                    return Ok(logs);
                }
                // Each node has another limit and other words for it.
                Err(source) if source.is_error_resp() && to > from => {
                    self.span = (to - from).div_ceil(2).max(1);
                }
                Err(source) => return Err(ScanError::Refused { from, to, source }),
            }
        }
    }

    fn checked(&self, logs: Vec<Log>, from: u64, to: u64) -> Result<Vec<Log>, ScanError> {
        let mut placed = logs
            .into_iter()
            .map(|log| Ok((cursor(&log)?, log)))
            .collect::<Result<Vec<_>, LogError>>()?;
        placed.sort_by_key(|(at, _)| *at);
        let mut before = None;
        for (at, log) in &placed {
            let what = if !(from..=to).contains(&at.block) {
                "another block"
            } else if !self.addresses.contains(&log.address()) {
                "another contract"
            } else if log.removed {
                "of a block that was taken back"
            } else if before == Some(*at) {
                "twice"
            } else {
                before = Some(*at);
                continue;
            };
            let address = log.address();
            return Err(ScanError::Wrong { from, to, address, at: *at, what });
        }
        Ok(placed.into_iter().map(|(_, log)| log).collect())
    }
}

#[cfg(test)]
mod tests;
