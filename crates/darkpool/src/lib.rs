//! `darkpool@1.0.0`, the seed's custom capability: its service, and the ways to reach it. It is a crate
//! because a guest takes the client's side without the service (`default-features = false`).
//!
//! - [`DarkPool`] is the capability as a workflow sees it, whatever carries the calls.
//! - [`Client`] speaks to a DON that has registered it, [`Fallback`] to one that has not.
//! - [`Service`] answers, over a [`Backend`]: the world with its chain and its enclave.
//! - [`Fault`] is how any of them says no, in the text that Chainlink's nodes exchange.
//!
//! Registration is Chainlink's to give. The same service is therefore served three times: by [`Service::call`]
//! in a registry of ours, and by `server` as Chainlink's nodes call a capability, by gRPC, and as the endpoint
//! of the fallback, by HTTP, where the effect is an ordinary `WriteReport`.

mod client;
#[cfg(feature = "service")]
mod endpoint;
mod fallback;
mod fault;
#[cfg(all(feature = "service", feature = "testing"))]
pub mod scripted;
#[cfg(feature = "service")]
mod service;
#[cfg(feature = "testing")]
pub mod testing;

pub use client::{Client, DarkPool};
#[cfg(feature = "service")]
pub use endpoint::{Answer, Asked, Endpoint};
pub use fallback::{COLLATERAL_REQUESTED, Chain, Fallback, Host, Requested, path, requested};
pub use fault::{Code, Fault, Origin, Visibility};
#[cfg(feature = "service")]
pub use service::{Attested, Backend, Delivery, Error, Failure, RequestState, Scope, Service};
