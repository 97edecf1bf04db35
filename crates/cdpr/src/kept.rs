//! What a run keeps: its journal, and beside it, until the run is over, chain and enclave.
//!
//! Nothing of somebody else's is opened: each file is not there, empty, or begins as ours does. What was made and came to
//! nothing goes, so that a journal that is refused leaves no files beside it.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use primitives::frames::Kind;
use sim::Stores;
use store::{FileStorage, Storage};

use crate::{Failure, terminal};

/// The files of a run.
#[derive(Debug)]
pub(crate) struct Kept<'a> {
    journal: Option<&'a Path>,
    /// Made by this process; shared with whoever ends it when it is interrupted.
    made: Arc<Mutex<Vec<PathBuf>>>,
}

impl<'a> Kept<'a> {
    pub(crate) fn at(journal: Option<&'a Path>) -> Self {
        let made = Arc::default();
        let (path, left) = (journal.map(Path::to_owned), Arc::clone(&made));
        terminal::when_interrupted(move || sweep(path.as_deref(), &left));
        Self { journal, made }
    }

    fn beside(journal: &Path) -> [PathBuf; 2] {
        ["chain", "enclave"].map(|name| {
            let mut path = journal.as_os_str().to_owned();
            path.push(".");
            path.push(name);
            path.into()
        })
    }

    /// Opens all of them, or memory when nothing is kept.
    pub(crate) fn open(&self) -> Result<Stores, Failure> {
        let Some(journal) = self.journal else {
            return Ok(Stores::memory());
        };
        let [chain, enclave] = Self::beside(journal);
        // All are looked at before any is opened.
        for (path, kind) in [journal, &chain, &enclave].into_iter().zip(Stores::KINDS) {
            check(path, kind)?;
        }
        Ok(Stores {
            journal: self.open_file(journal)?,
            chain: self.open_file(&chain)?,
            enclave: self.open_file(&enclave)?,
        })
    }

    fn open_file(&self, path: &Path) -> Result<Box<dyn Storage>, Failure> {
        if !path.exists() {
            // Before it is made, so that there is no moment in which nobody would remove it.
            self.made.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        }
        let file = FileStorage::open(path).map_err(|error| {
            refuse(path, &error, "give a file this user may write, used by no other run")
        })?;
        Ok(Box::new(file))
    }

    /// The run is over: what outlived a crash has served. The journal stays.
    pub(crate) fn finish(self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for path in self.journal.iter().flat_map(|journal| Self::beside(journal)) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        sweep(self.journal, &self.made);
    }
}

/// Removes what was made for nothing: without a word in the journal there is nothing to go on with, and chain and enclave
/// are of no use.
fn sweep(journal: Option<&Path>, made: &Mutex<Vec<PathBuf>>) {
    let is_empty = |path: &Path| fs::metadata(path).is_ok_and(|file| file.len() == 0);
    let says_nothing = journal.is_some_and(is_empty);
    for path in made.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if says_nothing || is_empty(path) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether a log of this kind can be at a path.
fn check(path: &Path, kind: &Kind) -> Result<(), Failure> {
    let refuse = |what: &dyn Display| refuse(path, what, "give a file that is new, or a run's");
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refuse(&error)),
        Ok(found) if !found.is_file() => Err(refuse(&"not a file in which a run could be kept")),
        Ok(_) => {
            let mut beginning = Vec::new();
            File::open(path)
                .and_then(|file| file.take(kind.magic.len() as u64).read_to_end(&mut beginning))
                .map_err(|error| refuse(&error))?;
            if kind.magic.starts_with(&beginning) {
                Ok(())
            } else {
                Err(refuse(&"there already, and not by a run"))
            }
        }
    }
}

fn refuse(path: &Path, what: &dyn Display, hint: &str) -> Failure {
    Failure::Input(anyhow!("{}: {what}\n  hint: {hint}", path.display()))
}
