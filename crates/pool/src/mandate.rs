//! Mandates: what an issuer lets an enclave do for it.
//!
//! Registered on chain as a hiding commitment; every settlement proves that it stays inside.

use crate::{
    AMOUNT_BITS, Fr, PREMIUM_BITS, PRICE_BITS, TIME_BITS,
    codec::{Error, Reader, Writer},
    hash::{poseidon, tag},
};

/// What an issuer agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mandate {
    /// The issuer: its EVM address as an integer.
    pub issuer: Fr,
    /// What it offers in return, the deployment's number for it.
    pub instrument: Fr,
    /// Token it takes: its address as an integer.
    pub collateral_asset: Fr,
    /// Token it pays in: its address as an integer.
    pub consideration_asset: Fr,
    /// Chain and contract this mandate is for: `keccak256(abi.encode(chainid, pool)) >> 8`.
    pub pool_id: Fr,
    /// Most it asks for in one request, in base units of the collateral, below 2^112.
    pub amount_max: u128,
    /// Most it pays, in basis points over the price, below 2^14.
    pub premium_bps_max: u16,
    /// Lowest price at which it deals: consideration units per collateral unit, 8 decimals.
    pub price_min: u64,
    /// Highest price at which it deals, as `price_min`.
    pub price_max: u64,
    /// Last second this mandate holds, Unix time, below 2^40.
    pub expiry: u64,
    /// Hides the commitment.
    pub salt: Fr,
}

/// Bytes of [`Mandate::to_bytes`].
pub const MANDATE_LEN: usize = 1 + 5 * 32 + 16 + 2 + 8 + 8 + 8 + 32;

const VERSION: u8 = 1;

impl Mandate {
    /// `H(tag mandate, a, b)` where
    /// `a = H(tag mandate.a, issuer, instrument, collateral_asset, consideration_asset, pool_id)` and
    /// `b = H(tag mandate.b, amount_max, premium_bps_max, price_min, price_max, expiry, salt)`.
    #[must_use]
    pub fn commitment(&self) -> Fr {
        let a = poseidon(&[
            tag("mandate.a"),
            self.issuer,
            self.instrument,
            self.collateral_asset,
            self.consideration_asset,
            self.pool_id,
        ]);
        let b = poseidon(&[
            tag("mandate.b"),
            Fr::from(self.amount_max),
            Fr::from(self.premium_bps_max),
            Fr::from(self.price_min),
            Fr::from(self.price_max),
            Fr::from(self.expiry),
            self.salt,
        ]);
        poseidon(&[tag("mandate"), a, b])
    }

    /// Encodes as a version byte and the fields in order, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; MANDATE_LEN] {
        Writer::new(VERSION)
            .field(&self.issuer)
            .field(&self.instrument)
            .field(&self.collateral_asset)
            .field(&self.consideration_asset)
            .field(&self.pool_id)
            .put(&self.amount_max.to_be_bytes())
            .put(&self.premium_bps_max.to_be_bytes())
            .put(&self.price_min.to_be_bytes())
            .put(&self.price_max.to_be_bytes())
            .put(&self.expiry.to_be_bytes())
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
            issuer: reader.field()?,
            instrument: reader.field()?,
            collateral_asset: reader.field()?,
            consideration_asset: reader.field()?,
            pool_id: reader.field()?,
            amount_max: reader.u128("maximum amount", AMOUNT_BITS)?,
            premium_bps_max: reader.u16("maximum premium", PREMIUM_BITS)?,
            price_min: reader.u64("lowest price", PRICE_BITS)?,
            price_max: reader.u64("highest price", PRICE_BITS)?,
            expiry: reader.u64("expiry", TIME_BITS)?,
            salt: reader.field()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Mandate {
        Mandate {
            issuer: Fr::from(1),
            instrument: Fr::from(2),
            collateral_asset: Fr::from(3),
            consideration_asset: Fr::from(4),
            pool_id: Fr::from(5),
            amount_max: 6,
            premium_bps_max: 7,
            price_min: 8,
            price_max: 9,
            expiry: 10,
            salt: Fr::from(11),
        }
    }

    #[test]
    fn every_field_changes_the_commitment() {
        let mandate = example();
        let one = Fr::from(1);
        let others = [
            Mandate { issuer: mandate.issuer + one, ..mandate },
            Mandate { instrument: mandate.instrument + one, ..mandate },
            Mandate { collateral_asset: mandate.collateral_asset + one, ..mandate },
            Mandate { consideration_asset: mandate.consideration_asset + one, ..mandate },
            Mandate { pool_id: mandate.pool_id + one, ..mandate },
            Mandate { amount_max: 60, ..mandate },
            Mandate { premium_bps_max: 70, ..mandate },
            Mandate { price_min: 80, ..mandate },
            Mandate { price_max: 90, ..mandate },
            Mandate { expiry: 100, ..mandate },
            Mandate { salt: mandate.salt + one, ..mandate },
        ];
        for other in others {
            assert_ne!(other.commitment(), mandate.commitment());
        }
    }

    #[test]
    fn a_mandate_survives_its_encoding() {
        assert_eq!(Mandate::from_bytes(&example().to_bytes()), Ok(example()));
    }
}
