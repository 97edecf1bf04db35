//! Who holds the coin, and who of them leaves. Book, simulator 7.4.

use crate::maths::normal_quantile;
use crate::rng::{Name, Purpose};

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "floats saturate, negative ones at zero"
)]
pub(crate) fn whole(value: f64) -> usize {
    value as usize
}

/// Classes of holdings.
const CLASSES: u32 = 8;

/// Largest mean of one binomial that is drawn by going through its probabilities from zero.
const MEAN_MAX: f64 = 20.0;

/// Who still holds. All leave at the same hazard, so how many leave in a step is binomial, and who they are is a
/// uniform choice: exact in law, and the m-th to leave is the same whatever the policy.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    active: [u32; CLASSES as usize],
    size: [i64; CLASSES as usize],
    n_active: u32,
    n_left: u32,
    counts: Name,
    faces: Name,
}

impl Crowd {
    /// The middle of each eighth of a log-normal, scaled so that together they hold `supply`, but for what does not
    /// divide evenly, which stays where it is.
    pub(crate) fn new(count: u32, size_sd: f64, supply: i64, seed: u64, replication: u64) -> Self {
        let mut classes = 0..CLASSES;
        let active = [(); CLASSES as usize].map(|()| {
            let class = classes.next().unwrap_or(0);
            count / CLASSES + u32::from(class < count % CLASSES)
        });
        let mut middle = -0.5;
        let weight = [(); CLASSES as usize].map(|()| {
            middle += 1.0;
            libm::exp(size_sd * normal_quantile(middle / f64::from(CLASSES)))
        });
        let total: f64 = weight.iter().zip(active).map(|(weight, n)| weight * f64::from(n)).sum();
        let size = weight
            .map(|weight| crate::balance::micros(libm::floor(supply as f64 * weight / total)));
        let name = |agent| Name { seed, replication, agent, purpose: Purpose::Leave };
        Self { active, size, n_active: count, n_left: 0, counts: name(0), faces: name(1) }
    }

    /// Lets holders leave in step `step` with that hazard over the step; returns the coins they bring.
    pub(crate) fn leave(&mut self, step: u32, hazard: f64) -> i64 {
        if hazard <= 0.0 {
            return 0;
        }
        let mut coins = 0;
        for _ in 0..self.count(step, hazard) {
            coins += self.next();
        }
        coins
    }

    /// Binomial with n the active holders and p = 1 − exp(−hazard), by inversion, in blocks of a bounded mean.
    fn count(&self, step: u32, hazard: f64) -> u32 {
        let block_max =
            u32::try_from(whole((MEAN_MAX / hazard).min(1e9))).unwrap_or(u32::MAX).max(1);
        let (mut rest, mut total, mut block) = (self.n_active, 0, 0);
        while rest > 0 {
            let n = rest.min(block_max);
            rest -= n;
            // Blocks of one step are agents of their own: 2 and up.
            let name = Name { agent: if block == 0 { 0 } else { block + 1 }, ..self.counts };
            block += 1;
            let [mut u, _] = name.at(step);
            let mut probability = libm::exp(-hazard * f64::from(n));
            if u < probability {
                continue;
            }
            let odds = libm::expm1(hazard);
            let mut k = 0;
            while u >= probability && k < n {
                u -= probability;
                probability *= odds * f64::from(n - k) / f64::from(k + 1);
                k += 1;
            }
            total += k;
        }
        total
    }

    fn next(&mut self) -> i64 {
        let pair = self.faces.at(self.n_left / 2);
        let u = pair[(self.n_left % 2) as usize];
        let mut at = u32::try_from(whole(u * f64::from(self.n_active)))
            .unwrap_or(u32::MAX)
            .min(self.n_active - 1);
        self.n_left += 1;
        self.n_active -= 1;
        for (active, size) in self.active.iter_mut().zip(self.size) {
            if at < *active {
                *active -= 1;
                return size;
            }
            at -= *active;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departures_have_the_mean_and_variance_of_a_binomial() {
        for hazard in [1e-4, 0.01, 0.3] {
            let (n, runs) = (1000u32, 4000u32);
            let (mut sum, mut square) = (0.0, 0.0);
            for replication in 0..runs {
                let crowd = Crowd::new(n, 1.0, 1_000_000_000, 9, u64::from(replication));
                let k = f64::from(crowd.count(3, hazard));
                sum += k;
                square += k * k;
            }
            let p = 1.0 - (-hazard).exp();
            let (mean, variance) =
                (sum / f64::from(runs), square / f64::from(runs) - (sum / f64::from(runs)).powi(2));
            let (expected, spread) = (f64::from(n) * p, f64::from(n) * p * (1.0 - p));
            assert!(
                (mean - expected).abs() < 4.0 * (spread / f64::from(runs)).sqrt(),
                "{mean} {expected}"
            );
            // Excess kurtosis adds 1/spread to the relative variance of a sample variance.
            let error = spread * ((2.0 + 1.0 / spread) / f64::from(runs)).sqrt();
            assert!((variance - spread).abs() < 4.0 * error, "{variance} {spread}");
        }
    }

    #[test]
    fn all_coins_but_dust_leave_when_all_do() {
        let supply = 1_000_000_000_000_000;
        let mut crowd = Crowd::new(10_000, 1.0, supply, 1, 1);
        let coins = crowd.leave(0, 1e3);
        assert!(coins <= supply && supply - coins < 10_000, "{coins}");
        assert_eq!(crowd.leave(1, 1e3), 0);
    }
}
