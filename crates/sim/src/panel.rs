//! The makers: who stands ready, with how much, and what it costs them. Drawn from the seed, not tuned.

use host::nsm::Entropy;
use primitives::{Amount, Duration, Premium};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::scenario::Panel;

/// One maker of the panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Maker {
    /// Its number, from 0.
    pub index: usize,
    /// Collateral it locks, whole lots, at least one.
    pub capacity: Amount,
    /// The least premium it accepts, rounded **up** to the basis point.
    pub premium_min: Premium,
    /// From the first public request to its order.
    pub latency: Duration,
    /// The largest hole it stays for, hundredths of the coin.
    pub gap_band_max: u8,
}

/// Draws the panel. Each maker has a stream of its own, so that a larger panel begins with the smaller.
pub fn draw(panel: &Panel, entropy: &Entropy, supply: Amount, lot: Amount) -> Vec<Maker> {
    (0..panel.makers)
        .map(|index| {
            let mut stream = Stream(ChaCha12Rng::from_seed(entropy.draw("panel", index as u64)));
            let capacity = panel.capacity_median * (panel.capacity_sigma * stream.normal()).exp();
            Maker {
                index,
                capacity: share(supply, capacity).lots_floor(lot).max(lot),
                premium_min: break_even(panel, &mut stream),
                latency: Duration(whole(
                    -stream.uniform(0.0, 1.0).max(1e-9).ln() * panel.latency_minutes * 60.0,
                )),
                // About a seventh of the coin, or it stays away.
                gap_band_max: 15,
            }
        })
        .collect()
}

/// `π ≥ (r·τ + ς + q·LGD) / (1 − q)`: book, simulator 7.6.
fn break_even(panel: &Panel, stream: &mut Stream) -> Premium {
    let mut uniform = |[from, to]: [f64; 2]| stream.uniform(from, to);
    let funding = uniform(panel.funding) * uniform(panel.days) / 365.0;
    let (failure, loss) = (uniform(panel.failure), uniform(panel.loss));
    let effort = panel.effort_median * (panel.effort_sigma * stream.normal()).exp();
    let premium = (funding + effort + failure * loss) / (1.0 - failure);
    Premium::new(u16::try_from(whole((premium * 10_000.0).ceil())).unwrap_or(u16::MAX))
        .unwrap_or(Premium::MAX)
}

fn share(of: Amount, fraction: f64) -> Amount {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a capacity is a draw: 53 bits are more than it means"
    )]
    let units = of.units() as f64 * fraction.min(1.0);
    Amount::new(u128::from(whole(units))).unwrap_or(of)
}

/// A finite non-negative float as an integer, rounded down, saturating.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is meant"
)]
const fn whole(value: f64) -> u64 {
    value as u64
}

struct Stream(ChaCha12Rng);

impl Stream {
    /// 53 bits, from `from` (included) to `to`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    fn uniform(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * ((self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// Box–Muller, the cosine half.
    fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(0.0, 1.0).max(f64::MIN_POSITIVE), self.uniform(0.0, 1.0));
        (-2.0 * u.ln()).sqrt() * (core::f64::consts::TAU * v).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, shipped};

    fn makers(seed: u64, n: usize) -> Vec<Maker> {
        let mut panel = Scenario::parse(shipped()["usdc-2023-03"], "usdc").unwrap().panel;
        panel.makers = n;
        let entropy = crate::entropy(seed, "panel", 31_337).unwrap();
        draw(&panel, &entropy, Amount::from_tokens(43_000_000_000), Amount::from_tokens(1_000_000))
    }

    #[test]
    fn a_panel_is_its_seeds_and_grows_at_the_end() {
        assert_eq!(makers(1, 12), makers(1, 12));
        assert_ne!(makers(1, 12), makers(2, 12));
        assert_eq!(makers(1, 5), makers(1, 12)[..5]);
    }

    #[test]
    fn premiums_sit_around_the_stressed_repo_row() {
        let mut premiums: Vec<u16> =
            makers(7, 200).iter().map(|maker| maker.premium_min.bps()).collect();
        premiums.sort_unstable();
        let median = premiums[100];
        assert!(
            (90..=120).contains(&median),
            "the table says 104 bp, the draw's median is {median}"
        );
        assert!(premiums[0] > 50, "nobody stands ready at the seed's 0.5 %");
    }

    #[test]
    fn capacities_are_whole_lots() {
        assert!(
            makers(3, 50)
                .iter()
                .all(|m| !m.capacity.is_zero()
                    && m.capacity.units().is_multiple_of(1_000_000_000_000))
        );
    }
}
