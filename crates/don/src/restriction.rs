//! What a workflow's pre-hook allows the trigger's handler to do.
//!
//! Counters go down with each use; none left is a denial. A closed list allows only the methods on it, an
//! open one allows others too. Of two entries for a method the stricter counts. A total of zero allows
//! nothing at all. Secrets that a confidential HTTP request names count as secrets.

use std::collections::BTreeMap;

use cre::messages::sdk::{
    CapabilityRequest, CapabilityRestrictionType, Restrictions, SecretRequest,
    capability_restriction, secret_restriction,
};
use cre::messages::{confidential_http, unpack};
use prost::Name as _;

use crate::{CapabilityError, Code};

/// What is left of the restrictions of one execution.
#[derive(Debug, Default)]
pub struct Allowance {
    calls: Option<Calls>,
    secrets: Option<SecretReads>,
}

#[derive(Debug)]
struct Calls {
    left: u32,
    open: bool,
    methods: BTreeMap<(String, String), u32>,
}

#[derive(Debug)]
struct SecretReads {
    left: u32,
    exact: Vec<(String, String)>,
    /// Prefix, namespace, reads left.
    prefixes: Vec<(String, String, u32)>,
}

impl Allowance {
    /// All that `restrictions` allow.
    #[must_use]
    pub fn new(restrictions: &Restrictions) -> Self {
        let calls = restrictions.capabilities.as_ref().map(|given| {
            let mut methods = BTreeMap::new();
            for restriction in &given.restrictions {
                let Some(capability_restriction::Restriction::Method(method)) =
                    &restriction.restriction
                else {
                    continue;
                };
                let left = methods
                    .entry((method.id.clone(), method.method.clone()))
                    .or_insert(method.max_calls);
                *left = method.max_calls.min(*left);
            }
            Calls {
                left: given.max_total_calls,
                open: given.r#type == CapabilityRestrictionType::Open as i32,
                methods,
            }
        });
        let secrets = restrictions.secrets.as_ref().map(|given| {
            let mut secrets =
                SecretReads { left: given.max_secrets, exact: Vec::new(), prefixes: Vec::new() };
            for restriction in &given.restrictions {
                match &restriction.restriction {
                    Some(secret_restriction::Restriction::ExactSecret(secret)) => {
                        secrets.exact.push((secret.id.clone(), secret.namespace.clone()));
                    }
                    Some(secret_restriction::Restriction::PrefixedSecret(prefixed)) => {
                        let prefix = prefixed.prefix.clone();
                        let namespace = prefixed.namespace.clone();
                        secrets.prefixes.push((prefix, namespace, prefixed.max_secrets));
                    }
                    None => {}
                }
            }
            secrets
        });
        Self { calls, secrets }
    }

    /// Uses up one call.
    ///
    /// # Errors
    /// [`Code::LimitExceeded`] with Chainlink's text.
    pub fn call(&mut self, request: &CapabilityRequest) -> Result<(), CapabilityError> {
        if self.allows(request) {
            return Ok(());
        }
        let CapabilityRequest { id, method, .. } = request;
        let message = format!("call denied by user pre-hook restrictions: {id} {method}");
        Err(CapabilityError::user(Code::LimitExceeded, message))
    }

    /// Uses up one secret.
    ///
    /// # Errors
    /// Chainlink's text.
    pub fn secret(&mut self, request: &SecretRequest) -> Result<(), String> {
        if self.allows_secret(&request.id, &request.namespace) {
            return Ok(());
        }
        let SecretRequest { id, namespace } = request;
        // Go's %q and Rust's Debug agree on printable text.
        Err(format!(
            "secret {id:?} in namespace {namespace:?} denied by user pre-hook restrictions"
        ))
    }

    fn allows(&mut self, request: &CapabilityRequest) -> bool {
        if self.calls.is_none() {
            return true;
        }
        if self.calls.as_ref().is_some_and(|calls| calls.left == 0) {
            return false;
        }
        if !self.allows_secrets_of(request) {
            return false;
        }
        let Some(calls) = &mut self.calls else { return true };
        match calls.methods.get_mut(&(request.id.clone(), request.method.clone())) {
            None if !calls.open => return false,
            None => {}
            Some(0) => return false,
            Some(left) => *left -= 1,
        }
        calls.left -= 1;
        true
    }

    fn allows_secrets_of(&mut self, request: &CapabilityRequest) -> bool {
        let Some(payload) = &request.payload else { return true };
        let name = payload.type_url.rsplit('/').next().unwrap_or_default();
        if name != confidential_http::ConfidentialHttpRequest::full_name() {
            return true;
        }
        let asked: Result<confidential_http::ConfidentialHttpRequest, _> = unpack(payload);
        asked.is_ok_and(|asked| {
            let secrets = &asked.vault_don_secrets;
            secrets.iter().all(|secret| self.allows_secret(&secret.key, &secret.namespace))
        })
    }

    fn allows_secret(&mut self, id: &str, namespace: &str) -> bool {
        let Some(secrets) = &mut self.secrets else { return true };
        if secrets.left == 0 {
            return false;
        }
        let exact = secrets.exact.iter().any(|known| known.0 == id && known.1 == namespace);
        let matches =
            |entry: &&mut (String, String, u32)| entry.1 == namespace && id.starts_with(&entry.0);
        let mut prefixes: Vec<_> = secrets.prefixes.iter_mut().filter(matches).collect();
        if prefixes.iter().any(|entry| entry.2 == 0) || (!exact && prefixes.is_empty()) {
            return false;
        }
        for entry in &mut prefixes {
            entry.2 -= 1;
        }
        secrets.left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use cre::messages::pack;
    use cre::messages::sdk::{
        CapabilityRestriction, CapabilityRestrictions, MethodRestriction, Secret,
        SecretPrefixRestriction, SecretRestriction, SecretsRestritions,
    };

    use super::*;

    fn request(id: &str, method: &str) -> CapabilityRequest {
        CapabilityRequest { id: id.into(), method: method.into(), ..Default::default() }
    }

    fn capabilities(
        kind: CapabilityRestrictionType,
        max_total_calls: u32,
        methods: &[(&str, &str, u32)],
    ) -> Restrictions {
        let restrictions = methods.iter().map(|(id, method, max_calls)| CapabilityRestriction {
            restriction: Some(capability_restriction::Restriction::Method(MethodRestriction {
                id: (*id).into(),
                method: (*method).into(),
                max_calls: *max_calls,
            })),
        });
        let capabilities = CapabilityRestrictions {
            restrictions: restrictions.collect(),
            max_total_calls,
            r#type: kind as i32,
        };
        Restrictions { secrets: None, capabilities: Some(capabilities) }
    }

    fn secrets(max_secrets: u32) -> SecretsRestritions {
        let exact = Secret { id: "Foo".into(), namespace: "main".into(), ..Default::default() };
        let prefixed = SecretPrefixRestriction {
            prefix: "KEY_".into(),
            namespace: "main".into(),
            max_secrets: 1,
        };
        SecretsRestritions {
            restrictions: vec![
                SecretRestriction {
                    restriction: Some(secret_restriction::Restriction::ExactSecret(exact)),
                },
                SecretRestriction {
                    restriction: Some(secret_restriction::Restriction::PrefixedSecret(prefixed)),
                },
            ],
            max_secrets,
        }
    }

    #[test]
    fn total_of_zero_denies_every_call_in_chainlinks_words() {
        let mut left =
            Allowance::new(&capabilities(CapabilityRestrictionType::Open, 0, &[("a", "b", 9)]));
        assert_eq!(
            left.call(&request("basic-test-action@1.0.0", "PerformAction"))
                .unwrap_err()
                .to_string(),
            "Public:User:LimitExceeded:call denied by user pre-hook restrictions: \
             basic-test-action@1.0.0 PerformAction"
        );
    }

    #[test]
    fn closed_list_denies_what_is_not_on_it_and_an_open_one_does_not() {
        let methods = [("a", "m", 2), ("a", "m", 1)];
        let mut closed =
            Allowance::new(&capabilities(CapabilityRestrictionType::Closed, 9, &methods));
        assert!(closed.call(&request("a", "m")).is_ok());
        assert!(closed.call(&request("a", "m")).is_err(), "the stricter entry counts");
        assert!(closed.call(&request("a", "other")).is_err());
        let mut open = Allowance::new(&capabilities(CapabilityRestrictionType::Open, 2, &methods));
        assert!(open.call(&request("a", "other")).is_ok());
        assert!(open.call(&request("a", "m")).is_ok());
        assert!(open.call(&request("b", "m")).is_err(), "the total is used up");
    }

    #[test]
    fn secrets_are_allowed_by_name_or_prefix_and_counted() {
        let mut left =
            Allowance::new(&Restrictions { secrets: Some(secrets(3)), capabilities: None });
        let mut ask = |id: &str, namespace: &str| {
            left.secret(&SecretRequest { id: id.into(), namespace: namespace.into() })
        };
        assert!(ask("Foo", "main").is_ok());
        assert_eq!(
            ask("Foo", "x").unwrap_err(),
            "secret \"Foo\" in namespace \"x\" denied by user pre-hook restrictions"
        );
        assert!(ask("KEY_1", "main").is_ok());
        assert!(ask("KEY_2", "main").is_err(), "the prefix is used up");
        assert!(ask("Foo", "main").is_ok());
        assert!(ask("Foo", "main").is_err(), "the total is used up");
    }

    #[test]
    fn secrets_inside_confidential_http_count() {
        let mut restrictions = capabilities(CapabilityRestrictionType::Open, 9, &[]);
        restrictions.secrets = Some(secrets(9));
        let mut left = Allowance::new(&restrictions);
        let mut ask = |key: &str| {
            let secret = confidential_http::SecretIdentifier {
                key: key.into(),
                namespace: "main".into(),
                owner: None,
            };
            let payload = pack(&confidential_http::ConfidentialHttpRequest {
                vault_don_secrets: vec![secret],
                request: None,
            });
            left.call(&CapabilityRequest {
                payload: Some(payload),
                ..request("confidential-http@1.0.0-alpha", "SendRequest")
            })
        };
        assert!(ask("Foo").is_ok());
        assert!(ask("Other").is_err());
    }
}
