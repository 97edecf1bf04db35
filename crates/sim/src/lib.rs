//! The embedded stack in virtual time: a real chain, a real measured enclave, a simulated DON, scripted
//! issuer, makers and custodian, driven through one mission from one seed. It is a crate because it is
//! the second driver of the core, and the only one that may make agents and faults.
//!
//! Nouns: [`Scenario`] (what happens to reserves), [`Inputs`] (what a run depends on), [`run`] (the node's
//! loop), [`Report`] (what to tell a person or a script), [`audit`] (the same journal on another machine).
//! It holds no protocol rule: whatever decides is in `protocol`, in the enclave or on chain.

pub mod audit;
pub mod confidential;
mod embedded;
pub mod level;
mod node;
mod panel;
pub mod parties;
mod pool_host;
mod report;
mod scenario;
mod tick;
mod world;

pub use embedded::Embedded;
pub use node::{Crash, Point, Stores, run};
pub use panel::{Maker, draw};
pub use pool_host::PoolHost;
pub use report::{Attestation, Clearing, Line, Proof, Report, RequestView, Transaction};
pub use scenario::{Error as ScenarioError, Panel, Scenario, Shock, shipped};
pub use world::{Faults, Guest, Host, Inputs, MODULE, NodeFault, World, proving_key_pin};

use host::nsm::Entropy;
use primitives::sha256;

/// Why a run cannot go on. None of these is the mission's failure: that is an outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Development entropy was asked for off the development chain.
    #[error("entropy derived from a seed is for development: refused on chain {chain_id}")]
    OffDevnet {
        /// The chain.
        chain_id: u64,
    },
    /// A seal failed.
    #[error("sealing to the enclave's key")]
    Seal(#[source] pool::seal::Error),
    /// The enclave does not run or answer.
    #[error("the enclave process")]
    Enclave(#[from] host::launch::Error),
    /// The enclave refused a command.
    #[error("the enclave refused to {what}: {reason}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Its words.
        reason: String,
    },
    /// The enclave answered something else than was asked.
    #[error("the enclave answered {what} with something else")]
    Answer {
        /// What was asked.
        what: &'static str,
    },
    /// Evidence was refused, by whoever was about to trust it.
    #[error("{who} refuses the enclave")]
    Evidence {
        /// Who.
        who: String,
        /// Why; holds both measurements where they differ.
        #[source]
        source: attestation::Error,
    },
    /// The plan of deployment contradicts itself.
    #[error("planning the deployment")]
    Deploy(#[from] evm::deploy::DeployError),
    /// A transaction got no receipt.
    #[error("sending {what}")]
    Send {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: evm::SendError,
    },
    /// A setup transaction failed.
    #[error("{what} failed on chain")]
    Reverted {
        /// Which.
        what: &'static str,
    },
    /// The chain's log does not replay.
    #[error("the chain's log")]
    ChainLog(#[source] devchain::OpenError),
    /// The chain's clock cannot go where the run is.
    #[error("the chain's clock")]
    Clock(#[from] devchain::TimeError),
    /// A derived key is out of range, which happens for one seed in 2^128.
    #[error("a derived key is out of range: take another seed")]
    Key,
    /// Something durable cannot be read or written.
    #[error("{what} cannot be kept")]
    Store {
        /// Which of the three.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The journal on disk is damaged.
    #[error("the journal")]
    Journal(#[from] protocol::journal::Damaged),
    /// The journal on disk is of another run.
    #[error("the journal on disk is of another run: its {what} differs")]
    OtherRun {
        /// What differs.
        what: &'static str,
    },
    /// The mission refused what the node told it: a bug of ours.
    #[error("the mission refused an event")]
    Mission(#[from] protocol::Refused),
    /// The workflow's module failed on a quorum of nodes, or asked for what the core did not: a bug of ours.
    #[error("the workflow module: {reason}")]
    Workflow {
        /// Its words, or the engine's.
        reason: String,
    },
    /// A crash that a test ordered.
    #[error("crashed on order, at {0:?}")]
    Crashed(Point),
}

/// The run's seed as 32 bytes: `SHA-256("cdpr/seed/v1" ‖ seed, 8 bytes big-endian)`.
pub fn seed_bytes(seed: u64) -> [u8; 32] {
    sha256(&[b"cdpr/seed/v1", &seed.to_be_bytes()])
}

/// A party's development entropy.
///
/// # Errors
/// [`Error::OffDevnet`] on any chain but 31 337.
pub fn entropy(seed: u64, party: &str, chain_id: u64) -> Result<Entropy, Error> {
    if chain_id != attestation::DEVELOPMENT_CHAIN_ID {
        return Err(Error::OffDevnet { chain_id });
    }
    Ok(Entropy { seed: seed_bytes(seed), party: party.to_owned() })
}
