//! `cdpr workflow`: CRE workflows, anyone's: made, built, simulated on a DON in this process.
//!
//! Files, flags and output are those that developers of Chainlink's CRE know. No account, no network and
//! no other program is needed, save cargo to build Rust and npm's packages to bundle TypeScript.

mod build;
mod chains;
mod dark_pool;
mod init;
pub(crate) mod limits;
mod program;
pub(crate) mod project;
#[cfg(feature = "compiler")]
mod script;
#[cfg(not(feature = "compiler"))]
#[path = "workflow/no_script.rs"]
mod script;
mod show;
mod simulate;
mod tool;
pub(crate) mod trigger;

use clap::Subcommand;

use super::{known_words, refuse};
use crate::{Ending, Failure};

#[derive(Debug, Subcommand)]
pub(crate) enum Workflow {
    /// Make a project: settings, secrets, and one Rust workflow that a cron schedule starts.
    Init(init::Arguments),
    /// Compile a Rust workflow to wasm/workflow.wasm and check it as a CRE node would.
    Build(build::Arguments),
    /// Run a workflow once on a simulated DON: the module, real HTTP and chains, secrets, consensus.
    Simulate(simulate::Arguments),
    /// Run a workflow each time its cron schedule says, in real time, until Ctrl-C or --count.
    Run(simulate::RunArguments),
    /// Show what a workflow may use, or write it to a file for --limits.
    Limits(limits::Arguments),
}

pub(crate) fn run(command: &Workflow) -> Result<Ending, Failure> {
    match command {
        Workflow::Init(arguments) => init::run(arguments),
        Workflow::Build(arguments) => build::run(arguments),
        Workflow::Simulate(arguments) => simulate::simulate(arguments),
        Workflow::Run(arguments) => simulate::run(arguments),
        Workflow::Limits(arguments) => limits::run(arguments),
    }
}
