//! Studies over the risk model: what turns a spec into numbers that a risk team would sign.
//!
//! It is a crate because the model must stay pure and this must not: it reads files, writes files and runs threads.

pub mod data;
pub mod design;
mod hash;
pub mod quantity;
pub mod random;
pub mod spec;
pub mod stats;
