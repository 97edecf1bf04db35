//! Records one after another in bytes that only grow, so that reading them back tells what was changed from
//! what was never finished. Every log of the workspace is laid out like this, whatever holds the bytes.
//!
//! Layout: the 8 bytes of the log's [`Kind`], then frames. A frame is
//! `len: u32 BE ‖ guard: 4 ‖ record: len ‖ head: 32`, where `head = SHA-256(domain ‖ previous head ‖ record)`
//! and `guard` is the first four bytes of `SHA-256("cdpr/frame/v1" ‖ previous head ‖ len)`.
//!
//! Two words, and no third. A *torn tail* is what a writer that was interrupted leaves: a last frame that stops
//! early under a good guard, or whose end was never written and reads as zeros, as file systems that extend a
//! file before its bytes arrive have it. Anything else that does not continue the chain is *damaged*: those
//! bytes were whole once. A log that was cut between two frames reads as a shorter log; only who knows how
//! long it was can tell.

use alloc::vec::Vec;

use crate::{Bytes32, Sha256Chain, sha256};

const LEN: usize = 8;
const HEADER_LEN: usize = 8;
const HEAD_LEN: usize = 32;
/// So many zeros at the end were never written: a head ends like that once in 2^64.
const ZEROS: usize = 8;

/// What a log is of: how it begins, and what its chain is hashed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its first bytes.
    pub magic: &'static [u8; LEN],
    /// Separates its hashes from other logs'.
    pub domain: &'static str,
}

/// Makes frames. Bytes go wherever the caller puts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    chain: Sha256Chain,
}

impl Writer {
    /// The writer of a new log, whose first bytes are its kind's.
    pub const fn new(kind: &Kind) -> Self {
        Self { chain: Sha256Chain::new(kind.domain) }
    }

    /// The frame of one more record.
    ///
    /// # Panics
    /// If the record exceeds 4 GiB, which no record does.
    pub fn append(&mut self, record: &[u8]) -> Vec<u8> {
        let len = u32::try_from(record.len()).expect("a record is far below 4 GiB").to_be_bytes();
        let guard = guard(&self.chain, len);
        let head = self.chain.push(record);
        [&len[..], &guard, record, &head].concat()
    }

    /// The hash over every record so far.
    pub const fn head(&self) -> Bytes32 {
        self.chain.head()
    }
}

/// Why reading stopped before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The writer was interrupted.
    #[error(
        "torn tail: record {index} at byte {offset} stops after {len} bytes; everything before it is intact"
    )]
    Torn {
        /// Number of the record, from 0.
        index: usize,
        /// Where its frame starts.
        offset: usize,
        /// Bytes of it that are there.
        len: usize,
    },
    /// Bytes changed after they were written.
    #[error("damaged: record {index} at byte {offset}: {reason}")]
    Damaged {
        /// Number of the record, from 0.
        index: usize,
        /// Where its frame starts.
        offset: usize,
        /// What does not hold.
        reason: &'static str,
    },
}

/// One record that is intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Where its frame starts.
    pub offset: usize,
    /// Its bytes.
    pub record: &'a [u8],
    /// The writer before it.
    pub before: Writer,
}

/// A log read back as far as it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frames<'a> {
    /// Its intact records, in order.
    pub frames: Vec<Frame<'a>>,
    /// Where the next one would start; 0 if not even the kind is there.
    pub end: usize,
    /// Positioned to append after them.
    pub writer: Writer,
}

/// Reads as far as the bytes are good. A flaw comes back beside what precedes it.
pub fn read<'a>(kind: &Kind, bytes: &'a [u8]) -> (Frames<'a>, Option<Flaw>) {
    let mut read = Frames { frames: Vec::new(), end: 0, writer: Writer::new(kind) };
    if bytes.is_empty() {
        return (read, None);
    }
    let is_cut = bytes.len() < LEN && kind.magic.starts_with(bytes);
    if is_cut || bytes.iter().all(|byte| *byte == 0) {
        return (read, Some(Flaw::Torn { index: 0, offset: 0, len: bytes.len() }));
    }
    if !bytes.starts_with(kind.magic) {
        let reason = "the first bytes are not those of such a log";
        return (read, Some(Flaw::Damaged { index: 0, offset: 0, reason }));
    }
    read.end = LEN;
    while read.end < bytes.len() {
        if let Err(flaw) = read.frame(&bytes[read.end..]) {
            return (read, Some(flaw));
        }
    }
    (read, None)
}

impl<'a> Frames<'a> {
    fn frame(&mut self, rest: &'a [u8]) -> Result<(), Flaw> {
        let (index, offset) = (self.frames.len(), self.end);
        let torn = Flaw::Torn { index, offset, len: rest.len() };
        let damaged = |reason| Flaw::Damaged { index, offset, reason };
        if is_zero(rest) {
            return Err(torn);
        }
        let Some((header, tail)) = rest.split_at_checked(HEADER_LEN) else { return Err(torn) };
        let len = [header[0], header[1], header[2], header[3]];
        if header[4..] != guard(&self.writer.chain, len) {
            let is_unwritten = tail.len() >= ZEROS && is_zero(tail);
            let damaged = damaged("its length does not continue the hash chain");
            return Err(if is_unwritten { torn } else { damaged });
        }
        let record_len = u32::from_be_bytes(len) as usize;
        let Some((record, tail)) = tail.split_at_checked(record_len) else { return Err(torn) };
        let Some((head, tail)) = tail.split_at_checked(HEAD_LEN) else { return Err(torn) };
        let mut writer = self.writer;
        if writer.chain.push(record) != head {
            let is_unwritten = is_zero(&head[HEAD_LEN - ZEROS..]) && is_zero(tail);
            let damaged = damaged("its bytes do not continue the hash chain");
            return Err(if is_unwritten { torn } else { damaged });
        }
        self.frames.push(Frame { offset, record, before: self.writer });
        self.writer = writer;
        self.end = offset + HEADER_LEN + record_len + HEAD_LEN;
        Ok(())
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn guard(chain: &Sha256Chain, len: [u8; 4]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256(&[b"cdpr/frame/v1", &chain.head().0, &len]);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    const KIND: Kind = Kind { magic: b"CDPRTST1", domain: "cdpr/test/v1" };

    fn records(n: u8) -> Vec<Vec<u8>> {
        (0..n).map(|i| alloc::vec![i; 3 * usize::from(i)]).collect()
    }

    fn sample(n: u8) -> Vec<u8> {
        let mut writer = Writer::new(&KIND);
        let frames = records(n).into_iter().flat_map(|record| writer.append(&record));
        KIND.magic.iter().copied().chain(frames.collect::<Vec<_>>()).collect()
    }

    fn read_records(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<Flaw>) {
        let (read, flaw) = read(&KIND, bytes);
        (read.frames.iter().map(|frame| frame.record.to_vec()).collect(), flaw)
    }

    /// Where each frame of a sample starts, and where the last one ends.
    fn offsets(bytes: &[u8]) -> Vec<usize> {
        let (read, flaw) = read(&KIND, bytes);
        assert_eq!(flaw, None);
        read.frames.iter().map(|frame| frame.offset).chain([read.end]).collect()
    }

    #[test]
    fn records_come_back_and_the_writer_continues() {
        let bytes = sample(5);
        assert_eq!(read_records(&bytes), (records(5), None));
        let mut writer = read(&KIND, &bytes).0.writer;
        let longer = [bytes, writer.append(&records(6)[5])].concat();
        assert_eq!(longer, sample(6));
        assert_eq!(read(&KIND, &longer).0.writer, writer);
        assert_eq!(read_records(&[]), (Vec::new(), None));
    }

    #[test]
    fn every_flipped_bit_is_damage_where_it_is() {
        let bytes = sample(5);
        let starts = offsets(&bytes);
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[position] ^= 1 << bit;
                let (found, flaw) = read_records(&changed);
                let index = starts.iter().rposition(|start| *start <= position);
                let (index, offset) = index.map_or((0, 0), |index| (index, starts[index]));
                let is_named = matches!(flaw, Some(Flaw::Damaged { index: i, offset: o, .. })
                    if (i, o) == (index, offset));
                assert!(is_named, "byte {position}, bit {bit}: {flaw:?}");
                assert_eq!(found, records(u8::try_from(index).unwrap()));
            }
        }
    }

    #[test]
    fn every_cut_is_a_torn_tail_or_a_shorter_log() {
        let bytes = sample(5);
        let starts = offsets(&bytes);
        for end in 1..bytes.len() {
            let (found, flaw) = read_records(&bytes[..end]);
            let whole = starts.iter().rposition(|start| *start <= end);
            let (n, offset) = whole.map_or((0, 0), |index| (index, starts[index]));
            assert_eq!(found, records(u8::try_from(n).unwrap()), "length {end}");
            let torn = Flaw::Torn { index: n, offset, len: end - offset };
            assert_eq!(flaw, (offset < end).then_some(torn), "length {end}");
        }
    }

    #[test]
    fn an_end_that_was_never_written_is_torn_and_one_that_was_erased_is_damage() {
        let bytes = sample(5);
        let last = offsets(&bytes)[4];
        // A file system has extended the file and lost what belongs there, from any byte of the last frame on.
        for written in last..bytes.len() - ZEROS {
            for len in [bytes.len(), bytes.len() + 100] {
                let mut zeroed = bytes[..written].to_vec();
                zeroed.resize(len, 0);
                let (found, flaw) = read_records(&zeroed);
                assert_eq!(found, records(4), "byte {written}");
                assert!(matches!(flaw, Some(Flaw::Torn { index: 4, .. })), "byte {written}");
            }
        }
        // What follows it was whole once, so this was too.
        for start in offsets(&bytes)[..4].iter() {
            let mut zeroed = bytes.clone();
            zeroed[*start..start + HEADER_LEN + HEAD_LEN].fill(0);
            assert!(matches!(read_records(&zeroed).1, Some(Flaw::Damaged { .. })), "byte {start}");
        }
    }

    #[test]
    fn another_kind_of_log_and_another_order_of_frames_are_damage() {
        let bytes = sample(5);
        let other = Kind { magic: b"CDPROTH1", ..KIND };
        assert!(matches!(read(&other, &bytes).1, Some(Flaw::Damaged { offset: 0, .. })));
        let other = Kind { domain: "cdpr/other/v1", ..KIND };
        assert!(matches!(read(&other, &bytes).1, Some(Flaw::Damaged { offset: LEN, .. })));
        let starts = offsets(&bytes);
        let frame = |index: usize| &bytes[starts[index]..starts[index + 1]];
        let swapped = [&bytes[..LEN], frame(0), frame(2), frame(1)].concat();
        let flaw = read_records(&swapped).1;
        assert!(matches!(flaw, Some(Flaw::Damaged { index: 1, .. })), "{flaw:?}");
    }

    #[test]
    fn a_flaw_says_which_of_the_two_it_is() {
        let said = |flaw: Flaw| -> String { alloc::format!("{flaw}") };
        let bytes = sample(2);
        let torn = read_records(&bytes[..bytes.len() - 1]).1.unwrap();
        assert!(said(torn).starts_with("torn tail: record 1 at byte 48"), "{torn}");
        let damaged = read_records(&[&bytes[..9], &[7], &bytes[10..]].concat()).1.unwrap();
        assert!(said(damaged).starts_with("damaged: record 0 at byte 8"), "{damaged}");
    }
}
