//! Where a cluster is: `temporal://HOST:PORT[/NAMESPACE][?queue=QUEUE]`.

use std::fmt;
use std::str::FromStr;

/// Where a cluster is, and what of it is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `HOST:PORT` of the frontend.
    pub authority: String,
    /// The namespace; `default` if none is given.
    pub namespace: String,
    /// The task queue; `cdpr-VERSION` if none is given, so that versions do not work for each other.
    pub queue: String,
}

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not this scheme.
    #[error("it does not start with temporal://")]
    Scheme,
    /// No host, or no port.
    #[error("{found:?} is not HOST:PORT")]
    Authority {
        /// What is there.
        found: String,
    },
    /// A character that names do not have, or no character.
    #[error("{found:?} is not a name of letters, digits, '-', '_' and '.'")]
    Name {
        /// What is there.
        found: String,
    },
    /// A query other than `queue=`.
    #[error("{found:?} is not queue=NAME")]
    Query {
        /// What is there.
        found: String,
    },
}

impl FromStr for Address {
    type Err = Reason;

    fn from_str(text: &str) -> Result<Self, Reason> {
        let rest = text.strip_prefix("temporal://").ok_or(Reason::Scheme)?;
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
        let (authority, namespace) =
            rest.split_once('/').map_or((rest, "default"), |(a, b)| (a, b));
        let is_authority = authority.rsplit_once(':').is_some_and(|(host, port)| {
            let is_host = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
            !host.is_empty()
                && host.chars().all(is_host)
                && port.parse().is_ok_and(|port: u16| port > 0)
        });
        if !is_authority {
            return Err(Reason::Authority { found: authority.to_owned() });
        }
        let queue = match query {
            None => format!("cdpr-{}", study::VERSION),
            Some(query) => {
                let queue = query.strip_prefix("queue=");
                name(queue.ok_or_else(|| Reason::Query { found: query.to_owned() })?)?
            }
        };
        Ok(Self { authority: authority.to_owned(), namespace: name(namespace)?, queue })
    }
}

fn name(text: &str) -> Result<String, Reason> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || !text.chars().all(is_plain) {
        return Err(Reason::Name { found: text.to_owned() });
    }
    Ok(text.to_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "temporal://{}/{}?queue={}", self.authority, self.namespace, self.queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<(&str, &str, &str), Reason>) {
        let found = text.parse::<Address>();
        let found = found.as_ref().map(|address| {
            (address.authority.as_str(), address.namespace.as_str(), address.queue.as_str())
        });
        assert_eq!(found, expect.as_ref().copied(), "{text}");
    }

    #[test]
    fn namespace_and_queue_have_defaults_and_an_address_reads_back_as_written() {
        let queue = format!("cdpr-{}", study::VERSION);
        check("temporal://localhost:7233", Ok(("localhost:7233", "default", &queue)));
        check("temporal://10.0.0.1:7233/risk", Ok(("10.0.0.1:7233", "risk", &queue)));
        check("temporal://[::1]:7233/risk?queue=big", Ok(("[::1]:7233", "risk", "big")));
        let address: Address = "temporal://h:1?queue=q".parse().unwrap();
        assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_what_was_found() {
        let found = |text: &str| text.to_owned();
        check("localhost:7233", Err(Reason::Scheme));
        for bad in
            ["localhost", ":7233", "localhost:", "localhost:0", "localhost:70000", "a b:1", "u@h:1"]
        {
            check(&format!("temporal://{bad}"), Err(Reason::Authority { found: found(bad) }));
        }
        check("temporal://h:1/", Err(Reason::Name { found: found("") }));
        check("temporal://h:1/a/b", Err(Reason::Name { found: found("a/b") }));
        check("temporal://h:1?queue=", Err(Reason::Name { found: found("") }));
        check("temporal://h:1?window=3", Err(Reason::Query { found: found("window=3") }));
    }
}
