//! What every transport has to pass. Whoever owns one runs [`suite`] over a real world.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use cre::messages::darkpool::{
    CheckReservesRequest, CheckReservesResponse, CollateralRequest, GetRequestStatusRequest,
    RequestResponse, RequestStatus,
};

use crate::{Code, DarkPool, Fault, Host};

/// A world in which a request can be made.
#[derive(Debug, Clone)]
pub struct Case {
    /// A tick that a quorum of nodes observes.
    pub check: CheckReservesRequest,
    /// A request whose report is signed and not delivered.
    pub request: CollateralRequest,
    /// The same with a signature that is not the DON's.
    pub forged: CollateralRequest,
    /// One the pool refuses once the first is open.
    pub second: CollateralRequest,
}

/// What the suite left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The tick's answer.
    pub check: CheckReservesResponse,
    /// The open request.
    pub response: RequestResponse,
}

/// Runs the suite: one request, made twice, and everything that has to be refused.
///
/// # Panics
/// Where the transport, or what is behind it, does not keep the promise of [`DarkPool`].
pub fn suite(client: &mut impl DarkPool<Error = Fault>, case: &Case) -> Outcome {
    let code = |result: Result<(), Fault>| result.expect_err("has to be refused").code;

    let check = client.check_reserves(case.check.clone()).expect("a quorum observes");
    assert!(!check.observed.is_empty(), "the enclave answers");
    assert_eq!(check.signature.len(), 65);
    let again = client.check_reserves(case.check.clone()).expect("the same tick again");
    assert_eq!(again, check, "the same question has the same answer");
    for spoil in [
        |check: &mut CheckReservesRequest| check.image.push('x'),
        |check: &mut CheckReservesRequest| check.oracle_feed.clear(),
    ] {
        let mut spoilt = case.check.clone();
        spoil(&mut spoilt);
        assert_eq!(code(client.check_reserves(spoilt).map(drop)), Code::InvalidArgument);
    }
    let none = CheckReservesRequest { tick: 0, ..case.check.clone() };
    assert_eq!(code(client.check_reserves(none).map(drop)), Code::OutOfRange);
    let of_the_future = CheckReservesRequest { now: case.check.now + 3_600, ..case.check.clone() };
    assert_eq!(code(client.check_reserves(of_the_future).map(drop)), Code::OutOfRange);

    // A report that nobody signed leaves the way free for the one that was.
    let forged = client.request_collateral(case.forged.clone()).expect_err("nobody signed it");
    assert!(matches!(forged.code, Code::PermissionDenied | Code::FailedPrecondition), "{forged}");
    let response = client.request_collateral(case.request.clone()).expect("the pool takes it");
    assert_eq!(response.request_id.len(), 32);
    assert_eq!(response.status, RequestStatus::Pending as i32);
    let again = client.request_collateral(case.request.clone()).expect("the same report again");
    assert_eq!(again, response, "the same report gives the same request");
    let second = client.request_collateral(case.second.clone()).expect_err("one is open");
    assert_eq!(second.code, Code::FailedPrecondition, "{second}");
    assert!(second.message.contains("RequestOpen"), "the pool's reason is told: {second}");
    let mut elsewhere = case.second.clone();
    elsewhere.dark_pool[0] ^= 1;
    assert!(client.request_collateral(elsewhere).is_err(), "another pool");

    let status = GetRequestStatusRequest {
        dark_pool: case.request.dark_pool.clone(),
        request_id: response.request_id.clone(),
    };
    let answer = client.get_request_status(status.clone()).expect("it is there");
    assert_eq!((answer.status, answer.expires_at), (response.status, response.expires_at));
    assert_eq!(answer.fill, None, "no round is proved yet");
    let unknown = GetRequestStatusRequest { request_id: vec![7; 32], ..status.clone() };
    assert_eq!(code(client.get_request_status(unknown).map(drop)), Code::NotFound);
    let short = GetRequestStatusRequest { request_id: vec![7; 31], ..status.clone() };
    assert_eq!(code(client.get_request_status(short).map(drop)), Code::InvalidArgument);
    let elsewhere = GetRequestStatusRequest { dark_pool: vec![7; 20], ..status };
    assert_eq!(code(client.get_request_status(elsewhere).map(drop)), Code::InvalidArgument);
    Outcome { check, response }
}

/// A reactor on a thread of its own, so that a test may block on what it serves.
///
/// # Panics
/// If the system has no event loop to give.
pub fn reactor() -> tokio::runtime::Handle {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
}

/// Reaches an endpoint by HTTP/1.1, one request to a connection. It stops at anything unexpected.
#[derive(Debug)]
pub struct Post {
    /// Where the endpoint listens.
    pub address: SocketAddr,
    /// The caller's token.
    pub token: &'static str,
}

impl Host for Post {
    fn post(&mut self, path: &str, body: Vec<u8>) -> Result<(u32, Vec<u8>), Fault> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n",
            self.address,
            self.token,
            body.len()
        )
        .unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok((status, answer[end + 4..].to_vec()))
    }
}
