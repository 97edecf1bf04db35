//! The fallback's endpoint, beside the enclave: what a DON that has not registered the capability asks by
//! HTTP actions. It has no method with an effect on chain; that is an ordinary `WriteReport`.
//!
//! TLS is the proxy's in front. The token keeps strangers from making the enclave work; it guards no
//! secret, since whatever is answered here is public or sealed.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::post;
use cre::messages::darkpool::{CHECK_RESERVES, GET_REQUEST_STATUS};
use primitives::sha256;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::shared::blocking;
use crate::{Backend, Code, Error, Fault, Service, Shared, path};

/// Chainlink lets a workflow send 10 KB; ours are below 200 bytes.
const BODY_LEN_MAX: usize = 10_000;

/// A running endpoint; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on `listener` until dropped. Callers send `authorization: Bearer <token>`. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// If the listener has no address.
    pub fn start<B: Backend + Send + 'static>(
        shared: Shared<B>,
        listener: TcpListener,
        token: &str,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let router = Router::new()
            .route(&path(CHECK_RESERVES), method(&shared, token, Service::check_reserves))
            .route(&path(GET_REQUEST_STATUS), method(&shared, token, Service::get_request_status))
            .layer(DefaultBodyLimit::max(BODY_LEN_MAX));
        let task = tokio::spawn(async move {
            // Accept errors are retried inside; the future only ends when dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn method<B, Q, A>(
    shared: &Shared<B>,
    token: &str,
    act: fn(&mut Service<B>, &Q) -> Result<A, Error>,
) -> axum::routing::MethodRouter
where
    B: Backend + Send + 'static,
    Q: Message + Default + 'static,
    A: Message + 'static,
{
    let shared = shared.clone();
    // Compared by hash, so that the time it takes says nothing about the token.
    let expected = sha256(&[b"Bearer ", token.as_bytes()]);
    post(move |headers: HeaderMap, body: Bytes| async move {
        let given = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        if sha256(&[given]) != expected {
            return refuse(&Fault::user(Code::Unauthenticated, "the token is not this host's"));
        }
        let Ok(request) = Q::decode(body) else {
            return refuse(&Fault::user(Code::InvalidArgument, "the body is not the method's"));
        };
        let outcome = blocking(move || shared.with(|service| act(service, &request))).await;
        match outcome {
            Some(Ok(answer)) => reply(StatusCode::OK, Body::from(answer.encode_to_vec())),
            Some(Err(error)) => refuse(&Fault::from(&error)),
            None => refuse(&Fault::system(Code::Internal, "the call did not come back")),
        }
    })
}

fn refuse(fault: &Fault) -> Response<Body> {
    reply(status(fault.code), Body::from(fault.to_string()))
}

/// The usual HTTP status for a code; the body says more.
const fn status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => StatusCode::CONFLICT,
        Code::ResourceExhausted | Code::LimitExceeded => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Canceled
        | Code::Unknown
        | Code::Internal
        | Code::DataLoss
        | Code::ConsensusFailed
        | Code::InsufficientObservations => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn reply(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
