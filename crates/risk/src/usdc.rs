//! USDC, 10 to 14 March 2023: the weekend the price model is calibrated on, from published moments alone.
//!
//! The path is equation (7) of the book's simulator 7.5 with four beliefs, one a regime: before disclosure, after it, after the
//! guarantee with redemption still shut, after reopening. The last two are no chance of loss but what waiting costs, in
//! the same unit. No series is part of this crate; where one is at hand, a test compares with it.
//!
//! One event, in sample, eight numbers: a starting point, not a law. The path misses the second dip of 12 March, 06 to
//! 09 h.

use crate::units::{Dollars, Rate, Share, Span};
use crate::{Holders, Issuer, Makers, Market, Scenario, Shock};

/// Hours from 10 March 12:00Z to 14 March 01:00Z.
pub const HOURS: usize = 85;
/// Receivership of the bank, 10 March 17:00Z, the first whole hour after it.
pub const RECEIVERSHIP: usize = 5;
/// Disclosure of $3.3bn, 11 March 03:00Z.
pub const DISCLOSED: usize = 15;
/// The guarantee, 12 March 22:00Z.
pub const GUARANTEED: usize = 58;
/// Redemption opens, 13 March 13:00Z.
pub const REOPENED: usize = 73;
/// φ: $3.3bn of some $43.2bn outstanding.
pub const LOSS: f64 = 0.0764;

/// Steps of five minutes in an hour.
const STEPS: u32 = 12;

/// What is compared: all discounts are hourly means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Largest hourly discount.
    pub max: f64,
    /// Mean discount by regime. The hour of the guarantee and the two in which redemption reopened belong to none: most
    /// of the move is inside them.
    pub means: [f64; 4],
    /// Hours below 0.99, 0.98, 0.95 and 0.92.
    pub hours_below: [u32; 4],
}

/// Moments of Kraken's hourly volume-weighted prices. Source: computed from
/// juunnq/usdc-depeg-artifact-fc27@b2f939d9, which has them from Kraken's public trades; book, simulator 1.
pub const PUBLISHED: Moments =
    Moments { max: 0.1071, means: [0.0032, 0.0491, 0.0082, 0.0009], hours_below: [47, 40, 14, 10] };

/// The eight numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// q by regime.
    pub beliefs: [f64; 4],
    /// Selling at disclosure, share of supply per hour.
    pub panic: f64,
    /// Hours in which it falls by a factor e.
    pub panic_decay: f64,
    /// u per hour while redemption is shut.
    pub unwind_closed: f64,
    /// u per hour once it is open.
    pub unwind_open: f64,
}

/// The fit of book, simulator 7.5 to all 85 hours; the beliefs it does not state are its regime means over φ.
pub const NOTE: Fit = Fit {
    beliefs: [0.042, 0.368, 0.0082 / LOSS, 0.0009 / LOSS],
    panic: 0.034,
    panic_decay: 5.2,
    unwind_closed: 0.194,
    unwind_open: 1.37,
};

impl Fit {
    /// Discount by hour, [`HOURS`] of them: equation (7) in steps of five minutes, without pool and noise.
    pub fn path(&self) -> Vec<f64> {
        let step_h = 1.0 / f64::from(STEPS);
        let mut inventory = 0.0;
        (0..HOURS)
            .map(|hour| {
                let belief = match hour {
                    _ if hour < RECEIVERSHIP => 0.0,
                    _ if hour < DISCLOSED => self.beliefs[0],
                    _ if hour < GUARANTEED => self.beliefs[1],
                    _ if hour < REOPENED => self.beliefs[2],
                    _ => self.beliefs[3],
                };
                let unwind = if hour < REOPENED { self.unwind_closed } else { self.unwind_open };
                let keep = libm::exp(-unwind * step_h);
                let mut sum = 0.0;
                for step in 0..STEPS {
                    let selling = if hour >= DISCLOSED {
                        let since = (hour - DISCLOSED) as f64 + f64::from(step) * step_h;
                        self.panic * libm::exp(-since / self.panic_decay)
                    } else {
                        0.0
                    };
                    inventory = inventory * keep + selling * step_h;
                    sum += belief * LOSS + inventory;
                }
                sum * step_h
            })
            .collect()
    }
}

/// Moments of a path of [`HOURS`] hourly discounts; of fewer, what there is.
pub fn moments(path: &[f64]) -> Moments {
    let mean = |from: usize, to: usize| {
        let part = path.get(from..to.min(path.len())).unwrap_or_default();
        if part.is_empty() { 0.0 } else { part.iter().sum::<f64>() / part.len() as f64 }
    };
    let below = |price: f64| {
        u32::try_from(path.iter().filter(|discount| 1.0 - **discount < price).count())
            .unwrap_or(u32::MAX)
    };
    Moments {
        max: path.iter().copied().fold(0.0, f64::max),
        means: [
            mean(RECEIVERSHIP, DISCLOSED),
            mean(DISCLOSED, GUARANTEED),
            mean(GUARANTEED + 1, REOPENED),
            mean(REOPENED + 2, HOURS),
        ],
        hours_below: [below(0.99), below(0.98), below(0.95), below(0.92)],
    }
}

/// Root mean square difference of two paths, over the hours both have.
pub fn rmse(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len()).max(1);
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    libm::sqrt(sum / n as f64)
}

/// Fits the path to moments alone, by a pattern search from [`NOTE`] on relative errors of the largest discount, the mean
/// after disclosure and the hours below each price.
///
/// The other three beliefs are their regime's mean over φ. The unwinding after reopening stays the note's: hourly means
/// do not tell it.
pub fn fit(target: &Moments) -> Fit {
    let mut best = NOTE;
    for regime in [0, 2, 3] {
        best.beliefs[regime] = target.means[regime] / LOSS;
    }
    let error = |fit: &Fit| {
        let found = moments(&fit.path());
        let relative = |found: f64, wanted: f64| {
            let error = if wanted > 0.0 { found / wanted - 1.0 } else { found };
            error * error
        };
        let hours = found.hours_below.iter().zip(target.hours_below);
        relative(found.max, target.max)
            + relative(found.means[1], target.means[1])
            + hours
                .map(|(found, wanted)| relative(f64::from(*found), f64::from(wanted)))
                .sum::<f64>()
    };
    let mut least = error(&best);
    let mut step = 0.2;
    while step > 1e-3 {
        let before = least;
        for which in 0..4 {
            for factor in [1.0 + step, 1.0 / (1.0 + step)] {
                let mut tried = best;
                match which {
                    0 => tried.beliefs[1] *= factor,
                    1 => tried.panic *= factor,
                    2 => tried.panic_decay *= factor,
                    _ => tried.unwind_closed *= factor,
                }
                let value = error(&tried);
                if value < least {
                    (best, least) = (tried, value);
                }
            }
        }
        if least >= before {
            step *= 0.5;
        }
    }
    best
}

/// The weekend as a world in which a policy is tried: how would it have done?
///
/// Reserves, supply, loss, closing hours and attention are the event's. That there are makers for a hundredfold gap is
/// assumed: their capacities are the base's times the ratio of the gaps. There is no guarantee in it.
pub fn scenario() -> Scenario {
    let base = Scenario::default();
    let hours = |hours: usize| Span(hours as u64 * 3600);
    Scenario {
        issuer: Issuer {
            supply: Dollars(43_200_000_000 * Dollars::ONE),
            closed_at: hours(DISCLOSED),
            closed_for: hours(REOPENED - DISCLOSED),
            ..base.issuer
        },
        shock: Shock { gap: Share(LOSS), at: hours(RECEIVERSHIP), ..base.shock },
        holders: Holders { attention: Rate(0.0015), ..base.holders },
        market: Market { pool: Share(0.0), ..base.market },
        makers: Makers { capacity: Dollars(440_000_000 * Dollars::ONE), ..base.makers },
        ..base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near_published(found: &Moments, max: f64, mean: f64, hours: u32) {
        assert!((found.max - PUBLISHED.max).abs() < max, "{found:?}");
        for (found, published) in found.means.iter().zip(PUBLISHED.means) {
            assert!((found - published).abs() < mean, "{found} {published}");
        }
        for (found, published) in found.hours_below.iter().zip(PUBLISHED.hours_below) {
            assert!(found.abs_diff(published) <= hours, "{found:?}");
        }
        // Closed and known, closed and guaranteed, open and unknown, open and over.
        let [before, after, guaranteed, reopened] = found.means;
        assert!(after > guaranteed && guaranteed > before && before > reopened);
    }

    #[test]
    fn the_notes_fit_gives_the_published_moments_and_their_order() {
        // Its trough is 9.4 % against 10.7 %, and the note says 9.3 %.
        near_published(&moments(&NOTE.path()), 0.017, 0.003, 6);
    }

    #[test]
    fn a_fit_to_moments_alone_gives_them_closer() {
        let fitted = fit(&PUBLISHED);
        near_published(&moments(&fitted.path()), 0.007, 0.003, 5);
        assert_eq!(fitted, fit(&PUBLISHED), "no chance in it");
    }
}
