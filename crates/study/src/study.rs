//! A study from plan to files.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::execute::{self, Extent, Makers, Progress};
use crate::folder::Claim;
use crate::output::{RunCard, Tables};
use crate::plan::Plan;
use crate::spec::Design;
use crate::summary::{self, PointSums, Summary};
use crate::{chunk, claims, folder, reading};

/// Most bytes of a run card: it has a name for each policy.
const CARD_LEN_MAX: u64 = 16 << 20;

/// Most bytes of a summary: [`summary::DETAIL_MAX`] points have curves, the others means only.
const SUMMARY_LEN_MAX: u64 = 2 << 30;

/// Why a study ended without results.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A chunk.
    #[error("a chunk could not be made or read")]
    Chunk(#[from] chunk::Error),
    /// A file.
    #[error("{}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A place that cannot be written.
    #[error(transparent)]
    Place(#[from] folder::Error),
    /// Results of another study are there.
    #[error("{} holds the results of another study, or of this one under another spec", .path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A point that the model refuses.
    #[error("{key}: {reason}")]
    Model {
        /// The key.
        key: String,
        /// The reason.
        reason: crate::spec::Reason,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Occupied { .. } => Some("give another --out, or remove it"),
            Self::Chunk(chunk::Error::Foreign { .. } | chunk::Error::Damaged { .. }) => {
                Some("remove the file, or give a folder of its own to each study and version")
            }
            Self::Place(error) | Self::Chunk(chunk::Error::Place(error)) => error.hint(),
            Self::File { cause, .. } | Self::Chunk(chunk::Error::File { cause, .. }) => {
                folder::hint(cause)
            }
            Self::Chunk(
                chunk::Error::NoSuch { .. }
                | chunk::Error::Model { .. }
                | chunk::Error::Interrupted
                | chunk::Error::Elsewhere(_),
            )
            | Self::Model { .. } => None,
        }
    }

    /// Whether it is for the user to change what was given.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Occupied { .. }
            | Self::Chunk(
                chunk::Error::Foreign { .. }
                | chunk::Error::Damaged { .. }
                | chunk::Error::NoSuch { .. },
            ) => true,
            Self::Place(error) | Self::Chunk(chunk::Error::Place(error)) => error.is_input(),
            Self::File { cause, .. } | Self::Chunk(chunk::Error::File { cause, .. }) => {
                folder::is_input(cause)
            }
            Self::Chunk(
                chunk::Error::Model { .. } | chunk::Error::Interrupted | chunk::Error::Elsewhere(_),
            )
            | Self::Model { .. } => false,
        }
    }
}

/// Where chunks lie by default.
pub fn chunk_folder(out: &Path) -> PathBuf {
    out.join("chunks")
}

/// Runs what is left to run, merges, and writes `results.parquet`, `results.csv`, `summary.json` and `run-card.json`.
///
/// `chunks` is where chunks are kept and looked for. In [`chunk_folder`] they go once the results hold all of them;
/// elsewhere they stay. Running again after a kill goes on where it stopped; running a finished study again only renews
/// its words.
///
/// # Errors
/// [`Error`]; no result has been written then.
pub fn run(
    plan: &Plan,
    out: &Path,
    chunks: &Path,
    jobs: usize,
    tell: &(dyn Fn(Progress) + Sync),
) -> Result<Summary, Error> {
    let here = execute::Threads { jobs, stop: &AtomicBool::new(false) };
    run_by(plan, out, chunks, &here, jobs, tell)
}

/// As [`run`], with the chunks made by others: the same bytes.
///
/// # Errors
/// As [`run`].
pub fn run_by(
    plan: &Plan,
    out: &Path,
    chunks: &Path,
    makers: &dyn Makers,
    jobs: usize,
    tell: &(dyn Fn(Progress) + Sync),
) -> Result<Summary, Error> {
    let claim = Claim::alone(out)?;
    if let Some(finished) = finished(plan, out)? {
        return Ok(finished);
    }
    let together = Claim::together(chunks)?;
    let extent = execute::run(plan, chunks, makers, jobs, tell)?;
    let summary = merge(plan, out, chunks, &extent, jobs)?;
    drop(together);
    if chunks == chunk_folder(out) {
        chunk::remove(plan, chunks)?;
    }
    drop(claim);
    Ok(summary)
}

/// The summary of a finished study with this plan's words; none when it is not finished.
fn finished(plan: &Plan, out: &Path) -> Result<Option<Summary>, Error> {
    let card_path = out.join("run-card.json");
    let occupied = || Error::Occupied { path: out.to_owned() };
    let card = match reading::read(&card_path, CARD_LEN_MAX) {
        Ok(card) => card,
        Err(cause) if cause.kind() == std::io::ErrorKind::InvalidInput => return Err(occupied()),
        Err(_) => return Ok(None),
    };
    let card: RunCard = serde_json::from_slice(&card).map_err(|_| occupied())?;
    if card.config_sha256 != plan.config() {
        return Err(occupied());
    }
    let mut summary = read(out)?;
    let spec = plan.spec();
    summary.question.clone_from(&spec.question);
    summary.conclusion.clone_from(&spec.conclusion);
    summary.claims = claims::judge(&spec.claims, &summary.axes, &summary.points);
    write_json(&out.join("summary.json"), &summary)?;
    Ok(Some(summary))
}

/// Reads the summary of a finished study.
///
/// # Errors
/// [`Error::File`] when it is not there or not a summary.
pub fn read(out: &Path) -> Result<Summary, Error> {
    let path = out.join("summary.json");
    let read = reading::read(&path, SUMMARY_LEN_MAX)
        .and_then(|bytes| Summary::parse(&bytes).map_err(std::io::Error::other));
    read.map_err(|cause| Error::File { path, cause })
}

fn merge(
    plan: &Plan,
    out: &Path,
    chunks: &Path,
    extent: &Extent,
    jobs: usize,
) -> Result<Summary, Error> {
    let file = |cause| Error::File { path: out.to_owned(), cause };
    let mut tables = Tables::start(plan, out)?;
    let mut digest = Sha256::new();
    let mut points = Vec::with_capacity(plan.points());
    let mut runs = 0;
    let pool = execute::pool(jobs);
    // Read one after the other, and summed up several at once: as many as there are threads stay in memory.
    let mut read = Vec::with_capacity(jobs);
    for point in 0..plan.points() {
        let mut sums = PointSums::new(plan);
        for block in 0..extent.blocks[point] {
            let index = plan.index(point, block);
            let rows = chunk::read(plan, index, chunks)?
                .ok_or_else(|| chunk::Error::missing(chunks, index))?;
            for value in rows.iter().flatten() {
                digest.update(value.to_le_bytes());
            }
            runs += rows.len() as u64;
            let from = plan.block(index).map_or(0, |block| block.from);
            tables.append(plan, point, from, &rows).map_err(file)?;
            sums.add(&rows);
        }
        read.push((point, sums));
        if read.len() >= jobs || point + 1 == plan.points() {
            let finished = std::mem::take(&mut read);
            points.extend(pool.install(|| {
                let finish = |(point, sums): (usize, PointSums)| sums.finish(plan, point);
                finished.into_par_iter().map(finish).collect::<Vec<_>>()
            }));
        }
    }
    let files = tables.finish().map_err(file)?;
    let spec = plan.spec();
    let (policies, axes, world, horizon_h) = summary::words(plan);
    let results = digest.finalize();
    let card = RunCard {
        study: spec.name.clone(),
        config_sha256: plan.config().to_owned(),
        data_sha256: plan.data().map(|series| series.hash.clone()),
        results_sha256: primitives::hex(&results),
        code_version: crate::VERSION.to_owned(),
        code_commit: option_env!("CDPR_COMMIT").map(str::to_owned),
        level: spec.level.name().to_owned(),
        seed: spec.seed,
        points: plan.points() as u64,
        policies: plan.policies(),
        runs,
        randomness: "counter-based, keyed by seed, replication, agent and purpose; policies and points see the same \
                     shocks in the same replication"
            .to_owned(),
    };
    let (fans, rare) = pool.install(|| (summary::fans(plan), summary::rare(plan)));
    let summary = Summary {
        question: spec.question.clone(),
        conclusion: spec.conclusion.clone(),
        claims: claims::judge(&spec.claims, &axes, &points),
        baseline: spec.baseline.clone(),
        design: match spec.sweep.design {
            Design::Grid => "grid",
            Design::Sobol { .. } => "sobol",
            Design::LatinHypercube { .. } => "latin-hypercube",
            Design::Saltelli { .. } => "saltelli",
            Design::Morris { .. } => "morris",
        }
        .to_owned(),
        sensitivity: pool.install(|| summary::sensitivity(plan, &points)),
        policies,
        axes,
        world,
        horizon_h,
        points,
        fans,
        rare: rare.map_err(|(key, reason)| Error::Model { key, reason })?,
        series: plan.data().cloned(),
        card,
    };
    for file in files {
        file.keep()?;
    }
    write_json(&out.join("summary.json"), &summary)?;
    // Last: a folder with a card is a finished study.
    write_json(&out.join("run-card.json"), &summary.card)?;
    Ok(summary)
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("keys are strings");
    bytes.push(b'\n');
    folder::write(path, &bytes)?;
    Ok(())
}
