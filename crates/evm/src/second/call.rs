//! What is sent to pool and venue, from what wallets and provers have. Whoever sends it chooses nothing: all of it is
//! in the proof, or in its context.

use alloy::primitives::{Address, B256, U256};
use pool::second::context::{Exit, Kind};
use pool::second::wallet::{Spend, Words};

use super::abi::{DarkPool, Move, ShieldedPool};
use super::settlement::ZkProof;
use super::{Proven, address, word};

/// Pays in. The sender has approved the pool for `amount`, base units.
#[must_use]
pub fn deposit(asset: Address, amount: u128, words: &Words) -> ShieldedPool::depositCall {
    ShieldedPool::depositCall {
        asset_: asset,
        amount: U256::from(amount),
        inner: word(&words.inner),
        hint: word(&words.hint),
        memo: word(&words.memo),
    }
}

/// Has the `count` leaves that wait from `position` on enter the entry tree.
///
/// # Panics
/// If what is posted is not of `absorb`.
#[must_use]
pub fn absorb(position: u64, count: u64, proven: &Proven) -> ShieldedPool::absorbCall {
    let [digest, _root, root_after, ..] = proven.posted[..] else {
        panic!("a proof of `absorb` posts its digest and both roots");
    };
    ShieldedPool::absorbCall {
        position: U256::from(position),
        count: U256::from(count),
        rootAfter: U256::from_be_bytes(root_after),
        digest: U256::from_be_bytes(digest),
        proof: proven.proof(),
    }
}

/// Where the pool keeps the roots that a spend is over: see [`super::roots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Of the entry tree's, below 64.
    pub entry: u8,
    /// Of the venue's tree, below 8; 0 if none is named.
    pub venue: u8,
}

/// Why a planned spend cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpendError {
    /// The plan's asset is no token's address.
    #[error(
        "the plan's asset 0x{asset:x} is no address; hint: plan with the assets that the pool lists"
    )]
    Asset {
        /// As planned.
        asset: U256,
    },
    /// The words of the outputs are not those of the plan: their owners would not find them.
    #[error(
        "the exit's words are not those of the plan's outputs; hint: take `hints()` and `memos()`"
    )]
    Words,
}

/// What a planned spend does outside, as the pool takes it.
///
/// # Errors
/// [`SpendError`].
pub fn exit(plan: &Spend, exit: &Exit) -> Result<ShieldedPool::Exit, SpendError> {
    if (exit.hints, exit.memos) != (plan.hints(), plan.memos()) {
        return Err(SpendError::Words);
    }
    let asset = address(&plan.asset);
    let asset = asset.ok_or_else(|| SpendError::Asset { asset: word(&plan.asset) })?;
    Ok(ShieldedPool::Exit {
        asset,
        amount: U256::from(plan.amount),
        recipient: exit.recipient.into(),
        relayer: exit.relayer.into(),
        fee: U256::from(exit.fee),
        deadline: U256::from(exit.deadline),
        hints: exit.hints.map(|hint| word(&hint)),
        memos: exit.memos.map(|memo| word(&memo)),
    })
}

/// Spends, or announces, what was planned. Anyone may send it.
#[must_use]
pub fn spend(exit: ShieldedPool::Exit, slots: Slots, proven: &Proven) -> ShieldedPool::spendCall {
    ShieldedPool::spendCall {
        exit,
        entrySlot: U256::from(slots.entry),
        venueSlot: U256::from(slots.venue),
        proof: proven.proof(),
        posted: proven.posted(),
    }
}

/// Has the venue move its account: `amount`, in base units of `asset`, for `recipient` if it is taken; all zero where
/// nothing moves. Only the issuer may send it.
#[must_use]
pub fn move_account(
    kind: Kind,
    asset: Address,
    amount: u128,
    recipient: Address,
    proven: &Proven,
) -> DarkPool::moveAccountCall {
    DarkPool::moveAccountCall {
        r#move: Move { kind: kind as u8, asset, amount: U256::from(amount), recipient },
        proof: proven.proof(),
        posted: proven.posted(),
    }
}

/// Settles a round, signed r ‖ s ‖ v by an active enclave. Anyone may send it.
#[must_use]
pub fn settle(
    request: B256,
    proof: &ZkProof,
    signature: &[u8; 65],
) -> DarkPool::confidentialFillCall {
    DarkPool::confidentialFillCall {
        requestId: request,
        zkProof: proof.encode(),
        teeAttestation: signature.to_vec().into(),
    }
}
