//! A journal as it was found, before anything is done about it.

use evm::alloy::primitives::B256;
use primitives::{Bytes32, encode, keccak256, sha256};
use protocol::Disclosure;
use protocol::journal::{KIND, Opening, Record};
use store::{Error, Log, Opened, Storage};

/// What makes a run that run, whatever of it is on disk: `SHA-256("cdpr/run/v1" ‖ borsh of the arguments)`.
pub fn run_of(
    seed_commitment: Bytes32,
    workflow: &str,
    deployment: &str,
    disclosure: Disclosure,
    scenario: Bytes32,
) -> Bytes32 {
    let parts = (seed_commitment, workflow, deployment, disclosure, scenario);
    Bytes32(sha256(&[b"cdpr/run/v1", &encode(&parts)]))
}

fn is_of(opening: &Opening, run: Bytes32) -> bool {
    let Opening { seed_commitment, workflow, deployment, disclosure, scenario, .. } = opening;
    run_of(*seed_commitment, workflow, deployment, *disclosure, *scenario) == run
}

/// A journal, read. A transaction without the event it belongs to was being written when the plug was pulled, and is
/// not there.
#[derive(Debug)]
pub struct Journaled {
    pub(crate) log: Log,
    /// Each with where its frame begins, in bytes.
    pub(crate) records: Vec<(u64, Record)>,
}

impl Journaled {
    /// Reads the journal of a run ([`run_of`]), or one that is empty. Nothing is written.
    ///
    /// # Errors
    /// [`Error`], if it is damaged or another run's.
    pub fn open(storage: Box<dyn Storage>, run: Bytes32) -> Result<Self, Error> {
        let Opened { mut log, records: found, torn: _ } = Log::open(storage, &KIND)?;
        let mut records = Vec::with_capacity(found.len());
        for record in &found {
            let damaged = |reason| log.damaged(record.offset, reason);
            records.push((record.offset, Record::decode(&record.bytes).map_err(damaged)?));
        }
        match records.first() {
            None => {}
            Some((_, Record::Opening(opening))) if is_of(opening, run) => {}
            Some((offset, _)) => return Err(log.of_another_run(*offset)),
        }
        // Transactions before the first event are the setup's.
        let is_begun = records.iter().any(|(_, record)| matches!(record, Record::Happened { .. }));
        if is_begun && matches!(records.last(), Some((_, Record::Included(_)))) {
            records.pop();
            log.cut(&found[records.len()]);
        }
        Ok(Self { log, records })
    }

    /// Whether the run is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.records.last(), Some((_, Record::Closing { .. })))
    }

    /// Hashes of the transactions that it says are in blocks.
    pub fn transactions(&self) -> Vec<B256> {
        let included = self.records.iter().filter_map(|(_, record)| match record {
            Record::Included(transaction) => Some(B256::from(keccak256(&[&transaction.raw]))),
            Record::Opening(_) | Record::Happened { .. } | Record::Closing { .. } => None,
        });
        included.collect()
    }

    /// Events that it holds.
    pub(crate) fn n_events(&self) -> u64 {
        let is_event = |(_, record): &&(u64, Record)| matches!(record, Record::Happened { .. });
        self.records.iter().filter(is_event).count() as u64
    }
}
