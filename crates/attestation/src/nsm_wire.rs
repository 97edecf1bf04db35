//! Messages between an enclave and its security module, one frame each way ([`crate::frame`]).
//!
//! Modelled on the requests of the Nitro Security Module's driver; `SealingKey` stands in for a
//! key service that releases a key to a measurement, and `GetRandom` carries a label so that
//! development entropy depends on its purpose rather than on the order of calls. A hardware module
//! ignores the label.
//!
//! Encoding: a tag byte, then the fields in order. A byte string is a `u32` big-endian length and
//! its bytes, an absent one a zero byte, a present one a one byte and the string.

/// Longest `user_data` and `nonce` that a module signs, in bytes.
pub const USER_DATA_LEN_MAX: usize = 512;
/// Longest `public_key` that a module signs, in bytes.
pub const PUBLIC_KEY_LEN_MAX: usize = 1_024;
/// Most random bytes of one request.
pub const RANDOM_LEN_MAX: usize = 256;
/// Longest label of a request for random bytes, in bytes.
pub const LABEL_LEN_MAX: usize = 64;
/// Number of platform configuration registers.
pub const N_PCRS: u8 = 16;

/// What the enclave asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A signed document over these fields and the registers.
    Attestation {
        /// At most [`USER_DATA_LEN_MAX`] bytes.
        user_data: Option<Vec<u8>>,
        /// The verifier's challenge, at most [`USER_DATA_LEN_MAX`] bytes.
        nonce: Option<Vec<u8>>,
        /// At most [`PUBLIC_KEY_LEN_MAX`] bytes.
        public_key: Option<Vec<u8>>,
    },
    /// The value of one register.
    DescribePcr {
        /// Below [`N_PCRS`].
        index: u8,
    },
    /// Entropy.
    GetRandom {
        /// What it is for, UTF-8, at most [`LABEL_LEN_MAX`] bytes.
        label: String,
        /// How many bytes, 1 to [`RANDOM_LEN_MAX`].
        len: u16,
    },
    /// The key to seal state with: the same for the same measurements, another for any other.
    SealingKey,
}

/// What the module answers.
#[derive(Clone, PartialEq, Eq)]
pub enum Response {
    /// A COSE_Sign1 document.
    Attestation {
        /// Its bytes.
        document: Vec<u8>,
    },
    /// A register.
    Pcr {
        /// Whether it can no longer be extended.
        locked: bool,
        /// Its value.
        value: [u8; 48],
    },
    /// As many bytes as asked.
    Random(Vec<u8>),
    /// The sealing key.
    SealingKey([u8; 32]),
    /// A refusal.
    Refused(Refusal),
}

/// Names the kind only: two of the answers are secrets.
impl core::fmt::Debug for Response {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Attestation { document } => write!(f, "Attestation({} bytes)", document.len()),
            Self::Pcr { locked, .. } => write!(f, "Pcr {{ locked: {locked} }}"),
            Self::Random(bytes) => write!(f, "Random({} bytes)", bytes.len()),
            Self::SealingKey(_) => f.write_str("SealingKey"),
            Self::Refused(refusal) => write!(f, "Refused({refusal:?})"),
        }
    }
}

/// Why a module refuses, by the names of the Nitro driver's error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request is not one, or a field is out of range.
    #[error("the security module refused an invalid argument")]
    InvalidArgument,
    /// No such register.
    #[error("the security module has no such register")]
    InvalidIndex,
    /// A field exceeds its limit.
    #[error("the security module refused a field over its length limit")]
    InputTooLarge,
    /// Not in this state.
    #[error("the security module cannot do this now")]
    InvalidOperation,
}

/// Bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed security module message at byte {at}")]
pub struct MalformedMessage {
    /// Where reading failed.
    pub at: usize,
}

impl Request {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Attestation { user_data, nonce, public_key } => {
                out.push(0);
                for field in [user_data, nonce, public_key] {
                    match field {
                        None => out.push(0),
                        Some(bytes) => {
                            out.push(1);
                            put(&mut out, bytes);
                        }
                    }
                }
            }
            Self::DescribePcr { index } => out.extend_from_slice(&[1, *index]),
            Self::GetRandom { label, len } => {
                out.push(2);
                put(&mut out, label.as_bytes());
                out.extend_from_slice(&len.to_be_bytes());
            }
            Self::SealingKey => out.push(3),
        }
        out
    }

    /// Parses what [`Self::encode`] writes, and nothing else.
    ///
    /// # Errors
    /// [`MalformedMessage`] at the first byte that does not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedMessage> {
        let mut reader = Reader { bytes, at: 0 };
        let request = match reader.byte()? {
            0 => Self::Attestation {
                user_data: reader.optional()?,
                nonce: reader.optional()?,
                public_key: reader.optional()?,
            },
            1 => Self::DescribePcr { index: reader.byte()? },
            2 => Self::GetRandom {
                label: String::from_utf8(reader.string()?).map_err(|_| reader.malformed())?,
                len: u16::from_be_bytes(reader.array()?),
            },
            3 => Self::SealingKey,
            _ => return Err(reader.malformed()),
        };
        reader.end()?;
        Ok(request)
    }
}

impl Response {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Attestation { document } => {
                out.push(0);
                put(&mut out, document);
            }
            Self::Pcr { locked, value } => {
                out.extend_from_slice(&[1, u8::from(*locked)]);
                out.extend_from_slice(value);
            }
            Self::Random(bytes) => {
                out.push(2);
                put(&mut out, bytes);
            }
            Self::SealingKey(key) => {
                out.push(3);
                out.extend_from_slice(key);
            }
            Self::Refused(refusal) => {
                let code = match refusal {
                    Refusal::InvalidArgument => 0,
                    Refusal::InvalidIndex => 1,
                    Refusal::InputTooLarge => 2,
                    Refusal::InvalidOperation => 3,
                };
                out.extend_from_slice(&[4, code]);
            }
        }
        out
    }

    /// Parses what [`Self::encode`] writes, and nothing else.
    ///
    /// # Errors
    /// [`MalformedMessage`] at the first byte that does not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedMessage> {
        let mut reader = Reader { bytes, at: 0 };
        let response = match reader.byte()? {
            0 => Self::Attestation { document: reader.string()? },
            1 => Self::Pcr { locked: reader.flag()?, value: reader.array()? },
            2 => Self::Random(reader.string()?),
            3 => Self::SealingKey(reader.array()?),
            4 => Self::Refused(match reader.byte()? {
                0 => Refusal::InvalidArgument,
                1 => Refusal::InvalidIndex,
                2 => Refusal::InputTooLarge,
                3 => Refusal::InvalidOperation,
                _ => return Err(reader.malformed()),
            }),
            _ => return Err(reader.malformed()),
        };
        reader.end()?;
        Ok(response)
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).expect("a message fits a frame, which is far below 4 GiB");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn malformed(&self) -> MalformedMessage {
        MalformedMessage { at: self.at }
    }

    fn slice(&mut self, len: usize) -> Result<&'a [u8], MalformedMessage> {
        let slice = self.bytes[self.at..].get(..len).ok_or(self.malformed())?;
        self.at += len;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MalformedMessage> {
        Ok(self.slice(N)?.try_into().expect("sliced to this length"))
    }

    fn byte(&mut self) -> Result<u8, MalformedMessage> {
        self.array().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Result<bool, MalformedMessage> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed()),
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, MalformedMessage> {
        let len = u32::from_be_bytes(self.array()?);
        Ok(self.slice(len as usize)?.to_vec())
    }

    fn optional(&mut self) -> Result<Option<Vec<u8>>, MalformedMessage> {
        if self.flag()? { self.string().map(Some) } else { Ok(None) }
    }

    fn end(&self) -> Result<(), MalformedMessage> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.malformed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests() -> Vec<Request> {
        vec![
            Request::Attestation {
                user_data: Some(vec![1; 49]),
                nonce: None,
                public_key: Some(vec![]),
            },
            Request::DescribePcr { index: 2 },
            Request::GetRandom { label: "seed".into(), len: 32 },
            Request::SealingKey,
        ]
    }

    fn responses() -> Vec<Response> {
        vec![
            Response::Attestation { document: vec![7; 300] },
            Response::Pcr { locked: true, value: [9; 48] },
            Response::Random(vec![3; 32]),
            Response::SealingKey([5; 32]),
            Response::Refused(Refusal::InputTooLarge),
        ]
    }

    #[test]
    fn messages_are_read_back() {
        for request in requests() {
            assert_eq!(Request::parse(&request.encode()), Ok(request));
        }
        for response in responses() {
            assert_eq!(Response::parse(&response.encode()), Ok(response));
        }
    }

    #[test]
    fn cut_and_padded_messages_are_refused() {
        for message in requests().iter().map(Request::encode) {
            for len in 0..message.len() {
                assert!(Request::parse(&message[..len]).is_err());
            }
            assert!(Request::parse(&[&message[..], &[0]].concat()).is_err());
        }
        for message in responses().iter().map(Response::encode) {
            for len in 0..message.len() {
                assert!(Response::parse(&message[..len]).is_err());
            }
            assert!(Response::parse(&[&message[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn debug_does_not_show_secrets() {
        let shown =
            format!("{:?}{:?}", Response::SealingKey([171; 32]), Response::Random(vec![171]));
        assert!(!shown.contains("171") && !shown.contains("ab"), "{shown}");
    }
}
