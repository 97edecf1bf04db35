//! The platform as a security module on a socket: `host::nsm` in development.

use std::io::{Read, Write};

use attestation::{
    frame,
    nsm_wire::{Request, Response},
};
use enclave::{Error, Platform};

/// A security module at the other end of a stream.
#[derive(Debug)]
pub(crate) struct Nsm<S>(pub(crate) S);

impl<S: Read + Write> Nsm<S> {
    /// A refusal, a broken wire and nonsense are one thing to whoever asked.
    fn ask(&mut self, what: &'static str, request: &Request) -> Result<Response, Error> {
        let refused = Error::Platform { what };
        frame::write(&mut self.0, &request.encode()).map_err(|_| refused.clone())?;
        let answer = frame::read(&mut self.0).map_err(|_| refused.clone())?;
        match Response::parse(&answer) {
            Ok(Response::Refused(_)) | Err(_) => Err(refused),
            Ok(response) => Ok(response),
        }
    }
}

impl<S: Read + Write> Platform for Nsm<S> {
    fn register(&mut self, index: u8) -> Result<[u8; 48], Error> {
        let what = "describe a register";
        let Response::Pcr { value, .. } = self.ask(what, &Request::DescribePcr { index })? else {
            return Err(Error::Platform { what });
        };
        Ok(value)
    }

    fn random(&mut self, label: &str) -> Result<[u8; 32], Error> {
        let what = "give random bytes";
        let Response::Random(bytes) =
            self.ask(what, &Request::GetRandom { label: label.to_owned(), len: 32 })?
        else {
            return Err(Error::Platform { what });
        };
        bytes.try_into().map_err(|_| Error::Platform { what })
    }

    fn sealing_key(&mut self) -> Result<[u8; 32], Error> {
        let what = "release the sealing key";
        let Response::SealingKey(key) = self.ask(what, &Request::SealingKey)? else {
            return Err(Error::Platform { what });
        };
        Ok(key)
    }

    fn attest(&mut self, user_data: &[u8], nonce: &[u8]) -> Result<Vec<u8>, Error> {
        let what = "attest";
        let request = Request::Attestation {
            user_data: Some(user_data.to_vec()),
            nonce: Some(nonce.to_vec()),
            public_key: None,
        };
        let Response::Attestation { document } = self.ask(what, &request)? else {
            return Err(Error::Platform { what });
        };
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
            assert_eq!(answered(&answer), Err(Error::Platform { what: "release the sealing key" }));
        }
    }

    #[test]
    fn random_bytes_of_another_length_are_a_refusal() {
        let (ours, mut module) = UnixStream::pair().unwrap();
        frame::write(&mut module, &Response::Random(vec![7; 31]).encode()).unwrap();
        assert_eq!(Nsm(ours).random("x"), Err(Error::Platform { what: "give random bytes" }));
    }

    #[test]
    fn module_that_is_gone_is_a_refusal() {
        let (ours, module) = UnixStream::pair().unwrap();
        drop(module);
        assert_eq!(Nsm(ours).register(2), Err(Error::Platform { what: "describe a register" }));
    }

    /// What the enclave makes of a module that answers with `message`, whatever it was asked.
    fn answered(message: &[u8]) -> Result<[u8; 32], Error> {
        let (ours, mut module) = UnixStream::pair().unwrap();
        frame::write(&mut module, message).unwrap();
        Nsm(ours).sealing_key()
    }
}
