//! What is done to the bytes of a good file, to see that its reader reads or refuses what comes of it. `cdpr` tries its own
//! readers with the same.

use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What is done to a file's bytes.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Flip(Index, u8),
    Cut(Index, Index),
    Insert(Index, &'static str),
    Repeat(Index, Index),
    Swap(Index, Index),
}

/// What breaks readers.
const TOKENS: [&str; 33] = [
    "\0",
    "\u{feff}",
    "\"",
    "'",
    ",",
    ";",
    "\r",
    "\n",
    "\r\n",
    "\t",
    "=",
    "[",
    "]",
    "[[policy]]\n",
    "{",
    "}",
    ".",
    "&a ",
    "*a",
    "<<: ",
    "- ",
    ": ",
    "-1",
    "0",
    "1e999",
    "NaN",
    "99999999999999999999",
    "9223372036854775807",
    "0x7f",
    "ü",
    "\u{1F980}",
    "1979-05-27T07:32:00Z",
    "null",
];

/// So many damages, one after the other.
pub(crate) fn damages(count: Range<usize>) -> impl Strategy<Value = Vec<Damage>> {
    let damage = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Cut(from, to)),
        (any::<Index>(), select(&TOKENS[..])).prop_map(|(at, token)| Damage::Insert(at, token)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Damage::Swap(one, other)),
    ];
    prop::collection::vec(damage, count)
}

pub(crate) fn damaged(good: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for damage in damages {
        let len = bytes.len();
        if len == 0 {
            break;
        }
        match damage {
            Damage::Flip(at, byte) => bytes[at.index(len)] ^= byte,
            Damage::Cut(from, to) => {
                let (from, to) = (from.index(len), to.index(len));
                drop(bytes.drain(from.min(to)..from.max(to)));
            }
            Damage::Insert(at, token) => {
                let at = at.index(len);
                drop(bytes.splice(at..at, token.bytes()));
            }
            Damage::Repeat(from, to) => {
                let (from, to) = (from.index(len), to.index(len));
                bytes.extend_from_within(from.min(to)..from.max(to));
            }
            Damage::Swap(one, other) => bytes.swap(one.index(len), other.index(len)),
        }
    }
    bytes
}

pub(crate) fn damaged_text(good: &str, damages: &[Damage]) -> String {
    String::from_utf8_lossy(&damaged(good.as_bytes(), damages)).into_owned()
}
