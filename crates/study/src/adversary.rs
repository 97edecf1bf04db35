//! A stranger who sees only what chain and market show, and guesses: is there a hole, and how large.
//!
//! Everything is held out: a guess is scored on runs that the guesser did not learn from, so the numbers bound leakage
//! from below and do not flatter themselves.

use serde::{Deserialize, Serialize};

use crate::model::{Column, RECOVERY};
use crate::stats::leakage::{Table, auc, binned, held_out_logistic, log_loss_bits};
use crate::stats::proportion::wilson;
use crate::stats::{Estimate, len_f64};

/// Fewest runs of each kind for anything to be said.
const CLASS_MIN: usize = 25;

/// Most runs the adversary learns from and is scored on; more would sharpen the numbers little and cost much.
pub const RUNS_MAX: usize = 4_000;

/// Bins of a channel, by equal counts.
const BINS: usize = 6;

/// Buckets of the size of the hole, by equal counts.
const GAP_BUCKETS: usize = 8;

/// Folds of the cross-validation.
const FOLDS: usize = 5;

/// Targets of this design; book, simulator 8.
pub const TARGETS: &str =
    "AUC at most 0.60, min-entropy leakage of the size at most 1 bit, no channel above 0.5 bit";

/// What the stranger learns under one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leakage {
    /// Share of runs with a hole.
    pub prior: f64,
    /// Area under the ROC curve of "there is a hole".
    pub auc: Estimate,
    /// Log-loss of the guess, bits a run.
    pub log_loss: Estimate,
    /// Log-loss of guessing the prior, bits: what no leakage looks like.
    pub log_loss_blind: f64,
    /// Min-entropy leakage of "there is a hole", bits.
    pub min_entropy: Estimate,
    /// Min-entropy leakage of the size of the hole, bits; missing when the size does not vary.
    pub min_entropy_gap: Estimate,
    /// What each channel says alone, most first.
    pub channels: Vec<Channel>,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Its column, without `seen_`.
    pub name: String,
    /// Information on "there is a hole", bits.
    pub deficit: Estimate,
    /// Information on the size of the hole, bits.
    pub gap: Estimate,
}

/// The columns a stranger sees.
pub fn channels() -> impl Iterator<Item = (usize, &'static Column)> {
    RECOVERY.iter().enumerate().filter(|(_, column)| column.name.starts_with("seen_"))
}

/// Lets the stranger guess; none when one kind of run is too rare.
///
/// `deficit` and `gap` are the truth, `seen` holds one column a channel of [`channels`], all equally long.
pub fn guess(deficit: &[bool], gap: &[f64], seen: &[Vec<f64>], seed: u64) -> Option<Leakage> {
    let n = deficit.len();
    let holes = deficit.iter().filter(|hole| **hole).count();
    if holes < CLASS_MIN || n - holes < CLASS_MIN {
        return None;
    }
    let bins: Vec<Vec<usize>> = seen.iter().map(|channel| binned(channel, BINS)).collect();
    let holes_of: Vec<usize> = deficit.iter().map(|hole| usize::from(*hole)).collect();
    let features = one_hot(&bins, n);
    let scores = held_out_logistic(&features, deficit, FOLDS, |training| {
        telling(&holes_of, &bins, training)
    });
    let prior = len_f64(holes) / len_f64(n);
    let hits = scores.iter().zip(deficit).filter(|(score, hole)| (**score > 0.5) == **hole).count();
    let buckets = gap_buckets(deficit, gap);
    let mut channels: Vec<Channel> = channels()
        .zip(&bins)
        .map(|((index, column), bins)| {
            let seed = seed ^ (index as u64);
            let information =
                |secret: &[usize]| Table::of(secret, bins).estimate(Table::information_bits, seed);
            Channel {
                name: column.name.trim_start_matches("seen_").to_owned(),
                deficit: information(&holes_of),
                gap: information(&buckets),
            }
        })
        .collect();
    channels.sort_by(|a, b| b.deficit.value.total_cmp(&a.deficit.value));
    Some(Leakage {
        prior,
        auc: auc(&scores, deficit),
        log_loss: log_loss_bits(&scores, deficit),
        log_loss_blind: -prior * prior.log2() - (1.0 - prior) * (1.0 - prior).log2(),
        min_entropy: gained_bits(hits, n, prior.max(1.0 - prior)),
        min_entropy_gap: gap_leakage(&buckets, &bins),
        channels,
    })
}

/// log₂ of the hit rate over the best blind hit rate, not below zero.
fn gained_bits(hits: usize, n: usize, blind: f64) -> Estimate {
    let rate = wilson(hits as u64, n as u64);
    let bits = |rate: f64| (rate / blind).log2().max(0.0);
    Estimate { value: bits(rate.value), low: bits(rate.low), high: bits(rate.high), ..rate }
}

/// Columns of [`one_hot`] of the channels that tell something on the training runs: the others only add noise.
fn telling(holes: &[usize], bins: &[Vec<usize>], training: &[usize]) -> Vec<usize> {
    let of = |all: &[usize]| training.iter().map(|run| all[*run]).collect::<Vec<_>>();
    let holes = of(holes);
    let (mut columns, mut from) = (Vec::new(), 0);
    for bins in bins {
        let width = bins.iter().max().copied().unwrap_or(0);
        // Miller–Madow removes the bias; this is about two standard deviations of what is left under no information.
        let noise = 2.0 * len_f64(width).sqrt() / len_f64(training.len());
        if Table::of(&holes, &of(bins)).information_bits() > noise {
            columns.extend(from..from + width);
        }
        from += width;
    }
    columns
}

fn one_hot(bins: &[Vec<usize>], n: usize) -> Vec<Vec<f64>> {
    let sizes: Vec<usize> =
        bins.iter().map(|bins| bins.iter().max().copied().unwrap_or(0)).collect();
    (0..n)
        .map(|run| {
            bins.iter()
                .zip(&sizes)
                .flat_map(|(bins, size)| {
                    // The lowest bin is the reference.
                    (1..=*size).map(move |bin| f64::from(u8::from(bins[run] == bin)))
                })
                .collect()
        })
        .collect()
}

/// Zero without a hole, then by size.
fn gap_buckets(deficit: &[bool], gap: &[f64]) -> Vec<usize> {
    let sizes: Vec<f64> =
        deficit.iter().zip(gap).filter(|(hole, _)| **hole).map(|(_, gap)| *gap).collect();
    let mut of_holes = binned(&sizes, GAP_BUCKETS).into_iter();
    deficit.iter().map(|hole| if *hole { 1 + of_holes.next().unwrap_or(0) } else { 0 }).collect()
}

/// Learns on even runs which size is likeliest for what three channels show, and is scored on odd ones.
fn gap_leakage(buckets: &[usize], bins: &[Vec<usize>]) -> Estimate {
    let size = buckets.iter().max().map_or(0, |largest| largest + 1);
    let mut ranked: Vec<(f64, usize)> = bins
        .iter()
        .enumerate()
        .map(|(channel, bins)| {
            let even = |all: &[usize]| all.iter().step_by(2).copied().collect::<Vec<_>>();
            (Table::of(&even(buckets), &even(bins)).information_bits(), channel)
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let cell = |run: usize| {
        ranked.iter().take(3).fold(0, |cell, (_, channel)| cell * BINS + bins[*channel][run])
    };
    let mut counts = vec![vec![0_u32; size]; BINS.pow(3)];
    let mut blind = vec![0_u32; size];
    let mut scored = vec![0_usize; size];
    for (run, bucket) in buckets.iter().enumerate() {
        if run % 2 == 0 {
            counts[cell(run)][*bucket] += 1;
            blind[*bucket] += 1;
        } else {
            scored[*bucket] += 1;
        }
    }
    let best = |counts: &[u32]| {
        counts
            .iter()
            .enumerate()
            .max_by_key(|(index, count)| (**count, usize::MAX - index))
            .map_or(0, |(index, _)| index)
    };
    let fallback = best(&blind);
    let hits = (1..buckets.len())
        .step_by(2)
        .filter(|run| {
            let seen = &counts[cell(*run)];
            let guess = if seen.iter().all(|count| *count == 0) { fallback } else { best(seen) };
            guess == buckets[*run]
        })
        .count();
    let n = buckets.len() / 2;
    gained_bits(hits, n, len_f64(scored[fallback].max(1)) / len_f64(n.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    /// One channel is a flag with drill rate f, the others are noise: with prior ½ the best guess is right in
    /// 1 − f/2, AUC = 1 − f/2, and information is the closed form of Warner (1965).
    #[test]
    fn a_drilled_flag_among_noise_is_read_as_its_closed_form() {
        let mut stream = Stream::new(3);
        let n = 4_000;
        for f in [0.0, 0.2, 0.6] {
            let deficit: Vec<bool> = (0..n).map(|_| stream.uniform() < 0.5).collect();
            let gap: Vec<f64> = deficit.iter().map(|hole| if *hole { 0.03 } else { 0.0 }).collect();
            let mut seen: Vec<Vec<f64>> =
                channels().map(|_| (0..n).map(|_| stream.uniform()).collect()).collect();
            seen[0] = deficit
                .iter()
                .map(|hole| f64::from(u8::from(*hole || stream.uniform() < f)))
                .collect();
            let leakage = guess(&deficit, &gap, &seen, 1).unwrap();
            let area = 1.0 - f / 2.0;
            assert!((leakage.auc.value - area).abs() < 0.02, "f = {f}: {:?}", leakage.auc);
            let bits = (2.0 * area).log2();
            // Twelve channels of noise cost the guess about a percent of its hits.
            assert!((leakage.min_entropy.value - bits).abs() < 0.045, "f = {f}");
            assert_eq!(leakage.channels[0].name, "flag");
            let fired = f64::midpoint(1.0, f);
            let entropy = |p: f64| {
                if p <= 0.0 || p >= 1.0 {
                    0.0
                } else {
                    -p * p.log2() - (1.0 - p) * (1.0 - p).log2()
                }
            };
            let closed = entropy(fired) - 0.5 * entropy(f);
            assert!((leakage.channels[0].deficit.value - closed).abs() < 0.02, "f = {f}");
            assert!(leakage.channels[1].deficit.value < 0.01);
        }
    }

    #[test]
    fn too_few_runs_of_one_kind_give_no_number() {
        let deficit = vec![true; 100];
        let seen: Vec<Vec<f64>> = channels().map(|_| vec![0.0; 100]).collect();
        assert!(guess(&deficit, &[0.03; 100], &seen, 1).is_none());
    }
}
