//! `cdpr.darkpool.v1`: our own capability, `darkpool@1.0.0`. Chainlink registers capabilities on a DON,
//! not we: where it has not, the guest's fallback transport does the same with capabilities that exist.
//!
//! No message has a field for a plain amount. The ask is made inside the enclave, and what travels is
//! the hiding commitment of the seed's `encryptedAmount`.

use super::sdk;

/// Capability id.
pub const ID: &str = "darkpool@1.0.0";
/// Method: one tick's judgement of the reserves.
pub const CHECK_RESERVES: &str = "CheckReserves";
/// Method: put a request on chain and have the enclave acknowledge it.
pub const REQUEST_COLLATERAL: &str = "RequestCollateral";
/// Method: what is public of a request, with the round that awaits settlement.
pub const GET_REQUEST_STATUS: &str = "GetRequestStatus";
/// Trigger method: a round is ready to be settled.
pub const FILL: &str = "Fill";

/// Asks the enclave to judge a tick.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckReservesRequest {
    /// The workflow's `image`.
    #[prost(string, tag = "1")]
    pub image: String,
    /// The workflow's `oracle_feed`.
    #[prost(string, tag = "2")]
    pub oracle_feed: String,
    /// Numbered from 1, by the workflow's schedule.
    #[prost(uint32, tag = "3")]
    pub tick: u32,
    /// The tick's instant, Unix seconds.
    #[prost(uint64, tag = "4")]
    pub now: u64,
}

/// What the enclave said.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CheckReservesResponse {
    /// Canonical encoding of the answer; what the signature covers. Empty: too few equal observations.
    #[prost(bytes = "vec", tag = "1")]
    pub observed: Vec<u8>,
    /// The enclave key's 65-byte signature over the answer's digest.
    #[prost(bytes = "vec", tag = "2")]
    pub signature: Vec<u8>,
}

/// The seed's `CollateralRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CollateralRequest {
    /// The dark pool, 20 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub dark_pool: Vec<u8>,
    /// The workflow's asset, by name.
    #[prost(string, tag = "2")]
    pub asset: String,
    /// Hiding commitment, 32 bytes big-endian.
    #[prost(bytes = "vec", tag = "3")]
    pub encrypted_amount: Vec<u8>,
    /// Public premium cap, basis points.
    #[prost(uint32, tag = "4")]
    pub premium_bps: u32,
    /// Seconds until it expires.
    #[prost(uint64, tag = "5")]
    pub timeout_s: u64,
    /// The DON's report that carries `requestCollateral`, addressed to `dark_pool`.
    #[prost(message, optional, tag = "6")]
    pub report: Option<sdk::ReportResponse>,
}

/// The seed's `RequestResponse`: the request is on chain and the enclave knows of it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RequestResponse {
    /// Its id, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub request_id: Vec<u8>,
    /// What `getRequestStatus` says.
    #[prost(enumeration = "RequestStatus", tag = "2")]
    pub status: i32,
    /// First instant at which no round settles any more, Unix seconds.
    #[prost(uint64, tag = "3")]
    pub expires_at: u64,
}

/// Asks for a request's status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetRequestStatusRequest {
    /// The dark pool, 20 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub dark_pool: Vec<u8>,
    /// The request, 32 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub request_id: Vec<u8>,
}

/// What is public of a request.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GetRequestStatusResponse {
    /// What `getRequestStatus` says.
    #[prost(enumeration = "RequestStatus", tag = "1")]
    pub status: i32,
    /// First instant at which no round settles any more, Unix seconds.
    #[prost(uint64, tag = "2")]
    pub expires_at: u64,
    /// The round that awaits its settlement, if one does.
    #[prost(message, optional, tag = "3")]
    pub fill: Option<Fill>,
}

/// Which fills to be told of.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FillTriggerConfig {
    /// The dark pool, 20 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub dark_pool: Vec<u8>,
}

/// The seed's `dark_pool.fill_event`: a round, ready for `confidentialFill`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Fill {
    /// The request, 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub request_id: Vec<u8>,
    /// The round, from 1.
    #[prost(uint32, tag = "2")]
    pub round: u32,
    /// Versioned ABI of (proof, public inputs, ciphertexts).
    #[prost(bytes = "vec", tag = "3")]
    pub zk_proof: Vec<u8>,
    /// 65-byte EIP-712 signature.
    #[prost(bytes = "vec", tag = "4")]
    pub tee_attestation: Vec<u8>,
}

/// The seed's `RequestStatus`, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum RequestStatus {
    /// Open, nothing filled (or, sealed, nothing said yet).
    Pending = 0,
    /// Open, part of it filled.
    PartiallyFilled = 1,
    /// Wholly filled.
    Filled = 2,
    /// Its time passed first.
    Expired = 3,
    /// Withdrawn by the issuer before any round.
    Cancelled = 4,
}

named! {
    "cdpr.darkpool.v1":
    CheckReservesRequest = "CheckReservesRequest", CheckReservesResponse = "CheckReservesResponse",
    CollateralRequest = "CollateralRequest", RequestResponse = "RequestResponse",
    GetRequestStatusRequest = "GetRequestStatusRequest", GetRequestStatusResponse = "GetRequestStatusResponse",
    FillTriggerConfig = "FillTriggerConfig", Fill = "Fill",
}
