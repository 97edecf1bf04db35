//! `cdpr verify`: what somebody else's run left, on another machine.

pub(crate) mod attestation;

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use primitives::frames::Flaw;
use serde_json::json;
use sim::audit::{Audit, BLIND_SPOTS, Finding, audit, reveals};

use super::bytes;
use crate::terminal::{self, Progress, say};
use crate::{Ending, Failure, counts};

/// Most bytes of a journal: far more than any run leaves.
const LEN_MAX: u64 = 1 << 30;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The journal to verify.
    #[arg(value_name = "FILE")]
    journal: PathBuf,
    /// The run's seed, if its runner has given it: checked against the journal's commitment.
    #[arg(long, value_name = "SEED", value_parser = counts::from_to::<u64>(0, u64::MAX))]
    reveal: Option<u64>,
    /// One JSON object on stdout.
    #[arg(long)]
    json: bool,
}

pub(crate) fn journal(arguments: &Arguments) -> Result<Ending, Failure> {
    let name = arguments.journal.display();
    const MADE_BY: &str = "`cdpr run --journal FILE` writes one";
    let bad = |what: String, hint: &str| Failure::Input(anyhow!("{name}: {what}\n  hint: {hint}"));
    let bytes = bytes(&arguments.journal, LEN_MAX).map_err(|why| bad(why, MADE_BY))?;
    if bytes.is_empty() {
        return Err(bad("it is empty: no run has written to it".to_owned(), MADE_BY));
    }
    let interrupted = "interrupted; nothing was changed: run it again";
    terminal::on_interrupt(interrupted.to_owned(), || false);
    let working = Progress::working(format!("running {name} again"));
    let audit = audit(&bytes).map_err(|finding| {
        let hint = match &finding {
            Finding::Flaw(Flaw::Damaged { offset: 0, .. }) => {
                "is it a journal? `cdpr run --journal FILE` writes one"
            }
            Finding::Flaw(Flaw::Damaged { .. }) => {
                "the bytes changed after they were written; what precedes is as it was"
            }
            Finding::Flaw(Flaw::Torn { .. }) => {
                "its writer was interrupted: `cdpr run` with the same arguments and --journal goes on"
            }
            Finding::Unfinished { .. } => {
                "finish it: `cdpr run` with the same arguments and --journal"
            }
            Finding::Differs { .. } => {
                "this build and the journal disagree; was it made by this version?"
            }
        };
        bad(finding.to_string(), hint)
    })?;
    drop(working);
    let revealed = arguments
        .reveal
        .map(|seed| reveals(&audit.opening, seed))
        .transpose()
        .context("the seed")?;
    if revealed == Some(false) {
        let hint = "`cdpr run --json` says which seed a run had";
        return Err(bad("this is not the seed the journal commits to".to_owned(), hint));
    }
    let text = if arguments.json { json_text(&audit) } else { words(&audit, revealed.is_some()) };
    say(text)?;
    Ok(Ending::Done)
}

fn json_text(audit: &Audit) -> String {
    let checks: serde_json::Map<_, _> =
        audit.checks.iter().map(|(what, n)| ((*what).to_owned(), json!(n))).collect();
    let object = json!({
        "journal_hash": audit.journal_hash.to_string(),
        "outcome": audit.outcome.name(),
        "checks": checks,
        "not_rechecked": BLIND_SPOTS,
    });
    format!("{object}\n")
}

fn words(audit: &Audit, revealed: bool) -> String {
    let disclosure = audit.opening.disclosure.name();
    let mut out = format!(
        "journal {}\n{} by what is public of it, {disclosure} disclosure\n\n",
        audit.journal_hash,
        audit.outcome.name()
    );
    for (what, times) in &audit.checks {
        out.push_str(&format!("  {times:>5} × {what}\n"));
    }
    if revealed {
        out.push_str("      1 × the seed is the one the journal commits to\n");
    }
    out.push_str("\nNot rechecked, because a journal cannot show it:\n");
    BLIND_SPOTS.iter().for_each(|spot| out.push_str(&format!("  - {spot}\n")));
    out
}
