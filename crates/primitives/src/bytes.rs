//! Fixed-size identifiers. Distinct types, so that a request id is never passed where a commitment goes.

use core::fmt;

use crate::{Decode, Encode, Hex};

macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "0x{}", Hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self([0; $len])
            }
        }
    };
}

fixed_bytes!(
    /// An EVM account or contract, 20 bytes.
    Address, 20
);
fixed_bytes!(
    /// A request's id: `keccak256(abi.encode(chainid, dark pool, caller, nonce))`.
    RequestId, 32
);
fixed_bytes!(
    /// A hiding commitment: a BN254 scalar, 32 bytes big-endian.
    CommitmentHash, 32
);
fixed_bytes!(
    /// Any other 32 bytes: a transaction or journal hash.
    Bytes32, 32
);
