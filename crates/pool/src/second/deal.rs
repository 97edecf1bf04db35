//! Deals: what a mandate and the terms of every maker it may fill have in common, and what that pays.
//!
//! Both are hashed from a deal's hash, so that in a circuit terms are *for* the mandate's deal by being
//! recomputed from it: there is nothing to compare.

use crate::{
    AMOUNT_END, Fr,
    codec::{Error, Reader, Writer},
    hash::{poseidon, tag},
};

/// What is traded for what, for whom and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    /// The issuer to fill: its EVM address as an integer.
    pub issuer: Fr,
    /// What is offered in return, by name: repo, bond, token. The deployment's number for it.
    pub instrument: Fr,
    /// Token that makers are paid in: its address as an integer.
    pub consideration_asset: Fr,
    /// Where: [`super::venue`].
    pub venue: Fr,
    /// How base units of the two tokens compare.
    pub scale: Scale,
}

impl Deal {
    /// `H(tag deal, issuer, instrument, consideration_asset, venue, scale)`.
    #[must_use]
    pub fn hash(&self) -> Fr {
        let Self { issuer, instrument, consideration_asset, venue, scale } = *self;
        hash([issuer, instrument, consideration_asset, venue, scale.to_element()])
    }

    /// The fields in order, as mandate and terms carry them.
    pub(super) fn write<const N: usize>(&self, writer: Writer<N>) -> Writer<N> {
        let Self { issuer, instrument, consideration_asset, venue, scale } = self;
        [issuer, instrument, consideration_asset, venue]
            .into_iter()
            .fold(writer, Writer::field)
            .put(&scale.up.to_be_bytes())
            .put(&scale.down.to_be_bytes())
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            issuer: reader.field()?,
            instrument: reader.field()?,
            consideration_asset: reader.field()?,
            venue: reader.field()?,
            scale: Scale {
                up: reader.u64("scale's numerator", SCALE_BITS)?,
                down: reader.u64("scale's denominator", SCALE_BITS)?,
            },
        })
    }
}

/// Bytes that a deal takes in an encoding.
pub(super) const DEAL_LEN: usize = 4 * 32 + 2 * 8;

/// [`Deal::hash`] of its parts: issuer, instrument, consideration, venue, scale.
#[must_use]
pub fn hash([issuer, instrument, consideration_asset, venue, scale]: [Fr; 5]) -> Fr {
    poseidon(&[tag("deal"), issuer, instrument, consideration_asset, venue, scale])
}

/// Bits that each half of a [`Scale`] may have. 10^18 has 60.
pub const SCALE_BITS: u32 = 60;

/// Base units of the consideration per base unit of the collateral, when a unit of one costs a unit of
/// the other: `up / down`. The price's 8 decimals cannot carry this: par from 6 to 18 decimals is 10^12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Numerator, below 2^60.
    pub up: u64,
    /// Denominator, below 2^60, not 0.
    pub down: u64,
}

impl Scale {
    /// Equal decimals.
    pub const PAR: Self = Self { up: 1, down: 1 };

    /// The power of ten between tokens of these decimals; `None` if it is above 10^18.
    #[must_use]
    pub fn between(collateral_decimals: u8, consideration_decimals: u8) -> Option<Self> {
        let distance = u32::from(collateral_decimals.abs_diff(consideration_decimals));
        let power = (distance <= 18).then(|| 10_u64.pow(distance))?;
        Some(if collateral_decimals <= consideration_decimals {
            Self { up: power, down: 1 }
        } else {
            Self { up: 1, down: power }
        })
    }

    /// `up + down · 2^60`.
    #[must_use]
    pub fn to_element(self) -> Fr {
        Fr::from(u128::from(self.down) << SCALE_BITS | u128::from(self.up))
    }

    /// Whether both halves are in range.
    #[must_use]
    pub fn fits(self) -> bool {
        let end = 1 << SCALE_BITS;
        self.up < end && (1..end).contains(&self.down)
    }
}

/// Units of a price times units of a premium: 10^8 · 10^4.
pub const PAYOUT_SCALE: u64 = crate::terms::PAYOUT_SCALE;

/// What a maker is paid for `fill` base units of the collateral, in base units of the consideration:
/// `fill · price · (10⁴ + premium_bps) · up / (10¹² · down)`, rounded **up**, so that a maker never gets
/// less than its limit. `fill` is below 2^112, `price` has 8 decimals, `premium_bps` is below 2^14.
/// `None` if that is 2^112 or more, or if `scale` does not fit.
#[must_use]
pub fn payout_ceil(fill: u128, price: u64, premium_bps: u16, scale: Scale) -> Option<u128> {
    if !scale.fits() {
        return None;
    }
    // 112 + 64 + 17 + 60 bits.
    let mut product = [0_u64; 4];
    [product[0], product[1]] = halves(fill);
    for factor in [price, 10_000 + u64::from(premium_bps), scale.up] {
        let mut carry = 0_u64;
        for limb in &mut product {
            [*limb, carry] = halves(u128::from(*limb) * u128::from(factor) + u128::from(carry));
        }
        if carry != 0 {
            return None;
        }
    }
    // Long division, bit by bit: the divisor is below 2^100, so a remainder never overflows.
    let divisor = u128::from(PAYOUT_SCALE) * u128::from(scale.down);
    let (mut quotient, mut remainder) = (0_u128, 0_u128);
    for bit in (0..256).rev() {
        remainder = remainder << 1 | u128::from(product[bit / 64] >> (bit % 64) & 1);
        if quotient >= AMOUNT_END {
            return None;
        }
        quotient <<= 1;
        if remainder >= divisor {
            remainder -= divisor;
            quotient |= 1;
        }
    }
    let payout = quotient + u128::from(remainder != 0);
    (payout < AMOUNT_END).then_some(payout)
}

/// Low half, high half.
#[expect(clippy::cast_possible_truncation, reason = "halves are what is asked for")]
fn halves(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_changes_the_hash() {
        let one = Fr::from(1);
        let deal = Deal {
            issuer: Fr::from(1),
            instrument: Fr::from(2),
            consideration_asset: Fr::from(3),
            venue: Fr::from(4),
            scale: Scale::PAR,
        };
        let others = [
            Deal { issuer: deal.issuer + one, ..deal },
            Deal { instrument: deal.instrument + one, ..deal },
            Deal { consideration_asset: deal.consideration_asset + one, ..deal },
            Deal { venue: deal.venue + one, ..deal },
            Deal { scale: Scale { up: 2, down: 1 }, ..deal },
            Deal { scale: Scale { up: 1, down: 2 }, ..deal },
        ];
        for other in others {
            assert_ne!(other.hash(), deal.hash());
        }
    }

    #[test]
    fn decimals_make_a_power_of_ten() {
        assert_eq!(Scale::between(6, 6), Some(Scale::PAR));
        assert_eq!(Scale::between(6, 18), Some(Scale { up: 1_000_000_000_000, down: 1 }));
        assert_eq!(Scale::between(18, 6), Some(Scale { up: 1, down: 1_000_000_000_000 }));
        assert_eq!(Scale::between(0, 19), None);
        let widest = [Scale::between(0, 18), Scale::between(18, 0)];
        assert!(widest.into_iter().all(|scale| scale.is_some_and(Scale::fits)));
        assert!(!Scale { up: 1, down: 0 }.fits());
        assert!(!Scale { up: 1 << 60, down: 1 }.fits());
    }

    /// A token may have any number: what cannot be priced is said to be, and nothing is rounded to 0 or wraps.
    #[test]
    fn no_decimals_and_thirty_are_told_apart_from_what_can_be_priced() {
        let power = 1_000_000_000_000;
        assert_eq!(Scale::between(30, 18), Some(Scale { up: 1, down: power }));
        assert_eq!(Scale::between(18, 30), Some(Scale { up: power, down: 1 }));
        for (one, other) in [(0, 30), (30, 0), (6, 30), (0, u8::MAX), (u8::MAX, 0)] {
            assert_eq!(Scale::between(one, other), None, "{one} and {other}");
        }
        // A whole token of each: at par, and a base unit of the finer one is paid as one of the coarser.
        let (coarse, fine) = (Scale::between(0, 18), Scale::between(18, 0));
        let (coarse, fine) = (coarse.expect("in range"), fine.expect("in range"));
        let whole = 1_000_000_000_000_000_000;
        assert_eq!(payout_ceil(1, 100_000_000, 0, coarse), Some(whole));
        assert_eq!(payout_ceil(whole, 100_000_000, 0, fine), Some(1));
        assert_eq!(payout_ceil(1, 100_000_000, 0, fine), Some(1));
        // 2^112 units of nothing after the point are more than the finer token can say.
        assert_eq!(payout_ceil(AMOUNT_END - 1, 100_000_000, 0, coarse), None);
    }

    #[test]
    fn a_payout_is_rounded_up() {
        let at_par = |fill, price, bps| payout_ceil(fill, price, bps, Scale::PAR);
        // One unit at 1.0 with 50 bp: 1.005, so 2.
        assert_eq!(at_par(1, 100_000_000, 50), Some(2));
        assert_eq!(at_par(200, 100_000_000, 50), Some(201));
        assert_eq!(at_par(0, u64::MAX, 50), Some(0));
        assert_eq!(at_par(u128::MAX, u64::MAX, u16::MAX), None);
        assert_eq!(at_par(AMOUNT_END - 1, 100_000_000, 0), Some(AMOUNT_END - 1));
        assert_eq!(at_par(AMOUNT_END - 1, 100_000_000, 1), None);
        assert_eq!(payout_ceil(1, 1, 1, Scale { up: 1, down: 0 }), None);
    }

    #[test]
    fn eighteen_decimals_and_six_price_at_par_both_ways() {
        let million = 1_000_000_000_000;
        let (up, down) = (Scale::between(6, 18), Scale::between(18, 6));
        let (up, down) = (up.expect("in range"), down.expect("in range"));
        let wide = million * 1_000_000_000_000;
        assert_eq!(payout_ceil(million, 100_000_000, 0, up), Some(wide));
        assert_eq!(payout_ceil(wide, 100_000_000, 0, down), Some(million));
        assert_eq!(payout_ceil(wide + 1, 100_000_000, 0, down), Some(million + 1));
    }

    proptest::proptest! {
        #[test]
        fn a_payout_is_what_the_first_design_pays_at_par(
            fill in 0..AMOUNT_END, price: u64, premium_bps in 0..crate::PREMIUM_BPS_END,
        ) {
            proptest::prop_assert_eq!(
                payout_ceil(fill, price, premium_bps, Scale::PAR),
                crate::terms::payout_ceil(fill, price, premium_bps),
            );
        }

        #[test]
        fn a_payout_is_the_least_that_satisfies_the_equation(
            fill in 0..1_u128 << 60, price: u64, premium_bps in 0..crate::PREMIUM_BPS_END,
            up in 0..1_u64 << 12, down in 1..1_u64 << SCALE_BITS,
        ) {
            let payout = payout_ceil(fill, price, premium_bps, Scale { up, down });
            let payout = payout.expect("60 + 64 + 15 + 12 bits are 40 too many");
            let owed = Fr::from(fill)
                * Fr::from(price)
                * Fr::from(10_000 + u32::from(premium_bps))
                * Fr::from(up);
            let divisor = u128::from(PAYOUT_SCALE) * u128::from(down);
            let slack = Fr::from(payout) * Fr::from(divisor) - owed;
            let slack = crate::field::to_u128(&slack);
            proptest::prop_assert!(slack.is_some_and(|slack| slack < divisor));
        }
    }
}
