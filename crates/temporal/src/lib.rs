//! Studies on a Temporal cluster: a workflow per study, an activity per chunk.
//!
//! It is a crate because of what it depends on: the SDK is a hundred crates, behind feature `sdk`. Without it addresses
//! are read and everything else is [`Error::NotBuilt`]. Nouns: [`Address`], [`Cluster`], batch, worker.
//!
//! Workers share nothing but the cluster. A chunk's bytes come back as its activity's result, and the client reads them
//! from the workflow's history as they are written there, so a client that starts again finds what was done without it.

mod address;
mod error;

#[cfg(not(feature = "sdk"))]
mod absent;
#[cfg(feature = "sdk")]
mod client;
#[cfg(feature = "sdk")]
mod history;
#[cfg(feature = "sdk")]
mod worker;
#[cfg(feature = "sdk")]
mod workflow;

#[cfg(not(feature = "sdk"))]
pub use absent::{Cluster, Study};
pub use address::{Address, Reason};
#[cfg(feature = "sdk")]
pub use client::{Cluster, Study};
pub use error::{Ending, Error};
