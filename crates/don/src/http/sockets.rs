//! Requests over sockets, with ureq and rustls.

use std::fmt;
use std::io::{ErrorKind, Read as _};
use std::net::IpAddr;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, http};

use super::{Loopback, Request, Response, Transport, TransportError, is_public, target};

/// The real transport. Each request has a connection of its own; there are no cookies, no proxy from the
/// environment, no redirects and no decompression. Certificates are checked against Mozilla's roots.
#[derive(Debug)]
pub struct Sockets {
    loopback: Loopback,
    public: Agent,
    local: Agent,
}

impl Sockets {
    /// No connection is made yet.
    #[must_use]
    pub fn new(loopback: Loopback) -> Self {
        Self { loopback, public: agent(Reach::Public), local: agent(Reach::Loopback) }
    }
}

impl Default for Sockets {
    fn default() -> Self {
        Self::new(Loopback::default())
    }
}

impl Transport for Sockets {
    fn send(&mut self, request: &Request) -> Result<Response, TransportError> {
        // A host that is named as loopback is refused by its address if loopback is not allowed.
        let is_local = self.loopback == Loopback::Allowed
            && target(&request.url).is_ok_and(|(_, target)| target.is_loopback);
        let agent = if is_local { &self.local } else { &self.public };
        let mut builder =
            http::Request::builder().method(request.method.name()).uri(request.url.as_str());
        for (name, value) in &request.headers {
            builder = builder.header(name.as_str(), value.as_str());
        }
        let failed = |error| failure(error, request);
        let sent = if request.body.is_empty() && !expects_body(request) {
            let message = builder.body(()).map_err(|error| failed(error.into()))?;
            run(agent, message, request)
        } else {
            let message =
                builder.body(request.body.as_slice()).map_err(|error| failed(error.into()))?;
            run(agent, message, request)
        };
        let mut response = sent.map_err(failed)?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let len_max = request.response_len_max;
        let mut body = Vec::new();
        // One byte more than may be: there is no telling otherwise whether it ended.
        let most = u64::try_from(len_max).unwrap_or(u64::MAX).saturating_add(1);
        let mut reader = response.body_mut().as_reader().take(most);
        reader.read_to_end(&mut body).map_err(|error| failed(error.into()))?;
        if body.len() > len_max {
            return Err(TransportError::ResponseTooLong { len_max });
        }
        Ok(Response { status: response.status().as_u16(), headers, body })
    }

    fn loopback(&self) -> Loopback {
        self.loopback
    }
}

/// Whether the method says `Content-Length: 0` where there is no body (RFC 9110, section 8.6).
const fn expects_body(request: &Request) -> bool {
    use super::Method::{Delete, Get, Patch, Post, Put};
    match request.method {
        Post | Put | Patch => true,
        Get | Delete => false,
    }
}

fn run<S: ureq::AsSendBody>(
    agent: &Agent,
    message: http::Request<S>,
    request: &Request,
) -> Result<http::Response<ureq::Body>, Error> {
    let message = agent.configure_request(message).timeout_global(Some(request.timeout)).build();
    agent.run(message)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "ureq's enum is open")]
fn failure(error: Error, request: &Request) -> TransportError {
    match error {
        Error::Timeout(_) => TransportError::Timeout { timeout: request.timeout },
        Error::HostNotFound | Error::ConnectionFailed => TransportError::Unreachable,
        Error::Io(source) if is_hung_up(source.kind()) => TransportError::Unreachable,
        Error::Other(source) => match source.downcast::<Forbidden>() {
            Ok(forbidden) => TransportError::ForbiddenAddress { address: forbidden.0 },
            Err(source) => TransportError::Failed(source),
        },
        other => TransportError::Failed(Box::new(other)),
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "std's enum is open")]
pub(super) const fn is_hung_up(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::UnexpectedEof
    )
}

/// Which addresses an agent connects to.
#[derive(Debug, Clone, Copy)]
enum Reach {
    Public,
    Loopback,
}

fn agent(reach: Reach) -> Agent {
    let config = Config::builder()
        .https_only(matches!(reach, Reach::Public))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(0)
        .proxy(None)
        .user_agent(super::USER_AGENT)
        .build();
    let resolver = Guard { reach, resolver: DefaultResolver::default() };
    Agent::with_parts(config, DefaultConnector::default(), resolver)
}

/// Resolves names and refuses the host if any of its addresses is out of reach. The connection is made to
/// the addresses that were looked at, so a name that changes in between changes nothing.
#[derive(Debug)]
struct Guard {
    reach: Reach,
    resolver: DefaultResolver,
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.resolver.resolve(uri, config, timeout)?;
        let is_allowed = |address: IpAddr| match self.reach {
            Reach::Public => is_public(address),
            Reach::Loopback => address.is_loopback(),
        };
        match found.iter().map(|socket| socket.ip()).find(|address| !is_allowed(*address)) {
            Some(address) => Err(Error::Other(Box::new(Forbidden(address)))),
            None => Ok(found),
        }
    }
}

/// How the refusal travels through ureq.
#[derive(Debug)]
struct Forbidden(IpAddr);

impl fmt::Display for Forbidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} is out of reach", self.0)
    }
}

impl std::error::Error for Forbidden {}
