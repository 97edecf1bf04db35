//! The list. A new decoder of bytes that others wrote gets a row in the family of who sends them.
#![allow(
    clippy::unwrap_used,
    reason = "inputs are made here, and a row may stop at what it does not expect"
)]

mod bodies;
mod chain;
mod disk;
mod evidence;
mod files;
mod messages;
mod sealed;
mod second;
mod sockets;

use primitives::{Decode, Encode, decode, encode};
use prost::Message;
use strangers::Decoder;

pub(crate) use bodies::BODIES;
pub(crate) use chain::CHAIN;
pub(crate) use disk::DISK;
pub(crate) use evidence::EVIDENCE;
pub(crate) use files::FILES;
pub(crate) use messages::MESSAGES;
pub(crate) use sealed::SEALED;
pub(crate) use second::SECOND;
pub(crate) use sockets::SOCKETS;

/// Every family, by the name of its fuzz target.
pub(crate) const FAMILIES: [(&str, &[Decoder]); 9] = [
    ("sockets", SOCKETS),
    ("second", SECOND),
    ("evidence", EVIDENCE),
    ("sealed", SEALED),
    ("chain", CHAIN),
    ("disk", DISK),
    ("messages", MESSAGES),
    ("bodies", BODIES),
    ("files", FILES),
];

/// Taken, and of one encoding only.
fn is_borsh<T: Decode + Encode>(bytes: &[u8]) -> bool {
    decode::<T>(bytes).is_ok_and(|value| is_same(&encode(&value), bytes))
}

/// Taken, and its own encoding decodes to the same. Protobuf has many encodings of one message.
fn is_protobuf<M: Message + Default>(bytes: &[u8]) -> bool {
    M::decode(bytes).is_ok_and(|message| {
        let encoded = message.encode_to_vec();
        let again = M::decode(&encoded[..]).expect("what was encoded decodes");
        // By bytes: a message with a number that is none does not equal itself.
        is_same(&again.encode_to_vec(), &encoded)
    })
}

fn is_same(encoded: &[u8], bytes: &[u8]) -> bool {
    assert!(encoded == bytes, "a value with two encodings: {encoded:02x?}");
    true
}

/// As text, which every file and every JSON is.
fn text(bytes: &[u8], takes: impl FnOnce(&str) -> bool) -> bool {
    str::from_utf8(bytes).is_ok_and(takes)
}

fn source(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}
