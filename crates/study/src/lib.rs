//! Studies over the risk model: what turns a spec into numbers that a risk team would sign.
//!
//! It is a crate because the model must stay pure and this must not: it reads files, writes files and runs threads.
//! Nouns: [`spec::Spec`], [`plan::Plan`], chunk, summary.

pub mod spec;

pub mod plan;

pub mod chunk;
pub mod claims;
pub mod execute;
pub mod study;
pub mod summary;

pub mod adversary;
pub mod bench;
pub mod data;
pub mod design;
pub mod folder;
mod hash;
pub mod level;
pub mod model;
pub mod output;
pub mod places;
pub mod quantity;
pub mod random;
pub mod reading;
pub mod report;
pub mod stats;

/// What the run card and every chunk name as the code that made them.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
