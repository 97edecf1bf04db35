//! Mandates: what an issuer lets an enclave do for it.
//!
//! Registered on chain as a hiding commitment; every settlement proves that it stays inside. A mandate
//! names its venue and no account, so that it can be replaced.

use super::{
    deal::{DEAL_LEN, Deal},
    pack,
};
use crate::{
    AMOUNT_BITS, Fr, PREMIUM_BITS, PRICE_BITS, TIME_BITS,
    codec::{Error, Reader, Writer},
    hash::{poseidon, tag},
};

/// What an issuer agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mandate {
    /// What is traded, for whom and where.
    pub deal: Deal,
    /// Token it takes: its address as an integer.
    pub collateral_asset: Fr,
    /// Most it pays, in basis points over the price, below 2^14.
    pub premium_bps_max: u16,
    /// Lowest price at which it deals: consideration units per collateral unit, 8 decimals.
    pub price_min: u64,
    /// Highest price at which it deals, as `price_min`.
    pub price_max: u64,
    /// Last second this mandate holds, Unix time, below 2^40.
    pub expiry: u64,
    /// Seconds of an epoch, below 2^40, not 0. Epochs begin with Unix time.
    pub epoch_seconds: u64,
    /// Most it takes in an epoch, all requests together, in base units of the collateral, below 2^112.
    pub amount_max: u128,
    /// Every fill is a multiple of this, in base units of the collateral, below 2^112, not 0.
    pub lot: u128,
    /// Smallest fill that may take a slot, in base units of the collateral, below 2^112; a round that
    /// leaves nothing to fill may have smaller ones. Lines of dust would take every slot otherwise.
    pub slot_min: u128,
    /// Hides the commitment.
    pub salt: Fr,
}

/// Bytes of [`Mandate::to_bytes`].
pub const MANDATE_LEN: usize = 1 + DEAL_LEN + 32 + 2 + 4 * 8 + 3 * 16 + 32;

/// Of the encoding; the first design's is 1.
const VERSION: u8 = 2;

/// Bits of what [`limits`] packs, in its order.
pub const LIMIT_BITS: [u32; 5] = [PREMIUM_BITS, PRICE_BITS, PRICE_BITS, TIME_BITS, TIME_BITS];

impl Mandate {
    /// `H(tag mandate, deal, collateral_asset, limits, amounts, slot_min, salt)`, where `limits` packs
    /// `premium_bps_max, price_min, price_max, expiry, epoch_seconds` and `amounts` packs
    /// `amount_max, lot`.
    #[must_use]
    pub fn commitment(&self) -> Fr {
        let limits = limits([
            Fr::from(self.premium_bps_max),
            Fr::from(self.price_min),
            Fr::from(self.price_max),
            Fr::from(self.expiry),
            Fr::from(self.epoch_seconds),
        ]);
        let amounts = amounts(Fr::from(self.amount_max), Fr::from(self.lot));
        let (deal, slot_min) = (self.deal.hash(), Fr::from(self.slot_min));
        commitment([deal, self.collateral_asset, limits, amounts, slot_min, self.salt])
    }

    /// Encodes as a version byte and the fields in order, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; MANDATE_LEN] {
        self.deal
            .write(Writer::new(VERSION))
            .field(&self.collateral_asset)
            .put(&self.premium_bps_max.to_be_bytes())
            .put(&self.price_min.to_be_bytes())
            .put(&self.price_max.to_be_bytes())
            .put(&self.expiry.to_be_bytes())
            .put(&self.epoch_seconds.to_be_bytes())
            .put(&self.amount_max.to_be_bytes())
            .put(&self.lot.to_be_bytes())
            .put(&self.slot_min.to_be_bytes())
            .field(&self.salt)
            .finish()
    }

    /// Decodes [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Error`] if length or version is wrong or a field is out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("mandate", bytes, MANDATE_LEN, VERSION)?;
        Ok(Self {
            deal: Deal::read(&mut reader)?,
            collateral_asset: reader.field()?,
            premium_bps_max: reader.u16("maximum premium", PREMIUM_BITS)?,
            price_min: reader.u64("lowest price", PRICE_BITS)?,
            price_max: reader.u64("highest price", PRICE_BITS)?,
            expiry: reader.u64("expiry", TIME_BITS)?,
            epoch_seconds: reader.u64("epoch", TIME_BITS)?,
            amount_max: reader.u128("maximum amount", AMOUNT_BITS)?,
            lot: reader.u128("lot", AMOUNT_BITS)?,
            slot_min: reader.u128("slot minimum", AMOUNT_BITS)?,
            salt: reader.field()?,
        })
    }
}

/// [`Mandate::commitment`] of a deal's hash, the asset, packed limits and amounts, and the rest.
#[must_use]
pub fn commitment([deal, collateral_asset, limits, amounts, slot_min, salt]: [Fr; 6]) -> Fr {
    poseidon(&[tag("mandate"), deal, collateral_asset, limits, amounts, slot_min, salt])
}

/// The limits of a mandate in one element: maximum premium, lowest and highest price, expiry, epoch.
/// Only of integers in range is it one element each.
#[must_use]
pub fn limits(parts: [Fr; 5]) -> Fr {
    pack(&core::array::from_fn::<_, 5, _>(|at| (parts[at], LIMIT_BITS[at])))
}

/// Two amounts in one element.
#[must_use]
pub fn amounts(amount_max: Fr, lot: Fr) -> Fr {
    pack(&[(amount_max, AMOUNT_BITS), (lot, AMOUNT_BITS)])
}

#[cfg(test)]
mod tests {
    use super::{super::deal::Scale, *};

    #[test]
    fn every_field_changes_the_commitment_and_survives_its_encoding() {
        let mandate = Mandate {
            deal: Deal {
                issuer: Fr::from(1),
                instrument: Fr::from(2),
                consideration_asset: Fr::from(4),
                venue: Fr::from(5),
                scale: Scale::PAR,
            },
            collateral_asset: Fr::from(3),
            premium_bps_max: 7,
            price_min: 8,
            price_max: 9,
            expiry: 10,
            epoch_seconds: 11,
            amount_max: 6,
            lot: 12,
            slot_min: 13,
            salt: Fr::from(14),
        };
        let one = Fr::from(1);
        let others = [
            Mandate { deal: Deal { issuer: one + one, ..mandate.deal }, ..mandate },
            Mandate { collateral_asset: mandate.collateral_asset + one, ..mandate },
            Mandate { premium_bps_max: 70, ..mandate },
            Mandate { price_min: 80, ..mandate },
            Mandate { price_max: 90, ..mandate },
            Mandate { expiry: 100, ..mandate },
            Mandate { epoch_seconds: 110, ..mandate },
            Mandate { amount_max: 60, ..mandate },
            Mandate { lot: 120, ..mandate },
            Mandate { slot_min: 130, ..mandate },
            Mandate { salt: mandate.salt + one, ..mandate },
        ];
        for other in others {
            assert_ne!(other.commitment(), mandate.commitment());
            assert_eq!(Mandate::from_bytes(&other.to_bytes()), Ok(other));
        }
    }
}
