//! Mean and variance in one pass, mergeable, so that memory does not grow with the number of runs.

use serde::{Deserialize, Serialize};

use super::{Estimate, Method, t_quantile, to_f64};

/// Count, mean and sum of squared deviations.
///
/// Source: Welford (1962) for adding, Chan, Golub and `LeVeque` (1979) for merging. Merging is done in chunk order, so
/// the last bits do not depend on the number of threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Observations.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their sum of squared deviations from the mean.
    pub squares: f64,
}

impl Moments {
    /// The moments of a sample.
    pub fn of(sample: impl IntoIterator<Item = f64>) -> Self {
        let mut moments = Self::default();
        for x in sample {
            moments.add(x);
        }
        moments
    }

    /// One more observation.
    pub fn add(&mut self, x: f64) {
        self.n += 1;
        let delta = x - self.mean;
        self.mean += delta / to_f64(self.n);
        self.squares += delta * (x - self.mean);
    }

    /// The moments of both samples together.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        if self.n == 0 {
            return other;
        }
        if other.n == 0 {
            return self;
        }
        let (a, b) = (to_f64(self.n), to_f64(other.n));
        let delta = other.mean - self.mean;
        Self {
            n: self.n + other.n,
            mean: self.mean + delta * b / (a + b),
            squares: self.squares + other.squares + delta * delta * a * b / (a + b),
        }
    }

    /// Unbiased variance; zero for fewer than two observations.
    pub fn variance(&self) -> f64 {
        if self.n < 2 { 0.0 } else { self.squares / to_f64(self.n - 1) }
    }

    /// Standard error of the mean.
    pub fn standard_error(&self) -> f64 {
        if self.n == 0 { f64::NAN } else { (self.variance() / to_f64(self.n)).sqrt() }
    }

    /// The mean with its interval.
    pub fn estimate(&self) -> Estimate {
        self.estimate_as(Method::MeanT)
    }

    pub(crate) fn estimate_as(&self, method: Method) -> Estimate {
        if self.n == 0 {
            return Estimate::missing(method);
        }
        let half =
            if self.n < 2 { f64::NAN } else { t_quantile(self.n - 1) * self.standard_error() };
        Estimate {
            value: self.mean,
            low: self.mean - half,
            high: self.mean + half,
            n: self.n,
            method,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Student (1908), the extra hours of sleep under the second drug: mean 2.33, t interval 0.90 to 3.76.
    #[test]
    fn students_sleep_data_gives_its_published_interval() {
        let hours = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let estimate = Moments::of(hours).estimate();
        assert!((estimate.value - 2.33).abs() < 1e-12);
        assert!((estimate.low - 0.897_677_5).abs() < 1e-6, "{estimate:?}");
        assert!((estimate.high - 3.762_322_5).abs() < 1e-6, "{estimate:?}");
    }

    #[test]
    fn merging_equals_adding() {
        let sample: Vec<f64> = (0..1000).map(|i| f64::from(i * i % 97)).collect();
        let whole = Moments::of(sample.iter().copied());
        let parts = sample
            .chunks(77)
            .map(|part| Moments::of(part.iter().copied()))
            .fold(Moments::default(), Moments::merged);
        assert_eq!(whole.n, parts.n);
        assert!((whole.mean - parts.mean).abs() < 1e-10);
        assert!((whole.squares - parts.squares).abs() / whole.squares < 1e-12);
    }
}
