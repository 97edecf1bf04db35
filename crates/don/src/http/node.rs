//! The way to a chain's JSON-RPC node, by the client that workflows' requests go through.
//!
//! A request has one deadline, whatever becomes of it: a node that takes the connection and says nothing is given
//! up, and one that is busy is asked again for as long as that deadline leaves room for what it asks for. That is
//! safe, since nothing that is asked of a node twice is done twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evm::Patience;
use evm::alloy::providers::DynProvider;
use ureq::http::{HeaderMap, StatusCode, Uri, header};
use ureq::{Agent, Error};

/// Largest answer of a JSON-RPC node, bytes.
const ANSWER_SIZE_MAX: u64 = 64 << 20;
/// Tries of one request: a node that is busy three times in a row is not helped by a fourth caller in line.
const TRIES_MAX: u32 = 4;
/// Characters of a refusal that are repeated.
const SAID_LEN_MAX: usize = 160;

/// Why a JSON-RPC node gave no answer. No variant repeats its URL, which may end in a key.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It took the connection, perhaps, and did not answer.
    #[error("the node did not answer within {} ms", in_all.as_millis())]
    Silent {
        /// How long it had.
        in_all: Duration,
    },
    /// The name is at no address, or nobody listens there, or whoever does hangs up.
    #[error("the node cannot be reached")]
    Unreachable,
    /// It, or what stands before it, answers with a failure.
    #[error("the node answers HTTP {status}{}{said}", tries(*n_tries))]
    Status {
        /// The last one.
        status: StatusCode,
        /// How often it was asked.
        n_tries: u32,
        /// The start of its words, behind a colon; empty where it has none.
        said: String,
    },
    /// It is busy for longer than there is time.
    #[error(
        "the node answers HTTP {status} and wants to be left alone for {} s, a request has {} s in all",
        retry_after.as_secs(), in_all.as_secs_f32()
    )]
    Busy {
        /// Its status.
        status: StatusCode,
        /// What it asks for.
        retry_after: Duration,
        /// How long a request may take.
        in_all: Duration,
    },
    /// It is somewhere else. What is sent to one host is not carried to another.
    #[error(
        "the node redirects (HTTP {status}) to {to}, which is not followed: give the URL of the node itself"
    )]
    Redirect {
        /// Which way.
        status: StatusCode,
        /// Scheme and host.
        to: String,
    },
    /// The answer goes on.
    #[error("the node's answer has more than {ANSWER_SIZE_MAX} bytes")]
    TooLong,
    /// The connection, the handshake or the protocol failed.
    #[error("the exchange with the node failed: {0}")]
    Failed(Error),
}

/// A provider without fillers for the node at `url`, http or https, as patient as [`Patience::ANSWER`]. The operator chose it,
/// so it may be at any address. Nothing is asked of the node yet.
#[must_use]
pub fn connect(url: &str) -> DynProvider {
    connect_within(url, Patience::ANSWER)
}

/// The same with another patience.
#[must_use]
pub fn connect_within(url: &str, patience: Patience) -> DynProvider {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(super::USER_AGENT)
        .build()
        .into();
    let url = url.to_owned();
    evm::rpc::connect(Arc::new(move |body| Ok(ask(&agent, &url, body, patience)?)))
}

/// Asks until there is an answer, a refusal, or no time left.
fn ask(agent: &Agent, url: &str, body: &[u8], patience: Patience) -> Result<Vec<u8>, NodeError> {
    let Patience { in_all, mut pause } = patience;
    let begun = Instant::now();
    let left = || in_all.saturating_sub(begun.elapsed());
    let mut n_tries = 0;
    loop {
        n_tries += 1;
        let Reply { status, headers, body: reply } = exchange(agent, url, body, left(), in_all)?;
        let is_busy = matches!(status.as_u16(), 429 | 502 | 503 | 504);
        // Many nodes tell an error of the request by status and body, and the body is the answer.
        if status.is_success() || (!is_busy && is_json_rpc(&reply)) {
            return Ok(reply);
        }
        if status.is_redirection() {
            return Err(NodeError::Redirect { status, to: place(&headers) });
        }
        if !is_busy || n_tries == TRIES_MAX {
            return Err(NodeError::Status { status, n_tries, said: said(&headers, &reply) });
        }
        let asked = retry_after(&headers);
        let wait = asked.unwrap_or(pause);
        if wait >= left() {
            return Err(match asked {
                Some(retry_after) => NodeError::Busy { status, retry_after, in_all },
                None => NodeError::Status { status, n_tries, said: said(&headers, &reply) },
            });
        }
        std::thread::sleep(wait);
        pause = pause.saturating_mul(2);
    }
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

fn exchange(
    agent: &Agent,
    url: &str,
    body: &[u8],
    left: Duration,
    in_all: Duration,
) -> Result<Reply, NodeError> {
    if left.is_zero() {
        return Err(NodeError::Silent { in_all });
    }
    let failed = |error| failure(error, in_all);
    let request = agent.post(url).header(header::CONTENT_TYPE, "application/json");
    let request = request.config().timeout_global(Some(left)).build();
    let mut answer = request.send(body).map_err(failed)?;
    let body = answer.body_mut().with_config().limit(ANSWER_SIZE_MAX).read_to_vec();
    let body = body.map_err(failed)?;
    Ok(Reply { status: answer.status(), headers: answer.headers().clone(), body })
}

#[allow(clippy::wildcard_enum_match_arm, reason = "ureq's and std's enums are open")]
fn failure(error: Error, in_all: Duration) -> NodeError {
    match error {
        Error::Timeout(_) => NodeError::Silent { in_all },
        Error::Io(source) if source.kind() == std::io::ErrorKind::TimedOut => {
            NodeError::Silent { in_all }
        }
        Error::HostNotFound | Error::ConnectionFailed => NodeError::Unreachable,
        Error::Io(source) if super::sockets::is_hung_up(source.kind()) => NodeError::Unreachable,
        Error::BodyExceedsLimit(_) => NodeError::TooLong,
        other => NodeError::Failed(other),
    }
}

/// How long a node asks to be left alone, where it says so in seconds (RFC 9110, section 10.2.3). An instant would
/// have to be read by a clock that the two share.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// Where a redirect leads, without path and query, which may be a key.
fn place(headers: &HeaderMap) -> String {
    let text = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    let uri = text.and_then(|text| text.parse::<Uri>().ok());
    let host = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.host()?)));
    host.map_or_else(|| "another path".to_owned(), |(scheme, host)| format!("{scheme}://{host}"))
}

fn is_json_rpc(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|body| match body {
        serde_json::Value::Object(one) => one.contains_key("jsonrpc"),
        serde_json::Value::Array(many) => many.iter().any(|one| one.get("jsonrpc").is_some()),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => false,
    })
}

fn tries(n_tries: u32) -> String {
    if n_tries == 1 { String::new() } else { format!(" to each of {n_tries} tries") }
}

/// What a refusal says, if it says it in a line: no page for a browser, nothing that moves a cursor.
fn said(headers: &HeaderMap, body: &[u8]) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() || text.starts_with('<') || kind.is_some_and(|kind| kind.contains("html")) {
        return String::new();
    }
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    format!(": {}", line.take(SAID_LEN_MAX).collect::<String>())
}
