//! The embedded stack in virtual time: a real chain, a real measured enclave, a simulated DON, scripted
//! issuer, makers and custodian, driven through one mission from one seed. It is a crate because it is
//! the only one that may make agents and faults; what it drives is the production node, over its ports.
//!
//! Nouns: [`Scenario`] (what happens to reserves), [`Inputs`] (what a run depends on), [`World`] (what stands around
//! a node), [`run`] (a mission in it), [`Report`] (what to tell a person or a script), [`audit`] (the same journal on
//! another machine). It holds no protocol rule: whatever decides is in `protocol`, in the enclave or on chain.

pub mod audit;
pub mod confidential;
mod devnet;
mod embedded;
mod faults;
mod inputs;
pub mod level;
mod network;
mod panel;
mod parties;
mod report;
mod run;
mod scenario;
mod script;
mod world;

pub use embedded::Embedded;
pub use faults::{Faults, Host, Moment, NodeFault, Outsider, Plug, Point, Seen};
pub use inputs::Inputs;
pub use node::{MODULE, proving_key_pin};
pub use panel::{Maker, draw};
pub use parties::MakerAgent;
pub use report::{
    Attestation, Clearing, Line, Moved, Proof, Report, RequestView, Transaction, Verdict, What,
};
pub use run::{Stores, run};
pub use scenario::{Error as ScenarioError, Panel, Scenario, Shock, shipped};
pub use world::{Guest, World};

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
    /// A party could not seal.
    #[error("a party")]
    Party(#[from] client::Error),
    /// The enclave cannot be launched.
    #[error("the enclave process")]
    Enclave(#[from] host::launch::Error),
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
    /// The chain does not say what is on it.
    #[error("the chain does not answer")]
    Unanswered {
        /// Why.
        #[source]
        source: evm::alloy::transports::TransportError,
    },
    /// A setup transaction failed.
    #[error("{what} failed on chain")]
    Reverted {
        /// Which.
        what: &'static str,
    },
    /// What was kept is damaged, another run's or build's, or lost, or cannot be written.
    #[error(transparent)]
    Kept(#[from] store::Error),
    /// The chain's clock cannot go where the run is.
    #[error("the chain's clock")]
    Clock(#[from] devchain::TimeError),
    /// A derived key is out of range, which happens for one seed in 2^128.
    #[error("a derived key is out of range: take another seed")]
    Key,
    /// Something of the operating system's cannot be had.
    #[error("{what} cannot be had")]
    Store {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The node cannot go on.
    #[error(transparent)]
    Node(node::Error),
    /// A crash that a test ordered.
    #[error("crashed on order, at {0:?}")]
    Crashed(Point),
}

impl From<node::Error> for Error {
    fn from(error: node::Error) -> Self {
        match error {
            node::Error::Evidence { who, source } => Self::Evidence { who, source },
            node::Error::Kept(error) => Self::Kept(error),
            error @ (node::Error::Port { .. }
            | node::Error::Refused { .. }
            | node::Error::Answer { .. }
            | node::Error::Store { .. }
            | node::Error::Mission(_)
            | node::Error::Workflow { .. }) => Self::Node(error),
        }
    }
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
