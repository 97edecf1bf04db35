//! One file per command.

pub(crate) mod manual;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod simulate;
pub(crate) mod verify;
pub(crate) mod workflow;

use std::io::Read as _;
use std::path::Path;

use anyhow::anyhow;
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

/// Reads UTF-8 of at most so many bytes.
fn read_to(path: &Path, most: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > most {
        return Err(format!("larger than {} MiB", most >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("not UTF-8 in line {line}")
    })
}

/// Writes a file whole, over none but our own.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    folder::write(path, bytes).map_err(|error| {
        let is_input = error.is_input();
        ended("nothing was written", error.hint(), is_input, error.into())
    })
}

/// An error with what to do about it.
fn ended(what: &str, hint: Option<&str>, is_input: bool, error: anyhow::Error) -> Failure {
    let error = match hint {
        Some(hint) => error.context(format!("{what}\n  hint: {hint}")),
        None => error,
    };
    if is_input { Failure::Input(error) } else { Failure::Internal(error) }
}
