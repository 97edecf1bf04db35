//! A measured program's side of its platform: its two sockets, its hardening, and its security module. It is
//! a crate because every program that is measured links it, and nothing else does.
//!
//! Nouns: [`serve`] (the program's life), [`Platform`] (what it asks of the hardware) and [`Nsm`] (a module that
//! answers).
//!
//! Descriptor 0 is the host's socket, descriptor 1 the security module's, as `host::launch` sets them up. On
//! Nitro both are vsock and the module is hardware; the programs are the same.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
};

use attestation::{
    frame::{self, FrameError},
    nsm_wire::{Request, Response},
};
use rustix::{
    process::{DumpableBehavior, Resource, Rlimit},
    stdio, thread,
};

/// Hardens the process, takes its sockets, and answers the host's frames until it closes its socket.
///
/// `answer` gets each frame, and the host's socket, for programs that ask back before they answer. After
/// this there is no other output: both descriptors are the null device, so that a stray print ends nowhere.
///
/// # Errors
/// The system refuses a step, or a socket fails: there is no one left to tell.
pub fn serve<A>(start: impl FnOnce(Nsm<UnixStream>) -> A) -> io::Result<()>
where
    A: FnMut(&[u8], &mut UnixStream) -> Vec<u8>,
{
    harden()?;
    let mut host = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let module = UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    let null = File::options().read(true).write(true).open("/dev/null")?;
    stdio::dup2_stdin(&null)?;
    stdio::dup2_stdout(&null)?;

    let mut answer = start(Nsm(module));
    loop {
        let question = match frame::read(&mut host) {
            Ok(question) => question,
            Err(FrameError::Closed) => return Ok(()),
            Err(error) => return Err(io::Error::other(error)),
        };
        let answered = answer(&question, &mut host);
        frame::write(&mut host, &answered).map_err(io::Error::other)?;
    }
}

/// No core dumps, no debugger without privileges, no new privileges. Against other users of the
/// machine only: root sees everything, until hardware says otherwise.
fn harden() -> rustix::io::Result<()> {
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    thread::set_no_new_privs(true)
}

/// The module refused, is gone, or answered something else: one thing to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the platform refused to {what}")]
pub struct Refused {
    /// What was asked.
    pub what: &'static str,
}

/// What a measured program asks of the hardware under it.
pub trait Platform {
    /// A register's value.
    ///
    /// # Errors
    /// [`Refused`].
    fn register(&mut self, index: u8) -> Result<[u8; 48], Refused>;
    /// 32 fresh random bytes for this purpose.
    ///
    /// # Errors
    /// [`Refused`].
    fn random(&mut self, label: &str) -> Result<[u8; 32], Refused>;
    /// The key this measurement, and no other, may have.
    ///
    /// # Errors
    /// [`Refused`].
    fn sealing_key(&mut self) -> Result<[u8; 32], Refused>;
    /// A signed document over the registers, this data and, where there is one, the verifier's challenge.
    ///
    /// # Errors
    /// [`Refused`].
    fn attest(&mut self, user_data: &[u8], nonce: Option<&[u8]>) -> Result<Vec<u8>, Refused>;
}

/// A security module at the other end of a stream: `host::nsm` in development.
#[derive(Debug)]
pub struct Nsm<S>(pub S);

impl<S: Read + Write> Nsm<S> {
    fn ask(&mut self, what: &'static str, request: &Request) -> Result<Response, Refused> {
        let refused = Refused { what };
        frame::write(&mut self.0, &request.encode()).map_err(|_| refused)?;
        let answer = frame::read(&mut self.0).map_err(|_| refused)?;
        match Response::parse(&answer) {
            Ok(Response::Refused(_)) | Err(_) => Err(refused),
            Ok(response) => Ok(response),
        }
    }
}

impl<S: Read + Write> Platform for Nsm<S> {
    fn register(&mut self, index: u8) -> Result<[u8; 48], Refused> {
        let what = "describe a register";
        let answer = self.ask(what, &Request::DescribePcr { index })?;
        let Response::Pcr { value, .. } = answer else { return Err(Refused { what }) };
        Ok(value)
    }

    fn random(&mut self, label: &str) -> Result<[u8; 32], Refused> {
        let what = "give random bytes";
        let answer = self.ask(what, &Request::GetRandom { label: label.to_owned(), len: 32 })?;
        let Response::Random(bytes) = answer else { return Err(Refused { what }) };
        bytes.try_into().map_err(|_| Refused { what })
    }

    fn sealing_key(&mut self) -> Result<[u8; 32], Refused> {
        let what = "release the sealing key";
        let answer = self.ask(what, &Request::SealingKey)?;
        let Response::SealingKey(key) = answer else { return Err(Refused { what }) };
        Ok(key)
    }

    fn attest(&mut self, user_data: &[u8], nonce: Option<&[u8]>) -> Result<Vec<u8>, Refused> {
        let what = "attest";
        let request = Request::Attestation {
            user_data: Some(user_data.to_vec()),
            nonce: nonce.map(<[u8]>::to_vec),
            public_key: None,
        };
        let answer = self.ask(what, &request)?;
        let Response::Attestation { document } = answer else { return Err(Refused { what }) };
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use attestation::nsm_wire::Refusal;

    use super::*;

    #[test]
    fn sealing_key_is_taken_from_the_answer() {
        assert_eq!(answered(&Response::SealingKey([7; 32]).encode()), Ok([7; 32]));
    }

    #[test]
    fn refusal_another_answer_and_nonsense_are_refusals() {
        for answer in [
            Response::Refused(Refusal::InvalidOperation).encode(),
            Response::Random(vec![7; 32]).encode(),
            b"?".to_vec(),
        ] {
            assert_eq!(answered(&answer), Err(Refused { what: "release the sealing key" }));
        }
    }

    #[test]
    fn random_bytes_of_another_length_are_a_refusal() {
        let (ours, mut module) = UnixStream::pair().unwrap();
        frame::write(&mut module, &Response::Random(vec![7; 31]).encode()).unwrap();
        assert_eq!(Nsm(ours).random("x"), Err(Refused { what: "give random bytes" }));
    }

    #[test]
    fn module_that_is_gone_is_a_refusal() {
        let (ours, module) = UnixStream::pair().unwrap();
        drop(module);
        assert_eq!(Nsm(ours).register(2), Err(Refused { what: "describe a register" }));
    }

    /// What a program makes of a module that answers with `message`, whatever it was asked.
    fn answered(message: &[u8]) -> Result<[u8; 32], Refused> {
        let (ours, mut module) = UnixStream::pair().unwrap();
        frame::write(&mut module, message).unwrap();
        Nsm(ours).sealing_key()
    }
}
