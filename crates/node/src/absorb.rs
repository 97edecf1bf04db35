//! Absorption: what waits in the pool's queue enters the entry tree. Anyone may have it done and nobody chooses
//! anything, so a node does it by itself, from the pool's logs alone: without it no deposit is ever filled or spent.

use circuits::keys::{self, Keys};
use circuits::second::absorb::{HEIGHT, Violation, Witness};
use circuits::second::prove::{self, Prover, Published as _};
use evm::alloy::primitives::Address;
use evm::alloy::providers::Provider;
use evm::second::abi::ShieldedPool::absorbCall;
use evm::second::log::{self, LogError};
use evm::second::scan::{Scan, ScanError};
use evm::second::{Proven, call};
use pool::Fr;
use pool::second::wallet::{TreeError, Trees};

/// Leaves of an absorption.
pub const LEAVES: usize = 1 << (2 * HEIGHT);

/// Why nothing is absorbed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The logs cannot be had.
    #[error("the pool's logs cannot be read")]
    Scan(#[from] ScanError),
    /// They are not a pool's.
    #[error("the pool's logs are refused")]
    Log(#[from] LogError),
    /// They contradict one another: a node left something out. Begin again, with another.
    #[error("the pool's logs do not make its trees")]
    Trees(#[from] TreeError),
    /// There is no proof: a bug of ours, or broken keys.
    #[error("no proof of the absorption")]
    Proof(#[from] prove::Error<Violation>),
}

/// Follows a pool, and proves what is to enter its tree next.
pub struct Absorber {
    pool: Address,
    scan: Scan,
    trees: Trees,
    prover: Prover<Witness>,
}

impl core::fmt::Debug for Absorber {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Absorber").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl Absorber {
    /// Of a pool that was made in the block `from` or later, with the keys of `absorb` that its verifier has.
    ///
    /// # Errors
    /// [`keys::Error::Circuit`] if they are another circuit's.
    pub fn new(pool: Address, from: u64, keys: Keys) -> Result<Self, keys::Error> {
        let prover = Prover::new(keys)?;
        Ok(Self { pool, scan: Scan::new(vec![pool], from), trees: Trees::default(), prover })
    }

    /// Reads the pool's logs up to and including the block `until`, which the caller takes for final.
    ///
    /// # Errors
    /// [`Error`]. After [`Error::Scan`] it may be called again; after any other it has to begin anew.
    pub async fn follow(&mut self, provider: &impl Provider, until: u64) -> Result<(), Error> {
        while !self.scan.has_read(until) {
            for log in self.scan.advance(provider, until).await? {
                if let Some(event) = log::event(&log, self.pool)? {
                    self.trees.apply(&event)?;
                }
            }
        }
        Ok(())
    }

    /// The pool's trees and queue, as far as they were read: what wallets and enclaves ask for.
    #[must_use]
    pub const fn trees(&self) -> &Trees {
        &self.trees
    }

    /// The call that has the next leaves enter, [`LEAVES`] at most; `None` if none wait or the tree is full. Whoever
    /// absorbs in between makes it fail with `QueueMoved`: then read on and ask again. Takes as long as a proof.
    ///
    /// # Errors
    /// [`Error::Proof`].
    pub fn next(&self) -> Result<Option<absorbCall>, Error> {
        let (position, waiting) = self.trees.waiting();
        let count = waiting.len().min(LEAVES);
        let entry = self.trees.entry();
        let index = entry.len().next_multiple_of(LEAVES as u64);
        if count == 0 || index >> (2 * entry.depth()) != 0 {
            return Ok(None);
        }
        let mut leaves = waiting[..count].to_vec();
        leaves.resize(LEAVES, Fr::from(0));
        let witness = Witness { leaves, path: entry.path(index, HEIGHT) };
        // Everything in the witness is public, so that blinding hides nothing.
        let (statement, proof) = self.prover.prove(&witness, [0; 32])?;
        let proven = Proven { proof: proof.to_words(), posted: statement.posted() };
        Ok(Some(call::absorb(position, count as u64, &proven)))
    }
}
