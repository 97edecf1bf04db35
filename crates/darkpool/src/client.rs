//! The capability as a workflow sees it.

use cre::messages::darkpool::{
    CHECK_RESERVES, CheckReservesRequest, CheckReservesResponse, CollateralRequest,
    GET_REQUEST_STATUS, GetRequestStatusRequest, GetRequestStatusResponse, REQUEST_COLLATERAL,
    RequestResponse,
};
use cre::messages::{Any, pack, unpack};
use prost::{Message, Name};

use crate::{CapabilityError, Code};

/// The dark pool, whatever carries the calls.
pub trait DarkPool {
    /// How a call fails; a [`CapabilityError`] unless a guest has an error of its own.
    type Error;

    /// Has the enclave judge one tick.
    ///
    /// # Errors
    /// Too few equal observations are no error: then the answer is empty.
    fn check_reserves(
        &mut self,
        request: CheckReservesRequest,
    ) -> Result<CheckReservesResponse, Self::Error>;

    /// Puts a request on chain and has the enclave acknowledge it. The same report gives the same
    /// request, however often it is sent.
    ///
    /// # Errors
    /// [`Code::FailedPrecondition`] with the pool's reason if the pool refuses the report.
    fn request_collateral(
        &mut self,
        request: CollateralRequest,
    ) -> Result<RequestResponse, Self::Error>;

    /// What is public of a request, with the round that awaits settlement.
    ///
    /// # Errors
    /// [`Code::NotFound`] if there is no such request.
    fn get_request_status(
        &mut self,
        request: GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, Self::Error>;
}

/// The dark pool of a DON that has registered it. The function carries one capability call: method and
/// payload there, payload back.
#[derive(Debug, Clone)]
pub struct Client<C>(pub C);

impl<C: FnMut(&str, Any) -> Result<Any, CapabilityError>> Client<C> {
    fn call<Q, A>(&mut self, method: &str, request: &Q) -> Result<A, CapabilityError>
    where
        Q: Message + Name,
        A: Message + Name + Default,
    {
        let answer = (self.0)(method, pack(request))?;
        unpack(&answer).map_err(|error| CapabilityError::system(Code::Internal, error.to_string()))
    }
}

impl<C: FnMut(&str, Any) -> Result<Any, CapabilityError>> DarkPool for Client<C> {
    type Error = CapabilityError;

    fn check_reserves(
        &mut self,
        request: CheckReservesRequest,
    ) -> Result<CheckReservesResponse, CapabilityError> {
        self.call(CHECK_RESERVES, &request)
    }

    fn request_collateral(
        &mut self,
        request: CollateralRequest,
    ) -> Result<RequestResponse, CapabilityError> {
        self.call(REQUEST_COLLATERAL, &request)
    }

    fn get_request_status(
        &mut self,
        request: GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, CapabilityError> {
        self.call(GET_REQUEST_STATUS, &request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_type_is_an_internal_fault() {
        let mut client = Client(|_: &str, request: Any| Ok(request));
        let fault = client.check_reserves(CheckReservesRequest::default()).unwrap_err();
        assert_eq!(fault.code, Code::Internal);
    }
}
