//! `capabilities.networking.http.v1alpha`.

use std::collections::BTreeMap;

/// `capabilities.networking.http.v1alpha.CacheSettings`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CacheSettings {
    #[prost(bool, tag = "1")]
    pub store: bool,
    #[prost(message, optional, tag = "2")]
    pub max_age: Option<prost_types::Duration>,
}

/// `capabilities.networking.http.v1alpha.HeaderValues`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct HeaderValues {
    #[prost(string, repeated, tag = "1")]
    pub values: Vec<String>,
}

/// `capabilities.networking.http.v1alpha.MtlsAuth`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MtlsAuth {
    #[prost(bytes = "vec", tag = "1")]
    pub private_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub certificate: Vec<u8>,
}

/// `capabilities.networking.http.v1alpha.Request`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    #[prost(string, tag = "1")]
    pub url: String,
    #[prost(string, tag = "2")]
    pub method: String,
    #[prost(btree_map = "string, string", tag = "3")]
    pub headers: BTreeMap<String, String>,
    #[prost(bytes = "vec", tag = "4")]
    pub body: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub timeout: Option<prost_types::Duration>,
    #[prost(message, optional, tag = "6")]
    pub cache_settings: Option<CacheSettings>,
    #[prost(btree_map = "string, message", tag = "7")]
    pub multi_headers: BTreeMap<String, HeaderValues>,
    #[prost(message, optional, tag = "8")]
    pub mtls: Option<MtlsAuth>,
}

/// `capabilities.networking.http.v1alpha.Response`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Response {
    #[prost(uint32, tag = "1")]
    pub status_code: u32,
    #[prost(btree_map = "string, string", tag = "2")]
    pub headers: BTreeMap<String, String>,
    #[prost(bytes = "vec", tag = "3")]
    pub body: Vec<u8>,
    #[prost(btree_map = "string, message", tag = "4")]
    pub multi_headers: BTreeMap<String, HeaderValues>,
}

/// `capabilities.networking.http.v1alpha.Config`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Config {
    #[prost(message, repeated, tag = "1")]
    pub authorized_keys: Vec<AuthorizedKey>,
}

/// `capabilities.networking.http.v1alpha.Payload`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Payload {
    #[prost(bytes = "vec", tag = "1")]
    pub input: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub key: Option<AuthorizedKey>,
}

/// `capabilities.networking.http.v1alpha.KeyType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum KeyType {
    Unspecified = 0,
    EcdsaEvm = 1,
}

/// `capabilities.networking.http.v1alpha.AuthorizedKey`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AuthorizedKey {
    #[prost(enumeration = "KeyType", tag = "1")]
    pub r#type: i32,
    #[prost(string, tag = "2")]
    pub public_key: String,
}

named! {
    "capabilities.networking.http.v1alpha":
    CacheSettings = "CacheSettings", HeaderValues = "HeaderValues", MtlsAuth = "MtlsAuth", Request = "Request", Response = "Response", Config = "Config", Payload = "Payload", AuthorizedKey = "AuthorizedKey"
}
