//! CDPR-Bench-1, the model that simulators are compared on: book, simulator 12.
//!
//! 1000 holders with `a ~ U(0, 1)`, ten makers, 240 steps of five minutes, supply 1000 and reserves 970. A step, in
//! this order:
//! 1. `g = max(0, 1 − R/S)`, `p = max(0.5, 1 − 2F)`, `e = 5·min(g/0.03, 1) + 10·(1 − p)`. F is the share of supply
//!    redeemed in the step before.
//! 2. Each active holder redeems with probability `1 − exp(−0.002·exp(a·e)·Δt)`: `R −= 1.05`, `S −= 1`.
//! 3. While `S > R`, at `π = min(0.5% + 0.5%/h·t, 5%)`, maker `j` from 0 offers `clip((π − ρ_j)/0.002 − q_j, 0,
//!    6 − q_j)` with `ρ_j = 0.4% + 0.2%·j`; what is too much is cut pro rata. The first step that ends with the gap
//!    closed is the time to recovery, counted from 0.
//!
//! [`cleared`] fills through the production clearing. [`naive`] steps every holder. [`thinned`] has the same law and is a hundred times faster: it skips to
//! the next holder who would leave if all were as nervous as the most nervous one, and then asks whether this one is.
//! Source: Lewis and Shedler (1979), thinning, in discrete form.

use primitives::{Amount, CommitmentHash, Premium};
use protocol::matching::{self, Demand, Offer};

use crate::rng::{Name, Purpose, Stream};

/// What one run comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Steps of five minutes to recovery; none if it did not come within 240.
    pub ttr_steps: Option<u32>,
    /// Premiums paid, in coins of 1000.
    pub cost: f64,
    /// Share of supply redeemed.
    pub redeemed: f64,
}

impl Run {
    /// Hours to recovery; 20 if it did not come.
    pub fn ttr_h(&self) -> f64 {
        f64::from(self.ttr_steps.unwrap_or(STEPS)) * STEP_H
    }
}

const HOLDERS: usize = 1000;
const BANDS: usize = 8;
/// How many makers there are.
pub const MAKERS: usize = 10;
/// Coins of one maker.
const CAPACITY: f64 = 6.0;
const STEPS: u32 = 240;
const STEP_H: f64 = 1.0 / 12.0;
/// Hazard of a calm holder, per step.
const CALM: f64 = 0.002 * STEP_H;

/// Steps every holder in every step: 240,000 of them, less who has left.
pub fn naive(seed: u64, replication: u64) -> Run {
    let mut stream = stream(seed, replication);
    let mut active: Vec<f64> = (0..HOLDERS).map(|_| stream.unit()).collect();
    run(
        |fear| {
            let before = active.len();
            let mut idx = 0;
            while idx < active.len() {
                if happens(stream.unit(), CALM * libm::exp(active[idx] * fear)) {
                    active.swap_remove(idx);
                } else {
                    idx += 1;
                }
            }
            before - active.len()
        },
        pro_rata,
    )
}

/// The same law, stepping only who might leave.
pub fn thinned(seed: u64, replication: u64) -> Run {
    skipping(seed, replication, pro_rata)
}

/// The thinned run with the production clearing in place of the benchmark's own rule. Not the benchmark's law: who fills
/// differs, and a fill is whole lots. The three results agree all the same.
pub fn cleared(seed: u64, replication: u64) -> Run {
    skipping(seed, replication, production)
}

#[inline(always)]
fn skipping(
    seed: u64,
    replication: u64,
    fill: impl Fn(&mut [f64; MAKERS], f64, f64) -> f64,
) -> Run {
    let mut stream = stream(seed, replication);
    // Bands of like nervousness: the more alike, the fewer are asked in vain. Eight is the fastest of 1 to 32.
    let mut bands: [Vec<f64>; BANDS] =
        core::array::from_fn(|_| Vec::with_capacity(2 * HOLDERS / BANDS));
    for _ in 0..HOLDERS {
        let nerve = stream.unit();
        bands[floor(nerve * BANDS as f64)].push(nerve);
    }
    // Holders stand side by side, each as wide as the hazard of the most nervous one of its band. Somebody might leave
    // where an exponential distance ends: within a place that happens with probability 1 − exp(−width), and within
    // its first `hazard` with 1 − exp(−hazard), which is that holder's chance. A distance that passes the last place
    // of a band is carried on, into the next step too: what is left of an exponential is an exponential.
    let mut distance = stream.exponential();
    let mut active = HOLDERS;
    run(
        |fear| {
            // Without fear all are equally calm, and most steps pass in one subtraction.
            let calm = active as f64 * CALM;
            if fear <= 0.0 && distance >= calm {
                distance -= calm;
                return 0;
            }
            let bend = fear / BANDS as f64;
            let growth = libm::exp(bend);
            let mut width = CALM;
            let mut left = 0;
            for (place, band) in bands.iter_mut().enumerate() {
                let least = width;
                width *= growth;
                let mut idx = 0;
                loop {
                    let rest = (band.len() - idx) as f64 * width;
                    if distance >= rest {
                        distance -= rest;
                        break;
                    }
                    let skipped = floor(distance / width).min(band.len() - idx - 1);
                    idx += skipped;
                    let within = distance - skipped as f64 * width;
                    let (nerve, part) = (band[idx], band[idx] * BANDS as f64 - place as f64);
                    // The hazard lies below its chord over the band and above its tangent at the near end, which decide
                    // most cases without an exponential: a squeeze, Marsaglia (1977).
                    let leaves = within < least + (width - least) * part
                        && (within < least * (1.0 + bend * part)
                            || within < CALM * libm::exp(nerve * fear));
                    if leaves {
                        // The last of the band comes to this place and has not been asked yet.
                        band.swap_remove(idx);
                        left += 1;
                    } else {
                        idx += 1;
                    }
                    distance = stream.exponential();
                }
            }
            active -= left;
            left
        },
        fill,
    )
}

fn stream(seed: u64, replication: u64) -> Stream {
    Name { seed, replication, agent: 0, purpose: Purpose::Bench }.stream()
}

/// Whether `u < 1 − exp(−hazard)`. The right side is never above the hazard, so the exponential is rarely needed.
#[inline(always)]
fn happens(u: f64, hazard: f64) -> bool {
    u < hazard && u < -libm::expm1(-hazard)
}

#[inline(always)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places are from 0 to the number of holders"
)]
fn floor(places: f64) -> usize {
    // Straight to 64 bits a saturating cast takes several instructions more, and a run makes a thousand of them.
    places as u32 as usize
}

/// What maker `maker` offers at `premium` when it has given `filled`.
#[inline(always)]
fn offer(maker: usize, premium: f64, filled: f64) -> f64 {
    ((premium - LIMITS[maker]) / 0.002 - filled).max(0.0).min(CAPACITY - filled)
}

const LIMITS: [f64; MAKERS] = {
    let (mut limits, mut maker) = ([0.0; MAKERS], 0);
    while maker < MAKERS {
        limits[maker] = 0.004 + 0.002 * maker as f64;
        maker += 1;
    }
    limits
};

/// The benchmark's rule: all offers, cut pro rata where they are too much. Returns what was raised: exactly `need` where
/// that closes the gap, so that no other place rounds it.
#[inline(always)]
pub fn pro_rata(filled: &mut [f64; MAKERS], premium: f64, need: f64) -> f64 {
    let offers: [f64; MAKERS] = core::array::from_fn(|maker| offer(maker, premium, filled[maker]));
    // In order: offers often come to the need but for rounding.
    let offered = offers.iter().fold(0.0, |sum, offer| sum + offer);
    let share = if offered > need { need / offered } else { 1.0 };
    for (have, offer_of) in filled.iter_mut().zip(offers) {
        *have += offer_of * share;
    }
    if offered >= need { need } else { offered }
}

/// The same offers through `protocol::matching::clear`: limits in whole basis points, lots of a thousandth of a coin,
/// the cheapest first and the margin pro rata. Everyone is still paid the clock, so only who fills differs.
fn production(filled: &mut [f64; MAKERS], premium: f64, need: f64) -> f64 {
    let whole = |coins: f64| {
        let units = crate::balance::micros(libm::floor(coins.max(0.0) * 1e6));
        Amount::new(u128::try_from(units).unwrap_or(0)).unwrap_or(Amount::ZERO)
    };
    let share = |value: f64| Premium::new(crate::panel::bps_ceil(value)).unwrap_or(Premium::MAX);
    let mut number = 0;
    let offers: [Offer; MAKERS] = core::array::from_fn(|maker| {
        let mut id = [0; 32];
        id[31] = number;
        number += 1;
        Offer {
            id: CommitmentHash(id),
            capacity: whole(offer(maker, premium, filled[maker])),
            premium_min: share(LIMITS[maker]),
            fill_min: Amount::ZERO,
        }
    });
    let lot = Amount::new(1000).unwrap_or(Amount::ZERO);
    let wanted = protocol::request::ask(whole(need), lot).unwrap_or(Amount::MAX);
    let demand = Demand {
        amount: wanted,
        requested: wanted,
        premium_cap: share(premium),
        lot,
        aggregate_min: Amount::ZERO,
        share_max: Premium::new(10_000).unwrap_or(Premium::MAX),
    };
    let mut raised = 0.0;
    for fill in matching::clear(&offers, &demand).fills {
        let coins = fill.amount.units() as f64 / 1e6;
        filled[usize::from(fill.id.0[31])] += coins;
        raised += coins;
    }
    raised
}

/// One run; `leave` takes a step's fear, lets holders redeem, and says how many did; `fill` takes what makers have given,
/// the premium and the need, and returns what it raised.
#[inline(always)]
fn run(
    mut leave: impl FnMut(f64) -> usize,
    fill: impl Fn(&mut [f64; MAKERS], f64, f64) -> f64,
) -> Run {
    let (mut supply, mut reserves) = (HOLDERS as f64, 0.97 * HOLDERS as f64);
    let mut filled = [0.0; MAKERS];
    let (mut outflow, mut cost, mut ttr_steps) = (0.0f64, 0.0, None);
    for step in 0..STEPS {
        let gap = (1.0 - reserves / supply).max(0.0);
        let price = (1.0 - 2.0 * outflow).max(0.5);
        let fear = 5.0 * (gap / 0.03).min(1.0) + 10.0 * (1.0 - price);

        let left = leave(fear) as f64;
        outflow = left / supply;
        supply -= left;
        reserves -= 1.05 * left;

        let need = supply - reserves;
        if need > 0.0 {
            let premium = (0.005 + 0.005 * f64::from(step) * STEP_H).min(0.05);
            let raised = fill(&mut filled, premium, need);
            reserves += raised;
            cost += premium * raised;
            if raised >= need && ttr_steps.is_none() {
                ttr_steps = Some(step);
            }
        }
    }
    Run { ttr_steps, cost, redeemed: 1.0 - supply / HOLDERS as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and its standard error of time to recovery, cost and share redeemed.
    fn moments(n: u64, one: impl Fn(u64, u64) -> Run) -> [(f64, f64); 3] {
        let (mut sum, mut square) = ([0.0; 3], [0.0; 3]);
        for replication in 0..n {
            let run = one(2023, replication);
            for (at, value) in [run.ttr_h(), run.cost, run.redeemed].into_iter().enumerate() {
                sum[at] += value;
                square[at] += value * value;
            }
        }
        let n = n as f64;
        [0, 1, 2].map(|at| {
            let mean = sum[at] / n;
            (mean, ((square[at] / n - mean * mean) / (n - 1.0)).sqrt())
        })
    }

    /// The large-sample values of the note, which carry errors of their own in the last digit shown.
    const PUBLISHED: [(f64, f64); 3] = [(3.158, 0.0005), (0.5716, 0.00005), (0.1253, 0.00005)];

    fn check(n: u64, one: impl Fn(u64, u64) -> Run) {
        for ((mean, error), (published, rounding)) in moments(n, one).into_iter().zip(PUBLISHED) {
            assert!(
                (mean - published).abs() <= 3.0 * error + rounding,
                "{mean} ± {error}, published {published}"
            );
        }
    }

    #[test]
    fn thinned_runs_agree_with_the_published_values_within_three_standard_errors() {
        check(4000, thinned);
    }

    #[test]
    fn the_production_clearing_gives_the_same_answer_but_for_lots() {
        for ((cleared, error), (published, rounding)) in
            moments(4000, cleared).into_iter().zip(PUBLISHED)
        {
            assert!(
                (cleared - published).abs() <= 3.0 * error + rounding + 0.001,
                "{cleared} ± {error}"
            );
        }
    }

    #[test]
    fn naive_runs_agree_with_the_published_values_within_three_standard_errors() {
        check(300, naive);
    }

    #[test]
    fn thinning_has_the_law_of_the_naive_run() {
        let (thin, full) = (moments(4000, thinned), moments(600, naive));
        for ((a, a_error), (b, b_error)) in thin.into_iter().zip(full) {
            assert!(
                (a - b).abs() <= 3.5 * a_error.hypot(b_error),
                "{a} ± {a_error}, {b} ± {b_error}"
            );
        }
    }
}
