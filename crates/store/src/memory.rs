//! A medium in memory, for tests of crashes and for runs that nobody resumes.

use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex};

use crate::Storage;

/// A [`Storage`] in memory that can crash. Clones share the bytes, so a test keeps one and gives
/// whoever writes another.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    name: &'static str,
    medium: Arc<Mutex<Medium>>,
}

#[derive(Default)]
struct Medium {
    bytes: Vec<u8>,
    durable_len: usize,
    full: bool,
}

impl Debug for Medium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, {} durable", self.bytes.len(), self.durable_len)
    }
}

impl MemoryStorage {
    /// An empty medium.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A medium that errors call `name` and that holds `bytes`, durably.
    #[must_use]
    pub fn named(name: &'static str, bytes: Vec<u8>) -> Self {
        Self { name, ..Self::from(bytes) }
    }

    /// Pulls the plug: of what was not synced, only the first `torn_len` bytes survive.
    pub fn crash(&self, torn_len: usize) {
        self.with(|medium| {
            let len = medium.bytes.len().min(medium.durable_len.saturating_add(torn_len));
            medium.bytes.truncate(len);
            medium.durable_len = len;
        });
    }

    /// Makes every later append fail halfway, or work again.
    pub fn set_full(&self, full: bool) {
        self.with(|medium| medium.full = full);
    }

    /// A copy of the bytes, synced or not.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.with(|medium| medium.bytes.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Medium) -> T) -> T {
        act(&mut self.medium.lock().expect("nothing panics while holding the medium"))
    }
}

/// A medium that holds `bytes`, durably.
impl From<Vec<u8>> for MemoryStorage {
    fn from(bytes: Vec<u8>) -> Self {
        let medium = Medium { durable_len: bytes.len(), bytes, full: false };
        Self { name: "", medium: Arc::new(Mutex::new(medium)) }
    }
}

impl Storage for MemoryStorage {
    fn name(&self) -> &str {
        if self.name.is_empty() { "memory" } else { self.name }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.bytes())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|medium| {
            if medium.full {
                medium.bytes.extend_from_slice(&bytes[..bytes.len() / 2]);
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            medium.bytes.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|medium| medium.durable_len = medium.bytes.len());
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.with(|medium| {
            medium.bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
            medium.durable_len = medium.bytes.len();
        });
        Ok(())
    }
}
