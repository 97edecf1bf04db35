//! What the chain keeps: an append-only log from which a reopened chain replays itself.
//!
//! A frame is `len: u32 ‖ head: [u8; 4] ‖ payload ‖ tail: [u8; 8]`, integers big-endian. `head` is
//! the start of keccak256(offset ‖ len), `tail` the start of keccak256(offset ‖ payload); `offset`
//! is where the frame begins, as a big-endian u64. With a checksum of its own a damaged length is
//! told from a frame that was never finished: a crash while appending leaves a *torn tail*, which
//! is cut off, and anything else is corruption, which is an error.

use std::io;

use evm::alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use evm::alloy::rlp::{self, Decodable, Encodable, Header};
use store::Storage;

/// The unfinished end of a log, left by a crash and cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Where the last whole frame ended, in bytes.
    pub offset: u64,
    /// How many bytes were cut.
    pub len: u64,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The medium failed.
    #[error("the chain's log cannot be {action}")]
    Storage {
        /// What was attempted.
        action: &'static str,
        /// The medium's answer.
        #[source]
        source: io::Error,
    },
    /// A whole frame does not check: the bytes were changed after they were written.
    #[error("the chain's log is corrupt at byte {offset}: {reason}")]
    Corrupt {
        /// Where the frame begins, in bytes.
        offset: u64,
        /// What does not check.
        reason: &'static str,
    },
}

/// One thing that happened to the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// First in every log: the hash of the genesis parameters.
    Genesis {
        parameters: B256,
    },
    /// A block of one transaction.
    Transaction {
        timestamp: u64,
        raw: Bytes,
        block: B256,
    },
    /// A block without transactions.
    Empty {
        timestamp: u64,
        block: B256,
    },
    /// Back to an earlier block and state; the arguments are those of a snapshot.
    Revert {
        blocks: u64,
        mark: u64,
        time: u64,
    },
    /// Test edits of the state.
    Balance {
        address: Address,
        balance: U256,
    },
    Nonce {
        address: Address,
        nonce: u64,
    },
    Code {
        address: Address,
        code: Bytes,
    },
    Slot {
        address: Address,
        slot: U256,
        value: U256,
    },
}

impl Entry {
    /// RLP: one list whose first item is the kind.
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Genesis { parameters } => list(&[&0_u8, parameters]),
            Self::Transaction { timestamp, raw, block } => list(&[&1_u8, timestamp, raw, block]),
            Self::Empty { timestamp, block } => list(&[&2_u8, timestamp, block]),
            Self::Revert { blocks, mark, time } => list(&[&3_u8, blocks, mark, time]),
            Self::Balance { address, balance } => list(&[&4_u8, address, balance]),
            Self::Nonce { address, nonce } => list(&[&5_u8, address, nonce]),
            Self::Code { address, code } => list(&[&6_u8, address, code]),
            Self::Slot { address, slot, value } => list(&[&7_u8, address, slot, value]),
        }
    }

    fn decode(bytes: &[u8]) -> rlp::Result<Self> {
        let mut outer = bytes;
        let mut payload = Header::decode_bytes(&mut outer, true)?;
        let items = &mut payload;
        let entry = match u8::decode(items)? {
            0 => Self::Genesis { parameters: get(items)? },
            1 => Self::Transaction { timestamp: get(items)?, raw: get(items)?, block: get(items)? },
            2 => Self::Empty { timestamp: get(items)?, block: get(items)? },
            3 => Self::Revert { blocks: get(items)?, mark: get(items)?, time: get(items)? },
            4 => Self::Balance { address: get(items)?, balance: get(items)? },
            5 => Self::Nonce { address: get(items)?, nonce: get(items)? },
            6 => Self::Code { address: get(items)?, code: get(items)? },
            7 => Self::Slot { address: get(items)?, slot: get(items)?, value: get(items)? },
            _ => return Err(rlp::Error::Custom("unknown kind of entry")),
        };
        if outer.is_empty() && items.is_empty() {
            Ok(entry)
        } else {
            Err(rlp::Error::UnexpectedLength)
        }
    }
}

/// The log on its storage.
#[derive(Debug)]
pub(crate) struct Log {
    storage: Box<dyn Storage>,
    /// Bytes of whole frames; equal to the medium's length unless an append failed.
    len: u64,
    /// Set when a failed append could not be taken back: the end of the log is unknown.
    broken: bool,
}

impl Log {
    /// Reads every entry and cuts off a torn tail.
    pub(crate) fn open(
        mut storage: Box<dyn Storage>,
    ) -> Result<(Self, Vec<Entry>, Option<TornTail>), LogError> {
        let bytes =
            storage.read().map_err(|source| LogError::Storage { action: "read", source })?;
        let (entries, len) = parse(&bytes)?;
        let torn_len = bytes.len() as u64 - len;
        if torn_len > 0 {
            storage
                .truncate(len)
                .map_err(|source| LogError::Storage { action: "truncated", source })?;
        }
        let torn = (torn_len > 0).then_some(TornTail { offset: len, len: torn_len });
        Ok((Self { storage, len, broken: false }, entries, torn))
    }

    /// Appends durably, or leaves the log as it was.
    pub(crate) fn append(&mut self, entry: &Entry) -> Result<(), LogError> {
        let failed = |source| LogError::Storage { action: "appended to", source };
        if self.broken {
            return Err(failed(io::Error::other(
                "an earlier append failed and could not be undone",
            )));
        }
        let frame = frame(self.len, &entry.encode());
        if let Err(source) = self.storage.append(&frame).and_then(|()| self.storage.sync()) {
            self.broken = self.storage.truncate(self.len).is_err();
            return Err(failed(source));
        }
        self.len += frame.len() as u64;
        Ok(())
    }
}

const HEAD_LEN: usize = 8;
const TAIL_LEN: usize = 8;

fn frame(offset: u64, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("an entry is bounded by the block gas limit");
    let mut frame = Vec::with_capacity(HEAD_LEN + payload.len() + TAIL_LEN);
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(&checksum::<4>(offset, &len.to_be_bytes()));
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&checksum::<8>(offset, payload));
    frame
}

/// Entries and the length of the frames that hold them.
fn parse(bytes: &[u8]) -> Result<(Vec<Entry>, u64), LogError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    loop {
        let offset = (bytes.len() - rest.len()) as u64;
        let corrupt = |reason| LogError::Corrupt { offset, reason };
        // File systems may extend a file before its bytes arrive, which reads as zeros.
        if rest.len() < HEAD_LEN || rest.iter().all(|byte| *byte == 0) {
            return Ok((entries, offset));
        }
        let (head, body) = rest.split_at(HEAD_LEN);
        let (len, head) = head.split_at(4);
        if head != checksum::<4>(offset, len) {
            return Err(corrupt("the length does not match its checksum"));
        }
        let len = u32::from_be_bytes(len.try_into().expect("split at four")) as usize;
        if body.len() < len + TAIL_LEN {
            return Ok((entries, offset));
        }
        let (payload, body) = body.split_at(len);
        let (tail, body) = body.split_at(TAIL_LEN);
        if tail != checksum::<8>(offset, payload) {
            if body.is_empty() {
                return Ok((entries, offset));
            }
            return Err(corrupt("the entry does not match its checksum"));
        }
        entries.push(Entry::decode(payload).map_err(|_| corrupt("the entry does not decode"))?);
        rest = body;
    }
}

fn checksum<const N: usize>(offset: u64, bytes: &[u8]) -> [u8; N] {
    let hash = keccak256([&offset.to_be_bytes(), bytes].concat());
    *hash.first_chunk().expect("a checksum is shorter than a hash")
}

fn list(items: &[&dyn Encodable]) -> Vec<u8> {
    let payload_length = items.iter().map(|item| item.length()).sum();
    let mut out = Vec::new();
    Header { list: true, payload_length }.encode(&mut out);
    for item in items {
        item.encode(&mut out);
    }
    out
}

fn get<T: Decodable>(items: &mut &[u8]) -> rlp::Result<T> {
    T::decode(items)
}
