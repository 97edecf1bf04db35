//! `http-actions@1.0.0-alpha` and `confidential-http@1.0.0-alpha`: a workflow's requests to the web.
//!
//! Both check a request, hand it to a [`Transport`] and check the response. They differ in who asks. The
//! first serves each node for itself, so that an origin sees one request per node unless the workflow lets
//! nodes share responses, and a handler inside a TEE; the second serves the DON, once, and fills `{{.key}}`
//! in headers and a textual body with secrets that the workflow never sees.
//!
//! A workflow chooses the URL, and a node sits inside somebody's network. So a request goes by HTTPS to a
//! public address, checked after the name is resolved and on the very addresses connected to; a redirect is
//! a failure. The one exception is a loopback host, if the transport was told to allow it, for simulation.
//!
//! Not done, and told so with [`Code::Unimplemented`]: mTLS and a root certificate of the workflow's own.
//! Limits, cache and encryption are as Chainlink documents them (service quotas and SDK reference, August
//! 2026).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use cre::messages::confidential_http as confidential;
use cre::messages::http as wire;
use cre::messages::{Any, pack};
use engine::HttpLimits;
use evm::alloy::hex;
use primitives::sha256;
use prost::Message as _;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize as _, Zeroizing};

use crate::usage::within;
use crate::{Call, Caller, Capability, CapabilityError, Code, Secrets};

mod node;
mod sockets;

pub use node::{NodeError, connect, connect_within};
pub use sockets::Sockets;

/// The action's id.
pub const ID: &str = "http-actions@1.0.0-alpha";

/// The confidential action's id.
pub const CONFIDENTIAL_ID: &str = "confidential-http@1.0.0-alpha";

/// How every request of ours names its sender.
const USER_AGENT: &str = concat!("cdpr/", env!("CARGO_PKG_VERSION"));

/// Their one method.
const SEND_REQUEST: &str = "SendRequest";

/// The only port that a TEE's requests go to.
const HTTPS_PORT: u16 = 443;

/// Wait of a node's request that names none.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// Wait of a confidential request that names none: the enclave's.
const CONFIDENTIAL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long a response is kept for other nodes, and the oldest a workflow may ask for.
const CACHE_AGE_MAX: Duration = Duration::from_secs(600);

/// The secret that a confidential response is encrypted under: an AES-256 key, hexadecimal.
const ENCRYPTION_KEY: &str = "san_marino_aes_gcm_encryption_key";

/// Headers that frame the message or steer the connection: whoever sets them beside the transport can have
/// one request read as two.
const TRANSPORT_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Carries requests out. A transport need not check URLs, but it must refuse addresses: only it sees them.
pub trait Transport {
    /// Sends one request and reads the whole response. A response of any status is a success. Redirects
    /// are not followed.
    ///
    /// # Errors
    /// There is no response that may be handed on; see [`TransportError`].
    fn send(&mut self, request: &Request) -> Result<Response, TransportError>;

    /// Whether hosts of this machine may be asked, and in the clear.
    fn loopback(&self) -> Loopback {
        Loopback::Refused
    }
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn send(&mut self, request: &Request) -> Result<Response, TransportError> {
        (**self).send(request)
    }

    fn loopback(&self) -> Loopback {
        (**self).loopback()
    }
}

/// Whether requests to `localhost`, 127.0.0.0/8 and `[::1]` are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loopback {
    /// As on a node: no.
    #[default]
    Refused,
    /// As in a simulation: yes, by HTTP too, and on any port.
    Allowed,
}

/// A request that passed the checks. It may hold secrets: its `Debug` shows lengths, and its texts are wiped
/// when it is dropped; copies that a transport makes are the transport's affair.
pub struct Request {
    /// The method.
    pub method: Method,
    /// Absolute: `https`, or `http` to a loopback host.
    pub url: String,
    /// Names and values; a name may come again. Names are tokens, values without control characters.
    pub headers: Vec<(String, String)>,
    /// The body, empty for none.
    pub body: Vec<u8>,
    /// How long the whole exchange may take, name resolution included; above zero.
    pub timeout: Duration,
    /// The longest body that is read, bytes.
    pub response_len_max: usize,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.url.zeroize();
        for (_, value) in &mut self.headers {
            value.zeroize();
        }
        self.body.zeroize();
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Request")
            .field("method", &self.method)
            .field("url_len", &self.url.len())
            .field("n_headers", &self.headers.len())
            .field("body_len", &self.body.len())
            .field("timeout", &self.timeout)
            .field("response_len_max", &self.response_len_max)
            .finish()
    }
}

/// The methods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
    /// `PATCH`.
    Patch,
}

impl Method {
    /// Reads a name, in upper case as HTTP writes it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "PATCH" => Self::Patch,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
        }
    }
}

/// What an origin answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status, 100 to 999.
    pub status: u16,
    /// Names, in any case, and values, in the order received; a name may come again.
    pub headers: Vec<(String, String)>,
    /// The body, at most [`Request::response_len_max`] long.
    pub body: Vec<u8>,
}

/// Why there is no response. No variant repeats any part of the request, which may be secret.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The host is at an address that is not public.
    #[error("the host is at {address}, which is not a public address")]
    ForbiddenAddress {
        /// The first such address.
        address: IpAddr,
    },
    /// The name is at no address, or nobody listens there, or whoever does hangs up.
    #[error("the host cannot be reached")]
    Unreachable,
    /// It took too long.
    #[error("no response within {} ms", timeout.as_millis())]
    Timeout {
        /// The limit.
        timeout: Duration,
    },
    /// The body goes on.
    #[error("a response of more than {len_max} bytes, the limit is {len_max}")]
    ResponseTooLong {
        /// The limit, bytes.
        len_max: usize,
    },
    /// The connection, the handshake or the protocol failed.
    #[error("the exchange failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TransportError {
    /// As a node's workflow is told.
    fn told(&self) -> CapabilityError {
        match self {
            Self::ForbiddenAddress { .. } => {
                CapabilityError::user(Code::PermissionDenied, self.to_string())
            }
            Self::Unreachable => CapabilityError::system(Code::Unavailable, self.to_string()),
            Self::Timeout { .. } => {
                CapabilityError::system(Code::DeadlineExceeded, self.to_string())
            }
            Self::ResponseTooLong { .. } => {
                CapabilityError::user(Code::LimitExceeded, self.to_string())
            }
            Self::Failed(source) => {
                CapabilityError::system(Code::Unavailable, format!("{self}: {source}"))
            }
        }
    }

    /// As an enclave tells it: what the origin or the network did is a response of a gateway's. The cause of
    /// anything else may quote the request, which is secret, so it is left out.
    fn told_by_enclave(&self) -> Result<Response, CapabilityError> {
        let (status, body) = match self {
            Self::Timeout { .. } => (504, "upstream request timed out"),
            Self::Unreachable => (502, "upstream host unreachable"),
            Self::ForbiddenAddress { .. } => {
                (400, "upstream request blocked by enclave network policy")
            }
            Self::ResponseTooLong { .. } => return Err(self.told()),
            Self::Failed(_) => {
                return Err(CapabilityError::system(Code::Unavailable, self.to_string()));
            }
        };
        Ok(Response { status, headers: Vec::new(), body: body.into() })
    }
}

/// Whether an address is reachable from anywhere, hence nobody's inner network: neither private, shared,
/// link-local, loopback, unspecified, reserved for documentation or benchmarks, nor multicast. An IPv6
/// address that carries an IPv4 address in it counts only if mapped, and as what it carries; translated and
/// tunnelled ones are refused.
///
/// Source: the IANA special-purpose address registries (RFC 6890).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_this_network = a == 0;
    let is_shared = a == 100 && b & 0xc0 == 64;
    let is_protocol_assignment = a == 192 && b == 0 && c == 0;
    let is_benchmark = a == 198 && b & 0xfe == 18;
    let is_multicast_or_reserved = a >= 224;
    !(is_this_network
        || is_shared
        || is_protocol_assignment
        || is_benchmark
        || is_multicast_or_reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation())
}

const fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // 2000::/3 is what is assigned to the public; the rest are its special uses, Teredo and 6to4 among them.
    let is_unicast = a & 0xe000 == 0x2000;
    let is_protocol_assignment = a == 0x2001 && b < 0x200;
    let is_documentation = (a == 0x2001 && b == 0xdb8) || (a == 0x3fff && b < 0x1000);
    let is_6to4 = a == 0x2002;
    is_unicast && !is_protocol_assignment && !is_documentation && !is_6to4
}

/// `http-actions@1.0.0-alpha`.
#[derive(Debug)]
pub struct HttpAction<T> {
    transport: T,
    limits: HttpLimits,
    cache: Cache,
}

impl<T: Transport> HttpAction<T> {
    /// Serves nodes, and a TEE to port 443 only: the DON as a whole has no request of its own to send.
    pub const fn new(transport: T, limits: HttpLimits) -> Self {
        Self { transport, limits, cache: Cache(BTreeMap::new()) }
    }

    fn send(&mut self, call: &Call<'_>) -> Result<wire::Response, CapabilityError> {
        let is_tee = match call.caller {
            Caller::Node(_) => false,
            Caller::Tee(_) => true,
            Caller::Don(_) => {
                let reason = "HTTP requests are a node's, not the DON's";
                return Err(CapabilityError::user(Code::FailedPrecondition, reason));
            }
        };
        within(call.payload.value.len(), self.limits.request_size_max, "an HTTP request")?;
        let mut asked: wire::Request = call.input()?;
        if asked.mtls.is_some() {
            return Err(unimplemented("a client certificate (mtls)"));
        }
        let timeout = timeout_of(asked.timeout.take(), TIMEOUT_DEFAULT, &self.limits)?;
        let wire::CacheSettings { store, max_age } =
            asked.cache_settings.take().unwrap_or_default();
        let age_max = max_age.map_or(Ok(Duration::ZERO), |age| {
            Duration::try_from(age).map_err(|_| invalid("the cache's max_age is negative"))
        })?;
        if age_max > CACHE_AGE_MAX {
            let (asked, most) = (age_max.as_millis(), CACHE_AGE_MAX.as_millis());
            let reason = format!("a cache's max_age of {asked} ms, the limit is {most}");
            return Err(CapabilityError::user(Code::LimitExceeded, reason));
        }
        // Two requests are the same if nothing but their wait and their use of the cache differs.
        let key = sha256(&[&asked.encode_to_vec()]);
        if let Some(response) = self.cache.get(&key, call.now_ns, age_max) {
            return Ok(response);
        }
        let wire::Request { url, method, headers, body, multi_headers, .. } = asked;
        let named: BTreeSet<String> = headers.keys().map(|name| name.to_lowercase()).collect();
        if let Some(name) = multi_headers.keys().find(|name| named.contains(&name.to_lowercase())) {
            return Err(invalid(format!("header {name:?} is in headers and in multi_headers")));
        }
        let several = multi_headers
            .into_iter()
            .flat_map(|(name, values)| values.values.into_iter().map(move |v| (name.clone(), v)));
        let request = Request {
            method: method_of(&method)?,
            url,
            headers: headers.into_iter().chain(several).collect(),
            body,
            timeout,
            response_len_max: self.limits.response_size_max,
        };
        let target = check(&request, self.transport.loopback())?;
        if is_tee && !target.is_loopback && target.port != HTTPS_PORT {
            let port = target.port;
            let reason = format!("port {port}, a TEE's requests go to {HTTPS_PORT} only");
            return Err(CapabilityError::user(Code::PermissionDenied, reason));
        }
        let response = self.transport.send(&request).map_err(|error| error.told())?;
        let Response { status, headers, body } = accept(response, &request)?;
        let grouped = grouped(headers);
        let response = wire::Response {
            status_code: status.into(),
            headers: grouped.iter().map(|(name, all)| (name.clone(), all.join(", "))).collect(),
            body,
            multi_headers: grouped
                .into_iter()
                .map(|(name, values)| (name, wire::HeaderValues { values }))
                .collect(),
        };
        if store && matches!(status, 200..300 | 400..500) {
            self.cache.put(key, call.now_ns, &response);
        }
        Ok(response)
    }
}

/// Responses that a workflow let others reuse, by the hash of the request, with the DON's time in
/// nanoseconds. Chainlink's is its gateway's, shared by all nodes; so is this.
#[derive(Debug)]
struct Cache(BTreeMap<[u8; 32], (u64, wire::Response)>);

impl Cache {
    fn get(&self, key: &[u8; 32], now_ns: u64, age_max: Duration) -> Option<wire::Response> {
        let (stored_ns, response) = self.0.get(key)?;
        let age = Duration::from_nanos(now_ns.saturating_sub(*stored_ns));
        (age < age_max).then(|| response.clone())
    }

    /// The first response stays until it is too old for anybody.
    fn put(&mut self, key: [u8; 32], now_ns: u64, response: &wire::Response) {
        let is_fresh =
            |stored: u64| Duration::from_nanos(now_ns.saturating_sub(stored)) < CACHE_AGE_MAX;
        self.0.retain(|_, (stored_ns, _)| is_fresh(*stored_ns));
        self.0.entry(key).or_insert_with(|| (now_ns, response.clone()));
    }
}

/// In the answer, names of headers are written as Go writes them (`Content-Type`), which the real nodes are
/// in; `headers` joins what came several times with `", "`, in the order received.
impl<T: Transport> Capability for HttpAction<T> {
    fn call(&mut self, call: &Call<'_>) -> Result<Any, CapabilityError> {
        match call.method {
            SEND_REQUEST => Ok(pack(&self.send(call)?)),
            _ => Err(call.unknown_method()),
        }
    }
}

/// `confidential-http@1.0.0-alpha`: one request of the DON, with its owner's secrets in it.
///
/// URL and `body_bytes` are sent as they are. What a key is filled with is not looked at again for keys. With
/// `encrypt_output`, the response's body is `nonce (12 bytes) ‖ AES-256-GCM ciphertext ‖ tag (16)` under the
/// secret `san_marino_aes_gcm_encryption_key`, which must be named then, and only then; no template sees it.
#[derive(Debug)]
pub struct ConfidentialHttp<T> {
    transport: T,
    secrets: Secrets,
    limits: HttpLimits,
}

impl<T: Transport> ConfidentialHttp<T> {
    /// Fills in `secrets`, as the vault would release them.
    pub const fn new(transport: T, secrets: Secrets, limits: HttpLimits) -> Self {
        Self { transport, secrets, limits }
    }

    fn send(&mut self, call: &Call<'_>) -> Result<confidential::HttpResponse, CapabilityError> {
        if matches!(call.caller, Caller::Node(_)) {
            let reason = "confidential HTTP requests are the DON's, not a node's";
            return Err(CapabilityError::user(Code::FailedPrecondition, reason));
        }
        const WHAT: &str = "a confidential HTTP request";
        within(call.payload.value.len(), self.limits.request_size_max, WHAT)?;
        let input: confidential::ConfidentialHttpRequest = call.input()?;
        let asked = input.request.ok_or_else(|| invalid("no request"))?;
        if !asked.custom_root_ca_cert_pem.is_empty() {
            return Err(unimplemented("a root certificate (custom_root_ca_cert_pem)"));
        }
        if asked.url.contains("{{") {
            return Err(invalid("a template in the URL: only headers and the body are filled in"));
        }
        let mut values = self.values(&input.vault_don_secrets, &asked.template_public_values)?;
        let is_named = input.vault_don_secrets.iter().any(|secret| secret.key == ENCRYPTION_KEY);
        let digits = if is_named { values.remove(ENCRYPTION_KEY) } else { None };
        let key = match (asked.encrypt_output, digits) {
            (true, Some(digits)) => Some(encryption_key(digits)?),
            (true, None) => {
                return Err(invalid("encryption requested but no AES-GCM key in secrets"));
            }
            (false, Some(_)) => {
                return Err(invalid("AES-GCM key present but encryption not requested"));
            }
            (false, None) => None,
        };
        let mut headers = Vec::new();
        for (name, several) in &asked.multi_headers {
            for value in &several.values {
                headers.push((name.clone(), fill(value, &values)?));
            }
        }
        let body = match &asked.body {
            Some(confidential::http_request::Body::BodyString(text)) => {
                fill(text, &values)?.into_bytes()
            }
            Some(confidential::http_request::Body::BodyBytes(bytes)) => bytes.clone(),
            None => Vec::new(),
        };
        let request = Request {
            method: method_of(&asked.method)?,
            url: asked.url,
            headers,
            body,
            timeout: timeout_of(asked.timeout, CONFIDENTIAL_TIMEOUT_DEFAULT, &self.limits)?,
            response_len_max: self.limits.response_size_max,
        };
        let headers_len: usize = request.headers.iter().map(|(n, v)| n.len() + v.len()).sum();
        let len = request.url.len() + headers_len + request.body.len();
        within(len, self.limits.request_size_max, "a confidential HTTP request, filled in,")?;
        check(&request, self.transport.loopback())?;
        let response = match self.transport.send(&request) {
            Ok(response) => accept(response, &request)?,
            Err(error) => error.told_by_enclave()?,
        };
        let Response { status, headers, body } = response;
        Ok(confidential::HttpResponse {
            status_code: status.into(),
            body: match key {
                Some(key) => seal(&key, call.execution_id, body)?,
                None => body,
            },
            multi_headers: grouped(headers)
                .into_iter()
                .map(|(name, values)| (name, confidential::HeaderValues { values }))
                .collect(),
        })
    }

    /// What keys stand for.
    fn values<'a>(
        &'a self,
        asked: &'a [confidential::SecretIdentifier],
        public: &'a BTreeMap<String, String>,
    ) -> Result<BTreeMap<&'a str, &'a str>, CapabilityError> {
        let mut values: BTreeMap<&str, &str> =
            public.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        for confidential::SecretIdentifier { key, namespace, owner } in asked {
            let owner = owner.as_deref().unwrap_or_default();
            let is_other = !owner.eq_ignore_ascii_case(self.secrets.owner());
            if is_other && !owner.is_empty() && !self.secrets.owner().is_empty() {
                let reason = format!("secret {key:?} is of {owner:?}, not of the workflow's owner");
                return Err(CapabilityError::user(Code::PermissionDenied, reason));
            }
            let value = self.secrets.get(namespace, key).ok_or_else(|| {
                CapabilityError::user(Code::NotFound, format!("could not find secret {key:?}"))
            })?;
            if values.insert(key, value).is_some() {
                return Err(invalid(format!("key {key:?} stands for two values")));
            }
        }
        Ok(values)
    }
}

impl<T: Transport> Capability for ConfidentialHttp<T> {
    fn call(&mut self, call: &Call<'_>) -> Result<Any, CapabilityError> {
        match call.method {
            SEND_REQUEST => Ok(pack(&self.send(call)?)),
            _ => Err(call.unknown_method()),
        }
    }
}

/// Puts values in place of `{{.key}}`, the one action of Go's templates that is read.
fn fill(template: &str, values: &BTreeMap<&str, &str>) -> Result<String, CapabilityError> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) =
            after.split_once("}}").ok_or_else(|| invalid("a template has {{ without }}"))?;
        let key = action.trim().strip_prefix('.').ok_or_else(|| {
            invalid(format!("{{{{{action}}}}} in a template is not of the form {{{{.key}}}}"))
        })?;
        let value = values.get(key).ok_or_else(|| {
            invalid(format!("key {key:?} of a template is neither a secret nor a public value"))
        })?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn method_of(name: &str) -> Result<Method, CapabilityError> {
    Method::named(name).ok_or_else(|| {
        invalid(format!("method {name:?} is none of GET, POST, PUT, DELETE and PATCH"))
    })
}

/// Reads a key of 64 hexadecimal digits.
fn encryption_key(digits: &str) -> Result<Zeroizing<[u8; 32]>, CapabilityError> {
    let mut key = Zeroizing::new([0; 32]);
    match hex::decode_to_slice(digits, key.as_mut()) {
        // A prefix of 0x is read over, and no digit of the 64.
        Ok(()) if digits.len() == 64 => Ok(key),
        Ok(()) | Err(_) => {
            Err(invalid(format!("secret {ENCRYPTION_KEY:?} is not 64 hexadecimal digits")))
        }
    }
}

/// Encrypts a response's body: nonce, ciphertext, tag. The nonce follows from what is encrypted, so the same
/// execution gives the same bytes and no other text ever meets the same nonce.
fn seal(
    key: &[u8; 32],
    execution_id: &[u8; 32],
    mut body: Vec<u8>,
) -> Result<Vec<u8>, CapabilityError> {
    let failed = |_| CapabilityError::system(Code::Internal, "the response cannot be encrypted");
    let digest = sha256(&[b"cdpr/confidential-http/nonce/v1", key, execution_id, &body]);
    let mut nonce = [0; 12];
    nonce.copy_from_slice(&digest[..12]);
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(failed)?);
    let nonce_of = Nonce::assume_unique_for_key(nonce);
    cipher.seal_in_place_append_tag(nonce_of, Aad::empty(), &mut body).map_err(failed)?;
    Ok([&nonce[..], &body].concat())
}

/// How long to wait: what was asked for, or `default`, or as long as there is.
fn timeout_of(
    asked: Option<cre::messages::Duration>,
    default: Duration,
    limits: &HttpLimits,
) -> Result<Duration, CapabilityError> {
    let most = limits.connect_time_max;
    let asked = asked.unwrap_or_default();
    let asked = Duration::try_from(asked).map_err(|_| invalid("the timeout is negative"))?;
    if asked.is_zero() {
        return Ok(default.min(most));
    }
    if asked > most {
        let (asked, most) = (asked.as_millis(), most.as_millis());
        let reason = format!("a timeout of {asked} ms, the limit is {most}");
        return Err(CapabilityError::user(Code::LimitExceeded, reason));
    }
    Ok(asked)
}

/// Where a request goes.
struct Target {
    is_loopback: bool,
    port: u16,
}

/// Refuses what must not be sent. The texts quote names of headers, which are no template's, and nothing else.
fn check(request: &Request, loopback: Loopback) -> Result<Target, CapabilityError> {
    for (name, value) in &request.headers {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(invalid(format!("{name:?} is not the name of a header")));
        }
        if TRANSPORT_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(invalid(format!("header {name:?} is not a workflow's to set")));
        }
        if value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(invalid(format!("header {name:?} has a control character in its value")));
        }
    }
    let (is_https, target) = target(&request.url).map_err(invalid)?;
    if target.is_loopback && loopback == Loopback::Refused {
        return Err(CapabilityError::user(
            Code::PermissionDenied,
            "a loopback host, which is not allowed",
        ));
    }
    if !is_https && !target.is_loopback {
        return Err(CapabilityError::user(
            Code::PermissionDenied,
            "the URL is not https, which every host but an allowed loopback one must be asked by",
        ));
    }
    Ok(target)
}

/// RFC 9110, section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// Whether a URL is of HTTPS, and where it leads. Stricter than RFC 3986, so that no transport reads another
/// host than this does: no user, no backslash, no host outside ASCII.
fn target(url: &str) -> Result<(bool, Target), &'static str> {
    if !url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err("the URL has a character that must be percent-encoded");
    }
    let (scheme, rest) = url.split_once("://").ok_or("the URL is not absolute")?;
    let (is_https, port_default) = match scheme.to_ascii_lowercase().as_str() {
        "https" => (true, HTTPS_PORT),
        "http" => (false, 80),
        _ => return Err("the URL is neither https nor http"),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("the URL names a user");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("the URL's host has [ without ]")?;
            if host.parse::<Ipv6Addr>().is_err() {
                return Err("the URL's host is not an IPv6 address");
            }
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err("the URL's host is followed by something else than a port"),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("the URL has no host");
    }
    let port = match port {
        None => port_default,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().map_err(|_| "the URL's port is not 1 to 65535")?
        }
        Some(_) => return Err("the URL's port is not a number"),
    };
    if port == 0 {
        return Err("the URL's port is not 1 to 65535");
    }
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    Ok((is_https, Target { is_loopback, port }))
}

/// Refuses a response that the workflow may not have.
fn accept(response: Response, request: &Request) -> Result<Response, CapabilityError> {
    within(response.body.len(), request.response_len_max, "a response")?;
    if matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        let reason = format!("the origin redirects ({}), which is not followed", response.status);
        return Err(CapabilityError::user(Code::FailedPrecondition, reason));
    }
    Ok(response)
}

/// Values by name, each name as Go writes it.
fn grouped(headers: Vec<(String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut grouped: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        grouped.entry(canonical(&name)).or_default().push(value);
    }
    grouped
}

fn canonical(name: &str) -> String {
    let mut starts = true;
    name.chars()
        .map(|c| {
            let c = if starts { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            starts = c == '-';
            c
        })
        .collect()
}

fn invalid(reason: impl Into<String>) -> CapabilityError {
    CapabilityError::user(Code::InvalidArgument, reason)
}

fn unimplemented(what: &str) -> CapabilityError {
    CapabilityError::user(Code::Unimplemented, format!("{what} is not implemented"))
}
