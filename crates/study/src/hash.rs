//! SHA-256 in hexadecimal: what the run card and the chunks are told apart by.

use sha2::{Digest as _, Sha256};

/// Sixty-four hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    primitives::hex(&Sha256::digest(bytes))
}
