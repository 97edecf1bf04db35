//! `capabilities.networking.confidentialhttp.v1alpha`.

use std::collections::BTreeMap;

/// `capabilities.networking.confidentialhttp.v1alpha.SecretIdentifier`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SecretIdentifier {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub namespace: String,
    #[prost(string, optional, tag = "3")]
    pub owner: Option<String>,
}

/// `capabilities.networking.confidentialhttp.v1alpha.HeaderValues`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HeaderValues {
    #[prost(string, repeated, tag = "1")]
    pub values: Vec<String>,
}

/// `capabilities.networking.confidentialhttp.v1alpha.HTTPRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HttpRequest {
    #[prost(string, tag = "1")]
    pub url: String,
    #[prost(string, tag = "2")]
    pub method: String,
    #[prost(oneof = "http_request::Body", tags = "3, 8")]
    pub body: Option<http_request::Body>,
    #[prost(btree_map = "string, message", tag = "4")]
    pub multi_headers: BTreeMap<String, HeaderValues>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub template_public_values: BTreeMap<String, String>,
    #[prost(bytes = "vec", tag = "6")]
    pub custom_root_ca_cert_pem: Vec<u8>,
    #[prost(message, optional, tag = "7")]
    pub timeout: Option<prost_types::Duration>,
    #[prost(bool, tag = "9")]
    pub encrypt_output: bool,
}

/// The choices inside [`HttpRequest`].
pub mod http_request {
    /// `body`.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Body {
        #[prost(string, tag = "3")]
        BodyString(String),
        #[prost(bytes = "vec", tag = "8")]
        BodyBytes(Vec<u8>),
    }
}

/// `capabilities.networking.confidentialhttp.v1alpha.HTTPResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HttpResponse {
    #[prost(uint32, tag = "1")]
    pub status_code: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub body: Vec<u8>,
    #[prost(btree_map = "string, message", tag = "3")]
    pub multi_headers: BTreeMap<String, HeaderValues>,
}

/// `capabilities.networking.confidentialhttp.v1alpha.ConfidentialHTTPRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfidentialHttpRequest {
    #[prost(message, repeated, tag = "1")]
    pub vault_don_secrets: Vec<SecretIdentifier>,
    #[prost(message, optional, tag = "2")]
    pub request: Option<HttpRequest>,
}

named! {
    "capabilities.networking.confidentialhttp.v1alpha":
    SecretIdentifier = "SecretIdentifier", HeaderValues = "HeaderValues", HttpRequest = "HTTPRequest", HttpResponse = "HTTPResponse", ConfidentialHttpRequest = "ConfidentialHTTPRequest"
}
