//! An enclave's evidence, as a maker, an issuer or a custodian looks at it before it seals anything.

use attestation::{Anchors, Error, KeyBundle, Measurements, Policy};
use primitives::Timestamp;

/// What a party expects of an enclave, from its build and its deployment; never from who offers it.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The chain it settles on; decides which roots are believed.
    pub chain_id: u64,
    /// What its image and configuration measure.
    pub measurements: Measurements,
    /// The challenge that the document must answer.
    pub challenge: &'a [u8],
}

/// The keys of an enclave that is the expected one at `now`. Its document is read under the development root,
/// which is believed on the development chain only.
///
/// # Errors
/// [`Error`]; a difference names both measurements.
pub fn check(
    document: &[u8],
    key_bundle: &[u8],
    expected: Expected<'_>,
    now: Timestamp,
) -> Result<KeyBundle, Error> {
    let Expected { chain_id, measurements, challenge } = expected;
    let anchors = Anchors::development(chain_id)?;
    let policy = Policy::new(chain_id, vec![measurements])?.with_nonce(challenge);
    let now_ms = now.0 * 1_000;
    let attested = attestation::verify(document, &anchors, &policy, now_ms)?;
    attested.claims().key_bundle(key_bundle, now_ms)
}
