//! `http-actions@1.0.0-alpha` over the real network: each simulated node asks for itself.

use std::time::Duration;

use cre::messages::http::{HeaderValues, Request, Response};
use cre::messages::{Any, pack};
use don::{Call, Capability, CapabilityError, Code};
use engine::Limits;
use ureq::Agent;

pub(crate) const ID: &str = "http-actions@1.0.0-alpha";

/// Longest wait of a request that names none. Source: Chainlink's HTTP capability.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// A client. A status is an answer, whatever it is, and a redirect is the workflow's to follow.
pub(crate) fn agent(connect_time_max: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(connect_time_max))
        .user_agent(concat!("cdpr/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// What nodes' HTTP requests go through.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
    response_size_max: u64,
    time_max: Duration,
}

impl Http {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            agent: agent(limits.http.connect_time_max),
            response_size_max: u64::try_from(limits.http.response_size_max).unwrap_or(u64::MAX),
            time_max: limits.call_time_max,
        }
    }

    fn send(&self, asked: &Request) -> Result<Response, CapabilityError> {
        let invalid = |error: &dyn std::fmt::Display| {
            CapabilityError::user(Code::InvalidArgument, format!("{}: {error}", asked.url))
        };
        if asked.mtls.is_some() {
            let message = "mutual TLS is not simulated";
            return Err(CapabilityError::user(Code::Unimplemented, message));
        }
        let method = if asked.method.is_empty() { "GET" } else { &asked.method };
        let mut request = ureq::http::Request::builder().method(method).uri(&asked.url);
        if asked.multi_headers.is_empty() {
            for (name, value) in &asked.headers {
                request = request.header(name, value);
            }
        }
        for (name, values) in &asked.multi_headers {
            for value in &values.values {
                request = request.header(name, value);
            }
        }
        let timeout = asked.timeout.as_ref().map_or(TIMEOUT_DEFAULT, |asked| {
            Duration::from_secs(asked.seconds.try_into().unwrap_or_default())
                + Duration::from_nanos(asked.nanos.try_into().unwrap_or_default())
        });
        let timeout = timeout.min(self.time_max);
        // A request whose method takes no body is refused one, even an empty one.
        let answer = if asked.body.is_empty() && !matches!(method, "POST" | "PUT" | "PATCH") {
            let request = request.body(()).map_err(|error| invalid(&error))?;
            let request = self.agent.configure_request(request).timeout_global(Some(timeout));
            self.agent.run(request.build())
        } else {
            let request = request.body(&asked.body[..]).map_err(|error| invalid(&error))?;
            let request = self.agent.configure_request(request).timeout_global(Some(timeout));
            self.agent.run(request.build())
        };
        let failed = |error: ureq::Error| {
            #[allow(clippy::wildcard_enum_match_arm, reason = "ureq's errors are not ours to list")]
            let code = match &error {
                ureq::Error::Timeout(_) => Code::DeadlineExceeded,
                ureq::Error::BodyExceedsLimit(_) => Code::LimitExceeded,
                ureq::Error::BadUri(_) | ureq::Error::Http(_) => Code::InvalidArgument,
                _ => Code::Unavailable,
            };
            let message = format!("{}: {error}", asked.url);
            if code == Code::Unavailable {
                CapabilityError::system(code, message)
            } else {
                CapabilityError::user(code, message)
            }
        };
        let mut answer = answer.map_err(failed)?;
        let mut response =
            Response { status_code: answer.status().as_u16().into(), ..Response::default() };
        for (name, value) in answer.headers() {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let several: &mut HeaderValues =
                response.multi_headers.entry(name.as_str().to_owned()).or_default();
            several.values.push(value);
            response.headers.insert(name.as_str().to_owned(), several.values.join(", "));
        }
        let body = answer.body_mut().with_config().limit(self.response_size_max).read_to_vec();
        response.body = body.map_err(failed)?;
        Ok(response)
    }
}

impl Capability for Http {
    fn call(&mut self, call: &Call<'_>) -> Result<Any, CapabilityError> {
        match call.method {
            "SendRequest" => self.send(&call.input()?).map(|response| pack(&response)),
            _ => Err(call.unknown_method()),
        }
    }
}
