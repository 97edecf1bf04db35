//! The recovery model: one world ([`Scenario`]), one [`Policy`], one replication, one [`Outcome`]. It is a crate
//! for purity: no clock, no entropy, no files, no threads, no hash-ordered maps. The same seed gives the same
//! bytes on any machine, in any order, on any number of threads.
//!
//! Nouns: [`Scenario`], [`Policy`], [`Model`], [`Outcome`].

pub mod balance;
pub mod bench1;
pub mod closed_form;
mod crowd;
mod error;
mod fields;
mod maths;
mod model;
mod outcome;
mod panel;
mod plan;
mod policy;
mod price;
pub mod rng;
mod scenario;
pub mod units;
pub mod usdc;
mod validate;

pub use error::Error;
pub use fields::Field;
pub use model::Model;
pub use outcome::{Breaker, Observation, Outcome, StepState, Trace, Truth};
pub use policy::{
    CdprClock, CdprFixed, CdprPayAsBid, CdprUniform, CdprVcg, Disclosure, Flop, Frax, Gyro, Halt,
    Instrument, Liquity, Mechanism, Nothing, Policy, Reserve, Standby,
};
pub use scenario::{
    Adversary, Holders, Issuer, Kind, Makers, Market, Scenario, Selection, Shock, Tee,
};
pub use validate::{schema, validate};

/// Runs `replication` of `seed` in one call; a sweep keeps a [`Model`].
///
/// # Errors
/// As [`validate`].
pub fn run(
    scenario: &Scenario,
    policy: &Policy,
    seed: u64,
    replication: u64,
    trace: Trace,
) -> Result<Outcome, Error> {
    Ok(Model::new(scenario, policy)?.run(seed, replication, trace))
}
