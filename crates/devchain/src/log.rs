//! What the chain keeps: an append-only log from which a reopened chain replays itself.

use evm::alloy::primitives::{Address, B256, Bytes, U256};
use evm::alloy::rlp::{self, Decodable, Encodable, Header};
use primitives::frames::Kind;

/// How a chain's log begins, and what its frames are hashed under.
pub const KIND: Kind = Kind { magic: b"CDPRCHN1", domain: "cdpr/chain-log/v1" };

/// One thing that happened to the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// First in every log: the hash of the genesis parameters, and of the run.
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
    pub(crate) fn encode(&self) -> Vec<u8> {
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

    pub(crate) fn decode(bytes: &[u8]) -> rlp::Result<Self> {
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
