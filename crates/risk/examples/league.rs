//! Prints a league table of all policies for the base scenario: `cargo run --release -p risk --example league`.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example prints what it finds, and how fast"
)]

use std::time::Instant;

use risk::{Model, Policy, Scenario, Trace};

const RUNS: u64 = 200;

fn main() {
    let base = Scenario::default();
    println!(
        "{:34} {:>9} {:>13} {:>8} {:>8} {:>9} {:>7} {:>7}",
        "policy", "recovered", "TTR h (p95)", "cost bp", "run 72h", "max disc", "failed", "ms/run"
    );
    for (name, disclosure, mechanism, change) in POLICIES {
        let text = format!(
            "name = \"{name}\"\ndisclosure = \"{disclosure}\"\nmechanism = {{ {mechanism} }}"
        );
        let policy: Policy = toml::from_str(&text).expect("the table is well formed");
        let mut scenario = base.clone();
        change(&mut scenario);
        let model = Model::new(&scenario, &policy).expect("the table is valid");
        let start = Instant::now();
        let outcomes: Vec<_> =
            (0..RUNS).map(|replication| model.run(7, replication, Trace::Off)).collect();
        let elapsed = start.elapsed().as_secs_f64() * 1e3 / RUNS as f64;
        let mean =
            |of: &dyn Fn(&risk::Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / RUNS as f64;
        let mut ttr: Vec<f64> = outcomes
            .iter()
            .filter_map(|o| o.ttr_steps)
            .map(|steps| f64::from(steps) * scenario.step.hours())
            .collect();
        ttr.sort_by(f64::total_cmp);
        let (mean_ttr, p95) = if ttr.is_empty() {
            (f64::NAN, f64::NAN)
        } else {
            (
                ttr.iter().sum::<f64>() / ttr.len() as f64,
                ttr[(ttr.len() * 95 / 100).min(ttr.len() - 1)],
            )
        };
        println!(
            "{name:34} {:9.3} {mean_ttr:6.2} ({p95:4.1}) {:8.1} {:7.1}% {:8.2}% {:7.2} {elapsed:7.2}",
            mean(&|o| f64::from(u8::from(o.recovered))),
            mean(&|o| o.cost_bp),
            mean(&|o| o.redeemed_72h) * 100.0,
            mean(&|o| o.discount_max) * 100.0,
            mean(&|o| f64::from(u8::from(o.failed))),
        );
    }
}

type Row = (&'static str, &'static str, &'static str, fn(&mut Scenario));

const POLICIES: &[Row] = &[
    ("nothing", "none", "kind = \"nothing\"", |_| {}),
    ("nothing, public", "public", "kind = \"nothing\"", |_| {}),
    ("halt", "none", "kind = \"halt\"", |_| {}),
    ("flop, 6 h, public", "public", "kind = \"flop\"", |_| {}),
    ("frax 0.75%, public", "public", "kind = \"frax\"", |_| {}),
    ("reserve, no stake, no haircut", "public", "kind = \"reserve\", haircut = false", |_| {}),
    ("reserve, no stake", "public", "kind = \"reserve\"", |_| {}),
    (
        "reserve, 4% stake, $10M trades",
        "public",
        "kind = \"reserve\", trade = \"$10M\", slippage = \"3%\"",
        |s| s.issuer.first_loss.0 = 0.04,
    ),
    ("liquity", "none", "kind = \"liquity\"", |_| {}),
    ("liquity, public", "public", "kind = \"liquity\"", |_| {}),
    ("gyro, public", "public", "kind = \"gyro\"", |_| {}),
    ("standby", "none", "kind = \"standby\"", |_| {}),
    ("cdpr fixed 0.5%", "none", "kind = \"cdpr-fixed\"", |_| {}),
    ("cdpr clock 1%/h", "none", "kind = \"cdpr-clock\"", |_| {}),
    ("cdpr clock 1%/h, flag", "flag", "kind = \"cdpr-clock\"", |_| {}),
    ("cdpr clock 1%/h, range", "range", "kind = \"cdpr-clock\"", |_| {}),
    ("cdpr clock 1%/h, public", "public", "kind = \"cdpr-clock\"", |_| {}),
    ("cdpr clock 4%/h", "none", "kind = \"cdpr-clock\", slope = \"4% /h\"", |_| {}),
    ("cdpr clock 1%/h, leak 5%", "none", "kind = \"cdpr-clock\"", |s| s.makers.leak.0 = 0.05),
    ("cdpr clock 1%/h, 6 invited", "none", "kind = \"cdpr-clock\"", |s| s.makers.invited = 6),
    ("cdpr clock 1%/h, 24 invited", "none", "kind = \"cdpr-clock\"", |s| s.makers.invited = 24),
    ("cdpr clock, all waiting", "none", "kind = \"cdpr-clock\"", |s| s.makers.waiting.0 = 1.0),
    ("cdpr uniform 15 min", "none", "kind = \"cdpr-uniform\"", |_| {}),
    (
        "cdpr uniform 15 min, ladder 8%",
        "none",
        "kind = \"cdpr-uniform\", ladder = [\"8%\"]",
        |_| {},
    ),
    ("cdpr uniform 8%, ring of 3", "none", "kind = \"cdpr-uniform\", ladder = [\"8%\"]", |s| {
        s.makers.colluding = 3
    }),
    ("cdpr pay as bid", "none", "kind = \"cdpr-pay-as-bid\"", |_| {}),
    ("cdpr vcg", "none", "kind = \"cdpr-vcg\"", |_| {}),
];
