//! Secrets of the workflow's owner.

use std::fmt;

/// The namespace that is meant when none is named.
pub const NAMESPACE: &str = "main";

/// Which secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretId {
    /// Its namespace.
    pub namespace: String,
    /// Its id within the namespace.
    pub id: String,
}

impl SecretId {
    /// A secret of a namespace.
    pub fn new(namespace: impl Into<String>, id: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), id: id.into() }
    }
}

impl From<&str> for SecretId {
    /// A secret of the namespace [`NAMESPACE`].
    fn from(id: &str) -> Self {
        Self::new(NAMESPACE, id)
    }
}

/// A secret. Its `Debug` says which, never what.
#[derive(Clone)]
pub struct Secret {
    id: SecretId,
    owner: String,
    value: String,
}

impl Secret {
    pub(crate) fn new(id: SecretId, owner: String, value: String) -> Self {
        Self { id, owner, value }
    }

    /// Which secret it is.
    pub fn id(&self) -> &SecretId {
        &self.id
    }

    /// Whose it is, as the host says: hexadecimal.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}/{}, {} bytes)", self.id.namespace, self.id.id, self.value.len())
    }
}
