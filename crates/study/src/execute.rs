//! Running a plan on this machine: chunks on every core, what is there already kept, the stop rule in index order.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use crate::chunk::{self, Error};
use crate::model::{self, Kind};
use crate::plan::Plan;
use crate::spec::Stop;
use crate::stats::mean::Moments;
use crate::stats::proportion::wilson;

/// That many threads.
///
/// # Panics
/// If they cannot be started.
pub(crate) fn pool(jobs: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build()
        .expect("threads are to be had; if not, nothing can be done")
}

/// How far a study is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Runs done, those found on disk included.
    pub done: u64,
    /// Runs in all, at most.
    pub total: u64,
    /// Runs found on disk.
    pub found: u64,
}

/// Which blocks of each point count: its first `blocks[point]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// By point.
    pub blocks: Vec<u64>,
}

/// Makes every chunk that the plan needs and that `folder` has not, on `jobs` threads.
///
/// The result depends on neither: a stop rule looks at whole chunks in index order, and what was computed beyond the
/// stop is left out.
///
/// # Errors
/// [`Error`] of the first chunk, in index order of its wave, that could not be made or read.
///
/// # Panics
/// If the threads cannot be started.
pub fn run(
    plan: &Plan,
    folder: &Path,
    jobs: usize,
    tell: &(dyn Fn(Progress) + Sync),
) -> Result<Extent, Error> {
    let pool = pool(jobs);
    let per_replication = plan.policies().len() as u64;
    let total = plan.spec().stop.at_most() * per_replication * plan.points() as u64;
    let (done, found) = (AtomicU64::new(0), AtomicU64::new(0));
    let obtain = |index: u64| -> Result<Vec<Vec<f64>>, Error> {
        let kept = chunk::read(plan, index, folder)?;
        let was_kept = kept.is_some();
        let rows = match kept {
            Some(rows) => rows,
            None => chunk::make(plan, index, folder)?,
        };
        let count = rows.len() as u64;
        if was_kept {
            found.fetch_add(count, Ordering::Relaxed);
        }
        let done = done.fetch_add(count, Ordering::Relaxed) + count;
        tell(Progress { done, total, found: found.load(Ordering::Relaxed) });
        Ok(rows)
    };
    pool.install(|| match &plan.spec().stop {
        Stop::After(_) => {
            (0..plan.chunks()).into_par_iter().try_for_each(|index| obtain(index).map(drop))?;
            Ok(Extent { blocks: vec![plan.blocks(); plan.points()] })
        }
        Stop::Until { metric, half_width, .. } => {
            let columns = model::columns(plan.spec().model);
            let position = model::position(columns, metric).expect("the plan was checked");
            let rule = Rule { position, kind: columns[position].kind, half_width: *half_width };
            until(plan, &rule, &obtain)
        }
    })
}

struct Rule {
    position: usize,
    kind: Kind,
    half_width: f64,
}

impl Rule {
    fn is_met(&self, by_policy: &[Moments]) -> bool {
        by_policy.iter().all(|moments| {
            if moments.n < 2 {
                return false;
            }
            let estimate = match self.kind {
                Kind::Flag => {
                    let hits = moments.mean * crate::stats::to_f64(moments.n);
                    wilson(crate::stats::index_floor(hits + 0.5) as u64, moments.n)
                }
                Kind::Count | Kind::Real => moments.estimate(),
            };
            estimate.half_width() <= self.half_width
        })
    }
}

fn until(
    plan: &Plan,
    rule: &Rule,
    obtain: &(impl Fn(u64) -> Result<Vec<Vec<f64>>, Error> + Sync),
) -> Result<Extent, Error> {
    let policies = plan.policies().len();
    let mut moments = vec![vec![Moments::default(); policies]; plan.points()];
    let mut next = vec![0_u64; plan.points()];
    let mut open: Vec<usize> = (0..plan.points()).collect();
    let width = rayon::current_num_threads() * 4;
    while !open.is_empty() {
        // A wave: the next block of each open point, or several of each when few are open.
        let depth = (width.div_ceil(open.len()) as u64).max(1);
        let wave: Vec<(usize, u64)> = open
            .iter()
            .flat_map(|point| {
                let from = next[*point];
                (from..(from + depth).min(plan.blocks())).map(|block| (*point, block))
            })
            .collect();
        let made: Vec<Vec<Moments>> = wave
            .par_iter()
            .map(|(point, block)| {
                let rows = obtain(plan.index(*point, *block))?;
                let mut of_chunk = vec![Moments::default(); policies];
                for (index, row) in rows.iter().enumerate() {
                    let value = row[rule.position];
                    if value.is_finite() {
                        of_chunk[index % policies].add(value);
                    }
                }
                Ok(of_chunk)
            })
            .collect::<Result<_, Error>>()?;
        let mut stopped = vec![false; plan.points()];
        for ((point, block), of_chunk) in wave.into_iter().zip(made) {
            if stopped[point] {
                continue;
            }
            for (sum, part) in moments[point].iter_mut().zip(of_chunk) {
                *sum = sum.merged(part);
            }
            next[point] = block + 1;
            stopped[point] = rule.is_met(&moments[point]) || next[point] == plan.blocks();
        }
        open.retain(|point| !stopped[*point]);
    }
    Ok(Extent { blocks: next })
}
