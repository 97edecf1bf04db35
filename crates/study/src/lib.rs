//! Studies over the risk model: what turns a spec into numbers that a risk team would sign.
//!
//! It is a crate because the model must stay pure and this must not: it reads files, writes files and runs threads.

pub mod design;
pub mod random;
pub mod stats;
