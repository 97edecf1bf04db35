//! One enclave's life: commands in, answers out, state rebuilt from the sealed journal.

use std::time::Instant;

use attestation::{KeyBundle, Measurement};
use circuits::keys::Keys;
use circuits::prove::Prover;
use k256::ecdsa::SigningKey;
use platform::{Platform, Refused};
use primitives::{decode, encode, keccak256, secp256k1, sha256};
use protocol::wire::{Answer, Command, Configuration, Reply};
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::round;
use crate::sealed::Sealer;
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

/// An entry that this measurement did not write, or not there: its number, from 0.
#[derive(Clone, Copy)]
struct Foreign {
    entry: usize,
}

/// The enclave.
pub struct Program<P> {
    platform: P,
    booted: Option<Booted>,
    prover: Option<Prover>,
}

impl<P> core::fmt::Debug for Program<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Program")
    }
}

struct Booted {
    configuration_bytes: Vec<u8>,
    signer: SigningKey,
    sealer: Sealer,
    state: State,
    /// Whether the seed is in the sealed journal yet: it is its first entry.
    seed_is_sealed: bool,
}

impl<P: Platform> Program<P> {
    /// An enclave before its first command.
    pub const fn new(platform: P) -> Self {
        Self { platform, booted: None, prover: None }
    }

    /// Handles one frame. Never panics on input; a refusal is an answer too, and changes nothing.
    pub fn handle(&mut self, frame: &[u8]) -> Vec<u8> {
        let answer = decode(frame)
            .map_err(|_| Error::Malformed)
            .and_then(|command| self.command(command))
            .unwrap_or_else(|error| Answer {
                sealed: None,
                reply: Reply::Refused(error.to_string()),
            });
        encode(&answer)
    }

    fn command(&mut self, command: Command) -> Result<Answer, Error> {
        let unsealed = |reply| Answer { sealed: None, reply };
        match command {
            Command::Configure(bytes) => self.configure(bytes).map(unsealed),
            Command::ProvingKey(bytes) => self.proving_key(&bytes).map(unsealed),
            Command::Restore(entries) => self.restore(&entries).map(unsealed),
            Command::Attest { nonce } => {
                let bundle = self.booted()?.key_bundle();
                let document = self.platform.attest(&bundle.user_data(), Some(&nonce))?;
                Ok(unsealed(Reply::Attested { document, key_bundle: bundle.encode() }))
            }
            Command::Brief(_)
            | Command::Order(_)
            | Command::Observe { .. }
            | Command::Inform(_)
            | Command::Clear { .. } => self.journaled(&command),
        }
    }

    fn booted(&mut self) -> Result<&mut Booted, Error> {
        self.booted.as_mut().ok_or(Error::TooEarly { what: "the configuration" })
    }

    fn configure(&mut self, bytes: Vec<u8>) -> Result<Reply, Error> {
        let (found, measured) = (Measurement::of(&bytes), Measurement(self.platform.register(2)?));
        if found != measured {
            return Err(Error::Configuration { found, measured });
        }
        let configuration: Configuration = decode(&bytes).map_err(|_| Error::Malformed)?;
        let seed = self.platform.random("enclave")?;
        let sealer = Sealer::new(self.platform.sealing_key()?);
        self.booted = Some(Booted::new(bytes, configuration, Entropy::new(seed), sealer, false));
        Ok(Reply::Done)
    }

    fn proving_key(&mut self, bytes: &[u8]) -> Result<Reply, Error> {
        let configuration = &self.booted()?.state.configuration;
        let keys = Keys::from_bytes(bytes, &configuration.proving_key.0, configuration.chain_id);
        self.prover =
            Some(keys.ok().and_then(|keys| Prover::new(keys).ok()).ok_or(Error::ProvingKey)?);
        Ok(Reply::Done)
    }

    fn restore(&mut self, entries: &[Vec<u8>]) -> Result<Reply, Error> {
        let sealer = Sealer::new(self.platform.sealing_key()?);
        let booted = self.booted()?;
        match booted.restored(sealer, entries) {
            Ok(Some(restored)) => {
                self.booted = Some(restored);
                Ok(Reply::Done)
            }
            Ok(None) => Ok(Reply::Done),
            Err(Foreign { entry }) => Ok(Reply::NotRestored { entry: entry as u64 }),
        }
    }

    /// Applies a state-changing command and seals it. A command that changes nothing because it was
    /// heard before is answered again and not sealed again.
    fn journaled(&mut self, command: &Command) -> Result<Answer, Error> {
        let booted = self.booted.as_mut().ok_or(Error::TooEarly { what: "the configuration" })?;
        let is_news = booted.state.apply(command)?;
        let reply = match command {
            Command::Order(envelope) => Reply::Receipt(booted.sign(&receipt_digest(envelope))),
            Command::Observe { tick, .. } => match &booted.state.observed {
                Some(observed) if observed.tick == *tick => {
                    let Configuration { chain_id, dark_pool, .. } = &booted.state.configuration;
                    let signature = booted.sign(&observed.digest(*chain_id, dark_pool));
                    Reply::Observed { signature, observed: observed.clone() }
                }
                Some(_) | None => Reply::Unobserved,
            },
            Command::Clear { .. } => match &booted.state.round {
                None => Reply::Cleared { ready: None, prove_ms: 0, constraints: 0 },
                Some(_) => {
                    let prover =
                        self.prover.as_mut().ok_or(Error::TooEarly { what: "the proving key" })?;
                    let started = Instant::now();
                    let Ok(proved) = round::prove(&booted.state, prover) else {
                        // Not sealed: after a restart this round was never tried.
                        booted.state.void_round();
                        let reply = Reply::Cleared { ready: None, prove_ms: 0, constraints: 0 };
                        return Ok(Answer { sealed: None, reply });
                    };
                    let prove_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                    let tee_attestation = booted.sign(&proved.digest);
                    Reply::Cleared {
                        ready: Some(proved.ready(tee_attestation)),
                        prove_ms,
                        constraints: prover.n_constraints() as u64,
                    }
                }
            },
            Command::Configure(_)
            | Command::ProvingKey(_)
            | Command::Restore(_)
            | Command::Attest { .. }
            | Command::Brief(_)
            | Command::Inform(_) => Reply::Done,
        };
        let sealed = is_news.then(|| booted.seal(command));
        Ok(Answer { sealed, reply })
    }
}

impl Booted {
    fn new(
        bytes: Vec<u8>,
        configuration: Configuration,
        entropy: Entropy,
        sealer: Sealer,
        sealed: bool,
    ) -> Self {
        let signer = signing_key(&entropy);
        let state = State::new(configuration, entropy);
        Self { configuration_bytes: bytes, signer, sealer, state, seed_is_sealed: sealed }
    }

    /// The life that entries tell, which is another one than this; none if they are none.
    fn restored(&self, mut sealer: Sealer, entries: &[Vec<u8>]) -> Result<Option<Self>, Foreign> {
        let mut opened = Vec::with_capacity(entries.len());
        for (entry, group) in entries.iter().enumerate() {
            let foreign = Foreign { entry };
            let group: Vec<Vec<u8>> = decode(group).map_err(|_| foreign)?;
            for bytes in &group {
                opened.push((foreign, sealer.open(bytes).map_err(|_| foreign)?));
            }
        }
        let Some(((foreign, seed), commands)) = opened.split_first() else { return Ok(None) };
        let seed = <[u8; 32]>::try_from(seed.as_slice()).map_err(|_| *foreign)?;
        let (bytes, configuration) =
            (self.configuration_bytes.clone(), self.state.configuration.clone());
        let mut restored = Self::new(bytes, configuration, Entropy::new(seed), sealer, true);
        for (foreign, command) in commands {
            let command = decode(command).map_err(|_| *foreign)?;
            restored.state.apply(&command).map_err(|_| *foreign)?;
        }
        Ok(Some(restored))
    }

    fn key_bundle(&self) -> KeyBundle {
        let configuration = &self.state.configuration;
        KeyBundle {
            chain_id: configuration.chain_id,
            registry: configuration.registry.0,
            epoch: 1,
            hpke_public_key: self.state.hpke.public_key(),
            settlement_signer: secp256k1::address(self.signer.verifying_key()).0,
            config_hash: Measurement::of(&self.configuration_bytes).0,
            not_after: configuration.not_after.0,
        }
    }

    /// 65 bytes: r ‖ s ‖ v with v 27 or 28, s in the lower half.
    fn sign(&self, digest: &[u8; 32]) -> Vec<u8> {
        let (signature, recovery) = self.signer.sign_prehash_recoverable(digest);
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + recovery.to_byte());
        bytes
    }

    /// The first sealing carries the seed along, in an entry of its own before the command's: the two
    /// are framed as one, because the parent makes one answer durable at a time.
    fn seal(&mut self, command: &Command) -> Vec<u8> {
        let mut entries = Vec::new();
        if !self.seed_is_sealed {
            entries.push(self.sealer.seal(self.state.entropy.expose()));
            self.seed_is_sealed = true;
        }
        let command = Zeroizing::new(encode(command));
        entries.push(self.sealer.seal(&command));
        encode(&entries)
    }
}

/// The settlement key of an enclave, from its seed. A scalar is zero or too large once in 2^128 seeds;
/// the next counter is tried then.
fn signing_key(entropy: &Entropy) -> SigningKey {
    (0u8..=u8::MAX)
        .find_map(|counter| SigningKey::from_slice(&entropy.derive("signer", &[&[counter]])).ok())
        .expect("256 scalars in a row are not out of range")
}

/// What a receipt signs: `keccak256("cdpr/receipt/v1" ‖ sha256(envelope))`.
fn receipt_digest(envelope: &[u8]) -> [u8; 32] {
    keccak256(&[b"cdpr/receipt/v1", &sha256(&[envelope])])
}

#[cfg(test)]
pub(crate) mod tests;
