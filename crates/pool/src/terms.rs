//! Terms: what a maker lets an enclave do with its note.
//!
//! They are hashed into the note, and a change note keeps the hash, so a fill can neither exceed the
//! note nor leave the terms, and no signature is needed inside the circuit.

use crate::{
    AMOUNT_BITS, AMOUNT_END, Fr, PREMIUM_BITS, PRICE_BITS, TIME_BITS,
    codec::{Error, Reader, Writer},
    hash::{poseidon, tag},
};

/// What a maker agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The issuer to fill: its EVM address as an integer.
    pub issuer: Fr,
    /// What is offered in return, by name: repo, bond, token. The deployment's number for it.
    pub instrument: Fr,
    /// Token to be paid in: its address as an integer.
    pub consideration_asset: Fr,
    /// Owner of the payout note: [`crate::keys::owner`].
    pub payout_owner: Fr,
    /// Chain and contract these terms are for: `keccak256(abi.encode(chainid, pool)) >> 8`.
    pub pool_id: Fr,
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
pub const TERMS_LEN: usize = 1 + 5 * 32 + 2 + 8 + 8 + 16 + 1 + 8;

/// Units of a price times units of a premium: 10^8 · 10^4.
pub const PAYOUT_SCALE: u64 = 1_000_000_000_000;

/// What a maker is paid for `fill` base units of the collateral, in base units of the consideration:
/// `fill · price · (10⁴ + premium_bps) / 10¹²`, rounded **up**, so that a maker never gets less than
/// its limit. `price` has 8 decimals. `None` if that is 2^112 or more.
#[must_use]
pub fn payout_ceil(fill: u128, price: u64, premium_bps: u16) -> Option<u128> {
    let low = fill & u128::from(u64::MAX);
    let high = fill >> 64;
    let rate = u128::from(price).checked_mul(10_000 + u128::from(premium_bps))?;
    let scale = u128::from(PAYOUT_SCALE);
    // Schoolbook division by the scale in base 2^64, with the rate split likewise: the numerator has
    // up to 206 bits.
    let (rate_low, rate_high) = (rate & u128::from(u64::MAX), rate >> 64);
    let mut limbs = [0_u64; 4];
    for (at, left, right) in
        [(0, low, rate_low), (1, low, rate_high), (1, high, rate_low), (2, high, rate_high)]
    {
        let mut carry = left * right;
        for limb in &mut limbs[at..] {
            let sum = u128::from(*limb) + (carry & u128::from(u64::MAX));
            *limb = low_half(sum);
            carry = (carry >> 64) + (sum >> 64);
        }
    }
    let mut remainder = 0;
    let mut quotient = [0_u64; 4];
    for (limb, out) in limbs.iter().zip(&mut quotient).rev() {
        let dividend = remainder << 64 | u128::from(*limb);
        *out = low_half(dividend / scale);
        remainder = dividend % scale;
    }
    let [low, high, 0, 0] = quotient else { return None };
    let floor = u128::from(high) << 64 | u128::from(low);
    let payout = floor.checked_add(u128::from(remainder != 0))?;
    (payout < AMOUNT_END).then_some(payout)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low_half(value: u128) -> u64 {
    value as u64
}

const VERSION: u8 = 1;

impl Terms {
    /// `order_hash = H(tag terms, a, b)` where
    /// `a = H(tag terms.a, issuer, instrument, consideration_asset, payout_owner, pool_id)` and
    /// `b = H(tag terms.b, premium_bps_min, price_min, price_max, fill_min, gap_band_max, expiry)`.
    #[must_use]
    pub fn hash(&self) -> Fr {
        let a = poseidon(&[
            tag("terms.a"),
            self.issuer,
            self.instrument,
            self.consideration_asset,
            self.payout_owner,
            self.pool_id,
        ]);
        let b = poseidon(&[
            tag("terms.b"),
            Fr::from(self.premium_bps_min),
            Fr::from(self.price_min),
            Fr::from(self.price_max),
            Fr::from(self.fill_min),
            Fr::from(self.gap_band_max),
            Fr::from(self.expiry),
        ]);
        poseidon(&[tag("terms"), a, b])
    }

    /// Encodes as a version byte and the fields in order, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; TERMS_LEN] {
        Writer::new(VERSION)
            .field(&self.issuer)
            .field(&self.instrument)
            .field(&self.consideration_asset)
            .field(&self.payout_owner)
            .field(&self.pool_id)
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
            issuer: reader.field()?,
            instrument: reader.field()?,
            consideration_asset: reader.field()?,
            payout_owner: reader.field()?,
            pool_id: reader.field()?,
            premium_bps_min: reader.u16("minimum premium", PREMIUM_BITS)?,
            price_min: reader.u64("lowest price", PRICE_BITS)?,
            price_max: reader.u64("highest price", PRICE_BITS)?,
            fill_min: reader.u128("minimum fill", AMOUNT_BITS)?,
            gap_band_max: reader.u8(),
            expiry: reader.u64("expiry", TIME_BITS)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Terms {
        Terms {
            issuer: Fr::from(1),
            instrument: Fr::from(2),
            consideration_asset: Fr::from(3),
            payout_owner: Fr::from(4),
            pool_id: Fr::from(5),
            premium_bps_min: 6,
            price_min: 7,
            price_max: 8,
            fill_min: 9,
            gap_band_max: 10,
            expiry: 11,
        }
    }

    #[test]
    fn every_field_changes_the_hash() {
        let terms = example();
        let one = Fr::from(1);
        let others = [
            Terms { issuer: terms.issuer + one, ..terms },
            Terms { instrument: terms.instrument + one, ..terms },
            Terms { consideration_asset: terms.consideration_asset + one, ..terms },
            Terms { payout_owner: terms.payout_owner + one, ..terms },
            Terms { pool_id: terms.pool_id + one, ..terms },
            Terms { premium_bps_min: 60, ..terms },
            Terms { price_min: 70, ..terms },
            Terms { price_max: 80, ..terms },
            Terms { fill_min: 90, ..terms },
            Terms { gap_band_max: 100, ..terms },
            Terms { expiry: 110, ..terms },
        ];
        for other in others {
            assert_ne!(other.hash(), terms.hash());
        }
    }

    #[test]
    fn a_payout_is_rounded_up() {
        // One unit at 1.0 with 50 bp: 1.005, so 2.
        assert_eq!(payout_ceil(1, 100_000_000, 50), Some(2));
        assert_eq!(payout_ceil(200, 100_000_000, 50), Some(201));
        assert_eq!(payout_ceil(0, u64::MAX, 50), Some(0));
        assert_eq!(payout_ceil(3, 33_333_333, 0), Some(1));
        assert_eq!(payout_ceil(u128::MAX, u64::MAX, u16::MAX), None);
        assert_eq!(payout_ceil(AMOUNT_END - 1, 100_000_000, 0), Some(AMOUNT_END - 1));
        assert_eq!(payout_ceil(AMOUNT_END - 1, 100_000_000, 1), None);
    }

    proptest::proptest! {
        #[test]
        fn a_payout_is_the_least_that_satisfies_the_equation(
            fill in 0..1_u128 << 89, price in 0..1_u64 << 48, premium_bps in 0..crate::PREMIUM_BPS_END,
        ) {
            // Below 2^89 · 2^48 · 2^14.7 / 10¹², and so below 2^112.
            let payout = payout_ceil(fill, price, premium_bps).expect("it fits");
            // In the field, which is wide enough for it.
            let owed = Fr::from(fill) * Fr::from(price) * Fr::from(10_000 + u32::from(premium_bps));
            let slack = Fr::from(payout) * Fr::from(PAYOUT_SCALE) - owed;
            let slack = crate::field::to_u128(&slack);
            proptest::prop_assert!(slack.is_some_and(|slack| slack < u128::from(PAYOUT_SCALE)));
        }
    }

    #[test]
    fn terms_survive_their_encoding() {
        assert_eq!(Terms::from_bytes(&example().to_bytes()), Ok(example()));
    }

    #[test]
    fn malformed_encodings_are_refused() {
        let bytes = example().to_bytes();
        assert_eq!(
            Terms::from_bytes(&bytes[1..]),
            Err(Error::Length { record: "terms", found: TERMS_LEN - 1, expected: TERMS_LEN }),
        );
        let mut version = bytes;
        version[0] = 2;
        assert_eq!(
            Terms::from_bytes(&version),
            Err(Error::Version { record: "terms", found: 2, expected: 1 }),
        );
        let mut unreduced = bytes;
        unreduced[1..33].fill(0xff);
        assert!(matches!(Terms::from_bytes(&unreduced), Err(Error::Field { .. })));
        let late = Terms { expiry: crate::TIME_END, ..example() };
        assert_eq!(
            Terms::from_bytes(&late.to_bytes()),
            Err(Error::Range {
                record: "terms",
                field: "expiry",
                found: u128::from(crate::TIME_END),
                bits: TIME_BITS,
            }),
        );
    }
}
