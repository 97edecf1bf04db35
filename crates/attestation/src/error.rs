//! Why evidence is refused. Every variant is an adversary's doing, or an operator's mistake: none
//! is our bug.

use crate::{DEVELOPMENT_CHAIN_ID, MalformedBundle, Measurements};

/// Evidence is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Check 1.
    #[error("attestation document is {len} bytes long, limit {max}")]
    DocumentTooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Checks 1 and 3: not the CBOR of a document.
    #[error("attestation document is malformed in its {part}")]
    Malformed {
        /// `envelope` or `payload`.
        part: &'static str,
        /// What and where.
        #[source]
        problem: CborProblem,
    },
    /// Check 2: not ES384.
    #[error("attestation document's protected header is {got}, expected a1013822 (ES384)")]
    Algorithm {
        /// The header in hexadecimal, cut after 32 bytes.
        got: String,
    },
    /// Check 2.
    #[error("attestation document has an unprotected header, expected none")]
    UnprotectedHeader,
    /// Checks 3 and 4: a field is missing.
    #[error("attestation document has no {field}")]
    Missing {
        /// Its key.
        field: &'static str,
    },
    /// Check 3, and for registers check 4.
    #[error("attestation document has {key} twice")]
    Duplicate {
        /// The key, or `pcr N`.
        key: String,
    },
    /// Checks 2 and 4: a field's length, or a container's count, is out of range.
    #[error("attestation document's {field} has length {len}, expected {min} to {max}")]
    Length {
        /// Its key.
        field: &'static str,
        /// Its length in bytes, or its number of items.
        len: usize,
        /// Least allowed.
        min: usize,
        /// Most allowed.
        max: usize,
    },
    /// Check 4.
    #[error("attestation document uses digest {got:?}, expected SHA384")]
    Digest {
        /// What it names.
        got: String,
    },
    /// Check 4.
    #[error("attestation document has register {index}, the last one is {max}")]
    RegisterIndex {
        /// The index.
        index: u64,
        /// The highest allowed.
        max: u64,
    },
    /// Check 5: signed under another root.
    #[error(
        "certificate chain starts at an unknown root, SHA-256 {got}, expected {expected}\nhint: a development enclave's documents verify under the development root only, AWS's under AWS's only"
    )]
    UnknownRoot {
        /// SHA-256 of the root in the document, hexadecimal.
        got: String,
        /// SHA-256 of the pinned root, hexadecimal.
        expected: String,
    },
    /// Checks 6 to 10.
    #[error("certificate {index} of the chain, counted from the root, is refused")]
    Certificate {
        /// Its place: 0 is the root, the leaf comes last.
        index: usize,
        /// Why.
        #[source]
        problem: CertificateProblem,
    },
    /// Check 11.
    #[error("attestation document's signature is not by its certificate's key")]
    Signature,
    /// Check 12: too old.
    #[error("attestation document is {age_ms} ms old, limit {max_ms} ms")]
    Stale {
        /// Its age in milliseconds.
        age_ms: u64,
        /// The policy's limit in milliseconds.
        max_ms: u64,
    },
    /// Check 12: from the future.
    #[error(
        "attestation document is dated {ahead_ms} ms ahead of now, limit {max_ms} ms\nhint: check the clock"
    )]
    FromTheFuture {
        /// By how many milliseconds.
        ahead_ms: u64,
        /// The policy's limit in milliseconds.
        max_ms: u64,
    },
    /// Check 13.
    #[error("attestation document answers another challenge")]
    Nonce,
    /// Check 14.
    #[error(
        "enclave runs in debug mode: pcr{index} is zero\nhint: its host can read its memory; start it without debug mode"
    )]
    DebugMode {
        /// The zero register.
        index: u8,
    },
    /// Check 15.
    #[error(
        "enclave's measurement is not allowed: expected {}, got {got}\nhint: another program, launcher or configuration than the policy's is running",
        Alternatives(expected)
    )]
    Measurement {
        /// What the policy allows; never empty.
        expected: Vec<Measurements>,
        /// What the document says.
        got: Box<Measurements>,
    },
    /// Check 16.
    #[error(
        "development enclaves are refused on chain {chain_id}, they exist on chain {DEVELOPMENT_CHAIN_ID} only"
    )]
    DevelopmentOffDevnet {
        /// The policy's chain.
        chain_id: u64,
    },
    /// A policy that allows nothing would refuse everything, which nobody means.
    #[error("attestation policy allows no measurement")]
    EmptyPolicy,
    /// Check 17: not a bundle.
    #[error("attested key bundle is malformed")]
    Bundle(#[source] MalformedBundle),
    /// Check 17: the document vouches for another bundle, or for none.
    #[error("attestation document does not vouch for this key bundle")]
    BundleNotAttested,
    /// Check 17: made for another deployment.
    #[error("key bundle is for chain {got}, expected {expected}")]
    BundleChain {
        /// The bundle's chain.
        got: u64,
        /// The policy's chain.
        expected: u64,
    },
    /// Check 17.
    #[error("key bundle expired at {not_after}, now is {now} (Unix seconds)")]
    BundleExpired {
        /// Its last second.
        not_after: u64,
        /// Now, in seconds.
        now: u64,
    },
}

impl Error {
    /// The check that it is about, by the numbers of the crate's documentation; none of a policy that allows nothing.
    pub fn check(&self) -> Option<u8> {
        Some(match self {
            Self::DocumentTooLong { .. } | Self::Malformed { part: "envelope", .. } => 1,
            Self::Algorithm { .. }
            | Self::UnprotectedHeader
            | Self::Length { field: "signature", .. } => 2,
            Self::Duplicate { key } if key.starts_with("pcr ") => 4,
            Self::Malformed { .. } | Self::Duplicate { .. } => 3,
            Self::Missing { field: "pcr 0" | "pcr 1" | "pcr 2" } | Self::DebugMode { .. } => 14,
            Self::Missing { .. }
            | Self::Length { .. }
            | Self::Digest { .. }
            | Self::RegisterIndex { .. } => 4,
            Self::UnknownRoot { .. } => 5,
            Self::Certificate { problem, .. } => problem.check(),
            Self::Signature => 11,
            Self::Stale { .. } | Self::FromTheFuture { .. } => 12,
            Self::Nonce => 13,
            Self::Measurement { .. } => 15,
            Self::DevelopmentOffDevnet { .. } => 16,
            Self::EmptyPolicy => return None,
            Self::Bundle(_)
            | Self::BundleNotAttested
            | Self::BundleChain { .. }
            | Self::BundleExpired { .. } => 17,
        })
    }
}

/// CBOR that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub struct CborProblem {
    /// Offset from the start of the part, in bytes.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// Why one certificate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// Check 6: not X.509, or not in canonical DER.
    #[error("it is not a certificate in canonical DER")]
    Malformed,
    /// Check 6.
    #[error("it is not of version 3")]
    Version,
    /// Check 6.
    #[error("it is not signed with ecdsa-with-SHA384")]
    Algorithm,
    /// Check 6.
    #[error("its key is not on P-384")]
    Key,
    /// Check 6.
    #[error("its issuer is not the subject of the certificate above it")]
    Issuer,
    /// Check 6.
    #[error("its signature is not by the certificate above it")]
    Signature,
    /// Check 7.
    #[error("it is valid from {not_before}, now is {now} (Unix seconds)")]
    NotYetValid {
        /// First second of validity.
        not_before: u64,
        /// Now, in seconds.
        now: u64,
    },
    /// Check 7.
    #[error("it expired at {not_after}, now is {now} (Unix seconds)")]
    Expired {
        /// Last second of validity.
        not_after: u64,
        /// Now, in seconds.
        now: u64,
    },
    /// Check 8.
    #[error("it signs certificates but is not a certificate authority's")]
    NotAuthority,
    /// Check 8.
    #[error("it is the enclave's but claims to be a certificate authority's")]
    AuthorityLeaf,
    /// Check 8.
    #[error("it allows {allowed} authorities below it, there are {below}")]
    PathLength {
        /// Its path length constraint.
        allowed: u8,
        /// Authorities between it and the leaf.
        below: usize,
    },
    /// Check 8.
    #[error("its key usage does not allow what it does")]
    KeyUsage,
    /// Check 9.
    #[error("it has an extension twice")]
    DuplicateExtension,
    /// Check 9.
    #[error("it has an unknown critical extension")]
    CriticalExtension,
    /// Check 10.
    #[error("it is revoked by the policy")]
    Revoked,
}

impl CertificateProblem {
    const fn check(self) -> u8 {
        match self {
            Self::Malformed
            | Self::Version
            | Self::Algorithm
            | Self::Key
            | Self::Issuer
            | Self::Signature => 6,
            Self::NotYetValid { .. } | Self::Expired { .. } => 7,
            Self::NotAuthority | Self::AuthorityLeaf | Self::PathLength { .. } | Self::KeyUsage => {
                8
            }
            Self::DuplicateExtension | Self::CriticalExtension => 9,
            Self::Revoked => 10,
        }
    }
}

/// The allowed side of a mismatch. A list that allows one image names it and no other.
struct Alternatives<'a>(&'a [Measurements]);

impl core::fmt::Display for Alternatives<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, measurements) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" or ")?;
            }
            measurements.fmt(f)?;
        }
        Ok(())
    }
}

/// Hexadecimal of at most the first 32 bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect()
}
