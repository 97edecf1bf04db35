//! The program of the first design: what its commands are, and what it answers.

use std::time::Instant;

use attestation::Measurement;
use circuits::keys::Keys;
use circuits::prove::Prover;
use platform::{Platform, Refused};
use pool::seal::SecretKey;
use primitives::{Timestamp, keccak256, sha256};
use protocol::wire::{Command, Configuration, Reply};

use crate::entropy::Entropy;
use crate::life::{Asked, Life, Served, Signer};
use crate::round;
use crate::state::State;

/// Why a command was refused. Names what was wrong, never what was inside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a command.
    #[error("not a command")]
    Malformed,
    /// The platform refused.
    #[error("the platform refused to {what}")]
    Platform {
        /// What was asked.
        what: &'static str,
    },
    /// The configuration is not the measured one.
    #[error("the configuration measures {found}, the platform measured {measured}")]
    Configuration {
        /// Of the bytes that came.
        found: Measurement,
        /// Register 2.
        measured: Measurement,
    },
    /// The proving key is not the configured one.
    #[error("the proving key is not the one the configuration names")]
    ProvingKey,
    /// Something has to come first.
    #[error("{what} has to come first")]
    TooEarly {
        /// What.
        what: &'static str,
    },
    /// A sealed message does not open.
    #[error("the {what} does not open with this enclave's key")]
    Unreadable {
        /// Which message.
        what: &'static str,
    },
    /// A sealed message opens to something that cannot be used.
    #[error("the {what} is refused: {reason}")]
    Unusable {
        /// Which message.
        what: &'static str,
        /// Why; a fixed text.
        reason: &'static str,
    },
    /// Ticks are judged in order. Whoever binds the workflow again with another start counts them from 1 again.
    #[error(
        "tick {tick} is over, since tick {judged} was judged: keep `started` where the workflow is bound again, or \
         launch an enclave for it"
    )]
    TickOver {
        /// Which was asked about.
        tick: u32,
        /// The newest that had a quorum.
        judged: u32,
    },
    /// The chain is not as far as the round needs.
    #[error(
        "round closed at {closed_at} and the newest block shown is of {shown}: show a block after the closing, else \
         who has announced that it leaves is not known"
    )]
    NotClosed {
        /// Unix seconds.
        closed_at: u64,
        /// Unix seconds; 0 if none was shown.
        shown: u64,
    },
    /// The issuer did something that only it can tell of.
    #[error("the chain holds another {what} than the brief opens: the issuer has to brief again")]
    Outdated {
        /// Which commitment.
        what: &'static str,
    },
    /// No such request or round.
    #[error("there is no such round to clear")]
    UnknownRound,
    /// The round does not satisfy the statement. Which rule it breaks stays inside.
    #[error("the round cannot be proved")]
    Unprovable,
}

impl From<Refused> for Error {
    fn from(Refused { what }: Refused) -> Self {
        Self::Platform { what }
    }
}

/// The enclave.
pub struct Program<P>(Life<P, State>);

impl<P> core::fmt::Debug for Program<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Program")
    }
}

impl<P: Platform> Program<P> {
    /// An enclave before its first command.
    pub const fn new(platform: P) -> Self {
        Self(Life::new(platform))
    }

    /// Handles one frame. Never panics on input; a refusal is an answer too, and changes nothing.
    pub fn handle(&mut self, frame: &[u8]) -> Vec<u8> {
        self.0.handle(frame)
    }
}

impl Served for State {
    type Configuration = Configuration;
    type Command = Command;
    type Prover = Prover;

    fn new(configuration: Configuration, entropy: Entropy) -> Self {
        Self::new(configuration, entropy)
    }

    fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    fn bundle(&self) -> (u64, [u8; 20], Timestamp) {
        let Configuration { chain_id, registry, not_after, .. } = &self.configuration;
        (*chain_id, registry.0, *not_after)
    }

    fn entropy(&self) -> &Entropy {
        &self.entropy
    }

    fn hpke(&self) -> &SecretKey {
        &self.hpke
    }

    fn asked(command: Command) -> Asked<Command> {
        match command {
            Command::Configure(bytes) => Asked::Configure(bytes),
            Command::ProvingKey(bytes) => Asked::ProvingKey(bytes),
            Command::Restore(entries) => Asked::Restore(entries),
            Command::Attest { nonce } => Asked::Attest(nonce),
            Command::Brief(_)
            | Command::Order(_)
            | Command::Observe { .. }
            | Command::Inform(_)
            | Command::Clear { .. } => Asked::Journaled(command),
        }
    }

    fn prover(&self, bytes: &[u8]) -> Option<Prover> {
        let Configuration { proving_key, chain_id, .. } = &self.configuration;
        Prover::new(Keys::from_bytes(bytes, &proving_key.0, *chain_id).ok()?).ok()
    }

    fn apply(&mut self, command: &Command) -> Result<bool, Error> {
        self.apply(command)
    }

    fn reply(
        &mut self,
        command: &Command,
        prover: Option<&mut Prover>,
        signer: &Signer,
    ) -> Result<Option<Reply>, Error> {
        Ok(Some(match command {
            Command::Order(envelope) => Reply::Receipt(signer.sign(&receipt_digest(envelope))),
            Command::Observe { tick, .. } => {
                let Configuration { chain_id, dark_pool, .. } = &self.configuration;
                self.watch
                    .reply(*tick, |observed| signer.sign(&observed.digest(*chain_id, dark_pool)))
            }
            Command::Clear { .. } if self.round.is_some() => {
                let prover = prover.ok_or(Error::TooEarly { what: "the proving key" })?;
                let started = Instant::now();
                let Ok(proved) = round::prove(self, prover) else {
                    self.void_round();
                    return Ok(None);
                };
                let prove_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                let tee_attestation = signer.sign(&proved.digest);
                Reply::Cleared {
                    ready: Some(proved.ready(tee_attestation)),
                    prove_ms,
                    constraints: prover.n_constraints() as u64,
                }
            }
            Command::Clear { .. } => NOTHING_CLEARED,
            Command::Configure(_)
            | Command::ProvingKey(_)
            | Command::Restore(_)
            | Command::Attest { .. }
            | Command::Brief(_)
            | Command::Inform(_) => Reply::Done,
        }))
    }
}

/// There is no round, or none that can be proved.
pub(crate) const NOTHING_CLEARED: Reply =
    Reply::Cleared { ready: None, prove_ms: 0, constraints: 0 };

/// What a receipt signs: `keccak256("cdpr/receipt/v1" ‖ sha256(envelope))`.
fn receipt_digest(envelope: &[u8]) -> [u8; 32] {
    keccak256(&[b"cdpr/receipt/v1", &sha256(&[envelope])])
}

#[cfg(test)]
pub(crate) mod tests;
