//! Where a replication is played: in the model, or somewhere real that a caller brings along.
//!
//! The spec, the draws, the rows and all that is made of them are the same on either.

use core::fmt;

use risk::{Outcome, Policy, Scenario};

use crate::spec::Reason;
use crate::stats::to_f64;

/// Most runs on the stack: an hour or so of two cores where the horizon is three hours, and more where it is longer.
pub const RUNS_MAX: u64 = 1_000;

/// Somewhere else than the model that a replication can be played.
pub trait Stack: fmt::Debug + Send + Sync {
    /// Whether it has what this world and this policy need.
    ///
    /// # Errors
    /// The key and the reason.
    fn check(&self, scenario: &Scenario, policy: &Policy) -> Result<(), (String, Reason)>;

    /// Plays one replication.
    ///
    /// # Errors
    /// Why it stopped, in words.
    fn play(
        &self,
        scenario: &Scenario,
        policy: &Policy,
        seed: u64,
        replication: u64,
    ) -> Result<Outcome, String>;

    /// Names what decides its results beside the spec: what was made on one stack is not another's.
    fn identity(&self) -> String;

    /// About how long one takes on one core, seconds.
    fn seconds(&self, scenario: &Scenario, policy: &Policy) -> f64;
}

/// Minutes of so many runs, rounded **up**.
pub(crate) fn minutes(runs: u64, seconds: f64) -> u64 {
    crate::stats::index_floor((to_f64(runs) * seconds / 60.0).ceil()) as u64
}
