//! Bias-corrected and accelerated bootstrap, over a sorted sample with counts.
//!
//! A resample is a count per observation, so a quantile of it costs one pass and no sorting.

use super::{Estimate, Method, index_floor, len_f64, normal_cdf, normal_quantile};
use crate::random::Stream;

/// Resamples of every bootstrap here: odd, so that 2.5 % and 97.5 % fall on order statistics.
pub const RESAMPLES: usize = 999;

/// Groups of the jackknife that measures acceleration, when the sample is larger: leaving out one observation of ten
/// thousand at a time would cost n² and say the same.
const JACKKNIFE_GROUPS: usize = 200;

/// A sorted sample in which the i-th value occurs `counts[i]` times.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// Ascending.
    pub values: &'a [f64],
    /// As long as `values`.
    pub counts: &'a [u32],
}

impl Counted<'_> {
    /// Number of observations.
    pub fn n(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }
}

/// Estimates `statistic` with its BCa interval. `sorted` ascends; the interval depends on `seed` alone.
///
/// Where every resample gives the same value, the interval has no width; with an empty sample it is missing.
///
/// Source: Efron (1987), "Better bootstrap confidence intervals"; Efron and Tibshirani (1993), chapter 14.
pub fn bca(sorted: &[f64], statistic: impl Fn(Counted<'_>) -> f64, seed: u64) -> Estimate {
    bca_at(sorted, statistic, seed, (1.0 - super::CONFIDENCE) / 2.0)
}

fn bca_at(
    sorted: &[f64],
    statistic: impl Fn(Counted<'_>) -> f64,
    seed: u64,
    tail: f64,
) -> Estimate {
    let n = sorted.len();
    if n == 0 {
        return Estimate::missing(Method::Bca);
    }
    let mut counts = vec![1_u32; n];
    let value = statistic(Counted { values: sorted, counts: &counts });
    let mut stream = Stream::new(seed);
    let mut replicates: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            counts.fill(0);
            for _ in 0..n {
                counts[stream.below(n)] += 1;
            }
            statistic(Counted { values: sorted, counts: &counts })
        })
        .collect();
    replicates.sort_by(f64::total_cmp);
    let acceleration = acceleration(sorted, &statistic);
    let (low, high) = bca_ends(&replicates, value, acceleration, tail);
    Estimate { value, low, high, n: n as u64, method: Method::Bca }
}

/// The interval's ends from sorted bootstrap replicates.
fn bca_ends(replicates: &[f64], value: f64, acceleration: f64, tail: f64) -> (f64, f64) {
    let below = replicates.iter().filter(|replicate| **replicate < value).count();
    let ties = replicates.iter().filter(|replicate| **replicate == value).count();
    // Ties count half: discrete statistics (a quantile of few values) would otherwise look biased.
    let share = (len_f64(below) + len_f64(ties) / 2.0) / len_f64(replicates.len());
    let edge = 0.5 / len_f64(replicates.len());
    let bias = normal_quantile(share.clamp(edge, 1.0 - edge));
    let end = |level: f64| {
        let z = bias + normal_quantile(level);
        let denominator = 1.0 - acceleration * z;
        let adjusted = normal_cdf(bias + z / denominator.max(1e-9));
        order_statistic(replicates, adjusted)
    };
    (end(tail), end(1.0 - tail))
}

/// The percentile interval of bootstrap replicates, which are sorted here.
pub fn percentile(mut replicates: Vec<f64>, value: f64, n: u64) -> Estimate {
    replicates.sort_by(f64::total_cmp);
    let tail = (1.0 - super::CONFIDENCE) / 2.0;
    let (low, high) = if replicates.is_empty() {
        (f64::NAN, f64::NAN)
    } else {
        (order_statistic(&replicates, tail), order_statistic(&replicates, 1.0 - tail))
    };
    Estimate { value, low, high, n, method: Method::Percentile }
}

fn order_statistic(sorted: &[f64], level: f64) -> f64 {
    let index = index_floor(level * (len_f64(sorted.len()) + 1.0)).max(1) - 1;
    sorted[index.min(sorted.len() - 1)]
}

fn acceleration(sorted: &[f64], statistic: &impl Fn(Counted<'_>) -> f64) -> f64 {
    let n = sorted.len();
    let groups = n.min(JACKKNIFE_GROUPS);
    if groups < 2 {
        return 0.0;
    }
    let mut counts = vec![1_u32; n];
    let left_out: Vec<f64> = (0..groups)
        .map(|group| {
            // Every groups-th observation, so that each group is spread over the sorted sample.
            let members = (group..n).step_by(groups);
            members.clone().for_each(|index| counts[index] = 0);
            let value = statistic(Counted { values: sorted, counts: &counts });
            members.for_each(|index| counts[index] = 1);
            value
        })
        .collect();
    let mean = left_out.iter().sum::<f64>() / len_f64(groups);
    let (mut squares, mut cubes) = (0.0, 0.0);
    for value in left_out {
        let delta = mean - value;
        squares += delta * delta;
        cubes += delta * delta * delta;
    }
    if squares == 0.0 { 0.0 } else { cubes / (6.0 * squares.powf(1.5)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(sample: Counted<'_>) -> f64 {
        let sum: f64 =
            sample.values.iter().zip(sample.counts).map(|(x, count)| x * f64::from(*count)).sum();
        sum / super::super::to_f64(sample.n())
    }

    fn variance(sample: Counted<'_>) -> f64 {
        let centre = mean(sample);
        let squares: f64 = sample
            .values
            .iter()
            .zip(sample.counts)
            .map(|(x, count)| (x - centre).powi(2) * f64::from(*count))
            .sum();
        squares / super::super::to_f64(sample.n())
    }

    /// Efron and Tibshirani (1993), table 14.2: the variance of the spatial test data A, 171.5, BCa 90 % interval
    /// (115.8, 259.6); the acceleration, 0.061, is printed on page 186. Both ends carry resampling noise.
    #[test]
    fn the_spatial_test_data_give_the_published_acceleration_and_interval() {
        let mut sample = [
            48.0, 36.0, 20.0, 29.0, 42.0, 42.0, 20.0, 42.0, 22.0, 41.0, 45.0, 14.0, 6.0, 0.0, 33.0,
            28.0, 34.0, 4.0, 32.0, 24.0, 47.0, 41.0, 24.0, 26.0, 30.0, 41.0,
        ];
        sample.sort_by(f64::total_cmp);
        let estimate = bca_at(&sample, variance, 7, 0.05);
        assert!((estimate.value - 171.5).abs() < 0.1, "{estimate:?}");
        assert!((acceleration(&sample, &variance) - 0.061).abs() < 0.001);
        assert!((estimate.low - 115.8).abs() < 5.0, "{estimate:?}");
        assert!((estimate.high - 259.6).abs() < 8.0, "{estimate:?}");
    }

    #[test]
    fn the_interval_of_a_skewed_mean_covers_it_about_as_often_as_it_says() {
        let mut covered = 0;
        for trial in 0..400 {
            let mut stream = Stream::keyed(11, &[trial]);
            let mut sample: Vec<f64> = (0..60).map(|_| -(1.0 - stream.uniform()).ln()).collect();
            sample.sort_by(f64::total_cmp);
            let estimate = bca(&sample, mean, trial);
            covered += u32::from(estimate.low < 1.0 && 1.0 < estimate.high);
        }
        // 95 % nominal; for 60 skewed observations BCa is known to be a little short of it.
        assert!((362..=392).contains(&covered), "{covered} of 400");
    }
}
