//! Secrets of a workflow's owner, as a DON's vault would release them.

use std::collections::BTreeMap;
use std::fmt;

use cre::messages::sdk::{Secret, SecretError, SecretRequest, SecretResponse, secret_response};
use zeroize::Zeroizing;

/// The namespace of a request that names none.
pub const DEFAULT_NAMESPACE: &str = "main";

/// One owner's secrets, by namespace and id.
#[derive(Default, Clone)]
pub struct Secrets {
    owner: String,
    values: BTreeMap<(String, String), Zeroizing<String>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Secrets({} of {})", self.values.len(), self.owner)
    }
}

impl Secrets {
    /// No secrets yet. `owner` is told to the workflow with each; empty is whoever the workflow says.
    pub fn new(owner: impl Into<String>) -> Self {
        Self { owner: owner.into(), values: BTreeMap::new() }
    }

    /// Adds one. An empty namespace is [`DEFAULT_NAMESPACE`].
    pub fn insert(&mut self, namespace: &str, id: impl Into<String>, value: impl Into<String>) {
        let key = (namespace_or_default(namespace).to_owned(), id.into());
        self.values.insert(key, Zeroizing::new(value.into()));
    }

    /// Whose they are.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Looks one up.
    #[must_use]
    pub fn get(&self, namespace: &str, id: &str) -> Option<&str> {
        let key = (namespace_or_default(namespace).to_owned(), id.to_owned());
        self.values.get(&key).map(|value| value.as_str())
    }

    /// The answer to one request.
    #[must_use]
    pub fn answer(&self, request: &SecretRequest) -> SecretResponse {
        match self.get(&request.namespace, &request.id) {
            Some(value) => SecretResponse {
                response: Some(secret_response::Response::Secret(Secret {
                    id: request.id.clone(),
                    namespace: namespace_or_default(&request.namespace).to_owned(),
                    owner: self.owner.clone(),
                    value: value.to_owned(),
                })),
            },
            None => refusal(request, &self.owner, "could not find secret".to_owned()),
        }
    }
}

/// A secret that is not given, and why.
pub(crate) fn refusal(request: &SecretRequest, owner: &str, error: String) -> SecretResponse {
    SecretResponse {
        response: Some(secret_response::Response::Error(SecretError {
            id: request.id.clone(),
            namespace: namespace_or_default(&request.namespace).to_owned(),
            owner: owner.to_owned(),
            error,
        })),
    }
}

pub(crate) fn namespace_or_default(namespace: &str) -> &str {
    if namespace.is_empty() { DEFAULT_NAMESPACE } else { namespace }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_found_in_its_namespace_only_and_never_printed() {
        let mut secrets = Secrets::new("0xowner");
        secrets.insert("", "Foo", "Bar");
        secrets.insert("darkpool", "Foo", "Baz");
        let ask = |namespace: &str, id: &str| {
            secrets.answer(&SecretRequest { id: id.into(), namespace: namespace.into() }).response
        };
        let Some(secret_response::Response::Secret(found)) = ask("", "Foo") else {
            panic!("not found")
        };
        assert_eq!((found.value.as_str(), found.namespace.as_str()), ("Bar", "main"));
        assert_eq!(secrets.get("darkpool", "Foo"), Some("Baz"));
        let Some(secret_response::Response::Error(error)) = ask("", "Other") else {
            panic!("found")
        };
        assert_eq!(error.error, "could not find secret");
        assert!(!format!("{secrets:?}").contains("Ba"));
    }
}
