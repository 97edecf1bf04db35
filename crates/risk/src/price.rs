//! The secondary market: equation (7) of research note §7.4, its noise, and a StableSwap pool.
//!
//! `d = q·φ + λ·(I − pool)` with `dI = f_sell dt − u·I dt`. The pool takes in coins until its own price is within
//! its fee of the market's; what it took in nobody has to be paid to carry.

use crate::closed_form::pool_absorbs;
use crate::rng::{Name, Purpose, normal};
use crate::scenario::Scenario;

/// Points of the pool's table, of half a percent of discount each.
const POINTS: usize = 121;
const POINT: f64 = 0.005;

/// What a scenario's market needs that does not change.
#[derive(Debug, Clone)]
pub(crate) struct Pricing {
    impact: f64,
    /// Coins in the pool, as a share of supply, by discount beyond its fee.
    pool: Vec<f64>,
    fee: f64,
    noise_keep: f64,
    noise_step: f64,
}

impl Pricing {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let market = &scenario.market;
        let pool = (0..POINTS)
            .map(|at| market.pool.0 * pool_absorbs(1.0 - at as f64 * POINT, market.amplification.0))
            .collect();
        // Exact discretisation of the Ornstein–Uhlenbeck process.
        let noise_keep = libm::exp(-market.noise_reversion.0 * scenario.step.hours());
        Self {
            impact: market.impact.0,
            pool,
            fee: market.pool_fee.0,
            noise_keep,
            noise_step: market.noise.0 * libm::sqrt(1.0 - noise_keep * noise_keep),
        }
    }

    /// The discount at that credit part q·φ and that inventory, a share of supply; between 0 and 1.
    pub(crate) fn discount(&self, credit: f64, inventory: f64) -> f64 {
        if inventory <= 0.0 {
            return credit.clamp(0.0, 1.0);
        }
        let carried = |d: f64| credit + self.impact * (inventory - self.absorbed(d)).max(0.0);
        let (mut low, mut high) = (credit, (credit + self.impact * inventory).min(1.0));
        // The pool's share rises with d, so the fixed point is the one crossing.
        for _ in 0..24 {
            let middle = 0.5 * (low + high);
            if carried(middle) > middle { low = middle } else { high = middle }
        }
        high.clamp(0.0, 1.0)
    }

    fn absorbed(&self, discount: f64) -> f64 {
        let at = ((discount - self.fee) / POINT).max(0.0);
        let below = crate::crowd::whole(at);
        if below + 1 >= self.pool.len() {
            return self.pool[self.pool.len() - 1];
        }
        self.pool[below] + (at - below as f64) * (self.pool[below + 1] - self.pool[below])
    }

    /// The noise after a step of its own.
    pub(crate) fn noise(&self, before: f64, name: Name, step: u32) -> f64 {
        if self.noise_step <= 0.0 {
            return 0.0;
        }
        debug_assert!(name.purpose == Purpose::Noise);
        before * self.noise_keep + self.noise_step * normal(name.at(step))
    }
}
