//! SHA-256 in hexadecimal: what the run card and the chunks are told apart by.

use sha2::{Digest as _, Sha256};

/// Sixty-four hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    digits(&Sha256::digest(bytes))
}

/// Two digits a byte.
pub(crate) fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
