//! The measured runner of confidential workflows, launched here for a DON whose nodes check it.

use attestation::{Anchors, DEVELOPMENT_CHAIN_ID, Policy};
use cre::messages::sdk::{TeeType, TeeTypeAndRegions};
use don::Don;
use don::confidential::{Confidential, Error as RunnerError, Peer, Setup, configuration};
use ed25519_dalek::SigningKey;
pub use host::launch::Clock;
use host::launch::{Enclave, Options};
pub use runner::wire::Limits;

use crate::{Error, entropy};

/// PCR0 of this build's runner, in hexadecimal.
pub fn measurement() -> String {
    host::image::RUNNER.pcr0.to_string()
}

/// Where this runner says it is.
const REGION: &str = "us-west-2";

/// Launches the runner for the workflow that `don` runs, with a key for each node, and has every node check
/// it. It stops when the result is dropped.
///
/// # Errors
/// [`Error`].
pub fn launch(
    don: &Don,
    module: &[u8],
    limits: Limits,
    seed: u64,
    clock: Clock,
) -> Result<Confidential<'static>, Error> {
    let failed =
        |source: RunnerError| Error::Node(node::Error::Workflow { reason: don::words(&source) });
    let refused = |source| Error::Evidence { who: "a node".to_owned(), source };
    let keys = (0..don.n())
        .map(|node| {
            let party = entropy(seed, &format!("node-{node}"), DEVELOPMENT_CHAIN_ID)?;
            Ok(SigningKey::from_bytes(&party.draw("peer", 0)))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let f = u32::try_from(don.f()).unwrap_or(u32::MAX);
    let measured = configuration(&keys, f, limits).encode();
    let expected = host::image::RUNNER.measurements(&measured);
    let policy = Policy::new(DEVELOPMENT_CHAIN_ID, vec![expected]).map_err(refused)?;
    let peers = keys
        .into_iter()
        .map(|key| {
            let anchors = Anchors::development(DEVELOPMENT_CHAIN_ID).map_err(refused)?;
            Ok(Peer { key, anchors, policy: policy.clone() })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let options = Options::new(
        DEVELOPMENT_CHAIN_ID,
        entropy(seed, "runner", DEVELOPMENT_CHAIN_ID)?,
        clock.clone(),
    );
    let mut process = Enclave::launch(host::image::RUNNER.elf, &measured, options)?;
    let setup = Setup {
        peers,
        f,
        limits,
        module: module.to_vec(),
        workflow_id: don.workflow().id,
        owner: don.workflow().owner.0,
        tee: TeeTypeAndRegions {
            r#type: TeeType::AwsNitro.into(),
            regions: vec![REGION.to_owned()],
        },
        now_ms: Box::new(move || clock.now()),
    };
    let socket = Box::new(move |frame: &[u8]| process.call(frame).map_err(Into::into));
    Confidential::start(setup, socket).map_err(failed)
}
