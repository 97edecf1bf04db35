//! [`node::audit`] with this build's enclave and a chain in the process.

use don::chain::DEVELOPMENT_SELECTOR;
pub use node::audit::{Audit, BLIND_SPOTS, Finding};
use node::audit::{Bench, Genesis, Replay};
use node::ports::Failure;
use protocol::journal::Opening;

use crate::Error;
use crate::devnet::{Devnet, genesis};
use crate::world::seed_commitment;

/// Audits a journal's bytes.
///
/// # Errors
/// [`Finding`], the first thing that differs.
pub fn audit(bytes: &[u8]) -> Result<Audit, Finding> {
    let measure = |configuration: &[u8]| host::image::ENCLAVE.measurements(configuration);
    let bench = Bench { measure: &measure, replay: &replay, chain_selector: DEVELOPMENT_SELECTOR };
    node::audit::audit(bytes, &bench)
}

fn replay(Genesis { chain_id, started, funded }: Genesis) -> Result<Box<dyn Replay>, Failure> {
    Ok(Box::new(Devnet::new(genesis(chain_id, started, funded))?))
}

/// Whether a seed is the one the journal commits to.
///
/// # Errors
/// [`Error::OffDevnet`] if the journal's chain is not the development chain.
pub fn reveals(opening: &Opening, seed: u64) -> Result<bool, Error> {
    Ok(seed_commitment(seed, opening.chain_id)? == opening.seed_commitment)
}
