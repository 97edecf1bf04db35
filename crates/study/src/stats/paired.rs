//! Two policies under the same shocks: differences, what pairing saved, and what testing many costs.

use serde::{Deserialize, Serialize};

use super::mean::Moments;
use super::proportion::score;
use super::{Estimate, Method, t_p_value, to_f64};

/// The difference `a − b` over replications in which both saw the same shocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Mean of `a − b`.
    pub estimate: Estimate,
    /// Variance of the difference of independent samples over that of the paired one: how many times more runs the
    /// same precision would take without common random numbers. Missing when the paired variance is zero.
    #[serde(with = "super::missing")]
    pub reduction: f64,
    /// Two-sided p-value of no difference, before correction for the number of comparisons.
    #[serde(with = "super::missing")]
    pub p_value: f64,
}

/// Running sums of a pair; mergeable in chunk order.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pair {
    a: Moments,
    b: Moments,
    difference: Moments,
}

impl Pair {
    /// One replication's values under both policies.
    pub fn add(&mut self, a: f64, b: f64) {
        self.a.add(a);
        self.b.add(b);
        self.difference.add(a - b);
    }

    /// What the pairs say. A p-value by Student's t on the differences; for indicators this is the large-sample form
    /// of `McNemar`'s test.
    pub fn difference(&self) -> Difference {
        let estimate = self.difference.estimate_as(Method::PairedT);
        let variance = self.difference.variance();
        let independent = self.a.variance() + self.b.variance();
        let reduction = if variance > 0.0 { independent / variance } else { f64::NAN };
        let n = self.difference.n;
        let p_value = if n < 2 {
            f64::NAN
        } else if variance > 0.0 {
            t_p_value(self.difference.mean / (variance / to_f64(n)).sqrt(), n - 1)
        } else {
            f64::from(u8::from(self.difference.mean == 0.0))
        };
        Difference { estimate, reduction, p_value }
    }

    /// The same where every value was 0 or 1: the interval is Newcombe's, which stays inside [−1, 1] and has a width where
    /// no pair differs.
    ///
    /// Source: Newcombe (1998), "Improved confidence intervals for the difference between binomial proportions based on
    /// paired data", method 10.
    pub fn difference_of_shares(&self) -> Difference {
        let plain = self.difference();
        let n = to_f64(self.difference.n);
        if self.difference.n == 0 {
            return Difference { estimate: Estimate::missing(Method::PairedShares), ..plain };
        }
        // Pairs that differ are those whose square is 1.
        let apart = (self.difference.squares + n * self.difference.mean.powi(2)).round();
        let (of_a, of_b) = ((n * self.a.mean).round(), (n * self.b.mean).round());
        let only_a = f64::midpoint(apart, of_a - of_b).round();
        let (only_b, both) = (apart - only_a, of_a - only_a);
        let neither = n - both - apart;
        let spread = of_a * (n - of_a) * of_b * (n - of_b);
        let together = both * neither - only_a * only_b;
        let corrected = if together > 0.0 { (together - n / 2.0).max(0.0) } else { together };
        let phi = if spread > 0.0 { corrected / spread.sqrt() } else { 0.0 };
        let (a, b) = (of_a / n, of_b / n);
        let ((a_low, a_high), (b_low, b_high)) = (score(a, n), score(b, n));
        let reach = |one: f64, other: f64| {
            (one * one - 2.0 * phi * one * other + other * other).max(0.0).sqrt()
        };
        let estimate = Estimate {
            value: a - b,
            low: (a - b - reach(a - a_low, b_high - b)).max(-1.0),
            high: (a - b + reach(a_high - a, b - b_low)).min(1.0),
            n: self.difference.n,
            method: Method::PairedShares,
        };
        Difference { estimate, ..plain }
    }
}

/// P-values corrected so that the chance of any false claim among them stays below the level, in the order given.
/// Missing values stay missing and are not counted.
///
/// Source: Holm (1979), "A simple sequentially rejective multiple test procedure".
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> =
        (0..p_values.len()).filter(|index| !p_values[*index].is_nan()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut corrected = vec![f64::NAN; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, index) in order.iter().enumerate() {
        let factor = super::len_f64(order.len() - rank);
        largest = largest.max((p_values[*index] * factor).min(1.0));
        corrected[*index] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    /// Student (1908), sleep under two drugs, paired: t = −4.0621, 9 degrees of freedom, p = 0.002833.
    #[test]
    fn students_pairs_give_the_published_test() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let mut pair = Pair::default();
        first.iter().zip(second).for_each(|(a, b)| pair.add(*a, b));
        let difference = pair.difference();
        assert!((difference.estimate.value + 1.58).abs() < 1e-12);
        assert!((difference.p_value - 0.002_833).abs() < 1e-6, "{difference:?}");
        assert!((difference.estimate.low + 2.459_885_8).abs() < 1e-6);
    }

    fn table(both: u32, only_a: u32, only_b: u32, neither: u32) -> Difference {
        let mut pair = Pair::default();
        for (times, a, b) in
            [(both, 1.0, 1.0), (only_a, 1.0, 0.0), (only_b, 0.0, 1.0), (neither, 0.0, 0.0)]
        {
            (0..times).for_each(|_| pair.add(a, b));
        }
        pair.difference_of_shares()
    }

    /// Fagerland, Lydersen and Laake (2017), chapter 8, the data of Bentur and others (2009): −0.286 (−0.507 to −0.026).
    /// Altman and others (2000), table 6.2: 0.122 (0.011 to 0.226).
    #[test]
    fn newcombes_tenth_method_gives_its_published_intervals() {
        for (counts, value, low, high) in
            [([1, 1, 7, 12], -0.286, -0.507, -0.026), ([14, 5, 0, 22], 0.122, 0.011, 0.226)]
        {
            let [both, only_a, only_b, neither] = counts;
            let estimate = table(both, only_a, only_b, neither).estimate;
            for (got, want) in [(estimate.value, value), (estimate.low, low), (estimate.high, high)]
            {
                assert!((got - want).abs() < 6e-4, "{estimate:?}");
            }
        }
    }

    /// Nineteen of twenty: by Student's t the interval ended at 1.11.
    #[test]
    fn a_difference_of_shares_is_in_its_range_and_never_certain() {
        for counts in [[0, 20, 0, 0], [0, 19, 1, 0], [0, 19, 0, 1], [20, 0, 0, 0], [0, 0, 20, 0]] {
            let [both, only_a, only_b, neither] = counts;
            let estimate = table(both, only_a, only_b, neither).estimate;
            let ends = [-1.0, estimate.low, estimate.value, estimate.high, 1.0];
            assert!(ends.is_sorted() && estimate.half_width() > 0.05, "{estimate:?}");
        }
        assert!(Pair::default().difference_of_shares().estimate.value.is_nan());
    }

    #[test]
    fn the_interval_of_a_difference_of_shares_covers_it_about_as_often_as_it_says() {
        let mut covered = 0;
        for trial in 0..1_000 {
            let mut stream = Stream::keyed(17, &[trial]);
            let mut pair = Pair::default();
            for _ in 0..80 {
                // Shares of 0.95 and 0.85 that go together.
                let u = stream.uniform();
                pair.add(
                    f64::from(u8::from(u < 0.95)),
                    f64::from(u8::from((u + 0.02) % 1.0 < 0.85)),
                );
            }
            let estimate = pair.difference_of_shares().estimate;
            covered += u32::from(estimate.low <= 0.1 && 0.1 <= estimate.high);
        }
        assert!((930..=985).contains(&covered), "{covered} of 1,000");
    }

    /// R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03, 0.06, 0.06, 0.02.
    #[test]
    fn holm_orders_and_never_falls() {
        let corrected = holm(&[0.01, 0.04, f64::NAN, 0.03, 0.005]);
        let expected = [0.03, 0.06, f64::NAN, 0.06, 0.02];
        for (got, want) in corrected.iter().zip(expected) {
            assert!((got - want).abs() < 1e-12 || (got.is_nan() && want.is_nan()), "{corrected:?}");
        }
    }

    /// a = z + e, b = z + e′ with unit noises and var z = 9: independent 20, paired 2.
    #[test]
    fn common_shocks_reduce_the_variance_by_what_they_share() {
        let mut stream = Stream::new(3);
        let mut pair = Pair::default();
        for _ in 0..20_000 {
            let shared = 3.0 * stream.normal();
            pair.add(shared + stream.normal(), shared + stream.normal());
        }
        assert!((pair.difference().reduction - 10.0).abs() < 0.4, "{:?}", pair.difference());
    }
}
