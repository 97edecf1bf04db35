//! The enclave behind its socket, with the store of its sealed entries.
//!
//! An entry is durable before anyone acts on the answer that it came with: what the enclave said it must be able to
//! say again.

use primitives::{decode, encode, sha256};
use protocol::wire::{Answer, Command, Reply};
use store::Storage;

use crate::Error;
use crate::ports::{Enclave, Failure};

/// The way to the enclave: a frame in, a frame out.
pub type Socket = Box<dyn FnMut(&[u8]) -> Result<Vec<u8>, Failure> + Send>;

/// An [`Enclave`] over a socket and a store.
pub struct Sealed {
    socket: Socket,
    kept: Box<dyn Storage>,
}

impl core::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Sealed({:?})", self.kept)
    }
}

impl Sealed {
    /// Nothing is asked yet.
    pub fn new(socket: Socket, kept: Box<dyn Storage>) -> Self {
        Self { socket, kept }
    }

    /// Configures the enclave, gives it its proving key, and has it restore itself from what is kept. A tail that
    /// was being written when the plug was pulled is cut: nobody acted on it.
    ///
    /// # Errors
    /// [`Error`].
    pub fn start(&mut self, configuration: &[u8], proving_key: &[u8]) -> Result<(), Error> {
        self.ask("be configured", &Command::Configure(configuration.to_vec()))?;
        self.ask("take the proving key", &Command::ProvingKey(proving_key.to_vec()))?;
        let bytes = self.kept.read().map_err(keeping)?;
        let (entries, len) = unframe(&bytes);
        if len < bytes.len() {
            self.kept.truncate(len as u64).map_err(keeping)?;
        }
        self.ask("restore its state", &Command::Restore(entries)).map(drop)
    }
}

impl Enclave for Sealed {
    fn ask(&mut self, what: &'static str, command: &Command) -> Result<Reply, Error> {
        let bytes = (self.socket)(&encode(command))
            .map_err(|source| Error::Port { what: "the enclave", source })?;
        let answer: Answer = decode(&bytes).map_err(|_| Error::Answer { what })?;
        if let Some(sealed) = answer.sealed {
            self.kept.append(&frame(&sealed)).map_err(keeping)?;
            self.kept.sync().map_err(keeping)?;
        }
        if let Reply::Refused(reason) = answer.reply {
            return Err(Error::Refused { what, reason });
        }
        Ok(answer.reply)
    }
}

fn keeping(source: std::io::Error) -> Error {
    Error::Store { what: "the enclave's journal", source }
}

/// `len: u32 BE ‖ first 8 bytes of SHA-256(entry) ‖ entry`.
fn frame(entry: &[u8]) -> Vec<u8> {
    let len = u32::try_from(entry.len()).expect("an entry is far below 4 GiB");
    [&len.to_be_bytes()[..], &sha256(&[entry])[..8], entry].concat()
}

/// Entries as far as they are whole, and how many bytes that is.
fn unframe(bytes: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while let Some((header, tail)) = rest.split_at_checked(12) {
        let len = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some((entry, tail)) = tail.split_at_checked(len) else { break };
        if sha256(&[entry])[..8] != header[4..] {
            break;
        }
        entries.push(entry.to_vec());
        rest = tail;
    }
    (entries, bytes.len() - rest.len())
}
