//! Which inputs drive the answer: Morris to screen, Sobol' to apportion.

use serde::{Deserialize, Serialize};

use super::bootstrap::{RESAMPLES, percentile};
use super::{Estimate, len_f64, normal_quantile};
use crate::random::Stream;

/// Shares of an output's variance due to one input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// First order: the share that fixing this input alone would remove, on average.
    pub first: Estimate,
    /// Total: the share that would remain if every other input were fixed, interactions included.
    pub total: Estimate,
}

/// First and total Sobol' indices from the outputs of [`crate::design::saltelli`], in its order: for each of the base
/// points `A, B, AB₁…AB_d, BA₁…BA_d`.
///
/// First order is Saltelli's 2010 estimator, averaged over both directions; total is Jansen's. Intervals are
/// percentile bootstrap over base points. Empty when the outputs do not vary or their count is not a multiple of
/// 2d + 2.
///
/// Source: Saltelli et al. (2010), "Variance based sensitivity analysis of model output", table 2 (b) and (f).
pub fn sobol(outputs: &[f64], dimensions: usize, seed: u64) -> Vec<Index> {
    let width = 2 * dimensions + 2;
    if dimensions == 0 || outputs.is_empty() || !outputs.len().is_multiple_of(width) {
        return Vec::new();
    }
    let rows: Vec<&[f64]> = outputs.chunks_exact(width).collect();
    let all: Vec<usize> = (0..rows.len()).collect();
    let Some(values) = indices(&rows, &all, dimensions) else {
        return Vec::new();
    };
    let mut replicates = vec![(Vec::new(), Vec::new()); dimensions];
    let mut stream = Stream::new(seed);
    let mut drawn = all;
    for _ in 0..RESAMPLES {
        drawn.fill_with(|| stream.below(rows.len()));
        // A resample in which nothing varies says nothing.
        for (input, (first, total)) in
            indices(&rows, &drawn, dimensions).into_iter().flatten().enumerate()
        {
            replicates[input].0.push(first);
            replicates[input].1.push(total);
        }
    }
    let n = rows.len() as u64;
    values
        .into_iter()
        .zip(replicates)
        .map(|((first, total), (firsts, totals))| Index {
            first: percentile(firsts, first, n),
            total: percentile(totals, total, n),
        })
        .collect()
}

fn indices(rows: &[&[f64]], drawn: &[usize], dimensions: usize) -> Option<Vec<(f64, f64)>> {
    let n = len_f64(drawn.len());
    let both = || drawn.iter().flat_map(|row| [rows[*row][0], rows[*row][1]]);
    let mean = both().sum::<f64>() / (2.0 * n);
    let variance = both().map(|y| (y - mean).powi(2)).sum::<f64>() / (2.0 * n);
    if variance <= 1e-300 {
        return None;
    }
    Some(
        (0..dimensions)
            .map(|input| {
                let (mut first, mut total) = (0.0, 0.0);
                for row in drawn {
                    let row = rows[*row];
                    let (a, b) = (row[0] - mean, row[1] - mean);
                    let (ab, ba) = (row[2 + input] - mean, row[2 + dimensions + input] - mean);
                    first += b * (ab - a) + a * (ba - b);
                    total += (a - ab).powi(2) + (b - ba).powi(2);
                }
                (first / (2.0 * n * variance), total / (4.0 * n * variance))
            })
            .collect(),
    )
}

/// Elementary effects of one input, in the output's unit per full range of the input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Mean.
    pub mean: f64,
    /// Mean of absolute values, μ*: how much the input matters.
    pub mean_absolute: f64,
    /// Standard deviation: how much that depends on the other inputs.
    pub deviation: f64,
    /// 95 % half-width of μ*, normal.
    pub half_width: f64,
}

/// Elementary effects from the points of [`crate::design::morris`] and the outputs there, trajectory by trajectory.
///
/// Source: Morris (1991); μ* after Campolongo, Cariboni and Saltelli (2007).
pub fn morris(points: &[Vec<f64>], outputs: &[f64], dimensions: usize) -> Vec<Effect> {
    let mut effects = vec![Vec::new(); dimensions];
    let width = dimensions + 1;
    for (points, outputs) in points.chunks_exact(width).zip(outputs.chunks_exact(width)) {
        for (pair, y) in points.windows(2).zip(outputs.windows(2)) {
            let moved = (0..dimensions).find(|input| pair[0][*input] != pair[1][*input]);
            if let Some(input) = moved {
                effects[input].push((y[1] - y[0]) / (pair[1][input] - pair[0][input]));
            }
        }
    }
    effects
        .into_iter()
        .map(|effects: Vec<f64>| {
            let plain = super::mean::Moments::of(effects.iter().copied());
            let absolute = super::mean::Moments::of(effects.iter().map(|effect| effect.abs()));
            Effect {
                mean: plain.mean,
                mean_absolute: absolute.mean,
                deviation: plain.variance().sqrt(),
                half_width: normal_quantile(0.975) * absolute.standard_error(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;
    use crate::design;

    fn ishigami(unit: &[f64]) -> f64 {
        let x: Vec<f64> = unit.iter().map(|u| (2.0 * u - 1.0) * PI).collect();
        x[0].sin() + 7.0 * x[1].sin().powi(2) + 0.1 * x[2].powi(4) * x[0].sin()
    }

    /// Ishigami and Homma (1990), a = 7, b = 0.1: S = 0.3139, 0.4424, 0; S_T = 0.5576, 0.4424, 0.2437.
    #[test]
    fn the_ishigami_function_gives_its_closed_form_indices() {
        let points = design::saltelli(4096, 3, 1);
        let outputs: Vec<f64> = points.iter().map(|point| ishigami(point)).collect();
        let indices = sobol(&outputs, 3, 2);
        let closed = [(0.3139, 0.5576), (0.4424, 0.4424), (0.0, 0.2437)];
        for (index, (first, total)) in indices.iter().zip(closed) {
            assert!((index.first.value - first).abs() < 0.01, "{index:?}");
            assert!((index.total.value - total).abs() < 0.01, "{index:?}");
            assert!(index.first.low < first && first < index.first.high, "{index:?}");
            assert!(index.total.low < total && total < index.total.high, "{index:?}");
        }
    }

    /// Sobol' g-function with a = (0, 1, 4.5, 9): variance parts 1/(3(1+a)²) in closed form.
    #[test]
    fn the_g_function_gives_its_closed_form_indices() {
        let a = [0.0, 1.0, 4.5, 9.0];
        let g = |x: &Vec<f64>| -> f64 {
            x.iter().zip(a).map(|(x, a)| ((4.0 * x - 2.0).abs() + a) / (1.0 + a)).product()
        };
        let parts = a.map(|a: f64| 1.0 / (3.0 * (1.0 + a).powi(2)));
        let variance = parts.iter().map(|part| 1.0 + part).product::<f64>() - 1.0;
        let outputs: Vec<f64> = design::saltelli(4096, 4, 3).iter().map(g).collect();
        for (index, part) in sobol(&outputs, 4, 4).iter().zip(parts) {
            assert!((index.first.value - part / variance).abs() < 0.015, "{index:?}");
            let total = part * (variance + 1.0) / (1.0 + part) / variance;
            assert!((index.total.value - total).abs() < 0.015, "{index:?}");
        }
    }

    #[test]
    fn an_output_that_does_not_vary_has_no_indices() {
        assert!(sobol(&vec![1.0; 8 * 64], 3, 1).is_empty());
        assert!(sobol(&[1.0, 2.0, 3.0], 3, 1).is_empty());
    }

    /// y = 3x₁ − 2x₂ + x₃x₄ over the unit cube: constant effects for the first two, E|x| = ½ for the others.
    #[test]
    fn elementary_effects_of_a_plane_are_its_slopes() {
        let points = design::morris(200, 4, 4, 9);
        let outputs: Vec<f64> =
            points.iter().map(|x| 3.0 * x[0] - 2.0 * x[1] + x[2] * x[3]).collect();
        let effects = morris(&points, &outputs, 4);
        for (effect, (mean, deviation)) in effects.iter().zip([(3.0, 0.0), (-2.0, 0.0)]) {
            assert!((effect.mean - mean).abs() < 1e-9, "{effect:?}");
            assert!((effect.mean_absolute - mean.abs()).abs() < 1e-9);
            assert!((effect.deviation - deviation).abs() < 1e-9);
        }
        for effect in &effects[2..] {
            assert!((effect.mean_absolute - 0.5).abs() < 0.08, "{effect:?}");
            // x on {0, ⅓, ⅔, 1}: standard deviation √5/6 = 0.373.
            assert!((effect.deviation - 0.3727).abs() < 0.04, "{effect:?}");
        }
    }
}
