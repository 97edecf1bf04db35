//! One enclave's life: commands in, answers out, state rebuilt from the sealed journal.

use attestation::{KeyBundle, Measurement};
use k256::ecdsa::SigningKey;
use platform::Platform;
use pool::seal::SecretKey;
use primitives::{Decode, Encode, Timestamp, decode, encode, secp256k1};
use protocol::wire::{Answer, Reply};
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::program::{Error, NOTHING_CLEARED};
use crate::sealed::Sealer;

/// What a life is of: state, and what is asked of it.
pub(crate) trait Served: Sized {
    /// What it is measured with.
    type Configuration: Clone + Decode;
    /// What the parent may ask.
    type Command: Encode + Decode;
    /// What proves its rounds.
    type Prover;

    /// Before the first command.
    fn new(configuration: Self::Configuration, entropy: Entropy) -> Self;

    fn configuration(&self) -> &Self::Configuration;

    /// Chain, registry and end of the key bundle.
    fn bundle(&self) -> (u64, [u8; 20], Timestamp);

    fn entropy(&self) -> &Entropy;

    fn hpke(&self) -> &SecretKey;

    /// Which commands are about the enclave itself.
    fn asked(command: Self::Command) -> Asked<Self::Command>;

    /// From the proving key, if it is the configured one.
    fn prover(&self, bytes: &[u8]) -> Option<Self::Prover>;

    /// Takes a command in. True if it changed anything; a repetition does not.
    fn apply(&mut self, command: &Self::Command) -> Result<bool, Error>;

    /// The answer to a command that was applied. None if it is a round that cannot be proved, and was forgotten: then
    /// nothing is sealed, and after a restart this round was never tried.
    fn reply(
        &mut self,
        command: &Self::Command,
        prover: Option<&mut Self::Prover>,
        signer: &Signer,
    ) -> Result<Option<Reply>, Error>;
}

/// A command, as far as a life tells them apart.
pub(crate) enum Asked<C> {
    Configure(Vec<u8>),
    ProvingKey(Vec<u8>),
    Restore(Vec<Vec<u8>>),
    Attest(Vec<u8>),
    Journaled(C),
}

/// The settlement key.
pub(crate) struct Signer(SigningKey);

impl Signer {
    /// The settlement key of an enclave, from its seed. A scalar is zero or too large once in 2^128 seeds;
    /// the next counter is tried then.
    fn new(entropy: &Entropy) -> Self {
        (0u8..=u8::MAX)
            .find_map(|counter| {
                SigningKey::from_slice(&entropy.derive("signer", &[&[counter]])).ok()
            })
            .map(Self)
            .expect("256 scalars in a row are not out of range")
    }

    /// 65 bytes: r ‖ s ‖ v with v 27 or 28, s in the lower half.
    pub(crate) fn sign(&self, digest: &[u8; 32]) -> Vec<u8> {
        let (signature, recovery) = self.0.sign_prehash_recoverable(digest);
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + recovery.to_byte());
        bytes
    }
}

/// An entry that this measurement did not write, or not there: its number, from 0.
#[derive(Clone, Copy)]
struct Foreign {
    entry: usize,
}

/// A life on a platform.
pub(crate) struct Life<P, S: Served> {
    platform: P,
    pub(crate) booted: Option<Booted<S>>,
    prover: Option<S::Prover>,
}

pub(crate) struct Booted<S> {
    configuration_bytes: Vec<u8>,
    signer: Signer,
    sealer: Sealer,
    pub(crate) state: S,
    /// Whether the seed is in the sealed journal yet: it is its first entry.
    seed_is_sealed: bool,
}

impl<P, S: Served> Life<P, S> {
    pub(crate) const fn new(platform: P) -> Self {
        Self { platform, booted: None, prover: None }
    }
}

impl<P: Platform, S: Served> Life<P, S> {
    pub(crate) fn handle(&mut self, frame: &[u8]) -> Vec<u8> {
        let answer = decode(frame)
            .map_err(|_| Error::Malformed)
            .and_then(|command| self.command(command))
            .unwrap_or_else(|error| Answer {
                sealed: None,
                reply: Reply::Refused(error.to_string()),
            });
        encode(&answer)
    }

    fn command(&mut self, command: S::Command) -> Result<Answer, Error> {
        let unsealed = |reply| Answer { sealed: None, reply };
        match S::asked(command) {
            Asked::Configure(bytes) => self.configure(bytes).map(unsealed),
            Asked::ProvingKey(bytes) => {
                self.prover = Some(self.booted()?.state.prover(&bytes).ok_or(Error::ProvingKey)?);
                Ok(unsealed(Reply::Done))
            }
            Asked::Restore(entries) => self.restore(&entries).map(unsealed),
            Asked::Attest(nonce) => {
                let bundle = self.booted()?.key_bundle();
                let document = self.platform.attest(&bundle.user_data(), Some(&nonce))?;
                Ok(unsealed(Reply::Attested { document, key_bundle: bundle.encode() }))
            }
            Asked::Journaled(command) => self.journaled(&command),
        }
    }

    fn booted(&mut self) -> Result<&mut Booted<S>, Error> {
        self.booted.as_mut().ok_or(Error::TooEarly { what: "the configuration" })
    }

    fn configure(&mut self, bytes: Vec<u8>) -> Result<Reply, Error> {
        let (found, measured) = (Measurement::of(&bytes), Measurement(self.platform.register(2)?));
        if found != measured {
            return Err(Error::Configuration { found, measured });
        }
        let configuration = decode(&bytes).map_err(|_| Error::Malformed)?;
        let seed = self.platform.random("enclave")?;
        let sealer = Sealer::new(self.platform.sealing_key()?);
        self.booted = Some(Booted::new(bytes, configuration, Entropy::new(seed), sealer, false));
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
    fn journaled(&mut self, command: &S::Command) -> Result<Answer, Error> {
        let booted = self.booted.as_mut().ok_or(Error::TooEarly { what: "the configuration" })?;
        let is_news = booted.state.apply(command)?;
        let reply = booted.state.reply(command, self.prover.as_mut(), &booted.signer)?;
        let Some(reply) = reply else {
            return Ok(Answer { sealed: None, reply: NOTHING_CLEARED });
        };
        let sealed = is_news.then(|| booted.seal(command));
        Ok(Answer { sealed, reply })
    }
}

impl<S: Served> Booted<S> {
    fn new(
        bytes: Vec<u8>,
        configuration: S::Configuration,
        entropy: Entropy,
        sealer: Sealer,
        sealed: bool,
    ) -> Self {
        let signer = Signer::new(&entropy);
        let state = S::new(configuration, entropy);
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
            (self.configuration_bytes.clone(), self.state.configuration().clone());
        let mut restored = Self::new(bytes, configuration, Entropy::new(seed), sealer, true);
        for (foreign, command) in commands {
            let command = decode(command).map_err(|_| *foreign)?;
            restored.state.apply(&command).map_err(|_| *foreign)?;
        }
        Ok(Some(restored))
    }

    pub(crate) fn key_bundle(&self) -> KeyBundle {
        let (chain_id, registry, not_after) = self.state.bundle();
        KeyBundle {
            chain_id,
            registry,
            epoch: 1,
            hpke_public_key: self.state.hpke().public_key(),
            settlement_signer: secp256k1::address(self.signer.0.verifying_key()).0,
            config_hash: Measurement::of(&self.configuration_bytes).0,
            not_after: not_after.0,
        }
    }

    /// The first sealing carries the seed along, in an entry of its own before the command's: the two
    /// are framed as one, because the parent makes one answer durable at a time.
    fn seal(&mut self, command: &S::Command) -> Vec<u8> {
        let mut entries = Vec::new();
        if !self.seed_is_sealed {
            entries.push(self.sealer.seal(self.state.entropy().expose()));
            self.seed_is_sealed = true;
        }
        let command = Zeroizing::new(encode(command));
        entries.push(self.sealer.seal(&command));
        encode(&entries)
    }
}
