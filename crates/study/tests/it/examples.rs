//! What the examples conclude is what the model gives.
//!
//! Each is run with fewer replications, the first of its own, and what is stated has to be within what those can tell: twice the
//! interval of 95 %, and the rounding of the words. Hours in which a rare run stands for the horizon, areas under curves and
//! indices take all replications, and are not compared here.

use study::plan::Plan;
use study::spec::{Spec, Stop};
use study::study as run_study;
use study::summary::Summary;
use tempfile::TempDir;

/// Words of a conclusion, and which number they round.
struct Stated {
    words: &'static str,
    policy: &'static str,
    /// The point, by the value of its axis; empty without a sweep.
    at: &'static str,
    metric: &'static str,
    /// From the metric's unit to that of the words.
    factor: f64,
    value: f64,
    /// Half of the last place of the words.
    rounding: f64,
}

const fn stated(
    words: &'static str,
    (policy, at): (&'static str, &'static str),
    (metric, factor): (&'static str, f64),
    (value, rounding): (f64, f64),
) -> Stated {
    Stated { words, policy, at, metric, factor, value, rounding }
}

const RECOVERED: (&str, f64) = ("recovered", 100.0);
const REDEEMED: (&str, f64) = ("redeemed_72h", 100.0);
const COST: (&str, f64) = ("cost_bp", 1.0);
const DISCOUNT: (&str, f64) = ("discount_max", 100.0);
const HOURS: (&str, f64) = ("delay_h", 1.0);

fn sampled(source: &str, replications: u64) -> Summary {
    let mut spec = Spec::parse(source, "example.toml").unwrap();
    spec.stop = Stop::After(replications);
    spec.paths = 0;
    let plan = Plan::new(spec, "example.toml", |_| Err("no data".to_owned())).unwrap();
    let folder = TempDir::new().unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap()
}

fn check(source: &str, replications: u64, all: &[Stated]) {
    let summary = sampled(source, replications);
    assert!(!summary.claims.is_empty(), "nothing is claimed");
    for claim in &summary.claims {
        assert!(claim.holds, "{claim}");
    }
    let conclusion = summary.conclusion.replace('\n', " ");
    for one in all {
        assert!(conclusion.contains(one.words), "{:?} is not in: {conclusion}", one.words);
        let is_at =
            |values: &[String]| one.at.is_empty() || values.iter().any(|value| value == one.at);
        let point = summary.points.iter().find(|point| is_at(&point.values)).unwrap();
        let stats = point.policies.iter().find(|stats| stats.policy == one.policy).unwrap();
        let estimate = stats.metric(one.metric).scaled(one.factor);
        let room = |end: f64| 2.0 * (end - estimate.value).abs() + one.rounding;
        let off = one.value - estimate.value;
        let room = if off < 0.0 { room(estimate.low) } else { room(estimate.high) };
        assert!(
            off.abs() <= room,
            "{:?}: {} of {} at {:?} is {} [{}, {}] in {replications} runs",
            one.words,
            one.metric,
            one.policy,
            one.at,
            estimate.value,
            estimate.low,
            estimate.high
        );
    }
}

#[test]
fn premium_concludes_what_the_model_gives() {
    let at = |premium| ("fixed", premium);
    check(
        include_str!("../../../../examples/premium.toml"),
        400,
        &[
            stated("no run recovered within 75 minutes", at("0.5%"), RECOVERED, (0.0, 0.0)),
            stated("and 1 % fills none either", at("1%"), RECOVERED, (0.0, 0.0)),
            stated("2 % recovers in 44 %", at("2%"), RECOVERED, (44.0, 0.5)),
            stated("2.5 % in 92 %", at("2.5%"), RECOVERED, (92.0, 0.5)),
            stated("99 % takes 5 %", at("5%"), RECOVERED, (99.0, 0.5)),
            stated("at a cost of 15 bp of supply", at("5%"), COST, (15.0, 0.5)),
        ],
    );
}

#[test]
fn signals_concludes_what_the_model_gives() {
    let of = |policy| (policy, "25%");
    check(
        include_str!("../../../../examples/signals.toml"),
        100,
        &[
            stated("99.6 % under every signal", of("silent"), RECOVERED, (99.6, 0.05)),
            stated("99.6 % under every signal", of("public"), RECOVERED, (99.6, 0.05)),
            stated("1.2 to 4.1 % redeem", ("silent", "0%"), REDEEMED, (1.2, 0.05)),
            stated("1.2 to 4.1 % redeem", ("silent", "200%"), REDEEMED, (4.1, 0.05)),
            stated("against 8.7 %", of("public"), REDEEMED, (8.7, 0.05)),
            stated("4.4 bp of supply", ("silent", "0%"), COST, (4.4, 0.05)),
            stated("7.0 bp and 3.0 hours", of("silent"), COST, (7.0, 0.05)),
            stated("13.4 bp and 5.0 hours", ("silent", "100%"), COST, (13.4, 0.05)),
            stated("which is what telling costs", ("public", "100%"), COST, (13.4, 0.05)),
            stated("16.4 bp and 10.8 hours", ("silent", "200%"), COST, (16.4, 0.05)),
            stated("6.2 hours and 29 bp", of("flop"), HOURS, (6.2, 0.05)),
            stated("6.2 hours and 29 bp", of("flop"), COST, (29.0, 0.5)),
            stated("reaches 12.7 %", of("halt"), DISCOUNT, (12.7, 0.05)),
            stated("fills nothing", of("halt"), RECOVERED, (0.0, 0.0)),
        ],
    );
}

#[test]
fn panel_concludes_what_the_model_gives() {
    let at = |makers| ("clock", makers);
    check(
        include_str!("../../../../examples/panel.toml"),
        60,
        &[
            stated("12 makers recover in 99.7 %", at("12"), RECOVERED, (99.7, 0.05)),
            stated("8 in 83 %", at("8"), RECOVERED, (83.0, 0.5)),
            stated("6 in 46 %", at("6"), RECOVERED, (46.0, 0.5)),
            stated("2.7 hours with 16 and 3.3 with 60", at("16"), HOURS, (2.7, 0.05)),
            stated("2.7 hours with 16 and 3.3 with 60", at("60"), HOURS, (3.3, 0.05)),
            stated("rises from 2.9 to 5.4 %", at("16"), REDEEMED, (2.9, 0.05)),
            stated("rises from 2.9 to 5.4 %", at("60"), REDEEMED, (5.4, 0.05)),
        ],
    );
}

#[test]
fn rumour_concludes_what_the_model_gives() {
    check(
        include_str!("../../../../examples/rumour.toml"),
        60,
        &[
            stated("16 to 21 % of supply", ("silent", "10%"), REDEEMED, (16.0, 0.5)),
            stated("16 to 21 % of supply", ("silent", "40%"), REDEEMED, (21.0, 0.5)),
            stated("and 0.3 % where it publishes", ("open", "20%"), REDEEMED, (0.3, 0.05)),
            stated("and 0.3 % where it publishes", ("open", "40%"), REDEEMED, (0.3, 0.05)),
        ],
    );
}

#[test]
fn a_claim_that_fails_is_shown_beside_the_conclusion_it_is_under() {
    let source = include_str!("../../../../examples/rumour.toml");
    let turned = source.replace("redeemed_72h(open) <= 0.01", "redeemed_72h(open) >= 0.01");
    let summary = sampled(&turned, 20);
    let failing: Vec<_> = summary.claims.iter().filter(|claim| !claim.holds).collect();
    assert_eq!(failing.len(), 1);
    let page = study::report::html(&[summary]);
    assert!(page.contains("1 of the 3 claims that it rests on FAIL in this run"));
    assert!(
        page.contains(
            "<li class=\"fails\"><b>fails</b> <code>redeemed_72h(open) &gt;= 0.01</code>"
        )
    );
    let whole = study::report::html(&[sampled(source, 20)]);
    assert!(
        whole.contains("the 3 claims that it rests on hold in this run") && !whole.contains("FAIL")
    );
}

#[test]
fn a_claim_of_what_the_study_does_not_have_is_refused_at_its_line() {
    let source = include_str!("../../../../examples/rumour.toml");
    for (from, to, wants) in [
        ("failed(silent)", "faild(silent)", ["study.claims[2]", "did you mean \"failed\"?"]),
        ("failed(silent)", "failed(silence)", ["study.claims[2]", "did you mean \"silent\"?"]),
        (
            "shock.rumour = 10%",
            "shock.rumor = 10%",
            ["study.claims[0]", "did you mean \"shock.rumour\"?"],
        ),
        (
            "shock.rumour = 10%",
            "shock.rumour = 15%",
            ["study.claims[0]", "\"15%\" is not one of 0%, 10%"],
        ),
        ("failed(silent) <= 0", "failed(silent)", ["study.claims[2]", "is not a claim"]),
    ] {
        let source = source.replace(from, to);
        assert_ne!(source, include_str!("../../../../examples/rumour.toml"));
        let plan = Spec::parse(&source, "r.toml")
            .and_then(|spec| Plan::new(spec, "r.toml", |_| Err("no data".to_owned())));
        let said = plan.map(drop).unwrap_err().to_string();
        assert!(wants.iter().all(|want| said.contains(want)), "{said}");
    }
}
