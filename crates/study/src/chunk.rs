//! Chunk files: written whole or not at all, and refused when they are not what they say.
//!
//! Two records, framed as every log is ([`primitives::frames`]): the header, JSON, and rows × columns × f64,
//! little-endian. No writer is interrupted within a chunk, so one that stops early is damaged as well.

use std::path::{Path, PathBuf};

use primitives::frames::{self, Flaw, Frame, Kind};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::{folder, model, reading};

/// How a chunk begins, and what its frames are hashed under.
pub const KIND: Kind = Kind { magic: b"CDPRCHK2", domain: "cdpr/chunk/v2" };

/// How chunks of earlier versions began, which had a digest at their end.
const EARLIER: &[u8] = b"CDPRCHK1";

/// How chunks of all versions begin.
pub(crate) const FAMILY: &[u8] = b"CDPRCHK";

/// What a chunk says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    config: String,
    index: u64,
    columns: usize,
    rows: usize,
}

/// Why a chunk could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system.
    #[error("{}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Its words.
        #[source]
        cause: std::io::Error,
    },
    /// Not a chunk, or its bytes were changed after they were written.
    #[error("{} is damaged at byte {offset}: {reason}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where the first frame begins that is not as it was.
        offset: u64,
        /// What does not hold.
        reason: &'static str,
    },
    /// A chunk of another study, or of another version of this program.
    #[error("{} belongs to another study, or to another version", .path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// There is no such chunk.
    #[error("there is no chunk {index}: the study has {chunks}, from 0")]
    NoSuch {
        /// Asked for.
        index: u64,
        /// There are.
        chunks: u64,
    },
    /// A point that the model refuses.
    #[error("{key}: {reason}")]
    Model {
        /// The key.
        key: String,
        /// The reason.
        reason: crate::spec::Reason,
    },
    /// A place that cannot be written.
    #[error(transparent)]
    Place(#[from] folder::Error),
    /// Somebody asked for an end.
    #[error("interrupted")]
    Interrupted,
    /// Not made by those who were asked.
    #[error(transparent)]
    Elsewhere(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A chunk that should be there by now.
    pub(crate) fn missing(folder: &Path, index: u64) -> Self {
        let cause = std::io::Error::from(std::io::ErrorKind::NotFound);
        Self::File { path: path(folder, index), cause }
    }
}

/// Where a chunk lies in a folder.
pub fn path(folder: &Path, index: u64) -> PathBuf {
    folder.join(format!("{index:08}.chunk"))
}

/// Computes a chunk and puts it into `folder`.
///
/// # Errors
/// [`Error`].
pub fn make(plan: &Plan, index: u64, folder: &Path) -> Result<Vec<Vec<f64>>, Error> {
    let rows = compute(plan, index)?;
    keep(plan, index, &rows, folder)?;
    Ok(rows)
}

/// The rows of a chunk.
///
/// # Errors
/// [`Error::NoSuch`] or [`Error::Model`].
pub fn compute(plan: &Plan, index: u64) -> Result<Vec<Vec<f64>>, Error> {
    let block = plan.block(index).ok_or_else(|| Error::NoSuch { index, chunks: plan.chunks() })?;
    plan.compute(block).map_err(|(key, reason)| Error::Model { key, reason })
}

/// Puts a chunk into `folder`: whole, or not at all.
///
/// # Errors
/// [`Error::Place`].
pub fn keep(plan: &Plan, index: u64, rows: &[Vec<f64>], folder: &Path) -> Result<(), Error> {
    folder::write(&path(folder, index), &encode(plan, index, rows))?;
    Ok(())
}

/// Removes a plan's chunks from `folder`, and the folder if that was all it held.
///
/// # Errors
/// [`Error::Place`].
pub fn remove(plan: &Plan, folder: &Path) -> Result<(), Error> {
    folder::remove(folder, |path| {
        reading::read(path, len_max(plan)).is_ok_and(|bytes| {
            decode(&bytes).is_ok_and(|(header, _)| {
                header.config == plan.config() && path == self::path(folder, header.index)
            })
        })
    })?;
    Ok(())
}

/// A chunk's file.
pub fn encode(plan: &Plan, index: u64, rows: &[Vec<f64>]) -> Vec<u8> {
    let columns = model::columns(plan.spec().model).len();
    let header = Header { config: plan.config().to_owned(), index, columns, rows: rows.len() };
    let header = serde_json::to_vec(&header).expect("a header has string keys");
    let values: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    let mut writer = frames::Writer::new(&KIND);
    [&KIND.magic[..], &writer.append(&header), &writer.append(&values)].concat()
}

/// Most bytes of a file that is looked at: the first chunk is as long as any, and another study's, which is told as such, may
/// be longer.
fn len_max(plan: &Plan) -> u64 {
    const OTHERS: u64 = 64 << 20;
    let rows = plan.block(0).map_or(0, |block| block.to - block.from);
    let columns = model::columns(plan.spec().model).len() as u64;
    rows * plan.policies().len() as u64 * columns * 8 + OTHERS
}

/// Reads a chunk; none when it is not there.
///
/// # Errors
/// [`Error`] when it is damaged or another study's.
pub fn read(plan: &Plan, index: u64, folder: &Path) -> Result<Option<Vec<Vec<f64>>>, Error> {
    let path = path(folder, index);
    let bytes = match reading::read(&path, len_max(plan)) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        // Something that no chunk can be.
        Err(cause) if cause.kind() == std::io::ErrorKind::InvalidInput => {
            let reason = "it is no regular file, or longer than any chunk";
            return Err(Error::Damaged { path, offset: 0, reason });
        }
        Err(cause) => return Err(Error::File { path, cause }),
    };
    parse(plan, index, &bytes, &path).map(Some)
}

/// The rows in a chunk's file; `path` names it in errors.
///
/// # Errors
/// [`Error`] when it is damaged or another study's.
pub fn parse(plan: &Plan, index: u64, bytes: &[u8], path: &Path) -> Result<Vec<Vec<f64>>, Error> {
    let damaged = |(offset, reason): (usize, &'static str)| Error::Damaged {
        path: path.to_owned(),
        offset: offset as u64,
        reason,
    };
    if bytes.starts_with(EARLIER) {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    let (header, values) = decode(bytes).map_err(damaged)?;
    if header.config != plan.config() || header.index != index {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    // Anyone can make frames, so what the header says of its rows is not yet so.
    let columns = model::columns(plan.spec().model).len();
    let Frame { offset, record: values, .. } = values;
    if header.columns != columns || Some(values.len()) != header.rows.checked_mul(columns * 8) {
        return Err(damaged((offset, "these are not the rows that the header tells of")));
    }
    let row = |row: &[u8]| {
        row.as_chunks::<8>().0.iter().map(|value| f64::from_le_bytes(*value)).collect()
    };
    Ok(values.chunks_exact(columns * 8).map(row).collect())
}

/// The header of a chunk, and its values as they came; or where it is damaged, and how.
fn decode(bytes: &[u8]) -> Result<(Header, Frame<'_>), (usize, &'static str)> {
    let (read, flaw) = frames::read(&KIND, bytes);
    match flaw {
        None => {}
        Some(Flaw::Torn { offset, .. }) => {
            return Err((offset, "it stops early, and chunks are written whole"));
        }
        Some(Flaw::Damaged { offset, reason, .. }) => return Err((offset, reason)),
    }
    let [header, values] = read.frames[..] else {
        return Err((read.end, "a chunk is a header and its rows"));
    };
    let parsed = serde_json::from_slice(header.record)
        .map_err(|_| (header.offset, "its header is none of this version"))?;
    Ok((parsed, values))
}
