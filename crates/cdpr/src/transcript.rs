//! A report as a person reads it and as a script does: both from the same record, so that neither says what the other
//! does not. No wall-clock time is in the transcript: one seed and one build give one text.

use primitives::{Amount, Premium, Ratio, Timestamp};
use protocol::{Disclosure, Outcome, RequestStatus, Stage};
use serde_json::{Value, json};
use sim::{Line, Report, Verdict, What};

/// What is written where nobody says how wide it may be, and the least.
pub(crate) const COLUMNS: usize = 80;
/// Longer lines are not easier to read.
const COLUMNS_MAX: usize = 120;
/// Instant and stage, with the gaps after them.
const MARGIN: usize = 16;
/// Between what happened and what the public saw.
const GAP: usize = 2;

/// One object; keys are a contract with whoever scripts against them. Amounts are decimals in text, exact.
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
        "outcome": report.outcome.name(),
        "recovered": report.outcome == Outcome::Recovered,
        "halted": report.outcome == Outcome::Halted,
        "mint_allowed": report.mint_allowed,
        "rounds": report.rounds,
        "ticks": report.ticks,
        "ended": report.ended.to_string(),
        "policy": {
            "threshold": report.threshold.to_string(),
            "target": report.target.to_string(),
            "readings": report.readings,
            "lot": exact(report.lot),
        },
        "assets": { "collateral": report.collateral, "consideration": report.consideration },
        "totals": {
            "raised": exact(report.raised()),
            "paid": exact(report.paid()),
            "worth": exact(report.worth()),
            "cost": exact(report.paid().saturating_sub(report.worth())),
            "premium_bps": report.premiums().map(|(least, most)| [least.bps(), most.bps()]),
            "makers_filled": report.makers_filled(),
        },
        "timeline": report.lines.iter().map(|line| json!({
            "tick": line.tick,
            "at": line.at.to_string(),
            "stage": line.stage.name(),
            "figures": figures(&line.what),
            "happened": happened(report, &line.what),
            "tx_hash": line.transaction.map(|hash| hash.to_string()),
        })).collect::<Vec<_>>(),
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
        "public_view": report.lines.iter().filter_map(|line| {
            let saw = seen(report, &line.what);
            (!saw.is_empty()).then(|| json!({
                "tick": line.tick,
                "at": line.at.to_string(),
                "stage": line.stage.name(),
                "saw": saw,
            }))
        }).collect::<Vec<_>>(),
        "journal_hash": report.journal_hash.to_string(),
    })
}

/// What a line of the time line is about, in numbers.
fn figures(what: &What) -> Value {
    match what {
        What::Locked { makers, collateral, consideration } => json!({
            "event": "locked",
            "makers": makers,
            "deposits": makers + 1,
            "collateral": exact(*collateral),
            "consideration": exact(*consideration),
        }),
        What::Shock { cause, amount, haircut, lost } => json!({
            "event": "shock",
            "cause": cause,
            "amount": exact(*amount),
            "haircut_bps": haircut.bps(),
            "lost": exact(*lost),
        }),
        What::Reading { reserves, liabilities, gap, verdict } => json!({
            "event": "reading",
            "reserves": exact(*reserves),
            "liabilities": exact(*liabilities),
            "gap": exact(*gap),
            "verdict": verdict.name(),
        }),
        What::Unread => json!({ "event": "unread" }),
        What::Overheard { transactions } => {
            json!({ "event": "overheard", "transactions": transactions })
        }
        What::Ordered { maker, capacity, premium_min, envelope_len } => json!({
            "event": "ordered",
            "maker": maker,
            "capacity": exact(*capacity),
            "premium_min_bps": premium_min.bps(),
            "envelope_bytes": envelope_len,
        }),
        What::Unfilled { cap } => json!({ "event": "unfilled", "premium_bps": cap.bps() }),
        What::Cleared { round, premium, fills } => json!({
            "event": "cleared",
            "round": round,
            "premium_bps": premium.bps(),
            "fills": fills.iter().map(|(maker, amount)| json!({
                "maker": maker,
                "collateral": exact(*amount),
            })).collect::<Vec<_>>(),
        }),
        What::Requested { amount, premium, timeout, commitment } => json!({
            "event": "requested",
            "amount": exact(*amount),
            "premium_bps": premium.bps(),
            "timeout_s": timeout.0,
            "commitment": commitment.to_string(),
        }),
        What::Settled { round, status, moved } => json!({
            "event": "settled",
            "round": round,
            "status": status.name(),
            "moved": moved.map(|moved| json!({
                "makers": moved.makers,
                "collateral": exact(moved.collateral),
                "payout": exact(moved.payout),
                "position": exact(moved.position),
                "remaining": exact(moved.remaining),
            })),
        }),
        What::Expired { attempts, attempts_max, halted } => json!({
            "event": "expired",
            "attempts": attempts,
            "attempts_max": attempts_max,
            "halted": halted,
        }),
        What::Opened { status, attempts, attempts_max, halted } => json!({
            "event": "opened",
            "status": status.name(),
            "attempts": attempts,
            "attempts_max": attempts_max,
            "halted": halted,
        }),
        What::Attested { recovered, is_first: _ } => {
            json!({ "event": "attested", "recovered": recovered })
        }
        What::Reported { commitment } => {
            json!({ "event": "reported", "commitment": commitment.to_string() })
        }
        What::Refused { function } => json!({ "event": "refused", "function": function }),
        What::Unsigned { function, agreeing } => {
            json!({ "event": "unsigned", "function": function, "agreeing": agreeing })
        }
    }
}

/// What it comes to in three paragraphs, then one time line, then what the chain counted. `width` is how many columns
/// there are; with `styled`, ANSI colours.
pub(crate) fn text(report: &Report, width: usize, styled: bool) -> String {
    let width = width.clamp(COLUMNS, COLUMNS_MAX);
    let paint = Paint { styled };
    let mut out = String::new();
    let (word, colour) = match report.outcome {
        Outcome::Healthy => ("healthy", GREEN),
        Outcome::Recovered => ("recovered", GREEN),
        Outcome::Halted => ("halted", RED),
        Outcome::Unrecovered => ("not recovered", RED),
    };
    let title = paint.with(BOLD, &format!("Mission {}: ", report.workflow));
    out.push_str(&format!("{title}{}\n", paint.with(colour, word)));
    let setting = format!(
        "scenario {}, seed {}, {} disclosure",
        report.scenario,
        report.seed,
        report.disclosure.name()
    );
    out.push_str(&paint.with(DIM, &setting));
    out.push_str("\n\n");
    for (lead, words) in [
        ("What happened.", what_happened(report)),
        ("What it cost.", what_it_cost(report)),
        ("What the public learned.", what_the_public_learned(report)),
    ] {
        let paragraph = wrap(&format!("{lead} {words}"), width).join("\n");
        // The lead fits any first row.
        let rest = paragraph.strip_prefix(lead).unwrap_or(&paragraph);
        out.push_str(&format!("{}{rest}\n", paint.with(BOLD, lead)));
    }
    out.push('\n');
    time_line(&mut out, report, width, &paint);
    out.push('\n');
    on_chain(&mut out, report, &paint);
    out
}

/// What proving took, which is no part of the mission: it is this machine's, and no journal holds it.
pub(crate) fn timing(report: &Report) -> Option<String> {
    let timed = || report.proofs.iter().filter_map(|proof| proof.prove_ms);
    let constraints = report.proofs.iter().find_map(|proof| proof.constraints)?;
    Some(format!(
        "{} of {} constraints here, in {} to {} ms each",
        count(timed().count(), "proof"),
        grouped(constraints),
        grouped(timed().min()?),
        grouped(timed().max()?)
    ))
}

fn what_happened(report: &Report) -> String {
    let mut words = Vec::new();
    for line in &report.lines {
        if let What::Shock { cause, amount, haircut, lost } = &line.what {
            words.push(format!(
                "On {} at {} UTC {} of the reserves stopped counting{}: {cause}.",
                date(line.at),
                time(line.at),
                tokens(*lost),
                part_of(*amount, *haircut)
            ));
        }
    }
    let readings = || {
        report.lines.iter().filter_map(|line| {
            let What::Reading { reserves, liabilities, gap, verdict } = &line.what else {
                return None;
            };
            Some((line.at, *reserves, *liabilities, *gap, *verdict))
        })
    };
    let shorts = || readings().filter(|(.., verdict)| *verdict == Verdict::Short);
    // How the last shortfall ended is how the run did.
    let short = shorts().next_back();
    let threshold = percent(report.threshold);
    match short {
        None if report.verdicts.is_empty() => {
            words.push("No tick brought a reading of the reserves: nothing is known.".to_owned());
        }
        None if readings().any(|(.., verdict)| verdict == Verdict::Low) => words.push(format!(
            "The reserves fell below {threshold} of the coins outstanding, but not for {} readings in a row: no \
             shortfall.",
            report.readings
        )),
        None => words.push(format!(
            "The reserves were {threshold} of the coins outstanding or more, on all {}.",
            count(report.verdicts.len(), "reading")
        )),
        Some(_) => words.extend(shorts().map(|(at, reserves, liabilities, gap, _)| {
            format!(
                "At {} reserves were {} of the coins outstanding, {} short of the target of {}.",
                moment(report, at),
                share(reserves, liabilities),
                tokens(gap),
                percent(report.target)
            )
        })),
    }
    if let Some((since, ..)) = short {
        let brought = if report.raised().is_zero() {
            "no maker was filled".to_owned()
        } else {
            let makers = count(report.makers_filled(), "maker");
            format!("{makers} brought {} {}", tokens(report.raised()), report.collateral)
        };
        let mut mended =
            readings().filter(|(at, .., verdict)| *at > since && *verdict == Verdict::Backed);
        let after = mended.next_back().map(|(at, ..)| (at, at.since(since)));
        words.push(match (report.outcome, after) {
            (Outcome::Halted, _) => {
                format!("{} ran out of time: {brought}.", count(expiries(report), "request"))
            }
            (Outcome::Healthy | Outcome::Recovered, Some((at, after))) => format!(
                "{}, and at {} the coin was backed again, {after} after it was found short.",
                capital(&brought),
                moment(report, at)
            ),
            (_, Some(_)) => format!(
                "{}, and the coin was backed again; the public had not been told when the run ended, at {}.",
                capital(&brought),
                moment(report, report.ended)
            ),
            (_, None) => format!(
                "{}; when the run ended, at {}, the coin was still short.",
                capital(&brought),
                moment(report, report.ended)
            ),
        });
    }
    words.push(match (report.outcome, report.mint_allowed) {
        (Outcome::Halted, _) => "Minting is halted until governance resumes it.".to_owned(),
        (_, true) => "Minting is open.".to_owned(),
        (_, false) => "Minting is paused.".to_owned(),
    });
    words.join(" ")
}

/// Requests that ended unfilled.
fn expiries(report: &Report) -> usize {
    let is_expired =
        |what: &What| matches!(what, What::Expired { .. } | What::Opened { attempts: Some(_), .. });
    report.lines.iter().filter(|line| is_expired(&line.what)).count()
}

fn what_it_cost(report: &Report) -> String {
    let sent = count(report.transactions.len(), "transaction");
    let Some((least, most)) = report.premiums() else {
        return format!("No premium, since nobody was filled; {sent}.");
    };
    let premium = if least == most { least.to_string() } else { format!("{least} to {most}") };
    format!(
        "Makers were paid {} {} for it, {} more than it is worth: a premium of {premium}. {sent}.",
        tokens(report.paid()),
        report.consideration,
        tokens(report.paid().saturating_sub(report.worth()))
    )
}

fn what_the_public_learned(report: &Report) -> String {
    match report.disclosure {
        Disclosure::Immediate => learned_at_once(report),
        Disclosure::Sealed => learned_by_epochs(report),
    }
}

fn learned_at_once(report: &Report) -> String {
    let mut words = Vec::new();
    let mut caps = Vec::new();
    for line in &report.lines {
        if let What::Attested { recovered, is_first } = &line.what {
            let at = moment(report, line.at);
            words.push(match (recovered, is_first) {
                (true, true) => format!("at {at} that the coin was backed"),
                (true, false) => format!("at {at} that it was backed again"),
                (false, _) => format!("at {at} that it was short"),
            });
        }
        if let What::Requested { premium, .. } = &line.what {
            caps.push(premium.to_string());
        }
    }
    if words.is_empty() && caps.is_empty() {
        return "Nothing: no report was written.".to_owned();
    }
    let mut never = "";
    if !caps.is_empty() {
        never = " Never how much was missing, asked for or filled, at what premium, or by whom.";
        caps.dedup();
        words.push(format!(
            "that collateral was wanted, at a premium of up to {}",
            caps.join(", then ")
        ));
    }
    let rounds = count(usize::try_from(report.rounds).unwrap_or(usize::MAX), "round");
    if report.rounds > 0 {
        words.push(format!("that {rounds} settled"));
    }
    if report.outcome == Outcome::Halted {
        words.push("that minting was halted".to_owned());
    }
    format!("{}.{never}", capital(&words.join("; ")))
}

fn learned_by_epochs(report: &Report) -> String {
    let (mut filled, mut unfilled) = (Vec::new(), Vec::new());
    for line in &report.lines {
        if let What::Opened { status, .. } = &line.what {
            let at = moment(report, line.at);
            if *status == RequestStatus::Filled { filled.push(at) } else { unfilled.push(at) }
        }
    }
    let mut words = Vec::new();
    if filled.is_empty() && unfilled.is_empty() {
        words.push("Nothing: no epoch has opened.".to_owned());
    }
    if !filled.is_empty() {
        words.push(format!(
            "At {} that the epoch before had been given all it asked for, which may be nothing.",
            listed(&filled)
        ));
    }
    if !unfilled.is_empty() {
        words.push(format!(
            "At {} that the epoch before had not been given all it asked for.",
            listed(&unfilled)
        ));
    }
    if report.outcome == Outcome::Halted {
        words.push("That minting was halted.".to_owned());
    }
    let alike = "Until an epoch opens it looks like any other: one request, the same rounds, a commitment a tick.";
    words.push(alike.to_owned());
    words.join(" ")
}

/// A row of the time line.
#[derive(Debug)]
struct Row {
    at: Timestamp,
    stage: Stage,
    happened: String,
    seen: String,
    /// How often in a row, and until when.
    times: (usize, Timestamp),
}

impl Row {
    fn happened(&self) -> String {
        match self.times {
            (1, _) => self.happened.clone(),
            (times, until) => format!("{} ({times} times, until {})", self.happened, time(until)),
        }
    }
}

/// Lines as rows: orders between two other lines are one, and so is what happens again and again.
fn rows(report: &Report) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut rest = report.lines.as_slice();
    while let [line, ..] = rest {
        let is_order = |line: &Line| matches!(line.what, What::Ordered { .. });
        let n = rest.iter().take_while(|line| is_order(line)).count().max(1);
        let (group, after) = rest.split_at(n);
        rest = after;
        let (happened, seen) = if n > 1 {
            orders(report, group)
        } else if is_cover_clearing(&line.what) {
            continue;
        } else {
            (happened(report, &line.what), seen(report, &line.what))
        };
        match rows.last_mut() {
            Some(row) if (row.stage, &row.happened) == (line.stage, &happened) => {
                row.times = (row.times.0 + 1, line.at);
            }
            _ => {
                let (at, stage) = (line.at, line.stage);
                rows.push(Row { at, stage, happened, seen, times: (1, at) });
            }
        }
    }
    rows
}

/// Its settlement, a tick later, says that it was empty.
fn is_cover_clearing(what: &What) -> bool {
    matches!(what, What::Cleared { fills, .. } if fills.is_empty())
}

/// Orders in a row.
fn orders(report: &Report, group: &[Line]) -> (String, String) {
    let (mut capacity, mut premiums, mut len) = (Amount::ZERO, Vec::new(), 0);
    for line in group {
        if let What::Ordered { capacity: one, premium_min, envelope_len, .. } = &line.what {
            capacity = capacity.checked_add(*one).unwrap_or(Amount::MAX);
            premiums.push(*premium_min);
            len = *envelope_len;
        }
    }
    let [least, most] = [premiums.iter().min(), premiums.iter().max()]
        .map(|premium| premium.copied().unwrap_or_default());
    let until = group.last().map(|line| time(line.at)).unwrap_or_default();
    let happened = format!(
        "by {until} {} makers seal orders: {} {} in all, at premiums of at least {least} to {most}",
        group.len(),
        tokens(capacity),
        report.collateral
    );
    let seen = format!("{} envelopes of {} bytes", group.len(), grouped(len as u64));
    (happened, seen)
}

fn time_line(out: &mut String, report: &Report, width: usize, paint: &Paint) {
    let room = width - MARGIN - GAP;
    let left = room * 5 / 8;
    let right = room - left;
    let margin = |at: &str, stage: &str| {
        format!(
            "{}  {}  ",
            paint.with(DIM, &format!("{at:5}")),
            paint.with(CYAN, &format!("{stage:7}"))
        )
    };
    let mut columns = |margin: String, happened: &str, seen: &str, colour: &'static str| {
        let (happened, seen) = (wrap(happened, left), wrap(seen, right));
        for row in 0..happened.len().max(seen.len()) {
            let margin = if row == 0 { margin.as_str() } else { &" ".repeat(MARGIN) };
            let happened = happened.get(row).map_or("", String::as_str);
            let seen = seen.get(row).map_or("", String::as_str);
            if seen.is_empty() {
                out.push_str(&format!("{margin}{happened}\n"));
            } else {
                let seen = paint.with(colour, seen);
                out.push_str(&format!("{margin}{happened:left$}{:GAP$}{seen}\n", ""));
            }
        }
    };
    let heads = format!("{:5}  {:7}  ", "UTC", "stage");
    columns(paint.with(BOLD, &heads), "what happened", "what the public saw", PLAIN);
    let mut day = String::new();
    for row in rows(report) {
        let today = date(row.at);
        if day != today {
            columns(paint.with(DIM, &today), "", "", PLAIN);
            day = today;
        }
        let (seen, colour) =
            if row.seen.is_empty() { ("nothing", DIM) } else { (row.seen.as_str(), MAGENTA) };
        columns(margin(&time(row.at), row.stage.name()), &row.happened(), seen, colour);
    }
}

/// What happened, in words, as issuer and makers know it.
fn happened(report: &Report, what: &What) -> String {
    let (cash, claim) = (&report.collateral, &report.consideration);
    match what {
        What::Locked { makers, collateral, consideration } => format!(
            "{} checked the enclave's evidence and locked {} {cash}, each under terms of its own; the issuer locked {} \
             {claim} to pay them with",
            count(*makers, "maker"),
            tokens(*collateral),
            tokens(*consideration)
        ),
        What::Shock { cause, amount, haircut, lost } => {
            format!("{cause}: {} stop counting{}", tokens(*lost), part_of(*amount, *haircut))
        }
        What::Reading { reserves, liabilities, gap, verdict } => {
            let read = format!(
                "reserves of {} for {} coins, {}",
                tokens(*reserves),
                tokens(*liabilities),
                share(*reserves, *liabilities)
            );
            match verdict {
                Verdict::Backed => format!("backed: {read}"),
                Verdict::Low => format!(
                    "below {}: {read}; {} in a row make it short",
                    percent(report.threshold),
                    report.readings
                ),
                Verdict::Short => {
                    format!("short: {read}; {} missing to {}", tokens(*gap), percent(report.target))
                }
            }
        }
        What::Unread => {
            "too few nodes brought the same observation: no reading, no report".to_owned()
        }
        What::Overheard { transactions } => format!(
            "others act on chain, in {}: the node goes on from what that changed",
            count(*transactions, "transaction")
        ),
        What::Ordered { maker, capacity, premium_min, .. } => format!(
            "maker {maker} seals an order: {} {cash}, at a premium of at least {premium_min}",
            tokens(*capacity)
        ),
        What::Unfilled { cap } => format!("a call closes at up to {cap}: nobody is filled"),
        What::Cleared { round, fills, .. } if fills.is_empty() => {
            format!("round {round} clears with nothing in it")
        }
        What::Cleared { round, premium, fills } => {
            let fills: Vec<String> = fills
                .iter()
                .map(|(maker, amount)| format!("{} from maker {maker}", tokens(*amount)))
                .collect();
            format!("round {round} clears at {premium} for all in it: {cash} {}", fills.join(", "))
        }
        What::Requested { amount, .. } if amount.is_zero() => {
            "a request for nothing, as cover".to_owned()
        }
        What::Requested { amount, premium, .. } => format!(
            "a request for {} {cash}, the gap in lots of {}, at up to {premium}",
            tokens(*amount),
            tokens(report.lot)
        ),
        What::Settled { round, moved: None, .. } => format!("round {round} settles"),
        What::Settled { round, moved: Some(moved), .. } if moved.makers == 0 => {
            format!("round {round} settles with nothing in it")
        }
        What::Settled { round, moved: Some(moved), .. } => format!(
            "round {round} settles: {} {} for {} {cash}; {} still to come",
            tokens(moved.payout),
            claim,
            tokens(moved.collateral),
            if moved.remaining.is_zero() { "nothing".to_owned() } else { tokens(moved.remaining) }
        ),
        What::Expired { attempts, attempts_max, halted } => format!(
            "the request runs out of time{}{}",
            attempt(*attempts, *attempts_max),
            halt(*halted)
        ),
        What::Opened { status, attempts, attempts_max, halted } => format!(
            "the epoch opens: its request ended {}{}{}",
            status.name(),
            attempt(*attempts, *attempts_max),
            halt(*halted)
        ),
        What::Attested { recovered, is_first } => match (report.disclosure, recovered, is_first) {
            (Disclosure::Immediate, true, true) => "attested: backed".to_owned(),
            (Disclosure::Immediate, true, false) => {
                "attested: recovered, minting resumes".to_owned()
            }
            (Disclosure::Sealed, true, _) => "attested: that epoch got all it asked for".to_owned(),
            (Disclosure::Immediate, false, _) => "attested: short, minting pauses".to_owned(),
            (Disclosure::Sealed, false, _) => {
                "attested: that epoch did not get all it asked for, minting pauses".to_owned()
            }
        },
        What::Reported { .. } => "a sealed status report, as on every tick after".to_owned(),
        What::Refused { function } => {
            format!("{function}: the receiver refused the report")
        }
        What::Unsigned { function, agreeing } => {
            format!("{function}: {agreeing} nodes agree, no quorum, nothing is sent")
        }
    }
}

/// What the public saw of it; empty for nothing.
fn seen(report: &Report, what: &What) -> String {
    match what {
        What::Locked { makers, .. } => format!(
            "{} deposits with their amounts, one a maker and one the issuer's; no terms",
            makers + 1
        ),
        What::Shock { .. } | What::Unfilled { .. } | What::Cleared { .. } => String::new(),
        What::Reading { verdict, .. } => match (report.disclosure, verdict) {
            (Disclosure::Sealed, _) => "a commitment, as on every tick".to_owned(),
            // Nothing is attested on such a tick.
            (Disclosure::Immediate, Verdict::Low) => String::new(),
            (Disclosure::Immediate, Verdict::Backed | Verdict::Short) => "nothing yet".to_owned(),
        },
        What::Unread | What::Unsigned { .. } => "no report".to_owned(),
        What::Overheard { transactions } => count(*transactions, "transaction"),
        What::Ordered { envelope_len, .. } => {
            format!("an envelope of {} bytes", grouped(*envelope_len as u64))
        }
        What::Requested { premium, timeout, .. } => {
            format!("a request, its amount hidden, at up to {premium} for {timeout}")
        }
        What::Settled { status, .. } => format!("{}, in the shape of every round", status.name()),
        What::Expired { attempts, halted, .. } => format!(
            "EXPIRED{}{}",
            attempts.map_or_else(String::new, |attempts| format!(", attempt {attempts}")),
            halt(*halted)
        ),
        What::Opened { status, attempts, halted, .. } => format!(
            "{}, of the epoch before{}{}",
            status.name(),
            attempts.map_or_else(String::new, |attempts| format!("; attempt {attempts}")),
            halt(*halted)
        ),
        What::Attested { recovered, .. } => format!("recovered = {recovered}"),
        What::Reported { .. } => "a commitment".to_owned(),
        What::Refused { .. } => "a refused report".to_owned(),
    }
}

fn attempt(attempts: Option<u8>, attempts_max: u32) -> String {
    attempts.map_or_else(String::new, |attempts| format!(": attempt {attempts} of {attempts_max}"))
}

const fn halt(halted: bool) -> &'static str {
    if halted { "; minting halts" } else { "" }
}

/// Of a shock that leaves something.
fn part_of(amount: Amount, haircut: Premium) -> String {
    if haircut.bps() == 10_000 {
        String::new()
    } else {
        format!(" ({haircut} of {})", tokens(amount))
    }
}

/// Gas by function, least and most: one shape is the promise, and a mean would hide a breach of it.
fn on_chain(out: &mut String, report: &Report, paint: &Paint) {
    const FUNCTIONS: [&str; 6] = [
        "requestCollateral",
        "confidentialFill",
        "expireRequest",
        "openRequest",
        "attestRecovery",
        "reportStatus",
    ];
    out.push_str(&paint.with(BOLD, "On chain"));
    out.push_str(
        &paint.with(DIM, ": gas a transaction, least to most, with the DON's report around it"),
    );
    out.push('\n');
    for function in FUNCTIONS {
        let sent = || report.transactions.iter().filter(|sent| sent.function == function);
        let gas = || sent().filter(|sent| sent.success).map(|sent| sent.gas_used);
        let refused = sent().filter(|sent| !sent.success).count();
        if let (Some(least), Some(most)) = (gas().min(), gas().max()) {
            out.push_str(&format!(
                "  {:>4} {function:<18} {:>20}\n",
                gas().count(),
                range(least, most)
            ));
        }
        if refused > 0 {
            out.push_str(&format!("  {refused:>4} {function:<18} {:>20}\n", "refused"));
        }
    }
    let verify = || report.proofs.iter().filter_map(|proof| proof.verify_gas);
    if let (Some(least), Some(most)) = (verify().min(), verify().max()) {
        out.push_str(&format!(
            "  {:>4} {:<18} {:>20}\n",
            verify().count(),
            "proof, alone",
            range(least, most)
        ));
    }
    out.push_str(&format!(
        "\n{} · enclave {}… ({})\njournal {}\n",
        count(usize::try_from(report.ticks).unwrap_or(usize::MAX), "tick"),
        &report.attestation.pcr0[..16],
        report.attestation.trust,
        report.journal_hash
    ));
}

fn range(least: u64, most: u64) -> String {
    if least == most { grouped(least) } else { format!("{} to {}", grouped(least), grouped(most)) }
}

const PLAIN: &str = "";
const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "1;31";
const GREEN: &str = "1;32";
const MAGENTA: &str = "35";
const CYAN: &str = "36";

/// Colours, where the reader has them. None carries a meaning that the words do not.
struct Paint {
    styled: bool,
}

impl Paint {
    fn with(&self, code: &str, text: &str) -> String {
        if self.styled && !code.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// `1 maker`, `12 makers`.
fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{} {what}s", grouped(n as u64)) }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `3,300,000,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Whole tokens with separators, cut (not rounded); cents where they are few enough to matter.
fn tokens(amount: Amount) -> String {
    let text = amount.to_string();
    let is_whole = text.ends_with(".00") || amount >= Amount::from_tokens(1_000_000);
    if is_whole { text[..text.len() - 3].to_owned() } else { text }
}

/// Tokens as a decimal, exact.
fn exact(amount: Amount) -> String {
    format!("{}.{:06}", amount.units() / 1_000_000, amount.units() % 1_000_000)
}

/// Reserves over liabilities, `94.73 %`, cut.
fn share(reserves: Amount, liabilities: Amount) -> String {
    let bps = (reserves.units() * 10_000).checked_div(liabilities.units()).unwrap_or(0);
    format!("{}.{:02} %", bps / 100, bps % 100)
}

/// A ratio as a percentage, exact, two decimals or more.
fn percent(ratio: Ratio) -> String {
    let text = format!("{}.{:04}", ratio.0 / 10_000, ratio.0 % 10_000);
    let text = text.strip_suffix("00").unwrap_or(&text);
    format!("{text} %")
}

/// `10 March 2023`.
fn date(at: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let text = at.to_string();
    let (year, rest) = text.split_once('-').expect("an instant has a date");
    let month: usize = rest[..2].parse().expect("of digits");
    format!("{} {} {year}", rest[3..5].trim_start_matches('0'), MONTHS[month - 1])
}

/// `16:40`, with the date where it is not that of the first line.
fn moment(report: &Report, at: Timestamp) -> String {
    let is_first_day = report.lines.first().is_none_or(|line| date(line.at) == date(at));
    if is_first_day { time(at) } else { format!("{} on {}", time(at), date(at)) }
}

/// `17:00, 18:00 and 19:00`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `16:40`, cut to the minute.
fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let from = text.find('T').expect("an instant has a time") + 1;
    text[from..from + 5].to_owned()
}

/// Breaks at spaces, but not within a number and its unit; a word longer than the width stands alone.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.replace(" %", "\u{a0}%").split(' ') {
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
    rows.into_iter().map(|row| row.replace('\u{a0}', " ")).collect()
}

#[cfg(test)]
mod tests;
