//! Studies end to end: the same bytes however they were computed, and every slip named before anything is written.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at what it does not expect"
)]

mod damage;
mod examples;
mod execution;
mod folders;
mod levels;
mod readers;
mod report;
mod specs;

use study::plan::Plan;
use study::spec::Spec;

fn plan(source: &str) -> Plan {
    try_plan(source).unwrap_or_else(|error| panic!("{error}"))
}

fn try_plan(source: &str) -> Result<Plan, study::spec::Error> {
    let read = |name: &str| Err(format!("{name} is not there"));
    Plan::new(Spec::parse(source, "s.toml")?, "s.toml", read)
}

/// Two policies, two points, a hole in half of the runs, a day's horizon.
const SMALL: &str = r#"
[study]
name = "small"
replications = 230
seed = 7

[scenario]
horizon = "24 h"
[scenario.shock]
probability = "60%"
[scenario.holders]
count = 2000

[[policy]]
name = "clock"
mechanism = { kind = "cdpr-clock" }

[[policy]]
name = "halt"
mechanism = { kind = "halt" }
disclosure = "public"

[sweep]
"makers.invited" = [4, 16]

[paths]
replications = 20
"#;
