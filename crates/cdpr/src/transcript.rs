//! A report as a person reads it and as a script does.

use protocol::{Outcome, Stage};
use serde_json::{Value, json};
use sim::{Line, Report};

/// Columns before and between the two: indentation, instant, gap.
const MARGIN: usize = 18;
/// Fewest and most columns of the whole.
const WIDTH: (usize, usize) = (80, 142);

/// One object; keys are a contract with whoever scripts against them.
pub(crate) fn json(report: &Report) -> Value {
    json!({
        "workflow": report.workflow,
        "scenario": report.scenario,
        "seed": report.seed,
        "disclosure": report.disclosure.name(),
        "request": report.request.map(|request| json!({
            "id": request.id.to_string(),
            "status": request.status.name(),
        })),
        "recovered": report.outcome == Outcome::Recovered,
        "halted": report.outcome == Outcome::Halted,
        "rounds": report.rounds,
        "ticks": report.ticks,
        "transactions": report.transactions.iter().map(|transaction| json!({
            "tick": transaction.tick,
            "stage": transaction.stage.name(),
            "contract": transaction.contract,
            "function": transaction.function,
            "tx_hash": transaction.hash.to_string(),
            "gas_used": transaction.gas_used,
            "calldata_bytes": transaction.calldata_len,
            "success": transaction.success,
        })).collect::<Vec<_>>(),
        "proofs": report.proofs.iter().map(|proof| json!({
            "circuit": proof.circuit,
            "constraints": proof.constraints,
            "prove_ms": proof.prove_ms,
            "verify_gas": proof.verify_gas,
        })).collect::<Vec<_>>(),
        "attestation": { "trust": report.attestation.trust, "pcr0": report.attestation.pcr0 },
        "public_view": report.lines.iter().filter(|line| !line.public.is_empty()).map(|line| json!({
            "tick": line.tick,
            "at": line.at.to_string(),
            "stage": line.stage.name(),
            "saw": line.public,
        })).collect::<Vec<_>>(),
        "journal_hash": report.journal_hash.to_string(),
    })
}

/// Five headed stages, two columns; `width` is how many columns there are.
pub(crate) fn text(report: &Report, width: usize, styled: bool) -> String {
    let width = width.clamp(WIDTH.0, WIDTH.1);
    let left = (width - MARGIN) * 5 / 8;
    let wrapped = |text: &str| {
        if text.chars().count() <= width {
            return text.to_owned();
        }
        format!("  {}", wrap(text.trim_start(), width - 4).join("\n    "))
    };
    let bold = |text: &str| if styled { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() };
    let dim = |text: &str| if styled { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() };
    let setting = format!(
        "scenario {}, seed {}, {} disclosure; enclave {}… ({})",
        report.scenario,
        report.seed,
        report.disclosure.name(),
        &report.attestation.pcr0[..16],
        report.attestation.trust,
    );
    let mission = bold(&format!("Mission {}", report.workflow));
    let mut out = format!("{mission}\n{}\n", wrapped(&setting));
    for (number, stage) in Stage::ALL.into_iter().enumerate() {
        out.push_str(&format!("\n{}\n", bold(&format!("{}. {}", number + 1, heading(stage)))));
        out.push_str(&dim(&format!(
            "   {:<13}{:<left$}  {}\n",
            "UTC", "what happened", "what the public saw"
        )));
        let lines: Vec<&Line> = report.lines.iter().filter(|line| line.stage == stage).collect();
        if lines.is_empty() {
            out.push_str("   nothing\n");
        }
        for line in lines {
            push_columns(&mut out, line, (left, width - MARGIN - left), &dim);
        }
    }
    out.push_str(&format!("\n{}\n", bold(&ending(report))));
    for line in totals(report).lines() {
        out.push_str(&format!("{}\n", wrapped(line)));
    }
    out
}

const fn heading(stage: Stage) -> &'static str {
    match stage {
        Stage::Detect => "Detect — the enclave reads reserves",
        Stage::Request => "Request — the pool is asked for a hidden amount",
        Stage::Match => "Match — sealed orders clear inside the enclave",
        Stage::Settle => "Settle — one proof moves hidden amounts",
        Stage::Attest => "Attest — the public learns one bit",
    }
}

fn ending(report: &Report) -> String {
    let request = report.request.map_or("no request was needed".to_owned(), |r| {
        format!("last request {}", r.status.name())
    });
    let mint = if report.mint_allowed { "minting open" } else { "minting paused" };
    match report.outcome {
        Outcome::Recovered => {
            format!("Recovered: {request}, {} rounds settled, {mint}.", report.rounds)
        }
        Outcome::Healthy => format!("Healthy throughout: {request}, {mint}."),
        Outcome::Halted => {
            format!("Halted: {request}; every attempt ran out, {mint} until governance resumes.")
        }
        Outcome::Unrecovered => format!("Not recovered in time: {request}, {mint}."),
    }
}

fn totals(report: &Report) -> String {
    let sum = |function: &str| {
        let gas: Vec<u64> = report
            .transactions
            .iter()
            .filter(|t| t.function == function)
            .map(|t| t.gas_used)
            .collect();
        (gas.len() as u64, gas.iter().sum::<u64>())
    };
    let mut out = String::new();
    for function in [
        "requestCollateral",
        "confidentialFill",
        "expireRequest",
        "openRequest",
        "attestRecovery",
        "reportStatus",
    ] {
        let (n, gas) = sum(function);
        if let Some(mean) = gas.checked_div(n) {
            out.push_str(&format!(
                "  {n:>4} × {function:<18} {mean:>9} gas each, the DON's report included\n"
            ));
        }
    }
    let proved: Vec<_> = report.proofs.iter().filter(|proof| proof.prove_ms > 0).collect();
    if let (Some(first), Some(slowest)) =
        (proved.first(), proved.iter().map(|proof| proof.prove_ms).max())
    {
        out.push_str(&format!(
            "  {:>4} proofs of {} constraints, the slowest in {slowest} ms; verifying takes {} gas of each settlement\n",
            proved.len(),
            first.constraints,
            first.verify_gas
        ));
    }
    out.push_str(&format!("  {:>4} ticks · journal {}\n", report.ticks, report.journal_hash));
    out
}

fn push_columns(
    out: &mut String,
    line: &Line,
    (left_len, right_len): (usize, usize),
    dim: &dyn Fn(&str) -> String,
) {
    let left = wrap(&line.happened, left_len);
    let public = if line.public.is_empty() { "—" } else { &line.public };
    let right = wrap(public, right_len);
    let at = line.at.to_string();
    // Day and minute: `10 16:45`.
    let when = format!("{} {}", &at[8..10], &at[11..16]);
    let rows = left.len().max(right.len());
    for row in 0..rows {
        let empty = String::new();
        let (l, r) = (left.get(row).unwrap_or(&empty), right.get(row).unwrap_or(&empty));
        let when = if row == 0 { when.as_str() } else { "" };
        out.push_str(format!("   {when:<13}{l:<left_len$}  {r}").trim_end());
        out.push('\n');
    }
    if let Some(transaction) = line.transaction {
        out.push_str(&dim(&format!("   tx {transaction}\n")));
    }
}

/// Breaks at spaces; a word longer than the width stands alone.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split(' ') {
        let row = rows.last_mut().expect("there is always a row");
        let len = row.chars().count();
        if len == 0 {
            row.push_str(word);
        } else if len + 1 + word.chars().count() <= width {
            row.push(' ');
            row.push_str(word);
        } else {
            rows.push(word.to_owned());
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_at_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensible", 4), ["incomprehensible"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
