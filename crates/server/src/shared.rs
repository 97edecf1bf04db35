//! One service for many callers.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use darkpool::Service;

/// A service behind a lock, which wakes those who wait for fills whenever something may have changed.
/// Clones share it.
pub struct Shared<B> {
    service: Arc<Mutex<Service<B>>>,
    changes: watch::Sender<u64>,
}

impl<B> core::fmt::Debug for Shared<B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Shared")
    }
}

impl<B> Clone for Shared<B> {
    fn clone(&self) -> Self {
        Self { service: Arc::clone(&self.service), changes: self.changes.clone() }
    }
}

impl<B> Shared<B> {
    /// Shares a service.
    pub fn new(service: Service<B>) -> Self {
        Self { service: Arc::new(Mutex::new(service)), changes: watch::Sender::new(0) }
    }

    /// Does something with the service, alone, and wakes whoever waits for fills. It may block: an enclave
    /// proves, a chain mines.
    pub fn with<T>(&self, act: impl FnOnce(&mut Service<B>) -> T) -> T {
        let out = self.read(act);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        out
    }

    /// The same without waking anybody.
    pub(crate) fn read<T>(&self, act: impl FnOnce(&mut Service<B>) -> T) -> T {
        // A panic in a backend is that call's; the service keeps no state that it could have torn.
        act(&mut self.service.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn wake(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Runs what may block away from the reactor. `None` if it panicked.
pub(crate) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(act).await.ok()
}
