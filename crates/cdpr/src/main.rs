//! The one user binary. It is a crate because it alone reads arguments, files and the terminal.

mod addresses;
mod commands;
mod counts;
#[cfg(test)]
#[path = "../../study/tests/it/damage.rs"]
mod damage;
mod kept;
mod keys;
#[cfg(test)]
mod options;
#[cfg(test)]
mod readers;
#[cfg(test)]
mod shown;
mod stack;
mod terminal;
mod transcript;
mod words;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Version, commit and features.
const VERSION: &str = env!("CDPR_VERSION");

/// Refills a stablecoin's reserves without telling the market it had to.
///
/// Exit codes: 0 done · 1 the mission failed as specified (halted, or unrecovered), or the simulated
/// workflow reported an error · 2 bad input · 3 internal · 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "cdpr", version = VERSION, arg_required_else_help = true, max_term_width = 100)]
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
    /// A chain on this machine with a dark pool on it, to try things on.
    Dev(commands::dev::Arguments),
    /// Pay in, see what there is, and leave: over a node of the chain and nothing else.
    #[command(subcommand)]
    Maker(Box<commands::maker::Maker>),
    /// Open and fund the account at the venue, say what may be raised, and see what there is.
    #[command(subcommand)]
    Issuer(Box<commands::issuer::Command>),
    /// A deployment in words: roles, what is open, what waits, and what is wrong.
    Status(commands::status::Arguments),
    /// Make, build and simulate CRE workflows: anyone's, as Chainlink's `cre workflow` does.
    #[command(subcommand)]
    Workflow(Box<commands::workflow::Workflow>),
    /// Print what a shell needs to complete commands, options and their values.
    Completions(commands::manual::Completions),
    /// Print a manual page, or write all of them into a folder.
    Man(commands::manual::Pages),
}

#[derive(Debug, Subcommand)]
enum Verify {
    /// Re-run core and EVM over a journal; re-check every signature, attestation and proof.
    Journal(commands::verify::Arguments),
    /// Explain an AWS Nitro attestation document: what it says, and each check of it.
    Attestation(commands::verify::attestation::Arguments),
}

/// How a command ends when it does not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Done,
    MissionFailed,
}

/// Why a command ends early: the input's fault, ours, or nobody's.
#[derive(Debug)]
enum Failure {
    Input(anyhow::Error),
    Internal(anyhow::Error),
    /// Neither's: somebody asked for an end, and is told how to go on.
    Interrupted(String),
    /// Nobody's: the one who read the answer has left.
    Unheard,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

fn main() -> ExitCode {
    let ending = match Cli::try_parse() {
        Ok(cli) => run(cli.command),
        // Help and version are answers as any other; the rest is bad input.
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            return ExitCode::from(2);
        }
        Err(error) if terminal::is_coloured() => {
            terminal::say(error.render().ansi().to_string()).map(|()| Ending::Done)
        }
        Err(error) => terminal::say(error.render().to_string()).map(|()| Ending::Done),
    };
    let (code, error) = match ending {
        Ok(Ending::Done) => return ExitCode::SUCCESS,
        Ok(Ending::MissionFailed) => return ExitCode::from(1),
        // Whoever has stopped reading has seen enough.
        Err(Failure::Unheard) => return ExitCode::SUCCESS,
        Err(Failure::Interrupted(words)) => {
            terminal::note(words);
            return ExitCode::from(terminal::INTERRUPTED);
        }
        Err(Failure::Input(error)) => (2, error),
        Err(Failure::Internal(error)) => (3, error),
    };
    terminal::note(format_args!("error: {error}"));
    for cause in error.chain().skip(1) {
        terminal::note(format_args!("  because: {cause}"));
    }
    if let Some(hint) = hint(&error) {
        terminal::note(format_args!("  hint: {hint}"));
    }
    ExitCode::from(code)
}

/// What helps against a full disk, wherever it was met, unless that was said.
fn hint(error: &anyhow::Error) -> Option<&'static str> {
    if error.chain().any(|cause| cause.to_string().contains("hint: ")) {
        return None;
    }
    // A chain's answer to a request is text, though the chain is in this process.
    let full = rustix::io::Errno::NOSPC.to_string();
    if error.chain().any(|cause| cause.to_string().contains(&full)) {
        return study::folder::hint(&std::io::ErrorKind::StorageFull.into());
    }
    let causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.filter(|cause| study::folder::is_full(cause)).find_map(study::folder::hint)
}

fn run(command: Command) -> Result<Ending, Failure> {
    match command {
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Simulate(arguments) => commands::simulate::run(&arguments),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Verify(Verify::Journal(arguments)) => commands::verify::journal(&arguments),
        Command::Verify(Verify::Attestation(arguments)) => {
            commands::verify::attestation::run(&arguments)
        }
        Command::Dev(arguments) => commands::dev::run(&arguments),
        Command::Maker(command) => commands::maker::run(&command),
        Command::Issuer(command) => commands::issuer::run(&command),
        Command::Status(arguments) => commands::status::run(&arguments),
        Command::Workflow(command) => commands::workflow::run(&command),
        Command::Completions(arguments) => {
            commands::manual::completions(&arguments, Cli::command())
        }
        Command::Man(arguments) => commands::manual::pages(&arguments, Cli::command()),
    }
}
