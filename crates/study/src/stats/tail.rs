//! Value at risk and expected shortfall of a loss: larger is worse.

use super::bootstrap::{Counted, bca};
use super::{Estimate, index_floor, to_f64};

/// The loss that is exceeded with probability 1 − `level`, with its interval. `sorted` ascends.
///
/// The empirical quantile: the smallest loss whose share of losses at or below it is at least `level`.
pub fn value_at_risk(sorted: &[f64], level: f64, seed: u64) -> Estimate {
    bca(sorted, |sample| quantile(sample, level), seed)
}

/// The mean of the worst 1 − `level` of the losses, with its interval. `sorted` ascends.
///
/// Source: Acerbi and Tasche (2002), "On the coherence of expected shortfall", definition 2.6: where the tail does not
/// fall between two observations, the marginal one counts by its part, so the estimate is coherent for discrete losses.
pub fn expected_shortfall(sorted: &[f64], level: f64, seed: u64) -> Estimate {
    bca(sorted, |sample| shortfall(sample, level), seed)
}

/// Quantile of a counted sample, as in [`value_at_risk`].
pub fn quantile(sample: Counted<'_>, level: f64) -> f64 {
    let n = sample.n();
    // The k-th smallest, k = ⌈n·level⌉; a billionth of slack against 0.95·100 = 95.00000000000001.
    let rank = (index_floor((to_f64(n) * level - 1e-9).ceil()) as u64).clamp(1, n.max(1));
    let mut seen = 0;
    for (value, count) in sample.values.iter().zip(sample.counts) {
        seen += u64::from(*count);
        if rank <= seen {
            return *value;
        }
    }
    f64::NAN
}

fn shortfall(sample: Counted<'_>, level: f64) -> f64 {
    let tail = to_f64(sample.n()) * (1.0 - level);
    let (mut left, mut sum) = (tail, 0.0);
    for (value, count) in sample.values.iter().zip(sample.counts).rev() {
        let taken = f64::from(*count).min(left);
        sum += taken * value;
        left -= taken;
        if left <= 0.0 {
            break;
        }
    }
    sum / tail
}

/// Quantile of a plain sorted slice; missing when it is empty.
pub fn quantile_of(sorted: &[f64], level: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let n = super::len_f64(sorted.len());
    let rank = index_floor((n * level - 1e-9).ceil()).clamp(1, sorted.len());
    sorted[rank - 1]
}

#[cfg(test)]
mod tests {
    use super::super::{normal_quantile, to_f64};
    use super::*;
    use crate::random::Stream;

    #[test]
    fn one_to_a_hundred_has_the_var_and_the_shortfall_of_the_definition() {
        let losses: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!((value_at_risk(&losses, 0.95, 1).value - 95.0).abs() < 1e-12);
        assert!((expected_shortfall(&losses, 0.95, 1).value - 98.0).abs() < 1e-9);
        // 2.5 observations in the tail: (100 + 99 + 98/2) / 2.5.
        assert!((expected_shortfall(&losses, 0.975, 1).value - 248.0 / 2.5).abs() < 1e-9);
    }

    /// Standard normal: VaR 1.645, ES φ(1.645)/0.05 = 2.0627.
    #[test]
    fn the_normals_tail_is_inside_both_intervals() {
        let n = 20_000_u64;
        let mut stream = Stream::new(5);
        let mut losses: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        losses.sort_by(f64::total_cmp);
        let var = value_at_risk(&losses, 0.95, 2);
        let shortfall = expected_shortfall(&losses, 0.95, 3);
        assert!(var.low < normal_quantile(0.95) && normal_quantile(0.95) < var.high, "{var:?}");
        assert!(shortfall.low < 2.0627 && 2.0627 < shortfall.high, "{shortfall:?}");
        // Asymptotic standard error of the quantile: √(p(1−p)/n)/φ(q).
        let error = (0.95 * 0.05 / to_f64(n)).sqrt() / 0.103_136;
        assert!((var.half_width() / (1.96 * error) - 1.0).abs() < 0.35, "{var:?}");
    }
}
