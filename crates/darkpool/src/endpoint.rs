//! The fallback's endpoint without its socket: who may ask, what may be asked, and how it is answered.

use cre::messages::darkpool::{
    CHECK_RESERVES, CheckReservesRequest, GET_REQUEST_STATUS, GetRequestStatusRequest,
};
use primitives::sha256;
use prost::Message;

use crate::{Backend, CapabilityError, Code, Error, Service, path};

/// An endpoint whose callers send `authorization: Bearer <token>`.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// Compared by hash, so that the time it takes says nothing about the token.
    authorization: [u8; 32],
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Endpoint")
    }
}

/// What somebody who may ask has asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// [`Service::check_reserves`].
    CheckReserves(CheckReservesRequest),
    /// [`Service::get_request_status`].
    GetRequestStatus(GetRequestStatusRequest),
}

/// An HTTP response: the method's protobuf under 200, a fault's text under anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's.
    pub status: u16,
    /// All of it.
    pub body: Vec<u8>,
}

impl Endpoint {
    /// An endpoint with this token.
    pub fn new(token: &str) -> Self {
        Self { authorization: sha256(&[b"Bearer ", token.as_bytes()]) }
    }

    /// Reads a POST to `path` with the header `authorization`, empty if there was none.
    ///
    /// # Errors
    /// The refusal: 401 for another token, 404 for another path, 400 for another message.
    pub fn read(&self, path: &str, authorization: &[u8], body: &[u8]) -> Result<Asked, Answer> {
        if sha256(&[authorization]) != self.authorization {
            return Err(CapabilityError::user(
                Code::Unauthenticated,
                "the token is not this host's",
            )
            .into());
        }
        let asked = if path == self::path(CHECK_RESERVES) {
            CheckReservesRequest::decode(body).map(Asked::CheckReserves)
        } else if path == self::path(GET_REQUEST_STATUS) {
            GetRequestStatusRequest::decode(body).map(Asked::GetRequestStatus)
        } else {
            return Err(CapabilityError::user(Code::NotFound, "there is no such method").into());
        };
        asked.map_err(|_| {
            CapabilityError::user(Code::InvalidArgument, "the body is not the method's").into()
        })
    }
}

impl Asked {
    /// Has the service carry it out.
    pub fn answer<B: Backend>(&self, service: &mut Service<B>) -> Answer {
        let body = match self {
            Self::CheckReserves(asked) => {
                service.check_reserves(asked).map(|it| it.encode_to_vec())
            }
            Self::GetRequestStatus(asked) => {
                service.get_request_status(asked).map(|it| it.encode_to_vec())
            }
        };
        body.map_or_else(
            |error: Error| CapabilityError::from(&error).into(),
            |body| Answer { status: 200, body },
        )
    }
}

impl From<CapabilityError> for Answer {
    fn from(fault: CapabilityError) -> Self {
        Self { status: status(fault.code), body: fault.to_string().into_bytes() }
    }
}

/// The usual HTTP status for a code; the body says more.
const fn status(code: Code) -> u16 {
    match code {
        Code::InvalidArgument | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => 409,
        Code::ResourceExhausted | Code::LimitExceeded => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
        Code::Canceled
        | Code::Unknown
        | Code::Internal
        | Code::DataLoss
        | Code::ConsensusFailed
        | Code::InsufficientObservations => 500,
    }
}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, case, scope};

    #[test]
    fn a_stranger_another_path_and_another_message_are_refused() {
        let endpoint = Endpoint::new("token");
        let body = case().check.encode_to_vec();
        let read = |path: &str, authorization: &str, body: &[u8]| {
            endpoint.read(path, authorization.as_bytes(), body).map_err(|answer| answer.status)
        };
        let check = path(CHECK_RESERVES);
        assert_eq!(read(&check, "Bearer token", &body), Ok(Asked::CheckReserves(case().check)));
        for stranger in ["", "token", "Bearer ", "Bearer other", "Bearer token2", "bearer token"] {
            assert_eq!(read(&check, stranger, &body), Err(401), "{stranger:?}");
        }
        for elsewhere in ["", "/", "/darkpool/v1/RequestCollateral", "/darkpool/v2/CheckReserves"] {
            assert_eq!(read(elsewhere, "Bearer token", &body), Err(404), "{elsewhere:?}");
        }
        assert_eq!(read(&check, "Bearer token", &[0xff]), Err(400));
    }

    #[test]
    fn a_refusal_has_its_own_status_and_its_fault_as_text() {
        let mut service = Service::new(scope(), Scripted::default());
        let asked = Asked::CheckReserves(CheckReservesRequest { tick: 0, ..case().check });
        let answer = asked.answer(&mut service);
        assert_eq!(answer.status, 400);
        let text = String::from_utf8(answer.body).expect("a fault is text");
        assert_eq!(CapabilityError::parse(&text).code, Code::OutOfRange);
        let asked = Asked::CheckReserves(case().check);
        assert_eq!(asked.answer(&mut service).status, 200);
    }
}
