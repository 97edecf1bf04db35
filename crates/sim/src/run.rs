//! A mission in the embedded world, from its start or from where it was interrupted.

use std::rc::Rc;

use node::ports::Ports;
use node::{Journaled, Node};
use primitives::frames::Kind;
use protocol::journal::KIND;
use store::{MemoryStorage, Storage};

use crate::network::{Nodes, runner};
use crate::report::{Report, Told};
use crate::script::{Script, arrivals};
use crate::{Error, Inputs, World};

/// What outlives a process: three stores, because in life they are three machines.
#[derive(Debug)]
pub struct Stores {
    /// The node's journal: publishable.
    pub journal: Box<dyn Storage>,
    /// The chain's blocks.
    pub chain: Box<dyn Storage>,
    /// The enclave's sealed entries.
    pub enclave: Box<dyn Storage>,
}

impl Stores {
    /// How each of them begins: journal, chain, enclave.
    pub const KINDS: [&'static Kind; 3] = [&KIND, &devchain::LOG, &node::ENCLAVE_LOG];

    /// Stores that die with the process.
    pub fn memory() -> Self {
        let memory = |name| Box::new(MemoryStorage::named(name, Vec::new())) as Box<dyn Storage>;
        Self { journal: memory("journal"), chain: memory("chain"), enclave: memory("enclave") }
    }
}

/// Runs a mission to its end, or goes on with one that was interrupted.
///
/// `progress` hears the tick and the last tick there can be. A finished journal is only read.
///
/// # Errors
/// [`Error`]; whatever was durable stays, and running again goes on from there.
pub fn run(
    inputs: Inputs,
    stores: Stores,
    progress: &mut dyn FnMut(u32, u32),
) -> Result<Report, Error> {
    let plug = inputs.faults.plug.clone();
    let ended = mission(inputs, stores, progress);
    match plug.and_then(|plug| plug.pulled()) {
        Some(point) => Err(Error::Crashed(point)),
        None => ended,
    }
}

fn mission(
    inputs: Inputs,
    stores: Stores,
    progress: &mut dyn FnMut(u32, u32),
) -> Result<Report, Error> {
    let mut journal = stores.journal;
    if let Some(plug) = &inputs.faults.plug {
        journal = plug.journal(journal);
    }
    let journal = Journaled::open(journal, inputs.run()?)?;
    let world = World::open_for(None, inputs, stores.chain, stores.enclave, Some(&journal))?;
    let site = world.site()?;
    let World { inputs, don, contracts, issuer, makers, evidence, config, .. } = world;
    let (seed, start) = (inputs.seed, inputs.scenario.start);
    let runner = inputs.faults.unregistered.then(|| runner(&don, seed, start)).transpose()?;
    let faults = (inputs.node_faults(), inputs.faults.host.clone());
    let network = Nodes::subscribe(don, config, faults, runner, start)?;
    let devnet = world.transmitter.devnet.clone();
    let makers = Rc::new(makers);
    let arrivals = arrivals(&makers);
    let policy = node::enrolment::policy(&inputs.workflow, &inputs.deployment);
    let script = Script {
        scenario: inputs.scenario.clone(),
        disclosure: policy.disclosure,
        schedule: policy.schedule,
        readings: policy.policy.readings,
        makers: makers.clone(),
        arrivals: arrivals.clone(),
        enclave: evidence.key_bundle.hpke_public_key,
    };
    let mut ports = Ports {
        chain: Box::new(world.transmitter),
        enclave: Box::new(world.enclave),
        network: Box::new(network),
        reserves: Box::new(world.relays),
        inbox: Box::new(script),
        journal,
    };
    if let Some(outsider) = &inputs.faults.outsider {
        ports.chain = outsider.around(ports.chain, devnet.chain.clone());
    }
    if let Some(plug) = &inputs.faults.plug {
        ports = plug.around_ports(ports);
    }
    let mut node = Node::open(site, ports)?;
    while node.advance()? {
        progress(node.view().tick(), inputs.scenario.ticks_max);
    }
    let told = Told {
        inputs: &inputs,
        devnet: &devnet,
        contracts: &contracts,
        evidence: &evidence,
        issuer: &issuer,
        makers: &makers,
        arrivals: &arrivals,
    };
    Ok(told.report(node.view(), node.journal_hash()))
}
