//! `cdpr verify journal`: the same journal on another machine.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::json;
use sim::audit::{Audit, BLIND_SPOTS, Finding, audit, reveals};

use crate::{Ending, Failure};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The journal to verify.
    #[arg(value_name = "FILE")]
    journal: PathBuf,
    /// The run's seed, if its runner has given it: checked against the journal's commitment.
    #[arg(long, value_name = "SEED")]
    reveal: Option<u64>,
    /// One JSON object on stdout.
    #[arg(long)]
    json: bool,
}

pub(crate) fn journal(arguments: &Arguments) -> Result<Ending, Failure> {
    let name = arguments.journal.display();
    let bytes = std::fs::read(&arguments.journal)
        .map_err(|error| Failure::Input(anyhow!("{name}: {error}\n  hint: `cdpr run --journal FILE` writes one")))?;
    let audit = audit(&bytes).map_err(|finding| {
        let hint = match &finding {
            Finding::Damaged(_) => "the bytes changed or stop early; what precedes is intact",
            Finding::Unfinished { .. } => "finish it: `cdpr run` with the same arguments and --journal",
            Finding::Differs { .. } => "this build and the journal disagree; was it made by this version?",
        };
        Failure::Input(anyhow!("{name}: {finding}\n  hint: {hint}"))
    })?;
    let revealed = arguments.reveal.map(|seed| reveals(&audit.opening, seed)).transpose().context("the seed")?;
    if revealed == Some(false) {
        return Err(Failure::Input(anyhow!("{name}: this is not the seed the journal commits to")));
    }
    if arguments.json { print_json(&audit) } else { print_text(&audit, revealed.is_some()) }
    Ok(Ending::Done)
}

fn print_json(audit: &Audit) {
    let checks: serde_json::Map<_, _> = audit.checks.iter().map(|(what, n)| ((*what).to_owned(), json!(n))).collect();
    println!(
        "{}",
        json!({
            "journal_hash": audit.journal_hash.to_string(),
            "outcome": format!("{:?}", audit.outcome).to_lowercase(),
            "checks": checks,
            "not_rechecked": BLIND_SPOTS,
        })
    );
}

fn print_text(audit: &Audit, revealed: bool) {
    println!("journal {}", audit.journal_hash);
    println!("outcome {:?}, disclosure {}\n", audit.outcome, audit.opening.disclosure.name());
    for (what, times) in &audit.checks {
        println!("  {times:>5} × {what}");
    }
    if revealed {
        println!("      1 × the seed is the one the journal commits to");
    }
    println!("\nNot rechecked, because a journal cannot show it:");
    BLIND_SPOTS.iter().for_each(|spot| println!("  - {spot}"));
}
