//! HTTP: as a trigger, and as an action of a node or of a TEE.

use crate::messages::http::{AuthorizedKey, Config, KeyType};
use crate::promise::Promise;
use crate::runtime::HttpRuntime;
use crate::workflow::Trigger;

pub use crate::messages::http::{
    CacheSettings, HeaderValues, MtlsAuth, Payload, Request, Response,
};

/// Id of the trigger capability.
pub const TRIGGER_ID: &str = "http-trigger@1.0.0-alpha";
/// Id of the action capability.
pub const ACTION_ID: &str = "http-actions@1.0.0-alpha";

/// Fires when a request arrives that is signed by one of the keys: EVM addresses, `0x` and 40 hexadecimal digits.
/// Production takes none without keys.
pub fn trigger<K: Into<String>>(authorized_keys: impl IntoIterator<Item = K>) -> Trigger<Payload> {
    let key = |key: K| AuthorizedKey { r#type: KeyType::EcdsaEvm as i32, public_key: key.into() };
    let config = Config { authorized_keys: authorized_keys.into_iter().map(key).collect() };
    Trigger::new(TRIGGER_ID, "Trigger", &config)
}

impl Request {
    /// A GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self { url: url.into(), method: "GET".to_owned(), ..Self::default() }
    }

    /// A POST.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), method: "POST".to_owned(), ..Self::get(url) }
    }

    /// With a header, of one value or several.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.multi_headers.entry(name.into()).or_default().values.push(value.into());
        self
    }

    /// Sends it: each node by itself, or a TEE once.
    pub fn send(&self, runtime: &impl HttpRuntime) -> Promise<Response> {
        runtime.call_http(ACTION_ID, "SendRequest", self)
    }
}
