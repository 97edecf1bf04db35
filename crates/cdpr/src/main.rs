//! The one user binary. It is a crate because it alone reads arguments, files and the terminal.

#![allow(clippy::print_stderr, reason = "the binary is where words reach the terminal")]

mod commands;
mod keys;
#[cfg(test)]
mod shown;
mod stack;
mod transcript;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Refills a stablecoin's reserves without telling the market it had to.
///
/// Exit codes: 0 done · 1 the mission failed as specified (halted, or unrecovered), or the simulated
/// workflow reported an error · 2 bad input · 3 internal.
#[derive(Debug, Parser)]
#[command(name = "cdpr", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a recovery mission end to end: real contracts, enclave and proofs, in virtual time.
    Run(commands::run::Arguments),
    /// Simulate recoveries by the thousand: policies side by side on the same shocks, with intervals.
    Simulate(Box<commands::simulate::Arguments>),
    /// Make one self-contained HTML file, or its numbers, or its plots, from what `simulate` left.
    Report(commands::report::Arguments),
    /// Check what someone else's run left behind.
    #[command(subcommand)]
    Verify(Verify),
    /// Make, build and simulate CRE workflows: anyone's, as Chainlink's `cre workflow` does.
    #[command(subcommand)]
    Workflow(commands::workflow::Workflow),
}

#[derive(Debug, Subcommand)]
enum Verify {
    /// Re-run core and EVM over a journal; re-check every signature, attestation and proof.
    Journal(commands::verify::Arguments),
}

/// How a command ends when it does not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Done,
    MissionFailed,
}

/// Whose fault it is: the input's, or ours.
#[derive(Debug)]
enum Failure {
    Input(anyhow::Error),
    Internal(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

fn main() -> ExitCode {
    // clap exits with 2 by itself: bad input.
    let ending = match Cli::parse().command {
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Simulate(arguments) => commands::simulate::run(&arguments),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Verify(Verify::Journal(arguments)) => commands::verify::journal(&arguments),
        Command::Workflow(command) => commands::workflow::run(&command),
    };
    let (code, error) = match ending {
        Ok(Ending::Done) => return ExitCode::SUCCESS,
        Ok(Ending::MissionFailed) => return ExitCode::from(1),
        Err(Failure::Input(error)) => (2, error),
        Err(Failure::Internal(error)) => (3, error),
    };
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    ExitCode::from(code)
}
