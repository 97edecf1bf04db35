//! Reads what people write about a recovery, and refuses it well.
//!
//! It exists because two files decide where money goes before anything runs: the workflow (YAML, the
//! seed's language) and the deployment (TOML, which gives the workflow's names a meaning). Both are
//! read strictly, and whoever made a mistake is told file, line, step and key, why, and what to write
//! instead. Pure: text in, value or [`Diagnostic`] out; never a panic.
//!
//! Nouns: [`Document`], a workflow and where its words stand; [`Deployment`]; [`Diagnostic`].
//!
//! ```
//! # let (workflow, deployment) = (recovery::SEED, include_str!("../../../deployments/embedded.toml"));
//! let deployment = recovery::Deployment::parse(deployment, "deployments/embedded.toml")?;
//! let document = recovery::parse(workflow, "workflows/confidential-recovery-darkpool.yaml")?;
//! recovery::check(&document, &deployment)?;
//! assert_eq!(document.workflow.cron.to_string(), "*/5 * * * *");
//! # Ok::<(), recovery::Diagnostic>(())
//! ```

mod check;
mod deployment;
mod diagnostic;
pub mod guest;
mod parse;
mod quantity;
mod tree;
mod yaml;

pub use check::check;
pub use deployment::{
    AssetRole, ContractRole, Deployment, Detect, Disclosure, Don, Feed, Guard, ImageRole,
    Instrument, InstrumentKind, PoolRole, RequestLimits,
};
pub use diagnostic::Diagnostic;
pub use parse::{Document, parse};
pub use primitives::Disclosure as DisclosureMode;

/// The workflow the project came from, word for word.
pub const SEED: &str = include_str!("../../confidential-recovery-darkpool.yaml");

/// The longest source read, in bytes. The seed's workflow has 2 KiB.
pub const SOURCE_LEN_MAX: usize = 64 * 1024;
