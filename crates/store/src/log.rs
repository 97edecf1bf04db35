//! Framed records on a medium, as [`primitives::frames`] lays them out.

use std::io;

use primitives::Bytes32;
use primitives::frames::{self, Flaw, Kind, Writer};

use crate::{Error, Storage};

/// A log on its medium. Opening reads and changes nothing: a torn tail is cut off by the first append, so that
/// whoever refuses what the log says leaves it as it was.
#[derive(Debug)]
pub struct Log {
    storage: Box<dyn Storage>,
    kind: &'static Kind,
    writer: Writer,
    /// Bytes of the kind and of whole frames; 0 if there is nothing yet.
    end: u64,
    /// Bytes on the medium.
    medium_len: u64,
    /// Set when a failed append could not be taken back: what the medium holds is unknown.
    is_broken: bool,
}

/// A log as it was found.
#[derive(Debug)]
pub struct Opened {
    /// Positioned to append after its last whole record.
    pub log: Log,
    /// Its whole records, in order.
    pub records: Vec<Record>,
    /// What an interrupted writer left after them.
    pub torn: Option<TornTail>,
}

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where its frame begins, in bytes.
    pub offset: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    before: Writer,
}

impl Record {
    /// The hash over every record before it.
    #[must_use]
    pub const fn head_before(&self) -> Bytes32 {
        self.before.head()
    }
}

/// The unfinished end of a log, left by a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Where the last whole frame ended, in bytes.
    pub offset: u64,
    /// How many bytes follow it.
    pub len: u64,
}

impl Log {
    /// Reads every record of a log; one that is empty is new.
    ///
    /// # Errors
    /// [`Error::Medium`], or [`Error::Damaged`] where a byte is not as it was written.
    pub fn open(mut storage: Box<dyn Storage>, kind: &'static Kind) -> Result<Opened, Error> {
        let bytes = storage.read().map_err(|source| failed(storage.as_ref(), "read", source))?;
        let (read, flaw) = frames::read(kind, &bytes);
        let (end, medium_len) = (read.end as u64, bytes.len() as u64);
        let log = Self { storage, kind, writer: read.writer, end, medium_len, is_broken: false };
        let torn = match flaw {
            None => None,
            Some(Flaw::Torn { offset, len, .. }) => {
                Some(TornTail { offset: offset as u64, len: len as u64 })
            }
            Some(Flaw::Damaged { offset, reason, .. }) => {
                return Err(log.damaged(offset as u64, reason));
            }
        };
        let records = read.frames.iter().map(|frame| Record {
            offset: frame.offset as u64,
            bytes: frame.record.to_vec(),
            before: frame.before,
        });
        Ok(Opened { records: records.collect(), log, torn })
    }

    /// Appends durably, in one write, or leaves the log as it was.
    ///
    /// # Errors
    /// [`Error::Medium`].
    pub fn append<R: AsRef<[u8]>>(&mut self, records: &[R]) -> Result<(), Error> {
        let mut writer = self.writer;
        let mut bytes = if self.end == 0 { self.kind.magic.to_vec() } else { Vec::new() };
        bytes.extend(records.iter().flat_map(|record| writer.append(record.as_ref())));
        self.write(&bytes)
            .map_err(|source| failed(self.storage.as_ref(), "appended to", source))?;
        self.writer = writer;
        self.end = self.medium_len;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("an earlier append failed and could not be undone"));
        }
        if self.medium_len > self.end {
            self.storage.truncate(self.end)?;
            self.medium_len = self.end;
        }
        if let Err(source) = self.storage.append(bytes).and_then(|()| self.storage.sync()) {
            self.is_broken = self.storage.truncate(self.end).is_err();
            return Err(source);
        }
        self.medium_len += bytes.len() as u64;
        Ok(())
    }

    /// Forgets a record and all after it. They leave the medium with the next append.
    pub const fn cut(&mut self, record: &Record) {
        self.writer = record.before;
        self.end = record.offset;
    }

    /// The hash over every record.
    #[must_use]
    pub const fn head(&self) -> Bytes32 {
        self.writer.head()
    }

    /// Whether it has no record. Its kind may be there: a crash between the two leaves that.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end <= self.kind.magic.len() as u64
    }

    /// Where its last record ends, in bytes.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// That the record at a byte is not what such a log holds.
    #[must_use]
    pub fn damaged(&self, offset: u64, reason: &'static str) -> Error {
        Error::Damaged { file: self.storage.name().to_owned(), offset, reason }
    }

    /// That the record at a byte is another run's.
    #[must_use]
    pub fn of_another_run(&self, offset: u64) -> Error {
        Error::OtherRun { file: self.storage.name().to_owned(), offset }
    }

    /// That the record at a byte is whole, and cannot be gone through again.
    #[must_use]
    pub fn unreplayed(
        &self,
        offset: u64,
        source: impl Into<Box<dyn core::error::Error + Send + Sync>>,
    ) -> Error {
        let file = self.storage.name().to_owned();
        Error::Unreplayed { file, offset, source: source.into() }
    }

    /// That the log stops before something it has held.
    #[must_use]
    pub fn lost(&self, what: impl Into<String>) -> Error {
        Error::Lost { file: self.storage.name().to_owned(), offset: self.end, what: what.into() }
    }
}

fn failed(storage: &dyn Storage, action: &'static str, source: io::Error) -> Error {
    Error::Medium { file: storage.name().to_owned(), action, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStorage;

    const KIND: Kind = Kind { magic: b"CDPRTST1", domain: "cdpr/test/v1" };

    fn open(storage: &MemoryStorage) -> Result<Opened, Error> {
        Log::open(Box::new(storage.clone()), &KIND)
    }

    fn bytes(opened: &Opened) -> Vec<&[u8]> {
        opened.records.iter().map(|record| record.bytes.as_slice()).collect()
    }

    /// Two appends, of one record and of two.
    fn sample() -> MemoryStorage {
        let storage = MemoryStorage::named("log", Vec::new());
        let mut log = open(&storage).unwrap().log;
        log.append(&[b"one"]).unwrap();
        log.append(&[&b"two"[..], b"three"]).unwrap();
        storage
    }

    #[test]
    fn an_append_is_durable_when_it_returns_and_opening_writes_nothing() {
        let storage = sample();
        storage.crash(0);
        let opened = open(&storage).unwrap();
        assert_eq!(bytes(&opened), [&b"one"[..], b"two", b"three"]);
        assert_eq!((opened.log.end(), opened.torn), (storage.bytes().len() as u64, None));
        let empty = MemoryStorage::new();
        assert_eq!(open(&empty).unwrap().log.end(), 0);
        assert!(empty.bytes().is_empty());
    }

    #[test]
    fn a_torn_tail_stays_until_the_next_append() {
        let whole = sample().bytes();
        let end = open(&sample()).unwrap().records[2].offset;
        for len in end + 1..whole.len() as u64 {
            let torn = whole[..usize::try_from(len).unwrap()].to_vec();
            let storage = MemoryStorage::from(torn.clone());
            let mut opened = open(&storage).unwrap();
            assert_eq!(bytes(&opened), [&b"one"[..], b"two"]);
            assert_eq!(opened.torn, Some(TornTail { offset: end, len: len - end }));
            assert_eq!(storage.bytes(), torn);
            opened.log.append(&[b"three"]).unwrap();
            assert_eq!(storage.bytes(), whole);
        }
    }

    #[test]
    fn a_cut_record_leaves_with_the_next_append() {
        let storage = sample();
        let Opened { mut log, records, .. } = open(&storage).unwrap();
        log.cut(&records[1]);
        assert_eq!(storage.bytes().len() as u64, open(&storage).unwrap().log.end());
        log.append(&[b"four"]).unwrap();
        assert_eq!(bytes(&open(&storage).unwrap()), [&b"one"[..], b"four"]);
    }

    #[test]
    fn what_cannot_be_appended_leaves_the_log_as_it_was() {
        let storage = sample();
        let before = storage.bytes();
        let mut log = open(&storage).unwrap().log;
        storage.set_full(true);
        let error = log.append(&[b"four"]).unwrap_err();
        assert!(
            matches!(error, Error::Medium { file, action: "appended to", .. } if file == "log")
        );
        assert_eq!(storage.bytes(), before);
        storage.set_full(false);
        log.append(&[b"four"]).unwrap();
        assert_eq!(open(&storage).unwrap().records.len(), 4);
    }

    #[test]
    fn damage_names_the_file_and_the_byte() {
        let mut bytes = sample().bytes();
        let offset = open(&sample()).unwrap().records[1].offset;
        bytes[usize::try_from(offset).unwrap() + 9] ^= 1;
        let error = open(&MemoryStorage::named("run.journal", bytes)).unwrap_err();
        let said = "run.journal is damaged at byte 51: its bytes do not continue the hash chain";
        assert_eq!((error.to_string().as_str(), offset), (said, 51));
    }
}
