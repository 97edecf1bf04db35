//! What a run depends on, and nothing else.

use primitives::Bytes32;
use protocol::Disclosure;
use protocol::mission::Setup;
use recovery::{Deployment as DeploymentFile, Document};

use crate::faults::{Faults, NodeFault};
use crate::world::seed_commitment;
use crate::{Error, Scenario, panel};

/// What a run depends on, and nothing else.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// What happens to reserves.
    pub scenario: Scenario,
    /// Who stands ready, by index, instead of a draw from the scenario's panel.
    pub makers: Option<Vec<panel::Maker>>,
    /// The workflow, parsed.
    pub workflow: Document,
    /// Its source.
    pub workflow_source: String,
    /// The deployment file, parsed, with the run's disclosure.
    pub deployment: DeploymentFile,
    /// Its source.
    pub deployment_source: String,
    /// Everything random comes from it.
    pub seed: u64,
    /// The clearing circuit's keys, as bytes; must hash to [`crate::proving_key_pin`].
    pub proving_key: Vec<u8>,
    /// What goes wrong.
    pub faults: Faults,
}

impl Inputs {
    /// The disclosure of this run.
    pub const fn disclosure(&self) -> Disclosure {
        self.deployment.disclosure.mode
    }

    /// The mission's setup: what the core needs of workflow and deployment file.
    pub fn setup(&self) -> Setup {
        recovery::guest::setup(&self.workflow, &self.deployment)
    }

    /// What makes it this run, whatever of it is on disk.
    pub(crate) fn run(&self) -> Result<Bytes32, Error> {
        let commitment = seed_commitment(self.seed, self.deployment.chain_id)?;
        let (workflow, deployment) = (&self.workflow_source, &self.deployment_source);
        let scenario = Bytes32(self.scenario.hash);
        Ok(node::run_of(commitment, workflow, deployment, self.disclosure(), scenario))
    }

    /// How each node fails in this run.
    pub(crate) fn node_faults(&self) -> Vec<NodeFault> {
        let n = usize::try_from(self.deployment.don.nodes).unwrap_or(usize::MAX);
        let given = self.faults.nodes.iter().copied();
        given.chain(core::iter::repeat(NodeFault::None)).take(n).collect()
    }
}
