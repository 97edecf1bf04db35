//! What an observer learns: discrimination, information and the best single guess.
//!
//! The adversary here is empirical: it bounds leakage from below. A mechanism that is randomised response has an
//! analytic bound from above, which is `risk`'s.

use super::bootstrap::{RESAMPLES, percentile};
use super::{Estimate, Method, len_f64, normal_quantile, to_f64};
use crate::random::Stream;

/// Area under the ROC curve of `scores` (higher means "deficit") with `DeLong`'s interval; ties count half.
/// Missing when one class is empty.
///
/// Source: DeLong, DeLong and Clarke-Pearson (1988); placement values by ranks, as Sun and Xu (2014).
pub fn auc(scores: &[f64], labels: &[bool]) -> Estimate {
    let of = |class: bool| {
        let mut scores: Vec<f64> = scores
            .iter()
            .zip(labels)
            .filter(|(_, label)| **label == class)
            .map(|(score, _)| *score)
            .collect();
        scores.sort_by(f64::total_cmp);
        scores
    };
    let (positive, negative) = (of(true), of(false));
    if positive.is_empty() || negative.is_empty() {
        return Estimate::missing(Method::DeLong);
    }
    // Share of the other class that each score is above, ties by half.
    let placements = |own: &[f64], other: &[f64]| -> super::mean::Moments {
        super::mean::Moments::of(own.iter().map(|score| {
            let below = other.partition_point(|x| x < score);
            let upto = other.partition_point(|x| x <= score);
            (len_f64(below) + len_f64(upto)) / (2.0 * len_f64(other.len()))
        }))
    };
    let (of_positive, of_negative) =
        (placements(&positive, &negative), placements(&negative, &positive));
    let value = of_positive.mean;
    let error = (of_positive.variance() / len_f64(positive.len())
        + of_negative.variance() / len_f64(negative.len()))
    .sqrt();
    let half = normal_quantile(0.975) * error;
    Estimate {
        value,
        low: (value - half).max(0.0),
        high: (value + half).min(1.0),
        n: labels.len() as u64,
        method: Method::DeLong,
    }
}

/// Probabilities of the positive class, each from a logistic model that did not see its run.
///
/// `features` holds one row a run. Fold of run i is i mod `folds`; inputs are standardised on the training folds; the
/// ridge keeps separable data finite. `choose` is given the training runs and says which columns the model may use, so
/// that choosing is held out as well.
pub fn held_out_logistic(
    features: &[Vec<f64>],
    labels: &[bool],
    folds: usize,
    choose: impl Fn(&[usize]) -> Vec<usize>,
) -> Vec<f64> {
    let mut predictions = vec![0.5; labels.len()];
    for fold in 0..folds {
        let training: Vec<usize> = (0..labels.len()).filter(|run| run % folds != fold).collect();
        let columns = choose(&training);
        let chosen = |run: usize| columns.iter().map(|j| features[run][*j]).collect::<Vec<_>>();
        let rows: Vec<Vec<f64>> = training.iter().map(|run| chosen(*run)).collect();
        let of_rows: Vec<bool> = training.iter().map(|run| labels[*run]).collect();
        let model = Logistic::fit(&rows, &of_rows);
        for run in (fold..labels.len()).step_by(folds) {
            predictions[run] = model.probability(&chosen(run));
        }
    }
    predictions
}

/// Mean log-loss in bits, clipped at 2⁻²⁰ so that one certain mistake is not infinite.
pub fn log_loss_bits(predictions: &[f64], labels: &[bool]) -> Estimate {
    let edge = 2.0_f64.powi(-20);
    let losses = predictions.iter().zip(labels).map(|(prediction, label)| {
        let p = prediction.clamp(edge, 1.0 - edge);
        -(if *label { p } else { 1.0 - p }).log2()
    });
    super::mean::Moments::of(losses).estimate()
}

#[derive(Debug)]
struct Logistic {
    means: Vec<f64>,
    deviations: Vec<f64>,
    /// Intercept first.
    weights: Vec<f64>,
}

impl Logistic {
    /// Iteratively reweighted least squares with a ridge of one on standardised inputs, intercept free.
    fn fit(features: &[Vec<f64>], labels: &[bool]) -> Self {
        let d = features.first().map_or(0, Vec::len);
        let moments: Vec<super::mean::Moments> =
            (0..d).map(|j| super::mean::Moments::of(features.iter().map(|row| row[j]))).collect();
        let means: Vec<f64> = moments.iter().map(|moments| moments.mean).collect();
        let deviations: Vec<f64> =
            moments.iter().map(|moments| moments.variance().sqrt().max(1e-12)).collect();
        let rows: Vec<Vec<f64>> = features
            .iter()
            .map(|row| {
                let inputs = (0..d).map(|j| (row[j] - means[j]) / deviations[j]);
                std::iter::once(1.0).chain(inputs).collect()
            })
            .collect();
        let mut weights = vec![0.0; d + 1];
        for _ in 0..20 {
            let mut hessian = vec![vec![0.0; d + 1]; d + 1];
            let mut gradient = vec![0.0; d + 1];
            for (row, label) in rows.iter().zip(labels) {
                let p = logistic(dot(&weights, row));
                let error = f64::from(u8::from(*label)) - p;
                let w = (p * (1.0 - p)).max(1e-9);
                for j in 0..=d {
                    gradient[j] += error * row[j];
                    let scaled = w * row[j];
                    for k in 0..=j {
                        hessian[j][k] += scaled * row[k];
                    }
                }
            }
            for j in 1..=d {
                hessian[j][j] += 1.0;
                gradient[j] -= weights[j];
            }
            hessian[0][0] += 1e-9;
            let step = cholesky_solve(hessian, gradient);
            let size = step.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
            // A Newton step far out overshoots: damped, it still converges.
            let damping = if size > 5.0 { 5.0 / size } else { 1.0 };
            weights.iter_mut().zip(&step).for_each(|(weight, step)| *weight += damping * step);
            if size < 1e-6 {
                break;
            }
        }
        Self { means, deviations, weights }
    }

    fn probability(&self, features: &[f64]) -> f64 {
        let mut z = self.weights[0];
        for (j, feature) in features.iter().enumerate() {
            z += self.weights[j + 1] * (feature - self.means[j]) / self.deviations[j];
        }
        logistic(z)
    }
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solves a positive definite system given by its lower triangle.
fn cholesky_solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for j in 0..n {
        for k in 0..j {
            let factor = a[j][k];
            for row in a.iter_mut().skip(j) {
                row[j] -= row[k] * factor;
            }
        }
        let root = a[j][j].max(1e-12).sqrt();
        for row in a.iter_mut().skip(j) {
            row[j] /= root;
        }
    }
    for i in 0..n {
        for k in 0..i {
            b[i] -= a[i][k] * b[k];
        }
        b[i] /= a[i][i];
    }
    for i in (0..n).rev() {
        for k in i + 1..n {
            b[i] -= a[k][i] * b[k];
        }
        b[i] /= a[i][i];
    }
    b
}

/// Bins by equal counts: at most `bins`, ties together, so a channel of few values keeps them all.
pub fn binned(values: &[f64], bins: usize) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    let edges = if distinct.len() <= bins {
        distinct.into_iter().skip(1).collect()
    } else {
        let mut edges: Vec<f64> = (1..bins).map(|k| sorted[k * sorted.len() / bins]).collect();
        edges.dedup();
        edges
    };
    values.iter().map(|value| edges.partition_point(|edge| edge <= value)).collect()
}

/// Counts of pairs (secret, observation).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// `counts[secret][observation]`.
    counts: Vec<Vec<u64>>,
}

impl Table {
    /// Counts pairs of indices.
    pub fn of(secrets: &[usize], observations: &[usize]) -> Self {
        let size = |indices: &[usize]| indices.iter().max().map_or(0, |largest| largest + 1);
        let mut counts = vec![vec![0; size(observations)]; size(secrets)];
        for (secret, observation) in secrets.iter().zip(observations) {
            counts[*secret][*observation] += 1;
        }
        Self { counts }
    }

    fn n(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    fn resampled(&self, stream: &mut Stream) -> Self {
        // Conditional binomials would be faster for large n; tables here are small and n is at most some thousands.
        let cells: Vec<u64> = self.counts.iter().flatten().copied().collect();
        let mut ends: Vec<u64> = Vec::with_capacity(cells.len());
        let mut sum = 0;
        for cell in &cells {
            sum += cell;
            ends.push(sum);
        }
        let width = self.counts.first().map_or(0, Vec::len);
        let mut counts = vec![vec![0; width]; self.counts.len()];
        for _ in 0..sum {
            let draw = stream.bits() % sum;
            let cell = ends.partition_point(|end| *end <= draw);
            counts[cell / width][cell % width] += 1;
        }
        Self { counts }
    }

    /// Mutual information in bits with the Miller–Madow correction, not below zero.
    ///
    /// Source: Miller (1955); the correction of I is that of its three entropies.
    pub fn information_bits(&self) -> f64 {
        let n = to_f64(self.n());
        if n == 0.0 {
            return f64::NAN;
        }
        let rows: Vec<u64> = self.counts.iter().map(|row| row.iter().sum()).collect();
        let width = self.counts.first().map_or(0, Vec::len);
        let columns: Vec<u64> =
            (0..width).map(|column| self.counts.iter().map(|row| row[column]).sum()).collect();
        let entropy = |counts: &mut dyn Iterator<Item = u64>| {
            let (mut bits, mut support) = (0.0, 0);
            for count in counts.filter(|count| *count > 0) {
                let p = to_f64(count) / n;
                bits -= p * p.log2();
                support += 1;
            }
            bits + (to_f64(support) - 1.0) / (2.0 * n * std::f64::consts::LN_2)
        };
        let of_rows = entropy(&mut rows.into_iter());
        let of_columns = entropy(&mut columns.into_iter());
        let joint = entropy(&mut self.counts.iter().flatten().copied());
        (of_rows + of_columns - joint).max(0.0)
    }

    /// Min-entropy leakage in bits: log₂ of how many times better the best single guess gets.
    ///
    /// Source: Smith (2009), "On the foundations of quantitative information flow".
    pub fn min_entropy_bits(&self) -> f64 {
        let before = self.counts.iter().map(|row| row.iter().sum::<u64>()).max().unwrap_or(0);
        let width = self.counts.first().map_or(0, Vec::len);
        let after: u64 = (0..width)
            .map(|column| self.counts.iter().map(|row| row[column]).max().unwrap_or(0))
            .sum();
        if before == 0 { f64::NAN } else { (to_f64(after) / to_f64(before)).log2() }
    }

    /// A number of the table with its percentile bootstrap interval.
    pub fn estimate(&self, number: impl Fn(&Self) -> f64, seed: u64) -> Estimate {
        let mut stream = Stream::new(seed);
        let replicates =
            (0..RESAMPLES.min(399)).map(|_| number(&self.resampled(&mut stream))).collect();
        percentile(replicates, number(self), self.n())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_roc_curve_is_what_counting_pairs_gives() {
        let positive = [0.9, 0.8, 0.7, 0.3];
        let negative = [0.75, 0.5, 0.3, 0.2, 0.1];
        let scores: Vec<f64> = positive.iter().chain(&negative).copied().collect();
        let labels: Vec<bool> = (0..9).map(|index| index < 4).collect();
        let estimate = auc(&scores, &labels);
        let pairs: f64 = positive
            .iter()
            .flat_map(|p| {
                negative
                    .iter()
                    .map(move |n| if p > n { 1.0 } else { f64::from(u8::from(p == n)) / 2.0 })
            })
            .sum();
        assert!((estimate.value - pairs / 20.0).abs() < 1e-12);
    }

    /// Normal scores δ apart: AUC = Φ(δ/√2), 0.7602 for δ = 1.
    #[test]
    fn delongs_interval_covers_the_binormal_area_as_often_as_it_says() {
        let closed = super::super::normal_cdf(std::f64::consts::FRAC_1_SQRT_2);
        let mut covered = 0;
        for trial in 0..400 {
            let mut stream = Stream::keyed(17, &[trial]);
            let labels: Vec<bool> = (0..120).map(|index| index % 3 == 0).collect();
            let scores: Vec<f64> =
                labels.iter().map(|label| stream.normal() + f64::from(u8::from(*label))).collect();
            let estimate = auc(&scores, &labels);
            covered += u32::from(estimate.low < closed && closed < estimate.high);
        }
        assert!((365..=395).contains(&covered), "{covered} of 400");
    }

    /// The log-odds of two unit normals at ±½ are linear with slope one, so held-out loss approaches the Bayes loss.
    #[test]
    fn the_held_out_model_reaches_the_bayes_loss_and_no_lower() {
        let mut stream = Stream::new(23);
        let n = 6000;
        let labels: Vec<bool> = (0..n).map(|_| stream.uniform() < 0.5).collect();
        let features: Vec<Vec<f64>> = labels
            .iter()
            .map(|label| vec![stream.normal() + if *label { 0.5 } else { -0.5 }, stream.normal()])
            .collect();
        let predictions = held_out_logistic(&features, &labels, 5, |_| vec![0, 1]);
        let bayes: Vec<f64> = features.iter().map(|row| logistic(row[0])).collect();
        let (ours, best) = (log_loss_bits(&predictions, &labels), log_loss_bits(&bayes, &labels));
        assert!((ours.value - best.value).abs() < 0.005, "{ours:?} {best:?}");
        let noise: Vec<bool> = (0..n).map(|_| stream.uniform() < 0.5).collect();
        let blind = held_out_logistic(&features, &noise, 5, |_| vec![0, 1]);
        assert!(log_loss_bits(&blind, &noise).value > 0.998);
        assert!((auc(&blind, &noise).value - 0.5).abs() < 0.03);
    }

    /// A separable channel must not blow up.
    #[test]
    fn a_channel_that_tells_all_is_read_to_the_end() {
        let labels: Vec<bool> = (0..400).map(|index| index % 2 == 0).collect();
        let features: Vec<Vec<f64>> =
            labels.iter().map(|label| vec![f64::from(u8::from(*label))]).collect();
        let predictions = held_out_logistic(&features, &labels, 4, |_| vec![0]);
        assert!((auc(&predictions, &labels).value - 1.0).abs() < 1e-12);
        assert!(log_loss_bits(&predictions, &labels).value < 0.1);
        let observations: Vec<usize> = labels.iter().map(|label| usize::from(*label)).collect();
        let table = Table::of(&observations, &observations);
        assert!((table.information_bits() - 1.0).abs() < 0.01);
        assert!((table.min_entropy_bits() - 1.0).abs() < 1e-12);
    }

    /// A flag that always fires on a deficit and with probability f otherwise, p₀ = 0.5 %: I(D;O) is 70, 47 and 25 %
    /// of H(D) for f = 1, 5 and 20 %.
    #[test]
    fn the_flag_with_drills_leaks_its_closed_form() {
        for (drills, share) in [(10_000_u64, 0.70), (50_000, 0.47), (200_000, 0.25)] {
            let total = 1_005_025_u64;
            let deficits = 5_025;
            let quiet = total - deficits;
            let fired = drills * quiet / 1_000_000;
            let table = Table { counts: vec![vec![quiet - fired, fired], vec![0, deficits]] };
            let p = to_f64(deficits) / to_f64(total);
            let entropy = -p * p.log2() - (1.0 - p) * (1.0 - p).log2();
            let got = table.information_bits() / entropy;
            assert!((got - share).abs() < 0.006, "f = {drills} ppm: {got}");
            // The prior is so small that one guess, "no deficit", stays the best until drills are rarer than it.
            assert!(table.min_entropy_bits() < 0.006);
        }
    }

    #[test]
    fn independence_reads_as_no_information_once_corrected() {
        let mut stream = Stream::new(31);
        let (mut corrected, trials) = (0.0, 200_u32);
        for _ in 0..trials {
            let draw = |stream: &mut Stream, size| (0..400).map(|_| stream.below(size)).collect();
            let (secrets, observations): (Vec<usize>, Vec<usize>) =
                (draw(&mut stream, 4), draw(&mut stream, 6));
            corrected += Table::of(&secrets, &observations).information_bits();
        }
        // Uncorrected, the bias would be (4−1)(6−1)/(2·400·ln 2) = 0.027 bits; clipping at zero leaves some.
        assert!(corrected / f64::from(trials) < 0.006, "{}", corrected / f64::from(trials));
    }

    #[test]
    fn bins_keep_few_values_apart_and_share_out_many() {
        assert_eq!(binned(&[0.0, 7.0, 0.0, 3.0], 4), [0, 2, 0, 1]);
        let many: Vec<f64> = (0..100).map(f64::from).collect();
        let bins = binned(&many, 4);
        assert_eq!(bins.iter().filter(|bin| **bin == 3).count(), 25);
        let mostly_zero = [0.0; 90].into_iter().chain((1..=10).map(f64::from)).collect::<Vec<_>>();
        assert!(binned(&mostly_zero, 4).iter().max() <= Some(&3));
    }
}
