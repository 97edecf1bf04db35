//! The second driver of the core: a node that follows a mission through a chain, an enclave and a DON, whatever
//! these are. It is a crate because it is what runs in production, and the simulator must be one user of it and no
//! part of it: it knows no scenario, no seed, no virtual time and no fault.
//!
//! Nouns: [`ports`], what it is connected to; [`Journaled`] and [`Kept`], what it and the enclave left behind; [`Node`]
//! over a [`Site`], the loop with its rule of resumption; [`enrolment`], what is checked and registered before the
//! first tick; [`view`], what anyone may know of a mission; [`audit`], the same journal on another machine;
//! [`pool::Host`], `darkpool@1.0.0` for DONs of others; [`absorb::Absorber`], what keeps the second pool's queue moving.
//! It holds no protocol rule: whatever decides is in `protocol`, in the enclave or on chain.

pub mod absorb;
pub mod audit;
mod driver;
pub mod enrolment;
mod journaled;
mod kept;
pub mod pool;
pub mod ports;
mod sealed;
mod tick;
pub mod view;

pub use driver::{Door, Node, Site};
pub use enrolment::{MODULE, proving_key_pin};
pub use journaled::{Journaled, run_of};
pub use kept::{KIND as ENCLAVE_LOG, Kept};
pub use sealed::{Sealed, Socket};
pub use tick::serve;

use darkpool::Attested;
use primitives::{Address, Timestamp, secp256k1};
use protocol::wire::{Command, Reply};

use ports::{Enclave, Failure};

/// Why a node cannot go on. None of these is the mission's failure: that is an outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port fails.
    #[error("{what} fails")]
    Port {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: Failure,
    },
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
    /// What was kept is damaged, another run's or build's, or lost, or cannot be written.
    #[error(transparent)]
    Kept(#[from] store::Error),
    /// Something of the operating system's cannot be had.
    #[error("{what} cannot be had")]
    Store {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
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
}

/// Whose word counts, and about what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// `DarkPool`.
    pub dark_pool: Address,
    /// The enclave's settlement signer.
    pub signer: Address,
}

/// Has the enclave judge a tick by what each node relays. `None`: too few equal observations. An answer is the
/// enclave's word, or it is none.
fn judge(
    enclave: &mut (impl Enclave + ?Sized),
    word: &Word,
    tick: u32,
    now: Timestamp,
    statements: Vec<Option<Vec<u8>>>,
) -> Result<Option<Attested>, Error> {
    match enclave.ask("judge a tick", &Command::Observe { tick, now, statements })? {
        Reply::Observed { observed, signature } => {
            let digest = observed.digest(word.chain_id, &word.dark_pool);
            if secp256k1::recover(&digest, &signature) != Some(word.signer) {
                return Err(Error::Answer { what: "a tick, signed by another key," });
            }
            Ok(Some(Attested { observed, signature }))
        }
        Reply::Unobserved => Ok(None),
        Reply::Done
        | Reply::Attested { .. }
        | Reply::Receipt(_)
        | Reply::Cleared { .. }
        | Reply::NotRestored { .. }
        | Reply::Refused(_) => Err(Error::Answer { what: "a tick" }),
    }
}
