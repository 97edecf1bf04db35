//! What a run may do, as a pre-hook says it.

use crate::messages::sdk::{
    CapabilityRestriction, CapabilityRestrictionType, CapabilityRestrictions, MethodRestriction,
    Secret, SecretPrefixRestriction, SecretRestriction, SecretsRestritions, capability_restriction,
    secret_restriction,
};
use crate::secret::SecretId;

pub use crate::messages::sdk::Restrictions;

impl Restrictions {
    /// No restriction at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// Restricts calls.
    pub fn calls(mut self, calls: Calls) -> Self {
        self.capabilities = Some(calls.0);
        self
    }

    /// Restricts secrets.
    pub fn secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = Some(secrets.0);
        self
    }
}

/// Which calls a run may make.
#[derive(Debug, Clone, PartialEq)]
pub struct Calls(CapabilityRestrictions);

impl Calls {
    /// Only methods that are named, and `max_total` calls in all. 0 is none.
    pub fn only(max_total: u32) -> Self {
        Self::of(CapabilityRestrictionType::Closed, max_total)
    }

    /// Any method, those that are named no more than they may, and `max_total` calls in all. 0 is none.
    pub fn any(max_total: u32) -> Self {
        Self::of(CapabilityRestrictionType::Open, max_total)
    }

    /// Names a method, and how often it may be called.
    pub fn method(
        mut self,
        id: impl Into<String>,
        method: impl Into<String>,
        max_calls: u32,
    ) -> Self {
        let method = MethodRestriction { id: id.into(), method: method.into(), max_calls };
        self.0.restrictions.push(CapabilityRestriction {
            restriction: Some(capability_restriction::Restriction::Method(method)),
        });
        self
    }

    fn of(r#type: CapabilityRestrictionType, max_total_calls: u32) -> Self {
        Self(CapabilityRestrictions {
            restrictions: Vec::new(),
            max_total_calls,
            r#type: r#type as i32,
        })
    }
}

/// Which secrets a run may fetch.
#[derive(Clone, PartialEq)]
pub struct Secrets(SecretsRestritions);

impl Secrets {
    /// Only those that are named, and `max` of them.
    pub fn only(max: u32) -> Self {
        Self(SecretsRestritions { restrictions: Vec::new(), max_secrets: max })
    }

    /// Names one.
    pub fn exact(self, id: impl Into<SecretId>) -> Self {
        let SecretId { namespace, id } = id.into();
        self.push(secret_restriction::Restriction::ExactSecret(Secret {
            id,
            namespace,
            owner: String::new(),
            value: String::new(),
        }))
    }

    /// Names all of a namespace whose ids start with `prefix`, and how many of them.
    pub fn prefix(
        self,
        namespace: impl Into<String>,
        prefix: impl Into<String>,
        max_secrets: u32,
    ) -> Self {
        self.push(secret_restriction::Restriction::PrefixedSecret(SecretPrefixRestriction {
            prefix: prefix.into(),
            namespace: namespace.into(),
            max_secrets,
        }))
    }

    fn push(mut self, restriction: secret_restriction::Restriction) -> Self {
        self.0.restrictions.push(SecretRestriction { restriction: Some(restriction) });
        self
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({} of {} named)", self.0.max_secrets, self.0.restrictions.len())
    }
}
