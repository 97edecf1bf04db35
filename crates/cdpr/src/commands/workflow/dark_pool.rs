//! The dark pool in a simulation: the world of `cdpr run` (chain, contracts, enclave process), around the
//! workflow that is simulated.

use std::path::Path;

use primitives::Timestamp;
use recovery::{Deployment, Don};
use serde_json::{Value, json};
use sim::{Embedded, Faults, Guest, Inputs, Scenario};

use super::refuse;
use crate::commands::run::{EMBEDDED, scenario};
use crate::terminal::Progress;
use crate::{Failure, keys};

/// What everything random in the world comes from, and so where its contracts are: one number, so that a
/// configuration can name them.
const SEED: u64 = 1;

/// A world, and the time that passes in it.
#[derive(Debug)]
pub(crate) struct DarkPool {
    pub(crate) world: Embedded,
    scenario: Scenario,
}

impl DarkPool {
    /// Opens the world at its scenario's start; refused first when the scenario has nothing to say about `now`.
    pub(crate) fn open(
        guest: Guest,
        path: &Path,
        now: Option<Timestamp>,
        nodes: usize,
        faults: usize,
    ) -> Result<Self, Failure> {
        let scenario = scenario(path)?;
        if let Some(now) = now.filter(|now| !is_within(&scenario, *now)) {
            let (start, end) = (scenario.start, scenario.guarantee);
            let what = format!("--now {now}: scenario {:?} is about another time", scenario.name);
            return Err(refuse(what, format!("between {start} and {end}")));
        }
        let input = |error: recovery::Diagnostic| Failure::Input(error.into());
        let mut deployment =
            Deployment::parse(EMBEDDED, "deployments/embedded.toml").map_err(input)?;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (nodes, quorum) = (count(nodes), count(2 * faults + 1));
        deployment.don = Don { nodes, faults_max: count(faults) };
        deployment.detect.quorum = quorum;
        for feed in deployment.feeds.values_mut() {
            (feed.observers, feed.quorum) = (nodes, quorum);
        }
        let workflow = recovery::parse(recovery::SEED, "the seed").map_err(input)?;
        recovery::check(&workflow, &deployment).map_err(input)?;
        let proving_key = keys::development(deployment.chain_id)?;
        let inputs = Inputs {
            scenario: scenario.clone(),
            makers: None,
            workflow,
            workflow_source: recovery::SEED.to_owned(),
            deployment,
            deployment_source: EMBEDDED.to_owned(),
            seed: SEED,
            proving_key,
            faults: Faults::default(),
        };
        let _working = Progress::working("starting chain, contracts and enclave");
        let world =
            Embedded::open(guest, inputs).map_err(|error| Failure::Internal(error.into()))?;
        Ok(Self { world, scenario })
    }

    /// When the world begins.
    pub(crate) const fn start(&self) -> Timestamp {
        self.scenario.start
    }

    /// Whether the scenario has anything to say about an instant.
    pub(crate) fn has(&self, now: Timestamp) -> bool {
        is_within(&self.scenario, now)
    }

    /// For people, line by line.
    pub(crate) fn lines(&self) -> [String; 3] {
        let (contracts, scope) = (self.world.contracts(), self.world.scope());
        [
            format!(
                "the workflow calls {}: chain, contracts and enclave process are those of `cdpr run`, in scenario \
                 {:?} from {}; reports are delivered there, and no maker answers",
                cre::messages::darkpool::ID,
                self.scenario.name,
                self.start()
            ),
            format!(
                "DarkPool {:#x}, ConfidentialPoR {:#x}, RecoveryGuard {:#x}, on every chain selector",
                contracts.dark_pool, contracts.por, contracts.guard
            ),
            format!(
                "image {:?}, oracle feed {:?}, asset {:?}",
                scope.image, scope.oracle_feed, scope.asset
            ),
        ]
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let (contracts, scope) = (self.world.contracts(), self.world.scope());
        json!({
            "scenario": self.scenario.name,
            "start": self.start().to_string(),
            "dark_pool": format!("{:#x}", contracts.dark_pool),
            "confidential_por": format!("{:#x}", contracts.por),
            "recovery_guard": format!("{:#x}", contracts.guard),
            "image": scope.image,
            "oracle_feed": scope.oracle_feed,
            "asset": scope.asset,
        })
    }
}

fn is_within(scenario: &Scenario, now: Timestamp) -> bool {
    scenario.start < now && now < scenario.guarantee
}
