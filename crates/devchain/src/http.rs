//! The same handler over HTTP, on loopback only: the chain has test methods that give anyone
//! anything.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::{LocalChain, RpcError};

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HttpServer {
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

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LocalChain {
    /// Serves JSON-RPC on 127.0.0.1 until the result is dropped. Port 0 takes a free one. Needs a
    /// tokio runtime.
    ///
    /// # Errors
    /// If the port cannot be bound.
    pub async fn serve(&self, port: u16) -> io::Result<HttpServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let chain = self.clone();
        let handler = move |headers: HeaderMap, body: Bytes| {
            let chain = chain.clone();
            async move { respond(&chain, &headers, &body) }
        };
        let router = Router::new().route("/", post(handler));
        let task = tokio::spawn(async move {
            // Accept errors are retried inside; the future only ends when dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(HttpServer { address, task })
    }
}

fn respond(chain: &LocalChain, headers: &HeaderMap, body: &[u8]) -> Response<Body> {
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
    let answer = match serde_json::from_slice(body) {
        Ok(Value::Array(requests)) if !requests.is_empty() => {
            let answers: Vec<_> =
                requests.into_iter().filter_map(|one| answer(chain, one)).collect();
            (!answers.is_empty()).then_some(Value::Array(answers))
        }
        Ok(request) => answer(chain, request),
        Err(error) => {
            Some(failure(&Value::Null, &RpcError::new(RpcError::PARSE, error.to_string())))
        }
    };
    match answer {
        Some(answer) => reply(StatusCode::OK, Body::from(answer.to_string())),
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

/// `None` for a notification, which JSON-RPC leaves unanswered.
fn answer(chain: &LocalChain, mut request: Value) -> Option<Value> {
    let Some(Value::String(method)) = request.get("method").cloned() else {
        let error = RpcError::new(RpcError::INVALID_REQUEST, "no method");
        return Some(failure(request.get("id").unwrap_or(&Value::Null), &error));
    };
    let params = request.get_mut("params").map_or(Value::Null, Value::take);
    let outcome = chain.request(&method, params);
    let id = request.get("id")?;
    Some(match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => failure(id, &error),
    })
}

fn failure(id: &Value, error: &RpcError) -> Value {
    let mut object = json!({ "code": error.code, "message": error.message });
    if let Some(data) = &error.data {
        object["data"] = data.clone();
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": object })
}
