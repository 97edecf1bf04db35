use primitives::{Bytes32, CommitmentHash, Duration, RequestId};
use sim::{Attestation, Clearing, Moved, Proof, Transaction};

use super::*;

fn coins(millions: u64) -> Amount {
    Amount::from_tokens(millions * 1_000_000)
}

fn bps(bps: u16) -> Premium {
    Premium::new(bps).unwrap()
}

/// 10 March 2023, 16:00 UTC, and minutes later.
fn at(minutes: u64) -> Timestamp {
    Timestamp(1_678_464_000 + 60 * minutes)
}

fn line(minutes: u64, stage: Stage, what: What) -> Line {
    Line { at: at(minutes), tick: 1, stage, what, transaction: None }
}

fn reading(reserves: u64, verdict: Verdict) -> What {
    let gap = coins(102_200).saturating_sub(coins(reserves));
    What::Reading { reserves: coins(reserves), liabilities: coins(100_000), gap, verdict }
}

fn sent(function: &'static str, gas_used: u64, success: bool) -> Transaction {
    Transaction {
        tick: 1,
        stage: Stage::Attest,
        contract: "POR".to_owned(),
        function,
        hash: Bytes32([7; 32]),
        gas_used,
        calldata_len: 900,
        calldata_zeros: 100,
        success,
    }
}

/// A record that no run made: two shocks in one tick, one of them partial; one request, one round of two makers.
fn record(disclosure: Disclosure, outcome: Outcome) -> Report {
    let shock = |cause: &str, amount, haircut, lost| What::Shock {
        cause: cause.to_owned(),
        amount: coins(amount),
        haircut: bps(haircut),
        lost: coins(lost),
    };
    let order = |maker, capacity, premium| What::Ordered {
        maker,
        capacity: coins(capacity),
        premium_min: bps(premium),
        envelope_len: 4_096,
    };
    let fills = vec![(1, coins(4_000)), (0, coins(1_000))];
    let lines = vec![
        line(
            0,
            Stage::Match,
            What::Locked { makers: 2, collateral: coins(9_000), consideration: coins(8_000) },
        ),
        line(5, Stage::Detect, reading(102_500, Verdict::Backed)),
        line(5, Stage::Attest, What::Attested { recovered: true, is_first: true }),
        line(7, Stage::Detect, shock("bonds", 3_300, 1_000, 330)),
        line(8, Stage::Detect, shock("a bank", 4_970, 10_000, 4_970)),
        line(10, Stage::Detect, reading(97_200, Verdict::Low)),
        line(15, Stage::Detect, reading(97_200, Verdict::Short)),
        line(
            15,
            Stage::Request,
            What::Requested {
                amount: coins(5_000),
                premium: bps(100),
                timeout: Duration(3_600),
                commitment: CommitmentHash([1; 32]),
            },
        ),
        line(15, Stage::Attest, What::Attested { recovered: false, is_first: false }),
        line(16, Stage::Match, order(0, 3_000, 90)),
        line(18, Stage::Match, order(1, 6_000, 70)),
        line(30, Stage::Match, What::Cleared { round: 1, premium: bps(90), fills: fills.clone() }),
        line(
            35,
            Stage::Settle,
            What::Settled {
                round: 1,
                status: RequestStatus::Filled,
                moved: Some(Moved {
                    makers: 2,
                    collateral: coins(5_000),
                    payout: coins(5_045),
                    position: coins(5_000),
                    remaining: Amount::ZERO,
                }),
            },
        ),
        line(40, Stage::Detect, reading(102_200, Verdict::Backed)),
        line(40, Stage::Attest, What::Attested { recovered: true, is_first: false }),
    ];
    Report {
        workflow: "recovery".to_owned(),
        scenario: "made-up".to_owned(),
        seed: 1,
        disclosure,
        collateral: "CASH".to_owned(),
        consideration: "CLAIM".to_owned(),
        threshold: Ratio(1_020_000),
        target: Ratio(1_022_000),
        readings: 2,
        lot: coins(1),
        request: None,
        outcome,
        rounds: 1,
        ticks: 8,
        ended: at(45),
        transactions: vec![
            sent("attestRecovery", 134_001, true),
            sent("attestRecovery", 134_009, true),
            sent("attestRecovery", 60_000, false),
            sent("confidentialFill", 1_137_000, true),
        ],
        proofs: vec![Proof {
            circuit: "clearing",
            constraints: Some(65_218),
            prove_ms: Some(2_869),
            verify_gas: Some(390_066),
        }],
        attestation: Attestation { trust: "development".to_owned(), pcr0: "ab".repeat(48) },
        clearings: vec![Clearing {
            closed: 7,
            settled: Some(8),
            round: 1,
            premium: bps(90),
            fills,
            payout: coins(5_045).units(),
            worth: coins(5_000).units(),
            request: RequestId([3; 32]),
        }],
        verdicts: vec![(1, true), (2, true), (3, false), (8, true)],
        facts: Vec::new(),
        lines,
        mint_allowed: true,
        journal_hash: Bytes32([9; 32]),
    }
}

fn immediate() -> Report {
    record(Disclosure::Immediate, Outcome::Recovered)
}

fn without(mut report: Report, is_gone: impl Fn(&What) -> bool) -> Report {
    report.lines.retain(|line| !is_gone(&line.what));
    report
}

/// One line of text, however it was wrapped.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_transcript_reads_from_the_sum_to_the_parts() {
    let text = text(&immediate(), 80, false);
    let leads = [
        "Mission recovery: recovered\nscenario made-up, seed 1, immediate disclosure\n\nWhat happened. On 10 March",
        "2 makers brought 5,000,000,000 CASH, and at 16:40 the coin was backed again, 25 min after it was found short.",
        "What it cost. Makers were paid 5,045,000,000 CLAIM for it, 45,000,000 more than it is worth: a premium of 0.90 %.",
        "What the public learned. At 16:05",
        "UTC stage what happened what the public saw 10 March 2023 16:00 match 2 makers checked",
        "On chain: gas",
        "journal 0x0909",
    ];
    let told = flat(&text);
    let places: Vec<usize> = leads
        .map(|lead| told.find(&flat(lead)).unwrap_or_else(|| panic!("{lead:?} in: {told}")))
        .to_vec();
    assert!(places.is_sorted(), "{told}");
    let rows = text.lines().filter(|line| line.len() > 14 && line.as_bytes()[2] == b':');
    let rows: Vec<(&str, &str)> = rows.map(|row| (&row[..5], row[7..14].trim())).collect();
    assert!(rows.is_sorted_by_key(|(at, _)| *at) && rows.len() == 14, "{rows:?}");
    for stage in Stage::ALL {
        assert!(rows.iter().any(|(_, label)| *label == stage.name()), "{stage:?} in {rows:?}");
    }
}

/// The same without columns, which interleave what is wrapped in them: paragraphs, then row by row.
fn told(report: &Report) -> String {
    let text = text(report, 120, false);
    let (paragraphs, _) = text.split_once("\nUTC ").expect("a head");
    let rows = rows(report).into_iter().map(|row| format!(" {}: {};", row.happened(), row.seen));
    flat(paragraphs) + &rows.collect::<String>()
}

/// Numbers of three digits and more, with separators, and percentages.
fn numbers(text: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_digit() || ",.".contains(letter);
    let words = text
        .split(|letter: char| !is_part(letter) && letter != ' ')
        .flat_map(str::split_whitespace);
    let words = words.map(|word| word.trim_matches([',', '.']));
    words.filter(|word| word.contains([',', '.'])).map(str::to_owned).collect()
}

/// All that the object for scripts holds, as a transcript would write it.
fn held(json: &Value, into: &mut std::collections::BTreeSet<String>) {
    match json {
        Value::Number(number) => {
            let number = number.as_u64().expect("no negative number, no fraction");
            into.insert(grouped(number));
            into.insert(format!("{}.{:02}", number / 100, number % 100));
        }
        Value::String(text) => {
            if let Some((whole, micros)) = text.split_once('.')
                && let (Ok(whole), Ok(micros), 6) =
                    (whole.parse::<u64>(), micros.parse::<u128>(), micros.len())
            {
                into.insert(tokens(Amount::new(u128::from(whole) * 1_000_000 + micros).unwrap()));
            }
            // A ratio.
            if let Some((whole, rest)) = text.split_once('.').filter(|(_, rest)| rest.len() == 4) {
                into.insert(format!("{whole}{}.{}", &rest[..2], &rest[2..]));
            }
        }
        Value::Array(values) => values.iter().for_each(|value| held(value, into)),
        Value::Object(values) => values.values().for_each(|value| held(value, into)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[test]
fn every_figure_of_a_transcript_is_in_the_json() {
    let mut partly = immediate();
    // A settlement that leaves something, a maker who offers cents, and a premium that differs.
    for line in &mut partly.lines {
        if let What::Settled { status, moved: Some(moved), .. } = &mut line.what {
            *status = RequestStatus::PartiallyFilled;
            moved.remaining = Amount::new(137_000_001_230_000).unwrap();
        }
        if let What::Locked { consideration, .. } = &mut line.what {
            *consideration = Amount::new(999_990_000).unwrap();
        }
    }
    let mut other = partly.clearings[0].clone();
    (other.premium, other.round) = (bps(129), 2);
    partly.clearings.push(other);
    for report in [immediate(), partly, record(Disclosure::Sealed, Outcome::Unrecovered)] {
        let json = json(&report);
        let mut held_there = std::collections::BTreeSet::new();
        held(&json, &mut held_there);
        for line in json["timeline"].as_array().unwrap() {
            let figures = &line["figures"];
            if figures["event"] == "reading" {
                let number = |key: &str| figures[key].as_str().unwrap().parse::<f64>().unwrap();
                let share = number("reserves") / number("liabilities") * 100.0;
                held_there.insert(format!("{share:.2}"));
            }
        }
        // Orders that follow each other are told as one.
        let orders = report.lines.iter().filter_map(|line| {
            let What::Ordered { capacity, .. } = line.what else { return None };
            Some(capacity.units())
        });
        held_there.insert(tokens(Amount::new(orders.sum()).unwrap()));
        let told = flat(&text(&report, 120, false));
        for number in numbers(&told) {
            assert!(held_there.contains(&number), "{number} is told and not held: {told}");
        }
        assert!(numbers(&told).len() > 30, "{:?}", numbers(&told));
    }
}

#[test]
fn every_shock_is_told_by_what_it_takes() {
    let text = told(&immediate());
    for words in [
        "On 10 March 2023 at 16:07 UTC 330,000,000 of the reserves stopped counting (10.00 % of 3,300,000,000): bonds.",
        "On 10 March 2023 at 16:08 UTC 4,970,000,000 of the reserves stopped counting: a bank.",
        "bonds: 330,000,000 stop counting (10.00 % of 3,300,000,000)",
        "a bank: 4,970,000,000 stop counting: ;",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(
        !text.contains("3,300,000,000 stop") && !text.contains("3,300,000,000 of the reserves")
    );
}

#[test]
fn gas_is_told_least_to_most_and_refusals_apart() {
    let text = text(&immediate(), 80, false);
    assert!(text.contains("   2 attestRecovery       134,001 to 134,009\n"), "{text}");
    assert!(text.contains("   1 attestRecovery                  refused\n"), "{text}");
    assert!(text.contains("   1 confidentialFill              1,137,000\n"), "{text}");
    assert!(!text.contains("each,  ") && !text.contains("2,869"), "no wall clock: {text}");
    assert_eq!(
        timing(&immediate()).unwrap(),
        "1 proof of 65,218 constraints here, in 2,869 to 2,869 ms each"
    );
}

#[test]
fn a_transcript_fits_its_columns_and_colour_moves_nothing() {
    for disclosure in [Disclosure::Immediate, Disclosure::Sealed] {
        let report = record(disclosure, Outcome::Recovered);
        for width in [80, 100, 120, 200] {
            let plain = text(&report, width, false);
            let widest = plain.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width.min(120), "{widest} of {width}: {plain}");
            assert!(widest + 16 > width.min(120), "{widest} of {width}");
            let mut bare = String::new();
            let mut is_code = false;
            for letter in text(&report, width, true).chars() {
                match (is_code, letter) {
                    (false, '\x1b') => is_code = true,
                    (true, 'm') => is_code = false,
                    (true, _) => {}
                    (false, letter) => bare.push(letter),
                }
            }
            assert_eq!(bare, plain);
        }
    }
}

#[test]
fn every_ending_is_told_as_it_was() {
    let check = |report: &Report, wants: &[&str], nots: &[&str]| {
        let text = told(report);
        for want in wants {
            assert!(text.contains(want), "{want:?} in: {text}");
        }
        for not in nots {
            assert!(!text.contains(not), "{not:?} in: {text}");
        }
    };
    let mended = |what: &What| {
        matches!(what, What::Settled { .. } | What::Cleared { .. })
            || matches!(what, What::Attested { recovered: true, is_first: false })
    };
    let is_back = |line: &Line| line.at == at(40);

    let mut halted = without(record(Disclosure::Immediate, Outcome::Halted), mended);
    halted.lines.retain(|line| !is_back(line));
    halted.clearings.clear();
    halted.rounds = 0;
    halted.mint_allowed = false;
    let expired = What::Expired { attempts: Some(4), attempts_max: 4, halted: true };
    halted.lines.push(line(75, Stage::Settle, expired));
    check(
        &halted,
        &[
            "Mission recovery: halted",
            "1 request ran out of time: no maker was filled. Minting is halted until governance resumes it.",
            "What it cost. No premium, since nobody was filled; 4 transactions.",
            "at 16:15 that it was short; that collateral was wanted, at a premium of up to 1.00 %; that minting was halted.",
            "the request runs out of time: attempt 4 of 4; minting halts",
            "EXPIRED, attempt 4; minting halts",
        ],
        &["backed again", "settled"],
    );

    let mut late = halted.clone();
    late.outcome = Outcome::Unrecovered;
    late.ended = at(45 + 24 * 60);
    check(
        &late,
        &[
            "Mission recovery: not recovered",
            "No maker was filled; when the run ended, at 16:45 on 11 March 2023, the coin was still short. Minting is paused.",
        ],
        &["halted until"],
    );

    let mut healthy = immediate();
    healthy.lines.truncate(3);
    healthy.clearings.clear();
    (healthy.outcome, healthy.rounds, healthy.verdicts) = (Outcome::Healthy, 0, vec![(1, true)]);
    check(
        &healthy,
        &[
            "What happened. The reserves were 102.00 % of the coins outstanding or more, on all 1 reading. Minting is open.",
            "What the public learned. At 16:05 that the coin was backed. 2 makers checked",
            "3 deposits with their amounts, one a maker and one the issuer's; no terms",
        ],
        &["Never"],
    );
    healthy.lines.push(line(9, Stage::Detect, reading(101_900, Verdict::Low)));
    check(
        &healthy,
        &["fell below 102.00 %", "not for 2 readings in a row: no shortfall"],
        &["or more"],
    );
    healthy.lines.truncate(1);
    (healthy.verdicts, healthy.outcome) = (Vec::new(), Outcome::Unrecovered);
    check(
        &healthy,
        &["No tick brought a reading", "Nothing: no report was written."],
        &["or more"],
    );

    let opened = |minutes, status, attempts| {
        let halted = false;
        line(minutes, Stage::Attest, What::Opened { status, attempts, attempts_max: 4, halted })
    };
    let mut sealed = record(Disclosure::Sealed, Outcome::Recovered);
    sealed.lines.push(opened(60, RequestStatus::Filled, None));
    sealed.lines.push(opened(120, RequestStatus::PartiallyFilled, Some(1)));
    sealed.lines.push(opened(180, RequestStatus::Filled, None));
    check(
        &sealed,
        &[
            "At 17:00 and 19:00 that the epoch before had been given all it asked for, which may be nothing. At 18:00 \
             that the epoch before had not been given all it asked for. Until",
            "the epoch opens: its request ended PARTIALLY_FILLED: attempt 1 of 4",
            "PARTIALLY_FILLED, of the epoch before; attempt 1",
            "a commitment, as on every tick",
        ],
        &["nothing yet", "Never"],
    );
}

#[test]
fn what_happens_again_and_again_is_one_row() {
    let mut report = immediate();
    for tick in 0..5 {
        report.lines.push(line(60 + 5 * tick, Stage::Detect, What::Unread));
    }
    let text = told(&report);
    assert!(text.contains("no reading, no report (5 times, until 17:20)"), "{text}");
    assert_eq!(text.matches("no reading").count(), 1);
}

#[test]
fn numbers_keep_what_matters() {
    assert_eq!(tokens(coins(3_300)), "3,300,000,000");
    assert_eq!(tokens(Amount::new(43_589_918_402_777_777).unwrap()), "43,589,918,402");
    assert_eq!(tokens(Amount::new(999_999_990_000).unwrap()), "999,999.99");
    assert_eq!(exact(Amount::new(43_589_918_402_777_777).unwrap()), "43589918402.777777");
    assert_eq!(percent(Ratio(1_022_000)), "102.20 %");
    assert_eq!(percent(Ratio(1_022_550)), "102.2550 %");
    assert_eq!(share(coins(9_473), coins(10_000)), "94.73 %");
    assert_eq!(grouped(0), "0");
    assert_eq!(grouped(65_218), "65,218");
    assert_eq!((date(at(0)), time(at(65))), ("10 March 2023".to_owned(), "17:05".to_owned()));
}

#[test]
fn text_wraps_at_words_and_keeps_a_number_with_its_unit() {
    assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    assert_eq!(wrap("up to 0.50 %", 10), ["up to", "0.50 %"]);
    assert_eq!(wrap("incomprehensible", 4), ["incomprehensible"]);
    assert_eq!(wrap("", 4), [""]);
}
