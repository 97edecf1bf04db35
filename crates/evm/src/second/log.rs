//! What pool, venue and the recovery's other contracts log, as wallets, trees, enclaves and the core read it.
//! Translation only, with the little memory that it takes: which leaves wait, and which round is about to be told.
//!
//! Only logs of the deployment's own contracts are looked at. Of these nothing is skipped that should be understood:
//! one that does not decode, or contradicts the one before, means that a node does not tell what the chain says, and
//! whoever went on would build trees that no proof holds against.

use std::collections::VecDeque;

use alloy::primitives::{Address, B256, Log as Logged, U256};
use alloy::rpc::types::Log;
use alloy::sol_types::SolEvent;
use pool::second::wallet::{Cleared, Cursor, Event};
use pool::{Fr, field};
use primitives::{Amount, CommitmentHash, Premium, RequestId, Timestamp};
use protocol::RequestStatus;
use protocol::second::Fact;

use super::abi::{DarkPool, ShieldedPool};
use super::deploy::Deployment;
use super::settlement::{POSTED, at};
use super::{scalar, word};
use crate::abi::{ConfidentialPoR, RecoveryGuard};
use crate::mission::Emitters;

/// Why logs cannot be a chain's of this deployment.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It is in no block yet.
    #[error(
        "a log of {address} has no block; hint: ask for logs of blocks, not of what is pending"
    )]
    Pending {
        /// Who logged it.
        address: Address,
    },
    /// Its own contract's event, and it does not decode.
    #[error("{event} at {}.{} does not decode; hint: another node", at.block, at.log)]
    Malformed {
        /// Which.
        event: &'static str,
        /// Where.
        at: Cursor,
        /// Why.
        #[source]
        source: alloy::sol_types::Error,
    },
    /// A value that the contract cannot have logged.
    #[error("{event} at {}.{} has a {what} that is out of range; hint: another node", at.block, at.log)]
    Range {
        /// Which.
        event: &'static str,
        /// Which of its values.
        what: &'static str,
        /// Where.
        at: Cursor,
    },
    /// Not after the last one.
    #[error(
        "log {}.{} is not after {}.{}; hint: read logs in their order, each once",
        at.block, at.log, last.block, last.log
    )]
    OutOfOrder {
        /// Where.
        at: Cursor,
        /// The last one.
        last: Cursor,
    },
    /// A leaf was queued at another position than the next.
    #[error(
        "a leaf is queued at {found}, the next position is {expected}; hint: read from the pool's first block"
    )]
    Queued {
        /// Its position.
        found: u64,
        /// The next.
        expected: u64,
    },
    /// Leaves are absorbed that do not wait.
    #[error(
        "{count} leaves are absorbed from {position} on, {waiting} wait from {head} on; hint: read from the pool's \
         first block"
    )]
    Absorbed {
        /// Of the first.
        position: u64,
        /// How many.
        count: u64,
        /// Of the first that waits.
        head: u64,
        /// How many wait.
        waiting: u64,
    },
    /// The venue says that a round settled and the pool does not, or the other way round.
    #[error("at {}.{} the venue's and the pool's word on a round do not meet; hint: another node", at.block, at.log)]
    Unpaired {
        /// Where.
        at: Cursor,
    },
}

/// Where a log is.
///
/// # Errors
/// [`LogError::Pending`].
pub fn cursor(log: &Log) -> Result<Cursor, LogError> {
    let pending = || LogError::Pending { address: log.address() };
    let block = log.block_number.ok_or_else(pending)?;
    let index = log.log_index.and_then(|index| u32::try_from(index).ok());
    Ok(Cursor { block, log: index.ok_or_else(pending)? })
}

/// What a log of the pool says to wallets and trees. `None` if it says nothing to them, or is somebody else's: anyone
/// may deploy a contract that logs the same.
///
/// # Errors
/// [`LogError`] if it is the pool's and no pool would log it.
pub fn event(log: &Log, pool: Address) -> Result<Option<Event>, LogError> {
    if log.address() != pool {
        return Ok(None);
    }
    let Some(topic) = log.topic0() else { return Ok(None) };
    let at = cursor(log)?;
    Ok(Some(match *topic {
        ShieldedPool::Queued::SIGNATURE_HASH => {
            let of = Of { event: "Queued", at };
            let it: ShieldedPool::Queued = of.decode(&log.inner)?;
            Event::Queued {
                position: of.number("position", it.position)?,
                leaf: of.scalar("leaf", it.leaf)?,
                hint: guess(it.hint),
                memo: guess(it.memo),
            }
        }
        ShieldedPool::Absorbed::SIGNATURE_HASH => {
            let of = Of { event: "Absorbed", at };
            let it: ShieldedPool::Absorbed = of.decode(&log.inner)?;
            Event::Absorbed {
                position: of.number("position", it.position)?,
                count: of.number("count", it.count)?,
                index: of.number("index", it.index)?,
                root: of.scalar("root", it.root)?,
            }
        }
        ShieldedPool::Spent::SIGNATURE_HASH => {
            let of = Of { event: "Spent", at };
            let it: ShieldedPool::Spent = of.decode(&log.inner)?;
            let [one, other] = it.nullifiers;
            let nullifiers = [of.scalar("nullifier", one)?, of.scalar("nullifier", other)?];
            Event::Spent { nullifiers }
        }
        ShieldedPool::Announced::SIGNATURE_HASH => {
            let of = Of { event: "Announced", at };
            let it: ShieldedPool::Announced = of.decode(&log.inner)?;
            Event::Announced {
                nullifier: of.scalar("nullifier", it.nullifier)?,
                time: of.number("time", it.time)?,
            }
        }
        ShieldedPool::Cleared::SIGNATURE_HASH => {
            let of = Of { event: "Cleared", at };
            let it: ShieldedPool::Cleared = of.decode(&log.inner)?;
            let posted = it.posted.iter().map(|word| of.scalar("value", *word));
            let posted = posted.collect::<Result<Vec<_>, _>>()?;
            Event::Cleared(Cleared::from_posted(&posted).ok_or_else(|| of.range("value"))?)
        }
        _ => return Ok(None),
    }))
}

/// Reads the logs of a deployment, in their order and from the pool's first block on, as facts for an enclave and the
/// core.
#[derive(Clone, Debug)]
pub struct Facts {
    emitters: Emitters,
    venue: Fr,
    last: Option<Cursor>,
    /// Position of the first leaf that waits.
    head: u64,
    waiting: VecDeque<Fr>,
    /// The venue's word on a round, of which the pool's comes next.
    settled: Option<(RequestId, u32)>,
}

impl Facts {
    /// Before the first log.
    #[must_use]
    pub fn new(deployment: &Deployment) -> Self {
        Self {
            emitters: deployment.into(),
            venue: deployment.venue(),
            last: None,
            head: 0,
            waiting: VecDeque::new(),
            settled: None,
        }
    }

    /// Takes the next log. `None` if it is no fact: nobody's, or another venue's, or a part of one.
    ///
    /// # Errors
    /// [`LogError`]; then nothing has changed.
    pub fn read(&mut self, log: &Log) -> Result<Option<Fact>, LogError> {
        let at = cursor(log)?;
        if let Some(last) = self.last.filter(|last| at <= *last) {
            return Err(LogError::OutOfOrder { at, last });
        }
        let Emitters { dark_pool, pool, por, guard, .. } = self.emitters;
        let address = log.address();
        let is_ours = [dark_pool, pool, por, guard].contains(&address);
        let Some(topic) = log.topic0().filter(|_| is_ours) else {
            self.last = Some(at);
            return Ok(None);
        };
        let is_cleared = address == pool && *topic == ShieldedPool::Cleared::SIGNATURE_HASH;
        if self.settled.is_some() && !is_cleared {
            return Err(LogError::Unpaired { at });
        }
        let fact = if address == pool {
            self.of_pool(topic, log, at)?
        } else if address == dark_pool {
            self.of_venue(topic, &log.inner, at)?
        } else {
            elsewhere(topic, &log.inner, address == guard, at)?
        };
        self.last = Some(at);
        Ok(fact)
    }

    fn of_pool(&mut self, topic: &B256, log: &Log, at: Cursor) -> Result<Option<Fact>, LogError> {
        let bytes = |element: &Fr| field::to_bytes(element);
        if *topic == ShieldedPool::AccountMoved::SIGNATURE_HASH {
            return self.moved(&log.inner, at);
        }
        Ok(match event(log, self.emitters.pool)? {
            None => None,
            Some(Event::Queued { position: found, leaf, .. }) => {
                let expected = self.head + self.waiting.len() as u64;
                if found != expected {
                    return Err(LogError::Queued { found, expected });
                }
                self.waiting.push_back(leaf);
                None
            }
            Some(Event::Absorbed { position, count, index, root }) => {
                let (head, waiting) = (self.head, self.waiting.len() as u64);
                if position != head || count == 0 || count > waiting {
                    return Err(LogError::Absorbed { position, count, head, waiting });
                }
                let n = usize::try_from(count).expect("no more than wait");
                self.head += count;
                let leaves = self.waiting.drain(..n).map(|leaf| bytes(&leaf)).collect();
                Some(Fact::Absorbed { index, leaves, root: bytes(&root) })
            }
            Some(Event::Spent { nullifiers }) => {
                Some(Fact::Spent { nullifiers: nullifiers.map(|nullifier| bytes(&nullifier)) })
            }
            Some(Event::Announced { nullifier, time }) => {
                Some(Fact::Announced { nullifier: bytes(&nullifier), time: Timestamp(time) })
            }
            Some(Event::Cleared(cleared)) if cleared.venue == self.venue => {
                let (id, round) = self.settled.ok_or(LogError::Unpaired { at })?;
                let fact = settled(id, round, &log.inner, at)?;
                self.settled = None;
                Some(fact)
            }
            Some(Event::Cleared(_)) if self.settled.is_some() => {
                return Err(LogError::Unpaired { at });
            }
            Some(Event::Cleared(_)) => None,
        })
    }

    fn moved(&self, log: &Logged, at: Cursor) -> Result<Option<Fact>, LogError> {
        let of = Of { event: "AccountMoved", at };
        let it: ShieldedPool::AccountMoved = of.decode(log)?;
        if of.scalar("venue", it.venue)? != self.venue {
            return Ok(None);
        }
        let amount = u128::try_from(it.amount).ok().and_then(|units| Amount::new(units).ok());
        Ok(Some(Fact::AccountMoved {
            kind: it.kind,
            amount: amount.ok_or_else(|| of.range("amount"))?,
            recipient: primitives::Address(it.recipient.into()),
            account: CommitmentHash(it.after_.to_be_bytes()),
        }))
    }

    fn of_venue(
        &mut self,
        topic: &B256,
        log: &Logged,
        at: Cursor,
    ) -> Result<Option<Fact>, LogError> {
        Ok(Some(match *topic {
            DarkPool::CollateralRequested::SIGNATURE_HASH => {
                let of = Of { event: "CollateralRequested", at };
                let it: DarkPool::CollateralRequested = of.decode(log)?;
                let premium = it.premiumBps.try_into().ok().and_then(Premium::new);
                Fact::RequestOpened {
                    id: RequestId(it.requestId.0),
                    commitment: CommitmentHash(it.encryptedAmount.0),
                    premium: premium.ok_or_else(|| of.range("premium"))?,
                    opened: Timestamp(of.number("opening", it.opened)?),
                    expires: Timestamp(of.number("expiry", it.expires)?),
                }
            }
            DarkPool::Settled::SIGNATURE_HASH => {
                let of = Of { event: "Settled", at };
                let it: DarkPool::Settled = of.decode(log)?;
                let round = it.round.try_into().map_err(|_| of.range("round"))?;
                self.settled = Some((RequestId(it.requestId.0), round));
                return Ok(None);
            }
            DarkPool::RequestCancelled::SIGNATURE_HASH => {
                let of = Of { event: "RequestCancelled", at };
                let it: DarkPool::RequestCancelled = of.decode(log)?;
                Fact::RequestCancelled { id: RequestId(it.requestId.0) }
            }
            DarkPool::RequestOpened::SIGNATURE_HASH => {
                let of = Of { event: "RequestOpened", at };
                let it: DarkPool::RequestOpened = of.decode(log)?;
                let status = RequestStatus::from_number(it.status);
                let status = status.ok_or_else(|| of.range("status"))?;
                Fact::RequestRevealed { id: RequestId(it.requestId.0), status }
            }
            DarkPool::MandateRegistered::SIGNATURE_HASH => {
                let of = Of { event: "MandateRegistered", at };
                let it: DarkPool::MandateRegistered = of.decode(log)?;
                Fact::MandateRegistered { mandate: CommitmentHash(it.mandate.to_be_bytes()) }
            }
            DarkPool::ReportExecuted::SIGNATURE_HASH => {
                let it: DarkPool::ReportExecuted =
                    Of { event: "ReportExecuted", at }.decode(log)?;
                Fact::ReportExecuted { epoch: it.epoch }
            }
            _ => return Ok(None),
        }))
    }
}

/// A round, from both contracts' words. Status as `getRequestStatus` has it then.
fn settled(id: RequestId, round: u32, log: &Logged, cursor: Cursor) -> Result<Fact, LogError> {
    let of = Of { event: "Cleared", at: cursor };
    let it: ShieldedPool::Cleared = of.decode(log)?;
    let posted: [U256; POSTED] = it.posted.try_into().map_err(|_| of.range("number of values"))?;
    let status = if posted[at::DISCLOSURE].is_zero() {
        let number = posted[at::STATUS].try_into().ok();
        number.and_then(RequestStatus::from_number).ok_or_else(|| of.range("status"))?
    } else {
        RequestStatus::Pending
    };
    let posted = posted.map(|word| word.to_be_bytes()).to_vec();
    Ok(Fact::RoundSettled { id, round, status, posted })
}

/// Of the guard, or of the proof of reserve.
fn elsewhere(
    topic: &B256,
    log: &Logged,
    is_guard: bool,
    at: Cursor,
) -> Result<Option<Fact>, LogError> {
    Ok(Some(match (is_guard, *topic) {
        (true, RecoveryGuard::AttemptFailed::SIGNATURE_HASH) => {
            let of = Of { event: "AttemptFailed", at };
            let it: RecoveryGuard::AttemptFailed = of.decode(log)?;
            let attempts = it.attempts.try_into().map_err(|_| of.range("number of attempts"))?;
            Fact::RequestExpired { id: RequestId(it.requestId.0), attempts }
        }
        (true, RecoveryGuard::Halted::SIGNATURE_HASH) => Fact::Halted,
        (false, ConfidentialPoR::RecoveryAttested::SIGNATURE_HASH) => {
            let of = Of { event: "RecoveryAttested", at };
            let it: ConfidentialPoR::RecoveryAttested = of.decode(log)?;
            Fact::RecoveryAttested { recovered: it.recovered }
        }
        (false, ConfidentialPoR::StatusReported::SIGNATURE_HASH) => {
            let of = Of { event: "StatusReported", at };
            let it: ConfidentialPoR::StatusReported = of.decode(log)?;
            Fact::StatusReported { commitment: CommitmentHash(it.statusCommitment.0) }
        }
        (false, ConfidentialPoR::ReportExecuted::SIGNATURE_HASH) => {
            let of = Of { event: "ReportExecuted", at };
            let it: ConfidentialPoR::ReportExecuted = of.decode(log)?;
            Fact::ReportExecuted { epoch: it.epoch }
        }
        _ => return Ok(None),
    }))
}

/// What the pool emits as anyone gave it, hint and memo. A wallet takes them for a guess and recomputes the leaf, so
/// that any element will do for a word that is none; refused, one deposit would stop all who read the pool.
fn guess(given: U256) -> Fr {
    let order = word(&-Fr::from(1)) + U256::ONE;
    scalar(given % order).expect("it is below the order")
}

/// Which event is read, for errors.
#[derive(Clone, Copy)]
struct Of {
    event: &'static str,
    at: Cursor,
}

impl Of {
    fn decode<E: SolEvent>(self, log: &Logged) -> Result<E, LogError> {
        let Self { event, at } = self;
        let decoded = E::decode_log_validate(log);
        decoded.map(|log| log.data).map_err(|source| LogError::Malformed { event, at, source })
    }

    fn range(self, what: &'static str) -> LogError {
        LogError::Range { event: self.event, what, at: self.at }
    }

    fn number(self, what: &'static str, word: U256) -> Result<u64, LogError> {
        word.try_into().map_err(|_| self.range(what))
    }

    fn scalar(self, what: &'static str, word: U256) -> Result<Fr, LogError> {
        scalar(word).map_err(|_| self.range(what))
    }
}

#[cfg(test)]
mod tests;
