//! What a settlement tells those it concerns: one sealed notice a slot and one for the issuer.
//!
//! All are [`SEALED_LEN`] bytes and look random, whether the slot was real or not, so that calldata
//! tells neither how many makers took part nor which. A notice is a convenience: what it says can be
//! recomputed from the owner's secrets and the chain, and whoever relies on it checks it against the
//! commitments that were settled.
//!
//! A notice is bound to its settlement's context and its place: moved anywhere else it does not open.

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::{
    AMOUNT_BITS, Fr, PREMIUM_BITS, SLOTS,
    codec::{Error as CodecError, Reader, Writer},
    field, seal,
};

/// Bytes of a notice before sealing, whatever its kind.
pub const NOTICE_LEN: usize = 224;

/// Bytes of a sealed notice, whatever its kind.
pub const SEALED_LEN: usize = NOTICE_LEN + seal::OVERHEAD;

/// Where the issuer's notice stands among a settlement's ciphertexts: after the slots'.
pub const ISSUER_PLACE: usize = SLOTS;

/// Leaves a settlement makes: a payout and a change note a slot, and the issuer's change.
pub const LEAVES: usize = 2 * SLOTS + 1;

const INFO: &[u8] = b"cdpr/notice/v1";
const FILL_VERSION: u8 = 1;
const ISSUER_VERSION: u8 = 129;

/// Where `slot`'s payout note stands among a settlement's leaves.
#[must_use]
pub const fn payout_leaf(slot: usize) -> usize {
    slot
}

/// Where `slot`'s change note stands among a settlement's leaves.
#[must_use]
pub const fn change_leaf(slot: usize) -> usize {
    SLOTS + slot
}

/// Where the issuer's consideration note stands among a settlement's leaves.
pub const CONSIDERATION_LEAF: usize = 2 * SLOTS;

/// Why a notice cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Sealing or opening failed.
    #[error("notice {place} cannot be sealed or opened")]
    Seal {
        /// Its place among the settlement's ciphertexts.
        place: usize,
        /// What was wrong.
        #[source]
        source: seal::Error,
    },
    /// It opened, and holds something else.
    #[error("notice {place} is malformed")]
    Malformed {
        /// Its place among the settlement's ciphertexts.
        place: usize,
        /// What was wrong.
        #[source]
        source: CodecError,
    },
}

/// What a maker is told about its fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillNotice {
    /// Asset that was filled: the collateral.
    pub asset: Fr,
    /// Taken from the note, in base units of `asset`.
    pub fill: u128,
    /// Paid for it, in base units of the consideration.
    pub payout: u128,
    /// Left in the change note, in base units of `asset`.
    pub change: u128,
    /// `rho` of the payout note.
    pub payout_rho: Fr,
    /// `rho` of the change note.
    pub change_rho: Fr,
    /// Where the payout note stands among the settlement's leaves.
    pub payout_leaf: u8,
    /// Where the change note stands among the settlement's leaves.
    pub change_leaf: u8,
    /// Clearing premium, in basis points.
    pub premium_bps: u16,
}

impl FillNotice {
    /// Seals to a maker's key, for `slot` of the settlement under `context`. Always [`SEALED_LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::Seal`] if the key is unusable.
    pub fn seal(
        &self,
        recipient: &[u8; 32],
        context: Fr,
        slot: usize,
        entropy: [u8; 32],
    ) -> Result<Vec<u8>, Error> {
        let bytes = Writer::<NOTICE_LEN>::new(FILL_VERSION)
            .field(&self.asset)
            .put(&self.fill.to_be_bytes())
            .put(&self.payout.to_be_bytes())
            .put(&self.change.to_be_bytes())
            .field(&self.payout_rho)
            .field(&self.change_rho)
            .put(&[self.payout_leaf, self.change_leaf])
            .put(&self.premium_bps.to_be_bytes())
            .finish();
        seal_notice(recipient, context, slot, &bytes, entropy)
    }

    /// Opens the notice of `slot` of the settlement under `context`.
    ///
    /// # Errors
    /// [`Error::Seal`] if it is not for this key, slot and context, [`Error::Malformed`] if it is and
    /// holds nonsense.
    pub fn open(
        secret_key: &seal::SecretKey,
        context: Fr,
        slot: usize,
        sealed: &[u8],
    ) -> Result<Self, Error> {
        let bytes = open_notice(secret_key, context, slot, sealed)?;
        let read = || {
            let mut reader = Reader::new("fill notice", &bytes, NOTICE_LEN, FILL_VERSION)?;
            let notice = Self {
                asset: reader.field()?,
                fill: reader.u128("fill", AMOUNT_BITS)?,
                payout: reader.u128("payout", AMOUNT_BITS)?,
                change: reader.u128("change", AMOUNT_BITS)?,
                payout_rho: reader.field()?,
                change_rho: reader.field()?,
                payout_leaf: reader.u8(),
                change_leaf: reader.u8(),
                premium_bps: reader.u16("premium", PREMIUM_BITS)?,
            };
            reader.padding()?;
            Ok(notice)
        };
        read().map_err(|source| Error::Malformed { place: slot, source })
    }
}

/// What an issuer is told about a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerNotice {
    /// Asked for at first, in base units of the collateral.
    pub requested: u128,
    /// Still missing after this settlement, in base units of the collateral.
    pub remaining: u128,
    /// Position after this settlement, in base units of the collateral.
    pub position: u128,
    /// Salt of the request after this settlement.
    pub request_salt: Fr,
    /// Salt of the position after this settlement.
    pub position_salt: Fr,
    /// Left in the consideration note, in its base units.
    pub consideration: u128,
    /// `rho` of the consideration note after this settlement.
    pub consideration_rho: Fr,
    /// Status after this settlement, as in [`crate::status`].
    pub status: u8,
    /// Makers that were filled, at most [`SLOTS`].
    pub n_fills: u8,
    /// Paid to all of them, in base units of the consideration.
    pub payout: u128,
    /// Clearing premium, in basis points.
    pub premium_bps: u16,
}

impl IssuerNotice {
    /// Seals to the issuer's key, for the settlement under `context`. Always [`SEALED_LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::Seal`] if the key is unusable.
    pub fn seal(
        &self,
        recipient: &[u8; 32],
        context: Fr,
        entropy: [u8; 32],
    ) -> Result<Vec<u8>, Error> {
        let bytes = Writer::<NOTICE_LEN>::new(ISSUER_VERSION)
            .put(&self.requested.to_be_bytes())
            .put(&self.remaining.to_be_bytes())
            .put(&self.position.to_be_bytes())
            .field(&self.request_salt)
            .field(&self.position_salt)
            .put(&self.consideration.to_be_bytes())
            .field(&self.consideration_rho)
            .put(&[self.status, self.n_fills])
            .put(&self.payout.to_be_bytes())
            .put(&self.premium_bps.to_be_bytes())
            .finish();
        seal_notice(recipient, context, ISSUER_PLACE, &bytes, entropy)
    }

    /// Opens the issuer's notice of the settlement under `context`.
    ///
    /// # Errors
    /// [`Error::Seal`] if it is not for this key and context, [`Error::Malformed`] if it is and holds
    /// nonsense.
    pub fn open(secret_key: &seal::SecretKey, context: Fr, sealed: &[u8]) -> Result<Self, Error> {
        let bytes = open_notice(secret_key, context, ISSUER_PLACE, sealed)?;
        let read = || {
            let mut reader = Reader::new("issuer notice", &bytes, NOTICE_LEN, ISSUER_VERSION)?;
            let notice = Self {
                requested: reader.u128("requested amount", AMOUNT_BITS)?,
                remaining: reader.u128("remaining amount", AMOUNT_BITS)?,
                position: reader.u128("position", AMOUNT_BITS)?,
                request_salt: reader.field()?,
                position_salt: reader.field()?,
                consideration: reader.u128("consideration", AMOUNT_BITS)?,
                consideration_rho: reader.field()?,
                status: reader.u8(),
                n_fills: reader.u8(),
                payout: reader.u128("payout", AMOUNT_BITS)?,
                premium_bps: reader.u16("premium", PREMIUM_BITS)?,
            };
            reader.padding()?;
            Ok(notice)
        };
        read().map_err(|source| Error::Malformed { place: ISSUER_PLACE, source })
    }
}

/// A notice for nobody, for a slot without a fill: random bytes sealed to a key that no one holds.
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "a derived public key is never of small order")]
pub fn seal_nothing(context: Fr, slot: usize, entropy: [u8; 32]) -> Vec<u8> {
    let mut rng = ChaCha20Rng::from_seed(entropy);
    let (mut ikm, mut bytes, mut ephemeral) = ([0; 32], [0; NOTICE_LEN], [0; 32]);
    rng.fill_bytes(&mut ikm);
    rng.fill_bytes(&mut bytes);
    rng.fill_bytes(&mut ephemeral);
    let nobody = seal::SecretKey::from_ikm(&ikm).public_key();
    seal_notice(&nobody, context, slot, &bytes, ephemeral).expect("a derived key is usable")
}

fn seal_notice(
    recipient: &[u8; 32],
    context: Fr,
    place: usize,
    bytes: &[u8; NOTICE_LEN],
    entropy: [u8; 32],
) -> Result<Vec<u8>, Error> {
    seal::seal(recipient, INFO, &aad(context, place), bytes, entropy)
        .map_err(|source| Error::Seal { place, source })
}

fn open_notice(
    secret_key: &seal::SecretKey,
    context: Fr,
    place: usize,
    sealed: &[u8],
) -> Result<zeroize::Zeroizing<Vec<u8>>, Error> {
    seal::open(secret_key, INFO, &aad(context, place), sealed)
        .map_err(|source| Error::Seal { place, source })
}

/// The context, 32 bytes, and the place, 8 bytes, both big-endian.
fn aad(context: Fr, place: usize) -> [u8; 40] {
    let mut aad = [0; 40];
    aad[..32].copy_from_slice(&field::to_bytes(&context));
    aad[32..].copy_from_slice(&(place as u64).to_be_bytes());
    aad
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill() -> FillNotice {
        FillNotice {
            asset: Fr::from(1),
            fill: 2,
            payout: 3,
            change: 4,
            payout_rho: Fr::from(5),
            change_rho: Fr::from(6),
            payout_leaf: 7,
            change_leaf: 8,
            premium_bps: 9,
        }
    }

    fn issuer() -> IssuerNotice {
        IssuerNotice {
            requested: 1,
            remaining: 2,
            position: 3,
            request_salt: Fr::from(4),
            position_salt: Fr::from(5),
            consideration: 6,
            consideration_rho: Fr::from(7),
            status: 1,
            n_fills: 2,
            payout: 8,
            premium_bps: 9,
        }
    }

    #[test]
    fn notices_open_for_their_recipient_and_have_one_length() {
        let (key, context) = (seal::SecretKey::from_ikm(&[1; 32]), Fr::from(9));
        let recipient = key.public_key();
        let sealed_fill = fill().seal(&recipient, context, 2, [2; 32]).expect("good key");
        let sealed_issuer = issuer().seal(&recipient, context, [3; 32]).expect("good key");
        assert_eq!(FillNotice::open(&key, context, 2, &sealed_fill), Ok(fill()));
        assert_eq!(IssuerNotice::open(&key, context, &sealed_issuer), Ok(issuer()));
        let nothing = seal_nothing(context, 2, [4; 32]);
        for sealed in [&sealed_fill, &sealed_issuer, &nothing] {
            assert_eq!(sealed.len(), SEALED_LEN);
        }
    }

    #[test]
    fn a_notice_opens_only_in_its_place() {
        let (key, context) = (seal::SecretKey::from_ikm(&[1; 32]), Fr::from(9));
        let sealed = fill().seal(&key.public_key(), context, 2, [2; 32]).expect("good key");
        let closed = |place| Err(Error::Seal { place, source: seal::Error::Open });
        assert_eq!(FillNotice::open(&key, context, 1, &sealed), closed(1));
        assert_eq!(FillNotice::open(&key, context + Fr::from(1), 2, &sealed), closed(2));
    }

    #[test]
    fn one_kind_of_notice_is_not_read_as_the_other() {
        let (key, context) = (seal::SecretKey::from_ikm(&[1; 32]), Fr::from(9));
        let sealed =
            fill().seal(&key.public_key(), context, ISSUER_PLACE, [2; 32]).expect("good key");
        assert!(matches!(
            IssuerNotice::open(&key, context, &sealed),
            Err(Error::Malformed { source: CodecError::Version { .. }, .. }),
        ));
    }
}
