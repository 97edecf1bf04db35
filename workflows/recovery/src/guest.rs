//! The recovery workflow as CRE runs it: the seed's YAML, interpreted by the same core that the simulator
//! drives and an auditor re-runs.
//!
//! It keeps nothing. Every tick reads the chain, asks the dark pool to judge the reserves, lets the core say
//! what is to be written, and has the DON sign and deliver that; waiting is done by the chain.

mod abi;
mod chain;
mod config;
mod run;
mod tick;

pub use chain::{Read, Unreadable};
pub use config::{Config, ConfigError, Recovery, setup};
pub use run::{TOKEN, workflow};
pub use tick::{Error, Ports, Ticked, tick};
