//! What outlives a process. A crate of its own because journal, chain and enclave persist apart and by the same
//! rules, and none of them should bring the others' dependencies.
//!
//! - [`Log`] is what is kept: records, framed alike whatever they are of.
//! - [`Storage`] is the medium: bytes that are read, appended, made durable, cut.
//! - [`FileStorage`] is one file, locked while it is held; [`MemoryStorage`] forgets, and can crash.
//! - [`Error`] says that bytes are damaged, another run's, another build's or lost, and where. Only what an interrupted writer left
//!   unfinished, a [`TornTail`], goes without one.

mod error;
mod file;
mod log;
mod memory;

use std::fmt::Debug;
use std::io;

pub use error::Error;
pub use file::FileStorage;
pub use log::{Log, Opened, Record, TornTail};
pub use memory::MemoryStorage;

/// Bytes that outlive the process once [`Storage::sync`] returned.
pub trait Storage: Debug + Send {
    /// What to call it where something is wrong with it: a file's path.
    fn name(&self) -> &str;

    /// Every byte, from the start.
    ///
    /// # Errors
    /// If the medium cannot be read.
    fn read(&mut self) -> io::Result<Vec<u8>>;

    /// Adds `bytes` at the end. Not durable before [`Storage::sync`].
    ///
    /// # Errors
    /// If the medium refuses; some of `bytes` may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// If the medium cannot promise it.
    fn sync(&mut self) -> io::Result<()>;

    /// Keeps the first `len` bytes only, durably.
    ///
    /// # Errors
    /// If the medium cannot be shortened.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// A boxed store is a store.
impl Storage for Box<dyn Storage> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        (**self).read()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        (**self).append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        (**self).sync()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        (**self).truncate(len)
    }
}
