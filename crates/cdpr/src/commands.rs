//! One file per command.

pub(crate) mod manual;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod simulate;
pub(crate) mod verify;
pub(crate) mod workflow;

use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use primitives::Timestamp;
use study::folder;

use crate::Failure;

/// Most bytes of a file that a person writes by hand.
const TEXT_MAX: u64 = 1 << 20;

/// Reads what a person wrote.
fn text(path: &Path) -> Result<String, Failure> {
    read_to(path, TEXT_MAX).map_err(|why| {
        Failure::Input(anyhow!("{}: {why}\n  hint: give a readable UTF-8 file", path.display()))
    })
}

/// Reads at most so many bytes, whatever the file is: a device may never end.
fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("larger than {} MiB", most >> 20));
    }
    Ok(bytes)
}

/// Reads UTF-8 of at most so many bytes.
fn read_to(path: &Path, most: u64) -> Result<String, String> {
    String::from_utf8(bytes(path, most)?).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("not UTF-8 in line {line}")
    })
}

/// The time.
fn now() -> Result<Timestamp, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?;
    Ok(Timestamp(since.as_secs()))
}

/// Writes a file whole, over none but our own.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    folder::write(path, bytes).map_err(unwritten)
}

fn unwritten(error: folder::Error) -> Failure {
    let is_input = error.is_input();
    ended("nothing was written", error.hint(), is_input, error.into())
}

/// An error with what to do about it.
fn ended(what: &str, hint: Option<&str>, is_input: bool, error: anyhow::Error) -> Failure {
    let error = match hint {
        Some(hint) => error.context(format!("{what}\n  hint: {hint}")),
        None => error,
    };
    if is_input { Failure::Input(error) } else { Failure::Internal(error) }
}
