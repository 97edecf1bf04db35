//! Why a workflow fails.

use std::fmt;

use crate::messages::UnpackError;

/// Why a call, a handler or a whole execution failed.
///
/// What a handler returns reaches the host as one line: the error and its sources, joined by `: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A DON-mode runtime, used while the workflow is in node mode. The text is CRE's own.
    #[error("cannot use Runtime inside RunInNodeMode")]
    DonInNodeMode,
    /// A node-mode runtime, used after its closure. The text is CRE's own.
    #[error("cannot use NodeRuntime outside RunInNodeMode")]
    NodeInDonMode,
    /// A capability was called, and failed.
    #[error("{id} {method}")]
    Capability {
        /// Capability id.
        id: String,
        /// Its method.
        method: String,
        /// What it said.
        #[source]
        source: CapabilityError,
    },
    /// A secret can't be had.
    #[error("secret {namespace}/{id}: {text}")]
    Secret {
        /// Its namespace.
        namespace: String,
        /// Its id.
        id: String,
        /// The host's reason.
        text: String,
    },
    /// The host refused what was asked of it, or gave no answer.
    #[error("host, {operation}: {text}")]
    Host {
        /// The import, by its name.
        operation: &'static str,
        /// The host's reason.
        text: String,
    },
    /// The host's bytes are not what the ABI says they are.
    #[error("host, {what} does not decode")]
    Undecodable {
        /// The message expected.
        what: &'static str,
        /// The decoder's reason.
        #[source]
        source: prost::DecodeError,
    },
    /// The host's message lacks what it must have.
    #[error("host, {what} is missing")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// The invocation is not argv of two, the second one base64.
    #[error("the request is not an argument in base64")]
    Arguments,
    /// A payload is of another type than expected, or damaged.
    #[error(transparent)]
    Payload(#[from] UnpackError),
    /// A value is of another kind than expected.
    #[error(transparent)]
    Value(#[from] crate::value::ValueError),
    /// A report is not what it should be.
    #[error(transparent)]
    Report(#[from] crate::report::ReportError),
    /// A contract's bytes are not what its interface says.
    #[cfg(feature = "abi")]
    #[error("{signature} does not decode: {text}")]
    Abi {
        /// The call or event.
        signature: &'static str,
        /// The decoder's reason.
        text: String,
    },
    /// A trigger fired for which the workflow has no handler.
    #[error("trigger {id} has no handler: the workflow has {n_handlers}")]
    NoHandler {
        /// Position in the subscription.
        id: u64,
        /// How many there are.
        n_handlers: usize,
    },
    /// The workflow's own reason.
    #[error("{0}")]
    Workflow(String),
}

impl Error {
    /// The workflow's own reason, from anything with a text: an error of yours, or a message.
    pub fn workflow(reason: impl fmt::Display) -> Self {
        Self::Workflow(reason.to_string())
    }

    /// What the capability said, if that is what failed.
    pub fn capability(&self) -> Option<&CapabilityError> {
        if let Self::Capability { source, .. } = self { Some(source) } else { None }
    }

    /// The error and its sources, joined by `: `.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text += &format!(": {error}");
            source = error.source();
        }
        text
    }

    pub(crate) fn host(operation: &'static str, text: &[u8]) -> Self {
        Self::Host { operation, text: String::from_utf8_lossy(text).into_owned() }
    }
}

impl From<&str> for Error {
    fn from(reason: &str) -> Self {
        Self::Workflow(reason.to_owned())
    }
}

impl From<String> for Error {
    fn from(reason: String) -> Self {
        Self::Workflow(reason)
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Who may see a capability's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Anyone.
    Public,
    /// The node that has it.
    Private,
}

/// Whose fault a capability's error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The platform's.
    System,
    /// The workflow's.
    User,
}

macro_rules! codes {
    ($($code:ident = $number:literal),* $(,)?) => {
        /// Kind of a capability's error: gRPC's codes, and CRE's own from 100 on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the names are gRPC's and CRE's")]
        pub enum Code { $($code = $number),* }

        impl Code {
            /// All of them, ascending.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => stringify!($code)),* }
            }
        }
    };
}

codes! {
    Canceled = 1, Unknown = 2, InvalidArgument = 3, DeadlineExceeded = 4, NotFound = 5,
    AlreadyExists = 6, PermissionDenied = 7, ResourceExhausted = 8, FailedPrecondition = 9,
    Aborted = 10, OutOfRange = 11, Unimplemented = 12, Internal = 13, Unavailable = 14,
    DataLoss = 15, Unauthenticated = 16, ConsensusFailed = 100, LimitExceeded = 101,
    InsufficientObservations = 102,
}

/// What a capability says when it fails, on either side of the wire: `Visibility:Origin:Code:message`.
///
/// Read leniently: a text of another form is a private system error of unknown code, with all of the text
/// as its message; a code this SDK does not know reads as [`Code::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct CapabilityError {
    /// Who may see it.
    pub visibility: Visibility,
    /// Whose fault it is.
    pub origin: Origin,
    /// Its kind.
    pub code: Code,
    /// The rest of the text.
    pub message: String,
    text: String,
}

impl CapabilityError {
    /// The workflow asked for something it cannot have; whoever wrote it may read why.
    pub fn user(code: Code, message: impl Into<String>) -> Self {
        Self::public(Origin::User, code, message.into())
    }

    /// The platform, or the world behind it, failed.
    pub fn system(code: Code, message: impl Into<String>) -> Self {
        Self::public(Origin::System, code, message.into())
    }

    fn public(origin: Origin, code: Code, message: String) -> Self {
        let text = format!("Public:{origin:?}:{}:{message}", code.name());
        Self { visibility: Visibility::Public, origin, code, message, text }
    }

    /// Reads the wire's text.
    pub fn parse(text: &str) -> Self {
        parts(text).unwrap_or_else(|| Self {
            visibility: Visibility::Private,
            origin: Origin::System,
            code: Code::Unknown,
            message: text.to_owned(),
            text: text.to_owned(),
        })
    }

    /// The text as it came.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn parts(text: &str) -> Option<CapabilityError> {
    let mut parts = text.splitn(4, ':');
    let visibility = match parts.next()? {
        "Public" => Visibility::Public,
        "Private" => Visibility::Private,
        _ => return None,
    };
    let origin = match parts.next()? {
        "System" => Origin::System,
        "User" => Origin::User,
        _ => return None,
    };
    let name = parts.next()?;
    let code = Code::ALL.iter().copied().find(|code| code.name() == name).unwrap_or(Code::Unknown);
    let message = parts.next()?.to_owned();
    Some(CapabilityError { visibility, origin, code, message, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_is_taken_apart_and_kept() {
        let text = "Public:User:LimitExceeded:call denied: a@1.0.0 Do";
        let error = CapabilityError::parse(text);
        assert_eq!(
            (error.visibility, error.origin, error.code, error.message.as_str()),
            (Visibility::Public, Origin::User, Code::LimitExceeded, "call denied: a@1.0.0 Do")
        );
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn any_other_text_is_a_private_system_error_of_unknown_code() {
        for text in
            ["", "boom", "Public:User", "Public:Nobody:NotFound:x", "public:User:NotFound:x"]
        {
            let error = CapabilityError::parse(text);
            assert_eq!(
                (error.visibility, error.origin, error.code, error.message.as_str()),
                (Visibility::Private, Origin::System, Code::Unknown, text)
            );
        }
        assert_eq!(CapabilityError::parse("Private:System:New:x").code, Code::Unknown);
    }

    #[test]
    fn every_code_is_read_back_by_its_name() {
        for code in Code::ALL {
            let text = format!("Public:System:{}:{} error", code.name(), code.name());
            assert_eq!(CapabilityError::parse(&text).code, *code);
            let reason = "a reason: with colons";
            for error in
                [CapabilityError::user(*code, reason), CapabilityError::system(*code, reason)]
            {
                assert_eq!(CapabilityError::parse(&error.to_string()), error);
            }
        }
    }

    #[test]
    fn sources_reach_the_hosts_line() {
        let error = Error::Capability {
            id: "a@1.0.0".into(),
            method: "Do".into(),
            source: CapabilityError::parse("Public:System:NotFound:gone"),
        };
        assert_eq!(error.chain(), "a@1.0.0 Do: Public:System:NotFound:gone");
    }
}
