//! CDPR-Bench-1 by `risk` alone beside the loops written by hand that a study measures itself against, interleaved in one
//! process: `cargo bench -p study` prints runs per second of each, best of the rounds, and the ratio.
//!
//! `cleared` is the thinned run with the production clearing in place of the benchmark's pro-rata rule.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::hint::black_box;
use std::time::Instant;

use risk::bench1::{self, Run};
use study::bench::{reference, reference_naive};

const ROUNDS: u32 = 9;

type ByHand = fn(u64, u64) -> f64;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let (thinned, naive) = if quick { (20, 2) } else { (4000, 60) };
    compare("thinned", thinned, bench1::thinned, reference);
    compare("cleared", thinned / 4, bench1::cleared, reference);
    compare("naive", naive, bench1::naive, reference_naive);
}

fn compare(name: &str, runs: u32, api: fn(u64, u64) -> Run, by_hand: ByHand) {
    let api = |seed, run| {
        let run = api(seed, run);
        run.ttr_h() + run.cost + run.redeemed
    };
    let (mut best, mut sum) = ([0.0_f64; 2], [0.0_f64; 2]);
    for seed in 0..u64::from(ROUNDS) {
        for which in [0, 1] {
            let start = Instant::now();
            for run in 0..u64::from(runs) {
                sum[which] +=
                    black_box(if which == 0 { api(seed, run) } else { by_hand(seed, run) });
            }
            best[which] = best[which].max(f64::from(runs) / start.elapsed().as_secs_f64());
        }
    }
    let mean = sum.map(|sum| sum / f64::from(ROUNDS) / f64::from(runs));
    println!(
        "{name:8} api {:9.1} runs/s  by hand {:9.1} runs/s  ratio {:.3}  (mean hours, cost and share {:.4} and {:.4})",
        best[0],
        best[1],
        best[0] / best[1],
        mean[0],
        mean[1]
    );
}
