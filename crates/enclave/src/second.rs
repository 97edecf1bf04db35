//! The program of the pool's second design, beside the first until the world has moved to it.
//!
//! It knows of the chain what it was shown: both trees, the words of nullifiers, the commitments of mandate, account and
//! request. From there on it follows what settlements publish, its own and any other enclave's alike, as a wallet does;
//! nothing of a round has to be remembered, and what one enclave began another goes on with.

mod round;
mod state;

use std::time::Instant;

use circuits::keys::{Circuit, Keys};
use circuits::second::clear;
use circuits::second::prove::Prover;
use platform::Platform;
use pool::seal::SecretKey;
use primitives::{Timestamp, encode};
use protocol::second::{Command, Configuration, Receipt};
use protocol::wire::Reply;

use self::state::State;
use crate::entropy::Entropy;
use crate::life::{Asked, Life, Served, Signer};
use crate::program::{Error, NOTHING_CLEARED};

pub use self::round::{settlement_digest, zk_proof};

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
    type Prover = Prover<clear::Witness>;

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
            | Command::Inform { .. }
            | Command::Clear { .. } => Asked::Journaled(command),
        }
    }

    fn prover(&self, bytes: &[u8]) -> Option<Self::Prover> {
        let Configuration { proving_key, chain_id, .. } = &self.configuration;
        let keys = Keys::from_bytes_of(Circuit::Clear, bytes, &proving_key.0, *chain_id).ok()?;
        Prover::new(keys).ok()
    }

    fn apply(&mut self, command: &Command) -> Result<bool, Error> {
        self.apply(command)
    }

    fn reply(
        &mut self,
        command: &Command,
        prover: Option<&mut Self::Prover>,
        signer: &Signer,
    ) -> Result<Option<Reply>, Error> {
        let Configuration { chain_id, dark_pool, .. } = self.configuration;
        Ok(Some(match command {
            Command::Order(envelope) => {
                let (number, since) = self.numbered(envelope);
                let digest = Receipt::digest(chain_id, dark_pool, envelope, number, since);
                let signature = signer.sign(&digest);
                Reply::Receipt(encode(&Receipt { number, since, signature }))
            }
            Command::Observe { tick, .. } => self
                .watch
                .reply(*tick, |observed| signer.sign(&observed.digest(chain_id, &dark_pool))),
            Command::Clear { .. } => {
                let Some(round) = self.round.as_ref() else { return Ok(Some(NOTHING_CLEARED)) };
                let prover = prover.ok_or(Error::TooEarly { what: "the proving key" })?;
                let started = Instant::now();
                let Ok(proved) = round::prove(self, round, prover) else {
                    self.round = None;
                    return Ok(None);
                };
                let prove_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                Reply::Cleared {
                    ready: Some(proved.ready(signer)),
                    prove_ms,
                    constraints: prover.n_constraints() as u64,
                }
            }
            Command::Configure(_)
            | Command::ProvingKey(_)
            | Command::Restore(_)
            | Command::Attest { .. }
            | Command::Brief(_)
            | Command::Inform { .. } => Reply::Done,
        }))
    }
}

#[cfg(test)]
mod tests;
