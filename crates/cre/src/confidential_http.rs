//! HTTP from inside an enclave of the DON's: one request in all, with secrets that no node sees.

use crate::messages::confidential_http::http_request;
use crate::promise::Promise;
use crate::runtime::Runtime;

pub use crate::messages::confidential_http::{
    ConfidentialHttpRequest, HeaderValues, HttpRequest, HttpResponse, SecretIdentifier,
};

/// Capability id.
pub const ID: &str = "confidential-http@1.0.0-alpha";

impl HttpRequest {
    /// A GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self { url: url.into(), method: "GET".to_owned(), ..Self::default() }
    }

    /// A POST. `{{.KEY}}` stands for a secret.
    pub fn post(url: impl Into<String>, body: impl Into<String>) -> Self {
        let body = Some(http_request::Body::BodyString(body.into()));
        Self { body, method: "POST".to_owned(), ..Self::get(url) }
    }

    /// With a header, of one value or several. `{{.KEY}}` stands for a secret.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.multi_headers.entry(name.into()).or_default().values.push(value.into());
        self
    }

    /// With the secrets that its templates name.
    pub fn with_secrets(
        self,
        secrets: impl IntoIterator<Item = SecretIdentifier>,
    ) -> ConfidentialHttpRequest {
        let vault_don_secrets = secrets.into_iter().collect();
        ConfidentialHttpRequest { vault_don_secrets, request: Some(self) }
    }
}

impl ConfidentialHttpRequest {
    /// Sends it, once for the whole DON.
    pub fn send(&self, runtime: &Runtime) -> Promise<HttpResponse> {
        runtime.call(ID, "SendRequest", self)
    }
}
