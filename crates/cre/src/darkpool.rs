//! Our own capability, `darkpool@1.0.0`: reserves judged and collateral asked for inside an enclave.

use crate::promise::Promise;
use crate::runtime::Runtime;
use crate::workflow::Trigger;

pub use crate::messages::darkpool::*;

/// Fires when a round of this dark pool is ready to be settled.
pub fn fill_trigger(dark_pool: [u8; 20]) -> Trigger<Fill> {
    Trigger::new(ID, FILL, &FillTriggerConfig { dark_pool: dark_pool.to_vec() })
}

/// Has the enclave judge a tick.
pub fn check_reserves(
    runtime: &Runtime,
    request: &CheckReservesRequest,
) -> Promise<CheckReservesResponse> {
    runtime.call(ID, CHECK_RESERVES, request)
}

/// Puts a request on chain, and has the enclave acknowledge it.
pub fn request_collateral(
    runtime: &Runtime,
    request: &CollateralRequest,
) -> Promise<RequestResponse> {
    runtime.call(ID, REQUEST_COLLATERAL, request)
}

/// What is public of a request.
pub fn get_request_status(
    runtime: &Runtime,
    request: &GetRequestStatusRequest,
) -> Promise<GetRequestStatusResponse> {
    runtime.call(ID, GET_REQUEST_STATUS, request)
}
