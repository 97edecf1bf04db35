//! `sim`'s stack as the level that a study may be played on.

use std::sync::{Mutex, PoisonError};

use sim::level;
use study::spec::Reason;

use crate::keys;

/// Makes or reads the development keys when the first replication is played, and not before.
#[derive(Debug, Default)]
pub(crate) struct Stack(Mutex<Option<level::Stack>>);

impl Stack {
    fn made(&self) -> Result<level::Stack, String> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if made.is_none() {
            let keys = keys::development(level::CHAIN_ID);
            *made = Some(level::Stack::new(keys.map_err(|error| format!("{error:#}"))?));
        }
        made.clone().ok_or_else(|| "no keys".to_owned())
    }
}

impl study::level::Stack for Stack {
    fn check(
        &self,
        scenario: &risk::Scenario,
        policy: &risk::Policy,
    ) -> Result<(), (String, Reason)> {
        level::check(scenario, policy).map_err(|error| match error {
            level::Error::Refused(refused) => {
                let message = format!("{} on the stack: {}", refused.found, refused.reason);
                (refused.key, Reason::Model { message, hint: Some(refused.hint) })
            }
            other @ (level::Error::Model(_) | level::Error::Stack { .. }) => {
                let message = chain(&other);
                (format!("policy.{}", policy.name), Reason::Model { message, hint: None })
            }
        })
    }

    fn play(
        &self,
        scenario: &risk::Scenario,
        policy: &risk::Policy,
        seed: u64,
        replication: u64,
    ) -> Result<risk::Outcome, String> {
        let played = self.made()?.play(scenario, policy, seed, replication);
        played.map(|played| played.outcome).map_err(|error| chain(&error))
    }

    fn identity(&self) -> String {
        level::identity()
    }

    fn seconds(&self, scenario: &risk::Scenario, policy: &risk::Policy) -> f64 {
        level::Stack::seconds(scenario, policy)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
