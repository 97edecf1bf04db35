//! Sealing secrets to the runner: HPKE in base mode with X25519, HKDF-SHA256 and ChaCha20-Poly1305 (RFC 9180).
//!
//! Chainlink's nodes seal shares of a secret instead, which the enclave joins (TDH2); here the nodes hold the
//! secret whole, and the sealing hides it from the runner's host.

use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use zeroize::Zeroizing;

type Kem = X25519HkdfSha256;

/// What a sealed message is for.
const INFO: &[u8] = b"cdpr/runner/secrets/v1";

/// The message does not open, or the key is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed answer that does not open: another runner, another request, or altered")]
pub struct Unreadable;

/// The runner's key.
#[expect(missing_debug_implementations, reason = "a secret must not reach a log")]
pub struct SecretKey(<Kem as hpke::Kem>::PrivateKey);

impl SecretKey {
    /// `DeriveKeyPair(ikm)` of RFC 9180, section 7.1.3.
    pub fn from_ikm(ikm: &[u8; 32]) -> Self {
        Self(Kem::derive_keypair(ikm).0)
    }

    /// The public key, as RFC 7748 encodes it.
    pub fn public_key(&self) -> [u8; 32] {
        Kem::sk_to_pk(&self.0).to_bytes().into()
    }

    /// Opens what [`seal`] made for the same request.
    ///
    /// # Errors
    /// [`Unreadable`], whatever the reason.
    pub fn open(
        &self,
        request: &[u8; 32],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        let (encapsulated, ciphertext) = sealed.split_at_checked(32).ok_or(Unreadable)?;
        let encapsulated = Deserializable::from_bytes(encapsulated).map_err(|_| Unreadable)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeR::Base,
            &self.0,
            &encapsulated,
            INFO,
            ciphertext,
            request,
        )
        .map(Zeroizing::new)
        .map_err(|_| Unreadable)
    }
}

/// Seals `plaintext` to the runner's public key, bound to the request it answers: encapsulated key, ciphertext,
/// tag. Equal arguments give equal bytes, so that nodes sign the same; `entropy` must be new for each plaintext.
///
/// # Errors
/// [`Unreadable`] if the key is of small order.
#[expect(clippy::missing_panics_doc, reason = "a fresh context has not used up its messages")]
pub fn seal(
    runner: &[u8; 32],
    request: &[u8; 32],
    plaintext: &[u8],
    entropy: [u8; 32],
) -> Result<Vec<u8>, Unreadable> {
    let runner = Deserializable::from_bytes(runner).map_err(|_| Unreadable)?;
    let (encapsulated, mut context) =
        hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeS::Base,
            &runner,
            INFO,
            &mut ChaCha20Rng::from_seed(entropy),
        )
        .map_err(|_| Unreadable)?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    sealed.extend(context.seal(plaintext, request).expect("the first message of a context"));
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_answer_opens_for_its_runner_and_request_only() {
        let key = SecretKey::from_ikm(&[1; 32]);
        let sealed = seal(&key.public_key(), &[2; 32], b"secret", [3; 32]).unwrap();
        assert_eq!(key.open(&[2; 32], &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(key.open(&[9; 32], &sealed), Err(Unreadable));
        assert_eq!(SecretKey::from_ikm(&[9; 32]).open(&[2; 32], &sealed), Err(Unreadable));
        for n in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[n] ^= 1;
            assert_eq!(key.open(&[2; 32], &changed), Err(Unreadable), "byte {n}");
            assert_eq!(key.open(&[2; 32], &sealed[..n]), Err(Unreadable), "cut at {n}");
        }
        assert_eq!(seal(&[0; 32], &[2; 32], b"secret", [3; 32]), Err(Unreadable));
    }
}
