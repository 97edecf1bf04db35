//! The chain as an alloy transport.

use std::task::{Context, Poll};
use std::time::Duration;

use evm::alloy::providers::{DynProvider, Provider as _, ProviderBuilder};
use evm::alloy::rpc::client::RpcClient;
use evm::alloy::rpc::json_rpc::{
    ErrorPayload, RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest,
};
use evm::alloy::transports::{TransportError, TransportErrorKind, TransportFut};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tower::Service;

use crate::{LocalChain, RpcError};

/// Calls the chain's JSON-RPC handler directly.
#[derive(Clone, Debug)]
pub struct LocalTransport {
    chain: LocalChain,
}

impl LocalChain {
    /// The chain as a transport, for a client with layers of one's own.
    #[must_use]
    pub fn transport(&self) -> LocalTransport {
        LocalTransport { chain: self.clone() }
    }

    /// The chain as an RPC client, for `ProviderBuilder::connect_client`.
    #[must_use]
    pub fn client(&self) -> RpcClient {
        let client = RpcClient::new(self.transport(), true);
        // A transaction is mined before its hash is returned, so whoever polls all the same
        // finds it the first time.
        client.set_poll_interval(Duration::from_millis(1));
        client
    }

    /// A provider without fillers: nonces, fees and signatures are the caller's.
    #[must_use]
    pub fn connect(&self) -> DynProvider {
        ProviderBuilder::new().disable_recommended_fillers().connect_client(self.client()).erased()
    }
}

impl Service<RequestPacket> for LocalTransport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        let chain = self.chain.clone();
        Box::pin(async move {
            Ok(match packet {
                RequestPacket::Single(request) => ResponsePacket::Single(answer(&chain, &request)?),
                RequestPacket::Batch(requests) => ResponsePacket::Batch(
                    requests
                        .iter()
                        .map(|request| answer(&chain, request))
                        .collect::<Result<_, _>>()?,
                ),
            })
        })
    }
}

fn answer(chain: &LocalChain, request: &SerializedRequest) -> Result<Response, TransportError> {
    let params = request
        .params()
        .map_or(Ok(Value::Null), |params| serde_json::from_str(params.get()))
        .map_err(TransportErrorKind::custom)?;
    let payload = match chain.request(request.method(), params) {
        Ok(value) => ResponsePayload::Success(raw(&value)?),
        Err(RpcError { code, message, data }) => ResponsePayload::Failure(ErrorPayload {
            code,
            message: message.into(),
            data: data.as_ref().map(raw).transpose()?,
        }),
    };
    Ok(Response { id: request.id().clone(), payload })
}

fn raw(value: &Value) -> Result<Box<RawValue>, TransportError> {
    to_raw_value(value).map_err(TransportErrorKind::custom)
}
