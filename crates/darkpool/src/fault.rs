//! How a capability says no: `Visibility:Origin:Code:message`.

use core::fmt;

/// Who may read the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// The workflow and its owner.
    Public,
    /// The node's operator.
    Private,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The service or what it stands on.
    System,
    /// The caller.
    User,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal),* $(,)?) => {
        /// What kind of failure, by Chainlink's names and numbers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Code { $($(#[$doc])* $name = $number),* }

        impl Code {
            /// Every code there is.
            pub const ALL: [Self; [$($number),*].len()] = [$(Self::$name),*];

            /// Its name in a text.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

codes! {
    /// The caller gave up.
    Canceled = 1,
    /// None of the others, or a name this build does not know.
    Unknown = 2,
    /// Wrong whatever the state of the world.
    InvalidArgument = 3,
    /// Too late.
    DeadlineExceeded = 4,
    /// There is no such thing.
    NotFound = 5,
    /// There is one already.
    AlreadyExists = 6,
    /// The caller may not.
    PermissionDenied = 7,
    /// Something is used up.
    ResourceExhausted = 8,
    /// Wrong in the present state of the world.
    FailedPrecondition = 9,
    /// Lost a race.
    Aborted = 10,
    /// Beyond the valid range.
    OutOfRange = 11,
    /// Not offered.
    Unimplemented = 12,
    /// A bug.
    Internal = 13,
    /// Later, perhaps.
    Unavailable = 14,
    /// Bytes are gone.
    DataLoss = 15,
    /// The caller did not say who it is.
    Unauthenticated = 16,
    /// The DON did not agree.
    ConsensusFailed = 100,
    /// A quota is used up.
    LimitExceeded = 101,
    /// Too few nodes observed.
    InsufficientObservations = 102,
}

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

    /// Reads a text. Leniently, as Chainlink's hosts do: an unknown code reads as [`Code::Unknown`], and
    /// a text of another form is the message of a private one.
    pub fn parse(text: &str) -> Self {
        let whole = || Self {
            visibility: Visibility::Private,
            origin: Origin::System,
            code: Code::Unknown,
            message: text.to_owned(),
        };
        let mut parts = text.splitn(4, ':');
        let mut next = || parts.next().unwrap_or_default();
        let (visibility, origin, code) = (next(), next(), next());
        let Some(message) = parts.next() else { return whole() };
        let visibility = match visibility {
            "Public" => Visibility::Public,
            "Private" => Visibility::Private,
            _ => return whole(),
        };
        let origin = match origin {
            "System" => Origin::System,
            "User" => Origin::User,
            _ => return whole(),
        };
        let known = Code::ALL.into_iter().find(|known| known.name() == code);
        Self {
            visibility,
            origin,
            code: known.unwrap_or(Code::Unknown),
            message: message.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_from_its_text() {
        for code in Code::ALL {
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
