//! Probabilities below 1e-3, where plain replication would spend a million runs to see a thousand events.

use super::proportion::score;
use super::{Estimate, Method, len_f64, normal_quantile, to_f64};
use crate::random::Stream;

/// A weighted sample's estimate, and how many events it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted {
    /// The probability.
    pub estimate: Estimate,
    /// (Σw)²/Σw² over the draws that were events: how many events of one weight say as much. Below a few dozen, distrust
    /// the interval.
    pub effective: f64,
}

/// Probability of an event from draws of (was it one, w), w the likelihood ratio of the target to the proposal: the mean of w
/// over events, at most 1.
///
/// The interval is Wilson's for as many plain runs as would be as uncertain, n = p(1 − p)/Var(p̂), so it stays in [0, 1]
/// and is Wilson's where all weights are 1. Without an event, or where p̂ reaches 1, n is (Σw)²/Σw² over all draws.
///
/// Source: Owen, *Monte Carlo theory, methods and examples*, chapter 9; Korn and Graubard (1998) for the plain size.
pub fn importance(draws: &[(bool, f64)]) -> Weighted {
    let n = draws.len() as u64;
    if n == 0 {
        return Weighted { estimate: Estimate::missing(Method::Importance), effective: 0.0 };
    }
    let squared = |weights: &mut dyn Iterator<Item = f64>| {
        let (sum, squares) =
            weights.fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
        if squares > 0.0 { sum * sum / squares } else { 0.0 }
    };
    let of_event = |(is_event, weight): &(bool, f64)| if *is_event { *weight } else { 0.0 };
    let moments = super::mean::Moments::of(draws.iter().map(of_event));
    let share = moments.mean.min(1.0);
    let variance = moments.variance() / to_f64(n);
    let alike = share * (1.0 - share) / variance;
    let plain = if alike.is_finite() && alike > 0.0 {
        alike
    } else {
        squared(&mut draws.iter().map(|(_, weight)| *weight))
    };
    let (low, high) = score(share, plain);
    Weighted {
        estimate: Estimate { value: share, low, high, n, method: Method::Importance },
        effective: squared(&mut draws.iter().map(of_event)),
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
        let draws: Vec<(bool, f64)> = (0..20_000)
            .map(|_| {
                let x = stream.normal() + 4.0;
                (x > 4.0, (8.0 - 4.0 * x).exp())
            })
            .collect();
        let weighted = importance(&draws);
        let closed = 3.167_124e-5;
        assert!(weighted.estimate.low < closed && closed < weighted.estimate.high);
        assert!(weighted.estimate.half_width() < 0.05 * closed, "{weighted:?}");
        // Half of the draws are events, and their weights differ by orders of magnitude.
        assert!((3_000.0..6_000.0).contains(&weighted.effective), "{weighted:?}");
    }

    #[test]
    fn the_effective_number_counts_events_and_not_draws() {
        let mut draws = vec![(false, 1.0); 10_000];
        draws[0].0 = true;
        let weighted = importance(&draws);
        assert!((weighted.effective - 1.0).abs() < 1e-12, "{weighted:?}");
        let wilson = super::super::proportion::wilson(1, 10_000);
        assert!((weighted.estimate.low - wilson.low).abs() < 1e-7, "{weighted:?} {wilson:?}");
        assert!((weighted.estimate.high - wilson.high).abs() < 1e-7, "{weighted:?} {wilson:?}");
    }

    /// A likely event under weights that vary: the normal interval ended above 1, and below 0 for a rare one.
    #[test]
    fn an_interval_of_a_probability_is_in_its_range() {
        let mut stream = Stream::new(5);
        for shift in [0.5, 1.0, 1.5] {
            for level in [-3.0, 0.0, 3.0] {
                let draws: Vec<(bool, f64)> = (0..60)
                    .map(|_| {
                        let x = stream.normal() + shift;
                        (x > level, (shift * shift / 2.0 - shift * x).exp())
                    })
                    .collect();
                let estimate = importance(&draws).estimate;
                let ends = [0.0, estimate.low, estimate.value, estimate.high, 1.0];
                assert!(ends.is_sorted(), "{estimate:?}");
            }
        }
        let none = importance(&[(false, 1.0); 20]).estimate;
        assert!(none.value == 0.0 && (none.high - 0.1611).abs() < 5e-5, "{none:?}");
        assert!(importance(&[]).estimate.value.is_nan());
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
