//! What the world does by itself, in virtual time: makers answer when their draw says so, the custodian states what
//! the scenario has, and a run ends when the scenario does.

use std::rc::Rc;

use client::Custodian;
use node::ports::{Failure, Inbox, Input, Reserves};
use node::view::View;
use primitives::Timestamp;
use protocol::detect::Observation;
use protocol::mission::Schedule;
use protocol::{Disclosure, Event, Fact};

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
    /// When sealed epochs begin and open.
    pub(crate) schedule: Schedule,
    /// Consecutive readings below the threshold that make a shortfall, at least 1.
    pub(crate) readings: u8,
    pub(crate) makers: Rc<Vec<(MakerAgent, u64)>>,
    /// See [`arrivals`].
    pub(crate) arrivals: Vec<usize>,
    /// The enclave's key, which every maker has checked.
    pub(crate) enclave: [u8; 32],
}

impl Script {
    fn is_over(&self, view: &View, due: Timestamp) -> bool {
        let tick = view.tick();
        self.is_mended(view)
            || view.halted_tick().is_some_and(|at| tick > at)
            || tick >= self.scenario.ticks_max
            || due >= self.scenario.guarantee
    }

    /// Whether the public has known of a recovery for as long as the scenario shows it, and no shock is still to come
    /// or to be answered.
    fn is_mended(&self, view: &View) -> bool {
        let mut told: Option<(u32, bool)> = None;
        for (tick, fact) in view.facts() {
            let Fact::RecoveryAttested { recovered } = fact else { continue };
            if told.is_none_or(|(_, before)| before != *recovered) {
                told = Some((tick, *recovered));
            }
        }
        let (Some((since, true)), Some(_)) = (told, view.recovered_tick()) else { return false };
        view.tick() >= since + self.scenario.ticks_after
            && self.scenario.shocks.iter().all(|shock| self.is_answered(view, shock.at))
    }

    /// Whether what the mission does about a shock is behind it. Immediate: it shows within the ticks after. Sealed: the
    /// epoch that asks for it, which is the first to begin once it makes the coin short, was opened.
    fn is_answered(&self, view: &View, shock: Timestamp) -> bool {
        let struck = view.entries().iter().find_map(|entry| match &entry.event {
            Event::Ticked { tick } if entry.at >= shock => Some(*tick),
            Event::Ticked { .. }
            | Event::Ordered { .. }
            | Event::Observed { .. }
            | Event::Unobserved { .. }
            | Event::Written { .. }
            | Event::Unwritten { .. }
            | Event::Cleared { .. }
            | Event::Heard { .. } => None,
        });
        let Some(struck) = struck else { return false };
        let answered = match self.disclosure {
            Disclosure::Immediate => struck + self.scenario.ticks_after,
            Disclosure::Sealed => {
                let Schedule { epoch_ticks, opening_delay, .. } = &self.schedule;
                let short = struck + u32::from(self.readings) - 1;
                (short - 1).next_multiple_of(*epoch_ticks) + 1 + epoch_ticks + opening_delay
            }
        };
        view.tick() >= answered
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
