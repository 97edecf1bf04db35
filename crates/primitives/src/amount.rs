//! Money and its prices, in integers. Circuits range-check amounts to 112 bits, so amounts do too.

use core::fmt;

use crate::{Decode, Encode};

/// One hundred percent in basis points.
pub const BPS_ONE: u64 = 10_000;

/// A price of 1.0: prices carry 8 decimals, like the oracles that quote them.
pub const PRICE_ONE: u64 = 100_000_000;

/// Arithmetic left the range of an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{operation} leaves the range of an amount, 0 to 2^112 - 1 base units")]
pub struct Overflow {
    /// The operation that failed.
    pub operation: &'static str,
}

/// Base units of one asset, `0 ..= 2^112 - 1`. The asset's decimals are the asset's business; every
/// token that ships with CDPR has 6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode)]
pub struct Amount(u128);

/// Decoding is no way around the range.
impl Decode for Amount {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::new(u128::deserialize_reader(reader)?)
            .map_err(|_| borsh::io::ErrorKind::InvalidData.into())
    }
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount a circuit's range check admits, `2^112 - 1`.
    pub const MAX: Self = Self((1 << 112) - 1);

    /// `units` base units.
    ///
    /// # Errors
    /// [`Overflow`] from `2^112` up.
    pub const fn new(units: u128) -> Result<Self, Overflow> {
        if units > Self::MAX.0 { Err(Overflow { operation: "a value" }) } else { Ok(Self(units)) }
    }

    /// Whole tokens of six decimals. Exact: 64 bits of tokens times 10^6 stay below 2^112.
    pub const fn from_tokens(tokens: u64) -> Self {
        Self(tokens as u128 * 1_000_000)
    }

    /// Base units.
    pub const fn units(self) -> u128 {
        self.0
    }

    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Sum.
    ///
    /// # Errors
    /// [`Overflow`] above [`Amount::MAX`].
    pub fn checked_add(self, other: Self) -> Result<Self, Overflow> {
        Self::new(self.0 + other.0).map_err(|_| Overflow { operation: "a sum" })
    }

    /// Difference.
    ///
    /// # Errors
    /// [`Overflow`] below zero.
    pub fn checked_sub(self, other: Self) -> Result<Self, Overflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(Overflow { operation: "a difference" })
    }

    /// Difference, or nothing if `other` is larger.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The largest multiple of `lot` not above `self`; `self` where `lot` is zero.
    #[must_use]
    pub fn lots_floor(self, lot: Self) -> Self {
        if lot.is_zero() { self } else { Self(self.0 - self.0 % lot.0) }
    }

    /// The smallest multiple of `lot` not below `self`; `self` where `lot` is zero.
    ///
    /// # Errors
    /// [`Overflow`] if that multiple leaves the range.
    pub fn lots_ceil(self, lot: Self) -> Result<Self, Overflow> {
        if lot.is_zero() { Ok(self) } else { Self::new(self.0.div_ceil(lot.0) * lot.0) }
    }

    /// `self × bps / 10 000`, rounded down.
    #[must_use]
    pub fn share_floor(self, share: Premium) -> Self {
        Self(self.0 * u128::from(share.bps()) / u128::from(BPS_ONE))
    }

    /// What a maker is owed for this much collateral: `self × price × (1 + premium)`, rounded **up**,
    /// so that a payout is never below its limit. The circuit proves the same ceiling.
    ///
    /// # Errors
    /// [`Overflow`] if the result leaves the range.
    pub fn payout_ceil(self, price: Price, premium: Premium) -> Result<Self, Overflow> {
        let overflow = Overflow { operation: "a payout" };
        // 112 bits of amount and 64 of price do not fit 128, so the product is split at the divisor.
        let factor = u128::from(price.0) * u128::from(BPS_ONE + u64::from(premium.0));
        let divisor = u128::from(PRICE_ONE) * u128::from(BPS_ONE);
        let whole = (self.0 / divisor).checked_mul(factor).ok_or(overflow)?;
        let rest = (self.0 % divisor).checked_mul(factor).ok_or(overflow)?.div_ceil(divisor);
        Self::new(whole.checked_add(rest).ok_or(overflow)?).map_err(|_| overflow)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Amount({})", self.0)
    }
}

/// Whole tokens of six decimals with thousands separators, cut (not rounded) to cents.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = [0u16; 13];
        let mut rest = self.0 / 1_000_000;
        let mut n = 0;
        while rest > 0 || n == 0 {
            groups[n] = u16::try_from(rest % 1_000).expect("a remainder by 1000 fits");
            rest /= 1_000;
            n += 1;
        }
        write!(f, "{}", groups[n - 1])?;
        for group in groups[..n - 1].iter().rev() {
            write!(f, ",{group:03}")?;
        }
        write!(f, ".{:02}", self.0 % 1_000_000 / 10_000)
    }
}

/// A premium or a share in basis points, `0 ..= 16 383` (the circuit gives it 14 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode)]
pub struct Premium(u16);

/// Decoding is no way around the range.
impl Decode for Premium {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::new(u16::deserialize_reader(reader)?)
            .ok_or_else(|| borsh::io::ErrorKind::InvalidData.into())
    }
}

impl Premium {
    /// The largest premium, 163.83 %.
    pub const MAX: Self = Self((1 << 14) - 1);

    /// `bps` basis points, or nothing above [`Premium::MAX`].
    pub const fn new(bps: u16) -> Option<Self> {
        if bps > Self::MAX.0 { None } else { Some(Self(bps)) }
    }

    /// Basis points.
    pub const fn bps(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Premium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} %", self.0 / 100, self.0 % 100)
    }
}

/// Consideration units per collateral unit, 8 decimals: [`PRICE_ONE`] is 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Price(pub u64);

/// A collateral ratio in millionths: 1.02 is 1 020 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Ratio(pub u64);

impl Ratio {
    /// `self × liabilities`, rounded **up**: what reserves must reach.
    ///
    /// # Errors
    /// [`Overflow`] if the product leaves the range.
    pub fn of_ceil(self, liabilities: Amount) -> Result<Amount, Overflow> {
        let overflow = Overflow { operation: "a required reserve" };
        let product = liabilities.units().checked_mul(u128::from(self.0)).ok_or(overflow)?;
        Amount::new(product.div_ceil(1_000_000)).map_err(|_| overflow)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.0 / 1_000_000, self.0 % 1_000_000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn payout_rounds_up_to_the_unit() {
        let payout = |units, price, bps| {
            Amount::new(units)
                .and_then(|a| a.payout_ceil(Price(price), Premium(bps)))
                .map(Amount::units)
        };
        assert_eq!(payout(1_000_000, PRICE_ONE, 50), Ok(1_005_000));
        assert_eq!(payout(1, PRICE_ONE, 1), Ok(2));
        assert_eq!(payout(0, PRICE_ONE, 1), Ok(0));
        assert_eq!(
            payout(Amount::MAX.units(), PRICE_ONE, 1),
            Err(Overflow { operation: "a payout" })
        );
    }

    #[test]
    fn amounts_read_like_money() {
        assert_eq!(format!("{}", Amount::from_tokens(3_300_000_000)), "3,300,000,000.00");
        assert_eq!(format!("{}", Amount(1_234_567)), "1.23");
        assert_eq!(format!("{}", Ratio(1_020_000)), "1.0200");
        assert_eq!(format!("{}", Premium(50)), "0.50 %");
    }

    #[test]
    fn decoding_is_no_way_around_the_range() {
        assert_eq!(crate::decode::<Amount>(&crate::encode(&Amount::MAX)), Ok(Amount::MAX));
        assert!(crate::decode::<Amount>(&u128::MAX.to_le_bytes()).is_err());
        assert!(crate::decode::<Premium>(&u16::MAX.to_le_bytes()).is_err());
    }

    #[test]
    fn values_beyond_112_bits_are_refused() {
        assert!(Amount::new(1 << 112).is_err());
        assert!(Amount::MAX.checked_add(Amount(1)).is_err());
        assert!(Amount::ZERO.checked_sub(Amount(1)).is_err());
    }

    proptest! {
        #[test]
        fn payout_is_the_smallest_integer_not_below_the_exact_value(
            units in 0u128..1 << 80, price in 1u64..1 << 30, bps in 0u16..1 << 14,
        ) {
            let payout = Amount(units).payout_ceil(Price(price), Premium(bps)).expect("small").units();
            let divisor = u128::from(PRICE_ONE * BPS_ONE);
            let factor = u128::from(price) * u128::from(10_000 + u64::from(bps));
            // Compared modulo 2^128 is not enough, so both sides are split like schoolbook division.
            let (whole, rest) = (units / divisor, units % divisor);
            let exact_floor = whole * factor + rest * factor / divisor;
            let is_exact = (rest * factor).is_multiple_of(divisor);
            prop_assert_eq!(payout, exact_floor + u128::from(!is_exact));
        }

        #[test]
        fn lots_bracket_the_amount(units in 0u128..1 << 100, lot in 1u128..1 << 40) {
            let (amount, lot) = (Amount(units), Amount(lot));
            let floor = amount.lots_floor(lot);
            let ceil = amount.lots_ceil(lot).expect("in range");
            prop_assert!(floor <= amount && amount <= ceil);
            prop_assert!(ceil.units() - floor.units() <= lot.units());
        }
    }
}
