//! A measured program's side of its platform: its two sockets, its hardening, and its security module. It is
//! a crate because every program that is measured links it, and nothing else does.
//!
//! Nouns: [`live`] and [`serve`] (the program's life), [`Platform`] (what it asks of the hardware) and [`Nsm`] (a module that
//! answers).
//!
//! Descriptor 0 is the host's socket, descriptor 1 the security module's, as `host::launch` sets them up. On
//! Nitro both are vsock and the module is hardware; the programs are the same.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    process::ExitCode,
};

use attestation::{
    frame::{self, FrameError},
    nsm_wire::{Request, Response},
};
use rustix::{
    process::{DumpableBehavior, Resource, Rlimit},
    stdio, thread,
};

/// A measured program's life: [`serve`], and how it ended. Where it did not end well its dying words go to descriptor 2,
/// which is a launcher's affair: in development it repeats them, elsewhere there is none. They are ours, fixed texts and
/// the system's errors; of a panic it is only the place, because what a panic says may quote what it met.
pub fn live<A>(start: impl FnOnce(Nsm<UnixStream>) -> A) -> ExitCode
where
    A: FnMut(&[u8], &mut UnixStream) -> Vec<u8>,
{
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        last_words(&format!("a panic at {place}, its message stays here"));
    }));
    match serve(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            last_words(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Nobody may be left to hear them.
fn last_words(words: &str) {
    let _ = writeln!(io::stderr(), "{words}");
}

/// Why a measured program ends. The system's words are in the text, since it leaves the process as a text.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// A step that has to come before any secret.
    #[error("the system refuses {step}: {error}")]
    Refused {
        /// Which.
        step: &'static str,
        /// In its words.
        error: io::Error,
    },
    /// The way to the host.
    #[error("the host's socket failed: {0}")]
    Socket(FrameError),
}

/// Hardens the process, takes its sockets, and answers the host's frames until it closes its socket.
///
/// `answer` gets each frame, and the host's socket, for programs that ask back before they answer. After
/// this there is no other output than dying words: both descriptors are the null device, so that a stray print ends
/// nowhere.
///
/// # Errors
/// The system refuses a step, or a socket fails.
pub fn serve<A>(start: impl FnOnce(Nsm<UnixStream>) -> A) -> Result<(), Ended>
where
    A: FnMut(&[u8], &mut UnixStream) -> Vec<u8>,
{
    harden()?;
    let copied = refused("a copy of a socket (fcntl F_DUPFD_CLOEXEC)");
    let mut host = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().map_err(copied)?);
    let module = UnixStream::from(io::stdout().as_fd().try_clone_to_owned().map_err(copied)?);
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.map_err(refused("the null device (open /dev/null)"))?;
    let replaced = refused("the null device in place of a socket (dup2)");
    stdio::dup2_stdin(&null).map_err(io::Error::from).map_err(replaced)?;
    stdio::dup2_stdout(&null).map_err(io::Error::from).map_err(replaced)?;

    let mut answer = start(Nsm(module));
    loop {
        let question = match frame::read(&mut host) {
            Ok(question) => question,
            Err(FrameError::Closed) => return Ok(()),
            Err(error) => return Err(Ended::Socket(error)),
        };
        let answered = answer(&question, &mut host);
        frame::write(&mut host, &answered).map_err(Ended::Socket)?;
    }
}

fn refused(step: &'static str) -> impl Fn(io::Error) -> Ended + Copy {
    move |error| Ended::Refused { step, error }
}

/// No core dumps, no debugger without privileges, no new privileges. Against other users of the
/// machine only: root sees everything, until hardware says otherwise.
fn harden() -> Result<(), Ended> {
    let system = |step| move |error: rustix::io::Errno| refused(step)(error.into());
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(system("that it leaves no core dump (setrlimit RLIMIT_CORE)"))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(system("that no debugger reads it (prctl PR_SET_DUMPABLE)"))?;
    thread::set_no_new_privs(true)
        .map_err(system("that it gains no privileges (prctl PR_SET_NO_NEW_PRIVS)"))
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
