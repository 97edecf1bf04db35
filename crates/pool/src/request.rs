//! Requests: how much an issuer asks for, and how much of it is still missing.
//!
//! The chain holds a commitment, the seed's `encryptedAmount`; each settlement replaces it by the
//! commitment to what remains.

use crate::{
    AMOUNT_BITS, Fr,
    codec::{Error, Reader, Writer},
    hash::{poseidon, tag},
};

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Asked for at first, in base units of the collateral, below 2^112. Zero is a cover request.
    pub requested: u128,
    /// Still missing, in base units of the collateral, at most `requested`.
    pub remaining: u128,
    /// What is offered in return: the mandate's instrument.
    pub instrument: Fr,
    /// The mandate it is under: [`crate::mandate::Mandate::commitment`].
    pub mandate: Fr,
    /// How bad the gap is, as far as makers are told. Larger is worse.
    pub gap_band: u8,
    /// Hides the commitment.
    pub salt: Fr,
}

/// Bytes of [`Request::to_bytes`].
pub const REQUEST_LEN: usize = 1 + 16 + 16 + 32 + 32 + 1 + 32;

const VERSION: u8 = 1;

impl Request {
    /// `H(tag request, requested, remaining, instrument, mandate, gap_band, salt)`.
    #[must_use]
    pub fn commitment(&self) -> Fr {
        poseidon(&[
            tag("request"),
            Fr::from(self.requested),
            Fr::from(self.remaining),
            self.instrument,
            self.mandate,
            Fr::from(self.gap_band),
            self.salt,
        ])
    }

    /// The request after a settlement under `context` that brought `filled` base units. The next salt
    /// is `H(tag salt.request, salt, context)`. `None` if more was filled than remains.
    #[must_use]
    pub fn after(&self, filled: u128, context: Fr) -> Option<Self> {
        Some(Self {
            remaining: self.remaining.checked_sub(filled)?,
            salt: poseidon(&[tag("salt.request"), self.salt, context]),
            ..*self
        })
    }

    /// Encodes as a version byte and the fields in order, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; REQUEST_LEN] {
        Writer::new(VERSION)
            .put(&self.requested.to_be_bytes())
            .put(&self.remaining.to_be_bytes())
            .field(&self.instrument)
            .field(&self.mandate)
            .put(&[self.gap_band])
            .field(&self.salt)
            .finish()
    }

    /// Decodes [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Error`] if length or version is wrong or a field is out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("request", bytes, REQUEST_LEN, VERSION)?;
        Ok(Self {
            requested: reader.u128("requested amount", AMOUNT_BITS)?,
            remaining: reader.u128("remaining amount", AMOUNT_BITS)?,
            instrument: reader.field()?,
            mandate: reader.field()?,
            gap_band: reader.u8(),
            salt: reader.field()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Request {
        Request {
            requested: 100,
            remaining: 70,
            instrument: Fr::from(1),
            mandate: Fr::from(2),
            gap_band: 3,
            salt: Fr::from(4),
        }
    }

    #[test]
    fn every_field_changes_the_commitment() {
        let request = example();
        let one = Fr::from(1);
        let others = [
            Request { requested: 101, ..request },
            Request { remaining: 71, ..request },
            Request { instrument: request.instrument + one, ..request },
            Request { mandate: request.mandate + one, ..request },
            Request { gap_band: 30, ..request },
            Request { salt: request.salt + one, ..request },
        ];
        for other in others {
            assert_ne!(other.commitment(), request.commitment());
        }
    }

    #[test]
    fn a_fill_of_nothing_still_changes_the_commitment() {
        let after = example().after(0, Fr::from(5)).expect("nothing fits");
        assert_eq!(after.remaining, 70);
        assert_ne!(after.commitment(), example().commitment());
    }

    #[test]
    fn no_more_is_filled_than_remains() {
        assert_eq!(example().after(70, Fr::from(5)).map(|after| after.remaining), Some(0));
        assert_eq!(example().after(71, Fr::from(5)), None);
    }

    #[test]
    fn a_request_survives_its_encoding() {
        assert_eq!(Request::from_bytes(&example().to_bytes()), Ok(example()));
    }
}
