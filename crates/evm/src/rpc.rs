//! The JSON-RPC client for a chain out there. What carries its bytes is handed in: an HTTP client comes with a
//! TLS stack, and one crate has it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use alloy::providers::{DynProvider, Provider as _, ProviderBuilder};
use alloy::rpc::client::RpcClient;
use alloy::rpc::json_rpc::{RequestPacket, ResponsePacket};
use alloy::transports::{TransportError, TransportErrorKind, TransportFut};
use tower::Service;

/// Takes the body of a request, a JSON text, to the node and brings back the body of its answer. It may block.
pub type Post = dyn Fn(&[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> + Send + Sync;

/// A provider without fillers for the node that `post` reaches: nonces, fees and signatures are the caller's.
/// Nothing is asked of the node yet.
#[must_use]
pub fn connect(post: Arc<Post>) -> DynProvider {
    let client = RpcClient::new(JsonRpc { post }, false);
    ProviderBuilder::new().disable_recommended_fillers().connect_client(client).erased()
}

#[derive(Clone)]
struct JsonRpc {
    post: Arc<Post>,
}

impl fmt::Debug for JsonRpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonRpc")
    }
}

impl Service<RequestPacket> for JsonRpc {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        let post = self.post.clone();
        // Blocks: whoever waits for the future has nothing else to do.
        Box::pin(async move {
            let body = serde_json::to_vec(&packet).map_err(TransportErrorKind::custom)?;
            let failed = |error| TransportError::Transport(TransportErrorKind::Custom(error));
            let answer = post(&body).map_err(failed)?;
            serde_json::from_slice(&answer)
                .map_err(|source| failed(NotJsonRpc::of(&answer, source).into()))
        })
    }
}

/// Something answered that is no JSON-RPC node: a web page, or a portal before the network.
#[derive(Debug, thiserror::Error)]
#[error(
    "the node's answer of {len} bytes is no JSON-RPC, it begins {start:?}: is this the URL of a node?"
)]
pub struct NotJsonRpc {
    /// Its length, bytes.
    pub len: usize,
    /// Its first characters.
    pub start: String,
    /// What does not parse.
    #[source]
    pub source: serde_json::Error,
}

impl NotJsonRpc {
    /// Characters that are repeated: enough to tell a page from a number.
    const START_LEN: usize = 60;

    fn of(answer: &[u8], source: serde_json::Error) -> Self {
        let text = String::from_utf8_lossy(answer);
        Self { len: answer.len(), start: text.chars().take(Self::START_LEN).collect(), source }
    }
}
