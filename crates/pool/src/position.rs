//! Positions: the collateral an issuer holds in the pool.
//!
//! A mapping of nullifiers cannot prove a note unspent, so an issuer holds no collateral notes: the
//! chain holds one commitment that settlements credit, and a proof of solvency opens that.

use crate::{
    AMOUNT_BITS, AMOUNT_END, Fr,
    codec::{Error, Reader, Writer},
    hash::{poseidon, tag},
};

/// What an issuer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The issuer: its EVM address as an integer.
    pub issuer: Fr,
    /// Base units of the collateral, below 2^112.
    pub amount: u128,
    /// Hides the commitment.
    pub salt: Fr,
}

/// Bytes of [`Position::to_bytes`].
pub const POSITION_LEN: usize = 1 + 32 + 16 + 32;

const VERSION: u8 = 1;

impl Position {
    /// `H(tag position, issuer, amount, salt)`.
    #[must_use]
    pub fn commitment(&self) -> Fr {
        poseidon(&[tag("position"), self.issuer, Fr::from(self.amount), self.salt])
    }

    /// The position after a settlement under `context` that brought `filled` base units. The next salt
    /// is `H(tag salt.position, salt, context)`. `None` if the sum is 2^112 or more.
    #[must_use]
    pub fn after(&self, filled: u128, context: Fr) -> Option<Self> {
        Some(Self {
            amount: self.amount.checked_add(filled).filter(|sum| *sum < AMOUNT_END)?,
            salt: poseidon(&[tag("salt.position"), self.salt, context]),
            ..*self
        })
    }

    /// Encodes as a version byte and the fields in order, big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; POSITION_LEN] {
        Writer::new(VERSION)
            .field(&self.issuer)
            .put(&self.amount.to_be_bytes())
            .field(&self.salt)
            .finish()
    }

    /// Decodes [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`Error`] if length or version is wrong or a field is out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("position", bytes, POSITION_LEN, VERSION)?;
        Ok(Self {
            issuer: reader.field()?,
            amount: reader.u128("amount", AMOUNT_BITS)?,
            salt: reader.field()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Position {
        Position { issuer: Fr::from(1), amount: 2, salt: Fr::from(3) }
    }

    #[test]
    fn every_field_changes_the_commitment() {
        let position = example();
        let one = Fr::from(1);
        let others = [
            Position { issuer: position.issuer + one, ..position },
            Position { amount: 20, ..position },
            Position { salt: position.salt + one, ..position },
        ];
        for other in others {
            assert_ne!(other.commitment(), position.commitment());
        }
    }

    #[test]
    fn a_position_never_reaches_the_end_of_its_range() {
        let context = Fr::from(4);
        let full = AMOUNT_END - 1 - example().amount;
        assert!(example().after(full, context).is_some());
        assert_eq!(example().after(full + 1, context), None);
        assert_eq!(example().after(u128::MAX, context), None);
    }

    #[test]
    fn a_position_survives_its_encoding() {
        assert_eq!(Position::from_bytes(&example().to_bytes()), Ok(example()));
    }
}
