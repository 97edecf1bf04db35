//! JSON-RPC over HTTP, on loopback only: a chain for development has methods that give anyone anything.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on 127.0.0.1 until dropped. Port 0 takes a free one. `answer` is given the body of each request
    /// and gives that of its answer, or `None` for a notification. Needs a tokio runtime.
    ///
    /// # Errors
    /// If the port cannot be bound.
    pub async fn start(
        port: u16,
        answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Clone + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let handler = move |headers: HeaderMap, body: Bytes| {
            let answer = answer.clone();
            async move { respond(answer, &headers, &body) }
        };
        let router = Router::new().route("/", post(handler));
        let task = tokio::spawn(async move {
            // Accept errors are retried inside; the future only ends when dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn respond(
    answer: impl Fn(&[u8]) -> Option<Vec<u8>>,
    headers: &HeaderMap,
    body: &[u8],
) -> Response<Body> {
    // A page whose name was made to resolve to loopback would be of the same origin as this server.
    let is_ours =
        headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_none_or(|host| {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            name == "localhost" || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        });
    if !is_ours {
        return reply(StatusCode::FORBIDDEN, Body::from("ask for 127.0.0.1"));
    }
    // Any other page can post here without asking only if it does not call its body JSON.
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return reply(StatusCode::UNSUPPORTED_MEDIA_TYPE, Body::from("send application/json"));
    }
    match answer(body) {
        Some(answer) => reply(StatusCode::OK, Body::from(answer)),
        None => reply(StatusCode::NO_CONTENT, Body::empty()),
    }
}

fn reply(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
