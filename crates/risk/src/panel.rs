//! Makers: who they are, what they ask, and the production clearing of what they offer. Book, simulator 7.6.

use primitives::{Amount, CommitmentHash, Premium};
use protocol::matching::{self, Demand, Offer};

use crate::balance::{amount, micros, share_ceil};
use crate::closed_form::{self, fill_probability, log_normal_cdf};
use crate::policy::Instrument;
use crate::rng::{Name, Purpose};
use crate::scenario::{Makers, Scenario};

/// One maker of one replication.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Maker {
    /// What it came with, micro-dollars: its supply curve lies over this.
    pub(crate) first: i64,
    /// What it has left of that.
    pub(crate) capacity: i64,
    /// ψ: what it needs for funding, inventory and effort, a share.
    pub(crate) cost: f64,
    /// Hours from invitation to answer.
    pub(crate) latency_h: f64,
    /// Hours from invitation until it talks; infinite if it never does.
    pub(crate) leak_h: f64,
    /// It waits for a rising clock.
    pub(crate) waits: bool,
    /// Filled so far.
    pub(crate) filled: i64,
    /// The same, drills included.
    pub(crate) in_request: i64,
    /// Breaks ties.
    pub(crate) tag: u32,
}

/// All makers of a replication, in the order they are invited.
pub(crate) fn makers(parameters: &Makers, seed: u64, replication: u64) -> Vec<Maker> {
    let talk = -libm::log1p(-parameters.leak.0);
    (0..parameters.population)
        .map(|agent| {
            let name = Name { seed, replication, agent, purpose: Purpose::Maker };
            let mut stream = name.stream();
            let capacity = parameters.capacity.0 as f64
                * libm::exp(parameters.capacity_sd.0 * stream.normal());
            let capacity = micros(capacity.min(1e18));
            let cost = parameters.cost.0 * libm::exp(parameters.cost_sd.0 * stream.normal());
            let latency_h = parameters.latency.hours() * stream.exponential();
            let leak = stream.exponential();
            Maker {
                first: capacity,
                capacity,
                cost,
                latency_h,
                leak_h: if talk > 0.0 { leak / talk } else { f64::INFINITY },
                waits: stream.unit() < parameters.waiting.0,
                filled: 0,
                in_request: 0,
                tag: stream.below(u32::MAX),
            }
        })
        .collect()
}

/// What maker's risk of loss adds to its cost: `q·LGD/(1 − q)`.
///
/// `run` is the share of holders who they reckon will leave, above 1 where they fear worse. A proof that the hole is at most
/// `attested_gap` cuts their fear; it cannot be given where it is larger. Book, simulator 7.6.
pub(crate) fn credit_cost(parameters: &Makers, instrument: Instrument, run: f64, gap: f64) -> f64 {
    let mut fail = parameters.fail.0 + parameters.fail_run.0 * run;
    let bound = parameters.attested_gap.0;
    if gap <= bound {
        fail *= closed_form::truncated_fear(parameters.feared_gap.0, bound);
    }
    closed_form::break_even(0.0, 0.0, fail.min(0.999), loss(parameters, instrument))
}

/// Loss given default: `makers.loss` for a junior note, which waits longest. A governance token and seized capital
/// can be sold meanwhile: half. A loan on good assets, their sale, and coins handed in at once: a quarter, which puts
/// the default of 30 % inside 5 to 10 %, which is usual for secured loans. The halves and quarters are assumed.
pub(crate) fn loss(parameters: &Makers, instrument: Instrument) -> f64 {
    parameters.loss.0
        * match instrument {
            Instrument::JuniorNote => 1.0,
            Instrument::GovernanceToken | Instrument::FirstLoss => 0.5,
            Instrument::SecuredRepo | Instrument::BuyBack | Instrument::AssetSale => 0.25,
        }
}

/// One line of the book.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// Index of the maker.
    pub(crate) maker: usize,
    pub(crate) capacity: i64,
    /// Least premium, basis points, rounded **up**: nobody is paid below its cost.
    pub(crate) limit_bps: u16,
    id: CommitmentHash,
}

/// What a request asks of the book.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// Micro-dollars.
    pub(crate) need: i64,
    /// Premium cap, a share, rounded **down** to a basis point.
    pub(crate) cap: f64,
    /// Fills are multiples of it.
    pub(crate) lot: i64,
    /// Share of the need.
    pub(crate) aggregate_min: f64,
}

/// Divides a maker's supply curve (2) into lines: equal parts of what it came with, each at the middle of its stretch
/// of the slope. What it has given went from the cheap end, so what is left keeps its limits; of that it offers at most
/// `room`, the cheapest first. `limit` moves a line's limit: shading, waiting, a ring.
#[allow(clippy::too_many_arguments, reason = "a maker, its terms and the request")]
pub(crate) fn lines(
    maker: usize,
    who: &Maker,
    mut room: i64,
    cost: f64,
    parameters: &Makers,
    ask: &Ask,
    limit: impl Fn(f64) -> f64,
    book: &mut Vec<Line>,
) {
    let n = parameters.lines;
    let lot = ask.lot.max(1);
    // Whole lots, the first lines taking what does not divide.
    let lots = who.first.max(0) / lot;
    let mut given = who.first - who.capacity;
    for at in 0..n {
        let part = lots / i64::from(n) + i64::from(i64::from(at) < lots % i64::from(n));
        let left = (part * lot - given).max(0);
        given = (given - part * lot).max(0);
        let share = left.min(room).max(0) / lot;
        room -= share * lot;
        let middle = (f64::from(at) + 0.5) / f64::from(n);
        let wanted = limit(cost + parameters.slope.0 * middle);
        let limit_bps = bps_ceil(wanted);
        if share > 0 && limit_bps <= bps_floor(ask.cap) {
            let mut id = [0u8; 32];
            id[..4].copy_from_slice(&who.tag.to_be_bytes());
            id[4..12].copy_from_slice(&(maker as u64).to_be_bytes());
            id[12..16].copy_from_slice(&at.to_be_bytes());
            book.push(Line { maker, capacity: share * lot, limit_bps, id: CommitmentHash(id) });
        }
    }
}

/// What clearing gives: fills by line, and the uniform premium in basis points.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cleared {
    pub(crate) premium_bps: u16,
    /// Line index and amount.
    pub(crate) fills: Vec<(usize, i64)>,
}

impl Cleared {
    pub(crate) fn raised(&self) -> i64 {
        self.fills.iter().map(|(_, amount)| amount).sum()
    }

    /// What the fills cost at their own limits, with `missing` at the cap: C of book, simulator 7.6.
    fn limit_cost(&self, book: &[Line], ask: i64, cap_bps: u16) -> i64 {
        let at = |amount: i64, bps: u16| share_ceil(amount, f64::from(bps) / 1e4);
        let filled: i64 =
            self.fills.iter().map(|(line, amount)| at(*amount, book[*line].limit_bps)).sum();
        filled + at((ask - self.raised()).max(0), cap_bps)
    }
}

/// Clears a book with the clearing that the enclave runs, `protocol::matching::clear`.
pub(crate) fn clear(book: &[Line], ask: &Ask) -> Cleared {
    if book.is_empty() || ask.need <= 0 {
        return Cleared::default();
    }
    let offers: Vec<Offer> = book
        .iter()
        .map(|line| Offer {
            id: line.id,
            capacity: amount(line.capacity),
            premium_min: premium(line.limit_bps),
            fill_min: Amount::ZERO,
        })
        .collect();
    let lot = amount(ask.lot);
    // `request::ask` rounds up to lots, as the enclave does.
    let wanted = protocol::request::ask(amount(ask.need), lot).unwrap_or(Amount::MAX);
    let demand = Demand {
        amount: wanted,
        requested: wanted,
        premium_cap: premium(bps_floor(ask.cap)),
        lot,
        aggregate_min: amount(share_ceil(ask.need, ask.aggregate_min)),
        // Makers' lines together are held to their share before they come here.
        share_max: premium(10_000),
    };
    let clearing = matching::clear(&offers, &demand);
    let fills = clearing
        .fills
        .iter()
        .filter_map(|fill| {
            let line = book.iter().position(|line| line.id == fill.id)?;
            Some((line, i64::try_from(fill.amount.units()).unwrap_or(i64::MAX)))
        })
        .collect();
    Cleared { premium_bps: clearing.premium.bps(), fills }
}

/// VCG payments by maker: what the others' best cost rises by without it, and its own limits. `(maker, micro-dollars)`.
///
/// Source: Clarke (1971), Groves (1973); book, simulator 7.6. What nobody covers costs the cap.
pub(crate) fn vcg(book: &[Line], ask: &Ask, cleared: &Cleared) -> Vec<(usize, i64)> {
    let cap_bps = bps_floor(ask.cap);
    let all_or_nothing = Ask { aggregate_min: 0.0, ..*ask };
    let total = cleared.limit_cost(book, ask.need, cap_bps);
    let mut winners: Vec<usize> = cleared.fills.iter().map(|(line, _)| book[*line].maker).collect();
    winners.dedup();
    winners.sort_unstable();
    winners.dedup();
    winners
        .into_iter()
        .map(|maker| {
            let others: Vec<Line> =
                book.iter().filter(|line| line.maker != maker).copied().collect();
            let without = clear(&others, &all_or_nothing).limit_cost(&others, ask.need, cap_bps);
            let own: i64 = cleared
                .fills
                .iter()
                .filter(|(line, _)| book[*line].maker == maker)
                .map(|(line, amount)| share_ceil(*amount, f64::from(book[*line].limit_bps) / 1e4))
                .sum();
            (maker, (without - (total - own)).max(own))
        })
        .collect()
}

/// By basis point of cost, the premium at which a maker that waits takes a rising clock.
///
/// Waiting from π to π + dπ gains dπ and risks that others fill the request first, with hazard h(π): it pays until
/// `(π − c)·h(π) = 1`. The hazard is that of the closed form (3) for the panel's mean. A first-order condition, and
/// every other maker is taken to be myopic: one round of best response, not an equilibrium.
#[derive(Debug, Clone)]
pub(crate) struct Patience(Vec<f64>);

impl Patience {
    pub(crate) fn new(scenario: &Scenario, cap: f64, credit: f64) -> Self {
        let (makers, gap) =
            (&scenario.makers, scenario.issuer.supply.to_f64() * scenario.shock.gap.0);
        let spread = makers.capacity_sd.0;
        let size = makers.capacity.to_f64() * libm::exp(0.5 * spread * spread);
        let last = usize::from(bps_floor(cap));
        let filled: Vec<f64> = (0..=last + 1)
            .map(|bps| {
                let willing =
                    log_normal_cdf(bps as f64 / 1e4 - credit, makers.cost.0, makers.cost_sd.0);
                fill_probability(f64::from(makers.invited) * willing, gap, size)
            })
            .collect();
        let hazard = |bps: usize| {
            let open = 1.0 - filled[bps];
            if open <= 1e-9 { f64::INFINITY } else { (filled[bps + 1] - filled[bps]) / open * 1e4 }
        };
        let stops = |cost: usize, bps: usize| (bps - cost) as f64 / 1e4 * hazard(bps) >= 1.0;
        Self(
            (0..=last)
                .map(|cost| {
                    (cost + 1..=last).find(|bps| stops(cost, *bps)).unwrap_or(last) as f64 / 1e4
                })
                .collect(),
        )
    }

    /// The premium to take at that cost; the cost itself beyond the clock's end.
    pub(crate) fn limit(&self, cost: f64) -> f64 {
        self.0.get(usize::from(bps_ceil(cost))).map_or(cost, |limit| limit.max(cost))
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held to 0 to 65535 first"
)]
pub(crate) fn bps_ceil(share: f64) -> u16 {
    libm::ceil((share * 1e4 - 1e-7).clamp(0.0, 65_535.0)) as u16
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held to 0 to 16383 first"
)]
pub(crate) fn bps_floor(share: f64) -> u16 {
    libm::floor((share * 1e4 + 1e-7).clamp(0.0, 16_383.0)) as u16
}

fn premium(bps: u16) -> Premium {
    Premium::new(bps).unwrap_or(Premium::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_maker_has_left_keeps_its_limits() {
        let parameters = Makers::default();
        let who = |capacity| Maker {
            first: 80,
            capacity,
            cost: 0.01,
            latency_h: 0.0,
            leak_h: 0.0,
            waits: false,
            filled: 0,
            in_request: 0,
            tag: 0,
        };
        let ask = Ask { need: 80, cap: 0.08, lot: 10, aggregate_min: 0.0 };
        let laid = |capacity, room| {
            let mut book = Vec::new();
            lines(0, &who(capacity), room, 0.01, &parameters, &ask, |own| own, &mut book);
            book.iter().map(|line| (line.capacity, line.limit_bps)).collect::<Vec<_>>()
        };
        assert_eq!(laid(80, 80), [(20, 113), (20, 138), (20, 163), (20, 188)]);
        // A fill of 30 went from the cheap end, and the rest asks what it asked before.
        assert_eq!(laid(50, 80), [(10, 138), (20, 163), (20, 188)]);
        // A share of 30 of the request cuts the dear end.
        assert_eq!(laid(80, 30), [(20, 113), (10, 138)]);
        assert_eq!(laid(50, 10), [(10, 138)]);
        assert_eq!(laid(0, 80), []);
    }
}
