//! Probabilities below 1e-3, where plain replication would spend a million runs to see a thousand events.

use super::{Estimate, Method, len_f64, normal_quantile};
use crate::random::Stream;

/// A weighted sample's estimate, and how much the weights cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted {
    /// The probability or mean.
    pub estimate: Estimate,
    /// (Σw)²/Σw²: the size of the plain sample that the weights are worth. Below a few dozen, distrust the interval.
    pub effective: f64,
}

/// Mean of `value · weight`, where `weight` is the likelihood ratio of the target to the proposal.
///
/// Source: Owen, *Monte Carlo theory, methods and examples*, chapter 9.
pub fn importance(draws: &[(f64, f64)]) -> Weighted {
    let moments = super::mean::Moments::of(draws.iter().map(|(value, weight)| value * weight));
    let half = normal_quantile(0.975) * moments.standard_error();
    let sum: f64 = draws.iter().map(|(_, weight)| weight).sum();
    let squares: f64 = draws.iter().map(|(_, weight)| weight * weight).sum();
    Weighted {
        estimate: Estimate {
            value: moments.mean,
            low: moments.mean - half,
            high: moments.mean + half,
            n: moments.n,
            method: Method::Importance,
        },
        effective: if squares > 0.0 { sum * sum / squares } else { 0.0 },
    }
}

/// Fixed-effort splitting: P(reach the last level) as a product of conditional shares.
///
/// `start` makes a state; `advance` runs it until it reaches the level given or dies, and gives the state at which it
/// reached it. Each stage runs `effort` states, drawn with replacement from those that reached the level before. The
/// interval is log-normal, with the stages taken as independent, which makes it a little narrow when few survive.
///
/// Source: Garvels (2000), *The splitting method in rare event simulation*, chapter 3.
pub fn split<S: Clone>(
    levels: &[f64],
    effort: usize,
    seed: u64,
    start: impl Fn(&mut Stream) -> S,
    advance: impl Fn(S, f64, &mut Stream) -> Option<S>,
) -> Estimate {
    let (mut probability, mut variance) = (1.0, 0.0);
    let mut reached: Vec<S> = Vec::new();
    let mut runs = 0;
    for (stage, level) in levels.iter().enumerate() {
        let mut arrived = Vec::new();
        for run in 0..effort {
            let mut stream = Stream::keyed(seed, &[stage as u64, run as u64]);
            let state = if stage == 0 {
                start(&mut stream)
            } else {
                reached[stream.below(reached.len())].clone()
            };
            arrived.extend(advance(state, *level, &mut stream));
            runs += 1;
        }
        let share = len_f64(arrived.len()) / len_f64(effort);
        probability *= share;
        if arrived.is_empty() {
            return Estimate {
                value: 0.0,
                low: 0.0,
                high: f64::NAN,
                n: runs,
                method: Method::Splitting,
            };
        }
        variance += (1.0 - share) / (share * len_f64(effort));
        reached = arrived;
    }
    let width = (normal_quantile(0.975) * variance.sqrt()).exp();
    Estimate {
        value: probability,
        low: probability / width,
        high: (probability * width).min(1.0),
        n: runs,
        method: Method::Splitting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P(Z > 4) = 3.167·10⁻⁵ by drawing around 4: 20,000 draws, where plain ones would see no event half the time.
    #[test]
    fn tilting_a_normal_finds_its_far_tail() {
        let mut stream = Stream::new(41);
        let draws: Vec<(f64, f64)> = (0..20_000)
            .map(|_| {
                let x = stream.normal() + 4.0;
                (f64::from(u8::from(x > 4.0)), (8.0 - 4.0 * x).exp())
            })
            .collect();
        let weighted = importance(&draws);
        let closed = 3.167_124e-5;
        assert!(weighted.estimate.low < closed && closed < weighted.estimate.high);
        assert!(weighted.estimate.half_width() < 0.05 * closed, "{weighted:?}");
    }

    /// Gambler's ruin, up with probability 0.3 from 1: P(20 before 0) = (1 − r)/(1 − r²⁰), r = 7/3 → 5.8·10⁻⁸.
    #[test]
    fn splitting_finds_the_gamblers_ruin() {
        let r: f64 = 7.0 / 3.0;
        let closed = (1.0 - r) / (1.0 - r.powi(20));
        let levels: Vec<f64> = (2..=20).map(f64::from).collect();
        let estimate = split(
            &levels,
            4_000,
            43,
            |_| 1.0_f64,
            |mut x, level, stream| {
                while x > 0.0 && x < level {
                    x += if stream.uniform() < 0.3 { 1.0 } else { -1.0 };
                }
                (x >= level).then_some(x)
            },
        );
        assert!((estimate.value / closed - 1.0).abs() < 0.25, "{estimate:?} against {closed}");
        assert!(estimate.low < closed && closed < estimate.high, "{estimate:?} against {closed}");
    }

    #[test]
    fn a_level_that_nobody_reaches_is_said_and_not_guessed() {
        let estimate = split(&[1.0], 10, 1, |_| (), |(), _, _| None::<()>);
        assert_eq!(estimate.value, 0.0);
        assert!(estimate.high.is_nan());
    }
}
