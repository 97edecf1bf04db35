//! The model and the stack play the same draws, and come to the same.

use std::collections::BTreeMap;

use risk::{Course, Disclosure, Outcome, Policy, Scenario, Trace};
use sim::level::{self, Played, Stack};

use crate::proving_key;

/// What the contracts have, and the model's step on the workflow's grid. Six makers of two lines, answering within
/// minutes, a hole of about three percent.
const WORLD: &str = r#"
step = "5 min"
horizon = "2 h"
[issuer]
supply = "$1bn"
liquid = "80%"
illiquid = "22.2%"
buffer = "2.2%"
[shock]
kind = "liquidity"
gap = "3%"
spread = 0.3
at = "10 min"
window = "20 min"
[holders]
calm = "0 /h"
attention = "0 /h"
[makers]
population = 6
invited = 6
lines = 2
capacity = "$12M"
latency = "4 min"
leak = "0 /h"
[tee]
down = "0 min"
[adversary]
heartbeat = "5 min"
mints = "0 /h"
padding = false
window = "90 min"
"#;

fn world(changes: &[(&str, &str)]) -> Scenario {
    let text = changes.iter().fold(WORLD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn policy(mechanism: &str, disclosure: Disclosure) -> Policy {
    let mechanism = toml::from_str(&format!("kind = \"cdpr-workflow\"\n{mechanism}")).unwrap();
    Policy { name: "workflow".into(), mechanism, disclosure }
}

/// Every line's fills together: which of two lines at one premium comes first is each level's own tie-break.
fn by_line(course: &Course) -> BTreeMap<(u32, u32), i64> {
    let mut found = BTreeMap::new();
    for fill in course.rounds.iter().flat_map(|round| &round.fills) {
        *found.entry((fill.maker, fill.line)).or_default() += fill.amount;
    }
    found
}

/// Plays both and compares all that is not of market and holders.
fn both(scenario: &Scenario, policy: &Policy, seed: u64, replication: u64) -> (Outcome, Played) {
    let model = risk::Model::new(scenario, policy).unwrap();
    let expected = model.run(seed, replication, Trace::Off);
    let played = Stack::new(proving_key()).play(scenario, policy, seed, replication).unwrap();
    let got = &played.outcome;

    let rounds = |course: &Course| -> Vec<_> {
        let of = |round: &risk::Round| {
            let raised: i64 = round.fills.iter().map(|fill| fill.amount).sum();
            (
                round.closed,
                round.settled,
                round.cap_bps,
                round.premium_bps,
                round.fills.len(),
                raised,
            )
        };
        course.rounds.iter().map(of).collect()
    };
    assert_eq!(rounds(&got.course), rounds(&expected.course), "replication {replication}");
    assert_eq!(by_line(&got.course), by_line(&expected.course));
    assert_eq!(got.course.expired, expected.course.expired);
    assert_eq!(got.course.halted, expected.course.halted);
    assert_eq!(got.course.attested, expected.course.attested);
    assert_eq!(got.truth, expected.truth);
    let numbers = |outcome: &Outcome| {
        (
            outcome.recovered,
            outcome.failed,
            outcome.ttr_steps,
            outcome.attempts,
            outcome.cost,
            outcome.maker_pnl,
        )
    };
    assert_eq!(numbers(got), numbers(&expected));
    assert!((got.hhi - expected.hhi).abs() < 1e-12);
    assert!((got.cost_bp - expected.cost_bp).abs() < 1e-12);

    // The stranger's channels, but for lit markets, which no chain shows, and the bytes, which the model counts bare.
    let seen = |outcome: &Outcome| risk::Observation {
        calldata_bytes: 0,
        discount_mean: 0.0,
        ..outcome.observation.clone()
    };
    assert_eq!(seen(got), seen(&expected));
    let settlements = expected.observation.calldata_bytes / 2_448;
    let bytes = got.observation.calldata_bytes;
    assert!(
        bytes == 0 && settlements == 0 || bytes > 2_448 * settlements,
        "{bytes} in {settlements}"
    );
    assert_eq!(bytes % settlements.max(1), 0, "settlements are alike");
    let is_off = got.course.halted.is_some() || !expected.recovered && expected.truth.deficit;
    if policy.disclosure == Disclosure::Flag {
        assert_eq!(played.report.mint_allowed, !is_off);
    }
    (expected, played)
}

#[test]
fn drawn_shocks_clear_fill_and_recover_alike_on_both_levels() {
    let policy =
        policy("lot = \"$100k\"\nfill_min = \"$1M\"\nladder = [\"3%\", \"8%\"]", Disclosure::Flag);
    let world = world(&[]);
    let (mut rounds, mut recovered) = (0, 0);
    for replication in 0..3 {
        let (outcome, _) = both(&world, &policy, 2023, replication);
        rounds += outcome.course.rounds.len();
        recovered += u32::from(outcome.recovered);
    }
    assert!(
        rounds >= 4 && recovered >= 2,
        "{rounds} rounds, {recovered} recovered: the draws say little"
    );
}

/// The first request finds nobody at its rung. The second has two rounds to settle and time for one: what is left goes to
/// a third.
#[test]
fn requests_expire_empty_and_half_filled_and_the_next_rung_fills_on_both_levels() {
    let mechanism = "lot = \"$100k\"\nfill_min = \"$1M\"\nladder = [\"0.1%\", \"8%\"]\nattempts = 3\ntimeout = \"20 min\"\nevery = \"10 min\"";
    let (outcome, _) = both(&world(&[]), &policy(mechanism, Disclosure::Flag), 2023, 0);
    assert_eq!((outcome.course.expired.len(), outcome.attempts), (2, 3));
    let (first, last) = (outcome.course.expired[0], outcome.course.expired[1]);
    let rounds = &outcome.course.rounds;
    assert!(rounds.iter().all(|round| round.cap_bps == 800 && round.closed > first));
    assert!(rounds.iter().any(|round| round.settled < last), "filled in part before it expired");
    assert!(rounds.iter().any(|round| round.settled > last) && outcome.recovered);
    assert_eq!(outcome.observation.premium_steps, 1);
}

#[test]
fn a_panel_that_asks_too_much_halts_both_levels() {
    let mechanism =
        "ladder = [\"0.1%\", \"0.2%\"]\nattempts = 2\ntimeout = \"20 min\"\nevery = \"5 min\"";
    let (outcome, played) = both(&world(&[]), &policy(mechanism, Disclosure::Flag), 2023, 1);
    assert!(outcome.course.halted.is_some() && !outcome.recovered);
    assert_eq!(played.report.outcome, protocol::Outcome::Halted);
}

/// Sealed: what the epoch fills, the stranger does not see; a world without a hole shows the same channels, bytes included.
#[test]
fn under_sealed_disclosure_both_levels_agree_and_a_hole_looks_like_none() {
    let mechanism = "lot = \"$100k\"\nfill_min = \"$1M\"\nladder = [\"3%\", \"8%\"]\ntimeout = \"30 min\"\nrounds = 2";
    let policy = policy(mechanism, Disclosure::None);
    let changes = [
        ("horizon = \"2 h\"", "horizon = \"95 min\""),
        ("window = \"90 min\"", "window = \"60 min\""),
    ];
    let (hole, with) = both(&world(&changes), &policy, 2023, 2);
    assert!(hole.recovered && hole.course.expired.is_empty(), "its epoch fills the hole");
    let quiet =
        world(&[changes[0], changes[1], ("gap = \"3%\"", "gap = \"3%\"\nprobability = \"0%\"")]);
    let (none, without) = both(&quiet, &policy, 2023, 2);
    assert!(none.course.rounds.is_empty() && !none.truth.deficit);
    assert!(without.outcome.observation.calldata_bytes > 0, "empty rounds settle too");
    assert_eq!(with.outcome.observation, without.outcome.observation);
}

#[test]
fn what_the_contracts_do_not_have_is_refused_by_its_key() {
    let workflow = policy("", Disclosure::Flag);
    let refused = |scenario: &Scenario, policy: &Policy| {
        let level::Error::Refused(refused) = level::check(scenario, policy).unwrap_err() else {
            panic!("refused by the stack");
        };
        assert!(!refused.hint.is_empty() && !refused.reason.is_empty());
        refused.key
    };
    level::check(&world(&[]), &workflow).unwrap();
    for kind in ["cdpr-uniform", "cdpr-pay-as-bid", "cdpr-vcg", "cdpr-clock", "standby", "gyro"] {
        let mechanism = toml::from_str(&format!("kind = \"{kind}\"")).unwrap();
        let policy = Policy { mechanism, ..workflow.clone() };
        assert_eq!(refused(&world(&[]), &policy), "policy.workflow.mechanism.kind");
    }
    let note = policy("instrument = \"junior-note\"", Disclosure::Flag);
    assert_eq!(refused(&world(&[]), &note), "policy.workflow.mechanism.instrument");
    for (key, from, to) in [
        ("step", "step = \"5 min\"", "step = \"10 min\""),
        ("holders.calm", "calm = \"0 /h\"", "calm = \"1% /h\""),
        ("holders.attention", "attention = \"0 /h\"", "attention = \"1% /h\""),
        ("makers.leak", "leak = \"0 /h\"", "leak = \"1% /h\""),
        ("makers.colluding", "lines = 2", "lines = 2\ncolluding = 2"),
        ("makers.waiting", "lines = 2", "lines = 2\nwaiting = \"5%\""),
        ("makers.shading", "lines = 2", "lines = 2\nshading = \"5%\""),
        (
            "makers.lines",
            "population = 6\ninvited = 6\nlines = 2",
            "population = 40\ninvited = 40\nlines = 8",
        ),
        ("tee.down", "down = \"0 min\"", "down = \"5 min\""),
        ("issuer.buffer", "buffer = \"2.2%\"", "buffer = \"2.12345%\""),
        ("issuer.illiquid", "illiquid = \"22.2%\"", "illiquid = \"22.23456%\""),
        ("issuer.reading_age", "buffer = \"2.2%\"", "buffer = \"2.2%\"\nreading_age = \"5 min\""),
        (
            "issuer.reading_every",
            "buffer = \"2.2%\"",
            "buffer = \"2.2%\"\nreading_every = \"10 min\"",
        ),
        (
            "issuer.reading_noise",
            "buffer = \"2.2%\"",
            "buffer = \"2.2%\"\nreading_noise = \"0.1%\"",
        ),
        ("adversary.cover", "padding = false", "padding = false\ncover = \"10%\""),
        ("adversary.padding", "padding = false", "padding = true"),
        ("adversary.heartbeat", "heartbeat = \"5 min\"", "heartbeat = \"1 h\""),
        ("adversary.delay", "padding = false", "padding = false\ndelay = \"1 h\""),
        ("adversary.mints", "mints = \"0 /h\"", "mints = \"1 /h\""),
    ] {
        let scenario = world(&[(from, to)]);
        assert_eq!(refused(&scenario, &workflow), format!("scenario.{key}"));
    }
    for (key, mechanism) in [("timeout", "timeout = \"7 min\""), ("every", "every = \"7 min\"")] {
        let key = format!("policy.workflow.mechanism.{key}");
        assert_eq!(refused(&world(&[]), &policy(mechanism, Disclosure::Flag)), key);
    }
    // What the deployment refuses comes with its own words.
    let odd = policy("fill_min = \"$1.5M\"", Disclosure::Flag);
    assert_eq!(refused(&world(&[]), &odd), "policy.workflow.mechanism");
}
