//! Worlds and means for the model's tests.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use risk::{Model, Outcome, Policy, Scenario, Trace};

pub fn scenario(text: &str) -> Scenario {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub fn policy(mechanism: &str, disclosure: &str) -> Policy {
    let text =
        format!("name = \"p\"\ndisclosure = \"{disclosure}\"\nmechanism = {{ {mechanism} }}");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub fn runs(scenario: &Scenario, policy: &Policy, n: u64) -> Vec<Outcome> {
    let model = Model::new(scenario, policy).unwrap_or_else(|error| panic!("{error}"));
    (0..n).map(|replication| model.run(2023, replication, Trace::Off)).collect()
}

/// Mean and its standard error.
pub fn mean(outcomes: &[Outcome], of: impl Fn(&Outcome) -> f64) -> (f64, f64) {
    let n = outcomes.len() as f64;
    let mean = outcomes.iter().map(&of).sum::<f64>() / n;
    let variance = outcomes.iter().map(|o| (of(o) - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

pub fn share(outcomes: &[Outcome], of: impl Fn(&Outcome) -> bool) -> f64 {
    outcomes.iter().filter(|o| of(o)).count() as f64 / outcomes.len() as f64
}

/// Mean hours to recovery of those that recovered.
pub fn ttr_h(scenario: &Scenario, outcomes: &[Outcome]) -> f64 {
    let times: Vec<f64> = outcomes
        .iter()
        .filter_map(|o| o.ttr_steps)
        .map(|steps| f64::from(steps) * scenario.step.hours())
        .collect();
    times.iter().sum::<f64>() / times.len() as f64
}
