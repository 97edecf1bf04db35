//! Sealing bytes to a key: HPKE in base mode, one message a context.
//!
//! The suite is DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305. A sealed message is the
//! 32-byte encapsulated key followed by the ciphertext and its 16-byte tag, and looks random to
//! whoever does not hold the key, so it does not say whom it is for.
//!
//! Source: RFC 9180.

use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305,
    kdf::HkdfSha256, kem::X25519HkdfSha256,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use zeroize::Zeroizing;

type Kem = X25519HkdfSha256;

/// Bytes a sealed message is longer than its plaintext: encapsulated key and tag.
pub const OVERHEAD: usize = 32 + 16;

/// Why a message cannot be sealed, opened or padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The recipient's key is a point of small order: the shared secret would be no secret.
    #[error("recipient key is not a usable X25519 key")]
    Recipient,
    /// 32 bytes that are no private key.
    #[error("bytes are not an X25519 private key")]
    SecretKey,
    /// Shorter than what sealing adds.
    #[error("sealed message has {found} bytes, must have at least {OVERHEAD}")]
    TooShort {
        /// Bytes it has.
        found: usize,
    },
    /// Not for this key, or not for this use, or changed on the way.
    #[error("sealed message does not open: another recipient, another context, or altered")]
    Open,
    /// The plaintext is longer than the fixed length leaves room for.
    #[error("message of {found} bytes does not fit {limit}")]
    TooLong {
        /// Bytes it has.
        found: usize,
        /// Bytes there is room for.
        limit: usize,
    },
    /// Not what [`pad`] makes.
    #[error("message is not padded as it must be")]
    Padding,
}

/// A recipient's secret key.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a secret must not reach a log")]
pub struct SecretKey(<Kem as hpke::Kem>::PrivateKey);

impl SecretKey {
    /// `DeriveKeyPair(ikm)` of RFC 9180, section 7.1.3. `ikm` must be secret and have full entropy.
    #[must_use]
    pub fn from_ikm(ikm: &[u8; 32]) -> Self {
        Self(Kem::derive_keypair(ikm).0)
    }

    /// From [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Error::SecretKey`] if the bytes are no private key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        Deserializable::from_bytes(bytes).map(Self).map_err(|_| Error::SecretKey)
    }

    /// The key itself, for sealed storage.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.0.write_exact(bytes.as_mut());
        bytes
    }

    /// The public key, as RFC 7748 encodes it.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        Kem::sk_to_pk(&self.0).to_bytes().into()
    }
}

/// Seals `plaintext` to `recipient`, an X25519 public key. Returns [`OVERHEAD`] bytes more than the
/// plaintext has.
///
/// `info` names the use and `aad` binds what the message belongs to; opening takes the same. The
/// ephemeral key is drawn from ChaCha20 seeded with `entropy`, so equal arguments give equal bytes:
/// entropy used twice for different messages to one recipient breaks the encryption.
///
/// # Errors
/// [`Error::Recipient`] if the key is of small order.
#[expect(clippy::missing_panics_doc, reason = "a fresh context has not used up its messages")]
pub fn seal(
    recipient: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    entropy: [u8; 32],
) -> Result<Vec<u8>, Error> {
    let recipient = Deserializable::from_bytes(recipient).map_err(|_| Error::Recipient)?;
    let (encapsulated, mut context) =
        hpke::setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeS::Base,
            &recipient,
            info,
            &mut ChaCha20Rng::from_seed(entropy),
        )
        .map_err(|_| Error::Recipient)?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    sealed.extend(context.seal(plaintext, aad).expect("the first message of a context"));
    Ok(sealed)
}

/// Opens what [`seal`] made with the same `info` and `aad`.
///
/// # Errors
/// [`Error::TooShort`], or [`Error::Open`] whatever the reason: telling them apart would help an
/// attacker.
pub fn open(
    secret_key: &SecretKey,
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    if sealed.len() < OVERHEAD {
        return Err(Error::TooShort { found: sealed.len() });
    }
    let (encapsulated, ciphertext) = sealed.split_at(32);
    let encapsulated = Deserializable::from_bytes(encapsulated).map_err(|_| Error::Open)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeR::Base,
        &secret_key.0,
        &encapsulated,
        info,
        ciphertext,
        aad,
    )
    .map(Zeroizing::new)
    .map_err(|_| Error::Open)
}

/// Pads `message` to exactly `len` bytes: its length in two bytes, big-endian, the message, zeros.
///
/// # Errors
/// [`Error::TooLong`] if there is no room.
pub fn pad(message: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let limit = len.saturating_sub(2).min(usize::from(u16::MAX));
    let too_long = Error::TooLong { found: message.len(), limit };
    let message_len = u16::try_from(message.len()).map_err(|_| too_long)?;
    let mut padded = Zeroizing::new(vec![0; len]);
    let (head, rest) = padded.split_first_chunk_mut().ok_or(too_long)?;
    *head = message_len.to_be_bytes();
    rest.get_mut(..message.len()).ok_or(too_long)?.copy_from_slice(message);
    Ok(padded)
}

/// The message in what [`pad`] made.
///
/// # Errors
/// [`Error::Padding`] if it is not what [`pad`] makes, zeros included.
pub fn unpad(padded: &[u8]) -> Result<&[u8], Error> {
    let (len, rest) = padded.split_first_chunk().ok_or(Error::Padding)?;
    let len = usize::from(u16::from_be_bytes(*len));
    let (message, zeros) = rest.split_at_checked(len).ok_or(Error::Padding)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(Error::Padding);
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> SecretKey {
        SecretKey::from_ikm(&[1; 32])
    }

    #[test]
    fn sealing_is_a_function_of_its_entropy() {
        let recipient = key().public_key();
        let seal = |entropy| seal(&recipient, b"info", b"aad", b"text", [entropy; 32]);
        assert_eq!(seal(1), seal(1));
        assert_ne!(seal(1), seal(2));
    }

    #[test]
    fn only_the_same_key_info_and_aad_open() {
        let sealed =
            seal(&key().public_key(), b"info", b"aad", b"text", [2; 32]).expect("good key");
        assert_eq!(open(&key(), b"info", b"aad", &sealed).expect("ours").as_slice(), b"text");
        assert_eq!(open(&key(), b"other", b"aad", &sealed), Err(Error::Open));
        assert_eq!(open(&key(), b"info", b"other", &sealed), Err(Error::Open));
        assert_eq!(
            open(&SecretKey::from_ikm(&[3; 32]), b"info", b"aad", &sealed),
            Err(Error::Open)
        );
        assert_eq!(
            open(&key(), b"info", b"aad", &sealed[..OVERHEAD - 1]),
            Err(Error::TooShort { found: OVERHEAD - 1 }),
        );
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert_eq!(open(&key(), b"info", b"aad", &altered), Err(Error::Open), "byte {index}");
        }
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        assert_eq!(seal(&[0; 32], b"", b"", b"", [0; 32]), Err(Error::Recipient));
    }

    #[test]
    fn a_key_survives_its_encoding() {
        let read = SecretKey::from_bytes(&key().to_bytes()).expect("a key");
        assert_eq!(read.public_key(), key().public_key());
    }

    /// RFC 9180, appendix A.2.1: the same suite, base mode, first message.
    #[test]
    fn a_message_of_the_rfc_opens() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
                .collect()
        };
        let ikm = hex("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df");
        let key = SecretKey::from_ikm(&ikm.try_into().expect("32 bytes"));
        assert_eq!(
            key.public_key().to_vec(),
            hex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"),
        );
        let sealed = [
            hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"),
            hex("1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db\
                 21993c62ce81883d2dd1b51a28"),
        ]
        .concat();
        let info = hex("4f6465206f6e2061204772656369616e2055726e");
        let aad = hex("436f756e742d30");
        let text = open(&key, &info, &aad, &sealed).expect("the RFC's message");
        assert_eq!(text.as_slice(), b"Beauty is truth, truth beauty");
    }

    #[test]
    fn padding_has_one_form() {
        let padded = pad(b"abc", 8).expect("fits");
        assert_eq!(padded.as_slice(), [0, 3, b'a', b'b', b'c', 0, 0, 0]);
        assert_eq!(unpad(&padded), Ok(b"abc".as_slice()));
        assert_eq!(unpad(&[0, 3, b'a', b'b', b'c', 0, 0, 1]), Err(Error::Padding));
        assert_eq!(unpad(&[0, 7, 0, 0]), Err(Error::Padding));
        assert_eq!(unpad(&[0]), Err(Error::Padding));
        assert!(pad(b"abcdef", 8).is_ok());
        assert_eq!(pad(b"abcdefg", 8), Err(Error::TooLong { found: 7, limit: 6 }));
        assert_eq!(pad(b"", 1), Err(Error::TooLong { found: 0, limit: 0 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn what_is_sealed_opens(text: Vec<u8>, entropy: [u8; 32]) {
            let sealed = seal(&key().public_key(), b"info", b"aad", &text, entropy).expect("good key");
            prop_assert_eq!(sealed.len(), text.len() + OVERHEAD);
            let opened = open(&key(), b"info", b"aad", &sealed).expect("ours");
            prop_assert_eq!(opened.as_slice(), text.as_slice());
        }
    }
}
