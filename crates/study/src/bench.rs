//! CDPR-Bench-1 through the study's own path, beside a loop written by hand: what the machinery costs.
//!
//! Both are measured in the same run, chunk by chunk in turn, so that whatever else the machine does falls on both.

use std::path::Path;

use rayon::prelude::*;
use risk::bench1::{self, Run};
use rustix::time::{ClockId, clock_gettime};

use crate::chunk;
use crate::plan::Plan;
use crate::spec::Model;
use crate::stats::to_f64;

const STEP_H: f64 = 1.0 / 12.0;

/// A row of [`crate::model::BENCH1`].
pub(crate) fn row(seed: u64, replication: u64, is_naive: bool) -> Vec<f64> {
    let run = if is_naive {
        bench1::naive(seed, replication)
    } else {
        bench1::thinned(seed, replication)
    };
    let Run { ttr_steps, cost, redeemed } = run;
    let ttr_h = ttr_steps.map_or(f64::NAN, |steps| f64::from(steps) * STEP_H);
    vec![f64::from(u8::from(ttr_steps.is_some())), ttr_h, cost, redeemed]
}

/// CPU seconds of both, and the runs that they took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Timing {
    /// Runs timed.
    pub runs: u64,
    /// CPU seconds through the study: model, rows, hash and file.
    pub cpu_s: f64,
    /// CPU seconds of the loop written by hand.
    pub reference_cpu_s: f64,
}

impl Timing {
    /// Runs through the study per CPU second.
    pub fn runs_per_cpu_s(&self) -> f64 {
        to_f64(self.runs) / self.cpu_s
    }

    /// Runs of the loop written by hand per CPU second.
    pub fn reference_runs_per_cpu_s(&self) -> f64 {
        to_f64(self.runs) / self.reference_cpu_s
    }
}

/// Makes the chunks of a benchmark that `folder` has not, timing each beside as many runs of the reference.
///
/// # Errors
/// As [`chunk::make`].
///
/// # Panics
/// If the threads cannot be started.
pub fn run(
    plan: &Plan,
    folder: &Path,
    jobs: usize,
    tell: &(dyn Fn(crate::execute::Progress) + Sync),
) -> Result<Timing, chunk::Error> {
    let pool = crate::execute::pool(jobs);
    let is_naive = plan.spec().model == Model::Bench1Naive;
    let total = plan.spec().stop.at_most();
    let done = std::sync::atomic::AtomicU64::new(0);
    let one = |index: u64| -> Result<Timing, chunk::Error> {
        if chunk::read(plan, index, folder)?.is_some() {
            return Ok(Timing::default());
        }
        let start = cpu_s();
        let rows = chunk::make(plan, index, folder)?;
        let middle = cpu_s();
        let runs = rows.len() as u64;
        let mut sum = 0.0;
        for replication in 0..runs {
            let seed = plan.spec().seed ^ 0x5eed;
            let run = index * runs + replication;
            sum += if is_naive { reference_naive(seed, run) } else { reference(seed, run) };
        }
        std::hint::black_box(sum);
        let end = cpu_s();
        let done = done.fetch_add(runs, std::sync::atomic::Ordering::Relaxed) + runs;
        tell(crate::execute::Progress { done, total, found: 0 });
        Ok(Timing { runs, cpu_s: middle - start, reference_cpu_s: end - middle })
    };
    let timings: Vec<Timing> =
        pool.install(|| (0..plan.chunks()).into_par_iter().map(one).collect::<Result<_, _>>())?;
    Ok(timings.into_iter().fold(Timing::default(), |sum, part| Timing {
        runs: sum.runs + part.runs,
        cpu_s: sum.cpu_s + part.cpu_s,
        reference_cpu_s: sum.reference_cpu_s + part.reference_cpu_s,
    }))
}

/// CPU time of this thread, so that two threads do not count each other.
fn cpu_s() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    #[allow(clippy::cast_precision_loss, reason = "seconds of one process")]
    let seconds = now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9;
    seconds
}

/// xoshiro256++, seeded by `SplitMix64` as its authors say.
struct Bits([u64; 4]);

impl Bits {
    fn new(seed: u64, run: u64) -> Self {
        let mut stream = crate::random::Stream::keyed(seed, &[run]);
        Self([stream.bits(), stream.bits(), stream.bits(), stream.bits()])
    }

    #[inline]
    fn unit(&mut self) -> f64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        to_f64(result >> 11) * (1.0 / 9_007_199_254_740_992.0)
    }

    #[inline]
    fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}

/// The same algorithm as [`bench1::thinned`] as one loop: no streams by name, no closures, no rows, no files, and the
/// machine's own exponential and logarithm, which need not be the same bits elsewhere. Only the makers' fills are shared,
/// so that a gap closes by one rounding.
///
/// Gives a sum of its three results, so that nothing can be optimised away.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "places from 0 to the thousand holders"
)]
pub fn reference(seed: u64, run: u64) -> f64 {
    const CALM: f64 = 0.002 * STEP_H;
    let mut bits = Bits::new(seed, run);
    let mut bands: [Vec<f64>; 8] = std::array::from_fn(|_| Vec::with_capacity(250));
    for _ in 0..1000 {
        let nerve = bits.unit();
        bands[(nerve * 8.0) as usize].push(nerve);
    }
    let mut distance = bits.exponential();
    let (mut active, mut supply, mut reserves) = (1000_usize, 1000.0_f64, 970.0_f64);
    let mut filled = [0.0_f64; 10];
    let (mut outflow, mut cost, mut recovered) = (0.0_f64, 0.0_f64, None);
    for step in 0..240_u32 {
        let gap = (1.0 - reserves / supply).max(0.0);
        let price = (1.0 - 2.0 * outflow).max(0.5);
        let fear = 5.0 * (gap / 0.03).min(1.0) + 10.0 * (1.0 - price);
        let calm = active as f64 * CALM;
        let mut left = 0;
        if fear <= 0.0 && distance >= calm {
            distance -= calm;
        } else {
            let growth = (fear / 8.0).exp();
            let mut width = CALM;
            for band in &mut bands {
                width *= growth;
                let mut index = 0;
                loop {
                    let rest = (band.len() - index) as f64 * width;
                    if distance >= rest {
                        distance -= rest;
                        break;
                    }
                    let skipped = ((distance / width) as usize).min(band.len() - index - 1);
                    index += skipped;
                    if distance - skipped as f64 * width < CALM * (band[index] * fear).exp() {
                        band.swap_remove(index);
                        left += 1;
                    } else {
                        index += 1;
                    }
                    distance = bits.exponential();
                }
            }
            active -= left;
        }
        settle(
            step,
            left as f64,
            &mut supply,
            &mut reserves,
            &mut outflow,
            &mut filled,
            &mut cost,
            &mut recovered,
        );
    }
    finish(recovered, cost, supply)
}

/// The same of [`bench1::naive`].
#[allow(clippy::cast_precision_loss, reason = "a thousand holders")]
pub fn reference_naive(seed: u64, run: u64) -> f64 {
    const CALM: f64 = 0.002 * STEP_H;
    let mut bits = Bits::new(seed, run);
    let mut active: Vec<f64> = (0..1000).map(|_| bits.unit()).collect();
    let (mut supply, mut reserves) = (1000.0_f64, 970.0_f64);
    let mut filled = [0.0_f64; 10];
    let (mut outflow, mut cost, mut recovered) = (0.0_f64, 0.0_f64, None);
    for step in 0..240_u32 {
        let gap = (1.0 - reserves / supply).max(0.0);
        let price = (1.0 - 2.0 * outflow).max(0.5);
        let fear = 5.0 * (gap / 0.03).min(1.0) + 10.0 * (1.0 - price);
        let before = active.len();
        let mut index = 0;
        while index < active.len() {
            let hazard = CALM * (active[index] * fear).exp();
            let u = bits.unit();
            if u < hazard && u < -(-hazard).exp_m1() {
                active.swap_remove(index);
            } else {
                index += 1;
            }
        }
        let left = (before - active.len()) as f64;
        settle(
            step,
            left,
            &mut supply,
            &mut reserves,
            &mut outflow,
            &mut filled,
            &mut cost,
            &mut recovered,
        );
    }
    finish(recovered, cost, supply)
}

fn finish(recovered: Option<u32>, cost: f64, supply: f64) -> f64 {
    f64::from(recovered.unwrap_or(240)) * STEP_H + cost + (1.0 - supply / 1000.0)
}

#[inline]
#[allow(clippy::too_many_arguments, reason = "the locals of one loop, shared by two")]
fn settle(
    step: u32,
    left: f64,
    supply: &mut f64,
    reserves: &mut f64,
    outflow: &mut f64,
    filled: &mut [f64; 10],
    cost: &mut f64,
    recovered: &mut Option<u32>,
) {
    *outflow = left / *supply;
    *supply -= left;
    *reserves -= 1.05 * left;
    let need = *supply - *reserves;
    if need <= 0.0 {
        return;
    }
    let premium = (0.005 + 0.005 * f64::from(step) * STEP_H).min(0.05);
    let raised = bench1::pro_rata(filled, premium, need);
    *reserves += raised;
    *cost += premium * raised;
    if raised >= need && recovered.is_none() {
        *recovered = Some(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::mean::Moments;

    /// Sum of the note's large-sample values: 3.158 + 0.5716 + 0.1253.
    #[test]
    fn the_loop_written_by_hand_runs_the_same_model() {
        for (n, run) in [(3_000, reference as fn(u64, u64) -> f64), (150, reference_naive)] {
            let moments = Moments::of((0..n).map(|index| run(9, index)));
            let off = (moments.mean - 3.8549).abs();
            assert!(off < 3.5 * moments.standard_error() + 0.001, "{moments:?}");
        }
    }
}
