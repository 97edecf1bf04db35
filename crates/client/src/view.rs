//! What issuer and makers read of a mission with their own keys. What they read it from is public: a tick's notice, a
//! round's ciphertexts. Whoever joins this with what is public knows all that the parties know together.

use pool::field;
use pool::notice::IssuerNotice;
use primitives::{Amount, RequestId};
use protocol::wire::TickNotice;

use crate::{Issuer, Maker};

/// A proved round's ciphertexts, as its calldata shows them.
#[derive(Debug, Clone, Copy)]
pub struct Ciphertexts<'a> {
    /// What the round belongs to.
    pub request: RequestId,
    /// Its number within the request, from 1.
    pub round: u32,
    /// The scalar that they are bound to, 32 bytes big-endian.
    pub context: [u8; 32],
    /// One a slot, and the issuer's last.
    pub sealed: &'a [Vec<u8>],
}

/// What an issuer has read.
#[derive(Clone, Default)]
pub struct IssuerView {
    ticks: Vec<(u32, TickNotice)>,
    rounds: Vec<(RequestId, u32, IssuerNotice)>,
}

/// Amounts are not shown.
impl core::fmt::Debug for IssuerView {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "IssuerView({} ticks, {} rounds)", self.ticks.len(), self.rounds.len())
    }
}

impl IssuerView {
    /// Reads a tick's notice, if it is the issuer's.
    pub fn tick(&mut self, issuer: &Issuer, tick: u32, notice: &[u8]) -> Option<&TickNotice> {
        self.ticks.push((tick, issuer.read_tick(tick, notice)?));
        self.newest()
    }

    /// Reads a round, if it is the issuer's.
    pub fn round(&mut self, issuer: &Issuer, of: &Ciphertexts<'_>) -> Option<&IssuerNotice> {
        let context = field::from_bytes(&of.context).ok()?;
        let notice = issuer.read_settlement(context, of.sealed.last()?)?;
        self.rounds.push((of.request, of.round, notice));
        self.rounds.last().map(|(_, _, notice)| notice)
    }

    /// What the newest tick looked like.
    pub fn newest(&self) -> Option<&TickNotice> {
        self.ticks.last().map(|(_, notice)| notice)
    }

    /// A round that was read.
    pub fn of(&self, request: RequestId, round: u32) -> Option<&IssuerNotice> {
        let is_it =
            |(id, number, _): &&(RequestId, u32, IssuerNotice)| (*id, *number) == (request, round);
        self.rounds.iter().rev().find(is_it).map(|(_, _, notice)| notice)
    }

    /// Ticks, and whether the enclave found the coin backed.
    pub fn verdicts(&self) -> impl Iterator<Item = (u32, bool)> {
        self.ticks.iter().map(|(tick, notice)| (*tick, notice.backed))
    }
}

/// What a maker was filled for in a round, slot by slot; empty for nothing.
pub fn fills(maker: &Maker, of: &Ciphertexts<'_>) -> Vec<(usize, Amount)> {
    let Ok(context) = field::from_bytes(&of.context) else { return Vec::new() };
    let slots = of.sealed.iter().enumerate().take(pool::SLOTS);
    let own = slots.filter_map(|(slot, sealed)| {
        let notice = maker.read(context, slot, sealed)?;
        Some((slot, Amount::new(notice.fill).unwrap_or(Amount::MAX)))
    });
    own.collect()
}
