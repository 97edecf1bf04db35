//! The enclave's log: its sealed entries, and how far the journal had come when each was made durable.
//!
//! The enclave cannot tell a log that was cut from a shorter life, and would begin that life again without a word.
//! The journal can: before a node makes an event durable it notes its number here, and the journal's head. A log that
//! has not heard of the journal's last event has lost entries, a journal that is more than one event behind has lost
//! events, and where the heads differ they are of two runs, even if these had the same arguments.

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
    /// The journal is about to hold so many events, and its head before that.
    Reached(u64, Bytes32),
}

/// What the enclave made of a sealed entry.
#[derive(Debug, thiserror::Error)]
#[error(
    "the enclave does not open it as its next entry: an enclave of another measurement sealed it, or elsewhere"
)]
struct NotRestored;

/// The log, read.
#[derive(Debug)]
pub struct Kept {
    log: Log,
    run: Bytes32,
    /// Each with where its frame begins, in bytes.
    sealed: Vec<(u64, Vec<u8>)>,
    reached: Reached,
}

/// How far the journal had come.
#[derive(Debug, Default, Clone, Copy)]
struct Reached {
    /// So many events, of which the last may not be durable.
    n_events: u64,
    /// Its head before the last of them.
    head: Bytes32,
    /// Where the frame that says so begins, in bytes.
    offset: u64,
}

impl Kept {
    /// Opens the log of a run, or one that is empty. Nothing is written yet.
    ///
    /// # Errors
    /// [`Error`], if it is damaged or another run's.
    pub fn open(storage: Box<dyn Storage>, run: Bytes32) -> Result<Self, Error> {
        let Opened { log, records, torn: _ } = Log::open(storage, &KIND)?;
        let mut kept = Self { log, run, sealed: Vec::new(), reached: Reached::default() };
        for (index, record) in records.iter().enumerate() {
            let entry = decode(&record.bytes).map_err(|_| {
                kept.log.damaged(record.offset, "it is not an entry of this version")
            })?;
            match (index, entry) {
                (0, Entry::Run(found)) if found == run => {}
                (0, _) => return Err(kept.log.of_another_run(record.offset)),
                (_, Entry::Sealed(entry)) => kept.sealed.push((record.offset, entry)),
                (_, Entry::Reached(n_events, head)) => {
                    kept.reached = Reached { n_events, head, offset: record.offset };
                }
                (_, Entry::Run(_)) => {
                    return Err(kept.log.damaged(record.offset, "the log begins again"));
                }
            }
        }
        Ok(kept)
    }

    /// Sealed entries, in order.
    pub(crate) fn sealed(&self) -> Vec<Vec<u8>> {
        self.sealed.iter().map(|(_, entry)| entry.clone()).collect()
    }

    /// That the enclave cannot be restored from an entry, by its number from 0.
    pub(crate) fn not_restored(&self, entry: u64) -> Error {
        let entry = usize::try_from(entry).ok().and_then(|index| self.sealed.get(index));
        self.log.unreplayed(entry.map_or(self.log.end(), |(offset, _)| *offset), NotRestored)
    }

    /// Checks that this log and a journal are of one life, and have come equally far.
    ///
    /// # Errors
    /// [`Error::Lost`], of the one that is behind; [`Error::OtherRun`] where they tell two lives.
    pub fn agrees_with(&self, journal: &Journaled) -> Result<(), Error> {
        let (found, n_events) = (journal.n_events(), self.reached.n_events);
        if n_events < found {
            return Err(self.log.lost(format!("event {found}, which the journal has")));
        }
        if n_events > found + 1 {
            let what = format!("event {}, which the enclave's log has heard of", n_events - 1);
            return Err(journal.log.lost(what));
        }
        // Before the first event a journal may not even hold its setup, which is compared elsewhere.
        if n_events > 1 && journal.head_at(n_events - 1) != Some(self.reached.head) {
            return Err(self.log.of_another_run(self.reached.offset));
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

    /// Notes that the journal, of this head, is about to hold so many events.
    ///
    /// # Errors
    /// [`Error::Medium`].
    pub(crate) fn reach(&mut self, n_events: u64, head: Bytes32) -> Result<(), Error> {
        if n_events <= self.reached.n_events {
            return Ok(());
        }
        let offset = self.log.end();
        self.append(&Entry::Reached(n_events, head))?;
        self.reached = Reached { n_events, head, offset };
        Ok(())
    }

    fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let entry = encode(entry);
        if self.log.is_empty() {
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
        kept.reach(1, head(0)).unwrap();
        kept.keep(vec![1; 40]).unwrap();
        kept.keep(vec![2; 5]).unwrap();
        kept.reach(2, head(1)).unwrap();
        kept.reach(2, head(1)).unwrap();
        kept.reach(3, head(2)).unwrap();
        storage.bytes()
    }

    /// The journal's head after so many events.
    fn head(n_events: u8) -> Bytes32 {
        Bytes32([n_events; 32])
    }

    /// A journal of so many ticks, in the place of a whole one.
    fn journal(n_events: u8) -> Journaled {
        let log = Log::open(Box::new(MemoryStorage::named("journal", Vec::new())), &KIND);
        let ticked = |tick: u8| {
            let event = Event::Ticked { tick: tick.into() };
            (8, Record::Happened { now: Timestamp(0), event })
        };
        let heads = (1..=n_events).map(head).collect();
        Journaled { log: log.unwrap().log, records: (1..=n_events).map(ticked).collect(), heads }
    }

    #[test]
    fn entries_come_back() {
        let kept = open(&sample()).unwrap();
        assert_eq!(kept.sealed(), [vec![1; 40], vec![2; 5]]);
        assert_eq!((kept.reached.n_events, kept.reached.head), (3, head(2)));
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
    fn a_log_that_heard_another_journal_of_the_same_arguments_is_refused_at_its_byte() {
        let kept = open(&sample()).unwrap();
        for n_events in [2, 3] {
            let mut other = journal(n_events);
            other.heads[1] = head(9);
            let error = kept.agrees_with(&other).unwrap_err();
            assert!(
                matches!(&error, Error::OtherRun { file, offset }
                if file == "enclave" && *offset == kept.reached.offset),
                "{error:?}"
            );
        }
    }

    #[test]
    fn an_entry_that_the_enclave_does_not_open_is_named_with_its_byte() {
        let kept = open(&sample()).unwrap();
        let error = kept.not_restored(1);
        let offset = kept.sealed[1].0;
        assert!(
            matches!(&error, Error::Unreplayed { file, offset: at, .. }
            if file == "enclave" && *at == offset),
            "{error:?}"
        );
        // Whatever number the other side of a socket says.
        assert!(matches!(kept.not_restored(u64::MAX), Error::Unreplayed { .. }));
    }

    #[test]
    fn a_log_that_was_cut_behind_its_kind_begins_again_with_the_run() {
        let storage = MemoryStorage::named("enclave", sample()[..8].to_vec());
        let mut kept = Kept::open(Box::new(storage.clone()), RUN).unwrap();
        kept.keep(vec![1; 40]).unwrap();
        assert_eq!(open(&storage.bytes()).unwrap().sealed(), [vec![1; 40]]);
    }

    #[test]
    fn another_runs_log_is_refused_by_name() {
        let storage = MemoryStorage::named("enclave", sample());
        let error = Kept::open(Box::new(storage), Bytes32([8; 32])).unwrap_err();
        assert!(matches!(error, Error::OtherRun { file, offset: 8 } if file == "enclave"));
    }
}
