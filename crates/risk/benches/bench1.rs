//! CDPR-Bench-1 through the public API beside two loops written by hand, interleaved in one process.
//!
//! `cleared` is the thinned run with the production clearing in place of the benchmark's pro-rata rule.
//!
//! `cargo bench -p risk` prints runs per second of each, best of the rounds, and the ratio. The loops below share nothing with
//! the crate (the thinned one only the idea): their own generator, the system's `exp`, arrays instead of vectors, no struct in between.
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "written as one would by hand"
)]
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::hint::black_box;
use std::time::Instant;

use risk::bench1;

const ROUNDS: u32 = 9;

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    let (thinned, naive) = if quick { (20, 2) } else { (4000, 60) };
    compare(
        "thinned",
        thinned,
        |seed, i| bench1::thinned(seed, i).cost,
        |seed| loop_thinned(seed).1,
    );
    compare(
        "cleared",
        thinned / 4,
        |seed, i| bench1::cleared(seed, i).cost,
        |seed| loop_thinned(seed).1,
    );
    compare("naive", naive, |seed, i| bench1::naive(seed, i).cost, |seed| loop_naive(seed).1);
}

fn compare(name: &str, runs: u64, api: impl Fn(u64, u64) -> f64, by_hand: impl Fn(u64) -> f64) {
    let mut best = [0.0f64; 2];
    let mut cost = [0.0f64; 2];
    for round in 0..ROUNDS {
        for which in [0, 1] {
            let start = Instant::now();
            for i in 0..runs {
                let seed = u64::from(round);
                cost[which] +=
                    black_box(if which == 0 { api(seed, i) } else { by_hand(seed << 32 | i) });
            }
            best[which] = best[which].max(runs as f64 / start.elapsed().as_secs_f64());
        }
    }
    let mean = cost.map(|sum| sum / f64::from(ROUNDS) / runs as f64);
    println!(
        "{name:8} api {:9.1} runs/s  by hand {:9.1} runs/s  ratio {:.3}  (mean cost {:.4} and {:.4})",
        best[0],
        best[1],
        best[0] / best[1],
        mean[0],
        mean[1]
    );
}

/// xoshiro256++ seeded by splitmix64, as the authors publish both.
struct Generator([u64; 4]);

impl Generator {
    fn new(mut seed: u64) -> Self {
        let mut next = || {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        };
        Self([next(), next(), next(), next()])
    }

    #[inline(always)]
    fn next(&mut self) -> f64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        (result >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

fn loop_naive(seed: u64) -> (f64, f64, f64) {
    let mut random = Generator::new(seed);
    let mut nerve = [0.0f64; 1000];
    nerve.iter_mut().for_each(|a| *a = random.next());
    let mut active = [true; 1000];
    let (mut supply, mut reserves, mut redeemed) = (1000.0f64, 970.0, 0u32);
    let (mut filled, mut cost, mut recovered, mut outflow) = ([0.0f64; 10], 0.0, 20.0, 0.0f64);
    for step in 0..240 {
        let gap = (1.0 - reserves / supply).max(0.0);
        let fear = 5.0 * (gap / 0.03).min(1.0) + 10.0 * (1.0 - (1.0 - 2.0 * outflow).max(0.5));
        let mut left = 0;
        for i in 0..1000 {
            if active[i] {
                let chance = 1.0 - (-0.002 * (nerve[i] * fear).exp() / 12.0).exp();
                if random.next() < chance {
                    active[i] = false;
                    left += 1;
                }
            }
        }
        outflow = f64::from(left) / supply;
        redeemed += left;
        supply -= f64::from(left);
        reserves -= 1.05 * f64::from(left);
        makers(step, &mut reserves, supply, &mut filled, &mut cost, &mut recovered);
    }
    (recovered, cost, f64::from(redeemed) / 1000.0)
}

fn loop_thinned(seed: u64) -> (f64, f64, f64) {
    let mut random = Generator::new(seed);
    let mut nerve = [0.0f64; 1000];
    nerve.iter_mut().for_each(|a| *a = random.next());
    let mut n = 1000;
    let mut distance = -(1.0 - random.next()).ln();
    let (mut supply, mut reserves) = (1000.0f64, 970.0);
    let (mut filled, mut cost, mut recovered, mut outflow) = ([0.0f64; 10], 0.0, 20.0, 0.0f64);
    for step in 0..240 {
        let gap = (1.0 - reserves / supply).max(0.0);
        let fear = 5.0 * (gap / 0.03).min(1.0) + 10.0 * (1.0 - (1.0 - 2.0 * outflow).max(0.5));
        let width = 0.002 / 12.0 * fear.exp();
        let before = n;
        let mut i = 0;
        loop {
            let places = distance / width;
            if places >= (n - i) as f64 {
                distance -= (n - i) as f64 * width;
                break;
            }
            let skipped = places as usize;
            i += skipped;
            if distance - (skipped as f64) * width < 0.002 / 12.0 * (nerve[i] * fear).exp() {
                n -= 1;
                nerve[i] = nerve[n];
            } else {
                i += 1;
            }
            distance = -(1.0 - random.next()).ln();
        }
        let left = (before - n) as f64;
        outflow = left / supply;
        supply -= left;
        reserves -= 1.05 * left;
        makers(step, &mut reserves, supply, &mut filled, &mut cost, &mut recovered);
    }
    (recovered, cost, 1.0 - n as f64 / 1000.0)
}

#[inline(always)]
fn makers(
    step: u32,
    reserves: &mut f64,
    supply: f64,
    filled: &mut [f64; 10],
    cost: &mut f64,
    recovered: &mut f64,
) {
    let need = supply - *reserves;
    if need <= 0.0 {
        return;
    }
    let premium = (0.005 + 0.005 * f64::from(step) / 12.0).min(0.05);
    let mut offers = [0.0; 10];
    let mut total = 0.0;
    for j in 0..10 {
        offers[j] =
            ((premium - 0.004 - 0.002 * j as f64) / 0.002 - filled[j]).clamp(0.0, 6.0 - filled[j]);
        total += offers[j];
    }
    let share = (need / total).min(1.0);
    if total > 0.0 {
        for j in 0..10 {
            filled[j] += offers[j] * share;
        }
        *reserves += total * share;
        *cost += premium * total * share;
        if total >= need && *recovered == 20.0 {
            *recovered = f64::from(step) / 12.0;
        }
    }
}
