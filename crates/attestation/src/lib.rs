//! Evidence that a program runs where it says and is what it says: AWS Nitro attestation documents.
//!
//! Why a crate: whoever is about to trust an enclave (a maker before sealing an order, a DON node
//! before registering a key, an auditor years later) links this and nothing of the enclave. It is
//! pure: time, trust anchors and policy are arguments, so a recorded document verifies for ever at
//! its own time.
//!
//! Its nouns: a [`KeyBundle`] is what an enclave vouches for, [`Measurements`] are what it is, a
//! [`Document`] is the signed claim that joins them, and [`verify`] turns one into [`Attested`].
//!
//! One verifier serves AWS and the development root (`host::nsm`); they differ in the anchor only,
//! and the development anchor exists on chain id 31337 only, see [`Anchors::development`].
//!
//! # What is checked
//!
//! Numbered, because the tests quote the numbers.
//!
//! Structure ([`Document::parse`]):
//! 1. At most 32 KiB; exactly one untagged COSE_Sign1 array of four, nothing after it. CBOR
//!    arguments are minimal; strings have definite lengths.
//! 2. The protected header is exactly `{1: -35}` (ES384), the unprotected header is empty and the
//!    signature is 96 bytes long.
//! 3. The payload is one map with text keys, none twice; unknown keys are skipped, to a bounded depth.
//! 4. `module_id`, `digest`, `timestamp`, `pcrs`, `certificate` and `cabundle` are there; `digest` is
//!    `SHA384`; 1 to 32 PCRs, none twice, index at most 31, 48 bytes each; 1 to 8 CA certificates;
//!    certificates of 1 to 1,024 bytes; `public_key`, `user_data` and `nonce` absent, null, or at
//!    most 1,024 bytes (AWS documents 512 in one place and 1,024 in another: we produce at most 512).
//!
//! Chain (`cabundle` from the root down, then `certificate`):
//! 5. `cabundle[0]` is byte for byte the anchor's root.
//! 6. Every certificate is DER in its one canonical form, version 3, has a P-384 key, and is signed
//!    with ecdsa-with-SHA384 by the one above it, whose subject is its issuer.
//! 7. Every certificate is valid now; ends are inclusive.
//! 8. Every CA has basicConstraints with `cA` and a path length that allows what is below it, and
//!    keyUsage with `keyCertSign`. The leaf is no CA and has keyUsage with `digitalSignature`.
//! 9. No extension is there twice, and no critical one is unknown.
//! 10. No certificate is on the policy's revocation list, which is keyed by issuer and serial: bytes
//!     would not do, as ECDSA signatures are malleable.
//!
//! Claims:
//! 11. The leaf's key signed the document.
//! 12. The timestamp is no further from now than the policy allows, in either direction.
//! 13. If the policy holds a challenge, the nonce equals it.
//! 14. PCR0, PCR1 and PCR2 are there and none is zero: a zero one is an enclave in debug mode, whose
//!     memory its host can read.
//! 15. (PCR0, PCR1, PCR2) is on the policy's allow-list. The refusal names both sides.
//! 16. A development anchor is accepted on chain id 31337 only, whoever made the anchor.
//!
//! Keys ([`Claims::key_bundle`]):
//! 17. `user_data` is the hash of the bundle, the bundle is for the policy's chain, and it has not
//!     expired.
//!
//! A document is not a unique thing: its signature is malleable. Nothing may use its bytes or their
//! hash as a key against replay.
//!
//! Sources: AWS, *Nitro Enclaves attestation process* (`docs/attestation_process.md` in
//! aws-nitro-enclaves-nsm-api); RFC 9052 (COSE), RFC 8949 (CBOR), RFC 5280 (X.509).

mod bundle;
pub mod frame;
mod measurement;
pub mod nsm_wire;

#[cfg(feature = "verify")]
mod anchors;
#[cfg(feature = "verify")]
mod cbor;
#[cfg(feature = "verify")]
mod chain;
#[cfg(feature = "verify")]
mod document;
#[cfg(feature = "verify")]
mod error;
#[cfg(feature = "mint")]
pub mod mint;
#[cfg(feature = "verify")]
mod policy;
#[cfg(feature = "verify")]
mod verify;

pub use bundle::{KeyBundle, MalformedBundle};
pub use measurement::{Measurement, Measurements};

#[cfg(feature = "verify")]
pub use {
    anchors::Anchors,
    document::Document,
    error::{CborProblem, CertificateProblem, Error},
    policy::Policy,
    verify::{Attested, Claims, Development, Hardware, Trust, Verified, verify},
};

/// The chain id on which development enclaves, keys and entropy are accepted, and the only one:
/// the default of the local test chains (Anvil, Hardhat).
pub const DEVELOPMENT_CHAIN_ID: u64 = 31_337;
