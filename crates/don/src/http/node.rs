//! The way to a chain's JSON-RPC node, by the client that workflows' requests go through.

use std::sync::Arc;
use std::time::Duration;

use evm::alloy::providers::DynProvider;
use ureq::Agent;

/// Largest answer of a JSON-RPC node, bytes.
const ANSWER_SIZE_MAX: u64 = 64 << 20;
/// Longest wait for a connection to a JSON-RPC node.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// A provider without fillers for the node at `url`, http or https. The operator chose it, so it may be at any
/// address. Nothing is asked of the node yet.
#[must_use]
pub fn connect(url: &str) -> DynProvider {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECT_TIME_MAX))
        .user_agent(super::USER_AGENT)
        .build()
        .into();
    let url = url.to_owned();
    evm::rpc::connect(Arc::new(move |body| {
        let request = agent.post(&url).header("content-type", "application/json");
        let mut answer = request.send(body)?;
        Ok(answer.body_mut().with_config().limit(ANSWER_SIZE_MAX).read_to_vec()?)
    }))
}
