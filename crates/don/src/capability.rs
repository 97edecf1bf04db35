//! Capabilities: what they are asked, what they answer, how they fail.

use std::collections::BTreeMap;
use std::fmt;

pub use cre::error::{CapabilityError, Code, Origin, Visibility};
use cre::messages::sdk::CapabilityRequest;
use cre::messages::{Any, UnpackError, unpack};
use prost::{Message, Name};

use crate::NoQuorum;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller<'a> {
    /// The DON: a quorum of nodes made the same request. Their indices, ascending.
    Don(&'a [usize]),
    /// A TEE that runs the workflow for the DON. The nodes that vouch for it, ascending.
    Tee(&'a [usize]),
    /// One node, for itself.
    Node(usize),
}

/// One request to a capability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call<'a> {
    /// The capability, as the workflow named it.
    pub id: &'a str,
    /// Which of its methods.
    pub method: &'a str,
    /// Its input.
    pub payload: &'a Any,
    /// Who asks.
    pub caller: Caller<'a>,
    /// The workflow execution that asks.
    pub execution_id: &'a [u8; 32],
    /// The DON's time, Unix nanoseconds.
    pub now_ns: u64,
}

impl Call<'_> {
    /// The input as the message that the method takes.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] if it is another or malformed.
    pub fn input<M: Message + Name + Default>(&self) -> Result<M, CapabilityError> {
        unpack(self.payload).map_err(|error| {
            let reason = match error {
                UnpackError::Type { .. } => error.to_string(),
                UnpackError::Bytes { ref source, .. } => format!("{error}: {source}"),
            };
            CapabilityError::user(Code::InvalidArgument, reason)
        })
    }

    /// The error for a method that the capability does not have.
    #[must_use]
    pub fn unknown_method(&self) -> CapabilityError {
        let message = format!("method {} not found in capability {}", self.method, self.id);
        CapabilityError::user(Code::Unimplemented, message)
    }
}

/// Something that acts for the DON. One value serves the DON, not a node.
pub trait Capability {
    /// Carries out one request. A request of the DON comes once, however many nodes made it.
    ///
    /// # Errors
    /// What the workflow is told instead of an answer.
    fn call(&mut self, call: &Call<'_>) -> Result<Any, CapabilityError>;
}

/// A closure is a capability.
impl<F: FnMut(&Call<'_>) -> Result<Any, CapabilityError>> Capability for F {
    fn call(&mut self, call: &Call<'_>) -> Result<Any, CapabilityError> {
        self(call)
    }
}

/// The capabilities of a DON, by id. `consensus@1.0.0-alpha` is not among them: it is the DON itself.
#[derive(Default)]
pub struct Registry<'a> {
    capabilities: BTreeMap<String, Box<dyn Capability + 'a>>,
    disagreed: Option<Box<Disagreed<'a>>>,
}

/// Hears of a request that no quorum of nodes made, and of the largest group that did.
type Disagreed<'a> = dyn FnMut(&CapabilityRequest, NoQuorum) + 'a;

impl fmt::Debug for Registry<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.capabilities.keys()).finish()
    }
}

impl<'a> Registry<'a> {
    /// Adds a capability, in place of another of the same id.
    pub fn register(&mut self, id: impl Into<String>, capability: impl Capability + 'a) {
        self.capabilities.insert(id.into(), Box::new(capability));
    }

    /// Has `hear` told of every request of the DON that failed to reach consensus, when it has.
    pub fn on_disagreement(&mut self, hear: impl FnMut(&CapabilityRequest, NoQuorum) + 'a) {
        self.disagreed = Some(Box::new(hear));
    }

    pub(crate) fn disagreed(&mut self, request: &CapabilityRequest, none: NoQuorum) {
        if let Some(hear) = &mut self.disagreed {
            hear(request, none);
        }
    }

    /// Carries out one request.
    ///
    /// # Errors
    /// The capability's, or [`Code::NotFound`] with Chainlink's text if there is none of that id. Unlike
    /// Chainlink's registry, which takes the next compatible version, only the very id is looked up.
    pub fn call(&mut self, call: &Call<'_>) -> Result<Any, CapabilityError> {
        match self.capabilities.get_mut(call.id) {
            Some(capability) => capability.call(call),
            None => {
                let message = format!("no compatible capability found for id {}", call.id);
                Err(CapabilityError::user(Code::NotFound, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cre::messages::pack;

    use super::*;

    #[test]
    fn error_text_is_chainlinks_and_reads_back() {
        let error = CapabilityError::user(Code::LimitExceeded, "call denied: a:b");
        assert_eq!(error.to_string(), "Public:User:LimitExceeded:call denied: a:b");
        assert_eq!(CapabilityError::parse(&error.to_string()), error);
        assert_eq!(CapabilityError::parse("Public:User:Novel:x").code, Code::Unknown);
        let vague = CapabilityError::parse("broken: pipe");
        assert_eq!((vague.code, vague.message.as_str()), (Code::Unknown, "broken: pipe"));
        assert_eq!(Code::InsufficientObservations as u32, 102);
    }

    #[test]
    fn unknown_capability_and_wrong_input_are_told() {
        let payload = pack(&cre::messages::basic_action::Inputs { input_thing: true });
        let call = Call {
            id: "nothing@1.0.0",
            method: "Do",
            payload: &payload,
            caller: Caller::Node(0),
            execution_id: &[0; 32],
            now_ns: 0,
        };
        let error = Registry::default().call(&call).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Public:User:NotFound:no compatible capability found for id nothing@1.0.0"
        );
        let error = call.input::<cre::messages::basic_action::Outputs>().unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }
}
