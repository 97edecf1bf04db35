//! The journal: `(now, event)` records, framed and hash-chained. It is the database, the audit log and
//! the bug report; it holds public facts, ciphertexts and raw transactions, and could be published.
//!
//! Layout: the 8 bytes `CDPRJRN1`, then frames. A frame is
//! `len: u32 BE ‖ guard: 4 ‖ record: len ‖ head: 32`, where `head = SHA-256("cdpr/journal/v1" ‖ previous
//! head ‖ record)` and `guard` is the first four bytes of `SHA-256("cdpr/frame/v1" ‖ previous head ‖ len)`.
//! The guard is what tells a torn tail from tampering: a frame that stops early under a good guard was
//! being written; a bad guard or a bad head was changed.

use primitives::{Address, Bytes32, Decode, Encode, Sha256Chain, Timestamp, sha256};

use crate::event::Event;
use crate::{Disclosure, Outcome};

const MAGIC: &[u8; 8] = b"CDPRJRN1";
const DOMAIN: &str = "cdpr/journal/v1";
const HEADER_LEN: usize = 8;
const HEAD_LEN: usize = 32;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Record {
    /// What the run is about; always first.
    Opening(Box<Opening>),
    /// A transaction that is in a block.
    Included(Included),
    /// Something happened.
    Happened {
        /// When.
        now: Timestamp,
        /// What.
        event: Event,
    },
    /// The run is over; always last.
    Closing {
        /// How the mission ended.
        outcome: Outcome,
        /// `Happened` records in this journal.
        n_events: u64,
        /// The chain's digest over blocks and receipts.
        chain: Bytes32,
    },
}

/// Everything a second machine needs to run the journal again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Opening {
    /// The chain, 31 337 for the embedded one.
    pub chain_id: u64,
    /// `SHA-256("cdpr/seed-commitment/v1" ‖ seed bytes ‖ salt)`, the salt derived from the seed: it hides
    /// the seed as well as the seed is hard to guess. A journal to be published wants a large one.
    pub seed_commitment: Bytes32,
    /// The workflow's source, verbatim.
    pub workflow: String,
    /// The deployment file's source, verbatim.
    pub deployment: String,
    /// Disclosure of this run.
    pub disclosure: Disclosure,
    /// SHA-256 of the scenario file; its text would tell the amounts.
    pub scenario: Bytes32,
    /// The enclave's COSE_Sign1 document.
    pub attestation: Vec<u8>,
    /// The key bundle the document binds.
    pub key_bundle: Vec<u8>,
    /// The enclave's configuration, measured into PCR2.
    pub configuration: Vec<u8>,
    /// The enclave's settlement signer.
    pub signer: Address,
    /// When the run starts: the instant the attestation is judged at.
    pub started: Timestamp,
}

/// A transaction in a block, as bytes and as outcome.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Included {
    /// The block's timestamp.
    pub timestamp: Timestamp,
    /// EIP-2718 bytes.
    pub raw: Vec<u8>,
    /// Whether it succeeded.
    pub success: bool,
    /// Gas it used.
    pub gas_used: u64,
}

/// Appends frames. Bytes go wherever the caller puts them.
#[derive(Debug, Clone)]
pub struct Writer {
    chain: Sha256Chain,
}

impl Writer {
    /// A new journal and its first bytes.
    pub fn new() -> (Self, Vec<u8>) {
        (Self { chain: Sha256Chain::new(DOMAIN) }, MAGIC.to_vec())
    }

    /// The frame of one more record.
    ///
    /// # Panics
    /// If the record exceeds 4 GiB, which no record does.
    pub fn append(&mut self, record: &Record) -> Vec<u8> {
        let body = primitives::encode(record);
        let len = u32::try_from(body.len()).expect("a record is far below 4 GiB").to_be_bytes();
        let guard = guard(&self.chain, len);
        let head = self.chain.push(&body);
        [&len[..], &guard, &body, &head].concat()
    }

    /// The journal hash so far.
    pub const fn head(&self) -> Bytes32 {
        self.chain.head()
    }
}

fn guard(chain: &Sha256Chain, len: [u8; 4]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256(&[b"cdpr/frame/v1", &chain.head().0, &len]);
    [a, b, c, d]
}

/// What is wrong with a journal's bytes, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// Not a journal at all.
    #[error("not a journal: the first 8 bytes are not CDPRJRN1")]
    Magic,
    /// The last frame stops early: the writer was interrupted.
    #[error(
        "torn tail: record {index} at byte {offset} stops after {present} bytes; everything before it is intact"
    )]
    Torn {
        /// Number of the record, from 0.
        index: usize,
        /// Where its frame starts.
        offset: usize,
        /// Bytes of it that are there.
        present: usize,
    },
    /// A byte changed.
    #[error("tampered: record {index} at byte {offset} does not continue the hash chain")]
    Tampered {
        /// Number of the record, from 0.
        index: usize,
        /// Where its frame starts.
        offset: usize,
    },
    /// The frame is intact but is not a record.
    #[error("record {index} at byte {offset} is not a record of this version")]
    Unknown {
        /// Number of the record, from 0.
        index: usize,
        /// Where its frame starts.
        offset: usize,
    },
}

/// A journal read back.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Its intact records, in order.
    pub records: Vec<Record>,
    /// Where each record's frame starts, and at the end where the next one would.
    pub offsets: Vec<usize>,
    /// Positioned to append after them.
    pub writer: Writer,
}

impl Journal {
    /// Reads as far as the bytes are good. Damage comes back beside what precedes it.
    pub fn read(bytes: &[u8]) -> (Self, Option<Damaged>) {
        let (writer, magic) = Writer::new();
        let mut journal = Self { records: Vec::new(), offsets: vec![magic.len()], writer };
        if bytes.len() < magic.len() && magic.starts_with(bytes) {
            return (journal, Some(Damaged::Torn { index: 0, offset: 0, present: bytes.len() }));
        }
        if !bytes.starts_with(&magic) {
            return (journal, Some(Damaged::Magic));
        }
        let mut offset = magic.len();
        while offset < bytes.len() {
            match journal.read_frame(&bytes[offset..], offset) {
                Ok(len) => offset += len,
                Err(damaged) => return (journal, Some(damaged)),
            }
        }
        (journal, None)
    }

    /// The journal hash over the intact records.
    pub const fn head(&self) -> Bytes32 {
        self.writer.head()
    }

    fn read_frame(&mut self, rest: &[u8], offset: usize) -> Result<usize, Damaged> {
        let index = self.records.len();
        let torn = Damaged::Torn { index, offset, present: rest.len() };
        let tampered = Damaged::Tampered { index, offset };
        let Some((header, rest)) = rest.split_at_checked(HEADER_LEN) else { return Err(torn) };
        let len = [header[0], header[1], header[2], header[3]];
        if header[4..] != guard(&self.writer.chain, len) {
            return Err(tampered);
        }
        let body_len = u32::from_be_bytes(len) as usize;
        let Some((body, rest)) = rest.split_at_checked(body_len) else { return Err(torn) };
        let Some(head) = rest.get(..HEAD_LEN) else { return Err(torn) };
        let mut chain = self.writer.chain;
        if chain.push(body) != head {
            return Err(tampered);
        }
        self.records
            .push(primitives::decode(body).map_err(|_| Damaged::Unknown { index, offset })?);
        self.writer.chain = chain;
        let len = HEADER_LEN + body_len + HEAD_LEN;
        self.offsets.push(offset + len);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(tick: u32) -> Record {
        Record::Happened { now: Timestamp(u64::from(tick) * 300), event: Event::Ticked { tick } }
    }

    fn sample() -> Vec<u8> {
        let (mut writer, mut bytes) = Writer::new();
        (1..=5).for_each(|tick| bytes.extend(writer.append(&record(tick))));
        bytes
    }

    #[test]
    fn records_come_back_and_the_writer_continues() {
        let (mut journal, damage) = Journal::read(&sample());
        assert_eq!(damage, None);
        assert_eq!(journal.records, (1..=5).map(record).collect::<Vec<_>>());
        let mut longer = sample();
        longer.extend(journal.writer.append(&record(6)));
        assert_eq!(Journal::read(&longer).0.records.len(), 6);
    }

    #[test]
    fn the_format_is_pinned() {
        let (mut writer, _) = Writer::new();
        let frame = writer.append(&record(1));
        assert_eq!(frame.len(), HEADER_LEN + 1 + 8 + 1 + 4 + HEAD_LEN);
        assert_eq!(frame[..4], [0, 0, 0, 14]);
        assert_eq!(frame[8..22], [2, 0x2c, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn every_flipped_byte_is_called_tampering_where_it_is() {
        let bytes = sample();
        let (journal, _) = Journal::read(&bytes);
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            let damage = Journal::read(&changed).1;
            if position < MAGIC.len() {
                assert_eq!(damage, Some(Damaged::Magic));
            } else {
                let index = journal.offsets.iter().rposition(|start| *start <= position).unwrap();
                assert_eq!(
                    damage,
                    Some(Damaged::Tampered { index, offset: journal.offsets[index] }),
                    "byte {position}"
                );
            }
        }
    }

    #[test]
    fn every_cut_is_called_a_torn_tail_or_a_shorter_journal() {
        let bytes = sample();
        let (journal, _) = Journal::read(&bytes);
        for len in 0..bytes.len() {
            let (cut, damage) = Journal::read(&bytes[..len]);
            if journal.offsets.contains(&len) {
                assert_eq!(damage, None);
            } else {
                assert!(matches!(damage, Some(Damaged::Torn { .. })), "length {len}");
            }
            assert!(journal.records.starts_with(&cut.records));
        }
    }
}
