//! The enclave's log: its sealed entries, and how far the journal had come when each was made durable.
//!
//! The enclave cannot tell a log that was cut from a shorter life, and would begin that life again without a word.
//! The journal can: before a node makes an event durable it notes its number here. A log that has not heard of the
//! journal's last event has lost entries, a journal that is more than one event behind has lost events.

use primitives::frames::Kind;
use primitives::{Bytes32, Decode, Encode, decode, encode};
use store::{Error, Log, Opened, Storage};

use crate::Journaled;

/// How the log begins, and what its frames are hashed under.
pub const KIND: Kind = Kind { magic: b"CDPRENC1", domain: "cdpr/enclave-log/v1" };

/// One record.
#[derive(Encode, Decode)]
enum Entry {
    /// What the log is of; always first.
    Run(Bytes32),
    /// What the enclave sealed.
    Sealed(Vec<u8>),
    /// The journal is about to hold so many events.
    Reached(u64),
}

/// The log, read.
#[derive(Debug)]
pub struct Kept {
    log: Log,
    run: Bytes32,
    sealed: Vec<Vec<u8>>,
    reached: u64,
}

impl Kept {
    /// Opens the log of a run, or one that is empty. Nothing is written yet.
    ///
    /// # Errors
    /// [`Error`], if it is damaged or another run's.
    pub fn open(storage: Box<dyn Storage>, run: Bytes32) -> Result<Self, Error> {
        let Opened { log, records, torn: _ } = Log::open(storage, &KIND)?;
        let mut kept = Self { log, run, sealed: Vec::new(), reached: 0 };
        for (index, record) in records.iter().enumerate() {
            let entry = decode(&record.bytes).map_err(|_| {
                kept.log.damaged(record.offset, "it is not an entry of this version")
            })?;
            match (index, entry) {
                (0, Entry::Run(found)) if found == run => {}
                (0, _) => return Err(kept.log.of_another_run(record.offset)),
                (_, Entry::Sealed(entry)) => kept.sealed.push(entry),
                (_, Entry::Reached(events)) => kept.reached = kept.reached.max(events),
                (_, Entry::Run(_)) => {
                    return Err(kept.log.damaged(record.offset, "the log begins again"));
                }
            }
        }
        Ok(kept)
    }

    /// Sealed entries, in order.
    pub(crate) fn sealed(&self) -> &[Vec<u8>] {
        &self.sealed
    }

    /// Checks that this log and a journal have come equally far.
    ///
    /// # Errors
    /// [`Error::Lost`], of the one that is behind.
    pub fn agrees_with(&self, journal: &Journaled) -> Result<(), Error> {
        let n_events = journal.n_events();
        if self.reached < n_events {
            return Err(self.log.lost(format!("event {n_events}, which the journal has")));
        }
        if self.reached > n_events + 1 {
            let what = format!("event {}, which the enclave's log has heard of", self.reached - 1);
            return Err(journal.log.lost(what));
        }
        Ok(())
    }

    /// Makes a sealed entry durable.
    ///
    /// # Errors
    /// [`Error::Medium`].
    pub(crate) fn keep(&mut self, sealed: Vec<u8>) -> Result<(), Error> {
        self.append(&Entry::Sealed(sealed))
    }

    /// Notes that the journal is about to hold so many events.
    ///
    /// # Errors
    /// [`Error::Medium`].
    pub(crate) fn reach(&mut self, n_events: u64) -> Result<(), Error> {
        if n_events <= self.reached {
            return Ok(());
        }
        self.append(&Entry::Reached(n_events))?;
        self.reached = n_events;
        Ok(())
    }

    fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let entry = encode(entry);
        if self.log.end() == 0 {
            self.log.append(&[encode(&Entry::Run(self.run)), entry])
        } else {
            self.log.append(&[entry])
        }
    }
}

#[cfg(test)]
mod tests {
    use primitives::Timestamp;
    use protocol::Event;
    use protocol::journal::Record;
    use store::MemoryStorage;

    use super::*;

    const RUN: Bytes32 = Bytes32([7; 32]);

    fn open(bytes: &[u8]) -> Result<Kept, Error> {
        Kept::open(Box::new(MemoryStorage::named("enclave", bytes.to_vec())), RUN)
    }

    /// Three events, the second of which the enclave sealed two entries for.
    fn sample() -> Vec<u8> {
        let storage = MemoryStorage::new();
        let mut kept = Kept::open(Box::new(storage.clone()), RUN).unwrap();
        kept.reach(1).unwrap();
        kept.keep(vec![1; 40]).unwrap();
        kept.keep(vec![2; 5]).unwrap();
        kept.reach(2).unwrap();
        kept.reach(2).unwrap();
        kept.reach(3).unwrap();
        storage.bytes()
    }

    /// A journal of so many ticks, in the place of a whole one.
    fn journal(n_events: u32) -> Journaled {
        let log = Log::open(Box::new(MemoryStorage::named("journal", Vec::new())), &KIND);
        let ticked =
            |tick| (8, Record::Happened { now: Timestamp(0), event: Event::Ticked { tick } });
        Journaled { log: log.unwrap().log, records: (1..=n_events).map(ticked).collect() }
    }

    #[test]
    fn entries_come_back() {
        let kept = open(&sample()).unwrap();
        assert_eq!(kept.sealed(), [vec![1; 40], vec![2; 5]]);
        assert_eq!(kept.reached, 3);
    }

    #[test]
    fn every_flipped_byte_is_damage_and_every_cut_shows_beside_the_journal() {
        let bytes = sample();
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 0x10;
            let error = open(&changed).unwrap_err();
            assert!(matches!(error, Error::Damaged { .. }), "byte {position}: {error:?}");
            let Error::Lost { file, offset, .. } =
                open(&bytes[..position]).unwrap().agrees_with(&journal(3)).unwrap_err()
            else {
                panic!("byte {position}");
            };
            assert!(file == "enclave" && offset <= position as u64, "{file} at byte {offset}");
        }
        open(&bytes).unwrap().agrees_with(&journal(3)).unwrap();
    }

    #[test]
    fn a_journal_may_be_one_event_behind_and_not_two() {
        let kept = open(&sample()).unwrap();
        kept.agrees_with(&journal(2)).unwrap();
        let error = kept.agrees_with(&journal(1)).unwrap_err();
        assert!(matches!(error, Error::Lost { file, .. } if file == "journal"));
    }

    #[test]
    fn another_runs_log_is_refused_by_name() {
        let storage = MemoryStorage::named("enclave", sample());
        let error = Kept::open(Box::new(storage), Bytes32([8; 32])).unwrap_err();
        assert!(matches!(error, Error::OtherRun { file, offset: 8 } if file == "enclave"));
    }
}
