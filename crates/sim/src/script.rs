//! What the world does by itself, in virtual time: makers answer when their draw says so, the custodian states what
//! the scenario has, and a run ends when the scenario does.

use std::rc::Rc;

use client::Custodian;
use node::ports::{Failure, Inbox, Input, Reserves};
use node::view::View;
use primitives::Timestamp;
use protocol::Disclosure;
use protocol::detect::Observation;

use crate::faults::NodeFault;
use crate::parties::MakerAgent;
use crate::{Error, Scenario};

/// Makers in the order in which they answer, each with the time it takes.
pub(crate) fn arrivals(makers: &[(MakerAgent, u64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..makers.len()).collect();
    order.sort_by_key(|index| (makers[*index].0.maker.latency, makers[*index].0.maker.index));
    order
}

/// Everything that comes in, by the scenario.
pub(crate) struct Script {
    pub(crate) scenario: Scenario,
    pub(crate) disclosure: Disclosure,
    pub(crate) makers: Rc<Vec<(MakerAgent, u64)>>,
    /// See [`arrivals`].
    pub(crate) arrivals: Vec<usize>,
    /// The enclave's key, which every maker has checked.
    pub(crate) enclave: [u8; 32],
}

impl Script {
    fn is_over(&self, view: &View, due: Timestamp) -> bool {
        let tick = view.tick();
        view.recovered_tick().is_some_and(|at| tick >= at + self.scenario.ticks_after)
            || view.halted_tick().is_some_and(|at| tick > at)
            || tick >= self.scenario.ticks_max
            || due >= self.scenario.guarantee
    }
}

impl Inbox for Script {
    fn next(&mut self, view: &View, due: Timestamp) -> Result<Input, Failure> {
        if self.is_over(view, due) {
            return Ok(Input::Stop);
        }
        // Under sealed disclosure makers stand ready whether or not they are asked.
        let asked = match self.disclosure {
            Disclosure::Immediate => view.first_request(),
            Disclosure::Sealed => Some(self.scenario.start),
        };
        let (Some(asked), Some(index)) = (asked, self.arrivals.get(view.n_orders())) else {
            return Ok(Input::Due);
        };
        let (agent, leaf) = &self.makers[*index];
        let at = asked + agent.maker.latency;
        if at >= due {
            return Ok(Input::Due);
        }
        Ok(Input::Envelope { at, envelope: agent.client.envelope(&self.enclave, *leaf)? })
    }

    fn answered(&mut self, answer: Result<&[u8], &str>) -> Result<(), Failure> {
        // Nobody's order is refused in a scenario.
        answer.map(drop).map_err(|reason| format!("an order was refused: {reason}").into())
    }
}

/// The custodian's statements, as the nodes of a run relay them.
pub(crate) struct Relays {
    pub(crate) custodian: Custodian,
    /// Per node.
    pub(crate) faults: Vec<NodeFault>,
    /// The enclave's key.
    pub(crate) enclave: [u8; 32],
    pub(crate) scenario: Scenario,
}

impl Relays {
    fn relayed(&self, observation: &Observation) -> Result<Vec<Option<Vec<u8>>>, Error> {
        (0..)
            .zip(&self.faults)
            .map(|(node, fault)| {
                Ok(match fault {
                    NodeFault::None => {
                        Some(self.custodian.statement(observation, node, &self.enclave)?)
                    }
                    // It cannot sign for the custodian; the best it can relay is noise.
                    NodeFault::Lying => Some(vec![0x5a; 256]),
                    NodeFault::Absent => None,
                })
            })
            .collect()
    }
}

impl Reserves for Relays {
    fn statements(&mut self, tick: u32, now: Timestamp) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        let observation = Observation {
            tick,
            observed_at: now,
            liabilities: self.scenario.supply_at(now),
            reserves: self.scenario.reserves_at(now),
        };
        Ok(self.relayed(&observation)?)
    }
}
