//! Whole missions, small: every part real, a scenario of two rounds.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at what it does not expect"
)]

mod attacks;
mod crashes;
mod darkpool;
mod disclosure;
mod faults;
mod guest;
mod journals;
mod levels;
mod losses;
mod outsiders;
mod recording;

use std::sync::OnceLock;

use circuits::keys::Keys;
use primitives::sha256;
use recovery::{Deployment, DisclosureMode};
use sim::{Error, Faults, Inputs, Plug, Point, Report, Scenario, Stores, shipped};
use store::{MemoryStorage, Storage};

/// Keys of the clearing circuit, derived once a process, or read from where an earlier one left them.
pub(crate) fn proving_key() -> Vec<u8> {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    KEY.get_or_init(|| {
        let cached =
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("clearing-development.keys");
        let pin = sim::proving_key_pin();
        std::fs::read(&cached).ok().filter(|bytes| sha256(&[bytes]) == pin).unwrap_or_else(|| {
            let bytes =
                Keys::development(31_337, |_| ()).expect("the development chain").to_bytes();
            assert_eq!(sha256(&[&bytes]), pin, "derived keys are the pinned ones");
            std::fs::write(&cached, &bytes).expect("a target directory can be written");
            bytes
        })
    })
    .clone()
}

/// USDC in March 2023 with makers cheap enough for the seed's 0.5 %, starting just before the shock.
pub(crate) fn quick() -> String {
    shipped()["usdc-2023-03"]
        .replace("start = \"2023-03-10T15:55:00Z\"", "start = \"2023-03-10T16:30:00Z\"")
        .replace("ticks_after = 12", "ticks_after = 1")
        .replace("ticks_max = 144", "ticks_max = 40")
        .replace("funding = [\"8%\", \"12%\"]", "funding = [\"1%\", \"3%\"]")
        .replace("effort_median = \"0.3%\"", "effort_median = \"0.05%\"")
        .replace("failure = [\"3%\", \"7%\"]", "failure = [\"0.1%\", \"0.5%\"]")
        .replace("latency_minutes = 20", "latency_minutes = 2")
}

pub(crate) fn inputs(scenario: &str, mode: DisclosureMode, seed: u64, faults: Faults) -> Inputs {
    inputs_with(scenario, include_str!("../../../../deployments/embedded.toml"), mode, seed, faults)
}

pub(crate) fn inputs_with(
    scenario: &str,
    deployment: &str,
    mode: DisclosureMode,
    seed: u64,
    faults: Faults,
) -> Inputs {
    let file = Deployment::parse(deployment, "embedded.toml")
        .and_then(|file| file.with_disclosure(mode))
        .unwrap();
    let workflow = recovery::parse(recovery::SEED, "seed.yaml").unwrap();
    recovery::check(&workflow, &file).unwrap();
    Inputs {
        scenario: Scenario::parse(scenario, "scenario.toml").unwrap(),
        makers: None,
        workflow,
        workflow_source: recovery::SEED.to_owned(),
        deployment: file,
        deployment_source: deployment.to_owned(),
        seed,
        proving_key: proving_key(),
        faults,
    }
}

/// Three stores a test keeps a hand on.
#[derive(Debug, Clone)]
pub(crate) struct Disks {
    pub(crate) journal: MemoryStorage,
    pub(crate) chain: MemoryStorage,
    pub(crate) enclave: MemoryStorage,
}

impl Default for Disks {
    fn default() -> Self {
        Self::holding(Default::default())
    }
}

impl Disks {
    /// Disks with these bytes: journal, chain, enclave.
    pub(crate) fn holding([journal, chain, enclave]: [Vec<u8>; 3]) -> Self {
        Self {
            journal: MemoryStorage::named("journal", journal),
            chain: MemoryStorage::named("chain", chain),
            enclave: MemoryStorage::named("enclave", enclave),
        }
    }

    /// What they hold.
    pub(crate) fn bytes(&self) -> [Vec<u8>; 3] {
        [self.journal.bytes(), self.chain.bytes(), self.enclave.bytes()]
    }

    pub(crate) fn stores(&self) -> Stores {
        let boxed = |disk: &MemoryStorage| Box::new(disk.clone()) as Box<dyn Storage>;
        Stores {
            journal: boxed(&self.journal),
            chain: boxed(&self.chain),
            enclave: boxed(&self.enclave),
        }
    }

    /// Pulls the plug on all three machines.
    pub(crate) fn crash(&self, torn_len: usize) {
        [&self.journal, &self.chain, &self.enclave].iter().for_each(|disk| disk.crash(torn_len));
    }
}

pub(crate) fn run(inputs: Inputs, disks: &Disks) -> Result<Report, Error> {
    sim::run(inputs, disks.stores(), &mut |_, _| ())
}

/// Runs until the first event of a kind is durable.
pub(crate) fn run_until(mut inputs: Inputs, disks: &Disks, kind: &'static str) {
    inputs.faults.plug =
        Some(Plug::new(move |moment| moment.point == Point::AfterAppend && moment.kind == kind));
    let ended = run(inputs, disks);
    assert!(
        matches!(ended, Err(Error::Crashed(Point::AfterAppend))),
        "the run reaches {kind}: {:?}",
        ended.err()
    );
}
