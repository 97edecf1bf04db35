//! How a capability says no: `Visibility:Origin:Code:message`.

use core::fmt;

pub use cre::error::{Code, Origin, Visibility};

/// A capability's refusal, as it crosses to the workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Who may read `message`.
    pub visibility: Visibility,
    /// Whose fault.
    pub origin: Origin,
    /// What kind.
    pub code: Code,
    /// In words.
    pub message: String,
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { visibility, origin, code, message } = self;
        write!(f, "{visibility:?}:{origin:?}:{}:{message}", code.name())
    }
}

impl Fault {
    /// Something a workflow's author may read and mend.
    pub fn user(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { visibility: Visibility::Public, origin: Origin::User, code, message }
    }

    /// Something that went wrong on the way.
    pub fn system(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { visibility: Visibility::Public, origin: Origin::System, code, message }
    }

    /// Reads a text, as leniently as the guest SDK does.
    pub fn parse(text: &str) -> Self {
        let cre::CapabilityError { visibility, origin, code, message, .. } =
            cre::CapabilityError::parse(text);
        Self { visibility, origin, code, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_from_its_text() {
        for code in Code::ALL.iter().copied() {
            let fault = Fault::user(code, "a reason: with colons");
            assert_eq!(Fault::parse(&fault.to_string()), fault);
        }
        let text = "Public:User:LimitExceeded:call denied by user pre-hook restrictions: a b";
        assert_eq!(Fault::parse(text).code as u32, 101);
        assert_eq!(Fault::parse(text).to_string(), text);
    }

    #[test]
    fn another_text_is_a_private_message() {
        for text in ["", "no colons", "Public:User:NotFound", "Secret:User:NotFound:x", "a:b:c:d"] {
            let fault = Fault::parse(text);
            assert_eq!((fault.visibility, fault.code), (Visibility::Private, Code::Unknown));
            assert_eq!(fault.message, text);
        }
        assert_eq!(Fault::parse("Private:System:Newer:x").code, Code::Unknown);
    }
}
