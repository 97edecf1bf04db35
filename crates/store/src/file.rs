//! A medium on disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::Storage;

/// A [`Storage`] that is one file.
#[derive(Debug)]
pub struct FileStorage {
    name: String,
    file: File,
}

impl FileStorage {
    /// Opens `path`, creating an empty file, durably, if there is none.
    ///
    /// The file is locked while this value lives, because two processes appending to one log
    /// would each tear the other's.
    ///
    /// # Errors
    /// If the file or its directory cannot be opened, or another process holds the file.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let new = !path.exists();
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock().map_err(unlocked)?;
        if new && let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            // A file is durable only when the directory that names it is.
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { name: path.display().to_string(), file })
    }
}

/// Why a file cannot be held, in an [`io::Error`] of the same kind.
#[derive(Debug, thiserror::Error)]
enum Unlocked {
    #[error("another process holds it")]
    Held,
    #[error(
        "no lock can be had on it, as on some network folders and in some sandboxes ({0}); a local disk has locks"
    )]
    NoLocks(io::Error),
}

fn unlocked(error: TryLockError) -> io::Error {
    match error {
        TryLockError::WouldBlock => io::Error::new(io::ErrorKind::WouldBlock, Unlocked::Held),
        TryLockError::Error(error) => io::Error::new(error.kind(), Unlocked::NoLocks(error)),
    }
}

impl Storage for FileStorage {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_is_held_and_file_system_without_locks_are_told_apart() {
        let held = unlocked(TryLockError::WouldBlock);
        let said = (held.kind(), held.to_string());
        assert_eq!(said, (io::ErrorKind::WouldBlock, "another process holds it".to_owned()));
        // ENOLCK: "no locks available", as NFS without its lock service says.
        let without = unlocked(TryLockError::Error(io::Error::from_raw_os_error(37))).to_string();
        assert!(
            without.contains("network folders") && without.contains("os error 37"),
            "{without}"
        );
    }
}
