//! Holders: what they know, how many would withdraw, who leaves. Book, simulator 7.3 and 7.4.

use crate::closed_form::{Flag, Game, truncated_normal};
use crate::maths::{normal_cdf, normal_quantile};
use crate::policy::Disclosure;
use crate::rng::{Name, Purpose};
use crate::scenario::{Scenario, Selection};

/// What holders go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// What they always believed.
    Prior,
    /// A rumour.
    Rumour,
    /// A flag, which a drill may have fired.
    Flag,
    /// A range.
    Range,
    /// The figure.
    Public,
}

/// Signal below which holders leave, and whether there were others to choose from.
#[derive(Debug, Clone, Copy)]
struct Threshold {
    signal: f64,
    multiple: bool,
}

/// Thresholds of one scenario by what is known, solved once.
#[derive(Debug, Clone)]
pub(crate) struct Beliefs {
    prior: Threshold,
    rumour: Threshold,
    flag: Threshold,
    /// Weight of the flag's own threshold: the rest think it is a drill.
    flag_weight: f64,
    /// By bracket of `range_width`.
    range: Vec<Threshold>,
    range_width: f64,
    /// By published figure, in thousandths: it is rounded **down** to those.
    public: Vec<Threshold>,
    precision_root: f64,
}

/// Figures above this are published as this: nobody runs from either.
const FIGURE_MAX: f64 = 1.2;

impl Beliefs {
    pub(crate) fn new(scenario: &Scenario, disclosure: Disclosure) -> Self {
        let holders = &scenario.holders;
        let solve = |precision: f64, mean: f64| {
            let game = Game {
                public_precision: precision,
                public_mean: mean,
                private_precision: holders.private_precision.0,
                kappa: holders.kappa.0,
            };
            let found = game.equilibria();
            let chosen = match holders.selection {
                Selection::Worst => found.last(),
                Selection::Best => found.first(),
            };
            // There is always a root; without one holders would leave whatever they saw.
            Threshold {
                signal: chosen.map_or(f64::INFINITY, |equilibrium| equilibrium.signal),
                multiple: found.len() > 1,
            }
        };
        let cap = holders.public_precision.0;
        let prior_sd = 1.0 / libm::sqrt(holders.prior_precision.0.max(1e-12));
        // A published set is as good as the prior cut to it, and never better than an exact figure.
        let within = |low: f64, high: f64| {
            let (mean, sd) = truncated_normal(holders.prior.0, prior_sd, low, high);
            solve((1.0 / (sd * sd)).min(cap), mean)
        };
        let width = holders.range_width.0;
        let range = if disclosure == Disclosure::Range {
            brackets(width).map(|at| within(at * width, (at + 1.0) * width)).collect()
        } else {
            Vec::new()
        };
        let public = (0..=figure(FIGURE_MAX)).map(|at| solve(cap, at as f64 / 1e3)).collect();
        let flag = Flag { prior: scenario.shock.probability.0, cover: scenario.adversary.cover.0 };
        Self {
            prior: solve(holders.prior_precision.0, holders.prior.0),
            rumour: solve(holders.prior_precision.0, holders.prior.0 - scenario.shock.rumour.0),
            flag: within(f64::NEG_INFINITY, holders.flag_below.0),
            flag_weight: flag.posterior(),
            range,
            range_width: width,
            public,
            precision_root: libm::sqrt(holders.private_precision.0),
        }
    }

    /// A(θ), equation (6), and whether it depended on a choice of equilibrium.
    pub(crate) fn withdrawing(&self, known: Known, theta: f64) -> (f64, bool) {
        let share = |threshold: &Threshold| {
            (normal_cdf(self.precision_root * (threshold.signal - theta)), threshold.multiple)
        };
        match known {
            Known::Prior => share(&self.prior),
            Known::Rumour => share(&self.rumour),
            Known::Flag => {
                let (flag, prior) = (share(&self.flag), share(&self.prior));
                let mixed = self.flag_weight * flag.0 + (1.0 - self.flag_weight) * prior.0;
                (mixed, flag.1 || prior.1)
            }
            Known::Range => {
                let last = self.range.len().saturating_sub(1);
                self.range
                    .get(whole(theta / self.range_width).min(last))
                    .map_or((0.0, false), share)
            }
            Known::Public => {
                let last = self.public.len().saturating_sub(1);
                self.public.get(figure(theta).min(last)).map_or((0.0, false), share)
            }
        }
    }

    /// How much of a hole the public reckons with when it sees this: 1, or the posterior of a flag.
    pub(crate) const fn weight(&self, known: Known) -> f64 {
        match known {
            Known::Prior | Known::Rumour => 0.0,
            Known::Flag => self.flag_weight,
            Known::Range | Known::Public => 1.0,
        }
    }
}

fn brackets(width: f64) -> impl Iterator<Item = f64> {
    (0..=whole(FIGURE_MAX / width)).map(|at| at as f64)
}

fn figure(theta: f64) -> usize {
    whole(theta * 1e3 + 1e-9)
}

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
