//! One file per command.

pub(crate) mod amount;
pub(crate) mod dev;
pub(crate) mod issuer;
pub(crate) mod maker;
pub(crate) mod manual;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod sending;
pub(crate) mod simulate;
pub(crate) mod status;
pub(crate) mod verify;
pub(crate) mod workflow;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use primitives::Timestamp;
use study::{folder, reading};

use crate::Failure;

/// Most bytes of a file that a person writes by hand.
const TEXT_MAX: u64 = 1 << 20;

/// Reads what a person wrote.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    read_to(path, TEXT_MAX).map_err(|why| {
        Failure::Input(anyhow!("{}: {why}\n  hint: give a readable UTF-8 file", path.display()))
    })
}

/// Reads a file of at most so many bytes. Of one that is not there, the nearest name that is beside it is told.
fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    reading::read(path, most).map_err(|error| {
        let is_absent = error.kind() == std::io::ErrorKind::NotFound;
        format!("{error}{}", if is_absent { meant(path) } else { String::new() })
    })
}

/// Names in a folder that are looked at.
const NAMES_MAX: usize = 10_000;

/// Which file or folder may have been meant by one that is not there; nothing where none is near.
fn meant(path: &Path) -> String {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return String::new();
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return format!(": there is no folder {}", folder.display());
    };
    let names: Vec<String> = entries
        .take(NAMES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match study::spec::nearest(&name.to_string_lossy(), &names) {
        Some(nearest) => format!(": did you mean {:?}?", path.with_file_name(nearest)),
        None => String::new(),
    }
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

/// Drives alloy's futures, one call at a time.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("an event loop")?.block_on(future)
}

/// Writes a file whole, over none but our own.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    folder::write(path, bytes).map_err(unwritten)
}

pub(crate) fn unwritten(error: folder::Error) -> Failure {
    let is_input = error.is_input();
    ended("nothing was written", error.hint(), is_input, error.into())
}

/// The known words, after the one that may have been meant.
fn known_words(found: &str, known: &[&str]) -> String {
    format!("{}Known: {}", meant_word(found, known), known.join(", "))
}

/// Asks whether the nearest known word was meant, before a hint that goes on; nothing where none is near.
fn meant_word(found: &str, known: &[&str]) -> String {
    let meant = study::spec::nearest(found, known);
    meant.map(|meant| format!("did you mean {meant:?}? ")).unwrap_or_default()
}

/// Bad input: what is wrong, and what to do about it.
pub(crate) fn refuse(what: impl std::fmt::Display, hint: impl std::fmt::Display) -> Failure {
    Failure::Input(anyhow!("{what}\n  hint: {hint}"))
}

/// An error with what to do about it.
fn ended(what: &str, hint: Option<&str>, is_input: bool, error: anyhow::Error) -> Failure {
    let error = match hint {
        Some(hint) => error.context(format!("{what}\n  hint: {hint}")),
        None => error,
    };
    if is_input { Failure::Input(error) } else { Failure::Internal(error) }
}
