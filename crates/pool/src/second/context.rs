//! Contexts: what a proof is for, as the pool computes it from what it knows and never takes from a caller.
//!
//! No relation reads a context; it is among the values that are folded, so a proof for one is none for
//! another.

use super::venue;
use crate::{Fr, field};

/// A pool on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The chain's id.
    pub chain_id: u64,
    /// The pool's address.
    pub pool: [u8; 20],
}

/// What a context is of, in the contract's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A settlement.
    Clear = 0,
    /// An account is opened; this and the next four are also the numbers of the relation `account`.
    Open = 1,
    /// Consideration is added.
    Fund = 2,
    /// Consideration is taken.
    TakeBack = 3,
    /// Collateral is taken.
    Release = 4,
    /// Only the account's salt changes.
    Resalt = 5,
    /// Notes are spent.
    Spend = 6,
    /// It is announced that they will be.
    Announce = 7,
}

/// What a spend does outside, and the words for its outputs' owners. Of an announcement everything but the
/// deadline is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Who gets what leaves, less the fee; zero if nothing does.
    pub recipient: [u8; 20],
    /// Who gets the fee; zero if nobody does.
    pub relayer: [u8; 20],
    /// Base units, part of what leaves.
    pub fee: u128,
    /// The last second at which it may happen, Unix time.
    pub deadline: u64,
    /// See [`super::wallet::Words`].
    pub hints: [Fr; 2],
    /// See [`super::wallet::Words`].
    pub memos: [Fr; 2],
}

impl Deployment {
    /// `keccak256(abi.encode(chain id, pool, caller)) >> 40`: the venue that `caller` is.
    #[must_use]
    pub fn venue(&self, caller: &[u8; 20]) -> Fr {
        venue(&keccak(&[number(self.chain_id.into()), address(&self.pool), address(caller)]))
    }

    /// `keccak256(abi.encode(kind, chain id, pool, caller, next index, venue data)) >> 8`: the context of a
    /// settlement and of what is done to an account. `next_index` is where the venue's tree goes on.
    #[must_use]
    pub fn venue_context(
        &self,
        kind: Kind,
        caller: &[u8; 20],
        next_index: u64,
        venue_data: &[u8; 32],
    ) -> Fr {
        field::from_digest(&keccak(&[
            number(kind as u128),
            number(self.chain_id.into()),
            address(&self.pool),
            address(caller),
            number(next_index.into()),
            *venue_data,
        ]))
    }

    /// `keccak256(abi.encode(kind, chain id, pool, recipient, relayer, fee, deadline,
    /// keccak256(abi.encode(hints, memos)))) >> 8`: the context of a spend or an announcement.
    #[must_use]
    pub fn exit_context(&self, kind: Kind, exit: &Exit) -> Fr {
        let Exit { recipient, relayer, fee, deadline, hints, memos } = exit;
        let words = [hints[0], hints[1], memos[0], memos[1]].map(|word| field::to_bytes(&word));
        field::from_digest(&keccak(&[
            number(kind as u128),
            number(self.chain_id.into()),
            address(&self.pool),
            address(recipient),
            address(relayer),
            number(*fee),
            number((*deadline).into()),
            keccak(&words),
        ]))
    }
}

fn keccak(words: &[[u8; 32]]) -> [u8; 32] {
    primitives::keccak256(&[words.as_flattened()])
}

fn number(value: u128) -> [u8; 32] {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&value.to_be_bytes());
    word
}

fn address(bytes: &[u8; 20]) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(bytes);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_changes_a_context() {
        let here = Deployment { chain_id: 31_337, pool: [1; 20] };
        let elsewhere = [Deployment { chain_id: 1, ..here }, Deployment { pool: [2; 20], ..here }];
        let (caller, data) = ([3; 20], [4; 32]);
        let base = here.venue_context(Kind::Clear, &caller, 16, &data);
        let exit = Exit {
            recipient: [5; 20],
            relayer: [6; 20],
            fee: 7,
            deadline: 8,
            hints: [9, 10].map(Fr::from),
            memos: [11, 12].map(Fr::from),
        };
        let spent = here.exit_context(Kind::Spend, &exit);
        let mut seen = vec![
            base,
            here.venue_context(Kind::Release, &caller, 16, &data),
            here.venue_context(Kind::Clear, &[7; 20], 16, &data),
            here.venue_context(Kind::Clear, &caller, 32, &data),
            here.venue_context(Kind::Clear, &caller, 16, &[5; 32]),
            spent,
            here.exit_context(Kind::Announce, &exit),
        ];
        for there in elsewhere {
            assert_ne!(there.venue(&caller), here.venue(&caller));
            seen.push(there.venue_context(Kind::Clear, &caller, 16, &data));
            seen.push(there.exit_context(Kind::Spend, &exit));
        }
        let others = [
            Exit { recipient: [0; 20], ..exit },
            Exit { relayer: [0; 20], ..exit },
            Exit { fee: 0, ..exit },
            Exit { deadline: 0, ..exit },
            Exit { hints: [exit.hints[1], exit.hints[0]], ..exit },
            Exit { memos: [exit.memos[0]; 2], ..exit },
        ];
        seen.extend(others.map(|other| here.exit_context(Kind::Spend, &other)));
        let n = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), n);
        assert!(field::fits(&here.venue(&caller), super::super::VENUE_BITS));
    }
}
