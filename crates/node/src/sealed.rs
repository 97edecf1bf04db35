//! The enclave behind its socket, with the store of its sealed entries.
//!
//! An entry is durable before anyone acts on the answer that it came with: what the enclave said it must be able to
//! say again.

use primitives::{Bytes32, decode, encode};
use protocol::wire::{Answer, Command, Reply};

use crate::Error;
use crate::kept::Kept;
use crate::ports::{Enclave, Failure};

/// The way to the enclave: a frame in, a frame out.
pub type Socket = Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, Failure> + Send>;

/// An [`Enclave`] over a socket and a store.
pub struct Sealed {
    socket: Socket,
    kept: Kept,
}

impl core::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Sealed({:?})", self.kept)
    }
}

impl Sealed {
    /// Nothing is asked yet.
    pub const fn new(socket: Socket, kept: Kept) -> Self {
        Self { socket, kept }
    }

    /// Configures the enclave, gives it its proving key, and has it restore itself from what is kept.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Kept`] if what is kept is not of this enclave.
    pub fn start(&mut self, configuration: &[u8], proving_key: &[u8]) -> Result<(), Error> {
        self.ask("be configured", &Command::Configure(configuration.to_vec()))?;
        self.ask("take the proving key", &Command::ProvingKey(proving_key.to_vec()))?;
        let what = "restore its state";
        match self.ask(what, &Command::Restore(self.kept.sealed()))? {
            Reply::Done => Ok(()),
            Reply::NotRestored { entry } => Err(self.kept.not_restored(entry).into()),
            Reply::Attested { .. }
            | Reply::Receipt(_)
            | Reply::Observed { .. }
            | Reply::Unobserved
            | Reply::Cleared { .. }
            | Reply::Refused(_) => Err(Error::Answer { what }),
        }
    }
}

impl Enclave for Sealed {
    fn ask(&mut self, what: &'static str, command: &Command) -> Result<Reply, Error> {
        let bytes = (self.socket)(&encode(command))
            .map_err(|source| Error::Port { what: "the enclave", source })?;
        let answer: Answer = decode(&bytes).map_err(|_| Error::Answer { what })?;
        if let Some(sealed) = answer.sealed {
            self.kept.keep(sealed)?;
        }
        if let Reply::Refused(reason) = answer.reply {
            return Err(Error::Refused { what, reason });
        }
        Ok(answer.reply)
    }

    fn reach(&mut self, n_events: u64, head: Bytes32) -> Result<(), Error> {
        Ok(self.kept.reach(n_events, head)?)
    }
}
