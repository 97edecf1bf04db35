//! Sockets that answer. A crate of its own because an HTTP server and gRPC are heavy, and nothing that is served
//! needs to know by what.
//!
//! - `grpc` serves `darkpool@1.0.0` as Chainlink's nodes call a capability, `http` as the endpoint for DONs
//!   that have not registered it; both over one `Shared` service (feature `darkpool`).
//! - [`rpc`] serves whatever answers JSON-RPC, on loopback.

#[cfg(feature = "darkpool")]
pub mod grpc;
#[cfg(feature = "darkpool")]
pub mod http;
pub mod rpc;
#[cfg(feature = "darkpool")]
mod shared;

#[cfg(feature = "darkpool")]
pub use shared::Shared;
