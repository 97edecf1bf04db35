//! Shares and their score interval, which stays inside [0, 1] and is honest at 0 and 1.

use super::{Estimate, Method, normal_quantile, to_f64};

/// The share `hits / n` with Wilson's 95 % interval. Missing when `n` is zero.
///
/// Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
pub fn wilson(hits: u64, n: u64) -> Estimate {
    if n == 0 {
        return Estimate::missing(Method::Wilson);
    }
    let share = to_f64(hits) / to_f64(n);
    let (low, high) = score(share, to_f64(n));
    Estimate { value: share, low, high, n, method: Method::Wilson }
}

/// Wilson's ends for a share of `total` observations, which need not be whole.
pub(crate) fn score(share: f64, total: f64) -> (f64, f64) {
    let z = normal_quantile(f64::midpoint(1.0, super::CONFIDENCE));
    let centre = (share + z * z / (2.0 * total)) / (1.0 + z * z / total);
    let half = z / (1.0 + z * z / total)
        * (share * (1.0 - share) / total + z * z / (4.0 * total * total)).sqrt();
    // Rounding must not put the share outside.
    ((centre - half).max(0.0).min(share), (centre + half).min(1.0).max(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
    #[test]
    fn newcombes_table_is_reproduced() {
        for (hits, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let estimate = wilson(hits, n);
            assert!((estimate.low - low).abs() < 5e-5, "{hits}/{n}: {estimate:?}");
            assert!((estimate.high - high).abs() < 5e-5, "{hits}/{n}: {estimate:?}");
        }
    }

    #[test]
    fn no_observation_gives_no_number() {
        assert!(wilson(0, 0).value.is_nan());
    }
}
