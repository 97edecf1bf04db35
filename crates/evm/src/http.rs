//! A node over plain HTTP.

use alloy::providers::{DynProvider, Provider as _, ProviderBuilder};

/// The URL of a node does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is not a URL: {reason}")]
pub struct UrlError {
    /// As given.
    pub url: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A provider without fillers for a node over plain HTTP; this build has no TLS.
///
/// # Errors
/// If `url` does not parse. Nothing is asked of the node yet.
pub fn connect_http(url: &str) -> Result<DynProvider, UrlError> {
    let parsed = url
        .parse()
        .map_err(|error| UrlError { url: url.to_owned(), reason: format!("{error}") })?;
    Ok(ProviderBuilder::new().disable_recommended_fillers().connect_http(parsed).erased())
}
