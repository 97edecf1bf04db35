//! Running a plan on this machine: chunks on every core, what is there already kept, the stop rule in index order.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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

/// Chunks asked for at once where there is no stop rule.
const WINDOW: usize = 1 << 20;

/// Who makes chunks.
pub trait Makers: Sync {
    /// How many chunks are asked for at once under a stop rule. What is made beyond the stop is left out, so results
    /// do not depend on it.
    fn width(&self) -> usize;

    /// Puts the chunks `indices` into `folder`, in any order, and calls `made` with each as it comes.
    ///
    /// # Errors
    /// [`Error`] of a chunk that could not be made.
    fn make(
        &self,
        plan: &Plan,
        indices: &[u64],
        folder: &Path,
        made: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Error>;
}

/// Threads of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Threads<'a> {
    /// How many.
    pub jobs: usize,
    /// Once it is true, no other chunk is begun.
    pub stop: &'a AtomicBool,
}

impl Makers for Threads<'_> {
    fn width(&self) -> usize {
        self.jobs * 4
    }

    fn make(
        &self,
        plan: &Plan,
        indices: &[u64],
        folder: &Path,
        made: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Error> {
        pool(self.jobs).install(|| {
            // A chunk is long enough to be stolen by itself; rayon would hand out long stretches, and wait for the last.
            indices.par_iter().with_max_len(1).try_for_each(|index| {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                chunk::make(plan, *index, folder)?;
                made(*index);
                Ok(())
            })
        })
    }
}

/// Has `makers` make every chunk that the plan needs and that `folder` has not; what it has is read by `jobs` threads.
///
/// The result depends on neither: a stop rule looks at whole chunks in index order, and what was computed beyond the
/// stop is left out.
///
/// # Errors
/// [`Error`] of a chunk that could not be made or read.
///
/// # Panics
/// If the threads cannot be started.
pub fn run(
    plan: &Plan,
    folder: &Path,
    makers: &dyn Makers,
    jobs: usize,
    tell: &(dyn Fn(Progress) + Sync),
) -> Result<Extent, Error> {
    let pool = pool(jobs);
    let per_replication = plan.policies().len() as u64;
    let total = plan.spec().stop.at_most() * per_replication * plan.points() as u64;
    let (done, found) = (AtomicU64::new(0), AtomicU64::new(0));
    let count = |index: u64, was_kept: bool| {
        let count = plan.block(index).map_or(0, |block| (block.to - block.from) * per_replication);
        if was_kept {
            found.fetch_add(count, Ordering::Relaxed);
        }
        let done = done.fetch_add(count, Ordering::Relaxed) + count;
        tell(Progress { done, total, found: found.load(Ordering::Relaxed) });
    };
    let obtain = |indices: &[u64]| -> Result<(), Error> {
        let is_missing = |index: &u64| match chunk::read(plan, *index, folder) {
            Ok(Some(_)) => {
                count(*index, true);
                None
            }
            Ok(None) => Some(Ok(*index)),
            Err(error) => Some(Err(error)),
        };
        let missing: Vec<u64> =
            pool.install(|| indices.par_iter().filter_map(is_missing).collect::<Result<_, _>>())?;
        if missing.is_empty() {
            return Ok(());
        }
        makers.make(plan, &missing, folder, &|index| count(index, false))
    };
    match &plan.spec().stop {
        Stop::After(_) => {
            for from in (0..plan.chunks()).step_by(WINDOW) {
                obtain(&(from..plan.chunks().min(from + WINDOW as u64)).collect::<Vec<_>>())?;
            }
            Ok(Extent { blocks: vec![plan.blocks(); plan.points()] })
        }
        Stop::Until { metric, half_width, .. } => {
            let columns = model::columns(plan.spec().model);
            let position = model::position(columns, metric).expect("the plan was checked");
            let rule = Rule { position, kind: columns[position].kind, half_width: *half_width };
            let moments = |wave: &[u64]| -> Result<Vec<OfChunk>, Error> {
                obtain(wave)?;
                pool.install(|| {
                    wave.par_iter().map(|index| rule.moments(plan, *index, folder)).collect()
                })
            };
            until(plan, &rule, makers.width(), moments)
        }
    }
}

/// Moments of one chunk, by policy.
type OfChunk = Vec<Moments>;

struct Rule {
    position: usize,
    kind: Kind,
    half_width: f64,
}

impl Rule {
    fn moments(&self, plan: &Plan, index: u64, folder: &Path) -> Result<OfChunk, Error> {
        let rows =
            chunk::read(plan, index, folder)?.ok_or_else(|| Error::missing(folder, index))?;
        let policies = plan.policies().len();
        let mut moments = vec![Moments::default(); policies];
        for (index, row) in rows.iter().enumerate() {
            let value = row[self.position];
            if value.is_finite() {
                moments[index % policies].add(value);
            }
        }
        Ok(moments)
    }

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
    width: usize,
    obtain: impl Fn(&[u64]) -> Result<Vec<OfChunk>, Error>,
) -> Result<Extent, Error> {
    let mut moments = vec![vec![Moments::default(); plan.policies().len()]; plan.points()];
    let mut next = vec![0_u64; plan.points()];
    let mut open: Vec<usize> = (0..plan.points()).collect();
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
        let indices: Vec<u64> =
            wave.iter().map(|(point, block)| plan.index(*point, *block)).collect();
        let made = obtain(&indices)?;
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
