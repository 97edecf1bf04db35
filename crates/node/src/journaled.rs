//! A journal as it was found, before anything is done about it.

use evm::alloy::primitives::B256;
use primitives::{Bytes32, Timestamp, encode, keccak256, sha256};
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
    /// The hash over every record up to each event.
    pub(crate) heads: Vec<Bytes32>,
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
        let is_begun = records.iter().any(|(_, record)| is_event(record));
        let after = found.iter().skip(1).map(store::Record::head_before).chain([log.head()]);
        let events = records.iter().zip(after).filter(|((_, record), _)| is_event(record));
        let heads = events.map(|(_, head)| head).collect();
        if is_begun && matches!(records.last(), Some((_, Record::Included(_)))) {
            records.pop();
            log.cut(&found[records.len()]);
        }
        Ok(Self { log, records, heads })
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
    pub(crate) const fn n_events(&self) -> u64 {
        self.heads.len() as u64
    }

    /// Its head after so many events; `None` for none of them, and for more than it holds.
    pub(crate) fn head_at(&self, n_events: u64) -> Option<Bytes32> {
        self.heads.get(usize::try_from(n_events).ok()?.checked_sub(1)?).copied()
    }

    /// Checks that its node has not gone on without this journal. A tick is in the journal before anything is sent in
    /// it, so the newest block with a transaction of the node's, in Unix seconds, is of a run that started at `started`
    /// or of a tick that is here. What others send in the meantime says nothing.
    ///
    /// # Errors
    /// [`Error::Lost`], of this journal.
    pub fn keeps_up_with(&self, newest_sent: Timestamp, started: Timestamp) -> Result<(), Error> {
        let now = self.records.iter().rev().find_map(|(_, record)| match record {
            Record::Happened { now, .. } => Some(*now),
            Record::Opening(_) | Record::Included(_) | Record::Closing { .. } => None,
        });
        if newest_sent > now.unwrap_or(started) {
            let at = newest_sent.0;
            return Err(self.log.lost(format!("second {at}, of which the chain has a report")));
        }
        Ok(())
    }
}

const fn is_event(record: &Record) -> bool {
    matches!(record, Record::Happened { .. })
}
