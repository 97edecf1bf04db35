//! The secondary market: equation (7) of book, simulator 7.5, its noise, and a StableSwap pool.
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
        if inventory <= self.absorbed(credit) {
            return credit.clamp(0.0, 1.0);
        }
        // d − credit − λ(I − pool(d)) rises with d and is linear between the table's points.
        let excess = |point: usize| {
            let d = self.fee + point as f64 * POINT;
            d - credit - self.impact * (inventory - self.pool[point])
        };
        let (mut low, mut high) = (0, POINTS);
        while low < high {
            let middle = (low + high) / 2;
            if excess(middle) < 0.0 { low = middle + 1 } else { high = middle }
        }
        let d = if low == 0 {
            credit + self.impact * inventory
        } else if low == POINTS {
            credit + self.impact * (inventory - self.pool[POINTS - 1])
        } else {
            let (below, above) = (excess(low - 1), excess(low));
            self.fee + POINT * ((low - 1) as f64 - below / (above - below))
        };
        d.clamp(0.0, 1.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_discount_solves_the_equation_with_the_pool_in_it() {
        let pricing = Pricing::new(&Scenario::default());
        let mut last = 0.0;
        for at in 0..200 {
            let (credit, inventory) = (0.011, f64::from(at) * 0.002);
            let d = pricing.discount(credit, inventory);
            let carried = credit + (inventory - pricing.absorbed(d)).max(0.0);
            assert!((d - carried).abs() < 1e-9, "{d} {carried}");
            assert!(d >= last, "more selling, lower price");
            last = d;
        }
    }

    #[test]
    fn noise_keeps_its_stationary_spread() {
        let scenario = Scenario::default();
        let pricing = Pricing::new(&scenario);
        let name = Name { seed: 3, replication: 0, agent: 0, purpose: Purpose::Noise };
        let (mut x, mut square, n) = (0.0, 0.0, 200_000);
        for step in 0..n {
            x = pricing.noise(x, name, step);
            square += x * x;
        }
        let sd = (square / f64::from(n)).sqrt();
        // 200,000 steps are some 900 independent values.
        assert!((sd / scenario.market.noise.0 - 1.0).abs() < 0.1, "{sd}");
        let volatility = scenario.market.noise.0 * (2.0 * scenario.market.noise_reversion.0).sqrt();
        let closed = crate::closed_form::ou_sd(volatility, scenario.market.noise_reversion.0);
        assert!((closed - scenario.market.noise.0).abs() < 1e-12);
    }
}
