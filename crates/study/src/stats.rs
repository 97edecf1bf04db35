//! Statistics that a risk team can check by hand: each names its source, and each is tested against a published table
//! or a closed form.
//!
//! Every estimate carries its interval and the method in words, so that a report can print the one beside the other.

pub mod bootstrap;
pub mod leakage;
pub mod mean;
pub mod paired;
pub mod proportion;
pub mod rare;
pub mod sensitivity;
pub mod survival;
pub mod tail;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

/// The share of intervals that cover the truth, everywhere in this crate.
pub const CONFIDENCE: f64 = 0.95;

/// A number, its 95 % interval and how both were made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The point estimate; not a number when the sample cannot give one.
    #[serde(with = "missing")]
    pub value: f64,
    /// Lower end of the interval.
    #[serde(with = "missing")]
    pub low: f64,
    /// Upper end of the interval.
    #[serde(with = "missing")]
    pub high: f64,
    /// How many observations it rests on.
    pub n: u64,
    /// How it was made.
    pub method: Method,
}

impl Estimate {
    /// Half the width of the interval, in the estimate's unit.
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }

    /// The estimate of nothing: no observation.
    pub const fn missing(method: Method) -> Self {
        Self { value: f64::NAN, low: f64::NAN, high: f64::NAN, n: 0, method }
    }

    /// The same estimate in another unit.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let (low, high) = (self.low * factor, self.high * factor);
        Self { value: self.value * factor, low: low.min(high), high: low.max(high), ..self }
    }
}

/// How an estimate and its interval were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Sample mean, Student's t.
    MeanT,
    /// Share, Wilson's score interval.
    Wilson,
    /// Any statistic, BCa bootstrap.
    Bca,
    /// Any statistic, percentile bootstrap.
    Percentile,
    /// Kaplan–Meier, Greenwood's variance on the log–log scale.
    KaplanMeier,
    /// Mean of paired differences, Student's t.
    PairedT,
    /// Difference of paired shares, Newcombe's score interval.
    PairedShares,
    /// Area under the curve, `DeLong`.
    DeLong,
    /// Weighted share of an importance sample.
    Importance,
    /// Product of conditional shares.
    Splitting,
}

impl Method {
    /// One sentence for the report.
    pub const fn words(self) -> &'static str {
        match self {
            Self::MeanT => "mean; 95 % interval by Student's t on the replications",
            Self::Wilson => "share of replications; 95 % score interval (Wilson 1927)",
            Self::Bca => {
                "sample statistic; 95 % BCa bootstrap interval, 999 resamples (Efron 1987)"
            }
            Self::Percentile => "sample statistic; 95 % percentile bootstrap interval",
            Self::KaplanMeier => {
                "Kaplan–Meier estimate, runs without recovery censored at the horizon; 95 % interval from Greenwood's variance on the log–log scale"
            }
            Self::PairedT => {
                "mean of paired differences on common random numbers; 95 % interval by Student's t"
            }
            Self::PairedShares => {
                "difference of shares of the same replications; 95 % score interval (Newcombe 1998, method 10)"
            }
            Self::DeLong => "area under the ROC curve, held out; 95 % interval by DeLong (1988)",
            Self::Importance => {
                "likelihood-ratio weighted share of an importance sample; 95 % score interval of as many plain runs as would be as uncertain"
            }
            Self::Splitting => {
                "product of conditional shares, fixed-effort splitting; 95 % log-normal interval"
            }
        }
    }
}

/// Quantile of the standard normal at `probability`, which is in (0, 1).
pub fn normal_quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}

/// Distribution function of the standard normal.
pub fn normal_cdf(x: f64) -> f64 {
    Normal::standard().cdf(x)
}

/// Two-sided 95 % quantile of Student's t with `freedom` degrees of freedom (at least one).
pub(crate) fn t_quantile(freedom: u64) -> f64 {
    let upper = f64::midpoint(1.0, CONFIDENCE);
    // Above a thousand the two differ by less than 0.2 %, and the inverse of t is slow.
    if freedom > 1_000 {
        return normal_quantile(upper);
    }
    student(freedom).inverse_cdf(upper)
}

/// Two-sided p-value of `t` under Student's t.
pub(crate) fn t_p_value(t: f64, freedom: u64) -> f64 {
    2.0 * student(freedom).cdf(-t.abs())
}

fn student(freedom: u64) -> StudentsT {
    StudentsT::new(0.0, 1.0, to_f64(freedom.max(1))).expect("the freedom is positive")
}

/// A count as a real number; exact up to 2⁵³.
#[allow(clippy::cast_precision_loss, reason = "counts of runs stay far below 2^53")]
pub(crate) const fn to_f64(count: u64) -> f64 {
    count as f64
}

/// A length as a real number.
pub(crate) const fn len_f64(len: usize) -> f64 {
    to_f64(len as u64)
}

/// The largest index not above `x`, zero when negative.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates, and an index is then checked by its slice"
)]
pub(crate) fn index_floor(x: f64) -> usize {
    x.max(0.0).floor() as usize
}

/// JSON knows no NaN: a missing number is null.
pub(crate) mod missing {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}
