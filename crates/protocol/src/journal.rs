//! The journal: `(now, event)` records, framed and hash-chained. It is the database, the audit log and
//! the bug report; it holds public facts, ciphertexts and raw transactions, and could be published.
//!
//! Its layout is that of every log ([`primitives::frames`]), under [`KIND`].

use primitives::frames::{self, Flaw, Kind};
use primitives::{Address, Bytes32, Decode, Encode, Timestamp};

use crate::event::Event;
use crate::{Disclosure, Outcome};

/// How a journal begins, and what its chain is hashed under.
pub const KIND: Kind = Kind { magic: b"CDPRJRN1", domain: "cdpr/journal/v1" };

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

impl Record {
    /// Reads one record of a journal.
    ///
    /// # Errors
    /// What is wrong, if these are not the bytes of a record of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        primitives::decode(bytes).map_err(|_| "it is not a record of this version")
    }
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

/// A journal read back.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Its intact records, in order.
    pub records: Vec<Record>,
    /// Where each record's frame starts.
    pub offsets: Vec<usize>,
    /// The journal hash over them.
    pub head: Bytes32,
}

impl Journal {
    /// Reads as far as the bytes are good. A flaw comes back beside what precedes it.
    pub fn read(bytes: &[u8]) -> (Self, Option<Flaw>) {
        let (read, flaw) = frames::read(&KIND, bytes);
        let mut journal =
            Self { records: Vec::new(), offsets: Vec::new(), head: read.writer.head() };
        for (index, frame) in read.frames.iter().enumerate() {
            let offset = frame.offset;
            match Record::decode(frame.record) {
                Ok(record) => journal.records.push(record),
                Err(reason) => {
                    journal.head = frame.before.head();
                    return (journal, Some(Flaw::Damaged { index, offset, reason }));
                }
            }
            journal.offsets.push(offset);
        }
        (journal, flaw)
    }
}

#[cfg(test)]
mod tests {
    use primitives::frames::Writer;

    use super::*;

    fn record(tick: u32) -> Record {
        Record::Happened { now: Timestamp(u64::from(tick) * 300), event: Event::Ticked { tick } }
    }

    fn sample() -> Vec<u8> {
        let mut writer = Writer::new(&KIND);
        let frames = (1..=5).flat_map(|tick| writer.append(&primitives::encode(&record(tick))));
        KIND.magic.iter().copied().chain(frames).collect()
    }

    #[test]
    fn records_come_back() {
        let (journal, flaw) = Journal::read(&sample());
        assert_eq!(flaw, None);
        assert_eq!(journal.records, (1..=5).map(record).collect::<Vec<_>>());
    }

    #[test]
    fn the_format_is_pinned() {
        let frame = Writer::new(&KIND).append(&primitives::encode(&record(1)));
        assert_eq!(frame.len(), 8 + 1 + 8 + 1 + 4 + 32);
        assert_eq!(frame[..4], [0, 0, 0, 14]);
        assert_eq!(frame[8..22], [2, 0x2c, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        // By hand: SHA-256 over the domain, the head before and the record, five times.
        let head = Journal::read(&sample()).0.head;
        assert_eq!(
            head.to_string(),
            "0x58b416b63064649af687dea8f1eed6e54160d50ff2d622a6c0c494adf87fd814"
        );
    }

    #[test]
    fn a_frame_that_is_no_record_is_damage() {
        let mut bytes = sample();
        let mut writer = frames::read(&KIND, &bytes).0.writer;
        let offset = bytes.len();
        bytes.extend(writer.append(&[9]));
        let (journal, flaw) = Journal::read(&bytes);
        assert_eq!(journal.records.len(), 5);
        assert!(matches!(flaw, Some(Flaw::Damaged { index: 5, offset: at, .. }) if at == offset));
    }
}
