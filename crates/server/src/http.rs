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
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use axum::routing::post;
use cre::messages::darkpool::{CHECK_RESERVES, GET_REQUEST_STATUS};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use darkpool::{Answer, Backend, Code, Endpoint, Fault, path};

use crate::shared::{Shared, blocking};

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
        let endpoint = Endpoint::new(token);
        let serve = post(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            answer(shared.clone(), endpoint, uri, headers, body)
        });
        let router = Router::new()
            .route(&path(CHECK_RESERVES), serve.clone())
            .route(&path(GET_REQUEST_STATUS), serve)
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

async fn answer<B: Backend + Send + 'static>(
    shared: Shared<B>,
    endpoint: Endpoint,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let authorization = headers.get(header::AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    let answer = match endpoint.read(uri.path(), authorization, &body) {
        Ok(asked) => {
            let answered = blocking(move || shared.with(|service| asked.answer(service))).await;
            answered.unwrap_or_else(|| {
                Fault::system(Code::Internal, "the call did not come back").into()
            })
        }
        Err(refusal) => refusal,
    };
    let Answer { status, body } = answer;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("an endpoint answers with HTTP's");
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
