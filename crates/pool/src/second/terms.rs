//! Terms: what a maker lets an enclave do with its note.
//!
//! They are hashed into the note, and a change note keeps the hash, so a fill can neither exceed the
//! note nor leave the terms, and no signature is needed inside the circuit.

use super::{
    deal::{DEAL_LEN, Deal},
    pack,
};
use crate::{
    AMOUNT_BITS, Fr, GAP_BAND_BITS, PREMIUM_BITS, PRICE_BITS, TIME_BITS,
    codec::{Error, Reader, Writer},
    hash::{poseidon, tag},
};

/// What a maker agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What is traded, for whom and where.
    pub deal: Deal,
    /// Owner of the payout note: [`crate::keys::owner`].
    pub payout_owner: Fr,
    /// Least premium to accept, in basis points, below 2^14.
    pub premium_bps_min: u16,
    /// Lowest price to accept: consideration units per collateral unit, 8 decimals.
    pub price_min: u64,
    /// Highest price to accept, as `price_min`. A price above it signals a broken oracle.
    pub price_max: u64,
    /// Smallest fill worth having, in base units of the note's asset, below 2^112.
    pub fill_min: u128,
    /// Worst gap band to serve. Bands are the deployment's; larger is worse.
    pub gap_band_max: u8,
    /// Last second these terms hold, Unix time, below 2^40.
    pub expiry: u64,
}

/// Bytes of [`Terms::to_bytes`].
pub const TERMS_LEN: usize = 1 + DEAL_LEN + 32 + 2 + 8 + 8 + 16 + 1 + 8;

/// Of the encoding; the first design's is 1.
const VERSION: u8 = 2;

/// Bits of what [`limits`] packs, in its order.
pub const LIMIT_BITS: [u32; 5] = [PREMIUM_BITS, PRICE_BITS, PRICE_BITS, GAP_BAND_BITS, TIME_BITS];

impl Terms {
    /// `order_hash = H(tag terms, deal, payout_owner, limits, fill_min)`, where `limits` packs
    /// `premium_bps_min, price_min, price_max, gap_band_max, expiry`.
    #[must_use]
    pub fn hash(&self) -> Fr {
        let limits = limits([
            Fr::from(self.premium_bps_min),
            Fr::from(self.price_min),
            Fr::from(self.price_max),
            Fr::from(self.gap_band_max),
            Fr::from(self.expiry),
        ]);
        hash(self.deal.hash(), self.payout_owner, limits, Fr::from(self.fill_min))
    }

    /// Encodes as a version byte and the fields in order, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; TERMS_LEN] {
        self.deal
            .write(Writer::new(VERSION))
            .field(&self.payout_owner)
            .put(&self.premium_bps_min.to_be_bytes())
            .put(&self.price_min.to_be_bytes())
            .put(&self.price_max.to_be_bytes())
            .put(&self.fill_min.to_be_bytes())
            .put(&[self.gap_band_max])
            .put(&self.expiry.to_be_bytes())
            .finish()
    }

    /// Decodes [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Error`] if length or version is wrong or a field is out of range: such terms could never be
    /// filled, and are better refused here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("terms", bytes, TERMS_LEN, VERSION)?;
        Ok(Self {
            deal: Deal::read(&mut reader)?,
            payout_owner: reader.field()?,
            premium_bps_min: reader.u16("minimum premium", PREMIUM_BITS)?,
            price_min: reader.u64("lowest price", PRICE_BITS)?,
            price_max: reader.u64("highest price", PRICE_BITS)?,
            fill_min: reader.u128("minimum fill", AMOUNT_BITS)?,
            gap_band_max: reader.u8(),
            expiry: reader.u64("expiry", TIME_BITS)?,
        })
    }
}

/// [`Terms::hash`] of a deal's hash and packed limits.
#[must_use]
pub fn hash(deal: Fr, payout_owner: Fr, limits: Fr, fill_min: Fr) -> Fr {
    poseidon(&[tag("terms"), deal, payout_owner, limits, fill_min])
}

/// The limits of terms in one element: minimum premium, lowest and highest price, highest gap band,
/// expiry. Only of integers in range is it one element each.
#[must_use]
pub fn limits(parts: [Fr; 5]) -> Fr {
    pack(&core::array::from_fn::<_, 5, _>(|at| (parts[at], LIMIT_BITS[at])))
}

#[cfg(test)]
mod tests {
    use super::{super::deal::Scale, *};

    fn example() -> Terms {
        Terms {
            deal: Deal {
                issuer: Fr::from(1),
                instrument: Fr::from(2),
                consideration_asset: Fr::from(3),
                venue: Fr::from(5),
                scale: Scale::PAR,
            },
            payout_owner: Fr::from(4),
            premium_bps_min: 6,
            price_min: 7,
            price_max: 8,
            fill_min: 9,
            gap_band_max: 10,
            expiry: 11,
        }
    }

    #[test]
    fn every_field_changes_the_hash_and_survives_its_encoding() {
        let terms = example();
        let one = Fr::from(1);
        let others = [
            Terms { deal: Deal { issuer: one + one, ..terms.deal }, ..terms },
            Terms { payout_owner: terms.payout_owner + one, ..terms },
            Terms { premium_bps_min: 60, ..terms },
            Terms { price_min: 70, ..terms },
            Terms { price_max: 80, ..terms },
            Terms { fill_min: 90, ..terms },
            Terms { gap_band_max: 100, ..terms },
            Terms { expiry: 110, ..terms },
        ];
        for other in others {
            assert_ne!(other.hash(), terms.hash());
            assert_eq!(Terms::from_bytes(&other.to_bytes()), Ok(other));
        }
    }

    #[test]
    fn terms_that_could_never_be_filled_are_not_decoded() {
        let late = Terms { expiry: 1 << TIME_BITS, ..example() }.to_bytes();
        assert!(Terms::from_bytes(&late).is_err());
        assert!(Terms::from_bytes(&[0; TERMS_LEN]).is_err(), "another version");
    }
}
