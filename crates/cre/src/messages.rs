//! What crosses the line between a workflow and its host, as protobuf: one module per package.
//!
//! Field names, numbers and types are Chainlink's, as shipped in August and September 2026; a test
//! compares them with the descriptors inside the npm package of the official SDK. Encoding is
//! deterministic: fields go out by number, maps by key.

#![allow(
    missing_docs,
    reason = "fields carry the wire's names; what they mean is on the SDK that uses them"
)]

use prost::{Message, Name};

/// Gives messages their protobuf names, hence their `Any` type URLs.
macro_rules! named {
    ($package:literal: $($message:ident = $name:literal),* $(,)?) => {
        $(impl prost::Name for $message {
            const NAME: &'static str = $name;
            const PACKAGE: &'static str = $package;

            fn full_name() -> String {
                concat!($package, ".", $name).to_owned()
            }

            fn type_url() -> String {
                concat!("type.googleapis.com/", $package, ".", $name).to_owned()
            }
        })*
    };
}

#[cfg(feature = "standard-tests")]
pub mod action_and_trigger;
#[cfg(feature = "standard-tests")]
pub mod basic_action;
#[cfg(feature = "standard-tests")]
pub mod basic_trigger;
pub mod confidential_http;
pub mod confidential_workflows;
pub mod cron;
pub mod darkpool;
pub mod evm;
pub mod http;
#[cfg(feature = "standard-tests")]
pub mod node_action;
pub mod sdk;
pub mod values;
pub mod workflows;

pub use prost_types::{Any, Duration, Timestamp};

/// Wraps a message, with the type URL that Chainlink's hosts expect.
pub fn pack<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

/// Why an `Any` is not the message that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// It holds something else.
    #[error("expected {expected}, got {got}")]
    Type {
        /// Full name expected.
        expected: String,
        /// The type URL's last segment.
        got: String,
    },
    /// Its bytes are not such a message.
    #[error("{expected} does not decode")]
    Bytes {
        /// Full name expected.
        expected: String,
        /// The decoder's reason.
        #[source]
        source: prost::DecodeError,
    },
}

/// Takes a message out of its wrapping.
///
/// # Errors
/// [`UnpackError`]. Only the last segment of the type URL is compared, as protobuf demands.
pub fn unpack<M: Message + Name + Default>(any: &Any) -> Result<M, UnpackError> {
    let got = any.type_url.rsplit('/').next().unwrap_or_default();
    if got != M::full_name() {
        return Err(UnpackError::Type { expected: M::full_name(), got: got.to_owned() });
    }
    M::decode(&any.value[..])
        .map_err(|source| UnpackError::Bytes { expected: M::full_name(), source })
}
