//! What a tick reads off the chain, and what it makes of the answers.

use primitives::{Address, RequestId};
use protocol::View;
use protocol::event::Ready;
use protocol::mission::Request;

use super::abi::{self, StoredRequest};
use super::config::Recovery;

/// A read: the contract and the calldata.
pub type Read = (Address, Vec<u8>);

/// What does not depend on the newest request, in the order [`Facts::parse`] takes the answers in.
pub(super) fn reads(recovery: &Recovery) -> [Read; 6] {
    [
        (recovery.dark_pool, abi::read("currentRequestId()")),
        (recovery.dark_pool, abi::read("position()")),
        (recovery.dark_pool, abi::read("lastEpoch()")),
        (recovery.confidential_por, abi::read("lastEpoch()")),
        (recovery.recovery_guard, abi::read("attempts()")),
        (recovery.recovery_guard, abi::read("halted()")),
    ]
}

/// A contract answered what the workflow cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the contracts' answer to {what} does not decode; hint: is this their address, on this chain?"
)]
pub struct Unreadable {
    /// The function.
    pub what: &'static str,
}

/// The answers to [`reads`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// The newest request, if there was one.
    pub(super) request: Option<RequestId>,
    position: primitives::CommitmentHash,
    epoch: u64,
    attempts: u8,
    halted: bool,
}

impl Facts {
    /// Reads the answers, in the order of [`reads`].
    ///
    /// # Errors
    /// [`Unreadable`], the first.
    pub(super) fn parse(answers: &[Vec<u8>; 6]) -> Result<Self, Unreadable> {
        let [id, position, pool_epoch, por_epoch, attempts, halted] = answers;
        let number = |data: &[u8], what| abi::word_number(data).ok_or(Unreadable { what });
        let id = abi::word(id).ok_or(Unreadable { what: "currentRequestId()" })?;
        let epochs = [number(pool_epoch, "lastEpoch()")?, number(por_epoch, "lastEpoch()")?];
        Ok(Self {
            request: (id != [0; 32]).then_some(RequestId(id)),
            position: abi::word_commitment(position).ok_or(Unreadable { what: "position()" })?,
            epoch: epochs[0].max(epochs[1]),
            attempts: u8::try_from(number(attempts, "attempts()")?).unwrap_or(u8::MAX),
            halted: number(halted, "halted()")? != 0,
        })
    }

    /// What the mission goes on from, on the tick after `tick`.
    pub(super) fn view(
        &self,
        recovery: &Recovery,
        tick: u32,
        request: Option<StoredRequest>,
        ready: Option<Ready>,
    ) -> View {
        let request = self.request.zip(request).map(|(id, stored)| Request {
            id,
            premium: stored.premium,
            opened_tick: recovery.tick_of(stored.opened),
            expires: stored.expires,
            rounds: stored.rounds,
            status: stored.status,
        });
        // A round that is not the request's next one is not for this request.
        let is_next = |ready: &Ready| {
            request.is_some_and(|it| {
                ready.request == it.id && it.rounds.checked_add(1) == Some(ready.round)
            })
        };
        View {
            tick,
            epoch: self.epoch,
            request,
            ready: ready.filter(is_next),
            attempts: self.attempts,
            halted: self.halted,
            position: self.position,
        }
    }
}
